"""Services and operations (wire §7, §8)."""

from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from akstwin.backend import Json, Operation, ServiceQuery, ValidatingManagement
from akstwin.domain.ordering import read_order
from akstwin.errors import AksError, InvalidSetting, NotFound
from akstwin.fake_api.management.desk import ERRORS, GONE, MANAGEMENT, MM, AtPath, Desk, bearer
from akstwin.fake_api.management.errors import Refused, answer
from akstwin.fake_api.management.pages import PAGE, Count, OrderBy, OrderBySdk, SkipToken, linked, next_link, page
from akstwin.fake_api.management.reading import OBJECT, PATCH, AsHeader, read_object, read_patch, skips

router: Final = APIRouter(prefix=MM, dependencies=[Depends(bearer)], responses=ERRORS, tags=["services"])
open_router: Final = APIRouter(prefix=MM, responses=ERRORS, tags=["services"])
"""Routes that a signature in the URL opens."""

_OPERATION_TYPES: Final = {"services": "Service", "computes": "Compute"}
"""`operationType` by what an operation is about. The published description leaves the words open; the first one is known from
the service's own answers, the second one is assumed."""
_IMAGES: Final = ("imageName", "imageId", "imageDigest")


def pairs(text: str | None) -> tuple[tuple[str, str | None], ...]:
    """Tags or properties of a query: `k` or `k=v`, with commas between them."""
    parts = [part.partition("=") for part in (text or "").split(",") if part]
    return tuple((key, value if equals else None) for key, equals, value in parts)


# -- validation: refused now rather than later, and nothing is changed (wire §7.1)


def _objection(check: Callable[[], None]) -> Response:
    try:
        check()
    except AksError as error:
        return answer({"error": error.body()})
    return answer({})


def _deletable(backend: ValidatingManagement, name: str) -> None:
    """Refuse a deletion that would be refused; what is not there can be deleted: 204."""
    with suppress(NotFound):
        backend.validate_delete(name)


@router.post("/services/validate/name/{name}")
async def validate_name(desk: AtPath, name: str) -> Response:
    """Whether a new service can have the name."""
    with desk.acting() as backend:
        return _objection(lambda: backend.validate_name(name))


@router.post("/services/validate/resource", openapi_extra=OBJECT)
async def validate_resource(desk: AtPath, request: Request) -> Response:
    """Whether there is what a new service needs."""
    payload = await read_object(request)
    with desk.acting() as backend:
        return _objection(lambda: backend.validate_create(payload))


@router.post("/services/validate", openapi_extra=OBJECT)
async def validate(desk: AtPath, request: Request) -> Response:
    """Whether a service can be created, changed or deleted so."""
    asked = await read_object(request)
    with desk.acting() as backend:
        checks: dict[Any, Callable[[], None]] = {
            "Create": lambda: backend.validate_create(asked.get("createRequest") or {}),
            "Update": lambda: backend.validate_patch(asked.get("serviceName", ""), asked.get("updateRequest") or []),
            "Delete": lambda: _deletable(backend, asked.get("serviceName", "")),
        }
        kind = asked.get("type")
        check = checks.get(kind) if isinstance(kind, str) else None
        if check is None:
            raise InvalidSetting("type", kind, "Create, Update or Delete")
        return _objection(check)


@router.post("/services/migrate", openapi_extra=OBJECT)
async def migrate(desk: AtPath, request: Request) -> Response:
    """Refused: services stay where they are."""
    asked = await read_object(request)
    with desk.acting() as backend:
        backend.get_service(asked.get("serviceName", ""))
    raise Refused(400, "NotServed", "services/migrate is not served: a service stays on its compute target")


# -- services


@router.post("/services", status_code=202, openapi_extra=OBJECT)
async def create_service(desk: AtPath, request: Request) -> Response:
    """Create or overwrite a service."""
    payload = await read_object(request)
    async with desk.commanding() as backend:
        operation = backend.create_service(payload)
        return answer(backend.get_service(payload["name"]), 202, desk.operation(operation))


@router.get("/services")
async def list_services(
    desk: AtPath,
    request: Request,
    compute_type: Annotated[str | None, Query(alias="computeType")] = None,
    tags: str | None = None,
    properties: str | None = None,
    model_name: Annotated[str | None, Query(alias="modelName")] = None,
    model_id: Annotated[str | None, Query(alias="modelId")] = None,
    name: str | None = None,
    count: Count = PAGE,
    skip: SkipToken = None,
    expand: bool = False,
    orderby: OrderBy = None,
    order_by: OrderBySdk = None,
) -> Response:
    """The services that are asked for, the one that was changed last first, `count` on a page."""
    for image in _IMAGES:
        if image in request.query_params:
            raise InvalidSetting(
                image, request.query_params[image], "offered: services here have no images of their own"
            )
    order = read_order("orderby", orderby or order_by, "UpdatedAtDesc")
    query = ServiceQuery(compute_type, pairs(tags), pairs(properties), model_name, model_id, name, order)
    with desk.acting() as backend:
        found = backend.list_services(query)
    shown, following = page(found, count, "$skipToken", skip, lambda each: str(each["name"]))
    link = next_link(desk.url(MANAGEMENT, "services"), request.query_params, following)
    return answer(linked([_expanded(each, expand) for each in shown], link))


@router.get("/services/{name}")
async def get_service(desk: AtPath, name: str, expand: bool = False) -> Response:
    """A service; with `expand` its models too."""
    with desk.acting() as backend:
        return answer(_expanded(backend.get_service(name), expand))


def _expanded(document: Json, expand: bool) -> Json:
    """A service's document with the documents of its models, or without them."""
    if expand:
        return document
    bare = {key: value for key, value in document.items() if key != "models"}
    if "versions" in bare:
        bare["versions"] = {name: _expanded(version, expand) for name, version in bare["versions"].items()}
    return bare


@router.patch("/services/{name}", responses={202: {"description": "An operation has begun."}}, openapi_extra=PATCH)
async def patch_service(desk: AtPath, name: str, request: Request) -> Response:
    """Change a service: 202 and an operation, or 200 for description, tags and properties alone."""
    patch = await read_patch(request)
    async with desk.commanding() as backend:
        operation = backend.patch_service(name, patch)
        document = backend.get_service(name)
    return answer(document) if operation is None else answer(document, 202, desk.operation(operation))


@router.delete("/services/{name}", status_code=202, responses=GONE)
async def delete_service(desk: AtPath, name: str) -> Response:
    """Delete a service: 202 and an operation, or 204 if it is not there."""
    async with desk.commanding() as backend:
        try:
            operation = backend.delete_service(name)
        except NotFound:
            return Response(status_code=204)
    return answer({}, 202, desk.operation(operation))


# -- keys, tokens, logs


@router.post("/services/{name}/listkeys")
async def list_keys(desk: AtPath, name: str) -> Response:
    """Both keys."""
    with desk.acting() as backend:
        keys = backend.get_keys(name)
    return answer({"primaryKey": keys.primary, "secondaryKey": keys.secondary})


@router.post("/services/{name}/regenerateKeys", status_code=202, openapi_extra=OBJECT)
async def regenerate_keys(desk: AtPath, name: str, request: Request) -> Response:
    """Replace a key."""
    asked = await read_object(request)
    async with desk.commanding() as backend:
        operation = backend.regenerate_key(name, asked.get("keyType", ""), asked.get("keyValue"))
    return answer({}, 202, desk.operation(operation))


@router.post("/services/{name}/token", status_code=201)
async def issue_token(desk: AtPath, name: str) -> Response:
    """A token for scoring."""
    async with desk.commanding() as backend:
        token = backend.issue_token(name)
    return answer(
        {
            "accessToken": token.token,
            "tokenType": token.token_type,
            "refreshAfter": token.refresh_after,
            "expiryOn": token.expiry_on,
        },
        201,
    )


@router.get("/services/{name}/logs")
async def get_logs(
    desk: AtPath, name: str, tail: Annotated[int, Query(ge=1)] = 5000, init: bool = False
) -> Response:  # fmt: skip
    """What the containers have written."""
    return answer({"content": await desk.place.workspace.logs(name, tail, init=init)})


# -- operations


@router.get("/operations/{operation_id}")
async def get_operation(
    desk: AtPath, operation_id: str, offset: Annotated[int | None, Query(ge=0)] = None, prefer: AsHeader = ""
) -> Response:  # fmt: skip
    """An operation; with an offset also what its log has from that character on."""
    operation = await desk.place.workspace.operation(operation_id, skip=skips(prefer))
    log = desk.url(MANAGEMENT, "operations", operation_id, "log")
    document = operation_document(operation, f"{log}?sig={desk.sign(operation_id)}", desk)
    if offset is not None:
        document["streamingOperationLog"] = operation.log[offset:]
    return answer(document)


@open_router.get("/operations/{operation_id}/log")
async def get_operation_log(desk: AtPath, operation_id: str, sig: str = "") -> Response:
    """What an operation's log has, for people."""
    desk.signed(operation_id, sig)
    operation = await desk.place.workspace.operation(operation_id)
    lines = [entry.replace("|", " ", 1) for entry in operation.log.split("#")]
    return Response("\n".join((*lines, "")), media_type="text/plain; charset=utf-8")


def operation_document(operation: Operation, log: str, desk: Desk) -> Json:
    """An operation as a poll shows it (wire §8, §12)."""
    collection, _, name = (operation.resource or "").partition("/")
    prefix = MANAGEMENT if collection == "services" else ""
    return {
        "id": operation.id,
        "operationType": _OPERATION_TYPES.get(collection),
        "state": str(operation.state),
        "createdTime": desk.time(operation.created),
        "endTime": desk.time(operation.ended),
        "error": operation.error,
        "resourceLocation": desk.url(prefix, collection, name) if name else None,
        "operationLog": log,
        "operationDetails": {"subOperationType": operation.stage, "subOperationState": str(operation.state)},
        "parentRequestId": None,
    }
