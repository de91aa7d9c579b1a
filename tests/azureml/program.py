"""Asks the real azureml-core: runs in `.venv-azureml`, reads questions and writes answers, one JSON document a line.

Nothing goes over a network: what would be sent is caught where the SDK hands it to its own pre-check, or (`exercise`)
where it hands it to `requests`.
With `surface` as its argument it writes `surface.json`.
"""

import contextlib
import inspect
import io
import json
import logging
import os
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

warnings.simplefilter("ignore")

import requests  # noqa: E402
from azureml.core import model as model_module  # noqa: E402
from azureml.core.compute import AksCompute, ComputeTarget  # noqa: E402
from azureml.core.compute.aks import AksUpdateConfiguration  # noqa: E402
from azureml.core.conda_dependencies import CondaDependencies  # noqa: E402
from azureml.core.environment import Environment  # noqa: E402
from azureml.core.model import InferenceConfig, Model  # noqa: E402
from azureml.core.resource_configuration import ResourceConfiguration  # noqa: E402
from azureml.core.webservice import AksEndpoint, AksWebservice, Webservice, aks  # noqa: E402
from azureml.exceptions import ComputeTargetException, WebserviceException  # noqa: E402

CLASSES = (
    "AksEndpoint",
    "AksEndpointDeploymentConfiguration",
    "AksServiceAccessToken",
    "AksServiceDeploymentConfiguration",
    "AksWebservice",
    "AutoScaler",
    "ContainerResourceRequirements",
    "DataCollection",
    "LivenessProbeRequirements",
)
OTHERS = (
    Webservice, Model, InferenceConfig, ComputeTarget, AksCompute, Environment, CondaDependencies, ResourceConfiguration,
)  # fmt: skip
REQUEST = {"modelIds": ["fraud:1"]}
"""Stands for whatever models and script become."""


NOW = "2026-01-01T00:00:00Z"
MODEL = {
    **dict.fromkeys(("id", "name", "version", "framework", "frameworkVersion", "url", "mimeType", "description")),
    **dict.fromkeys(("properties", "unpack", "runId", "experimentName", "createdBy")), "createdTime": NOW, "datasets": [],
}  # fmt: skip
SHOWN = {
    **dict.fromkeys(
        ("name", "description", "kvTags", "properties", "computeName", "appInsightsEnabled", "authEnabled")
    ),
    **dict.fromkeys(("aadAuthEnabled", "maxConcurrentRequestsPerContainer", "maxQueueWaitMs", "numReplicas")),
    **dict.fromkeys(("scoringTimeoutMs", "scoringUri", "livenessProbeRequirements")),
    "createdTime": NOW,
    "autoScaler": dict.fromkeys(
        ("autoscaleEnabled", "minReplicas", "maxReplicas", "refreshPeriodInSeconds", "targetUtilization")
    ),
    "containerResourceRequirements": dict.fromkeys(("cpu", "cpuLimit", "memoryInGB", "memoryInGBLimit", "gpu")),
    "dataCollection": dict.fromkeys(("eventHubEnabled", "storageEnabled")),
}
COMPUTE = {
    **dict.fromkeys(("id", "location", "tags")), "name": "aks",
    "properties": {
        **dict.fromkeys(("resourceId", "description", "provisioningState", "provisioningErrors", "properties")),
        "computeType": "AKS", "isAttachedCompute": False,
    },
}  # fmt: skip


_AUTH = SimpleNamespace(get_authentication_header=dict)
WORKSPACE = SimpleNamespace(
    name="ws", subscription_id="s", resource_group="r", location="west", _auth_object=_AUTH, _auth=_AUTH,
    service_context=SimpleNamespace(_get_api_url=lambda: "https://api"),
)  # fmt: skip


class Sent(Exception):
    """What would have gone to the service."""


def _caught(_workspace: Any, _name: str, _type: str, payload: Any, _operation: str) -> None:
    raise Sent(payload)


Webservice._check_for_webservice = staticmethod(_caught)
aks.ComputeTarget = lambda _workspace, name: SimpleNamespace(name=name)
aks.convert_parts_to_environment = lambda _name, script: (script, True)
aks.global_tracking_info_registry = SimpleNamespace(gather_all=dict)
for module in (sys.modules[Webservice.__module__], aks, model_module):
    module._get_mms_url = lambda _workspace: "https://mms"
sys.modules[Webservice.__module__].global_tracking_info_registry = aks.global_tracking_info_registry


ComputeTarget._get_resource_manager_endpoint = staticmethod(lambda _workspace: "https://arm")


def surface() -> dict[str, Any]:
    """Names and defaults: constructors, public methods and public attributes."""
    described = {}
    for the_class in (*(getattr(aks, name) for name in CLASSES), *OTHERS):
        methods = {
            member: _parameters(value)
            for member, value in inspect.getmembers(the_class, callable)
            if not member.startswith("_") and not inspect.isclass(value)
        }
        described[the_class.__name__] = {"constructor": _parameters(the_class), "methods": methods}
        made = _example(the_class)
        if made is not None:
            names = {
                *vars(made),
                *(name for name, _ in inspect.getmembers(the_class, lambda v: isinstance(v, property))),
            }
            described[the_class.__name__]["attributes"] = sorted(name for name in names if not name.startswith("_"))
    return described


def _example(the_class: Any) -> Any:
    """An object with all its attributes, where one can be made without a service."""
    if the_class in (Webservice, ComputeTarget, InferenceConfig):
        return None
    if the_class in (AksWebservice, AksEndpoint):
        service = object.__new__(the_class)
        service._initialize(WORKSPACE, SHOWN | {"computeType": the_class._webservice_type})
        return service
    if the_class is AksCompute:
        target = object.__new__(AksCompute)
        target._initialize(WORKSPACE, COMPUTE)
        return target
    if the_class is Model:
        return Model.deserialize(WORKSPACE, MODEL)
    default = 0 if the_class.__name__ == "AksServiceAccessToken" else None
    return the_class(**{
        name: default for name, value in inspect.signature(the_class).parameters.items()
        if value.kind is not value.VAR_KEYWORD and not name.startswith("_")
    })  # fmt: skip


def _parameters(function: Any) -> str:
    return ", ".join(
        parameter.name if parameter.default is parameter.empty else f"{parameter.name}={parameter.default!r}"
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name != "self"
        and parameter.name[0] != "_"
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    )


def deploy(
    of: str,
    arguments: dict[str, Any],
    name: str = "fraud",
    target: str | None = None,
    overwrite: bool = False,
    git: dict[str, str] | None = None,
) -> dict[str, Any]:
    """A configuration, and what `Model.deploy` makes of it; `git` stands for facts about a repository."""
    aks.global_tracking_info_registry.gather_all = lambda: dict(git or {})
    config = getattr(aks, of).deploy_configuration(**arguments)
    payload = config._build_create_payload(name, REQUEST, overwrite=overwrite)
    # The order of precedence is Model.deploy's: the configuration's target, then the call's.
    if config.compute_target_name:
        payload["computeName"] = config.compute_target_name
    elif target is not None:
        payload["computeName"] = target
    kept = {name: getattr(config, name, None) for name in ("version_name", "properties")}
    return {"payload": payload, "configuration": kept}


def call(of: str, method: str, current: dict[str, Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """A method that patches, of a service or an endpoint that is as `current` says."""
    aks.global_tracking_info_registry.gather_all = dict
    service = object.__new__({"AksWebservice": AksWebservice, "AksEndpoint": AksEndpoint}[of])
    given = dict(arguments)
    vars(service).update(
        name="fraud",
        compute_type="AKS",
        workspace=None,
        image=None,
        environment=object() if current.get("environment", True) else None,
        models=[SimpleNamespace(id=model, model_framework=None) for model in current.get("models", ())],
        compute_name=current.get("compute_name"),
        auth_enabled=current.get("auth_enabled"),
        token_auth_enabled=current.get("token_auth_enabled"),
        versions={name: SimpleNamespace(models=[]) for name in current.get("versions", ())},
        _auth=SimpleNamespace(get_authentication_header=dict),
    )
    if of == "AksWebservice":
        resources = current.get("container_resource_requirements")
        service.container_resource_requirements = resources and aks.ContainerResourceRequirements(**resources)
    if given.get("models") is not None:
        given["models"] = [SimpleNamespace(id="fraud:1", model_framework=framework) for framework in given["models"]]
    asked: list[str] = []

    def request(_workspace: object, models: list[str]) -> Any:
        asked.extend(models)
        return REQUEST

    if given.pop("inference_config", False):
        given["inference_config"] = SimpleNamespace(environment=object(), _build_environment_image_request=request)
    try:
        getattr(service, method)(**given)
    except Sent as sent:
        return {"patch": sent.args[0], "models": asked}
    return {"patch": None}


def exercise(
    of: str,
    call: str,
    document: dict[str, Any],
    arguments: dict[str, Any] | None = None,
    answers: dict[str, list[Any]] | None = None,
    operation: str | None = None,
    version: str | None = None,
) -> dict[str, Any]:
    """A method of a service or a cluster that is as its document says, over HTTP that is answered here.

    Args:
        of: the class.
        call: the method.
        document: of the service or cluster.
        arguments: of the method.
        answers: by verb and last part of the path, status and JSON or text of each answer, the last one for ever.
        operation: the id of one that is running.
        version: of the endpoint whose method is called.
    """
    made = object.__new__({"AksWebservice": AksWebservice, "AksEndpoint": AksEndpoint, "AksCompute": AksCompute}[of])
    made._initialize(WORKSPACE, document)
    made._operation_endpoint = operation and f"https://mms/operations/{operation}"
    subject = made.versions[version] if version else made
    wire = Wire(answers or {})
    printed = io.StringIO()
    result, error, message = None, None, ""
    with wire, contextlib.redirect_stdout(printed):
        try:
            result = getattr(subject, call)(**(arguments or {}))
        except Exception as raised:  # noqa: BLE001  (whatever the real one raises is the answer)
            error, message = type(raised).__name__, str(getattr(raised, "message", raised))
    return {
        "result": result, "raised": error, "message": message, "printed": printed.getvalue(), "requests": wire.requests,
        "slept": wire.slept, "tags": getattr(subject, "tags", None),
    }  # fmt: skip


class Wire:
    """Answers what goes to `requests`, and makes waiting free."""

    def __init__(self, answers: dict[str, list[Any]]) -> None:
        self.answers = answers
        self.requests: list[Any] = []
        self.slept: list[float] = []
        self.time = 0.0

    def __enter__(self) -> None:
        self._patches = contextlib.ExitStack()
        for place, value in (
            ("requests.adapters.HTTPAdapter.send", lambda _adapter, request, **_: self._answer(request)),
            ("time.sleep", self._sleep),
            ("time.time", lambda: self.time),
        ):
            self._patches.enter_context(mock.patch(place, value))
        self._patches.enter_context(mock.patch.object(Webservice, "_check_for_webservice"))

    def __exit__(self, *_: object) -> None:
        self._patches.close()

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def _answer(self, request: Any) -> Any:
        place = f"{request.method} {request.path_url.partition('?')[0].rpartition('/')[2]}"
        body = request.body.decode() if isinstance(request.body, bytes) else request.body
        self.requests.append([place, request.url, body, request.headers.get("Authorization")])
        listed = self.answers[place]
        status, content = listed.pop(0) if len(listed) > 1 else listed[0]
        response = requests.Response()
        response.status_code, response.request, response.url = status, request, request.url
        response._content = (content if isinstance(content, str) else json.dumps(content)).encode()
        response.headers["Operation-Location"] = "https://mms/operations/op"
        response.headers["Azure-AsyncOperation"] = "https://arm/operations/op"
        return response


def compute_update(document: dict[str, Any]) -> dict[str, Any]:
    """What a change of a cluster sends that is as its document says."""
    target = object.__new__(AksCompute)
    target.workspace, target.name = None, "aks"
    target._get = lambda _workspace, _name: document
    return {"payload": target._build_update_payload(AksUpdateConfiguration(load_balancer_type="PublicIp"))}


def model(call: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """A method of a registered model, or what is checked of a path (`_validate_model_path`)."""
    made = Model.deserialize(WORKSPACE, MODEL)
    if call == "_validate_model_path":
        os.chdir(arguments.pop("folder"))
    made._get_asset = lambda: None
    made._get_sas_to_relative_download_path_map = lambda _asset: {}
    if call == "update":
        made.workspace = SimpleNamespace(service_context=None)
    with mock.patch.object(model_module, "ModelsClient") as client:
        result = getattr(made, call)(**arguments)
    patched = client.return_value.patch.call_args
    return {"result": result, "patch": None if patched is None else patched.kwargs["body"]}


def listed(tags: list[Any]) -> dict[str, Any]:
    """What listing services asks for that have these tags, given as tuples."""
    wire = Wire({"GET services": [[200, {"value": []}]]})
    with wire:
        Webservice.list(WORKSPACE, tags=[tuple(tag) for tag in tags])
    return {"requests": wire.requests}


def target() -> dict[str, Any]:
    """The class of what is deployed if nobody says where to."""
    with mock.patch.object(Webservice, "_deploy_webservice") as deployed:
        Model._deploy_with_environment_image_request(WORKSPACE, "fraud", REQUEST, None, None, False, False)
    return {"class": deployed.call_args.args[4].__name__}


def inference(folder: str, script: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """An InferenceConfig, what it sends of itself, and the variables that the user's environment has afterwards."""
    here = Path.cwd()
    os.chdir(folder)
    try:
        environment = Environment("env")
        environment._environment_variables = {}
        made = InferenceConfig(script, environment=environment, **arguments)
        module = sys.modules[InferenceConfig.__module__]
        uploads: list[Any] = []

        def uploaded(_workspace: Any, path: str, packed: bool = False, arcname: str | None = None, **_: Any) -> Any:
            uploads.append([packed, arcname])
            name = Path(path).name
            return f"aml://artifact/LocalUpload/c/{name}", name

        module.upload_dependency = uploaded
        request = made._build_environment_image_request(None, ["m:1"])
        return {"request": request, "uploads": uploads, "variables": environment.environment_variables}
    finally:
        os.chdir(here)


def environment(name: str) -> dict[str, Any]:
    """The document of an environment as its constructor makes it."""
    return {"document": Environment._serialize_to_dict(Environment(name))}


def attach(of: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """What attaching or creating a cluster sends."""
    if of == "attach":
        config = AksCompute.attach_configuration(**arguments)
        resource_id = config.resource_id or AksCompute._build_resource_id(
            "s", config.resource_group, config.cluster_name
        )
        return {"payload": AksCompute._build_attach_payload(config, resource_id)}
    return {
        "payload": AksCompute._build_create_payload(AksCompute.provisioning_configuration(**arguments), "west", "s")
    }


def token(payload: dict[str, Any]) -> dict[str, Any]:
    """A token's attributes, and whether its serialised form is JSON."""
    made = aks.AksServiceAccessToken.deserialize(payload)
    return {"attributes": {name: str(value) for name, value in vars(made).items()}, "json": _is_json(made.serialize())}


def part(of: str, payload: Any) -> dict[str, Any]:
    """A part of a service: its attributes, and its JSON form again."""
    made = getattr(aks, of).deserialize(payload)
    return {"attributes": vars(made), "serialized": made.serialize()}


def exception(of: str, message: str, inner: str | None) -> dict[str, Any]:
    """How an exception shows itself."""
    classes = {"WebserviceException": WebserviceException, "ComputeTargetException": ComputeTargetException}
    made = classes[of](message, inner_exception=inner)
    shown = {"str": str(made), "repr": repr(made), "message": made.message}
    return shown | ({"status_code": made.status_code} if of == "WebserviceException" else {})


def _is_json(value: Any) -> bool:
    with contextlib.suppress(TypeError):
        return bool(json.dumps(value))
    return False


ASKED = {
    function.__name__: function
    for function in (
        surface, deploy, call, token, part, exception, exercise, compute_update, model, inference, environment, attach,
        listed, target,
    )
}  # fmt: skip


def main() -> None:
    """Answer until the questions end."""
    logging.disable(logging.CRITICAL)
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer = {"error": None, **ASKED[question.pop("ask")](**question)}
        except Exception as error:  # noqa: BLE001  (whatever the real one raises is the answer)
            answer = {"error": type(error).__name__, "message": str(getattr(error, "message", error))}
        print(json.dumps(answer), file=answers, flush=True)


if sys.argv[1:] == ["surface"]:
    sys.stdout.write(json.dumps(surface(), indent=2) + "\n")
else:
    main()
