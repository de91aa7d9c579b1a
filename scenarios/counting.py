"""Counts what the compiled engine hands over, in its extension; afterwards a measurement holds it as if it had counted itself."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from akstwin.domain.histogram import Histogram
from akstwin.sim.engine.outcomes import REASONS
from akstwin.sim.engine.records import RecordedOutcomes
from akstwin.speedups.native import load_kernel

if TYPE_CHECKING:
    from akstwin.scenarios.measure import Measurement


class CompiledCounts:
    """The answers of one replication.

    Args:
        measurement: gets what was counted, by `settle`.
    """

    def __init__(self, measurement: "Measurement") -> None:
        extension = load_kernel()
        assert extension is not None  # noqa: S101 - it has made what is to be counted
        self._counter: Any = extension.Counter(measurement.step, measurement.window[1], len(measurement.points))
        self._measurement = measurement
        self._versions: list[str | None] = []

    def add(self, outcomes: RecordedOutcomes) -> None:
        """Count a batch."""
        self._versions = list(outcomes.versions)
        for status, reason, answered, replica in self._counter.add(outcomes.table, len(self._versions)):
            self._measurement.troubles.answered(status, REASONS[reason], answered, replica)

    def settle(self) -> None:
        """Hand over what was counted."""
        measurement = self._measurement
        for point, (arrivals, statuses, latency) in zip(measurement.points, self._counter.timeline(), strict=True):
            point.arrivals, point.statuses, point.latency = arrivals, Counter(statuses), Histogram.of_columns(*latency)
        for name, (answers, latency, waited) in zip(self._versions, self._counter.versions(), strict=True):
            tally = measurement.nobodys if name is None else measurement.by_version[name]
            for status, reason, first, count in answers:
                tally.count(status, REASONS[reason], 0 if first else 1, count)
            tally.latency, tally.queue_wait = Histogram.of_columns(*latency), Histogram.of_columns(*waited)
