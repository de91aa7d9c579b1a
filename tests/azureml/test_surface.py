"""Names, order and defaults are azureml-core's, and the values show themselves and travel as its do.

`surface.json` holds facts about azureml-core 1.61.0.post4 (names and defaults, nothing else), so that our side is
compared without it too. `program.py` writes it: `make test-azureml` says when it is out of date.
"""

import inspect
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from akstwin.sdk import configuration, requirements, token
from akstwin.sdk.exceptions import WebserviceException

SURFACE: dict[str, Any] = json.loads(Path(__file__).with_name("surface.json").read_text())
OURS = {
    "AksEndpointDeploymentConfiguration": configuration.AksEndpointDeploymentConfiguration,
    "AksServiceAccessToken": token.AksServiceAccessToken,
    "AksServiceDeploymentConfiguration": configuration.AksServiceDeploymentConfiguration,
    "AutoScaler": requirements.AutoScaler,
    "ContainerResourceRequirements": requirements.ContainerResourceRequirements,
    "DataCollection": requirements.DataCollection,
    "LivenessProbeRequirements": requirements.LivenessProbeRequirements,
}
PARTS = {
    "AutoScaler": ["autoscaleEnabled", "maxReplicas", "minReplicas", "refreshPeriodInSeconds", "targetUtilization"],
    "ContainerResourceRequirements": ["cpu", "cpuLimit", "memoryInGB", "memoryInGBLimit", "gpu"],
    "DataCollection": ["eventHubEnabled", "storageEnabled"],
    "LivenessProbeRequirements": [
        "periodSeconds", "initialDelaySeconds", "timeoutSeconds", "failureThreshold", "successThreshold",
    ],
}  # fmt: skip


def described(function: Any) -> str:
    """Names and defaults of a function's parameters, as `program.py` describes them."""
    return ", ".join(
        parameter.name if parameter.default is parameter.empty else f"{parameter.name}={parameter.default!r}"
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name != "self"
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
    """Every public method is there, and takes the same by name, order and default."""
    for method, parameters in SURFACE[name]["methods"].items():
        assert described(getattr(OURS[name], method)) == parameters, method


@pytest.mark.parametrize("name", OURS)
def test_attributes_are_there(name: str) -> None:
    """Every public attribute is there."""
    given = 0 if name == "AksServiceAccessToken" else None
    made = OURS[name](**dict.fromkeys(inspect.signature(OURS[name]).parameters, given))

    for attribute in SURFACE[name]["attributes"]:
        assert hasattr(made, attribute), attribute


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
@pytest.mark.parametrize("inner", [None, "what was before"])
@pytest.mark.parametrize("message", ["", "plain", 'é "quoted"\nand a second line\n'])
def test_the_exception_shows_itself_alike(real: Any, message: str, inner: str | None) -> None:
    """`str`, `repr`, `message` and `status_code`."""
    made = WebserviceException(message, inner_exception=inner)

    answer = real.ask("exception", message=message, inner=inner)

    assert answer == {
        "error": None, "str": str(made), "repr": repr(made), "message": made.message, "status_code": made.status_code,
    }  # fmt: skip
