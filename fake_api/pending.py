"""A request on its way through a served workspace."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from akstwin.backend import ScoreRequest, ScoreResponse
from akstwin.sim.gateway import InteractiveRequest

if TYPE_CHECKING:
    from akstwin.fake_api.workspace import ServedWorkspace


class Pending:
    """A request that a client of a server waits for."""

    __slots__ = ("_asked", "_clock", "_done", "_gone", "_request", "_service", "_workspace")

    def __init__(
        self, workspace: "ServedWorkspace", service: str, request: ScoreRequest, done: Callable[[ScoreResponse], None]
    ) -> None:
        self._workspace = workspace
        self._service = service
        self._request = request
        self._done = done
        self._gone = False
        self._asked: InteractiveRequest | None = None
        self._clock = workspace.clock
        self._begin()

    def _begin(self) -> None:
        """Come in now, or where time is passing when that is over."""
        clock = self._clock
        clock.wait()
        if clock.ready():
            self._submit()
        else:
            clock.line_up(self._come_in)

    def _come_in(self) -> None:
        """The turn has come."""
        clock = self._workspace.clock
        if self._gone or clock is not self._clock:
            self._clock.waited()
            if not self._gone:  # a reset has brought another clock
                self._clock = clock
                self._begin()
            return
        self._submit()

    def _submit(self) -> None:
        try:
            self._asked = self._workspace.backend.gateway.submit(self._service, self._request, self._answered)
        finally:
            self._clock.arm()

    def _answered(self, asked: InteractiveRequest, response: ScoreResponse) -> None:
        self._clock.waited()
        for hear in self._workspace.listeners:
            hear(asked, response)
        self._done(response)

    def abort(self) -> None:
        """Its client went away."""
        self._gone = True
        if self._asked is not None:
            clock = self._workspace.clock
            if clock.ready():
                self._withdraw()
            else:
                clock.line_up(self._withdraw)

    def _withdraw(self) -> None:
        assert self._asked is not None  # noqa: S101
        try:
            self._workspace.backend.gateway.abort(self._asked)
        finally:
            self._workspace.clock.arm()
