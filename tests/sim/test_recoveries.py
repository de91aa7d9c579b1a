"""What happens when one trouble ends in the middle of another."""

from collections.abc import Callable
from typing import Any

Play = Callable[..., Any]
TWO_NODES = {"purpose": "DevTest", "nodes": 2, "vm_size": {"cpu_cores": 8, "memory_gb": 32}}


def test_a_node_that_is_lost_for_two_reasons_is_back_after_both(play: Play) -> None:
    """The first reason to end does not bring the node back."""
    played = play(
        duration=120,
        cluster=TWO_NODES,
        faults=[
            {"kind": "node_loss", "node": 2, "at": 10, "lasts": 20},
            {"kind": "node_loss", "node": 2, "at": 20, "lasts": 60},
        ],
    )

    assert played.times("node_lost") == [10]
    assert played.times("node_back") == [80]


def test_an_update_makes_good_for_a_creation_that_timed_out_in_its_build(play: Play) -> None:
    """A service whose image took too long is deployed by the next operation, and found by the router."""
    played = play(
        [100, 500],
        duration=600,
        start="cold",
        assumptions={"image_build": 60, "deployment_timeout": 30, "image_pull": 5},
        operations=[{"kind": "update", "at": 200, "deploy": {"memory_gb": 1}}],
    )

    assert played.statuses == [404, 200]
    assert [each["state"] for each in played.result["operations"]] == ["TimedOut", "Succeeded"]
    assert played.result["service"]["state"] == "Healthy"


def test_a_container_that_its_probe_was_ending_is_ended_when_its_node_is_back(play: Play) -> None:
    """A stop that the loss of the node interrupted is finished at once, and the container starts anew."""
    played = play(
        [5],
        duration=150,
        cluster={**TWO_NODES, "nodes": 1},
        deploy={"initial_delay_seconds": 10, "failure_threshold": 1, "scoring_timeout_ms": 300_000},
        model={"service_time": 200, "init_time": 5},
        faults=[{"kind": "node_loss", "node": 1, "at": 20, "lasts": 15}],
    )

    assert played.times("liveness_failed")[0] == 12  # asked at 10, not answered in 2
    assert (
        played.times("container_exited")[0] == 35
    )  # the node is back; the grace until 42 has nothing left to wait for
    assert played.times("pod_ready")[0] == 40


def test_readiness_probes_leave_their_verdicts_in_the_trace(play: Play) -> None:
    """Under `readiness: probe` a pod that turns ready or unready says so."""
    played = play(
        [15],
        duration=100,
        assumptions={"readiness": "probe", "readiness_failures": 1},
        model={"service_time": 20},
    )

    assert played.times("pod_not_ready") == [22]  # asked at 20 while the only worker is busy until 35
    assert played.times("pod_ready") == [40]
