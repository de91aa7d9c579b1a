"""Everything on the machine that a cluster makes: to compare before and after one."""

import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import cgroups, leftovers
from .layout import CGROUP_PREFIX
from .parts import KERNEL_SETTINGS
from .versions import cache

_PLACES = (
    "/run",
    "/run/netns",
    "/run/containerd",
    "/var/lib",
    "/var/lib/cni",
    "/var/lib/kubelet",
    "/var/log",
    "/etc/cni",
)
_TEMPORARY = ("containerd", "runc", "kube", "etcd", "cni", "buildah")


@dataclass(frozen=True)
class _Process:
    pid: int
    parent: int
    words: str
    folder: str
    groups: str
    namespaces: dict[str, str]

    @property
    def of_a_cluster(self) -> bool:
        """By its folder or, as a container's, by its cgroup; one who only calls a cluster is nobody's."""
        return (
            self.folder.startswith(str(cache()))
            or f"/{CGROUP_PREFIX}" in self.groups
            or "containerd-shim" in self.words
        )


def inventory(beside: frozenset[str] = frozenset()) -> dict[str, frozenset[str]]:
    """Names of everything that there is, by kind.

    Args:
        beside: Runs that are left out: clusters that somebody else uses meanwhile.
    """
    processes = {each.pid: each for each in _processes()}
    foreign = {
        pid
        for pid, each in processes.items()
        if any(f"harness.supervisor {run_id} " in each.words for run_id in beside)
    }
    while grown := {pid for pid, each in processes.items() if each.parent in foreign and pid not in foreign}:
        foreign |= grown
    ours = [each for pid, each in processes.items() if each.of_a_cluster and pid not in foreign]
    groups = {group for root in cgroups.hierarchies() for group in root.glob(f"{CGROUP_PREFIX}*")}
    files = {f"{place}/{each.name}" for place in _PLACES if Path(place).is_dir() for each in Path(place).iterdir()}
    files |= {str(each) for name in _TEMPORARY for each in Path(tempfile.gettempdir()).glob(f"{name}*")}
    settings = {name: Path("/proc/sys", name).read_text().strip() for name in (*KERNEL_SETTINGS, "net/ipv4/ip_forward")}
    return {
        "mounts": frozenset(Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()),
        "network namespaces": frozenset(each.namespaces["net"] for each in ours),
        "process namespaces": frozenset(each.namespaces["pid"] for each in ours),
        "mount namespaces": frozenset(each.namespaces["mnt"] for each in ours),
        "links": _lines("ip", "-o", "-br", "link"),
        "routes": _lines("ip", "route"),
        "firewall rules": _lines("nft", "list", "ruleset"),
        "cgroups": frozenset(str(group) for group in groups if group.name.removeprefix(CGROUP_PREFIX) not in beside),
        "processes": frozenset(f"{each.pid} {each.words}" for each in ours),
        "files": frozenset(files),
        "kernel settings": frozenset(f"{name} = {value}" for name, value in settings.items()),
        "runs": frozenset(run.id for run in leftovers.runs() if run.id not in beside),
    }


def _lines(*command: str) -> frozenset[str]:
    return frozenset(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines())


def _processes() -> Iterator[_Process]:
    for each in Path("/proc").iterdir():
        if not each.name.isdigit():
            continue
        try:
            yield _Process(
                int(each.name),
                int((each / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]),
                (each / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"),
                str((each / "cwd").readlink()),
                (each / "cgroup").read_text(),
                {kind: str((each / "ns" / kind).readlink()) for kind in ("net", "pid", "mnt")},
            )
        except (FileNotFoundError, ProcessLookupError, PermissionError):  # it has ended, or is not for us to see
            continue
