"""`akstwin compare` against a server, over real sockets and in real time: what it says, what it leaves, what it refuses.

No test looks at how long anything took.
"""

import asyncio
import io
import json
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from akstwin import Workspace
from akstwin.clock import SECOND
from akstwin.errors import AksError
from akstwin.fake_api.server import FakeServer, Settings
from akstwin.remote import RemoteBackend
from akstwin.scenarios.compare import compare
from akstwin.scenarios.compare_table import render_comparison
from akstwin.scenarios.load import Prepared, prepare

NAME = "fraud"
RUN = {
    "replication", "requests", "statuses", "refused", "same_status", "latency", "difference", "overhead", "lateness",
    "skipped", "versions", "meaningless", "operations_refused", "without_connection", "others",
}  # fmt: skip


def scenario(**changes: Any) -> dict[str, Any]:
    """One second, 40 requests, more replicas than they need: no millisecond decides over a status."""
    return {
        "seed": 3,
        "duration": "1s",
        "cluster": {"purpose": "DevTest", "nodes": 2},
        "webservice": {
            "name": NAME,
            "deploy": {"num_replicas": 8},
            "model": {"service_time": "10ms", "failure_rate": 0.2},
        },
        "traffic": {"shape": "constant", "rate": 40},
        **changes,
    }


def prepared(**changes: Any) -> Prepared:
    """The scenario, checked."""
    return prepare(scenario(**changes), Path("scenario"))


@contextmanager
def running(settings: Settings) -> Iterator[FakeServer]:
    """A server in a thread of its own."""
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
        yield server
    finally:
        on_loop(server.close())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FakeServer]:
    """With a seed of its own: the scenario's chance is told."""
    with running(Settings(port=0, tls_port=0, folder=tmp_path, seed=77)) as made:
        yield made


def names(url: str) -> tuple[list[str], list[str]]:
    """Services and compute targets of a server."""
    ws = Workspace.connect(url)
    try:
        return sorted(ws.webservices), sorted(each["name"] for each in ws.backend.list_computes())
    finally:
        ws.backend.close()


def test_every_request_has_the_status_that_was_predicted_and_nothing_is_left_behind(server: FakeServer) -> None:
    """Failures included, in two runs of different chance; the document can be read by a program."""
    url = server.first.http
    found = compare(prepared(), url, runs=2)
    assert [each["replication"] for each in found["runs"]] == [1, 2]
    for each in found["runs"]:
        assert set(each) == RUN
        assert each["requests"] == {"predicted": 39, "measured": 39, "paired": 39}
        assert each["same_status"]["value"] == 1
        assert 0 < each["statuses"]["502"]["measured"]["value"] < 1
        assert each["overhead"]["requests"] >= 5
    assert found["runs"][0]["statuses"] != found["runs"][1]["statuses"]
    assert found["service"] == {"name": NAME, "taken": False}
    assert names(url) == ([], [])
    again = json.loads(json.dumps(found, allow_nan=False))
    assert again == found


def test_it_is_told_to_people(server: FakeServer) -> None:
    """Every run, the medians, the gates."""
    found = compare(prepared(), server.first.http, runs=2)
    console = Console(width=80, record=True, file=io.StringIO())
    render_comparison(found, console)
    text = console.export_text()
    for part in ("Run 1: 39 requests", "Run 2: 39 requests", "Medians of", "p99", "at least 98.00%", "ms late at p50"):
        assert part in text
    narrow = Console(width=40, record=True, file=io.StringIO())
    render_comparison(found, narrow)
    assert "…" not in text + narrow.export_text()  # no figure is cut


def test_a_service_that_is_there_with_the_same_settings_is_taken_and_stays(tmp_path: Path) -> None:
    """As `akstwin serve --scenario` without traffic has it."""
    settings = Settings(port=0, tls_port=0, folder=tmp_path, scenario=scenario(), traffic=False, seed=77)
    with running(settings) as server:
        found = compare(prepared(), server.first.http, runs=2)
        assert found["service"]["taken"] is True
        assert [each["same_status"]["value"] for each in found["runs"]] == [1, 1]
        assert "was there and was taken" in found["notes"][0]
        assert names(server.first.http) == ([NAME], ["scenario"])


def test_a_service_with_other_settings_is_refused_unless_it_may_be_replaced(tmp_path: Path) -> None:
    """By what is different."""
    other = scenario(webservice={"name": NAME, "deploy": {"num_replicas": 3}})
    with running(Settings(port=0, tls_port=0, folder=tmp_path, scenario=other, traffic=False)) as server:
        with pytest.raises(AksError, match="numReplicas is 3, the scenario's is 8; --overwrite"):
            compare(prepared(), server.first.http)
        assert names(server.first.http)[0] == [NAME]
        found = compare(prepared(), server.first.http, overwrite=True)
        assert found["runs"][0]["same_status"]["value"] == 1
        assert names(server.first.http) == ([], ["scenario"])


def test_retries_faults_operations_and_policies_come_at_their_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They reach the server; clients try again as they do in the simulation."""
    patches: list[str] = []
    patch_service = RemoteBackend.patch_service

    def noted(backend: RemoteBackend, name: str, patch: Any) -> Any:
        patches.append(json.dumps(patch))
        return patch_service(backend, name, patch)

    monkeypatch.setattr(RemoteBackend, "patch_service", noted)
    told = prepared(
        webservice=None,
        endpoint={
            "name": NAME,
            "versions": [
                {"name": "blue", "deploy": {"num_replicas": 6, "is_default": True, "traffic_percentile": 100},
                 "model": {"service_time": "10ms", "failure_rate": 0.2}},
                {"name": "green", "deploy": {"num_replicas": 6, "traffic_percentile": 0},
                 "model": {"service_time": "10ms", "failure_rate": 0.2}},
            ],
        },
        cluster={"purpose": "DevTest", "nodes": 6},
        clients={"retry": {"statuses": [502], "attempts": 2, "backoff": "50ms", "factor": 1}},
        faults=[{"kind": "slow_replica", "version": "blue", "at": "300ms", "factor": 2, "lasts": "200ms"}],
        operations=[{"kind": "update", "at": "500ms", "version": "green", "deploy": {"scoring_timeout_ms": 30000}}],
        policies=[{"kind": "canary", "version": "green", "steps": [50], "hold": "400ms", "max_error_rate": 1}],
        assumptions={"router_lag": "1ms"},
    )  # fmt: skip
    with running(Settings(port=0, tls_port=0, folder=tmp_path, assumptions={"router_lag": "1ms"})) as own:
        found = compare(told, own.first.http)["runs"][0]
        events = {kind for _, kind, _, _ in own.first.workspace.backend.driver.events}
    assert found["requests"]["paired"] >= 35  # of 40 and their repeats; a machine that stands still loses some
    assert found["statuses"]["502"]["measured"]["value"] > 0
    assert set(found["versions"]) == {"blue", "green"}
    assert "fault_slow_replica" in events
    assert any("scoringTimeoutMs" in patch for patch in patches)
    assert sum("trafficPercentile" in patch for patch in patches) == 2  # green is added, then gets half


@pytest.mark.parametrize("clock", ["jump", "manual"])
def test_a_clock_that_does_not_pass_by_itself_is_refused(tmp_path: Path, clock: Any) -> None:
    """By name."""
    with (
        running(Settings(port=0, tls_port=0, folder=tmp_path, clock=clock)) as server,
        pytest.raises(AksError, match=f"passes by itself, live or paced: this server's is {clock}"),
    ):
        compare(prepared(), server.first.http)


def test_a_server_that_assumes_something_else_is_refused(server: FakeServer) -> None:
    """With the key and both values."""
    with pytest.raises(AksError, match=r"assumptions.image_pull: '7s' is not the server's, which is '1m'"):
        compare(prepared(assumptions={"image_pull": "7s"}), server.first.http)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"start": "cold"}, "start: 'cold' is not healthy"),
        ({"traffic": []}, "traffic: .* is not at least one entry"),
    ],
)
def test_what_cannot_be_compared_is_refused_by_name(server: FakeServer, changes: dict[str, Any], said: str) -> None:
    """Before the server is asked anything."""
    with pytest.raises(AksError, match=said):
        compare(prepared(**changes), server.first.http)


@pytest.mark.parametrize(
    "url", ["ftp://127.0.0.1:1", "https://127.0.0.1:1", "nowhere", "http://", "http://h:99999", "http://[::1"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """By the option's name."""
    with pytest.raises(AksError, match="--against"):
        compare(prepared(), url)


def test_the_command_gates_and_writes(server: FakeServer, tmp_path: Path) -> None:
    """0 if all is met, 1 if not; `--json -` has standard output for itself."""
    file = tmp_path / "short.yaml"
    file.write_text(json.dumps(scenario()))
    command = [
        sys.executable,
        "-m",
        "akstwin",
        "compare",
        str(file),
        "--against",
        server.first.http,
        "--duration",
        "0.5s",
    ]

    def done(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *options], capture_output=True, text=True, timeout=120, check=False)

    written = done("--json", "-", "--seed", "9")
    assert written.returncode == 0, written.stderr
    document = json.loads(written.stdout)
    assert document["seed"] == 9
    assert document["runs"][0]["requests"]["paired"] == 19
    failing = done("--gate", "--latency-within", "0")
    assert failing.returncode == 1, failing.stderr
    assert "not met: p50 and p95 off" in failing.stdout


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["nowhere.yaml", "--against", "http://127.0.0.1:9"], "nowhere.yaml: cannot be read"),
        (["short.yaml", "--against", "http://127.0.0.1:9", "--set", "start=cold"], "short.yaml: start: 'cold'"),
        (["short.yaml", "--against", "http://127.0.0.1:9"], "127.0.0.1:9"),
        (["short.yaml"], "--against"),
        (["short.yaml", "--against", "http://127.0.0.1:9", "--runs", "0"], "--runs"),
        (["short.yaml", "--against", "http://127.0.0.1:9", "--same-status", "nan"], "--same-status"),
    ],
)
def test_mistakes_are_one_line_and_status_2(options: list[str], said: str, tmp_path: Path) -> None:
    """Nobody listens on port 9 here."""
    (tmp_path / "short.yaml").write_text(json.dumps(scenario()))
    command = [sys.executable, "-m", "akstwin", "compare", *options]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_clock_that_somebody_moves_makes_the_run_tell_nothing(server: FakeServer) -> None:
    """It says so instead of a verdict."""
    url, moved = server.first.http, threading.Event()

    def move() -> None:
        with httpx.Client(base_url=url) as client:
            while not moved.is_set():
                seen = client.get("/_akstwin/journal", params={"service": NAME, "limit": 100}).json()["entries"]
                if sum(each["client_request_id"] is None for each in seen) > 60:
                    client.post("/_akstwin/clock", json={"advance": f"{5 * SECOND}us"})
                    return

    mover = threading.Thread(target=move)
    mover.start()
    try:
        found = compare(prepared(), url)
    finally:
        moved.set()
        mover.join()
    assert "clock went off by" in found["runs"][0]["meaningless"]
    assert found["met"] is False


def test_a_service_that_others_call_too_makes_the_run_tell_nothing(tmp_path: Path) -> None:
    """As one that `akstwin serve --scenario` calls by itself."""
    settings = Settings(port=0, tls_port=0, folder=tmp_path, scenario=scenario(duration="10m"), seed=77)
    with running(settings) as server:
        found = compare(prepared(), server.first.http)
    assert "more requests, which the scenario does not know" in found["runs"][0]["meaningless"]
    assert found["met"] is False


def test_a_server_that_dies_in_the_middle_is_named(tmp_path: Path) -> None:
    """In one line, with its address."""
    command = [sys.executable, "-m", "akstwin", "serve", "--port", "0", "--tls-port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as served:
        assert served.stdout is not None
        url = served.stdout.readline().split()[2]

        def kill() -> None:
            with httpx.Client(base_url=url) as client:
                while client.get("/_akstwin/journal").json()["total"] < 60:
                    pass
            served.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(AksError, match=url.removeprefix("http://")):
            compare(prepared(), url)
        killer.join()
