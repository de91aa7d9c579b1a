# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The data plane of one service as machine code: router, containers and open arrivals, event by event in virtual time.

It decides what `cores.routing`, `kubernetes_model.container` and `sim.engine.containers` decide, in the same order; they are the
reference, and `tests/sim/engines` holds the two to be identical. All instants are whole microseconds. Everything lies in C arrays
and is named by its place in them; -1 is nothing.

Decisions first, deeds after: what the router decides goes into a row of actions, which is worked off when the decision is over, and
which grows while it is worked off (`perform`).
"""

from array import array

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.math cimport rint
from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

include "state.pxi"
include "heaps.pxi"


@cython.final
cdef class Kernel:
    """The state of one service's data plane.

    Args:
        overhead: added to the latency of every forwarded answer, µs.
        worker_timeout: after which the server ends a worker, µs.
        queue_when_none_ready: whether requests wait while no replica is ready; else they are refused.
        slot_at_once: whether a slot is free as its request has run into its time-out; else when its worker is done.
        max_queue: requests that may wait per version; -1: any number.
        run_failure_status: what a client sees when `run()` raises.
        owner: makes blocks of chance (`add_stream`, `block`), arrivals (`arrivals`), start-up times of workers
            (`worker_init_time`) and what answers cause (`answered`).
    """

    cdef public object owner
    cdef public object error
    cdef int64_t overhead, worker_timeout, max_queue, run_failure_status
    cdef bint queue_when_none_ready, slot_at_once

    cdef Request *requests
    cdef int32_t n_requests, room_requests, free_request
    cdef int64_t arrivals           # requests so far
    cdef int64_t population_count, population_sum, population_since
    cdef readonly int64_t pending_counted
    cdef public bint to_the_last    # stop after the last counted answer

    cdef Version *versions
    cdef int32_t n_versions, room_versions
    cdef int32_t *order             # versions as the router goes through them: those that there are, then the removed ones
    cdef int32_t n_order, n_active, room_order
    cdef Replica *replicas
    cdef int32_t n_replicas, room_replicas
    cdef Container *containers
    cdef int32_t n_containers, room_containers
    cdef int32_t *at_number         # the container of a replica's number
    cdef int32_t n_numbers
    cdef Model *models
    cdef int32_t n_models, room_models
    cdef Stream *streams
    cdef int32_t n_streams, room_streams
    cdef Streams split
    cdef Entry *entries
    cdef int32_t n_entries
    cdef Crash *crashes
    cdef int32_t n_crashes, room_crashes

    cdef Share *shares
    cdef int32_t n_shares, single_version
    cdef bint split_known

    cdef Action *actions
    cdef int32_t n_actions, room_actions
    cdef Outcome *outcomes
    cdef int32_t n_outcomes, room_outcomes
    cdef Exit *exits
    cdef int32_t n_exits, room_exits
    cdef int64_t *reached           # probes that a worker has answered
    cdef int32_t n_reached, room_reached
    cdef int32_t *lost
    cdef int32_t room_lost

    cdef Runs completions
    cdef Sends backs, sends
    cdef int64_t next_timeout, next_deadline, arrival_at
    cdef int32_t arrival_entry
    cdef int32_t held_first, held_last      # requests given up whose slot is still held, in the order of giving up

    cdef public int64_t now
    cdef int64_t stop_at
    cdef int32_t stop_before
    cdef bint stopped_by_exit

    def __init__(self, overhead, worker_timeout, queue_when_none_ready, slot_at_once, max_queue, run_failure_status, owner):
        self.overhead = overhead
        self.worker_timeout = worker_timeout
        self.queue_when_none_ready = queue_when_none_ready
        self.slot_at_once = slot_at_once
        self.max_queue = max_queue
        self.run_failure_status = run_failure_status
        self.owner = owner
        self.free_request = NIL
        self.held_first = self.held_last = NIL
        self.next_timeout = self.next_deadline = NEVER
        self.arrival_at = NEVER
        self.arrival_entry = NIL
        self.single_version = NIL
        self.split_known = 0

    def __dealloc__(self):
        cdef int i
        for i in range(self.n_versions):
            free(self.versions[i].offers)
            free(self.versions[i].members)
        for i in range(self.n_streams):
            drop_stream(self, i)
        for i in range(self.n_models):
            free(self.models[i].service.ids)
            free(self.models[i].failure.ids)
        for i in range(self.n_entries):
            free(self.entries[i].instants)
        free(self.split.ids)
        free(self.requests)
        free(self.versions)
        free(self.replicas)
        free(self.containers)
        free(self.models)
        free(self.streams)
        free(self.entries)
        free(self.crashes)
        free(self.actions)
        free(self.outcomes)
        free(self.exits)
        free(self.reached)
        free(self.order)
        free(self.shares)
        free(self.at_number)
        free(self.lost)
        free(self.completions.items)
        free(self.backs.items)
        free(self.sends.items)

    # What the control plane does, between two stretches of time. Names and numbers are looked up by `sim.engine.compiled`.

    def run(self, int64_t until, int before):
        """Do what is due before a class of events at an instant; returns why it came back: 0 all done, 1 reports, 2 outcomes."""
        cdef int32_t why
        with nogil:
            why = run_to(self, until, before)
        if self.error is not None:
            raise self.error
        return why

    def move(self, int64_t now):
        """Nothing of the data plane happens up to here."""
        self.now = now

    # -- reports

    def outcomes_waiting(self):
        """How many outcomes there are to hand over."""
        return self.n_outcomes

    def take_outcomes(self):
        """All outcomes, as rows of 13 whole numbers of 8 bytes."""
        found = PyBytes_FromStringAndSize(<char *>self.outcomes, self.n_outcomes * sizeof(Outcome))
        self.n_outcomes = 0
        return found

    def take_exits(self):
        """Containers that have ended: when, which, and whether for their memory."""
        cdef int32_t place
        found = [
            (self.exits[place].at, self.exits[place].container, bool(self.exits[place].out_of_memory))
            for place in range(self.n_exits)
        ]
        self.n_exits = 0
        return found

    def take_reached(self):
        """Probes that a worker has answered."""
        cdef int32_t place
        found = [self.reached[place] for place in range(self.n_reached)]
        self.n_reached = 0
        return found

    @property
    def population(self):
        """Attempts that have come in and have no answer."""
        return self.population_count

    def population_area(self):
        """Attempts without an answer, summed over time so far."""
        count_population(self)
        return self.population_sum

    # -- versions and replicas

    def add_version(self, int32_t name, int64_t slots, int64_t max_wait, int64_t scoring_timeout):
        """A version is there; returns its place."""
        cdef Version *version
        cdef int32_t at = self.n_versions, place
        if at == self.room_versions:
            self.room_versions = 2 * self.room_versions + 8
            self.versions = <Version *>akstwin_more(self.versions, self.room_versions, sizeof(Version))
        if self.n_order == self.room_order:
            self.room_order = 2 * self.room_order + 8
            self.order = <int32_t *>akstwin_more(self.order, self.room_order, sizeof(int32_t))
        version = &self.versions[at]
        memset(version, 0, sizeof(Version))
        version.name, version.slots, version.max_wait, version.scoring_timeout = name, slots, max_wait, scoring_timeout
        version.changed_at = self.now
        version.queue_first = version.queue_last = version.deadline_first = version.deadline_last = NIL
        version.timeout_first = version.timeout_last = NIL
        self.n_versions += 1
        for place in range(self.n_order, self.n_active, -1):
            self.order[place] = self.order[place - 1]
        self.order[self.n_active] = at
        self.n_order += 1
        self.n_active += 1
        return at

    def change_version(self, int32_t at, int64_t slots, int64_t max_wait, int64_t scoring_timeout):
        """It has other settings; waiting and running requests keep their own limits."""
        cdef Version *version = &self.versions[at]
        cdef int32_t place
        count(self, version)
        version.slots, version.max_wait, version.scoring_timeout = slots, max_wait, scoring_timeout
        for place in range(version.n_members):
            offer(self, version, version.members[place])
        fill(self, version, at)
        deed(self)

    def remove_version(self, int32_t at):
        """It is there no more: who waits is refused, what runs may end."""
        cdef Version *version = &self.versions[at]
        cdef int32_t place, request, following
        count(self, version)
        request = version.queue_first
        while request != NIL:
            following = self.requests[request].queue_next
            due_drop(self, &version.deadline_first, &version.deadline_last, request)
            self.requests[request].router = NOWHERE
            act(self, ANSWER, request, at, NIL, 503, NO_READY_REPLICA, 0)
            request = following
        version.queued = 0
        version.queue_first = version.queue_last = NIL
        version.removed = 1
        place = 0
        while self.order[place] != at:
            place += 1
        while place < self.n_order - 1:
            self.order[place] = self.order[place + 1]
            place += 1
        self.order[self.n_order - 1] = at
        self.n_active -= 1
        deed(self)

    def set_split(self, shares, bint known):
        """Versions (their places; -1: no such version) with the draws below which they are meant; one alone needs no draw."""
        cdef int32_t place
        self.split_known = known
        self.single_version = NIL
        self.n_shares = 0
        if len(shares) == 1:
            self.single_version = shares[0][1]
        elif shares:
            self.shares = <Share *>akstwin_more(self.shares, len(shares), sizeof(Share))
            for place, (below, version) in enumerate(shares):
                self.shares[place].below, self.shares[place].version = below, version
            self.n_shares = len(shares)

    def add_replica(self, int32_t of, int32_t number):
        """The router hears of a replica for the first time; returns its place."""
        cdef Version *version = &self.versions[of]
        cdef Replica *replica
        cdef int32_t at = self.n_replicas
        if at == self.room_replicas:
            self.room_replicas = 2 * self.room_replicas + 64
            self.replicas = <Replica *>akstwin_more(self.replicas, self.room_replicas, sizeof(Replica))
        if version.n_members == version.room_members:
            version.room_members = 2 * version.room_members + 16
            version.members = <int32_t *>akstwin_more(version.members, version.room_members, sizeof(int32_t))
        version.members[version.n_members] = at
        version.n_members += 1
        replica = &self.replicas[at]
        memset(replica, 0, sizeof(Replica))
        replica.number, replica.version, replica.released_at, replica.place = number, of, -1, NIL
        self.n_replicas += 1
        return at

    def set_ready(self, int32_t at, bint ready):
        """Whether the router may send the replica requests."""
        cdef Replica *replica = &self.replicas[at]
        cdef Version *version = &self.versions[replica.version]
        cdef bint was = replica.ready
        replica.ready = ready
        version.ready += ready - was
        if ready and not was:
            if replica.released_at < 0:
                replica.released_at = self.now
            offer(self, version, at)
            fill(self, version, replica.version)
        elif not ready:
            offer_drop(self, version, at)
        deed(self)

    def forget_replica(self, int32_t at):
        """It is gone for good."""
        cdef Version *version = &self.versions[self.replicas[at].version]
        cdef int32_t place
        for place in range(version.n_members):
            if version.members[place] == at:
                version.members[place] = version.members[version.n_members - 1]
                version.n_members -= 1
                break

    def work_lost(self, int32_t name, int32_t number):
        """What the replica of a version of that name worked on is lost, and it will never say so."""
        cdef int32_t at, place, n = 0
        cdef Request *request
        for at in range(self.n_requests):
            request = &self.requests[at]
            if request.used and request.router == FLYING and is_on(self, request, name, number):
                request.lost = 1
        at = self.held_first
        while at != NIL:
            if is_on(self, &self.requests[at], name, number):
                if n == self.room_lost:
                    self.room_lost = 2 * self.room_lost + 64
                    self.lost = <int32_t *>akstwin_more(self.lost, self.room_lost, sizeof(int32_t))
                self.lost[n] = at
                n += 1
            at = self.requests[at].due_next
        for place in range(n):
            end(self, self.lost[place], 0, NO_REASON)
            let_go(self, self.lost[place])
        deed(self)

    def usage(self, int32_t at):
        """Areas of busy and waiting up to now; busy, waiting and ready now."""
        cdef Version *version = &self.versions[at]
        cdef int64_t span = self.now - version.changed_at
        return (
            version.busy_area + version.busy * span, version.queued_area + version.queued * span, version.busy, version.queued,
            version.ready,
        )

    def in_flight(self, int32_t at):
        """Slots taken on one replica."""
        return self.replicas[at].busy

    # -- containers

    def add_model(self, int64_t fails_below):
        """A version's model under one profile; returns its place."""
        cdef int32_t at = self.n_models
        if at == self.room_models:
            self.room_models = 2 * self.room_models + 8
            self.models = <Model *>akstwin_more(self.models, self.room_models, sizeof(Model))
        memset(&self.models[at], 0, sizeof(Model))
        self.models[at].fails_below = fails_below
        self.n_models += 1
        return at

    def add_container(self, int32_t number, int32_t name, int32_t model, numerator, denominator, int32_t workers, room):
        """A container starts; returns its place."""
        cdef Container *container
        cdef int32_t at = self.n_containers, place
        if at == self.room_containers:
            self.room_containers = 2 * self.room_containers + 64
            self.containers = <Container *>akstwin_more(self.containers, self.room_containers, sizeof(Container))
        container = &self.containers[at]
        memset(container, 0, sizeof(Container))
        container.number, container.name, container.workers, container.factor, container.alive = number, name, workers, 1.0, 1
        empty(self, container)
        self.n_containers += 1
        self.set_model(at, model, numerator, denominator, room)
        if number >= self.n_numbers:
            self.at_number = <int32_t *>akstwin_more(self.at_number, 2 * number + 16, sizeof(int32_t))
            for place in range(self.n_numbers, 2 * number + 16):
                self.at_number[place] = NIL
            self.n_numbers = 2 * number + 16
        self.at_number[number] = at
        return at

    def set_model(self, int32_t at, int32_t model, int64_t numerator, int64_t denominator, room):
        """Requests that start in it from now on take this model's times."""
        cdef Container *container = &self.containers[at]
        container.model, container.numerator, container.denominator = model, numerator, denominator
        container.limited = room is not None
        container.room = 0 if room is None else room

    def initialise(self, int32_t at):
        """`init()` has returned; returns whether the container takes too much memory now, and is dead."""
        cdef Container *container = &self.containers[at]
        container.initialised = 1
        if container.limited and container.running + container.waiting > container.room:
            end_container(self, at, True)
            deed(self)
            return True
        advance_container(self, at)
        deed(self)
        return False

    def stop(self, int32_t at):
        """SIGTERM: finish what is held, take nothing new."""
        self.containers[at].stopping = 1
        advance_container(self, at)
        deed(self)

    def is_stopping(self, int32_t at):
        """Whether it was told to stop."""
        return bool(self.containers[at].stopping)

    def kill(self, int32_t at):
        """It is dead at once."""
        end_container(self, at, False)
        deed(self)

    def unmap(self, int32_t number):
        """Requests for the replica reach no container any more."""
        if number < self.n_numbers:
            self.at_number[number] = NIL

    def silence(self, int32_t at):
        """Its node is lost."""
        self.containers[at].silent = 1
        drop_all(self, at)

    def end_silence(self, int32_t at):
        """Its node is back."""
        self.containers[at].silent = 0

    def hang(self, int32_t at):
        """Nothing moves any more."""
        cdef Container *container = &self.containers[at]
        cdef int32_t request = container.run_first
        if container.hung:
            return
        container.hung = 1
        while request != NIL:
            unschedule(self, request)
            self.requests[request].ends -= self.now
            request = self.requests[request].in_next

    def resume(self, int32_t at):
        """It moves again."""
        cdef Container *container = &self.containers[at]
        cdef int32_t request = container.run_first
        container.hung = 0
        while request != NIL:
            self.requests[request].ends += self.now
            schedule(self, request)
            request = self.requests[request].in_next
        advance_container(self, at)
        deed(self)

    def set_factor(self, int32_t at, double factor):
        """Requests that start in it take this many times as long."""
        self.containers[at].factor = factor

    def add_crash(self, int32_t name, int64_t period, bint every, int64_t times):
        """A container dies as it starts the version's n-th request from now."""
        cdef Crash *crash
        if self.n_crashes == self.room_crashes:
            self.room_crashes = 2 * self.room_crashes + 8
            self.crashes = <Crash *>akstwin_more(self.crashes, self.room_crashes, sizeof(Crash))
        crash = &self.crashes[self.n_crashes]
        memset(crash, 0, sizeof(Crash))
        crash.period, crash.times, crash.name, crash.every = period, times, name, every
        self.n_crashes += 1

    def probe(self, int32_t at, int64_t number):
        """A probe comes in; `take_reached` tells when it is answered."""
        cdef int32_t place
        if not self.containers[at].alive or self.containers[at].stopping:
            return
        place = new_request(self)
        self.requests[place].probe = 1
        self.requests[place].number = number
        backlog_add(self, at, place)
        advance_container(self, at)
        deed(self)

    def drop_probe(self, int32_t at, int64_t number):
        """The probe has given up waiting."""
        cdef Container *container = &self.containers[at]
        cdef int32_t place = container.backlog_first
        while place != NIL:
            if self.requests[place].probe and self.requests[place].number == number:
                inside_drop(self, &container.backlog_first, &container.backlog_last, place)
                free_probe(self, place)
                return
            place = self.requests[place].in_next

    # -- load

    def add_entry(self, int32_t at, int64_t count_from, int64_t count_to, bint followed, bint answers_followed, bint arrives):
        """An entry of the traffic begins.

        Args:
            at: its number.
            count_from: requests that arrive from then on, and before `count_to`, belong to the result.
            count_to: see above.
            followed: whether refusals may cause something.
            answers_followed: whether every answer does.
            arrives: whether it has arrivals of its own.
        """
        cdef Entry *entry
        cdef int32_t place
        if at >= self.n_entries:
            self.entries = <Entry *>akstwin_more(self.entries, at + 1, sizeof(Entry))
            for place in range(self.n_entries, at + 1):
                memset(&self.entries[place], 0, sizeof(Entry))
                self.entries[place].next = NEVER
            self.n_entries = at + 1
        entry = &self.entries[at]
        entry.count_from, entry.count_to = count_from, count_to
        entry.followed, entry.answers_followed = followed, answers_followed
        entry.at = -1
        if arrives:
            step_entry(self, at)
        next_arrival(self)
        if self.error is not None:
            raise self.error

    def stop_entry(self, int32_t at):
        """It sends no more."""
        self.entries[at].stopped = 1
        self.entries[at].next = NEVER
        next_arrival(self)

    def has_arrivals(self, int32_t at):
        """Whether the entry has arrivals to come."""
        return self.entries[at].next < NEVER

    def sent(self, int32_t at):
        """Requests of an entry so far, and how many of them were repeats."""
        return self.entries[at].sent, self.entries[at].repeated

    def plan_turn(self, int64_t at, int32_t entry, int64_t user, int64_t number):
        """A user's next request comes in then."""
        cdef Send send
        send.at, send.order, send.first, send.second = at, ARRIVAL, entry + 1, user
        send.entry, send.number, send.attempt = entry, number, 0
        push_send(&self.sends, send)

    def plan_retry(self, int64_t at, int32_t entry, int64_t number, int32_t attempt):
        """The request is sent again then."""
        cdef Send send
        send.at, send.order, send.first, send.second = at, RETRY, entry, number << 12 | attempt
        send.entry, send.number, send.attempt = entry, number, attempt
        push_send(&self.sends, send)


cdef deed(Kernel self):
    """Carry out what a call of the control plane has decided."""
    with nogil:
        perform(self)
    if self.error is not None:
        raise self.error


cdef bint is_on(Kernel self, Request *request, int32_t name, int32_t number) noexcept nogil:
    return self.versions[request.version].name == name and self.replicas[request.replica].number == number


include "router.pxi"
include "containers.pxi"
include "load.pxi"
include "loop.pxi"
include "counting.pxi"
