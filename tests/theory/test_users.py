"""Users who wait for their answers: the machine-repair formula, Engset's, and the laws that hold for any closed loop."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

PATIENT_MS = 1_000_000_000
EXPONENTIAL = {"distribution": "exponential", "mean": "100ms"}


def _rate(queue: Any) -> Callable[[Any], float]:
    seconds = queue.result["duration_seconds"] - queue.result["warm_up_seconds"]
    return lambda heard: heard.requests / seconds


def _assert_repair(queue: Any, theory: Any, scale: float) -> None:
    """Throughput, wait, utilisation and the number who wait; the result's own figures agree with what single requests met."""
    rate = _rate(queue)
    queue.assert_agrees(rate, theory.throughput, within=0.02 * scale)
    queue.assert_agrees(lambda heard: heard.mean_wait, theory.mean_wait, within=0.1 * scale)
    queue.assert_agrees(lambda heard: heard.waiting_share, theory.waits, within=0.05 * scale)
    queue.assert_agrees(
        lambda heard: rate(heard) * sum(heard.served) / len(heard.served) / queue.slots, theory.utilisation, within=0.02 * scale
    )  # fmt: skip
    (users,) = queue.result["users"]
    assert users["rate"] == pytest.approx(sum(map(rate, queue.heard)) / len(queue.heard), rel=1e-6)
    assert users["waiting"] == pytest.approx(theory.waiting_users, rel=0.04 * scale)
    queue.assert_little()


@pytest.mark.parametrize(
    ("replicas", "slots", "users", "think", "seed", "requests"),
    [
        (2, 1, 10, "400ms", 71, 8_000),
        pytest.param(3, 1, 30, "1s", 72, 60_000, marks=pytest.mark.slow),
        pytest.param(2, 3, 12, "100ms", 73, 50_000, marks=pytest.mark.slow),
        pytest.param(1, 1, 100, "20s", 74, 80_000, marks=pytest.mark.slow),
    ],
    ids=["two of ten", "three of thirty", "two replicas of three slots", "one of a hundred"],
)
def test_throughput_and_wait_are_those_of_machine_repair(
    simulate: Callable[..., Any],
    queueing: ModuleType,
    replicas: int,
    slots: int,
    users: int,
    think: str,
    seed: int,
    requests: int,
) -> None:
    """M/M/c//N."""
    mean_think = float(think.removesuffix("ms")) / 1000 if think.endswith("ms") else float(think.removesuffix("s"))
    theory = queueing.machine_repair(replicas * slots, users, 0.1, mean_think)
    queue = simulate(
        replicas=replicas, slots=slots, rate=theory.throughput, service=EXPONENTIAL, patience_ms=PATIENT_MS, seed=seed,
        requests=requests, warm_up=20 * (mean_think + 0.1),
        users={"users": users, "think_time": {"distribution": "exponential", "mean": think}},
    )  # fmt: skip
    assert queue.result["status"]["200"] == queue.result["requests"]
    _assert_repair(queue, theory, 2.5 if requests < 50_000 else 1.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("think_time", "seed", "requests"),
    [
        ({"distribution": "constant", "mean": "1s"}, 81, 20_000),
        ({"distribution": "lognormal", "mean": "1s", "cv": 2}, 82, 80_000),
        ({"distribution": "uniform", "mean": "1s", "cv": 0.5}, 83, 25_000),
        ({"distribution": "weibull", "mean": "1s", "cv": 1.5}, 84, 70_000),
    ],
    ids=["constant", "lognormal", "uniform", "weibull"],
)
def test_only_the_mean_think_time_matters(
    simulate: Callable[..., Any], queueing: ModuleType, think_time: dict[str, Any], seed: int, requests: int
) -> None:
    """M/G/c//N: with exponential service the machine-repair formula holds for think times of any distribution."""
    theory = queueing.machine_repair(3, 30, 0.1, 1.0)
    queue = simulate(
        replicas=3, rate=theory.throughput, service=EXPONENTIAL, patience_ms=PATIENT_MS, seed=seed, requests=requests,
        warm_up=30, users={"users": 30, "think_time": think_time},
    )  # fmt: skip
    _assert_repair(queue, theory, 1.5)


@pytest.mark.parametrize(
    ("service", "think_time", "seed", "requests"),
    [
        ({"distribution": "exponential", "mean": "4s"}, {"distribution": "exponential", "mean": "12s"}, 91, 30_000),
        pytest.param(
            {"distribution": "lognormal", "mean": "4s", "cv": 1.5}, {"distribution": "gamma", "mean": "12s", "cv": 0.5},
            92, 16_000, marks=pytest.mark.slow,
        ),
        pytest.param(
            {"distribution": "uniform", "mean": "4s", "cv": 0.4}, {"distribution": "weibull", "mean": "12s", "cv": 2},
            93, 100_000, marks=pytest.mark.slow,
        ),
    ],
    ids=["exponential", "lognormal and gamma", "uniform and weibull"],
)  # fmt: skip
def test_refused_users_think_again_as_engset_says(
    simulate: Callable[..., Any],
    queueing: ModuleType,
    service: dict[str, Any],
    think_time: dict[str, Any],
    seed: int,
    requests: int,
) -> None:
    """Without a queue, requests per second and the share refused depend on the means of service and think time only.

    Who finds all servers busy waits 1 ms, against 1.3 s until the next server comes free.
    """
    rate, refused = queueing.engset(3, 12, 4.0, 12.0)
    queue = simulate(
        replicas=3, rate=rate, service=service, patience_ms=1, seed=seed, requests=requests, warm_up=400,
        users={"users": 12, "think_time": think_time},
    )  # fmt: skip
    queue.assert_agrees(_rate(queue), rate, within=0.03, tolerance=0.002)
    queue.assert_agrees(lambda heard: heard.share(503), refused, within=0.06, tolerance=0.002)


def test_the_response_time_law_holds_on_any_run(simulate: Callable[..., Any]) -> None:
    """Users = throughput × (response time + think time), with queue, refusals and retries: to the edge effects of the window."""
    queue = simulate(
        replicas=2, rate=20, service={"distribution": "gamma", "mean": "100ms", "cv": 0.7}, patience_ms=300, seed=95,
        requests=20_000, warm_up=20, clients={"retry": {"statuses": [503], "attempts": 2, "backoff": "200ms"}},
        users={"users": 25, "think_time": {"distribution": "constant", "mean": "700ms"}},
    )  # fmt: skip
    (users,) = queue.result["users"]
    turns = users["rate"] - users["retries"] / (queue.result["duration_seconds"] - queue.result["warm_up_seconds"])
    assert users["retries"] > 100
    assert users["waiting"] + turns * 0.7 == pytest.approx(25, rel=0.003)
