"""A scenario's service on the wire: what creates it, and what its planned updates are."""

from collections.abc import Iterable, Mapping
from typing import Any

from akstwin.backend import Json, JsonPatch
from akstwin.clock import Micros
from akstwin.domain.deployment import DeployArguments
from akstwin.domain.service import ServiceSpec, VersionSpec
from akstwin.errors import InvalidSetting
from akstwin.sdk import wire


def payload_of(service: ServiceSpec, cluster: str, *, endpoint: bool) -> Json:
    """What creates a scenario's service with all its versions (wire §7.3, §7.4).

    Args:
        service: the scenario's.
        cluster: the name of the compute target.
        endpoint: whether it is an endpoint, else a service of one version.
    """
    first, *more = service.versions
    arguments = arguments_of(first)
    if not endpoint:
        return wire.service_payload(
            arguments,
            name=service.name,
            compute_name=cluster,
            environment_image_request=image_request(service.name, first.name),
        )
    payload = wire.endpoint_payload(
        {**arguments, "version_name": first.name},
        name=service.name,
        compute_name=cluster,
        environment_image_request=image_request(service.name, first.name),
    )
    if arguments.get("is_default"):
        payload["versions"][first.name]["isDefault"] = True
    for version in more:
        *_, added = wire.version_added_patch(
            version.name,
            (),
            arguments_of(version),
            compute_name=cluster,
            environment_image_request=image_request(service.name, version.name),
        )
        payload["versions"][version.name] = added["value"]
    return payload


def image_request(service: str, version: str, changed_at: Micros | None = None) -> Json:
    """What a version's image is made from: each version has one to itself, and another one with each new model.

    Args:
        service: its name.
        version: its name.
        changed_at: when it got a new model; None: it has the first one.
    """
    environment = {
        "name": f"scenario-{service}",
        "version": version if changed_at is None else f"{version}-{changed_at}",
    }
    return {"modelIds": [], "environment": environment}


def arguments_of(version: VersionSpec) -> dict[str, Any]:
    """The SDK's arguments; autoscaler settings stand on the wire only beside `autoscale_enabled`."""
    given = version.arguments.model_dump(exclude_none=True)
    if any(name.startswith("autoscale_") for name in given):
        given.setdefault("autoscale_enabled", True)
    return given


def patch_of(
    version: str, arguments: DeployArguments, versions: Iterable[str] | None, image: Json | None = None
) -> JsonPatch:
    """What changes a version, as a user's update would (wire §7.5, §7.6).

    Args:
        version: its name.
        arguments: what shall be different; what is None stays.
        versions: names of all versions of the endpoint; None: the service is none.
        image: what a new image is made from, which is built and rolled out; None: the version keeps its own.

    Raises:
        InvalidSetting: an argument that no update of such a service takes, or a value that no service does.
    """
    arguments.check_values()  # a patch of the SDK's leaves a 0 out as if it were not given
    given: Mapping[str, Any] = arguments.model_dump(exclude_none=True)
    if image is not None:
        given = {**given, "environment_image_request": image}
    try:
        return wire.update_patch(given) if versions is None else wire.version_patch(version, versions, given)
    except KeyError as error:
        name = str(error.args[0])
        whose = "a webservice" if versions is None else "a version"
        raise InvalidSetting(name, given[name], f"possible: an update of {whose} does not take it") from None
