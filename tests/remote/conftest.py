"""Servers in a thread of this process, workspaces on them, and servers that are no more than documents."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import uvloop

from akstwin.fake_api.server import FakeServer, Settings
from akstwin.remote import RemoteBackend
from akstwin.worker import Limits


class Running:
    """A server on ports of its own.

    Attributes:
        server: it; it lives on the loop of another thread.
        url: its first workspace's.
    """

    def __init__(self, settings: Settings) -> None:
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="akstwin-server", daemon=True)
        self._thread.start()
        self.server = self.run(self._started, settings)
        self.url = self.server.first.http
        # A script counts as hung sooner than one of a user's does.
        self.server.first.workspace.backend.driver._limits = Limits(init_seconds=1.0, run_seconds=1.0)

    async def _started(self, settings: Settings) -> FakeServer:
        server = FakeServer(settings)
        await server.start()
        await server.ready()
        return server

    def run(self, call: Callable[..., Any], *args: Any) -> Any:
        """Do something on the server's loop."""
        return asyncio.run_coroutine_threadsafe(call(*args), self._loop).result(60)

    def stop(self) -> None:
        """End it."""
        try:
            self.run(self.server.close)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)
            self._loop.close()


def settings(**given: Any) -> Settings:
    """Of a server on free ports whose clock jumps."""
    return replace(Settings(port=0, tls_port=0, clock="jump"), **given)


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    """Starts servers; all are ended."""
    running: list[Running] = []

    def started(**given: Any) -> Running:
        running.append(Running(settings(**given)))
        return running[-1]

    yield started
    for each in running:
        each.stop()


NAMES = {"subscription_id": "5ub", "resource_group": "group", "workspace_name": "ws"}
WS = "/subscriptions/5ub/resourceGroups/group/providers/Microsoft.MachineLearningServices/workspaces/ws"
ARM = "https://arm.example"
MM = f"https://mm.example/modelmanagement/v1.0{WS}"
ARTIFACTS = f"https://history.example/artifact/v2.0{WS}/artifacts"
ENVIRONMENTS = f"https://env.example/environment/v1.0{WS}/environments"
COMPUTES = f"https://api.example/rp/workspaces{WS}/computes"
DISCOVERY = {
    "api": "https://api.example", "experimentation": "https://env.example", "history": "https://history.example/",
    "hyperdrive": "", "modelmanagement": "https://mm.example", "studio": "",
}  # fmt: skip

Answer = httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]


class Azure(httpx.BaseTransport):
    """A server that is not one of ours: answers that were prepared, by method and address; its parts are hosts of their own.

    Attributes:
        requests: what was sent to it, without what finds the workspace.
    """

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self._answers: dict[tuple[str, str], list[Answer]] = {}
        properties = {"workspaceId": "1d", "discoveryUrl": f"{ARM}/where?v=1"}
        self.on("GET", f"{ARM}/_akstwin/health", httpx.Response(404, json={"error": {"message": "no such path"}}))
        self.on("GET", f"{ARM}{WS}", httpx.Response(200, json={"location": "mars", "properties": properties}))
        self.on("GET", f"{ARM}/where", httpx.Response(200, json=DISCOVERY))

    def on(self, method: str, url: str, *answers: Answer) -> None:
        """Prepare answers to calls of an address; the last one is for all further calls."""
        self._answers[method, url] = list(answers)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """An answer that was prepared."""
        request.read()
        self.requests.append(request)
        answers = self._answers.get((request.method, str(request.url.copy_with(query=None))))
        if answers is None:
            return httpx.Response(400, json={"error": {"message": f"{request.method} {request.url} is not prepared"}})
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer(request) if callable(answer) else answer

    def connect(self, **given: Any) -> RemoteBackend:
        """The workspace on it; what found it is forgotten."""
        backend = RemoteBackend(ARM, **{**NAMES, "token": "the.secret.token", "transport": self, **given})
        self.requests.clear()
        return backend

    @property
    def last(self) -> httpx.Request:
        """The latest request."""
        return self.requests[-1]


@pytest.fixture
def azure() -> Azure:
    """A server that is not one of ours."""
    return Azure()
