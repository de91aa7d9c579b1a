"""The manager's HTTP: management routes as azureml-core speaks them, scoring, and the bundles that pods fetch."""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from akstwin.backend import WorkspaceIdentity
from akstwin.backend_aks.bundles import PREFIX
from akstwin.backend_aks.control import PREFIX as CONTROL
from akstwin.backend_aks.control import Control
from akstwin.backend_aks.workspace import ClusterWorkspace
from akstwin.errors import NotFound
from akstwin.fake_api.management.app import make_app
from akstwin.router.asgi import Receive, Scope, Send, respond
from akstwin.router.server import RouterServer


@dataclass(frozen=True, slots=True)
class Place:
    """Where the workspace answers.

    Attributes:
        workspace: which.
        http: its URL.
        https: the same with TLS.
    """

    workspace: ClusterWorkspace
    http: str
    https: str


class ManagerServer:
    """Serves one workspace: a `WorkspaceServer` that has no room for a second one.

    Args:
        workspace: which.
        http: the URL that is shown to clients.
        https: the same with TLS.
        secret: signs URLs; one that outlasts the process keeps them good.
    """

    def __init__(self, workspace: ClusterWorkspace, http: str, https: str, secret: bytes) -> None:
        self.secret = secret
        self._place = Place(workspace, http, https)
        self._routes = make_app(self, self._place)
        self._control = Control(workspace)
        self._servers: list[RouterServer] = []

    # -- WorkspaceServer

    @property
    def first(self) -> Place:
        """The workspace."""
        return self._place

    @property
    def places(self) -> Mapping[str, Place]:
        """The workspace, by its resource id in small letters."""
        return {self._place.workspace.backend.identity.resource_id.lower(): self._place}

    def first_asked(self, identity: WorkspaceIdentity) -> None:
        """The workspace keeps its name: it is that of the installation."""

    def open_beside(self, asked: WorkspaceIdentity, identity: WorkspaceIdentity) -> Place:  # noqa: ARG002 - the port's
        """Refused: an installation has one workspace.

        Raises:
            NotFound: always.
        """
        own = self._place.workspace.backend.identity
        raise NotFound(f"workspace {identity.resource_id} is not here; this installation's is {own.resource_id}")

    async def ready(self) -> None:
        """It answers as long as it runs."""

    # -- serving

    async def listen(self, listener: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Take connections on a socket."""
        server = RouterServer(self._place.workspace.gateway, self._rest)
        await server.start(listener, tls)
        self._servers.append(server)

    async def end(self, lame_duck: float, drain: float) -> None:
        """End so that no request is lost (`RouterServer.end`)."""
        await asyncio.gather(*(server.end(lame_duck, drain) for server in self._servers))

    async def _rest(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if path.startswith(CONTROL):
            await self._control(scope, receive, send)
        elif path.startswith(PREFIX):
            await self._bundle(path.removeprefix(PREFIX), send)
        else:
            await self._routes(scope, receive, send)

    async def _bundle(self, digest: str, send: Send) -> None:
        found = self._place.workspace.bundles.path(digest)
        if found is None:
            await respond(send, 404, "there is no such bundle")
            return
        data: Any = await asyncio.to_thread(found.read_bytes)
        headers = [(b"content-type", b"application/gzip"), (b"content-length", str(len(data)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": data})
