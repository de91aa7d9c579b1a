"""The sequential tests: what they promise is computed exactly where that is possible, and drawn where it is not."""

from itertools import product
from math import comb, exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import betaln

from akstwin.policies.statistics import (
    ODDS_RATIOS,
    PRIOR,
    Counts,
    Worse,
    difference_below,
    log_e_above,
    lower,
    upper,
)

SHARES = (0.0, 0.002, 0.01, 0.1, 0.5, 0.9, 1.0)


def _mean(before: Worse, version: int, control: int, mine: float, theirs: float) -> float:
    """The mean of the e-process after one more block, over all ways that it can come out, relative to before."""
    found = 0.0
    for bad, base in product(range(version + 1), range(control + 1)):
        chance = comb(version, bad) * mine**bad * (1 - mine) ** (version - bad)
        chance *= comb(control, base) * theirs**base * (1 - theirs) ** (control - base)
        if chance:
            found += chance * exp(before.add(Counts(version, bad), Counts(control, base)).log_e)
    return found / exp(before.log_e)


@pytest.mark.parametrize(
    "before", [Worse(), Worse().add(Counts(300, 2), Counts(2000, 9)), Worse().add(Counts(9, 9), Counts(4, 0))]
)
@pytest.mark.parametrize("sizes", [(1, 1), (3, 7), (6, 2)])
def test_the_mean_is_at_most_one_while_the_version_is_not_worse(before: Worse, sizes: tuple[int, int]) -> None:
    """For every common share, and where the version is better: what Ville's inequality needs, block after block."""
    for theirs in SHARES:
        for mine in (share for share in SHARES if share <= theirs):
            assert _mean(before, *sizes, mine, theirs) <= 1 + 1e-9


def test_the_mean_grows_where_the_version_is_worse() -> None:
    """So that evidence comes in."""
    known = Worse().add(Counts(200, 1), Counts(2000, 10))
    assert _mean(known, 8, 8, 0.05, 0.005) > 1.05


def test_the_alternatives_are_averaged() -> None:
    """By hand: one block, the baseline at its prior."""
    worse = Worse().add(Counts(20, 3), Counts(80, 1))
    base, values = 1 / 200, []
    for ratio in ODDS_RATIOS:
        odds = ratio * base / (1 - base)
        share = odds / (1 + odds)
        pooled = (20 * share + 80 * base) / 100
        value = (share / pooled) ** 3 * ((1 - share) / (1 - pooled)) ** 17
        values.append(value * (base / pooled) * ((1 - base) / (1 - pooled)) ** 79)
    assert worse.log_e == pytest.approx(log(sum(values) / len(values)))


def test_a_block_without_a_control_says_nothing() -> None:
    """There is nothing to compare with."""
    assert Worse().add(Counts(100, 50), Counts()) == Worse()
    assert Worse().add(Counts(), Counts(100, 50)) == Worse()


@given(st.integers(0, 3000), st.integers(0, 3000), st.sampled_from([0.01, 0.05, 0.2]))
def test_bounds_are_where_the_martingale_crosses(good: int, bad: int, alpha: float) -> None:
    """Against scipy's own beta function and root finder."""
    counts, (a, b) = Counts(good + bad, bad), PRIOR

    def above(share: float) -> float:
        mixed = betaln(a + bad, b + good) - betaln(a, b)
        return float(mixed - bad * np.log(share) - good * np.log1p(-share) + np.log(alpha))

    middle = (bad + 0.5) / (good + bad + 1)
    high, low = upper(counts, alpha), lower(counts, alpha)
    assert 0 <= low <= bad / max(1, good + bad) <= high <= 1
    if above(middle) < 0 < above(1 - 1e-12):
        assert high == pytest.approx(brentq(above, middle, 1 - 1e-12), rel=1e-6)
    if bad and good and above(1e-12) > 0 > above(bad / (good + bad)):
        assert low == pytest.approx(brentq(above, 1e-12, bad / (good + bad)), rel=1e-6)


def test_bounds_hold_at_all_looks_together() -> None:
    """200 sequences of 60 looks: the share leaves its bounds in no more than α of them, drawing error aside."""
    rng = np.random.default_rng(7)
    alpha, share, outside = 0.1, 0.01, 0
    for _ in range(200):
        counts = Counts()
        for sent in rng.poisson(300, 60):
            counts += Counts(int(sent), int(rng.binomial(sent, share)))
            if not lower(counts, alpha / 2) <= share <= upper(counts, alpha / 2):
                outside += 1
                break
    assert outside <= 200 * alpha + 3 * (200 * alpha * (1 - alpha)) ** 0.5
    assert outside > 0, "bounds that never fail are wider than they need be"


def test_a_difference_is_bounded_by_both() -> None:
    """More answers, a smaller bound; it lies over what was seen."""
    few = difference_below(Counts(200, 1), Counts(1800, 9), 0.05)
    many = difference_below(Counts(20_000, 100), Counts(180_000, 900), 0.05)
    assert 0 < many < 0.003 < few < 0.06


def test_a_ceiling_is_tested_by_itself() -> None:
    """At the ceiling the mean is one; far above it grows; beyond every doubt where the ceiling is nothing."""
    mean = sum(
        comb(12, bad) * 0.1**bad * 0.9 ** (12 - bad) * exp(log_e_above(Counts(12, bad), 0.1)) for bad in range(13)
    )
    assert mean == pytest.approx(1)
    assert log_e_above(Counts(240, 12), 0.01) > log(20)
    assert log_e_above(Counts(240, 12), 1.0) == 0
    assert log_e_above(Counts(10, 0), 0.0) == 0
    assert log_e_above(Counts(10, 1), 0.0) == float("inf")
