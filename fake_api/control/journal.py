"""What came of each request: one short row apiece, so many of the latest; no body.

What clients have chosen (names, paths, what they call their requests) is shown without the credentials that may be in it.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from akstwin.backend import ScoreRequest, ScoreResponse
from akstwin.cores.router_http import request_id_of
from akstwin.domain.identity import LONGEST_ID, TRIED_AGAIN, client_id, fingerprint
from akstwin.domain.reasons import Reason
from akstwin.domain.redaction import Redaction
from akstwin.sim.gateway import InteractiveRequest

KEPT: Final = 10_000
"""So many of the latest rows are kept, unless told otherwise."""
_LONGEST_NAME: Final = 255
"""Longer names and paths are cut."""

Row = tuple[
    int, str | None, str | None, int | None, int, int | None, int | None, int, int, str | None, str | None, str, str,
    tuple[str, ...], str | None, str | None, str | None,
]  # fmt: skip
_NAMES: Final = (
    "id", "service", "version", "replica", "arrived", "dispatched", "started", "answered", "status", "reason",
    "client_request_id", "method", "path", "faults", "note", "fingerprint", "request_id",
)  # fmt: skip
_STRANGE: Final = frozenset({401, 404})
"""Answers to requests that may present anything as a credential."""
_SERVICE: Final = 1
_VERSION: Final = 2
_ARRIVED: Final = 4
_STATUS: Final = 8
_REASON: Final = 9
_CLIENT_ID: Final = 10


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows; all that is given must hold.

    Attributes:
        service: its name.
        version: likewise.
        status: of the answer.
        reason: why it was not the model's own.
        since: arrived then or later, virtual µs.
        limit: at most so many, the latest.
    """

    service: str | None = None
    version: str | None = None
    status: int | None = None
    reason: str | None = None
    since: int = 0
    limit: int | None = None

    def takes(self, row: Row) -> bool:
        """Whether the row is one of them."""
        return (
            (self.service is None or row[_SERVICE] == self.service)
            and (self.version is None or row[_VERSION] == self.version)
            and (self.status is None or row[_STATUS] == self.status)
            and (self.reason is None or row[_REASON] == self.reason)
            and row[_ARRIVED] >= self.since
        )


class Journal:
    """Rows in the order of the answers.

    Args:
        kept: how many of the latest.
        redaction: takes credentials out of what clients have chosen.
    """

    def __init__(self, kept: int = KEPT, redaction: Redaction | None = None) -> None:
        self.redaction = redaction or Redaction()
        self._rows: deque[Row] = deque(maxlen=kept)
        self.total = 0
        self._refused = False
        """Whether a client may have tried again: before that no request needs a fingerprint."""

    @property
    def dropped(self) -> int:
        """How many had to go for later ones."""
        return self.total - len(self._rows)

    def answered(
        self, asked: InteractiveRequest, response: ScoreResponse, faults: tuple[str, ...] = (), note: str | None = None
    ) -> None:
        """A request has its answer."""
        self.total = number = self.total + 1
        request, live, sent = asked.request, asked.live, asked.sent
        if live is None:
            replica = dispatched = started = None
        else:
            replica, dispatched, started = live.replica, live.dispatched, live.started
        called = client_id(request.headers)
        if called is not None or response.status in _STRANGE:
            self.redaction.presented(request.headers)
        name = asked.name if response.reason is not Reason.NOT_FOUND else self.redaction.text(asked.name, _LONGEST_NAME)
        self._rows.append((
            number, name, response.version, replica, sent, dispatched, started, sent + response.latency,
            response.status, response.reason, self._called(called, request.headers), request.method, request.path, faults,
            note, self._fingerprint(request, response.status), request_id_of(response.headers) or None,
        ))  # fmt: skip

    def _called(self, called: str | None, headers: Iterable[tuple[str, str]]) -> str | None:
        """A client's name of its request; one that is cut loses its credentials first, all others when they are shown."""
        if called is None or len(called) < LONGEST_ID:
            return called
        return self.redaction.text(client_id(headers, None) or "", LONGEST_ID)

    def _fingerprint(self, request: ScoreRequest, status: int) -> str | None:
        if status in TRIED_AGAIN:
            self._refused = True
        return fingerprint(request.headers, request.body) if self._refused else None

    def lost(self, at: int, service: str, request: ScoreRequest, faults: tuple[str, ...]) -> None:
        """A scoring request met a fault that ended its connection before it was routed."""
        named = self._fingerprint(request, 0)
        self.broken(at, service, request.headers, request.method, request.path, faults, fingerprint=named)

    def broken(
        self, at: int, service: str | None, headers: Iterable[tuple[str, str]], method: str, path: str,
        faults: tuple[str, ...], status: int = 0, answered: int | None = None, fingerprint: str | None = None,
    ) -> None:  # fmt: skip
        """A request met a fault; status 0: its connection ended without an answer. `answered`: when it ended, if later."""
        self.total = number = self.total + 1
        headers = tuple(headers)
        self.redaction.presented(headers)
        service, path = (
            service and self.redaction.text(service, _LONGEST_NAME),
            self.redaction.text(path, _LONGEST_NAME),
        )
        self._rows.append((
            number, service, None, None, at, None, None, at if answered is None else answered, status, None,
            self._called(client_id(headers), headers), method, path, faults, None, fingerprint, None,
        ))  # fmt: skip

    def missed(
        self, at: int, method: str, path: str, status: int, note: str, headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        """A request matched nothing."""
        self.redaction.presented(headers)
        self.total = number = self.total + 1
        self._rows.append(
            (
                number,
                None,
                None,
                None,
                at,
                None,
                None,
                at,
                status,
                None,
                None,
                method,
                self.redaction.text(path, _LONGEST_NAME),
                (),
                note,
                None,
                None,
            ),
        )

    def clear(self) -> None:
        """As new."""
        self._rows.clear()
        self.total = 0
        self._refused = False

    def after(self, number: int) -> Iterator[dict[str, Any]]:
        """What has come since the row of that number."""
        first = max(0, number - self.dropped)
        for at in range(first, len(self._rows)):
            yield self._shown(self._rows[at], None)

    def document(self, wanted: Wanted = Wanted()) -> dict[str, Any]:
        """Rows as JSON, with each client's attempts counted among the kept ones."""
        rows = list(self._rows)
        attempts = _attempts(rows)
        chosen = [row for row in rows if wanted.takes(row)]
        if wanted.limit is not None:
            chosen = chosen[len(chosen) - wanted.limit :] if wanted.limit < len(chosen) else chosen
        return {
            "total": self.total,
            "dropped": self.dropped,
            "entries": [self._shown(row, attempts.get(row[0])) for row in chosen],
        }

    def _shown(self, row: Row, attempt: int | None) -> dict[str, Any]:
        shown: dict[str, Any] = dict(zip(_NAMES, row, strict=True))
        shown["faults"] = list(shown["faults"])
        dispatched, called, note = shown["dispatched"], shown["client_request_id"], shown["note"]
        shown["client_request_id"] = called and self.redaction.text(called)
        shown["request_id"] = shown["request_id"] and self.redaction.text(shown["request_id"])  # a client may choose it
        shown["note"] = note and self.redaction.text(note)
        shown["queue_wait"] = None if dispatched is None else dispatched - shown["arrived"]
        shown["attempt"] = attempt
        return shown


def _attempts(rows: Sequence[Row]) -> dict[int, int]:
    """Which attempt each row is, by the order of arrival, where its client named the request."""
    named = sorted((row for row in rows if row[_CLIENT_ID] is not None), key=lambda row: (row[_ARRIVED], row[0]))
    counts: dict[tuple[str | None, str | None], int] = {}
    attempts: dict[int, int] = {}
    for row in named:
        key = (row[_SERVICE], row[_CLIENT_ID])
        attempts[row[0]] = counts[key] = counts.get(key, 0) + 1
    return attempts
