"""What a model asks for when it is deployed without a configuration."""

from dataclasses import dataclass
from typing import Any

from akstwin.sdk.answers import require
from akstwin.sdk.exceptions import WebserviceException


@dataclass
class ResourceConfiguration:
    """The resources that a model wants.

    Attributes:
        cpu: cores; may be a fraction.
        memory_in_gb: GB; may be a fraction.
        gpu: whole GPUs.
    """

    cpu: float | None = None
    memory_in_gb: float | None = None
    gpu: int | None = None

    def validate(self) -> None:
        """Check the values.

        Raises:
            WebserviceException: naming each that is refused, and the limit.
        """
        problems = [
            f"{name}: {value!r} is not a number greater than 0"
            for name, value in (("cpu", self.cpu), ("memory_in_gb", self.memory_in_gb))
            if value is not None and not (_is_number(value) and value > 0)
        ]
        if self.gpu is not None and not (_is_number(self.gpu) and self.gpu > 0 and self.gpu == int(self.gpu)):
            problems.append(f"gpu: {self.gpu!r} is not a whole number greater than 0")
        if problems:
            raise WebserviceException("\n".join(problems))

    def serialize(self) -> dict[str, Any]:
        """The JSON form."""
        return {"cpu": self.cpu, "memoryInGB": self.memory_in_gb, "gpu": self.gpu}

    @staticmethod
    def deserialize(payload_obj: Any) -> "ResourceConfiguration | None":
        """The value of a JSON form; None of None.

        Raises:
            WebserviceException: a key is missing, named.
        """
        if payload_obj is None:
            return None
        require(payload_obj, ("cpu", "memoryInGB", "gpu"), "ResourceConfiguration")
        return ResourceConfiguration(payload_obj["cpu"], payload_obj["memoryInGB"], payload_obj["gpu"])


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value  # noqa: PLR0124 - NaN
