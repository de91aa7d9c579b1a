"""Samplers of durations: mean, variation and shape are those asked for; every draw is a whole microsecond."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import TypeAdapter
from scipy import stats

from akstwin.domain.profile import Distribution, Empirical, ModelProfile
from akstwin.sim.distributions import sampler_of, weibull_shape
from akstwin.sim.streams import generator

COUNT = 200_000
CASES = [
    ("uniform", 0.0),
    ("uniform", 0.3),
    ("exponential", 1.0),
    ("lognormal", 0.0),
    ("lognormal", 0.2),
    ("lognormal", 1.5),
    ("gamma", 0.3),
    ("gamma", 2.0),
    ("weibull", 0.1),
    ("weibull", 1.0),
    ("weibull", 2.5),
]


def _distribution(kind: str, mean: str, cv: float) -> Distribution:
    written: dict[str, object] = {"distribution": kind, "mean": mean}
    if kind not in ("constant", "exponential"):
        written["cv"] = cv
    adapter: TypeAdapter[Distribution] = TypeAdapter(Distribution)
    return adapter.validate_python(written)


def _sample(distribution: Distribution, count: int = COUNT, seed: int = 1) -> npt.NDArray[np.int64]:
    return sampler_of(distribution)(generator(seed, 1, "test"), count)


@pytest.mark.parametrize(("kind", "cv"), CASES)
def test_mean_and_variation_are_those_asked_for(kind: str, cv: float) -> None:
    """Mean and coefficient of variation lie within their own 99.99 per cent intervals."""
    values = _sample(_distribution(kind, "80ms", cv)).astype(float)
    mean, spread = values.mean(), values.std()
    assert abs(mean - 80_000) <= 3.9 * spread / np.sqrt(COUNT) + 0.5
    squares = (values - mean) ** 2
    error = 3.9 * squares.std() / np.sqrt(COUNT) + 1
    assert abs(spread**2 - (80_000 * cv) ** 2) <= error
    assert cv == 0 or error < 0.5 * (80_000 * cv) ** 2, "the interval says something"


@pytest.mark.parametrize(
    ("kind", "cv", "frozen"),
    [
        ("uniform", 0.3, stats.uniform(80_000 * (1 - 0.3 * 3**0.5), 2 * 80_000 * 0.3 * 3**0.5)),
        ("exponential", 1.0, stats.expon(scale=80_000)),
        ("lognormal", 0.6, stats.lognorm(np.sqrt(np.log1p(0.36)), scale=80_000 / np.sqrt(1.36))),
        ("gamma", 0.5, stats.gamma(4, scale=20_000)),
        ("weibull", 1.0, stats.expon(scale=80_000)),
    ],
)
def test_the_shape_is_the_one_named(kind: str, cv: float, frozen: stats.distributions.rv_frozen) -> None:
    """A Kolmogorov-Smirnov test of 20,000 draws against scipy's distribution of that name."""
    values = _sample(_distribution(kind, "80ms", cv), 20_000)
    assert stats.kstest(values, frozen.cdf).pvalue > 1e-3


@pytest.mark.parametrize("cv", [0.02, 0.1, 0.5, 1.0, 2.0, 5.0, 20.0])
def test_the_weibull_shape_has_the_variation(cv: float) -> None:
    """The shape that is solved for gives back the coefficient of variation."""
    shape = weibull_shape(cv)
    mean, variance = stats.weibull_min(shape).stats("mv")
    assert np.sqrt(variance) / mean == pytest.approx(cv, rel=1e-6)


def test_a_constant_is_the_same_everywhere() -> None:
    """A plain duration is drawn as itself, to the microsecond."""
    service = ModelProfile.model_validate({"service_time": "81.234567ms"}).service_time
    assert set(_sample(service, 5000).tolist()) == {81_235}


@pytest.mark.parametrize("kind", ["constant", "uniform", "exponential", "lognormal", "gamma", "weibull"])
@pytest.mark.parametrize("mean", ["0us", "1us"])
def test_nothing_takes_less_than_a_microsecond(kind: str, mean: str) -> None:
    """However short a mean was asked for, every draw is at least 1 µs and whole."""
    values = _sample(_distribution(kind, mean, 0.5), 5000)
    assert values.dtype == np.int64
    assert values.min() == 1


@pytest.mark.parametrize(("drawn", "expected"), [(2.5, 2), (3.5, 4), (0.4, 1), (1.5, 2), (7.4999, 7)])
def test_halves_go_to_the_even_microsecond(monkeypatch: pytest.MonkeyPatch, drawn: float, expected: int) -> None:
    """Draws are rounded half to even, and then raised to 1 at least."""
    real: Callable[[object], object] = lambda _: lambda _rng, count: np.full(count, drawn)  # noqa: E731
    monkeypatch.setattr("akstwin.sim.distributions._draw", real)
    assert _sample(_distribution("constant", "1s", 0), 1).tolist() == [expected]


def test_measured_values_are_drawn_alike() -> None:
    """An empirical distribution draws each of its values about as often, and no other."""
    values = Empirical(distribution="empirical", file="x.csv", values=(1, 20, 20, 300))  # type: ignore[arg-type]
    found, counts = np.unique(_sample(values, 40_000), return_counts=True)
    assert found.tolist() == [1, 20, 300]
    assert np.abs(counts - np.array([10_000, 20_000, 10_000])).max() < 400
