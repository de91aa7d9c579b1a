"""Which column of a log is what: found by the names that loggers give them, or by what stands in the first row.

Names are compared without case, spaces, signs and what stands in brackets: `timestamp [UTC]`, `time_local`, `operation_Id`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from akstwin.errors import UnreadableFile
from akstwin.scenarios.logs.times import looks_like_a_time
from akstwin.scenarios.logs.values import agreed_unit, before_unit, place_of, unit_of

_TIMES: Final = (
    "timestamp", "timegenerated", "time", "datetime", "ts", "date", "at", "eventtime", "timelocal", "timeiso8601", "msec",
    "startedat", "starttime", "starttimeunixnano", "arrivedus",
)  # fmt: skip
"""What columns of times are called, the likeliest first."""
_ENDS: Final = re.compile(
    r"(timelocal|timeiso8601|msec|(end|ended|finish|finished|complete|completed|completion|answered|responded)"
    r"(time|at|ts|timestamp|date|datetime|timeunixnano)?|responsetimestamp)$"
)
"""The instants of answers. nginx stamps a line when the request has ended."""
_K6: Final = frozenset({"metricname", "timestamp", "metricvalue"})
"""Of k6's CSV output: a row is one value of one metric, stamped when the request had ended."""
_COUNTS: Final = frozenset(
    {"count", "counts", "hits", "rps", "qps", "rate", "sum", "total", "value", "requestspersecond"}
)
"""Headings of tables of measurements, unless something else in them is about single requests."""
_NO_REQUESTS: Final = "counts requests ({}) and does not list them, so no instants can be read from it; "
_STEPS: Final = "give the rates as shape: steps"
_DURATIONS: Final = (
    "duration", "durationms", "requesttime", "responsetime", "elapsed", "elapsedtime", "latency", "took", "timetaken",
    "requestduration", "processingtime", "executiontime", "servicetime",
)  # fmt: skip
_UPSTREAM: Final = ("upstreamresponsetime",)
_STATUSES: Final = ("status", "statuscode", "resultcode", "responsecode", "httpstatus", "code", "success")
_ATTEMPTS: Final = ("attempt", "attemptnumber")
_RETRIES: Final = ("retry", "retries", "retrycount")
_GROUPS: Final = (
    "operationid", "requestid", "xrequestid", "xmsclientrequestid", "clientrequestid", "xmsrequestid", "reqid",
    "correlationid", "traceid",
)  # fmt: skip
"""Ids that the attempts of one request share."""
_ROW_IDS: Final = ("itemid", "id")
"""Ids of single rows."""
_NAMES: Final = ("request", "url", "path", "name", "uri", "label")
"""What was asked for."""
_TOTALS: Final = frozenset({"requestcount", "requestss", "totalrequestcount", "requests"})
"""Headings of tables that count requests instead of listing them, such as those of locust."""


@dataclass(frozen=True, slots=True)
class Duration:
    """A column of durations.

    Attributes:
        at: its place.
        heading: its heading.
        unit: of plain numbers; None: nothing says it.
    """

    at: int
    heading: str
    unit: str | None


@dataclass(frozen=True, slots=True)
class Fields:
    """What is known of a file's columns; a place is None where there is no such column.

    Attributes:
        width: the number of columns that this was found from.
        time: the place of the times.
        name: what the column of times is called in sentences.
        heading: of the column of times.
        unit: what plain numbers in it are counted in.
        utc: the heading says that its times are in UTC; False: in some other zone; None: nothing.
        ends: the times are those of answers, not of requests.
        attempt: the place of the attempt's number, and the number of a first one.
        group: an id that attempts of one request share.
        row: an id of the row.
        status: the answer.
        items: how many requests the row stands for.
        item_type: what the row is about.
        duration: from request to answer.
        upstream: of that, the part that the server behind a proxy took.
        asked: what was asked for.
        headings: of all columns.
    """

    width: int
    time: int
    name: str
    heading: str | None
    unit: str | None
    utc: bool | None = None
    ends: bool = False
    attempt: tuple[int, int] | None = None
    group: int | None = None
    row: int | None = None
    status: int | None = None
    items: int | None = None
    item_type: int | None = None
    duration: Duration | None = None
    upstream: Duration | None = None
    asked: int | None = None
    headings: tuple[str, ...] = ()


def plain(heading: str) -> str:
    """A heading as it is compared: `timestamp [UTC]` is `timestamp`."""
    return re.sub(r"[\W_]", "", re.sub(r"[\[(].*", "", heading)).lower()


def fields_of(
    headings: Sequence[str] | None, first: Sequence[str], where: str, column: str | None, unit: str | None
) -> Fields:
    """What the columns are.

    Args:
        headings: of the file, if it has any.
        first: the cells of its first row.
        where: which file, for errors.
        column: the heading of the times, if a scenario names it.
        unit: of plain numbers in that column, if a scenario says it.

    Raises:
        UnreadableFile: the column of times is not there or could be one of several, or the file lists no requests.
    """
    if headings is None:
        if column is not None:
            raise UnreadableFile(where, f"has no headings, so no column {column}")
        _check_it_is_no_text(first, where)
        at = _by_content(first, None, where) or 0
        name = "the first column" if at == 0 else f"column {at + 1}, which holds times,"
        return Fields(len(first), at, name, None, unit)
    words = [plain(heading) for heading in headings]
    _check_it_lists_requests(headings, words, where)
    at = _time(headings, words, first, column, where)
    for place in {at, *(words.index(word) for word in (*_ATTEMPTS, *_GROUPS, *_DURATIONS) if word in words)}:
        if list(headings).count(headings[place]) > 1:
            raise UnreadableFile(where, f"has more than one column {headings[place]}")
    heading = headings[at]
    stamped = _stamped(heading)
    agreed = unit if words[at] == "msec" else agreed_unit(heading, unit, where)
    return Fields(
        width=len(headings),
        time=at,
        name=f"column {heading}",
        heading=heading,
        unit=agreed,
        utc=stamped,
        ends=_K6.issubset(words) or any(map(_ENDS.match, (words[at], _without_unit(headings[at])))),
        attempt=_attempt(words),
        group=_place(words, _GROUPS),
        row=_place(words, _ROW_IDS),
        status=_place(words, _STATUSES),
        items=_place(words, ("itemcount",)),
        item_type=_item_type(words),
        duration=_duration(headings, words),
        upstream=_upstream(headings, words),
        asked=_place(words, _NAMES),
        headings=tuple(headings),
    )


def _place(words: Sequence[str], names: Sequence[str]) -> int | None:
    return next((words.index(name) for name in names if name in words), None)


def _check_it_lists_requests(headings: Sequence[str], words: Sequence[str], where: str) -> None:
    counted = [heading for heading, word in zip(headings, words, strict=True) if word in _TOTALS]
    if counted:
        raise UnreadableFile(
            where,
            _NO_REQUESTS.format(", ".join(counted))
            + "a history of locust (…_stats_history.csv) gives its rates as steps: akstwin calibrate",
        )
    if "occurrences" in words or {"count", "message", "traceback"}.issubset(words):
        raise UnreadableFile(
            where,
            "lists the failures of a load test of locust, not its requests; …_stats_history.csv, of the same test, gives its "
            "rates: akstwin calibrate",
        )
    if {"metric", "type", "data"}.issubset(words):
        raise UnreadableFile(
            where, "is JSON of k6, with several rows a request; write what k6 does with --out csv=FILE"
        )
    about_requests = (*_DURATIONS, *_UPSTREAM, *_STATUSES, *_ATTEMPTS, *_RETRIES, *_GROUPS, *_ROW_IDS, *_NAMES)
    known = set(map(_without_unit, headings))
    measured = [heading for heading, word in zip(headings, words, strict=True) if word in _COUNTS]
    if measured and known.isdisjoint(about_requests):
        raise UnreadableFile(where, _NO_REQUESTS.format(", ".join(measured)) + _STEPS)


def _check_it_is_no_text(first: Sequence[str], where: str) -> None:
    """Python's logging writes `2026-11-16 08:00:00,123 INFO …`, whose comma separates no columns."""
    if len(first) > 1 and looks_like_a_time(first[0]) and re.match(r"\s*\d{3}\s+\D", first[1]):
        raise UnreadableFile(where, "line 1: is a line of text, with no columns; export a table with a row a request")


def _time(headings: Sequence[str], words: Sequence[str], first: Sequence[str], column: str | None, where: str) -> int:
    if column is not None:
        return place_of(headings, column, where)
    at = _place(words, _TIMES)
    if at is None:
        at = _by_content(first, headings, where)
    if at is None:
        other = {*_DURATIONS, *_UPSTREAM, *_STATUSES, *_ATTEMPTS, *_RETRIES, *_GROUPS, *_NAMES}
        if len(words) == 1:
            other -= {"elapsed"}  # since the start
        if _without_unit(headings[0]) in other:
            raise UnreadableFile(
                where,
                f"has no column of times, as far as its headings and its first row say ({', '.join(headings)}); name one: "
                "column: …",
            )
        return 0
    return at


def _without_unit(heading: str) -> str:
    """`latency_micros` is `latency`."""
    return plain(before_unit(heading))


def _item_type(words: Sequence[str]) -> int | None:
    if _K6.issubset(words):
        return words.index("metricname")
    return _place(words, ("itemtype", "type")) if "operationid" in words else None


def _by_content(first: Sequence[str], headings: Sequence[str] | None, where: str) -> int | None:
    """The column whose first cell is a time of day."""
    found = [at for at, cell in enumerate(first) if looks_like_a_time(cell)]
    if len(found) > 1:
        named = ", ".join(str(at + 1) if headings is None else headings[at] for at in found)
        remedy = "give the columns headings, one of them timestamp" if headings is None else "name one: column: …"
        raise UnreadableFile(where, f"has several columns of times ({named}); {remedy}")
    return found[0] if found else None


def _stamped(heading: str) -> bool | None:
    zone = re.search(r"\[(.*?)\]", heading)
    return None if zone is None else zone[1].strip().upper() in ("UTC", "GMT", "Z")


def _attempt(words: Sequence[str]) -> tuple[int, int] | None:
    for names, first in ((_ATTEMPTS, 1), (_RETRIES, 0)):
        at = _place(words, names)
        if at is not None:
            return at, first
    return None


def _duration(headings: Sequence[str], words: Sequence[str]) -> Duration | None:
    """A unit comes from the heading, or from the logger whose names the columns have."""
    if _K6.issubset(words):
        value = words.index("metricvalue")
        return Duration(value, headings[value], "ms")
    known = list(map(_without_unit, headings))
    at = _place(words, _DURATIONS)
    at = _place(known, _DURATIONS) if at is None else at
    if at is None:
        return None
    unit = unit_of(headings[at])
    if unit is None and _is_application_insights(words):
        unit = "ms"
    elif (
        unit is None
        and words[at] == "requesttime"
        and not {"timelocal", "timeiso8601", "msec", *_UPSTREAM}.isdisjoint(words)
    ):
        unit = "s"  # nginx
    elif unit is None and words[at] == "elapsed" and {"timestamp", "label", "responsecode"}.issubset(words):
        unit = "ms"  # JMeter
    elif unit is None and words[at] == "latency" and {"seq", "bytesin", "bytesout"}.issubset(words):
        unit = "ns"  # vegeta
    return Duration(at, headings[at], unit)


def _upstream(headings: Sequence[str], words: Sequence[str]) -> Duration | None:
    at = _place(words, _UPSTREAM)
    return None if at is None else Duration(at, headings[at], unit_of(headings[at]) or "s")


def _is_application_insights(words: Sequence[str]) -> bool:
    """Durations of the table `requests` are in milliseconds."""
    return (
        "duration" in words and "resultcode" in words and not {"operationid", "itemtype", "itemcount"}.isdisjoint(words)
    )
