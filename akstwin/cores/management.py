"""States and operations of one service (semantics §2.3, §2.4, §6.6).

`(record, facts, now) → record`: the record says what a caller sees, the facts are what the pods are like. A driver calls
`observe` when a fact changes and at `wake_at`.
"""

from dataclasses import dataclass, replace
from typing import Literal

from akstwin.clock import Micros
from akstwin.domain.lifecycles import (
    OPERATION,
    SERVICE,
    OperationEvent,
    OperationState,
    ServiceEvent,
    ServiceState,
)
from akstwin.errors import Conflict

OperationKind = Literal["create", "update", "delete"]


@dataclass(frozen=True, slots=True)
class ManagementRules:
    """Limits that end an operation or change a state; keys of the assumptions (semantics §6.9)."""

    unschedulable_after: Micros
    deployment_timeout: Micros
    crash_restarts_failed: int
    crash_time_failed: Micros
    unhealthy_after: Micros


@dataclass(frozen=True, slots=True)
class OperationError:
    """Why an operation did not succeed, as the service words it."""

    code: str
    status_code: int
    message: str


@dataclass(frozen=True, slots=True)
class Operation:
    """A long-running operation.

    Attributes:
        number: 1, 2, … within the service.
        kind: what it does.
        started: when.
        stage: what it is busy with: BuildImage or DeployService.
        state: what a poll shows.
        ended: when it reached a final state.
        error: why it did not succeed.
    """

    number: int
    kind: OperationKind
    started: Micros
    stage: Literal["BuildImage", "DeployService"] = "DeployService"
    state: OperationState = OperationState.RUNNING
    ended: Micros | None = None
    error: OperationError | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the pods of a service are like.

    Attributes:
        wanted: replicas that must be available for an operation to succeed, all versions taken together.
        available: ready pods.
        rolled: whether every version has all its wanted replicas available and none of an older template left.
        unschedulable_since: since when some pod has fitted nowhere; None: all fit.
        unschedulable_message: what the scheduler says of it.
        shortage_message: what the service says of it.
        crashing_since: since when a container has been failing with no replica of its version available.
        restarts: the most restarts that one pod of the present template has had in a row.
    """

    wanted: int
    available: int
    rolled: bool
    unschedulable_since: Micros | None = None
    unschedulable_message: str = ""
    shortage_message: str = ""
    crashing_since: Micros | None = None
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """What the management service says of a service.

    Attributes:
        name: the service.
        state: what the SDK prints.
        operations: all it has had, the latest last.
        unavailable_since: since when no replica has been available.
        error: of the operation that left it as it is.
    """

    name: str
    state: ServiceState
    operations: tuple[Operation, ...] = ()
    unavailable_since: Micros | None = None
    error: OperationError | None = None

    @property
    def running(self) -> Operation | None:
        """The operation that is under way."""
        latest = self.operations[-1] if self.operations else None
        return latest if latest is not None and latest.state is OperationState.RUNNING else None


def healthy(name: str) -> ServiceRecord:
    """The record of a service whose deployment lies in the past."""
    return ServiceRecord(name, ServiceState.HEALTHY)


def begin(record: ServiceRecord | None, name: str, kind: OperationKind, now: Micros, *, builds: bool) -> ServiceRecord:
    """Start an operation.

    Args:
        record: the service, None if it is being created.
        name: its name.
        kind: what is to be done.
        now: the present.
        builds: whether an image has to be built first.

    Raises:
        Conflict: another one is running (semantics §2.4, 8).
    """
    if record is not None and (running := record.running) is not None:
        raise Conflict(f"service {name} is busy: operation {running.number} ({running.kind}) is running")
    number = len(record.operations) + 1 if record else 1
    operation = Operation(number, kind, now, "BuildImage" if builds else "DeployService")
    if record is None:
        return ServiceRecord(name, SERVICE.initial, (operation,))
    event = ServiceEvent.DELETE_STARTED if kind == "delete" else ServiceEvent.OPERATION_STARTED
    state = SERVICE.step(record.state, event)
    return replace(record, state=state, operations=(*record.operations, operation), error=None)


def deploying(record: ServiceRecord) -> ServiceRecord:
    """The image is there: the operation goes on to its pods."""
    running = record.running
    if running is None or running.stage == "DeployService":
        return record
    return replace(record, operations=(*record.operations[:-1], replace(running, stage="DeployService")))


def observe(record: ServiceRecord, facts: Facts, rules: ManagementRules, now: Micros) -> ServiceRecord:
    """The record after what is now known of the pods. Seeing the same twice changes nothing."""
    record = _availability(record, facts, now)
    running = record.running
    if running is not None:
        return _operation(record, running, facts, rules, now)
    if record.state is ServiceState.HEALTHY and _over(record.unavailable_since, rules.unhealthy_after, now):
        return replace(record, state=SERVICE.step(record.state, ServiceEvent.UNAVAILABLE))
    if record.state is ServiceState.UNHEALTHY and _well_again(record, facts):
        return replace(record, state=SERVICE.step(record.state, ServiceEvent.AVAILABLE), error=None)
    return record


def wake_at(record: ServiceRecord, facts: Facts, rules: ManagementRules, now: Micros) -> Micros | None:
    """When `observe` would next say something else although no fact has changed; None: never."""
    instants: list[int] = []
    running = record.running
    if running is not None:
        instants.append(running.started + rules.deployment_timeout)
        if running.stage == "DeployService":
            if facts.unschedulable_since is not None:
                instants.append(max(facts.unschedulable_since, running.started) + rules.unschedulable_after)
            if facts.crashing_since is not None:
                instants.append(max(facts.crashing_since, running.started) + rules.crash_time_failed)
    elif record.state is ServiceState.HEALTHY and record.unavailable_since is not None:
        instants.append(record.unavailable_since + rules.unhealthy_after)
    later = [instant for instant in instants if instant > now]
    return Micros(min(later)) if later else None


def _well_again(record: ServiceRecord, facts: Facts) -> bool:
    """One replica is enough, but after a time-out only all that was asked for is: the old ones may have served throughout."""
    if record.error is None:
        return facts.available > 0
    return facts.rolled and record.operations[-1].stage == "DeployService"


def _over(since: Micros | None, limit: Micros, now: Micros) -> bool:
    return since is not None and now - since >= limit


def _availability(record: ServiceRecord, facts: Facts, now: Micros) -> ServiceRecord:
    if facts.available:
        return record if record.unavailable_since is None else replace(record, unavailable_since=None)
    return replace(record, unavailable_since=now) if record.unavailable_since is None else record


def _operation(
    record: ServiceRecord, running: Operation, facts: Facts, rules: ManagementRules, now: Micros
) -> ServiceRecord:
    if running.stage == "DeployService":
        if facts.rolled:
            return _ended(record, OperationEvent.COMPLETED, ServiceEvent.SUCCEEDED, None, now)
        if _over(_within(facts.unschedulable_since, running), rules.unschedulable_after, now):
            error = OperationError("KubernetesError", 400, f"{facts.unschedulable_message} {facts.shortage_message}")
            return _ended(record, OperationEvent.FAILED, ServiceEvent.UNSCHEDULABLE, error, now)
        if facts.restarts >= rules.crash_restarts_failed or _over(
            _within(facts.crashing_since, running), rules.crash_time_failed, now
        ):
            error = OperationError(
                "CrashLoopBackOff", 400,
                "Your container application crashed. This may be caused by errors in your scoring file's init() function.",
            )  # fmt: skip
            return _ended(record, OperationEvent.FAILED, ServiceEvent.CRASHED, error, now)
    if now - running.started >= rules.deployment_timeout:
        error = OperationError(
            "DeploymentTimedOut", 504,
            f"Timed out waiting for AKS deployment to complete. serviceName: {record.name}",
        )  # fmt: skip
        return _ended(record, OperationEvent.TIMED_OUT, ServiceEvent.TIMED_OUT, error, now)
    return record


def _within(since: Micros | None, running: Operation) -> Micros | None:
    """An operation answers only for what it has seen itself."""
    return None if since is None else Micros(max(since, running.started))


def _ended(
    record: ServiceRecord, event: OperationEvent, outcome: ServiceEvent, error: OperationError | None, now: Micros
) -> ServiceRecord:
    ended = replace(record.operations[-1], state=OPERATION.step(OperationState.RUNNING, event), ended=now, error=error)
    return replace(
        record, state=SERVICE.step(record.state, outcome), operations=(*record.operations[:-1], ended), error=error
    )
