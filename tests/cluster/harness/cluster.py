"""A cluster from outside: brought up, asked, hurt, and taken down."""

import ctypes
import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import certificates, images, leftovers, needs
from .layout import Run
from .needs import Say
from .programs import programs
from .versions import HERE

_UP_WITHIN = 600.0
"""Seconds until a cluster whose programs and images are there has to be up; ten times what it takes."""
_CLONE_NEWNET = 0x40000000


class ClusterFailed(Exception):
    """The cluster did not do what it was asked; the message has the logs' last lines."""


@dataclass(frozen=True)
class Cluster:
    """A Kubernetes cluster on this machine: two nodes, real programs, networks of its own.

    Nothing of it can be reached from the machine's own network. `run_inside` runs a command in the control plane's
    network, from which the API server, the nodes, pods and services have their addresses; `enter` moves the
    calling thread there, and with it the threads and processes that it starts later.
    """

    run: Run
    pid: int
    """The supervisor's, whose network namespace is the control plane's."""
    programs: Path
    images: dict[str, str]
    """Names of images on all nodes: "product" (the product's Containerfile), "scoring" (the real
    azureml-inference-server-http), "base" (Debian with Python)."""

    # ---- up and down

    @classmethod
    def up(cls, say: Say, *, nodes: int = 2, owner: int | None = None) -> "Cluster":
        """Build what is not built yet, start a cluster, and return when its nodes are Ready.

        Args:
            say: Is told how far it is, a line at a time.
            nodes: How many nodes.
            owner: A process that the cluster shall not outlive; without one it stays until `down`.

        Raises:
            CannotRunHere: if the machine lacks something, or something can't be built.
            ClusterFailed: if it doesn't come up; nothing of it is left then but its logs, in the message.
        """
        needs.check(say)
        leftovers.sweep(say)
        built = programs(say)
        store = images.store(built, say)
        run = Run(secrets.token_hex(4), nodes)
        certificates_for = tuple(node.name for node in run.nodes)
        for folder in (run.logs, run.shared):
            folder.mkdir(parents=True)
        run.folder.chmod(0o711)
        with leftovers.lock_of(run, wait=True) as lock:
            assert lock is not None
            certificates.write(run.pki, certificates_for)
            for node in run.nodes:
                images.copy_store(store, run.of(node) / "containerd")
            started = time.monotonic()
            pid = _start_supervisor(run, built, lock, owner)
        (run.folder / "cluster.json").write_text(
            json.dumps({"pid": pid, "nodes": nodes, "programs": str(built), "images": store.names}), encoding="utf-8"
        )
        cluster = cls.of(run.id)
        try:
            cluster.wait_ready()
        except BaseException:
            if sys.exc_info()[0] is not KeyboardInterrupt:
                say(cluster.last_lines())
            cluster.down()
            raise
        say(f"cluster {run.id} is up after {time.monotonic() - started:.0f} s")
        return cluster

    @classmethod
    def of(cls, run_id: str) -> "Cluster":
        """The running cluster of that id.

        Raises:
            ClusterFailed: if there is none.
        """
        file = Run(run_id).folder / "cluster.json"
        if not file.exists() or not leftovers.alive(Run(run_id)):
            raise ClusterFailed(f"no cluster {run_id!r} runs; running: {[each.run.id for each in cls.running()]}")
        kept = json.loads(file.read_text(encoding="utf-8"))
        return cls(Run(run_id, kept["nodes"]), kept["pid"], Path(kept["programs"]), kept["images"])

    @classmethod
    def running(cls) -> "list[Cluster]":
        """All clusters that run on this machine, the oldest first."""
        return [
            cls.of(run.id)
            for run in leftovers.runs()
            if leftovers.alive(run) and (run.folder / "cluster.json").exists()
        ]

    def down(self) -> None:
        """End all its processes and remove everything that it has left."""
        try:
            self._ask({"do": "end"})
        except OSError:  # it is dead already, or hung
            os.kill(self.pid, signal.SIGKILL)
        with leftovers.lock_of(self.run, wait=True):
            leftovers.remove(self.run)

    # ---- what it is

    @property
    def id(self) -> str:
        """Its name, in folders and cgroups."""
        return self.run.id

    @property
    def kubeconfig(self) -> Path:
        """Of one who may do everything; good inside the control plane's network only."""
        return self.run.pki / "admin.kubeconfig"

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes' names."""
        return tuple(node.name for node in self.run.nodes)

    @property
    def shared(self) -> Path:
        """A folder that all nodes see at this same path, for `hostPath` volumes: it stands in for network storage."""
        return self.run.shared

    # ---- inside its network

    def inside(self, command: Sequence[str | Path]) -> list[str]:
        """The command line that runs a command in the control plane's network."""
        return ["nsenter", f"--net=/proc/{self.pid}/ns/net", "--", *map(str, command)]

    def environment(self) -> dict[str, str]:
        """This process' environment with KUBECONFIG and the cluster's kubectl first in PATH."""
        return os.environ | {
            "KUBECONFIG": str(self.kubeconfig),
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "AKSTWIN_CLUSTER": self.id,
        }

    def run_inside(
        self, command: Sequence[str | Path], *, check: bool = True, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the control plane's network, with KUBECONFIG and kubectl at hand; its output is captured.

        Raises:
            ClusterFailed: if it exits with anything but 0, with what it printed; unless `check` is false.
        """
        settings = {"capture_output": True, "text": True, "env": self.environment(), "timeout": 600} | options
        done = subprocess.run(self.inside(command), check=False, **settings)
        if check and done.returncode != 0:
            raise ClusterFailed(
                f"{shlex.join(map(str, command))} exited with {done.returncode}:\n{done.stdout}{done.stderr}"
            )
        return done

    def kubectl(self, *arguments: str, **options: Any) -> str:
        """What kubectl prints, as one who may do everything."""
        return self.run_inside(["kubectl", *arguments], **options).stdout

    def get(self, *arguments: str) -> dict[str, Any]:
        """What `kubectl get … -o json` prints."""
        found: dict[str, Any] = json.loads(self.kubectl("get", *arguments, "-o", "json"))
        return found

    def apply(self, *documents: dict[str, Any], namespace: str = "default") -> None:
        """Apply manifests."""
        listed = {"apiVersion": "v1", "kind": "List", "items": list(documents)}
        self.kubectl("apply", f"--namespace={namespace}", "--filename=-", input=json.dumps(listed))

    def enter(self) -> None:
        """Move the calling thread into the control plane's network, with all threads and processes that it starts later."""
        with Path(f"/proc/{self.pid}/ns/net").open("rb") as namespace:
            self.enter_namespace(namespace.fileno())

    @staticmethod
    def enter_namespace(descriptor: int) -> None:
        """Move the calling thread into a network namespace that is open as this file descriptor."""
        libc = ctypes.CDLL(None, use_errno=True)  # os.setns comes with Python 3.12
        if libc.setns(descriptor, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns: {os.strerror(ctypes.get_errno())}")

    # ---- faults

    def kill(self, part: str, number: int = signal.SIGKILL) -> None:
        """Send a program a signal that ends it.

        Args:
            part: "etcd", "kube-apiserver", "kube-controller-manager" or "kube-scheduler", or one of a node's, as
                "node-0/kubelet": "kubelet", "containerd" or "kube-proxy".
            number: The signal.
        """
        self._ask({"do": "kill", "part": part, "signal": int(number)})
        self._until(lambda status: part not in status["processes"], f"{part} ends")

    def start(self, part: str) -> None:
        """Start a program again."""
        self._ask({"do": "start", "part": part})

    def kill_api_server(self) -> None:
        """The API server is gone, in the midst of whatever it did."""
        self.kill("kube-apiserver")

    def start_api_server(self) -> None:
        """The API server is back; returns when it says that it is ready."""
        self.start("kube-apiserver")
        self.wait_api_ready()

    @contextmanager
    def api_server_away(self) -> Iterator[None]:
        """Without an API server inside the block; with a ready one after."""
        self.kill_api_server()
        try:
            yield
        finally:
            self.start_api_server()

    def restart_etcd(self) -> None:
        """Kill etcd and start it again; returns when the API server is ready with it."""
        self.kill("etcd")
        self.start("etcd")
        self.wait_api_ready()

    def lose_node(self, node: str, *, power: bool = False) -> None:
        """A node is lost: nothing reaches it and it reaches nobody, though its pods run on.

        With `power` it is switched off instead: all its processes, pods included, end at once.
        """
        if power:
            self._ask({"do": "power", "node": node, "state": "off"})
            # The holder's parent ends after the last process of the node has.
            self._until(lambda status: f"{node}/holder" not in status["processes"], f"{node} has no power")
        else:
            self._ask({"do": "link", "node": node, "state": "down"})

    def restore_node(self, node: str) -> None:
        """A lost node is back, with its disk as it was left; returns when Kubernetes calls it Ready."""
        self._ask({"do": "power", "node": node, "state": "on"})
        self._ask({"do": "link", "node": node, "state": "up"})
        self.kubectl("wait", "--for=condition=Ready", f"node/{node}", "--timeout=300s")

    def unexpected_ends(self) -> list[str]:
        """Programs of the cluster that have ended though nobody ended them: none, in a sound cluster."""
        ends: list[str] = self._ask({"do": "status"})["unexpected_ends"]
        return ends

    # ---- waiting

    def wait_api_ready(self) -> None:
        """Return when the API server says that it is ready."""
        wanted = ["kubectl", "get", "--raw=/readyz", "--request-timeout=5s"]
        end = time.monotonic() + _UP_WITHIN
        while (last := self.run_inside(wanted, check=False)).returncode != 0:
            self._check(end, f"the API server is not ready: {last.stderr.strip()}")
            time.sleep(0.2)

    def wait_ready(self) -> None:
        """Return when all nodes are Ready and pods can be made."""
        end = time.monotonic() + _UP_WITHIN
        while not self.run.socket.exists():
            self._check(end, "the supervisor has not started everything")
            time.sleep(0.1)
        self.wait_api_ready()
        wanted = ["kubectl", "get", "nodes", "--output=name"]
        while len(self.run_inside(wanted).stdout.split()) < len(self.nodes):
            self._check(end, "not all nodes have come")
            time.sleep(0.2)
        self.kubectl("wait", "--for=condition=Ready", "nodes", "--all", f"--timeout={_UP_WITHIN:.0f}s")
        self.kubectl("wait", "--for=create", "serviceaccount/default", f"--timeout={_UP_WITHIN:.0f}s")

    def last_lines(self) -> str:
        """The last lines of all logs."""
        texts = []
        for log in sorted(self.run.logs.iterdir()):
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
            texts.append(f"==> {log.name}\n" + "\n".join(lines))
        return "\n".join(texts)

    def _until(self, holds: Any, what: str) -> None:
        end = time.monotonic() + 60
        while not holds(self._ask({"do": "status"})):
            if time.monotonic() > end:
                raise ClusterFailed(f"not within 60 s: {what}")
            time.sleep(0.02)

    def _check(self, end: float, what: str) -> None:
        if not leftovers.alive(self.run):
            raise ClusterFailed(f"the supervisor has ended; {what}")
        if time.monotonic() > end:
            raise ClusterFailed(f"not within {_UP_WITHIN:.0f} s: {what}")

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(120)
            connection.connect(str(self.run.socket))
            with connection.makefile("rw", encoding="utf-8") as stream:
                stream.write(json.dumps(question) + "\n")
                stream.flush()
                line = stream.readline()
        answer: dict[str, Any] = json.loads(line or "{}")
        if "wrong" in answer:
            raise ClusterFailed(answer["wrong"])
        return answer


def _start_supervisor(run: Run, built: Path, lock: int, owner: int | None) -> int:
    """Start it in namespaces of its own, with the run's lock in its hands; returns its process id."""
    watched = -1 if owner is None else os.pidfd_open(owner)
    command = [
        "unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
        sys.executable, "-m", "cluster.harness.supervisor", run.id, str(run.node_count), str(built), str(watched),
    ]  # fmt: skip
    # Nobody's child, so that it outlives whoever starts it and is nobody's to wait for.
    kept = run.folder / "unshare.pid"
    alone = ["setsid", "--fork", "sh", "-c", f'echo $$ > "{kept}"; exec "$@"', "sh"]
    with (run.logs / "supervisor.log").open("wb") as log:
        subprocess.run(
            [*alone, *command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=run.folder,
            env=os.environ | {"PYTHONPATH": str(HERE.parents[1])},
            pass_fds=[lock, *([watched] if owner is not None else [])],
            check=True,
        )
    if owner is not None:
        os.close(watched)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        outer = kept.read_text(encoding="ascii").strip() if kept.exists() else ""
        children = Path(f"/proc/{outer}/task/{outer}/children")
        if outer and not children.exists():
            break
        found = children.read_text(encoding="ascii").split() if outer else []
        if found:
            return int(found[0])
        time.sleep(0.01)
    raise ClusterFailed((run.logs / "supervisor.log").read_text(encoding="utf-8"))
