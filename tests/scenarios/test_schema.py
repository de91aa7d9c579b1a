"""The JSON Schema says what the reader of scenario files takes, no more and no less than a schema can."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from akstwin.scenarios.load import BadScenario, document_of, prepare
from akstwin.scenarios.model import Scenario
from akstwin.scenarios.schema import scenario_schema

LIBRARY = Path(__file__).parents[2] / "scenarios" / "library"
FILES = sorted(path for path in LIBRARY.glob("*.yaml") if not path.name.endswith(".expected.yaml"))
SMALL: dict[str, Any] = {
    "duration": "10s",
    "webservice": {"name": "fraud"},
    "traffic": [{"shape": "poisson", "rate": 5}],
}


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    """Holds documents against the schema."""
    return Draft202012Validator(scenario_schema())


def test_the_schema_is_one() -> None:
    """It is valid by its own draft, which it names."""
    schema = scenario_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema)


def test_the_command_prints_the_schema() -> None:
    """`akstwin schema` gives JSON and nothing else."""
    done = subprocess.run(
        [sys.executable, "-c", "from akstwin.cli import main; main()", "schema"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == scenario_schema()
    assert done.stderr == ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_library_follows_it(validator: Draft202012Validator, path: Path) -> None:
    """Every scenario of the library is valid."""
    assert [error.message for error in validator.iter_errors(document_of(path))] == []


@pytest.mark.parametrize(
    "addition",
    [
        {"cluster": {"vm_size": "Standard_D4s_v5"}},
        {"cluster": {"vm_size": {"cpu_cores": 4, "memory_gb": 16}}},
        {"webservice": {"name": "fraud", "model": {"service_time": "80ms", "init_time": 8}}},
        {"clients": {"retry": {"statuses": [503], "attempts": 3}}},
        {"clients": {"retry": "azureml-core"}},
        {"assumptions": {"router_pods": {"FastProd": 5}, "router_lag": "2s"}},
        {"faults": [{"kind": "node_loss", "at": "1s", "node": 1}]},
        {"operations": [{"kind": "update", "at": 5, "deploy": {"num_replicas": 3}}]},
    ],
)
def test_what_the_reader_takes_is_valid(validator: Draft202012Validator, addition: dict[str, Any]) -> None:
    """Each way of writing a thing is in it."""
    document = {**SMALL, **addition}
    Scenario.model_validate(document)
    assert validator.is_valid(document)


@pytest.mark.parametrize(
    "addition",
    [
        {"duraton": "10s"},
        {"duration": True},
        {"seed": -1},
        {"replications": 0},
        {"start": "warm"},
        {"cluster": {"nodes": "three"}},
        {"webservice": {"name": "fraud", "deploy": {"num_replica": 3}}},
        {"webservice": {"deploy": {}}},
        {"webservice": {"name": "fraud", "model": {"service_time": {"distribution": "lognorml", "mean": 1}}}},
        {"traffic": [{"shape": "poisson"}]},
        {"traffic": [{"shape": "poisson", "rate": 0}]},
        {"traffic": [{"shape": "trace", "file": "a.csv", "instants": [1]}]},
        {"faults": [{"kind": "node_los", "at": "1s", "node": 1}]},
        {"clients": {"retry": "sometimes"}},
        {"assumptions": {"run_failure_status": 501}},
        {"policies": [{"kind": "canary", "version": "x", "steps": [120], "hold": 1, "max_error_rate": 0}]},
        {"objectives": {"success_rate": 99}},
    ],
)
def test_what_the_reader_refuses_is_not_valid(validator: Draft202012Validator, addition: dict[str, Any]) -> None:
    """Unknown names, kinds and figures, wherever they stand."""
    document = {**SMALL, **addition}
    with pytest.raises(ValueError, match="validation error"):
        Scenario.model_validate(document)
    assert not validator.is_valid(document)


def _properties(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        properties = node.get("properties")
        yield from properties if isinstance(properties, dict) else ()
        for value in node.values():
            yield from _properties(value)
    elif isinstance(node, list):
        for value in node:
            yield from _properties(value)


def test_what_only_the_program_fills_in_is_not_in_it() -> None:
    """Instants and values read from files are no settings."""
    names = set(_properties(scenario_schema()))
    assert {"shape", "file", "distribution", "cv"} <= names
    assert not {"instants", "values"} & names
    assert "hidden" not in json.dumps(scenario_schema())


def test_every_setting_of_the_reader_is_in_it() -> None:
    """All sections of a scenario, and each with all that it takes."""
    assert set(scenario_schema()["properties"]) == set(Scenario.model_fields)


@pytest.mark.parametrize(
    ("change", "valid"),
    [
        ({"traffic": {"shape": "poisson", "rate": 5}}, True),
        ({"traffic": [{"shape": "poisson", "rate": 5}]}, True),
        ({"duration": "90s"}, True),
        ({"duration": "10 parsecs"}, False),
        ({"duration": "1m30s"}, False),
        ({"duration": -1}, False),
    ],
)
def test_the_schema_takes_what_a_run_takes(change: dict[str, object], valid: bool) -> None:
    """An editor that checks by the schema agrees with the program on durations, and on a single traffic entry."""
    document = {"duration": "10s", "webservice": {"name": "fraud"}, **change}

    assert Draft202012Validator(scenario_schema()).is_valid(document) is valid
    try:
        prepare(document, Path("s.yaml"))
    except BadScenario:
        assert not valid
    else:
        assert valid
