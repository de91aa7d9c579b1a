"""How busy a version is: what a data plane tells and an autoscaler reads."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """How busy a version has been, and is.

    Attributes:
        busy_area: slots taken, summed over time (slot-microseconds).
        queued_area: requests waiting, summed over time (request-microseconds).
        busy: slots taken now.
        queued: requests waiting now.
        ready: replicas that the router sees as ready now.
    """

    busy_area: int
    queued_area: int
    busy: int
    queued: int
    ready: int
