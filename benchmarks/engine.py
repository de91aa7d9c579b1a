"""Requests a CPU second of both engines, beside an idiomatic SimPy model of the same queue and a plain loop in C.

One run, all sides in every round: single figures drift with the machine, ratios within a round do not. The queue is M/M/8 at 80
requests a second, exponential service of 90 ms, patience 0.5 s, held against its closed form. Timed is CPU time of the run, draws
and counting included. "windows": one-second windows asked for from Python; "autoscaled": the autoscaler looks each second.

    python benchmarks/engine.py [ROUNDS]
"""

import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from random import Random
from shutil import which
from statistics import mean, median, stdev
from time import process_time
from types import ModuleType
from typing import Any

import simpy
from scipy.special import stdtrit

from akstwin.clock import SECOND, Micros
from akstwin.scenarios.load import prepare
from akstwin.scenarios.simulate import build, measurement_of
from akstwin.sim.engine.choice import EngineName

RATE, SERVERS, SERVICE, PATIENCE = 80.0, 8, 0.09, 0.5
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Round:
    """One side in one round: its speed, and what it says of the queue."""

    requests: int
    seconds: float
    left: float
    mean_wait: float

    @property
    def speed(self) -> float:
        """Requests a CPU second."""
        return self.requests / self.seconds


def ours(requests: int, seed: int, engine: EngineName, *, windows: bool = False, scale: int = 0) -> Round:
    """The product.

    Args:
        requests: about how many.
        seed: of the run.
        engine: which one.
        windows: whether it is asked for one second after the other.
        scale: with the autoscaler, at so many times the rate; 0: without.
    """
    deploy: dict[str, Any] = {"max_request_wait_time": round(PATIENCE * 1000), "initial_delay_seconds": 10**8}
    rate = RATE * max(1, scale)
    if scale:
        deploy |= {"autoscale_enabled": True, "autoscale_min_replicas": SERVERS * scale, "autoscale_max_replicas": 300}
    else:
        deploy["num_replicas"] = SERVERS
    scenario = {
        "seed": seed,
        "duration": requests / rate,
        "cluster": {"purpose": "DevTest", "nodes": 10, "vm_size": {"cpu_cores": 64, "memory_gb": 256}},
        "webservice": {
            "name": "queue",
            "deploy": deploy,
            "model": {"service_time": {"distribution": "exponential", "mean": SERVICE}},
        },
        "traffic": {"shape": "poisson", "rate": rate},
        "assumptions": {"router_overhead": 0},
    }
    prepared = prepare(scenario, Path("queue.yaml"))
    duration = prepared.scenario.duration
    measurement = measurement_of(prepared)
    opened = build(prepared, 1, measurement, engine=engine)
    began = process_time()
    for end in range(SECOND, duration, SECOND) if windows else ():
        opened.world.run_until(Micros(end))
    opened.world.run_until(duration)
    measurement.add_up()
    seconds = process_time() - began
    opened.close()
    seen = measurement.all
    return Round(seen.requests, seconds, seen.statuses.get(503, 0) / seen.requests, (seen.queue_wait.mean or 0) / 1e6)


class Bank:
    """The queue as SimPy's own examples write it: a process a request, a resource, and a race with a timeout."""

    def __init__(self, requests: int, seed: int) -> None:
        self.env = simpy.Environment()
        self.servers = simpy.Resource(self.env, SERVERS)
        self.waits: list[float] = []
        self.latencies: list[float] = []
        self.left = 0
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
                self.left += 1
                return
            self.waits.append(self.env.now - arrived)
            yield self.env.timeout(self.exponential(1 / SERVICE))
            self.latencies.append(self.env.now - arrived)


def idiomatic(requests: int, seed: int) -> Round:
    """SimPy's way."""
    bank = Bank(requests, seed)
    began = process_time()
    bank.env.run()
    return Round(requests, process_time() - began, bank.left / requests, mean(bank.waits))


def plain(folder: str) -> Callable[[int, int], Round]:
    """The loop in C, compiled now."""
    program = Path(folder, "plain_loop")
    command = ["cc", "-O3", "-march=native", str(HERE / "plain_loop.c"), "-o", str(program), "-lm"]
    subprocess.run(command, check=True)

    def run(requests: int, seed: int) -> Round:
        given = [str(program), *map(str, (requests, SERVERS, RATE, SERVICE, PATIENCE, seed))]
        told = subprocess.run(given, check=True, capture_output=True, text=True).stdout.split()
        return Round(requests, *map(float, told[:3]))

    return run


def theory() -> Any:
    """The closed form that the tests use too."""
    path = HERE.parent / "tests" / "theory" / "queueing.py"
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
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        sides: dict[str, tuple[int, Callable[[int, int], Round]]] = {
            "compiled": (2_000_000, lambda requests, seed: ours(requests, seed, "compiled")),
            "compiled, windows": (500_000, lambda requests, seed: ours(requests, seed, "compiled", windows=True)),
            "compiled, autoscaled at 80/s": (200_000, lambda requests, seed: ours(requests, seed, "compiled", scale=1)),
            "compiled, autoscaled at 640/s": (
                500_000,
                lambda requests, seed: ours(requests, seed, "compiled", scale=8),
            ),
            "reference": (30_000, lambda requests, seed: ours(requests, seed, "reference")),
            "simpy": (30_000, idiomatic),
        }
        if which("cc"):
            sides["plain C"] = (5_000_000, plain(folder))
        found: dict[str, list[Round]] = {name: [] for name in sides}
        for number in range(rounds):
            for name, (requests, run) in sides.items():
                found[name].append(run(requests, number + 1))
    print(
        f"Python {platform.python_version()}, SimPy {version('simpy')}, numpy {version('numpy')}, {platform.machine()}"
    )
    for name, each in found.items():
        ratio = median(one.speed / simpy_.speed for one, simpy_ in zip(each, found["simpy"], strict=True))
        print(f"{name:32}{median(one.speed for one in each):14,.0f} requests a CPU second, {ratio:8.2f} x SimPy")
    expected = theory()
    for name in [name for name in found if "autoscaled" not in name]:
        print(f"{name}: left the queue {agreement([one.left for one in found[name]], expected.abandoned)}")
        print(f"{name}: mean wait, s {agreement([one.mean_wait for one in found[name]], expected.mean_wait_served)}")


if __name__ == "__main__":
    main()
