"""What answers inside simulated containers, where somebody waits for the very answer."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NoReturn, Protocol

from akstwin.clock import Micros
from akstwin.dataplane import ContainerSpec
from akstwin.sim.requests import Exchange
from akstwin.worker import Ran, Request, Started
from akstwin.worker.replies import CallableReply, Replies


class Later(ABC):
    """Containers whose scripts take real time: what they answer comes later, on the caller's event loop."""

    @property
    @abstractmethod
    def real_time(self) -> bool:
        """Whether that time counts, now; else an answer waits for the time that the profile tells."""

    @abstractmethod
    def begin_init(self, container: int, at: datetime, done: Callable[[Started], None]) -> None:
        """Start a container; `done` is called once, later."""

    @abstractmethod
    def begin_run(self, container: int, request: Request, done: Callable[[Ran], None]) -> None:
        """Send a request to a container; `done` is called once, later, also for a container that has been stopped."""

    @abstractmethod
    def stop(self, container: int) -> None:
        """The container is gone; so it may have been before."""

    @abstractmethod
    def logs(self, lines: int | None = None) -> str:
        """What all its containers have written, bounded; or the last lines of it."""

    @abstractmethod
    def close(self) -> None:
        """End all containers. The logs stay."""


class Contents(Protocol):
    """Gives containers what they answer with, and their wall clock."""

    def wall(self, now: Micros) -> datetime:
        """The date and time of an instant, UTC."""
        ...

    def replies(self, spec: ContainerSpec) -> Replies | Later | None:
        """What a container answers with; None: its requests only take time."""
        ...


class Empty:
    """Containers of a scenario: nobody asks them anything."""

    def wall(self, now: Micros) -> datetime:
        """The date and time of an instant; a scenario's clock starts with Unix time."""
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=now)

    def replies(self, spec: ContainerSpec) -> None:
        """Nothing."""


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
