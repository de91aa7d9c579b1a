"""What a comparison of one run comes to: the same requests predicted and measured, side by side, with intervals.

Times are in seconds of the scenario. Intervals are at 95 per cent and hold for requests that do not depend on each other;
those that queue do, so that theirs are too narrow. The mean difference has its interval from the means of twenty stretches of
time, which depend on each other less.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import stats

from akstwin.clock import SECOND
from akstwin.scenarios.compare_client import NO_ANSWER, Sent
from akstwin.scenarios.compare_predict import Outcome
from akstwin.sim.load.request_index import RequestIdentity

Figures = dict[str, Any]
Times = npt.NDArray[np.float64]

QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
REFUSED: Final = 503
_LEVEL: Final = 0.95
_STRETCHES: Final = 20
_LATE_SECONDS: Final = 0.01
_LATE_SHARE: Final = 0.25
_SKIPPED_SECONDS: Final = 0.05
_OTHERS_SHARE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Run:
    """One replication, predicted and measured.

    Attributes:
        replication: 1, 2, …
        predicted: attempts that count, by the simulator.
        sent: attempts that were sent, those of the warm-up too; times in real seconds.
        overhead: what the path takes beside the model, seconds of the scenario; each of a request alone.
        rate: seconds of the scenario a real second.
        window: attempts that come in from the first up to the second instant count, s.
        skipped: real seconds by which the server's clock went off meanwhile.
        operations_refused: what the server said to operations that it refused.
        without_connection: requests that had to wait for a connection.
        others: requests that the service answered meanwhile and that were not the comparison's.
    """

    replication: int
    predicted: Sequence[Outcome]
    sent: Sequence[Sent]
    overhead: Sequence[float]
    rate: float
    window: tuple[float, float]
    skipped: float = 0.0
    operations_refused: Sequence[str] = ()
    without_connection: int = 0
    others: int = 0


@dataclass(frozen=True, slots=True)
class Measured:
    """An attempt that counts. Seconds of the scenario.

    Attributes:
        status: of the answer; 0: there was none.
        latency: from when it was to be sent to the answer.
        from_sending: from when it was sent.
    """

    status: int
    latency: float
    from_sending: float


def measured(run: Run) -> dict[RequestIdentity, Measured]:
    """The attempts that count, by their identity, in the order of sending."""
    found = {}
    for each in run.sent:
        if run.window[0] <= each.intended * run.rate < run.window[1]:
            ended = float("nan") if each.ended is None else each.ended
            found[each.identity] = Measured(
                each.status, (ended - each.intended) * run.rate, (ended - each.at) * run.rate
            )
    return found


def figures(run: Run) -> Figures:
    """All figures of a run."""
    seen = measured(run)
    foretold = {each.identity: each for each in run.predicted}
    overhead = _overhead(run)
    versions = sorted({each.version for each in run.predicted if each.version is not None})
    found = {
        "replication": run.replication,
        **_compared(foretold, seen, run.overhead),
        "overhead": overhead,
        "lateness": lateness(run),
        "skipped": run.skipped,
        "operations_refused": list(run.operations_refused),
        "without_connection": run.without_connection,
        "others": run.others,
        "versions": {
            version: _compared(*_of_version(version, foretold, seen), run.overhead)
            for version in versions
            if len(versions) > 1
        },
    }
    return {**found, "meaningless": _meaningless(run, found)}


def _of_version(
    version: str, foretold: dict[RequestIdentity, Outcome], seen: dict[RequestIdentity, Measured]
) -> tuple[dict[RequestIdentity, Outcome], dict[RequestIdentity, Measured]]:
    """Those that the split gives to a version, which is the same in both worlds."""
    mine = {key: each for key, each in foretold.items() if each.version == version}
    return mine, {key: each for key, each in seen.items() if key in mine}


def _compared(
    foretold: dict[RequestIdentity, Outcome], seen: dict[RequestIdentity, Measured], overhead: Sequence[float]
) -> Figures:
    pairs = [(foretold[key], each) for key, each in seen.items() if key in foretold]
    same = sum(outcome.status == each.status for outcome, each in pairs)
    by_time = sorted(pairs, key=lambda pair: pair[0].arrived)
    apart = np.array(
        [each.latency - outcome.latency / SECOND for outcome, each in by_time if outcome.status == each.status == 200]
    )
    before, after = [each.status for each in foretold.values()], [each.status for each in seen.values()]
    return {
        "requests": {"predicted": len(foretold), "measured": len(seen), "paired": len(pairs)},
        "statuses": statuses(before, after),
        "refused": refused(before, after),
        "same_status": share(same, len(pairs)),
        "latency": latencies(
            np.array([each.latency / SECOND for each in foretold.values() if each.status == 200]),
            np.array([each.latency for each in seen.values() if each.status == 200]),
            np.array([each.from_sending for each in seen.values() if each.status == 200]),
            overhead,
        ),
        "difference": _difference(apart),
    }


def share(part: int, whole: int) -> Figures:
    """A share and its interval (Wilson)."""
    if not whole:
        return {"value": None, "interval": None}
    low, high = stats.binomtest(part, whole).proportion_ci(_LEVEL, method="wilson")
    return {"value": part / whole, "interval": [float(low), float(high)]}


def statuses(before: Sequence[int], after: Sequence[int]) -> Figures:
    """The share of each status, predicted and measured."""
    foretold, seen = Counter(before), Counter(after)
    return {
        "none" if status == NO_ANSWER else str(status): {
            "predicted": share(foretold[status], len(before)),
            "measured": share(seen[status], len(after)),
        }
        for status in sorted(foretold.keys() | seen.keys())
    }


def refused(before: Sequence[int], after: Sequence[int]) -> Figures:
    """Both shares of 503, and by how many points they differ."""
    if not before or not after:
        return {"predicted": None, "measured": None, "difference_points": None}
    foretold, seen = before.count(REFUSED) / len(before), after.count(REFUSED) / len(after)
    return {"predicted": foretold, "measured": seen, "difference_points": 100 * (seen - foretold)}


def latencies(foretold: Times, seen: Times, from_sending: Times, overhead: Sequence[float]) -> Figures:
    """Quantiles. The overhead differs from request to request: it is added as a whole, not by its median only."""
    longer = np.add.outer(foretold, np.array(overhead or [0.0])).ravel()
    found = {}
    for name, part in QUANTILES.items():
        before, after, sending = (quantile(each, part) for each in (foretold, seen, from_sending))
        expected = quantile(longer, part)["value"]
        off = None if not expected or after["value"] is None else after["value"] / expected - 1
        found[name] = {
            "predicted": before["value"],
            "predicted_interval": before["interval"],
            "with_overhead": expected,
            "measured": after["value"],
            "measured_interval": after["interval"],
            "measured_from_sending": sending["value"],
            "off": off,
        }
    return found


def quantile(values: Times, part: float) -> Figures:
    """A quantile and its interval, both of them values that occurred."""
    count = len(values)
    if not count:
        return {"value": None, "interval": None}
    ordered = np.sort(values)
    rest = (1 - _LEVEL) / 2
    low = int(stats.binom.ppf(rest, count, part)) - 1
    high = int(stats.binom.ppf(1 - rest, count, part))
    at = min(count - 1, max(0, int(np.ceil(part * count)) - 1))
    return {
        "value": float(ordered[at]),
        "interval": [float(ordered[max(0, low)]), float(ordered[min(count - 1, high)])],
    }


def _difference(apart: Times) -> Figures:
    """By how much the same request took longer than predicted."""
    if not len(apart):
        return {"requests": 0, "median": None, "p5": None, "p95": None, "mean": None, "mean_interval": None}
    p5, median, p95 = (float(each) for each in np.quantile(apart, [0.05, 0.5, 0.95]))
    return {
        "requests": len(apart), "median": median, "p5": p5, "p95": p95,
        "mean": float(apart.mean()), "mean_interval": mean_interval(apart),
    }  # fmt: skip


def mean_interval(values: Times) -> list[float] | None:
    """The mean's interval, from the means of stretches of time; None: too few values."""
    if len(values) < 2 * _STRETCHES:
        return None
    means = np.array([float(stretch.mean()) for stretch in np.array_split(values, _STRETCHES)])
    half = float(stats.t.ppf((1 + _LEVEL) / 2, _STRETCHES - 1)) * float(means.std(ddof=1)) / sqrt(_STRETCHES)
    middle = float(values.mean())
    return [middle - half, middle + half]


def _overhead(run: Run) -> Figures:
    found = np.array(run.overhead)
    return {name: quantile(found, part)["value"] for name, part in QUANTILES.items()} | {"requests": len(found)}


def lateness(run: Run) -> Figures:
    """By how much requests were sent later than they were to be, real seconds."""
    late = np.array([each.at - each.intended for each in run.sent])
    if not len(late):
        return {"p50": 0.0, "p95": 0.0, "p99": 0.0, "max": 0.0}
    return {name: float(np.quantile(late, part)) for name, part in QUANTILES.items()} | {"max": float(late.max())}


def _meaningless(run: Run, found: Figures) -> str | None:
    """Why the run tells nothing; None: it does.

    One request in 20 may be late by a quarter of the predicted median: p50 and p95 of the latencies then are still the server's.
    """
    if abs(run.skipped) > _SKIPPED_SECONDS:
        return f"the server's clock went off by {run.skipped * 1e3:.0f} ms during the run: somebody else moved it"
    if run.others > _OTHERS_SHARE * len(run.sent):
        return (
            f"the service had {run.others} more requests, which the scenario does not know: somebody else calls it, or"
            " the server was started with traffic of its own"
        )
    return too_late(run, found)


def too_late(run: Run, found: Figures) -> str | None:
    """Why the client's own lateness makes the run tell nothing; None: it was in time."""
    late, foretold = found["lateness"]["p95"], found["latency"]["p50"]["predicted"]
    allowed = max(_LATE_SECONDS, _LATE_SHARE * (foretold or 0) / run.rate)
    if late > allowed:
        return (
            f"the client was too late: 1 request in 20 by {late * 1e3:.1f} ms or more, where {allowed * 1e3:.1f} ms are"
            " allowed; this machine has too much to do"
        )
    return None


def medians(runs: Sequence[Figures]) -> Figures:
    """The medians of the runs that tell something."""
    telling = [each for each in runs if each["meaningless"] is None]

    def median(read: Callable[[Figures], float | None]) -> float | None:
        values = [value for value in map(read, telling) if value is not None]
        return float(np.median(values)) if values else None

    return {
        "runs": len(telling),
        "same_status": median(lambda run: run["same_status"]["value"]),
        "refused_difference_points": median(lambda run: run["refused"]["difference_points"]),
        "latency_off": {
            name: median(lambda run, name=name: run["latency"][name]["off"])  # type: ignore[misc]
            for name in QUANTILES
        },
        "difference": median(lambda run: run["difference"]["median"]),
    }
