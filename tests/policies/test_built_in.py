"""Blue/green, A/B tests and timetables: in scenario files, on the simulator, from one end to the other."""

from pathlib import Path
from typing import Any

import pytest
from support.observed import Version, decided, observation

from akstwin import AksEndpoint, Workspace
from akstwin.clock import MINUTE
from akstwin.domain.observation import Observation
from akstwin.policies import ABTest, ABTestSpec, BlueGreen, BlueGreenSpec, Hold, Promote, RollBack, SetTraffic, Verdict
from akstwin.scenarios.load import BadScenario, prepare
from akstwin.scenarios.run import run

SCENARIO: dict[str, Any] = {
    "seed": 3,
    "duration": "40m",
    "cluster": {"nodes": 5},
    "endpoint": {
        "name": "fraud",
        "versions": [
            {"name": "blue", "deploy": {"is_default": True, "num_replicas": 6, "traffic_percentile": 80}},
            {"name": "green", "deploy": {"num_replicas": 6}},
        ],
    },
    "traffic": [{"shape": "poisson", "rate": 20}],
}


def ran(policy: dict[str, Any], *, green: dict[str, Any] | None = None, **changes: Any) -> Any:
    """The result of the scenario with this policy and this model of green."""
    blue, other = SCENARIO["endpoint"]["versions"]
    endpoint = {"name": "fraud", "versions": [blue, {**other, "model": green or {}}]}
    return run(prepare({**SCENARIO, "endpoint": endpoint, "policies": [policy], **changes}, Path("s.yaml")))


def done(result: Any, kind: str = "policy") -> list[str]:
    """What policies did, without the figures."""
    return [event["detail"].partition(":")[0] for event in result["events"] if event["kind"] == kind]


BLUE_GREEN = {"kind": "blue_green", "version": "green", "watch": "5m", "remove_old": True}


def test_blue_green_previews_switches_promotes_and_removes() -> None:
    """A good version: no request is lost on the way, and the old one goes when all is over."""
    result = ran(BLUE_GREEN)
    assert done(result) == [
        "set traffic green 10 % (inconclusive)", "set traffic green 100 % (pass)", "hold (inconclusive)", "promote green (pass)",
        "remove version blue (pass)",
    ]  # fmt: skip
    assert result["status"]["200"] == result["requests"]
    assert result["service"]["shares"] == {"green": 100}
    assert result["timeline"][-1]["replicas"] < result["timeline"][0]["replicas"] * 0.6


def test_blue_green_goes_back_from_the_preview_and_from_all_traffic() -> None:
    """A version that is bad from the beginning; and one that fails once it has all traffic."""
    assert done(ran(BLUE_GREEN, green={"failure_rate": 0.05}))[-1] == "roll back green (fail)"

    def looks(fails_at: int) -> list[Observation]:
        blue, green = Version(share=90.0), Version(share=10.0)
        seen = []
        for minute in range(40):
            switched = minute > 15
            blue.answered(ok=0 if switched else 2160)
            failed = 60 if minute >= fails_at else 0
            green.answered(ok=(2400 if switched else 240) - failed, failed=failed)
            seen.append(observation(minute * MINUTE, {"blue": blue, "green": green}))
        return seen

    policy = BlueGreen(BlueGreenSpec.model_validate({"kind": "blue_green", "version": "green", "watch": "20m"}))
    made = decided(policy, iter(looks(fails_at=20)))
    assert made[-1].actions == (RollBack("green"),)
    assert 21 <= len(made) <= 24
    assert "under all traffic" in made[-1].reason
    assert decided(policy, iter(looks(fails_at=99)))[-1].actions == (Promote("green"),)


def test_blue_green_switches_only_to_what_is_ready() -> None:
    """A version whose replicas come and go gets no traffic, and an old version stays while the new one has not all replicas."""
    blue, green = Version(share=100.0), Version(replicas={"Ready": 1, "Starting": 1}, desired=2)
    policy = BlueGreen(BlueGreenSpec(kind="blue_green", version="green", remove_old=True))
    waits = decided(policy, (observation(at * MINUTE, {"blue": blue, "green": green}) for at in range(3)))
    assert [each.actions for each in waits] == [(Hold(),)] * 3
    green.share, blue.share = 100.0, 0.0
    state = {"phase": "remove", "control": "blue"}
    held = policy.decide(state, observation(0, {"blue": blue, "green": green}, default="green"), 0)  # type: ignore[arg-type]
    assert held.actions == (Hold(),)


def ab(**given: Any) -> ABTest:
    """Half of the traffic."""
    return ABTest(ABTestSpec.model_validate({"kind": "ab_test", "version": "green", **given}))


@pytest.mark.parametrize(
    ("failed", "given", "action", "verdict"),
    [
        ((12, 60), {}, Promote("green"), Verdict.PASS),
        ((60, 12), {}, RollBack("green"), Verdict.FAIL),
        ((12, 12), {}, RollBack("green"), Verdict.PASS),
        ((12, 12), {"promote": "not_worse"}, Promote("green"), Verdict.PASS),
        ((12, 12), {"margins": {"errors": 0.0001}, "max_duration": 15 * 60}, RollBack("green"), Verdict.INCONCLUSIVE),
    ],
)
def test_an_ab_test_finds_the_better_one_or_that_none_is(
    failed: tuple[int, int], given: dict[str, Any], action: Any, verdict: Verdict
) -> None:
    """Better, worse, equal with both settings, and out of time."""
    blue, green = Version(share=50.0), Version(share=50.0)

    def looks(minute: int) -> Observation:
        green.answered(ok=1200 - failed[0], failed=failed[0])
        blue.answered(ok=1200 - failed[1], failed=failed[1])
        return observation(minute * MINUTE, {"blue": blue, "green": green})

    made = decided(ab(**given), map(looks, range(60)))
    assert made[0].actions == (SetTraffic({"green": 50.0}),)
    assert (made[-1].actions, made[-1].verdict) == ((action,), verdict)


def test_an_ab_test_by_latency() -> None:
    """Green takes 200 ms where blue takes 50."""
    policy = {"kind": "ab_test", "version": "green", "metric": "slow", "slower_than": "100ms"}
    result = ran(policy, green={"service_time": "200ms"}, duration="10m")
    assert done(result) == ["set traffic green 50 % (inconclusive)", "roll back green (fail)"]
    better = ran(
        {**policy, "slower_than": "60ms"},
        green={"service_time": "30ms"},
        duration="10m",
        assumptions={"router_overhead": "30ms"},
    )
    assert done(better)[-1] == "promote green (pass)"


TIMETABLE: dict[str, Any] = {
    "kind": "scheduled_scaling", "version": "blue", "every": "20m",
    "entries": [{"at": "5m", "replicas": 3}, {"at": "10m", "min_replicas": 2, "max_replicas": 8}],
}  # fmt: skip


def test_a_timetable_is_kept_period_after_period() -> None:
    """What holds before the first entry is the last of the period before; each is set once."""
    result = ran(TIMETABLE, traffic=[{"shape": "poisson", "rate": 2}])
    events = [
        (event["at"], event["detail"].partition(" (")[0]) for event in result["events"] if event["kind"] == "policy"
    ]
    bounds, fixed = "set bounds blue 2 to 8", "set replicas blue 3"
    assert events == [(0, bounds), (300, fixed), (600, bounds), (1500, fixed), (1800, bounds)]
    assert result["versions"]["blue"]["replicas"]["min"] <= 3


def test_a_web_service_has_a_timetable_too() -> None:
    """Without a version."""
    scenario = {key: value for key, value in SCENARIO.items() if key != "endpoint"}
    scenario |= {"webservice": {"name": "svc", "deploy": {"num_replicas": 4}}, "duration": "10m", "traffic": []}
    policy = {key: value for key, value in TIMETABLE.items() if key != "version"}
    policy["entries"] = [{"at": "0s", "replicas": 4}, {"at": "5m", "replicas": 6}]
    result = run(prepare({**scenario, "policies": [policy]}, Path("s.yaml")))
    assert done(result) == ["set replicas 4 (pass)", "set replicas 6 (pass)"]
    assert result["replicas"]["max"] == 6


@pytest.mark.parametrize(
    ("policy", "named"),
    [
        ({**BLUE_GREEN, "version": "red"}, r"policies\[0\].version: 'red'"),
        ({**BLUE_GREEN, "version": "blue"}, r"policies\[0\].version: 'blue'"),
        ({**BLUE_GREEN, "preview": 0}, r"policies\[0\].*preview"),
        ({"kind": "ab_test", "version": "green", "metric": "slow"}, "slower_than"),
        ({"kind": "ab_test", "version": "green", "share": 101}, "share"),
        ({**TIMETABLE, "version": "red"}, r"policies\[0\].version: 'red'"),
        ({**TIMETABLE, "entries": [{"at": "5m"}]}, "either replicas, or min_replicas"),
        ({**TIMETABLE, "entries": [{"at": "5m", "min_replicas": 3, "max_replicas": 2}]}, "min_replicas"),
        ({**TIMETABLE, "entries": [{"at": "30m", "replicas": 3}]}, "within the period"),
        ({"kind": "canarry", "version": "green"}, "canarry"),
        ({"kind": "canary", "version": "green", "steps": [10], "hold": "1m", "on_deadline": "promot"}, "on_deadline"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(policy: dict[str, Any], named: str) -> None:
    """Before anything runs."""
    with pytest.raises(BadScenario, match=named):
        prepare({**SCENARIO, "policies": [policy]}, Path("s.yaml"))


def test_a_policy_that_the_service_refuses_ends_with_an_event() -> None:
    """Two policies, of which one removes what the other needs: the run goes on, and says so."""
    red = {"name": "red", "deploy": {"num_replicas": 1}}
    endpoint = {"name": "fraud", "versions": [*SCENARIO["endpoint"]["versions"], red]}
    switch = {"kind": "blue_green", "version": "green", "watch": "1m"}
    steps = {"kind": "ab_test", "version": "red", "share": 30, "margins": {"errors": 0.0001}, "on_deadline": "hold"}
    result = run(prepare({**SCENARIO, "endpoint": endpoint, "policies": [steps, switch]}, Path("s.yaml")))
    assert [event["subject"] for event in result["events"] if event["kind"] == "policy_refused"] == ["BlueGreen"]


def test_in_python_as_in_the_file() -> None:
    """The classes on a workspace decide what the scenario's policy decides."""
    told = {"kind": "ab_test", "version": "green", "share": 40.0, "max_duration": "15m"}
    result = ran(told)
    ws = Workspace.simulated(scenario=SCENARIO)
    policy = ABTest(ABTestSpec.model_validate(told))
    ws.simulation.run_policy(policy, AksEndpoint(ws, "fraud"), "40m")
    here = [(at, words) for at, _, _, words in ws.simulation.history(kind="policy")]
    assert here == [(event["at"], event["detail"]) for event in result["events"] if event["kind"] == "policy"]
