"""Unpacks an uploaded tar archive: within its folder, within the limits, and without links that lead out of either.

`tarfile` reads the headers. What is written where is decided here, name by name: its `data` filter asks the file system for
the real path of each member, which takes quadratic time in nested folders and has been wrong for long paths (CVE-2025-4517).
"""

import bz2
import errno
import gzip
import lzma
import os
import posixpath
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

from akstwin.errors import InvalidSetting
from akstwin.uploads import CHUNK, Folders, LinkInTheWay, Tally

LONGEST_NAME: Final = 1024
"""Bytes of a member's path, as for every other uploaded file."""
_LONGEST_HEADER: Final = 1 << 20
"""Bytes of all that precedes one member's data: extended headers, long names, maps of sparse files."""
_BAD_NAMES: Final = {
    errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY, errno.EBUSY, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL
}  # fmt: skip
"""What the system says of paths that can't be; anything else it says is not the archive's fault."""
_UNREADABLE: Final = (
    tarfile.TarError, EOFError, ValueError, OverflowError, KeyError, RecursionError, zlib.error, lzma.LZMAError, OSError
)  # fmt: skip
"""What the tar module and the decompressors raise on archives that are none; `RecursionError` at chains of headers."""
_COMPRESSED: Final[dict[bytes, Callable[[Path], Any]]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}
_ZIP: Final = b"PK\x03\x04"


def is_bad_name(error: OSError) -> bool:
    """Whether the system refused a path that cannot be, and not for a reason of its own."""
    return error.errno in _BAD_NAMES


def extract(file: Path, folder: Path, tally: Tally, *, setting: str, name: str) -> None:
    """Unpack an archive: plain, or compressed by gzip, bzip2 or xz.

    Args:
        file: the archive.
        folder: where to; what is in it stays, unless a member has the same name.
        tally: counts members and bytes.
        setting: where the archive stands in the request, for errors.
        name: what it is called there.

    Raises:
        InvalidSetting: it is no such archive, is over a limit, or has members that don't belong into a folder.
        Conflict: the tally was stopped.
        OSError: the disk is full, or the like.
    """
    unpacking = _Unpacking(folder, tally, f"{setting} ({name})")
    try:
        with _opened(file) as stream, tarfile.open(fileobj=_reader(stream, tally), mode="r:") as archive:
            unpacking.take(archive)
    except _UNREADABLE as error:
        if isinstance(error, OSError) and error.errno is not None and not is_bad_name(error):
            raise
        where = f"{name}, at {unpacking.member}" if unpacking.member else name
        raise InvalidSetting(setting, where, f"an archive that can be unpacked: {error}") from error


def _opened(file: Path) -> IO[bytes]:
    with file.open("rb") as plain:
        start = plain.read(8)
    if start.startswith(_ZIP):
        raise tarfile.ReadError("it is a zip file; a tar file is needed, which gzip, bzip2 or xz may have compressed")
    for magic, opener in _COMPRESSED.items():
        if start.startswith(magic):
            opened: IO[bytes] = opener(file)
            return opened
    return file.open("rb")


def _reader(stream: IO[bytes], tally: Tally) -> Any:
    return _Reader(stream, tally)  # tarfile's stubs ask for more than it calls


class _Reader:
    """The archive, decompressed, as far as `tarfile` may read it: forwards, and not without end in headers.

    Attributes:
        allowed: bytes that may be read until this is set again.
        last: what was read last.
    """

    def __init__(self, stream: IO[bytes], tally: Tally) -> None:
        self._stream = stream
        self._tally = tally
        self._position = 0
        self.allowed = _LONGEST_HEADER
        self.last = b""

    def tell(self) -> int:
        return self._position

    def read(self, size: int) -> bytes:
        if not 0 <= size <= self.allowed:
            raise tarfile.ReadError(f"headers of more than {_LONGEST_HEADER} bytes")
        self.allowed -= size
        self.last = self._stream.read(size)
        self._position += len(self.last)
        return self.last

    def seek(self, position: int) -> None:
        if position < self._position:
            raise tarfile.ReadError("a part that lies before another one's end")
        if position - self._position > tarfile.BLOCKSIZE:  # what is skipped has to be decompressed, too
            self._tally.count_bytes(position - self._position)
        while self._position < position:
            self.allowed = CHUNK
            if not self.read(min(CHUNK, position - self._position)):
                break
        self.allowed = _LONGEST_HEADER


class _Unpacking:
    """One archive on its way into a folder.

    Attributes:
        member: the name of the member that is unpacked.
    """

    def __init__(self, folder: Path, tally: Tally, setting: str) -> None:
        self.member = ""
        self._tally = tally
        self._setting = setting
        self._folder = folder
        self._folders = Folders(folder, tally)

    def take(self, archive: tarfile.TarFile) -> None:
        """All members, to the archive's end."""
        reader: Any = archive.fileobj
        reader.allowed = _LONGEST_HEADER
        while (item := archive.next()) is not None:
            self.member = item.name
            self._take(archive, item, reader)
            reader.allowed = _LONGEST_HEADER
        if reader.last.strip(b"\0"):  # `tarfile` takes a header that means nothing for the end
            raise tarfile.ReadError("what follows is no header")

    def _take(self, archive: tarfile.TarFile, item: tarfile.TarInfo, reader: Any) -> None:
        parts = self._parts(item.name, item.name, "a path within the archive")
        if not (item.isdir() or item.isreg() or item.issym() or item.islnk()):
            raise InvalidSetting(self._setting, item.name, "a file, a folder or a link")
        if not parts and not item.isdir():
            raise InvalidSetting(self._setting, item.name, "a path within the archive")
        try:
            if item.isdir():
                self._folders.make(parts)
            else:
                self._make(archive, item, self._folders.make(parts[:-1]) / parts[-1], len(parts) - 1, reader)
        except LinkInTheWay as error:
            raise InvalidSetting(self._setting, item.name, "a member that is not written through a link") from error

    def _make(self, archive: tarfile.TarFile, item: tarfile.TarInfo, path: Path, depth: int, reader: Any) -> None:
        """A file or a link, so many folders below the root."""
        _refuse_link(path)
        target = self._target(item, depth)
        if target == str(path):  # a hard link to itself
            return
        self._tally.count_file()
        if path.is_file():
            path.unlink()
        if item.issym():
            path.symlink_to(target)
        elif item.islnk():
            path.hardlink_to(target)
        else:
            self._write(archive, item, path, reader)

    def _write(self, archive: tarfile.TarFile, item: tarfile.TarInfo, path: Path, reader: Any) -> None:
        if item.size < 0:
            raise tarfile.ReadError(f"a file of {item.size} bytes")
        self._tally.check_bytes(item.size)  # what it says of itself; what comes is counted
        source = archive.extractfile(item)
        assert source is not None  # noqa: S101
        with path.open("xb") as target, source:
            left = item.size
            while left:
                reader.allowed = 2 * CHUNK
                piece = source.read(min(CHUNK, left))
                if not piece:
                    raise tarfile.ReadError("unexpected end of data")
                self._tally.count_bytes(len(piece))
                target.write(piece)
                left -= len(piece)
        path.chmod(0o755 if item.mode & 0o100 else 0o644)
        os.utime(path, (item.mtime, item.mtime))

    def _parts(self, path: str, shown: str, expected: str) -> tuple[str, ...]:
        """The names that a path in the archive consists of."""
        if len(os.fsencode(path)) > LONGEST_NAME:
            raise InvalidSetting(self._setting, f"{shown[:40]}…", f"a path of at most {LONGEST_NAME} bytes")
        parts = tuple(part for part in path.split("/") if part not in ("", "."))
        if path.startswith("/") or ".." in parts:
            raise InvalidSetting(self._setting, shown, expected)
        return parts

    def _target(self, item: tarfile.TarInfo, depth: int) -> str:
        """What a link is made to; nothing for a file."""
        if item.issym():
            return self._link(item, depth)
        return str(self._linked(item)) if item.islnk() else ""

    def _link(self, item: tarfile.TarInfo, depth: int) -> str:
        """What a symbolic link points at, as it is made: its way up comes first, and no further than to the folder.

        The folders above it are no links, and each name on its way down is a file, a folder, or a link of this kind.
        """
        target = posixpath.normpath(item.linkname)
        if target.startswith("/") or target.split("/").count("..") > depth:
            raise InvalidSetting(self._setting, f"{item.name} -> {item.linkname}", "a link within the archive")
        return target

    def _linked(self, item: tarfile.TarInfo) -> Path:
        """The file that a hard link is another name of."""
        path = self._folder
        for part in self._parts(item.linkname, f"{item.name} -> {item.linkname}", "a link within the archive"):
            path /= part
            _refuse_link(path)
        if not path.is_file():
            raise tarfile.ReadError(f"a link to {item.linkname}, which is no file before it")
        return path


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise LinkInTheWay(errno.ELOOP, "a link is in the way", str(path))
