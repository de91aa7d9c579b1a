"""What callers see of a service (wire §7.2, §7.2b, §12): record, life and replicas → document, with the defaults of wire §12."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from akstwin.clock import MILLISECOND, SECOND
from akstwin.cores.management.facts import OperationError
from akstwin.cores.management.life import ServiceLife, served
from akstwin.cores.management.records import ServiceRecord, VersionRecord
from akstwin.cores.management.settings import spec_of
from akstwin.domain.deployment import Autoscaled, VersionSettings
from akstwin.domain.documents import Json, has, iso_time
from akstwin.domain.forms import ENVIRONMENT, fitted
from akstwin.domain.lifecycles import ServiceState
from akstwin.domain.service_urls import service_path


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """How many replicas there are.

    Attributes:
        desired: asked for.
        updated: of the present template, available or not.
        available: ready, of whatever template.
    """

    desired: int = 0
    updated: int = 0
    available: int = 0


@dataclass(frozen=True, slots=True)
class DeploymentStatus:
    """The replicas of a service, by version."""

    versions: Mapping[str, VersionStatus] = field(default_factory=dict)

    @property
    def total(self) -> VersionStatus:
        """All versions together."""
        each = self.versions.values()
        return VersionStatus(
            sum(one.desired for one in each), sum(one.updated for one in each), sum(one.available for one in each)
        )


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a document shows beside the service itself.

    Attributes:
        epoch: Unix time of instant 0, s.
        scoring_base: URL that scoring URIs begin with.
        models: model documents by `name:version` (wire §5), all that the service names.
        operation: the id of the service's latest operation; None: it has had none, as one that was adopted.
    """

    epoch: float
    scoring_base: str
    models: Mapping[str, Json] = field(default_factory=dict)
    operation: str | None = None


def service_document(record: ServiceRecord, life: ServiceLife, status: DeploymentStatus, around: Surroundings) -> Json:
    """The document of a service: of an AksWebservice, or of an AksEndpoint with those of its versions."""
    settings = {version.name: version.settings for version in spec_of(record).versions}
    common = _common(record, life, around)
    own: Json = {
        "id": record.name,
        "name": record.name,
        "description": record.description,
        "kvTags": dict(record.tags),
        "properties": dict(record.properties),
        "computeType": record.compute_type,
        "deploymentStatus": _deployment_status(status.total, life),
        **_times(record, around),
    }
    if not record.endpoint:
        (version,) = record.versions
        return {**common, **own, **_runs(version, around), **_settings(version, settings[version.name])}
    versions: Json = {}
    for version in record.versions:
        versions[version.name] = {
            **common,
            "id": version.name,
            "name": version.name,
            "description": version.description,
            "kvTags": dict(version.tags),
            "properties": dict(version.properties),
            "computeType": "AKS",
            "deploymentStatus": _deployment_status(status.versions.get(version.name, VersionStatus()), life),
            **_times(version, around),
            **_runs(version, around),
            **_settings(version, settings[version.name]),
            "isDefault": version.name == record.default,
            "trafficPercentile": version.traffic,
            "type": "Control" if version.name == record.control else "Treatment",
        }
    return {**common, **own, "versions": versions}


def error_document(error: OperationError | None) -> Json | None:
    """Why an operation did not succeed, as the service words it (semantics §2.4, 5-7)."""
    if error is None:
        return None
    message, detail = _WORDING.get(error.code, (error.message, error.code))
    return {
        "code": error.code,
        "statusCode": error.status_code,
        "message": message,
        "details": [{"code": detail, "message": error.message}],
    }


def scorable(life: ServiceLife) -> bool:
    """Whether a service has its scoring URI: once an operation has brought pods up as far as it could.

    That is one that succeeded, or ran out of time after its image was there: what came of it may answer yet. While the
    first operation runs, or if it failed, there is none.
    """
    if not life.operations:
        return life.state is not ServiceState.TRANSITIONING
    return any(served(operation) for operation in life.operations)


def matches(
    record: ServiceRecord,
    *,
    compute_type: str | None = None,
    tags: Sequence[tuple[str, str | None]] = (),
    properties: Sequence[tuple[str, str | None]] = (),
    model_name: str | None = None,
    model_id: str | None = None,
    name: str | None = None,
) -> bool:
    """Whether a service is one that a list asks for (wire §7, 6); all that is given must hold.

    Args:
        record: the service.
        compute_type: in any case of letters.
        tags: keys, with a value where one is wanted.
        properties: likewise.
        model_name: of a deployed model.
        model_id: `name:version` of a deployed model.
        name: of the service.
    """
    names = {model.rpartition(":")[0] or model for model in record.model_ids}
    return (
        (compute_type is None or compute_type.upper() == record.compute_type)
        and name in (None, record.name)
        and has(record.tags, tags)
        and has(record.properties, properties)
        and (model_name is None or model_name in names)
        and (model_id is None or model_id in record.model_ids)
    )


_WORDING: Final = {
    "KubernetesError": ("Kubernetes Deployment Error", "Unschedulable"),
    "CrashLoopBackOff": ("Kubernetes Deployment failed", "CrashLoopBackOff"),
}
"""The message above the details, and the detail's code, where they are not the error's own."""


def _common(record: ServiceRecord, life: ServiceLife, around: Surroundings) -> Json:
    base = around.scoring_base.rstrip("/")
    return {
        "computeName": record.compute_name,
        "appInsightsEnabled": record.app_insights,
        "authEnabled": record.auth == "key",
        "aadAuthEnabled": record.auth == "token",
        "namespace": record.namespace,
        "state": life.state.value,
        "error": error_document(life.error),
        "scoringUri": f"{base}{service_path(record.name)}/score" if scorable(life) else None,
        "operationId": around.operation,
        "deploymentType": "HttpRealtimeEndpoint",
    }


def _times(record: ServiceRecord | VersionRecord, around: Surroundings) -> Json:
    """`updatedTime` is that of the creation until something is changed: the SDK fails on null there."""
    updated = record.created if record.updated is None else record.updated
    return {"createdTime": iso_time(around.epoch, record.created), "updatedTime": iso_time(around.epoch, updated)}


def _deployment_status(replicas: VersionStatus, life: ServiceLife) -> Json:
    return {
        "desiredReplicas": replicas.desired,
        "updatedReplicas": replicas.updated,
        "availableReplicas": replicas.available,
        "error": error_document(life.error),
    }


def _runs(version: VersionRecord, around: Surroundings) -> Json:
    """The SDK reads the tags of embedded models from `tags`."""
    models = [around.models[model] for model in version.model_ids]
    return {
        "environmentImageRequest": _request(version),
        "models": [{**model, "tags": dict(model["kvTags"])} for model in models],
    }


def _request(version: VersionRecord) -> Json | None:
    """What was asked for, its environment in the form that clients read: one that says something has a name."""
    request = version.request
    if not request or not isinstance(request.get("environment"), Mapping):
        return request
    environment = fitted(ENVIRONMENT, request["environment"], "", None)
    if environment.keys() - {"name", "version"} and not isinstance(environment.get("name"), str):
        environment["name"] = version.name
    return {**request, "environment": environment}


def _settings(version: VersionRecord, settings: VersionSettings) -> Json:
    given = version.settings
    asked, probe, scaling = given["containerResourceRequirements"], settings.liveness, settings.scaling
    autoscaled = isinstance(scaling, Autoscaled)
    document: Json = {
        "numReplicas": None if isinstance(scaling, Autoscaled) else scaling.replicas,
        "maxConcurrentRequestsPerContainer": settings.route.slots,
        "maxQueueWaitMs": settings.route.max_wait // MILLISECOND,
        "scoringTimeoutMs": settings.route.scoring_timeout // MILLISECOND,
        "autoScaler": {
            "autoscaleEnabled": autoscaled,
            "minReplicas": scaling.minimum if isinstance(scaling, Autoscaled) else None,
            "maxReplicas": scaling.maximum if isinstance(scaling, Autoscaled) else None,
            "refreshPeriodInSeconds": scaling.refresh // SECOND if isinstance(scaling, Autoscaled) else None,
            "targetUtilization": scaling.target_percent if isinstance(scaling, Autoscaled) else None,
        },
        "containerResourceRequirements": {
            "cpu": settings.request.cpu / 1000 if asked["cpu"] is None else asked["cpu"],
            "cpuLimit": asked["cpuLimit"],
            "memoryInGB": settings.request.memory / 1000 if asked["memoryInGB"] is None else asked["memoryInGB"],
            "memoryInGBLimit": asked["memoryInGBLimit"],
            "gpu": settings.request.gpu,
        },
        "dataCollection": {
            "storageEnabled": settings.collects_data,
            "eventHubEnabled": bool(given["dataCollection"]["eventHubEnabled"]),
        },
        "livenessProbeRequirements": {
            "periodSeconds": probe.period // SECOND,
            "initialDelaySeconds": probe.initial_delay // SECOND,
            "timeoutSeconds": probe.timeout // SECOND,
            # Stored as given, applied as 1 (semantics §6.6).
            "successThreshold": given["livenessProbeRequirements"]["successThreshold"] or probe.success_threshold,
            "failureThreshold": probe.failure_threshold,
        },
    }
    if given["storageInitEnabled"] is not None:
        document["storageInitEnabled"] = given["storageInitEnabled"]
    return document
