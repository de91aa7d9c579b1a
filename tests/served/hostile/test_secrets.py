"""Keys and tokens are compared safely and told to nobody; scripts run elsewhere; foreign callers are refused."""

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from akstwin.backend import WorkspaceIdentity
from akstwin.cores import routing
from akstwin.fake_api.host_check import AllowedHosts

PRIMARY, SECONDARY = "recognisable-primary-key-0123456789", "recognisable-secondary-key-0123456789"
WRONG = "recognisable-wrong-credential"
TOKEN = "eyJhbGciOiJub25lIn0.eyJ0aWQiOiJhZGZzIn0.cmVjb2duaXNhYmxlLWxvZ2lu"  # noqa: S105 - a login that anybody could make
WS = WorkspaceIdentity().resource_id
MM = f"/modelmanagement/v1.0{WS}"
SCRIPT = b"""
import os, sys

def init():
    print("the script is ready")

def run(text):
    if "fail" in text:
        raise ValueError("the script fails")
    return {"pid": os.getpid(), "beside": sorted(name for name in sys.modules if "." not in name)}
"""


@dataclass
class Session:
    """A server in a process of its own, after a session with it.

    Attributes:
        http: its client, logged in.
        process: the server.
        told: all that it has given out where no secret belongs, by where.
        token: of the service that takes tokens.
        answer: of the entry script.
    """

    http: httpx.Client
    process: subprocess.Popen[str]
    told: dict[str, str]
    token: str = ""
    answer: Any = None


def deploy(http: httpx.Client, name: str, **given: Any) -> None:
    """A service with an entry script; it is up when this returns."""
    assets = [{"id": "score.py", "url": "aml://artifact/LocalUpload/script/score.py"}]
    environment = {"name": "e", "environmentVariables": {"AZUREML_ENTRY_SCRIPT": "score.py"}}
    request = {"assets": assets, "modelIds": [], "environment": environment}
    service = {"name": name, "computeType": "AKS", "computeName": "aks", "environmentImageRequest": request, **given}
    made = http.post(f"{MM}/services", json=service)
    assert made.status_code == 202, made.text
    assert http.get(made.headers["Operation-Location"]).json()["state"] == "Succeeded"
    http.post("/_akstwin/clock", json={"advance": "5s"})


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """Services with keys and with tokens, good and bad calls, faults, refusals."""
    folder = tmp_path_factory.mktemp("session")
    with (folder / "stderr").open("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "akstwin", "serve", "--port", "0", "--tls-port", "0", "--seed", "7"],
            cwd=folder, stdout=subprocess.PIPE, stderr=errors, text=True,
        )  # fmt: skip
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            url = first.split()[2]
            with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60) as http:
                found = Session(http, process, {"standard output": first})
                act(found)
                errors.flush()
                found.told["standard error"] = Path(errors.name).read_text()
                yield found
        finally:
            process.terminate()
            process.communicate(timeout=30)


def act(session: Session) -> None:
    """The session; what it is told is kept."""
    http, told = session.http, session.told
    body = {"location": "westeurope", "properties": {"computeType": "AKS"}}
    made = http.put(f"{WS}/computes/aks", params={"api-version": "2020-02-02"}, json=body)
    assert http.get(made.headers["Azure-AsyncOperation"]).json()["status"] == "Succeeded"
    batch = f"/artifact/v2.0{WS}/artifacts/batch/metadata/LocalUpload/script"
    uri = http.post(batch, json={"paths": [{"path": "score.py"}]}).json()["artifactContentInformation"]["score.py"]
    blob = "/blob/" + uri["contentUri"].partition("/blob/")[2]
    assert http.put(blob, content=SCRIPT, headers={"x-ms-blob-type": "BlockBlob"}).status_code == 201
    deploy(http, "keyed", keys={"primaryKey": PRIMARY, "secondaryKey": SECONDARY})
    deploy(http, "tokened", authEnabled=False, aadAuthEnabled=True)
    session.token = http.post(f"{MM}/services/tokened/token").json()["accessToken"]

    fault = {"kind": "delay_answer", "by": "1ms", "service": "keyed", "count": 1}
    told["fault"] = http.post("/_akstwin/faults", json=fault).text
    for name, credential in (
        ("keyed", PRIMARY), ("keyed", SECONDARY), ("keyed", WRONG), ("keyed", session.token), ("tokened", session.token),
        ("tokened", PRIMARY), ("tokened", session.token[:-4]), ("nobody", PRIMARY),
    ):  # fmt: skip
        for scheme in ("Bearer ", "bearer ", "Basic ", ""):
            for content in ("{}", "fail"):
                headers = {"Authorization": scheme + credential, "x-ms-client-request-id": "mine"}
                answer = http.post(f"/api/v1/service/{name}/score", content=content, headers=headers)
                told[f"score {name} {scheme}{credential} {content}"] = f"{answer.headers} {answer.text}"
                if answer.status_code == 200:
                    session.answer = answer.json()
    short = {"keyType": "Primary", "keyValue": WRONG}
    told["key"] = http.post(f"{MM}/services/keyed/regenerateKeys", json={**short, "keyType": "Third"}).text
    told["create"] = http.post(f"{MM}/services", json={"name": "-", "keys": {"primaryKey": WRONG}}).text
    told["patch"] = http.patch(
        f"{MM}/services/keyed", json=[{"op": "replace", "path": "/keys/primaryKey", "value": 1}]
    ).text
    for path in (
        f"{MM}/services", f"{MM}/services/keyed", f"{MM}/services/tokened", f"{MM}/services/keyed/logs", f"{MM}/nothing",
        f"{MM}/services/tokened/logs", f"{MM}/services/keyed/logs?init=true", "/_akstwin/journal?limit=10000",
        "/_akstwin/metrics",
        "/_akstwin/faults", "/_akstwin/events?follow=false", "/_akstwin/observe/keyed", "/_akstwin/health", "/_akstwin/nothing",
        "/_akstwin/assumptions", "/_akstwin/", "/elsewhere", "/api/v1/service/keyed/elsewhere",
        "/api/v1/service/keyed/swagger.json",
    ):  # fmt: skip
        for credential in (TOKEN, WRONG, PRIMARY):
            answer = http.get(path, headers={"Authorization": f"Bearer {credential}"})
            told[f"{path} {credential}"] = f"{answer.headers} {answer.text}"


def test_no_secret_is_told(session: Session) -> None:
    """Not in the journal, metrics, events, logs, documents, refusals, or what the process writes."""
    secrets = {PRIMARY, SECONDARY, WRONG, session.token, session.token.rpartition(".")[2], TOKEN.rpartition(".")[2]}
    found = {(where, secret) for where, text in session.told.items() for secret in secrets if secret in text}
    assert not found
    assert "the script is ready" in session.told[f"{MM}/services/keyed/logs {TOKEN}"]
    journal = session.told[f"/_akstwin/journal?limit=10000 {TOKEN}"]
    assert all(f'"status":{status},' in journal.replace(" ", "") for status in (200, 401, 404, 502)), (
        "it was a real session"
    )


def test_scripts_run_in_another_process(session: Session) -> None:
    """Nothing of the server is in reach there."""
    assert session.answer["pid"] != session.process.pid
    assert "sys" in session.answer["beside"]
    assert not {"uvicorn", "fastapi", "simpy", "joserfc"} & set(session.answer["beside"])


def test_tokens_are_signed_by_joserfc_and_expire_by_the_clock(session: Session) -> None:
    """A changed token is none, and an hour later it is none either, at a jump of the clock."""
    http, (head, claims, signature) = session.http, session.token.split(".")

    def status(token: str) -> int:
        given = {"Authorization": f"Bearer {token}"}
        return http.post("/api/v1/service/tokened/score", content="{}", headers=given).status_code

    other = "A" if signature[0] != "A" else "B"
    unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"  # {"alg": "none", "typ": "JWT"}
    assert status(session.token) == 200
    assert [status(each) for each in (f"{head}.{claims}.{other}{signature[1:]}", f"{unsigned}.{claims}.", TOKEN)] == [
        401
    ] * 3
    http.post("/_akstwin/clock", json={"advance": "24h"})
    assert status(session.token) == 401
    assert status(http.post(f"{MM}/services/tokened/token").json()["accessToken"]) == 200


def test_keys_are_compared_in_constant_time(wire: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both, whole, by the standard library: how long it takes tells nothing of how much was right."""
    compared = []

    class Watched:
        @staticmethod
        def compare_digest(given: bytes, kept: bytes) -> bool:
            compared.append((given, kept))
            return given == kept

    monkeypatch.setattr(routing, "hmac", Watched)
    keys = wire.world.mm("POST", "/services/there/listkeys").json()
    url = f"{wire.world.http}/api/v1/service/there/score"
    for credential in ("a", keys["primaryKey"][:-1] + "?", keys["primaryKey"]):
        compared.clear()
        httpx.post(url, json={}, headers={"Authorization": f"Bearer {credential}"})
        assert {kept for _, kept in compared} == {keys["primaryKey"].encode(), keys["secondaryKey"].encode()}
        assert {given for given, _ in compared} == {credential.encode()}


HOSTS = [
    "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "evil.example:8899", "127.0.0.1@evil.example",
    "evil.example@127.0.0.1", "127.0.0.1:8899:80", "127.0.0.1:port", "0.0.0.1", "[::2]", "2130706433", "",
    "127.0.0.1, evil.example", "127.0.0.1/evil.example", "127.0.0.1#evil.example", "[::1", "ｌocalhost",
]  # fmt: skip
ORIGINS = [
    "http://evil.example", "null", "", "file://", "http://127.0.0.1.evil.example", "http://evil.example#@127.0.0.1",
    "http://127.0.0.1@evil.example", "chrome-extension://127.0.0.1", "http://[::1", "127.0.0.1", "http://localhost:1",
    "https://localhost", "http://127.0.0.1:", "http://127.0.0.1:99999", "http://[::1]:8", "http://localhost http://localhost",
    "http://localhost/", "http://me@localhost", "NULL", "ws://localhost",
]  # fmt: skip


@pytest.mark.parametrize(
    "path", ["/", "/_akstwin/health", "/api/v1/service/there/score", f"{MM}/services", "/blob/x", "/discovery"]
)
def test_foreign_callers_are_refused(wire: Any, path: str) -> None:
    """Over http and https, in the first workspace and in others, on every route (DNS rebinding)."""
    world = wire.world
    other = world.client.get(WS.replace("akstwin", "other"), params={"api-version": "2022-05-01"}).json()
    further = other["properties"]["discoveryUrl"].removesuffix("/discovery")
    before = wire.state()
    for base in (world.http, world.https, further):
        with httpx.Client(base_url=base, verify=world.context) as http:
            for host in HOSTS:
                answer = http.get(path, headers={"Host": host.encode()})
                assert answer.status_code == 403, (base, host, answer.text)
            for origin in ORIGINS:
                answer = http.post(path, headers={"Origin": origin})
                assert answer.status_code == 403, (base, origin, answer.text)
                assert "access-control-allow-origin" not in answer.headers
    assert wire.state() == before


def test_the_port_of_an_origin_counts(wire: Any) -> None:
    """A page of another program on this machine is as foreign as one from elsewhere; programs have no origin."""
    world = wire.world
    http, https = (int(url.rpartition(":")[2]) for url in (world.http, world.https))
    own = [
        f"http://127.0.0.1:{http}", f"http://localhost:{http}", f"HTTP://LocalHost:{http}", f"http://[::1]:{http}",
        f"http://[0:0:0:0:0:0:0:1]:{http}", f"https://127.0.0.1:{https}", f"https://LOCALHOST:{https}",
    ]  # fmt: skip
    foreign = [
        f"https://127.0.0.1:{http}", f"http://127.0.0.1:{https}", f"http://127.0.0.1:{http + 1}", f"http://127.0.0.1:{http}0",
        "http://127.0.0.1", "https://127.0.0.1", f"http://127.0.0.2:{http}", f"http://[::2]:{http}", "null",
    ]  # fmt: skip
    for base in (world.http, world.https):
        with httpx.Client(base_url=base, verify=world.context, headers=world.client.headers) as client:

            def statuses(origin: str | None, client: httpx.Client = client) -> set[int]:
                given = {} if origin is None else {"Origin": origin}
                bearer = {**given, "Authorization": f"Bearer {wire.key}"}
                return {
                    client.post("/_akstwin/clock", json={"advance": "0s"}, headers=given).status_code,
                    client.post(f"{MM}/services/there/listkeys", headers=given).status_code,
                    client.post("/api/v1/service/there/score", json={}, headers=bearer).status_code,
                }

            assert {origin: statuses(origin) for origin in (None, *own)} == {key: {200} for key in (None, *own)}
            before = wire.state()
            assert {origin: statuses(origin) for origin in foreign} == {key: {403} for key in foreign}
            assert wire.state() == before
            twice = [("Origin", own[0]), ("Origin", foreign[0])]
            assert client.post("/_akstwin/clock", json={"advance": "0s"}, headers=twice).status_code == 403


@pytest.mark.parametrize(
    ("host", "origin", "scheme", "passes"),
    [
        ("localhost:18899", "http://localhost:18899", "http", True),  # as a container maps it
        ("localhost:18899", "http://localhost:8899", "http", True),
        ("localhost:18899", "http://127.0.0.1:18899", "http", False),
        ("localhost:18899", "https://localhost:18899", "http", False),
        ("localhost:18900", "https://localhost:18900", "https", True),
        ("localhost", "http://localhost", "http", True),
        ("localhost", "http://localhost:80", "http", True),
        ("localhost:80", "http://localhost", "http", True),
        ("localhost", "https://localhost", "https", True),
        ("localhost:443", "https://localhost", "https", True),
        ("localhost:80", "https://localhost", "https", False),
        ("[::1]:18899", "http://[::1]:18899", "http", True),
        ("[0::1]:18899", "HTTP://[0:0:0::1]:18899", "http", True),
        ("[::1]:18899", "http://[::1]:18898", "http", False),
        ("twin.example:8899", "http://TWIN.example:8899", "http", True),
        ("twin.example:8899", "http://twin.example.evil:8899", "http", False),
        ("twin.example:8899", "http://twin.example:8898", "http", False),
    ],
)
def test_an_origin_is_compared_as_browsers_mean_it(host: str, origin: str, scheme: str, *, passes: bool) -> None:
    """Default ports are left out, letters have no case, an IPv6 address has many spellings; a mapped port stands in Host."""
    hosts = AllowedHosts({"twin.example"}, {("http", 8899), ("https", 8900)})
    headers = [(b"host", host.encode()), (b"origin", origin.encode())]
    assert (hosts.refusal(headers, "1.1", "POST", scheme) is None) is passes
    assert hosts.refusal(headers[:1], "1.1", "POST", scheme) is None


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "LOCALHOST", "localhost:8899", "[::1]", "[::1]:1", "127.0.0.1:1"]
)
def test_own_names_are_taken(wire: Any, host: str) -> None:
    """With any port: containers map them."""
    given = {"Host": host, "Origin": f"http://{host}"}
    assert httpx.get(f"{wire.world.http}/", headers=given).status_code == 200


def serve(*options: str, take: int = 1) -> tuple[int | None, str, str]:
    """Exit status (None: it serves), standard output's first line and standard error of `akstwin serve`."""
    command = [sys.executable, "-m", "akstwin", "serve", "--port", "0", "--tls-port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        status = None if first else process.wait(30)
        if first and "--allow-host" in options:
            port = int(first.split()[2].rpartition(":")[2])
            for name, expected in (("twin.example", 200), ("TWIN.example:80", 200), ("other.example", 403)):
                assert httpx.get(f"http://127.0.0.1:{port}/", headers={"Host": name}).status_code == expected
        process.terminate()
        _, complaints = process.communicate(timeout=30)
    return status, first, complaints


def test_listening_for_others_has_to_be_asked_for() -> None:
    """The refusal names the flag; with it there is a warning."""
    status, _, complaints = serve("--host", "0.0.0.0")  # noqa: S104 - that is the point
    assert status == 2
    assert "--allow-remote" in complaints
    status, first, complaints = serve("--host", "0.0.0.0", "--allow-remote", "--allow-host", "twin.example")  # noqa: S104
    assert status is None
    assert re.match(r"listening on http://twin\.example:\d+ https://twin\.example:\d+\n", first)
    assert "warning" in complaints
    assert "can run code on this machine" in complaints
    assert serve()[2] == ""


def test_all_of_the_loopback_is_this_machine_alone() -> None:
    """127.0.0.1 is one address of many; another one needs no flag."""
    status, first, complaints = serve("--host", "127.0.0.2")
    assert (status, complaints) == (None, "")
    assert first.startswith("listening on http://127.0.0.2:")


@pytest.mark.parametrize("name", ["", "a b", "a/b", "http://a", "a:1", "*"])
def test_a_name_that_no_client_could_send_is_refused(name: str) -> None:
    """By the option's name."""
    status, _, complaints = serve("--allow-host", name)
    assert status == 2
    assert "--allow-host" in complaints
