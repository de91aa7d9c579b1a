"""States and operations of one service (semantics §2.3, §2.4, §6.6).

`(life, facts, now) → life`: the life says what a caller sees, the facts are what the pods are like. A driver calls
`observe` when a fact changes and at `wake_at`.
"""

from dataclasses import dataclass, replace
from typing import Literal, Self

from akstwin.clock import Micros
from akstwin.domain.assumptions import Assumptions
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

    @classmethod
    def of(cls, assumptions: Assumptions) -> Self:
        """The limits as they are assumed."""
        return cls(
            assumptions.unschedulable_after,
            assumptions.deployment_timeout,
            assumptions.crash_restarts_failed,
            assumptions.crash_time_failed,
            assumptions.unhealthy_after,
        )


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
        resumed: when its world went on after it had stood still; its limits count from then. None: from its start.
    """

    number: int
    kind: OperationKind
    started: Micros
    stage: Literal["BuildImage", "DeployService"] = "DeployService"
    state: OperationState = OperationState.RUNNING
    ended: Micros | None = None
    error: OperationError | None = None
    resumed: Micros | None = None

    @property
    def limited_from(self) -> Micros:
        """The instant that its limits count from."""
        return self.started if self.resumed is None else self.resumed


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
        gone: whether no pod is left, not even one on its way out.
        content_message: why the files of a crashing container cannot be laid out; empty where they can.
    """

    wanted: int
    available: int
    rolled: bool
    unschedulable_since: Micros | None = None
    unschedulable_message: str = ""
    shortage_message: str = ""
    crashing_since: Micros | None = None
    restarts: int = 0
    gone: bool = False
    content_message: str = ""


@dataclass(frozen=True, slots=True)
class ServiceLife:
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


def healthy(name: str) -> ServiceLife:
    """The life of a service whose deployment lies in the past."""
    return ServiceLife(name, ServiceState.HEALTHY)


def restarted(life: ServiceLife, now: Micros) -> ServiceLife:
    """The life of a service whose world stood still and goes on now: the time between counts for nothing.

    An operation that was under way has all its time again, and nobody has missed a replica yet.
    """
    running = life.running
    operations = life.operations if running is None else (*life.operations[:-1], replace(running, resumed=now))
    return replace(life, operations=operations, unavailable_since=None)


def begin(life: ServiceLife | None, name: str, kind: OperationKind, now: Micros, *, builds: bool) -> ServiceLife:
    """Start an operation.

    Args:
        life: the service, None if it is being created.
        name: its name.
        kind: what is to be done.
        now: the present.
        builds: whether an image has to be built first.

    Raises:
        Conflict: another one is running (semantics §2.4, 8).
    """
    if life is not None and (running := life.running) is not None:
        raise Conflict(f"service {name} is busy: operation {running.number} ({running.kind}) is running")
    number = len(life.operations) + 1 if life else 1
    operation = Operation(number, kind, now, "BuildImage" if builds else "DeployService")
    if life is None:
        return ServiceLife(name, SERVICE.initial, (operation,))
    event = ServiceEvent.DELETE_STARTED if kind == "delete" else ServiceEvent.OPERATION_STARTED
    state = SERVICE.step(life.state, event)
    return replace(life, state=state, operations=(*life.operations, operation), error=None)


def deploying(life: ServiceLife) -> ServiceLife:
    """The image is there: the operation goes on to its pods."""
    running = life.running
    if running is None or running.stage == "DeployService":
        return life
    return replace(life, operations=(*life.operations[:-1], replace(running, stage="DeployService")))


def observe(life: ServiceLife, facts: Facts, rules: ManagementRules, now: Micros) -> ServiceLife:
    """The life after what is now known of the pods. Seeing the same twice changes nothing."""
    life = _availability(life, facts, now)
    running = life.running
    if running is not None:
        return _operation(life, running, facts, rules, now)
    if life.state is ServiceState.HEALTHY and _over(life.unavailable_since, rules.unhealthy_after, now):
        return replace(life, state=SERVICE.step(life.state, ServiceEvent.UNAVAILABLE))
    if life.state is ServiceState.UNHEALTHY and _well_again(life, facts):
        return replace(life, state=SERVICE.step(life.state, ServiceEvent.AVAILABLE), error=None)
    return life


def wake_at(life: ServiceLife, facts: Facts, rules: ManagementRules, now: Micros) -> Micros | None:
    """When `observe` would next say something else although no fact has changed; None: never."""
    instants: list[int] = []
    running = life.running
    if running is not None and running.kind == "delete":
        return None
    if running is not None:
        instants.append(running.limited_from + rules.deployment_timeout)
        if running.stage == "DeployService":
            if facts.unschedulable_since is not None:
                instants.append(max(facts.unschedulable_since, running.limited_from) + rules.unschedulable_after)
            if facts.crashing_since is not None:
                instants.append(max(facts.crashing_since, running.limited_from) + rules.crash_time_failed)
    elif life.state is ServiceState.HEALTHY and life.unavailable_since is not None:
        instants.append(life.unavailable_since + rules.unhealthy_after)
    later = [instant for instant in instants if instant > now]
    return Micros(min(later)) if later else None


class Lifecycle:
    """The status machine of one service, over the place that holds its life: here the object itself.

    A subclass that has the life elsewhere overrides `_load` and `_save`.

    Args:
        name: of the service.
        rules: limits.
        life: what it has been through; None: nothing, it is about to be created.
    """

    def __init__(self, name: str, rules: ManagementRules, life: ServiceLife | None = None) -> None:
        self.name = name
        self.rules = rules
        self._held = life

    def _load(self) -> ServiceLife | None:
        return self._held

    def _save(self, after: ServiceLife, now: Micros) -> None:  # noqa: ARG002 - for those that keep a history
        self._held = after

    @property
    def life(self) -> ServiceLife:
        """What a caller sees now."""
        life = self._load()
        assert life is not None, "not created yet"  # noqa: S101
        return life

    def begin(self, kind: OperationKind, now: Micros, *, builds: bool) -> Operation:
        """Start an operation (Conflict: another one is running, and nothing has changed)."""
        after = begin(self._load(), self.name, kind, now, builds=builds)
        self._set(after, now)
        return after.operations[-1]

    def restart(self, now: Micros) -> None:
        """The world goes on after it has stood still."""
        self._set(restarted(self.life, now), now)

    def deploying(self, now: Micros) -> None:
        """The image is there."""
        self._set(deploying(self.life), now)

    def observe(self, facts: Facts, now: Micros) -> Micros | None:
        """Take note of what the pods are like; returns when to look again although nothing has changed."""
        self._set(observe(self.life, facts, self.rules, now), now)
        return wake_at(self.life, facts, self.rules, now)

    def relieve(self, facts: Facts, now: Micros) -> None:
        """A version has been removed: if it was what had failed, the service is well again."""
        life = self.life
        if facts.rolled and SERVICE.allows(life.state, ServiceEvent.RELIEVED):
            self._set(replace(life, state=SERVICE.step(life.state, ServiceEvent.RELIEVED), error=None), now)

    def _set(self, after: ServiceLife, now: Micros) -> None:
        if after != self._load():
            self._save(after, now)


def _well_again(life: ServiceLife, facts: Facts) -> bool:
    """One replica is enough, but after a time-out only all that was asked for is: the old ones may have served throughout."""
    if life.error is None:
        return facts.available > 0
    return facts.rolled and life.operations[-1].stage == "DeployService"


def _over(since: Micros | None, limit: Micros, now: Micros) -> bool:
    return since is not None and now - since >= limit


def _availability(life: ServiceLife, facts: Facts, now: Micros) -> ServiceLife:
    if facts.available:
        return life if life.unavailable_since is None else replace(life, unavailable_since=None)
    return replace(life, unavailable_since=now) if life.unavailable_since is None else life


def _operation(life: ServiceLife, running: Operation, facts: Facts, rules: ManagementRules, now: Micros) -> ServiceLife:
    if running.kind == "delete":
        return _ended(life, OperationEvent.COMPLETED, ServiceEvent.DELETED, None, now) if facts.gone else life
    if running.stage == "DeployService":
        if facts.rolled:
            return _ended(life, OperationEvent.COMPLETED, ServiceEvent.SUCCEEDED, None, now)
        if _over(_within(facts.unschedulable_since, running), rules.unschedulable_after, now):
            error = OperationError("KubernetesError", 400, f"{facts.unschedulable_message} {facts.shortage_message}")
            return _ended(life, OperationEvent.FAILED, ServiceEvent.UNSCHEDULABLE, error, now)
        if facts.restarts >= rules.crash_restarts_failed or _over(
            _within(facts.crashing_since, running), rules.crash_time_failed, now
        ):
            crashed = "Your container application crashed. This may be caused by errors in your scoring file's init() function."
            if facts.content_message:
                crashed = f"Your container application crashed: its files cannot be laid out. {facts.content_message}"
            error = OperationError("CrashLoopBackOff", 400, crashed)
            return _ended(life, OperationEvent.FAILED, ServiceEvent.CRASHED, error, now)
    if now - running.limited_from >= rules.deployment_timeout:
        error = OperationError(
            "DeploymentTimedOut", 504,
            f"Timed out waiting for AKS deployment to complete. serviceName: {life.name}",
        )  # fmt: skip
        return _ended(life, OperationEvent.TIMED_OUT, ServiceEvent.TIMED_OUT, error, now)
    return life


def _within(since: Micros | None, running: Operation) -> Micros | None:
    """An operation answers only for what it has seen itself."""
    return None if since is None else Micros(max(since, running.limited_from))


def _ended(
    life: ServiceLife, event: OperationEvent, outcome: ServiceEvent, error: OperationError | None, now: Micros
) -> ServiceLife:
    ended = replace(life.operations[-1], state=OPERATION.step(OperationState.RUNNING, event), ended=now, error=error)
    return replace(
        life, state=SERVICE.step(life.state, outcome), operations=(*life.operations[:-1], ended), error=error
    )
