"""`ws.simulation` in this process and of a server: the same calls give the same answers and the same errors."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from akstwin import AksCompute, AksWebservice, ComputeTarget, Environment, InferenceConfig, Model, Workspace
from akstwin.backend import ScoreRequest
from akstwin.clock import SECOND, Micros
from akstwin.errors import AksError, InvalidSetting, NotFound

QUICK = {"image_build": "10s", "image_pull": "5s", "cluster_create": "5s"}
SCRIPT = "def init():\n    pass\n\n\ndef run(data):\n    return 'the script'\n"


@pytest.fixture(params=["in process", "remote"])
def ws(request: pytest.FixtureRequest, start: Callable[..., Any]) -> Iterator[Workspace]:
    """A workspace of seed 7, here and on a server whose clock stands still but for who waits."""
    if request.param == "remote":
        yield Workspace.connect(start(assumptions=QUICK, seed=7).url)
    else:
        yield Workspace.simulated(seed=7, assumptions=QUICK)


def deploy(ws: Workspace, folder: Path, name: str = "svc", **given: Any) -> AksWebservice:
    """A service without keys whose script says so; it is up, and the router knows."""
    (folder / "score.py").write_text(SCRIPT)
    if "aks" not in ws.compute_targets:
        ComputeTarget.create(ws, "aks", AksCompute.provisioning_configuration()).wait_for_completion()
    config = InferenceConfig("score.py", source_directory=str(folder), environment=Environment("env"))
    settings = {"num_replicas": 1, "auth_enabled": False, "initial_delay_seconds": 100_000_000, **given}
    service = Model.deploy(
        ws, name, [], config, AksWebservice.deploy_configuration(**settings), ComputeTarget(ws, "aks")
    )
    service.wait_for_deployment()
    ws.simulation.advance("2s")
    assert isinstance(service, AksWebservice)
    return service


def ask(ws: Workspace, body: bytes = b"{}", **headers: str) -> tuple[int, bytes]:
    """Status and body of one answer."""
    named = {"Content-Type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    answer = ws.backend.score("svc", ScoreRequest(body, tuple(named.items())))
    return answer.status, answer.body


class TestTraffic:
    """Handles and the list."""

    def test_it_is_followed_and_stopped(self, ws: Workspace, tmp_path: Path) -> None:
        """How much was sent; nothing more after its end, while the other goes on."""
        deploy(ws, tmp_path, num_replicas=4)
        first = ws.simulation.traffic("svc", shape="constant", rate=10)
        second = ws.simulation.traffic("svc", shape="constant", rate=5)
        assert repr(first) == "<Traffic t1 on svc>"
        assert (first.id, first.service, first.shape, first.rate) == ("t1", "svc", "constant", 10)
        ws.simulation.advance("10s")
        assert (first.sent, second.sent, first.retries) == (100, 50, 0)
        first.stop()
        first.stop()
        ws.simulation.advance("10s")
        assert [(each.id, each.sent, each.running) for each in ws.simulation.traffic_entries] == [
            ("t1", 100, False),
            ("t2", 100, True),
        ]
        assert (first.running, second.running) == (False, True)

    def test_ends_of_its_own(self, ws: Workspace, tmp_path: Path) -> None:
        """After `lasts`, after the last instant of a trace, with its service."""
        service = deploy(ws, tmp_path)
        short = ws.simulation.traffic("svc", shape="constant", rate=1, lasts="3500ms")
        trace = ws.simulation.traffic("svc", shape="trace", instants=[0.5, 1, 2])
        steps = ws.simulation.traffic("svc", shape="steps", rate=[1, 2], at=["0s", "1h"])
        assert trace.running
        ws.simulation.advance("10s")
        assert (short.sent, short.running) == (3, False)
        assert (trace.sent, trace.running, trace.rate) == (3, False, None)
        assert (steps.running, steps.rate) == (True, [1, 2])
        service.delete()
        ws.simulation.advance("1m")
        assert not steps.running

    def test_retries_are_counted(self, ws: Workspace, tmp_path: Path) -> None:
        """What was sent again is among what was sent."""
        deploy(ws, tmp_path, max_request_wait_time=1)
        ws.simulation.profile("svc", service_time="900ms")
        again = {"statuses": [503], "attempts": 3, "backoff": "1s", "factor": 1}
        clients = ws.simulation.traffic("svc", shape="trace", instants=[0.1, 0.2], retry=again)
        ws.simulation.advance("20s")
        assert clients.retries >= 1
        assert clients.sent == 2 + clients.retries

    def test_users_who_wait(self, ws: Workspace, tmp_path: Path) -> None:
        """They ask again a think time after their answer, and are followed and stopped like all traffic."""
        deploy(ws, tmp_path)
        ws.simulation.profile("svc", service_time="50ms")
        clients = ws.simulation.traffic("svc", shape="users", users=2, think_time="947ms", spawn_rate=2)
        assert (clients.shape, clients.rate, clients.users, clients.running) == ("users", None, 2, True)
        ws.simulation.advance("10200ms")
        assert (clients.sent, clients.retries) == (21, 0)
        clients.stop()
        ws.simulation.advance("10s")
        assert (clients.sent, clients.running) == (21, False)
        thinking = {"distribution": "exponential", "mean": "1s"}
        assert ws.simulation.traffic("svc", shape="users", users=3, think_time=thinking).users == 3
        with pytest.raises(AksError, match=r"traffic\.think_time: 0 is not at least 1ms on average"):
            ws.simulation.traffic("svc", shape="users", users=3, think_time=0)

    def test_memory_is_told(self, ws: Workspace, tmp_path: Path) -> None:
        """A container that takes more than its limit is killed, and the events name the cause."""
        deploy(ws, tmp_path)
        ws.simulation.profile("svc", memory={"base": "100MB", "per_request": "500MB"})
        clients = ws.simulation.traffic("svc", shape="trace", instants=[0.5])
        ws.simulation.advance("2s")
        assert clients.sent == 1
        assert ws.simulation.observe("svc").versions["svc"].answers == {502: 1}
        ((pod, detail),) = [each[2:] for each in ws.simulation.events if each[1] == "oom_killed"]
        assert pod.startswith("svc-")
        assert detail.startswith("OOMKilled, exit code 137: it takes 100 MB and 500 MB for each request")
        with pytest.raises(AksError, match=r"profile\.memory\.base: 2 is not a size with its unit: 2 MB or 2 GB"):
            ws.simulation.profile("svc", memory={"base": 2})


class TestClusters:
    """Nodes that are described before the cluster is there."""

    def test_described(self, ws: Workspace, tmp_path: Path) -> None:
        """Replicas that do not fit show how small it is."""
        ws.simulation.cluster("small", nodes=1, vm_size={"cpu_cores": 2.0, "memory_gb": 7.0})
        settings = AksCompute.provisioning_configuration(cluster_purpose="DevTest", agent_count=1)
        ComputeTarget.create(ws, "small", settings).wait_for_completion()
        (tmp_path / "score.py").write_text(SCRIPT)
        config = InferenceConfig("score.py", source_directory=str(tmp_path), environment=Environment("env"))
        wide = AksWebservice.deploy_configuration(num_replicas=1, cpu_cores=1.5)
        service = Model.deploy(ws, "wide", [], config, wide, ComputeTarget(ws, "small"))
        ws.simulation.advance("10m")
        service.update_deployment_state()
        assert service.state == "Unschedulable"

    def test_refusals(self, ws: Workspace) -> None:
        """What cannot be, and what is there already."""
        ComputeTarget.create(ws, "aks", AksCompute.provisioning_configuration()).wait_for_completion()
        for given, told in (
            ({"name": "aks"}, "cluster.name: 'aks' is not the name of a compute target to come: it is there already"),
            ({"name": "x", "nodes": 0}, "cluster.nodes: 0 is not at least 1"),
            ({"name": "x", "nodes": "three"}, "cluster.nodes: 'three' is not a whole number"),
            ({"name": "x", "nodes": 5, "max_nodes": 2}, "cluster.max_nodes: 2 is not at least cluster.nodes, 5"),
        ):
            with pytest.raises(AksError) as error:
                ws.simulation.cluster(**given)
            assert str(error.value) == told


class TestClusterViews:
    """Nodes and pods as they are now."""

    def test_nodes_have_what_pods_request(self, ws: Workspace, tmp_path: Path) -> None:
        """Of the nodes' room; the names of sizes are Azure's."""
        deploy(ws, tmp_path, num_replicas=2, cpu_cores=1, memory_gb=2)
        nodes = ws.simulation.nodes()
        assert [(each["cluster"], each["node"], each["state"]) for each in nodes] == [
            ("aks", number, "Ready") for number in (1, 2, 3)
        ]
        assert {each["vm_size"] for each in nodes} == {"Standard_D3_v2"}
        assert sum(each["pods"] for each in nodes) == 2
        busy = max(nodes, key=lambda each: each["cpu_requested"])
        assert busy["cpu_requested"] >= 1
        assert busy["memory_gb_requested"] >= 2
        assert ws.simulation.nodes("aks") == nodes

    def test_pods_live_in_the_namespace_of_their_service(self, ws: Workspace, tmp_path: Path) -> None:
        """Else in the workspace's; another namespace replaces the pods, one by one."""
        service = deploy(ws, tmp_path, num_replicas=2)
        deploy(ws, tmp_path, "own", namespace="risk-team")
        rows = ws.simulation.pods()
        assert [(each["service"], each["namespace"], each["pod"]) for each in rows] == [
            ("svc", "azureml-akstwin", "svc-1"), ("svc", "azureml-akstwin", "svc-2"), ("own", "risk-team", "own-3"),
        ]  # fmt: skip
        assert {(each["state"], each["routed"], each["restarts"]) for each in rows} == {("Ready", True, 0)}
        assert ws.simulation.pods(namespace="risk-team") == ws.simulation.pods("own") == rows[2:]
        assert ws.simulation.pods("svc", cluster="aks") == rows[:2]
        assert ws.simulation.pods(namespace="nobody") == []

        service.update(namespace="other")
        service.wait_for_deployment()
        ws.simulation.advance("2m")

        assert [each["namespace"] for each in ws.simulation.pods("svc")] == ["other", "other"]
        places = [line.split()[1] for line in service.get_logs(init=True).splitlines()]
        assert places[0] == "azureml-akstwin/svc-1"
        assert {"other/svc-4", "other/svc-5"} <= set(places)

    def test_a_lost_node(self, ws: Workspace, tmp_path: Path) -> None:
        """It is not ready once Kubernetes has noticed; its pod has been replaced elsewhere."""
        deploy(ws, tmp_path)
        (before,) = ws.simulation.pods()
        ws.simulation.fault("node_loss", node=before["node"])
        ws.simulation.advance("10m")
        states = {each["node"]: each["state"] for each in ws.simulation.nodes()}
        assert states[before["node"]] == "NotReady"
        (after,) = [each for each in ws.simulation.pods() if each["state"] == "Ready"]
        assert after["node"] != before["node"]

    def test_no_such_cluster(self, ws: Workspace) -> None:
        """Named in the error."""
        for look in (ws.simulation.nodes, lambda cluster: ws.simulation.pods(cluster=cluster)):
            with pytest.raises(NotFound, match="compute target nowhere is not there"):
                look("nowhere")


class TestHistory:
    """What has happened."""

    def test_events(self, ws: Workspace, tmp_path: Path) -> None:
        """All of them, some of them, the latest; in their order."""
        deploy(ws, tmp_path, num_replicas=2)
        events = ws.simulation.events
        assert events == sorted(events, key=lambda event: event[0])
        assert ws.simulation.history() == events
        ready = ws.simulation.history(kind="pod_ready")
        assert len(ready) == 2
        assert ready == [event for event in events if event[1] == "pod_ready"]
        (mine,) = ws.simulation.history(kind="pod_ready", subject=ready[1][2])
        assert mine == ready[1]
        assert ws.simulation.history(limit=3) == events[-3:]
        late = ready[0][0]
        assert ws.simulation.history(since=late) == [event for event in events if event[0] >= late]
        assert ws.simulation.history(kind="nothing") == []

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ({"since": "soon"}, "since: 'soon' is not a duration"),
            ({"limit": 0}, "limit: 0 is not a whole number, 1 or more"),
            ({"limit": "all"}, "limit: 'all' is not a whole number"),
        ],
    )
    def test_refusals(self, ws: Workspace, given: dict[str, Any], told: str) -> None:
        """By name."""
        with pytest.raises(InvalidSetting) as error:
            ws.simulation.history(**given)
        assert str(error.value).startswith(told)


class TestReplies:
    """What answers instead of the script, and the script again."""

    def test_each_kind(self, ws: Workspace, tmp_path: Path) -> None:
        """Echo, fixed, rules, the script."""
        deploy(ws, tmp_path)
        assert ask(ws) == (200, b'"the script"')
        ws.simulation.profile("svc", reply={"$echo": True})
        assert ask(ws, b'{"a": 1}') == (200, b'{"a": 1}')
        ws.simulation.profile("svc", reply={"$fixed": {"status": 422, "body": {"no": 1}}})
        assert ask(ws) == (422, b'{"no": 1}')
        rules = [
            {"match": {"body": {"country": "DE"}}, "reply": {"answer": "de"}},
            {"match": {"headers": {"x-tenant": "a"}}, "reply": b"\x00bytes"},
        ]
        ws.simulation.profile("svc", reply={"$match": rules})
        assert ask(ws, b'{"country": "DE", "x": 1}') == (200, b'{"answer": "de"}')
        assert ask(ws, x_tenant="a") == (200, b"\x00bytes")
        status, body = ask(ws)
        assert (status, "No rule" in json.loads(body)["message"]) == (502, True)
        ws.simulation.profile("svc", reply={"$match": rules, "$otherwise": b"rest"})
        assert ask(ws) == (200, b"rest")
        ws.simulation.profile("svc", service_time="70ms", reply={"$script": True})
        assert ask(ws) == (200, b'"the script"')

    def test_headers_are_those_of_a_replica(self, ws: Workspace, tmp_path: Path) -> None:
        """With the request's ids, and its own."""
        deploy(ws, tmp_path)
        ws.simulation.profile("svc", reply={"$fixed": {"headers": {"X-Model": "7"}, "text": "x"}})
        answer = ws.backend.score("svc", ScoreRequest(b"{}", (("x-ms-client-request-id", "mine"),)))
        assert answer.header("x-model") == "7"
        assert answer.header("server") == "gunicorn"
        assert answer.header("x-ms-request-id") == answer.header("x-ms-client-request-id") == "mine"
        assert answer.header("x-ms-run-function-failed") == "False"

    def test_shares_are_the_same_here_and_there(self, ws: Workspace, tmp_path: Path) -> None:
        """By the workspace's seed, the service and the client's name of the request."""
        deploy(ws, tmp_path)
        ws.simulation.profile("svc", reply={"$match": [{"match": {"share": 0.5}, "reply": 1}], "$otherwise": 0})
        found = "".join(ask(ws, x_ms_client_request_id=f"r{at}")[1].decode() for at in range(24))
        assert found == "000010010111011010101010"


def test_time_and_looking(ws: Workspace, tmp_path: Path) -> None:
    """Going forward, and what was seen since."""
    deploy(ws, tmp_path)
    before = ws.simulation.now
    ws.simulation.fault("replica_kill", at="1s", service="svc")
    ws.simulation.advance("1500ms")
    assert ws.simulation.now == before + 1.5
    assert ws.simulation.observe("svc").window == 1_500_000
    assert ws.simulation.observe("svc").versions["svc"].replicas.get("Ready", 0) == 0

    class Slower:
        interval = 30 * SECOND
        looks = 0

        def step(self, endpoint: Any, observation: Any) -> None:
            self.looks += 1

    policy = Slower()
    ws.simulation.run_policy(policy, AksWebservice(ws, "svc"), "2m")
    assert (policy.looks, ws.simulation.now) == (5, before + 121.5)


MISTAKES: list[tuple[str, dict[str, Any]]] = [
    ("profile", {"service": "svc", "workers": "two"}),
    ("profile", {"service": "svc", "workers": 0}),
    ("profile", {"service": "svc", "cpu": "much"}),
    ("profile", {"service": "svc", "failure_rate": 2}),
    ("profile", {"service": "svc", "service_time": {"distribution": "nomal", "mean": "1s"}}),
    ("profile", {"service": "svc", "reply": {"$ech": True}}),
    ("profile", {"service": "svc", "reply": {"$match": [{"match": {"boddy": 1}, "reply": 1}]}}),
    ("profile", {"service": "svc", "reply": {"$fixed": {"status": "x"}}}),
    ("traffic", {"service": "nobody", "rate": 1}),
    ("traffic", {"service": "svc", "shape": "poison", "rate": 1}),
    ("traffic", {"service": "svc", "shape": 5, "rate": 1}),
    ("traffic", {"service": "svc", "shape": "users", "users": 1}),
    ("traffic", {"service": "svc", "shape": "users", "users": 1.5, "think_time": "1s"}),
    ("traffic", {"service": "svc", "rate": "fast"}),
    ("traffic", {"service": "svc"}),
    ("traffic", {"service": "svc", "rate": 1, "lasts": "long"}),
    ("traffic", {"service": "svc", "rate": 1, "instants": [1.0]}),
    ("traffic", {"service": "svc", "shape": "trace", "instants": "now"}),
    ("traffic", {"service": "svc", "shape": "trace", "instants": [2.0, 1.0]}),
    ("traffic", {"service": "svc", "rate": 1, "retry": "often"}),
    ("fault", {"kind": "replica_kill", "service": "nobody"}),
    ("fault", {"kind": "replica_kill", "at": "soon"}),
    ("fault", {"kind": "replica_kill", "count": 0}),
    ("fault", {"kind": "replica_kill", "version": "none"}),
    ("fault", {"kind": "node_loss"}),
    ("fault", {"kind": "node_loss", "node": 99}),
    ("fault", {"kind": "slow_replica", "factor": -1}),
    ("fault", {"kind": "init_failure", "nodes": 1}),
    ("advance", {"span": "soon"}),
    ("observe", {"service": "nobody"}),
    ("observe", {"service": "svc", "window": 0}),
    ("observe", {"service": "svc", "window": "soon"}),
]


def test_mistakes_are_told_alike(start: Callable[..., Any], tmp_path: Path) -> None:
    """The same kind of error, in the same words."""
    here, there = Workspace.simulated(assumptions=QUICK), Workspace.connect(start(assumptions=QUICK).url)
    for ws in (here, there):
        deploy(ws, tmp_path)
        ws.simulation.advance("1m")
    different = []
    for verb, given in MISTAKES:
        said = []
        for ws in (here, there):
            with pytest.raises(AksError) as error:
                getattr(ws.simulation, verb)(**given)
            said.append((type(error.value), str(error.value)))
        if said[0] != said[1]:
            different.append((verb, given, *said))
    assert not different


def test_functions_stay_here(start: Callable[..., Any]) -> None:
    """They are refused by their place."""
    ws = Workspace.connect(start().url)
    for reply, place in (
        (len, "reply"),
        ({"$match": [{"match": {}, "reply": 1}, {"match": {}, "reply": len}]}, "reply.$match[1].reply"),
        ({"$match": [], "$otherwise": len}, "reply.$otherwise"),
    ):
        with pytest.raises(InvalidSetting, match="a function cannot be sent") as error:
            ws.simulation.profile("svc", reply=reply)
        assert error.value.setting == place


def test_functions_answer_in_this_process(tmp_path: Path) -> None:
    """For some requests, or for all."""
    ws = Workspace.simulated(assumptions=QUICK)
    deploy(ws, tmp_path)
    match = {"$match": [{"match": {"query": {}, "text": "1"}, "reply": lambda body: {"read": json.loads(body)}}]}
    ws.simulation.profile("svc", reply=match)
    assert ask(ws, b"[1]") == (200, b'{"read": [1]}')
    assert ask(ws, b"[2]")[0] == 502


def test_traffic_does_not_outlive_its_world(start: Callable[..., Any], tmp_path: Path) -> None:
    """After a reset nobody knows of it."""
    server = start(assumptions=QUICK)
    ws = Workspace.connect(server.url)
    deploy(ws, tmp_path)
    clients = ws.simulation.traffic("svc", rate=1)
    ws.backend._control.call("reset", "POST", "reset")  # type: ignore[attr-defined]
    assert ws.simulation.traffic_entries == []
    assert ws.simulation.events == []
    for act in (clients.stop, lambda: clients.sent):
        with pytest.raises(NotFound, match="traffic t1 on svc is not there"):
            act()
    assert ws.clock.now() == Micros(0)
