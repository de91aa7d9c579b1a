"""Bodies of requests: bounded while they are read, and JSON that every JSON parser would take."""

from collections.abc import AsyncIterator, Collection
from typing import Annotated, Any, Final
from urllib.parse import parse_qsl

from fastapi import Header, Request
from starlette.requests import ClientDisconnect

from akstwin.fake_api.json_body import parse
from akstwin.fake_api.management.errors import Refused

LONGEST_JSON: Final = 16 * 1024 * 1024
LONGEST_BLOB: Final = 100 * 1024 * 1024
"""Bytes of one request: the SDK sends at most 64 MiB, more in blocks of 4 MiB."""
JSON_TYPES: Final = frozenset({"application/json", "application/json-patch+json", "text/json"})
_FORM_TYPES: Final = frozenset({"application/x-www-form-urlencoded"})


def _body(content_type: str, **schema: Any) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {content_type: {"schema": schema}}}}


# For the documentation of routes.
OBJECT: Final = _body("application/json", type="object")
PATCH: Final = _body(
    "application/json-patch+json",
    type="array",
    items={
        "type": "object",
        "required": ["op", "path"],
        "properties": {
            "op": {"enum": ["add", "remove", "replace", "move", "copy", "test"]},
            "path": {"type": "string"},
            "from": {"type": "string"},
            "value": {},
        },
    },
)
FORM: Final = _body("application/x-www-form-urlencoded", type="object", additionalProperties={"type": "string"})
BYTES: Final = _body("application/octet-stream", type="string", format="binary")


async def chunks(request: Request, limit: int) -> AsyncIterator[bytes]:
    """A body piece by piece.

    Raises:
        Refused: it is longer than `limit`. The rest is not kept, and the connection ends with it (`protocol`).
    """
    declared = request.headers.get("content-length", "")
    size = int(declared) if declared.isdecimal() else 0
    if size > limit:
        raise _too_long(limit)
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > limit:
                raise _too_long(limit)
            yield part
    except ClientDisconnect:
        raise Refused(400, "BadRequest", "the client went away") from None


async def read_body(request: Request, limit: int) -> bytes:
    """A whole body (Refused)."""
    return b"".join([part async for part in chunks(request, limit)])


async def read_json(request: Request) -> Any:
    """A JSON body of any content (Refused, BadJson)."""
    body = await read_body(request, LONGEST_JSON)
    _check_type(request, JSON_TYPES, body)
    return parse(body)


async def read_object(request: Request) -> dict[str, Any]:
    """A JSON body that is an object (Refused)."""
    value = await read_json(request)
    if not isinstance(value, dict):
        raise Refused(400, "BadRequest", "the body is not a JSON object")
    return value


async def read_patch(request: Request) -> list[dict[str, Any]]:
    """A JSON body that is a list of objects, as a JSON patch is (Refused)."""
    value = await read_json(request)
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise Refused(400, "BadRequest", "the body is not a JSON patch: a list of operations")
    return value


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form (Refused)."""
    body = await read_body(request, LONGEST_JSON)
    _check_type(request, _FORM_TYPES, body)
    try:
        return dict(parse_qsl(body.decode(), strict_parsing=True, max_num_fields=100))
    except ValueError:
        raise Refused(400, "BadRequest", "the body is not a form") from None


def _too_long(limit: int) -> Refused:
    message = f"the body is longer than {limit} bytes"
    return Refused(413, "RequestEntityTooLarge", message)


def _check_type(request: Request, wanted: Collection[str], body: bytes) -> None:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in wanted and (body or given):
        message = f"Content-Type is {given or 'missing'}; expected {' or '.join(sorted(wanted))}"
        raise Refused(415, "UnsupportedMediaType", message)


AsHeader = Annotated[str, Header()]
"""A header that need not be there."""


def skips(prefer: str) -> bool:
    """Whether a poll may be taken to an operation's end: not if its `Prefer` asks to wait for nothing (RFC 7240)."""
    return "wait=0" not in prefer.replace(" ", "").split(",")
