"""How soon a server answers reads while it is busy: an advance of virtual days, and services of thousands of pods.

    .venv/bin/python benchmarks/responsive.py [--replicas 5000] [--days 10]

Starts `akstwin serve` on a loopback port and asks for four things in turn, every few milliseconds, first while it has nothing to
do and then while it works. Prints the latencies' percentiles, in ms, and how long each piece of work took. The limit is 100 ms.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from akstwin import AksCompute, AksWebservice, ComputeTarget, Environment, InferenceConfig, Model, Workspace
from akstwin.backend import WorkspaceIdentity

LIMIT_MS = 100
TOKEN = "eyJhbGciOiJub25lIn0.eyJ0aWQiOiJhZGZzIn0.eA"  # noqa: S105 - {"alg": "none"}
SERVICES = f"/modelmanagement/v1.0{WorkspaceIdentity().resource_id}/services"
READS = ("/", "/_akstwin/clock", f"{SERVICES}/small", SERVICES)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """A server with a live clock; gives its URL."""
    command = [
        sys.executable,
        "-m",
        "akstwin",
        "serve",
        "--port",
        "0",
        "--tls-port",
        "0",
        "--clock",
        "live",
        "--seed",
        "7",
    ]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101 - for mypy
        yield process.stdout.readline().split()[2]
        process.kill()


def latencies(url: str, work: Callable[[], Any] | None) -> tuple[np.ndarray[Any, Any], float]:
    """Latencies of reads, ms, while `work` is under way (none: for two seconds), and how long that took, s."""
    took: list[float] = []
    over = threading.Event()
    began = time.perf_counter()

    def worked() -> None:
        try:
            if work is None:
                over.wait(2)
            else:
                work()
        finally:
            over.set()

    thread = threading.Thread(target=worked)
    with httpx.Client(
        base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=600, trust_env=False
    ) as client:
        for path in READS:
            client.get(path).raise_for_status()
        thread.start()
        for path in cycle(READS):
            if over.is_set():
                break
            asked = time.perf_counter()
            client.get(path).raise_for_status()
            took.append((time.perf_counter() - asked) * 1000)
            over.wait(0.003)
    thread.join()
    return np.array(took), time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicas", type=int, default=5000)
    parser.add_argument("--nodes", type=int, default=50)
    parser.add_argument("--days", type=int, default=10)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="akstwin-responsive-") as name, served(Path(name)) as url:
        os.chdir(name)
        Path("score.py").write_text("def init(): ...\ndef run(data): return data\n")
        ws = Workspace.connect(url)
        size = {"cpu_cores": 64, "memory_gb": 256}
        ws.simulation.cluster("aks", nodes=asked.nodes, vm_size=size)
        ComputeTarget.create(ws, "aks", AksCompute.provisioning_configuration()).wait_for_completion()
        target, config = ComputeTarget(ws, "aks"), InferenceConfig("score.py", environment=Environment("env"))

        def deploy(service: str, replicas: int) -> AksWebservice:
            ws.simulation.profile(service, reply=1, init_time="5s")
            configuration = AksWebservice.deploy_configuration(num_replicas=replicas, cpu_cores=0.01, memory_gb=0.01)
            made: AksWebservice = Model.deploy(ws, service, [], config, configuration, target, overwrite=True)
            return made

        deploy("small", 2).wait_for_deployment()
        days, many = f"{asked.days}d", asked.replicas
        works: dict[str, Callable[[], Any] | None] = {
            "idle": None,
            f"advance {days}": lambda: ws.simulation.advance(days),
            f"create {many}": lambda: deploy("large", many),
            "advance 10m": lambda: ws.simulation.advance("10m"),
            "delete": lambda: AksWebservice(ws, "large").delete(),
            f"create {many} again": lambda: deploy("second", many),
            "advance 10m again": lambda: ws.simulation.advance("10m"),
            f"create {20 * many}": lambda: deploy("huge", 20 * many),
            "advance 20m": lambda: ws.simulation.advance("20m"),
        }
        print(f"{'while':24}{'reads':>8}{'p50':>8}{'p90':>8}{'p99':>8}{'max':>8}   ms; the work took", flush=True)
        worst = 0.0
        for label, work in works.items():
            took, seconds = latencies(url, work)
            quantiles = np.quantile(took, [0.5, 0.9, 0.99, 1.0]) if len(took) else np.full(4, np.nan)
            worst = max(worst, float(quantiles[2]))
            shown = "".join(f"{each:8.1f}" for each in quantiles)
            print(f"{label:24}{len(took):8}{shown}   {seconds:.1f} s", flush=True)
        print(f"the largest p99 is {worst:.1f} ms; the limit is {LIMIT_MS} ms")


if __name__ == "__main__":
    main()
