"""Rows of JSON files: an object a line, an array of objects, or the tables that Azure's query API answers with."""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from akstwin.errors import UnreadableFile
from akstwin.scenarios.logs.rows import Row, Rows
from akstwin.scenarios.logs.text import Text

_TABLES: Final = re.compile(r'\s*\{\s*"tables"\s*:\s*\[')
_ARRAY: Final = re.compile(r'\s*(\{\s*"(records|value)"\s*:\s*)?\[')
_ROWS: Final = re.compile(r'"rows"\s*:\s*\[')
_BETWEEN: Final = re.compile(r"\s*,?\s*")
_LONGEST: Final = 1 << 24
"""Characters of one row at most: what is longer is no row, but JSON that is damaged."""


def is_json(head: str) -> bool:
    """Whether a text that begins so is JSON."""
    return head.lstrip()[:1] in ("{", "[")


def json_rows(text: Text, where: str) -> Rows:
    """The rows, whichever of the three forms the text has.

    Raises:
        UnreadableFile: it is none of them, or a row of it is not; while they are read.
    """
    if _TABLES.match(text.head):
        return _table(text, where)
    array = _ARRAY.match(text.head)
    if array:
        found = _Elements(text.pieces(), where)
        found.skip(array.end())
        return _objects(((number, _object(each, number, "row", where)) for number, each in found), "row")
    return _objects(_lines(text, where), "line")


def _lines(text: Text, where: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.lines(), start=1):
        if line.strip():
            try:
                found = json.loads(line)
            except (ValueError, RecursionError):
                found = None
            yield number, _object(found, number, "line", where)


def _object(found: Any, number: int, word: str, where: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise UnreadableFile(where, f"{word} {number}: expected a JSON object")
    return found


def _objects(found: Iterator[tuple[int, dict[str, Any]]], word: str) -> Rows:
    """A key that shows up later becomes one more heading: a log may name an attempt only from the second on."""
    start = next(found, None)
    if start is None:
        return Rows(None, iter(()), word, "JSON")
    headings = list(start[1])
    known = set(headings)

    def each() -> Iterator[Row]:
        yield start[0], [as_text(value) for value in start[1].values()]
        for number, row in found:
            if not known.issuperset(row):
                new = [name for name in row if name not in known]
                headings.extend(new)
                known.update(new)
            yield number, [as_text(row.get(name)) for name in headings]

    return Rows(headings, each(), word, "JSON")


def _table(text: Text, where: str) -> Rows:
    """The first table; an API answers with one, `PrimaryResult`."""
    found = _Elements(text.pieces(), where)
    before = found.until(_ROWS)
    try:
        columns = json.loads(before + "]}]}")["tables"][0]["columns"]
        headings = [str(column["name"]) for column in columns]
    except (ValueError, KeyError, TypeError, IndexError):
        raise UnreadableFile(where, "is no answer of a query: its table has no columns before its rows") from None

    def each() -> Iterator[Row]:
        for number, row in found:
            if not isinstance(row, list) or len(row) != len(headings):
                raise UnreadableFile(where, f"row {number}: expected a list of {len(headings)} cells")
            yield number, [as_text(cell) for cell in row]

    return Rows(headings, each(), "row", "JSON")


class _Elements:
    """The elements of one array in a text that is too long to be read at once."""

    def __init__(self, pieces: Iterator[str], where: str) -> None:
        self._pieces = pieces
        self._where = where
        self._text = ""
        self._at = 0
        self._decoder = json.JSONDecoder()

    def skip(self, characters: int) -> None:
        """Pass over what stands before the first element."""
        while len(self._text) < characters and self._more():
            pass
        self._at = characters

    def until(self, pattern: re.Pattern[str]) -> str:
        """The text up to the end of what matches; the elements begin there."""
        while not (match := pattern.search(self._text)):
            if len(self._text) > _LONGEST or not self._more():
                raise UnreadableFile(self._where, 'is no answer of a query: its table has no "rows"')
        self._at = match.end()
        return self._text[: self._at]

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        number = 1
        while True:
            self._at = self._after(_BETWEEN)
            if self._at >= len(self._text):
                if not self._more():
                    raise UnreadableFile(self._where, f"row {number}: the file is cut off before its rows end")
                continue
            if self._text[self._at] == "]":
                return
            try:
                found, self._at = self._decoder.raw_decode(self._text, self._at)
            except (ValueError, RecursionError):
                if len(self._text) - self._at > _LONGEST or not self._more():
                    raise UnreadableFile(
                        self._where, f"row {number}: not JSON; the file is cut off or damaged here"
                    ) from None
                continue
            yield number, found
            number += 1

    def _after(self, pattern: re.Pattern[str]) -> int:
        match = pattern.match(self._text, self._at)
        return match.end() if match else self._at

    def _more(self) -> bool:
        piece = next(self._pieces, "")
        self._text = self._text[self._at :] + piece
        self._at = 0
        return bool(piece)


def as_text(value: Any) -> str:
    """A value of JSON or Parquet as it would stand in a CSV file."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return f"{value // timedelta(microseconds=1)}us"
    return "" if value is None else str(value)
