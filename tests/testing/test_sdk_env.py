"""`sdk_env` without the SDK: variables, sleeps, and hosts that must not be reached. `tests/served` has the SDK itself."""

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from socket import getaddrinfo as taken_before
from types import ModuleType
from typing import Any

import httpx
import pytest

from akstwin.backend import WorkspaceIdentity
from akstwin.errors import AksError, InvalidSetting
from akstwin.fake_api.thread import ServerThread
from akstwin.testing import CloudRefused, sdk_env
from akstwin.testing.cloud import CLOUD_HOSTS, in_cloud

ROOT = Path(__file__).parents[2]
SECOND = 1_000_000
Open = Callable[..., str]


@pytest.fixture(scope="module")
def server() -> Iterator[ServerThread]:
    """A server without workspaces."""
    with ServerThread() as thread:
        yield thread


@pytest.fixture
def opened(server: ServerThread, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Opens a workspace: `opened(clock="manual")` is its URL."""
    places = []

    def open_(name: str = "first", **given: Any) -> str:
        place = server.open(WorkspaceIdentity(name), **{"clock": "jump", **given})
        places.append(place)
        return place.http

    yield open_
    for place in places:
        server.close_place(place)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What is slept really; nobody waits for it."""
    seconds: list[float] = []
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds


def _module(name: str, code: str = "import time\n\ndef wait(seconds):\n    time.sleep(seconds)\n") -> Any:
    module = ModuleType(name)
    exec(compile(code, name, "exec"), module.__dict__)  # noqa: S102 - stands for an installed one
    return module


class TestVariables:
    """What a process is told."""

    def test_they_are_those_that_serve_prints_and_gone_at_the_end(self, opened: Open) -> None:
        """The folders, too; and each time they are new."""
        url, before, homes = opened(), dict(os.environ), set()
        for _ in range(2):
            with sdk_env(url) as env:
                assert {name: os.environ[name] for name in env.variables} == env.variables
                assert os.environ["AZUREML_DISCOVERY_SERVICE_ENDPOINT"] == f"{url}/discovery"
                assert os.environ["ARM_CLOUD_METADATA_URL"].startswith(f"{env.https_url}/metadata")
                home = Path(os.environ["HOME"])
                assert [each.name for each in home.iterdir()] == [".azure"]
                homes.add(home)
            assert not home.exists()
            assert dict(os.environ) == before
        assert len(homes) == 2

    def test_all_is_as_before_after_an_error(self, opened: Open) -> None:
        """Sleeps and connections as well."""
        before, sleep = dict(os.environ), time.sleep  # noqa: TID251 - looked at
        with pytest.raises(ZeroDivisionError), sdk_env(opened()):
            _ = 1 / 0
        assert dict(os.environ) == before
        assert time.sleep is sleep  # noqa: TID251 - looked at
        assert not in_guard("management.azure.com")

    def test_what_would_mislead_is_away_meanwhile(self, opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
        """The SDK believes these more than it believes discovery."""
        monkeypatch.setenv("AZUREML_DEV_URL_ASSETS", "https://elsewhere")
        monkeypatch.setenv("AZUREML_EXPERIMENTATION_HOST", "https://elsewhere")
        with sdk_env(opened()):
            assert not {"AZUREML_DEV_URL_ASSETS", "AZUREML_EXPERIMENTATION_HOST"} & set(os.environ)
        assert os.environ["AZUREML_DEV_URL_ASSETS"] == "https://elsewhere"

    def test_the_inner_of_two_counts(self, opened: Open, slept: list[float]) -> None:
        """And the outer again after it."""
        urls = [opened("one"), opened("two")]
        sdk = _module("azureml.core.webservice")
        with sdk_env(urls[0]) as outer:
            with sdk_env(urls[1]) as inner:
                assert os.environ["AZUREML_DISCOVERY_SERVICE_ENDPOINT"].startswith(urls[1])
                sdk.wait(5)
            assert os.environ["AZUREML_DISCOVERY_SERVICE_ENDPOINT"].startswith(urls[0])
            sdk.wait(7)
            assert (outer.clock.now(), inner.clock.now()) == (7 * SECOND, 5 * SECOND)
        assert slept == []

    def test_https_is_trusted_and_so_is_what_was_before(
        self, opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The server's authority, beside the process's own."""
        own = tmp_path / "own.pem"
        own.write_text("-- of the user --")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(own))
        with sdk_env(opened()) as env:
            text = Path(os.environ["REQUESTS_CA_BUNDLE"]).read_text()
            assert "-- of the user --" in text
            assert env.authority in text
        monkeypatch.delenv("REQUESTS_CA_BUNDLE")
        with sdk_env(env.url), urllib.request.urlopen(os.environ["ARM_CLOUD_METADATA_URL"]) as answer:  # noqa: S310 - https
            assert answer.status == 200

    @pytest.mark.parametrize("url", ["", "127.0.0.1:8899", "https://127.0.0.1:8900", "http://127.0.0.1:none", 8899])
    def test_no_url_is_refused(self, url: Any) -> None:
        """Before anything is set."""
        before = dict(os.environ)
        with pytest.raises(InvalidSetting, match=r"server: .* is not the http URL of a server"), sdk_env(url):
            pass
        assert dict(os.environ) == before

    def test_where_nobody_answers_the_address_is_named(self) -> None:
        """And nothing is set."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{free.getsockname()[1]}"
            with pytest.raises(AksError, match=url), sdk_env(url):
                pass

    def test_another_word_for_sleeps_is_refused(self, opened: Open) -> None:
        """The words are told."""
        with pytest.raises(InvalidSetting, match=r"sleeps: 'any' is not one of sdk, all, none"):
            sdk_env(opened(), sleeps="any").__enter__()  # type: ignore[arg-type]


class TestSleeps:
    """Whose time passes where."""

    @pytest.mark.parametrize("clock", ["live", "jump", "manual"])
    @pytest.mark.parametrize(
        "name", ["azureml._model_management._util", "azure.core.pipeline", "msrest.x", "urllib3.util.retry"]
    )
    def test_the_sdks_pass_on_the_servers_clock(self, opened: Open, slept: list[float], clock: str, name: str) -> None:
        """An hour, and nobody waits for it."""
        with sdk_env(opened(clock=clock)) as env:
            begun = env.clock.now()
            _module(name).wait(3600)
            assert env.clock.now() >= begun + 3600 * SECOND
            assert env.slept == 3600
        assert slept == []

    @pytest.mark.parametrize(
        ("sleeps", "name", "taken"),
        [
            ("sdk", "my.client", False),
            ("all", "my.client", True),
            ("all", "subprocess", False),
            ("none", "azureml.core", False),
            ("none", "my.client", False),
            ("sdk", "azuremlish.core", False),
        ],
    )
    def test_others_pass_as_asked(self, opened: Open, slept: list[float], sleeps: Any, name: str, taken: bool) -> None:
        """The test's own only when it says so; the standard library's never."""
        with sdk_env(opened(), sleeps=sleeps) as env:
            _module(name).wait(5)
            assert env.clock.now() == (5 * SECOND if taken else 0)
        assert slept == ([] if taken else [5])

    def test_who_keeps_the_name_sleeps_really_afterwards(self, opened: Open, slept: list[float]) -> None:
        """A module that was imported inside has `from time import sleep`."""
        url = opened()
        with sdk_env(url) as env:
            kept = _module("azureml.late", "from time import sleep\n\ndef wait(seconds):\n    sleep(seconds)\n")
            kept.wait(5)
            assert env.clock.now() == 5 * SECOND
        kept.wait(3)
        assert slept == [3]
        with sdk_env(url) as env:
            kept.wait(2)
            assert env.clock.now() == 7 * SECOND

    def test_waiting_for_threads_of_ones_own_moves_no_clock(self, opened: Open, slept: list[float]) -> None:
        """How often the SDK looks at its uploads depends on the machine; virtual time must not."""
        with sdk_env(opened()) as env:
            _module("azureml._common.async_utils.task_queue").wait(0.25)
            assert env.clock.now() == 0
        assert slept == [0.005]

    @pytest.mark.parametrize("seconds", [0, -1])
    def test_no_time_is_no_business_of_the_server(self, opened: Open, seconds: float) -> None:
        """What Python says of it, it says here."""
        with sdk_env(opened()) as env:
            sdk = _module("azureml.core")
            if seconds < 0:
                with pytest.raises(ValueError, match="non-negative"):
                    sdk.wait(seconds)
            else:
                sdk.wait(seconds)
            assert env.slept == 0

    @pytest.mark.parametrize("clock", ["live", "jump", "manual"])
    def test_threads_sleep_side_by_side(self, opened: Open, clock: str) -> None:
        """Each at least as long as it asked, and not one after the other where they begin together."""
        with sdk_env(opened(clock=clock)) as env:
            begun, sdk = env.clock.now(), _module("azureml.core")
            woken: list[int] = []

            def sleep(seconds: float) -> None:
                sdk.wait(seconds)
                woken.append(env.clock.now() - begun)

            threads = [threading.Thread(target=sleep, args=(each,)) for each in (100, 200)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
        assert len(woken) == 2
        assert max(woken) >= 200 * SECOND

    def test_time_passes_on_all_workspaces_that_were_talked_to(
        self, server: ServerThread, opened: Open, slept: list[float]
    ) -> None:
        """On one that came later too; on others not."""
        urls = [opened(name, clock="manual") for name in ("first", "talked", "silent")]
        sdk = _module("azureml.core")
        with sdk_env(urls[0]) as env:
            sdk.wait(1)
            httpx.get(f"{urls[1]}/_akstwin/health").raise_for_status()
            sdk.wait(5)
            assert env.slept == 6
        now = [httpx.get(f"{url}/_akstwin/clock").json()["now"] // SECOND for url in urls]
        assert now == [6, 5, 0]

    def test_a_server_that_is_gone_is_told(self, server: ServerThread) -> None:
        """Nothing is slept in its place."""
        place = server.open(WorkspaceIdentity("gone"), clock="jump")
        with sdk_env(place.http):
            server.close_place(place)
            with pytest.raises(AksError, match=place.http):
                _module("azureml.core").wait(5)


def in_guard(host: str) -> bool:
    """Whether the process refuses the host just now; it is not looked up really."""
    try:
        sys.audit("socket.getaddrinfo", host, 443, 0, 0, 0)
    except CloudRefused:
        return True
    return False


class TestCloud:
    """What must not be reached."""

    @pytest.mark.parametrize(
        "reach",
        [
            lambda host: socket.create_connection((host, 443), timeout=1),
            lambda host: taken_before(host, 443),
            socket.gethostbyname,
            lambda host: httpx.get(f"https://{host}/subscriptions"),
            lambda host: urllib.request.urlopen(f"https://{host}/", timeout=1),
            lambda host: urllib.request.urlopen(f"https://{host.upper()}/", timeout=1),
            lambda host: socket.create_connection((f"{host}.".encode(), 443), timeout=1),
        ],
    )
    def test_azure_is_refused_by_name(
        self, opened: Open, monkeypatch: pytest.MonkeyPatch, reach: Callable[[str], Any]
    ) -> None:
        """However it is asked for, and past a proxy that would ask for it."""
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        with sdk_env(opened()) as env:
            with pytest.raises(CloudRefused, match=r"(?i)^management\.azure\.com\.?: ") as refused:
                reach("management.azure.com")
            assert refused.value.host.lower().rstrip(".") == "management.azure.com"
            assert env.refused == [refused.value.host]

    def test_a_connection_by_name_needs_no_look_up(self, opened: Open) -> None:
        """The metadata service of Azure's machines has none."""
        with sdk_env(opened()), socket.socket() as plain, pytest.raises(CloudRefused, match=r"169\.254\.169\.254"):
            plain.connect(("169.254.169.254", 80))

    @pytest.mark.parametrize(
        "host", ["notazure.com", "azure.com.example.org", "example.org", "127.0.0.1", "", "windows.network"]
    )
    def test_all_else_is_let_through(self, opened: Open, host: str) -> None:
        """A name that only looks like one of Azure's, too."""
        with sdk_env(opened()) as env:
            assert not in_guard(host)
            assert in_guard(f"{host}.azure.com")
            assert env.refused == [f"{host}.azure.com"]

    def test_what_the_process_has_itself_is_reached(self, opened: Open) -> None:
        """Another server on this machine."""
        with sdk_env(opened()), socket.create_server(("127.0.0.1", 0)) as own:
            socket.create_connection(own.getsockname(), timeout=5).close()

    def test_hosts_are_domains_without_dots_around(self) -> None:
        """So that endings fit; and each is refused itself."""
        assert all(
            host == host.strip(".").lower() and in_cloud(host) and in_cloud(f"any.{host}") for host in CLOUD_HOSTS
        )


def test_the_standard_library_is_all_it_needs(opened: Open) -> None:
    """As in an environment that has azureml-core, and not what akstwin needs."""
    code = (
        "import sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "import akstwin.testing\n"
        "assert 'akstwin.testing.check' not in sys.modules\n"
        "with akstwin.testing.sdk_env(sys.argv[1]) as env:\n"
        "    env.clock.sleep(5)\n"
        "    print(env.workspace, env.clock.now())\n"
    )

    done = subprocess.run(
        [sys.executable, "-S", "-I", "-W", "error", "-c", code, opened()], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout) == (0, "first 5000000\n"), done.stderr


def test_a_table_of_clouds_that_cannot_be_told_is_refused(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """By name, and nothing stays set."""
    before = dict(os.environ)
    monkeypatch.setitem(sys.modules, "azureml._vendor.azure_cli_core.cloud", ModuleType("another"))
    with pytest.raises(AksError, match=r"enter sdk_env\(\) before azureml\.core is imported"), sdk_env(opened()):
        pass
    assert dict(os.environ) == before
