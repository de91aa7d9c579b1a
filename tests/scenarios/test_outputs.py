"""Where results go: files, devices, pipes, full disks; and whatever ends the command before it is done."""

import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

COMMAND = [sys.executable, "-m", "akstwin"]
OPTIONS = ("--trace", "--json", "--report")
SCENARIO = """
seed: 1
duration: 2m
cluster: {nodes: 3}
webservice:
  name: svc-a
  model: {service_time: 20ms}
  deploy: {num_replicas: 2}
traffic:
  - {shape: constant, rate: 20}
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    """A short one, in a folder of its own."""
    path = tmp_path / "in" / "one.yaml"
    path.parent.mkdir()
    path.write_text(SCENARIO)
    return path


def run(*arguments: object, **given: Any) -> subprocess.CompletedProcess[bytes]:
    """The command, to its end."""
    given = {"stdout": subprocess.PIPE, **given}
    return subprocess.run(
        [*COMMAND, "run", *map(str, arguments)], stderr=subprocess.PIPE, timeout=300, check=False, **given
    )


def one_line(done: subprocess.CompletedProcess[bytes], *words: str, status: int = 2) -> None:
    """It failed as bad input does."""
    told = done.stderr.decode()
    assert (done.returncode, told.count("\n")) == (status, 1), told
    assert told.startswith("akstwin: ")
    assert all(word in told for word in words), told


def rows(path: Path) -> int:
    """Of a trace."""
    return int(pq.ParquetFile(path).metadata.num_rows)


@pytest.mark.parametrize("option", OPTIONS)
def test_a_device(option: str, scenario: Path) -> None:
    """It takes everything, nothing, or it is full: it is never replaced."""
    for device in ("/dev/null", "/dev/full"):
        before = Path(device).stat()
        done = run(scenario, option, device)
        if device == "/dev/full":
            one_line(done, option, device, "No space left on device")
        else:
            assert (done.returncode, done.stderr) == (0, b"")
        assert Path(device).stat().st_rdev == before.st_rdev


def test_standard_output_by_its_name(scenario: Path, tmp_path: Path) -> None:
    """A file that the shell has opened is not replaced, and has nothing else in it."""
    for name in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        target = tmp_path / "out.parquet"
        with target.open("wb") as opened:
            done = run(scenario, "--trace", name, stdout=opened)
            assert (done.returncode, done.stderr) == (0, b"")
            assert os.fstat(opened.fileno()).st_ino == target.stat().st_ino
        assert rows(target) > 2000
    piped = run(scenario, "--trace", "/dev/stdout").stdout
    assert piped == target.read_bytes()
    one_line(run(scenario, "--trace", "/dev/stdout", "--json", "-"), "--", "has standard output")


@pytest.mark.parametrize("option", OPTIONS)
def test_a_pipe(option: str, scenario: Path, tmp_path: Path) -> None:
    """Its reader gets the whole; one that leaves early ends the command as a shell expects."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    done = run(scenario, option, pipe)
    reader.join(60)
    assert (done.returncode, done.stderr) == (0, b"")
    assert pipe.is_fifo()
    target = tmp_path / "plain"
    assert run(scenario, option, target).returncode == 0
    if option == "--trace":
        assert read == [target.read_bytes()]
    else:
        assert abs(len(read[0]) - target.stat().st_size) < 200  # it says how long it took
    leaving = threading.Thread(target=lambda: pipe.open("rb").close())
    leaving.start()
    done = run(scenario, option, pipe)
    leaving.join(60)
    assert done.returncode == 141 or not done.stderr  # what fits into the pipe's buffer is written
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("option", OPTIONS)
def test_what_is_no_file(option: str, scenario: Path, tmp_path: Path) -> None:
    """A folder, a loop of links, a folder that is not there: refused before anything runs."""
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    for path in (
        tmp_path,
        loop,
        tmp_path / "no" / "where",
        tmp_path / "in" / "one.yaml" / "below",
        tmp_path / ("n" * 300),
    ):
        before = sorted(tmp_path.rglob("*"))
        one_line(run(scenario, option, path, "--set", "duration=3000d"), option)
        assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("option", OPTIONS)
def test_a_link_stays_one(option: str, scenario: Path, tmp_path: Path) -> None:
    """What it leads to is replaced."""
    link, target = tmp_path / "link", tmp_path / "in" / "target"
    link.symlink_to(target)
    assert run(scenario, option, link).returncode == 0
    assert link.is_symlink()
    assert target.stat().st_size > 500


@pytest.mark.parametrize("option", OPTIONS)
def test_a_full_disk(option: str, scenario: Path, tmp_path: Path) -> None:
    """One line, and the file is as it was."""
    target = tmp_path / "out"
    target.write_text("before")

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (400, 400))

    done = run(scenario, option, target, preexec_fn=small)
    one_line(done, option, str(target), "cannot be written: File too large")
    assert target.read_text() == "before"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["in", "out"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("pipe", [False, True])
def test_a_signal_in_the_middle_of_it(number: signal.Signals, pipe: bool, scenario: Path, tmp_path: Path) -> None:
    """The exit status tells of it, one line at most, and nothing is left."""
    target = tmp_path / "out.parquet"
    if pipe:
        os.mkfifo(target)  # nobody reads: it waits for who will
    heard = ["env", *(f"--default-signal={each}" for each in ("INT", "TERM", "HUP"))]
    arguments = ["run", str(scenario), "--set", "duration=300d", "--trace", str(target)]
    with subprocess.Popen(
        [*heard, *COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    ) as begun:
        if pipe:
            threading.Event().wait(6)
        else:
            while not any(each.name.startswith(".akstwin-") and each.stat().st_size for each in tmp_path.iterdir()):
                assert begun.poll() is None
                threading.Event().wait(0.05)
        begun.send_signal(number)
        out, told = begun.communicate(timeout=120)
    assert begun.returncode == 128 + number
    assert out == b""
    expected = b"\n" if number == signal.SIGINT else f"akstwin: ended by {number.name}; nothing was written\n".encode()
    assert told == expected
    assert sorted(each.name for each in tmp_path.iterdir()) == ["in", *(["out.parquet"] if pipe else [])]


@pytest.mark.parametrize("kind", ["/dev/zero", "/dev/null", "pipe", "folder", "loop"])
def test_a_trace_to_read_that_is_no_file(kind: str, scenario: Path, tmp_path: Path) -> None:
    """It might have no end, or nobody who writes to it."""
    path = Path(kind) if kind.startswith("/") else tmp_path / kind
    if kind == "pipe":
        os.mkfifo(path)
    if kind == "folder":
        path.mkdir()
    if kind == "loop":
        path.symlink_to(path)
    scenario.write_text(SCENARIO.replace("{shape: constant, rate: 20}", f"{{shape: trace, file: {path}}}"))
    one_line(run(scenario), str(path))
