"""What azureml-core 1.61 itself sends runs here, and its own `get_model_path` finds our models."""

import dataclasses
import datetime as dt
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from akstwin.errors import NotFound
from akstwin.uploads import Tally
from akstwin.worker import Ready, Reply, Request, Worker
from akstwin.worker.unpack import ModelFiles, unpack

pytestmark = [pytest.mark.azureml, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-azureml" / "bin" / "python"
AT = dt.datetime(2026, 7, 1, 9, tzinfo=dt.UTC)
SCRIPT = """
import os, pathlib
{}
def init(): pass
def run(data):
    return [data, NUMBER, os.environ.get("COLOUR"), sorted(os.listdir(os.environ["AZUREML_MODEL_DIR"]))]
"""
CONFIGS: list[dict[str, Any]] = [
    {"entry_script": "score.py", "source_directory": "it is/src", "variables": {"COLOUR": "blue"}},
    {"entry_script": "score.py", "source_directory": "it is/src", "variables": None},
    {"entry_script": "sub/other.py", "source_directory": "it is/src", "variables": None},
    {"entry_script": "./score.py", "source_directory": "it is/src/", "variables": None},
    {"entry_script": "score.py", "source_directory": ".", "variables": {}},
    {"entry_script": "score.py", "source_directory": ".", "variables": None},
    {"entry_script": "single.py", "variables": {"COLOUR": "blue"}},
    {"entry_script": "single.py", "variables": None},
    {"entry_script": "it is/lonely.py", "variables": None},
]


class Uploaded:
    """`Backend.download` over the folder that the program filled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def fetch(self, prefix: str, target: Path, tally: Tally) -> list[Path]:
        """One file."""
        file = self._folder / prefix
        if not file.is_file():
            raise NotFound(prefix)
        path = Path(*Path(prefix).parts[2:])
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(file.read_bytes())
        return [path]


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], Uploaded]:
    """The requests of all configurations, and the uploads."""
    if not (ROOT / ".venv-azureml" / ".ready").exists():
        pytest.skip("there is no azureml-core to compare with: `make setup-azureml` makes .venv-azureml")
    home, uploads = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("uploads")
    own = SCRIPT.format("from helper import NUMBER")
    alone = SCRIPT.format("NUMBER = 7")
    files = {"it is/src/score.py": own, "it is/src/sub/other.py": own, "it is/src/helper.py": "NUMBER = 7\n"}
    files |= {"single.py": alone, "it is/lonely.py": alone, "score.py": own, "helper.py": "NUMBER = 7\n"}
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AZURE", "PYTHON"))}
    environment = kept | {"HOME": str(home), "AZUREML_LOG_DEPRECATION_WARNING_ENABLED": "False", "TMPDIR": str(uploads)}
    program = [PYTHON, Path(__file__).with_name("azureml_program.py")]
    question = json.dumps({"uploads": str(uploads), "configs": CONFIGS})
    done = subprocess.run(
        program, cwd=home, env=environment, input=question, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    requests: list[dict[str, Any]] = json.loads(done.stdout)
    return requests, Uploaded(uploads)


@pytest.mark.parametrize("number", range(len(CONFIGS)))
def test_what_azureml_core_sends_runs(sent: Any, tmp_path: Path, number: int) -> None:
    """With and without an environment, with and without a source directory."""
    requests, uploads = sent
    request, config = requests[number], CONFIGS[number]
    assert request["driverProgram"]
    assert ("environment" in request) is (config["variables"] is not None)
    (uploads._folder / "LocalUpload" / "m").mkdir(exist_ok=True)
    (uploads._folder / "LocalUpload" / "m" / "w.bin").write_text("w")
    names: dict[str, Any] = {"service_name": "fraud", "service_version": "1", "workspace_name": "ws"}
    models = [ModelFiles("fraud", 1, ("LocalUpload/m/w.bin",))]
    spec = unpack(request, fetch=uploads.fetch, models=models, folder=tmp_path / "app", **names)
    assert spec is not None
    with Worker(spec) as worker:
        started = worker.start(AT)
        assert isinstance(started, Ready), started
        reply = worker.run(Request(AT, b"x"))
    assert isinstance(reply, Reply)
    assert json.loads(reply.body) == ["x", 7, (config["variables"] or {}).get("COLOUR"), ["w.bin"]]


def test_the_real_get_model_path_finds_our_models(sent: Any, tmp_path: Path) -> None:
    """With azureml-core in the environment of the script, ours steps back."""
    text = """
import json
from azureml.core import VERSION  # the real one has it
from azureml.core.model import Model
def init(): assert VERSION.startswith("1.61")
def run(data):
    name, version = json.loads(data)
    try:
        return Model.get_model_path(name, version)
    except Exception as error:
        return type(error).__name__
"""
    folder = tmp_path / "app"
    ours = "\n".join(line for line in text.splitlines() if "VERSION" not in line) + "\ndef init(): pass\n"
    scripts = {"LocalUpload/s/score.py": text, "LocalUpload/s/ours.py": ours}

    def fetch(prefix: str, target: Path, _tally: Tally) -> list[Path]:
        (target / Path(prefix).name).write_text(scripts.get(prefix, ""))
        return [Path(Path(prefix).name)]

    assets = [{"id": Path(name).name, "url": f"aml://artifact/{name}"} for name in scripts]
    models = [ModelFiles("a", 2, ("LocalUpload/m/a",)), ModelFiles("a", 11, ("LocalUpload/m/a",))]
    models.append(ModelFiles("two", 1, ("LocalUpload/m/a", "LocalUpload/m/b")))
    environment = {"environmentVariables": {"AZUREML_ENTRY_SCRIPT": "score.py"}}
    names: dict[str, Any] = {"service_name": "fraud", "service_version": "1", "workspace_name": "ws"}
    spec = unpack({"assets": assets, "environment": environment}, fetch=fetch, models=models, folder=folder, **names)
    assert spec is not None
    questions = [("a", None), ("a", 2), ("a", 3), ("a", "2"), ("b", None), ("b", 1), ("two", 1), ("score.py", None)]
    answers = []
    for python, script in ((str(PYTHON), "score.py"), (spec.python, "ours.py")):
        changed = dataclasses.replace(spec, python=python, entry_script=script)
        with Worker(changed) as worker:
            started = worker.start(AT)
            assert isinstance(started, Ready), started.logs
            replies = [worker.run(Request(AT, json.dumps(question).encode())) for question in questions]
        answers.append([json.loads(reply.body) for reply in replies if isinstance(reply, Reply)])
    assert answers[0] == answers[1]
    assert answers[0][0] == f"{folder}/azureml-models/a/11/a"
