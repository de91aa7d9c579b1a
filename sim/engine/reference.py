"""The reference engine: `cores.routing` and `cores.container` driven by a calendar, one event a step.

Readable before fast: what another engine does is right if it does the same. The calendar may be a simulation's, or one that a
server's clock steps.
"""

from collections.abc import Callable
from dataclasses import dataclass

from akstwin.clock import NEVER, Micros
from akstwin.cores.routing import (
    Action,
    Credential,
    Dispatch,
    KeyAuth,
    Requeue,
    Router,
    RouterRules,
    TokenAuth,
)
from akstwin.domain.credentials import TRUSTED
from akstwin.domain.deployment import RouteSettings
from akstwin.domain.profile import ModelProfile
from akstwin.domain.service import Split
from akstwin.domain.usage import Usage
from akstwin.ports.container_runtime import ContainerSpec, InitOutcome, PlaneListener
from akstwin.sim.calendar import Calendar, Order
from akstwin.sim.engine.containers import Containers
from akstwin.sim.engine.contents import Contents
from akstwin.sim.engine.outcomes import BATCH, OutcomeBuffer, Outcomes
from akstwin.sim.load.generator import LoadGenerator
from akstwin.sim.load.plan import LoadPlan
from akstwin.sim.models import ModelDraws
from akstwin.sim.requests import Request


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What an engine assumes beside the router's rules.

    Attributes:
        overhead: added to the latency of every forwarded answer.
        worker_timeout: after which the server ends a worker.
    """

    overhead: Micros
    worker_timeout: Micros


class ReferenceEngine:
    """Router, containers and generated load of one service; implements `RoutingPlane` and `ContainerRuntime`.

    The calendar steps it event by event, so that it never runs ahead; it registers there while it has outcomes to hand over.

    Args:
        service: its name.
        rules: of the router.
        settings: the rest of what is assumed.
        calendar: tells the time.
        draws: gives run times to a version under a profile.
        deliver: takes batches of outcomes; it must not call the engine.
        listener: the control plane.
        contents: what answers in a container where somebody waits for the very answer.

    Attributes:
        auth: what a request must carry.
        loads: the load that it generates, or has generated.
        pending_counted: requests of the result's window that have no answer yet.
    """

    def __init__(
        self,
        service: str,
        rules: RouterRules,
        settings: EngineSettings,
        calendar: Calendar,
        draws: Callable[[ContainerSpec], ModelDraws],
        deliver: Callable[[Outcomes], None],
        listener: PlaneListener,
        contents: Contents,
    ) -> None:
        self.router = Router(service, rules)
        self._overhead = settings.overhead
        self._calendar = calendar
        self._outcomes = OutcomeBuffer(deliver)
        self._containers = Containers(
            self.router, self._perform, settings.worker_timeout, calendar, draws, listener, contents
        )
        self.loads: list[LoadGenerator] = []
        self._load_of: dict[int, LoadGenerator] = {}
        self._waiting_entries: set[int] = set()
        self.auth: KeyAuth | TokenAuth | None = None
        self._requests: dict[int, Request] = {}
        self._arrivals = 0
        self._timeout_armed: int = NEVER
        self._deadline_armed: int = NEVER
        self.pending_counted = 0
        self._population_area = 0
        self._population_since = 0

    # -- the calendar's engine

    def advance(self, until: int, before: int) -> int:  # noqa: ARG002 - the port's
        """The calendar has stepped it as far already."""
        return until

    def hand_over(self) -> None:
        """Hand over the outcomes that there are."""
        self._calendar.drop(self)
        self._outcomes.flush()

    def stop_at_the_last_answer(self) -> None:
        """It never runs ahead."""

    # -- requests

    def generate(self, plan: LoadPlan) -> LoadGenerator:
        """Let clients call as planned; returns the handle to follow and to stop them."""
        load = LoadGenerator(plan, self.arrive, self._calendar)
        self.loads.append(load)
        for entry in plan.entries:
            self._load_of[entry] = load
        self._waiting_entries |= load.waiting_entries
        load.start()
        return load

    def arrive(self, request: Request) -> None:
        """A request of generated load comes in now; its client has a key or a token."""
        self._admit(request)
        self._perform(self.router.arrive(request.id, self._calendar.now, request.draw, credential=TRUSTED))

    def ask(self, request: Request, credential: Credential | None, wanted: str | None = None) -> None:
        """A request with content (`request.exchange`) comes in now.

        Args:
            request: with its content.
            credential: what its Authorization header holds.
            wanted: the version that it names.
        """
        assert request.exchange is not None  # noqa: S101
        size = request.exchange.size
        self._admit(request)
        self._perform(
            self.router.arrive(
                request.id, self._calendar.now, request.draw, wanted=wanted, credential=credential, size=size
            )
        )

    def abort(self, request: Request) -> None:
        """The client went away."""
        self._perform(self.router.abort(request.id, self._calendar.now))

    def _admit(self, request: Request) -> None:
        self._count_population(self._calendar.now)
        request.id = self._arrivals
        self._arrivals += 1
        self._requests[request.id] = request
        if request.counted:
            self.pending_counted += 1

    @property
    def population(self) -> int:
        """Attempts that have come in and have no answer."""
        return len(self._requests)

    def population_area(self) -> int:
        """Attempts without an answer, summed over time so far (Little's law is checked with it)."""
        self._count_population(self._calendar.now)
        return self._population_area

    def _count_population(self, now: int) -> None:
        self._population_area += len(self._requests) * (now - self._population_since)
        self._population_since = now

    def _perform(self, actions: list[Action]) -> None:
        """Carry out what the router decided, and what follows from it."""
        now, send = self._calendar.now, self._containers.send
        for action in actions:  # grows while it is read
            request = self._requests.get(action.request)
            assert request is not None, "answered twice"  # noqa: S101
            if isinstance(action, Dispatch):
                request.version, request.replica, request.dispatched = action.version, action.replica, now
                actions += send(action, request)
                continue
            if isinstance(action, Requeue):
                request.replica = request.dispatched = None
                continue
            self._count_population(now)
            del self._requests[action.request]
            request.version, request.status, request.reason = action.version, action.status, action.reason
            request.answered = now + self._overhead if action.forwarded else now
            if request.counted:
                self.pending_counted -= 1
            waiting = self._outcomes.add(request, now)
            if waiting == BATCH:
                self.hand_over()
            elif waiting == 1:
                self._calendar.register(self)
            if request.exchange is not None:
                request.exchange.settle(request)
            elif request.status != 200 or request.entry in self._waiting_entries:
                self._load_of[request.entry].answered(request)
        self._arm()

    # -- alarms

    def _arm(self) -> None:
        if self.router.next_timeout < self._timeout_armed:
            self._timeout_armed = self.router.next_timeout
            self._calendar.at(self._timeout_armed, Order.SCORING_TIMEOUT, self._timeouts)
        if self.router.next_deadline < self._deadline_armed:
            self._deadline_armed = self.router.next_deadline
            self._calendar.at(self._deadline_armed, Order.QUEUE_DEADLINE, self._deadlines)

    def _timeouts(self) -> None:
        if self._calendar.now >= self._timeout_armed:
            self._timeout_armed = NEVER
        self._perform(self.router.expire_timeouts(self._calendar.now))

    def _deadlines(self) -> None:
        if self._calendar.now >= self._deadline_armed:
            self._deadline_armed = NEVER
        self._perform(self.router.expire_queue(self._calendar.now))

    # -- RoutingPlane

    def configure(self, version: str, settings: RouteSettings) -> None:
        """A version is there, or has changed."""
        self._perform(self.router.configure(version, settings, self._calendar.now))

    def remove(self, version: str) -> None:
        """A version is there no more."""
        self._perform(self.router.remove_version(version, self._calendar.now))

    def set_split(self, split: Split | None) -> None:
        """The traffic split; None: no such service."""
        self.router.set_split(split)

    def set_auth(self, auth: KeyAuth | TokenAuth | None) -> None:
        """What a request must carry to be let in; generated load carries it from then on."""
        self.router.set_auth(auth)
        self.auth = auth

    def admit(self, version: str, replica: int, address: str | None = None) -> None:  # noqa: ARG002 - the port's
        """The replica is seen ready; its containers are found by its number."""
        self._perform(self.router.seen_ready(version, replica, self._calendar.now))

    def suspend(self, version: str, replica: int) -> None:
        """The replica is seen unready or dead."""
        self._perform(self.router.seen_unready(version, replica, self._calendar.now))

    def withdraw(self, version: str, replica: int) -> None:
        """Nothing more is sent to the replica."""
        self._perform(self.router.withdraw(version, replica, self._calendar.now))

    def forget(self, version: str, replica: int) -> None:
        """The replica is gone."""
        self._containers.forget(replica)
        self._perform(self.router.forget(version, replica, self._calendar.now))

    def usage(self, version: str) -> Usage:
        """How busy the version has been, and is."""
        return self.router.usage(version, self._calendar.now)

    def in_flight(self, version: str, replica: int) -> int:
        """Slots taken on one replica."""
        return self.router.in_flight(version, replica)

    # -- ContainerRuntime

    def start_container(self, replica: int, spec: ContainerSpec, *, ready: bool = False) -> None:
        """It starts: connections are taken, `init()` runs."""
        self._containers.start_container(replica, spec, ready=ready)

    def initialise_container(self, replica: int) -> InitOutcome:
        """The time that `init()` takes is over; returns how it ended."""
        return self._containers.initialise_container(replica)

    def stop_container(self, replica: int, grace: Micros) -> None:
        """SIGTERM, and SIGKILL after the grace."""
        self._containers.stop_container(replica, grace)

    def kill_container(self, replica: int) -> None:
        """It is dead at once."""
        self._containers.kill_container(replica)

    def set_model(
        self, version: str, model: ModelProfile, stretch: tuple[int, int], memory_limit: int | None = None
    ) -> None:
        """The version's containers have another model from now on."""
        self._containers.set_model(version, model, stretch, memory_limit)

    def silence(self, replica: int) -> None:
        """Its node is lost."""
        self._containers.silence(replica)

    def restore(self, replica: int) -> None:
        """Its node is back."""
        self._containers.restore(replica)

    def hang(self, replica: int, fault: int) -> None:
        """Its container stops answering until every fault that holds it is over."""
        self._containers.hang(replica, fault)

    def resume(self, replica: int, fault: int) -> None:
        """A fault that made its container hang is over."""
        self._containers.resume(replica, fault)

    def slow_down(self, replica: int, fault: int, factor: float) -> None:
        """Requests that start in its container take this many times as long."""
        self._containers.slow_down(replica, fault, factor)

    def speed_up(self, replica: int, fault: int) -> None:
        """A fault that slowed its container down is over."""
        self._containers.speed_up(replica, fault)

    def crash_on_request(self, version: str, request: int, *, every: bool, times: int) -> None:
        """A container dies as it starts the version's `request`-th request from now."""
        self._containers.crash_on_request(version, request, every=every, times=times)
