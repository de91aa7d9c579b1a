"""Kubernetes' programs, built from its Go modules: once per version, outside the checkout."""

import fcntl
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .needs import CannotRunHere, Say
from .versions import HERE, KUBERNETES, cache, fingerprint, programs_folder

SOURCE = HERE / "kubernetes"
PARTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl")
_BUILD = ["go", "build", "-v", "-mod=readonly", "-trimpath", "-buildvcs=false"]


@contextmanager
def only_one(name: str, say: Say) -> Iterator[None]:
    """Whatever builds into the cache does so alone; others wait, and find it built."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"another run is building the {name}: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def programs(say: Say) -> Path:
    """The folder of the programs, each under its usual name; built if need be.

    Raises:
        CannotRunHere: if they can't be built; the compiler's words are in the message.
    """
    version = _go("version").strip()
    folder = programs_folder() / fingerprint(version, *_BUILD, *sorted(SOURCE.rglob("*.*")))
    with only_one("programs", say):
        if not (folder / "pause").exists():
            _build(folder, say)
    return folder


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"GOFLAGS", "GOOS", "GOARCH"}}
    return kept | {"CGO_ENABLED": "0", "GOCACHE": str(cache() / "go-build")}


def _go(*arguments: str) -> str:
    done = subprocess.run(
        ["go", *arguments], cwd=SOURCE, env=_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise CannotRunHere(f"go {' '.join(arguments)} failed:\n{done.stderr}")
    return done.stdout


def _build(folder: Path, say: Say) -> None:
    say(f"fetching the Go modules of Kubernetes {KUBERNETES}")
    packages = len(_go("list", "-mod=readonly", "-deps", ".").splitlines())
    major, minor, _ = KUBERNETES.split(".")
    stamp = "k8s.io/component-base/version."
    flags = f"-s -w -X {stamp}gitVersion=v{KUBERNETES} -X {stamp}gitMajor={major} -X {stamp}gitMinor={minor}"
    folder.mkdir(parents=True, exist_ok=True)
    built = folder / "kubernetes"
    _compile([*_BUILD, "-ldflags", flags, "-o", str(built), "."], packages, say)
    for part in PARTS:
        link = folder / part
        link.unlink(missing_ok=True)
        link.symlink_to("kubernetes")
    # Last of all: what is there when this is there is whole.
    _compile([*_BUILD, "-ldflags", "-s -w", "-o", str(folder / "pause"), "./pause"], 0, say)


def _compile(command: list[str], packages: int, say: Say) -> None:
    """Run it and tell how far it is: `go build -v` names each package when its turn has come."""
    words, compiled = [], 0
    with subprocess.Popen(
        command, cwd=SOURCE, env=_environment(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as build:
        assert build.stderr is not None
        for line in build.stderr:
            if line.startswith("#") or " " in line.strip():
                words.append(line)
                continue
            compiled += 1
            if packages and compiled % 100 == 0:
                say(f"building Kubernetes {KUBERNETES}: {compiled} of at most {packages} packages")
    if build.returncode != 0:
        raise CannotRunHere(f"{' '.join(command)} failed:\n{''.join(words[-40:])}")
