"""Faults in a simulated world, to the microsecond (semantics §6.3, §6.4, §6.7, §6.8)."""

from typing import Any

import pytest
from pydantic import TypeAdapter
from support.worlds import open_endpoint

from akstwin.clock import SECOND, Micros
from akstwin.domain.deployment import DeployArguments
from akstwin.domain.faults import Fault
from akstwin.domain.lifecycles import PodState
from akstwin.domain.workload import Clients, TraceArrivals
from akstwin.scenarios.opening import update
from akstwin.sim.engine.outcomes import Outcome, Outcomes
from akstwin.sim.pods import Pod

BLUE = "blue"
NO_PROBE = {"initial_delay_seconds": 10**8}
FAULT: TypeAdapter[Any] = TypeAdapter(Fault)


class Cluster:
    """One version on three nodes; requests come when the test says, and what happened is kept."""

    def __init__(
        self,
        *faults: dict[str, Any],
        arrivals: list[float] | None = None,
        deploy: dict[str, Any] | None = None,
        model: dict[str, Any] | None = None,
        cluster: dict[str, Any] | None = None,
        **assumed: Any,
    ) -> None:
        self.events: list[tuple[float, str, str]] = []
        self.answers: dict[int, Outcome] = {}
        version = {
            "name": BLUE,
            "deploy": {"num_replicas": 1, **NO_PROBE, **(deploy or {})},
            "model": {"service_time": "1s", "init_time": "2s", **(model or {})},
        }
        self.opened = open_endpoint(
            [version], recorder=self, seed=5, assumptions={"router_overhead": 0, **assumed}, cluster=cluster
        )
        self.world, self.service = self.opened.world, self.opened.service
        for fault in faults:
            self.world.plan_fault(FAULT.validate_python(fault), self.service)
        instants = tuple(Micros(round(at * SECOND)) for at in arrivals or [])
        if instants:
            self.service.send([TraceArrivals(shape="trace", file="", instants=instants)], Clients(), (0, 1 << 60))

    def answered(self, outcomes: Outcomes) -> None:
        """Keep the answers by the requests' numbers."""
        self.answers.update({each.number: each for each in outcomes.rows()})

    def happened(self, at: int, kind: str, subject: str, detail: str = "") -> None:
        """Keep the event."""
        self.events.append((at / SECOND, kind, subject))

    def replicas_changed(self, version: str, ready: int, desired: int, at: int) -> None:
        """Nobody asks here."""

    def until(self, seconds: float) -> "Cluster":
        """Let time pass."""
        self.world.run_until(Micros(round(seconds * SECOND)))
        return self

    def when(self, kind: str) -> list[float]:
        """Instants of a kind of event, in seconds."""
        return [at for at, each, _ in self.events if each == kind]

    def outcome(self, number: int) -> tuple[int, float]:
        """Status of a request, and when it was answered."""
        request = self.answers[number]
        return request.status, (request.answered or 0) / SECOND

    @property
    def pods(self) -> list[Pod]:
        """The version's pods."""
        return self.service.controller.pods_of(BLUE)


# -- requests (semantics §6.10)


def test_of_two_requests_for_one_replica_the_second_is_refused_at_half_a_second() -> None:
    """To the microsecond; the first is answered."""
    cluster = Cluster(arrivals=[1, 1], model={"service_time": "10s"}).until(20)

    assert [cluster.outcome(number) for number in (0, 1)] == [(200, 11), (503, 1.5)]


def test_with_two_slots_and_one_worker_the_second_runs_after_the_first() -> None:
    """Twice the latency, no 503."""
    cluster = Cluster(arrivals=[1, 1], deploy={"replica_max_concurrent_requests": 2}).until(20)

    assert [cluster.outcome(number) for number in (0, 1)] == [(200, 2), (200, 3)]


def test_a_slot_that_comes_free_at_the_deadline_is_in_time() -> None:
    """Dispatch wins over the deadline of the same instant."""
    cluster = Cluster(arrivals=[1, 1], model={"service_time": "500ms"}).until(20)

    assert [cluster.outcome(number) for number in (0, 1)] == [(200, 1.5), (200, 2)]


def test_a_reply_at_the_scoring_timeout_is_in_time() -> None:
    """The completion goes first; one microsecond longer is a 504."""
    in_time = Cluster(arrivals=[1], deploy={"scoring_timeout_ms": 1000}).until(9)
    late = Cluster(arrivals=[1], deploy={"scoring_timeout_ms": 1000}, model={"service_time": "1000001us"}).until(9)

    assert (in_time.outcome(0), late.outcome(0)) == ((200, 2), (504, 2))


def test_after_a_504_the_worker_goes_on() -> None:
    """`at_once`: the next request is dispatched and waits in the pod; `when_done`: it waits in the queue instead."""
    deploy = {"scoring_timeout_ms": 1000, "max_request_wait_time": 5000}
    model = {"service_time": "1500ms"}
    at_once = Cluster(arrivals=[1, 1.9], deploy=deploy, model=model).until(9)
    when_done = Cluster(
        arrivals=[1, 1.9], deploy=deploy, model=model, slot_released_on_timeout="when_done"
    ).until(9)  # fmt: skip

    assert [at_once.answers[number].dispatched for number in (0, 1)] == [1_000_000, 2_000_000]
    assert at_once.outcome(1) == (504, 3)
    assert [when_done.answers[number].dispatched for number in (0, 1)] == [1_000_000, 2_500_000]
    assert when_done.outcome(1) == (504, 3.5)


def test_overhead_delays_the_answer_and_takes_no_slot() -> None:
    """3 ms more for the client; the next request starts as if there were none."""
    cluster = Cluster(arrivals=[1, 1.8], router_overhead="3ms").until(9)

    assert [cluster.outcome(number) for number in (0, 1)] == [(200, 2.003), (200, 3.003)]


# -- containers


def test_a_killed_container_costs_its_request_and_restarts_later_and_later() -> None:
    """502 at once; restarts after 0, 10, 20 s; the router sees it a second late, and till then requests are lost."""
    kills = [{"kind": "replica_kill", "at": f"{at}s"} for at in (10, 20, 40)]
    cluster = Cluster(*kills, arrivals=[9.5, 10.5, 11.5, 13.5]).until(100)

    assert [cluster.outcome(number) for number in range(4)] == [(502, 10), (200, 13), (503, 11.5), (200, 14.5)]
    assert cluster.when("container_started") == [10, 30, 60]


def test_a_container_that_ran_for_ten_minutes_restarts_at_once_again() -> None:
    """The count of restarts begins anew."""
    kills = [{"kind": "replica_kill", "at": f"{at}s"} for at in (10, 700)]

    assert Cluster(*kills).until(800).when("container_started") == [10, 700]


def test_a_hung_container_is_killed_by_its_probe_after_its_grace() -> None:
    """Misses at 42, 52, 62 s; SIGTERM does not reach it, SIGKILL does 30 s later."""
    probe = {"initial_delay_seconds": 40, "period_seconds": 10, "timeout_seconds": 2}
    cluster = Cluster({"kind": "replica_hang", "at": "35s"}, deploy=probe, arrivals=[36]).until(200)

    assert cluster.when("liveness_failed") == [62]
    assert cluster.when("container_exited") == [92]
    assert cluster.outcome(0) == (502, 92)


def test_a_container_that_hung_for_a_while_goes_on_where_it_stopped() -> None:
    """What it was doing takes that much longer."""
    hang = {"kind": "replica_hang", "at": "1500ms", "lasts": "5s"}

    assert Cluster(hang, arrivals=[1]).until(20).outcome(0) == (200, 7)


def test_overlapping_hangs_add_up() -> None:
    """Hangs from 10 to 30 s and from 20 to 40 s are one from 10 to 40 s, in every answer."""
    arrivals = [at / 2 for at in range(1, 120)]

    def answers(*spans: tuple[int, int]) -> list[tuple[int, float]]:
        hangs = [{"kind": "replica_hang", "at": f"{at}s", "lasts": f"{lasts}s"} for at, lasts in spans]
        cluster = Cluster(*hangs, arrivals=arrivals).until(200)
        return [cluster.outcome(number) for number in range(len(arrivals))]

    assert answers((10, 20), (20, 20)) == answers((10, 30)) != answers((10, 20))
    assert answers((10, 20), (15, 5)) == answers((10, 20)), "one within another changes nothing"


def test_slow_downs_multiply_while_they_last() -> None:
    """Twice as slow from 10 to 30 s, three times from 20 to 40 s: six times between."""
    slow = [
        {"kind": "slow_replica", "at": f"{at}s", "lasts": "20s", "factor": factor} for at, factor in ((10, 2), (20, 3))
    ]
    cluster = Cluster(*slow, arrivals=[5, 11, 21, 35, 41], model={"service_time": "1s"}).until(100)

    took = [round(cluster.outcome(number)[1] - at, 6) for number, at in enumerate((5, 11, 21, 35, 41))]
    assert took == [1, 2, 6, 3, 1]


@pytest.mark.parametrize("order", [1, -1])
def test_factors_are_multiplied_in_one_order_whichever_fault_came_first(order: int) -> None:
    """Products of floats depend on their order; the smallest goes first."""
    factors = [1.1, 1.3, 1.7][::order]
    slow = [
        {"kind": "slow_replica", "at": f"{at}s", "factor": factor}
        for at, factor in zip((1, 2, 3), factors, strict=True)
    ]
    cluster = Cluster(*slow, arrivals=[5], model={"service_time": "999999us"}).until(100)

    assert cluster.answers[0].answered == 5 * SECOND + round(999_999 * (1.1 * 1.3 * 1.7))


def test_a_hang_ends_with_its_container() -> None:
    """Killed while it hangs, the replica comes back well; the end of the old hang does not end a new one."""
    faults = [
        {"kind": "replica_hang", "at": "10s", "lasts": "30s"},
        {"kind": "replica_kill", "at": "12s"},
        {"kind": "replica_hang", "at": "35s", "lasts": "10s"},
    ]
    cluster = Cluster(*faults, arrivals=[20, 39]).until(100)

    assert [cluster.outcome(number) for number in (0, 1)] == [(200, 21), (200, 46)]


def test_a_slow_down_ends_with_its_container() -> None:
    """The container that follows has the model's own times."""
    faults = [{"kind": "slow_replica", "at": "10s", "factor": 5}, {"kind": "replica_kill", "at": "12s"}]

    assert Cluster(*faults, arrivals=[20]).until(100).outcome(0) == (200, 21)


class Told:
    """Keeps what a data plane reports of probes."""

    def __init__(self, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reports: list[tuple[float, str, bool]] = []
        pods = cluster.world.pods
        readiness, liveness = pods.readiness_changed, pods.liveness_failed

        def readiness_changed(number: int, ready: bool) -> None:
            self.reports.append((cluster.world.calendar.now / SECOND, "ready", ready))
            readiness(number, ready)

        def liveness_failed(number: int) -> None:
            self.reports.append((cluster.world.calendar.now / SECOND, "alive", False))
            liveness(number)

        monkeypatch.setattr(pods, "readiness_changed", readiness_changed)
        monkeypatch.setattr(pods, "liveness_failed", liveness_failed)


def test_a_probe_is_reported_when_its_verdict_changes_something(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of dozens of probes in 200 s the control plane hears three times: ready no more, ready again, dead."""
    faults = [{"kind": "replica_hang", "at": "41s", "lasts": "40s"}, {"kind": "replica_hang", "at": "121s"}]
    probe = {"initial_delay_seconds": 150, "period_seconds": 10}
    cluster = Cluster(*faults, deploy=probe, readiness="probe")
    told = Told(cluster, monkeypatch)
    cluster.until(200)

    assert told.reports == [(72, "ready", False), (81, "ready", True), (152, "ready", False), (172, "alive", False)]


# -- connections that are refused (R13)


def test_the_next_replica_gets_what_one_refuses() -> None:
    """The dead replica is tried first and rests for a second; its request has lost nothing."""
    faults = [{"kind": "replica_kill", "at": "5s"}, {"kind": "replica_kill", "at": "10s"}]
    settings = {"deploy": {"num_replicas": 2}, "arrivals": [10.2, 10.3, 10.4], "model": {"init_time": "1s"}}
    refused = Cluster(*faults, **settings).until(100)
    moved = Cluster(*faults, refused_connection="next_replica", **settings).until(100)

    assert [refused.outcome(number)[0] for number in range(3)] == [502, 200, 502]
    assert [moved.outcome(number) for number in range(3)] == [(200, 11.2), (503, 10.8), (503, 10.9)]


@pytest.mark.parametrize(("workers", "restarts"), [(1, True), (2, False)])
def test_long_requests_starve_the_probe_of_a_single_worker(workers: int, restarts: bool) -> None:
    """Semantics §6.4: requests of 40 s and the default probe: restarts and 502s after minute 5, none with two workers."""
    cluster = Cluster(
        arrivals=[float(at) for at in range(1, 900, 5)],
        deploy={"initial_delay_seconds": 310, "scoring_timeout_ms": 300_000},
        model={"service_time": "40s", "workers": workers},
    ).until(1000)
    lost = [request for request in cluster.answers.values() if request.status == 502]

    assert bool(cluster.when("liveness_failed")) is bool(lost) is restarts
    assert all((request.answered or 0) > 310 * SECOND for request in lost)


def test_a_worker_that_runs_too_long_is_ended_and_starts_anew() -> None:
    """500 after the worker's time-out; the next request waits for its `init()`."""
    cluster = Cluster(
        arrivals=[1, 3.5], worker_timeout="3s", model={"service_time": {"distribution": "constant", "mean": "3500ms"}},
    ).until(20)  # fmt: skip

    assert [cluster.outcome(number) for number in (0, 1)] == [(500, 4), (500, 9)]
    assert cluster.answers[1].started == 6_000_000


def test_the_container_dies_at_the_request_that_was_named() -> None:
    """Every second request from 2 s on, twice; the others are answered."""
    crash = {"kind": "crash_on_request", "at": "2s", "request": 2, "every": True, "times": 2}
    cluster = Cluster(crash, arrivals=[0.5, 3, 5, 60, 80, 200, 210], deploy={}).until(400)

    assert [cluster.answers[number].status for number in range(7)] == [200, 200, 502, 200, 502, 200, 200]


# -- nodes


def lost_node(**more: Any) -> dict[str, Any]:
    """The node of the first pod falls silent at 10 s."""
    return {"kind": "node_loss", "at": "10s", "node": 1, **more}


def test_requests_on_a_lost_node_hang_until_their_timeout() -> None:
    """Those under way and those sent before it is noticed; then there is no ready replica."""
    cluster = Cluster(
        lost_node(), arrivals=[9.5, 20, 52], deploy={"scoring_timeout_ms": 8000, "max_request_wait_time": 100}
    ).until(60)

    assert [cluster.outcome(number) for number in range(3)] == [(504, 17.5), (504, 28), (503, 52)]
    assert cluster.when("node_not_ready") == [50]


def test_pods_of_a_lost_node_are_replaced_elsewhere_after_detection_and_eviction() -> None:
    """40 s and then 300 s; not before."""
    cluster = Cluster(lost_node()).until(349)
    assert [pod.state for pod in cluster.pods] == [PodState.NOT_READY]
    cluster.until(500)

    assert cluster.when("pod_evicted") == [350]
    assert cluster.when("pod_created") == [350]
    assert [(pod.state, pod.node.number if pod.node else 0) for pod in cluster.pods] == [(PodState.READY, 2)]


@pytest.mark.parametrize("lasts", [20, 200])
def test_a_node_that_is_back_in_time_keeps_its_pods_and_loses_their_work(lasts: int) -> None:
    """Noticed or not: the same pod serves again, what it was doing is a 504."""
    cluster = Cluster(lost_node(lasts=f"{lasts}s"), arrivals=[9.5, 250]).until(600)

    assert [cluster.outcome(number) for number in range(2)] == [(504, 69.5), (200, 251)]
    assert (cluster.when("pod_evicted"), cluster.when("pod_created")) == ([], [])


def test_a_second_loss_is_noticed_forty_seconds_after_itself() -> None:
    """Not forty seconds after the first, from which the node was back."""
    again = {"kind": "node_loss", "at": "40s", "node": 1}

    assert Cluster(lost_node(lasts="20s"), again).until(300).when("node_not_ready") == [80]


@pytest.mark.parametrize("released", ["at_once", "when_done"])
def test_work_lost_with_a_node_costs_no_slot_for_good(released: str) -> None:
    """Back again, the replica has all its slots once the lost requests have run into their time-outs."""
    cluster = Cluster(
        lost_node(lasts="5s"), arrivals=[9.5, 30, 40], deploy={"scoring_timeout_ms": 8000},
        slot_released_on_timeout=released,
    ).until(100)  # fmt: skip

    assert [cluster.outcome(number) for number in range(3)] == [(504, 17.5), (200, 31), (200, 41)]
    assert cluster.service.plane.usage(BLUE).busy == 0


def test_killing_a_container_on_a_silent_node_changes_nothing() -> None:
    """Nobody hears of it: requests go on hanging instead of being lost at once."""
    cluster = Cluster(
        lost_node(lasts="15s"), {"kind": "replica_kill", "at": "12s"}, arrivals=[14],
        deploy={"scoring_timeout_ms": 8000},
    ).until(60)  # fmt: skip

    assert cluster.outcome(0) == (504, 22)
    assert cluster.when("container_exited") == []


def test_a_node_that_is_back_for_no_time_at_all_is_lost_once() -> None:
    """Its pods are given up once, however often it falls silent at one instant."""
    loss = {"kind": "node_loss", "at": "10s", "node": 1}
    cluster = Cluster({**loss, "lasts": "0s"}, loss).until(600)

    assert cluster.when("node_not_ready") == [50]
    assert cluster.when("pod_evicted") == [350]


def test_a_drained_node_that_was_removed_is_never_looked_for_again() -> None:
    """Nodes come for pods that do not fit, and go when they have been idle: twice, with long grace on the way out."""
    watch = Cluster(
        deploy={"cpu_cores": 2.0, "scoring_timeout_ms": 300_000},
        model={"service_time": "25s", "init_time": "1s"},
        cluster={"nodes": 3, "max_nodes": 6},
        node_provision="30s",
    )
    for at, replicas in ((9, 6), (399, 1), (2999, 6), (3399, 1)):
        watch.until(at)
        update(watch.opened.backend, "fraud", BLUE, DeployArguments(num_replicas=replicas))
    watch.until(6000)
    world = watch.world

    assert len(world.nodes.all) == 3
    assert len(watch.when("node_joined")) == len(watch.when("node_removed")) == 6
