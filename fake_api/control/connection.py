"""Ends connections as networks do: silently, with a reset, or in the middle of a body."""

import contextlib
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import Any, Final

from akstwin.router.asgi import Message, Receive, Send

_NO_LINGER: Final = struct.pack("ii", 1, 0)


async def break_off(receive: Receive, send: Send, *, reset: bool) -> None:
    """End the connection that `send` belongs to, and return when it has ended.

    Args:
        receive: of the request.
        send: likewise, as uvicorn made it: a method of what has the connection.
        reset: with a TCP reset, not with an orderly end.

    Raises:
        ConnectionAbortedError: there is no connection to end (a test without sockets).
    """
    transport: Any = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionAbortedError("broken off on purpose")
    if reset:
        _forget_linger(transport)
        transport.abort()
    else:
        transport.close()
    with contextlib.suppress(RuntimeError):  # it was not reading, and is told to go on
        while (await receive())["type"] != "http.disconnect":
            pass


def _forget_linger(transport: Any) -> None:
    """Let the kernel answer with a reset. The option belongs to the socket, so a second handle on it will do."""
    connection = transport.get_extra_info("socket")
    with socket.socket(fileno=os.dup(connection.fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)


class BrokenSend:
    """A way to answer that does not get through.

    Args:
        receive: of the request.
        send: likewise.
        wait: returns when the answer may go.
        keep: which share of the body gets through; None: all of it.
        cut: `drop` or `reset`: nothing gets through; None: it does.
    """

    def __init__(
        self,
        receive: Receive,
        send: Send,
        wait: Callable[[], Awaitable[None]] | None,
        keep: float | None,
        cut: str | None,
    ) -> None:
        self._receive = receive
        self._send = send
        self._wait = wait
        self._keep = keep
        self._cut = cut
        self._over = False

    async def __call__(self, message: Message) -> None:
        """One message of the answer."""
        if self._over:
            return
        if message["type"] == "http.response.start":
            if self._wait is not None:
                await self._wait()
            if self._cut is not None:
                self._over = True
                await break_off(self._receive, self._send, reset=self._cut == "reset")
                return
            await self._send(message)
            return
        if self._keep is None:
            await self._send(message)
            return
        body: bytes = message.get("body", b"")
        self._over = True
        await self._send({**message, "body": body[: int(len(body) * self._keep)], "more_body": True})
        await break_off(self._receive, self._send, reset=False)
