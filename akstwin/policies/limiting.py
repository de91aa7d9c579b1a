"""The limits that hold whatever a policy decides: its deadline, its least sample, its budget of harm. Pure, as policies are."""

from typing import Any

from akstwin.clock import Micros
from akstwin.domain.observation import Observation
from akstwin.policies.actions import Action, Hold, Promote, RollBack, SetTraffic
from akstwin.policies.figures import counts, share_of, since, totals_of
from akstwin.policies.policy import Decision, Limits, Policy, State, Verdict


def decide(policy: Policy, state: State, observation: Observation, now: Micros) -> Decision:
    """A policy's decision within its limits.

    Args:
        policy: decides.
        state: what the last of these decisions remembered; empty at first. The policy's own is its `own`.
        observation: of the time since the last look.
        now: the present instant.
    """
    limits = policy.limits
    watch = _watched(state, limits, observation, now)
    stopped = _stopped(limits, watch, now)
    if stopped is not None:
        return stopped
    own = policy.decide(state.get("own", {}), observation, now)
    actions, verdict, reason = own.actions, own.verdict, own.reason
    refusal = _too_early(limits, watch, observation, actions)
    if refusal is not None:  # nothing has happened: the policy looks again as if it had not decided
        return Decision({**watch, "own": dict(state.get("own", {}))}, (Hold(),), Verdict.INCONCLUSIVE, refusal)
    if any(isinstance(action, SetTraffic) for action in actions):
        watch = {**watch, "sample": 0}
    kept = None if own.state is None else {**watch, "own": dict(own.state)}
    return Decision(kept, actions, verdict, reason)


def _watched(state: State, limits: Limits, observation: Observation, now: Micros) -> dict[str, Any]:
    """What is counted for the limits, up to this look."""
    started = state.get("started", int(now))
    if limits.version is None or observation.missing is not None:
        return {
            "harm": 0.0,
            "sample": 0,
            "before": {},
            **{k: v for k, v in state.items() if k != "own"},
            "started": started,
        }
    control = state.get("control") or (observation.default if observation.default != limits.version else None)
    versions = [limits.version, *([] if control is None else [control])]
    seen = {name: totals_of(observation, name) for name in versions}
    before = state.get("before") or seen  # what came before the policy is not its doing
    blocks = {name: since(seen[name], before.get(name, seen[name])) for name in versions}
    mine = counts(blocks[limits.version], "failed")
    baseline = state.get("baseline", 0.0)
    if control is not None and blocks[control]["judged"]:
        baseline = counts(blocks[control], "failed").share
    return {
        "started": started,
        "control": control,
        "baseline": baseline,
        "before": seen,
        "harm": state.get("harm", 0.0) + mine.bad - mine.answers * baseline,
        "sample": state.get("sample", 0) + mine.answers,
    }


def _stopped(limits: Limits, watch: dict[str, Any], now: Micros) -> Decision | None:
    """The end that a limit makes of it."""
    version = limits.version
    if version is not None and watch["harm"] > limits.budget:
        harm = f"{version} has failed {watch['harm']:.1f} requests more than its control would have"
        reason = f"budget of harm: {harm}, {limits.budget:g} are allowed"
        return Decision(None, (RollBack(version),), Verdict.FAIL, reason)
    if now - watch["started"] < limits.max_duration:
        return None
    ends: dict[str, tuple[Action, ...]] = {"hold": (Hold(),)}
    if version is not None:
        ends |= {"roll_back": (RollBack(version),), "promote": (Promote(version),)}
    reason = f"deadline: undecided after {limits.max_duration / 1e6:g} s; on_deadline is {limits.on_deadline}"
    return Decision(None, ends[limits.on_deadline], Verdict.INCONCLUSIVE, reason)


def _too_early(
    limits: Limits, watch: dict[str, Any], observation: Observation, actions: tuple[Action, ...]
) -> str | None:
    """Why the actions must wait; None: they need not. Taking traffic away never waits."""
    version = limits.version
    if version is None:
        return None
    more = any(
        action.version == version
        if isinstance(action, Promote)
        else isinstance(action, SetTraffic) and action.shares.get(version, 0.0) > share_of(observation, version)
        for action in actions
    )
    if not more:
        return None
    if observation.missing is not None:
        return f"there are no figures ({observation.missing}); more traffic for {version} waits for them"
    if share_of(observation, version) > 0 and watch["sample"] < limits.min_requests:
        return f"{watch['sample']} answers of {version} at this share; more traffic waits for {limits.min_requests}"
    if any(isinstance(action, Promote) for action in actions) and watch["sample"] < limits.min_requests:
        return f"{watch['sample']} answers of {version}; promotion waits for {limits.min_requests}"
    return None
