"""A simulated cluster with its services: what a scenario and the SDK's simulated workspace drive."""

from collections.abc import Callable, Sequence

from akstwin.clock import Micros
from akstwin.cores.management import Lifecycle
from akstwin.cores.routing import RouterRules
from akstwin.dataplane import ContainerSpec
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.cluster import ClusterSpec
from akstwin.domain.faults import Fault
from akstwin.domain.profile import ModelProfile
from akstwin.domain.service import ServiceSpec, VersionSpec
from akstwin.domain.workload import Clients, Traffic
from akstwin.sim.calendar import Calendar
from akstwin.sim.controller import CapacityObserver, ServiceController
from akstwin.sim.engine.choice import EngineName
from akstwin.sim.engine.compiled import CompiledEngine
from akstwin.sim.engine.contents import Contents
from akstwin.sim.engine.outcomes import Outcomes
from akstwin.sim.engine.reference import EngineSettings, ReferenceEngine
from akstwin.sim.faults import Faults, InjectedFault
from akstwin.sim.load.plan import Load, LoadPlan
from akstwin.sim.load.request_index import RequestIdentity, split_draws
from akstwin.sim.models import ModelDraws
from akstwin.sim.nodes import Nodes
from akstwin.sim.pods import Pods
from akstwin.sim.recording import Recorder, Recorders, ServiceRecorders
from akstwin.sim.streams import Draws, make_room
from akstwin.sim.workqueue import WorkQueue


class World:
    """One cluster, its services, their traffic, in virtual time.

    Args:
        cluster: what it runs on.
        assumptions: what is assumed.
        seed: of all chance.
        replication: 1, 2, …: the same world with other chance.
        calendar: tells the time; several worlds may share one.
        engine: what carries requests: the reference, or the compiled one, which does the same and has a calendar to itself.

    Raises:
        InvalidSetting: a cluster that the service would not attach.
    """

    def __init__(
        self,
        cluster: ClusterSpec,
        assumptions: Assumptions,
        seed: int,
        replication: int = 1,
        calendar: Calendar | None = None,
        engine: EngineName = "reference",
    ) -> None:
        self.engine = engine
        self.assumptions = assumptions
        self.calendar = Calendar() if calendar is None else calendar
        self.recorders = Recorders(self.calendar.collect)
        self.nodes = Nodes(cluster, assumptions, self.calendar, self.recorders)
        self.pods = Pods(self.nodes, assumptions, self.calendar, self.recorders)
        self.queue = WorkQueue(self.calendar)
        self._faults = Faults(self.calendar, self.pods, self.recorders)
        self._of = (seed, replication)
        self._added = 0
        self.services: dict[str, SimulatedService] = {}

    def record(self, recorder: Recorder) -> None:
        """Let `recorder` hear all that happens from now on."""
        self.recorders.all.append(recorder)

    def add(
        self,
        spec: ServiceSpec,
        lifecycle: Lifecycle,
        observers: Sequence[CapacityObserver],
        model: Callable[[VersionSpec], ModelProfile],
        contents: Contents,
        entity: str,
        recorders: Sequence[Recorder] = (),
    ) -> "SimulatedService":
        """A service that is not started yet.

        Args:
            spec: the service.
            lifecycle: holds its states and operations.
            observers: hear how many replicas there are.
            model: what the containers of a version cost.
            contents: what its containers answer with.
            entity: goes before its versions' names in the names of its streams of chance.
            recorders: hear what happens to it, and to no other.
        """
        self._added += 1
        service = self.services[spec.name] = SimulatedService(
            self, spec, lifecycle, observers, model, contents, self._of, entity, self._added, recorders
        )
        return service

    def forget(self, service: "SimulatedService") -> None:
        """The service has been deleted, and its last pod is gone."""
        if self.services.get(service.controller.name) is service:
            del self.services[service.controller.name]
        self.pods.forget(service.controller)

    def plan_fault(self, fault: Fault, service: "SimulatedService") -> InjectedFault:
        """Break something at its time."""
        return self._faults.plan(fault, service.controller)

    def run_until(self, instant: Micros) -> None:
        """Let everything happen up to `instant`, that instant included."""
        self.calendar.run_until(instant)
        self.calendar.collect()

    def run_to_the_last_answer(self) -> None:
        """Go on until every request of the result's window has its answer; traffic goes on meanwhile."""
        planes = [service.plane for service in self.services.values()]
        for plane in planes:
            plane.stop_at_the_last_answer()
        while any(plane.pending_counted for plane in planes):
            self.calendar.step()
        self.calendar.collect()


class SimulatedService:
    """One service in a world: its control plane, its data plane, its traffic."""

    def __init__(
        self,
        world: World,
        spec: ServiceSpec,
        lifecycle: Lifecycle,
        observers: Sequence[CapacityObserver],
        model: Callable[[VersionSpec], ModelProfile],
        contents: Contents,
        of: tuple[int, int],
        entity: str,
        ordinal: int,
        recorders: Sequence[Recorder],
    ) -> None:
        self.world = world
        self.recorders = ServiceRecorders(world.recorders, recorders)
        self._of = of
        self._entity = entity
        self._load_entity = ""
        """Goes before traffic entries in the names of streams: entries of a workspace are numbered across its services."""
        self._models: dict[tuple[str, ModelProfile], ModelDraws] = {}
        self._split: dict[tuple[int, int], Draws] = {}
        self.on_outcomes: list[Callable[[Outcomes], None]] = []
        """Take every batch of the service's outcomes, after the world's recorders."""
        assumed = world.assumptions
        rules = RouterRules(
            max_queue_length=assumed.max_queue_length,
            when_no_replica_ready=assumed.when_no_replica_ready,
            slot_released_on_timeout=assumed.slot_released_on_timeout,
            refused_connection=assumed.refused_connection,
            run_failure_status=assumed.run_failure_status,
            max_payload=assumed.max_payload,
        )
        settings = EngineSettings(assumed.router_overhead, assumed.worker_timeout)
        common = world.calendar, self._draws_of_container, self._deliver, world.pods
        self.plane: ReferenceEngine | CompiledEngine
        if world.engine == "compiled":
            self.plane = CompiledEngine(rules, settings, *common)
        else:
            self.plane = ReferenceEngine(spec.name, rules, settings, *common, contents)
        self.controller = ServiceController(
            spec, lifecycle, self.plane, world.pods, world.nodes, world.queue, assumed, world.calendar, self.recorders,
            model, self._draws, observers, ordinal, contents.problem,
        )  # fmt: skip

    def send(self, traffic: Sequence[Traffic], clients: Clients, window: tuple[int, int], first: int = 0) -> Load:
        """Let clients call, from now on.

        Args:
            traffic: arrivals and users who wait, added up; their instants count from now.
            clients: what they do with a refusal.
            window: requests that arrive within it count.
            first: the number of the first entry: no two entries of a service may have the same.

        Returns:
            The load, to follow it and to stop it.
        """
        return self.plane.generate(
            LoadPlan(tuple(traffic), clients, *self._of, window, first, self.world.calendar.now, self._load_entity)
        )

    @property
    def sources(self) -> Sequence[Load]:
        """All load that clients have been let send."""
        return self.plane.loads

    def take_chance(self, seed: int, replication: int) -> None:
        """From now on run times, failures, start-up times and the split of identified requests are those of a scenario's run.

        Args:
            seed: of the scenario.
            replication: 1, 2, …
        """
        self._of, self._load_entity = (seed, replication), self._entity
        self._models.clear()
        self._split.clear()
        for version in self.controller.spec.versions:
            self.controller.reprofile(version.name)

    def split_draw(self, identity: RequestIdentity) -> int:
        """What decides the traffic split for a request of simulated traffic."""
        entry, number, attempt = identity
        draws = self._split.get((entry, attempt))
        if draws is None:
            make_room(self._split)
            draws = self._split[entry, attempt] = split_draws(*self._of, entry, attempt, self._load_entity)
        return draws.at(number)

    def _deliver(self, outcomes: Outcomes) -> None:
        self.recorders.answered(outcomes)
        for take in self.on_outcomes:
            take(outcomes)

    def _draws_of_container(self, spec: ContainerSpec) -> ModelDraws:
        return self._draws(spec.version, spec.model)

    def _draws(self, version: str, model: ModelProfile) -> ModelDraws:
        draws = self._models.get((version, model))
        if draws is None:
            draws = self._models[version, model] = ModelDraws(*self._of, self._entity + version, model)
        return draws
