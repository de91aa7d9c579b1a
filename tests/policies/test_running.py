"""Running policies: actions on an endpoint, limits, a journal that a run goes on from, the older form, scripts that wait."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from akstwin import AksEndpoint, AksWebservice, Workspace
from akstwin.clock import MINUTE, SECOND, Micros
from akstwin.domain.observation import Observation
from akstwin.errors import AksError, InvalidSetting, UnreadableFile
from akstwin.policies import (
    Canary,
    CanarySpec,
    Decision,
    Hold,
    Limits,
    Promote,
    RemoveVersion,
    RollBack,
    ScriptClock,
    SetBounds,
    SetReplicas,
    SetTraffic,
    Verdict,
    run_policy,
)
from akstwin.policies.actions import action_json, read_action
from akstwin.policies.performing import steps_of
from akstwin.policies.runner import Look, PolicyRunner

SCENARIO: dict[str, Any] = {
    "seed": 5,
    "duration": "1h",
    "cluster": {"nodes": 4},
    "endpoint": {
        "name": "fraud",
        "versions": [
            {"name": "blue", "deploy": {"is_default": True, "num_replicas": 3, "traffic_percentile": 90}},
            {"name": "green", "deploy": {"num_replicas": 2}, "model": {"failure_rate": 0.0}},
        ],
    },
    "traffic": [{"shape": "poisson", "rate": 20}],
}
FREE = Limits("green", 24 * 3600 * SECOND, "hold", 0, 10_000)


def opened(**changes: Any) -> tuple[Workspace, AksEndpoint]:
    """The scenario's workspace and endpoint."""
    ws = Workspace.simulated(scenario={**SCENARIO, **changes})
    return ws, AksEndpoint(ws, "fraud")


class Each:
    """Does what it is told, one list of actions a look; then it has done its work."""

    interval = MINUTE
    limits = FREE

    def __init__(self, *actions: tuple[Any, ...], verdict: Verdict = Verdict.PASS) -> None:
        self.actions = actions
        self.verdict = verdict

    def decide(self, state: Any, observation: Observation, now: Micros) -> Decision:
        """The next ones."""
        at = state.get("at", 0)
        following = {"at": at + 1} if at + 1 < len(self.actions) else None
        return Decision(following, self.actions[at], self.verdict, f"number {at}")


def shares(ws: Workspace) -> dict[str, float]:
    """Who gets what, in effect."""
    ws.simulation.advance("2s")
    return {name: each.traffic_share for name, each in ws.simulation.observe("fraud").versions.items()}


# -- actions


@pytest.mark.parametrize(
    "action",
    [Hold(), SetTraffic({"green": 10.0}), SetReplicas(3, "green"), SetReplicas(3), SetBounds(1, 4, "green"), Promote("green"),
     RollBack("green"), RemoveVersion("green")],
)  # fmt: skip
def test_an_action_is_plain_data(action: Any) -> None:
    """There and back, by way of JSON."""
    assert read_action(json.loads(json.dumps(action_json(action)))) == action


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"kind": "promot"}, "action.kind"),
        ({"kind": "promote", "versoin": "green"}, "action.versoin"),
        ({"kind": "promote"}, "version"),
    ],
)
def test_what_is_no_action_is_refused_by_name(given: dict[str, Any], named: str) -> None:
    """Kind, setting, or what is missing."""
    with pytest.raises(InvalidSetting, match=named):
        read_action(given)


def test_traffic_replicas_promotion_and_removal_on_a_real_endpoint() -> None:
    """All seven, one after the other; the old default keeps none of the traffic that it had been given by name."""
    ws, endpoint = opened()
    policy = Each(
        (SetTraffic({"green": 10.0}),), (SetReplicas(3, "green"),), (Hold(),), (SetBounds(2, 4, "green"),), (RollBack("green"),),
        (Promote("green"),), (RemoveVersion("blue"),),
    )  # fmt: skip
    seen: list[dict[str, float]] = []
    totals: list[float] = []

    def look(look: Look) -> None:
        found = {name: each.traffic_share for name, each in look.observation.versions.items()}
        seen.append(found)
        totals.append(sum(found.values()))

    runner = run_policy(policy, endpoint, "1h", seen=look)
    assert runner is not None
    assert runner.ended
    assert totals == [100.0] * 7
    assert [each["green"] for each in seen] == [0, 10, 10, 10, 10, 0, 100]
    assert shares(ws) == {"green": 100}
    version = ws.backend.get_service("fraud")["versions"]["green"]
    scaler = version["autoScaler"]
    assert (version["isDefault"], scaler["minReplicas"], scaler["maxReplicas"]) == (True, 2, 4)


def test_a_decision_without_actions_is_a_decision() -> None:
    """It is kept in the journal, and the policy's state goes on from it."""
    _, endpoint = opened()
    looks: list[Look] = []
    runner = run_policy(Each((), ()), endpoint, "1h", seen=looks.append)
    assert runner is not None
    assert runner.ended
    assert [look.number for look in looks] == [0, 1]


def test_what_is_in_force_is_not_done_again() -> None:
    """A wanted state that is there needs no call."""
    ws, endpoint = opened()
    for action in (SetTraffic({"green": 10.0}), SetReplicas(2, "green"), Promote("green"), SetBounds(1, 2, "green")):
        run_policy(Each((action,)), endpoint, "3m")
        ws.simulation.advance("1m")
        assert steps_of(action, ws.backend.get_service("fraud")) == []
    assert steps_of(RemoveVersion("red"), ws.backend.get_service("fraud")) == []


def test_falling_shares_come_first() -> None:
    """Two versions that change places never add up to more than 100."""
    version = {"trafficPercentile": 0.0, "isDefault": False}
    document = {
        "versions": {
            "blue": {**version, "isDefault": True},
            "green": {**version, "trafficPercentile": 80.0},
            "red": {**version, "trafficPercentile": 20.0},
        }
    }
    steps = steps_of(SetTraffic({"red": 80.0, "green": 20.0}), document)
    assert [each.version for each in steps] == ["green", "red"]


@pytest.mark.parametrize(
    "action", [SetTraffic({"blue": 10.0}), RollBack("blue"), RemoveVersion("blue"), SetTraffic({"red": 1.0}), Promote("red"),
               SetReplicas(2, "red"), SetReplicas(2), SetTraffic({"green": 101.0})],
)  # fmt: skip
def test_an_action_that_cannot_be_is_refused(action: Any) -> None:
    """By name: the default version, one that is not there, more than everything."""
    _, endpoint = opened()
    with pytest.raises(AksError, match=r"blue|red|version|101"):
        run_policy(Each((action,)), endpoint, "3m")


def test_a_web_service_is_scaled() -> None:
    """It has no versions."""
    scenario = {key: value for key, value in SCENARIO.items() if key != "endpoint"}
    scenario["webservice"] = {"name": "svc", "deploy": {"num_replicas": 2}}
    ws = Workspace.simulated(scenario=scenario)
    run_policy(Each((SetReplicas(3),)), AksWebservice(ws, "svc"), "2m")
    ws.simulation.advance("2m")
    assert ws.simulation.observe("svc").versions["svc"].replicas == {"Ready": 3}


# -- limits


def test_a_policy_of_ones_own_declares_its_limits() -> None:
    """Or is refused, before anything is done."""
    _, endpoint = opened()
    policy = Each((SetTraffic({"green": 10.0}),))
    policy.limits = None  # type: ignore[assignment]
    with pytest.raises(InvalidSetting, match=r"Each\.limits"):
        run_policy(policy, endpoint, "1m")
    policy.limits, policy.interval = FREE, 0  # type: ignore[assignment]
    with pytest.raises(InvalidSetting, match=r"Each\.interval"):
        run_policy(policy, endpoint, "1m")
    with pytest.raises(InvalidSetting, match="neither decide"):
        run_policy(type("Nothing", (), {"interval": 1})(), endpoint, "1m")


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ((None, 1, "roll_back", 0, 0), "on_deadline"),
        (("green", 0, "hold", 0, 0), "max_duration"),
        (("green", 1, "hold", -1, 0), "min_requests"),
        (("green", 1, "hold", 0, -1), "budget"),
        (("green", 1, "go", 0, 0), "on_deadline"),
    ],
)
def test_limits_that_are_none_are_refused(given: Any, named: str) -> None:
    """By name."""
    with pytest.raises(InvalidSetting, match=rf"limits\.{named}"):
        Limits(*given)


def test_more_traffic_waits_for_the_sample_and_less_does_not() -> None:
    """A policy that doubles its share at every look is held until each share has had 300 answers."""
    ws, endpoint = opened()

    class Hasty(Each):
        limits = Limits("green", 24 * 3600 * SECOND, "hold", 300, 10_000)

    made: list[tuple[int, str]] = []

    def look(each: Look) -> None:
        made.append((each.at // MINUTE, str(each.decision.actions[0])))

    run_policy(Hasty(*[(SetTraffic({"green": share}),) for share in (10.0, 20.0, 5.0)]), endpoint, "20m", seen=look)
    assert made == [
        (0, "set traffic green 10 %"),
        (1, "hold"),
        (2, "hold"),
        (3, "set traffic green 20 %"),
        (4, "set traffic green 5 %"),
    ]
    assert shares(ws)["green"] == 5


def test_the_budget_of_harm_ends_any_policy() -> None:
    """A tenth of green's requests fails; nobody looks but the runner."""
    _, endpoint = opened(
        endpoint={**SCENARIO["endpoint"], "versions": [SCENARIO["endpoint"]["versions"][0],
                  {**SCENARIO["endpoint"]["versions"][1], "model": {"failure_rate": 0.1}}]}
    )  # fmt: skip

    class Blind(Each):
        limits = Limits("green", 24 * 3600 * SECOND, "hold", 0, 50)

    looks: list[Look] = []
    run_policy(Blind((SetTraffic({"green": 20.0}),), *[(Hold(),)] * 50), endpoint, "1h", seen=looks.append)
    assert looks[-1].decision.actions == (RollBack("green"),)
    assert looks[-1].decision.verdict is Verdict.FAIL
    assert looks[-1].at == 3 * MINUTE  # 24 failures a minute
    assert looks[-1].observation.versions["green"].total.first.failures < 50 + 40


# -- going on


def canary() -> Canary:
    """Four steps of two minutes."""
    told = {"kind": "canary", "version": "green", "steps": [10, 25, 50, 100], "hold": 120, "max_error_rate": 0.01}
    return Canary(CanarySpec.model_validate(told))


class Cut(Exception):
    """The process ends here."""


class CutJournal:
    """A journal whose process ends at a certain row: before it is kept, or right after."""

    def __init__(self, rows: list[dict[str, Any]], at: int, *, kept: bool) -> None:
        self.rows = rows
        self._at, self._kept = at, kept

    def keep(self, row: dict[str, Any]) -> None:
        """Keep it as JSON does, or end."""
        if len(self.rows) == self._at:
            if self._kept:
                self.rows.append(json.loads(json.dumps(row)))
            raise Cut
        self.rows.append(json.loads(json.dumps(row)))


def decisions(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """When what was decided, and why."""
    found = [row["decision"] for row in rows if "decision" in row]
    return [
        (each["number"], each["at"], each["actions"], each["verdict"], each["reason"], each["inputs"]) for each in found
    ]


def traffic_changes(ws: Workspace) -> list[tuple[Any, ...]]:
    """What the service was told."""
    return [(at, detail) for at, _, _, detail in ws.simulation.history(kind="traffic_changed")]


@pytest.mark.parametrize("kept", [True, False])
def test_a_run_goes_on_after_any_row_and_nothing_is_done_twice(kept: bool) -> None:
    """The process ends after any row of the journal is kept, or before every third: the run comes out the same."""
    whole: list[dict[str, Any]] = []
    ws, endpoint = opened()
    run_policy(canary(), endpoint, "1h", journal=CutJournal(whole, -1, kept=True))
    expected, changes = decisions(whole), traffic_changes(ws)
    assert len(expected) >= 8
    assert len({str(each[2]) for each in expected}) == 6, "four steps, a hold, a promotion"
    for cut in range(0, len(whole), 1 if kept else 3):
        ws, endpoint = opened()
        rows: list[dict[str, Any]] = []
        with pytest.raises(Cut):
            run_policy(canary(), endpoint, "1h", journal=CutJournal(rows, cut, kept=kept))
        runner = run_policy(canary(), endpoint, "1h", journal=CutJournal(rows, -1, kept=True))
        assert runner is not None
        assert runner.ended
        assert decisions(rows) == expected
        assert traffic_changes(ws) == changes


def test_a_journal_is_a_file_and_a_torn_line_is_left_out(tmp_path: Path) -> None:
    """Stopped in the middle, its last line cut off, resumed: the same decisions as of one that ran through."""
    through, torn = tmp_path / "through.jsonl", tmp_path / "torn.jsonl"
    _, endpoint = opened()
    run_policy(canary(), endpoint, "30m", journal=through)
    _, endpoint = opened()
    run_policy(canary(), endpoint, "3m", journal=torn)
    with torn.open("ab") as file:
        file.write(b'{"form": 1, "decision": {"num')
    run_policy(canary(), endpoint, "27m", journal=str(torn))
    assert torn.read_bytes() == through.read_bytes()
    rows = [json.loads(line) for line in through.read_text().splitlines()]
    inputs = next(row["decision"] for row in rows if "decision" in row)["inputs"]
    assert set(inputs["versions"]["green"]) >= {"share", "ready", "judged", "failed", "refused", "retries"}


def test_a_journal_of_something_else_is_refused(tmp_path: Path) -> None:
    """Of another policy; of one that remembers by itself; or no journal at all."""
    _, endpoint = opened()
    run_policy(canary(), endpoint, "3m", journal=tmp_path / "canary")
    with pytest.raises(InvalidSetting, match="journal of a Each"):
        run_policy(Each((Hold(),)), endpoint, "3m", journal=tmp_path / "canary")
    (tmp_path / "other").write_text("blue,green\n")
    with pytest.raises(UnreadableFile, match="line 1"):
        run_policy(canary(), endpoint, "3m", journal=tmp_path / "other")
    run_policy(Old(), endpoint, "3m", journal=tmp_path / "old")
    with pytest.raises(InvalidSetting, match="remembers by itself"):
        run_policy(Old(), endpoint, "3m", journal=tmp_path / "old")


def test_state_that_is_no_json_is_refused() -> None:
    """It could not be resumed."""

    class Odd(Each):
        def decide(self, state: Any, observation: Observation, now: Micros) -> Decision:
            return Decision({"at": {1, 2}}, (Hold(),), Verdict.PASS, "odd")

    _, endpoint = opened()
    with pytest.raises(InvalidSetting, match=r"Odd\.state"):
        run_policy(Odd(), endpoint, "1m")


# -- an operation is in the way


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.FAIL])
def test_what_the_service_refuses_for_now_is_tried_again_and_failures_go_first(verdict: Verdict) -> None:
    """409 for two minutes: the removal waits; a roll-back takes its place at once."""
    ws, endpoint = opened()
    busy_until = 2 * MINUTE + SECOND

    class Busy:
        workspace, name = ws, "fraud"

        def delete_version(self, name: str) -> None:
            if ws.clock.now() < busy_until:
                from akstwin.errors import Conflict  # noqa: PLC0415

                raise Conflict("another operation is running")
            endpoint.delete_version(name)

        def update_version(self, *given: Any, **named: Any) -> None:
            endpoint.update_version(*given, **named)

    class Waits(Each):
        def decide(self, state: Any, observation: Observation, now: Micros) -> Decision:
            if not state:
                return Decision({"begun": True}, (SetTraffic({"green": 10.0}),), Verdict.PASS, "begins")
            if verdict is Verdict.FAIL and now >= 2 * MINUTE:
                return Decision(None, (RollBack("green"),), verdict, "fails while it waits")
            return Decision(None, (RemoveVersion("green"),), Verdict.PASS, "removes")

    looks: list[Look] = []
    run_policy(Waits(), Busy(), "10m", seen=looks.append)
    assert "another operation" in str(looks[1].waiting)
    last = looks[-1]
    assert last.at == (2 if verdict is Verdict.FAIL else 3) * MINUTE
    assert last.decision.actions == ((RollBack("green"),) if verdict is Verdict.FAIL else (RemoveVersion("green"),))
    assert last.waiting is None
    assert ("green" in shares(ws)) == (verdict is Verdict.FAIL)


# -- the older form, and scripts


class Old:
    """Calls the endpoint itself."""

    interval = MINUTE

    def __init__(self) -> None:
        self.looks = 0

    def step(self, endpoint: Any, observation: Observation) -> str | None:
        """Ten per cent at the third look."""
        self.looks += 1
        if self.looks != 3:
            return None
        endpoint.update_version("green", traffic_percentile=10)
        return "ten per cent"


def test_the_older_form_goes_on_working() -> None:
    """Its calls are journalled; it ends after a day."""
    ws, endpoint = opened()
    rows: list[dict[str, Any]] = []
    policy = Old()
    run_policy(policy, endpoint, "5m", journal=CutJournal(rows, -1, kept=True))
    assert policy.looks == 6
    assert [row["decision"]["calls"] for row in rows if row.get("decision", {}).get("calls")] == [
        ["update_version('green', traffic_percentile=10)"]
    ]
    assert [words for *_, words in ws.simulation.history(kind="policy")] == ["ten per cent"]
    policy.interval = 6 * 60 * MINUTE  # type: ignore[assignment]
    quiet = Workspace.simulated(scenario={**SCENARIO, "traffic": []})
    runner = run_policy(policy, AksEndpoint(quiet, "fraud"), None)
    assert runner is not None
    assert runner.ended
    assert quiet.clock.now() == 24 * 60 * MINUTE


def test_a_script_waits_by_the_worlds_clock() -> None:
    """A rollout as one would write it down; its calls are journalled, and it does not outlive its time."""
    ws, endpoint = opened()
    rows: list[dict[str, Any]] = []
    told: list[float] = []

    def rollout(endpoint: Any, clock: ScriptClock) -> None:
        for share in (10, 20, 40):
            endpoint.update_version("green", traffic_percentile=share)
            clock.sleep("10m")
            told.append(clock.now())
            assert clock.observe("10m").versions["green"].traffic_share == share

    run_policy(rollout, endpoint, "25m", journal=CutJournal(rows, -1, kept=True))
    assert told == [600, 1200]
    assert ws.clock.now() == 25 * MINUTE
    assert [row["call"]["call"] for row in rows] == [
        f"update_version('green', traffic_percentile={share})" for share in (10, 20, 40)
    ]
    assert [subject for _, _, subject, _ in ws.simulation.history(kind="policy")] == ["rollout"] * 4
    with pytest.raises(InvalidSetting, match="begins anew"):
        run_policy(rollout, endpoint, "25m", journal=CutJournal(rows, -1, kept=True))
    with pytest.raises(InvalidSetting, match="sleep"):
        run_policy(lambda endpoint, clock: clock.sleep("soon"), endpoint, "25m")


# -- where decisions are seen


def test_decisions_are_events_and_looks_are_too() -> None:
    """What was done, the verdict, the reason with its figures; looks that change nothing have a kind of their own."""
    ws, endpoint = opened()
    run_policy(canary(), endpoint, "1h")
    events = [(kind, words) for _, kind, subject, words in ws.simulation.history() if subject == "Canary"]
    assert events[0] == ("policy", "set traffic green 10 % (inconclusive): begins at 10 %")
    assert events[-1][1].startswith("promote green (pass): held at 100 %: failed 0 of ")
    assert {kind for kind, _ in events} == {"policy", "policy_look"}


def test_a_runner_needs_no_workspace() -> None:
    """Its parts are functions: what a driver of one's own needs."""
    ws, endpoint = opened()
    noted: list[str] = []
    observe: Callable[[Micros], Observation] = lambda window: ws.backend.observe("fraud", window)  # noqa: E731
    runner = PolicyRunner(
        Each((SetTraffic({"green": 10.0}),)),
        endpoint,
        observe,
        lambda kind, words: noted.append(f"{kind}: {words}"),
        document=lambda: ws.backend.get_service("fraud"),
    )
    assert (runner.verdict, runner.next_look, runner.ended) == (None, None, False)
    runner.look(ws.clock.now())
    assert (runner.verdict, runner.next_look, runner.ended) == (Verdict.PASS, MINUTE, True)
    assert noted == ["policy: set traffic green 10 % (pass): number 0"]
