"""Digests of the files that a state refers to: each is in a record, so that a file that is missing or changed is found at start.

A file that is replaced is put by until the record of the new one is written: a process that is killed in between leaves the old
one to be put back.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from hashlib import file_digest
from pathlib import Path

from akstwin.files import former_of, former_place
from akstwin.store.disk import force


def describe(folder: Path, paths: Iterable[Path]) -> dict[str, str]:
    """What is on the disk when this returns, for the records of those that are files.

    Args:
        folder: below which the records' files are.
        paths: files and folders; some may be gone again.

    Returns:
        The text of a record by the path below the folder.

    Raises:
        OSError: the disk refuses.
    """
    paths = list(paths)
    force(paths)
    return {
        path.relative_to(folder).as_posix(): text
        for path in paths
        if _is_described(folder, path) and (text := _described(path)) is not None
    }


def unknown(folder: Path, below: Path, known: Mapping[str, str]) -> list[Path]:
    """Files without a record: their upload was never acknowledged, or an older version kept no records of files."""
    return sorted(
        path
        for path in below.rglob("*")
        if path.is_file() and _is_described(folder, path) and path.relative_to(folder).as_posix() not in known
    )


def restore(folder: Path, known: Mapping[str, str]) -> None:
    """Put back what a killed process had replaced and not acknowledged (OSError)."""
    for name, text in known.items():
        path = folder / name
        place = former_place(path, folder)
        if place is None or not place.is_dir() or _described(path) == text:
            continue
        for former in former_of(path, place):
            if _described(former) == text:
                path.parent.mkdir(parents=True, exist_ok=True)
                former.replace(path)
                break


def wrong(folder: Path, known: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with files, in words, one after the other."""
    for name, text in sorted(known.items()):
        found = _described(folder / name)
        if found is None:
            yield f"{folder.name}/{name} is missing"
        elif found != text:
            yield f"{folder.name}/{name} is not as it was uploaded"


def _is_described(folder: Path, path: Path) -> bool:
    if not path.is_relative_to(folder):
        return False
    return not any(part.startswith(".") for part in path.relative_to(folder).parts[2:])


def _described(path: Path) -> str | None:
    """Size and digest of a file; None: there is no such file."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            return json.dumps({"size": size, "sha256": file_digest(file, "sha256").hexdigest()})
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
