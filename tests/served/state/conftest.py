"""Processes that keep a state file, to be killed; and the story that they tell."""

import importlib.util
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from akstwin.backend import WorkspaceIdentity

FOLDER = Path(__file__).parent


@pytest.fixture(scope="session")
def story() -> ModuleType:
    """Random commands."""
    spec = importlib.util.spec_from_file_location("story", FOLDER / "story.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Zygote:
    """Forks processes, one at a time."""

    def __init__(self, folder: Path) -> None:
        self.errors = (folder / "stderr").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, str(FOLDER / "zygote.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            cwd=folder,
        )
        self._buffer = b""
        self.pid = 0

    def start(self, kind: str, *arguments: Any) -> None:
        """Fork one."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([kind, *arguments]).encode() + b"\n")
        self._process.stdin.flush()
        word, pid = self.line().split()
        assert word == "pid"
        self.pid = int(pid)

    def line(self) -> str:
        """The next line that is said, in a minute at most."""
        assert self._process.stdout is not None
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self._process.stdout], [], [], 60)
            piece = os.read(self._process.stdout.fileno(), 65536) if ready else b""
            assert piece, f"nothing is said any more: {Path(self.errors.name).read_text()}"
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode()

    def kill(self) -> None:
        """Kill it, as kill -9 does."""
        os.kill(self.pid, signal.SIGKILL)

    def rest(self) -> tuple[list[str], int]:
        """What it said until its end, and how it ended."""
        said = []
        while not (line := self.line()).startswith("ended "):
            said.append(line)
        return said, int(line.split()[1])

    def close(self) -> str:
        """End it; returns what was complained of."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)
        if self._process.stdout is not None:
            self._process.stdout.close()
        self.errors.close()
        return Path(self.errors.name).read_text()


@pytest.fixture(scope="module")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    """Forks processes of the module's."""
    made = Zygote(tmp_path_factory.mktemp("zygote"))
    yield made
    assert made.close() == ""


TOKEN = "eyJhbGciOiJub25lIn0.eyJ0aWQiOiJhZGZzIn0.eA"  # noqa: S105 - {"alg": "none"}, {"tid": "adfs"}
SCRIPT = b"import json\n\ndef init():\n    pass\n\ndef run(text):\n    return {'got': json.loads(text)}\n"


class Client:
    """Calls a server; what it is refused is an error of the test's."""

    def __init__(self, http: str, workspace: str = WorkspaceIdentity().resource_id) -> None:
        self.workspace = workspace
        self.others: list[Client] = []
        self.http = httpx.Client(base_url=http, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30)

    def of(self, workspace: str) -> "Client":
        """A client of another workspace of the server, on its own port."""
        self.http.get(f"{workspace}", params={"api-version": "2020-02-02"}).raise_for_status()  # opens it
        other = Client(self.control("GET", "environment")["workspaces"][workspace]["http"], workspace)
        self.others.append(other)
        return other

    def close(self) -> None:
        """Let go of all connections."""
        for client in (self, *self.others):
            client.http.close()

    def mm(self, method: str, path: str, **given: Any) -> httpx.Response:
        """An answer of the model management service."""
        return self.http.request(method, f"/modelmanagement/v1.0{self.workspace}{path}", **given).raise_for_status()

    def json(self, path: str) -> Any:
        """What it tells of something."""
        return self.mm("GET", path).json()

    def control(self, method: str, path: str, **given: Any) -> Any:
        """An answer of the control side."""
        return self.http.request(method, f"/_akstwin/{path}", **given).raise_for_status().json()

    def upload_url(self, container: str, name: str) -> str:
        """Where a file is to be uploaded to, below the server's http."""
        path = f"/artifact/v2.0{self.workspace}/artifacts/batch/metadata/LocalUpload/{container}"
        told = self.http.post(path, json={"paths": [{"path": name}]}).raise_for_status().json()
        parts = urlsplit(told["artifactContentInformation"][name]["contentUri"])
        return f"{parts.path}?{parts.query}"

    def upload(self, container: str, name: str, content: bytes) -> None:
        """Keep a file."""
        headers = {"x-ms-blob-type": "BlockBlob"}
        self.http.put(self.upload_url(container, name), content=content, headers=headers).raise_for_status()

    def download(self, container: str, name: str) -> bytes:
        """The file."""
        path = f"/artifact/v2.0{self.workspace}/artifacts/contentinfo/LocalUpload/{container}/{name}"
        parts = urlsplit(self.http.get(path).raise_for_status().json()["contentUri"])
        return self.http.get(f"{parts.path}?{parts.query}").raise_for_status().content

    def cluster(self) -> None:
        """A cluster `aks`, and a script."""
        body = {"location": "westeurope", "properties": {"computeType": "AKS"}}
        parameters = {"api-version": "2020-02-02"}
        self.http.put(f"{self.workspace}/computes/aks", params=parameters, json=body).raise_for_status()
        self.control("POST", "clock", json={"advance": "30m"})
        self.upload("script", "score.py", SCRIPT)

    def model(self, name: str, content: bytes) -> str:
        """A model of one file; its id."""
        self.upload(name, "weights.bin", content)
        asset = {"name": "w", "artifacts": [{"prefix": f"LocalUpload/{name}/weights.bin"}]}
        made = self.mm("POST", "/assets", json=asset).json()["id"]
        model = {"name": name, "url": f"aml://asset/{made}", "mimeType": "application/json"}
        return str(self.mm("POST", "/models", json=model).json()["id"])

    def create(self, name: str, **given: Any) -> str:
        """Begin a service with a script; returns the URL of its operation."""
        request = {
            "assets": [{"id": "score.py", "url": "aml://artifact/LocalUpload/script/score.py"}],
            "environment": {"name": "plain", "environmentVariables": {"AZUREML_ENTRY_SCRIPT": "score.py"}},
        }
        payload = {
            "name": name,
            "computeType": "AKS",
            "computeName": "aks",
            "environmentImageRequest": request,
            **given,
        }
        return str(self.mm("POST", "/services", json=payload).headers["Operation-Location"])

    def operation(self, url: str) -> Any:
        """An operation; clocks that skip take it to its end."""
        parts = urlsplit(url)
        return self.http.get(parts.path).raise_for_status().json()

    def score(self, name: str, key: str) -> httpx.Response:
        """A request to a service."""
        headers = {"Authorization": f"Bearer {key}"}
        return self.http.post(f"/api/v1/service/{name}/score", json={"data": 1}, headers=headers)

    def key(self, name: str) -> str:
        """Its primary key."""
        return str(self.mm("POST", f"/services/{name}/listkeys").json()["primaryKey"])


class Served:
    """Servers on one state file, one after the other."""

    def __init__(self, zygote: Zygote, path: Path) -> None:
        self.zygote = zygote
        self.path = path
        self.client = Client("http://127.0.0.1:9")
        self.line = ""

    def start(self, *more: str, clock: str = "jump") -> Client:
        """Serve, until it is killed."""
        self.client.close()
        ports = ("--port", "0", "--tls-port", "0")
        self.zygote.start("serve", *ports, "--clock", clock, "--state", str(self.path), *more)
        self.line = self.zygote.line()
        assert self.line.startswith("listening on "), self.line
        self.client = Client(self.line.split()[2])
        return self.client

    def kill(self) -> None:
        """As kill -9 does."""
        self.zygote.kill()
        assert self.zygote.rest()[1] == -signal.SIGKILL

    def restart(self, *more: str, clock: str = "jump") -> Client:
        """Kill it, and serve again."""
        self.kill()
        return self.start(*more, clock=clock)


@pytest.fixture
def served(zygote: Zygote, tmp_path: Path) -> Iterator[Served]:
    """A server that keeps its state, not started yet."""
    made = Served(zygote, tmp_path / "state.db")
    yield made
    made.client.close()
    if made.line:
        zygote.kill()
        zygote.rest()
