"""A world that has stood still: what a management service made anew tells it to do, by what is kept of each service."""

from typing import Any

from akstwin.clock import HOUR, SECOND
from akstwin.cores.management import Facts, Waiting
from akstwin.cores.routing import KeyAuth
from akstwin.domain.lifecycles import OperationState

ROLL = {"cpu_cores": 0.7}


def restored(bench: Any) -> Any:
    """The management service after an hour in which nothing was."""
    bench.clock.plans.clear()
    bench.runtime.told.clear()
    bench.runtime.lives.clear()
    bench.clock.turn(3600)
    bench.management = bench.another()
    bench.management.restore()
    return bench.management


def test_a_healthy_service_is_there_at_once(bench: Any) -> None:
    """On its cluster, with its keys."""
    bench.service(primary_key="mine")
    management = restored(bench)
    assert [told[0] for told in bench.runtime.told] == ["create_cluster", "restore"]
    assert bench.runtime.told[1] == ("restore", "fraud", "aks", "ready")
    assert bench.runtime.auth["fraud"] == KeyAuth("mine", "secret-1")
    assert management.services.get("fraud")["state"] == "Healthy"


def test_a_creation_begins_anew(bench: Any) -> None:
    """With all its time, and the operation that it had."""
    bench.cluster()
    operation = bench.management.services.create(bench.payload({"environment": {"name": "a"}}))
    management = restored(bench)
    assert bench.runtime.told[-1] == ("create", "fraud", "aks", "BuildImage")
    now = bench.clock.now()
    bench.runtime.lives["fraud"].observe(Facts(1, 0, rolled=False, routed=False), now + 60 * SECOND)
    assert management.operations.get(operation).state is OperationState.RUNNING  # the hour does not count
    bench.runtime.settle()
    assert management.operations.get(operation).state is OperationState.SUCCEEDED


def test_an_update_begins_from_what_served(bench: Any) -> None:
    """Then what was to come is to come again, changes that acted at once included."""
    bench.endpoint()
    operation = (
        bench.management.services.patch("fraud", [{"op": "add", "path": "/versions/blue/tags", "value": {}}]) or ""
    )
    patch = [{"op": "replace", "path": "/versions/blue/containerResourceRequirements/cpu", "value": 0.7}]
    operation = bench.management.services.patch("fraud", patch)
    assert operation is not None
    management = restored(bench)
    assert [told[:2] for told in bench.runtime.told[1:]] == [("restore", "fraud"), ("change", "fraud")]
    assert bench.runtime.told[1][3] == "ready"
    assert bench.runtime.told[2][2] == ["PodsReplaced"]
    bench.runtime.settle()
    assert management.operations.get(operation).state is OperationState.SUCCEEDED
    restored(bench)
    assert bench.runtime.told[1:] == [("restore", "fraud", "aks", "ready")]  # what served before is forgotten


def test_an_update_that_failed_begins_from_what_served(bench: Any) -> None:
    """It is not well, and stays so; the operation is not run again."""
    bench.service()
    operation = bench.update(**ROLL)
    failing = Facts(1, 1, rolled=False, routed=False, waiting=Waiting(bench.clock.now()))
    bench.runtime.lives["fraud"].deploying(bench.clock.now())
    bench.runtime.lives["fraud"].observe(failing, bench.clock.now() + HOUR)
    assert bench.management.services.get("fraud")["state"] == "Unschedulable"
    management = restored(bench)
    assert [told[0] for told in bench.runtime.told[1:]] == ["restore", "change"]
    assert management.services.get("fraud")["state"] == "Unschedulable"
    assert management.operations.get(operation).state is OperationState.FAILED


def test_a_creation_that_failed_starts_again_by_itself(bench: Any) -> None:
    """As its pods would have: nothing of it has ever served."""
    bench.cluster()
    bench.management.services.create(bench.payload())
    bench.runtime.lives["fraud"].deploying(bench.clock.now())
    bench.runtime.lives["fraud"].observe(Facts(1, 0, rolled=False, routed=False, restarts=99), bench.clock.now())
    assert bench.management.services.get("fraud")["state"] == "Failed"
    restored(bench)
    assert bench.runtime.told[1:] == [("restore", "fraud", "aks", "cold")]


def test_a_deletion_is_over(bench: Any) -> None:
    """No pod is left."""
    bench.service()
    operation = bench.management.services.delete("fraud")
    management = restored(bench)
    assert [told[0] for told in bench.runtime.told] == ["create_cluster"]
    assert management.operations.get(operation).state is OperationState.SUCCEEDED
    assert bench.store.keys("service") == bench.store.keys("life") == bench.store.keys("whole") == []


def test_what_served_has_its_models_though_they_are_gone(bench: Any) -> None:
    """They were deleted while another one was on its way in."""
    bench.cluster()
    old, new = bench.model(), bench.model()
    request = {"modelIds": [old], "assets": [], "environment": {"name": "a"}}
    bench.management.services.create(bench.payload(request))
    bench.runtime.settle()
    bench.update(environment_image_request={**request, "modelIds": [new]})
    bench.management.models.delete(old)
    bench.runtime.told.clear()
    seen: list[Any] = []
    bench.runtime.restore = lambda *given, **_: seen.append([model["id"] for model in given[2]["fraud"].models])
    restored(bench)
    assert seen == [[old]]


def test_a_cluster_that_was_on_its_way_comes(bench: Any) -> None:
    """When it was to come, or now if that has passed."""
    bench.management.computes.put("aks", {"location": "w", "properties": {"computeType": "AKS", "properties": {}}})
    management = restored(bench)
    bench.clock.turn(0)
    assert [told[0] for told in bench.runtime.told] == ["create_cluster"]
    assert management.computes.get("aks")["properties"]["provisioningState"] == "Succeeded"
