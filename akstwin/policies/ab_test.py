"""An A/B test: two versions side by side at one share, until it is known which one is better, or that neither is."""

from math import log
from typing import Literal, Self

from pydantic import model_validator

from akstwin.clock import Micros
from akstwin.domain.observation import Observation
from akstwin.policies.actions import Hold, Promote, RollBack, SetTraffic
from akstwin.policies.figures import counts, is_ready, is_scaling, since, totals_of
from akstwin.policies.policy import Decision, State, Verdict
from akstwin.policies.rollout import plain, read_worse
from akstwin.policies.specs import Rollout, RolloutSpec, Share
from akstwin.policies.statistics import Worse, difference_below, e_value


class ABTestSpec(RolloutSpec):
    """How two versions are compared.

    Attributes:
        share: of the traffic, per cent, that the version gets while it is compared.
        metric: failed: answers that failed; slow: those that failed or took longer than `slower_than`.
        promote: better: only a version that is better than its control is promoted; not_worse: one within the margin is, too.
    """

    kind: Literal["ab_test"]
    share: Share = 50.0
    metric: Literal["failed", "slow"] = "failed"
    promote: Literal["better", "not_worse"] = "better"

    @model_validator(mode="after")
    def _slow_means_something(self) -> Self:
        if self.metric == "slow" and self.slower_than is None:
            raise ValueError("slower_than, as the metric is slow")
        return self


class ABTest(Rollout[ABTestSpec]):
    """A comparison in both directions, each by an e-process at half of α.

    It ends as soon as one version is shown to be better; with `promote: better` a version that is shown to be within the margin
    of its control, both ways, is taken back: there is no reason to change.

    Args:
        spec: its settings.
    """

    def decide(self, state: State, observation: Observation, now: Micros) -> Decision:  # noqa: ARG002 - the protocol's
        """Compare, and choose."""
        spec, version = self.spec, self.spec.version
        if observation.missing is not None:
            return Decision(state, (Hold(),), Verdict.INCONCLUSIVE, f"there are no figures: {observation.missing}")
        control = state.get("control", observation.default)
        if control is None or control == version or (not is_ready(observation, version) and "before" not in state):
            return Decision(state, (Hold(),), Verdict.INCONCLUSIVE, f"waits until the replicas of {version} are ready")
        seen = {name: totals_of(observation, name, spec.slower_than) for name in (version, control)}
        if "before" not in state:
            begun = {"control": control, "before": seen}
            action = SetTraffic({version: spec.share})
            return Decision(begun, (action,), Verdict.INCONCLUSIVE, f"begins at {spec.share:g} %")
        mine = counts(since(seen[version], state["before"][version]), spec.metric)
        theirs = counts(since(seen[control], state["before"][control]), spec.metric)
        scaling = is_scaling(observation, version) or is_scaling(observation, control)
        paused = scaling and spec.pause_while_scaling
        worse, better = read_worse(state.get("worse")), read_worse(state.get("better"))
        if not (paused and spec.metric == "slow"):
            worse, better = worse.add(mine, theirs), better.add(theirs, mine)
        kept = {"control": control, "before": seen, "worse": plain(worse), "better": plain(better)}
        return self._judge(kept, worse, better, paused=paused)

    def _judge(self, kept: State, worse: Worse, better: Worse, *, paused: bool) -> Decision:
        """Which one is better, if it can be told."""
        spec, version = self.spec, self.spec.version
        words = _words(spec, worse, better)
        enough = log(2 / spec.alpha)
        if worse.log_e >= enough:
            return Decision(None, (RollBack(version),), Verdict.FAIL, f"{version} is worse: {words}")
        if paused or worse.version.answers < spec.min_requests:
            return Decision(kept, (Hold(),), Verdict.INCONCLUSIVE, words)
        if better.log_e >= enough:
            return Decision(None, (Promote(version),), Verdict.PASS, f"{version} is better: {words}")
        margin = spec.margins.errors if spec.metric == "failed" else spec.margins.slow
        if difference_below(worse.version, worse.control, spec.alpha) < margin:
            if spec.promote == "not_worse":
                return Decision(None, (Promote(version),), Verdict.PASS, f"{version} is within the margin: {words}")
            if difference_below(worse.control, worse.version, spec.alpha) < margin:
                return Decision(None, (RollBack(version),), Verdict.PASS, f"neither is better by the margin: {words}")
        return Decision(kept, (Hold(),), Verdict.INCONCLUSIVE, words)


def _words(spec: ABTestSpec, worse: Worse, better: Worse) -> str:
    mine, theirs = worse.version, worse.control
    values = (
        f"e-values worse {e_value(worse.log_e):.3g}, better {e_value(better.log_e):.3g}, {2 / spec.alpha:g} are enough"
    )
    return f"{spec.metric} {mine.bad} of {mine.answers}, control {theirs.bad} of {theirs.answers} ({values})"
