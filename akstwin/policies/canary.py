"""A canary rollout: more traffic step by step, all of it back when the version is worse than its control."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from akstwin.clock import Micros
from akstwin.domain.observation import Observation
from akstwin.policies.actions import Hold, Promote, RollBack, SetTraffic
from akstwin.policies.policy import Decision, State, Verdict
from akstwin.policies.rollout import Judged, judge, seconds
from akstwin.policies.specs import Rollout, RolloutSpec, Share, Span


class CanarySpec(RolloutSpec):
    """How a canary goes up.

    Attributes:
        steps: its shares in per cent, growing.
        hold: how long each step is watched, at least.
    """

    kind: Literal["canary"]
    steps: Annotated[list[Share], Field(min_length=1)]
    hold: Span

    @model_validator(mode="after")
    def _growing(self) -> Self:
        if any(later <= earlier for earlier, later in pairwise(self.steps)):
            raise ValueError("steps that grow")
        return self


class Canary(Rollout[CanarySpec]):
    """A rollout by steps.

    A step is held for its time, and until the version has had its least sample at it. Then the next one follows unless the
    figures speak against the version; all traffic, and the promotion, wait until they speak for it. The three-way rule: it is
    rolled back on an e-process against "not worse than the control", promoted on an always-valid bound of the difference under
    the margin, and held otherwise. Figures of both versions are of the same time, so what both suffer does not count.

    Args:
        spec: its settings.
    """

    @property
    def interval(self) -> Micros:
        """Between two looks."""
        return Micros(min(self.spec.interval, self.spec.hold))

    def decide(self, state: State, observation: Observation, now: Micros) -> Decision:
        """Go on, go back, or hold."""
        spec, version = self.spec, self.spec.version
        judged = judge(spec.rule, state, observation)
        if "step" not in state:
            return self._begin(judged, observation, now)
        step, share = int(state["step"]), spec.steps[int(state["step"])]
        paused = judged.scaling and spec.pause_while_scaling
        known = observation.missing is None
        kept = {
            **judged.state,
            "step": step,
            "looked": now,
            "since": state["since"] + (now - state["looked"] if paused or not known else 0),  # quiet time is no hold
            "sample": state["sample"] + judged.sample,
        }
        if judged.verdict is Verdict.FAIL:
            return Decision(None, (RollBack(version),), Verdict.FAIL, f"at {share:g} %: {judged.reason}")
        waits = self._waits(kept, now, paused=paused, known=known)
        last = step + 1 == len(spec.steps)
        following = 100.0 if last else spec.steps[step + 1]
        if waits is None and following >= 100 and judged.verdict is not Verdict.PASS:
            waits = "all traffic waits for a pass"
        if waits is not None:
            return Decision(kept, (Hold(),), judged.verdict, f"at {share:g} %, {waits}: {judged.reason}")
        if last:
            return Decision(None, (Promote(version),), judged.verdict, f"held at {share:g} %: {judged.reason}")
        moved = {**kept, "step": step + 1, "since": now, "sample": 0}
        reason = f"from {share:g} % to {following:g} %: {judged.reason}"
        return Decision(moved, (SetTraffic({version: following}),), judged.verdict, reason)

    def _begin(self, judged: Judged, observation: Observation, now: Micros) -> Decision:
        """The first step, once there is a version with replicas to take it."""
        spec = self.spec
        version, first = spec.version, spec.steps[0]
        if observation.default == version:
            return Decision(None, (Hold(),), Verdict.PASS, f"{version} is the default version already")
        seen = observation.versions.get(version)
        if seen is None or not seen.ready or (judged.scaling and spec.pause_while_scaling):
            why = judged.reason if seen is None else f"{version} has {seen.ready} of {seen.desired} replicas ready"
            return Decision({}, (Hold(),), Verdict.INCONCLUSIVE, f"not begun: {why}")
        begun = {**judged.state, "step": 0, "since": now, "looked": now, "sample": 0}
        return Decision(begun, (SetTraffic({version: first}),), Verdict.INCONCLUSIVE, f"begins at {first:g} %")

    def _waits(self, kept: State, now: Micros, *, paused: bool, known: bool) -> str | None:
        """Why the step is not over; None: it is."""
        if not known:
            return "figures are missing"
        if paused:
            return "paused while replicas come or go"
        held = now - kept["since"]
        if held < self.spec.hold:
            return f"held {seconds(held)} of {seconds(self.spec.hold)}"
        if kept["sample"] < self.spec.min_requests:
            return f"{kept['sample']} answers of {self.spec.min_requests}"
        return None
