"""Refusals as the services of Azure word them: the management services one way (wire §5), ARM another (wire §2)."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from xml.sax.saxutils import escape

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from akstwin.errors import AksError

_PLAIN = ("/modelmanagement", "/artifact", "/environment")
"""Where an error stands alone in its body; elsewhere it stands under `error`, as in ARM."""
_XML = "/blob/"
"""Where it is XML, and a header has its code."""
_BLOB_CODES = {"NotFound": "BlobNotFound", "BadRequest": "InvalidInput"}

_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


class Refused(AksError):
    """A request that never reaches a workspace.

    Args:
        status: of the answer.
        code: the error's name on the wire.
        message: in words.
        headers: that the answer has beside.
    """

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, code, message, dict(headers or {}))
        self.status_hint = status
        self.code = code

    def __str__(self) -> str:
        return str(self.args[2])

    @property
    def headers(self) -> dict[str, str]:
        """What the answer has beside."""
        found: dict[str, str] = self.args[3]
        return found


def answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer."""
    content = json.dumps(value, allow_nan=False).encode()
    return Response(content, status, dict(headers or {}), "application/json; charset=utf-8")


def refusal(error: AksError, path: str) -> Response:
    """The answer to a request that is refused, in the words of whatever answers at that path."""
    body, headers = error.body(), error.headers if isinstance(error, Refused) else {}
    if path.startswith(_XML):
        code = _BLOB_CODES.get(body["code"], body["code"])
        text = f"<Error><Code>{code}</Code><Message>{escape(body['message'])}</Message></Error>"
        document = f'<?xml version="1.0" encoding="utf-8"?>{text}'
        return Response(
            document.encode(errors="replace"),
            error.status_hint,
            {"x-ms-error-code": code, **headers},
            "application/xml",
        )
    if not path.startswith(_PLAIN):
        body = {"error": {"code": body["code"], "message": body["message"], "details": body["details"]}}
    return answer(body, error.status_hint, headers)


_IMAGES: Final = (
    "InferenceConfig(extra_docker_file_steps): use environment.docker.base_dockerfile. akstwin builds no images, so "
    "InferenceConfig(enable_gpu, cuda_version), Webservice.deploy_from_model and ContainerImage are not there either: "
    "use InferenceConfig(environment=…) with Model.deploy. "
)
"""What to do instead of making an image; azureml-core makes one for arguments that are older than environments."""


def not_served(method: str, path: str) -> Refused:
    """The refusal of a route that is not there."""
    instead = _IMAGES if method == "POST" and path.rstrip("/").endswith("/images") else ""
    spoken = ", which speaks the management HTTP of SDK v1 (azureml-core)" if path.startswith("/subscriptions/") else ""
    return Refused(400, "NotServed", f"{instead}{method} {path} is not served by akstwin{spoken}")


def _method_not_served(request: Request) -> Refused:
    """The refusal of a path that has other methods: those of all its routes, not of the first one alone."""
    scopes = {method: {**request.scope, "method": method} for method in _METHODS}
    routes = request.app.routes
    methods = ", ".join(
        method for method, scope in scopes.items() if any(route.matches(scope)[0] is Match.FULL for route in routes)
    )
    message = f"{request.method} {request.url.path} is not served by akstwin, only {methods}"
    return Refused(HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed", message, {"Allow": methods})


def handle_errors(app: FastAPI) -> None:
    """Let an application answer what its routes raise."""

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, AksError)  # noqa: S101 - what it is registered for
        return refusal(error, request.url.path)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return refusal(Refused(400, "BadRequest", f"{where}: {first['msg']}"), request.url.path)

    async def unknown(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101
        path = request.url.path
        if error.status_code == HTTPStatus.NOT_FOUND:
            return refusal(not_served(request.method, path), path)
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            return refusal(_method_not_served(request), path)
        message = f"{request.method} {path}: {error.detail}"
        code = HTTPStatus(error.status_code).phrase.replace(" ", "")
        return refusal(Refused(error.status_code, code, message, error.headers), path)

    async def unwritten(request: Request, error: Exception) -> Response:
        assert isinstance(error, OSError)  # noqa: S101
        if isinstance(error, ConnectionError):
            raise error
        return refusal(Refused(500, "InternalError", f"a file cannot be kept: {error.strerror}"), request.url.path)

    app.add_exception_handler(AksError, refused)
    app.add_exception_handler(OSError, unwritten)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, unknown)
