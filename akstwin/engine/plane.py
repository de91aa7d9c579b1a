"""The reference data plane: `cores.routing` and `cores.container` driven by a schedule, one event a step.

Readable before fast: what another plane does is right if it does the same. The schedule may be a simulation's calendar, or
one that a server's clock steps.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import prod
from typing import cast

from akstwin.clock import NEVER, Micros
from akstwin.cores.container import Container, Effect, Reached, Refused, Start
from akstwin.cores.liveness import Probe, Verdict
from akstwin.cores.routing import (
    Action,
    Credential,
    Dispatch,
    KeyAuth,
    Router,
    RouterRules,
    TokenAuth,
)
from akstwin.dataplane import ContainerSpec, InitOutcome, PlaneListener
from akstwin.domain.credentials import TRUSTED
from akstwin.domain.deployment import ProbeSettings, RouteSettings
from akstwin.domain.service import Split
from akstwin.domain.usage import Usage
from akstwin.engine.contents import Contents, asked_of, failure
from akstwin.engine.draws import Draws
from akstwin.engine.requests import Exchange, Recorders, Request
from akstwin.engine.schedule import Order, Schedule, Timer, key
from akstwin.worker import Hung, InitFailed, Ran, Ready, ReplicaLost, Reply, Started
from akstwin.worker.replies import AsyncReplies, Replies


@dataclass(slots=True)
class _Probing:
    """One probe of one container, with what is under way.

    Attributes:
        machine: when to probe, and what the answers come to.
        changed: takes a new verdict.
        well: the last verdict that the control plane knows; None: it has to be reported in any case.
        key: of its events: the replica, then which probe.
        number: of the probe that is out.
        timer: of the next probe, or of the deadline of the one that is out.
    """

    machine: Probe
    changed: Callable[[bool], None]
    well: bool | None
    key: int
    number: int = -1
    timer: Timer | None = None


@dataclass(slots=True)
class _Run:
    """A worker busy with a request: until when (or for how long, while the container hangs), and how it ends.

    Attributes:
        ends: when.
        aborted: the server ends the worker.
        failed: `run()` raises.
        lost: the worker's process dies over it.
        waiting: a script that takes real time has not answered yet; `ends` is the earliest.
    """

    ends: int
    aborted: bool = False
    failed: bool = False
    lost: bool = False
    waiting: bool = False
    timer: Timer | None = None


@dataclass(slots=True)
class _Hosted:
    """One container and the work in it.

    Attributes:
        later: the replies, where they come later; to ask for that at each request would cost more than all else here.
        hangs: the faults that make it hang.
        slowed: factors of the faults that slow it down, by fault.
        factor: their product.
    """

    replica: int
    spec: ContainerSpec
    draws: Draws
    container: Container
    started: Micros
    replies: Replies | AsyncReplies | None
    later: AsyncReplies | None
    held: dict[int, Request] = field(default_factory=dict)
    runs: dict[int, "_Run"] = field(default_factory=dict)
    probes: list[_Probing] = field(default_factory=list)
    grace: Timer | None = None
    hangs: set[int] = field(default_factory=set)
    slowed: dict[int, float] = field(default_factory=dict)
    factor: float = 1.0
    silent: bool = False
    process: bool = False


@dataclass(slots=True)
class _Crash:
    """A container dies at a version's n-th start."""

    period: int
    every: bool
    times: int
    count: int = 0
    done: int = 0

    def strikes(self) -> bool:
        if self.done and (not self.every or (self.times and self.done >= self.times)):
            return False
        self.count += 1
        if self.count % self.period:
            return False
        self.done += 1
        return True


@dataclass(frozen=True, slots=True)
class PlaneSettings:
    """What a plane assumes beside the router's rules.

    Attributes:
        overhead: added to the latency of every forwarded answer.
        worker_timeout: after which the server ends a worker.
    """

    overhead: Micros
    worker_timeout: Micros


class Plane:
    """The data plane of one service.

    Args:
        service: its name.
        rules: of the router.
        settings: the rest of what is assumed.
        calendar: tells the time.
        draws: gives run times to a version under a profile.
        recorders: hear of every answer.
        listener: the control plane.
        on_answer: hears of every answer too, to try again.
        contents: what answers in a container where somebody waits for the very answer.
    """

    def __init__(
        self,
        service: str,
        rules: RouterRules,
        settings: PlaneSettings,
        calendar: Schedule,
        draws: Callable[[ContainerSpec], Draws],
        recorders: Recorders,
        listener: PlaneListener,
        on_answer: Callable[[Request], None],
        contents: Contents,
    ) -> None:
        self.router = Router(service, rules)
        self._settings = settings
        self._calendar = calendar
        self._draws = draws
        self._recorders = recorders
        self._listener = listener
        self._on_answer = on_answer
        self._contents = contents
        self.auth: KeyAuth | TokenAuth | None = None
        self._hosted: dict[int, _Hosted] = {}
        self._requests: dict[int, Request] = {}
        self._arrivals = 0
        self._probes = 0
        self._waiting_probes: dict[int, tuple[_Hosted, _Probing]] = {}
        self._crashes: dict[str, list[_Crash]] = {}
        self._timeout_armed: int = NEVER
        self._deadline_armed: int = NEVER
        self.pending_counted = 0
        """Requests of the result's window that have no answer yet."""
        self._population_area = 0
        self._population_since = 0

    # -- requests

    def arrive(self, request: Request) -> None:
        """A request of simulated traffic comes in now; its client has a key or a token."""
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

    def set_auth(self, auth: KeyAuth | TokenAuth | None) -> None:
        """The router learns what a request must carry; simulated traffic carries it from then on."""
        self.router.set_auth(auth)
        self.auth = auth

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
        now = self._calendar.now
        for action in actions:  # grows while it is read
            request = self._requests.get(action.request)
            assert request is not None, "answered twice"  # noqa: S101
            if isinstance(action, Dispatch):
                request.version, request.replica, request.dispatched = action.version, action.replica, now
                actions += self._send(action)
                continue
            self._count_population(now)
            del self._requests[action.request]
            request.version, request.status, request.reason = action.version, action.status, action.reason
            request.answered = now + self._settings.overhead if action.forwarded else now
            if request.counted:
                self.pending_counted -= 1
            self._recorders.answered(request)
            self._on_answer(request)
            if request.exchange is not None:
                request.exchange.settle(request)
        self._arm()

    def _send(self, dispatch: Dispatch) -> list[Action]:
        hosted = self._hosted.get(dispatch.replica)
        if hosted is None:
            return self.router.refused(dispatch.request, self._calendar.now)
        if hosted.silent:
            return []  # hangs until its time-out
        hosted.held[dispatch.request] = self._requests[dispatch.request]
        return self._effects(hosted, hosted.container.accept(dispatch.request))

    def _effects(self, hosted: _Hosted, effects: Iterable[Effect]) -> list[Action]:
        """Carry out what a container decided; what the router says to it comes back."""
        actions: list[Action] = []
        for effect in effects:
            if isinstance(effect, Start):
                # Else it died at an earlier start of this very instant; `_end` has answered all it held.
                if hosted.container.alive:
                    actions += self._start(hosted, effect.request)
            elif isinstance(effect, Refused):
                del hosted.held[effect.request]
                actions += self.router.refused(effect.request, self._calendar.now)
            elif isinstance(effect, Reached):
                self._probe_reached(effect.probe)
            else:
                actions += self._end(hosted)
        return actions

    def _start(self, hosted: _Hosted, number: int) -> list[Action]:
        """A worker begins. The request may have been answered already: its time-out does not stop the worker."""
        request = hosted.held[number]
        if request.answered is None:
            request.started = self._calendar.now
        crashes = self._crashes.get(hosted.spec.version)
        if crashes and True in [crash.strikes() for crash in crashes]:
            return self._end(hosted)
        span = hosted.draws.service_time(request)
        numerator, denominator = hosted.spec.stretch
        if numerator != denominator:
            span = _round_ratio(span * numerator, denominator)
        if hosted.factor != 1.0:
            span = max(1, round(span * hosted.factor))
        if request.exchange is None and span <= self._settings.worker_timeout:
            run = _Run(self._calendar.now + span, failed=hosted.draws.fails(request))
        elif hosted.later is not None and request.exchange is not None and request.answered is None:
            self._ask_later(hosted, hosted.later, request, request.exchange, span)
            return []
        else:
            run = self._outcome(hosted, request, span)
        hosted.runs[number] = run
        self._schedule(hosted, number, run)
        return []

    def _ask_later(
        self, hosted: _Hosted, replies: AsyncReplies, request: Request, exchange: Exchange, span: int
    ) -> None:
        """A script begins that takes real time."""
        now = self._calendar.now
        run = hosted.runs[request.id] = _Run(now if replies.real_time else now + span, waiting=True)
        asked = asked_of(exchange, self._contents.wall(now), None if replies.real_time else span)
        if hosted.draws.fails(request):
            self._ran(hosted, request.id, run, exchange, failure(hosted.replica, asked), now)
        else:
            replies.begin_run(hosted.replica, asked, lambda ran: self._ran(hosted, request.id, run, exchange, ran, now))

    def _ran(self, hosted: _Hosted, number: int, run: _Run, exchange: Exchange, ran: Ran, began: int) -> None:
        """A script that takes real time has answered, or will not."""
        self._judge(hosted, run, exchange, ran, began)
        run.waiting = False
        if hosted.runs.get(number) is not run:  # it was lost meanwhile
            return
        now = self._calendar.now
        if hosted.container.hung:
            run.ends = max(0, run.ends - now)  # what is left
        else:
            run.ends = max(run.ends, now)
            self._schedule(hosted, number, run)

    def _judge(self, hosted: _Hosted, run: _Run, exchange: Exchange, ran: Ran, began: int) -> None:
        """What a script's answer, or the lack of one, makes of the run that began then."""
        match ran:
            case Reply() as reply:
                exchange.reply = reply
                run.failed = reply.run_failed
            case ReplicaLost():
                hosted.process, run.lost = False, True
            case Hung():
                hosted.process, run.aborted = False, True
                run.ends = began + self._settings.worker_timeout

    def _outcome(self, hosted: _Hosted, request: Request, span: int) -> _Run:
        """How the run will end, and when. A script answers now; its own run time does not count."""
        now, limit = self._calendar.now, self._settings.worker_timeout
        if span > limit:
            return _Run(now + limit, aborted=True)
        exchange = request.exchange
        replies = None if hosted.later is not None else cast("Replies | None", hosted.replies)
        if exchange is None or replies is None or request.answered is not None:
            return _Run(now + span, failed=hosted.draws.fails(request))
        asked = asked_of(exchange, self._contents.wall(now), span)
        if hosted.draws.fails(request):
            ran = failure(hosted.replica, asked)
        elif not hosted.process and self._init(hosted) != "ready":  # another worker's: this one's has ended just now
            return _Run(now + span, lost=True)
        else:
            ran = replies.run(hosted.replica, asked)
        run = _Run(now + span)
        self._judge(hosted, run, exchange, ran, now)
        return run

    def _schedule(self, hosted: _Hosted, number: int, run: _Run) -> None:
        run.timer = self._calendar.at(
            run.ends, Order.COMPLETION, lambda: self._done(hosted, number), key(hosted.replica, number)
        )

    def _done(self, hosted: _Hosted, number: int) -> None:
        now = self._calendar.now
        run = hosted.runs.pop(number)
        request = hosted.held.pop(number)
        if run.aborted or run.lost:
            effects = hosted.container.lose_worker(number)
            away = hosted.draws.worker_init_time(request)
            self._calendar.after(
                away, Order.WORKER_BACK, lambda: self._worker_back(hosted), key(hosted.replica, number)
            )
            actions = self.router.broken(number, now) if run.lost else self.router.complete(number, now, 500)
        else:
            effects = hosted.container.finish(number)
            reply = None if request.exchange is None else request.exchange.reply
            status = reply.status if reply is not None else 500 if run.failed else 200
            actions = self.router.complete(number, now, status, run_failed=run.failed)
        if effects:
            actions += self._effects(hosted, effects)
        self._perform(actions)

    def _worker_back(self, hosted: _Hosted) -> None:
        if not hosted.container.alive:
            return
        outcome: InitOutcome = "ready" if hosted.process or hosted.replies is None else self._init(hosted)
        if outcome != "pending":
            self._regain(hosted, outcome)

    def _regain(self, hosted: _Hosted, outcome: InitOutcome) -> None:
        """A worker is back; or the server gives up with it."""
        ready = outcome == "ready"
        self._perform(self._effects(hosted, hosted.container.regain_worker()) if ready else self._end(hosted))

    def _end(self, hosted: _Hosted) -> list[Action]:
        """The container is dead: what it held is lost, and the control plane hears of it."""
        now = self._calendar.now
        lost = hosted.container.kill()
        for run in hosted.runs.values():
            if run.timer is not None:
                run.timer.cancel()
        hosted.runs.clear()
        hosted.held.clear()
        self._stop_probes(hosted)
        if hosted.grace is not None:
            hosted.grace.cancel()
        self._hosted.pop(hosted.replica, None)
        if hosted.replies is not None:
            hosted.replies.stop(hosted.replica)
        actions: list[Action] = []
        for request in lost:
            actions += self.router.broken(request, now)
        # Not in the middle of a decision: the listener may end or start other containers.
        self._calendar.at(
            now, Order.CONTAINER, lambda: self._listener.container_exited(hosted.replica), key(hosted.replica)
        )
        return actions

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

    # -- DataPlane: what the router learns

    def configure(self, version: str, settings: RouteSettings) -> None:
        """A version is there, or has changed."""
        self._perform(self.router.configure(version, settings, self._calendar.now))

    def remove(self, version: str) -> None:
        """A version is there no more."""
        self._perform(self.router.remove_version(version, self._calendar.now))

    def set_split(self, split: Split | None) -> None:
        """The traffic split; None: no such service."""
        self.router.set_split(split)

    def admit(self, version: str, replica: int) -> None:
        """The replica is seen ready."""
        self._perform(self.router.seen_ready(version, replica, self._calendar.now))

    def suspend(self, version: str, replica: int) -> None:
        """The replica is seen unready or dead."""
        self._perform(self.router.seen_unready(version, replica, self._calendar.now))

    def withdraw(self, version: str, replica: int) -> None:
        """Nothing more is sent to the replica."""
        self._perform(self.router.withdraw(version, replica, self._calendar.now))

    def forget(self, version: str, replica: int) -> None:
        """The replica is gone."""
        hosted = self._hosted.pop(replica, None)
        if hosted is not None:  # lost with its node: nobody hears of what it held
            self._stop_probes(hosted)
            if hosted.replies is not None:
                hosted.replies.stop(replica)
        self._perform(self.router.forget(version, replica, self._calendar.now))

    # -- DataPlane: what becomes of containers

    def start_container(self, replica: int, spec: ContainerSpec, *, ready: bool = False) -> None:
        """It starts: connections are taken, `init()` runs."""
        now = self._calendar.now
        container = Container(spec.model.workers)
        replies = self._contents.replies(spec)
        hosted = _Hosted(replica, spec, self._draws(spec), container, now, replies, _as_later(replies))
        self._hosted[replica] = hosted
        self._add_probes(hosted, ready=ready)

    def initialise_container(self, replica: int) -> InitOutcome:
        """The time that `init()` takes is over: what has become of it."""
        hosted = self._hosted[replica]
        outcome = self._init(hosted)
        if outcome == "ready":
            self._perform(self._effects(hosted, hosted.container.initialise()))
        return outcome

    def _init(self, hosted: _Hosted) -> InitOutcome:
        at = self._contents.wall(self._calendar.now)
        if hosted.replies is None:
            return "ready"
        if isinstance(hosted.replies, AsyncReplies):
            hosted.replies.begin_init(hosted.replica, at, lambda started: self._started(hosted, started))
            return "pending"
        return self._outcome_of_init(hosted, hosted.replies.init(hosted.replica, at))

    def _outcome_of_init(self, hosted: _Hosted, started: Started) -> InitOutcome:
        match started:
            case InitFailed(hung=hung):
                return "hung" if hung else "failed"
            case Ready():
                hosted.process = True
                return "ready"

    def _started(self, hosted: _Hosted, started: Started) -> None:
        """An `init()` that took real time has ended: the container's, or that of a worker that comes back."""
        outcome = self._outcome_of_init(hosted, started)
        if not hosted.container.alive or self._hosted.get(hosted.replica) is not hosted:
            return
        if hosted.container.initialised:
            self._regain(hosted, outcome)
            return
        if outcome == "ready":
            self._perform(self._effects(hosted, hosted.container.initialise()))
        self._listener.init_ended(hosted.replica, outcome)

    def become(self, version: str, change: Callable[[ContainerSpec], ContainerSpec]) -> None:
        """The version's containers are another model's from now on: what starts in them takes its times, and is its answers."""
        for hosted in self._hosted.values():
            if hosted.spec.version == version:
                hosted.spec = change(hosted.spec)
                hosted.draws = self._draws(hosted.spec)
                replies = self._contents.replies(hosted.spec)
                if replies is not hosted.replies:
                    if hosted.replies is not None:
                        hosted.replies.stop(hosted.replica)
                    hosted.replies, hosted.later = replies, _as_later(replies)
                    if hosted.container.initialised and not isinstance(replies, AsyncReplies):
                        self._init(hosted)

    def stop_container(self, replica: int, grace: Micros) -> None:
        """SIGTERM, and SIGKILL after the grace."""
        hosted = self._hosted.get(replica)
        if hosted is None:  # it has just ended by itself; the listener is about to hear of it
            return
        self._stop_probes(hosted)
        hosted.grace = self._calendar.after(grace, Order.CONTAINER, lambda: self.kill_container(replica), key(replica))
        self._perform(self._effects(hosted, hosted.container.stop()))

    def kill_container(self, replica: int) -> None:
        """It is dead at once. Of a silent one nobody hears, and its work is lost already."""
        hosted = self._hosted.get(replica)
        if hosted is not None and not hosted.silent:
            self._perform(self._end(hosted))

    # -- DataPlane: what is broken on purpose

    def silence(self, replica: int) -> None:
        """Its node is lost: nothing comes back from it, what it did is lost."""
        hosted = self._hosted.get(replica)
        if hosted is None:
            return
        hosted.silent = True
        for run in hosted.runs.values():
            if run.timer is not None:
                run.timer.cancel()
        hosted.runs.clear()
        hosted.held.clear()
        hosted.container.drop_all()
        self._stop_probes(hosted)
        if hosted.grace is not None:
            hosted.grace.cancel()

    def restore(self, replica: int) -> None:
        """Its node is back."""
        hosted = self._hosted.get(replica)
        if hosted is None:
            return
        hosted.silent = False
        self._perform(self.router.work_lost(hosted.spec.version, replica, self._calendar.now))
        if hosted.container.stopping:  # it has nothing left to finish
            self._perform(self._end(hosted))
        else:
            self._add_probes(hosted, ready=None)

    def hang(self, replica: int, fault: int) -> None:
        """Its container stops answering; it does so until every fault that holds it has been taken away."""
        hosted = self._hosted.get(replica)
        if hosted is None:
            return
        hosted.hangs.add(fault)
        if hosted.container.hung:
            return
        hosted.container.hang()
        for run in hosted.runs.values():
            if run.timer is not None:
                run.timer.cancel()
                run.timer = None
                run.ends -= self._calendar.now  # what is left

    def resume(self, replica: int, fault: int) -> None:
        """A fault that made its container hang is over; without another one it goes on where it stopped."""
        hosted = self._hosted.get(replica)
        if hosted is None or fault not in hosted.hangs:  # it hung in a container that is gone
            return
        hosted.hangs.remove(fault)
        if hosted.hangs:
            return
        for number, run in hosted.runs.items():
            if not run.waiting:
                run.ends += self._calendar.now
                self._schedule(hosted, number, run)
        self._perform(self._effects(hosted, hosted.container.resume()))

    def slow_down(self, replica: int, fault: int, factor: float) -> None:
        """Requests that start in its container take this many times as long; factors of several faults are multiplied."""
        hosted = self._hosted.get(replica)
        if hosted is not None:
            hosted.slowed[fault] = factor
            hosted.factor = prod(sorted(hosted.slowed.values()))

    def speed_up(self, replica: int, fault: int) -> None:
        """A fault that slowed its container down is over."""
        hosted = self._hosted.get(replica)
        if hosted is not None and hosted.slowed.pop(fault, None) is not None:
            hosted.factor = prod(sorted(hosted.slowed.values()))

    def crash_on_request(self, version: str, request: int, *, every: bool, times: int) -> None:
        """A container dies as it starts the version's `request`-th request from now."""
        self._crashes.setdefault(version, []).append(_Crash(request, every, times))

    # -- DataPlane: what can be read

    def usage(self, version: str) -> Usage:
        """How busy the version has been, and is."""
        return self.router.usage(version, self._calendar.now)

    def in_flight(self, version: str, replica: int) -> int:
        """Slots taken on one replica."""
        return self.router.in_flight(version, replica)

    # -- probes

    def _add_probes(self, hosted: _Hosted, *, ready: bool | None) -> None:
        """Probe the container from now on.

        Args:
            hosted: it.
            ready: what the control plane takes it for; None: after a silence, it must hear the verdict in any case.
        """
        replica = hosted.replica

        def add(settings: ProbeSettings, well: bool | None, changed: Callable[[bool], None]) -> None:
            machine = Probe(settings, hosted.started)
            machine.skip_to(self._calendar.now)
            probing = _Probing(machine, changed, well, key(replica, len(hosted.probes)))
            hosted.probes.append(probing)
            self._arm_probe(hosted, probing)

        # A container is alive until it has failed the probe; then it ends, and the probe with it.
        add(hosted.spec.liveness, True, lambda _: self._listener.liveness_failed(replica))
        if hosted.spec.readiness is not None:
            add(hosted.spec.readiness, ready, lambda well: self._listener.readiness_changed(replica, well))

    def _stop_probes(self, hosted: _Hosted) -> None:
        for probing in hosted.probes:
            if probing.timer is not None:
                probing.timer.cancel()
            self._waiting_probes.pop(probing.number, None)
        hosted.probes.clear()

    def _arm_probe(self, hosted: _Hosted, probing: _Probing) -> None:
        assert probing.machine.next_at is not None  # noqa: S101
        probing.timer = self._calendar.at(
            probing.machine.next_at, Order.PROBE, lambda: self._send_probe(hosted, probing), probing.key
        )

    def _send_probe(self, hosted: _Hosted, probing: _Probing) -> None:
        now = self._calendar.now
        probing.number = self._probes
        self._probes += 1
        deadline = probing.machine.send(now)
        self._waiting_probes[probing.number] = (hosted, probing)
        probing.timer = self._calendar.at(
            deadline, Order.PROBE_DEADLINE, lambda: self._probe_missed(hosted, probing), probing.key
        )
        self._perform(self._effects(hosted, hosted.container.probe(probing.number)))

    def _probe_reached(self, number: int) -> None:
        found = self._waiting_probes.pop(number, None)
        if found is None:
            return
        hosted, probing = found
        if probing.timer is not None:
            probing.timer.cancel()
        verdict = probing.machine.answered(self._calendar.now)
        self._arm_probe(hosted, probing)
        _judge_probe(probing, verdict)

    def _probe_missed(self, hosted: _Hosted, probing: _Probing) -> None:
        del self._waiting_probes[probing.number]
        hosted.container.drop_probe(probing.number)
        verdict = probing.machine.missed(self._calendar.now)
        self._arm_probe(hosted, probing)
        _judge_probe(probing, verdict)


def _as_later(replies: Replies | AsyncReplies | None) -> AsyncReplies | None:
    return replies if isinstance(replies, AsyncReplies) else None


def _judge_probe(probing: _Probing, verdict: Verdict | None) -> None:
    """Report a verdict if it is another one than the control plane knows."""
    if verdict is None:
        return
    well = verdict == "healthy"
    if probing.well is not well:
        probing.well = well
        probing.changed(well)


def _round_ratio(numerator: int, denominator: int) -> int:
    """The ratio rounded half to even, at least 1."""
    whole, rest = divmod(numerator, denominator)
    twice = 2 * rest
    return max(1, whole + (twice > denominator or (twice == denominator and whole % 2 == 1)))
