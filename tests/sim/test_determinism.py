"""Design §3: the same scenario and seed give the same bytes, and what is added disturbs no chance but its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from akstwin.clock import SECOND
from akstwin.domain.profile import ModelProfile
from akstwin.scenarios import run as runner
from akstwin.scenarios.load import prepare
from akstwin.scenarios.outputs import as_json
from akstwin.scenarios.run import run
from akstwin.sim.engine.outcomes import Outcome, Outcomes
from akstwin.sim.models import ModelDraws
from akstwin.sim.requests import Request

Play = Callable[..., Any]
SCENARIO: dict[str, Any] = {
    "seed": 5,
    "replications": 2,
    "duration": 90,
    "warm_up": 10,
    "cluster": {"purpose": "FastProd", "nodes": 3, "vm_size": "Standard_D4s_v5", "max_nodes": 5},
    "endpoint": {
        "name": "fraud",
        "versions": [
            {
                "name": "blue",
                "deploy": {"autoscale_max_replicas": 12, "cpu_cores": 0.5, "is_default": True},
                "model": {
                    "service_time": {"distribution": "lognormal", "mean": "80ms", "cv": 0.6},
                    "init_time": {"distribution": "gamma", "mean": "4s", "cv": 0.5},
                    "cpu": 1,
                },
            },
            {
                "name": "green",
                "deploy": {"traffic_percentile": 10, "num_replicas": 2, "initial_delay_seconds": 20},
                "model": {"service_time": {"distribution": "exponential", "mean": "90ms"}, "failure_rate": 0.02},
            },
        ],
    },
    "traffic": [{"shape": "poisson", "rate": 20}, {"shape": "steps", "rate": [5, 60, 5], "at": [0, 30, 60]}],
    "clients": {"retry": "azureml-core"},
    "faults": [
        {"at": 40, "kind": "node_loss", "node": 2, "lasts": 30},
        {"at": 45, "kind": "replica_hang", "version": "green", "lasts": 5},
        {"at": 50, "kind": "crash_on_request", "request": 20, "every": True, "times": 3},
    ],
    "operations": [{"at": 20, "kind": "update", "version": "green", "deploy": {"memory_gb": 1}}],
    "policies": [{"kind": "canary", "version": "green", "steps": [20, 40], "hold": 25, "max_error_rate": 0.2}],
    "objectives": {"p99": "300ms", "success_rate": 0.99},
}
MAIN = "from akstwin.cli import main; main()"


def _bytes(result: dict[str, Any]) -> str:
    return as_json({**result, "wall_seconds": None})


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    """Result and Parquet trace are byte-identical under three hash seeds, each in a process of its own, and in this one."""
    scenario = tmp_path / "everything.yaml"
    with scenario.open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(SCENARIO, file)
    results, traces = [], []
    for hash_seed in ("0", "1", "31337"):
        result, trace = tmp_path / f"{hash_seed}.json", tmp_path / f"{hash_seed}.parquet"
        subprocess.run(
            [sys.executable, "-c", MAIN, "run", str(scenario), "--json", str(result), "--trace", str(trace)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed}, check=True, capture_output=True,
        )  # fmt: skip
        results.append(_bytes(json.loads(result.read_text(encoding="utf-8"))))
        traces.append(trace.read_bytes())
    here = run(prepare(SCENARIO, scenario))
    here["engine"] = json.loads(results[0])["engine"]  # beside machine code of a server it is the reference
    assert results[0] == results[1] == results[2] == _bytes(here)
    assert traces[0] == traces[1] == traces[2]
    assert {"200", "502", "503"} <= {status for status, count in json.loads(results[0])["status"].items() if count}


@pytest.mark.slow
def test_processes_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """One process or two: the same result, aside from the time it took."""
    prepared = prepare({**SCENARIO, "replications": 3}, Path("everything.yaml"))
    alone = run(prepared, jobs=1)
    monkeypatch.setattr(runner, "_WORTH_PROCESSES", 0.0)
    assert _bytes(run(prepared, jobs=2)) == _bytes(alone)


def test_another_seed_gives_another_result() -> None:
    """Chance does depend on the seed, and on the replication."""
    one, other = (run(prepare({**SCENARIO, "seed": seed}, Path("everything.yaml"))) for seed in (5, 6))
    assert one["latency_ms"] != other["latency_ms"]
    low, high = one["intervals"]["latency_ms.mean"]
    assert low < high


class _Rows:
    """Everything heard of one replication."""

    def __init__(self) -> None:
        self.requests: dict[tuple[int, int, int], Outcome] = {}
        self.rows: list[tuple[Any, ...]] = []

    def answered(self, outcomes: Outcomes) -> None:
        for each in outcomes.rows():
            self.requests[each.entry, each.number, each.attempt] = each
            self.rows.append(each)

    def happened(self, at: int, kind: str, subject: str, detail: str = "") -> None:
        self.rows.append((at, kind, subject, detail))

    @property
    def arrivals(self) -> dict[tuple[int, int], int]:
        """When each first attempt came in, up to the end of the duration: a run goes on to the last answer that counts."""
        end = SCENARIO["duration"] * SECOND
        return {key[:2]: each.arrived for key, each in self.requests.items() if key[2] == 0 and each.arrived < end}

    @property
    def run_times(self) -> dict[tuple[Any, ...], int]:
        """How long a worker was busy with each attempt that it finished, by attempt and version."""
        return {
            (*key, each.version): each.answered - each.started
            for key, each in self.requests.items()
            if each.status == 200 and each.started is not None and each.answered is not None
        }

    def happenings(self, *kinds: str) -> list[tuple[Any, ...]]:
        """Events of some kinds."""
        return [row for row in self.rows if len(row) == 4 and row[1] in kinds]


def _heard(replications: int = 1, **changes: Any) -> list[_Rows]:
    heard: list[_Rows] = []

    def recorder(_replication: int) -> _Rows:
        heard.append(_Rows())
        return heard[-1]

    document = {**SCENARIO, "replications": replications, **changes}
    document["assumptions"] = {"router_overhead": 0}
    run(prepare(document, Path("everything.yaml")), recorder=recorder)
    return heard


def test_more_replications_leave_the_first_as_it_was() -> None:
    """Every answer and event of replication 1 is the same beside others; the others differ from it."""
    (alone,) = _heard()
    first, second, _ = _heard(3)
    assert first.rows == alone.rows
    assert second.arrivals != first.arrivals


def _same_where_both(one: dict[Any, int], other: dict[Any, int], least: int) -> None:
    both = one.keys() & other.keys()
    assert len(both) > least
    assert {key: one[key] for key in both} == {key: other[key] for key in both}


def test_a_fault_disturbs_no_other_draw() -> None:
    """With faults added, requests come at the same instants and run as long wherever they run in both worlds."""
    (without,) = _heard(faults=[])
    (having,) = _heard(faults=[fault for fault in SCENARIO["faults"] if fault["kind"] != "replica_hang"])
    assert having.arrivals == without.arrivals
    assert having.rows != without.rows
    _same_where_both(having.run_times, without.run_times, 2000)


def test_retries_disturb_no_first_attempt() -> None:
    """With clients that try again, first attempts come and run as before."""
    (without,) = _heard(clients={"retry": "none"})
    (having,) = _heard()
    assert having.arrivals == without.arrivals
    _same_where_both(having.run_times, without.run_times, 2000)
    assert any(attempt for _, _, attempt, _ in having.run_times)


def test_every_attempt_and_version_has_a_run_time_of_its_own() -> None:
    """A repeat of a request, the same request elsewhere, and its neighbours in number and entry draw for themselves."""
    profile = ModelProfile.model_validate({"service_time": {"distribution": "exponential", "mean": "1s"}})
    spans = [
        ModelDraws(5, 1, version, profile).service_time(Request(number, entry, attempt, 0, 0, counted=True))
        for version in ("blue", "green")
        for number in (0, 1, 5000)
        for entry in (0, 1)
        for attempt in (0, 1, 2)
    ]
    assert len(set(spans)) == len(spans)


def test_the_split_does_not_change_what_a_version_draws() -> None:
    """A request runs as long on a version whatever share that version has."""

    def at(share: float) -> dict[tuple[Any, ...], int]:
        blue, green = SCENARIO["endpoint"]["versions"]
        green = {**green, "deploy": {**green["deploy"], "traffic_percentile": share, "num_replicas": 9}}
        (heard,) = _heard(endpoint={"name": "fraud", "versions": [blue, green]}, policies=[], faults=[], operations=[])
        return heard.run_times

    _same_where_both(at(30), at(60), 1000)


def test_a_version_more_disturbs_nothing_of_the_others() -> None:
    """A version without traffic, created first, changes no draw of another: not its run times, nor its pods' init() times."""
    blue, green = SCENARIO["endpoint"]["versions"]
    idle = {"name": "white", "deploy": {"num_replicas": 3}, "model": {"init_time": "1s"}}
    roomy = {"purpose": "DevTest", "nodes": 1, "vm_size": {"cpu_cores": 64, "memory_gb": 256}}
    plain = {"cluster": roomy, "policies": [], "faults": []}
    (two,) = _heard(endpoint={"name": "fraud", "versions": [blue, green]}, **plain)
    (three,) = _heard(endpoint={"name": "fraud", "versions": [idle, blue, green]}, **plain)
    assert three.arrivals == two.arrivals
    assert three.run_times == two.run_times

    def starts(heard: _Rows) -> list[tuple[Any, ...]]:
        return [(at, kind, subject.split("-")[0]) for at, kind, subject, _ in heard.happenings("pod_ready", "pod_gone")]

    assert len(starts(two)) > 5
    assert starts(three) == starts(two)


def test_a_traffic_entry_more_disturbs_no_other() -> None:
    """An entry added at the end leaves the arrivals and run times of the entries before it alone."""
    (two,) = _heard()
    (three,) = _heard(traffic=[*SCENARIO["traffic"], {"shape": "constant", "rate": 3}])
    assert {key: at for key, at in three.arrivals.items() if key[0] < 2} == two.arrivals
    _same_where_both(three.run_times, two.run_times, 2000)
