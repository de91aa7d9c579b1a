"""Rows of a CSV file: its separator, and whether it has headings, show in its first line."""

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final

from akstwin.errors import UnreadableFile
from akstwin.scenarios.logs.rows import Row, Rows
from akstwin.scenarios.logs.text import Text

_HEADING: Final = re.compile(r"(?!(inf|infinity|nan)$)[^\W\d][^\x00-\x1f]*$", re.IGNORECASE)
"""What may stand above a column: a word that is no number, not even an odd one."""
_VALUE: Final = re.compile(
    r"[+-]?\d+([.,]\d+)*\s*(ns|us|µs|ms|s|m|h|d)?$|\d{4}-\d\d-\d\d|\d{1,2}/(\d{1,2}|[A-Za-z]{3})/\d{4}|\d{1,2}\.\d{1,2}\.\d{4}"
)
"""What stands in a row and above none: a number or a date."""
_OF_TIMES: Final = re.compile("time|date", re.IGNORECASE)
_SEPARATORS: Final = ",;\t|"
_QUOTED: Final = re.compile(r'"(?:[^"]|"")*"')


def csv_rows(text: Text, where: str) -> Rows:
    """The rows; those that have another number of cells than the first are refused.

    Raises:
        UnreadableFile: while they are read; the line is named.
    """
    lines = text.lines()
    skipped, start = _first(lines)
    if start.startswith("#"):
        raise UnreadableFile(
            where, f"line {skipped + 1}: begins with #: take comments out; headings, if any, stand in the first line"
        )
    separator = _separator(start)
    rows = csv.reader(chain([start] if start else [], lines), delimiter=separator, strict=True)
    first = _next(rows, where, skipped) or []
    cells = [cell.strip() for cell in first]
    named = _are_headings(cells)

    def each() -> Iterator[Row]:
        if first and not named:
            yield skipped + rows.line_num, first
        while (row := _next(rows, where, skipped)) is not None:
            if not row:
                continue
            line = skipped + rows.line_num
            if len(row) != len(first):
                raise UnreadableFile(where, f"line {line}: {_uneven(len(row), len(first), separator, named=named)}")
            yield line, row

    return Rows(cells if named else None, each(), "line")


def _are_headings(cells: Sequence[str]) -> bool:
    """Whether the first row names columns; pandas leaves the first name, of its index, empty."""
    if not cells or any(_VALUE.match(cell) for cell in cells):
        return False
    return _HEADING.match(cells[0]) is not None or (not cells[0] and any(_OF_TIMES.search(cell) for cell in cells))


def _first(lines: Iterator[str]) -> tuple[int, str]:
    """The first line that says something, and how many stand before it."""
    for number, line in enumerate(lines):
        if line.strip() and not re.fullmatch(r'"?sep=."?\s*', line, re.IGNORECASE):
            return number, line
    return 0, ""


def _separator(line: str) -> str:
    bare = _QUOTED.sub("", line)
    return max(_SEPARATORS, key=bare.count)


def _next(rows: Any, where: str, skipped: int) -> Sequence[str] | None:
    try:
        return next(rows, None)
    except csv.Error as error:
        reason = "a quoted cell does not end" if "unexpected end of data" in str(error) else str(error)
        raise UnreadableFile(where, f"line {skipped + rows.line_num}: not CSV: {reason}") from None


def _uneven(found: int, expected: int, separator: str, *, named: bool) -> str:
    first = "the headings" if named else "the first row"
    why = "the line is cut off" if found < expected else f"a cell with {separator!r} in it is not quoted"
    return f"has {found} cell{'' if found == 1 else 's'}, and {first} {expected}: {why}, or a row of another table"
