"""The story of a request: from a trace, and from a result by running its scenario once more; both tell the same."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from akstwin.errors import AksError
from akstwin.scenarios import explain as explaining
from akstwin.scenarios.commands import run as run_command
from akstwin.scenarios.explain import explain
from akstwin.scenarios.explain_command import explain as command
from akstwin.scenarios.load import load
from akstwin.scenarios.story import Asked

SMALL = """\
duration: 10s
webservice:
  name: scorer
  deploy: {num_replicas: 1}
  model: {service_time: 500ms}
traffic: [{shape: trace, file: calls.csv}]
clients: {retry: {statuses: [503], attempts: 2, backoff: 1s}}
assumptions: {router_overhead: 3ms}
"""
CALLS = "at_s\n1.0\n1.0\n1.4\n1.45\n"
BUSY = """\
seed: 3
duration: 2m
cluster: {nodes: 3, vm_size: Standard_D4s_v5}
endpoint:
  name: fraud
  versions:
    - name: blue
      deploy: {is_default: true, traffic_percentile: 80, autoscale_min_replicas: 2, autoscale_max_replicas: 12, cpu_cores: 0.5}
      model: {service_time: {distribution: exponential, mean: 200ms}, init_time: 5s}
    - name: green
      deploy: {traffic_percentile: 20, num_replicas: 1}
      model: {service_time: 150ms}
traffic: [{shape: steps, rate: [5, 60], at: [0s, 30s]}, {shape: constant, rate: 1}]
clients: {retry: azureml-core}
faults: [{kind: node_loss, at: 50s, node: 2, lasts: 30s}]
replications: 2
"""


def made(folder: Path, text: str) -> tuple[Path, Path]:
    """A trace and a result of a scenario."""
    (folder / "calls.csv").write_text(CALLS)
    (folder / "s.yaml").write_text(text)
    trace, result = folder / "s.parquet", folder / "s.json"
    done = CliRunner().invoke(run_command, [str(folder / "s.yaml"), "--trace", str(trace), "--json", str(result)])
    assert done.exit_code == 0, done.exception
    return trace, result


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Four calls to one replica."""
    return made(tmp_path_factory.mktemp("small"), SMALL)


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two versions, a rush, a lost node."""
    return made(tmp_path_factory.mktemp("busy"), BUSY)


def test_the_story_of_a_request_that_did_not_wait(small: tuple[Path, Path]) -> None:
    """Word for word."""
    assert explain(small[0], Asked(number=0)) == [
        "Request 0 of traffic[0], replication 1, its only attempt, came at 1 s for version scorer.",
        "Then 0 requests waited before it and 0 were under way; when it was sent or refused, the router saw 1 ready replica.",
        "It did not wait: replica scorer-1 had a free place and got it at once.",
        "At 1 s replica scorer-1 (on node 1) had no request.",
        "It was answered 200 at 1.503 s, after 503 ms: 0 ms in the queue, 500 ms in the model, 3 ms of the router's.",
    ]


def test_the_story_of_one_that_waited(small: tuple[Path, Path]) -> None:
    """As long as `max_request_wait_time` allows."""
    assert explain(small[0], Asked(number=1))[1:] == [
        "Then 0 requests waited before it and 0 were under way; when it was sent or refused, the router saw 1 ready replica.",
        "It waited 500 ms in the queue, to 1.5 s; then replica scorer-1 got it, where request 0 had ended.",
        "At 1.5 s replica scorer-1 (on node 1) ran request 0 from 1 s to 1.5 s.",
        "It was answered 200 at 2.003 s, after 1003 ms: 500 ms in the queue, 500 ms in the model, 3 ms of the router's.",
    ]


def test_the_story_of_one_that_was_refused(small: tuple[Path, Path]) -> None:
    """Why, and what its client did then."""
    story = explain(small[0], Asked(status=503))
    assert story == explain(small[0], Asked(number=2))
    assert story == [
        "Request 2 of traffic[0], replication 1, attempt 1 of 2, came at 1.4 s for version scorer.",
        "Then 1 request waited before it and 1 were under way; when it was sent or refused, the router saw 1 ready replica.",
        "It waited 500 ms in the queue, to 1.9 s, and no place became free for it.",
        "At 1.9 s replica scorer-1 (on node 1) ran request 1 from 1.5 s to 2 s.",
        "It was answered 503 at 1.9 s, after 500 ms: queue_deadline, waited longer than max_request_wait_time.",
        "Its client tried again once, the last time at 2.9 s, and got 200.",
    ]
    again = explain(small[0], Asked(number=2, attempt=2))
    assert again[0] == "Request 2 of traffic[0], replication 1, attempt 2 of 2, came at 2.9 s for version scorer."


@pytest.mark.parametrize(
    "asked",
    [
        Asked(status=503), Asked(status=504), Asked(status=200), Asked(number=3), Asked(number=1000), Asked(number=40, entry=1),
        Asked(2, status=503), Asked(2, number=2000), Asked(number=1500, attempt=1),
    ],
)  # fmt: skip
def test_trace_and_result_tell_the_same_story_in_ten_lines(busy: tuple[Path, Path], asked: Asked) -> None:
    """What the run recorded, and what the run made again finds."""
    trace, result = busy
    story = explain(trace, asked)
    assert story == explain(result, asked)
    assert 4 <= len(story) <= 10
    assert all(len(line) < 300 for line in story)


def test_every_story_of_a_busy_run_is_told_in_ten_lines(busy: tuple[Path, Path]) -> None:
    """A sample of all that there are: each status and reason, with every sentence whole."""
    rows = [row for row in pq.read_table(busy[0]).to_pylist() if row["kind"] == "request" and row["replication"] == 1]
    kinds: dict[Any, Any] = {}
    for row in rows:
        kinds.setdefault((row["status"], row["reason"], row["dispatched_us"] == row["arrived_us"]), row)
    assert len(kinds) >= 4
    for row in kinds.values():
        asked = Asked(number=row["number"], entry=row["entry"], attempt=row["attempt"] + 1)
        story = explain(busy[0], asked)
        assert len(story) <= 10
        assert f"It was answered {row['status']} at " in "\n".join(story)
        assert all(line.endswith(".") for line in story)


def test_a_lost_node_is_seen_in_the_story(tmp_path: Path) -> None:
    """The replica is silent, and which node it was is said."""
    text = BUSY.replace("replications: 2", "replications: 1").replace("clients: {retry: azureml-core}\n", "")
    trace, _ = made(tmp_path, text)
    rows = [row for row in pq.read_table(trace).to_pylist() if row["kind"] == "request" and row["subject"] == "blue"]
    refused = [row for row in rows if row["status"] == 503 and 50e6 < row["arrived_us"] < 60e6]
    stories = [explain(trace, Asked(number=row["number"], entry=row["entry"])) for row in refused[:20]]
    assert stories
    assert all("node_lost node 2 at 50 s" in "\n".join(story) for story in stories)
    assert any("(on node 2) was silent: node 2 was lost" in line for story in stories for line in story)


def test_replicas_that_start_and_that_hang_are_told_apart(tmp_path: Path) -> None:
    """A starting one holds what reached it before the router knew; what a hung one holds is said, and that it hangs."""
    text = SMALL.replace("traffic: [{shape: trace, file: calls.csv}]", "traffic: [{shape: constant, rate: 4}]")
    killed, _ = made(tmp_path, text + "faults: [{kind: replica_kill, at: 2s}]\n")
    story = explain(killed, Asked(number=13))
    assert "replica scorer-1 (on node 1) was Starting, and held request 7 from 2 s" in "\n".join(story)
    assert "no_ready_replica, the router saw no ready replica." in "\n".join(story)
    assert "It did not wait: it was refused at once." in story
    cold, _ = made(tmp_path, text.replace("duration: 10s", "duration: 10s\nstart: cold"))
    story = explain(cold, Asked(status=404))
    assert "for no version: it was refused before that." in story[0]
    assert len(story) <= 5
    hung, _ = made(tmp_path, text + "faults: [{kind: replica_hang, at: 2s, lasts: 5s}]\n")
    story = "\n".join(explain(hung, Asked(number=9)))
    assert "fault_replica_hang scorer scorer-1 at 2 s" in story
    assert "replica scorer-1 (on node 1) ran request " in story


def test_a_result_is_run_only_as_far_as_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten hours are not simulated for a request of the first minute."""
    (tmp_path / "s.yaml").write_text(SMALL.replace("duration: 10s", "duration: 10h"))
    (tmp_path / "calls.csv").write_text("at_s\n" + "".join(f"{at}\n" for at in range(0, 36_000, 10)))
    prepared = load(tmp_path / "s.yaml")
    explaining._run(prepared, Asked(number=2), tmp_path / "t.parquet")
    ends = pq.read_table(tmp_path / "t.parquet").column("at_us").to_pylist()
    assert 20e6 < max(ends) < 600e6


def refused(path: Path, asked: Asked, scenario: Path | None = None) -> str:
    """Why there is no story."""
    with pytest.raises(AksError) as error:
        explain(path, asked, scenario)
    return str(error.value)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Asked(number=99), "--request: 99 is not a request of traffic[0] in replication 1: its requests are 0 to 3"),
        (Asked(number=0, entry=4), "--request: 0 is not a request of traffic[4] in replication 1: it has none"),
        (Asked(number=0, attempt=3), "--attempt: 3 is not an attempt that request 0 had"),
        (Asked(status=504), "--first: 504 is not the status of any answer in replication 1"),
    ],
)
def test_what_is_not_there(small: tuple[Path, Path], asked: Asked, said: str) -> None:
    """Alike from a trace and from a result."""
    assert refused(small[0], asked) == said
    assert refused(small[1], asked) == said


def test_another_replication_than_there_are(small: tuple[Path, Path]) -> None:
    """A result knows how many it had."""
    assert refused(small[1], Asked(2, number=0)) == "--replication: 2 is not one of the result's 1"


def test_a_result_that_cannot_be_made_again(tmp_path: Path) -> None:
    """Each reason is named."""
    trace, result = made(tmp_path, SMALL)
    asked = Asked(number=0)
    document = json.loads(result.read_text())

    def changed(**changes: Any) -> Path:
        kept = {name: value for name, value in {**document, **changes}.items() if value is not None}
        (tmp_path / "changed.json").write_text(json.dumps(kept))
        return tmp_path / "changed.json"

    assert "version: '0.0.1' is not the version that this is" in refused(changed(version="0.0.1"), asked)
    assert "has no fingerprint, so is no result of akstwin run, or one of an older" in refused(
        changed(fingerprint=None), asked
    )
    assert "which is no akstwin run of a file" in refused(changed(replay="akstwin plan s.yaml"), asked)
    (tmp_path / "no.json").write_text("[]")
    assert "is neither a trace nor a result of akstwin run" in refused(tmp_path / "no.json", asked)
    assert "cannot be read: No such file" in refused(tmp_path / "none.json", asked)
    (tmp_path / "calls.csv").write_text(CALLS.replace("1.45", "1.46"))
    assert "it, or a file that it names, has changed" in refused(result, asked)
    (tmp_path / "calls.csv").write_text(CALLS)
    other = tmp_path / "elsewhere"
    other.mkdir()
    shutil.copy(result, other / "s.json")
    assert "which is neither beside it nor here; name it with --scenario" in refused(other / "s.json", asked)
    assert explain(other / "s.json", asked, tmp_path / "s.yaml") == explain(trace, asked)
    assert "--scenario" in refused(trace, asked, tmp_path / "s.yaml")


def test_changes_of_a_run_are_made_again(tmp_path: Path) -> None:
    """`--set`, `--seed` and `--replications` stand in the result."""
    (tmp_path / "s.yaml").write_text(BUSY)
    result = tmp_path / "r.json"
    words = [
        str(tmp_path / "s.yaml"),
        "--seed",
        "9",
        "--set",
        "duration=40s",
        "--set",
        "faults=[]",
        "--json",
        str(result),
    ]
    assert CliRunner().invoke(run_command, [*words, "--trace", str(tmp_path / "r.parquet")]).exit_code == 0
    assert explain(result, Asked(number=5)) == explain(tmp_path / "r.parquet", Asked(number=5))


def test_parquet_files_that_are_no_traces(tmp_path: Path) -> None:
    """Another table, and a trace from before replicas' states were in it."""
    pq.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    assert "is no trace of this version: it has no column replication" in refused(
        tmp_path / "a.parquet", Asked(number=0)
    )


def test_the_command(small: tuple[Path, Path]) -> None:
    """Its options, and that one of two must be given."""
    told = CliRunner().invoke(command, [str(small[0]), "--request", "0:2"]).output.splitlines()
    assert told == explain(small[0], Asked(number=2))
    assert CliRunner().invoke(command, [str(small[0]), "--first", "503"]).output.splitlines() == told
    for words, said in (
        ([], "give either --request N or --first STATUS"),
        (["--request", "1", "--first", "503"], "give either"),
        (["--first", "503", "--attempt", "2"], "--attempt goes with --request"),
    ):
        assert said in CliRunner().invoke(command, [str(small[0]), *words]).output
    odd = CliRunner().invoke(command, [str(small[0]), "--request", "x"])
    assert str(odd.exception) == "--request: 'x' is not a number, or ENTRY:NUMBER, each from 0"
