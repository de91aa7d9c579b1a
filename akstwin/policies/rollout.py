"""What rollouts judge: a version beside its control over the same time, metric by metric, by the three-way rule."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Any, Final

from akstwin.clock import SECOND, Micros
from akstwin.domain.observation import Observation
from akstwin.policies.figures import Totals, counts, is_scaling, since, totals_of
from akstwin.policies.policy import State, Verdict
from akstwin.policies.statistics import Counts, Worse, difference_below, e_value, log_e_above, upper

ALPHA: Final = 0.05
"""How often an equally good version may be rolled back, and how often one beyond the margin may pass, over all looks."""
MARGIN: Final = 0.005
"""Half a point: by so much a version's bad share may exceed its control's."""


@dataclass(frozen=True, slots=True)
class Metric:
    """What is compared.

    Attributes:
        name: `failed` or `slow`, of `figures.Totals`.
        margin: by how much the version's share may exceed the control's.
        ceiling: a share that is good enough whatever the control's is; None: there is none.
    """

    name: str
    margin: float = MARGIN
    ceiling: float | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """The three-way rule for one version.

    Attributes:
        version: who is judged.
        metrics: all must pass; one that fails is enough.
        slower_than: an answer that takes longer is slow, µs; None: latency is not judged.
        alpha: how often it may err, over all looks together.
        pause_while_scaling: whether latencies are left out while replicas of either version come or go.
    """

    version: str
    metrics: tuple[Metric, ...]
    slower_than: int | None = None
    alpha: float = ALPHA
    pause_while_scaling: bool = True


@dataclass(frozen=True, slots=True)
class Judged:
    """What a look at the figures gives.

    Attributes:
        state: what is remembered: plain data.
        verdict: pass, fail or inconclusive.
        reason: the figures behind it.
        scaling: whether replicas of either version come or go.
        sample: answers of the version in the latest block.
    """

    state: dict[str, Any]
    verdict: Verdict
    reason: str
    scaling: bool
    sample: int


def judge(rule: Rule, state: State, observation: Observation) -> Judged:
    """Count what has come since the last look, and judge all that was counted.

    Failures count always: what the model fails is not made by scaling. Latencies do not count while replicas of either version
    come or go, and decisions for more traffic wait until they stand.
    """
    if observation.missing is not None or not observation.versions:
        reason = f"there are no figures: {observation.missing or 'no version was seen'}"
        return Judged(dict(state), Verdict.INCONCLUSIVE, reason, False, 0)
    control = state.get("control") or observation.default
    if control is None or control == rule.version:
        reason = f"{rule.version} is the default version: there is no control beside it"
        return Judged(dict(state), Verdict.INCONCLUSIVE, reason, False, 0)
    if rule.version not in observation.versions:
        return Judged(dict(state), Verdict.INCONCLUSIVE, f"there is no version {rule.version}", False, 0)
    seen = {name: totals_of(observation, name, rule.slower_than) for name in (rule.version, control)}
    before: Mapping[str, Totals] = state.get("before") or seen
    block = {name: since(seen[name], before[name]) for name in seen}
    scaling = is_scaling(observation, rule.version) or is_scaling(observation, control)
    known: Mapping[str, Any] = state.get("evidence", {})
    evidence: dict[str, Any] = {}
    verdicts: list[Verdict] = []
    words: list[str] = []
    for metric in rule.metrics:
        worse = read_worse(known.get(metric.name))
        if not (metric.name == "slow" and scaling and rule.pause_while_scaling):
            worse = worse.add(counts(block[rule.version], metric.name), counts(block[control], metric.name))
        evidence[metric.name] = plain(worse)
        verdict, reason = _judged(rule, metric, worse)
        verdicts.append(verdict)
        words.append(reason)
    kept = {"control": control, "before": seen, "evidence": evidence}
    whole = (
        Verdict.FAIL
        if Verdict.FAIL in verdicts
        else Verdict.PASS
        if all(each is Verdict.PASS for each in verdicts)
        else Verdict.INCONCLUSIVE
    )
    return Judged({**state, **kept}, whole, "; ".join(words), scaling, block[rule.version]["judged"])


def _judged(rule: Rule, metric: Metric, worse: Worse) -> tuple[Verdict, str]:
    """Roll back on an e-process beyond 1/α; pass on a bound under the margin, or under the ceiling."""
    alpha = rule.alpha / len(rule.metrics)
    mine, control = worse.version, worse.control
    log_e = worse.log_e
    if metric.ceiling is not None:
        log_e = min(log_e, log_e_above(mine, metric.ceiling))  # both must speak against it
    words = f"{metric.name} {mine.bad} of {mine.answers}, control {control.bad} of {control.answers}"
    if log_e >= -log(alpha):
        return Verdict.FAIL, f"{words}: worse (e-value {e_value(log_e):.3g}, {1 / alpha:g} are enough)"
    if not mine.answers or not control.answers:
        return Verdict.INCONCLUSIVE, f"{words}: nothing to compare yet"
    most = difference_below(mine, control, rule.alpha)  # all metrics must pass: none of them needs a smaller α
    shown = f"{words}: at most {100 * most:.2f} points worse, margin {100 * metric.margin:g}"
    if most < metric.margin:
        return Verdict.PASS, shown
    if metric.ceiling is not None and (largest := upper(mine, rule.alpha)) <= metric.ceiling:
        return Verdict.PASS, f"{words}: at most {100 * largest:.2f} % bad, {100 * metric.ceiling:g} are allowed"
    return Verdict.INCONCLUSIVE, f"{shown} (e-value {e_value(log_e):.3g})"


def plain(worse: Worse) -> dict[str, Any]:
    """Evidence as state keeps it."""
    return {
        "version": [worse.version.answers, worse.version.bad],
        "control": [worse.control.answers, worse.control.bad],
        "logs": list(worse.logs),
    }


def read_worse(given: Mapping[str, Any] | None) -> Worse:
    """Evidence from state; None: there is none yet."""
    if given is None:
        return Worse()
    return Worse(Counts(*given["version"]), Counts(*given["control"]), tuple(given["logs"]))


def seconds(span: int) -> str:
    """A span in words."""
    return f"{Micros(span) / SECOND:g} s"
