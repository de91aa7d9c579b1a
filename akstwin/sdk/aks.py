"""Services and endpoints on Azure Kubernetes Service: `AksWebservice`, `AksEndpoint`."""

import warnings
from collections.abc import Sequence
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Self

from akstwin.backend import Json, JsonPatch
from akstwin.domain.service_urls import VERSION_HEADER
from akstwin.domain.settings import Arguments, Patch
from akstwin.sdk import wire
from akstwin.sdk.answers import from_the_service, iso, require
from akstwin.sdk.configuration import Pairs, deploy_endpoint_configuration, deploy_service_configuration
from akstwin.sdk.deploying import image_request
from akstwin.sdk.environment import environment_of
from akstwin.sdk.exceptions import WebserviceException
from akstwin.sdk.inference import InferenceConfig
from akstwin.sdk.model import Model, with_tags
from akstwin.sdk.requirements import (
    AutoScaler,
    ContainerResourceRequirements,
    DataCollection,
    LivenessProbeRequirements,
)
from akstwin.sdk.scoring import Headers, scored
from akstwin.sdk.token import AksServiceAccessToken
from akstwin.sdk.validation import (
    validate_endpoint_update,
    validate_service_update,
    validate_version_create,
    validate_version_update,
)
from akstwin.sdk.webservice import Webservice

if TYPE_CHECKING:
    from akstwin.sdk.workspace import Workspace


class AksWebservice(Webservice):
    """A service on a cluster, or a version of an endpoint.

    A version is changed by its endpoint: `AksEndpoint.update_version`.

    Attributes:
        autoscaler: how the number of replicas follows the load.
        num_replicas: the fixed number of replicas; None with the autoscaler.
        container_resource_requirements: what each container asks for.
        liveness_probe_requirements: how containers are probed.
        data_collection: what is kept of the data that is scored.
        max_concurrent_requests_per_container: requests that one replica works on at once.
        max_request_wait_time: longest time in the queue, ms.
        scoring_timeout_ms: longest time for one answer, ms.
        environment: what the script runs in.
        models: what is deployed.
        is_default: of a version: whether it gets what the shares of the others leave.
        traffic_percentile: of a version: its share of the traffic, percent.
        version_type: of a version: `Control` or `Treatment`.
    """

    _type: ClassVar[str] = wire.SERVICE_TYPE
    _keys: ClassVar[tuple[str, ...]] = (
        *Webservice._keys,  # noqa: SLF001 - of the class above
        *("appInsightsEnabled", "authEnabled", "autoScaler", "computeName", "containerResourceRequirements"),
        *("dataCollection", "maxConcurrentRequestsPerContainer", "maxQueueWaitMs", "numReplicas", "scoringTimeoutMs"),
        *("scoringUri", "livenessProbeRequirements", "aadAuthEnabled"),
    )

    _endpoint: "AksEndpoint | None"

    deploy_configuration = staticmethod(deploy_service_configuration)

    def run(self, input_data: str | bytes) -> Any:
        """Score: send a request, and wait for its answer.

        As azureml-core does, a 401 is tried once more with fresh keys; and 408, 429, 500, 502, 503, 504 and 530 up to
        three times more, after waits by the workspace's clock.

        Args:
            input_data: the body: JSON text, or bytes.

        Returns:
            What the answer's JSON says.

        Raises:
            WebserviceException: the answer is not 200, or no JSON; or there is nothing yet that could answer.
        """
        if not self.scoring_uri:
            raise WebserviceException(
                "scoring_uri: None is not an address: the service is not deployed yet, or failed.\n"
                f"Current State: {self.state}\nErrors: {self.error}"
            )
        return scored(self.workspace.backend, self._address(), input_data, self._headers)

    def get_access_token(self) -> AksServiceAccessToken:
        """A token for scoring.

        Raises:
            WebserviceException: the service has no token auth.
        """
        with from_the_service():
            issued = self.workspace.backend.issue_token(self._address())
        return AksServiceAccessToken(issued.token, issued.token_type, issued.refresh_after, issued.expiry_on)

    def get_token(self) -> tuple[str, datetime]:
        """A token, and when to fetch the next one; `get_access_token` is its successor.

        Raises:
            WebserviceException: the service has no token auth.
        """
        warnings.warn("get_token: use get_access_token", DeprecationWarning, stacklevel=2)
        token = self.get_access_token()
        return token.access_token, token.refresh_after

    def update(
        self,
        image: object = None,
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
        tags: Pairs | None = None,
        properties: Pairs | None = None,
        description: str | None = None,
        models: Sequence[Model] | None = None,
        inference_config: InferenceConfig | None = None,
        gpu_cores: int | None = None,
        period_seconds: int | None = None,
        initial_delay_seconds: int | None = None,
        timeout_seconds: int | None = None,
        success_threshold: int | None = None,
        failure_threshold: int | None = None,
        namespace: str | None = None,
        token_auth_enabled: bool | None = None,
        cpu_cores_limit: float | None = None,
        memory_gb_limit: float | None = None,
    ) -> None:
        """Change the service. What is not given stays; `AksServiceDeploymentConfiguration` says what each means.

        What pods are made from (models, script, resources, probe, data collection, namespace) replaces them one by one;
        `wait_for_deployment` waits for that. All else needs no new pods and is allowed meanwhile; `wait_for_deployment`
        waits until it is in effect.

        Args:
            image: not offered; use `inference_config`.
            autoscale_enabled: see there, as the rest.
            autoscale_min_replicas: needs `autoscale_enabled=True` in the same call, as the next three.
            autoscale_max_replicas: see there.
            autoscale_refresh_seconds: see there.
            autoscale_target_utilization: see there.
            collect_model_data: see there.
            auth_enabled: switched on together with `token_auth_enabled=False`, if tokens are in use.
            cpu_cores: see there.
            memory_gb: see there.
            enable_app_insights: see there.
            scoring_timeout_ms: see there.
            replica_max_concurrent_requests: see there.
            max_request_wait_time: see there.
            num_replicas: see there; needed with `autoscale_enabled=False`.
            tags: all tags, in place of the present ones.
            properties: new ones; those that are there cannot be changed.
            description: see there.
            models: in place of the present ones; with `inference_config`, unless their framework brings a script.
            inference_config: the script, in place of the present one.
            gpu_cores: see there.
            period_seconds: see there.
            initial_delay_seconds: see there.
            timeout_seconds: see there.
            success_threshold: see there.
            failure_threshold: see there.
            namespace: see there.
            token_auth_enabled: switched on together with `auth_enabled=False`, if keys are in use.
            cpu_cores_limit: see there.
            memory_gb_limit: see there.

        Raises:
            WebserviceException: nothing is given; naming each parameter that is refused, its value and the limit; or
                another operation is running (409).
        """
        given = validate_service_update(self, locals())
        self._no_version("update")
        if inference_config is not None or models is not None:
            deployed = self.models if models is None else models
            given = self._with_image(given, self.name, list(deployed))
        self._patched(wire.update_patch(given))

    def add_tags(self, tags: Pairs) -> None:
        """Add tags; those of the same keys are replaced.

        Raises:
            WebserviceException: the world refuses.
        """
        self.update(tags=with_tags(self.tags, tags, ()))
        print("Webservice tag add operation complete.")  # noqa: T201 - a call of the SDK's that prints

    def remove_tags(self, tags: str | Sequence[str]) -> None:
        """Remove the tags of these keys.

        Raises:
            WebserviceException: the world refuses.
        """
        self.update(tags=with_tags(self.tags, {}, tags))
        print("Webservice tag remove operation complete.")  # noqa: T201 - a call of the SDK's that prints

    def add_properties(self, properties: Pairs) -> None:
        """Add properties; those that are there cannot be changed.

        Raises:
            WebserviceException: the world refuses.
        """
        self.update(properties=properties)
        print("Webservice property add operation complete.")  # noqa: T201 - a call of the SDK's that prints

    def update_deployment_state(self) -> None:
        """Look at the service again.

        Raises:
            WebserviceException: it is not there any more.
        """
        if self._endpoint is None:
            super().update_deployment_state()
            return
        with from_the_service():
            document = self.workspace.backend.get_service(self._endpoint.name)
        versions = document.get("versions") or {}
        if self.name not in versions:
            raise WebserviceException(
                f"WebserviceNotFound: {self.name} is not a version of {self._endpoint.name} any more", status_code=404
            )
        self._read(versions[self.name])

    def serialize(self) -> dict[str, Any]:
        """The JSON form."""
        environment = self.environment
        return super().serialize() | {
            "appInsightsEnabled": self.enable_app_insights,
            "authEnabled": self.auth_enabled,
            "autoScaler": self.autoscaler.serialize(),
            "computeName": self.compute_name,
            "containerResourceRequirements": self.container_resource_requirements.serialize(),
            "dataCollection": self.data_collection.serialize(),
            "imageId": self.image_id,
            "maxConcurrentRequestsPerContainer": self.max_concurrent_requests_per_container,
            "maxQueueWaitMs": self.max_request_wait_time,
            "livenessProbeRequirements": self.liveness_probe_requirements.serialize(),
            "numReplicas": self.num_replicas,
            "deploymentStatus": self.deployment_status,
            "scoringTimeoutMs": self.scoring_timeout_ms,
            "scoringUri": self.scoring_uri,
            "aadAuthEnabled": self.token_auth_enabled,
            "environmentDetails": environment and environment.serialize(),
            "modelDetails": [model.serialize() for model in self.models] or None,
            "isDefault": self.is_default,
            "trafficPercentile": self.traffic_percentile,
            "versionType": self.version_type,
        }

    @classmethod
    def _of(cls, workspace: "Workspace", document: Json, endpoint: "AksEndpoint | None" = None) -> Self:
        service = object.__new__(cls)
        service.workspace = workspace
        service._operation = None
        service._endpoint = endpoint
        service._read(document)
        return service

    def _read(self, document: Json) -> None:
        require(document, self._keys, type(self).__name__)
        super()._read(document)
        self.autoscaler = AutoScaler.deserialize(document["autoScaler"])
        self.container_resource_requirements = ContainerResourceRequirements.deserialize(
            document["containerResourceRequirements"]
        )
        self.liveness_probe_requirements = LivenessProbeRequirements.deserialize(document["livenessProbeRequirements"])
        self.data_collection = DataCollection.deserialize(document["dataCollection"])
        self.max_concurrent_requests_per_container: int | None = document["maxConcurrentRequestsPerContainer"]
        self.max_request_wait_time: int | None = document["maxQueueWaitMs"]
        self.num_replicas: int | None = document["numReplicas"]
        self.scoring_timeout_ms: int | None = document["scoringTimeoutMs"]
        self.is_default: bool | None = document.get("isDefault")
        self.traffic_percentile: float | None = document.get("trafficPercentile")
        self.version_type: str | None = document.get("type")
        self.environment = environment_of((document.get("environmentImageRequest") or {}).get("environment"))
        self.models = [Model.deserialize(self.workspace, model) for model in document.get("models") or ()]

    def _address(self) -> str:
        return super()._address() if self._endpoint is None else self._endpoint.name

    def _no_version(self, call: str, instead: str = "use AksEndpoint.update_version") -> None:
        if self._endpoint is not None:
            raise WebserviceException(f"{call}: {self.name} is a version of {self._endpoint.name}; {instead}")

    def _with_image(self, given: Arguments, name: str, models: "Sequence[Model]") -> dict[str, Any]:
        """Arguments with what their models and script become."""
        request = image_request(self.workspace, name, models, given.get("inference_config"))
        return {**given, "environment_image_request": request}

    def _patched(self, patch: JsonPatch) -> None:
        if patch:
            with from_the_service():
                operation = self.workspace.backend.patch_service(self.name, patch)
            self._changed(operation)

    def _headers(self) -> Headers:
        """Who asks, and for which version."""
        version = () if self._endpoint is None else ((VERSION_HEADER, self.name),)
        asked = self._endpoint or self
        if asked.auth_enabled:
            return (*version, ("Authorization", f"Bearer {self.get_keys()[0]}"))
        if asked.token_auth_enabled:
            return (*version, ("Authorization", f"Bearer {self.get_access_token().access_token}"))
        return version


class AksEndpoint(AksWebservice):
    """Versions of a service behind one address, each with a share of the traffic.

    Attributes:
        versions: the versions by name.
    """

    class VersionType(Enum):
        """What a version is in an experiment; a label only."""

        control = "Control"
        treatment = "Treatment"

    _type: ClassVar[str] = wire.ENDPOINT_TYPE
    _keys: ClassVar[tuple[str, ...]] = (
        *Webservice._keys,  # noqa: SLF001 - of the class above
        *("appInsightsEnabled", "authEnabled", "computeName", "scoringUri", "aadAuthEnabled"),
    )

    versions: dict[str, AksWebservice]

    deploy_configuration = staticmethod(deploy_endpoint_configuration)  # type: ignore[assignment]  # azureml-core's

    def update(  # type: ignore[override]  # azureml-core's
        self,
        auth_enabled: bool | None = None,
        token_auth_enabled: bool | None = None,
        enable_app_insights: bool | None = None,
        description: str | None = None,
        tags: Pairs | None = None,
        properties: Pairs | None = None,
    ) -> None:
        """Change what is common to all versions. What is not given stays.

        Args:
            auth_enabled: whether requests need a key; switched on together with `token_auth_enabled=False`, if tokens
                are in use.
            token_auth_enabled: whether requests need a token; likewise.
            enable_app_insights: whether requests are logged.
            description: for people.
            tags: all tags, in place of the present ones.
            properties: new ones; those that are there cannot be changed.

        Raises:
            WebserviceException: nothing is given; or naming each parameter that is refused, its value and the limit.
        """
        self._patched(wire.update_patch(validate_endpoint_update(self, locals()), Patch.ENDPOINT))

    def create_version(
        self,
        version_name: str,
        autoscale_enabled: bool | None = None,
        autoscale_min_replicas: int | None = None,
        autoscale_max_replicas: int | None = None,
        autoscale_refresh_seconds: int | None = None,
        autoscale_target_utilization: int | None = None,
        collect_model_data: bool | None = None,
        cpu_cores: float | None = None,
        memory_gb: float | None = None,
        scoring_timeout_ms: int | None = None,
        replica_max_concurrent_requests: int | None = None,
        max_request_wait_time: int | None = None,
        num_replicas: int | None = None,
        tags: Pairs | None = None,
        properties: Pairs | None = None,
        description: str | None = None,
        models: Sequence[Model] | None = None,
        inference_config: InferenceConfig | None = None,
        gpu_cores: int | None = None,
        period_seconds: int | None = None,
        initial_delay_seconds: int | None = None,
        timeout_seconds: int | None = None,
        success_threshold: int | None = None,
        failure_threshold: int | None = None,
        traffic_percentile: float | None = None,
        is_default: bool | None = None,
        is_control_version_type: bool | None = None,
        cpu_cores_limit: float | None = None,
        memory_gb_limit: float | None = None,
    ) -> None:
        """Add a version. `AksServiceDeploymentConfiguration` says what each setting means, and its default.

        Args:
            version_name: of the version.
            autoscale_enabled: see there, as the rest.
            autoscale_min_replicas: see there.
            autoscale_max_replicas: see there.
            autoscale_refresh_seconds: see there.
            autoscale_target_utilization: see there.
            collect_model_data: see there.
            cpu_cores: see there.
            memory_gb: see there.
            scoring_timeout_ms: see there.
            replica_max_concurrent_requests: see there.
            max_request_wait_time: see there.
            num_replicas: see there.
            tags: see there.
            properties: see there.
            description: see there.
            models: registered ones; none.
            inference_config: the script; not needed for one model of a framework that brings one.
            gpu_cores: see there.
            period_seconds: see there.
            initial_delay_seconds: see there.
            timeout_seconds: see there.
            success_threshold: see there.
            failure_threshold: see there.
            traffic_percentile: share of the traffic, percent.
            is_default: whether it gets what the shares of the others leave; the present default does so no longer.
            is_control_version_type: whether it is the control of an experiment; all others are treatments then.
            cpu_cores_limit: see there.
            memory_gb_limit: see there.

        Raises:
            WebserviceException: naming each parameter that is refused, its value and the limit; or another operation is
                running (409).
        """
        given = validate_version_create(locals())
        self._patched(
            wire.version_added_patch(
                version_name,
                self.versions,
                given,
                compute_name=self.compute_name,
                environment_image_request=image_request(
                    self.workspace, version_name, models if models is not None else [], inference_config
                ),
            )
        )

    def update_version(
        self,
        version_name: str,
        autoscale_enabled: bool | None = None,
        autoscale_min_replicas: int | None = None,
        autoscale_max_replicas: int | None = None,
        autoscale_refresh_seconds: int | None = None,
        autoscale_target_utilization: int | None = None,
        collect_model_data: bool | None = None,
        cpu_cores: float | None = None,
        memory_gb: float | None = None,
        scoring_timeout_ms: int | None = None,
        replica_max_concurrent_requests: int | None = None,
        max_request_wait_time: int | None = None,
        num_replicas: int | None = None,
        tags: Pairs | None = None,
        properties: Pairs | None = None,
        description: str | None = None,
        models: Sequence[Model] | None = None,
        inference_config: InferenceConfig | None = None,
        gpu_cores: int | None = None,
        period_seconds: int | None = None,
        initial_delay_seconds: int | None = None,
        timeout_seconds: int | None = None,
        success_threshold: int | None = None,
        failure_threshold: int | None = None,
        traffic_percentile: float | None = None,
        is_default: bool | None = None,
        is_control_version_type: bool | None = None,
        cpu_cores_limit: float | None = None,
        memory_gb_limit: float | None = None,
    ) -> None:
        """Change a version. What is not given stays; `AksServiceDeploymentConfiguration` says what each means.

        What pods are made from (models, script, resources, probe, data collection) replaces the version's pods one by
        one; `wait_for_deployment` waits for that. All else needs no new pods and is allowed meanwhile; `wait_for_deployment`
        waits until it is in effect.

        Args:
            version_name: of the version.
            autoscale_enabled: see there, as the rest.
            autoscale_min_replicas: see there.
            autoscale_max_replicas: see there.
            autoscale_refresh_seconds: see there.
            autoscale_target_utilization: see there.
            collect_model_data: see there.
            cpu_cores: see there.
            memory_gb: see there.
            scoring_timeout_ms: see there.
            replica_max_concurrent_requests: see there.
            max_request_wait_time: see there.
            num_replicas: see there.
            tags: all tags, in place of the present ones.
            properties: new ones; those that are there cannot be changed.
            description: see there.
            models: in place of the present ones; with `inference_config`, unless their framework brings a script.
            inference_config: the script, in place of the present one.
            gpu_cores: see there.
            period_seconds: see there.
            initial_delay_seconds: see there.
            timeout_seconds: see there.
            success_threshold: see there.
            failure_threshold: see there.
            traffic_percentile: share of the traffic, percent.
            is_default: whether it gets what the shares of the others leave; the present default does so no longer.
            is_control_version_type: whether it is the control of an experiment; all others are treatments then.
            cpu_cores_limit: see there.
            memory_gb_limit: see there.

        Raises:
            WebserviceException: nothing is given; naming each parameter that is refused, its value and the limit; or
                another operation is running (409).
        """
        given = validate_version_update(self.versions, locals())
        if inference_config is not None or models is not None:
            deployed = models if models is not None else self.versions[version_name].models
            given = self._with_image(given, version_name, list(deployed))
        self._patched(wire.version_patch(version_name, self.versions, given))

    def delete_version(self, version_name: str) -> None:
        """Take a version away.

        Raises:
            WebserviceException: there is none of that name, or it is the default one.
        """
        if version_name not in self.versions:
            names = ", ".join(self.versions) or "it has none"
            raise WebserviceException(f"version_name: {version_name!r} is not a version of this endpoint: {names}")
        self._patched(wire.version_removed_patch(version_name))

    def serialize(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "name": self.name,
            "description": self.description,
            "tags": self.tags,
            "properties": self.properties,
            "state": self.state,
            "createdTime": iso(self.created_time),
            "updatedTime": iso(self.updated_time),
            "error": self.error,
            "computeName": self.compute_name,
            "computeType": self.compute_type,
            "workspaceName": self.workspace.name,
            "deploymentStatus": self.deployment_status,
            "scoringUri": self.scoring_uri,
            "authEnabled": self.auth_enabled,
            "aadAuthEnabled": self.token_auth_enabled,
            "appInsightsEnabled": self.enable_app_insights,
            "versions": {name: version.serialize() for name, version in self.versions.items()},
        }

    def _read(self, document: Json) -> None:
        require(document, self._keys, type(self).__name__)
        Webservice._read(self, document)  # noqa: SLF001 - an endpoint has no settings of its own
        self.versions = {
            name: AksWebservice._of(self.workspace, version, endpoint=self)  # noqa: SLF001 - of the class above
            for name, version in (document.get("versions") or {}).items()
        }
