"""Twenty-three policies with one known mistake each, and for each a world that shows it."""

# ruff: noqa: D102 - the classes say what is wrong

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

from akstwin.clock import MINUTE, SECOND, Micros
from akstwin.domain.observation import Observation, VersionObservation
from akstwin.policies import Decision, Hold, Limits, Promote, RemoveVersion, RollBack, SetReplicas, SetTraffic, Verdict

GREEN = "green"
NOTHING = VersionObservation()
FREE = Limits(GREEN, 365 * 24 * 3600 * SECOND, "hold", 0, 1e12)


class Bad:
    """A policy of its own limits that hold nothing back; `judge` says what comes after the first step."""

    interval = MINUTE
    limits = FREE
    share = 20.0

    def decide(self, state: Mapping[str, Any], seen: Observation, now: Micros) -> Decision:
        """Begin at a share, then judge."""
        if not state:
            return Decision(self.begun(seen, now), (SetTraffic({GREEN: self.share}),), Verdict.INCONCLUSIVE, "begins")
        return self.judge(state, seen, now, seen.versions.get(GREEN, NOTHING))

    def begun(self, seen: Observation, now: Micros) -> dict[str, Any]:
        """The first state."""
        return {"begun": now, "looks": 0}

    def judge(self, state: Mapping[str, Any], seen: Observation, now: Micros, green: VersionObservation) -> Decision:
        """Go on, go back, or hold."""
        raise NotImplementedError


def hold(state: Mapping[str, Any], **kept: Any) -> Decision:
    """Nothing."""
    return Decision({**state, **kept, "looks": state.get("looks", 0) + 1}, (Hold(),), Verdict.INCONCLUSIVE, "holds")


def promote(reason: str = "good") -> Decision:
    """All traffic."""
    return Decision(None, (Promote(GREEN),), Verdict.PASS, reason)


def back(reason: str = "bad") -> Decision:
    """No traffic."""
    return Decision(None, (RollBack(GREEN),), Verdict.FAIL, reason)


def after(looks: int, state: Mapping[str, Any]) -> Decision:
    """Promote after so many looks."""
    return promote() if state["looks"] + 1 >= looks else hold(state)


class PromotesOnEmptyMetrics(Bad):
    """1: nothing seen is nothing bad."""

    def judge(self, state: Any, seen: Any, now: Any, green: Any) -> Decision:
        return promote() if not green.error_rate else back()


class OneErrorIsEnough(Bad):
    """2: rolls back on one error of one request."""

    def judge(self, state: Any, seen: Any, now: Any, green: Any) -> Decision:
        return back() if green.window.first.failures else after(15, state)


class IgnoresTheRemainder(Bad):
    """3: gives the default version a share by name, as if it did not get what the others leave."""

    def judge(self, state: Any, seen: Any, now: Any, green: Any) -> Decision:
        return Decision(state, (SetTraffic({"blue": 60.0, GREEN: 40.0}),), Verdict.PASS, "40 and 60")


class Flaps(Bad):
    """4: between two shares."""

    def judge(self, state: Any, seen: Any, now: Any, green: Any) -> Decision:
        share = 10.0 if green.traffic_share > 15 else 20.0
        return Decision({**state}, (SetTraffic({GREEN: share}),), Verdict.INCONCLUSIVE, "the other one")


class Over100(Bad):
    """5: doubles its share once more."""

    def judge(self, state: Any, seen: Any, now: Any, green: Any) -> Decision:
        share = green.traffic_share * 2
        return Decision({**state}, (SetTraffic({GREEN: share}),), Verdict.PASS, "twice as much")


class NeverEnds(Bad):
    """6: waits for traffic."""

    def judge(self, state: Any, seen: Any, now: Any, green: Any) -> Decision:
        return promote() if green.total.first.judged > 100 else hold(state)


class ByTimeAlone(Bad):
    """7: promotes on elapsed time."""

    def judge(self, state: Any, seen: Any, now: Any, green: Any) -> Decision:
        return promote() if now - state["begun"] >= 10 * MINUTE else hold(state)


class RepeatedTest(Bad):
    """8: a z test at every look, each at 5 %."""

    def judge(self, state: Any, seen: Any, now: Any, green: Any) -> Decision:
        mine, other = green.total.first, seen.versions["blue"].total.first
        if mine.judged and other.judged:
            pooled = (mine.failures + other.failures) / (mine.judged + other.judged)
            spread = sqrt(pooled * (1 - pooled) * (1 / mine.judged + 1 / other.judged))
            if spread and (mine.failures / mine.judged - other.failures / other.judged) / spread > 1.645:
                return back()
        return after(30, state)


class FixedThreshold(Bad):
    """9: one per cent, whatever both suffer."""

    def judge(self, state: Any, seen: Any, now: Any, green: Any) -> Decision:
        first = green.window.first
        return back() if first.judged and first.failures / first.judged > 0.01 else after(30, state)


class AnotherHour(Bad):
    """10: compares with what the control did in the first minutes."""

    def judge(self, state: Any, seen: Any, now: Any, green: Any) -> Decision:
        known = state.get("then")
        if known is None:
            return hold(state, then=seen.versions["blue"].latency_ms.get("p90", 0.0))
        return back() if green.latency_ms.get("p90", 0.0) > known * 2 else after(30, state)


class CountsTheRouter(Bad):
    """11: every answer that is not 200 is the version's fault."""

    def judge(self, state: Any, seen: Any, now: Any, green: Any) -> Decision:
        return back() if green.error_rate is not None and green.error_rate > 0.05 else after(20, state)


class CountsRetries(Bad):
    """12: attempts are users."""

    def judge(self, state: Any, seen: Any, now: Any, green: Any) -> Decision:
        failed = state.get("failed", 0) + green.window.first.failures + green.window.retries.failures
        return back() if failed >= 3 else hold(state, failed=failed) if state["looks"] < 30 else promote()


class PromotesWhileStarting(Bad):
    """13: more replicas, and all traffic before they are there."""

    def judge(self, state: Any, seen: Any, now: Any, green: Any) -> Decision:
        if state["looks"] == 3:
            return Decision({**state, "looks": 4}, (SetReplicas(4, GREEN),), Verdict.PASS, "room for all")
        return after(5, state) if state["looks"] == 4 else hold(state)


class Averages(Bad):
    """14: the mean is as good."""

    def judge(self, state: Any, seen: Any, now: Any, green: Any) -> Decision:
        if state["looks"] < 10:
            return hold(state)
        mine, other = green.latency_ms.get("mean", 0), seen.versions["blue"].latency_ms.get("mean", 0)
        return promote() if mine <= other * 1.5 else back()


class SuccessesOnly(Bad):
    """15: what is answered is quick; what is not is not looked at."""

    def judge(self, state: Any, seen: Any, now: Any, green: Any) -> Decision:
        return promote() if state["looks"] >= 10 and green.latency_ms.get("p99", 0) < 300 else hold(state)


class LastWindowOnly(Bad):
    """16: forgets earlier failures."""

    def judge(self, state: Any, seen: Any, now: Any, green: Any) -> Decision:
        return promote() if state["looks"] >= 12 and not green.window.first.failures else hold(state)


class LeavesOnePerCent(Bad):
    """17: rolls back, nearly."""

    def judge(self, state: Any, seen: Any, now: Any, green: Any) -> Decision:
        if green.total.first.failures > 20:
            return Decision(None, (SetTraffic({GREEN: 1.0}),), Verdict.FAIL, "nearly nothing")
        return hold(state)


class DeletesTheOldOne(Bad):
    """18: before the new one is ready: it is promoted, given more replicas, and the old one is gone."""

    def judge(self, state: Any, seen: Any, now: Any, green: Any) -> Decision:
        if state["looks"] == 8:
            actions = (SetReplicas(4, GREEN), Promote(GREEN), RemoveVersion("blue"))
            return Decision(None, actions, Verdict.PASS, "out with the old")
        return hold(state)


class ScalesDownFirst(Bad):
    """19: takes replicas while traffic is still there."""

    def judge(self, state: Any, seen: Any, now: Any, green: Any) -> Decision:
        if green.total.first.failures > 20:
            return Decision(None, (SetReplicas(1, GREEN), RollBack(GREEN)), Verdict.FAIL, "cheap, then safe")
        return hold(state)


class OneOfTwo(Bad):
    """20: another policy moves the same version."""

    def judge(self, state: Any, seen: Any, now: Any, green: Any) -> Decision:
        return after(15, state)


class TheOther(Bad):
    """20: that one."""

    share = 35.0

    def judge(self, state: Any, seen: Any, now: Any, green: Any) -> Decision:
        return hold(state)


class WaitsAtAGate(Bad):
    """21: somebody has to say yes; meanwhile it does nothing."""

    def judge(self, state: Any, seen: Any, now: Any, green: Any) -> Decision:
        return hold(state)


class WallTime(Bad):
    """22: by the clock on the wall, which does not move in a simulation."""

    def begun(self, seen: Observation, now: Micros) -> dict[str, Any]:
        return {"begun": time.time(), "looks": 0}  # noqa: TID251 - the mistake

    def judge(self, state: Any, seen: Any, now: Any, green: Any) -> Decision:
        return promote() if time.time() - state["begun"] >= 600 else hold(state)  # noqa: TID251 - the mistake


class RepeatsAStep(Bad):
    """23: remembers where it was by itself, and not in its state."""

    def __init__(self) -> None:
        self.step = 0

    def decide(self, state: Any, seen: Any, now: Any) -> Decision:
        """Four steps."""
        self.step += 1
        share = min(80.0, 20.0 * self.step)
        return Decision({"on": True}, (SetTraffic({GREEN: share}),), Verdict.PASS, f"step {self.step}")


@dataclass(frozen=True)
class Case:
    """A bad policy, and the world that shows it.

    Attributes:
        number: in the list.
        policy: it.
        green: what green's model is.
        both: what both models are.
        changes: of the scenario.
        record: how it is run.
    """

    number: int
    policy: Callable[[], Bad]
    green: dict[str, Any] = field(default_factory=dict)
    both: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)


RETRIES = {"clients": {"retry": {"statuses": [502, 503], "attempts": 4, "backoff": "100ms"}}}
SHARED = {"failure_rate": 0.1}
FAILING = {"failure_rate": 0.2}
NO_TRAFFIC = {"traffic": []}
SLOW_FIFTH = {"service_time": {"distribution": "lognormal", "mean": "60ms", "cv": 4}}
EVENING = [
    {"kind": "slow_replica", "version": version, "at": "8m", "lasts": "25m", "factor": 3, "count": count}
    for version, count in (("blue", 3), ("green", 2))
]
CASES = (
    Case(1, PromotesOnEmptyMetrics, changes=NO_TRAFFIC),
    Case(2, OneErrorIsEnough, both={"failure_rate": 0.01}),
    Case(3, IgnoresTheRemainder),
    Case(4, Flaps),
    Case(5, Over100),
    Case(6, NeverEnds, changes=NO_TRAFFIC),
    Case(7, ByTimeAlone, green=FAILING),
    Case(8, RepeatedTest, both={"failure_rate": 0.05}),
    Case(9, FixedThreshold, both=SHARED),
    Case(10, AnotherHour, changes={"faults": EVENING}),
    Case(11, CountsTheRouter, green={"service_time": "900ms"}),
    Case(12, CountsRetries, both={"failure_rate": 0.002}, changes=RETRIES),
    Case(13, PromotesWhileStarting, green={"init_time": "100s"}),
    Case(14, Averages, green=SLOW_FIFTH),
    Case(15, SuccessesOnly, green={"failure_rate": 0.1}),
    Case(16, LastWindowOnly, green={"failure_rate": 0.03}),
    Case(17, LeavesOnePerCent, green=FAILING),
    Case(18, DeletesTheOldOne, green={"init_time": "100s"}),
    Case(19, ScalesDownFirst, green=FAILING),
    Case(20, OneOfTwo, record={"also": [TheOther()]}),
    Case(21, WaitsAtAGate, green=FAILING),
    Case(22, WallTime),
    Case(23, RepeatsAStep, record={"restart_at": [2]}),
)
