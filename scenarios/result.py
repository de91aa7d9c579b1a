"""The answer as plain data (design §7.4), from the measurements of all replications."""

import math
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from akstwin.domain.assumptions import Assumptions
from akstwin.scenarios.load import Prepared
from akstwin.scenarios.measure import Measurement, Tally, label_of, of_service
from akstwin.scenarios.model import Scenario
from akstwin.scenarios.notes import notes_of
from akstwin.scenarios.objectives import (
    QUANTILES,
    SHARES,
    Figures,
    cost_of,
    figures_of,
    judge,
    judge_survival,
    share_of,
)
from akstwin.scenarios.users import user_figures, users_of_point, users_result
from akstwin.sim.pods import full_load

ALWAYS_SHOWN = (200, 502, 503, 504)


def result_of(
    prepared: Prepared,
    measurements: Sequence[Measurement],
    engine: str,
    wall_seconds: float,
    lost: Mapping[int, Sequence[Measurement]] | None = None,
) -> dict[str, Any]:
    """The result of a run; of several services, the total, with a result of the same keys for each under `services`.

    Args:
        prepared: the scenario.
        measurements: one a replication, in their order.
        engine: which data plane ran.
        wall_seconds: how long it took.
        lost: the replications with a node lost, by its number, where `survives` asks for them.
    """
    scenario = prepared.scenario
    asked = {
        "scenario": prepared.name,
        "question": scenario.question,
        "seed": scenario.seed,
        "replications": scenario.replications,
        "engine": engine,
        "replay": prepared.replay,
        "fingerprint": prepared.fingerprint,
        "version": metadata.version("akstwin"),
        "duration_seconds": scenario.duration / 1e6,
        "warm_up_seconds": scenario.warm_up / 1e6,
        "simulated_seconds": scenario.duration / 1e6,
    }
    found = {**asked, "wall_seconds": round(wall_seconds, 3), **_found(prepared, measurements, lost or {})}
    if prepared.services:
        found["services"] = {
            part.service.name: {
                **asked,
                **_found(
                    part,
                    of_service(measurements, part.service.name),
                    {node: of_service(each, part.service.name) for node, each in (lost or {}).items()},
                ),
            }
            for part in prepared.services
        }
    return found


def _found(
    prepared: Prepared, measurements: Sequence[Measurement], lost: Mapping[int, Sequence[Measurement]]
) -> dict[str, Any]:
    """What was found of one service, or of several together."""
    first, several = measurements[0], bool(prepared.services)
    latency = figures_of([m.all.latency for m in measurements])
    cost = _cost(prepared, measurements)
    survives = prepared.scenario.objectives.survives is not None
    objectives = judge(prepared, measurements) + ([judge_survival(prepared, lost)] if lost and survives else [])
    checked = any(full_load(model) is not None for part in prepared.parts for model in part.models.values())
    return {
        **_counts([m.all for m in measurements]),
        "latency_ms": latency,
        "queue_wait_ms": figures_of([m.all.queue_wait for m in measurements]),
        "users": users_result(prepared.scenario, measurements),
        "replicas": _replicas(measurements),
        "nodes": _nodes(measurements, checked=checked),
        "cost": cost,
        "versions": {name: _version(slots, measurements, name) for name, slots in _slots(prepared).items()},
        "service": None if several else {"name": prepared.service.name, "state": first.state, "shares": first.shares},
        "operations": first.operations,
        "objectives": objectives,
        "intervals": _intervals(prepared, measurements),
        "notes": notes_of(prepared, measurements, cost["total"]),
        "assumptions": _changed(prepared.scenario.assumptions),
        "events": [
            {"at": event.at / 1e6, "kind": event.kind, "subject": event.subject, "detail": event.detail}
            | ({"service": event.service} if several else {})
            for event in first.events
        ],
        "event_counts": dict(sorted(first.counts.items())),
        "timeline": _timeline(prepared.scenario, measurements),
    }


def _slots(prepared: Prepared) -> dict[str, int]:
    """How many requests a replica of each version takes at once; of several services, by the label of each version."""
    return {
        label_of(part.service.name, version.name) if prepared.services else version.name: version.settings.route.slots
        for part in prepared.parts
        for version in part.service.versions
    }


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _whole(value: float) -> float | int:
    """A count stays a whole number where it is one."""
    return int(value) if value == int(value) else round(value, 6)


def _counts(tallies: Sequence[Tally]) -> dict[str, Any]:
    statuses = sorted({*ALWAYS_SHOWN, *(status for tally in tallies for status in tally.statuses)})
    reasons = sorted({reason for tally in tallies for reason in tally.reasons})
    return {
        "requests": _whole(_mean([tally.requests for tally in tallies])),
        "retries": _whole(_mean([tally.retries for tally in tallies])),
        "status": {
            str(status): _whole(_mean([tally.statuses.get(status, 0) for tally in tallies])) for status in statuses
        },
        "reasons": {reason: _whole(_mean([tally.reasons.get(reason, 0) for tally in tallies])) for reason in reasons},
    }


def _seconds(measurement: Measurement) -> float:
    return (measurement.window[1] - measurement.window[0]) / 1e6


def _replicas(measurements: Sequence[Measurement], version: str | None = None) -> dict[str, Any]:
    ready = [m.ready_in_all if version is None else m.ready[version] for m in measurements]
    desired = [m.desired_in_all if version is None else m.desired[version] for m in measurements]
    areas = [each.area / 1e6 for each in ready]
    return {
        "mean": round(_mean([area / _seconds(m) for area, m in zip(areas, measurements, strict=True)]), 6),
        "min": min(each.smallest or 0 for each in ready),
        "max": max(each.largest for each in ready),
        "replica_seconds": round(_mean(areas), 6),
        "desired_max": max(each.largest for each in desired),
    }


def _nodes(measurements: Sequence[Measurement], *, checked: bool) -> dict[str, Any]:
    hours = [m.nodes.area / 3.6e9 for m in measurements]
    return {
        "mean": round(_mean([m.nodes.area / 1e6 / _seconds(m) for m in measurements]), 6),
        "max": max(m.nodes.largest for m in measurements),
        "node_hours": round(_mean(hours), 6),
        "oversubscribed": max(m.oversubscribed.largest for m in measurements),
        "checked": checked,
    }


def _cost(prepared: Prepared, measurements: Sequence[Measurement]) -> Figures:
    totals = [cost_of(prepared, m) for m in measurements]
    share: Figures = {"share": round(_mean([m.cost_share for m in measurements]), 6)} if prepared.where else {}
    if any(total is None for total in totals):
        return {"total": None, "per_1000_requests": None, **share}
    total = _mean([total for total in totals if total is not None])
    requests = _mean([m.all.requests for m in measurements])
    return {
        "total": round(total, 6),
        "per_1000_requests": round(1000 * total / requests, 6) if requests else None,
        **share,
    }


def _version(slots: int, measurements: Sequence[Measurement], name: str) -> dict[str, Any]:
    tallies = [m.by_version[name] for m in measurements]
    busy, ready = sum(m.busy_slots[name] for m in measurements), sum(m.ready[name].area for m in measurements)
    return {
        **_counts(tallies),
        "latency_ms": figures_of([tally.latency for tally in tallies]),
        "queue_wait_ms": figures_of([tally.queue_wait for tally in tallies]),
        "replicas": _replicas(measurements, name),
        "utilisation": round(busy / (ready * slots), 6) if ready else None,
    }


# -- intervals


def _intervals(prepared: Prepared, measurements: Sequence[Measurement]) -> dict[str, list[float]]:
    """Student t at 95 per cent over replications; nothing from one alone."""
    if len(measurements) < 2:
        return {}
    figures = [figures_of([m.all.latency]) for m in measurements]
    waits = [figures_of([m.all.queue_wait]) for m in measurements]
    found: dict[str, list[float]] = {}

    def note(name: str, values: Sequence[float | None], most: float = math.inf) -> None:
        known = [value for value in values if value is not None]
        if len(known) == len(measurements):
            low, high = _student(known)
            found[name] = [max(0.0, low), min(most, high)]  # nothing here can be negative, and no share over 1

    for name in ("mean", *QUANTILES):  # not the largest: that of all runs is no estimate of the mean of the largest
        note(f"latency_ms.{name}", [each[name] for each in figures])
        note(f"queue_wait_ms.{name}", [each[name] for each in waits])
    for status in sorted({*ALWAYS_SHOWN, *(status for m in measurements for status in m.all.statuses)}):
        note(
            f"status.{status}",
            [m.all.statuses.get(status, 0) / m.all.requests if m.all.requests else None for m in measurements],
            most=1.0,
        )
    of_users = [user_figures(prepared.scenario, m) for m in measurements]
    for name in of_users[0]:
        note(name, [each[name] for each in of_users])
    note("requests", [float(m.all.requests) for m in measurements])
    note("replicas.mean", [m.ready_in_all.area / 1e6 / _seconds(m) for m in measurements])
    note("nodes.node_hours", [m.nodes.area / 3.6e9 for m in measurements])
    note("cost.total", [cost_of(prepared, m) for m in measurements])
    asked = {name for name, _ in prepared.scenario.objectives.given()}
    for name in SHARES:
        if name == "success_rate" or name in asked:
            note(f"objectives.{name}", [share_of([m.all], name) for m in measurements], most=1.0)
    return found


def _student(values: Sequence[float]) -> list[float]:
    from scipy.special import stdtrit  # noqa: PLC0415 - slow to import, and a single replication has no interval

    count, mean = len(values), _mean(values)
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (count - 1))
    half = float(stdtrit(count - 1, 0.975)) * spread / math.sqrt(count)
    return [float(f"{mean - half:.9g}"), float(f"{mean + half:.9g}")]


# -- the rest


def _timeline(scenario: Scenario, measurements: Sequence[Measurement]) -> list[dict[str, Any]]:
    """Means over the replications; p99 of all together. Rate and answers are of the stretch that begins at `at`."""
    first = measurements[0]
    points = []
    for number in range(len(first.points)):
        at = number * first.step
        span = min(first.step, first.window[1] - at)
        each = [m.points[number] for m in measurements]
        statuses = sorted({status for point in each for status in point.statuses})
        points.append(
            {
                "at": at / 1e6,
                "rate": round(_mean([point.arrivals for point in each]) / (span / 1e6), 6),
                "replicas": round(_mean([point.ready_area / span for point in each]), 4),
                "desired": round(_mean([point.desired_area / span for point in each]), 4),
                "queued": round(_mean([point.queued_area / span for point in each]), 4),
                "status": {
                    str(status): _whole(_mean([point.statuses.get(status, 0) for point in each])) for status in statuses
                },
                "p99": figures_of([point.latency for point in each])["p99"],
                **users_of_point(scenario, measurements, at, at + span),
            }
        )
    return points


def _changed(assumptions: Assumptions) -> dict[str, Any]:
    default = Assumptions().model_dump(mode="json")
    return {key: value for key, value in assumptions.model_dump(mode="json").items() if value != default[key]}
