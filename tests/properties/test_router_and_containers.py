"""Router and containers together, against a model that counts everything itself.

The driver is as small as a driver can be: it tells the router what happens, carries out what it decides, and wakes it when
it asks to be woken. The model keeps its own books: who waits, who holds which slot, and the integrals of both.
"""

from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from akstwin.clock import Micros
from akstwin.cores.routing import Action, Dispatch, Requeue, Router, RouterRules
from akstwin.domain.deployment import RouteSettings
from akstwin.domain.reasons import Reason
from akstwin.domain.service import Split
from akstwin.kubernetes_model.container import Container, Effect, Exited, Refused

VERSIONS = ("blue", "green")
REST = 40
choices = st.integers(0, 10**6)


class Replica:
    """One replica as the model sees it."""

    def __init__(self, number: int, version: str, workers: int) -> None:
        self.number = number
        self.version = version
        self.container: Container | None = Container(workers)
        self.ready = False  # in the router's view
        self.withdrawn = False
        self.silent = False
        self.holding: set[int] = set()
        self.released_at = -1
        self.rests_until = 0
        self.refusals = 0


class RouterAndContainers(RuleBasedStateMachine):
    """Whatever happens in whatever order, the books agree."""

    @initialize(
        slots=st.integers(1, 3),
        workers=st.integers(1, 3),
        released=st.sampled_from(["at_once", "when_done"]),
        unready=st.sampled_from(["refuse", "queue"]),
        longest=st.none() | st.integers(1, 4),
        refused=st.sampled_from([502, "next_replica"]),
        waits=st.integers(1, 50),
        timeout=st.integers(1, 100),
        replicas=st.lists(st.sampled_from(VERSIONS), max_size=5),
    )
    def start(self, workers: int, slots: int, waits: int, timeout: int, **rules: Any) -> None:
        """A service of two versions, with replicas that are ready already."""
        self.now = 0
        self.rules = RouterRules(
            max_queue_length=rules["longest"],
            when_no_replica_ready=rules["unready"],
            slot_released_on_timeout=rules["released"],
            refused_connection=rules["refused"],
            rest=REST,
            longest_rest=3 * REST,
        )
        self.workers = workers
        self.router = Router("fraud", self.rules)
        self.settings: dict[str, RouteSettings] = {}
        self.replicas: dict[int, Replica] = {}
        self.versions: dict[int, str | None] = {}  # of every request that ever arrived
        self.waiting: dict[str, dict[int, int]] = {name: {} for name in VERSIONS}  # request to deadline, in order
        self.flying: dict[int, tuple[int, int]] = {}  # request to replica and time-out
        self.answered: dict[int, int] = {}
        self.refused = 0
        self.moved: set[int] = set()  # sent to a second replica, or about to be
        self.resting_then: dict[int, set[int]] = {}  # by request: who rested when its dispatch was decided
        self.decided: list[Action] = []  # and not carried out yet
        self.lost: set[int] = set()  # flying, and the router knows that nobody works on it any more
        self.areas = {name: [0, 0] for name in VERSIONS}
        for name in VERSIONS:
            self.settings[name] = RouteSettings(slots, Micros(waits), Micros(timeout))
            assert self.router.configure(name, self.settings[name], 0) == []
        self.router.set_split(Split("blue", (("green", Split.WHOLE // 2),)))
        for name in rules["replicas"]:
            self.replica_starts(name, ready=True)
            self.see_ready(self.replicas[len(self.replicas)])

    # -- the driver, and the model's books

    def perform(self, actions: list[Action]) -> None:
        """Carry out what the router decided."""
        self.decided = actions
        self.note_resting(actions)
        done = before = 0
        while done < len(actions):  # it grows
            action = actions[done]
            done += 1
            self.decided = actions[done:]
            request = action.request
            assert request in self.versions
            assert request not in self.answered, "answered before"
            if isinstance(action, Dispatch):
                self.dispatched(action, undisturbed=done > before)
                refusals = self.refused
                more = self.send(action)
                if self.refused > refusals:
                    before = len(actions)  # these were decided while the refused request still had its slot
                self.note_resting(more)
                actions += more
                continue
            if isinstance(action, Requeue):
                assert request in self.moved
                continue
            assert action.version == self.versions[request]
            self.answered[request] = action.status
            due = self.waiting[action.version].pop(request, None) if action.version is not None else None
            if due is not None:
                assert request not in self.flying
                assert due <= self.now or action.reason is not Reason.QUEUE_DEADLINE, "refused before its deadline"
            elif request in self.flying and not action.forwarded:
                number, times_out = self.flying.pop(request)
                assert action.status == 499 or self.now == times_out
                if self.rules.slot_released_on_timeout == "at_once" or request in self.lost:
                    self.give_back(request, number)
            else:
                self.flying.pop(request, None)

    def note_resting(self, actions: list[Action]) -> None:
        """Who rests as these are decided: a refusal that is carried out before them comes too late for them."""
        resting = {each.number for each in self.replicas.values() if each.rests_until}
        self.resting_then.update((action.request, resting) for action in actions if isinstance(action, Dispatch))

    def dispatched(self, action: Dispatch, *, undisturbed: bool) -> None:
        """Check one decision against R6 to R8; its rank only if no refusal came between the decision and this."""
        replica = self.replicas[action.replica]
        queue = self.waiting[action.version]
        assert replica.version == action.version == self.versions[action.request]
        assert replica.ready
        assert not replica.withdrawn
        straight_on = action.request in self.moved and action.request not in queue  # from one replica to the next
        if queue and not straight_on:
            if undisturbed:
                assert next(iter(queue)) == action.request, "the longest waiting goes first"
            assert queue.pop(action.request) >= self.now, "waited past its deadline"
        resting = self.resting_then.pop(action.request)
        open_ones = [
            each for each in self.of(action.version) if each.ready and self.free(each) and each.number not in resting
        ]
        least = min(open_ones, key=lambda each: (len(each.holding), each.released_at, each.number))
        assert replica is least or not undisturbed
        replica.holding.add(action.request)
        assert len(replica.holding) <= self.settings[action.version].slots
        self.flying[action.request] = (replica.number, self.now + self.settings[action.version].scoring_timeout)

    def send(self, action: Dispatch) -> list[Action]:
        """To its container, if there is one."""
        replica = self.replicas[action.replica]
        if replica.silent:
            return []
        if replica.container is None:
            return self.refuse(action.request)
        return self.effects(replica, replica.container.accept(action.request))

    def effects(self, replica: Replica, effects: list[Effect]) -> list[Action]:
        """What the container decided."""
        actions: list[Action] = []
        for effect in effects:
            if isinstance(effect, Refused):
                actions += self.refuse(effect.request)
            elif isinstance(effect, Exited):
                replica.container = None
        return actions

    def refuse(self, request: int) -> list[Action]:
        """A connection is refused: 502, or another ready replica once, while this one rests."""
        self.refused += 1
        if self.rules.refused_connection == 502 or request not in self.flying:
            return self.break_off(request, refused=True)
        replica = self.replicas[self.flying[request][0]]
        replica.rests_until = self.now + min(REST << replica.refusals, 3 * REST)
        replica.refusals += 1
        others = any(each.ready for each in self.of(replica.version) if each is not replica)
        if request in self.moved or not others:
            return self.break_off(request, refused=True)
        self.moved.add(request)
        del self.flying[request]
        replica.holding.remove(request)  # it served nothing: its place in the order of R7 stays
        actions = self.router.refused(request, self.now)
        if actions == [Requeue(request)]:  # to the head of the queue, behind those who have a replica already
            leaving = {each.request for each in self.decided if isinstance(each, Dispatch)}
            queue = self.waiting[replica.version]
            ahead = {each: due for each, due in queue.items() if each in leaving}
            behind = {each: due for each, due in queue.items() if each not in leaving}
            due = self.now + self.settings[replica.version].max_wait
            self.waiting[replica.version] = {**ahead, request: due, **behind}
        return actions

    def break_off(self, request: int, *, refused: bool = False) -> list[Action]:
        """The router hears of a broken connection."""
        self.hand_back(request)
        return (self.router.refused if refused else self.router.broken)(request, self.now)

    def hand_back(self, request: int) -> None:
        """The slot of a request that a replica is done with, if it still holds one."""
        for replica in self.replicas.values():
            if request in replica.holding:
                self.give_back(request, replica.number)

    def give_back(self, request: int, number: int) -> None:
        """A slot is free."""
        replica = self.replicas[number]
        replica.holding.remove(request)
        replica.released_at = self.now

    def of(self, version: str) -> Iterator[Replica]:
        """The version's replicas."""
        return (each for each in self.replicas.values() if each.version == version)

    def free(self, replica: Replica) -> bool:
        """Whether it has a slot to give."""
        return len(replica.holding) < self.settings[replica.version].slots

    def pick(self, choice: int, *, alive: bool = False) -> Replica | None:
        """One replica; `alive`: one whose container is up and heard of."""
        found = [
            each for each in self.replicas.values() if not alive or (each.container is not None and not each.silent)
        ]
        return found[choice % len(found)] if found else None

    # -- what happens

    @rule(
        draws=st.lists(st.integers(0, Split.WHOLE - 1), min_size=1, max_size=8),
        wanted=st.sampled_from([None, None, None, *VERSIONS, "pink"]),
    )
    def requests_arrive(self, draws: list[int], wanted: str | None) -> None:
        """One after the other at one instant."""
        for draw in draws:
            self.request_arrives(draw, wanted)

    def request_arrives(self, draw: int, wanted: str | None) -> None:
        """It is dispatched, queued or answered in the same step."""
        request = len(self.versions)
        version = wanted or ("green" if draw < Split.WHOLE // 2 else "blue")
        known = version in VERSIONS
        self.versions[request] = version if known else None
        ready = known and any(each.ready for each in self.of(version))
        actions = self.router.arrive(request, self.now, draw, wanted=wanted)
        if not actions:
            queue = self.waiting[version]
            assert ready or self.rules.when_no_replica_ready == "queue"
            assert self.rules.max_queue_length is None or len(queue) < self.rules.max_queue_length
            queue[request] = self.now + self.settings[version].max_wait
        self.perform(actions)

    @rule(choice=choices, status=st.sampled_from([200, 200, 404, 500, 503]), failed=st.booleans())
    def worker_finishes(self, choice: int, status: int, failed: bool) -> None:
        """With any answer; the client may have had one long before."""
        running = [
            (replica, request)
            for replica in self.replicas.values()
            if replica.container is not None and not replica.container.hung
            for request in replica.container.holds[: replica.container.busy]
        ]
        if not running:
            return
        replica, request = running[choice % len(running)]
        assert replica.container is not None
        effects = replica.container.finish(request)
        self.hand_back(request)
        if request in self.flying:
            replica.refusals = 0
        actions = self.router.complete(request, self.now, status, run_failed=failed)
        actions += self.effects(replica, effects)
        self.perform(actions)

    @rule(span=st.integers(0, 60))
    def time_passes(self, span: int) -> None:
        """The router is woken when it asked for it: time-outs before deadlines at one instant."""
        end = self.now + span
        while True:
            wake = min(self.router.next_timeout, self.router.next_deadline, end)
            assert wake >= self.now
            for name in VERSIONS:
                self.areas[name][0] += (wake - self.now) * sum(len(each.holding) for each in self.of(name))
                self.areas[name][1] += (wake - self.now) * len(self.waiting[name])
            self.now = wake
            for each in self.replicas.values():
                if each.rests_until <= wake:
                    each.rests_until = 0
            if self.router.next_timeout <= wake:
                self.perform(self.router.expire_timeouts(wake))
            if self.router.next_deadline <= wake:
                self.perform(self.router.expire_queue(wake))
            if wake == end and min(self.router.next_timeout, self.router.next_deadline) > end:
                return

    @precondition(lambda self: len(self.replicas) < 6)
    @rule(version=st.sampled_from(VERSIONS), ready=st.booleans())
    def replica_starts(self, version: str, ready: bool) -> None:
        """A container with `init()` over, or still in it."""
        number = len(self.replicas) + 1
        replica = self.replicas[number] = Replica(number, version, self.workers)
        assert replica.container is not None
        if ready:
            replica.container.initialise()

    @rule(choice=choices)
    def replica_seen_ready(self, choice: int) -> None:
        """Early, late, twice, or after it was withdrawn."""
        replica = self.pick(choice)
        if replica is not None:
            self.see_ready(replica)

    def see_ready(self, replica: Replica) -> None:
        """The router learns that it is ready."""
        if not replica.withdrawn:
            if not replica.ready:
                replica.rests_until = replica.refusals = 0
            replica.ready = True
            if replica.released_at < 0:
                replica.released_at = self.now
        self.perform(self.router.seen_ready(replica.version, replica.number, self.now))

    @rule(choice=choices)
    def replica_seen_unready(self, choice: int) -> None:
        """What it runs may finish."""
        replica = self.pick(choice)
        if replica is not None:
            replica.ready = False
            self.perform(self.router.seen_unready(replica.version, replica.number, self.now))

    @rule(choice=choices, stops=st.booleans())
    def replica_withdrawn(self, choice: int, stops: bool) -> None:
        """And perhaps told to stop."""
        replica = self.pick(choice)
        if replica is None:
            return
        replica.ready, replica.withdrawn = False, True
        actions = self.router.withdraw(replica.version, replica.number, self.now)
        if stops and replica.container is not None and not replica.silent:
            actions += self.effects(replica, replica.container.stop())
        self.perform(actions)

    @rule(choice=choices)
    def replica_killed(self, choice: int) -> None:
        """With all it holds."""
        replica = self.pick(choice, alive=True)
        if replica is None or replica.container is None:
            return
        actions: list[Action] = []
        for request in replica.container.kill():
            actions += self.break_off(request)
        replica.container = None
        self.perform(actions)

    @rule(choice=choices, workers=st.integers(1, 3))
    def replica_restarted(self, choice: int, workers: int) -> None:
        """A new container under the same number."""
        gone = [each for each in self.replicas.values() if each.container is None and not each.silent]
        if gone:
            gone[choice % len(gone)].container = container = Container(workers)
            container.initialise()

    @rule(choice=choices)
    def replica_hangs_or_resumes(self, choice: int) -> None:
        """Nothing moves, and then it moves again."""
        replica = self.pick(choice, alive=True)
        if replica is None or replica.container is None:
            return
        if replica.container.hung:
            self.perform(self.effects(replica, replica.container.resume()))
        else:
            replica.container.hang()

    @rule(choice=choices)
    def node_lost_or_back(self, choice: int) -> None:
        """What it did is lost and nobody says so; what is sent there hangs until its time-out."""
        replica = self.pick(choice)
        if replica is None:
            return
        replica.silent = not replica.silent
        if replica.silent:
            if replica.container is not None:
                replica.container.drop_all()
            return
        for request in list(replica.holding):
            if request in self.answered:
                self.give_back(request, replica.number)
        self.lost |= replica.holding
        self.perform(self.router.work_lost(replica.version, replica.number, self.now))

    @rule(choice=choices)
    def replica_forgotten(self, choice: int) -> None:
        """It ended by itself, or its node never came back."""
        over = [each for each in self.replicas.values() if each.container is None or each.silent]
        if not over:
            return
        replica = over[choice % len(over)]
        replica.ready, replica.withdrawn, replica.container = False, True, None
        for request in list(replica.holding):
            if request in self.answered:
                self.give_back(request, replica.number)
        self.lost |= replica.holding
        self.perform(self.router.forget(replica.version, replica.number, self.now))

    @rule(choice=choices)
    def client_leaves(self, choice: int) -> None:
        """Whatever its request is doing."""
        if self.versions:
            self.perform(self.router.abort(choice % len(self.versions), self.now))

    @rule(
        version=st.sampled_from(VERSIONS), slots=st.integers(1, 4), waits=st.integers(1, 80),
        timeout=st.integers(1, 120),
    )  # fmt: skip
    def settings_change(self, version: str, slots: int, waits: int, timeout: int) -> None:
        """Slots at once, limits for those that come after."""
        self.settings[version] = RouteSettings(slots, Micros(waits), Micros(timeout))
        self.perform(self.router.configure(version, self.settings[version], self.now))

    # -- what always holds

    @invariant()
    def every_request_is_waiting_running_or_answered(self) -> None:
        """Exactly one of the three."""
        waiting = {request for queue in self.waiting.values() for request in queue}

        assert not waiting & set(self.flying)
        assert not (waiting | set(self.flying)) & set(self.answered)
        assert waiting | set(self.flying) | set(self.answered) == set(self.versions)

    @invariant()
    def counts_and_integrals_are_those_of_the_books(self) -> None:
        """Busy, queued and ready now, and the sums of busy and queued over time."""
        for name in VERSIONS:
            usage = self.router.usage(name, self.now)
            assert usage.busy == sum(len(each.holding) for each in self.of(name))
            assert usage.queued == len(self.waiting[name])
            assert usage.ready == sum(each.ready for each in self.of(name))
            assert [usage.busy_area, usage.queued_area] == self.areas[name]

    @invariant()
    def slots_on_each_replica_are_those_of_the_books(self) -> None:
        """And so are the requests that hold them."""
        for replica in self.replicas.values():
            held = self.router.requests_on(replica.number)
            assert set(held) == replica.holding
            assert len(held) == len(replica.holding)

    @invariant()
    def nobody_waits_past_its_deadline_or_beside_a_free_slot(self) -> None:
        """Woken at the deadline, the router has answered; a ready replica with a slot leaves nobody waiting."""
        for name in VERSIONS:
            queue = self.waiting[name]
            assert all(deadline >= self.now for deadline in queue.values())
            assert not queue or not any(
                each.ready and self.free(each) and not each.rests_until for each in self.of(name)
            )

    @invariant()
    def nobody_runs_past_its_timeout(self) -> None:
        """Not even on a replica that was lost."""
        assert all(due >= self.now for _, due in self.flying.values())

    def teardown(self) -> None:
        """Left alone, everybody has an answer in bounded time."""
        if hasattr(self, "router"):
            self.time_passes(1000)
            self.every_request_is_waiting_running_or_answered()
            assert not self.flying
            assert not any(self.waiting.values())


TestRouterAndContainers = RouterAndContainers.TestCase
TestRouterAndContainers.settings = settings(
    max_examples=400, stateful_step_count=60, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck)
)
