"""Requests a second of the reference data plane, beside an idiomatic SimPy model of the same queue.

One run, alternating rounds: single figures drift with the machine, the ratio within a round does not. The queue is M/M/8 at
80 requests a second, exponential service of 90 ms, patience 0.5 s. Timed is the run loop only. Both are held against the
queue's closed form.

    python benchmarks/reference_plane.py [ROUNDS] [REQUESTS A ROUND]
"""

import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from random import Random
from statistics import mean, median, stdev
from time import perf_counter
from types import ModuleType
from typing import Any

import simpy
from scipy.special import stdtrit

from akstwin.clock import Micros
from akstwin.scenarios.load import prepare
from akstwin.scenarios.measure import Measurement
from akstwin.scenarios.simulate import build

RATE, SERVERS, SERVICE, PATIENCE = 80.0, 8, 0.09, 0.5


@dataclass(frozen=True)
class Round:
    """One engine in one round: its speed, and what it says of the queue."""

    requests: int
    seconds: float
    abandoned: float
    mean_wait: float

    @property
    def speed(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


def reference(requests: int, seed: int) -> Round:
    """The product's reference plane."""
    scenario = {
        "seed": seed,
        "duration": requests / RATE,
        "cluster": {"purpose": "DevTest", "nodes": 1, "vm_size": {"cpu_cores": 64, "memory_gb": 256}},
        "webservice": {
            "name": "queue",
            "deploy": {
                "num_replicas": SERVERS, "max_request_wait_time": round(PATIENCE * 1000), "initial_delay_seconds": 10**8,
            },
            "model": {"service_time": {"distribution": "exponential", "mean": SERVICE}},
        },
        "traffic": {"shape": "poisson", "rate": RATE},
        "assumptions": {"router_overhead": 0},
    }  # fmt: skip
    prepared = prepare(scenario, Path("queue.yaml"))
    duration = prepared.scenario.duration
    measurement = Measurement(Micros(0), duration, ["queue"])
    world, _ = build(prepared, 1, measurement)
    began = perf_counter()
    world.run_until(duration)
    seconds = perf_counter() - began
    seen = measurement.all
    return Round(seen.requests, seconds, seen.statuses.get(503, 0) / seen.requests, (seen.queue_wait.mean or 0) / 1e6)


class Bank:
    """The queue as SimPy's own examples write it: a process a request, a resource, and a race with a timeout."""

    def __init__(self, requests: int, seed: int) -> None:
        self.env = simpy.Environment()
        self.servers = simpy.Resource(self.env, SERVERS)
        self.waits: list[float] = []
        self.latencies: list[float] = []
        self.abandoned = 0
        self.requests = requests
        self.exponential = Random(seed).expovariate  # noqa: S311 - no secret hangs on it
        self.env.process(self._arrivals())

    def _arrivals(self) -> Generator[simpy.Event, Any, None]:
        for _ in range(self.requests):
            yield self.env.timeout(self.exponential(RATE))
            self.env.process(self._request())

    def _request(self) -> Generator[simpy.Event, Any, None]:
        arrived = self.env.now
        with self.servers.request() as turn:
            outcome = yield turn | self.env.timeout(PATIENCE)
            if turn not in outcome:
                self.abandoned += 1
                return
            self.waits.append(self.env.now - arrived)
            yield self.env.timeout(self.exponential(1 / SERVICE))
            self.latencies.append(self.env.now - arrived)


def idiomatic(requests: int, seed: int) -> Round:
    """SimPy's way."""
    bank = Bank(requests, seed)
    began = perf_counter()
    bank.env.run()
    return Round(requests, perf_counter() - began, bank.abandoned / requests, mean(bank.waits))


def theory() -> Any:
    """The closed form that the tests use too."""
    path = Path(__file__).parents[1] / "tests" / "theory" / "queueing.py"
    spec = spec_from_file_location("queueing", path)
    assert spec is not None  # noqa: S101
    assert spec.loader is not None  # noqa: S101
    module: ModuleType = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.patience(SERVERS, RATE, SERVICE, PATIENCE)


def agreement(values: list[float], expected: float) -> str:
    """Mean and Student interval at 99.9 per cent beside what is expected."""
    half = float(stdtrit(len(values) - 1, 0.9995)) * stdev(values) / len(values) ** 0.5
    verdict = "agrees" if abs(mean(values) - expected) <= half else "DISAGREES"
    if half > expected / 2:
        verdict = "too few requests to tell (the tests of theory do)"
    return f"{mean(values):.6f} ± {half:.6f}, closed form {expected:.6f}: {verdict}"


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    requests = int(sys.argv[2]) if len(sys.argv) > 2 else 60_000
    engines: dict[str, Callable[[int, int], Round]] = {"reference": reference, "simpy": idiomatic}
    found: dict[str, list[Round]] = {name: [] for name in engines}
    ratios = []
    for number in range(rounds):
        order = list(engines) if number % 2 == 0 else list(engines)[::-1]
        for name in order:
            found[name].append(engines[name](requests, number + 1))
        ratios.append(found["reference"][-1].speed / found["simpy"][-1].speed)
        speeds = ", ".join(f"{name} {each[-1].speed:,.0f}/s" for name, each in found.items())
        print(f"round {number + 1}: {speeds}, ratio {ratios[-1]:.2f}")
    print(f"median: reference {median(each.speed for each in found['reference']):,.0f} requests/s, ", end="")
    print(f"simpy {median(each.speed for each in found['simpy']):,.0f} requests/s, ratio {median(ratios):.2f}")
    expected = theory()
    for name, each in found.items():
        print(f"{name}: left the queue {agreement([one.abandoned for one in each], expected.abandoned)}")
        print(f"{name}: mean wait, s {agreement([one.mean_wait for one in each], expected.mean_wait_served)}")


if __name__ == "__main__":
    main()
