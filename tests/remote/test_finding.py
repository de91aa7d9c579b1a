"""Finding a workspace on a server that is not one of ours, what goes where, and what such a server lacks."""

import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest

from akstwin import Workspace
from akstwin.backend import ScoreRequest
from akstwin.clock import Micros
from akstwin.errors import AksError, Conflict, InvalidSetting, NotFound, UnreadableFile
from akstwin.remote import RemoteBackend

WS = "/subscriptions/5ub/resourceGroups/group/providers/Microsoft.MachineLearningServices/workspaces/ws"
ARM = "https://arm.example"
MM = f"https://mm.example/modelmanagement/v1.0{WS}"


def test_a_workspace_is_found(azure: Any) -> None:
    """Through the resource manager and the service discovery; who it is comes from both, and from what was given."""
    backend = RemoteBackend(
        f"{ARM}/",
        subscription_id="5ub",
        resource_group="group",
        workspace_name="ws",
        token=lambda: "t",
        transport=azure,
    )
    assert [str(request.url) for request in azure.requests] == [
        f"{ARM}/_akstwin/health", f"{ARM}{WS}?api-version=2022-05-01", f"{ARM}/where?v=1",
    ]  # fmt: skip
    assert [request.headers.get("authorization") for request in azure.requests] == [None, "Bearer t", None]
    identity = backend.identity
    assert (identity.name, identity.location, identity.workspace_id) == ("ws", "mars", "1d")
    assert identity.resource_id == WS
    assert Workspace(backend=backend).name == "ws"
    assert repr(backend) == "RemoteBackend('https://arm.example', workspace_name='ws')"


def test_a_workspace_that_is_not_there(azure: Any) -> None:
    """The resource manager's own words."""
    azure.on("GET", f"{ARM}{WS}", httpx.Response(404, json={"error": {"code": "x", "message": "no such workspace"}}))
    with pytest.raises(NotFound, match="no such workspace"):
        azure.connect()


@pytest.mark.parametrize(
    ("path", "answer", "why"),
    [
        (WS, {}, "discoveryUrl"),
        (WS, [], "discoveryUrl"),
        (WS, {"properties": {"discoveryUrl": 7}}, "discoveryUrl"),
        ("/where", {"api": "https://a", "history": "https://b"}, "does not name experimentation, modelmanagement"),
        ("/where", [], "does not name"),
    ],
)
def test_a_server_that_does_not_say_where(path: str, answer: Any, why: str, azure: Any) -> None:
    """What is missing is named."""
    azure.on("GET", f"{ARM}{path}", httpx.Response(200, json=answer))
    with pytest.raises(AksError, match=why):
        azure.connect()


def test_the_token_goes_to_the_servers_own_parts_alone(azure: Any) -> None:
    """An operation, or the next page of a list, elsewhere is asked for without it."""
    asked = []

    def token() -> str:
        asked.append(1)
        return f"t{len(asked)}"

    backend = azure.connect(token=token)
    azure.on("GET", f"{MM}/operations/1", httpx.Response(200, json={"state": "Running"}))
    azure.on("GET", "https://elsewhere.example/1", httpx.Response(200, json={"status": "Succeeded"}))
    backend.get_operation("1")
    assert azure.last.headers["authorization"] == "Bearer t2"
    backend.get_operation("https://elsewhere.example/1")
    assert "authorization" not in azure.last.headers


def test_what_another_server_lacks_is_refused_by_name(azure: Any) -> None:
    """Time, limits, observation, simulation."""
    backend = azure.connect()
    workspace = Workspace(backend=backend)
    for name, look in {
        "clock": lambda: backend.clock,
        "epoch": lambda: backend.epoch,
        "assumptions": lambda: backend.assumptions,
        "observe": lambda: backend.observe("s", Micros(1)),
        "simulation": lambda: workspace.simulation,
    }.items():
        with pytest.raises(AksError, match=f"^{name}: the server at {ARM} has no /_akstwin"):
            look()


def test_secrets_are_in_no_error_and_in_no_repr(azure: Any) -> None:
    """The token, keys, and what signs the addresses of files."""
    backend = azure.connect()
    azure.on("GET", f"{MM}/services/s", httpx.ConnectError("refused"))
    errors = []
    for verb in (
        lambda: backend.get_service("s"),
        lambda: backend.get_service("t"),
        lambda: RemoteBackend("http://user:hidden@h"),
        lambda: RemoteBackend("http://h?sig=hidden"),
        lambda: backend.regenerate_key("s", "Primary", "hidden"),
    ):
        with pytest.raises(AksError) as caught:
            verb()
        errors.append(f"{caught.value} {caught.value!r} {caught.value.body()}")
    shown = "\n".join([*errors, repr(backend), repr(vars(backend))])
    for secret in ("the.secret.token", "hidden", "sig="):
        assert secret not in shown


def test_a_url_that_is_none() -> None:
    """Named as the mistake it is."""
    for url in ("", "ftp://h", "127.0.0.1:8899", "http://", "http://h:port", "http://h:0", 7):
        with pytest.raises(InvalidSetting, match="url"):
            RemoteBackend(url)  # type: ignore[arg-type]


def test_nobody_is_there(tmp_path: Path) -> None:
    """The address is named; so is a file of authorities that is none."""
    with pytest.raises(AksError, match=r"GET http://127\.0\.0\.1:9/_akstwin/health: .*refused"):
        Workspace.connect("http://127.0.0.1:9")
    with pytest.raises(UnreadableFile):
        RemoteBackend("https://127.0.0.1:9", ca=str(tmp_path / "none.pem"))
    (tmp_path / "bad.pem").write_text("no certificate")
    with pytest.raises(UnreadableFile):
        RemoteBackend("https://127.0.0.1:9", ca=str(tmp_path / "bad.pem"))
    assert issubclass(ssl.SSLError, OSError)


@pytest.mark.parametrize(
    "error", [httpx.ReadError("broke"), httpx.RemoteProtocolError("broke"), httpx.ReadTimeout("slow")]
)
def test_only_what_changes_nothing_is_sent_twice(error: Exception, azure: Any) -> None:
    """A GET whose connection broke is sent once more, a POST is not; waiting too long is no such thing."""
    backend = azure.connect()
    answer = httpx.Response(200, json={"name": "s", "primaryKey": "a", "secondaryKey": "b"})
    azure.on("GET", f"{MM}/services/s", error, answer)
    azure.on("POST", f"{MM}/services/s/listkeys", error, answer)
    if isinstance(error, httpx.ReadTimeout):
        with pytest.raises(AksError, match=f"GET {MM}/services/s: no answer in time"):
            backend.get_service("s")
    else:
        assert backend.get_service("s")["name"] == "s"
    azure.requests.clear()
    with pytest.raises(AksError, match=f"POST {MM}/services/s/listkeys"):
        backend.get_keys("s")
    assert len(azure.requests) == 1


def test_a_request_to_a_service_is_sent_as_it_is(azure: Any) -> None:
    """To the address that its document names, with its own headers and no others; the answer comes as it is."""
    backend = azure.connect()
    azure.on(
        "GET", f"{MM}/services/s", httpx.Response(200, json={"scoringUri": "http://10.0.0.1:80/api/v1/service/s/score"})
    )
    swagger = "http://10.0.0.1/api/v1/service/s/swagger.json"
    azure.on(
        "PUT",
        swagger,
        httpx.Response(503, headers=[(b"x-a", b"1"), (b"x-a", b"\xe9")], stream=httpx.ByteStream(b"\x1f\x8b no")),
    )
    request = ScoreRequest(b"\0body", (("X-One", "é"), ("x-one", "2")), "PUT", "/swagger.json", "a=1&b")
    answer = backend.score("s", request)
    sent = azure.last
    assert (sent.method, sent.url.query, sent.content) == ("PUT", b"a=1&b", b"\0body")
    assert [(k.lower(), v) for k, v in sent.headers.raw] == [
        (b"host", b"10.0.0.1"), (b"x-one", "é".encode("latin-1")), (b"x-one", b"2"), (b"content-length", b"5"),
    ]  # fmt: skip
    assert (answer.status, answer.body, answer.version, answer.reason) == (503, b"\x1f\x8b no", None, None)
    assert [value for name, value in answer.headers if name == "x-a"] == ["1", "é"]
    assert answer.latency >= 0


def test_a_service_without_an_address(azure: Any) -> None:
    """It cannot be asked yet; one that is not there is not found."""
    backend = azure.connect()
    azure.on("GET", f"{MM}/services/s", httpx.Response(200, json={"scoringUri": None}))
    with pytest.raises(Conflict, match="no scoringUri"):
        backend.score("s", ScoreRequest())
    azure.on("GET", f"{MM}/services/s", httpx.Response(404, json={"message": "service s is not there"}))
    with pytest.raises(NotFound):
        backend.score("s", ScoreRequest())
    with pytest.raises(InvalidSetting, match="never go back"):
        backend.score_all("s", [(Micros(1), ScoreRequest()), (Micros(0), ScoreRequest())])
