"""The API description that `GET /swagger.json` gives: the user's own files, or one made from the schema decorators."""

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

VERSIONS = ("2", "3", "3.1")
_ALIASES = {"2.0": "2", "3.0": "3"}
_FILES = {"2": ("swagger.json", "swagger2.json"), "3": ("swagger3.json",), "3.1": ("swagger3.1.json",)}
_BEARER = {"type": "apiKey", "name": "Authorization", "in": "header", "description": "For example: Bearer abc123"}
_ERROR = {"type": "object", "properties": {"message": {"type": "string"}}}
_TEXT = {"type": "string"}
_NUMBERS = {"type": "integer", "enum": [2, 3]}


class UnknownVersion(Exception):
    """No description of that version: 404."""


class Swagger:
    """The descriptions of one script, made when the worker starts.

    Args:
        folder: where the user's own `swagger.json`, `swagger3.json` … may lie; None: nowhere.
        run: the script's function; None: there is none to look at.
        environ: names the service.

    Raises:
        ValueError: a file of the user's is not JSON. The worker does not start then, as the real one.
    """

    def __init__(
        self, folder: str | None, run: Callable[..., Any] | None, environ: Mapping[str, str] = os.environ
    ) -> None:
        service_input, service_output, supported = _schemas(run)
        self._documents = {}
        for version in VERSIONS:
            own = None if folder is None else _own_file(folder, version)
            if own is not None:
                self._documents[version] = own
            elif version in supported:
                self._documents[version] = _describe(version, service_input, service_output, environ)

    def get(self, asked: str) -> Any:
        """The description in that version of the format.

        Raises:
            UnknownVersion: there is none.
        """
        version = _ALIASES.get(asked, asked)
        if version not in VERSIONS:
            problem = f"Swagger version [{asked}] is not valid. Supported versions"
        elif version not in self._documents:
            problem = f"Swagger version [{asked}] is not supported for the scoring script. Supported swagger versions"
        else:
            return self._documents[version]
        raise UnknownVersion(f"{problem}: [{', '.join(self._documents)}].")


def _own_file(folder: str, version: str) -> Any:
    for name in _FILES[version]:
        path = Path(folder, name)
        if path.is_file():
            return json.loads(path.read_text("utf-8"))
    return None


def _schemas(run: Callable[..., Any] | None) -> tuple[Any, Any, set[str]]:
    """Input, output, and the format versions that the parameter types can be said in."""
    util = sys.modules.get("inference_schema.schema_util")
    if run is None or util is None or not util.is_schema_decorated(run):
        nothing = {"type": "object", "example": {}}
        return nothing, nothing, set(VERSIONS)
    supported = {_ALIASES.get(version, version) for version in util.get_supported_versions(run)}
    return util.get_input_schema(run), util.get_output_schema(run), supported


def _describe(version: str, service_input: Any, service_output: Any, environ: Mapping[str, str]) -> dict[str, Any]:
    """Health, scoring and the description itself."""
    old = version == "2"
    refers = "#/definitions/" if old else "#/components/schemas/"
    failed = _answer(old, "The service failed.", {"$ref": refers + "ErrorResponse"})

    def call(name: str, text: str, answer: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {"operationId": name, "description": text, **more, "responses": {"200": answer, "default": failed}}

    text_type = "text/plain"
    up = _answer(old, "It is: the content is 'Healthy'.", _TEXT if old else {**_TEXT, "example": "Healthy"}, text_type)
    if old:
        up["examples"] = {"application/json": "Healthy"}
    health = call("ServiceHealthCheck", "Whether the service is up.", up)
    taken = {"$ref": refers + "ServiceInput"}
    body: dict[str, Any] = (
        {"parameters": [{"name": "serviceInputPayload", "in": "body", "description": "The input.", "schema": taken}]}
        if old
        else {"requestBody": {"description": "The input.", "content": {"application/json": {"schema": taken}}}}
    )
    score = call(
        "RunMLService",
        "Run the model and get its prediction.",
        _answer(old, "The prediction.", {"$ref": refers + "ServiceOutput"}),
        security=[{"Bearer": []}],
        **body,
    )
    number = {"name": "version", "in": "query", "required": False} | (_NUMBERS if old else {"schema": _NUMBERS})
    itself = call(
        "GetSwaggerSpec",
        "This description.",
        _answer(old, "The description.", _TEXT, text_type),
        parameters=[number],
    )
    prefix = environ.get("SERVICE_PATH_PREFIX", "").strip("/")
    at = f"/{prefix}" if prefix else ""
    name = environ.get("SERVICE_NAME", "ML service")
    info = {
        "title": name,
        "description": f"API specification for the Azure Machine Learning service {name}",
        "version": environ.get("SERVICE_VERSION", "1.0"),
    }
    paths = {f"{at}/": {"get": health}, f"{at}/score": {"post": score}, f"{at}/swagger.json": {"get": itself}}
    schemas = {"ServiceInput": service_input, "ServiceOutput": service_output, "ErrorResponse": _ERROR}
    if old:
        media = {"schemes": ["https"], "consumes": ["application/json"], "produces": ["application/json"]}
        secured = {"securityDefinitions": {"Bearer": _BEARER}}
        return {"swagger": "2.0", "info": info, **media, **secured, "paths": paths, "definitions": schemas}
    components = {"schemas": schemas, "securitySchemes": {"Bearer": _BEARER}}
    openapi = "3.1.0" if version == "3.1" else "3.0.3"
    return {"openapi": openapi, "info": info, "security": [{"Bearer": []}], "paths": paths, "components": components}


def _answer(old: bool, text: str, schema: dict[str, Any], media: str = "application/json") -> dict[str, Any]:
    if old:
        return {"description": text, "schema": schema}
    return {"description": text, "content": {media: {"schema": schema}}}
