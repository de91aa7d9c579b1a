# What one replication measures of its answers: scenarios.measure, with histograms as domain.histogram has them.

cdef extern from *:
    """
    static inline int akstwin_bits(int64_t value) {
        return value ? 64 - __builtin_clzll((unsigned long long)value) : 0;
    }
    """
    int akstwin_bits(int64_t value) noexcept nogil

cdef enum:
    PAGES = 55          # of 1024 buckets: two for values below 2048 µs, then one for each doubling
    STATUSES = 32
    REASON_COUNT = 11


cdef struct Histogram:
    int64_t largest
    int64_t *pages[PAGES]       # count and sum of each bucket


cdef inline void histogram_add(Histogram *histogram, int64_t value) noexcept nogil:
    cdef int shift = akstwin_bits(value) - 11
    cdef int64_t bucket
    cdef int page
    if shift <= 0:
        page, bucket = <int>(value >> 10), value & 1023
    else:
        page, bucket = 1 + shift, (value >> shift) & 1023
    if histogram.pages[page] == NULL:
        histogram.pages[page] = <int64_t *>akstwin_more(NULL, 2048, sizeof(int64_t))
        memset(histogram.pages[page], 0, 2048 * sizeof(int64_t))
    histogram.pages[page][2 * bucket] += 1
    histogram.pages[page][2 * bucket + 1] += value
    if value > histogram.largest:
        histogram.largest = value


cdef histogram_columns(Histogram *histogram):
    """Keys in ascending order, numbers and sums of the buckets; and the largest value."""
    cdef int page, bucket, n = 0, at = 0
    cdef int64_t first
    cdef int64_t *keys
    for page in range(PAGES):
        if histogram.pages[page] != NULL:
            for bucket in range(1024):
                n += histogram.pages[page][2 * bucket] != 0
    keys = <int64_t *>akstwin_more(NULL, 3 * n + 1, sizeof(int64_t))
    for page in range(PAGES):
        if histogram.pages[page] == NULL:
            continue
        first = (<int64_t>page << 10) if page < 2 else (<int64_t>(page - 1) << 11) + 1024
        for bucket in range(1024):
            if histogram.pages[page][2 * bucket]:
                keys[at] = first + bucket
                keys[n + at] = histogram.pages[page][2 * bucket]
                keys[2 * n + at] = histogram.pages[page][2 * bucket + 1]
                at += 1
    packed = PyBytes_FromStringAndSize(<char *>keys, 3 * n * sizeof(int64_t))
    size = n * sizeof(int64_t)
    columns = tuple([array("q", packed[column * size : (column + 1) * size]) for column in range(3)])
    free(keys)
    return columns, histogram.largest


cdef void histogram_free(Histogram *histogram) noexcept nogil:
    cdef int page
    for page in range(PAGES):
        free(histogram.pages[page])


cdef struct Point:              # one stretch of the timeline, by arrival
    int64_t arrivals
    int64_t statuses[STATUSES]
    Histogram latency


cdef struct Tally:              # one version; 0 is nobody's
    int64_t answers[STATUSES][REASON_COUNT][2]      # by status, reason, and whether it was a first attempt
    Histogram latency, waited


@cython.final
cdef class Counter:
    """Counts the answers of one replication, in memory that does not grow with them.

    Args:
        step: length of one stretch of the timeline, µs.
        end: arrivals from there on are in none, µs.
        points: how many stretches there are.
    """

    cdef int64_t step, end
    cdef int n_points, n_tallies, n_statuses
    cdef int64_t statuses[STATUSES]
    cdef Point *points
    cdef Tally *tallies

    def __init__(self, int64_t step, int64_t end, int points):
        self.step, self.end, self.n_points = step, end, points
        self.points = <Point *>akstwin_more(NULL, points + 1, sizeof(Point))
        memset(self.points, 0, (points + 1) * sizeof(Point))

    def __dealloc__(self):
        cdef int at
        for at in range(self.n_points if self.points != NULL else 0):
            histogram_free(&self.points[at].latency)
        for at in range(self.n_tallies):
            histogram_free(&self.tallies[at].latency)
            histogram_free(&self.tallies[at].waited)
        free(self.points)
        free(self.tallies)

    def add(self, const int64_t[:, ::1] table, int versions):
        """Count a batch.

        Args:
            table: outcomes as `Kernel.take_outcomes` gives them.
            versions: how many names there are so far.

        Returns:
            Of answers in the result's window that are not 200: status, reason, when the client had it, replica; in their order.
        """
        cdef const Outcome *outcome
        cdef Py_ssize_t row
        cdef int status
        cdef Point *point
        cdef Tally *tally
        if versions > self.n_tallies:
            self.tallies = <Tally *>akstwin_more(self.tallies, versions, sizeof(Tally))
            memset(&self.tallies[self.n_tallies], 0, (versions - self.n_tallies) * sizeof(Tally))
            self.n_tallies = versions
        troubles = []
        for row in range(table.shape[0]):
            outcome = <const Outcome *>&table[row, 0]
            status = self.place_of(outcome.status)
            if outcome.arrived < self.end:
                point = &self.points[outcome.arrived // self.step]
                point.arrivals += 1
                point.statuses[status] += 1
                if outcome.status == 200:
                    histogram_add(&point.latency, outcome.answered - outcome.arrived)
            if not outcome.counted:
                continue
            tally = &self.tallies[outcome.version]
            tally.answers[status][outcome.reason][outcome.attempt == 0] += 1
            if outcome.status == 200:
                histogram_add(&tally.latency, outcome.answered - outcome.arrived)
            else:
                troubles.append((outcome.status, outcome.reason, outcome.answered, outcome.replica))
            if outcome.dispatched != NIL:
                histogram_add(&tally.waited, outcome.dispatched - outcome.arrived)
        return troubles

    cdef inline int place_of(self, int64_t status) except -1:
        cdef int at
        for at in range(self.n_statuses):
            if self.statuses[at] == status:
                return at
        if self.n_statuses == STATUSES:
            raise OverflowError("more statuses than a router has")
        self.statuses[self.n_statuses] = status
        self.n_statuses += 1
        return self.n_statuses - 1

    def timeline(self):
        """Of each stretch: arrivals, answers by status, and the histogram of latencies."""
        cdef int at, status
        return [
            (
                self.points[at].arrivals,
                {
                    self.statuses[status]: self.points[at].statuses[status]
                    for status in range(self.n_statuses)
                    if self.points[at].statuses[status]
                },
                histogram_columns(&self.points[at].latency),
            )
            for at in range(self.n_points)
        ]

    def versions(self):
        """Of each version: (status, reason, whether first attempts, number); histograms of latencies and waits."""
        cdef int at, status, reason, first
        return [
            (
                [
                    (self.statuses[status], reason, bool(first), self.tallies[at].answers[status][reason][first])
                    for status in range(self.n_statuses)
                    for reason in range(REASON_COUNT)
                    for first in range(2)
                    if self.tallies[at].answers[status][reason][first]
                ],
                histogram_columns(&self.tallies[at].latency),
                histogram_columns(&self.tallies[at].waited),
            )
            for at in range(self.n_tallies)
        ]
