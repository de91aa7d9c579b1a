"""Operations, and the timers that end some of them: data in the store, so that nothing is lost with the process."""

from typing import Any, Final

from akstwin.backend import Operation
from akstwin.clock import Micros
from akstwin.control_plane.dependencies import Dependencies
from akstwin.control_plane.numbering import Numbering
from akstwin.control_plane.repositories import OperationRecord, Repositories, Timer
from akstwin.domain.documents import calendar_time
from akstwin.domain.lifecycles import OperationState
from akstwin.errors import NotFound

_TIMERS: Final = "timers"
KEPT_OPERATIONS: Final = 1000
"""So many of the latest operations that have ended are kept, and the last one of each service."""
_SPARE: Final = 100
"""So many more are let come before the oldest are forgotten: to look through them takes a moment."""


class Operations:
    """Operations of services, keys and compute targets.

    Args:
        needs: the world's.
        records: keeps them.
        numbering: gives ids.
    """

    def __init__(self, needs: Dependencies, records: Repositories, numbering: Numbering) -> None:
        self._needs = needs
        self._records = records
        self._numbering = numbering

    def get(self, operation_id: str) -> Operation:
        """An operation (NotFound)."""
        record = self._records.operations.get(operation_id)
        if record is None:
            kept = f"of those that have ended, the latest {KEPT_OPERATIONS} are kept, and each service's last"
            raise NotFound(f"no operation {operation_id}: {kept}")
        log = "#".join(
            f"{calendar_time(self._needs.epoch, instant):%Y%m%d%H%M%S}|{text}" for instant, text in record.log
        )  # fmt: skip
        return Operation(
            record.id,
            record.state,
            record.stage,
            record.error,
            log,
            record.resource,
            record.log[0][0] if record.started is None and record.log else record.started,
            record.ended,
        )

    def open(self, kind: str, subject: str, **fields: Any) -> OperationRecord:
        """Record a new operation; one that is opened in a final state is over at once."""
        now = self._needs.clock.now()
        record = OperationRecord(
            id=self._numbering.next_id("operations"),
            kind=kind,
            subject=subject,
            started=now,
            **{"collection": "services", **fields},
        )
        if record.state is not OperationState.RUNNING:
            record = record.model_copy(update={"ended": now})
        self._records.operations.put(record.id, record)
        if len(self._records.operations.keys()) > KEPT_OPERATIONS + _SPARE:
            self._forget()
        return record

    def _forget(self) -> None:
        """Let the oldest operations go that nobody is busy with, and nothing refers to."""
        needed = {stored.operation for stored in self._records.lifecycles.all()}
        ended = [
            record
            for record in self._records.operations.all()
            if record.state is not OperationState.RUNNING and record.id not in needed
        ]
        ended.sort(key=lambda record: (record.started or 0, record.id))
        for record in ended[: max(0, len(ended) - KEPT_OPERATIONS)]:
            self._records.operations.delete(record.id)

    def open_timed(self, kind: str, subject: str, lasts: Micros, **fields: Any) -> OperationRecord:
        """Record a new operation that ends by itself: all that it takes is time. `wake` is to follow."""
        record = self.open(kind, subject, ends=Micros(self._needs.clock.now() + lasts), **fields)
        self._set_timer(record)
        return record

    def note(self, operation_id: str, *lines: str, at: Micros, **fields: Any) -> None:
        """Record what has become of an operation.

        Args:
            operation_id: which.
            *lines: to be added to its log.
            at: when that happened.
            **fields: what has changed in its record.
        """
        record = self._records.operations.get(operation_id)
        assert record is not None  # noqa: S101 - while it runs it is kept
        log = (*record.log, *((at, line) for line in lines))
        if fields.get("state", OperationState.RUNNING) is not OperationState.RUNNING:
            fields["ended"] = at
        self._records.operations.put(record.id, record.model_copy(update={**fields, "log": log}))

    # -- timers

    def wake(self, operation: OperationRecord) -> None:
        """Ask the world to look at the timers when an operation ends: now, if that has passed."""
        assert operation.ends is not None  # noqa: S101 - only operations with a timer come here
        self._needs.wake(max(operation.ends, self._needs.clock.now()))

    def due(self) -> Micros | None:
        """When the next timer ends; None: there is none."""
        return min((timer.ends for timer in self._records.timers.all()), default=None)

    def ending(self, now: Micros) -> list[OperationRecord]:
        """The operations whose timers have ended, in that order."""
        ended = [timer.operation for timer in self._records.timers.all() if timer.ends <= now]
        return [record for each in ended if (record := self._records.operations.get(each)) is not None]

    def succeed(self, operation: OperationRecord, now: Micros) -> None:
        """Record that an operation with a timer is over."""
        for key in self._records.timers.keys():  # noqa: SIM118 - no mapping
            timer = self._records.timers.get(key)
            if timer is not None and timer.operation == operation.id:
                self._records.timers.delete(key)
        self.note(operation.id, at=now, state=OperationState.SUCCEEDED)

    def resume(self) -> None:
        """Ask the world to look at all timers; operations that version 0.1.0 has begun get theirs first."""
        known = {timer.operation for timer in self._records.timers.all()}
        with self._records.transaction():
            missing = [
                record
                for record in self._records.operations.all()
                if record.state is OperationState.RUNNING and record.ends is not None and record.id not in known
            ]
            for record in sorted(missing, key=lambda record: record.ends or 0):
                self._set_timer(record)
        for timer in self._records.timers.all():
            self._needs.wake(max(timer.ends, self._needs.clock.now()))

    def _set_timer(self, operation: OperationRecord) -> None:
        assert operation.ends is not None  # noqa: S101 - see `open_timed`
        key = f"{operation.ends:020d}-{self._numbering.next(_TIMERS):010d}"
        self._records.timers.put(key, Timer(operation=operation.id, ends=operation.ends))
