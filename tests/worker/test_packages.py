"""What scripts import of the packages that `azureml-defaults` brings to a container."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from akstwin.worker import InitFailed, Ready, Worker
from akstwin.worker.inside.azureml_core import NAMES, VERSION

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "line",
    [
        "import azureml.core; azureml.core.VERSION.split('.')",
        "from azureml.core import Run, Workspace, Dataset, Datastore, Environment, Experiment, Keyvault, VERSION",
        "from azureml.core.model import InferenceConfig, Model, ModelPackage",
        "from azureml.core.run import Run",
        "from azureml.core.authentication import MsiAuthentication, ServicePrincipalAuthentication",
        "from azureml.core.webservice import AksWebservice, Webservice",
        "from azureml.core.compute import AksCompute",
        "from azureml.core.conda_dependencies import CondaDependencies",
        "from azureml.data.datapath import DataPath",
        "import azureml.core; azureml.core.webservice.aks.AutoScaler, azureml.core.model.Model.get_model_path",
        "from azureml.exceptions import ServiceException, UserErrorException, AzureMLException",
        "import azureml.core\nfrom azureml.core import Workspace\ndef helper(ws: Workspace) -> 'azureml.core.Run': pass",
        "from azureml.core import *",
    ],
)
def test_what_scripts_import_of_azureml_core_is_there(worker: Callable[..., Worker], ask: Any, line: str) -> None:
    """They import more than they use."""
    replica = worker(f"{line}\ndef init(): pass\ndef run(data): return data\n")
    assert ask(replica, b"x").body == b'"x"'


@pytest.mark.parametrize(
    ("use", "named"),
    [
        ("Run.get_context()", "azureml.core.Run"),
        ("Workspace.from_config()", "azureml.core.Workspace"),
        ("Workspace('s', 'g', 'w')", "azureml.core.Workspace"),
        ("azureml.core.Dataset.Tabular", "azureml.core.Dataset"),
        ("azureml.core.Model.list(None)", "azureml.core.model.Model"),
        ("azureml.core.model.Model(None, 'fraud')", "azureml.core.model.Model"),
    ],
)
def test_what_is_used_of_it_says_what_to_install(worker: Callable[..., Worker], at: Any, use: str, named: str) -> None:
    """By name, with the way out, in the reason and in the log."""
    top = "import azureml.core\nfrom azureml.core import Run, Workspace\n"
    started = worker(f"{top}def init(): {use}\ndef run(data): pass\n", start=False).start(at)
    assert isinstance(started, InitFailed)
    for said in (started.reason, started.logs):
        assert f"{named} is not usable here: akstwin brings" in said
        assert "Install azureml-core for the Python that runs akstwin" in said


def test_errors_of_azureml_core_can_be_caught(shared: Any, ask: Any) -> None:
    """Those that are raised here, and those that never are."""
    script = """
        from azureml.core.model import Model
        from azureml.exceptions import AzureMLException, ServiceException, WebserviceException
        def init(): pass
        def run(data):
            try: Model.get_model_path("nothing")
            except ServiceException: return "service"
            except AzureMLException as error: return type(error).__name__
    """
    assert json.loads(ask(shared(script), b"").body) == "ModelNotFoundException"


@pytest.mark.parametrize(
    ("line", "package", "brought"),
    [
        ("import no_such_package", "no_such_package", False),
        ("from no_such_package.part import thing", "no_such_package", False),
        ("import flask_cors", "flask-cors", True),
        ("import applicationinsights", "applicationinsights", True),
        ("import azureml.dataprep", "azureml-dataset-runtime", True),
        ("import azureml.train.automl", "azureml-train", False),
        ("import azureml.nonsense", "azureml", False),
        ("import sklearn_but_not_quite, sklearn", "sklearn_but_not_quite", False),
        ("import skimage", "scikit-image", False),
    ],
)
def test_a_missing_package_is_named_with_what_to_install(
    worker: Callable[..., Worker], at: Any, line: str, package: str, brought: bool
) -> None:
    """In the reason, which deployments show, and in the log; whether real containers have it by themselves."""
    started = worker(f"{line}\ndef init(): pass\ndef run(data): pass\n", start=False).start(at)
    assert isinstance(started, InitFailed)
    assert started.reason.startswith("ModuleNotFoundError: No module named ")
    for said in (started.reason, started.logs):
        assert "akstwin builds no image" in said
        assert f"install {package} there" in said
        assert ("azureml-defaults brings it" in said) is brought


def test_a_package_that_is_missed_by_run_is_named_in_the_log(shared: Any, ask: Any) -> None:
    """Its client gets what it gets for any failure."""
    reply = ask(shared("def init(): pass\ndef run(data): import no_such_package\n"), b"")
    assert reply.run_failed
    assert "install no_such_package there" in reply.logs


def test_a_name_that_azureml_core_does_not_have_is_no_name_here(worker: Callable[..., Worker], at: Any) -> None:
    """As in the container."""
    script = "from azureml.core import Workspaces\ndef init(): pass\ndef run(data): pass\n"
    started = worker(script, start=False).start(at)
    assert isinstance(started, InitFailed)
    assert "cannot import name 'Workspaces' from 'azureml.core'" in started.reason


def test_a_script_that_takes_text_does_not_read_the_table(worker: Callable[..., Worker], ask: Any, at: Any) -> None:
    """It costs only those who import from azureml.core."""
    script = "import sys\ndef init(): pass\ndef run(data): return '_akstwin_inside.azureml_core' in sys.modules\n"
    replica = worker(script, start=False)
    assert isinstance(replica.start(at), Ready)
    assert ask(replica, b"").body == b"false"


@pytest.mark.azureml
def test_the_names_are_those_of_the_real_one() -> None:
    """Each that the table has can be imported from azureml-core 1.61."""
    python = ROOT / ".venv-azureml" / "bin" / "python"
    if not python.exists():
        pytest.skip("there is no azureml-core to compare with: `make setup-azureml` makes .venv-azureml")
    program = (
        "import importlib, json, sys\n"
        "names = json.load(sys.stdin)\n"
        "missing = [(module, name) for module in names for name in names[module]\n"
        "           if not hasattr(importlib.import_module(module), name)]\n"
        "import azureml.core\n"
        "print(json.dumps([missing, azureml.core.VERSION]))\n"
    )
    ran = subprocess.run([python, "-c", program], input=json.dumps(NAMES), capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout.splitlines()[-1]) == [[], VERSION]
