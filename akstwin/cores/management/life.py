"""States and operations of one service (semantics §2.3, §2.4, §6.6).

`(life, facts, now) → life`: the life says what a caller sees, the facts are what pods and router are like. A driver calls
`observe` when a fact changes and at `wake_at`.

An operation has the service's lock and sets its state; an adjustment (`adjustments`) does neither.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal

from akstwin.clock import Micros
from akstwin.cores.management import adjustments
from akstwin.cores.management.adjustments import Adjustment, Awaited
from akstwin.cores.management.facts import (
    Facts,
    ManagementRules,
    OperationError,
    crashed,
    last_state,
    over,
    timed_out,
    within,
)
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


KEPT_OPERATIONS: Final = 10
"""So many of a service's latest operations are part of its life."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A long-running operation that has the service's lock.

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
class ServiceLife:
    """What the management service says of a service.

    Attributes:
        name: the service.
        state: what the SDK prints.
        operations: the latest that it has had, the last one last (`KEPT_OPERATIONS`), and the latest that brought pods up.
        unavailable_since: since when no replica has been available.
        error: of the operation that left it as it is.
        adjustments: those that run, and those that had ended when the latest began: the latest last.
    """

    name: str
    state: ServiceState
    operations: tuple[Operation, ...] = ()
    unavailable_since: Micros | None = None
    error: OperationError | None = None
    adjustments: tuple[Adjustment, ...] = ()

    @property
    def running(self) -> Operation | None:
        """The operation that is under way."""
        latest = self.operations[-1] if self.operations else None
        return latest if latest is not None and latest.state is OperationState.RUNNING else None

    @property
    def creating(self) -> bool:
        """Whether it is being created."""
        return self.running is not None and self.running.kind == "create"

    @property
    def generation(self) -> int:
        """Grows with every adjustment; 0: there was none."""
        return self.adjustments[-1].number if self.adjustments else 0


def healthy(name: str) -> ServiceLife:
    """The life of a service whose deployment lies in the past."""
    return ServiceLife(name, ServiceState.HEALTHY)


def restarted(life: ServiceLife, now: Micros) -> ServiceLife:
    """The life of a service whose world stood still and goes on now: the time between counts for nothing.

    An operation that was under way has all its time again, and nobody has missed a replica yet.
    """
    running = life.running
    operations = life.operations if running is None else (*life.operations[:-1], replace(running, resumed=now))
    adjusting = tuple(replace(each, resumed=now) if each.running else each for each in life.adjustments)
    return replace(life, operations=operations, adjustments=adjusting, unavailable_since=None)


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
    number = life.operations[-1].number + 1 if life and life.operations else 1
    operation = Operation(number, kind, now, "BuildImage" if builds else "DeployService")
    if life is None:
        return ServiceLife(name, SERVICE.initial, (operation,))
    event = ServiceEvent.DELETE_STARTED if kind == "delete" else ServiceEvent.OPERATION_STARTED
    state = SERVICE.step(life.state, event)
    after = replace(life, state=state, operations=_kept((*life.operations, operation)), error=None)
    if kind != "delete":
        return after
    return replace(after, adjustments=tuple(adjustments.cancelled(each, now) for each in life.adjustments))


def adjust(life: ServiceLife, awaits: Awaited, now: Micros) -> ServiceLife:
    """Begin an adjustment, whatever else is running.

    Args:
        life: the service.
        awaits: what has to happen before it is in effect.
        now: the present.
    """
    running = (each for each in life.adjustments if each.running)
    begun = adjustments.begun(life.generation + 1, awaits, now, creating=life.creating)
    return replace(life, adjustments=(*running, begun))


def _kept(operations: tuple[Operation, ...]) -> tuple[Operation, ...]:
    """The latest, and the one before them that says that the service has been up."""
    latest = operations[-KEPT_OPERATIONS:]
    if any(served(each) for each in latest):
        return latest
    return (*[each for each in operations[:-KEPT_OPERATIONS] if served(each)][-1:], *latest)


def served(operation: Operation) -> bool:
    """Whether it brought pods up as far as it could: it succeeded, or ran out of time after its image was there."""
    if operation.kind == "delete":
        return False
    late = operation.state is OperationState.TIMED_OUT and operation.stage == "DeployService"
    return operation.state is OperationState.SUCCEEDED or late


def deploying(life: ServiceLife) -> ServiceLife:
    """The image is there: the operation goes on to its pods."""
    running = life.running
    if running is None or running.stage == "DeployService":
        return life
    return replace(life, operations=(*life.operations[:-1], replace(running, stage="DeployService")))


def observe(life: ServiceLife, facts: Facts, rules: ManagementRules, now: Micros) -> ServiceLife:
    """The life after what is now known of pods and router. Seeing the same twice changes nothing."""
    life = _state(_availability(life, facts, now), facts, rules, now)
    after = tuple(
        adjustments.observed(each, life.name, facts, rules, now, creating=life.creating) for each in life.adjustments
    )
    return life if after == life.adjustments else replace(life, adjustments=after)


def _state(life: ServiceLife, facts: Facts, rules: ManagementRules, now: Micros) -> ServiceLife:
    """Its state and its operation, by what is now known."""
    running = life.running
    if running is not None:
        return _operation(life, running, facts, rules, now)
    if life.state is ServiceState.HEALTHY and over(life.unavailable_since, rules.unhealthy_after, now):
        return replace(life, state=SERVICE.step(life.state, ServiceEvent.UNAVAILABLE))
    if life.state is ServiceState.UNHEALTHY and _well_again(life, facts):
        return replace(life, state=SERVICE.step(life.state, ServiceEvent.AVAILABLE), error=None)
    return life


def wake_at(life: ServiceLife, facts: Facts, rules: ManagementRules, now: Micros) -> Micros | None:
    """When `observe` would next say something else although no fact has changed; None: never."""
    running = life.running
    if running is not None and running.kind == "delete":
        return None
    instants: list[int] = []
    if not life.creating:
        instants += [instant for each in life.adjustments for instant in adjustments.wakes(each, facts, rules)]
    if running is not None:
        instants.append(running.limited_from + rules.deployment_timeout)
        if running.stage == "DeployService":
            for held in (facts.waiting, facts.blocked):
                if held is not None:
                    instants.append(max(held.since, running.limited_from) + rules.unschedulable_after)
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

    def adjust(self, awaits: Awaited, now: Micros) -> Adjustment:
        """Begin an adjustment: it needs no lock, and leaves the state alone."""
        after = adjust(self.life, awaits, now)
        self._set(after, now)
        return after.adjustments[-1]

    def restart(self, now: Micros) -> None:
        """The world goes on after it has stood still."""
        self._set(restarted(self.life, now), now)

    def deploying(self, now: Micros) -> None:
        """The image is there."""
        self._set(deploying(self.life), now)

    def observe(self, facts: Facts, now: Micros) -> Micros | None:
        """Take note of what pods and router are like; returns when to look again although nothing has changed."""
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


def _missing(facts: Facts) -> str:
    """A sentence on what there was not in time, as far as it is known."""
    if facts.blocked is not None:
        return f"{facts.blocked.explanation}."
    return last_state(facts.killed_for) if facts.killed_for else ""


def _well_again(life: ServiceLife, facts: Facts) -> bool:
    """One replica is enough, but after a time-out only all that was asked for is: the old ones may have served throughout."""
    if life.error is None:
        return facts.available > 0
    return facts.rolled and life.operations[-1].stage == "DeployService"


def _availability(life: ServiceLife, facts: Facts, now: Micros) -> ServiceLife:
    if facts.available:
        return life if life.unavailable_since is None else replace(life, unavailable_since=None)
    return replace(life, unavailable_since=now) if life.unavailable_since is None else life


def _operation(life: ServiceLife, running: Operation, facts: Facts, rules: ManagementRules, now: Micros) -> ServiceLife:
    if running.kind == "delete":
        return _ended(life, OperationEvent.COMPLETED, ServiceEvent.DELETED, None, now) if facts.gone else life
    if running.stage == "DeployService":
        if facts.rolled and facts.routed:
            return _ended(life, OperationEvent.COMPLETED, ServiceEvent.SUCCEEDED, None, now)
        waiting = facts.waiting
        if waiting is not None and over(within(waiting.since, running.limited_from), rules.unschedulable_after, now):
            return _ended(life, OperationEvent.FAILED, ServiceEvent.UNSCHEDULABLE, waiting.error, now)
        blocked = facts.blocked
        if blocked is not None and over(within(blocked.since, running.limited_from), rules.unschedulable_after, now):
            return _ended(life, OperationEvent.FAILED, ServiceEvent.BLOCKED, blocked.error, now)
        if facts.restarts >= rules.crash_restarts_failed or over(
            within(facts.crashing_since, running.limited_from), rules.crash_time_failed, now
        ):
            error = crashed(facts.content_message, facts.killed_for, facts.last_lines)
            return _ended(life, OperationEvent.FAILED, ServiceEvent.CRASHED, error, now)
    if now - running.limited_from >= rules.deployment_timeout:
        error = timed_out(life.name, _missing(facts))
        return _ended(life, OperationEvent.TIMED_OUT, ServiceEvent.TIMED_OUT, error, now)
    return life


def _ended(
    life: ServiceLife, event: OperationEvent, outcome: ServiceEvent, error: OperationError | None, now: Micros
) -> ServiceLife:
    ended = replace(life.operations[-1], state=OPERATION.step(OperationState.RUNNING, event), ended=now, error=error)
    return replace(
        life, state=SERVICE.step(life.state, outcome), operations=(*life.operations[:-1], ended), error=error
    )
