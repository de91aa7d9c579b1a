"""Fixed values, functions and the lack of a script: they answer in this process, and just as the script would."""

import contextlib
import datetime as dt
import json
import logging
import textwrap
from collections.abc import Callable
from typing import Any

import pytest

from akstwin.clock import Micros
from akstwin.errors import Conflict, InvalidSetting
from akstwin.worker import (
    AMLResponse,
    CallableReply,
    FixedReply,
    NoReply,
    Ready,
    Replies,
    Reply,
    Request,
    ScriptReplies,
    WorkerSpec,
)

AT = dt.datetime(2026, 7, 1, 9, tzinfo=dt.UTC)
JSON = (("Content-Type", "application/json"),)
FAILURE = {"message": "An unexpected error occurred in scoring script. Check the logs for more info."}


def score(replies: Replies, body: bytes = b"{}", headers: Any = JSON, **more: Any) -> Reply:
    """One answer of container 0, which is started if need be."""
    with contextlib.suppress(Conflict):
        assert isinstance(replies.init(0, AT), Ready)
    more = {"takes": Micros(3_000)} | more
    reply = replies.run(0, Request(more.pop("at", AT), body, headers, **more))
    assert isinstance(reply, Reply)
    return reply


def act(data: str) -> Any:
    """What both sides of the comparison do."""
    wanted = json.loads(data)
    if wanted == "raise":
        raise ValueError("no such customer")
    if wanted == "late":
        raise TimeoutError
    if wanted == "leave":
        raise SystemExit(3)
    if wanted == "object":
        return object()
    if isinstance(wanted, dict) and "status" in wanted:
        return AMLResponse(wanted["text"], wanted["status"], {"X-A": "1, 2"}, json_str=wanted["json"])
    return wanted


SCRIPT = """
import json
from azureml.contrib.services.aml_response import AMLResponse
def init(): pass
def run(data):
    wanted = json.loads(data)
    if wanted == "raise": raise ValueError("no such customer")
    if wanted == "late": raise TimeoutError
    if wanted == "leave": raise SystemExit(3)
    if wanted == "object": return object()
    if isinstance(wanted, dict) and "status" in wanted:
        return AMLResponse(wanted["text"], wanted["status"], {"X-A": "1, 2"}, json_str=wanted["json"])
    return wanted
"""

ASKED: list[dict[str, Any]] = [
    {"body": text.encode()}
    for text in (
        "null", '"text"', "[1, 2.5, true]", '{"é": "☃"}', '"raise"', '"late"', '"leave"', '"object"', "no JSON", "",
        '{"status": 200, "text": "hi", "json": false}', '{"status": 503, "text": {"a": 1}, "json": true}',
        '{"status": 204, "text": "", "json": false}', '{"status": 99, "text": "", "json": false}',
    )
]  # fmt: skip
ASKED += [
    {"body": b"\xff\xfe"},
    {"body": b"a=1", "headers": (("Content-Type", "application/x-www-form-urlencoded"),)},
    {"method": "GET", "query": "a=1&b=x"},
    {"method": "HEAD"},
    {"method": "OPTIONS"},
    {"method": "PUT"},
    {"path": "/nowhere"},
    {"path": "/", "method": "GET"},
    {"path": "/swagger.json", "method": "GET"},
    {"path": "/swagger.json", "method": "GET", "query": "version=3.1"},
    {"path": "/swagger.json", "method": "GET", "query": "version=9"},
    {"headers": (*JSON, ("x-request-id", "mine"), ("x-ms-client-request-id", "c"), ("TraceId", "t"))},
    {"headers": (*JSON, ("x-request-id", "x" * 101))},
]


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The same as a script."""
    folder = tmp_path_factory.mktemp("scripted")
    (folder / "score.py").write_text(textwrap.dedent(SCRIPT), "utf-8")
    spec = WorkerSpec(folder, "score.py", service_name="fraud", path_prefix="/api/v1/service/fraud")
    with ScriptReplies(spec) as replies:
        yield replies


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_a_function_answers_as_the_same_script_does(scripted: Any, asked: dict[str, Any]) -> None:
    """Status, headers and body; made-up ids apart. Log lines too, but for the paths in tracebacks."""
    with CallableReply(act, service_name="fraud") as local:
        theirs, ours = (score(replies, **asked) for replies in (scripted, local))

    def shown(reply: Reply) -> Any:
        made = theirs.header("x-request-id") if reply is theirs else ours.header("x-request-id")
        headers = [(name, "made" if value == made else value) for name, value in reply.headers]
        lines = [line for line in reply.logs.splitlines() if line.startswith("2026") and "[1]" in line]
        return reply.status, headers, reply.body, reply.run_failed, lines

    assert shown(ours) == shown(theirs)


@pytest.mark.parametrize(
    ("value", "content_type", "body"),
    [
        (None, "application/json", b"{}"),
        ("text", "application/json", b'"text"'),
        ({"result": [1, 2]}, "application/json", b'{"result": [1, 2]}'),
        (0, "application/json", b"0"),
        (False, "application/json", b"false"),
        ([], "application/json", b"[]"),
        (b"\x89PNG", "text/html; charset=utf-8", b"\x89PNG"),
        (b"", "text/html; charset=utf-8", b""),
    ],
)
@pytest.mark.parametrize("asked", [b'{"data": 1}', b"\xff", b""])
def test_a_fixed_value_answers_everything(value: Any, content_type: str, body: bytes, asked: bytes) -> None:
    """As if `run()` had returned it, whatever was asked; twice the same."""
    with FixedReply(value) as replies:
        for reply in (score(replies, asked), score(replies, asked, method="GET")):
            assert (reply.status, reply.header("Content-Type"), reply.body) == (200, content_type, body)
            assert reply.header("Content-Length") == str(len(body))
            assert reply.header("x-ms-run-function-failed") == "False"
            assert reply.header("x-ms-run-fn-exec-ms") == "3.000"
            assert reply.header("x-ms-server-version") == "azmlinfsrv/1.5.1"
            assert len([name for name, _ in reply.headers]) == len({name for name, _ in reply.headers})


def test_a_value_is_taken_as_it_was_given() -> None:
    """Changing the list later changes no reply."""
    value = [1]
    with FixedReply(value) as replies:
        value.append(2)
        assert score(replies).body == b"[1]"


ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)


@pytest.mark.parametrize("value", [{1, 2}, object(), {"a": b"bytes"}, ENDLESS])
def test_a_value_that_json_cannot_say_is_refused(value: Any) -> None:
    """When it is given, not when it is asked for."""
    with pytest.raises(InvalidSetting, match="reply: "):
        FixedReply(value)


def test_a_function_gets_the_body_as_text() -> None:
    """And what it raises is the client's 500, with a traceback that begins with its own code."""
    got: list[str] = []

    def reply(data: str) -> Any:
        got.append(data)
        return {"n": 1 / (len(got) - 2)}

    with CallableReply(reply) as replies:
        assert score(replies, "é".encode()).body == b'{"n": -1.0}'
        failed = score(replies)
        assert (failed.status, json.loads(failed.body), failed.run_failed) == (500, FAILURE, True)
        assert failed.header("x-ms-run-fn-exec-ms") is None
        assert "ZeroDivisionError" in failed.logs
        assert "in reply" in failed.logs
        assert "akstwin/worker" not in failed.logs
        assert failed.logs in replies.logs()
        bad = score(replies, b"\xff")
        assert (bad.status, bad.run_failed) == (400, False)
    assert got == ["é", "{}"]


@pytest.mark.parametrize("function", [json.loads, str.upper, textwrap.dedent, dict[str, int]().get])
def test_any_callable_will_do(function: Callable[[str], Any]) -> None:
    """Its parameter may have any name, or none."""
    with CallableReply(function) as replies:
        assert score(replies, b"[1]").status == 200


async def later(data: str) -> str:
    """No plain function."""
    return data


@pytest.mark.parametrize("wrong", [later, None, "text", 7])
def test_what_cannot_be_called_is_refused(wrong: Any) -> None:
    """A coroutine function too."""
    with pytest.raises(InvalidSetting, match="reply: "):
        CallableReply(wrong)


@pytest.mark.parametrize("error", [KeyboardInterrupt, GeneratorExit])
def test_what_is_not_the_functions_affair_goes_through(error: type[BaseException]) -> None:
    """Ctrl-C ends the simulation, and not a request; the next one is not told of it."""
    answers = iter([error, None])

    def reply(_: str) -> Any:
        if (what := next(answers)) is not None:
            raise what

    with CallableReply(reply) as replies:
        with pytest.raises(error):
            score(replies)
        assert score(replies).body == b"{}"


def test_without_a_script_the_remedy_is_named() -> None:
    """The service works; a score is a failed run, whose body the router passes on (R12)."""
    with NoReply("The model was deployed by its framework, ScikitLearn.", service_name="fraud") as replies:
        reply = score(replies)
        assert (reply.status, reply.run_failed) == (500, True)
        assert json.loads(reply.body)["message"] == (
            "There is no entry script to run here. The model was deployed by its framework, ScikitLearn. "
            "ws.simulation.profile('fraud', reply=...) gives the service a reply."
        )
        assert score(replies, path="/", method="GET").body == b"Healthy"
        assert score(replies, path="/swagger.json", method="GET").status == 200


@pytest.mark.parametrize("make", [lambda: FixedReply(1), lambda: CallableReply(len), lambda: NoReply("Why.")])
def test_containers_are_used_in_order(make: Callable[[], Any]) -> None:
    """As those of a script."""
    with make() as replies:
        with pytest.raises(Conflict, match="container 7 is not running"):
            replies.run(7, Request(AT))
        assert replies.init(7, AT) == Ready("")
        with pytest.raises(Conflict, match="container 7 is running"):
            replies.init(7, AT)
        replies.stop(7)
        replies.stop(7)
        with pytest.raises(Conflict):
            replies.run(7, Request(AT))
        assert replies.init(7, AT) == Ready("")
        replies.close()
        with pytest.raises(Conflict):
            replies.run(7, Request(AT))


def test_the_log_names_containers_and_is_bounded() -> None:
    """With the lines of the server, dated by the caller."""
    with FixedReply("x", log_bytes=600) as replies:
        for container in (0, 1):
            replies.init(container, AT)
        for container in (0, 0, 1):
            replies.run(container, Request(AT, takes=Micros(1500)))
        line = "2026-07-01 09:00:00,000 I [1] azmlinfsrv - POST /score 200 1.500ms 3\n"
        assert replies.logs() == f"==> container 0 <==\n{line}{line}==> container 1 <==\n{line}"
        assert replies.logs(1) == line
        for _ in range(50):
            replies.run(1, Request(AT))
        assert len(replies.logs()) < 700
        assert "bytes dropped" in replies.logs()


def test_the_callers_logging_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    """No line of a simulated server comes out of the caller's own handlers."""
    before = dict(logging.Logger.manager.loggerDict)
    with caplog.at_level(logging.DEBUG), CallableReply(json.loads) as replies:
        score(replies, b"no JSON")
        assert "JSONDecodeError" in replies.logs()
    assert caplog.records == []
    assert dict(logging.Logger.manager.loggerDict) == before


def test_request_ids_differ_between_services_and_requests() -> None:
    """And are the same in every run."""
    ids = []
    for name in ("a", "b", "a"):
        with FixedReply(1, service_name=name) as replies:
            ids += [score(replies).header("x-request-id"), score(replies).header("x-request-id")]
    assert len(set(ids)) == 4
    assert ids[:2] == ids[4:]
