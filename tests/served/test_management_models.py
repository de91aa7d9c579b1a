"""Files, assets, models and environments over HTTP (wire §4, §5, §10)."""

import base64
import errno
import os
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import httpx
import pytest

from akstwin.cores.registry import CURATED_ENVIRONMENTS

BLOCK = {"x-ms-blob-type": "BlockBlob"}


def registered(management: Any, name: str, **given: Any) -> dict[str, Any]:
    """The document of a new version of a model of one file."""
    management.upload(f"c-{name}", "w.txt", b"2")  # there already for a second version
    asset = management.mm(
        "POST", "/assets", json={"name": name, "artifacts": [{"prefix": f"LocalUpload/c-{name}/w.txt"}]}
    )
    model = {"name": name, "url": f"aml://asset/{asset.json()['id']}", "mimeType": "application/json", **given}
    answer = management.mm("POST", "/models", json=model)
    assert answer.status_code == 200
    document: dict[str, Any] = answer.json()
    return document


# -- files


def test_an_upload_goes_where_the_sdk_can_find_it(management: Any) -> None:
    """Two dots before the @, TLS behind it, a query to append to each request (wire §4.1)."""
    headers = {"Content-Type": "application/json-patch+json; charset=utf-8"}
    body = b'{"paths": [{"path": "a/b c.txt"}]}'
    answer = management.artifacts("POST", "/batch/metadata/LocalUpload/told", content=body, headers=headers).json()
    assert answer["artifacts"]["a/b c.txt"]["artifactId"] == "LocalUpload/told/a/b c.txt"
    assert not answer["errors"]
    url = urlsplit(answer["artifactContentInformation"]["a/b c.txt"]["contentUri"])
    assert url.scheme == "https"
    assert url.netloc == f"akstwin.blob.local@{urlsplit(management.https).netloc}"
    assert url.path == "/blob/LocalUpload/told/a/b%20c.txt"
    assert parse_qs(url.query)["sig"]


def test_a_file_comes_back_as_it_was(management: Any) -> None:
    """With the headers that the storage library reads; twice is refused, as the SDK asks for."""
    stored = management.upload("kept", "a/ü b.txt", b"0123456789")
    assert stored.status_code == 201
    assert parsedate_to_datetime(stored.headers["Last-Modified"])
    assert stored.headers["ETag"]
    url = management.upload_url("kept", "a/ü b.txt")
    head = httpx.head(url)
    assert (head.status_code, head.headers["Content-Length"], head.content) == (200, "10", b"")
    assert head.headers["x-ms-blob-type"] == "BlockBlob"
    told = management.artifacts("GET", f"/contentinfo/LocalUpload/kept/{quote('a/ü b.txt')}").json()
    assert httpx.get(told["contentUri"]).content == b"0123456789"
    assert httpx.get(told["contentUri"], headers={"Range": "bytes=2-4"}).content == b"234"
    again = management.upload("kept", "a/ü b.txt", b"other")
    assert (again.status_code, again.headers["x-ms-error-code"]) == (409, "BlobAlreadyExists")
    assert httpx.put(url, content=b"other", headers=BLOCK).status_code == 201
    assert httpx.get(url).content == b"other"


def test_a_full_disk_is_named(management: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the file is there afterwards, and the next one is taken."""

    def full(_: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    url = management.upload_url("full", "a.txt")
    with monkeypatch.context() as broken:
        broken.setattr("akstwin.fake_api.management.blobs._opened", full)
        answer = httpx.put(url, content=b"1", headers=BLOCK)
    assert answer.status_code == 500
    assert "<Message>a file cannot be kept: No space left on device</Message>" in answer.text
    assert httpx.get(url).status_code == 404
    assert httpx.put(url, content=b"1", headers=BLOCK).status_code == 201


def test_the_sdk_escapes_what_is_escaped(management: Any) -> None:
    """Its uploads arrive with a path that is escaped twice; the signature tells."""
    url = urlsplit(management.upload_url("twice", "100% ü.txt"))
    twice = f"{url.scheme}://{url.netloc}{quote(url.path)}?{url.query}"
    assert httpx.put(twice, content=b"x", headers=BLOCK).status_code == 201
    listed = management.artifacts("GET", "/prefix/contentinfo/LocalUpload/twice").json()["value"]
    assert [each["path"] for each in listed] == ["100% ü.txt"]


def test_files_are_listed_by_their_path(management: Any) -> None:
    """In whole segments, relative to the container."""
    for path in ("m/a.txt", "m/deep/b.txt", "mm/c.txt", "d.txt"):
        management.upload("many", path, b"x")
    for prefix, expected in (
        ("/m", ["m/a.txt", "m/deep/b.txt"]),
        ("/m/", ["m/a.txt", "m/deep/b.txt"]),
        ("/m/a.txt", ["m/a.txt"]),
        ("", ["d.txt", "m/a.txt", "m/deep/b.txt", "mm/c.txt"]),
        ("/nothing", []),
    ):
        answer = management.artifacts("GET", f"/prefix/contentinfo/LocalUpload/many{prefix}").json()
        assert [each["path"] for each in answer["value"]] == expected
        assert answer["continuationToken"] is None
    assert management.artifacts("GET", "/contentinfo/LocalUpload/many/m").status_code == 404
    assert management.artifacts("GET", "/contentinfo/LocalUpload/.partial/x").status_code == 404


def test_a_file_comes_in_blocks(management: Any) -> None:
    """In the order of their list; half of it is not there before."""
    url = management.upload_url("blocks", "large.bin")
    ids = [base64.b64encode(f"{number:06}".encode()).decode() for number in range(4)]
    for number in (2, 0, 1, 3):
        params = {"comp": "block", "blockid": ids[number]}
        assert httpx.put(httpx.URL(url).copy_merge_params(params), content=b"no").status_code == 201
        stored = httpx.put(httpx.URL(url).copy_merge_params(params), content=str(number).encode() * 3)
        assert stored.status_code == 201
    assert httpx.get(url).status_code == 404
    target = httpx.URL(url).copy_merge_params({"comp": "blocklist"})

    def listed(*chosen: str) -> bytes:
        latest = "".join(f"<Latest>{block}</Latest>" for block in chosen)
        return f'<?xml version="1.0" encoding="utf-8"?>\n<BlockList>{latest}</BlockList>'.encode()

    missing = httpx.put(target, content=listed(ids[0], "bm8="))
    assert (missing.status_code, missing.headers["x-ms-error-code"]) == (400, "InvalidBlockList")
    for nonsense in (b"", b"<BlockList>", b"\xff", b"<!DOCTYPE x><BlockList></BlockList>"):
        assert httpx.put(target, content=nonsense).headers["x-ms-error-code"] == "InvalidXmlDocument"
    assert httpx.put(target, content=listed(*ids[:3]), headers={"If-None-Match": "*"}).status_code == 201
    assert httpx.get(url).content == b"000111222"
    assert httpx.put(target, content=listed(ids[0])).status_code == 400, "its blocks are gone"
    assert httpx.put(target, content=listed(), headers={"If-None-Match": "*"}).status_code == 409
    partial = management.server.first.workspace.backend.files.folder / ".partial"
    assert not list(partial.iterdir())


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"headers": {}}, 400, "MissingRequiredHeader"),
        ({"params": {"comp": "lease"}}, 400, "NotServed"),
        ({"params": {"comp": "block"}}, 400, "InvalidQueryParameterValue"),
        ({"params": {"comp": "block", "blockid": "no base64"}}, 400, "InvalidQueryParameterValue"),
        ({"params": {"sig": "0"}}, 403, "AuthenticationFailed"),
    ],
)
def test_an_odd_upload_is_refused(management: Any, change: dict[str, Any], status: int, code: str) -> None:
    """In the storage service's words, and nothing is kept."""
    url = httpx.URL(management.upload_url("odd", "file")).copy_merge_params(change.get("params", {}))
    answer = httpx.put(url, content=b"x", headers=change.get("headers", BLOCK))
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (status, code)
    assert f"<Code>{code}</Code>" in answer.text
    assert not management.server.first.workspace.backend.files.has("LocalUpload/odd")


@pytest.mark.parametrize(
    ("origin", "container", "path"),
    [
        ("LocalUpload", "c", "../x"),
        ("LocalUpload", "c", "/x"),
        ("LocalUpload", "c", "a//b"),
        ("LocalUpload", "c", "a\\b"),
        ("LocalUpload", "c", ""),
        ("LocalUpload", "c", "a/" * 600 + "b"),
        ("LocalUpload", "c", "x" * 300),
        ("LocalUpload", "c", "nul\0"),
        ("LocalUpload", ".partial", "x"),
        ("LocalUpload", "%2e%2e", "x"),
        ("ExperimentRun", "c", "x"),
    ],
)
def test_no_path_leads_elsewhere(management: Any, origin: str, container: str, path: str) -> None:
    """Refused before there is a URL for it."""
    answer = management.artifacts("POST", f"/batch/metadata/{origin}/{container}", json={"paths": [{"path": path}]})
    assert answer.status_code == 400
    assert answer.json()["code"] in {"BadRequest", "NotServed"}


def test_a_file_is_no_folder(management: Any) -> None:
    """Neither way round."""
    management.upload("clash", "a/b", b"x")
    for path in ("a", "a/b/c"):
        answer = management.artifacts("POST", "/batch/metadata/LocalUpload/clash", json={"paths": [{"path": path}]})
        assert "a file has the name of its folder" in answer.json()["message"]


# -- models


def test_a_model_is_registered_found_changed_and_forgotten(management: Any) -> None:
    """As the SDK reads it."""
    first = registered(management, "life", kvTags={"a": "b"}, framework="Custom", description="words")
    assert (first["id"], first["version"], first["datasets"]) == ("life:1", 1, [])
    assert registered(management, "life")["version"] == 2
    asset = management.mm("GET", f"/assets/{first['url'].removeprefix('aml://asset/')}").json()
    assert asset["artifacts"][0]["prefix"] == "LocalUpload/c-life/w.txt"
    assert management.mm("GET", "/models/life:1").json()["kvTags"] == {"a": "b"}
    change = [
        {"op": "replace", "path": "/kvTags", "value": {"c": "d"}},
        {"op": "add", "path": "/properties", "value": {"by.me": "x"}},
    ]
    changed = management.mm(
        "PATCH", "/models/life:1", json=change, headers={"Content-Type": "application/json-patch+json"}
    )
    assert (changed.json()["kvTags"], changed.json()["properties"]) == ({"c": "d"}, {"by.me": "x"})
    assert management.mm("DELETE", "/models/life:2").status_code == 200
    assert management.mm("DELETE", "/models/life:2").status_code == 204
    gone = management.mm("GET", "/models/life:2")
    assert (gone.status_code, gone.json()["statusCode"]) == (404, 404)


def test_models_come_in_pages(management: Any) -> None:
    """The newest first; the link of the last page is null, which the SDK can read here."""
    for _ in range(5):
        registered(management, "paged", kvTags={"k": "v=w"})
    registered(management, "other")
    versions, link = [], f"{management.mm('GET', '/models').url}?name=paged&count=2&tags=k"
    while link:
        page = management.client.get(link).json()
        versions.append([each["version"] for each in page["value"]])
        link = page["nextLink"]
    assert versions == [[5, 4], [3, 2], [1]]
    latest = management.mm("GET", "/models", params={"name": "paged", "latestVersionOnly": "True"}).json()
    assert [each["id"] for each in latest["value"]] == ["paged:5"]
    assert management.mm("GET", "/models", params={"tags": "k=v=w"}).json()["value"]
    assert management.mm("GET", "/models", params={"tags": "k=v"}).json()["value"] == []
    for wrong in (
        {"count": "0"},
        {"count": "x"},
        {"$skipToken": "x"},
        {"datasetId": "d"},
        {"latestVersionOnly": "perhaps"},
    ):
        assert management.mm("GET", "/models", params=wrong).status_code == 400, wrong


def test_a_model_needs_its_files(management: Any) -> None:
    """404 names what is not there."""
    asset = management.mm("POST", "/assets", json={"name": "n", "artifacts": [{"prefix": "LocalUpload/never/x"}]})
    assert (asset.status_code, "LocalUpload/never/x" in asset.json()["message"]) == (404, True)
    model = management.mm("POST", "/models", json={"name": "n", "url": "aml://asset/none"})
    assert model.status_code == 404


# -- environments


def test_environments_have_versions(management: Any) -> None:
    """Large letters in, small letters out, null is as if it were left out, the sections that clients read are there."""

    def asked(method: str, path: str = "", **given: Any) -> httpx.Response:
        where = str(management.mm("GET", "/services").url).replace("/modelmanagement/", "/environment/")
        answer: httpx.Response = management.client.request(
            method, where.replace("/services", f"/environments{path}"), **given
        )
        return answer

    first = asked("PUT", "/e", json={"Name": "e", "EnvironmentVariables": {"A": "1"}, "Docker": None})
    assert (first.status_code, first.json()) == (
        200, {"name": "e", "version": "1", "environmentVariables": {"A": "1"}, "docker": {}, "python": {}},
    )  # fmt: skip
    assert asked("PUT", "/e", json={"EnvironmentVariables": {"A": "2"}}).json()["version"] == "2"
    assert asked("PUT", "/e/versions/mine", json={}).json()["version"] == "mine"
    assert asked("PUT", "/e/versions/mine", json={"Docker": {}}).status_code == 409
    assert asked("GET", "/e/versions/1").json()["environmentVariables"] == {"A": "1"}
    assert asked("GET", "/e").json() == asked("GET", "/e/labels/latest").json()
    assert asked("GET", "/e").json()["version"] == "mine"
    assert asked("GET", "/e/labels/other").status_code == 404
    assert asked("GET", "/none").status_code == 404
    assert asked("GET", "/").json() == asked("GET").json()
    names = [each["name"] for each in asked("GET").json()["value"]]
    assert names == sorted([*CURATED_ENVIRONMENTS, "e"])
    assert asked("GET", "/AzureML-Minimal/labels/latest").json() == asked("GET", "/AzureML-Minimal/versions/1").json()
    taken = asked("PUT", "/AzureML-mine", json={})
    assert (taken.status_code, "clone(new_name)" in taken.json()["message"]) == (400, True)
