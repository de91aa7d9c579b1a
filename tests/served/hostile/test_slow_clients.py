"""Whoever takes too long gets 408 and the connection's end, and keeps nobody waiting."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from akstwin.router.http1 import Http1Protocol

HOST = b"Host: 127.0.0.1\r\n"
SCORE = b"POST /api/v1/service/there/score HTTP/1.1\r\n" + HOST


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that waits for a tenth of a second."""
    quick = replace(Http1Protocol.limits, head_seconds=0.1, body_seconds=0.1, linger_seconds=0.1)
    monkeypatch.setattr(Http1Protocol, "limits", quick)


STOPS = {
    "in the first line": b"GET / HT",
    "in a header": b"GET / HTTP/1.1\r\nHo",
    "before a body": SCORE + b"Content-Length: 20\r\n\r\n",
    "in a body": SCORE + b"Content-Length: 20\r\n\r\n{",
    "before a chunk": SCORE + b"Transfer-Encoding: chunked\r\n\r\n",
    "in a chunk": SCORE + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhe",
    "before the last chunk": SCORE + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
}


@pytest.mark.parametrize("where", STOPS)
@pytest.mark.parametrize("secure", [False, True])
def test_who_stops_is_told_so(wire: Any, impatient: None, where: str, secure: bool) -> None:
    """On the scoring route; the management's bodies are read by the same connection."""
    told = wire.unchanged(lambda: wire.ask(STOPS[where], secure=secure))
    assert told.startswith(b"HTTP/1.1 408 "), told
    assert b"connection: close\r\n" in told


def test_who_stops_in_a_management_call_is_told_so(wire: Any, impatient: None) -> None:
    """Of a body that its route waits for."""
    path = f"/modelmanagement/v1.0{wire.world.server.first.workspace.backend.identity.resource_id}/services".encode()
    head = b"POST %s HTTP/1.1\r\n%s%sContent-Type: application/json\r\n" % (path, HOST, wire.login)
    told = wire.unchanged(lambda: wire.ask(head + b"Content-Length: 9\r\n\r\n{"))
    assert told.startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    "start", [b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ", SCORE + b"Content-Length: 99999\r\n\r\n"]
)
def test_a_trickle_does_not_count(wire: Any, impatient: None, start: bytes) -> None:
    """One byte now and then keeps no connection open (slowloris)."""

    def trickle() -> bytes:
        with wire.connect() as connection:
            connection.sendall(start)
            connection.settimeout(0.01)
            for _ in range(2000):
                try:
                    connection.sendall(b"a")
                    told = connection.recv(65536)
                except TimeoutError:
                    continue
                except ConnectionError:
                    return b""
                return bytes(told)
        raise AssertionError("it may go on for ever")

    assert wire.unchanged(trickle)[:13] in (b"HTTP/1.1 408 ", b"")  # a reset may have overtaken it


def test_who_says_nothing_is_left(wire: Any, impatient: None) -> None:
    """There is no request that could be answered."""
    assert wire.ask() == b""
    assert wire.ask(b"\r\n") == b""
    with wire.connect() as connection:  # line ends after an answer do not keep a connection either
        connection.sendall(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        told = b""
        while not told.endswith(b"Healthy"):
            told += connection.recv(65536)
        connection.sendall(b"\r\n")
        assert wire.rest(connection) == b""


def test_a_body_that_goes_on_has_all_the_time(wire: Any, impatient: None) -> None:
    """Slow is not stopped: each span brings enough of it."""
    import threading  # noqa: PLC0415 - a pause that no test could see

    body = b'{"a": "%s"}' % (b"x" * 8192)
    head = b"%sContent-Length: %d\r\nConnection: close\r\nContent-Type: application/json\r\n" % (wire.bearer, len(body))
    with wire.connect() as connection:
        connection.sendall(SCORE + head + b"\r\n")
        for start in range(0, len(body), 2048):
            threading.Event().wait(0.04)
            connection.sendall(body[start : start + 2048])
        assert wire.rest(connection).startswith(b"HTTP/1.1 200 ")


def test_a_slow_answer_is_no_slow_client(wire: Any, impatient: None) -> None:
    """Whoever waits for the server may wait, with the next request half sent."""
    import json  # noqa: PLC0415

    body = json.dumps({"data": 1}).encode()
    head = b"%sContent-Length: %d\r\nContent-Type: application/json\r\n" % (wire.bearer, len(body))
    whole = SCORE + head + b"\r\n" + body
    with wire.connect() as connection:
        connection.sendall(whole + whole[:40])
        answer = connection.recv(65536)
        connection.sendall(whole[40:].replace(HOST, HOST + b"Connection: close\r\n"))
        answer += wire.rest(connection)
    assert re.findall(rb"HTTP/1\.1 (\d\d\d) ", answer) == [b"200", b"200"]


@pytest.fixture
def crowd(wire: Any) -> Iterator[None]:
    """Two hundred clients that have begun a request and say no more."""
    opened = [wire.connect() for _ in range(200)]
    for number, connection in enumerate(opened):
        connection.sendall(list(STOPS.values())[number % len(STOPS)])
    yield
    for connection in opened:
        connection.close()


def test_others_are_served_meanwhile(wire: Any, crowd: None) -> None:
    """All routes."""
    assert wire.works()
    assert wire.state()
