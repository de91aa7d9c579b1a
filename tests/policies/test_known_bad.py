"""Each known mistake is caught by a ready-made property, as the published table says; and a good policy passes."""

from pathlib import Path
from typing import Any

import pytest
from support.known_bad import CASES, Case

from akstwin import AksEndpoint, Workspace
from akstwin.policies import Canary, CanarySpec
from akstwin.testing.checkers import (
    Checker,
    ends_by,
    no_scale_down_under_traffic,
    promotion_needs_as_good,
    rarely,
    rolled_back,
    rollout,
)
from akstwin.testing.checkers import removal_needs_a_ready_heir as removal
from akstwin.testing.histories import History, record

TABLE = Path(__file__).parents[2] / "docs" / "reference" / "known-bad-policies.md"
CHECKERS: tuple[Checker, ...] = (
    *rollout(), ends_by("35m"), removal(), no_scale_down_under_traffic(), promotion_needs_as_good(slower_than="250ms"),
)  # fmt: skip


def scenario(case: Case, seed: int) -> dict[str, Any]:
    """Blue and green, six requests a second, 40 minutes."""
    model = {"service_time": "50ms", **case.both}
    return {
        "seed": seed,
        "duration": "40m",
        "cluster": {"nodes": 4},
        "endpoint": {
            "name": "svc",
            "versions": [
                {"name": "blue", "deploy": {"is_default": True, "num_replicas": 3}, "model": model},
                {"name": "green", "deploy": {"num_replicas": 2}, "model": {**model, **case.green}},
            ],
        },
        "traffic": [{"shape": "poisson", "rate": 6}],
        **case.changes,
    }


def history(case: Case, policy: Any, seed: int, **given: Any) -> History:
    """What a policy does in the case's world."""
    ws = Workspace.simulated(scenario=scenario(case, seed))
    try:
        return record(policy, AksEndpoint(ws, "svc"), "40m", **{**case.record, **given})
    finally:
        ws.backend.close()


def caught(case: Case, seeds: int = 3) -> set[str]:
    """Names of the properties that its history breaks, in any of some worlds."""
    found: set[str] = set()
    for seed in range(1, seeds + 1):
        seen = history(case, case.policy(), seed, limited=False, remake=case.policy)
        found |= {each.name for each in CHECKERS if each.check(seen).broken}
    if case.number == 8:  # an error rate shows in many worlds only
        worlds = [history(case, case.policy(), seed, limited=False) for seed in range(1, 21)]
        if rarely(worlds, rolled_back, 0.05, EQUAL_RATE).broken:
            found.add(EQUAL_RATE)
    return found


EQUAL_RATE = "rolls back an equal version in at most 5 % of worlds"


def test_there_are_23() -> None:
    """None is forgotten."""
    assert [case.number for case in CASES] == list(range(1, 24))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.number}-{case.policy.__name__}")
def test_each_known_mistake_is_caught(case: Case) -> None:
    """By the property that the published table names."""
    rows = dict(line.split("|")[1:3] for line in TABLE.read_text("utf-8").splitlines() if line.startswith("| `"))
    name = case.policy.__name__
    (promised,) = [what.strip() for who, what in rows.items() if who.strip() == f"`{name}`"]
    assert promised in caught(case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.number}-{case.policy.__name__}")
def test_a_good_policy_passes_in_the_same_worlds(case: Case) -> None:
    """So that a property does not catch whatever comes: the canary of the library, in each of the 23 worlds."""
    told = {
        "kind": "canary",
        "version": "green",
        "steps": [20, 50],
        "hold": "3m",
        "slower_than": "250ms",
        "max_duration": "30m",
    }
    policy = Canary(CanarySpec.model_validate(told))
    checkers = (*rollout("250ms"), ends_by("35m"), removal(), no_scale_down_under_traffic())
    seen = history(case, policy, 1, also=(), remake=lambda: Canary(CanarySpec.model_validate(told)))
    assert {each.name: each.check(seen).broken for each in checkers if each.check(seen).broken} == {}
