"""Locust's history (`…_stats_history.csv`): how many requests there have been, a row a second, and no single request."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from akstwin.errors import UnreadableFile
from akstwin.scenarios.logs.records import Ints
from akstwin.scenarios.logs.text import magic_of, open_text

_TIME: Final = "Timestamp"
_COUNT: Final = "Total Request Count"
_MEAN: Final = "Total Average Response Time"
_MEDIAN: Final = "Total Median Response Time"
_NEEDED: Final = (_TIME, "Name", _COUNT, _MEAN, _MEDIAN)
_ALL: Final = "Aggregated"


@dataclass(frozen=True, slots=True)
class History:
    """What a history tells.

    Attributes:
        instants: µs from the first row, one for each row in which requests were counted.
        weights: how many were counted since the row before.
        span: µs from the first row to the last.
        mean_ms: of all response times; None: there was none.
        median_ms: likewise.
    """

    instants: Ints
    weights: Ints
    span: int
    mean_ms: float | None
    median_ms: float | None


def is_history(path: Path) -> bool:
    """Whether a file is such a history; of what cannot be read, the readers of logs say why."""
    try:
        if not path.is_file() or magic_of(path) == b"PAR1":
            return False
        with open_text(path, str(path)) as text:
            first = text.head.partition("\n")[0]
    except (OSError, UnreadableFile):
        return False
    return _TIME in first and _COUNT in first


def read_history(path: Path) -> History:
    """Read the rows of all requests together.

    Raises:
        UnreadableFile: a row is not what locust writes; a count goes back; nothing was counted.
    """
    times, counts, tail = [], [], {}
    with open_text(path, str(path)) as text:
        rows = csv.DictReader(text.lines(), strict=True)
        missing = [name for name in _NEEDED if name not in (rows.fieldnames or ())]
        if missing:
            raise UnreadableFile(str(path), f"has no column {missing[0]}; expected a history of locust")
        for row in rows:
            if row["Name"] != _ALL:
                continue
            try:
                times.append(int(row[_TIME]))
                counts.append(int(row[_COUNT]))
                if None in row.values():
                    raise ValueError(row)  # noqa: TRY301
            except (TypeError, ValueError):
                raise UnreadableFile(str(path), f"line {rows.line_num}: is cut off, or no row of a history") from None
            if len(counts) > 1 and (counts[-1] < counts[-2] or times[-1] < times[-2]):
                raise UnreadableFile(str(path), f"line {rows.line_num}: goes back: two histories in one file?")
            tail = row
    if not counts or counts[-1] == 0:
        raise UnreadableFile(str(path), f"has counted no request in its rows {_ALL}")
    gained = np.diff(np.array([0, *counts]))
    at = np.array(times, dtype=np.int64) - times[0]
    # what a row has gained came in the time before it
    middle = ((at + np.concatenate(([0], at[:-1]))) * 500_000).astype(np.int64)
    gone = gained > 0
    return History(
        middle[gone], gained[gone], max(int(at[-1]), 1) * 1_000_000, _number(tail, _MEAN), _number(tail, _MEDIAN)
    )


def _number(row: dict[str, str], name: str) -> float | None:
    try:
        found = float(row[name])
    except ValueError:
        return None
    return found if found > 0 else None
