"""A canary rollout: more traffic step by step, all of it back at the first bad look."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from akstwin.clock import Micros
from akstwin.domain.observation import Observation, VersionObservation
from akstwin.domain.spec import Spec
from akstwin.domain.units import Duration
from akstwin.policies.policy import Endpoint


class CanarySpec(Spec):
    """How a canary goes up.

    Attributes:
        version: who gets the traffic.
        steps: its shares in per cent, growing.
        hold: how long each step is watched.
        max_error_rate: share of answers other than 200 above which it is rolled back.
    """

    kind: Literal["canary"]
    version: str
    steps: Annotated[list[Annotated[float, Field(gt=0, le=100)]], Field(min_length=1)]
    hold: Annotated[Duration, Field(gt=0)]
    max_error_rate: Annotated[float, Field(ge=0, le=1)]

    @model_validator(mode="after")
    def _growing(self) -> Self:
        if any(later <= earlier for earlier, later in zip(self.steps, self.steps[1:], strict=False)):
            raise ValueError("steps that grow")
        return self


class Canary:
    """One rollout under way.

    A look without any answer of the version decides nothing: the step is held for as long again.
    """

    def __init__(self, spec: CanarySpec) -> None:
        self._spec = spec
        self._at = -1
        self.outcome: Literal["running", "promoted", "rolled_back"] = "running"

    @property
    def interval(self) -> Micros:
        """Between two looks."""
        return self._spec.hold

    def step(self, endpoint: Endpoint, observation: Observation) -> str | None:
        """Go on, go back, or wait."""
        if self.outcome != "running":
            return None
        spec = self._spec
        if self._at >= 0:
            seen = observation.versions.get(spec.version, VersionObservation()).error_rate
            if seen is None:
                return None
            if seen > spec.max_error_rate:
                self.outcome = "rolled_back"
                endpoint.update_version(spec.version, traffic_percentile=0)
                return f"rolled back at {spec.steps[self._at]:g} per cent: error rate {seen:.4f}"
        self._at += 1
        if self._at == len(spec.steps):
            self.outcome = "promoted"
            return f"promoted at {spec.steps[-1]:g} per cent"
        endpoint.update_version(spec.version, traffic_percentile=spec.steps[self._at])
        return f"{spec.steps[self._at]:g} per cent"
