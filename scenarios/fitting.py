"""Distributions fitted to measured durations: by maximum likelihood, chosen by a stated criterion.

Of the families that a scenario knows, the one with the least Bayesian information criterion (BIC) is best. It is taken if its
distribution function is nowhere further from that of the rows than 0.03 plus 1.63/√n, the 1 % point of Kolmogorov's test, and its
mean is within 5 % of theirs; else the rows themselves are the distribution (`empirical`). Durations that hardly vary, by a
coefficient of variation of at most 0.02, are `constant`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, log, sqrt
from typing import Any, Final

import numpy as np
from scipy import optimize, special, stats

Values = np.ndarray[Any, np.dtype[np.float64]]
_STEADY: Final = 0.02
_APART: Final = 0.03
_KOLMOGOROV: Final = 1.63
_MEANS_APART: Final = 0.05
_RESAMPLES: Final = 200
_RESAMPLED: Final = 5000
_LEAST: Final = 20
"""Values; of fewer no distribution is told."""


@dataclass(frozen=True, slots=True)
class Family:
    """A family fitted to values.

    Attributes:
        name: as in a scenario.
        mean: of the fitted distribution, in the values' unit.
        cv: its coefficient of variation.
        bic: Bayesian information criterion; less is better.
        distance: largest difference from the values' distribution function.
    """

    name: str
    mean: float
    cv: float
    bic: float
    distance: float


@dataclass(frozen=True, slots=True)
class Fit:
    """What durations are like.

    Attributes:
        distribution: the family that is taken, or constant, or empirical.
        mean: of it; of an empirical one the values'.
        cv: likewise.
        mean_interval: at 95 %.
        cv_interval: likewise.
        tried: all families, the best first.
        limit: the distance up to which a family is taken.
    """

    distribution: str
    mean: float
    cv: float
    mean_interval: tuple[float, float]
    cv_interval: tuple[float, float]
    tried: tuple[Family, ...]
    limit: float


def enough(values: Values) -> bool:
    """Whether there are values enough to tell a distribution."""
    return len(values) >= _LEAST


def fit(values: Values, seed: int) -> Fit:
    """Fit all families and choose.

    Args:
        values: durations above zero; at least twenty.
        seed: of the resampling that the intervals come from.
    """
    mean, cv = _moments(values)
    limit = _APART + _KOLMOGOROV / sqrt(len(values))
    if cv <= _STEADY:
        intervals = _intervals(values, _moments, seed)
        return Fit("constant", mean, cv, *intervals, (), limit)
    ordered = np.sort(values)
    tried = sorted((_fitted(name, ordered) for name in _FAMILIES), key=lambda each: each.bic)
    best = tried[0]
    if best.distance <= limit and abs(best.mean - mean) <= _MEANS_APART * mean:
        estimate = _FAMILIES[best.name][0]
        return Fit(best.name, best.mean, best.cv, *_intervals(values, estimate, seed), tuple(tried), limit)
    return Fit("empirical", mean, cv, *_intervals(values, _moments, seed), tuple(tried), limit)


def _moments(values: Values) -> tuple[float, float]:
    mean = float(np.mean(values))
    return mean, float(np.std(values)) / mean


def _intervals(
    values: Values, estimate: Callable[[Values], tuple[float, float]], seed: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    """95 % intervals of mean and cv by the bootstrap; of many values a part is drawn, and its spread scaled down."""
    draws = np.random.Generator(np.random.Philox(key=seed))
    size = min(len(values), _RESAMPLED)
    found = np.array([estimate(values[draws.integers(0, len(values), size)]) for _ in range(_RESAMPLES)])
    scale = sqrt(size / len(values))
    ends = []
    for center, each in zip(estimate(values), found.T, strict=True):
        low, high = np.quantile(each, (0.025, 0.975))
        middle = float(np.median(each))
        ends.append((max(0.0, center + scale * (float(low) - middle)), center + scale * (float(high) - middle)))
    return ends[0], ends[1]


def _fitted(name: str, ordered: Values) -> Family:
    estimate, frozen, parameters = _FAMILIES[name]
    mean, cv = estimate(ordered)
    found = frozen(mean, cv)
    likelihood = float(np.sum(found.logpdf(ordered)))
    below = found.cdf(ordered)
    number = len(ordered)
    steps = np.arange(number + 1) / number
    distance = float(max(np.max(steps[1:] - below), np.max(below - steps[:-1])))
    return Family(name, mean, cv, parameters * log(number) - 2 * likelihood, distance)


# -- maximum likelihood, as mean and coefficient of variation


def _exponential(values: Values) -> tuple[float, float]:
    return float(np.mean(values)), 1.0


def _lognormal(values: Values) -> tuple[float, float]:
    logs = np.log(values)
    variance = float(np.var(logs))
    return exp(float(np.mean(logs)) + variance / 2), sqrt(special.expm1(variance))


def _gamma(values: Values) -> tuple[float, float]:
    mean = float(np.mean(values))
    gap = log(mean) - float(np.mean(np.log(values)))
    if gap <= 1e-9:
        return mean, 1e-3
    shape = optimize.brentq(lambda k: log(k) - special.digamma(k) - gap, 1e-3, 1e7)
    return mean, 1 / sqrt(shape)


def _weibull(values: Values) -> tuple[float, float]:
    scaled = values / float(np.max(values))
    logs = np.log(scaled)
    middle = float(np.mean(logs))

    def slope(shape: float) -> float:
        powers = scaled**shape
        return float(np.sum(powers * logs) / np.sum(powers)) - 1 / shape - middle

    shape = optimize.brentq(slope, 0.05, 500.0)
    scale = float(np.max(values)) * float(np.mean(scaled**shape)) ** (1 / shape)
    return scale * float(special.gamma(1 + 1 / shape)), _weibull_cv(shape)


def _weibull_cv(shape: float) -> float:
    first, second = special.gammaln(1 + 1 / shape), special.gammaln(1 + 2 / shape)
    return sqrt(special.expm1(second - 2 * first))


def _frozen_lognormal(mean: float, cv: float) -> Any:
    sigma = sqrt(log(1 + cv * cv))
    return stats.lognorm(sigma, scale=mean / sqrt(1 + cv * cv))


def _frozen_gamma(mean: float, cv: float) -> Any:
    return stats.gamma(1 / cv**2, scale=mean * cv**2)


def _frozen_weibull(mean: float, cv: float) -> Any:
    shape = optimize.brentq(lambda k: _weibull_cv(k) - cv, 0.05, 500.0)
    return stats.weibull_min(shape, scale=mean / float(special.gamma(1 + 1 / shape)))


_FAMILIES: Final[dict[str, tuple[Callable[[Values], tuple[float, float]], Callable[[float, float], Any], int]]] = {
    "exponential": (_exponential, lambda mean, _: stats.expon(scale=mean), 1),
    "lognormal": (_lognormal, _frozen_lognormal, 2),
    "gamma": (_gamma, _frozen_gamma, 2),
    "weibull": (_weibull, _frozen_weibull, 2),
}
"""Of each: its estimate, the distribution with a mean and cv, and the number of its parameters."""
