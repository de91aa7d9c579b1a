"""Services on a real Kubernetes: the SDK's classes, a manager in a process of its own, pods with the real inference server."""

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cluster.harness import Cluster

from akstwin import (
    AksCompute,
    AksEndpoint,
    AksWebservice,
    ComputeTarget,
    Environment,
    InferenceConfig,
    Model,
    WebserviceException,
    Workspace,
)

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

SCRIPT = """\
import json, os, time

def init():
    print("the model is", open(os.path.join(os.environ["AZUREML_MODEL_DIR"], "model.txt")).read(), flush=True)

def run(data):
    asked = json.loads(data)
    time.sleep(asked.get("seconds", 0))
    return {"asked": asked, "content": CONTENT}
"""
QUICK = {
    "unschedulable_after": "20s",
    "deployment_timeout": "180s",
    "crash_restarts_failed": "2",
    "autoscale_down_window": "10s",
    "termination_grace": "5s",
    "node_eviction": "5s",
}
"""Limits in seconds, so that a test does not wait for minutes."""


def within(seconds: float, holds: Callable[[], Any], what: str) -> Any:
    """The first value that is true; fails if there is none for that long."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.1)
    return found


class Manager:
    """A manager's process.

    Attributes:
        url: where it answers; None: it waits for its turn.
    """

    def __init__(self, cluster: Cluster, namespace: str, folder: Path, port: int = 0) -> None:
        assumed = [f"--assume={key}={value}" for key, value in QUICK.items()]
        command = [
            str(Path(sys.executable).with_name("akstwin")), "cluster", "manager", f"--namespace={namespace}",
            f"--image={cluster.images['scoring']}", f"--folder={folder}", "--host=198.18.0.1", f"--port={port}",
            f"--kubeconfig={cluster.kubeconfig}", *assumed,
        ]  # fmt: skip
        self._log = (folder / f"manager-{time.monotonic_ns()}.log").open("wb")
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self._log, text=True)
        self.url: str | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("listening on "):
                self.url = line.split()[-1]

    @property
    def log(self) -> str:
        """What it has said on standard error."""
        return Path(self._log.name).read_text()

    def ready(self) -> str:
        """Its URL, when it is the active one."""
        return str(within(120, lambda: self.url or (self._process.poll() is not None and "ended"), self._log.name))

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it; returns its status."""
        self._process.send_signal(number)
        status = self._process.wait(400)
        self._reader.join()
        self._log.close()
        return status


@pytest.fixture
def managers(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[Callable[[], Manager]]:
    """Starts managers on the test's namespace, at one address."""
    cluster.kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted")
    started: list[Manager] = []
    port = 0

    def start() -> Manager:
        nonlocal port
        if not port:
            with socket.create_server(("198.18.0.1", 0)) as free:
                port = free.getsockname()[1]
        started.append(Manager(cluster, namespace, tmp_path, port))
        return started[-1]

    yield start
    for manager in started:
        if manager._process.poll() is None:
            manager.end(signal.SIGKILL)


def inference(folder: Path, content: str = "1") -> InferenceConfig:
    """What a service runs."""
    source = folder / f"source-{content}"
    source.mkdir(exist_ok=True)
    (source / "score.py").write_text(SCRIPT.replace("CONTENT", repr(content)))
    return InferenceConfig(entry_script="score.py", source_directory=str(source), environment=Environment("env"))


@pytest.fixture
def ws(managers: Callable[[], Manager], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace with a cluster and a model."""
    monkeypatch.chdir(tmp_path)
    workspace = Workspace.connect(managers().ready())
    (tmp_path / "model.txt").write_text("good")
    Model.register(workspace, "model.txt", "fraud-model")
    configuration = AksCompute.attach_configuration(
        resource_group="group", cluster_name="here", cluster_purpose="DevTest"
    )
    ComputeTarget.attach(workspace, "aks", configuration).wait_for_completion()
    return workspace


def deploy(ws: Workspace, folder: Path, **arguments: Any) -> AksWebservice:
    """The service fraud, not waited for."""
    configuration = AksWebservice.deploy_configuration(
        **{"num_replicas": 2, "cpu_cores": 0.05, "memory_gb": 0.2, **arguments}
    )
    target = ComputeTarget(ws, "aks")
    service: AksWebservice = Model.deploy(
        ws, "fraud", [Model(ws, "fraud-model")], inference(folder), configuration, target
    )
    return service


class Traffic:
    """Requests, one after the other in several threads, and what came of them."""

    def __init__(self, url: str, key: str, threads: int = 2, pause: float = 0.05) -> None:
        self.statuses: dict[Any, int] = {}
        self._url, self._headers = url, {"Authorization": f"Bearer {key}"}
        self._pause = pause
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._call) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def _call(self) -> None:
        while not self._end.is_set():
            try:
                came: Any = httpx.post(self._url, json={"n": 1}, headers=self._headers, timeout=60).status_code
            except httpx.HTTPError as error:
                came = type(error).__name__
            self.statuses[came] = self.statuses.get(came, 0) + 1
            time.sleep(self._pause)

    def stop(self) -> dict[Any, int]:
        """No more requests; what came of all of them."""
        self._end.set()
        for thread in self._threads:
            thread.join()
        return self.statuses


@contextlib.contextmanager
def traffic(service: AksWebservice) -> Iterator[Traffic]:
    """Requests to a service meanwhile."""
    flowing = Traffic(service.scoring_uri, service.get_keys()[0])
    try:
        yield flowing
    finally:
        flowing.stop()


def test_a_service_lives_from_its_creation_to_its_end(
    cluster: Cluster, namespace: str, ws: Workspace, tmp_path: Path
) -> None:
    """The script that runs in the simulator runs here: deploy, score, look at logs, scale, roll under traffic, delete."""
    service = deploy(ws, tmp_path)
    service.wait_for_deployment()
    assert service.state == "Healthy"
    assert service.run(json.dumps({"n": 1})) == {"asked": {"n": 1}, "content": "1"}
    assert "the model is good" in service.get_logs()

    denied = httpx.post(service.scoring_uri, json={}, headers={"Authorization": "Bearer wrong"})
    assert (denied.status_code, denied.text) == (401, "Unauthorized")

    with traffic(service) as flowing:
        service.update(num_replicas=3)
        service.wait_for_deployment()
        assert len(cluster.get("pods", f"--namespace={namespace}")["items"]) == 3
        service.update(inference_config=inference(tmp_path, "2"))
        service.wait_for_deployment()
        assert service.run(json.dumps({"n": 2}))["content"] == "2"
    assert set(flowing.statuses) == {200}, flowing.statuses

    service.delete()
    assert cluster.get("deployments", f"--namespace={namespace}")["items"] == []
    pods = cluster.get("pods", f"--namespace={namespace}")["items"]
    assert all(pod["metadata"].get("deletionTimestamp") for pod in pods)
    assert AksWebservice.list(ws) == []


def test_keys_stand_in_secrets_alone(cluster: Cluster, namespace: str, ws: Workspace, tmp_path: Path) -> None:
    """Whoever may read pods, Deployments and events does not read a key."""
    service = deploy(ws, tmp_path, num_replicas=1)
    service.wait_for_deployment()
    keys = service.get_keys()
    shown = cluster.kubectl(
        "get", "pods,deployments,replicasets,events,configmaps,leases", "-o", "yaml", "-n", namespace
    )
    assert not any(key in shown for key in keys)


def test_a_manager_killed_in_a_rollout_has_its_successor_finish_it(
    cluster: Cluster, namespace: str, managers: Callable[[], Manager], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was acknowledged goes on: the operation ends by itself, nothing is doubled, keys and answers are as before."""
    monkeypatch.chdir(tmp_path)
    first = managers()
    ws = Workspace.connect(first.ready())
    (tmp_path / "model.txt").write_text("good")
    Model.register(ws, "model.txt", "fraud-model")
    configuration = AksCompute.attach_configuration(
        resource_group="group", cluster_name="here", cluster_purpose="DevTest"
    )
    ComputeTarget.attach(ws, "aks", configuration).wait_for_completion()
    service = deploy(ws, tmp_path)
    service.wait_for_deployment()
    keys = service.get_keys()

    standby = managers()
    service.update(inference_config=inference(tmp_path, "2"))
    first.end(signal.SIGKILL)
    killed = time.monotonic()
    assert standby.ready() == first.url
    took = time.monotonic() - killed

    again = AksWebservice(Workspace.connect(standby.ready()), "fraud")
    service.wait_for_deployment()
    again.update_deployment_state()
    assert again.state == "Healthy"
    assert again.get_keys() == keys
    assert again.run(json.dumps({"n": 1}))["content"] == "2"
    deployments = cluster.get("deployments", f"--namespace={namespace}")["items"]
    assert [each["status"]["readyReplicas"] for each in deployments] == [2]
    print(f"the standby answered {took:.1f} s after the kill")  # noqa: T201


def test_a_crash_loop_shows_what_the_container_wrote(
    cluster: Cluster, namespace: str, ws: Workspace, tmp_path: Path
) -> None:
    """The operation fails by its restarts, and its error has the container's last lines."""
    service = deploy(ws, tmp_path, num_replicas=1)
    service.wait_for_deployment()
    bad = inference(tmp_path, "bad")
    (tmp_path / "source-bad" / "score.py").write_text(
        "def init(): raise KeyError('no such thing')\ndef run(data): pass\n"
    )

    service.update(inference_config=bad)
    with pytest.raises(WebserviceException) as crashed:
        service.wait_for_deployment()
    assert "CrashLoopBackOff" in str(crashed.value)
    assert "no such thing" in str(crashed.value), str(crashed.value)


def test_versions_share_traffic_and_go(cluster: Cluster, namespace: str, ws: Workspace, tmp_path: Path) -> None:
    """An endpoint's versions are Deployments of their own; the split holds, and a version that is taken away leaves nothing."""
    configuration = AksEndpoint.deploy_configuration(
        version_name="blue", traffic_percentile=100, num_replicas=1, cpu_cores=0.05, memory_gb=0.2
    )
    target = ComputeTarget(ws, "aks")
    endpoint: AksEndpoint = Model.deploy(
        ws, "fraud", [Model(ws, "fraud-model")], inference(tmp_path, "blue"), configuration, target
    )
    endpoint.wait_for_deployment()
    endpoint.create_version(
        "green", inference_config=inference(tmp_path, "green"), models=[Model(ws, "fraud-model")], num_replicas=1,
        cpu_cores=0.05, memory_gb=0.2, traffic_percentile=50,
    )  # fmt: skip
    endpoint.wait_for_deployment()
    seen = {endpoint.run(json.dumps({}))["content"] for _ in range(60)}
    assert seen == {"blue", "green"}

    endpoint.delete_version("green")
    endpoint.wait_for_deployment()
    assert {endpoint.run(json.dumps({}))["content"] for _ in range(20)} == {"blue"}
    within(
        60,
        lambda: len(cluster.get("deployments", f"--namespace={namespace}")["items"]) == 1,
        "green's Deployment is gone",
    )


def test_replicas_follow_the_load(cluster: Cluster, namespace: str, ws: Workspace, tmp_path: Path) -> None:
    """The autoscaler's core decides, the Deployment's replicas follow, up and down."""
    service = deploy(
        ws, tmp_path, num_replicas=None, autoscale_enabled=True, autoscale_min_replicas=1, autoscale_max_replicas=3,
        autoscale_refresh_seconds=1, replica_max_concurrent_requests=1, max_request_wait_time=20_000,
    )  # fmt: skip
    service.wait_for_deployment()

    def replicas() -> int:
        (deployment,) = cluster.get("deployments", f"--namespace={namespace}")["items"]
        count: int = deployment["spec"]["replicas"]
        return count

    assert replicas() == 1
    flowing = Traffic(service.scoring_uri, service.get_keys()[0], threads=8, pause=0.0)
    try:
        within(60, lambda: replicas() == 3, "three replicas under load")
    finally:
        flowing.stop()
    within(120, lambda: replicas() == 1, "one replica without load")
