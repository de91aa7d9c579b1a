"""A user who does anything in any order: what is promised of the workspace holds after every step (Hypothesis).

`Player` does things, by the SDK as far as it goes; `Promises` is a small model of what must come of them, written from
semantics §1.5, §2 and §6.5-6.6 and not from the code; `Anything` draws what is done. At the end of each run a second
player does the same in a workspace of the same seed, and must meet the same to the letter.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from akstwin import (
    AksCompute,
    AksEndpoint,
    AksWebservice,
    AutoScaler,
    ComputeTarget,
    ContainerResourceRequirements,
    DataCollection,
    Environment,
    InferenceConfig,
    LivenessProbeRequirements,
    Model,
    Webservice,
    Workspace,
)
from akstwin.backend import ModelQuery, ScoreRequest, ServiceQuery
from akstwin.clock import SECOND
from akstwin.domain.lifecycles import SERVICE, OperationState, ServiceState
from akstwin.errors import AksError, NotFound
from akstwin.sim.backend import SimulatedBackend

LIMITS: dict[str, Any] = {
    "image_build": "10s", "image_pull": "5s", "cluster_create": "5s", "cluster_attach": "3s",
    "unschedulable_after": "30s", "deployment_timeout": "2m", "crash_restarts_failed": 3, "crash_time_failed": "1m",
    "unhealthy_after": "10s", "node_failure_detected": "10s", "node_eviction": "20s", "termination_grace": "5s",
    "versions_per_endpoint": 3, "cluster_minimum_cores": 4, "cluster_minimum_nodes": 1,
}  # fmt: skip
ENDS_AFTER = 121 * SECOND
DELETED_AFTER = 60 * SECOND
PROPAGATED = 2 * SECOND

SERVICES = ("first", "second")
ENDPOINTS = ("points",)
VERSIONS = ("blue", "green", "red", "violet")
COMPUTES = ("aks", "other")
MODELS = ("plain", "fancy")

Arguments = dict[str, Any]


# -- the world


class Noting(SimulatedBackend):
    """Notes which operations have begun on what."""

    def __init__(self, **arguments: Any) -> None:
        self.begun: list[tuple[str, str, int]] = []
        super().__init__(**arguments)

    def _noted(self, subject: str, operation: str | None) -> Any:
        if operation is not None:
            self.begun.append((subject, operation, self.clock.now()))
        return operation

    def create_service(self, payload: Any) -> Any:
        """See `Backend`."""
        return self._noted(f"service {payload.get('name')}", super().create_service(payload))

    def patch_service(self, name: str, patch: Any) -> Any:
        """See `Backend`. An operation that takes the lock makes the service Transitioning; any other leaves its state alone."""
        before = self.get_service(name)["state"]
        operation = super().patch_service(name, patch)
        locks = self.get_service(name)["state"] == "Transitioning" != before
        return self._noted(f"{'service' if locks else 'adjusted'} {name}", operation)

    def delete_service(self, name: str) -> Any:
        """See `Backend`."""
        return self._noted(f"delete {name}", super().delete_service(name))

    def regenerate_key(self, name: str, key_type: str, value: str | None = None) -> Any:
        """See `Backend`."""
        return self._noted(f"key {name}", super().regenerate_key(name, key_type, value))

    def put_compute(self, name: str, payload: Any) -> Any:
        """See `Backend`."""
        return self._noted(f"compute {name}", super().put_compute(name, payload))

    def delete_compute(self, name: str, action: Any) -> Any:
        """See `Backend`."""
        return self._noted(f"compute {name}", super().delete_compute(name, action))


class Player:
    """Does what it is told to a workspace; what comes of it can be compared."""

    def __init__(self, seed: int) -> None:
        self.backend = Noting(seed=seed, assumptions=LIMITS, script_seconds=30)
        self.ws = Workspace(backend=self.backend)
        self.handles: dict[str, Any] = {}

    def do(self, name: str, *arguments: Any) -> tuple[Any, ...]:
        """`("done", what came of it)`, or `("refused", why)`."""
        try:
            return "done", getattr(self, name)(*arguments)
        except AksError as error:
            return "refused", type(error).__name__, str(error), getattr(error, "status_code", None)

    def documents(self) -> dict[str, Any]:
        """Everything that can be read, JSON all of it."""
        services = self.backend.list_services(ServiceQuery())
        return {
            "services": {each["name"]: each for each in services},
            "keys": {
                each["name"]: [keys.primary, keys.secondary]
                for each in services
                if each["authEnabled"] and (keys := self.backend.get_keys(each["name"]))
            },
            "models": self.backend.list_models(ModelQuery()),
            "computes": self.backend.list_computes(),
            "environments": self.backend.list_environments(),
            "operations": [
                (subject, operation, str(self.backend.get_operation(operation).state))
                for subject, operation, _ in self.backend.begun
            ],
        }

    def _service(self, name: str) -> Any:
        handle = self.handles.get(name)
        if handle is None:
            handle = self.handles[name] = Webservice(self.ws, name)
        handle.update_deployment_state()
        return handle

    # -- models and clusters

    def register(self, name: str, framework: str | None, tags: Any) -> Any:
        """The next version of a model."""
        return Model.register(self.ws, "model.txt", name, tags=tags, model_framework=framework).serialize()

    def tag_model(self, model: str, tags: Any) -> Any:
        """Add tags to a model."""
        found = Model(self.ws, id=model)
        found.add_tags(tags)
        return found.tags

    def delete_model(self, model: str) -> None:
        """Forget a model."""
        Model(self.ws, id=model).delete()

    def create_compute(self, name: str, nodes: int, purpose: str) -> Any:
        """A new cluster."""
        config = AksCompute.provisioning_configuration(agent_count=nodes, cluster_purpose=purpose)
        target = self.handles[f"compute {name}"] = ComputeTarget.create(self.ws, name, config)
        return target.provisioning_state

    def attach_compute(self, name: str, cluster: str) -> Any:
        """A cluster that is there."""
        config = AksCompute.attach_configuration(resource_group="group", cluster_name=cluster)
        target = self.handles[f"compute {name}"] = ComputeTarget.attach(self.ws, name, config)
        return target.provisioning_state

    def delete_compute(self, name: str, detach: bool) -> Any:
        """No cluster any more."""
        target = ComputeTarget(self.ws, name)
        if detach:
            target.detach()
        else:
            target.delete()
        target.wait_for_completion(is_delete_operation=True)

    # -- services

    def _image(self, model: str, script: str | None) -> dict[str, Any]:
        config = None if script is None else InferenceConfig(script, environment=Environment("env"))
        return {"models": [Model(self.ws, id=model)], "inference_config": config}

    def deploy(
        self, name: str, compute: str, model: str, script: str | None, arguments: Arguments, overwrite: bool
    ) -> Any:
        """A new service, or an endpoint."""
        made = AksEndpoint if name in ENDPOINTS else AksWebservice
        config = made.deploy_configuration(**arguments)
        target = ComputeTarget(self.ws, compute)
        image = self._image(model, script)
        self.ws.simulation.profile(name, reply={"of": name})
        self.handles[name] = Model.deploy(
            self.ws, name, image["models"], image["inference_config"], config, target, overwrite
        )
        return self.handles[name].state

    def update(self, name: str, arguments: Arguments) -> Any:
        """Change a service, or what is an endpoint's own."""
        self._service(name).update(**arguments)

    def change_image(self, name: str, model: str, script: str | None) -> Any:
        """Another model or script for a plain service."""
        self._service(name).update(**self._image(model, script))

    def create_version(self, name: str, version: str, model: str, arguments: Arguments) -> Any:
        """One more version."""
        self._service(name).create_version(version, models=[Model(self.ws, id=model)], **arguments)

    def update_version(self, name: str, version: str, arguments: Arguments) -> Any:
        """Change a version."""
        self._service(name).update_version(version, **arguments)

    def delete_version(self, name: str, version: str) -> Any:
        """One version less."""
        self._service(name).delete_version(version)

    def tag(self, name: str, add: Any, remove: list[str]) -> Any:
        """Add tags, remove tags."""
        service = self._service(name)
        if add:
            service.add_tags(add)
        if remove:
            service.remove_tags(remove)
        return service.tags

    def add_properties(self, name: str, properties: Any) -> Any:
        """New ones."""
        self._service(name).add_properties(properties)

    def regenerate(self, name: str, key: str, value: str | None) -> Any:
        """Another key, in effect later."""
        self.backend.regenerate_key(name, key, value)

    def token(self, name: str) -> Any:
        """A token, both ways."""
        token = self._service(name).get_access_token()
        return type(token).deserialize(token.serialize()) == token, token.access_token

    def delete(self, name: str, wait: bool) -> Any:
        """No service any more."""
        if wait:
            self._service(name).delete()
        else:
            self.backend.delete_service(name)

    def wait(self, name: str) -> Any:
        """For its last operation."""
        self.handles[name].wait_for_deployment(show_output=True)
        return self.handles[name].state

    def logs(self, name: str, init: bool) -> Any:
        """What was written; a script's own folder is not compared."""
        text = self._service(name).get_logs(init=init)
        return text if init else len(text.splitlines())

    # -- time, clients, trouble

    def advance(self, span: str) -> float:
        """Later."""
        self.ws.simulation.advance(span)
        return float(self.ws.simulation.now)

    def score(self, name: str, credential: str, version: str | None) -> Any:
        """One request."""
        headers = {"azureml-model-deployment": version} if version else {}
        if credential == "wrong":
            headers["Authorization"] = "Bearer of-bad-news"
        elif credential != "none":
            document = self.backend.get_service(name)
            if document["authEnabled"]:
                keys = self.backend.get_keys(name)
                headers["Authorization"] = f"Bearer {keys.primary if credential == 'first' else keys.secondary}"
            elif document["aadAuthEnabled"]:
                headers["Authorization"] = f"Bearer {self.backend.issue_token(name).token}"
        return self.backend.score(name, ScoreRequest(b"{}", tuple(headers.items())))

    def run(self, name: str) -> Any:
        """As users do."""
        return self._service(name).run("{}")

    def traffic(self, name: str, arguments: Arguments) -> None:
        """Clients for a while."""
        self.ws.simulation.traffic(name, **arguments)

    def fault(self, kind: str, arguments: Arguments) -> None:
        """Something breaks."""
        self.ws.simulation.fault(kind, **arguments)

    def profile(self, name: str, version: str | None, arguments: Arguments) -> None:
        """The model has other times."""
        self.ws.simulation.profile(name, version=version, **arguments)

    def observe(self, name: str) -> Any:
        """What was seen lately."""
        return self.ws.simulation.observe(name, "1m")

    def bad(self, what: str, name: str) -> Any:
        """Something that is always wrong."""
        return BAD[what](self, name)


# -- what is always refused


def _config(**arguments: Any) -> Callable[[Player, str], Any]:
    return lambda player, _: AksWebservice.deploy_configuration(**arguments)


def _update(**arguments: Any) -> Callable[[Player, str], Any]:
    return lambda player, name: player.update(name, arguments)


def _patch(*operations: Any) -> Callable[[Player, str], Any]:
    return lambda player, name: player.backend.patch_service(name, list(operations))


def _deploy(**wrong: Any) -> Callable[[Player, str], Any]:
    given = {"name": "new-one", "models": [], "inference_config": None, "deployment_target": None, **wrong}
    return lambda player, _: Model.deploy(player.ws, deployment_config=AksWebservice.deploy_configuration(), **given)


def _create(payload: Any) -> Callable[[Player, str], Any]:
    return lambda player, _: player.backend.create_service(payload)


def _compute(name: str) -> Callable[[Player, str], Any]:
    return lambda player, _: player.create_compute(name, 3, "FastProd")


def _sim(call: str, *positional: Any, **arguments: Any) -> Callable[[Player, str], Any]:
    return lambda player, name: getattr(player.ws.simulation, call)(
        *[name if each == "NAME" else each for each in positional], **arguments
    )


NAN = float("nan")
PAYLOADS: tuple[Any, ...] = (
    {},
    {"name": "new-one"},
    {"name": "new-one", "computeType": "ACI"},
    {"name": "new-one", "computeType": "AKS", "computeName": "nowhere"},
    {"name": "new-one", "computeType": "AKS", "computeName": "aks", "unknown": 1},
    {"name": "new-one", "computeType": "AKS", "computeName": "aks", "numReplicas": "x"},
    {"name": "new-one", "computeType": "AKSENDPOINT", "computeName": "aks", "versions": {}},
    {"name": "new-one", "computeType": "AKSENDPOINT", "computeName": "aks", "versions": {"V": {}}},
)
PATCHES: tuple[list[Any], ...] = (
    [{"op": "replace", "path": "/name", "value": "other-name"}],
    [{"op": "replace", "path": "/state", "value": "Healthy"}],
    [{"op": "remove", "path": "/numReplicas/x"}],
    [{"op": "replace", "path": "/numReplicas", "value": -1}],
    [
        {"op": "replace", "path": "/kvTags", "value": {"new": "tag"}},
        {"op": "replace", "path": "/nowhere", "value": 1},
    ],
    [{"op": "replace", "path": "/kvTags", "value": ["tag"]}],
    [{"op": "increase", "path": "/kvTags"}],
    [{"op": "replace"}],
    ["replace"],
    [{"op": "replace", "path": "", "value": {}}],
    [{"op": "test", "path": "/description", "value": "not this"}],
    [{"op": "replace", "path": "/authEnabled", "value": "yes"}],
    [{"op": "add", "path": "/versions/not-a-Name", "value": {}}],
)
BAD: dict[str, Callable[[Player, str], Any]] = {
    **{
        f"config {arguments}": _config(**arguments)
        for arguments in (
            {"cpu_cores": 0},
            {"cpu_cores": "1"},
            {"cpu_cores": NAN},
            {"memory_gb": -1},
            {"num_replicas": 0},
            {"num_replicas": 1.5},
            {"num_replicas": True},
            {"autoscale_enabled": False},
            {"autoscale_enabled": True, "num_replicas": 2},
            {"autoscale_min_replicas": 2},
            {"autoscale_enabled": True, "autoscale_min_replicas": 3, "autoscale_max_replicas": 2},
            {"auth_enabled": True, "token_auth_enabled": True},
            {"tags": ["a"]},
            {"tags": {1: "a"}},
            {"cpu_cores": 2, "cpu_cores_limit": 1},
            {"namespace": "No"},
            {"description": 3},
            {"gpu_cores": -1},
        )
    },
    **{
        f"update {arguments}": _update(**arguments)
        for arguments in (
            {},
            {"cpu_cores": -1},
            {"scoring_timeout_ms": 300_001},
            {"scoring_timeout_ms": -5},
            {"tags": "a"},
            {"autoscale_enabled": False},
            {"autoscale_max_replicas": 3},
            {"auth_enabled": True, "token_auth_enabled": True},
            {"num_replicas": "2"},
            {"properties": {"a": None}},
            {"description": b"bytes"},
        )
    },
    **{f"patch {number}": _patch(*operations) for number, operations in enumerate(PATCHES)},
    "patch none": lambda player, name: player.backend.patch_service(name, None),
    **{
        f"deploy {wrong}": _deploy(name=wrong)
        for wrong in ("", "ab", "Upper", "a" * 33, "-ab", "ab-", "a b c", "é-é", None, 7)
    },
    "deploy nothing": _deploy(),
    "deploy target": _deploy(deployment_target="aks"),
    "deploy models": _deploy(models="plain:1"),
    **{f"create {number}": _create(payload) for number, payload in enumerate(PAYLOADS)},
    "model name": lambda player, _: Model.register(player.ws, "model.txt", "bad name"),
    "model path": lambda player, _: Model.register(player.ws, "nowhere.txt", "good"),
    "model version": lambda player, _: Model.register(player.ws, "model.txt", "good", model_framework_version="1"),
    "model tags": lambda player, _: Model.register(player.ws, "model.txt", "good", tags="a"),  # type: ignore[arg-type]
    "model": lambda player, _: Model(player.ws, "nobody"),
    "model id": lambda player, _: Model(player.ws, id="plain:99"),
    "models": lambda player, _: Model.list(player.ws, tags="a"),  # type: ignore[arg-type]
    **{f"compute {wrong}": _compute(wrong) for wrong in ("ab", "1ab", "ab-", "a_b", "a" * 25, "amlcompute")},
    "compute nodes": lambda player, _: player.create_compute("third", -1, "FastProd"),
    "compute purpose": lambda player, _: player.create_compute("third", 3, "SlowProd"),
    "compute config": lambda player, _: ComputeTarget.create(player.ws, "third", None),  # type: ignore[arg-type]
    "compute payload": lambda player, _: player.backend.put_compute("third", None),
    "compute list": lambda player, _: player.backend.put_compute("third", {"properties": []}),
    "no compute": lambda player, _: ComputeTarget(player.ws, "nowhere"),
    "no compute to delete": lambda player, _: player.backend.delete_compute("nowhere", "delete"),
    "credentials": lambda player, _: player.backend.compute_credentials("aks"),
    "key type": lambda player, name: player.regenerate(name, "Tertiary", None),
    "key value": lambda player, name: player.regenerate(name, "Primary", 5),  # type: ignore[arg-type]
    "service": lambda player, _: Webservice(player.ws, "nobody"),
    "service list": lambda player, _: Webservice.list(player.ws, compute_type="LOCAL"),
    "service tags": lambda player, _: Webservice.list(player.ws, tags=[["a", "b", "c"]]),
    "service keys": lambda player, _: player.backend.get_keys("nobody"),
    "service logs": lambda player, name: player.backend.get_logs(name, 0),
    "operation": lambda player, _: player.backend.get_operation("none"),
    "score": lambda player, name: player.backend.score_all(name, [(-1, ScoreRequest())]),  # type: ignore[list-item]
    "observe": _sim("observe", "NAME", 0),
    "observe nobody": _sim("observe", "nobody", 1),
    "advance": _sim("advance", -1),
    "advance text": _sim("advance", "soon"),
    "traffic": _sim("traffic", "NAME", rate=-1),
    "traffic shape": _sim("traffic", "NAME", shape="waves", rate=1),
    "traffic nobody": _sim("traffic", "nobody", rate=1),
    "traffic lasts": _sim("traffic", "NAME", rate=1, lasts="a while"),
    "fault": _sim("fault", "earthquake"),
    "fault node": _sim("fault", "node_loss", service="NAME", node=99),
    "fault version": _sim("fault", "replica_kill", version="nobody"),
    "fault at": _sim("fault", "replica_kill", at="yesterday"),
    "profile": _sim("profile", "NAME", service_time="fast"),
    "profile workers": _sim("profile", "NAME", workers=0),
    "profile failures": _sim("profile", "NAME", failure_rate=2),
    "profile reply": _sim("profile", "NAME", reply={1, 2}),
    "cluster": _sim("cluster", "third", nodes=0),
}


BROKEN: dict[str, str] = {}
"""Those that are not refused as they should be, yet: looked at one by one below, left out of the runs."""


# -- what is promised


@dataclass
class Version:
    """A version as it was asked for."""

    given: Arguments
    model: str
    script: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    description: str | None = None
    traffic: float | None = None
    most: int = 0
    """The most replicas that were ever allowed."""

    @property
    def scaled(self) -> bool:
        """Whether the autoscaler chooses."""
        return self.given.get("num_replicas") is None

    @property
    def bounds(self) -> tuple[int, int]:
        """Fewest and most replicas."""
        if not self.scaled:
            return self.given["num_replicas"], self.given["num_replicas"]
        return self.given.get("autoscale_min_replicas", 1), self.given.get("autoscale_max_replicas", 10)

    @property
    def template(self) -> tuple[Any, ...]:
        """What replaces pods when it changes (semantics §6.6)."""
        rolls = {"cpu_cores": 0.1, "memory_gb": 0.5, "period_seconds": 10, "timeout_seconds": 2, "failure_threshold": 3}
        values = [self.given.get(name, default) for name, default in rolls.items()]
        collects = bool(self.given.get("collect_model_data"))
        return (*values, self.given.get("initial_delay_seconds", 310), collects, self.model, self.script)

    def document(self) -> dict[str, Any]:
        """What its document says of its settings (wire §12)."""
        get, scaled = self.given.get, self.scaled
        return {
            "numReplicas": get("num_replicas"),
            "maxConcurrentRequestsPerContainer": get("replica_max_concurrent_requests", 1),
            "maxQueueWaitMs": get("max_request_wait_time", 500),
            "scoringTimeoutMs": get("scoring_timeout_ms", 60_000),
            "autoScaler": {
                "autoscaleEnabled": scaled,
                "minReplicas": get("autoscale_min_replicas", 1) if scaled else None,
                "maxReplicas": get("autoscale_max_replicas", 10) if scaled else None,
                "refreshPeriodInSeconds": get("autoscale_refresh_seconds", 1) if scaled else None,
                "targetUtilization": get("autoscale_target_utilization", 70) if scaled else None,
            },
            "containerResourceRequirements": {
                "cpu": get("cpu_cores", 0.1), "cpuLimit": None, "memoryInGB": get("memory_gb", 0.5),
                "memoryInGBLimit": None, "gpu": 0,
            },
            "dataCollection": {"storageEnabled": bool(get("collect_model_data")), "eventHubEnabled": False},
            "livenessProbeRequirements": {
                "periodSeconds": get("period_seconds", 10), "initialDelaySeconds": get("initial_delay_seconds", 310),
                "timeoutSeconds": get("timeout_seconds", 2), "successThreshold": 1,
                "failureThreshold": get("failure_threshold", 3),
            },
        }  # fmt: skip


def changed(given: Arguments, changes: Arguments) -> Arguments | None:
    """Arguments after an update; None: together they make no sense."""
    after = dict(given)
    if changes.get("autoscale_enabled"):
        after.pop("num_replicas", None)
    elif changes.get("autoscale_enabled") is False:
        after = {name: value for name, value in after.items() if not name.startswith("autoscale_")}
    after.update(changes)
    on, fixed = after.get("autoscale_enabled"), after.get("num_replicas") is not None
    settings_of_it = [name for name in after if name.startswith("autoscale_") and name != "autoscale_enabled"]
    if (on and fixed) or (on is False and not fixed) or (settings_of_it and (on is False or fixed)):
        return None
    if after.get("autoscale_min_replicas", 1) > after.get("autoscale_max_replicas", 10):
        return None
    return after


@dataclass
class Service:
    """A service as it was asked for."""

    compute: str
    versions: dict[str, Version]
    default: str
    control: str
    auth: str = "key"
    insights: bool = False
    tags: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    description: str | None = None
    keys: list[str] | None = None
    auth_since: int = 0
    removed: dict[str, int] = field(default_factory=dict)
    """When versions were taken away: the router hears of it `router_lag` later."""
    renamed: bool = False
    """Whether an overwrite has taken away all versions at once: nobody has a share then (see test_scoring)."""
    deleting: bool = False

    def shares(self) -> dict[str, float]:
        """The effective shares: the default gets what the others leave."""
        others = {name: each.traffic or 0 for name, each in self.versions.items() if name != self.default}
        return {name: others.get(name, 100 - sum(others.values())) for name in self.versions}


def texts(pairs: Mapping[str, Any] | None) -> dict[str, str]:
    """Tags as they come back."""
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in (pairs or {}).items()}


RELIEVED = {("Unschedulable", "Healthy"), ("Failed", "Healthy")}
"""Changes that no event tells of, yet: `test_simulation` looks at them."""
AUTHS = {
    "key": {"auth_enabled": True, "token_auth_enabled": False},
    "token": {"auth_enabled": False, "token_auth_enabled": True},
    "none": {"auth_enabled": False, "token_auth_enabled": False},
}
TEXTS = ("tags", "properties", "description", "enable_app_insights")
NO_SETTINGS = (*TEXTS, "version_name", "traffic_percentile", "auth_enabled", "token_auth_enabled", "is_default",
               "is_control_version_type", "primary_key", "secondary_key")  # fmt: skip


def without_texts(arguments: Arguments) -> Arguments:
    """Those that say how it runs."""
    return {name: value for name, value in arguments.items() if name not in NO_SETTINGS}


class Promises:
    """What must be there."""

    def __init__(self) -> None:
        self.models: dict[str, dict[str, Any]] = {}
        self.numbers: dict[str, int] = {}
        self.computes: dict[str, dict[str, Any]] = {}
        self.services: dict[str, Service] = {}

    def in_use(self, model: str) -> bool:
        """Whether a service has it."""
        return any(version.model == model for each in self.services.values() for version in each.versions.values())


# -- what is drawn

PAIRS = st.dictionaries(
    st.sampled_from(["team", "a/b", "x~y", "stage"]), st.sampled_from(["one", "two", 1, True, 0.5]), max_size=2
)
SCALING: st.SearchStrategy[Arguments] = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"num_replicas": st.integers(1, 4)}),
    st.fixed_dictionaries(
        {"autoscale_enabled": st.just(True)},
        optional={
            "autoscale_min_replicas": st.integers(1, 3), "autoscale_max_replicas": st.integers(3, 5),
            "autoscale_refresh_seconds": st.sampled_from([1, 7]), "autoscale_target_utilization": st.sampled_from([10, 70]),
        },
    ),
)  # fmt: skip
OFF = st.fixed_dictionaries({"autoscale_enabled": st.just(False), "num_replicas": st.integers(1, 4)})
RUNNING = st.fixed_dictionaries(
    {},
    optional={
        "cpu_cores": st.sampled_from([0.1, 0.5, 1, 1.5]), "memory_gb": st.sampled_from([0.5, 1]),
        "replica_max_concurrent_requests": st.sampled_from([1, 2, 5]), "max_request_wait_time": st.sampled_from([1, 500, 5000]),
        "scoring_timeout_ms": st.sampled_from([40, 2000, 300_000]), "collect_model_data": st.booleans(),
        "period_seconds": st.sampled_from([5, 10]), "initial_delay_seconds": st.sampled_from([20, 310]),
    },
)  # fmt: skip
SAYING = st.fixed_dictionaries(
    {}, optional={"tags": PAIRS, "properties": PAIRS, "description": st.sampled_from(["this", "that"])}
)


def _merged(*parts: Arguments) -> Arguments:
    return {name: value for part in parts for name, value in part.items()}


SETTINGS = st.builds(_merged, st.one_of(SCALING, OFF), RUNNING)
CHANGES = st.builds(_merged, st.one_of(SCALING, OFF), RUNNING, SAYING)
SPANS = st.sampled_from(["1us", "300ms", "999999us", "1s", "3.3s", "10s", "17s", "61s", "137s"])


class Anything(RuleBasedStateMachine):
    """The user."""

    @initialize(
        seed=st.integers(0, 3), there=st.sampled_from([(), ("first",), ("points",), ("first", "points", "green")])
    )
    def begin(self, seed: int, there: tuple[str, ...]) -> None:
        """A workspace with a cluster and a model, and mostly with something on it."""
        self.seed = seed
        self.player = Player(seed)
        self.played: list[tuple[Any, ...]] = []
        self.met: list[Any] = []
        self.promised = Promises()
        self.events_seen = 0
        self.states: dict[str, str] = {}
        self.open: dict[str, bool] = {}
        self._register("plain", "ScikitLearn", {})
        self._create_compute("aks", 3, "FastProd", attach=None)
        self._do("advance", "10s")
        for name in [each for each in there if each != "green"]:
            arguments = {
                "num_replicas": 2,
                **({"version_name": "blue", "traffic_percentile": 0} if name in ENDPOINTS else {}),
            }
            self._deploy(name, "aks", "plain:1", None, arguments, "key", overwrite=False)
            self._do("wait", name)
        if "green" in there:
            self._create_version("points", "green", "plain:1", {"num_replicas": 1, "traffic_percentile": 10})
            self._do("wait", "points")

    # -- doing

    def _do(self, name: str, *arguments: Any) -> tuple[Any, ...]:
        """Do it here; it is done again at the end."""
        self.played.append((name, *arguments))
        met = self.player.do(name, *arguments)
        self.met.append(met)
        self._settle()
        return met

    def _try(self, expected: bool | None, name: str, *arguments: Any) -> bool:
        """Do it, and see whether it is refused as expected (None: who knows); a refusal has changed nothing."""
        before = self.player.documents()
        met = self._do(name, *arguments)
        done = bool(met[0] == "done")
        if expected is not None:
            assert done == expected, met
        if not done:
            assert self.player.documents() == before, met
        return done

    def _settle(self) -> None:
        """Services that were being deleted may have gone."""
        backend = self.player.backend
        for name, service in list(self.promised.services.items()):
            try:
                backend.get_service(name)
            except NotFound:
                assert service.deleting, f"{name} has gone by itself"
                del self.promised.services[name]
        for compute in self.promised.computes.values():
            compute["ready"] = compute["ready"] or backend.clock.now() >= compute["from"]

    def _pick(
        self, data: st.DataObject, kinds: tuple[str, ...] = (*SERVICES, *ENDPOINTS)
    ) -> tuple[str, Service] | None:
        there = [name for name in kinds if name in self.promised.services]
        if not there:
            return None
        name = data.draw(st.sampled_from(there), "service")
        return name, self.promised.services[name]

    def _busy(self, name: str) -> bool:
        """Whether an operation runs, by what a poll says."""
        backend = self.player.backend
        return any(
            backend.get_operation(operation).state is OperationState.RUNNING
            for subject, operation, _ in backend.begun
            if subject in (f"service {name}", f"delete {name}")
        )

    # -- models and clusters

    def _register(self, name: str, framework: str | None, tags: Any) -> None:
        if self._try(True, "register", name, framework, tags):
            number = self.promised.numbers[name] = self.promised.numbers.get(name, 0) + 1
            self.promised.models[f"{name}:{number}"] = {"framework": framework, "tags": texts(tags)}

    @rule(name=st.sampled_from(MODELS), framework=st.sampled_from(["ScikitLearn", None]), tags=PAIRS)
    def register(self, name: str, framework: str | None, tags: Any) -> None:
        """The next version of a model: its number is never given again."""
        if len(self.promised.models) < 6:
            self._register(name, framework, tags)

    @rule(data=st.data(), tags=PAIRS)
    def tag_model(self, data: st.DataObject, tags: Any) -> None:
        """Tags of a model change, deployed or not."""
        if self.promised.models and tags:
            model = data.draw(st.sampled_from(sorted(self.promised.models)))
            if self._try(True, "tag_model", model, tags):
                self.promised.models[model]["tags"].update(texts(tags))

    @rule(data=st.data())
    def delete_model(self, data: st.DataObject) -> None:
        """Unless it is deployed."""
        if len(self.promised.models) > 1:
            model = data.draw(st.sampled_from(sorted(self.promised.models)))
            if self._try(not self.promised.in_use(model), "delete_model", model):
                del self.promised.models[model]

    def _create_compute(self, name: str, nodes: int, purpose: str, attach: str | None) -> None:
        there = name in self.promised.computes
        twice = any(each["attached"] == attach for each in self.promised.computes.values()) and attach is not None
        if attach is None:
            done = self._try(None if there else True, "create_compute", name, nodes, purpose)
        else:
            done = self._try(None if there else not twice, "attach_compute", name, attach)
        if done and not there:
            span = 5 if attach is None else 3
            ready = self.player.backend.clock.now() + span * SECOND
            nodes = nodes if attach is None else 3
            self.promised.computes[name] = {"nodes": nodes, "attached": attach, "from": ready, "ready": False}

    @rule(
        name=st.sampled_from(COMPUTES), nodes=st.integers(1, 4), purpose=st.sampled_from(["FastProd", "DevTest"]),
        attach=st.sampled_from([None, "one", "two"]),
    )  # fmt: skip
    def create_compute(self, name: str, nodes: int, purpose: str, attach: str | None) -> None:
        """A cluster is made or attached, once."""
        self._create_compute(name, nodes, purpose, attach)

    @rule(name=st.sampled_from(COMPUTES), detach=st.booleans())
    def delete_compute(self, name: str, detach: bool) -> None:
        """Unless it has services, or is on its way."""
        compute = self.promised.computes.get(name)
        used = any(each.compute == name for each in self.promised.services.values())
        if self._try(compute is not None and compute["ready"] and not used, "delete_compute", name, detach):
            del self.promised.computes[name]

    # -- services

    @rule(
        data=st.data(), name=st.sampled_from([*SERVICES, *ENDPOINTS]), running=SETTINGS, saying=SAYING,
        kind=st.sampled_from(["good", "good", "good", "large", "crash", "script"]), overwrite=st.booleans(),
        auth=st.sampled_from(["key", "key", "token", "none"]), there=st.sampled_from([True, True, True, False]),
        keys=st.sampled_from([{}, {}, {"primary_key": "mine"}, {"secondary_key": "other"}]),
    )  # fmt: skip
    def deploy(
        self, data: st.DataObject, name: str, running: Arguments, saying: Arguments, kind: str, overwrite: bool,
        auth: str, there: bool, keys: Arguments,
    ) -> None:  # fmt: skip
        """A service or an endpoint, good or bad, new or in place of one, on a cluster that is mostly there."""
        ready = sorted(name for name, each in self.promised.computes.items() if each["ready"])
        compute = data.draw(st.sampled_from(ready if there and ready else COMPUTES), "compute")
        if not self.promised.models:
            return
        model = data.draw(st.sampled_from(sorted(self.promised.models)), "model")
        scripts = {"script": "score.py", "crash": "crash.py"}
        script = scripts.get(kind) or (None if self.promised.models[model]["framework"] else "score.py")
        arguments = {**running, **saying, **keys, **({"cpu_cores": 50} if kind == "large" else {})}
        if name in ENDPOINTS:
            arguments["version_name"] = data.draw(st.sampled_from(VERSIONS), "version")
            arguments["traffic_percentile"] = data.draw(st.sampled_from([0, 20, 100]), "traffic")
        self._deploy(name, compute, model, script, arguments, auth, overwrite=overwrite)

    def _deploy(
        self,
        name: str,
        compute: str,
        model: str,
        script: str | None,
        arguments: Arguments,
        auth: str,
        *,
        overwrite: bool,
    ) -> None:
        there, home = self.promised.services.get(name), self.promised.computes.get(compute)
        expected = home is not None and home["ready"]
        if there is not None:
            expected = expected and overwrite and there.compute == compute and not self._busy(name)
        now = self.player.backend.clock.now()
        if not self._try(expected, "deploy", name, compute, model, script, {**arguments, **AUTHS[auth]}, overwrite):
            return
        said = {
            "tags": texts(arguments.get("tags")), "properties": texts(arguments.get("properties")),
            "description": arguments.get("description"),
        }  # fmt: skip
        version, own = (arguments["version_name"], said) if name in ENDPOINTS else (name, {})
        made = Version(
            without_texts(arguments), model, script, traffic=arguments.get("traffic_percentile"), **_copied(own)
        )
        service = Service(compute, {version: made}, version, version, auth, **_copied(said), auth_since=now)
        if there is not None:
            service.removed = {**there.removed, **{old: now for old in there.versions if old != version}}
            service.renamed = version not in there.versions or there.renamed
        given = [arguments.get("primary_key"), arguments.get("secondary_key")]
        if auth == "key":
            found = self.player.backend.get_keys(name)
            service.keys = [found.primary, found.secondary]
            before = there.keys if there is not None and there.keys is not None else [None, None]
            for key, wanted, kept in zip(service.keys, given, before, strict=True):
                assert (wanted or kept) in (None, key)
        self.promised.services[name] = service

    @rule(data=st.data(), changes=CHANGES, insights=st.sampled_from([None, True, False]))
    def update(self, data: st.DataObject, changes: Arguments, insights: bool | None) -> None:
        """What rolls pods waits for its turn; all else acts at once, whatever runs."""
        picked = self._pick(data, SERVICES)
        if picked is None:
            return
        name, service = picked
        if insights is not None:
            changes = {**changes, "enable_app_insights": insights}
        version = service.versions[name]
        given = changed(version.given, without_texts(changes))
        kept = {**service.properties, **texts(changes.get("properties"))}
        expected = (
            (bool(changes) and changes.keys() - {"tags", "properties"} != set())
            or bool(changes.get("properties"))
            or "tags" in changes
        )
        expected = bool(expected) and given is not None and not service.deleting
        expected = expected and all(kept[key] == value for key, value in service.properties.items())
        if given is not None:
            after = Version(given, version.model, version.script)
            expected = expected and (after.template == version.template or not self._busy(name))
        if self._try(expected, "update", name, changes):
            assert given is not None
            version.given = given
            self._say(service, changes)

    def _say(self, said: Service | Version, changes: Arguments) -> None:
        if changes.get("tags") is not None:
            said.tags = texts(changes["tags"])
        said.properties = {**said.properties, **texts(changes.get("properties"))}
        if changes.get("description"):
            said.description = changes["description"]
        if isinstance(said, Service) and changes.get("enable_app_insights") is not None:
            said.insights = changes["enable_app_insights"]

    @rule(data=st.data())
    def change_image(self, data: st.DataObject) -> None:
        """Another model or another script replaces the pods."""
        picked = self._pick(data, SERVICES)
        if picked is None or not self.promised.models:
            return
        name, service = picked
        model = data.draw(st.sampled_from(sorted(self.promised.models)))
        script = None if self.promised.models[model]["framework"] and data.draw(st.booleans()) else "score.py"
        version = service.versions[name]
        same = script is None and (model, script) == (version.model, version.script)  # a script is uploaded anew
        if self._try(not service.deleting and (same or not self._busy(name)), "change_image", name, model, script):
            version.model, version.script = model, script

    @rule(data=st.data(), auth=st.sampled_from(sorted(AUTHS)))
    def switch_auth(self, data: st.DataObject, auth: str) -> None:
        """Keys, tokens, or nothing; at any time."""
        picked = self._pick(data)
        if picked is None:
            return
        name, service = picked
        now = self.player.backend.clock.now()
        if self._try(not service.deleting, "update", name, AUTHS[auth]) and service.auth != auth:
            service.auth, service.auth_since = auth, now
            if auth == "key":
                found = self.player.backend.get_keys(name)
                assert service.keys in (None, [found.primary, found.secondary])
                service.keys = [found.primary, found.secondary]

    @rule(data=st.data(), add=PAIRS, remove=st.lists(st.sampled_from(["team", "stage", "none"]), max_size=2))
    def tag(self, data: st.DataObject, add: Any, remove: list[str]) -> None:
        """Tags come and go."""
        picked = self._pick(data)
        if picked is None:
            return
        name, service = picked
        if self._try(not service.deleting or not (add or remove), "tag", name, add, remove):
            service.tags = {key: value for key, value in {**service.tags, **texts(add)}.items() if key not in remove}

    @rule(data=st.data(), properties=PAIRS)
    def add_properties(self, data: st.DataObject, properties: Any) -> None:
        """They come and never go, and never change."""
        picked = self._pick(data)
        if picked is None or not properties:
            return
        name, service = picked
        kept = all(service.properties.get(key, value) == value for key, value in texts(properties).items())
        if self._try(kept and not service.deleting, "add_properties", name, properties):
            service.properties |= texts(properties)

    @rule(data=st.data(), key=st.sampled_from(["Primary", "Secondary"]), value=st.sampled_from([None, "another", ""]))
    def regenerate(self, data: st.DataObject, key: str, value: str | None) -> None:
        """One key is another one, the other stays."""
        picked = self._pick(data)
        if picked is None:
            return
        name, service = picked
        now = self.player.backend.clock.now()
        if self._try(service.auth == "key" and not service.deleting, "regenerate", name, key, value):
            assert service.keys is not None
            found = self.player.backend.get_keys(name)
            at = 0 if key == "Primary" else 1
            new = (found.primary, found.secondary)[at]
            assert new == value if value else new != service.keys[at]
            service.keys[at], service.auth_since = new, now

    @rule(data=st.data())
    def token(self, data: st.DataObject) -> None:
        """Only where tokens open."""
        if (picked := self._pick(data)) is not None:
            self._try(picked[1].auth == "token", "token", picked[0])

    @rule(data=st.data(), wait=st.booleans())
    def delete(self, data: st.DataObject, wait: bool) -> None:
        """Unless an operation runs."""
        if (picked := self._pick(data)) is not None:
            name, service = picked
            expected = not self._busy(name)
            before = self.player.documents()
            service.deleting = service.deleting or expected
            met = self._do("delete", name, wait)
            assert (met[0] == "done") == expected, met
            if not expected:
                assert self.player.documents() == before

    # -- versions

    @rule(
        data=st.data(), version=st.sampled_from(VERSIONS), running=SETTINGS, saying=SAYING, large=st.booleans(),
        traffic=st.sampled_from([None, 0, 10, 12.5, 60, 100]), default=st.booleans(), control=st.booleans(),
    )  # fmt: skip
    def create_version(
        self, data: st.DataObject, version: str, running: Arguments, saying: Arguments, large: bool,
        traffic: float | None, default: bool, control: bool,
    ) -> None:  # fmt: skip
        """At most three here; the default gets what the others leave, and never less than nothing."""
        picked = self._pick(data, ENDPOINTS)
        plain = sorted(model for model, said in self.promised.models.items() if said["framework"])
        if picked is None or not plain:
            return
        model = data.draw(st.sampled_from(plain), "model")
        arguments = {**running, **saying, **({"cpu_cores": 50} if large else {})}
        arguments |= {"traffic_percentile": traffic} if traffic is not None else {}
        arguments |= {"is_default": True} if default else {}
        arguments |= {"is_control_version_type": True} if control else {}
        self._create_version(picked[0], version, model, arguments)

    def _create_version(self, name: str, version: str, model: str, arguments: Arguments) -> None:
        service, get = self.promised.services[name], arguments.get
        made = Version(
            without_texts(arguments), model, None, texts(get("tags")), texts(get("properties")), get("description"),
            get("traffic_percentile"),
        )  # fmt: skip
        default = version if get("is_default") else service.default
        after = Service(service.compute, {**service.versions, version: made}, default, "")
        expected = version not in service.versions and len(service.versions) < 3 and not self._busy(name)
        expected = expected and min(after.shares().values()) >= 0
        if self._try(expected, "create_version", name, version, model, arguments):
            service.versions[version] = made
            service.default = default
            service.control = version if get("is_control_version_type") else service.control

    @rule(
        data=st.data(), version=st.sampled_from(VERSIONS), changes=CHANGES,
        traffic=st.sampled_from([None, 10, 12.5, 60, 100]), default=st.booleans(), control=st.booleans(),
    )  # fmt: skip
    def update_version(
        self, data: st.DataObject, version: str, changes: Arguments, traffic: float | None, default: bool, control: bool
    ) -> None:
        """As an update of a service; shares and roles besides."""
        picked = self._pick(data, ENDPOINTS)
        if picked is None:
            return
        name, service = picked
        version = data.draw(st.sampled_from([version, *service.versions]), "version")
        arguments = {**changes, **({"traffic_percentile": traffic} if traffic is not None else {})}
        arguments |= {"is_default": True} if default else {}
        arguments |= {"is_control_version_type": True} if control else {}
        was = service.versions.get(version)
        given = None if was is None else changed(was.given, without_texts(changes))
        expected = was is not None and given is not None and not service.deleting and bool(arguments)
        if was is not None and given is not None:
            kept = {**was.properties, **texts(changes.get("properties"))}
            new = Version(given, was.model, was.script, traffic=was.traffic if traffic is None else traffic)
            after = Service(
                service.compute, {**service.versions, version: new}, version if default else service.default, ""
            )
            expected = expected and min(after.shares().values()) >= 0
            expected = expected and all(kept[key] == value for key, value in was.properties.items())
            expected = expected and (new.template == was.template or not self._busy(name))
        if self._try(expected, "update_version", name, version, arguments):
            assert was is not None
            assert given is not None
            was.given = given
            was.traffic = was.traffic if traffic is None else traffic
            self._say(was, changes)
            service.default = version if default else service.default
            service.control = version if control else service.control

    @rule(data=st.data(), version=st.sampled_from(VERSIONS))
    def delete_version(self, data: st.DataObject, version: str) -> None:
        """Not the default, not while an operation runs; a control that goes leaves its role to the default."""
        picked = self._pick(data, ENDPOINTS)
        if picked is None:
            return
        name, service = picked
        version = data.draw(st.sampled_from([version, *service.versions]), "version")
        expected = version in service.versions and version != service.default and not self._busy(name)
        if self._try(expected, "delete_version", name, version):
            del service.versions[version]
            service.removed[version] = self.player.backend.clock.now()
            if service.control == version:
                service.control = service.default

    # -- time, clients, trouble

    @rule(span=SPANS)
    def advance(self, span: str) -> None:
        """Later."""
        self._do("advance", span)

    @rule()
    def rest(self) -> None:
        """Until nothing is under way."""
        for _ in range(7):
            if any(map(self._busy, self.promised.services)):
                self._do("advance", "20s")

    @rule(data=st.data())
    def wait(self, data: st.DataObject) -> None:
        """Whatever it waits for has an end."""
        if (picked := self._pick(data)) is not None and picked[0] in self.player.handles:
            self._do("wait", picked[0])

    @rule(
        data=st.data(), credential=st.sampled_from(["first", "second", "wrong", "none"]),
        version=st.sampled_from([None, None, "blue", "nobody"]),
    )  # fmt: skip
    def score(self, data: st.DataObject, credential: str, version: str | None) -> None:
        """The right credential opens, another one does not; a version that is named answers."""
        picked = self._pick(data)
        if picked is None:
            return
        name, service = picked
        now = self.player.backend.clock.now()
        met = self._do("score", name, credential, version)
        assert met[0] == "done"
        response = met[1]
        if now - service.auth_since < PROPAGATED or service.deleting:
            return
        right = credential in ("first", "second") or service.auth == "none"
        assert response.status in ({200, 404, 502, 503, 504} if right else {401, 404}), response
        if response.status == 200 and now - service.removed.get(response.version, -SECOND) > SECOND:
            assert response.version in service.versions
            if service.versions[response.version].script is None:
                assert json.loads(response.body) == {"of": name}
        if version == "nobody" and right:
            assert response.status == 404

    @rule(data=st.data())
    def run(self, data: st.DataObject) -> None:
        """With all its repeats."""
        if (picked := self._pick(data)) is not None:
            self._do("run", picked[0])

    @rule(
        data=st.data(), shape=st.sampled_from(["poisson", "constant"]), rate=st.sampled_from([0.2, 1, 8]),
        lasts=st.sampled_from(["0s", "20s", "90s"]), retry=st.sampled_from(["none", "azureml-core"]),
    )  # fmt: skip
    def traffic(self, data: st.DataObject, shape: str, rate: float, lasts: str, retry: str) -> None:
        """Clients call for a while."""
        if (picked := self._pick(data)) is not None:
            self._try(True, "traffic", picked[0], {"shape": shape, "rate": rate, "lasts": lasts, "retry": retry})

    @rule(
        data=st.data(), at=st.sampled_from(["0s", "2s", "13s"]), lasts=st.sampled_from(["5s", "40s"]),
        kind=st.sampled_from(
            ["node_loss", "replica_kill", "replica_hang", "slow_replica", "init_failure", "image_pull_slow", "crash_on_request"]
        ),
    )  # fmt: skip
    def fault(self, data: st.DataObject, kind: str, at: str, lasts: str) -> None:
        """Something breaks."""
        picked = self._pick(data)
        if picked is None:
            return
        arguments: Arguments = {"service": picked[0], "at": at}
        if kind not in ("replica_kill", "crash_on_request"):
            arguments["lasts"] = lasts
        if kind == "node_loss":
            arguments["node"] = data.draw(st.integers(1, self.promised.computes[picked[1].compute]["nodes"]))
        if kind in ("slow_replica", "image_pull_slow"):
            arguments["factor"] = 3
        if kind == "crash_on_request":
            arguments |= {"request": 2, "every": True, "times": 3}
        self._try(True, "fault", kind, arguments)

    @rule(
        data=st.data(),
        told=st.fixed_dictionaries(
            {},
            optional={
                "service_time": st.sampled_from(["10ms", "3s", "100s"]), "init_time": st.sampled_from(["1s", "20s", "200s"]),
                "workers": st.sampled_from([1, 2]), "failure_rate": st.sampled_from([0.0, 0.5]),
            },
        ),
    )  # fmt: skip
    def profile(self, data: st.DataObject, told: Arguments) -> None:
        """The model has other times."""
        if (picked := self._pick(data)) is not None:
            self._try(True, "profile", picked[0], None, told)

    @rule(data=st.data(), init=st.booleans())
    def look(self, data: st.DataObject, init: bool) -> None:
        """Logs and observations, at any time."""
        if (picked := self._pick(data)) is not None:
            assert self._do("logs", picked[0], init)[0] == "done"
            assert self._do("observe", picked[0])[0] == "done"

    @rule(data=st.data(), what=st.sampled_from(sorted(BAD.keys() - BROKEN.keys())))
    def bad(self, data: st.DataObject, what: str) -> None:
        """What is always wrong is always refused, and changes nothing."""
        picked = self._pick(data, SERVICES if what.startswith("update") else (*SERVICES, *ENDPOINTS))
        self._try(False, "bad", what, "nobody" if picked is None else picked[0])

    # -- looking

    @invariant()
    def documents_are_as_promised(self) -> None:
        """Names, versions, shares, roles, keys, texts, settings; all of it JSON."""
        if not hasattr(self, "promised"):
            return
        documents = self.player.documents()
        assert json.loads(json.dumps(documents, allow_nan=False)) == json.loads(json.dumps(documents))
        for part in ("services", "models", "computes"):
            assert json.loads(json.dumps(documents[part])) == documents[part]
        assert {each["id"]: (each["framework"], each["kvTags"]) for each in documents["models"]} == {
            model: (said["framework"], said["tags"]) for model, said in self.promised.models.items()
        }
        assert {each["name"] for each in documents["computes"]} == set(self.promised.computes)
        for each in documents["computes"]:
            said, inner = self.promised.computes[each["name"]], each["properties"]
            assert inner["provisioningState"] == ("Succeeded" if said["ready"] else "Creating")
            assert inner["properties"]["agentCount"] == said["nodes"]
            assert inner["isAttachedCompute"] == (said["attached"] is not None)
        assert set(documents["services"]) == set(self.promised.services)
        for name, service in self.promised.services.items():
            self._check_service(name, service, documents["services"][name])
            assert documents["keys"].get(name) == (service.keys if service.auth == "key" else None)
        self._check_lists()

    def _check_service(self, name: str, service: Service, document: dict[str, Any]) -> None:
        backend = self.player.backend
        assert backend.get_service(name) == document
        assert document["computeName"] == service.compute
        assert (document["authEnabled"], document["aadAuthEnabled"]) == (service.auth == "key", service.auth == "token")
        assert document["appInsightsEnabled"] == service.insights
        assert (document["kvTags"], document["properties"]) == (service.tags, service.properties)
        assert document["description"] == service.description
        assert document["computeType"] == ("AKSENDPOINT" if name in ENDPOINTS else "AKS")
        versions = document["versions"] if name in ENDPOINTS else {name: document}
        assert list(versions) == list(service.versions)
        for version, said in service.versions.items():
            shown = versions[version]
            expected = said.document()
            assert {key: shown[key] for key in expected} == expected, version
            assert [model["id"] for model in shown["models"]] == [said.model]
            if name in ENDPOINTS:
                assert shown["trafficPercentile"] == said.traffic
                assert shown["isDefault"] == (version == service.default)
                assert shown["type"] == ("Control" if version == service.control else "Treatment")
                assert (shown["kvTags"], shown["properties"]) == (said.tags, said.properties)
                assert shown["description"] == said.description
        busy = self._busy(name)
        assert (document["state"] in ("Transitioning", "Deleting")) == busy
        assert (document["state"] == "Deleting") == service.deleting
        if document["state"] in ("Failed", "Unschedulable"):
            assert document["error"] is not None

    def _check_lists(self) -> None:
        backend, services = self.player.backend, self.promised.services

        def listed(**query: Any) -> list[str]:
            return [each["name"] for each in backend.list_services(ServiceQuery(**query))]

        assert listed(compute_type="aksEndpoint") == sorted(name for name in services if name in ENDPOINTS)
        assert listed(tags=(("team", None),)) == sorted(name for name, each in services.items() if "team" in each.tags)
        assert listed(properties=(("stage", "one"),)) == sorted(
            name for name, each in services.items() if each.properties.get("stage") == "one"
        )
        for model in self.promised.models:
            assert listed(model_id=model) == sorted(
                name for name, each in services.items() if any(one.model == model for one in each.versions.values())
            )

    @invariant()
    def operations_take_turns_and_end(self) -> None:
        """At most one with the lock runs on a service; each has its end in time."""
        if not hasattr(self, "promised"):
            return
        backend = self.player.backend
        running: dict[str, int] = {}
        for subject, operation, since in backend.begun:
            if backend.get_operation(operation).state is OperationState.RUNNING:
                kind, name = subject.split()
                limit = {"service": ENDS_AFTER, "adjusted": ENDS_AFTER, "delete": DELETED_AFTER}.get(kind, 5 * SECOND)
                assert backend.clock.now() - since <= limit, f"{subject} goes on and on"
                if kind == "adjusted":
                    service = self.promised.services.get(name)
                    assert service is not None
                    assert not service.deleting
                if kind in ("service", "delete"):
                    running[name] = running.get(name, 0) + 1
        assert set(running.values()) <= {1}

    @invariant()
    def states_follow_the_table(self) -> None:
        """Every change of a service's state is one of its life cycle; operations begin and end in turns."""
        if not hasattr(self, "promised"):
            return
        events = self.player.ws.simulation.events
        for _, kind, subject, detail in events[self.events_seen :]:
            if kind == "service_state":
                before = self.states.get(subject)
                if before in (None, "Gone"):
                    assert detail == "Transitioning"
                else:
                    assert ServiceState(detail) in SERVICE.rows[ServiceState(before)].values(), (before, detail)
                self.states[subject] = detail
            elif kind == "operation_started":
                assert not self.open.get(subject)
                self.open[subject] = True
            elif kind == "operation_ended":
                assert self.open.get(subject)
                self.open[subject] = False
        self.events_seen = len(events)
        for name in self.promised.services:
            state = self.player.backend.get_service(name)["state"]
            if (self.states[name], state) in RELIEVED:
                self.states[name] = state
            assert self.states[name] == state

    @invariant()
    def replicas_stay_in_bounds(self) -> None:
        """Never more pods than the most that was ever allowed, and one; shares are those of the split."""
        if not hasattr(self, "promised"):
            return
        for name, service in self.promised.services.items():
            seen = self.player.ws.simulation.observe(name, "1s")
            if service.deleting:
                continue
            assert list(seen.versions) == list(service.versions)
            shares = {version: each.traffic_share for version, each in seen.versions.items()}
            if self.player.backend.get_service(name)["state"] == "Healthy":
                assert shares == pytest.approx(service.shares())
            else:  # a version that has not come gets nothing yet
                assert sum(shares.values()) == pytest.approx(100) or service.renamed
            for version, each in seen.versions.items():
                said = service.versions[version]
                said.most = max(said.most, said.bounds[1], each.desired if not said.most else 0)
                staying = sum(count for state, count in each.replicas.items() if state not in ("Terminating", "Gone"))
                assert staying <= max(said.most, each.desired) + 1
                assert 0 <= each.desired <= said.most

    @invariant()
    def objects_come_back_from_their_forms(self) -> None:
        """`serialize` is JSON, and `deserialize` reads it."""
        if not hasattr(self, "promised"):
            return
        ws = self.player.ws
        for service in Webservice.list(ws):
            form: Any = service.serialize()
            assert json.loads(json.dumps(form)) == form
            versions = service.versions.values() if isinstance(service, AksEndpoint) else [service]
            for version in versions:
                assert isinstance(version, AksWebservice)
                for part, kind in (
                    (version.autoscaler, AutoScaler), (version.data_collection, DataCollection),
                    (version.container_resource_requirements, ContainerResourceRequirements),
                    (version.liveness_probe_requirements, LivenessProbeRequirements),
                ):  # fmt: skip
                    assert kind.deserialize(part.serialize()) == part
        for target in ComputeTarget.list(ws):
            assert ComputeTarget.deserialize(ws, target.serialize()).serialize() == target.serialize()
        for model in Model.list(ws):
            assert Model.deserialize(ws, model.serialize()).serialize() == model.serialize()

    # -- the end

    def teardown(self) -> None:
        """All comes to rest; then all is done once more, and comes out the same."""
        if not hasattr(self, "promised"):
            return
        try:
            self._rest()
            self._again()
        finally:
            self.player.backend.close()

    def _rest(self) -> None:
        for _ in range(3):
            self._do("advance", "65s")
            self.operations_take_turns_and_end()
        self.documents_are_as_promised()
        self.states_follow_the_table()
        backend = self.player.backend
        for name, service in self.promised.services.items():
            assert not self._busy(name)
            document = backend.get_service(name)
            assert document["state"] in ("Healthy", "Unhealthy", "Failed", "Unschedulable")
            seen = self.player.ws.simulation.observe(name, "1s")
            for version, each in seen.versions.items():
                low, high = service.versions[version].bounds
                assert low <= each.desired <= high, f"{name} {version}"
            ready = all(each.replicas.get("Ready") for each in seen.versions.values())
            if ready:  # after a time-out it is well again only with all that was asked for
                assert document["state"] != "Unhealthy" or document["error"]["code"] == "DeploymentTimedOut"
                assert document["scoringUri"] or document["state"] != "Healthy"

    def _again(self) -> None:
        second = Player(self.seed)
        try:
            for at, action in enumerate(self.played):
                met = second.do(*action)
                assert met == self.met[at], f"{at}: {action}"
            assert second.documents() == self.player.documents()
            assert second.ws.simulation.events == self.player.ws.simulation.events
        finally:
            second.backend.close()


def _copied(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: dict(value) if isinstance(value, dict) else value for name, value in said.items()}


few = settings(
    max_examples=40, stateful_step_count=40, deadline=None, derandomize=True, print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
many = settings(few, max_examples=120, stateful_step_count=60)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user's files."""
    monkeypatch.chdir(tmp_path)
    Path("model.txt").write_text("model", "utf-8")
    Path("score.py").write_text("def init(): pass\ndef run(data): return 'scored'\n", "utf-8")
    Path("crash.py").write_text("def init(): raise OSError('no')\ndef run(data): return 1\n", "utf-8")


@pytest.mark.parametrize(
    "what",
    [
        pytest.param(what, marks=[pytest.mark.xfail(strict=True, reason=BROKEN[what])] if what in BROKEN else [])
        for what in sorted(BAD)
    ],
)
def test_what_is_always_wrong(what: str) -> None:
    """Each by itself, on a service and, where it makes no difference, on an endpoint: refused, and nothing has changed."""
    player = Player(1)
    try:
        player.do("register", "plain", "ScikitLearn", {})
        player.do("create_compute", "aks", 3, "FastProd")
        player.do("advance", "10s")
        for name, more in (("first", {}), ("points", {"version_name": "blue"})):
            assert player.do("deploy", name, "aks", "plain:1", None, {"num_replicas": 1, **more}, False)[0] == "done"
            player.do("wait", name)
        for name in ("first",) if what.startswith("update") else ("first", "points"):
            before, now = player.documents(), player.ws.clock.now()
            met = player.do("bad", what, name)
            assert met[0] == "refused", met
            assert player.documents() == before
            assert player.ws.clock.now() == now
    finally:
        player.backend.close()


def test_anything_in_any_order() -> None:
    """A few short runs."""
    run_state_machine_as_test(Anything, settings=few)


@pytest.mark.slow
def test_anything_in_any_order_for_longer() -> None:
    """More and longer ones."""
    run_state_machine_as_test(Anything, settings=many)
