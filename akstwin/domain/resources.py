"""What pods ask for and nodes have, in whole thousandths of a core and whole megabytes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Resources:
    """An amount of each resource that the scheduler counts.

    Attributes:
        cpu: thousandths of a core.
        memory: megabytes; a GB counts 1000.
        gpu: whole GPUs.
    """

    cpu: int = 0
    memory: int = 0
    gpu: int = 0

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(self.cpu + other.cpu, self.memory + other.memory, self.gpu + other.gpu)

    def __sub__(self, other: "Resources") -> "Resources":
        return Resources(self.cpu - other.cpu, self.memory - other.memory, self.gpu - other.gpu)

    def fits_in(self, room: "Resources") -> bool:
        """Whether `room` has enough of everything."""
        return self.cpu <= room.cpu and self.memory <= room.memory and self.gpu <= room.gpu
