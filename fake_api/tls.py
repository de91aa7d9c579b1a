"""A certificate authority of the server's own: azureml-core's uploads insist on TLS (wire §4.1)."""

import ssl
from collections.abc import Collection
from pathlib import Path

import trustme


def make_authority(folder: Path, names: Collection[str]) -> tuple[ssl.SSLContext, Path]:
    """A context for the server, and the file that clients must trust.

    What was made in the folder before is used again, as long as it is for the same names.

    Args:
        folder: where authority, certificate and key are kept.
        names: host names and addresses of the server.
    """
    authority, certificate, key, known = (folder / name for name in ("ca.pem", "server.pem", "server.key", "names.txt"))
    wanted = "\n".join(sorted(names))
    if not (key.exists() and known.exists() and known.read_text() == wanted):
        folder.mkdir(parents=True, exist_ok=True)
        made = trustme.CA(organization_name="akstwin")
        server = made.issue_cert(*names)
        made.cert_pem.write_to_path(authority)
        key.touch(mode=0o600)
        server.private_key_pem.write_to_path(key)
        certificate.write_bytes(b"".join(blob.bytes() for blob in server.cert_chain_pems))
        known.write_text(wanted)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, authority
