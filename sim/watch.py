"""What was seen of one service: kept so that any window of the recent past can be read."""

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from operator import sub
from typing import Any, Final, TypeVar

from akstwin.clock import SECOND, Micros
from akstwin.domain.histogram import Histogram
from akstwin.domain.observation import AnswerCounts, AttemptCounts, Observation, VersionObservation
from akstwin.domain.reasons import NOT_THE_MODELS
from akstwin.errors import InvalidSetting
from akstwin.sim.calendar import Calendar, Order
from akstwin.sim.controller import ServiceController
from akstwin.sim.engine.outcomes import REASONS, Outcomes

KEPT_ANSWERS: Final = 2_000_000
"""So many of the latest answers are kept, some 32 MB; a window that reaches further back is refused."""
_SPARE: Final = 1.25
KEPT_SAMPLES: Final = 100_000
"""Instants at which a version's demand is known exactly, some 1.6 MB. When there are more, every other one of the older half
goes: a window that begins between two of them takes what lies on the line between. While a version's demand grows evenly, or
not at all, two instants say it exactly."""
KEPT_STEPS: Final = 100_000
"""So many of the latest changes of a version's number of replicas are kept; a window that reaches further back is refused."""
_K = TypeVar("_K", int, str)
_QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


class _Steps:
    """A number that changes at instants, and its sum over time up to each of them."""

    def __init__(self) -> None:
        self._at = [0]
        self._value = [0]
        self._area = [0]

    def set(self, value: int, now: int) -> int:
        """The number from now on; returns the instant up to which nothing is known any more, 0: all is known."""
        if value != self._value[-1]:
            self._area.append(self.area(now))
            self._at.append(now)
            self._value.append(value)
        if len(self._at) > KEPT_STEPS * _SPARE:
            surplus = len(self._at) - KEPT_STEPS
            for column in (self._at, self._value, self._area):
                del column[:surplus]
            return self._at[0]
        return 0

    @property
    def value(self) -> int:
        return self._value[-1]

    def at(self, instant: int) -> int:
        return self._value[max(0, bisect_right(self._at, instant) - 1)]

    def area(self, instant: int) -> int:
        at = bisect_right(self._at, instant) - 1
        return self._area[at] + self._value[at] * (instant - self._at[at])


class _Counts:
    """Answers of one version, by attempt (0: the first, 1: repeated), status and reason."""

    def __init__(self) -> None:
        self.by_status: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.by_reason: tuple[dict[str, int], dict[str, int]] = ({}, {})
        self.latency = Histogram()
        self.first_latency = Histogram()

    def add(self, attempt: int, status: int, reason: str | None, latency: int) -> None:
        statuses = self.by_status[attempt]
        statuses[status] = statuses.get(status, 0) + 1
        if reason is not None:
            reasons = self.by_reason[attempt]
            reasons[reason] = reasons.get(reason, 0) + 1
        if status == 200:
            self.latency.add(latency)
            if attempt == 0:
                self.first_latency.add(latency)

    def answers(self) -> dict[int, int]:
        return _sum(*self.by_status)

    def reasons(self) -> dict[str, int]:
        return _sum(*self.by_reason)

    def given(self) -> AnswerCounts:
        first, retries = (
            AttemptCounts(
                dict(sorted(statuses.items())),
                {reason: number for reason, number in sorted(reasons.items()) if reason in NOT_THE_MODELS},
            )
            for statuses, reasons in zip(self.by_status, self.by_reason, strict=True)
        )
        return AnswerCounts(first, retries, self.latency.rows(), self.first_latency.rows())


def _sum(one: dict[_K, int], other: dict[_K, int]) -> dict[_K, int]:
    both = Counter(one) + Counter(other)
    return {each: both[each] for each in sorted(both)}


class _Kinds(dict[tuple[int, int, int, int], int]):
    """Numbers the kinds of answers: the version's number, status, reason and attempt (0: the first, 1: repeated)."""

    def __init__(self) -> None:
        super().__init__()
        self.all: list[tuple[int, int, int, int]] = []

    def __missing__(self, kind: tuple[int, int, int, int]) -> int:
        number = self[kind] = len(self.all)
        self.all.append(kind)
        return number


class Watch:
    """Hears the answers of one service and its numbers of replicas.

    Args:
        calendar: tells the time.
    """

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._at = array("q")
        self._latency = array("I")  # up to 71 minutes; "q" from the first longer one on
        self._kind = array("I")
        self._kinds = _Kinds()
        self._totals: dict[int, _Counts] = {}
        self._totalled = 0  # rows that are in the totals
        self._versions: list[str | None] = [None]
        self._number_of: dict[str | None, int] = {None: 0}
        self._forgotten_before = 0
        self._desired: dict[str, _Steps] = {}
        self._ready: dict[str, _Steps] = {}
        self._demand: dict[str, tuple[array[int], array[int]]] = {}
        self._controller: ServiceController | None = None

    def attach(self, controller: ServiceController) -> None:
        """Look at the service every second from now on."""
        self._controller = controller
        self._sample()

    # -- what it hears

    def answered(self, outcomes: Outcomes) -> None:
        """Keep answers."""
        self._at.extend(outcomes.settled)
        latencies = list(map(sub, outcomes.answered, outcomes.arrived))
        try:
            self._latency.extend(array(self._latency.typecode, latencies))
        except OverflowError:
            self._latency = array("q", [*self._latency, *latencies])
        kept = [_number(version, self._versions, self._number_of) for version in outcomes.versions]
        versions = [kept[version] for version in outcomes.version]
        attempts = [min(attempt, 1) for attempt in outcomes.attempt]
        kinds = zip(versions, outcomes.status, outcomes.reason, attempts, strict=True)
        self._kind.extend(map(self._kinds.__getitem__, kinds))
        if len(self._at) > KEPT_ANSWERS * _SPARE:
            self._add_up()
            surplus = len(self._at) - KEPT_ANSWERS
            self._totalled -= surplus
            self._forgotten_before = self._at[surplus - 1] + 1
            for column in (self._at, self._latency, self._kind):
                del column[:surplus]

    def replicas_changed(self, version: str, ready: int, desired: int, at: int) -> None:
        """Keep how many are ready and how many are asked for."""
        self._ready.setdefault(version, _Steps()).set(ready, at)
        self._forgotten_before = max(
            self._forgotten_before, self._desired.setdefault(version, _Steps()).set(desired, at)
        )

    def _sample(self) -> None:
        controller = self._controller
        assert controller is not None  # noqa: S101
        for name in controller.deployments:
            usage = controller.usage(name)
            at, demand = self._demand.setdefault(name, (array("q"), array("q")))
            if demand and usage.busy_area + usage.queued_area < demand[-1]:  # another version of the same name
                del at[:], demand[:]
            _note(at, demand, self._calendar.now, usage.busy_area + usage.queued_area)
        for name in [name for name in self._demand if name not in controller.deployments]:
            del self._demand[name]
        if not controller.ended:
            self._calendar.after(SECOND, Order.SAMPLE, self._sample)

    # -- what it tells

    def course(self, since: Micros, pieces: int) -> list[dict[str, Any]]:
        """What has been seen from `since` up to now, piece by piece of equal length.

        Returns:
            Of each piece its end `at`, µs, `answers` per second by status (0: none), and `ready` and `desired` replicas of all
            versions then. Pieces of which not all answers are kept any more are left out.
        """
        self._calendar.collect()
        now = self._calendar.now
        since = Micros(max(since, self._forgotten_before))
        if now <= since:
            return []
        edges = [since + (now - since) * number // pieces for number in range(pieces + 1)]
        found = []
        for start, end in pairwise(edges):
            if end > start:
                first = bisect_right(self._at, start) if start else 0
                answers: Counter[int] = Counter()
                for kind, count in Counter(self._kind[first : bisect_right(self._at, end)]).items():
                    answers[self._kinds.all[kind][1]] += count
                seconds = (end - start) / SECOND
                found.append(
                    {
                        "at": end,
                        "answers": {status: count / seconds for status, count in sorted(answers.items())},
                        "ready": sum(steps.at(end) for steps in self._ready.values()),
                        "desired": sum(steps.at(end) for steps in self._desired.values()),
                    }
                )
        return found

    def observe(self, window: Micros) -> Observation:
        """The last `window`, up to now.

        Raises:
            InvalidSetting: no window, or one that reaches back beyond what is kept.
        """
        controller = self._controller
        assert controller is not None  # noqa: S101
        self._calendar.collect()
        now = self._calendar.now
        since = max(0, now - window)
        if window <= 0:
            raise InvalidSetting("window", window, "longer than 0")
        if since < self._forgotten_before:
            raise InvalidSetting(
                "window", window / SECOND, f"at most {(now - self._forgotten_before) / SECOND:g} s: "
                f"only the latest {KEPT_ANSWERS} answers and {KEPT_STEPS} changes of a number of replicas are kept",
            )  # fmt: skip
        # An answer at the window's first instant belongs to the window before, if there was one.
        first = bisect_right(self._at, since) if since else 0
        seen: dict[int, _Counts] = {}
        self._count(seen, first)
        self._add_up()
        nobodys = seen.get(0, _Counts())
        split = controller.split_in_force()
        shares = split.shares()
        versions = {}
        for name in controller.deployments:
            number = self._number_of.get(name, -1)
            counts, total = seen.get(number, _Counts()), self._totals.get(number, _Counts())
            answers = counts.answers()
            steps = self._desired.get(name)
            versions[name] = VersionObservation(
                answers=answers,
                reasons=counts.reasons(),
                rate=sum(answers.values()) * SECOND / (now - since) if now > since else 0.0,
                latency_ms=_latency_ms(counts.latency),
                replicas=_states(controller, name),
                desired=steps.value if steps is not None else 0,
                utilisation=self._utilisation(controller, name, since, now),
                queue_length=controller.usage(name).queued,
                traffic_share=shares.get(name, 0.0),
                window=counts.given(),
                total=total.given(),
            )
        return Observation(versions, nobodys.reasons(), now - since, now, default=split.default)

    def _count(self, counts: "dict[int, _Counts]", first: int) -> None:
        """Count the answers from a row on, by version."""
        for row in range(first, len(self._at)):
            version, status, number, attempt = self._kinds.all[self._kind[row]]
            of = counts.get(version)
            if of is None:
                of = counts[version] = _Counts()
            reason = REASONS[number]
            of.add(attempt, status, None if reason is None else reason.value, self._latency[row])

    def _add_up(self) -> None:
        """Bring the totals up to now."""
        self._count(self._totals, self._totalled)
        self._totalled = len(self._at)

    def _utilisation(self, controller: ServiceController, name: str, since: int, now: int) -> float | None:
        steps, sampled = self._desired.get(name), self._demand.get(name)
        if steps is None or sampled is None or now == since:
            return None
        usage = controller.usage(name)
        slots = controller.deployments[name].spec.settings.route.slots
        capacity = (steps.area(now) - steps.area(since)) * slots
        demand = usage.busy_area + usage.queued_area - _interpolated(*sampled, since)
        return demand / capacity if capacity else None


def _number(name: str | None, names: list[str | None], numbers: dict[str | None, int]) -> int:
    number = numbers.get(name)
    if number is None:
        number = numbers[name] = len(names)
        names.append(None if name is None else str(name))
    return number


def _note(at: "array[int]", values: "array[int]", now: int, value: int) -> None:
    """Add an instant; the one before goes if it lies on the line between its neighbours."""
    if len(at) > 1 and (values[-1] - values[-2]) * (now - at[-1]) == (value - values[-1]) * (at[-1] - at[-2]):
        at[-1], values[-1] = now, value
        return
    at.append(now)
    values.append(value)
    if len(at) > KEPT_SAMPLES:
        half = len(at) // 2
        for column in (at, values):
            column[:half] = column[:half:2]


def _interpolated(at: "array[int]", values: "array[int]", instant: int) -> float:
    """Exact at the sampled instants, linear between two."""
    after = bisect_left(at, instant)
    if after == 0:
        return values[0]
    if after == len(at):
        return values[-1]
    if at[after] == instant:
        return values[after]
    share = (instant - at[after - 1]) / (at[after] - at[after - 1])
    return values[after - 1] + share * (values[after] - values[after - 1])


def _latency_ms(histogram: Histogram | None) -> Mapping[str, float]:
    if histogram is None or not histogram.count or histogram.mean is None:
        return {}
    values = histogram.quantiles(_QUANTILES.values())
    return {
        "mean": histogram.mean / 1000,
        **{name: value / 1000 for name, value in zip(_QUANTILES, values, strict=True)},
        "max": histogram.largest / 1000,
    }


def _states(controller: ServiceController, version: str) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for pod in controller.pods_of(version):
        counts[pod.state.value] = counts.get(pod.state.value, 0) + 1
    return dict(sorted(counts.items()))
