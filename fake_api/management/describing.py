"""What the management side says of itself: its OpenAPI document, with all answers that there are and no others (wire §2-§10)."""

from collections.abc import Mapping
from typing import Final

from fastapi import FastAPI

from akstwin.backend import Json

# -- parts

_TEXT: Final[Json] = {"type": "string"}
_MAYBE: Final[Json] = {"type": ["string", "null"]}
_COUNT: Final[Json] = {"type": "integer", "minimum": 0}
_FLAG: Final[Json] = {"type": "boolean"}
_WORDS: Final[Json] = {"type": "object", "additionalProperties": {"type": "string"}}
_FREE: Final[Json] = {"type": "object"}
_CODES: Final[Json] = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["code", "message"],
        "properties": {"code": _TEXT, "message": _TEXT, "target": _TEXT},
    },
}


def _object(properties: Mapping[str, Json], optional: Mapping[str, Json] | None = None) -> Json:
    """An object: what is always there, and what may be."""
    return {"type": "object", "required": list(properties), "properties": {**properties, **(optional or {})}}


def _list(items: Json, following: str | None = None) -> Json:
    """A page of a list, and the field that tells of the next one."""
    return _object({"value": {"type": "array", "items": items}, **({following: _MAYBE} if following else {})})


def _page(items: Json) -> Json:
    """A page of a list whose link to the next one is there only if there is a next one."""
    return _object({"value": {"type": "array", "items": items}}, {"nextLink": _TEXT})


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


SCHEMAS: Final[Mapping[str, Json]] = {
    "Error": _object(
        {"code": _TEXT, "statusCode": {"type": "integer"}, "message": _TEXT, "details": _CODES, "correlation": _WORDS}
    ),
    "ResourceError": _object({"error": _object({"code": _TEXT, "message": _TEXT, "details": _CODES})}),
    "LoginError": _object({"error": _TEXT, "error_description": _TEXT}),
    "Service": _object(
        {
            "id": _TEXT, "name": _TEXT, "description": _MAYBE, "kvTags": _WORDS, "properties": _WORDS, "state": _TEXT,
            "computeType": {"enum": ["AKS", "AKSENDPOINT"]}, "computeName": _MAYBE, "createdTime": _TEXT,
            "updatedTime": _TEXT, "operationId": _MAYBE, "deploymentType": {"const": "HttpRealtimeEndpoint"},
            "scoringUri": _MAYBE, "authEnabled": _FLAG, "aadAuthEnabled": _FLAG, "appInsightsEnabled": _FLAG,
        }
    ),
    "Model": _object(
        {
            "id": _TEXT, "name": _TEXT, "version": {"type": "integer", "minimum": 1}, "url": _TEXT, "mimeType": _TEXT,
            "description": _MAYBE, "createdTime": _TEXT, "modifiedTime": _TEXT, "unpack": _FLAG, "kvTags": _WORDS,
            "properties": _WORDS, "datasets": {"type": "array"}, "framework": _MAYBE, "frameworkVersion": _MAYBE,
        }
    ),
    "Asset": _object(
        {
            "id": _TEXT, "name": _TEXT, "description": _MAYBE, "artifacts": {"type": "array", "items": _FREE},
            "kvTags": _WORDS, "createdTime": _TEXT,
        }
    ),
    "Environment": _object({"name": _TEXT, "version": _TEXT}),
    "Compute": _object(
        {
            "id": _TEXT, "name": _TEXT, "location": _TEXT, "type": _TEXT,
            "properties": _object({"computeType": _TEXT, "provisioningState": _TEXT}),
        }
    ),
    "Operation": _object(
        {
            "id": _TEXT, "state": {"enum": ["NotStarted", "Running", "Succeeded", "Failed", "Cancelled", "TimedOut"]},
            "operationType": _MAYBE, "createdTime": _MAYBE, "endTime": _MAYBE, "resourceLocation": _MAYBE,
            "error": {"type": ["object", "null"]}, "operationLog": _TEXT, "parentRequestId": _MAYBE,
            "operationDetails": _object({"subOperationType": _MAYBE, "subOperationState": _TEXT}),
        },
        {"streamingOperationLog": _TEXT},
    ),
    "Content": _object({"contentUri": _TEXT, "origin": _TEXT, "container": _TEXT, "path": _TEXT}),
    "Workspace": _object({"id": _TEXT, "name": _TEXT, "type": _TEXT, "location": _TEXT, "properties": _FREE}),
    "Subscription": _object({"id": _TEXT, "subscriptionId": _TEXT, "displayName": _TEXT, "state": _TEXT}),
}  # fmt: skip
_SERVICES: Final = ("api", "experimentation", "history", "hyperdrive", "modelmanagement", "studio")
_OBJECTION: Final = _object({}, {"error": _ref("Error")})
_LATER: Final[Json] = {"Operation-Location": {"required": True, "schema": {"type": "string", "format": "uri"}}}
_COMPUTE_LATER: Final[Json] = {
    "Azure-AsyncOperation": {"required": True, "schema": {"type": "string", "format": "uri"}}
}
_STORED: Final[Json] = {name: {"required": True, "schema": _TEXT} for name in ("ETag", "Last-Modified", "x-ms-version")}

# By a route's name: statuses of what is no refusal, and what comes with each.
_ANSWERS: Final[Mapping[str, Mapping[int, Json | None]]] = {
    "list_clouds": {200: {"type": "array", "minItems": 1, "items": _object(
        {"name": _TEXT, "resourceManager": _TEXT, "authentication": _FREE, "suffixes": _WORDS})}},
    "discover": {200: _object(dict.fromkeys(_SERVICES, _TEXT))},
    "describe_login": {200: _object({"issuer": _TEXT, "authorization_endpoint": _TEXT, "token_endpoint": _TEXT})},
    "log_in": {200: _object({"token_type": {"const": "Bearer"}, "expires_in": _COUNT, "access_token": _TEXT})},
    "list_subscriptions": {200: _list(_ref("Subscription"))},
    "get_subscription": {200: _ref("Subscription")},
    "list_resources": {200: _list(_object({"id": _TEXT, "name": _TEXT, "type": _TEXT, "location": _TEXT}))},
    "list_workspaces": {200: _list(_ref("Workspace"))},
    "list_workspaces_of_group": {200: _list(_ref("Workspace"))},
    "get_workspace": {200: _ref("Workspace")},
    "validate_name": {200: _OBJECTION},
    "validate_resource": {200: _OBJECTION},
    "validate": {200: _OBJECTION},
    "migrate": {},
    "create_service": {202: _ref("Service")},
    "list_services": {200: _page(_ref("Service"))},
    "get_service": {200: _ref("Service")},
    "patch_service": {200: _ref("Service"), 202: _ref("Service")},
    "delete_service": {202: _FREE, 204: None},
    "list_keys": {200: _object({"primaryKey": _TEXT, "secondaryKey": _TEXT})},
    "regenerate_keys": {202: _FREE},
    "issue_token": {201: _object({"accessToken": _TEXT, "tokenType": _TEXT, "refreshAfter": _COUNT, "expiryOn": _COUNT})},
    "get_logs": {200: _object({"content": _TEXT})},
    "get_operation": {200: _ref("Operation")},
    "get_operation_log": {200: None},
    "create_asset": {200: _ref("Asset")},
    "list_assets": {200: _list(_ref("Asset"), "nextLink")},
    "get_asset": {200: _ref("Asset")},
    "patch_asset": {200: _ref("Asset")},
    "delete_asset": {200: _FREE, 204: None},
    "register_model": {200: _ref("Model")},
    "list_models": {200: _list(_ref("Model"), "nextLink")},
    "get_model": {200: _ref("Model")},
    "patch_model": {200: _ref("Model")},
    "delete_model": {200: _FREE, 204: None},
    "get_metrics": {200: _object({"startTime": _TEXT, "endTime": _TEXT, "deploymentSummary": _object(
        {"successfulDeployments": _COUNT, "unsuccessfulDeployments": _COUNT})})},
    "list_images": {200: _page(_FREE)},
    "create_image": {},
    "get_image": {},
    "list_profiles": {},
    "create_profile": {},
    "get_profile": {},
    "list_profiles_of_models": {},
    "profile_model": {},
    "create_artifacts": {200: _object({"artifacts": _FREE, "artifactContentInformation": _FREE, "errors": _FREE})},
    "get_artifact": {200: _ref("Content")},
    "list_container": {200: _list(_ref("Content"), "continuationToken")},
    "list_artifacts": {200: _list(_ref("Content"), "continuationToken")},
    "put_environment": {200: _ref("Environment")},
    "put_environment_version": {200: _ref("Environment")},
    "get_environment_version": {200: _ref("Environment")},
    "get_labelled_environment": {200: _ref("Environment")},
    "list_environments": {200: _list(_ref("Environment"), "continuationToken")},
    "get_environment": {200: _ref("Environment")},
    "list_computes": {200: _page(_ref("Compute"))},
    "get_compute": {200: _ref("Compute")},
    "put_compute": {202: _ref("Compute")},
    "delete_compute": {202: _FREE},
    "list_compute_keys": {},
    "get_compute_operation": {200: _object({"id": _TEXT, "status": _TEXT, "error": {"type": ["object", "null"]}})},
    "put_blob": {201: None},
    "get_blob": {200: None, 206: None},
}  # fmt: skip
_HEADERS: Final[Mapping[tuple[str, int], Json]] = {
    ("create_service", 202): _LATER,
    ("patch_service", 202): _LATER,
    ("delete_service", 202): _LATER,
    ("regenerate_keys", 202): _LATER,
    ("put_compute", 202): _COMPUTE_LATER,
    ("delete_compute", 202): _COMPUTE_LATER,
    ("put_blob", 201): _STORED,
}
_KINDS: Final = {"get_operation_log": "text/plain", "get_blob": "application/octet-stream"}
"""What is no JSON."""
_MEANINGS: Final = {
    200: "Done.",
    201: "Stored.",
    202: "An operation has begun.",
    204: "It is not there.",
    206: "A part of it.",
    400: "A value that is refused, with its name.",
    401: "No JSON Web Token came with it.",
    403: "The URL was not signed so here.",
    404: "No such name.",
    409: "Not now, or the name is taken.",
    412: "Something else needs it.",
    413: "The body is too long.",
    415: "Another content type is expected.",
    416: "There is no such part of it.",
}
_PLAIN: Final = ("/modelmanagement", "/artifact", "/environment")
_BY_SIGNATURE: Final = frozenset({"get_operation_log", "put_blob", "get_blob"})


def describe(app: FastAPI) -> None:
    """Let the application's OpenAPI document say all that its routes answer, and only that."""
    plain = app.openapi

    def openapi() -> Json:
        if app.openapi_schema is None:
            document = plain()
            for path, verbs in document["paths"].items():
                for verb, operation in verbs.items():
                    operation["responses"] = _responses(path, verb, operation)
            document.setdefault("components", {})["schemas"] = dict(SCHEMAS)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the way that FastAPI documents


def _responses(path: str, verb: str, operation: Json) -> Json:
    """All answers of a route."""
    name = operation["summary"].lower().replace(" ", "_")
    kind = _KINDS.get(name, "application/json")
    found: Json = {}
    for status, schema in _ANSWERS[name].items():
        found[str(status)] = {"description": _MEANINGS[status]}
        if schema is not None:
            found[str(status)]["content"] = {kind: {"schema": schema}}
        elif name in _KINDS and verb != "head":
            found[str(status)]["content"] = {kind: {"schema": _TEXT}}
        if (name, status) in _HEADERS:
            found[str(status)]["headers"] = _HEADERS[name, status]
    refused: dict[int, Json] = {status: _refusal(path) for status in _refusals(name, operation)}
    if name == "log_in":
        either = {"anyOf": [_ref("LoginError"), _ref("ResourceError")]}
        refused[400] = {"content": {"application/json": {"schema": either}}}
    return {**found, **{str(status): {"description": _MEANINGS[status], **how} for status, how in refused.items()}}


def _refusals(name: str, operation: Json) -> list[int]:
    """The statuses of a route's refusals."""
    statuses = [400]
    if "security" in operation:
        statuses.append(401)
    if name in _BY_SIGNATURE:
        statuses.append(403)
    if operation.get("parameters"):
        statuses.append(404)
    if "requestBody" in operation:
        statuses += [413, 415]
    if "requestBody" in operation or "delete" in name:
        statuses += [409, 412]
    if name == "get_blob":
        statuses.append(416)
    return sorted(statuses)


def _refusal(path: str) -> Json:
    if path.startswith("/blob"):
        return {"content": {"application/xml": {"schema": {**_TEXT, "xml": {"name": "Error"}}}}}
    return {"content": {"application/json": {"schema": _ref("Error" if path.startswith(_PLAIN) else "ResourceError")}}}
