"""Generated load of the compiled engine: arrivals in blocks; what answers cause is decided as for the reference."""

from collections.abc import Callable
from itertools import islice
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from akstwin.clock import NEVER
from akstwin.domain.workload import Arrivals, ClosedLoopUsers, PoissonArrivals
from akstwin.sim.calendar import Calendar
from akstwin.sim.load.arrivals import block_of_gaps, instants, poisson_gaps
from akstwin.sim.load.generator import LoadGenerator
from akstwin.sim.load.plan import LoadPlan
from akstwin.sim.load.request_index import RequestIdentity
from akstwin.sim.load.users import number_of
from akstwin.sim.requests import Request
from akstwin.sim.streams import BLOCK

Block = npt.NDArray[np.int64]
_OFTEN: Final = 1e-6
"""Requests per second: so many at least, and a block of gaps can be summed without an overflow."""


class CompiledLoad:
    """The load of one plan, sent by the kernel.

    Args:
        plan: what is sent.
        calendar: tells the time.
        kernel: sends it.
    """

    def __init__(self, plan: LoadPlan, calendar: Calendar, kernel: Any) -> None:
        self.plan = plan
        self._kernel = kernel
        self._answers = _Answers(plan, calendar, kernel)
        self._blocks: dict[int, Callable[[], Block]] = {
            entry: _blocks(plan, entry, each)
            for entry, each in zip(plan.entries, plan.traffic, strict=True)
            if not isinstance(each, ClosedLoopUsers)
        }

    def start(self) -> None:
        """Begin to send."""
        plan, waiting = self.plan, self._answers.waiting_entries
        for entry, traffic in zip(plan.entries, plan.traffic, strict=True):
            own = traffic.clients if isinstance(traffic, ClosedLoopUsers) else None
            clients = plan.clients if own is None else own
            followed = clients.retry not in ("none", "urllib3")
            self._kernel.add_entry(entry, *plan.window, followed, entry in waiting, entry in self._blocks)
        self._answers.start()

    def stop(self) -> None:
        """Send no more, and repeat nothing."""
        self._answers.stop()
        for entry in self.plan.entries:
            self._kernel.stop_entry(entry)

    @property
    def sent(self) -> int:
        """Requests so far, retries among them."""
        return sum(self._kernel.sent(entry)[0] for entry in self.plan.entries)

    @property
    def retries(self) -> int:
        """How many of those were sent again."""
        return sum(self._kernel.sent(entry)[1] for entry in self.plan.entries)

    @property
    def running(self) -> bool:
        """Whether there are arrivals to come."""
        return self._answers.running or any(self._kernel.has_arrivals(entry) for entry in self._blocks)

    @property
    def waiting_entries(self) -> frozenset[int]:
        """The entries whose users wait for every answer."""
        return self._answers.waiting_entries

    def arrivals(self, entry: int) -> Block:
        """The entry's next instants; none: it has no more."""
        return self._blocks[entry]()

    def answered(self, entry: int, number: int, attempt: int, status: int, answered: int) -> None:
        """A client has its answer, and may come again."""
        request = Request(number, entry, attempt, 0, 0, counted=False)
        request.status, request.answered = status, answered
        self._answers.answered(request)


class _Answers(LoadGenerator):
    """What answers cause, for the kernel to send."""

    def __init__(self, plan: LoadPlan, calendar: Calendar, kernel: Any) -> None:
        super().__init__(plan, lambda _: None, calendar)
        self._kernel = kernel

    def start(self) -> None:
        """Begin: users have their first turns; arrivals are the kernel's."""
        for entry, users in self._users.items():
            for user in range(users.spec.users):
                self._plan_turn(self._plan.start + users.first(user), entry, user, number_of(user, 0))

    def _plan_retry(self, at: int, again: RequestIdentity) -> None:
        self._kernel.plan_retry(at, again.entry, again.number, again.attempt)

    def _plan_turn(self, at: int, entry: int, user: int, number: int) -> None:
        self._kernel.plan_turn(at, entry, user, number)


def _blocks(plan: LoadPlan, entry: int, arrivals: Arrivals) -> Callable[[], Block]:
    """Gives an entry's instants, a block at a time."""
    if isinstance(arrivals, PoissonArrivals) and arrivals.rate >= _OFTEN:
        return _poisson(plan, entry, arrivals)
    following = instants(arrivals, plan.seed, plan.replication, entry, plan.service)

    def block() -> Block:
        return np.fromiter((min(plan.start + instant, NEVER) for instant in islice(following, BLOCK)), np.int64)

    return block


def _poisson(plan: LoadPlan, entry: int, arrivals: PoissonArrivals) -> Callable[[], Block]:
    gaps = poisson_gaps(plan.seed, plan.replication, f"{plan.service}{entry}")
    now, number = int(plan.start), 0

    def block() -> Block:
        nonlocal now, number
        made = now + np.cumsum(block_of_gaps(gaps, number, arrivals.rate))
        now, number = int(made[-1]), number + 1
        return made

    return block
