"""Where results go: files are checked before the run and written whole or not at all; devices and pipes take what comes."""

import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from secrets import token_hex
from typing import Any, BinaryIO, Final

from akstwin.errors import AksError, InvalidSetting

STANDARD_OUTPUT = "-"
_NAMED: Final = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_NUMBERED: Final = re.compile(r"/(?:dev|proc/self)/fd/([0-9]{1,9})")

Write = Callable[[BinaryIO], None]
"""Fills a file."""


def check_targets(targets: Mapping[str, Path | None], source: Path) -> None:
    """Refuse outputs that could not be written, or that would overwrite each other or what is read.

    Args:
        targets: files by option.
        source: the scenario file.

    Raises:
        InvalidSetting: naming the option.
    """
    taken = {source.resolve(): "the scenario"}
    standard: str | None = None
    for option, path in targets.items():
        if path is None:
            continue
        if str(path) == STANDARD_OUTPUT and option != "--json":
            raise InvalidSetting(option, STANDARD_OUTPUT, "a file; only --json writes to standard output")
        if is_standard_output(path):
            if standard is not None:
                raise InvalidSetting(option, str(path), f"a file of its own: {standard} has standard output")
            standard = option
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
        InvalidSetting: its folder is not there, it is a folder itself, or a loop of links.
    """
    if path is None or str(path) == STANDARD_OUTPUT:
        return
    try:
        if _is_special(path):
            return
        if path.is_dir():
            raise InvalidSetting(option, str(path), "a file: it is a folder")
        beside = _beside(path.resolve())
        try:
            beside.open("xb").close()  # permission bits do not tell: root, read-only and virtual file systems
        finally:
            beside.unlink(missing_ok=True)
    except (OSError, RuntimeError):  # Python 3.11 calls a loop of links a RuntimeError
        raise InvalidSetting(option, str(path), "a file in a folder that exists and can be written to") from None


def is_standard_output(path: Path | None) -> bool:
    """Whether what is written there goes to standard output, which then carries nothing else."""
    return path is not None and (str(path) == STANDARD_OUTPUT or _descriptor(path) == 1)


def _descriptor(path: Path) -> int | None:
    """The number of the open file that a path stands for: opened by its name it would be emptied, or replaced."""
    name = os.path.abspath(path)  # noqa: PTH100 - it resolves no links
    match = _NUMBERED.fullmatch(name)
    return int(match[1]) if match else _NAMED.get(name)


def _beside(path: Path) -> Path:
    """A name in the same folder that nobody has."""
    return path.with_name(f".akstwin-{token_hex(8)}")


def _is_special(path: Path) -> bool:
    """A device, a pipe or an open file, such as /dev/null: written to, never replaced."""
    return _descriptor(path) is not None or (path.exists() and not path.is_file() and not path.is_dir())


def write_whole(path: Path, write: Write, option: str = "") -> None:
    """Let `write` fill a file beside `path`, then put it in its place; whatever ends it before leaves nothing.

    Args:
        path: the file; a device or a pipe is written to as it is.
        write: fills what it is given.
        option: what named the file, for errors.

    Raises:
        AksError: it cannot be written.
        BrokenPipeError: the reader of a pipe has gone.
    """
    try:
        descriptor = _descriptor(path)
        if descriptor is not None:
            sys.stdout.flush()
            with os.fdopen(os.dup(descriptor), "wb") as stream:
                write(stream)
        elif _is_special(path):
            with path.open("wb") as stream:
                write(stream)
        else:
            _replace(path.resolve(), write)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise AksError(f"{option} {path}: cannot be written: {error.strerror or error}".lstrip()) from None


def _replace(path: Path, write: Write) -> None:
    beside = _beside(path)
    try:
        with beside.open("xb") as stream:
            write(stream)
        beside.chmod(0o644)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def text(content: str) -> Write:
    """Fills a file with a text, in UTF-8."""
    return lambda stream: void(stream.write(content.encode()))


def void(_: object) -> None:
    """What writing returns does not matter."""


def as_json(result: dict[str, Any]) -> str:
    """The result as text: the same result gives the same bytes."""
    return json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(result: dict[str, Any], target: Path) -> None:
    """To a file, or to standard output for `-`."""
    if str(target) == STANDARD_OUTPUT:
        sys.stdout.write(as_json(result))
    else:
        write_whole(target, text(as_json(result)), "--json")
