"""Rules that rollouts are compared with: never, always, and two of the kind that well-known tools have. Thresholds are ours.

Step analysis looks at the share of good answers of the last interval alone, and goes back at the first look below its threshold
(Argo Rollouts' analysis with `failureLimit: 0`). Failed checks does the same, and goes back at the fifth failed look (Flagger's
`threshold: 5`). Both take a look without answers as a good one, as those tools do unless told otherwise.
"""

from collections.abc import Sequence

from akstwin.clock import HOUR, MINUTE, Micros
from akstwin.domain.observation import Observation
from akstwin.policies import Decision, Hold, Limits, Promote, RollBack, SetTraffic, Verdict
from akstwin.policies.policy import State


class Reference:
    """What the four have in common: no sample, no budget, the policy's own deadline.

    Args:
        version: who gets the traffic.
        max_duration: after which it ends, µs.
    """

    name = ""

    def __init__(self, version: str, max_duration: int = 24 * HOUR) -> None:
        self.version = version
        self.interval = MINUTE
        self.limits = Limits(version, max_duration, "roll_back", 0, 1e12)


class Never(Reference):
    """Takes all traffic from the version at once."""

    name = "never"

    def decide(self, state: State, observation: Observation, now: Micros) -> Decision:  # noqa: ARG002 - the protocol's
        """Whatever is seen."""
        return Decision(None, (RollBack(self.version),), Verdict.FAIL, "never")


class Always(Reference):
    """Gives all traffic to the version at once."""

    name = "always"

    def decide(self, state: State, observation: Observation, now: Micros) -> Decision:  # noqa: ARG002 - the protocol's
        """Whatever is seen."""
        return Decision(None, (Promote(self.version),), Verdict.PASS, "always")


class StepAnalysis(Reference):
    """A threshold on the last interval, at each look.

    Args:
        version: who gets the traffic.
        steps: its shares, per cent.
        hold: how long each is watched, µs.
        least: share of good answers that is good enough.
        failures: failed looks that it takes back at.
        max_duration: after which it ends, µs.
    """

    name = "step analysis"

    def __init__(
        self,
        version: str,
        steps: Sequence[float],
        hold: int,
        least: float = 0.99,
        failures: int = 1,
        max_duration: int = 24 * HOUR,
    ) -> None:
        super().__init__(version, max_duration)
        self._steps, self._hold, self._least, self._failures = list(steps), hold, least, failures

    def decide(self, state: State, observation: Observation, now: Micros) -> Decision:
        """Go on by time alone, unless the last interval was bad too often."""
        if not state:
            begun = {"step": 0, "since": now, "failed": 0}
            return Decision(begun, (SetTraffic({self.version: self._steps[0]}),), Verdict.INCONCLUSIVE, "begins")
        seen = observation.versions[self.version]
        bad = seen.requests > 0 and seen.answers.get(200, 0) / seen.requests < self._least
        failed, step = state["failed"] + bad, state["step"]
        if failed >= self._failures:
            return Decision(None, (RollBack(self.version),), Verdict.FAIL, f"{failed} looks below {self._least:g}")
        kept = {**state, "failed": failed}
        if now - state["since"] < self._hold:
            return Decision(kept, (Hold(),), Verdict.INCONCLUSIVE, "holds")
        if step + 1 == len(self._steps):
            return Decision(None, (Promote(self.version),), Verdict.PASS, "held to the end")
        moved = {**kept, "step": step + 1, "since": now}
        return Decision(moved, (SetTraffic({self.version: self._steps[step + 1]}),), Verdict.PASS, "held")


class FailedChecks(StepAnalysis):
    """The same, and the fifth failed look ends it."""

    name = "failed checks"
