"""Each row of `akstwin.sdk.differences`, on both sides."""

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from akstwin import AksWebservice, Model
from akstwin.domain.settings import KINDS, Kind, Patch
from akstwin.sdk import wire
from akstwin.sdk.configuration import deploy_endpoint_configuration, deploy_service_configuration
from akstwin.sdk.differences import REPAIRED, STRICTER
from akstwin.sdk.exceptions import WebserviceException
from akstwin.sdk.requirements import AutoScaler, ContainerResourceRequirements
from akstwin.sdk.rules import AUTOSCALER_SETTINGS
from akstwin.sdk.token import AksServiceAccessToken
from akstwin.sdk.validation import (
    validate_endpoint_update,
    validate_service_update,
    validate_version_create,
    validate_version_update,
)

pytestmark = pytest.mark.azureml

SERVICE = SimpleNamespace(auth_enabled=True, token_auth_enabled=False, container_resource_requirements=None)
VERSION = SimpleNamespace(
    autoscaler=AutoScaler(autoscale_enabled=True, max_replicas=10, min_replicas=1, refresh_period_seconds=1,
                          target_utilization=70),
    num_replicas=None,
    container_resource_requirements=ContainerResourceRequirements(1, 1, cpu_limit=2, memory_in_gb_limit=2),
)  # fmt: skip
FLAGS = [name for name, kind in KINDS.items() if kind is Kind.FLAG]
NUMBERS = [name for name, kind in KINDS.items() if kind in (Kind.COUNT, Kind.AMOUNT)]


def sent(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """What azureml-core sent, having accepted."""
    assert answer["error"] is None, answer
    patch: list[dict[str, Any]] = answer["patch"]
    return patch


def test_create_version_resources(real: Any) -> None:
    """The four parameters that break the real one are sent by ours."""
    for name in ("cpu_cores", "cpu_cores_limit", "memory_gb", "memory_gb_limit"):
        arguments = {"version_name": "green", name: 2, "inference_config": True}
        answer = real.ask("call", of="AksEndpoint", method="create_version", current={}, arguments=arguments)
        assert answer["error"] == "AttributeError"

        given = validate_version_create(arguments)
        (added,) = wire.version_added_patch(
            "green", [], given, compute_name="aks", environment_image_request={"modelIds": []}
        )
        assert 2 in added["value"]["containerResourceRequirements"].values()


def test_endpoint_update(real: Any) -> None:
    """No call of the real one reaches the wire."""
    arguments: dict[str, Any] = {
        "auth_enabled": False, "token_auth_enabled": True, "enable_app_insights": True, "description": "new",
        "tags": {"team": "a"}, "properties": {"b": "c"},
    }  # fmt: skip
    answer = real.ask("call", of="AksEndpoint", method="update", current={}, arguments=arguments)
    assert answer["error"] == "TypeError"

    given = validate_endpoint_update(SERVICE, arguments)
    operations = {(part["op"], part["path"]): part["value"] for part in wire.update_patch(given, Patch.ENDPOINT)}

    assert operations == {
        ("replace", "/authEnabled"): False,
        ("replace", "/aadAuthEnabled"): True,
        ("replace", "/appInsightsEnabled"): True,
        ("replace", "/kvTags"): {"team": "a"},
        ("add", "/properties/b"): "c",
        ("replace", "/description"): "new",
    }


@pytest.mark.parametrize(
    ("method", "arguments", "operation"),
    [
        (
            "update_version",
            {"properties": {"a": "b"}},
            {"op": "add", "path": "/versions/blue/properties/a", "value": "b"},
        ),
        ("update_version", {"tags": {}}, {"op": "replace", "path": "/versions/blue/tags", "value": {}}),
        (
            "update_version",
            {"gpu_cores": 0},
            {"op": "replace", "path": "/versions/blue/containerResourceRequirements/gpu", "value": 0},
        ),
        ("update_version", {"description": ""}, {"op": "replace", "path": "/versions/blue/description", "value": ""}),
        ("update", {"gpu_cores": 0}, {"op": "replace", "path": "/containerResourceRequirements/gpu", "value": 0}),
        ("update", {"description": ""}, {"op": "replace", "path": "/description", "value": ""}),
    ],
)
def test_what_update_loses(real: Any, method: str, arguments: dict[str, Any], operation: dict[str, Any]) -> None:
    """`update_version_properties`, `update_version_no_tags`, `no_gpu`, `no_description`: given, and not sent there."""
    besides = {"num_replicas": 3}
    of = "AksWebservice" if method == "update" else "AksEndpoint"
    named = {} if method == "update" else {"version_name": "blue"}
    there = real.ask("call", of=of, method=method, current={}, arguments={**named, **arguments, **besides})
    assert len(sent(there)) == 1

    if method == "update":
        patch = wire.update_patch(validate_service_update(SERVICE, arguments))
    else:
        given = validate_version_update({"blue": VERSION}, {**named, **arguments})
        patch = wire.version_patch("blue", ["blue"], given)
    assert patch == [operation]


def test_secondary_key_alone(real: Any) -> None:
    """The real one sends two nulls."""
    answer = real.ask("deploy", of="AksWebservice", arguments={"secondary_key": "second"})
    assert answer["payload"]["keys"] == {"primaryKey": None, "secondaryKey": None}

    payload = deploy_service_configuration(secondary_key="second").create_payload("fraud", None)
    assert payload["keys"] == {"primaryKey": None, "secondaryKey": "second"}


def test_configuration_keeps_its_name(real: Any) -> None:
    """Deploying writes the endpoint's name into the real configuration."""
    answer = real.ask("deploy", of="AksEndpoint", arguments={}, name="fraud")
    assert answer["configuration"]["version_name"] == "fraud"

    configuration = deploy_endpoint_configuration()
    assert "fraud" in configuration.create_payload("fraud", None)["versions"]
    assert configuration.version_name is None
    assert list(configuration.create_payload("churn", None)["versions"]) == ["churn"]


def test_properties_stay_the_users(real: Any) -> None:
    """The real one adds to the dictionary that it was given."""
    git = {"azureml.git.branch": "main"}
    answer = real.ask("deploy", of="AksWebservice", arguments={"properties": {"a": "b"}}, git=git)
    assert answer["configuration"]["properties"] == {"a": "b", **git}

    mine = {"a": "b"}
    payload = deploy_service_configuration(properties=mine).create_payload("fraud", None)
    payload["properties"]["later"] = "c"
    assert mine == {"a": "b"}


def test_property_keys(real: Any) -> None:
    """`a/b` is a key, not two."""
    arguments = {"properties": {"team/na~me": "x"}}
    answer = real.ask("call", of="AksWebservice", method="update", current={}, arguments=arguments)
    assert [part["path"] for part in sent(answer)] == ["/properties/team/na~me"]

    patch = wire.update_patch(validate_service_update(SERVICE, arguments))
    assert [part["path"] for part in patch] == ["/properties/team~1na~0me"]


def test_token_round_trip(real: Any) -> None:
    """Ours is JSON, and comes back."""
    payload = {"accessToken": "t", "tokenType": "Bearer", "refreshAfter": 1_700_000_000, "expiryOn": 1_700_043_200.5}
    assert real.ask("token", payload=payload)["json"] is False

    token = AksServiceAccessToken.deserialize(payload)
    assert json.loads(json.dumps(token.serialize())) == payload
    assert AksServiceAccessToken.deserialize(token.serialize()) == token


def refused(function: Any, **arguments: Any) -> str:
    """What our function says when it refuses."""
    with pytest.raises(WebserviceException) as caught:
        function(**arguments)
    return caught.value.message


def there(real: Any, **arguments: Any) -> str | None:
    """What azureml-core raises on these values, where there is a call that takes them."""
    if set(arguments) & {"is_default", "is_control_version_type"}:
        current = {"versions": ["blue"]}
        given = {"version_name": "blue", **arguments}
        answer = real.ask("call", of="AksEndpoint", method="update_version", current=current, arguments=given)
    else:
        of = "AksWebservice" if "blobfuse_enabled" in arguments else "AksEndpoint"
        answer = real.ask("deploy", of=of, arguments=arguments)
    error: str | None = answer["error"]
    return error


def here(**arguments: Any) -> str:
    """What we say of these values."""
    if set(arguments) & {"is_default", "is_control_version_type"}:
        return refused(
            validate_version_update, versions={"blue": VERSION}, arguments={"version_name": "blue", **arguments}
        )
    if "blobfuse_enabled" in arguments:
        return refused(deploy_service_configuration, **arguments)
    return refused(deploy_endpoint_configuration, **arguments)


def beside(name: str) -> dict[str, Any]:
    """What makes the real one look at a number: an autoscaler's needs the autoscaler, a limit what it limits."""
    if name.startswith("autoscale_"):
        return {"autoscale_enabled": True}
    return {name.removesuffix("_limit"): 1} if name.endswith("_limit") else {}


@pytest.mark.parametrize("value", ["1", [1], {"a": 1}, True, math.nan, math.inf], ids=repr)
@pytest.mark.parametrize("name", NUMBERS)
def test_types_of_numbers(real: Any, name: str, value: Any) -> None:
    """`types`: the real one breaks when it compares, or takes what compares."""
    given = {name: value, **beside(name)}
    taken = isinstance(value, bool | float) and not (name == "traffic_percentile" and value == math.inf)

    expected = None if taken else "WebserviceException" if isinstance(value, float) else "TypeError"

    assert there(real, **given) == expected
    assert here(**given) == f"{name}: {value!r} is not {KINDS[name].value}"


@pytest.mark.parametrize("name", [name for name in NUMBERS if KINDS[name] is Kind.COUNT])
def test_types_of_counts(real: Any, name: str) -> None:
    """`types`: half a replica passes in the real one."""
    given = {name: 1.5, **beside(name)}

    assert there(real, **given) is None
    assert here(**given) == f"{name}: 1.5 is not a whole number"


@pytest.mark.parametrize("value", ["no", 0, 1, []], ids=repr)
@pytest.mark.parametrize("name", FLAGS)
def test_types_of_flags(real: Any, name: str, value: Any) -> None:
    """`types`: the real one takes anything for true or false."""
    assert there(real, **{name: value}) is None
    assert here(**{name: value}) == f"{name}: {value!r} is not True or False"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("description", 5, "text"),
        ("compute_target_name", ["aks"], "text"),
        ("tags", ["a"], "a dictionary from text to text, numbers or booleans"),
        ("tags", {"a": ["b"]}, "a dictionary from text to text, numbers or booleans"),
    ],
)
def test_types_of_text(real: Any, name: str, value: Any, expected: str) -> None:
    """`types`: the real one passes on anything."""
    assert there(real, **{name: value}) is None
    assert here(**{name: value}) == f"{name}: {value!r} is not {expected}"


@pytest.mark.parametrize("name", ["namespace", "version_name"])
def test_types_of_names(real: Any, name: str) -> None:
    """`types`: a number is no text to match."""
    assert there(real, **{name: 5}) == "TypeError"
    assert here(**{name: 5}) == f"{name}: 5 is not text"


def test_secrets_of_other_types_are_not_shown(real: Any) -> None:
    """`types`: a key that is no text is refused without being repeated."""
    assert there(real, primary_key=12345) is None
    assert "12345" not in here(primary_key=12345)


def test_namespace_newline(real: Any) -> None:
    """`$` matches before a line break."""
    assert there(real, namespace="team\n") is None
    assert here(namespace="team\n").startswith("namespace: 'team\\n' is not ")


def test_empty_version_name(real: Any) -> None:
    """The real one counts empty text as not given when it checks, and as a name when it sends."""
    answer = real.ask("deploy", of="AksEndpoint", arguments={"version_name": ""})
    assert list(answer["payload"]["versions"]) == [""]
    assert here(version_name="").startswith("version_name: '' is not ")


@pytest.mark.parametrize(
    ("arguments", "parameter"),
    [
        ({"traffic_percentile": 150}, "traffic_percentile"),
        ({"num_replicas": -1}, "num_replicas"),
        ({"cpu_cores": 4}, "cpu_cores"),
        ({"cpu_cores": 4, "cpu_cores_limit": 3}, "cpu_cores_limit"),
        ({"memory_gb_limit": 0.5}, "memory_gb_limit"),
        ({"autoscale_enabled": False}, "num_replicas"),
        ({"autoscale_enabled": False, "num_replicas": 1, "autoscale_max_replicas": 3}, "autoscale_max_replicas"),
        ({"autoscale_min_replicas": 3, "autoscale_max_replicas": 2}, "autoscale_min_replicas"),
        ({"version_name": "nobody", "num_replicas": 1}, "version_name"),
    ],
)
def test_update_version_checks(real: Any, arguments: dict[str, Any], parameter: str) -> None:
    """The real one sends what the service must refuse."""
    given = {"version_name": "blue", **arguments}
    sent(real.ask("call", of="AksEndpoint", method="update_version", current={"versions": ["blue"]}, arguments=given))

    message = refused(validate_version_update, versions={"blue": VERSION}, arguments=given)
    assert message.startswith(f"{parameter}: ")
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize("name", AUTOSCALER_SETTINGS)
@pytest.mark.parametrize("beside", [{}, {"scoring_timeout_ms": 5}])
def test_update_zero(real: Any, name: str, beside: dict[str, Any]) -> None:
    """The real one sends what stands beside the 0, or finds nothing to send."""
    arguments = {name: 0, **beside}
    answer = real.ask("call", of="AksWebservice", method="update", current={}, arguments=arguments)
    if beside:
        assert [operation["path"] for operation in sent(answer)] == ["/scoringTimeoutMs"]
    else:
        assert answer["error"] is not None

    assert refused(validate_service_update, current=SERVICE, arguments=arguments) == f"{name}: 0 is not greater than 0"


@pytest.mark.parametrize("name", ["namespace", "primary_key", "compute_target_name"])
def test_empty_values(real: Any, name: str) -> None:
    """The real one takes empty text, and deploys as without it."""
    assert there(real, **{name: ""}) is None
    assert here(**{name: ""}).startswith(f"{name}: ")


@pytest.mark.parametrize("name", AUTOSCALER_SETTINGS)
def test_zero_of_a_deployment(real: Any, name: str) -> None:
    """`update_zero`: the real one takes it, where the autoscaler is not asked for."""
    assert there(real, **{name: 0}) is None
    assert here(**{name: 0}) == f"{name}: 0 is not greater than 0"


@pytest.mark.parametrize(
    ("role", "key", "value"), [("is_default", "isDefault", False), ("is_control_version_type", "type", "Treatment")]
)
def test_stepping_back(real: Any, role: str, key: str, value: Any) -> None:
    """The real one sends what stands beside it."""
    given = {"version_name": "blue", role: False, "num_replicas": 2}
    current = {"versions": ["blue"]}
    answer = real.ask("call", of="AksEndpoint", method="update_version", current=current, arguments=given)
    assert [operation["path"] for operation in sent(answer)] == ["/versions/blue/numReplicas"]

    patch = wire.version_patch("blue", ["blue"], validate_version_update({"blue": VERSION}, given))
    assert {"op": "replace", "path": f"/versions/blue/{key}", "value": value} in patch
    (added,) = wire.version_added_patch(
        "red", ["blue"], {role: False}, compute_name="aks", environment_image_request=None
    )
    assert added["value"][key] == value


def test_model_update_empties(real: Any) -> None:
    """The real one sends what stands beside them."""
    there = real.ask("model", call="update", arguments={"tags": {}, "description": ""})
    assert (there["error"], there["patch"]) == (None, [])

    patched: list[Any] = []
    document = {
        "id": "m:1",
        "name": "m",
        "version": 1,
        "kvTags": {},
        "properties": {},
        "createdTime": "2026-01-01T00:00:00Z",
    }
    backend = SimpleNamespace(patch_model=lambda _id, patch: patched.extend(patch) or document)
    Model._of(SimpleNamespace(backend=backend), document).update(tags={}, description="")  # type: ignore[arg-type]
    assert [(each["path"], each["value"]) for each in patched] == [("/kvTags", {}), ("/description", "")]


def test_no_models_left(real: Any) -> None:
    """The real one takes the service's for it."""
    current = {"models": ["fraud:7"]}
    answer = real.ask(
        "call", of="AksWebservice", method="update", current=current, arguments={"models": [], "inference_config": True}
    )
    assert (answer["error"], answer["models"]) == (None, ["fraud:7"])

    service = object.__new__(AksWebservice)
    asked: list[Any] = []
    vars(service).update(
        vars(SERVICE), name="fraud", models=["fraud:7"], _endpoint=None, _patched=lambda _: None,
        _with_image=lambda given, _name, models: asked.append(models) or {},
    )  # fmt: skip
    service.update(models=[], inference_config=object())  # type: ignore[arg-type]
    assert asked == [[]]


def test_all_at_once(real: Any) -> None:
    """The real one reports the resources alone."""
    arguments = {"cpu_cores": 0, "traffic_percentile": 101, "version_name": "X"}
    answer = real.ask("deploy", of="AksEndpoint", arguments=arguments)
    assert "traffic_percentile" not in answer["message"]

    lines = here(**arguments).splitlines()
    assert [line.partition(":")[0] for line in lines] == ["cpu_cores", "version_name", "traffic_percentile"]


def test_every_difference_is_shown() -> None:
    """Each row of the two tables is named by a test of this module or of `test_classes`, or in such a docstring."""
    text = Path(__file__).read_text() + Path(__file__).with_name("test_classes.py").read_text()
    for difference in (*REPAIRED, *STRICTER):
        assert f"def test_{difference.key}(" in text or f"`{difference.key}`" in text, difference
