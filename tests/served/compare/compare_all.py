"""The four named comparisons, each on a server of its own: what `make test-compare` runs.

Timing counts: nothing else should run on the machine meanwhile. Statuses are gated; latencies are printed for every run, and
whether their medians are within 10 per cent. On a machine that stands still so often that no run of a scenario tells anything,
there is no verdict on it, and that is said: it is neither met nor missed.
"""

import json
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
    verdicts = {name: compared(name, gates, folder) for name, gates in GATES.items()}
    for verdict in ("met", "not met", "no verdict: this machine is too busy"):
        names = [name for name, found in verdicts.items() if found == verdict]
        if names:
            print(f"{verdict}: {', '.join(names)}", flush=True)  # noqa: T201
    return 1 if "not met" in verdicts.values() else 0


def compared(name: str, gates: list[str], folder: Path) -> str:
    """What is to be said of a scenario's gates."""
    written = folder / f"{name}.json"
    written.unlink(missing_ok=True)
    serve = [sys.executable, "-m", "akstwin", "serve", "--port", "0", "--tls-port", "0"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            first = server.stdout.readline()
            assert first.startswith("listening on "), first
            url = first.split()[2]
            command = [sys.executable, "-m", "akstwin", "compare", str(HERE / f"{name}.yaml"), "--against", url]
            command += ["--runs", RUNS, "--gate", "--json", str(written), *gates]
            ended = subprocess.run(command, check=False).returncode
        finally:
            server.terminate()
    if ended == 0:
        return "met"
    if ended == 1 and all(gate["value"] is None for gate in json.loads(written.read_text(encoding="utf-8"))["gates"]):
        return "no verdict: this machine is too busy"
    return "not met"


if __name__ == "__main__":
    sys.exit(main())
