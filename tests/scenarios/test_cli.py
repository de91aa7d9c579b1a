"""The command line of design §7.2: every option has an effect that can be seen, and every way to end its exit status."""

import json
import os
import pty
import signal
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from akstwin import cli

COMMAND = [sys.executable, "-c", "from akstwin.cli import main; main()"]
SCENARIO = """\
question: Is one replica enough?
seed: 3
duration: 60s
webservice:
  name: fraud
  deploy: {num_replicas: 1}
  model: {service_time: {distribution: exponential, mean: 200ms}}
traffic: {shape: poisson, rate: 4}
objectives: {success_rate: 0.5}
"""
OUT_OF_REACH = "objectives.success_rate=1"


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    """A scenario that takes no time, in a folder of its own."""
    path = tmp_path / "one.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    return path


def akstwin(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, without a terminal."""
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120)


@dataclass(frozen=True)
class Ended:
    """A command that has come to its end."""

    returncode: int
    stdout: str
    stderr: str


class Here:
    """Runs commands in this process: the same `main`, without the wait for its imports."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *arguments: object) -> Ended:
        """Run it to its end."""
        self._monkeypatch.setattr(sys, "argv", ["akstwin", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return Ended(int(ended.value.code or 0), *self._capsys.readouterr())

    def answer(self, *arguments: object) -> dict[str, Any]:
        """The result of a run, by `--json -`, without what differs from one to the next."""
        done = self("run", *arguments, "--json", "-")
        assert (done.returncode, done.stderr) == (0, "")
        result: dict[str, Any] = json.loads(done.stdout)
        return {**result, "wall_seconds": 0}


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    """Runs commands in this process."""
    return Here(monkeypatch, capsys)


# -- run


def test_without_options_the_answer_is_for_a_person(here: Here, scenario: Path) -> None:
    """The question, the verdict and the figures on standard output; nothing on standard error; no file."""
    done = here("run", scenario)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Is one replica enough?\n")
    assert "The objective is met." in done.stdout
    assert "queue_deadline" in done.stdout
    assert "\x1b" not in done.stdout, "a pipe has no colours"
    assert [path.name for path in scenario.parent.iterdir()] == ["one.yaml"]


def test_json_on_standard_output_carries_nothing_else(here: Here, scenario: Path) -> None:
    """The result (design §7.4) and only that; the same again but for the time that it took."""
    result = here.answer(scenario)
    assert {"scenario", "seed", "engine", "version", "requests", "status", "latency_ms", "timeline"} <= set(result)
    assert (result["scenario"], result["seed"]) == ("one", 3)
    assert result == here.answer(scenario)


def test_json_in_a_file_is_the_same(here: Here, scenario: Path) -> None:
    """The file has what standard output would have had, and a person is answered beside it."""
    target = scenario.parent / "r.json"
    done = here("run", scenario, "--json", target)
    assert "Is one replica enough?" in done.stdout
    assert {**json.loads(target.read_text(encoding="utf-8")), "wall_seconds": 0} == here.answer(scenario)


def test_a_device_is_written_to_not_replaced(here: Here, scenario: Path) -> None:
    """`--json /dev/null` leaves the device what it is."""
    assert here("run", scenario, "--json", "/dev/null").returncode == 0
    assert Path("/dev/null").is_char_device()


def test_the_seed_is_another(here: Here, scenario: Path) -> None:
    """`--seed` changes the traffic, and is the file's if it is the same."""
    assert here.answer(scenario, "--seed", 4)["seed"] == 4
    assert here.answer(scenario, "--seed", 4)["requests"] != here.answer(scenario)["requests"]
    assert here.answer(scenario, "--seed", 3) == here.answer(scenario)


def test_replications_give_intervals(here: Here, scenario: Path) -> None:
    """`--replications` runs it several times, with other chance each time."""
    result = here.answer(scenario, "--replications", 4)
    assert result["replications"] == 4
    low, high = result["intervals"]["requests"]
    assert low < result["requests"] < high
    assert here.answer(scenario)["intervals"] == {}


def test_engines_give_the_same(here: Here, scenario: Path) -> None:
    """`--engine`: whichever runs, the result is the same but for its name; one that is not there is refused by name."""
    reference, auto = here.answer(scenario, "--engine", "reference"), here.answer(scenario, "--engine", "auto")
    assert reference["engine"] == "reference"
    assert {**auto, "engine": "reference"} == reference
    assert here.answer(scenario) == auto
    refused = here("run", scenario, "--engine", "quick")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "akstwin: --engine: 'quick' is not one of auto, compiled, reference\n"


def test_settings_change(here: Here, scenario: Path) -> None:
    """`--set` as often as wanted, the last one counts; lists by number, new settings as well as old ones."""
    result = here.answer(
        scenario,
        *("--set", "webservice.deploy.num_replicas=2"),
        *("--set", "webservice.deploy.num_replicas=3"),
        *("--set", "traffic={shape: constant, rate: 1}"),
        *("--set", "assumptions.router_lag=5s"),
        *("--set", "question=And now?"),
    )
    assert result["replicas"]["max"] == 3
    assert result["requests"] == 59
    assert result["assumptions"] == {"router_lag": "5s"}
    assert result["question"] == "And now?"


def test_the_result_does_not_depend_on_processes(here: Here, scenario: Path) -> None:
    """`--jobs` changes how long it takes, nothing else."""
    assert here.answer(scenario, "--replications", 3, "--jobs", 1) == here.answer(
        scenario, "--replications", 3, "--jobs", 3
    )


def test_a_report_is_a_page(here: Here, scenario: Path) -> None:
    """`--report` writes HTML with the question in it, and says where."""
    target = scenario.parent / "r.html"
    done = here("run", scenario, "--report", target)
    assert done.returncode == 0
    page = target.read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html")
    assert "Is one replica enough?" in page
    assert done.stdout.endswith(f"report: {target}\n")


def test_a_trace_has_every_request(here: Here, scenario: Path) -> None:
    """`--trace` writes one row an attempt, in all replications, and events beside them."""
    target = scenario.parent / "r.parquet"
    done = here("run", scenario, "--trace", target, "--replications", 2, "--json", "-")
    result = json.loads(done.stdout)
    rows = pq.read_table(target).to_pylist()
    counted = [row for row in rows if row["kind"] == "request" and row["counted"]]
    assert len(counted) == 2 * result["requests"]
    assert {row["replication"] for row in counted} == {1, 2}
    refused = [row for row in counted if row["status"] == 503]
    assert len(refused) == 2 * result["status"]["503"]
    assert {row["reason"] for row in refused} == {"queue_deadline"}
    first = sorted((row["arrived_us"], row["status"]) for row in counted if row["replication"] == 1)
    alone = here.answer(scenario)
    assert len(first) == alone["requests"]


@pytest.mark.parametrize(("change", "gate", "status"), [
    (OUT_OF_REACH, True, 1), (OUT_OF_REACH, False, 0), ("seed=3", True, 0), ("objectives={}", False, 0),
])  # fmt: skip
def test_the_gate_closes_where_an_objective_is_not_met(
    here: Here, scenario: Path, change: str, gate: bool, status: int
) -> None:
    """Exit status 1 with `--gate` and an objective missed; the result is written all the same."""
    target = scenario.parent / "r.json"
    done = here("run", scenario, "--set", change, "--json", target, *(["--gate"] if gate else []))
    assert done.returncode == status
    assert target.exists()
    assert done.stderr == ""


def test_unproven_does_not_pass_the_gate(here: Here, scenario: Path) -> None:
    """An objective that is met while nodes are short of CPU is not proven (design §7.4)."""
    scarce = ("--set", "webservice.model.cpu=4", "--set", "webservice.deploy.num_replicas=3")
    done = here("run", scenario, *scarce, "--gate")
    assert done.returncode == 1
    assert "unproven" in done.stdout


def test_bad_input_is_one_line(scenario: Path) -> None:
    """Exit status 2, one line on standard error, nothing on standard output."""
    done = akstwin("run", scenario, "--set", "duration=10 parsecs", "--json", "-")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"akstwin: {scenario}: duration: '10 parsecs' is not a duration")
    assert done.stderr.count("\n") == 1


def _to_its_end(terminal: int) -> bytes:
    said = b""
    try:
        while block := os.read(terminal, 65536):
            said += block
    except OSError:  # Linux's way to say that the other end is closed
        pass
    os.close(terminal)
    return said


def _on_a_terminal(*arguments: object) -> tuple[str, str]:
    """What a command says on standard output, a pipe, and on standard error, a terminal."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "NO_COLOR": ""}
    with subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdout=subprocess.PIPE, stderr=theirs, text=True, env=environment
    ) as process:
        os.close(theirs)
        said = _to_its_end(ours)
        assert process.stdout is not None
        return process.stdout.read(), said.decode()


def test_progress_is_shown_on_a_terminal_only(here: Here, scenario: Path) -> None:
    """A bar on standard error where that is a terminal; standard output stays clean for it."""
    out, err = _on_a_terminal("run", scenario, "--set", "duration=300s", "--json", "-")
    assert "one" in err
    assert "%" in err
    assert json.loads(out)["duration_seconds"] == 300
    assert here("run", scenario, "--json", "-").stderr == ""


def test_a_plan_tells_what_it_tries_on_a_terminal_only(here: Here, scenario: Path) -> None:
    """A line a value; elsewhere nothing but a line every ten seconds."""
    over = ("--over", "webservice.deploy.num_replicas=1..4", "--set", "objectives.success_rate=0.99")
    out, err = _on_a_terminal("plan", scenario, *over, "--json", "-")
    for each in json.loads(out)["tried"]:
        assert f"tried {each['value']}: " in err
    assert all(line.startswith("plan: ") for line in here("plan", scenario, *over).stderr.splitlines())


# -- the command itself


def _modules(*arguments: str) -> set[str]:
    """What a command has imported by its end."""
    code = (
        "import sys\n"
        "from akstwin.cli import main\n"
        "try:\n    main()\n"
        "finally:\n    print('\\n'.join(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def test_help_is_quick() -> None:
    """`akstwin --help` imports no world and nothing heavy."""
    heavy = {"simpy", "numpy", "scipy", "pydantic", "pyarrow", "plotly", "rich", "ruamel.yaml", "typer",
             "akstwin.sim", "akstwin.scenarios", "akstwin.domain.deployment"}  # fmt: skip
    assert not heavy & _modules("--help")


def test_a_commands_help_imports_no_simulator() -> None:
    """`akstwin run --help` reads the command, and neither simulator nor numerics."""
    assert not {"simpy", "numpy", "scipy", "pyarrow", "plotly"} & _modules("run", "--help")


def test_a_plain_run_imports_no_scipy(scenario: Path) -> None:
    """Nor what only reports, traces and further replications need: it takes longer to import than a short run does."""
    heavy = {
        "scipy",
        "joserfc",
        "cryptography",
        "pyarrow",
        "plotly",
        "multiprocessing.pool",
        "concurrent.futures.process",
    }
    assert not heavy & _modules("run", str(scenario), "--replications", "1", "--json", os.devnull)


def test_summaries_are_the_commands_own() -> None:
    """What `--help` says without importing is what the commands say of themselves."""
    ours = {point.name: point for point in entry_points(group="akstwin.commands") if point.name in cli.SUMMARIES}
    assert set(ours) == set(cli.SUMMARIES)
    for name, point in ours.items():
        assert (point.load().__doc__ or "").splitlines()[0] == cli.SUMMARIES[name]


def test_help_lists_every_command() -> None:
    """Each with its summary."""
    done = akstwin("--help")
    assert (done.returncode, done.stderr) == (0, "")
    said = " ".join(done.stdout.split())
    assert all(f"{name} {summary}" in said for name, summary in cli.SUMMARIES.items())


@pytest.mark.parametrize(
    ("written", "hint"),
    [("rum", "did you mean run?"), ("scheme", "did you mean schema?"), ("xyz", "there are run, plan")],
)
def test_an_unknown_command_is_answered_with_the_nearest(written: str, hint: str) -> None:
    """Exit status 2 and one line."""
    done = akstwin(written)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"akstwin: no such command: {written}; {hint}")
    assert done.stderr.count("\n") == 1


def test_the_version_is_told() -> None:
    """`--version`, and in every result."""
    done = akstwin("--version")
    assert done.returncode == 0
    assert "0.1.0" in done.stdout


def test_the_installed_command_is_this_one(here: Here, scenario: Path) -> None:
    """The console script and `python -m akstwin` do the same."""
    script = Path(sys.executable).with_name("akstwin")
    for command in ([str(script)], [sys.executable, "-m", "akstwin"]):
        done = subprocess.run(
            [*command, "run", str(scenario), "--json", "-"], capture_output=True, text=True, check=False
        )
        assert {**json.loads(done.stdout), "wall_seconds": 0} == here.answer(scenario)


def test_an_interrupt_ends_quietly(scenario: Path) -> None:
    """No traceback reaches a person who presses Ctrl-C; the exit status is 130, and nothing is written."""
    ours, theirs = pty.openpty()
    arguments = ["run", str(scenario), "--set", "duration=30d", "--json", str(scenario.parent / "r.json")]
    heard = ("env", "--default-signal=INT")  # tests that run in the background have it ignored, and hand that down
    with subprocess.Popen([*heard, *COMMAND, *arguments], stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        said = os.read(ours, 65536)  # the bar: it has begun
        process.send_signal(signal.SIGINT)
        said += _to_its_end(ours)
    assert process.returncode == 130
    assert b"Traceback" not in said
    assert [path.name for path in scenario.parent.iterdir()] == ["one.yaml"]
