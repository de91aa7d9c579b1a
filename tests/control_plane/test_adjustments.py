"""Updates that need no new pods have an operation of their own, in the store (semantics §6.6)."""

from typing import Any

import pytest

from akstwin.cores.management import Facts, VersionFacts
from akstwin.domain.lifecycles import OperationState
from akstwin.sdk import wire


def known(bench: Any, *, serving: int = 1, asked: int = 1, name: str = "fraud") -> Facts:
    """Pods and router act by all that the runtime has been told."""
    generation = bench.runtime.generations.get(name, 0)
    return Facts(1, 1, rolled=True, routed=True, generation=generation, router_generation=generation,
                 access_generation=generation, versions={name: VersionFacts(asked, serving)})  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        {"num_replicas": 3},
        {"autoscale_enabled": True, "autoscale_min_replicas": 2, "autoscale_max_replicas": 4},
        {"scoring_timeout_ms": 5000},
        {"max_request_wait_time": 900},
        {"replica_max_concurrent_requests": 2},
        {"auth_enabled": False},
        {"auth_enabled": False, "token_auth_enabled": True},
        {"num_replicas": 2, "scoring_timeout_ms": 5000, "auth_enabled": False, "tags": {"a": "1"}},
    ],
)  # fmt: skip
def test_each_has_an_operation_that_ends_when_it_is_in_effect(bench: Any, arguments: dict[str, Any]) -> None:
    """The state stays, and the runtime is told what the facts are to say then."""
    bench.service(num_replicas=1)
    operation = bench.update(**arguments)
    assert bench.management.operations.get(operation).state is OperationState.RUNNING
    assert bench.management.services.get("fraud")["state"] == "Healthy"
    assert bench.runtime.generations == {"fraud": 1}
    asked = arguments.get("num_replicas", arguments.get("autoscale_min_replicas", 1))
    bench.runtime.lives["fraud"].observe(known(bench, serving=asked, asked=asked), bench.clock.now())
    assert bench.management.operations.get(operation).state is OperationState.SUCCEEDED


@pytest.mark.parametrize("arguments", [{"enable_app_insights": True}, {"num_replicas": 1}, {"auth_enabled": True}])
def test_what_changes_nothing_that_acts_has_an_operation_that_is_over(bench: Any, arguments: dict[str, Any]) -> None:
    """A client that waits for it goes on at once."""
    bench.service(num_replicas=1)
    operation = bench.update(**arguments)
    assert bench.management.operations.get(operation).state is OperationState.SUCCEEDED
    assert bench.runtime.told == []


@pytest.mark.parametrize("arguments", [{"description": "new"}, {"tags": {"a": "1"}}, {"properties": {"a": "1"}}])
def test_what_only_describes_has_none(bench: Any, arguments: dict[str, Any]) -> None:
    """It is there when the call returns."""
    bench.service()
    assert bench.update(**arguments) is None


def test_what_describes_a_version_has_none(bench: Any) -> None:
    """Its share has one."""
    bench.endpoint()
    patch = bench.management.services.patch
    assert patch("fraud", [{"op": "replace", "path": "/versions/blue/tags", "value": {"a": "1"}}]) is None
    assert patch("fraud", [{"op": "replace", "path": "/versions/blue/description", "value": "new"}]) is None
    assert patch("fraud", [{"op": "replace", "path": "/versions/blue/trafficPercentile", "value": 30}]) is not None
    assert patch("fraud", []) is None


def test_each_of_several_has_its_own(bench: Any) -> None:
    """Their ids differ, from each other and from the creation's; each ends with what it awaits."""
    created = bench.service(num_replicas=1)
    first = bench.update(num_replicas=3)
    second = bench.update(scoring_timeout_ms=5000)
    assert len({created, first, second}) == 3
    assert bench.management.services.get("fraud")["operationId"] == second
    bench.runtime.lives["fraud"].observe(known(bench, serving=1, asked=3), bench.clock.now())
    states = [bench.management.operations.get(each).state for each in (first, second)]
    assert states == [OperationState.RUNNING, OperationState.SUCCEEDED]
    bench.runtime.lives["fraud"].observe(known(bench, serving=1, asked=1), bench.clock.now())
    cancelled = bench.management.operations.get(first)
    assert (cancelled.state, cancelled.error["code"]) == (OperationState.CANCELLED, "Superseded")


def test_during_an_operation_it_is_taken(bench: Any) -> None:
    """It ends by itself, and the other goes on."""
    bench.service(num_replicas=1)
    rolls = bench.update(cpu_cores=2)
    assert bench.management.services.get("fraud")["operationId"] == rolls
    operation = bench.update(scoring_timeout_ms=5000)
    assert bench.management.services.get("fraud")["operationId"] == operation
    bench.runtime.lives["fraud"].deploying(bench.clock.now())
    bench.runtime.lives["fraud"].observe(
        Facts(1, 1, rolled=False, routed=False, generation=1, router_generation=1), bench.clock.now()
    )
    assert bench.management.operations.get(operation).state is OperationState.SUCCEEDED
    assert bench.management.operations.get(rolls).state is OperationState.RUNNING
    assert bench.management.services.get("fraud")["state"] == "Transitioning"


def test_a_deletion_ends_it(bench: Any) -> None:
    """The operation can still be asked for when the service is gone."""
    bench.service(num_replicas=1)
    operation = bench.update(num_replicas=3)
    deletion = bench.management.services.delete("fraud")
    assert bench.management.services.get("fraud")["operationId"] == deletion
    assert bench.management.operations.get(operation).state is OperationState.CANCELLED
    bench.runtime.vanish()
    assert bench.management.operations.get(operation).state is OperationState.CANCELLED


def test_a_restart_keeps_it(bench: Any) -> None:
    """It has the same id, goes on, and its time counts anew; the router knows it from the start."""
    bench.service(num_replicas=1)
    operation = bench.update(num_replicas=3)
    bench.clock.turn(3600)
    made = bench.another()
    made.restore()
    assert made.operations.get(operation).state is OperationState.RUNNING
    assert bench.runtime.generations["fraud"] == 1
    bench.runtime.lives["fraud"].observe(known(bench, serving=2, asked=3), bench.clock.now())
    assert made.operations.get(operation).state is OperationState.RUNNING
    bench.runtime.lives["fraud"].observe(known(bench, serving=3, asked=3), bench.clock.now())
    assert made.operations.get(operation).state is OperationState.SUCCEEDED


def test_a_restart_amid_a_roll_out_waits_for_the_router(bench: Any) -> None:
    """What served before is brought up first: the router acts by the update when that has been changed."""
    bench.service(num_replicas=1)
    bench.update(cpu_cores=2)
    bench.update(scoring_timeout_ms=5000)
    made = bench.another()
    told: list[int] = []
    restore = bench.runtime.restore
    bench.runtime.restore = lambda *given, ready, generation: (
        told.append(generation), restore(*given, ready=ready, generation=generation),
    )  # fmt: skip
    made.restore()
    assert (told, bench.runtime.generations) == ([0], {"fraud": 1})


def test_a_version_that_is_taken_away_has_one(bench: Any) -> None:
    """It is over when the router has forgotten the version; no state changes."""
    bench.endpoint()
    bench.management.services.patch(
        "fraud", wire.version_added_patch("green", ["blue"], {}, compute_name="aks", environment_image_request=None)
    )
    bench.runtime.settle()
    operation = bench.management.services.patch("fraud", wire.version_removed_patch("green"))
    assert bench.management.operations.get(operation).state is OperationState.RUNNING
    assert bench.management.services.get("fraud")["state"] == "Healthy"
    bench.runtime.lives["fraud"].observe(known(bench, name="fraud"), bench.clock.now())
    assert bench.management.operations.get(operation).state is OperationState.SUCCEEDED
