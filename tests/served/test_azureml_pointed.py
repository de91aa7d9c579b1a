"""`sdk_env` with the unmodified azureml-core, in its own environment: the program in `sdk/` checks what it sees itself."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from akstwin.backend import WorkspaceIdentity
from akstwin.fake_api.thread import ServerThread

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.azureml, pytest.mark.slow]


@pytest.fixture(params=["jump", "manual"])
def urls(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Two workspaces on servers of their own."""
    with ServerThread() as first, ServerThread() as second:
        places = [
            first.open(WorkspaceIdentity("one"), clock=request.param),
            second.open(WorkspaceIdentity("two"), clock="jump"),
        ]
        yield [place.http for place in places]


@pytest.mark.parametrize("when", ["before", "inside"])
@pytest.mark.parametrize("environment", [".venv-azureml", ".venv-azureml-1.42"])
def test_an_old_script_waits_on_the_servers_clock_and_reaches_no_cloud(
    environment: str, when: str, urls: list[str], tmp_path: Path
) -> None:
    """It deploys with the SDK's own polls and never sleeps; `management.azure.com` is refused by name."""
    python = ROOT / environment / "bin" / "python"
    if not (python.parents[1] / ".ready").exists():
        pytest.skip(f"there is no azureml-core in {environment}: `make setup-azureml` makes it")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE", "PYTHON"))}

    done = subprocess.run(
        [python, Path(__file__).parent / "sdk" / "pointed.py", *urls, when],
        cwd=tmp_path,
        env={**clean, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert done.stdout.endswith("done\n")
