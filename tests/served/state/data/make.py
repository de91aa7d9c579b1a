"""Writes `version-0.1.0.state`: run with akstwin 0.1.0 (commit a7a2b13) in this folder; never with a newer version."""

import contextlib
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from akstwin import (
    AksCompute,
    AksEndpoint,
    AksWebservice,
    ComputeTarget,
    Environment,
    InferenceConfig,
    Model,
    Workspace,
)

HERE = Path(__file__).parent
STATE = HERE / "version-0.1.0.state"
SCRIPT = "def init():\n    pass\n\ndef run(text):\n    return text\n"


def fill(ws: Workspace, folder: Path) -> None:
    """A cluster, models and services, some of them on their way."""
    cluster = ComputeTarget.create(ws, "aks", AksCompute.provisioning_configuration())
    cluster.wait_for_completion()
    for weights in ("1", "22"):
        (folder / "weights").write_text(weights)
        model = Model.register(ws, model_path=str(folder / "weights"), model_name="fraud", tags={"digits": weights})
    (folder / "score.py").write_text(SCRIPT)
    environment = Environment("kept")
    environment.register(ws)
    inference = InferenceConfig("score.py", source_directory=str(folder), environment=environment)
    config = AksWebservice.deploy_configuration(
        num_replicas=1, autoscale_enabled=False, primary_key="first", secondary_key="second", tags={"team": "a"}
    )
    service = Model.deploy(ws, "keyed", [model], inference, config, cluster)
    service.wait_for_deployment()
    config = AksWebservice.deploy_configuration(auth_enabled=False, token_auth_enabled=True)
    Model.deploy(ws, "tokens", [model], inference, config, cluster).wait_for_deployment()
    config = AksEndpoint.deploy_configuration(version_name="blue", traffic_percentile=100)
    endpoint = Model.deploy(ws, "split", [model], inference, config, cluster)
    endpoint.wait_for_deployment()
    endpoint.create_version(
        "green", inference_config=inference, models=[model], traffic_percentile=10, is_control_version_type=False
    )
    endpoint.wait_for_deployment()
    ws.simulation.profile("keyed", service_time="20ms")
    AksWebservice(ws, "keyed").update(cpu_cores=0.2)  # rolls: an operation is under way
    ws.backend.regenerate_key("keyed", "Secondary", "rotated")  # and a timed one
    ComputeTarget.create(ws, "later", AksCompute.provisioning_configuration(cluster_purpose="DevTest"))


def main() -> None:
    """Serve, fill, end in order."""
    command = [sys.executable, "-m", "akstwin", "serve", "--port", "0", "--tls-port", "0", "--clock", "jump", "--state"]
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen([*command, str(STATE)], stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        url = server.stdout.readline().split()[2]
        try:
            with contextlib.chdir(folder):
                fill(Workspace.connect(url), Path(folder))
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(60) == 0
    shutil.rmtree(STATE.with_name(f"{STATE.name}.files") / "tls")  # made anew where it is missing


if __name__ == "__main__":
    main()
