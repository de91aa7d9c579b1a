"""Who sends: arrivals, and the retries that answers cause."""

from collections.abc import Sequence
from typing import Final

from akstwin.domain.workload import Arrivals, Clients
from akstwin.engine.plane import Plane
from akstwin.engine.requests import Request
from akstwin.sim.calendar import Calendar, Order, key
from akstwin.sim.identity import RequestIdentity, split_draws
from akstwin.sim.retries import Retries
from akstwin.sim.streams import Draws
from akstwin.sim.workload import Arrival, merged

_ATTEMPT_BITS: Final = 12
"""Retries at one instant go by entry, number and attempt; a client tries fewer than 4,096 times."""


class Source:
    """The traffic of one service.

    Args:
        traffic: its entries.
        clients: what callers do with a refusal.
        plane: where requests go.
        calendar: tells the time.
        seed: of the run.
        replication: 1, 2, …
        window: requests that arrive from its first up to its second instant belong to the result.
        first: the number of its first entry, unlike any other source's.
    """

    def __init__(
        self,
        traffic: Sequence[Arrivals],
        clients: Clients,
        plane: Plane,
        calendar: Calendar,
        seed: int,
        replication: int,
        window: tuple[int, int],
        first: int = 0,
    ) -> None:
        self._entries = range(first, first + len(traffic))
        self._stopped = False
        self.sent = 0
        """Requests so far, retries among them."""
        self.retries = 0
        self._retries = Retries(clients, seed, replication)
        self._plane = plane
        self._calendar = calendar
        self._of = (seed, replication)
        self._window = window
        self._arrivals = merged(traffic, seed, replication, first=first, start=calendar.now)
        self._split: dict[tuple[int, int], Draws] = {}
        self._next: Arrival | None = None

    def start(self) -> None:
        """Begin to send."""
        self._plan_next()

    def stop(self) -> None:
        """Send no more, and repeat nothing."""
        self._stopped = True

    @property
    def running(self) -> bool:
        """Whether there are arrivals to come."""
        return not self._stopped and self._next is not None

    def answered(self, request: Request) -> None:
        """A client has its answer, and may come again."""
        if request.status == 200 or request.answered is None or request.entry not in self._entries or self._stopped:
            return
        identity = RequestIdentity(request.entry, request.number, request.attempt)
        wait = self._retries.wait(identity, request.status)
        if wait is not None:
            again = request.answered + wait
            entry, number, attempt = request.entry, request.number, request.attempt + 1
            self._calendar.at(
                again,
                Order.RETRY,
                lambda: self._send(entry, number, attempt),
                key(entry, number << _ATTEMPT_BITS | attempt),
            )

    def _plan_next(self) -> None:
        self._next = next(self._arrivals, None)
        if self._next is not None:
            self._calendar.at(self._next[0], Order.ARRIVAL, self._arrive, key(self._next[1] + 1))

    def _arrive(self) -> None:
        assert self._next is not None  # noqa: S101
        _, entry, number = self._next
        if self._stopped:
            return
        self._plan_next()
        self._send(entry, number, 0)

    def _send(self, entry: int, number: int, attempt: int) -> None:
        if self._stopped:
            return
        self.sent += 1
        self.retries += attempt > 0
        now = self._calendar.now
        counted = self._window[0] <= now < self._window[1]
        draws = self._split.get((entry, attempt))
        if draws is None:
            draws = self._split[entry, attempt] = split_draws(*self._of, entry, attempt)
        self._plane.arrive(Request(number, entry, attempt, now, draws.at(number), counted=counted))
