"""Queues whose requests wait as long as it takes: Erlang's C formula, Pollaczek and Khinchine, constant service."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

pytestmark = pytest.mark.slow

PATIENT_MS = 1_000_000_000


@pytest.mark.parametrize(
    ("replicas", "slots", "rate", "seed", "requests"),
    [(2, 1, 12, 41, 130_000), (3, 2, 43, 43, 300_000)],
    ids=["two replicas", "three replicas of two slots"],
)
def test_patient_requests_wait_as_erlang_c_says(
    simulate: Callable[..., Any], queueing: ModuleType, replicas: int, slots: int, rate: float, seed: int, requests: int
) -> None:
    """M/M/c: who waits, how long on average and at p50, p90 and p99; replicas times slots are what counts."""
    servers, mean = replicas * slots, 0.1
    queue = simulate(
        replicas=replicas, slots=slots, rate=rate, service={"distribution": "exponential", "mean": "100ms"},
        patience_ms=PATIENT_MS, seed=seed, requests=requests, warm_up=20,
    )  # fmt: skip
    assert queue.result["status"]["200"] == queue.result["requests"]
    waits = queueing.erlang_c(servers, rate * mean)
    queue.assert_agrees(lambda heard: heard.waiting_share, waits, within=0.03)
    queue.assert_agrees(lambda heard: heard.mean_wait, waits / (servers / mean - rate), within=0.12)
    for name, share, within in (("p50", 0.5, 0.03), ("p90", 0.9, 0.15), ("p99", 0.99, 0.6)):
        # A quantile is right if the right share of requests lies beyond it; the result's own is between its neighbours.
        time = queueing.erlang_c_wait_quantile(servers, rate, mean, share)
        beyond = (1 - share) if time else waits
        queue.assert_agrees(lambda heard, time=time: heard.longer_than(time), beyond, within=within)
        slack = within * (1 - share)
        low, high = (
            queueing.erlang_c_wait_quantile(servers, rate, mean, near) for near in (share - slack, share + slack)
        )
        assert low <= queue.result["queue_wait_ms"][name] / 1000 <= high
    assert queue.result["versions"]["queue"]["utilisation"] == pytest.approx(rate * mean / servers, rel=0.015)
    queue.assert_little()


def test_only_replicas_times_slots_count(simulate: Callable[..., Any]) -> None:
    """With as many workers as slots, six replicas of one, three of two and one of six make every request wait alike."""
    waits = [
        [
            heard.waits
            for heard in simulate(
                replicas=replicas, slots=6 // replicas, rate=54, patience_ms=PATIENT_MS, seed=44, requests=8_000, warm_up=1,
                service={"distribution": "lognormal", "mean": "100ms", "cv": 2},
            ).heard
        ]
        for replicas in (6, 3, 1)
    ]  # fmt: skip
    assert waits[0] == waits[1] == waits[2]
    assert max(map(max, waits[0])) > 0.5


@pytest.mark.parametrize(
    ("service", "cv", "seed", "requests"),
    [
        ({"distribution": "constant", "mean": "100ms"}, 0, 51, 35_000),
        ({"distribution": "exponential", "mean": "100ms"}, 1, 52, 60_000),
        ({"distribution": "lognormal", "mean": "100ms", "cv": 1.2}, 1.2, 53, 100_000),
        ({"distribution": "gamma", "mean": "100ms", "cv": 0.5}, 0.5, 54, 45_000),
        ({"distribution": "uniform", "mean": "100ms", "cv": 0.5}, 0.5, 55, 60_000),
        ({"distribution": "weibull", "mean": "100ms", "cv": 0.7}, 0.7, 56, 35_000),
    ],
    ids=["constant", "exponential", "lognormal", "gamma", "uniform", "weibull"],
)
def test_one_replica_makes_wait_as_pollaczek_and_khinchine_say(
    simulate: Callable[..., Any], queueing: ModuleType, service: dict[str, Any], cv: float, seed: int, requests: int
) -> None:
    """M/G/1: the mean wait depends on the service time's mean and variation only, and half of all requests wait."""
    queue = simulate(
        replicas=1, rate=5, service=service, patience_ms=PATIENT_MS, seed=seed, requests=requests, warm_up=50
    )
    queue.assert_agrees(lambda heard: heard.mean_wait, queueing.pollaczek_khinchine(5, 0.1, cv), within=0.1)
    queue.assert_agrees(lambda heard: heard.waiting_share, 0.5, within=0.03)
    queue.assert_little()


def test_constant_service_makes_wait_as_m_d_1_says(simulate: Callable[..., Any], queueing: ModuleType) -> None:
    """M/D/1 at 60 per cent: shares that wait longer than half a service time, one and a half, and three."""
    queue = simulate(
        replicas=1, rate=6, service={"distribution": "constant", "mean": "100ms"}, patience_ms=PATIENT_MS, seed=61,
        requests=150_000, warm_up=50,
    )  # fmt: skip
    for time, within in ((0.05, 0.03), (0.15, 0.06), (0.3, 0.2)):
        queue.assert_agrees(
            lambda heard, time=time: heard.longer_than(time),
            queueing.constant_service_waits(6, 0.1, time),
            within=within,
        )
    queue.assert_little()
