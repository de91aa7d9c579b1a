"""The order of events at one instant (design §3)."""

from enum import IntEnum
from typing import Final


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


CONTROL: Final = frozenset(
    {Order.SAMPLE, Order.FAULT, Order.POD, Order.ROUTER_VIEW, Order.OPERATION, Order.AUTOSCALER, Order.POLICY}
)
"""Classes of events that look at engines or change them; the events of the others belong to one engine, or to one request."""
END_OF_INSTANT: Final = len(Order)
"""Comes after every class."""

KEY_BITS: Final = 96
"""Width of a key: two numbers of 48 bits, the first counts more."""


def key(first: int, second: int = 0) -> int:
    """The key of an event: `first` decides, then `second`; both from 0 up to 2**48."""
    return first << 48 | second
