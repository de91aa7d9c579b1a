"""What the programs that run in `.venv-azureml` share: no real waiting, a workspace through ARM, scripts, a cluster."""

import base64
import json
import time
import warnings
from pathlib import Path
from typing import Any

import requests

warnings.simplefilter("ignore")
CLOCKS: list[str] = []


def sleep(seconds: float) -> None:
    """Let time pass where the SDK waits for it: by the clock of the workspace that was opened last."""
    if CLOCKS:
        requests.post(CLOCKS[-1], json={"advance": seconds}, timeout=60).raise_for_status()


time.sleep = sleep  # noqa: TID251 - before the SDK is there: it polls every 5 s, and backs off for longer

from azureml.core import Workspace  # noqa: E402
from azureml.core.authentication import TokenAuthentication  # noqa: E402
from azureml.core.compute import AksCompute, ComputeTarget  # noqa: E402
from azureml.core.model import Model  # noqa: E402

SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
SCRIPT = """
import json
import os

def init():
    global model
    with open(os.environ["AZUREML_MODEL_DIR"] + "/weights.txt") as file:
        model = float(file.read())
    print("loaded")

def run(text):
    data = json.loads(text)["data"]
    return {"answer": [model * value for value in data]}
"""


def part(value: dict[str, Any]) -> str:
    """A part of a JSON Web Token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


TOKEN = f"{part({'alg': 'none'})}.{part({'exp': 4102444800, 'tid': 'adfs'})}.eA"


def workspace(name: str = "akstwin", group: str = "akstwin") -> Workspace:
    """A workspace through ARM, as a user would open it (wire §1.2, route A)."""
    auth = TokenAuthentication(lambda _: TOKEN, cloud="AzureCloud")
    ws = Workspace.get(name, auth=auth, subscription_id=SUBSCRIPTION, resource_group=group)
    CLOCKS.append(ws.discovery_url.replace("/discovery", "/_akstwin/clock"))
    return ws


def cluster(ws: Workspace, name: str = "aks") -> AksCompute:
    """A cluster of three nodes."""
    target = ComputeTarget.create(ws, name, AksCompute.provisioning_configuration())
    target.wait_for_completion()
    assert target.provisioning_state == "Succeeded", target.provisioning_state
    return target


def model(ws: Workspace, name: str = "fraud", **given: Any) -> Model:
    """A model of one number, 2."""
    Path("weights.txt").write_text("2")
    return Model.register(ws, model_path="weights.txt", model_name=name, **given)


def script(folder: str = ".", text: str = SCRIPT) -> str:
    """An entry script in a folder, by its name there."""
    Path(folder).mkdir(exist_ok=True)
    Path(folder, "score.py").write_text(text)
    return "score.py"


def raised(kind: type[Exception], call: Any, *given: Any, **named: Any) -> str:
    """The text of the exception that a call has to raise."""
    try:
        call(*given, **named)
    except kind as error:
        return str(error)
    raise AssertionError(f"{call} raised no {kind.__name__}")
