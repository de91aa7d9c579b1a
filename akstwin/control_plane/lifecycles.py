"""Service states in the store: read at each verb and each observation, never kept in an object."""

from collections.abc import Iterable
from typing import Final

from akstwin.clock import Clock, Micros
from akstwin.control_plane.operations import Operations
from akstwin.control_plane.repositories import Repositories, StoredLifecycle
from akstwin.cores.management import (
    Awaited,
    Lifecycle,
    ManagementRules,
    Operation,
    ServiceLife,
    error_document,
    healthy,
    image_of,
)
from akstwin.domain.lifecycles import OperationState, ServiceState


class Lifecycles:
    """The life cycles of a workspace's services.

    Args:
        records: keeps them.
        operations: keeps their operations.
        rules: limits.
        clock: tells the time.
    """

    def __init__(self, records: Repositories, operations: Operations, rules: ManagementRules, clock: Clock) -> None:
        self._records = records
        self._operations = operations
        self.rules: Final = rules
        self._clock = clock

    def of(self, name: str) -> Lifecycle:
        """The status machine of a service, there or about to be created."""
        return _InStore(name, self)

    def life(self, name: str) -> ServiceLife | None:
        """State and operations of a service; None: there is none."""
        stored = self._records.lifecycles.get(name)
        return None if stored is None else stored.life

    def operation_id(self, name: str) -> str:
        """The id of a service's latest operation with the lock; one has begun."""
        stored = self._records.lifecycles.get(name)
        assert stored is not None  # noqa: S101
        return stored.operation

    def note_models(self, name: str, models: Iterable[str], now: Micros) -> None:
        """Record which models a service's latest operation deploys: `name:version` each."""
        self._operations.note(self.operation_id(name), at=now, models=tuple(dict.fromkeys(models)))

    def latest_id(self, name: str) -> str | None:
        """The id of the operation of a service that began last; None: it has had none."""
        stored = self._records.lifecycles.get(name)
        return None if stored is None else stored.latest or stored.operation or None

    def adjust(self, name: str, awaits: Awaited) -> str:
        """Begin an adjustment of a service; returns the id of its operation."""
        self.of(name).adjust(awaits, self._clock.now())
        stored = self._records.lifecycles.get(name)
        assert stored is not None  # noqa: S101
        return stored.adjustments[-1][1]

    def adopt(self, name: str) -> None:
        """Record the life of a service whose deployment lies in the past: it is Healthy and its images are built."""
        self._record_images(name)
        self._records.lifecycles.put(name, StoredLifecycle(life=healthy(name), operation=""))

    def record(self, after: ServiceLife, now: Micros) -> None:
        """Record a service's new life, and what it means for its operation, its images and its last healthy configuration."""
        with self._records.transaction():
            self._record(after, now)

    def _record(self, after: ServiceLife, now: Micros) -> None:
        stored = self._records.lifecycles.get(after.name)
        operation = self._record_operation(stored, after, now)
        adjustments = self._record_adjustments(stored, after, now)
        before = StoredLifecycle(life=after, operation="") if stored is None else stored
        latest = before.latest
        if operation != before.operation:
            latest = operation
        elif adjustments and adjustments[-1] not in before.adjustments:
            latest = adjustments[-1][1]
        if after.state in (ServiceState.HEALTHY, ServiceState.GONE):
            self._records.last_healthy.delete(after.name)
        if after.state is ServiceState.GONE:
            self._records.services.delete(after.name)
            self._records.lifecycles.delete(after.name)
        else:
            kept = StoredLifecycle(life=after, operation=operation, adjustments=adjustments, latest=latest)
            self._records.lifecycles.put(after.name, kept)

    def _record_operation(self, stored: StoredLifecycle | None, after: ServiceLife, now: Micros) -> str:
        """Record the latest operation, with what the service is known to print of it; returns its id."""
        latest = after.operations[-1] if after.operations else None
        was = stored.life.operations[-1] if stored is not None and stored.life.operations else None
        operation = "" if stored is None else stored.operation
        if latest is None:
            return operation
        if was is None or was.number != latest.number:
            log = [(now, line) for line in _begun(after.name, latest)]
            return self._operations.open(latest.kind, after.name, stage=latest.stage, log=log).id
        if was.stage != latest.stage:
            self._record_images(after.name)
            self._operations.note(operation, *_submitted(after.name), at=now, stage=latest.stage)
        if was.state != latest.state:
            self._operations.note(
                operation, *_ended(after.name, latest), at=now, state=latest.state, error=error_document(latest.error)
            )
        return operation

    def _record_adjustments(
        self, stored: StoredLifecycle | None, after: ServiceLife, now: Micros
    ) -> tuple[tuple[int, str], ...]:
        """Record the operations without a lock; returns their numbers and ids."""
        known = {} if stored is None else dict(stored.adjustments)
        states = {} if stored is None else {each.number: each.state for each in stored.life.adjustments}
        ids = []
        for adjustment in after.adjustments:
            operation = known.get(adjustment.number)
            if operation is None:
                operation = self._operations.open("update", after.name, log=[(now, _looks(after.name))]).id
            ids.append((adjustment.number, operation))
            if adjustment.state is not states.get(adjustment.number, OperationState.RUNNING):
                error = error_document(adjustment.error)
                self._operations.note(operation, at=now, state=adjustment.state, error=error)
        return tuple(ids)

    def _record_images(self, name: str) -> None:
        service = self._records.services.get(name)
        assert service is not None  # noqa: S101 - its image has been built
        for version in service.versions:
            self._records.images.put(image_of(version.environment), record=True)


class _InStore(Lifecycle):
    """The status machine of one service, whose life is in the store."""

    def __init__(self, name: str, lifecycles: Lifecycles) -> None:
        super().__init__(name, lifecycles.rules)
        self._lifecycles = lifecycles

    def _load(self) -> ServiceLife | None:
        if self._held is not None:  # gone, and its records with it: another service may have its name by now
            return self._held
        return self._lifecycles.life(self.name)

    def _save(self, after: ServiceLife, now: Micros) -> None:
        self._lifecycles.record(after, now)
        if after.state is ServiceState.GONE:
            self._held = after


# What the service is known to print while it deploys, from public notebooks.


def _begun(name: str, operation: Operation) -> tuple[str, ...]:
    if operation.kind == "delete":
        return ()
    first = ("Creating Container Registry if not exists.", "Registering the environment.")
    if operation.stage == "BuildImage":
        return (*first, "Building image..")
    return (*first, "Use the existing image.", *_submitted(name))


def _submitted(name: str) -> tuple[str, ...]:
    return ("Submitting deployment to compute.", _looks(name))


def _looks(name: str) -> str:
    return f"Checking the status of deployment {name}.."


def _ended(name: str, operation: Operation) -> tuple[str, ...]:
    if operation.kind == "delete" or operation.state is not OperationState.SUCCEEDED:
        return ()
    return (f"Checking the status of inference endpoint {name}.",)
