"""Service states in the store: read at each verb and each observation, never kept in an object."""

from collections.abc import Iterable
from typing import Final

from akstwin.clock import Micros
from akstwin.control_plane.operations import Operations
from akstwin.control_plane.repositories import Repositories, StoredLifecycle
from akstwin.cores.management import (
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
    """

    def __init__(self, records: Repositories, operations: Operations, rules: ManagementRules) -> None:
        self._records = records
        self._operations = operations
        self.rules: Final = rules

    def of(self, name: str) -> Lifecycle:
        """The status machine of a service, there or about to be created."""
        return _InStore(name, self)

    def life(self, name: str) -> ServiceLife | None:
        """State and operations of a service; None: there is none."""
        stored = self._records.lifecycles.get(name)
        return None if stored is None else stored.life

    def operation_id(self, name: str) -> str:
        """The id of a service's latest operation; one has begun."""
        stored = self._records.lifecycles.get(name)
        assert stored is not None  # noqa: S101
        return stored.operation

    def note_models(self, name: str, models: Iterable[str], now: Micros) -> None:
        """Record which models a service's latest operation deploys: `name:version` each."""
        self._operations.note(self.operation_id(name), at=now, models=tuple(dict.fromkeys(models)))

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
        if after.state in (ServiceState.HEALTHY, ServiceState.GONE):
            self._records.last_healthy.delete(after.name)
        if after.state is ServiceState.GONE:
            self._records.services.delete(after.name)
            self._records.lifecycles.delete(after.name)
        else:
            self._records.lifecycles.put(after.name, StoredLifecycle(life=after, operation=operation))

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
    return ("Submitting deployment to compute.", f"Checking the status of deployment {name}..")


def _ended(name: str, operation: Operation) -> tuple[str, ...]:
    if operation.kind == "delete" or operation.state is not OperationState.SUCCEEDED:
        return ()
    return (f"Checking the status of inference endpoint {name}.",)
