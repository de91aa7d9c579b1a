"""What answers inside simulated containers, where somebody waits for the very answer."""

from datetime import UTC, datetime, timedelta
from typing import NoReturn, Protocol

from akstwin.clock import Micros
from akstwin.dataplane import ContainerSpec
from akstwin.sim.requests import Exchange
from akstwin.worker import Ran, Request
from akstwin.worker.replies import AsyncReplies, CallableReply, Replies


class Contents(Protocol):
    """Gives containers what they answer with, and their wall clock."""

    def wall(self, now: Micros) -> datetime:
        """The date and time of an instant, UTC."""
        ...

    def replies(self, spec: ContainerSpec) -> Replies | AsyncReplies | None:
        """What a container answers with; None: its requests only take time."""
        ...

    def problem(self) -> str:
        """Why the files of one of the service's containers cannot be laid out; empty where they can."""
        ...


class Empty:
    """Containers of a scenario: nobody asks them anything."""

    def wall(self, now: Micros) -> datetime:
        """The date and time of an instant; a scenario's clock starts with Unix time."""
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=now)

    def replies(self, spec: ContainerSpec) -> None:
        """Nothing."""

    def problem(self) -> str:
        """There are no files."""
        return ""


class SimulatedFailure(Exception):
    """`run()` raised, as the profile's `failure_rate` says."""


def _fail(_: object) -> NoReturn:
    raise SimulatedFailure


def failure(container: int, request: Request) -> Ran:
    """The answer of a script whose `run()` raises."""
    with CallableReply(_fail) as replies:
        replies.init(container, request.at)
        return replies.run(container, request)


def asked_of(exchange: Exchange, at: datetime, takes: int | None) -> Request:
    """The request as the container gets it, and the run time that its reply shall tell; None: the real one."""
    asked = exchange.request
    told = None if takes is None else Micros(takes)
    return Request(at, asked.body, asked.headers, asked.method, asked.path, asked.query, told)
