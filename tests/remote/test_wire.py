"""What each verb sends, and what it makes of the answer: documents as in wire.md, on a server that is not one of ours."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from akstwin.backend import AccessToken, AssetQuery, Keys, ModelQuery, Operation, ServiceQuery
from akstwin.domain.lifecycles import OperationState
from akstwin.errors import AksError, Conflict, InUse, InvalidSetting, NotFound
from akstwin.remote import RemoteBackend
from akstwin.remote.refusals import refusal

WS = "/subscriptions/5ub/resourceGroups/group/providers/Microsoft.MachineLearningServices/workspaces/ws"
ARM = f"https://arm.example{WS}"
MM = f"https://mm.example/modelmanagement/v1.0{WS}"
ENVIRONMENTS = f"https://env.example/environment/v1.0{WS}/environments"
COMPUTES = f"https://api.example/rp/workspaces{WS}/computes"
POLL = "https://arm.example/poll/7"
Verb = Callable[[RemoteBackend], Any]
PATCH = [{"op": "replace", "path": "/description", "value": "d"}]
VERSION = "api-version=2020-02-02"
JSON, JSON_PATCH = "application/json", "application/json-patch+json"


def begun(header: str = "Operation-Location", url: str = f"{MM}/operations/0p") -> httpx.Response:
    """An answer that names an operation."""
    return httpx.Response(202, headers={header: url})


def document(**content: Any) -> httpx.Response:
    """An answer 200."""
    return httpx.Response(200, json=content)


VERBS: dict[str, tuple[Verb, httpx.Response, str, Any, str | None, Any]] = {
    # verb, answer, what is sent (method, address, query), its body, its content type, what is returned
    "create_asset": (
        lambda b: b.create_asset({"name": "a"}), document(id="1"), f"POST {MM}/assets", {"name": "a"}, JSON, {"id": "1"},
    ),
    "get_asset": (lambda b: b.get_asset("1"), document(id="1"), f"GET {MM}/assets/1", None, None, {"id": "1"}),
    "register_model": (
        lambda b: b.register_model({"name": "m"}), document(id="m:1"), f"POST {MM}/models", {"name": "m"}, JSON,
        {"id": "m:1"},
    ),
    "get_model": (lambda b: b.get_model("m:1"), document(id="m:1"), f"GET {MM}/models/m:1", None, None, {"id": "m:1"}),
    "patch_model": (
        lambda b: b.patch_model("m:1", PATCH), document(id="m:1"), f"PATCH {MM}/models/m:1", PATCH,
        f"{JSON_PATCH}; charset=utf-8", {"id": "m:1"},
    ),
    "delete_model": (lambda b: b.delete_model("m:1"), document(), f"DELETE {MM}/models/m:1", None, None, None),
    "list_assets": (
        lambda b: b.list_assets(AssetQuery("a", (("k", "v"),), (), "run", "UpdatedAtAsc")), document(value=[{"id": "1"}]),
        f"GET {MM}/assets?runId=run&name=a&count=255&tags=k%3Dv&orderby=UpdatedAtAsc", None, None, [{"id": "1"}],
    ),
    "patch_asset": (
        lambda b: b.patch_asset("1", PATCH), document(id="1"), f"PATCH {MM}/assets/1", PATCH, JSON_PATCH, {"id": "1"},
    ),
    "delete_asset": (lambda b: b.delete_asset("1"), document(), f"DELETE {MM}/assets/1", None, None, None),
    "model_metrics": (
        lambda b: b.model_metrics("m:1", "2020-01-01"), document(startTime="s"),
        f"GET {MM}/models/m:1/metrics?startDate=2020-01-01", None, None, {"startTime": "s"},
    ),
    "list_services in an order": (
        lambda b: b.list_services(ServiceQuery(name="s", order="CreatedAtAsc")),
        document(value=[{"name": "t"}, {"name": "s"}]),
        f"GET {MM}/services?expand=true&name=s&orderby=CreatedAtAsc", None, None, [{"name": "t"}, {"name": "s"}],
    ),
    "put_environment": (
        lambda b: b.put_environment("e", None, {"name": "e", "python": {}, "environmentVariables": {"A": "1"}}),
        document(version="1"), f"PUT {ENVIRONMENTS}/e",
        {"Name": "e", "python": {}, "EnvironmentVariables": {"A": "1"}}, JSON, {"version": "1"},
    ),
    "put_environment version": (
        lambda b: b.put_environment("e", "2", {}), document(version="2"), f"PUT {ENVIRONMENTS}/e/versions/2", {}, JSON,
        {"version": "2"},
    ),
    "get_environment": (
        lambda b: b.get_environment("e"), document(version="1"), f"GET {ENVIRONMENTS}/e", None, None, {"version": "1"},
    ),
    "get_environment version": (
        lambda b: b.get_environment("e", "1"), document(version="1"), f"GET {ENVIRONMENTS}/e/versions/1", None, None,
        {"version": "1"},
    ),
    "list_environments": (
        lambda b: b.list_environments(), document(value=[{"name": "e"}], continuationToken=None),
        f"GET {ENVIRONMENTS}/", None, None, [{"name": "e"}],
    ),
    "put_compute": (
        lambda b: b.put_compute("aks", {"location": "mars"}), begun("Azure-AsyncOperation", POLL),
        f"PUT {ARM}/computes/aks?{VERSION}", {"location": "mars"}, JSON, POLL,
    ),
    "get_compute": (
        lambda b: b.get_compute("aks"), document(name="aks"), f"GET {COMPUTES}/aks?{VERSION}", None, None,
        {"name": "aks"},
    ),
    "list_computes": (
        lambda b: b.list_computes(), document(value=[{"name": "aks"}]), f"GET {COMPUTES}?{VERSION}", None, None,
        [{"name": "aks"}],
    ),
    "delete_compute": (
        lambda b: b.delete_compute("aks", "detach"), begun("Azure-AsyncOperation", POLL),
        f"DELETE {ARM}/computes/aks?{VERSION}&underlyingResourceAction=detach", None, None, POLL,
    ),
    "compute_credentials": (
        lambda b: b.compute_credentials("aks"), document(userKubeConfig="…"),
        f"POST {ARM}/computes/aks/listKeys?{VERSION}", None, None, {"userKubeConfig": "…"},
    ),
    "create_service": (
        lambda b: b.create_service({"name": "s"}), begun(), f"POST {MM}/services", {"name": "s"}, JSON, "0p",
    ),
    "patch_service": (lambda b: b.patch_service("s", PATCH), begun(), f"PATCH {MM}/services/s", PATCH, JSON_PATCH, "0p"),
    "patch_service at once": (
        lambda b: b.patch_service("s", PATCH), document(name="s"), f"PATCH {MM}/services/s", PATCH, JSON_PATCH, None,
    ),
    "patch_service with an operationId": (
        lambda b: b.patch_service("s", PATCH), document(operationId="0q"), f"PATCH {MM}/services/s", PATCH, JSON_PATCH,
        "0q",
    ),
    "validate_name": (
        lambda b: b.validate_name("s"), httpx.Response(200), f"POST {MM}/services/validate/name/s", {}, JSON, None,
    ),
    "validate_create": (
        lambda b: b.validate_create({"name": "s"}), document(), f"POST {MM}/services/validate",
        {"type": "Create", "serviceName": "s", "createRequest": {"name": "s"}, "updateRequest": None}, JSON, None,
    ),
    "validate_patch": (
        lambda b: b.validate_patch("s", PATCH), httpx.Response(200, json=None), f"POST {MM}/services/validate",
        {"type": "Update", "serviceName": "s", "createRequest": None, "updateRequest": PATCH}, JSON, None,
    ),
    "validate_delete": (
        lambda b: b.validate_delete("s"), document(error=None), f"POST {MM}/services/validate",
        {"type": "Delete", "serviceName": "s", "createRequest": None, "updateRequest": None}, JSON, None,
    ),
    "delete_service": (lambda b: b.delete_service("s"), begun(), f"DELETE {MM}/services/s", None, None, "0p"),
    "get_service": (
        lambda b: b.get_service("s"), document(name="s"), f"GET {MM}/services/s?expand=true", None, None, {"name": "s"},
    ),
    "list_services": (
        lambda b: b.list_services(
            ServiceQuery("aks", (("a", None), ("b", "c=d")), (("p", "1"),), "m", "m:1")
        ),
        document(value=[{"name": "t"}, {"name": "s"}]),
        f"GET {MM}/services?expand=true&computeType=aks&tags=a%2Cb%3Dc%3Dd&properties=p%3D1&modelName=m&modelId=m%3A1",
        None, None, [{"name": "s"}, {"name": "t"}],
    ),
    "list_models": (
        lambda b: b.list_models(ModelQuery("m", "Onnx", (("a", None),), (), "run", latest=True)),
        document(value=[{"id": "m:1"}], nextLink=None),
        f"GET {MM}/models?name=m&framework=Onnx&tags=a&runId=run&count=255&latestVersionOnly=true", None, None,
        [{"id": "m:1"}],
    ),
    "get_keys": (
        lambda b: b.get_keys("s"), document(primaryKey="k1", secondaryKey="k2"), f"POST {MM}/services/s/listkeys", None,
        None, Keys("k1", "k2"),
    ),
    "regenerate_key": (
        lambda b: b.regenerate_key("s", "Primary"), begun(), f"POST {MM}/services/s/regenerateKeys",
        {"keyType": "Primary", "keyValue": None}, JSON, "0p",
    ),
    "issue_token": (
        lambda b: b.issue_token("s"), document(accessToken="t", tokenType="Bearer", refreshAfter=1, expiryOn=2),
        f"POST {MM}/services/s/token", None, None, AccessToken("t", "Bearer", 1, 2),
    ),
    "get_logs": (
        lambda b: b.get_logs("s", 7, init=True), document(content="line"), f"GET {MM}/services/s/logs?tail=7&init=True",
        None, None, "line",
    ),
    "get_operation": (
        lambda b: b.get_operation("0p"),
        document(
            state="Running", operationDetails={"subOperationType": "BuildImage"}, streamingOperationLog="1|a#",
            resourceLocation=f"{MM}/services/s",
        ),
        f"GET {MM}/operations/0p?offset=0", None, None,
        Operation("0p", OperationState.RUNNING, "BuildImage", None, "1|a#", "services/s"),
    ),
    "get_operation of a compute target": (
        lambda b: b.get_operation(POLL),
        document(status="Canceled", error={"error": {"error": {"statusCode": 400, "message": "why"}}}),
        f"GET {POLL}?{VERSION}", None, None,
        Operation(POLL, OperationState.CANCELLED, error={"statusCode": 400, "message": "why"}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_is_a_call(name: str, azure: Any) -> None:
    """Method, address, query, content type and body are those of the wire, and the answer is read."""
    verb, answer, sent, body, content_type, returned = VERBS[name]
    backend = azure.connect()
    method, _, url = sent.partition(" ")
    azure.on(method, url.partition("?")[0], answer)
    assert verb(backend) == returned
    (request,) = azure.requests
    assert f"{request.method} {request.url}" == sent
    assert (json.loads(request.content) if request.content else None) == body
    assert request.headers.get("content-type") == content_type
    assert request.headers["authorization"] == "Bearer the.secret.token"


@pytest.mark.parametrize(
    ("state", "read"),
    [
        ("Succeeded", "Succeeded"), ("Failed", "Failed"), ("Cancelled", "Cancelled"), ("TimedOut", "TimedOut"),
        ("NotStarted", "Running"), ("Running", "Running"),
    ],
)  # fmt: skip
def test_states_of_operations(state: str, read: str, azure: Any) -> None:
    """What is not final is running."""
    backend = azure.connect()
    azure.on("GET", f"{MM}/operations/0p", document(state=state, error={"message": "why"}))
    found = backend.get_operation("0p")
    assert (found.state, found.error, found.stage) == (read, {"message": "why"}, "DeployService")


def test_lists_go_over_all_pages(azure: Any) -> None:
    """Services by the whole address of the next page, models by its token, environments by theirs."""
    backend = azure.connect()
    azure.on(
        "GET", f"{MM}/services", document(value=[{"name": "b"}], nextLink=f"{MM}/services?page=2"),
        document(value=[{"name": "a"}]),
    )  # fmt: skip
    assert [each["name"] for each in backend.list_services(ServiceQuery())] == ["a", "b"]
    assert azure.last.url.query == b"page=2"
    azure.on(
        "GET", f"{MM}/models", document(value=[{"id": "m:2"}], nextLink="https://elsewhere.example/?$skipToken=x&name=y"),
        document(value=[{"id": "m:1"}], nextLink=None),
    )  # fmt: skip
    assert [each["id"] for each in backend.list_models(ModelQuery("m"))] == ["m:2", "m:1"]
    assert (azure.last.url.host, azure.last.url.params["name"]) == ("mm.example", "m")
    assert azure.last.url.params["$skipToken"] == "x"
    azure.on(
        "GET", f"{ENVIRONMENTS}/", document(value=[{"name": "e"}], continuationToken="c"),
        document(value=[{"name": "f"}]),
    )  # fmt: skip
    assert [each["name"] for each in backend.list_environments()] == ["e", "f"]
    assert azure.last.url.params["continuation"] == "c"


def test_filters_that_a_query_cannot_carry(azure: Any) -> None:
    """Names with commas or equals signs in them are looked for here."""
    backend = azure.connect()
    found = [
        {"name": "a", "kvTags": {"x,y": "1"}, "properties": {}},
        {"name": "b", "kvTags": {"x": "1"}, "properties": {}},
    ]
    azure.on("GET", f"{MM}/services", document(value=found))
    query = ServiceQuery(tags=(("x,y", None), ("z", None)))
    assert [each["name"] for each in backend.list_services(query)] == ["a"]
    assert azure.last.url.params["tags"] == "z"
    assert backend.list_services(ServiceQuery(tags=(("x,y", "2"),))) == []


@pytest.mark.parametrize(
    ("status", "body", "kind", "message"),
    [
        (400, {"message": "cpu: 7 is not less"}, InvalidSetting, "cpu: 7 is not less"),
        (400, {"message": "name: is missing; expected text"}, InvalidSetting, "name: is missing; expected text"),
        (400, {"message": "bad"}, AksError, "bad"),
        (404, {"message": "gone", "statusCode": 404}, NotFound, "gone"),
        (404, {"error": {"code": "ResourceNotFound", "message": "gone"}}, NotFound, "gone"),
        (409, {"message": "busy"}, Conflict, "busy"),
        (412, {"message": "used"}, InUse, "used"),
        (403, {"message": "who?"}, AksError, f"GET {MM}/services/s: the server answered 403: who?"),
        (500, "oh", AksError, f"GET {MM}/services/s: the server answered 500: oh"),
        (
            429,
            {"message": "less", "code": "TooManyRequests"},
            AksError,
            f"GET {MM}/services/s: the server answered 429: less",
        ),
        (404, "no", NotFound, f"GET {MM}/services/s: 404 no"),
        (400, "", AksError, f"GET {MM}/services/s: the server answered 400"),
    ],
)
def test_statuses_are_errors(status: int, body: Any, kind: type[AksError], message: str, azure: Any) -> None:
    """In the server's own words where they are the service's; else with method, address and status."""
    backend = azure.connect()
    given = {"json": body} if isinstance(body, dict) else {"text": body}
    azure.on("GET", f"{MM}/services/s", httpx.Response(status, **given))
    with pytest.raises(kind) as caught:
        backend.get_service("s")
    assert str(caught.value) == message
    assert type(caught.value) is kind or kind is AksError
    assert caught.value.status_hint == status
    assert caught.value.body()["statusCode"] == status
    if isinstance(body, dict) and "code" in body:
        assert caught.value.body()["code"] == body["code"]


def test_a_setting_that_was_refused_is_known() -> None:
    """The error of a server says which setting it was, as one in this process does."""
    answer = httpx.Response(400, json={"message": "scoring_timeout_ms: 0 is not from 1 to 300000"})
    error = refusal("GET", "http://h/", answer)
    assert isinstance(error, InvalidSetting)
    assert (error.setting, error.expected) == ("scoring_timeout_ms", "from 1 to 300000")


@pytest.mark.parametrize("name", ["", ".", "..", None])
def test_names_that_are_no_segment_of_a_path(name: Any, azure: Any) -> None:
    """They stand for nothing, and nothing is sent."""
    backend = azure.connect()
    for verb in (backend.get_service, backend.delete_service, backend.get_model, backend.get_compute, backend.get_keys):
        with pytest.raises(NotFound):
            verb(name)
    with pytest.raises(InvalidSetting):
        backend.put_compute(name, {})
    assert not azure.requests


def test_names_are_escaped(azure: Any) -> None:
    """A name cannot lead to another address."""
    backend = azure.connect()
    azure.on("GET", f"{MM}/services/a%2F..%2Fb%3Fc", document(name="odd"))
    assert backend.get_service("a/../b?c") == {"name": "odd"}


def test_answers_that_are_not_as_they_should_be(azure: Any) -> None:
    """They are errors that name the call."""
    backend = azure.connect()
    azure.on("POST", f"{MM}/services", httpx.Response(202))
    with pytest.raises(AksError, match=r"POST .*/services: the answer 202 has no Operation-Location"):
        backend.create_service({})
    azure.on("GET", f"{MM}/services/s", httpx.Response(200, text="<html>"))
    with pytest.raises(AksError, match="no JSON"):
        backend.get_service("s")
    azure.on("GET", f"{MM}/services/s", httpx.Response(200, json=[]))
    with pytest.raises(AksError, match="no JSON object"):
        backend.get_service("s")
    azure.on("GET", f"{MM}/operations/0p", document())
    with pytest.raises(AksError, match="has no state"):
        backend.get_operation("0p")
    azure.on("POST", f"{MM}/services/s/listkeys", document(primaryKey="k"))
    with pytest.raises(AksError, match="no secondaryKey"):
        backend.get_keys("s")


@pytest.mark.parametrize(
    ("path", "delete"),
    [
        ("services/s", lambda b: b.delete_service("s")),
        ("models/m:1", lambda b: b.delete_model("m:1")),
        ("assets/a", lambda b: b.delete_asset("a")),
    ],
)
def test_what_is_not_there_cannot_be_deleted(azure: Any, path: str, delete: Any) -> None:
    """204 on the wire is NotFound here (promise `deleting_twice_is_not_found`)."""
    backend = azure.connect()
    azure.on("DELETE", f"{MM}/{path}", httpx.Response(204))
    with pytest.raises(NotFound, match=path.partition("/")[2]):
        delete(backend)


def test_deleting_at_once(azure: Any) -> None:
    """A server may delete at once, or not find the service."""
    backend = azure.connect()
    azure.on("DELETE", f"{MM}/services/s", httpx.Response(200))
    assert backend.get_operation(backend.delete_service("s")).state is OperationState.SUCCEEDED
    azure.on("DELETE", f"{MM}/services/s", httpx.Response(204))
    with pytest.raises(NotFound):
        backend.delete_service("s")


def test_what_json_cannot_carry_is_refused(azure: Any) -> None:
    """Before anything is sent."""
    backend = azure.connect()
    for payload in ({"cpu": float("nan")}, {"cpu": object()}):
        with pytest.raises(InvalidSetting):
            backend.create_service(payload)
    assert not azure.requests
