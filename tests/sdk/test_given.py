"""An argument is given unless it is None: 0, False and what is empty are acted on, or refused by the argument's name.

Every argument of every call of the SDK that None stands for "not given" of is tried with each of them. A call without the
argument is what it is compared with: if both do the same, the argument has been lost.
"""

import inspect
import re
from collections.abc import Callable, Mapping
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
    WebserviceException,
    Workspace,
)
from akstwin.backend import Backend
from akstwin.domain.lifecycles import OperationState
from akstwin.errors import AksError
from akstwin.sdk.compute_configuration import AksUpdateConfiguration, SslConfiguration

EMPTY: tuple[Any, ...] = (0, 0.0, False, "", {}, [])
ONE = {"autoscale_enabled": False, "num_replicas": 1}


class Tried:
    """What the calls are made on: a model, a service, an endpoint with two versions, a cluster; all is written down.

    Attributes:
        told: what the backend was asked, and how often it was waited.
    """

    def __init__(self, ws: Workspace) -> None:
        self.ws = ws
        self.told: list[Any] = []
        Path("files").mkdir(exist_ok=True)
        Path("files/weights.txt").write_text("1", encoding="utf-8")
        Path("requirements.txt").write_text("numpy\n", encoding="utf-8")
        Environment("env").register(ws)
        self.script = InferenceConfig("score.py", environment=Environment("env"))
        self.model = Model.register(ws, "model.pkl", "fraud-model", tags={"a": "b"}, model_framework="ScikitLearn")
        self.cluster = ComputeTarget.create(ws, "aks", AksCompute.provisioning_configuration())
        self.service = self.deployed("svc", AksWebservice.deploy_configuration(**ONE))
        self.endpoint = self.deployed("point", AksEndpoint.deploy_configuration(version_name="blue", **ONE))
        self.endpoint.create_version("green", inference_config=self.script, **ONE)
        for name in vars(Backend):
            verb = getattr(ws.backend, name, None)
            if callable(verb) and not name.startswith("_"):
                setattr(ws.backend, name, self._noting(name, verb))

    def deployed(self, name: str, configuration: Any = None, **given: Any) -> Any:
        """A service."""
        return Model.deploy(self.ws, name, [self.model], self.script, configuration, self.cluster, **given)

    def _noting(self, name: str, verb: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*given: Any, **named: Any) -> Any:
            self.told.append((name, given, named))
            return verb(*given, **named)

        return noted


def _filled(tried: Tried, name: str, configuration: Any) -> Any:
    """What a service of this configuration is created with."""
    return tried.deployed(name, configuration)


def _waits(tried: Tried, **given: Any) -> None:
    """Wait for an operation that runs."""
    backend: Any = tried.ws.backend
    polls = [backend.get_operation("op")] * 3
    running = [type(polls[0])("op", OperationState.RUNNING)] * 3
    backend.polls = [*running, polls[0]]
    tried.service.wait_for_deployment(**given)


Call = Callable[..., Any]
CALLS: Mapping[str, tuple[Call, Callable[..., Any]]] = {
    "AksWebservice.deploy_configuration": (
        AksWebservice.deploy_configuration,
        lambda tried, **given: _filled(tried, "new", AksWebservice.deploy_configuration(**given)),
    ),
    "AksEndpoint.deploy_configuration": (
        AksEndpoint.deploy_configuration,
        lambda tried, **given: _filled(tried, "new", AksEndpoint.deploy_configuration(**given)),
    ),
    "AksWebservice.update": (AksWebservice.update, lambda tried, **given: tried.service.update(**given)),
    "AksEndpoint.update": (AksEndpoint.update, lambda tried, **given: tried.endpoint.update(**given)),
    "AksEndpoint.create_version": (
        AksEndpoint.create_version,
        lambda tried, **given: tried.endpoint.create_version("red", **{"inference_config": tried.script, **given}),
    ),
    "AksEndpoint.update_version": (
        AksEndpoint.update_version, lambda tried, **given: tried.endpoint.update_version("green", **given),
    ),
    "Model.deploy": (
        Model.deploy,
        lambda tried, **given: Model.deploy(
            tried.ws, "new", [tried.model],
            **{"inference_config": tried.script, "deployment_config": AksWebservice.deploy_configuration(),
               "deployment_target": tried.cluster, **given},
        ),
    ),
    "Model.register": (Model.register, lambda tried, **given: Model.register(tried.ws, "files", "other", **given)),
    "Model.list": (Model.list, lambda tried, **given: Model.list(tried.ws, **given)),
    "Model": (Model.__init__, lambda tried, **given: Model(tried.ws, **{"name": "fraud-model", **given})),
    "Model.update": (Model.update, lambda tried, **given: tried.model.update(**given)),
    "Model.update_tags_properties": (
        Model.update_tags_properties, lambda tried, **given: tried.model.update_tags_properties(**given),
    ),
    "Webservice.list": (Webservice.list, lambda tried, **given: Webservice.list(tried.ws, **given)),
    "Webservice.regen_key": (Webservice.regen_key, lambda tried, **given: tried.service.regen_key("Primary", **given)),
    "Webservice.wait_for_deployment": (Webservice.wait_for_deployment, _waits),
    "InferenceConfig": (
        InferenceConfig.__init__,
        lambda tried, **given: Model.deploy(
            tried.ws, "new", [tried.model],
            InferenceConfig(**{"entry_script": "score.py", **given}), None, tried.cluster,
        ),
    ),
    "Environment.get": (Environment.get, lambda tried, **given: Environment.get(tried.ws, "env", **given)),
    "Environment.from_pip_requirements": (
        Environment.from_pip_requirements,
        lambda tried, **given: Environment.from_pip_requirements("env", "requirements.txt", **given).register(tried.ws),
    ),
    "Environment.from_docker_image": (
        Environment.from_docker_image,
        lambda tried, **given: Environment.from_docker_image("env", "image", **given).register(tried.ws),
    ),
    "Environment.from_dockerfile": (
        Environment.from_dockerfile,
        lambda tried, **given: Environment.from_dockerfile("env", "FROM a\n", **given).register(tried.ws),
    ),
    "AksCompute.provisioning_configuration": (
        AksCompute.provisioning_configuration,
        lambda tried, **given: ComputeTarget.create(tried.ws, "new", AksCompute.provisioning_configuration(**given)),
    ),
    "AksCompute.attach_configuration": (
        AksCompute.attach_configuration,
        lambda tried, **given: ComputeTarget.attach(
            tried.ws, "new", AksCompute.attach_configuration(**{"resource_group": "g", "cluster_name": "c", **given})
        ),
    ),
    "enable_ssl": (
        AksCompute.provisioning_configuration().enable_ssl,
        lambda tried, **given: ComputeTarget.create(
            tried.ws, "new", AksCompute.provisioning_configuration().enable_ssl(**given)
        ),
    ),
    "AksCompute.update": (
        AksUpdateConfiguration, lambda tried, **given: tried.cluster.update(AksUpdateConfiguration(**given)),
    ),
    "SslConfiguration": (
        SslConfiguration,
        lambda tried, **given: tried.cluster.update(AksUpdateConfiguration(SslConfiguration(**given))),
    ),
}  # fmt: skip

NO_MORE = "none more is what the call does without"
DEFAULT = "it is the service's default, and what the payload says"
_DEPLOY = ("AksWebservice.deploy_configuration", "AksEndpoint.deploy_configuration", "AksEndpoint.create_version")
SAME: Mapping[tuple[str, str], tuple[Any, str]] = {
    **{(call, "properties"): ({}, NO_MORE) for call in (*_DEPLOY, "AksWebservice.update", "AksEndpoint.update")},
    ("AksEndpoint.update_version", "properties"): ({}, NO_MORE),
    **{
        (call, name): ([], NO_MORE)
        for call in ("Model.list", "Model", "Webservice.list")
        for name in ("tags", "properties")
    },
    ("Model.register", "datasets"): ([], NO_MORE),
    ("AksEndpoint.create_version", "models"): ([], NO_MORE),
    **{(call, "collect_model_data"): (False, DEFAULT) for call in _DEPLOY},
    ("InferenceConfig", "description"): ("", "it stays on the object, as any other text"),
    ("InferenceConfig", "enable_gpu"): (False, "gpu_cores asks for GPUs: there are none without"),
}
"""Values that do what the call does without the argument, and why that is right."""


def parameters(call: Call) -> list[str]:
    """Those of which None is "not given"."""
    return [name for name, each in inspect.signature(call).parameters.items() if each.default is None]


CASES = [(call, name) for call, (described, _) in CALLS.items() for name in parameters(described)]


def done(tried: Tried, call: str, **given: Any) -> tuple[str, str]:
    """What a call asks of the backend, or why it is refused."""
    clock: Any = tried.ws.backend.clock
    tried.told.clear()
    clock.slept.clear()
    try:
        CALLS[call][1](tried, **given)
    except AksError as error:
        return "refused", str(getattr(error, "message", error))
    return "done", repr((tried.told, clock.slept))


@pytest.mark.parametrize(("call", "name"), CASES)
def test_an_argument_is_given_unless_it_is_none(ws: Workspace, call: str, name: str) -> None:
    """Whatever is empty."""
    tried = Tried(ws)
    without = done(tried, call)
    exempt = SAME.get((call, name))
    for value in EMPTY:
        outcome, text = seen = done(tried, call, **{name: value})
        if exempt is not None and type(value) is type(exempt[0]):
            assert outcome == "done" or "Nothing to update" in without[1], (value, exempt[1])
            continue
        assert seen != without, f"{value!r} is lost"
        if outcome == "refused":
            assert re.search(rf"\b{name}\b", text) or (name == "timeout_sec" and "timeout override of 0" in text), value
            assert "Nothing to update" not in text, value


def test_an_update_of_the_service_names_each(ws: Workspace) -> None:
    """Numbers: once, by name, value and limit."""
    tried = Tried(ws)
    for name in (
        "num_replicas",
        "cpu_cores",
        "memory_gb",
        "scoring_timeout_ms",
        "autoscale_max_replicas",
        "period_seconds",
    ):
        for update in (tried.service.update, lambda **given: tried.endpoint.update_version("green", **given)):
            with pytest.raises(WebserviceException) as refused:
                update(**{name: 0})
            assert refused.value.message == f"{name}: 0 is not greater than 0"
