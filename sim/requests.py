"""One attempt of one request on its way through an engine."""

from abc import ABC, abstractmethod

from akstwin.backend import ScoreRequest
from akstwin.domain.reasons import Reason
from akstwin.worker import Reply


class Exchange(ABC):
    """What a request asks, where somebody waits for the very answer.

    Attributes:
        request: as the client sent it.
        size: of its body, bytes; it need not have been read.
        reply: what the container answered; None: it did not.
    """

    __slots__ = ("reply", "request", "size")

    def __init__(self, request: ScoreRequest) -> None:
        self.request = request
        self.size = len(request.body)
        self.reply: Reply | None = None

    @abstractmethod
    def settle(self, live: "Request") -> None:
        """The router has answered; called once."""


class Request:
    """An attempt: request `number` of traffic entry `entry`, tried for the `attempt`-th time (0: the first).

    Attributes:
        id: unlike any other in the run.
        arrived: when it came in, µs; likewise below.
        draw: what decides the traffic split.
        counted: whether it belongs to the result's window.
        version: who it was meant for; None: refused before that.
        replica: who it was sent to.
        dispatched: when it was sent.
        started: when a worker began with it.
        answered: when the client had its answer.
        status: of the answer; 0 while there is none.
        reason: why it was not the model's answer.
        exchange: what it asks; None: it only takes time.
    """

    __slots__ = (
        "answered", "arrived", "attempt", "counted", "dispatched", "draw", "entry", "exchange", "id", "number", "reason",
        "replica", "started", "status", "version",
    )  # fmt: skip

    def __init__(self, number: int, entry: int, attempt: int, arrived: int, draw: int, *, counted: bool) -> None:
        self.id = -1
        self.entry = entry
        self.number = number
        self.attempt = attempt
        self.arrived = arrived
        self.draw = draw
        self.counted = counted
        self.version: str | None = None
        self.replica: int | None = None
        self.dispatched: int | None = None
        self.started: int | None = None
        self.answered: int | None = None
        self.status = 0
        self.reason: Reason | None = None
        self.exchange: Exchange | None = None
