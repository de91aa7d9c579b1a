"""What the control API says of itself: its OpenAPI document, and a page made from that without anything from elsewhere."""

from html import escape
from typing import Any, Final

from fastapi import FastAPI

from akstwin.domain.replying import Fixed, Match
from akstwin.domain.spec import Spec
from akstwin.fake_api.control.forms import CauseForm, WireForm
from akstwin.fake_api.control.reading import RequestForm

Json = dict[str, Any]
_REF: Final = "#/components/schemas/{model}"
_ERROR: Final[Json] = {
    "type": "object",
    "required": ["code", "statusCode", "message"],
    "properties": {
        "code": {"type": "string"},
        "statusCode": {"type": "integer"},
        "message": {"type": "string"},
        "details": {"type": "array", "items": {"type": "object"}},
        "correlation": {"type": "object"},
    },
}
_MEANINGS: Final = {
    400: "A value that is refused, with its name.",
    404: "No such name.",
    409: "Not now.",
    413: "The body is too long.",
}


def refusals(*statuses: int) -> dict[int | str, Json]:
    """The refusals that a route may answer with, as FastAPI wants them told."""
    content = {"application/json": {"schema": {"$ref": _REF.format(model="Error")}}}
    return {status: {"description": _MEANINGS[status], "content": content} for status in statuses}


def takes(form: type[Spec]) -> Json:
    """A route's body is this form."""
    return _body(form.model_json_schema(ref_template=_REF))


def takes_requests() -> Json:
    """A route's body is a list of requests."""
    return _body({"type": "array", "items": RequestForm.model_json_schema(ref_template=_REF)})


def takes_fault() -> Json:
    """A route's body is a fault."""
    return _body({"$ref": _REF.format(model="Fault")})


def _body(schema: Json) -> Json:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def describe(app: FastAPI) -> None:
    """Let the application's OpenAPI document say what it takes, and only what it answers."""
    plain = app.openapi

    def openapi() -> Json:
        if app.openapi_schema is None:
            document = plain()
            for path in document["paths"].values():
                for operation in path.values():
                    operation["responses"].pop("422", None)
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            schemas["Error"] = _ERROR
            schemas |= _fault_schemas()
            schemas |= _reply_schemas()
            profile = document["paths"]["/_akstwin/profile/{service}"]["post"]["requestBody"]["content"]
            reply = profile["application/json"]["schema"]["properties"]["reply"]
            reply["anyOf"] = [{"$ref": _REF.format(model="Reply")}, {}]
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # the way that FastAPI documents


def _fault_schemas() -> dict[str, Json]:
    """All faults by their names. A fault by its cause may say where it strikes, too."""
    found: dict[str, Json] = {}
    kinds: list[Json] = []
    for form, more in ((CauseForm, ("service", "cluster")), (WireForm, ())):
        for name, schema in form.model_json_schema(ref_template=_REF)["$defs"].items():
            for extra in more:
                schema["properties"][extra] = {"type": "string"}
            found[name] = schema
            kinds.append({"$ref": _REF.format(model=name)})
    return {**found, "Fault": {"oneOf": kinds}}


def _reply_schemas() -> dict[str, Json]:
    """What answers instead of a script, where it is said by a document."""
    yes: Json = {"const": True}

    def having(description: str, **names: Json) -> Json:
        properties = {f"${name}": schema for name, schema in names.items()}
        return {
            "type": "object",
            "description": description,
            "required": list(properties)[:1],
            "properties": properties,
        }

    reply: Json = {"description": "Any value that run() may return, or a document: $echo or $fixed."}
    fixed: Json = {"$ref": _REF.format(model="FixedReply")}
    rule: Json = {
        "type": "object",
        "required": ["match", "reply"],
        "properties": {"match": {"$ref": _REF.format(model="Match")}, "reply": reply},
    }
    kinds = [
        having("The request's body and content type come back.", echo=yes),
        having("Always the same.", fixed=fixed),
        having("The first that matches answers.", match={"type": "array", "items": rule}, otherwise=reply),
        having("The entry script again.", script=yes),
    ]
    forms: dict[str, type[Spec]] = {"Match": Match, "FixedReply": Fixed}
    return {
        "Reply": {"anyOf": kinds},
        **{name: form.model_json_schema(ref_template=_REF) for name, form in forms.items()},
    }


def page(app: FastAPI) -> str:
    """All routes with what they take, as HTML."""
    parts = []
    for path, verbs in app.openapi()["paths"].items():
        for verb, operation in verbs.items():
            names = ", ".join(each["name"] for each in operation.get("parameters", ()))
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            fields = ", ".join(body.get("properties", ()))
            takes_text = "".join(f"<br><small>{label}: {escape(text)}</small>" for label, text in
                                 (("query or path", names), ("body", fields)) if text)  # fmt: skip
            parts.append(
                f"<tr><td>{verb.upper()}</td><td><code>{escape(path)}</code></td>"
                f"<td>{escape(operation.get('description', ''))}{takes_text}</td></tr>"
            )
    return (
        "<!doctype html><meta charset=utf-8><title>akstwin control API</title>"
        "<style>body{font:15px/1.5 system-ui;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#1c2733}"
        "td{padding:.4rem .8rem;border-bottom:1px solid #dde3e8;vertical-align:top}small{color:#5b6b7a}</style>"
        "<h1>akstwin control API</h1><p>The same as <a href=openapi.json>OpenAPI</a>; "
        f"<a href=./>the live page</a>.</p><table>{''.join(parts)}</table>"
    )
