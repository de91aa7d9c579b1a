"""Keys and tokens are in nothing that the control side tells, wherever a client puts them."""

import base64
import contextlib
import json
import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest

Serve = Callable[..., None]
CUSTOM = "my/custom key+with=signs&more"
FORMER = "Former4711/key+that=was&replaced"
WRONG = "wrong-credential-0815"


async def told(town: Any) -> str:
    """All that the control side tells about requests."""
    paths = ("journal?limit=100000", "events?follow=false", "history", "metrics", "faults", "", "health")
    parts = [(await town.http.get(f"/_akstwin/{path}")).text for path in paths]
    journal = json.loads(parts[0])
    parts.append(json.dumps(journal, ensure_ascii=False))
    return "\n".join(parts)


async def put_everywhere(town: Any, name: str, secret: str) -> None:
    """Into path, query, body, headers and names."""
    escaped = quote(secret, safe="")
    bearer = {"authorization": f"Bearer {secret}"}
    encoded = base64.b64encode(f"user:{secret}".encode()).decode()
    for path in (
        f"/api/v1/service/{name}/score?code={escaped}", f"/api/v1/service/{escaped}/score", f"/api/v1/service/{name}/{escaped}",
        f"/api/v1/service/{name}/score/{escaped}", f"/{escaped}", f"/x/{quote(escaped, safe='')}", f"/x?{escaped}",
        f"/{'a' * 240}{escaped}", f"/api/v1/service/{'a' * 50}{escaped}/score", f"/modelmanagement/v1.0/{escaped}/services",
        f"/api/v1/service/{name}/{encoded}", f"/key={escaped}",
    ):  # fmt: skip
        for headers in (
            bearer, {"x-ms-client-request-id": secret}, {"x-request-id": f"a-{secret}-b", **bearer},
            {"x-ms-client-request-id": encoded}, {"x-ms-client-request-id": "a" * 115 + secret, **bearer},
            {"x-functions-key": secret, "x-ms-client-request-id": f"order {secret}"}, {"cookie": secret},
        ):  # fmt: skip
            await town.http.post(path, json={"key": secret}, headers=headers)
            await town.http.get(path, headers=headers)
    form = {"code": secret}
    await town.http.post(f"/api/v1/service/{name}/score", data=form, headers={"x-ms-client-request-id": secret})


def test_wherever_a_client_puts_them(serve: Serve) -> None:
    """Present keys, former ones, tokens, wrong ones; with faults, and after a reset."""

    async def scene(town: Any) -> None:
        town.deploy("svc", primary_key=CUSTOM)
        town.deploy("open", auth_enabled=False)
        town.deploy("tokens", auth_enabled=False, token_auth_enabled=True)
        backend = town.workspace.backend
        backend.regenerate_key("svc", "Secondary", FORMER)
        backend.regenerate_key("svc", "Secondary")
        secrets = [
            CUSTOM, FORMER, backend.get_keys("svc").secondary, backend.issue_token("tokens").token, WRONG,
            backend.management.services.record("svc").token_secret,
        ]  # fmt: skip
        assert all(secrets)

        async def check() -> None:
            shown = await told(town)
            for secret in secrets:
                for form in (secret, quote(secret, safe=""), base64.b64encode(f"user:{secret}".encode()).decode()):
                    found = form in shown  # by itself: pytest would compare megabytes, letter by letter
                    assert not found, form
                found = secret[:12] in shown
                assert not found, secret

        for secret in secrets:
            for name in ("svc", "open", "tokens"):
                await put_everywhere(town, name, secret)
        await check()
        await town.call("POST", "faults", {"kind": "drop_connection", "share": 0.5, "seed": 1})
        await town.call("POST", "faults", {"kind": "refuse_management", "status": 503})
        for secret in secrets:
            with contextlib.suppress(httpx.TransportError):  # broken on purpose
                await put_everywhere(town, "svc", secret)
        await check()
        await town.call("POST", "reset")
        await town.call("DELETE", "faults")
        for secret in secrets:
            await put_everywhere(town, "svc", secret)
        await check()

    serve(scene)


def test_what_names_requests_stays(serve: Serve) -> None:
    """Names and paths are what a journal is for."""

    async def scene(town: Any) -> None:
        town.deploy("svc")
        await town.score(x_ms_client_request_id="550e8400-e29b-41d4-a716-446655440000")
        await town.score("scv", x_ms_client_request_id="order-4711")
        first, second = (await town.journal()).entries
        assert first.client_request_id == "550e8400-e29b-41d4-a716-446655440000"
        assert (second.service, second.client_request_id) == ("scv", "order-4711")
        assert "there is no service scv" in (second.note or "")

    serve(scene)


def fail() -> None:
    """As whatever goes wrong inside."""
    raise ValueError(f"it fails at {CUSTOM}")


def test_logs(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    """What goes wrong inside is logged without them, tracebacks included."""

    async def scene(town: Any) -> None:
        town.deploy("svc", primary_key=CUSTOM)
        try:
            fail()
        except ValueError:
            logging.getLogger("uvicorn.error").exception("what was sent: %s", CUSTOM)

    serve(scene)
    written = capsys.readouterr().err
    assert "what was sent: [redacted]" in written
    assert "ValueError: it fails at [redacted]" in written
    assert CUSTOM not in written
    assert logging.getLogger("uvicorn.error").filters == []
