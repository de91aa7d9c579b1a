"""One replication of a scenario, in a world of its own."""

from collections.abc import Callable
from functools import partial

from akstwin.clock import Micros
from akstwin.domain.lifecycles import PodState
from akstwin.scenarios.load import Prepared
from akstwin.scenarios.measure import Measurement
from akstwin.scenarios.opening import Opened, open_world, plan
from akstwin.scenarios.users import UserWatch, users_of
from akstwin.sim.calendar import Order
from akstwin.sim.pods import Pod
from akstwin.sim.recording import Recorder, ReplicaRecorder
from akstwin.sim.world import SimulatedService, World

PROGRESS_STEPS = 100


def build(prepared: Prepared, replication: int, measurement: Measurement, recorder: Recorder | None = None) -> Opened:
    """The world at t = 0, with everything planned.

    Args:
        prepared: the scenario.
        replication: 1, 2, …
        measurement: hears everything.
        recorder: likewise.

    Raises:
        InvalidSetting: the scenario cannot begin so: its replicas do not fit.
    """
    scenario = prepared.scenario

    def count_nodes(world: World) -> None:
        world.nodes.on_count = lambda count: measurement.nodes.set(count, world.calendar.now)
        world.nodes.on_oversubscribed = lambda count: measurement.oversubscribed.set(count, world.calendar.now)
        measurement.nodes.set(len(world.nodes.all), 0)
        if isinstance(recorder, ReplicaRecorder):
            world.pods.watchers.append(partial(_tell_replica, world, recorder))

    recorders: list[Recorder] = [measurement]
    if users_of(scenario):
        recorders.append(UserWatch(scenario, replication, measurement))
    if recorder is not None:
        recorders.append(recorder)
    opened = open_world(
        prepared,
        replication=replication,
        recorders=recorders,
        observers=[measurement],
        cluster_made=count_nodes,
        watched=bool(scenario.policies),
    )
    plan(opened, prepared)
    opened.service.send(scenario.traffic, scenario.clients, (scenario.warm_up, scenario.duration))
    _sample(opened.world, opened.service, measurement)
    return opened


def _tell_replica(world: World, recorder: ReplicaRecorder, pod: Pod) -> None:
    world.calendar.collect()  # the answers that came before
    node = None if pod.node is None else pod.node.number
    recorder.replica_changed(
        world.calendar.now,
        pod.number,
        pod.version,
        pod.state.value,
        node,
        seen=pod.seen and pod.state is not PodState.GONE,
    )


def replicate(
    prepared: Prepared,
    replication: int,
    recorder: Recorder | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> Measurement:
    """Run one replication to its last answer.

    Args:
        prepared: the scenario.
        replication: 1, 2, …
        recorder: hears everything too.
        progress: told the share that is done.
    """
    scenario = prepared.scenario
    measurement = Measurement(
        scenario.warm_up, scenario.duration, [version.name for version in prepared.service.versions]
    )
    opened = build(prepared, replication, measurement, recorder)
    world, service = opened.world, opened.service
    for step in range(1, PROGRESS_STEPS + 1):
        world.run_until(Micros(scenario.duration * step // PROGRESS_STEPS))
        progress(step / PROGRESS_STEPS)
    world.run_to_the_last_answer()
    _conclude(measurement, service)
    opened.close()
    return measurement


def _sample(world: World, service: SimulatedService, measurement: Measurement) -> None:
    """Plan the looks that the timeline is made from, and those at the window's edges."""
    warm_up, duration = measurement.window
    versions = list(measurement.by_version)
    last = {"ready": 0, "desired": 0, "queued": 0}
    busy_at_start: dict[str, int] = {}

    def look(at: int) -> None:
        measurement.ready_in_all.advance(at)
        measurement.desired_in_all.advance(at)
        now = {
            "ready": measurement.ready_in_all.total,
            "desired": measurement.desired_in_all.total,
            "queued": sum(service.plane.usage(name).queued_area for name in versions),
        }
        measurement.sample(at, *(now[name] - last[name] for name in ("ready", "desired", "queued")))
        last.update(now)

    def edge(*, end: bool) -> None:
        for name in versions:
            area = service.plane.usage(name).busy_area
            if end:
                measurement.busy_slots[name] = area - busy_at_start[name]
            else:
                busy_at_start[name] = area
        if end:
            for each in (*measurement.ready.values(), *measurement.desired.values(), measurement.ready_in_all,
                         measurement.desired_in_all, measurement.nodes, measurement.oversubscribed):  # fmt: skip
                each.advance(duration)

    for at in range(measurement.step, duration, measurement.step):
        world.calendar.at(at, Order.SAMPLE, partial(look, at))
    world.calendar.at(duration, Order.SAMPLE, lambda: look(duration))
    world.calendar.at(warm_up, Order.SAMPLE, lambda: edge(end=False))
    world.calendar.at(duration, Order.SAMPLE, lambda: edge(end=True))


def _conclude(measurement: Measurement, service: SimulatedService) -> None:
    record = service.controller.life
    measurement.state = record.state.value
    measurement.shares = service.controller.split.shares()
    measurement.operations = [
        {
            "kind": operation.kind,
            "started": operation.started / 1e6,
            "ended": None if operation.ended is None else operation.ended / 1e6,
            "state": operation.state.value,
            "error": None if operation.error is None else f"{operation.error.code}: {operation.error.message}",
        }
        for operation in record.operations
    ]
