"""Whole worlds, drawn at random: broken for a while, then left alone.

Two phases for every world. While faults, updates and traffic last, nothing wrong happens; once they are over, everybody has
an answer and every service has the replicas it wants, unless the cluster has no room for them.
"""

import functools
import itertools
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from akstwin.clock import SECOND, Micros
from akstwin.domain.deployment import Autoscaled
from akstwin.domain.lifecycles import PodState
from akstwin.domain.reasons import Reason
from akstwin.domain.resources import Resources
from akstwin.kubernetes_model.memory import room
from akstwin.scenarios.load import BadScenario, Prepared, prepare
from akstwin.scenarios.measure import Measurement
from akstwin.scenarios.simulate import build
from akstwin.scenarios.users import users_of
from akstwin.sim.calendar import Calendar, Order
from akstwin.sim.engine.outcomes import Outcome, Outcomes
from akstwin.sim.load.users import turn_of, user_of

TRAFFIC = 60
"""Seconds of traffic; whatever is broken is mended within as many again."""
LEFT_ALONE = 900
"""Seconds from the start until which everything must be well: restarts, retries and pulls are all shorter."""

NAMES = ("blue", "green", "red")
instants = st.integers(0, TRAFFIC * 1000).map(lambda ms: f"{ms}ms")
spans = st.integers(0, TRAFFIC * 1000).map(lambda ms: f"{ms}ms")

ROUTE = {
    "replica_max_concurrent_requests": st.integers(1, 3),
    "max_request_wait_time": st.sampled_from([50, 500, 3000]),
    "scoring_timeout_ms": st.sampled_from([100, 1000, 60_000]),
}
PROBE = {
    "initial_delay_seconds": st.sampled_from([20, 310]),
    "period_seconds": st.sampled_from([3, 10]),
    "timeout_seconds": st.sampled_from([1, 2]),
    "failure_threshold": st.integers(1, 3),
}
SIZE = {"cpu_cores": st.sampled_from([0.1, 0.5, 1.5]), "memory_gb": st.sampled_from([0.5, 2.0])}
SCALING = st.one_of(
    st.fixed_dictionaries({"autoscale_enabled": st.just(False), "num_replicas": st.integers(1, 3)}),
    st.fixed_dictionaries(
        {
            "autoscale_enabled": st.just(True),
            "autoscale_min_replicas": st.integers(1, 2),
            "autoscale_max_replicas": st.integers(2, 5),
            "autoscale_target_utilization": st.sampled_from([40, 70, 100]),
        }
    ),
)
MODELS = st.fixed_dictionaries(
    {
        "service_time": st.sampled_from(
            [
                "20ms",
                "250ms",
                {"distribution": "exponential", "mean": "100ms"},
                {"distribution": "lognormal", "mean": "150ms", "cv": 2.0},
            ]
        ),
        "init_time": st.sampled_from(["100ms", "4s"]),
        "workers": st.integers(1, 3),
        "failure_rate": st.sampled_from([0.0, 0.05]),
    },
    optional={
        "memory": st.sampled_from(
            ["300MB", {"base": "200MB", "per_request": "150MB"}, {"base": "0B", "per_request": "300MB"}]
        )
    },
)
USERS = st.fixed_dictionaries(
    {
        "shape": st.just("users"),
        "users": st.integers(1, 12),
        "think_time": st.sampled_from(["50ms", "1s", {"distribution": "exponential", "mean": "800ms"}]),
    },
    optional={"spawn_rate": st.sampled_from([0.5, 20])},
)
ASSUMPTIONS = st.fixed_dictionaries(
    {
        "router_overhead": st.just(0),
        "readiness": st.sampled_from(["immediate", "probe"]),
        "readiness_period": st.just("2s"),
        "readiness_timeout": st.just("1s"),
        "slot_released_on_timeout": st.sampled_from(["at_once", "when_done"]),
        "when_no_replica_ready": st.sampled_from(["refuse", "queue"]),
        "refused_connection": st.sampled_from([502, "next_replica"]),
        "max_queue_length": st.sampled_from([None, 1, 5]),
        "max_unavailable": st.integers(0, 1),
        "max_surge": st.integers(0, 2),
        "router_lag": st.sampled_from(["0s", "1s", "3s"]),
        "termination_grace": st.sampled_from(["1s", "30s"]),
        "worker_timeout": st.sampled_from(["500ms", "300s"]),
        "restart_backoff": st.just("2s"),
        "restart_backoff_cap": st.just("16s"),
        "node_failure_detected": st.just("5s"),
        "node_eviction": st.sampled_from(["3s", "20s"]),
        "image_build": st.sampled_from(["0s", "15s"]),
        "image_pull": st.just("5s"),
        "unschedulable_after": st.just("20s"),
        "deployment_timeout": st.sampled_from(["40s", "1200s"]),
        "autoscale_counts_queue": st.booleans(),
        "max_pods_per_node": st.sampled_from([4, 110]),
        "node_provision": st.just("20s"),
        "node_autoscaler_unneeded": st.just("30s"),
        "node_autoscaler_after_add": st.just("10s"),
    }
)


def faults(versions: Iterable[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Any fault, over before long."""
    version = st.sampled_from([None, *versions])
    common = {"at": instants}
    on_replicas = {**common, "version": version, "count": st.integers(1, 3)}
    return st.one_of(
        st.fixed_dictionaries({**common, "kind": st.just("node_loss"), "node": st.integers(1, 3), "lasts": spans}),
        st.fixed_dictionaries({**on_replicas, "kind": st.just("replica_kill")}),
        st.fixed_dictionaries({**on_replicas, "kind": st.just("replica_hang"), "lasts": spans}),
        st.fixed_dictionaries(
            {**on_replicas, "kind": st.just("slow_replica"), "lasts": spans, "factor": st.sampled_from([0.5, 20.0])}
        ),
        st.fixed_dictionaries({**common, "kind": st.just("init_failure"), "version": version, "lasts": spans}),
        st.fixed_dictionaries(
            {**common, "kind": st.just("image_pull_slow"), "factor": st.just(5.0), "lasts": spans}
        ),
        st.fixed_dictionaries(
            {
                **common,
                "kind": st.just("crash_on_request"),
                "version": version,
                "request": st.integers(1, 40),
                "every": st.booleans(),
                "times": st.integers(1, 3),
            }
        ),
    )  # fmt: skip


def updates(versions: Iterable[str]) -> st.SearchStrategy[dict[str, Any]]:
    """An update of anything."""
    deploy = st.fixed_dictionaries({}, optional={**ROUTE, **PROBE, **SIZE}) | SCALING
    return st.fixed_dictionaries(
        {"kind": st.just("update"), "at": instants, "version": st.sampled_from([None, *versions]), "deploy": deploy},
        optional={"model": MODELS},
    )


@st.composite
def scenarios(draw: st.DrawFn) -> dict[str, Any]:
    """A small scenario, as a file would hold it."""
    names = NAMES[: draw(st.integers(1, 3))]
    versions = []
    for name in names:
        deploy = {**draw(SCALING), **draw(st.fixed_dictionaries({**ROUTE, **PROBE, **SIZE}))}
        versions.append({"name": name, "deploy": {**deploy, "traffic_percentile": 30.0}, "model": draw(MODELS)})
    rates = st.sampled_from([0, 1, 8, 25])
    return {
        "seed": draw(st.integers(0, 99)),
        "duration": LEFT_ALONE,
        "start": draw(st.sampled_from(["healthy", "cold"])),
        "cluster": {
            "nodes": 3,
            "vm_size": draw(st.sampled_from(["Standard_D4s_v5", "Standard_D8s_v5"])),
            "max_nodes": draw(st.sampled_from([None, None, 5])),
        },
        "endpoint": {"name": "fraud", "versions": versions},
        "traffic": [
            {"shape": "steps", "rate": [draw(rates), draw(rates), 0], "at": ["0s", "20s", f"{TRAFFIC}s"]}
            for _ in range(draw(st.integers(1, 2)))
        ]
        + draw(st.lists(USERS, max_size=1)),
        "clients": {
            "retry": draw(
                st.sampled_from(["none", "azureml-core", {"statuses": [502, 503, 504], "attempts": 3, "backoff": "1s"}])
            )
        },
        "faults": draw(st.lists(faults(names), max_size=5)),
        "operations": draw(st.lists(updates(names), max_size=3)),
        "assumptions": draw(ASSUMPTIONS),
    }


class Watch:
    """Hears everything, looks around whenever something happens, and keeps a log."""

    def __init__(self, prepared: Prepared) -> None:
        measurement = Measurement(0, LEFT_ALONE * SECOND, [version.name for version in prepared.service.versions])
        self.opened = build(prepared, 1, measurement)
        self.world, self.service = self.opened.world, self.opened.service
        self.answers: list[Outcome] = []
        self.log: list[tuple[Any, ...]] = []
        self.limits = prepared.scenario.assumptions
        self.settings: dict[str, list[Any]] = {}
        self.world.record(self)
        self.waiting = {entry: each.users for entry, each in users_of(prepared.scenario).items()}
        if self.waiting:  # users would go on for ever
            self.world.calendar.at(TRAFFIC * SECOND, Order.FAULT, self.stop)
        self.look()

    def stop(self) -> None:
        """Nobody calls any more."""
        for source in self.service.sources:
            source.stop()

    def answered(self, outcomes: Outcomes) -> None:
        """Keep them."""
        self.answers.extend(outcomes.rows())
        self.log.extend(outcomes.rows())

    def happened(self, at: int, kind: str, subject: str, detail: str = "") -> None:
        """Keep it, and look around."""
        self.log.append((at, kind, subject, detail))
        self.look()

    def look(self) -> None:
        """What must hold at every moment, whatever is broken."""
        self._nodes()
        for name, deployment in self.service.controller.deployments.items():
            known = self.settings.setdefault(name, [])
            if deployment.spec.settings not in known:
                known.append(deployment.spec.settings)
            bounds = [
                (each.scaling.minimum, each.scaling.maximum)
                if isinstance(each.scaling, Autoscaled)
                else (each.scaling.replicas, each.scaling.replicas)
                for each in known
            ]
            assert min(low for low, _ in bounds) <= deployment.replicas <= max(high for _, high in bounds)
        for hosted in self.service.plane._containers.hosted.values():
            fit = room(hosted.spec.model.memory, hosted.spec.memory_limit)
            if fit is not None and hosted.container.initialised:
                assert len(hosted.container.holds) <= fit
        if self.limits.slot_released_on_timeout == "when_done":
            for hosted in self.service.plane._containers.hosted.values():
                assert len(hosted.held) <= self.most(hosted.spec.version, "slots")

    def most(self, version: str, setting: str) -> int:
        """The most that a routing setting of the version has been."""
        return max(getattr(each.route, setting) for each in self.settings[version])

    def _nodes(self) -> None:
        """No node is over its room or its number of pods, and its books are the pods' own."""
        for node in self.world.nodes.all:
            assert node.taken.fits_in(node.room)
            assert len(node.pods) + node.routers <= self.limits.max_pods_per_node
            requests = sum(node.pods.values(), Resources())
            assert (node.taken - requests).cpu == node.routers * 500
        for pod in self.world.pods.all:
            if pod.node is not None and pod.state is not PodState.GONE:
                assert pod.number in pod.node.pods

    def until(self, seconds: float) -> None:
        """Let time pass, and check that nobody got lost."""
        self.world.run_until(Micros(round(seconds * SECOND)))
        self.look()
        self.littles_law()

    def littles_law(self) -> None:
        """As an identity of whole numbers: the population summed over time is the sum of the times spent."""
        now = self.world.calendar.now
        plane = self.service.plane
        spent = sum(request.answered - request.arrived for request in self.answers)
        spent += sum(now - request.arrived for request in plane._requests.values())
        assert plane.population_area() == spent
        assert plane._arrivals == len(self.answers) + plane.population
        assert len({(each.entry, each.number, each.attempt) for each in self.answers}) == len(self.answers)


def watched(document: dict[str, Any]) -> Watch | None:
    """The world of a scenario; None if it cannot begin (its replicas do not fit)."""
    try:
        return Watch(prepare(document, Path("drawn.yaml")))
    except BadScenario as refused:
        note(str(refused))
        return None
    except Exception as refused:
        if "cluster.nodes" in str(refused):
            return None
        raise


def check_users(watch: Watch) -> None:
    """A user who waits has one request at a time: its next turn, or attempt, follows the answer to the one before."""
    for entry, count in watch.waiting.items():
        of_users: dict[int, list[Outcome]] = {}
        for each in watch.answers:
            if each.entry == entry:
                of_users.setdefault(user_of(each.number), []).append(each)
        assert set(of_users) <= set(range(count))
        for requests in of_users.values():
            requests.sort(key=lambda each: each.arrived)
            assert [turn_of(each.number) for each in requests if each.attempt == 0] == list(
                range(sum(each.attempt == 0 for each in requests))
            )
            for before, after in pairwise(requests):
                assert after.arrived >= before.answered
                assert after.number != before.number or after.attempt == before.attempt + 1


def check_answers(watch: Watch) -> None:
    """Every answer fits its history, and no replica was sent more than its slots."""
    flights: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for request in watch.answers:
        assert request.arrived <= request.answered
        if request.version is None:
            assert (request.status, request.reason) == (404, Reason.NOT_FOUND)
            continue
        if request.dispatched is None:
            check_refusal(watch, request, request.version)
            continue
        waits = (
            2 if watch.limits.refused_connection == "next_replica" else 1
        )  # the second wait follows a refused connection
        assert request.dispatched - request.arrived <= waits * watch.most(request.version, "max_wait")
        check_reply(watch, request, request.version)
        assert request.replica is not None
        flight = [(request.dispatched, 1), (request.answered, -1)]
        flights.setdefault((request.version, request.replica), []).extend(flight)
    check_users(watch)
    for (version, _), changes in flights.items():
        held = 0
        for _, change in sorted(changes):  # at one instant slots are given back first
            held += change
            assert held <= watch.most(version, "slots")


def check_refusal(watch: Watch, request: Outcome, version: str) -> None:
    """It never left the router: refused at once, or exactly at its deadline."""
    waited = request.answered - request.arrived
    waits = {each.route.max_wait for each in watch.settings[version]}
    moved = watch.limits.refused_connection == "next_replica"  # it may have been sent before, and refused
    assert request.status == 503
    if request.reason is Reason.QUEUE_DEADLINE:
        assert waited in waits or (moved and min(waits) <= waited <= 2 * max(waits))
    else:
        assert request.reason in {Reason.QUEUE_FULL, Reason.NO_READY_REPLICA}
        assert waited == 0


STATUSES: dict[Reason | None, set[int]] = {
    None: {200},
    Reason.SCORING_TIMEOUT: {504},
    Reason.REPLICA_LOST: {502},
    Reason.RUN_FAILED: {500, 502},
}


def check_reply(watch: Watch, request: Outcome, version: str) -> None:
    """It was sent to a replica: answered within the scoring time-out, at which instant the router itself does."""
    limits = {each.route.scoring_timeout for each in watch.settings[version]}
    assert request.dispatched is not None
    took = request.answered - request.dispatched
    assert request.status in STATUSES[request.reason]
    assert took <= max(limits)
    if request.reason is Reason.SCORING_TIMEOUT:
        assert took in limits
    if request.started is not None:
        assert request.dispatched <= request.started <= request.answered
    elif request.reason is None or request.reason is Reason.RUN_FAILED:
        pytest.fail("a reply that no worker began")


def check_recovery(watch: Watch) -> None:
    """Everything that is wanted is there, or there is no room for it."""
    controller = watch.service.controller
    assert watch.service.plane.population == 0
    assert controller.life.running is None
    assert not any(node.lost for node in watch.world.nodes.all)
    if any(pod.unschedulable_since is not None for pod in watch.world.pods.all):
        return
    for name, deployment in controller.deployments.items():
        pods = controller.pods_of(name)
        assert [pod.state for pod in pods] == [PodState.READY] * deployment.replicas
        assert watch.service.plane.usage(name).ready == deployment.replicas
        assert watch.service.plane.usage(name).busy == 0
        assert {pod.template.revision for pod in pods} <= {deployment.revision}


few = settings(max_examples=60, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
many = settings(few, max_examples=200)


def safe_and_well_afterwards(document: dict[str, Any]) -> None:
    """Both phases of one world."""
    watch = watched(document)
    if watch is None:
        return
    for seconds in (TRAFFIC / 3, TRAFFIC, 2 * TRAFFIC):
        watch.until(seconds)
    check_answers(watch)
    watch.until(LEFT_ALONE)
    check_answers(watch)
    check_recovery(watch)


@few
@given(scenarios())
def test_safe_while_broken_and_well_afterwards(document: dict[str, Any]) -> None:
    """Each request has one answer that fits its history, no limit is passed at any moment, and the service recovers."""
    safe_and_well_afterwards(document)


@pytest.mark.slow
@many
@given(scenarios())
def test_safe_while_broken_and_well_afterwards_in_many_worlds(document: dict[str, Any]) -> None:
    """The same claim, looked at for longer."""
    safe_and_well_afterwards(document)


@settings(few, max_examples=15)
@given(scenarios())
def test_the_same_world_again_is_the_same_to_the_last_event(document: dict[str, Any]) -> None:
    """Same scenario and seed: the same log, line by line."""
    logs = []
    for _ in range(2):
        watch = watched(document)
        if watch is None:
            return
        watch.until(2 * TRAFFIC)
        logs.append(watch.log)

    assert logs[0] == logs[1]


# -- order at one instant


@st.composite
def coarse_scenarios(draw: st.DrawFn) -> dict[str, Any]:
    """A scenario in which everything takes whole seconds, so that nearly every event ties with others."""
    document = draw(scenarios())
    for version in document["endpoint"]["versions"]:
        version["model"] = draw(COARSE_MODELS)
        version["deploy"] |= {"initial_delay_seconds": 20, "max_request_wait_time": 2000}
        version["deploy"]["scoring_timeout_ms"] = draw(st.sampled_from([1000, 2000, 60_000]))
    document["traffic"] = [
        {"shape": "constant", "rate": draw(st.sampled_from([0.5, 1, 2]))} for _ in range(draw(st.integers(1, 3)))
    ]
    for planned in (*document["faults"], *document["operations"]):
        planned["at"] = f"{draw(st.integers(0, TRAFFIC))}s"
        if "lasts" in planned:
            planned["lasts"] = f"{draw(st.integers(0, TRAFFIC))}s"
        if "factor" in planned:
            planned["factor"] = draw(st.sampled_from([2.0, 3.0]))
        if "model" in planned:
            planned["model"] = draw(COARSE_MODELS)
    document["clients"] = {"retry": {"statuses": [502, 503, 504], "attempts": 3, "backoff": "1s"}}
    document["duration"] = 2 * TRAFFIC
    return document


COARSE_MODELS = st.fixed_dictionaries(
    {
        "service_time": st.sampled_from(["1s", "2s", "3s"]),
        "init_time": st.sampled_from(["1s", "2s"]),
        "workers": st.integers(1, 3),
        "failure_rate": st.just(0.0),
    }
)


def shuffled_calendar(seed: int) -> Calendar:
    """A calendar that deals events of one instant, class and key in an order drawn from the seed."""
    calendar = Calendar()  # not a subclass: the compiled calendar allows none
    drawn = np.random.default_rng(seed)
    calendar._eid = (int(drawn.integers(1 << 60)) for _ in itertools.count())  # type: ignore[assignment]
    return calendar


@settings(few, phases=[Phase.explicit, Phase.reuse, Phase.generate])  # a world takes minutes to shrink
@given(coarse_scenarios(), st.integers(0, 2**32))
def test_the_order_at_one_instant_is_no_accident(document: dict[str, Any], seed: int) -> None:
    """Events of one instant and class go by their keys: who scheduled first decides nothing, in no class."""
    logs = []
    for calendar in (Calendar, functools.partial(shuffled_calendar, seed)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("akstwin.sim.backend.Calendar", calendar)
            watch = watched(document)
        if watch is None:
            return
        watch.until(2 * TRAFFIC)
        logs.append(watch.log)

    assert logs[0] == logs[1]
