"""Counts of answers, kept as plain numbers."""

from bisect import bisect_left
from typing import Final

from akstwin.sim.engine.outcomes import Outcomes

BOUNDS: Final = (
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 75_000, 100_000, 250_000, 500_000, 750_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000, 30_000_000, 60_000_000, 300_000_000,
)  # fmt: skip
"""Upper bounds of the latency histogram's classes, µs."""

KEPT_ROWS: Final = 5_000
"""So many combinations are counted; for a new one the one that was met first goes: services come and go under ever new names."""

_Key = tuple[str, str | None, int, str | None]


class Metrics:
    """How many answers there were, by service, version, status and reason, and how long they took."""

    def __init__(self) -> None:
        self.answers: dict[_Key, list[int]] = {}

    def count(self, service: str, version: str | None, status: int, reason: str | None, latency: int) -> None:
        """One answer. A row holds the classes of the histogram, and the sum, µs."""
        key = (service, version, status, reason)
        row = self.answers.get(key)
        if row is None:
            if len(self.answers) >= KEPT_ROWS:
                del self.answers[next(iter(self.answers))]
            row = self.answers[key] = [0] * (len(BOUNDS) + 2)
        row[bisect_left(BOUNDS, latency)] += 1
        row[-1] += latency

    def attempts(self, service: str, outcomes: Outcomes) -> None:
        """Answers to simulated traffic, which no client waits for."""
        for each in outcomes.rows():
            if not each.live:
                self.count(service, each.version, each.status, each.reason, each.answered - each.arrived)

    def clear(self) -> None:
        """As new."""
        self.answers.clear()
