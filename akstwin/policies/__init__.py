"""Rollout policies, written against the SDK's verbs only: the same object runs in virtual time and on a cluster.

policy    what a policy is, and what it may call      runner    the one way to run it
canary    a rollout step by step
"""

from akstwin.policies.canary import Canary, CanarySpec
from akstwin.policies.policy import Policy


def policy_of(spec: CanarySpec) -> Policy:
    """The policy that a scenario asks for, at its beginning."""
    return Canary(spec)
