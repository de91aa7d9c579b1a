"""Behaviour that a faithful twin must show (semantics §6.10), and timelines to the microsecond.

Instants are those of recorded traffic (`arrive`, in s), so every expectation can be worked out by hand from the rules that
the docstrings name.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from akstwin.domain.reasons import Reason

Play = Callable[..., Any]
SMALL = {"cpu_cores": 4, "memory_gb": 16}
TWO_NODES = {"purpose": "DevTest", "nodes": 2, "vm_size": SMALL}
MANY_AT_ONCE = {"replica_max_concurrent_requests": 50}
MANY_WORKERS = {"workers": 50}


# -- the planning formula


@pytest.mark.slow
@pytest.mark.parametrize(
    ("replicas", "refused"), [(286, 0.0), (220, 0.003), (210, 0.012), (200, 0.031), (190, 0.063), (150, 0.25)]
)
def test_the_planning_formula_s_refusals(play: Play, replicas: int, refused: float) -> None:
    """20 requests a second of 10 s: 286 replicas refuse nobody, fewer refuse the shares of the published reference."""
    played = play(
        {"shape": "poisson", "rate": 20},
        deploy={"num_replicas": replicas}, model={"service_time": "10s"}, seed=2, warm_up=60, duration=560, replications=12,
        cluster={"purpose": "DevTest", "nodes": 1, "vm_size": {"cpu_cores": 1000, "memory_gb": 1000}},
        assumptions={"max_pods_per_node": 1000},
    )  # fmt: skip
    share = played.result["status"]["503"] / played.result["requests"]
    low, high = played.result["intervals"]["status.503"]
    assert share == pytest.approx(
        refused, abs=(high - low) + 0.0005
    )  # twice the half interval, and the reference's digits
    assert high - low < 0.012
    assert set(played.result["reasons"]) <= {"queue_deadline"}
    if replicas == 286:
        assert played.result["status"]["503"] == 0
        assert played.result["versions"]["svc"]["utilisation"] == pytest.approx(200 / 286, rel=0.02)


# -- the autoscaler


def test_the_autoscaler_is_eager_up_and_slow_down(play: Play) -> None:
    """§6.2: demand of one refresh period raises replicas at its end; they go only when none of 60 s needed them.

    Five requests of 10 s at second 100 want ceil(5 / 0.7) = 8 replicas at 101. The seven new ones pull (cached, 1 s), run
    init() (5 s) and are seen at 108. The demand is below 5 from 110 on, below 4 from 118 on: 60 s later, and one look, it
    counts no more.
    """
    played = play(
        [100] * 5,
        deploy={"num_replicas": None, "autoscale_max_replicas": 20, "max_request_wait_time": 60_000},
        model={"service_time": "10s"}, duration=300,
    )  # fmt: skip
    assert played.details("scaled") == [(101, "1 to 8"), (171, "8 to 6"), (179, "6 to 1")]
    assert played.outcomes == [(200, 10_000)] + [(200, 18_000)] * 4
    assert played.result["replicas"]["max"] == 8
    assert played.result["service"]["state"] == "Healthy"


@pytest.mark.parametrize(
    ("slots", "target", "requests", "replicas"), [(1, 70, 7, 10), (2, 70, 7, 5), (1, 50, 7, 14), (4, 100, 8, 2)]
)
def test_one_look_goes_straight_to_what_the_demand_needs(
    play: Play, slots: int, target: int, requests: int, replicas: int
) -> None:
    """§6.2: want = ceil(demand / (slots × target)), in whole numbers: seven in flight at 70 per cent want ten, not eleven."""
    played = play(
        [10] * requests,
        deploy={
            "num_replicas": None, "autoscale_max_replicas": 50, "max_request_wait_time": 60_000,
            "autoscale_target_utilization": target, "replica_max_concurrent_requests": slots,
        },
        model={"service_time": "20s", "workers": slots}, duration=12,
    )  # fmt: skip
    assert played.details("scaled")[0] == (11, f"1 to {replicas}")


def test_the_autoscaler_keeps_its_bounds_and_its_period(play: Play) -> None:
    """§6.2: never over the maximum, never under the minimum, and only at its own looks."""
    played = play(
        [10] * 9,
        deploy={
            "num_replicas": None, "autoscale_min_replicas": 2, "autoscale_max_replicas": 4,
            "autoscale_refresh_seconds": 7, "max_request_wait_time": 60_000,
        },
        model={"service_time": "8s"}, duration=200,
    )  # fmt: skip
    assert played.details("scaled")[0] == (14, "2 to 4")
    assert all(at % 7 == 0 for at, _ in played.details("scaled"))
    assert played.details("scaled")[-1][1].endswith("to 2")
    assert played.result["replicas"]["min"] == 2


def test_pods_that_do_not_fit_do_not_fail_a_healthy_service(play: Play) -> None:
    """§6.2 note 3: replicas that the autoscaler wants and no node takes stay pending; the service stays Healthy."""
    played = play(
        [10] * 20,
        deploy={"num_replicas": None, "autoscale_max_replicas": 30, "cpu_cores": 1, "max_request_wait_time": 5000},
        model={"service_time": "20s"}, duration=600,
        cluster={"purpose": "DevTest", "nodes": 1, "vm_size": SMALL},
    )  # fmt: skip
    # Room: 4 cores less AKS 0.14, daemons 0.7, router 0.5 = 2.66; a pod asks for 1.1.
    assert played.result["replicas"]["max"] == 2
    assert played.result["replicas"]["desired_max"] == 29
    assert len(played.times("pod_unschedulable")) == 27
    assert played.result["service"]["state"] == "Healthy"


# -- queue, slots, workers


def test_the_queue_s_deadline_is_exact(play: Play) -> None:
    """Two at once on one replica: the second is refused after 500 ms to the microsecond, the first is answered."""
    played = play([10, 10], model={"service_time": "10s"})
    assert played.outcomes == [(200, 10_000), (503, 500)]
    assert [each.reason for each in played.requests] == [None, Reason.QUEUE_DEADLINE]


def test_a_slot_that_comes_free_at_the_deadline_is_taken(play: Play) -> None:
    """R8: dispatch wins over a deadline at the same instant; one microsecond later it is too late."""
    assert play([10, 10], model={"service_time": "500ms"}).outcomes == [(200, 500), (200, 1000)]
    assert play([10, 10], model={"service_time": "500.001ms"}).outcomes == [(200, 500.001), (503, 500)]


def test_dispatch_wins_although_the_deadline_was_there_first(play: Play) -> None:
    """Order at one instant goes by kind, not by who was planned first: the run that ends at 10.5 resumed at 10.2 only."""
    played = play([9, 10], model={"service_time": "800ms"}, faults=[{"at": 9.5, "kind": "replica_hang", "lasts": 0.7}])
    assert played.outcomes == [(200, 1500), (200, 1300)]


def test_the_router_s_own_answers_carry_no_overhead(play: Play) -> None:
    """R9: the overhead is on forwarded answers only; deadlines and time-outs are exact, and it occupies no slot."""
    deploy = {"scoring_timeout_ms": 1000, "max_request_wait_time": 500}
    overhead = {"router_overhead": "40ms"}
    timed_out = play([10, 10], deploy=deploy, model={"service_time": "5s"}, assumptions=overhead)
    assert timed_out.outcomes == [(504, 1000), (503, 500)]
    answered = play([10, 10], deploy=deploy, model={"service_time": "300ms"}, assumptions=overhead)
    assert answered.outcomes == [(200, 340), (200, 640)]


def test_the_queue_is_first_in_first_out(play: Play) -> None:
    """R8: who has waited longest is served next."""
    played = play([10, 10, 10.01, 10.02], model={"service_time": "100ms"})
    assert played.outcomes == [(200, 100), (200, 200), (200, 290), (200, 380)]


def test_more_slots_than_workers_queue_in_the_pod(play: Play) -> None:
    """R10: two slots and one worker: the second request runs after the first, twice as long, and nobody is refused."""
    played = play([10, 10], deploy={"replica_max_concurrent_requests": 2}, model={"service_time": "5s"})
    assert played.outcomes == [(200, 5000), (200, 10_000)]
    assert [each.dispatched for each in played.requests] == [10_000_000, 10_000_000]
    assert [each.started for each in played.requests] == [10_000_000, 15_000_000]


def test_the_least_busy_replica_is_chosen_then_the_longest_idle(play: Play) -> None:
    """R7: fewest slots taken; ties go to the earliest release, then to the lowest number."""
    played = play(
        [10, 10, 10, 11, 12, 12.2],
        deploy={"num_replicas": 3, "replica_max_concurrent_requests": 2}, model={"service_time": "500ms", "workers": 2},
    )  # fmt: skip
    first = [each.replica for each in played.requests]
    # All three are released at 10.5; then number 1 at 11.5, number 2 at 12.5, and at 12.2 number 3 is idle since 10.5.
    assert first == [1, 2, 3, 1, 2, 3]


# -- traffic


def _two_versions(first: float, second: float) -> list[dict[str, Any]]:
    many = {"num_replicas": 1, "replica_max_concurrent_requests": 10_000}
    return [
        {"name": name, "deploy": {**many, "traffic_percentile": share}, "model": {"service_time": "1us"}}
        for name, share in (("one", first), ("two", second))
    ]


def _within_three_sigma(count: float, whole: float, share: float) -> bool:
    return bool(abs(count - whole * share) <= 3 * (whole * share * (1 - share)) ** 0.5)


@pytest.mark.slow
def test_the_default_gets_what_the_others_leave(play: Play) -> None:
    """R5: versions at 20 (default) and 10 get 90 and 10; when the second becomes the default at 40, they get 20 and 80."""
    played = play(
        {"shape": "constant", "rate": 10_000}, versions=_two_versions(20, 10), duration=20,
        operations=[
            {"at": 9, "kind": "update", "version": "two", "deploy": {"traffic_percentile": 40, "is_default": True}}
        ],
    )  # fmt: skip
    for share, counted in (
        (0.10, [each for each in played.requests if each.arrived <= 9_990_000]),
        (0.80, [each for each in played.requests if each.arrived > 10_000_000]),
    ):
        assert len(counted) > 99_000
        assert _within_three_sigma(sum(each.version == "two" for each in counted), len(counted), share)
    assert played.result["service"]["shares"] == {"two": 80, "one": 20}


# -- rollout


def _roll(play: Play, replicas: int, **assumed: Any) -> Any:
    """A new memory size at second 10: pods go and come with a cached image (1 s) and init() (5 s), seen 1 s later."""
    arrive = [number / 10 for number in range(50, 500)]
    return play(
        arrive,
        deploy={"num_replicas": replicas}, model={"service_time": "20ms"}, assumptions=assumed, duration=60,
        operations=[{"at": 10, "kind": "update", "deploy": {"memory_gb": 1}}],
    )  # fmt: skip


def test_a_roll_of_one_replica_shows_a_gap(play: Play) -> None:
    """§6.5: with one replica the old pod may go at once: refused until the new one is seen 7 s later, then nobody more."""
    played = _roll(play, 1)
    refused = [each.arrived / 1e6 for each in played.requests if each.status != 200]
    assert refused == [number / 10 for number in range(100, 170)]
    assert set(played.result["reasons"]) == {"no_ready_replica"}
    (operation,) = played.result["operations"]
    assert (operation["started"], operation["ended"], operation["state"]) == (10, 17, "Succeeded")


def test_a_roll_of_three_replicas_shows_none(play: Play) -> None:
    """§6.5: with three replicas at least two are available throughout; at most four are not on their way out."""
    played = _roll(play, 3)
    assert set(played.statuses) == {200}
    assert played.result["replicas"]["min"] == 2
    # At 10 one goes and two come (surge 1, unavailable 1); they are seen at 17: two go, one comes, seen at 24.
    (operation,) = played.result["operations"]
    assert (operation["started"], operation["ended"]) == (10, 24)
    assert played.times("pod_created") == [10, 10, 17]
    assert played.times("pod_gone") == [10, 17, 17]


def test_a_new_model_is_built_pulled_and_started(play: Play) -> None:
    """§6.6: a new model is built (300 s) before its pods roll, each node pulls it once, and the old one serves meanwhile."""
    played = play(
        [300, 400, 500],
        deploy={"num_replicas": 3}, model={"service_time": "20ms"}, duration=600,
        operations=[{"at": 20, "kind": "update", "model": {"service_time": "90ms", "init_time": "8s"}}],
    )  # fmt: skip
    assert played.outcomes == [(200, 20), (200, 90), (200, 90)]
    assert played.times("pod_created") == [320, 320, 389]
    assert played.times("container_started") == [380, 380, 390]  # pulled: 60 s, the second waits for the same pull
    (operation,) = played.result["operations"]
    assert (operation["started"], operation["ended"]) == (20, 399)


def test_a_pod_that_comes_while_the_new_image_is_built_runs_the_old_model(play: Play) -> None:
    """§6.6: until the new image is there, a pod that replaces a lost one is made from the old template."""
    played = play(
        [190], model={"service_time": "20ms"}, cluster=TWO_NODES, duration=200,
        assumptions={"image_build": "1000s", "node_eviction": "10s"},
        operations=[{"at": 20, "kind": "update", "model": {"service_time": "90ms"}}],
        faults=[{"at": 30, "kind": "node_loss", "node": 2}],
    )  # fmt: skip
    assert played.outcomes == [(200, 20)]


def test_a_second_operation_is_refused_while_one_runs(play: Play) -> None:
    """§6.6: a change of the template meets 409 while an operation runs; other changes and later ones are taken."""
    played = play(
        deploy={"num_replicas": 1}, duration=60,
        operations=[
            {"at": 10, "kind": "update", "deploy": {"memory_gb": 1}},
            {"at": 12, "kind": "update", "deploy": {"memory_gb": 2}},
            {"at": 13, "kind": "update", "deploy": {"num_replicas": 2}},
            {"at": 40, "kind": "update", "deploy": {"memory_gb": 2}},
        ],
    )  # fmt: skip
    ((at, refusal),) = played.details("operation_refused")
    assert at == 12
    assert refusal.startswith("409: service svc is busy: operation 1 (update) is running")
    assert [each["state"] for each in played.result["operations"]] == ["Succeeded", "Succeeded"]
    assert played.details("scaled") == [(14, "1 to 2")]
    assert any("409" in note for note in played.result["notes"])


def test_settings_outside_the_template_act_after_the_lag_without_an_operation(play: Play) -> None:
    """§6.6: a longer wait in the queue is in effect one router lag after it was asked for, and no pod rolls."""
    played = play(
        [10, 10, 11.999, 11.999, 20, 20], model={"service_time": "600ms"},
        operations=[{"at": 11, "kind": "update", "deploy": {"max_request_wait_time": 900}}],
    )  # fmt: skip
    assert played.statuses == [200, 503, 200, 503, 200, 200]
    assert played.result["operations"] == []
    assert played.times("pod_created") == []


# -- liveness


def test_slow_requests_get_a_single_worker_killed(play: Play) -> None:
    """§6.4: one worker, requests of 40 s, the default probe: restarts and 502s from minute 5 on, and only then."""
    arrive = [number * 40 for number in range(22)]
    played = play(arrive, deploy={"initial_delay_seconds": 310}, model={"service_time": "40s"}, duration=900)
    # A request every 40 s keeps the worker busy without a break. The probe of 310 misses, that of 320 is answered between
    # two requests, those of 330, 340 and 350 miss.
    failed = played.times("liveness_failed")
    assert failed[0] == 352
    # SIGTERM at 352: the request that runs until 360 is finished, then the container exits and starts again.
    assert played.times("container_exited")[0] == 360
    assert {each.status for each in played.requests if each.arrived < 352e6} == {200}
    assert played.result["status"]["502"] > 0
    assert len(failed) >= 2


def test_two_workers_keep_the_probe_answered(play: Play) -> None:
    """§6.4: with a second worker the same traffic sees no restart and no refusal."""
    arrive = [number * 40 for number in range(22)]
    played = play(
        arrive, deploy={"initial_delay_seconds": 310}, model={"service_time": "40s", "workers": 2}, duration=900
    )
    assert played.times("liveness_failed") == []
    assert set(played.statuses) == {200}


def test_a_hung_container_is_probed_killed_and_restarted(play: Play) -> None:
    """§6.4, R13: hung at 25, probes at 30, 40, 50 miss; SIGTERM at 52, SIGKILL 30 s later; what it held is 502.

    The router hears of the dead container 1 s late: who comes meanwhile waits in the restarted one for init().
    """
    played = play(
        [24, 40, 82.5, 83, 90],
        deploy={"initial_delay_seconds": 20, **MANY_AT_ONCE}, model=MANY_WORKERS, duration=120,
        faults=[{"at": 25, "kind": "replica_hang"}],
    )  # fmt: skip
    assert played.times("liveness_failed") == [52]
    assert played.times("container_exited") == [82]
    assert played.times("container_started") == [82]
    assert played.outcomes == [(200, 50), (502, 42_000), (200, 4550), (503, 0), (200, 50)]
    assert [each.reason for each in played.requests][1:4] == [Reason.REPLICA_LOST, None, Reason.NO_READY_REPLICA]


def test_a_container_that_hangs_for_a_while_goes_on_where_it_stopped(play: Play) -> None:
    """A hang of 10 s without a probe delays what runs and what comes by what was left of it."""
    played = play(
        [10, 14],
        deploy=MANY_AT_ONCE,
        model={"service_time": "2s"},
        faults=[{"at": 11, "kind": "replica_hang", "lasts": 10}],
    )
    assert played.outcomes == [(200, 12_000), (200, 10_000)]


def test_an_init_as_long_as_the_first_probe_s_delay_is_killed(play: Play) -> None:
    """§6.8, 6: probes during init() hang; an init() that ends after the third has failed is killed again and again."""
    cold = {"start": "cold", "duration": 900, "assumptions": {"image_build": 0, "image_pull": 0}}
    slow = play(deploy={"initial_delay_seconds": 310}, model={"init_time": "333s"}, **cold)
    assert slow.times("liveness_failed") == [332, 664]
    assert slow.times("pod_ready") == []
    enough = play(deploy={"initial_delay_seconds": 310}, model={"init_time": "331s"}, **cold)
    assert enough.times("pod_ready") == [331]


# -- nodes


def test_requests_on_a_lost_node_hang_until_their_time_out(play: Play) -> None:
    """§6.7: lost at 100; noticed at 140, seen by the router at 141; replaced at 440, pulled (60 s), ready 505, seen 506."""
    played = play(
        [99, 99.98, 120, 140.999999, 141, 505.999999, 506],
        deploy=MANY_AT_ONCE, model=MANY_WORKERS, cluster=TWO_NODES, duration=600,
        faults=[{"at": 100, "kind": "node_loss", "node": 2}],
    )  # fmt: skip
    assert played.outcomes == [
        (200, 50), (504, 60_000), (504, 60_000), (504, 60_000), (503, 0), (503, 0), (200, 50),
    ]  # fmt: skip
    assert played.times("node_not_ready") == [140]
    assert played.times("pod_evicted") == [440]
    assert played.times("pod_created") == [440]
    assert played.times("pod_ready") == [505]
    # Unhealthy 30 s after the last replica was available (140), Healthy when one is again.
    assert played.details("service_state") == [(170, "Unhealthy"), (505, "Healthy")]


def test_a_node_back_sooner_keeps_its_pods(play: Play) -> None:
    """§6.7: back 200 s after it was lost, its pods serve again one router lag later; what they did is lost."""
    played = play(
        [99.98, 250, 300.999999, 301],
        deploy=MANY_AT_ONCE, model=MANY_WORKERS, cluster=TWO_NODES, duration=600,
        faults=[{"at": 100, "kind": "node_loss", "node": 2, "lasts": 200}],
    )  # fmt: skip
    assert played.outcomes == [(504, 60_000), (503, 0), (503, 0), (200, 50)]
    assert played.times("pod_evicted") == []
    assert played.times("pod_created") == []


def test_a_node_back_before_it_was_noticed_costs_only_what_it_had(play: Play) -> None:
    """§6.7: back after 30 s nobody has noticed: requests of those 30 s hang, later ones are served at once."""
    played = play(
        [120, 130], deploy=MANY_AT_ONCE, model=MANY_WORKERS, cluster=TWO_NODES, duration=600,
        faults=[{"at": 100, "kind": "node_loss", "node": 2, "lasts": 30}],
    )  # fmt: skip
    assert played.outcomes == [(504, 60_000), (200, 50)]
    assert played.times("node_not_ready") == []


def test_a_node_lost_again_is_noticed_from_the_second_loss(play: Play) -> None:
    """§6.7: a short loss leaves nothing behind: the next one is noticed 40 s after itself."""
    played = play(
        cluster=TWO_NODES, duration=600,
        faults=[
            {"at": 100, "kind": "node_loss", "node": 2, "lasts": 10},
            {"at": 120, "kind": "node_loss", "node": 2},
        ],
    )  # fmt: skip
    assert played.times("node_not_ready") == [160]
    assert played.times("pod_evicted") == [460]


# -- deployments


def test_a_cold_start_takes_build_pull_init_and_lag(play: Play) -> None:
    """§6.3, §6.6, R3: built at 300, known to the router at 301, pulled at 360, ready at 365, seen and Healthy at 366."""
    played = play([300.999999, 301, 365.999999, 366], start="cold", duration=400)
    assert played.outcomes == [(404, 0), (503, 0), (503, 0), (200, 50)]
    assert [each.reason for each in played.requests] == [
        Reason.NOT_FOUND, Reason.NO_READY_REPLICA, Reason.NO_READY_REPLICA, None,
    ]  # fmt: skip
    assert played.times("pod_created") == [300]
    assert played.times("container_started") == [360]
    assert played.times("pod_ready") == [365]
    assert played.details("service_state") == [(0, "Transitioning"), (366, "Healthy")]
    (operation,) = played.result["operations"]
    assert operation == {"kind": "create", "started": 0, "ended": 366, "state": "Succeeded", "error": None}


def test_a_policy_does_not_make_a_cold_service_known(play: Play) -> None:
    """R3: until it is deployed the service is unknown to the router, even if its split is changed meanwhile."""
    played = play(
        [10], versions=_two_versions(100, 0), start="cold", duration=60,
        policies=[{"kind": "canary", "version": "two", "steps": [50], "hold": 5, "max_error_rate": 0.1}],
    )  # fmt: skip
    assert played.statuses == [404]


def test_a_deployment_without_room_is_unschedulable_after_five_minutes(play: Play) -> None:
    """§6.6: a pod that fits nowhere for 300 s fails the operation; the error names what the nodes lack."""
    played = play(
        deploy={"cpu_cores": 3.5},
        start="cold",
        duration=700,
        cluster={"purpose": "DevTest", "nodes": 2, "vm_size": SMALL},
    )
    assert played.details("service_state") == [(0, "Transitioning"), (600, "Unschedulable")]
    (operation,) = played.result["operations"]
    assert (operation["state"], operation["ended"]) == ("Failed", 600)
    assert operation["error"].startswith("KubernetesError: 0/2 nodes are available: 2 Insufficient cpu.")
    assert "3.6 CPU Cores and 1.1GB Memory" in operation["error"]


def test_a_crash_loop_backs_off_and_fails_the_deployment(play: Play) -> None:
    """§6.3, §6.6: restarts 0, 10, 20, 40, 80 s after each failed init(); with the fifth the operation fails."""
    played = play(start="cold", duration=1000, faults=[{"kind": "init_failure"}], assumptions={"image_build": 0})
    starts = played.times("container_started")
    assert starts[:6] == [60, 65, 80, 105, 150, 235]
    assert [later - failed for failed, later in zip(played.times("init_failed"), starts[1:], strict=False)] == [
        0, 10, 20, 40, 80, 160, 300,
    ]  # fmt: skip
    assert played.details("service_state") == [(0, "Transitioning"), (235, "Failed")]
    (operation,) = played.result["operations"]
    assert (operation["state"], operation["ended"]) == ("Failed", 235)
    assert operation["error"].startswith("CrashLoopBackOff")


def test_an_init_that_fails_for_a_while_recovers(play: Play) -> None:
    """A failure of init() that ends lets the next restart through."""
    played = play(
        start="cold", duration=400, faults=[{"kind": "init_failure", "lasts": 100}], assumptions={"image_build": 0}
    )
    assert played.times("init_failed") == [65, 70, 85]
    assert played.times("pod_ready") == [110]
    assert played.result["operations"][0]["state"] == "Succeeded"


def test_a_deployment_that_takes_too_long_times_out(play: Play) -> None:
    """§6.6: 1200 s after its start the operation is TimedOut with 504, the service Unhealthy, until a pod is ready."""
    played = play(model={"init_time": "1000s"}, start="cold", duration=1500)
    assert played.details("service_state") == [(0, "Transitioning"), (1200, "Unhealthy"), (1360, "Healthy")]
    (operation,) = played.result["operations"]
    assert (operation["state"], operation["ended"]) == ("TimedOut", 1200)
    assert operation["error"].startswith("DeploymentTimedOut: Timed out waiting for AKS deployment to complete.")


def test_an_update_that_timed_out_while_its_image_was_built_rolls_nothing(play: Play) -> None:
    """§6.6: a build that outlasts the operation comes to nothing, for an update as for a creation."""
    played = play(
        [1990], model={"service_time": "20ms"}, duration=2000, assumptions={"image_build": "1500s"},
        operations=[{"at": 10, "kind": "update", "model": {"service_time": "90ms"}}],
    )  # fmt: skip
    assert [each["state"] for each in played.result["operations"]] == ["TimedOut"]
    assert played.times("pod_created") == []
    assert played.outcomes == [(200, 20)]


# -- run times


def test_too_little_cpu_stretches_run_times(play: Play) -> None:
    """§6.7: two workers that want two cores each under a limit of one core take four times as long; enough changes nothing."""
    model = {"service_time": "100ms", "workers": 2, "cpu": 2}
    tight = play([10], deploy={"cpu_cores": 1, "cpu_cores_limit": 1}, model=model)
    assert tight.outcomes == [(200, 400)]
    assert play([10], deploy={"cpu_cores": 1, "cpu_cores_limit": 4}, model=model).outcomes == [(200, 100)]
    assert play([10], deploy={"cpu_cores": 1, "cpu_cores_limit": 1}, model={"service_time": "100ms"}).outcomes == [
        (200, 100)
    ]


def test_nodes_that_cannot_feed_their_containers_are_reported(play: Play) -> None:
    """§6.7: containers without a limit that want more than a node has leave an objective unproven."""
    played = play(
        [10], deploy={"num_replicas": 2, "cpu_cores": 0.5}, model={"cpu": 1.5}, objectives={"p99": "1s"},
        cluster={"purpose": "DevTest", "nodes": 1, "vm_size": SMALL},
    )  # fmt: skip
    assert played.result["nodes"]["oversubscribed"] == 1
    assert played.result["objectives"][0]["met"] == "unproven"


def test_a_scoring_time_out_answers_504_and_the_worker_goes_on(play: Play) -> None:
    """R11: the clock starts at dispatch; the slot is free at once, but the worker is busy until the model ends."""
    deploy = {"scoring_timeout_ms": 1000, "max_request_wait_time": 3000}
    played = play([10, 10.2, 15], deploy=deploy, model={"service_time": "2500ms"})
    # The second is dispatched at 11 into the pod's backlog, times out at 12; the pod is free of both at 15.
    assert played.outcomes == [(504, 1000), (504, 1800), (504, 1000)]
    assert [each.dispatched for each in played.requests] == [10_000_000, 11_000_000, 15_000_000]
    assert played.result["reasons"] == {"scoring_timeout": 3}


def test_a_reply_at_the_scoring_time_out_s_own_instant_is_passed_on(play: Play) -> None:
    """Order at one instant: completion before time-out; one microsecond later it is 504."""
    deploy = {"scoring_timeout_ms": 1000}
    assert play([10], deploy=deploy, model={"service_time": "1s"}).outcomes == [(200, 1000)]
    assert play([10], deploy=deploy, model={"service_time": "1000001us"}).outcomes == [(504, 1000)]


def test_a_slow_replica_slows_what_starts_on_it(play: Play) -> None:
    """Requests that start while the fault lasts take `factor` times as long, others as ever."""
    played = play(
        [9.95, 10, 11, 20], model={"service_time": "100ms"},
        faults=[{"at": 10, "kind": "slow_replica", "factor": 3, "lasts": 10}],
    )  # fmt: skip
    assert played.outcomes == [(200, 100), (200, 350), (200, 300), (200, 100)]


def test_a_slow_pull_takes_its_factor(play: Play) -> None:
    """A pull that begins while the fault lasts takes three times 60 s."""
    faults = [{"kind": "image_pull_slow", "factor": 3, "lasts": 301}]
    played = play(start="cold", duration=600, faults=faults)
    assert played.times("pod_ready") == [300 + 180 + 5]


def test_a_killed_replica_loses_what_it_held_and_starts_again(play: Play) -> None:
    """R13: killed at 10; its request is 502 then; the next one waits in the restarted container, which init() keeps 5 s."""
    played = play(
        [9.9, 10.5, 12], deploy=MANY_AT_ONCE, model={"service_time": "2s", "workers": 50},
        faults=[{"at": 10, "kind": "replica_kill"}],
    )  # fmt: skip
    assert played.outcomes == [(502, 100), (200, 6500), (503, 0)]
    assert played.times("container_started") == [10]


def test_a_refused_connection_is_502(play: Play) -> None:
    """R9, R13: a container that is dead and not yet seen dead refuses what is sent to it, at the dispatch."""
    played = play(
        [10.5, 10.5],
        deploy=MANY_AT_ONCE, duration=60,
        faults=[{"at": 5, "kind": "replica_kill"}, {"at": 10.2, "kind": "replica_kill"}],
        # the second restart waits 10 s, so nothing listens at 10.5; the router is told 1 s late
        model={"service_time": "1s", "init_time": "1s"},
    )  # fmt: skip
    assert played.outcomes == [(502, 0), (502, 0)]
    assert played.times("container_started") == [5, 20.2]


@pytest.mark.parametrize(
    ("fault", "statuses"),
    [
        ({"request": 3}, [200, 200, 502, 200, 200, 200, 200, 200]),
        ({"request": 3, "every": True}, [200, 200, 502, 200, 200, 502, 200, 200]),
        ({"request": 2, "every": True, "times": 2}, [200, 502, 200, 502, 200, 200, 200, 200]),
        ({"request": 2, "at": 60}, [200, 200, 502, 200, 200, 200, 200, 200]),
    ],
    ids=["once", "every third", "twice", "from the second request on"],
)
def test_a_container_dies_at_the_request_that_was_named(play: Play, fault: dict[str, Any], statuses: list[int]) -> None:
    """The n-th start from `at` on kills the container, once or every time, and 30 s later it serves again."""
    played = play(
        [number * 30 for number in range(1, 9)], duration=300, faults=[{"kind": "crash_on_request", **fault}],
        assumptions={"restart_backoff": 0},
    )  # fmt: skip
    assert played.statuses == statuses


def test_run_failures_are_502_with_their_reason(play: Play) -> None:
    """R12: a share of requests whose run() raises is answered 502 after its run time, and stands under its reason."""
    played = play(
        {"shape": "constant", "rate": 200}, deploy=MANY_AT_ONCE, model={"failure_rate": 0.1, "workers": 50}, duration=50
    )
    failed = [each for each in played.requests if each.status == 502]
    assert _within_three_sigma(len(failed), len(played.requests), 0.1)
    assert all(each.reason is Reason.RUN_FAILED and each.answered - each.arrived == 50_000 for each in failed)


# -- the cluster autoscaler


def test_the_cluster_autoscaler_adds_nodes_and_removes_them(play: Play) -> None:
    """§6.7: a pod that fits nowhere brings a node 180 s after a look; unneeded for 600 s it goes again, and its pod moves."""
    played = play(
        [40] * 8, start="healthy", duration=2400,
        deploy={"num_replicas": None, "autoscale_max_replicas": 4, "cpu_cores": 1, "max_request_wait_time": 1000},
        model={"service_time": "30s"},
        cluster={"purpose": "DevTest", "nodes": 1, "vm_size": SMALL, "max_nodes": 3},
    )  # fmt: skip
    # Four replicas are wanted at 41 and two fit on node 1; the other two need one node more.
    assert played.times("pod_unschedulable") == [41, 41]
    assert played.times("node_requested") == [50]
    assert played.times("node_joined") == [230]
    assert played.result["nodes"]["max"] == 2
    # By then the service is back to one replica: the node stays empty, and goes 600 s after it came.
    assert played.times("node_removed") == [830]


ALONE_ON_NODE_2: Any = {
    "cluster": {"purpose": "DevTest", "nodes": 1, "vm_size": SMALL, "max_nodes": 2},
    "operations": [
        {"at": 100, "kind": "update", "deploy": {"num_replicas": 2}},
        {"at": 820, "kind": "update", "deploy": {"num_replicas": 1}},
    ],
    "faults": [{"at": 400, "kind": "node_loss", "node": 1, "lasts": 400}],
}
"""Node 1, with the router, takes one pod of 1.4 cores. A second one brings node 2, where it stays when node 1 is lost for a
while and its pod moves to node 2 and is scaled away. From then on node 2 is under half used."""


def test_a_drained_node_s_pods_are_replaced_at_once(play: Play) -> None:
    """§6.7: pods of a node that goes are replaced as soon as they are on their way out, not when they have gone."""
    played = play(
        [number * 10 + 5 for number in range(160)],
        deploy={"cpu_cores": 1.3}, model={"service_time": "9500ms"}, duration=1600,
        **ALONE_ON_NODE_2,
    )  # fmt: skip
    assert played.times("node_draining") == [1430]
    assert played.times("pod_created")[-1] == 1430
    # The request that was running is finished before the node goes.
    assert played.times("node_removed") == [1434.5]
    assert [each.status for each in played.requests if each.arrived in (1425e6, 1435e6, 1445e6)] == [200, 503, 200]


def test_a_node_whose_only_pod_still_pulls_its_image_is_drained(play: Play) -> None:
    """§6.7, R3: what has not started has nothing to finish: its pod goes at once, and the node in the same instant."""
    played = play(
        [1595], deploy={"cpu_cores": 1.3}, duration=1600,
        assumptions={"image_pull": "3000s", "unschedulable_after": "2000s", "deployment_timeout": "2000s"},
        **ALONE_ON_NODE_2,
    )  # fmt: skip
    assert played.times("node_draining") == played.times("node_removed") == [1430]
    # The replacement finds the image on node 1.
    assert played.times("pod_created")[-1] == 1430
    assert [each.status for each in played.requests] == [200]


# -- policies


def _canary(play: Play, failure_rate: float) -> Any:
    return play(
        {"shape": "constant", "rate": 40}, duration=400,
        versions=[
            {"name": "blue", "deploy": {"num_replicas": 4, "is_default": True}, "model": {"service_time": "20ms"}},
            {
                "name": "green", "deploy": {"num_replicas": 4, "traffic_percentile": 0},
                "model": {"service_time": "20ms", "failure_rate": failure_rate, "init_time": 5},
            },
        ],
        policies=[{"kind": "canary", "version": "green", "steps": [10, 50, 100], "hold": 60, "max_error_rate": 0.05}],
    )  # fmt: skip


def test_a_canary_promotes_a_good_version(play: Play) -> None:
    """Each step is held for a minute, in effect one router lag later; a good version ends with all traffic."""
    played = _canary(play, failure_rate=0)
    assert [(at, words.partition(" (")[0]) for at, words in played.details("policy")] == [
        (0, "set traffic green 10 %"), (60, "set traffic green 50 %"), (120, "set traffic green 100 %"), (180, "promote green"),
    ]  # fmt: skip
    assert {each.version for each in played.requests if each.arrived < 1e6} == {"blue"}
    assert {each.version for each in played.requests if each.arrived >= 121e6} == {"green"}
    assert set(played.statuses) == {200}


def test_a_canary_rolls_a_bad_version_back(play: Play) -> None:
    """A version that fails a fifth of its requests is sent back at the first look, and users see no more of it."""
    played = _canary(play, failure_rate=0.2)
    (_, (at, words)) = played.details("policy")
    assert at == 60
    assert words.startswith("roll back green (fail): at 10 %: failed ")
    assert {each.version for each in played.requests if each.arrived >= 61e6} == {"blue"}
    assert played.result["service"]["shares"] == {"blue": 100, "green": 0}


# -- clients


def test_azureml_core_s_retries_double_from_the_client_s_own_base(play: Play) -> None:
    """503 to azureml-core: three repeats after b, 2b and 4b seconds, b a whole number of 2 to 10 s that each client draws."""
    busy = [10.0] + [10 + number / 100 for number in range(1, 60)]
    played = play(
        busy, deploy={"max_request_wait_time": 1}, model={"service_time": "250s"}, duration=200,
        clients={"retry": "azureml-core"}, assumptions={"worker_timeout": "1h"},
    )  # fmt: skip
    bases = []
    for number in range(1, 60):
        tries = [each for each in played.requests if each.number == number]
        assert [each.attempt for each in tries] == [0, 1, 2, 3]
        waits = [(later.arrived - earlier.answered) / 1e6 for earlier, later in pairwise(tries)]
        assert waits == [waits[0], 2 * waits[0], 4 * waits[0]]
        bases.append(waits[0])
    assert set(bases) == set(range(2, 11))


def test_azureml_core_tries_lost_replies_again_at_once(play: Play) -> None:
    """502 to azureml-core: repeats after 0, 1 and 2 s, then no more."""
    played = play([10], model={"failure_rate": 1}, clients={"retry": "azureml-core"})
    assert [each.arrived / 1e6 for each in played.requests] == [10, 10.05, 11.1, 13.15]
    assert played.statuses == [502] * 4
    assert (played.result["requests"], played.result["retries"]) == (4, 3)


def test_a_retry_is_sent_when_the_client_has_its_answer(play: Play) -> None:
    """R9: the router's overhead is part of the answer's way, so the next attempt starts after it."""
    retry = {"statuses": [502], "attempts": 3, "backoff": "100ms", "factor": 3}
    played = play([10], model={"failure_rate": 1}, clients={"retry": retry}, assumptions={"router_overhead": "4ms"})
    assert [each.arrived for each in played.requests] == [10_000_000, 10_154_000, 10_508_000]


def test_urllib3_repeats_nothing(play: Play) -> None:
    """urllib3's defaults repeat no POST that was answered; the result says so."""
    played = play([10], model={"failure_rate": 1}, clients={"retry": "urllib3"})
    assert played.statuses == [502]
    assert any("urllib3" in note for note in played.result["notes"])
