"""A world's records in a file that survives the end of the process at any moment (SQLite).

All records are read when the file is opened, and kept in memory from then on: nothing that looks at them waits for a disk.
What changes is collected; `write` puts all of it into the file in one transaction, wholly or not at all. Who answers for a
change writes first and answers then.

A killed process loses nothing that was handed to the kernel, so for that alone a commit that is not forced to the disk would
do. `synchronous=FULL` forces each one, so that a power cut does not lose it either.
"""

import contextlib
import json
import os
import sqlite3
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from struct import Struct
from typing import Final

from akstwin.domain.nesting import DEEPEST, check_nesting
from akstwin.errors import AksError, InvalidSetting
from akstwin.store.memory import Key, MemoryStore

SETTING: Final = "--state"
APPLICATION: Final = 0x414B5354
"""`AKST`: what SQLite keeps in the header of a file of ours."""
SCHEMA: Final = 2
"""The version of the tables and records that this akstwin writes. Version 1, of akstwin 0.1.0, had no timers."""
READABLE: Final = (1, SCHEMA)
"""The versions that it reads: an older file becomes one of `SCHEMA` when it is first written to."""
_MAGIC: Final = b"SQLite format 3\0"
_HEAD: Final = Struct(">60x I 4x I")
"""How a database begins (https://www.sqlite.org/fileformat.html, 1.3): at 60 its user's version, at 68 the application."""
_TABLES: Final = (
    "CREATE TABLE record (workspace TEXT, kind TEXT, key TEXT, value TEXT NOT NULL,"
    " PRIMARY KEY (workspace, kind, key)) WITHOUT ROWID"
)
_PUT: Final = "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?)"
_DROP: Final = "DELETE FROM record WHERE workspace = ? AND kind = ? AND key = ?"
_LOCKED: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)

_DEEPEST: Final = DEEPEST + 20
"""A record holds what was sent some levels down."""

Name = tuple[str, str, str]
"""Workspace, kind and key of a record."""


@dataclass(frozen=True)
class Batch:
    """Changes that belong together.

    Attributes:
        records: the texts that are new; None: the record is gone.
        files: what must be on the disk before them.
    """

    records: dict[Name, str | None] = field(default_factory=dict)
    files: tuple[Path, ...] = ()


class StateFile:
    """A file with the records of several workspaces. One process has it at a time.

    All but `write` is for one thread.

    Args:
        path: the file; it is made if it is not there, or empty.

    Raises:
        InvalidSetting: it cannot be such a file, is another program's or a newer version's, is damaged, or a running server
            has it. Nothing in it has changed then.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._changes: dict[Name, str | None] = {}
        self._texts: dict[str, dict[str, dict[str, str]]] = {}
        if not self.path.exists() or (self.path.is_file() and not self.path.stat().st_size):
            _make(self.path)
        self._schema = _check(self.path)
        self._connection = _opened(self.path)
        try:
            for workspace, kind, key, value in self._connection.execute("SELECT * FROM record"):
                self._check_nesting(kind, key, value)
                self._texts.setdefault(workspace, {}).setdefault(kind, {})[key] = value
        except sqlite3.Error as error:
            self._connection.close()
            raise InvalidSetting(SETTING, str(self.path), f"a state file that is whole: {error}") from None

    def _check_nesting(self, kind: str, key: str, text: str) -> None:
        """Refuse a record that could be read and not be answered."""
        if text.count("[") + text.count("{") <= _DEEPEST:  # it cannot be nested more deeply
            return
        try:
            check_nesting(SETTING, json.loads(text), _DEEPEST)
        except (RecursionError, InvalidSetting):
            self._connection.close()
            expected = (
                f"a state file whose records mean something: {kind} {key} is nested more than {DEEPEST} levels deep"
            )
            raise InvalidSetting(SETTING, str(self.path), expected) from None

    @property
    def folder(self) -> Path:
        """For files that belong to the records: beside the file, with `.files` after its name."""
        return self.path.with_name(f"{self.path.name}.files")

    def workspaces(self) -> list[str]:
        """The workspaces that there are records of, sorted."""
        return sorted(name for name, kinds in self._texts.items() if any(kinds.values()))

    def store(self, workspace: str) -> "KeptStore":
        """The records of a workspace."""
        return KeptStore(self, workspace)

    def change(self, name: Name, text: str | None) -> None:
        """Collect a change for the next batch."""
        self._changes[name] = text

    @property
    def changed(self) -> bool:
        """Whether there is something to write."""
        return bool(self._changes)

    def take(self, files: Iterable[Path] = ()) -> Batch:
        """All changes since the last batch.

        Args:
            files: what must be on the disk before them.
        """
        changes, self._changes = self._changes, {}
        return Batch(changes, tuple(files))

    def put_back(self, batch: Batch) -> None:
        """Changes that could not be written go with the next batch."""
        self._changes = {**batch.records, **self._changes}

    def write(self, batch: Batch) -> None:
        """Put changes into the file, wholly or not at all; when this returns they are on the disk. On any thread.

        Raises:
            AksError: the file cannot be written.
        """
        try:
            _force(batch.files)
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                if batch.records and self._schema != SCHEMA:
                    self._connection.execute(f"PRAGMA user_version = {SCHEMA}")
                for name, text in batch.records.items():
                    self._connection.execute(*((_DROP, name) if text is None else (_PUT, (*name, text))))
        except (sqlite3.Error, OSError) as error:
            raise AksError(f"{SETTING} {self.path}: cannot be written: {error}") from None
        if batch.records:
            self._schema = SCHEMA

    def commit(self, files: Iterable[Path] = ()) -> None:
        """Write all changes now.

        Args:
            files: what must be on the disk before them.

        Raises:
            AksError: the file cannot be written; the changes go with the next batch.
        """
        batch = self.take(files)
        try:
            self.write(batch)
        except AksError:
            self.put_back(batch)
            raise

    def close(self) -> None:
        """Let go of the file; what has not been written is lost."""
        self._connection.close()


class KeptStore(MemoryStore):
    """The records of one workspace in a state file.

    Args:
        file: which.
        workspace: whose records.
    """

    def __init__(self, file: StateFile, workspace: str) -> None:
        super().__init__()
        self._file: StateFile | None = file
        self._workspace = workspace
        self._texts = file._texts.setdefault(workspace, {})  # noqa: SLF001 - one thing in two classes

    def _write(self, changes: Mapping[Key, str | None]) -> None:
        if self._file is not None:
            for (kind, key), text in changes.items():
                self._file.change((self._workspace, kind, key), text)

    def renewed(self) -> "KeptStore":
        """The store in place of this one, empty. This one goes on in memory only: whoever still has it harms nothing."""
        file = self._file
        assert file is not None, "renewed already"  # noqa: S101
        for kind, texts in self._texts.items():
            for key in texts:
                file.change((self._workspace, kind, key), None)
        self._file = None
        file._texts[self._workspace] = {}  # noqa: SLF001 - one thing in two classes
        return file.store(self._workspace)


def _make(path: Path) -> None:
    """A new file comes into being whole: it is made under another name."""
    made: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        os.close(handle)
        made = Path(name)
        with contextlib.closing(sqlite3.connect(made, isolation_level=None)) as connection:
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {SCHEMA}")
            connection.execute(_TABLES)
        made.replace(path)
        _force([path])
    except (OSError, sqlite3.Error) as error:
        if made is not None:
            made.unlink(missing_ok=True)
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InvalidSetting(SETTING, str(path), f"a file that can be made: {reason}") from None


def _check(path: Path) -> int:
    """Refuse what is not ours; returns the version of its tables.

    The header is read without SQLite: that changes nothing and takes no lock, even while another process has the file open.
    SQLite itself would call a file damaged whose owner was killed while its log was being copied into it.
    """
    if not path.is_file():
        raise InvalidSetting(SETTING, str(path), "a file, or the name of one to come")
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD.size)
    except OSError as error:
        raise InvalidSetting(SETTING, str(path), f"a file that can be read: {error.strerror}") from None
    if len(head) < _HEAD.size or not head.startswith(_MAGIC):
        raise InvalidSetting(SETTING, str(path), "a state file of akstwin: file is not a database")
    version, application = _HEAD.unpack(head)
    if application != APPLICATION:
        raise InvalidSetting(SETTING, str(path), "a state file of akstwin: another program's database")
    if version not in READABLE:
        expected = f"a state file of this akstwin: its tables have version {version}, and {SCHEMA} is known here"
        raise InvalidSetting(SETTING, str(path), expected)
    return int(version)


def _opened(path: Path) -> sqlite3.Connection:
    """The file, for this process alone. The lock is the operating system's: it ends with the process, however that ends."""
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw", uri=True, timeout=0, isolation_level=None, check_same_thread=False
    )
    try:
        for setting in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
            connection.execute(f"PRAGMA {setting}").fetchall()
        connection.execute("BEGIN IMMEDIATE")  # now, not at the first change
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        connection.close()
        if getattr(error, "sqlite_errorcode", None) in _LOCKED:
            raise InvalidSetting(SETTING, str(path), "free: a running server has it") from None
        raise InvalidSetting(SETTING, str(path), f"a state file that can be written: {error}") from None
    return connection


def _force(paths: Iterable[Path]) -> None:
    """Files, and the folders that name them, are on the disk when this returns."""
    folders: dict[Path, None] = {}
    for path in paths:
        if _forced(path):
            folders[path.parent] = None
    for folder in folders:
        _forced(folder)


def _forced(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:  # it has been removed since, with its workspace's state
        return False
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    return True
