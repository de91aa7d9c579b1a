"""A certificate authority of the server's own: azureml-core's uploads insist on TLS (wire §4.1)."""

import os
import ssl
from collections.abc import Collection
from pathlib import Path

import trustme

from akstwin.errors import AksError


def make_authority(folder: Path, names: Collection[str]) -> tuple[ssl.SSLContext, Path]:
    """A context for the server, and the file that clients must trust.

    What was made in the folder before is used again. For other names the same authority signs another certificate, so that
    who trusts it goes on to do so.

    Args:
        folder: where authority, certificate and their keys are kept.
        names: host names and addresses of the server.

    Raises:
        AksError: what is in the folder cannot be used.
    """
    authority, certificate, key, known = made = tuple(
        folder / name for name in ("ca.pem", "server.pem", "server.key", "names.txt")
    )
    wanted = "\n".join(sorted(names))
    try:
        if not (all(path.exists() for path in made) and known.read_text(encoding="utf-8") == wanted):
            known.unlink(missing_ok=True)  # it says that the others belong together, so it goes first and comes last
            _make(folder, names)
            _write(known, wanted.encode())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        ssl.create_default_context(cafile=str(authority))  # as clients will read it
    except (ssl.SSLError, ValueError) as error:
        what = f"{folder}: what is kept there for https is damaged"
        raise AksError(f"{what} ({error}); without the folder it is made anew") from None
    return context, authority


def _make(folder: Path, names: Collection[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    authority, signer = folder / "ca.pem", folder / "ca.key"
    if authority.exists() and signer.exists():
        made = trustme.CA.from_pem(authority.read_bytes(), signer.read_bytes())
    else:
        made = trustme.CA(organization_name="akstwin")
        authority.unlink(missing_ok=True)  # it does not fit the key that comes now
        _write(signer, made.private_key_pem.bytes(), 0o600)
        _write(authority, made.cert_pem.bytes())
    server = made.issue_cert(*names)
    _write(folder / "server.key", server.private_key_pem.bytes(), 0o600)
    _write(folder / "server.pem", b"".join(blob.bytes() for blob in server.cert_chain_pems))


def _write(path: Path, content: bytes, mode: int = 0o666) -> None:
    """A file comes into being whole: a process may be killed at any moment."""
    coming = path.with_name(f"{path.name}.new")
    coming.unlink(missing_ok=True)
    coming.touch(mode=mode)
    with coming.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    coming.replace(path)
