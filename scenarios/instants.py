"""Recorded instants of requests: counted from a start, or as times of day, in any of the forms that logs have."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from akstwin.clock import Micros
from akstwin.errors import InvalidSetting, UnreadableFile
from akstwin.scenarios.columns import WORDS, Column, agreed_unit, micros_of, place_of, read_in
from akstwin.scenarios.rows import Rows, open_rows

_TIMES: Final = (
    "timestamp",
    "@timestamp",
    "time",
    "datetime",
    "ts",
    "date",
    "at",
    "eventtime",
    "time_local",
    "started_at",
)
"""What columns of times are called, the likeliest first."""
_ATTEMPTS: Final = ("attempt", "attempt_number")
_RETRIES: Final = ("retry", "retries", "retry_count")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_EPOCH_UNITS: Final = ((10**9, "s"), (10**12, "ms"), (10**15, "us"), (10**18, "ns"))
"""What a number since 1970 is counted in: from 2001 on, and up to 2286, no two can be confused."""
_NUMBER: Final = re.compile(r"\s*[0-9]+(\.[0-9]*)?\s*$")


@dataclass(slots=True)
class _Log:
    """What is known of a file's columns.

    Attributes:
        at: the place of the times.
        again: the place of the attempt's number and the number of a first one; None: there is no such column.
        name: what the column of times is called in sentences.
        heading: of the column of times.
        unit: what plain numbers in it are counted in.
        zone: of times without one.
    """

    at: int
    again: tuple[int, int] | None
    name: str
    heading: str | None
    unit: str | None
    zone: tzinfo | None


def read_instants(
    path: Path, setting: str, *, column: str | None = None, unit: str | None = None, zone: str | None = None
) -> Column:
    """Instants of requests from the first, or from the start that they count from.

    Repeated attempts are left out if a column numbers them: `clients:` makes its own. Times of day may be in any order, as a log
    is written when answers are; instants counted from a start may not go back.

    Args:
        path: CSV, Parquet or JSON lines.
        setting: what names it, for errors and the note.
        column: the heading of the times; None: the first that is called like one, else the first column.
        unit: of plain numbers; None: the heading says it, or their size does (seconds to nanoseconds since 1970).
        zone: of times that do not say it, such as Europe/Berlin; None: UTC.

    Raises:
        InvalidSetting: there is no such zone.
        UnreadableFile: the file, or a line of it.
    """
    where = f"{setting}: {path}"
    given = _zone(zone, setting)
    with open_rows(path, where) as rows:
        log = _log_of(rows, where, column, unit, given)
        return _instants(rows, log, where, f"{setting}: {log.name} of {path.name}")


def _zone(zone: str | None, setting: str) -> tzinfo | None:
    if zone is None:
        return None
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        place = setting.removesuffix(".file") + ".zone"
        raise InvalidSetting(place, zone, "a time zone such as UTC or Europe/Berlin") from None


def _log_of(rows: Rows, where: str, column: str | None, unit: str | None, zone: tzinfo | None) -> _Log:
    headings = rows.headings
    if headings is None:
        if column is not None:
            raise UnreadableFile(where, f"has no headings, so no column {column}")
        return _Log(0, None, "the first column", None, unit, zone)
    at = _place(headings, column, where)
    words = [_word(heading) for heading in headings]
    again = next(((words.index(name), 1) for name in _ATTEMPTS if name in words), None)
    again = again or next(((words.index(name), 0) for name in _RETRIES if name in words), None)
    return _Log(at, again, f"column {headings[at]}", headings[at], agreed_unit(headings[at], unit, where), zone)


def _word(heading: str) -> str:
    """A heading without its zone or unit in brackets, in small letters: `timestamp [UTC]` is a timestamp."""
    return re.sub(r"\s*[\[(].*", "", heading).strip().lower()


def _place(headings: Sequence[str], column: str | None, where: str) -> int:
    if column is not None:
        return place_of(headings, column, where)
    words = [_word(heading) for heading in headings]
    return next((words.index(name) for name in _TIMES if name in words), 0)


def _instants(rows: Rows, log: _Log, where: str, said: str) -> Column:
    values: list[int] = []
    repeated = 0
    times: bool | None = None
    for number, cells in rows.rows:
        line = f"{rows.word} {number}"
        if len(cells) <= log.at:
            raise UnreadableFile(where, f"{line}: has no value in {log.name}")
        if log.again is not None and _is_repeat(cells, log.again, line, where):
            repeated += 1
            continue
        text = cells[log.at]
        if times is None:
            times = _is_time(text)
        value = _time(text, log, line, where) if times else micros_of(text, log.unit, line, where, log.heading)
        if not times and values and value < values[-1]:
            raise UnreadableFile(where, f"{line}: {text!r} goes back in time")
        values.append(value)
    if not values:
        raise UnreadableFile(where, "has no values; expected one a line")
    left_out = f" {repeated} repeated attempts were left out: clients makes its own." if repeated else ""
    if not times:
        return Column(tuple(map(Micros, values)), f"{said} {read_in(log.unit)}.{left_out}")
    values.sort()
    first = values[0]
    start = (_EPOCH + first * _MICROSECOND).isoformat().replace("+00:00", "Z")
    zone = f" Times without a zone are in {log.zone or 'UTC'}."
    if log.unit is not None:
        zone = f" Numbers are {WORDS[log.unit]} since 1970."
    return Column(
        tuple(Micros(value - first) for value in values), f"{said} was read as times; t = 0 is {start}.{zone}{left_out}"
    )


def _is_repeat(cells: Sequence[str], again: tuple[int, int], line: str, where: str) -> bool:
    place, first = again
    text = cells[place].strip() if place < len(cells) else ""
    if text.lower() in ("", "true", "false"):
        return text.lower() == "true"
    try:
        return int(text) > first
    except ValueError:
        raise UnreadableFile(where, f"{line}: {text!r} is not the number of an attempt") from None


def _is_time(text: str) -> bool:
    """Whether this is a time of day, and no span from a start."""
    if _NUMBER.match(text):
        return float(text) >= _EPOCH_UNITS[0][0]
    return any(mark in text.strip() for mark in ("T", ":", "/")) or text.count("-") == 2


def _time(text: str, log: _Log, line: str, where: str) -> int:
    """Microseconds since 1970."""
    stripped = text.strip()
    if _NUMBER.match(stripped):
        try:
            number = Decimal(stripped)
        except InvalidOperation:
            number = Decimal(0)
        unit = log.unit or next((unit for least, unit in reversed(_EPOCH_UNITS) if number >= least), None)
        if unit is None:
            raise UnreadableFile(where, f"{line}: {text!r} is neither a date nor a time since 1970")
        log.unit = unit
        return micros_of(stripped, unit, line, where, log.heading)
    try:
        found = datetime.fromisoformat(stripped)
    except ValueError:
        raise UnreadableFile(
            where, f"{line}: {text!r} is not a time such as 2026-11-16T08:00:00.5+01:00, or seconds since 1970"
        ) from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=log.zone or UTC)
    return (found - _EPOCH) // _MICROSECOND
