"""What was seen of a service in a window of time."""

from collections.abc import Mapping
from dataclasses import dataclass, field


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
    """

    versions: Mapping[str, VersionObservation] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)
    window: int = 0
