"""Recorded instants of requests: counted from a start, or as times of day, in any of the forms that logs have."""

from pathlib import Path
from typing import Final

import numpy as np

from akstwin.clock import Micros
from akstwin.errors import UnreadableFile
from akstwin.scenarios.columns import Column
from akstwin.scenarios.logs.attempts import first_attempts
from akstwin.scenarios.logs.records import UNKNOWN, Ints, Reading, Records, read_records
from akstwin.scenarios.logs.times import EPOCH, MICROSECOND
from akstwin.scenarios.logs.values import WORDS, read_in

_SECOND: Final = 1_000_000
_MINUTE: Final = 60 * _SECOND
_HOUR: Final = 60 * _MINUTE
_KEY: Final = (0x616B737477696E, 0x6C6F6773)
"""Of the draws within seconds: the same log always gives the same instants."""


def read_instants(path: Path, reading: Reading) -> Column:
    """Instants of requests from the first, or from the start that they count from.

    Repeated attempts are left out: `clients:` makes its own. Times of day may be in any order, as a log is written when answers
    are; instants counted from a start may not go back.

    Args:
        path: CSV, Parquet, JSON or an nginx access log.
        reading: how it is to be read.

    Raises:
        InvalidSetting: there is no such zone or column.
        UnreadableFile: the file, or a line of it.
    """
    records = read_records(path, reading)
    refuse_sampled(records)
    arrived, notes = arrivals(records)
    kept = first_attempts(records, arrived, reading.repeats, reading.beside("repeats"))
    said = f"{reading.setting}: {records.fields.name} of {path.name}"
    after = [*notes, *kept.notes, *remarks(records)]
    values = arrived[kept.first]
    if not records.times:
        return Column(_micros(values), " ".join([f"{said} {read_in(records.fields.unit)}.", *after]))
    values = np.sort(values)
    first = int(values[0])
    start = (EPOCH + first * MICROSECOND).isoformat().replace("+00:00", "Z")
    before = [f"{said} was read as times; t = 0 is {start}.", *forms(records, reading)]
    return Column(_micros(values - first), " ".join([*before, *after]))


def _micros(values: Ints) -> tuple[Micros, ...]:
    return tuple(map(Micros, values.tolist()))


def refuse_sampled(records: Records) -> None:
    """A log that holds one row for several requests does not hold their instants.

    Raises:
        UnreadableFile: it is such a log.
    """
    several = np.flatnonzero(records.items > 1)
    if len(several):
        line = records.lines[several[0]]
        total = int(records.items.sum())
        raise UnreadableFile(
            records.where,
            f"{records.word} {line}: stands for {records.items[several[0]]} requests (sampling; {len(records.items)} rows for "
            f"{total} requests in all), and the instants of the others are not in the log; akstwin calibrate gives its rates",
        )


def arrivals(records: Records) -> tuple[Ints, list[str]]:
    """When each row's request came, µs, and what has to be said of it."""
    stamp, notes = records.stamp, []
    if records.times:
        stamp, said = _spread(stamp, records)
        notes += said
    if not records.fields.ends:
        return stamp, notes
    known = records.duration != UNKNOWN
    if not known.any():
        return stamp, [*notes, "These are the times of the answers: the log does not say how long each took."]
    if not known.all():
        line = records.lines[np.flatnonzero(~known)[0]]
        raise UnreadableFile(records.where, f"{records.word} {line}: has no time that it took, as other rows have")
    heading = records.fields.duration.heading if records.fields.duration else ""
    return stamp - records.duration, [*notes, f"Requests came {heading} before the times of their answers."]


def _spread(stamp: Ints, records: Records) -> tuple[Ints, list[str]]:
    """Spread what was stamped with the same whole second or minute over it: as it stands, it would have come all at once.

    Raises:
        UnreadableFile: several rows share a whole hour, and no time is finer.
    """
    if (stamp % _SECOND).any():
        return stamp, []
    order = np.argsort(stamp, kind="stable")
    ordered = stamp[order]
    shares = np.zeros(len(stamp), dtype=bool)
    shares[1:] = ordered[1:] == ordered[:-1]
    shares[:-1] |= shares[1:]
    if not shares.any():
        return stamp, []
    unit = _resolution(ordered, to_the_minute=records.reader.unit is None and records.reader.to_the_minute)
    if unit == _HOUR:
        raise UnreadableFile(
            records.where,
            "its times are whole hours or days, so it does not hold the instants of requests: give their rates, as shape: steps",
        )
    draws = np.random.Generator(np.random.Philox(key=np.array(_KEY, dtype=np.uint64))).random(len(stamp))
    within = (draws[np.lexsort((draws, ordered))] * unit).astype(np.int64)
    spread = stamp.copy()
    spread[order] = ordered + np.where(shares, within, 0)
    count = int(shares.sum())
    name = "minutes" if unit == _MINUTE else "seconds"
    return spread, [
        f"Its times are whole {name}: the {count} rows that share one with others were spread over it by chance."
    ]


def _resolution(ordered: Ints, *, to_the_minute: bool) -> int:
    """What whole seconds were rounded to, µs: no two different times are whole minutes or hours by chance."""
    several = ordered[0] != ordered[-1]
    if several and not (ordered % _HOUR).any():
        return _HOUR
    return _MINUTE if to_the_minute or (several and not (ordered % _MINUTE).any()) else _SECOND


def forms(records: Records, reading: Reading) -> list[str]:
    """How times of day were read, as sentences."""
    times = records.reader
    notes = []
    if times.unit is not None:
        notes.append(f"Numbers are {WORDS[times.unit]} since 1970.")
    elif times.bare is not None:
        notes.append(f"Times without a zone are in {reading.zone or 'UTC'}.")
    if times.month_first:
        notes.append("Dates were read as month/day/year.")
    return notes


def remarks(records: Records) -> list[str]:
    """What was passed over, and what else the log seems to hold."""
    notes = []
    if records.passed_over:
        notes.append(f"{records.passed_over} rows are of something else, and were passed over.")
    elif len(records.asked) > 1:
        most = sorted(records.asked.items(), key=lambda each: (-each[1], each[0]))
        named = ", ".join(f"{name} ({count})" for name, count in most[:3])
        more = f" and {len(most) - 3} more" if len(most) > 3 else ""
        heading = records.fields.headings[records.fields.asked or 0]
        notes.append(f"It names more than one {heading}: {named}{more}; only: chooses.")
    return notes
