"""How fast a server scores a fixed reply, beside others: wrk, alternating, one core for the server and one for wrk.

python benchmarks/served.py [ROUNDS] [SECONDS]

- twin: `akstwin serve` with authentication, queue, metrics and journal on; its clock is live.
- bare: an ASGI application on the same uvicorn that reads the body and answers: nothing less can be done.
- azmlinfsrv: Azure's own inference server with a script that does nothing. It checks no key, and has neither queue nor journal.
- moto: moto_server, another double of a cloud; ListQueues, without a signature.

The last two run in an environment of their own (`make setup-peers`); without it they are left out. Needs `wrk` and `taskset`.

Then one client asks a twin whose replies take time, request after request: how often the server's timer wakes it, and how late
answers are.
"""

import asyncio
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import httpx

CONNECTIONS = (1, 16, 64)
BODY = '{"data": [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]], "method": "predict_proba"}'
REPLY = [0.1, 0.9]
KEY = "k" * 32
SERVICE_TIME, OVERHEAD = 0.005, 0.003
"""Seconds that a reply of the timed service takes: in its replica, and in the router."""
TIMED_REQUESTS = 400
SCRIPT = f"""
wrk.method = "POST"
wrk.body = [==[{BODY}]==]
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {KEY}"
"""
LIST_QUEUES = """
wrk.method = "POST"
wrk.body = "{}"
wrk.headers["Content-Type"] = "application/x-amz-json-1.0"
wrk.headers["X-Amz-Target"] = "AmazonSQS.ListQueues"
"""
ENTRY_SCRIPT = """
def init():
    pass

def run(raw_data):
    return [0.1, 0.9]
"""
PEERS = Path(__file__).resolve().parents[1] / ".venv-peers" / "bin"
_UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6, "m": 60e6}
_LATENCY = re.compile(r"\s(50|99)%\s+([0-9.]+)(us|ms|s|m)")


async def bare(_: Any, receive: Any, send: Any) -> None:
    """Reads the body, answers with the fixed reply: nothing less can be done."""
    while (await receive()).get("more_body", False):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", b"10")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"[0.1, 0.9]"})


def serve_bare() -> None:
    """The bare application, with the same settings as the twin's server."""
    import uvicorn  # noqa: PLC0415 - not in the process that measures
    import uvloop  # noqa: PLC0415 - see above

    config = uvicorn.Config(
        bare, port=0, loop="none", http="httptools", ws="none", lifespan="off", log_level="warning", access_log=False,
        server_header=False, date_header=False,
    )  # fmt: skip

    class Told(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            print(f"http://127.0.0.1:{self.servers[0].sockets[0].getsockname()[1]}/", flush=True)

    uvloop.run(Told(config).serve())


def serve_twin() -> None:
    """A service with a fixed reply, more slots than connections and no time of its own."""
    serve("1us", "0s")


def serve_timed() -> None:
    """The same, but its replies take time. Prints how often the clock's timer has gone off, for each line that it reads."""
    serve(f"{SERVICE_TIME}s", f"{OVERHEAD}s")


def serve(service_time: str, router_overhead: str) -> None:
    """The twin's server."""
    from akstwin.speedups import activate  # noqa: PLC0415 - see above

    print("compiled" if activate() else "not compiled: run akstwin compile", flush=True)
    from akstwin import AksCompute, AksWebservice, ComputeTarget, Model, Workspace  # noqa: PLC0415 - see above
    from akstwin.fake_api.server import FakeServer, Settings, run  # noqa: PLC0415 - see above

    def started(server: FakeServer) -> None:
        workspace = server.first.workspace
        backend = workspace.backend
        ws = Workspace(backend=backend)
        backend.simulation.profile("fixed", reply=REPLY, service_time=service_time, init_time="1us", workers=64)
        ComputeTarget.create(ws, "aks", AksCompute.provisioning_configuration()).wait_for_completion()
        Path("plain.txt").write_text("plain", encoding="utf-8")
        model = Model.register(ws, "plain.txt", "plain", model_framework=Model.Framework.SCIKITLEARN)
        config = AksWebservice.deploy_configuration(
            num_replicas=2, replica_max_concurrent_requests=64, primary_key=KEY, secondary_key=KEY[::-1]
        )
        service = Model.deploy(
            ws, "fixed", [model], deployment_config=config, deployment_target=ComputeTarget(ws, "aks")
        )
        service.wait_for_deployment()
        advanced = asyncio.ensure_future(workspace.clock.advance(5_000_000))  # the router has seen the replicas
        reads = sys.stdin.buffer.raw.readline
        asyncio.get_running_loop().add_reader(0, lambda: reads() and print(workspace.clock.wakes, flush=True))
        advanced.add_done_callback(lambda _: print(f"{server.first.http}/api/v1/service/fixed/score", flush=True))

    run(Settings(port=0, tls_port=0, clock="live", assumptions={"router_overhead": router_overhead}), started)


@dataclass(frozen=True)
class Running:
    """A server: where it is asked, its process, what wrk sends, and how often its timer has gone off."""

    url: str
    process: int
    script: str = SCRIPT
    wakes: Callable[[], int] = lambda: 0


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[None]:
    """The server ends with the block."""
    try:
        yield
    finally:
        process.terminate()
        process.wait()


@contextmanager
def ours(kind: str, folder: str) -> Iterator[Running]:
    """One of the servers of this file."""
    command = ["taskset", "-c", "0", sys.executable, str(Path(__file__).resolve()), "--serve", kind]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder)
    assert process.stdin is not None  # noqa: S101
    assert process.stdout is not None  # noqa: S101
    asks, tells = process.stdin, process.stdout

    def wakes() -> int:
        asks.write("\n")
        asks.flush()
        return int(tells.readline())

    with ended(process):
        line = ""
        while not line.startswith("http://"):
            line = process.stdout.readline()
            if "compiled" in line:
                print(f"the {kind} server: {line}", end="")
            if not line:
                raise SystemExit(f"the {kind} server ended before it listened")
        yield Running(line.strip(), process.pid, wakes=wakes)


@contextmanager
def peer(kind: str, folder: str) -> Iterator[Running]:
    """One of the others, on a free port."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    Path(folder, "score.py").write_text(ENTRY_SCRIPT, encoding="utf-8")
    command, path, script = {
        "azmlinfsrv": (["azmlinfsrv", "--entry_script", "score.py", "--port", str(port)], "/score", SCRIPT),
        "moto": (["moto_server", "-p", str(port)], "/", LIST_QUEUES),
    }[kind]
    url = f"http://127.0.0.1:{port}{path}"
    with Path(folder, f"{kind}.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            ["taskset", "-c", "0", str(PEERS / command[0]), *command[1:]],
            stdout=log, stderr=log, text=True, cwd=folder, env={**os.environ, "PATH": f"{PEERS}:{os.environ['PATH']}"},
        )  # fmt: skip
        with ended(process):
            for _ in range(300):
                with suppress(httpx.TransportError):
                    httpx.get(f"http://127.0.0.1:{port}/")
                    break
                time.sleep(0.1)
            else:
                raise SystemExit(f"{kind} does not listen: {Path(log.name).read_text(encoding='utf-8')}")
            yield Running(url, process.pid, script)


def spent(process: int) -> float:
    """Seconds of processor time that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(server: Running, connections: int, seconds: float, folder: str) -> tuple[float, float, float, float]:
    """Requests per second, p50 and p99 in ms, processor time of the server per request in µs; all must be answered 200."""
    script = Path(folder, "wrk.lua")
    script.write_text(server.script, encoding="utf-8")
    wrk = f"taskset -c 1 wrk -t1 -c{connections} -d{seconds:g}s --latency -s {script} {server.url}"
    before = spent(server.process)
    text = subprocess.run(wrk.split(), check=True, capture_output=True, text=True).stdout
    used = spent(server.process) - before
    if "Non-2xx" in text or "Socket errors" in text:
        raise SystemExit(text)
    found = {quantile: float(value) * _UNITS[unit] / 1000 for quantile, value, unit in _LATENCY.findall(text)}
    rate, count = re.search(r"Requests/sec:\s+([0-9.]+)", text), re.search(r"(\d+) requests in", text)
    assert rate is not None  # noqa: S101
    assert count is not None  # noqa: S101
    return float(rate[1]), found["50"], found["99"], 1e6 * used / int(count[1])


def compared(figures: dict[tuple[str, int], list[tuple[float, ...]]], connections: int, kinds: list[str]) -> None:
    """Print what was measured with so many connections, and the twin's ratios to the others, round by round."""
    of = {kind: [list(each) for each in zip(*figures[kind, connections], strict=True)] for kind in kinds}
    for kind, (rates, middle, late, used) in of.items():
        own = f", {median(used):.0f} µs of processor time a request" if kind in ("bare", "twin") else ""
        print(
            f"{connections:3} connections, {kind}: {median(rates):7,.0f} requests/s "
            f"({min(rates):,.0f} to {max(rates):,.0f}), p50 {median(middle):.3f} ms, p99 {median(late):.3f} ms{own}"
        )
    twin = of["twin"]
    for kind, other in of.items():
        if kind == "twin":
            continue
        ratios = [mine / theirs for mine, theirs in zip(twin[0], other[0], strict=True)]
        print(
            f"{connections:3} connections: {median(ratios):.2f} × {kind} ({min(ratios):.2f} to {max(ratios):.2f})",
            end="",
        )
        if kind == "bare":
            added = median(mine - theirs for mine, theirs in zip(twin[1], other[1], strict=True))
            print(f"; by processor time {median(other[3]) / median(twin[3]):.2f} ×; {added:+.3f} ms at p50", end="")
        print()


def timed(server: Running) -> None:
    """Print how often a live server wakes for a request whose reply takes time, and how late its client has the answer."""
    url = urlsplit(server.url)
    head = f"POST {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nAuthorization: Bearer {KEY}\r\n"
    asked = f"{head}Content-Length: {len(BODY)}\r\n\r\n{BODY}".encode()
    late: list[float] = []
    with socket.create_connection((url.hostname, url.port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        before, idle = server.wakes(), time.perf_counter()
        time.sleep(2)
        idle_rate = (server.wakes() - before) / (time.perf_counter() - idle)
        before, began = server.wakes(), time.perf_counter()
        for _ in range(TIMED_REQUESTS):
            sent = time.perf_counter()
            connection.sendall(asked)
            answer = connection.recv(65_536)
            late.append(1000 * (time.perf_counter() - sent - SERVICE_TIME - OVERHEAD))
            if not answer.startswith(b"HTTP/1.1 200 ") or not answer.endswith(b"[0.1, 0.9]"):
                raise SystemExit(answer)
        wakes = server.wakes() - before - idle_rate * (time.perf_counter() - began)
    late.sort()
    print(
        f"a reply of {1000 * SERVICE_TIME:g} + {1000 * OVERHEAD:g} ms, {TIMED_REQUESTS} in a row: the timer wakes the server "
        f"{wakes / TIMED_REQUESTS:.2f} times a request (and {idle_rate:.1f} times a second without any); answers, the way "
        f"there and back included, are {late[len(late) // 2]:.3f} ms late at p50, {late[len(late) * 99 // 100]:.3f} ms at p99, "
        f"{late[-1]:.3f} ms at most; {sum(each > 1 for each in late)} of them more than 1 ms"
    )


def main() -> None:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 2
    figures: dict[tuple[str, int], list[tuple[float, ...]]] = {}
    with TemporaryDirectory() as folder, ExitStack() as stack:
        servers = {kind: stack.enter_context(ours(kind, folder)) for kind in ("bare", "twin")}
        if PEERS.exists():
            servers |= {kind: stack.enter_context(peer(kind, folder)) for kind in ("azmlinfsrv", "moto")}
        else:
            print("without azmlinfsrv and moto: make setup-peers installs them")
        for server in servers.values():
            load(server, 16, 1, folder)
        for _ in range(rounds):
            for connections in CONNECTIONS:
                for kind, server in servers.items():
                    figures.setdefault((kind, connections), []).append(load(server, connections, seconds, folder))
    print(f"load on this machine: {os.getloadavg()[0]:.1f}; {rounds} rounds of {seconds:g} s; median (least to most)")
    for connections in CONNECTIONS:
        compared(figures, connections, list(servers))
    with TemporaryDirectory() as folder, ours("timed", folder) as server:
        timed(server)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        {"bare": serve_bare, "twin": serve_twin, "timed": serve_timed}[sys.argv[2]]()
    else:
        main()
