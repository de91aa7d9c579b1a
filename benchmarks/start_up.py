"""How long the command and the pytest plugin take to start: whole processes, alternating, beside a Python that does nothing.

The plugin's share is pytest with a test that asks for `aks_server`, less pytest with a test that asks for nothing.

python benchmarks/start_up.py [ROUNDS]
"""

import subprocess
import sys
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

SCENARIO = """\
duration: 1s
webservice:
  name: queue
  deploy: {num_replicas: 1}
traffic: {shape: constant, rate: 10}
"""
TESTS = "def test_nothing():\n    pass\n\n\ndef test_with_a_server(aks_server):\n    assert aks_server.url\n"
_PLAIN = "pytest, a test that asks for nothing"
_PLUGIN = "pytest, a test that asks for aks_server"
MAIN = "from akstwin.cli import main; main()"


def taken(command: list[str]) -> tuple[float, float]:
    """Seconds from the process's start to its end, and seconds of CPU."""
    before, began = getrusage(RUSAGE_CHILDREN), perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall, after = perf_counter() - began, getrusage(RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    with TemporaryDirectory() as folder:
        scenario = Path(folder) / "second.yaml"
        scenario.write_text(SCENARIO, encoding="utf-8")
        tests = Path(folder) / "test_start.py"
        tests.write_text(TESTS, encoding="utf-8")
        pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider", "--rootdir", folder]
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "akstwin --help": [sys.executable, "-c", MAIN, "--help"],
            "akstwin run (one second)": [sys.executable, "-c", MAIN, "run", str(scenario)],
            _PLAIN: [*pytest, f"{tests}::test_nothing"],
            _PLUGIN: [*pytest, f"{tests}::test_with_a_server"],
        }
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        cpu: dict[str, list[float]] = {name: [] for name in commands}
        for number in range(rounds + 1):
            for name, command in commands.items():
                wall, busy = taken(command)
                if number:  # the first round warms the file cache and writes the byte code
                    seconds[name].append(wall)
                    cpu[name].append(busy)
    nothing = seconds["python -c pass"]
    for name, each in seconds.items():
        ratio = median(one / least for one, least in zip(each, nothing, strict=True))
        print(f"{name}: median {1000 * median(each):.0f} ms ({1000 * min(each):.0f} to {1000 * max(each):.0f})", end="")
        print(f", CPU {1000 * median(cpu[name]):.0f} ms", end="")
        print("" if each is nothing else f", {ratio:.1f} × python -c pass")
    own = median(with_it - without for with_it, without in zip(cpu[_PLUGIN], cpu[_PLAIN], strict=True))
    print(f"the plugin's first aks_server: CPU {1000 * own:.0f} ms")


if __name__ == "__main__":
    main()
