"""The container image's definition keeps its promises, and its steps work: those that need no container are done here."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOBODY = 10001
BECOME = [
    "setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
]  # fmt: skip
"""Not root any more; yet this Python may stand in a folder that is closed to others."""


def instructions() -> list[tuple[str, str]]:
    """All instructions of the definition, each with its arguments."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Containerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    pairs = (line.partition(" ") for line in lines if line.strip())
    return [(name, " ".join(rest.split())) for name, _, rest in pairs]


def last_stage() -> list[tuple[str, str]]:
    """What becomes the image."""
    found = instructions()
    first = max(number for number, (name, _) in enumerate(found) if name == "FROM")
    return found[first:]


def argument(name: str) -> str:
    """Of the image's one instruction of that name."""
    (found,) = [rest for each, rest in last_stage() if each == name]
    return found


def test_it_is_small_and_not_root() -> None:
    """A slim base, a numeric user, nothing installed in the stage that stays, and only the checkout's product goes in."""
    found = instructions()
    assert [rest for name, rest in found if name == "ARG"] == ["BASE=python:3.11-slim-bookworm"]
    assert [rest.split()[0] for name, rest in found if name == "FROM"] == ["${BASE}"] * 2
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", argument("USER"))
    stays = " ".join(rest for _, rest in last_stage())
    assert not re.search(r"pip|apt|gcc", stays)
    assert [rest for name, rest in last_stage() if name == "COPY"] == ["--from=build /opt/akstwin /opt/akstwin"]
    assert "pip uninstall --yes pip" in str(found)
    names = [name for name, _ in last_stage()]
    assert names.index("USER") > names.index("RUN"), "nothing of the image belongs to the user but its folder"


def test_versions_are_those_that_are_tested() -> None:
    """Each installation is bound to the constraints, and compiles nothing."""
    installs = [
        part for name, rest in instructions() if name == "RUN" for part in rest.split("&&") if "pip install" in part
    ]
    assert len(installs) == 2
    assert all("--constraint constraints.txt" in install for install in installs)
    assert "--only-binary=:all:" in installs[-1]
    assert ("ENV", "PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1") in instructions()


def test_only_what_is_needed_is_sent_to_the_builder() -> None:
    """What is copied is let through, and nothing else."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    copied = {
        source
        for name, rest in instructions()
        if name == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
    }
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == copied
    assert all((ROOT / source).exists() for source in copied)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that another user may look into; the tests' own ones are closed."""
    path = Path(tempfile.mkdtemp(prefix="akstwin-container-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.mark.slow
@pytest.mark.skipif(
    os.getuid() == 0 and shutil.which("setpriv") is None, reason="root, and there is no setpriv to be less"
)
def test_its_steps_work(folder: Path) -> None:
    """The wheel is built, installed at the tested versions, and serves as a user who is not root."""
    prefix, data = folder / "opt", folder / "data"
    source = folder / "src"
    source.mkdir()
    for name, rest in instructions():
        if name == "COPY" and "--from" not in rest:
            *sources, target = rest.split()
            for each in sources:
                where = source / (each if target == "./" else target)
                copy = shutil.copytree if (ROOT / each).is_dir() else shutil.copy
                copy(ROOT / each, where, **({"symlinks": True} if copy is shutil.copytree else {}))  # type: ignore[operator]
    wheels, constraints = folder / "wheels", source / "constraints.txt"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    _run([*pip, "wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", wheels, "."], source)
    _run([sys.executable, "-m", "venv", prefix], folder)
    (wheel,) = wheels.glob("*.whl")
    pip[0] = str(prefix / "bin" / "python")
    _run([*pip, "install", "--constraint", constraints, "--only-binary=:all:", wheel], folder)
    _run([*pip, "uninstall", "--yes", "pip", "setuptools"], folder)
    data.mkdir()
    entry = [word.replace("/data", str(data)) for word in json.loads(argument("ENTRYPOINT"))]
    become = []
    if os.getuid() == 0:
        os.chown(data, NOBODY, NOBODY)
        become = BECOME
    environment = {"PATH": f"{prefix}/bin:/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(data)}
    command = [
        *become,
        f"{prefix}/bin/{entry[0]}",
        *entry[1:],
        "--port",
        "0",
        "--tls-port",
        "0",
        "--allow-host",
        "twin",
    ]
    with subprocess.Popen(
        command, cwd=data, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            first = server.stdout.readline()
            assert first.startswith("listening on http://twin:"), first + (
                server.stderr.read() if server.stderr else ""
            )
            port = first.split()[2].rpartition(":")[2]
            check = json.loads(argument("HEALTHCHECK").partition("CMD ")[2])
            check = [part.replace("/opt/akstwin", str(prefix)).replace(":8899", f":{port}") for part in check]
            _run([*become, *check], data)
            with pytest.raises(AssertionError):
                _run([*become, *(part.replace(f":{port}", ":1") for part in check)], data)
        finally:
            server.terminate()
            _, complaints = server.communicate(timeout=30)
    assert "whoever reaches 0.0.0.0 can run code" in complaints
    if become:
        assert all(path.stat().st_uid == NOBODY for path in data.rglob("*"))


def _run(command: list[object], where: Path) -> None:
    given = [str(part) for part in command]
    done = subprocess.run(given, cwd=where, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
