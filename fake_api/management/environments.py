"""Environments (wire §10): success is exactly 200."""

from typing import Final

from fastapi import APIRouter, Depends, Request, Response

from akstwin.errors import NotFound
from akstwin.fake_api.management.desk import ERRORS, WS, AtPath, bearer
from akstwin.fake_api.management.errors import answer
from akstwin.fake_api.management.pages import page
from akstwin.fake_api.management.reading import OBJECT, read_object

router: Final = APIRouter(
    prefix=f"/environment/v1.0{WS}/environments",
    dependencies=[Depends(bearer)],
    responses=ERRORS,
    tags=["environments"],
)
_LATEST: Final = "latest"
_PAGE: Final = 100


@router.put("/{name}", openapi_extra=OBJECT)
async def put_environment(desk: AtPath, name: str, request: Request) -> Response:
    """Register an environment: the next version, or the newest if it says the same."""
    document = await read_object(request)
    async with desk.commanding() as backend:
        return answer(backend.put_environment(name, None, document))


@router.put("/{name}/versions/{version}", openapi_extra=OBJECT)
async def put_environment_version(desk: AtPath, name: str, version: str, request: Request) -> Response:
    """Register a version of an environment."""
    document = await read_object(request)
    async with desk.commanding() as backend:
        return answer(backend.put_environment(name, version, document))


@router.get("/{name}/versions/{version}")
async def get_environment_version(desk: AtPath, name: str, version: str) -> Response:
    """A version of an environment."""
    with desk.acting() as backend:
        return answer(backend.get_environment(name, version))


@router.get("/{name}/labels/{label}")
async def get_labelled_environment(desk: AtPath, name: str, label: str) -> Response:
    """The version of an environment that has a label; only the newest one has."""
    if label != _LATEST:
        raise NotFound(f"environment {name} has no version with label {label}, only with {_LATEST}")
    with desk.acting() as backend:
        return answer(backend.get_environment(name))


@router.get("")
@router.get("/", include_in_schema=False)
async def list_environments(desk: AtPath, continuation: str | None = None) -> Response:
    """The newest version of each environment, a hundred on a page."""
    with desk.acting() as backend:
        found = backend.list_environments()
    shown, token = page(found, _PAGE, "continuation", continuation, lambda each: str(each["name"]))
    return answer({"value": shown, "continuationToken": token})


@router.get("/{name}")
async def get_environment(desk: AtPath, name: str) -> Response:
    """The newest version of an environment."""
    with desk.acting() as backend:
        return answer(backend.get_environment(name))
