"""The management service's verbs for files, models, environments and compute targets."""

from pathlib import Path
from typing import Any

import pytest

from akstwin.backend import ModelQuery
from akstwin.cores.registry import CURATED_ENVIRONMENTS
from akstwin.domain.lifecycles import OperationState
from akstwin.errors import Conflict, InUse, InvalidSetting, NotFound

AKS = {"properties": {"computeType": "AKS"}}
CLUSTER = "/subscriptions/s/resourcegroups/g/providers/Microsoft.ContainerService/managedClusters/mine"
ATTACHED = {"properties": {"computeType": "AKS", "resourceId": CLUSTER}}


def ids(documents: list[dict[str, Any]]) -> list[str]:
    """Names of what was found."""
    return [document["id"] for document in documents]


def test_models_are_numbered_by_name(bench: Any) -> None:
    """A number is not given twice, even if its model was deleted."""
    assert [bench.model(), bench.model(), bench.model("other")] == ["model:1", "model:2", "other:1"]
    bench.management.models.delete("model:2")
    assert bench.model() == "model:3"
    with pytest.raises(NotFound, match="model model:2 is not registered"):
        bench.management.models.get("model:2")


def test_lists_show_the_newest_first(bench: Any) -> None:
    """Within a name by number, between instants by time; `latest` leaves one of each."""
    bench.model()
    bench.clock.turn(1)
    bench.model("other", framework="Onnx")
    bench.model(kvTags={"a": "b"})

    assert ids(bench.management.models.find(ModelQuery())) == ["model:2", "other:1", "model:1"]
    assert ids(bench.management.models.find(ModelQuery(latest=True))) == ["model:2", "other:1"]
    assert ids(bench.management.models.find(ModelQuery(name="model"))) == ["model:2", "model:1"]
    assert ids(bench.management.models.find(ModelQuery(framework="Onnx"))) == ["other:1"]
    assert ids(bench.management.models.find(ModelQuery(tags=(("a", "b"),)))) == ["model:2"]
    bench.management.models.delete("model:2")
    assert ids(bench.management.models.find(ModelQuery(name="model", latest=True))) == ["model:1"]


def test_a_model_needs_its_files(bench: Any) -> None:
    """An asset needs uploaded files, a model an asset; a refused one takes no number."""
    with pytest.raises(NotFound, match="no file LocalUpload/nope"):
        bench.management.models.create_asset({"name": "a", "artifacts": [{"prefix": "LocalUpload/nope"}]})
    with pytest.raises(NotFound, match="asset 1 is not there"):
        bench.management.models.register({"name": "model", "url": "aml://asset/1"})
    assert bench.model() == "model:1"
    url = bench.management.models.get("model:1")["url"]
    asset = bench.management.models.get_asset(url.removeprefix("aml://asset/"))
    assert asset["artifacts"] == [{"prefix": "LocalUpload/c"}]


def test_a_model_is_patched(bench: Any) -> None:
    """And keeps it."""
    patched = bench.management.models.patch(bench.model(), [{"op": "replace", "path": "/description", "value": "x"}])

    assert patched["description"] == "x"
    assert bench.management.models.get("model:1") == patched


def test_a_deployed_model_stays(bench: Any) -> None:
    """Until its service is gone."""
    model = bench.model()
    bench.service(request={"modelIds": [model]})
    with pytest.raises(InUse, match="model model:1 is deployed: fraud would lose it"):
        bench.management.models.delete(model)
    bench.management.services.delete("fraud")
    bench.runtime.vanish()
    bench.management.models.delete(model)


def test_environments(bench: Any) -> None:
    """Equal ones are one; the newest is what a name means."""
    first = bench.management.environments.put("sk", None, {"Docker": {"baseImage": "a"}})
    assert bench.management.environments.put("sk", None, {"docker": {"baseImage": "a"}}) == first
    second = bench.management.environments.put("sk", None, {"docker": {"baseImage": "b"}})
    bench.management.environments.put("other", "v1", {})

    assert (first["version"], second["version"]) == ("1", "2")
    assert bench.management.environments.get("sk") == second
    assert bench.management.environments.get("sk", "1") == first
    names = [document["name"] for document in bench.management.environments.newest()]
    assert names == sorted([*CURATED_ENVIRONMENTS, "other", "sk"])
    with pytest.raises(NotFound, match="environment sk:3 is not registered"):
        bench.management.environments.get("sk", "3")


@pytest.mark.parametrize(("payload", "seconds"), [(AKS, 600), (ATTACHED, 300)])
def test_a_cluster_takes_time(bench: Any, payload: dict[str, Any], seconds: float) -> None:
    """It can be read at once, and used when its nodes are there."""
    operation = bench.management.computes.put("aks", payload)

    assert bench.management.computes.get("aks")["properties"]["provisioningState"] == "Creating"
    bench.clock.turn(seconds - 0.001)
    assert bench.runtime.told == []
    assert bench.management.operations.get(operation).state is OperationState.RUNNING
    for refused in (
        lambda: bench.management.computes.delete("aks", "delete"),
        lambda: bench.management.computes.put("aks", payload),
    ):
        with pytest.raises(Conflict, match="is not ready"):
            refused()
    bench.clock.turn(0.001)
    assert bench.runtime.told == [("create_cluster", "aks", 3)]
    assert bench.management.computes.get("aks")["properties"]["provisioningState"] == "Succeeded"
    assert bench.management.operations.get(operation).state is OperationState.SUCCEEDED


def test_a_cluster_is_attached_once(bench: Any) -> None:
    """Under one name."""
    bench.management.computes.put("aks", ATTACHED)
    kept = bench.kept()
    with pytest.raises(Conflict, match="is compute target aks already"):
        bench.management.computes.put("other", ATTACHED)
    assert bench.kept() == kept


def test_a_cluster_with_services_stays(bench: Any) -> None:
    """Until they are gone; then it is gone at once."""
    bench.service()
    with pytest.raises(InUse, match="compute target aks has services: fraud"):
        bench.management.computes.delete("aks", "detach")
    bench.management.services.delete("fraud")
    bench.runtime.vanish()
    with pytest.raises(InvalidSetting, match="'drop' is not delete or detach"):
        bench.management.computes.delete("aks", "drop")
    operation = bench.management.computes.delete("aks", "delete")

    assert bench.runtime.told[-1] == ("end_cluster", "aks")
    assert bench.management.operations.get(operation).state is OperationState.SUCCEEDED
    assert bench.management.computes.all() == []
    with pytest.raises(NotFound, match="compute target aks is not there"):
        bench.management.computes.get("aks")


def test_an_update_of_a_cluster_acts_at_once(bench: Any) -> None:
    """Without the runtime."""
    bench.cluster()
    told = list(bench.runtime.told)
    settings = {"sslConfiguration": {"status": "Auto"}}
    operation = bench.management.computes.put("aks", {"properties": {"computeType": "AKS", "properties": settings}})

    assert bench.management.operations.get(operation).state is OperationState.SUCCEEDED
    assert bench.management.computes.get("aks")["properties"]["properties"]["sslConfiguration"] == {"status": "Auto"}
    assert bench.runtime.told == told


@pytest.mark.parametrize(
    ("ssl", "begins"),
    [
        (None, "http://127.0.0.1:8899/"),
        ({"status": "Auto", "leafDomainLabel": "shop"}, "https://127.0.0.1:8899/"),
        ({"status": "Enabled", "cname": "shop.example", "cert": "C", "key": "K"}, "https://127.0.0.1:8899/"),
        ({"status": "Disabled"}, "http://127.0.0.1:8899/"),
    ],
)
def test_scoring_uris_of_a_cluster_with_tls_are_https(bench: Any, ssl: Any, begins: str) -> None:
    """At once for the services that are there."""
    bench.cluster()
    bench.service()
    change = {"properties": {"computeType": "AKS", "properties": {"sslConfiguration": ssl}}}
    bench.management.computes.put("aks", change)

    assert bench.management.services.get("fraud")["scoringUri"].startswith(begins)


def test_nobody_logs_in_to_a_cluster_without_an_api(bench: Any) -> None:
    """Refused by name, not answered with something that looks like a login."""
    bench.cluster()
    with pytest.raises(InvalidSetting, match="get_credentials: 'aks' is not a cluster with a Kubernetes API server"):
        bench.management.computes.credentials("aks")
    with pytest.raises(NotFound):
        bench.management.computes.credentials("other")


def test_what_takes_time_goes_on_in_a_manager_made_anew(bench: Any) -> None:
    """At the same instant, or at once if that has passed."""
    operation = bench.management.computes.put("aks", AKS)
    bench.clock.plans.clear()
    bench.clock.turn(700)
    again = bench.another()
    again.resume()
    bench.clock.turn(0)

    assert bench.runtime.told == [("create_cluster", "aks", 3)]
    assert again.operations.get(operation).state is OperationState.SUCCEEDED


def test_ids_are_the_same_in_the_same_world(bench: Any, tmp_path: Path) -> None:
    """And unlike each other within it."""
    one, two = bench.management.computes.put("aks", AKS), bench.management.computes.put("other", AKS)
    world = type(bench)(tmp_path / "other")

    assert one != two
    assert (world.management.computes.put("aks", AKS), world.management.computes.put("other", AKS)) == (one, two)
    with pytest.raises(NotFound, match="no operation nope"):
        bench.management.operations.get("nope")
