"""The coverage table has a row for everything that the nine classes have in azureml-core, and for nothing else.

`tests/azureml` holds `surface.json`, and the parameters of the class reference with it, against azureml-core.
"""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from akstwin.sdk.coverage import ATTRIBUTES, CALLS, CLASSES, METHODS, PARAMETERS, Row, Status

SURFACE: dict[str, Any] = json.loads((Path(__file__).parents[1] / "azureml" / "surface.json").read_text())


def names_in(signature: str) -> list[str]:
    """The names of a signature's parameters."""
    return [parameter.partition("=")[0] for parameter in signature.split(", ") if parameter]


def methods_of(class_name: str) -> dict[str, list[str]]:
    """Names and parameters of what can be called, the constructor among it."""
    of = SURFACE[class_name]
    signatures = {"constructor": of["constructor"], **of["methods"]}
    return {name: names_in(signature) for name, signature in signatures.items()}


def about(rows: Iterable[Row], name: str, of: str) -> list[Row]:
    """The rows about something; a row that says what it is about goes before one that does not."""
    named = [row for row in rows if row.name == name]
    return [row for row in named if of in row.of] or [row for row in named if not row.of]


def call_of(class_name: str, method: str) -> str:
    """What the call of a method, or of a constructor, goes by."""
    return class_name if method == "constructor" else f"{class_name}.{method}"


def test_the_nine_classes() -> None:
    """Those of the class reference."""
    assert sorted(CLASSES) == [
        "AksEndpoint", "AksEndpointDeploymentConfiguration", "AksServiceAccessToken", "AksServiceDeploymentConfiguration",
        "AksWebservice", "AutoScaler", "ContainerResourceRequirements", "DataCollection", "LivenessProbeRequirements",
    ]  # fmt: skip


@pytest.mark.parametrize("call", CALLS)
def test_every_setting_has_a_row(call: str) -> None:
    """One for each parameter of each call that takes settings."""
    class_name, _, method = call.partition(".")
    for parameter in methods_of(class_name)[method or "constructor"]:
        assert len(about(PARAMETERS, parameter, call)) == 1, parameter


@pytest.mark.parametrize("class_name", CLASSES)
def test_every_method_has_a_row(class_name: str) -> None:
    """And every parameter of it that is neither a setting nor an attribute."""
    for method, parameters in methods_of(class_name).items():
        rows = about(METHODS, method, class_name)
        assert rows, method
        told = [parameter for row in rows for parameter in row.takes]
        if call_of(class_name, method) in CALLS or method == "delete_version":
            told += [parameter for parameter in parameters if about(PARAMETERS, parameter, "")]
        elif method == "constructor":
            told += SURFACE[class_name].get("attributes", ())
        refused = all(row.status == "missing" for row in rows) and not told
        assert refused or set(parameters) <= set(told), method


@pytest.mark.parametrize("class_name", CLASSES)
def test_every_attribute_has_a_row(class_name: str) -> None:
    """The attributes of a configuration are its parameters."""
    for attribute in SURFACE[class_name]["attributes"]:
        rows = about(ATTRIBUTES, attribute, class_name)
        if class_name.endswith("Configuration"):
            rows = rows if attribute == "location" else about(PARAMETERS, attribute, class_name)
        assert len(rows) == 1, attribute


def test_no_row_is_about_what_is_not_there() -> None:
    """Each name, and each call or class that a row is about."""
    takes = {call_of(name, method): set(found) for name in CLASSES for method, found in methods_of(name).items()}
    for row in PARAMETERS:
        assert all(row.name in takes[call] for call in row.of), row.name
        assert any(row.name in takes[call] for call in CALLS), row.name
    for row in METHODS:
        assert row.of, row.name
        assert all(set(row.takes) <= takes[call_of(name, row.name)] for name in row.of), row.name
    for row in ATTRIBUTES:
        assert row.of, row.name
        assert all(row.name in SURFACE[name]["attributes"] for name in row.of), row.name


@pytest.mark.parametrize("rows", [PARAMETERS, METHODS, ATTRIBUTES])
def test_rows_of_one_name_do_not_contradict_each_other(rows: tuple[Row, ...]) -> None:
    """They are about different calls, classes or parameters."""
    found = Counter(
        (row.name, of, parameter) for row in rows for of in row.of or ("",) for parameter in row.takes or ("",)
    )

    assert {key for key, number in found.items() if number > 1} == set()


def test_only_descriptions_labels_and_tags_are_stored_without_effect() -> None:
    """Every other argument of the class reference acts, or is refused."""
    stored = {(row.name, row.of) for row in PARAMETERS if row.status is Status.STORED}
    versions = ("AksEndpoint.create_version", "AksEndpoint.update_version")
    assert stored == {
        ("description", ()), ("is_control_version_type", ()), ("tags", versions), ("properties", versions),
    }  # fmt: skip
