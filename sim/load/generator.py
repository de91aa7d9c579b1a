"""Sends generated load, request by request: arrivals, and what answers cause: retries, and the next turns of users who wait."""

from collections.abc import Callable
from typing import Final

from akstwin.domain.workload import ClosedLoopUsers
from akstwin.sim.calendar import Calendar, Order, key
from akstwin.sim.load.arrivals import Arrival, merged
from akstwin.sim.load.plan import LoadPlan
from akstwin.sim.load.request_index import RequestIdentity, split_draws
from akstwin.sim.load.retries import Retries
from akstwin.sim.load.users import WaitingUsers, number_of, turn_of, user_of
from akstwin.sim.requests import Request
from akstwin.sim.streams import Draws

_ATTEMPT_BITS: Final = 12
_NUMBER_BITS: Final = 68
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
        self._retries = Retries(plan.clients, plan.seed, plan.replication, plan.service)
        self._users = {
            entry: WaitingUsers(each, plan.clients, plan.seed, plan.replication, entry, plan.service)
            for entry, each in zip(plan.entries, plan.traffic, strict=True)
            if isinstance(each, ClosedLoopUsers)
        }
        self._arrivals = merged(
            plan.traffic, plan.seed, plan.replication, first=plan.first, start=plan.start, service=plan.service
        )
        self._from, self._to = plan.window
        self._split: dict[tuple[int, int], Draws] = {}
        self._next: Arrival | None = None

    def start(self) -> None:
        """Begin to send."""
        self._plan_next()
        for entry, users in self._users.items():
            for user in range(users.spec.users):
                self._plan_turn(self._plan.start + users.first(user), entry, user, number_of(user, 0))

    def stop(self) -> None:
        """Send no more, and repeat nothing."""
        self._stopped = True

    @property
    def running(self) -> bool:
        """Whether there are arrivals to come."""
        return not self._stopped and (self._next is not None or bool(self._users))

    @property
    def waiting_entries(self) -> frozenset[int]:
        """The entries whose users wait for every answer; of the others only refusals matter."""
        return frozenset(self._users)

    def answered(self, request: Request) -> None:
        """A client has its answer, and may come again: with the same request, or after a think time with its next one."""
        if request.answered is None or self._stopped:
            return
        entry, number = request.entry, request.number
        users = self._users.get(entry)
        if request.status != 200:
            identity = RequestIdentity(entry, number, request.attempt)
            retries = self._retries.wait if users is None else users.wait_before_retry
            wait = retries(identity, request.status)
            if wait is not None:
                self._plan_retry(request.answered + wait, identity._replace(attempt=request.attempt + 1))
                return
        if users is not None:
            user = user_of(number)
            following = number_of(user, turn_of(number) + 1)
            self._plan_turn(request.answered + users.think_before(following), entry, user, following)

    def _plan_retry(self, at: int, again: RequestIdentity) -> None:
        order = again.number << _ATTEMPT_BITS | again.attempt
        self._calendar.at(
            at,
            Order.RETRY,
            lambda: self._send(again.entry, again.number, again.attempt),
            again.entry << _ATTEMPT_BITS + _NUMBER_BITS | order,
        )

    def _plan_turn(self, at: int, entry: int, user: int, number: int) -> None:
        self._calendar.at(at, Order.ARRIVAL, lambda: self._send(entry, number, 0), key(entry + 1, user))

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
            draws = self._split[entry, attempt] = split_draws(
                self._plan.seed, self._plan.replication, entry, attempt, self._plan.service
            )
        self._arrive_at_the_router(Request(number, entry, attempt, now, draws.at(number), counted=counted))
