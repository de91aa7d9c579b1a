"""What is not well-formed HTTP gets a clear 4xx and the connection's end, and leaves everything as it was."""

import re
import select
from typing import Any

import pytest

HOST = b"Host: 127.0.0.1\r\n"
SCORE = b"/api/v1/service/there/score"
NEXT = b"GET /_akstwin/health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
"""What would be answered if the server took the rest for a request of its own."""
LATER = b"0\r\n\r\n"


def statuses(told: bytes) -> list[int]:
    """The statuses of all answers."""
    return [int(each) for each in re.findall(rb"HTTP/1\.1 (\d\d\d) ", told)]


def post(headers: bytes, body: bytes, version: bytes = b"1.1", host: bytes = HOST) -> bytes:
    """A request with a body."""
    return b"POST %s HTTP/%s\r\n%s%s\r\n%s" % (SCORE, version, host, headers, body)


FRAMING = {
    "length and coding": post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", LATER),
    "coding and length": post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", LATER),
    "two lengths": post(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"hello"),
    "the same length twice": post(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello"),
    "lengths in a list": post(b"Content-Length: 5, 5\r\n", b"hello"),
    "a negative length": post(b"Content-Length: -5\r\n", b"hello"),
    "a signed length": post(b"Content-Length: +5\r\n", b"hello"),
    "a length in hexadecimal": post(b"Content-Length: 0x5\r\n", b"hello"),
    "no length": post(b"Content-Length: \r\n", b""),
    "a length beyond 64 bits": post(b"Content-Length: 99999999999999999999999\r\n", b"hello"),
    "no chunk size": post(b"Transfer-Encoding: chunked\r\n", b"zz\r\nhello\r\n" + LATER),
    "a negative chunk": post(b"Transfer-Encoding: chunked\r\n", b"-5\r\nhello\r\n" + LATER),
    "a chunk beyond 64 bits": post(b"Transfer-Encoding: chunked\r\n", b"f" * 17 + b"\r\nhello\r\n" + LATER),
    "a chunk longer than it says": post(b"Transfer-Encoding: chunked\r\n", b"2\r\nhello\r\n" + LATER),
    "an endless chunk extension": post(
        b"Transfer-Encoding: chunked\r\n", b"5;a=" + b"x" * 2**20 + b"\r\nhello\r\n" + LATER
    ),
    "endless trailers": post(b"Transfer-Encoding: chunked\r\n", b"0\r\n" + b"X: y\r\n" * 200_000 + b"\r\n"),
    "an unknown coding": post(b"Transfer-Encoding: xchunked\r\n", b"5\r\nhello\r\n" + LATER),
    "the coding identity": post(b"Transfer-Encoding: identity\r\n", b""),
    "two codings": post(b"Transfer-Encoding: gzip, chunked\r\n", b"5\r\nhello\r\n" + LATER),
    "chunked twice": post(b"Transfer-Encoding: chunked, chunked\r\n", b"5\r\nhello\r\n" + LATER),
    "a coding before HTTP/1.1": post(b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n" + LATER, b"1.0"),
    "a space before the colon": post(b"Transfer-Encoding : chunked\r\n", b"5\r\nhello\r\n" + LATER),
    "a folded header": post(b"X: a\r\n b\r\nContent-Length: 0\r\n", b""),
    "a null byte in a header": post(b"X: a\0b\r\nContent-Length: 0\r\n", b""),
    "a carriage return in a header": post(b"X: a\rb\r\nContent-Length: 0\r\n", b""),
    "line feeds only": b"GET / HTTP/1.1\nHost: 127.0.0.1\n\n",
    "no version": b"GET /\r\n\r\n",
    "HTTP/2": b"GET / HTTP/2.0\r\n" + HOST + b"\r\n",
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/1.9": b"GET / HTTP/1.9\r\n" + HOST + b"\r\n",
    "an unknown method": b"BREW / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a tunnel": b"CONNECT example.com:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a null byte in the path": b"GET /\0 HTTP/1.1\r\n" + HOST + b"\r\n",
    "bytes beyond ASCII in the path": b"GET /\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a TLS handshake": b"\x16\x03\x01\x00\x05hello",
}


@pytest.mark.parametrize("name", FRAMING)
def test_it_is_refused_and_nothing_behind_it_is_read(wire: Any, name: str) -> None:
    """Else what follows would be a request that its sender never made (request smuggling)."""
    told = wire.unchanged(lambda: wire.ask(FRAMING[name] + NEXT))
    assert statuses(told) == [400], told
    assert b"connection: close\r\n" in told
    assert wire.works()


def test_it_is_refused_over_tls(wire: Any) -> None:
    """By the same code."""
    assert statuses(wire.unchanged(lambda: wire.ask(FRAMING["length and coding"] + NEXT, secure=True))) == [400]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\nX: %s\r\n" % (b"a" * 70_000), 431),
        (b"GET / HTTP/1.1\r\nX: %s\r\n" % (b"a" * 10_000_000), 431),
        (b"GET / HTTP/1.1\r\n%s: a\r\n" % (b"a" * 70_000), 431),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 10_000, 431),
        (b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 300, 431),
        (b"GET /%s HTTP/1.1\r\n" % (b"a" * 20_000), 414),
    ],
)
def test_heads_are_bounded(wire: Any, head: bytes, status: int) -> None:
    """In bytes, in number, and in the URL."""
    told = wire.unchanged(lambda: wire.ask(head + HOST + b"Connection: close\r\n\r\n"))
    assert statuses(told) == [status]
    assert b"connection: close\r\n" in told


def test_a_head_without_an_end_is_not_kept(wire: Any) -> None:
    """It is refused as soon as it is too long, not when it ends."""
    with wire.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n" + HOST + b"X: ")
        sent = 0
        while sent < 50_000_000 and not select.select([connection], [], [], 0.01)[0]:
            connection.sendall(b"a" * 65_536)
            sent += 65_536
        assert statuses(connection.recv(65536)) == [431]


def test_line_ends_without_a_head_are_not_read_for_ever(wire: Any) -> None:
    """A parser passes over them (RFC 9112 §2.2)."""
    with wire.connect() as connection:
        sent = 0
        while sent < 50_000_000 and not select.select([connection], [], [], 0.01)[0]:
            connection.sendall(b"\r\n" * 32_768)
            sent += 65_536
        assert statuses(connection.recv(65536)) == [431]


def test_long_heads_that_are_allowed_come_through(wire: Any) -> None:
    """Several of them in one packet too: it is no one head."""
    request = b"GET / HTTP/1.1\r\n" + HOST + b"X: %s\r\n" % (b"a" * 30_000)
    told = wire.ask((request + b"\r\n") * 7 + request + b"Connection: close\r\n\r\n")
    assert statuses(told) == [200] * 8


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + HOST + b"Connection: close\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Host: evil.example\r\nConnection: close\r\n\r\n", 403),
        (b"GET / HTTP/1.0\r\n\r\n", 200),
        (b"GET / HTTP/1.0\r\n" + HOST + b"\r\n", 200),
        (b"GET / HTTP/1.0\r\nHost: evil.example\r\n\r\n", 403),
        (b"GET http://127.0.0.1/ HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", 200),
        (b"GET http://127.0.0.1/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", 200),
        (b"GET http://evil.example/ HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", 403),
        (b"GET http://evil.example@127.0.0.1/ HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", 403),
        (b"HEAD / HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", 200),
        (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + HOST + "X: é☃\r\nConnection: close\r\n\r\n".encode(), 200),
        (b"GET /%ff%fe HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", 400),
        (b"GET /api/v1/service/a%00b/score HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", 404),
        (b"GET /api/v1/service/a%2fb/score HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", 404),
        (b"GET /api/v1/service/%2e%2e/score HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", 404),
        (b"OPTIONS /api/v1/service/no/score HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", 404),
    ],
)
def test_odd_but_clear(wire: Any, request_: bytes, status: int) -> None:
    """What HTTP says of hosts, whole URLs, old versions and escapes."""
    told = wire.unchanged(lambda: wire.ask(request_))
    assert statuses(told) == [status], told
    if request_.startswith(b"HEAD"):
        assert told.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c"])
@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("packets", [1, 2])
def test_an_upgrade_is_not_made(wire: Any, protocol: bytes, framing: str, packets: int) -> None:
    """The request is answered as it stands, with its body, and so is the next one. Some clients ask by default."""
    head = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: %s\r\nContent-Type: application/json\r\n" % protocol
    length = b"Content-Length: 8\r\n" if framing == "length" else b"Transfer-Encoding: chunked\r\n"
    body = b'{"a": 1}' if framing == "length" else b'8\r\n{"a": 1}\r\n0\r\n\r\n'
    whole = post(head + length + wire.bearer, body + NEXT)
    told = wire.ask(whole) if packets == 1 else wire.ask(whole[:-200], whole[-200:])
    assert statuses(told) == [200, 200]
    assert b'{"got": {"a": 1}}HTTP/1.1 200 ' in told
    told = wire.ask(b"GET / HTTP/1.1\r\n" + HOST + head + b"\r\n" + NEXT)
    assert statuses(told) == [200, 200]


# -- one packet, several requests


def scored(wire: Any, number: int, last: bool = False) -> bytes:
    """A request for the service's score."""
    body = b'{"number": %d}' % number
    head = b"Content-Type: application/json\r\nContent-Length: %d\r\n%s" % (len(body), wire.bearer)
    return post(head + (b"Connection: close\r\n" if last else b""), body)


@pytest.mark.parametrize("many", [2, 10])
def test_pipelined_requests_are_answered_in_order(wire: Any, many: int) -> None:
    """Each with its own answer; not all of them with the same route."""
    packet = b"".join(scored(wire, number) + NEXT.replace(b"Connection: close\r\n", b"") for number in range(many))
    told = wire.ask(packet + scored(wire, many, last=True))
    assert statuses(told) == [200] * (2 * many + 1)
    assert [int(each) for each in re.findall(rb'"number": (\d+)', told)] == list(range(many + 1))
    assert told.count(b'"status": "ok"') == many


@pytest.mark.parametrize("name", ["length and coding", "no chunk size", "no version", "an endless chunk extension"])
def test_what_comes_before_something_malformed_is_answered_first(wire: Any, name: str) -> None:
    """Else a client would take the refusal for the answer to its first request."""
    told = wire.ask(scored(wire, 1) + scored(wire, 2) + FRAMING[name] + NEXT)
    assert statuses(told) == [200, 200, 400], told
    assert [int(each) for each in re.findall(rb'"number": (\d+)', told)] == [1, 2]


def test_what_follows_a_body_is_no_header(wire: Any) -> None:
    """A trailer cannot log in, or name another host."""
    trailers = b"Authorization: Bearer %s\r\nHost: evil.example\r\n" % wire.key.encode()
    head = b"Transfer-Encoding: chunked\r\nContent-Type: application/json\r\nConnection: close\r\n"
    told = wire.unchanged(lambda: wire.ask(post(head, b"2\r\n{}\r\n0\r\n" + trailers + b"\r\n")))
    assert statuses(told) == [401]
