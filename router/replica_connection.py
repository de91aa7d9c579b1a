"""One connection to a replica: a request out, its reply back, HTTP/1.1 (RFC 9112).

Bodies are whole: the router has read a request before it decides, and passes a reply on when it is complete.
"""

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple, cast

import httptools

from akstwin.backend import ScoreRequest
from akstwin.cores.router_http import Headers, end_to_end_headers

_NOT_IN_A_HEAD: Final = frozenset("\r\n\0")
_BODILESS: Final = frozenset({204, 304})
LONGEST_HEAD: Final = 65_536
"""Bytes of a reply's status line and headers."""


class Reply(NamedTuple):
    """A complete reply.

    Attributes:
        status: the replica's.
        headers: the replica's, in their order, without those that hold for its connection.
        body: the bytes.
    """

    status: int
    headers: Headers
    body: bytes


class Refused(NamedTuple):
    """The replica has taken no connection: no byte of the request has left the router."""

    why: str


class Broken(NamedTuple):
    """The connection has ended before the reply was complete; the replica may have worked on the request."""

    why: str


Outcome = Reply | Refused | Broken


def encode(request: ScoreRequest, address: str) -> bytes:
    """A request as it goes over the wire.

    Args:
        request: what the client has sent.
        address: of the replica, for the host of a request that names none.

    Raises:
        ValueError: a control character where it would begin another line.
    """
    target = request.path + (f"?{request.query}" if request.query else "")
    headers = end_to_end_headers(request.headers)
    if not any(name.lower() == "host" for name, _ in headers):
        headers = (("Host", address), *headers)
    lines = [f"{request.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    if request.body or request.method not in ("GET", "HEAD", "OPTIONS", "DELETE"):
        lines.append(f"Content-Length: {len(request.body)}")
    if any(not _NOT_IN_A_HEAD.isdisjoint(line) for line in lines) or any(char <= " " for char in target):
        raise ValueError("a control character or a space in a header or in the target of a request")
    head = "\r\n".join((*lines, "", ""))
    return head.encode("latin-1") + request.body


class ReplicaConnection(asyncio.Protocol):
    """A connection that carries one request at a time.

    Args:
        freed: called with it when a reply is complete and the replica keeps the connection.
        ended: called with it when it is closed.
        longest_reply: bytes of a body; of a longer one the request counts as broken.

    Attributes:
        idle_since: when it became free, by the loop's clock.
    """

    def __init__(
        self,
        freed: Callable[["ReplicaConnection"], None],
        ended: Callable[["ReplicaConnection"], None],
        longest_reply: int,
    ) -> None:
        self._freed = freed
        self._ended = ended
        self._longest_reply = longest_reply
        self._transport: asyncio.Transport | None = None
        self._done: Callable[[Outcome], None] | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._begin("GET")
        self.idle_since = 0.0

    def _begin(self, method: str) -> None:
        self._method = method
        self._status = 0
        self._headers: list[tuple[str, str]] = []
        self._head_size = 0
        self._body = bytearray()
        self._framed = self._keep = self._complete = False

    # -- out

    def send(self, method: str, data: bytes, done: Callable[[Outcome], None]) -> None:
        """Send a request; `done` is called once, not before this returns."""
        assert self._transport is not None  # noqa: S101 - it is connected
        self._begin(method)
        self._done = done
        self._parser = httptools.HttpResponseParser(self)
        self._transport.write(data)

    def close(self) -> None:
        """End it; a request on it is broken."""
        if self._transport is not None:
            self._transport.abort()

    @property
    def closing(self) -> bool:
        """Whether it can carry nothing more."""
        return self._transport is None or self._transport.is_closing()

    # -- asyncio's

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The replica has taken the connection."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """A part of a reply."""
        if self._done is None or self._parser is None:  # nobody has asked for it
            self.close()
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._settle(Broken(f"its reply is no HTTP/1.1: {error}"))
            self.close()
            return
        self._head_size += 0 if self._status else len(data)  # of a head that is not yet whole
        if len(self._body) > self._longest_reply:
            self._settle(Broken(f"its reply is longer than {self._longest_reply} bytes"))
            self.close()
        elif self._head_size > LONGEST_HEAD:
            self._settle(Broken(f"the headers of its reply are longer than {LONGEST_HEAD} bytes"))
            self.close()
        elif self._complete:
            self._reply()

    def eof_received(self) -> bool:
        """The replica says no more: that is the end of a body without a length."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed."""
        if self._done is not None:
            if self._status and not self._framed and exc is None:
                self._reply(keep=False)
            else:
                self._settle(Broken("it closed the connection before its reply was complete"))
        self._transport = None
        self._ended(self)

    # -- the parser's

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a field after a body, which does not count."""
        if self._status:
            return
        lowered = name.lower()
        if lowered == b"content-length" or (lowered == b"transfer-encoding" and value.lower().endswith(b"chunked")):
            self._framed = True
        self._headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        assert self._parser is not None  # noqa: S101
        status = self._parser.get_status_code()
        if status < 200:  # the final reply follows
            self._headers.clear()
            self._framed = False
            return
        self._status = status
        self._head_size = sum(len(name) + len(value) for name, value in self._headers)
        self._keep = self._parser.should_keep_alive()
        if self._method == "HEAD" or status in _BODILESS:
            self._framed = self._complete = True

    def on_body(self, body: bytes) -> None:
        """A part of its body."""
        if not self._complete:
            self._body += body

    def on_message_complete(self) -> None:
        """It is whole, or was an interim one."""
        self._complete = self._complete or bool(self._status)

    # -- back

    def _reply(self, *, keep: bool | None = None) -> None:
        keeps = self._keep and self._framed and self._method != "HEAD" if keep is None else keep
        reply = Reply(self._status, end_to_end_headers(tuple(self._headers)), bytes(self._body))
        done, self._done, self._parser = self._done, None, None
        self._body = bytearray()
        # Before its slot is free again: the next request may be on its way to this replica in the same call.
        if keeps and not self.closing:
            self._freed(self)
        elif self._transport is not None:
            self._transport.close()
        assert done is not None  # noqa: S101
        done(reply)

    def _settle(self, outcome: Outcome) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(outcome)
