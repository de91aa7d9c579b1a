"""What a create payload asks for (wire §7.3, §7.4): payload → record.

The objects of a version carry copies of what belongs to the endpoint (keys, auth, namespace, …): equal ones or null are
taken, others refused, since they could not act.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

from akstwin.clock import Micros
from akstwin.cores.management.records import Auth, ComputeType, ServiceRecord, VersionRecord
from akstwin.cores.management.settings import (
    EVENT_HUB,
    VERSION_SETTINGS,
    ServiceLimits,
    by_name,
    check_capacity,
    checked,
    read_settings,
    spec_of,
)
from akstwin.domain.deployment import MOST_MODELS, check_name
from akstwin.domain.documents import Json, as_json, check_keys, text_pairs
from akstwin.domain.forms import ENVIRONMENT, fitted, refuse
from akstwin.errors import Conflict, InvalidSetting

Role = Literal["Control", "Treatment"]

SETTING_KEYS: Final = frozenset(
    setting.path.split("/", maxsplit=1)[0] for setting in (*VERSION_SETTINGS, EVENT_HUB)
)  # fmt: skip
"""First keys of all that `VersionRecord.settings` holds."""
_COMMON: Final = frozenset(
    {"name", "description", "kvTags", "properties", "computeType", "computeName", "location", "keys", "namespace",
     "authEnabled", "aadAuthEnabled", "appInsightsEnabled", "imageId"}
)  # fmt: skip
_SERVICE: Final = _COMMON | SETTING_KEYS | {"environmentImageRequest", "overwrite"}
_ENDPOINT: Final = _COMMON | {"versions", "tags", "overwrite"}
VERSION_KEYS: Final = _COMMON | SETTING_KEYS | {"environmentImageRequest", "trafficPercentile", "isDefault", "type"}
"""What the object of a version may have."""


def create(payload: Json, before: ServiceRecord | None, now: Micros, limits: ServiceLimits) -> ServiceRecord:
    """The record of a service that is created, or overwritten with `overwrite: true`.

    An overwrite keeps the keys that it does not give, the time of creation, the type and the compute target.

    Args:
        payload: as the SDK sends it.
        before: the service that has the name now.
        now: the present.
        limits: what no service may exceed.

    Raises:
        InvalidSetting: a value is refused, by its path or the SDK's parameter.
        Conflict: the name is taken.
    """
    if not isinstance(payload, Mapping):
        raise InvalidSetting("payload", payload, "an object")
    compute_type = _compute_type(payload)
    endpoint = compute_type == "AKSENDPOINT"
    check_keys("", payload, _ENDPOINT if endpoint else _SERVICE)
    name = _name("name", payload.get("name"))
    overwrite = payload.get("overwrite")
    if overwrite is not None and not isinstance(overwrite, bool):
        raise InvalidSetting("overwrite", overwrite, "true or false")
    record = _record(name, compute_type, payload, now)
    record = record.model_copy(update=_endpoint_versions(payload, record, now, limits.versions) if endpoint else {})
    if before is not None:
        if not overwrite:
            raise Conflict(f"service {name} exists; overwrite replaces it")
        record = _overwriting(record, before, now)
    spec_of(record)
    check_capacity(record, limits)
    return record


def read_version(
    name: str, payload: object, service: ServiceRecord, now: Micros
) -> tuple[VersionRecord, bool | None, Role | None]:
    """A version from its object in a payload or a patch, with its claims: whether it is the default, and its type.

    Raises:
        InvalidSetting: a value is refused.
    """
    where = f"versions.{name}"
    check_name(where, name)
    if not isinstance(payload, Mapping):
        raise InvalidSetting(where, payload, "an object")
    check_keys(where, payload, VERSION_KEYS)
    _check_copies(where, payload, service)
    if payload.get("name") not in (None, name):
        raise InvalidSetting(f"{where}.name", payload["name"], f"{name}, as its key says")
    version = VersionRecord(
        name=name,
        settings=read_settings(payload, where),
        request=read_request(payload.get("environmentImageRequest"), where),
        traffic=checked(by_name("traffic_percentile"), payload.get("trafficPercentile"), where),
        description=checked(by_name("description"), payload.get("description"), where),
        tags=text_pairs(f"{where}.tags", payload.get("kvTags")),
        properties=text_pairs(f"{where}.properties", payload.get("properties")),
        created=now,
    )
    return version, read_default(payload.get("isDefault"), where), read_role(payload.get("type"), where)


def read_request(value: Any, where: str = "") -> Json | None:
    """An `environmentImageRequest`; what it has beside models, assets and environment is kept as it is.

    Raises:
        InvalidSetting: a part that is read is of another form.
    """
    path = f"{where}.environmentImageRequest" if where else "environmentImageRequest"
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise InvalidSetting(path, value, "an object")
    models, assets, environment = value.get("modelIds"), value.get("assets"), value.get("environment")
    if models is not None and not (isinstance(models, list) and all(isinstance(model, str) for model in models)):
        raise InvalidSetting(f"{path}.modelIds", models, "a list of model ids, name:version each")
    if models is not None and len(models) > MOST_MODELS:
        raise InvalidSetting(f"{path}.modelIds", f"{len(models)} models", f"at most {MOST_MODELS}")
    if assets is not None and not (isinstance(assets, list) and all(_is_asset(asset) for asset in assets)):
        raise InvalidSetting(f"{path}.assets", assets, "a list of objects with the url of an uploaded file each")
    if environment is not None and not isinstance(environment, Mapping):
        raise InvalidSetting(f"{path}.environment", environment, "an object")
    fitted(ENVIRONMENT, environment or {}, f"{path}.environment", refuse)
    request: Json = as_json(path, dict(value))
    return request


def read_auth(keys: object, token: object) -> Auth:
    """Which of the two ways in is on: keys, if nothing is said (wire §12).

    Raises:
        InvalidSetting: both are.
    """
    by_key = checked(by_name("auth_enabled"), keys)
    by_token = checked(by_name("token_auth_enabled"), token)
    if by_key and by_token:
        raise InvalidSetting("token_auth_enabled", True, "possible together with auth_enabled: one or the other")
    if by_token:
        return "token"
    return "none" if by_key is False else "key"


def read_default(value: object, where: str) -> bool | None:
    """What a version says of being the default; None: nothing."""
    if value is not None and not isinstance(value, bool):
        raise InvalidSetting(f"{where}.isDefault", value, "true or false")
    return value


def read_role(value: Any, where: str) -> Role | None:
    """What a version says of being the control version; None: nothing."""
    if value is not None and value not in get_args(Role):
        raise InvalidSetting(f"{where}.type", value, "Control or Treatment")
    role: Role | None = value
    return role


def _compute_type(payload: Mapping[str, Any]) -> ComputeType:
    value: Any = payload.get("computeType")
    if value not in get_args(ComputeType):
        raise InvalidSetting("computeType", value, "AKS or AKSENDPOINT")
    compute_type: ComputeType = value
    return compute_type


def _name(setting: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidSetting(setting, value, "text")
    check_name(setting, value)
    return value


def _record(name: str, compute_type: ComputeType, payload: Json, now: Micros) -> ServiceRecord:
    """The service's own part, and its one version if it is no endpoint."""
    compute_name = payload.get("computeName")
    if not isinstance(compute_name, str):
        raise InvalidSetting("computeName", compute_name, "the name of a compute target")
    keys = payload.get("keys") or {}
    if not isinstance(keys, Mapping):
        raise InvalidSetting("keys", keys, "an object")
    check_keys("keys", keys, ("primaryKey", "secondaryKey"))
    if payload.get("imageId") is not None:
        raise InvalidSetting("imageId", payload["imageId"], "offered: give an environmentImageRequest")
    if payload.get("tags") is not None:
        raise InvalidSetting("tags", payload["tags"], "read: the tags of an endpoint are its kvTags")
    location = payload.get("location")
    if location is not None and not isinstance(location, str):
        raise InvalidSetting("location", location, "text")
    endpoint = compute_type == "AKSENDPOINT"
    version = VersionRecord(
        name=name,
        settings=read_settings({} if endpoint else payload),
        request=None if endpoint else read_request(payload.get("environmentImageRequest")),
        created=now,
    )
    return ServiceRecord(
        name=name,
        compute_type=compute_type,
        compute_name=compute_name,
        description=checked(by_name("description"), payload.get("description")),
        tags=text_pairs("tags", payload.get("kvTags")),
        properties=text_pairs("properties", payload.get("properties")),
        namespace=checked(by_name("namespace"), payload.get("namespace")),
        app_insights=bool(checked(by_name("enable_app_insights"), payload.get("appInsightsEnabled"))),
        auth=read_auth(payload.get("authEnabled"), payload.get("aadAuthEnabled")),
        primary=checked(by_name("primary_key"), keys.get("primaryKey")),
        secondary=checked(by_name("secondary_key"), keys.get("secondaryKey")),
        versions=(version,),
        default=name,
        control=name,
        created=now,
    )


def _endpoint_versions(payload: Json, service: ServiceRecord, now: Micros, most: int) -> Json:
    """The fields that the versions of an endpoint come to: the first is default and control if none says so."""
    given = payload.get("versions")
    if not isinstance(given, Mapping) or not given:
        raise InvalidSetting("versions", given, "an object with the endpoint's first version")
    if len(given) > most:
        raise InvalidSetting("versions", len(given), f"at most {most} versions")
    read = [read_version(name, version, service, now) for name, version in given.items()]
    names = [version.name for version, _, _ in read]
    defaults = [version.name for version, default, _ in read if default]
    controls = [version.name for version, _, role in read if role == "Control"]
    for setting, claims in (("isDefault", defaults), ("type", controls)):
        if len(claims) > 1:
            raise InvalidSetting(f"versions.*.{setting}", " and ".join(claims), "so for one version only")
    return {
        "versions": tuple(version for version, _, _ in read),
        "default": (defaults or names)[0],
        "control": (controls or names)[0],
    }


def _check_copies(where: str, payload: Mapping[str, Any], service: ServiceRecord) -> None:
    """A version says nothing of its own about what is the endpoint's."""
    if payload.get("computeType") not in (None, *get_args(ComputeType)):
        raise InvalidSetting(f"{where}.computeType", payload["computeType"], "AKS or AKSENDPOINT")
    keys = payload.get("keys") or {}
    if not isinstance(keys, Mapping):
        raise InvalidSetting(f"{where}.keys", keys, "an object")
    check_keys(f"{where}.keys", keys, ("primaryKey", "secondaryKey"))
    given_auth = (payload.get("authEnabled"), payload.get("aadAuthEnabled"))
    copies = {
        "computeName": (payload.get("computeName"), service.compute_name),
        "namespace": (payload.get("namespace"), service.namespace),
        "appInsightsEnabled": (payload.get("appInsightsEnabled"), service.app_insights),
        "authEnabled": (given_auth[0], service.auth == "key"),
        "aadAuthEnabled": (given_auth[1], service.auth == "token"),
        "keys.primaryKey": (keys.get("primaryKey") or None, service.primary or None),
        "keys.secondaryKey": (keys.get("secondaryKey") or None, service.secondary or None),
        "imageId": (payload.get("imageId"), None),
    }
    for key, (given, of_the_endpoint) in copies.items():
        if given is not None and given != of_the_endpoint:
            raise InvalidSetting(f"{where}.{key}", given, "what the endpoint has: all its versions share it")


def _overwriting(record: ServiceRecord, before: ServiceRecord, now: Micros) -> ServiceRecord:
    if record.compute_type != before.compute_type:
        raise InvalidSetting(
            "computeType", record.compute_type, f"{before.compute_type}, as that of the service there is"
        )
    if record.compute_name != before.compute_name:
        raise InvalidSetting("computeName", record.compute_name, f"{before.compute_name}: an overwrite stays there")
    return record.model_copy(
        update={
            "primary": record.primary or before.primary,
            "secondary": record.secondary or before.secondary,
            "token_secret": before.token_secret,
            "incarnation": before.incarnation + 1,
            "created": before.created,
            "updated": now,
        }
    )


def _is_asset(value: object) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("url"), str)
