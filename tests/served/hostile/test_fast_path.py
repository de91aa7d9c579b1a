"""Plain scoring requests take a fast path through the server: clients must not be able to tell."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from akstwin.backend import ScoreResponse
from akstwin.clock import Micros
from akstwin.router.asgi import header_lines
from akstwin.router.fast_path import FastPathProtocol

SCORE = b"/api/v1/service/there/score"
_VARIES = re.compile(rb"((?:x-[a-z-]*request-id|date|x-ms-run-fn-exec-ms): )[^\r]*")


def post(wire: Any, body: bytes, more: bytes = b"", path: bytes = SCORE) -> bytes:
    """A plain request."""
    length = b"Content-Length: %d\r\n" % len(body)
    return b"POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s%s%s\r\n%s" % (path, wire.bearer, length, more, body)


def told(answer: bytes) -> bytes:
    """An answer without what differs between any two."""
    return _VARIES.sub(rb"\1", answer)


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str | None]]:
    """Which requests took the fast path, by their services; None: not this one."""
    taken: list[str | None] = []
    plain = FastPathProtocol._plain

    def watched(self: FastPathProtocol) -> str | None:
        taken.append(plain(self))
        return taken[-1]

    monkeypatch.setattr(FastPathProtocol, "_plain", watched)
    return taken


LAST = b"Connection: close\r\n"
ASKED = {
    "scored": (b'{"data": 1}', b"", SCORE),
    "an empty body": (b"", b"", SCORE),
    "a key that is wrong": (b"1", b"Authorization: Bearer no\r\n", SCORE),
    "no such service": (b"1", b"", b"/api/v1/service/nowhere/score"),
    "its own id": (b"1", b"X-Ms-Client-Request-Id: mine\r\n", SCORE),
    "a foreign origin": (b"1", b"Origin: http://evil.example\r\n", SCORE),
    "a body that is no text": (b"\xff", b"", SCORE),
}


@pytest.mark.parametrize("asked", ASKED.values(), ids=list(ASKED))
def test_both_ways_answer_alike(wire: Any, ways: list[str | None], monkeypatch: Any, asked: Any) -> None:
    """Down to the order of the headers."""
    body, more, path = asked
    given = post(wire, body, more + LAST, path)
    if b"Bearer no" in more:
        given = given.replace(wire.bearer, b"", 1)
    short = wire.ask(given)
    assert ways[-1] is not None
    monkeypatch.setattr(FastPathProtocol, "_plain", lambda _: None)
    assert told(short) == told(wire.ask(given))


@pytest.mark.parametrize(
    ("more", "path"),
    [
        (b"Expect: 100-continue\r\n", SCORE),
        (b"", SCORE + b"?a=1"),
        (b"Upgrade: h2c\r\nConnection: Upgrade\r\n", SCORE),
        (b"", b"/api/v1/service/a%2Fb/score"),
        (b"", b"/api/v1/service//score"),
    ],
)
def test_what_is_not_plain_goes_the_long_way(wire: Any, ways: list[str | None], more: bytes, path: bytes) -> None:
    """And is answered."""
    answer = wire.ask(
        post(wire, b"1", more, path), b"GET /_akstwin/health HTTP/1.1\r\nHost: 127.0.0.1\r\n" + LAST + b"\r\n"
    )
    assert ways[0] is None
    assert answer.startswith(b"HTTP/1.1 ")


def test_a_head_without_any_header_is_looked_at_too(wire: Any) -> None:
    """It names no host, so it is refused, on whichever way it would have gone."""
    with wire.connect() as connection:
        for _ in range(2):
            connection.sendall(b"POST " + SCORE + b" HTTP/1.1\r\n\r\n")
            answer = one(connection)
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert answer.endswith(b"there are 0 Host headers; expected one")


def test_a_path_that_is_no_route_is_answered_by_the_router(wire: Any) -> None:
    """R1 and R14: with the headers of its other answers, and an id that no other answer has."""
    path = SCORE.replace(b"/score", b"/nothing")
    answers = [wire.ask(post(wire, b"1", LAST, path)) for _ in range(2)]
    heads = [re.sub(rb"\r\n(date|x-ms-request-id): [^\r]+", rb"\r\n\1: ", answer) for answer in answers]
    assert (
        heads[0]
        == heads[1]
        == (
            b"HTTP/1.1 404 Not Found\r\ncache-control: max-age=0, private, must-revalidate\r\nx-ms-request-id: \r\n"
            b"server: Cowboy\r\ndate: \r\ncontent-length: 9\r\nconnection: close\r\n\r\nNot Found"
        )
    )
    ids = [re.search(rb"x-ms-request-id: ([0-9a-f-]{36})\r", answer) for answer in answers]
    assert ids[0]
    assert ids[1]
    assert ids[0][1] != ids[1][1]


def test_an_answer_without_a_date_has_none() -> None:
    """An empty one means nothing, and clients that read dates stumble over it: the server's own page has none."""
    answer = ScoreResponse(500, (("content-type", "text/html"), ("server", "mine")), b"", Micros(0))
    assert header_lines(answer) == [(b"content-type", b"text/html"), (b"server", b"mine")]
    dated = ScoreResponse(200, (("Date", "Thu, 01 Jan 2026 00:00:00 GMT"),), b"", Micros(0))
    assert header_lines(dated) == [(b"server", b"Cowboy"), (b"date", b"Thu, 01 Jan 2026 00:00:00 GMT")]


def test_ten_in_one_packet_are_answered_in_order(wire: Any) -> None:
    """Those that wait for an earlier one too: a script takes its time."""
    given = b"".join(post(wire, b'"%d"' % number) for number in range(9)) + post(wire, b'"last"', LAST)
    answer = wire.ask(given)
    assert answer.count(b"HTTP/1.1 200 ") == 10
    asked = [*(b"%d" % number for number in range(9)), b"last"]
    places = [answer.index(b'{"got": "%s"}' % body) for body in asked]
    assert places == sorted(places)


def test_a_body_in_small_pieces_is_put_together(wire: Any, ways: list[str | None]) -> None:
    """Nothing of it is lost."""
    given = post(wire, b'{"data": [%s]}' % b", ".join([b"17"] * 500), LAST)
    answer = wire.ask(*(given[at : at + 7] for at in range(0, len(given), 7)))
    assert ways[-1] == "there"
    assert answer.startswith(b"HTTP/1.1 200 ")


def one(connection: socket.socket) -> bytes:
    """The next answer on a connection, to its last byte; that a body may come is none."""
    head = b"HTTP/1.1 100 "
    while head.startswith(b"HTTP/1.1 100 "):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            more = connection.recv(1)
            assert more, "the connection ended"
            head += more
    length = re.search(rb"\r\ncontent-length: (\d+)\r\n", head)
    assert length is not None
    return told(head + connection.recv(int(length[1]), socket.MSG_WAITALL))


def test_a_head_that_came_before_is_not_read_again(wire: Any, ways: list[str | None]) -> None:
    """Its body is; and what differs by one byte is another head."""
    with wire.connect() as connection:
        for body in (b'"a"', b'"b"', b'"c"'):
            connection.sendall(post(wire, body))
            assert b'{"got": %s}' % body in one(connection)
        assert len(ways) == 1
        connection.sendall(post(wire, b'"d"').replace(wire.bearer[:-2], wire.bearer[:-3] + b"!"))
        assert one(connection).startswith(b"HTTP/1.1 401 ")
        assert len(ways) == 2
        connection.sendall(post(wire, b'"e"'))
        assert b'{"got": "e"}' in one(connection)


def test_a_head_that_came_before_says_nothing_of_what_is_broken_now(wire: Any) -> None:
    """A fault, a service that has gone, an earlier request under way: all are looked at anew."""
    with wire.connect() as connection, httpx.Client(base_url=wire.world.http) as control:
        for _ in range(2):
            connection.sendall(post(wire, b'"a"'))
            assert one(connection).startswith(b"HTTP/1.1 200 ")
        fault = {"kind": "truncate_body", "keep": 0.25, "count": 1}
        control.post("/_akstwin/faults", json=fault).raise_for_status()
        connection.sendall(post(wire, b'"a"'))
        assert wire.rest(connection).endswith(b'\r\n\r\n{"g')
    with wire.connect() as connection:
        connection.sendall(post(wire, b'"a"'))
        one(connection)
        connection.sendall(post(wire, b'"b"') + post(wire, b'"c"'))
        connection.sendall(post(wire, b'"d"'))
        assert [one(connection)[-12:] for _ in range(3)] == [b'{"got": "%s"}' % each for each in (b"b", b"c", b"d")]


@pytest.mark.parametrize(
    "before",
    [
        b"POST %s HTTP/1.1\r\nAuthorization: no\r\nX-Said: " % SCORE,
        b"POST %s HTTP/1.1\r\nContent-Length: 400\r\n\r\n" % SCORE,
    ],
)
def test_what_looks_like_an_earlier_request_is_none_in_the_middle_of_one(wire: Any, before: bytes) -> None:
    """In a header or a body, and in a piece of its own, too."""
    asked = post(wire, b'"a"')
    rest = b"." * max(0, 400 - len(asked))

    def answer(connection: socket.socket) -> bytes:
        connection.sendall(before)
        time.sleep(0.2)  # noqa: TID251 - so that what follows comes by itself
        connection.sendall(asked)
        if b"Length" in before:
            connection.sendall(rest)
        return one(connection)

    with wire.connect() as connection, wire.connect() as fresh:
        connection.sendall(asked)
        assert b'{"got": "a"}' in one(connection)
        assert answer(connection) == answer(fresh)


HEADS = (b"", b"X-Other: 1\r\n", b"Expect: 100-continue\r\n", b"Authorization: Bearer no\r\n")


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@example([(0, '"a"', 1.0, 1), (0, '"b"', 0.5, 1), (0, '"c"', 1.0, 2)])
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(HEADS) - 1), st.sampled_from(['"a"', '"b"', '"long"', "", "\r\n"]),
            st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0]), st.integers(1, 2),
        ),
        min_size=1, max_size=6,
    )
)  # fmt: skip
def test_a_connection_with_a_past_answers_as_a_new_one(wire: Any, asked: list[tuple[int, str, float, int]]) -> None:
    """Whatever came on it before, in whichever pieces, and several at once."""
    with wire.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for head, body, part, times in asked:
            whole = post(wire, body.encode(), HEADS[head]) * times
            cut = round(len(whole) * part)
            for piece in (whole[:cut], whole[cut:]):
                connection.sendall(piece)
            for _ in range(times):
                answer = one(connection)
                with wire.connect() as fresh:
                    fresh.sendall(post(wire, body.encode(), HEADS[head]))
                    assert answer == one(fresh)


def test_a_client_that_goes_away_is_noted(wire: Any) -> None:
    """Its request ends with 499, as on the long way."""
    with httpx.Client(base_url=wire.world.http) as control:
        control.post("/_akstwin/profile/there", json={"service_time": "30s"}).raise_for_status()
        try:
            with wire.connect() as connection:
                connection.sendall(post(wire, b"1", b"X-Request-Id: left\r\n"))
                assert _soon(lambda: _busy(control))
            rows = _soon(lambda: _rows(control))
        finally:
            control.post("/_akstwin/profile/there", json={"service_time": "50ms"}).raise_for_status()
            control.post("/_akstwin/clock", json={"advance": "31s"}).raise_for_status()  # its worker went on
    assert [(row["status"], row["reason"]) for row in rows] == [(499, "client_aborted")]


def _soon(look: Callable[[], Any]) -> Any:
    """What comes true within some seconds of real time."""
    for _ in range(1000):
        if found := look():
            return found
        time.sleep(0.01)  # noqa: TID251 - a real server
    return look()


def _busy(control: httpx.Client) -> bool:
    """Whether the request is in its container."""
    metrics = control.get("/_akstwin/metrics").text
    return re.search(r'akstwin_busy_slots{service="there",version="[^"]*"} 1', metrics) is not None


def _rows(control: httpx.Client) -> list[dict[str, Any]]:
    entries = control.get("/_akstwin/journal", params={"status": 499}).json()["entries"]
    return [row for row in entries if row["client_request_id"] == "left"]


def test_what_fails_inside_is_a_500_and_in_the_log(
    wire: Any, caplog: pytest.LogCaptureFixture, monkeypatch: Any
) -> None:
    """The connection ends; the next one is served."""

    def fails(*_: Any) -> None:
        raise LookupError("a defect")

    with monkeypatch.context() as broken:
        broken.setattr(type(wire.world.server.first.workspace), "submit", fails)
        answer = wire.ask(post(wire, b"1"))
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"connection: close" in answer
    assert "a defect" in caplog.text
    assert wire.works()
