"""The SDK's parameters, their kinds, and their places on the wire, in one table (wire §7.3-§7.6).

`validation` reads the kinds, `wire` builds create payloads and JSON patches from it, and the documentation shows it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

Arguments = Mapping[str, Any]
"""Values by the SDK's parameter names."""


class Kind(Enum):
    """What a value is, in words that end "is not …"."""

    FLAG = "True or False"
    COUNT = "a whole number"
    AMOUNT = "a finite number"
    TEXT = "text"
    SECRET = "text, or is empty"  # noqa: S105  (a word, not a key)
    PAIRS = "a dictionary from text to text, numbers or booleans"
    MODELS = "a list of models"
    OBJECT = "an object"


class Sent(Enum):
    """When a value stands in a create payload."""

    NEVER = 0
    ALWAYS = 1
    """Null where it is not given."""
    GIVEN = 2
    TRUE = 3
    """Only if it is True."""
    WITH_AUTOSCALER = 4
    """If `autoscale_enabled` is given."""


class Patch(Enum):
    """What can be patched."""

    SERVICE = "service"
    ENDPOINT = "endpoint"
    VERSION = "version"


@dataclass(frozen=True, slots=True)
class Setting:
    """One parameter of the SDK and its place on the wire.

    Attributes:
        name: the SDK's parameter.
        path: keys from the service's object down, joined by `/`.
        kind: what it is.
        create: when it stands in a service's, and a version's, create payload.
        endpoint: when it stands in an endpoint's own create payload.
        patch: what it can change.
        negated: whether the wire has the opposite of the SDK's flag.
    """

    name: str
    path: str
    kind: Kind
    create: Sent = Sent.ALWAYS
    endpoint: Sent = Sent.NEVER
    patch: tuple[Patch, ...] = (Patch.SERVICE, Patch.VERSION)
    negated: bool = False


_EVERYWHERE: Final = (Patch.SERVICE, Patch.ENDPOINT, Patch.VERSION)
_NOT_IN_A_VERSION: Final = (Patch.SERVICE, Patch.ENDPOINT)

SETTINGS: Final = (
    Setting("environment_image_request", "environmentImageRequest", Kind.OBJECT),
    Setting("autoscale_enabled", "autoScaler/autoscaleEnabled", Kind.FLAG, Sent.WITH_AUTOSCALER),
    Setting("autoscale_min_replicas", "autoScaler/minReplicas", Kind.COUNT, Sent.WITH_AUTOSCALER),
    Setting("autoscale_max_replicas", "autoScaler/maxReplicas", Kind.COUNT, Sent.WITH_AUTOSCALER),
    Setting("autoscale_refresh_seconds", "autoScaler/refreshPeriodInSeconds", Kind.COUNT, Sent.WITH_AUTOSCALER),
    Setting("autoscale_target_utilization", "autoScaler/targetUtilization", Kind.COUNT, Sent.WITH_AUTOSCALER),
    Setting("collect_model_data", "dataCollection/storageEnabled", Kind.FLAG, Sent.TRUE),
    Setting("auth_enabled", "authEnabled", Kind.FLAG, Sent.GIVEN, Sent.GIVEN, _NOT_IN_A_VERSION),
    Setting("token_auth_enabled", "aadAuthEnabled", Kind.FLAG, Sent.GIVEN, Sent.GIVEN, _NOT_IN_A_VERSION),
    Setting("cpu_cores", "containerResourceRequirements/cpu", Kind.AMOUNT),
    Setting("cpu_cores_limit", "containerResourceRequirements/cpuLimit", Kind.AMOUNT),
    Setting("memory_gb", "containerResourceRequirements/memoryInGB", Kind.AMOUNT),
    Setting("memory_gb_limit", "containerResourceRequirements/memoryInGBLimit", Kind.AMOUNT),
    Setting("gpu_cores", "containerResourceRequirements/gpu", Kind.COUNT),
    Setting("enable_app_insights", "appInsightsEnabled", Kind.FLAG, Sent.GIVEN, Sent.GIVEN, _NOT_IN_A_VERSION),
    Setting("scoring_timeout_ms", "scoringTimeoutMs", Kind.COUNT),
    Setting("replica_max_concurrent_requests", "maxConcurrentRequestsPerContainer", Kind.COUNT),
    Setting("max_request_wait_time", "maxQueueWaitMs", Kind.COUNT),
    Setting("num_replicas", "numReplicas", Kind.COUNT),
    Setting("period_seconds", "livenessProbeRequirements/periodSeconds", Kind.COUNT),
    Setting("initial_delay_seconds", "livenessProbeRequirements/initialDelaySeconds", Kind.COUNT),
    Setting("timeout_seconds", "livenessProbeRequirements/timeoutSeconds", Kind.COUNT),
    Setting("success_threshold", "livenessProbeRequirements/successThreshold", Kind.COUNT),
    Setting("failure_threshold", "livenessProbeRequirements/failureThreshold", Kind.COUNT),
    Setting("namespace", "namespace", Kind.TEXT, endpoint=Sent.GIVEN, patch=(Patch.SERVICE,)),
    Setting("traffic_percentile", "trafficPercentile", Kind.AMOUNT, Sent.NEVER, patch=(Patch.VERSION,)),
    Setting("tags", "kvTags", Kind.PAIRS, endpoint=Sent.ALWAYS, patch=_EVERYWHERE),
    Setting("properties", "properties", Kind.PAIRS, endpoint=Sent.ALWAYS, patch=_EVERYWHERE),
    Setting("description", "description", Kind.TEXT, endpoint=Sent.ALWAYS, patch=_EVERYWHERE),
    Setting("primary_key", "keys/primaryKey", Kind.SECRET, endpoint=Sent.ALWAYS, patch=()),
    Setting("secondary_key", "keys/secondaryKey", Kind.SECRET, endpoint=Sent.ALWAYS, patch=()),
    Setting("blobfuse_enabled", "storageInitEnabled", Kind.FLAG, Sent.GIVEN, patch=(), negated=True),
)
"""Every parameter whose value goes to the wire as it is (wire §7.3, §7.5, §7.6)."""

BESIDE_THE_TABLE: Final = {
    "compute_target_name": Kind.TEXT,
    "image": Kind.OBJECT,
    "inference_config": Kind.OBJECT,
    "is_control_version_type": Kind.FLAG,
    "is_default": Kind.FLAG,
    "location": Kind.TEXT,
    "models": Kind.MODELS,
    "version_name": Kind.TEXT,
}
"""Parameters that name something, or become something else on the wire: models and scripts an image request."""

KINDS: Final = {**{setting.name: setting.kind for setting in SETTINGS}, **BESIDE_THE_TABLE}
