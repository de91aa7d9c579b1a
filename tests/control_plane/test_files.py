"""Uploaded files, and the store in memory."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from akstwin import scratch
from akstwin.errors import InvalidSetting, NotFound, UnreadableFile
from akstwin.files import FileStore
from akstwin.store import MemoryStore
from akstwin.uploads import CHUNK, Tally, UploadLimits, copy


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file to upload."""
    path = tmp_path / "source.txt"
    path.write_text("hello")
    return path


def test_what_is_uploaded_can_be_downloaded(tmp_path: Path, source: Path) -> None:
    """The container, a folder in it, one file: paths are those in the container."""
    with FileStore(tmp_path / "files") as files:
        prefix = files.upload("c", {"a.txt": source, "dir/b.txt": source, "dir2/c.txt": source})
        assert prefix == "LocalUpload/c"
        every = files.download(prefix, tmp_path / "one")
        assert every == [Path("a.txt"), Path("dir/b.txt"), Path("dir2/c.txt")]
        assert files.download(f"{prefix}/dir", tmp_path / "two") == [Path("dir/b.txt")]
        assert files.download(f"{prefix}/a.txt", tmp_path / "three") == [Path("a.txt")]

    assert (tmp_path / "two/dir/b.txt").read_text() == "hello"


def test_a_taken_name_gets_another(tmp_path: Path, source: Path) -> None:
    """Nothing is written over."""
    files = FileStore(tmp_path / "files")

    assert [files.upload("c", {"a": source}) for _ in range(3)] == [
        "LocalUpload/c", "LocalUpload/c-2", "LocalUpload/c-3",
    ]  # fmt: skip


def test_prefixes_are_whole_segments(tmp_path: Path, source: Path) -> None:
    """What is not there is not found."""
    files = FileStore(tmp_path / "files")
    files.upload("c", {"dir/a.txt": source})

    assert files.has("LocalUpload/c/dir")
    for prefix in ("LocalUpload/c/di", "LocalUpload/d", "LocalUpload", "Other/c", "LocalUpload/c/dir/a.txt/x"):
        assert not files.has(prefix)
        with pytest.raises(NotFound, match="no file"):
            files.download(prefix, tmp_path / "out")


@pytest.mark.parametrize("path", ["../a", "/a", "a/../b", "a//b", "", ".", "a\\b", "C:a", "a\0", "\udc80", "x" * 256])
def test_a_path_that_leads_elsewhere_is_refused(tmp_path: Path, source: Path, path: str) -> None:
    """And nothing is kept of what came with it."""
    files = FileStore(tmp_path / "files")
    for container, name in (("c", path), (path, "a")):
        with pytest.raises(InvalidSetting):
            files.upload(container, {"ok": source, name: source})
    for prefix in (f"LocalUpload/{path}", path):
        with pytest.raises((InvalidSetting, NotFound)):
            files.download(prefix, tmp_path / "out")
    assert list(files.folder.iterdir()) == []


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, source: Path) -> None:
    """Nothing is kept then."""
    files = FileStore(tmp_path / "files")
    with pytest.raises(UnreadableFile, match="nope"):
        files.upload("c", {"a": source, "b": tmp_path / "nope"})
    with pytest.raises(InvalidSetting, match="a file has the name of its folder"):
        files.upload("c", {"a": source, "a/b": source})
    assert [path.name for path in files.folder.rglob("*")] == [".partial"]


def test_a_temporary_folder_is_removed(tmp_path: Path, source: Path) -> None:
    """One's own is not."""
    with FileStore() as files, FileStore(tmp_path / "own") as own:
        files.upload("c", {"a": source})
        own.upload("c", {"a": source})

    assert not files.folder.exists()
    assert own.has("LocalUpload/c/a")


def written(store: FileStore, text: str) -> Path:
    """A partial file with something in it."""
    path = store.partial()
    path.write_text(text)
    return path


def test_one_file_is_kept_at_a_time(tmp_path: Path) -> None:
    """Not before it is whole, and in place of what is there."""
    store = FileStore(tmp_path / "files")
    begun = written(store, "1")
    assert not store.has("LocalUpload/c/a/b")
    store.keep("LocalUpload/c/a/b", begun)
    store.keep("LocalUpload/c/a/b", written(store, "2"))
    store.keep("LocalUpload/c/d", written(store, "3"))

    assert not begun.exists()
    assert store.locate("LocalUpload/c/a/b").read_text() == "2"
    assert store.paths("LocalUpload/c") == ["a/b", "d"]
    assert store.paths("LocalUpload/c/a") == ["a/b"]
    assert store.paths("LocalUpload/none") == []
    with pytest.raises(NotFound):
        store.locate("LocalUpload/c/a")
    with pytest.raises(UnreadableFile, match="No such file"):
        store.keep("LocalUpload/c/e", begun)


@pytest.mark.parametrize(
    "path",
    [
        "LocalUpload/c",
        "Other/c/a",
        "LocalUpload/.partial/a",
        "LocalUpload/c/a",
        "LocalUpload/c/a/b/x",
        "LocalUpload/c/..",
    ],
)
def test_a_path_that_no_file_can_have_is_refused(tmp_path: Path, path: str) -> None:
    """A folder's name, one below a file, one that leads elsewhere."""
    store = FileStore(tmp_path / "files")
    store.keep("LocalUpload/c/a/b", written(store, "1"))
    with pytest.raises(InvalidSetting):
        store.check_new(path)


def test_what_was_begun_before_is_not_seen(tmp_path: Path) -> None:
    """Nor is it there when the folder is opened again."""
    store = FileStore(tmp_path / "files")
    begun = written(store, "1")
    assert not store.has(f"LocalUpload/.partial/{begun.name}")
    FileStore(tmp_path / "files")
    assert not begun.exists()


def test_the_store_keeps_text(tmp_path: Path) -> None:
    """What is loaded is the caller's own, and only JSON is taken."""
    store = MemoryStore()
    value: dict[str, Any] = {"b": [1]}
    store.save("kind", "b", value)
    store.save("kind", "a", None)
    value["b"].append(2)
    store.load("kind", "b")["b"].append(3)

    assert store.load("kind", "b") == {"b": [1]}
    assert store.load("other", "b") is None
    assert store.keys("kind") == ["a", "b"]
    store.delete("kind", "b")
    store.delete("kind", "b")
    assert store.keys("kind") == ["a"]
    with pytest.raises(ValueError, match="JSON"):
        store.save("kind", "a", float("nan"))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {f"{index}": 0 for index in range(6)},
            "upload: 6 is not a number of files and folders within max_upload_files",
        ),
        ({"a/b/c/d/e/f": 0}, "upload: 6 is not a number of files and folders within max_upload_files, which is 5"),
        ({"a": 600, "b": 600}, "upload: '1200 bytes' is not a size within max_upload_bytes, which is 1kB"),
    ],
)
def test_an_upload_over_a_limit_leaves_nothing(tmp_path: Path, files: dict[str, int], message: str) -> None:
    """Neither files nor folders; folders count."""
    store = FileStore(tmp_path / "files", UploadLimits(5, 1000))
    for size in set(files.values()):
        (tmp_path / f"of-{size}").write_bytes(bytes(size))
    with pytest.raises(InvalidSetting, match=re.escape(message)):
        store.upload("c", {name: tmp_path / f"of-{size}" for name, size in files.items()})
    assert [path for path in store.folder.rglob("*") if path.name != ".partial"] == []


def test_a_file_that_grows_while_it_is_copied_counts_as_what_is_read(tmp_path: Path) -> None:
    """What it was when it was looked at means nothing."""
    source = tmp_path / "log"
    source.write_bytes(b"x")
    tally = Tally(UploadLimits(5, 3 * CHUNK))
    count = tally.count_bytes

    def growing(size: int) -> None:
        with source.open("ab") as file:
            file.write(bytes(2 * CHUNK))
        count(size)

    tally.count_bytes = growing  # type: ignore[method-assign]
    with pytest.raises(InvalidSetting, match="within max_upload_bytes"):
        copy(source, tmp_path / "copy", tally)
    assert (tmp_path / "copy").stat().st_size <= 3 * CHUNK


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    """Nobody may ever write to it."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnreadableFile, match="is not a regular file"):
        FileStore(tmp_path / "files").upload("c", {"a": tmp_path / "pipe"})


def test_a_deep_folder_is_removed(tmp_path: Path) -> None:
    """Deeper than Python recurses, and than the process has descriptors; also where its rights were taken away."""
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    (tmp_path / "d/locked").mkdir()
    (tmp_path / "d/locked/file").write_text("x")
    (tmp_path / "d/locked").chmod(0)
    (tmp_path / "outside").write_text("x")
    (tmp_path / "d/link").symlink_to(tmp_path)
    scratch.remove(tmp_path / "d")
    assert [path.name for path in tmp_path.iterdir()] == ["outside"]
