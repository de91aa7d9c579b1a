"""A log as columns of numbers: one row an attempt, a few bytes each, whatever else stands in the file."""

import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from fnmatch import fnmatchcase
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from akstwin.domain.words import nearest
from akstwin.errors import InvalidSetting, UnreadableFile
from akstwin.scenarios.logs.fields import Duration, Fields, fields_of
from akstwin.scenarios.logs.opening import open_rows
from akstwin.scenarios.logs.rows import Row, Rows
from akstwin.scenarios.logs.times import Times, is_time
from akstwin.scenarios.logs.values import micros_of

Ints = np.ndarray[Any, np.dtype[Any]]
Repeats = Literal["keep", "leave_out"]
UNKNOWN: Final = -1
"""Stands for a duration or status that a row does not have."""
_NO_ANSWER: Final = 599
_MOST_NAMES: Final = 1000


@dataclass(frozen=True, slots=True)
class Reading:
    """How a log is to be read.

    Attributes:
        setting: what names the file in a scenario, for errors; empty: a command line does.
        column: the heading of the times; None: it is found.
        unit: of plain numbers in it; None: the heading or their size says it.
        zone: of times without one; None: UTC.
        only: what has to stand in columns, by heading; `*` stands for anything.
        repeats: what to do with rows that share an id; None: whatever can be told from their answers.
        duration: the heading of the durations; None: it is found.
        duration_unit: of plain numbers in it; None: the heading says it.
        timed: whether durations are needed even where instants do not depend on them.
    """

    setting: str
    column: str | None = None
    unit: str | None = None
    zone: str | None = None
    only: Mapping[str, str] = field(default_factory=dict)
    repeats: Repeats | None = None
    duration: str | None = None
    duration_unit: str | None = None
    timed: bool = False

    def beside(self, name: str) -> str:
        """Another setting of the same entry."""
        return f"{self.setting.rpartition('.')[0]}.{name}" if self.setting else f"--{name.replace('_', '-')}"

    def where(self, path: Path) -> str:
        """The file, as errors name it."""
        return f"{self.setting}: {path}" if self.setting else str(path)

    def unit_option(self, name: str) -> str:
        """How the unit of a column is said."""
        return f"{name}: ms or {name}: s beside file:" if self.setting else f"--{name.replace('_', '-')} ms or s"


@dataclass(slots=True)
class Records:
    """The rows of a log that are requests, in the file's order.

    Attributes:
        fields: what the columns are.
        where: which file, for errors.
        word: what a row is called.
        kind: of file.
        times: times of day rather than spans from a start.
        stamp: as written, µs.
        lines: where each row stands.
        content: a hash of the whole row.
        duration: from request to answer, µs; UNKNOWN where a row, or nothing, says it.
        upstream: of that, the part behind the proxy.
        status: of the answer. What is called a success counts as 200, a failure as 500.
        repeated: 1 where a column numbers the row as a repeat.
        group: a hash of the id that attempts share; 0: it has none.
        items: requests that each row stands for.
        passed_over: rows that are not what `only` asks for, or no requests.
        asked: how often each thing was asked for, of the rows that were read.
        reader: of the times, which knows their unit and zone.
    """

    fields: Fields
    where: str
    word: str
    kind: str
    times: bool
    stamp: Ints
    lines: Ints
    content: Ints
    duration: Ints
    upstream: Ints
    status: Ints
    repeated: Ints
    group: Ints
    items: Ints
    passed_over: int
    asked: dict[str, int]
    reader: Times

    def chosen(self, rows: Ints) -> "Records":
        """With these rows only: one flag a row."""
        return replace(self, **{name: getattr(self, name)[rows] for name in COLUMNS})


COLUMNS: Final = ("stamp", "lines", "content", "duration", "upstream", "status", "repeated", "group", "items")
"""What a log has of each row."""


def read_records(path: Path, reading: Reading) -> Records:
    """Read a log.

    Raises:
        InvalidSetting: there is no such zone, or no such column as a setting names.
        UnreadableFile: the file, or a line of it.
    """
    where = reading.where(path)
    zone = _zone(reading)
    with open_rows(path, where) as rows:
        first = next(rows.rows, None)
        if first is None:
            raise UnreadableFile(where, "has no values; expected one a line")
        return _Reader(rows, first, reading, zone, where).read()


def _zone(reading: Reading) -> tzinfo | None:
    if reading.zone is None:
        return None
    try:
        return ZoneInfo(reading.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidSetting(reading.beside("zone"), reading.zone, "a time zone such as UTC or Europe/Berlin") from None


class _Reader:
    """Reads one log, row by row."""

    def __init__(self, rows: Rows, first: Row, reading: Reading, zone: tzinfo | None, where: str) -> None:
        self._rows = rows
        self._first = first
        self._reading = reading
        self._where = where
        self._fields = self._found()
        self._only = self._filters()
        self._check_zone(zone)
        fields = self._fields
        self._timed = reading.timed or fields.ends
        self._times = Times(
            where, fields.heading, fields.unit, zone, f"{reading.beside('zone')}{':' if reading.setting else ''}"
        )
        self._asked: dict[str, int] = {}
        self._passed_over = 0

    def _found(self) -> Fields:
        reading = self._reading
        found = fields_of(self._rows.headings, self._first[1], self._where, reading.column, reading.unit)
        if reading.duration is None:
            return found
        if reading.duration not in found.headings:
            raise InvalidSetting(
                reading.beside("duration"), reading.duration, f"a column{nearest(reading.duration, found.headings)}"
            )
        at = found.headings.index(reading.duration)
        known = found.duration.unit if found.duration is not None and found.duration.at == at else None
        return replace(found, duration=Duration(at, reading.duration, known))

    def _filters(self) -> list[tuple[int, str]]:
        found = []
        for heading, pattern in self._reading.only.items():
            if heading not in self._fields.headings:
                there = ", ".join(self._fields.headings) or "none: it has no headings"
                raise InvalidSetting(self._reading.beside("only"), heading, f"a column of the log: there are {there}")
            found.append((self._fields.headings.index(heading), pattern))
        return found

    def _check_zone(self, zone: tzinfo | None) -> None:
        fields = self._fields
        if fields.utc is False and zone is None:
            raise UnreadableFile(
                self._where,
                f"column {fields.heading} is in a zone of its own; write {self._reading.beside('zone')}, "
                "such as Europe/Berlin, or export the log in UTC",
            )
        if fields.utc and zone is not None and self._reading.zone != "UTC":
            raise InvalidSetting(
                self._reading.beside("zone"), self._reading.zone, f"UTC, as the column's heading says: {fields.heading}"
            )

    def read(self) -> Records:
        """All rows."""
        columns = [array(kind) for kind in "qqQqqhbQq"]
        stamp, lines, content, duration, upstream, status, repeated, group, items = columns
        times: bool | None = None
        latest = 0
        for number, cells in self._requests():
            line = f"{self._rows.word} {number}"
            fields = self._fields
            if len(cells) <= fields.time:
                raise UnreadableFile(self._where, f"{line}: has no value in {fields.name}")
            text = cells[fields.time]
            repeated.append(0 if fields.attempt is None else _is_repeat(cells, fields.attempt, line, self._where))
            if times is None:
                times = is_time(text)
            if times:
                stamp.append(self._times.read(text, line))
            else:
                span = micros_of(
                    text, fields.unit, line, self._where, fields.heading, self._reading.unit_option("unit")
                )
                if not repeated[-1] and span < latest:
                    raise UnreadableFile(self._where, f"{line}: {text!r} goes back in time")
                latest = span if not repeated[-1] else latest
                stamp.append(span)
            lines.append(number)
            content.append(_hash("\x1f".join(cells)))
            duration.append(self._span(cells, fields.duration, line))
            upstream.append(self._span(cells, fields.upstream, line) if self._timed else UNKNOWN)
            status.append(UNKNOWN if fields.status is None else _status(cells[fields.status], line, self._where))
            group.append(0 if fields.group is None else _hash_of_id(cells[fields.group]))
            items.append(1 if fields.items is None else self._items(cells[fields.items], line))
        if not stamp:
            raise UnreadableFile(self._where, self._nothing())
        numbers = {
            name: np.frombuffer(column, dtype=column.typecode) for name, column in zip(COLUMNS, columns, strict=True)
        }
        return Records(
            fields=self._fields,
            where=self._where,
            word=self._rows.word,
            kind=self._rows.kind,
            times=bool(times),
            passed_over=self._passed_over,
            asked=self._asked,
            reader=self._times,
            **numbers,
        )

    def _nothing(self) -> str:
        if self._passed_over:
            asked = f"; what is asked for in it: {', '.join(sorted(self._asked)[:5])}" if self._asked else ""
            return f"has no row that is meant ({self._passed_over} others){asked}"
        return "has no values; expected one a line"

    def _requests(self) -> Iterator[Row]:
        """The rows that are meant."""
        headings = self._rows.headings
        for number, cells in chain([self._first], self._rows.rows):
            if headings is not None and len(headings) != self._fields.width:
                self._fields = self._found()
            fields = self._fields
            if fields.item_type is not None and not _is_request(cells[fields.item_type]):
                self._passed_over += 1
                continue
            if fields.asked is not None and len(self._asked) < _MOST_NAMES:
                name = cells[fields.asked].partition("?")[0]
                self._asked[name] = self._asked.get(name, 0) + 1
            if any(not fnmatchcase(cells[at], pattern) for at, pattern in self._only):
                self._passed_over += 1
                continue
            yield number, cells

    def _span(self, cells: Sequence[str], column: Duration | None, line: str) -> int:
        """A duration; one whose unit nothing says is unknown where no instant depends on it."""
        text = "" if column is None else cells[column.at].strip()
        if column is None or text.lower() in _MISSING:
            return UNKNOWN
        clock = _as_clock(text)
        if clock is not None:
            return clock
        unit = column.unit
        if column is self._fields.duration:
            unit = unit or self._reading.duration_unit
            if not self._timed and (unit is None or self._fields.group is None):
                return UNKNOWN
        option = self._reading.unit_option("duration_unit")
        return int(micros_of(text, unit, line, self._where, column.heading, option))

    def _items(self, text: str, line: str) -> int:
        try:
            found = int(float(text)) if text.strip() else 1
        except (ValueError, OverflowError):
            found = 0
        if found < 1:
            raise UnreadableFile(self._where, f"{line}: {text!r} is not the number of requests that a row stands for")
        return found


def _is_repeat(cells: Sequence[str], again: tuple[int, int], line: str, where: str) -> bool:
    place, first = again
    text = cells[place].strip() if place < len(cells) else ""
    if text.lower() in ("", "true", "false"):
        return text.lower() == "true"
    try:
        return int(text) > first
    except ValueError:
        raise UnreadableFile(where, f"{line}: {text!r} is not the number of an attempt") from None


def _is_request(text: str) -> bool:
    """Of a row's type in Application Insights, whose exports may hold dependencies as well; of a row's metric in k6."""
    return text.strip().lower() in ("", "request", "requests", "apprequests", "http_req_duration")


def _status(text: str, line: str, where: str) -> int:
    stripped = text.strip()
    if stripped.isascii() and stripped.isdigit() and int(stripped) < 1000:
        return int(stripped)
    if stripped.lower() in ("true", "false"):
        return 200 if stripped.lower() == "true" else 500
    if stripped in ("", "-"):
        return UNKNOWN
    said = _STATUS_LINE.match(stripped)
    if said:
        return int(said[1])
    try:
        number = float(stripped)
    except ValueError:
        return _NO_ANSWER  # a word for what went wrong, such as a client's exception
    if number != int(number) or not 0 <= number < 1000:
        raise UnreadableFile(where, f"{line}: {text!r} is not the status of an answer")
    return int(number)


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def _hash_of_id(text: str) -> int:
    stripped = text.strip()
    return 0 if stripped in ("", "-") else _hash(stripped) or 1


_CLOCK: Final = re.compile(r"(?:(\d+)(?:\.| days? ))?(\d{1,2}):(\d\d):(\d\d)(?:\.(\d{1,9}))?$")
_STATUS_LINE: Final = re.compile(r"(?:HTTP(?:/[\d.]+)? )?([1-5]\d\d) [A-Za-z][A-Za-z -]*$")
"""`200 OK`, `HTTP/1.1 503 Service Unavailable`."""
_MISSING: Final = frozenset({"", "-", "nan", "null", "none", "n/a", "na"})
"""What programs write where they have no value."""


def _as_clock(text: str) -> int | None:
    """A span written as Azure or Python write them, `DD.HH:MM:SS.ffffff` or `0:00:00.1`; None: it is not one."""
    found = _CLOCK.match(text) if ":" in text else None
    if found is None:
        return None
    days, hours, minutes, seconds, fraction = found.groups()
    whole = ((int(days or 0) * 24 + int(hours)) * 60 + int(minutes)) * 60 + int(seconds)
    return whole * 1_000_000 + round(float(f"0.{fraction or 0}") * 1_000_000)
