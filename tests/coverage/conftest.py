"""Small simulated worlds in which one thing is tried: a service, or a version of an endpoint, made by any of the SDK's calls."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from akstwin import (
    AksCompute,
    AksEndpoint,
    AksEndpointDeploymentConfiguration,
    AksServiceDeploymentConfiguration,
    AksWebservice,
    ComputeTarget,
    InferenceConfig,
    Model,
    WebserviceException,
    Workspace,
)
from akstwin.backend import ScoreRequest, ScoreResponse
from akstwin.clock import Micros
from akstwin.domain.observation import VersionObservation

NAME = "fraud"
ASSUMED = {"cluster_create": "1s", "image_build": "1s", "image_pull": "1s", "unschedulable_after": "20s"}
"""Nothing here depends on how long these take."""
SCRIPT = """\
import os
from azureml.monitoring import ModelDataCollector

def init():
    global inputs
    inputs = ModelDataCollector("model", designation="inputs")

def run(raw):
    inputs.collect([[1.0]])
    return os.listdir(os.environ["AZUREML_MODEL_DIR"])
"""


@dataclass
class Trial:
    """A service, or an endpoint whose version is looked at.

    Attributes:
        ws: the world.
        service: what was deployed.
        version: what its numbers go by in an observation.
    """

    ws: Workspace
    service: Any
    version: str

    @property
    def document(self) -> Any:
        """What the service says of itself; of the version, if it is an endpoint."""
        document = self.ws.backend.get_service(NAME)
        return document["versions"][self.version] if "versions" in document else document

    @property
    def seen(self) -> VersionObservation:
        """The last minute."""
        observed: VersionObservation = self.ws.simulation.observe(NAME, "1m").versions[self.version]
        return observed

    def ask(self, count: int = 1, key: str | None = None, *, path: str = "/score") -> list[ScoreResponse]:
        """So many requests at once, with a key, or with what the service wants."""
        service = self.service
        if key is None and service.auth_enabled:
            key = service.get_keys()[0]
        elif key is None and service.token_auth_enabled:
            key = service.get_access_token().access_token
        headers = (("Authorization", f"Bearer {key}"),) if key else ()
        request = ScoreRequest(b"1", headers, path=path)
        return self.ws.backend.score_all(NAME, [(Micros(0), request)] * count)

    def statuses(self, count: int = 1, key: str | None = None) -> list[int]:
        """What they are answered."""
        return [response.status for response in self.ask(count, key)]

    def events(self, kind: str) -> list[float]:
        """When such a thing happened, s."""
        return [at for at, what, _, _ in self.ws.simulation.events if what == kind]


class Rig:
    """Makes trials.

    Args:
        folder: with scripts and models; the current directory.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "score.py").write_text(SCRIPT)
        (folder / "other.py").write_text("def init(): ...\ndef run(raw): return 'other'\n")
        (folder / "one.txt").write_text("one")
        (folder / "two.txt").write_text("two")
        self.script = InferenceConfig("score.py")

    def workspace(self) -> Workspace:
        """A world with two clusters; only that called `gpus` has any."""
        ws = Workspace.simulated(seed=7, assumptions=ASSUMED)
        for name, size in (("aks", None), ("gpus", "Standard_NC6")):
            ComputeTarget.create(ws, name, AksCompute.provisioning_configuration(vm_size=size)).wait_for_completion()
        return ws

    def trial(
        self,
        call: str,
        base: dict[str, Any],
        given: dict[str, Any] | None = None,
        *,
        profile: dict[str, Any] | None = None,
        scripted: bool = False,
        alone: bool = True,
    ) -> Trial:
        """A service of given settings, and what a call makes of it.

        Args:
            call: of `akstwin.sdk.coverage.CALLS`.
            base: what is deployed. What the call itself deploys is of both.
            given: arguments of the call; None takes one of `base` away.
            profile: of the service.
            scripted: whether the script answers.
            alone: whether the version gets all requests, where it is not the first.
        """
        ws, given = self.workspace(), given or {}
        ws.simulation.profile(NAME, **{"init_time": "1s", **({} if scripted else {"reply": 1}), **(profile or {})})
        base, given = self._meant(ws, base), self._meant(ws, given)
        class_name, _, method = call.partition(".")
        if method in ("create_version", "update_version"):
            return self._version(ws, method, base, given, alone=alone)
        if method != "update":
            base, given = {**base, **given}, {}
        service = self.deployed(ws, class_name, base, constructor=not method)
        if given:
            self.done(service, method, given)
        ws.simulation.advance("10s")
        return Trial(ws, service, base.get("version_name") or NAME)

    def deployed(self, ws: Workspace, class_name: str, given: dict[str, Any], *, constructor: bool = False) -> Any:
        """A service or an endpoint; its deployment is over."""
        given = {name: value for name, value in given.items() if value is not None}
        models, script = given.pop("models", []), given.pop("inference_config", self.script)
        of: Any = AksEndpoint if "Endpoint" in class_name else AksWebservice
        if constructor:
            made: Any = AksEndpointDeploymentConfiguration if of is AksEndpoint else AksServiceDeploymentConfiguration
            configuration = made(**{**dict.fromkeys(inspect.signature(made).parameters), **given})
        else:
            configuration = of.deploy_configuration(**given)
        target = None if "compute_target_name" in given else ComputeTarget(ws, "aks")
        service = Model.deploy(ws, NAME, models, script, configuration, target)
        self.done(service, "update_deployment_state", {})
        return service

    def done(self, service: Any, method: str, given: dict[str, Any]) -> None:
        """A call, and what it began, whether or not that succeeds."""
        if "models" in given:
            given = {"inference_config": self.script, **given}
        getattr(service, method)(**given)
        try:
            service.wait_for_deployment()
        except WebserviceException:
            assert service.error

    def _version(
        self, ws: Workspace, method: str, base: dict[str, Any], given: dict[str, Any], *, alone: bool
    ) -> Trial:
        """The second version of an endpoint."""
        endpoint = self.deployed(ws, "AksEndpoint", {"num_replicas": 1, "version_name": "first"})
        second = {"version_name": "second", "models": [], "inference_config": self.script, "is_default": alone, **base}
        if method == "create_version":
            second |= given
        self.done(endpoint, "create_version", {name: value for name, value in second.items() if value is not None})
        if method == "update_version" and given:
            self.done(endpoint, "update_version", {"version_name": "second", **given})
        ws.simulation.advance("10s")
        return Trial(ws, endpoint, second["version_name"])

    def _meant(self, ws: Workspace, arguments: dict[str, Any]) -> dict[str, Any]:
        """Models and scripts stand in arguments as names of files."""
        meant = dict(arguments)
        if "models" in arguments:
            meant["models"] = [Model.register(ws, file, "model") for file in arguments["models"]]
        if "inference_config" in arguments:
            meant["inference_config"] = InferenceConfig(arguments["inference_config"])
        return meant


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """Makes trials in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    return Rig(tmp_path)


@pytest.fixture(scope="module")
def rig_of_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Likewise, for a whole module: nothing of it may be changed."""
    folder = tmp_path_factory.mktemp("rig")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield Rig(folder)


@pytest.fixture
def deployed(rig: Rig) -> Callable[..., Trial]:
    """Makes a trial of a healthy service, or endpoint, of given settings."""

    def make(class_name: str, profile: dict[str, Any] | None = None, **given: Any) -> Trial:
        return rig.trial(f"{class_name}.deploy_configuration", given, profile=profile)

    return make
