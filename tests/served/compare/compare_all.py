"""The four named comparisons, each on a server of its own: what `make test-compare` runs.

Timing counts: nothing else should run on the machine meanwhile. Statuses are gated; latencies are printed for every run, and
whether their medians are within 10 per cent.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
RUNS = "3"
GATES = {
    "below_saturation": ["--refused-within", "100"],
    "saturated": ["--same-status", "0"],
    "step": ["--same-status", "0"],
    "overhead": ["--refused-within", "100"],
}
"""What is not asked of a scenario. Where the queue is always full, a millisecond decides who is refused: the same share is, but
not always the same requests."""


def main() -> int:
    """Run all; returns the exit status."""
    folder = Path("build/compare")
    folder.mkdir(parents=True, exist_ok=True)
    failed = [name for name, gates in GATES.items() if not compared(name, gates, folder)]
    print(f"not met: {', '.join(failed)}" if failed else "all gates are met", flush=True)  # noqa: T201
    return 1 if failed else 0


def compared(name: str, gates: list[str], folder: Path) -> bool:
    """Whether a scenario's gates are met."""
    serve = [sys.executable, "-m", "akstwin", "serve", "--port", "0", "--tls-port", "0"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            first = server.stdout.readline()
            assert first.startswith("listening on "), first
            url = first.split()[2]
            command = [sys.executable, "-m", "akstwin", "compare", str(HERE / f"{name}.yaml"), "--against", url]
            command += ["--runs", RUNS, "--gate", "--json", str(folder / f"{name}.json"), *gates]
            return subprocess.run(command, check=False).returncode == 0
        finally:
            server.terminate()


if __name__ == "__main__":
    sys.exit(main())
