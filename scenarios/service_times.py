"""Service times from the durations of a log: the time in a queue is taken out where the log allows it.

A duration runs from the request to its answer, and holds what the request waited. Four ways lead to the time in the model, and
the first that the log allows is gone:

1. `upstream`: a proxy wrote down how long the server behind it took;
2. `replay`: it is known how many requests were served at once, and first come was first served: each began when it came or when
   one of those places became free;
3. `idle`: requests that came while no other was under way cannot have waited, and say of all how long they take;
4. none of these: the durations are an upper bound.
"""

from dataclasses import dataclass
from heapq import heapify, heapreplace
from typing import Any, Final, Literal

import numpy as np

from akstwin.errors import InvalidSetting
from akstwin.scenarios.logs.records import UNKNOWN, Ints, Records

Way = Literal["upstream", "replay", "idle", "upper_bound"]
ENOUGH_IDLE: Final = 200
"""Requests that came while no other was under way, from which on they speak for all."""
_REFUSED: Final = (401, 404, 413, 429, 503)
"""Answers of a router that no replica has seen."""


@dataclass(frozen=True, slots=True)
class ServiceTimes:
    """What requests took in the model.

    Attributes:
        values: µs, of requests answered 200.
        way: how the time in the queue was taken out.
        answered: requests answered 200 with a duration.
        duration: their mean duration, µs.
        idle: how many of them came while no other was under way; None: that cannot be told.
    """

    values: np.ndarray[Any, np.dtype[np.float64]]
    way: Way
    answered: int
    duration: float
    idle: int | None


def service_times(
    records: Records, arrived: Ints, *, exact: bool, concurrency: int | None, overhead: int
) -> ServiceTimes:
    """Take the time in the queue out of the durations.

    Args:
        records: the log, with durations.
        arrived: when each row's request came, µs.
        exact: whether instants are finer than a second and no request is missing.
        concurrency: requests that were served at once, if it is known.
        overhead: of the way to the model and back, in each duration, µs.

    Raises:
        InvalidSetting: a concurrency, and the log's instants do not allow a replay.
    """
    known = records.duration != UNKNOWN
    good = known & _answered(records)
    took = np.maximum(records.duration - overhead, 1)
    mean = float(records.duration[good].mean()) if good.any() else 0.0
    upstream = records.upstream != UNKNOWN
    if (upstream & good).any():
        values = np.maximum(records.upstream[upstream & good] - overhead, 1)
        return ServiceTimes(values.astype(float), "upstream", int(good.sum()), mean, None)
    if concurrency is not None and not exact:
        raise InvalidSetting(
            "--concurrency", concurrency, "usable with this log: its instants are whole seconds, or it is sampled"
        )
    if not exact:
        return ServiceTimes(took[good].astype(float), "upper_bound", int(good.sum()), mean, None)
    inside = known & ~np.isin(records.status, _REFUSED)
    idle = _came_to_nobody(arrived, took, inside)
    if concurrency is not None:
        began = _replay(arrived, took, inside, concurrency)
        values = np.maximum(arrived + took - began, 1)[good]
        return ServiceTimes(values.astype(float), "replay", int(good.sum()), mean, int((idle & good).sum()))
    alone = int((idle & good).sum())
    if alone >= ENOUGH_IDLE:
        return ServiceTimes(took[idle & good].astype(float), "idle", int(good.sum()), mean, alone)
    return ServiceTimes(took[good].astype(float), "upper_bound", int(good.sum()), mean, alone)


def _answered(records: Records) -> Ints:
    """Rows with an answer of the model; without a column of answers all."""
    found: Ints = ((records.status >= 200) & (records.status < 300)) | (records.status == UNKNOWN)
    return found


def _came_to_nobody(arrived: Ints, took: Ints, inside: Ints) -> Ints:
    """The rows whose request came while no other was under way."""
    rows = np.flatnonzero(inside)
    order = rows[np.argsort(arrived[rows], kind="stable")]
    found = np.zeros(len(arrived), dtype=bool)
    if len(order):
        ended = np.maximum.accumulate(arrived[order] + took[order])
        found[order[0]] = True
        found[order[1:]] = arrived[order[1:]] >= ended[:-1]
    return found


def _replay(arrived: Ints, took: Ints, inside: Ints, places: int) -> Ints:
    """When each request began, if first come was first served at so many places."""
    rows = np.flatnonzero(inside)
    order = rows[np.argsort(arrived[rows], kind="stable")]
    began = arrived.copy()
    free = [int(arrived.min())] * places
    heapify(free)
    for at in order.tolist():
        came = int(arrived[at])
        began[at] = max(came, free[0])
        heapreplace(free, max(came + int(took[at]), int(began[at])))
    return began
