"""The figures of a comparison."""

import json
from typing import Any

import numpy as np
import pytest

from akstwin.scenarios.compare import Gates, judge
from akstwin.scenarios.compare_client import Sent
from akstwin.scenarios.compare_predict import Outcome, most_at_once
from akstwin.scenarios.compare_stats import Run, figures, mean_interval, medians, quantile, share
from akstwin.sim.load.request_index import RequestIdentity


def outcome(number: int, status: int = 200, latency: int = 100_000, version: str = "blue") -> Outcome:
    """A prediction; requests come in every 10 ms."""
    return Outcome(RequestIdentity(0, number), number * 10_000, status, latency, version)


def sent(number: int, status: int = 200, latency: float = 0.1, late: float = 0.0) -> Sent:
    """A measurement, whose latency counts from the intended instant."""
    intended = number / 100
    ended = None if status == 0 else intended + latency
    return Sent(RequestIdentity(0, number), intended, intended + late, ended, status)


def run(predicted: list[Outcome], measured: list[Sent], **given: Any) -> Run:
    """A run of ten seconds."""
    return Run(**{"replication": 1, "overhead": [0.002], "rate": 1.0, "window": (0.0, 10.0), **given},
               predicted=predicted, sent=measured)  # fmt: skip


def test_requests_are_paired_by_who_they_are_not_by_their_order() -> None:
    """The same request, the same status; the difference is that of the same request."""
    found = figures(
        run([outcome(0), outcome(1, 503, 500_000), outcome(2)], [sent(2, 200, 0.104), sent(1, 503), sent(0, 502)])
    )
    assert found["requests"] == {"predicted": 3, "measured": 3, "paired": 3}
    assert found["same_status"]["value"] == pytest.approx(2 / 3)
    assert found["difference"]["requests"] == 1
    assert found["difference"]["median"] == pytest.approx(0.004)


def test_an_attempt_that_only_one_side_has_is_no_pair() -> None:
    """A retry that was not needed here, say."""
    found = figures(run([outcome(0), outcome(1)], [sent(1), sent(7)]))
    assert found["requests"] == {"predicted": 2, "measured": 2, "paired": 1}


def test_the_warm_up_counts_on_neither_side() -> None:
    """The prediction has left it out already."""
    found = figures(run([outcome(5)], [sent(0, 503), sent(5)], window=(0.04, 10.0)))
    assert found["requests"]["measured"] == 1
    assert found["refused"] == {"predicted": 0, "measured": 0, "difference_points": 0}


def test_shares_of_503_are_compared_in_points() -> None:
    """Whoever it was that was refused."""
    found = figures(
        run([outcome(0, 503), *map(outcome, range(1, 10))], [*map(sent, range(8)), sent(8, 503), sent(9, 503)])
    )
    assert found["refused"]["difference_points"] == pytest.approx(10)
    assert found["statuses"]["503"]["predicted"]["value"] == pytest.approx(0.1)
    assert found["statuses"]["503"]["measured"]["value"] == pytest.approx(0.2)


def test_no_answer_is_a_status_of_its_own() -> None:
    """It has no latency."""
    found = figures(run([outcome(0), outcome(1)], [sent(0), sent(1, 0)]))
    assert found["statuses"]["none"]["measured"]["value"] == 0.5
    assert found["difference"]["requests"] == 1
    json.dumps(found, allow_nan=False)


def test_the_prediction_gets_the_overhead_as_it_is_spread() -> None:
    """Half of the requests alone took 1 ms, half 5 ms: of a constant prediction, p50 and p95 are that much longer."""
    predicted = [outcome(at) for at in range(100)]
    found = figures(run(predicted, [sent(at, latency=0.105) for at in range(100)], overhead=[0.001, 0.005]))
    assert found["latency"]["p50"]["with_overhead"] == pytest.approx(0.101)
    assert found["latency"]["p95"]["with_overhead"] == pytest.approx(0.105)
    assert found["latency"]["p95"]["off"] == pytest.approx(0)
    assert found["latency"]["p50"]["predicted"] == pytest.approx(0.1)


def test_latency_counts_from_the_intended_instant() -> None:
    """And from the actual sending, beside it."""
    found = figures(run([outcome(0)], [sent(0, latency=0.1, late=0.004)]))
    assert found["latency"]["p50"]["measured"] == pytest.approx(0.1)
    assert found["latency"]["p50"]["measured_from_sending"] == pytest.approx(0.096)
    assert found["lateness"]["max"] == pytest.approx(0.004)


def test_on_a_fast_clock_times_are_the_scenarios() -> None:
    """Ten times as fast: 10 ms here are 100 ms there; lateness stays real."""
    measured = [Sent(RequestIdentity(0, 1), 0.001, 0.002, 0.011, 200)]
    found = figures(run([outcome(1)], measured, rate=10.0))
    assert found["latency"]["p50"]["measured"] == pytest.approx(0.1)
    assert found["lateness"]["p50"] == pytest.approx(0.001)


def test_versions_have_rows_of_their_own() -> None:
    """By the version that the split gives the request to; one alone needs none."""
    predicted = [outcome(at, version="green" if at % 2 else "blue") for at in range(10)]
    found = figures(run(predicted, [sent(at, 502 if at % 2 else 200) for at in range(10)]))
    assert found["versions"]["blue"]["same_status"]["value"] == 1
    assert found["versions"]["green"]["same_status"]["value"] == 0
    assert figures(run([outcome(0)], [sent(0)]))["versions"] == {}


@pytest.mark.parametrize(
    ("given", "said"), [({"late": 0.2}, "too late"), ({"skipped": 1.0}, "clock went off"), ({"late": 0.005}, None)]
)
def test_a_run_that_tells_nothing_says_so(given: dict[str, float], said: str | None) -> None:
    """A client that was late by more than a quarter of what it measures, or a clock that somebody moved."""
    late = given.pop("late", 0.0)
    found = figures(run([outcome(at) for at in range(50)], [sent(at, late=late) for at in range(50)], **given))
    assert (found["meaningless"] is None) if said is None else said in found["meaningless"]


def test_medians_and_gates_leave_out_runs_that_tell_nothing() -> None:
    """And with none left nothing is met."""
    good = figures(run([outcome(0)], [sent(0)]))
    bad = figures(run([outcome(0)], [sent(0, 503)]))
    void = {**bad, "meaningless": "the machine was busy"}
    assert medians([good, void])["same_status"] == 1
    assert medians([good, void])["runs"] == 1
    assert all(each["met"] for each in judge([good, void], medians([good, void]), Gates()))
    assert not any(each["met"] for each in judge([void], medians([void]), Gates(latency_within=1.0)))


def test_every_run_has_to_meet_the_gates() -> None:
    """The worst counts, not the median."""
    good, bad = figures(run([outcome(0)], [sent(0)])), figures(run([outcome(0)], [sent(0, 503)]))
    judged = {each["name"]: each for each in judge([good, good, bad], medians([good, good, bad]), Gates())}
    assert judged["same_status"] == {"name": "same_status", "target": 0.98, "value": 0.0, "met": False}
    assert judged["refused_within"]["met"] is False
    assert judge([bad], medians([bad]), Gates(None, None)) == []


def test_intervals_of_shares_are_wilsons() -> None:
    """Known values: 8 of 10, and 0 of 10."""
    assert share(8, 10)["interval"] == pytest.approx([0.4902, 0.9433], abs=1e-4)
    assert share(0, 10)["interval"] == pytest.approx([0, 0.2775], abs=1e-4)
    assert share(0, 0) == {"value": None, "interval": None}


def test_intervals_of_quantiles_and_means_hold_the_truth_about_as_often_as_they_say() -> None:
    """95 of 100 times: of 400 samples of an exponential, between 90 and 99 per cent."""
    rng = np.random.default_rng(1)
    held = {"p50": 0, "mean": 0}
    for _ in range(400):
        sample = rng.exponential(1.0, 200)
        low, high = quantile(sample, 0.5)["interval"]
        held["p50"] += low <= np.log(2) <= high
        interval = mean_interval(sample)
        assert interval is not None
        held["mean"] += interval[0] <= 1 <= interval[1]
    assert all(0.90 <= count / 400 <= 0.99 for count in held.values()), held


def test_too_few_values_have_no_interval() -> None:
    """Instead of a narrow one."""
    assert mean_interval(np.ones(39)) is None
    assert quantile(np.array([]), 0.5) == {"value": None, "interval": None}


def test_most_at_once_is_the_highest_overlap() -> None:
    """Who ends as another comes makes room first."""
    assert most_at_once([outcome(at, latency=25_000) for at in range(5)]) == 3
    assert most_at_once([outcome(at, latency=10_000) for at in range(5)]) == 1
    assert most_at_once([]) == 0
