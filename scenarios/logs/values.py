"""Values of a file's cells: recorded times in their unit, and which column is meant."""

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Final

from akstwin.clock import Micros
from akstwin.domain.units import has_unit, parse_duration
from akstwin.domain.words import nearest
from akstwin.errors import UnreadableFile

WORDS: Final = {"ns": "nanoseconds", "us": "microseconds", "ms": "milliseconds", "s": "seconds"}
_IN_MICROS: Final = {"ns": Decimal("0.001"), "us": Decimal(1), "ms": Decimal(1000), "s": Decimal(1_000_000)}
_SPELT: Final = {
    "ns": "ns", "nanos": "ns", "nanoseconds": "ns",
    "us": "us", "µs": "us", "μs": "us", "micros": "us", "microseconds": "us",
    "ms": "ms", "millis": "ms", "msec": "ms", "milliseconds": "ms",
    "s": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s",
}  # fmt: skip
_LAST_WORD: Final = re.compile(r"(?:^|[\W_]|(?<=[a-z])(?=[A-Z]))([A-Z]+|[A-Z]?[a-zµμ]+)\W*$")


def unit_of(heading: str) -> str | None:
    """The unit at the end of a heading: that of `duration_ms`, `durationMs`, `arrived (s)` or `Time/s`."""
    word = _LAST_WORD.search(heading.strip())
    return _SPELT.get(word[1].lower()) if word else None


def before_unit(heading: str) -> str:
    """A heading without the unit at its end: `duration_` of `duration_s`."""
    stripped = heading.strip()
    word = _LAST_WORD.search(stripped)
    return stripped[: word.start(1)] if word and word[1].lower() in _SPELT else stripped


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


def micros_of(
    text: str,
    unit: str | None,
    line: str,
    where: str,
    heading: str | None,
    option: str = "unit: ms or unit: s beside file:",
) -> Micros:
    """One value in µs.

    Args:
        text: as it stands in the file.
        unit: of a plain number.
        line: where it stands, for errors.
        where: which file, for errors.
        heading: of its column, if there is one.
        option: what says the unit, for errors.

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
        remedy = f"Write {option}"
        if heading is not None:
            remedy = f"Name the column {heading}_ms or {heading}_s, or write {option}"
        raise UnreadableFile(where, f"{line}: {text!r} has no unit: {plain} ms or {plain} s? {remedy}")
    return Micros(int((number * _IN_MICROS[unit]).to_integral_value(rounding="ROUND_HALF_EVEN")))
