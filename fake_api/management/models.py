"""Assets and models (wire §5)."""

from collections.abc import Callable
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from akstwin.backend import AssetQuery, ModelQuery, ValidatingManagement
from akstwin.domain.ordering import read_order
from akstwin.errors import InvalidSetting, NotFound
from akstwin.fake_api.management.desk import ERRORS, GONE, MANAGEMENT, MM, AtPath, Desk, bearer
from akstwin.fake_api.management.errors import answer
from akstwin.fake_api.management.pages import PAGE, Count, OrderBy, OrderBySdk, SkipToken, next_link, page
from akstwin.fake_api.management.reading import OBJECT, PATCH, read_object, read_patch
from akstwin.fake_api.management.services import pairs

router: Final = APIRouter(prefix=MM, dependencies=[Depends(bearer)], responses=ERRORS, tags=["models"])


@router.post("/assets", openapi_extra=OBJECT)
async def create_asset(desk: AtPath, request: Request) -> Response:
    """Name uploaded files."""
    payload = await read_object(request)
    async with desk.commanding() as backend:
        return answer(backend.create_asset(payload))


@router.get("/assets/{asset_id}")
async def get_asset(desk: AtPath, asset_id: str) -> Response:
    """An asset."""
    with desk.acting() as backend:
        return answer(backend.get_asset(asset_id))


@router.get("/assets")
async def list_assets(
    desk: AtPath,
    request: Request,
    run_id: Annotated[str | None, Query(alias="runId")] = None,
    name: str | None = None,
    count: Count = PAGE,
    skip: SkipToken = None,
    tags: str | None = None,
    properties: str | None = None,
    orderby: OrderBy = None,
    order_by: OrderBySdk = None,
) -> Response:
    """The assets that are asked for, the newest first, `count` on a page."""
    order = read_order("orderby", orderby or order_by, "CreatedAtDesc")
    query = AssetQuery(name, pairs(tags), pairs(properties), run_id, order)
    with desk.acting() as backend:
        found = backend.list_assets(query)
    shown, following = page(found, count, "$skipToken", skip, lambda each: str(each["id"]))
    link = next_link(desk.url(MANAGEMENT, "assets"), request.query_params, following)
    return answer({"value": shown, "nextLink": link})


@router.patch("/assets/{asset_id}", openapi_extra=PATCH)
async def patch_asset(desk: AtPath, asset_id: str, request: Request) -> Response:
    """Change tags, description or metadata of an asset, or add properties."""
    patch = await read_patch(request)
    async with desk.commanding() as backend:
        return answer(backend.patch_asset(asset_id, patch))


@router.delete("/assets/{asset_id}", responses=GONE)
async def delete_asset(desk: AtPath, asset_id: str) -> Response:
    """Forget an asset; 204 if it is not there."""
    return await _forgotten(desk, lambda backend: backend.delete_asset(asset_id))


@router.post("/models", openapi_extra=OBJECT)
async def register_model(desk: AtPath, request: Request) -> Response:
    """Make the next version of a model."""
    payload = await read_object(request)
    async with desk.commanding() as backend:
        return answer(backend.register_model(payload))


@router.get("/models")
async def list_models(
    desk: AtPath,
    request: Request,
    name: str | None = None,
    framework: str | None = None,
    tags: str | None = None,
    properties: str | None = None,
    run_id: Annotated[str | None, Query(alias="runId")] = None,
    dataset_id: Annotated[str | None, Query(alias="datasetId")] = None,
    description: str | None = None,
    count: Count = PAGE,
    latest: Annotated[bool, Query(alias="latestVersionOnly")] = False,
    skip: SkipToken = None,
    orderby: OrderBy = None,
    order_by: OrderBySdk = None,
) -> Response:
    """The models that are asked for, the newest first, `count` on a page."""
    if dataset_id is not None:
        raise InvalidSetting("datasetId", dataset_id, "offered: data sets are not registered here")
    order = read_order("orderBy", order_by or orderby, "CreatedAtDesc")
    query = ModelQuery(name, framework, pairs(tags), pairs(properties), run_id, latest, description, order)
    with desk.acting() as backend:
        found = backend.list_models(query)
    shown, following = page(found, count, "$skipToken", skip, lambda each: str(each["id"]))
    link = next_link(desk.url(MANAGEMENT, "models"), request.query_params, following)
    return answer({"value": shown, "nextLink": link})


@router.get("/models/{model_id}")
async def get_model(desk: AtPath, model_id: str) -> Response:
    """A model, `name:version`."""
    with desk.acting() as backend:
        return answer(backend.get_model(model_id))


@router.patch("/models/{model_id}", openapi_extra=PATCH)
async def patch_model(desk: AtPath, model_id: str, request: Request) -> Response:
    """Change tags, properties or texts of a model."""
    patch = await read_patch(request)
    async with desk.commanding() as backend:
        return answer(backend.patch_model(model_id, patch))


@router.delete("/models/{model_id}", responses=GONE)
async def delete_model(desk: AtPath, model_id: str) -> Response:
    """Forget a model; 204 if it is not there."""
    return await _forgotten(desk, lambda backend: backend.delete_model(model_id))


async def _forgotten(desk: Desk, forget: Callable[[ValidatingManagement], None]) -> Response:
    """The answer to a request that something be forgotten: 204 if it is not there (wire §12)."""
    async with desk.commanding() as backend:
        try:
            forget(backend)
        except NotFound:
            return Response(status_code=204)
    return answer({})


@router.get("/models/{model_id}/metrics")
async def get_metrics(
    desk: AtPath,
    model_id: str,
    start: Annotated[str | None, Query(alias="startDate")] = None,
    end: Annotated[str | None, Query(alias="endDate")] = None,
) -> Response:
    """How many deployments of a model have ended well and how many not."""
    with desk.acting() as backend:
        return answer(backend.model_metrics(model_id, _offset_kept(start), _offset_kept(end)))


def _offset_kept(time: str | None) -> str | None:
    """A time of a query: the plus of its offset, if nobody has escaped it, has become a space."""
    return time.replace(" ", "+") if time and "T" in time else time
