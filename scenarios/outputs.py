"""Where results go: files are checked before the run and written whole or not at all."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from akstwin.errors import InvalidSetting

STANDARD_OUTPUT = "-"


def check_target(option: str, path: Path | None) -> None:
    """Refuse a file that could not be written.

    Raises:
        InvalidSetting: its folder is not there, or it is a folder itself.
    """
    if path is None or str(path) == STANDARD_OUTPUT:
        return
    if path.is_dir():
        raise InvalidSetting(option, str(path), "a file: it is a folder")
    folder = path.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InvalidSetting(option, str(path), "a file in a folder that exists and can be written to")


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a file beside `path`, then put it in its place."""
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as taken:
        beside = Path(taken.name)
    try:
        write(beside)
        beside.chmod(0o644)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def as_json(result: dict[str, Any]) -> str:
    """The result as text: the same result gives the same bytes."""
    return json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(result: dict[str, Any], target: Path) -> None:
    """To a file, or to standard output for `-`."""
    if str(target) == STANDARD_OUTPUT:
        sys.stdout.write(as_json(result))
    else:

        def write(path: Path) -> None:
            path.write_text(as_json(result), encoding="utf-8")

        write_whole(target, write)
