"""Nothing is dropped without a word, and no exit status says what is not so."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from akstwin.scenarios.load import BadScenario, prepare
from akstwin.scenarios.plan import Over, Stopping, plan
from akstwin.scenarios.run import run

SERVICE = {"name": "fraud", "deploy": {"num_replicas": 2}}


def _akstwin(folder: Path, line: str) -> subprocess.CompletedProcess[str]:
    """The command, as a shell would run it."""
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; '{sys.executable}' -m akstwin {line}"],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a small scenario."""
    (tmp_path / "s.yaml").write_text("duration: 5s\nwebservice: {name: fraud}\ntraffic: {shape: constant, rate: 9}\n")
    return tmp_path


@pytest.mark.parametrize(
    "line", ["run s.yaml > /dev/full", "run s.yaml --json - > /dev/full", "run s.yaml --json /dev/full"]
)
def test_a_full_disk_is_bad_luck_and_no_missed_objective(folder: Path, line: str) -> None:
    """One line, and not the status that a gate takes for a miss."""
    done = _akstwin(folder, line)

    assert done.returncode == 2
    assert done.stderr.startswith("akstwin: ")
    assert done.stderr.count("\n") == 1


def test_a_reader_that_stops_early_is_no_error(folder: Path) -> None:
    """`akstwin … | head -1` says nothing on standard error."""
    done = _akstwin(folder, "run s.yaml --json - | head -1")

    assert done.stdout == "{\n"
    assert done.stderr == ""


def test_a_pipe_that_is_closed_is_no_missed_objective(folder: Path) -> None:
    """Closed before the first line: status 141, not 1, with and without JSON."""
    for output in ("", "--json -"):
        ours, theirs = os.pipe()
        os.close(ours)
        done = subprocess.run(
            [sys.executable, "-m", "akstwin", "run", "s.yaml", *output.split()],
            cwd=folder, stdout=theirs, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        os.close(theirs)
        assert (done.returncode, done.stderr) == (141, "")


def test_a_gate_needs_something_to_judge(folder: Path) -> None:
    """Without objectives `--gate` would always be green."""
    done = _akstwin(folder, "run s.yaml --gate")

    assert done.returncode == 2
    assert done.stderr.startswith("akstwin: s.yaml: objectives: is missing")


@pytest.mark.parametrize("first", ["-1", "1O", "12:00:01", "inf", "nan", "1;x", '""'])
def test_a_first_line_that_is_no_heading_is_no_heading(tmp_path: Path, first: str) -> None:
    """An odd first value is answered, not passed over."""
    (tmp_path / "calls.csv").write_text(f"{first},web\n2,web\n")
    document = {"duration": 5, "webservice": SERVICE, "traffic": [{"shape": "trace", "file": "calls.csv"}]}

    with pytest.raises(BadScenario, match="line 1"):
        prepare(document, tmp_path / "s.yaml")


@pytest.mark.parametrize("heading", ["at_s", "arrived (s)", "Time/s", "elapsedSeconds"])
def test_a_heading_is_one(tmp_path: Path, heading: str) -> None:
    """A word above the column is passed over, once it has told the unit."""
    (tmp_path / "calls.csv").write_text(f"{heading}\n2\n")
    document = {"duration": 5, "webservice": SERVICE, "traffic": [{"shape": "trace", "file": "calls.csv"}]}

    assert run(prepare(document, tmp_path / "s.yaml"))["requests"] == 1


def test_what_lies_beyond_the_duration_is_said_to_do_nothing(tmp_path: Path) -> None:
    """A rehearsal whose failure never comes must not look like a success."""
    (tmp_path / "calls.csv").write_text("1s\n2s\n100s\n")
    document = {
        "duration": 10,
        "webservice": SERVICE,
        "traffic": [{"shape": "trace", "file": "calls.csv"}, {"shape": "steps", "rate": [1], "at": [50]}],
        "faults": [{"kind": "node_loss", "node": 1, "at": 100}],
        "operations": [{"kind": "update", "at": 500}],
    }

    notes = "\n".join(run(prepare(document, tmp_path / "s.yaml"))["notes"])

    assert "faults[0], operations[0]: planned for after the end" in notes
    assert "traffic[0]: 1 of its instants" in notes
    assert "traffic[1]: begins after the end" in notes


def test_a_search_that_finds_nothing_says_what_it_took_for_granted(tmp_path: Path) -> None:
    """More patience is not better for latency: the answer must not claim that no value would do."""
    document = {
        "duration": 60,
        "webservice": {**SERVICE, "model": {"service_time": {"distribution": "exponential", "mean": "100ms"}}},
        "traffic": {"shape": "poisson", "rate": 22},
        "objectives": {"success_rate": 0.5, "p99": "700ms"},
    }
    over = Over("webservice.deploy.max_request_wait_time", 1, 20_000)
    found = plan(document, tmp_path / "s.yaml", over, stopping=Stopping(2, 2))

    assert any("takes it that more is better" in note for note in found["notes"])


def test_an_update_that_could_never_begin_is_refused(tmp_path: Path) -> None:
    """Kubernetes takes no Deployment with neither surge nor unavailability; nor do we."""
    document = {"duration": 5, "webservice": SERVICE, "assumptions": {"max_surge": 0, "max_unavailable": 0}}

    with pytest.raises(BadScenario, match="max_surge or max_unavailable over 0"):
        prepare(document, tmp_path / "s.yaml")


@pytest.mark.parametrize(("model", "checked"), [({}, False), ({"cpu": 0.5}, True)])
def test_nodes_that_nobody_checked_are_not_called_sound(tmp_path: Path, model: dict[str, float], checked: bool) -> None:
    """Without model.cpu there is no telling whether nodes are short of it."""
    result = run(prepare({"duration": 5, "webservice": {**SERVICE, "model": model}}, tmp_path / "s.yaml"))

    assert result["nodes"]["checked"] is checked
