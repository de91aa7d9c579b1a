# Chance by name, in blocks as sim.streams makes them; arrivals; what answers cause.

cdef int32_t stream_of(Kernel self, Streams *streams, int32_t kind, int32_t model, int32_t entry, int32_t attempt) noexcept nogil:
    cdef int32_t place, more
    if entry >= streams.n_entries:
        more = entry + 1
        streams.ids = <int32_t *>akstwin_more(streams.ids, <size_t>more * ATTEMPTS, sizeof(int32_t))
        for place in range(streams.n_entries * ATTEMPTS, more * ATTEMPTS):
            streams.ids[place] = NIL
        streams.n_entries = more
    place = entry * ATTEMPTS + attempt
    if streams.ids[place] == NIL:
        streams.ids[place] = new_stream(self, kind, model, entry, attempt)
    return streams.ids[place]

cdef int32_t new_stream(Kernel self, int32_t kind, int32_t model, int32_t entry, int32_t attempt) noexcept with gil:
    cdef Stream *stream
    cdef int32_t number = self.n_streams
    if number == self.room_streams:
        self.room_streams = 2 * self.room_streams + 16
        self.streams = <Stream *>akstwin_more(self.streams, self.room_streams, sizeof(Stream))
    stream = &self.streams[number]
    self.n_streams += 1
    stream.number = NIL
    stream.mask = 7
    stream.evicted = 0
    stream.numbers = <int64_t *>akstwin_more(NULL, 8, sizeof(int64_t))
    memset(stream.numbers, 0xFF, 8 * sizeof(int64_t))
    stream.blocks = <int64_t **>calloc(8, sizeof(int64_t *))
    try:
        self.owner.add_stream(kind, model, entry, attempt)
    except BaseException as error:
        fail(self, error)
    return number

cdef drop_stream(Kernel self, int32_t number):
    cdef int32_t place
    for place in range(self.streams[number].mask + 1):
        free(self.streams[number].blocks[place])
    free(self.streams[number].blocks)
    free(self.streams[number].numbers)

cdef fail(Kernel self, error):
    if self.error is None:
        self.error = error
    self.stop_at = -1           # after this event

cdef inline int64_t drawn(Kernel self, int32_t at, int64_t index) noexcept nogil:
    cdef Stream *stream = &self.streams[at]
    if (index >> 10) != stream.number:
        open_block(self, at, index >> 10)
    return stream.open[index & (BLOCK - 1)]

cdef void open_block(Kernel self, int32_t at, int64_t number) noexcept nogil:
    cdef Stream *stream = &self.streams[at]
    cdef int32_t place = <int32_t>(number & stream.mask)
    if stream.numbers[place] != number:
        if stream.blocks[place] != NULL:
            stream.evicted += 1
            if stream.evicted > 4 * stream.mask and stream.mask < 16383:
                more_blocks(self, stream)
                place = <int32_t>(number & stream.mask)
        if stream.blocks[place] == NULL:
            stream.blocks[place] = <int64_t *>akstwin_more(NULL, BLOCK, sizeof(int64_t))
        stream.numbers[place] = number
        load_block(self, at, number, stream.blocks[place])
    stream.number = number
    stream.open = stream.blocks[place]

cdef void more_blocks(Kernel self, Stream *stream) noexcept nogil:
    """Many blocks are read in turn, as those of many users are: keep twice as many."""
    cdef int32_t room = 2 * (stream.mask + 1), place, to
    cdef int64_t *numbers = <int64_t *>akstwin_more(NULL, room, sizeof(int64_t))
    cdef int64_t **blocks = <int64_t **>calloc(room, sizeof(int64_t *))
    memset(numbers, 0xFF, room * sizeof(int64_t))
    for place in range(stream.mask + 1):
        if stream.blocks[place] != NULL:
            to = <int32_t>(stream.numbers[place] & (room - 1))
            numbers[to], blocks[to] = stream.numbers[place], stream.blocks[place]
    free(stream.numbers)
    free(stream.blocks)
    stream.numbers, stream.blocks, stream.mask, stream.evicted = numbers, blocks, room - 1, 0

cdef void load_block(Kernel self, int32_t at, int64_t number, int64_t *to) noexcept with gil:
    cdef const int64_t[::1] block
    try:
        block = self.owner.block(at, number)
        memcpy(to, &block[0], BLOCK * sizeof(int64_t))
    except BaseException as error:
        memset(to, 0, BLOCK * sizeof(int64_t))
        fail(self, error)

cdef inline int64_t service_time(Kernel self, int32_t model, Request *request) noexcept nogil:
    return drawn(self,
        stream_of(self, &self.models[model].service, 0, model, request.entry, request.attempt), request.number
    )

cdef inline bint fails(Kernel self, int32_t model, Request *request) noexcept nogil:
    if not self.models[model].fails_below:
        return False
    return drawn(self,
        stream_of(self, &self.models[model].failure, 1, model, request.entry, request.attempt), request.number
    ) < self.models[model].fails_below

cdef int64_t worker_init_time(Kernel self, int32_t model, Request *request) noexcept with gil:
    try:
        return self.owner.worker_init_time(model, request.entry, request.attempt, request.number)
    except BaseException as error:
        fail(self, error)
        return 1

# -- what comes in

cdef void next_arrival(Kernel self) noexcept nogil:
    """The earliest arrival of all entries; of two at one instant that of the smaller entry."""
    cdef int32_t at
    self.arrival_at, self.arrival_entry = NEVER, NIL
    for at in range(self.n_entries):
        if self.entries[at].next < self.arrival_at:
            self.arrival_at, self.arrival_entry = self.entries[at].next, at

cdef void step_entry(Kernel self, int32_t at) noexcept nogil:
    """Go on to the entry's next arrival."""
    cdef Entry *entry = &self.entries[at]
    entry.at += 1
    if entry.at >= entry.n_instants:
        more_arrivals(self, at)
    entry.next = entry.instants[entry.at] if entry.at < entry.n_instants else NEVER

cdef void more_arrivals(Kernel self, int32_t at) noexcept with gil:
    cdef Entry *entry = &self.entries[at]
    cdef const int64_t[::1] block
    entry.at = entry.n_instants = 0
    try:
        block = self.owner.arrivals(at)
        if block.shape[0] > entry.room:
            entry.room = <int32_t>block.shape[0]
            entry.instants = <int64_t *>akstwin_more(entry.instants, entry.room, sizeof(int64_t))
        if block.shape[0]:
            memcpy(entry.instants, &block[0], block.shape[0] * sizeof(int64_t))
        entry.n_instants = <int32_t>block.shape[0]
    except BaseException as error:
        fail(self, error)

cdef void come_in(Kernel self, int32_t of, int64_t number, int32_t attempt) noexcept nogil:
    """A request of generated load comes in now."""
    cdef Entry *entry = &self.entries[of]
    cdef int32_t at
    cdef Request *request
    cdef int64_t draw = 0
    if entry.stopped:
        return
    entry.sent += 1
    entry.repeated += attempt > 0
    count_population(self)
    self.population_count += 1
    at = new_request(self)
    request = &self.requests[at]
    request.id = self.arrivals
    self.arrivals += 1
    request.number, request.entry, request.attempt, request.arrived = number, of, attempt, self.now
    request.counted = entry.count_from <= self.now < entry.count_to
    self.pending_counted += request.counted
    if self.n_shares and self.split_known:
        draw = drawn(self, stream_of(self, &self.split, 2, NIL, of, attempt), number)
    arrive(self, at, draw)
    perform(self)

cdef inline void count_population(Kernel self) noexcept nogil:
    self.population_sum += self.population_count * (self.now - self.population_since)
    self.population_since = self.now

# -- what goes out

cdef void perform(Kernel self) noexcept nogil:
    """Carry out what was decided, and what follows from it."""
    cdef int32_t place = 0
    cdef Action action
    cdef Request *request
    while place < self.n_actions:       # grows while it is read
        action = self.actions[place]
        place += 1
        request = &self.requests[action.request]
        if action.kind == DISPATCH:
            request.number_of_replica = self.replicas[action.replica].number
            request.dispatched = self.now
            send(self, action.request, request.number_of_replica)
            continue
        count_population(self)
        self.population_count -= 1
        answer(self, request, &action)
        let_go(self, action.request)
    self.n_actions = 0

cdef void answer(Kernel self, Request *request, Action *action) noexcept nogil:
    cdef int64_t answered = self.now + self.overhead if action.forwarded else self.now
    cdef Outcome *outcome
    cdef Entry *entry = &self.entries[request.entry]
    request.answered = 1
    self.pending_counted -= request.counted
    if self.n_outcomes == self.room_outcomes:
        self.room_outcomes = 2 * self.room_outcomes + BATCH
        self.outcomes = <Outcome *>akstwin_more(self.outcomes, self.room_outcomes, sizeof(Outcome))
    outcome = &self.outcomes[self.n_outcomes]
    self.n_outcomes += 1
    outcome.entry, outcome.number, outcome.attempt = request.entry, request.number, request.attempt
    outcome.version = self.versions[action.version].name + 1 if action.version != NIL else 0
    outcome.replica = request.number_of_replica
    outcome.arrived, outcome.dispatched, outcome.started = request.arrived, request.dispatched, request.started
    outcome.settled, outcome.answered = self.now, answered
    outcome.status, outcome.reason, outcome.counted = action.status, action.reason, request.counted
    if (action.status != 200 and entry.followed) or entry.answers_followed:
        follow(self, request.entry, request.number, request.attempt, action.status, answered)

cdef void follow(Kernel self, int32_t entry, int64_t number, int32_t attempt, int32_t status, int64_t answered) noexcept with gil:
    try:
        self.owner.answered(entry, number, attempt, status, answered)
    except BaseException as error:
        fail(self, error)
