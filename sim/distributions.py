"""Samplers of durations: from a distribution that a user wrote to whole microseconds."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from akstwin.clock import NEVER
from akstwin.domain.profile import (
    Constant,
    Distribution,
    Empirical,
    Exponential,
    Gamma,
    Lognormal,
    Uniform,
    Weibull,
)
from akstwin.sim.streams import Generator, Sampler

_RealSampler = Callable[[Generator, int], npt.NDArray[np.float64]]


def sampler_of(distribution: Distribution) -> Sampler:
    """Durations in whole microseconds, rounded half to even, at least 1."""
    draw = _draw(distribution)

    def sample(rng: Generator, count: int) -> npt.NDArray[np.int64]:
        values = np.rint(draw(rng, count))
        np.maximum(values, 1, out=values)  # not `clip`, which takes twice as long for a block
        np.minimum(values, NEVER, out=values)
        return values.astype(np.int64)

    return sample


def _draw(distribution: Distribution) -> _RealSampler:
    mean = float(getattr(distribution, "mean", 0))
    match distribution:
        case Constant():
            return lambda _rng, count: np.full(count, mean)
        case Uniform(cv=cv):
            half = mean * cv * math.sqrt(3)
            return lambda rng, count: mean - half + 2 * half * rng.random(count)
        case Exponential():
            return lambda rng, count: mean * rng.standard_exponential(count)
        case Lognormal(cv=cv):
            variance = math.log1p(cv * cv)
            location = math.log(mean) - variance / 2 if mean else -math.inf
            return lambda rng, count: np.exp(location + math.sqrt(variance) * rng.standard_normal(count))
        case Gamma(cv=cv):
            shape = 1 / (cv * cv)
            return lambda rng, count: mean / shape * rng.standard_gamma(shape, count)
        case Weibull(cv=cv):
            shape = weibull_shape(cv)
            scale = mean / math.gamma(1 + 1 / shape)
            return lambda rng, count: scale * rng.weibull(shape, count)
        case Empirical(values=values):
            table = np.asarray(values, dtype=np.float64)
            return lambda rng, count: table[np.floor(rng.random(count) * len(table)).astype(np.int64)]


def weibull_shape(cv: float) -> float:
    """The shape of the Weibull distribution with this coefficient of variation."""
    from scipy.optimize import brentq  # noqa: PLC0415 - the slowest import of all, for a rare distribution
    from scipy.special import gammaln  # noqa: PLC0415

    def gap(log_shape: float) -> float:
        k = math.exp(log_shape)
        return float(gammaln(1 + 2 / k) - 2 * gammaln(1 + 1 / k)) - math.log1p(cv * cv)

    return math.exp(brentq(gap, math.log(0.05), math.log(200.0), xtol=1e-13))
