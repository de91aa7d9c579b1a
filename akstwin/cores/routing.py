"""The router's whole judgement: admission, queue, dispatch, time-outs, replica loss, draining, the split.

Rules R2 to R13 of semantics §6.1; R1 and R14, what is on the wire, are in `router_http`. One `Router` stands for one service;
a driver (SimPy, asyncio) tells it what happened and when, performs the actions it returns, and wakes it at `next_timeout`
and `next_deadline`.

Deciding is reserving: a slot is taken in the call that returns the `Dispatch`.
"""

import hmac
from collections import deque
from collections.abc import Container
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from typing import Final, Literal, NamedTuple

from akstwin.clock import NEVER, SECOND
from akstwin.domain.credentials import TRUSTED
from akstwin.domain.credentials import Credential as Credential  # noqa: PLC0414 - public here too, as are those below
from akstwin.domain.credentials import KeyAuth as KeyAuth  # noqa: PLC0414
from akstwin.domain.credentials import KeyCredential as KeyCredential  # noqa: PLC0414
from akstwin.domain.credentials import TokenAuth as TokenAuth  # noqa: PLC0414
from akstwin.domain.credentials import TokenCredential as TokenCredential  # noqa: PLC0414
from akstwin.domain.deployment import RouteSettings
from akstwin.domain.lifecycles import REPLICA, ReplicaEvent, ReplicaState
from akstwin.domain.reasons import Reason
from akstwin.domain.service import Split
from akstwin.domain.usage import Usage


class Dispatch(NamedTuple):
    """Send the request to the replica; its slot is taken."""

    request: int
    version: str
    replica: int


class Answer(NamedTuple):
    """The client gets this.

    Attributes:
        request: which request.
        version: the version it was meant for, None if it never got that far.
        status: HTTP status.
        reason: None if the model's own answer is passed through.
        forwarded: whether a replica's reply is passed on; only such answers carry the router's overhead (R9).
    """

    request: int
    version: str | None
    status: int
    reason: Reason | None
    forwarded: bool


class Requeue(NamedTuple):
    """The request waits in the queue again; the replica that it was sent to has refused its connection."""

    request: int


Action = Dispatch | Answer | Requeue


@dataclass(frozen=True, slots=True)
class RouterRules:
    """The rules that rest on no published fact; keys of the assumptions (semantics §6.9).

    With `refused_connection: next_replica` a replica that refused a connection gets no request for `rest` µs, doubled with
    each further refusal in a row up to `longest_rest`. `max_queued_bytes` is a router's own protection, where waiting bodies take
    its memory: a request whose body would make them more is refused as if the queue were full.
    """

    max_queue_length: int | None = None
    when_no_replica_ready: Literal["refuse", "queue"] = "refuse"
    slot_released_on_timeout: Literal["at_once", "when_done"] = "at_once"
    refused_connection: Literal[502, "next_replica"] = 502
    run_failure_status: int = 502
    max_payload: int = 100 * 10**6
    rest: int = SECOND
    longest_rest: int = 30 * SECOND
    max_queued_bytes: int | None = None


class _Replica:
    __slots__ = ("busy", "id", "refusals", "released_at", "rests_until", "stamp", "state")

    def __init__(self, number: int) -> None:
        self.id = number
        self.state = REPLICA.initial
        self.busy = 0
        self.released_at = -1
        self.stamp = 0
        self.refusals = 0  # connections refused in a row
        self.rests_until = 0  # nothing is sent to it before; 0: it does not rest


class _Alarms:
    """Instants with their requests, soonest first. Almost always added in order: one setting for all."""

    __slots__ = ("due",)

    def __init__(self) -> None:
        self.due: deque[tuple[int, int]] = deque()

    def add(self, instant: int, request: int) -> None:
        due = self.due
        at = len(due)
        while at and due[at - 1][0] > instant:  # only after the setting has been lowered
            at -= 1
        due.insert(at, (instant, request))

    def forget(self, live: Container[int]) -> None:
        """Drop the soonest whose requests are not among these any more: who is fast leaves no long row of them."""
        due = self.due
        while due and due[0][1] not in live:
            due.popleft()


KEPT_FORGOTTEN: Final = 4096
"""So many of the replicas that are gone does a router remember: late news of them must not bring them back."""

_SPARE: Final = 16
"""Offers per replica, stale ones included: those that are never looked at again would be kept for good."""


class _Version:
    __slots__ = (
        "busy", "busy_area", "changed_at", "deadlines", "free", "name", "queue", "queued", "queued_area", "ready",
        "replicas", "settings", "timeouts",
    )  # fmt: skip

    def __init__(self, name: str, settings: RouteSettings, now: int) -> None:
        self.name = name
        self.settings = settings
        self.replicas: dict[int, _Replica] = {}
        self.ready = 0
        self.free: list[tuple[int, int, int, int, _Replica]] = []  # busy, released at, id, stamp: R7's order
        self.queue: deque[int] = deque()  # may hold requests that have left; `_waiting` knows
        self.queued = 0
        self.busy = 0
        self.busy_area = 0
        self.queued_area = 0
        self.changed_at = now
        self.deadlines = _Alarms()
        self.timeouts = _Alarms()

    def count(self, now: int) -> None:
        """Bring the areas up to now; called before anything that changes `busy` or `queued`."""
        span = now - self.changed_at
        if span:
            assert span > 0, f"time went back by {-span} µs"  # noqa: S101
            self.busy_area += self.busy * span
            self.queued_area += self.queued * span
            self.changed_at = now

    def offer(self, replica: _Replica) -> None:
        """Put the replica where `take` finds it, if it can take a request."""
        replica.stamp += 1  # whatever was offered before is stale
        if replica.state is ReplicaState.READY and replica.busy < self.settings.slots and not replica.rests_until:
            if len(self.free) > _SPARE * len(self.replicas):
                self.free = [offered for offered in self.free if offered[3] == offered[4].stamp]
                heapify(self.free)
            heappush(self.free, (replica.busy, replica.released_at, replica.id, replica.stamp, replica))

    def take(self) -> _Replica | None:
        """The least busy ready replica with a free slot, its slot taken (R7)."""
        free = self.free
        while free:
            _, _, _, stamp, replica = heappop(free)
            if stamp == replica.stamp:
                replica.busy += 1
                if replica.busy < self.settings.slots:
                    self.offer(replica)
                return replica
        return None


class Router:
    """The router of one service.

    Args:
        service: its name, for the texts of refusals.
        rules: what is assumed.

    Attributes:
        next_timeout: call `expire_timeouts` then (NEVER: nothing runs, no replica rests).
        next_deadline: call `expire_queue` then (NEVER: nobody waits).
    """

    def __init__(self, service: str, rules: RouterRules) -> None:
        self.service = service
        self.rules = rules
        self.next_timeout: int = NEVER
        self.next_deadline: int = NEVER
        self._auth: KeyAuth | TokenAuth | None = None
        self._split: Split | None = None
        self._versions: dict[str, _Version] = {}
        self._removed: list[_Version] = []  # with requests that still run
        self._waiting: dict[int, tuple[_Version, int]] = {}  # where, and when its wait is over
        self._flights: dict[int, tuple[_Version, _Replica, int]] = {}  # where, and when its scoring time-out is
        self._answered: dict[int, tuple[_Version, _Replica, int]] = {}  # timed out or aborted, slot still held
        self._sizes: dict[int, int] = {}  # of waiting bodies, where they are bounded
        self._queued_bytes = 0
        self._moved: set[int] = set()  # a replica refused their connection; another refusal is their answer
        self._resting: list[tuple[int, int, int, _Version, _Replica]] = []  # until when, replica's number and stamp
        self._early: dict[str, set[int]] = {}  # replicas seen ready before their version was configured
        self._forgotten: dict[int, None] = {}  # the replicas that are gone, the latest last
        self._lost: set[int] = set()  # running as far as the router knows; no replica works on them any more

    def __repr__(self) -> str:
        versions = ", ".join(
            f"{v.name}: {v.queued} waiting, {v.busy} running, {v.ready} ready" for v in self._versions.values()
        )
        return f"<Router {self.service} [{versions}]>"

    # -- what the router has learned of the service

    def configure(self, version: str, settings: RouteSettings, now: int) -> list[Action]:
        """Add a version, or change what it was added with; waiting and running requests keep their own limits.

        News of pods and of versions may come in any order: replicas that were seen ready before get requests from now on.
        """
        known = self._versions.get(version)
        if known is None:
            self._versions[version] = _Version(version, settings, now)
            found: list[Action] = []
            for number in sorted(self._early.pop(version, ())):
                found += self._learn(version, number, ReplicaEvent.SEEN_READY, now)
            return found
        known.count(now)
        known.settings = settings
        for replica in known.replicas.values():
            known.offer(replica)
        actions: list[Action] = []
        self._fill(known, now, actions)
        return actions

    def set_split(self, split: Split | None) -> None:
        """Change the traffic split; None: the service is not known (any more)."""
        self._split = split

    def set_auth(self, auth: KeyAuth | TokenAuth | None) -> None:
        """Change what a request must carry; None: nothing."""
        self._auth = auth

    def remove_version(self, version: str, now: int) -> list[Action]:
        """Forget a version; who waits for it is refused, what runs may end."""
        gone = self._versions.pop(version)
        gone.count(now)
        refused = []
        for request in gone.queue:
            waits = self._waiting.pop(request, None)
            if waits is not None and waits[0] is gone:
                refused.append(request)
                self._release_bytes(request)
        self._moved.difference_update(refused)
        gone.queued = 0
        gone.queue.clear()
        self._removed.append(gone)
        return [Answer(request, version, 503, Reason.NO_READY_REPLICA, forwarded=False) for request in refused]

    # -- what the router has learned of replicas

    def seen_ready(self, version: str, replica: int, now: int) -> list[Action]:
        """The replica answers; it may be given requests unless it has been withdrawn."""
        return self._learn(version, replica, ReplicaEvent.SEEN_READY, now)

    def seen_unready(self, version: str, replica: int, now: int) -> list[Action]:
        """The replica does not answer (any more), or is dead."""
        return self._learn(version, replica, ReplicaEvent.SEEN_UNREADY, now)

    def withdraw(self, version: str, replica: int, now: int) -> list[Action]:
        """We are about to end the replica: no request from now on; what it runs may finish."""
        return self._learn(version, replica, ReplicaEvent.WITHDRAWN, now)

    def forget(self, version: str, replica: int, now: int) -> list[Action]:
        """The replica is gone for good, late news of it too; slots of requests that were answered before are given back."""
        actions = self._learn(version, replica, ReplicaEvent.WITHDRAWN, now)
        self._forgotten[replica] = None
        if len(self._forgotten) > KEPT_FORGOTTEN:
            del self._forgotten[next(iter(self._forgotten))]
        known = self._versions.get(version)
        if known is None:
            return actions
        actions += self.work_lost(version, replica, now)
        known.replicas.pop(replica, None)
        return actions

    def work_lost(self, version: str, replica: int, now: int) -> list[Action]:
        """What the replica worked on is lost, and it will never say so.

        Slots of requests that were answered before are free; the others hang, and their slots with them, until their time-out.
        """
        # First of all: a slot that comes free may be taken again in this very call.
        self._lost.update(r for r, (of, on, _) in self._flights.items() if of.name == version and on.id == replica)
        actions: list[Action] = []
        for request in [r for r, (of, on, _) in self._answered.items() if of.name == version and on.id == replica]:
            actions += self._end(request, now, 0, None, forwarded=False)
        return actions

    def _learn(self, version: str, number: int, event: ReplicaEvent, now: int) -> list[Action]:
        if number in self._forgotten:
            return []
        known = self._versions.get(version)
        if known is None:
            self._learn_early(version, number, event)
            return []
        replica = known.replicas.get(number)
        if replica is None:
            replica = known.replicas[number] = _Replica(number)
        was, replica.state = replica.state, REPLICA.step(replica.state, event)
        known.ready += (replica.state is ReplicaState.READY) - (was is ReplicaState.READY)
        actions: list[Action] = []
        if replica.state is ReplicaState.READY and was is not ReplicaState.READY:
            if replica.released_at < 0:
                replica.released_at = now
            replica.rests_until = replica.refusals = 0
            known.offer(replica)
            self._fill(known, now, actions)
        elif replica.state is not ReplicaState.READY:
            replica.stamp += 1
        return actions

    def _learn_early(self, version: str, number: int, event: ReplicaEvent) -> None:
        """Keep what is known of a replica until its version is configured."""
        if event is ReplicaEvent.SEEN_READY:
            self._early.setdefault(version, set()).add(number)
        elif version in self._early:
            self._early[version].discard(number)
            if not self._early[version]:
                del self._early[version]

    # -- requests

    def arrive(
        self,
        request: int,
        now: int,
        draw: int = 0,
        *,
        wanted: str | None = None,
        credential: Credential | None = None,
        size: int = 0,
    ) -> list[Action]:
        """A request has come in (R2 to R7).

        Args:
            request: a number of the driver's own, never used twice.
            now: the present.
            draw: 0 up to `Split.WHOLE`, for the traffic split.
            wanted: the version named by the header `azureml-model-deployment`.
            credential: what its Authorization header holds.
            size: of its body, bytes.
        """
        if size > self.rules.max_payload:
            return [Answer(request, None, 413, Reason.PAYLOAD_TOO_LARGE, forwarded=False)]
        if self._split is None:
            return [Answer(request, None, 404, Reason.NOT_FOUND, forwarded=False)]
        if self._auth is not None and credential is not TRUSTED and not _authorized(self._auth, credential, now):
            return [Answer(request, None, 401, Reason.UNAUTHORIZED, forwarded=False)]
        version = self._versions.get(wanted if wanted is not None else self._split.pick(draw))
        if version is None:
            return [Answer(request, None, 404, Reason.NOT_FOUND, forwarded=False)]
        if not version.ready and self.rules.when_no_replica_ready == "refuse":
            return [Answer(request, version.name, 503, Reason.NO_READY_REPLICA, forwarded=False)]
        if not version.queued and (replica := version.take()) is not None:
            version.count(now)
            return [self._dispatch(request, version, replica, now)]
        if self.rules.max_queue_length is not None and version.queued >= self.rules.max_queue_length:
            return [Answer(request, version.name, 503, Reason.QUEUE_FULL, forwarded=False)]
        if self.rules.max_queued_bytes is not None and size:
            if self._queued_bytes + size > self.rules.max_queued_bytes:
                return [Answer(request, version.name, 503, Reason.QUEUE_FULL, forwarded=False)]
            self._sizes[request] = size
            self._queued_bytes += size
        version.count(now)
        version.queue.append(request)
        self._wait(request, version, now)
        return []

    def complete(self, request: int, now: int, status: int = 200, *, run_failed: bool = False) -> list[Action]:
        """The replica's reply is complete (R12): it is passed on, and its slot is free.

        Args:
            request: which one; one that was answered before gets no second answer.
            now: the present.
            status: the container's own status.
            run_failed: whether it says that `run()` raised.
        """
        if status >= 500 and run_failed:
            return self._end(request, now, self.rules.run_failure_status, Reason.RUN_FAILED, forwarded=True)
        return self._end(request, now, status, Reason.RUN_FAILED if status >= 500 else None, forwarded=True)

    def broken(self, request: int, now: int) -> list[Action]:
        """The replica closed the connection before its reply was complete (R13): the request is never sent again."""
        return self._end(request, now, 502, Reason.REPLICA_LOST, forwarded=True)

    def refused(self, request: int, now: int) -> list[Action]:
        """The replica refused the connection: not a byte of the request has left the router (R13).

        With `refused_connection: 502` that is the answer. With `next_replica` the replica rests, and the request goes to
        another ready one, once: at once where there is a free slot, else from the head of the queue, for up to another
        `max_request_wait_time`. Without another ready replica the answer is 502.
        """
        flight = self._flights.get(request)
        if self.rules.refused_connection == 502 or flight is None:
            return self.broken(request, now)
        version, replica, _ = flight
        self._rest(version, replica, now)
        others = version.ready - (replica.state is ReplicaState.READY)
        if request in self._moved or self._versions.get(version.name) is not version or not others:
            return self.broken(request, now)
        del self._flights[request]
        self._moved.add(request)
        version.count(now)
        version.busy -= 1
        replica.busy -= 1
        other = version.take()
        if other is not None:
            return [self._dispatch(request, version, other, now)]
        version.queue.appendleft(request)
        self._wait(request, version, now)
        return [Requeue(request)]

    def abort(self, request: int, now: int) -> list[Action]:
        """The client went away. Waiting: dropped. Running: as after a time-out, the worker goes on."""
        waits = self._waiting.pop(request, None)
        if waits is not None:
            version = waits[0]
            self._moved.discard(request)
            self._release_bytes(request)
            version.count(now)
            version.queued -= 1
            return [Answer(request, version.name, 499, Reason.CLIENT_ABORTED, forwarded=False)]
        if request in self._flights:
            return self._give_up(request, now, 499, Reason.CLIENT_ABORTED)
        return []

    def expire_timeouts(self, now: int) -> list[Action]:
        """Answer what has run into its scoring time-out (R11). The worker goes on; the slot follows the rules.

        Replicas whose rest is over get requests again.
        """
        actions: list[Action] = []
        self._end_rests(now, actions)
        self._removed = [version for version in self._removed if version.busy]
        running = [*self._versions.values(), *self._removed]
        for version in running:
            due = version.timeouts.due
            while due and (due[0][0] <= now or due[0][1] not in self._flights):
                _, request = due.popleft()
                if request in self._flights and self._flights[request][2] <= now:
                    actions += self._give_up(request, now, 504, Reason.SCORING_TIMEOUT)
        timeouts = min((v.timeouts.due[0][0] for v in running if v.timeouts.due), default=NEVER)
        self.next_timeout = min(timeouts, self._resting[0][0]) if self._resting else timeouts
        return actions

    def expire_queue(self, now: int) -> list[Action]:
        """Refuse who has waited `max_request_wait_time` (R8)."""
        actions: list[Action] = []
        for version in self._versions.values():
            due = version.deadlines.due
            while due and (due[0][0] <= now or due[0][1] not in self._waiting):
                _, request = due.popleft()
                if request in self._waiting and self._waiting[request][1] <= now:  # else it waits for the second time
                    del self._waiting[request]
                    self._moved.discard(request)
                    self._release_bytes(request)
                    version.count(now)
                    version.queued -= 1
                    actions.append(Answer(request, version.name, 503, Reason.QUEUE_DEADLINE, forwarded=False))
            if not version.queued:
                version.queue.clear()
        self.next_deadline = min(
            (v.deadlines.due[0][0] for v in self._versions.values() if v.deadlines.due), default=NEVER
        )
        return actions

    # -- reading

    def usage(self, version: str, now: int) -> Usage:
        """How busy the version has been up to now. Reading changes nothing."""
        known = self._versions.get(version)
        if known is None:
            return Usage(0, 0, 0, 0, 0)
        span = now - known.changed_at
        return Usage(
            known.busy_area + known.busy * span,
            known.queued_area + known.queued * span,
            known.busy,
            known.queued,
            known.ready,
        )

    def in_flight(self, version: str, replica: int) -> int:
        """Slots taken on one replica."""
        known = self._versions.get(version)
        held = known.replicas.get(replica) if known else None
        return held.busy if held else 0

    def requests_on(self, replica: int) -> list[int]:
        """Requests whose slots this replica holds, the earliest dispatched first."""
        held = [(r, flight) for flights in (self._flights, self._answered) for r, flight in flights.items()]
        return sorted(request for request, (_, on, _) in held if on.id == replica)

    # -- deciding

    def _dispatch(self, request: int, version: _Version, replica: _Replica, now: int) -> Dispatch:
        version.busy += 1
        due = now + version.settings.scoring_timeout
        self._flights[request] = (version, replica, due)
        version.timeouts.add(due, request)
        self.next_timeout = min(self.next_timeout, due)
        return Dispatch(request, version.name, replica.id)

    def _wait(self, request: int, version: _Version, now: int) -> None:
        """The request stands in the version's queue from now on (R8)."""
        version.queued += 1
        deadline = now + version.settings.max_wait
        self._waiting[request] = version, deadline
        version.deadlines.add(deadline, request)
        self.next_deadline = min(self.next_deadline, deadline)

    def _rest(self, version: _Version, replica: _Replica, now: int) -> None:
        """Send the replica nothing for a while: it has refused a connection."""
        replica.rests_until = now + min(self.rules.rest << replica.refusals, self.rules.longest_rest)
        replica.refusals = min(replica.refusals + 1, 10)
        replica.stamp += 1  # what was offered before is stale
        heappush(self._resting, (replica.rests_until, replica.id, replica.stamp, version, replica))
        self.next_timeout = min(self.next_timeout, replica.rests_until)

    def _end_rests(self, now: int, actions: list[Action]) -> None:
        rested: dict[str, _Version] = {}
        while self._resting and self._resting[0][0] <= now:
            until, _, _, version, replica = heappop(self._resting)
            if replica.rests_until == until:  # else news of it has ended its rest
                replica.rests_until = 0
                version.offer(replica)
                rested[version.name] = version
        for version in rested.values():  # only now: of several replicas that are back, the least busy comes first
            if version.queued:
                self._fill(version, now, actions)

    def _fill(self, version: _Version, now: int, actions: list[Action]) -> None:
        """Give waiting requests what slots there are, the longest waiting first (R8)."""
        while version.queued:
            replica = version.take()
            if replica is None:
                return
            request = version.queue.popleft()
            while self._waiting.pop(request, None) is None:  # left the queue by its deadline or its client
                request = version.queue.popleft()
            self._release_bytes(request)
            version.count(now)
            version.queued -= 1
            actions.append(self._dispatch(request, version, replica, now))

    def _release_bytes(self, request: int) -> None:
        """Its body does not wait any more. One that waits for the second time is not counted: a slot's worth of them at most."""
        if self._sizes:
            self._queued_bytes -= self._sizes.pop(request, 0)

    def _release(self, version: _Version, replica: _Replica, now: int, actions: list[Action]) -> None:
        version.count(now)
        version.busy -= 1
        replica.busy -= 1
        assert replica.busy >= 0, f"replica {replica.id} gave back a slot that it did not hold"  # noqa: S101
        replica.released_at = now
        version.offer(replica)
        if version.queued:
            self._fill(version, now, actions)

    def _end(self, request: int, now: int, status: int, reason: Reason | None, *, forwarded: bool) -> list[Action]:
        flight = self._flights.pop(request, None)
        if flight is not None:
            self._lost.discard(request)
            self._moved.discard(request)
            if reason is not Reason.REPLICA_LOST:
                flight[1].refusals = 0
            flight[0].timeouts.forget(self._flights)
            actions: list[Action] = [Answer(request, flight[0].name, status, reason, forwarded)]
        else:
            flight = self._answered.pop(request, None)
            if flight is None:  # answered before, and its slot was given back then
                return []
            actions = []
        self._release(flight[0], flight[1], now, actions)
        return actions

    def _give_up(self, request: int, now: int, status: int, reason: Reason) -> list[Action]:
        version, replica, due = self._flights.pop(request)
        self._moved.discard(request)
        actions: list[Action] = [Answer(request, version.name, status, reason, forwarded=False)]
        if self.rules.slot_released_on_timeout == "at_once" or request in self._lost:
            self._lost.discard(request)
            self._release(version, replica, now, actions)
        else:
            self._answered[request] = (version, replica, due)
        return actions


def _authorized(auth: KeyAuth | TokenAuth, credential: Credential | None, now: int) -> bool:
    """R4. Keys are compared in constant time."""
    if isinstance(auth, KeyAuth):
        if not isinstance(credential, KeyCredential):
            return False
        given = credential.key.encode()
        first = hmac.compare_digest(given, auth.primary.encode())
        second = hmac.compare_digest(given, auth.secondary.encode())
        return first or second
    return isinstance(credential, TokenCredential) and credential.genuine and credential.expires > now
