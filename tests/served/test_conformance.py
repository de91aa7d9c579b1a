"""The table of routes is that of the application, its tests are there, and each route answers as it is documented."""

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit

import pytest

from akstwin.fake_api.management.app import make_app
from akstwin.fake_api.management.conformance import ROUTES, Route
from akstwin.fake_api.management.desk import WS

TESTS = Path(__file__).parents[1]
APP = make_app(cast("Any", SimpleNamespace()), cast("Any", SimpleNamespace()))
DOCUMENT: dict[str, Any] = APP.openapi()
GROUP = "/subscriptions/{subscription_id}/resourceGroups/{resource_group}/providers/Microsoft.MachineLearningServices/workspaces"
PATCH = {"Content-Type": "application/json-patch+json"}


def full(path: str) -> str:
    """A path as the application has it."""
    return path.replace("{MM}", "/modelmanagement/v1.0{WS}").replace("{WS}", WS)


def documented(route: Route) -> set[int]:
    """The statuses of what is no refusal."""
    answers = DOCUMENT["paths"][full(route.path)][route.method.lower()]["responses"]
    return {int(status) for status in answers if int(status) < 300}


def test_the_table_has_every_route_and_no_other() -> None:
    """Each method of each path, once; what is served has a status of success, what is refused has none."""
    there = {(verb.upper(), path) for path, verbs in DOCUMENT["paths"].items() for verb in verbs}
    listed = [(route.method, full(route.path)) for route in ROUTES]
    assert len(listed) == len(set(listed))
    assert set(listed) == there
    for route in ROUTES:
        assert bool(documented(route)) == (route.refused is None), route


def test_the_tests_of_the_table_are_there() -> None:
    """By file and name."""
    for route in ROUTES:
        file, _, name = route.test.partition("::")
        functions = {
            node.name for node in ast.walk(ast.parse((TESTS / file).read_text())) if isinstance(node, ast.FunctionDef)
        }
        assert name in functions, route.test


def named(world: Any, route: Route, **values: str) -> str:
    """The path of a route with names in it."""
    identity = world.server.first.workspace.backend.identity
    known = {
        "subscription_id": identity.subscription_id, "resource_group": identity.resource_group,
        "workspace": identity.name, "name": "walked", "model_id": "fraud:1", "asset_id": "none", "image_id": "image:1",
        "profile_id": "p", "operation_id": "none", "origin": "LocalUpload", "container": "model", "path": "weights.txt",
        "prefix": "weights.txt", "label": "latest", "version": "1",
    }  # fmt: skip
    return full(route.path).format(**{**known, **values})


def answered(world: Any, route: Route, path: str, **given: Any) -> Any:
    """The answer, which has a documented status."""
    versioned = not path.startswith(("/modelmanagement", "/artifact", "/environment", "/blob", "/adfs", "/metadata"))
    params = {**({"api-version": "2020-02-02"} if versioned else {}), **given.pop("params", {})}
    answer = world.client.request(route.method, path, params=params, **given)
    assert answer.status_code in documented(route), (route, answer.text)
    return answer


def of(method: str, path: str) -> Route:
    """A row of the table."""
    return next(route for route in ROUTES if (route.method, route.path) == (method, path))


def test_a_served_route_answers_its_status(stocked: Any) -> None:  # noqa: PLR0915 - one request a line
    """Every one that is served is asked for what is there."""
    asked = set()

    def ask(method: str, path: str, *, names: dict[str, str] | None = None, **given: Any) -> Any:
        route = of(method, path)
        asked.add(route)
        return answered(stocked, route, named(stocked, route, **(names or {})), **given)

    mm, art, env = "{MM}", "/artifact/v2.0{WS}/artifacts", "/environment/v1.0{WS}/environments"
    for path in (
        "/metadata/endpoints", "/discovery", "/adfs/.well-known/openid-configuration", "/subscriptions",
        "/subscriptions/{subscription_id}", "/subscriptions/{subscription_id}/resources", "{WS}",
        "/subscriptions/{subscription_id}/providers/Microsoft.MachineLearningServices/workspaces",
        GROUP,
        f"{mm}/assets", f"{mm}/models", f"{mm}/services", f"{mm}/images", f"{mm}/models/{{model_id}}",
        f"{mm}/models/{{model_id}}/metrics", f"{art}/prefix/contentinfo/{{origin}}/{{container}}",
        f"{art}/prefix/contentinfo/{{origin}}/{{container}}/{{prefix}}", env,
    ):  # fmt: skip
        ask("GET", path)
    ask("POST", "/adfs/oauth2/token", data={"grant_type": "client_credentials"})
    told = ask("POST", f"{art}/batch/metadata/{{origin}}/{{container}}", json={"paths": [{"path": "new.txt"}]}).json()
    upload = urlsplit(told["artifactContentInformation"]["new.txt"]["contentUri"])
    blob = {"path": upload.path.removeprefix("/blob/")}
    signed = {"params": dict(part.split("=", 1) for part in upload.query.split("&"))}
    ask("PUT", "/blob/{path}", names=blob, content=b"1", headers={"x-ms-blob-type": "BlockBlob"}, **signed)
    read = urlsplit(ask("GET", f"{art}/contentinfo/{{origin}}/{{container}}/{{path}}").json()["contentUri"])
    blob, signed = (
        {"path": read.path.removeprefix("/blob/")},
        {"params": dict(p.split("=", 1) for p in read.query.split("&"))},
    )
    ask("GET", "/blob/{path}", names=blob, **signed)
    ask("HEAD", "/blob/{path}", names=blob, **signed)
    ask("PUT", f"{env}/{{name}}", json={"Name": "walked"})
    ask("PUT", f"{env}/{{name}}/versions/{{version}}", json={"Name": "walked"})
    for path in (f"{env}/{{name}}", f"{env}/{{name}}/versions/{{version}}", f"{env}/{{name}}/labels/{{label}}"):
        ask("GET", path)
    asset = {
        "asset_id": ask(
            "POST", f"{mm}/assets", json={"name": "a", "artifacts": [{"prefix": "LocalUpload/model"}]}
        ).json()["id"]
    }
    ask("GET", f"{mm}/assets/{{asset_id}}", names=asset)
    ask("PATCH", f"{mm}/assets/{{asset_id}}", names=asset, json=[], headers=PATCH)
    model = {"name": "walked", "url": f"aml://asset/{asset['asset_id']}", "mimeType": "application/json"}
    made = {"model_id": ask("POST", f"{mm}/models", json=model).json()["id"]}
    ask("PATCH", f"{mm}/models/{{model_id}}", names=made, json=[], headers=PATCH)
    ask("DELETE", f"{mm}/models/{{model_id}}", names=made)
    ask("DELETE", f"{mm}/assets/{{asset_id}}", names=asset)
    for below in ("", "/rp/workspaces"):
        body = {"location": "here", "properties": {"computeType": "AKS"}}
        begun = ask("PUT", f"{below}{{WS}}/computes/{{name}}", json=body)
        operation = {"operation_id": urlsplit(begun.headers["Azure-AsyncOperation"]).path.rpartition("/")[2]}
        ask("GET", f"{below}{{WS}}/computeOperations/{{operation_id}}", names=operation)
        ask("GET", f"{below}{{WS}}/computes")
        ask("GET", f"{below}{{WS}}/computes/{{name}}")
        ask("DELETE", f"{below}{{WS}}/computes/{{name}}", params={"underlyingResourceAction": "delete"})
    service = stocked.service("walked")
    ask("POST", f"{mm}/services/validate/name/{{name}}", json={})
    ask("POST", f"{mm}/services/validate/resource", json=service)
    ask("POST", f"{mm}/services/validate", json={"type": "Create", "serviceName": "walked", "createRequest": service})
    begun = ask("POST", f"{mm}/services", json=service)
    operation = {"operation_id": urlsplit(begun.headers["Operation-Location"]).path.rpartition("/")[2]}
    done = ask("GET", f"{mm}/operations/{{operation_id}}", names=operation).json()
    log = {"params": {"sig": urlsplit(done["operationLog"]).query.removeprefix("sig=")}}
    ask("GET", f"{mm}/operations/{{operation_id}}/log", names=operation, **log)
    ask("GET", f"{mm}/services/{{name}}")
    ask("POST", f"{mm}/services/{{name}}/listkeys")
    ask("POST", f"{mm}/services/{{name}}/regenerateKeys", json={"keyType": "Primary"})
    ask("GET", f"{mm}/services/{{name}}/logs")
    ask(
        "PATCH",
        f"{mm}/services/{{name}}",
        json=[{"op": "replace", "path": "/description", "value": "x"}],
        headers=PATCH,
    )
    stocked.deploy("walked-token", aadAuthEnabled=True)
    ask("POST", f"{mm}/services/{{name}}/token", names={"name": "walked-token"})
    ask("DELETE", f"{mm}/services/{{name}}")
    assert asked == {route for route in ROUTES if route.refused is None}


@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.refused], ids=lambda route: f"{route.method} {route.path}"
)
def test_a_refused_route_says_so_by_name(stocked: Any, route: Route) -> None:
    """400 or 404, with what was asked for in the message."""
    names = {"name": "aks"} if "computes" in route.path else {}
    body = {"json": {"serviceName": "nobody"}} if route.path.endswith("migrate") else {}
    params = {"api-version": "2020-02-02"} if "computes" in route.path else {}
    answer = stocked.client.request(route.method, named(stocked, route, **names), params=params, **body)
    assert answer.status_code in (400, 404), answer.text
    error = answer.json()
    message = error.get("error", error)["message"]
    assert any(word in message for word in ("is not served", "is not there", "have none", "has none")), message
