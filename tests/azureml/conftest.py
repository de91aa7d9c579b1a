"""The real azureml-core, asked through a process of its own."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-azureml" / "bin" / "python"


class RealSdk:
    """azureml-core in `.venv-azureml`: questions and answers are the functions of `program.py`."""

    def __init__(self, folder: Path) -> None:
        # Outside of any git repository, with a home of its own, and with a known cloud it asks nobody (wire §1.1).
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("AZURE", "PYTHON"))},
            "HOME": str(folder),
            "AZURE_CONFIG_DIR": str(folder / "azure"),
            "AZUREML_CURRENT_CLOUD": "AzureCloud",
            "AZUREML_LOG_DEPRECATION_WARNING_ENABLED": "False",
        }
        self.asked = 0
        self._errors = (folder / "stderr").open("w+")
        self._process = subprocess.Popen(
            [PYTHON, Path(__file__).with_name("program.py")],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def ask(self, question: str, **arguments: Any) -> dict[str, Any]:
        """What the real one answers; `error` is the name of the exception's class, or None."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self.asked += 1
        self._process.stdin.write(json.dumps({"ask": question, **arguments}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"azureml-core's process ended: {Path(self._errors.name).read_text()}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.communicate()
        self._errors.close()


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealSdk]:
    """The real azureml-core."""
    if not (ROOT / ".venv-azureml" / ".ready").exists():
        pytest.skip("there is no azureml-core to compare with: `make setup-azureml` makes .venv-azureml")
    sdk = RealSdk(tmp_path_factory.mktemp("azureml"))
    yield sdk
    sdk.close()
