"""The simulation's calendar: SimPy's event list, with the order at one instant that design §3 lays down."""

from collections.abc import Callable
from enum import IntEnum

from simpy import Environment, Event

from akstwin.clock import Micros


class Order(IntEnum):
    """What goes first at one instant; within a class, what was put in first."""

    SAMPLE = -1
    COMPLETION = 0
    SCORING_TIMEOUT = 1
    FAULT = 2
    CLUSTER = 3
    OPERATION = 4
    AUTOSCALER = 5
    POLICY = 6
    QUEUE_DEADLINE = 7
    ARRIVAL = 8
    PAUSE = 99


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


class Calendar:
    """What happens when. Instants are whole microseconds from the start."""

    def __init__(self) -> None:
        self.env = Environment(0)

    @property
    def now(self) -> Micros:
        """The present."""
        return Micros(self.env.now)  # type: ignore[arg-type]

    def at(self, instant: int, order: Order, action: Callable[[], None]) -> Timer:
        """Do `action` at `instant`; an instant that has passed is a bug."""
        timer = Timer(self.env, action)
        delay = instant - self.env.now
        assert delay >= 0, f"nothing can be done {-delay} µs ago"  # noqa: S101
        self.env.schedule(timer, order, delay)  # type: ignore[arg-type]
        return timer

    def after(self, span: int, order: Order, action: Callable[[], None]) -> Timer:
        """Do `action` in `span` from now."""
        return self.at(self.env.now + span, order, action)  # type: ignore[arg-type]

    def run_until(self, instant: int) -> None:
        """Let everything happen up to `instant`, that instant included."""
        if instant < self.env.now:
            return
        pause = self.at(instant, Order.PAUSE, lambda: None)
        self.env.run(until=pause)

    def step(self) -> None:
        """Let the next thing happen."""
        self.env.step()

    @property
    def next_at(self) -> float:
        """When the next thing happens; infinity if nothing does."""
        return self.env.peek()
