"""What must be on the disk, and what it means when the disk refuses."""

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from akstwin.errors import NO_ROOM, Unwritable


def force(paths: Iterable[Path]) -> None:
    """Files, and the folders that name them, are on the disk when this returns (OSError)."""
    folders: dict[Path, None] = {}
    for path in paths:
        if _forced(path):
            folders[path.parent] = None
    for folder in folders:
        _forced(folder)


def _forced(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:  # it has been removed since, with its workspace's state
        return False
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return True


def unwritable(what: str, error: sqlite3.Error | OSError) -> Unwritable:
    """The error of somebody whose call cannot be kept.

    Args:
        what: what could not be written.
        error: the operating system's or SQLite's.
    """
    if isinstance(error, OSError):
        return Unwritable(what, error.strerror or str(error), error.errno in NO_ROOM)
    return Unwritable(what, str(error), getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL)
