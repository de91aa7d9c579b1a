# What there is: requests, versions, replicas as the router knows them, containers, models, traffic entries.

cdef enum:
    NIL = -1
    BLOCK = 1024
    ATTEMPTS = 256      # streams of one entry by attempt; a client tries 100 times at most
    BATCH = 4096

cdef enum:  # classes of events at one instant: sim.event_order
    COMPLETION = 1
    SCORING_TIMEOUT = 2
    WORKER_BACK = 4
    CONTAINER = 5
    QUEUE_DEADLINE = 13
    ARRIVAL = 14
    RETRY = 15

cdef enum:  # reasons: places in sim.engine.outcomes.REASONS
    NO_REASON = 0
    BY_DEADLINE = 1
    QUEUE_FULL = 2
    NO_READY_REPLICA = 3
    BY_TIMEOUT = 4
    REPLICA_LOST = 5
    RUN_FAILED = 6
    NOT_FOUND = 8

cdef enum:  # where a request stands with the router
    NOWHERE = 0
    WAITING = 1
    FLYING = 2
    GIVEN_UP = 3        # answered; its slot is still held

cdef enum:  # where it stands in its container
    OUTSIDE = 0
    BACKLOG = 1
    RUNNING = 2

cdef enum:
    DISPATCH = 0
    ANSWER = 1

cdef enum:  # why `run` came back
    REACHED = 0
    STOPPED = 1
    FULL = 2
    FAILED = 3


cdef struct Request:
    int64_t id, number, arrived, dispatched, started
    int64_t deadline            # of its wait
    int64_t due                 # of its scoring time-out
    int64_t ends                # of its run; while its container hangs, what is left
    int32_t entry, attempt
    int32_t version             # where it waits or runs
    int32_t replica             # the router's, by place
    int32_t number_of_replica   # in its answer; -1: it was sent to none
    int32_t container
    int32_t queue_next, queue_prev
    int32_t due_next, due_prev          # deadlines while it waits, time-outs while it flies, those given up after
    int32_t in_next, in_prev            # backlog or runs of its container
    int32_t place                       # among the completions
    uint8_t router, inside, answered, counted, lost, aborted, failed, probe, used


cdef struct Version:
    int64_t slots, max_wait, scoring_timeout
    int64_t busy, queued, busy_area, queued_area, changed_at
    int32_t name, ready
    int32_t queue_first, queue_last, deadline_first, deadline_last, timeout_first, timeout_last
    int32_t n_offers, room_offers, n_members, room_members
    int32_t *offers
    int32_t *members
    uint8_t removed


cdef struct Replica:
    int64_t busy, released_at
    int32_t number, version, place
    uint8_t ready


cdef struct Container:
    int64_t numerator, denominator, room
    double factor
    int32_t number, name, model, workers, running, waiting
    int32_t backlog_first, backlog_last, run_first, run_last
    uint8_t limited, alive, initialised, hung, stopping, silent


cdef struct Streams:            # by entry and attempt
    int32_t n_entries
    int32_t *ids


cdef struct Model:
    int64_t fails_below
    Streams service, failure


cdef struct Stream:
    int64_t number              # of the block that is open
    int64_t *open
    int32_t mask, evicted
    int64_t *numbers
    int64_t **blocks


cdef struct Entry:              # of the traffic
    int64_t next                # instant of its next arrival
    int64_t number
    int64_t sent, repeated
    int64_t count_from, count_to
    int64_t *instants
    int32_t n_instants, at, room
    uint8_t stopped, followed, answers_followed


cdef struct Crash:
    int64_t period, times, count, done
    int32_t name
    uint8_t every


cdef struct Action:
    int32_t kind, request, version, replica, status, reason, forwarded


cdef struct Outcome:            # the columns of sim.engine.outcomes
    int64_t entry, number, attempt, version, replica, arrived, dispatched, started, settled, answered, status, reason, counted


cdef struct Exit:
    int64_t at
    int32_t container, out_of_memory


cdef struct Share:
    int64_t below
    int32_t version
