"""What is in a state file, read and checked as a whole, without changing it.

Each record has the digest of itself beside it. One more row has the sum of all digests, so that a record that is missing or is an
older one is found as well: the sum is the same in whatever order the records are added. SQLite's own check finds pages that make
no tree.
"""

import contextlib
import json
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from shutil import copyfile
from struct import Struct
from typing import Final

from akstwin.domain.nesting import DEEPEST, check_nesting
from akstwin.errors import InvalidSetting

SETTING: Final = "--state"
APPLICATION: Final = 0x414B5354
"""`AKST`: what SQLite keeps in the header of a file of ours."""
SCHEMA: Final = 3
"""The version of the tables and records that this akstwin writes.

Version 1, of akstwin 0.1.0, had no timers; versions 1 and 2 had no digests, and a write-ahead log beside the file.
"""
READABLE: Final = (1, 2, SCHEMA)
"""The versions that it reads: an older file becomes one of `SCHEMA` when it is first written to."""
_MAGIC: Final = b"SQLite format 3\0"
_HEAD: Final = Struct(">60x I 4x I")
"""How a database begins (https://www.sqlite.org/fileformat.html, 1.3): at 60 its user's version, at 68 the application."""
_DEEPEST: Final = DEEPEST + 20
"""A record holds what was sent some levels down."""
_JOURNAL_HEAD: Final = 28
"""Bytes; zeros: there is nothing to roll back (https://www.sqlite.org/fileformat.html, 3)."""

RECORDS: Final = (
    "CREATE TABLE record (workspace TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
    " digest BLOB NOT NULL, PRIMARY KEY (workspace, kind, key)) WITHOUT ROWID"
)
WHOLE: Final = (
    "CREATE TABLE whole (only_row INTEGER PRIMARY KEY, identity TEXT NOT NULL, number INTEGER NOT NULL, total BLOB NOT NULL,"
    " digest BLOB NOT NULL)"
)
OLDER: Final = (
    "CREATE TABLE record (workspace TEXT, kind TEXT, key TEXT, value TEXT NOT NULL,"
    " PRIMARY KEY (workspace, kind, key)) WITHOUT ROWID"
)
_SIZE: Final = 32
_MODULUS: Final = 1 << 8 * _SIZE

Name = tuple[str, str, str]
"""Workspace, kind and key of a record."""
Texts = dict[str, dict[str, dict[str, str]]]
"""Values by workspace, kind and key."""


@dataclass(frozen=True)
class Whole:
    """What holds for all records together.

    Attributes:
        identity: of the state, made by chance with the file.
        number: of transactions so far.
        total: of the digests of all records.
    """

    identity: str
    number: int
    total: int = 0

    def changed(self, gone: int, come: int) -> "Whole":
        """After one more transaction.

        Args:
            gone: the sum of the digests of the records that are no more.
            come: of those that are new.
        """
        return Whole(self.identity, self.number + 1, (self.total - gone + come) % _MODULUS)

    def row(self) -> tuple[int, str, int, bytes, bytes]:
        """As it is kept."""
        total = self.total.to_bytes(_SIZE, "big")
        return 1, self.identity, self.number, total, _digest(self.identity, str(self.number), total.hex())


@dataclass
class Contents:
    """What is in a file.

    Attributes:
        schema: the version of its tables.
        texts: its records.
        digests: of its records, as numbers.
        whole: what holds for all of them; a file of an older version has none.
    """

    schema: int
    texts: Texts = field(default_factory=dict)
    digests: dict[Name, int] = field(default_factory=dict)
    whole: Whole | None = None


def _digest(*parts: str) -> bytes:
    """Of texts, each apart: their lengths count."""
    made = sha256()
    for part in parts:
        written = bytes(part, "utf-8")
        made.update(len(written).to_bytes(8, "big"))
        made.update(written)
    return made.digest()


def digest_of(name: Name, text: str) -> bytes:
    """The digest of a record."""
    return _digest(*name, text)


def damaged(path: Path, what: str) -> InvalidSetting:
    """The refusal of a file that is not as it was written."""
    shown = "".join(char if char.isprintable() else "?" for char in what)  # SQLite quotes what it finds
    return InvalidSetting(SETTING, str(path), f"a state file that is whole: {shown}")


def read_contents(path: Path) -> Contents:
    """All that is in a file that nobody has open.

    Where a process has left a transaction half done, SQLite undoes it in a copy: what is refused stays as it was found.

    Raises:
        InvalidSetting: the file is not ours, or is not whole.
    """
    check_header(path)
    left = [beside for beside in (journal_of(path), log_of(path)) if _has_content(beside)]
    try:
        with contextlib.ExitStack() as stack:
            uri = f"{path.as_uri()}?mode=ro&immutable=1"
            if left:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="akstwin-state-")))
                for each in (path, *left):
                    copyfile(each, folder / each.name)
                uri = f"{(folder / path.name).as_uri()}?mode=rw"
            connection = stack.enter_context(contextlib.closing(sqlite3.connect(uri, uri=True, isolation_level=None)))
            return _read(path, connection)
    except (sqlite3.Error, UnicodeError) as error:
        raise damaged(path, str(error)) from None
    except OSError as error:
        expected = f"a file that can be read, with what belongs to it: {error.strerror or error}"
        raise InvalidSetting(SETTING, str(path), expected) from None


def journal_of(path: Path) -> Path:
    """The rollback journal of a file: what SQLite needs to undo a transaction that was under way."""
    return path.with_name(f"{path.name}-journal")


def log_of(path: Path) -> Path:
    """The write-ahead log of a file of version 1 or 2."""
    return path.with_name(f"{path.name}-wal")


def _has_content(beside: Path) -> bool:
    try:
        with beside.open("rb") as file:
            return any(file.read(_JOURNAL_HEAD))
    except FileNotFoundError:
        return False


def check_header(path: Path) -> None:
    """Refuse what is not ours.

    The header is read without SQLite: that changes nothing and takes no lock. SQLite itself would call a file damaged whose owner
    was killed while its log was being copied into it.
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


def _read(path: Path, connection: sqlite3.Connection) -> Contents:
    connection.execute("PRAGMA trusted_schema = OFF").fetchall()
    (schema,) = connection.execute("PRAGMA user_version").fetchone()
    found = Contents(schema)
    connection.execute("SELECT 1 FROM record").fetchone()  # SQLite says best what is wrong with it
    tables = [sql for (sql,) in connection.execute("SELECT sql FROM sqlite_master ORDER BY name")]
    if tables != ([RECORDS, WHOLE] if schema == SCHEMA else [OLDER]):
        raise damaged(path, f"its tables are not those of version {schema}")
    for (problem,) in connection.execute("PRAGMA integrity_check"):
        if problem != "ok":
            raise damaged(path, " ".join(str(problem).split()))
    for workspace, kind, key, value, digest in _rows(connection, schema):
        if not all(isinstance(part, str) for part in (workspace, kind, key, value)):
            raise damaged(path, f"record {kind} {key} of {workspace or 'the server'} is no text")
        if digest is not None and digest != digest_of((workspace, kind, key), value):
            raise damaged(path, f"record {kind} {key} of {workspace or 'the server'} is not as it was written")
        _check_nesting(path, kind, key, value)
        found.texts.setdefault(workspace, {}).setdefault(kind, {})[key] = value
        if digest is not None:
            found.digests[workspace, kind, key] = int.from_bytes(digest, "big")
    if schema == SCHEMA:
        found.whole = _read_whole(path, connection, sum(found.digests.values()) % _MODULUS)
    return found


def _check_nesting(path: Path, kind: str, key: str, text: str) -> None:
    """Refuse a record that could be read and not be answered."""
    if text.count("[") + text.count("{") <= _DEEPEST:  # it cannot be nested more deeply
        return
    try:
        check_nesting(SETTING, json.loads(text), _DEEPEST)
    except (RecursionError, InvalidSetting):
        expected = f"a state file whose records mean something: {kind} {key} is nested more than {DEEPEST} levels deep"
        raise InvalidSetting(SETTING, str(path), expected) from None


def _rows(connection: sqlite3.Connection, schema: int) -> Iterator[tuple[str, str, str, str, bytes | None]]:
    columns = "workspace, kind, key, value, " + ("digest" if schema == SCHEMA else "NULL")
    yield from connection.execute(f"SELECT {columns} FROM record")  # noqa: S608 - one of two


def _read_whole(path: Path, connection: sqlite3.Connection, total: int) -> Whole:
    rows = connection.execute("SELECT * FROM whole").fetchall()
    if len(rows) == 1:
        _, identity, number, kept, _ = rows[0]
        if isinstance(identity, str) and isinstance(number, int) and isinstance(kept, bytes):
            whole = Whole(identity, number, int.from_bytes(kept, "big"))
            if rows[0] == whole.row():
                if whole.total != total:
                    raise damaged(path, "records are missing, or are older than the last transaction")
                return whole
    raise damaged(path, "the row that stands for the whole is not as it was written")
