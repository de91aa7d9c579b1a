"""One row of a server's journal."""

from dataclasses import dataclass

from akstwin.clock import SECOND


@dataclass(frozen=True, slots=True)
class Entry:
    """One request, and what came of it. Times are virtual, µs.

    Attributes:
        id: its number in the journal.
        service: that it was for; None: it matched nothing.
        version: that it was meant for; None: refused before that.
        replica: that it was sent to.
        arrived: when it came in.
        dispatched: when it was sent to the replica.
        started: when a worker began with it.
        answered: when it had its answer.
        status: of the answer; 0: the connection ended without one.
        reason: why it was not the model's own (`akstwin.domain.reasons`).
        client_request_id: the client's name of it.
        method: the HTTP verb.
        path: `/score` or `/swagger.json`; the whole path where it matched nothing.
        faults: the faults that struck it, by their ids.
        note: why it matched nothing, and what would have been near.
        queue_wait: from its arrival to its dispatch.
        attempt: 1 for the first of its client's attempts; None: the client did not name it.
        fingerprint: a hash of its body and its credential, which the attempts at one request share; None: no request had been
            refused when it was answered, or it is no scoring request.
        request_id: `x-ms-request-id` of its answer, as rows of Application Insights have it; None: it was not routed.
    """

    id: int
    service: str | None = None
    version: str | None = None
    replica: int | None = None
    arrived: int = 0
    dispatched: int | None = None
    started: int | None = None
    answered: int = 0
    status: int = 0
    reason: str | None = None
    client_request_id: str | None = None
    method: str = "POST"
    path: str = "/score"
    faults: tuple[str, ...] = ()
    note: str | None = None
    queue_wait: int | None = None
    attempt: int | None = None
    fingerprint: str | None = None
    request_id: str | None = None

    @property
    def latency(self) -> int:
        """From its arrival to its answer."""
        return self.answered - self.arrived

    @property
    def pod(self) -> str | None:
        """The replica's name, as the record of events has it; None: it was sent to none."""
        return None if self.replica is None else f"{self.version}-{self.replica}"

    def __str__(self) -> str:
        parts = [
            f"{self.arrived / SECOND:12.6f} s",
            self.service or f"{self.method} {self.path}",
            self.version or "-",
            "-" if self.replica is None else f"replica {self.replica}",
            str(self.status or "no answer"),
            f"{self.latency / 1000:g} ms",
        ]
        if self.queue_wait:
            parts.append(f"waited {self.queue_wait / 1000:g} ms")
        if self.attempt is not None:
            parts.append(f"attempt {self.attempt}")
        parts += [str(each) for each in (self.reason, *self.faults, self.note) if each]
        return "  ".join(parts)
