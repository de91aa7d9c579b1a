"""Names, addresses and folders of one run. The addresses are the same in each: they are seen in its own namespaces only."""

from dataclasses import dataclass
from pathlib import Path

from .versions import cache

API_ADDRESS = "198.18.0.1"  # of the range for tests of networks (RFC 2544), which no host has
API_PORT = 6443
POD_RANGE = "10.244.0.0/16"
SERVICE_RANGE = "10.96.0.0/16"
SERVICE_ADDRESS = "10.96.0.1"
CGROUPS = Path("/sys/fs/cgroup")
CGROUP_PREFIX = "akstwin-"


@dataclass(frozen=True)
class Node:
    """One node: a network, mount, process and host-name namespace with a containerd, a kubelet and a kube-proxy."""

    index: int

    @property
    def name(self) -> str:
        """What Kubernetes calls it."""
        return f"node-{self.index}"

    @property
    def address(self) -> str:
        """Where the control plane and the other nodes find it."""
        return f"198.18.0.{10 + self.index}"

    @property
    def pods(self) -> str:
        """The addresses of its pods."""
        return f"10.244.{self.index}.0/24"

    @property
    def link(self) -> str:
        """The control plane's end of its cable."""
        return f"to-{self.name}"


@dataclass(frozen=True)
class Run:
    """One run of the cluster and what belongs to it."""

    id: str
    node_count: int = 2

    @property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes."""
        return tuple(Node(index) for index in range(self.node_count))

    @property
    def folder(self) -> Path:
        """Everything that this run writes, besides its cgroups."""
        return runs_folder() / self.id

    @property
    def pki(self) -> Path:
        """Certificates and kubeconfigs."""
        return self.folder / "pki"

    @property
    def socket(self) -> Path:
        """Where the supervisor listens for what it shall do."""
        return self.folder / "supervisor.socket"

    @property
    def logs(self) -> Path:
        """One file for each program."""
        return self.folder / "logs"

    @property
    def shared(self) -> Path:
        """A folder that all nodes see at the same path: what stands in for network storage."""
        return self.folder / "shared"

    def of(self, node: Node) -> Path:
        """A node's disk."""
        return self.folder / node.name

    def cgroup(self, node: Node) -> str:
        """A node's cgroup, below the root of each hierarchy."""
        return f"/{CGROUP_PREFIX}{self.id}/{node.name}"


def runs_folder() -> Path:
    """One folder for each run that is, or whose remains nobody has removed yet."""
    return cache() / "runs"
