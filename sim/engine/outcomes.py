"""What engines hand over: the outcomes of attempts, in batches of columns."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from akstwin.domain.reasons import Reason
from akstwin.sim.requests import Request

ABSENT: Final = -1
"""Stands in a column where there is nothing: no replica, never dispatched, never started."""
REASONS: Final[tuple[Reason | None, ...]] = (None, *Reason)
"""The column of reasons holds places in this table."""
_REASON_AT: Final = {reason: at for at, reason in enumerate(REASONS)}
BATCH: Final = 4096
"""A batch holds at most so many attempts: memory does not grow with the time between two looks."""


class Outcome(NamedTuple):
    """One attempt of one request and its answer; the columns of `Outcomes`, row by row.

    Attributes:
        entry: of the traffic.
        number: of the request within its entry.
        attempt: 0 for the first.
        version: who it was meant for; None: refused before that.
        replica: who it was sent to; None: nobody.
        arrived: when it came in, µs; the others too.
        dispatched: when it was sent to its replica; None: never.
        started: when a worker began with it; None: none did.
        settled: when the router had its answer.
        answered: when the client has it.
        status: of the answer.
        reason: why it was not the model's answer.
        counted: whether it arrived within its load plan's window.
        live: whether somebody waited for the very answer; else it is generated load.
    """

    entry: int
    number: int
    attempt: int
    version: str | None
    replica: int | None
    arrived: int
    dispatched: int | None
    started: int | None
    settled: int
    answered: int
    status: int
    reason: Reason | None
    counted: bool
    live: bool


@dataclass(frozen=True, slots=True)
class Outcomes:
    """A batch of outcomes in the order in which the router had them: one column a field, as `Outcome` describes them.

    All columns hold whole numbers, so that an engine may hand over arrays.

    Attributes:
        versions: names; the column `version` holds places in it.
        version: likewise.
        reason: places in `REASONS`.
        replica: or `ABSENT`.
        dispatched: or `ABSENT`.
        started: or `ABSENT`.
        counted: 1 or 0.
        live: 1 or 0.
    """

    versions: Sequence[str | None]
    entry: Sequence[int]
    number: Sequence[int]
    attempt: Sequence[int]
    version: Sequence[int]
    replica: Sequence[int]
    arrived: Sequence[int]
    dispatched: Sequence[int]
    started: Sequence[int]
    settled: Sequence[int]
    answered: Sequence[int]
    status: Sequence[int]
    reason: Sequence[int]
    counted: Sequence[int]
    live: Sequence[int]

    def __len__(self) -> int:
        return len(self.settled)

    def rows(self) -> Iterator[Outcome]:
        """Attempt by attempt: for whoever looks at few, or at all fields."""
        columns = (
            self.entry, self.number, self.attempt, self.version, self.replica, self.arrived, self.dispatched, self.started,
            self.settled, self.answered, self.status, self.reason, self.counted, self.live,
        )  # fmt: skip
        for row in zip(*columns, strict=True):
            entry, number, attempt, version, replica, arrived, dispatched, started, settled, answered, status, *rest = (
                row
            )
            reason, counted, live = rest
            yield Outcome(
                entry,
                number,
                attempt,
                self.versions[version],
                None if replica == ABSENT else replica,
                arrived,
                None if dispatched == ABSENT else dispatched,
                None if started == ABSENT else started,
                settled,
                answered,
                status,
                REASONS[reason],
                bool(counted),
                bool(live),
            )


class OutcomeBuffer:
    """Collects the outcomes of one engine, and hands them over as a batch.

    Args:
        deliver: takes a batch; it must not call the engine.
    """

    def __init__(self, deliver: Callable[[Outcomes], None]) -> None:
        self._deliver = deliver
        self._rows: list[tuple[int, ...]] = []
        self._versions: list[str | None] = [None]
        self._version_at: dict[str | None, int] = {None: 0}

    def add(self, request: Request, settled: int) -> int:
        """The router has the attempt's answer; returns how many outcomes wait to be handed over."""
        version = self._version_at.get(request.version)
        if version is None:
            version = self._version_at[request.version] = len(self._versions)
            self._versions.append(request.version)
        replica, dispatched, started = request.replica, request.dispatched, request.started
        answered = request.answered
        assert answered is not None  # noqa: S101
        rows = self._rows
        rows.append(
            (
                request.entry, request.number, request.attempt, version, ABSENT if replica is None else replica,
                request.arrived, ABSENT if dispatched is None else dispatched, ABSENT if started is None else started,
                settled, answered, request.status, _REASON_AT[request.reason], request.counted,
                request.exchange is not None,
            )
        )  # fmt: skip
        return len(rows)

    def flush(self) -> None:
        """Hand over all that there is."""
        if self._rows:
            rows, self._rows = self._rows, []
            self._deliver(Outcomes(self._versions, *zip(*rows, strict=True)))
