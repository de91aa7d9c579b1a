"""What a run leaves on the machine, and how it is removed."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from . import cgroups
from .layout import Run, runs_folder
from .needs import Say


@contextmanager
def lock_of(run: Run, *, wait: bool) -> Iterator[int | None]:
    """The lock that a run's processes hold as long as one of them lives; None if they do and nobody shall wait."""
    descriptor = os.open(run.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield None
        else:
            yield descriptor
    finally:
        os.close(descriptor)


def alive(run: Run) -> bool:
    """Whether a process of the run holds its lock."""
    with lock_of(run, wait=False) as lock:
        return lock is None


def runs() -> list[Run]:
    """All runs that have left a folder, alive or not, the oldest first."""
    folder = runs_folder()
    found = [each for each in folder.iterdir() if (each / "lock").exists()] if folder.exists() else []
    return [Run(each.name) for each in sorted(found, key=lambda each: (each / "lock").stat().st_ino)]


def sweep(say: Say) -> None:
    """Remove what runs have left that were killed."""
    for run in runs():
        with lock_of(run, wait=False) as lock:
            if lock is not None:
                say(f"removing what run {run.id} has left")
                remove(run)


def remove(run: Run) -> None:
    """Remove cgroups and folder of a run without processes. Everything else the kernel has removed with the processes."""
    for folder in cgroups.of_run(run.id):
        folder.rmdir()
    shutil.rmtree(run.folder)
