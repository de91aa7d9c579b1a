# The router: cores.routing.

cdef int32_t new_request(Kernel self) noexcept nogil:
    cdef int32_t at = self.free_request
    if at != NIL:
        self.free_request = self.requests[at].queue_next
    else:
        if self.n_requests == self.room_requests:
            self.room_requests = 2 * self.room_requests + 256
            self.requests = <Request *>akstwin_more(self.requests, self.room_requests, sizeof(Request))
        at = self.n_requests
        self.n_requests += 1
    memset(&self.requests[at], 0, sizeof(Request))
    self.requests[at].used = 1
    self.requests[at].place = NIL
    self.requests[at].version = NIL
    self.requests[at].replica = NIL
    self.requests[at].container = NIL
    self.requests[at].number_of_replica = NIL
    self.requests[at].dispatched = self.requests[at].started = NIL
    return at

cdef inline void let_go(Kernel self, int32_t at) noexcept nogil:
    """The request's place is free if nobody knows it any more."""
    cdef Request *request = &self.requests[at]
    if request.used and request.answered and request.router == NOWHERE and request.inside == OUTSIDE:
        request.used = 0
        request.queue_next = self.free_request
        self.free_request = at

cdef inline void act(Kernel self, int32_t kind, int32_t request, int32_t version, int32_t replica, int32_t status, int32_t reason, bint forwarded
) noexcept nogil:
    cdef Action *action
    if self.n_actions == self.room_actions:
        self.room_actions = 2 * self.room_actions + 64
        self.actions = <Action *>akstwin_more(self.actions, self.room_actions, sizeof(Action))
    action = &self.actions[self.n_actions]
    self.n_actions += 1
    action.kind, action.request, action.version, action.replica = kind, request, version, replica
    action.status, action.reason, action.forwarded = status, reason, forwarded

# -- lists: the queue; deadlines and time-outs, soonest first, of equal ones the first added

cdef inline void queue_add(Kernel self, Version *version, int32_t at) noexcept nogil:
    cdef Request *request = &self.requests[at]
    request.queue_next = NIL
    request.queue_prev = version.queue_last
    if version.queue_last != NIL:
        self.requests[version.queue_last].queue_next = at
    else:
        version.queue_first = at
    version.queue_last = at

cdef inline void queue_drop(Kernel self, Version *version, int32_t at) noexcept nogil:
    cdef Request *request = &self.requests[at]
    if request.queue_prev != NIL:
        self.requests[request.queue_prev].queue_next = request.queue_next
    else:
        version.queue_first = request.queue_next
    if request.queue_next != NIL:
        self.requests[request.queue_next].queue_prev = request.queue_prev
    else:
        version.queue_last = request.queue_prev

cdef inline void due_add(Kernel self, int32_t *first, int32_t *last, int32_t at, bint waiting) noexcept nogil:
    cdef Request *request = &self.requests[at]
    cdef int64_t due = request.deadline if waiting else request.due
    cdef int32_t after = last[0]
    while after != NIL:         # only after the setting has been lowered
        if (self.requests[after].deadline if waiting else self.requests[after].due) <= due:
            break
        after = self.requests[after].due_prev
    request.due_prev = after
    if after != NIL:
        request.due_next = self.requests[after].due_next
        self.requests[after].due_next = at
    else:
        request.due_next = first[0]
        first[0] = at
    if request.due_next != NIL:
        self.requests[request.due_next].due_prev = at
    else:
        last[0] = at

cdef inline void due_drop(Kernel self, int32_t *first, int32_t *last, int32_t at) noexcept nogil:
    cdef Request *request = &self.requests[at]
    if request.due_prev != NIL:
        self.requests[request.due_prev].due_next = request.due_next
    else:
        first[0] = request.due_next
    if request.due_next != NIL:
        self.requests[request.due_next].due_prev = request.due_prev
    else:
        last[0] = request.due_prev

# -- offers: replicas that can take a request, the least busy first, then the one free for longest, then by number (R7)

cdef inline bint offer_before(Kernel self, int32_t one, int32_t other) noexcept nogil:
    cdef Replica *a = &self.replicas[one]
    cdef Replica *b = &self.replicas[other]
    if a.busy != b.busy:
        return a.busy < b.busy
    if a.released_at != b.released_at:
        return a.released_at < b.released_at
    return a.number < b.number

cdef void offer_up(Kernel self, Version *version, int32_t place) noexcept nogil:
    cdef int32_t moved = version.offers[place], above
    while place:
        above = (place - 1) >> 1
        if not offer_before(self, moved, version.offers[above]):
            break
        version.offers[place] = version.offers[above]
        self.replicas[version.offers[place]].place = place
        place = above
    version.offers[place] = moved
    self.replicas[moved].place = place

cdef void offer_down(Kernel self, Version *version, int32_t place) noexcept nogil:
    cdef int32_t moved = version.offers[place], below
    while True:
        below = 2 * place + 1
        if below >= version.n_offers:
            break
        if below + 1 < version.n_offers and offer_before(self, version.offers[below + 1], version.offers[below]):
            below += 1
        if not offer_before(self, version.offers[below], moved):
            break
        version.offers[place] = version.offers[below]
        self.replicas[version.offers[place]].place = place
        place = below
    version.offers[place] = moved
    self.replicas[moved].place = place

cdef void offer_drop(Kernel self, Version *version, int32_t at) noexcept nogil:
    cdef int32_t place = self.replicas[at].place, last
    if place == NIL:
        return
    self.replicas[at].place = NIL
    version.n_offers -= 1
    last = version.offers[version.n_offers]
    if last != at:
        version.offers[place] = last
        self.replicas[last].place = place
        offer_up(self, version, place)
        offer_down(self, version, self.replicas[last].place)

cdef void offer(Kernel self, Version *version, int32_t at) noexcept nogil:
    """Put the replica where `take` finds it, if it can take a request; its key may have changed."""
    cdef Replica *replica = &self.replicas[at]
    if not (replica.ready and replica.busy < version.slots):
        offer_drop(self, version, at)
        return
    if replica.place == NIL:
        if version.n_offers == version.room_offers:
            version.room_offers = 2 * version.room_offers + 16
            version.offers = <int32_t *>akstwin_more(version.offers, version.room_offers, sizeof(int32_t))
        replica.place = version.n_offers
        version.offers[version.n_offers] = at
        version.n_offers += 1
    offer_up(self, version, replica.place)
    offer_down(self, version, replica.place)

cdef int32_t take(Kernel self, Version *version) noexcept nogil:
    """The least busy ready replica with a free slot, its slot taken."""
    cdef int32_t at
    if not version.n_offers:
        return NIL
    at = version.offers[0]
    self.replicas[at].busy += 1
    if self.replicas[at].busy < version.slots:
        offer_down(self, version, 0)
    else:
        offer_drop(self, version, at)
    return at

# -- deciding

cdef inline void count(Kernel self, Version *version) noexcept nogil:
    cdef int64_t span = self.now - version.changed_at
    version.busy_area += version.busy * span
    version.queued_area += version.queued * span
    version.changed_at = self.now

cdef inline void dispatch(Kernel self, int32_t at, Version *version, int32_t of, int32_t replica) noexcept nogil:
    cdef Request *request = &self.requests[at]
    version.busy += 1
    request.due = self.now + version.scoring_timeout
    request.router = FLYING
    request.version = of
    request.replica = replica
    due_add(self, &version.timeout_first, &version.timeout_last, at, False)
    if request.due < self.next_timeout:
        self.next_timeout = request.due
    act(self, DISPATCH, at, of, replica, 0, 0, 0)

cdef void fill(Kernel self, Version *version, int32_t of) noexcept nogil:
    """Give waiting requests what slots there are, the longest waiting first (R8)."""
    cdef int32_t replica, at
    while version.queued:
        replica = take(self, version)
        if replica == NIL:
            return
        at = version.queue_first
        queue_drop(self, version, at)
        due_drop(self, &version.deadline_first, &version.deadline_last, at)
        count(self, version)
        version.queued -= 1
        dispatch(self, at, version, of, replica)

cdef void release(Kernel self, int32_t of, int32_t at) noexcept nogil:
    cdef Version *version = &self.versions[of]
    cdef Replica *replica = &self.replicas[at]
    count(self, version)
    version.busy -= 1
    replica.busy -= 1
    replica.released_at = self.now
    offer(self, version, at)
    if version.queued:
        fill(self, version, of)

cdef void end(Kernel self, int32_t at, int32_t status, int32_t reason) noexcept nogil:
    """The request's replica is done with it; of one that has its answer, only the slot is given back."""
    cdef Request *request = &self.requests[at]
    cdef Version *version
    if request.router == FLYING:
        version = &self.versions[request.version]
        due_drop(self, &version.timeout_first, &version.timeout_last, at)
        request.router = NOWHERE
        request.lost = 0
        act(self, ANSWER, at, request.version, NIL, status, reason, 1)
    elif request.router == GIVEN_UP:
        due_drop(self, &self.held_first, &self.held_last, at)
        request.router = NOWHERE
    else:
        return
    release(self, request.version, request.replica)

cdef void give_up(Kernel self, int32_t at) noexcept nogil:
    """Its scoring time-out is over (R11): the worker goes on."""
    cdef Request *request = &self.requests[at]
    cdef Version *version = &self.versions[request.version]
    due_drop(self, &version.timeout_first, &version.timeout_last, at)
    act(self, ANSWER, at, request.version, NIL, 504, BY_TIMEOUT, 0)
    if self.slot_at_once or request.lost:
        request.router = NOWHERE
        request.lost = 0
        release(self, request.version, request.replica)
        return
    request.router = GIVEN_UP
    request.due_prev = self.held_last
    request.due_next = NIL
    if self.held_last != NIL:
        self.requests[self.held_last].due_next = at
    else:
        self.held_first = at
    self.held_last = at

cdef void expire_timeouts(Kernel self) noexcept nogil:
    cdef int32_t place, at
    cdef Version *version
    for place in range(self.n_order):
        version = &self.versions[self.order[place]]
        while version.timeout_first != NIL and self.requests[version.timeout_first].due <= self.now:
            give_up(self, version.timeout_first)
    self.next_timeout = NEVER
    for place in range(self.n_order):
        at = self.versions[self.order[place]].timeout_first
        if at != NIL and self.requests[at].due < self.next_timeout:
            self.next_timeout = self.requests[at].due

cdef void expire_queue(Kernel self) noexcept nogil:
    cdef int32_t place, at
    cdef Version *version
    for place in range(self.n_active):
        version = &self.versions[self.order[place]]
        while version.deadline_first != NIL and self.requests[version.deadline_first].deadline <= self.now:
            at = version.deadline_first
            due_drop(self, &version.deadline_first, &version.deadline_last, at)
            queue_drop(self, version, at)
            self.requests[at].router = NOWHERE
            count(self, version)
            version.queued -= 1
            act(self, ANSWER, at, self.order[place], NIL, 503, BY_DEADLINE, 0)
    self.next_deadline = NEVER
    for place in range(self.n_active):
        at = self.versions[self.order[place]].deadline_first
        if at != NIL and self.requests[at].deadline < self.next_deadline:
            self.next_deadline = self.requests[at].deadline

cdef void arrive(Kernel self, int32_t at, int64_t draw) noexcept nogil:
    """A request has come in (R2 to R8)."""
    cdef Request *request = &self.requests[at]
    cdef Version *version
    cdef int32_t of = self.single_version, place, replica
    if not self.split_known:
        act(self, ANSWER, at, NIL, NIL, 404, NOT_FOUND, 0)
        return
    if self.n_shares:
        place = 0
        while place < self.n_shares - 1 and draw >= self.shares[place].below:
            place += 1
        of = self.shares[place].version
    if of == NIL:
        act(self, ANSWER, at, NIL, NIL, 404, NOT_FOUND, 0)
        return
    version = &self.versions[of]
    if not version.ready and not self.queue_when_none_ready:
        act(self, ANSWER, at, of, NIL, 503, NO_READY_REPLICA, 0)
        return
    if not version.queued:
        replica = take(self, version)
        if replica != NIL:
            count(self, version)
            dispatch(self, at, version, of, replica)
            return
    if self.max_queue >= 0 and version.queued >= self.max_queue:
        act(self, ANSWER, at, of, NIL, 503, QUEUE_FULL, 0)
        return
    count(self, version)
    version.queued += 1
    request.version = of
    request.router = WAITING
    request.deadline = self.now + version.max_wait
    queue_add(self, version, at)
    due_add(self, &version.deadline_first, &version.deadline_last, at, True)
    if request.deadline < self.next_deadline:
        self.next_deadline = request.deadline
