"""`akstwin serve --scenario`: the scenario's world, over HTTP."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from akstwin import Webservice, Workspace
from akstwin.backend import WorkspaceIdentity
from akstwin.errors import AksError
from akstwin.fake_api.first_call import first_calls
from akstwin.fake_api.server import FakeServer, Settings
from akstwin.scenarios.workspace import open_scenario

NAME = "fraud"


def scenario(**changes: Any) -> dict[str, Any]:
    """Two replicas, a call every 100 ms, a replica killed at 5 s, an update at 10 s."""
    return {
        "seed": 4,
        "duration": "60s",
        "cluster": {"purpose": "DevTest", "nodes": 2},
        "webservice": {"name": NAME, "deploy": {"num_replicas": 2}, "model": {"service_time": "20ms"}},
        "traffic": {"shape": "constant", "rate": 10},
        "faults": [{"kind": "replica_kill", "at": "5s"}],
        "operations": [{"kind": "update", "at": "10s", "deploy": {"num_replicas": 3}}],
        **changes,
    }


def on_server(folder: Path, talk: Callable[[FakeServer, httpx.AsyncClient], Awaitable[Any]], **given: Any) -> Any:
    """What `talk` returns, with a server on a clock that only it moves."""

    async def main() -> Any:
        server = FakeServer(Settings(port=0, tls_port=0, folder=folder, clock="manual", **given))
        await server.start()
        try:
            await server.ready()
            async with httpx.AsyncClient(base_url=server.first.http, timeout=60) as client:
                return await talk(server, client)
        finally:
            await server.close()

    return asyncio.run(main())


def happened(backend: Any, since: int) -> list[tuple[int, str, str, str]]:
    """Events of a backend from an instant on, counted from it."""
    return [(at - since, kind, subject, detail) for at, kind, subject, detail in backend.driver.events if at >= since]


def test_what_happens_is_what_happens_in_the_simulated_workspace(tmp_path: Path) -> None:
    """Deployment in virtual time before it listens, then faults, operations and traffic at their instants."""
    simulated = open_scenario(scenario=scenario())
    start = simulated.clock.now()
    simulated.simulation.advance("60s")

    async def talk(server: FakeServer, client: httpx.AsyncClient) -> None:
        assert (await client.get("/_akstwin/clock")).json()["now"] == start
        await client.post("/_akstwin/clock", json={"advance": "60s"})
        backend = server.first.workspace.backend
        assert happened(backend, start) == happened(simulated, start)
        assert "fault_replica_kill" in {kind for _, kind, _, _ in happened(backend, start)}
        assert backend.get_service(NAME)["numReplicas"] == 3
        seen = (await client.get(f"/_akstwin/observe/{NAME}", params={"window": "60s"})).json()
        statuses = simulated.observe(NAME, 60_000_000).versions[NAME].answers
        assert seen["versions"][NAME]["answers"] == {str(status): count for status, count in statuses.items()}
        assert sum(statuses.values()) > 500

    on_server(tmp_path, talk, scenario=scenario())


def test_its_calls_are_counted_in_the_metrics(tmp_path: Path) -> None:
    """Nobody has to ask for the traffic first."""

    async def talk(_: FakeServer, client: httpx.AsyncClient) -> str:
        await client.post("/_akstwin/clock", json={"advance": "4s"})
        return (await client.get("/_akstwin/metrics")).text

    text = on_server(tmp_path, talk, scenario=scenario())
    counted = [line for line in text.splitlines() if f'service="{NAME}"' in line and 'status="200"' in line]
    assert any(float(line.rsplit(" ", 1)[1]) >= 39 for line in counted), counted


def test_without_traffic_the_service_is_left_to_the_caller_and_answers(tmp_path: Path) -> None:
    """A scenario brings no entry script: its versions say who they are."""

    async def talk(server: FakeServer, client: httpx.AsyncClient) -> tuple[list[Any], Any]:
        backend = server.first.workspace.backend
        key = backend.get_keys(NAME).primary
        sources = backend.driver.service(NAME).sources
        calling = asyncio.ensure_future(
            client.post(f"/api/v1/service/{NAME}/score", json={}, headers={"Authorization": f"Bearer {key}"})
        )
        while not calling.done():
            await client.post("/_akstwin/clock", json={"advance": "10ms"})
        return sources, (calling.result().status_code, calling.result().json())

    assert on_server(tmp_path, talk, scenario=scenario(), traffic=False) == ([], (200, {"version": NAME}))


def test_reset_makes_the_scenarios_world_anew(tmp_path: Path) -> None:
    """Not an empty one."""

    async def talk(server: FakeServer, client: httpx.AsyncClient) -> None:
        workspace = server.first.workspace
        start, first = workspace.backend.clock.now(), workspace.backend
        await client.post("/_akstwin/clock", json={"advance": "30s"})
        before = happened(first, start)
        assert (await client.post("/_akstwin/reset")).json()["now"] == start
        assert workspace.backend is not first
        await client.post("/_akstwin/clock", json={"advance": "30s"})
        assert happened(workspace.backend, start) == before

    on_server(tmp_path, talk, scenario=scenario())


@pytest.mark.parametrize(("given", "seed"), [({}, 4), ({"seed": 9}, 9)])
def test_the_seed_is_the_scenarios_unless_told(tmp_path: Path, given: dict[str, int], seed: int) -> None:
    """And assumptions stand over the scenario's."""

    async def talk(server: FakeServer, client: httpx.AsyncClient) -> tuple[int, str]:
        assumed = (await client.get("/_akstwin/assumptions")).json()
        return server.first.workspace.backend.seed, assumed["router_lag"]

    told = scenario(assumptions={"router_lag": "2s", "router_overhead": "5ms"})
    assert on_server(tmp_path, talk, scenario=told, assumptions={"router_lag": "4s"}, **given) == (seed, "4s")


def test_a_workspace_may_have_a_clock_seed_scenario_and_assumptions_of_its_own(tmp_path: Path) -> None:
    """Over the server's."""

    async def talk(server: FakeServer, _: httpx.AsyncClient) -> None:
        own = server.open(
            WorkspaceIdentity("other"), seed=3, clock="paced", rate=5.0, assumptions={"image_pull": "7s"},
            scenario=scenario(),
        ).workspace  # fmt: skip
        assert (own.backend.seed, own.clock.mode, own.clock.rate) == (3, "paced", 5.0)
        assert own.backend.assumptions.image_pull == 7_000_000
        assert own.backend.get_service(NAME)["state"] == "Healthy"
        first = server.first.workspace
        assert (first.backend.seed, first.clock.mode, first.backend.driver.services) == (0, "manual", {})

    on_server(tmp_path, talk)


def test_a_port_is_free_again_if_the_scenario_cannot_be_opened(tmp_path: Path) -> None:
    """Nothing is left of the attempt."""

    async def talk(server: FakeServer, _: httpx.AsyncClient) -> None:
        with pytest.raises(AksError, match="nodes"):
            server.open(WorkspaceIdentity("other"), scenario=scenario(cluster={"purpose": "FastProd", "nodes": 1}))
        assert list(server.places.values()) == [server.first]

    on_server(tmp_path, talk)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--scenario", "nowhere.yaml"], "nowhere.yaml: cannot be read"),
        (["--no-traffic"], "--no-traffic"),
    ],
)
def test_mistakes_are_one_line_and_status_2(options: list[str], said: str, tmp_path: Path) -> None:
    """Before anything listens."""
    command = [sys.executable, "-m", "akstwin", "serve", "--port", "0", "--tls-port", "0", *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


FIRST_CALLS = {
    "key": ({}, "key"),
    "token": ({"token_auth_enabled": True}, "token"),
    "neither": ({"auth_enabled": False}, None),
}


@pytest.mark.parametrize(("deploy", "credential"), FIRST_CALLS.values(), ids=FIRST_CALLS)
@pytest.mark.parametrize("environment", [False, True], ids=["plain", "with-variables"])
def test_the_command_prints_how_to_call_the_service(
    deploy: dict[str, Any], credential: str | None, environment: bool, tmp_path: Path
) -> None:
    """URL, credential, and a line for curl that works as it is printed; for a shell that reads variables they are comments."""
    file = tmp_path / "rush.yaml"
    given = {"num_replicas": 2, **deploy}
    if credential == "token":
        given["auth_enabled"] = False
    file.write_text(json.dumps(scenario(webservice={"name": NAME, "deploy": given}, faults=[], operations=[])))
    command = [sys.executable, "-m", "akstwin", "serve", "--port", "0", "--tls-port", "0", "--clock", "jump"]
    command += ["--scenario", str(file), "--no-traffic", *(["--print-env"] if environment else [])]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        lines = [server.stdout.readline()]
        while "curl" not in lines[-1]:
            lines.append(server.stdout.readline())
        assert lines[0].startswith("listening on http://127.0.0.1:")
        if environment:
            assert all(line.startswith(("export ", "# ")) for line in lines[1:])
        told = [line.removeprefix("# ") for line in lines if not line.startswith(("export", "listening"))]
        url = told[0].partition(": ")[2].strip()
        assert url == f"{lines[0].split()[2]}/api/v1/service/{NAME}/score"
        assert [line.split(":")[0].strip() for line in told[1:-1]] == ([] if credential is None else [credential])
        done = subprocess.run(["sh", "-c", told[-1]], capture_output=True, text=True, timeout=600, check=True)
        head, _, body = done.stdout.partition("\n\n")
        assert head.startswith("HTTP/1.1 200"), head
        assert json.loads(body) == {"version": NAME}
    finally:
        server.terminate()
        server.communicate(timeout=600)


def test_a_service_that_is_not_up_says_so(tmp_path: Path) -> None:
    """A cold start: the line works later."""

    async def talk(server: FakeServer, _: httpx.AsyncClient) -> list[str]:
        return list(first_calls(server.first.workspace.backend, server.first.http, "ca.pem"))

    lines = on_server(tmp_path, talk, scenario=scenario(start="cold", faults=[], operations=[]))
    assert lines[0].startswith(f"{NAME}: http://127.0.0.1:")
    assert lines[-1] == f"  {NAME} is Transitioning: it answers 503 until its replicas are ready"


REPLIES: dict[str, tuple[Any, dict[str, Any], tuple[int, Any]]] = {
    "value": ({"fraud": False}, {"data": [1]}, (200, {"fraud": False})),
    "null": (None, {"data": [1]}, (200, {})),  # as the inference server answers a run() that returns None
    "echo": ({"$echo": True}, {"data": [1]}, (200, {"data": [1]})),
    "fixed": ({"$fixed": {"status": 202, "body": [1, 2]}}, {}, (202, [1, 2])),
    "rule": (
        {"$match": [{"match": {"pointer": {"/data/0": 1}}, "reply": "one"}], "$otherwise": "other"},
        {"data": [1]},
        (200, "one"),
    ),
    "otherwise": (
        {"$match": [{"match": {"pointer": {"/data/0": 1}}, "reply": "one"}], "$otherwise": "other"},
        {"data": [2]},
        (200, "other"),
    ),
}


@pytest.mark.parametrize(("reply", "sent", "expected"), REPLIES.values(), ids=REPLIES)
def test_a_scenario_says_what_its_model_answers(
    reply: Any, sent: dict[str, Any], expected: tuple[int, Any], tmp_path: Path
) -> None:
    """On a server and in a workspace alike; the figures of a run are the same with it."""
    given = scenario(
        webservice={"name": NAME, "deploy": {"num_replicas": 2}, "model": {"reply": reply}}, faults=[], operations=[]
    )

    async def talk(server: FakeServer, client: httpx.AsyncClient) -> tuple[int, Any]:
        key = server.first.workspace.backend.get_keys(NAME).primary
        asked = client.post(f"/api/v1/service/{NAME}/score", json=sent, headers={"Authorization": f"Bearer {key}"})
        answer, _ = await asyncio.gather(asked, client.post("/_akstwin/clock", json={"advance": "5s"}))
        return answer.status_code, answer.json()

    assert on_server(tmp_path, talk, scenario=given, traffic=False) == expected
    workspace = Workspace.simulated(scenario=given)
    if expected[0] == 200:  # for any other status run() raises
        assert Webservice(workspace, NAME).run(json.dumps(sent)) == expected[1]


@pytest.mark.parametrize(
    ("reply", "path", "expected"),
    [
        ({"$script": True}, "webservice.model.reply", "a scenario brings no entry script"),
        ({"$ecco": True}, "webservice.model.reply", "echo"),
        ({"$fixed": {"status": 99}}, r"webservice\.model\.reply\.\$fixed\.status", "200"),
    ],
)
def test_a_reply_that_means_nothing_is_refused_by_its_path(reply: Any, path: str, expected: str) -> None:
    """Before anything begins."""
    given = scenario(webservice={"name": NAME, "model": {"reply": reply}})
    with pytest.raises(AksError, match=rf"{path}.*{expected}"):
        Workspace.simulated(scenario=given)


def several() -> dict[str, Any]:
    """Two services on one cluster, a fault of one, a node's loss for both."""
    return {
        "seed": 4,
        "duration": "60s",
        "cluster": {"purpose": "DevTest", "nodes": 2},
        "services": [
            {
                "name": NAME, "deploy": {"num_replicas": 2}, "model": {"service_time": "20ms"},
                "traffic": {"shape": "constant", "rate": 10},
            },
            {
                "name": "rates", "versions": [{"name": "blue", "deploy": {"num_replicas": 1}, "model": {"service_time": "30ms"}}],
                "traffic": {"shape": "poisson", "rate": 5},
            },
        ],
        "faults": [
            {"kind": "replica_kill", "service": "rates", "at": "5s"},
            {"kind": "node_loss", "node": 1, "at": "20s", "lasts": "10s"},
        ],
    }  # fmt: skip


def test_several_services_are_served_as_they_are_simulated(tmp_path: Path) -> None:
    """Each with its traffic, its URL and its keys; what happens is what happens in the simulated workspace."""
    simulated = open_scenario(scenario=several())
    start = simulated.clock.now()
    simulated.simulation.advance("60s")

    async def talk(server: FakeServer, client: httpx.AsyncClient) -> None:
        await client.post("/_akstwin/clock", json={"advance": "60s"})
        backend = server.first.workspace.backend
        assert happened(backend, start) == happened(simulated, start)
        kinds = {(kind, subject) for _, kind, subject, _ in happened(backend, start)}
        assert {("fault_replica_kill", "blue"), ("node_lost", "node 1"), ("node_back", "node 1")} <= kinds
        for name, version, rate in ((NAME, NAME, 10), ("rates", "blue", 5)):
            seen = (await client.get(f"/_akstwin/observe/{name}", params={"window": "60s"})).json()
            answers = simulated.observe(name, 60_000_000).versions[version].answers
            assert seen["versions"][version]["answers"] == {str(status): count for status, count in answers.items()}
            assert sum(answers.values()) == pytest.approx(60 * rate, rel=0.25)

    on_server(tmp_path, talk, scenario=several())


def test_several_services_have_their_own_urls_and_keys(tmp_path: Path) -> None:
    """The key of one does not open the other."""

    async def talk(server: FakeServer, client: httpx.AsyncClient) -> None:
        backend = server.first.workspace.backend
        keys = {name: backend.get_keys(name).primary for name in (NAME, "rates")}
        for name, version, other in ((NAME, NAME, "rates"), ("rates", "blue", NAME)):
            for of, status in ((name, 200), (other, 401)):
                calling = asyncio.ensure_future(
                    client.post(
                        f"/api/v1/service/{name}/score", json={}, headers={"Authorization": f"Bearer {keys[of]}"}
                    )
                )
                while not calling.done():
                    await client.post("/_akstwin/clock", json={"advance": "10ms"})
                assert calling.result().status_code == status
                assert status != 200 or calling.result().json() == {"version": version}

    on_server(tmp_path, talk, scenario={**several(), "faults": []}, traffic=False)
