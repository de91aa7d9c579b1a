"""The journal of a policy's run: every decision with its inputs and reason, kept before it is acted on, marked when done.

A run that is stopped anywhere goes on from it: the last decision's state is taken up, and those of its actions that are not in
force yet are done. A line is JSON; one that was cut off by the end of a process is left out.
"""

import json
import os
from pathlib import Path
from typing import Any, Final, Protocol

from akstwin.errors import UnreadableFile, Unwritable

Row = dict[str, Any]
"""`{"decision": …}`, or `{"done": number of the decision}`."""
_FORM: Final = 1


class Journal(Protocol):
    """Keeps rows."""

    @property
    def rows(self) -> list[Row]:
        """What is kept, the oldest first."""
        ...

    def keep(self, row: Row) -> None:
        """Keep one more; when this returns, it is kept."""
        ...


class MemoryJournal:
    """Kept as long as the process runs."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def keep(self, row: Row) -> None:
        """Keep one more."""
        self.rows.append(row)


class FileJournal:
    """Kept in a file, which one run at a time may have.

    Args:
        path: of the file; it is made if it is not there.

    Raises:
        UnreadableFile: it is something else than a journal.
        Unwritable: it cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self.rows, whole = _read(self._path)
        try:
            self._file = self._path.open("r+b" if self._path.exists() else "w+b")
            self._file.truncate(whole)
            self._file.seek(whole)
        except OSError as error:
            raise Unwritable(f"the journal {self._path}", error.strerror or str(error), full=False) from None

    def keep(self, row: Row) -> None:
        """Keep one more, on the disk.

        Raises:
            Unwritable: the disk does not take it.
        """
        line = json.dumps({"form": _FORM, **row}, allow_nan=False).encode() + b"\n"
        try:
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise Unwritable(f"the journal {self._path}", error.strerror or str(error)) from None
        self.rows.append(row)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _read(path: Path) -> tuple[list[Row], int]:
    """The rows, and how many bytes of the file are whole lines."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], 0
    except OSError as error:
        raise UnreadableFile(str(path), error.strerror or str(error)) from None
    whole = data.rfind(b"\n") + 1
    rows: list[Row] = []
    for number, line in enumerate(data[:whole].splitlines(), 1):
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict) or row.pop("form", None) != _FORM:
            raise UnreadableFile(str(path), f"line {number} is no row of a policy's journal")
        rows.append(row)
    return rows, whole
