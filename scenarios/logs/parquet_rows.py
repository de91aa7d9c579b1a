"""Rows of a Parquet file, in batches."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from akstwin.scenarios.logs.json_rows import as_text
from akstwin.scenarios.logs.rows import Row, Rows

_BATCH = 10_000


def parquet_rows(path: Path) -> Rows:
    """The rows.

    Raises:
        OSError, ValueError: it is no Parquet file.
    """
    table = pq.ParquetFile(path)
    headings = list(table.schema_arrow.names)

    def each() -> Iterator[Row]:
        number = 0
        for batch in table.iter_batches(batch_size=_BATCH):
            for cells in zip(*(_whole(column).to_pylist() for column in batch.columns), strict=True):
                number += 1
                yield number, [as_text(cell) for cell in cells]

    return Rows(headings, each(), "row", "Parquet")


def _whole(column: pa.Array) -> pa.Array:
    """Times in microseconds: Python has no finer ones."""
    kind = column.type
    if pa.types.is_timestamp(kind) and kind.unit == "ns":
        return column.cast(pa.timestamp("us", kind.tz), safe=False)
    if pa.types.is_duration(kind) and kind.unit == "ns":
        return column.cast(pa.duration("us"), safe=False)
    return column
