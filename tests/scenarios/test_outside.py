"""A service that is not ours: the scenario's load on it, its answers beside the prediction."""

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme
from click.testing import CliRunner

from akstwin.errors import AksError
from akstwin.scenarios.compare_command import compare as command
from akstwin.scenarios.load import load
from akstwin.scenarios.outside import EVIDENCE_HEADING, Outside, compare_outside, evidence, is_outside, peak_rate

KEY = "s3cret-key"
PLENTY = 1000  # places: none waits, however slow the machine is, so that each answer is 200
SCENARIO = """\
question: Does it answer as predicted?
seed: 4
duration: 6s
webservice:
  name: fraud
  deploy: {num_replicas: 2}
  model: {service_time: 100ms}
traffic: [{shape: poisson, rate: RATE}]
assumptions: {router_overhead: 0s}
"""


@dataclass
class Service:
    """A small service with a queue in front of a few places, as a proxy with `maxconn` and a queue time-out is.

    Attributes:
        places: requests that it works on at once.
        seconds: that each takes.
        patience: seconds in the queue, after which it answers 503.
        key: that it wants.
        heads: of the requests that it has read.
    """

    places: int = 2
    seconds: float = 0.1
    patience: float = 0.5
    key: str = ""
    heads: list[str] = field(default_factory=list)
    most: int = 0
    under_way: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                self.heads.append(head)
                length = next(
                    int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length")
                )
                await reader.readexactly(length)
                self.under_way += 1
                self.most = max(self.most, self.under_way)
                status, text = await self.answer(head)
                self.under_way -= 1
                writer.write(
                    f"HTTP/1.1 {status} X\r\nServer: small\r\nDate: now\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def answer(self, head: str) -> tuple[int, str]:
        """The status and the text."""
        if self.key and f"Authorization: Bearer {self.key}\r\n" not in head:
            return 401, "who are you?"
        try:
            await asyncio.wait_for(self.free.acquire(), self.patience)
        except TimeoutError:
            return 503, "too busy"
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.free.release()
        return 200, '{"score": 1}'


@contextmanager
def running(service: Service, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """The service in a thread; its port."""
    ready = threading.Event()
    found: dict[str, Any] = {}

    async def main() -> None:
        service.free = asyncio.Semaphore(service.places)  # type: ignore[attr-defined]
        server = await asyncio.start_server(service.serve, "127.0.0.1", 0, ssl=tls)
        found.update(port=server.sockets[0].getsockname()[1], loop=asyncio.get_running_loop(), end=asyncio.Event())
        ready.set()
        await found["end"].wait()
        server.close()
        await asyncio.sleep(0.2)  # for connections to be closed from the other end

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert ready.wait(60)
    try:
        yield found["port"]
    finally:
        found["loop"].call_soon_threadsafe(found["end"].set)
        thread.join(60)


def scenario(folder: Path, rate: float = 10, **changes: str) -> Path:
    """A scenario file."""
    text = SCENARIO.replace("RATE", str(rate))
    for name, value in changes.items():
        text = f"{name}: {value}\n" + "".join(line for line in text.splitlines(True) if not line.startswith(f"{name}:"))
    (folder / "s.yaml").write_text(text)
    return folder / "s.yaml"


def test_shares_quantiles_texts_and_headers_stand_beside_the_prediction(tmp_path: Path) -> None:
    """Of a service that is asked for more than it can do."""
    service = Service()
    prepared = load(scenario(tmp_path, 30, duration="10s"))
    with running(service) as port:
        found = compare_outside(prepared, Outside(f"http://127.0.0.1:{port}/score?v=1"))
    assert found["against"] == f"http://127.0.0.1:{port}/score"
    assert found["requests"]["measured"] == found["requests"]["predicted"] > 250
    assert set(found["statuses"]) == {"200", "503"}
    if found["meaningless"] is None:
        assert abs(found["refused"]["difference_points"]) < 15
        assert found["latency"]["p50"]["off"] == pytest.approx(0, abs=0.5)
    assert found["refused"]["predicted"] > 0.15
    assert found["latency"]["p95"]["measured"] > 0.3
    by_status = {each["status"]: each for each in found["answers"]}
    assert by_status[503]["measured"]["texts"][0]["text"] == "too busy"
    assert by_status[503]["measured"]["headers"] == {"server": "small", "date": "…", "content-length": "…"}
    assert by_status[503]["predicted"]["texts"][0]["text"] == "Too many requests for service fraud (overloaded)"
    assert by_status[503]["predicted"]["headers"]["server"] == "Cowboy"
    assert by_status[200]["measured"]["texts"][0]["text"] == '{"score": 1}'
    assert by_status[200]["predicted"]["texts"] == []


def test_nothing_of_the_twin_is_in_a_request(tmp_path: Path) -> None:
    """What any client sends; the body is the file's, the key that of the environment."""
    service = Service(places=PLENTY, key=KEY)
    (tmp_path / "body.json").write_text('{"data": [1]}')
    with running(service) as port:
        found = compare_outside(
            load(scenario(tmp_path, duration="1s")),
            Outside(f"http://127.0.0.1:{port}/a/score?v=1", KEY, b'{"data": [1]}'),
        )
    assert found["statuses"].keys() == {"200"}
    lines = service.heads[0].split("\r\n")
    assert lines[0] == "POST /a/score?v=1 HTTP/1.1"
    names = {line.partition(":")[0].lower() for line in lines[1:] if line}
    assert names == {"host", "authorization", "user-agent", "content-type", "accept", "content-length"}
    assert f"Content-Length: {len(b'{}data: [1]') + 2}" in lines


def test_https_is_checked_against_its_authority(tmp_path: Path) -> None:
    """Trusted by a file; refused without it."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    prepared = load(scenario(tmp_path, duration="1s"))
    with running(Service(places=PLENTY), context) as port:
        url = f"https://127.0.0.1:{port}/score"
        found = compare_outside(prepared, Outside(url, ca=tmp_path / "ca.pem"))
        assert found["statuses"].keys() == {"200"}
        with pytest.raises(AksError, match=r"its certificate is not trusted .*--ca FILE names the authority's"):
            compare_outside(prepared, Outside(url))


def test_no_more_are_under_way_than_agreed(tmp_path: Path) -> None:
    """Beyond that none are sent; they are counted, and are no answers."""
    service = Service(places=50, seconds=0.3)
    with running(service) as port:
        found = compare_outside(
            load(scenario(tmp_path, 60, duration="2s")), Outside(f"http://127.0.0.1:{port}/score", most=4)
        )
    assert service.most <= 4
    assert found["requests"]["held_back"] > 20
    assert found["requests"]["held_back"] + found["requests"]["measured"] >= found["requests"]["predicted"] - 4
    assert "none" not in found["statuses"]
    assert any("requests were not sent, because 4 were under way" in note for note in found["notes"])


def test_repeats_are_the_scenarios_clients(tmp_path: Path) -> None:
    """A refused request comes again, in both worlds."""
    text = "{retry: {statuses: [503], attempts: 2, backoff: 200ms}}"
    prepared = load(scenario(tmp_path, 40, duration="3s", clients=text))
    with running(Service()) as port:
        found = compare_outside(prepared, Outside(f"http://127.0.0.1:{port}/score"))
    assert found["requests"]["predicted"] > 120
    assert found["requests"]["measured"] > 120


@pytest.mark.parametrize(
    ("path", "key", "said"),
    [("/score", "", "no request alone was answered 200, but 401 'who are you\\?': the path, the key or the body")],
)
def test_a_service_that_takes_nothing_is_not_loaded(tmp_path: Path, path: str, key: str, said: str) -> None:
    """Ten requests tell: nothing more is sent."""
    service = Service(key=KEY)
    with running(service) as port, pytest.raises(AksError, match=said):
        compare_outside(load(scenario(tmp_path)), Outside(f"http://127.0.0.1:{port}{path}", key))
    assert len(service.heads) == 10


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://x/score", "--against: 'ftp://x/score' is not a URL such as"),
        ("https://me:pass@x/score", "is not without a secret; name it with --key-env"),
        ("https://x:99999/score", "a URL with a port from 1 to 65535"),
        ("https://x/a b", "a URL whose path is percent-encoded"),
    ],
)
def test_addresses_that_are_none(tmp_path: Path, url: str, said: str) -> None:
    """Refused before anything is sent, and no secret is repeated."""
    with pytest.raises(AksError) as error:
        compare_outside(load(scenario(tmp_path)), Outside(url))
    assert said in str(error.value)
    assert "pass" not in str(error.value).replace("passes", "")


def test_nobody_there(tmp_path: Path) -> None:
    """Named, with the address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(AksError, match=f"127.0.0.1:{port}: no connection: .*is the service there"):
            compare_outside(load(scenario(tmp_path)), Outside(f"http://127.0.0.1:{port}/score"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"start": "cold"}, "start: 'cold' is not healthy"),
        ({"traffic": "[]"}, r"traffic: \[\] is not at least one entry"),
        (
            {"faults": "[{kind: replica_kill, at: 1s}]"},
            "faults: 1 is not empty: nothing is broken or changed at the other end",
        ),
    ],
)
def test_scenarios_that_cannot_be_played_outside(tmp_path: Path, changes: dict[str, str], said: str) -> None:
    """What only the twin can do."""
    with pytest.raises(AksError, match=said):
        compare_outside(load(scenario(tmp_path, **changes)), Outside("https://any.example/score"))


# -- the command


def test_a_rate_above_what_was_agreed_is_asked_for(tmp_path: Path) -> None:
    """Without a terminal it is refused; --yes or a higher --max-rate agree to it."""
    path = scenario(tmp_path, 50, duration="1s")
    peak = peak_rate(load(path))
    assert 35 < peak < 80
    service = Service(places=PLENTY)
    with running(service) as port:
        words = [str(path), "--against", f"http://127.0.0.1:{port}/score"]
        refused = CliRunner().invoke(command, words)
        assert str(refused.exception) == (
            f"--max-rate: '20' is not at least the {peak} requests that come in one second; give more, or --yes"
        )
        assert not service.heads
        for more in (["--yes"], ["--max-rate", str(peak)]):
            assert CliRunner().invoke(command, [*words, *more]).exit_code == 0
    assert len(service.heads) > 60


def test_the_command_writes_figures_and_evidence_and_never_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that the page on fidelity takes as they are."""
    monkeypatch.setenv("SCORE_KEY", KEY)
    path = scenario(tmp_path, duration="2s")
    rows, figures = tmp_path / "rows.md", tmp_path / "r.json"
    with running(Service(places=PLENTY, key=KEY)) as port:
        words = [str(path), "--against", f"http://127.0.0.1:{port}/score?code={KEY}", "--key-env", "SCORE_KEY"]
        done = CliRunner().invoke(command, [*words, "--evidence", str(rows), "--json", str(figures), "--runs", "2"])
    assert done.exit_code == 0, done.exception
    found = json.loads(figures.read_text())
    assert rows.read_text() == evidence(found)
    assert rows.read_text().startswith(EVIDENCE_HEADING)
    assert "| share of 200 | 100.00 % (" in rows.read_text()
    assert f"| s, seed 4, 2 runs, against http://127.0.0.1:{port}/score" in rows.read_text()
    for text in (done.output, rows.read_text(), figures.read_text()):
        assert KEY not in text
    assert "Does it answer as predicted?" in done.output
    assert "share of 200" in done.output


def test_gates_hold_outside_too(tmp_path: Path) -> None:
    """Exit status 1 where the share of 503 is another."""
    path = scenario(tmp_path, 15, duration="4s")
    with running(Service(places=1, patience=0.05)) as port:
        words = [str(path), "--against", f"http://127.0.0.1:{port}/score", "--yes", "--gate", "--refused-within", "0.5"]
        done = CliRunner().invoke(command, words)
    assert done.exit_code == 1
    assert "refused_within at most 0.5: not met" in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--against", "https://any.example/score", "--overwrite"], "--overwrite goes with a server of the twin"),
        (
            ["--against", "https://any.example/score", "--same-status", "0.9"],
            "--same-status goes with a server of the twin",
        ),
        (["--against", "http://127.0.0.1:8899", "--key-env", "X"], "--key-env goes with a scoring path"),
        (["--against", "http://127.0.0.1:8899/", "--evidence", "x.md"], "--evidence goes with a scoring path"),
    ],
)
def test_options_that_would_do_nothing_are_refused(tmp_path: Path, words: list[str], said: str) -> None:
    """Each belongs to one of the two."""
    assert said in CliRunner().invoke(command, [str(scenario(tmp_path)), *words]).output


def test_a_key_that_is_not_there(tmp_path: Path) -> None:
    """The variable is named, not its value."""
    words = [str(scenario(tmp_path)), "--against", "https://any.example/score", "--key-env", "NO_SUCH_KEY"]
    refused = CliRunner().invoke(command, words)
    assert "--key-env: 'NO_SUCH_KEY' is not the name of an environment variable that holds a key" in str(
        refused.exception
    )


def test_a_path_makes_the_difference() -> None:
    """A server of the twin is named without one."""
    assert is_outside("https://any.example/score")
    assert is_outside("http://any.example/api/v1/service/fraud/score")
    assert not is_outside("http://127.0.0.1:8899")
    assert not is_outside("http://127.0.0.1:8899/")


def test_the_page_on_fidelity_takes_such_rows() -> None:
    """Its table has the columns that are written."""
    page = Path(__file__).parents[2] / "docs" / "templates" / "fidelity.md"
    assert EVIDENCE_HEADING in page.read_text(encoding="utf-8")
