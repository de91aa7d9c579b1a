"""Intervals from independent replications: of means, of ratios, of shares and of quantiles.

Each replication is a cluster of requests that depend on each other; replications do not. So every interval rests on what
replications differ by, with Student's t for their number:

- a mean per request is a ratio of two sums (of latencies and of requests), linearised;
- a share is such a ratio too; near 0 and 1, where it is skewed, its ends are Clopper and Pearson's for the number of
  independent requests that would vary as much (Korn and Graubard, Survey Methodology 24, 1998);
- a quantile holds every value that the interval of "the share of requests beyond it" allows: the test of a share, inverted.
  So a quantile's interval and the share beyond a target never contradict each other. A mean of each replication's own
  quantile is not used: in short replications it is far off, and so is its spread.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from akstwin.domain.histogram import Histogram

Interval = tuple[float, float]
_FEW = 10
"""Independent hits that tell little of their own spread."""
Floats = npt.NDArray[np.float64]


def mean_interval(values: Sequence[float], level: float) -> Interval:
    """Of the mean of what each replication has one of."""
    return ratio_interval(values, [1.0] * len(values), level)


def ratio_interval(tops: Sequence[float], bottoms: Sequence[float], level: float) -> Interval:
    """Of the sum of the tops over the sum of the bottoms, one of each a replication."""
    ratios, errors = _ratios(np.asarray([tops], dtype=float), np.asarray(bottoms, dtype=float))
    half = _student(len(tops) - 1, level) * errors[0]
    return float(ratios[0] - half), float(ratios[0] + half)


def share_interval(
    hits: Sequence[int], totals: Sequence[int], level: float, waits: Sequence[Histogram] = ()
) -> Interval:
    """Of the share of all requests that are hits; it lies within 0 and 1.

    Args:
        hits: of each replication.
        totals: requests of each replication, some of them not 0.
        level: such as 0.95.
        waits: how long requests of each replication waited. Of hits that are few the own spread is hardly seen, so they count
            as no more independent than the longest waits: what refuses requests first makes them wait.
    """
    low, high = _shares(
        np.asarray([hits], dtype=float), np.asarray(totals, dtype=float), level, like=_spread_of(waits, level)
    )
    return float(low[0]), float(high[0])


def quantile_interval(histograms: Sequence[Histogram], share: float, level: float) -> tuple[float, float | None]:
    """Of the value that a share of all requests do not exceed, µs.

    Args:
        histograms: of each replication, some of them not empty.
        share: such as 0.99.
        level: such as 0.95.

    Returns:
        Both ends. The upper one is None where there are too few requests for one: any value may be exceeded so seldom.
    """
    values, beyond, totals = _beyond(histograms)
    at_quantile = int(np.argmax(beyond.sum(axis=1) <= (1 - share) * totals.sum() + 1e-9))
    low, high = _shares(beyond, totals, level, clustered_from=at_quantile)
    first = int(np.argmax(low <= 1 - share))  # nothing is beyond the largest value, so there is one
    enough = np.nonzero(high <= 1 - share)[0]
    return values[first], values[int(enough[0])] if len(enough) else None


def _beyond(histograms: Sequence[Histogram]) -> tuple[list[float], Floats, Floats]:
    """The values of all buckets, how many of each replication are beyond each, and how many there are."""
    pool = Histogram()
    for each in histograms:
        pool.merge(each)
    buckets = pool.buckets()
    place = {key: at for at, (key, _, _) in enumerate(buckets)}
    counts = np.zeros((len(buckets), len(histograms)))
    for column, each in enumerate(histograms):
        for key, count, _ in each.buckets():
            counts[place[key], column] = count
    totals = counts.sum(axis=0)
    return [total / count for _, count, total in buckets], totals - counts.cumsum(axis=0), totals


def _spread_of(waits: Sequence[Histogram], level: float) -> float:
    """Which part of all requests is independent, by the thousandth that waited longest."""
    if sum(each.count for each in waits) == 0:
        return 1.0
    _, beyond, totals = _beyond(waits)
    whole = totals.sum()
    longest = int(np.argmax(beyond.sum(axis=1) <= whole / 1000))
    if longest and not beyond[longest].any():  # the longest are all equally long: they themselves count
        longest -= 1
    shares, errors = _ratios(beyond[longest : longest + 1], totals)
    return float(_independent(shares, errors, float(whole), len(totals), level)[0] / whole)


def _shares(
    hits: Floats, totals: Floats, level: float, *, clustered_from: int | None = None, like: float = 1.0
) -> tuple[Floats, Floats]:
    """Both ends of the intervals of several shares: a row each, with a column for each replication.

    Args:
        hits: of each replication.
        totals: of each replication.
        level: such as 0.95.
        clustered_from: from this row on requests count as no more independent than in this row: what is rarer hangs together at
            least as much, and where nothing is seen its spread is not seen either.
        like: the part of the requests that counts as independent where few are found.
    """
    from scipy.special import betaincinv  # noqa: PLC0415 - slow to import, and not needed before

    shares, errors = _ratios(hits, totals)
    whole = float(totals.sum())
    independent = _independent(shares, errors, whole, len(totals), level)
    if clustered_from is not None:
        later = independent[clustered_from:]
        np.minimum(later, independent[clustered_from], out=later)
    few = shares * independent < _FEW
    independent = np.where(few, np.minimum(independent, like * whole), independent)
    found, tail = shares * independent, (1 - level) / 2
    with np.errstate(invalid="ignore"):
        low = np.where(found > 0, betaincinv(np.maximum(found, 1e-300), independent - found + 1, tail), 0.0)
        others = np.maximum(independent - found, 1e-300)
        high = np.where(found < independent, betaincinv(found + 1, others, 1 - tail), 1.0)
    return low, high


def _ratios(tops: Floats, bottoms: Floats) -> tuple[Floats, Floats]:
    """The ratios of two sums, row by row, and their standard errors by linearisation."""
    count, whole = len(bottoms), bottoms.sum()
    ratios = tops.sum(axis=1) / whole
    squares = ((tops - ratios[:, None] * bottoms) ** 2).sum(axis=1)
    return ratios, np.sqrt(squares * count / (count - 1)) / whole


def _independent(shares: Floats, errors: Floats, whole: float, replications: int, level: float) -> Floats:
    """How many independent requests would tell the shares as well as these do.

    Where nothing varies, all of them count. Few replications know their own spread badly: the number is scaled so that
    Student's t stands where the normal distribution would.
    """
    from scipy.special import ndtri  # noqa: PLC0415 - slow to import, and not needed before

    variances = shares * (1 - shares)
    varies = (errors > 0) & (variances > 0)
    known = float(ndtri((1 + level) / 2)) / _student(replications - 1, level)
    scaled = np.divide(variances, errors**2, out=np.full_like(variances, whole), where=varies) * known**2
    return np.where(varies, np.minimum(scaled, whole), whole)


def _student(freedom: int, level: float) -> float:
    from scipy.special import stdtrit  # noqa: PLC0415 - slow to import, and not needed before

    return float(stdtrit(freedom, (1 + level) / 2))
