"""Recorded times from a column of a file, each with a unit: from its heading, from beside the value, or from the scenario."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from akstwin.clock import Micros
from akstwin.domain.units import has_unit, parse_duration
from akstwin.domain.words import nearest
from akstwin.errors import UnreadableFile
from akstwin.scenarios.rows import Rows, open_rows

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


def read_column(path: Path, setting: str, *, column: str | None = None, unit: str | None = None) -> Column:
    """One column of a CSV, Parquet or JSON-lines file as durations.

    Args:
        path: the file.
        setting: what names it, for errors and the note.
        column: its heading; None: the first column.
        unit: of values without one; None: the heading or the values say it.

    Raises:
        UnreadableFile: the file, a line of it, or a value whose unit is not known.
    """
    where = f"{setting}: {path}"
    with open_rows(path, where) as rows:
        at, name = 0, "the first column"
        if rows.headings is not None:
            at = place_of(rows.headings, column, where) if column is not None else 0
            name = f"column {rows.headings[at]}"
        elif column is not None:
            raise UnreadableFile(where, f"has no headings, so no column {column}")
        unit = agreed_unit(None if rows.headings is None else rows.headings[at], unit, where)
        values = tuple(_values(rows, at, name, unit, where))
    if not values:
        raise UnreadableFile(where, "has no values; expected one a line")
    return Column(values, f"{setting}: {name} of {path.name} {read_in(unit)}.")


def place_of(headings: Sequence[str], column: str, where: str) -> int:
    """Where the column of that heading stands.

    Raises:
        UnreadableFile: there is none.
    """
    if column not in headings:
        known = nearest(column, headings) or f"; there are {', '.join(headings)}"
        raise UnreadableFile(where, f"has no column {column}{known}")
    return headings.index(column)


def agreed_unit(heading: str | None, unit: str | None, where: str) -> str | None:
    """What a heading and a setting say together of a column's unit.

    Raises:
        UnreadableFile: they contradict each other.
    """
    said = None if heading is None else unit_of(heading)
    if said and unit and said != unit:
        raise UnreadableFile(
            where, f"column {heading} is in {WORDS[said]} by its heading, not in {WORDS[unit]} (unit: {unit})"
        )
    return unit or said


def read_in(unit: str | None) -> str:
    """What a note says of a column's unit."""
    return f"was read in {WORDS[unit]}" if unit else "says its unit in each value"


def _values(rows: Rows, at: int, name: str, unit: str | None, where: str) -> Iterator[Micros]:
    heading = None if rows.headings is None else rows.headings[at]
    for number, cells in rows.rows:
        line = f"{rows.word} {number}"
        if len(cells) <= at:
            raise UnreadableFile(where, f"{line}: has no value in {name}")
        yield micros_of(cells[at], unit, line, where, heading)


def micros_of(text: str, unit: str | None, line: str, where: str, heading: str | None) -> Micros:
    """One value in µs.

    Args:
        text: as it stands in the file.
        unit: of a plain number.
        line: where it stands, for errors.
        where: which file, for errors.
        heading: of its column, if there is one.

    Raises:
        UnreadableFile: it is no time, or nothing says its unit.
    """
    if has_unit(text):
        try:
            return parse_duration(text)
        except ValueError as error:
            raise UnreadableFile(where, f"{line}: {text!r} is not {error}") from None
    try:
        number = Decimal(text.strip())
        fits = number.is_finite() and 0 <= number < 10**20
    except InvalidOperation:
        fits = False
    if not fits:
        raise UnreadableFile(where, f"{line}: {text!r} is not a number of seconds, or of another unit")
    if unit is None:
        plain = text.strip()
        remedy = "Write unit: ms or unit: s beside file:"
        if heading is not None:
            remedy = f"Name the column {heading}_ms or {heading}_s, or write unit: ms or unit: s beside file:"
        raise UnreadableFile(where, f"{line}: {text!r} has no unit: {plain} ms or {plain} s? {remedy}")
    return Micros(int((number * _IN_MICROS[unit]).to_integral_value(rounding="ROUND_HALF_EVEN")))
