"""What a request of a user who waits costs the reference engine, beside one of Poisson arrivals.

One run, alternating rounds: single figures drift with the machine, the ratio within a round does not. Both sides send as many
requests to the same eight replicas, at the throughput that the machine-repair formula gives the users. Timed is the run loop
only, in CPU seconds.

    python benchmarks/waiting_users.py [ROUNDS] [REQUESTS A ROUND]
"""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

from akstwin.clock import Micros
from akstwin.scenarios.load import prepare
from akstwin.scenarios.measure import Measurement
from akstwin.scenarios.simulate import build

SERVERS, SERVICE = 8, 0.09
POPULATIONS = {10: 0.06, 200: 2.2, 5_000: 60.0}
"""Users, and the mean think time at which about eight in ten servers are busy, s."""


def seconds(traffic: dict[str, Any], duration: float, seed: int) -> tuple[int, float]:
    """Requests that came, and the CPU seconds that they took."""
    scenario = {
        "seed": seed,
        "duration": duration,
        "cluster": {"purpose": "DevTest", "nodes": 1, "vm_size": {"cpu_cores": 64, "memory_gb": 256}},
        "webservice": {
            "name": "queue",
            "deploy": {"num_replicas": SERVERS, "max_request_wait_time": 10**7, "initial_delay_seconds": 10**8},
            "model": {"service_time": {"distribution": "exponential", "mean": SERVICE}},
        },
        "traffic": traffic,
    }
    prepared = prepare(scenario, Path("queue.yaml"))
    measurement = Measurement(Micros(0), prepared.scenario.duration, ["queue"])
    opened = build(prepared, 1, measurement)
    began = process_time()
    opened.world.run_until(prepared.scenario.duration)
    took = process_time() - began
    opened.close()
    return measurement.all.requests, took


def formulas() -> Any:
    """The closed forms that the tests use too."""
    path = Path(__file__).parents[1] / "tests" / "theory" / "queueing.py"
    spec = spec_from_file_location("queueing", path)
    assert spec is not None  # noqa: S101
    assert spec.loader is not None  # noqa: S101
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    requests = int(sys.argv[2]) if len(sys.argv) > 2 else 30_000
    for users, think in POPULATIONS.items():
        rate = formulas().machine_repair(SERVERS, users, SERVICE, think).throughput
        closed = {"shape": "users", "users": users, "think_time": {"distribution": "exponential", "mean": think}}
        sides = {"users": closed, "poisson": {"shape": "poisson", "rate": rate}}
        ratios = []
        for number in range(rounds):
            each = {}
            for name in list(sides) if number % 2 == 0 else list(sides)[::-1]:
                count, took = seconds(sides[name], requests / rate, number + 1)
                each[name] = took / count * 1e6
            ratios.append(each["users"] / each["poisson"])
            print(
                f"{users} users, round {number + 1}: {each['users']:.1f} µs a request, Poisson {each['poisson']:.1f} µs"
            )
        print(f"{users} users: median ratio {median(ratios):.2f}")


if __name__ == "__main__":
    main()
