"""The server's process: sockets, TLS, two listeners for each workspace, and an orderly end."""

import asyncio
import contextlib
import ctypes
import gc
import socket
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from secrets import token_bytes
from typing import TYPE_CHECKING, Any, Final

from akstwin import scratch
from akstwin.backend import WorkspaceIdentity
from akstwin.errors import AksError, InvalidSetting
from akstwin.fake_api.app import App, PortApp
from akstwin.fake_api.clock import Mode
from akstwin.fake_api.connection_info import connection_info
from akstwin.fake_api.host_check import LOCAL, AllowedHosts
from akstwin.fake_api.insights_outlets import Collector, Outlet, RowFile, redacting
from akstwin.fake_api.persistence import DurableResponses, StatePersistence
from akstwin.fake_api.redacted_logs import RedactingFilter
from akstwin.fake_api.signals import end_signals
from akstwin.fake_api.workspace import Scenario, ServedWorkspace
from akstwin.sim.backend import EPOCH
from akstwin.uploads import UploadLimits

if TYPE_CHECKING:
    import uvicorn

_M_ARENA_MAX: Final = -8
"""Of glibc's `mallopt`."""
_OBJECTS_BETWEEN_COLLECTIONS: Final = 700
"""Python's own number, which the command raises for imports: a server gives memory back early."""


@dataclass(frozen=True)
class Settings:
    """How a server is run.

    Attributes:
        host: the address that it listens on.
        port: for http; 0 picks one.
        tls_port: for https; 0 picks one.
        clock: how time passes.
        rate: virtual seconds a second, for a paced clock.
        seed: of all chance; None: the scenario's, else 0.
        assumptions: keys of the assumptions that shall differ.
        folder: for the certificate authority, where there is no state file; None: a temporary one.
        identity: the server's first workspace; None: the state file's, else the default.
        script_seconds: after which a script counts as hung.
        scenario: what the first workspace begins with; None: it is empty.
        traffic: whether the scenario's clients call.
        state: the file in which all that was acknowledged is kept, files and the certificate authority beside it; None: in
            memory.
        names: that clients may call it by, beside its address; its URLs have the first where it listens on all addresses.
        uploads: how many files and bytes one upload, and one container, may hold.
        insights: the file to which Application Insights rows are appended; None: they are kept in memory only.
        otlp: the OpenTelemetry collector that they are sent to; None: to none.
    """

    host: str = "127.0.0.1"
    port: int = 8899
    tls_port: int = 8900
    clock: Mode = "live"
    rate: float = 1.0
    seed: int | None = None
    assumptions: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    identity: WorkspaceIdentity | None = None
    script_seconds: float = 60.0
    scenario: Scenario | None = None
    traffic: bool = True
    state: Path | None = None
    names: tuple[str, ...] = ()
    uploads: UploadLimits = field(default_factory=UploadLimits)
    insights: Path | None = None
    otlp: str | None = None


@dataclass
class Place:
    """Where a workspace answers.

    Attributes:
        workspace: which.
        http: its URL.
        https: likewise.
        given: in what it is run otherwise than the server's settings say: what `FakeServer.open` takes.
        listeners: what serves its ports.
        opener: the workspace on whose port it was asked for; None: it was opened here. It ends with that one.
    """

    workspace: ServedWorkspace
    http: str
    https: str
    given: Mapping[str, Any] = field(default_factory=dict)
    listeners: "list[tuple[uvicorn.Server, asyncio.Task[None]]]" = field(default_factory=list, repr=False)
    opener: "Place | None" = field(default=None, repr=False)


class FakeServer:
    """A server with its workspaces. The first has the ports that were asked for, each further one ports of its own.

    Args:
        settings: how it is run.

    Raises:
        InvalidSetting: the file for Application Insights rows cannot be written, or the collector's address is none.
        AksError: OpenTelemetry is needed and is not installed.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._own = None if settings.folder else scratch.Folder()
        self.folder = settings.folder or (self._own.path if self._own else Path())
        self.places: dict[str, Place] = {}
        self.authority: Path | None = None
        self._tls: ssl.SSLContext | None = None
        self._listeners: list[tuple[uvicorn.Server, asyncio.Task[None]]] = []
        self._rest: App | None = None
        self._stopped = asyncio.Event()
        self._logs = RedactingFilter(
            lambda: [place.workspace.backend.management.redaction for place in self.places.values()]
        )
        self._unnamed = False
        """Whether the first workspace takes the name that it is first asked for by."""
        self.secret = token_bytes(32)
        """Signs URLs."""
        self._persistence: StatePersistence | None = None
        self._outlets: list[Outlet] = [] if settings.otlp is None else [Collector(settings.otlp)]
        """Take the Application Insights rows of all workspaces."""
        if settings.insights is not None:
            self._outlets.append(RowFile(settings.insights))

    @property
    def first(self) -> Place:
        """The workspace that has the ports that were asked for."""
        return next(iter(self.places.values()))

    async def start(self) -> None:
        """Listen.

        Raises:
            AksError: a port is taken, an address is not this machine's, the scenario cannot be opened, or the state file
                cannot be used or was made with other settings.
        """
        settings = self.settings
        try:
            first = settings.identity or WorkspaceIdentity() if settings.state is None else self._keep(settings.state)
            place = self.open(first, settings.port, settings.tls_port, scenario=settings.scenario)
            self._unnamed = settings.identity is None
            if self._persistence is not None:
                self._unnamed &= place.workspace.named is None
                for identity in self._persistence.identities():
                    if identity != first:
                        self.open(identity)
                await self._persistence.settle(noted=True)
        except (AksError, ValueError) as error:
            if self._persistence is not None:
                self._persistence.abandon()
            if self._own is not None:
                self._own.remove()
            if settings.state is None or isinstance(error, AksError):
                raise
            # What is no JSON, and what the records' models refuse: somebody else has written there.
            expected = f"a state file whose records mean something: {str(error).splitlines()[0]}"
            raise InvalidSetting("--state", str(settings.state.resolve()), expected) from error

    def _keep(self, state: Path) -> WorkspaceIdentity:
        """Go on with a state file; returns whose the server's ports are."""
        settings = self.settings
        if settings.scenario is not None:
            expected = "possible beside --state: its traffic and faults are not kept"
            raise InvalidSetting("--scenario", str(settings.scenario), expected)
        persistence = self._persistence = StatePersistence(
            state, settings.seed, settings.assumptions, settings.identity
        )
        self.secret = persistence.secret
        return persistence.first

    def open(
        self,
        identity: WorkspaceIdentity,
        port: int = 0,
        tls_port: int = 0,
        *,
        seed: int | None = None,
        scenario: Scenario | None = None,
        clock: Mode | None = None,
        rate: float | None = None,
        assumptions: Mapping[str, Any] | None = None,
    ) -> Place:
        """A further workspace, on ports of its own; one that is there is given back.

        Args:
            identity: who it is.
            port: for http; 0 picks one.
            tls_port: for https; 0 picks one.
            seed: of its chance; None: the server's, else the scenario's.
            scenario: what it begins with; None: it is empty.
            clock: how its time passes; None: as the server's.
            rate: virtual seconds a second, for a paced clock; None: the server's where the clock is the server's, else 1.
            assumptions: keys that shall differ for it, over the server's.

        Raises:
            AksError: a port is taken, a setting is refused, or the scenario cannot be opened.
        """
        key = identity.resource_id.lower()
        if key in self.places:
            return self.places[key]
        settings, host = self.settings, self.settings.host
        mode = settings.clock if clock is None else clock
        if rate is None:
            rate = settings.rate if clock in (None, settings.clock) else 1.0
        persistence, kept = self._persistence, None
        epoch = _epoch(mode)
        if persistence is not None:
            kept = persistence.workspace(identity, seed, assumptions, EPOCH if epoch is None else epoch)
            identity, seed, epoch = kept.identity, kept.record.seed, kept.record.epoch
            key = kept.shown.resource_id.lower()
            assumptions = kept.record.assumptions
        context = self._context()
        with contextlib.ExitStack() as unused:
            plain = unused.enter_context(_listen("--port", host, port))
            secure = unused.enter_context(_listen("--tls-port", host, tls_port))
            shown = _shown(host, settings.names)
            ports = {"http": plain.getsockname()[1], "https": secure.getsockname()[1]}
            http, https = (f"{scheme}://{shown}:{number}" for scheme, number in ports.items())
            workspace = ServedWorkspace(
                identity, settings.seed if seed is None else seed, {**settings.assumptions, **(assumptions or {})}, mode,
                rate, epoch=epoch, scoring_base=http, tls_base=https, script_seconds=settings.script_seconds, scenario=scenario,
                traffic=settings.traffic, kept=kept, uploads=settings.uploads,
            )  # fmt: skip
            unused.pop_all()
        given = {"seed": seed, "clock": clock, "rate": rate, "assumptions": assumptions}
        place = self.places[key] = Place(workspace, http, https, given)
        app = PortApp(workspace, AllowedHosts({host, *settings.names}, ports.items()), lambda: self._management(place))
        sinks = workspace.backend.insights.sinks
        sinks += [redacting(outlet, lambda: app.control.journal.redaction.text) for outlet in self._outlets]
        app.control.ways = lambda: connection_info(self, place)
        served = app if persistence is None else DurableResponses(app, persistence)
        place.listeners = [self._serve(served, app, plain, None), self._serve(served, app, secure, context)]
        workspace.clock.arm()  # what a scenario has planned comes at its time, though nobody calls
        return place

    def first_asked(self, identity: WorkspaceIdentity) -> None:
        """A request names a workspace: if nobody has named one before, the server's first takes the name.

        Its id stays; a name that was given with `--workspace` stays, too.
        """
        if self._unnamed:
            self._unnamed = False
            first = self.first
            own = replace(identity, workspace_id=first.workspace.backend.identity.workspace_id)
            first.workspace.rename(own)
            others = [(key, place) for key, place in self.places.items() if place is not first]
            self.places = {own.resource_id.lower(): first, **dict(others)}

    def open_beside(self, asked: WorkspaceIdentity, identity: WorkspaceIdentity) -> Place:
        """A further workspace that a request has named, on ports of its own.

        Args:
            asked: the open workspace on whose port it was asked for; it is run as that one is, and ends with it.
            identity: who the new one is.

        Raises:
            AksError: it cannot be opened.
        """
        opener = self.places[asked.resource_id.lower()]
        place = self.open(identity, **opener.given)
        place.opener = opener
        return place

    def _management(self, place: Place) -> App:
        """The application behind all paths but scoring; importing it takes a moment, so it is done when it is first needed."""
        from akstwin.fake_api.management.app import make_app  # noqa: PLC0415

        return make_app(self, place)

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            from akstwin.fake_api.tls import make_authority  # noqa: PLC0415

            names = sorted({"127.0.0.1", "localhost", self.settings.host, *self.settings.names} - {"0.0.0.0", "::"})  # noqa: S104 - no names
            folder = self.folder if self._persistence is None else self._persistence.file.folder
            self._tls, self.authority = make_authority(folder / "tls", names)
        return self._tls

    def _serve(
        self, app: App, port: PortApp, listener: socket.socket, context: ssl.SSLContext | None
    ) -> "tuple[uvicorn.Server, asyncio.Task[None]]":
        from akstwin.router.fast_path import FastPathProtocol  # noqa: PLC0415 - it imports uvicorn: only a running server needs it
        from akstwin.router.listening import listen  # noqa: PLC0415 - likewise

        protocol = partial(
            FastPathProtocol,
            router=port.workspace,
            host_check=port.hosts.refusal,
            interference=port.control.interference,
        )
        server, task = listen(app, protocol, listener, context, timeout_graceful_shutdown=1)
        self._listeners.append((server, task))
        return server, task

    async def ready(self) -> None:
        """Return when all listeners take connections."""
        from akstwin.router.listening import listening  # noqa: PLC0415 - see `_serve`

        self._logs.attach()
        for server, task in self._listeners:
            await listening(server, task)

    def stop(self) -> None:
        """Begin the end."""
        self._stopped.set()

    async def until_stopped(self) -> None:
        """Serve until `stop`; then end in order."""
        await self._stopped.wait()
        await self.close()

    async def close_place(self, place: Place) -> None:
        """End one workspace at once, and those that were opened on its ports.

        Connections are cut, ports are free, scripts end; the server forgets them.
        """
        for other in [each for each in self.places.values() if each.opener is place]:
            await self.close_place(other)
        await self.ready()  # what is still beginning could not be ended
        self.places.pop(place.workspace.backend.identity.resource_id.lower(), None)
        self._listeners = [each for each in self._listeners if each not in place.listeners]
        for server, task in place.listeners:
            for listening in server.servers:
                listening.close()
            for connection in list(server.server_state.connections):
                connection.transport.abort()
            for answering in (*server.server_state.tasks, task):
                answering.cancel()
        await asyncio.gather(*(task for _, task in place.listeners), return_exceptions=True)
        if self._persistence is not None:
            await self._persistence.settle(noted=True)
            self._persistence.forget(place.workspace.backend.identity)
        place.workspace.close()
        await asyncio.to_thread(place.workspace.wait_ended)

    async def close(self) -> None:
        """Take no more connections, let what runs end, end scripts."""
        for server, _ in self._listeners:
            server.should_exit = True
        await asyncio.gather(*(task for _, task in self._listeners), return_exceptions=True)
        try:
            if self._persistence is not None:
                await self._persistence.close()
        finally:
            self._logs.detach()
            for place in self.places.values():
                place.workspace.close()
            for place in self.places.values():
                await asyncio.to_thread(place.workspace.wait_ended)
            if self._own is not None:
                self._own.remove()
            for outlet in self._outlets:
                await asyncio.to_thread(outlet.close)


def _epoch(clock: Mode) -> float | None:
    """A live clock shows the time of day; the others begin at the same moment in every run."""
    return time.time() if clock == "live" else None  # noqa: TID251 - this world's own clock


def _listen(setting: str, host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, so that asyncio sets TCP_NODELAY
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise AksError(f"{setting} {port}: cannot listen on {host}: {error.strerror or error}") from None
    listener.setblocking(False)
    return listener


def _shown(host: str, names: Sequence[str]) -> str:
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - to be refused as a name, not to be bound
        host = names[0] if names else "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def local(host: str) -> bool:
    """Whether only this machine reaches the address."""
    if host in LOCAL:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False  # a name may mean any address


def _share_heap() -> None:
    """Let all threads take memory from one heap, where the C library is glibc.

    It would give each thread one of its own, which keeps what it once had: the threads that wait for scripts and lay out files
    would add some megabytes in the first hour, for work that takes a moment of theirs.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def run(settings: Settings, started: Callable[[FakeServer], None]) -> None:
    """Run a server until a signal ends it: the first in order, a second at once (`akstwin.fake_api.signals`).

    Args:
        settings: how it is run.
        started: called when it listens.
    """

    async def main() -> None:
        server, loop = FakeServer(settings), asyncio.get_running_loop()

        def begin_end() -> None:
            loop.call_soon_threadsafe(server.stop)

        with end_signals(begin_end):
            await server.start()
            await server.ready()
            gc.freeze()  # what is here now stays: no collection has to look at it again
            gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
            started(server)
            await server.until_stopped()

    import uvloop  # noqa: PLC0415 - only a running server needs it

    _share_heap()
    uvloop.run(main())
