"""One workspace on a server."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
import uvloop

from akstwin import AksCompute, AksWebservice, ComputeTarget, Environment, InferenceConfig, Model, Workspace
from akstwin.backend import ScoreRequest, ScoreResponse, WorkspaceIdentity
from akstwin.clock import SECOND, Micros
from akstwin.fake_api.workspace import ServedWorkspace
from akstwin.router.asgi import ScoringApp
from akstwin.sim.backend import SimulatedBackend


def test_one_that_begins_anew_is_as_it_was_made() -> None:
    """With the same seed and limits, at the rate of now; who listens goes on listening."""
    workspace = ServedWorkspace(WorkspaceIdentity("mine"), 7, {"image_pull": "5s"}, "paced", 2, script_seconds=1.5)
    workspace.listeners.append(lambda _asked, _response: None)
    workspace.clock.set_rate(3)
    before, listeners = workspace.backend, workspace.listeners

    workspace.renew()

    assert workspace.backend is not before
    assert (workspace.backend.identity, workspace.backend.seed) == (WorkspaceIdentity("mine"), 7)
    assert workspace.backend.assumptions == before.assumptions
    assert workspace.backend.driver._limits == before.driver._limits
    assert (workspace.clock.mode, workspace.clock.rate, workspace.listeners) == ("paced", 3.0, listeners)
    workspace.close()


SCRIPT = "def init():\n    pass\ndef run(data):\n    return data\n"
INSTANT = 3600 * SECOND


def deployed(backend: SimulatedBackend) -> None:
    """A service of three replicas that run a script, whose deployment has begun."""
    ws = Workspace(backend=backend)
    cluster = ComputeTarget.create(ws, "aks", AksCompute.provisioning_configuration())
    cluster.wait_for_completion()
    Path("score.py").write_text(SCRIPT, encoding="utf-8")
    config = AksWebservice.deploy_configuration(
        num_replicas=3, autoscale_enabled=False, replica_max_concurrent_requests=1, auth_enabled=False
    )
    Model.deploy(ws, "svc", [], InferenceConfig("score.py", environment=Environment("env")), config, cluster)


def test_replicas_have_request_ids_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three requests at one instant, on a clock that jumps, to three replicas: the same ids as in the simulated world."""
    monkeypatch.chdir(tmp_path)
    backend = SimulatedBackend(seed=7)
    deployed(backend)
    backend.clock.sleep_until(Micros(INSTANT))
    simulated = backend.score_all("svc", [(Micros(0), ScoreRequest(b"1"))] * 3)
    backend.close()

    async def served() -> list[ScoreResponse]:
        workspace = ServedWorkspace(WorkspaceIdentity(), 7, clock="jump")
        deployed(workspace.backend)
        await workspace.clock.advance(INSTANT - workspace.clock.now())
        answers: asyncio.Queue[ScoreResponse] = asyncio.Queue()
        for _ in range(3):
            workspace.submit("svc", ScoreRequest(b"1"), answers.put_nowait)
        try:
            return [await answers.get() for _ in range(3)]
        finally:
            workspace.close()

    def ids(responses: list[ScoreResponse]) -> list[str]:
        assert [response.status for response in responses] == [200] * 3
        return sorted(dict(response.headers)["x-ms-request-id"] for response in responses)

    assert len(set(ids(simulated))) == 3
    assert ids(asyncio.run(served())) == ids(simulated)


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_over_a_low_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, declared: bool) -> None:
    """Also one that is so short that its length would be read in any case."""
    monkeypatch.chdir(tmp_path)
    workspace = ServedWorkspace(WorkspaceIdentity(), 7, {"max_payload": 1000}, "jump")
    sent: list[dict[str, Any]] = []

    async def ask(size: int) -> int:
        left = [b"x" * size]

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": left.pop(), "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"content-length", str(size).encode())] if declared else []
        scope = {
            "type": "http", "method": "POST", "path": "/api/v1/service/svc/score", "query_string": b"", "headers": headers
        }  # fmt: skip
        sent.clear()
        await ScoringApp(workspace)(scope, receive, send)
        return int(sent[0]["status"])

    async def story() -> list[int]:
        workspace.backend.simulation.profile("svc", reply=1)
        deployed(workspace.backend)
        await workspace.clock.advance(INSTANT)
        return [await ask(1000), await ask(1001), await ask(999_999)]

    try:
        assert asyncio.run(story()) == [200, 413, 413]
    finally:
        workspace.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the loop's own timers are all there is")
def test_a_live_server_wakes_twice_a_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When its replica has done, and when its answer has come through the router; besides, once a second for the service."""
    monkeypatch.chdir(tmp_path)
    workspace = ServedWorkspace(WorkspaceIdentity(), 7, {"router_overhead": "3ms"})
    count = 30

    async def story() -> tuple[int, int]:
        workspace.backend.simulation.profile("svc", reply=1, service_time="5ms")
        deployed(workspace.backend)
        await workspace.clock.advance(INSTANT)
        answers: asyncio.Queue[ScoreResponse] = asyncio.Queue()
        wakes, began = workspace.clock.wakes, workspace.clock.now()
        for _ in range(count):
            workspace.submit("svc", ScoreRequest(b"1"), answers.put_nowait)
            assert (await answers.get()).status == 200
        return workspace.clock.wakes - wakes, 1 + (workspace.clock.now() - began) // SECOND

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            wakes, seconds = runner.run(story())
    finally:
        workspace.close()
    assert count <= wakes <= 2 * count + 2 * seconds
