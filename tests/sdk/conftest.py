"""A backend that keeps what it is told and answers what a test has prepared: for what the SDK sends and shows."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from akstwin import Model, Workspace
from akstwin.backend import AccessToken, Keys, Operation, ScoreRequest, ScoreResponse, WorkspaceIdentity
from akstwin.clock import Micros
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.lifecycles import OperationState
from akstwin.domain.observation import Observation
from akstwin.errors import NotFound

CREATED = "2026-01-01T00:00:00Z"
RESOURCES = {"cpu": 0.1, "cpuLimit": None, "memoryInGB": 0.5, "memoryInGBLimit": None, "gpu": 0}
SCALED = {
    "autoscaleEnabled": True, "minReplicas": 1, "maxReplicas": 10, "refreshPeriodInSeconds": 1, "targetUtilization": 70,
}  # fmt: skip


class Clock:
    """Waiting is free; how long it was is kept."""

    def __init__(self) -> None:
        self.time = Micros(0)
        self.slept: list[int] = []

    def now(self) -> Micros:
        """The present instant."""
        return self.time

    def sleep_until(self, deadline: Micros) -> None:
        """Go there."""
        self.slept.append(deadline - self.time)
        self.time = max(self.time, deadline)


def succeeded(operation_id: str) -> Operation:
    """An operation that is done."""
    return Operation(operation_id, OperationState.SUCCEEDED)


class Recorder:
    """Keeps documents as they come, and every call that changes something in `calls`.

    Attributes:
        polls: answers to polls of an operation, the last one for ever; by default it is done.
        patched: what `patch_service` returns next; `op` by default.
        answers: status and body of the next scoring answers, the last one for ever.
        refusals: by verb, the error that it raises.
    """

    def __init__(self, folder: Path) -> None:
        self.identity = WorkspaceIdentity(name="ws")
        self.clock = Clock()
        self.epoch = 1_767_225_600.0
        self.assumptions = Assumptions()
        self.calls: list[tuple[str, Any]] = []
        self.polls: list[Operation] = []
        self.patched: str | None = "op"
        self.answers: list[tuple[int, bytes]] = [(200, b"[1]")]
        self.refusals: dict[str, Exception] = {}
        self.folder = folder
        self.assets: dict[str, Any] = {}
        self.models: dict[str, Any] = {}
        self.environments: dict[str, Any] = {}
        self.computes: dict[str, Any] = {}
        self.services: dict[str, Any] = {}
        self.keys = Keys("first", "second")

    def said(self, verb: str) -> list[Any]:
        """What calls of a verb were given."""
        return [given for name, given in self.calls if name == verb]

    def _note(self, verb: str, given: Any) -> None:
        self.calls.append((verb, given))
        if verb in self.refusals:
            raise self.refusals[verb]

    def upload(self, container: str, files: Mapping[str, Path]) -> str:
        """Keep copies."""
        self._note("upload", (container, sorted(files)))
        for name, path in files.items():
            place = self.folder / "LocalUpload" / container / name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
        return f"LocalUpload/{container}"

    def download(self, prefix: str, target: Path) -> list[Path]:
        """Copy what is there."""
        container = self.folder / "/".join(prefix.split("/")[:2])
        found = sorted(path for path in container.rglob("*") if path.is_file())
        found = [path for path in found if path.is_relative_to(self.folder / prefix)]
        for path in found:
            place = target / path.relative_to(container)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
        return [path.relative_to(container) for path in found]

    def create_asset(self, payload: Any) -> Any:
        """Keep it."""
        self._note("create_asset", payload)
        asset = {**payload, "id": f"asset-{len(self.assets) + 1}"}
        self.assets[asset["id"]] = asset
        return asset

    def get_asset(self, asset_id: str) -> Any:
        """The asset."""
        return self.assets[asset_id]

    def register_model(self, payload: Any) -> Any:
        """The next version."""
        self._note("register_model", payload)
        version = 1 + sum(model["name"] == payload["name"] for model in self.models.values())
        model = {"createdTime": CREATED, **payload, "version": version, "id": f"{payload['name']}:{version}"}
        self.models[model["id"]] = model
        return model

    def get_model(self, model_id: str) -> Any:
        """The model."""
        if model_id not in self.models:
            raise NotFound(f"no model {model_id}")
        return self.models[model_id]

    def list_models(self, query: Any) -> list[Any]:
        """Those of the name, the newest first."""
        self._note("list_models", query)
        return [model for model in reversed(self.models.values()) if query.name in (None, model["name"])]

    def patch_model(self, model_id: str, patch: Any) -> Any:
        """Replace what a patch names."""
        self._note("patch_model", patch)
        for part in patch:
            self.models[model_id][part["path"].strip("/")] = part["value"]
        return self.models[model_id]

    def delete_model(self, model_id: str) -> None:
        """Forget it."""
        self._note("delete_model", model_id)
        del self.models[model_id]

    def put_environment(self, name: str, version: str | None, document: Any) -> Any:
        """Keep it."""
        self._note("put_environment", (name, version))
        self.environments[name] = {**document, "version": version or "1"}
        return self.environments[name]

    def get_environment(self, name: str, version: str | None = None) -> Any:
        """The environment."""
        self._note("get_environment", (name, version))
        if name not in self.environments:
            raise NotFound(f"no environment {name}")
        return self.environments[name]

    def list_environments(self) -> list[Any]:
        """All."""
        return list(self.environments.values())

    def put_compute(self, name: str, payload: Any) -> str:
        """Keep it."""
        self._note("put_compute", (name, payload))
        given = payload["properties"]
        there = {"agentVmSize": None, "agentCount": None, "clusterPurpose": None, "clusterFqdn": None}
        there |= {"systemServices": None, "loadBalancerType": None, "loadBalancerSubnet": None}
        self.computes[name] = {
            "id": f"/computes/{name}", "name": name, "location": payload["location"], "tags": None,
            "properties": {
                "isAttachedCompute": "resourceId" in given, "resourceId": None, "description": None,
                "provisioningState": "Succeeded", "provisioningErrors": None, **given,
                "properties": {**there, **given.get("properties", {})},
            },
        }  # fmt: skip
        return "op"

    def get_compute(self, name: str) -> Any:
        """The compute target."""
        if name not in self.computes:
            raise NotFound(f"no compute target {name}")
        return self.computes[name]

    def list_computes(self) -> list[Any]:
        """All."""
        return list(self.computes.values())

    def delete_compute(self, name: str, action: str) -> str:
        """Forget it."""
        self._note("delete_compute", (name, action))
        del self.computes[name]
        return "op"

    def compute_credentials(self, name: str) -> Any:
        """Something."""
        return {"userKubeConfig": name}

    def create_service(self, payload: Any) -> str:
        """Keep it as it would be shown."""
        self._note("create_service", payload)
        self.services[payload["name"]] = self.shown(payload)
        return "op"

    def shown(self, payload: Any) -> Any:
        """A service's document."""
        scored = f"http://127.0.0.1/api/v1/service/{payload['name']}/score"
        document = {
            "authEnabled": True, "aadAuthEnabled": False, "appInsightsEnabled": False, **payload,
            "createdTime": CREATED, "state": "Healthy", "scoringUri": scored,
        }  # fmt: skip
        if "versions" in payload:
            versions = {
                name: self.shown(version) | {"computeType": "AKS"} for name, version in payload["versions"].items()
            }
            return {**document, "versions": versions}
        request = payload["environmentImageRequest"]
        return document | {
            "autoScaler": SCALED, "dataCollection": {"eventHubEnabled": False, "storageEnabled": False},
            "containerResourceRequirements": RESOURCES, "livenessProbeRequirements": None,
            "models": [self.embedded(model_id) for model_id in request["modelIds"]],
        }  # fmt: skip

    def embedded(self, model_id: str) -> Any:
        """A model's document inside a service (wire §7.2)."""
        model = dict(self.models[model_id])
        return {**model, "tags": model.pop("kvTags", None)}

    def patch_service(self, name: str, patch: Any) -> str | None:
        """Replace what a patch names."""
        self._note("patch_service", (name, patch))
        document = self.services[name]
        for part in patch:
            *parents, key = part["path"].strip("/").split("/")
            target = document
            for parent in parents:
                target = target.setdefault(parent, {})
            if part["op"] == "remove":
                del target[key]
            else:
                target[key] = self.shown(part["value"]) if parents == ["versions"] else part["value"]
        return self.patched

    def delete_service(self, name: str) -> str:
        """Forget it."""
        self._note("delete_service", name)
        del self.services[name]
        return "op"

    def get_service(self, name: str) -> Any:
        """The service."""
        if name not in self.services:
            raise NotFound(f"no service {name}")
        return self.services[name]

    def list_services(self, query: Any) -> list[Any]:
        """All."""
        self._note("list_services", query)
        return list(self.services.values())

    def get_operation(self, operation_id: str) -> Operation:
        """The next prepared poll."""
        self.calls.append(("get_operation", operation_id))
        if not self.polls:
            return succeeded(operation_id)
        return self.polls.pop(0) if len(self.polls) > 1 else self.polls[0]

    def get_keys(self, name: str) -> Keys:
        """The keys."""
        self._note("get_keys", name)
        return self.keys

    def regenerate_key(self, name: str, key_type: str, value: str | None = None) -> str:
        """Nothing."""
        self._note("regenerate_key", (name, key_type, value))
        return "op"

    def issue_token(self, name: str) -> AccessToken:
        """A token."""
        self._note("issue_token", name)
        return AccessToken("token", "Bearer", 1_767_225_600, 1_767_229_200)

    def get_logs(self, name: str, lines: int = 5000, *, init: bool = False) -> str:
        """What was asked."""
        return f"{name} {lines} {init}"

    def score(self, name: str, request: ScoreRequest) -> ScoreResponse:
        """The next prepared answer."""
        self._note("score", (name, request))
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return ScoreResponse(status, (("Content-Type", "application/json"),), body, Micros(0))

    def score_all(self, name: str, requests: Sequence[tuple[Micros, ScoreRequest]]) -> list[ScoreResponse]:
        """One after the other."""
        return [self.score(name, request) for _, request in requests]

    def observe(self, name: str, window: Micros) -> Observation:
        """Nothing."""
        return Observation()


@pytest.fixture
def backend(tmp_path: Path) -> Recorder:
    """A backend that keeps what it is told."""
    return Recorder(tmp_path / "kept")


@pytest.fixture
def ws(backend: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace on it; the current directory has a script and a model's file."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "score.py").write_text("def init(): ...\ndef run(data): return data\n")
    (folder / "model.pkl").write_bytes(b"weights")
    return Workspace(backend=backend)  # type: ignore[arg-type]  # read-only properties are attributes here


@pytest.fixture
def model(ws: Workspace) -> Model:
    """A registered model."""
    return Model.register(ws, "model.pkl", "fraud-model", tags={"team": "a"}, model_framework="Custom")
