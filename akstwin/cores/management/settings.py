"""A version's settings between the wire, the record and the domain: `domain.settings` read in both directions."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from akstwin.cores.management.records import ServiceRecord, VersionRecord
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.cluster import most_pods
from akstwin.domain.deployment import DeployArguments, check_replicas
from akstwin.domain.documents import Json, check_keys, likeness, text_pairs
from akstwin.domain.service import Code, ServiceSpec, VersionSpec
from akstwin.domain.settings import SETTINGS, Kind, Setting
from akstwin.errors import InvalidSetting

OF_THE_SERVICE: Final = ("auth_enabled", "token_auth_enabled", "enable_app_insights", "namespace")
"""Settings that all versions have in common."""
_ELSEWHERE: Final = (
    *OF_THE_SERVICE, "environment_image_request", "traffic_percentile", "tags", "properties", "description",
    "primary_key", "secondary_key",
)  # fmt: skip
VERSION_SETTINGS: Final = tuple(setting for setting in SETTINGS if setting.name not in _ELSEWHERE)
"""Settings that stand in `VersionRecord.settings`."""
EVENT_HUB: Final = Setting("event_hub", "dataCollection/eventHubEnabled", Kind.FLAG)
"""Sent with `collect_model_data`, kept and shown; no parameter sets it."""

AUTOSCALE_ENABLED: Final = ("autoScaler", "autoscaleEnabled")
NUM_REPLICAS: Final = ("numReplicas",)


@dataclass(frozen=True, slots=True)
class ServiceLimits:
    """What no service may exceed, whichever cluster it is on.

    Attributes:
        versions: of an endpoint.
        replicas: that a version may insist on: the pods of the largest cluster.
    """

    versions: int
    replicas: int

    @classmethod
    def of(cls, assumptions: Assumptions) -> Self:
        """The limits as they are assumed."""
        return cls(assumptions.versions_per_endpoint, most_pods(assumptions))


def blank_settings() -> Json:
    """The settings of a version that was given none."""
    return read_settings({})


def read_settings(given: Mapping[str, Any], where: str = "") -> Json:
    """The settings that stand in a payload or in a patched document, null where there are none.

    Args:
        given: wire keys; others than a version's settings are not looked at.
        where: prefix of a setting's name in errors.

    Raises:
        InvalidSetting: a value is of the wrong kind, or an object has a key that is not known.
    """
    settings: Json = {}
    objects: dict[str, set[str]] = {}
    for setting in (*VERSION_SETTINGS, EVENT_HUB):
        *above, key = setting.path.split("/")
        source, target = given, settings
        for name in above:
            inner = given.get(name)
            if inner is not None and not isinstance(inner, Mapping):
                raise InvalidSetting(_path(where, name), inner, "an object")
            source, target = inner or {}, settings.setdefault(name, {})
            objects.setdefault(name, set()).add(key)
        target[key] = checked(setting, source.get(key), where)
    for name, known in objects.items():
        check_keys(_path(where, name), given.get(name) or {}, known)
    return settings


def checked(setting: Setting, value: Any, where: str = "") -> Any:
    """A value of a setting; None: not given.

    Raises:
        InvalidSetting: naming the SDK's parameter, as the value is of another kind.
    """
    if value is None:
        return None
    name = _path(where, setting.name)
    if setting.kind is Kind.PAIRS:
        return text_pairs(name, value)
    if not _KINDS[setting.kind](value):
        raise InvalidSetting(name, value, setting.kind.value)
    return (value or None) if setting.kind is Kind.SECRET else value


def by_name(name: str) -> Setting:
    """The table's row for a parameter of the SDK."""
    return _BY_NAME[name]


def arguments_of(version: VersionRecord, service: ServiceRecord) -> DeployArguments:
    """The SDK's arguments that a version was asked for with."""
    given: dict[str, Any] = {}
    for setting in VERSION_SETTINGS:
        value: Any = version.settings
        for key in setting.path.split("/"):
            value = value[key]
        if value is not None and setting.name in DeployArguments.model_fields:
            given[setting.name] = not value if setting.negated else value
    return DeployArguments(
        **given,
        namespace=service.namespace,
        traffic_percentile=version.traffic,
        is_default=version.name == service.default,
        is_control_version_type=version.name == service.control,
    )


def spec_of(record: ServiceRecord) -> ServiceSpec:
    """The service that a record asks for.

    Raises:
        InvalidSetting: a version's settings, or all shares together, are refused (semantics §2.1, §1.5).
    """
    versions = []
    for version in record.versions:
        try:
            versions.append(VersionSpec(version.name, arguments_of(version, record), code=code_of(version, record)))
        except InvalidSetting as refused:
            if not record.endpoint:
                raise
            raise refused.under(f"versions.{version.name}") from None
    spec = ServiceSpec(record.name, tuple(versions))
    spec.split  # noqa: B018 - refuses shares that are too large
    return spec


def check_capacity(record: ServiceRecord, limits: ServiceLimits) -> None:
    """Refuse versions that insist on more replicas than the largest cluster holds.

    Raises:
        InvalidSetting: naming the SDK's parameter, and of an endpoint the version.
    """
    for version in record.versions:
        try:
            check_replicas(arguments_of(version, record), limits.replicas)
        except InvalidSetting as refused:
            if not record.endpoint:
                raise
            raise refused.under(f"versions.{version.name}") from None


def code_of(version: VersionRecord, service: ServiceRecord) -> Code:
    """What a version runs: one image for equal environments; other content for another script, model or overwrite."""
    content = likeness(version.request)
    return Code(image_of(version.environment), f"{service.incarnation}-{content}")


def image_of(environment: Any) -> str:
    """The image that an environment makes: base image, Docker steps, packages (semantics §2.4, 3).

    A reference, `{name, version}` alone, stands for itself. Variables, names and run options make no other image.
    """
    if not isinstance(environment, Mapping):
        return likeness(None)
    parts = {key: environment[key] for key in _IMAGE_PARTS if environment.get(key)}
    docker = parts.get("docker")
    if isinstance(docker, Mapping):
        parts["docker"] = {key: value for key, value in docker.items() if key not in _RUN_OPTIONS}
    return likeness(parts or {key: environment.get(key) for key in ("name", "version")})


_IMAGE_PARTS: Final = ("docker", "python", "r", "spark", "inferencingStackVersion")
_RUN_OPTIONS: Final = ("enabled", "sharedVolumes", "shmSize", "arguments")
_BY_NAME: Final = {setting.name: setting for setting in SETTINGS}


def _finite(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


_KINDS: Final[dict[Kind, Callable[[Any], bool]]] = {
    Kind.FLAG: lambda value: isinstance(value, bool),
    Kind.COUNT: lambda value: isinstance(value, int) and not isinstance(value, bool),
    Kind.AMOUNT: _finite,
    Kind.TEXT: lambda value: isinstance(value, str),
    Kind.SECRET: lambda value: isinstance(value, str),
    Kind.OBJECT: lambda value: isinstance(value, Mapping),
}


def _path(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
