"""Asks the real azureml-core: runs in `.venv-azureml`, reads questions and writes answers, one JSON document a line.

Nothing goes over a network: what would be sent is caught where the SDK hands it to its own pre-check.
With `surface` as its argument it writes `surface.json`.
"""

import contextlib
import inspect
import json
import logging
import sys
import warnings
from types import SimpleNamespace
from typing import Any

warnings.simplefilter("ignore")

from azureml.core.webservice import AksEndpoint, AksWebservice, Webservice, aks  # noqa: E402
from azureml.exceptions import WebserviceException  # noqa: E402

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
REQUEST = {"modelIds": ["fraud:1"]}
"""Stands for whatever models and script become."""


class Sent(Exception):
    """What would have gone to the service."""


def _caught(_workspace: Any, _name: str, _type: str, payload: Any, _operation: str) -> None:
    raise Sent(payload)


Webservice._check_for_webservice = staticmethod(_caught)
aks.ComputeTarget = lambda _workspace, name: SimpleNamespace(name=name)
aks.convert_parts_to_environment = lambda _name, script: (script, True)
aks.global_tracking_info_registry = SimpleNamespace(gather_all=dict)
sys.modules[Webservice.__module__].global_tracking_info_registry = aks.global_tracking_info_registry


def surface() -> dict[str, Any]:
    """Names and defaults: constructors, public methods and public attributes of the nine classes."""
    described = {}
    for name in CLASSES:
        the_class = getattr(aks, name)
        methods = {
            member: _parameters(value)
            for member, value in inspect.getmembers(the_class, callable)
            if not member.startswith("_") and not inspect.isclass(value)
        }
        described[name] = {"constructor": _parameters(the_class), "methods": methods}
        if issubclass(the_class, Webservice):
            continue
        given = dict.fromkeys(inspect.signature(the_class).parameters, 0 if name == "AksServiceAccessToken" else None)
        made = the_class(**given)
        described[name]["attributes"] = sorted(attribute for attribute in vars(made) if not attribute.startswith("_"))
    return described


def _parameters(function: Any) -> str:
    return ", ".join(
        parameter.name if parameter.default is parameter.empty else f"{parameter.name}={parameter.default!r}"
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name != "self" and parameter.kind is not parameter.VAR_KEYWORD
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
        environment=object(),
        models=[],
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
    if given.pop("inference_config", False):
        given["inference_config"] = SimpleNamespace(
            environment=object(), _build_environment_image_request=lambda _workspace, _models: REQUEST
        )
    try:
        getattr(service, method)(**given)
    except Sent as sent:
        return {"patch": sent.args[0]}
    return {"patch": None}


def token(payload: dict[str, Any]) -> dict[str, Any]:
    """A token's attributes, and whether its serialised form is JSON."""
    made = aks.AksServiceAccessToken.deserialize(payload)
    return {"attributes": {name: str(value) for name, value in vars(made).items()}, "json": _is_json(made.serialize())}


def part(of: str, payload: Any) -> dict[str, Any]:
    """A part of a service: its attributes, and its JSON form again."""
    made = getattr(aks, of).deserialize(payload)
    return {"attributes": vars(made), "serialized": made.serialize()}


def exception(message: str, inner: str | None) -> dict[str, Any]:
    """How an exception shows itself."""
    made = WebserviceException(message, inner_exception=inner)
    return {"str": str(made), "repr": repr(made), "message": made.message, "status_code": made.status_code}


def _is_json(value: Any) -> bool:
    with contextlib.suppress(TypeError):
        return bool(json.dumps(value))
    return False


ASKED = {function.__name__: function for function in (surface, deploy, call, token, part, exception)}


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
