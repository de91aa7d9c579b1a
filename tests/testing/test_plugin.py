"""pytest's plugin in a user's repository, which has packages of its own called as our rooms are."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("numpy", "pydantic", "fastapi", "simpy", "httpx", "uvicorn", "scipy")
MINE = """
import httpx
import pytest
import router
import scenarios
import sim
import tests

SEEN = []


def test_the_rooms_are_mine():
    assert (sim.WHOSE, router.WHOSE, scenarios.WHOSE, tests.WHOSE) == ("mine",) * 4


@pytest.mark.parametrize("turn", range(4))
def test_servers_are_apart(aks_server, turn):
    assert len(aks_server.journal) == 0
    httpx.post(f"{aks_server.url}/api/v1/service/none/score")
    aks_server.journal.assert_statuses(counts={404: 1})
    assert aks_server.url not in SEEN
    SEEN.append(aks_server.url)


def test_time_is_virtual(aks_workspace, aks_clock):
    aks_clock.advance("24h")
    assert aks_workspace.clock.now() == 24 * 3600 * 1_000_000


@pytest.mark.aks(seed=41)
def test_that_fails_on_a_server(aks_server, aks_clock):
    for number in range(25):
        httpx.post(f"{aks_server.url}/api/v1/service/missing-{number}/score")
        aks_clock.sleep(1)
    assert aks_server.seed == 0


@pytest.mark.aks(seed=42)
def test_that_fails_in_virtual_time(aks_workspace):
    assert not aks_workspace.name


@pytest.mark.parametrize("what", ["a b"])
def test_that_fails_by_itself(what):
    assert not what
"""
SEEDS = """
def test_seeds(aks_workspace):
    assert aks_workspace.backend.seed != 2

def test_of_no_world():
    pass

def test_clock(aks_clock):
    assert aks_clock.now() == 0
"""


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A user's repository; warnings are errors there."""
    for room in ("sim", "router", "scenarios", "tests"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "__init__.py").write_text("WHOSE = 'mine'\n")
    (tmp_path / "pytest.ini").write_text(
        "[pytest]\nfilterwarnings = error\naddopts = -p no:cacheprovider --strict-markers\n"
    )
    return tmp_path


def _pytest(repository: Path, *arguments: str, code: str | None = None) -> subprocess.CompletedProcess[str]:
    if code is not None:
        (repository / "tests" / "test_mine.py").write_text(code)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        cwd=repository, env=clean, capture_output=True, text=True, check=False,
    )  # fmt: skip


def _section(output: str, test: str) -> str:
    """What the report of a failure says below akstwin's line."""
    report = re.split(rf"^_+ {re.escape(test)} _+$", output, flags=re.MULTILINE)[1]
    return re.split(r"^-+ akstwin -+\n", report, flags=re.MULTILINE)[1].split("\n__")[0].split("\n==")[0]


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "xdist"])
def test_it_works_beside_packages_of_the_same_names(repository: Path, workers: list[str]) -> None:
    """Passing and failing tests, alone and with workers; a failure tells how to play it again and what came last."""
    done = _pytest(repository, *workers, code=MINE)

    assert "3 failed, 6 passed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 1
    assert "warning" not in done.stdout.lower()
    assert done.stderr == ""
    told = _section(done.stdout, "test_that_fails_on_a_server")
    assert told.startswith("replay: pytest tests/test_mine.py::test_that_fails_on_a_server --aks-seed 41\n")
    assert "clock: jump, at 25.000000 s\n" in told
    rows = told.partition("the last 20 of 25:\n")[2].splitlines()
    assert rows[0].split() == ["arrived", "s", "service", "status", "latency", "ms", "why"]
    assert [row.split()[1] for row in rows[1:]] == [f"missing-{number}" for number in range(5, 25)]
    assert len({row.index("  404 ") for row in rows[1:]}) == 1  # aligned
    assert rows[-1].endswith("not_found  there is no service missing-24")
    virtual = _section(done.stdout, "test_that_fails_in_virtual_time")
    assert virtual.strip() == "replay: pytest tests/test_mine.py::test_that_fails_in_virtual_time --aks-seed 42"
    assert done.stdout.count("- akstwin -") == 2  # nothing beside a test that has no world


def test_a_failure_is_played_again_by_its_line(repository: Path) -> None:
    """With several seeds too: each test that has a world runs once with each."""
    done = _pytest(repository, "--aks-seed", "1..3", "--aks-seed", "7", code=SEEDS)

    assert "1 failed, 8 passed" in done.stdout, done.stdout + done.stderr
    told = _section(done.stdout, "test_seeds[aks-seed=2]")
    again = told.strip().removeprefix("replay: pytest ").split()
    assert again == ["tests/test_mine.py::test_seeds", "--aks-seed", "2"]
    assert "1 failed" in _pytest(repository, *again).stdout
    assert "1 passed" in _pytest(repository, again[0], "--aks-seed", "3").stdout


def test_parameters_beside_seeds_stay_in_the_line(repository: Path) -> None:
    """Only the seed's part of the id goes."""
    code = (
        "import pytest\n\n@pytest.mark.parametrize('what', ['x-y', 'z w'])\n"
        "def test_it(aks_workspace, what):\n    assert aks_workspace.backend.seed == 1 or what == 'x-y'\n"
    )
    done = _pytest(repository, "--aks-seed", "1,2", code=code)

    (line,) = re.findall(r"replay: pytest (.*) --aks-seed 2", done.stdout)
    assert line == "'tests/test_mine.py::test_it[z w]'"
    assert "1 failed" in _pytest(repository, line.strip("'"), "--aks-seed", "2").stdout


@pytest.mark.parametrize(
    ("mark", "told"),
    [
        ("sede=7", "aks(sede=7): it takes seed, scenario, clock, rate, assumptions, client_time; did you mean seed?"),
        ("seed='7'", "aks(seed='7'): expected a whole number from 0 on"),
        ("seed=True", "aks(seed=True): expected a whole number from 0 on"),
        ("7", "aks(7): an argument without a name; it takes seed"),
        ("clock='fast'", "aks(clock='fast'): expected one of live, paced, jump, manual"),
        ("clock='paced', rate=0", "aks(rate=0): expected a number greater than 0"),
        ("scenario=7", "aks(scenario=7): expected the path of a scenario file, or its content"),
        (
            "assumptions=['image_pull']",
            'aks(assumptions=[\'image_pull\']): expected a mapping such as {"image_pull": "5s"}',
        ),
    ],
)
def test_a_mark_that_is_wrong_is_a_usage_error(repository: Path, mark: str, told: str) -> None:
    """Before any test runs; test, argument and value are named."""
    code = f"import pytest\n\n@pytest.mark.aks({mark})\ndef test_it(aks_workspace):\n    pass\n\ndef test_other():\n    pass\n"

    done = _pytest(repository, code=code)

    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout
    assert f"tests/test_mine.py::test_it: @pytest.mark.{told}" in done.stderr
    assert "passed" not in done.stdout


def test_a_mark_that_is_wrong_fails_its_test_in_a_worker(repository: Path) -> None:
    """pytest-xdist has no usage errors of workers; the others run."""
    code = "import pytest\n\n@pytest.mark.aks(sede=7)\ndef test_it():\n    pass\n\ndef test_other():\n    pass\n"

    done = _pytest(repository, "-n", "1", code=code)

    assert "1 passed, 1 error" in done.stdout, done.stdout
    assert (
        "test_it: @pytest.mark.aks(sede=7): it takes seed, scenario, clock, rate, assumptions, client_time; did you"
        in done.stdout
    )


@pytest.mark.parametrize("given", ["x", "1..", "5..2", "-1", "1,,2", ""])
def test_seeds_that_are_none_are_a_usage_error(repository: Path, given: str) -> None:
    """What would be right is told."""
    done = _pytest(repository, f"--aks-seed={given}", code=SEEDS)

    assert done.returncode == pytest.ExitCode.USAGE_ERROR, done.stdout
    assert f"--aks-seed {given}: expected a seed, or several: 7, 1,2,3 or 0..99" in done.stderr


def test_faults_of_no_server_are_refused(repository: Path) -> None:
    """They would break another world than the test's."""
    done = _pytest(repository, code="def test_it(aks_workspace, aks_faults):\n    pass\n")

    assert "aks_faults breaks the workspace of aks_server, which the test does not use" in done.stdout, done.stdout
    assert "1 error" in done.stdout


def test_a_scenario_is_found_from_the_root(repository: Path) -> None:
    """Wherever pytest is started; one that is not there is named."""
    (repository / "small.yaml").write_text(
        "duration: 10s\nwebservice: {name: fraud, deploy: {num_replicas: 1}}\ntraffic: []\n"
    )
    code = (
        "import pytest\n\n@pytest.mark.aks(scenario='small.yaml')\n"
        "def test_it(aks_workspace, aks_server):\n"
        "    assert set(aks_workspace.webservices) == set(aks_server.connect().webservices) == {'fraud'}\n\n"
        "@pytest.mark.aks(scenario='large.yaml')\ndef test_gone(aks_server):\n    pass\n"
    )
    (repository / "tests" / "test_mine.py").write_text(code)

    done = _pytest(repository, "--rootdir", str(repository), "-c", str(repository / "pytest.ini"), "tests")

    assert "1 passed, 1 error" in done.stdout, done.stdout
    assert "large.yaml" in done.stdout


def test_nothing_is_imported_before_it_is_used(repository: Path) -> None:
    """Not by loading the plugin, nor by collecting tests that use it."""
    (repository / "conftest.py").write_text(
        "import sys\n\ndef pytest_unconfigure():\n"
        "    names = sorted(name for name in sys.modules if name.partition('.')[0] == 'akstwin')\n"
        f"    print('loaded:', *names, *(name for name in {HEAVY!r} if name in sys.modules))\n"
    )

    collected = _pytest(repository, "--collect-only", "-q", code="def test_it(aks_workspace, aks_server):\n    pass\n")
    unused = _pytest(repository, "-q", code="def test_it():\n    pass\n")

    for done in (collected, unused):
        assert done.returncode == 0, done.stdout
        assert "loaded: akstwin akstwin.testing akstwin.testing.plugin\n" in done.stdout, done.stdout


def test_its_fixtures_explain_themselves(repository: Path) -> None:
    """`pytest --fixtures` and `--markers`, and `--help`."""
    fixtures = _pytest(repository, "--fixtures", code="").stdout
    for name in ("aks_workspace", "aks_server", "aks_clock", "aks_faults", "aks_sdk_env"):
        assert re.search(rf"^{name} -- .*plugin\.py:\d+\n    \S", fixtures, re.MULTILINE), name
    assert "@pytest.mark.aks(seed=0, scenario=None" in _pytest(repository, "--markers").stdout
    assert "--aks-seed=SEEDS" in _pytest(repository, "--help").stdout
