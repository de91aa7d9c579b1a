"""The simulated clients of a workspace: what they send, how much of it they have sent, and their end."""

from collections.abc import Iterator
from typing import Any, Final

from akstwin.domain.words import nearest
from akstwin.domain.workload import Traffic as TrafficEntry
from akstwin.errors import NotFound
from akstwin.sim.load.plan import Load

KEPT: Final = 1000
"""Entries that have ended are forgotten beyond so many, the oldest first."""


class Traffic:
    """Simulated clients that call a service; they have its key or its token.

    Attributes:
        id: unlike any other's of the workspace.
        service: that they call.
        shape: `constant`, `poisson`, `steps`, `trace` or `users`.
        rate: requests per second; a list of them for `steps`; None for `trace` and `users`.
        users: how many there are; None: the shape is another one.
    """

    def __init__(self, identity: str, service: str, told: TrafficEntry, source: Load) -> None:
        self.id = identity
        self.service = service
        self.shape: str = told.shape
        self.rate: Any = getattr(told, "rate", None)
        self.users: int | None = getattr(told, "users", None)
        self._source = source

    @property
    def sent(self) -> int:
        """Requests so far, retries among them."""
        return self._source.sent

    @property
    def retries(self) -> int:
        """How many of those were sent again, after a refusal."""
        return self._source.retries

    @property
    def running(self) -> bool:
        """Whether there is more to come."""
        return self._source.running

    def stop(self) -> None:
        """They call no more. A second time is no mistake."""
        self._source.stop()

    def __repr__(self) -> str:
        return f"<Traffic {self.id} on {self.service}>"


class TrafficEntries:
    """All traffic of a workspace."""

    def __init__(self) -> None:
        self._all: dict[str, Traffic] = {}
        self._latest = 0

    def __iter__(self) -> Iterator[Traffic]:
        return iter(self._all.values())

    def add(self, service: str, told: TrafficEntry, source: Load) -> Traffic:
        """One more, under a name that none has had."""
        self._latest += 1
        entry = self._all[f"t{self._latest}"] = Traffic(f"t{self._latest}", service, told, source)
        over = [identity for identity, each in self._all.items() if not each.running]
        for identity in over[: max(0, len(over) - KEPT)]:
            del self._all[identity]
        return entry

    def find(self, service: str, identity: str) -> Traffic:
        """The entry of that name.

        Raises:
            NotFound: the service has none of that name.
        """
        found = self._all.get(identity)
        if found is None or found.service != service:
            known = [each.id for each in self if each.service == service]
            raise NotFound(f"traffic {identity} on {service} is not there{nearest(identity, known)}")
        return found
