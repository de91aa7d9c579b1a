"""What a policy sees and may call."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class VersionObservation:
    """One version since the policy last looked.

    Attributes:
        answers: answers by status.
    """

    answers: dict[int, int] = field(default_factory=dict)

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
    """All versions since the policy last looked."""

    versions: dict[str, VersionObservation] = field(default_factory=dict)


class Endpoint(Protocol):
    """The part of `AksEndpoint` that policies call."""

    def update_version(self, version_name: str, *, traffic_percentile: float) -> None:
        """Change the version's share of the traffic."""
        ...


class Policy(Protocol):
    """Called at its start and then every `interval`."""

    @property
    def interval(self) -> int:
        """Between two looks, µs."""
        ...

    def step(self, endpoint: Endpoint, observation: Observation) -> str | None:
        """Look, and act. Returns what was done, in words, or None for nothing."""
        ...
