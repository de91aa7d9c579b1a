"""The scoring route as plain ASGI: path and headers in, the router's or the model's answer out (semantics §1.2, R1, R14).

Nothing is decided here. The body is read, the request is handed to whoever routes, and the client gets what came of it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final, Protocol

from akstwin.backend import ScoreRequest, ScoreResponse
from akstwin.cores.router_http import CONTENT_LENGTH, REPLICA_PATHS, SHORT_LENGTH, declared_length, match_path

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

HostCheck = Callable[[Iterable[tuple[bytes, bytes]], str, str, str], tuple[int, str] | None]
"""Status and reason with which a request is refused, by its headers, HTTP version, method and scheme; None: it may pass."""

_LENGTH: Final = CONTENT_LENGTH.encode()
_HOP_BY_HOP: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})
PATIENCE: Final = 0.02
"""Real seconds before it is looked whether a client still waits."""


class Ticket(Protocol):
    """A request that is on its way."""

    def abort(self) -> None:
        """Its client went away."""
        ...


class Router(Protocol):
    """Whoever routes requests."""

    @property
    def max_payload(self) -> int:
        """The longest body that is read, bytes: one byte more is enough to refuse it."""
        ...

    def submit(self, service: str, request: ScoreRequest, done: Callable[[ScoreResponse], None]) -> Ticket:
        """Let a request come in now; `done` is called with its answer, at once or later, from this event loop."""
        ...

    def misdirected(self, path: str) -> ScoreResponse:
        """The answer to a request for a path that is no route (R1)."""
        ...


class Interference(Protocol):
    """Hook for faults that break connections on purpose."""

    @property
    def active(self) -> bool:
        """Whether any fault may strike now; while false, requests take their way without asking it anything else."""
        ...

    async def arrived(self, service: str, request: ScoreRequest, receive: Receive, send: Send) -> bool:
        """A request comes in; False: it has ended here, without an answer."""
        ...

    def answering(self, request: ScoreRequest, receive: Receive, send: Send) -> Send:
        """The way that the answer to a request takes."""
        ...


class NoInterference:
    """No fault ever strikes."""

    @property
    def active(self) -> bool:
        """Never."""
        return False

    async def arrived(self, service: str, request: ScoreRequest, receive: Receive, send: Send) -> bool:  # noqa: ARG002
        """The request goes on."""
        return True

    def answering(self, request: ScoreRequest, receive: Receive, send: Send) -> Send:  # noqa: ARG002
        """The answer goes out as it is."""
        return send


class ScoringApp:
    """Answers `/api/v1/service/{name}/score` and `…/swagger.json`; anything else is 404 `Not Found` (R1).

    Args:
        router: gets the requests.
        interference: breaks connections; none by default.
        missed: hears of requests that are for neither.
    """

    def __init__(
        self,
        router: Router,
        interference: Interference | None = None,
        missed: Callable[[Scope], None] = lambda _: None,
    ) -> None:
        self._router = router
        self._interference: Interference = interference or NoInterference()
        self._missed = missed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        matched = match_path(scope["path"])
        if matched is None:
            self._missed(scope)
            refused = self._router.misdirected(scope["path"])
            await _send(send, refused.status, header_lines(refused), refused.body)
            return
        name, wanted = matched
        body = b"" if self._declares_too_much(scope) else await self._body(receive)
        if body is None:
            return
        headers = tuple((key.decode("latin-1"), value.decode("latin-1")) for key, value in scope["headers"])
        query = scope["query_string"].decode("latin-1")
        request = ScoreRequest(body, headers, scope["method"], REPLICA_PATHS[wanted], query)
        interfering = self._interference.active
        if interfering and not await self._interference.arrived(name, request, receive, send):
            return
        answer = _Answer()
        ticket = self._router.submit(name, request, answer.settle)
        response = answer.response or await answer.or_gone(ticket, receive)
        if response is not None:
            if interfering:
                send = self._interference.answering(request, receive, send)
            await _send(send, response.status, header_lines(response), response.body)

    def _declares_too_much(self, scope: Scope) -> bool:
        """Whether the body is longer than any that is taken, by its client's own word: it need not be read for that."""
        for name, value in scope["headers"]:
            if name == _LENGTH:
                declared = declared_length(value.decode("latin-1")) if len(value) > SHORT_LENGTH else None
                return declared is not None and declared > self._router.max_payload
        return False

    async def _body(self, receive: Receive) -> bytes | None:
        """The body, cut where it is longer than any that is taken; None: the client went away."""
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body: bytes = message.get("body", b"")
        if not message.get("more_body", False):
            return body
        parts, size, limit = [body], len(body), self._router.max_payload
        while message.get("more_body", False) and size <= limit:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            part: bytes = message.get("body", b"")
            parts.append(part)
            size += len(part)
        return b"".join(parts)[: limit + 1]


class _Answer:
    """What came of a request, at once or after a wait."""

    __slots__ = ("_waiting", "response")

    def __init__(self) -> None:
        self.response: ScoreResponse | None = None
        self._waiting: asyncio.Future[None] | None = None

    def settle(self, response: ScoreResponse) -> None:
        """It is there."""
        self.response = response
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def or_gone(self, ticket: Ticket, receive: Receive) -> ScoreResponse | None:
        """Wait for it; None: the client went away, and the request is taken back.

        Whether the client is there is looked at only after a while: most answers come sooner, and to look costs as much as
        all the rest.
        """
        loop = asyncio.get_running_loop()
        waiting = self._waiting = loop.create_future()
        watch: asyncio.Task[None] | None = None

        def look() -> None:
            nonlocal watch
            watch = loop.create_task(_disconnected(receive))
            watch.add_done_callback(lambda _: self._wake())

        patience = loop.call_later(PATIENCE, look)
        try:
            await waiting
        finally:
            patience.cancel()
            if watch is not None:
                watch.cancel()
        if self.response is None:
            ticket.abort()
            return None
        return self.response


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


_names: Final[dict[str, bytes]] = {}
_MOST_NAMES: Final = 1024


def _name(key: str) -> bytes:
    """A header's name as it goes over the wire; empty: what frames the answer on the connection is the server's business."""
    name = _names.get(key)  # by hand, not `lru_cache`: it is asked for each header of each answer
    if name is None:
        lowered = key.lower()
        name = b"" if lowered in _HOP_BY_HOP else lowered.encode("latin-1")
        if len(_names) < _MOST_NAMES:
            _names[key] = name
    return name


def header_lines(response: ScoreResponse) -> list[tuple[bytes, bytes]]:
    """The answer's headers. `server` and `date` go last; a date that the answer has not is not made up."""
    headers: list[tuple[bytes, bytes]] = []
    server, date = b"Cowboy", b""
    for key, value in response.headers:
        name = _name(key)
        if name == b"server":
            server = value.encode("latin-1")
        elif name == b"date":
            date = value.encode("latin-1")
        elif name:
            headers.append((name, value.encode("latin-1")))
    headers.append((b"server", server))
    if date:
        headers.append((b"date", date))
    return headers


async def respond(send: Send, status: int, text: str, content_type: str = "text/plain; charset=utf-8") -> None:
    """Answer with a text."""
    await _send(send, status, [(b"content-type", content_type.encode())], text.encode())


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
