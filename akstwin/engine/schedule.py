"""When something is done: the port to a simulation's calendar, and the order at one instant (design §3)."""

from collections.abc import Callable
from enum import IntEnum
from typing import Final, Protocol

from akstwin.clock import Micros


class Order(IntEnum):
    """Classes of events, in the order in which they take place at one instant (design §3).

    No class belongs to both the data plane and the control plane. Within a class the event with the smaller key goes first;
    events of equal key keep the order in which they were scheduled.
    """

    SAMPLE = 0
    # The data plane's; the key is the replica's number, or begins with it.
    COMPLETION = 1
    SCORING_TIMEOUT = 2
    FAULT = 3
    WORKER_BACK = 4
    CONTAINER = 5
    PROBE_DEADLINE = 6
    PROBE = 7
    # The control plane's.
    POD = 8
    ROUTER_VIEW = 9
    OPERATION = 10
    AUTOSCALER = 11
    POLICY = 12
    # Requests; the key of an arrival is its traffic entry, that of a retry entry, number and attempt.
    QUEUE_DEADLINE = 13
    ARRIVAL = 14
    RETRY = 15


KEY_BITS: Final = 96
"""Width of a key: two numbers of 48 bits, the first counts more."""


def key(first: int, second: int = 0) -> int:
    """The key of an event: `first` decides, then `second`; both from 0 up to 2**48."""
    return first << 48 | second


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

    def at(self, instant: int, order: Order, action: Callable[[], None], key: int = 0) -> Timer:
        """Do `action` at `instant`, which has not passed; of two in one class at one instant, the smaller key first."""
        ...

    def after(self, span: int, order: Order, action: Callable[[], None], key: int = 0) -> Timer:
        """Do `action` in `span` from now."""
        ...
