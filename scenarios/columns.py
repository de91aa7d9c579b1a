"""Recorded times from a column of a file, each with a unit: from its heading, from beside the value, or from the scenario."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

from akstwin.clock import Micros
from akstwin.domain.units import has_unit, parse_duration
from akstwin.domain.words import nearest
from akstwin.errors import UnreadableFile

_HEADING: Final = re.compile(r"(?!(inf|infinity|nan)$)[^\W\d][\w .()/\[\]-]*$", re.IGNORECASE)
"""What may stand above a column: a word that is no number, not even an odd one."""

WORDS: Final = {"ns": "nanoseconds", "us": "microseconds", "ms": "milliseconds", "s": "seconds"}
_IN_MICROS: Final = {"ns": Decimal("0.001"), "us": Decimal(1), "ms": Decimal(1000), "s": Decimal(1_000_000)}
_SPELT: Final = {
    "ns": "ns", "nanos": "ns", "nanoseconds": "ns",
    "us": "us", "µs": "us", "μs": "us", "micros": "us", "microseconds": "us",
    "ms": "ms", "millis": "ms", "msec": "ms", "milliseconds": "ms",
    "s": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s",
}  # fmt: skip
_LAST_WORD: Final = re.compile(r"(?:^|[\W_]|(?<=[a-z])(?=[A-Z]))([A-Z]+|[A-Z]?[a-zµμ]+)\W*$")


@dataclass(frozen=True, slots=True)
class Column:
    """A column that has been read.

    Attributes:
        values: in the file's order, µs.
        note: what was read, and in which unit.
    """

    values: tuple[Micros, ...]
    note: str


def unit_of(heading: str) -> str | None:
    """The unit at the end of a heading: that of `duration_ms`, `durationMs`, `arrived (s)` or `Time/s`."""
    word = _LAST_WORD.search(heading.strip())
    return _SPELT.get(word[1].lower()) if word else None


def read_column(
    path: Path, setting: str, *, column: str | None = None, unit: str | None = None, going_back: bool
) -> Column:
    """One column of a CSV file as times.

    Args:
        path: the file.
        setting: what names it, for errors and the note.
        column: its heading; None: the first column.
        unit: of values without one; None: the heading or the values say it.
        going_back: whether a value may be less than the one before it.

    Raises:
        UnreadableFile: the file, a line of it, or a value whose unit is not known.
    """
    where = f"{setting}: {path}"
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            found = _Cells(csv.reader(lines), where, column)
            values = _values(found, unit, where, going_back=going_back)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a CSV file"
        raise UnreadableFile(where, f"cannot be read: {reason}") from error
    if not values:
        raise UnreadableFile(where, "has no values; expected one a line")
    return Column(tuple(values), f"{setting}: {found.name} of {path.name} {found.read_as}.")


class _Cells:
    """The cells of one column with their line numbers, below its heading if there is one."""

    def __init__(self, rows: Any, where: str, column: str | None) -> None:
        self._rows = rows
        self._where = where
        self._first: list[str] | None = next((row for row in rows if row), None)
        headings = [cell.strip() for cell in self._first or []]
        self.at = 0
        self.heading: str | None = None
        if headings and _HEADING.match(headings[0]):
            self._first = None
            self.at = self._place(headings, column) if column is not None else 0
            self.heading = headings[self.at]
        elif column is not None:
            raise UnreadableFile(where, f"has no headings, so no column {column}")
        self.read_as = "says its unit in each value"

    def _place(self, headings: list[str], column: str) -> int:
        if column not in headings:
            known = nearest(column, headings) or f"; there are {', '.join(headings)}"
            raise UnreadableFile(self._where, f"has no column {column}{known}")
        return headings.index(column)

    @property
    def name(self) -> str:
        """What the column is called in sentences."""
        return "the first column" if self.heading is None else f"column {self.heading}"

    def __iter__(self) -> Iterator[tuple[int, str]]:
        if self._first is not None:
            yield self._rows.line_num, self._cell(self._first)
        for row in self._rows:
            if row:
                yield self._rows.line_num, self._cell(row)

    def _cell(self, row: list[str]) -> str:
        if len(row) <= self.at:
            raise UnreadableFile(self._where, f"line {self._rows.line_num}: has no value in {self.name}")
        return row[self.at]


def _values(cells: _Cells, unit: str | None, where: str, *, going_back: bool) -> list[Micros]:
    said = unit_of(cells.heading) if cells.heading is not None else None
    if said and unit and said != unit:
        raise UnreadableFile(
            where, f"{cells.name} is in {WORDS[said]} by its heading, not in {WORDS[unit]} (unit: {unit})"
        )
    unit = unit or said
    if unit is not None:
        cells.read_as = f"was read in {WORDS[unit]}"
    values: list[Micros] = []
    for line, text in cells:
        value = _value(text, unit, f"line {line}", where, cells)
        if not going_back and values and value < values[-1]:
            raise UnreadableFile(where, f"line {line}: {text!r} goes back in time")
        values.append(value)
    return values


def _value(text: str, unit: str | None, line: str, where: str, cells: _Cells) -> Micros:
    if has_unit(text):
        try:
            return parse_duration(text)
        except ValueError as error:
            raise UnreadableFile(where, f"{line}: {text!r} is not {error}") from None
    try:
        number = Decimal(text.strip())
        fits = number.is_finite() and 0 <= number < 10**15
    except InvalidOperation:
        fits = False
    if not fits:
        raise UnreadableFile(where, f"{line}: {text!r} is not a number of seconds, or of another unit")
    if unit is None:
        plain, name = text.strip(), cells.heading or "at"
        remedy = f"Name the column {name}_ms or {name}_s" if cells.heading else "Write unit: ms or unit: s beside file:"
        raise UnreadableFile(
            where, f"{line}: {text!r} has no unit: {plain} ms or {plain} s? {remedy}"
            + (", or write unit: ms or unit: s beside file:" if cells.heading else "")
        )  # fmt: skip
    return Micros(int((number * _IN_MICROS[unit]).to_integral_value(rounding="ROUND_HALF_EVEN")))
