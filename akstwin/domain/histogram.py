"""A bounded histogram of durations: memory does not grow with what is counted."""

from collections.abc import Iterable, Sequence
from math import ceil
from typing import Final, Self

_BITS: Final = 11
"""Values below 2**11 µs have a bucket each; above, a bucket is at most 1/1024 of its value wide."""


Rows = tuple[tuple[int, int, int], ...]
"""Buckets of a histogram: key, number of values, their sum in µs."""


class Histogram:
    """Counts whole microseconds in buckets of at most 0.1 % width; each bucket also keeps its sum.

    A quantile is the mean of the bucket that the nearest rank falls into, so it is exact where all values of a bucket
    are equal, and within 0.1 % otherwise. Sum, count and extremes are exact.
    """

    __slots__ = ("_buckets", "_rows", "count", "largest", "total")

    def __init__(self) -> None:
        self._buckets: dict[int, list[int]] = {}
        self._rows: Rows = ()  # the buckets, as long as nothing is added to what others have counted
        self.count = 0
        self.total = 0
        self.largest = 0

    @classmethod
    def of(cls, rows: "Rows", largest: int = 0) -> Self:
        """The histogram that these rows came from.

        Args:
            rows: as `rows` gives them.
            largest: the largest value, µs.
        """
        made = cls()
        made._rows = rows
        made.count = sum(count for _, count, _ in rows)
        made.total = sum(total for _, _, total in rows)
        made.largest = largest
        return made

    def rows(self) -> "Rows":
        """Its buckets as plain data, by key: rows of equal key from several histograms add up."""
        if self._rows or not self._buckets:
            return self._rows
        return tuple((key, count, total) for key, (count, total) in sorted(self._buckets.items()))

    def _open(self) -> dict[int, list[int]]:
        """The buckets, to add to them."""
        if self._rows:
            self._buckets = {key: [count, total] for key, count, total in self._rows}
            self._rows = ()
        return self._buckets

    def add(self, value: int) -> None:
        """Count one value of 0 µs or more."""
        self.add_all((value,))

    def add_all(self, values: Sequence[int]) -> None:
        """Count several values of 0 µs or more."""
        buckets = self._open()
        for value in values:
            shift = value.bit_length() - _BITS
            key = value if shift <= 0 else (shift << _BITS) + (value >> shift)
            bucket = buckets.get(key)
            if bucket is None:
                buckets[key] = [1, value]
            else:
                bucket[0] += 1
                bucket[1] += value
        if values:
            self.count += len(values)
            self.total += sum(values)
            self.largest = max(self.largest, *values)

    def merge(self, other: Self) -> None:
        """Count everything that `other` has counted."""
        if self.count:
            buckets = self._open()
            for key, count, total in other.rows():
                bucket = buckets.setdefault(key, [0, 0])
                bucket[0] += count
                bucket[1] += total
        else:
            self._rows = other.rows()
        self.count += other.count
        self.total += other.total
        self.largest = max(self.largest, other.largest)

    @property
    def mean(self) -> float | None:
        """Mean in microseconds; None of nothing."""
        return self.total / self.count if self.count else None

    def quantile(self, share: float) -> float | None:
        """The value that `share` of all values do not exceed (nearest rank), in microseconds; None of nothing."""
        found = self.quantiles([share])
        return found[0] if found else None

    def quantiles(self, shares: Iterable[float]) -> list[float]:
        """Several quantiles in one pass, in the order asked; nothing of nothing."""
        wanted = list(shares)
        if not self.count:
            return []
        ranks = sorted({self._rank(share) for share in wanted})
        values: dict[int, float] = {}
        seen = 0
        at = iter(ranks)
        rank = next(at)
        for _, count, total in self.rows():
            seen += count
            while seen >= rank:
                values[rank] = total / count
                following = next(at, None)
                if following is None:
                    return [values[self._rank(share)] for share in wanted]
                rank = following
        raise AssertionError("ranks end at the count")

    def buckets(self) -> list[tuple[int, int, int]]:
        """Key, count and sum of each bucket, in the order of the values; equal keys are equal buckets."""
        return list(self.rows())

    def _rank(self, share: float) -> int:
        # 0.95 * 20 is 19.000000000000004 in floats on some shares: a rank is a count, not a float
        return max(1, ceil(round(share * self.count, 6)))
