"""The manager's verbs for compute targets."""

from typing import Any, Literal

from akstwin.backend import Json
from akstwin.cores.registry import (
    ComputeRecord,
    cluster_of,
    compute_document,
    create_compute,
    same_cluster,
    update_compute,
)
from akstwin.domain.lifecycles import OperationState
from akstwin.errors import Conflict, InUse, InvalidSetting, NotFound
from akstwin.manager.office import Office
from akstwin.manager.shelves import OperationRecord


class ComputeVerbs(Office):
    """Clusters: created, attached, updated, deleted, detached."""

    def put_compute(self, name: str, payload: Json) -> str:
        """Attach, create or update a cluster; returns the operation's id.

        Raises:
            InvalidSetting: a value is refused.
            Conflict: it is being provisioned, or the cluster is attached under another name.
        """
        known = self._shelves.computes.get(name) if isinstance(name, str) else None
        if known is not None:
            return self._update(known, payload)
        record = self._new_compute(name, payload)
        self._shelves.computes.put(name, record)
        lasts = self.assumptions.cluster_attach if record.attached else self.assumptions.cluster_create
        return self._timed_operation("compute", name, lasts, lambda: self._provisioned(name))

    def adopt_compute(self, name: str, payload: Json) -> None:
        """Take a cluster as a compute target whose provisioning lies in the past: it is ready at once.

        Raises:
            InvalidSetting: a value is refused.
            Conflict: the cluster is attached under another name.
        """
        record = self._new_compute(name, payload).model_copy(update={"state": "Succeeded"})
        self._shelves.computes.put(name, record)
        self._driver.create_cluster(name, cluster_of(record))

    def _new_compute(self, name: str, payload: Json) -> ComputeRecord:
        identity = self.identity
        record = create_compute(
            name,
            payload,
            location=identity.location,
            resource_group_id=f"/subscriptions/{identity.subscription_id}/resourcegroups/{identity.resource_group}",
            assumptions=self.assumptions,
            now=self._now,
        )
        for other in self._shelves.computes.all():
            if same_cluster(record, other):
                raise Conflict(f"cluster {record.resource_id} is compute target {other.name} already")
        self._driver.try_cluster(name, cluster_of(record))
        return record

    def get_compute(self, name: str) -> Json:
        """The compute target (NotFound)."""
        return self._compute_document(self._compute(name))

    def list_computes(self) -> list[Json]:
        """All compute targets, by name."""
        return [self._compute_document(record) for record in self._shelves.computes.all()]

    def delete_compute(self, name: str, action: Literal["delete", "detach"]) -> str:
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
        users = [service.name for service in self._shelves.services.all() if service.compute_name == name]
        if users:
            raise InUse(f"compute target {name} has services: {', '.join(users)}")
        self._shelves.computes.drop(name)
        self._driver.end_cluster(name)
        return self._open_operation(action, name, state=OperationState.SUCCEEDED).id

    def compute_credentials(self, name: str) -> Json:
        """Refused: a cluster of this world has no Kubernetes API to log in to (NotFound: there is no such cluster)."""
        self._compute(name)
        expected = "a cluster with a Kubernetes API server; those of this world have none, Workspace.on_kubernetes has"
        raise InvalidSetting("get_credentials", name, expected)

    # -- what other verbs need

    def _compute(self, name: str) -> ComputeRecord:
        record = self._shelves.computes.get(name) if isinstance(name, str) else None
        if record is None:
            raise NotFound(f"compute target {name} is not there")
        return record

    def _check_provisioned(self, record: ComputeRecord) -> None:
        if record.state != "Succeeded":
            raise Conflict(f"compute target {record.name} is not ready: its provisioning state is {record.state}")

    def _resume_compute(self, operation: OperationRecord) -> None:
        self._end_in_time(operation, lambda: self._provisioned(operation.subject))

    def _restore_compute(self, record: ComputeRecord) -> None:
        if record.state == "Succeeded":
            self._driver.create_cluster(record.name, cluster_of(record))

    def _update(self, known: ComputeRecord, payload: Json) -> str:
        self._check_provisioned(known)
        record = update_compute(known, payload, self._now)
        self._shelves.computes.put(record.name, record)
        return self._open_operation("update", record.name, state=OperationState.SUCCEEDED).id

    def _provisioned(self, name: str) -> None:
        record = self._compute(name)
        ready: dict[str, Any] = {"state": "Succeeded", "updated": self._now}
        self._shelves.computes.put(name, record.model_copy(update=ready))
        self._driver.create_cluster(name, cluster_of(record))

    def _compute_document(self, record: ComputeRecord) -> Json:
        return compute_document(record, self.identity.resource_id, self.epoch)
