"""Which requests of a journal are attempts at one and the same."""

from collections.abc import Hashable, Iterable
from itertools import groupby, pairwise

from akstwin.domain.identity import TRIED_AGAIN
from akstwin.testing.entry import Entry


def told_apart(entries: Iterable[Entry]) -> tuple[dict[Hashable, list[Entry]], list[Entry]]:
    """Attempts by the request that they are at, and those entries of which that cannot be said.

    A client names its requests by `x-ms-client-request-id`, the same in each attempt. Without a name, requests with one body
    and one credential are attempts at one request where each comes after the one before it was refused; after an answer that
    was none of those, the next is a new request. Of two that were under way at once it cannot be said.
    """
    found: dict[Hashable, list[Entry]] = {}
    unclear: list[Entry] = []
    nameless: list[Entry] = []
    for entry in entries:
        if entry.client_request_id is not None:
            found.setdefault((entry.service, entry.client_request_id), []).append(entry)
        elif entry.fingerprint is not None:
            nameless.append(entry)
        elif entry.status in TRIED_AGAIN:
            unclear.append(entry)
        else:
            found[entry.id] = [entry]
    nameless.sort(key=lambda entry: (entry.service or "", entry.fingerprint or "", entry.arrived, entry.id))
    for _, group in groupby(nameless, key=lambda entry: (entry.service, entry.fingerprint)):
        alike = list(group)
        if not any(entry.status in TRIED_AGAIN for entry in alike):
            found |= {entry.id: [entry] for entry in alike}
            continue
        if any(later.arrived < earlier.answered for earlier, later in pairwise(alike)):
            unclear += alike
            continue
        first = 0
        for number, entry in enumerate(alike):
            if number and alike[number - 1].status not in TRIED_AGAIN:
                first = number
            found.setdefault(("alike", alike[first].id), []).append(entry)
    return found, unclear
