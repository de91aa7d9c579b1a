"""Who hears what happens in a simulated world."""

from collections.abc import Callable, Sequence
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


@runtime_checkable
class ByService(Protocol):
    """A recorder that wants to know which service something happened to; it hears itself of the cluster alone."""

    def answered(self, outcomes: Outcomes) -> None:
        """Never called: requests come in at a service."""
        ...

    def happened(self, at: int, kind: str, subject: str, detail: str = "") -> None:
        """Something happened to the cluster."""
        ...

    def of(self, service: str) -> Recorder:
        """What hears of the service of that name."""
        ...


class Recorders:
    """Those who hear what happens on one cluster.

    Args:
        collect: lets engines hand over the outcomes that came before an event.
    """

    def __init__(self, collect: Callable[[], None]) -> None:
        self._collect = collect
        self.all: list[Recorder] = []
        """Hear of everything, whatever it happens to."""
        self.cluster: list[Recorder] = []
        """Hear only of what happens to the cluster, and to no service."""

    def happened(self, at: int, kind: str, subject: str, detail: str = "") -> None:
        """Something happened to the cluster: tell it after the answers that came before."""
        self._collect()
        for each in (*self.all, *self.cluster):
            each.happened(at, kind, subject, detail)

    def service_answered(self, own: list[Recorder], outcomes: Outcomes) -> None:
        """Requests to a service have their answers: tell its own recorders too."""
        for each in (*self.all, *own):
            each.answered(outcomes)

    def service_happened(self, own: list[Recorder], at: int, kind: str, subject: str, detail: str) -> None:
        """Something happened to a service: tell its own recorders too, after the answers that came before."""
        self._collect()
        for each in (*self.all, *own):
            each.happened(at, kind, subject, detail)


class ServiceRecorders:
    """What happens to one service, for those who hear all of the cluster and for those who hear of this service alone.

    Args:
        cluster: hears everything.
        own: hear of this service alone.
    """

    def __init__(self, cluster: Recorders, own: Sequence[Recorder] = ()) -> None:
        self._cluster = cluster
        self.own = list(own)

    def answered(self, outcomes: Outcomes) -> None:
        """Tell all."""
        self._cluster.service_answered(self.own, outcomes)

    def happened(self, at: int, kind: str, subject: str, detail: str = "") -> None:
        """Tell all, after the answers that came before."""
        self._cluster.service_happened(self.own, at, kind, subject, detail)
