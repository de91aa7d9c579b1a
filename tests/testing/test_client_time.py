"""Clients' own time-outs and asyncio's timers go by the world's clock in the fixtures."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import httpx
import pytest
import requests
import tenacity
import urllib3

from akstwin import Webservice
from akstwin.errors import AksError
from akstwin.testing.passing import AksClock
from akstwin.testing.served import AksFaults, AksServer

SECOND = 1_000_000
SLOW = {
    "seed": 5,
    "duration": "1h",
    "webservice": {
        "name": "fraud",
        "deploy": {"num_replicas": 2, "max_request_wait_time": 300_000, "scoring_timeout_ms": 120_000},
        "model": {"service_time": "40s"},
    },
    "traffic": [],
}
QUICK = {**SLOW, "webservice": {**SLOW["webservice"], "model": {"service_time": "2s"}}}  # type: ignore[dict-item]


class _Service:
    """A service as its clients know it."""

    def __init__(self, server: AksServer) -> None:
        ws = server.connect()
        ws.simulation.profile("fraud", reply={"ok": True})
        key, _ = Webservice(ws, "fraud").get_keys()
        self.headers = {"Authorization": f"Bearer {key}"}
        self.url = f"{server.url}/api/v1/service/fraud/score"
        self.https_url = f"{server.https_url}/api/v1/service/fraud/score"
        self.authority = server.env["SSL_CERT_FILE"]


@pytest.fixture
def service(aks_server: AksServer) -> _Service:
    """The scenario's."""
    return _Service(aks_server)


def _httpx(service: _Service, seconds: float, url: str) -> int:
    context = ssl.create_default_context(cafile=service.authority)
    return httpx.post(url, content=b"{}", headers=service.headers, timeout=seconds, verify=context).status_code


def _requests(service: _Service, seconds: float, url: str) -> int:
    answer = requests.post(url, data=b"{}", headers=service.headers, timeout=seconds, verify=service.authority)
    return answer.status_code


def _urllib3(service: _Service, seconds: float, url: str) -> int:
    with urllib3.PoolManager(ca_certs=service.authority) as pool:
        timeout = urllib3.Timeout(read=seconds)
        return pool.request("POST", url, body=b"{}", headers=service.headers, timeout=timeout, retries=False).status


def _socket(service: _Service, seconds: float, url: str) -> int:
    parts = urlsplit(url)
    with ExitStack() as stack:
        plain = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=seconds)
        connection = stack.enter_context(plain)
        if parts.scheme == "https":
            context = ssl.create_default_context(cafile=service.authority)
            connection = stack.enter_context(context.wrap_socket(plain, server_hostname=parts.hostname))
        head = f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: {service.headers['Authorization']}\r\n"
        connection.sendall(f"{head}Content-Length: 2\r\n\r\n{{}}".encode())
        return int(connection.recv(4096).split()[1])


async def _async_httpx(service: _Service, seconds: float, url: str) -> int:
    context = ssl.create_default_context(cafile=service.authority)
    async with httpx.AsyncClient(timeout=seconds, verify=context) as client:
        return (await client.post(url, content=b"{}", headers=service.headers)).status_code


async def _aiohttp(service: _Service, seconds: float, url: str) -> int:
    context = ssl.create_default_context(cafile=service.authority)
    timeout = aiohttp.ClientTimeout(total=seconds)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.post(url, data=b"{}", headers=service.headers, ssl=context) as answer,
        ):
            return answer.status
    finally:
        await asyncio.sleep(0.25)  # as aiohttp's documentation has it: its connections with TLS end after the session


def _run(call: Callable[..., Any]) -> Callable[..., int]:
    return lambda *given: asyncio.run(call(*given))


CLIENTS: list[tuple[Callable[[_Service, float, str], int], type[Exception]]] = [
    (_httpx, httpx.ReadTimeout),
    (_requests, requests.ReadTimeout),
    (_urllib3, urllib3.exceptions.ReadTimeoutError),
    (_socket, TimeoutError),
    (_run(_async_httpx), httpx.ReadTimeout),
    (_run(_aiohttp), asyncio.TimeoutError),
]
NAMES = ["httpx", "requests", "urllib3", "socket", "async-httpx", "aiohttp"]


@pytest.mark.aks(scenario=SLOW)
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
@pytest.mark.parametrize(("client", "raised"), CLIENTS, ids=NAMES)
class TestTimeouts:
    """An answer takes 40 s of the world's time."""

    def test_a_shorter_time_out_strikes(
        self, client: Any, raised: type[Exception], secure: bool, service: _Service, aks_clock: AksClock
    ) -> None:
        """With the client's own exception, when the world has come so far; the real wait is short."""
        url = service.https_url if secure else service.url
        began = aks_clock.now()

        with pytest.raises(raised):
            client(service, 15, url)

        assert 15 * SECOND <= aks_clock.now() - began < 17 * SECOND  # aiohttp rounds deadlines up to whole seconds

    def test_a_longer_one_does_not(
        self, client: Any, raised: type[Exception], secure: bool, service: _Service, aks_clock: AksClock
    ) -> None:
        """The answer comes first, and no time passes after it."""
        began = aks_clock.now()

        assert client(service, 41, service.https_url if secure else service.url) == 200
        assert 40 * SECOND <= aks_clock.now() - began < 41 * SECOND


@pytest.mark.aks(scenario=SLOW)
def test_an_answer_that_comes_with_the_time_out_is_read(service: _Service, aks_clock: AksClock) -> None:
    """Of one instant, the answer is first; the router's own overhead is part of its time."""
    answered = asyncio.run(_timed(service, aks_clock))
    began = aks_clock.now()

    assert _socket(service, answered / SECOND, service.url) == 200
    assert aks_clock.now() - began == answered


async def _timed(service: _Service, clock: AksClock) -> int:
    began = clock.now()
    assert await _async_httpx(service, 1000, service.url) == 200
    return clock.now() - began


@pytest.mark.aks(scenario=QUICK)
class TestAsyncio:
    """Timers of event loops are the world's."""

    def test_a_sleep_of_an_hour_takes_no_time(self, aks_clock: AksClock) -> None:
        """And the loop's own time is the world's, before, within and after a sleep."""

        async def main() -> tuple[float, int]:
            loop = asyncio.get_running_loop()
            began, world = loop.time(), aks_clock.now()
            await asyncio.sleep(3600)
            return loop.time() - began, aks_clock.now() - world

        passed, world = asyncio.run(main())
        assert world == 3600 * SECOND
        assert passed == pytest.approx(3600, abs=1e-3)

    def test_sleeps_end_in_their_order(self, aks_clock: AksClock) -> None:
        """Whichever began first."""
        ended: list[int] = []

        async def sleeper(seconds: int) -> None:
            await asyncio.sleep(seconds)
            ended.append(seconds)

        async def main() -> None:
            await asyncio.gather(*(sleeper(seconds) for seconds in (50, 10, 40, 20, 30)))

        asyncio.run(main())
        assert ended == [10, 20, 30, 40, 50]
        assert aks_clock.now() == 50 * SECOND

    def test_wait_for_strikes_before_an_answer_and_not_after_it(self, service: _Service, aks_clock: AksClock) -> None:
        """An answer takes two seconds."""

        async def main() -> int:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(_async_httpx(service, 1000, service.url), 1)
            return await asyncio.wait_for(_async_httpx(service, 1000, service.url), 3)

        assert asyncio.run(main()) == 200
        assert 3 * SECOND <= aks_clock.now() < 4 * SECOND

    def test_back_off_of_tenacity_goes_by_it(
        self, service: _Service, aks_faults: AksFaults, aks_server: AksServer
    ) -> None:
        """Three attempts, 10 and 20 s apart, after connections that were dropped."""
        aks_faults.add("drop_connection", service="fraud", count=2)

        @tenacity.retry(
            wait=tenacity.wait_incrementing(10, 10), retry=tenacity.retry_if_exception_type(httpx.TransportError)
        )
        async def ask() -> int:
            return await _async_httpx(service, 1000, service.url)

        assert asyncio.run(ask()) == 200
        arrived = [entry.arrived for entry in aks_server.journal.where(service="fraud")]
        assert [round((later - earlier) / SECOND) for earlier, later in pairwise(arrived)] == [
            12,
            22,
        ]

    def test_many_clients_wait_together(self, service: _Service, aks_clock: AksClock) -> None:
        """Fifty requests to two replicas: all are answered, in the time that two replicas need."""

        async def main() -> list[int]:
            async with httpx.AsyncClient(timeout=200, headers=service.headers) as client:
                answers = await asyncio.gather(*(client.post(service.url, content=b"{}") for _ in range(50)))
            return [answer.status_code for answer in answers]

        assert asyncio.run(main()) == [200] * 50
        assert 50 * SECOND <= aks_clock.now() < 52 * SECOND

    def test_time_stands_still_for_work_in_a_thread(self, service: _Service, aks_clock: AksClock) -> None:
        """What a thread of the loop computes takes no time of the world; what it asks the service takes the service's."""

        async def main() -> tuple[int, int]:
            await asyncio.wait_for(asyncio.to_thread(threading.Event().wait, 0.1), 5)
            computed = aks_clock.now()
            assert await asyncio.wait_for(asyncio.to_thread(_httpx, service, 1000, service.url), 3) == 200
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(asyncio.to_thread(_httpx, service, 1000, service.url), 1)
            return computed, aks_clock.now()

        computed, asked = asyncio.run(main())
        assert computed == 0
        assert 3 * SECOND <= asked < 6 * SECOND

    def test_a_blocking_sleep_in_a_coroutine_does_not_hang(self, aks_clock: AksClock) -> None:
        """The server has a thread of its own: nothing waits for the loop that the sleep blocks."""

        async def main() -> None:
            waiting = asyncio.ensure_future(asyncio.sleep(30))
            await asyncio.sleep(1)
            aks_clock.sleep(60)
            await waiting

        asyncio.run(main())
        assert 61 * SECOND <= aks_clock.now() < 62 * SECOND

    def test_two_threads_with_loops_of_their_own(self, service: _Service, aks_clock: AksClock) -> None:
        """Both go by the one clock."""

        async def main(seconds: int) -> int:
            await asyncio.sleep(seconds)
            return await _async_httpx(service, 100, service.url)

        with ThreadPoolExecutor() as pool:
            assert list(pool.map(lambda seconds: asyncio.run(main(seconds)), [5, 500])) == [200, 200]
        assert 502 * SECOND <= aks_clock.now() < 510 * SECOND  # the second may begin when the first has its answer


@pytest.mark.aks(scenario=SLOW)
def test_calls_that_are_no_scoring_keep_real_time_outs(aks_server: AksServer, aks_clock: AksClock) -> None:
    """A sleep over the control side may be of days; nobody times it out by the days that it brings."""
    answer = requests.post(f"{aks_server.url}/_akstwin/clock", json={"advance": "2h"}, timeout=30)
    assert answer.status_code == 200
    assert aks_clock.now() == 7200 * SECOND


@pytest.mark.aks(scenario=SLOW)
def test_an_advance_by_another_thread_strikes_too(service: _Service, aks_clock: AksClock) -> None:
    """Whoever moves the clock."""
    struck: list[BaseException] = []

    def ask() -> None:
        try:
            _requests(service, 15, service.url)
        except requests.ReadTimeout as error:
            struck.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    aks_clock.advance("60s")
    thread.join(60)
    assert len(struck) <= 1  # the advance may come before the request; then the jump strikes it
    assert not thread.is_alive()


@pytest.mark.aks(scenario=SLOW, client_time="real")
def test_real_time_on_request(service: _Service, aks_clock: AksClock) -> None:
    """The answer of 40 s comes within 5 s of real time, and asyncio sleeps really."""
    assert _requests(service, 30, service.url) == 200
    began = aks_clock.now()
    asyncio.run(asyncio.sleep(0.01))
    assert aks_clock.now() == began


@pytest.mark.aks(scenario=SLOW, clock="manual")
def test_a_manual_clock_keeps_real_time_outs(service: _Service, aks_clock: AksClock) -> None:
    """Nobody would move it for them."""
    with pytest.raises(requests.ReadTimeout):
        _requests(service, 0.2, service.url)
    assert aks_clock.now() == 0


@pytest.mark.aks(scenario=SLOW, clock="paced", rate=20)
def test_a_paced_clock_brings_them_at_its_rate(service: _Service, aks_clock: AksClock) -> None:
    """At its rate."""
    began = aks_clock.now()
    with pytest.raises(requests.ReadTimeout):
        _requests(service, 15, service.url)
    assert aks_clock.now() - began >= 15 * SECOND
    asyncio.run(asyncio.sleep(2))
    assert aks_clock.now() - began >= 17 * SECOND


def test_all_is_real_again_after_it(aks_server: AksServer) -> None:
    """Sockets and loops have their own methods; a second world's clock is refused meanwhile."""
    before = socket.socket.recv, asyncio.BaseEventLoop.time
    with pytest.raises(AksError, match="only one server's clock"), aks_server.client_time():
        pass
    assert (socket.socket.recv, asyncio.BaseEventLoop.time) == before


class TestAfterwards:
    """Nothing of it stays behind a test that had it."""

    def test_methods_are_the_originals(self) -> None:
        """Also those that a class inherits."""
        assert "recv" not in vars(socket.socket)
        assert asyncio.BaseEventLoop.time.__module__ == "asyncio.base_events"
        assert ssl.SSLSocket.read.__module__ == "ssl"
