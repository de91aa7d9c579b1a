"""Blue/green: a preview beside the old version, then all traffic at once; the old version stays until the new one has stood."""

from math import log
from typing import Literal

from akstwin.clock import MINUTE, Micros
from akstwin.domain.observation import Observation
from akstwin.policies.actions import Action, Hold, Promote, RemoveVersion, RollBack, SetTraffic
from akstwin.policies.figures import counts, is_ready, since, totals_of
from akstwin.policies.policy import Decision, State, Verdict
from akstwin.policies.rollout import judge, seconds
from akstwin.policies.specs import Rollout, RolloutSpec, Share, Span
from akstwin.policies.statistics import Counts, log_e_above


class BlueGreenSpec(RolloutSpec):
    """How traffic is switched.

    Attributes:
        preview: share of the traffic, per cent, that the new version gets first, beside its control.
        watch: how long the new version has all traffic before it is promoted.
        remove_old: whether the old version is deleted once the new one is promoted.
    """

    kind: Literal["blue_green"]
    preview: Share = 10.0
    watch: Span = Micros(10 * MINUTE)
    remove_old: bool = False


class BlueGreen(Rollout[BlueGreenSpec]):
    """A switch in three parts: preview, all traffic, promotion.

    The preview is judged against the control by the three-way rule; nothing but a pass switches. Under all traffic there is no
    control beside it: the version is rolled back when its failures speak against the share that the control had in the preview
    plus the margin, or against `max_error_rate`, whichever is larger. The old version keeps its replicas until then.

    Args:
        spec: its settings.
    """

    def decide(self, state: State, observation: Observation, now: Micros) -> Decision:
        """Preview, switch, promote; or go back."""
        match state.get("phase", "waiting"):
            case "waiting":
                return self._wait(observation, now)
            case "preview":
                return self._preview(state, observation, now)
            case "watch":
                return self._watch(state, observation, now)
            case _:
                return self._remove(state, observation)

    def _wait(self, observation: Observation, now: Micros) -> Decision:
        spec = self.spec
        if observation.default == spec.version:
            return Decision(None, (Hold(),), Verdict.PASS, f"{spec.version} is the default version already")
        if observation.missing is not None or not is_ready(observation, spec.version):
            return Decision(
                {}, (Hold(),), Verdict.INCONCLUSIVE, f"waits until the replicas of {spec.version} are ready"
            )
        judged = judge(spec.rule, {}, observation)
        begun = {"phase": "preview", "judged": judged.state, "sample": 0, "began": now}
        action = SetTraffic({spec.version: spec.preview})
        return Decision(begun, (action,), Verdict.INCONCLUSIVE, f"previews at {spec.preview:g} %")

    def _preview(self, state: State, observation: Observation, now: Micros) -> Decision:
        spec = self.spec
        judged = judge(spec.rule, state["judged"], observation)
        sample = state["sample"] + judged.sample
        kept = {**state, "judged": judged.state, "sample": sample}
        if judged.verdict is Verdict.FAIL:
            return Decision(None, (RollBack(spec.version),), Verdict.FAIL, f"in the preview: {judged.reason}")
        if judged.verdict is Verdict.INCONCLUSIVE or sample < spec.min_requests:
            return Decision(kept, (Hold(),), Verdict.INCONCLUSIVE, f"previews: {judged.reason}")
        if judged.scaling or not is_ready(observation, spec.version):
            return Decision(kept, (Hold(),), Verdict.INCONCLUSIVE, f"paused while replicas come or go: {judged.reason}")
        evidence = judged.state["evidence"]["failed"]["control"]
        switched = {
            "phase": "watch",
            "control": judged.state["control"],
            "baseline": Counts(*evidence).share,
            "before": totals_of(observation, spec.version),
            "since": now,
            "looked": now,
        }
        action = SetTraffic({spec.version: 100.0})
        return Decision(switched, (action,), Verdict.PASS, f"switches all traffic: {judged.reason}")

    def _watch(self, state: State, observation: Observation, now: Micros) -> Decision:
        spec = self.spec
        if observation.missing is not None:
            quiet = {**state, "since": state["since"] + now - state["looked"], "looked": now}
            return Decision(quiet, (Hold(),), Verdict.INCONCLUSIVE, f"there are no figures: {observation.missing}")
        mine = counts(since(totals_of(observation, spec.version), state["before"]), "failed")
        ceiling = max(state["baseline"] + spec.margins.errors, spec.max_error_rate or 0.0)
        words = f"{mine.bad} of {mine.answers} failed under all traffic, {100 * ceiling:.2f} % are allowed"
        if log_e_above(mine, ceiling) >= -log(spec.alpha):
            return Decision(None, (RollBack(spec.version),), Verdict.FAIL, words)
        held = now - state["since"]
        if held < spec.watch or mine.answers < spec.min_requests or not is_ready(observation, spec.version):
            reason = f"watches for {seconds(spec.watch)}: {words}"
            return Decision({**state, "looked": now}, (Hold(),), Verdict.INCONCLUSIVE, reason)
        rest = {"phase": "remove", "control": state["control"]} if spec.remove_old else None
        return Decision(rest, (Promote(spec.version),), Verdict.PASS, f"stood for {seconds(held)}: {words}")

    def _remove(self, state: State, observation: Observation) -> Decision:
        """Once the new version has the traffic and its replicas: the old one is not needed to go back to any more."""
        version, old = self.spec.version, state["control"]
        seen = observation.versions.get(version)
        if seen is None or seen.traffic_share < 100 or not is_ready(observation, version):
            return Decision(
                state, (Hold(),), Verdict.PASS, f"keeps {old} until {version} has all traffic and its replicas"
            )
        actions: tuple[Action, ...] = (RemoveVersion(old),)
        return Decision(None, actions, Verdict.PASS, f"{version} has all traffic and all replicas: {old} is not needed")
