"""What a reader must know before believing a result's figures: of one service, or of several together."""

from collections.abc import Sequence

from akstwin.domain.units import format_duration
from akstwin.domain.workload import StepArrivals, TraceArrivals
from akstwin.scenarios.causes import causes_of
from akstwin.scenarios.load import Prepared
from akstwin.scenarios.measure import Measurement, of_service
from akstwin.scenarios.objectives import LATENCIES, survival_asked
from akstwin.scenarios.services import placed
from akstwin.scenarios.users import users_notes
from akstwin.scenarios.wording import share
from akstwin.sim.pods import full_load


def notes_of(prepared: Prepared, measurements: Sequence[Measurement], cost: float | None) -> list[str]:
    """The notes: causes of harm come first, the most harmful one first.

    Args:
        prepared: the scenario. Of several services, each note names its service; one of them has only notes of its own, and
            those of the cluster stand with the total.
        measurements: of its replications.
        cost: the total; None: the price is not known.
    """
    notes = [*causes_of(prepared, measurements), *prepared.notes]
    if not prepared.services:
        notes += _of_service(prepared, measurements)
    for part in prepared.services:
        own = of_service(measurements, part.service.name)
        notes += [f"{part.service.name}: {note}" for note in _of_service(part, own)]
    if prepared.services:
        notes += [*_beyond_the_end(prepared), *_of_latencies(prepared, measurements), *_shares(prepared, measurements)]
    if not prepared.where:
        notes += _of_cluster(prepared, measurements, cost)
    left_out = measurements[0].events_left_out
    if left_out:
        notes.append(f"{left_out} further events are not listed.")
    return notes


def _of_service(prepared: Prepared, measurements: Sequence[Measurement]) -> list[str]:
    """Notes on one service."""
    notes = []
    untold = [name for name, model in prepared.models.items() if full_load(model) is None]
    if untold:
        notes.append(
            f"model.cpu is not given for {', '.join(untold)}: service times count as measured under the limits in "
            "force, and nodes are not checked for too little CPU."
        )
    for version in prepared.service.versions:
        notes += [f"{version.name}: {warning}" for warning in version.arguments.warnings()]
    notes += _beyond_the_end(prepared)
    if prepared.scenario.clients.retry == "urllib3":
        notes.append("urllib3's defaults repeat no POST that was answered, so no retries come of them.")
    notes += _of_latencies(prepared, measurements)
    notes += users_notes(prepared, measurements)
    refused = [event for event in measurements[0].events if event.kind == "operation_refused"]
    notes += [f"At {event.at / 1e6:g} s the update of {event.subject} was refused: {event.detail}" for event in refused]
    return notes


def _of_cluster(prepared: Prepared, measurements: Sequence[Measurement], cost: float | None) -> list[str]:
    """Notes on what all services share."""
    notes = []
    if any(m.oversubscribed.largest for m in measurements):
        notes.append(
            "With all workers busy, containers on some nodes want more CPU than those nodes have: objectives that look "
            "met are unproven."
        )
    notes += _lost_nodes(prepared)
    if cost is None:
        notes.append("The price of this virtual machine is not known: give vm_size as a mapping with hourly_price.")
    return notes


def _shares(prepared: Prepared, measurements: Sequence[Measurement]) -> list[str]:
    """How the cluster's cost is shared out."""
    parts = []
    for part in prepared.services:
        own = of_service(measurements, part.service.name)
        parts.append(f"{part.service.name} {share(sum(each.cost_share for each in own) / len(own))}")
    return [
        (
            "The cluster's cost is counted once, and shared out by the CPU that each service's pods, side-cars included, have "
            f"reserved on nodes over the window: {', '.join(parts)}."
        )
    ]


def _of_latencies(prepared: Prepared, measurements: Sequence[Measurement]) -> list[str]:
    """That latency objectives say nothing of requests that have no latency."""
    failed = sum(m.all.requests - m.all.statuses[200] for m in measurements)
    of_latency = [name for name, _ in prepared.scenario.objectives.given() if name in LATENCIES]
    if not (failed and of_latency):
        return []
    part = failed / sum(m.all.requests for m in measurements)
    return [
        (
            f"{', '.join(of_latency)}: of requests answered 200 only. The {part:.3%} that were not have no latency; "
            "success_rate tells of them."
        )
    ]


def _beyond_the_end(prepared: Prepared) -> list[str]:
    """What was planned and can never have happened; faults are the file's, not a service's."""
    scenario, where = prepared.scenario, prepared.where
    faults = [] if where else list(enumerate(scenario.faults))
    late = [f"faults[{at}]" for at, fault in faults if fault.at >= scenario.duration]
    late += [
        placed(where, f"operations[{at}]")
        for at, each in enumerate(scenario.operations)
        if each.at >= scenario.duration
    ]
    notes = [f"{', '.join(late)}: planned for after the end of the duration, so without effect."] if late else []
    for at, entry in enumerate(scenario.traffic):
        place = placed(where, f"traffic[{at}]")
        if isinstance(entry, TraceArrivals):
            unused = sum(instant >= scenario.duration for instant in entry.instants)
            if unused:
                notes.append(f"{place}: {unused} of its instants lie beyond the duration and do not count.")
        elif isinstance(entry, StepArrivals) and entry.at[0] >= scenario.duration:
            notes.append(f"{place}: begins after the end of the duration, so without effect.")
    return notes


def _lost_nodes(prepared: Prepared) -> list[str]:
    """What `survives` is about, and what it is not."""
    asked = survival_asked(prepared)
    if asked is None:
        return []
    scenario = prepared.scenario
    at = format_duration(scenario.warm_up if asked.at is None else asked.at)
    lasts = "to the end" if asked.lasts is None else f"for {format_duration(asked.lasts)}"
    return [
        (
            f"survives: each of the {scenario.cluster.nodes} nodes was lost in turn at {at}, {lasts}, in runs of its own; the "
            "worst counts. All other figures are of the runs without that loss."
        )
    ]
