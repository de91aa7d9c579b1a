"""Files to a server and back: to our own over plain HTTP though it names TLS, to others as they say."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from akstwin.errors import AksError, Conflict, InvalidSetting, NotFound, UnreadableFile
from akstwin.remote import RemoteBackend, files

WS = "/subscriptions/5ub/resourceGroups/group/providers/Microsoft.MachineLearningServices/workspaces/ws"
ARTIFACTS = f"https://history.example/artifact/v2.0{WS}/artifacts"
BLOB = "https://acct.blob.local@127.0.0.1:18443/blob/LocalUpload/c"


@pytest.fixture
def there(tmp_path: Path) -> dict[str, Path]:
    """Files by the paths they shall have."""
    found = {}
    for name, content in {
        "m/a.txt": b"a",
        "m/deep/b.bin": bytes(range(256)) * 999,
        "mm.txt": b"",
        "ü%?#.txt": b"odd",
    }.items():
        found[name] = tmp_path / f"{len(found)}"
        found[name].write_bytes(content)
    return found


@pytest.mark.parametrize("whole", [files.WHOLE, 1000], ids=["whole", "in blocks"])
def test_what_was_sent_comes_back(
    whole: int, there: dict[str, Path], start: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Small and large files, at the paths they were given, odd ones too; a container that is taken gets another name."""
    monkeypatch.setattr(files, "WHOLE", whole)
    monkeypatch.setattr(files, "BLOCK", 100_000)
    backend = RemoteBackend(start().url)
    assert backend.upload("c", there) == "LocalUpload/c"
    assert backend.upload("c", {"x": there["m/a.txt"]}) == "LocalUpload/c-2"
    assert RemoteBackend(backend.url).upload("c", {"x": there["m/a.txt"]}) == "LocalUpload/c-3"
    target = tmp_path / "target"
    assert backend.download("LocalUpload/c", target) == sorted(map(Path, there))
    for path, source in there.items():
        assert (target / path).read_bytes() == source.read_bytes()
    assert backend.download("LocalUpload/c/m", tmp_path / "some") == [Path("m/a.txt"), Path("m/deep/b.bin")]
    assert backend.download("LocalUpload/c/mm.txt", tmp_path / "one") == [Path("mm.txt")]
    for prefix in ("LocalUpload/c/m/a", "LocalUpload/c/none", "LocalUpload/none", "Elsewhere/c", "LocalUpload"):
        with pytest.raises(NotFound):
            backend.download(prefix, target)


def test_many_files_are_announced_in_batches(start: Callable[..., Any], tmp_path: Path) -> None:
    """Of at most 50."""
    (tmp_path / "f").write_bytes(b"f")
    backend = RemoteBackend(start().url)
    backend.upload("c", {f"{number}": tmp_path / "f" for number in range(2 * files.BATCH + 1)})
    assert len(backend.download("LocalUpload/c", tmp_path / "back")) == 2 * files.BATCH + 1


def test_what_cannot_be_sent_is_refused_before(azure: Any, tmp_path: Path) -> None:
    """Paths that lead elsewhere, files that are not there."""
    (tmp_path / "f").write_bytes(b"f")
    backend = azure.connect()
    for container, path in (
        ("..", "a"),
        ("a/b", "a"),
        ("", "a"),
        ("c", "../a"),
        ("c", "/a"),
        ("c", "a//b"),
        ("c", "a\\b"),
    ):
        with pytest.raises(InvalidSetting):
            backend.upload(container, {path: tmp_path / "f"})
    with pytest.raises(UnreadableFile):
        backend.upload("c", {"a": tmp_path / "f", "b": tmp_path / "none"})
    with pytest.raises(InvalidSetting):
        backend.download("LocalUpload/../x", tmp_path)
    assert not azure.requests


def test_uploads_to_another_server(azure: Any, tmp_path: Path) -> None:
    """The blob's address is called as it is, over TLS, but without the user in it, and without the token."""
    (tmp_path / "f").write_bytes(b"content")
    backend = azure.connect()
    azure.on("GET", f"{ARTIFACTS}/prefix/contentinfo/LocalUpload/c", httpx.Response(404, json={"message": "none"}))
    places = {"a b": {"contentUri": f"{BLOB}/a%20b?sig=s%2Bx"}}
    announced = httpx.Response(200, json={"artifacts": {}, "artifactContentInformation": places, "errors": None})
    azure.on("POST", f"{ARTIFACTS}/batch/metadata/LocalUpload/c", announced)
    azure.on("PUT", "https://127.0.0.1:18443/blob/LocalUpload/c/a%20b", httpx.Response(201))
    assert backend.upload("c", {"a b": tmp_path / "f"}) == "LocalUpload/c"
    sent = azure.last
    assert (sent.content, sent.url.query, sent.url.userinfo) == (b"content", b"sig=s%2Bx", b"")
    assert {"authorization"}.isdisjoint(sent.headers)
    headers = ("x-ms-blob-type", "if-none-match", "content-length", "content-type")
    assert [sent.headers[name] for name in headers] == ["BlockBlob", "*", "7", "application/octet-stream"]


def test_large_files_go_in_blocks(azure: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Block by block, then the list of them."""
    monkeypatch.setattr(files, "WHOLE", 4)
    monkeypatch.setattr(files, "BLOCK", 4)
    (tmp_path / "f").write_bytes(b"aaaabbbbc")
    backend = azure.connect()
    azure.on("GET", f"{ARTIFACTS}/prefix/contentinfo/LocalUpload/c", httpx.Response(200, json={"value": []}))
    places = {"f": {"contentUri": f"{BLOB}/f?sig=s"}}
    azure.on(
        "POST",
        f"{ARTIFACTS}/batch/metadata/LocalUpload/c",
        httpx.Response(200, json={"artifactContentInformation": places}),
    )
    azure.on("PUT", "https://127.0.0.1:18443/blob/LocalUpload/c/f", httpx.Response(201))
    backend.upload("c", {"f": tmp_path / "f"})
    *blocks, listed = azure.requests[2:]
    assert [each.content for each in blocks] == [b"aaaa", b"bbbb", b"c"]
    names = [each.url.params["blockid"] for each in blocks]
    assert len(set(map(len, names))) == 1
    assert listed.url.params["comp"] == "blocklist"
    assert listed.content.decode().endswith(
        "".join(["<BlockList>", *(f"<Latest>{name}</Latest>" for name in names), "</BlockList>"])
    )


@pytest.mark.parametrize(
    ("answer", "kind", "why"),
    [
        ({"errors": {"f": {"error": {"code": "x", "message": "no room"}}}}, AksError, "f: no room"),
        ({"artifactContentInformation": {}}, AksError, "says nothing of f"),
        ({"artifactContentInformation": {"f": {"contentUri": f"{BLOB}/f?sig=hidden"}}}, Conflict, "PUT .*/c/f: 409"),
    ],
)
def test_uploads_that_are_refused(answer: Any, kind: type[AksError], why: str, azure: Any, tmp_path: Path) -> None:
    """Named by path, never with what signs the address."""
    (tmp_path / "f").write_bytes(b"f")
    backend = azure.connect()
    azure.on("GET", f"{ARTIFACTS}/prefix/contentinfo/LocalUpload/c", httpx.Response(404))
    azure.on("POST", f"{ARTIFACTS}/batch/metadata/LocalUpload/c", httpx.Response(200, json=answer))
    azure.on("PUT", "https://127.0.0.1:18443/blob/LocalUpload/c/f", httpx.Response(409, text="<Error/>"))
    with pytest.raises(kind, match=why) as caught:
        backend.upload("c", {"f": tmp_path / "f"})
    assert "hidden" not in str(caught.value)


def test_downloads_from_another_server(azure: Any, tmp_path: Path) -> None:
    """Over all pages, whole segments only, and nowhere but below the folder."""
    backend = azure.connect()
    url = f"{ARTIFACTS}/prefix/contentinfo/LocalUpload/c/m"

    def content(path: str) -> dict[str, str]:
        return {"path": path, "contentUri": f"https://blob.example/{path}?sig=s"}

    azure.on(
        "GET", url, httpx.Response(200, json={"value": [content("m/a"), content("mm")], "continuationToken": "t"}),
        httpx.Response(200, json={"value": [content("m/b")], "continuationToken": None}),
    )  # fmt: skip
    for path in ("m/a", "m/b"):
        azure.on("GET", f"https://blob.example/{path}", httpx.Response(200, stream=httpx.ByteStream(path.encode())))
    assert backend.download("LocalUpload/c/m", tmp_path) == [Path("m/a"), Path("m/b")]
    assert (tmp_path / "m/b").read_bytes() == b"m/b"
    assert "authorization" not in azure.last.headers
    azure.on("GET", url, httpx.Response(200, json={"value": [content("m/../../x")]}))
    with pytest.raises(InvalidSetting):
        backend.download("LocalUpload/c/m", tmp_path)
    azure.on("GET", url, httpx.Response(200, json={"value": [content("m/a")]}))
    azure.on("GET", "https://blob.example/m/a", httpx.Response(403, text="signature"))
    with pytest.raises(AksError, match=r"GET https://blob\.example/m/a: the server answered 403: signature"):
        backend.download("LocalUpload/c/m", tmp_path)
