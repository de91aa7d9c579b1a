"""What a run leaves on the machine, how it is removed, and a list of everything that one could leave."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import cgroups
from .layout import CGROUP_PREFIX, Run, runs_folder
from .needs import Say
from .parts import KERNEL_SETTINGS
from .versions import cache

_TEMPORARY = Path(tempfile.gettempdir())


@contextmanager
def lock_of(run: Run, *, wait: bool) -> Iterator[int | None]:
    """The lock that a run's processes hold as long as one of them lives; None if they do and nobody shall wait."""
    descriptor = os.open(run.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield None
        else:
            yield descriptor
    finally:
        os.close(descriptor)


def alive(run: Run) -> bool:
    """Whether a process of the run holds its lock."""
    with lock_of(run, wait=False) as lock:
        return lock is None


def runs() -> list[Run]:
    """All runs that have left a folder, alive or not, the oldest first."""
    folder = runs_folder()
    found = [each for each in folder.iterdir() if (each / "lock").exists()] if folder.exists() else []
    return [Run(each.name) for each in sorted(found, key=lambda each: (each / "lock").stat().st_ino)]


def sweep(say: Say) -> None:
    """Remove what runs have left that were killed."""
    for run in runs():
        with lock_of(run, wait=False) as lock:
            if lock is not None:
                say(f"removing what run {run.id} has left")
                remove(run)


def remove(run: Run) -> None:
    """Remove cgroups and folder of a run without processes. Everything else the kernel has removed with the processes."""
    for folder in cgroups.of_run(run.id):
        folder.rmdir()
    shutil.rmtree(run.folder)


def inventory() -> dict[str, frozenset[str]]:
    """Everything on the machine that a cluster makes, by kind: to compare before and after."""

    def lines(*command: str) -> frozenset[str]:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return frozenset(done.stdout.splitlines())

    processes = set()
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            try:
                words = (each / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                folder = str((each / "cwd").readlink())
            except (FileNotFoundError, ProcessLookupError, PermissionError):  # it has ended, or is not ours
                continue
            if str(cache()) in words or folder.startswith(str(cache())) or "containerd-shim" in words:
                processes.add(f"{each.name} {words}")
    groups = {str(group) for root in cgroups.hierarchies() for group in root.glob(f"{CGROUP_PREFIX}*")}
    files = {
        f"{place}/{each.name}"
        for place in (
            "/run",
            "/run/netns",
            "/run/containerd",
            "/var/lib",
            "/var/lib/cni",
            "/var/lib/kubelet",
            "/var/log",
            "/etc/cni",
        )
        if Path(place).is_dir()
        for each in Path(place).iterdir()
    }
    files |= {
        str(each)
        for name in ("containerd", "runc", "kube", "etcd", "cni", "buildah")
        for each in _TEMPORARY.glob(f"{name}*")
    }
    settings = {f"{name} = {Path('/proc/sys', name).read_text().strip()}" for name in KERNEL_SETTINGS}
    forward = Path("/proc/sys/net/ipv4/ip_forward").read_text().strip()
    return {
        "mounts": frozenset(Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()),
        "network namespaces": lines("lsns", "--type", "net", "--noheadings", "--output", "NS"),
        "process namespaces": lines("lsns", "--type", "pid", "--noheadings", "--output", "NS"),
        "links": lines("ip", "-o", "-br", "link"),
        "routes": lines("ip", "route"),
        "firewall rules": lines("nft", "list", "ruleset"),
        "cgroups": frozenset(groups),
        "processes": frozenset(processes),
        "files": frozenset(files),
        "kernel settings": frozenset(settings | {f"ip_forward = {forward}"}),
        "runs": frozenset(run.id for run in runs()),
    }
