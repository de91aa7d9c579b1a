"""When something is done: the port to a simulation's calendar, and the order at one instant (design §3)."""

from collections.abc import Callable
from enum import IntEnum
from typing import Protocol

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


class Timer(Protocol):
    """Something that will be done."""

    def cancel(self) -> None:
        """It will not be done."""
        ...


class Schedule(Protocol):
    """Does things at instants, in order."""

    @property
    def now(self) -> Micros:
        """The present."""
        ...

    def at(self, instant: int, order: Order, action: Callable[[], None]) -> Timer:
        """Do `action` at `instant`, which has not passed."""
        ...

    def after(self, span: int, order: Order, action: Callable[[], None]) -> Timer:
        """Do `action` in `span` from now."""
        ...
