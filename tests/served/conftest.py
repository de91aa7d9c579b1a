"""A server on this thread's doorstep, and clients of it; a served process for the real azureml-core."""

import asyncio
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from akstwin.backend import WorkspaceIdentity
from akstwin.fake_api.server import FakeServer, Settings

ROOT = Path(__file__).parents[2]
TOKEN = "eyJhbGciOiJub25lIn0.eyJ0aWQiOiJhZGZzIn0.eA"  # noqa: S105 - {"alg": "none"}, {"tid": "adfs"}
WS = WorkspaceIdentity().resource_id


class Management:
    """A server in a thread, and a client of its management side.

    Attributes:
        client: with a bearer, on the first workspace's http port.
        server: to look at; its world moves on the thread only.
    """

    def __init__(self, folder: Path, **settings: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self.server: Any = self.on_loop(self._start(folder, settings))
        self.http, self.https = self.server.first.http, self.server.first.https
        self.context = ssl.create_default_context(cafile=str(self.server.authority))
        """For https clients."""
        self.client = httpx.Client(base_url=self.http, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30)

    async def _start(self, folder: Path, settings: Any) -> Any:
        given = {
            "identity": WorkspaceIdentity(),
            **settings,
        }  # else the first workspace takes the first name that a test asks for
        server = FakeServer(Settings(port=0, tls_port=0, folder=folder, seed=7, **given))
        await server.start()
        await server.ready()
        return server

    def on_loop(self, work: Any) -> Any:
        """What a coroutine returns that runs on the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def mm(self, method: str, path: str, **given: Any) -> httpx.Response:
        """An answer of the model management service for the first workspace."""
        return self.client.request(method, f"/modelmanagement/v1.0{WS}{path}", **given)

    def arm(self, method: str, path: str = "", **given: Any) -> httpx.Response:
        """An answer of the resource manager for the first workspace."""
        given["params"] = {"api-version": "2020-02-02", **given.get("params", {})}
        return self.client.request(method, f"{WS}{path}", **given)

    def artifacts(self, method: str, path: str, **given: Any) -> httpx.Response:
        """An answer of the artifact service for the first workspace."""
        return self.client.request(method, f"/artifact/v2.0{WS}/artifacts{path}", **given)

    def upload_url(self, container: str, path: str) -> str:
        """Where a file is to be uploaded to, on the http port."""
        told = self.artifacts(
            "POST", f"/batch/metadata/LocalUpload/{container}", json={"paths": [{"path": path}]}
        ).json()["artifactContentInformation"][path]["contentUri"]
        parts = urlsplit(told)
        return f"{self.http}{parts.path}?{parts.query}"

    def upload(self, container: str, path: str, content: bytes) -> httpx.Response:
        """The answer to an upload in one piece."""
        headers = {"x-ms-blob-type": "BlockBlob", "If-None-Match": "*"}
        return httpx.put(self.upload_url(container, path), content=content, headers=headers)

    def service(self, name: str, **given: Any) -> dict[str, Any]:
        """The payload of an AksWebservice with a script and a model of the stocked workspace (wire §7.3)."""
        request = {
            "assets": [{"id": "score.py", "url": "aml://artifact/LocalUpload/script/score.py"}],
            "modelIds": ["fraud:1"],
            "environment": {"name": "tabular", "environmentVariables": {"AZUREML_ENTRY_SCRIPT": "score.py"}},
        }
        return {"name": name, "computeType": "AKS", "computeName": "aks", "environmentImageRequest": request, **given}

    def deploy(self, name: str, **given: Any) -> dict[str, Any]:
        """The document of a service that is up."""
        made = self.mm("POST", "/services", json=self.service(name, **given))
        assert made.status_code == 202, made.text
        assert self.client.get(made.headers["Operation-Location"]).json()["state"] == "Succeeded"
        document: dict[str, Any] = self.mm("GET", f"/services/{name}").json()
        return document

    def state(self) -> Any:
        """All that can be seen of the first workspace."""
        lists = [self.mm("GET", path).json() for path in ("/services", "/models")]
        lists.append(self.arm("GET", "/computes").json())
        lists.append(self.client.get(f"/environment/v1.0{WS}/environments").json())
        return [*lists, sorted(str(path) for path in self.server.first.workspace.files.folder.rglob("*"))]

    def close(self) -> None:
        """End it."""
        self.client.close()
        self.on_loop(self.server.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()


@pytest.fixture(scope="module")
def management(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Management]:
    """A server of the module's own."""
    made = Management(tmp_path_factory.mktemp("server"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def management_type() -> type[Management]:
    """For another server than this project's, with the same client."""
    return Management


class RealSdk:
    """Programs for the real azureml-core against `akstwin serve`."""

    def __init__(self, folder: Path, python: Path) -> None:
        self._python = python
        self._errors = (folder / "stderr").open("w+")
        # Outside of any git repository: the SDK looks for one.
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("AZURE", "PYTHON"))
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "akstwin", "serve", "--port", "0", "--tls-port", "0", "--seed", "7", "--print-env"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        assert self._process.stdout is not None
        first = self._process.stdout.readline()
        assert first.startswith("listening on http://127.0.0.1:"), Path(self._errors.name).read_text()
        lines = []
        while not lines or "AZUREML_LOG_DEPRECATION" not in lines[-1]:
            lines.append(self._process.stdout.readline())
        self.variables = folder / "variables.sh"
        self.variables.write_text("".join(lines))

    def run(self, program: str, folder: Path) -> None:
        """Run one of the programs in `sdk/`; a check in it that fails is a failure here."""
        path = Path(__file__).parent / "sdk" / f"{program}.py"
        done = subprocess.run(
            ["/bin/sh", "-c", 'eval "$(cat "$0")"; exec "$@"', self.variables, self._python, path],
            cwd=folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    def close(self) -> str:
        """End the server; returns what it complained of."""
        self._process.terminate()
        self._process.communicate(timeout=30)
        self._errors.seek(0)
        complaints = self._errors.read()
        self._errors.close()
        return complaints


@pytest.fixture(scope="session", params=[".venv-azureml", ".venv-azureml-1.42"])
def real_sdk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealSdk]:
    """The real azureml-core, the newest and an old one, and a server that it is pointed at."""
    python = ROOT / request.param / "bin" / "python"
    if not (python.parents[1] / ".ready").exists():
        pytest.skip(f"there is no azureml-core in {request.param}: `make setup-azureml` makes it")
    sdk = RealSdk(tmp_path_factory.mktemp("served"), python)
    yield sdk
    assert sdk.close() == ""


SCRIPT = b"""
import json

def init():
    print("ready")

def run(text):
    return {"got": json.loads(text)}
"""


@pytest.fixture(scope="module")
def stocked(management: Management) -> Management:
    """A server whose first workspace has a cluster `aks`, a model `fraud:1` and an uploaded `score.py`."""
    body = {"location": "westeurope", "properties": {"computeType": "AKS"}}
    made = management.arm("PUT", "/computes/aks", json=body)
    assert management.client.get(made.headers["Azure-AsyncOperation"]).json()["status"] == "Succeeded"
    for container, name, content in (("script", "score.py", SCRIPT), ("model", "weights.txt", b"2")):
        management.upload(container, name, content)
    asset = management.mm(
        "POST", "/assets", json={"name": "w", "artifacts": [{"prefix": "LocalUpload/model/weights.txt"}]}
    )
    model = {"name": "fraud", "url": f"aml://asset/{asset.json()['id']}", "mimeType": "application/json"}
    assert management.mm("POST", "/models", json=model).json()["id"] == "fraud:1"
    return management
