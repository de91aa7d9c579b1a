"""What is done to a service while it runs, planned ahead."""

from typing import Annotated, Literal

from pydantic import Field

from akstwin.domain.deployment import DeployArguments
from akstwin.domain.profile import ModelProfile
from akstwin.domain.spec import Spec
from akstwin.domain.units import Duration


class UpdateVersion(Spec):
    """The SDK's `update` or `update_version`: what is left out stays as it is.

    Attributes:
        at: when, from t = 0.
        version: which; None: the default version.
        deploy: the arguments of the call. What stands in the pod template (resources, probe) rolls the pods.
        model: a new model; its image has to be built and pulled, and the pods roll.
    """

    kind: Literal["update"]
    at: Annotated[Duration, Field(description="when, from t = 0")]
    version: str | None = None
    deploy: DeployArguments = DeployArguments()
    model: ModelProfile | None = None


PlannedOperation = UpdateVersion
