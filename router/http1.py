"""HTTP/1.1 on a connection, with limits to what a client may ask of the parser and how long it may take (RFC 9110, 9112).

uvicorn's protocol trusts whoever is connected: it bounds neither heads nor pauses, takes fields after a body for headers, and
answers what it cannot parse before the requests that came earlier. Each is mended here; all else is uvicorn's. A request that
comes whole and is well-formed pays for a few comparisons.
"""

import asyncio
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, ClassVar, Final, NoReturn
from urllib.parse import urlsplit

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

_VERSIONS: Final = frozenset({"1.0", "1.1"})
_SLASH: Final = ord("/")
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})


@dataclass(frozen=True)
class Limits:
    """Limits of what a client may send, and of how long it may take.

    Attributes:
        head: bytes of a request's line and headers; also of what comes in a row and is no body (chunk extensions, trailers).
        headers: how many there are.
        target: bytes of the URL.
        head_seconds: for a head to come whole.
        body_seconds: within which a body goes on.
        progress: by so many bytes at least, or it ends.
        linger_seconds: for the rest of what is sent by who has an answer already.
    """

    head: int = 65_536
    headers: int = 256
    target: int = 16_384
    head_seconds: float = 30
    body_seconds: float = 30
    progress: int = 1024
    linger_seconds: float = 2


class Part(Enum):
    """The part of a request that the connection is reading."""

    NONE = auto()
    HEAD = auto()
    BODY = auto()
    UPGRADE = auto()


class _Malformed(Exception):
    """Ends the parser."""


class Http1Protocol(HttpToolsProtocol):
    """A uvicorn protocol for one connection of a client that may be hostile."""

    limits: ClassVar[Limits] = Limits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._part = Part.NONE
        self._begun = 0
        """Requests that have begun to come."""
        self._size = self._head_size = self._beside = self._came = 0
        """Bytes: of the last piece; of a head, at most; since the last part of a body; of a body, since the watch looked."""
        self._watch: asyncio.TimerHandle | None = None
        self._objection: tuple[int, str] | None = None
        self._last: bytes | None = None
        """Ends the connection when all earlier requests are answered."""
        self._deaf = False
        """Nothing is read any more."""

    # -- what comes

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """A client is there, and has its time for a first head."""
        super().connection_made(transport)
        self._set_watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has gone."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes, of any part of any request."""
        if self._deaf:
            return
        self._unset_keepalive_if_required()
        self._size = size = len(data)
        self._head_size += size
        self._beside += size
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._go_on(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError as error:
            if self._objection is None and _is_ours(error):
                self.logger.exception("Exception while a request was read")
                self._objection = 500, "Internal Server Error"
            self._refuse(*(self._objection or (400, "the request is not well-formed HTTP/1.1")))
            return
        if self._beside > self.limits.head:
            if self._part is Part.BODY:
                self._refuse(400, f"more than {self.limits.head} bytes between two parts of a body")
            else:
                self._refuse(431, f"the headers are longer than {self.limits.head} bytes")
        elif self._watch is None and (self._part is not Part.NONE or not self._running()):
            self._set_watch()

    def on_message_begin(self) -> None:
        """A head begins."""
        if self._part is Part.UPGRADE:
            return
        self._part = Part.HEAD
        self._begun += 1
        self._head_size = self._size
        self.take_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; what follows a body is none (RFC 9110 §6.5.1)."""
        if self._part is Part.HEAD:  # as uvicorn does, without one more call for each header
            name = name.lower()
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """A head is whole: the request begins, if it is well-formed."""
        if self._part is Part.UPGRADE:
            self._part = Part.BODY
            return
        self.check_head()
        if self.url[0] != _SLASH:
            self._take_authority()
        self.take_head()
        self._part = Part.UPGRADE if self.parser.should_upgrade() else Part.BODY
        self._beside = self._came = 0

    def on_body(self, body: bytes) -> None:
        """A part of a body."""
        self._beside = 0
        self._came += len(body)
        self.take_body(body)

    def on_message_complete(self) -> None:
        """A request is whole."""
        if self._part is Part.UPGRADE:
            return  # so the parser thinks
        self._part = Part.NONE
        self._beside = 0
        self.take_end()

    def take_begin(self) -> None:
        """A head begins. This and the next three are for who takes requests in."""
        super().on_message_begin()

    def take_head(self) -> None:
        """A request begins, with a head that is well-formed."""
        super().on_headers_complete()

    def take_body(self, body: bytes) -> None:
        """A part of its body."""
        super().on_body(body)

    def take_end(self) -> None:
        """It is whole."""
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """A request is answered; the next one of those that have come is begun."""
        following = bool(self.pipeline)
        super().on_response_complete()
        if following or self.transport.is_closing():
            return
        if self._last is not None:
            self._end()
        elif self._part is Part.BODY:
            self.loop.call_later(self.limits.linger_seconds, self._end_of, self._begun)

    def _go_on(self, rest: bytes) -> None:
        """Nothing else is spoken here: a request is answered as if it had not asked for an upgrade (RFC 9110 §7.8).

        httptools stops behind the head of such a request. A new parser is told how long the body is, and goes on.
        """
        framing = [header for header in self.headers if header[0] in _FRAMING]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.feed_data(b"POST / HTTP/1.1\r\n%s\r\n" % b"".join(b"%s: %s\r\n" % header for header in framing))
        self.data_received(rest)

    # -- what is refused

    def check_head(self) -> None:
        """Refuse a head that asks too much, or is not well-formed: what is raised ends the parser."""
        limits, version = self.limits, self.parser.get_http_version()
        if version not in _VERSIONS:
            self._object(400, f"HTTP/{version} is not spoken here; expected 1.0 or 1.1")
        if len(self.url) > limits.target:
            self._object(414, f"the URL is longer than {limits.target} bytes")
        if len(self.headers) > limits.headers:
            self._object(431, f"there are more than {limits.headers} headers")
        if self._head_size > limits.head:  # at most: a body or another request may have come in the same piece
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > limits.head:
                self._object(431, f"the headers are longer than {limits.head} bytes")
        for name, value in self.headers:
            if name == b"transfer-encoding" and (value.strip().lower() != b"chunked" or version == "1.0"):
                self._object(400, "Transfer-Encoding is understood in HTTP/1.1 only, and only as chunked")

    def _object(self, status: int, why: str) -> NoReturn:
        self._objection = status, why
        raise _Malformed(why)

    def _take_authority(self) -> None:
        """The host of a whole URL counts, not the header (RFC 9112 §3.2.2)."""
        parts = urlsplit(self.url.decode("ascii"))
        if parts.scheme:
            others = [header for header in self.headers if header[0] != b"host"]
            self.headers[:] = [(b"host", parts.netloc.encode()), *others]

    @property
    def is_reading(self) -> bool:
        """Whether a part of a request has come."""
        return self._part is not Part.NONE

    def _running(self) -> bool:
        """Whether a request is being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self, status: int, why: str) -> None:
        """The answer to what cannot be parsed: after those to what came before, and the last on the connection."""
        self._deaf = True
        text = f"{why}\n".encode()
        head = STATUS_LINE[status] + b"content-type: text/plain; charset=utf-8\r\nconnection: close\r\n"
        self._last = head + b"content-length: %d\r\n\r\n" % len(text) + text
        if not self._running():
            if self._part is Part.BODY:  # its request has its answer
                self._last = b""
            self._end()
        elif self._part is not Part.BODY:  # an earlier request is under way: `on_response_complete` goes on
            pass
        elif self.pipeline:  # likewise; the request that this is the body of had to wait
            self.pipeline.popleft()
        else:  # the request that this is the body of is under way
            if self.cycle.response_started:
                self._last = b""
            self._end()
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def _end(self) -> None:
        """Send the final response, half-close, and keep reading briefly: the client sees it before any TCP reset."""
        if self._last:
            self.transport.write(self._last)
        self._last = None
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.loop.call_later(self.limits.linger_seconds, self.transport.close)
        else:
            self.transport.close()

    # -- who is slow

    def _end_of(self, begun: int) -> None:
        """The rest of the body of a request that is answered has had its time."""
        if begun == self._begun and self._part is Part.BODY and not self.transport.is_closing():
            self.transport.close()

    def _set_watch(self) -> None:
        seconds = self.limits.body_seconds if self._part is Part.BODY else self.limits.head_seconds
        self._came = 0
        self._watch = self.loop.call_later(seconds, self._look, self._part, self._begun)

    def _look(self, part: Part, begun: int) -> None:
        """Whether the client has made use of its time."""
        self._watch = None
        if self._deaf or self.transport.is_closing():
            return
        if self._part is Part.NONE:
            if (
                not self._running() and self.timeout_keep_alive_task is None
            ):  # else it is the server's turn, or uvicorn waits
                self._last = b""
                self._end()
        elif (
            self.flow.read_paused  # it was not let
            or (part, begun) != (self._part, self._begun)
            or (part is Part.BODY and self._came >= self.limits.progress)
        ):
            self._set_watch()
        else:
            self._refuse(408, "the request did not come to its end in time")


def _is_ours(error: httptools.HttpParserError) -> bool:
    """Whether a defect of the server ended the parser; a URL that means nothing and bytes that are no text are the client's."""
    cause = error.__context__
    return isinstance(error, httptools.HttpParserCallbackError) and not isinstance(
        cause, httptools.HttpParserError | ValueError
    )
