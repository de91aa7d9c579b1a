"""Why requests failed or were slow, as far as the simulator knows it: in sentences, the most harmful cause first."""

from collections.abc import Iterator, Sequence
from typing import Final

from akstwin.clock import SECOND
from akstwin.domain.cluster import capacity, reserved
from akstwin.domain.resources import Resources
from akstwin.domain.units import format_duration, megabytes, millicores
from akstwin.scenarios.load import Prepared
from akstwin.scenarios.measure import Measurement, Refusals, Troubles, of_service
from akstwin.scenarios.wording import count, one_line, span
from akstwin.sim.pods import stretch

_SCALE_UP_AFTER: Final = 1
"""Seconds by which the autoscaler may have asked before the first refusal that it came too late for."""
Cause = tuple[float, str]
"""How many requests were harmed in a replication, and the sentence."""


def causes_of(prepared: Prepared, measurements: Sequence[Measurement]) -> list[str]:
    """One sentence or two for each cause, in the order of harm; of several services, each names its service.

    Args:
        prepared: the scenario.
        measurements: of its replications.
    """
    found = [
        (harm, f"{part.service.name}: {sentence}")
        for part in prepared.services
        for harm, sentence in _causes(part, of_service(measurements, part.service.name))
    ]
    if not prepared.services:
        found = _causes(prepared, measurements)
    return [sentence for _, sentence in sorted(found, key=lambda cause: -cause[0])]


def _causes(prepared: Prepared, measurements: Sequence[Measurement]) -> list[Cause]:
    """Those of one service."""
    return [
        *_no_room(prepared, measurements),
        *_probes(prepared, measurements),
        *_memory(measurements),
        *_late(measurements),
        *_restarts(prepared, measurements),
        *_throttled(prepared),
    ]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _on_average(measurements: Sequence[Measurement]) -> str:
    return " a replication" if len(measurements) > 1 else ""


def _no_room(prepared: Prepared, measurements: Sequence[Measurement]) -> Iterator[Cause]:
    most, wanted = max(each.troubles.most_waiting for each in measurements)
    if not most:
        return
    runs = _on_average(measurements)
    harm = _mean([each.troubles.refused_without_room for each in measurements])
    requests = {version.settings.request for version in prepared.service.versions}
    shortest = max(requests, key=lambda request: _part(prepared, request)[0])
    _, short = _part(prepared, shortest)
    asked, room = shortest + _side_car(prepared), _room(prepared)
    others = "router pods and the other services' pods" if prepared.where else "router pods"
    yield (
        harm,
        (
            f"Only {wanted - most} of {wanted} replicas found room: each asks for {_resources(asked)} with its side-car, and a "
            f"node has {_resources(room)} for pods, of which {others} take some; {short} is short. {count(harm)} requests"
            f"{runs} were refused meanwhile. Add nodes, take larger ones, or ask for less."
        ),
    )


def _side_car(prepared: Prepared) -> Resources:
    assumed = prepared.scenario.assumptions
    return Resources(millicores(assumed.sidecar_cpu), megabytes(assumed.sidecar_memory_gb))


def _room(prepared: Prepared) -> Resources:
    """What a node has for pods, routers among them."""
    size, assumed = prepared.scenario.cluster.vm_size, prepared.scenario.assumptions
    daemons = Resources(millicores(assumed.node_daemons_cpu), megabytes(assumed.node_daemons_memory_gb))
    return capacity(size) - reserved(size, assumed.max_pods_per_node) - daemons


def _part(prepared: Prepared, request: Resources) -> tuple[float, str]:
    """The largest part of a node that a pod asks for, and of what."""
    asked, room = request + _side_car(prepared), _room(prepared)
    pairs = ((asked.cpu, room.cpu, "CPU"), (asked.memory, room.memory, "memory"), (asked.gpu, room.gpu, "GPU"))
    return max((want / have if have > 0 else float("inf"), name) for want, have, name in pairs if want)


def _resources(amount: Resources) -> str:
    gpu = f" and {amount.gpu} GPU" if amount.gpu else ""
    return f"{_cores(amount.cpu)}{' and' if not gpu else ','} {amount.memory / 1000:g} GB{gpu}"


def _cores(cpu: int) -> str:
    return f"{cpu / 1000:g} core{'' if cpu == 1000 else 's'}"


def _probes(prepared: Prepared, measurements: Sequence[Measurement]) -> Iterator[Cause]:
    kills = _mean([each.counts["liveness_failed"] for each in measurements])
    if not kills:
        return
    runs = _on_average(measurements)
    harm = _mean([each.troubles.harmed_by_probes for each in measurements])
    hung = any(fault.kind == "replica_hang" for fault in prepared.scenario.faults)
    probe = prepared.service.versions[0].settings.liveness
    yield (
        harm,
        (
            f"Liveness probes stopped {'busy or hung' if hung else 'busy'} containers {count(kills)} times"
            f"{runs}: one whose workers are all busy does not answer within timeout_seconds "
            f"({probe.timeout / SECOND:g} s), and {probe.failure_threshold} missed probes end it, from "
            f"{format_duration(probe.initial_delay)} after its start on. {count(harm)} requests were lost or refused meanwhile. "
            "Shorter requests, more workers, or a larger timeout_seconds or failure_threshold help."
        ),
    )


def _memory(measurements: Sequence[Measurement]) -> Iterator[Cause]:
    kills = _mean([each.counts["oom_killed"] for each in measurements])
    if not kills:
        return
    runs = _on_average(measurements)
    harm = _mean([each.troubles.harmed_by_memory for each in measurements])
    why = {version: told for each in _troubles(measurements) for version, told in each.killed_for.items()}
    each_why = " ".join(f"{one_line(version)}: {told}." for version, told in sorted(why.items()))
    yield (
        harm,
        (
            f"Containers were killed for their memory {count(kills)} times{runs}. {each_why} {count(harm)} "
            f"requests{runs} were lost or refused meanwhile. Raise memory_gb_limit, or let fewer requests into a container at "
            "once: a smaller replica_max_concurrent_requests, or a scoring_timeout_ms that the model keeps, as a request that "
            "has timed out stays in its container."
        ),
    )


def _late(measurements: Sequence[Measurement]) -> Iterator[Cause]:
    stretches = [[each for each in one.refusals() if _is_late(each, one.scale_ups)] for one in _troubles(measurements)]
    harm = _mean([sum(each.count for each in some) for some in stretches])
    if not harm:
        return
    runs = _on_average(measurements)
    worst = max((each for some in stretches for each in some), key=lambda each: each.count)
    yield (
        harm,
        (
            f"Scale-ups came too late: {count(harm)} requests{runs} were refused until new replicas were ready; at "
            f"worst for {span(worst.ended - worst.began)} from {span(worst.began)} on ({count(worst.count)} of them). A larger "
            "autoscale_min_replicas, a lower autoscale_target_utilization, or a longer max_request_wait_time helps."
        ),
    )


def _troubles(measurements: Sequence[Measurement]) -> Iterator[Troubles]:
    return (each.troubles for each in measurements)


def _is_late(refusals: Refusals, scale_ups: Sequence[int]) -> bool:
    return any(refusals.began - _SCALE_UP_AFTER <= at <= refusals.ended for at in scale_ups)


def _restarts(prepared: Prepared, measurements: Sequence[Measurement]) -> Iterator[Cause]:
    exits = _mean(
        [
            max(0, each.counts["container_exited"] - each.counts["liveness_failed"] - each.counts["oom_killed"])
            for each in measurements
        ]
    )
    if not exits:
        return
    runs = _on_average(measurements)
    lost = _mean([each.troubles.lost for each in measurements])
    faults = sorted(
        {fault.kind for fault in prepared.scenario.faults if fault.kind in ("replica_kill", "crash_on_request")}
    )
    why = f" ({', '.join(faults)})" if faults else ""
    or_memory = " or their memory" if any(each.counts["oom_killed"] for each in measurements) else ""
    yield (
        lost,
        (
            f"Containers ended and were restarted {count(exits)} times{runs} for another reason than a probe{or_memory}{why}. "
            f"{count(lost)} requests lost their replica in all."
        ),
    )


def _throttled(prepared: Prepared) -> Iterator[Cause]:
    for version in prepared.service.versions:
        wanted, limit = stretch(version, prepared.models[version.name])
        if wanted > limit:
            yield (
                0.0,
                (
                    f"The CPU limit throttles {one_line(version.name)}: its busy workers want {_cores(wanted)}, the limit is "
                    f"{_cores(limit)}, so a request takes {wanted / limit:.3g} times as long. Raise cpu_cores_limit."
                ),
            )
