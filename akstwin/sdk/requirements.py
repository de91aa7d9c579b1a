"""Parts of a service, as its attributes show them: frozen values that go to the wire's camelCase and back.

Parameters, their order and their defaults are azureml-core 1.61's and the class reference's. Any value may be None: the
service has not said. They show what is; `update` changes it.
"""

from dataclasses import dataclass, field, fields
from typing import Any, Self, cast

from akstwin.sdk.exceptions import WebserviceException


def _on_the_wire(key: str, default: Any = ...) -> Any:
    """A field that is called `key` on the wire."""
    if default is ...:
        return field(metadata={"wire": key})
    return field(default=default, metadata={"wire": key})


class _Part:
    """A value with a JSON form."""

    __slots__ = ()

    def serialize(self) -> dict[str, Any]:
        """The JSON form."""
        return {part.metadata["wire"]: getattr(self, part.name) for part in fields(cast("Any", self))}

    @classmethod
    def _read(cls, payload_obj: Any) -> Self:
        if not isinstance(payload_obj, dict):
            raise WebserviceException(f"{cls.__name__}: {payload_obj!r} is not a JSON object")
        parts = fields(cast("Any", cls))
        missing = [part.metadata["wire"] for part in parts if part.metadata["wire"] not in payload_obj]
        if missing:
            raise WebserviceException(f"{cls.__name__}: {payload_obj!r} is not complete: it lacks {', '.join(missing)}")
        return cls(**{part.name: payload_obj[part.metadata["wire"]] for part in parts})


@dataclass(frozen=True, slots=True)
class AutoScaler(_Part):
    """How the number of replicas follows the load.

    Attributes:
        autoscale_enabled: whether it does.
        max_replicas: most replicas.
        min_replicas: fewest replicas.
        refresh_period_seconds: seconds between two looks.
        target_utilization: busy share of the replicas that is aimed at, in percent.
    """

    autoscale_enabled: bool | None = _on_the_wire("autoscaleEnabled")
    max_replicas: int | None = _on_the_wire("maxReplicas")
    min_replicas: int | None = _on_the_wire("minReplicas")
    refresh_period_seconds: int | None = _on_the_wire("refreshPeriodInSeconds")
    target_utilization: int | None = _on_the_wire("targetUtilization")

    @staticmethod
    def deserialize(payload_obj: Any) -> "AutoScaler":
        """The value of a JSON form.

        Raises:
            WebserviceException: a key is missing, named; or it is no JSON object.
        """
        return AutoScaler._read(payload_obj)


@dataclass(frozen=True, slots=True)
class ContainerResourceRequirements(_Part):
    """What each container asks for, and the most it may take.

    Attributes:
        cpu: cores; may be a fraction.
        memory_in_gb: GB; may be a fraction.
        gpu: whole GPUs.
        cpu_limit: most cores.
        memory_in_gb_limit: most GB.
    """

    cpu: float | None = _on_the_wire("cpu")
    memory_in_gb: float | None = _on_the_wire("memoryInGB")
    gpu: int | None = _on_the_wire("gpu", None)
    cpu_limit: float | None = _on_the_wire("cpuLimit", None)
    memory_in_gb_limit: float | None = _on_the_wire("memoryInGBLimit", None)

    @staticmethod
    def deserialize(payload_obj: Any) -> "ContainerResourceRequirements":
        """The value of a JSON form.

        Raises:
            WebserviceException: a key is missing, named; or it is no JSON object.
        """
        return ContainerResourceRequirements._read(payload_obj)


@dataclass(frozen=True, slots=True)
class DataCollection(_Part):
    """What is kept of the data that is scored.

    Attributes:
        event_hub_enabled: whether an event hub gets it.
        storage_enabled: whether it is stored.
    """

    event_hub_enabled: bool | None = _on_the_wire("eventHubEnabled")
    storage_enabled: bool | None = _on_the_wire("storageEnabled")

    @staticmethod
    def deserialize(payload_obj: Any) -> "DataCollection":
        """The value of a JSON form.

        Raises:
            WebserviceException: a key is missing, named; or it is no JSON object.
        """
        return DataCollection._read(payload_obj)


@dataclass(frozen=True, slots=True)
class LivenessProbeRequirements(_Part):
    """When a container is probed, and how many answers decide.

    Attributes:
        period_seconds: seconds between two probes.
        initial_delay_seconds: seconds from the container's start to the first probe.
        timeout_seconds: seconds that an answer may take.
        success_threshold: answers in a row that make it alive again.
        failure_threshold: failures in a row after which it is restarted.
    """

    period_seconds: int | None = _on_the_wire("periodSeconds")
    initial_delay_seconds: int | None = _on_the_wire("initialDelaySeconds")
    timeout_seconds: int | None = _on_the_wire("timeoutSeconds")
    success_threshold: int | None = _on_the_wire("successThreshold")
    failure_threshold: int | None = _on_the_wire("failureThreshold")

    @staticmethod
    def deserialize(payload_obj: Any) -> "LivenessProbeRequirements":
        """The value of a JSON form; of None, what azureml-core shows then: 10, 310, 1, 1 and 3 (wire §7.2).

        Raises:
            WebserviceException: a key is missing, named; or it is no JSON object.
        """
        if payload_obj is None:
            return LivenessProbeRequirements(10, 310, 1, 1, 3)
        return LivenessProbeRequirements._read(payload_obj)
