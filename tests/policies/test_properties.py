"""`@scenario_property`: good policies hold in generated worlds; a bad one gives the smallest scenario, a file and a command."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akstwin.policies import BlueGreen, BlueGreenSpec, Canary, CanarySpec, Promote
from akstwin.scenarios.load import prepare
from akstwin.testing import strategies
from akstwin.testing.checkers import (
    always,
    at_most_n_changes_per,
    check,
    ends_by,
    eventually_within,
    metrics_missing,
    never_more_than,
    promotion_needs_as_good,
    rollout,
    scaling,
    sometimes,
)
from akstwin.testing.histories import History
from akstwin.testing.properties import PropertyBroken, run_scenario, scenario_property

EXAMPLES = int(os.environ.get("AKSTWIN_WORLDS", "200")) // 4
"""50 worlds, and 500 in `make properties`."""
SCENARIO: dict[str, Any] = {
    "seed": 1,
    "duration": "40m",
    "cluster": {"nodes": 4},
    "endpoint": {
        "name": "svc",
        "versions": [
            {"name": "blue", "deploy": {"is_default": True, "num_replicas": 3}},
            {"name": "green", "deploy": {"num_replicas": 3}},
        ],
    },
    "traffic": [{"shape": "poisson", "rate": 6}],
}


def canary(**given: Any) -> Canary:
    """Two steps, half an hour."""
    told = {"kind": "canary", "version": "green", "steps": [20, 50], "hold": "3m", "max_duration": "30m", **given}
    return Canary(CanarySpec.model_validate({"max_error_rate": 0.02, **told}))


def blue_green() -> BlueGreen:
    """A preview of a fifth."""
    told = {
        "kind": "blue_green",
        "version": "green",
        "preview": 20,
        "watch": "4m",
        "max_duration": "30m",
        "max_error_rate": 0.02,
    }
    return BlueGreen(BlueGreenSpec.model_validate(told))


WORLDS = st.one_of(strategies.rollouts(), strategies.rollouts(always=("change", "missing")))
OWED = (*rollout(), ends_by("32m"), sometimes(metrics_missing, "without figures"), sometimes(scaling, "scaling"))


@pytest.mark.slow
@scenario_property(WORLDS, policy=canary, checkers=OWED, examples=EXAMPLES, chance=4)
def test_a_canary_in_generated_worlds(history: History) -> None:
    """Traffic, deployments, faults, changes of the model, quiet windows, restarts: it is safe, and comes to an end."""
    assert history.refused is None


@pytest.mark.slow
@scenario_property(WORLDS, policy=blue_green, checkers=OWED, examples=EXAMPLES, chance=5)
def test_blue_green_in_generated_worlds(history: History) -> None:
    """The same of a switch."""
    assert history.refused is None


@settings(max_examples=60, deadline=None)
@given(strategies.rollouts())
def test_generated_worlds_are_scenarios(document: dict[str, Any]) -> None:
    """Apart from what only the policy meets, `akstwin run` takes each of them."""
    prepare({key: value for key, value in document.items() if not key.startswith("x-")}, Path("s.yaml"))


BROKEN = '''
from akstwin.clock import MINUTE, SECOND
from akstwin.policies import Decision, Hold, Limits, Promote, SetTraffic, Verdict
from akstwin.testing import strategies
from akstwin.testing.checkers import promotion_needs_as_good
from akstwin.testing.properties import scenario_property


class ByTime:
    interval = MINUTE
    limits = Limits("green", 3600 * SECOND, "hold", 0, 1e9)

    def decide(self, state, observation, now):
        looks = state.get("looks", 0)
        if looks == 0:
            return Decision({"looks": 1}, (SetTraffic({"green": 20.0}),), Verdict.INCONCLUSIVE, "begins")
        if looks == 3:
            return Decision(None, (Promote("green"),), Verdict.PASS, "time is up")
        return Decision({"looks": looks + 1}, (Hold(),), Verdict.INCONCLUSIVE, "holds")


@scenario_property(strategies.rollouts(), policy=ByTime, checkers=(promotion_needs_as_good(),), examples=20, until="7m")
def test_it(history):
    """A policy that goes by time alone."""
'''


@pytest.mark.slow
def test_a_failure_is_a_small_file_and_a_command_that_replays_it(tmp_path: Path) -> None:
    """The file has one thing wrong, is printed, replays in another folder, and is run first from then on."""
    (tmp_path / "test_mine.py").write_text(textwrap.dedent(BROKEN))

    def pytest_there(*arguments: str, folder: Path = tmp_path, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments], cwd=folder, timeout=1200, check=False,
            capture_output=True, text=True, env={**os.environ, **environment},
        )  # fmt: skip

    failed = pytest_there("test_mine.py")
    assert failed.returncode == 1, failed.stdout
    (kept,) = (tmp_path / "regressions" / "test_it").glob("*.yaml")
    text = kept.read_text("utf-8")
    assert "failure_rate" in text
    assert not any(key in text for key in ("faults", "x-missing", "x-restart", "clients")), "shrunk to what matters"
    assert all(line in failed.stdout for line in text.splitlines())
    command = f"AKSTWIN_SCENARIO=regressions/test_it/{kept.name} python -m pytest test_mine.py::test_it"
    assert command in failed.stdout

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for file in (tmp_path / "test_mine.py", kept):
        (elsewhere / file.name).write_text(file.read_text("utf-8"), "utf-8")
    replayed = pytest_there("test_mine.py::test_it", folder=elsewhere, AKSTWIN_SCENARIO=kept.name)
    assert replayed.returncode == 1
    assert "promoted while failed at most 1 points more" in replayed.stdout
    assert not (elsewhere / "regressions").exists()

    again = pytest_there("test_mine.py")
    assert "a scenario that failed before" in again.stdout


def test_a_property_that_nothing_put_to_the_test_is_no_pass(tmp_path: Path) -> None:
    """It has proved nothing: neither a checker nor a `sometimes`."""
    never = sometimes(lambda moment, history: False, "pigs fly")

    def judge(history: History) -> None:
        """Nothing more."""

    made = scenario_property(
        strategies.rollouts(),
        policy=canary,
        checkers=(never, ends_by("39m")),
        examples=1,
        until="5m",
        regressions=tmp_path,
    )(judge)
    with pytest.raises(PropertyBroken, match=r"pigs fly; ends by 2340 s"):
        made()


@pytest.mark.parametrize("content", ["- 1\n", "question: {\n", None])
def test_a_file_that_is_no_scenario_is_refused(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its name."""
    file = tmp_path / "lost.yaml"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("AKSTWIN_SCENARIO", str(file))
    from akstwin.errors import UnreadableFile  # noqa: PLC0415

    test = scenario_property(strategies.rollouts(), policy=canary, checkers=())(lambda history: None)
    with pytest.raises(UnreadableFile, match=r"lost\.yaml"):
        test()


def test_checkers_that_users_choose() -> None:
    """`always`, `never_more_than`, `eventually_within`, `at_most_n_changes_per`: each can hold, and can break."""
    history = run_scenario(SCENARIO, canary)
    promoted = [moment for moment in history.decided if isinstance(moment.decision.actions[0], Promote)]  # type: ignore[union-attr]
    assert promoted
    known = lambda moment, history: "green" in moment.truth.versions  # noqa: E731
    taken = lambda moment, history: moment.truth.versions["green"].traffic_share == 100  # noqa: E731
    hold = (
        always(known, "green is there"), never_more_than(100, to="green"), eventually_within("35m", taken, "green has all"),
        at_most_n_changes_per(3, "1h"), promotion_needs_as_good(), ends_by("30m"),
    )  # fmt: skip
    assert check(history, hold) == []
    assert all(each.check(history).exercised for each in hold)
    broken = (
        always(lambda moment, history: moment.at < 120e6, "two minutes"), never_more_than(30, to="green"),
        eventually_within("2m", taken, "green has all"), at_most_n_changes_per(1, "30m"), ends_by("2m"),
    )  # fmt: skip
    assert {line.partition(":")[0] for line in check(history, broken)} == {each.name for each in broken}


def test_missing_figures_and_restarts_are_part_of_a_scenario() -> None:
    """They are met, and a restart in the middle changes no decision."""
    whole = run_scenario({**SCENARIO, "x-missing": [["2m", "5m"]]}, canary)
    cut = run_scenario({**SCENARIO, "x-missing": [["2m", "5m"]], "x-restart": [1, 3, 6]}, canary)
    assert [metrics_missing(moment, whole) for moment in whole.moments[:6]] == [False, False, True, True, True, False]
    assert [(moment.at, moment.decision) for moment in cut.moments] == [
        (moment.at, moment.decision) for moment in whole.moments
    ]
