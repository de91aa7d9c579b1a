"""What the simulator knows of why requests failed is said, the most harmful cause first."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from akstwin.scenarios.load import prepare
from akstwin.scenarios.report import html_report
from akstwin.scenarios.run import run
from akstwin.scenarios.tables import render

ROOM = "Only "
PROBES = "Liveness probes stopped"
LATE = "Scale-ups came too late"
RESTARTS = "Containers ended and were restarted"
THROTTLED = "The CPU limit throttles"
MEMORY = "Containers were killed for their memory"
CAUSES = (ROOM, PROBES, LATE, RESTARTS, THROTTLED, MEMORY)


def answer(deploy: dict[str, Any], model: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """The result of a small scenario."""
    document = {
        "seed": 1,
        "duration": "4m",
        "webservice": {"name": "fraud", "deploy": deploy, "model": model},
        "traffic": {"shape": "poisson", "rate": 8},
        **settings,
    }
    return run(prepare(document, Path("s.yaml")))


def causes(result: dict[str, Any]) -> list[str]:
    """The notes that are causes."""
    return [note for note in result["notes"] if note.startswith(CAUSES)]


def refused(result: dict[str, Any]) -> float:
    """Answers with 503."""
    return float(result["status"]["503"])


def test_where_all_is_well_there_is_no_cause() -> None:
    """Nothing was refused, nothing restarted, nothing throttled."""
    result = answer({"num_replicas": 4}, {"service_time": "50ms", "cpu": 1}, objectives={"success_rate": 1})
    assert result["status"]["200"] == result["requests"]
    assert causes(result) == []


def test_pods_without_room_are_said_with_what_was_short() -> None:
    """Three nodes of four cores hold two such replicas each; the autoscaler asks for more in vain."""
    deploy = {"cpu_cores": 1, "memory_gb": 2, "autoscale_min_replicas": 6, "autoscale_max_replicas": 9}
    result = answer(deploy, {"service_time": "1s"}, traffic={"shape": "poisson", "rate": 20})
    first = causes(result)[0]
    assert first.startswith("Only 6 of 9 replicas found room: each asks for 1.1 cores and 2.6 GB with its side-car")
    assert "3.16 cores and 10.65 GB for pods" in first
    assert "CPU is short" in first
    counted = float(first.split("short. ")[1].split(" requests")[0].replace(",", ""))
    assert 0 < counted <= refused(result)


def test_memory_can_be_what_is_short() -> None:
    """Half of a node's memory, and hardly any of its CPU."""
    deploy = {"cpu_cores": 0.1, "memory_gb": 6, "autoscale_min_replicas": 3, "autoscale_max_replicas": 5}
    result = answer(deploy, {"service_time": "1s"}, traffic={"shape": "poisson", "rate": 20})
    assert "memory is short" in causes(result)[0]


def test_probes_that_stop_busy_containers_are_said() -> None:
    """One worker that is busy for 30 s at a time answers no probe; a second one would."""
    deploy = {"num_replicas": 3, "initial_delay_seconds": 20}
    settings = {"traffic": {"shape": "poisson", "rate": 0.2}, "duration": "10m"}
    result = answer(deploy, {"service_time": "30s"}, **settings)
    (said,) = [note for note in causes(result) if note.startswith(PROBES)]
    assert said.startswith(f"{PROBES} busy containers {result['event_counts']['liveness_failed']} times: ")
    assert "timeout_seconds (2 s), and 3 missed probes end it, from 20s after its start on" in said
    assert not [
        note for note in causes(answer(deploy, {"service_time": "30s", "workers": 2}, **settings)) if PROBES in note
    ]


def test_scale_ups_that_came_too_late_are_said_with_how_long() -> None:
    """A few replicas carry ten a second each; when 120 come, new ones need 20 s of init()."""
    deploy = {"autoscale_min_replicas": 1, "autoscale_max_replicas": 18}
    steps = {"shape": "steps", "rate": [4, 120], "at": ["0s", "2m"]}
    result = answer(deploy, {"service_time": "100ms", "init_time": "20s"}, traffic=steps)
    (said,) = causes(result)
    assert said.startswith(f"{LATE}: {result['status']['503']:,} requests were refused until new replicas were ready")
    assert " from 2m" in said
    seconds = int(said.split("at worst for ")[1].split("s from")[0])
    assert 15 <= seconds <= 30
    fixed = answer({"num_replicas": 1}, {"service_time": "100ms"}, traffic=steps)
    assert refused(fixed) > 1000
    assert causes(fixed) == [], "nobody scales: it is no scale-up that is late"


def test_restarts_that_no_probe_made_are_said() -> None:
    """A crash on each hundredth request, by a fault."""
    crash = [{"kind": "crash_on_request", "request": 100, "every": True}]
    result = answer({"num_replicas": 3}, {"service_time": "50ms"}, faults=crash)
    (said,) = [note for note in causes(result) if note.startswith(RESTARTS)]
    assert said.startswith(
        f"{RESTARTS} {result['event_counts']['container_exited']} times for another reason than a probe"
    )
    assert "(crash_on_request)" in said
    assert f"{result['reasons']['replica_lost']} requests lost their replica" in said


def test_containers_that_are_killed_for_their_memory_are_said() -> None:
    """Four requests at once where two fit: named first, with all figures, in text, JSON and report."""
    deploy = {"num_replicas": 2, "memory_gb": 2, "replica_max_concurrent_requests": 4}
    model = {"service_time": "400ms", "memory": {"base": "1.2GB", "per_request": "300MB"}}
    result = answer(deploy, model)
    (said,) = causes(result)
    kills = result["event_counts"]["oom_killed"]
    assert kills == result["event_counts"]["container_exited"] > 3
    assert said.startswith(
        f"{MEMORY} {kills} times. fraud: OOMKilled, exit code 137: it takes 1.2 GB and 300 MB for each request in it, so that no "
        "more than 2 fit below its limit of 2 GB."
    )
    harm = int(said.split("limit of 2 GB. ")[1].split(" requests")[0].replace(",", ""))
    failed = result["status"]["502"] + result["status"]["503"]
    assert 0.95 * failed < harm <= failed  # for a second after a pod is ready the router does not know it
    shown = StringIO()
    render(result, Console(file=shown, width=200))
    assert "OOMKilled, exit code 137" in shown.getvalue()
    assert "OOMKilled, exit code 137" in html_report(result)
    assert MEMORY in answer(deploy, model, replications=2)["notes"][0]
    assert causes(answer({**deploy, "memory_gb_limit": 2.4}, model)) == []
    assert not [
        note for note in causes(answer({**deploy, "replica_max_concurrent_requests": 2}, model)) if MEMORY in note
    ]


def test_a_base_above_the_limit_is_said() -> None:
    """No request is ever answered, and nobody has to guess why."""
    result = answer({"num_replicas": 1, "memory_gb": 1}, {"memory": "1.5GB"})
    (said,) = causes(result)
    assert "fraud: OOMKilled, exit code 137: it takes 1.5 GB without any request, above its limit of 1 GB." in said
    assert result["status"]["200"] == 0
    assert result["service"]["state"] == "Unhealthy"


def test_other_restarts_are_told_apart_from_memory() -> None:
    """A crash by a fault beside kills for memory: two causes, each with its own number."""
    crash = [{"kind": "crash_on_request", "request": 5}]
    deploy = {"num_replicas": 2, "memory_gb": 2, "replica_max_concurrent_requests": 4}
    model = {"service_time": "200ms", "memory": {"base": "1.2GB", "per_request": "300MB"}}
    counts = (result := answer(deploy, model, faults=crash, traffic={"shape": "poisson", "rate": 4}))["event_counts"]
    assert counts["container_exited"] - counts["oom_killed"] == 1
    assert f"{RESTARTS} 1 times for another reason than a probe or their memory (crash_on_request)" in " ".join(
        causes(result)
    )


@pytest.mark.parametrize(("limit", "said"), [(0.5, True), (1, False)])
def test_a_limit_that_throttles_is_said(limit: float, said: bool) -> None:
    """Half a core for a worker that wants one: twice as long."""
    deploy = {"num_replicas": 4, "cpu_cores": 0.5, "cpu_cores_limit": limit}
    found = causes(answer(deploy, {"service_time": "100ms", "cpu": 1}))
    assert found == (
        [
            (
                "The CPU limit throttles fraud: its busy workers want 1 core, the limit is 0.5 cores, so a request takes 2 times "
                "as long. Raise cpu_cores_limit."
            )
        ]
        if said
        else []
    )


def test_the_most_harmful_comes_first_and_everywhere() -> None:
    """Missing room refuses thousands, the throttle nobody by itself: in this order in text, report and JSON."""
    deploy = {
        "cpu_cores": 1, "memory_gb": 2, "cpu_cores_limit": 1, "autoscale_min_replicas": 6, "autoscale_max_replicas": 9,
    }  # fmt: skip
    result = answer(deploy, {"service_time": "1s", "cpu": 2}, traffic={"shape": "poisson", "rate": 20})
    assert [note.startswith(ROOM) for note in result["notes"]].index(True) == 0
    found = causes(result)
    assert found[-1].startswith(THROTTLED)
    console = Console(file=StringIO(), record=True, width=200)
    render(result, console)
    for text in (console.export_text(), html_report(result)):
        assert text.index(ROOM + "6 of 9") < text.index(THROTTLED)
