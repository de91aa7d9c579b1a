"""Images of the cluster, and a containerd's folder that has them all: copied for each node by hard links, in a second.

Two images share the base layer: Debian with Python, made by debootstrap. It stands in for python:3.11-slim-bookworm, which
the Containerfiles name: there is no registry of images here, and Debian 12's own Python is older than the product's.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import parts
from .needs import CannotRunHere, Say
from .programs import only_one
from .versions import CHECKOUT, HERE, IMAGES_DEBIAN, cache, fingerprint

_INCLUDED = "ca-certificates,python3,python3-venv"
_PIP_SETTINGS = ("index-url", "extra-index-url", "proxy", "trusted-host", "timeout", "default-timeout")
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True)
class Store:
    """A containerd's root folder with images."""

    folder: Path
    names: dict[str, str]
    """Of the images, by what they are for."""


def store(programs: Path, say: Say) -> Store:
    """The folder with all images, built if need be.

    Raises:
        CannotRunHere: if an image can't be built; the builder's last lines are in the message.
    """
    names = _names(programs)
    folder = cache() / "images" / f"store-{fingerprint(json.dumps(names), (HERE / 'parts.py'))}"
    with only_one("images", say):
        if not folder.exists():
            for stale in (cache() / "images").glob("store-*"):
                shutil.rmtree(stale)  # nodes have links of their own to its files
            _Builder(programs, names, say).fill(folder)
    return Store(folder, names)


def copy_store(kept: Store, folder: Path) -> None:
    """A containerd's root folder for a node: its own database, and links to the files, which nobody writes to."""
    shutil.copytree(
        kept.folder,
        folder,
        symlinks=True,
        copy_function=lambda source, target: _link_or_copy(Path(source), Path(target)),
    )


def _link_or_copy(source: Path, target: Path) -> None:
    if source.suffix == ".db":
        shutil.copy2(source, target)
    else:
        os.link(source, target, follow_symlinks=False)


def _names(programs: Path) -> dict[str, str]:
    base = fingerprint(IMAGES_DEBIAN, _INCLUDED, "python in /usr/local")
    definition = CHECKOUT / "Containerfile"
    product = fingerprint(base, definition, *(CHECKOUT / each for each in _copied(definition)))
    scoring = fingerprint(base, HERE / "scoring.Containerfile", CHECKOUT / "constraints-peers.txt")
    return {
        "base": f"localhost/akstwin/base:{base}",
        "product": f"localhost/akstwin/product:{product}",
        "scoring": f"localhost/akstwin/scoring:{scoring}",
        "pause": parts.PAUSE_IMAGE,
    }


def _copied(definition: Path) -> list[str]:
    """What goes into an image from the checkout."""
    steps = [line.split() for line in definition.read_text(encoding="utf-8").splitlines() if line.startswith("COPY ")]
    return [source for step in steps if not step[1].startswith("--from") for source in step[1:-1]]


class _Builder:
    """Builds what is missing, with buildah, in mount and process namespaces that leave nothing behind."""

    def __init__(self, programs: Path, names: dict[str, str], say: Say) -> None:
        self.programs = programs
        self.names = names
        self.say = say
        self.folder = cache() / "images"
        self.storage = [
            "buildah",
            "--root",
            str(self.folder / "buildah"),
            "--runroot",
            "/run/buildah",
            "--storage-driver",
            "overlay",
        ]

    def fill(self, target: Path) -> None:
        """Build all images and import them."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._alone("remains", [*self.storage, "rm", "--all"])
        for number, (kind, build) in enumerate(self._builds().items(), 1):
            if self._has(self.names[kind]):
                continue
            self.say(f"building image {number} of {len(self.names)}: {kind}")
            with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
                build(Path(scratch))
        self._forget_others()
        self.say("unpacking the images")
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            self._import(Path(scratch))
            (Path(scratch) / "root").rename(target)

    def _builds(self):  # noqa: ANN202 - four methods of one shape
        return {"pause": self._pause, "base": self._base, "product": self._product, "scoring": self._scoring}

    def _pause(self, scratch: Path) -> None:
        shutil.copy(self.programs / "pause", scratch / "pause")
        self._bud("pause", scratch, 'FROM scratch\nCOPY pause /pause\nUSER 65535:65535\nENTRYPOINT ["/pause"]\n')

    def _base(self, scratch: Path) -> None:
        root = scratch / "root"
        self._alone(
            "debootstrap", ["debootstrap", "--variant=minbase", f"--include={_INCLUDED}", IMAGES_DEBIAN, str(root)]
        )
        for useless in ("var/cache/apt", "var/lib/apt/lists"):
            shutil.rmtree(root / useless)
            (root / useless).mkdir()
        # As in the image that it stands in for, `python` is in /usr/local, and its pip may install there.
        self._alone("python in the base image", ["chroot", str(root), "python3", "-m", "venv", "/usr/local"])
        self._alone(
            "tar", ["tar", "--create", "--one-file-system", f"--file={scratch}/root.tar", f"--directory={root}", "."]
        )
        shutil.rmtree(root)
        self._bud("base", scratch, 'FROM scratch\nADD root.tar /\nENV LANG=C.UTF-8\nCMD ["python"]\n')

    def _product(self, scratch: Path) -> None:
        self._bud("product", CHECKOUT, (CHECKOUT / "Containerfile").read_text(encoding="utf-8"))

    def _scoring(self, scratch: Path) -> None:
        shutil.copy(CHECKOUT / "constraints-peers.txt", scratch)
        self._bud("scoring", scratch, (HERE / "scoring.Containerfile").read_text(encoding="utf-8"))

    def _bud(self, kind: str, context: Path, definition: str) -> None:
        """Build one definition; during the build pip finds packages as it does on this machine."""
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            file, pip = Path(scratch, "Containerfile"), Path(scratch, "pip.conf")
            file.write_text(definition, encoding="utf-8")
            pip.write_text(_pip_settings(), encoding="utf-8")
            mounts = (
                []
                if "RUN" not in definition
                else [f"--volume={_certificates()}:{_CERTIFICATES}:ro", f"--volume={pip}:/etc/pip.conf:ro"]
            )
            arguments = ["--build-arg", f"BASE={self.names['base']}"] if "ARG BASE" in definition else []
            self._alone(
                f"the image {kind}",
                [
                    *(*self.storage, "bud", "--isolation=chroot", "--pull-never", "--format=oci", *mounts, *arguments),
                    *(f"--tag={self.names[kind]}", f"--file={file}", str(context)),
                ],
            )

    def _has(self, name: str) -> bool:
        return self._run([*self.storage, "images", "--quiet", name]).returncode == 0

    def _forget_others(self) -> None:
        """Images of sources that are no more."""
        listed = self._run([*self.storage, "images", "--json"]).stdout
        for image in json.loads(listed or "[]"):
            if not set(image.get("names") or []) & set(self.names.values()):
                self._run([*self.storage, "rmi", "--force", image["id"]])

    def _import(self, scratch: Path) -> None:
        """Into a new containerd, one after the other: each finds the layers of those before."""
        settings = scratch / "containerd.toml"
        settings.write_text(parts.containerd_settings(scratch / "root", scratch / "cni"), encoding="utf-8")
        steps = [
            "set -e",
            f"containerd --config={settings} > {self.folder}/containerd.log 2>&1 &",
            "trap 'kill %1; wait %1' EXIT",
            "until ctr version > /dev/null 2>&1; do sleep 0.1; done",
        ]
        for kind, name in self.names.items():
            archive = f"{scratch}/{kind}.tar"
            steps += [
                shlex.join([*self.storage, "push", "--quiet", name, f"docker-archive:{archive}:{name}"]),
                f"ctr --namespace=k8s.io images import --snapshotter=overlayfs {archive}",
                f"rm {archive}",
            ]
        self._alone("unpacking the images", ["bash", "-c", "\n".join(steps)])

    def _alone(self, what: str, command: list[str]) -> None:
        done = self._run(command)
        if done.returncode != 0:
            lines = (done.stdout + done.stderr).splitlines()[-40:]
            raise CannotRunHere(f"{what} failed: {shlex.join(command)[:300]}\n" + "\n".join(lines))

    def _run(self, command: list[str]) -> "subprocess.CompletedProcess[str]":
        """Whatever it mounts and starts ends with it."""
        own = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c"]
        mine = self.folder / "run"  # a /run whose changes are forgotten; what finds hosts by name may read there
        mine.mkdir(exist_ok=True)
        quietly = (
            f"mount -t tmpfs tmpfs {mine} && mkdir {mine}/upper {mine}/work && mount -t overlay overlay /run"
            f' -o lowerdir=/run,upperdir={mine}/upper,workdir={mine}/work && exec "$@"'
        )
        return subprocess.run(
            [*own, quietly, "sh", *command], capture_output=True, text=True, check=False, cwd=self.folder
        )


def _pip_settings() -> str:
    """This machine's settings of where pip gets packages from."""
    done = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    lines = ["[global]", f"cert = {_CERTIFICATES}"]
    for line in done.stdout.splitlines():
        name, _, value = line.partition("=")
        if name.rpartition(".")[2] in _PIP_SETTINGS:
            lines.append(f"{name.rpartition('.')[2]} = {value.strip(chr(39))}")
    return "\n".join(lines) + "\n"


def _certificates() -> str:
    """The file of authorities that pip trusts here."""
    named = os.environ.get("PIP_CERT") or os.environ.get("SSL_CERT_FILE") or _CERTIFICATES
    if not Path(named).exists():
        raise CannotRunHere(f"no certificates of authorities at {named}: install ca-certificates")
    return named
