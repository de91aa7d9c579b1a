"""Compute targets (wire §6): the SDK reads them below `/rp/workspaces` and changes them in ARM; both serve all."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from akstwin.backend import Json
from akstwin.fake_api.management.desk import ERRORS, WS, AtPath, api_version, bearer
from akstwin.fake_api.management.errors import answer
from akstwin.fake_api.management.pages import linked, next_link, page
from akstwin.fake_api.management.reading import OBJECT, AsHeader, read_object, skips

_API_VERSION: Final = "2020-02-02"
_PAGE: Final = 100
_STATUSES: Final = {"Running": "InProgress", "Cancelled": "Canceled", "TimedOut": "Failed"}
"""ARM's words for states of operations, where they differ."""

routes: Final = APIRouter(dependencies=[Depends(bearer), Depends(api_version)], responses=ERRORS, tags=["computes"])


def _accepted(desk: AtPath, document: Json, operation: str) -> Response:
    url = desk.url("", "computeOperations", operation)
    return answer(document, 202, {"Azure-AsyncOperation": f"{url}?api-version={_API_VERSION}"})


@routes.get("/computes")
async def list_computes(
    desk: AtPath, request: Request, skip: Annotated[str | None, Query(alias="$skip")] = None
) -> Response:
    """All compute targets, a hundred on a page."""
    with desk.acting() as backend:
        found = backend.list_computes()
    shown, token = page(found, _PAGE, "$skip", skip, lambda each: str(each["name"]))
    below = "/rp/workspaces" if request.url.path.startswith("/rp/") else ""
    return answer(linked(shown, next_link(desk.url(below, "computes"), request.query_params, token, "$skip")))


@routes.get("/computes/{name}")
async def get_compute(desk: AtPath, name: str) -> Response:
    """A compute target."""
    with desk.acting() as backend:
        return answer(backend.get_compute(name))


@routes.put("/computes/{name}", status_code=202, openapi_extra=OBJECT)
async def put_compute(desk: AtPath, name: str, request: Request) -> Response:
    """Create, attach or update a cluster."""
    payload = await read_object(request)
    async with desk.commanding() as backend:
        operation = backend.put_compute(name, payload)
        return _accepted(desk, backend.get_compute(name), operation)


@routes.delete("/computes/{name}", status_code=202)
async def delete_compute(
    desk: AtPath, name: str, underlyingResourceAction: Literal["delete", "detach"]  # noqa: N803 - its name on the wire
) -> Response:  # fmt: skip
    """Delete or detach a cluster."""
    async with desk.commanding() as backend:
        return _accepted(desk, {}, backend.delete_compute(name, underlyingResourceAction))


@routes.post("/computes/{name}/listKeys")
async def list_compute_keys(desk: AtPath, name: str) -> Response:
    """What logs in to a cluster."""
    with desk.acting() as backend:
        return answer(backend.compute_credentials(name))


@routes.get("/computeOperations/{operation_id}")
async def get_compute_operation(desk: AtPath, operation_id: str, prefer: AsHeader = "") -> Response:
    """An operation of a compute target, as ARM shows it."""
    operation = await desk.place.workspace.operation(operation_id, skip=skips(prefer))
    status = _STATUSES.get(operation.state, str(operation.state))
    return answer({"id": operation.id, "status": status, "error": operation.error})


router: Final = APIRouter()
router.include_router(routes, prefix=WS)
router.include_router(routes, prefix=f"/rp/workspaces{WS}")
