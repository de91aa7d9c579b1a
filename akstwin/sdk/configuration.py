"""What a service or an endpoint is deployed with: the objects that `deploy_configuration` makes.

Parameters, their order and their defaults are azureml-core 1.61's and the class reference's. None means "the service's
default" (wire §12).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NoReturn

from akstwin.sdk import wire
from akstwin.sdk.exceptions import WebserviceException
from akstwin.sdk.rules import ENDPOINT_PARAMETERS
from akstwin.sdk.validation import (
    validate_endpoint_deployment,
    validate_service_deployment,
)

Pairs = Mapping[str, str | float]


@dataclass
class AksServiceDeploymentConfiguration:
    """What a service is deployed with. `AksWebservice.deploy_configuration` makes one.

    Attributes:
        autoscale_enabled: whether the number of replicas follows the load; by default if `num_replicas` is None.
        autoscale_min_replicas: fewest replicas; 1.
        autoscale_max_replicas: most replicas; 10.
        autoscale_refresh_seconds: seconds between two looks of the autoscaler; 1.
        autoscale_target_utilization: busy share of the replicas that is aimed at, in percent; 70.
        collect_model_data: whether what is scored is kept; False.
        auth_enabled: whether requests need a key; True.
        cpu_cores: cores that each container asks for; 0.1.
        memory_gb: GB that each container asks for; 0.5.
        enable_app_insights: whether requests are logged to Application Insights; False.
        scoring_timeout_ms: longest time for one answer, ms; 60,000.
        replica_max_concurrent_requests: requests that one replica works on at once; 1.
        max_request_wait_time: longest time in the queue, ms, before the answer is 503; 500.
        num_replicas: a fixed number of replicas; none.
        primary_key: the first key; one is made.
        secondary_key: the second key; one is made.
        tags: pairs that can be changed later.
        properties: pairs that can only be added to later.
        description: for people.
        gpu_cores: whole GPUs of each container; 0.
        period_seconds: seconds between two liveness probes; 10.
        initial_delay_seconds: seconds from a container's start to its first probe; 310.
        timeout_seconds: seconds that a probe's answer may take; 2.
        success_threshold: answers in a row that make a container alive again; 1.
        failure_threshold: failures in a row after which it is restarted; 3.
        namespace: the Kubernetes namespace; the workspace's.
        token_auth_enabled: whether requests need a token; False.
        compute_target_name: where to deploy, unless `Model.deploy` is told.
        cpu_cores_limit: most cores of each container.
        memory_gb_limit: most GB of each container.
        blobfuse_enabled: whether models are mounted with blobfuse; True.
        location: an Azure region; always None for a cluster.

    Raises:
        WebserviceException: naming each parameter that is refused, its value and the limit (wire §11).
    """

    autoscale_enabled: bool | None
    autoscale_min_replicas: int | None
    autoscale_max_replicas: int | None
    autoscale_refresh_seconds: int | None
    autoscale_target_utilization: int | None
    collect_model_data: bool | None
    auth_enabled: bool | None
    cpu_cores: float | None
    memory_gb: float | None
    enable_app_insights: bool | None
    scoring_timeout_ms: int | None
    replica_max_concurrent_requests: int | None
    max_request_wait_time: int | None
    num_replicas: int | None
    primary_key: str | None = field(repr=False)
    secondary_key: str | None = field(repr=False)
    tags: Pairs | None
    properties: Pairs | None
    description: str | None
    gpu_cores: int | None
    period_seconds: int | None
    initial_delay_seconds: int | None
    timeout_seconds: int | None
    success_threshold: int | None
    failure_threshold: int | None
    namespace: str | None
    token_auth_enabled: bool | None
    compute_target_name: str | None
    cpu_cores_limit: float | None
    memory_gb_limit: float | None
    blobfuse_enabled: bool | None = None
    location: str | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.validate_configuration()

    def validate_configuration(self) -> None:
        """Check all values again, after some were changed.

        Raises:
            WebserviceException: naming each parameter that is refused, its value and the limit.
        """
        validate_service_deployment(vars(self))

    def print_deploy_configuration(self) -> None:
        """Print what the containers ask for and their number, as far as it is given."""
        names = ("cpu_cores", "gpu_cores", "memory_gb", "num_replicas")
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in names if getattr(self, name))
        if shown:
            print(shown)  # noqa: T201  (a method of the SDK's that prints)

    @classmethod
    def validate_image(cls, image: object) -> NoReturn:
        """Refuse: images came before environments, and nothing here takes one.

        Raises:
            WebserviceException: always.
        """
        raise WebserviceException(f"image: {image!r} cannot be deployed here; deploy models with an inference_config")

    def create_payload(
        self,
        name: str,
        environment_image_request: wire.Json | None,
        *,
        compute_name: str | None = None,
        overwrite: bool = False,
    ) -> wire.Json:
        """The body that creates the service (wire §7.3).

        Args:
            name: of the service.
            environment_image_request: models, script and environment.
            compute_name: of the compute target, where `compute_target_name` does not say.
            overwrite: whether a service of that name is replaced.

        Raises:
            WebserviceException: values were changed since and are refused.
        """
        self.validate_configuration()
        return wire.service_payload(
            vars(self),
            name=name,
            compute_name=compute_name if self.compute_target_name is None else self.compute_target_name,
            environment_image_request=environment_image_request,
            overwrite=overwrite,
        )


_SERVICE_PARAMETERS = tuple(part.name for part in fields(AksServiceDeploymentConfiguration) if part.init)


@dataclass(init=False)
class AksEndpointDeploymentConfiguration(AksServiceDeploymentConfiguration):
    """What an endpoint and its first version are deployed with. `AksEndpoint.deploy_configuration` makes one.

    Attributes:
        version_name: of the first version; as the endpoint.
        traffic_percentile: share of the traffic that the version gets, in percent.

    Raises:
        WebserviceException: naming each parameter that is refused, its value and the limit (wire §11).
    """

    version_name: str | None = None
    traffic_percentile: float | None = None

    def __init__(
        self,
        autoscale_enabled: bool | None,
        autoscale_min_replicas: int | None,
        autoscale_max_replicas: int | None,
        autoscale_refresh_seconds: int | None,
        autoscale_target_utilization: int | None,
        collect_model_data: bool | None,
        auth_enabled: bool | None,
        cpu_cores: float | None,
        memory_gb: float | None,
        enable_app_insights: bool | None,
        scoring_timeout_ms: int | None,
        replica_max_concurrent_requests: int | None,
        max_request_wait_time: int | None,
        num_replicas: int | None,
        primary_key: str | None,
        secondary_key: str | None,
        tags: Pairs | None,
        properties: Pairs | None,
        description: str | None,
        gpu_cores: int | None,
        period_seconds: int | None,
        initial_delay_seconds: int | None,
        timeout_seconds: int | None,
        success_threshold: int | None,
        failure_threshold: int | None,
        namespace: str | None,
        token_auth_enabled: bool | None,
        version_name: str | None,
        traffic_percentile: float | None,
        compute_target_name: str | None,
        cpu_cores_limit: float | None,
        memory_gb_limit: float | None,
    ) -> None:
        given: dict[str, Any] = locals()
        self.version_name = version_name
        self.traffic_percentile = traffic_percentile
        AksServiceDeploymentConfiguration.__init__(
            self, **{name: given[name] for name in _SERVICE_PARAMETERS if name in given}
        )

    def validate_configuration(self) -> None:
        """Check all values again, after some were changed.

        Raises:
            WebserviceException: naming each parameter that is refused, its value and the limit.
        """
        validate_endpoint_deployment(vars(self))

    def validate_endpoint_configuration(self) -> None:
        """Check again what an endpoint has beyond a service: the version's name and its traffic.

        Raises:
            WebserviceException: naming each parameter that is refused, its value and the limit.
        """
        validate_endpoint_deployment({name: getattr(self, name) for name in ENDPOINT_PARAMETERS})

    def create_payload(
        self,
        name: str,
        environment_image_request: wire.Json | None,
        *,
        compute_name: str | None = None,
        overwrite: bool = False,
    ) -> wire.Json:
        """The body that creates the endpoint with its first version (wire §7.4).

        Args:
            name: of the endpoint.
            environment_image_request: models, script and environment of the version.
            compute_name: of the compute target, where `compute_target_name` does not say.
            overwrite: whether a service of that name is replaced.

        Raises:
            WebserviceException: values were changed since and are refused.
        """
        self.validate_configuration()
        return wire.endpoint_payload(
            vars(self),
            name=name,
            compute_name=compute_name if self.compute_target_name is None else self.compute_target_name,
            environment_image_request=environment_image_request,
            overwrite=overwrite,
        )


def deploy_service_configuration(
    autoscale_enabled: bool | None = None,
    autoscale_min_replicas: int | None = None,
    autoscale_max_replicas: int | None = None,
    autoscale_refresh_seconds: int | None = None,
    autoscale_target_utilization: int | None = None,
    collect_model_data: bool | None = None,
    auth_enabled: bool | None = None,
    cpu_cores: float | None = None,
    memory_gb: float | None = None,
    enable_app_insights: bool | None = None,
    scoring_timeout_ms: int | None = None,
    replica_max_concurrent_requests: int | None = None,
    max_request_wait_time: int | None = None,
    num_replicas: int | None = None,
    primary_key: str | None = None,
    secondary_key: str | None = None,
    tags: Pairs | None = None,
    properties: Pairs | None = None,
    description: str | None = None,
    gpu_cores: int | None = None,
    period_seconds: int | None = None,
    initial_delay_seconds: int | None = None,
    timeout_seconds: int | None = None,
    success_threshold: int | None = None,
    failure_threshold: int | None = None,
    namespace: str | None = None,
    token_auth_enabled: bool | None = None,
    compute_target_name: str | None = None,
    cpu_cores_limit: float | None = None,
    memory_gb_limit: float | None = None,
    blobfuse_enabled: bool | None = None,
) -> AksServiceDeploymentConfiguration:
    """A configuration for deploying a service; `AksServiceDeploymentConfiguration` says what each parameter means.

    Raises:
        WebserviceException: naming each parameter that is refused, its value and the limit (wire §11).
    """
    return AksServiceDeploymentConfiguration(**locals())


def deploy_endpoint_configuration(
    autoscale_enabled: bool | None = None,
    autoscale_min_replicas: int | None = None,
    autoscale_max_replicas: int | None = None,
    autoscale_refresh_seconds: int | None = None,
    autoscale_target_utilization: int | None = None,
    collect_model_data: bool | None = None,
    auth_enabled: bool | None = None,
    cpu_cores: float | None = None,
    memory_gb: float | None = None,
    enable_app_insights: bool | None = None,
    scoring_timeout_ms: int | None = None,
    replica_max_concurrent_requests: int | None = None,
    max_request_wait_time: int | None = None,
    num_replicas: int | None = None,
    primary_key: str | None = None,
    secondary_key: str | None = None,
    tags: Pairs | None = None,
    properties: Pairs | None = None,
    description: str | None = None,
    gpu_cores: int | None = None,
    period_seconds: int | None = None,
    initial_delay_seconds: int | None = None,
    timeout_seconds: int | None = None,
    success_threshold: int | None = None,
    failure_threshold: int | None = None,
    namespace: str | None = None,
    token_auth_enabled: bool | None = None,
    version_name: str | None = None,
    traffic_percentile: float | None = None,
    compute_target_name: str | None = None,
    cpu_cores_limit: float | None = None,
    memory_gb_limit: float | None = None,
) -> AksEndpointDeploymentConfiguration:
    """A configuration for deploying an endpoint; the configuration classes say what each parameter means.

    Raises:
        WebserviceException: naming each parameter that is refused, its value and the limit (wire §11).
    """
    return AksEndpointDeploymentConfiguration(**locals())
