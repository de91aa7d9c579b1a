"""Whether objectives are met, not met, or cannot be told from the replications there are."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from akstwin.scenarios.intervals import mean_interval, quantile_interval, ratio_interval, share_interval
from akstwin.scenarios.load import Prepared
from akstwin.scenarios.measure import Measurement, of_service
from akstwin.scenarios.objectives import QUANTILES, SHARES, cost_of, counted, judge, survival_of
from akstwin.scenarios.tried import Telling

Judged = dict[str, Any]
Ends = list[float | None]


FLOORS: Final = frozenset({"success_rate"})
"""Objectives that are least values."""


def assess(prepared: Prepared, measured: Mapping[int | None, Sequence[Measurement]], level: float) -> list[Judged]:
    """The objectives with their intervals and what they tell; of several services, the total's and then each service's.

    Args:
        prepared: the scenario.
        measured: its replications, and those with a node lost by the node's number.
        level: of each interval, such as 0.95.

    Returns:
        As in a result, with `interval` (None from a single replication; an end that cannot be told is None) and `verdict`; of
        several services with `service`, None for the total.
    """
    found = _assessed(prepared, measured, level)
    if not prepared.services:
        return found
    named: list[Judged] = [{"service": None, **each} for each in found]
    for part in prepared.services:
        name = part.service.name
        own = {node: of_service(each, name) for node, each in measured.items()}
        named += [{"service": name, **each} for each in _assessed(part, own, level)]
    return named


def _assessed(prepared: Prepared, measured: Mapping[int | None, Sequence[Measurement]], level: float) -> list[Judged]:
    """Those of one service, or of the total."""
    found = _judged(prepared, measured[None], level, with_cost=True)
    lost: list[dict[str, Any]] = [
        {"node": node, "objectives": _judged(prepared, measurements, level, with_cost=False)}
        for node, measurements in measured.items()
        if node is not None
    ]
    if lost and prepared.scenario.objectives.survives is not None:
        survival = survival_of(lost)
        survival["interval"] = None
        survival["verdict"] = together([each for node in lost for each in node["objectives"]])
        found.append(survival)
    return found


def together(judged: Sequence[Judged]) -> Telling:
    """Of all objectives: met if all are, not met if one is not."""
    verdicts = {each["verdict"] for each in judged}
    for verdict in (Telling.NOT_MET, Telling.CANNOT_TELL):
        if verdict in verdicts:
            return verdict
    return Telling.MET


def cost_with_interval(prepared: Prepared, measurements: Sequence[Measurement], level: float) -> dict[str, Any]:
    """The mean cost of the window, and its interval; None where the price is not known."""
    totals = [cost_of(prepared, each) for each in measurements]
    known = [total for total in totals if total is not None]
    if not known:
        return {"total": None, "interval": None}
    return {
        "total": round(sum(known) / len(known), 6),
        "interval": _rounded(mean_interval(known, level)) if len(known) > 1 else None,
    }


def _judged(prepared: Prepared, measurements: Sequence[Measurement], level: float, *, with_cost: bool) -> list[Judged]:
    found = judge(prepared, measurements, with_cost=with_cost)
    for each in found:
        ends = _interval(prepared, each, measurements, level) if len(measurements) > 1 else None
        each["interval"] = None if ends is None else _rounded(ends)
        each["verdict"] = _telling(each, ends)
    return found


def _interval(
    prepared: Prepared, judged: Judged, measurements: Sequence[Measurement], level: float
) -> tuple[float, float | None] | None:
    name = judged["name"]
    if (
        judged["value"] is None or name == "max"
    ):  # the largest of some replications says nothing of the largest of others
        return None
    if name == "cost":
        costs = [cost_of(prepared, each) for each in measurements]
        return mean_interval([cost for cost in costs if cost is not None], level)
    tallies = [each.all for each in measurements]
    if name in SHARES:
        missed = "failed" if name == "success_rate" else name
        low, high = share_interval(
            [counted(each, missed) for each in tallies],
            [each.requests for each in tallies],
            level,
            [each.queue_wait for each in tallies],
        )
        return (1 - high, 1 - low) if name == "success_rate" else (low, high)
    latencies = [each.latency for each in tallies]
    if name == "mean":
        low, high = ratio_interval([each.total for each in latencies], [each.count for each in latencies], level)
        return low / 1000, high / 1000
    first, last = quantile_interval(latencies, QUANTILES[name], level)
    return first / 1000, None if last is None else last / 1000


def _telling(judged: Judged, ends: tuple[float, float | None] | None) -> Telling:
    """From the interval; without one, only a value that is what it is for certain tells."""
    name, value, target = judged["name"], judged["value"], judged["target"]
    if value is None:
        return Telling.CANNOT_TELL if name == "cost" else Telling.NOT_MET
    certain = name == "max" or (name in SHARES and target == (1 if name in FLOORS else 0))
    if certain or (name == "cost" and ends is not None and ends[0] == ends[1]):
        verdict = Telling.MET if judged["met"] else Telling.NOT_MET
    elif ends is None:
        verdict = Telling.CANNOT_TELL
    else:
        low, high = ends
        below, above = high is not None and high <= target, low > target
        if name in FLOORS:
            below, above = low >= target, high is not None and high < target
        verdict = Telling.MET if below else Telling.NOT_MET if above else Telling.CANNOT_TELL
    return Telling.CANNOT_TELL if verdict is Telling.MET and judged["met"] == "unproven" else verdict


def _rounded(ends: tuple[float, float | None]) -> Ends:
    return [None if end is None else float(f"{end:.9g}") for end in ends]
