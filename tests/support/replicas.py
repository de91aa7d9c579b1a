"""Servers to stand behind a router: some as replicas are, some as they should not be."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A reply with a length."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


async def read_request(reader: asyncio.StreamReader) -> tuple[str, dict[str, str], bytes]:
    """Request line, headers in lower case, body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in head[1:] if line}
    return head[0], headers, await reader.readexactly(int(headers.get("content-length", 0)))


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def replica(handle: Handler) -> AsyncIterator[str]:
    """A server on loopback; each connection is handled by `handle`, then closed. Gives its address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await handle(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield "{}:{}".format(*server.sockets[0].getsockname()[:2])
    finally:
        server.close()


class SynchronousServer:
    """One worker that takes a connection, reads a request from it, answers, and closes it, as gunicorn's sync worker does.

    A connection on which nothing is sent keeps it from all others.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.served: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.address = "{}:{}".format(*self._listener.getsockname()[:2])
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                data = b""
                while b"\r\n\r\n" not in data:
                    more = connection.recv(65536)
                    if not more:
                        break
                    data += more
                else:
                    head, _, body = data.partition(b"\r\n\r\n")
                    length = next(
                        (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")),
                        0,
                    )
                    while len(body) < length:
                        body += connection.recv(65536)
                    time.sleep(self.seconds)  # noqa: TID251 - a worker at work
                    self.served.append(body)
                    connection.sendall(answer(body, "Connection: close"))

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def synchronous(seconds: float = 0.0) -> Iterator[SynchronousServer]:
    """A synchronous server for a while."""
    server = SynchronousServer(seconds)
    try:
        yield server
    finally:
        server.close()


def nobody() -> str:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return "{}:{}".format(*listener.getsockname()[:2])


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something to be so."""
    while not holds():  # noqa: ASYNC110 - what is waited for is another program's state
        await asyncio.sleep(0.001)
