"""A request on its way through a served workspace."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from akstwin.backend import ScoreRequest, ScoreResponse
from akstwin.sim.gateway import InteractiveRequest

if TYPE_CHECKING:
    from akstwin.fake_api.workspace import ServedWorkspace


class Pending:
    """A request that a client of a server waits for."""

    __slots__ = ("_asked", "_clock", "_done", "_workspace")

    def __init__(
        self, workspace: "ServedWorkspace", service: str, request: ScoreRequest, done: Callable[[ScoreResponse], None]
    ) -> None:
        self._workspace = workspace
        self._done = done
        clock = self._clock = workspace.clock  # a reset brings another
        clock.wait()
        clock.sync()  # by hand, not `with acting()`: each request comes through here
        try:
            self._asked = workspace.backend.gateway.submit(service, request, self._answered)
        finally:
            clock.arm()

    def _answered(self, asked: InteractiveRequest, response: ScoreResponse) -> None:
        self._clock.waited()
        for hear in self._workspace.listeners:
            hear(asked, response)
        self._done(response)

    def abort(self) -> None:
        """Its client went away."""
        with self._workspace.clock.acting():
            self._workspace.backend.gateway.abort(self._asked)
