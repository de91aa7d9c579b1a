"""The short way for a plain scoring request: from the parser to the router and back, without a task and a cycle of its own.

Plain is what clients send almost always: a POST of `/api/v1/service/{name}/score` with a length, while nothing is broken on
purpose. All else goes uvicorn's way, to the same router: what is decided does not depend on the way.
"""

from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from akstwin.fake_api.protocol import Part, Protocol
from akstwin.fake_api.short import Short

if TYPE_CHECKING:
    from akstwin.fake_api.app import PortApp

_BEGINS: Final = b"/api/v1/service/"
_ENDS: Final = b"/score"
_HEAD_ENDS: Final = b"\r\n\r\n"
_DIGITS: Final = 6
"""A body whose length has more of them is read by who can refuse it on the way."""


class DirectProtocol(Protocol):
    """A connection whose plain scoring requests go the short way."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._port: PortApp = self.config.loaded_app
        self._reading: Short | None = None
        self._known: list[tuple[bytes, bytes]] | None = None
        """Headers that have been looked at, what the guard says of them, and the same as text; None: none have, not even
        of a request without any."""
        self._refusal: tuple[int, str] | None = None
        self._texts: tuple[tuple[str, str], ...] = ()
        self._head = b""
        """The head of a request that came in one piece, as it came, with all that the parser and the guard made of it."""
        self._whole_size = 0
        self._asked: tuple[str, tuple[tuple[str, str], ...], tuple[int, str] | None] = "", (), None
        self._ended: Short | None = None
        self._idling = False
        """The keep-alive timer is that of the short way."""
        self._since = 0.0
        """When the last request on it was answered."""

    # -- what comes

    def data_received(self, data: bytes) -> None:
        """Bytes. A whole request with the very head of an earlier one needs no parser: it would say the same again."""
        part = self._part
        if len(data) == self._whole_size and part is Part.NONE and data.startswith(self._head) and self._free():
            self._unset_keepalive_if_required()
            self._begun += 1
            reading = Short(self, STATUS_LINE, *self._asked, True)
            self.cycle = reading  # type: ignore[assignment]  # see `take_head`
            reading.body = data[len(self._head) :]
            reading.ask(self._port.workspace)
            return
        super().data_received(data)
        ended, self._ended = self._ended, None
        if ended is not None and part is self._part is Part.NONE and ended.keep_alive:
            size = data.find(_HEAD_ENDS) + len(_HEAD_ENDS)
            if size + len(ended.body) == len(data):  # nothing else came with it
                self._head, self._whole_size, self._asked = data[:size], len(data), ended.asked

    def take_begin(self) -> None:
        """A head begins. What only the long way needs is made when it is taken."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def take_head(self) -> None:
        """It is decided which way the request goes."""
        name = self._plain()
        if name is None:
            url, headers, expects = self.url, self.headers, self.expect_100_continue
            super().take_begin()
            self.url, self.expect_100_continue = url, expects
            self.headers += headers
            super().take_head()
            return
        keep_alive = self.parser.should_keep_alive()
        self._reading = Short(self, STATUS_LINE, name, self._texts, self._refusal, keep_alive)
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
        self._ended = reading
        reading.ask(self._port.workspace)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._end_idling()
        super().connection_lost(exc)

    # -- what is answered

    def short_complete(self) -> None:
        """A request on the short way is answered."""
        if self.pipeline or self._last is not None or self.flow.read_paused or self.transport.is_closing():
            self.on_response_complete()
            return
        self.server_state.total_requests += 1
        self._since = self.loop.time()
        if not self._idling:
            self._idling = True
            self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self._look_whether_idle)

    def on_response_complete(self) -> None:
        """A request is answered."""
        self._end_idling()
        super().on_response_complete()

    def _unset_keepalive_if_required(self) -> None:
        """One timer serves many requests on the short way: it looks how long ago the last one was."""
        if not self._idling:
            super()._unset_keepalive_if_required()

    def _end_idling(self) -> None:
        if self._idling:
            self._idling = False
            super()._unset_keepalive_if_required()

    def _look_whether_idle(self) -> None:
        self._idling = False
        self.timeout_keep_alive_task = None
        if self.transport.is_closing() or self._running() or self.is_reading:
            return  # the next answer sets the timer again
        left = self.timeout_keep_alive - (self.loop.time() - self._since)
        if left > 0:
            self._idling = True
            self.timeout_keep_alive_task = self.loop.call_later(left, self._look_whether_idle)
        else:
            self.transport.close()

    # -- which way

    def _free(self) -> bool:
        """Whether a request can be taken now, and nothing is broken on purpose."""
        cycle = self.cycle
        return (
            (cycle is None or cycle.response_complete)
            and not self.flow.write_paused
            and not self._deaf
            and not self._port.control.interference.active
        )

    def _plain(self) -> str | None:
        """The service that a plain request is for; None: it is another kind of request, or its turn has not come."""
        url = self.url
        if not url.startswith(_BEGINS) or not url.endswith(_ENDS) or not self._free():
            return None
        name = url[len(_BEGINS) : -len(_ENDS)]
        parser = self.parser
        if (
            not name.replace(b"-", b"a").isalnum()
            or parser.get_method() != b"POST"
            or parser.get_http_version() != "1.1"
            or parser.should_upgrade()
            or self.expect_100_continue
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
