"""Where a service answers over HTTP, and the header that names one of its versions (semantics §1.2, §1.5)."""

from typing import Final

SERVICE_PREFIX: Final = "/api/v1/service/"
"""Every path of every service begins so; the service's name follows."""
VERSION_HEADER: Final = "azureml-model-deployment"
"""Names the version that a request wants: an extension, as in SDK v2 (semantics §1.5)."""


def service_path(name: str) -> str:
    """The path of a service, without a slash at its end: `/score` and `/swagger.json` follow."""
    return f"{SERVICE_PREFIX}{name}"
