"""A server on a thread of its own, with an event loop of its own: for a process that does other things, such as tests."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from threading import Thread
from typing import Any, Final, Self, TypeVar

from akstwin.backend import WorkspaceIdentity
from akstwin.errors import AksError
from akstwin.fake_api.client_timers import ClientTimers
from akstwin.fake_api.clock import Mode
from akstwin.fake_api.connection_info import connection_info
from akstwin.fake_api.server import FakeServer, Place, Settings
from akstwin.fake_api.workspace import Scenario

Answer = TypeVar("Answer")
_END_SECONDS: Final = 30.0
"""How long the end of a server may take."""


class ServerThread:
    """A server that runs beside whoever made it. Its workspaces are opened and closed one by one; it begins with none.

    Its methods may be called from any thread but its own. It is a context manager, and closed at its end.

    Args:
        settings: how it is run; ports and identity are told with each workspace.

    Raises:
        AksError: a setting is refused.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._begun: Future[tuple[FakeServer, asyncio.AbstractEventLoop]] = Future()
        self._thread = Thread(target=self._run, args=(settings or Settings(),), name="akstwin-server", daemon=True)
        self._thread.start()
        self._server, self._loop = self._begun.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def places(self) -> list[Place]:
        """The workspaces that are open, those too that a client has asked for."""
        return list(self._server.places.values())

    def open(
        self,
        identity: WorkspaceIdentity,
        *,
        seed: int | None = None,
        scenario: Scenario | None = None,
        clock: Mode | None = None,
        rate: float | None = None,
        assumptions: Mapping[str, Any] | None = None,
    ) -> Place:
        """A workspace on ports that were free; it takes connections when this returns. See `FakeServer.open`."""

        async def opened() -> Place:
            place = self._server.open(
                identity, seed=seed, scenario=scenario, clock=clock, rate=rate, assumptions=assumptions
            )
            await self._server.ready()
            return place

        return self._on_loop(opened())

    def ways(self, place: Place) -> dict[str, Any]:
        """In which ways a workspace can be reached, as `GET /_akstwin/environment` tells."""
        return self.call(lambda: connection_info(self._server, place))

    def timers(self, place: Place) -> ClientTimers:
        """Time-outs and sleeps of clients in this process, by a workspace's clock."""
        return ClientTimers(self._loop, lambda: place.workspace.clock)

    @property
    def ident(self) -> int:
        """The thread's (`threading.get_ident`)."""
        return self._thread.ident or 0

    def call(self, work: Callable[[], Answer]) -> Answer:
        """What `work` returns on the server's own thread, where its worlds may be looked at and changed."""

        async def worked() -> Answer:
            return work()

        return self._on_loop(worked())

    def close_place(self, place: Place) -> None:
        """End one workspace. What runs in it ends, its ports are free when this returns."""
        self._on_loop(self._server.close_place(place))

    def close(self) -> None:
        """End the server with all its workspaces, and the thread. Closing it again does nothing."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._server.stop)
            self._thread.join(_END_SECONDS)
        if self._thread.is_alive():
            raise AksError(f"the server has not ended within {_END_SECONDS:g} s")

    def _on_loop(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        if not self._thread.is_alive():
            work.close()
            raise AksError("the server has been closed")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _run(self, settings: Settings) -> None:
        try:
            asyncio.run(self._serve(settings))
        except BaseException as error:
            if self._begun.done():
                raise
            self._begun.set_exception(error)

    async def _serve(self, settings: Settings) -> None:
        server = FakeServer(settings)
        self._begun.set_result((server, asyncio.get_running_loop()))
        await server.until_stopped()
