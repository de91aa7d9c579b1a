"""All routes of the management side as one application for one port."""

import re
from typing import Final

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from akstwin.fake_api.management import arm, artifacts, blobs, computes, environments, images, models, services
from akstwin.fake_api.management.describing import describe
from akstwin.fake_api.management.errors import handle_errors
from akstwin.fake_api.management.ports import Binding, WorkspaceServer

OPENAPI: Final = "/openapi.json"
_WORKSPACE: Final = re.compile(
    r"/+subscriptions/([^/]+)/resourcegroups/([^/]+)/providers/microsoft\.machinelearningservices/workspaces(?=/|$)",
    re.IGNORECASE,
)
_CANONICAL: Final = r"/subscriptions/\1/resourceGroups/\2/providers/Microsoft.MachineLearningServices/workspaces"


class AzurePaths:
    """Azure does not look at the case of its own words in a path, nor at slashes too many at its start (wire §2)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        path = "/" + scope["path"].lstrip("/")
        await self._app({**scope, "path": _WORKSPACE.sub(_CANONICAL, path, count=1)}, receive, send)


def make_app(server: WorkspaceServer, place: Binding) -> FastAPI:
    """The application behind a port.

    Args:
        server: whose workspaces it knows.
        place: the port's own workspace.
    """
    app = FastAPI(
        title="akstwin: management",
        openapi_url=OPENAPI,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=[Middleware(AzurePaths)],
    )
    app.state.server, app.state.place = server, place
    handle_errors(app)
    for module in (arm, services):
        app.include_router(module.open_router)
    for router in (
        arm.router, services.router, models.router, images.router, artifacts.router,
        environments.router, computes.router, blobs.router,
    ):  # fmt: skip
        app.include_router(router)
    describe(app)
    return app
