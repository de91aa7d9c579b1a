"""Where a request is answered: which workspace it names, whether it carries a bearer, and the URLs that it is told."""

import base64
import hmac
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import date
from hashlib import sha256
from typing import Annotated, Any, Final
from urllib.parse import quote, unquote
from uuid import NAMESPACE_URL, uuid5

from fastapi import Depends, Path, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from akstwin.backend import ValidatingManagement, WorkspaceIdentity
from akstwin.clock import Micros
from akstwin.domain.documents import iso_time
from akstwin.errors import NotFound
from akstwin.fake_api.management.errors import Refused
from akstwin.fake_api.management.ports import Binding, WorkspaceServer
from akstwin.files import FileStore

WS: Final = (
    "/subscriptions/{subscription_id}/resourceGroups/{resource_group}"
    "/providers/Microsoft.MachineLearningServices/workspaces/{workspace}"
)
MANAGEMENT: Final = "/modelmanagement/v1.0"
MM: Final = f"{MANAGEMENT}{WS}"
MOST_WORKSPACES: Final = 64
"""Each has sockets and threads of its own."""
ERRORS: Final[dict[int | str, dict[str, Any]]] = {"4XX": {"description": "Refused, in words."}}
"""For the documentation of every route."""
GONE: Final[dict[int | str, dict[str, Any]]] = {204: {"description": "It is not there."}}
"""For that of routes that delete (wire §12)."""

_FIRST_VERSION, _LAST_VERSION = date(2016, 6, 1), date(2026, 6, 30)
"""Versions of Azure's interfaces that the SDK may ask for; it ended with the last."""


class Desk:
    """Answers for one workspace to one request.

    Args:
        place: the workspace and its addresses.
        request: whose scheme its URLs have.
    """

    def __init__(self, place: Binding, request: Request) -> None:
        self.place = place
        self._secret: bytes = request.app.state.server.secret
        self.base = place.https if request.url.scheme == "https" else place.http
        self.identity = place.workspace.backend.identity

    @contextmanager
    def acting(self) -> Iterator[ValidatingManagement]:
        """The workspace's verbs, for those that only look: they never wait."""
        with self.place.workspace.acting():
            yield self.place.workspace.backend

    @asynccontextmanager
    async def commanding(self) -> AsyncIterator[ValidatingManagement]:
        """The workspace's verbs, for those that change something: at their turn. Nothing is awaited inside."""
        async with self.place.workspace.commanding():
            yield self.place.workspace.backend

    @property
    def files(self) -> FileStore:
        """Where the workspace's uploads are put."""
        return self.place.workspace.files

    def url(self, prefix: str, *segments: str) -> str:
        """The URL of something of the workspace, below a service's prefix."""
        return self.base + quote(prefix + "/".join((self.identity.resource_id, *segments)), safe="/:()")

    def time(self, instant: Micros | None) -> str | None:
        """An instant of the workspace's clock as documents show it."""
        return None if instant is None else iso_time(self.place.workspace.backend.epoch, instant)

    def operation(self, operation_id: str) -> dict[str, str]:
        """The header that tells of an operation of a service or a key."""
        return {"Operation-Location": self.url(MANAGEMENT, "operations", operation_id)}

    def sign(self, path: str) -> str:
        """What lets whoever has the URL of a path of this workspace use it."""
        return hmac.new(self._secret, f"{self.identity.resource_id}{path}".encode(), sha256).hexdigest()

    def signed(self, path: str, signature: str) -> str:
        """The path that a signature was given for (Refused: another one than this).

        azureml-core escapes in a path what is escaped already; the signature tells which of the two was meant.
        """
        for meant in (path, unquote(path)):
            if hmac.compare_digest(self.sign(meant).encode(), signature.encode()):
                return meant
        raise Refused(403, "AuthenticationFailed", "the URL's signature is not the one that was given for it")


# -- what routes depend on

_bearer = HTTPBearer(auto_error=False, description="Any well-formed JSON Web Token.")


async def bearer(given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> None:
    """Refuse a request that carries no JSON Web Token; who signed it does not matter here."""
    if given is None or not is_token(given.credentials):
        message = "Authorization is not Bearer and a JSON Web Token"
        raise Refused(401, "Unauthorized", message, {"WWW-Authenticate": "Bearer"})


async def api_version(
    asked: Annotated[
        str, Query(alias="api-version", pattern=r"^20\d\d-\d\d-\d\d(-preview)?$", examples=["2022-05-01"])
    ],
) -> None:
    """Refuse a version of ARM's interface that there cannot be."""
    text = asked.removesuffix("-preview")
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if day.isoformat() != text or not _FIRST_VERSION <= day <= _LAST_VERSION:
        message = f"api-version {asked!r} is not a date from {_FIRST_VERSION} to {_LAST_VERSION}"
        raise Refused(400, "InvalidApiVersionParameter", message)


async def desk_of_path(
    request: Request,
    subscription_id: Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9-]{0,63}$")],
    resource_group: Annotated[str, Path(pattern=r"^[A-Za-z0-9_.()-]{0,89}[A-Za-z0-9_()-]$")],
    workspace: Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,254}$")],
) -> Desk:
    """The desk of the workspace that a path names; one that nobody has asked for yet is opened."""
    server: WorkspaceServer = request.app.state.server
    first = server.first.workspace.backend.identity
    named = WorkspaceIdentity(workspace, subscription_id, resource_group, first.location)
    server.first_asked(named)
    known = server.places.get(named.resource_id.lower())
    if known is None:
        if len(server.places) >= MOST_WORKSPACES:
            raise NotFound(f"workspace {workspace} is not open, and a server has at most {MOST_WORKSPACES}")
        own = str(uuid5(NAMESPACE_URL, named.resource_id.lower()))
        asked: Binding = request.app.state.place
        identity = WorkspaceIdentity(workspace, subscription_id, resource_group, first.location, own)
        known = server.open_beside(asked.workspace.backend.identity, identity)
    await server.ready()  # its URLs are about to be told
    return Desk(known, request)


async def desk_of_port(request: Request) -> Desk:
    """The desk of the port's own workspace."""
    return Desk(request.app.state.place, request)


AtPath = Annotated[Desk, Depends(desk_of_path)]
AtPort = Annotated[Desk, Depends(desk_of_port)]


def is_token(text: str) -> bool:
    """Whether it is a JSON Web Token in form."""
    parts = text.split(".")
    if len(parts) != 3 or not all(parts):
        return False
    try:
        header, payload, _ = (_decoded(part) for part in parts)
        return isinstance(json.loads(header), dict) and isinstance(json.loads(payload), dict)
    except (ValueError, RecursionError):
        return False


def _decoded(part: str) -> bytes:
    return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
