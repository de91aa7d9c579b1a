"""Assets and models (wire §5)."""

from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response

from akstwin.backend import ModelQuery
from akstwin.errors import InvalidSetting
from akstwin.fake_api.management.desk import ERRORS, MANAGEMENT, MM, AtPath, bearer
from akstwin.fake_api.management.errors import answer
from akstwin.fake_api.management.reading import OBJECT, PATCH, read_object, read_patch
from akstwin.fake_api.management.services import pairs

router: Final = APIRouter(prefix=MM, dependencies=[Depends(bearer)], responses=ERRORS, tags=["models"])


@router.post("/assets", openapi_extra=OBJECT)
async def create_asset(desk: AtPath, request: Request) -> Response:
    """Name uploaded files."""
    payload = await read_object(request)
    with desk.acting() as backend:
        return answer(backend.create_asset(payload))


@router.get("/assets/{asset_id}")
async def get_asset(desk: AtPath, asset_id: str) -> Response:
    """An asset."""
    with desk.acting() as backend:
        return answer(backend.get_asset(asset_id))


@router.post("/models", openapi_extra=OBJECT)
async def register_model(desk: AtPath, request: Request) -> Response:
    """Make the next version of a model."""
    payload = await read_object(request)
    with desk.acting() as backend:
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
    count: Annotated[int, Query(ge=1, le=1000)] = 255,
    latest: Annotated[bool, Query(alias="latestVersionOnly")] = False,
    skip: Annotated[int, Query(alias="$skipToken", ge=0)] = 0,
) -> Response:
    """The models that are asked for, the newest first, `count` on a page."""
    if dataset_id is not None:
        raise InvalidSetting("datasetId", dataset_id, "offered: data sets are not registered here")
    query = ModelQuery(name, framework, pairs(tags), pairs(properties), run_id, latest)
    with desk.acting() as backend:
        found = backend.list_models(query)
    following = None
    if len(found) > skip + count:
        asked = {**request.query_params, "$skipToken": str(skip + count)}
        following = f"{desk.url(MANAGEMENT, 'models')}?{urlencode(asked)}"
    return answer({"value": found[skip : skip + count], "nextLink": following})


@router.get("/models/{model_id}")
async def get_model(desk: AtPath, model_id: str) -> Response:
    """A model, `name:version`."""
    with desk.acting() as backend:
        return answer(backend.get_model(model_id))


@router.patch("/models/{model_id}", openapi_extra=PATCH)
async def patch_model(desk: AtPath, model_id: str, request: Request) -> Response:
    """Change tags, properties or texts of a model."""
    patch = await read_patch(request)
    with desk.acting() as backend:
        return answer(backend.patch_model(model_id, patch))


@router.delete("/models/{model_id}")
async def delete_model(desk: AtPath, model_id: str) -> Response:
    """Forget a model."""
    with desk.acting() as backend:
        backend.delete_model(model_id)
    return answer({})
