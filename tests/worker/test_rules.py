"""Replies that look at what is asked: echo, fixed, rules; what is refused of the documents that tell them."""

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akstwin.clock import Micros
from akstwin.domain.replying import Echo, Fixed, Rules, Script, Value, read_reply
from akstwin.errors import AksError, InvalidSetting
from akstwin.worker import Reply, Request
from akstwin.worker.replies import CallableReply
from akstwin.worker.rules import UNMATCHED, RuleReply, contains, same

AT = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
PLAIN = {"Content-Type": "application/json"}


def made(document: Any, **given: Any) -> RuleReply:
    """A document's containers; number 1 is there."""
    read = read_reply(document)
    assert not isinstance(read, Script)
    replies = RuleReply(read, **given)
    replies.init(1, AT)
    return replies


def ask(replies: RuleReply, body: bytes = b"{}", *, method: str = "POST", query: str = "", **headers: str) -> Reply:
    """The answer to one request."""
    named = {**PLAIN, **{name.replace("_", "-"): value for name, value in headers.items()}}
    ran = replies.run(1, Request(AT, body, tuple(named.items()), method, "/score", query, Micros(3000)))
    assert isinstance(ran, Reply)
    return ran


def told(reply: Reply) -> Any:
    """What its body says."""
    return json.loads(reply.body)


class TestEcho:
    """What was sent comes back."""

    @pytest.mark.parametrize(
        ("content_type", "body"),
        [
            ("application/json", b'{"data": [1]}'),
            ("image/png", b"\x89PNG\xff"),
            ("application/x-www-form-urlencoded", b"a=1"),
            ("text/plain; charset=latin-1", b"\xe4"),
            ("application/json", b""),
        ],
    )
    def test_body_and_content_type(self, content_type: str, body: bytes) -> None:
        """Byte by byte, also what no script could read."""
        with made({"$echo": True}) as replies:
            reply = ask(replies, body, Content_Type=content_type)
        assert (reply.status, reply.body, reply.header("content-type")) == (200, body, content_type)
        assert [name for name, _ in reply.headers].count("Content-Type") == 1

    def test_headers_are_those_of_a_script_s_answer(self) -> None:
        """The same names, and the ids that came in."""
        ids = {"x_ms_client_request_id": "mine"}
        with made({"$echo": True}) as echo, CallableReply(json.loads) as function:
            function.init(1, AT)
            by_script = function.run(
                1, Request(AT, b"{}", (*PLAIN.items(), ("x-ms-client-request-id", "mine")), takes=Micros(3))
            )
            reply = ask(echo, **ids)
        assert isinstance(by_script, Reply)
        assert sorted(name for name, _ in reply.headers) == sorted(name for name, _ in by_script.headers)
        assert reply.header("x-ms-request-id") == reply.header("x-ms-client-request-id") == "mine"
        assert reply.header("x-ms-run-function-failed") == "False"


def test_a_body_that_is_too_long_for_the_rules_patterns() -> None:
    """The run has failed, and says why and what else would do: no rule is left out in silence."""
    rules = [{"match": {"regex": "[a-f]{100}x"}, "reply": 1}, {"match": {}, "reply": 2}]
    with made({"$match": rules}) as replies:
        assert told(ask(replies, b"a" * 1000)) == 2
        reply = ask(replies, b"a" * 1_000_000)
    assert (reply.status, reply.run_failed) == (500, True)
    assert "the body has 1000000 bytes, too many to search" in told(reply)["message"]


class TestFixed:
    """Status, headers and body."""

    @pytest.mark.parametrize(
        ("fixed", "status", "content_type", "body"),
        [
            ({}, 200, "text/html; charset=utf-8", b""),
            ({"body": {"a": 1}}, 200, "application/json", b'{"a": 1}'),
            ({"body": None}, 200, "application/json", b"null"),
            ({"body": {"$echo": True}}, 200, "application/json", b'{"$echo": true}'),
            ({"text": "ä", "status": 418}, 418, "text/html; charset=utf-8", "ä".encode()),
            ({"body_base64": "AP8="}, 200, "text/html; charset=utf-8", b"\x00\xff"),
            ({"text": "a,b", "headers": {"content-type": "text/csv"}}, 200, "text/csv", b"a,b"),
            ({"status": 204, "body": 1}, 204, "application/json", b""),
        ],
    )
    def test_answers(self, fixed: dict[str, Any], status: int, content_type: str, body: bytes) -> None:
        """Twice the same, whatever is asked."""
        with made({"$fixed": fixed}) as replies:
            for asked in (b"{}", b"\xff"):
                reply = ask(replies, asked)
                assert (reply.status, reply.header("Content-Type"), reply.body) == (status, content_type, body)
                assert not reply.run_failed

    def test_headers_are_sent_as_they_are(self) -> None:
        """Commas and all."""
        with made({"$fixed": {"headers": {"Retry-After": "7", "X-List": "a, b,c"}}}) as replies:
            reply = ask(replies)
        assert (reply.header("retry-after"), reply.header("x-list")) == ("7", "a, b,c")

    def test_from_500_on_the_run_has_failed(self) -> None:
        """So that the router makes of it what it makes of every failed run."""
        with made({"$fixed": {"status": 503, "text": "busy"}}) as replies:
            reply = ask(replies)
        assert (reply.status, reply.run_failed, reply.body) == (503, True, b"busy")


def matches(match: dict[str, Any], body: bytes = b"{}", **asked: Any) -> bool:
    """Whether a rule takes a request."""
    with made({"$match": [{"match": match, "reply": True}], "$otherwise": False}) as replies:
        answer = told(ask(replies, body, **asked))
    assert isinstance(answer, bool)
    return answer


class TestMatching:
    """Each criterion takes what it should, and nothing else."""

    @pytest.mark.parametrize(
        ("match", "body", "taken"),
        [
            ({}, b"\xff", True),
            ({"body": {"a": {"b": 1}}}, b'{"a": {"b": 1, "c": 2}, "d": 3}', True),
            ({"body": {"a": {"b": 1}}}, b'{"a": {"b": 2}}', False),
            ({"body": {"a": 1}}, b"[1]", False),
            ({"body": {"a": None}}, b"{}", False),
            ({"body": {"a": None}}, b'{"a": null}', True),
            ({"body": None}, b"null", True),
            ({"body": None}, b"{}", False),
            ({"body": [1, {"a": 1}]}, b'[1.0, {"a": 1, "b": 2}]', True),
            ({"body": [1]}, b"[1, 2]", False),
            ({"body": 1}, b"true", False),
            ({"body": {}}, b"not JSON", False),
            ({"body": {}}, b"[" * 100_000, False),
            ({"pointer": {"/data/0/amount": 5}}, b'{"data": [{"amount": 5}]}', True),
            ({"pointer": {"/data/0/amount": 5}}, b'{"data": [{"amount": 5, "x": 1}]}', True),
            ({"pointer": {"/data/0": {"amount": 5}}}, b'{"data": [{"amount": 5, "x": 1}]}', False),
            ({"pointer": {"/data/1": 5}}, b'{"data": [5]}', False),
            ({"pointer": {"/data/-": 5}}, b'{"data": [5]}', False),
            ({"pointer": {"/data/x": 5}}, b'{"data": [5]}', False),
            ({"pointer": {"/a/b": 5}}, b'{"a": 5}', False),
            ({"pointer": {"/a": None}}, b"{}", False),
            ({"pointer": {"": [1]}}, b"[1]", True),
            ({"pointer": {"/a": 1, "/b": 2}}, b'{"a": 1, "b": 3}', False),
            ({"text": "fraud"}, b"a fraud, or not", True),
            ({"text": "fraud"}, b"none", False),
            ({"text": "x"}, b"\xffx", True),
            ({"regex": r"id\d+"}, b'{"id42": 1}', True),
            ({"regex": r"^id\d+$"}, b'{"id42": 1}', False),
            ({"text": "a", "regex": "b"}, b"a", False),
        ],
    )
    def test_bodies(self, match: dict[str, Any], body: bytes, taken: bool) -> None:
        """JSON it contains, values at places, text."""
        assert matches(match, body) == taken

    @pytest.mark.parametrize(
        ("match", "taken"),
        [
            ({"headers": {"X-Tenant": "a"}}, True),
            ({"headers": {"x-tenant": "b"}}, False),
            ({"headers": {"x-other": "a"}}, False),
            ({"headers": {"x-other": None}}, True),
            ({"headers": {"x-tenant": None}}, False),
            ({"query": {"mode": "fast"}}, True),
            ({"query": {"mode": "slow"}}, True),
            ({"query": {"mode": "other"}}, False),
            ({"query": {"mode": None}}, False),
            ({"query": {"none": None, "empty": ""}}, True),
            ({"headers": {"x-tenant": "a"}, "query": {"mode": "x"}}, False),
        ],
    )
    def test_heads(self, match: dict[str, Any], taken: bool) -> None:
        """Headers whatever the case of their names; one of several values will do; null is for absence."""
        assert matches(match, x_tenant="a", query="mode=fast&mode=slow&empty=") == taken

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        )
    )
    def test_everything_contains_and_is_itself(self, value: Any) -> None:
        """And what has more names in it contains it still."""
        assert same(value, value)
        assert contains(value, value)
        if isinstance(value, dict):
            more = {**value, "another name": 1}
            assert contains(more, value)
            assert not same(more, value)


class TestRules:
    """The first that matches."""

    def test_order(self) -> None:
        """Later ones are not looked at; what is left goes elsewhere."""
        rules = [
            {"match": {"body": {"a": 1}}, "reply": "first"},
            {"match": {"body": {"b": 1}}, "reply": {"$fixed": {"status": 404, "text": "second"}}},
            {"match": {"body": {"a": 2}}, "reply": {"$echo": True}},
            {"match": {"text": "bytes"}, "reply": b"\x00"},
        ]
        with made({"$match": rules, "$otherwise": {"rest": True}}) as replies:
            answers = [
                (reply.status, reply.body)
                for reply in (
                    ask(replies, body) for body in (b'{"a": 1, "b": 1}', b'{"b": 1}', b'{"a": 2}', b"bytes", b"{}")
                )
            ]
        assert answers == [
            (200, b'"first"'),
            (404, b"second"),
            (200, b'{"a": 2}'),
            (200, b"\x00"),
            (200, b'{"rest": true}'),
        ]

    def test_without_a_match_the_run_fails_and_says_why(self) -> None:
        """As if `run()` had raised: the router makes 502 of it."""
        with made({"$match": []}) as replies:
            reply = ask(replies)
        assert (reply.status, reply.run_failed, told(reply)) == (500, True, {"message": UNMATCHED})

    def test_functions(self) -> None:
        """They get the body as text, may raise, and are not called for what they cannot read."""
        seen = []

        def function(body: str) -> Any:
            seen.append(body)
            return {"read": json.loads(body)}

        rules = [{"match": {"headers": {"x-tenant": "a"}}, "reply": function}]
        with made({"$match": rules, "$otherwise": {"$echo": True}}) as replies:
            assert told(ask(replies, b"[1]", x_tenant="a")) == {"read": [1]}
            assert ask(replies, b"no JSON", x_tenant="a").run_failed
            assert ask(replies, b"\xff", x_tenant="a").status == 400
            assert ask(replies, b"\xff").body == b"\xff"
        assert seen == ["[1]", "no JSON"]

    def test_rules_are_taken_as_they_were_given(self) -> None:
        """Changing the document later changes nothing."""
        document: dict[str, Any] = {"$match": [{"match": {"body": {"a": [1]}}, "reply": 1}], "$otherwise": 2}
        with made(document) as replies:
            document["$match"][0]["match"]["body"]["a"].append(2)
            assert told(ask(replies, b'{"a": [1]}')) == 1

    @pytest.mark.parametrize(("method", "status"), [("GET", 200), ("OPTIONS", 200), ("HEAD", 405), ("PUT", 405)])
    def test_methods_are_those_of_a_script(self, method: str, status: int) -> None:
        """Rules are asked for GET and POST."""
        with made({"$match": [{"match": {"query": {"a": "1"}}, "reply": "found"}]}) as replies:
            reply = ask(replies, b"", method=method, query="a=1")
        assert reply.status == status
        assert (reply.body == b'"found"') == (method == "GET")


class TestShares:
    """Chance by seed and identity."""

    RULES = {"$match": [{"match": {"share": 0.3}, "reply": True}], "$otherwise": False}

    def drawn(self, names: list[str | None], **given: Any) -> list[bool]:
        """Which requests the rule took."""
        with made(self.RULES, **given) as replies:
            return [told(ask(replies, **({} if name is None else {"x_ms_client_request_id": name}))) for name in names]

    def test_the_same_again_and_another_elsewhere(self) -> None:
        """By seed and place."""
        unnamed: list[str | None] = [None] * 60
        first = self.drawn(unnamed, seed=1, place="a")
        assert first == self.drawn(unnamed, seed=1, place="a")
        assert first != self.drawn(unnamed, seed=2, place="a")
        assert first != self.drawn(unnamed, seed=1, place="b")
        assert 8 <= sum(first) <= 30

    def test_named_requests_are_themselves_in_any_order(self) -> None:
        """Each attempt has its own draw."""
        names: list[str | None] = [f"r{at}" for at in range(40)]
        forwards = dict(zip(names, self.drawn(names), strict=True))
        backwards = dict(zip(names[::-1], self.drawn(names[::-1]), strict=True))
        assert forwards == backwards
        assert len(set(self.drawn(["same"] * 40))) == 2

    def test_what_an_earlier_rule_takes_moves_no_draw(self) -> None:
        """Only those that come so far are counted."""
        shared = {"match": {"share": 0.5}, "reply": True}
        with (
            made({"$match": [{"match": {"text": "x"}, "reply": None}, shared], "$otherwise": False}) as mixed,
            made({"$match": [{"match": {"text": "x"}, "reply": None}, shared], "$otherwise": False}) as alone,
        ):
            found = []
            for _ in range(40):
                ask(mixed, b"x")
                found.append(told(ask(mixed)))
            assert found == [told(ask(alone)) for _ in range(40)]


class TestDocuments:
    """What is read, and what is refused by its place."""

    @pytest.mark.parametrize(
        ("document", "kind"),
        [
            ({"a": 1}, Value), (None, Value), ("$echo", Value), (["$echo"], Value), ({}, Value), ({1: 2}, Value),
            ({"$echo": True}, Echo), ({"$fixed": {}}, Fixed), ({"$script": True}, Script), ({"$match": []}, Rules),
        ],
    )  # fmt: skip
    def test_kinds(self, document: Any, kind: type) -> None:
        """A name that begins with $ makes a document."""
        assert isinstance(read_reply(document), kind)

    @pytest.mark.parametrize(
        ("document", "message"),
        [
            ({"$ech": True}, "reply: '$ech' is not a name that a reply here may have; did you mean $echo?"),
            ({"$echo": 1}, "reply.$echo: 1 is not true"),
            ({"$script": False}, "reply.$script: false is not true"),
            ({"$echo": True, "$fixed": {}}, "reply: '$echo, $fixed' is not one of"),
            ({"$echo": True, "a": 1}, "reply: 'a' is not a name"),
            ({"$otherwise": 1}, "reply: '$otherwise' is not one of"),
            ({"$echo": True, "$otherwise": 1}, "reply: '$echo, $otherwise' is not one of"),
            ({"$match": {}}, "reply.$match: a mapping is not a list"),
            ({"$match": [{"match": {}, "reply": 1}] * 1001}, "reply.$match: '1001 rules' is not at most 1000 rules"),
            ({"$match": [1]}, "reply.$match[0]: 1 is not a mapping of settings"),
            ({"$match": [{"match": {}, "reply": 1}, {"match": {}}]}, "reply.$match[1].reply: is missing"),
            ({"$match": [{"match": {"boddy": 1}, "reply": 1}]}, "[0].match.boddy: no such setting; did you mean body?"),
            ({"$match": [{"match": {"share": 0}, "reply": 1}]}, "reply.$match[0].match.share: 0 is not greater than 0"),
            ({"$match": [{"match": {"regex": "("}, "reply": 1}]}, "reply.$match[0].match.regex: '(' is not a regular expression"),
            ({"$match": [{"match": {"regex": "(?=a)"}, "reply": 1}]}, "regex: '(?=a)' is not a regular expression as RE2"),
            ({"$match": [{"match": {"pointer": {"a": 1}}, "reply": 1}]}, "[0].match.pointer.a: 'a' is not a JSON pointer"),
            ({"$match": [{"match": {"headers": {"a": 1}}, "reply": 1}]}, "reply.$match[0].match.headers.a: 1 is not text"),
            ({"$match": [{"match": {"body": {1, 2}}, "reply": 1}]}, "reply.$match[0].match.body: {1, 2} is not JSON"),
            ({"$match": [{"match": {}, "reply": {"$match": []}}]}, "reply.$match[0].reply: '$match' is not a name"),
            ({"$match": [{"match": {}, "reply": {"$fixed": {"status": 99}}}]}, "[0].reply.$fixed.status: 99 is not at least 200"),
            ({"$match": [], "$otherwise": {"$script": True}}, "reply.$otherwise: '$script' is not a name"),
            ({"$fixed": {"headers": {"a b": "c"}}}, "reply.$fixed.headers.a b: 'a b' is not the name of a header"),
            ({"$fixed": {"headers": {"Content-Length": "1"}}}, "'Content-Length' is not a header of the answer's own"),
            ({"$fixed": {"headers": {"x": "a\r\nb"}}}, "is not one line of Latin-1 text"),
            ({"$fixed": {"body": 1, "text": "x"}}, "reply.$fixed: expected one of body, text and body_base64"),
            ({"$fixed": {"body_base64": "?"}}, "reply.$fixed.body_base64: '?' is not base64"),
        ],
    )  # fmt: skip
    def test_refusals(self, document: Any, message: str) -> None:
        """By place, value and what was expected."""
        with pytest.raises(AksError) as error:
            read_reply(document)
        assert message in str(error.value)

    @pytest.mark.parametrize("value", [{1, 2}, float])
    def test_values_that_cannot_be_sent_are_named_by_place(self, value: Any) -> None:
        """Where JSON cannot say it, or a function is not a plain one."""

        async def later(body: str) -> str:
            return body

        given: Callable[[str], Any] = later if value is float else value
        with pytest.raises(InvalidSetting) as error:
            made({"$match": [{"match": {}, "reply": given}]})
        assert error.value.setting == "reply.$match[0].reply"
