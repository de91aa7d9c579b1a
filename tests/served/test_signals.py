"""`akstwin serve` as a child process: the first signal lets it end in order, the second ends it at once, however busy it is."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

LIMIT = 60
"""Seconds: ten times what any of these takes on a busy machine."""
BLOCKED = """
import sys, threading, time
from akstwin.fake_api import server

async def until_blocked(self, before=server.FakeServer.close):
    print("blocked", flush=True)
    while True:  # as a call would that never gives the loop back
        sum(range(1000))

server.FakeServer.close = until_blocked
from akstwin.cli import main
sys.argv = ["akstwin", "serve", "--port", "0", "--tls-port", "0"]
main()
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A server that listens."""
    process = subprocess.Popen(
        [sys.executable, "-m", "akstwin", "serve", "--port", "0", "--tls-port", "0"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.wait(LIMIT)
    assert process.stdout is not None
    process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_ends_it_in_order(served: "subprocess.Popen[str]", number: signal.Signals) -> None:
    """Status 0, also while a client asks for something."""
    assert served.stdout is not None
    url = served.stdout.readline().split()[2]
    assert httpx.get(url, trust_env=False).text == "Healthy"
    served.send_signal(number)
    assert served.wait(LIMIT) == 0


@pytest.mark.parametrize(
    ("first", "second"),
    [(signal.SIGTERM, signal.SIGTERM), (signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGINT)],
)
def test_the_second_ends_it_at_once(tmp_path: Path, first: signal.Signals, second: signal.Signals) -> None:
    """While the loop is blocked; the status is the signal's, as shells show it."""
    with subprocess.Popen([sys.executable, "-c", BLOCKED], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("listening on ")
        process.send_signal(first)
        assert process.stdout.readline() == "blocked\n"
        assert process.poll() is None
        process.send_signal(second)
        assert process.wait(LIMIT) == 128 + second


SCENARIO = """
duration: 1h
webservice: {name: fraud, deploy: {num_replicas: 2}, model: {service_time: 10ms}}
traffic: {shape: poisson, rate: 50}
"""


def test_an_advance_of_a_thousand_days_can_be_watched_and_ended(tmp_path: Path) -> None:
    """Reads are answered from the instant reached, one later than the other; a signal ends the server in order."""
    (tmp_path / "s.yaml").write_text(SCENARIO)
    command = [sys.executable, "-m", "akstwin", "serve", "--port", "0", "--tls-port", "0", "--clock", "manual"]
    with subprocess.Popen(
        [*command, "--scenario", "s.yaml"], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[2]
        with httpx.Client(base_url=url, trust_env=False, timeout=LIMIT) as client, ThreadPoolExecutor(1) as threads:
            advancing = threads.submit(client.post, "/_akstwin/clock", json={"advance": "1000d"})
            instants: list[int] = []
            while len(instants) < 4:
                now = client.get("/_akstwin/clock").json()["now"]
                if not instants or now > instants[-1]:
                    instants.append(now)
            assert client.get("/_akstwin/observe/fraud").status_code == 200
            assert not advancing.done()
            process.send_signal(signal.SIGTERM)
            assert process.wait(LIMIT) == 0
            with pytest.raises(httpx.HTTPError):
                advancing.result().raise_for_status()
