"""A rate that changes in steps, found in recorded instants: as few steps as explain how many requests came when."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

Ints = np.ndarray[Any, np.dtype[Any]]
_WIDTHS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
"""Seconds: what people put on a clock."""
_MOST_BINS: Final = 336
_LEAST_REQUESTS: Final = 20
"""Requests in a stretch, on average: fewer tell no rate."""
_SECOND: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class RateSteps:
    """A profile of rates.

    Attributes:
        at: where each step begins, seconds from the first request.
        rate: of each, requests per second.
        width: of the stretches that requests were counted in, seconds.
        dispersion: variance of the counts within steps over their mean: 1 where requests come independently of each other.
    """

    at: tuple[int, ...]
    rate: tuple[float, ...]
    width: int
    dispersion: float | None


def rate_steps(instants: Ints, weights: Ints, span: int) -> RateSteps:
    """Find the steps.

    Requests are counted in stretches of equal width. Of all ways to join neighbouring stretches, the one is taken with the
    least Poisson deviance plus a penalty of 3 ln(stretches) for each step, which finds none where the rate does not change.

    Args:
        instants: µs from the first request, in order.
        weights: requests that each stands for.
        span: of the log, µs, at least up to the last instant.
    """
    total = int(weights.sum())
    seconds = max(1, -(-span // _SECOND))
    wide = max(seconds / _MOST_BINS, _LEAST_REQUESTS * seconds / total)
    width = next((each for each in _WIDTHS if each >= wide), _WIDTHS[-1])
    width = min(width, seconds)
    bins = -(-seconds // width)
    counts = np.bincount(np.minimum(instants // (width * _SECOND), bins - 1), weights=weights, minlength=bins)
    lengths = np.full(bins, float(width))
    lengths[-1] = max(span / _SECOND - width * (bins - 1), 1.0)
    starts = _partition(counts, lengths)
    ends = [*starts[1:], bins]
    rates = [float(counts[a:b].sum() / lengths[a:b].sum()) for a, b in zip(starts, ends, strict=True)]
    return RateSteps(
        tuple(int(start * width) for start in starts),
        tuple(float(f"{rate:.4g}") for rate in rates),
        width,
        _dispersion(instants, weights, starts, ends, width, span),
    )


def _partition(counts: Ints, lengths: Ints) -> list[int]:
    """Where steps begin: optimal partitioning (Jackson and others, 2005)."""
    number = len(counts)
    below, time = np.concatenate(([0.0], np.cumsum(counts))), np.concatenate(([0.0], np.cumsum(lengths)))
    penalty = 3 * np.log(max(number, 2))
    best, last = np.zeros(number + 1), np.zeros(number + 1, dtype=int)
    best[0] = -penalty
    for end in range(1, number + 1):
        count, span = below[end] - below[:end], time[end] - time[:end]
        with np.errstate(divide="ignore", invalid="ignore"):
            deviance = np.where(count > 0, -2 * count * np.log(count / span), 0.0)
        cost = best[:end] + deviance + penalty
        last[end] = int(np.argmin(cost))
        best[end] = cost[last[end]]
    starts, end = [], number
    while end > 0:
        end = int(last[end])
        starts.append(end)
    return starts[::-1]


def _dispersion(
    instants: Ints, weights: Ints, starts: list[int], ends: list[int], width: int, span: int
) -> float | None:
    """Counted in stretches that hold about ten requests, so that bursts within a step show."""
    found, degrees = 0.0, 0
    for start, end in zip(starts, ends, strict=True):
        low, high = start * width * _SECOND, min(end * width * _SECOND, span)
        inside = (instants >= low) & (instants < high)
        total = int(weights[inside].sum())
        pieces = total // 10
        if pieces < 10:
            continue
        edges = np.linspace(low, high, pieces + 1)
        counts, _ = np.histogram(instants[inside], edges, weights=weights[inside])
        mean = counts.mean()
        found += float(((counts - mean) ** 2).sum() / mean)
        degrees += pieces - 1
    return found / degrees if degrees else None
