"""`akstwin plan` finds the value that meets all objectives while its neighbour does not, in few runs, or says that it cannot."""

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest

from akstwin.cli import main
from akstwin.errors import InvalidSetting
from akstwin.scenarios.load import BadScenario, document_of
from akstwin.scenarios.plan import Over, Stopping, Tried, Watcher, parse_over, plan, stopping_of

REPLICAS = "webservice.deploy.num_replicas"
SHORT = ("--set", "duration=60s", "--set", "objectives.success_rate=0.91", "--replications", "10")

# Ten requests a second of half a second each, and hardly any queue: Erlang's loss system with five offered.
SCENARIO = """\
seed: 3
replications: 2
duration: 110s
warm_up: 10s
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


class Heard(Watcher):
    """Keeps what was tried, in its order."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.asked: list[int] = []

    def working(self, values: tuple[Any, ...], done: float, asked: int) -> None:
        """How many runs were asked for."""
        self.asked.append(asked)

    def tried(self, tried: Tried) -> None:
        """One more."""
        self.values.append(tried.value)


def search(scenario: Path, over: str, *changes: str, heard: Heard | None = None, **options: Any) -> dict[str, Any]:
    """What a plan finds."""
    overs = [parse_over(each) for each in over.split(" x ")]
    return plan(document_of(scenario, changes), scenario, overs, watcher=heard, jobs=1, **options)


def verdicts(found: dict[str, Any]) -> dict[Any, str]:
    """What was said of each value."""
    return {str(each["value"]): each["verdict"] for each in found["tried"]}


def erlang_b(servers: int, offered: float) -> float:
    """Share of arrivals that find all servers busy when nobody waits."""
    blocked = 1.0
    for n in range(1, servers + 1):
        blocked = offered * blocked / (n + offered * blocked)
    return blocked


def test_it_is_the_smallest_by_exhaustive_scan(scenario: Path) -> None:
    """Every value below is not met and every value from it on is met, tried one by one."""
    alone = {value: search(scenario, f"{REPLICAS}={value}..{value}")["tried"][0]["verdict"] for value in range(6, 12)}
    smallest = min(value for value, verdict in alone.items() if verdict == "met")
    found = search(scenario, f"{REPLICAS}=6..11")
    assert (found["answer"], found["value"], found["neighbour"]) == ("found", smallest, smallest - 1)
    assert alone == {value: "not met" if value < smallest else "met" for value in range(6, 12)}


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
    heard = Heard()
    found = search(scenario, f"{REPLICAS}=1..40", "duration=40s", heard=heard, stopping=Stopping(10, 10))
    values = heard.values
    assert len(values) == len(set(values)) <= 2 + math.ceil(math.log2(40))
    assert [each["value"] for each in found["tried"]] == sorted(values)
    assert found["enough"] in values
    assert found["enough"] - 1 in values


def test_a_minimum_that_is_enough_is_found_at_once(scenario: Path) -> None:
    """Nothing else has to be tried then."""
    found = search(scenario, f"{REPLICAS}=15..40")
    assert (found["value"], [each["value"] for each in found["tried"]]) == (15, [15])
    assert any("15 is the lowest value that was asked for" in note for note in found["notes"])


def test_none_is_found(scenario: Path) -> None:
    """A span without an answer is tried at both ends, and said to have none."""
    found = search(scenario, f"{REPLICAS}=1..3")
    assert found["value"] is None
    assert [each["value"] for each in found["tried"]] == [1, 3]
    assert found["answer"] == "none"
    assert found["notes"][0].startswith("Only these values were tried. The search takes it that more is better")


def test_a_span_of_one(scenario: Path) -> None:
    """One value is met or it is not."""
    assert search(scenario, f"{REPLICAS}=2..2")["value"] is None
    assert search(scenario, f"{REPLICAS}=14..14")["value"] == 14


def test_only_what_can_start_is_tried(scenario: Path) -> None:
    """A span that reaches beyond the cluster's room is searched as far as there is room; the refusal is told."""
    found = search(scenario, f"{REPLICAS}=14..1000")
    refused = {each["value"]: each["refused"] for each in found["tried"] if each["refused"]}
    assert found["value"] == 14
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
    short = Stopping(10, 10)
    tried = search(scenario, "webservice.deploy.max_request_wait_time=1,2,2000,4000", f"{REPLICAS}=6", stopping=short)
    assert verdicts(tried)["1"] == "not met"
    assert (tried["value"], tried["neighbour"]) == (2000, 2)


def test_the_same_plan_is_found_again(scenario: Path) -> None:
    """Common random numbers, and no chance but the file's."""
    assert search(scenario, f"{REPLICAS}=14..15") == search(scenario, f"{REPLICAS}=14..15")


# -- what is sought


@pytest.mark.parametrize(
    ("text", "values", "numeric"),
    [
        ("a.b=1..5", [1, 2, 3, 4, 5], True),
        (" a[0].b = 3..3 ", [3], True),
        ("a=-2..2", [-2, -1, 0, 1, 2], True),
        ("a=0.5..0.8", [0.5, 0.6, 0.7, 0.8], True),
        ("a=1..1.5", [1.0, 1.1, 1.2, 1.3, 1.4, 1.5], True),
        ("a=0.50..0.52", [0.5, 0.51, 0.52], True),
        ("a=8,2,4", [2, 4, 8], True),
        ("a=0.5,2", [0.5, 2], True),
        ("a=Standard_D2s_v5, Standard_D4s_v5", ["Standard_D2s_v5", "Standard_D4s_v5"], False),
        ("a=true,false", [True, False], False),
        ("a=500ms,250ms", ["500ms", "250ms"], False),
    ],
)
def test_what_is_sought_is_read(text: str, values: list[Any], numeric: bool) -> None:
    """Both ends of a span belong to it; decimals go in steps of their last digit; numbers rise, words keep their order."""
    over = parse_over(text)
    assert (list(over.values), over.numeric) == (values, numeric)
    assert (over.low, over.high) == (values[0], values[-1])
    assert [type(value) for value in over.values] == [type(value) for value in values]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a=",
        "a=1",
        "a=1..",
        "a=..2",
        "a=2..1",
        "=1..2",
        "a=1...2",
        "a=x..y",
        "a=1,,2",
        "a=,",
        "a=nan..inf",
        "a=[1,2",
    ],
)
def test_what_is_no_span(text: str) -> None:
    """The form is told, with an example of each."""
    with pytest.raises(InvalidSetting, match=r"PATH=LOW\.\.HIGH with whole numbers or decimals"):
        parse_over(text)


def test_what_is_listed_twice_is_refused() -> None:
    """It would be tried twice, and be its own neighbour."""
    with pytest.raises(InvalidSetting, match="each value stands once"):
        parse_over("a=x,y,x")


def test_decimals_with_too_many_places_are_refused() -> None:
    """Steps of a millionth are a slip."""
    with pytest.raises(InvalidSetting, match="write fewer decimal places"):
        parse_over("a=0.5..1.000000")


def test_decimals_are_searched_by_halves(scenario: Path) -> None:
    """How much traffic ten replicas bear: the largest rate, with its neighbour above not met."""
    found = search(
        scenario, "traffic.rate=8.0..20.0", f"{REPLICAS}=9", "duration=40s", prefer="high", stopping=Stopping(10, 10)
    )
    assert len(found["tried"]) <= 2 + math.ceil(math.log2(121))
    rates = {float(rate): verdict for rate, verdict in verdicts(found).items()}
    assert rates[8.0] == "met"
    assert rates[20.0] == "not met"
    limit = next(rate for rate in range(80, 201) if erlang_b(9, rate / 10 * 0.5) > 0.05) / 10
    assert found["enough"] == pytest.approx(limit, rel=0.25)
    if found["answer"] == "found":
        assert found["neighbour"] == pytest.approx(found["value"] + 0.1)
    assert any("takes it that less is better" in note for note in found["notes"])


# -- cost, lists and grids


def test_each_value_has_its_cost(scenario: Path) -> None:
    """Four nodes for the window of 100 s; nothing varies."""
    found = search(scenario, f"{REPLICAS}=14..14", stopping=Stopping(10, 10))
    cost = found["tried"][0]["cost"]
    assert cost["total"] == pytest.approx(4 * 0.23 * 100 / 3600, abs=1e-6)
    assert cost["interval"] == pytest.approx([cost["total"]] * 2, abs=1e-6)


def test_of_words_the_cheapest_that_meets_is_sought(scenario: Path) -> None:
    """VM sizes from the cheapest on; the next cheaper one is its neighbour, and dearer ones are not tried."""
    sizes = "cluster.vm_size=Standard_D16s_v5,Standard_D8s_v5,Standard_D2s_v5,Standard_D4s_v5"
    large = "webservice.deploy={num_replicas: 14, cpu_cores: 1, memory_gb: 2, max_request_wait_time: 1}"
    found = search(scenario, sizes, large, "cluster.nodes=3", stopping=Stopping(10, 10))
    said = verdicts(found)
    assert (found["prefer"], found["answer"]) == ("cheapest", "found")
    assert found["value"] == "Standard_D8s_v5"
    assert said["Standard_D2s_v5"] == said["Standard_D4s_v5"] == "cannot start"
    assert "Standard_D16s_v5" not in said


def test_of_a_grid_the_cheapest_cell_is_sought(scenario: Path) -> None:
    """Fewer nodes first, then fewer replicas; every cheaper cell is not met or cannot start."""
    large = "webservice.deploy={cpu_cores: 1, memory_gb: 2, max_request_wait_time: 1}"
    changes = (large, "objectives.success_rate=0.92")
    found = search(scenario, f"cluster.nodes=3..5 x {REPLICAS}=7,9,12", *changes, stopping=Stopping(10, 20))
    said = verdicts(found)
    assert found["over"] == ["cluster.nodes", REPLICAS]
    assert found["value"] == [5, 9]
    assert found["neighbour"] == [5, 7]
    refused = {cell for cell, verdict in said.items() if verdict == "cannot start"}
    assert refused == {"[3, 7]", "[3, 9]", "[3, 12]", "[4, 9]", "[4, 12]", "[5, 12]"}
    assert said["[4, 7]"] == said["[5, 7]"] == "not met"


def test_a_grid_that_is_too_large_is_refused(scenario: Path) -> None:
    """It would take days."""
    with pytest.raises(InvalidSetting, match=r"300 cells.* is not at most 200 cells"):
        search(scenario, f"cluster.nodes=1..20 x {REPLICAS}=1..15")


def test_a_setting_twice_is_refused(scenario: Path) -> None:
    """It can have only one value at a time."""
    with pytest.raises(InvalidSetting, match="two different settings"):
        search(scenario, f"{REPLICAS}=1..2 x {REPLICAS}=3..4")


def test_sizes_without_a_price_have_no_order(scenario: Path) -> None:
    """The cheapest of them is nobody's guess; the order of the list can be taken instead."""
    sizes = "cluster.vm_size=Standard_D4s_v3,Standard_D8s_v5"
    with pytest.raises(InvalidSetting, match="price of an hour is not known for Standard_D4s_v3"):
        search(scenario, sizes)
    found = search(scenario, sizes, f"{REPLICAS}=10", prefer="high", stopping=Stopping(10, 10))
    assert found["value"] == "Standard_D8s_v5"


def test_a_wrong_setting_is_no_value_that_cannot_start(scenario: Path) -> None:
    """What is wrong whatever the value is said as `run` says it."""
    with pytest.raises(BadScenario, match="no such setting; did you mean num_replicas"):
        search(scenario, "webservice.deploy.num_replica=1..5")


# -- three answers


def test_ten_replications_are_the_floor(scenario: Path) -> None:
    """The scenario's own two are too few to tell; more than ten are kept."""
    assert stopping_of(document_of(scenario)) == Stopping(10, 40)
    assert stopping_of(document_of(scenario, replications=25)) == Stopping(25, 100)
    assert [look for look, _ in Stopping(10, 50).looks()] == [10, 20, 40, 50]
    found = search(scenario, f"{REPLICAS}=15..15")
    assert found["tried"][0]["replications"] == 10


def test_where_it_is_close_replications_are_added_up_to_the_cap(scenario: Path) -> None:
    """A target at the truth itself cannot be told: the plan says so, what is enough, and what would help."""
    truth = 1 - erlang_b(8, 5.0)
    found = search(scenario, f"{REPLICAS}=7..9", f"objectives.success_rate={truth}", stopping=Stopping(10, 20))
    tried = {each["value"]: each for each in found["tried"]}
    assert (found["answer"], found["value"], found["enough"]) == ("cannot tell", None, 9)
    assert (tried[8]["verdict"], tried[8]["replications"], tried[8]["level"]) == ("cannot tell", 20, 0.98)
    low, high = tried[8]["objectives"][0]["interval"]
    assert low < truth < high
    assert found["notes"][0].startswith("8 cannot be told after 20 replications: success_rate is ")


def test_verdicts_follow_from_the_intervals(scenario: Path) -> None:
    """Met and not met only where the whole interval lies on one side of the target."""
    found = search(
        scenario, f"{REPLICAS}=5..12", "objectives={success_rate: 0.93, p95: 1600ms}", stopping=Stopping(10, 20)
    )
    for each in found["tried"]:
        told = set()
        for objective in each["objectives"]:
            (low, high), target = objective["interval"], objective["target"]
            if objective["name"] == "success_rate":
                low, high, target = -high, -low, -target
            told.add("met" if high <= target else "not met" if low > target else "cannot tell")
        expected = next(verdict for verdict in ("not met", "cannot tell", "met") if verdict in told)
        assert each["verdict"] == expected


def test_one_replication_tells_nothing(scenario: Path) -> None:
    """It has no interval."""
    found = search(scenario, f"{REPLICAS}=15..15", stopping=Stopping(1, 1))
    assert found["answer"] == "cannot tell"
    assert found["notes"][0] == "15 cannot be told: one replication has no interval. --replications 10 gives one."


def test_the_loss_of_any_node_is_judged_too(scenario: Path) -> None:
    """With survives the worst node's replications decide."""
    changes = ("objectives={success_rate: 0.6, survives: any_node}", "duration=90s")
    found = search(scenario, f"{REPLICAS}=4..4", *changes, stopping=Stopping(10, 10))
    survival = found["tried"][0]["objectives"][-1]
    assert survival["name"] == "survives"
    assert len(survival["nodes"]) == 4
    every = {each["verdict"] for node in survival["nodes"] for each in node["objectives"]}
    assert survival["verdict"] == next(verdict for verdict in ("not met", "cannot tell", "met") if verdict in every)


def test_processes_change_nothing(scenario: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the replications, the plan is the same."""
    monkeypatch.setattr("akstwin.scenarios.replicating._WORTH_PROCESSES", 0.0)
    document, over = document_of(scenario, ["duration=30s"]), parse_over(f"{REPLICAS}=14..15")
    assert plan(document, scenario, over, jobs=1) == plan(document, scenario, over, jobs=2)


def test_how_it_gets_on_is_told(scenario: Path) -> None:
    """So many runs of so many."""
    heard = Heard()
    search(scenario, f"{REPLICAS}=15..15", heard=heard)
    assert set(heard.asked) == {10}
    assert heard.values == [15]


def test_off_a_terminal_a_line_every_ten_seconds(
    scenario: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With no time between two lines, each step has one; with ten seconds a short plan has none."""
    monkeypatch.setattr("akstwin.scenarios.progress.SECONDS_BETWEEN", 0.0)
    _command(monkeypatch, str(scenario), "--over", f"{REPLICAS}=15..15", *SHORT)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("plan: 0 tried, now 15: 0 of 10 runs")
    assert lines[-1].startswith("plan: 0 tried, now 15: 10 of 10 runs")


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
    changes = ("--set", "duration=60s", "--seed", "9", "--replications", "10")
    assert _command(monkeypatch, str(scenario), "--over", f"{REPLICAS}=1..12", "--json", "-", *changes) == 0
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert (found["over"], found["low"], found["high"]) == (REPLICAS, 1, 12)
    assert all(line.startswith("plan: ") for line in err.splitlines())
    document = document_of(scenario, ["duration=60s"], seed=9, replications=10)
    expected = plan(document, scenario, Over(REPLICAS, 1, 12), stopping=Stopping(10, 10))
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


def test_the_table_has_intervals_costs_and_three_answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], scenario: Path
) -> None:
    """For each value what was seen, what it costs, how often it was run."""
    monkeypatch.setenv("COLUMNS", "100")
    truth = 1 - erlang_b(8, 5.0)
    limits = ("--replications", "10", "--max-replications", "20", "--set", f"objectives.success_rate={truth}")
    assert _command(monkeypatch, str(scenario), "--over", f"{REPLICAS}=7..9", "--gate", *limits) == 1
    said = capsys.readouterr().out
    assert said.startswith(
        f"Smallest value that meets all objectives: cannot tell. {REPLICAS} = 9 meets them; 8 may or may not\n"
    )
    rows = {row.split()[0]: row for row in said.splitlines() if row[:1].isdigit()}
    assert rows["7"].rstrip().endswith("not met")
    assert rows["8"].rstrip().endswith("20  cannot tell")
    assert rows["9"].rstrip().endswith(" met")
    assert " to " in rows["8"]
    assert "0.0256" in rows["8"]


def test_a_cap_below_the_first_look_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], scenario: Path
) -> None:
    """The first look could not be had."""
    assert _command(monkeypatch, str(scenario), "--over", f"{REPLICAS}=7..9", "--max-replications", "5") == 2
    assert "--max-replications: 5 is not at least the 10 replications of the first look" in capsys.readouterr().err
