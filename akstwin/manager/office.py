"""What all verbs of the manager share: who, when, where things are kept, and operations."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from akstwin.backend import Operation, WorkspaceIdentity
from akstwin.clock import Clock, Micros
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.documents import calendar_time
from akstwin.domain.lifecycles import OperationState
from akstwin.errors import NotFound
from akstwin.files import FileStore
from akstwin.manager.driver import ServiceDriver
from akstwin.manager.shelves import OperationRecord, Shelves
from akstwin.store import Store


@dataclass(frozen=True, slots=True)
class Means:
    """What a manager is given by its world.

    Attributes:
        identity: the workspace.
        clock: tells the time; the manager never waits.
        epoch: Unix time of the clock's instant 0, s.
        assumptions: limits and times.
        driver: performs what is decided.
        store: keeps records.
        files: keeps uploads.
        new_secret: makes a key, or a secret for tokens; another one each time.
        scoring_base: URL that scoring URIs begin with.
        tls_base: the same for services on clusters with TLS; nothing: that URL, by https.
    """

    identity: WorkspaceIdentity
    clock: Clock
    epoch: float
    assumptions: Assumptions
    driver: ServiceDriver
    store: Store
    files: FileStore
    new_secret: Callable[[], str]
    scoring_base: str
    tls_base: str = ""


class Office:
    """The part of the manager under its verbs."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._driver = means.driver
        self._shelves = Shelves(means.store)

    @property
    def identity(self) -> WorkspaceIdentity:
        """The workspace."""
        return self._means.identity

    @property
    def clock(self) -> Clock:
        """The world's time."""
        return self._means.clock

    @property
    def epoch(self) -> float:
        """The Unix time of the clock's instant 0, s."""
        return self._means.epoch

    @property
    def assumptions(self) -> Assumptions:
        """The limits and times that hold here."""
        return self._means.assumptions

    @property
    def files(self) -> FileStore:
        """Uploaded files."""
        return self._means.files

    def get_operation(self, operation_id: str) -> Operation:
        """An operation of a service, a key or a compute target (NotFound)."""
        record = self._shelves.operations.get(operation_id)
        if record is None:
            raise NotFound(f"no operation {operation_id}")
        log = "#".join(
            f"{calendar_time(self.epoch, instant):%Y%m%d%H%M%S}|{text}" for instant, text in record.log
        )  # fmt: skip
        return Operation(record.id, record.state, record.stage, record.error, log)

    @property
    def _now(self) -> Micros:
        return self._means.clock.now()

    def _next(self, what: str) -> int:
        """1, 2, … of what is numbered."""
        number = (self._shelves.counts.get(what) or 0) + 1
        self._shelves.counts.put(what, number)
        return number

    def _next_id(self, what: str) -> str:
        """An id unlike any other, and the same in the same world."""
        return str(uuid5(NAMESPACE_URL, f"{self.identity.resource_id}/{what}/{self._next(what)}"))

    def _open_operation(self, kind: str, subject: str, **fields: Any) -> OperationRecord:
        record = OperationRecord(id=self._next_id("operations"), kind=kind, subject=subject, **fields)
        self._shelves.operations.put(record.id, record)
        return record

    def _timed_operation(self, kind: str, subject: str, lasts: Micros, done: Callable[[], None]) -> str:
        """An operation that just takes time, and what is done at its end."""
        record = self._open_operation(kind, subject, ends=Micros(self._now + lasts))
        self._end_in_time(record, done)
        return record.id

    def _end_in_time(self, record: OperationRecord, done: Callable[[], None]) -> None:
        def end() -> None:
            done()
            self._note(record.id, state=OperationState.SUCCEEDED)

        assert record.ends is not None  # noqa: S101 - only such operations come here
        self._driver.at(max(record.ends, self._now), end)

    def _note(self, operation_id: str, *lines: str, at: Micros | None = None, **fields: Any) -> None:
        """Write down what has become of an operation."""
        record = self._shelves.operations.get(operation_id)
        assert record is not None  # noqa: S101 - operations are never forgotten
        log = (*record.log, *((self._now if at is None else at, line) for line in lines))
        self._shelves.operations.put(record.id, record.model_copy(update={**fields, "log": log}))
