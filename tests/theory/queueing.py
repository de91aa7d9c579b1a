"""Closed forms of queues, and the interval that a simulation of one is held against.

Rates are per second, times in seconds, `c` servers, `load` is offered work in servers (rate × mean service time).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

LEVEL = 0.9999
"""Of one comparison. Under 100 figures are compared, so by Bonferroni a right simulator would fail the whole suite with
less than 1 per cent of all seeds; the seeds are fixed, so it passes always or never."""


def erlang_b(c: int, load: float) -> float:
    """Share of requests lost by c servers without a queue (M/G/c/c: whatever the distribution of service times)."""
    lost = 1.0
    for servers in range(1, c + 1):
        lost = load * lost / (servers + load * lost)
    return lost


def erlang_c(c: int, load: float) -> float:
    """Share of requests that wait in M/M/c."""
    lost = erlang_b(c, load)
    return c * lost / (c - load * (1 - lost))


def erlang_c_wait_quantile(c: int, rate: float, mean: float, share: float) -> float:
    """The wait that `share` of all requests of M/M/c do not exceed."""
    waits = erlang_c(c, rate * mean)
    return max(0.0, math.log(waits / (1 - share)) / (c / mean - rate))


def finite_queue_loss(c: int, places: int, load: float) -> float:
    """Share of requests that find all c servers and all places of the queue taken in M/M/c/(c + places)."""
    weights = [1.0]
    for number in range(1, c + places + 1):
        weights.append(weights[-1] * load / min(number, c))
    return weights[-1] / math.fsum(weights)


@dataclass(frozen=True)
class Patience:
    """Steady state of M/M/c whose requests leave after a fixed wait.

    Attributes:
        abandoned: share of requests that leave.
        waits: share of requests that do not start at once.
        mean_wait_served: mean wait of those that are served.
    """

    abandoned: float
    waits: float
    mean_wait_served: float


def patience(c: int, rate: float, mean: float, patient: float) -> Patience:
    """M/M/c with deterministic patience, by level crossing of the virtual wait.

    Below c requests the states are those of M/M/c. The virtual wait has density rate·p(c-1)·exp(-(c/mean - rate)·x) up to
    `patient`, and decays at rate c/mean beyond, where nobody joins.
    """
    drain = c / mean - rate
    relative = [1.0]  # p(n) / p(c-1), downwards from c-1
    for number in range(c - 1, 0, -1):
        relative.append(relative[-1] * number / (rate * mean))
    flat = abs(drain) < 1e-9
    within = rate * (patient if flat else -math.expm1(-drain * patient) / drain)
    beyond = rate * mean / c * math.exp(-drain * patient)
    whole = math.fsum(relative) + within + beyond
    left = math.exp(-drain * patient) * (1 + drain * patient)
    moment = patient * patient / 2 if flat else (1 - left) / drain**2
    abandoned = beyond / whole
    return Patience(abandoned, (within + beyond) / whole, rate * moment / whole / (1 - abandoned))


@dataclass(frozen=True)
class Repair:
    """Steady state of c servers with a queue and a finite number of users, who think after each answer (M/M/c//N).

    Attributes:
        throughput: answers per second.
        mean_wait: in the queue.
        utilisation: busy servers, as a part of all.
        waits: share of requests that do not start at once.
        waiting_users: users who wait for an answer.
    """

    throughput: float
    mean_wait: float
    utilisation: float
    waits: float
    waiting_users: float


def machine_repair(c: int, users: int, mean: float, think: float) -> Repair:
    """The machine-repair formula (M/M/c//N), by birth and death; insensitive to the distribution of think times.

    The share that waits is that of the states that an asking user finds, which are those of one user fewer.
    """
    states = _repair_states(c, users, mean, think)
    throughput = math.fsum(p * min(number, c) for number, p in enumerate(states)) / mean
    queued = math.fsum(p * max(0, number - c) for number, p in enumerate(states))
    found = _repair_states(c, users - 1, mean, think)
    return Repair(
        throughput, queued / throughput, throughput * mean / c, math.fsum(found[c:]),
        math.fsum(p * number for number, p in enumerate(states)),
    )  # fmt: skip


def _repair_states(c: int, users: int, mean: float, think: float) -> list[float]:
    weights = [1.0]
    for number in range(1, users + 1):
        weights.append(weights[-1] * (users - number + 1) / think * mean / min(number, c))
    whole = math.fsum(weights)
    return [weight / whole for weight in weights]


def engset(c: int, users: int, mean: float, think: float) -> tuple[float, float]:
    """Engset: c servers, no queue, users who think after a refusal as after an answer; insensitive to both distributions.

    Returns:
        Requests per second, and the share of them that is refused (call congestion).
    """

    def states(of: int) -> list[float]:
        weights = [math.comb(of, number) * (mean / think) ** number for number in range(min(c, of) + 1)]
        whole = math.fsum(weights)
        return [weight / whole for weight in weights]

    asked = math.fsum(p * (users - number) for number, p in enumerate(states(users))) / think
    return asked, states(users - 1)[c] if users > c else 0.0


def pollaczek_khinchine(rate: float, mean: float, cv: float) -> float:
    """Mean wait in M/G/1."""
    busy = rate * mean
    return busy * mean * (1 + cv * cv) / (2 * (1 - busy))


def constant_service_waits(rate: float, mean: float, time: float) -> float:
    """Share of requests of M/D/1 that wait longer than `time`."""
    terms = [
        math.exp(-rate * (number * mean - time)) * (rate * (number * mean - time)) ** number / math.factorial(number)
        for number in range(int(time / mean) + 1)
    ]
    return 1 - (1 - rate * mean) * math.fsum(terms)


def retry_fixed_point(rate: float, attempts: int, loss: Callable[[float], float]) -> tuple[float, float]:
    """The stream of first and repeated attempts, if it is nearly Poisson: rate' = rate·(1 + p + p² + …), p = loss(rate').

    Returns:
        rate' and p.
    """
    total = rate
    for _ in range(10_000):
        lost = loss(total)
        following = rate * math.fsum(lost**repeat for repeat in range(attempts))
        if abs(following - total) < 1e-12 * total:
            return following, lost
        total = following
    raise ArithmeticError("the retries do not settle")


def interval(values: Sequence[float], controls: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Mean of independent replications, and half the width of its Student t interval at `LEVEL`.

    Args:
        values: one a replication.
        controls: of each replication, how far chance drew what goes in from its known mean. What of the values' spread
            that explains is taken out by regression (control variates).
    """
    drawn = np.asarray(controls, dtype=float)
    drawn = drawn[:, np.ptp(drawn, axis=0) > 1e-5]  # a constant explains nothing
    rows = np.column_stack([np.ones(len(values)), drawn])
    seen = np.asarray(values)
    fitted = np.linalg.lstsq(rows, seen, rcond=None)[0]
    left = seen - rows @ fitted
    freedom = len(seen) - rows.shape[1]
    error = math.sqrt(float(left @ left) / freedom * np.linalg.inv(rows.T @ rows)[0, 0])
    return float(fitted[0]), float(stdtrit(freedom, (1 + LEVEL) / 2)) * error


def assert_agrees(
    values: Sequence[float],
    theory: float,
    controls: Sequence[Sequence[float]],
    *,
    within: float,
    tolerance: float = 0.0,
) -> None:
    """The interval holds the theory's value, and is narrow enough to mean something.

    Args:
        values: one a replication.
        theory: what they should be on average.
        controls: as for `interval`.
        within: the widest half interval that is accepted, as a part of `theory`. It is the test's power: at `LEVEL` half an
            interval is 4.4 standard errors, so a simulator that is off by 1.6 times as much fails with 99 of 100 seeds.
        tolerance: what the theory itself leaves out at most, as a part of `theory`.
    """
    mean, half = interval(values, controls)
    assert half <= within * theory, f"{mean:.6g} ± {half:.2g} says too little about {theory:.6g}: run longer"
    assert abs(mean - theory) <= half + tolerance * theory, f"{mean:.6g} ± {half:.2g} is not {theory:.6g}"
