"""One control plane and one runner: a policy decides the same at the same times, however a scenario is run."""

import asyncio
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from akstwin import Workspace
from akstwin.clock import MINUTE
from akstwin.domain.observation import Observation
from akstwin.fake_api.server import FakeServer, Settings
from akstwin.scenarios.load import prepare
from akstwin.scenarios.run import run
from akstwin.sim.engine.outcomes import Outcomes

SCENARIO: dict[str, Any] = {
    "seed": 11,
    "duration": "10m",
    "cluster": {"purpose": "DevTest", "nodes": 4},
    "endpoint": {
        "name": "fraud",
        "versions": [
            {
                "name": "blue",
                "deploy": {"is_default": True, "autoscale_max_replicas": 8},
                "model": {"service_time": {"distribution": "lognormal", "mean": "80ms", "cv": 0.6}},
            },
            {
                "name": "green",
                "deploy": {"traffic_percentile": 5, "num_replicas": 2},
                "model": {"service_time": {"distribution": "exponential", "mean": "90ms"}},
            },
        ],
    },
    "traffic": [{"shape": "poisson", "rate": 20}],
    "clients": {"retry": {"statuses": [503], "attempts": 3, "backoff": "1s"}},
    "faults": [{"kind": "slow_replica", "version": "green", "at": "4m", "lasts": "2m", "factor": 4, "count": 2}],
    "operations": [{"kind": "update", "version": "blue", "at": "2m", "deploy": {"memory_gb": 1}}],
    "policies": [{"kind": "canary", "version": "green", "steps": [10], "hold": "1m", "max_error_rate": 0.5}],
}
LIMIT_MS = 450.0


class ByLatency:
    """Gives green 10 per cent more while its p99 is under a limit, and 5 per cent when it is over."""

    interval = MINUTE

    def __init__(self) -> None:
        self.share = 5.0
        self.seen: list[Observation] = []

    def step(self, endpoint: Any, observation: Observation) -> str | None:
        """Look at p99, replicas, usage: at whatever a world might not tell."""
        self.seen.append(observation)
        green = observation.versions.get("green")
        if green is None or "p99" not in green.latency_ms:
            return None
        wanted = self.share + 10 if green.latency_ms["p99"] < LIMIT_MS and green.ready == 2 else 5.0
        if wanted == self.share:
            return None
        self.share = wanted
        endpoint.update_version("green", traffic_percentile=wanted)
        return f"{wanted:g} per cent, p99 {green.latency_ms['p99']:.3f}, utilisation {green.utilisation:.6f}"


@pytest.fixture
def policies(monkeypatch: pytest.MonkeyPatch) -> list[ByLatency]:
    """The policies that scenarios run instead of their own, as they begin."""
    begun: list[ByLatency] = []

    def policy_of(_: object) -> ByLatency:
        begun.append(ByLatency())
        return begun[-1]

    monkeypatch.setattr("akstwin.scenarios.opening.policy_of", policy_of)
    return begun


class Decisions:
    """Keeps what a policy did, and when."""

    def __init__(self) -> None:
        self.all: list[tuple[int, str]] = []

    def answered(self, outcomes: Outcomes) -> None:
        """Nothing."""

    def happened(self, at: int, kind: str, subject: str, detail: str = "") -> None:
        """Keep a decision."""
        if kind == "policy":
            assert subject == "ByLatency"
            self.all.append((at, detail))


def of_run() -> list[tuple[int, str]]:
    """The decisions under `akstwin run`."""
    heard = Decisions()
    run(prepare(SCENARIO, Path("policy.yaml")), recorder=lambda _: heard)
    return heard.all


def of_workspace() -> list[tuple[int, str]]:
    """The decisions in a simulated workspace."""
    ws = Workspace.simulated(scenario=SCENARIO)
    ws.simulation.advance("10m")
    return [(round(at * 1e6), detail) for at, _, _, detail in ws.simulation.history(kind="policy")]


def of_server(folder: Path) -> list[tuple[int, str]]:
    """The decisions of a server on the jump clock, which somebody lets go on."""

    async def main() -> list[tuple[int, str]]:
        server = FakeServer(Settings(port=0, tls_port=0, folder=folder, clock="jump", scenario=SCENARIO))
        await server.start()
        try:
            await server.ready()
            async with httpx.AsyncClient(base_url=server.first.http, timeout=600) as client:
                for _ in range(10):
                    await client.post("/_akstwin/clock", json={"advance": "1m"})
            events = server.first.workspace.backend.driver.events
            return [(at, detail) for at, kind, _, detail in events if kind == "policy"]
        finally:
            await server.close()

    return asyncio.run(main())


def test_a_policy_on_p99_decides_the_same_in_every_world(policies: list[ByLatency], tmp_path: Path) -> None:
    """With retries, an autoscaler, a slow replica and an update: same decisions, same instants, same observations."""
    decided = of_run()

    assert len(decided) >= 4
    assert len({detail.split(",")[0] for _, detail in decided}) >= 3, "it goes up and down"
    assert of_workspace() == decided
    assert of_server(tmp_path) == decided
    in_run, in_workspace, on_server = (policy.seen[:10] for policy in policies)
    assert in_run == in_workspace == on_server


def test_the_observation_has_what_policies_need(policies: list[ByLatency]) -> None:
    """Counts since the start and in the window, first attempts and retries apart, refusals apart, latencies that add up."""
    of_run()
    seen = policies[0].seen

    for before, after in pairwise(seen[1:]):
        for name, version in after.versions.items():
            earlier = before.versions[name]
            assert version.total.first.requests == earlier.total.first.requests + version.window.first.requests
            assert version.total.retries.requests == earlier.total.retries.requests + version.window.retries.requests
            merged = earlier.total.histogram()
            merged.merge(version.window.histogram())
            assert merged.rows() == version.total.latency
            assert version.answers[200] == version.window.histogram().count
            assert version.requests == version.window.first.requests + version.window.retries.requests
            assert version.ready + version.starting >= 1
    last = seen[-1].versions["blue"].total
    assert last.retries.requests > 0
    assert last.first.refused.get("queue_deadline", 0) > 0
    assert last.first.failures == last.first.judged - last.first.answers[200]
    assert [observation.at for observation in seen[:3]] == [0, MINUTE, 2 * MINUTE]
    assert all(observation.missing is None and observation.age == 0 for observation in seen)
