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

_FOREIGN: Final = {
    b"PK\x03\x04": "a zip archive or an Excel workbook: unpack it, or save the sheet as CSV",
    b"BZh": "compressed by bzip2: unpack it, or compress it by gzip",
    b"\xfd7zX": "compressed by xz: unpack it, or compress it by gzip",
    b"\x28\xb5\x2f\xfd": "compressed by zstd: unpack it, or compress it by gzip",
    b"ARRO": "an Arrow file: write it as Parquet",
    b"Obj\x01": "an Avro file: write it as Parquet",
    b"SQLi": "a database of SQLite: export the table as CSV",
}
"""What other files begin with."""
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
        magic = magic_of(path)
        foreign = next((said for start, said in _FOREIGN.items() if magic.startswith(start)), None)
        if foreign is not None:
            raise UnreadableFile(where, f"is {foreign}")
        if path.suffix.lower() == ".parquet" or magic == b"PAR1":
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
