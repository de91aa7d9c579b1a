"""A whole router on loopback: client, sockets, `cores.routing`, and real servers as replicas."""

import asyncio
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.replicas import OK, answer, nobody, read_request, replica, synchronous, until

from akstwin.backend import ScoreRequest, ScoreResponse
from akstwin.clock import MILLISECOND, SECOND, Micros
from akstwin.cores.routing import KeyAuth, RouterRules, TokenCredential
from akstwin.domain.deployment import RouteSettings
from akstwin.domain.reasons import Reason
from akstwin.domain.service import Split
from akstwin.router.gateway import Gateway
from akstwin.router.plane import TransportPlane
from akstwin.router.replica_transport import TcpTransport
from akstwin.router.server import RouterServer
from akstwin.router.wall_clock import WallClock

ROOT = Path(__file__).parents[2]
INFERENCE_SERVER = ROOT / ".venv-inference-server"
URL = "/api/v1/service/fraud/score"


def settings(slots: int = 1, wait: int = 30 * SECOND, timeout: int = 60 * SECOND) -> RouteSettings:
    """What the router knows of a version."""
    return RouteSettings(slots, Micros(wait), Micros(timeout))


class Town:
    """A router with the service `fraud`, and a client.

    Attributes:
        plane: of the service.
        heard: answers, as listeners hear them.
    """

    def __init__(self, rules: RouterRules) -> None:
        clock = WallClock(0.0)
        self.plane = TransportPlane("fraud", rules, clock.now, TcpTransport(2 * SECOND))
        self.plane.set_split(Split("blue"))
        no_token = TokenCredential(genuine=False, expires=Micros(0))
        self.gateway = Gateway({"fraud": self.plane}, clock, lambda _, __: no_token, rules.max_payload, 7, lambda: 0)
        self.heard: list[tuple[str, ScoreRequest, ScoreResponse]] = []
        self.gateway.listeners.append(lambda *each: self.heard.append(each))
        self.server = RouterServer(self.gateway)
        self.url = ""

    def admit(self, *addresses: str, version: str = "blue", given: RouteSettings | None = None) -> None:
        """A version whose replicas 1, 2, … are at these addresses."""
        self.plane.configure(version, given or settings())
        for number, address in enumerate(addresses, 1):
            self.plane.admit(version, number, address)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[httpx.AsyncClient]:
        """It listens, and a client knows where."""
        listener = socket.create_server(("127.0.0.1", 0))
        await self.server.start(listener)
        self.url = "http://{}:{}".format(*listener.getsockname())
        limits = httpx.Limits(max_connections=200)
        async with httpx.AsyncClient(base_url=self.url, timeout=120, limits=limits) as client:
            yield client
        await self.server.end(drain=60)
        self.plane.close()


def play(story: Callable[[Town, httpx.AsyncClient], Any], rules: RouterRules | None = None) -> None:
    """Run a story in a town."""

    async def whole() -> None:
        town = Town(rules or RouterRules())
        async with town.open() as client:
            await story(town, client)

    asyncio.run(whole())


def said(response: httpx.Response) -> tuple[int, str]:
    """Status and text."""
    return response.status_code, response.text


def test_a_reply_comes_through_with_a_request_id() -> None:
    """Both on the fast path and as another kind of request (R14)."""

    async def story(town: Town, client: httpx.AsyncClient) -> None:
        with synchronous() as server:
            town.admit(server.address)
            for content in (b"hello", _chunks(b"hel", b"lo")):
                response = await client.post(URL, content=content)
                assert said(response) == (200, "hello")
                assert len(response.headers["x-ms-request-id"]) == 36
        assert [(name, answer.version, answer.reason) for name, _, answer in town.heard] == [
            ("fraud", "blue", None)
        ] * 2

    play(story)


async def _chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def test_its_refusals_have_the_texts_and_headers_of_the_service() -> None:
    """404 for no route and no service, 401 without a key, 413 for a long body, 503 without a replica (R1 to R6, R14)."""

    async def story(town: Town, client: httpx.AsyncClient) -> None:
        town.admit()
        assert said(await client.post("/nowhere")) == (404, "Not Found")
        assert said(await client.post("/api/v1/service/other/score")) == (404, "Service other not found")
        none = await client.post(URL)
        assert said(none) == (503, "No ready replicas for service fraud.")
        assert [name for name in none.headers if name not in ("x-ms-request-id", "date", "content-length")] == [
            "cache-control",
            "server",
        ]
        assert none.headers["server"] == "Cowboy"
        assert said(await client.post(URL, content=b"x" * 1001)) == (413, "Payload too large")
        town.plane.set_auth(KeyAuth("first", "second"))
        assert said(await client.post(URL)) == (401, "Unauthorized")
        right = {"Authorization": "Bearer second"}
        assert said(await client.post(URL, headers=right)) == (503, "No ready replicas for service fraud.")
        assert town.heard[-1][2].reason is Reason.NO_READY_REPLICA

    play(story, RouterRules(max_payload=1000))


def test_a_slot_carries_one_request_and_the_queue_its_deadline() -> None:
    """Of ten at once on a replica of 200 ms, the first is answered and those that wait longer than 300 ms are refused (R8)."""

    async def story(town: Town, client: httpx.AsyncClient) -> None:
        with synchronous(seconds=0.2) as server:
            town.admit(server.address, given=settings(wait=300 * MILLISECOND))
            responses = await asyncio.gather(*(client.post(URL, content=b"x") for _ in range(10)))
        refused = [each for each in responses if each.status_code == 503]
        assert {said(each) for each in refused} == {(503, "Too many requests for service fraud (overloaded)")}
        assert 1 <= len(responses) - len(refused) <= 3
        assert len(server.served) == len(responses) - len(refused)

    play(story)


def test_waiting_bodies_are_bounded() -> None:
    """Beyond the bound a request is refused as if the queue were full, and each that leaves makes room."""

    async def story(town: Town, client: httpx.AsyncClient) -> None:
        with synchronous(seconds=0.3) as server:
            town.admit(server.address)
            first = asyncio.create_task(client.post(URL, content=b"x" * 900))
            await until(lambda: town.plane.usage("blue").busy)
            second = asyncio.create_task(client.post(URL, content=b"y" * 900))
            await until(lambda: town.plane.usage("blue").queued)
            assert said(await client.post(URL, content=b"z" * 101)) == (
                503, "Too many requests for service fraud (overloaded)",
            )  # fmt: skip
            assert town.heard[-1][2].reason is Reason.QUEUE_FULL
            assert [(await each).status_code for each in (first, second)] == [200, 200]
            assert said(await client.post(URL, content=b"z" * 900)) == (200, "z" * 900)

    play(story, RouterRules(max_queued_bytes=1000))


@pytest.mark.parametrize(("rule", "status"), [(502, 502), ("next_replica", 200)])
def test_a_refused_connection_follows_the_rule(rule: Any, status: int) -> None:
    """Another replica gets the request, once; or the answer is 502 (R13)."""

    async def story(town: Town, client: httpx.AsyncClient) -> None:
        with synchronous() as server:
            town.admit(nobody(), server.address)
            response = await client.post(URL, content=b"x")
            assert response.status_code == status
            if status == 200:  # the first one rests: no further request meets it
                assert [(await client.post(URL)).status_code for _ in range(5)] == [200] * 5
            else:
                assert response.text == "Replica closed connection before replying"

    play(story, RouterRules(refused_connection=rule))


def test_a_request_whose_bytes_have_left_is_never_sent_again() -> None:
    """Even where a refused connection would be tried elsewhere."""

    async def story(town: Town, client: httpx.AsyncClient) -> None:
        read = []

        async def dies(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            read.append((await read_request(reader))[2])

        async with replica(dies) as one, replica(dies) as other:
            town.admit(one, other)
            assert said(await client.post(URL, content=b"once")) == (502, "Replica closed connection before replying")
        assert read == [b"once"]

    play(story, RouterRules(refused_connection="next_replica"))


@pytest.mark.parametrize("rule", ["at_once", "when_done"])
def test_after_a_scoring_time_out_the_slot_follows_the_rule(rule: Any) -> None:
    """`when_done`: it is taken until the replica has answered; the late answer reaches nobody (R11)."""

    async def story(town: Town, client: httpx.AsyncClient) -> None:
        go = asyncio.Event()

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            await go.wait()
            writer.write(OK)
            await writer.drain()

        async with replica(slow) as address:
            town.admit(address, given=settings(timeout=200 * MILLISECOND))
            assert said(await client.post(URL)) == (504, "Request timed out")
            assert town.plane.in_flight("blue", 1) == (rule == "when_done")
            go.set()
            await until(lambda: not town.plane.in_flight("blue", 1))
            assert said(await client.post(URL)) == (200, "ok")
        assert [answer.status for *_, answer in town.heard] == [504, 200]

    play(story, RouterRules(slot_released_on_timeout=rule))


def test_a_client_that_goes_away_leaves_nothing_behind() -> None:
    """Waiting, it is dropped; the replica never hears of it."""

    async def story(town: Town, client: httpx.AsyncClient) -> None:
        with synchronous(seconds=0.5) as server:
            town.admit(server.address)
            first = asyncio.create_task(client.post(URL, content=b"first"))
            await until(lambda: town.plane.usage("blue").busy)
            second = asyncio.create_task(client.post(URL, content=b"second"))
            await until(lambda: town.plane.usage("blue").queued)
            second.cancel()
            await until(lambda: not town.plane.usage("blue").queued)
            assert (await first).status_code == 200
            assert server.served == [b"first"]
        assert town.gateway.waiting == 0

    play(story)


def test_a_failing_run_is_a_502_with_the_scripts_own_words() -> None:
    """By the header of the inference server (R12); other failures keep their status."""

    async def story(town: Town, client: httpx.AsyncClient) -> None:
        failed = ["True", "False"]

        async def raises(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            header = f"x-ms-run-function-failed: {failed.pop(0)}"
            writer.write(answer(b"why", header, "Connection: close", status="500 Internal Server Error"))
            await writer.drain()

        async with replica(raises) as address:
            town.admit(address)
            assert [said(await client.post(URL)) for _ in failed[:]] == [(502, "why"), (500, "why")]

    play(story)


def test_a_client_that_expects_100_continue_is_answered_so() -> None:
    """Curl asks so before it sends a body of a megabyte."""

    async def story(town: Town, client: httpx.AsyncClient) -> None:
        with synchronous() as server:
            town.admit(server.address)
            host, port = town.url.removeprefix("http://").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            head = f"POST {URL} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
            writer.write(head.encode())
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"body")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
            writer.close()
            assert server.served == [b"body"]
        assert client

    play(story)


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
    ],
)
def test_a_request_with_two_lengths_reaches_no_replica(head: str) -> None:
    """What a client could smuggle past the keys is refused where it comes in."""

    async def story(town: Town, client: httpx.AsyncClient) -> None:
        with synchronous() as server:
            town.admit(server.address)
            host, port = town.url.removeprefix("http://").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            body = "0\r\n\r\nPOST /score HTTP/1.1\r\nHost: x\r\n\r\n"
            writer.write(f"POST {URL} HTTP/1.1\r\nHost: {host}\r\n{head}\r\n{body}".encode())
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 400 ")
            writer.close()
            assert server.served == []
        assert client

    play(story)


def test_it_ends_when_the_last_request_has_its_answer() -> None:
    """First its health turns, for a while in which requests are still taken; then it takes no more, and waits."""

    async def story(town: Town, client: httpx.AsyncClient) -> None:
        with synchronous(seconds=1.0) as server:
            town.admit(server.address)
            assert said(await client.get("/")) == (200, "Healthy")
            running = asyncio.create_task(client.post(URL, content=b"last"))
            await until(lambda: town.plane.usage("blue").busy)
            ending = asyncio.create_task(town.server.end(lame_duck=0.3, drain=60))
            await asyncio.sleep(0)
            assert said(await client.get("/")) == (503, "Ending")
            assert said(await running) == (200, "last")
            await ending
            with pytest.raises(httpx.ConnectError):
                await client.get("/")

    play(story)


def test_the_split_and_the_named_version_hold() -> None:
    """A header names a version; without it the draw decides (R5)."""

    async def story(town: Town, client: httpx.AsyncClient) -> None:
        async def green(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            writer.write(answer(b"green", "Connection: close"))
            await writer.drain()

        with synchronous() as blue:
            async with replica(green) as address:
                town.admit(blue.address)
                town.plane.configure("green", settings())
                town.plane.admit("green", 9, address)
                assert (await client.post(URL, content=b"blue")).text == "blue"
                named = {"azureml-model-deployment": "green"}
                assert (await client.post(URL, headers=named)).text == "green"
                town.plane.set_split(Split("blue", (("green", Split.WHOLE),)))
                assert (await client.post(URL)).text == "green"
                town.plane.remove("green")
                assert said(await client.post(URL, headers=named)) == (404, "Service fraud not found")

    play(story)


# -- the real inference server

SCRIPT = """
import json, time

def init():
    global calls
    calls = 0

def run(data):
    global calls
    calls += 1
    asked = json.loads(data)
    if asked.get("fail"):
        raise ValueError("on purpose")
    time.sleep(asked.get("seconds", 0))
    return {"asked": asked, "calls": calls}
"""


@pytest.fixture
def inference_server(tmp_path: Path) -> Iterator[str]:
    """The real server with one worker, as the default image runs it; its address."""
    if not (INFERENCE_SERVER / "bin" / "azmlinfsrv").exists():
        pytest.skip("there is no inference server: `make setup-inference-server` makes .venv-inference-server")
    (tmp_path / "score.py").write_text(SCRIPT)
    port = int(nobody().rpartition(":")[2])
    command = [str(INFERENCE_SERVER / "bin" / "azmlinfsrv"), "--entry_script", "score.py", "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=tmp_path, env=os.environ | {"AML_APP_ROOT": str(tmp_path)}, stdout=log, stderr=log
        )
    try:
        for _ in range(600):
            try:
                if httpx.get(f"http://127.0.0.1:{port}/", timeout=5).status_code == 200:
                    break
            except httpx.HTTPError:
                assert process.poll() is None, (tmp_path / "log").read_text()
                asyncio.run(asyncio.sleep(0.1))
        else:
            raise AssertionError((tmp_path / "log").read_text())
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.inference_server
def test_the_real_inference_server_is_served_through_it(inference_server: str) -> None:
    """One request at a time, all answered; a failing `run()` is a 502; its own headers come through, Swagger too."""

    async def story(town: Town, client: httpx.AsyncClient) -> None:
        town.admit(inference_server)
        responses = await asyncio.gather(*(client.post(URL, json={"n": n}) for n in range(20)))
        assert [each.json()["asked"] for each in responses] == [{"n": n} for n in range(20)]
        assert sorted(each.json()["calls"] for each in responses) == list(range(1, 21))
        assert all(each.headers["x-ms-run-function-failed"] == "False" for each in responses)
        assert all(len(each.headers.get_list("x-ms-request-id")) == 1 for each in responses)
        failed = await client.post(URL, json={"fail": True})
        assert failed.status_code == 502
        assert town.heard[-1][2].reason is Reason.RUN_FAILED
        swagger = await client.get(URL.replace("/score", "/swagger.json"))
        assert swagger.json()["swagger"] == "2.0"

    play(story)
