"""The first process of a run: it makes the nodes, starts each program, and does what it is asked over a socket.

It is process 1 of a process namespace, with a mount and a network namespace of the control plane's own. When it ends, however
it ends, the kernel ends every process of the run, containers too, and with them their mounts, networks and firewall
rules. What outlives it is one folder and one cgroup, and `leftovers.sweep` removes these.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import cgroups, parts
from .layout import API_ADDRESS, SERVICE_RANGE, Node, Run

_KUBELET_RESTARTS = 100


class Supervisor:
    """Owner of all processes of a run."""

    def __init__(self, run: Run, programs: Path) -> None:
        self.run = run
        self.programs = programs
        self.commands: dict[str, list[str]] = {}
        """By the program's name, with its node's where it has one: "kube-apiserver", "node-0/kubelet"."""
        self.processes: dict[str, int] = {}
        self.expected_to_end: set[int] = set()
        self.restarts: dict[str, int] = {}
        """Of kubelets that ended by themselves, since they were last started."""
        self.unexpected_ends: list[str] = []
        self.node_pids: dict[str, int] = {}
        """A node's first process, which holds its namespaces."""

    def begin(self) -> None:
        """The control plane's network, its programs, and all nodes."""
        _do("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
        _do("ip", "link", "set", "lo", "up")
        _do("ip", "link", "add", "nodes", "type", "bridge")
        _do("ip", "address", "add", f"{API_ADDRESS}/24", "dev", "nodes")
        _do("ip", "link", "set", "nodes", "up")
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1", encoding="ascii")
        for node in self.run.nodes:
            _do("ip", "route", "add", node.pods, "via", node.address)
        _do("ip", "route", "add", SERVICE_RANGE, "dev", "nodes", "src", API_ADDRESS)
        self.commands |= parts.control_plane(self.run, self.programs)
        for name in list(self.commands):
            self.start(name)
        for node in self.run.nodes:
            self.start_node(node)

    def start_node(self, node: Node) -> None:
        """A node's namespaces and cable, and its programs; its disk is as it was left."""
        disk, name = self.run.of(node), node.name
        for folder in ("kubelet", "log", "scratch", "lib", "lib-work", "containerd"):
            (disk / folder).mkdir(parents=True, exist_ok=True)
        cgroups.make(self.run.cgroup(node))
        holder = self._spawn(
            f"{name}/holder",
            [
                "unshare",
                "--mount",
                "--net",
                "--uts",
                "--pid",
                "--fork",
                "--kill-child",
                "--mount-proc",
                f"{self.programs}/pause",
            ],
        )
        self.node_pids[name] = _child(holder, "pause")
        self._mounts(node)
        self._cable(node)
        for part, command in parts.of_node(self.run, node, self.programs).items():
            self.commands[f"{name}/{part}"] = ["env", f"TMPDIR={disk}/scratch", *command]
            self.start(f"{name}/{part}")

    def stop_node(self, node: Node) -> None:
        """Its power fails: all its processes are gone at once, its disk stays."""
        for name, pid in self.processes.items():
            if name.startswith(f"{node.name}/"):
                self.expected_to_end.add(pid)
        os.kill(self.node_pids.pop(node.name), signal.SIGKILL)

    def start(self, name: str) -> None:
        """Start one program, unless it runs."""
        self.restarts[name] = 0
        if name not in self.processes:
            self._start(name)

    def _start(self, name: str, *, after: str = "") -> None:
        node = name.partition("/")[0] if "/" in name else None
        waiting = ["sh", "-c", f'sleep {after}; exec "$@"', "sh"] if after else []
        self._spawn(name, [*(self._inside(node) if node else []), *waiting, *self.commands[name]])

    def kill(self, name: str, number: int) -> None:
        """Send one program a signal, which is expected to end it."""
        pid = self.processes[name]
        self.expected_to_end.add(pid)
        os.kill(_child(pid) if "/" in name else pid, number)

    def reap(self) -> None:
        """Collect processes that have ended; one that nobody ended is a fault of the run, which `status` tells."""
        names = {pid: name for name, pid in self.processes.items()}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            name = names.get(pid)
            if name is None:
                continue
            del self.processes[name]
            if pid in self.expected_to_end:
                self.expected_to_end.discard(pid)
            else:
                code = os.waitstatus_to_exitcode(status)
                # A kubelet gives up on a containerd whose socket is there before its answers; on a real node systemd
                # starts it again.
                if name.endswith("/kubelet") and code == 1 and self.restarts[name] < _KUBELET_RESTARTS:
                    self.restarts[name] += 1
                    self._start(name, after="0.5")
                    continue
                self.unexpected_ends.append(f"{name} ended by itself with {code}: see {self._log(name)}")
                print(self.unexpected_ends[-1], flush=True)  # noqa: T201 - into its log

    def asked(self, question: dict[str, Any]) -> dict[str, Any]:
        """Do one thing; the answer holds what the asker wants to know."""
        nodes = {node.name: node for node in self.run.nodes}
        match question:
            case {"do": "status"}:
                pass
            case {"do": "kill", "part": str(part), "signal": int(number)}:
                self.kill(part, number)
            case {"do": "start", "part": str(part)}:
                self.start(part)
            case {"do": "link", "node": str(node), "state": "up" | "down" as state}:
                _do("ip", "link", "set", nodes[node].link, state)
            case {"do": "power", "node": str(node), "state": "off"}:
                self.stop_node(nodes[node])
            case {"do": "power", "node": str(node), "state": "on"}:
                if node not in self.node_pids:
                    self.start_node(nodes[node])
            case _:
                raise ValueError(f"not to be understood: {question}")
        return {
            "processes": self.processes,
            "unexpected_ends": self.unexpected_ends,
            "nodes": self.node_pids,
        }

    def _mounts(self, node: Node) -> None:
        """What a node writes outside its folder goes there all the same, or nowhere."""
        disk = self.run.of(node)
        overlay = f"lowerdir=/var/lib,upperdir={disk}/lib,workdir={disk}/lib-work"
        steps = [
            ["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"],
            ["mount", "-t", "overlay", "-o", overlay, "overlay", "/var/lib"],
            ["mkdir", "-p", "/var/lib/kubelet"],
            ["mount", "--bind", f"{disk}/kubelet", "/var/lib/kubelet"],
            ["mount", "--bind", f"{disk}/log", "/var/log"],
            ["hostname", node.name],
        ]
        for setting, value in parts.KERNEL_SETTINGS.items():
            file = disk / "kernel" / setting.replace("/", ".")
            file.parent.mkdir(exist_ok=True)
            file.write_text(f"{value}\n", encoding="ascii")
            steps.append(["mount", "--bind", str(file), f"/proc/sys/{setting}"])
        for step in steps:
            _do(*self._inside(node.name), *step)

    def _cable(self, node: Node) -> None:
        inside, others = self._inside(node.name), [each for each in self.run.nodes if each != node]
        subprocess.run(["ip", "link", "delete", node.link], capture_output=True, check=False)  # of before a power cut
        _do(
            "ip",
            "link",
            "add",
            node.link,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            str(self.node_pids[node.name]),
        )
        _do("ip", "link", "set", node.link, "master", "nodes", "up")
        _do(*inside, "ip", "link", "set", "lo", "up")
        _do(*inside, "ip", "address", "add", f"{node.address}/24", "dev", "eth0")
        _do(*inside, "ip", "link", "set", "eth0", "up")
        _do(*inside, "ip", "route", "add", "default", "via", API_ADDRESS)
        _do(*inside, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        for other in others:
            _do(*inside, "ip", "route", "add", other.pods, "via", other.address)

    def _inside(self, node: str) -> list[str]:
        return ["nsenter", f"--target={self.node_pids[node]}", "--mount", "--net", "--uts", "--pid", "--"]

    def _log(self, name: str) -> Path:
        return self.run.logs / f"{name.replace('/', '-')}.log"

    def _spawn(self, name: str, command: list[str]) -> int:
        with self._log(name).open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.run.folder, start_new_session=True
            )
        process.returncode = 0  # reaped by `reap`, with all others: Popen must not wait for it
        self.processes[name] = process.pid
        return process.pid


def _do(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr or done.stdout}")


def _child(pid: int, named: str | None = None) -> int:
    """The one child of a process, as soon as it is there and, if a name is given, has become that program."""
    poller = select.poll()
    while True:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        if children and (
            named is None or Path(f"/proc/{children[0]}/comm").read_text(encoding="ascii").strip() == named
        ):
            return int(children[0])
        poller.poll(10)


def _questions(listener: socket.socket, woken: int, owner: int | None) -> Iterator[socket.socket | None]:
    """Each connection as it comes, None each time that a process has ended; no more once the owner has ended."""
    poller = select.poll()
    for descriptor in (listener.fileno(), woken, *([owner] if owner is not None else [])):
        poller.register(descriptor, select.POLLIN)
    while True:
        for descriptor, _ in poller.poll():
            if descriptor == owner:
                return
            if descriptor == woken:
                os.read(woken, 4096)
                yield None
            else:
                connection = listener.accept()[0]
                connection.settimeout(30)  # one that says nothing must not keep the others waiting
                yield connection


def main() -> None:
    """Arguments: the run's id, its number of nodes, the programs' folder, and the owner's pidfd or -1."""
    run = Run(sys.argv[1], int(sys.argv[2]))
    owner = int(sys.argv[4])
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    supervisor = Supervisor(run, Path(sys.argv[3]))
    supervisor.begin()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(run.socket))
    listener.listen(64)
    for connection in _questions(listener, reader, None if owner < 0 else owner):
        if connection is None:
            supervisor.reap()
            continue
        with connection, connection.makefile("rw", encoding="utf-8") as stream:
            try:
                question = json.loads(stream.readline())
                if question == {"do": "end"}:
                    return
                answer = supervisor.asked(question)
            except Exception as wrong:  # noqa: BLE001 - told to the asker
                traceback.print_exc()
                answer = {"wrong": f"{type(wrong).__name__}: {wrong}"}
            stream.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
