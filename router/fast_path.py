"""Fast path of plain scoring requests: from the parser to the router and back, without a task and an ASGI cycle each.

Plain is what clients send almost always: a POST of `/api/v1/service/{name}/score` with a length, while no fault may strike.
Every other request takes uvicorn's way to the ASGI application, and reaches the same router: what is decided does not depend
on the way.
"""

from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from akstwin.cores.router_http import CONTENT_LENGTH, SHORT_LENGTH, match_path
from akstwin.router.asgi import HostCheck, Interference, NoInterference, Router
from akstwin.router.cycle import FastPathCycle
from akstwin.router.http1 import Http1Protocol, Part

_HEAD_ENDS: Final = b"\r\n\r\n"
_LENGTH: Final = CONTENT_LENGTH.encode()


class FastPathProtocol(Http1Protocol):
    """A connection whose plain scoring requests take the fast path.

    Args:
        args: uvicorn's; likewise `kwargs`.
        router: gets the requests.
        host_check: may refuse a request by its headers; None: all pass.
        interference: while it is active, no request takes the fast path.
    """

    def __init__(
        self,
        *args: Any,
        router: Router,
        host_check: HostCheck | None = None,
        interference: Interference | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._router = router
        self._host_check = host_check
        self._interference: Interference = interference or NoInterference()
        self._reading: FastPathCycle | None = None
        self._known: list[tuple[bytes, bytes]] | None = None
        """Cache of the last header block: as it came, the verdict of the host check, and as text. None: it is empty (an empty
        list is an entry)."""
        self._refusal: tuple[int, str] | None = None
        self._texts: tuple[tuple[str, str], ...] = ()
        self._head = b""
        """Cache of the head of a request that came in one piece: its bytes, and what the parser and the host check made of
        them."""
        self._whole_size = 0
        self._asked: tuple[str, tuple[tuple[str, str], ...], tuple[int, str] | None] = "", (), None
        self._ended: FastPathCycle | None = None
        self._idling = False
        """Whether the keep-alive timer is that of the fast path."""
        self._since = 0.0
        """When the last request on the fast path was answered."""

    # -- what comes

    def data_received(self, data: bytes) -> None:
        """Bytes. A whole request with the very head of an earlier one needs no parser: it would say the same again."""
        part = self._part
        if len(data) == self._whole_size and part is Part.NONE and data.startswith(self._head) and self._free():
            self._unset_keepalive_if_required()
            self._begun += 1
            reading = FastPathCycle(self, STATUS_LINE, *self._asked, True)
            self.cycle = reading  # type: ignore[assignment]  # see `take_head`
            reading.body = data[len(self._head) :]
            reading.submit(self._router)
            return
        super().data_received(data)
        ended, self._ended = self._ended, None
        if ended is not None and part is self._part is Part.NONE and ended.keep_alive:
            size = data.find(_HEAD_ENDS) + len(_HEAD_ENDS)
            if size + len(ended.body) == len(data):  # nothing else came with it
                self._head, self._whole_size, self._asked = data[:size], len(data), ended.asked

    def take_begin(self) -> None:
        """A head begins. What only an ASGI cycle needs is made when the request takes that way."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def take_head(self) -> None:
        """The head is whole: choose the way."""
        name = self._plain()
        if name is None:
            url, headers, expects = self.url, self.headers, self.expect_100_continue
            super().take_begin()
            self.url, self.expect_100_continue = url, expects
            self.headers += headers
            super().take_head()
            return
        keep_alive = self.parser.should_keep_alive()
        self._reading = FastPathCycle(self, STATUS_LINE, name, self._texts, self._refusal, keep_alive)
        self.cycle = self._reading  # type: ignore[assignment]  # it has what uvicorn reads of a cycle

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
        reading.submit(self._router)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        self._end_idling()
        super().connection_lost(exc)

    # -- what is answered

    def fast_path_complete(self) -> None:
        """A request on the fast path is answered."""
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
        """One timer serves many requests on the fast path: it looks how long ago the last one was."""
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
        """Whether a request can be taken now, and no fault may strike it."""
        cycle = self.cycle
        return (
            (cycle is None or cycle.response_complete)
            and not self.flow.write_paused
            and not self._deaf
            and not self._interference.active
        )

    def _plain(self) -> str | None:
        """The service that a plain request is for; None: it is another kind of request, or its turn has not come."""
        if not self._free():
            return None
        matched = match_path(self.url.decode("latin-1"))  # an escape or a query in it is not plain, and does not match
        if matched is None:
            return None
        name, wanted = matched
        parser = self.parser
        if (
            wanted != "score"
            or not name.isascii()
            or not name.replace("-", "a").isalnum()
            or parser.get_method() != b"POST"
            or parser.get_http_version() != "1.1"
            or parser.should_upgrade()
            or self.expect_100_continue
        ):
            return None
        if self.headers != self._known:  # most clients send the same with each request
            lengths = [value for key, value in self.headers if key == _LENGTH]
            if len(lengths) != 1 or not lengths[0].isdigit() or len(lengths[0]) > SHORT_LENGTH:
                return None  # a longer body is read where it can be refused before it is whole
            self._known = self.headers
            check, scheme = self._host_check, self.scheme or "http"
            self._refusal = None if check is None else check(self.headers, "1.1", "POST", scheme)
            self._texts = tuple([(key.decode("latin-1"), value.decode("latin-1")) for key, value in self.headers])
        return name
