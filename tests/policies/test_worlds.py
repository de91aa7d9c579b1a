"""The same policy in every world: in a run, in a workspace, on a server, and through a restart: same decisions, same instants."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from akstwin import AksEndpoint, Workspace
from akstwin.policies import Canary, CanarySpec, run_policy
from akstwin.scenarios.load import prepare
from akstwin.scenarios.run import run
from akstwin.sim.engine.outcomes import Outcomes

CANARY: dict[str, Any] = {
    "kind": "canary", "version": "green", "steps": [10, 25, 50], "hold": "3m", "max_error_rate": 0.02, "slower_than": "400ms",
}  # fmt: skip
SCENARIO: dict[str, Any] = {
    "seed": 21,
    "duration": "40m",
    "cluster": {"purpose": "DevTest", "nodes": 4},
    "endpoint": {
        "name": "fraud",
        "versions": [
            {
                "name": "blue",
                "deploy": {"is_default": True, "autoscale_max_replicas": 8},
                "model": {"failure_rate": 0.004},
            },
            {"name": "green", "deploy": {"num_replicas": 3}, "model": {"failure_rate": 0.004}},
        ],
    },
    "traffic": [{"shape": "poisson", "rate": 20}],
    "clients": {"retry": {"statuses": [503], "attempts": 3, "backoff": "1s"}},
    "faults": [{"kind": "slow_replica", "version": "green", "at": "4m", "lasts": "90s", "factor": 6, "count": 1}],
}


class Heard:
    """Keeps what policies said."""

    def __init__(self) -> None:
        self.all: list[tuple[float, str, str]] = []

    def answered(self, outcomes: Outcomes) -> None:
        """Nothing."""

    def happened(self, at: int, kind: str, subject: str, detail: str = "") -> None:
        """Keep a decision."""
        if kind.startswith("policy"):
            self.all.append((at / 1e6, kind, detail))


def said(ws: Workspace) -> list[tuple[float, str, str]]:
    """What policies said in a workspace."""
    return [(at, kind, detail) for at, kind, subject, detail in ws.simulation.history() if subject == "Canary"]


def rows(path: Path) -> list[Any]:
    """A journal."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def policy() -> Canary:
    """The scenario's."""
    return Canary(CanarySpec.model_validate(CANARY))


def test_the_same_decisions_in_all_worlds_and_through_a_restart(start: Callable[..., str], tmp_path: Path) -> None:
    """`akstwin run`; a workspace; a server's own policy; a client's on a server; and the last one cut in two."""
    heard = Heard()
    run(prepare({**SCENARIO, "policies": [CANARY]}, Path("s.yaml")), recorder=lambda _: heard)
    expected = heard.all
    kinds = [detail.partition(" (")[0] for _, kind, detail in expected if kind == "policy"]
    assert len([kind for kind in kinds if kind.startswith("set traffic")]) == 3
    assert kinds[-1] in ("promote green", "roll back green")

    of_scenario = Workspace.simulated(scenario={**SCENARIO, "policies": [CANARY]})
    of_scenario.simulation.advance("40m")
    assert said(of_scenario) == expected

    here = Workspace.simulated(scenario=SCENARIO)
    run_policy(policy(), AksEndpoint(here, "fraud"), "40m", journal=tmp_path / "here")
    assert said(here) == expected

    url = start(scenario=SCENARIO)
    there = Workspace.connect(url)
    there.simulation.run_policy(policy(), AksEndpoint(there, "fraud"), "7m", journal=tmp_path / "there")
    again = Workspace.connect(url)  # another process would begin like this
    again.simulation.run_policy(policy(), AksEndpoint(again, "fraud"), "33m", journal=tmp_path / "there")
    assert said(again) == expected
    assert rows(tmp_path / "there") == rows(tmp_path / "here")

    happened = [
        json.loads(line.removeprefix("data: "))
        for event in httpx.get(f"{url}/_akstwin/events", params={"follow": False}).text.split("\n\n")
        if "event: happened" in event
        for line in event.splitlines()
        if line.startswith("data: ")
    ]
    shown = [(each["at"] / 1e6, each["kind"], each["detail"]) for each in happened if each["subject"] == "Canary"]
    assert shown == expected, "the live page shows what the policy did"


def test_a_server_refuses_words_of_a_policy_that_it_cannot_place(start: Callable[..., str]) -> None:
    """No such service, no such kind, none at all."""
    url = start(scenario=SCENARIO)
    told = {"kind": "policy", "policy": "Canary", "words": "set traffic green 10 %"}
    path = f"{url}/_akstwin/policies"
    assert httpx.post(f"{path}/fraud", json=told).status_code == 200
    assert httpx.post(f"{path}/other", json=told).status_code == 404
    assert httpx.post(f"{path}/fraud", json={**told, "kind": "fault"}).status_code == 400
    assert httpx.post(f"{path}/fraud", json={**told, "policy": ""}).status_code == 400


def test_decisions_are_in_the_report_and_in_the_trace(tmp_path: Path) -> None:
    """Steps as marks on the report's timeline; every look in the trace."""
    import pyarrow.parquet as pq  # noqa: PLC0415

    from akstwin.scenarios.report import write_report  # noqa: PLC0415
    from akstwin.scenarios.trace import TraceWriter  # noqa: PLC0415

    prepared = prepare({**SCENARIO, "duration": "8m", "policies": [CANARY]}, Path("s.yaml"))
    writer = TraceWriter(tmp_path / "t.parquet")
    result = run(prepared, recorder=writer.recorder)
    writer.close()
    write_report(result, tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "set traffic green 10 %" in page
    assert "policy_look" not in {event["kind"] for event in result["events"]}, "they would hide what was done"
    table = pq.read_table(tmp_path / "t.parquet").to_pylist()
    traced = [(row["at_us"] // 60_000_000, row["kind"]) for row in table if row["subject"] == "Canary"]
    assert [at for at, _ in traced] == list(range(9))
    assert {kind for _, kind in traced} == {"policy", "policy_look"}
    assert result["event_counts"]["policy_look"] == sum(kind == "policy_look" for at, kind in traced if at < 8)
