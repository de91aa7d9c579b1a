"""The short way for a plain scoring request: from the parser to the router and back, without a task and a cycle of its own.

Plain is what clients send almost always: a POST of `/api/v1/service/{name}/score` with a length, while nothing is broken on
purpose. All else goes uvicorn's way, to the same router: what is decided does not depend on the way.
"""

from typing import TYPE_CHECKING, Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from akstwin.fake_api.protocol import Protocol
from akstwin.fake_api.short import Short

if TYPE_CHECKING:
    from akstwin.fake_api.app import PortApp

_BEGINS: Final = b"/api/v1/service/"
_ENDS: Final = b"/score"
_DIGITS: Final = 6
"""A body whose length has more of them is read by who can refuse it on the way."""


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
        self._idling = False
        """The keep-alive timer is that of the short way."""
        self._since = 0.0
        """When the last request on it was answered."""

    # -- what comes

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
