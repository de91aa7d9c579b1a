"""The short way of a fixed answer: nothing but the ids may tell it from the server's own."""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akstwin.clock import Micros
from akstwin.domain.replying import Fixed
from akstwin.worker import Reply, Request
from akstwin.worker.replies import FixedReply, LocalReplies
from akstwin.worker.rules import RuleReply

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_AT = datetime(2026, 3, 1, 23, 59, 59, 987_654, UTC)


def replies_of(value: Any) -> LocalReplies:
    """A running container that always answers so."""
    made = RuleReply(value) if isinstance(value, Fixed) else FixedReply(value)
    made.init(1, _AT)
    return made


def without_ids(reply: Any) -> Any:
    """The reply with its ids blanked, and without the real time that it took."""
    assert isinstance(reply, Reply)
    headers = tuple((name, "id" if _ID.fullmatch(value) else value) for name, value in reply.headers)
    return reply._replace(headers=headers, seconds=0.0)


VALUES = (
    [0.1, 0.9],
    None,
    "täxt",
    b"\x00\xff",
    Fixed(status=201, headers={"X-More": "a,b"}, body={"a": 1}),
    Fixed(status=503, text="busy"),
    Fixed(status=204),
)


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_the_short_way_answers_as_the_server_does(value: Any) -> None:
    """Headers in their order, body, whether the run failed, and the line in the log: at any time, for any run time."""

    @given(
        st.lists(
            st.tuples(st.integers(0, 3 * 10**6), st.integers(1, 10**9), st.binary(max_size=9)), min_size=1, max_size=4
        ),
        st.sampled_from([UTC, timezone(timedelta(hours=-5))]),
    )
    def check(asked: list[tuple[int, int, bytes]], zone: Any) -> None:
        short, whole = replies_of(value), replies_of(value)
        whole._template = None
        for later, takes, body in asked:
            at = (_AT + timedelta(microseconds=later)).astimezone(zone)
            request = Request(at, body, (("content-type", "application/json"),), takes=Micros(takes))
            assert without_ids(short.run(1, request)) == without_ids(whole.run(1, request))
        assert short.logs() == whole.logs()

    check()


@pytest.mark.parametrize("name", ["x-request-id", "X-Ms-Request-Id", "x-ms-client-request-id", "TraceId"])
def test_a_request_that_names_itself_gets_its_name_back(name: str) -> None:
    """So it goes the server's whole way."""
    reply = replies_of([1]).run(1, Request(_AT, headers=((name, "mine"),), takes=Micros(1)))
    assert isinstance(reply, Reply)
    assert reply.header(name) == "mine"


@pytest.mark.parametrize("change", [{"method": "GET"}, {"query": "a=1"}, {"path": "/swagger.json"}, {"takes": None}])
def test_what_is_not_plain_goes_the_whole_way(change: dict[str, Any]) -> None:
    """And gets what it got before."""
    short, whole = replies_of([1]), replies_of([1])
    whole._template = None
    request = Request(_AT, takes=Micros(5))._replace(**change)
    took = re.compile(r"\d+\.\d{3}")
    first, second = (without_ids(each.run(1, request)) for each in (short, whole))
    assert took.sub("t", str(first)) == took.sub("t", str(second))


def test_ids_are_unlike_each_other_and_the_same_in_another_run() -> None:
    """At one instant, over a second's end, and for requests that go the whole way meanwhile."""

    def run() -> list[str]:
        replies = replies_of([1])
        found = []
        for later in (0, 0, 5, 13_000, 2_000_000, 2_000_000):
            for query in ("", "a=1"):
                request = Request(_AT + timedelta(microseconds=later), query=query, takes=Micros(1))
                reply = replies.run(1, request)
                assert isinstance(reply, Reply)
                found.append(reply.header("x-request-id") or "")
        return found

    ids = run()
    assert len(set(ids)) == len(ids)
    assert all(_ID.fullmatch(each) for each in ids)
    assert run() == ids
