"""A disk that takes nothing more: commands are refused before they are performed, and what is there can be looked at."""

import asyncio
import errno
import json
import os
import re
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from akstwin.backend import WorkspaceIdentity
from akstwin.clock import SECOND
from akstwin.errors import Unwritable
from akstwin.fake_api.server import FakeServer, Settings
from akstwin.store.state import Batch, StateFile

WS = WorkspaceIdentity().resource_id
MM = f"/modelmanagement/v1.0{WS}"
ARM = {"api-version": "2020-02-02"}
PORT = re.compile(r"https?://127\.0\.0\.1:\d+")
HEADERS = {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJ0aWQiOiJhZGZzIn0.eA"}
Scene = Callable[[FakeServer, httpx.AsyncClient], Any]


def serve(scene: Scene, path: Path) -> Any:
    """Play a scene on a server with a cluster, a service, a model and a file; it is killed at its end."""

    async def whole() -> Any:
        server = FakeServer(Settings(port=0, tls_port=0, clock="jump", state=path))
        await server.start()
        await server.ready()
        try:
            async with httpx.AsyncClient(base_url=server.first.http, headers=HEADERS, timeout=60) as client:
                return await scene(server, client)
        finally:
            await server.close()

    return asyncio.run(whole())


async def upload(client: httpx.AsyncClient, name: str, content: bytes) -> httpx.Response:
    """Put a file."""
    asked = await client.post(
        f"/artifact/v2.0{WS}/artifacts/batch/metadata/LocalUpload/c", json={"paths": [{"path": name}]}
    )
    url = asked.raise_for_status().json()["artifactContentInformation"][name]["contentUri"]
    return await client.put(
        "/blob/" + url.partition("/blob/")[2], content=content, headers={"x-ms-blob-type": "BlockBlob"}
    )


def service(name: str, **given: Any) -> dict[str, Any]:
    """A service with a script."""
    request = {
        "assets": [{"id": "score.py", "url": "aml://artifact/LocalUpload/c/score.py"}],
        "environment": {"name": "plain", "environmentVariables": {"AZUREML_ENTRY_SCRIPT": "score.py"}},
        "modelIds": [],
    }
    return {"name": name, "computeType": "AKS", "computeName": "aks", "environmentImageRequest": request, **given}


async def stock(client: httpx.AsyncClient) -> None:
    """What commands can be about."""
    cluster = {"location": "westeurope", "properties": {"computeType": "AKS"}}
    (await client.put(f"{WS}/computes/aks", params=ARM, json=cluster)).raise_for_status()
    await client.post("/_akstwin/clock", json={"advance": "30m"})
    (await upload(client, "score.py", b"def init(): pass\ndef run(text): return 1\n")).raise_for_status()
    await client.put(f"{WS}/computes/spare", params=ARM, json=cluster)
    asset = await client.post(f"{MM}/assets", json={"name": "w", "artifacts": [{"prefix": "LocalUpload/c/score.py"}]})
    model = {"name": "m", "url": f"aml://asset/{asset.json()['id']}", "mimeType": "application/json"}
    (await client.post(f"{MM}/models", json=model)).raise_for_status()
    for name, given in (("keyed", {}), ("tokened", {"authEnabled": False, "aadAuthEnabled": True})):
        (await client.post(f"{MM}/services", json=service(name, numReplicas=1, **given))).raise_for_status()
    await client.post("/_akstwin/clock", json={"advance": "30m"})


COMMANDS: dict[str, Callable[[httpx.AsyncClient], Any]] = {
    "create": lambda client: client.post(f"{MM}/services", json=service("new")),
    "overwrite": lambda client: client.post(f"{MM}/services", json=service("keyed", numReplicas=2, overwrite=True)),
    "scale": lambda client: client.patch(
        f"{MM}/services/keyed", json=[{"op": "replace", "path": "/numReplicas", "value": 2}]
    ),
    "tags": lambda client: client.patch(
        f"{MM}/services/keyed", json=[{"op": "replace", "path": "/kvTags", "value": {"a": "b"}}]
    ),
    "delete": lambda client: client.delete(f"{MM}/services/keyed"),
    "key": lambda client: client.post(
        f"{MM}/services/keyed/regenerateKeys", json={"keyType": "Primary", "keyValue": "x" * 32}
    ),
    "asset": lambda client: client.post(
        f"{MM}/assets", json={"name": "x", "artifacts": [{"prefix": "LocalUpload/c/score.py"}]}
    ),
    "model tags": lambda client: client.patch(
        f"{MM}/models/m:1", json=[{"op": "replace", "path": "/description", "value": "new"}]
    ),
    "model gone": lambda client: client.delete(f"{MM}/models/m:1"),
    "cluster": lambda client: client.put(
        f"{WS}/computes/other", params=ARM, json={"location": "westeurope", "properties": {"computeType": "AKS"}}
    ),
    "cluster gone": lambda client: client.delete(
        f"{WS}/computes/spare", params={**ARM, "underlyingResourceAction": "delete"}
    ),
    "environment": lambda client: client.put(
        f"/environment/v1.0{WS}/environments/e", json={"name": "e", "docker": {"baseImage": "x"}}
    ),
    "upload": lambda client: upload(client, "new.bin", b"new"),
    "replace": lambda client: upload(client, "score.py", b"def init(): raise ValueError\n"),
    "profile": lambda client: client.post("/_akstwin/profile/keyed", json={"reply": {"other": 1}}),
    "chance": lambda client: client.post("/_akstwin/chance/keyed", json={"seed": 3}),
    "time": lambda client: client.post("/_akstwin/clock", json={"advance": "1h"}),
    "reset": lambda client: client.post("/_akstwin/reset"),
}


async def seen(client: httpx.AsyncClient) -> dict[str, Any]:
    """All that there is, and what can be asked for all the time."""
    answers = {
        path: await client.get(path, params=ARM if "api-version" in path or path.startswith(WS) else None)
        for path in (
            f"{MM}/services", f"{MM}/models", f"{WS}/computes", f"/environment/v1.0{WS}/environments/e",
            f"/artifact/v2.0{WS}/artifacts/prefix/contentinfo/LocalUpload/c",
        )
    }  # fmt: skip
    keys = (await client.post(f"{MM}/services/keyed/listkeys")).json()
    bearer = {"Authorization": f"Bearer {keys.get('primaryKey')}"}
    scored = await client.post("/api/v1/service/keyed/score", content=b"{}", headers=bearer)
    found = {path: (answer.status_code, json.loads(PORT.sub("", answer.text))) for path, answer in answers.items()}
    files = found[f"/artifact/v2.0{WS}/artifacts/prefix/contentinfo/LocalUpload/c"][1].get("value", ())
    content = {
        file["path"]: (await client.get("/blob/" + file["contentUri"].partition("/blob/")[2])).content for file in files
    }
    return {**found, "keys": keys, "scored": (scored.status_code, scored.text), "content": content}


@contextmanager
def full_disk(server: FakeServer) -> Iterator[list[Batch]]:
    """Nothing can be written; what was to be is told."""
    persistence = server._persistence
    assert persistence is not None
    file, refused = persistence.file, []
    write = file.write

    def fail(batch: Batch) -> None:
        refused.append(batch)
        raise Unwritable(f"--state {file.path}", "database or disk is full")

    file.write = fail  # type: ignore[method-assign]
    try:
        yield refused
    finally:
        file.write = write  # type: ignore[method-assign]


def test_commands_are_refused_and_reads_go_on(tmp_path: Path) -> None:
    """Each by 507; nothing of it exists, then or after a restart; when there is room it is done as if for the first time."""
    path = tmp_path / "state.db"

    async def scene(server: FakeServer, client: httpx.AsyncClient) -> Any:
        await stock(client)
        before = await seen(client)
        assert before["scored"][0] == 200
        with full_disk(server) as refused:
            answers = {name: await command(client) for name, command in COMMANDS.items()}
            assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(COMMANDS, 507)
            assert all(
                "cannot be written" in answer.text and "Nothing has changed" in answer.text
                for answer in answers.values()
            )
            assert len(refused) >= len(COMMANDS)
            assert await seen(client) == before
            assert (await client.get("/_akstwin/")).status_code == 200
            assert (await client.get("/_akstwin/clock")).json()["now"] < 3660 * SECOND
        assert await seen(client) == before
        return before

    async def again(_: FakeServer, client: httpx.AsyncClient) -> None:
        assert await seen(client) == before
        for name in (
            "create",
            "tags",
            "key",
            "asset",
            "model tags",
            "cluster",
            "environment",
            "upload",
            "profile",
            "time",
        ):
            assert (await COMMANDS[name](client)).status_code < 300, name

    before = serve(scene, path)
    serve(again, path)


def test_uploads_that_come_together_fail_together(tmp_path: Path) -> None:
    """What is written in one transaction is undone in one, and everybody who waited for it is told."""

    async def scene(server: FakeServer, client: httpx.AsyncClient) -> None:
        await stock(client)
        with full_disk(server):
            answers = await asyncio.gather(*(upload(client, f"f{number}", b"x") for number in range(20)))
        assert {answer.status_code for answer in answers} == {507}
        listed = f"/artifact/v2.0{WS}/artifacts/prefix/contentinfo/LocalUpload/c"
        assert [each["path"] for each in (await client.get(listed)).json()["value"]] == ["score.py"]
        answers = await asyncio.gather(*(upload(client, f"f{number}", b"x") for number in range(20)))
        assert {answer.status_code for answer in answers} == {201}
        assert len((await client.get(listed)).json()["value"]) == 21

    serve(scene, tmp_path / "state.db")


def test_a_disk_that_is_full_before_a_file_has_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it stays."""

    def full(_: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async def scene(_: FakeServer, client: httpx.AsyncClient) -> None:
        with monkeypatch.context() as broken:
            broken.setattr("akstwin.fake_api.management.blobs._opened", full)
            answer = await upload(client, "a", b"x")
        assert (answer.status_code, "Nothing has changed" in answer.text) == (507, True)
        assert not any(each.is_file() for each in (tmp_path / "state.db.files").rglob(".partial/*"))
        assert (await upload(client, "a", b"x")).status_code == 201

    serve(scene, tmp_path / "state.db")


def test_time_that_passes_while_the_disk_is_full_is_kept_afterwards(tmp_path: Path) -> None:
    """An operation that ends then has ended, and is in the file when there is room again."""
    path = tmp_path / "state.db"

    async def scene(server: FakeServer, client: httpx.AsyncClient) -> None:
        await stock(client)
        begun = await client.patch(
            f"{MM}/services/keyed", json=[{"op": "replace", "path": "/containerResourceRequirements/cpu", "value": 0.3}]
        )
        operation = "/modelmanagement" + begun.headers["Operation-Location"].partition("/modelmanagement")[2]
        with full_disk(server):
            assert (await client.get(operation)).json()["state"] == "Succeeded"
            assert (await client.get(f"{MM}/services/keyed")).json()["state"] == "Healthy"
        assert (await client.get(operation)).json()["state"] == "Succeeded"
        persistence = server._persistence
        assert persistence is not None
        assert not persistence.file.changed

    serve(scene, path)


def test_requests_to_score_write_nothing(tmp_path: Path) -> None:
    """Nor does looking at what has not changed."""

    async def scene(server: FakeServer, client: httpx.AsyncClient) -> None:
        await client.post("/_akstwin/clock", json={"advance": "1s"})
        with full_disk(server) as refused:
            for _ in range(3):
                assert (await client.post("/api/v1/service/none/score", content=b"{}")).status_code == 404
                assert (await client.post("/_akstwin/score/none", json=[])).status_code == 200
                assert (await client.get("/_akstwin/clock")).status_code == 200
            assert refused == []

    serve(scene, tmp_path / "state.db")


def test_a_command_is_one_transaction(tmp_path: Path) -> None:
    """The time is in it: an answer that tells nothing more needs no second one."""

    async def scene(server: FakeServer, client: httpx.AsyncClient) -> None:
        await stock(client)
        persistence = server._persistence
        assert persistence is not None
        for name in ("tags", "asset", "environment"):
            before = persistence.file.number
            assert (await COMMANDS[name](client)).is_success
            assert persistence.file.number == before + 1, name

    serve(scene, tmp_path / "state.db")


@contextmanager
def largest(size: int) -> Iterator[None]:
    """No file of this process can become larger: writing to it fails, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_disk_that_is_full_at_any_write(tmp_path: Path) -> None:
    """Of the journal, of the file, of the number beside it: the transaction is there wholly, or not at all."""
    path = tmp_path / "state.db"
    with closing(StateFile(path)) as file:
        file.store("mine").save("thing", "0", "0")
        file.commit()
    refused = 0
    known = {"0": "0"}
    for number, size in enumerate(range(0, 60_000, 700), 1):
        with closing(StateFile(path)) as file:
            store = file.store("mine")
            assert {key: store.load("thing", key) for key in store.keys("thing")} == known
            store.save("thing", str(number), "x" * 900)
            store.save("thing", "0", f"{number}")
            with largest(size):
                try:
                    file.commit()
                except Unwritable:
                    refused += 1
                else:
                    known |= {str(number): "x" * 900, "0": f"{number}"}
    assert 5 < refused < 80


def test_what_cannot_be_written_says_whether_room_would_help() -> None:
    """507 and 503."""
    from akstwin.store.disk import unwritable  # noqa: PLC0415

    full = unwritable("x", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    assert (full.status_hint, full.code) == (507, "InsufficientStorage")
    assert str(full) == (
        "x cannot be written: No space left on device. Nothing has changed; make room on the disk, then repeat the call"
    )
    broken = unwritable("x", sqlite3.OperationalError("disk I/O error"))
    assert (broken.status_hint, broken.code) == (503, "ServiceUnavailable")


def test_a_file_that_is_removed_under_a_server_takes_nothing_more(tmp_path: Path) -> None:
    """What was written there would be nowhere."""
    path = tmp_path / "state.db"

    async def scene(_: FakeServer, client: httpx.AsyncClient) -> None:
        await stock(client)
        moved = path.rename(tmp_path / "moved.db")
        for replacement in (None, b"other"):
            if replacement is not None:
                path.write_bytes(replacement)
            answer = await COMMANDS["tags"](client)
            assert answer.status_code == 503
            assert "removed or replaced" in answer.text
        moved.rename(path)
        assert (await COMMANDS["tags"](client)).status_code == 200

    serve(scene, path)
