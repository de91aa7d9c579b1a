"""Uploads are laid out beside the event loop, within limits; what is over one is refused by its name and leaves nothing."""

import base64
import io
import tarfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from akstwin.fake_api.command import serve
from akstwin.uploads import UploadLimits
from akstwin.worker.content import ScriptContent

SCRIPT = b"def init(): pass\ndef run(data): return data\n"
FILES, BYTES = 20, 1_000_000


@pytest.fixture
def limited(management_type: Any, tmp_path: Path) -> Iterator[Any]:
    """A server with small limits and a cluster `aks`; its containers' files lie in its temporary folder."""
    made = management_type(tmp_path, uploads=UploadLimits(FILES, BYTES))
    body = {"location": "westeurope", "properties": {"computeType": "AKS"}}
    answer = made.arm("PUT", "/computes/aks", json=body)
    assert made.client.get(answer.headers["Azure-AsyncOperation"]).json()["status"] == "Succeeded"
    made.upload("script", "score.py", SCRIPT)
    yield made
    made.close()


def containers(management: Any) -> list[str]:
    """What the first workspace's containers have on disk."""
    folder = management.server.first.workspace.backend.driver.containers
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def packed(files: Mapping[str, bytes]) -> bytes:
    """A gzip tar."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, data in files.items():
            item = tarfile.TarInfo(name)
            item.size = len(data)
            archive.addfile(item, io.BytesIO(data))
    return file.getvalue()


def service(name: str, container: str, **image: Any) -> dict[str, Any]:
    """The payload of a service whose files are one archive."""
    request = {
        "assets": [{"id": "code", "url": f"aml://artifact/LocalUpload/{container}/code.tar.gz", "unpack": True}],
        "environment": {"name": "e", "environmentVariables": {"AZUREML_ENTRY_SCRIPT": "score.py"}},
        **image,
    }
    return {
        "name": name,
        "computeType": "AKS",
        "computeName": "aks",
        "numReplicas": 1,
        "environmentImageRequest": request,
    }


OVER = {
    "files": (
        {f"f/{index}": b"" for index in range(30)},
        "21 is not a number of files and folders within max_upload_files",
    ),
    "bytes": ({"zeros": bytes(2 * BYTES)}, "'2000000 bytes' is not a size within max_upload_bytes, which is 1MB"),
}


@pytest.mark.parametrize("case", OVER)
def test_a_service_over_a_limit_fails_by_its_name(limited: Any, case: str) -> None:
    """In the operation, in the service and in the log; the next deployment of the name runs."""
    files, message = OVER[case]
    limited.upload("over", "code.tar.gz", packed(files))
    limited.upload("good", "code.tar.gz", packed({"score.py": SCRIPT}))
    made = limited.mm("POST", "/services", json=service("svc", "over"))
    operation = limited.client.get(made.headers["Operation-Location"]).json()
    assert operation["state"] == "Failed"
    for error in (operation["error"], limited.mm("GET", "/services/svc").json()["error"]):
        assert message in error["details"][0]["message"]
        assert f"`akstwin serve --max-upload-{case}" in error["details"][0]["message"]
    log = limited.mm("GET", "/services/svc/logs").json()["content"]
    assert log.count(message) == 1
    assert containers(limited) == []
    limited.mm("DELETE", "/services/svc")
    again = limited.mm("POST", "/services", json=service("svc", "good"))
    assert limited.client.get(again.headers["Operation-Location"]).json()["state"] == "Succeeded"


def test_models_count_with_the_script(limited: Any) -> None:
    """Each is small enough to be registered, both together are not."""
    for name in ("a", "b"):
        assert limited.upload(f"model-{name}", "w.bin", bytes(600_000)).status_code == 201
        asset = limited.mm(
            "POST", "/assets", json={"name": name, "artifacts": [{"prefix": f"LocalUpload/model-{name}"}]}
        )
        model = {"name": name, "url": f"aml://asset/{asset.json()['id']}", "mimeType": "application/json"}
        assert limited.mm("POST", "/models", json=model).status_code == 200
    limited.upload("good", "code.tar.gz", packed({"score.py": SCRIPT}))
    made = limited.mm("POST", "/services", json=service("svc", "good", modelIds=["a:1", "b:1"]))
    operation = limited.client.get(made.headers["Operation-Location"]).json()
    assert (
        "model b:1: '1200000 bytes' is not a size within max_upload_bytes"
        in operation["error"]["details"][0]["message"]
    )
    assert containers(limited) == []


def test_an_asset_over_a_limit_is_refused(limited: Any) -> None:
    """When it is named: its files have come one by one."""
    for index in range(2):
        limited.upload("big", f"{index}.bin", bytes(600_000))
    for index in range(FILES + 1):
        limited.upload("many", f"{index}.bin", b"")
    for container, message in (
        ("big", "artifacts[0] (LocalUpload/big): '1200000 bytes' is not a size within max_upload_bytes, which is 1MB"),
        ("many", "artifacts[0] (LocalUpload/many): 21 is not a number of files and folders within max_upload_files"),
    ):
        answer = limited.mm(
            "POST", "/assets", json={"name": "a", "artifacts": [{"prefix": f"LocalUpload/{container}"}]}
        )
        assert answer.status_code == 400
        assert message in answer.json()["message"]


def test_lists_over_the_limit_are_refused(limited: Any) -> None:
    """Of paths to upload, and of assets to deploy."""
    paths = [{"path": f"{index}"} for index in range(FILES + 1)]
    answer = limited.artifacts("POST", "/batch/metadata/LocalUpload/x", json={"paths": paths})
    assert answer.status_code == 400
    assert "paths: 21 is not a number of files" in answer.text
    one = {"id": "score.py", "url": "aml://artifact/LocalUpload/script/score.py"}
    refused = limited.mm("POST", "/services", json=service("svc", "x", assets=[one] * (FILES + 1)))
    assert refused.status_code == 400
    assert "environmentImageRequest.assets: 21 is not a number of files" in refused.text


def test_a_blob_of_many_blocks_over_the_limit_is_refused(limited: Any) -> None:
    """Before they are joined; its blocks stay, for a shorter list."""
    url = limited.upload_url("blocks", "big.bin")
    ids = [base64.b64encode(f"{index}".encode()).decode() for index in range(3)]
    for each in ids:
        assert httpx.put(f"{url}&comp=block&blockid={each}", content=bytes(400_000)).status_code == 201
    for taken, status in ((ids, 400), (ids[:2], 201)):
        listed = "".join(f"<Latest>{each}</Latest>" for each in taken)
        answer = httpx.put(f"{url}&comp=blocklist", content=f"<BlockList>{listed}</BlockList>")
        assert answer.status_code == status, answer.text
        if status == 400:
            assert "'1200000 bytes' is not a size within max_upload_bytes" in answer.text


def test_the_loop_answers_while_files_are_laid_out(limited: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The poll that waits for the service waits for the files, too; everybody else is answered meanwhile."""
    begun, go_on = threading.Event(), threading.Event()
    lay_out = ScriptContent.lay_out

    def held(content: ScriptContent) -> Any:
        begun.set()
        assert go_on.wait(60)
        return lay_out(content)

    monkeypatch.setattr(ScriptContent, "lay_out", held)
    limited.upload("good", "code.tar.gz", packed({"score.py": SCRIPT}))
    location = limited.mm("POST", "/services", json=service("svc", "good")).headers["Operation-Location"]
    polled: list[str] = []
    poll = threading.Thread(target=lambda: polled.append(limited.client.get(location).json()["state"]))
    poll.start()
    try:
        assert begun.wait(60)
        for _ in range(3):
            assert limited.mm("GET", "/services/svc").json()["state"] == "Transitioning"
        assert polled == []
    finally:
        go_on.set()
        poll.join(60)
    assert polled == ["Succeeded"]


def test_the_options_are_refused_by_name() -> None:
    """Before anything is listened on."""
    for option, value in (("--max-upload-bytes", "1 parsec"), ("--max-upload-bytes", "0"), ("--max-upload-files", "0")):
        done = CliRunner().invoke(serve, [option, value])
        assert done.exit_code != 0
        assert option in f"{done.output} {done.exception}"
