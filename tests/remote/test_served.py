"""A workspace on a running server: which it is, its requests, and what only a simulated one can do."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Barrier, Thread
from typing import Any, ClassVar

import httpx
import pytest

from akstwin import AksCompute, AksWebservice, ComputeTarget, Environment, InferenceConfig, Model, Webservice, Workspace
from akstwin.backend import ScoreRequest, WorkspaceIdentity
from akstwin.clock import MILLISECOND, SECOND, Micros
from akstwin.errors import AksError, InvalidSetting, NotFound
from akstwin.remote import RemoteBackend
from akstwin.sim.backend import SimulatedBackend

WS = "/subscriptions/5ub/resourceGroups/group/providers/Microsoft.MachineLearningServices/workspaces/ws"
SCRIPT = """
import json

def init():
    pass

def run(data):
    asked = json.loads(data)
    if asked == "raise":
        raise ValueError("asked to")
    return asked
"""
QUICK = {"image_build": "10s", "image_pull": "5s", "cluster_create": "5s"}


def deploy(ws: Workspace, folder: Path, name: str = "svc", **given: Any) -> Webservice:
    """A service that gives back what it is asked."""
    (folder / "score.py").write_text(SCRIPT)
    if "aks" not in ws.compute_targets:
        ComputeTarget.create(ws, "aks", AksCompute.provisioning_configuration()).wait_for_completion()
    config = InferenceConfig("score.py", source_directory=str(folder), environment=Environment("env"))
    settings = AksWebservice.deploy_configuration(**{"num_replicas": 1, **given})
    service = Model.deploy(ws, name, [], config, settings, ComputeTarget(ws, "aks"))
    service.wait_for_deployment()
    return service


def asking(service: Webservice, body: Any, key: str | None = None) -> ScoreRequest:
    """A request with the service's key, or another."""
    headers = {"Authorization": f"Bearer {key or service.get_keys()[0]}", "Content-Type": "application/json"}
    return ScoreRequest(json.dumps(body).encode(), tuple(headers.items()))


@pytest.fixture
def ws(start: Callable[..., Any], tmp_path: Path) -> Workspace:
    """A workspace on a server whose clock jumps."""
    return Workspace.connect(start(assumptions=QUICK).url)


# -- which workspace


def test_the_servers_own_workspace(start: Callable[..., Any]) -> None:
    """Nothing has to be said but the address; time, its start and the limits are the server's."""
    server = start(assumptions={"image_pull": "7s"})
    ws = Workspace.connect(server.url)
    assert ws.backend.identity == WorkspaceIdentity()
    assert ws.backend.assumptions.image_pull == 7 * SECOND
    assert ws.backend.epoch == server.server.first.workspace.backend.epoch
    assert ws.clock.now() == 0
    ws.clock.sleep_until(Micros(-1))
    ws.clock.sleep_until(Micros(3 * SECOND))
    assert ws.clock.now() == 3 * SECOND


def test_a_workspace_of_another_name(start: Callable[..., Any]) -> None:
    """The server's first one may be called otherwise, anywhere in Azure."""
    identity = WorkspaceIdentity("mine", "1-2", "group", "northeurope", "3-4")
    assert Workspace.connect(start(identity=identity).url).backend.identity == identity


def test_a_further_workspace_has_an_address_of_its_own(start: Callable[..., Any], tmp_path: Path) -> None:
    """Time, requests and files of one are not the other's."""
    first = RemoteBackend(start(assumptions=QUICK).url)
    other = RemoteBackend(first.url, workspace_name="other")
    assert other.identity.name == "other"
    assert other.url != first.url
    deploy(Workspace(backend=other), tmp_path)
    assert other.clock.now() > 0
    assert first.clock.now() == 0
    service = Webservice(Workspace(backend=other), "svc")
    assert other.score("svc", asking(service, 1)).body == b"1"
    with pytest.raises(NotFound):
        first.get_service("svc")
    assert RemoteBackend(other.url).identity == other.identity


def test_over_tls(start: Callable[..., Any], tmp_path: Path) -> None:
    """With the server's authority; without it, the certificate is refused."""
    server = start()
    https = server.server.first.https
    with pytest.raises(AksError, match=r"GET https://127\.0\.0\.1.*CERTIFICATE_VERIFY_FAILED"):
        RemoteBackend(https)
    backend = RemoteBackend(https, ca=str(server.server.authority))
    (tmp_path / "f").write_text("f")
    assert backend.download(backend.upload("c", {"f": tmp_path / "f"}), tmp_path / "back") == [Path("f")]
    assert backend.url == https


def test_closing(start: Callable[..., Any]) -> None:
    """It ends connections, and nothing on the server."""
    backend = RemoteBackend(start().url)
    backend.put_compute("aks", {"properties": {"computeType": "AKS"}})
    backend.close()
    assert RemoteBackend(backend.url).get_compute("aks")["name"] == "aks"


# -- requests


def test_answers_are_complete(ws: Workspace, tmp_path: Path) -> None:
    """Version, reason and latency come from the server's journal."""
    service = deploy(ws, tmp_path)
    good = ws.backend.score("svc", asking(service, [1, 2]))
    assert (good.status, json.loads(good.body), good.version, good.reason) == (200, [1, 2], "svc", None)
    assert good.header("server") is not None
    failed = ws.backend.score("svc", asking(service, "raise"))
    assert (failed.status, failed.version, failed.reason) == (502, "svc", "run_failed")
    refused = ws.backend.score("svc", asking(service, 1, key="wrong"))
    assert (refused.status, refused.version, refused.reason) == (401, None, "unauthorized")
    nobody = ws.backend.score("nobody", asking(service, 1))
    assert (nobody.status, nobody.reason) == (404, "not_found")
    elsewhere = ws.backend.score("svc", ScoreRequest(path="/elsewhere"))
    assert (elsewhere.status, elsewhere.reason) == (404, None)
    given = asking(service, 1)
    named = ScoreRequest(given.body, (*given.headers, ("X-Request-Id", "mine")))
    assert ws.backend.score("svc", named).version == "svc"


def test_a_request_has_its_own_headers_and_an_id(
    ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client's own id is kept; one that has none gets one, unlike any other."""
    service = deploy(ws, tmp_path)
    backend = ws.backend
    assert isinstance(backend, RemoteBackend)
    seen = []
    send = backend._caller.send
    monkeypatch.setattr(
        backend._caller, "send", lambda request, **more: (seen.append(request), send(request, **more))[1]
    )
    request = asking(service, 1)
    for each in (request, request, ScoreRequest(request.body, (*request.headers, ("x-ms-client-request-id", "mine")))):
        backend.score("svc", each)
    sent = [each for each in seen if each.url.path.endswith("/score")]
    ids = [each.headers["x-ms-client-request-id"] for each in sent]
    assert ids[2] == "mine"
    assert len(set(ids)) == 3
    own = {"host", "authorization", "content-type", "content-length", "x-ms-client-request-id"}
    assert all(set(each.headers) == own for each in sent)


def test_callers_side_by_side(ws: Workspace, tmp_path: Path) -> None:
    """Each thread gets its own answer, with its own reason."""
    service = deploy(ws, tmp_path, max_request_wait_time=60_000)
    good, bad = asking(service, 1), asking(service, 1, key="wrong")
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda number: ws.backend.score("svc", bad if number % 2 else good), range(40)))
    assert [answer.reason for answer in answers] == [None, "unauthorized"] * 20


def test_load_is_sent_by_the_servers_clock(ws: Workspace, tmp_path: Path) -> None:
    """Each request at its time, answers in their order, virtual latencies."""
    service = deploy(ws, tmp_path)
    began = ws.clock.now()
    offsets = [0, SECOND, 100 * SECOND]
    answers = ws.backend.score_all("svc", [(Micros(at), asking(service, at)) for at in offsets])
    assert [json.loads(answer.body) for answer in answers] == offsets
    assert [answer.version for answer in answers] == ["svc"] * 3
    assert 100 * SECOND <= ws.clock.now() - began <= 101 * SECOND
    assert ws.backend.score_all("svc", []) == []
    with pytest.raises(InvalidSetting):
        ws.backend.score_all("svc", [(Micros(-1), asking(service, 1))])


class _Together(BaseHTTPRequestHandler):
    """Answers when three requests are there at once, with what it was sent."""

    together: ClassVar[Barrier]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.together.wait(20)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        """Says nothing."""


@pytest.fixture
def plain() -> Iterator[str]:
    """The address of a service that answers three requests together."""
    _Together.together = Barrier(3)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Together)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/score"
    server.shutdown()
    thread.join()
    server.server_close()


def test_load_on_another_server_is_sent_from_here(azure: Any, plain: str) -> None:
    """Nobody waits for another's answer; latencies are this machine's."""
    backend = azure.connect()
    document = httpx.Response(200, json={"scoringUri": plain})
    azure.on("GET", f"https://mm.example/modelmanagement/v1.0{WS}/services/s", document)
    requests = [(Micros(at * MILLISECOND), ScoreRequest(str(at).encode())) for at in (0, 30, 60)]
    answers = backend.score_all("s", requests)
    assert [answer.body for answer in answers] == [b"0", b"30", b"60"]
    assert answers[0].latency >= 50 * MILLISECOND
    assert {(answer.version, answer.reason) for answer in answers} == {(None, None)}
    document = httpx.Response(200, json={"scoringUri": "http://127.0.0.1:9/score"})
    azure.on("GET", f"https://mm.example/modelmanagement/v1.0{WS}/services/s", document)
    with pytest.raises(AksError, match=r"POST http://127\.0\.0\.1:9/score"):
        backend.score_all("s", requests)


# -- what only a simulated world can do


def test_the_simulation_of_a_served_workspace(ws: Workspace, tmp_path: Path) -> None:
    """Profiles, traffic, faults, going forward, looking: the same calls as in this process."""
    ws.simulation.profile("svc", service_time="10ms", reply={"fixed": 1})
    service = deploy(ws, tmp_path, num_replicas=2)
    assert service.run("{}") == {"fixed": 1}
    ws.simulation.profile("svc", reply=b'"bytes"')
    assert ws.backend.score("svc", asking(service, 1)).status == 200
    ws.simulation.traffic("svc", rate=20, lasts="5m")
    ws.simulation.fault("replica_kill", at="1m", count=2)
    began = ws.simulation.now
    ws.simulation.advance("10m")
    assert ws.simulation.now == pytest.approx(began + 600)
    (seen,) = ws.simulation.observe("svc").versions.values()
    assert 5500 < seen.requests < 6500
    assert 0 < seen.answers[503] < 200
    assert seen.replicas == {"Ready": 2}
    assert ws.simulation.observe("svc", "1m").versions["svc"].requests == 0
    assert ws.backend.observe("svc", Micros(60 * SECOND)).window == 60 * SECOND


def test_a_policy_on_a_served_workspace(ws: Workspace, tmp_path: Path) -> None:
    """It looks and acts every interval of virtual time."""

    class Look:
        interval = 60 * SECOND
        seen: ClassVar[list[tuple[float, int]]] = []

        def step(self, endpoint: Any, observation: Any) -> None:
            self.seen.append((ws.simulation.now, observation.window))

    service = deploy(ws, tmp_path)
    began = ws.simulation.now
    ws.simulation.run_policy(Look(), service, "150s")
    assert [round(at - began, 3) for at, _ in Look.seen] == [0, 60, 120]
    assert ws.simulation.now == pytest.approx(began + 150)


def test_mistakes_are_those_of_a_simulated_workspace(ws: Workspace) -> None:
    """The same errors, in the same words."""
    simulated = Workspace.simulated()
    for act in (
        lambda world: world.simulation.profile("svc", workers=0),
        lambda world: world.simulation.profile("svc", service_time="soon"),
        lambda world: world.simulation.traffic("nobody", rate=1),
        lambda world: world.simulation.fault("replica_kill"),
        lambda world: world.simulation.advance("soon"),
        lambda world: world.backend.get_service("nobody"),
        lambda world: world.backend.get_keys("nobody"),
        lambda world: world.backend.create_service({"name": "svc"}),
        lambda world: world.backend.put_compute("x", {}),
        lambda world: world.backend.get_operation("nobody"),
        lambda world: world.backend.get_model("m:1"),
        lambda world: world.backend.delete_model("m:1"),
    ):
        with pytest.raises(AksError) as here:
            act(simulated)
        with pytest.raises(AksError) as there:
            act(ws)
        assert (type(there.value), str(there.value)) == (type(here.value), str(here.value)), act
    with pytest.raises(NotFound):
        ws.simulation.observe("nobody", "1m")
    with pytest.raises(InvalidSetting, match="longer than 0"):
        ws.simulation.observe("nobody", 0)
    with pytest.raises(InvalidSetting, match="a function cannot be sent"):
        ws.simulation.profile("svc", reply=lambda body: body)


def test_what_the_server_lacks_is_refused_by_name(ws: Workspace) -> None:
    """With the route that it would take."""
    backend = ws.backend
    assert isinstance(backend, RemoteBackend)
    with pytest.raises(AksError, match=r"^simulation\.x: the server at .* does not offer it: no POST /_akstwin/x"):
        backend._control.offered("simulation.x", "POST", "x", {})
    with pytest.raises(AksError, match="does not offer it"):
        backend._control.offered("simulation.y", "DELETE", "assumptions")


# -- validation


def test_validation_refuses_what_the_verb_would_and_changes_nothing(start: Callable[..., Any], tmp_path: Path) -> None:
    """With the same errors as the world behind the server raises in its own process."""
    ws = Workspace.connect(start(assumptions=QUICK).url)
    deploy(ws, tmp_path)
    own = Workspace.simulated(assumptions=QUICK)
    deploy(own, tmp_path)
    payload = {"name": "svc", "computeType": "AKS", "computeName": "aks"}
    bad = [{"op": "replace", "path": "/numReplicas", "value": -1}]
    calls: list[tuple[str, tuple[Any, ...]]] = [
        ("validate_name", ("svc",)),
        ("validate_name", ("A",)),
        ("validate_create", (payload,)),
        ("validate_create", ({**payload, "name": "other", "computeName": "nowhere"},)),
        ("validate_patch", ("svc", bad)),
        ("validate_patch", ("nobody", [])),
        ("validate_delete", ("nobody",)),
    ]
    before = ws.backend.get_service("svc")
    for verb, given in calls:
        refused = []
        for backend in (ws.backend, own.backend):
            with pytest.raises(AksError) as error:
                getattr(backend, verb)(*given)
            refused.append((type(error.value), str(error.value)))
        assert refused[0] == refused[1], verb
    for backend in (ws.backend, own.backend):
        assert isinstance(backend, RemoteBackend | SimulatedBackend)
        backend.validate_name("free")
        backend.validate_create({**payload, "overwrite": True})
        backend.validate_patch("svc", [{"op": "replace", "path": "/description", "value": "new"}])
        backend.validate_delete("svc")
    assert ws.backend.get_service("svc") == before
