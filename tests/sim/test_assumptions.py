"""Every assumption that a scenario shows is seen to act: the same small scenario under its default and under another value."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from akstwin.domain.assumptions import Assumptions, assumption_rows
from akstwin.scenarios.load import BadScenario

Play = Callable[..., Any]
Assumed = dict[str, Any]

SMALL = {"cpu_cores": 4, "memory_gb": 16}
ONE_NODE = {"purpose": "DevTest", "nodes": 1, "vm_size": SMALL}
TWO_NODES = {"purpose": "DevTest", "nodes": 2, "vm_size": SMALL}


# -- what is looked at


def a_queue_of_four(play: Play, assumed: Assumed) -> Any:
    """Four at once on one replica, all willing to wait."""
    played = play([10] * 4, deploy={"max_request_wait_time": 5000}, model={"service_time": "1s"}, assumptions=assumed)
    return played.statuses, played.result["reasons"]


def a_request_while_nothing_is_ready(play: Play, assumed: Assumed) -> Any:
    """The only replica was killed at 10; its end is seen at 11, its return at 16."""
    faults = [{"at": 10, "kind": "replica_kill"}]
    return play([12], deploy={"max_request_wait_time": 10_000}, faults=faults, assumptions=assumed).outcomes


def a_request_behind_one_that_timed_out(play: Play, assumed: Assumed) -> Any:
    """A run of 2.5 s times out after 1 s; another request waits for its slot."""
    deploy = {"scoring_timeout_ms": 1000, "max_request_wait_time": 3000}
    return play([10, 10.2], deploy=deploy, model={"service_time": "2500ms"}, assumptions=assumed).outcomes


def a_request_to_a_dead_replica(play: Play, assumed: Assumed) -> Any:
    """One of two replicas is dead and not yet seen dead; it has served nothing for longer, so it is tried first."""
    faults = [{"at": at, "kind": "replica_kill"} for at in (5, 10)]
    model = {"init_time": "1s"}
    return play([10.2], deploy={"num_replicas": 2}, model=model, faults=faults, assumptions=assumed).statuses


def a_run_that_raises(play: Play, assumed: Assumed) -> Any:
    """Every run() raises."""
    return play([10], model={"failure_rate": 1}, assumptions=assumed).statuses


def one_request(play: Play, assumed: Assumed) -> Any:
    """Ten seconds of run time."""
    return play([10], model={"service_time": "10s"}, assumptions=assumed).outcomes


def requests_around_a_restart(play: Play, assumed: Assumed) -> Any:
    """Killed at 10, ready again at 15: who comes at 13 and 17 meets what the router knows then."""
    return play([13, 17], faults=[{"at": 10, "kind": "replica_kill"}], assumptions=assumed).statuses


def the_first_look_at_five_requests(play: Play, assumed: Assumed) -> Any:
    """One runs and four wait."""
    played = play(
        [10] * 5,
        deploy={"num_replicas": None, "max_request_wait_time": 9000}, model={"service_time": "20s"}, duration=12,
        assumptions=assumed,
    )  # fmt: skip
    return played.details("scaled")[0]


def the_way_down(play: Play, assumed: Assumed) -> Any:
    """The load of `test_the_autoscaler_is_eager_up_and_slow_down`."""
    played = play(
        [100] * 5,
        deploy={"num_replicas": None, "autoscale_max_replicas": 20, "max_request_wait_time": 60_000},
        model={"service_time": "10s"}, duration=300, assumptions=assumed,
    )  # fmt: skip
    return played.times("scaled")[1:]


def a_cold_start(play: Play, assumed: Assumed) -> Any:
    """When the deployment has succeeded."""
    return play(start="cold", duration=500, assumptions=assumed).result["operations"][0]["ended"]


def a_cold_start_with_probes(play: Play, assumed: Assumed) -> Any:
    """The container starts at 0, init() ends at 5; ready at the first probe that is answered."""
    assumed = {"readiness": "probe", "image_build": 0, "image_pull": 0, **assumed}
    return play(start="cold", duration=100, assumptions=assumed).result["operations"][0]["ended"]


def a_request_to_a_replica_that_misses_probes(play: Play, assumed: Assumed) -> Any:
    """A run from 5 to 30 s keeps the only worker from two readiness probes; another request comes at 20."""
    deploy = {"replica_max_concurrent_requests": 2}
    assumed = {"readiness": "probe", **assumed}
    return play([5, 20], deploy=deploy, model={"service_time": "25s"}, assumptions=assumed).statuses


def a_scale_down_under_work(play: Play, assumed: Assumed) -> Any:
    """Both replicas run a request until 34; one of them is ended at 21."""
    operations = [{"at": 20, "kind": "update", "deploy": {"num_replicas": 1}}]
    played = play(
        [19, 19], deploy={"num_replicas": 2}, model={"service_time": "15s"}, operations=operations, assumptions=assumed
    )
    return sorted(played.outcomes)


def a_crash_loop(play: Play, assumed: Assumed) -> Any:
    """When the container started, while init() fails after 5 s each time."""
    assumed = {"image_build": 0, **assumed}
    return play(start="cold", duration=240, faults=[{"kind": "init_failure"}], assumptions=assumed).times(
        "container_started"
    )


def the_end_of_a_crash_loop(play: Play, assumed: Assumed) -> Any:
    """When the deployment has failed."""
    assumed = {"image_build": 0, **assumed}
    played = play(start="cold", duration=900, faults=[{"kind": "init_failure"}], assumptions=assumed)
    return played.result["operations"][0]["ended"]


def three_kills(play: Play, assumed: Assumed) -> Any:
    """When the container was started again; before the third kill it has run for 70 s."""
    faults = [{"at": at, "kind": "replica_kill"} for at in (10, 20, 100)]
    return play(duration=200, faults=faults, assumptions=assumed).times("container_started")


def a_roll_of_three(play: Play, assumed: Assumed) -> Any:
    """When the new pods were created."""
    operations = [{"at": 10, "kind": "update", "deploy": {"memory_gb": 1}}]
    return play(deploy={"num_replicas": 3}, operations=operations, assumptions=assumed).times("pod_created")


def a_roll_of_one(play: Play, assumed: Assumed) -> Any:
    """How many of a request a second are refused."""
    operations = [{"at": 10, "kind": "update", "deploy": {"memory_gb": 1}}]
    played = play([number + 0.5 for number in range(50)], operations=operations, assumptions=assumed)
    return played.result["status"]["503"]


def a_deployment_without_room(play: Play, assumed: Assumed) -> Any:
    """When the service became Unschedulable."""
    played = play(deploy={"cpu_cores": 9}, start="cold", duration=700, cluster=ONE_NODE, assumptions=assumed)
    return played.details("service_state")[-1]


def a_deployment_that_never_ends(play: Play, assumed: Assumed) -> Any:
    """When the operation timed out."""
    played = play(model={"init_time": "1d"}, start="cold", duration=1500, assumptions=assumed)
    return played.result["operations"][0]["ended"], played.result["operations"][0]["state"]


def five_seconds_without_a_replica(play: Play, assumed: Assumed) -> Any:
    """Killed at 10, ready at 15."""
    return play(faults=[{"at": 10, "kind": "replica_kill"}], assumptions=assumed).details("service_state")


def one_replica_more(play: Play, assumed: Assumed) -> Any:
    """When its container started, on a node that has the image, asked for at 10 and in effect at 11."""
    operations = [{"at": 10, "kind": "update", "deploy": {"num_replicas": 2}}]
    return play(operations=operations, assumptions=assumed).times("container_started")


def _left_over(play: Play, assumed: Assumed, **deploy: float) -> int:
    played = play(
        deploy={"num_replicas": 3, **deploy}, start="cold", duration=301, cluster=ONE_NODE, assumptions=assumed
    )
    return len(played.times("pod_unschedulable"))


def three_pods_of_a_core(play: Play, assumed: Assumed) -> Any:
    """How many fit nowhere: the node has 4 - 0.14 - 0.7 - 0.5 cores for pods of 1 + 0.1."""
    return _left_over(play, assumed, cpu_cores=1)


def three_pods_of_a_core_less_a_twentieth(play: Play, assumed: Assumed) -> Any:
    """How many fit nowhere: 3 × 1.05 is room without the router's 0.5."""
    return _left_over(play, assumed, cpu_cores=0.95)


def three_pods_of_memory(play: Play, assumed: Assumed) -> Any:
    """How many fit nowhere: the node has 16 - 2.35 - 1 - 0.5 GB for pods of 3.5 + 0.6."""
    return _left_over(play, assumed, memory_gb=3.5)


def three_small_pods(play: Play, assumed: Assumed) -> Any:
    """How many fit nowhere beside the router pod."""
    return _left_over(play, assumed)


def a_lost_node(play: Play, assumed: Assumed) -> Any:
    """When the loss was noticed, and when the pods were replaced."""
    faults = [{"at": 100, "kind": "node_loss", "node": 2}]
    played = play(cluster=TWO_NODES, duration=600, faults=faults, assumptions=assumed)
    return played.times("node_not_ready"), played.times("pod_evicted")


def _refusal(play: Play, assumed: Assumed, **scenario: Any) -> str | None:
    try:
        play(assumptions=assumed, **scenario)
    except BadScenario as refusal:
        return str(refusal).split(": ")[1]
    return None


def an_endpoint_of_two(play: Play, assumed: Assumed) -> Any:
    """What is refused of two versions."""
    return _refusal(play, assumed, versions=[{"name": "one"}, {"name": "two"}])


def the_smallest_production_cluster(play: Play, assumed: Assumed) -> Any:
    """What is refused of three nodes of four cores."""
    return _refusal(play, assumed, cluster={"purpose": "FastProd", "nodes": 3, "vm_size": SMALL})


def a_growing_cluster(play: Play, assumed: Assumed) -> Any:
    """When a node was asked for, came, was given up, was removed: a second replica from 40 to 300 s has no room."""
    played = play(
        deploy={"cpu_cores": 2}, duration=1400, cluster={**ONE_NODE, "max_nodes": 2}, assumptions=assumed,
        operations=[
            {"at": 40, "kind": "update", "deploy": {"num_replicas": 2}},
            {"at": 300, "kind": "update", "deploy": {"num_replicas": 1}},
        ],
    )  # fmt: skip
    return [played.times(f"node_{kind}") for kind in ("requested", "joined", "given_up", "removed")]


# -- what is seen


@dataclass(frozen=True)
class Case:
    """A key, another value for it, and what is seen under the default and under that value."""

    key: str
    value: Any
    look: Callable[[Play, Assumed], Any]
    default: Any
    changed: Any


CASES = [
    Case("max_queue_length", 1, a_queue_of_four, ([200] * 4, {}), ([200, 200, 503, 503], {"queue_full": 2})),
    Case("when_no_replica_ready", "queue", a_request_while_nothing_is_ready, [(503, 0)], [(200, 4050)]),
    Case(
        "slot_released_on_timeout", "when_done", a_request_behind_one_that_timed_out,
        [(504, 1000), (504, 1800)], [(504, 1000), (504, 3300)],
    ),
    Case("refused_connection", "next_replica", a_request_to_a_dead_replica, [502], [200]),
    Case("run_failure_status", 500, a_run_that_raises, [502], [500]),
    Case("router_overhead", "7ms", one_request, [(200, 10_003)], [(200, 10_007)]),
    Case("router_lag", "5s", requests_around_a_restart, [503, 200], [200, 503]),
    Case("autoscale_counts_queue", False, the_first_look_at_five_requests, (11, "1 to 8"), (11, "1 to 2")),
    Case("autoscale_down_window", "20s", the_way_down, [171, 179], [131, 139]),
    Case("readiness", "probe", a_cold_start, 366, 371),
    Case("readiness_period", "7s", a_cold_start_with_probes, 11, 8),
    Case("readiness_timeout", "6s", a_cold_start_with_probes, 11, 6),
    Case("readiness_failures", 1, a_request_to_a_replica_that_misses_probes, [200, 200], [200, 503]),
    Case("worker_timeout", "4s", one_request, [(200, 10_000)], [(500, 4000)]),
    Case("termination_grace", "5s", a_scale_down_under_work, [(200, 15_000)] * 2, [(200, 15_000), (502, 7000)]),
    Case("restart_backoff", "20s", a_crash_loop, [60, 65, 80, 105, 150, 235], [60, 65, 90, 135, 220]),
    Case(
        "restart_backoff_cap", "15s", a_crash_loop,
        [60, 65, 80, 105, 150, 235], [60, 65, 80, 100, 120, 140, 160, 180, 200, 220, 240],
    ),
    Case("restart_backoff_reset", "50s", three_kills, [10, 30, 120], [10, 30, 100]),
    Case("max_surge", 3, a_roll_of_three, [10, 10, 17], [10, 10, 10]),
    Case("max_unavailable", 0, a_roll_of_one, 7, 0),
    Case("unschedulable_after", "100s", a_deployment_without_room, (600, "Unschedulable"), (400, "Unschedulable")),
    Case("deployment_timeout", "400s", a_deployment_that_never_ends, (1200, "TimedOut"), (400, "TimedOut")),
    Case("crash_restarts_failed", 2, the_end_of_a_crash_loop, 235, 80),
    Case("crash_time_failed", "100s", the_end_of_a_crash_loop, 235, 165),
    Case("unhealthy_after", "3s", five_seconds_without_a_replica, [], [(13, "Unhealthy"), (15, "Healthy")]),
    Case("image_build", "10s", a_cold_start, 366, 76),
    Case("image_pull", "20s", a_cold_start, 366, 326),
    Case("image_pull_cached", "30s", one_replica_more, [12], [41]),
    Case("sidecar_cpu", 0.5, three_pods_of_a_core, 1, 2),
    Case("sidecar_memory_gb", 0.5, three_pods_of_memory, 1, 0),
    Case("node_daemons_cpu", 0, three_pods_of_a_core, 1, 0),
    Case("node_daemons_memory_gb", 0, three_pods_of_memory, 1, 0),
    Case("router_pods", 0, three_pods_of_a_core_less_a_twentieth, 1, 0),
    Case("router_cpu", 0, three_pods_of_a_core_less_a_twentieth, 1, 0),
    Case("router_memory_gb", 0, three_pods_of_memory, 1, 0),
    Case("max_pods_per_node", 2, three_small_pods, 0, 2),
    Case("node_failure_detected", "10s", a_lost_node, ([140], [440]), ([110], [410])),
    Case("node_eviction", "50s", a_lost_node, ([140], [440]), ([140], [190])),
    Case("versions_per_endpoint", 1, an_endpoint_of_two, None, "endpoint.versions"),
    Case("cluster_minimum_nodes", 4, the_smallest_production_cluster, None, "cluster.nodes"),
    Case("cluster_minimum_cores", 13, the_smallest_production_cluster, None, "cluster.nodes"),
    Case("node_autoscaler_scan", "7s", a_growing_cluster, [[50], [230], [], [910]], [[42], [222], [], [910]]),
    Case("node_autoscaler_unneeded", "700s", a_growing_cluster, [[50], [230], [], [910]], [[50], [230], [], [1010]]),
    Case("node_autoscaler_after_add", "800s", a_growing_cluster, [[50], [230], [], [910]], [[50], [230], [], [1030]]),
    Case(
        "node_autoscaler_provision_cap", "100s", a_growing_cluster,
        [[50], [230], [], [910]], [[50], [], [150], []],
    ),
    Case("node_provision", "60s", a_growing_cluster, [[50], [230], [], [910]], [[50], [110], [], [910]]),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case.key for case in CASES])
def test_an_assumption_is_seen_to_act(play: Play, case: Case) -> None:
    """Under its default a scenario shows one thing, under another value what the rule says of that value."""
    default = Assumptions().model_dump(mode="json")[case.key]
    assert case.look(play, {case.key: default}) == case.default
    assert case.look(play, {case.key: case.value}) == case.changed


def test_every_assumption_that_a_scenario_shows_has_a_case() -> None:
    """The list above names exactly the keys that say they act in a scenario."""
    assert {case.key for case in CASES} == {row.key for row in assumption_rows() if row.acts == "simulated"}
    assert len(CASES) == len({case.key for case in CASES})
