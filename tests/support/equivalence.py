"""Random scenarios with everything in them, played on both engines and compared to the last microsecond.

`python -m tests.support.equivalence --count 20000` plays many; a seed that differs is printed with the command that replays it.
"""

import argparse
import json
import random  # noqa: TID251 - chooses scenarios
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from akstwin.clock import Micros
from akstwin.scenarios.load import Prepared, prepare
from akstwin.scenarios.result import result_of
from akstwin.scenarios.simulate import build, measurement_of
from akstwin.sim.engine.choice import EngineName
from akstwin.sim.engine.outcomes import Outcomes

GRID = 50
"""Milliseconds of the coarse grid on which half of all scenarios have all their times, so that everything ties."""


class Maker:
    """Makes one scenario.

    Args:
        seed: of it.
        folder: for the files that it reads.
    """

    def __init__(self, seed: int, folder: Path) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - no secret
        self.grid = self.chance.random() < 0.5
        self._folder = folder
        self._files = 0
        self.fixed: set[str] = set()

    def document(self) -> dict[str, Any]:
        """The scenario, as plain data."""
        chance = self.chance
        self.duration = chance.choice([4, 10, 30])
        self.versions = ["blue", "green", "grey"][: chance.choice([1, 1, 2, 3])]
        replicas = chance.choice([1, 2, 3, 5])
        made: dict[str, Any] = {
            "seed": chance.randrange(10**6),
            "duration": f"{self.duration}s",
            "warm_up": f"{chance.choice([0, 0, 1])}s",
            "start": chance.choice(["healthy"] * 5 + ["cold"]),
            "cluster": {
                "purpose": "DevTest", "nodes": chance.choice([1, 2, 3]), "vm_size": {"cpu_cores": 64, "memory_gb": 256},
            },
            "endpoint": {"name": "svc", "versions": [self.version(name, replicas) for name in self.versions]},
            "traffic": [self.traffic(replicas) for _ in range(chance.choice([1, 1, 2, 3]))],
            "assumptions": self.assumptions(),
            "faults": [self.fault() for _ in range(chance.choice([0, 0, 1, 2, 4]))],
            "operations": [self.operation() for _ in range(chance.choice([0, 0, 0, 1, 2]))],
        }  # fmt: skip
        if chance.random() < 0.5:
            made["clients"] = {"retry": self.retry()}
        return made

    def instant(self) -> str:
        """Some time of the run."""
        if self.grid:
            return f"{self.chance.randrange(self.duration * 1000 // GRID) * GRID}ms"
        return f"{self.chance.randrange(self.duration * 1000)}ms"

    def span(self, most: int) -> str:
        """A duration of up to `most` ms, more than nothing."""
        return f"{self.chance.randrange(1, most // GRID + 1) * GRID if self.grid else self.chance.randrange(1, most)}ms"

    def times(self, mean: int) -> Any:
        """A distribution of that mean, ms."""
        chance = self.chance
        if self.grid:
            return self._file([max(1, round(chance.expovariate(GRID / mean))) * GRID for _ in range(20)])
        kind = chance.choice(["constant", "exponential", "lognormal", "gamma", "uniform"])
        given: dict[str, Any] = {"distribution": kind, "mean": f"{mean}ms"}
        if kind not in ("constant", "exponential"):
            given["cv"] = 0.5
        return given

    def _file(self, values: list[int]) -> dict[str, Any]:
        return {"distribution": "empirical", "file": self._written(values), "unit": "ms"}

    def _written(self, values: list[int], heading: str = "time") -> str:
        self._files += 1
        name = f"values{self._files}.csv"
        (self._folder / name).write_text(f"{heading}\n" + "".join(f"{value}\n" for value in values), encoding="utf-8")
        return name

    def version(self, name: str, replicas: int) -> dict[str, Any]:
        """One version of the endpoint."""
        chance = self.chance
        deploy: dict[str, Any] = {
            "replica_max_concurrent_requests": chance.choice([1, 1, 2, 5]),
            "max_request_wait_time": chance.choice([1, GRID, 500, 2000]),
            "scoring_timeout_ms": chance.choice([2 * GRID, 500, 1000, 60000]),
            "period_seconds": chance.choice([1, 2, 10]),
            "initial_delay_seconds": chance.choice([1, 1, 2, 310]),
            "timeout_seconds": chance.choice([1, 2]),
            "failure_threshold": chance.choice([1, 3]),
        }
        if chance.random() < 0.4:
            deploy |= {"autoscale_enabled": True, "autoscale_min_replicas": 1, "autoscale_max_replicas": replicas + 3}
        else:
            deploy["num_replicas"] = replicas
            self.fixed.add(name)
        if chance.random() < 0.3:
            deploy["cpu_cores"] = deploy["cpu_cores_limit"] = 0.4
        if name == "blue":
            deploy["is_default"] = True
        else:
            deploy["traffic_percentile"] = chance.choice([0, 10, 33.3, 50])
        model: dict[str, Any] = {
            "service_time": self.times(chance.choice([GRID, 100, 300])),
            "init_time": self.times(chance.choice([200, 1000, 3000])),
            "workers": chance.choice([1, 1, 2, 3]),
            "failure_rate": chance.choice([0, 0, 0.1]),
        }
        if chance.random() < 0.4:
            model["cpu"] = chance.choice([0.5, 1, 0.7])
        if chance.random() < 0.15:
            model["memory"] = {"base": "200MB", "per_request": chance.choice(["100MB", "300MB"])}
        return {"name": name, "deploy": deploy, "model": model}

    def traffic(self, replicas: int) -> dict[str, Any]:
        """One entry."""
        chance = self.chance
        rate = chance.choice([2, 8, 8, 20]) * replicas
        kind = chance.choice(
            ["trace", "constant", "users"] if self.grid else ["poisson", "poisson", "steps", "users", "constant"]
        )
        match kind:
            case "trace":
                count = min(400, rate * self.duration)
                instants = sorted(chance.randrange(self.duration * 1000 // GRID + 1) * GRID for _ in range(count))
                return {"shape": "trace", "file": self._written(instants, "at"), "unit": "ms", "repeats": "keep"}
            case "constant":
                return {"shape": "constant", "rate": chance.choice([2, 5, 10, 20])}
            case "steps":
                return {
                    "shape": "steps",
                    "rate": [rate, 0, 3 * rate],
                    "at": ["0s", f"{self.duration // 2}s", f"{self.duration // 2 + 1}s"],
                }
            case "users":
                users: dict[str, Any] = {
                    "shape": "users",
                    "users": chance.choice([1, 7, 40]),
                    "think_time": self.times(500),
                }
                if chance.random() < 0.4:
                    users["spawn_rate"] = chance.choice([1, 5, 20])
                if chance.random() < 0.4:
                    users["clients"] = {"retry": self.retry()}
                return users
            case _:
                return {"shape": "poisson", "rate": rate}

    def retry(self) -> Any:
        """What clients do with a refusal."""
        custom = {
            "statuses": [502, 503, 504], "attempts": 4, "backoff": self.span(500), "factor": self.chance.choice([0, 1, 2]),
        }  # fmt: skip
        return self.chance.choice(["azureml-core", "none", "urllib3", custom, custom])

    def assumptions(self) -> dict[str, Any]:
        """What is assumed."""
        chance = self.chance
        made: dict[str, Any] = {
            "router_overhead": chance.choice([0, "3ms", f"{GRID}ms"]),
            "router_lag": chance.choice([0, "1s", f"{GRID}ms"]),
            "slot_released_on_timeout": chance.choice(["at_once", "when_done"]),
            "when_no_replica_ready": chance.choice(["refuse", "queue"]),
            "max_queue_length": chance.choice([None, None, 1, 5]),
            "run_failure_status": chance.choice([500, 502]),
            "readiness": chance.choice(["immediate", "probe"]),
            "readiness_period": chance.choice(["1s", "2s"]),
            "readiness_timeout": "1s",
            "readiness_failures": chance.choice([1, 2]),
            "worker_timeout": chance.choice(["300s", "300s", "200ms", "1s"]),
            "termination_grace": chance.choice([0, f"{GRID}ms", "1s", "30s"]),
            "restart_backoff": "1s",
            "image_pull": "1s",
            "image_build": "1s",
            "autoscale_down_window": "2s",
            "node_failure_detected": "1s",
            "node_eviction": chance.choice(["1s", "2s"]),
            "max_surge": 1,
        }
        return made

    def fault(self) -> dict[str, Any]:
        """Something breaks."""
        chance = self.chance
        kind = chance.choice(
            [
                "node_loss",
                "replica_kill",
                "replica_hang",
                "slow_replica",
                "init_failure",
                "crash_on_request",
                "replica_hang",
            ]
        )
        made: dict[str, Any] = {"kind": kind, "at": self.instant()}
        if kind not in ("replica_kill", "crash_on_request") and chance.random() < 0.8:
            made["lasts"] = self.span(3000)
        if kind == "node_loss":
            made["node"] = 1
            return made
        made["version"] = chance.choice(self.versions)
        if kind in ("replica_kill", "replica_hang", "slow_replica"):
            made["count"] = chance.choice([1, 1, 2, 10])
        if kind == "slow_replica":
            made["factor"] = chance.choice([0.5, 1.5, 2.5, 3.3])
        if kind == "crash_on_request":
            made |= {
                "request": chance.choice([1, 3, 20]),
                "every": chance.random() < 0.5,
                "times": chance.choice([0, 2]),
            }
        return made

    def operation(self) -> dict[str, Any]:
        """Something is changed."""
        chance = self.chance
        made: dict[str, Any] = {"kind": "update", "at": self.instant(), "version": chance.choice(self.versions)}
        what = chance.choice(["settings", "template", "model", "replicas"])
        if what == "settings":
            made["deploy"] = {
                "max_request_wait_time": chance.choice([1, 100, 3000]),
                "scoring_timeout_ms": chance.choice([100, 700]),
                "replica_max_concurrent_requests": chance.choice([1, 3]),
            }
        elif what == "template":
            made["deploy"] = {"cpu_cores": 0.2, "cpu_cores_limit": 0.2}
        elif what == "replicas" and made["version"] in self.fixed:
            made["deploy"] = {"num_replicas": chance.choice([1, 2, 6])}
        else:
            made["model"] = {"service_time": self.times(100), "init_time": self.times(500)}
        return made


@dataclass
class Story:
    """All that can be seen of one run, in its order."""

    rows: list[Any] = field(default_factory=list)
    result: dict[str, Any] = field(default_factory=dict)

    def answered(self, outcomes: Outcomes) -> None:
        """Keep answers."""
        self.rows.extend(outcomes.rows())

    def happened(self, at: int, kind: str, subject: str, detail: str = "") -> None:
        """Keep an event."""
        self.rows.append((at, kind, subject, detail))


def play(prepared: Prepared, engine: EngineName, seed: int) -> Story:
    """Play a scenario in random steps, and look at usage between them.

    Args:
        prepared: the scenario.
        engine: carries the requests.
        seed: of the steps.
    """
    story, measurement = Story(), measurement_of(prepared)
    opened = build(prepared, 1, measurement, story, engine)
    world, service = opened.world, opened.service
    chance = random.Random(seed)  # noqa: S311 - no secret
    now, looks = 0, []
    while now < prepared.scenario.duration:
        step = chance.choice([1, 1000, 50_000, 1_000_000, 3_000_000])
        now = min(prepared.scenario.duration, now + chance.randrange(1, step + 1))
        world.run_until(Micros(now))
        looks.append((now, service.plane.population, service.plane.population_area()))
        for name in service.controller.deployments:
            looks.append(service.plane.usage(name))
            looks.extend(service.plane.in_flight(name, pod.number) for pod in service.controller.pods_of(name))
    world.run_to_the_last_answer()
    looks.append((world.calendar.now, [(load.sent, load.retries) for load in service.sources]))
    measurement.add_up()
    story.result = result_of(prepared, [measurement], "", 0.0)
    story.rows.append(looks)
    opened.close()
    return story


def difference(seed: int, folder: Path) -> str:
    """What two engines do differently with a seed's scenario; nothing: nothing."""
    prepared = prepare(Maker(seed, folder).document(), folder / "scenario.yaml")
    reference = play(prepared, "reference", seed)
    compiled = play(prepared, "compiled", seed)
    for place, (expected, found) in enumerate(zip(reference.rows, compiled.rows, strict=False)):
        if expected != found:
            if isinstance(expected, list):
                pairs = [(e, f) for e, f in zip(expected, found, strict=False) if e != f]
                return f"looks differ: {pairs[:3]}"
            return f"row {place}: expected {expected}, found {found}"
    if len(reference.rows) != len(compiled.rows):
        return f"{len(reference.rows)} rows expected, {len(compiled.rows)} found"
    if json.dumps(reference.result) != json.dumps(compiled.result):
        keys = [name for name, value in reference.result.items() if value != compiled.result[name]]
        return f"results differ: {keys}"
    return ""


def main() -> int:
    """Play many scenarios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    differing = 0
    for seed in range(given.first, given.first + given.count):
        with tempfile.TemporaryDirectory() as folder:
            found = difference(seed, Path(folder))
        if found:
            differing += 1
            replay = f"python -m tests.support.equivalence --first {seed} --count 1"
            sys.stdout.write(f"seed {seed}: {found}\n  replay: {replay}\n")
    sys.stdout.write(f"{given.count} scenarios, {differing} differ\n")
    return differing > 0


if __name__ == "__main__":
    sys.exit(main())
