"""`akstwin grade`: worlds that are paired, references that do what they are known for, intervals, what a budget leaves open."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binomtest
from scipy.stats import t as student

from akstwin.errors import InvalidSetting
from akstwin.scenarios.grade import ERRORS, Cell, cells_of, grade, mean_interval, wilson
from akstwin.scenarios.grade_plot import characteristic
from akstwin.scenarios.grade_worlds import EQUAL, OWN, REFERENCES, Regression, World, play, regressed, world_of
from akstwin.scenarios.load import Prepared, prepare

SCENARIO: dict[str, Any] = {
    "seed": 2,
    "duration": "10m",
    "cluster": {"nodes": 3},
    "endpoint": {
        "name": "fraud",
        "versions": [
            {"name": "blue", "deploy": {"is_default": True, "num_replicas": 3}, "model": {"failure_rate": 0.005}},
            {"name": "green", "deploy": {"num_replicas": 3}},
        ],
    },
    "traffic": [{"shape": "poisson", "rate": 12}],
    "policies": [
        {"kind": "canary", "version": "green", "steps": [30], "hold": "3m", "max_error_rate": 0.02, "on_deadline": "hold"}
    ],
}  # fmt: skip


def scenario(**changes: Any) -> Prepared:
    """It, with changes."""
    return prepare({**SCENARIO, **changes}, Path("s.yaml"))


@pytest.mark.parametrize(("hits", "count"), [(0, 5), (5, 5), (3, 20), (1, 400)])
def test_shares_have_wilsons_interval(hits: int, count: int) -> None:
    """As scipy has it."""
    low, high = binomtest(hits, count).proportion_ci(method="wilson")
    assert wilson(hits, count) == pytest.approx((low, high), abs=1e-9)
    assert wilson(0, 0) == (0, 1)


def test_means_have_students_interval() -> None:
    """As scipy has it; none of a single value."""
    values = [3.0, 5.0, 10.0, 4.0]
    low, high = student.interval(0.95, 3, loc=5.5, scale=(29 / 3 / 4) ** 0.5)
    assert mean_interval(values) == pytest.approx((low, high))
    assert mean_interval([3.0]) is None


def test_worlds_are_the_scenario_with_one_thing_worse() -> None:
    """The version's model is its control's, whatever the file says, but for the regression."""
    prepared = scenario()
    blue = prepared.models["blue"]
    assert world_of(prepared, World(OWN, EQUAL, 1.0, 1)).models["green"] == blue
    assert regressed(blue, Regression("errors", 0.02)).failure_rate == pytest.approx(0.025)
    assert regressed(blue, Regression("latency", 3)).service_time.mean == 150_000  # type: ignore[union-attr]
    assert regressed(blue, Regression("slow start", 60)).init_time.mean == 65_000_000  # type: ignore[union-attr]
    killing = world_of(prepared, World(OWN, Regression("memory", 500), 0.5, 1))
    assert killing.scenario.faults[-1].kind == "crash_on_request"
    assert killing.scenario.traffic[0].rate == 6  # type: ignore[union-attr]


def test_worlds_of_one_replication_are_paired() -> None:
    """The same requests meet the same chance: what fails without the version fails with an equal one at the same time."""
    prepared = scenario()
    base = play(prepared, World("never", EQUAL, 1.0, 3))
    held = play(prepared, World("step analysis", EQUAL, 1.0, 3))
    assert base.outcome == "rolled back"
    assert base.replica_seconds == 0
    assert sum(held.failed) == pytest.approx(sum(base.failed[: len(held.failed)]), abs=12)
    assert play(prepared, World("never", EQUAL, 1.0, 3)) == base
    assert play(prepared, World("never", EQUAL, 1.0, 4)).failed != base.failed


def test_each_rule_does_what_it_is_known_for() -> None:
    """Five points worse: always promotes it and pays for it; the others take it back."""
    prepared = scenario()
    bad = Regression("errors", 0.05)
    found = {who: play(prepared, World(who, bad, 1.0, 1)) for who in (OWN, *REFERENCES)}
    assert {who: each.outcome for who, each in found.items()} == {
        OWN: "rolled back", "never": "rolled back", "always": "promoted", "step analysis": "rolled back",
        "failed checks": "promoted",
    }  # fmt: skip
    assert sum(found["always"].failed) > 5 * sum(found[OWN].failed)
    assert found["failed checks"].seconds == 180, "three failed looks of three are not five"
    equal = [play(prepared, World("step analysis", EQUAL, 1.0, number)).outcome for number in range(1, 7)]
    assert "rolled back" in equal, "a threshold on one interval takes good versions back"


@pytest.mark.slow
def test_a_grading_has_all_that_it_promises() -> None:
    """Every cell with its intervals, the traffic that is needed, what is open, and the plot's curves."""
    prepared = scenario()
    found = grade(prepared, budget=None, replications=2, jobs=1)
    cells = {(row["policy"], row["regression"], row["traffic"]): row for row in found["cells"]}
    equal = cells[OWN, str(EQUAL), 1.0]
    worst = cells[OWN, str(Regression("errors", ERRORS[-1])), 1.0]
    assert {row["worlds"] for row in found["cells"]} == {2}
    assert equal["promoted"]["share"] == 1
    assert worst["rolled_back"]["share"] == 1
    assert worst["rolled_back"]["interval"] == wilson(2, 2)
    always = cells["always", worst["regression"], 1.0]
    assert 0 < worst["failed_requests_caused"]["mean"] < always["failed_requests_caused"]["mean"]
    assert worst["seconds_to_decide"]["median"] <= equal["seconds_to_decide"]["median"]
    assert equal["replica_hours"]["mean"] == pytest.approx(3 * equal["seconds_to_decide"]["median"] / 3600, rel=0.5)
    assert cells["never", str(EQUAL), 1.0]["failed_requests_caused"]["mean"] == 0
    needs = {each["regression"]: each["least_rate"] for each in found["sees"]}
    assert needs[worst["regression"]] in (3.0, 12.0)
    assert any("worlds" in line for line in found["open"]), "two worlds leave much open"
    curves = characteristic(found)["data"]
    assert {curve["name"].partition(",")[0] for curve in curves} == {OWN, *REFERENCES}
    assert all(curve["x"] == sorted(curve["x"]) and len(curve["x"]) == len(curve["y"]) for curve in curves)


def test_a_budget_ends_it_after_one_round_and_jobs_change_nothing() -> None:
    """However small; every cell has its one world."""
    short = {**SCENARIO, "duration": "2m", "traffic": [{"shape": "poisson", "rate": 1}]}
    found = grade(prepare(short, Path("s.yaml")), budget=1e-6, jobs=1)
    assert {row["worlds"] for row in found["cells"]} == {1}
    side_by_side = grade(prepare(short, Path("s.yaml")), budget=None, replications=1, jobs=2)
    assert {**found, "wall_seconds": 0} == {**side_by_side, "wall_seconds": 0}


def test_what_cannot_be_graded_is_refused_or_said() -> None:
    """No policy, two, one that judges no version; users cannot be scaled, and it is said."""
    timetable = {"kind": "scheduled_scaling", "version": "green", "entries": [{"at": "0s", "replicas": 1}]}
    for policies in ([], [*SCENARIO["policies"], timetable], [timetable]):
        with pytest.raises(InvalidSetting, match="policies"):
            grade(scenario(policies=policies))
    users = [{"shape": "users", "users": 3, "think_time": "1s"}]
    cells, left_out = cells_of(scenario(traffic=users))
    assert {cell.traffic for cell in cells} == {1.0}
    assert any("traffic" in line for line in left_out)
    assert Cell(OWN, EQUAL, 0.25) in cells_of(scenario())[0]


def test_the_command(tmp_path: Path) -> None:
    """A table on standard output, JSON and a page on request; bad input in one line."""
    file = tmp_path / "s.yaml"
    file.write_text(json.dumps({**SCENARIO, "duration": "2m", "traffic": [{"shape": "poisson", "rate": 1}]}))
    command = [
        sys.executable,
        "-m",
        "akstwin",
        "grade",
        str(file),
        "--budget",
        "1s",
        "--replications",
        "1",
        "--jobs",
        "1",
    ]
    done = subprocess.run(
        [*command, "--json", str(tmp_path / "g.json"), "--report", str(tmp_path / "g.html")],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "References" in done.stdout
    assert "Left open" in done.stdout
    assert json.loads((tmp_path / "g.json").read_text())["version"] == "green"
    assert "characteristic" in (tmp_path / "g.html").read_text("utf-8")
    wrong = subprocess.run(
        [*command[:-4], "--budget", "soon"], capture_output=True, text=True, timeout=600, check=False
    )
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("akstwin: --budget:")
