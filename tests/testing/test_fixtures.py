"""The fixtures of pytest's plugin, in tests as a user would write them; and that nothing of them is left behind."""

import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from akstwin import AksCompute, ComputeTarget, Webservice, Workspace
from akstwin.errors import AksError, NotFound
from akstwin.testing.marks import Told
from akstwin.testing.passing import AksClock
from akstwin.testing.sdk import SdkEnvironment
from akstwin.testing.served import AksFaults, AksServer, Host, VirtualClock

SECOND = 1_000_000
SCENARIO = {
    "seed": 5,
    "duration": "10s",
    "webservice": {"name": "fraud", "deploy": {"num_replicas": 1, "max_request_wait_time": 100}},
    "traffic": [],
}


def _score(server: AksServer, count: int = 1, **headers: str) -> list[int]:
    """The statuses of requests, one after another."""
    ws = server.connect()
    ws.simulation.profile("fraud", reply={"ok": True})
    key, _ = Webservice(ws, "fraud").get_keys()
    given = {"Authorization": f"Bearer {key}", **headers}
    url = f"{server.url}/api/v1/service/fraud/score"
    with httpx.Client(headers=given) as client:
        return [client.post(url, content=b"{}").status_code for _ in range(count)]


class TestServer:
    """Each test has a workspace of its own on one server."""

    seen: list[tuple[str, str, str]] = []

    @pytest.mark.parametrize("turn", [1, 2])
    def test_a_test_finds_nothing_of_another(self, aks_server: AksServer, turn: int) -> None:
        """Name, port, clock, journal and compute targets are its own."""
        assert len(aks_server.journal) == 0
        assert aks_server.clock.now() == 0
        ws = aks_server.connect()
        assert ws.name == aks_server.workspace
        assert ws.name.startswith("test-a-test-finds-nothin"[:24].rstrip("-"))
        assert ws.compute_targets == {}
        ComputeTarget.create(ws, "aks", AksCompute.provisioning_configuration()).wait_for_completion()
        assert aks_server.clock.now() > 0
        httpx.post(f"{aks_server.url}/api/v1/service/none/score")
        aks_server.journal.assert_statuses(counts={404: 1})
        self.seen.append((aks_server.workspace, aks_server.url, aks_server.https_url))
        assert all(len(set(each)) == len(self.seen) for each in list(zip(*self.seen, strict=True))[:1])

    def test_https_is_served_and_its_variables_say_whom_to_trust(self, aks_server: AksServer) -> None:
        """Another process reaches it with nothing but the variables."""
        code = (
            "import os, ssl, urllib.request\n"
            "context = ssl.create_default_context(cafile=os.environ['SSL_CERT_FILE'])\n"
            "url = os.environ['ARM_CLOUD_METADATA_URL']\n"
            "assert url.startswith('https://'), url\n"
            "print(urllib.request.urlopen(url, context=context).status, os.listdir(os.environ['HOME']))\n"
        )

        done = subprocess.run(
            [sys.executable, "-c", code], env=aks_server.env, capture_output=True, text=True, check=False
        )

        assert (done.returncode, done.stdout) == (0, "200 ['.azure']\n"), done.stderr
        assert aks_server.env["AZUREML_DISCOVERY_SERVICE_ENDPOINT"].startswith(aks_server.url)

    @pytest.mark.aks(scenario=SCENARIO)
    def test_a_scenario_is_there_from_the_start(self, aks_server: AksServer) -> None:
        """With its seed; and what clients got stands in the journal."""
        assert aks_server.seed == 5
        assert _score(aks_server, 3) == [200, 200, 200]
        aks_server.journal.where(service="fraud").assert_statuses(counts={200: 3})
        with pytest.raises(AssertionError, match="answers that were not expected: 3 × 200"):
            aks_server.journal.assert_statuses(404)

    @pytest.mark.aks(seed=9, scenario=SCENARIO, assumptions={"router_overhead": "7ms"})
    def test_marks_have_the_last_word(self, aks_server: AksServer) -> None:
        """Over the scenario's."""
        assert aks_server.seed == 9
        assert aks_server.connect().backend.assumptions.router_overhead == 7_000

    @pytest.mark.aks(clock="manual")
    def test_what_a_program_opens_beside_is_run_as_the_tests_own(self, aks_server: AksServer) -> None:
        """Its clock holds for that one too."""
        url = _opened_beside(aks_server)

        assert url != aks_server.url
        assert httpx.get(f"{url}/_akstwin/health").json()["clock"] == "manual"


class TestClock:
    """By the test's clock."""

    def test_a_jumping_clock_passes_a_sleep_at_once(self, aks_server: AksServer, aks_clock: AksClock) -> None:
        """An hour takes no time."""
        assert aks_clock.mode == "jump"
        aks_clock.sleep(3600)
        assert aks_clock.now() == 3600 * SECOND
        assert aks_clock.advance("5m") == 3900 * SECOND
        aks_clock.sleep("250ms")
        assert aks_clock.now() == 3_900_250_000

    @pytest.mark.aks(clock="manual")
    def test_a_manual_clock_passes_what_is_slept(self, aks_clock: AksClock) -> None:
        """Nobody else would move it; what sleeps side by side sleeps together."""
        assert aks_clock.mode == "manual"
        started = threading.Barrier(3)

        def sleep() -> None:
            started.wait()
            aks_clock.sleep(5)

        threads = [threading.Thread(target=sleep) for _ in range(2)]
        for thread in threads:
            thread.start()
        started.wait()
        for thread in threads:
            thread.join(30)
        assert 5 * SECOND <= aks_clock.now() <= 10 * SECOND  # one after another where the first was quicker

    @pytest.mark.aks(clock="paced", rate=1000)
    def test_a_paced_clock_has_its_rate(self, aks_clock: AksClock) -> None:
        """Ten virtual seconds, in ten real milliseconds."""
        begun = aks_clock.now()
        aks_clock.sleep(10)
        assert aks_clock.now() >= begun + 10 * SECOND

    def test_nonsense_is_refused(self, aks_clock: AksClock) -> None:
        """By its name, and no time passes."""
        with pytest.raises(AksError, match="soon"):
            aks_clock.advance("soon")
        with pytest.raises(ValueError, match="non-negative"):
            aks_clock.sleep(-1)
        assert aks_clock.now() == 0

    def test_beside_a_virtual_workspace_it_is_that_ones(
        self, aks_workspace: Workspace, aks_clock: VirtualClock
    ) -> None:
        """No second world is made unasked."""
        assert aks_clock.mode == "virtual"
        assert aks_clock.advance("5m") == aks_workspace.clock.now() == 300 * SECOND
        aks_clock.sleep(0.5)
        assert aks_workspace.simulation.now == 300.5

    def test_the_server_is_meant_where_both_are_there(
        self, aks_workspace: Workspace, aks_server: AksServer, aks_clock: AksClock
    ) -> None:
        """The virtual workspace has its own, as `aks_workspace.clock`."""
        aks_clock.advance("1s")
        assert (aks_server.clock.now(), aks_workspace.clock.now()) == (SECOND, 0)


@pytest.mark.aks(scenario=SCENARIO)
class TestFaults:
    """What is broken on purpose; the class's mark holds for each test."""

    def test_a_fault_strikes_until_its_block_ends(self, aks_server: AksServer, aks_faults: AksFaults) -> None:
        """And the journal names it."""
        with aks_faults.add("drop_connection", service="fraud") as fault:
            for _ in range(2):
                with pytest.raises(httpx.RemoteProtocolError):
                    _score(aks_server)
            assert (fault.struck, len(aks_faults)) == (2, 1)
        assert len(aks_faults) == 0
        assert _score(aks_server) == [200]
        assert [entry.faults for entry in aks_server.journal] == [(fault.id,), (fault.id,), ()]
        with pytest.raises(NotFound, match=f"fault {fault.id} has been ended"):
            _ = fault.struck

    def test_faults_are_removed_by_hand(self, aks_faults: AksFaults) -> None:
        """One, by itself or by its id; or all."""
        first, second = (aks_faults.add("delay_answer", service="fraud", by="1s") for _ in range(2))
        aks_faults.add("replica_hang", service="fraud")
        aks_faults.remove(first)
        aks_faults.remove(second.id)
        assert [each["kind"] for each in aks_faults] == ["replica_hang"]
        aks_faults.clear()
        assert list(aks_faults) == []
        with pytest.raises(NotFound, match="f1"):
            first.end()

    def test_one_that_ended_in_its_block_is_let_be(self, aks_faults: AksFaults) -> None:
        """No second end is tried."""
        with aks_faults.add("delay_answer", by="1s") as fault:
            fault.end()

    def test_mistakes_are_named(self, aks_faults: AksFaults) -> None:
        """As the server names them."""
        with pytest.raises(AksError, match="replica_kil"):
            aks_faults.add("replica_kil")
        with pytest.raises(NotFound, match="frood"):
            aks_faults.add("replica_kill", service="frood")


class TestVirtual:
    """A workspace in virtual time."""

    @pytest.mark.aks(seed=11, scenario=SCENARIO, assumptions={"router_lag": "3s"})
    def test_it_is_as_marked(self, aks_workspace: Workspace) -> None:
        """Seed, scenario, assumptions."""
        assert aks_workspace.backend.seed == 11  # type: ignore[attr-defined]  # a simulated one has it
        assert set(aks_workspace.webservices) == {"fraud"}
        assert aks_workspace.backend.assumptions.router_lag == 3 * SECOND


def test_azureml_core_is_pointed_at_the_tests_server(aks_server: AksServer, aks_sdk_env: SdkEnvironment) -> None:
    """The fixture is `sdk_env` around the test."""
    assert aks_sdk_env.url == aks_server.url
    assert aks_sdk_env.workspace == aks_server.workspace
    assert aks_sdk_env.clock.now() == 0


class TestEnd:
    """Nothing is left."""

    def test_ports_folders_scripts_and_threads_end_with_the_test(self) -> None:
        """Those of workspaces that a program has opened beside, too."""
        threads = set(threading.enumerate())
        host = Host()
        one = host.open("tests/test_x.py::test_one", Told())
        home = Path(one.env["HOME"])
        connected = one.connect()
        beside = urlsplit(_opened_beside(one)).port
        port = urlsplit(one.url).port
        other = host.open("tests/test_x.py::test_other", Told())

        one.close()

        assert not home.exists()
        for taken in (port, beside):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", taken or 0), timeout=5)
        with pytest.raises(RuntimeError, match="closed"):
            connected.webservices  # noqa: B018 - asks the server
        assert httpx.get(f"{other.url}/_akstwin/health").status_code == 200  # opened later: it goes on
        other.close()
        host.close()
        assert _soon(lambda: set(threading.enumerate()) <= threads)

    def test_a_setting_that_is_refused_leaves_no_port(self) -> None:
        """The server goes on, and says which."""
        host = Host()
        with pytest.raises(AksError, match="router_lagg"):
            host.open("test_x", Told(assumptions={"router_lagg": "1s"}))
        server = host.open("test_x", Told())
        assert httpx.get(f"{server.url}/_akstwin/health").status_code == 200
        server.close()
        host.close()

    def test_a_closed_server_says_so(self) -> None:
        """It does not hang."""
        host = Host()
        host.open("test_x", Told()).close()
        host.close()
        with pytest.raises(AksError, match="closed"):
            host.open("test_x", Told())


def _opened_beside(server: AksServer) -> str:
    """The URL of a workspace that a program asks for on the port of a test's."""
    base = f"/subscriptions/{server.subscription_id}/resourceGroups/{server.resource_group}"
    path = f"{base}/providers/Microsoft.MachineLearningServices/workspaces/beside"
    headers = {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJ0aWQiOiJhZGZzIn0.eA"}
    told = httpx.get(f"{server.url}{path}?api-version=2022-05-01", headers=headers).json()
    return str(told["properties"]["discoveryUrl"]).removesuffix("/discovery")


def _soon(done: object) -> bool:
    """Whether it comes to be so."""
    for _ in range(500):
        if done():  # type: ignore[operator]
            return True
        time.sleep(0.01)  # noqa: TID251 - threads of the operating system
    return False
