"""The compiled engine: the reference's decisions as machine code, which runs ahead to the next event of the control plane.

The machine code is `akstwin.speedups.native`. What is rare stays here: versions and replicas by name, probes, grace, faults,
and what answers cause. It keeps the reference's order: an event of the data plane that lies here waits on the calendar until the
kernel has come as far (`Calendar.meet`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from math import prod
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from akstwin.clock import NEVER, Micros
from akstwin.cores.routing import KEPT_FORGOTTEN, KeyAuth, RouterRules, TokenAuth
from akstwin.domain.deployment import RouteSettings
from akstwin.domain.lifecycles import REPLICA, ReplicaEvent, ReplicaState
from akstwin.domain.profile import ModelProfile
from akstwin.domain.service import Split
from akstwin.domain.usage import Usage
from akstwin.kubernetes_model import memory
from akstwin.ports.container_runtime import ContainerSpec, InitOutcome, PlaneListener
from akstwin.sim.calendar import Calendar, Order, Timer, key
from akstwin.sim.engine.compiled_load import CompiledLoad
from akstwin.sim.engine.outcomes import Outcomes
from akstwin.sim.engine.probing import Prober, Probing
from akstwin.sim.engine.records import RecordedOutcomes
from akstwin.sim.engine.reference import EngineSettings
from akstwin.sim.load.plan import LoadPlan
from akstwin.sim.load.request_index import split_blocks
from akstwin.sim.models import ModelDraws
from akstwin.sim.requests import Request
from akstwin.speedups.native import load_kernel

_ALONE: Final = 'the compiled engine carries generated load alone: open the world with engine="reference" to ask it'
_AT_ONCE: Final = Order.SAMPLE
"""What the kernel stopped for comes before all else that is still to happen at that instant."""
_REACHED: Final = 0
_FULL: Final = 2
_SERVICE, _FAILURE = 0, 1


class _Timers:
    """The calendar as the prober sees it: its events wait for the kernel."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self.at = calendar.meet

    @property
    def now(self) -> Micros:
        """The present."""
        return self._calendar.now


@dataclass(slots=True)
class _Hosted:
    """One container, as far as the kernel does not know it.

    Attributes:
        place: in the kernel.
    """

    place: int
    spec: ContainerSpec
    started: Micros
    kernel: Any
    probes: list[Probing] = field(default_factory=list)
    grace: Timer | None = None
    hangs: set[int] = field(default_factory=set)
    slowed: dict[int, float] = field(default_factory=dict)
    silent: bool = False

    def drop_probe(self, number: int) -> None:
        """The probe has given up waiting."""
        self.kernel.drop_probe(self.place, number)


@dataclass(slots=True)
class _Version:
    place: int
    replicas: dict[int, "_Replica"] = field(default_factory=dict)


@dataclass(slots=True)
class _Replica:
    place: int
    state: ReplicaState = REPLICA.initial


class CompiledEngine:
    """Router, containers and generated load of one service; implements `RoutingPlane` and `ContainerRuntime`.

    Nobody can wait for an answer of it, and its containers have no contents: `ReferenceEngine` is for that. It has its calendar
    to itself.

    Args:
        rules: of the router.
        settings: the rest of what is assumed.
        calendar: tells the time.
        draws: gives run times to a version under a profile.
        deliver: takes batches of outcomes; it must not call the engine.
        listener: the control plane.

    Attributes:
        auth: what a request must carry; generated load carries it.
        loads: the load that it generates, or has generated.

    Raises:
        RuntimeError: the extension is not there.
    """

    name: Final = "compiled"

    def __init__(
        self,
        rules: RouterRules,
        settings: EngineSettings,
        calendar: Calendar,
        draws: Callable[[ContainerSpec], ModelDraws],
        deliver: Callable[[Outcomes], None],
        listener: PlaneListener,
    ) -> None:
        extension = load_kernel()
        if extension is None:
            raise RuntimeError("the compiled engine needs its extension: akstwin compile makes it")
        self._kernel: Any = extension.Kernel(
            settings.overhead,
            settings.worker_timeout,
            rules.when_no_replica_ready == "queue",
            rules.slot_released_on_timeout == "at_once",
            -1 if rules.max_queue_length is None else rules.max_queue_length,
            rules.run_failure_status,
            self,
        )
        self._calendar = calendar
        self._draws = draws
        self._deliver = deliver
        self._listener = listener
        self._prober = Prober(_Timers(calendar), listener, self._probe)
        self._names: list[str | None] = [None]
        self._name_at: dict[str, int] = {}
        self._versions: dict[str, _Version] = {}
        self._early: dict[str, set[int]] = {}
        self._forgotten: dict[int, None] = {}
        self._split: Split | None = None
        self._hosted: dict[int, _Hosted] = {}
        self._containers: dict[int, tuple[int, _Hosted]] = {}
        self._models: list[ModelDraws] = []
        self._model_at: dict[int, int] = {}
        self._streams: list[Callable[[int], npt.NDArray[np.int64]]] = []
        self.auth: KeyAuth | TokenAuth | None = None
        self.loads: list[CompiledLoad] = []
        self._load_of: dict[int, CompiledLoad] = {}
        calendar.register(self)

    # -- the calendar's engine

    def advance(self, until: int, before: int) -> int:
        """Do what is due up to `until`, there only before a class; or stop where the control plane has to act."""
        run = self._kernel.run
        while True:
            why = run(until, before)
            if why == _FULL:
                self.hand_over()
                continue
            self._report_exits()
            if why == _REACHED:
                return until
            at = self._kernel.now
            reached = self._kernel.take_reached()
            if reached or (self._kernel.to_the_last and not self.pending_counted):
                self._calendar.meet(at, _AT_ONCE, partial(self._reached, reached))
            return min(int(at), until - 1)

    def hand_over(self) -> None:
        """Hand over the outcomes that there are."""
        if self._kernel.outcomes_waiting():
            self._deliver(RecordedOutcomes.of(self._names, self._kernel.take_outcomes()))

    def stop_at_the_last_answer(self) -> None:
        """From now on, stop as soon as no request of the result's window is without an answer."""
        self._kernel.to_the_last = True
        self._calendar.meet(NEVER, Order.SAMPLE, lambda: None)  # so that there is an event to run ahead to

    def _report_exits(self) -> None:
        for at, place, out_of_memory in self._kernel.take_exits():
            replica, hosted = self._containers.pop(place)
            self._prober.stop(hosted.probes)
            if hosted.grace is not None:
                hosted.grace.cancel()
            if self._hosted.get(replica) is hosted:
                del self._hosted[replica]
            self._calendar.meet(at, Order.CONTAINER, self._exited(replica, out_of_memory=out_of_memory), key(replica))

    def _exited(self, replica: int, *, out_of_memory: bool) -> Callable[[], None]:
        return lambda: self._listener.container_exited(replica, "OOMKilled" if out_of_memory else "other")

    def _reached(self, probes: list[int]) -> None:
        for number in probes:
            self._prober.reached(number)

    def _now(self) -> Any:
        """The kernel, at the present."""
        self._kernel.move(self._calendar.now)
        return self._kernel

    def _heard(self) -> None:
        """A call has been carried out: what it ended, and which probes it answered."""
        self._report_exits()
        self._reached(self._kernel.take_reached())

    # -- requests

    def generate(self, plan: LoadPlan) -> CompiledLoad:
        """Let clients call as planned; returns the handle to follow and to stop them."""
        load = CompiledLoad(plan, self._calendar, self._now())
        self.loads.append(load)
        for entry in plan.entries:
            self._load_of[entry] = load
        load.start()
        return load

    def ask(self, request: Request, credential: object, wanted: str | None = None) -> None:
        """Nobody can wait for an answer.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(_ALONE)

    def abort(self, request: Request) -> None:
        """See `ask`.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(_ALONE)

    @property
    def pending_counted(self) -> int:
        """Requests of the result's window that have no answer yet."""
        counted: int = self._kernel.pending_counted
        return counted

    @property
    def population(self) -> int:
        """Attempts that have come in and have no answer."""
        found: int = self._kernel.population
        return found

    def population_area(self) -> int:
        """Attempts without an answer, summed over time so far (Little's law is checked with it)."""
        found: int = self._now().population_area()
        return found

    # -- the kernel's owner

    def add_stream(self, kind: int, model: int, entry: int, attempt: int) -> None:
        """The kernel begins to read a stream of chance: the next place."""
        if kind == _SERVICE:
            blocks = self._models[model].service_blocks(entry, attempt)
        elif kind == _FAILURE:
            blocks = self._models[model].failure_blocks(entry, attempt)
        else:
            plan = self._load_of[entry].plan
            blocks = split_blocks(plan.seed, plan.replication, entry, attempt, plan.service)
        self._streams.append(blocks.block)

    def block(self, stream: int, number: int) -> npt.NDArray[np.int64]:
        """One block of a stream."""
        return self._streams[stream](number)

    def arrivals(self, entry: int) -> npt.NDArray[np.int64]:
        """The entry's next arrivals; none: it has no more."""
        return self._load_of[entry].arrivals(entry)

    def worker_init_time(self, model: int, entry: int, attempt: int, number: int) -> int:
        """How long `init()` takes in a worker that replaces the one ended over this request, µs."""
        return self._models[model].worker_init_time(Request(number, entry, attempt, 0, 0, counted=False))

    def answered(self, entry: int, number: int, attempt: int, status: int, answered: int) -> None:
        """A client has its answer, and may come again."""
        self._load_of[entry].answered(entry, number, attempt, status, answered)

    # -- RoutingPlane

    def _name(self, version: str) -> int:
        at = self._name_at.get(version)
        if at is None:
            at = self._name_at[version] = len(self._name_at)
            self._names.append(version)
        return at

    def configure(self, version: str, settings: RouteSettings) -> None:
        """A version is there, or has changed."""
        known = self._versions.get(version)
        given = settings.slots, settings.max_wait, settings.scoring_timeout
        if known is None:
            self._versions[version] = _Version(self._now().add_version(self._name(version), *given))
            self._apply_split()
            for replica in sorted(self._early.pop(version, ())):
                self._learn(version, replica, ReplicaEvent.SEEN_READY)
            return
        self._now().change_version(known.place, *given)
        self._heard()

    def remove(self, version: str) -> None:
        """A version is there no more."""
        self._now().remove_version(self._versions.pop(version).place)
        self._apply_split()
        self._heard()

    def set_split(self, split: Split | None) -> None:
        """The traffic split; None: no such service."""
        self._split = split
        self._apply_split()

    def _apply_split(self) -> None:
        split, shares, below = self._split, [], 0
        if split is not None:
            for name, share in split.others:
                if share:
                    below += share
                    shares.append((below, self._place(name)))
            if below < Split.WHOLE:
                shares.append((Split.WHOLE, self._place(split.default)))
        self._kernel.set_split(shares, split is not None)

    def _place(self, version: str) -> int:
        known = self._versions.get(version)
        return -1 if known is None else known.place

    def set_auth(self, auth: KeyAuth | TokenAuth | None) -> None:
        """What a request must carry to be let in; generated load carries it from then on."""
        self.auth = auth

    def admit(self, version: str, replica: int, address: str | None = None) -> None:  # noqa: ARG002 - the port's
        """The replica is seen ready."""
        self._learn(version, replica, ReplicaEvent.SEEN_READY)
        self._heard()

    def suspend(self, version: str, replica: int) -> None:
        """The replica is seen unready or dead."""
        self._learn(version, replica, ReplicaEvent.SEEN_UNREADY)

    def withdraw(self, version: str, replica: int) -> None:
        """Nothing more is sent to the replica."""
        self._learn(version, replica, ReplicaEvent.WITHDRAWN)

    def _learn(self, version: str, number: int, event: ReplicaEvent) -> None:
        if number in self._forgotten:
            return
        known = self._versions.get(version)
        if known is None:
            self._learn_early(version, number, event)
            return
        engine = self._now()
        replica = known.replicas.get(number)
        if replica is None:
            replica = known.replicas[number] = _Replica(engine.add_replica(known.place, number))
        replica.state = REPLICA.step(replica.state, event)
        engine.set_ready(replica.place, replica.state is ReplicaState.READY)

    def _learn_early(self, version: str, number: int, event: ReplicaEvent) -> None:
        """Keep what is known of a replica until its version is configured."""
        early = self._early.setdefault(version, set())
        if event is ReplicaEvent.SEEN_READY:
            early.add(number)
        else:
            early.discard(number)

    def forget(self, version: str, replica: int) -> None:
        """The replica is gone."""
        hosted = self._hosted.pop(replica, None)
        if hosted is not None:
            self._prober.stop(hosted.probes)
            self._kernel.unmap(replica)
        self._learn(version, replica, ReplicaEvent.WITHDRAWN)
        self._forgotten[replica] = None
        if len(self._forgotten) > KEPT_FORGOTTEN:
            del self._forgotten[next(iter(self._forgotten))]
        known = self._versions.get(version)
        if known is None:
            return
        self._now().work_lost(self._name(version), replica)
        gone = known.replicas.pop(replica, None)
        if gone is not None:
            self._kernel.forget_replica(gone.place)
        self._heard()

    def usage(self, version: str) -> Usage:
        """How busy the version has been, and is."""
        known = self._versions.get(version)
        return Usage(0, 0, 0, 0, 0) if known is None else Usage(*self._now().usage(known.place))

    def in_flight(self, version: str, replica: int) -> int:
        """Slots taken on one replica."""
        known = self._versions.get(version)
        held = known.replicas.get(replica) if known else None
        return self._kernel.in_flight(held.place) if held else 0

    # -- ContainerRuntime

    def _probe(self, replica: int, number: int) -> None:
        self._now().probe(self._hosted[replica].place, number)
        self._heard()

    def _model(self, spec: ContainerSpec) -> int:
        draws = self._draws(spec)
        at = self._model_at.get(id(draws))
        if at is None:
            at = self._model_at[id(draws)] = self._kernel.add_model(draws.fails_below)
            self._models.append(draws)
        return at

    def start_container(self, replica: int, spec: ContainerSpec, *, ready: bool = False) -> None:
        """It starts: connections are taken, `init()` runs."""
        now = self._calendar.now
        place = self._now().add_container(
            replica, self._name(spec.version), self._model(spec), *spec.stretch, spec.model.workers,
            memory.room(spec.model.memory, spec.memory_limit),
        )  # fmt: skip
        hosted = self._hosted[replica] = _Hosted(place, spec, now, self._kernel)
        self._containers[place] = replica, hosted
        hosted.probes = self._prober.add(replica, hosted, spec, now, ready=ready)

    def initialise_container(self, replica: int) -> InitOutcome:
        """The time that `init()` takes is over."""
        killed = self._now().initialise(self._hosted[replica].place)
        self._heard()
        return "killed" if killed else "ready"

    def stop_container(self, replica: int, grace: Micros) -> None:
        """SIGTERM, and SIGKILL after the grace."""
        hosted = self._hosted.get(replica)
        if hosted is None:  # it has just ended by itself; the listener is about to hear of it
            return
        self._prober.stop(hosted.probes)
        hosted.grace = self._calendar.meet(
            self._calendar.now + grace, Order.CONTAINER, lambda: self.kill_container(replica), key(replica)
        )
        self._now().stop(hosted.place)
        self._heard()

    def kill_container(self, replica: int) -> None:
        """It is dead at once. Of a silent one nobody hears, and its work is lost already."""
        hosted = self._hosted.get(replica)
        if hosted is not None and not hosted.silent:
            self._now().kill(hosted.place)
            self._heard()

    def set_model(
        self, version: str, model: ModelProfile, stretch: tuple[int, int], memory_limit: int | None = None
    ) -> None:
        """The version's containers have another model from now on: what starts in them takes its times."""
        for hosted in self._hosted.values():
            if hosted.spec.version == version:
                spec = hosted.spec = replace(hosted.spec, model=model, stretch=stretch, memory_limit=memory_limit)
                room = memory.room(model.memory, memory_limit)
                self._kernel.set_model(hosted.place, self._model(spec), *stretch, room)

    def silence(self, replica: int) -> None:
        """Its node is lost: nothing comes back from it, what it did is lost."""
        hosted = self._hosted.get(replica)
        if hosted is None:
            return
        hosted.silent = True
        self._now().silence(hosted.place)
        self._prober.stop(hosted.probes)
        if hosted.grace is not None:
            hosted.grace.cancel()

    def restore(self, replica: int) -> None:
        """Its node is back."""
        hosted = self._hosted.get(replica)
        if hosted is None:
            return
        hosted.silent = False
        engine = self._now()
        engine.end_silence(hosted.place)
        engine.work_lost(self._name(hosted.spec.version), replica)
        if engine.is_stopping(hosted.place):  # it has nothing left to finish
            engine.kill(hosted.place)
        else:
            hosted.probes = self._prober.add(replica, hosted, hosted.spec, hosted.started, ready=None)
        self._heard()

    def hang(self, replica: int, fault: int) -> None:
        """Its container stops answering until every fault that holds it is over."""
        hosted = self._hosted.get(replica)
        if hosted is not None:
            hosted.hangs.add(fault)
            self._now().hang(hosted.place)

    def resume(self, replica: int, fault: int) -> None:
        """A fault that made its container hang is over."""
        hosted = self._hosted.get(replica)
        if hosted is None or fault not in hosted.hangs:  # it hung in a container that is gone
            return
        hosted.hangs.remove(fault)
        if not hosted.hangs:
            self._now().resume(hosted.place)
            self._heard()

    def slow_down(self, replica: int, fault: int, factor: float) -> None:
        """Requests that start in its container take this many times as long; factors of several faults are multiplied."""
        hosted = self._hosted.get(replica)
        if hosted is not None:
            hosted.slowed[fault] = factor
            self._kernel.set_factor(hosted.place, prod(sorted(hosted.slowed.values())))

    def speed_up(self, replica: int, fault: int) -> None:
        """A fault that slowed its container down is over."""
        hosted = self._hosted.get(replica)
        if hosted is not None and hosted.slowed.pop(fault, None) is not None:
            self._kernel.set_factor(hosted.place, prod(sorted(hosted.slowed.values())))

    def crash_on_request(self, version: str, request: int, *, every: bool, times: int) -> None:
        """A container dies as it starts the version's `request`-th request from now."""
        self._kernel.add_crash(self._name(version), request, every, times)
