"""The simulation's calendar: SimPy's event list, with the order at one instant that design §3 lays down."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from heapq import heappush

from simpy import Environment, Event
from simpy.core import Infinity

from akstwin.clock import Micros
from akstwin.engine.schedule import KEY_BITS, Order, key

__all__ = ["Calendar", "Order", "Timer", "key"]

_CLASSES = [order << KEY_BITS for order in Order]
"""First priority of each class: a key is added to it."""


class Timer(Event):
    """Something that will be done at one instant, unless it is cancelled before."""

    def __init__(self, env: Environment, action: Callable[[], None]) -> None:
        # Not Event.__init__: the timer is triggered from the start, as SimPy's own Timeout is.
        self.env = env
        self.callbacks = [_ring]
        self._value = None
        self._ok = True
        self.action: Callable[[], None] | None = action

    def cancel(self) -> None:
        """It will not be done."""
        self.action = None


def _ring(event: Event) -> None:
    assert isinstance(event, Timer)  # noqa: S101
    if event.action is not None:
        event.action()


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
        timer = Timer(self, action)
        assert instant >= self._now, f"nothing can be done {self._now - instant} µs ago"  # noqa: S101
        heappush(self._queue, (instant, _CLASSES[order] + key, next(self._eid), timer))  # type: ignore[misc]
        return timer

    def after(self, span: int, order: Order, action: Callable[[], None], key: int = 0) -> Timer:
        """Do `action` in `span` from now."""
        return self.at(self._now + span, order, action, key)  # type: ignore[arg-type]

    def peek(self) -> float:
        """When something happens next; infinity: never."""
        return self._queue[0][0] if self._queue else Infinity

    def run_until(self, instant: int) -> None:
        """Let everything happen up to `instant`, that instant included."""
        if instant < self._now:
            return
        peek, step = self.peek, self.step
        if peek() <= instant:
            with _rare_collections():
                while peek() <= instant:  # not `run`, which makes an event of the end
                    step()
        self._now = instant
