"""Sequential tests of two shares that may be looked at as often as one likes.

An e-process is at most 1 on average while nothing is wrong, however often it is looked at; so it reaches 1 / α with probability
α at most (Ville's inequality). `Worse` is the product of e-variables of two proportions, one for each block of answers
(Turner, Ly and Grünwald, Journal of Statistical Planning and Inference 230, 2024), averaged over odds ratios from 1.5 to 10;
the baseline's share is plugged in from what was seen before the block. `upper` and `lower` are the bounds of Robbins'
beta-binomial confidence sequence: they hold at all looks together.

What is assumed: answers are independent, and how many of them a block has does not depend on how they come out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, lgamma, log, log1p
from typing import Final

ODDS_RATIOS: Final = (1.5, 2.0, 3.0, 5.0, 10.0)
"""How many times worse the version may be: the alternatives that are averaged."""
PRIOR: Final = (1.0, 200.0)
"""The beta distribution that the bounds' martingale mixes over: tightest for bad shares of some half per cent."""
_TINY: Final = 1e-12
_HALVINGS: Final = 60
_BEFORE: Final = 200
"""Answers' worth of prior opinion about the baseline's share: one of them bad."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Answers, and how many of them were bad."""

    answers: int = 0
    bad: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.answers + other.answers, self.bad + other.bad)

    @property
    def share(self) -> float:
        """The bad share; 0 of nothing."""
        return self.bad / self.answers if self.answers else 0.0


@dataclass(frozen=True, slots=True)
class Worse:
    """Evidence that a version's bad share is greater than its baseline's.

    Attributes:
        version: all blocks of the version.
        control: all blocks of the baseline.
        logs: logarithm of the product of e-variables, by alternative.
    """

    version: Counts = Counts()
    control: Counts = Counts()
    logs: tuple[float, ...] = (0.0,) * len(ODDS_RATIOS)

    def add(self, version: Counts, control: Counts) -> "Worse":
        """With one more block: answers of both over the same time."""
        if not version.answers or not control.answers:
            return self  # no comparison
        known = (self.control.bad + 1) / (self.control.answers + _BEFORE)
        logs = tuple(
            before + _log_e(version, control, known, ratio)
            for before, ratio in zip(self.logs, ODDS_RATIOS, strict=True)
        )
        return Worse(self.version + version, self.control + control, logs)

    @property
    def log_e(self) -> float:
        """Logarithm of the e-process."""
        return _log_mean(self.logs)


def _log_e(version: Counts, control: Counts, baseline: float, ratio: float) -> float:
    """The e-variable of one block against one alternative: odds `ratio` times the baseline's.

    It stays one where the version is better than the baseline: its mean falls with the version's share.
    """
    odds = ratio * baseline / (1 - baseline)
    worse = odds / (1 + odds)
    pooled = (version.answers * worse + control.answers * baseline) / (version.answers + control.answers)
    return (
        version.bad * log(worse / pooled)
        + (version.answers - version.bad) * (log1p(-worse) - log1p(-pooled))
        + control.bad * log(baseline / pooled)
        + (control.answers - control.bad) * (log1p(-baseline) - log1p(-pooled))
    )


def log_e_above(counts: Counts, ceiling: float) -> float:
    """Logarithm of an e-process against "the bad share is `ceiling` at most": averaged over larger odds, as `Worse`."""
    if not counts.answers or ceiling >= 1:
        return 0.0
    if ceiling <= 0:
        return inf if counts.bad else 0.0
    logs = []
    for ratio in ODDS_RATIOS:
        odds = ratio * ceiling / (1 - ceiling)
        larger = odds / (1 + odds)
        logs.append(
            counts.bad * log(larger / ceiling) + (counts.answers - counts.bad) * (log1p(-larger) - log1p(-ceiling))
        )
    return _log_mean(logs)


def upper(counts: Counts, alpha: float, prior: tuple[float, float] = PRIOR) -> float:
    """A bound that the bad share lies under at all looks, with probability 1 - α.

    Args:
        counts: all answers so far.
        alpha: how often it may fail.
        prior: the beta distribution that is mixed over: where the bound is tight, not whether it holds.
    """
    start = (counts.bad + 0.5) / (counts.answers + 1)
    return _crossing(counts, alpha, prior, start, 1 - _TINY, otherwise=1.0)


def lower(counts: Counts, alpha: float, prior: tuple[float, float] = PRIOR) -> float:
    """A bound that the bad share lies over at all looks, with probability 1 - α."""
    if not counts.bad:
        return 0.0
    start = counts.bad / counts.answers
    return _crossing(counts, alpha, prior, _TINY, min(start, 1 - _TINY), otherwise=0.0)


def _crossing(
    counts: Counts, alpha: float, prior: tuple[float, float], low: float, high: float, otherwise: float
) -> float:
    """Where the mixture's martingale comes to 1 / α between two shares, one of them inside the bounds."""
    a, b = prior
    good = counts.answers - counts.bad
    mixed = _log_beta(a + counts.bad, b + good) - _log_beta(a, b)

    def above(share: float) -> bool:
        return mixed - counts.bad * log(share) - good * log1p(-share) + log(alpha) > 0

    if above(low) == above(high):
        return otherwise
    outside = above(high)  # whether it is the upper end that lies outside
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if above(middle) == outside:
            high = middle
        else:
            low = middle
    return high if outside else low


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)


def _log_mean(logs: Sequence[float]) -> float:
    """Logarithm of the mean of numbers whose logarithms are given."""
    largest = max(logs)
    return largest + log(sum(exp(each - largest) for each in logs) / len(logs))


def difference_below(version: Counts, control: Counts, alpha: float) -> float:
    """A bound that the version's bad share minus the control's lies under at all looks, with probability 1 - α."""
    return upper(version, alpha / 2) - lower(control, alpha / 2)


def e_value(log_e: float) -> float:
    """The e-value, as it is shown: endless beyond what a float holds."""
    return exp(log_e) if log_e < 700 else inf
