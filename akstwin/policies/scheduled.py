"""Scheduled scaling: other bounds, or another number of replicas, at certain times of a day."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from akstwin.clock import HOUR, MINUTE, SECOND, Micros
from akstwin.domain.observation import Observation
from akstwin.domain.spec import Spec
from akstwin.domain.units import Duration
from akstwin.policies.actions import Action, Hold, SetBounds, SetReplicas
from akstwin.policies.policy import Decision, Limits, State, Verdict
from akstwin.policies.specs import Span

Replicas = Annotated[int, Field(ge=1)]


class ScheduleEntry(Spec):
    """From when on what holds: a fixed number of replicas, or bounds of the autoscaler.

    Attributes:
        at: from the beginning of each period.
        replicas: how many, without the autoscaler; or
        min_replicas: fewest, and
        max_replicas: most that the autoscaler may run.
    """

    at: Duration
    replicas: Replicas | None = None
    min_replicas: Replicas | None = None
    max_replicas: Replicas | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        bounds = (self.min_replicas, self.max_replicas)
        if (self.replicas is None) == (None in bounds) or (self.replicas is not None and bounds != (None, None)):
            raise ValueError("either replicas, or min_replicas and max_replicas")
        if self.min_replicas is not None and self.max_replicas is not None and self.min_replicas > self.max_replicas:
            raise ValueError("min_replicas that are not more than max_replicas")
        return self

    def action(self, version: str | None) -> Action:
        """What brings it about."""
        if self.replicas is not None:
            return SetReplicas(self.replicas, version)
        assert self.min_replicas is not None  # noqa: S101 - _one_of_both
        assert self.max_replicas is not None  # noqa: S101
        return SetBounds(self.min_replicas, self.max_replicas, version)


class ScheduledScalingSpec(Spec):
    """A timetable.

    Attributes:
        version: of an endpoint; absent: the web service.
        entries: by their times, growing. Before the first of a period the last one of the period before holds.
        every: how long a period is; periods are counted from the start of the world's clock, and of a scenario from t = 0.
        interval: between two looks.
        max_duration: after which it ends, and leaves what is in force.
    """

    kind: Literal["scheduled_scaling"]
    version: str | None = None
    entries: Annotated[list[ScheduleEntry], Field(min_length=1)]
    every: Span = Micros(24 * HOUR)
    interval: Span = MINUTE
    max_duration: Span = Micros(366 * 24 * HOUR)

    @model_validator(mode="after")
    def _within_the_period(self) -> Self:
        times = [entry.at for entry in self.entries]
        if any(later <= earlier for earlier, later in pairwise(times)) or times[-1] >= self.every:
            raise ValueError("entries with times that grow, each within the period")
        return self


class ScheduledScaling:
    """Sets what the timetable says, once for each entry that comes into force.

    It puts no version's traffic at risk, so it has neither a sample nor a budget of harm.

    Args:
        spec: the timetable.
    """

    def __init__(self, spec: ScheduledScalingSpec) -> None:
        self.spec = spec

    @property
    def interval(self) -> Micros:
        """Between two looks."""
        return Micros(self.spec.interval)

    @property
    def limits(self) -> Limits:
        """A deadline, and nothing else."""
        return Limits(None, self.spec.max_duration, "hold", 0, 0)

    def decide(self, state: State, observation: Observation, now: Micros) -> Decision:  # noqa: ARG002 - the protocol's
        """What the time asks for, if it has not been set yet."""
        entries = self.spec.entries
        within = now % self.spec.every
        period = now // self.spec.every
        number = sum(entry.at <= within for entry in entries) - 1
        if number < 0:
            number, period = len(entries) - 1, period - 1
        entry = entries[number]
        due = [int(period), number]
        words = f"the entry of {entry.at / SECOND:g} s holds"
        if state.get("set") == due:
            return Decision(state, (Hold(),), Verdict.PASS, words)
        return Decision({"set": due}, (entry.action(self.spec.version),), Verdict.PASS, words)
