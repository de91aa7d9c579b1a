"""What one replication measures: counted as it happens, in memory that does not grow with the requests."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from akstwin.clock import SECOND
from akstwin.domain.histogram import Histogram
from akstwin.domain.reasons import Reason
from akstwin.scenarios.counting import CompiledCounts
from akstwin.sim.engine.outcomes import ABSENT, REASONS, Outcomes
from akstwin.sim.engine.records import RecordedOutcomes

TIMELINE_POINTS = 120
EVENTS_KEPT = 400
_ROUTINE = frozenset(
    {"pod_created", "pod_scheduled", "pod_ready", "pod_gone", "container_started", "container_exited", "scaled",
     "liveness_failed", "oom_killed", "pod_not_ready", "init_failed", "pod_unschedulable", "pod_evicted", "policy_look"}
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

    def add(self, other: "Point") -> None:
        """Count all that `other` has counted."""
        self.arrivals += other.arrivals
        self.statuses.update(other.statuses)
        self.latency.merge(other.latency)
        self.ready_area += other.ready_area
        self.desired_area += other.desired_area
        self.queued_area += other.queued_area


@dataclass(frozen=True, slots=True)
class Event:
    """Something worth a mark on the timeline."""

    at: int
    kind: str
    subject: str
    detail: str
    service: str | None = None
    """Whose it is, where there are several; None: the cluster's."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """A stretch of time in which requests were refused again and again.

    Attributes:
        began: when the first was, s.
        ended: when the last was, s.
        count: how many were.
    """

    began: int
    ended: int
    count: int


class Troubles:
    """What made requests fail, as far as the cluster's events say it.

    Attributes:
        waiting: pods that have found no room, now.
        most_waiting: most of them at once, and how many replicas were wanted then.
        refused_without_room: requests answered 503 while pods were waiting.
        recovering: pods whose container a probe has stopped and that are not back, now.
        harmed_by_probes: requests answered 502 or 503 while pods were recovering, and none was waiting.
        short_of_memory: pods whose container was killed for its memory and that are not back, now.
        harmed_by_memory: requests that such a kill lost, and those answered 502 or 503 while a pod was short of memory.
        killed_for: why containers were killed for their memory, by version.
        lost: requests whose replica died.
        scale_ups: instants at which the autoscaler asked for more, s.
    """

    def __init__(self) -> None:
        self.waiting: set[str] = set()
        self.most_waiting = (0, 0)
        self.refused_without_room = 0
        self.recovering: set[str] = set()
        self.harmed_by_probes = 0
        self.short_of_memory: set[str] = set()
        self.harmed_by_memory = 0
        self.killed_for: dict[str, str] = {}
        self._lost_with: Counter[int] = (
            Counter()
        )  # requests that died with a replica of which the event is still to come
        self.lost = 0
        self.scale_ups: list[int] = []
        self._refused: Counter[int] = Counter()

    def happened(self, at: int, kind: str, subject: str, detail: str, desired: int) -> None:
        """Something happened; `desired`: replicas wanted now."""
        match kind:
            case "pod_unschedulable":
                self.waiting.add(subject)
                self.most_waiting = max(self.most_waiting, (len(self.waiting), max(desired, len(self.waiting))))
            case "pod_scheduled" | "pod_gone":
                self.waiting.discard(subject)
                self.recovering.discard(subject)
                self.short_of_memory.discard(subject)
            case "liveness_failed":
                self.recovering.add(subject)
            case "oom_killed":
                version, _, replica = subject.rpartition("-")
                self.short_of_memory.add(subject)
                self.killed_for[version] = detail
                self.harmed_by_memory += self._lost_with.pop(int(replica), 0)
            case "container_exited":
                self._lost_with.pop(int(subject.rpartition("-")[2]), None)
            case "pod_ready":
                self.recovering.discard(subject)
                self.short_of_memory.discard(subject)
            case "scaled":
                before, _, after = detail.partition(" to ")
                if int(after) > int(before):
                    self.scale_ups.append(at // SECOND)
            case _:
                pass

    def answered(self, status: int, reason: Reason | None, answered: int, replica: int) -> None:
        """Count an answer that is not 200; it came before the next event."""
        if reason is Reason.REPLICA_LOST:
            self.lost += 1
        if status == 503 and self.waiting:
            self.refused_without_room += 1
        elif status in (502, 503) and self.short_of_memory:
            self.harmed_by_memory += 1
        elif reason is Reason.REPLICA_LOST:
            self._lost_with[replica] += 1
            self.harmed_by_probes += bool(self.recovering)
        elif status in (502, 503) and self.recovering:
            self.harmed_by_probes += 1
        elif status == 503:
            self._refused[answered // SECOND] += 1

    def refusals(self) -> list[Refusals]:
        """Stretches of refusals that neither missing room nor a probe explains; five seconds without one end a stretch."""
        found: list[Refusals] = []
        for second, count in sorted(self._refused.items()):
            if found and second - found[-1].ended <= 5:
                last = found.pop()
                found.append(Refusals(last.began, second + 1, last.count + count))
            else:
                found.append(Refusals(second, second + 1, count))
        return found


@dataclass(slots=True)
class UserFigures:
    """What the users of one traffic entry did in one replication.

    Attributes:
        edges: instants between which figures are kept: those of the timeline and of the window, µs.
        waiting: from each edge to the next, user-microseconds from a request to its last answer, waits between attempts included.
        requests: attempts within the window.
        answered: how many of them were answered 200.
        retries: how many of them were repeats.
    """

    edges: list[int]
    waiting: list[int] = field(default_factory=list)
    requests: int = 0
    answered: int = 0
    retries: int = 0

    def waiting_between(self, start: int, end: int) -> int:
        """User-microseconds of waiting between two of the edges."""
        return sum(self.waiting[self.edges.index(start) : self.edges.index(end)])


def of_service(measurements: "Sequence[Measurement]", name: str) -> "list[Measurement]":
    """What one of several services has for itself, by replication."""
    return [each.services[name] for each in measurements]


def label_of(service: str, version: str) -> str:
    """What a version is called among those of several services."""
    return service if version == service else f"{service}/{version}"


class Measurement:
    """Everything a result is made from, of one replication.

    Args:
        warm_up: not counted before, µs.
        duration: not counted from there on, µs.
        versions: names of the versions.
        services: of several services together, what each of them has for itself, by name.
    """

    def __init__(
        self, warm_up: int, duration: int, versions: list[str], services: "Mapping[str, Measurement] | None" = None
    ) -> None:
        self.window = (warm_up, duration)
        self.services = dict(services or {})
        self.reserved = StepFunction(self.window)
        """CPU that its pods have reserved on nodes, thousandths of a core."""
        self.cost_share = 1.0
        """Part of the cluster's cost that is the service's; filled in at the end."""
        self.by_version = {name: Tally() for name in versions}
        self.nobodys = Tally()  # attempts that were refused before they had a version
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
        self.troubles = Troubles()
        self.busy_slots: dict[str, int] = {}
        """Slot-microseconds taken within the window, by version; filled in at its end."""
        self.users: dict[int, UserFigures] = {}
        """Of traffic entries whose users wait for their answers, by the number of the entry."""
        self.operations: list[dict[str, object]] = []
        self.state = ""
        self.shares: dict[str, float] = {}
        self._compiled: CompiledCounts | None = None

    @cached_property
    def all(self) -> Tally:
        """All versions together; to be read when the run is over."""
        together = Tally()
        for tally in (self.nobodys, *self.by_version.values()):
            together.merge(tally)
        return together

    # -- Recorder

    def answered(self, outcomes: Outcomes) -> None:
        """Count answers; those of the compiled engine by its own means, until `add_up`."""
        if isinstance(outcomes, RecordedOutcomes):
            if self._compiled is None:
                self._compiled = CompiledCounts(self)
            self._compiled.add(outcomes)
            return
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
        tallies = [self.nobodys if name is None else self.by_version[name] for name in outcomes.versions]
        kinds = Counter(
            zip(outcomes.version, outcomes.status, outcomes.reason, outcomes.attempt, outcomes.counted, strict=True)
        )
        for (version, status, reason, attempt, counted), count in kinds.items():
            if counted:
                tallies[version].count(status, REASONS[reason], attempt, count)
        latencies: list[list[int]] = [[] for _ in tallies]
        waits: list[list[int]] = [[] for _ in tallies]
        for version, status, reason, arrived, dispatched, answered, replica, counted in zip(
            outcomes.version, outcomes.status, outcomes.reason, outcomes.arrived, outcomes.dispatched, outcomes.answered,
            outcomes.replica, outcomes.counted, strict=True,
        ):  # fmt: skip
            if counted:
                if status == 200:
                    latencies[version].append(answered - arrived)
                else:
                    self.troubles.answered(status, REASONS[reason], answered, replica)
                if dispatched != ABSENT:
                    waits[version].append(dispatched - arrived)
        for tally, answered_in, waited in zip(tallies, latencies, waits, strict=True):
            tally.latency.add_all(answered_in)
            tally.queue_wait.add_all(waited)

    def happened(self, at: int, kind: str, subject: str, detail: str = "", service: str | None = None) -> None:
        """Keep what is rare, count the rest."""
        if at >= self.window[1]:
            return
        self.counts[kind] += 1
        self.troubles.happened(at, kind, subject, detail, sum(self._now_desired.values()))
        if kind in _ROUTINE:
            return
        if len(self.events) < EVENTS_KEPT:
            self.events.append(Event(at, kind, subject, detail, service))
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

    def end(self) -> None:
        """The window's end has come: nothing changes within it any more."""
        for each in (*self.ready.values(), *self.desired.values(), self.ready_in_all, self.desired_in_all, self.nodes,
                     self.oversubscribed, self.reserved):  # fmt: skip
            each.advance(self.window[1])

    # -- several services together

    def add_up(self) -> None:
        """Count all that the services have counted, and share the cluster's cost out; to be called once, at the end."""
        if self._compiled is not None:
            self._compiled.settle()
            self._compiled = None
        reserved = sum(each.reserved.area for each in self.services.values())
        for name, each in self.services.items():
            each.cost_share = each.reserved.area / reserved if reserved else 1 / len(self.services)
            self.nobodys.merge(each.nobodys)
            for version, tally in each.by_version.items():
                label = label_of(name, version)
                self.by_version[label].merge(tally)
                self.busy_slots[label] = each.busy_slots[version]
            for mine, theirs in zip(self.points, each.points, strict=True):
                mine.add(theirs)
            self.operations += [{"service": name, **operation} for operation in each.operations]


class InTotal:
    """What happens to one of several services, as the total hears it; its answers are added up at the end.

    Args:
        total: of all services.
        service: the name.
    """

    def __init__(self, total: Measurement, service: str) -> None:
        self._total = total
        self._service = service

    def answered(self, outcomes: Outcomes) -> None:
        """Counted once, by the service's own measurement."""

    def happened(self, at: int, kind: str, subject: str, detail: str = "") -> None:
        """Something happened to the service."""
        self._total.happened(at, kind, subject, detail, self._service)

    def replicas_changed(self, version: str, ready: int, desired: int, at: int) -> None:
        """Another number of replicas."""
        self._total.replicas_changed(label_of(self._service, version), ready, desired, at)


def timeline_step(duration: int) -> int:
    """Length of one stretch of the timeline: whole seconds where the duration allows."""
    step = -(-duration // TIMELINE_POINTS)
    return -(-step // SECOND) * SECOND if duration >= SECOND else step
