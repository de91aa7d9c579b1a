"""Two services on one cluster: each is the queue that it would be alone, by its own formula."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from akstwin.scenarios.load import prepare
from akstwin.scenarios.run import run

pytestmark = pytest.mark.slow

MEAN = 0.1
QUEUES = {"small": (2, 12.0), "large": (4, 30.0)}
"""Servers and requests per second of each, at 60 and 75 per cent."""
REPLICATIONS = 40
WARM_UP, SECONDS = 20, 75


def _service(name: str, servers: int, rate: float) -> dict[str, Any]:
    return {
        "name": name,
        "deploy": {"num_replicas": servers, "max_request_wait_time": 10**9, "initial_delay_seconds": 10**8},
        "model": {"service_time": {"distribution": "exponential", "mean": f"{1000 * MEAN:g}ms"}},
        "traffic": {"shape": "poisson", "rate": rate},
    }


class _ByService:
    """Hears one replication, each service apart."""

    def __init__(self, heard: Callable[[], Any]) -> None:
        self.services = {name: heard() for name in QUEUES}

    def of(self, service: str) -> Any:
        """What hears of one service."""
        return self.services[service]

    def answered(self, outcomes: Any) -> None:
        """Only services are listened to."""

    def happened(self, at: int, kind: str, subject: str, detail: str = "") -> None:
        """Only requests are looked at."""


def test_each_of_two_services_waits_as_its_own_erlang_c_says(queueing: ModuleType, simulate: Any) -> None:
    """M/M/2 and M/M/4 side by side on one node: who waits, how long, and how busy the replicas are."""
    heard_of = simulate.__globals__["Heard"]
    document = {
        "seed": 45,
        "replications": REPLICATIONS,
        "warm_up": WARM_UP,
        "duration": WARM_UP + SECONDS,
        "cluster": {"purpose": "DevTest", "nodes": 1, "vm_size": {"cpu_cores": 1000, "memory_gb": 10_000}},
        "services": [_service(name, *queue) for name, queue in QUEUES.items()],
        "assumptions": {"router_overhead": 0},
    }
    runs: list[_ByService] = []

    def recorder(_replication: int) -> _ByService:
        runs.append(_ByService(heard_of))
        return runs[-1]

    result = run(prepare(document, Path("two.yaml")), recorder=recorder)
    assert len(runs) == REPLICATIONS
    for name, (servers, rate) in QUEUES.items():
        heard = [each.services[name] for each in runs]
        controls = [
            (each.first / (rate * SECONDS) - 1, sum(each.served) / len(each.served) / MEAN - 1) for each in heard
        ]
        waits = queueing.erlang_c(servers, rate * MEAN)
        queueing.assert_agrees([each.waiting_share for each in heard], waits, controls, within=0.04)
        queueing.assert_agrees(
            [each.mean_wait for each in heard], waits / (servers / MEAN - rate), controls, within=0.15
        )
        busy = [sum(each.served) / SECONDS / servers for each in heard]
        queueing.assert_agrees(busy, rate * MEAN / servers, controls, within=0.01)
        (version,) = result["services"][name]["versions"].values()
        assert version["utilisation"] == pytest.approx(rate * MEAN / servers, rel=0.02)
        assert result["services"][name]["requests"] == pytest.approx(rate * SECONDS, rel=0.02)
