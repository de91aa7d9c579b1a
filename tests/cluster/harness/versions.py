"""What the cluster is made of, and where what is built for it is kept."""

import hashlib
import os
from pathlib import Path

KUBERNETES = "1.34.4"
"""The newest line that runs on containerd 1.6 and cgroup v1, as Debian 12 has them. go.mod beside main.go says the same."""

DEBIAN_PACKAGES = {
    "etcd": "etcd-server",
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/ptp": "containernetworking-plugins",
    "iptables": "iptables",
    "nft": "nftables",
    "ip": "iproute2",
    "debootstrap": "debootstrap",
    "buildah": "buildah",
}
"""A program (or file) that is used, and the package of Debian that brings it."""

IMAGES_DEBIAN = "trixie"
"""Debian's release in the base image: the first whose Python (3.13) the product runs on."""

CHECKOUT = Path(__file__).parents[3]
HERE = Path(__file__).parent


def cache() -> Path:
    """The folder of everything built and running, outside the checkout: nothing else is written but into cgroups."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "akstwin" / "cluster"


def programs_folder() -> Path:
    """Where this version's programs are."""
    return cache() / f"kubernetes-{KUBERNETES}"


def fingerprint(*parts: str | bytes | Path) -> str:
    """Twelve hexadecimal digits of texts, of files' contents, and of folders' files with their names."""
    digest = hashlib.sha256()
    for part in parts:
        if not isinstance(part, Path):
            digest.update(part.encode() if isinstance(part, str) else part)
        elif part.is_dir():
            for each in sorted(part.rglob("*")):
                if each.is_file() and "__pycache__" not in each.parts:
                    digest.update(str(each.relative_to(part)).encode() + b"\0" + each.read_bytes())
        else:
            digest.update(part.name.encode() + b"\0" + part.read_bytes())
        digest.update(b"\0\0")
    return digest.hexdigest()[:12]
