"""A trace of what happened, as Parquet: one row an attempt, one row an event, in the order in which they ended."""

from collections.abc import Collection
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from akstwin.sim.engine.outcomes import Outcomes
from akstwin.sim.load.users import turn_of, user_of

SCHEMA = pa.schema(
    [
        pa.field("replication", pa.int32(), nullable=False),
        pa.field("at_us", pa.int64(), nullable=False, metadata={"is": "answer of a request, or instant of an event"}),
        pa.field(
            "kind", pa.string(), nullable=False, metadata={"is": "request, replica (its new state), or what happened"}
        ),
        pa.field("service", pa.string(), metadata={"is": "whose it is; nothing: the cluster's"}),
        pa.field("subject", pa.string(), metadata={"is": "version of a request, or what an event happened to"}),
        pa.field("detail", pa.string()),
        pa.field("entry", pa.int32(), metadata={"is": "traffic entry, from 0"}),
        pa.field("number", pa.int64(), metadata={"is": "of the request within its entry, from 0"}),
        pa.field("attempt", pa.int32(), metadata={"is": "0 for the first"}),
        pa.field("counted", pa.bool_(), metadata={"is": "arrived within the result's window"}),
        pa.field("replica", pa.int32()),
        pa.field("arrived_us", pa.int64()),
        pa.field("dispatched_us", pa.int64()),
        pa.field("started_us", pa.int64()),
        pa.field("settled_us", pa.int64(), metadata={"is": "when the router had the answer, before its overhead"}),
        pa.field("status", pa.int16()),
        pa.field("reason", pa.string()),
        pa.field(
            "user", pa.int32(), metadata={"is": "who sent it, from 0; absent where users do not wait for answers"}
        ),
        pa.field("turn", pa.int64(), metadata={"is": "which of its user's requests it is, from 0"}),
    ]
)
REQUEST = "request"
REPLICA = "replica"
_BATCH = 50_000


class _Counted:
    """A stream that says how far it is: a pipe cannot."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._written = 0

    @property
    def closed(self) -> bool:
        """It is not closed from here."""
        return False

    def write(self, data: bytes) -> int:
        """Write all of it."""
        self._stream.write(data)
        self._written += len(data)
        return len(data)

    def tell(self) -> int:
        """How much has been written, bytes."""
        return self._written

    def flush(self) -> None:
        """Hand on what is buffered."""
        self._stream.flush()

    def close(self) -> None:
        """Whoever opened it closes it."""


class TraceWriter:
    """Writes traces of all replications into one Parquet file; memory does not grow with them.

    Args:
        target: the file; or what it is written to, such as a pipe, which is not closed.
        waiting: traffic entries whose users wait for their answers, by service and number.
    """

    def __init__(self, target: Path | BinaryIO, waiting: Collection[tuple[str, int]] = ()) -> None:
        self.waiting = frozenset(waiting)
        sink = target if isinstance(target, Path) else pa.PythonFile(_Counted(target), mode="w")
        self._writer = pq.ParquetWriter(sink, SCHEMA, compression="zstd")
        self._rows: list[tuple[Any, ...]] = []

    def recorder(self, replication: int) -> "ReplicationTrace":
        """What hears one replication."""
        return ReplicationTrace(self, replication)

    def add(self, row: tuple[Any, ...]) -> None:
        """One more row, in the order of the schema."""
        self._rows.append(row)
        if len(self._rows) == _BATCH:
            self._flush()

    def close(self) -> None:
        """Write what is left (OSError)."""
        self._flush()
        self._writer.close()

    def abandon(self) -> None:
        """Write nothing more: the stream may be closed already when the writer is collected."""
        self._rows.clear()
        self._writer.is_open = False

    def _flush(self) -> None:
        if self._rows:
            by_column = zip(*self._rows, strict=True)
            columns = [pa.array(column, field.type) for column, field in zip(by_column, SCHEMA, strict=True)]
            self._writer.write_table(pa.Table.from_arrays(columns, schema=SCHEMA))
            self._rows.clear()


class ReplicationTrace:
    """Hears one replication: of the cluster, or of one service.

    Args:
        writer: writes the rows.
        replication: 1, 2, …
        service: the name; None: what hears of the cluster.
    """

    def __init__(self, writer: TraceWriter, replication: int, service: str | None = None) -> None:
        self._writer = writer
        self._replication = replication
        self._service = service

    def of(self, service: str) -> "ReplicationTrace":
        """What hears of one service of this replication."""
        return ReplicationTrace(self._writer, self._replication, service)

    def answered(self, outcomes: Outcomes) -> None:
        """A row for each attempt."""
        for each in outcomes.rows():
            waits = (self._service, each.entry) in self._writer.waiting
            self._writer.add(
                (self._replication, each.answered, REQUEST, self._service, each.version, None, each.entry, each.number,
                 each.attempt, each.counted, each.replica, each.arrived, each.dispatched, each.started, each.settled,
                 each.status, each.reason, user_of(each.number) if waits else None, turn_of(each.number) if waits else None)
            )  # fmt: skip

    def happened(self, at: int, kind: str, subject: str, detail: str = "") -> None:
        """A row for an event."""
        self._writer.add((self._replication, at, kind, self._service, subject, detail or None, *(None,) * 13))

    def replica_changed(self, at: int, replica: int, version: str, state: str, node: int | None, *, seen: bool) -> None:
        """A row for a replica's new state, or for the router's new view of it."""
        words = [state, *([] if node is None else [f"node {node}"]), *(["seen ready"] if seen else [])]
        row = (
            self._replication,
            at,
            REPLICA,
            self._service,
            version,
            ", ".join(words),
            None,
            None,
            None,
            None,
            replica,
        )
        self._writer.add((*row, *(None,) * 8))
