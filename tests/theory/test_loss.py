"""Queues that refuse: Erlang's B formula, finite queues, impatient requests, and clients that try again."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("service", "seed"),
    [
        ({"distribution": "exponential", "mean": "4s"}, 11),
        ({"distribution": "constant", "mean": "4s"}, 12),
        ({"distribution": "lognormal", "mean": "4s", "cv": 1.5}, 13),
    ],
    ids=["exponential", "constant", "lognormal"],
)
def test_who_cannot_wait_is_lost_as_erlang_b_says(
    simulate: Callable[..., Any], queueing: ModuleType, service: dict[str, Any], seed: int
) -> None:
    """Eight slots at load 8 with next to no patience lose what Erlang's B formula says, whatever the service distribution."""
    queue = simulate(
        replicas=8, rate=2, service=service, patience_ms=1, seed=seed, requests=40_000, warm_up=40,
    )  # fmt: skip
    # 1 ms of patience against half a second until the next slot comes free.
    queue.assert_agrees(lambda heard: heard.share(503), queueing.erlang_b(8, 8), within=0.04, tolerance=0.002)
    assert queue.result["reasons"]["queue_deadline"] == queue.result["status"]["503"]


def test_a_bounded_queue_is_full_as_often_as_the_formula_says(
    simulate: Callable[..., Any], queueing: ModuleType
) -> None:
    """Four slots and a queue of three (M/M/4/7) refuse the share that the formula of the finite queue gives."""
    queue = simulate(
        replicas=4, rate=45, service={"distribution": "exponential", "mean": "80ms"}, patience_ms=100_000_000, seed=14,
        requests=100_000, warm_up=10, assumptions={"max_queue_length": 3},
    )  # fmt: skip
    queue.assert_agrees(lambda heard: heard.share(503), queueing.finite_queue_loss(4, 3, 45 * 0.08), within=0.05)
    assert list(queue.result["reasons"]) == ["queue_full"]
    queue.assert_little()


@pytest.mark.parametrize(
    ("rate", "mean_ms", "patience_ms", "seed", "requests", "within"),
    [
        (80, 90, 100, 21, 200_000, 0.12),
        (80, 100, 300, 22, 160_000, 0.14),
        (120, 100, 100, 23, 25_000, 0.02),
    ],
    ids=["busy 0.9", "busy 1.0", "busy 1.5"],
)
def test_impatient_requests_leave_as_the_closed_form_says(
    simulate: Callable[..., Any],
    queueing: ModuleType,
    rate: float,
    mean_ms: float,
    patience_ms: int,
    seed: int,
    requests: int,
    within: float,
) -> None:
    """M/M/8 with deterministic patience: who leaves, who waits, and how long the served waited, below and above full load."""
    queue = simulate(
        replicas=8, rate=rate, service={"distribution": "exponential", "mean": f"{mean_ms}ms"},
        patience_ms=patience_ms, seed=seed, requests=requests, warm_up=20,
    )  # fmt: skip
    theory = queueing.patience(8, rate, mean_ms / 1000, patience_ms / 1000)
    queue.assert_agrees(lambda heard: heard.share(503), theory.abandoned, within=within)
    queue.assert_agrees(lambda heard: heard.waiting_share, theory.waits, within=0.03)
    queue.assert_agrees(lambda heard: heard.mean_wait, theory.mean_wait_served, within=0.05)
    # Little's law for the slots: carried load over slots, by theory and by this very run.
    busy = rate * (1 - theory.abandoned) * mean_ms / 1000 / 8
    assert queue.result["versions"]["queue"]["utilisation"] == pytest.approx(busy, rel=0.015)
    queue.assert_little()


def test_retries_settle_at_the_fixed_point(simulate: Callable[..., Any], queueing: ModuleType) -> None:
    """Refused requests that come back twice, long after, make the stream that the fixed point of the loss formula says.

    Attempts come a long while after another against a service time of 1 s, so that they are nearly Poisson.
    """
    queue = simulate(
        replicas=8, rate=4.5, service={"distribution": "exponential", "mean": "1s"}, patience_ms=1, seed=31,
        requests=120_000, warm_up=400, clients={"retry": {"statuses": [503], "attempts": 3, "backoff": "40s", "factor": 3}},
    )  # fmt: skip
    rate, lost = queueing.retry_fixed_point(4.5, 3, lambda stream: queueing.patience(8, stream, 1, 0.001).abandoned)
    seconds = queue.result["duration_seconds"] - queue.result["warm_up_seconds"]
    # That a burst of refusals comes back as a burst is left out: 1 per cent of the losses at most.
    queue.assert_agrees(lambda heard: heard.share(503), lost, within=0.1, tolerance=0.01)
    queue.assert_agrees(lambda heard: heard.requests / seconds, rate, within=0.01)
    assert queue.result["retries"] / queue.result["requests"] == pytest.approx(1 - 4.5 / rate, rel=0.1)
