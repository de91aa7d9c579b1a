"""What a scenario's objectives come to: the value of each, and whether it holds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from akstwin.clock import Micros
from akstwin.domain.faults import NodeLoss
from akstwin.domain.histogram import Histogram
from akstwin.scenarios.load import Prepared
from akstwin.scenarios.measure import Measurement, Tally
from akstwin.scenarios.model import Survival

QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p999": 0.999}
LATENCIES: Final = ("mean", *QUANTILES, "max")
SHARES: Final = ("success_rate", "refused", "failed")

Figures = dict[str, float | None]
Judged = dict[str, Any]


def figures_of(histograms: Sequence[Histogram]) -> Figures:
    """Mean, quantiles and largest of all histograms together, in ms."""
    pool = histograms[0] if len(histograms) == 1 else Histogram()
    for histogram in () if len(histograms) == 1 else histograms:
        pool.merge(histogram)
    quantiles: Sequence[float | None] = pool.quantiles(QUANTILES.values()) or [None] * len(QUANTILES)
    in_us: Figures = {
        "mean": pool.mean,
        **dict(zip(QUANTILES, quantiles, strict=True)),
        "max": pool.largest if pool.count else None,
    }
    return {name: None if value is None else round(value / 1000, 6) for name, value in in_us.items()}


def counted(tally: Tally, name: str) -> int:
    """The attempts whose share is `success_rate`, `refused` or `failed`."""
    if name == "refused":
        return tally.statuses.get(503, 0)
    answered = tally.statuses.get(200, 0)
    return answered if name == "success_rate" else tally.requests - answered


def share_of(tallies: Sequence[Tally], name: str) -> float | None:
    """`success_rate`, `refused` or `failed` of all attempts together; None without attempts."""
    requests = sum(tally.requests for tally in tallies)
    return sum(counted(tally, name) for tally in tallies) / requests if requests else None


def cost_of(prepared: Prepared, measurement: Measurement) -> float | None:
    """What the nodes of the window cost, or a service's share of it; None where the price is not known."""
    price = prepared.scenario.cluster.vm_size.hourly_price
    return None if price is None else measurement.nodes.area / 3.6e9 * price * measurement.cost_share


def judge(prepared: Prepared, measurements: Sequence[Measurement], *, with_cost: bool = True) -> list[Judged]:
    """The objectives of a scenario, but for `survives`.

    Args:
        prepared: the scenario.
        measurements: of its replications.
        with_cost: whether the cost is judged, too.

    Returns:
        `{"name", "target", "value", "met"}` each, latencies in ms; `met` is true, false or "unproven": met, while nodes were
        short of CPU.
    """
    oversubscribed = any(m.oversubscribed.largest for m in measurements)
    latency = figures_of([m.all.latency for m in measurements])
    found: list[Judged] = []
    for name, given in prepared.scenario.objectives.given():
        target = float(given)
        if name in SHARES:
            value = share_of([m.all for m in measurements], name)
        elif name == "cost":
            if not with_cost:
                continue
            value = _total_cost(prepared, measurements)
        else:
            target, value = target / 1000, latency[name]
        met = value is not None and (value >= target if name == "success_rate" else value <= target)
        found.append(
            {"name": name, "target": target, "value": value, "met": "unproven" if met and oversubscribed else met}
        )
    return found


def _total_cost(prepared: Prepared, measurements: Sequence[Measurement]) -> float | None:
    totals = [cost_of(prepared, m) for m in measurements]
    known = [total for total in totals if total is not None]
    return round(math.fsum(known) / len(known), 6) if len(known) == len(totals) else None


# -- any node lost


def survival_asked(prepared: Prepared) -> Survival | None:
    """The loss that the scenario or one of its services must survive: all that ask for one ask for the same."""
    asked = (each.scenario.objectives.survives for each in (prepared, *prepared.services))
    return next((each for each in asked if each is not None), None)


def variants_of(prepared: Prepared) -> dict[int | None, Prepared]:
    """The scenario itself, and with each node lost in turn if `survives` asks for it, by the node's number."""
    scenario = prepared.scenario
    asked = survival_asked(prepared)
    found: dict[int | None, Prepared] = {None: prepared}
    if asked is None:
        return found
    at = scenario.warm_up if asked.at is None else asked.at
    for node in range(1, scenario.cluster.nodes + 1):
        lost = NodeLoss.model_construct(kind="node_loss", at=Micros(at), node=node, lasts=asked.lasts)
        found[node] = replace(prepared, scenario=scenario.model_copy(update={"faults": [*scenario.faults, lost]}))
    return found


def judge_survival(prepared: Prepared, lost: Mapping[int, Sequence[Measurement]]) -> Judged:
    """Whether the other objectives hold whichever node is lost; the worst node counts.

    Args:
        prepared: the scenario.
        lost: the replications with a node lost, by its number.
    """
    nodes = [
        {"node": node, "objectives": judge(prepared, measurements, with_cost=False)}
        for node, measurements in lost.items()
    ]
    return survival_of(nodes)


def survival_of(nodes: Sequence[dict[str, Any]]) -> Judged:
    """One objective of those that were judged with each node lost: met if all are, with all nodes."""
    verdicts = [each["met"] for node in nodes for each in node["objectives"]]
    every = [(node["node"], each) for node in nodes for each in node["objectives"]]
    number, worst = max(every, key=lambda pair: (_miss(pair[1]), -pair[0]))
    return {
        "name": "survives",
        "target": "any_node",
        "value": f"node {number}",
        "met": False if False in verdicts else "unproven" if "unproven" in verdicts else True,
        "worst": {"node": number, **worst},
        "nodes": list(nodes),
    }


def _miss(judged: Judged) -> float:
    """How near to its target, or how far beyond it, a value is: over 1 is a miss."""
    value, target = judged["value"], judged["target"]
    if value is None:
        return math.inf
    if judged["name"] == "success_rate":
        value, target = 1 - value, 1 - target
    return float(value / target) if target else math.inf if value > 0 else 0.0
