"""What is uploaded, byte for byte the same for the same content, and named after it."""

import gzip
import hashlib
import os
import tarfile
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Final

from akstwin.sdk.exceptions import WebserviceException

_CACHES: Final = "__pycache__"


def hash_of(parts: Iterable[tuple[str, bytes]]) -> str:
    """Eight hexadecimal digits that stand for names and contents."""
    digest = hashlib.sha256()
    for name, content in parts:
        for part in (name.encode(), content):
            digest.update(len(part).to_bytes(8))
            digest.update(part)
    return digest.hexdigest()[:8]


def hash_of_files(files: Iterable[tuple[str, Path]]) -> str:
    """Eight hexadecimal digits that stand for names and the contents of files, however large.

    Raises:
        WebserviceException: a file cannot be read.
    """
    return hash_of((name, _digest(path)) for name, path in sorted(files))


def files_below(parameter: str, folder: Path) -> Iterator[Path]:
    """All files of a folder and of those in it, in a fixed order; Python's caches are left out.

    Raises:
        WebserviceException: naming the parameter; there is something that cannot be uploaded, such as a link to a
            folder.
    """
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        raise WebserviceException(f"{parameter}: {str(folder)!r} is not a folder that can be read: {error}") from error
    for path in found:
        if path.is_dir() and not path.is_symlink():
            if path.name != _CACHES:
                yield from files_below(parameter, path)
        elif path.is_file():
            yield path
        else:
            raise WebserviceException(f"{parameter}: {str(path)!r} is not a file or a folder that can be uploaded")


def packed(parameter: str, folder: Path) -> tuple[str, bytes]:
    """A folder as a gzip tar whose single top folder is called as it is.

    Returns:
        What stands for the content, and the tar.

    Raises:
        WebserviceException: naming the parameter; something cannot be uploaded.
    """
    tar = BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(_member(folder.name, tarfile.DIRTYPE, 0o755))
        for path in files_below(parameter, folder):
            content = read(path)
            name = f"{folder.name}/{path.relative_to(folder).as_posix()}"
            member = _member(name, tarfile.REGTYPE, 0o755 if os.access(path, os.X_OK) else 0o644)
            member.size = len(content)
            archive.addfile(member, BytesIO(content))
    packed_tar = BytesIO()
    with gzip.GzipFile(filename="", fileobj=packed_tar, mode="wb", mtime=0) as stream:
        stream.write(tar.getvalue())
    return hash_of([(folder.name, tar.getvalue())]), packed_tar.getvalue()


def read(path: Path) -> bytes:
    """A file's content.

    Raises:
        WebserviceException: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _digest(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> WebserviceException:
    return WebserviceException(f"{path}: is not a file that can be read: {error}")


def _member(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    member.mode = mode
    return member
