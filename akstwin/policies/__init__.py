"""Policies: rollouts and scaling as code that decides on plain data, run in every world by one runner.

policy      what a policy is, and its limits              actions      what it may do
runner      the one way to run it                         running      `run_policy`, and scripts that wait
limiting    deadline, sample and harm, for all of them    performing   actions on an endpoint
journal     every decision, so that a run can go on       figures      what an observation gives
statistics  tests that may be looked at at any time       rollout      the three-way rule
canary, blue_green, ab_test, scheduled   the built-in ones
"""

from typing import Annotated, Any

from pydantic import Field

from akstwin.policies.ab_test import ABTest, ABTestSpec
from akstwin.policies.actions import (
    Action,
    Hold,
    Promote,
    RemoveVersion,
    RollBack,
    SetBounds,
    SetReplicas,
    SetTraffic,
)
from akstwin.policies.blue_green import BlueGreen, BlueGreenSpec
from akstwin.policies.canary import Canary, CanarySpec
from akstwin.policies.policy import Decision, Limits, Policy, StepPolicy, Verdict
from akstwin.policies.running import ScriptClock, run_policy
from akstwin.policies.scheduled import ScheduledScaling, ScheduledScalingSpec, ScheduleEntry

PolicySpec = Annotated[
    CanarySpec | BlueGreenSpec | ABTestSpec | ScheduledScalingSpec,
    Field(discriminator="kind"),
]
"""An entry of a scenario's `policies:`."""
_POLICIES: dict[type[Any], type[Any]] = {
    CanarySpec: Canary, BlueGreenSpec: BlueGreen, ABTestSpec: ABTest, ScheduledScalingSpec: ScheduledScaling,
}  # fmt: skip


def policy_of(spec: CanarySpec | BlueGreenSpec | ABTestSpec | ScheduledScalingSpec) -> Policy:
    """The policy that a scenario asks for, at its beginning."""
    made: Policy = _POLICIES[type(spec)](spec)
    return made


__all__ = [
    "ABTest", "ABTestSpec", "Action", "BlueGreen", "BlueGreenSpec", "Canary", "CanarySpec", "Decision", "Hold", "Limits",
    "Policy", "PolicySpec", "Promote", "RemoveVersion", "RollBack", "ScheduleEntry", "ScheduledScaling",
    "ScheduledScalingSpec", "ScriptClock", "SetBounds", "SetReplicas", "SetTraffic", "StepPolicy", "Verdict", "policy_of",
    "run_policy",
]  # fmt: skip
