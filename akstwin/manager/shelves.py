"""Typed access to the store: each kind of record on a shelf of its own."""

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter

from akstwin.backend import Json
from akstwin.clock import Micros
from akstwin.cores.management import ServiceLife, ServiceRecord
from akstwin.cores.registry import AssetRecord, ComputeRecord, EnvironmentRecord, ModelRecord
from akstwin.domain.lifecycles import OperationState
from akstwin.store import Store

T = TypeVar("T")


class OperationRecord(BaseModel):
    """An operation of a service, a key or a compute target, kept for good.

    Attributes:
        id: in the workspace.
        kind: what it does.
        subject: the name of what it does it to.
        state: what a poll shows.
        stage: what it is busy with.
        error: `{code, statusCode, message, details}`.
        log: what has happened, each with its instant.
        ends: when it is over, if it just takes time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    kind: str
    subject: str
    state: OperationState = OperationState.RUNNING
    stage: str = "DeployService"
    error: Json | None = None
    log: tuple[tuple[Micros, str], ...] = ()
    ends: Micros | None = None


class KeptLife(BaseModel):
    """A service's life, and which record its latest operation has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    life: ServiceLife
    operation: str


class Whole(BaseModel):
    """A service as it last had all its pods, kept while it is getting somewhere else, or has failed to.

    Attributes:
        record: what was kept of it.
        models: the documents of the models that each version runs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    record: ServiceRecord
    models: dict[str, tuple[Json, ...]]


class Shelf(Generic[T]):
    """All records of one kind."""

    def __init__(self, store: Store, kind: str, of: type[T]) -> None:
        self._store = store
        self._kind = kind
        self._adapter: TypeAdapter[T] = TypeAdapter(of)

    def get(self, key: str) -> T | None:
        """The record; None: there is none."""
        value = self._store.load(self._kind, key)
        return None if value is None else self._adapter.validate_python(value)

    def put(self, key: str, record: T) -> None:
        """Keep a record, in place of the one that has the key."""
        self._store.save(self._kind, key, self._adapter.dump_python(record, mode="json"))

    def drop(self, key: str) -> None:
        """Forget a record."""
        self._store.delete(self._kind, key)

    def keys(self) -> list[str]:
        """All keys, sorted."""
        return self._store.keys(self._kind)

    def all(self) -> list[T]:
        """All records, by key."""
        return [self._adapter.validate_python(self._store.load(self._kind, key)) for key in self.keys()]


class Shelves:
    """The shelves of one workspace."""

    def __init__(self, store: Store) -> None:
        self.services = Shelf(store, "service", ServiceRecord)
        self.lives = Shelf(store, "life", KeptLife)
        self.wholes = Shelf(store, "whole", Whole)
        self.operations = Shelf(store, "operation", OperationRecord)
        self.assets = Shelf(store, "asset", AssetRecord)
        self.models = Shelf(store, "model", ModelRecord)
        self.environments = Shelf(store, "environment", EnvironmentRecord)
        self.computes = Shelf(store, "compute", ComputeRecord)
        self.images = Shelf(store, "image", bool)
        """Images that have been built, by name."""
        self.counts = Shelf(store, "count", int)
        """Numbers given so far, by what they were given to."""
