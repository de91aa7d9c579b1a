"""Makes `access.csv`, the log of the page "From a log to a size": `python docs/logs/make_access.py`.

Eight minutes of a service whose truth is known: three replicas, a lognormal service time of 110 ms with cv 0.6, three rates, and
the router's 3 ms. The log is what its router would have written, repeats of refused requests included.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq

from akstwin.scenarios.load import prepare
from akstwin.scenarios.run import run
from akstwin.scenarios.trace import TraceWriter

START = datetime(2026, 11, 16, 8, 0, tzinfo=UTC)
TRUTH = {
    "seed": 20261116,
    "duration": "8m",
    "cluster": {"nodes": 3, "vm_size": "Standard_D4s_v5"},
    "webservice": {
        "name": "fraud",
        "deploy": {"num_replicas": 3, "cpu_cores": 1, "memory_gb": 2},
        "model": {"service_time": {"distribution": "lognormal", "mean": "110ms", "cv": 0.6}},
    },
    "traffic": [{"shape": "steps", "rate": [3, 24, 4], "at": ["0s", "3m", "5m"]}],
    "clients": {"retry": {"statuses": [503], "attempts": 3, "backoff": "1s", "factor": 2}},
}


def text() -> str:
    """The log's content; the same each time."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "trace.parquet"
        writer = TraceWriter(path)
        run(prepare(TRUTH, Path(folder) / "truth.yaml"), recorder=writer.recorder)
        writer.close()
        rows = [row for row in pq.read_table(path).to_pylist() if row["kind"] == "request"]
    lines = ["timestamp,status,duration_ms,attempt"]
    for row in rows:  # in the order of their answers, as a router writes them
        came = (START + timedelta(microseconds=row["arrived_us"])).isoformat(timespec="milliseconds")
        took = (row["at_us"] - row["arrived_us"]) / 1000
        lines.append(f"{came.replace('+00:00', 'Z')},{row['status']},{took:.1f},{row['attempt'] + 1}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    (Path(__file__).parent / "access.csv").write_text(text(), encoding="utf-8")
