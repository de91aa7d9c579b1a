"""Simulated containers: `cores.container` driven by a calendar, with workers, scripts, probes and what is broken on purpose."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from math import prod
from typing import cast

from akstwin.clock import Micros
from akstwin.cores.routing import Action, Dispatch, Router
from akstwin.domain.profile import ModelProfile
from akstwin.kubernetes_model import memory
from akstwin.kubernetes_model.container import Container, Effect, OutOfMemory, Reached, Refused, Start
from akstwin.ports.container_runtime import ContainerSpec, ExitCause, InitOutcome, PlaneListener
from akstwin.sim.calendar import Calendar, Order, Timer, key
from akstwin.sim.engine.contents import Contents, asked_of, failure
from akstwin.sim.engine.probing import Prober, Probing
from akstwin.sim.models import ModelDraws
from akstwin.sim.requests import Exchange, Request
from akstwin.worker import Hung, InitFailed, Ran, Ready, ReplicaLost, Reply, Started
from akstwin.worker.replies import AsyncReplies, Replies


@dataclass(slots=True)
class Run:
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
class Hosted:
    """One container and the work in it.

    Attributes:
        later: the replies, where they come later; to ask for that at each request would cost more than all else here.
        hangs: the faults that make it hang.
        slowed: factors of the faults that slow it down, by fault.
        factor: their product.
    """

    replica: int
    spec: ContainerSpec
    draws: ModelDraws
    container: Container
    started: Micros
    replies: Replies | AsyncReplies | None
    later: AsyncReplies | None
    held: dict[int, Request] = field(default_factory=dict)
    runs: dict[int, Run] = field(default_factory=dict)
    probes: list[Probing] = field(default_factory=list)
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


class Containers:
    """The containers of one service, and the work in them; implements `ports.container_runtime.ContainerRuntime`.

    Args:
        router: hears how work ends.
        perform: carries out what the router decides on that.
        worker_timeout: after which the server ends a worker.
        calendar: tells the time.
        draws: gives run times to a version under a profile.
        listener: the control plane.
        contents: what answers in a container where somebody waits for the very answer.

    Attributes:
        hosted: the containers that are alive, by replica.
    """

    def __init__(
        self,
        router: Router,
        perform: Callable[[list[Action]], None],
        worker_timeout: Micros,
        calendar: Calendar,
        draws: Callable[[ContainerSpec], ModelDraws],
        listener: PlaneListener,
        contents: Contents,
    ) -> None:
        self._router = router
        self._carry_out = perform
        self._worker_timeout = worker_timeout
        self._calendar = calendar
        self._draws = draws
        self._listener = listener
        self._contents = contents
        self._prober = Prober(calendar, listener, self._probe)
        self._reached: list[int] = []
        self.hosted: dict[int, Hosted] = {}
        self._crashes: dict[str, list[_Crash]] = {}

    # -- work

    def send(self, dispatch: Dispatch, request: Request) -> list[Action]:
        """The router has sent a request to a container; returns what the router decides on that."""
        hosted = self.hosted.get(dispatch.replica)
        if hosted is None:
            return self._router.refused(dispatch.request, self._calendar.now)
        if hosted.silent:
            return []  # hangs until its time-out
        hosted.held[dispatch.request] = request
        return self._effects(hosted, hosted.container.accept(dispatch.request))

    def forget(self, replica: int) -> None:
        """The replica is gone: lost with its node, nobody hears of what it held."""
        hosted = self.hosted.pop(replica, None)
        if hosted is not None:
            self._prober.stop(hosted.probes)
            if hosted.replies is not None:
                hosted.replies.stop(replica)

    def _perform(self, actions: list[Action]) -> None:
        """Let what was decided be carried out; then verdicts are heard of the probes that were answered at it."""
        self._carry_out(actions)
        while self._reached:
            self._prober.reached(self._reached.pop(0))

    def _probe(self, replica: int, number: int) -> None:
        hosted = self.hosted[replica]
        self._perform(self._effects(hosted, hosted.container.probe(number)))

    def _effects(self, hosted: Hosted, effects: Iterable[Effect]) -> list[Action]:
        """Carry out what a container decided; what the router says to it comes back."""
        actions: list[Action] = []
        for effect in effects:
            if isinstance(effect, Start):
                # Else it died at an earlier start of this very instant; `_end` has answered all it held.
                if hosted.container.alive:
                    actions += self._start(hosted, effect.request)
            elif isinstance(effect, Refused):
                del hosted.held[effect.request]
                actions += self._router.refused(effect.request, self._calendar.now)
            elif isinstance(effect, Reached):
                self._reached.append(effect.probe)
            elif isinstance(effect, OutOfMemory):
                actions += self._kill_for_memory(hosted)
            else:
                actions += self._end(hosted)
        return actions

    def _start(self, hosted: Hosted, number: int) -> list[Action]:
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
        if request.exchange is None and span <= self._worker_timeout:
            run = Run(self._calendar.now + span, failed=hosted.draws.fails(request))
        elif hosted.later is not None and request.exchange is not None and request.answered is None:
            self._ask_later(hosted, hosted.later, request, request.exchange, span)
            return []
        else:
            run = self._outcome(hosted, request, span)
        hosted.runs[number] = run
        self._schedule(hosted, number, run)
        return []

    def _ask_later(
        self, hosted: Hosted, replies: AsyncReplies, request: Request, exchange: Exchange, span: int
    ) -> None:
        """A script begins that takes real time."""
        now = self._calendar.now
        run = hosted.runs[request.id] = Run(now if replies.real_time else now + span, waiting=True)
        asked = asked_of(exchange, self._contents.wall(now), None if replies.real_time else span)
        if hosted.draws.fails(request):
            self._ran(hosted, request.id, run, exchange, failure(hosted.replica, asked), now)
        else:
            replies.begin_run(hosted.replica, asked, lambda ran: self._ran(hosted, request.id, run, exchange, ran, now))

    def _ran(self, hosted: Hosted, number: int, run: Run, exchange: Exchange, ran: Ran, began: int) -> None:
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

    def _judge(self, hosted: Hosted, run: Run, exchange: Exchange, ran: Ran, began: int) -> None:
        """What a script's answer, or the lack of one, makes of the run that began then."""
        match ran:
            case Reply() as reply:
                exchange.reply = reply
                run.failed = reply.run_failed
            case ReplicaLost():
                hosted.process, run.lost = False, True
            case Hung():
                hosted.process, run.aborted = False, True
                run.ends = began + self._worker_timeout

    def _outcome(self, hosted: Hosted, request: Request, span: int) -> Run:
        """How the run will end, and when. A script answers now; its own run time does not count."""
        now, limit = self._calendar.now, self._worker_timeout
        if span > limit:
            return Run(now + limit, aborted=True)
        exchange = request.exchange
        replies = None if hosted.later is not None else cast("Replies | None", hosted.replies)
        if exchange is None or replies is None or request.answered is not None:
            return Run(now + span, failed=hosted.draws.fails(request))
        asked = asked_of(exchange, self._contents.wall(now), span)
        if hosted.draws.fails(request):
            ran = failure(hosted.replica, asked)
        elif not hosted.process and self._init(hosted) != "ready":  # another worker's: this one's has ended just now
            return Run(now + span, lost=True)
        else:
            ran = replies.run(hosted.replica, asked)
        run = Run(now + span)
        self._judge(hosted, run, exchange, ran, now)
        return run

    def _schedule(self, hosted: Hosted, number: int, run: Run) -> None:
        run.timer = self._calendar.at(
            run.ends, Order.COMPLETION, lambda: self._done(hosted, number), key(hosted.replica, number)
        )

    def _done(self, hosted: Hosted, number: int) -> None:
        now = self._calendar.now
        run = hosted.runs.pop(number)
        request = hosted.held.pop(number)
        if run.aborted or run.lost:
            effects = hosted.container.lose_worker(number)
            away = hosted.draws.worker_init_time(request)
            self._calendar.after(
                away, Order.WORKER_BACK, lambda: self._worker_back(hosted), key(hosted.replica, number)
            )
            actions = self._router.broken(number, now) if run.lost else self._router.complete(number, now, 500)
        else:
            effects = hosted.container.finish(number)
            reply = None if request.exchange is None else request.exchange.reply
            status = reply.status if reply is not None else 500 if run.failed else 200
            actions = self._router.complete(number, now, status, run_failed=run.failed)
        if effects:
            actions += self._effects(hosted, effects)
        self._perform(actions)

    def _worker_back(self, hosted: Hosted) -> None:
        if not hosted.container.alive:
            return
        outcome: InitOutcome = "ready" if hosted.process or hosted.replies is None else self._init(hosted)
        if outcome != "pending":
            self._regain(hosted, outcome)

    def _regain(self, hosted: Hosted, outcome: InitOutcome) -> None:
        """A worker is back; or the server gives up with it."""
        ready = outcome == "ready"
        self._perform(self._effects(hosted, hosted.container.regain_worker()) if ready else self._end(hosted))

    def _kill_for_memory(self, hosted: Hosted) -> list[Action]:
        """The container takes more memory than its limit."""
        if hosted.replies is not None:
            hosted.replies.note(hosted.replica, memory.explanation(hosted.spec.model.memory, hosted.spec.memory_limit))
        return self._end(hosted, "OOMKilled")

    def _end(self, hosted: Hosted, cause: ExitCause = "other") -> list[Action]:
        """The container is dead: what it held is lost, and the control plane hears of it."""
        now = self._calendar.now
        lost = hosted.container.kill()
        for run in hosted.runs.values():
            if run.timer is not None:
                run.timer.cancel()
        hosted.runs.clear()
        hosted.held.clear()
        self._prober.stop(hosted.probes)
        if hosted.grace is not None:
            hosted.grace.cancel()
        self.hosted.pop(hosted.replica, None)
        if hosted.replies is not None:
            hosted.replies.stop(hosted.replica)
        actions: list[Action] = []
        for request in lost:
            actions += self._router.broken(request, now)
        # Not in the middle of a decision: the listener may end or start other containers.
        self._calendar.at(
            now, Order.CONTAINER, lambda: self._listener.container_exited(hosted.replica, cause), key(hosted.replica)
        )
        return actions

    # -- ContainerRuntime: what a kubelet does

    def start_container(self, replica: int, spec: ContainerSpec, *, ready: bool = False) -> None:
        """It starts: connections are taken, `init()` runs."""
        now = self._calendar.now
        container = Container(spec.model.workers, memory.room(spec.model.memory, spec.memory_limit))
        replies = self._contents.replies(spec)
        hosted = Hosted(replica, spec, self._draws(spec), container, now, replies, _as_later(replies))
        self.hosted[replica] = hosted
        hosted.probes = self._prober.add(replica, container, spec, now, ready=ready)

    def initialise_container(self, replica: int) -> InitOutcome:
        """The time that `init()` takes is over: what has become of it."""
        hosted = self.hosted[replica]
        outcome = self._init(hosted)
        return self._initialised(hosted) if outcome == "ready" else outcome

    def _initialised(self, hosted: Hosted) -> InitOutcome:
        """`init()` has returned: the container works, unless it takes too much memory now."""
        effects = hosted.container.initialise()
        killed = any(isinstance(effect, OutOfMemory) for effect in effects)
        self._perform(self._effects(hosted, effects))
        return "killed" if killed else "ready"

    def _init(self, hosted: Hosted) -> InitOutcome:
        at = self._contents.wall(self._calendar.now)
        if hosted.replies is None:
            return "ready"
        if isinstance(hosted.replies, AsyncReplies):
            hosted.replies.begin_init(hosted.replica, at, lambda started: self._started(hosted, started))
            return "pending"
        return self._outcome_of_init(hosted, hosted.replies.init(hosted.replica, at))

    def _outcome_of_init(self, hosted: Hosted, started: Started) -> InitOutcome:
        match started:
            case InitFailed(hung=hung):
                return "hung" if hung else "failed"
            case Ready():
                hosted.process = True
                return "ready"

    def _started(self, hosted: Hosted, started: Started) -> None:
        """An `init()` that took real time has ended: the container's, or that of a worker that comes back."""
        outcome = self._outcome_of_init(hosted, started)
        if not hosted.container.alive or self.hosted.get(hosted.replica) is not hosted:
            return
        if hosted.container.initialised:
            self._regain(hosted, outcome)
            return
        if outcome == "ready":
            outcome = self._initialised(hosted)
        self._listener.init_ended(hosted.replica, outcome)

    def set_model(
        self, version: str, model: ModelProfile, stretch: tuple[int, int], memory_limit: int | None = None
    ) -> None:
        """The version's containers have another model from now on: what starts in them takes its times, and has its answers."""
        for hosted in self.hosted.values():
            if hosted.spec.version == version:
                hosted.spec = replace(hosted.spec, model=model, stretch=stretch, memory_limit=memory_limit)
                hosted.container.room = memory.room(model.memory, memory_limit)
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
        hosted = self.hosted.get(replica)
        if hosted is None:  # it has just ended by itself; the listener is about to hear of it
            return
        self._prober.stop(hosted.probes)
        hosted.grace = self._calendar.after(grace, Order.CONTAINER, lambda: self.kill_container(replica), key(replica))
        self._perform(self._effects(hosted, hosted.container.stop()))

    def kill_container(self, replica: int) -> None:
        """It is dead at once. Of a silent one nobody hears, and its work is lost already."""
        hosted = self.hosted.get(replica)
        if hosted is not None and not hosted.silent:
            self._perform(self._end(hosted))

    # -- ContainerRuntime: what is broken on purpose

    def silence(self, replica: int) -> None:
        """Its node is lost: nothing comes back from it, what it did is lost."""
        hosted = self.hosted.get(replica)
        if hosted is None:
            return
        hosted.silent = True
        for run in hosted.runs.values():
            if run.timer is not None:
                run.timer.cancel()
        hosted.runs.clear()
        hosted.held.clear()
        hosted.container.drop_all()
        self._prober.stop(hosted.probes)
        if hosted.grace is not None:
            hosted.grace.cancel()

    def restore(self, replica: int) -> None:
        """Its node is back."""
        hosted = self.hosted.get(replica)
        if hosted is None:
            return
        hosted.silent = False
        self._perform(self._router.work_lost(hosted.spec.version, replica, self._calendar.now))
        if hosted.container.stopping:  # it has nothing left to finish
            self._perform(self._end(hosted))
        else:
            hosted.probes = self._prober.add(replica, hosted.container, hosted.spec, hosted.started, ready=None)

    def hang(self, replica: int, fault: int) -> None:
        """Its container stops answering; it does so until every fault that holds it has been taken away."""
        hosted = self.hosted.get(replica)
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
        hosted = self.hosted.get(replica)
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
        hosted = self.hosted.get(replica)
        if hosted is not None:
            hosted.slowed[fault] = factor
            hosted.factor = prod(sorted(hosted.slowed.values()))

    def speed_up(self, replica: int, fault: int) -> None:
        """A fault that slowed its container down is over."""
        hosted = self.hosted.get(replica)
        if hosted is not None and hosted.slowed.pop(fault, None) is not None:
            hosted.factor = prod(sorted(hosted.slowed.values()))

    def crash_on_request(self, version: str, request: int, *, every: bool, times: int) -> None:
        """A container dies as it starts the version's `request`-th request from now."""
        self._crashes.setdefault(version, []).append(_Crash(request, every, times))


def _as_later(replies: Replies | AsyncReplies | None) -> AsyncReplies | None:
    return replies if isinstance(replies, AsyncReplies) else None


def _round_ratio(numerator: int, denominator: int) -> int:
    """The ratio rounded half to even, at least 1."""
    whole, rest = divmod(numerator, denominator)
    twice = 2 * rest
    return max(1, whole + (twice > denominator or (twice == denominator and whole % 2 == 1)))
