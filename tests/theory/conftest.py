"""Queues as scenarios: each runs through the product's public way, and what it heard is kept by replication."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from akstwin.scenarios.load import prepare
from akstwin.scenarios.run import run
from akstwin.sim.engine.outcomes import Outcomes

REPLICATIONS = 40
NEVER = 100_000_000
"""Seconds before the first liveness probe: there is none."""


@dataclass
class Heard:
    """One replication: what became of the requests that count, and of all.

    Attributes:
        waits: of the dispatched that count, s.
        statuses: of those that count, by status.
        waited: how many that count did not start at once.
        first: how many that count are first attempts.
        served: run times of those that count, s.
        spans: of all requests, counted or not: arrived, left the queue, gave their slot back; µs.
    """

    waits: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    waited: int = 0
    first: int = 0
    served: list[float] = field(default_factory=list)
    spans: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def requests(self) -> int:
        """How many count."""
        return sum(self.statuses.values())

    def share(self, status: int) -> float:
        """Share of those that count with that answer."""
        return self.statuses.get(status, 0) / self.requests

    @property
    def waiting_share(self) -> float:
        """Share of those that count which did not start at once."""
        return self.waited / self.requests

    @property
    def mean_wait(self) -> float:
        """Mean wait of those that were dispatched, s."""
        return sum(self.waits) / len(self.waits)

    def longer_than(self, time: float) -> float:
        """Share of those that were dispatched which had waited longer than `time`, s."""
        return sum(wait > time for wait in self.waits) / len(self.waits)

    def answered(self, outcomes: Outcomes) -> None:
        """Keep the answers."""
        for each in outcomes.rows():
            left = each.answered if each.dispatched is None else each.dispatched
            self.spans.append((each.arrived, left, each.answered))
            if not each.counted:
                continue
            self.statuses[each.status] = self.statuses.get(each.status, 0) + 1
            self.waited += each.dispatched is None or each.dispatched > each.arrived
            if each.dispatched is not None:
                self.waits.append((each.dispatched - each.arrived) / 1e6)
            if each.started is not None and each.status == 200:
                self.served.append((each.answered - each.started) / 1e6)
            self.first += each.attempt == 0

    def happened(self, at: int, kind: str, subject: str, detail: str = "") -> None:
        """Only requests are looked at."""


@dataclass
class Sampled:
    """A queue that has run: its result, and each replication."""

    result: dict[str, Any]
    heard: list[Heard]
    slots: int
    """Of all replicas together."""
    offered: tuple[float | None, float]
    """Expected of each replication: first attempts that count (None: they depend on the answers), mean run time in s."""

    def assert_agrees(
        self, figure: Callable[[Heard], float], theory: float, *, within: float, tolerance: float = 0.0
    ) -> None:
        """A figure of every replication agrees with theory (`queueing.assert_agrees`).

        Chance is controlled for the number of first attempts and the mean run time, whose expectations are known.
        """
        first, mean = self.offered
        controls = [
            (0.0 if first is None else heard.first / first - 1, sum(heard.served) / len(heard.served) / mean - 1)
            for heard in self.heard
        ]
        values = [figure(heard) for heard in self.heard]
        _formulas().assert_agrees(values, theory, controls, within=within, tolerance=tolerance)

    def assert_little(self) -> None:
        """L = λW on this very run, for the queue and for the slots: two books kept apart that must agree.

        The timeline's queue length and the utilisation are integrals over time; the other side sums what single requests met.
        """
        end = self.result["duration_seconds"] * 1e6
        start = self.result["warm_up_seconds"] * 1e6
        points = self.result["timeline"]
        ends = [*(point["at"] for point in points[1:]), end / 1e6]
        queued = sum(point["queued"] * (to - point["at"]) for point, to in zip(points, ends, strict=True))
        waits = sum(
            max(0, min(left, end) - min(arrived, end)) for heard in self.heard for arrived, left, _ in heard.spans
        )
        assert queued == pytest.approx(waits / 1e6 / len(self.heard), abs=1e-4 * end / 1e6)

        (version,) = self.result["versions"].values()
        held = sum(
            max(0, min(back, end) - max(left, start)) for heard in self.heard for _, left, back in heard.spans
        )  # fmt: skip
        busy = version["utilisation"] * self.slots
        assert busy == pytest.approx(held / (end - start) / len(self.heard), abs=1e-6 * self.slots)


Simulate = Callable[..., Sampled]


@pytest.fixture(scope="session")
def queueing() -> ModuleType:
    """The closed forms."""
    return _formulas()


@cache
def _formulas() -> ModuleType:
    # Tests are no package: a module beside them is loaded by its path.
    spec = spec_from_file_location("queueing", Path(__file__).with_name("queueing.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def simulate() -> Simulate:
    """Runs a queue."""
    return _simulate


def _simulate(
    *,
    replicas: int,
    rate: float,
    service: dict[str, Any],
    patience_ms: int,
    seed: int,
    requests: int,
    warm_up: float,
    slots: int = 1,
    clients: dict[str, Any] | None = None,
    assumptions: dict[str, Any] | None = None,
    users: dict[str, Any] | None = None,
) -> Sampled:
    """Run a queue.

    Args:
        replicas: of `slots` slots, with as many workers.
        rate: of first attempts, per second.
        service: the distribution of service times.
        patience_ms: longest wait.
        seed: of the run.
        requests: first attempts that count, all replications together.
        warm_up: seconds.
        slots: of each replica.
        clients: what they do with a refusal.
        assumptions: beside no router overhead.
        users: how many and how they think, instead of independent arrivals; `rate` only says how long the run is then.
    """
    document = {
        "seed": seed,
        "replications": REPLICATIONS,
        "warm_up": warm_up,
        "duration": warm_up + requests / rate / REPLICATIONS,
        "cluster": {"purpose": "DevTest", "nodes": 1, "vm_size": {"cpu_cores": 1000, "memory_gb": 10_000}},
        "webservice": {
            "name": "queue",
            "deploy": {
                "num_replicas": replicas,
                "replica_max_concurrent_requests": slots,
                "max_request_wait_time": patience_ms,
                "scoring_timeout_ms": 300_000,
                "initial_delay_seconds": NEVER,
            },
            "model": {"service_time": service, "workers": slots},
        },
        "traffic": {"shape": "poisson", "rate": rate} if users is None else {"shape": "users", **users},
        "clients": clients or {},
        "assumptions": {"router_overhead": 0, "worker_timeout": "100h", **(assumptions or {})},
    }
    heard: list[Heard] = []

    def recorder(_replication: int) -> Heard:
        heard.append(Heard())
        return heard[-1]

    prepared = prepare(document, Path("queue.yaml"))
    result = run(prepared, recorder=recorder)
    mean = next(iter(prepared.models.values())).service_time.mean
    return Sampled(result, heard, replicas * slots, (requests / REPLICATIONS if users is None else None, mean / 1e6))
