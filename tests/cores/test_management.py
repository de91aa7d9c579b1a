"""States and operations of one service (semantics §2.3, §2.4, §6.6)."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akstwin.clock import SECOND, Micros
from akstwin.cores.management import (
    Awaited,
    Blocked,
    Facts,
    ManagementRules,
    OperationKind,
    ServiceLife,
    VersionFacts,
    Waiting,
    adjust,
    begin,
    deploying,
    healthy,
    observe,
    restarted,
    wake_at,
)
from akstwin.cores.management.facts import BlockedBy
from akstwin.domain.lifecycles import OperationState, ServiceState
from akstwin.errors import Conflict

RULES = ManagementRules(
    unschedulable_after=Micros(300 * SECOND),
    deployment_timeout=Micros(1200 * SECOND),
    crash_restarts_failed=5,
    crash_time_failed=Micros(600 * SECOND),
    unhealthy_after=Micros(30 * SECOND),
)
STARTED = 100


def at(seconds: float) -> Micros:
    """An instant."""
    return Micros(round(seconds * SECOND))


def facts(available: int = 0, *, rolled: bool = False, routed: bool | None = None, **more: Any) -> Facts:
    """Pods of a service that wants three, which the router knows unless told otherwise; instants in seconds."""
    if "crashing_since" in more:
        more["crashing_since"] = at(more["crashing_since"])
    if "unschedulable_since" in more:
        waiting = ("unschedulable_message", "shortage_message")
        more["waiting"] = Waiting(
            at(more.pop("unschedulable_since")), *(more.pop(text) for text in waiting if text in more)
        )
    return Facts(3, available, rolled, rolled if routed is None else routed, **more)


def started(kind: OperationKind = "create", *, builds: bool = False) -> ServiceLife:
    """A record whose operation began at 100 s."""
    record = None if kind == "create" else healthy("fraud")
    return begin(record, "fraud", kind, at(STARTED), builds=builds)


def outcome(record: ServiceLife) -> tuple[str, str, str]:
    """State, state of the latest operation, and code of the error that stands."""
    return record.state.value, record.operations[-1].state.value, record.error.code if record.error else ""


def test_an_operation_begins_as_running_and_transitioning() -> None:
    """Numbered within the service; with an image to build first if there is one."""
    building = started(builds=True)

    assert (building.state, building.running) == (ServiceState.TRANSITIONING, building.operations[0])
    assert (building.operations[0].number, building.operations[0].stage) == (1, "BuildImage")
    assert deploying(building).operations[0].stage == "DeployService"
    assert deploying(deploying(building)) == deploying(building)
    assert deploying(healthy("fraud")) == healthy("fraud")


@pytest.mark.parametrize("kind", ["create", "update"])
def test_it_succeeds_when_all_replicas_of_the_template_are_available(kind: OperationKind) -> None:
    """Healthy, and the operation has an end."""
    record = observe(started(kind), facts(3, rolled=True), RULES, at(130))

    assert outcome(record) == ("Healthy", "Succeeded", "")
    assert record.operations[-1].ended == at(130)
    assert record.running is None


def test_it_does_not_succeed_while_the_image_is_built() -> None:
    """The old pods that serve meanwhile are not what was asked for."""
    record = observe(started("update", builds=True), facts(3, rolled=True), RULES, at(130))

    assert outcome(record) == ("Transitioning", "Running", "")


def test_a_pod_that_fits_nowhere_for_five_minutes_fails_it() -> None:
    """Unschedulable, with Kubernetes' sentence and the service's own; not a microsecond earlier."""
    waiting = facts(unschedulable_since=120, unschedulable_message="0/3 nodes.", shortage_message="Unschedulable: …")
    early = observe(started(), waiting, RULES, Micros(at(420) - 1))
    record = observe(early, waiting, RULES, at(420))

    assert outcome(early) == ("Transitioning", "Running", "")
    assert outcome(record) == ("Unschedulable", "Failed", "KubernetesError")
    assert record.error is not None
    assert (record.error.status_code, record.error.message) == (400, "0/3 nodes. Unschedulable: …")


def test_a_pod_that_waited_before_the_operation_counts_from_its_start() -> None:
    """An operation answers only for what it has seen itself."""
    waiting = facts(1, unschedulable_since=10)
    record = started("update")

    assert outcome(observe(record, waiting, RULES, at(399)))[1] == "Running"
    assert outcome(observe(record, waiting, RULES, at(400)))[1] == "Failed"


def test_a_container_that_keeps_crashing_fails_it() -> None:
    """After five restarts, or ten minutes without one available."""
    by_count = observe(started(), facts(restarts=5, crashing_since=110), RULES, at(150))
    by_time = observe(started(), facts(restarts=4, crashing_since=110), RULES, at(710))

    assert outcome(observe(started(), facts(restarts=4, crashing_since=110), RULES, at(709)))[1] == "Running"
    for record in (by_count, by_time):
        assert outcome(record) == ("Failed", "Failed", "CrashLoopBackOff")
        assert record.error is not None
        assert "errors in your scoring file's init() function" in record.error.message


@pytest.mark.parametrize("builds", [False, True])
def test_after_twenty_minutes_it_is_timed_out(builds: bool) -> None:
    """TimedOut and Unhealthy, 504, in whatever stage."""
    record = started(builds=builds)

    assert outcome(observe(record, facts(1), RULES, at(1299)))[1] == "Running"
    ended = observe(record, facts(1), RULES, at(1300))
    assert outcome(ended) == ("Unhealthy", "TimedOut", "DeploymentTimedOut")
    assert ended.error is not None
    assert ended.error.status_code == 504


def test_of_several_ends_at_one_instant_success_wins() -> None:
    """Then lack of room, then the crash, then the time-out."""
    record = started()
    everything = {"unschedulable_since": 0, "crashing_since": 0, "restarts": 9}

    assert outcome(observe(record, facts(3, rolled=True, **everything), RULES, at(1300)))[1] == "Succeeded"
    assert outcome(observe(record, facts(**everything), RULES, at(1300)))[0] == "Unschedulable"
    assert outcome(observe(record, facts(crashing_since=0, restarts=9), RULES, at(1300)))[0] == "Failed"


@pytest.mark.parametrize("first", ["create", "update", "delete"])
@pytest.mark.parametrize("second", ["update", "delete"])
def test_a_second_operation_while_one_runs_is_a_conflict(first: OperationKind, second: OperationKind) -> None:
    """409; the record is as it was."""
    record = started(first)

    with pytest.raises(Conflict, match=rf"operation 1 \({first}\) is running") as refused:
        begin(record, "fraud", second, at(101), builds=False)

    assert refused.value.status_hint == 409
    assert record == started(first)


@pytest.mark.parametrize(
    "ends", [facts(unschedulable_since=100), facts(restarts=5), facts()], ids=["unschedulable", "failed", "timed out"]
)
def test_after_any_end_the_next_operation_may_begin(ends: Facts) -> None:
    """Its number is the next, and the error of the last one stands no more."""
    failed = observe(started(), ends, RULES, at(1300))
    again = begin(failed, "fraud", "update", at(1400), builds=False)

    assert outcome(again) == ("Transitioning", "Running", "")
    assert [operation.number for operation in again.operations] == [1, 2]
    assert outcome(observe(again, facts(3, rolled=True), RULES, at(1500))) == ("Healthy", "Succeeded", "")


def test_a_delete_is_an_operation_of_its_own() -> None:
    """The service is Deleting."""
    assert started("delete").state is ServiceState.DELETING


def test_without_a_replica_for_thirty_seconds_a_service_is_unhealthy() -> None:
    """And healthy with the first that is back."""
    down = observe(healthy("fraud"), facts(0), RULES, at(10))
    still = observe(down, facts(0), RULES, at(39.9))
    unhealthy = observe(still, facts(0), RULES, at(40))

    assert [down.state, still.state, unhealthy.state] == ["Healthy", "Healthy", "Unhealthy"]
    assert observe(unhealthy, facts(1), RULES, at(50)).state is ServiceState.HEALTHY


def test_a_replica_in_between_begins_the_thirty_seconds_anew() -> None:
    """Unavailability must be continuous."""
    record = observe(healthy("fraud"), facts(0), RULES, at(10))
    record = observe(record, facts(1), RULES, at(30))
    record = observe(record, facts(0), RULES, at(35))

    assert observe(record, facts(0), RULES, at(64)).state is ServiceState.HEALTHY
    assert observe(record, facts(0), RULES, at(65)).state is ServiceState.UNHEALTHY


def test_while_an_operation_runs_it_alone_decides() -> None:
    """An update with a gap of more than thirty seconds is Transitioning, not Unhealthy."""
    record = observe(started("update"), facts(0), RULES, at(100))

    assert observe(record, facts(0), RULES, at(200)).state is ServiceState.TRANSITIONING


def test_a_service_whose_operation_timed_out_is_unhealthy_until_it_is_all_there() -> None:
    """Old replicas that still serve do not make it Healthy; what was asked for, come late, does."""
    ended = observe(started("update"), facts(1), RULES, at(1300))
    later = observe(ended, facts(2), RULES, at(1310))
    complete = observe(later, facts(3, rolled=True), RULES, at(1320))

    assert [ended.state, later.state, complete.state] == ["Unhealthy", "Unhealthy", "Healthy"]
    assert complete.error is None


@pytest.mark.parametrize("state", ["Unschedulable", "Failed"])
def test_a_failed_service_stays_failed_until_somebody_acts(state: str) -> None:
    """Replicas that come later, or the old ones that go on serving, change nothing in what is shown."""
    why = facts(unschedulable_since=0) if state == "Unschedulable" else facts(restarts=5)
    record = observe(started("update"), why, RULES, at(500))

    assert observe(record, facts(3, rolled=True), RULES, at(600)).state == state


# -- wake_at and observe say the same


instants = st.none() | st.integers(0, 2000)
many_facts = st.builds(
    lambda available, rolled, routed, waiting, crashing, restarts, asked, generations: Facts(
        3,
        available,
        rolled and available == 3,
        routed,
        None if waiting is None else Waiting(at(waiting)),
        crashing_since=None if crashing is None else at(crashing),
        restarts=restarts,
        generation=generations[0],
        router_generation=generations[1],
        access_generation=generations[2],
        versions={"fraud": VersionFacts(asked, available, None if waiting is None else Waiting(at(waiting)),
                                        None if crashing is None else at(crashing))},
    ),
    st.integers(0, 3), st.booleans(), st.booleans(), instants, instants, st.integers(0, 6), st.integers(1, 3),
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)),
)  # fmt: skip
awaits = st.builds(
    Awaited, st.booleans(), st.booleans(), st.sampled_from([(), (("fraud", 2),), (("fraud", 3),), (("gone", 1),)])
)
histories = st.lists(
    st.tuples(
        st.integers(0, 700),
        many_facts,
        st.sampled_from(["look", "update", "update with image", "deploy", "delete", "restart"]) | awaits,
    ),
    min_size=1,
    max_size=8,
)


def seen_by(known: Facts, now: int) -> Facts:
    """The facts, with nothing that has yet to come."""

    def past(since: Micros | None) -> Micros | None:
        return None if since is None else Micros(min(since, at(now)))

    def waited(waiting: Waiting | None) -> Waiting | None:
        return None if waiting is None else replace(waiting, since=Micros(min(waiting.since, at(now))))

    versions = {
        name: replace(version, waiting=waited(version.waiting), crashing_since=past(version.crashing_since))
        for name, version in known.versions.items()
    }
    return replace(
        known, waiting=waited(known.waiting), crashing_since=past(known.crashing_since), versions=versions
    )  # fmt: skip


def lived(history: list[tuple[int, Facts, str | Awaited]], *, cold: bool) -> tuple[ServiceLife, Facts, int]:
    """A service's record after this history, the last facts, and the present in seconds."""
    record = begin(None, "fraud", "create", at(0), builds=True) if cold else healthy("fraud")
    now, last = 0, facts()
    for span, known, what in history:
        now += span
        last = seen_by(known, now)
        if isinstance(what, Awaited):
            if record.state is not ServiceState.DELETING:
                record = adjust(record, what, at(now))
        elif what.startswith("update") and record.running is None:
            record = begin(record, "fraud", "update", at(now), builds=what != "update")
        elif what == "delete" and record.running is None:
            record = begin(record, "fraud", "delete", at(now), builds=False)
        elif what == "restart":
            record = restarted(record, at(now))
        elif what == "deploy":
            record = deploying(record)
        record = observe(record, last, RULES, at(now))
    return record, last, now


@given(history=histories, cold=st.booleans())
def test_seeing_the_same_twice_changes_nothing(history: list[tuple[int, Facts, str | Awaited]], cold: bool) -> None:
    """However often a driver looks at one instant, the record is the same."""
    record, last, now = lived(history, cold=cold)

    assert observe(record, last, RULES, at(now)) == record


@given(history=histories, cold=st.booleans(), share=st.floats(0, 1, exclude_max=True))
def test_nothing_changes_before_wake_at_and_something_does_then(
    history: list[tuple[int, Facts, str | Awaited]], cold: bool, share: float
) -> None:
    """A driver that sleeps until then misses nothing, and never wakes for nothing."""
    record, last, now = lived(history, cold=cold)
    wake = wake_at(record, last, RULES, at(now))
    if wake is None:
        assert observe(record, last, RULES, Micros(at(now) + 10**15)) == record
        return

    assert wake > at(now)
    before = Micros(at(now) + int((wake - 1 - at(now)) * share))
    assert observe(record, last, RULES, before) == record
    assert observe(record, last, RULES, Micros(wake - 1)) == record
    assert observe(record, last, RULES, wake) != record


@given(history=histories, cold=st.booleans())
def test_an_operation_has_an_end_exactly_if_it_is_over(
    history: list[tuple[int, Facts, str | Awaited]], cold: bool
) -> None:
    """Numbers run from 1, only the latest may run, and nothing that ended succeeded with an error."""
    record, _, _ = lived(history, cold=cold)

    assert [operation.number for operation in record.operations] == list(range(1, len(record.operations) + 1))
    for operation in record.operations:
        over = operation.state is not OperationState.RUNNING
        assert (operation.ended is not None) is over
        assert over or operation is record.operations[-1]
        assert (operation.error is not None) is (over and operation.state is not OperationState.SUCCEEDED)
    for adjustment in record.adjustments:
        over = adjustment.state is not OperationState.RUNNING
        assert (adjustment.ended is not None) is over
        assert (adjustment.error is not None) is (over and adjustment.state is not OperationState.SUCCEEDED)


@pytest.mark.parametrize(
    ("by", "code", "begins"),
    [
        ("image_pull", "ImagePullFailed", "The image of a container cannot be pulled: "),
        ("configuration", "InvalidContainerConfiguration", "A container cannot be made as it is configured: "),
        ("quota", "QuotaExceeded", "A quota of the namespace refuses pods: "),
        ("admission", "PodsRefused", "The cluster refuses pods: "),
    ],
)
def test_pods_that_are_kept_from_coming_up_fail_it_by_name(by: BlockedBy, code: str, begins: str) -> None:
    """After the time that a pod may fit nowhere, counted within the operation; the error says what the cluster said."""
    stuck = facts(2, versions={"blue": VersionFacts(3, 2, blocked=Blocked(at(60), by, "it says so"))})
    end = at(STARTED + 300)

    assert observe(started(), stuck, RULES, Micros(end - 1)).state is ServiceState.TRANSITIONING
    assert wake_at(started(), stuck, RULES, at(STARTED)) == end
    after = observe(started(), stuck, RULES, end)

    assert after.state is ServiceState.FAILED
    assert after.error is not None
    assert (after.error.code, after.error.message) == (code, f"{begins}it says so")


def test_a_time_out_says_what_kept_pods_from_coming_up() -> None:
    """Where its limit comes first."""
    stuck = facts(2, versions={"blue": VersionFacts(3, 2, blocked=Blocked(at(1295), "image_pull", "no such image"))})
    error = observe(started(), stuck, RULES, at(STARTED + 1200)).error
    assert error is not None
    assert error.code == "DeploymentTimedOut"
    assert error.message.endswith(". The image of a container cannot be pulled: no such image.")


def test_an_adjustment_fails_for_pods_that_are_kept_from_coming_up() -> None:
    """It asks for more replicas, and a quota refuses them; the service stays Healthy."""
    life = adjust(healthy("fraud"), Awaited(replicas=(("blue", 9),)), at(STARTED))
    stuck = facts(2, versions={"blue": VersionFacts(9, 2, blocked=Blocked(at(60), "quota", "exceeded quota: small"))})

    assert wake_at(life, stuck, RULES, at(STARTED)) == at(STARTED + 300)
    after = observe(life, stuck, RULES, at(STARTED + 300))

    assert after.state is ServiceState.HEALTHY
    assert after.adjustments[0].error == Blocked(at(60), "quota", "exceeded quota: small").error


def test_a_crash_loop_shows_what_the_container_wrote_last() -> None:
    """Where a world can read it."""
    crashing = facts(0, restarts=5, versions={"blue": VersionFacts(3, 0, last_lines="KeyError: 'model'")})
    error = observe(started(), crashing, RULES, at(STARTED + 1)).error
    assert error is not None
    assert error.message.endswith("init() function. Its last lines: KeyError: 'model'")
