"""Where results go: files are checked before the run and written whole or not at all."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any

from akstwin.errors import InvalidSetting

STANDARD_OUTPUT = "-"


def check_targets(targets: Mapping[str, Path | None], source: Path) -> None:
    """Refuse outputs that could not be written, or that would overwrite each other or what is read.

    Args:
        targets: files by option.
        source: the scenario file.

    Raises:
        InvalidSetting: naming the option.
    """
    taken = {source.resolve(): "the scenario"}
    for option, path in targets.items():
        if path is None:
            continue
        if str(path) == STANDARD_OUTPUT:
            if option != "--json":
                raise InvalidSetting(option, STANDARD_OUTPUT, "a file; only --json writes to standard output")
            continue
        check_target(option, path)
        if _is_special(path):
            continue  # it takes what it is given
        other = taken.setdefault(path.resolve(), option)
        if other != option:
            raise InvalidSetting(option, str(path), f"a file of its own: it is that of {other}")


def check_target(option: str, path: Path | None) -> None:
    """Refuse a file that could not be written.

    Raises:
        InvalidSetting: its folder is not there, or it is a folder itself.
    """
    if path is None or str(path) == STANDARD_OUTPUT:
        return
    try:
        if path.is_dir():
            raise InvalidSetting(option, str(path), "a file: it is a folder")
        if not _is_special(path):
            with _beside(path):  # permission bits do not tell: root, read-only and virtual file systems
                pass
    except OSError:
        raise InvalidSetting(option, str(path), "a file in a folder that exists and can be written to") from None


def _beside(path: Path) -> IO[bytes]:
    return NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.")


def _is_special(path: Path) -> bool:
    """A device or a pipe, such as /dev/null: written to, never replaced."""
    return path.exists() and not path.is_file()


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a file beside `path`, then put it in its place."""
    if _is_special(path):
        write(path)
        return
    with _beside(path) as taken:
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
