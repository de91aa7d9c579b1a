"""What was seen of a service: in a window of time, and since its start."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from akstwin.domain.histogram import Histogram, Rows

_STARTING: Final = ("Pending", "Pulling", "Starting", "NotReady", "BackingOff")


@dataclass(frozen=True, slots=True)
class AttemptCounts:
    """Answers to attempts of one kind.

    Attributes:
        answers: by status.
        refused: those that say nothing of the model, by reason (`domain.reasons.NOT_THE_MODELS`): the router refused the
            request itself, or its client went away.
    """

    answers: Mapping[int, int] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """Answers in all."""
        return sum(self.answers.values())

    @property
    def judged(self) -> int:
        """Answers that say something of the model."""
        return self.requests - sum(self.refused.values())

    @property
    def failures(self) -> int:
        """Answers by which the model, or its replica, failed: other than 200, and not refused by the router."""
        return self.judged - self.answers.get(200, 0)


@dataclass(frozen=True, slots=True)
class AnswerCounts:
    """Answers of one version, counted so that two of these can be added or subtracted.

    Attributes:
        first: to first attempts.
        retries: to repeated ones: the answers of one request depend on each other.
        latency: of answers 200, as buckets (`domain.histogram.Histogram.of`): rows of equal key add up.
        first_latency: the same, of first attempts alone.
    """

    first: AttemptCounts = AttemptCounts()
    retries: AttemptCounts = AttemptCounts()
    latency: Rows = ()
    first_latency: Rows = ()

    def histogram(self) -> Histogram:
        """The latencies of answers 200, µs."""
        return Histogram.of(self.latency)


@dataclass(frozen=True, slots=True)
class VersionObservation:
    """One version in the window.

    Attributes:
        answers: answers by status.
        reasons: answers that were not the model's own, by reason (`domain.reasons`).
        rate: answers per second.
        latency_ms: of answers 200, ms: `mean`, `p50`, `p90`, `p95`, `p99`, `max`; empty without any.
        replicas: pods by state at the end of the window (`domain.lifecycles.PodState`).
        desired: replicas asked for at the end of the window.
        utilisation: busy slots and waiting requests over all slots of the desired replicas, time-weighted over the
            window, as the autoscaler counts it (semantics §6.2); None: not measured.
        queue_length: requests waiting at the end of the window.
        traffic_share: effective share of the traffic at the end of the window, percent.
        window: the window's answers, first attempts and retries apart.
        total: all answers since the service began, counted the same way.
    """

    answers: Mapping[int, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)
    rate: float = 0.0
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    replicas: Mapping[str, int] = field(default_factory=dict)
    desired: int = 0
    utilisation: float | None = None
    queue_length: int = 0
    traffic_share: float = 0.0
    window: AnswerCounts = AnswerCounts()
    total: AnswerCounts = AnswerCounts()

    @property
    def ready(self) -> int:
        """Ready replicas."""
        return self.replicas.get("Ready", 0)

    @property
    def starting(self) -> int:
        """Replicas that are neither ready nor on their way out."""
        return sum(self.replicas.get(state, 0) for state in _STARTING)

    @property
    def requests(self) -> int:
        """How many were answered."""
        return sum(self.answers.values())

    @property
    def error_rate(self) -> float | None:
        """Share of answers that were not 200; None of nothing."""
        return 1 - self.answers.get(200, 0) / self.requests if self.requests else None


@dataclass(frozen=True, slots=True)
class Observation:
    """All versions in the window.

    Attributes:
        versions: by name, in the order of their creation.
        refused: answers of requests that reached no version (401, 404, 413), by reason.
        window: how long it was, µs.
        at: the instant at its end, µs by the backend's clock.
        age: how old the figures were when they were given out, µs.
        missing: why there are no figures: their source was down; None: there are. A source that is down is no service
            without traffic: `versions` is empty then.
        default: the default version, which gets what the shares of the others leave; None: there are no figures.
    """

    versions: Mapping[str, VersionObservation] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)
    window: int = 0
    at: int = 0
    age: int = 0
    missing: str | None = None
    default: str | None = None
