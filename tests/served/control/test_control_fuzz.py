"""Whatever comes in, the control API answers, and never with an error of its own."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akstwin.backend import WorkspaceIdentity
from akstwin.fake_api.app import PortApp
from akstwin.fake_api.host_check import AllowedHosts
from akstwin.fake_api.workspace import ServedWorkspace
from akstwin.router.asgi import Receive, Scope, Send, respond

NAMES = st.sampled_from(
    ["kind", "at", "lasts", "service", "version", "share", "count", "seed", "by", "keep", "status", "operation", "node",
     "factor", "request", "shape", "rate", "instants", "retry", "service_time", "workers", "reply", "reply_base64", "headers",
     "body_base64", "path", "method", "advance", "before", "cluster", "mean", "cv", "distribution",
     "nodes", "vm_size", "max_nodes", "$match", "$fixed", "$echo", "$otherwise", "match", "body", "regex", "pointer", "text"]
)  # fmt: skip
WORDS = st.sampled_from(
    ["drop_connection", "reset_connection", "truncate_body", "delay_answer", "refuse_management", "replica_kill", "node_loss",
     "svc", "score", "management", "1s", "5m", "poisson", "steps", "trace", "azureml-core", "lognormal", "e30=", "/score", "GET"]
)  # fmt: skip
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES | st.text(max_size=8), inner, max_size=6),
    max_leaves=16,
)
ROUTES = st.sampled_from(["profile/svc", "traffic/svc", "score/svc", "faults", "cluster/one"])


@pytest.fixture(scope="module")
def app() -> Iterator[PortApp]:
    """One port's application, without sockets; its clock stands still."""

    async def rest(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, 400, "not served")

    async def make() -> PortApp:
        return PortApp(workspace, AllowedHosts(), lambda: rest)

    workspace = ServedWorkspace(WorkspaceIdentity(), clock="manual")
    yield asyncio.run(make())
    workspace.close()


def ask(app: PortApp, method: str, path: str, **given: Any) -> httpx.Response:
    """One request."""

    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            return await http.request(method, f"/_akstwin/{path}", **given)

    return asyncio.run(call())


@settings(max_examples=200, deadline=None)
@given(route=ROUTES, body=JSON | st.dictionaries(NAMES, WORDS | st.floats(0, 1) | st.integers(0, 9), max_size=6))
def test_bodies(app: PortApp, route: str, body: Any) -> None:
    """What JSON can say."""
    answer = ask(app, "POST", route, json=body)
    assert answer.status_code in (200, 201, 400, 404, 409), answer.text
    if answer.status_code >= 400:
        assert set(answer.json()) >= {"code", "statusCode", "message"}
        assert answer.json()["statusCode"] == answer.status_code
    ask(app, "DELETE", "faults")


@settings(max_examples=100, deadline=None)
@given(
    route=ROUTES | st.just("clock"),
    body=st.binary(max_size=60),
    kind=st.sampled_from(["application/json", "text/plain", ""]),
)
def test_bytes(app: PortApp, route: str, body: bytes, kind: str) -> None:
    """What is no JSON, or is not said to be."""
    answer = ask(app, "POST", route, content=body, headers={"content-type": kind})
    assert answer.status_code in (200, 400, 404), answer.text


@settings(max_examples=100, deadline=None)
@given(
    route=st.sampled_from(["journal", "observe/svc", "events", "history", "traffic", "faults/x", "metrics"]),
    query=st.dictionaries(
        st.sampled_from(["service", "version", "status", "reason", "since", "limit", "window", "kind", "subject"]),
        st.text(max_size=12) | st.integers().map(str),
        max_size=4,
    ),
)
def test_queries(app: PortApp, route: str, query: dict[str, str]) -> None:
    """What stands behind the question mark."""
    answer = ask(app, "GET", route, params={**query, "follow": "false"})
    assert answer.status_code in (200, 400, 404, 405), answer.text
