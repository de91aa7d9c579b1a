"""The form that clients read documents in: refused by name where it is new, left out where it is old."""

from typing import Any

import pytest

from akstwin.clock import Micros
from akstwin.cores.management import ServiceLimits, ServiceRecord, Surroundings, create, healthy, service_document
from akstwin.cores.management.documents import DeploymentStatus
from akstwin.cores.registry import (
    EnvironmentRecord,
    ModelRecord,
    environment_document,
    model_document,
    read_environment,
    register_model,
)
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.forms import ENVIRONMENT, fitted
from akstwin.errors import InvalidSetting

LIMITS = ServiceLimits.of(Assumptions())
WRONG: dict[str, Any] = {
    "python": "3.8",
    "python.userManagedDependencies": "no",
    "python.condaDependencies": [],
    "python.condaDependencies.packages": [],
    "python.condaDependencies.dependencies": {"pip": []},
    "python.condaDependencies.dependencies[0]": None,
    "python.condaDependencies.dependencies[1]": {"npm": []},
    "docker.arguments": "-v",
    "docker.baseImage": {},
    "docker.buildContext.locationType": "ftp",
    "docker.baseImageRegistry.registryIdentity": 1,
    "environmentVariables": {"A": 1},
    "spark.packages[0]": "x",
    "databricks.cluster": {"numWorkers": 1},
    "r.cranPackages": {},
}


def standing(path: str, value: Any) -> dict[str, Any]:
    """An environment with one value in it."""
    for key in reversed(path.split(".")):
        name, _, index = key.rstrip("]").partition("[")
        value = {name: ["x"] * int(index) + [value] if index else value}
    content: dict[str, Any] = value
    return content


@pytest.mark.parametrize("path", WRONG)
def test_what_clients_fail_on_is_refused_by_its_place(path: str) -> None:
    """In a registered environment and in a service's own."""
    environment = standing(path, WRONG[path])
    with pytest.raises(InvalidSetting) as refused:
        read_environment(environment)
    assert refused.value.setting.startswith(f"environment.{path}")
    payload = {
        "name": "fraud",
        "computeType": "AKS",
        "computeName": "aks",
        "environmentImageRequest": {"environment": environment},
    }
    with pytest.raises(InvalidSetting) as refused:
        create(payload, None, Micros(0), LIMITS)
    assert refused.value.setting.startswith(f"environmentImageRequest.environment.{path}")


@pytest.mark.parametrize("path", WRONG)
def test_what_an_earlier_version_kept_is_mended_as_it_is_shown(path: str) -> None:
    """The part that clients fail on is left out; all else stays, names that nobody knows too."""
    environment = {**standing(path, WRONG[path]), "name": "old", "version": "1", "mine": {"a": None}}
    record = EnvironmentRecord(name="old", version="1", number=1, document=environment, created=Micros(0))
    shown = environment_document(record)
    assert shown == fitted(ENVIRONMENT, shown, "", None)
    assert (shown["name"], shown["mine"]) == ("old", {"a": None})
    assert {"environmentVariables", "python", "docker"} <= shown.keys()
    read_environment(shown)


def service(environment: Any) -> Any:
    """The environment that the document of a service shows."""
    payload = {"name": "fraud", "computeType": "AKS", "computeName": "aks", "environmentImageRequest": {}}
    record: ServiceRecord = create(payload, None, Micros(0), LIMITS)
    version = record.versions[0].model_copy(update={"request": {"environment": environment, "modelIds": []}})
    record = record.model_copy(update={"versions": (version,)})
    document = service_document(record, healthy("fraud"), DeploymentStatus(), Surroundings(0.0, "http://x"))
    return document["environmentImageRequest"]["environment"]


def test_a_services_environment_has_a_name() -> None:
    """Clients fail on one without; a reference and an empty one stay as they are."""
    assert service({"python": None, "docker": {"enabled": True}}) == {"name": "fraud", "docker": {"enabled": True}}
    assert service({"name": None, "spark": {"packages": "x"}, "r": None}) == {"name": "fraud", "spark": {}}
    assert service({}) == {}
    assert service({"name": "tab", "version": "1"}) == {"name": "tab", "version": "1"}
    assert service(None) is None


def test_a_models_parts_have_each_key() -> None:
    """Resources and data sets; what an earlier version kept too."""
    given = {"name": "m", "url": "aml://asset/1", "resourceRequirements": {"cpu": 1}, "datasets": [{"id": "d"}]}
    record = register_model(given, 1, Micros(0))
    shown = model_document(record, 0.0)
    assert shown["resourceRequirements"] == {"cpu": 1, "memoryInGB": None, "gpu": None, "fpga": None}
    assert shown["datasets"] == [{"name": None, "id": "d"}]
    old = ModelRecord(
        name="m", version=1, url="aml://asset/1", resources={"cpu": "much", "x": 1}, datasets=({}, {"id": "d"}),
        created=Micros(0),
    )  # fmt: skip
    mended = model_document(old, 0.0)
    assert mended["resourceRequirements"] == {"cpu": None, "memoryInGB": None, "gpu": None, "fpga": None, "x": 1}
    assert mended["datasets"] == [{"name": None, "id": "d"}]
    for wrong in (
        {"resourceRequirements": {"cpu": "much"}},
        {"resourceRequirements": {"gpu": 0.5}},
        {"datasets": [{}]},
    ):
        with pytest.raises(InvalidSetting):
            register_model({**given, **wrong}, 1, Micros(0))
