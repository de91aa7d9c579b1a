"""Rows of a recorded file, one after the other: CSV, Parquet or JSON lines, so that memory does not grow with the file."""

import csv
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from akstwin.errors import UnreadableFile

HEADING: Final = re.compile(r"(?!(inf|infinity|nan)$)[^\W\d][\w .()/\[\]@:-]*$", re.IGNORECASE)
"""What may stand above a column: a word that is no number, not even an odd one."""
KINDS: Final = {".parquet": "Parquet", ".jsonl": "JSON lines", ".ndjson": "JSON lines"}
Row = tuple[int, Sequence[str]]
"""The line or row number, from 1, and the cells as text."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A file's columns and what stands in them.

    Attributes:
        headings: of the columns; None: the file has none.
        rows: each once.
        word: what a row is called in errors: a line, or a row.
    """

    headings: list[str] | None
    rows: Iterator[Row]
    word: str


@contextmanager
def open_rows(path: Path, where: str) -> Iterator[Rows]:
    """Open a file by its ending; what is neither Parquet nor JSON lines is CSV.

    Raises:
        UnreadableFile: it is not there, or something else than its ending says; `where` goes before the reason.
    """
    kind = KINDS.get(path.suffix.lower(), "CSV")
    try:
        if kind == "Parquet":
            yield _parquet(path)
        else:
            with path.open(newline="", encoding="utf-8-sig") as lines:
                yield _json_lines(lines, where) if kind == "JSON lines" else _csv(lines)
    except (OSError, ValueError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else f"not a {kind} file"
        raise UnreadableFile(where, f"cannot be read: {reason}") from error


def _csv(lines: Any) -> Rows:
    rows = csv.reader(lines)
    first = next((row for row in rows if row), None)
    headings = [cell.strip() for cell in first or []]
    named = bool(headings) and HEADING.match(headings[0]) is not None

    def each() -> Iterator[Row]:
        if first is not None and not named:
            yield rows.line_num, first
        for row in rows:
            if row:
                yield rows.line_num, row

    return Rows(headings if named else None, each(), "line")


def _json_lines(lines: Any, where: str) -> Rows:
    numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    start = next(numbered, None)
    if start is None:
        return Rows(None, iter(()), "line")
    first = _object(start, where)
    headings = list(first)

    def each() -> Iterator[Row]:
        yield start[0], [_text(first[name]) for name in headings]
        for number, line in numbered:
            found = _object((number, line), where)
            yield number, [_text(found.get(name)) for name in headings]

    return Rows(headings, each(), "line")


def _object(numbered: tuple[int, str], where: str) -> dict[str, Any]:
    number, line = numbered
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UnreadableFile(where, f"line {number}: expected a JSON object")
    return found


def _parquet(path: Path) -> Rows:
    import pyarrow.parquet as pq  # noqa: PLC0415 - slow to import, and few files are Parquet

    table = pq.ParquetFile(path)
    headings = list(table.schema_arrow.names)

    def each() -> Iterator[Row]:
        number = 0
        for batch in table.iter_batches(batch_size=10_000):
            for cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                number += 1
                yield number, [_text(cell) for cell in cells]

    return Rows(headings, each(), "row")


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return "" if value is None else str(value)
