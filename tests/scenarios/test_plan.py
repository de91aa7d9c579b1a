"""`akstwin plan` finds the smallest value that meets all objectives, in few runs."""

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest

from akstwin.cli import main
from akstwin.errors import InvalidSetting
from akstwin.scenarios.load import document_of, prepare, set_value
from akstwin.scenarios.plan import Over, Tried, parse_over, plan
from akstwin.scenarios.run import run

REPLICAS = "webservice.deploy.num_replicas"
SHORT = ("--set", "duration=90s", "--replications", "1")

# Ten requests a second of half a second each, and hardly any queue: Erlang's loss system with five offered.
SCENARIO = """\
seed: 3
replications: 2
duration: 330s
warm_up: 30s
cluster: {nodes: 4, vm_size: Standard_D4s_v5}
webservice:
  name: fraud
  deploy: {num_replicas: 1, max_request_wait_time: 1}
  model: {service_time: {distribution: exponential, mean: 500ms}}
traffic: {shape: poisson, rate: 10}
objectives: {success_rate: 0.95}
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    """The scenario as a file."""
    path = tmp_path / "loss.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return path


def search(scenario: Path, over: str, *changes: str, tried: list[Tried] | None = None) -> dict[str, Any]:
    """What a plan finds."""
    heard: list[Tried] = [] if tried is None else tried
    return plan(document_of(scenario, changes), scenario, parse_over(over), progress=heard.append)


def erlang_b(servers: int, offered: float) -> float:
    """Share of arrivals that find all servers busy when nobody waits."""
    blocked = 1.0
    for n in range(1, servers + 1):
        blocked = offered * blocked / (n + offered * blocked)
    return blocked


def test_it_is_the_smallest_by_exhaustive_scan(scenario: Path) -> None:
    """Every value below fails and every value from it on meets the objectives, tried one by one."""
    document = document_of(scenario)
    meets = {}
    for value in range(5, 12):
        set_value(document, REPLICAS, value)
        meets[value] = all(each["met"] is True for each in run(prepare(document, scenario))["objectives"])
    smallest = min(value for value, met in meets.items() if met)
    assert search(scenario, f"{REPLICAS}=5..11")["value"] == smallest


@pytest.mark.parametrize("allowed", [0.15, 0.05])
def test_it_is_erlangs_number(scenario: Path, allowed: float) -> None:
    """The smallest number of servers whose blocking is at most x, by Erlang's formula.

    The target lies between that number's blocking and its neighbour's, three standard errors away from both.
    """
    needed = next(servers for servers in range(1, 30) if erlang_b(servers, 5.0) <= allowed)
    between = math.sqrt(erlang_b(needed, 5.0) * erlang_b(needed - 1, 5.0))
    found = search(scenario, f"{REPLICAS}=4..12", f"objectives.success_rate={1 - between}")
    assert found["value"] == needed


def test_few_values_are_tried(scenario: Path) -> None:
    """Both ends and a halving: of n values two and log2 n at most, each once."""
    tried: list[Tried] = []
    found = search(scenario, f"{REPLICAS}=1..40", tried=tried)
    values = [each.value for each in tried]
    assert len(values) == len(set(values)) <= 2 + math.ceil(math.log2(40))
    assert [each["value"] for each in found["tried"]] == sorted(values)
    assert found["value"] in values
    assert found["value"] - 1 in values


def test_a_minimum_that_is_enough_is_found_at_once(scenario: Path) -> None:
    """Nothing else has to be tried then."""
    found = search(scenario, f"{REPLICAS}=15..40")
    assert (found["value"], [each["value"] for each in found["tried"]]) == (15, [15])


def test_none_is_found(scenario: Path) -> None:
    """A span without an answer is tried at both ends, and said to have none."""
    found = search(scenario, f"{REPLICAS}=1..3")
    assert found["value"] is None
    assert [each["value"] for each in found["tried"]] == [1, 3]
    assert found["notes"][0].startswith("Only these values were tried. The search takes it that more is better")


def test_a_span_of_one(scenario: Path) -> None:
    """One value is met or it is not."""
    assert search(scenario, f"{REPLICAS}=2..2")["value"] is None
    assert search(scenario, f"{REPLICAS}=14..14")["value"] == 14


def test_only_what_can_start_is_tried(scenario: Path) -> None:
    """A span that reaches beyond the cluster's room is searched as far as there is room; the refusal is told."""
    found = search(scenario, f"{REPLICAS}=8..1000")
    refused = {each["value"]: each["refused"] for each in found["tried"] if each["refused"]}
    assert found["value"] == search(scenario, f"{REPLICAS}=8..12")["value"]
    assert set(refused) == {1000}
    assert "1000 replicas" in refused[1000]


def test_where_nothing_can_start_nothing_is_found(scenario: Path) -> None:
    """Replicas that do not fit meet nothing."""
    found = search(scenario, f"{REPLICAS}=500..1000")
    assert found["value"] is None
    assert all("replicas" in each["refused"] for each in found["tried"])


def test_unproven_is_not_met(scenario: Path) -> None:
    """With nodes short of CPU nothing counts as met, and the plan says why."""
    scarce = ("webservice.model.cpu=4", "webservice.deploy.cpu_cores=0.1")
    found = search(scenario, f"{REPLICAS}=8..12", *scarce)
    verdicts = {each["met"] for tried in found["tried"] for each in tried["objectives"]}
    assert found["value"] is None
    assert "unproven" in verdicts
    assert any("unproven" in note for note in found["notes"])


def test_more_than_replicas_can_be_sought(scenario: Path) -> None:
    """Any whole number of the file: here how long a request may wait."""
    tried = search(scenario, "webservice.deploy.max_request_wait_time=1..4000", f"{REPLICAS}=6", "replications=1")
    below = next(each for each in tried["tried"] if each["value"] == 1)
    assert not below["meets"]
    assert 1 < tried["value"] < 4000


def test_the_same_plan_is_found_again(scenario: Path) -> None:
    """Common random numbers, and no chance but the file's."""
    assert search(scenario, f"{REPLICAS}=8..10") == search(scenario, f"{REPLICAS}=8..10")


@pytest.mark.parametrize(
    ("text", "over"),
    [
        ("a.b=1..5", Over("a.b", 1, 5)),
        (" a[0].b = 3..3 ", Over("a[0].b", 3, 3)),
        ("a=-2..2", Over("a", -2, 2)),
    ],
)
def test_a_span_is_read(text: str, over: Over) -> None:
    """Both ends belong to it; blanks do no harm."""
    assert parse_over(text) == over


@pytest.mark.parametrize(
    "text", ["", "a", "a=", "a=1", "a=1..", "a=..2", "a=2..1", "=1..2", "a=1...2", "a=1.5..2", "a=x..y"]
)
def test_what_is_no_span(text: str) -> None:
    """The form is told, with an example."""
    with pytest.raises(InvalidSetting, match=r"PATH=LOW\.\.HIGH with whole numbers"):
        parse_over(text)


def _command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["akstwin", "plan", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize(("span", "gate", "status"), [("1..3", True, 1), ("1..3", False, 0), ("1..12", True, 0)])
def test_the_gate_closes_where_nothing_is_found(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    scenario: Path,
    span: str,
    gate: bool,
    status: int,
) -> None:
    """Exit status 1 with `--gate` where no value meets the objectives, else 0."""
    options = ["--gate"] if gate else []
    assert _command(monkeypatch, str(scenario), "--over", f"{REPLICAS}={span}", *SHORT, *options) == status
    said = " ".join(capsys.readouterr().out.split())
    assert said.startswith("Smallest value that meets all objectives: ")
    assert (f"none found from 1 to 3 for {REPLICAS}" in said) == (span == "1..3")


def test_json_carries_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], scenario: Path
) -> None:
    """`--json -` gives the plan alone on standard output; options act as with run."""
    changes = ("--set", "duration=60s", "--seed", "9", "--replications", "1")
    assert _command(monkeypatch, str(scenario), "--over", f"{REPLICAS}=1..12", "--json", "-", *changes) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert (found["over"], found["low"], found["high"]) == (REPLICAS, 1, 12)
    assert err == ""
    expected = plan(document_of(scenario, ["duration=60s"], seed=9, replications=1), scenario, Over(REPLICAS, 1, 12))
    assert found == json.loads(json.dumps(expected))


def test_json_goes_to_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], scenario: Path, tmp_path: Path
) -> None:
    """The file has the plan, the terminal the table."""
    target = tmp_path / "plan.json"
    assert _command(monkeypatch, str(scenario), "--over", f"{REPLICAS}=1..12", "--json", str(target), *SHORT) == 0
    found = json.loads(target.read_text(encoding="utf-8"))
    said = capsys.readouterr().out
    assert f"= {found['value']}" in said
    assert "success" in said
