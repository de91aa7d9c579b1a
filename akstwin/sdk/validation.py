"""What the SDK refuses before anything is sent (wire §11).

Each function takes the arguments of one of the SDK's calls by their names (`locals()` of the method will do), gathers
all that is wrong into one `WebserviceException`, and gives back the arguments that were given. Where azureml-core itself
checks less or breaks, see `differences`.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from akstwin.domain.settings import SETTINGS, Arguments, Kind, Patch
from akstwin.sdk.checks import Rule, above_zero, at_least, at_most, examine, not_above, percentage, refuse
from akstwin.sdk.exceptions import WebserviceException
from akstwin.sdk.requirements import ContainerResourceRequirements
from akstwin.sdk.rules import (
    AUTOSCALER_SETTINGS,
    DEPLOYMENT,
    EACH,
    ENDPOINT_RULES,
    ONE_AUTH,
    UPDATE,
    CurrentEndpoint,
    CurrentService,
    CurrentVersion,
    fits_version,
    names_a_version,
    no_code,
    no_image,
    switches_auth,
)

_NOT_ARGUMENTS: Final = frozenset({"self", "kwargs", "__class__"})
_LIMITS: Final = tuple(map(above_zero, ("cpu_cores_limit", "memory_gb_limit")))
_DO_SOMETHING: Final = ("models", "inference_config", "is_default", "is_control_version_type")


def validate_service_deployment(arguments: Arguments) -> Arguments:
    """Check the arguments of `AksWebservice.deploy_configuration`.

    Raises:
        WebserviceException: naming each parameter that is refused, its value and the limit.
    """
    return _checked(arguments, DEPLOYMENT)


def validate_endpoint_deployment(arguments: Arguments) -> Arguments:
    """Check the arguments of `AksEndpoint.deploy_configuration`.

    Raises:
        WebserviceException: naming each parameter that is refused, its value and the limit.
    """
    return _checked(arguments, (*DEPLOYMENT, *ENDPOINT_RULES))


def validate_service_update(current: CurrentService, arguments: Arguments) -> Arguments:
    """Check the arguments of `AksWebservice.update` against the service as it is.

    Raises:
        WebserviceException: nothing is given; or naming each parameter that is refused, its value and the limit.
    """
    asked = current.container_resource_requirements or ContainerResourceRequirements(None, None)
    rules = (
        *UPDATE,
        *_LIMITS,
        at_most("cpu_cores", asked.cpu_limit, "the service's limit"),
        at_least("cpu_cores_limit", asked.cpu, "what the service asks for"),
        at_most("memory_gb", asked.memory_in_gb_limit, "the service's limit"),
        at_least("memory_gb_limit", asked.memory_in_gb, "what the service asks for"),
        Rule(("models", "inference_config"), no_code),
        Rule(("image",), no_image),
        switches_auth(current),
    )
    return _something(_checked(arguments, rules), Patch.SERVICE)


def validate_endpoint_update(current: CurrentEndpoint, arguments: Arguments) -> Arguments:
    """Check the arguments of `AksEndpoint.update` against the endpoint as it is.

    Raises:
        WebserviceException: nothing is given; or naming each parameter that is refused, its value and the limit.
    """
    return _something(_checked(arguments, (ONE_AUTH, switches_auth(current))), Patch.ENDPOINT)


def validate_version_create(arguments: Arguments) -> Arguments:
    """Check the arguments of `AksEndpoint.create_version`, the version's name among them.

    Raises:
        WebserviceException: naming each parameter that is refused, its value and the limit.
    """
    rules = (
        *DEPLOYMENT,
        *_LIMITS,
        names_a_version(),
        *ENDPOINT_RULES,
        Rule(("models", "inference_config"), lambda models, script: no_code([] if models is None else models, script)),
    )
    return _checked(arguments, rules)


def validate_version_update(versions: Mapping[str, CurrentVersion], arguments: Arguments) -> Arguments:
    """Check the arguments of `AksEndpoint.update_version`, the version's name among them, against the version as it is.

    azureml-core checks nothing here and leaves it to the service; what makes sense together depends on the version.

    Args:
        versions: the endpoint's, by name.
        arguments: of the call.

    Raises:
        WebserviceException: nothing is given; or naming each parameter that is refused, its value and the limit.
    """
    rules: tuple[Rule, ...] = (
        *EACH,
        *map(above_zero, AUTOSCALER_SETTINGS),
        *_LIMITS,
        not_above("autoscale_min_replicas", "autoscale_max_replicas"),
        names_a_version(versions),
        percentage("traffic_percentile"),
        Rule(("models", "inference_config"), no_code),
    )
    name = arguments.get("version_name")
    if isinstance(name, str) and name in versions:
        rules = (*rules, *fits_version(versions[name], arguments))
    return _something(_checked(arguments, rules), Patch.VERSION)


def _checked(arguments: Arguments, rules: Iterable[Rule]) -> dict[str, Any]:
    given = {name: value for name, value in arguments.items() if value is not None and name not in _NOT_ARGUMENTS}
    refuse(examine(given, rules))
    return given


def _something(given: dict[str, Any], patch: Patch) -> dict[str, Any]:
    """An update without anything to do is a mistake."""
    said = any(setting.name in given for setting in SETTINGS)
    if said or not given.keys().isdisjoint(_DO_SOMETHING):
        return given
    names = ", ".join(
        setting.name for setting in SETTINGS if patch in setting.patch and setting.kind is not Kind.OBJECT
    )
    raise WebserviceException(f"Nothing to update: no parameter has a value. Give at least one of {names}.")
