"""Which rows of a log are requests of their own: repeated attempts and rows that were exported twice are not.

A scenario's `clients:` makes its own repeats, so those of a log would count twice. A column that numbers attempts says which they
are. Without one, an id that rows share does: a row whose predecessor with that id failed, and had ended, is its repeat; one whose
predecessor was answered is a request of its own; one that overlaps its predecessor is neither, and the log is refused.
"""

from dataclasses import dataclass

import numpy as np

from akstwin.errors import UnreadableFile
from akstwin.scenarios.logs.records import UNKNOWN, Ints, Records, Repeats


@dataclass(frozen=True, slots=True)
class Kept:
    """Which rows are requests of their own.

    Attributes:
        first: one flag a row.
        notes: what was left out, and why.
        copies: one flag a row that was exported twice.
    """

    first: Ints
    notes: tuple[str, ...]
    copies: Ints


def first_attempts(records: Records, arrived: Ints, repeats: Repeats | None, setting: str) -> Kept:
    """Tell requests from repeats.

    Args:
        records: the log.
        arrived: when each row's request came, µs.
        repeats: what to do with rows that share an id; None: what their answers tell.
        setting: that sets it, for errors.

    Raises:
        UnreadableFile: rows share an id, and nothing tells whether they are repeats.
    """
    keep = np.ones(len(arrived), dtype=bool)
    notes = []
    twice = _twice(records.content)
    if twice.any():
        count = int(twice.sum())
        if records.fields.row is not None or records.fields.group is not None:
            keep &= ~twice
            notes.append(f"{count} rows that stand in it twice were left out.")
        else:
            twice = np.zeros(len(arrived), dtype=bool)
            notes.append(
                f"{count} rows are the same as another, and count: no column of ids tells whether they were exported twice."
            )
    if records.fields.attempt is not None:
        repeated = records.repeated.astype(bool) & keep
        keep &= ~repeated
    elif records.fields.group is not None and repeats != "keep":
        repeated = _repeats(records, arrived, keep, repeats, setting)
        keep &= ~repeated
    else:
        repeated = np.zeros(len(arrived), dtype=bool)
        notes += _untold(records, keep)
    count = int(repeated.sum())
    if count:
        notes.insert(0, f"{count} repeated attempts were left out: clients makes its own.")
    return Kept(keep, tuple(notes), twice)


def _twice(content: Ints) -> Ints:
    """The rows of which an earlier one is the same."""
    order = np.argsort(content, kind="stable")
    same = np.zeros(len(content), dtype=bool)
    ordered = content[order]
    same[order[1:]] = ordered[1:] == ordered[:-1]
    return same


def _repeats(records: Records, arrived: Ints, keep: Ints, repeats: Repeats | None, setting: str) -> Ints:
    rows = np.flatnonzero(keep & (records.group != 0))
    order = rows[np.lexsort((arrived[rows], records.group[rows]))]
    found = np.zeros(len(arrived), dtype=bool)
    if len(order) < 2:
        return found
    before, after = order[:-1], order[1:]
    shared = records.group[before] == records.group[after]
    before, after = before[shared], after[shared]
    if repeats == "leave_out":
        found[after] = True
        return found
    if len(after) and records.fields.status is None:
        raise _cannot_tell(
            records, before[0], after[0], "no column of answers tells whether that is a repeated attempt", setting
        )
    took = np.maximum(records.duration[before], 0)
    overlap = arrived[after] < arrived[before] + took
    if overlap.any():
        at = int(np.argmax(overlap))
        raise _cannot_tell(
            records, before[at], after[at], "came before that was answered, so is no repeated attempt", setting
        )
    status = records.status[before]
    found[after] = (status >= 400) | (status == 0) | (status == UNKNOWN)
    return found


def _cannot_tell(records: Records, before: int, after: int, why: str, setting: str) -> UnreadableFile:
    fields = records.fields
    heading = fields.headings[fields.group or 0]
    return UnreadableFile(
        records.where,
        f"{records.word} {records.lines[after]}: has the {heading} of {records.word} {records.lines[before]}, and {why}; "
        f"write {setting}: keep (each is a request of its own) or leave_out (each is a repeat), or choose rows with only:",
    )


def _untold(records: Records, keep: Ints) -> list[str]:
    """A warning where answers were such that clients may have tried again."""
    status = records.status[keep]
    refused = int(((status == 429) | (status >= 500)).sum())
    if not refused or records.fields.group is not None:
        return []
    said = f"{refused} of its rows were answered 429 or 5xx, and no column tells repeated attempts"
    return [f"{said}: if clients tried again, their repeats count as requests."]
