"""How often a plan's intervals hold the truth, and how often it chooses wrongly: M/M/c with patience, whose truth is a formula.

python benchmarks/plan_coverage.py [SEEDS] [JOBS] [--engine]

The stopping rule, the intervals and the search are the plan's own. Replications come from a loop that knows nothing but the
queue, a tenth of the simulator's work; with --engine they come from the simulator.
"""

import math
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from heapq import heapreplace
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from akstwin.scenarios.plan import Over, plan
from akstwin.scenarios.replicating import Replicator
from akstwin.scenarios.simulate import measurement_of

REPLICAS = "webservice.deploy.num_replicas"
RATE, MEAN, PATIENT = 24.0, 0.1, 0.3
"""Requests per second, mean service time and patience, s."""
LOW, HIGH = 3, 5
GRAIN = 1000
"""What latencies are rounded to, µs: half of it is a fortieth of an interval's width, and there is less to add up."""
SELDOM = 0.01
"""Of a share of failures below this, too few are seen for an interval that can miss."""
TARGETS = {"p95": 0.39, "success_rate": 0.97}


def scenario(seed: int) -> dict[str, Any]:
    """Forty seconds of Poisson arrivals, exponential service, and a queue that is left after 0.3 s."""
    return {
        "seed": seed,
        "duration": "45s",
        "warm_up": "5s",
        "webservice": {
            "name": "queue",
            "deploy": {"num_replicas": LOW, "max_request_wait_time": round(1000 * PATIENT)},
            "model": {"service_time": {"distribution": "exponential", "mean": f"{1000 * MEAN:g}ms"}},
        },
        "traffic": {"shape": "poisson", "rate": RATE},
        "objectives": {"p95": f"{1000 * TARGETS['p95']:g}ms", "success_rate": TARGETS["success_rate"]},
        "assumptions": {"router_overhead": "0s"},
    }


def truth(servers: int) -> dict[str, float]:
    """What the figures are in the long run, by level crossing of the virtual wait (times in ms).

    Below c requests the states are those of M/M/c; the virtual wait has density rate·p(c-1)·exp(-(c/mean - rate)·x) up to the
    patience and decays at rate c/mean beyond, where nobody joins.
    """
    relative = [1.0]  # p(n) / p(c-1), downwards
    for number in range(servers - 1, 0, -1):
        relative.append(relative[-1] * number / (RATE * MEAN))
    drain = servers / MEAN - RATE
    waits = np.linspace(0, PATIENT, 20_001)
    density = RATE * np.exp(-drain * waits)
    within = float(np.trapezoid(density, waits))
    beyond = RATE * MEAN / servers * math.exp(-drain * PATIENT)
    at_once = math.fsum(relative)

    def later(time: float) -> float:
        """Share of the served whose latency is longer."""
        left = np.where(waits < time, np.exp(-np.maximum(time - waits, 0) / MEAN), 1.0)
        longer = at_once * math.exp(-time / MEAN) + float(np.trapezoid(density * left, waits))
        return longer / (at_once + within)

    low, high = 0.0, 20 * (MEAN + PATIENT)
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if later(middle) > 0.05 else (low, middle)
    return {"p95": 1000 * low, "success_rate": 1 - beyond / (at_once + within + beyond)}


def is_met(servers: int) -> bool:
    """Whether the objectives hold in the long run."""
    found = truth(servers)
    return found["p95"] <= 1000 * TARGETS["p95"] and found["success_rate"] >= TARGETS["success_rate"]


@dataclass
class Coverage:
    """What many plans came to.

    Attributes:
        held: for each objective, in how many values that were tried the interval held the truth.
        judged: for each objective, in how many values: of shares only where enough requests fail for an interval that can
            miss. One of a share that is hardly ever anything but 0 holds it always.
        tried: how many values were tried.
        wrong: plans whose value is not the true one.
        told: plans that gave a value.
        plans: all of them.
        replications: of all values that were tried.
    """

    held: dict[str, int]
    judged: dict[str, int]
    tried: int = 0
    wrong: int = 0
    told: int = 0
    plans: int = 0
    replications: int = 0

    def share(self, name: str) -> float:
        """In which share of the values the interval held the truth."""
        return self.held[name] / self.judged[name]


def waits_of(arrivals: Sequence[int], services: Sequence[int], servers: int, patience: int) -> list[int | None]:
    """What each request waits, first come first served; None: it left without an answer (times in µs)."""
    free = [0] * servers
    waits: list[int | None] = []
    for came, takes in zip(arrivals, services, strict=True):
        begins = max(came, free[0])
        if begins - came > patience:
            waits.append(None)
        else:
            waits.append(begins - came)
            heapreplace(free, begins + takes)
    return waits


class QueueReplicator(Replicator):
    """Replications of `scenario` without the simulator: the same requests for every number of replicas."""

    def measure(self, variants: Any, numbers: Sequence[int], tick: Any) -> dict[Any, Any]:  # noqa: ARG002 - as its base
        """As of `Replicator`."""
        return {(None, number): _replication(variants[None], number) for number in numbers}


def _replication(prepared: Any, number: int) -> Any:
    start, end = prepared.scenario.warm_up, prepared.scenario.duration
    (version,) = prepared.service.versions
    chance = np.random.default_rng((prepared.scenario.seed, number))
    gaps = chance.exponential(1e6 / RATE, size=round(2 * RATE * end / 1e6))
    arrivals = np.cumsum(gaps).astype(np.int64)
    services = chance.exponential(1e6 * MEAN, size=len(arrivals)).astype(np.int64)
    servers = version.settings.initial_replicas
    waits = waits_of(arrivals.tolist(), services.tolist(), servers, round(1e6 * PATIENT))
    measurement = measurement_of(prepared)
    tally = measurement.by_version[version.name]
    counted = [at for at in range(len(arrivals)) if start <= arrivals[at] < end]
    served = [at for at in counted if waits[at] is not None]
    tally.count(200, None, 0, len(served))
    tally.count(503, None, 0, len(counted) - len(served))
    waited = np.array([waits[at] for at in served], dtype=np.int64)
    for kept, values in ((tally.latency, waited + services[served]), (tally.queue_wait, waited)):
        kept.add_all((np.rint(values / GRAIN).astype(np.int64) * GRAIN).tolist())
    return measurement


def one_plan(seed: int, *, engine: bool = False) -> dict[str, Any]:
    """The plan of one seed."""
    with patch("akstwin.scenarios.plan.Replicator", Replicator if engine else QueueReplicator):
        return plan(scenario(seed), Path("queue.yaml"), Over(REPLICAS, LOW, HIGH), jobs=1)


def measure(seeds: Sequence[int], jobs: int, *, engine: bool = False) -> Coverage:
    """Plan with each seed, and hold what comes out against the truth."""
    truths = {servers: truth(servers) for servers in range(LOW, HIGH + 1)}
    right = next(servers for servers in truths if is_met(servers))
    coverage = Coverage(dict.fromkeys(TARGETS, 0), dict.fromkeys(TARGETS, 0))
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for found in pool.map(partial(one_plan, engine=engine), seeds, chunksize=4):
            coverage.plans += 1
            coverage.told += found["value"] is not None
            coverage.wrong += found["value"] not in (None, right)
            for each in found["tried"]:
                coverage.tried += 1
                coverage.replications += each["replications"]
                for objective in each["objectives"]:
                    low, high = objective["interval"]
                    name, exact = objective["name"], truths[each["value"]][objective["name"]]
                    if name != "success_rate" or 1 - exact > SELDOM:
                        coverage.judged[name] += 1
                        coverage.held[name] += low <= exact and (high is None or exact <= high)
    return coverage


def main() -> None:
    """Measure and print."""
    given = [each for each in sys.argv[1:] if each != "--engine"]
    seeds = int(given[0]) if given else 200
    jobs = int(given[1]) if len(given) > 1 else 2
    for servers in range(LOW, HIGH + 1):
        print(
            f"{servers} replicas, in the long run:", {name: round(value, 4) for name, value in truth(servers).items()}
        )
    coverage = measure(range(1, seeds + 1), jobs, engine="--engine" in sys.argv)
    for name in TARGETS:
        print(f"{name}: {coverage.share(name):.1%} of {coverage.judged[name]} intervals hold the truth")
    print(f"{coverage.plans} plans: {coverage.told} gave a value, {coverage.wrong} a wrong one", end="; ")
    print(f"{coverage.replications / coverage.tried:.1f} replications a value")


if __name__ == "__main__":
    main()
