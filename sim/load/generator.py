"""Sends generated load, request by request: arrivals, and the retries that answers cause."""

from collections.abc import Callable
from typing import Final

from akstwin.sim.calendar import Calendar, Order, key
from akstwin.sim.load.arrivals import Arrival, merged
from akstwin.sim.load.plan import LoadPlan
from akstwin.sim.load.request_index import RequestIdentity, split_draws
from akstwin.sim.load.retries import Retries
from akstwin.sim.requests import Request
from akstwin.sim.streams import Draws

_ATTEMPT_BITS: Final = 12
"""Retries at one instant go by entry, number and attempt; a client tries fewer than 4,096 times."""


class LoadGenerator:
    """Makes the requests of one plan, each at its instant.

    Args:
        plan: what is sent.
        arrive: takes a request that comes in now.
        calendar: tells the time.
    """

    def __init__(self, plan: LoadPlan, arrive: Callable[[Request], None], calendar: Calendar) -> None:
        self._plan = plan
        self._entries = plan.entries
        self._arrive_at_the_router = arrive
        self._calendar = calendar
        self._stopped = False
        self.sent = 0
        """Requests so far, retries among them."""
        self.retries = 0
        self._retries = Retries(plan.clients, plan.seed, plan.replication)
        self._arrivals = merged(plan.traffic, plan.seed, plan.replication, first=plan.first, start=plan.start)
        self._from, self._to = plan.window
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
        counted = self._from <= now < self._to
        draws = self._split.get((entry, attempt))
        if draws is None:
            draws = self._split[entry, attempt] = split_draws(self._plan.seed, self._plan.replication, entry, attempt)
        self._arrive_at_the_router(Request(number, entry, attempt, now, draws.at(number), counted=counted))
