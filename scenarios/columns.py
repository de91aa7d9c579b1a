"""Recorded times from a column of a file, each with a unit: from its heading, from beside the value, or from the scenario."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from akstwin.clock import Micros
from akstwin.errors import UnreadableFile
from akstwin.scenarios.logs.opening import open_rows
from akstwin.scenarios.logs.rows import Rows
from akstwin.scenarios.logs.values import agreed_unit, micros_of, place_of, read_in


@dataclass(frozen=True, slots=True)
class Column:
    """A column that has been read.

    Attributes:
        values: in the file's order, µs.
        note: what was read, and in which unit.
    """

    values: tuple[Micros, ...]
    note: str


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


def _values(rows: Rows, at: int, name: str, unit: str | None, where: str) -> Iterator[Micros]:
    heading = None if rows.headings is None else rows.headings[at]
    for number, cells in rows.rows:
        line = f"{rows.word} {number}"
        if len(cells) <= at:
            raise UnreadableFile(where, f"{line}: has no value in {name}")
        yield micros_of(cells[at], unit, line, where, heading)
