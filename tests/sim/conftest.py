"""Plays small scenarios through the product's public way, and keeps every answer and event."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from akstwin.scenarios.load import prepare
from akstwin.scenarios.run import run
from akstwin.sim.engine.outcomes import Outcome, Outcomes

NO_PROBE = 100_000_000
"""Seconds before the first liveness probe: there is none."""


@dataclass
class Played:
    """What came of a scenario's first replication; times in whole microseconds.

    Attributes:
        result: as `akstwin run --json` gives it.
        requests: all attempts, by entry, number and attempt.
        events: all, in their order.
    """

    result: dict[str, Any] = field(default_factory=dict)
    requests: list[Outcome] = field(default_factory=list)
    events: list[tuple[int, str, str, str]] = field(default_factory=list)

    def answered(self, outcomes: Outcomes) -> None:
        """Keep the answers."""
        self.requests.extend(outcomes.rows())

    def happened(self, at: int, kind: str, subject: str, detail: str = "") -> None:
        """Keep an event."""
        self.events.append((at, kind, subject, detail))

    @property
    def outcomes(self) -> list[tuple[int, float]]:
        """Status and latency in ms of every attempt, by entry, number and attempt."""
        return [(each.status, (each.answered - each.arrived) / 1000) for each in self.requests]

    @property
    def statuses(self) -> list[int]:
        """Status of every attempt, likewise."""
        return [each.status for each in self.requests]

    def times(self, kind: str, subject: str | None = None) -> list[float]:
        """When events of that kind happened, in s."""
        return [at / 1e6 for at, of, to, _ in self.events if of == kind and subject in (None, to)]

    def details(self, kind: str) -> list[tuple[float, str]]:
        """When events of that kind happened, in s, and what they say."""
        return [(at / 1e6, detail) for at, of, _, detail in self.events if of == kind]


Play = Callable[..., Played]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Plays a scenario.

    Without anything said: one replica of 50 ms on a large node, no probes, no overhead, one minute.
    """

    def play(
        arrive: Sequence[float] | dict[str, Any] = (),
        *,
        deploy: dict[str, Any] | None = None,
        model: dict[str, Any] | None = None,
        assumptions: dict[str, Any] | None = None,
        versions: list[dict[str, Any]] | None = None,
        **document: Any,
    ) -> Played:
        """Run it.

        Args:
            arrive: instants in s, or a traffic entry.
            deploy: of the only version.
            model: of the only version.
            assumptions: beside a router overhead of nothing.
            versions: several instead of one, with names.
            document: everything else of the scenario file.
        """
        written: dict[str, Any] = {
            "duration": 60,
            "cluster": {"purpose": "DevTest", "nodes": 1, "vm_size": {"cpu_cores": 64, "memory_gb": 256}},
            "assumptions": {"router_overhead": 0, **(assumptions or {})},
            **document,
        }
        if versions is None:
            settings = {"num_replicas": 1, "initial_delay_seconds": NO_PROBE, **(deploy or {})}
            if settings["num_replicas"] is None:
                del settings["num_replicas"]
            written["webservice"] = {"name": "svc", "deploy": settings, "model": model or {}}
        else:
            for version in versions:
                version["deploy"] = {
                    "num_replicas": 1,
                    "initial_delay_seconds": NO_PROBE,
                    **version.get("deploy", {}),
                }
            written["endpoint"] = {"name": "svc", "versions": versions}
        if isinstance(arrive, dict):
            written["traffic"] = arrive
        elif arrive:
            (tmp_path / "arrive.csv").write_text("".join(f"{instant}\n" for instant in arrive), encoding="utf-8")
            written["traffic"] = {"shape": "trace", "file": "arrive.csv", "unit": "s"}
        played = Played()
        silent = Played()
        played.result = run(
            prepare(written, tmp_path / "scenario.yaml"),
            recorder=lambda replication: played if replication == 1 else silent,
        )
        played.requests.sort(key=lambda each: (each.entry, each.number, each.attempt))
        return played

    return play
