"""Intervals from replications: against closed forms, and against each other."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from akstwin.domain.histogram import Histogram
from akstwin.scenarios.intervals import mean_interval, quantile_interval, ratio_interval, share_interval


def histograms(samples: list[list[int]]) -> list[Histogram]:
    """One a replication."""
    found = []
    for sample in samples:
        each = Histogram()
        for value in sample:
            each.add(value)
        found.append(each)
    return found


def test_a_mean_is_students() -> None:
    """As scipy has it."""
    values = [3.0, 4.0, 8.0, 1.0, 7.0]
    low, high = mean_interval(values, 0.98)
    expected = stats.t.interval(0.98, 4, np.mean(values), stats.sem(values))
    assert (low, high) == pytest.approx(expected)


def test_a_ratio_with_equal_bottoms_is_a_mean() -> None:
    """Sums over the same number of requests each."""
    tops = [30.0, 40.0, 80.0]
    assert ratio_interval(tops, [10.0] * 3, 0.95) == pytest.approx(mean_interval([3.0, 4.0, 8.0], 0.95))


def test_shares_that_do_not_vary_are_clopper_and_pearsons() -> None:
    """Where replications agree to the request, all requests count."""
    low, high = share_interval([3] * 10, [100] * 10, 0.95)
    exact = stats.binomtest(30, 1000).proportion_ci(0.95)
    assert (low, high) == pytest.approx((exact.low, exact.high))


def test_where_no_request_fails_the_rule_of_three_holds() -> None:
    """Not one of 3,000: at most 3.7 of them, at 97.5 per cent from one side."""
    low, high = share_interval([0] * 10, [300] * 10, 0.95)
    assert low == 0
    assert high == pytest.approx(-math.log(0.025) / 3000, rel=0.01)


def test_bursts_tell_less_than_single_requests() -> None:
    """Forty failures in one replication leave the share open; four in each do not."""
    burst, even = [40] + [0] * 9, [4] * 10
    wide, narrow = (share_interval(hits, [1000] * 10, 0.95) for hits in (burst, even))
    assert wide[0] < narrow[0] < 0.004 < narrow[1] < wide[1]


def test_few_refusals_are_no_more_independent_than_long_waits() -> None:
    """Waits that are long in one replication alone say that requests hang together."""
    calm = histograms([[0] * 999 + [5]] * 10)
    storm = histograms([[0] * 1000] * 9 + [[0] * 900 + [10**5] * 100])
    one, other = (share_interval([0] * 10, [1000] * 10, 0.95, waits) for waits in (calm, storm))
    assert one[0] == other[0] == 0
    assert other[1] > 3 * one[1]


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_a_quantile_and_the_share_beyond_a_value_never_contradict_each_other(share: float) -> None:
    """The interval ends where the share beyond is no longer significantly too large or too small."""
    rng = np.random.default_rng(4)
    samples = [(rng.exponential(scale, 500)).astype(int).tolist() for scale in rng.uniform(800, 1200, 10)]
    low, high = quantile_interval(histograms(samples), share, 0.95)
    assert high is not None
    middle = float(np.quantile(np.concatenate(samples), share))
    assert low < middle < high
    for value, side in ((low - 1.5, 1), (high + 1.5, -1)):
        ends = share_interval([sum(each > value for each in sample) for sample in samples], [500] * 10, 0.95)
        assert ends[0] > 1 - share - 0.01 * (1 - share) if side > 0 else ends[1] < 1 - share + 0.01 * (1 - share)


def test_too_few_requests_leave_the_upper_end_open() -> None:
    """Of three hundred, none says what one in a thousand exceeds."""
    samples = [list(range(1, 31)) for _ in range(10)]
    low, high = quantile_interval(histograms(samples), 0.999, 0.95)
    assert low > 20
    assert high is None


def test_latencies_that_are_all_the_same_have_no_width() -> None:
    """103 ms is 103 ms."""
    assert quantile_interval(histograms([[103_000] * 400] * 10), 0.95, 0.95) == (103_000, 103_000)


@given(
    st.lists(st.lists(st.integers(0, 10**7), min_size=1, max_size=30), min_size=2, max_size=6),
    st.sampled_from([0.5, 0.95]),
)
def test_a_quantile_interval_holds_the_quantile(samples: list[list[int]], share: float) -> None:
    """Whatever was measured."""
    measured = histograms(samples)
    pool = Histogram()
    for each in measured:
        pool.merge(each)
    value = pool.quantile(share)
    low, high = quantile_interval(measured, share, 0.95)
    assert value is not None
    assert low <= value
    assert high is None or value <= high


@given(st.lists(st.integers(0, 50), min_size=2, max_size=12))
def test_a_share_interval_holds_the_share_and_stays_within_0_and_1(hits: list[int]) -> None:
    """Whatever was counted."""
    low, high = share_interval(hits, [50] * len(hits), 0.95)
    assert 0 <= low <= sum(hits) / (50 * len(hits)) <= high <= 1


@given(st.lists(st.integers(0, 1 << 40), max_size=50))
def test_buckets_hold_everything_in_order(values: list[int]) -> None:
    """Counts and sums are the histogram's own."""
    each = histograms([values])[0]
    found = each.buckets()
    assert [key for key, _, _ in found] == sorted({key for key, _, _ in found})
    assert sum(count for _, count, _ in found) == len(values)
    assert sum(total for _, _, total in found) == sum(values)
