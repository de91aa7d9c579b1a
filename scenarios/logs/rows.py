"""What every recorded file is read as: rows of cells, one after the other, so that memory does not grow with the file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Row = tuple[int, Sequence[str]]
"""The line or row number, from 1, and the cells as text."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A file's columns and what stands in them.

    Attributes:
        headings: of the columns; None: the file has none. A JSON file may add some while it is read.
        rows: each once.
        word: what a row is called in errors: a line, or a row.
        kind: of file, for notes: CSV, Parquet, JSON, nginx.
    """

    headings: list[str] | None
    rows: Iterator[Row]
    word: str
    kind: str = "CSV"
