"""The reference engine's speed beside that of an earlier revision: both in one run, in alternating rounds, by CPU time.

The earlier revision is taken from git into a temporary folder. Each of the two has a process of its own, which stays for all
rounds; timed is a whole replication, from the build of the world to the last answer, without imports. Single figures drift with
the machine; the ratio within a round does not. Both must come to the same counts.

    python benchmarks/before_after.py REVISION [ROUNDS] [REQUESTS A ROUND]
"""

import json
import os
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RATE = 80.0
LARGE = {"purpose": "DevTest", "nodes": 1, "vm_size": {"cpu_cores": 64, "memory_gb": 256}}
SCENARIOS: dict[str, dict[str, Any]] = {
    "queue": {
        "cluster": LARGE,
        "webservice": {
            "name": "queue",
            "deploy": {"num_replicas": 8, "max_request_wait_time": 500, "initial_delay_seconds": 10**8},
            "model": {"service_time": {"distribution": "exponential", "mean": 0.09}},
        },
        "traffic": {"shape": "poisson", "rate": RATE},
    },
    "autoscaled, with retries": {
        "cluster": LARGE,
        "webservice": {
            "name": "queue",
            "deploy": {"autoscale_enabled": True, "autoscale_max_replicas": 12, "max_request_wait_time": 500},
            "model": {"service_time": {"distribution": "exponential", "mean": 0.09}},
        },
        "traffic": {"shape": "poisson", "rate": RATE},
        "clients": {"retry": {"statuses": [502, 503, 504], "attempts": 3, "backoff": "1s"}},
    },
}
CHILD = """
import json, sys
from pathlib import Path
from time import process_time
import akstwin
from akstwin.scenarios.load import prepare
from akstwin.scenarios.simulate import replicate
print(json.dumps(akstwin.__file__), flush=True)
for line in sys.stdin:
    prepared = prepare(json.loads(line), Path("benchmark.yaml"))
    began = process_time()
    seen = replicate(prepared, 1).all
    seconds = process_time() - began
    print(json.dumps([seconds, seen.requests, sorted(seen.statuses.items())]), flush=True)
"""


class Engine:
    """A process that runs scenarios on the sources of one folder."""

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder)},
        )  # fmt: skip
        taken = Path(self._answer())
        if folder not in taken.resolve().parents:
            raise SystemExit(f"{taken} was imported, expected the sources in {folder}")

    def run(self, scenario: dict[str, Any]) -> tuple[float, Any]:
        """CPU seconds, and the counts of requests and statuses."""
        assert self._process.stdin is not None  # noqa: S101
        print(json.dumps(scenario), file=self._process.stdin, flush=True)
        seconds, *counts = self._answer()
        return seconds, counts

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None  # noqa: S101
        self._process.stdin.close()
        self._process.wait()

    def _answer(self) -> Any:
        assert self._process.stdout is not None  # noqa: S101
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a benchmarked process ended with status {self._process.wait()}")
        return json.loads(line)


def unpacked(revision: str, folder: Path) -> Path:
    """The revision's sources, in `folder`."""
    archive = subprocess.run(["git", "archive", revision], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    return folder.resolve()


def compare(name: str, before: Engine, after: Engine, rounds: int, requests: int) -> float:
    """Measure one scenario; returns the median of the rounds' ratios."""
    ratios = []
    for number in range(rounds):
        scenario = {**SCENARIOS[name], "duration": requests / RATE, "seed": number + 1}
        engines = [before, after] if number % 2 == 0 else [after, before]
        found = {engine: engine.run(scenario) for engine in engines}
        if found[before][1] != found[after][1]:
            raise SystemExit(f"{name}, seed {number + 1}: {found[before][1]} before, {found[after][1]} after")
        ratios.append(found[before][0] / found[after][0])
        speeds = [found[engine][1][0] / found[engine][0] for engine in (before, after)]
        print(
            f"{name}, round {number + 1}: {speeds[0]:,.0f}/s before, {speeds[1]:,.0f}/s after, ratio {ratios[-1]:.3f}"
        )
    return median(ratios)


def main() -> None:
    """Measure and print."""
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    revision = sys.argv[1]
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    requests = int(sys.argv[3]) if len(sys.argv) > 3 else 40_000
    with TemporaryDirectory() as folder:
        before, after = Engine(unpacked(revision, Path(folder))), Engine(ROOT)
        try:
            for name in SCENARIOS:
                ratio = compare(name, before, after, rounds, requests)
                print(f"{name}: median ratio {ratio:.3f} of the speed at {revision}")
        finally:
            before.close()
            after.close()


if __name__ == "__main__":
    main()
