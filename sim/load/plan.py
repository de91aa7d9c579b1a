"""Generated load as a value: what an engine needs to know to make every request of it by itself."""

from dataclasses import dataclass
from typing import Protocol

from akstwin.clock import Micros
from akstwin.domain.workload import Clients, Traffic


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """Open arrivals, users who wait, and the retries that answers cause. All else follows from chance by name (design §3).

    Attributes:
        traffic: its entries, added up; their instants count from `start`.
        clients: what callers do with a refusal, unless the entry's own users do something else.
        seed: of the run.
        replication: 1, 2, …
        window: requests that arrive from its first up to its second instant belong to the result.
        first: the number of the first entry; the others follow. No two entries of a service may have the same.
        start: the instant at which it begins.
        service: goes before the entries in the names of its streams of chance.
    """

    traffic: tuple[Traffic, ...]
    clients: Clients
    seed: int
    replication: int
    window: tuple[int, int]
    first: int
    start: Micros
    service: str = ""

    @property
    def entries(self) -> range:
        """The numbers of its entries."""
        return range(self.first, self.first + len(self.traffic))


class Load(Protocol):
    """Generated load, to follow it and to stop it."""

    @property
    def sent(self) -> int:
        """Requests so far, retries among them."""
        ...

    @property
    def retries(self) -> int:
        """How many of those were sent again."""
        ...

    @property
    def running(self) -> bool:
        """Whether there are arrivals to come."""
        ...

    def stop(self) -> None:
        """Send no more, and repeat nothing."""
        ...
