# Containers and the work in them: kubernetes_model.container and sim.engine.containers.

# -- the completions: a heap that knows where each request stands in it

cdef inline void run_put(Kernel self, int32_t place, Run item) noexcept nogil:
    self.completions.items[place] = item
    self.requests[item.request].place = place

cdef void run_up(Kernel self, int32_t place, Run item) noexcept nogil:
    cdef int32_t above
    while place:
        above = (place - 1) >> 1
        if not run_before(&item, &self.completions.items[above]):
            break
        run_put(self, place, self.completions.items[above])
        place = above
    run_put(self, place, item)

cdef void run_down(Kernel self, int32_t place, Run item) noexcept nogil:
    cdef int32_t below, n = self.completions.n
    cdef Run *items = self.completions.items
    while True:
        below = 2 * place + 1
        if below >= n:
            break
        if below + 1 < n and run_before(&items[below + 1], &items[below]):
            below += 1
        if not run_before(&items[below], &item):
            break
        run_put(self, place, items[below])
        place = below
    run_put(self, place, item)

cdef void schedule(Kernel self, int32_t at) noexcept nogil:
    """The request's run ends at `ends`."""
    cdef Request *request = &self.requests[at]
    cdef Run item
    item.ends = request.ends
    item.key = (<int64_t>self.containers[request.container].number << 40) | request.id
    item.request = at
    if self.completions.n == self.completions.room:
        self.completions.room = 2 * self.completions.room + 64
        self.completions.items = <Run *>akstwin_more(self.completions.items, self.completions.room, sizeof(Run))
    self.completions.n += 1
    run_up(self, self.completions.n - 1, item)

cdef void unschedule(Kernel self, int32_t at) noexcept nogil:
    cdef int32_t place = self.requests[at].place
    cdef Run last
    if place == NIL:
        return
    self.requests[at].place = NIL
    self.completions.n -= 1
    if place == self.completions.n:
        return
    last = self.completions.items[self.completions.n]
    run_down(self, place, last)
    run_up(self, self.requests[last.request].place, last)

# -- lists: backlog and runs

cdef inline void inside_add(Kernel self, int32_t *first, int32_t *last, int32_t at) noexcept nogil:
    self.requests[at].in_next = NIL
    self.requests[at].in_prev = last[0]
    if last[0] != NIL:
        self.requests[last[0]].in_next = at
    else:
        first[0] = at
    last[0] = at

cdef inline void inside_drop(Kernel self, int32_t *first, int32_t *last, int32_t at) noexcept nogil:
    cdef Request *request = &self.requests[at]
    if request.in_prev != NIL:
        self.requests[request.in_prev].in_next = request.in_next
    else:
        first[0] = request.in_next
    if request.in_next != NIL:
        self.requests[request.in_next].in_prev = request.in_prev
    else:
        last[0] = request.in_prev

cdef void backlog_add(Kernel self, int32_t of, int32_t at) noexcept nogil:
    cdef Container *container = &self.containers[of]
    inside_add(self, &container.backlog_first, &container.backlog_last, at)
    self.requests[at].inside = BACKLOG
    self.requests[at].container = of
    if not self.requests[at].probe:
        container.waiting += 1

# -- work

cdef inline void runs_now(Kernel self, int32_t of, int32_t at) noexcept nogil:
    """A worker has the request."""
    cdef Container *container = &self.containers[of]
    container.running += 1
    inside_add(self, &container.run_first, &container.run_last, at)
    self.requests[at].inside = RUNNING
    self.requests[at].container = of

cdef void send(Kernel self, int32_t at, int32_t number) noexcept nogil:
    """The router has sent a request to a container."""
    cdef int32_t of = self.at_number[number] if number < self.n_numbers else NIL
    cdef Container *container
    if of == NIL:
        end(self, at, 502, REPLICA_LOST)
        return
    container = &self.containers[of]
    if container.silent:
        return                  # hangs until its time-out
    if not container.alive or container.stopping:
        end(self, at, 502, REPLICA_LOST)
        return
    if container.limited and container.initialised and container.running + container.waiting >= container.room:
        backlog_add(self, of, at)
        end_container(self, of, True)
        return
    if (
        container.backlog_first == NIL and container.initialised and not container.hung
        and container.running < container.workers
    ):
        runs_now(self, of, at)
        start(self, of, at)
        return
    backlog_add(self, of, at)
    advance_container(self, of)

cdef void advance_container(Kernel self, int32_t of) noexcept nogil:
    """Workers that are free take what waits; a stopping container that holds nothing has ended.

    As the reference, it first decides what starts and then starts it: a start may end the container.
    """
    cdef Container *container = &self.containers[of]
    cdef int32_t at, first = NIL, last = NIL, following
    cdef bint exited
    if container.hung or not container.alive:
        return
    while container.backlog_first != NIL and container.initialised and container.running < container.workers:
        at = container.backlog_first
        inside_drop(self, &container.backlog_first, &container.backlog_last, at)
        if self.requests[at].probe:
            probe_reached(self, at)
            continue
        container.waiting -= 1
        runs_now(self, of, at)
        self.requests[at].queue_next = NIL
        if last != NIL:
            self.requests[last].queue_next = at
        else:
            first = at
        last = at
    exited = container.stopping and not container.running and not container.waiting
    at = first
    while at != NIL:
        following = self.requests[at].queue_next
        if not self.containers[of].alive:
            break               # the rest has been answered with the container's end
        start(self, of, at)
        at = following
    if exited:
        end_container(self, of, False)

cdef void start(Kernel self, int32_t of, int32_t at) noexcept nogil:
    """A worker begins. The request may have been answered already: its time-out does not stop the worker."""
    cdef Request *request = &self.requests[at]
    cdef Container *container = &self.containers[of]
    cdef int64_t span
    if not request.answered:
        request.started = self.now
    if self.n_crashes and strikes(self, container.name):
        end_container(self, of, False)
        return
    span = service_time(self, container.model, request)
    if container.numerator != container.denominator:
        span = akstwin_ratio(span, container.numerator, container.denominator)
    if container.factor != 1.0:
        span = <int64_t>min(max(1.0, rint(<double>span * container.factor)), 4e18)
    if span <= self.worker_timeout:
        request.ends = self.now + span
        request.aborted = 0
        request.failed = fails(self, container.model, request)
    else:
        request.ends = self.now + self.worker_timeout
        request.aborted = 1
        request.failed = 0
    schedule(self, at)

cdef bint strikes(Kernel self, int32_t name) noexcept nogil:
    """Whether a fault ends the container at this start; every fault counts it."""
    cdef bint found = False
    cdef int32_t place
    cdef Crash *crash
    for place in range(self.n_crashes):
        crash = &self.crashes[place]
        if crash.name != name:
            continue
        if crash.done and (not crash.every or (crash.times and crash.done >= crash.times)):
            continue
        crash.count += 1
        if crash.count % crash.period:
            continue
        crash.done += 1
        found = True
    return found

cdef void complete(Kernel self, int32_t at) noexcept nogil:
    """A run ends, at the top of the completions."""
    cdef Request *request = &self.requests[at]
    cdef int32_t of = request.container
    cdef Container *container = &self.containers[of]
    cdef Send back
    cdef bint moves
    unschedule(self, at)
    inside_drop(self, &container.run_first, &container.run_last, at)
    request.inside = OUTSIDE
    container.running -= 1
    moves = container.backlog_first != NIL or container.stopping
    if request.aborted:
        container.workers -= 1
        back.at = self.now + worker_init_time(self, container.model, request)
        back.order, back.first, back.second = WORKER_BACK, container.number, request.id
        back.number, back.entry, back.attempt = of, 0, 0
        push_send(&self.backs, back)
        end(self, at, 500, RUN_FAILED)
    elif request.failed:
        end(self, at, self.run_failure_status, RUN_FAILED)
    else:
        end(self, at, 200, NO_REASON)
    let_go(self, at)
    if moves:
        advance_container(self, of)

cdef void worker_back(Kernel self) noexcept nogil:
    cdef Send back = pop_send(&self.backs)
    cdef int32_t of = <int32_t>back.number
    if self.containers[of].alive:
        self.containers[of].workers += 1
        advance_container(self, of)

cdef void end_container(Kernel self, int32_t of, bint out_of_memory) noexcept nogil:
    """The container is dead: what it held is lost, and the control plane hears of it."""
    cdef Container *container = &self.containers[of]
    cdef int32_t n = 0, at, place, following
    cdef Exit *exit
    if self.room_lost < container.running + container.waiting:
        self.room_lost = 2 * (container.running + container.waiting)
        self.lost = <int32_t *>akstwin_more(self.lost, self.room_lost, sizeof(int32_t))
    at = container.run_first
    while at != NIL:            # by number
        place = n
        while place and self.requests[self.lost[place - 1]].id > self.requests[at].id:
            self.lost[place] = self.lost[place - 1]
            place -= 1
        self.lost[place] = at
        n += 1
        unschedule(self, at)
        at = self.requests[at].in_next
    at = container.backlog_first
    while at != NIL:
        following = self.requests[at].in_next
        if self.requests[at].probe:
            free_probe(self, at)
        else:
            self.lost[n] = at
            n += 1
        at = following
    empty(self, container)
    container.alive = 0
    if self.at_number[container.number] == of:
        self.at_number[container.number] = NIL
    if self.n_exits == self.room_exits:
        self.room_exits = 2 * self.room_exits + 16
        self.exits = <Exit *>akstwin_more(self.exits, self.room_exits, sizeof(Exit))
    exit = &self.exits[self.n_exits]
    self.n_exits += 1
    exit.at, exit.container, exit.out_of_memory = self.now, of, out_of_memory
    if self.now < self.stop_at or (self.now == self.stop_at and CONTAINER < self.stop_before):
        self.stop_at, self.stop_before, self.stopped_by_exit = self.now, CONTAINER, True
    for place in range(n):
        self.requests[self.lost[place]].inside = OUTSIDE
    for place in range(n):
        end(self, self.lost[place], 502, REPLICA_LOST)
    for place in range(n):
        let_go(self, self.lost[place])

cdef inline void empty(Kernel self, Container *container) noexcept nogil:
    container.running = container.waiting = 0
    container.backlog_first = container.backlog_last = container.run_first = container.run_last = NIL

cdef void drop_all(Kernel self, int32_t of) noexcept nogil:
    """Its node fell silent: everything in it is lost, and nothing is reported."""
    cdef Container *container = &self.containers[of]
    cdef int32_t at = container.run_first, following
    while at != NIL:
        following = self.requests[at].in_next
        unschedule(self, at)
        self.requests[at].inside = OUTSIDE
        let_go(self, at)
        at = following
    at = container.backlog_first
    while at != NIL:
        following = self.requests[at].in_next
        if self.requests[at].probe:
            free_probe(self, at)
        else:
            self.requests[at].inside = OUTSIDE
            let_go(self, at)
        at = following
    empty(self, container)

# -- probes

cdef void free_probe(Kernel self, int32_t at) noexcept nogil:
    self.requests[at].inside = OUTSIDE
    self.requests[at].router = NOWHERE
    self.requests[at].answered = 1
    let_go(self, at)

cdef void probe_reached(Kernel self, int32_t at) noexcept nogil:
    if self.n_reached == self.room_reached:
        self.room_reached = 2 * self.room_reached + 16
        self.reached = <int64_t *>akstwin_more(self.reached, self.room_reached, sizeof(int64_t))
    self.reached[self.n_reached] = self.requests[at].number
    self.n_reached += 1
    free_probe(self, at)
