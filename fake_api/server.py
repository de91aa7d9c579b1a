"""The server's process: sockets, TLS, two listeners for each workspace, and an orderly end."""

import asyncio
import contextlib
import gc
import signal
import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from akstwin.backend import WorkspaceIdentity
from akstwin.errors import AksError
from akstwin.fake_api.app import App, PortApp
from akstwin.fake_api.clock import Mode
from akstwin.fake_api.guard import LOCAL, Guard
from akstwin.fake_api.workspace import ServedWorkspace

if TYPE_CHECKING:
    import uvicorn

BACKLOG: Final = 2048


@dataclass(frozen=True)
class Settings:
    """How a server is run.

    Attributes:
        host: the address that it listens on.
        port: for http; 0 picks one.
        tls_port: for https; 0 picks one.
        clock: how time passes.
        rate: virtual seconds a second, for a paced clock.
        seed: of all chance.
        assumptions: keys of the assumptions that shall differ.
        folder: for the certificate authority and what is kept; None: a temporary one.
        identity: the server's first workspace.
        script_seconds: after which a script counts as hung.
    """

    host: str = "127.0.0.1"
    port: int = 8899
    tls_port: int = 8900
    clock: Mode = "live"
    rate: float = 1.0
    seed: int = 0
    assumptions: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    identity: WorkspaceIdentity = field(default_factory=WorkspaceIdentity)
    script_seconds: float = 60.0


@dataclass
class Place:
    """Where a workspace answers.

    Attributes:
        workspace: which.
        http: its URL.
        https: likewise.
    """

    workspace: ServedWorkspace
    http: str
    https: str


class FakeServer:
    """A server with its workspaces. The first has the ports that were asked for, each further one ports of its own.

    Args:
        settings: how it is run.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._own = None if settings.folder else tempfile.TemporaryDirectory(prefix="akstwin-serve-")
        self.folder = settings.folder or Path(self._own.name if self._own else "")
        self.places: dict[str, Place] = {}
        self.authority: Path | None = None
        self._tls: ssl.SSLContext | None = None
        self._listeners: list[tuple[uvicorn.Server, asyncio.Task[None]]] = []
        self._rest: App | None = None
        self._stopped = asyncio.Event()

    @property
    def first(self) -> Place:
        """The workspace that has the ports that were asked for."""
        return next(iter(self.places.values()))

    async def start(self) -> None:
        """Listen.

        Raises:
            AksError: a port is taken, or an address is not this machine's.
        """
        settings = self.settings
        self.open(settings.identity, settings.port, settings.tls_port)

    def open(self, identity: WorkspaceIdentity, port: int = 0, tls_port: int = 0) -> Place:
        """A further workspace, on ports of its own; one that is there is given back.

        Args:
            identity: who it is.
            port: for http; 0 picks one.
            tls_port: for https; 0 picks one.
        """
        key = identity.resource_id.lower()
        if key in self.places:
            return self.places[key]
        host = self.settings.host
        plain, secure = _listen(host, port), _listen(host, tls_port)
        http = f"http://{_shown(host)}:{plain.getsockname()[1]}"
        https = f"https://{_shown(host)}:{secure.getsockname()[1]}"
        workspace = ServedWorkspace(
            identity, self.settings.seed, self.settings.assumptions, self.settings.clock, self.settings.rate,
            epoch=_epoch(self.settings.clock), scoring_base=http, script_seconds=self.settings.script_seconds,
        )  # fmt: skip
        place = self.places[key] = Place(workspace, http, https)
        app = PortApp(workspace, Guard({host}), lambda: self._management(place))
        self._serve(app, plain, None)
        self._serve(app, secure, self._context())
        return place

    def _management(self, place: Place) -> App:
        """The application behind all paths but scoring; importing it takes a moment, so it is done when it is first needed."""
        from akstwin.fake_api.management.app import make_app  # noqa: PLC0415

        return make_app(self, place)

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            from akstwin.fake_api.tls import make_authority  # noqa: PLC0415

            names = sorted({"127.0.0.1", "localhost", self.settings.host} - {"0.0.0.0", "::"})  # noqa: S104 - no names
            self._tls, self.authority = make_authority(self.folder / "tls", names)
        return self._tls

    def _serve(self, app: PortApp, listener: socket.socket, context: ssl.SSLContext | None) -> None:
        import uvicorn  # noqa: PLC0415 - a heavy import that only a running server needs

        config = uvicorn.Config(
            app,
            loop="none",
            http="httptools",
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=1,
        )
        config.load()
        if context is not None:
            config.ssl = context
        server = _listener_class()(config)
        task = asyncio.get_running_loop().create_task(server.serve(sockets=[listener]))
        self._listeners.append((server, task))

    async def ready(self) -> None:
        """Return when all listeners take connections."""
        for server, task in self._listeners:
            while not server.started:
                if task.done():
                    task.result()
                await asyncio.sleep(0.001)

    def stop(self) -> None:
        """Begin the end."""
        self._stopped.set()

    async def until_stopped(self) -> None:
        """Serve until `stop`, or until the process is told to end; then end in order."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):  # not on the main thread
                loop.add_signal_handler(number, self.stop)
        await self._stopped.wait()
        await self.close()

    async def close(self) -> None:
        """Take no more connections, let what runs end, end scripts."""
        for server, _ in self._listeners:
            server.should_exit = True
        await asyncio.gather(*(task for _, task in self._listeners), return_exceptions=True)
        for place in self.places.values():
            place.workspace.close()
        if self._own is not None:
            self._own.cleanup()


def _listener_class() -> type["uvicorn.Server"]:
    import uvicorn  # noqa: PLC0415 - see above

    class Listener(uvicorn.Server):
        """One of several in a process: signals are the process's business."""

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    return Listener


def _epoch(clock: Mode) -> float | None:
    """A live clock shows the time of day; the others begin at the same moment in every run."""
    return time.time() if clock == "live" else None  # noqa: TID251 - this world's own clock


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, so that asyncio sets TCP_NODELAY
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise AksError(f"--port {port}: cannot listen on {host}: {error.strerror or error}") from None
    listener.setblocking(False)
    return listener


def _shown(host: str) -> str:
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - to be refused as a name, not to be bound
        return "127.0.0.1"
    return f"[{host}]" if ":" in host else host


def local(host: str) -> bool:
    """Whether only this machine reaches the address."""
    return host in LOCAL


def run(settings: Settings, started: Callable[[FakeServer], None]) -> None:
    """Run a server until the process is told to end.

    Args:
        settings: how it is run.
        started: called when it listens.
    """

    async def main() -> None:
        server = FakeServer(settings)
        await server.start()
        await server.ready()
        gc.freeze()  # what is here now stays: no collection has to look at it again
        started(server)
        await server.until_stopped()

    import uvloop  # noqa: PLC0415 - only a running server needs it

    uvloop.run(main())
