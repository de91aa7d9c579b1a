"""The rules of wire §11 as tables, and the checks that are more than a bound."""

import re
from collections.abc import Collection
from typing import Any, Final, Protocol

from akstwin.domain.deployment import NAME_FORM, check_name
from akstwin.domain.settings import Arguments
from akstwin.errors import InvalidSetting
from akstwin.sdk.checks import (
    Problem,
    Rule,
    above_zero,
    at_least,
    at_most,
    not_above,
    not_below,
    not_empty,
    percentage,
    zero_or_more,
)
from akstwin.sdk.requirements import AutoScaler, ContainerResourceRequirements

NO_CODE_FRAMEWORKS: Final = ("Onnx", "ScikitLearn", "TensorFlow", "Multi")
"""Models of these need no script: the service brings an environment (wire §7.3)."""

AUTOSCALER_SETTINGS: Final = (
    "autoscale_min_replicas",
    "autoscale_max_replicas",
    "autoscale_refresh_seconds",
    "autoscale_target_utilization",
)
GREATER_THAN_ZERO: Final = (
    "cpu_cores",
    "memory_gb",
    "scoring_timeout_ms",
    "replica_max_concurrent_requests",
    "max_request_wait_time",
    "num_replicas",
    "period_seconds",
    "initial_delay_seconds",
    "timeout_seconds",
    "success_threshold",
    "failure_threshold",
)
_NAMESPACE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{,61}[a-z0-9])?")
_NAMESPACE_FORM: Final = "1 to 63 lower-case letters, digits and dashes, first and last no dash"


class CurrentService(Protocol):
    """What the rules of an update read of the service as it is: attributes of `AksWebservice`."""

    auth_enabled: bool | None
    token_auth_enabled: bool | None

    @property
    def container_resource_requirements(self) -> ContainerResourceRequirements | None:
        """What each container asks for."""
        ...


class CurrentEndpoint(Protocol):
    """What the rules of an update read of the endpoint as it is: attributes of `AksEndpoint`."""

    auth_enabled: bool | None
    token_auth_enabled: bool | None


class CurrentVersion(Protocol):
    """What the rules of an update read of the version as it is: attributes of `AksWebservice`."""

    num_replicas: int | None

    @property
    def autoscaler(self) -> AutoScaler | None:
        """How the number of replicas follows the load."""
        ...

    @property
    def container_resource_requirements(self) -> ContainerResourceRequirements | None:
        """What each container asks for."""
        ...


def autoscaled(enabled: bool | None, replicas: int | None) -> Problem | None:
    """The autoscaler, or a number of replicas: one or the other."""
    if enabled and replicas:
        expected = "allowed with autoscale_enabled=True: the autoscaler chooses the number"
        return Problem(("num_replicas", "autoscale_enabled"), replicas, expected)
    if enabled is False and not replicas:
        expected = "enough with autoscale_enabled=False: a number is needed"
        return Problem(("num_replicas", "autoscale_enabled"), replicas, expected)
    return None


def for_the_autoscaler(name: str) -> Rule:
    """Its settings need it, and are greater than 0."""

    def check(enabled: bool | None, value: float | None) -> Problem | None:
        if value is not None and (value <= 0 if enabled else value == 0):
            return Problem((name,), value, "greater than 0")
        if not enabled and value:
            return Problem((name, "autoscale_enabled"), value, "allowed without autoscale_enabled=True")
        return None

    return Rule(("autoscale_enabled", name), check)


def ordered(enabled: bool | None, low: int | None, high: int | None) -> Problem | None:
    """Without the autoscaler both are refused already."""
    return not_above("autoscale_min_replicas", "autoscale_max_replicas").check(low, high) if enabled else None


def one_auth(keys: bool | None, token: bool | None) -> Problem | None:
    """Keys, or tokens: one or the other."""
    both = ("token_auth_enabled", "auth_enabled")
    return Problem(both, True, "allowed together with auth_enabled=True") if keys and token else None


def switches_auth(current: CurrentEndpoint) -> Rule:
    """One way in is switched off in the call that switches the other one on."""

    def check(keys: bool | None, token: bool | None) -> Problem | None:
        if token and keys is None and current.auth_enabled:
            expected = "allowed without auth_enabled=False: the service has key auth"
            return Problem(("token_auth_enabled", "auth_enabled"), True, expected)
        if keys and token is None and current.token_auth_enabled:
            expected = "allowed without token_auth_enabled=False: the service has token auth"
            return Problem(("auth_enabled", "token_auth_enabled"), True, expected)
        return None

    return Rule(("auth_enabled", "token_auth_enabled"), check)


def is_namespace(namespace: str | None) -> Problem | None:
    """A Kubernetes name."""
    if namespace is None or _NAMESPACE.fullmatch(namespace):
        return None
    return Problem(("namespace",), namespace, _NAMESPACE_FORM)


def is_name(name: str | None) -> Problem | None:
    """A name for a version, if one is given."""
    try:
        check_name("version_name", name if name is not None else "any")
    except InvalidSetting:
        return Problem(("version_name",), name, NAME_FORM)
    return None


def names_a_version(versions: Collection[str] | None = None) -> Rule:
    """A version is named; if `versions` is given, one of them."""

    def check(name: str | None) -> Problem | None:
        if name is None:
            return Problem(("version_name",), None, "the name of a version")
        if versions is not None and name not in versions:
            return Problem(
                ("version_name",), name, f"a version of this endpoint: {', '.join(versions) or 'it has none'}"
            )
        return None

    return Rule(("version_name",), check)


def no_code(models: Any, script: Any) -> Problem | None:
    """Without a script: one model of a framework for which the service brings one."""
    if script is not None or models is None:
        return None
    frameworks = [getattr(model, "model_framework", None) for model in models]
    if len(frameworks) == 1 and frameworks[0] in NO_CODE_FRAMEWORKS:
        return None
    expected = f"enough without inference_config: one model of {', '.join(NO_CODE_FRAMEWORKS)} is"
    return Problem(("models", "inference_config"), frameworks, expected)


def no_image(image: Any) -> Problem | None:
    """The image API is not part of this SDK."""
    expected = "taken here: the image API came before environments; use inference_config"
    return None if image is None else Problem(("image",), image, expected)


def fits_version(current: CurrentVersion, arguments: Arguments) -> tuple[Rule, ...]:
    """What must hold of the version once the update is in it."""
    asked = current.container_resource_requirements or ContainerResourceRequirements(None, None)
    scaled = bool(current.autoscaler and current.autoscaler.autoscale_enabled)

    def replicas_known(enabled: bool | None, replicas: int | None) -> Problem | None:
        return autoscaled(enabled, replicas if enabled else replicas or current.num_replicas)

    def still(enabled: bool | None, value: float | None, name: str) -> Problem | None:
        on = scaled if enabled is None else enabled
        return None if on or not value else Problem((name, "autoscale_enabled"), value, _OFF)

    rules = [Rule(("autoscale_enabled", "num_replicas"), replicas_known)]
    rules += [
        Rule(("autoscale_enabled", name), lambda enabled, value, name=name: still(enabled, value, name))
        for name in AUTOSCALER_SETTINGS
    ]
    for name, limit, kept, most in (
        ("cpu_cores", "cpu_cores_limit", asked.cpu, asked.cpu_limit),
        ("memory_gb", "memory_gb_limit", asked.memory_in_gb, asked.memory_in_gb_limit),
    ):
        if arguments.get(name) is not None and arguments.get(limit) is not None:
            rules.append(not_below(limit, name))
        else:
            rules += [at_most(name, most, "the version's limit"), at_least(limit, kept, "what the version asks for")]
    return tuple(rules)


_OFF: Final = "allowed with the autoscaler off: give autoscale_enabled=True"
ONE_AUTH: Final = Rule(("auth_enabled", "token_auth_enabled"), one_auth)
EACH: Final = (
    *map(above_zero, GREATER_THAN_ZERO),
    zero_or_more("gpu_cores"),
    Rule(("namespace",), is_namespace),
    *map(not_empty, ("primary_key", "secondary_key", "compute_target_name")),
)
_TOGETHER: Final = (
    not_below("cpu_cores_limit", "cpu_cores"),
    not_below("memory_gb_limit", "memory_gb"),
    Rule(("autoscale_enabled", "num_replicas"), autoscaled),
    Rule(("autoscale_enabled", "autoscale_min_replicas", "autoscale_max_replicas"), ordered),
    ONE_AUTH,
)
DEPLOYMENT: Final = (*EACH, *_TOGETHER, *map(for_the_autoscaler, AUTOSCALER_SETTINGS))
UPDATE: Final = DEPLOYMENT
ENDPOINT_PARAMETERS: Final = ("version_name", "traffic_percentile")
ENDPOINT_RULES: Final = (Rule(("version_name",), is_name), percentage("traffic_percentile"))
