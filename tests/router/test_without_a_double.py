"""The request path over HTTP as a router pod has it: no other world, no host check, no faults."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import uvicorn

from akstwin.backend import ScoreRequest, ScoreResponse
from akstwin.clock import Micros
from akstwin.router.asgi import ScoringApp
from akstwin.router.fast_path import FastPathProtocol


def test_it_imports_no_other_world() -> None:
    """Nor a web framework."""
    program = (
        "import json, sys\nimport akstwin.router.fast_path, akstwin.router.asgi\n"
        "worlds = ('akstwin.fake_api', 'akstwin.sim', 'akstwin.scenarios', 'akstwin.control_plane')\n"
        "rooms = [*worlds, 'fastapi', 'starlette', 'simpy', 'numpy']\n"
        "print(json.dumps([name for name in rooms if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


class Echo:
    """Routes every request to itself: the answer is the service's name, what is wanted, and the body."""

    max_payload = 1000

    def __init__(self) -> None:
        self.aborted = 0

    def submit(self, service: str, request: ScoreRequest, done: Callable[[ScoreResponse], None]) -> "Echo":
        """Answer in the next round of the loop."""
        said = f"{service} {request.method} {request.path} {len(request.body)}".encode()
        response = ScoreResponse(200, (("x-seen", dict(request.headers).get("x-sent", "")),), said, Micros(0))
        asyncio.get_running_loop().call_soon(done, response)
        return self

    def abort(self) -> None:
        """A client went away."""
        self.aborted += 1

    def misdirected(self, path: str) -> ScoreResponse:
        """No route."""
        return ScoreResponse(404, (), path.encode(), Micros(0))


def test_both_ways_serve_any_host() -> None:
    """A plain request takes the fast path, another one the ASGI application; both reach the same router."""

    async def story() -> None:
        router, ways = Echo(), []

        class Watched(FastPathProtocol):
            def _plain(self) -> str | None:
                ways.append(super()._plain())
                return ways[-1]

        protocol: Any = partial(Watched, router=router)
        config = uvicorn.Config(
            ScoringApp(router), port=0, http=protocol, ws="none", lifespan="off", log_level="warning",
            server_header=False, date_header=False,
        )  # fmt: skip
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        given = {"host": "scoring.example", "x-sent": "this"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=given) as client:
            url = "/api/v1/service/fraud/score"
            for asked in (client.post(url, content=b"12345"), client.post(f"{url}?a=1", content=b"12345")):
                answer = await asked
                assert (answer.status_code, answer.text) == (200, "fraud POST /score 5")
                assert (answer.headers["x-seen"], answer.headers["server"]) == ("this", "Cowboy")
            assert (await client.get("/api/v1/service/fraud/swagger.json")).text == "fraud GET /swagger.json 0"
            assert (await client.get("/elsewhere")).status_code == 404
        assert ways == ["fraud", None, None, None]
        server.should_exit = True
        await serving

    asyncio.run(story())
