"""What one replication measures: counted as it happens, in memory that does not grow with the requests."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property

from akstwin.clock import SECOND
from akstwin.domain.histogram import Histogram
from akstwin.domain.reasons import Reason
from akstwin.sim.engine.outcomes import ABSENT, REASONS, Outcomes

TIMELINE_POINTS = 120
EVENTS_KEPT = 400
_ROUTINE = frozenset(
    {"pod_created", "pod_scheduled", "pod_ready", "pod_gone", "container_started", "container_exited", "scaled",
     "liveness_failed", "pod_not_ready", "init_failed", "pod_unschedulable", "pod_evicted"}
)  # fmt: skip
"""Events that can be many: counted, not kept."""


class StepFunction:
    """A number that changes in steps: its integral and extremes over a window.

    Args:
        window: from its first up to its second instant, µs.
    """

    __slots__ = ("_since", "_value", "_window", "area", "largest", "smallest", "total")

    def __init__(self, window: tuple[int, int]) -> None:
        self._window = window
        self._value = 0
        self._since = 0
        self.area = 0
        self.total = 0
        """Integral since the beginning, whatever the window."""
        self.smallest: int | None = None
        self.largest = 0

    def set(self, value: int, at: int) -> None:
        """It is `value` from `at` on."""
        self.advance(at)
        self._value = value

    def advance(self, at: int) -> None:
        """It has stayed the same until `at`."""
        self.total += self._value * (at - self._since)
        overlap = min(at, self._window[1]) - max(self._since, self._window[0])
        if overlap > 0:
            self.area += self._value * overlap
            self.smallest = self._value if self.smallest is None else min(self.smallest, self._value)
            self.largest = max(self.largest, self._value)
        self._since = at


@dataclass(slots=True)
class Tally:
    """Answers to the attempts that belong to the window."""

    requests: int = 0
    retries: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    latency: Histogram = field(default_factory=Histogram)
    queue_wait: Histogram = field(default_factory=Histogram)

    def count(self, status: int, reason: Reason | None, attempt: int, count: int) -> None:
        """Count `count` answers of one kind; how long they took is counted apart."""
        self.requests += count
        if attempt:
            self.retries += count
        self.statuses[status] += count
        if reason is not None:
            self.reasons[reason] += count

    def merge(self, other: "Tally") -> None:
        """Count all that `other` has counted."""
        self.requests += other.requests
        self.retries += other.retries
        self.statuses.update(other.statuses)
        self.reasons.update(other.reasons)
        self.latency.merge(other.latency)
        self.queue_wait.merge(other.queue_wait)


@dataclass(slots=True)
class Point:
    """One stretch of the timeline."""

    arrivals: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    latency: Histogram = field(default_factory=Histogram)
    ready_area: int = 0
    desired_area: int = 0
    queued_area: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """Something worth a mark on the timeline."""

    at: int
    kind: str
    subject: str
    detail: str


class Measurement:
    """Everything a result is made from, of one replication.

    Args:
        warm_up: not counted before, µs.
        duration: not counted from there on, µs.
        versions: names of the versions.
    """

    def __init__(self, warm_up: int, duration: int, versions: list[str]) -> None:
        self.window = (warm_up, duration)
        self.by_version = {name: Tally() for name in versions}
        self._nobodys = Tally()  # attempts that were refused before they had a version
        self.ready = {name: StepFunction(self.window) for name in versions}
        self.desired = {name: StepFunction(self.window) for name in versions}
        self.ready_in_all = StepFunction(self.window)
        self.desired_in_all = StepFunction(self.window)
        self.nodes = StepFunction(self.window)
        self.oversubscribed = StepFunction(self.window)
        self._now_ready: dict[str, int] = dict.fromkeys(versions, 0)
        self._now_desired: dict[str, int] = dict.fromkeys(versions, 0)
        self.step = timeline_step(duration)
        self.points = [Point() for _ in range(-(-duration // self.step))]
        self.events: list[Event] = []
        self.events_left_out = 0
        self.counts: Counter[str] = Counter()
        self.busy_slots: dict[str, int] = {}
        """Slot-microseconds taken within the window, by version; filled in at its end."""
        self.operations: list[dict[str, object]] = []
        self.state = ""
        self.shares: dict[str, float] = {}

    @cached_property
    def all(self) -> Tally:
        """All versions together; to be read when the run is over."""
        together = Tally()
        for tally in (self._nobodys, *self.by_version.values()):
            together.merge(tally)
        return together

    # -- Recorder

    def answered(self, outcomes: Outcomes) -> None:
        """Count answers."""
        self._count_by_arrival(outcomes)
        self._count_by_version(outcomes)

    def _count_by_arrival(self, outcomes: Outcomes) -> None:
        step, end, points = self.step, self.window[1], self.points
        latencies: dict[int, list[int]] = {}
        for arrived, answered, status in zip(outcomes.arrived, outcomes.answered, outcomes.status, strict=True):
            if arrived < end:
                number = arrived // step
                point = points[number]
                point.arrivals += 1
                point.statuses[status] += 1
                if status == 200:
                    if number in latencies:
                        latencies[number].append(answered - arrived)
                    else:
                        latencies[number] = [answered - arrived]
        for number, values in latencies.items():
            points[number].latency.add_all(values)

    def _count_by_version(self, outcomes: Outcomes) -> None:
        tallies = [self._nobodys if name is None else self.by_version[name] for name in outcomes.versions]
        kinds = Counter(
            zip(outcomes.version, outcomes.status, outcomes.reason, outcomes.attempt, outcomes.counted, strict=True)
        )
        for (version, status, reason, attempt, counted), count in kinds.items():
            if counted:
                tallies[version].count(status, REASONS[reason], attempt, count)
        latencies: list[list[int]] = [[] for _ in tallies]
        waits: list[list[int]] = [[] for _ in tallies]
        for version, status, arrived, dispatched, answered, counted in zip(
            outcomes.version, outcomes.status, outcomes.arrived, outcomes.dispatched, outcomes.answered, outcomes.counted,
            strict=True,
        ):  # fmt: skip
            if counted:
                if status == 200:
                    latencies[version].append(answered - arrived)
                if dispatched != ABSENT:
                    waits[version].append(dispatched - arrived)
        for tally, answered_in, waited in zip(tallies, latencies, waits, strict=True):
            tally.latency.add_all(answered_in)
            tally.queue_wait.add_all(waited)

    def happened(self, at: int, kind: str, subject: str, detail: str = "") -> None:
        """Keep what is rare, count the rest."""
        if at >= self.window[1]:
            return
        self.counts[kind] += 1
        if kind in _ROUTINE:
            return
        if len(self.events) < EVENTS_KEPT:
            self.events.append(Event(at, kind, subject, detail))
        else:
            self.events_left_out += 1

    # -- CapacityObserver

    def replicas_changed(self, version: str, ready: int, desired: int, at: int) -> None:
        """Another number of replicas."""
        self.ready[version].set(ready, at)
        self.desired[version].set(desired, at)
        self._now_ready[version] = ready
        self._now_desired[version] = desired
        self.ready_in_all.set(sum(self._now_ready.values()), at)
        self.desired_in_all.set(sum(self._now_desired.values()), at)

    # -- the timeline

    def sample(self, at: int, ready: int, desired: int, queued: int) -> None:
        """What has been summed over the stretch that ends at `at`.

        Args:
            at: the stretch's end, µs.
            ready: replica-microseconds within it.
            desired: likewise, of replicas asked for.
            queued: request-microseconds within it.
        """
        point = self.points[(at - 1) // self.step]
        point.ready_area += ready
        point.desired_area += desired
        point.queued_area += queued

    def _point(self, at: int) -> Point | None:
        number = at // self.step
        return self.points[number] if at < self.window[1] and number < len(self.points) else None


def timeline_step(duration: int) -> int:
    """Length of one stretch of the timeline: whole seconds where the duration allows."""
    step = -(-duration // TIMELINE_POINTS)
    return -(-step // SECOND) * SECOND if duration >= SECOND else step
