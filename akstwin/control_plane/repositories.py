"""Typed access to the store: one repository for each kind of record."""

from contextlib import AbstractContextManager
from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter

from akstwin.backend import Json
from akstwin.clock import Micros
from akstwin.cores.management import ServiceLife, ServiceRecord
from akstwin.cores.registry import AssetRecord, ComputeRecord, EnvironmentRecord, ModelRecord
from akstwin.domain.lifecycles import OperationState
from akstwin.domain.redaction import Redaction
from akstwin.store import Store

T = TypeVar("T")


class OperationRecord(BaseModel):
    """An operation of a service, a key or a compute target; kept while it runs, and a good while longer (`Operations`).

    Attributes:
        id: in the workspace.
        kind: what it does.
        subject: the name of what it does it to.
        state: what a poll shows.
        stage: what it is busy with.
        error: `{code, statusCode, message, details}`.
        log: what has happened, each with its instant.
        ends: when it is over, if all that it takes is time.
        started: when it began; None: written by version 0.1.0, which kept no instant.
        ended: when it reached a final state; None: it has not, or an earlier version wrote it, which kept no instant.
        models: `name:version` of the models that it deploys.
        collection: what the subject is one of; None: an earlier version wrote it, which did not say.
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
    started: Micros | None = None
    ended: Micros | None = None
    models: tuple[str, ...] = ()
    collection: Literal["services", "computes"] | None = None

    @property
    def resource(self) -> str:
        """What it creates, changes or deletes, below the workspace."""
        collection = self.collection or ("computes" if self.kind in ("compute", "detach") else "services")
        return f"{collection}/{self.subject}"


class Timer(BaseModel):
    """An operation that ends by itself, as long as it runs.

    Attributes:
        operation: its id.
        ends: when it is over.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    operation: str
    ends: Micros


class StoredLifecycle(BaseModel):
    """A service's life, and which records its operations have.

    Attributes:
        life: its state, its operations and its adjustments.
        operation: the id of its latest operation with the lock; empty: it has had none.
        adjustments: of each adjustment in `life`, its number and the id of its operation.
        latest: the id of the operation that began last, with or without the lock; empty: there was none, or an earlier
            version wrote it, whose operations all had the lock.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    life: ServiceLife
    operation: str
    adjustments: tuple[tuple[int, str], ...] = ()
    latest: str = ""


class LastHealthy(BaseModel):
    """Last fully healthy configuration, kept during an update and after a failed one so that a restart can restore it.

    Attributes:
        record: the service's record.
        models: the documents of the models that each version runs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    record: ServiceRecord
    models: dict[str, tuple[Json, ...]]


class Reporting(BaseModel):
    """The part of a service's record that each of its requests asks for.

    Attributes:
        app_insights: whether its containers report to Application Insights.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    app_insights: bool = False


class Repository(Generic[T]):
    """All records of one kind.

    Args:
        store: keeps them.
        kind: the name of the kind in the store.
        of: their type.
        immutable: whether a record cannot be changed at any depth. Then one that was read is given again as long as the
            store has the same value; without it each read makes another one.
    """

    def __init__(self, store: Store, kind: str, of: type[T], *, immutable: bool = False) -> None:
        self._store = store
        self._kind = kind
        self._adapter: TypeAdapter[T] = TypeAdapter(of)
        self._read: dict[str, tuple[str, T]] | None = {} if immutable else None

    def get(self, key: str) -> T | None:
        """The record; None: there is none."""
        if self._read is not None:
            return self._get_cached(self._read, key)
        value = self._store.load(self._kind, key)
        return None if value is None else self._adapter.validate_python(value)

    def _get_cached(self, read: dict[str, tuple[str, T]], key: str) -> T | None:
        version = self._store.version(self._kind, key)
        if version is None:
            read.pop(key, None)
            return None
        known = read.get(key)
        if known is None or known[0] != version:
            known = read[key] = (version, self._adapter.validate_python(self._store.load(self._kind, key)))
        return known[1]

    def put(self, key: str, record: T) -> None:
        """Keep a record, in place of the one that has the key."""
        self._store.save(self._kind, key, self._adapter.dump_python(record, mode="json"))

    def delete(self, key: str) -> None:
        """Forget a record, if there is one."""
        self._store.delete(self._kind, key)
        if self._read is not None:
            self._read.pop(key, None)

    def keys(self) -> list[str]:
        """All keys, sorted."""
        return self._store.keys(self._kind)

    def all(self) -> list[T]:
        """All records, by key."""
        return [record for key in self.keys() if (record := self.get(key)) is not None]


class ServiceRepository(Repository[ServiceRecord]):
    """Services; what they are opened with is learned, to be kept out of what others read.

    Args:
        store: keeps them.
        redaction: learns their keys, and what their tokens are signed with.

    Attributes:
        reporting: the part of them that each request asks for.
    """

    def __init__(self, store: Store, redaction: Redaction) -> None:
        super().__init__(store, "service", ServiceRecord)
        self.reporting = Repository(store, "service", Reporting, immutable=True)
        self._redaction = redaction
        for record in self.all():
            self._learn(record)

    def put(self, key: str, record: ServiceRecord) -> None:
        """Keep a record, in place of the one that has the key."""
        self._learn(record)
        super().put(key, record)

    def delete(self, key: str) -> None:
        """Forget a record, if there is one, and what requests have read of it."""
        super().delete(key)
        self.reporting.delete(key)

    def _learn(self, record: ServiceRecord) -> None:
        for secret in (record.primary, record.secondary, record.token_secret):
            self._redaction.learn(secret)


class Repositories:
    """The repositories of one workspace.

    Args:
        store: keeps all records.

    Attributes:
        redaction: knows the credentials of the services, those that they have had and those that they have issued.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.redaction = Redaction()
        self.services = ServiceRepository(store, self.redaction)
        self.lifecycles = Repository(store, "life", StoredLifecycle, immutable=True)
        self.last_healthy = Repository(store, "whole", LastHealthy)
        self.operations = Repository(store, "operation", OperationRecord)
        self.timers = Repository(store, "timer", Timer, immutable=True)
        """Operations that end by themselves; their keys sort by the instant, then by number."""
        self.assets = Repository(store, "asset", AssetRecord)
        self.models = Repository(store, "model", ModelRecord)
        self.environments = Repository(store, "environment", EnvironmentRecord)
        self.computes = Repository(store, "compute", ComputeRecord)
        self.images = Repository(store, "image", bool)
        """Images that have been built, by name."""
        self.counts = Repository(store, "count", int)
        """Numbers given so far, by what they were given to."""

    def transaction(self) -> AbstractContextManager[None]:
        """What is written inside is written wholly, or not at all if the block raises."""
        return self._store.transaction()
