# Time.

cdef int32_t run_to(Kernel self, int64_t until, int32_t before) noexcept nogil:
    """Do what is due before a class of events at an instant; returns why it came back."""
    cdef int64_t at
    cdef int32_t order, present, of
    cdef Send send
    self.stop_at, self.stop_before, self.stopped_by_exit = until, before, False
    while True:
        if self.n_outcomes >= BATCH and not self.stopped_by_exit:
            return FULL
        at, order = self.arrival_at, ARRIVAL
        if self.sends.n and planned_before(self, at):
            at, order = self.sends.items[0].at, RETRY + 1
        if self.next_deadline <= at:
            at, order = self.next_deadline, QUEUE_DEADLINE
        if self.backs.n and self.backs.items[0].at <= at:
            at, order = self.backs.items[0].at, WORKER_BACK
        if self.next_timeout <= at:
            at, order = self.next_timeout, SCORING_TIMEOUT
        if self.completions.n and self.completions.items[0].ends <= at:
            at, order = self.completions.items[0].ends, COMPLETION
        present = self.sends.items[0].order if order == RETRY + 1 else order
        if at > self.stop_at or (at == self.stop_at and present >= self.stop_before):
            if self.error is not None:
                return FAILED
            return STOPPED if self.stopped_by_exit else REACHED
        self.now = at
        if order == COMPLETION:
            complete(self, self.completions.items[0].request)
            perform(self)
        elif order == ARRIVAL:
            of = self.arrival_entry
            at = self.entries[of].number
            self.entries[of].number += 1
            step_entry(self, of)
            next_arrival(self)
            come_in(self, of, at, 0)
        elif order == SCORING_TIMEOUT:
            expire_timeouts(self)
            perform(self)
        elif order == QUEUE_DEADLINE:
            expire_queue(self)
            perform(self)
        elif order == WORKER_BACK:
            worker_back(self)
            perform(self)
        else:
            send = pop_send(&self.sends)
            come_in(self, send.entry, send.number, send.attempt)
        if self.n_reached or (self.to_the_last and not self.pending_counted):
            return STOPPED

cdef inline bint planned_before(Kernel self, int64_t arrival) noexcept nogil:
    """Whether the first planned request comes before the next open arrival."""
    cdef Send *first = &self.sends.items[0]
    if first.at != arrival:
        return first.at < arrival
    return first.order == ARRIVAL and first.entry < self.arrival_entry
