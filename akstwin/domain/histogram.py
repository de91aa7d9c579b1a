"""A bounded histogram of durations: memory does not grow with what is counted."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import ceil
from typing import Final, Self

_BITS: Final = 11
"""Values below 2**11 µs have a bucket each; above, a bucket is at most 1/1024 of its value wide."""


Rows = tuple[tuple[int, int, int], ...]
"""Buckets of a histogram: key, number of values, their sum in µs."""
Columns = tuple["array[int]", "array[int]", "array[int]"]
"""The same, column by column."""


class Histogram:
    """Counts whole microseconds in buckets of at most 0.1 % width; each bucket also keeps its sum.

    A quantile is the mean of the bucket that the nearest rank falls into, so it is exact where all values of a bucket
    are equal, and within 0.1 % otherwise. Sum, count and extremes are exact.
    """

    __slots__ = ("_buckets", "_packed", "count", "largest", "total")

    def __init__(self) -> None:
        self._buckets: dict[int, list[int]] = {}
        self._packed: Columns | None = None  # the buckets, as long as nothing is added to what others have counted
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
        keys, counts, totals = zip(*rows, strict=True) if rows else ((), (), ())
        return cls.of_columns((array("q", keys), array("q", counts), array("q", totals)), largest)

    @classmethod
    def of_columns(cls, columns: "Columns", largest: int) -> Self:
        """The histogram that has these buckets.

        Args:
            columns: keys in ascending order, numbers of values, their sums in µs; they are kept as they are.
            largest: the largest value, µs.
        """
        made = cls()
        made._packed = columns
        made.count, made.total, made.largest = sum(columns[1]), sum(columns[2]), largest
        return made

    def rows(self) -> "Rows":
        """Its buckets as plain data, by key: rows of equal key from several histograms add up."""
        if self._packed is not None:
            return tuple(zip(*self._packed, strict=True))
        return tuple((key, count, total) for key, (count, total) in sorted(self._buckets.items()))

    def _open(self) -> dict[int, list[int]]:
        """The buckets, to add to them."""
        if self._packed is not None:
            self._buckets = {key: [count, total] for key, count, total in zip(*self._packed, strict=True)}
            self._packed = None
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
        if self.count or other._packed is None:
            buckets = self._open()
            for key, count, total in other.rows():
                bucket = buckets.setdefault(key, [0, 0])
                bucket[0] += count
                bucket[1] += total
        else:
            self._packed = other._packed
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
        if self._packed is not None:
            counts, totals = map(tuple, self._packed[1:])
        else:
            buckets = [self._buckets[key] for key in sorted(self._buckets)]
            counts, totals = zip(*buckets, strict=True)  # of any size
        seen = list(accumulate(counts))
        places = [bisect_left(seen, self._rank(share)) for share in wanted]
        return [totals[place] / counts[place] for place in places]

    def buckets(self) -> list[tuple[int, int, int]]:
        """Key, count and sum of each bucket, in the order of the values; equal keys are equal buckets."""
        return list(self.rows())

    def _rank(self, share: float) -> int:
        # 0.95 * 20 is 19.000000000000004 in floats on some shares: a rank is a count, not a float
        return max(1, ceil(round(share * self.count, 6)))
