"""A server with a deployed service, in the test's own event loop."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from akstwin import AksCompute, AksEndpoint, AksWebservice, ComputeTarget, Model, Webservice, Workspace
from akstwin.fake_api.control.center import Control
from akstwin.fake_api.server import FakeServer, Settings
from akstwin.fake_api.workspace import ServedWorkspace
from akstwin.testing.journal import Journal

QUICK = {"image_build": "10s", "image_pull": "5s", "cluster_create": "5s", "cluster_attach": "5s"}
NO_PROBE = 100_000_000
"""Seconds before the first liveness probe: there is none."""


@dataclass
class Town:
    """A server, and a client of it.

    Attributes:
        server: in this process.
        http: talks to it.
        keys: the primary key of each service.
    """

    server: FakeServer
    http: httpx.AsyncClient
    keys: dict[str, str] = field(default_factory=dict)
    sdk: Any = None

    @property
    def workspace(self) -> ServedWorkspace:
        """The server's first workspace."""
        return self.server.first.workspace

    @property
    def control(self) -> Control:
        """Its control side."""
        return next(hear.__self__ for hear in self.workspace.listeners if isinstance(hear.__self__, Control))  # type: ignore[attr-defined]

    def deploy(self, name: str = "svc", *, reply: Any = None, **settings: Any) -> Webservice:
        """A service that answers with a fixed value, one replica unless told otherwise; it is up when this returns."""
        simulation = self.workspace.backend.simulation
        simulation.profile(name, reply={"ok": True} if reply is None else reply)
        if self.sdk is None or self.sdk.backend is not self.workspace.backend:
            self.sdk = Workspace(backend=self.workspace.backend)
            aks = ComputeTarget.create(self.sdk, "aks", AksCompute.provisioning_configuration(agent_count=3))
            aks.wait_for_completion()
            Path("plain.txt").write_text("plain", "utf-8")
            Model.register(self.sdk, "plain.txt", "plain", model_framework=Model.Framework.SCIKITLEARN)
        settings = {"num_replicas": 1, "initial_delay_seconds": NO_PROBE, **settings}
        made = AksEndpoint if "version_name" in settings else AksWebservice
        service = Model.deploy(
            self.sdk,
            name,
            [Model(self.sdk, "plain")],
            deployment_config=made.deploy_configuration(**settings),
            deployment_target=ComputeTarget(self.sdk, "aks"),
        )
        service.wait_for_deployment()
        simulation.advance("2s")
        if settings.get("auth_enabled", True):
            self.keys[name] = self.workspace.backend.get_keys(name).primary
        return service

    async def score(self, name: str = "svc", body: bytes = b"{}", **headers: str) -> httpx.Response:
        """The answer to one request over a socket."""
        given = {key.replace("_", "-"): value for key, value in headers.items()}
        if name in self.keys:
            given.setdefault("authorization", f"Bearer {self.keys[name]}")
        return await self.http.post(f"/api/v1/service/{name}/score", content=body, headers=given)

    async def call(self, method: str, path: str, body: Any = None, expect: int | None = None, **given: Any) -> Any:
        """What the control API answers."""
        response = await self.http.request(method, f"/_akstwin/{path}", json=body, **given)
        assert response.status_code == (expect or (201 if (method, path) == ("POST", "faults") else 200)), response.text
        return response.json()

    async def until(self, done: Callable[[], bool]) -> None:
        """Let the event loop turn until it is so."""
        async with asyncio.timeout(10):
            while not done():  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0)

    def under_way(self, name: str = "svc") -> int:
        """Requests that have come in and have no answer."""
        return self.workspace.backend.driver.services[name].plane.population

    async def journal(self, **wanted: Any) -> Journal:
        """The server's journal."""
        return Journal.read(await self.call("GET", "journal", params={"limit": 10_000, **wanted}))


Scene = Callable[[Town], Awaitable[None]]


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Plays a scene on a server of its own: `serve(scene, clock="manual", seed=7)`."""
    monkeypatch.chdir(tmp_path)

    def play(scene: Scene, *, clock: str = "jump", seed: int = 7, **assumptions: Any) -> None:
        async def main() -> None:
            settings = Settings(
                port=0,
                tls_port=0,
                clock=clock,
                seed=seed,
                assumptions={**QUICK, **assumptions},
                folder=tmp_path / "state",
            )  # type: ignore[arg-type]
            server = FakeServer(settings)
            await server.start()
            await server.ready()
            try:
                async with httpx.AsyncClient(base_url=server.first.http, timeout=30) as http:
                    await scene(Town(server, http))
            finally:
                await server.close()

        asyncio.run(main())

    return play
