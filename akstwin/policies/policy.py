"""What a policy may call."""

from typing import Protocol

from akstwin.domain.observation import Observation


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
