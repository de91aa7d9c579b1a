"""How many files and bytes of uploads may be laid out at once, and the copying that keeps to it.

One `Tally` counts all that one deployed content, or one upload, puts on disk. It is asked before each file and each piece of
data is written, so that what is over a limit never reaches the disk, whatever an archive's headers or a file's size said.
"""

import errno
import stat
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Final

from akstwin.domain.units import format_size
from akstwin.errors import Conflict, InvalidSetting, UnreadableFile

CHUNK: Final = 1 << 18
"""Bytes that are read and written at a time."""


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """What one deployed content, or one upload, may hold.

    The defaults are a choice: a source directory of azureml-core has at most 300 MB and 2,000 files, and models add to that.

    Attributes:
        max_upload_files: files, folders and links.
        max_upload_bytes: bytes of all files together, as unpacked.
    """

    max_upload_files: int = 10_000
    max_upload_bytes: int = 10**9

    def __post_init__(self) -> None:
        for name in ("max_upload_files", "max_upload_bytes"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InvalidSetting(name, value, "a whole number, 1 or more")


class Tally:
    """Counts files and bytes against the limits. It may be stopped from another thread.

    Args:
        limits: what is allowed.
        subject: what is laid out, as the first part of an error.

    Attributes:
        subject: as given; to be set where another part begins.
        files: how many files, folders and links have been counted.
        bytes: how many bytes have been counted.
    """

    def __init__(self, limits: UploadLimits, subject: str = "upload") -> None:
        self.limits = limits
        self.subject = subject
        self.files = 0
        self.bytes = 0
        self._stopped = Event()

    def apart(self) -> "Tally":
        """Another one, which counts from 0, and is stopped together with this one."""
        other = Tally(self.limits, self.subject)
        other._stopped = self._stopped
        return other

    def stop(self) -> None:
        """Let the next count raise `Conflict`: nobody needs the files any more."""
        self._stopped.set()

    def count_file(self) -> None:
        """A file, a folder or a link is about to be made (as `count_files`)."""
        self.count_files(1)

    def count_files(self, number: int) -> None:
        """So many files, folders and links are about to be made.

        Raises:
            InvalidSetting: together with those before they are more than are allowed.
            Conflict: `stop` was called.
        """
        self._check_needed()
        self.files += number
        limit = self.limits.max_upload_files
        if self.files > limit:
            expected = (
                f"a number of files and folders within max_upload_files, which is {limit}; {_remedy('files', 'N')}"
            )
            raise InvalidSetting(self.subject, self.files, expected)

    def count_bytes(self, size: int) -> None:
        """So many bytes are about to be written.

        Raises:
            InvalidSetting: together with those before they are more than are allowed.
            Conflict: `stop` was called.
        """
        self._check_needed()
        self.check_bytes(size)
        self.bytes += size

    def _check_needed(self) -> None:
        if self._stopped.is_set():
            raise Conflict(f"{self.subject}: is no longer needed")

    def check_bytes(self, size: int) -> None:
        """Refuse a size that is over the limit together with what has been counted (InvalidSetting)."""
        limit = self.limits.max_upload_bytes
        if self.bytes + size > limit:
            expected = f"a size within max_upload_bytes, which is {format_size(limit)}; {_remedy('bytes', 'SIZE')}"
            raise InvalidSetting(self.subject, f"{self.bytes + size} bytes", expected)


def _remedy(what: str, value: str) -> str:
    return f"`akstwin serve --max-upload-{what} {value}` or `Workspace.simulated(max_upload_{what}=...)` raises it"


class Folders:
    """The folders below one folder, made as they are needed and counted. None of them is ever a link.

    Args:
        root: the folder, which is there.
        tally: counts them.
    """

    def __init__(self, root: Path, tally: Tally) -> None:
        self._root = root
        self._tally = tally
        self._known: set[tuple[str, ...]] = {()}

    def make(self, parts: tuple[str, ...]) -> Path:
        """A folder, with those above it.

        Args:
            parts: its name and those of the folders above it, below the root.

        Raises:
            InvalidSetting: there would be too many.
            LinkInTheWay: one of them is a link.
            OSError: one of them cannot be made.
        """
        depth = len(parts)
        while parts[:depth] not in self._known:
            depth -= 1
        path = self._root.joinpath(*parts[:depth])
        for reached in range(depth, len(parts)):
            path /= parts[reached]
            if path.is_symlink():
                raise LinkInTheWay(errno.ELOOP, "a link is in the way", str(path))
            if not path.is_dir():
                self._tally.count_file()
                path.mkdir()
            self._known.add(parts[: reached + 1])
        return path


class LinkInTheWay(OSError):
    """A path leads through a link."""


def copy(source: Path, target: Path, tally: Tally) -> None:
    """Copy a regular file to a new one, piece by piece: it may grow meanwhile, and counts as what is read.

    Args:
        source: the file.
        target: where to; its folder is there.
        tally: counts it.

    Raises:
        InvalidSetting: it would be over a limit.
        UnreadableFile: it cannot be read or written, or is no regular file.
    """
    tally.count_file()
    try:
        found = source.stat()
        if not stat.S_ISREG(found.st_mode):
            raise UnreadableFile(str(source), "is not a regular file")
        tally.check_bytes(found.st_size)
        with source.open("rb") as reading, target.open("xb") as writing:
            while piece := reading.read(CHUNK):
                tally.count_bytes(len(piece))
                writing.write(piece)
    except OSError as error:
        raise UnreadableFile(str(source), error.strerror or str(error)) from None
