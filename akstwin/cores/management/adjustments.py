"""Updates that need no new pods: operations that take no lock and leave the service's state alone (semantics §6.6).

An adjustment makes a new generation of its service and has succeeded when that generation is in effect: the router acts by
it, and the versions whose number of replicas it changed have them. Several may run at once, also during a roll-out.
"""

from dataclasses import dataclass, replace
from typing import Final

from akstwin.clock import Micros
from akstwin.cores.management.facts import (
    Facts,
    ManagementRules,
    OperationError,
    VersionFacts,
    crashed,
    over,
    timed_out,
    within,
)
from akstwin.domain.changes import Effect, SettingsChanged
from akstwin.domain.lifecycles import OPERATION, OperationEvent, OperationState
from akstwin.domain.service import ServiceSpec


@dataclass(frozen=True, slots=True)
class Awaited:
    """What has to happen before an adjustment is in effect.

    Attributes:
        router: whether the router has to act by other settings or another split.
        access: whether the router has to ask for other keys or tokens.
        replicas: versions that are to have another number of replicas, each with that number.
    """

    router: bool = False
    access: bool = False
    replicas: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Adjustment:
    """An operation without a lock.

    Attributes:
        number: the generation of the service that it makes: 1, 2, …
        started: when.
        awaits: what has to happen before it is in effect.
        state: what a poll shows.
        ended: when it reached a final state.
        error: why it did not succeed.
        resumed: when its world went on after it had stood still; its limits count from then. None: from its start.
    """

    number: int
    started: Micros
    awaits: Awaited
    state: OperationState = OperationState.RUNNING
    ended: Micros | None = None
    error: OperationError | None = None
    resumed: Micros | None = None

    @property
    def running(self) -> bool:
        """Whether it is not yet in effect."""
        return self.state is OperationState.RUNNING

    @property
    def limited_from(self) -> Micros:
        """The instant that its limits count from."""
        return self.started if self.resumed is None else self.resumed


def awaited(before: ServiceSpec, effects: tuple[Effect, ...], *, authorises: bool) -> Awaited:
    """What has to happen before a change that needs no new pods is in effect.

    Args:
        before: the service as it was.
        effects: of the change.
        authorises: whether requests need something else.
    """
    replicas = tuple(
        (effect.version.name, effect.version.settings.initial_replicas)
        for effect in effects
        if isinstance(effect, SettingsChanged)
        and effect.version.settings.initial_replicas != before.version(effect.version.name).settings.initial_replicas
    )
    return Awaited(bool(effects), authorises, replicas)


def begun(number: int, awaits: Awaited, now: Micros, *, creating: bool) -> Adjustment:
    """A new adjustment; one that nothing has to happen for has ended as it begins.

    Args:
        number: the generation that it makes.
        awaits: what has to happen.
        now: the present.
        creating: whether the service is still being created: until it is there, nothing is in effect.
    """
    adjustment = Adjustment(number, now, awaits)
    return adjustment if awaits != Awaited() or creating else _ended(adjustment, OperationEvent.COMPLETED, None, now)


def cancelled(adjustment: Adjustment, now: Micros) -> Adjustment:
    """The service is being deleted."""
    return _ended(adjustment, OperationEvent.CANCELLED, _DELETED, now) if adjustment.running else adjustment


def observed(
    adjustment: Adjustment, service: str, facts: Facts, rules: ManagementRules, now: Micros, *, creating: bool
) -> Adjustment:
    """An adjustment after what is now known of pods and router. Seeing the same twice changes nothing."""
    if not adjustment.running:
        return adjustment
    superseded = _superseded(adjustment, facts)
    if superseded is not None:
        return _ended(adjustment, OperationEvent.CANCELLED, superseded, now)
    if creating:
        return adjustment
    missing = _missing(adjustment, facts)
    if not missing and _in_effect(adjustment, facts):
        return _ended(adjustment, OperationEvent.COMPLETED, None, now)
    for _, _, version in missing:
        error = _failure(adjustment, version, facts.content_message, rules, now)
        if error is not None:
            return _ended(adjustment, OperationEvent.FAILED, error, now)
    if now - adjustment.limited_from >= rules.deployment_timeout:
        lack = ", ".join(f"{name} has {version.serving} of {asked} replicas" for name, asked, version in missing)
        error = timed_out(service, f"{lack or 'the router does not act by the update'}.")
        return _ended(adjustment, OperationEvent.TIMED_OUT, error, now)
    return adjustment


def wakes(adjustment: Adjustment, facts: Facts, rules: ManagementRules) -> list[int]:
    """The instants at which `observed` may say something else although no fact has changed."""
    if not adjustment.running:
        return []
    instants = [adjustment.limited_from + rules.deployment_timeout]
    for _, _, version in _missing(adjustment, facts):
        instants += [
            max(held.since, adjustment.limited_from) + rules.unschedulable_after
            for held in (version.waiting, version.blocked)
            if held is not None
        ]
        if version.crashing_since is not None:
            instants.append(max(version.crashing_since, adjustment.limited_from) + rules.crash_time_failed)
    return instants


_DELETED: Final = OperationError("Superseded", 409, "The service was deleted before the update was in effect.")


_NO_VERSION: Final = VersionFacts(0, 0)


def _in_effect(adjustment: Adjustment, facts: Facts) -> bool:
    awaits = adjustment.awaits
    return (not awaits.router or facts.router_generation >= adjustment.number) and (
        not awaits.access or facts.access_generation >= adjustment.number
    )


def _missing(adjustment: Adjustment, facts: Facts) -> list[tuple[str, int, VersionFacts]]:
    """Versions that lack replicas that it asked for: the name, the number, and what the version is like."""
    found = []
    for name, asked in adjustment.awaits.replicas:
        version = facts.versions.get(name, _NO_VERSION)
        if version.serving < asked:
            found.append((name, asked, version))
    return found


def _superseded(adjustment: Adjustment, facts: Facts) -> OperationError | None:
    """Why the replicas that it asked for will never be there: another number has been asked for since."""
    if facts.generation < adjustment.number:  # they have not been asked for yet
        return None
    for name, asked in adjustment.awaits.replicas:
        version = facts.versions.get(name)
        if version is None:
            return OperationError("Superseded", 409, f"Version {name} was removed before it had {asked} replicas.")
        if version.asked != asked:
            return OperationError(
                "Superseded", 409,
                f"A later update asks for {version.asked} replicas of {name}, before it had {asked}.",
            )  # fmt: skip
    return None


def _failure(
    adjustment: Adjustment, version: VersionFacts, content: str, rules: ManagementRules, now: Micros
) -> OperationError | None:
    start = adjustment.limited_from
    for held in (version.waiting, version.blocked):
        if held is not None and over(within(held.since, start), rules.unschedulable_after, now):
            return held.error
    if over(within(version.crashing_since, start), rules.crash_time_failed, now):
        return crashed(content, version.killed_for, version.last_lines)
    return None


def _ended(adjustment: Adjustment, event: OperationEvent, error: OperationError | None, now: Micros) -> Adjustment:
    return replace(adjustment, state=OPERATION.step(adjustment.state, event), ended=now, error=error)
