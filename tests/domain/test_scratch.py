"""Temporary folders: gone with their process, however that ends; and nobody else's are touched."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from akstwin import scratch

HOLDING = """
import sys
from akstwin import scratch
folder = scratch.Folder()
(folder.path / "deep").mkdir()
(folder.path / "deep" / "file").write_text("x")
print(folder.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place for temporary folders, here and for children."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    yield tmp_path
    assert list(tmp_path.iterdir()) == []


def holding() -> tuple[subprocess.Popen[str], Path]:
    """A process with a temporary folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def ended(process: "subprocess.Popen[str]", *, kill: bool) -> int:
    """How it ended."""
    if kill:
        process.kill()
    process.communicate(timeout=60)
    return process.returncode


def test_a_process_that_ends_leaves_nothing(place: Path) -> None:
    """Not even its own folder."""
    process, folder = holding()
    assert (folder / "deep/file").is_file()
    assert ended(process, kill=False) == 0


def test_what_a_killed_process_left_goes_with_the_next_that_starts(place: Path) -> None:
    """And not before it is dead."""
    process, folder = holding()
    other, _ = holding()
    assert folder.is_dir()
    assert scratch.sweep(place) == []
    assert ended(process, kill=True) == -9
    assert folder.is_dir()
    third, _ = holding()
    assert not folder.parent.exists()
    for each in (other, third):
        ended(each, kill=False)


def test_only_what_is_ours_is_swept(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not another user's, nothing without a lock, nothing behind a link, nothing of another name."""
    outside = place / "outside"
    (outside / "kept").mkdir(parents=True)
    (outside / "lock").touch()
    (place / "akstwin-run-link").symlink_to(outside)
    (place / "akstwin-run-unlocked").mkdir()
    for name in ("akstwin-run-left", "akstwin-else"):
        (place / name).mkdir()
        (place / name / "lock").touch()
    with monkeypatch.context() as elsewhere:
        user = os.getuid()
        elsewhere.setattr(os, "getuid", lambda: user + 1)
        assert scratch.sweep(place) == []
    with (place / "akstwin-run-left/lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert scratch.sweep(place) == []
    assert scratch.sweep(place) == [place / "akstwin-run-left"]
    assert (outside / "kept").is_dir()
    for name in ("akstwin-run-link", "akstwin-run-unlocked", "akstwin-else", "outside"):
        scratch.remove(place / name)


def test_the_process_s_own_folder_goes_with_its_last(place: Path) -> None:
    """A folder that nobody holds any more is gone, too."""
    one, other = scratch.Folder(), scratch.Folder()
    assert one.path.parent == other.path.parent
    one.remove()
    one.remove()
    assert [path.name for path in other.path.parent.iterdir()] == ["lock", other.path.name] or other.path.is_dir()
    del other
    with scratch.temporary() as folder:
        assert folder.is_dir()
