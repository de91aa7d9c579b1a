"""What is refused over HTTP: a clear 4xx in the service's words, and nothing is changed."""

import contextlib
import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from akstwin.fake_api.management.reading import LONGEST_BLOB, LONGEST_JSON

JSON = {"Content-Type": "application/json"}
BODIES = [
    ("PATCH", "/services/there"), ("POST", "/services"), ("POST", "/services/validate"),
    ("POST", "/services/validate/resource"), ("POST", "/services/migrate"), ("POST", "/services/there/regenerateKeys"),
    ("POST", "/assets"), ("POST", "/models"), ("PATCH", "/models/fraud:1"),
]  # fmt: skip


@pytest.fixture(scope="module")
def world(stocked: Any) -> Any:
    """A stocked server with a service and an endpoint."""
    if stocked.mm("GET", "/services/there").status_code == 404:
        stocked.deploy("there")
        version = stocked.service("blue", trafficPercentile=100)
        payload = {"name": "split", "computeType": "AKSENDPOINT", "computeName": "aks", "versions": {"blue": version}}
        made = stocked.mm("POST", "/services", json=payload)
        assert stocked.client.get(made.headers["Operation-Location"]).json()["state"] == "Succeeded"
    return stocked


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", JSON, 400),
        (b"", JSON, 400),
        (b"\xff\xfe", JSON, 400),
        (b'{"a": NaN}', JSON, 400),
        (b'{"a": 1e999}', JSON, 400),
        (b'{"a": ' + b"9" * 30 + b"}", JSON, 400),
        (b'{"a": ' + b"9" * 9999 + b"}", JSON, 400),
        (b'{"a": "\\ud800"}', JSON, 400),
        (b"[" * 100_000, JSON, 400),
        (b'{"a": ' * 101 + b"1" + b"}" * 101, JSON, 400),
        (b'{"a": ' * 900 + b"1" + b"}" * 900, JSON, 400),
        (b'{"a": 1' + b"0" * 1_000_000 + b"}", JSON, 400),
        (b'{"a": 1e1000000000}', JSON, 400),
        (b'"text"', JSON, 400),
        (b"null", JSON, 400),
        (b"[1]", JSON, 400),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"{}", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (b"{}", {}, 415),
    ],
)
def test_what_is_no_json_is_refused(world: Any, body: bytes, headers: dict[str, str], status: int) -> None:
    """On every route that takes a body."""
    before = world.state()
    for method, path in BODIES:
        answer = world.mm(method, path, content=body, headers=headers)
        assert answer.status_code == status, (method, path, answer.text)
        assert answer.json()["statusCode"] == status
        assert answer.json()["message"]
    assert world.state() == before


def test_a_body_is_bounded_while_it_is_read(world: Any) -> None:
    """Declared or not, the answer comes before the end of it, and the connection ends."""
    host, port = urlsplit(world.http).hostname, urlsplit(world.http).port
    blob = httpx.URL(world.upload_url("huge", "x")).raw_path.decode()
    services = httpx.URL(str(world.mm("GET", "/services").url)).raw_path.decode()
    token = world.client.headers["Authorization"]
    for method, path, limit in (("POST", services, LONGEST_JSON), ("PUT", blob, LONGEST_BLOB)):
        for framing in (f"Content-Length: {limit + 1}", "Transfer-Encoding: chunked"):
            with socket.create_connection((host, port), timeout=30) as connection:
                head = (
                    f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {token}\r\n{framing}\r\n"
                    "Content-Type: application/json\r\nx-ms-blob-type: BlockBlob\r\n\r\n"
                )
                connection.sendall(head.encode())
                if framing.endswith("chunked"):
                    part = b"100000\r\n" + b" " * 2**20 + b"\r\n"
                    with contextlib.suppress(ConnectionError):
                        for _ in range(limit // 2**20 + 1):
                            connection.sendall(part)
                answer = b""
                with contextlib.suppress(ConnectionResetError):  # it did not read to the end
                    while more := connection.recv(65536):
                        answer += more
                assert answer.startswith(b"HTTP/1.1 413 "), (method, framing)
    assert not world.server.first.workspace.backend.files.has("LocalUpload/huge")
    assert not list((world.server.first.workspace.backend.files.folder / ".partial").glob("*"))


def test_an_upload_that_ends_early_leaves_nothing(world: Any) -> None:
    """The client went away."""

    def broken() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise ConnectionError

    url = world.upload_url("broken", "x")
    with pytest.raises(ConnectionError):
        httpx.put(url, content=broken(), headers={"x-ms-blob-type": "BlockBlob"})
    assert httpx.get(url).status_code == 404
    partial = world.server.first.workspace.backend.files.folder / ".partial"
    for _ in range(100):
        if not list(partial.glob("*")):
            break
        httpx.get(url)
    assert not list(partial.glob("*"))


@pytest.mark.parametrize("token", [None, "Bearer", "Bearer x", "Basic dTpw", "Bearer a.b.c"])
def test_who_has_no_token_is_refused(world: Any, token: str | None) -> None:
    """Everywhere but where there can be none yet."""
    headers = {} if token is None else {"Authorization": token}
    identity = world.server.first.workspace.backend.identity.resource_id
    for path in (
        f"/modelmanagement/v1.0{identity}/services", f"/environment/v1.0{identity}/environments",
        f"/artifact/v2.0{identity}/artifacts/contentinfo/LocalUpload/a/b", f"{identity}/computes?api-version=2020-02-02",
        f"/rp/workspaces{identity}/computes?api-version=2020-02-02", f"{identity}?api-version=2022-05-01",
        "/subscriptions?api-version=2022-12-01",
    ):  # fmt: skip
        answer = httpx.get(f"{world.http}{path}", headers=headers)
        assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer"), path
    places = len(world.server.places)
    other = f"/modelmanagement/v1.0{identity}-other/services"
    assert httpx.get(f"{world.http}{other}", headers=headers).status_code == 401
    assert len(world.server.places) == places, "nothing is opened for whoever has no token"


@pytest.mark.parametrize(
    "version",
    [None, "", "latest", "2022-13-01", "2022-W18-7", "20220501", "1999-01-01", "2099-01-01", "2022-05-01-beta"],
)
def test_an_odd_api_version_is_refused(world: Any, version: str | None) -> None:
    """In ARM's words."""
    params = {} if version is None else {"api-version": version}
    identity = world.server.first.workspace.backend.identity.resource_id
    for path in (identity, "/subscriptions", f"{identity}/computes", f"/rp/workspaces{identity}/computes"):
        answer = world.client.get(path, params=params)
        assert answer.status_code == 400
        assert "api-version" in answer.json()["error"]["message"]


@pytest.mark.parametrize("name", ["a.b", "-a", "x" * 300, "ü", "%00", "a b"])
def test_an_odd_workspace_is_refused(world: Any, name: str) -> None:
    """No name that Azure would not give is opened."""
    identity = world.server.first.workspace.backend.identity.resource_id.removesuffix("akstwin")
    places = len(world.server.places)
    answer = world.client.get(f"/modelmanagement/v1.0{identity}{name}/services")
    assert answer.status_code == 400
    assert len(world.server.places) == places


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/services", "GET, POST"),
        ("PUT", "/services/there", "DELETE, GET, PATCH"),
        ("OPTIONS", "/models", "GET, POST"),
    ],
)
def test_a_method_that_is_not_served_is_told_all_that_are(world: Any, method: str, path: str, allowed: str) -> None:
    """The methods of a path may belong to several routes."""
    answer = world.mm(method, path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, allowed)
    assert f"only {allowed}" in answer.json()["message"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/packages", 400),
        ("POST", "/profiles", 400),
        ("GET", "/services/there/nothing", 400),
        ("PUT", "/services", 405),
        ("PATCH", "/operations/x", 405),
    ],
)
def test_a_route_that_is_not_served_is_named(world: Any, method: str, path: str, status: int) -> None:
    """400; 405 if it has other methods (design §7.5)."""
    answer = world.mm(method, path)
    assert answer.status_code == status
    assert f"{method} /modelmanagement/v1.0/" in answer.json()["message"]
    assert path in answer.json()["message"]
    assert "is not served by akstwin" in answer.json()["message"]
    assert world.client.get("/snapshots/v1").json()["error"]["code"] == "NotServed"


# -- whatever comes

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
KEYS = st.sampled_from(
    ["name", "computeType", "computeName", "versions", "environmentImageRequest", "keys", "kvTags", "properties", "assets",
     "modelIds", "url", "artifacts", "prefix", "type", "serviceName", "createRequest", "updateRequest", "autoScaler",
     "containerResourceRequirements", "cpu", "overwrite", "trafficPercentile", "op", "path", "value", "from", "keyType",
     "keyValue", "numReplicas", "livenessProbeRequirements", "periodSeconds", "environment", "agentCount", "datasets"]
)  # fmt: skip
WORDS = st.sampled_from(
    ["AKS", "AKSENDPOINT", "aks", "there", "split", "blue", "fraud:1", "aml://asset/x", "aml://artifact/LocalUpload/script/score.py",
     "Create", "Update", "Delete", "add", "replace", "remove", "move", "/versions/blue", "/kvTags", "/autoScaler/minReplicas",
     "/versions/green", "/numReplicas", "/containerResourceRequirements/cpu", "LocalUpload/model/weights.txt", "Primary"]
)  # fmt: skip
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
VALUES = st.recursive(
    LEAVES | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | TEXT, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(KEYS | TEXT, VALUES, max_size=8)
ROUTES = [
    *BODIES,
    ("PATCH", "/services/split"),
    ("POST", "/services/validate/name/there"),
    ("POST", "/services/split/regenerateKeys"),
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(route=st.sampled_from(ROUTES), body=OBJECTS | st.lists(OBJECTS, max_size=3))
def test_no_body_makes_a_5xx(world: Any, route: tuple[str, str], body: Any) -> None:
    """Nor does what is refused change anything."""
    before = world.state()
    answer = world.mm(*route, content=json.dumps(body), headers=JSON)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.json()["message"]
        assert world.state() == before


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(["/computes/other", "/computes/aks"]),
    body=OBJECTS | st.builds(lambda inner: {"properties": {"computeType": "AKS", "properties": inner}}, OBJECTS),
)
def test_no_compute_makes_a_5xx(world: Any, path: str, body: Any) -> None:
    """Nor does what is refused change anything."""
    before = world.state()
    answer = world.arm("PUT", path, content=json.dumps(body), headers=JSON)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert world.state() == before


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]),
    start=st.sampled_from(["mm", "artifact", "environment", "blob", "arm", "rp", ""]),
    rest=st.lists(
        TEXT | WORDS | st.sampled_from(["services", "models", "operations", "logs", "..", ".", "%2e%2e"]), max_size=5
    ),
    query=st.dictionaries(
        st.sampled_from(["tail", "init", "offset", "count", "tags", "sig", "comp", "$skipToken"]), TEXT, max_size=2
    ),
)
def test_no_path_makes_a_5xx(world: Any, method: str, start: str, rest: list[str], query: dict[str, str]) -> None:
    """Whatever is asked for."""
    identity = world.server.first.workspace.backend.identity.resource_id
    prefix = {
        "mm": f"/modelmanagement/v1.0{identity}", "artifact": f"/artifact/v2.0{identity}/artifacts",
        "environment": f"/environment/v1.0{identity}/environments", "blob": "/blob/LocalUpload", "arm": identity,
        "rp": f"/rp/workspaces{identity}", "": "",
    }[start]  # fmt: skip
    url = f"{world.http}{'/'.join((prefix, *(quote(part, safe='%') for part in rest)))}?{urlencode(query)}"
    answer = world.client.request(method, url)
    assert answer.status_code < 500, (method, url, answer.text)


@pytest.mark.parametrize(
    "given",
    [{"numReplicas": 10**9}, {"autoScaler": {"autoscaleEnabled": True, "minReplicas": 10**9, "maxReplicas": 10**10}}],
)
def test_replicas_that_no_cluster_could_hold(world: Any, given: dict[str, Any]) -> None:
    """In a creation, in a version, in patches of both: 400 with the limit; nothing is changed."""
    before = world.state()
    endpoint = {
        "name": "other", "computeType": "AKSENDPOINT", "computeName": "aks",
        "versions": {"blue": {**world.service("blue"), **given}},
    }  # fmt: skip
    patch = [{"op": "replace", "path": f"/{name}", "value": value} for name, value in given.items()]
    of_version = [{**each, "path": "/versions/blue" + each["path"]} for each in patch]
    answers = [
        world.mm("POST", "/services", json=world.service("huge", **given)),
        world.mm("POST", "/services", json=endpoint),
        world.mm("PATCH", "/services/there", json=patch),
        world.mm("PATCH", "/services/split", json=of_version),
        world.mm("PATCH", "/services/split", json=[{"op": "add", "path": "/versions/green", "value": given}]),
    ]
    assert [answer.status_code for answer in answers] == [400] * 5
    assert all("1000000000 is not at most 550000, the pods" in answer.text for answer in answers)
    assert world.state() == before


@pytest.mark.parametrize("levels", [101, 300, 900, 5000])
def test_what_could_not_be_answered_is_not_taken(world: Any, levels: int) -> None:
    """An environment that is nested so deeply: 400 naming the limit; lists and other services are answered as before."""
    before = world.state()
    text = json.dumps(world.service("deep")).replace('"tabular"', '{"a": ' * levels + "1" + "}" * levels)
    made = world.mm("POST", "/services", content=text.encode(), headers=JSON)
    assert (made.status_code, made.json()["message"]) == (
        400,
        "the body is nested too deeply: at most 100 levels are taken",
    )
    assert world.mm("GET", "/services/deep").status_code == 404
    assert world.state() == before
