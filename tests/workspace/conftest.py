"""A simulated workspace with a cluster, and short ways to deploy to it and to ask it."""

import json
import textwrap
from collections.abc import Callable, Iterator
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
    Workspace,
)
from akstwin.backend import ScoreRequest, ScoreResponse
from akstwin.clock import SECOND, Micros
from akstwin.sim.backend import SimulatedBackend

QUICK = {"image_build": "10s", "image_pull": "5s", "cluster_create": "5s", "cluster_attach": "5s"}
NO_PROBE = 100_000_000
"""Seconds before the first liveness probe: there is none."""
_KEY: Any = object()


class Lab:
    """A workspace with a cluster `aks`.

    Attributes:
        ws: the workspace.
        aks: its cluster.
    """

    def __init__(self, folder: Path, ws: Workspace, nodes: int) -> None:
        self.folder = folder
        self.ws = ws
        self.aks = ComputeTarget.create(ws, "aks", AksCompute.provisioning_configuration(agent_count=nodes))
        self.aks.wait_for_completion()
        self._scripts = 0
        self._model: Model | None = None

    @property
    def model(self) -> Model:
        """A model that needs no script."""
        if self._model is None:
            (self.folder / "plain.txt").write_text("plain", "utf-8")
            self._model = Model.register(self.ws, "plain.txt", "plain", model_framework=Model.Framework.SCIKITLEARN)
        return self._model

    def script(self, text: str, **more: Any) -> InferenceConfig:
        """The configuration of an entry script with that text."""
        self._scripts += 1
        name = f"score{self._scripts}.py"
        (self.folder / name).write_text(textwrap.dedent(text), "utf-8")
        return InferenceConfig(name, environment=more.pop("environment", None) or Environment("env"), **more)

    def deploy(
        self,
        name: str = "svc",
        script: str | InferenceConfig | None = None,
        *,
        models: list[Model] | None = None,
        wait: bool = True,
        on: Any = None,
        **settings: Any,
    ) -> Any:
        """A service of one replica without liveness probes; without a script, a profile has to say what it answers."""
        config = self.script(script) if isinstance(script, str) else script
        deployed = models if models is not None else [self.model] if config is None else []
        settings = {"num_replicas": 1, "initial_delay_seconds": NO_PROBE, **settings}
        if settings["num_replicas"] is None:
            del settings["num_replicas"]
        made = AksEndpoint if "version_name" in settings else AksWebservice
        service = Model.deploy(self.ws, name, deployed, config, made.deploy_configuration(**settings), on or self.aks)
        if wait:
            self.ready(service)
        return service

    def ready(self, service: Webservice) -> None:
        """Wait for its operation, and until the router knows of what came of it."""
        service.wait_for_deployment()
        self.ws.simulation.advance("2s")

    def request(
        self,
        name: str = "svc",
        body: Any = b"{}",
        *,
        key: str | None = _KEY,
        method: str = "POST",
        path: str = "/score",
        query: str = "",
        headers: dict[str, str] | None = None,
    ) -> ScoreRequest:
        """A request with the right credential, unless another, or None, is given."""
        document = self.ws.backend.get_service(name) if key is _KEY else {}
        if document.get("authEnabled"):
            key = self.ws.backend.get_keys(name).primary
        elif document.get("aadAuthEnabled"):
            key = self.ws.backend.issue_token(name).token
        elif key is _KEY:
            key = None
        given = dict(headers or {})
        if key is not None:
            given["Authorization"] = f"Bearer {key}"
        content = (
            body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        )
        return ScoreRequest(content, tuple(given.items()), method, path, query)

    def score(self, name: str = "svc", body: Any = b"{}", **more: Any) -> ScoreResponse:
        """The answer to one request."""
        return self.ws.backend.score(name, self.request(name, body, **more))

    def score_at(self, *seconds: float, name: str = "svc", body: Any = b"{}", **more: Any) -> list[ScoreResponse]:
        """The answers to equal requests at instants from now."""
        request = self.request(name, body, **more)
        return self.ws.backend.score_all(name, [(Micros(round(at * SECOND)), request) for at in seconds])

    @property
    def now(self) -> float:
        """Virtual seconds."""
        return float(self.ws.simulation.now)


@pytest.fixture
def make_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Lab]]:
    """Workspaces with a cluster; `script_seconds` bounds what a script may really take."""
    monkeypatch.chdir(tmp_path)
    made: list[Workspace] = []

    def make(seed: int = 7, nodes: int = 3, script_seconds: float = 60.0, **assumptions: Any) -> Lab:
        backend = SimulatedBackend(seed=seed, assumptions={**QUICK, **assumptions}, script_seconds=script_seconds)
        made.append(Workspace(backend=backend))
        return Lab(tmp_path, made[-1], nodes)

    yield make
    for ws in made:
        assert isinstance(ws.backend, SimulatedBackend)
        ws.backend.close()


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    """One of them."""
    return make_lab()
