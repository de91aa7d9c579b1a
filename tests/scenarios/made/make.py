"""Makes the files beside it: python make.py, in an environment with polars and locust."""

import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import polars as pl

HERE = Path(__file__).parent
ROWS = 60
LOCUSTFILE = """
from locust import HttpUser, constant, task

class Caller(HttpUser):
    wait_time = constant(0.2)

    @task
    def score(self):
        self.client.post("/score", json={"data": [1]})
"""


class Server(BaseHTTPRequestHandler):
    """Refuses every tenth request."""

    asked = 0

    def do_POST(self) -> None:
        """Answer."""
        Server.asked += 1
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(503 if Server.asked % 10 == 0 else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def with_polars() -> None:
    """A log in each form that a data frame is written in."""
    start = datetime(2026, 11, 16, 8, 0, 0, 500_000, tzinfo=UTC)
    frame = pl.DataFrame(
        {
            "timestamp": [start + timedelta(seconds=at) for at in range(ROWS)],
            "duration": [timedelta(milliseconds=100 + at) for at in range(ROWS)],
            "status": [200] * ROWS,
        },
        schema={"timestamp": pl.Datetime("ns", "UTC"), "duration": pl.Duration("us"), "status": pl.Int16},
    )
    frame.write_parquet(HERE / "polars.parquet")
    in_numbers = frame.with_columns(pl.col("duration").dt.total_milliseconds().alias("duration_ms")).drop("duration")
    in_numbers.write_csv(HERE / "polars.csv")
    in_numbers.write_ndjson(HERE / "polars.ndjson")
    in_numbers.with_columns(pl.col("timestamp").dt.epoch("ns")).write_csv(HERE / "polars_epoch.csv", separator=";")


def with_locust() -> None:
    """The files of a load test of twelve seconds."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (HERE / "locustfile.py").write_text(LOCUSTFILE)
    subprocess.run(
        [
            sys.executable, "-m", "locust", "--headless", "-f", HERE / "locustfile.py", "-u", "5", "-r", "5", "-t", "12s",
            "--csv", HERE / "locust", "--csv-full-history", "-H", f"http://127.0.0.1:{server.server_address[1]}",
        ],
        check=False,
    )  # fmt: skip
    (HERE / "locustfile.py").unlink()
    server.shutdown()


if __name__ == "__main__":
    with_polars()
    with_locust()
