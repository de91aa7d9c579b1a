"""The client of a comparison: open-loop, with its own lateness told."""

import asyncio
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any

import pytest

from akstwin.scenarios.compare_client import NO_ANSWER, Pool, Replay, Sent, Target
from akstwin.sim.load.request_index import HEADER, RequestIdentity

Answering = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


def never(_: Sent) -> int | None:
    """No client tries again."""
    return None


async def answer(writer: asyncio.StreamWriter, status: int = 200) -> None:
    """Send an answer."""
    writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 2\r\n\r\n{{}}".encode())
    await writer.drain()


def replayed(
    answering: Answering,
    planned: list[tuple[int, RequestIdentity]],
    again: Callable[[Sent], int | None] = never,
    connections: int = 50,
    clock: Callable[[], float] | None = None,
    start: float | None = None,
    rate: float = 1.0,
) -> tuple[list[Sent], Pool]:
    """What became of requests to a server that answers so; `answering` is given the request's identity."""

    async def main() -> tuple[list[Sent], Pool]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            serving.add(task)
            try:
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).decode()
                    await reader.readexactly(2)
                    fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
                    assert fields["Authorization"] == "Bearer key"
                    await answering(fields[HEADER], writer)
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

        serving: set[asyncio.Task[Any]] = set()
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        target = Target("127.0.0.1", server.sockets[0].getsockname()[1], "/api/v1/service/fraud/score", "key")
        pool = Pool(target)
        await pool.open(connections)
        given: dict[str, Any] = {} if clock is None else {"clock": clock}
        replay = Replay(pool, target, rate, 10**12, again, **given)
        sent = await replay.run(planned, perf_counter() if start is None else start, 20.0)
        pool.close()
        await asyncio.gather(*serving)
        server.close()
        return sent, pool

    return asyncio.run(main())


def plan(number: int, gap: int = 1000) -> list[tuple[int, RequestIdentity]]:
    """So many requests, µs apart."""
    return [(at * gap, RequestIdentity(0, at)) for at in range(number)]


def test_no_request_waits_for_the_answer_to_another() -> None:
    """A server that answers nobody until all have come would wait for ever for a client that does."""
    waiting: list[asyncio.StreamWriter] = []

    async def all_or_nothing(_: str, writer: asyncio.StreamWriter) -> None:
        waiting.append(writer)
        if len(waiting) == 20:
            for each in waiting:
                await answer(each)

    sent, pool = replayed(all_or_nothing, plan(20))
    assert [each.identity.number for each in sent] == list(range(20))
    assert {each.status for each in sent} == {200}
    assert pool.late == 0


def test_more_requests_than_connections_are_sent_all_the_same_and_counted() -> None:
    """The pool grows; that it had to is told."""
    waiting: list[asyncio.StreamWriter] = []

    async def all_or_nothing(_: str, writer: asyncio.StreamWriter) -> None:
        waiting.append(writer)
        if len(waiting) == 5:
            for each in waiting:
                await answer(each)

    sent, pool = replayed(all_or_nothing, plan(5, gap=0), connections=2)
    assert [each.status for each in sent] == [200] * 5
    assert pool.late == 3


def test_lateness_is_from_the_intended_instant_to_the_sending() -> None:
    """A client that comes back after 2 s sends all that was due then, each with its own lateness."""

    async def at_once(_: str, writer: asyncio.StreamWriter) -> None:
        await answer(writer)

    sent, _ = replayed(at_once, plan(3, gap=500_000), clock=lambda: 102.0, start=100.0)
    assert [each.intended for each in sent] == [0.0, 0.5, 1.0]
    assert [each.at - each.intended for each in sent] == [2.0, 1.5, 1.0]


def test_a_faster_server_gets_its_requests_closer_together() -> None:
    """Instants are the scenario's; the client's seconds are real."""

    async def at_once(_: str, writer: asyncio.StreamWriter) -> None:
        await answer(writer)

    sent, _ = replayed(at_once, plan(3, gap=500_000), clock=lambda: 102.0, start=100.0, rate=10.0)
    assert [each.intended for each in sent] == pytest.approx([0.0, 0.05, 0.1])


def test_a_connection_that_breaks_is_no_answer_and_stops_nothing() -> None:
    """Not a status, not an error, not a hang."""

    async def second_breaks(identity: str, writer: asyncio.StreamWriter) -> None:
        if identity == "0/1/0":
            writer.close()
        else:
            await answer(writer)

    sent, _ = replayed(second_breaks, plan(4))
    assert [each.status for each in sent] == [200, NO_ANSWER, 200, 200]
    assert [each.ended is None for each in sent] == [False, True, False, False]


def test_who_tries_again_says_which_attempt_it_is() -> None:
    """So that the server draws what the simulator draws for that attempt."""
    came: list[str] = []

    async def refusing(identity: str, writer: asyncio.StreamWriter) -> None:
        came.append(identity)
        await answer(writer, 200 if identity.endswith("/2") else 503)

    def twice_more(sent: Sent) -> int | None:
        return 10 if sent.status == 503 else None

    sent, _ = replayed(refusing, plan(1), twice_more)
    assert came == ["0/0/0", "0/0/1", "0/0/2"]
    assert [each.status for each in sent] == [503, 503, 200]
    assert sent[1].intended > sent[0].intended


def test_a_server_that_closes_after_each_answer_costs_nothing_but_connections() -> None:
    """`connection: close` is respected."""

    async def closing(_: str, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()

    sent, _ = replayed(closing, plan(4), connections=1)
    assert [each.status for each in sent] == [200] * 4


def test_the_secret_is_not_shown() -> None:
    """Not where the target is printed."""
    assert "key" not in repr(Target("127.0.0.1", 1, "/", "key"))
