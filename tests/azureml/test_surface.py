"""Names, order and defaults are azureml-core's, and the values show themselves and travel as its do.

`surface.json` holds facts about azureml-core 1.61.0.post4 (names and defaults, nothing else), so that our side is
compared without it too. `program.py` writes it: `make test-azureml` says when it is out of date.
"""

import inspect
import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import akstwin
from akstwin.backend import WorkspaceIdentity
from akstwin.sdk import configuration, requirements, token
from akstwin.sdk.exceptions import ComputeTargetException, SdkException, WebserviceException

SURFACE: dict[str, Any] = json.loads(Path(__file__).with_name("surface.json").read_text())
OURS: dict[str, Any] = {
    "AksCompute": akstwin.AksCompute,
    "AksEndpoint": akstwin.AksEndpoint,
    "AksEndpointDeploymentConfiguration": configuration.AksEndpointDeploymentConfiguration,
    "AksServiceAccessToken": token.AksServiceAccessToken,
    "AksServiceDeploymentConfiguration": configuration.AksServiceDeploymentConfiguration,
    "AksWebservice": akstwin.AksWebservice,
    "AutoScaler": requirements.AutoScaler,
    "ComputeTarget": akstwin.ComputeTarget,
    "CondaDependencies": akstwin.CondaDependencies,
    "ContainerResourceRequirements": requirements.ContainerResourceRequirements,
    "DataCollection": requirements.DataCollection,
    "Environment": akstwin.Environment,
    "InferenceConfig": akstwin.InferenceConfig,
    "LivenessProbeRequirements": requirements.LivenessProbeRequirements,
    "Model": akstwin.Model,
    "ResourceConfiguration": akstwin.ResourceConfiguration,
    "Webservice": akstwin.Webservice,
}
NOT_OFFERED = {
    "CondaDependencies": {
        "add_cntk_package", "add_tensorflow_conda_package", "add_tensorflow_pip_package",
        "get_default_number_of_packages", "sdk_origin_url", "set_pip_index_url",
    },
    "Environment": {"databricks", "r", "spark"},
    "InferenceConfig": {"build_create_payload", "build_profile_payload"},
}  # fmt: skip
"""What azureml-core has and we have not: of training, of images, and helpers that belong to its own packages."""
NOW = "2026-01-01T00:00:00Z"
SHOWN: dict[str, Any] = {
    **dict.fromkeys(
        ["name", "description", "kvTags", "properties", "computeName", "appInsightsEnabled", "authEnabled"]
    ),
    **dict.fromkeys(["aadAuthEnabled", "maxConcurrentRequestsPerContainer", "maxQueueWaitMs", "numReplicas"]),
    **dict.fromkeys(["scoringTimeoutMs", "scoringUri", "livenessProbeRequirements"]),
    "createdTime": NOW,
    "autoScaler": dict.fromkeys(
        ["autoscaleEnabled", "minReplicas", "maxReplicas", "refreshPeriodInSeconds", "targetUtilization"]
    ),
    "containerResourceRequirements": dict.fromkeys(["cpu", "cpuLimit", "memoryInGB", "memoryInGBLimit", "gpu"]),
    "dataCollection": dict.fromkeys(["eventHubEnabled", "storageEnabled"]),
}
COMPUTE: dict[str, Any] = {
    **dict.fromkeys(["id", "location", "tags"]), "name": "aks",
    "properties": {
        **dict.fromkeys(["resourceId", "description", "provisioningState", "provisioningErrors", "properties"]),
        "computeType": "AKS", "isAttachedCompute": False,
    },
}  # fmt: skip
MODEL = {"id": "m:1", "name": "m", "version": 1, "createdTime": NOW}
PARTS = {
    "AutoScaler": ["autoscaleEnabled", "maxReplicas", "minReplicas", "refreshPeriodInSeconds", "targetUtilization"],
    "ContainerResourceRequirements": ["cpu", "cpuLimit", "memoryInGB", "memoryInGBLimit", "gpu"],
    "DataCollection": ["eventHubEnabled", "storageEnabled"],
    "LivenessProbeRequirements": [
        "periodSeconds", "initialDelaySeconds", "timeoutSeconds", "failureThreshold", "successThreshold",
    ],
}  # fmt: skip


ANY_NUMBER = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def described(function: Any) -> str:
    """Names and defaults of a function's parameters, as `program.py` describes them."""
    return ", ".join(
        parameter.name if parameter.default is parameter.empty else f"{parameter.name}={parameter.default!r}"
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name != "self" and parameter.name[0] != "_" and parameter.kind not in ANY_NUMBER
    )


@pytest.mark.azureml
def test_the_facts_are_azureml_cores(real: Any) -> None:
    """Describing the installed azureml-core again gives the file."""
    assert real.ask("surface") == {"error": None, **SURFACE}


@pytest.mark.parametrize("name", OURS)
def test_constructors_take_the_same(name: str) -> None:
    """By name, order and default."""
    assert described(OURS[name]) == SURFACE[name]["constructor"]


@pytest.mark.parametrize("name", OURS)
def test_methods_take_the_same(name: str) -> None:
    """Every public method is there, unless it is said not to be, and takes the same by name, order and default."""
    for method, parameters in SURFACE[name]["methods"].items():
        if method in NOT_OFFERED.get(name, ()):
            assert not hasattr(OURS[name], method), method
        else:
            assert described(getattr(OURS[name], method)) == parameters, method


@pytest.mark.parametrize("name", [name for name in OURS if "attributes" in SURFACE[name]])
def test_attributes_are_there(name: str) -> None:
    """Every public attribute is there, unless it is said not to be."""
    made = example(name)

    for attribute in SURFACE[name]["attributes"]:
        assert hasattr(made, attribute) == (attribute not in NOT_OFFERED.get(name, ())), attribute


def example(name: str) -> Any:
    """An object with all its attributes."""
    workspace: Any = SimpleNamespace(name="ws", backend=SimpleNamespace(identity=WorkspaceIdentity()))
    match name:
        case "AksWebservice":
            return akstwin.AksWebservice.deserialize(workspace, {**SHOWN, "computeType": "AKS"})
        case "AksEndpoint":
            return akstwin.AksEndpoint.deserialize(workspace, {**SHOWN, "computeType": "AKSENDPOINT"})
        case "AksCompute":
            return akstwin.AksCompute.deserialize(workspace, COMPUTE)
        case "Model":
            return akstwin.Model.deserialize(workspace, MODEL)
        case "Environment":
            return akstwin.Environment("env")
        case "AksServiceAccessToken":
            return token.AksServiceAccessToken("t", "Bearer", 0, 0)
    return OURS[name](**dict.fromkeys(inspect.signature(OURS[name]).parameters))


@pytest.mark.parametrize(
    ("of", "function"),
    [
        ("AksWebservice", configuration.deploy_service_configuration),
        ("AksEndpoint", configuration.deploy_endpoint_configuration),
    ],
)
def test_deploy_configuration_takes_the_same(of: str, function: Any) -> None:
    """By name, order and default."""
    assert described(function) == SURFACE[of]["methods"]["deploy_configuration"]


@pytest.mark.azureml
@pytest.mark.parametrize("name", PARTS)
def test_parts_travel_alike(real: Any, name: str) -> None:
    """Whole, and with each key missing in turn: the same attributes and JSON form, or refused for that key."""
    whole = {key: number for number, key in enumerate(PARTS[name])}
    nothing = dict.fromkeys(PARTS[name])
    for payload in (whole, nothing, {**whole, "later": 1}, *({**whole, key: None} for key in whole)):
        made = OURS[name].deserialize(payload)  # type: ignore[attr-defined]
        answer = real.ask("part", of=name, payload=payload)
        assert answer["attributes"] == {
            attribute: getattr(made, attribute) for attribute in SURFACE[name]["attributes"]
        }
        assert answer["serialized"] == made.serialize()
    for key in whole:
        payload = {other: value for other, value in whole.items() if other != key}
        with pytest.raises(WebserviceException, match=rf"lacks {key}\b"):
            OURS[name].deserialize(payload)  # type: ignore[attr-defined]
        answer = real.ask("part", of=name, payload=payload)
        assert answer["error"] == "WebserviceException"
        assert key in answer["message"]


@pytest.mark.azureml
def test_a_probe_that_is_not_told_shows_the_same(real: Any) -> None:
    """null, for the probe alone, stands for the service's own values."""
    answer = real.ask("part", of="LivenessProbeRequirements", payload=None)
    assert answer["serialized"] == requirements.LivenessProbeRequirements.deserialize(None).serialize()


@pytest.mark.azureml
def test_tokens_are_read_alike(real: Any) -> None:
    """Times are local and have no zone."""
    seconds = int(datetime(2026, 3, 29, 0, 30, tzinfo=UTC).timestamp())
    payload = {"accessToken": "t", "tokenType": "Bearer", "refreshAfter": seconds, "expiryOn": seconds + 7200}

    made = token.AksServiceAccessToken.deserialize(payload)

    assert real.ask("token", payload=payload)["attributes"] == {
        name: str(value) for name, value in vars(made).items()
    }  # fmt: skip
    for key in payload:
        lacking = {other: value for other, value in payload.items() if other != key}
        assert key in real.ask("token", payload=lacking)["message"]
        with pytest.raises(WebserviceException, match=key):
            token.AksServiceAccessToken.deserialize(lacking)


@pytest.mark.azureml
@pytest.mark.parametrize("of", [WebserviceException, ComputeTargetException])
@pytest.mark.parametrize("inner", [None, "what was before"])
@pytest.mark.parametrize("message", ["", "plain", 'é "quoted"\nand a second line\n'])
def test_the_exception_shows_itself_alike(real: Any, of: type[SdkException], message: str, inner: str | None) -> None:
    """`str`, `repr` and `message`, and of the first `status_code`."""
    made = of(message, inner_exception=inner)

    answer = real.ask("exception", of=of.__name__, message=message, inner=inner)

    shown = {"error": None, "str": str(made), "repr": repr(made), "message": made.message}
    assert answer == shown | ({"status_code": made.status_code} if of is WebserviceException else {})
