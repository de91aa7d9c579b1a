"""Shares of refused and failed attempts, and what must hold whichever node is lost."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from akstwin.scenarios.load import BadScenario, document_of, load, prepare
from akstwin.scenarios.report import html_report
from akstwin.scenarios.run import run
from akstwin.scenarios.tables import render

# Two replicas for 30 requests a second of 100 ms: one in three is refused. One request in ten of those that run fails.
BUSY = """\
seed: 2
duration: 60s
webservice:
  name: fraud
  deploy: {num_replicas: 2}
  model: {service_time: 100ms, failure_rate: 0.1}
traffic: {shape: poisson, rate: 30}
objectives: {refused: 0.5, failed: 0.5}
"""

# Six replicas on four nodes: two on each of two of them, one on each of the others.
NODES = """\
seed: 2
duration: 4m
warm_up: 30s
cluster: {nodes: 4, vm_size: Standard_D4s_v5}
webservice:
  name: fraud
  deploy: {num_replicas: 6, cpu_cores: 1, memory_gb: 2}
  model: {service_time: {distribution: lognormal, mean: 110ms, cv: 0.6}}
traffic: [{shape: poisson, rate: 30}]
objectives: {p99: 400ms, success_rate: 0.999, survives: any_node}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with both scenarios."""
    (tmp_path / "busy.yaml").write_text(BUSY, encoding="utf-8")
    (tmp_path / "nodes.yaml").write_text(NODES, encoding="utf-8")
    return tmp_path


def by_name(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The objectives by their names."""
    return {each["name"]: each for each in result["objectives"]}


def test_refused_is_503_and_failed_is_all_but_200(folder: Path) -> None:
    """Both are shares of all attempts, and stand in the result with what they were counted from."""
    result = run(load(folder / "busy.yaml"))
    found, status, requests = by_name(result), result["status"], result["requests"]
    assert status["502"] > 0
    assert found["refused"]["value"] == status["503"] / requests > 0.2
    assert found["failed"]["value"] == (requests - status["200"]) / requests > found["refused"]["value"]


@pytest.mark.parametrize("name", ["refused", "failed"])
def test_a_share_is_an_upper_limit(folder: Path, name: str) -> None:
    """Met up to the target itself, and not beyond it."""
    value = by_name(run(load(folder / "busy.yaml")))[name]["value"]
    met = [
        by_name(run(load(folder / "busy.yaml", [f"objectives={{{name}: {target!r}}}"])))[name]["met"]
        for target in (value - 1e-9, value, value + 1e-9)
    ]
    assert met == [False, True, True]


def test_shares_have_intervals_and_are_said_in_per_cent(folder: Path) -> None:
    """Over replications, as the others."""
    result = run(load(folder / "busy.yaml", replications=3))
    low, high = result["intervals"]["objectives.refused"]
    assert low < by_name(result)["refused"]["value"] < high
    console = Console(width=100, record=True, file=StringIO())
    render(result, console)
    assert "at most 50.0 %" in console.export_text()


# -- any node lost


def test_survival_is_what_the_loss_of_each_node_gives(folder: Path) -> None:
    """As if each had been written as a fault, at the start of the window; the worst is named."""
    result = run(load(folder / "nodes.yaml"))
    survival = by_name(result)["survives"]
    document = document_of(folder / "nodes.yaml")
    del document["objectives"]["survives"]
    alone = []
    for node in (1, 2, 3, 4):
        document["faults"] = [{"kind": "node_loss", "at": "30s", "node": node}]
        alone.append({"node": node, "objectives": run(prepare(document, folder / "nodes.yaml"))["objectives"]})
    assert survival["nodes"] == alone
    misses = [
        (max(p99["value"] / p99["target"], (1 - answered["value"]) / (1 - answered["target"])), each["node"])
        for each in alone
        for p99, answered in [each["objectives"]]
    ]
    worst, first_of_them = max(misses, key=lambda miss: (miss[0], -miss[1]))
    assert survival["value"] == f"node {first_of_them}", worst
    assert len({round(miss, 6) for miss, _ in misses}) > 1, "nodes differ, or the test shows nothing"


def test_one_node_that_is_missed_is_enough(folder: Path) -> None:
    """Met only if all nodes' losses are; the figures of the result stay those without a loss."""
    values = [
        objective["value"]
        for each in by_name(run(load(folder / "nodes.yaml")))["survives"]["nodes"]
        for objective in each["objectives"]
        if objective["name"] == "success_rate"
    ]
    between = (min(values) + max(values)) / 2
    result = run(load(folder / "nodes.yaml", [f"objectives={{success_rate: {between}, survives: any_node}}"]))
    assert by_name(result)["survives"]["met"] is False
    assert by_name(result)["success_rate"] == {"name": "success_rate", "target": between, "value": 1.0, "met": True}
    lowest = run(load(folder / "nodes.yaml", [f"objectives={{success_rate: {min(values)}, survives: any_node}}"]))
    assert by_name(lowest)["survives"]["met"] is True


def test_when_the_node_is_lost_can_be_said(folder: Path) -> None:
    """Late and for a short while hurts less than from the start to the end."""
    changes = ["objectives.survives={lost: any_node, at: 3m, lasts: 10s}"]
    late = by_name(run(load(folder / "nodes.yaml", changes)))["survives"]["worst"]
    document = document_of(folder / "nodes.yaml", ["objectives={p99: 400ms, success_rate: 0.999}"])
    document["faults"] = [{"kind": "node_loss", "at": "3m", "lasts": "10s", "node": late["node"]}]
    alone = by_name(run(prepare(document, folder / "nodes.yaml")))[late["name"]]
    assert late == {"node": late["node"], **alone}


def test_processes_and_replications_change_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs with a lost node are measured side by side, too."""
    monkeypatch.setattr("akstwin.scenarios.run._WORTH_PROCESSES", 0.0)
    prepared = load(folder / "nodes.yaml", ["duration=60s"], replications=2)
    alone, together = run(prepared, jobs=1), run(prepared, jobs=2)
    assert {**alone, "wall_seconds": 0} == {**together, "wall_seconds": 0}


def test_survival_is_shown_and_noted(folder: Path) -> None:
    """In the terminal, in the report, in JSON."""
    result = run(load(folder / "nodes.yaml"))
    console = Console(width=100, record=True, file=StringIO())
    render(result, console)
    text, worst = console.export_text(), by_name(result)["survives"]["worst"]
    for shown in (text, html_report(result)):
        assert f"without node {worst['node']}" in shown
    assert any(
        note.startswith("survives: each of the 4 nodes was lost in turn at 30s, to the end") for note in result["notes"]
    )
    json.dumps(result, allow_nan=False)


@pytest.mark.parametrize(
    ("objectives", "said"),
    [
        ("{survives: any_node}", "objectives.survives: 'any_node' is not enough: name a latency or a share that must"),
        ("{survives: any_node, cost: 5}", "objectives.survives: 'any_node' is not enough: name a latency or a share"),
        (
            "{p99: 1s, survives: all}",
            "objectives.survives: 'all' is not \"any_node\", or a mapping with lost, at, lasts",
        ),
        (
            "{p99: 1s, survives: {lost: node}}",
            "objectives.survives.lost: 'node' is not 'any_node'; did you mean any_node?",
        ),
        (
            "{p99: 1s, survives: {lost: any_node, at: 4m}}",
            "objectives.survives.at: '4m' is not before the end of the duration, 4m",
        ),
        ("{p99: 1s, refused: 1.5}", "objectives.refused: 1.5 is not at most 1"),
        ("{p99: 1s, failed: -1}", "objectives.failed: -1 is not at least 0"),
    ],
)
def test_what_cannot_be_asked(folder: Path, objectives: str, said: str) -> None:
    """The setting, the value, and what was expected."""
    with pytest.raises(BadScenario) as refused:
        load(folder / "nodes.yaml", [f"objectives={objectives}"])
    assert str(refused.value).startswith(f"{folder / 'nodes.yaml'}: {said}")
