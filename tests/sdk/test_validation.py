"""What is refused, in which words, and what is not. `tests/azureml` compares thousands of cases with the real SDK."""

from types import SimpleNamespace
from typing import Any

import pytest

from akstwin.errors import AksError
from akstwin.sdk.checks import Problem
from akstwin.sdk.configuration import deploy_endpoint_configuration, deploy_service_configuration
from akstwin.sdk.exceptions import WebserviceException
from akstwin.sdk.requirements import AutoScaler, ContainerResourceRequirements
from akstwin.sdk.rules import AUTOSCALER_SETTINGS, GREATER_THAN_ZERO
from akstwin.sdk.validation import (
    validate_endpoint_update,
    validate_service_update,
    validate_version_create,
    validate_version_update,
)

SERVICE = SimpleNamespace(
    auth_enabled=True,
    token_auth_enabled=False,
    container_resource_requirements=ContainerResourceRequirements(1, 1, cpu_limit=2, memory_in_gb_limit=2),
)
AUTOSCALED = AutoScaler(
    autoscale_enabled=True, max_replicas=10, min_replicas=1, refresh_period_seconds=1, target_utilization=70
)
VERSION = SimpleNamespace(
    autoscaler=AUTOSCALED, num_replicas=None, container_resource_requirements=SERVICE.container_resource_requirements
)
FIXED = SimpleNamespace(autoscaler=None, num_replicas=3, container_resource_requirements=None)
SCRIPT = object()


def lines(function: Any, *before: Any, **arguments: Any) -> list[str]:
    """What a call says when it refuses, or nothing; whoever catches our errors catches this one."""
    try:
        function(*before, **arguments)
    except AksError as refusal:
        return refusal.args[0].splitlines()
    return []


def update(**arguments: Any) -> list[str]:
    """What an update of the service says."""
    return lines(validate_service_update, SERVICE, arguments)


def update_version(version: Any = VERSION, **arguments: Any) -> list[str]:
    """What an update of a version says."""
    return lines(validate_version_update, {"blue": version}, {"version_name": "blue", **arguments})


def create_version(**arguments: Any) -> list[str]:
    """What a new version says."""
    return lines(validate_version_create, {"version_name": "green", "inference_config": SCRIPT, **arguments})


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        *(({name: value}, f"{name}: {value} is not greater than 0") for name in GREATER_THAN_ZERO for value in (0, -1)),
        *(
            ({"autoscale_enabled": True, name: value}, f"{name}: {value} is not greater than 0")
            for name in AUTOSCALER_SETTINGS for value in (0, -1)
        ),
        *(
            ({"autoscale_enabled": flag, "num_replicas": 1, name: 5},
             f"{name}: 5 is not allowed without autoscale_enabled=True")
            for name in AUTOSCALER_SETTINGS for flag in (None, False)
        ),
        ({"gpu_cores": -1}, "gpu_cores: -1 is not 0 or greater"),
        ({"cpu_cores": 2, "cpu_cores_limit": 1.5}, "cpu_cores_limit: 1.5 is not at least cpu_cores, which is 2"),
        ({"memory_gb": 2, "memory_gb_limit": 1}, "memory_gb_limit: 1 is not at least memory_gb, which is 2"),
        ({"namespace": "Team"},
         "namespace: 'Team' is not 1 to 63 lower-case letters, digits and dashes, first and last no dash"),
        ({"autoscale_enabled": True, "autoscale_min_replicas": 3, "autoscale_max_replicas": 2},
         "autoscale_min_replicas: 3 is not at most autoscale_max_replicas, which is 2"),
        ({"autoscale_enabled": True, "num_replicas": 2},
         "num_replicas: 2 is not allowed with autoscale_enabled=True: the autoscaler chooses the number"),
        ({"autoscale_max_replicas": 0}, "autoscale_max_replicas: 0 is not greater than 0"),
        ({"namespace": ""},
         "namespace: '' is not 1 to 63 lower-case letters, digits and dashes, first and last no dash"),
        ({"primary_key": ""}, "primary_key: a str is not at least one character"),
        ({"compute_target_name": ""}, "compute_target_name: '' is not at least one character"),
        ({"autoscale_enabled": False},
         "num_replicas: None is not enough with autoscale_enabled=False: a number is needed"),
        ({"auth_enabled": True, "token_auth_enabled": True},
         "token_auth_enabled: True is not allowed together with auth_enabled=True"),
    ],
)  # fmt: skip
def test_deploy_configuration_refuses(arguments: dict[str, Any], expected: str) -> None:
    """Wire §11, each rule alone, in both classes: the parameter, its value and the limit."""
    assert lines(deploy_service_configuration, **arguments) == [expected]
    assert lines(deploy_endpoint_configuration, **arguments) == [expected]


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"cpu_cores": 1, "cpu_cores_limit": 1, "memory_gb": 0.5, "memory_gb_limit": 0.5},
        {"cpu_cores_limit": -1},
        {"gpu_cores": 0},
        {"namespace": "a" * 63},
        {"autoscale_enabled": True, "autoscale_min_replicas": 2, "autoscale_max_replicas": 2},
        {"autoscale_enabled": False, "num_replicas": 1},
        {"num_replicas": 1},
        {"auth_enabled": False, "token_auth_enabled": True},
        {"primary_key": "only"},
        {"tags": {"a": "b", "c": 1, "d": True}},
    ],
)
def test_deploy_configuration_accepts(arguments: dict[str, Any]) -> None:
    """At the limits, and what azureml-core lets through."""
    assert lines(deploy_service_configuration, **arguments) == []
    assert lines(deploy_endpoint_configuration, **arguments) == []


@pytest.mark.parametrize("share", [0, 0.5, 100])
def test_traffic_is_a_percentage(share: float) -> None:
    """Both ends belong to it."""
    assert lines(deploy_endpoint_configuration, traffic_percentile=share) == []
    assert lines(deploy_endpoint_configuration, traffic_percentile=share - 101) != []
    assert lines(deploy_endpoint_configuration, traffic_percentile=share + 100.5) != []


@pytest.mark.parametrize("name", ["ab", "Blue", "9lives", "blue-", "a" * 33, "", "blue\n"])
def test_a_versions_name_has_a_form(name: str) -> None:
    """Semantics §2.1."""
    (line,) = lines(deploy_endpoint_configuration, version_name=name)
    assert line.startswith(f"version_name: {name!r} is not 3 to 32 ")


def test_all_problems_are_told_together() -> None:
    """One exception, one line each, in the order of the rules, and as values too."""
    with pytest.raises(WebserviceException) as caught:
        deploy_endpoint_configuration(cpu_cores=0, gpu_cores=-1, num_replicas="two", traffic_percentile=101)  # type: ignore[arg-type]

    assert caught.value.message.splitlines() == [
        "num_replicas: 'two' is not a whole number",
        "cpu_cores: 0 is not greater than 0",
        "gpu_cores: -1 is not 0 or greater",
        "traffic_percentile: 101 is not from 0 to 100",
    ]
    assert caught.value.problems[1] == Problem(("cpu_cores",), 0, "greater than 0")


def test_a_wrong_type_is_told_once() -> None:
    """Rules that read it are not asked: no second line about the same value, and no TypeError."""
    assert lines(deploy_service_configuration, autoscale_enabled="yes", autoscale_max_replicas=3, num_replicas=0) == [
        "autoscale_enabled: 'yes' is not True or False",
        "num_replicas: 0 is not greater than 0",
    ]
    assert lines(deploy_service_configuration, cpu_cores="1", cpu_cores_limit=1) == [
        "cpu_cores: '1' is not a finite number"
    ]


@pytest.mark.parametrize("name", [*GREATER_THAN_ZERO, *AUTOSCALER_SETTINGS, "gpu_cores"])
def test_cores_and_memory_may_be_fractions(name: str) -> None:
    """All other numbers are whole (the class reference)."""
    enabled = True if name in AUTOSCALER_SETTINGS else None
    said = lines(deploy_service_configuration, autoscale_enabled=enabled, **{name: 1.5})

    assert said == ([] if name in ("cpu_cores", "memory_gb") else [f"{name}: 1.5 is not a whole number"])


def test_long_values_are_cut() -> None:
    """A message stays readable."""
    (line,) = lines(deploy_service_configuration, num_replicas="9" * 10_000)
    assert len(line) < 200


def test_keys_are_never_shown() -> None:
    """Neither when they are refused nor when the configuration is printed."""
    (line,) = lines(deploy_service_configuration, primary_key=b"hidden")
    assert line == "primary_key: a bytes is not text, or is empty"
    assert "hidden" not in repr(deploy_service_configuration(primary_key="hidden", secondary_key="hidden"))


@pytest.mark.parametrize("name", AUTOSCALER_SETTINGS)
@pytest.mark.parametrize("beside", [{}, {"autoscale_enabled": True}, {"autoscale_enabled": False, "num_replicas": 1}])
def test_a_zero_is_a_value_of_an_update(name: str, beside: dict[str, Any]) -> None:
    """It is refused once and by its name, and never lost."""
    assert update(**{name: 0}, **beside) == [f"{name}: 0 is not greater than 0"]


@pytest.mark.parametrize(
    "nothing",
    [{}, {"num_replicas": None}, {"autoscale_min_replicas": None}],
)
def test_an_update_needs_something_to_do(nothing: dict[str, Any]) -> None:
    """None is nothing; the message lists what can be given."""
    for line in (
        *update(**nothing),
        *update_version(**{key: nothing[key] for key in nothing if key == "num_replicas"}),
    ):
        assert line.startswith("Nothing to update: ")
        assert "num_replicas" in line
    assert update(**nothing)
    assert update_version()
    (line,) = lines(validate_endpoint_update, SERVICE, {"description": None})
    assert line.endswith("auth_enabled, token_auth_enabled, enable_app_insights, tags, properties, description.")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"cpu_cores": 3}, "cpu_cores: 3 is not at most the service's limit, which is 2"),
        ({"memory_gb": 3}, "memory_gb: 3 is not at most the service's limit, which is 2"),
        ({"cpu_cores_limit": 0.5}, "cpu_cores_limit: 0.5 is not at least what the service asks for, which is 1"),
        ({"memory_gb_limit": 0.5}, "memory_gb_limit: 0.5 is not at least what the service asks for, which is 1"),
        ({"token_auth_enabled": True},
         "token_auth_enabled: True is not allowed without auth_enabled=False: the service has key auth"),
        ({"models": []},
         "models: [] is not enough without inference_config: one model of Onnx, ScikitLearn, TensorFlow, Multi is"),
        ({"models": [SimpleNamespace(model_framework="Custom")]},
         "models: ['Custom'] is not enough without inference_config: one model of Onnx, ScikitLearn, TensorFlow, Multi is"),
        ({"models": "fraud:1"}, "models: 'fraud:1' is not a list of models"),
        ({"image": "old"},
         "image: 'old' is not taken here: the image API came before environments; use inference_config"),
        ({"autoscale_max_replicas": 3}, "autoscale_max_replicas: 3 is not allowed without autoscale_enabled=True"),
    ],
)  # fmt: skip
def test_an_update_refuses(arguments: dict[str, Any], expected: str) -> None:
    """Wire §11, what `AksWebservice.update` adds."""
    assert update(**arguments) == [expected]


def test_an_update_accepts() -> None:
    """Up to the limits; and from keys to tokens and back, if both are said."""
    assert update(cpu_cores=2, cpu_cores_limit=2) == []
    assert update(auth_enabled=False, token_auth_enabled=True) == []
    assert update(models=[SimpleNamespace(model_framework="Onnx")]) == []
    assert update(models=[], inference_config=SCRIPT) == []
    assert update(tags={}) == []

    tokens = SimpleNamespace(auth_enabled=False, token_auth_enabled=True, container_resource_requirements=None)
    assert lines(validate_service_update, tokens, {"auth_enabled": True}) == [
        "auth_enabled: True is not allowed without token_auth_enabled=False: the service has token auth"
    ]
    assert lines(validate_service_update, tokens, {"auth_enabled": True, "token_auth_enabled": False}) == []
    assert lines(validate_endpoint_update, tokens, {"auth_enabled": True}) != []


def test_a_new_version_is_checked_as_a_deployment() -> None:
    """And has a name; limits alone are looked at too."""
    assert create_version(cpu_cores=2, cpu_cores_limit=2, traffic_percentile=100) == []
    assert create_version(cpu_cores_limit=-1) == ["cpu_cores_limit: -1 is not greater than 0"]
    assert create_version(autoscale_enabled=False) != []
    assert create_version(traffic_percentile=150) == ["traffic_percentile: 150 is not from 0 to 100"]
    assert create_version(version_name=None) == ["version_name: None is not the name of a version"]
    assert create_version(inference_config=None) != []


def test_a_version_is_checked_as_it_will_be() -> None:
    """What is not given stays: the autoscaler may be tuned while it runs, and not while it is off."""
    assert update_version(autoscale_max_replicas=20) == []
    assert update_version(FIXED, autoscale_max_replicas=20) == [
        "autoscale_max_replicas: 20 is not allowed with the autoscaler off: give autoscale_enabled=True"
    ]
    assert update_version(FIXED, autoscale_enabled=True, autoscale_max_replicas=20) == []
    assert update_version(FIXED, autoscale_enabled=False) == []
    assert update_version(VERSION, autoscale_enabled=False) != []
    assert update_version(cpu_cores=4, cpu_cores_limit=4) == []
    assert update_version(cpu_cores=4) == ["cpu_cores: 4 is not at most the version's limit, which is 2"]
    assert update_version(version_name="gone", num_replicas=1) == [
        "version_name: 'gone' is not a version of this endpoint: blue"
    ]
    assert update_version(version_name=[], num_replicas=1) == ["version_name: [] is not text"]


def test_validated_arguments_are_those_that_were_given() -> None:
    """`locals()` of a method will do."""
    given = validate_service_update(SERVICE, {"self": SERVICE, "kwargs": {}, "num_replicas": 2, "tags": None})
    assert given == {"num_replicas": 2}
