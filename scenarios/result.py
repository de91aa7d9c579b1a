"""The answer as plain data (design §7.4), from the measurements of all replications."""

import math
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

from akstwin.domain.assumptions import Assumptions
from akstwin.domain.units import format_duration
from akstwin.domain.workload import StepArrivals, TraceArrivals
from akstwin.scenarios.causes import causes_of
from akstwin.scenarios.load import Prepared
from akstwin.scenarios.measure import Measurement, Tally
from akstwin.scenarios.model import Scenario
from akstwin.scenarios.objectives import (
    LATENCIES,
    QUANTILES,
    SHARES,
    Figures,
    cost_of,
    figures_of,
    judge,
    judge_survival,
    share_of,
)
from akstwin.scenarios.users import user_figures, users_notes, users_of_point, users_result
from akstwin.sim.pods import full_load

ALWAYS_SHOWN = (200, 502, 503, 504)


def result_of(
    prepared: Prepared,
    measurements: Sequence[Measurement],
    engine: str,
    wall_seconds: float,
    lost: Mapping[int, Sequence[Measurement]] | None = None,
) -> dict[str, Any]:
    """The result of a run.

    Args:
        prepared: the scenario.
        measurements: one a replication, in their order.
        engine: which data plane ran.
        wall_seconds: how long it took.
        lost: the replications with a node lost, by its number, where `survives` asks for them.
    """
    scenario = prepared.scenario
    first = measurements[0]
    latency = figures_of([m.all.latency for m in measurements])
    cost = _cost(prepared, measurements)
    objectives = judge(prepared, measurements) + ([judge_survival(prepared, lost)] if lost else [])
    users = users_result(scenario, measurements)
    return {
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
        "wall_seconds": round(wall_seconds, 3),
        **_counts([m.all for m in measurements]),
        "latency_ms": latency,
        "queue_wait_ms": figures_of([m.all.queue_wait for m in measurements]),
        "users": users,
        "replicas": _replicas(measurements),
        "nodes": _nodes(measurements, checked=any(full_load(each) is not None for each in prepared.models.values())),
        "cost": cost,
        "versions": {name: _version(prepared, measurements, name) for name in first.by_version},
        "service": {"name": prepared.service.name, "state": first.state, "shares": first.shares},
        "operations": first.operations,
        "objectives": objectives,
        "intervals": _intervals(prepared, measurements),
        "notes": [*_notes(prepared, measurements, cost), *users_notes(scenario, users)],
        "assumptions": _changed(scenario.assumptions),
        "events": [
            {"at": event.at / 1e6, "kind": event.kind, "subject": event.subject, "detail": event.detail}
            for event in first.events
        ],
        "event_counts": dict(sorted(first.counts.items())),
        "timeline": _timeline(scenario, measurements),
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
    if any(total is None for total in totals):
        return {"total": None, "per_1000_requests": None}
    total = _mean([total for total in totals if total is not None])
    requests = _mean([m.all.requests for m in measurements])
    return {
        "total": round(total, 6),
        "per_1000_requests": round(1000 * total / requests, 6) if requests else None,
    }


def _version(prepared: Prepared, measurements: Sequence[Measurement], name: str) -> dict[str, Any]:
    tallies = [m.by_version[name] for m in measurements]
    slots = prepared.service.version(name).settings.route.slots
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


def _beyond_the_end(scenario: Scenario) -> list[str]:
    """What was planned and can never have happened."""
    late = [f"faults[{at}]" for at, fault in enumerate(scenario.faults) if fault.at >= scenario.duration]
    late += [f"operations[{at}]" for at, each in enumerate(scenario.operations) if each.at >= scenario.duration]
    notes = [f"{', '.join(late)}: planned for after the end of the duration, so without effect."] if late else []
    for at, entry in enumerate(scenario.traffic):
        if isinstance(entry, TraceArrivals):
            unused = sum(instant >= scenario.duration for instant in entry.instants)
            if unused:
                notes.append(f"traffic[{at}]: {unused} of its instants lie beyond the duration and do not count.")
        elif isinstance(entry, StepArrivals) and entry.at[0] >= scenario.duration:
            notes.append(f"traffic[{at}]: begins after the end of the duration, so without effect.")
    return notes


def _lost_nodes(scenario: Scenario) -> list[str]:
    """What `survives` is about, and what it is not."""
    asked = scenario.objectives.survives
    if asked is None:
        return []
    at = format_duration(scenario.warm_up if asked.at is None else asked.at)
    lasts = "to the end" if asked.lasts is None else f"for {format_duration(asked.lasts)}"
    return [
        (
            f"survives: each of the {scenario.cluster.nodes} nodes was lost in turn at {at}, {lasts}, in runs of its own; the "
            "worst counts. All other figures are of the runs without that loss."
        )
    ]


def _notes(prepared: Prepared, measurements: Sequence[Measurement], cost: Figures) -> list[str]:
    """What a reader must know before believing the figures."""
    scenario = prepared.scenario
    notes = [*causes_of(prepared, measurements), *prepared.notes]
    untold = [name for name, model in prepared.models.items() if full_load(model) is None]
    if untold:
        notes.append(
            f"model.cpu is not given for {', '.join(untold)}: service times count as measured under the limits in "
            "force, and nodes are not checked for too little CPU."
        )
    for version in prepared.service.versions:
        notes += [f"{version.name}: {warning}" for warning in version.arguments.warnings()]
    if any(m.oversubscribed.largest for m in measurements):
        notes.append(
            "With all workers busy, containers on some nodes want more CPU than those nodes have: objectives that look "
            "met are unproven."
        )
    notes += _beyond_the_end(scenario)
    notes += _lost_nodes(scenario)
    if cost["total"] is None:
        notes.append("The price of this virtual machine is not known: give vm_size as a mapping with hourly_price.")
    if scenario.clients.retry == "urllib3":
        notes.append("urllib3's defaults repeat no POST that was answered, so no retries come of them.")
    failed = sum(m.all.requests - m.all.statuses[200] for m in measurements)
    of_latency = [name for name, _ in scenario.objectives.given() if name in LATENCIES]
    if failed and of_latency:
        share = failed / sum(m.all.requests for m in measurements)
        notes.append(
            f"{', '.join(of_latency)}: of requests answered 200 only. The {share:.3%} that were not have no latency; "
            "success_rate tells of them."
        )
    refused = [event for event in measurements[0].events if event.kind == "operation_refused"]
    notes += [f"At {event.at / 1e6:g} s the update of {event.subject} was refused: {event.detail}" for event in refused]
    left_out = measurements[0].events_left_out
    if left_out:
        notes.append(f"{left_out} further events are not listed.")
    return notes
