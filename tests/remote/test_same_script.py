"""One script, in virtual time and against a server whose clock jumps: it sees the same at the same virtual times."""

import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from akstwin import (
    AksCompute,
    AksEndpoint,
    AksWebservice,
    ComputeTarget,
    Environment,
    InferenceConfig,
    Model,
    Webservice,
    WebserviceException,
    Workspace,
)

SCRIPT = """
import json, os

def init():
    global model
    print("init")
    with open(os.path.join(os.environ["AZUREML_MODEL_DIR"], "model.txt")) as file:
        model = file.read()

def run(data):
    return {"model": model, "sum": sum(json.loads(data)["data"])}
"""
ASKED = json.dumps({"data": [1, 2, 3]})


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model and an entry script, which is the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.txt").write_text("weights")
    (tmp_path / "src").mkdir()
    (tmp_path / "src/score.py").write_text(SCRIPT)
    return tmp_path


def deployed(ws: Workspace, name: str, configuration: Any) -> Any:
    """A service, once its operation has ended."""
    aks = ComputeTarget.create(ws, "aks", AksCompute.provisioning_configuration(agent_count=4))
    aks.wait_for_completion(show_output=True)
    model = Model.register(ws, "model.txt", "m", tags={"a": "1"})
    config = InferenceConfig("score.py", source_directory="src", environment=Environment("env"))
    service = Model.deploy(ws, name, [model], config, configuration, aks)
    service.wait_for_deployment(show_output=True)
    return service


def a_service(ws: Workspace, say: Callable[..., None]) -> None:
    """A service's life."""
    configuration = AksWebservice.deploy_configuration(num_replicas=2, cpu_cores=1, memory_gb=1, tags={"x": "y"})
    service = deployed(ws, "svc", configuration)
    say(service.state, service.run(ASKED), service.get_keys())
    service.update(num_replicas=3)
    service.wait_for_deployment(show_output=True)
    service.update(tags={"b": "c"}, cpu_cores=0.5)
    service.wait_for_deployment(show_output=True)
    say(service.state, service.tags, service.deployment_status)
    ws.simulation.traffic("svc", rate=40)
    ws.simulation.fault("replica_kill", at="5m")
    ws.simulation.advance("20m")
    say(ws.simulation.observe("svc"))
    service.regen_key("Primary")
    say(service.get_keys(), [each.name for each in Webservice.list(ws)])
    document = service.serialize()
    document.pop("scoringUri")
    say(document)
    service.delete()
    say(ws.webservices)


def an_endpoint(ws: Workspace, say: Callable[..., None]) -> None:
    """An endpoint's life."""
    configuration = AksEndpoint.deploy_configuration(
        version_name="blue", token_auth_enabled=True, auth_enabled=False, autoscale_enabled=True, cpu_cores=0.5,
        autoscale_max_replicas=5,
    )  # fmt: skip
    endpoint = deployed(ws, "end", configuration)
    config = InferenceConfig("score.py", source_directory="src", environment=Environment("env"))
    endpoint.create_version(
        "green", models=[Model(ws, "m")], inference_config=config, traffic_percentile=10, num_replicas=2
    )
    endpoint.wait_for_deployment(show_output=True)
    say({name: (each.traffic_percentile, each.is_default, each.state) for name, each in endpoint.versions.items()})
    say([endpoint.run(ASKED) for _ in range(3)])
    ws.simulation.traffic("end", rate=100)
    ws.simulation.advance("10m")
    say(ws.simulation.observe("end"))
    endpoint.update_version("green", traffic_percentile=40, is_default=True, is_control_version_type=True)
    endpoint.wait_for_deployment(show_output=True)
    ws.simulation.advance("10m")
    say(ws.simulation.observe("end", "5m"))
    with pytest.raises(WebserviceException) as caught:
        endpoint.delete_version("green")
    say(caught.value.message)
    endpoint.delete_version("blue")
    endpoint.wait_for_deployment(show_output=True)
    endpoint.delete()


@pytest.mark.parametrize("life", [a_service, an_endpoint])
def test_a_script_sees_the_same(life: Callable[..., None], start: Callable[..., Any], source: Path) -> None:
    """All that it says and prints, with the instants."""

    def seen(ws: Workspace) -> list[str]:
        said: list[str] = []

        def say(*values: Any) -> None:
            said.append(f"{ws.clock.now()}: {' '.join(map(str, values))}")

        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            life(ws, say)
        return [*said, *printed.getvalue().splitlines()]

    assert seen(Workspace.connect(start(seed=7).url)) == seen(Workspace.simulated(seed=7))
