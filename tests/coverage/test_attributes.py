"""Each attribute shows what the coverage table says: what is there, what was given, or nothing.

Two services, and two endpoints, are looked at: one was given next to nothing, and its update fails; the other was given all.
"""

import inspect
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import akstwin
from akstwin import AksServiceAccessToken, WebserviceException, Workspace
from akstwin.sdk.coverage import ATTRIBUTES, PARAMETERS, Status

SURFACE: dict[str, Any] = json.loads((Path(__file__).parents[1] / "azureml" / "surface.json").read_text())
URL = "http://simulated.invalid:80/api/v1/service/fraud"
VERSION: dict[str, Any] = {
    "autoscale_enabled": True, "autoscale_min_replicas": 2, "autoscale_max_replicas": 7, "autoscale_refresh_seconds": 3,
    "autoscale_target_utilization": 60, "collect_model_data": True, "cpu_cores": 0.2, "cpu_cores_limit": 0.4,
    "memory_gb": 0.6, "memory_gb_limit": 0.8, "gpu_cores": 1, "scoring_timeout_ms": 5000,
    "replica_max_concurrent_requests": 2, "max_request_wait_time": 700, "period_seconds": 11,
    "initial_delay_seconds": 12, "timeout_seconds": 3, "success_threshold": 4, "failure_threshold": 5,
    "tags": {"team": "risk"}, "properties": {"cost": "7"}, "description": "for people",
}  # fmt: skip
SERVICE: dict[str, Any] = {
    **VERSION, "enable_app_insights": True, "namespace": "team", "auth_enabled": False, "token_auth_enabled": True,
    "compute_target_name": "gpus",
}  # fmt: skip
ANY: Any = object()
"""Looked at elsewhere."""


def instant(text: str) -> datetime:
    """A time on the day on which simulated time begins."""
    return datetime.fromisoformat(f"2026-01-01T{text}").replace(tzinfo=UTC)


OF_BOTH: dict[str, tuple[Any, Any]] = {
    "workspace": (ANY, ANY),
    "name": ("fraud", "fraud"),
    "compute_name": ("aks", "gpus"),
    "state": ("Unschedulable", "Healthy"),
    "error": (ANY, None),
    "created_time": (instant("00:00:10"), instant("00:00:10")),
    "updated_time": (instant("00:00:25"), instant("00:00:10")),
    "scoring_uri": (f"{URL}/score", f"{URL}/score"),
    "swagger_uri": (f"{URL}/swagger.json", f"{URL}/swagger.json"),
    "auth_enabled": (True, False),
    "token_auth_enabled": (False, True),
    "enable_app_insights": (False, True),
    "namespace": (None, "team"),
    "description": (None, "for people"),
    "tags": ({}, {"team": "risk"}),
    "properties": ({}, {"cost": "7"}),
    "image": (None, None),
    "deployment_status": (ANY, ANY),
}
OF_VERSIONS: dict[str, tuple[Any, Any]] = {
    "created_by": (None, None),
    "image_id": (None, None),
    "image_digest": (None, None),
    "autoscaler": (ANY, ANY),
    "container_resource_requirements": (ANY, ANY),
    "data_collection": (ANY, ANY),
    "liveness_probe_requirements": (ANY, ANY),
    "max_concurrent_requests_per_container": (1, 2),
    "max_request_wait_time": (500, 700),
    "num_replicas": (1, None),
    "scoring_timeout_ms": (60_000, 5000),
    "environment": (ANY, ANY),
    "models": (ANY, ANY),
}
SHOWN: dict[str, dict[str, tuple[Any, Any]]] = {
    "AksWebservice": {
        **OF_BOTH, **OF_VERSIONS,
        "compute_type": ("AKS", "AKS"), "is_default": (None, None), "traffic_percentile": (None, None),
        "version_type": (None, None),
    },
    "AksEndpoint": {**OF_BOTH, "compute_type": ("AKSENDPOINT", "AKSENDPOINT"), "versions": (ANY, ANY)},
    "autoscaler": {
        "autoscale_enabled": (False, True), "min_replicas": (None, 2), "max_replicas": (None, 7),
        "refresh_period_seconds": (None, 3), "target_utilization": (None, 60),
    },
    "container_resource_requirements": {
        "cpu": (9, 0.2), "cpu_limit": (None, 0.4), "memory_in_gb": (0.5, 0.6), "memory_in_gb_limit": (None, 0.8),
        "gpu": (0, 1),
    },
    "data_collection": {"storage_enabled": (False, True), "event_hub_enabled": (False, False)},
    "liveness_probe_requirements": {
        "period_seconds": (10, 11), "initial_delay_seconds": (310, 12), "timeout_seconds": (2, 3),
        "success_threshold": (1, 4), "failure_threshold": (3, 5),
    },
}  # fmt: skip
"""What the two show, by class, or by the part of a service."""
PARTS = {
    "AutoScaler": "autoscaler",
    "ContainerResourceRequirements": "container_resource_requirements",
    "DataCollection": "data_collection",
    "LivenessProbeRequirements": "liveness_probe_requirements",
}
"""The attributes that show each part."""


@pytest.fixture(scope="module")
def exhibits(rig_of_module: Any) -> dict[str, tuple[Any, Any]]:
    """The two of each class; a version of an endpoint is an AksWebservice too."""
    found: dict[str, tuple[Any, Any]] = {}
    for of in ("AksWebservice", "AksEndpoint"):
        call = f"{of}.deploy_configuration"
        plain = rig_of_module.trial(call, {"num_replicas": 1})
        if of == "AksWebservice":
            rig_of_module.done(plain.service, "update", {"cpu_cores": 9})
        else:
            rig_of_module.done(plain.service, "update_version", {"version_name": "fraud", "cpu_cores": 9})
        found[of] = plain.service, rig_of_module.trial(call, SERVICE).service
    return found


def rows_of(class_name: str) -> dict[str, Status]:
    """What the table says of the attributes of a class."""
    return {row.name: row.status for row in ATTRIBUTES if class_name in row.of}


@pytest.mark.parametrize(
    ("class_name", "attribute"), [(of, name) for of in ("AksWebservice", "AksEndpoint") for name in rows_of(of)]
)
def test_services_show(exhibits: dict[str, tuple[Any, Any]], class_name: str, attribute: str) -> None:
    """What is missing shows nothing."""
    expected = SHOWN[class_name][attribute]
    seen = tuple(getattr(service, attribute) for service in exhibits[class_name])

    assert all(wanted is ANY or wanted == got for wanted, got in zip(expected, seen, strict=True)), seen
    if rows_of(class_name)[attribute] is Status.MISSING:
        assert seen == (None, None)


@pytest.mark.parametrize("class_name", PARTS)
@pytest.mark.parametrize("of", ["AksWebservice", "AksEndpoint"])
def test_parts_show_what_is_in_force(exhibits: dict[str, tuple[Any, Any]], of: str, class_name: str) -> None:
    """They are values that go to JSON and back."""
    where = PARTS[class_name]
    for number, service in enumerate(exhibits[of]):
        part = getattr(service if of == "AksWebservice" else service.versions["fraud"], where)
        assert {name: getattr(part, name) for name in rows_of(class_name)} == {
            name: pair[number] for name, pair in SHOWN[where].items()
        }
        assert type(part) is getattr(akstwin, class_name)
        assert type(part)(**{name: getattr(part, name) for name in rows_of(class_name)}) == part
        assert type(part).deserialize(json.loads(json.dumps(part.serialize()))) == part


def test_the_rest_of_a_service(exhibits: dict[str, tuple[Any, Any]]) -> None:
    """What is no plain value."""
    failed, whole = exhibits["AksWebservice"]

    assert isinstance(whole.workspace, Workspace)
    assert whole.deployment_status == {
        "desiredReplicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "error": None
    }  # fmt: skip
    assert "Insufficient cpu" in failed.error["details"][0]["message"]
    # Its one replica had gone before the new one found no room.
    assert failed.deployment_status == {
        "desiredReplicas": 1, "updatedReplicas": 1, "availableReplicas": 0, "error": failed.error
    }  # fmt: skip


def test_versions_show(rig: Any) -> None:
    """A version is a service with a share of the traffic."""
    shares = {"traffic_percentile": 30, "is_control_version_type": True}
    trial = rig.trial("AksEndpoint.create_version", {"num_replicas": 1, **shares}, alone=False)

    shown = {
        name: (type(version), version.is_default, version.traffic_percentile, version.version_type)
        for name, version in trial.service.versions.items()
    }

    assert shown == {
        "first": (akstwin.AksWebservice, True, None, "Treatment"),
        "second": (akstwin.AksWebservice, False, 30, "Control"),
    }


def test_what_a_service_runs_shows_and_reaches_the_script(rig: Any) -> None:
    """Variables of the environment and the models."""
    (rig.folder / "tell.py").write_text("import os\ndef init(): ...\ndef run(raw): return os.environ['LEVEL']\n")
    rig.script = akstwin.InferenceConfig("tell.py", environment=akstwin.Environment("env"))
    rig.script.environment.environment_variables = {"LEVEL": "high"}

    trial = rig.trial("AksWebservice.update", {"num_replicas": 1}, {"models": ["one.txt"]}, scripted=True)

    assert trial.service.environment.environment_variables["LEVEL"] == "high"
    assert [model.id for model in trial.service.models] == ["model:1"]
    assert trial.service.run("") == "high"


def test_a_token_shows_what_it_is_good_for(rig: Any) -> None:
    """It lets requests in until it expires; times are local, as in azureml-core."""
    trial = rig.trial("AksWebservice.deploy_configuration", {"num_replicas": 1, "token_auth_enabled": True})
    token = trial.service.get_access_token()
    issued = datetime.fromtimestamp(int(trial.ws.backend.epoch + trial.ws.simulation.now), UTC).astimezone()

    assert trial.statuses(key=token.access_token) == [200]
    assert token.token_type == "Bearer"  # noqa: S105 - not a secret
    assert (token.refresh_after.astimezone() - issued).total_seconds() == 10 * 3600
    assert (token.expiry_on.astimezone() - issued).total_seconds() == 12 * 3600
    assert AksServiceAccessToken.deserialize(token.serialize()) == token
    told = token.serialize()
    assert AksServiceAccessToken(
        told["accessToken"], told["tokenType"], refresh_after=told["refreshAfter"], expiry_on=told["expiryOn"]
    ) == token  # fmt: skip
    trial.ws.simulation.advance("12h")
    assert trial.statuses(key=token.access_token) == [401]


def parameters_of(class_name: str) -> Iterator[str]:
    """What a configuration's constructor takes."""
    for parameter in SURFACE[class_name]["constructor"].split(", "):
        yield parameter.partition("=")[0]


@pytest.mark.parametrize(
    ("class_name", "parameter"),
    [
        (of, name)
        for of in ("AksServiceDeploymentConfiguration", "AksEndpointDeploymentConfiguration")
        for name in parameters_of(of)
    ],
)
def test_a_configuration_can_be_changed_until_it_is_deployed(class_name: str, parameter: str) -> None:
    """An attribute that is set sends what the parameter would have sent."""
    of: Any = getattr(akstwin, class_name)
    value = {**SERVICE, "primary_key": "a", "secondary_key": "b", "version_name": "blue", "traffic_percentile": 30,
             "num_replicas": 2, "blobfuse_enabled": True, "auth_enabled": True}[parameter]  # fmt: skip
    needs = {"autoscale_enabled": True} if parameter.startswith("autoscale") else {}
    nothing = dict.fromkeys(inspect.signature(of).parameters) | needs
    given = of(**{**nothing, parameter: value})

    changed = of(**nothing)
    setattr(changed, parameter, value)

    assert getattr(given, parameter) == value
    assert changed == given
    assert changed.create_payload("fraud", None) == given.create_payload("fraud", None)
    if parameter not in needs:
        assert given.create_payload("fraud", None) != of(**nothing).create_payload("fraud", None)


def test_attributes_of_configurations_are_their_parameters() -> None:
    """Two more are there: one that an endpoint's has for a service's sake, and one that says nothing."""
    named = {row.name for row in PARAMETERS}
    for class_name in ("AksServiceDeploymentConfiguration", "AksEndpointDeploymentConfiguration"):
        attributes = set(SURFACE[class_name]["attributes"])
        assert attributes - set(parameters_of(class_name)) <= {"blobfuse_enabled", "location"}
        assert attributes - {"location"} <= named
        assert rows_of(class_name)["location"] is Status.MISSING
        of: Any = getattr(akstwin, class_name)
        assert of(**dict.fromkeys(inspect.signature(of).parameters)).location is None


def test_a_configuration_with_a_wrong_value_is_none() -> None:
    """Constructors check."""
    with pytest.raises(WebserviceException, match="num_replicas: -1"):
        akstwin.AksWebservice.deploy_configuration(num_replicas=-1)
