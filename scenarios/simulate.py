"""One replication of a scenario, in a world of its own."""

from collections.abc import Callable, Mapping
from functools import partial

from akstwin.clock import Micros
from akstwin.domain.lifecycles import PodState
from akstwin.scenarios.load import Prepared
from akstwin.scenarios.measure import InTotal, Measurement, label_of
from akstwin.scenarios.opening import Listeners, Opened, open_world, plan
from akstwin.scenarios.users import UserWatch, users_of
from akstwin.sim.calendar import Order
from akstwin.sim.controller import CapacityObserver
from akstwin.sim.engine.choice import EngineName
from akstwin.sim.pods import Pod
from akstwin.sim.recording import ByService, Recorder, ReplicaRecorder
from akstwin.sim.world import SimulatedService, World

PROGRESS_STEPS = 100


def measurement_of(prepared: Prepared) -> Measurement:
    """An empty measurement of the scenario; of several services, with one for each."""
    scenario = prepared.scenario
    window = scenario.warm_up, scenario.duration
    if not prepared.services:
        return Measurement(*window, [version.name for version in prepared.service.versions])
    services = {part.service.name: measurement_of(part) for part in prepared.services}
    labels = [label_of(name, version) for name, each in services.items() for version in each.by_version]
    return Measurement(*window, labels, services)


def build(
    prepared: Prepared,
    replication: int,
    measurement: Measurement,
    recorder: Recorder | None = None,
    engine: EngineName = "reference",
) -> Opened:
    """The world at t = 0, with everything planned.

    Args:
        prepared: the scenario.
        replication: 1, 2, …
        measurement: hears everything.
        recorder: likewise; one that tells services apart (`ByService`) hears of each under its name.
        engine: carries the requests.

    Raises:
        InvalidSetting: the scenario cannot begin so: its replicas do not fit.
    """
    measured = measurement.services or {prepared.service.name: measurement}
    apart = {name: recorder.of(name) for name in measured} if isinstance(recorder, ByService) else {}
    listeners = {
        part.service.name: _listeners(part, replication, measurement, apart.get(part.service.name))
        for part in prepared.parts
    }

    def begin(world: World) -> None:
        _follow_cluster(world, measurement, measured)
        if isinstance(recorder, ByService):
            world.recorders.cluster.append(recorder)
        if isinstance(recorder, ReplicaRecorder):
            world.pods.watchers.append(partial(_tell_replica, world, recorder, apart))

    opened = open_world(
        prepared,
        replication=replication,
        recorders=[] if recorder is None or isinstance(recorder, ByService) else [recorder],
        listeners=listeners,
        cluster_made=begin,
        watched=any(part.scenario.policies for part in prepared.parts),
        engine=engine,
    )
    plan(opened, prepared)
    for part in prepared.parts:
        service, scenario = opened.services[part.service.name], part.scenario
        service.send(scenario.traffic, scenario.clients, (scenario.warm_up, scenario.duration))
        _sample(opened.world, service, measured[part.service.name])
    if measurement.services:
        opened.world.calendar.at(prepared.scenario.duration, Order.SAMPLE, measurement.end)
    return opened


def _listeners(part: Prepared, replication: int, total: Measurement, recorder: Recorder | None) -> Listeners:
    """Who hears of one service: what measures it, its users, the total of several, and who asked to hear of it."""
    name = part.service.name
    own = total.services.get(name, total)
    recorders: list[Recorder] = [own]
    observers: list[CapacityObserver] = [own]
    if total.services:
        in_total = InTotal(total, name)
        recorders.append(in_total)
        observers.append(in_total)
    if users_of(part.scenario):
        recorders.append(UserWatch(part, replication, own))
    if recorder is not None:
        recorders.append(recorder)
    return Listeners(recorders, observers)


def _tell_replica(world: World, recorder: ReplicaRecorder, apart: Mapping[str, Recorder], pod: Pod) -> None:
    world.calendar.collect()  # the answers that came before
    node = None if pod.node is None else pod.node.number
    of_service = apart.get(pod.owner.name, recorder)
    assert isinstance(of_service, ReplicaRecorder)  # noqa: S101 - what hears of a service hears of its replicas too
    of_service.replica_changed(
        world.calendar.now,
        pod.number,
        pod.version,
        pod.state.value,
        node,
        seen=pod.seen and pod.state is not PodState.GONE,
    )


def _follow_cluster(world: World, total: Measurement, measured: Mapping[str, Measurement]) -> None:
    """Let everybody hear of nodes, and each service of what its pods have reserved."""
    all_of_them = [*total.services.values(), total]

    def nodes(count: int) -> None:
        for each in all_of_them:
            each.nodes.set(count, world.calendar.now)

    def oversubscribed(count: int) -> None:
        for each in all_of_them:
            each.oversubscribed.set(count, world.calendar.now)

    world.nodes.on_count, world.nodes.on_oversubscribed = nodes, oversubscribed
    world.pods.on_reserved = lambda service, cpu: measured[service].reserved.set(cpu, world.calendar.now)
    nodes(len(world.nodes.all))
    world.recorders.cluster += all_of_them


def replicate(
    prepared: Prepared,
    replication: int,
    recorder: Recorder | None = None,
    progress: Callable[[float], None] = lambda _: None,
    engine: EngineName = "reference",
) -> Measurement:
    """Run one replication to its last answer.

    Args:
        prepared: the scenario.
        replication: 1, 2, …
        recorder: hears everything too.
        progress: told the share that is done.
        engine: carries the requests; what is measured does not depend on it.
    """
    measurement = measurement_of(prepared)
    opened = build(prepared, replication, measurement, recorder, engine)
    for step in range(1, PROGRESS_STEPS + 1):
        opened.world.run_until(Micros(prepared.scenario.duration * step // PROGRESS_STEPS))
        progress(step / PROGRESS_STEPS)
    opened.world.run_to_the_last_answer()
    for name, service in opened.services.items():
        _conclude(measurement.services.get(name, measurement), service)
    measurement.add_up()
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
            measurement.end()

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
