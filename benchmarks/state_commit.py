"""What a command costs on the disk: SQLite's rollback journal, as `--state` uses it, beside its write-ahead log.

Both in one run, on the same disk, turn by turn; then the state file itself, with its digests, sum and number.

    python benchmarks/state_commit.py [--folder .] [--rounds 300]
"""

import argparse
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from akstwin.store.state import StateFile

RECORDS, CHANGED = 300, 4
TEXT = "x" * 1500


def database(path: Path, mode: str) -> Callable[[int], None]:
    """A transaction on a database with the same records."""
    connection = sqlite3.connect(path, isolation_level=None)
    for setting in ("locking_mode = EXCLUSIVE", f"journal_mode = {mode}", "synchronous = FULL"):
        connection.execute(f"PRAGMA {setting}").fetchall()
    connection.execute("CREATE TABLE record (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID")

    def write(number: int, count: int = CHANGED) -> None:
        connection.execute("BEGIN IMMEDIATE")
        for each in range(count):
            record = (str((number * 7 + each) % RECORDS), f"{number}{TEXT}")
            connection.execute("INSERT OR REPLACE INTO record VALUES (?, ?)", record)
        connection.execute("COMMIT")

    write(0, RECORDS)
    return write


def state(path: Path) -> Callable[[int], None]:
    """The same with a state file."""
    file = StateFile(path)
    store = file.store("workspace")

    def write(number: int, count: int = CHANGED) -> None:
        for each in range(count):
            store.save("thing", str((number * 7 + each) % RECORDS), f"{number}{TEXT}")
        file.commit()

    write(0, RECORDS)
    return write


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--rounds", type=int, default=300)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        sides = {
            "write-ahead log": database(folder / "wal", "WAL"),
            "rollback journal": database(folder / "journal", "PERSIST"),
            "state file": state(folder / "state"),
        }
        took: dict[str, list[float]] = {side: [] for side in sides}
        for number in range(1, given.rounds + 1):
            for side, write in sides.items():
                began = time.perf_counter()
                write(number)
                took[side].append(1e3 * (time.perf_counter() - began))
    for side, each in took.items():
        cuts = statistics.quantiles(each, n=100)
        print(f"{side:17s} median {statistics.median(each):6.2f} ms   p99 {cuts[98]:6.2f} ms")


if __name__ == "__main__":
    main()
