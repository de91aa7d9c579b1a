"""What the machine must have. A machine that lacks something is told all of it at once."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from .versions import DEBIAN_PACKAGES, cache

Say = Callable[[str], None]


class CannotRunHere(Exception):
    """This machine lacks something; the message names each thing."""


def check(say: Say) -> None:
    """Everything that is needed is there afterwards; Debian's packages are installed if they are missing.

    Raises:
        CannotRunHere: with every other thing that is missing.
    """
    missing = []
    if sys.platform != "linux":
        missing.append(f"Linux (this is {sys.platform})")
    elif os.geteuid() != 0:
        missing.append("root: namespaces, cgroups and mounts are made (sudo make …)")
    if shutil.which("go") is None:
        missing.append("Go 1.24 or newer, as `go` in PATH: Kubernetes is built from its Go modules")
    packages = sorted({package for program, package in DEBIAN_PACKAGES.items() if shutil.which(program) is None})
    if packages and shutil.which("apt-get") is None:
        missing.append(f"these packages, by Debian's names: {' '.join(packages)}")
    hidden = [parent for parent in ("/run", "/var/lib", "/var/log") if cache().is_relative_to(parent)]
    if hidden:
        missing.append(
            f"a cache outside of {hidden[0]}, which each node has of its own: set XDG_CACHE_HOME (now {cache()})"
        )
    if missing:
        raise CannotRunHere("the cluster can't run here, it needs\n" + "\n".join(f"  - {each}" for each in missing))
    if packages:
        _install(packages, say)


def _install(packages: list[str], say: Say) -> None:
    """Debian's packages, without the services that two of them would start."""
    say(f"installing {' '.join(packages)}")
    # etcd-server and containerd start themselves after installation; this is how Debian is told not to.
    policy = Path("/usr/sbin/policy-rc.d")
    ours = not policy.exists()
    if ours:
        policy.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
        policy.chmod(0o755)
    try:
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
            done = subprocess.run(["apt-get", *command], env=environment, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise CannotRunHere(f"apt-get {' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    finally:
        if ours:
            policy.unlink()
