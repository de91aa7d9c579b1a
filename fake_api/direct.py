"""The short way for a plain scoring request: from the parser to the router and back, without a task and a cycle of its own.

Plain is what clients send almost always: a POST of `/api/v1/service/{name}/score` with a length, while nothing is broken on
purpose. All else goes uvicorn's way, to the same router: what is decided does not depend on the way.
"""

import re
from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from akstwin.backend import ScoreRequest, ScoreResponse
from akstwin.fake_api.protocol import Protocol
from akstwin.router.asgi import Ticket, header_lines

if TYPE_CHECKING:
    from akstwin.fake_api.app import PortApp

_BEGINS: Final = b"/api/v1/service/"
_ENDS: Final = b"/score"
_DIGITS: Final = 6
"""A body whose length has more of them is read by who can refuse it on the way."""
_NOT_IN_A_HEAD: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


class DirectProtocol(Protocol):
    """A connection whose plain scoring requests go the short way."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._port: PortApp = self.config.loaded_app
        self._reading: Short | None = None
        self._known: list[tuple[bytes, bytes]] = []
        """Headers that have been looked at, what the guard says of them, and the same as text."""
        self._refusal: tuple[int, str] | None = None
        self._texts: tuple[tuple[str, str], ...] = ()

    def take_head(self) -> None:
        """It is decided which way the request goes."""
        name = self._plain()
        if name is None:
            super().take_head()
            return
        self._reading = Short(self, name, self._texts, self._refusal, keep_alive=self.parser.should_keep_alive())
        self.cycle = self._reading  # type: ignore[assignment]  # what uvicorn looks at of it is there

    def take_body(self, body: bytes) -> None:
        """A part of its body."""
        if self._reading is None:
            super().take_body(body)
        else:
            self._reading.body += body

    def take_end(self) -> None:
        """It is whole."""
        reading = self._reading
        if reading is None:
            super().take_end()
            return
        self._reading = None
        reading.ask(self._port)

    def _plain(self) -> str | None:
        """The service that a plain request is for; None: it is another kind of request, or its turn has not come."""
        url, cycle = self.url, self.cycle
        if (
            not url.startswith(_BEGINS)
            or not url.endswith(_ENDS)
            or (cycle is not None and not cycle.response_complete)
        ):
            return None
        name = url[len(_BEGINS) : -len(_ENDS)]
        parser = self.parser
        if (
            not name.replace(b"-", b"a").isalnum()
            or parser.get_method() != b"POST"
            or parser.get_http_version() != "1.1"
            or parser.should_upgrade()
            or self.expect_100_continue
            or self.flow.write_paused
            or self._port.control.interference.active
        ):
            return None
        if self.headers != self._known:  # most clients say the same with each request
            lengths = [value for key, value in self.headers if key == b"content-length"]
            if len(lengths) != 1 or not lengths[0].isdigit() or len(lengths[0]) > _DIGITS:
                return None
            self._known = self.headers
            self._refusal = self._port.guard.refusal({"headers": self.headers})
            self._texts = tuple([(key.decode("latin-1"), value.decode("latin-1")) for key, value in self.headers])
        return name.decode("ascii")


class Short:
    """A request on the short way. It shows uvicorn what a cycle of its own would.

    Attributes:
        body: as far as it has come.
        keep_alive: whether the connection stays.
        disconnected: the client has gone.
        response_started: likewise for
        response_complete: its answer.
    """

    __slots__ = (
        "_headers", "_name", "_protocol", "_refusal", "_ticket", "body", "disconnected", "keep_alive", "more_body",
        "response_complete", "response_started",
    )  # fmt: skip

    def __init__(
        self,
        protocol: DirectProtocol,
        name: str,
        headers: tuple[tuple[str, str], ...],
        refusal: tuple[int, str] | None,
        *,
        keep_alive: bool,
    ) -> None:
        self._protocol = protocol
        self._name = name
        self._headers = headers
        self._refusal = refusal
        self._ticket: Ticket | None = None
        self.body = b""
        self.more_body = True
        self.keep_alive = keep_alive
        self.disconnected = self.response_started = self.response_complete = False

    @property
    def message_event(self) -> "Short":
        """What uvicorn sets when a client has gone."""
        return self

    def set(self) -> None:
        """Something has happened on the connection."""
        if self.disconnected and not self.response_complete:
            self.response_complete = True
            if self._ticket is not None:
                self._ticket.abort()

    def ask(self, port: "PortApp") -> None:
        """The request is whole; it goes to the router."""
        self.more_body = False
        try:
            if self._refusal is None:
                self._ticket = port.workspace.submit(self._name, ScoreRequest(self.body, self._headers), self.settle)
            else:
                status, why = self._refusal
                self._write(status, [(b"content-type", b"text/plain; charset=utf-8")], why.encode())
        except Exception as error:  # noqa: BLE001 - as uvicorn does with what an application raises
            self._fail(error)

    def settle(self, response: ScoreResponse) -> None:
        """The answer is there."""
        if self.response_complete:
            return
        try:
            self._write(response.status, header_lines(response), response.body)
        except Exception as error:  # noqa: BLE001 - see above
            self._fail(error)

    def _write(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        pieces = [STATUS_LINE[status]]
        for name, value in headers:
            pieces += (name, b": ", value, b"\r\n")
        pieces.append(b"content-length: %d\r\n" % len(body))
        if not self.keep_alive:
            pieces.append(b"connection: close\r\n")
        pieces.append(b"\r\n")
        head = b"".join(pieces)
        ends = len(headers) + (3 if self.keep_alive else 4)
        if head.count(b"\n") != ends or head.count(b"\r") != ends or _NOT_IN_A_HEAD.search(head):
            raise RuntimeError("Invalid HTTP header value.")
        self._end(head + body)

    def _fail(self, error: Exception) -> None:
        self._protocol.logger.error("Exception while a request was scored", exc_info=error)
        if not self.response_complete:
            self.keep_alive = False
            self._write(500, [(b"content-type", b"text/plain; charset=utf-8")], b"Internal Server Error")

    def _end(self, whole: bytes) -> None:
        self.response_started = self.response_complete = True
        transport = self._protocol.transport
        transport.write(whole)
        if not self.keep_alive:
            transport.close()
        self._protocol.on_response_complete()
