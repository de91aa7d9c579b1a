"""What the SDK sends, built from the one table: create payloads and JSON patches (wire §7.3-§7.6).

Nothing is checked here (`validation` has done that) and nothing is sent. Arguments are mappings of the SDK's parameter
names, None meaning "not given"; a name that the table does not know is a mistake of ours and a KeyError.
"""

from collections.abc import Iterable
from typing import Any, Final

from akstwin.domain.settings import BESIDE_THE_TABLE, SETTINGS, Arguments, Kind, Patch, Sent, Setting

Json = dict[str, Any]

SERVICE_TYPE: Final = "AKS"
ENDPOINT_TYPE: Final = "AKSENDPOINT"
CONTROL: Final = "Control"
TREATMENT: Final = "Treatment"
_VERSIONS_OWN_NAMES: Final = {"kvTags": "tags"}
"""What a patch of a version calls differently from its payload (wire §7.6)."""


def service_payload(
    arguments: Arguments,
    *,
    name: str,
    compute_name: str | None,
    environment_image_request: Json | None,
    compute_type: str = SERVICE_TYPE,
    overwrite: bool = False,
) -> Json:
    """The body that creates a service (wire §7.3).

    Args:
        arguments: the configuration's.
        name: of the service.
        compute_name: of the compute target.
        environment_image_request: models, script and environment.
        compute_type: another one inside an endpoint.
        overwrite: whether a service of that name is replaced.
    """
    payload: Json = {
        "name": name,
        "computeType": compute_type,
        "computeName": compute_name,
        "location": arguments.get("location"),
        **({"overwrite": True} if overwrite else {}),
    }
    given = {**arguments, "environment_image_request": environment_image_request}
    autoscaler = arguments.get("autoscale_enabled") is not None
    for setting in SETTINGS:
        _place(payload, setting, setting.create, given.get(setting.name), autoscaler=autoscaler)
    if "dataCollection" in payload:
        payload["dataCollection"]["eventHubEnabled"] = False
    return payload


def endpoint_payload(
    arguments: Arguments,
    *,
    name: str,
    compute_name: str | None,
    environment_image_request: Json | None,
    overwrite: bool = False,
) -> Json:
    """The body that creates an endpoint with its first version (wire §7.4).

    The version is called `version_name`, or as the endpoint.

    Args:
        arguments: the configuration's.
        name: of the endpoint.
        compute_name: of the compute target.
        environment_image_request: models, script and environment of the version.
        overwrite: whether a service of that name is replaced.
    """
    version_name = name if arguments.get("version_name") is None else arguments["version_name"]
    version = service_payload(
        arguments,
        name=version_name,
        compute_name=None,
        environment_image_request=environment_image_request,
        compute_type=ENDPOINT_TYPE,
    )
    payload: Json = {
        "name": name,
        "computeType": ENDPOINT_TYPE,
        "computeName": compute_name,
        "tags": None,
        **({"overwrite": True} if overwrite else {}),
        "versions": {version_name: {**version, "trafficPercentile": arguments.get("traffic_percentile")}},
    }
    for setting in SETTINGS:
        _place(payload, setting, setting.endpoint, arguments.get(setting.name))
    return payload


def update_patch(arguments: Arguments, patch: Patch = Patch.SERVICE) -> list[Json]:
    """The operations by which an update changes a service, or an endpoint itself (wire §7.5).

    Args:
        arguments: of `update`, with `environment_image_request` made from its models and script.
        patch: which of the two.

    Raises:
        KeyError: a name that no update takes.
    """
    return list(_operations(arguments, patch, ""))


def version_patch(version_name: str, versions: Iterable[str], arguments: Arguments) -> list[Json]:
    """The operations by which `update_version` changes a version (wire §7.6).

    Args:
        version_name: of the version.
        versions: names of all versions of the endpoint.
        arguments: of `update_version`, with `environment_image_request` made from its models and script.

    Raises:
        KeyError: a name that no update takes.
    """
    roles = _roles(version_name, versions, arguments, itself=True)
    return [*roles, *_operations(arguments, Patch.VERSION, f"/versions/{version_name}")]


def version_added_patch(
    version_name: str,
    versions: Iterable[str],
    arguments: Arguments,
    *,
    compute_name: str | None,
    environment_image_request: Json | None,
) -> list[Json]:
    """The operations by which `create_version` adds a version (wire §7.6).

    Args:
        version_name: of the new version.
        versions: names of the versions that there are.
        arguments: of `create_version`.
        compute_name: the endpoint's compute target.
        environment_image_request: models, script and environment.
    """
    value = service_payload(
        arguments, name=version_name, compute_name=compute_name, environment_image_request=environment_image_request
    )
    if arguments.get("traffic_percentile") is not None:
        value["trafficPercentile"] = arguments["traffic_percentile"]
    if arguments.get("is_default") is not None:
        value["isDefault"] = arguments["is_default"]
    if arguments.get("is_control_version_type") is not None:
        value["type"] = CONTROL if arguments["is_control_version_type"] else TREATMENT
    roles = _roles(version_name, versions, arguments, itself=False)
    return [*roles, {"op": "add", "path": f"/versions/{version_name}", "value": value}]


def version_removed_patch(version_name: str) -> list[Json]:
    """The operation by which `delete_version` takes a version away (wire §7.6)."""
    return [{"op": "remove", "path": f"/versions/{version_name}"}]


def _place(payload: Json, setting: Setting, when: Sent, value: Any, *, autoscaler: bool = False) -> None:
    """Put a value where it belongs in a create payload, if it belongs there."""
    wanted = {
        Sent.NEVER: False,
        Sent.ALWAYS: True,
        Sent.GIVEN: value is not None,
        Sent.TRUE: bool(value),
        Sent.WITH_AUTOSCALER: autoscaler,
    }[when]
    if not wanted:
        return
    *parents, key = setting.path.split("/")
    target = payload
    for parent in parents:
        target = target.setdefault(parent, {})
    target[key] = _encoded(setting, value)


def _encoded(setting: Setting, value: Any) -> Any:
    if setting.name == "properties":
        return dict(value or {})
    if setting.negated:
        return not value
    if setting.kind is Kind.PAIRS and value is not None:
        return dict(value)
    return value


def _operations(arguments: Arguments, patch: Patch, below: str) -> Iterable[Json]:
    unknown = set(arguments) - {setting.name for setting in SETTINGS if patch in setting.patch} - set(BESIDE_THE_TABLE)
    if unknown:
        raise KeyError(*sorted(unknown))
    for setting in SETTINGS:
        value: Any = arguments.get(setting.name)
        if patch not in setting.patch or value is None:
            continue
        if setting.name == "properties":
            for key in value:
                pointer = str(key).replace("~", "~0").replace("/", "~1")
                yield {"op": "add", "path": f"{below}/properties/{pointer}", "value": value[key]}
            continue
        path = _VERSIONS_OWN_NAMES.get(setting.path, setting.path) if patch is Patch.VERSION else setting.path
        yield {"op": "replace", "path": f"{below}/{path}", "value": _encoded(setting, value)}


def _roles(version_name: str, versions: Iterable[str], arguments: Arguments, *, itself: bool) -> Iterable[Json]:
    """One version is the default and one the control: setting either on a version clears it on the others."""
    for name in versions:
        own = name == version_name
        if own and not itself:
            continue
        default, control = arguments.get("is_default"), arguments.get("is_control_version_type")
        if default or (own and default is False):
            yield {"op": "replace", "path": f"/versions/{name}/isDefault", "value": own and default}
        if control or (own and control is False):
            role = CONTROL if own and control else TREATMENT
            yield {"op": "replace", "path": f"/versions/{name}/type", "value": role}
