"""Compute targets."""

from typing import Literal

from akstwin.backend import Json
from akstwin.clock import Micros
from akstwin.control_plane.dependencies import Dependencies
from akstwin.control_plane.operations import Operations
from akstwin.control_plane.repositories import Repositories
from akstwin.cores.registry import (
    ComputeRecord,
    cluster_of,
    compute_document,
    create_compute,
    has_tls,
    same_cluster,
    update_compute,
)
from akstwin.domain.lifecycles import OperationState
from akstwin.errors import Conflict, InUse, InvalidSetting, NotFound


class Computes:
    """Clusters: created, attached, updated, deleted, detached.

    Args:
        needs: the world's.
        records: keeps them.
        operations: keeps operations.
    """

    def __init__(self, needs: Dependencies, records: Repositories, operations: Operations) -> None:
        self._needs = needs
        self._records = records
        self._operations = operations

    def put(self, name: str, payload: Json) -> str:
        """Attach, create or update a cluster; returns the operation's id.

        Raises:
            InvalidSetting: a value is refused.
            Conflict: it is being provisioned, or the cluster is attached under another name.
        """
        known = self._records.computes.get(name) if isinstance(name, str) else None
        if known is not None:
            return self._update(known, payload)
        record = self._creation(name, payload)
        assumed = self._needs.assumptions
        with self._records.transaction():
            self._records.computes.put(name, record)
            lasts = assumed.cluster_attach if record.attached else assumed.cluster_create
            operation = self._operations.open_timed("compute", name, lasts, collection="computes")
        self._operations.wake(operation)
        return operation.id

    def adopt(self, name: str, payload: Json) -> None:
        """Take a cluster as a compute target whose provisioning lies in the past: it is ready at once.

        Raises:
            InvalidSetting: a value is refused.
            Conflict: the name is taken, or the cluster is attached under another name.
        """
        if self._records.computes.get(name) is not None:
            raise Conflict(f"compute target {name} exists")
        record = self._creation(name, payload).model_copy(update={"state": "Succeeded"})
        self._records.computes.put(name, record)
        self.perform_provisioned(record)

    def _creation(self, name: str, payload: Json) -> ComputeRecord:
        """What a payload comes to; nothing is changed."""
        identity = self._needs.identity
        record = create_compute(
            name,
            self._with_known_nodes(name, payload),
            location=identity.location,
            resource_group_id=f"/subscriptions/{identity.subscription_id}/resourcegroups/{identity.resource_group}",
            assumptions=self._needs.assumptions,
            now=self._needs.clock.now(),
        )
        for other in self._records.computes.all():
            if same_cluster(record, other):
                raise Conflict(f"cluster {record.resource_id} is compute target {other.name} already")
        self._needs.runtime.try_cluster(name, cluster_of(record))
        return record

    def get(self, name: str) -> Json:
        """The compute target (NotFound)."""
        return self._compute_document(self._compute(name))

    def all(self) -> list[Json]:
        """All compute targets, by name."""
        return [self._compute_document(record) for record in self._records.computes.all()]

    def delete(self, name: str, action: Literal["delete", "detach"]) -> str:
        """Delete or detach a cluster; returns the operation's id, which is over: no time is known for it.

        Raises:
            NotFound: there is none.
            InUse: services are on it.
            Conflict: it is being provisioned.
            InvalidSetting: the action is neither.
        """
        record = self._compute(name)
        if action not in ("delete", "detach"):
            raise InvalidSetting("underlyingResourceAction", action, "delete or detach")
        self._check_provisioned(record)
        users = [service.name for service in self._records.services.all() if service.compute_name == name]
        if users:
            raise InUse(f"compute target {name} has services: {', '.join(users)}")
        with self._records.transaction():
            self._records.computes.delete(name)
            operation = self._operations.open(action, name, state=OperationState.SUCCEEDED, collection="computes")
        self._needs.runtime.end_cluster(name)
        return operation.id

    def credentials(self, name: str) -> Json:
        """Refused: a cluster of this world has no Kubernetes API to log in to (NotFound: there is no such cluster)."""
        self._compute(name)
        expected = "a cluster with a Kubernetes API server; those of this world have none, Workspace.on_kubernetes has"
        raise InvalidSetting("get_credentials", name, expected)

    # -- what other parts need

    def ready(self, name: str) -> ComputeRecord:
        """The record of a compute target that services can be on (NotFound; Conflict: it is being provisioned)."""
        record = self._compute(name)
        self._check_provisioned(record)
        return record

    def has_tls(self, name: str) -> bool:
        """Whether services on the compute target are called by https."""
        record = self._records.computes.get(name)
        return record is not None and has_tls(record)

    def record_provisioned(self, name: str, now: Micros) -> ComputeRecord:
        """Record that the nodes of a compute target are there; `perform_provisioned` is to follow."""
        record = self._compute(name).model_copy(update={"state": "Succeeded", "updated": now})
        self._records.computes.put(name, record)
        return record

    def perform_provisioned(self, record: ComputeRecord) -> None:
        """Let the nodes of a compute target come to the world."""
        self._needs.runtime.create_cluster(record.name, cluster_of(record))

    def restore(self) -> None:
        """Let the nodes of all compute targets that were provisioned come to the world again."""
        for record in self._records.computes.all():
            if record.state == "Succeeded":
                self.perform_provisioned(record)

    # -- under them

    def _compute(self, name: str) -> ComputeRecord:
        record = self._records.computes.get(name) if isinstance(name, str) else None
        if record is None:
            raise NotFound(f"compute target {name} is not there")
        return record

    def _check_provisioned(self, record: ComputeRecord) -> None:
        if record.state != "Succeeded":
            raise Conflict(f"compute target {record.name} is not ready: its provisioning state is {record.state}")

    def _with_known_nodes(self, name: str, payload: Json) -> Json:
        """The payload with the nodes that the world knows a cluster to have, whatever was asked for."""
        outer = payload.get("properties") if isinstance(payload, dict) else None
        if not isinstance(name, str) or not isinstance(outer, dict):
            return payload
        settings = outer.get("properties") or {}
        if not isinstance(settings, dict):
            return payload  # whose reader refuses it
        nodes = self._needs.runtime.known_nodes(name, settings.get("agentVmSize"))
        if not nodes:
            return payload
        return {**payload, "properties": {**outer, "properties": {**settings, **nodes}}}

    def _update(self, known: ComputeRecord, payload: Json) -> str:
        self._check_provisioned(known)
        record = update_compute(known, payload, self._needs.clock.now())
        with self._records.transaction():
            self._records.computes.put(record.name, record)
            operation = self._operations.open(
                "update", record.name, state=OperationState.SUCCEEDED, collection="computes"
            )
        return operation.id

    def _compute_document(self, record: ComputeRecord) -> Json:
        return compute_document(record, self._needs.identity.resource_id, self._needs.epoch)
