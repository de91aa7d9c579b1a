"""One request and its response on the fast path."""

from typing import Any, Final

from akstwin.backend import ScoreRequest, ScoreResponse
from akstwin.router.asgi import Router, Ticket, header_lines

_NOT_IN_A_HEAD: Final = bytes((*range(9), 11, 12, *range(14, 32), 127))
"""Control characters; of those that may be there, the ends of lines are counted."""
_TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")


class FastPathCycle:
    """A plain scoring request from its head to its response.

    It has the part of uvicorn's RequestResponseCycle that the protocol reads.

    Args:
        protocol: its connection, a `FastPathProtocol`.
        status_lines: by status.
        name: the service that it is for.
        headers: as text.
        refusal: status and reason of the host check; None: it may pass.
        keep_alive: whether the connection stays.

    Attributes:
        body: as far as it has come.
        more_body: whether there is more.
        keep_alive: see above.
        disconnected: whether the client has gone.
        response_started: whether the response was begun.
        response_complete: whether it is whole, or nobody waits for it.
    """

    __slots__ = (
        "_headers", "_name", "_protocol", "_refusal", "_status_lines", "_ticket", "body", "disconnected", "keep_alive",
        "more_body", "response_complete", "response_started",
    )  # fmt: skip

    def __init__(
        self,
        protocol: Any,
        status_lines: dict[int, bytes],
        name: str,
        headers: tuple[tuple[str, str], ...],
        refusal: tuple[int, str] | None,
        keep_alive: bool,
    ) -> None:
        self._protocol = protocol
        self._status_lines = status_lines
        self._name = name
        self._headers = headers
        self._refusal = refusal
        self._ticket: Ticket | None = None
        self.body = b""
        self.more_body = True
        self.keep_alive = keep_alive
        self.disconnected = False
        self.response_started = False
        self.response_complete = False

    @property
    def asked(self) -> tuple[str, tuple[tuple[str, str], ...], tuple[int, str] | None]:
        """All that its head says: name, headers, refusal."""
        return self._name, self._headers, self._refusal

    @property
    def message_event(self) -> "FastPathCycle":
        """What uvicorn sets when a client has gone."""
        return self

    def set(self) -> None:
        """Something has happened on the connection."""
        if self.disconnected and not self.response_complete:
            self.response_complete = True
            if self._ticket is not None:
                self._ticket.abort()

    def submit(self, router: Router) -> None:
        """The request is whole; it goes to the router."""
        self.more_body = False
        try:
            if self._refusal is None:
                ticket = router.submit(self._name, ScoreRequest(self.body, self._headers), self.settle)
                if not self.response_complete:
                    self._ticket = ticket
            else:
                status, why = self._refusal
                self._write(status, [_TEXT], why.encode())
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
        pieces = [self._status_lines[status]]
        for name, value in headers:
            pieces.append(name)
            pieces.append(b": ")
            pieces.append(value)
            pieces.append(b"\r\n")
        pieces.append(b"content-length: ")
        pieces.append(str(len(body)).encode())
        pieces.append(b"\r\n\r\n" if self.keep_alive else b"\r\nconnection: close\r\n\r\n")
        head = b"".join(pieces)
        ends = len(headers) + (3 if self.keep_alive else 4)
        if (
            head.count(b"\n") != ends
            or head.count(b"\r") != ends
            or len(head.translate(None, _NOT_IN_A_HEAD)) != len(head)
        ):
            raise RuntimeError("Invalid HTTP header value.")
        self._end(head + body)

    def _fail(self, error: Exception) -> None:
        self._protocol.logger.error("Exception while a request was scored", exc_info=error)
        if not self.response_complete:
            self.keep_alive = False
            self._write(500, [_TEXT], b"Internal Server Error")

    def _end(self, whole: bytes) -> None:
        self.response_started = True
        self.response_complete = True
        self._ticket = None  # break the reference cycle, so that reference counting frees the request
        protocol = self._protocol
        protocol.transport.write(whole)
        if not self.keep_alive:
            protocol.transport.close()
        protocol.fast_path_complete()
