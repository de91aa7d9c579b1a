"""A listening router: sockets in front of a gateway, and an end in which no request is lost."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import uvicorn

from akstwin.domain.service_urls import SERVICE_PREFIX
from akstwin.router.asgi import Receive, Router, Scope, ScoringApp, Send, respond
from akstwin.router.fast_path import FastPathProtocol
from akstwin.router.listening import listen, listening

HEALTH: Final = "/"
"""The router's own health: 200 `Healthy`; 503 when it is about to end."""

App = Callable[[Scope, Receive, Send], Any]


class RouterServer:
    """Serves a gateway on one socket.

    Args:
        router: gets the requests.
        rest: answers all paths but the services' and the health; None: 404 (R1).
    """

    def __init__(self, router: Router, rest: App | None = None) -> None:
        self._router = router
        self._scoring = ScoringApp(router)
        self._rest = rest
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None
        self.ready = True
        """Whether new requests are welcome; what the health says."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A request off the fast path."""
        path: str = scope["path"]
        if path == HEALTH:
            await respond(send, *((200, "Healthy") if self.ready else (503, "Ending")))
        elif path.startswith(SERVICE_PREFIX) or self._rest is None:
            await self._scoring(scope, receive, send)
        else:
            await self._rest(scope, receive, send)

    async def start(self, listener: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Take connections from now on."""
        protocol = partial(FastPathProtocol, router=self._router)
        self._server, self._task = listen(self, protocol, listener, tls)
        await listening(self._server, self._task)

    async def end(self, lame_duck: float = 0.0, drain: float = 300.0) -> None:
        """End so that no request is lost.

        Args:
            lame_duck: s for which requests are still taken after the health has turned: until then, nobody else knows.
            drain: s within which requests that are here get their answers; connections end with them.
        """
        self.ready = False
        if self._server is None or self._task is None:
            return
        await asyncio.sleep(lame_duck)
        self._server.config.timeout_graceful_shutdown = drain  # type: ignore[assignment]  # uvicorn takes any number
        self._server.should_exit = True
        await self._task
