"""Containers that take more memory than their limit: what dies with them, how they come back, what the service says."""

from collections.abc import Callable
from typing import Any

import pytest

Play = Callable[..., Any]
TWO_FIT = {"base": "1.2GB", "per_request": "300MB"}
FOUR_AT_ONCE = {"memory_gb": 2, "replica_max_concurrent_requests": 4}


def test_the_request_too_many_takes_all_with_it(play: Play) -> None:
    """Three come at once where two fit: all three lose their replica, as with every dead one; it restarts at once."""
    played = play([10, 10.1, 10.2, 30], deploy=FOUR_AT_ONCE, model={"service_time": "1s", "memory": TWO_FIT})
    assert played.outcomes == [(502, 200.0), (502, 100.0), (502, 0.0), (200, 1000.0)]
    assert {each.reason for each in played.requests[:3]} == {"replica_lost"}
    assert played.times("oom_killed") == played.times("container_exited") == [10.2]
    assert played.times("container_started") == [10.2]
    (told,) = played.details("oom_killed")
    assert told[1].startswith("OOMKilled, exit code 137: it takes 1.2 GB and 300 MB for each request")


def test_two_that_fit_are_answered(play: Play) -> None:
    """Up to the limit, that included."""
    played = play([10, 10.1, 12], deploy=FOUR_AT_ONCE, model={"service_time": "1s", "memory": TWO_FIT})
    assert [status for status, _ in played.outcomes] == [200, 200, 200]
    assert played.times("oom_killed") == []


@pytest.mark.parametrize(("limit", "killed"), [(None, True), (2.0, True), (2.1, False)])
def test_the_limit_is_the_one_of_the_deployment(play: Play, limit: float | None, killed: bool) -> None:
    """`memory_gb_limit`, or `memory_gb` without one."""
    deploy = {**FOUR_AT_ONCE, **({} if limit is None else {"memory_gb_limit": limit})}
    played = play([10, 10.1, 10.2], deploy=deploy, model={"service_time": "1s", "memory": TWO_FIT})
    assert bool(played.times("oom_killed")) is killed


def test_requests_that_have_timed_out_still_take_memory(play: Play) -> None:
    """One slot, freed at each scoring timeout while the worker goes on: the third is too many in the container."""
    played = play(
        [10, 11.5, 13], deploy={"memory_gb": 2, "scoring_timeout_ms": 1000}, model={"service_time": "10s", "memory": TWO_FIT}
    )  # fmt: skip
    assert played.statuses == [504, 504, 502]
    assert played.times("oom_killed") == [13]


def test_restarts_back_off(play: Play) -> None:
    """Killed again and again: at once, then after 10, 20, 40 s, as in any crash loop (K1)."""
    instants = [at / 2 for at in range(240)]
    played = play(
        instants, deploy=FOUR_AT_ONCE, duration=120,
        model={"service_time": "5s", "init_time": "1s", "memory": {"base": "2GB", "per_request": "1MB"}},
    )  # fmt: skip
    killed, started = played.times("oom_killed"), played.times("container_started")
    waits = [round(again - end, 3) for end, again in zip(killed, started, strict=False)]
    assert waits[:4] == [0, 10, 20, 40]


def test_a_deployment_that_takes_too_much_fails_with_the_cause(play: Play) -> None:
    """Each container is killed as `init()` returns: a crash loop whose error names memory and limit."""
    played = play(
        start="cold", duration=900, deploy={"memory_gb": 1}, model={"memory": "1.5GB"}, assumptions={"image_build": 0}
    )
    (operation,) = played.result["operations"]
    assert (operation["state"], played.result["service"]["state"]) == ("Failed", "Failed")
    assert operation["error"] == (
        "CrashLoopBackOff: Your container application crashed. Last state of its containers: svc: OOMKilled, exit code 137: it "
        "takes 1.5 GB without any request, above its limit of 1 GB."
    )
    assert played.times("pod_ready") == []
    assert played.times("oom_killed")[0] == played.times("container_started")[0] + 5


def test_another_crash_loop_keeps_its_own_error(play: Play) -> None:
    """Memory is told and fits: it is not the cause."""
    played = play(
        start="cold", duration=900, model={"memory": "100MB"}, faults=[{"kind": "init_failure"}], assumptions={"image_build": 0}
    )  # fmt: skip
    assert "errors in your scoring file's init() function" in played.result["operations"][0]["error"]


def test_an_update_that_takes_too_much_leaves_the_old_one_serving(play: Play) -> None:
    """The new pods of two never become ready; one old one goes on, and the operation says why."""
    operations = [{"at": 10, "kind": "update", "deploy": {}, "model": {"memory": "3GB"}}]
    played = play(
        {"shape": "constant", "rate": 1}, deploy={"num_replicas": 2, "memory_gb": 1}, operations=operations, duration=600,
        assumptions={"image_build": 0},
    )  # fmt: skip
    assert set(played.statuses) == {200}
    assert "svc: OOMKilled, exit code 137" in played.result["operations"][0]["error"]


def test_only_the_version_that_takes_too_much_is_killed(play: Play) -> None:
    """Two versions of an endpoint, one of them too large under load."""
    half = {**FOUR_AT_ONCE, "traffic_percentile": 50}
    versions = [
        {"name": "blue", "deploy": half, "model": {"service_time": "1s"}},
        {"name": "green", "deploy": half, "model": {"service_time": "1s", "memory": TWO_FIT}},
    ]  # fmt: skip
    played = play({"shape": "constant", "rate": 6}, versions=versions)
    assert {subject.rpartition("-")[0] for _, kind, subject, _ in played.events if kind == "oom_killed"} == {"green"}
    (note,) = [note for note in played.result["notes"] if "memory" in note]
    assert "green: OOMKilled" in note
    assert "blue" not in note
