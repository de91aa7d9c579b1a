"""What a server keeps in its state file, and the rule that nobody hears of a change before it is there.

A command is written before it is performed: the store's transaction in which it is decided is in the file when it ends, or
raises and is undone. That happens on the event loop, so that nothing comes between decision and effect; a request to score may
wait for that one transaction. What follows from commands, and what time brings, changes in memory first; whatever answers a call
other than scoring has all of that written before, in one transaction on a thread of its own. The file never holds half a command.

If the file cannot be written, commands and uploads are refused and have changed nothing, and what only looks goes on: what time
has brought meanwhile goes to the file later, or comes again after a restart.
"""

import asyncio
import json
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ConfigDict

from akstwin.backend import WorkspaceIdentity
from akstwin.clock import SECOND, Micros
from akstwin.domain.assumed import read_assumptions
from akstwin.domain.service_urls import SERVICE_PREFIX
from akstwin.errors import AksError, InvalidSetting, Unwritable
from akstwin.fake_api.clock import Mode
from akstwin.fake_api.kept_files import describe, restore, unknown, wrong
from akstwin.files import FileStore
from akstwin.router.asgi import Message, Receive, Scope, Send, respond
from akstwin.sim.backend import Kept
from akstwin.store.contents import Name, damaged
from akstwin.store.disk import unwritable
from akstwin.store.state import Batch, StateFile

if TYPE_CHECKING:
    from akstwin.fake_api.app import PortApp

_BATCHES: Final = "/_akstwin/score/"
_CLOCK: Final = "/_akstwin/clock"
_SERVER: Final = ""
"""Records of the server itself: no workspace has this name."""
_ONLY: Final = "only"
"""The key of what there is one of."""
_FILE: Final = "file"
"""The kind of the records of files, by their path below the folder."""
_REQUESTS: Final = 1 << 32
"""So many requests has a workspace between two restarts at most."""


class ServerRecord(BaseModel):
    """What a file was made with.

    Attributes:
        seed: of all chance.
        assumptions: keys that differ, as they were given.
        first: the resource id of the workspace that has the server's ports, in small letters.
        secret: signs URLs, hexadecimal.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int
    assumptions: dict[str, Any]
    first: str
    secret: str


class WorkspaceRecord(BaseModel):
    """What a workspace was made with.

    Attributes:
        number: 0, 1, … in the order in which the file's workspaces were made.
        identity: who it is.
        renamed: the name that it was first asked for by, and has since; None: none was asked for yet.
        place: where it lies in the file; empty: below its first name. Another one has taken that name's place, and has gone by
            another name since.
        seed: of its chance.
        assumptions: keys that differ, as they were given.
        epoch: the Unix time at which its time began, s.
        generation: 1, 2, …: one more with each reset.
        runs: how often a process has taken it up since the last reset.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    identity: dict[str, str]
    seed: int
    assumptions: dict[str, Any]
    epoch: float
    generation: int = 1
    runs: int = 0
    renamed: dict[str, str] | None = None
    place: str = ""

    @property
    def shown(self) -> WorkspaceIdentity:
        """Who it is for its callers."""
        return WorkspaceIdentity(**(self.renamed or self.identity))


@dataclass(frozen=True)
class Source:
    """A world whose changes are written.

    Attributes:
        kept: where it is kept.
        now: tells its time.
        files: gives the files that it has kept since it was last asked.
        store: keeps these files, and undoes it where they cannot be recorded; None: they stay.
    """

    kept: "PersistedWorkspace"
    now: Callable[[], Micros]
    files: Callable[[], list[Path]]
    store: FileStore | None = None


@dataclass
class Asked:
    """A request, as far as it concerns the file.

    Attributes:
        failed: why what it brought could not be kept.
    """

    failed: AksError | None = None


_asked: ContextVar[Asked | None] = ContextVar("asked", default=None)
"""The request that is being answered."""


class PersistedWorkspace:
    """One workspace in the state file.

    Args:
        persistence: the file.
        record: what it was made with.
    """

    def __init__(self, persistence: "StatePersistence", record: WorkspaceRecord) -> None:
        self._persistence = persistence
        self._record = record
        self.identity = WorkspaceIdentity(**record.identity)
        self._key = record.place or _key(self.identity)
        self._store = persistence.file.store(self._key)
        self._remove_but(record.generation)
        persistence.adopt(self._folder / str(record.generation))
        self._put()

    @property
    def shown(self) -> WorkspaceIdentity:
        """Who it is for its callers."""
        return self._record.shown

    def rename(self, identity: WorkspaceIdentity) -> None:
        """Keep the name that it was first asked for by (Unwritable: the file cannot be written)."""
        self._record = self._record.model_copy(update={"renamed": asdict(identity)})
        with self._persistence.file.commanding():
            self._put()

    def acting(self) -> AbstractContextManager[None]:
        """Inside, a command is in the file before it is performed (Unwritable: it cannot be, and nothing has changed)."""
        return self._persistence.file.commanding()

    @property
    def record(self) -> WorkspaceRecord:
        """What it was made with."""
        return self._record

    def begin(self, clock: Mode) -> Kept:
        """What a world begins with, or goes on from.

        A live clock goes on at the time of day, all others where they stood when something was last written.

        Args:
            clock: how its time passes.
        """
        start = self._store.load("clock", _ONLY) or 0
        record = self._record
        if clock == "live" and record.runs:  # it never goes back, but may be ahead: waiting is skipped
            passed = time.time() - record.epoch  # noqa: TID251 - this world's own clock
            start = max(start, int(passed * SECOND))
        kept = Kept(self._store, self._folder / str(record.generation), Micros(start), record.runs * _REQUESTS)
        kept.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._record = record.model_copy(update={"runs": record.runs + 1})
        self._put()
        return kept

    def follow(
        self, now: Callable[[], Micros], files: Callable[[], list[Path]], store: FileStore | None = None
    ) -> None:
        """Write what changes in its world from now on, and nothing of the world before.

        Args:
            now: tells its time.
            files: gives the files that it has kept since it was last asked.
            store: keeps these files; without it they stay where they cannot be recorded.
        """
        self._persistence.follow(Source(self, now, files, store))

    def note(self, now: Micros) -> None:
        """Keep the time, beside all transactions."""
        self._persistence.file.put((self._key, "clock", _ONLY), json.dumps(now))

    def renew(self) -> None:
        """Forget all that is kept of it, in the file first. Its files go with the next transaction.

        Raises:
            Unwritable: the file cannot be written; nothing is forgotten.
        """
        file, folder = self._persistence.file, self._folder / str(self._record.generation)
        record = self._record.model_copy(update={"generation": self._record.generation + 1, "runs": 0})
        key, texts = self._key, json.dumps(record.model_dump(mode="json"))
        gone = dict.fromkeys(file.names(key))
        with file.commanding():
            file.decided({**gone, **self._persistence.forgotten(folder), (key, "workspace", _ONLY): texts})
        self._persistence.retire(folder)
        self._store = self._store.renewed()
        self._record = record
        self._put()

    def _put(self) -> None:
        self._store.save("workspace", _ONLY, self._record.model_dump(mode="json"))

    @property
    def _folder(self) -> Path:
        key = self._key
        return self._persistence.file.folder / f"{self.identity.name}-{sha256(key.encode()).hexdigest()[:12]}"

    def _remove_but(self, generation: int) -> None:
        """A process that was killed in a reset may have left the files of what is forgotten."""
        for folder in self._folder.glob("*"):
            if folder.name != str(generation):
                shutil.rmtree(folder)


class StatePersistence:
    """A server's state file, while it has it.

    Args:
        path: the file.
        seed: as it was asked for; None: the file's, for a new one 0.
        assumptions: as they were asked for; none: the file's.
        identity: the first workspace; None: the file's, for a new one the default.

    Raises:
        InvalidSetting: the file cannot be used, or was made with something else than is asked for.
        ValueError: its records mean nothing.
    """

    def __init__(
        self,
        path: Path,
        seed: int | None,
        assumptions: Mapping[str, Any],
        identity: WorkspaceIdentity | None,
    ) -> None:
        self.file = StateFile(path)
        self._sources: list[Source] = []
        self._retired: list[Path] = []
        self._writer = ThreadPoolExecutor(1, "akstwin-state")
        self._writing = asyncio.Lock()
        self._bringing: dict[Path, list[Asked]] = {}
        """The requests that have brought files which are not recorded yet."""
        self.file.before_command.append(self._note)
        try:
            self._server = self.file.store(_SERVER)
            self.record = self._read(path, seed, assumptions, identity)
            self._check_files()
            self.file.folder.mkdir(mode=0o700, exist_ok=True)
            self.file.commit()
            self.first = self._first(identity)
        except OSError as error:
            self.file.close()
            expected = f"a file with a folder {self.file.folder.name} beside it: {error.strerror}"
            raise InvalidSetting("--state", str(path), expected) from None
        except (AksError, ValueError):
            self.file.close()
            raise

    @property
    def secret(self) -> bytes:
        """Signs URLs."""
        return bytes.fromhex(self.record.secret)

    def identities(self) -> list[WorkspaceIdentity]:
        """All workspaces that are in the file, the oldest first."""
        records = sorted(self._records().values(), key=lambda each: each.number)
        return [each.shown for each in records]

    def workspace(
        self, identity: WorkspaceIdentity, seed: int | None, assumptions: Mapping[str, Any] | None, epoch: float
    ) -> PersistedWorkspace:
        """A workspace of the file, made if it is not there.

        Args:
            identity: who it is.
            seed: as it was asked for; None: its own, for a new one the file's.
            assumptions: as they were asked for, over the file's; None: its own.
            epoch: the Unix time at which the time of a new one begins, s.

        Raises:
            InvalidSetting: it was made with something else than is asked for.
        """
        records = self._records()
        known = next((each for each in records.values() if _key(each.shown) == _key(identity)), None)
        if known is None:
            known = WorkspaceRecord(
                number=len(records),
                identity=asdict(identity),
                seed=self.record.seed if seed is None else seed,
                assumptions={**self.record.assumptions, **(assumptions or {})},
                epoch=epoch,
                place=f"{_key(identity)}#{len(records)}" if _key(identity) in records else "",
            )
        else:
            _check(self.file.path, known.seed, known.assumptions, seed, assumptions or {})
        return PersistedWorkspace(self, known)

    def follow(self, source: Source) -> None:
        """Write what changes in a world, from now on."""
        self._sources = [each for each in self._sources if each.kept is not source.kept]
        self._sources.append(source)
        if source.store is not None:
            source.store.on_kept = self._brought

    def _brought(self, path: Path) -> None:
        asked = _asked.get()
        if asked is not None:
            self._bringing.setdefault(path, []).append(asked)

    def _note(self) -> None:
        for source in self._sources:
            source.kept.note(source.now())

    def forget(self, identity: WorkspaceIdentity) -> None:
        """A workspace's world has ended: there is nothing to write of it any more."""
        self._sources = [each for each in self._sources if _key(each.kept.shown) != _key(identity)]

    def retire(self, folder: Path) -> None:
        """Remove a folder when what is known now has been written."""
        self._retired.append(folder)
        for _, _, name in self.forgotten(folder):
            self._server.delete(_FILE, name)

    def forgotten(self, folder: Path) -> dict[Name, str | None]:
        """The changes by which all files below a folder are forgotten."""
        prefix = f"{folder.relative_to(self.file.folder).as_posix()}/"
        return {(_SERVER, _FILE, name): None for name in self._server.keys(_FILE) if name.startswith(prefix)}

    def adopt(self, folder: Path) -> None:
        """Record files that are there without a record.

        Their upload was not acknowledged, or an older version kept no records of files.
        """
        try:
            found = describe(self.file.folder, unknown(self.file.folder, folder / "files", self._known_files()))
        except OSError as error:
            raise unwritable(str(self.file.folder), error) from None
        for name, text in found.items():
            self.file.put((_SERVER, _FILE, name), text)

    def _known_files(self) -> dict[str, str]:
        return {name: self._server.version(_FILE, name) or "" for name in self._server.keys(_FILE)}

    def _check_files(self) -> None:
        """Refuse a state whose uploads are not as they were acknowledged."""
        known, folder = self._known_files(), self.file.folder
        restore(folder, known)
        problems = list(wrong(folder, known))
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise damaged(self.file.path, f"{problems[0]}{more}")

    async def settle(self, *, noted: bool) -> None:
        """Return when all changes so far are in the file.

        Args:
            noted: whether the worlds' present is worth a transaction by itself.

        Raises:
            AksError: the file cannot be written; the changes wait for the next time.
        """
        # Shielded: who waits may go away, the changes are taken and must come to the file or back.
        await asyncio.shield(asyncio.ensure_future(self._settle(noted=noted)))

    async def _settle(self, *, noted: bool) -> None:
        async with self._writing:  # those that come meanwhile go together
            files = [path for source in self._sources for path in source.files()]
            if not (noted or files or self.file.changed):
                return
            self._note()
            retired, self._retired = self._retired, []
            loop = asyncio.get_running_loop()
            try:
                described = await loop.run_in_executor(self._writer, self._describe, files)
                await loop.run_in_executor(self._writer, self._write, self.file.take(), described, retired)
            except AksError as error:
                self._retired = [*retired, *self._retired]
                self._undo(files, error)
                raise
            self._recorded(files, described)

    def _undo(self, files: Iterable[Path], error: AksError) -> None:
        """Files that came cannot be recorded: they go, and who brought them is told."""
        for source in self._sources:
            if source.store is not None:
                source.store.undo()
        for path in files:
            for asked in self._bringing.pop(path, ()):
                asked.failed = error

    def _recorded(self, files: Iterable[Path], described: Mapping[Name, str]) -> None:
        for name, text in described.items():
            self.file.put(name, text, written=True)
        for source in self._sources:
            if source.store is not None:
                source.store.stay()
        for path in files:
            self._bringing.pop(path, None)

    def _describe(self, files: Iterable[Path]) -> dict[Name, str]:
        try:
            found = describe(self.file.folder, files)
        except OSError as error:
            raise unwritable(str(self.file.folder), error) from None
        return {(_SERVER, _FILE, name): text for name, text in found.items()}

    def _write(self, batch: Batch, described: Mapping[Name, str], retired: Iterable[Path]) -> None:
        self.file.flush(batch, described)
        for folder in retired:
            shutil.rmtree(folder, ignore_errors=True)  # what stays is removed when the file is next opened

    async def close(self) -> None:
        """Write what is left, and let go of the file.

        Raises:
            AksError: the file cannot be written: the time that has passed since the last call is not kept.
        """
        try:
            await self.settle(noted=True)
        except Unwritable as error:
            text = f"--state {self.file.path}: the time since the last call cannot be kept: {error.args[1]}"
            raise AksError(f"{text}; all that was acknowledged is there") from None
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Let go of the file as it is."""
        self._writer.shutdown()
        self.file.close()

    def _read(
        self, path: Path, seed: int | None, assumptions: Mapping[str, Any], identity: WorkspaceIdentity | None
    ) -> ServerRecord:
        """What the file was made with; a new one is made with what is asked for."""
        given = self._server.load("server", _ONLY)
        if given is not None:
            if not self.file.folder.is_dir():  # it was there before the record: the file has been copied without it
                raise InvalidSetting("--state", str(path), f"a file with its folder {self.file.folder.name} beside it")
            record = ServerRecord.model_validate(given)
            _check(path, record.seed, record.assumptions, seed, assumptions)
            return record
        read_assumptions(assumptions)  # refuses what would be refused later, when it is in the file
        record = ServerRecord(
            seed=0 if seed is None else seed,
            assumptions=dict(assumptions),
            first=_key(identity or WorkspaceIdentity()),
            secret=token_hex(32),
        )
        self._server.save("server", _ONLY, record.model_dump(mode="json"))
        return record

    def _records(self) -> dict[str, WorkspaceRecord]:
        """What all workspaces of the file were made with, by their keys."""
        names = [name for name in self.file.workspaces() if name != _SERVER]
        return {name: WorkspaceRecord.model_validate(self.file.store(name).load("workspace", _ONLY)) for name in names}

    def _first(self, identity: WorkspaceIdentity | None) -> WorkspaceIdentity:
        if identity is not None:
            return identity
        known = self._records().get(self.record.first)
        return WorkspaceIdentity() if known is None else known.shown


class DurableResponses:
    """An application whose answers are given when what they tell of is in the file.

    A command is in the file before it is performed, so that a refusal is the command's own. What remains is what time has
    brought, which a restart brings again: where the file cannot be written, answers go out without it. Only calls that cannot
    be undone (those that move the clock) and files that came are refused then.

    Args:
        app: answers.
        persistence: the file.
    """

    def __init__(self, app: "PortApp", persistence: StatePersistence) -> None:
        self._app = app
        self._persistence = persistence

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        path: str = scope.get("path", "")
        if path.startswith(SERVICE_PREFIX) or path == "/":
            await self._app(scope, receive, send)
            return
        changes = scope.get("method") not in ("GET", "HEAD") and not path.startswith(_BATCHES)
        moves = changes and path == _CLOCK
        answer = _Answer(self._persistence, send, noted=changes, needed=moves)
        if moves:
            try:
                await self._persistence.settle(noted=True)
            except AksError as error:
                await answer.refuse(error)
                return
        context = _asked.set(answer.asked)
        try:
            await self._app(scope, receive, answer.send)
        finally:
            _asked.reset(context)


class _Answer:
    """An answer that waits for the file. It has the connection's transport, as uvicorn's own has: faults break that off."""

    def __init__(self, persistence: StatePersistence, send: Send, *, noted: bool, needed: bool) -> None:
        self.transport = getattr(getattr(send, "__self__", None), "transport", None)
        self.asked = Asked()
        self._persistence = persistence
        self._send = send
        self._noted = noted
        self._needed = needed
        self._begun = persistence.file.number
        self._failed = False

    async def send(self, message: Message) -> None:
        """One message of it."""
        if message["type"] == "http.response.start":
            failed = None
            try:
                # A command of this request has noted the time already.
                written = self._persistence.file.number != self._begun and not self._needed
                await self._persistence.settle(noted=self._noted and not written)
            except AksError as error:
                failed = error if self._needed else None
            failed = self.asked.failed or failed
            if failed is not None:
                self._failed = True
                await self.refuse(failed)
        if not self._failed:
            await self._send(message)

    async def refuse(self, error: AksError) -> None:
        """Say that the file cannot be written."""
        await respond(self._send, error.status_hint, json.dumps(error.body()), "application/json")


def _key(identity: WorkspaceIdentity) -> str:
    return identity.resource_id.lower()


def _check(
    path: Path, made_seed: int, made: Mapping[str, Any], seed: int | None, assumptions: Mapping[str, Any]
) -> None:
    """Refuse what contradicts what is kept: nothing that has happened since would have happened so."""
    if seed is not None and seed != made_seed:
        raise InvalidSetting("--seed", seed, f"{made_seed}, with which {path} was made")
    kept = read_assumptions(made)
    asked = read_assumptions({**made, **assumptions})
    for key in assumptions:
        if getattr(asked, key) != getattr(kept, key):
            told = f"{made[key]!r}" if key in made else "the default"
            raise InvalidSetting(f"--assume {key}", assumptions[key], f"{told}, with which {path} was made")
