"""What a server's port answers with: scoring first and bare, everything else when it is first asked for."""

from collections.abc import Callable
from typing import Final

from akstwin.domain.service_urls import SERVICE_PREFIX
from akstwin.fake_api.control.center import Control
from akstwin.fake_api.control.gate import App
from akstwin.fake_api.host_check import AllowedHosts
from akstwin.fake_api.workspace import ServedWorkspace
from akstwin.router.asgi import Receive, Scope, ScoringApp, Send, respond

__all__ = ["App", "PortApp"]

_CONTROL: Final = "/_akstwin"


class PortApp:
    """One port's application.

    Args:
        workspace: whose services answer on this port.
        hosts: names that callers may give the server.
        rest: makes the application for all other paths; asked once, at the first such request.

    Attributes:
        workspace: whose services answer.
        hosts: names that callers may give the server.
        control: the control side of the workspace.
    """

    def __init__(self, workspace: ServedWorkspace, hosts: AllowedHosts, rest: Callable[[], App]) -> None:
        self.workspace = workspace
        self.hosts = hosts
        self.control = Control(workspace)
        self._scoring = ScoringApp(workspace, self.control.interference, self.control.missed)
        self._make_rest = rest
        self._rest: App | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            raise RuntimeError(f"only HTTP is served here, not {scope['type']}")
        refusal = self.hosts.refusal(scope["headers"], scope["http_version"], scope["method"], scope["scheme"])
        if refusal is not None:
            await respond(send, *refusal)
            return
        path: str = scope["path"]
        if path.startswith(SERVICE_PREFIX):
            await self._scoring(scope, receive, send)
        elif path == "/":  # the router's own health
            await respond(send, 200, "Healthy")
        elif path.startswith(_CONTROL) and path[len(_CONTROL) :][:1] in ("", "/"):
            await self.control(scope, receive, send)
        else:
            if self._rest is None:
                self._rest = self._make_rest()
            await self.control.managed(self._rest, scope, receive, send)
