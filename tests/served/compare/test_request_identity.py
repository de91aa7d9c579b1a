"""A live request that says which of a scenario's it is meets that one's chance."""

import asyncio
import base64
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from akstwin import AksWebservice, Workspace
from akstwin.backend import ScoreRequest
from akstwin.clock import SECOND, Micros
from akstwin.errors import InvalidSetting
from akstwin.fake_api.server import FakeServer, Settings
from akstwin.scenarios.compare_predict import Outcome, arrivals, predict
from akstwin.scenarios.load import Prepared, prepare
from akstwin.scenarios.workspace import open_scenario
from akstwin.sim.load.request_index import HEADER, RequestIdentity, read_identity

DURATION = 60


def scenario() -> dict[str, Any]:
    """Two traffic entries that overload what there is at times, failures, an autoscaler: a few thousand requests."""
    return {
        "seed": 11,
        "duration": f"{DURATION}s",
        "cluster": {"purpose": "DevTest", "nodes": 1},
        "webservice": {
            "name": "fraud",
            "deploy": {"autoscale_enabled": True, "autoscale_min_replicas": 2, "autoscale_max_replicas": 6},
            "model": {
                "service_time": {"distribution": "lognormal", "mean": "80ms", "cv": 0.5},
                "failure_rate": 0.05,
            },
        },
        "traffic": [
            {"shape": "steps", "rate": [10, 70, 10], "at": ["0s", "10s", "40s"]},
            {"shape": "constant", "rate": 10},
        ],
    }


def prepared() -> Prepared:
    """The scenario, checked."""
    return prepare(scenario(), Path("scenario"))


def by_identity(outcomes: list[Outcome]) -> dict[RequestIdentity, tuple[int, int]]:
    """Status and latency of each request."""
    return {each.identity: (each.status, each.latency) for each in outcomes}


class Served:
    """A server on a jumping clock in this process's loop, and a client of it."""

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.client = httpx.AsyncClient(base_url=server.first.http, timeout=60)

    async def close(self) -> None:
        """End both."""
        await self.client.aclose()
        await self.server.close()

    async def post(self, path: str, body: Any) -> Any:
        """What the server answers, which is no refusal."""
        answer = await self.client.post(path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json()


async def serve(folder: Path, **given: Any) -> Served:
    """A server."""
    server = FakeServer(Settings(port=0, tls_port=0, folder=folder, clock="jump", **given))
    await server.start()
    await server.ready()
    return Served(server)


@contextmanager
def running(settings: Settings) -> Iterator[str]:
    """The URL of a server in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def on_loop(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(60)

    async def start() -> FakeServer:
        server = FakeServer(settings)
        await server.start()
        await server.ready()
        return server

    server = on_loop(start())
    try:
        yield server.first.http
    finally:
        on_loop(server.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()


def test_every_request_of_a_served_scenario_fares_as_in_the_simulation(tmp_path: Path) -> None:
    """Statuses and latencies are equal to the microsecond, though the server was started with another seed."""
    told = prepared()
    planned = arrivals(told, 1)
    foretold = by_identity(predict(told, 1))

    async def replay() -> list[Any]:
        served = await serve(tmp_path, seed=999, scenario=scenario(), traffic=False)
        try:
            await served.post("/_akstwin/chance/fraud", {"seed": 11})
            key = served.server.first.workspace.backend.get_keys("fraud").primary
            batch = [
                {
                    "at": instant,
                    "headers": [["Authorization", f"Bearer {key}"], [HEADER, str(identity)]],
                    "body_base64": base64.b64encode(b"{}").decode(),
                }
                for instant, identity in planned
            ]
            answers: list[Any] = await served.post("/_akstwin/score/fraud", batch)
            return answers
        finally:
            await served.close()

    answers = asyncio.run(replay())
    live = {
        identity: (answer["status"], answer["latency"]) for (_, identity), answer in zip(planned, answers, strict=True)
    }
    assert len(live) > 2500
    assert {status for status, _ in live.values()} == {200, 502, 503}
    assert live == foretold


def test_another_replication_has_other_chance() -> None:
    """Else runs would not differ."""
    assert by_identity(predict(prepared(), 1)) != by_identity(predict(prepared(), 2))


@pytest.mark.parametrize(
    ("text", "identity"),
    [("0/0", (0, 0, 0)), ("3/17/2", (3, 17, 2)), ("0012/7", (12, 7, 0)), ("9999/1/999", (9999, 1, 999))],
)
def test_the_header_is_read(text: str, identity: tuple[int, int, int]) -> None:
    """An attempt that is not told is the first."""
    assert read_identity(text) == identity


@pytest.mark.parametrize(
    "text", ["", "1", "1/", "/1", "a/b", "1/2/3/4", "-1/2", "1/2/", " 1/2", "1/2\n", "1.5/2", "99999/1", "١/٢"]
)
def test_a_header_that_says_no_request_is_refused(text: str) -> None:
    """With its name and what was expected."""
    with pytest.raises(InvalidSetting, match=f"{HEADER}: .*ENTRY/NUMBER"):
        read_identity(text)


def test_a_malformed_header_is_400_over_http_and_touches_nothing(tmp_path: Path) -> None:
    """The router has not seen the request; without the header all is as ever."""

    async def ask() -> None:
        served = await serve(tmp_path, scenario=scenario(), traffic=False)
        try:
            backend = served.server.first.workspace.backend
            headers = {"Authorization": f"Bearer {backend.get_keys('fraud').primary}"}
            address = "/api/v1/service/fraud/score"
            bad = await served.client.post(address, json={}, headers={**headers, HEADER: "seven"})
            assert bad.status_code == 400
            assert "ENTRY/NUMBER" in bad.text
            assert backend.driver.service("fraud").plane.population == 0
            assert sum(backend.observe("fraud", 60 * SECOND).versions["fraud"].answers.values()) == 0
            plain = await served.client.post(address, json={}, headers=headers)
            assert plain.status_code in (200, 502)
        finally:
            await served.close()

    asyncio.run(ask())


def test_the_split_of_an_endpoint_is_the_simulations() -> None:
    """Each request goes to the version that it goes to in `akstwin run`, whatever the workspace's seed."""
    told = prepare(
        {
            "seed": 11,
            "duration": "20s",
            "cluster": {"purpose": "DevTest", "nodes": 3},
            "endpoint": {
                "name": "fraud",
                "versions": [
                    {"name": "blue", "deploy": {"num_replicas": 3, "traffic_percentile": 60, "is_default": True}},
                    {"name": "green", "deploy": {"num_replicas": 3, "traffic_percentile": 40}},
                ],
            },
            "traffic": {"shape": "poisson", "rate": 30},
        },
        Path("scenario"),
    )
    world = open_scenario(scenario=told.scenario.model_dump(mode="json", exclude_none=True), seed=5, traffic=False)
    world.simulation.chance("fraud", seed=11)
    headers = (("Authorization", f"Bearer {world.get_keys('fraud').primary}"),)
    planned = arrivals(told, 1)
    answers = world.score_all(
        "fraud", [(instant, ScoreRequest(b"{}", (*headers, (HEADER, str(identity))))) for instant, identity in planned]
    )
    live = {identity: answer.version for (_, identity), answer in zip(planned, answers, strict=True)}
    assert set(live.values()) == {"blue", "green"}
    assert live == {each.identity: each.version for each in predict(told, 1)}


@pytest.mark.parametrize("given", [{"seed": -1}, {"seed": True}, {"seed": 1, "replication": 0}])
def test_chance_that_no_run_has_is_refused(given: dict[str, Any]) -> None:
    """By name."""
    world = open_scenario(scenario=scenario(), traffic=False)
    with pytest.raises(InvalidSetting, match="chance"):
        world.simulation.chance("fraud", **given)


def test_a_script_sees_the_same_over_a_jumping_clock_as_in_virtual_time(tmp_path: Path) -> None:
    """Management calls, sleeps and requests: the same states, replicas and answers at the same virtual times."""
    simulated = script(Workspace.simulated(seed=11, scenario=scenario()))
    with running(Settings(port=0, tls_port=0, folder=tmp_path, clock="jump", seed=11, scenario=scenario())) as url:
        assert script(Workspace.connect(url)) == simulated
    assert {state for _, state, _ in simulated if isinstance(state, str)} == {"Healthy", "Transitioning"}


def script(ws: Any) -> list[tuple[int, Any, Any]]:
    """A user's: updates the service while traffic comes in and looks at it; what it sees, and when."""
    clock, seen = ws.backend.clock, []
    start = clock.now()

    def look() -> None:
        service = AksWebservice(ws, "fraud")
        status = ws.backend.get_service("fraud")["deploymentStatus"]
        seen.append((clock.now() - start, service.state, status["availableReplicas"]))
        observed = ws.simulation.observe("fraud", "5s").versions["fraud"]
        seen.append((clock.now() - start, dict(observed.answers), observed.desired))

    for step in range(8):
        clock.sleep_until(start + step * 7 * SECOND)
        look()
        if step == 2:
            AksWebservice(ws, "fraud").update(autoscale_enabled=True, autoscale_min_replicas=4)
        if step == 4:
            headers = (("Authorization", f"Bearer {AksWebservice(ws, 'fraud').get_keys()[0]}"),)
            (answer,) = ws.backend.score_all("fraud", [(Micros(0), ScoreRequest(b"{}", headers))])
            seen.append((clock.now() - start, answer.status, answer.latency))
        if step == 5:
            service = AksWebservice(ws, "fraud")
            service.update(cpu_cores=0.2)
            look()
            service.wait_for_deployment()
            look()
    return seen
