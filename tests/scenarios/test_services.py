"""Several services on one cluster: each is what it would be alone, as far as there is room, and all together are judged."""

import re
from copy import deepcopy
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from akstwin import Workspace
from akstwin.cli import main
from akstwin.errors import InvalidSetting
from akstwin.scenarios.compare import check
from akstwin.scenarios.explain import explain
from akstwin.scenarios.load import BadScenario, load, prepare
from akstwin.scenarios.outputs import as_json
from akstwin.scenarios.plan import Stopping, parse_over, plan
from akstwin.scenarios.plan_table import render_plan
from akstwin.scenarios.report import html_report
from akstwin.scenarios.run import run
from akstwin.scenarios.story import Asked
from akstwin.scenarios.tables import render
from akstwin.scenarios.trace import TraceWriter

Document = dict[str, Any]
FILE = Path("several.yaml")
ROOMY = {"nodes": 3, "vm_size": {"cpu_cores": 64, "memory_gb": 256, "hourly_price": 1.5}}

FRAUD: Document = {
    "name": "fraud",
    "deploy": {"num_replicas": 3, "cpu_cores": 1},
    "model": {"service_time": {"distribution": "lognormal", "mean": "100ms", "cv": 0.7}, "failure_rate": 0.01},
    "traffic": [{"shape": "poisson", "rate": 25}],
    "clients": {"retry": "azureml-core"},
    "operations": [{"at": 40, "kind": "update", "deploy": {"num_replicas": 4, "memory_gb": 1}}],
    "objectives": {"p99": "900ms"},
}
RATES: Document = {
    "name": "rates",
    "versions": [
        {
            "name": "blue",
            "deploy": {"autoscale_max_replicas": 6, "cpu_cores": 0.5, "is_default": True},
            "model": {"service_time": {"distribution": "gamma", "mean": "60ms", "cv": 0.5}, "cpu": 0.5},
        },
        {
            "name": "green",
            "deploy": {"num_replicas": 2, "traffic_percentile": 10, "cpu_cores": 0.5},
            "model": {"service_time": "70ms"},
        },
    ],
    "traffic": {"shape": "steps", "rate": [10, 40], "at": [0, 30]},
    "policies": [{"kind": "canary", "version": "green", "steps": [20, 40], "hold": 15, "max_error_rate": 0.9}],
    "objectives": {"success_rate": 0.5},
}
SHARED: Document = {"seed": 4, "replications": 2, "duration": "90s", "warm_up": "10s", "cluster": ROOMY}
FAULTS = [
    {"kind": "node_loss", "node": 1, "at": 50, "lasts": 20},
    {"kind": "image_pull_slow", "at": 30, "factor": 2},
]


def several(*services: Document, **more: Any) -> Document:
    """A scenario of these services."""
    return deepcopy({**SHARED, "services": list(services), **more})


def alone(service: Document, **more: Any) -> Document:
    """A scenario of one service, as it was written before there could be several."""
    own = deepcopy(service)
    outer = {
        name: own.pop(name) for name in ("traffic", "clients", "operations", "policies", "objectives") if name in own
    }
    return deepcopy({**SHARED, "endpoint" if "versions" in own else "webservice": own, **outer, **more})


def of(document: Document) -> dict[str, Any]:
    """Its result."""
    return run(prepare(document, FILE), jobs=1)


def figures(result: dict[str, Any], *without: str) -> str:
    """A result's figures as text; what only a file of several services has is left out."""
    left = {
        key: each
        for key, each in result.items()
        if key not in ("notes", "engine", "wall_seconds", "replay", "fingerprint", "services", *without)
    }
    return as_json(left)


# -- one service is what it always was


@pytest.mark.parametrize("service", [FRAUD, RATES], ids=["webservice", "endpoint"])
def test_one_under_services_has_the_very_figures_of_one_by_itself(service: Document) -> None:
    """Byte for byte, in every key of the result, with faults, retries, updates, autoscaling and a rollout."""
    name, version = service["name"], "blue" if "versions" in service else service["name"]
    bound = {"kind": "replica_kill", "at": 25, "version": version}
    single = of(alone(service, faults=[*FAULTS, bound]))
    result = of(several(service, faults=[*FAULTS, {**bound, "service": name}]))
    found = result["services"][name]
    assert found["cost"].pop("share") == 1.0
    assert figures(found) == figures(single)
    assert found.keys() == single.keys() - {"wall_seconds"}
    total = ("versions", "service", "operations", "events", "objectives")
    totals = {
        **result,
        "intervals": {key: each for key, each in result["intervals"].items() if "objectives" not in key},
    }
    before = {
        **single,
        "intervals": {key: each for key, each in single["intervals"].items() if "objectives" not in key},
    }
    assert figures(totals, *total) == figures(before, *total)


def test_one_service_has_the_keys_it_always_had() -> None:
    """Without `services:` the result says nothing of services."""
    result = of(alone(FRAUD, replications=1))
    assert "services" not in result
    assert set(result["cost"]) == {"total", "per_1000_requests"}
    assert all(set(event) == {"at", "kind", "subject", "detail"} for event in result["events"])
    assert result["service"]["name"] == "fraud"


# -- each is what it would be alone


OF_THE_CLUSTER = ("nodes", "cost", "events", "intervals", "event_counts")
"""What all services share, and pods' numbers, which are the cluster's."""


def test_a_service_more_leaves_the_others_as_they_were() -> None:
    """Where there is room: arrivals, draws and all that follows from them, whether it comes before or after."""
    before = of(several(FRAUD))["services"]["fraud"]
    for services in ((FRAUD, RATES), (RATES, FRAUD)):
        after = of(several(*services))["services"]
        assert figures(after["fraud"], *OF_THE_CLUSTER) == figures(before, *OF_THE_CLUSTER)
        assert after["rates"]["requests"] > 0


def test_two_alike_are_not_the_same() -> None:
    """Services of one kind under two names meet chance of their own."""
    result = of(several(FRAUD, {**FRAUD, "name": "other"}, replications=1))["services"]
    assert result["fraud"]["latency_ms"] != result["other"]["latency_ms"]
    assert result["fraud"]["requests"] != result["other"]["requests"]


def test_the_total_is_the_sum() -> None:
    """Requests, answers, replicas and cost add up; latencies are of all requests together."""
    result = of(several(FRAUD, RATES))
    parts = list(result["services"].values())
    for pick in (
        lambda each: each["requests"],
        lambda each: each["retries"],
        lambda each: each["status"]["200"],
        lambda each: each["status"]["503"],
        lambda each: each["replicas"]["replica_seconds"],
        lambda each: each["cost"]["total"],
        lambda each: sum(point["queued"] for point in each["timeline"]),
        lambda each: sum(point["rate"] for point in each["timeline"]),
    ):
        assert pick(result) == pytest.approx(sum(map(pick, parts)), rel=1e-3)
    assert result["latency_ms"]["max"] == max(each["latency_ms"]["max"] for each in parts)
    low, high = sorted(each["latency_ms"]["p50"] for each in parts)
    assert low < result["latency_ms"]["p50"] < high
    assert list(result["versions"]) == ["fraud", "rates/blue", "rates/green"]
    assert result["versions"]["rates/blue"] == result["services"]["rates"]["versions"]["blue"]
    assert result["service"] is None
    assert result["replicas"]["max"] <= sum(each["replicas"]["max"] for each in parts)


def test_cost_is_counted_once_and_shared_out_by_reserved_cores() -> None:
    """Two pods of one core and one of half a core, each with its side-car of a tenth, the whole time: 2.2 to 0.6."""
    one = {"name": "one", "deploy": {"num_replicas": 2, "cpu_cores": 1}}
    two = {"name": "two", "deploy": {"num_replicas": 1, "cpu_cores": 0.5}}
    prepared = prepare(several(one, two, replications=1), FILE)
    sidecar = prepared.scenario.assumptions.sidecar_cpu
    result = run(prepared)
    parts = result["services"]
    reserved = 2 * (1 + sidecar), 0.5 + sidecar
    assert parts["one"]["cost"]["share"] == pytest.approx(reserved[0] / sum(reserved), abs=1e-6)
    assert parts["two"]["cost"]["share"] == pytest.approx(reserved[1] / sum(reserved), abs=1e-6)
    assert result["cost"]["total"] == pytest.approx(3 * 1.5 * 80 / 3600, abs=1e-6)
    assert parts["one"]["cost"]["total"] == pytest.approx(
        result["cost"]["total"] * parts["one"]["cost"]["share"], abs=1e-6
    )
    assert any("shared out by the CPU" in note and "one 7" in note for note in result["notes"])


def test_policies_and_operations_are_each_service_s_own() -> None:
    """The update is the one's, the rollout the other's."""
    result = of(several(FRAUD, RATES, replications=1))
    fraud, rates = result["services"]["fraud"], result["services"]["rates"]
    assert [each["kind"] for each in fraud["operations"]] == ["update"]
    assert fraud["replicas"]["desired_max"] == 4
    assert rates["service"]["shares"]["green"] == 40
    assert {event["subject"] for event in rates["events"] if event["kind"] == "policy"} == {"Canary"}
    assert not [event for event in fraud["events"] if event["kind"] in ("policy", "traffic_changed")]
    assert {each["service"] for each in result["operations"]} >= {"fraud"}
    assert {(each["kind"], each["service"]) for each in result["events"]} >= {
        ("policy", "rates"),
        ("version_updated", "fraud"),
    }


# -- they share nodes


SMALL = {"nodes": 2, "vm_size": {"cpu_cores": 4, "memory_gb": 16, "hourly_price": 0.2}, "purpose": "DevTest"}
QUIET = {"traffic": {"shape": "constant", "rate": 4}, "model": {"service_time": "50ms"}}


def test_a_lost_node_takes_the_pods_of_every_service_on_it() -> None:
    """On one node all are lost; what hits one service's replicas leaves the other's alone."""
    cluster = {**ROOMY, "nodes": 1, "purpose": "DevTest"}
    one, two = ({**QUIET, "name": name, "deploy": {"num_replicas": 2}} for name in ("one", "two"))
    lost = of(several(one, two, cluster=cluster, faults=[{"kind": "node_loss", "node": 1, "at": 40, "lasts": 20}]))
    assert all(each["status"]["200"] < each["requests"] for each in lost["services"].values())
    killed = of(
        several(one, two, cluster=cluster, faults=[{"kind": "replica_kill", "service": "two", "count": 2, "at": 40}])
    )
    assert killed["services"]["one"]["status"]["200"] == killed["services"]["one"]["requests"]
    assert killed["services"]["two"]["status"]["200"] < killed["services"]["two"]["requests"]
    assert "fault_replica_kill" not in killed["services"]["one"]["event_counts"]
    assert killed["services"]["two"]["event_counts"]["fault_replica_kill"] == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_room_goes_by_the_order_of_services_and_who_is_short_is_said(order: tuple[int, int]) -> None:
    """Both want three pods of 1.1 cores where four fit: the second of the file waits, and the note names it and what is short."""
    wants = [{**QUIET, "name": name, "deploy": {"num_replicas": 3, "cpu_cores": 1}} for name in ("one", "two")]
    document = several(*(wants[at] for at in order), cluster=SMALL, start="cold", duration="400s", replications=1)
    result = of(document)
    first, second = (result["services"][("one", "two")[at]] for at in order)
    assert first["replicas"]["max"] == 3
    assert second["replicas"]["max"] == 1
    assert first["event_counts"].get("pod_unschedulable", 0) == 0
    assert second["event_counts"]["pod_unschedulable"] >= 1
    name = ("one", "two")[order[1]]
    (cause,) = [note for note in result["notes"] if "found room" in note]
    assert cause.startswith(
        f"{name}: Only {second['replicas']['max']} of 3 replicas found room: each asks for 1.1 cores"
    )
    assert "the other services' pods" in cause
    assert "CPU is short" in cause
    assert not any("found room" in note for note in first["notes"])


def test_a_healthy_start_needs_room_for_all() -> None:
    """Refused by the cluster's size, naming the service that does not fit."""
    wants = [{**QUIET, "name": name, "deploy": {"num_replicas": 3, "cpu_cores": 1}} for name in ("one", "two")]
    with pytest.raises(
        Exception, match=r"cluster\.nodes: 2 is not enough for the 3 replicas that two starts with"
    ) as refused:
        of(several(*wants, cluster=SMALL))
    assert "the other services'" in str(refused.value)


def test_the_cluster_grows_for_whichever_service_has_no_room() -> None:
    """The cluster autoscaler adds what both need together, and both get their replicas."""
    wants = [{**QUIET, "name": name, "deploy": {"num_replicas": 3, "cpu_cores": 1}} for name in ("one", "two")]
    cluster = {**SMALL, "max_nodes": 6}
    result = of(several(*wants, cluster=cluster, start="cold", duration="900s", replications=1))
    assert result["nodes"]["max"] > 2
    assert [each["replicas"]["max"] for each in result["services"].values()] == [3, 3]


def test_any_node_lost_is_judged_for_each_service_and_for_all() -> None:
    """As if each loss had been written as a fault."""
    one = {
        **QUIET,
        "name": "one",
        "deploy": {"num_replicas": 4},
        "objectives": {"success_rate": 0.9, "survives": "any_node"},
    }
    two = {
        **QUIET,
        "name": "two",
        "deploy": {"num_replicas": 1},
        "objectives": {"success_rate": 0.9, "survives": "any_node"},
    }
    document = several(one, two, replications=1, objectives={"success_rate": 0.9, "survives": "any_node"})
    result = of(document)
    for section in (document, *document["services"]):
        del section["objectives"]["survives"]
    losses = [of({**document, "faults": [{"kind": "node_loss", "node": node, "at": 10}]}) for node in (1, 2, 3)]

    def nodes(each: dict[str, Any]) -> list[Any]:
        (survives,) = [objective for objective in each["objectives"] if objective["name"] == "survives"]
        return [objective["objectives"] for objective in survives["nodes"]]

    assert nodes(result) == [lost["objectives"] for lost in losses]
    for name, each in result["services"].items():
        assert nodes(each) == [lost["services"][name]["objectives"] for lost in losses]
    assert result["services"]["two"]["objectives"][-1]["met"] is False


# -- what can be asked with them


def test_a_trace_says_whose_each_row_is(tmp_path: Path) -> None:
    """Requests and events by service; what happens to the cluster is nobody's."""
    prepared = prepare(several(FRAUD, RATES, replications=1, faults=FAULTS), FILE)
    writer = TraceWriter(tmp_path / "t.parquet")
    result = run(prepared, recorder=writer.recorder)
    writer.close()
    rows = pq.read_table(tmp_path / "t.parquet").to_pylist()
    counted: dict[str | None, int] = {}
    for row in rows:
        if row["kind"] == "request" and row["counted"]:
            counted[row["service"]] = counted.get(row["service"], 0) + 1
    assert counted == {name: each["requests"] for name, each in result["services"].items()}
    assert {row["service"] for row in rows if row["kind"] in ("node_lost", "fault_node_loss")} == {None}
    assert {row["service"] for row in rows if row["kind"] == "policy"} == {"rates"}
    assert [row["at_us"] for row in rows if row["kind"] != "request"] == sorted(
        row["at_us"] for row in rows if row["kind"] != "request"
    )


def test_set_finds_a_service_by_name_and_by_number(tmp_path: Path) -> None:
    """As versions of an endpoint."""
    path = tmp_path / "several.yaml"
    path.write_text(as_json(several(FRAUD, RATES)), encoding="utf-8")
    changes = ["services.fraud.deploy.num_replicas=7", "services.1.versions.green.deploy.num_replicas=5"]
    fraud, rates = load(path, changes).services
    assert fraud.service.versions[0].arguments.num_replicas == 7
    assert rates.service.version("green").arguments.num_replicas == 5
    with pytest.raises(BadScenario, match=r"services\.frod.*fraud"):
        load(path, ["services.frod.deploy.num_replicas=7"])


def test_a_comparison_with_a_server_refuses_several() -> None:
    """By the setting's name."""
    with pytest.raises(Exception, match="services: 'fraud, rates' is not possible in a comparison"):
        check(prepare(several(FRAUD, RATES), FILE))


def test_a_workspace_has_every_service_with_its_traffic() -> None:
    """At the instants of a run: the same requests come within the same time."""
    document = several(FRAUD, RATES, replications=1, warm_up=0)
    expected = of(document)["services"]
    ws = Workspace.simulated(scenario=document)
    assert set(ws.webservices) == {"fraud", "rates"}
    assert {name: each.state for name, each in ws.webservices.items()} == {"fraud": "Healthy", "rates": "Healthy"}
    ws.simulation.advance("90s")
    for name in ("fraud", "rates"):
        seen, said = ws.simulation.observe(name, "90s"), expected[name]
        answers = sum(sum(version.answers.values()) for version in seen.versions.values())
        assert answers == pytest.approx(said["requests"], rel=0.02), "answers at the edge may differ"
    later = ws.simulation.traffic("fraud", shape="constant", rate=1)
    assert later.service == "fraud"


# -- a plan for the set


def planned(document: Document, over: str, **options: Any) -> dict[str, Any]:
    """What a plan finds."""
    return plan(document, FILE, parse_over(over), stopping=Stopping(10, 20), jobs=1, **options)


def test_a_plan_answers_for_the_set() -> None:
    """Two nodes hold four pods: enough for the three of one service, not for the two of the other; three nodes hold all."""
    busy = {"traffic": {"shape": "constant", "rate": 30}, "model": {"service_time": "50ms"}}
    one, two = (
        {**busy, "name": name, "deploy": {"num_replicas": count, "cpu_cores": 1}, "objectives": {"success_rate": 0.99}}
        for name, count in (("one", 3), ("two", 2))
    )
    shared = {"cluster": SMALL, "start": "cold", "duration": "500s", "warm_up": "490s", "objectives": {"failed": 0.9}}
    found = planned(several(one, two, **shared), "cluster.nodes=2..4")
    assert (found["answer"], found["value"], found["neighbour"]) == ("found", 3, 2)
    judged = {each["value"]: each for each in found["tried"]}
    assert [(each["service"], each["name"], each["verdict"]) for each in judged[2]["objectives"]] == [
        (None, "failed", "met"), ("one", "success_rate", "met"), ("two", "success_rate", "not met")
    ]  # fmt: skip
    assert {each["verdict"] for each in judged[3]["objectives"]} == {"met"}
    console = Console(width=120, record=True, file=StringIO())
    render_plan(found, console)
    said = console.export_text()
    assert "two: success_rate" in said
    assert "total: failed" in said


def test_a_plan_varies_a_setting_of_one_service() -> None:
    """By its name; the others' objectives must hold, too."""
    busy = {"traffic": {"shape": "constant", "rate": 30}, "model": {"service_time": "50ms"}}
    one = {**busy, "name": "one", "deploy": {"num_replicas": 1}, "objectives": {"success_rate": 0.99}}
    two = {**QUIET, "name": "two", "deploy": {"num_replicas": 1}, "objectives": {"success_rate": 0.99}}
    found = planned(several(one, two, duration="20s"), "services.one.deploy.num_replicas=1..4")
    assert found["value"] == 2
    two["objectives"] = {"max": "1ms"}
    assert planned(several(one, two, duration="20s"), "services.one.deploy.num_replicas=1..4")["answer"] == "none"


def test_a_plan_needs_an_objective_of_any_service() -> None:
    """Of the total alone, or of one service alone, it has something to meet."""
    one = {**QUIET, "name": "one"}
    with pytest.raises(InvalidSetting, match="objectives"):
        planned(several(one, duration="20s"), "cluster.nodes=3..4")
    assert planned(several(one, duration="20s", objectives={"failed": 0.5}), "cluster.nodes=3..4")["value"] == 3


# -- what is shown


def test_the_gate_is_closed_by_any_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One objective of one service that is missed is enough, and the terminal names it."""
    one = {**QUIET, "name": "one", "objectives": {"max": "1ms"}}
    two = {**QUIET, "name": "two", "objectives": {"success_rate": 0.9}}
    path = tmp_path / "several.yaml"
    path.write_text(as_json(several(one, two, duration="20s", replications=1)), encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["akstwin", "run", str(path), "--gate"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    monkeypatch.setattr("sys.argv", ["akstwin", "run", str(path), "--gate", "--set", "services.one.objectives.max=10s"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0


def test_the_report_shows_each_service_and_the_total() -> None:
    """A table of all, and for each service its own figure and tables; Plotly's code is there once."""
    result = of(several(FRAUD, RATES, replications=1))
    page = html_report(result)
    headings = re.findall("<h2>(.*?)</h2>", page)
    assert headings[:3] == ["Services", "Over time", "In numbers"]
    assert headings[3:7] == ["fraud: over time", "fraud: in numbers", "rates: over time", "rates: in numbers"]
    for figure in ("timeline", "timeline-fraud", "timeline-rates"):
        assert page.count(f'<div id="{figure}"') == 1
    assert page.count("plotly.js v") == 1
    assert "rates: success_rate" in page
    assert "Service rates is Healthy" in page
    rows = re.findall(r'<th scope="row">(fraud|rates|total)</th>', page)
    assert rows[:3] == ["fraud", "rates", "total"]


def test_the_terminal_shows_each_service_and_the_total() -> None:
    """A row for each and one for all; tables of each, under its name."""
    result = of(several(FRAUD, RATES, replications=1))
    console = Console(width=120, record=True, file=StringIO())
    render(result, console)
    said = console.export_text()
    for line in ("fraud: p99", "rates: success_rate", "Services", "total", "fraud: Answers", "rates: Versions"):
        assert line in said
    assert "Service fraud is Healthy in the end." in said


# -- what is refused


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"webservice": {"name": "x"}}, r"services: .*not possible beside `webservice:`"),
        ({"endpoint": {"name": "x", "versions": [{"name": "a"}]}}, r"services: .*not possible beside `endpoint:`"),
        ({"traffic": {"shape": "poisson", "rate": 1}}, r"traffic: .*beside `services:`.*services\[0\]\.traffic"),
        ({"clients": {"retry": "none"}}, r"clients: .*services\[0\]\.clients"),
        ({"operations": []}, r"operations: .*services\[0\]\.operations"),
        ({"policies": []}, r"policies: .*services\[0\]\.policies"),
        ({"services": []}, r"services: .*at least 1"),
        ({"services": [FRAUD, {**RATES, "name": "fraud"}]}, r"services\[1\]\.name: 'fraud' is not a name of its own"),
        ({"services": [FRAUD, {**RATES, "name": "No_Good"}]}, r"services\[1\]\.name: 'No_Good'"),
        ({"services": [{**RATES, "deploy": {"num_replicas": 1}}]}, r"services\[0\]\.deploy: .*beside `versions:`"),
        ({"services": [{**RATES, "model": {"workers": 2}}]}, r"services\[0\]\.model: .*beside `versions:`"),
        ({"services": [{**FRAUD, "deploy": {"cpu_cores": 0}}]}, r"services\[0\]\.deploy\.cpu_cores: 0"),
        ({"services": [FRAUD, {**RATES, "policies": [{**RATES["policies"][0], "version": "red"}]}]},
         r"services\[1\]\.policies\[0\]\.version: 'red'"),
        ({"services": [{**FRAUD, "operations": [{"at": 1, "kind": "update", "version": "x"}]}]},
         r"services\[0\]\.operations\[0\]\.version: 'x'"),
        ({"services": [{**FRAUD, "traffic": {"shape": "trace", "file": "nowhere.csv"}}]},
         r"services\[0\]\.traffic\[0\]\.file"),
        ({"services": [{**FRAUD, "model": {"service_time": {"distribution": "empirical", "file": "no.csv"}}}]},
         r"services\[0\]\.model\.service_time\.file"),
        ({"services": [{**FRAUD, "objectives": {"survives": "any_node"}}]}, r"services\[0\]\.objectives\.survives"),
        ({"services": [
            {**FRAUD, "objectives": {"p99": "1s", "survives": "any_node"}},
            {**RATES, "objectives": {"p99": "1s", "survives": {"lost": "any_node", "at": 30}}}]},
         r"services\[1\]\.objectives\.survives\.at: '30s' is not as in services\[0\]"),
        ({"faults": [{"kind": "replica_kill", "at": 1}]}, r"faults\[0\]\.service: is missing; .*fraud, rates"),
        ({"faults": [{"kind": "init_failure", "at": 1, "version": "blue"}]}, r"faults\[0\]\.service: is missing"),
        ({"faults": [{"kind": "replica_hang", "at": 1, "service": "frod"}]}, r"faults\[0\]\.service: 'frod' .*fraud\?"),
        ({"faults": [{"kind": "crash_on_request", "request": 3, "service": "fraud", "version": "blue"}]},
         r"faults\[0\]\.version: 'blue'"),
        ({"faults": [{"kind": "node_loss", "node": 1, "at": 1, "service": "fraud"}]}, r"faults\[0\].*service: no such setting"),
        ({"faults": [{"kind": "node_loss", "node": 9, "at": 1}]}, r"faults\[0\]\.node: 9"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_its_path(change: Document, said: str) -> None:
    """In one line, with the remedy."""
    with pytest.raises(BadScenario, match=said):
        prepare({**several(FRAUD, RATES), **change}, FILE)


def test_a_fault_of_one_service_may_name_it() -> None:
    """And no other."""
    fault = {"kind": "replica_kill", "at": 1, "service": "fraud"}
    prepare(alone(FRAUD, faults=[fault]), FILE)
    with pytest.raises(BadScenario, match=r"faults\[0\]\.service: 'rates' is not a service: there is fraud"):
        prepare(alone(FRAUD, faults=[{**fault, "service": "rates"}]), FILE)


# -- the story of a request


@pytest.mark.parametrize("of_result", [False, True])
def test_a_story_is_of_one_service(tmp_path: Path, *, of_result: bool) -> None:
    """Requests are numbered by service: which one is asked for must be said; others' events are left out."""
    path, trace = tmp_path / "several.yaml", tmp_path / "t.parquet"
    document = several(FRAUD, {**FRAUD, "name": "other", "operations": []}, replications=1, duration="30s")
    path.write_text(as_json(document), encoding="utf-8")
    prepared = load(path)
    writer = TraceWriter(trace)
    result = run(prepared, recorder=writer.recorder)
    writer.close()
    (tmp_path / "r.json").write_text(as_json(result), encoding="utf-8")
    source = tmp_path / "r.json" if of_result else trace
    stories = [explain(source, Asked(number=20, service=name)) for name in ("fraud", "other")]
    assert stories[0] != stories[1]
    assert "fraud" in stories[0][0]
    assert not any("other" in line for line in stories[0])
    with pytest.raises(InvalidSetting, match="--service: is missing; expected one of fraud, other"):
        explain(source, Asked(number=20))
    with pytest.raises(InvalidSetting, match="--service: 'nobody' is not a service"):
        explain(source, Asked(number=20, service="nobody"))
