"""What rollouts have in common: their settings, as a scenario file has them, and the limits that these come to."""

from typing import Annotated, Generic, Literal, TypeVar

from pydantic import Field

from akstwin.clock import HOUR, MINUTE, Micros
from akstwin.domain.spec import Spec
from akstwin.domain.units import Duration, Latency
from akstwin.policies.policy import Limits
from akstwin.policies.rollout import ALPHA, MARGIN, Metric, Rule

Span = Annotated[Duration, Field(gt=0)]
Share = Annotated[float, Field(gt=0, le=100)]
Part = Annotated[float, Field(ge=0, le=1)]


class Margins(Spec):
    """By how much a version may be worse than its control, as a share of answers, and still be good enough.

    Attributes:
        errors: of failed answers.
        slow: of answers that fail or take longer than `slower_than`.
    """

    errors: Annotated[float, Field(gt=0, lt=1)] = MARGIN
    slow: Annotated[float, Field(gt=0, lt=1)] = 0.02


class RolloutSpec(Spec):
    """Settings of every rollout.

    Attributes:
        version: who gets the traffic; the default version is its control.
        max_error_rate: share of failed answers that is good enough, even where the control fails less; absent: only the
            comparison with the control counts.
        slower_than: an answer that takes longer counts as slow; absent: latencies are not judged.
        margins: by how much the version may be worse than its control.
        alpha: how often an equally good version may be rolled back, and how often one beyond a margin may pass; it holds for
            all looks together.
        interval: between two looks.
        pause_while_scaling: whether more traffic waits, and latencies do not count, while replicas come or go.
        min_requests: answers that the version must have had at a share before it gets a larger one.
        budget: most failed requests that it may cause; one more, and it is rolled back.
        max_duration: after which it ends, undecided.
        on_deadline: what is done then.
    """

    version: str
    max_error_rate: Part | None = None
    slower_than: Annotated[Latency, Field(gt=0)] | None = None
    margins: Margins = Margins()
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = ALPHA
    interval: Span = MINUTE
    pause_while_scaling: bool = True
    min_requests: Annotated[int, Field(ge=0)] = 100
    budget: Annotated[float, Field(ge=0)] = 500.0
    max_duration: Span = Micros(24 * HOUR)
    on_deadline: Literal["roll_back", "promote", "hold"] = "roll_back"

    @property
    def limits(self) -> Limits:
        """What the runner holds it to."""
        return Limits(self.version, self.max_duration, self.on_deadline, self.min_requests, self.budget)

    @property
    def rule(self) -> Rule:
        """How it judges."""
        metrics = [Metric("failed", self.margins.errors, self.max_error_rate)]
        if self.slower_than is not None:
            metrics.append(Metric("slow", self.margins.slow))
        return Rule(self.version, tuple(metrics), self.slower_than, self.alpha, self.pause_while_scaling)


SpecType = TypeVar("SpecType", bound=RolloutSpec)


class Rollout(Generic[SpecType]):
    """What all rollouts have from their settings.

    Args:
        spec: the settings.
    """

    def __init__(self, spec: SpecType) -> None:
        self.spec = spec

    @property
    def interval(self) -> Micros:
        """Between two looks."""
        return Micros(self.spec.interval)

    @property
    def limits(self) -> Limits:
        """What the runner holds it to."""
        return self.spec.limits
