"""Reads what it is asked for with the real azureml-core, one JSON document a line, and says what it failed on."""

import json
import logging
import sys
from collections.abc import Callable
from typing import Any

from azureml.core import Environment, Webservice
from azureml.core.compute import ComputeTarget
from azureml.core.model import Model
from common import workspace

logging.disable(logging.CRITICAL)
ws = workspace()


def service(name: str) -> None:
    """A service, and all that is read of it only when it is asked for."""
    found = Webservice(ws, name)
    found.serialize()
    assert found.created_time is not None
    assert found.updated_time is not None
    versions = getattr(found, "versions", None) or {}
    for each in (found, *versions.values()):
        assert isinstance(getattr(each, "models", []), list)
        environment = getattr(each, "environment", None)
        assert environment is None or repr(environment)


def model(name: str) -> None:
    """A model; its data sets and its run are looked for and need not be there."""
    Model(ws, id=name).serialize()


def environment(name: str) -> None:
    """An environment, what it prints and what its packages are."""
    found = Environment.get(ws, name)
    repr(found)
    assert isinstance(found, Environment)
    conda = found.python.conda_dependencies if getattr(found, "python", None) else None
    if conda is not None:
        list(conda.conda_packages)
        list(conda.pip_packages)
        conda.serialize_to_string()


def compute(name: str) -> None:
    """A compute target."""
    ComputeTarget(ws, name).serialize()


LISTS: dict[str, Callable[[], Any]] = {
    "services": lambda: Webservice.list(ws),
    "models": lambda: Model.list(ws),
    "environments": lambda: Environment.list(ws),
    "computes": lambda: ComputeTarget.list(ws),
}
GETTERS = {"services": service, "models": model, "environments": environment, "computes": compute}

answers, sys.stdout = sys.stdout, sys.stderr
for line in sys.stdin:
    asked = json.loads(line)
    failed: dict[str, str] = {}
    for what, read in [("list", LISTS[asked["kind"]]), *((name, None) for name in asked["names"])]:
        try:
            read() if read else GETTERS[asked["kind"]](what)
        except Exception as error:  # noqa: BLE001 - whatever the real one raises is the answer
            failed[what] = f"{type(error).__name__}: {error}"
    print(json.dumps(failed), file=answers, flush=True)
