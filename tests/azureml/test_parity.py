"""Thousands of calls, each to both SDKs: accepted by both or refused by both, for the same parameters, and sent alike."""

import re
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from akstwin.domain.settings import BESIDE_THE_TABLE, KINDS, SETTINGS, Kind, Patch
from akstwin.sdk import wire
from akstwin.sdk.configuration import deploy_endpoint_configuration, deploy_service_configuration
from akstwin.sdk.exceptions import WebserviceException
from akstwin.sdk.requirements import ContainerResourceRequirements
from akstwin.sdk.rules import AUTOSCALER_SETTINGS
from akstwin.sdk.validation import validate_service_update, validate_version_create, validate_version_update

pytestmark = [pytest.mark.azureml, pytest.mark.slow]

CASES = 6000
"""Of each test."""
REQUEST = {"modelIds": ["fraud:1"]}
DEPLOY = {"AksWebservice": deploy_service_configuration, "AksEndpoint": deploy_endpoint_configuration}
OF_ENDPOINTS = {"version_name", "traffic_percentile"}

GOOD: dict[Any, list[Any]] = {
    Kind.FLAG: [True, False],
    Kind.COUNT: [1, 2, 3, 10, 70, 1000],
    Kind.AMOUNT: [0.1, 0.5, 1, 2.0, 4],
    Kind.TEXT: ["a", 'two "words"', "é\n"],
    Kind.SECRET: ["", "first", "second"],
    Kind.PAIRS: [{}, {"team": "a"}, {"a.b-c": "", "z": "é"}],
    "traffic_percentile": [0, 0.5, 10, 100],
    "namespace": ["", "a", "7", "team-a", "a--b", "a" * 63],
    "version_name": ["blue", "green", "abc", "a-9", "a" * 32],
    "models": [["Onnx"], ["ScikitLearn"], ["TensorFlow"], ["Multi"]],
    "inference_config": [True],
}
BAD: dict[Any, list[Any]] = {
    Kind.COUNT: [0, -1, 10**9],
    Kind.AMOUNT: [0, 0.0, -0.5, 1e9],
    "traffic_percentile": [-1, -0.1, 100.5, 101],
    "namespace": ["-", "-a", "a-", "A", "a_b", "a" * 64, "é", "a\nb"],
    "version_name": ["Blue", "bl", "9ab", "a" * 33, "abc-", "-ab", "ab\n", "a_b", "é"],
    "models": [[], ["Custom"], ["PyTorch"], ["Onnx", "Onnx"]],
}
"""Values of other types, empty names and line breaks at the end of namespaces are in `test_differences`."""

UPDATE = [setting.name for setting in SETTINGS if Patch.SERVICE in setting.patch and setting.kind is not Kind.OBJECT]
VERSION = [setting.name for setting in SETTINGS if Patch.VERSION in setting.patch and setting.kind is not Kind.OBJECT]
SCRIPT = ["models", "inference_config"]
ROLES = ["is_default", "is_control_version_type"]
RESOURCES = ["cpu_cores", "memory_gb", "cpu_cores_limit", "memory_gb_limit"]


class Chance:
    """Keyword sets, the same in every run: half of them about right, half of them anything."""

    def __init__(self, seed: int) -> None:
        self._stream = np.random.Generator(np.random.Philox(seed))

    def one(self, values: list[Any]) -> Any:
        """One of these."""
        return values[int(self._stream.integers(len(values)))]

    def arguments(self, names: list[str]) -> dict[str, Any]:
        """A few, or many, of these parameters with values, now and then None."""
        sound = self.one([True, False])
        share = self.one([0.05, 0.15, 0.4, 0.9])
        given = {
            name: None if self._stream.random() < 0.1 else self.value(name, sound=sound or self.one([True, False]))
            for name in names if self._stream.random() < share
        }  # fmt: skip
        return coherent(given) if sound else given

    def value(self, name: str, *, sound: bool) -> Any:
        """A value for a parameter, of its type."""
        key = name if name in GOOD else KINDS[name]
        return self.one(GOOD[key] if sound or key not in BAD else BAD[key])


def coherent(given: dict[str, Any]) -> dict[str, Any]:
    """These arguments without most of what cannot go together."""
    kept = dict(given)
    if kept.get("autoscale_enabled"):
        kept.pop("num_replicas", None)
        kept.pop("autoscale_min_replicas", None)
    else:
        kept = {name: value for name, value in kept.items() if not name.startswith("autoscale_")}
    kept.pop("auth_enabled" if kept.get("token_auth_enabled") else "token_auth_enabled", None)
    for name in ("cpu_cores_limit", "memory_gb_limit"):
        if kept.get(name) is not None:
            kept[name] = 4
    return kept


def each(seed: int, draw: Callable[[Chance], dict[str, Any]], compare: Callable[..., str]) -> Counter[str]:
    """Compare many cases; a case that fails is first made as small as it can be.

    Args:
        seed: of the cases.
        draw: makes a case, whose `arguments` are what is made smaller.
        compare: says what was seen.
    """
    chance = Chance(seed)
    seen: Counter[str] = Counter()
    for _ in range(CASES):
        case = draw(chance)
        try:
            seen[compare(**case)] += 1
        except AssertionError:
            case = smallest(case, compare)
            print(f"The smallest case that fails: {case}")  # noqa: T201
            compare(**case)
            raise
    return seen


def smallest(case: dict[str, Any], compare: Callable[..., str]) -> dict[str, Any]:
    """The case without all arguments that it needs not to fail."""
    for name in case["arguments"]:
        smaller = {**case, "arguments": {key: value for key, value in case["arguments"].items() if key != name}}
        try:
            compare(**smaller)
        except AssertionError:
            case = smaller
    return case


def named(message: str) -> set[frozenset[str]]:
    """The parameters in each line of a refusal of azureml-core's."""
    spelled = message.replace("autoscale enabled", "autoscale_enabled").replace(
        "autoscale disabled", "autoscale_enabled"
    )
    spelled = spelled.replace("enabling autoscaling", "autoscale_enabled").replace("service name", "version_name")
    words = "|".join(sorted(KINDS, key=len, reverse=True))
    lines = [frozenset(re.findall(rf"(?<![\w.])({words})\b", line)) for line in spelled.splitlines()]
    return {line for line in lines if line}


def ours(function: Any, *given: Any) -> tuple[Any, set[frozenset[str]] | None]:
    """What our function gives, or the parameters of each problem it found."""
    try:
        return function(*given), None
    except WebserviceException as refusal:
        for line, problem in zip(refusal.message.splitlines(), refusal.problems, strict=False):
            assert all(parameter in line for parameter in problem.parameters)
        return None, {frozenset(problem.parameters) for problem in refusal.problems}


def ordered(patch: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Operations on different paths, in one order for both."""
    assert len({operation["path"] for operation in patch}) == len(patch)
    return sorted(patch, key=lambda operation: operation["path"])


@pytest.mark.parametrize(("of", "seed"), [("AksWebservice", 1), ("AksEndpoint", 2)])
def test_deploy_configuration(real: Any, of: str, seed: int) -> None:
    """Accepted or refused by both; each line of a refusal is about the same parameters; what is accepted is sent alike."""
    names = parameters(real.ask("surface")[of]["methods"]["deploy_configuration"])

    def draw(chance: Chance) -> dict[str, Any]:
        return {
            "arguments": without(chance.arguments(names), *EMPTY_IS_NONE),
            "target": chance.one([None, "aks"]),
            "overwrite": chance.one([True, False]),
        }

    def compare(arguments: dict[str, Any], target: str | None, overwrite: bool) -> str:
        answer = real.ask("deploy", of=of, arguments=arguments, name="fraud", target=target, overwrite=overwrite)
        configuration, problems = ours(lambda: DEPLOY[of](**arguments))
        if problems is not None:
            assert answer["error"] == "WebserviceException", problems
            beyond = {problem for problem in problems if problem & OF_ENDPOINTS}
            # azureml-core looks at those only when all else is right, and at the name first (`all_at_once`).
            expected = problems - beyond or {frozenset({"version_name"})} & beyond or beyond
            assert named(answer["message"]) == expected
            return "refused"
        assert answer["error"] is None, answer
        payload = configuration.create_payload("fraud", REQUEST, compute_name=target, overwrite=overwrite)
        assert payload == with_secondary_key(answer["payload"], arguments)
        return "accepted"

    seen = each(seed, draw, compare)

    assert min(seen["accepted"], seen["refused"]) > CASES / 4, seen


def parameters(described: str) -> list[str]:
    """The names in a description of a call."""
    return [part.partition("=")[0] for part in described.split(", ")]


def with_secondary_key(payload: dict[str, Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """A known difference: azureml-core sends no second key without a first one, and empty ones as they are."""
    for part in (payload, *payload.get("versions", {}).values()):
        part["keys"]["secondaryKey"] = arguments.get("secondary_key") or None
    return payload


def translated(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a question as objects."""
    given = dict(arguments)
    if given.get("models") is not None:
        given["models"] = [SimpleNamespace(model_framework=framework) for framework in given["models"]]
    return given


def with_request(given: dict[str, Any]) -> dict[str, Any]:
    """Arguments with what their models and script become."""
    return {**given, "environment_image_request": REQUEST} if given.keys() & set(SCRIPT) else given


def without(arguments: dict[str, Any], *names: str) -> dict[str, Any]:
    """Arguments without empty ones that azureml-core takes for not given and we do not (`test_differences`)."""
    return {name: value for name, value in arguments.items() if name not in names or value or value is None}


EMPTY_IS_NONE = (
    "gpu_cores", "description", "namespace", "primary_key", "secondary_key", "compute_target_name", "is_default",
    "is_control_version_type", *AUTOSCALER_SETTINGS,
)  # fmt: skip
"""What azureml-core takes an empty value of for not given."""


def at_most_zero(value: float | None) -> bool:
    """Whether a number is given and not greater than 0."""
    return value is not None and value <= 0


def pooled(lines: set[frozenset[str]]) -> set[str]:
    """All parameters of a refusal."""
    return set().union(*lines)


def test_update(real: Any) -> None:
    """`AksWebservice.update`, of services in many states: refused for the same parameters, or the same operations."""
    names = [*UPDATE, *SCRIPT]

    def draw(chance: Chance) -> dict[str, Any]:
        resources = {
            name: chance.one([None, low, high])
            for name, low, high in [
                ("cpu", 0.1, 1), ("memory_in_gb", 0.5, 1), ("cpu_limit", 1, 4), ("memory_in_gb_limit", 1, 4),
            ]
        }  # fmt: skip
        current = {
            "auth_enabled": chance.one([None, False, True]),
            "token_auth_enabled": chance.one([None, False, True]),
            "container_resource_requirements": chance.one([None, resources]),
        }
        return {
            "arguments": without(chance.arguments(names), *EMPTY_IS_NONE),
            "current": current,
        }

    def compare(arguments: dict[str, Any], current: dict[str, Any]) -> str:
        answer = real.ask("call", of="AksWebservice", method="update", current=current, arguments=arguments)
        resources = current["container_resource_requirements"]
        asked = resources and ContainerResourceRequirements(**resources)
        service = SimpleNamespace(**{**current, "container_resource_requirements": asked})
        given, problems = ours(validate_service_update, service, translated(arguments))
        if problems is not None:
            assert answer["error"] in ("WebserviceException", "UserErrorException"), problems
            if problems and answer["error"] == "WebserviceException" and named(answer["message"]):
                # An empty list of models is looked at later than all else; of a memory limit only the first problem is told.
                late = set(SCRIPT) if arguments.get("models") == [] else set()
                late |= {"memory_gb"} if at_most_zero(arguments.get("memory_gb_limit")) else set()
                assert pooled(named(answer["message"])) - late == pooled(problems) - late
            return str(answer["error"]) if problems else "nothing"
        assert answer["error"] is None, answer
        assert ordered(wire.update_patch(with_request(given))) == ordered(answer["patch"])
        return "accepted"

    seen = each(3, draw, compare)

    assert min(seen["accepted"], seen["WebserviceException"]) > CASES / 5, seen
    assert seen["nothing"] > CASES / 50, seen


def test_create_version(real: Any) -> None:
    """`AksEndpoint.create_version` without resources, which azureml-core breaks on: refused by both, or sent alike."""
    names = [name for name in [*VERSION, *SCRIPT, *ROLES] if name not in RESOURCES]

    def draw(chance: Chance) -> dict[str, Any]:
        arguments = without(chance.arguments(names), *EMPTY_IS_NONE)
        if chance.one([True, False]):
            arguments["inference_config"] = True
        arguments["version_name"] = chance.value("version_name", sound=chance.one([True, True, True, False]))
        return {"arguments": arguments, "versions": chance.one([[], ["blue"], ["blue", "red"]])}

    def compare(arguments: dict[str, Any], versions: list[str]) -> str:
        current = {"compute_name": "aks", "versions": versions}
        answer = real.ask("call", of="AksEndpoint", method="create_version", current=current, arguments=arguments)
        given, problems = ours(validate_version_create, translated(arguments))
        if problems is not None:
            assert answer["error"] in ("WebserviceException", "UserErrorException"), problems
            if answer["error"] == "WebserviceException":
                # It stops at the first of four checks that fails.
                assert pooled(named(answer["message"])) <= pooled(problems)
            return "refused"
        assert answer["error"] is None, answer
        added = wire.version_added_patch(
            arguments["version_name"], versions, given, compute_name="aks", environment_image_request=REQUEST
        )
        assert ordered(added) == ordered(answer["patch"])
        return "accepted"

    seen = each(4, draw, compare)

    assert min(seen["accepted"], seen["refused"]) > CASES / 5, seen


def test_update_version(real: Any) -> None:
    """`AksEndpoint.update_version`: what we accept is accepted there, and the same operations are sent."""
    names = [*VERSION, *SCRIPT, *ROLES]
    version = SimpleNamespace(autoscaler=None, num_replicas=2, container_resource_requirements=None)

    def draw(chance: Chance) -> dict[str, Any]:
        arguments = {**without(chance.arguments(names), "tags", *EMPTY_IS_NONE), "version_name": "blue"}
        return {"arguments": arguments, "versions": chance.one([["blue"], ["red", "blue"]])}

    def compare(arguments: dict[str, Any], versions: list[str]) -> str:
        current = {"versions": versions}
        answer = real.ask("call", of="AksEndpoint", method="update_version", current=current, arguments=arguments)
        given, problems = ours(validate_version_update, dict.fromkeys(versions, version), translated(arguments))
        if problems is not None:
            return "refused here" if problems or answer["error"] is None else "nothing"
        assert answer["error"] is None, answer
        patch = wire.version_patch("blue", versions, with_request(given))
        known = [operation for operation in patch if "/properties/" not in operation["path"]]
        assert ordered(known) == ordered(answer["patch"])
        return "accepted"

    seen = each(5, draw, compare)

    assert seen["accepted"] > CASES / 4, seen
    assert seen["nothing"] > CASES / 50, seen


def test_every_parameter_is_compared(real: Any) -> None:
    """The table knows the parameters of every call, and no other."""
    surface = real.ask("surface")
    of_endpoints = surface["AksEndpoint"]["methods"]
    calls = [
        *(surface[of]["methods"]["deploy_configuration"] for of in DEPLOY),
        surface["AksWebservice"]["methods"]["update"],
        *(of_endpoints[call] for call in ("create_version", "update_version", "update")),
    ]
    asked = {name for call in calls for name in parameters(call)}

    assert asked == set(KINDS) - {"environment_image_request", "location"}
    assert set(BESIDE_THE_TABLE) - asked == {"location"}
