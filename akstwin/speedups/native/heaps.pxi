# Binary heaps over what is due.

cdef extern from *:
    """
    #include <stdlib.h>
    #include <stdint.h>
    #define AKSTWIN_NEVER ((int64_t)1 << 62)

    /* span * numerator / denominator, rounded half to even, at least 1; not later than any instant that is reached. */
    static inline int64_t akstwin_ratio(int64_t span, int64_t numerator, int64_t denominator) {
        __int128 product = (__int128)span * numerator;
        __int128 whole = product / denominator, twice = 2 * (product % denominator);
        whole += twice > denominator || (twice == denominator && whole % 2 == 1);
        if (whole > ((__int128)1 << 62)) whole = (__int128)1 << 62;
        return whole < 1 ? 1 : (int64_t)whole;
    }

    /* Memory for so many things of a size; there is nothing sensible to do without. */
    static inline void *akstwin_more(void *old, size_t count, size_t size) {
        void *now = realloc(old, count * size);
        if (now == NULL) { abort(); }
        return now;
    }
    """
    int64_t NEVER "AKSTWIN_NEVER"
    int64_t akstwin_ratio(int64_t span, int64_t numerator, int64_t denominator) noexcept nogil
    void *akstwin_more(void *old, size_t count, size_t size) noexcept nogil


cdef struct Run:                # a completion
    int64_t ends
    int64_t key                 # replica's number, then the request's
    int32_t request


cdef struct Runs:
    Run *items
    int32_t n, room


cdef inline bint run_before(Run *one, Run *other) noexcept nogil:
    return one.ends < other.ends or (one.ends == other.ends and one.key < other.key)


cdef struct Send:               # a planned arrival or retry; or a worker that comes back
    int64_t at, first, second, number
    int32_t order, entry, attempt


cdef struct Sends:
    Send *items
    int32_t n, room


cdef inline bint send_before(Send *one, Send *other) noexcept nogil:
    if one.at != other.at:
        return one.at < other.at
    if one.order != other.order:
        return one.order < other.order
    if one.first != other.first:
        return one.first < other.first
    return one.second < other.second


cdef inline void push_send(Sends *heap, Send item) noexcept nogil:
    cdef int32_t at, above
    if heap.n == heap.room:
        heap.room = 2 * heap.room + 64
        heap.items = <Send *>akstwin_more(heap.items, heap.room, sizeof(Send))
    at = heap.n
    heap.n += 1
    while at:
        above = (at - 1) >> 1
        if not send_before(&item, &heap.items[above]):
            break
        heap.items[at] = heap.items[above]
        at = above
    heap.items[at] = item


cdef inline Send pop_send(Sends *heap) noexcept nogil:
    cdef Send top = heap.items[0], last
    cdef int32_t at = 0, below
    heap.n -= 1
    last = heap.items[heap.n]
    while True:
        below = 2 * at + 1
        if below >= heap.n:
            break
        if below + 1 < heap.n and send_before(&heap.items[below + 1], &heap.items[below]):
            below += 1
        if not send_before(&heap.items[below], &last):
            break
        heap.items[at] = heap.items[below]
        at = below
    heap.items[at] = last
    return top
