"""The unmodified azureml-core against a served workspace: the programs in `sdk/` check what they see themselves."""

from pathlib import Path
from typing import Protocol

import pytest

pytestmark = [pytest.mark.azureml, pytest.mark.slow]


class Sdk(Protocol):
    """See conftest."""

    def run(self, program: str, folder: Path) -> None:
        """Run a program."""


@pytest.mark.parametrize(
    "program", ["workspaces", "models", "environments", "webservices", "endpoints", "failures", "deployments"]
)
def test_an_old_script_does_what_it_did_in_azure(program: str, real_sdk: Sdk, tmp_path: Path) -> None:
    """With the variables of `serve --print-env`, and nothing changed in the SDK but how it sleeps."""
    real_sdk.run(program, tmp_path)
