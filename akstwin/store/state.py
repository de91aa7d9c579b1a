"""A world's records in a file that survives the end of the process at any moment (SQLite).

All records are read and checked when the file is opened, and kept in memory from then on: nothing that looks at them waits for a
disk. What changes is collected; `write` puts all of it into the file in one transaction, wholly or not at all. Who answers for a
change writes first and answers then. Inside `commanding`, the first transaction of a store is in the file before it returns: what
a command decides is written before it is performed, and a command that cannot be written has changed nothing.

The journal is SQLite's rollback journal, not its write-ahead log: the file alone holds all that was acknowledged, and the
journal beside it holds what undoes a transaction that nobody has heard of. `synchronous=FULL` forces each transaction to the
disk, so that a power cut loses no more than a kill.
"""

import contextlib
import fcntl
import os
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from types import MappingProxyType
from typing import Final

from akstwin.errors import AksError, InvalidSetting, Unwritable
from akstwin.store.contents import (
    APPLICATION,
    RECORDS,
    SCHEMA,
    SETTING,
    WHOLE,
    Name,
    Texts,
    Whole,
    check_header,
    damaged,
    digest_of,
    journal_of,
    log_of,
    read_contents,
)
from akstwin.store.disk import force, unwritable
from akstwin.store.memory import Key, MemoryStore
from akstwin.store.sequence import Sequence

__all__ = ["APPLICATION", "SCHEMA", "SETTING", "Batch", "KeptStore", "Name", "StateFile"]

_PUT: Final = "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?)"
_DROP: Final = "DELETE FROM record WHERE workspace = ? AND kind = ? AND key = ?"
_PUT_WHOLE: Final = "INSERT OR REPLACE INTO whole VALUES (?, ?, ?, ?, ?)"
_LOCKED: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_LOCK_BYTES: Final = (510, 0x40000002)
"""How many bytes SQLite locks, and from where (https://www.sqlite.org/fileformat.html, 1.6: the lock-byte page)."""
_JOURNAL_KEPT: Final = 1 << 20
"""The journal keeps so many bytes between transactions: they need no new room on the disk."""
_READ_ONLY: Final = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


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

    All but `write` and `flush` is for one thread.

    Args:
        path: the file; it is made if it is not there, or empty.

    Raises:
        InvalidSetting: it cannot be such a file, is another program's or a newer version's, is damaged, is older than what is
            kept beside it, or a running server has it. Nothing in it has changed then.
    """

    def __init__(self, path: Path) -> None:
        self.path = path = _resolved(path)
        self._changes: dict[Name, str | None] = {}
        self._returned: list[Batch] = []
        """Batches that could not be written, to go with the next one."""
        self._lock = threading.Lock()
        self._commanding = False
        self.before_command: list[Callable[[], None]] = []
        """Called before a command is written; may `put`."""
        self._sequence = Sequence(self.folder)
        _check_place(path)
        if _is_absent(path):
            self._check_nothing_is_left()
            _make(path)
        check_header(path)
        _check_free(path)
        found = read_contents(path)
        self._schema = found.schema
        self._texts: Texts = found.texts
        self._digests = found.digests
        self._whole = found.whole or Whole(token_hex(16), 0)
        self._check_sequence()
        self._connection = _opened(path, found.schema)
        self._inode = _inode(path)

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

    # -- what changes

    def change(self, name: Name, text: str | None) -> None:
        """Collect a change for the next batch."""
        self._changes[name] = text

    def names(self, workspace: str) -> list[Name]:
        """The names of all records of a workspace."""
        return [(workspace, kind, key) for kind, kept in self._texts.get(workspace, {}).items() for key in kept]

    @property
    def number(self) -> int:
        """Of transactions so far."""
        return self._whole.number

    def put(self, name: Name, text: str, *, written: bool = False) -> None:
        """Keep a record beside all transactions: it holds whether they come to an end or not.

        Args:
            name: of the record.
            text: of it.
            written: whether it is in the file already.
        """
        workspace, kind, key = name
        kept = self._texts.setdefault(workspace, {}).setdefault(kind, {})
        if kept.get(key) != text:
            kept[key] = text
            if not written:
                self._changes[name] = text

    @property
    def changed(self) -> bool:
        """Whether there is something to write."""
        return bool(self._changes or self._returned)

    @contextlib.contextmanager
    def commanding(self) -> Iterator[None]:
        """Write the first transaction of a store inside the block before it ends; later changes are collected for the next."""
        outer, self._commanding = self._commanding, True
        try:
            yield
        finally:
            self._commanding = outer

    def decided(self, changes: Mapping[Name, str | None]) -> None:
        """Collect the changes of one transaction; inside `commanding` also write them, with all that is collected.

        Raises:
            Unwritable: the file cannot be written; the changes are collected no more.
        """
        if not self._commanding:
            self._changes.update(changes)
            return
        for prepare in self.before_command:
            prepare()
        with self._lock:
            before = self._taken()
            try:
                self.write(Batch({**before, **changes}))
            except AksError:
                self._changes = before
                raise
        self._commanding = False  # what comes now are effects

    def take(self, files: Iterable[Path] = ()) -> Batch:
        """All changes since the last batch.

        Args:
            files: what must be on the disk before them.
        """
        return Batch(self._taken(), tuple(files))

    def _taken(self) -> dict[Name, str | None]:
        taken: dict[Name, str | None] = {}
        while self._returned:
            taken.update(self._returned.pop(0).records)
        taken.update(self._changes)
        self._changes = {}
        return taken

    def put_back(self, batch: Batch) -> None:
        """Changes that could not be written go with the next batch."""
        self._returned.append(batch)

    # -- writing

    def flush(self, batch: Batch, beside: Mapping[Name, str] = MappingProxyType({})) -> None:
        """`write`; what could not be written goes with the next batch. On any thread.

        Args:
            batch: what to write.
            beside: further records, which do not go with the next batch.

        Raises:
            Unwritable: the file cannot be written.
        """
        with self._lock:
            try:
                self.write(Batch({**batch.records, **beside}, batch.files))
            except AksError:
                self.put_back(batch)
                raise

    def write(self, batch: Batch) -> None:
        """Put changes into the file, wholly or not at all; when this returns they are on the disk. On any thread, one at a time.

        Raises:
            Unwritable: the file cannot be written.
        """
        what = f"{SETTING} {self.path}"
        try:
            force(batch.files)
            if batch.records:
                if _inode(self.path) != self._inode:
                    raise Unwritable(what, "it was removed or replaced while this server has it", False)
                self._write(batch.records)
        except (TypeError, UnicodeError) as error:
            raise Unwritable(what, f"a record is no text: {error}", False) from None
        except (sqlite3.Error, OSError) as error:
            raise unwritable(what, error) from None

    def _write(self, records: Mapping[Name, str | None]) -> None:
        """One transaction, and its number."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self._sequence.write(
            self._whole.identity, self._whole.number
        )  # should it not be there yet, or have failed last time
        digests, whole = self._digests, self._whole
        if self._schema != SCHEMA:
            self._connection.execute("PRAGMA journal_mode = PERSIST").fetchall()
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            if self._schema != SCHEMA:
                digests, whole = self._convert()
            gone = come = 0
            new: dict[Name, int | None] = {}
            for name, text in records.items():
                gone += digests.get(name, 0)
                if text is None:
                    self._connection.execute(_DROP, name)
                    new[name] = None
                else:
                    digest = digest_of(name, text)
                    self._connection.execute(_PUT, (*name, text, digest))
                    come += (number := int.from_bytes(digest, "big"))
                    new[name] = number
            whole = whole.changed(gone, come)
            self._connection.execute(_PUT_WHOLE, whole.row())
            self._connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # the first error counts; SQLite may have rolled back by itself
                self._connection.execute("ROLLBACK")
            raise
        self._schema, self._whole, self._digests = SCHEMA, whole, digests
        for name, number_or_none in new.items():
            if number_or_none is None:
                digests.pop(name, None)
            else:
                digests[name] = number_or_none
        with contextlib.suppress(OSError):  # it may be behind; the next transaction tries again, and says so
            self._sequence.write(whole.identity, whole.number)

    def _convert(self) -> tuple[dict[Name, int], Whole]:
        """Make an older file's tables those of this version, in the transaction that is open."""
        rows = self._connection.execute("SELECT * FROM record").fetchall()
        self._connection.execute("DROP TABLE record")
        self._connection.execute(RECORDS)
        self._connection.execute(WHOLE)
        self._connection.execute(f"PRAGMA user_version = {SCHEMA}")
        digests: dict[Name, int] = {}
        for *name, text in rows:
            digest = digest_of((name[0], name[1], name[2]), text)
            self._connection.execute(_PUT, (*name, text, digest))
            digests[name[0], name[1], name[2]] = int.from_bytes(digest, "big")
        return digests, self._whole.changed(0, sum(digests.values()))

    def commit(self, files: Iterable[Path] = ()) -> None:
        """Write all changes now.

        Args:
            files: what must be on the disk before them.

        Raises:
            Unwritable: the file cannot be written; the changes go with the next batch.
        """
        self.flush(self.take(files))

    def close(self) -> None:
        """Let go of the file; what has not been written is lost."""
        with contextlib.suppress(sqlite3.Error):  # an empty journal may stay, it harms nothing
            if self._schema == SCHEMA:
                self._connection.execute("PRAGMA journal_mode = DELETE").fetchall()
        self._connection.close()
        self._sequence.close()

    # -- what belongs together

    def _check_nothing_is_left(self) -> None:
        """A file that is gone, with what belongs to it left behind, is not a new one."""
        left = [each.name for each in (journal_of(self.path), log_of(self.path)) if not _is_absent(each)]
        if self.folder.is_dir() and any(self.folder.iterdir()):
            left.append(self.folder.name)
        if left:
            expected = (
                f"there, or is empty, while {' and '.join(left)} beside it belong to it: put the file back, or remove them, too,"
                " to begin anew"
            )
            raise InvalidSetting(SETTING, str(self.path), expected)

    def _check_sequence(self) -> None:
        """Refuse a file that is older than what is kept beside it, or another state's."""
        whole, path = self._whole, self._sequence.path
        if self._schema != SCHEMA:
            return
        if not self.folder.is_dir():
            if not whole.number:
                return
            expected = f"a file with its folder {self.folder.name} beside it"
            raise InvalidSetting(SETTING, str(self.path), expected)
        try:
            found = self._sequence.read()
        except (ValueError, OSError) as error:
            raise damaged(self.path, f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
        if found is None:
            if whole.number:
                raise damaged(self.path, f"{path} is missing")
            return
        identity, number = found
        if identity != whole.identity:
            raise damaged(self.path, f"{self.folder.name} belongs to another state")
        if number > whole.number:
            later = f"{self.folder.name} knows of {number} transactions, the file of {whole.number}"
            raise damaged(self.path, f"it is an older copy: {later}")


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
            self._file.decided({(self._workspace, kind, key): text for (kind, key), text in changes.items()})

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


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links, which Python 3.11 calls a RuntimeError
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InvalidSetting(SETTING, str(path), f"a file, or the name of one to come: {reason}") from None


def _check_place(path: Path) -> None:
    try:
        path.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise InvalidSetting(SETTING, str(path), f"a file, or the name of one to come: {error.strerror}") from None


def _is_absent(path: Path) -> bool:
    return not path.exists() or (path.is_file() and not path.stat().st_size)


def _inode(path: Path) -> tuple[int, int] | None:
    """Which file it is that has the name; None: there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _make(path: Path) -> None:
    """A new file comes into being whole: it is made under another name."""
    made: Path | None = None
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        os.close(handle)
        made = Path(name)
        with contextlib.closing(sqlite3.connect(made, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = OFF").fetchall()  # what does not come into being whole is removed
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {SCHEMA}")
            connection.execute(RECORDS)
            connection.execute(WHOLE)
            connection.execute(_PUT_WHOLE, Whole(token_hex(16), 0).row())
        force([made])
        made.replace(path)
        force([path])
    except (OSError, sqlite3.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InvalidSetting(SETTING, str(path), f"a file that can be made: {reason}") from None
    finally:
        if made is not None:
            made.unlink(missing_ok=True)


def _check_free(path: Path) -> None:
    """Refuse a file that a running server has: nothing in it can be judged while that one writes."""
    try:
        with path.open("r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, *_LOCK_BYTES)
    except BlockingIOError:
        raise InvalidSetting(SETTING, str(path), "free: a running server has it") from None
    except OSError as error:
        raise InvalidSetting(SETTING, str(path), f"a state file that can be written: {error.strerror}") from None


def _opened(path: Path, schema: int) -> sqlite3.Connection:
    """The file, for this process alone. The lock is the operating system's: it ends with the process, however that ends."""
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw", uri=True, timeout=0, isolation_level=None, check_same_thread=False
    )
    settings = ["locking_mode = EXCLUSIVE", "synchronous = FULL", f"journal_size_limit = {_JOURNAL_KEPT}"]
    try:
        for setting in settings if schema != SCHEMA else [*settings, "journal_mode = PERSIST"]:
            connection.execute(f"PRAGMA {setting}").fetchall()
        connection.execute("BEGIN EXCLUSIVE")  # now, not at the first change
        connection.execute(f"PRAGMA user_version = {schema}")  # what cannot be written to is refused now, too
        connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        connection.close()
        if getattr(error, "sqlite_errorcode", None) in _LOCKED:
            raise InvalidSetting(SETTING, str(path), "free: a running server has it") from None
        raise InvalidSetting(SETTING, str(path), f"a state file that can be written: {error}") from None
    return connection
