"""The simulation's calendar: SimPy's event list, with the order at one instant that design §3 lays down."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from heapq import heappop, heappush
from typing import Final, Protocol

from simpy import Environment, Event
from simpy.core import EmptySchedule, Infinity

from akstwin.clock import Micros
from akstwin.sim.event_order import CONTROL, END_OF_INSTANT, KEY_BITS, Order, key

__all__ = ["Calendar", "Engine", "Order", "Timer", "key"]


class Engine(Protocol):
    """Carries requests beside the calendar, and may run ahead of it to the next event of the control plane.

    It registers while it has work ahead, or outcomes to hand over. An engine that has work ahead has its calendar to itself: two
    of them would meet through the cluster's nodes at instants that one of them has passed.
    """

    def advance(self, until: int, before: int) -> int:
        """Do what is to be done up to `until`.

        Args:
            until: an instant, µs; nothing of the control plane happens before.
            before: of what is to be done at that very instant, only classes below this one take place.

        Returns:
            `until`; or an earlier instant, at which the control plane has to act first: the engine stopped there, and has put
            that on the calendar.
        """
        ...

    def hand_over(self) -> None:
        """Somebody is about to look: hand over the outcomes that there are."""
        ...


_CLASSES = [order << KEY_BITS for order in Order]
"""First priority of each class: a key is added to it."""
_STOPPED_FOR_NOTHING: Final = "an engine stopped early, and put nothing on the calendar"


class Timer(Event):
    """Something that will be done at one instant, unless it is cancelled before."""

    def __init__(self, env: Environment, action: Callable[[], None]) -> None:
        # Not Event.__init__: the timer is triggered from the start, as SimPy's own Timeout is, and nobody else waits for it.
        self.env = env
        self.callbacks = []
        self._value = None
        self._ok = True
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        """It will not be done."""
        self.action = None


class _ControlTimer(Timer):
    """Of the control plane: engines go first."""


_TIMERS = [_ControlTimer if order in CONTROL else Timer for order in Order]
"""The timers of each class."""


@contextmanager
def _rare_collections() -> Iterator[None]:
    """A simulation makes many small objects and almost no cycles: look for cycles less often meanwhile."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)


class CalendarClock:
    """Virtual time, which passes only while somebody waits."""

    def __init__(self, calendar: "Calendar") -> None:
        self._calendar = calendar

    def now(self) -> Micros:
        """The present instant."""
        return self._calendar.now

    def sleep_until(self, deadline: Micros) -> None:
        """Everything up to `deadline` happens, at once."""
        self._calendar.run_until(deadline)


class Calendar(Environment):
    """What happens when. Instants are whole microseconds from the start."""

    def __init__(self) -> None:
        super().__init__(0)
        self.in_parts = False
        """Whether whoever lets time pass also finishes what a command has begun; else the command does (`goes_on`)."""
        self._engines: dict[Engine, None] = {}

    @property
    def now(self) -> Micros:
        """The present."""
        return self._now  # type: ignore[return-value]  # it starts at 0 and only whole numbers are added

    def at(self, instant: int, order: Order, action: Callable[[], None], key: int = 0) -> Timer:
        """Do `action` at `instant`; an instant that has passed is a bug.

        Args:
            instant: when.
            order: its class: classes take turns at one instant.
            action: what to do.
            key: of two events of one class at one instant the one with the smaller key goes first, then the one that was
                scheduled first.
        """
        return self._put(_TIMERS[order](self, action), instant, order, key)

    def meet(self, instant: int, order: Order, action: Callable[[], None], key: int = 0) -> Timer:
        """Do `action` as `at` would, after engines have come as far, whatever its class: it is about one that runs ahead."""
        return self._put(_ControlTimer(self, action), instant, order, key)

    def _put(self, timer: Timer, instant: int, order: Order, key: int) -> Timer:
        assert instant >= self._now, f"nothing can be done {self._now - instant} µs ago"  # noqa: S101
        heappush(self._queue, (instant, _CLASSES[order] + key, next(self._eid), timer))  # type: ignore[misc]
        return timer

    def after(self, span: int, order: Order, action: Callable[[], None], key: int = 0) -> Timer:
        """Do `action` in `span` from now."""
        return self.at(self._now + span, order, action, key)  # type: ignore[arg-type]

    @property
    def goes_on(self) -> bool:
        """Whether the next event is a further part of what has begun at this very instant: nothing may come between."""
        queue = self._queue
        return bool(queue) and queue[0][0] == self._now and queue[0][1] < _CLASSES[Order.SAMPLE + 1]

    def peek(self) -> float:
        """When something on the calendar happens next; infinity: never."""
        return self._queue[0][0] if self._queue else Infinity

    def step(self) -> None:
        """Do what comes next; if it is the control plane's, after engines have come as far and handed over their outcomes.

        Raises:
            EmptySchedule: nothing comes.
        """
        queue = self._queue
        if not queue:
            raise EmptySchedule
        if self._engines and type(queue[0][3]) is _ControlTimer:
            self._advance_to_the_head()
        self._now, _, _, timer = heappop(queue)
        action = timer.action  # type: ignore[attr-defined]  # only timers are put here
        if action is not None:
            action()

    def run_until(self, instant: int) -> None:
        """Let everything happen up to `instant`, that instant included."""
        if instant < self._now:
            return
        peek, step = self.peek, self.step
        while True:
            if peek() <= instant:
                with _rare_collections():
                    while peek() <= instant:  # not `run`, which makes an event of the end
                        step()
            if not self._engines or self._reached(instant, END_OF_INSTANT):
                break
            assert peek() <= instant, _STOPPED_FOR_NOTHING  # noqa: S101
        self._now = instant

    # -- engines

    def register(self, engine: Engine) -> None:
        """Let an engine come along from now on. A second time is no mistake."""
        self._engines[engine] = None

    def drop(self, engine: Engine) -> None:
        """The engine has nothing ahead and nothing to hand over. A second time is no mistake."""
        self._engines.pop(engine, None)

    def collect(self) -> None:
        """Let engines hand over their outcomes, as they do before every event of the control plane.

        To be called by those who look at what is counted from outcomes at other times.
        """
        if self._engines:
            for engine in list(self._engines):
                engine.hand_over()

    def _advance_to_the_head(self) -> None:
        """Let engines come as far as the next event; one that stops before has put another one at the head."""
        while True:
            head = self._queue[0]
            if self._reached(int(head[0]), head[1] >> KEY_BITS):
                self.collect()
                break
            # The timer, not the entry: compiled code makes a new tuple each time it reads one.
            assert self._queue[0][3] is not head[3], _STOPPED_FOR_NOTHING  # noqa: S101

    def _reached(self, until: int, before: int) -> bool:
        """Let engines come as far; whether all have."""
        reached = True
        for engine in list(self._engines):
            if engine.advance(until, before) < until:
                reached = False
        return reached
