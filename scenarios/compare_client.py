"""A client that never waits for one request to send the next: HTTP/1.1 on connections that are there beforehand.

It is lean on purpose: what the client itself takes is measured as if it were the server's.
"""

import asyncio
import contextlib
import gc
import ssl
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import count
from time import perf_counter
from typing import Any, Final, cast

import httptools

from akstwin.clock import SECOND
from akstwin.sim.load.request_index import HEADER, RequestIdentity

NO_ANSWER: Final = 0
"""Stands for a status where the connection broke or the patience ended."""
_TURNS: Final = 5
"""Of an event loop, in which an aborted connection is gone, an encrypted one too."""
_SPIN_SECONDS: Final = 0.0015
"""So long before an instant the client looks at its clock without pause: an event loop's timers are good to a millisecond."""


@dataclass(slots=True)
class Sent:
    """An attempt that was sent. Seconds count from the start of traffic, in real time.

    Attributes:
        identity: which.
        intended: when it was to be sent.
        at: when it was.
        ended: when its answer was complete; None: there was none.
        status: of the answer; 0: there was none.
    """

    identity: RequestIdentity
    intended: float
    at: float
    ended: float | None = None
    status: int = NO_ANSWER


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go.

    Attributes:
        host: of the server.
        port: likewise.
        path: of the service.
        secret: key or token.
        body: what is sent with each.
    """

    host: str
    port: int
    path: str
    secret: str = field(repr=False)
    body: bytes = b"{}"

    def request(self, identity: RequestIdentity, version: str | None = None) -> bytes:
        """A request as it goes over the wire.

        Args:
            identity: which.
            version: the one that it is for; None: the split decides.
        """
        chosen = "" if version is None else f"azureml-model-deployment: {version}\r\n"
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nAuthorization: Bearer {self.secret}\r\n"
            f"Content-Type: application/json\r\n{HEADER}: {identity}\r\n{chosen}Content-Length: {len(self.body)}\r\n\r\n"
        )
        return head.encode("latin-1") + self.body


class Connection(asyncio.Protocol):
    """One connection, for one request at a time."""

    def __init__(self) -> None:
        self.done: Callable[[int], None] | None = None
        self.open = True
        self._keep = True
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)

    @property
    def status(self) -> int:
        """Of the answer that is being read."""
        return int(self._parser.get_status_code())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        self._transport = cast("asyncio.Transport", transport)

    def send(self, request: bytes, done: Callable[[int], None]) -> None:
        """Send a request; `done` is called with the status when the answer is complete, 0 if there will be none."""
        assert self._transport is not None  # noqa: S101
        self.done = done
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """A part of an answer."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.close()

    def on_message_complete(self) -> None:
        """An answer is complete."""
        status, self._keep = self._parser.get_status_code(), self._parser.should_keep_alive()
        if not self._keep:
            self.open = False
        self._parser = httptools.HttpResponseParser(self)
        self._settle(status)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's
        """It is gone, and with it the answer."""
        self.open = False
        self._settle(NO_ANSWER)

    def _settle(self, status: int) -> None:
        done, self.done = self.done, None
        if done is not None:
            done(status)

    def close(self) -> None:
        """End it."""
        self.open = False
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End it at once."""
        self.open = False
        if self._transport is not None:
            self._transport.abort()


class Pool:
    """Connections enough that no request waits for one.

    Args:
        target: where they lead.
        protocol: makes a connection's end.
        tls: of connections that are encrypted.
    """

    def __init__(
        self, target: Target, protocol: Callable[[], Connection] = Connection, tls: ssl.SSLContext | None = None
    ) -> None:
        self._target = target
        self._protocol = protocol
        self._tls = tls
        self._idle: list[Connection] = []
        self._all: list[Connection] = []
        self._opening: set[asyncio.Task[None]] = set()
        self.late = 0
        """Requests that had to wait for a connection to be opened."""

    async def open(self, number: int) -> None:
        """Open so many.

        Raises:
            OSError: nobody listens.
        """
        self._idle += await asyncio.gather(*(self._connect() for _ in range(number)))

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            self._protocol, self._target.host, self._target.port, ssl=self._tls
        )
        self._all.append(connection)
        return connection

    def send(self, request: bytes, done: Callable[[int], None]) -> None:
        """Send at once, on a new connection if all are taken."""
        while self._idle:
            connection = self._idle.pop()
            if connection.open:
                self._send_on(connection, request, done)
                return
        self.late += 1
        task = asyncio.get_running_loop().create_task(self._send_later(request, done))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _send_later(self, request: bytes, done: Callable[[int], None]) -> None:
        try:
            connection = await self._connect()
        except OSError:
            done(NO_ANSWER)
            return
        self._send_on(connection, request, done)

    def _send_on(self, connection: Connection, request: bytes, done: Callable[[int], None]) -> None:
        def settled(status: int) -> None:
            if connection.open:
                self._idle.append(connection)
            done(status)

        connection.send(request, settled)

    def close(self) -> None:
        """End all."""
        for connection in self._all:
            connection.done = None
            connection.close()

    async def end(self) -> None:
        """End all, and wait until their sockets are closed; for a loop that ends with them."""
        for connection in self._all:
            connection.done = None
            connection.abort()
        for _ in range(_TURNS):
            await asyncio.sleep(0)


Again = Callable[[Sent], int | None]
"""Whether and when a client tries again: µs from the answer, by the scenario's clock."""


class Replay:
    """Sends requests at their instants, whatever becomes of those before.

    Args:
        pool: sends them.
        target: writes them.
        rate: µs of the scenario a real µs.
        until: instant from which on nothing is sent, µs of the scenario.
        again: asked at each answer.
        clock: real seconds.
    """

    def __init__(
        self,
        pool: Pool,
        target: Target,
        rate: float,
        until: int,
        again: Again,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self._pool = pool
        self._target = target
        self._scale = 1 / (rate * SECOND)
        self._until = until
        self._again = again
        self._clock = clock
        self._numbers = count()
        self._heap: list[tuple[float, int, RequestIdentity]] = []
        self._under_way = 0
        self._wake: asyncio.Event = asyncio.Event()
        self.sent: list[Sent] = []

    async def run(self, arrivals: Iterable[tuple[int, RequestIdentity]], start: float, patience: float) -> list[Sent]:
        """Send all; returns when all are answered.

        Args:
            arrivals: instants, µs of the scenario, and which.
            start: when the scenario's traffic starts, by this client's clock.
            patience: real seconds after the last was sent; then those without an answer have none.
        """
        self._heap = [(instant * self._scale, next(self._numbers), identity) for instant, identity in arrivals]
        heapify(self._heap)
        with _no_collections():
            while self._heap or self._under_way:
                self._wake.clear()
                pause = self._send_due(start)
                if pause is None and not self._under_way:
                    break
                try:
                    await self._rest(pause, patience)
                except TimeoutError:
                    break
        return self.sent

    async def _rest(self, pause: float | None, patience: float) -> None:
        """Until shortly before the next instant, or until something was answered."""
        if pause is not None and pause <= _SPIN_SECONDS:
            await asyncio.sleep(0)
            return
        limit = patience if pause is None else pause - _SPIN_SECONDS
        try:
            await asyncio.wait_for(self._wake.wait(), limit)
        except TimeoutError:
            if pause is None:
                raise

    def _send_due(self, start: float) -> float | None:
        """Send what is due; returns the seconds to the next, None if there is none."""
        while self._heap:
            now = self._clock() - start
            intended = self._heap[0][0]
            if intended > now:
                return intended - now
            _, _, identity = heappop(self._heap)
            self._send(Sent(identity, intended, now), start)
        return None

    def _send(self, sent: Sent, start: float) -> None:
        self.sent.append(sent)
        self._under_way += 1

        def done(status: int) -> None:
            self._under_way -= 1
            if status != NO_ANSWER:
                sent.ended = self._clock() - start
            sent.status = status
            wait = self._again(sent)
            if wait is not None and sent.ended is not None:
                instant = sent.ended + wait * self._scale
                if instant < self._until * self._scale:
                    identity = sent.identity._replace(attempt=sent.identity.attempt + 1)
                    heappush(self._heap, (instant, next(self._numbers), identity))
                    self._wake.set()
            if not self._heap and not self._under_way:
                self._wake.set()

        self._pool.send(self._target.request(sent.identity), done)


async def alone(
    pool: Pool, target: Target, entry: int, number: int, version: str, pause: Callable[[float], float]
) -> list[Sent]:
    """Requests one after the other.

    Args:
        pool: sends them.
        target: writes them.
        entry: of the traffic.
        number: how many.
        version: the one that they are for.
        pause: real seconds after a request that took so many.
    """
    found = []
    for at in range(number):
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[int] = loop.create_future()
        identity = RequestIdentity(entry, at)
        request = target.request(identity, version)
        began = perf_counter()
        ended = [began]

        def done(status: int, answered: Any = answered, ended: list[float] = ended) -> None:
            ended[0] = perf_counter()
            answered.set_result(status)

        pool.send(request, done)
        status = await answered
        found.append(Sent(identity, began, began, ended[0] if status else None, status))
        await asyncio.sleep(pause(ended[0] - began))
    return found


@contextlib.contextmanager
def _no_collections() -> Iterator[None]:
    """Looking for cycles would make requests late; a replay makes few of them."""
    gc.collect()
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            gc.enable()
