"""Temporary folders of this process, and what processes that were killed have left of theirs.

All of a process's temporary folders lie in one, which holds a lock file. The operating system keeps the lock (`flock`) as long as
the process lives and not a moment longer, `kill -9` included. A process that gets the lock of another's folder may remove it: its
owner is gone. The first folder that a process asks for sweeps in this way; folders of other users are left alone.

`shutil.rmtree` is not used: it holds a descriptor and a frame for each level, and a thousand levels are more than either allows.
"""

import fcntl
import os
import tempfile
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_PREFIX: Final = "akstwin-run-"
_NEW: Final = "akstwin-new-"
"""A folder that has no lock yet: it gets its name with the lock, so that no sweep can be in between."""
_LOCK: Final = "lock"


class _Process:
    """This process's folder."""

    def __init__(self) -> None:
        self.mutex = threading.Lock()
        self.pid = 0
        self.root: Path | None = None
        self.lock = -1
        self.swept: set[str] = set()
        """Places for temporary folders in which what dead processes left has been removed."""

    def make(self) -> Path:
        """A new folder in this process's own; that one is made if it is not there."""
        with self.mutex:
            if self.pid != os.getpid():  # forked: the other folder and its lock are the parent's
                self.pid, self.root, self.lock = os.getpid(), None, -1
            place = tempfile.gettempdir()
            if place not in self.swept:
                self.swept.add(place)
                sweep(Path(place))
            if self.root is None or not self.root.is_dir() or self.root.parent != Path(place):
                self._begin(place)
            assert self.root is not None  # noqa: S101
            return Path(tempfile.mkdtemp(dir=self.root))

    def _begin(self, place: str) -> None:
        made = Path(tempfile.mkdtemp(prefix=_NEW, dir=place))
        lock = os.open(made / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        with suppress(OSError):  # a file system without locks: nobody can sweep there, either
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        root = made.with_name(_PREFIX + made.name.removeprefix(_NEW))
        made.rename(root)
        self.root, self.lock = root, lock

    def drop(self, folder: Path) -> None:
        """Remove a folder that `make` gave, and this process's own after its last one."""
        remove(folder)
        with self.mutex:
            root = self.root
            if self.pid != os.getpid() or root is None or folder.parent != root:
                return
            with suppress(OSError):
                if [entry.name for entry in root.iterdir()] == [_LOCK]:
                    remove(root)
                    os.close(self.lock)
                    self.root, self.lock = None, -1


_process: Final = _Process()


class Folder:
    """A temporary folder: gone with `remove`, with this object, or with the process, however that ends.

    Attributes:
        path: where it is.
    """

    def __init__(self) -> None:
        self.path: Final = _process.make()
        self._end = weakref.finalize(self, _process.drop, self.path)

    def remove(self) -> None:
        """Remove it; doing so again does nothing."""
        self._end()


@contextmanager
def temporary() -> Iterator[Path]:
    """A temporary folder for a `with` statement."""
    folder = Folder()
    try:
        yield folder.path
    finally:
        folder.remove()


def sweep(place: Path) -> list[Path]:
    """Remove what processes of this user left in a place for temporary folders when they were killed.

    Returns:
        What was removed. Folders whose process lives, and those of other users, are not looked into.
    """
    removed = []
    with suppress(OSError), os.scandir(place) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and entry.is_dir(follow_symlinks=False):
                folder = Path(entry.path)
                removed.extend([folder] if _is_left(folder) else [])
    return removed


def _is_left(folder: Path) -> bool:
    """Remove a folder if it is ours and its process is gone; tells whether it was."""
    try:
        if folder.lstat().st_uid != os.getuid():
            return False
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        if os.fstat(lock).st_uid != os.getuid():
            return False
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove(folder)
    except OSError:  # somebody has the lock
        return False
    finally:
        os.close(lock)
    return True


def remove(folder: Path) -> None:
    """Remove a folder and all that is in it, however deep; what cannot be removed stays. A link is removed, and not followed."""
    if folder.is_symlink():
        with suppress(OSError):
            folder.unlink()
        return
    folders, found = [str(folder)], 0
    while found < len(folders):
        with suppress(OSError):
            os.chmod(folders[found], 0o700)  # noqa: PTH101 - see below; what was in it may have taken our rights away
        with suppress(OSError), os.scandir(folders[found]) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    with suppress(OSError):
                        os.unlink(entry.path)  # noqa: PTH108 - a path object for each file takes longer than its end
        found += 1
    for path in reversed(folders):
        with suppress(OSError):
            os.rmdir(path)  # noqa: PTH106 - see above
