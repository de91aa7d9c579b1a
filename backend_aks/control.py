"""What a remote workspace asks an akstwin server beside the management routes: who it is, the time, limits, the latest answers.

The part of `/_akstwin` that means something on a real cluster. Faults, traffic and profiles are the simulator's, and a client is
told so by name.
"""

import asyncio
import json
from collections import deque
from importlib import metadata
from typing import Any, Final
from urllib.parse import parse_qs

from akstwin.backend import ScoreRequest, ScoreResponse
from akstwin.backend_aks.workspace import ClusterWorkspace
from akstwin.clock import SECOND
from akstwin.cores.router_http import HeaderReader
from akstwin.errors import AksError, InvalidSetting
from akstwin.router.asgi import Receive, Scope, Send

PREFIX: Final = "/_akstwin/"
_LONGEST_SLEEP: Final = 3600 * SECOND
"""A client that sleeps longer asks again."""
KEPT_ANSWERS: Final = 10_000
"""So many of the latest answers can be asked for."""
_MOST_ROWS: Final = 1_000_000
_ID_HEADERS: Final = ("x-ms-client-request-id", "x-request-id")
_IDS: Final = HeaderReader(_ID_HEADERS)
_LONGEST_ID: Final = 128
_MOST: Final = 10_000
"""Bytes of an order."""


class Control:
    """Answers for one workspace.

    Args:
        workspace: which.
    """

    def __init__(self, workspace: ClusterWorkspace) -> None:
        self._workspace = workspace
        self._journal: deque[dict[str, Any]] = deque(maxlen=KEPT_ANSWERS)
        workspace.gateway.listeners.append(self._heard)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        what = scope["path"].removeprefix(PREFIX)
        try:
            match scope["method"], what:
                case "GET", "health":
                    status, answer = 200, self._health()
                case "GET", "clock":
                    status, answer = 200, self._clock()
                case "POST", "clock":
                    await self._sleep(await _body(receive))
                    status, answer = 200, self._clock()
                case "GET", "journal":
                    status, answer = 200, self._latest(parse_qs(scope["query_string"].decode("latin-1")))
                case "GET", "assumptions":
                    status, answer = 200, self._workspace.backend.assumptions.model_dump(mode="json")
                case method, _:
                    message = f"no {method} {scope['path']}: that is for simulated workspaces"
                    status, answer = 404, {"code": "NotFound", "statusCode": 404, "message": message, "details": []}
        except AksError as error:
            status, answer = error.status_hint, error.body()
        data = json.dumps(answer).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(data)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": data})

    def _health(self) -> dict[str, Any]:
        identity = self._workspace.backend.identity
        return {
            "status": "ok",
            "version": metadata.version("akstwin"),
            "workspace": identity.name,
            "subscription_id": identity.subscription_id,
            "resource_group": identity.resource_group,
            "location": identity.location,
            "workspace_id": identity.workspace_id,
            "clock": "live",
        }

    def _clock(self) -> dict[str, Any]:
        backend = self._workspace.backend
        return {"now": backend.clock.now(), "epoch": backend.epoch, "mode": "live", "rate": 1.0}

    def _heard(self, service: str, request: ScoreRequest, response: ScoreResponse) -> None:
        now = self._workspace.backend.clock.now()
        called = _IDS.read(request.headers)
        row = {
            "service": service,
            "client_request_id": next((called[name][:_LONGEST_ID] for name in _ID_HEADERS if name in called), None),
            "arrived": now - response.latency,
            "answered": now,
            "status": response.status,
            "version": response.version,
            "reason": response.reason,
        }
        self._journal.append(row)

    def _latest(self, query: dict[str, list[str]]) -> dict[str, Any]:
        """The latest answers, the last one last; what a client calls a request shows no credential."""
        text = (query.get("limit") or ["100"])[-1]
        if not text.isdecimal() or not 1 <= int(text) <= _MOST_ROWS:
            raise InvalidSetting("limit", text, f"a whole number from 1 to {_MOST_ROWS}")
        redaction = self._workspace.management.redaction
        rows = list(self._journal)[-int(text) :]
        return {
            "entries": [
                {**row, "client_request_id": row["client_request_id"] and redaction.text(row["client_request_id"])}
                for row in rows
            ]
        }

    async def _sleep(self, order: bytes) -> None:
        """Wait for an instant: real time can be moved by nobody."""
        try:
            until = json.loads(order)["sleep_until"]
        except (ValueError, KeyError, TypeError):
            until = None
        if not isinstance(until, int) or isinstance(until, bool):
            raise InvalidSetting(
                "body", order.decode("utf-8", "replace")[:80], "sleep_until and an instant: time is real here"
            )
        left = until - self._workspace.backend.clock.now()
        if left > _LONGEST_SLEEP:
            raise InvalidSetting("sleep_until", until, f"at most {_LONGEST_SLEEP // SECOND} s from now")
        await asyncio.sleep(max(0, left) / SECOND)


async def _body(receive: Receive) -> bytes:
    parts = bytearray()
    while len(parts) <= _MOST:
        message = await receive()
        parts += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(parts)
    raise InvalidSetting("body", len(parts), f"at most {_MOST} bytes")
