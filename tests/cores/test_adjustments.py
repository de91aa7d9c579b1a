"""Updates that need no new pods: they take no lock, change no state, and end when they are in effect (semantics §6.6)."""

from dataclasses import replace
from typing import Any

import pytest

from akstwin.clock import SECOND, Micros
from akstwin.cores.management import (
    Adjustment,
    Awaited,
    Facts,
    ManagementRules,
    ServiceLife,
    VersionFacts,
    Waiting,
    adjust,
    begin,
    healthy,
    observe,
    restarted,
    wake_at,
)
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.lifecycles import OperationState, ServiceState

RULES = ManagementRules.of(Assumptions())
ROUTER, ACCESS = Awaited(router=True), Awaited(access=True)
THREE = Awaited(router=True, replicas=(("blue", 3),))


def at(seconds: float) -> Micros:
    """An instant."""
    return Micros(round(seconds * SECOND))


def facts(*, asked: int = 3, serving: int = 1, knows: int = 0, **more: Any) -> Facts:
    """A service of one version whose router acts by a generation; its pods are being changed to the latest."""
    version = VersionFacts(asked, serving, more.pop("lacking", None), more.pop("crashing", None))
    return replace(
        Facts(1, 1, rolled=True, routed=True, generation=99, router_generation=knows, versions={"blue": version}),
        **more,
    )


def latest(life: ServiceLife) -> Adjustment:
    """The adjustment that began last."""
    return life.adjustments[-1]


def adjusting(awaits: Awaited, now: float = 100) -> ServiceLife:
    """A healthy service that is being adjusted."""
    return adjust(healthy("fraud"), awaits, at(now))


def test_nothing_to_wait_for_is_in_effect_at_once() -> None:
    """What is asked for is so already, or nobody acts by it."""
    life = adjusting(Awaited())
    assert (latest(life).state, latest(life).ended) == (OperationState.SUCCEEDED, at(100))


@pytest.mark.parametrize("awaits", [ROUTER, ACCESS, THREE])
def test_it_ends_when_it_is_in_effect(awaits: Awaited) -> None:
    """Not while the router acts by what was before, nor while replicas are missing; the state stays throughout."""
    life = adjusting(awaits)
    before = observe(life, facts(), RULES, at(101))
    assert before == life
    known = facts(serving=3, knows=1, access_generation=1)
    if awaits.replicas:
        assert observe(life, replace(known, router_generation=0), RULES, at(101)) == life
        assert observe(life, facts(serving=2, knows=1), RULES, at(101)) == life
    after = observe(life, known, RULES, at(102))
    assert (latest(after).state, latest(after).ended, latest(after).error) == (OperationState.SUCCEEDED, at(102), None)
    assert after.state is before.state is ServiceState.HEALTHY
    assert after.operations == ()


def test_what_needs_both_waits_for_both() -> None:
    """Another time-out and another way in, in one patch."""
    life = adjusting(Awaited(router=True, access=True))
    assert latest(observe(life, facts(knows=1), RULES, at(101))).running
    assert latest(observe(life, facts(access_generation=1), RULES, at(101))).running
    assert not latest(observe(life, facts(knows=1, access_generation=1), RULES, at(102))).running


def test_it_takes_no_lock() -> None:
    """It begins during another operation, which then ends as it would have; and it refuses none."""
    rolling = adjust(begin(healthy("fraud"), "fraud", "update", at(0), builds=False), ROUTER, at(1))
    assert rolling.state is ServiceState.TRANSITIONING
    meanwhile = observe(rolling, replace(facts(knows=1), rolled=False), RULES, at(2))
    assert latest(meanwhile).state is OperationState.SUCCEEDED
    assert meanwhile.running is not None
    assert observe(meanwhile, facts(), RULES, at(9)).operations[-1].state is OperationState.SUCCEEDED
    assert begin(adjusting(THREE), "fraud", "update", at(101), builds=False).running is not None


def test_of_a_service_that_is_being_created_nothing_is_in_effect() -> None:
    """It ends with the creation, not before."""
    life = adjust(begin(None, "fraud", "create", at(0), builds=False), Awaited(), at(1))
    assert latest(observe(life, replace(facts(), rolled=False), RULES, at(2))).running
    assert latest(observe(life, facts(), RULES, at(60))).ended == at(60)


def test_several_run_side_by_side() -> None:
    """Each ends at its own time, and keeps its number."""
    life = adjust(adjust(healthy("fraud"), ROUTER, at(0)), ROUTER, at(0.5))
    first = observe(life, facts(knows=1), RULES, at(1))
    assert [each.state for each in first.adjustments] == [OperationState.SUCCEEDED, OperationState.RUNNING]
    assert [each.number for each in adjust(first, ROUTER, at(1.2)).adjustments] == [2, 3], "ended ones are let go"


@pytest.mark.parametrize(("asked", "words"), [(5, "asks for 5 replicas of blue"), (None, "blue was removed")])
def test_replicas_that_will_never_come_are_not_waited_for(asked: int | None, words: str) -> None:
    """A later update asks for another number, or takes the version away: the earlier one is cancelled, and says why."""
    life = adjusting(THREE)
    known = facts(asked=asked or 0) if asked else replace(facts(), versions={})
    assert observe(life, replace(known, generation=0), RULES, at(101)) == life, "nothing has been asked for yet"
    after = latest(observe(life, known, RULES, at(101)))
    assert after.state is OperationState.CANCELLED
    assert after.error is not None
    assert words in after.error.message


def test_a_deletion_cancels_it() -> None:
    """Nothing of it will be in effect."""
    after = latest(begin(adjusting(THREE), "fraud", "delete", at(110), builds=False))
    assert (after.state, after.ended) == (OperationState.CANCELLED, at(110))
    assert after.error is not None
    assert "deleted" in after.error.message


def test_replicas_that_fit_nowhere_fail_it_alone() -> None:
    """After 300 s that it has seen itself; the service goes on as it was."""
    lacking = Waiting(at(0), "0/3 nodes are available", "try fewer replicas")
    life, known = adjusting(THREE), facts(knows=1, lacking=lacking, waiting=lacking)
    assert wake_at(life, known, RULES, at(101)) == at(400)
    assert observe(life, known, RULES, at(399)) == life
    after = observe(life, known, RULES, at(400))
    assert (latest(after).state, after.state, after.error) == (OperationState.FAILED, ServiceState.HEALTHY, None)
    assert latest(after).error is not None
    assert latest(after).error.message == "0/3 nodes are available try fewer replicas"  # type: ignore[union-attr]
    elsewhere = facts(knows=1, waiting=lacking)
    assert latest(observe(life, elsewhere, RULES, at(400))).running, "another version's pods are not its own"


def test_replicas_that_crash_fail_it_alone() -> None:
    """After 600 s without one."""
    life, known = adjusting(THREE), facts(serving=0, knows=1, crashing=at(50))
    assert wake_at(life, known, RULES, at(101)) == at(700)
    after = observe(life, known, RULES, at(700))
    assert (latest(after).state, latest(after).error and latest(after).error.code) == (  # type: ignore[union-attr]
        OperationState.FAILED, "CrashLoopBackOff",
    )  # fmt: skip


def test_what_never_comes_runs_out_of_time() -> None:
    """After 1200 s, with what is missing; counted anew for a world that stood still."""
    life, known = adjusting(THREE), facts(serving=2, knows=1)
    assert wake_at(life, known, RULES, at(101)) == at(1300)
    after = latest(observe(life, known, RULES, at(1300)))
    assert after.state is OperationState.TIMED_OUT
    assert after.error is not None
    assert after.error.message.endswith("blue has 2 of 3 replicas.")
    again = restarted(life, at(5000))
    assert latest(observe(again, known, RULES, at(6199))).running
    assert latest(observe(again, known, RULES, at(6200))).state is OperationState.TIMED_OUT
    waits = latest(observe(adjusting(ROUTER), facts(), RULES, at(1300)))
    assert waits.error is not None
    assert waits.error.message.endswith("the router does not act by the update.")
