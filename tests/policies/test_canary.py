"""The canary's decisions, on figures made by hand and by chance."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from support.observed import Version, decided, drawn, observation

from akstwin.clock import MINUTE
from akstwin.domain.observation import Observation
from akstwin.policies import Canary, CanarySpec, Decision, Hold, Promote, RollBack, SetTraffic, Verdict


def canary(**given: Any) -> Canary:
    """A canary of green at one step of 10 per cent, unless told otherwise."""
    settings = {"kind": "canary", "version": "green", "steps": [10.0], "hold": 5 * 60, "on_deadline": "hold", **given}
    return Canary(CanarySpec.model_validate(settings))


def looks(bring: Callable[[int, Version, Version], str | None], count: int = 30) -> Iterator[Observation]:
    """A look each minute; `bring(minute, blue, green)` says what the minute brought, and returns why figures are missing."""
    blue, green = Version(share=90.0), Version(share=10.0)
    for minute in range(count):
        missing = bring(minute, blue, green)
        yield observation(minute * MINUTE, {"blue": blue, "green": green}, missing=missing)


def steady(minute: int, blue: Version, green: Version) -> None:
    """Nothing fails."""
    blue.answered(ok=2160)
    green.answered(ok=240)


def ends(made: list[Decision]) -> tuple[Any, ...]:
    """What was done last."""
    return made[-1].actions


def test_steps_are_held_and_a_good_version_is_promoted() -> None:
    """10, 50 per cent, each for its time; everything only on a pass."""
    made = decided(canary(steps=[10.0, 50.0], hold=3 * 60), looks(steady))
    changes = [(at, made[at].actions[0]) for at in range(len(made)) if made[at].actions != (Hold(),)]
    assert changes[0] == (0, SetTraffic({"green": 10.0}))
    assert changes[1] == (3, SetTraffic({"green": 50.0}))
    assert changes[-1][1] == Promote("green")
    assert len(changes) == 3
    assert changes[-1][0] >= 6
    assert made[-1].verdict is Verdict.PASS
    assert made[-1].state is None


def test_one_error_of_one_answer_decides_nothing() -> None:
    """It was enough once."""

    def bring(minute: int, blue: Version, green: Version) -> None:
        blue.answered(ok=10)
        green.answered(failed=1 if minute == 1 else 0, ok=0)

    made = decided(canary(), looks(bring, 10))
    assert [each.actions for each in made[1:]] == [(Hold(),)] * 9
    assert {each.verdict for each in made} == {Verdict.INCONCLUSIVE}


def test_without_traffic_it_ends_at_its_deadline() -> None:
    """It waited for ever once."""

    def bring(minute: int, blue: Version, green: Version) -> None:
        blue.answered()
        green.answered()

    made = decided(canary(max_duration=10 * 60, on_deadline="roll_back"), looks(bring))
    assert len(made) == 11
    assert ends(made) == (RollBack("green"),)
    assert made[-1].verdict is Verdict.INCONCLUSIVE
    assert "deadline" in made[-1].reason


@pytest.mark.parametrize(
    ("on_deadline", "action"), [("hold", Hold()), ("promote", Promote("green")), ("roll_back", RollBack("green"))]
)
def test_the_deadline_does_what_it_says(on_deadline: str, action: Any) -> None:
    """A comparison that is not over."""

    def bring(minute: int, blue: Version, green: Version) -> None:
        blue.answered(ok=9)
        green.answered(ok=1)

    assert ends(decided(canary(max_duration=5 * 60, on_deadline=on_deadline), looks(bring))) == (action,)


def test_a_failing_version_is_rolled_back_at_once() -> None:
    """Five per cent beside nothing: at the first look that can tell, in the middle of a hold."""

    def bring(minute: int, blue: Version, green: Version) -> None:
        blue.answered(ok=2160)
        green.answered(ok=228, failed=12)

    made = decided(canary(max_error_rate=0.01), looks(bring))
    assert len(made) == 2
    assert ends(made) == (RollBack("green"),)
    assert made[-1].verdict is Verdict.FAIL
    assert "12 of 240" in made[-1].reason


def test_what_both_suffer_is_nobodys_fault() -> None:
    """Half of all answers fail for ten minutes, of both: nothing is rolled back."""

    def bring(minute: int, blue: Version, green: Version) -> None:
        bad = 5 <= minute < 15
        blue.answered(ok=1080 if bad else 2160, failed=1080 if bad else 0)
        green.answered(ok=120 if bad else 240, failed=120 if bad else 0)

    made = decided(canary(steps=[10.0], hold=40 * 60, max_error_rate=0.01), looks(bring))
    assert all(each.verdict is not Verdict.FAIL for each in made)


def test_the_routers_refusals_are_not_the_models_failures() -> None:
    """Green's queue refuses half of its requests; what is answered is good."""

    def bring(minute: int, blue: Version, green: Version) -> None:
        blue.answered(ok=2160)
        green.answered(ok=120, refused=120)

    assert ends(decided(canary(), looks(bring))) == (Promote("green"),)


def test_retries_do_not_count() -> None:
    """One failure, repeated a hundred times by impatient clients."""

    def bring(minute: int, blue: Version, green: Version) -> None:
        blue.answered(ok=2160)
        green.answered(ok=240, failed=1 if minute == 3 else 0, retries=100 if minute == 3 else 0)

    assert ends(decided(canary(), looks(bring))) == (Promote("green"),)


def test_missing_figures_are_inconclusive_and_no_time_to_hold() -> None:
    """Nine minutes without figures: the step goes on where it was."""

    def bring(minute: int, blue: Version, green: Version) -> str | None:
        steady(minute, blue, green)
        return "the source is down" if 1 <= minute < 10 else None

    with_gap = decided(canary(steps=[10.0, 20.0]), looks(bring))
    assert [each.verdict for each in with_gap[1:10]] == [Verdict.INCONCLUSIVE] * 9
    assert all(each.actions == (Hold(),) for each in with_gap[1:10])
    without = decided(canary(steps=[10.0, 20.0]), looks(steady))

    def first(made: list[Decision]) -> int:
        return next(at for at in range(1, len(made)) if made[at].actions != (Hold(),))

    assert first(with_gap) == first(without) + 9


def test_more_traffic_waits_while_replicas_come_and_failures_act() -> None:
    """Scaling is a quiet time for steps, and none for failures."""

    def bring(minute: int, blue: Version, green: Version, failed: int = 0) -> None:
        steady(minute, blue, green)
        green.answered(ok=240 - failed, failed=failed)
        scaling = 2 <= minute < 12
        green.replicas, green.desired = ({"Ready": 1, "Starting": 1}, 2) if scaling else ({"Ready": 2}, 2)

    made = decided(canary(steps=[10.0, 20.0]), looks(bring))
    assert all(each.actions == (Hold(),) for each in made[1:12])
    assert "paused" in made[6].reason
    failing = decided(canary(), looks(lambda minute, blue, green: bring(minute, blue, green, 24 if minute >= 4 else 0)))
    assert ends(failing) == (RollBack("green"),)
    assert len(failing) < 12


def test_it_does_not_begin_before_there_are_replicas() -> None:
    """Nor with some of them: those that answer would not be typical."""

    def bring(minute: int, blue: Version, green: Version) -> None:
        steady(minute, blue, green)
        green.replicas = {"Starting": 2} if minute < 2 else {"Ready": 1, "Starting": 1} if minute < 4 else {"Ready": 2}
        green.desired = 2

    made = decided(canary(), looks(bring, 6))
    assert [each.actions[0] for each in made[:5]] == [*[Hold()] * 4, SetTraffic({"green": 10.0})]


def test_slow_answers_are_a_metric_and_failures_are_slow() -> None:
    """A tenth of green's answers takes two seconds; and time-outs do not look quick."""

    def slow(minute: int, blue: Version, green: Version) -> None:
        blue.answered(ok=2160)
        green.answered(ok=216, slow=24)

    made = decided(canary(slower_than="300ms"), looks(slow))
    assert ends(made) == (RollBack("green"),)
    assert "slow 24 of 240" in made[-1].reason
    assert ends(decided(canary(), looks(slow))) == (Promote("green"),), "latency is not judged unless asked for"

    def lost(minute: int, blue: Version, green: Version) -> None:
        blue.answered(ok=2160)
        green.answered(ok=216, failed=24)

    (failed,) = decided(canary(slower_than="300ms", max_error_rate=1.0), looks(lost))[-1:]
    assert failed.actions == (RollBack("green"),)
    assert "slow 24 of 240" in failed.reason


def test_latencies_do_not_count_while_scaling() -> None:
    """Slow answers of ten scaling minutes are left out, unless told otherwise."""

    def bring(minute: int, blue: Version, green: Version) -> None:
        scaling = 2 <= minute < 12
        blue.answered(ok=2160)
        green.answered(ok=190 if scaling else 240, slow=50 if scaling else 0)
        green.replicas, green.desired = ({"Ready": 1, "Starting": 1}, 2) if scaling else ({"Ready": 2}, 2)

    assert ends(decided(canary(slower_than="300ms"), looks(bring))) == (Promote("green"),)
    counted = decided(canary(slower_than="300ms", pause_while_scaling=False), looks(bring))
    assert ends(counted) == (RollBack("green"),)


def test_the_budget_of_harm_is_kept() -> None:
    """Where the statistics wait, the budget does not; harm that the control has as well is not the version's."""

    def bring(minute: int, blue: Version, green: Version) -> None:
        blue.answered(ok=2160)
        green.answered(ok=237, failed=3)

    made = decided(canary(max_error_rate=0.5, budget=5.0, hold=60 * 60), looks(bring))
    assert ends(made) == (RollBack("green"),)
    assert len(made) == 3
    assert "budget" in made[-1].reason

    def shared(minute: int, blue: Version, green: Version) -> None:
        blue.answered(ok=2000, failed=160)
        green.answered(ok=222, failed=18)

    assert ends(decided(canary(budget=10.0, hold=60 * 60), looks(shared))) == (Hold(),)


def test_a_step_needs_its_sample() -> None:
    """Ten answers a minute: 100 take ten minutes, whatever the hold."""

    def bring(minute: int, blue: Version, green: Version) -> None:
        blue.answered(ok=90)
        green.answered(ok=10)

    made = decided(canary(steps=[10.0, 20.0], hold=60, min_requests=100), looks(bring))
    assert [at for at in range(len(made)) if made[at].actions != (Hold(),)] == [0, 10]


def test_state_is_plain_and_decisions_are_pure() -> None:
    """The same state, figures and instant give the same decision, through JSON as well."""
    import json  # noqa: PLC0415

    policy = canary(slower_than="300ms", steps=[10.0, 20.0])
    seen = list(looks(steady, 9))
    state: Any = {}
    for each in seen:
        one = policy.decide(state, each, each.at)  # type: ignore[arg-type]
        again = canary(slower_than="300ms", steps=[10.0, 20.0]).decide(json.loads(json.dumps(state)), each, each.at)  # type: ignore[arg-type]
        assert json.loads(json.dumps(again.state)) == json.loads(json.dumps(one.state))
        assert again[1:] == one[1:]
        state = one.state


# -- error rates (`make properties` draws ten times as many)


@pytest.mark.slow
def test_an_equal_version_is_hardly_ever_rolled_back(worlds: int) -> None:
    """A look each minute for an hour, 40 requests/s, 10 per cent canary, half a per cent of errors."""
    rng = np.random.default_rng(15)
    found = [drawn(canary(), rng) for _ in range(worlds)]
    back = sum(each.kind == "rolled back" for each in found)
    promoted = [each.minutes for each in found if each.kind == "promoted"]
    assert back <= 0.05 * worlds
    assert len(promoted) >= 0.95 * worlds
    assert np.median(promoted) <= 30


@pytest.mark.slow
def test_a_version_at_the_margin_is_not_promoted(worlds: int) -> None:
    """Half a point worse."""
    rng = np.random.default_rng(16)
    found = [drawn(canary(), rng, bad=0.010) for _ in range(worlds // 5)]
    assert sum(each.kind == "promoted" for each in found) == 0


@pytest.mark.slow
def test_twice_as_bad_is_rolled_back_every_time(worlds: int) -> None:
    """Within the hour, half of them within twelve minutes."""
    rng = np.random.default_rng(17)
    found = [drawn(canary(), rng, bad=0.010) for _ in range(worlds // 5)]
    assert all(each.kind == "rolled back" for each in found)
    assert np.median([each.minutes for each in found]) <= 12


@pytest.mark.slow
def test_shared_trouble_rolls_nothing_back(worlds: int) -> None:
    """Ten minutes in which a fifth of all answers fail, of both versions: the bound on false alarms holds."""
    rng = np.random.default_rng(18)
    trouble = lambda minute: 0.2 if 10 <= minute < 20 else 0.0  # noqa: E731
    found = [drawn(canary(hold=45 * 60), rng, extra=trouble) for _ in range(worlds // 5)]
    assert sum(each.kind == "rolled back" for each in found) <= max(1, 0.05 * worlds // 5)
