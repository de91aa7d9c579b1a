"""A server under everyday use for a long time: what it holds at the end, beside what it held after the first minute.

python benchmarks/soak.py [--seconds 1200] [--rate 200] [--baseline 60]

A child `akstwin serve` is asked 200 times a second to score, while services and endpoints are deployed under new names, updated,
split, asked for keys, and deleted again. Its memory, temporary files, threads, descriptors and child processes are printed once a
minute. It ends with 1 if one of the first four is more than a tenth above where it was at the baseline.

The baseline is the first minute at that rate: 12,000 answers fill the journal, the logs and what is drawn ahead. Where the
machine is slower, it is that many answers, or two thirds of the time.
"""

import argparse
import http.client
import itertools
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import httpx

TOKEN = "eyJhbGciOiJub25lIn0.eyJ0aWQiOiJhZGZzIn0.eA"  # noqa: S105 - {"alg": "none"}, {"tid": "adfs"}
WORKSPACE = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/akstwin/providers/"
    "Microsoft.MachineLearningServices/workspaces/akstwin"
)
SCRIPTS = {
    "one": b"import json\ndef init(): pass\ndef run(data): return sum(json.loads(data)['data'])\n",
    "two": b"import json\ndef init(): pass\ndef run(data): return -sum(json.loads(data)['data'])\n",
}
CALLERS = 4
ALLOWED = 0.1
SETTLE = 20.0
"""Seconds for threads to end processes and to remove files."""


@dataclass(frozen=True)
class Held:
    """What a server holds.

    Attributes:
        memory: resident, kB.
        files: below its place for temporary files.
        threads: of its process.
        descriptors: of its process.
        children: processes that it has started, and theirs.
    """

    memory: int
    files: int
    threads: int
    descriptors: int
    children: int


class Server:
    """A child `akstwin serve`, and a client of its management side.

    Args:
        folder: its place for temporary files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        command = [sys.executable, "-m", "akstwin", "serve", "--port", "0", "--tls-port", "0", "--seed", "7"]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(folder)}
        )
        assert self.process.stdout is not None  # noqa: S101
        line = self.process.stdout.readline()
        found = re.search(r"http://\S+", line)
        if found is None:
            raise SystemExit(f"the server did not start: {line}")
        self.http = found.group()
        self.client = httpx.Client(
            base_url=self.http, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60, trust_env=False
        )

    def call(self, method: str, path: str, **given: Any) -> httpx.Response:
        """An answer of the model management service."""
        answer = self.client.request(method, f"/modelmanagement/v1.0{WORKSPACE}{path}", **given)
        if answer.status_code >= 400:
            raise SystemExit(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer

    def done(self, answer: httpx.Response) -> None:
        """Wait for an operation, if there is one."""
        location = answer.headers.get("Operation-Location") or answer.headers.get("Azure-AsyncOperation")
        while location is not None:
            told = self.client.get(urlsplit(location)._replace(scheme="", netloc="").geturl()).json()
            state = told.get("state") or told.get("status")
            if state == "Succeeded":
                return
            if state in ("Failed", "Cancelled", "TimedOut"):
                raise SystemExit(f"an operation has {state}: {told}")
            time.sleep(0.05)

    def upload(self, container: str, name: str, content: bytes) -> None:
        """Keep a file."""
        path = f"/artifact/v2.0{WORKSPACE}/artifacts/batch/metadata/LocalUpload/{container}"
        told = self.client.post(path, json={"paths": [{"path": name}]}).json()
        url = urlsplit(told["artifactContentInformation"][name]["contentUri"])
        self.client.put(f"{url.path}?{url.query}", content=content, headers={"x-ms-blob-type": "BlockBlob"})

    def held(self) -> Held:
        """What it holds now."""
        place = Path(f"/proc/{self.process.pid}")
        status = dict(
            line.split(":", 1) for line in (place / "status").read_text(encoding="utf-8").splitlines() if ":" in line
        )
        files = sum(len(files) for _, _, files in os.walk(self.folder))
        children = sum(1 for _ in _descendants(self.process.pid))
        return Held(
            int(status["VmRSS"].split()[0]),
            files,
            int(status["Threads"]),
            sum(1 for _ in (place / "fd").iterdir()),
            children,
        )

    def settled(self) -> Held:
        """What it holds when threads have ended what they had to end."""
        held, end = self.held(), time.monotonic() + SETTLE
        quiet = 0
        while time.monotonic() < end and quiet < 5:
            time.sleep(0.5)
            now = self.held()
            same = (now.files, now.children) == (held.files, held.children)
            quiet, held = quiet + 1 if same else 0, now
        return held

    def close(self) -> int:
        """End it; returns how it ended."""
        self.client.close()
        self.process.terminate()
        return self.process.wait(60)


def _descendants(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(each) for each in task.read_text(encoding="utf-8").split()]
        except OSError:
            continue
        for child in children:
            yield child
            yield from _descendants(child)


def image(script: str) -> dict[str, Any]:
    """The request for one of the scripts."""
    asset = {"id": "score.py", "url": f"aml://artifact/LocalUpload/{script}/score.py"}
    variables = {"AZUREML_ENTRY_SCRIPT": "score.py"}
    return {"assets": [asset], "environment": {"name": "e", "environmentVariables": variables}}


def service(name: str, **given: Any) -> dict[str, Any]:
    """The payload of a small service."""
    sizes = {"cpu": 0.1, "memoryInGB": 0.1}
    common = {"computeType": "AKS", "computeName": "aks", "numReplicas": 2, "containerResourceRequirements": sizes}
    return {"name": name, **common, "environmentImageRequest": image("one"), **given}


def replaced(path: str, value: Any) -> list[dict[str, Any]]:
    """A patch."""
    return [{"op": "replace", "path": path, "value": value}]


def asked(server: Server, name: str) -> None:
    """Score once with a key that has just been made."""
    server.done(server.call("POST", f"/services/{name}/regenerateKeys", json={"keyType": "Primary"}))
    key = server.call("POST", f"/services/{name}/listkeys").json()["primaryKey"]
    headers = {"Authorization": f"Bearer {key}"}
    server.client.post(f"/api/v1/service/{name}/score", content=b'{"data": [1]}', headers=headers)


def cycle(server: Server, number: int) -> None:
    """One service and one endpoint from their creation to their end."""
    name, pair = f"svc-{number}", f"pair-{number}"
    server.done(server.call("POST", "/services", json=service(name)))
    asked(server, name)
    server.done(server.call("PATCH", f"/services/{name}", json=replaced("/environmentImageRequest", image("two"))))
    server.done(server.call("PATCH", f"/services/{name}", json=replaced("/numReplicas", 3)))
    asked(server, name)
    endpoint = {"name": pair, "computeType": "AKSENDPOINT", "computeName": "aks"}
    blue = service("blue", computeType="AKSENDPOINT", isDefault=True, trafficPercentile=100)
    server.done(server.call("POST", "/services", json={**endpoint, "versions": {"blue": blue}}))
    green = service("green", trafficPercentile=0, environmentImageRequest=image("two"))
    server.done(
        server.call("PATCH", f"/services/{pair}", json=[{"op": "add", "path": "/versions/green", "value": green}])
    )
    for share in (10, 50, 0):
        split = [
            {"op": "replace", "path": "/versions/green/trafficPercentile", "value": share},
            {"op": "replace", "path": "/versions/blue/trafficPercentile", "value": 100 - share},
        ]
        server.done(server.call("PATCH", f"/services/{pair}", json=split))
        asked(server, pair)
    server.done(server.call("PATCH", f"/services/{pair}", json=[{"op": "remove", "path": "/versions/green"}]))
    for each in (name, pair):
        server.done(server.call("DELETE", f"/services/{each}"))


class Load:
    """Requests at a steady rate, in a few threads.

    Args:
        server: asked.
        rate: requests a second, all threads together.

    Attributes:
        answers: how many there were, by status.
    """

    def __init__(self, server: Server, rate: float) -> None:
        self.answers: Counter[int] = Counter()
        self._stopped = threading.Event()
        key = server.call("POST", "/services/steady/listkeys").json()["primaryKey"]
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._address = urlsplit(server.http).netloc
        self._threads = [threading.Thread(target=self._call, args=(CALLERS / rate,)) for _ in range(CALLERS)]
        for thread in self._threads:
            thread.start()

    def _call(self, gap: float) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=60)
        due = time.monotonic()
        while not self._stopped.is_set():
            connection.request("POST", "/api/v1/service/steady/score", b'{"data": [1, 2, 3]}', self._headers)
            answer = connection.getresponse()
            answer.read()
            self.answers[answer.status] += 1
            due = max(due + gap, time.monotonic() - 1)  # what could not be sent in time is not made up for at once
            time.sleep(max(0.0, due - time.monotonic()))
        connection.close()

    def stop(self) -> None:
        """Ask no more."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()


def prepared(server: Server) -> None:
    """A cluster, the scripts, and the service that the load goes to."""
    compute = {"location": "westeurope", "properties": {"computeType": "AKS"}}
    path = f"{WORKSPACE}/computes/aks?api-version=2020-02-02"
    server.done(server.client.put(path, json=compute))
    for container, script in SCRIPTS.items():
        server.upload(container, "score.py", script)
    server.done(server.call("POST", "/services", json=service("steady")))


def shown(title: str, held: Held, cycles: int, answers: "Counter[int]") -> None:
    """One line."""
    print(
        f"{title:>10}  {held.memory:8} kB  {held.files:5} files  {held.threads:3} threads  {held.descriptors:4} descriptors"
        f"  {held.children:3} children  {cycles:5} cycles  {sum(answers.values()):8} answers",
        flush=True,
    )


def soak(server: Server, seconds: float, rate: float, baseline: float) -> int:
    """Run; returns the exit status."""
    prepared(server)
    load, began = Load(server, rate), time.monotonic()
    numbers, first, at, minute, cycles = itertools.count(1), None, 0.0, 1, 0
    try:
        while (passed := time.monotonic() - began) < seconds:
            cycle(server, next(numbers))
            cycles += 1
            warm = passed >= baseline and (load.answers.total() >= baseline * rate or passed >= 2 / 3 * seconds)
            if first is None and warm:
                at = passed
                first = server.settled()
                shown("baseline", first, cycles, load.answers)
            elif passed >= 60 * minute:
                shown(f"{passed:.0f} s", server.held(), cycles, load.answers)
                minute = int(passed // 60) + 1
        last = server.settled()
    finally:
        load.stop()
    assert first is not None  # noqa: S101 - the baseline lies before the end
    shown("end", last, cycles, load.answers)
    print("answers by status:", dict(sorted(load.answers.items())))
    risen = 0
    for name in ("memory", "files", "threads", "descriptors"):
        before, after = getattr(first, name), getattr(last, name)
        over = after > before * (1 + ALLOWED)
        risen += over
        print(f"{name}: {before} after {at:.0f} s, {after} at the end ({100 * (after / before - 1):+.1f} %)"
              f"{': more than allowed' if over else ''}")  # fmt: skip
    return 1 if risen else 0


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=1200)
    parser.add_argument("--rate", type=float, default=200, help="requests a second")
    parser.add_argument("--baseline", type=float, default=60, help="seconds after which the server is measured first")
    given = parser.parse_args()
    if not 0 < given.baseline < given.seconds:
        parser.error("--baseline: expected a number of seconds before the end")
    with TemporaryDirectory(prefix="soak-") as name:
        server = Server(Path(name))
        try:
            status = soak(server, given.seconds, given.rate, given.baseline)
        finally:
            ended = server.close()
        left = sum(len(files) for _, _, files in os.walk(name))
    print(f"the server ended with {ended} and left {left} files")
    return status or int(ended != 0) or int(left != 0)


if __name__ == "__main__":
    sys.exit(main())
