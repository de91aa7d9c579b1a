"""Arrivals: each traffic entry's instants by number, and all entries merged by (instant, entry)."""

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import count

import numpy as np
import numpy.typing as npt

from akstwin.clock import NEVER, SECOND
from akstwin.domain.workload import (
    Arrivals,
    ClosedLoopUsers,
    ConstantArrivals,
    PoissonArrivals,
    StepArrivals,
    TraceArrivals,
    Traffic,
)
from akstwin.sim.streams import Blocks

Arrival = tuple[int, int, int]
"""Instant, traffic entry, number within the entry."""


def instants(arrivals: Arrivals, seed: int, replication: int, entry: int, service: str = "") -> Iterator[int]:
    """The entry's instants in whole microseconds, without end where the shape has none.

    A gap is drawn by the arrival's number, rounded half to even, then summed. `service` goes before the entry's number in the
    name of its stream of chance.
    """
    match arrivals:
        case ConstantArrivals(rate=rate):
            gap = round(min(SECOND / rate, NEVER))
            now = 0
            while True:
                now += gap
                yield now
        case PoissonArrivals(rate=rate):
            yield from _steps([rate], [0], seed, replication, f"{service}{entry}")
        case StepArrivals(rate=rates, at=at):
            yield from _steps(rates, list(at), seed, replication, f"{service}{entry}")
        case TraceArrivals(instants=recorded):
            yield from recorded


def poisson_gaps(seed: int, replication: int, entry: str) -> Blocks[np.float64]:
    """Gaps between an entry's arrivals, in units of the mean gap."""
    return Blocks(seed, replication, "arrivals", entry, lambda rng, count: rng.standard_exponential(count))


def block_of_gaps(gaps: Blocks[np.float64], number: int, rate: float) -> npt.NDArray[np.int64]:
    """A block of gaps at one rate per second, in whole microseconds, as `instants` sums them."""
    return np.rint(np.minimum(gaps.block(number) / (rate / SECOND), NEVER)).astype(np.int64)


def _unit_gaps(seed: int, replication: int, entry: str) -> Iterator[float]:
    gaps = poisson_gaps(seed, replication, entry)
    for block in count():
        yield from gaps.block(block).tolist()


def _steps(rates: Sequence[float], at: Sequence[int], seed: int, replication: int, entry: str) -> Iterator[int]:
    """Poisson arrivals at rates that change in steps: a gap that reaches over a step goes on at the new rate."""
    gaps = _unit_gaps(seed, replication, entry)
    now, step = at[0], 0
    ends = [*at[1:], None]
    for unit in gaps:
        left = unit  # of the gap, in units of mean gaps
        while True:
            rate, end = rates[step] / SECOND, ends[step]
            span = round(min(left / rate, NEVER)) if rate else None
            if end is not None and (span is None or now + span >= end):
                left = max(0.0, left - (end - now) * rate)
                now, step = end, step + 1
                continue
            if span is None:
                return
            now += span
            break
        yield now


def merged(
    traffic: Sequence[Traffic], seed: int, replication: int, *, first: int = 0, start: int = 0, service: str = ""
) -> Iterator[Arrival]:
    """All arrivals in the order in which they come in.

    Args:
        traffic: the entries; those of users who wait have no instants of their own.
        seed: of the run.
        replication: 1, 2, …
        first: the number of the first entry; the others follow.
        start: the instant that the entries count from.
        service: goes before the entries' numbers in the names of their streams of chance.
    """

    def one(entry: int, arrivals: Arrivals) -> Iterator[Arrival]:
        for number, instant in enumerate(instants(arrivals, seed, replication, entry, service)):
            yield start + instant, entry, number

    all_of_them = [
        one(entry, each) for entry, each in enumerate(traffic, start=first) if not isinstance(each, ClosedLoopUsers)
    ]
    return all_of_them[0] if len(all_of_them) == 1 else merge(*all_of_them)
