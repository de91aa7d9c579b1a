"""The unmodified azureml-core against a served workspace: the programs in `sdk/` check what they see themselves."""

import re
from pathlib import Path
from typing import Protocol

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.azureml, pytest.mark.slow]


class Sdk(Protocol):
    """See conftest."""

    def run(self, program: str, folder: Path) -> None:
        """Run a program."""


@pytest.mark.parametrize(
    "program",
    [
        "workspaces",
        "models",
        "environments",
        "clusters",
        "webservices",
        "endpoints",
        "failures",
        "deployments",
        "scripts",
    ],
)
def test_an_old_script_does_what_it_did_in_azure(program: str, real_sdk: Sdk, tmp_path: Path) -> None:
    """With the variables of `serve --print-env`, and nothing changed in the SDK but how it sleeps."""
    real_sdk.run(program, tmp_path)


def test_the_script_of_the_how_to_runs_as_printed(real_sdk: Sdk, tmp_path: Path) -> None:
    """Wholly unmodified: its sleeps are real."""
    page = (ROOT / "docs/how-to/use-azureml-core.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"^```python\n(# old_script\.py\n.*?)^```", page, re.DOTALL | re.MULTILINE)
    (tmp_path / "old_script.py").write_text(f"{script}\nassert service.run('{{\"data\": [1, 2]}}') == [3, 6]\n")
    real_sdk.run(str(tmp_path / "old_script"), tmp_path)
