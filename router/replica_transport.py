"""The way from a router to its replicas: addresses, connections, and what has become of a request.

Made for servers that work on one request at a time, as the inference server with one synchronous worker does. Such a server takes
the next connection when it has answered the one before, and an idle connection keeps it from all others. So none is opened before
there is a request for it, and one is used again only if the replica has offered that, and soon.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from akstwin.backend import ScoreRequest
from akstwin.clock import MILLISECOND
from akstwin.router.replica_connection import Broken, Outcome, Refused, ReplicaConnection, encode

IDLE_SECONDS: Final = 1.0
"""How long a connection that a replica keeps is used again: less than servers keep one (2 s and more), so that a request does not
meet its end."""
_TURNED_AWAY: Final = (OSError, TimeoutError)


class ReplicaTransport(Protocol):
    """Carries bytes; the router decides."""

    def address(self, replica: int, address: str | None) -> None:
        """Where a replica is.

        Args:
            replica: its number.
            address: `host:port`; None: it is gone, and what it works on is broken.
        """
        ...

    def send(self, replica: int, request: ScoreRequest, done: Callable[[Outcome], None]) -> None:
        """Send a request; `done` is called once, after this has returned."""
        ...


class _Replica:
    __slots__ = ("address", "connections", "host", "idle", "port")

    def __init__(self, address: str) -> None:
        self.address = address
        host, _, port = address.rpartition(":")
        self.host, self.port = host.strip("[]"), int(port)
        self.idle: deque[ReplicaConnection] = deque()  # the latest freed last
        self.connections: set[ReplicaConnection] = set()


class TcpTransport:
    """A `ReplicaTransport` over TCP, for the running event loop.

    A request is sent once: when a byte of it may have left, nothing sends it again. The answer to a client that has gone, or that
    has its answer already, is read nevertheless: until then the replica is busy.

    Args:
        connect_timeout: µs for a connection; a replica that takes none by then has refused it.
        longest_reply: bytes of a reply's body; of a longer one the request is broken.
    """

    def __init__(self, connect_timeout: int = 2000 * MILLISECOND, longest_reply: int = 100 * 10**6) -> None:
        self._loop = asyncio.get_running_loop()
        self._connect_timeout = connect_timeout / 1e6
        self._longest_reply = longest_reply
        self._replicas: dict[int, _Replica] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def address(self, replica: int, address: str | None) -> None:
        """Where a replica is; with another address than before it is another server, and what the old one had is broken."""
        known = self._replicas.get(replica)
        if known is not None and known.address == address:
            return
        if known is not None:
            del self._replicas[replica]
            for connection in list(known.connections):
                connection.close()
        if address is not None:
            self._replicas[replica] = _Replica(address)

    def send(self, replica: int, request: ScoreRequest, done: Callable[[Outcome], None]) -> None:
        """Send a request."""
        known = self._replicas.get(replica)
        if known is None:
            self._loop.call_soon(done, Refused("the router does not know its address"))
            return
        try:
            data = encode(request, known.address)
        except ValueError as error:
            self._loop.call_soon(done, Broken(str(error)))
            return
        connection = self._kept(known)
        if connection is not None:
            connection.send(request.method, data, done)
            return
        task = self._loop.create_task(self._open(known, request.method, data, done))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def open_connections(self) -> int:
        """Connections to all replicas, idle ones among them."""
        return sum(len(replica.connections) for replica in self._replicas.values())

    def close(self) -> None:
        """End all connections; what is on them is broken."""
        for task in self._tasks:
            task.cancel()
        for replica in list(self._replicas):
            self.address(replica, None)

    def _kept(self, replica: _Replica) -> ReplicaConnection | None:
        """The connection that was freed last, if it is fresh enough."""
        oldest = self._loop.time() - IDLE_SECONDS
        while replica.idle:
            connection = replica.idle.pop()
            if connection.idle_since >= oldest and not connection.closing:
                return connection
            connection.close()
        return None

    async def _open(self, replica: _Replica, method: str, data: bytes, done: Callable[[Outcome], None]) -> None:
        def make() -> ReplicaConnection:
            return ReplicaConnection(partial(self._freed, replica), partial(self._ended, replica), self._longest_reply)

        try:
            async with asyncio.timeout(self._connect_timeout):
                _, connection = await self._loop.create_connection(make, replica.host, replica.port)
        except _TURNED_AWAY as error:
            done(Refused(str(error) or f"no connection within {self._connect_timeout:g} s"))
            return
        except asyncio.CancelledError:
            done(Broken("the router ends"))
            raise
        if connection.closing:  # taken and closed again before a byte was sent
            done(Refused("it closed the connection at once"))
            return
        replica.connections.add(connection)
        connection.send(method, data, done)

    def _freed(self, replica: _Replica, connection: ReplicaConnection) -> None:
        connection.idle_since = self._loop.time()
        replica.idle.append(connection)
        self._loop.call_later(IDLE_SECONDS, self._tidy, replica)

    def _tidy(self, replica: _Replica) -> None:
        """Close connections that have been idle for too long: a server with one worker waits at them."""
        oldest = self._loop.time() - IDLE_SECONDS
        while replica.idle and replica.idle[0].idle_since <= oldest:
            replica.idle.popleft().close()

    def _ended(self, replica: _Replica, connection: ReplicaConnection) -> None:
        replica.connections.discard(connection)
        if connection in replica.idle:
            replica.idle.remove(connection)
