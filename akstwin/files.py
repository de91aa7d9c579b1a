"""Uploaded files in a folder: scripts and models (wire §4)."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from akstwin import scratch
from akstwin.errors import NO_ROOM, InvalidSetting, NotFound, UnreadableFile, Unwritable
from akstwin.uploads import Folders, Tally, UploadLimits, copy

ORIGIN: Final = "LocalUpload"
"""The first segment of every path."""
_NOT_IN_A_NAME: Final = frozenset("\\:")
_LONGEST_NAME: Final = 255
"""Bytes: no file system here takes more."""
_LONGEST_PATH: Final = 1024
"""Bytes, as blobs have it."""
_PARTIAL: Final = ".partial"
"""The folder of files that are being written; no container has a name that begins with a dot."""
_ANY: Final = 1 << 62
_DEPTH: Final = 3
_BLOCKS: Final = ".blocks"
"""The folder of blocks that have come and are in no file yet."""
_FORMER: Final = ".former"
"""The folder of files that have been replaced, until it is known that the new ones stay."""


class FileStore:
    """Keeps containers of files below one folder, each file at the path it was given.

    What is kept outlives the process, however it ends; `unforced` says what a power cut could still take away.

    Args:
        folder: where, made if it is not there; None: a temporary folder, which `close` removes.
        limits: what one upload, one asset and one blob may hold.
    """

    def __init__(self, folder: Path | None = None, limits: UploadLimits | None = None) -> None:
        self.limits: Final = limits or UploadLimits()
        self._unforced: dict[Path, None] | None = None
        self._pending: list[tuple[Path, Path | None]] = []
        self._in_flight: list[tuple[Path, Path | None]] = []
        self._whole: list[str] = []
        self._whole_in_flight: list[str] = []
        """Files whose blocks are needed no more when it is known that they stay."""
        self._moved = 0
        self.on_kept: Callable[[Path], None] = lambda _: None
        """Hears of each file that is kept, while they are watched."""
        self._own: scratch.Folder | None = None
        if folder is None:
            self._own = scratch.Folder()
            folder = self._own.path
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        scratch.remove(folder / _PARTIAL)
        scratch.remove(folder / _FORMER)

    def upload(self, container: str, files: Mapping[str, Path]) -> str:
        """Keep copies of files.

        Args:
            container: a name for them; one that is taken gets another.
            files: by the path they shall have, `/` between folders.

        Returns:
            What they are found by: `LocalUpload/{container}`.

        Raises:
            InvalidSetting: a name or a path that leads elsewhere, or more than the limits allow.
            UnreadableFile: a file that cannot be read. Nothing is kept then.
        """
        tally = Tally(self.limits)
        if len(_segments("container", container)) != 1 or container.startswith("."):
            raise InvalidSetting("container", container, "one name, not beginning with a dot")
        copies = {_segments("path", path): source for path, source in files.items()}
        for segments in copies:
            for depth in range(1, len(segments)):
                if segments[:depth] in copies:
                    raise InvalidSetting("path", "/".join(segments), "possible: a file has the name of its folder")
        whole = Path(tempfile.mkdtemp(dir=self._partials()))  # it comes into being whole, under its name
        try:
            folders = Folders(whole, tally)
            for segments, source in copies.items():
                _copy(source, folders, segments, tally)
            target = self._new(container)
            whole.replace(target)
            if self._unforced is not None:
                self._pending.append((target, None))
        except BaseException:
            scratch.remove(whole)
            raise
        for segments in copies:
            self._note(target.joinpath(*segments))
        return f"{ORIGIN}/{target.name}"

    def download(self, prefix: str, target: Path, tally: Tally | None = None) -> list[Path]:
        """Write copies of files into a folder. May be called from any thread.

        Args:
            prefix: `LocalUpload/{container}`, or that with a path in it, in whole segments.
            target: the folder, made if it is not there.
            tally: counts files and bytes; None: they are not limited.

        Returns:
            Their paths below `target`, which are those in the container, sorted.

        Raises:
            NotFound: there is none.
            InvalidSetting: they are more than the tally allows; some may have been copied.
            UnreadableFile: one of them cannot be read or written.
        """
        tally = tally or Tally(UploadLimits(_ANY, _ANY))
        container, found = self._find(prefix, tally.apart())
        if not found:
            raise NotFound(f"no file {prefix}")
        paths = [path.relative_to(container) for path in found]
        target.mkdir(parents=True, exist_ok=True)
        folders = Folders(target, tally)
        for path in paths:
            _copy(container / path, folders, path.parts, tally)
        return paths

    def has(self, prefix: str) -> bool:
        """Whether there is a file at that path, or below it."""
        _, place = self._place(prefix)
        return place is not None and next(_files(place), None) is not None

    def check_size(self, prefix: str, tally: Tally) -> None:
        """Count the files at a path, or below it, and their bytes; it stops at the first that is over a limit.

        Raises:
            NotFound: there is none.
            InvalidSetting: they are more than the tally allows.
        """
        _, place = self._place(prefix)
        found = False
        for path in () if place is None else _files(place):
            found = True
            tally.count_file()
            tally.count_bytes(path.stat().st_size)
        if not found:
            raise NotFound(f"no file {prefix} has been uploaded")

    def paths(self, prefix: str) -> list[str]:
        """The paths of the files that `download` would write, below their container."""
        container, found = self._find(prefix)
        return [path.relative_to(container).as_posix() for path in found]

    def locate(self, path: str) -> Path:
        """Where a file is kept, for reading (NotFound)."""
        container, found = self._find(path)
        if found != [container.joinpath(*_segments("path", path)[2:])]:
            raise NotFound(f"no file {path}")
        return found[0]

    # -- one file at a time, as it comes in

    def partial(self) -> Path:
        """A new file to write to, for `keep`; whoever does not keep it removes it."""
        handle, name = tempfile.mkstemp(dir=self._partials())
        os.close(handle)
        return Path(name)

    def check_new(self, path: str) -> None:
        """Refuse a path that no file can have here.

        Args:
            path: `LocalUpload/{container}/{path}`.

        Raises:
            InvalidSetting: it is of another form, leads elsewhere, or takes the name of a folder for a file's or the
                other way round.
        """
        target = self._target(path)
        above = list(target.parents)[: len(_segments("path", path)) - 2]
        if target.is_dir() or any(folder.is_file() for folder in above):
            raise InvalidSetting("path", path, "possible: a file has the name of its folder")

    def keep(self, path: str, written: Path) -> None:
        """Put a file that `partial` gave where it belongs, wholly or not at all, in place of what is there.

        Args:
            path: `LocalUpload/{container}/{path}`.
            written: the file.

        Raises:
            InvalidSetting: no file can have the path.
            UnreadableFile: it cannot be put there.
        """
        self.check_new(path)
        self._move(path, written, self._target(path))

    # -- blocks of a file that comes in pieces

    def keep_block(self, path: str, block: str, written: Path) -> Path:
        """Put a block that `partial` gave by, in place of the one that has its id; returns where it is.

        Args:
            path: of the file that it is for, as for `keep`.
            block: its id.
            written: the block.

        Raises:
            UnreadableFile: it cannot be put there.
        """
        target = self._blocks(path) / _hashed(block)
        self._move(path, written, target)
        return target

    def block(self, path: str, block: str) -> Path | None:
        """Where a block is; None: it has not come."""
        found = self._blocks(path) / _hashed(block)
        return found if found.is_file() else None

    def count_blocks(self, path: str) -> int:
        """How many blocks have come for a file that is not whole yet."""
        folder = self._blocks(path)
        return sum(1 for _ in folder.iterdir()) if folder.is_dir() else 0

    def drop_blocks(self, path: str) -> None:
        """The file is whole, or there is another one. While files are watched they go when it is known that it stays."""
        if self._unforced is None:
            scratch.remove(self._blocks(path))
        else:
            self._whole.append(path)

    def _blocks(self, path: str) -> Path:
        return self.folder / _BLOCKS / _hashed(path)

    # -- what a power cut could take away

    def watch(self) -> None:
        """From now on remember what is kept, for `unforced`."""
        self._unforced = {}

    @property
    def recorded(self) -> bool:
        """Whether what is kept is remembered so."""
        return self._unforced is not None

    def unforced(self) -> list[Path]:
        """Files that have been kept since the last call, and the folders that name them: some may be gone again.

        The kernel has them, but not yet the disk.
        """
        found = list(self._unforced or ())
        if self._unforced:
            self._unforced.clear()
        self._in_flight += self._pending
        self._whole_in_flight += self._whole
        self._pending, self._whole = [], []
        return found

    def stay(self) -> None:
        """The files that `unforced` last returned are recorded: remove the files that they replaced."""
        for _, former in self._in_flight:
            if former is not None:
                former.unlink(missing_ok=True)
        whole = self._whole_in_flight
        self._in_flight, self._whole_in_flight = [], []
        for path in whole:
            scratch.remove(self._blocks(path))

    def undo(self) -> None:
        """The files that `unforced` last returned cannot be recorded: put back the files that they replaced."""
        in_flight, self._in_flight, self._whole_in_flight = self._in_flight, [], []
        later = {path for path, _ in self._pending}
        self._pending[:0] = [each for each in in_flight if each[0] in later]
        for path, former in reversed([each for each in in_flight if each[0] not in later]):
            if former is not None:
                former.replace(path)
            elif path.is_dir():
                scratch.remove(path)
            else:
                path.unlink(missing_ok=True)
                for folder in path.parents:
                    if folder == self.folder or not folder.is_relative_to(self.folder) or any(folder.iterdir()):
                        break
                    folder.rmdir()

    def _note(self, path: Path) -> None:
        if self._unforced is None:
            return
        self._unforced[path] = None
        while path != self.folder:  # each folder is named in the one above
            path = path.parent
            self._unforced[path] = None

    def _move(self, path: str, written: Path, target: Path) -> None:
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            former = None if self._unforced is None else self._put_by(target)
            written.replace(target)
        except OSError as error:
            if error.errno in NO_ROOM:
                raise Unwritable(path, os.strerror(error.errno)) from None
            raise UnreadableFile(path, error.strerror or str(error)) from None
        if self._unforced is not None:
            self._pending.append((target, former))
            self.on_kept(target)
        self._note(target)

    def _put_by(self, target: Path) -> Path | None:
        """Keep what is about to be replaced; None: nothing is."""
        if not target.exists():
            return None
        place = self.folder / _FORMER
        place.mkdir(exist_ok=True)
        self._moved += 1
        former = place / f"{_former_name(target, self.folder)}{self._moved}"
        try:
            os.link(target, former)
        except OSError:  # a file system without links
            shutil.copyfile(target, former)
        return former

    def close(self) -> None:
        """Remove the folder if it is a temporary one."""
        if self._own is not None:
            self._own.remove()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _partials(self) -> Path:
        folder = self.folder / _PARTIAL
        folder.mkdir(exist_ok=True)
        return folder

    def _new(self, container: str) -> Path:
        target, number = self.folder / container, 1
        while target.exists():
            number += 1
            target = self.folder / f"{container}-{number}"
        return target

    def _target(self, path: str) -> Path:
        origin, *segments = _segments("path", path)
        if origin != ORIGIN or len(segments) < 2 or segments[0].startswith("."):
            raise InvalidSetting("path", path, f"{ORIGIN}/, a container, and the path of a file in it")
        return self.folder.joinpath(*segments)

    def _place(self, prefix: str) -> tuple[Path, Path | None]:
        """The container that a prefix lies in, and the file or folder that it means."""
        origin, *segments = _segments("path", prefix)
        if origin != ORIGIN or not segments or segments[0].startswith("."):
            return self.folder, None
        return self.folder / segments[0], self.folder.joinpath(*segments)

    def _find(self, prefix: str, tally: Tally | None = None) -> tuple[Path, list[Path]]:
        """The container that a prefix lies in, and the files that it means."""
        container, place = self._place(prefix)
        found = []
        for path in () if place is None else _files(place):
            if tally is not None:
                tally.count_file()
            found.append(path)
        return container, sorted(found)


def _files(place: Path) -> Iterator[Path]:
    """The file, or the files in the folder and below, in no order."""
    if not place.is_dir():
        yield from (place,) if place.is_file() else ()
        return
    folders = [str(place)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif entry.is_file():
                    yield Path(entry.path)


def former_place(path: Path, above: Path) -> Path | None:
    """The folder of files that have been replaced, of the store that a file is in.

    Args:
        path: the file.
        above: a folder that the store is in, two levels further down: `above/NAME/GENERATION/files`.
    """
    parts = path.relative_to(above).parts
    return above.joinpath(*parts[:_DEPTH], _FORMER) if len(parts) > _DEPTH else None


def former_of(path: Path, place: Path) -> list[Path]:
    """What a file has been before, as far as it is in the folder of files that have been replaced."""
    return sorted(place.glob(f"{_former_name(path, place.parent)}*"))


def _former_name(path: Path, folder: Path) -> str:
    return f"{_hashed(path.relative_to(folder).as_posix())}-"


def _segments(setting: str, path: str) -> tuple[str, ...]:
    """The names that a relative path consists of, none of which leads elsewhere."""
    segments = tuple(path.split("/"))
    if len(path) > _LONGEST_PATH or len(path.encode(errors="replace")) > _LONGEST_PATH:
        raise InvalidSetting(setting, f"{path[:40]}…", f"a path of at most {_LONGEST_PATH} bytes")
    for segment in segments:
        odd = any(char in _NOT_IN_A_NAME or char < " " or "\ud800" <= char <= "\udfff" for char in segment)
        if segment in ("", ".", "..") or odd or len(segment.encode()) > _LONGEST_NAME:
            raise InvalidSetting(setting, path, "a relative path of plain names with / between them")
    return segments


def _hashed(text: str) -> str:
    """A name of plain letters for any text."""
    return sha256(text.encode()).hexdigest()


def _copy(source: Path, folders: Folders, segments: tuple[str, ...], tally: Tally) -> None:
    try:
        folder = folders.make(segments[:-1])
    except OSError as error:
        raise UnreadableFile(str(source), error.strerror or str(error)) from None
    copy(source, folder / segments[-1], tally)
