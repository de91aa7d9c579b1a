"""Programs that `--print-env` has pointed at a server reach nothing else: azureml-core by both names of the cloud, SDK v2."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from akstwin.backend import WorkspaceIdentity
from akstwin.fake_api.thread import ServerThread
from akstwin.testing.variables import CLOUD, variables

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "sdk"

pytestmark = [pytest.mark.azureml, pytest.mark.slow]


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """What `--print-env` says of a server with one workspace, and nothing else that might lead anywhere."""
    with ServerThread() as server:
        place = server.open(WorkspaceIdentity(), clock="jump")
        authority = tmp_path / "ca.pem"
        authority.write_text(server.ways(place)["authority"])
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE", "PYTHON"))}
        yield {**clean, **variables(place.http, place.https, tmp_path / "home", authority)}


def python_of(virtual: str) -> Path:
    """The interpreter of an environment beside this one."""
    python = ROOT / virtual / "bin" / "python"
    if not (python.parents[1] / ".ready").exists():
        pytest.skip(f"there is no {virtual}: `make test` makes it")
    return python


def run(virtual: str, program: str, environment: dict[str, str], *arguments: str) -> tuple[list[str], list[str]]:
    """A program's lines, and the hosts that it looked up or connected to."""
    python = python_of(virtual)
    command = [python, PROGRAMS / "connections.py", PROGRAMS / program, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    *lines, last = done.stdout.splitlines()
    return lines, json.loads(last.removeprefix("connections: "))


@pytest.mark.parametrize("virtual", [".venv-azureml", ".venv-azureml-1.42"])
def test_azureml_core_finds_the_server_by_both_names_of_its_cloud(virtual: str, environment: dict[str, str]) -> None:
    """Programs name `AzureCloud` outright; the variables say the server's own."""
    lines, hosts = run(virtual, "version_one.py", environment, "AzureCloud", CLOUD)

    assert lines[-2:] == ["AzureCloud akstwin 0", f"{CLOUD} akstwin 0"]
    assert set(hosts) <= {"127.0.0.1", "localhost"}


def test_sdk_v2_is_refused_by_name_and_reaches_no_public_address(environment: dict[str, str]) -> None:
    """It has built-in addresses for `AzureCloud`, and none for the server's own."""
    lines, hosts = run(".venv-azure-ai-ml", "version_two.py", environment)

    asked = ["models", "online_endpoints", "environments", "jobs", "data", "components"]
    assert lines[-len(asked) - 1 : -1] == [f"{name} 400 True True" for name in asked]
    assert lines[-1] == "akstwin"
    assert set(hosts) <= {"127.0.0.1", "localhost"}


def test_sdk_v2_would_reach_the_cloud_by_azures_name(environment: dict[str, str]) -> None:
    """Why the server's cloud has a name of its own: without it the same program asks for Azure's own host."""
    python = python_of(".venv-azure-ai-ml")
    code = (
        "from azure.ai.ml._azure_environments import _get_base_url_from_metadata, AzureEnvironments\n"
        "print(_get_base_url_from_metadata(AzureEnvironments.ENV_DEFAULT))"
    )
    done = subprocess.run(
        [python, "-c", code], env=environment, capture_output=True, text=True, timeout=900, check=True
    )
    assert done.stdout.strip() == "https://management.azure.com"
