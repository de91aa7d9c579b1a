"""The bounded histogram: exact where it says so, within 0.1 % otherwise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from akstwin.domain.histogram import Histogram

SHARES = [0.001, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0]
values = st.one_of(st.integers(0, 3000), st.integers(0, 10**12))
samples = st.lists(values, min_size=1, max_size=200)


def counted(numbers: list[int]) -> Histogram:
    """A histogram of these numbers."""
    histogram = Histogram()
    for number in numbers:
        histogram.add(number)
    return histogram


@given(value=st.integers(0, 1 << 61), times=st.integers(1, 50))
def test_equal_values_come_back_exactly(value: int, times: int) -> None:
    """A thousand answers of 80 ms have a p99 of 80 ms, not of a bucket's edge."""
    histogram = counted([value] * times)

    assert histogram.quantiles(SHARES) == [float(value)] * len(SHARES)


@given(samples)
def test_count_sum_mean_and_largest_are_exact(numbers: list[int]) -> None:
    """Only quantiles are approximate."""
    histogram = counted(numbers)

    assert (histogram.count, histogram.total, histogram.largest) == (len(numbers), sum(numbers), max(numbers))
    assert histogram.mean == sum(numbers) / len(numbers)


@given(samples)
def test_quantiles_are_the_nearest_rank_within_a_thousandth(numbers: list[int]) -> None:
    """Against numpy's inverted CDF on the raw values."""
    exact = np.quantile(np.asarray(numbers, dtype=np.int64), SHARES, method="inverted_cdf").tolist()

    assert counted(numbers).quantiles(SHARES) == pytest.approx(exact, rel=0.001, abs=0)


@given(st.lists(st.integers(0, 2047), min_size=1, max_size=300))
def test_below_two_milliseconds_every_microsecond_is_exact(numbers: list[int]) -> None:
    """Small values have a bucket each."""
    exact = np.quantile(np.asarray(numbers), SHARES, method="inverted_cdf").tolist()

    assert counted(numbers).quantiles(SHARES) == exact


def test_a_rank_is_a_count_not_a_float() -> None:
    """0.07 · 100 is 7.000000000000001 in floats; the rank is 7 all the same, as at every whole percentage."""
    histogram = Histogram()
    wrong = []
    for count in range(1, 401):
        histogram.count = count
        wrong += [
            (count, percent)
            for percent in range(1, 101)
            if histogram._rank(percent / 100) != max(1, -(-percent * count // 100))
        ]

    assert wrong == []


@given(samples, samples)
def test_merging_is_the_same_as_counting_both(left: list[int], right: list[int]) -> None:
    """Replications are pooled without loss."""
    merged = counted(left)
    merged.merge(counted(right))
    together = counted(left + right)

    assert merged._buckets == together._buckets
    assert (merged.count, merged.total, merged.largest) == (together.count, together.total, together.largest)


@given(samples)
def test_merging_leaves_the_other_as_it_was(numbers: list[int]) -> None:
    """What was merged from shares nothing with what it was merged into."""
    other, pooled = counted(numbers), Histogram()
    pooled.merge(other)
    pooled.add(numbers[0])

    assert other.quantiles(SHARES) == counted(numbers).quantiles(SHARES)


@given(samples, st.lists(st.floats(0.0001, 1.0), min_size=2, max_size=6))
def test_a_higher_share_never_has_a_lower_quantile(numbers: list[int], shares: list[float]) -> None:
    """Quantiles are in order, and stay within the values."""
    found = counted(numbers).quantiles(sorted(shares))

    assert found == sorted(found)
    assert min(numbers) <= found[0]
    assert found[-1] <= max(numbers)


def test_quantiles_come_in_the_order_asked() -> None:
    """Each answer stands where its question stood, asked once or twice."""
    histogram = counted([1, 2, 3, 4])

    assert histogram.quantiles([1.0, 0.25, 0.5, 0.25]) == [4.0, 1.0, 2.0, 1.0]
    assert histogram.quantile(0.75) == 3.0


def test_nothing_has_no_quantile_and_no_mean() -> None:
    """No zero is made up for an empty window."""
    histogram = Histogram()

    assert histogram.quantiles([0.5]) == []
    assert histogram.quantile(0.5) is None
    assert histogram.mean is None


def test_memory_does_not_grow_with_what_is_counted() -> None:
    """100,000 different values up to an hour take less than 22 · 1024 buckets, and every decade is as fine."""
    histogram = counted(list(range(0, 3_600_000_000, 36_000)))

    assert histogram.count == 100_000
    assert len(histogram._buckets) < 22 * 1024
