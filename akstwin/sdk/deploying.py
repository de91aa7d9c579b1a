"""Deploying: what `Model.deploy` checks, prints and sends, and what images are made from."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from akstwin.backend import Json
from akstwin.domain.deployment import MOST_MODELS, check_name
from akstwin.errors import InvalidSetting
from akstwin.sdk.checks import refuse
from akstwin.sdk.compute import ComputeTarget
from akstwin.sdk.configuration import AksServiceDeploymentConfiguration, deploy_service_configuration
from akstwin.sdk.exceptions import WebserviceException
from akstwin.sdk.inference import InferenceConfig
from akstwin.sdk.model import Model
from akstwin.sdk.rules import no_code
from akstwin.sdk.webservice import Webservice, created

if TYPE_CHECKING:
    from akstwin.sdk.workspace import Workspace


def deployed(
    workspace: "Workspace",
    name: str,
    models: Sequence[Model],
    inference_config: InferenceConfig | None,
    configuration: AksServiceDeploymentConfiguration | None,
    target: ComputeTarget | None,
    *,
    overwrite: bool,
    show: bool,
) -> Webservice:
    """Begin a deployment; `Model.deploy` says what each parameter means.

    Raises:
        WebserviceException: naming the parameter that is refused, its value and what was expected.
    """
    try:
        check_name("name", name if isinstance(name, str) else "")
    except InvalidSetting as error:
        raise WebserviceException(f"name: {name!r} is not {error.expected}") from error
    _check_models(models)
    chosen = _configuration(configuration, target)
    if show:
        Model.print_configuration(models, inference_config, configuration, target)
    payload = chosen.create_payload(
        name,
        image_request(workspace, name, models, inference_config),
        compute_name=None if target is None else target.name,
        overwrite=overwrite,
    )
    service = created(workspace, name, payload)
    if show:
        print("Request submitted; wait_for_deployment(show_output=True) shows its progress.")  # noqa: T201 - asked for
    return service


def shown(
    models: Sequence[Model], inference_config: InferenceConfig | None, target: ComputeTarget | None
) -> Iterator[str]:
    """Lines that say what a deployment is made of."""
    lines: dict[str, Any] = {
        "Models": [model.id for model in models],
        "Compute target": target and target.name,
        "Entry script": inference_config and inference_config.entry_script_path(),
    }
    environment = inference_config and inference_config.environment
    if environment:
        packages = environment.python.conda_dependencies
        lines |= {
            "Environment variables": environment.environment_variables,
            "Environment dependencies": packages and packages.as_dict().get("dependencies"),
            "Environment docker image": environment.docker.base_image,
            "Environment docker file": environment.docker.base_dockerfile,
        }
    return (f"{name}: {value}" for name, value in lines.items() if value)


def image_request(
    workspace: "Workspace", service_name: str, models: Sequence[Model], inference_config: InferenceConfig | None
) -> Json:
    """What an image is made of: models, script and environment, or one model whose framework brings them.

    Args:
        workspace: where the script is uploaded to.
        service_name: of the service or the version.
        models: registered ones.
        inference_config: the script.

    Raises:
        WebserviceException: naming what is refused.
    """
    _check_models(models)
    if inference_config is None:
        problem = no_code(models, None)
        refuse([problem] if problem else [])
        return {"modelIds": [models[0].id]}
    if not isinstance(inference_config, InferenceConfig):
        raise WebserviceException(f"inference_config: {inference_config!r} is not an InferenceConfig")
    return inference_config.environment_image_request(workspace, service_name, [model.id for model in models])


def _check_models(models: Any) -> None:
    if not isinstance(models, list | tuple):
        raise WebserviceException(f"models: {models!r} is not a list of models")
    if len(models) > MOST_MODELS:
        raise WebserviceException(
            f"models: {len(models)} models are more than the {MOST_MODELS} that a service can have"
        )
    for model in models:
        if not isinstance(model, Model):
            raise WebserviceException(f"models: {model!r} is not a registered Model")


def _configuration(
    configuration: AksServiceDeploymentConfiguration | None, target: "ComputeTarget | None"
) -> AksServiceDeploymentConfiguration:
    if target is not None and not isinstance(target, ComputeTarget):
        raise WebserviceException(f"deployment_target: {target!r} is not a compute target; find it with ComputeTarget")
    if configuration is None and target is None:
        raise WebserviceException(
            "deployment_config: None is not enough without deployment_target: "
            "make one with AksWebservice.deploy_configuration or AksEndpoint.deploy_configuration"
        )
    if configuration is None:
        return deploy_service_configuration()
    if not isinstance(configuration, AksServiceDeploymentConfiguration):
        raise WebserviceException(
            f"deployment_config: {configuration!r} is not what AksWebservice.deploy_configuration or "
            "AksEndpoint.deploy_configuration makes"
        )
    return configuration
