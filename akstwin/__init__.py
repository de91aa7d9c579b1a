"""akstwin: the digital twin of Azure ML's AKS model serving. Not affiliated with Microsoft.

Names are imported when they are first used: `akstwin --help` needs none of them.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from akstwin.sdk.aks import AksEndpoint, AksWebservice
    from akstwin.sdk.compute import AksCompute, ComputeTarget
    from akstwin.sdk.conda_dependencies import CondaDependencies
    from akstwin.sdk.configuration import AksEndpointDeploymentConfiguration, AksServiceDeploymentConfiguration
    from akstwin.sdk.environment import Environment
    from akstwin.sdk.exceptions import ComputeTargetException, WebserviceException
    from akstwin.sdk.inference import InferenceConfig
    from akstwin.sdk.model import Model
    from akstwin.sdk.requirements import (
        AutoScaler,
        ContainerResourceRequirements,
        DataCollection,
        LivenessProbeRequirements,
    )
    from akstwin.sdk.resource_configuration import ResourceConfiguration
    from akstwin.sdk.token import AksServiceAccessToken
    from akstwin.sdk.webservice import Webservice
    from akstwin.sdk.workspace import Workspace

__all__ = [
    "AksCompute",
    "AksEndpoint",
    "AksEndpointDeploymentConfiguration",
    "AksServiceAccessToken",
    "AksServiceDeploymentConfiguration",
    "AksWebservice",
    "AutoScaler",
    "ComputeTarget",
    "ComputeTargetException",
    "CondaDependencies",
    "ContainerResourceRequirements",
    "DataCollection",
    "Environment",
    "InferenceConfig",
    "LivenessProbeRequirements",
    "Model",
    "ResourceConfiguration",
    "Webservice",
    "WebserviceException",
    "Workspace",
]

_MODULES = {
    "aks": ("AksEndpoint", "AksWebservice"),
    "compute": ("AksCompute", "ComputeTarget"),
    "conda_dependencies": ("CondaDependencies",),
    "configuration": ("AksEndpointDeploymentConfiguration", "AksServiceDeploymentConfiguration"),
    "environment": ("Environment",),
    "exceptions": ("ComputeTargetException", "WebserviceException"),
    "inference": ("InferenceConfig",),
    "model": ("Model",),
    "requirements": ("AutoScaler", "ContainerResourceRequirements", "DataCollection", "LivenessProbeRequirements"),
    "resource_configuration": ("ResourceConfiguration",),
    "token": ("AksServiceAccessToken",),
    "webservice": ("Webservice",),
    "workspace": ("Workspace",),
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        for module, names in _MODULES.items():
            if name in names:
                from importlib import import_module  # noqa: PLC0415 - see above

                value = getattr(import_module(f"akstwin.sdk.{module}"), name)
                globals()[name] = value
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
