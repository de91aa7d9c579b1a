"""Who hears what happens in a simulated world."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from akstwin.sim.engine.outcomes import Outcomes


class Recorder(Protocol):
    """Hears of answers and events, in the order in which they happen."""

    def answered(self, outcomes: Outcomes) -> None:
        """Attempts have their answers. A batch comes before the next event, before anybody looks, or when it is full."""
        ...

    def happened(self, at: int, kind: str, subject: str, detail: str = "") -> None:
        """Something happened to the cluster or the service."""
        ...


@runtime_checkable
class ReplicaRecorder(Protocol):
    """Hears of replicas' states as well."""

    def replica_changed(self, at: int, replica: int, version: str, state: str, node: int | None, *, seen: bool) -> None:
        """A replica has another state, or the router has learned whether it is ready."""
        ...


class Recorders:
    """Tells several recorders as one.

    Args:
        collect: lets engines hand over the outcomes that came before an event.
    """

    def __init__(self, collect: Callable[[], None]) -> None:
        self._collect = collect
        self.all: list[Recorder] = []

    def answered(self, outcomes: Outcomes) -> None:
        """Tell all."""
        for each in self.all:
            each.answered(outcomes)

    def happened(self, at: int, kind: str, subject: str, detail: str = "") -> None:
        """Tell all, after the answers that came before."""
        self._collect()
        for each in self.all:
            each.happened(at, kind, subject, detail)
