"""Arrivals: each shape's instants, and how entries are merged."""

from itertools import islice, pairwise, takewhile

import numpy as np
import pytest
from scipy import stats

from akstwin.clock import SECOND, Micros
from akstwin.domain.workload import Arrivals, ConstantArrivals, PoissonArrivals, StepArrivals, TraceArrivals
from akstwin.sim.load.arrivals import instants, merged
from akstwin.sim.streams import generator


def _until(arrivals: Arrivals, seconds: float, *, seed: int = 1, replication: int = 1, entry: int = 0) -> list[int]:
    return list(takewhile(lambda at: at < seconds * SECOND, instants(arrivals, seed, replication, entry)))


def _steps(rates: list[float], at: list[str]) -> StepArrivals:
    return StepArrivals.model_validate({"shape": "steps", "rate": rates, "at": at})


def test_constant_arrivals_come_one_gap_apart() -> None:
    """The first request comes one gap after the start, every further one another gap later."""
    assert _until(ConstantArrivals(shape="constant", rate=4), 1.3) == [250_000, 500_000, 750_000, 1_000_000, 1_250_000]


def test_a_gap_that_is_no_whole_microsecond_is_rounded_once() -> None:
    """A third of a second is 333,333 µs every time."""
    assert list(islice(instants(ConstantArrivals(shape="constant", rate=3), 1, 1, 0), 3)) == [333_333, 666_666, 999_999]


def test_poisson_counts_are_poisson() -> None:
    """Counts per second have mean and variance equal to the rate, and the whole count lies within four deviations."""
    seconds = 2_000
    found = np.array(_until(PoissonArrivals(shape="poisson", rate=40), seconds))
    counts = np.bincount(found // SECOND, minlength=seconds)
    assert abs(counts.sum() - 40 * seconds) < 4 * np.sqrt(40 * seconds)
    dispersion = counts.var(ddof=1) / counts.mean()
    assert abs(dispersion - 1) < 4 * np.sqrt(2 / seconds)


def test_poisson_gaps_are_exponential() -> None:
    """A Kolmogorov-Smirnov test of 20,000 gaps, and neighbouring gaps are not correlated."""
    found = np.array(list(islice(instants(PoissonArrivals(shape="poisson", rate=40), 3, 1, 0), 20_001)))
    gaps = np.diff(found)
    assert stats.kstest(gaps, stats.expon(scale=25_000).cdf).pvalue > 1e-3
    assert abs(np.corrcoef(gaps[:-1], gaps[1:])[0, 1]) < 4 / np.sqrt(len(gaps))


def test_gaps_are_drawn_by_number_rounded_half_to_even_and_summed() -> None:
    """The n-th gap is the n-th number of the entry's stream at the rate, in whole microseconds, across blocks."""
    unit = np.concatenate([generator(5, 2, "arrivals", "3", block).standard_exponential(1024) for block in range(3)])
    expected = np.cumsum(np.rint(unit / (7 / SECOND)).astype(np.int64))
    assert list(islice(instants(PoissonArrivals(shape="poisson", rate=7), 5, 2, 3), 3 * 1024)) == expected.tolist()


def test_each_step_has_its_own_rate() -> None:
    """Counts of every segment are Poisson with that segment's rate; before the first instant there is nothing."""
    found = np.array(_until(_steps([40, 400, 0, 20], ["100s", "600s", "800s", "1000s"]), 2_000)) / SECOND
    for low, high, rate in ((0, 100, 0), (100, 600, 40), (600, 800, 400), (800, 1000, 0), (1000, 2000, 20)):
        count = int(((found >= low) & (found < high)).sum())
        mean = rate * (high - low)
        assert abs(count - mean) <= 4 * np.sqrt(mean)


def test_a_gap_over_a_step_goes_on_at_the_new_rate() -> None:
    """Steps of equal rates are the plain Poisson process, to the microsecond of rounding at each step."""
    plain = _until(PoissonArrivals(shape="poisson", rate=40), 300)
    stepped = _until(_steps([40, 40, 40], ["0s", "100s", "200s"]), 300)
    assert len(plain) == len(stepped)
    assert max(abs(one - other) for one, other in zip(plain, stepped, strict=True)) <= 2


def test_gaps_within_steps_are_exponential() -> None:
    """Time changed by the rate, arrivals over many steps are one Poisson process: a Kolmogorov-Smirnov test of its gaps."""
    rates = [40.0, 400.0] * 200
    at = [f"{number}s" for number in range(400)]
    found = np.array(_until(_steps(rates, at), 400)) / SECOND
    whole = np.floor(found).astype(int)
    done = np.concatenate([[0], np.cumsum(rates)])
    changed = done[whole] + (found - whole) * np.array(rates)[whole]
    assert stats.kstest(np.diff(changed), stats.expon().cdf).pvalue > 1e-3


def test_a_last_rate_of_nothing_ends_the_entry() -> None:
    """Traffic that stops for good ends its iterator instead of waiting for ever."""
    found = list(instants(_steps([40, 0], ["0s", "10s"]), 1, 1, 0))
    assert found
    assert found[-1] < 10 * SECOND
    assert list(instants(_steps([0], ["0s"]), 1, 1, 0)) == []


def test_a_rate_of_nothing_first_is_passed_over() -> None:
    """A first step without traffic moves the process to where traffic begins, with the same gaps."""
    shifted = _until(_steps([0, 40], ["0s", "50s"]), 60)
    plain = _until(PoissonArrivals(shape="poisson", rate=40), 10)
    assert shifted == [at + 50 * SECOND for at in plain]


def test_instants_never_go_back() -> None:
    """At the highest rate there is, several come at one microsecond, and none goes back in time."""
    found = list(islice(instants(PoissonArrivals(shape="poisson", rate=1e5), 1, 1, 0), 50_000))
    assert all(later >= earlier for earlier, later in pairwise(found))
    assert len(set(found)) < len(found)
    # A gap of 10 µs on average, rounded, is shorter by 1/2400 only: exp(-1/20) / (1 - exp(-1/10)).
    assert found[-1] / 50_000 == pytest.approx(np.exp(-0.05) / (1 - np.exp(-0.1)), rel=0.02)


def test_a_trace_is_taken_as_it_is() -> None:
    """Recorded instants come back unchanged, equal ones too."""
    recorded = (Micros(0), Micros(5), Micros(5), Micros(900))
    assert list(instants(TraceArrivals(shape="trace", file="x.csv", instants=recorded), 1, 1, 0)) == list(recorded)


def test_entries_are_merged_by_time_then_entry() -> None:
    """At one instant the entry written first comes first; numbers count within each entry."""
    one = TraceArrivals(shape="trace", file="a.csv", instants=(Micros(10), Micros(30), Micros(30)))
    two = TraceArrivals(shape="trace", file="b.csv", instants=(Micros(10), Micros(20), Micros(30)))
    assert list(merged([one, two], 1, 1)) == [
        (10, 0, 0), (10, 1, 0), (20, 1, 1), (30, 0, 1), (30, 0, 2), (30, 1, 2),
    ]  # fmt: skip
    assert list(merged([], 1, 1)) == []


def test_an_entry_does_not_disturb_another() -> None:
    """The arrivals of an entry are the same alone and beside others; other replications and seeds have others."""
    poisson = PoissonArrivals(shape="poisson", rate=40)
    alone = list(islice(merged([poisson], 1, 1), 500))
    beside = [arrival for arrival in islice(merged([poisson, poisson], 1, 1), 1200) if arrival[1] == 0][:500]
    assert beside == alone
    instants_alone = {at for at, _, _ in alone}
    for other in ((1, 2), (2, 1)):
        assert len(instants_alone & {at for at, _, _ in islice(merged([poisson], *other), 500)}) < 5, "by chance only"
