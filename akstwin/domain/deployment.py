"""What one version of a service is deployed with: wide at the rim, narrow inside.

`DeployArguments` takes the keyword arguments of the SDK's `deploy_configuration` and `create_version`, with their names,
units and defaults (the class reference; semantics §6.9). `settings()` turns them into one frozen value in which two
settings cannot contradict each other.
"""

import re
from dataclasses import dataclass
from typing import Final, TypeVar

from akstwin.clock import MILLISECOND, SECOND, Micros
from akstwin.domain.resources import Resources
from akstwin.domain.spec import Spec
from akstwin.domain.units import megabytes, millicores
from akstwin.errors import InvalidSetting

_T = TypeVar("_T")

SCORING_TIMEOUT_MS_MAX: Final = 300_000
"""The service refuses more (semantics §1.3, reported in MLN#1624)."""

MOST_MODELS: Final = 1000
"""Models in one container; the service refuses more (semantics §2.1, documented: S1)."""

NAME_FORM: Final = "3 to 32 lower-case letters, digits and dashes, first a letter, last a letter or digit"
_NAME: Final = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?\Z")
_NAMESPACE: Final = re.compile(r"[a-z0-9]([a-z0-9-]{,61}[a-z0-9])?\Z")


def check_name(setting: str, name: str) -> None:
    """Refuse what is no name for a service or a version (semantics §2.1).

    Raises:
        InvalidSetting: naming `setting`.
    """
    if not 3 <= len(name) <= 32 or not _NAME.match(name):
        raise InvalidSetting(setting, name, NAME_FORM)


@dataclass(frozen=True, slots=True)
class Fixed:
    """A number of replicas that nobody changes but the user."""

    replicas: int


@dataclass(frozen=True, slots=True)
class Autoscaled:
    """Replicas that follow utilisation.

    Attributes:
        minimum: fewest replicas.
        maximum: most replicas.
        refresh: between two looks.
        target_percent: busy share of the replicas that is aimed at.
    """

    minimum: int = 1
    maximum: int = 10
    refresh: Micros = SECOND
    target_percent: int = 70


def check_replicas(arguments: "DeployArguments", most: int) -> None:
    """Refuse replicas that must be there, and that not even the largest cluster could hold.

    What is fewer and does not fit this cluster stays Pending. `autoscale_max_replicas` is a bound that need not be reached:
    it is never refused for capacity.

    Args:
        arguments: what a version is deployed with.
        most: pods that the largest cluster holds (`akstwin.domain.cluster.most_pods`).

    Raises:
        InvalidSetting: `num_replicas` or `autoscale_min_replicas` is greater than `most`.
    """
    for name in ("num_replicas", "autoscale_min_replicas"):
        value = getattr(arguments, name)
        if value is not None and value > most:
            raise InvalidSetting(name, value, f"at most {most}, the pods that the largest cluster holds")


@dataclass(frozen=True, slots=True)
class ProbeSettings:
    """When a container is probed, and how many answers decide."""

    initial_delay: Micros
    period: Micros
    timeout: Micros
    success_threshold: int
    failure_threshold: int


@dataclass(frozen=True, slots=True)
class RouteSettings:
    """What the router needs to know of one version.

    Attributes:
        slots: requests that the router sends to one replica at once.
        max_wait: longest time in the queue.
        scoring_timeout: longest time from dispatch to answer.
    """

    slots: int
    max_wait: Micros
    scoring_timeout: Micros


@dataclass(frozen=True, slots=True)
class VersionSettings:
    """Everything that one version is deployed with."""

    scaling: Fixed | Autoscaled
    route: RouteSettings
    request: Resources
    cpu_limit: int | None
    memory_limit: int | None
    liveness: ProbeSettings
    collects_data: bool
    namespace: str | None

    @property
    def initial_replicas(self) -> int:
        """Replicas before the autoscaler has looked."""
        return self.scaling.replicas if isinstance(self.scaling, Fixed) else self.scaling.minimum

    @property
    def template(self) -> tuple[object, ...]:
        """What stands in the pod template: a change of it rolls the pods (semantics §6.6)."""
        return (
            self.request, self.cpu_limit, self.memory_limit, self.liveness, self.collects_data, self.namespace,
        )  # fmt: skip


class DeployArguments(Spec):
    """The SDK's keyword arguments for one version; what is left out has the service's default.

    Attributes:
        autoscale_enabled: whether the autoscaler runs; on, unless `num_replicas` is given.
        autoscale_min_replicas: fewest replicas; 1.
        autoscale_max_replicas: most replicas; 10.
        autoscale_refresh_seconds: between two looks of the autoscaler, s; 1.
        autoscale_target_utilization: busy share of the replicas that is aimed at, per cent; 70.
        collect_model_data: whether model data are collected; no effect on a simulation.
        auth_enabled: whether a key is needed; simulated clients have it.
        cpu_cores: CPU that a pod requests; 0.1.
        memory_gb: memory that a pod requests, GB; 0.5.
        enable_app_insights: whether containers report requests to Application Insights; a run makes no rows.
        scoring_timeout_ms: longest time from dispatch to answer, ms; 60000, at most 300000.
        replica_max_concurrent_requests: requests that the router sends to one replica at once; 1.
        max_request_wait_time: longest time in the router's queue, ms; 500.
        num_replicas: a fixed number of replicas, without the autoscaler.
        primary_key: no effect on a simulation.
        secondary_key: no effect on a simulation.
        tags: no effect on a simulation.
        properties: no effect on a simulation.
        description: no effect on a simulation.
        gpu_cores: GPUs that a pod requests; 0.
        period_seconds: between two liveness probes, s; 10.
        initial_delay_seconds: from a container's start to its first liveness probe, s; 310.
        timeout_seconds: how long a liveness probe waits, s; 2.
        success_threshold: applied as 1, as Kubernetes insists for liveness probes; another value is noted.
        failure_threshold: liveness probes that must fail in a row; 3.
        namespace: where the pods live; the workspace's own by default. Nothing else depends on it.
        token_auth_enabled: whether a token is needed; simulated clients have it.
        traffic_percentile: share of the traffic, per cent; the default version gets what the others leave.
        is_default: whether it is the default version; the first is, if none says so.
        is_control_version_type: a label; no effect on a simulation.
        cpu_cores_limit: most CPU that a container may use; no limit.
        memory_gb_limit: most memory that a container may use, GB; `memory_gb`. One that takes more is killed, if its model
            has a `memory`.
        blobfuse_enabled: whether models are mounted, or copied before the container starts. The pods' log names the way; no
            time depends on it.
    """

    autoscale_enabled: bool | None = None
    autoscale_min_replicas: int | None = None
    autoscale_max_replicas: int | None = None
    autoscale_refresh_seconds: int | None = None
    autoscale_target_utilization: int | None = None
    collect_model_data: bool | None = None
    auth_enabled: bool | None = None
    cpu_cores: float | None = None
    memory_gb: float | None = None
    enable_app_insights: bool | None = None
    scoring_timeout_ms: int | None = None
    replica_max_concurrent_requests: int | None = None
    max_request_wait_time: int | None = None
    num_replicas: int | None = None
    primary_key: str | None = None
    secondary_key: str | None = None
    tags: dict[str, str] | None = None
    properties: dict[str, str] | None = None
    description: str | None = None
    gpu_cores: int | None = None
    period_seconds: int | None = None
    initial_delay_seconds: int | None = None
    timeout_seconds: int | None = None
    success_threshold: int | None = None
    failure_threshold: int | None = None
    namespace: str | None = None
    token_auth_enabled: bool | None = None
    traffic_percentile: float | None = None
    is_default: bool | None = None
    is_control_version_type: bool | None = None
    cpu_cores_limit: float | None = None
    memory_gb_limit: float | None = None
    blobfuse_enabled: bool | None = None

    def settings(self) -> VersionSettings:
        """These arguments with the service's defaults filled in.

        Raises:
            InvalidSetting: a value, or a pair of values, that the SDK or the service refuses (semantics §2.1).
        """
        self.check_values()
        self._check_together()
        return VersionSettings(
            scaling=self._scaling(),
            route=RouteSettings(
                slots=_or(self.replica_max_concurrent_requests, 1),
                max_wait=Micros(_or(self.max_request_wait_time, 500) * MILLISECOND),
                scoring_timeout=Micros(_or(self.scoring_timeout_ms, 60_000) * MILLISECOND),
            ),
            request=Resources(
                millicores(_or(self.cpu_cores, 0.1)), megabytes(_or(self.memory_gb, 0.5)), _or(self.gpu_cores, 0)
            ),
            cpu_limit=None if self.cpu_cores_limit is None else millicores(self.cpu_cores_limit),
            memory_limit=None if self.memory_gb_limit is None else megabytes(self.memory_gb_limit),
            liveness=ProbeSettings(
                initial_delay=Micros(_or(self.initial_delay_seconds, 310) * SECOND),
                period=Micros(_or(self.period_seconds, 10) * SECOND),
                timeout=Micros(_or(self.timeout_seconds, 2) * SECOND),
                # Kubernetes insists on 1 for liveness; another value is stored and applied as 1 (semantics §6.6).
                success_threshold=1,
                failure_threshold=_or(self.failure_threshold, 3),
            ),
            collects_data=bool(self.collect_model_data),
            namespace=self.namespace,
        )

    def warnings(self) -> list[str]:
        """What is taken but does not act as written."""
        if self.success_threshold not in (None, 1):
            return [f"success_threshold: {self.success_threshold} is applied as 1, as Kubernetes insists for liveness"]
        return []

    def _scaling(self) -> Fixed | Autoscaled:
        if self.num_replicas is not None and not self.autoscale_enabled:
            return Fixed(self.num_replicas)
        return Autoscaled(
            minimum=_or(self.autoscale_min_replicas, 1),
            maximum=_or(self.autoscale_max_replicas, 10),
            refresh=Micros(_or(self.autoscale_refresh_seconds, 1) * SECOND),
            target_percent=_or(self.autoscale_target_utilization, 70),
        )

    def check_values(self) -> None:
        """Refuse values that no service takes, each by itself.

        Raises:
            InvalidSetting: the first of them.
        """
        for name in _POSITIVE:
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InvalidSetting(name, value, "greater than 0")
        for name in ("cpu_cores_limit", "memory_gb_limit"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InvalidSetting(name, value, "greater than 0")
        if self.gpu_cores is not None and self.gpu_cores < 0:
            raise InvalidSetting("gpu_cores", self.gpu_cores, "0 or more")
        if self.traffic_percentile is not None and not 0 <= self.traffic_percentile <= 100:
            raise InvalidSetting("traffic_percentile", self.traffic_percentile, "a percentage from 0 to 100")
        if self.autoscale_target_utilization is not None and self.autoscale_target_utilization > 100:
            raise InvalidSetting("autoscale_target_utilization", self.autoscale_target_utilization, "at most 100")
        if self.scoring_timeout_ms is not None and self.scoring_timeout_ms > SCORING_TIMEOUT_MS_MAX:
            raise InvalidSetting("scoring_timeout_ms", self.scoring_timeout_ms, f"at most {SCORING_TIMEOUT_MS_MAX}")
        if self.namespace is not None and not _NAMESPACE.match(self.namespace):
            raise InvalidSetting("namespace", self.namespace, "1 to 63 lower-case letters, digits and inner dashes")

    def _check_together(self) -> None:
        for limit, request in (("cpu_cores_limit", "cpu_cores"), ("memory_gb_limit", "memory_gb")):
            most, asked = getattr(self, limit), getattr(self, request)
            if most is not None and asked is not None and most < asked:
                raise InvalidSetting(limit, most, f"at least {request}, {asked}")
        if self.auth_enabled and self.token_auth_enabled:
            raise InvalidSetting("token_auth_enabled", True, "possible together with auth_enabled: one or the other")
        if self.autoscale_enabled and self.num_replicas is not None:
            raise InvalidSetting("num_replicas", self.num_replicas, "possible with autoscale_enabled: one or the other")
        if self.autoscale_enabled is False and self.num_replicas is None:
            raise InvalidSetting("num_replicas", None, "a number of replicas, as autoscale_enabled is off")
        if not self.autoscale_enabled:
            self._check_autoscale_is_meant()
        low, high = _or(self.autoscale_min_replicas, 1), _or(self.autoscale_max_replicas, 10)
        if low > high:
            name = "autoscale_min_replicas" if self.autoscale_min_replicas is not None else "autoscale_max_replicas"
            raise InvalidSetting(name, getattr(self, name), f"possible: the minimum {low} is over the maximum {high}")

    def _check_autoscale_is_meant(self) -> None:
        """Autoscaler settings beside a fixed number of replicas would be ignored: refused."""
        for name in _AUTOSCALE_ONLY:
            if getattr(self, name) is not None and (self.autoscale_enabled is False or self.num_replicas is not None):
                raise InvalidSetting(name, getattr(self, name), "possible with the autoscaler off")


_AUTOSCALE_ONLY: Final = (
    "autoscale_min_replicas",
    "autoscale_max_replicas",
    "autoscale_refresh_seconds",
    "autoscale_target_utilization",
)
_POSITIVE: Final = (
    "cpu_cores",
    "memory_gb",
    "period_seconds",
    "initial_delay_seconds",
    "timeout_seconds",
    "success_threshold",
    "failure_threshold",
    "scoring_timeout_ms",
    "replica_max_concurrent_requests",
    "max_request_wait_time",
    "num_replicas",
    *_AUTOSCALE_ONLY,
)


def _or(value: _T | None, default: _T) -> _T:
    return default if value is None else value
