"""Opening a recorded file: what it holds says how it is read, whatever its name."""

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from akstwin.errors import UnreadableFile
from akstwin.scenarios.logs.csv_rows import csv_rows
from akstwin.scenarios.logs.json_rows import is_json, json_rows
from akstwin.scenarios.logs.nginx_rows import is_nginx, nginx_rows
from akstwin.scenarios.logs.rows import Rows
from akstwin.scenarios.logs.text import Text, magic_of, open_text

_JSON: Final = (".jsonl", ".ndjson")


@contextmanager
def open_rows(path: Path, where: str) -> Iterator[Rows]:
    """Open a file: Parquet, JSON, an nginx access log, or CSV, each text of them compressed by gzip or not.

    Raises:
        UnreadableFile: it is not there, or is not what it begins like; `where` goes before the reason. Reading the rows raises
            it as well.
    """
    kind = "CSV"
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # one may have no end, or no writer
            raise UnreadableFile(where, "is a folder, a device or a pipe; expected a file: copy what comes into one")
        if path.suffix.lower() == ".parquet" or magic_of(path) == b"PAR1":
            from akstwin.scenarios.logs.parquet_rows import parquet_rows  # noqa: PLC0415 - slow to import

            kind = "Parquet"
            yield parquet_rows(path)
            return
        with open_text(path, where) as text:
            yield _text_rows(text, path, where)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else f"not a {kind} file"
        raise UnreadableFile(where, f"cannot be read: {reason}") from error


def _text_rows(text: Text, path: Path, where: str) -> Rows:
    if is_json(text.head) or path.suffix.lower() in _JSON:
        return json_rows(text, where)
    return nginx_rows(text, where) if is_nginx(text.head) else csv_rows(text, where)
