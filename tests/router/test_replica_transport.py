"""Requests over real sockets to servers on loopback: what comes back, what counts as refused, what as broken."""

import asyncio
import os
from collections.abc import Awaitable, Callable

import pytest
from support.replicas import OK, SynchronousServer, answer, nobody, read_request, replica, synchronous, until

from akstwin.backend import ScoreRequest
from akstwin.clock import SECOND
from akstwin.router.replica_connection import Broken, Outcome, Refused, Reply, encode
from akstwin.router.replica_transport import TcpTransport

LONG = 30 * SECOND
Ask = Callable[..., Awaitable[Outcome]]


def ask(transport: TcpTransport, request: ScoreRequest | None = None, number: int = 1) -> asyncio.Future[Outcome]:
    """Send a request to a replica; the future has what came of it."""
    future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    transport.send(number, request or ScoreRequest(b"in"), future.set_result)
    assert not future.done()
    return future


def one(
    reply: bytes, request: ScoreRequest | None = None, *, longest: int = 10**6
) -> tuple[Outcome, tuple[str, dict[str, str], bytes]]:
    """What comes of a request that is answered with these bytes, and what the replica has read."""

    async def story() -> tuple[Outcome, tuple[str, dict[str, str], bytes]]:
        seen = []

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(await read_request(reader))
            writer.write(reply)
            await writer.drain()

        async with replica(handle) as address:
            transport = TcpTransport(LONG, longest)
            transport.address(1, address)
            outcome = await ask(transport, request)
            transport.close()
            return outcome, seen[0]

    return asyncio.run(story())


@pytest.mark.parametrize(
    "raw",
    [
        answer(b"out", "X-A: 1"),
        b"HTTP/1.1 200 OK\r\nX-A: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n2\r\nut\r\n0\r\nX-Trailer: t\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-A: 1\r\nConnection: close\r\n\r\nout",
        b"HTTP/1.0 200 OK\r\nX-A: 1\r\n\r\nout",
        b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"out", "X-A: 1"),
        answer(b"out", "X-A: 1", "Keep-Alive: timeout=5", "Connection: X-Hop", "X-Hop: 1"),
    ],
    ids=["length", "chunks", "until-the-end", "http-1.0", "interim", "hop-by-hop"],
)
def test_a_reply_is_whole_however_it_is_framed(raw: bytes) -> None:
    """Status, headers that hold for more than the connection, and body."""
    assert one(raw)[0] == Reply(200, (("X-A", "1"),), b"out")


def test_a_replica_gets_what_the_client_sent() -> None:
    """But for what holds for the client's connection alone; the length is that of the body."""
    headers = (
        ("Host", "scoring.example"), ("authorization", "Bearer k"), ("Content-Type", "text/plain"),
        ("Connection", "keep-alive, X-Mine"), ("X-Mine", "1"), ("Transfer-Encoding", "chunked"),
        ("Expect", "100-continue"), ("TE", "trailers"), ("X-Other", "a"), ("X-Other", "b"),
    )  # fmt: skip
    sent = ScoreRequest(b"body", headers, "POST", "/score", "a=1&b=%20")
    line, seen, body = one(OK, sent)[1]

    assert (line, body) == ("POST /score?a=1&b=%20 HTTP/1.1", b"body")
    assert seen == {
        "host": "scoring.example", "authorization": "Bearer k", "content-type": "text/plain", "x-other": "b",
        "content-length": "4",
    }  # fmt: skip


def test_without_a_host_the_replicas_own_is_named() -> None:
    """A request without one would be refused."""
    assert one(OK, ScoreRequest(b""))[1][1]["host"].startswith("127.0.0.1:")


@pytest.mark.parametrize(
    "request_",
    [
        ScoreRequest(b"", (("X-A", "1\r\nX-B: 2"),)),
        ScoreRequest(b"", (("X-A\r\nX-B", "2"),)),
        ScoreRequest(b"", (), query="a HTTP/1.1\r\nX-B: 2"),
        ScoreRequest(b"", (), query="a b"),
    ],
    ids=["value", "name", "query", "space"],
)
def test_no_header_begins_another_line(request_: ScoreRequest) -> None:
    """What a caller writes into a value is never another header, or another request."""
    with pytest.raises(ValueError, match="control character or a space"):
        encode(request_, "127.0.0.1:1")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        answer(b"x" * 2000),
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"x" * 1000) for n in range(200)),
    ],
    ids=["nothing", "head", "body", "chunk", "two-lengths", "length-and-chunks", "upgrade", "ssh", "long", "long-head"],
)
def test_half_a_reply_is_broken(raw: bytes) -> None:
    """So is one that is no HTTP, or is longer than any that is taken."""
    assert isinstance(one(raw, longest=1000)[0], Broken)


def test_a_closed_port_has_refused() -> None:
    """Not a byte has left; nor has one for a replica whose address nobody knows."""

    async def story() -> None:
        transport = TcpTransport(LONG)
        transport.address(1, nobody())
        assert isinstance(await ask(transport), Refused)
        assert isinstance(await ask(transport, number=2), Refused)

    asyncio.run(story())


def test_a_replica_that_takes_no_connection_in_time_has_refused() -> None:
    """Its node may be lost: its listen queue is full, and nothing empties it."""

    async def story() -> None:
        import socket  # noqa: PLC0415

        with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
            address = listener.getsockname()
            blocking = [socket.socket() for _ in range(4)]
            for each in blocking:
                each.setblocking(False)
                each.connect_ex(address)
            transport = TcpTransport(SECOND // 5)
            transport.address(1, f"{address[0]}:{address[1]}")
            assert await ask(transport) == Refused("no connection within 0.2 s")
            for each in blocking:
                each.close()

    asyncio.run(story())


def test_a_server_with_one_worker_is_never_kept_waiting() -> None:
    """It gets a connection with each request and none before, one after the other: all of them are answered."""

    async def story(server: SynchronousServer) -> None:
        transport = TcpTransport(LONG)
        transport.address(1, server.address)
        for number in range(20):
            outcome = await ask(transport, ScoreRequest(b"%d" % number))
            assert isinstance(outcome, Reply)
            assert outcome.body == b"%d" % number
        await asyncio.sleep(0)
        assert transport.open_connections == 0
        many = await asyncio.gather(*(ask(transport, ScoreRequest(b"x")) for _ in range(10)))
        assert all(isinstance(each, Reply) for each in many)

    with synchronous() as server:
        asyncio.run(story(server))
        assert len(server.served) == 30


def test_a_connection_is_used_again_only_if_the_replica_keeps_it_and_soon() -> None:
    """After a second it is closed: servers close theirs after two, and a request would meet that."""

    async def story() -> None:
        connections = 0

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            while True:
                await read_request(reader)
                writer.write(OK)

        async with replica(handle) as address:
            transport = TcpTransport(LONG)
            transport.address(1, address)
            for _ in range(5):
                assert isinstance(await ask(transport), Reply)
            assert connections == transport.open_connections == 1
            await until(lambda: not transport.open_connections)
            assert isinstance(await ask(transport), Reply)
            assert connections == 2
            transport.close()

    asyncio.run(story())


def test_a_replica_that_is_gone_breaks_what_it_works_on() -> None:
    """A pod's address is taken away when the pod is."""

    async def story() -> None:
        async def handle(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            await read_request(reader)
            reading.set()
            await reader.read()

        reading = asyncio.Event()
        async with replica(handle) as address:
            transport = TcpTransport(LONG)
            transport.address(1, address)
            pending = ask(transport)
            await reading.wait()
            transport.address(1, None)
            assert isinstance(await pending, Broken)
            assert isinstance(await ask(transport), Refused)

    asyncio.run(story())


def test_large_bodies_go_both_ways() -> None:
    """Byte by byte the same."""
    body = os.urandom(8 * 10**6)

    async def story() -> None:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            _, _, sent = await read_request(reader)
            writer.write(answer(sent, "Connection: close"))
            await writer.drain()

        async with replica(handle) as address:
            transport = TcpTransport(LONG)
            transport.address(1, address)
            outcome = await ask(transport, ScoreRequest(body))
            assert isinstance(outcome, Reply)
            assert outcome.body == body

    asyncio.run(story())
