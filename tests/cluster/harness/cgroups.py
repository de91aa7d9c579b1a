"""Cgroups of a run: made before the kubelets start, which expect theirs to be there, and removed after."""

import os
from collections.abc import Iterator
from pathlib import Path

from .layout import CGROUP_PREFIX, CGROUPS


def hierarchies() -> list[Path]:
    """The roots of all hierarchies: one on a machine with cgroup v2, one for each controller with v1."""
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    return sorted(each for each in CGROUPS.iterdir() if each.is_dir() and not each.is_symlink())


def make(name: str) -> None:
    """One cgroup of that path in each hierarchy, with all controllers, CPUs and memory of the machine."""
    for root in hierarchies():
        folder = root
        for step in Path(name.lstrip("/")).parts:
            _hand_down_controllers(folder)
            folder /= step
            folder.mkdir(exist_ok=True)
            for setting in ("cpuset.cpus", "cpuset.mems"):  # of v1: empty, no process could enter
                if root != CGROUPS and (folder / setting).exists() and not (folder / setting).read_text().strip():
                    (folder / setting).write_text((folder.parent / setting).read_text())


def _hand_down_controllers(folder: Path) -> None:
    """With v2 a cgroup has the controllers that its parent hands down."""
    controllers = folder / "cgroup.controllers"
    if controllers.exists():
        for each in controllers.read_text().split():
            (folder / "cgroup.subtree_control").write_text(f"+{each}")


def of_run(run_id: str) -> Iterator[Path]:
    """All cgroups of a run, the innermost first."""
    for root in hierarchies():
        for folder, _, _ in os.walk(root / f"{CGROUP_PREFIX}{run_id}", topdown=False):
            yield Path(folder)
