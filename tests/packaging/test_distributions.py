"""Wheel and sdist build, and work in a repository that has folders of the same names as our rooms."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("sim", "scenarios", "router", "tests")
SCENARIO = """\
duration: 10s
webservice: {name: fraud, deploy: {num_replicas: 2}}
traffic: [{shape: constant, rate: 5}]
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it."""
    target = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


@pytest.fixture(scope="module")
def repository(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's repository: packages of its own called as our rooms are, and our wheel beside it."""
    folder = tmp_path_factory.mktemp("repository")
    for room in ROOMS:
        (folder / room).mkdir()
        (folder / room / "__init__.py").write_text(f"WHOSE = 'the user, {room}'\n")
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")  # noqa: S202 - our own wheel
    return folder


def _python(repository: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(repository), str(repository / "installed")])}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=repository, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_wheel_holds_every_room_under_one_name(built: Path) -> None:
    """Nothing in the wheel is importable but akstwin, and the library of scenarios comes along."""
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.split("/")[0] for name in names if not name.startswith("akstwin-")} == {"akstwin"}
    for needed in (
        "sim/world.py",
        "scenarios/run.py",
        "scenarios/library/rush_hour.yaml",
        "cores/routing.py",
        "py.typed",
    ):
        assert f"akstwin/{needed}" in names


def test_an_sdist_holds_what_the_tests_need(built: Path) -> None:
    """Whoever packages akstwin can run its tests from the sdist."""
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    for needed in (
        "Makefile",
        "constraints.txt",
        "tests/packaging/test_distributions.py",
        "docs/generate.py",
        "sim/world.py",
    ):
        assert needed in names


def test_rooms_of_the_users_own_stay_theirs(repository: Path) -> None:
    """`import sim` is the user's; ours is akstwin.sim."""
    done = _python(
        repository,
        "import sim, scenarios, router, tests, akstwin.sim.world, akstwin.scenarios.run\n"
        "print(sim.WHOSE, scenarios.WHOSE, router.WHOSE, tests.WHOSE, akstwin.sim.world.__file__)",
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("the user, sim the user, scenarios the user, router the user, tests ")
    assert str(repository / "installed") in done.stdout


def test_a_question_is_answered_in_such_a_repository(repository: Path) -> None:
    """The command works from the wheel, beside folders of the same names."""
    (repository / "mine.yaml").write_text(SCENARIO)

    done = _python(repository, "from akstwin.cli import main; main()", "run", "mine.yaml", "--json", "-")

    assert done.returncode == 0, done.stderr
    assert '"requests": 49' in done.stdout


def test_a_wheel_brings_the_compiled_engine(built: Path, repository: Path) -> None:
    """Made where the wheel was built, for that interpreter; it is loaded from the wheel, and runs."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    (wheel,) = built.glob("*.whl")
    assert not wheel.name.endswith("-none-any.whl")
    (repository / "engine.yaml").write_text(SCENARIO)

    done = _python(
        repository,
        "import sys; from akstwin.speedups.native import load_kernel; print(load_kernel().__file__, file=sys.stderr)\n"
        "from akstwin.cli import main; main()",
        "run", "engine.yaml", "--json", "-",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert str(repository / "installed") in done.stderr
    assert '"engine": "compiled"' in done.stdout


def test_without_a_compiler_a_wheel_has_no_engine_and_says_so(tmp_path: Path) -> None:
    """One line at the build; the wheel runs the reference."""
    environment = {**os.environ, "CC": "/nowhere/cc"}
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (done.stdout + done.stderr).count("the wheel comes without the compiled engine") == 1
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith("-none-any.whl")
    assert [name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".so")] == []


TESTS = """\
import pytest
import router, scenarios, sim, tests

def test_rooms_are_mine():
    assert sim.WHOSE == "the user, sim" and tests.WHOSE == "the user, tests"

def test_ours_come_from_the_wheel(aks_server, aks_workspace):
    import akstwin.fake_api.server
    assert "installed" in akstwin.fake_api.server.__file__
    assert aks_server.connect().name == aks_server.workspace

@pytest.mark.aks(seed=3)
def test_that_fails(aks_server):
    assert not aks_server.url
"""


def test_pytest_finds_the_plugin_of_a_wheel(repository: Path) -> None:
    """With workers, beside packages of the same names; a failure tells how to play it again."""
    (repository / "tests" / "test_mine.py").write_text(TESTS)
    run = "import sys, pytest; sys.exit(pytest.main())"

    done = _python(repository, run, "tests", "-n", "2", "-p", "no:cacheprovider", "-W", "error")

    assert "1 failed, 2 passed" in done.stdout, done.stdout + done.stderr
    assert "replay: pytest tests/test_mine.py::test_that_fails --aks-seed 3" in done.stdout
