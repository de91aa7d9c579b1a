"""Which engine runs: the compiled one where it can, the reference where it cannot, and it says why."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from akstwin.errors import InvalidSetting
from akstwin.scenarios import commands, engines
from akstwin.scenarios.engines import choose
from akstwin.scenarios.load import prepare
from akstwin.scenarios.plan import parse_over, plan
from akstwin.scenarios.run import run
from akstwin.speedups.native import load_kernel

needs = pytest.mark.skipif(load_kernel() is None, reason="the kernel is not there: akstwin compile")
DOCUMENT: dict[str, Any] = {
    "duration": "10s",
    "webservice": {"name": "fraud", "deploy": {"num_replicas": 2}},
    "traffic": [{"shape": "poisson", "rate": 5}],
}
SEVERAL: dict[str, Any] = {
    "duration": "10s",
    "services": [{"name": "first", "traffic": [{"shape": "poisson", "rate": 5}]}, {"name": "second", "traffic": []}],
}


@needs
def test_it_is_the_compiled_one_unless_something_is_against_it() -> None:
    """The result says which."""
    prepared = prepare(DOCUMENT, Path("scenario.yaml"))
    assert {asked: run(prepared, engine=asked)["engine"] for asked in engines.ASKED} == {
        "auto": "compiled", "compiled": "compiled", "reference": "reference",
    }  # fmt: skip


@needs
@pytest.mark.parametrize(
    ("document", "word"),
    [
        (SEVERAL, "several services"),
        ({**DOCUMENT, "assumptions": {"refused_connection": "next_replica"}}, "next_replica"),
    ],
)
def test_what_it_does_not_know_runs_on_the_reference(document: dict[str, Any], word: str) -> None:
    """With the reason; who insists is refused with it."""
    prepared = prepare(document, Path("scenario.yaml"))
    chosen = choose(prepared)
    assert chosen.name == run(prepared)["engine"] == "reference"
    assert word in chosen.why
    with pytest.raises(InvalidSetting, match=word):
        run(prepared, engine="compiled")


def test_without_the_extension_the_reference_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without a C compiler."""
    monkeypatch.setattr(engines, "load_kernel", lambda: None)
    prepared = prepare(DOCUMENT, Path("scenario.yaml"))
    assert run(prepared)["engine"] == "reference"
    assert "akstwin compile" in choose(prepared).why


def test_the_command_says_once_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """On standard error, so that a result on standard output stays one document."""
    monkeypatch.setattr(engines, "load_kernel", lambda: None)
    (tmp_path / "scenario.json").write_text(json.dumps(DOCUMENT))
    done = CliRunner().invoke(commands.run, [str(tmp_path / "scenario.json"), "--json", "-"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["engine"] == "reference"
    assert done.stderr.count("engine: reference: ") == 1


@pytest.mark.parametrize("command", ["run", "plan"])
def test_another_engine_is_refused(command: str, tmp_path: Path) -> None:
    """With those that there are."""
    (tmp_path / "scenario.json").write_text(json.dumps(DOCUMENT))
    over = ["--over", "webservice.deploy.num_replicas=1..2"] if command == "plan" else []
    done = CliRunner().invoke(getattr(commands, command), [str(tmp_path / "scenario.json"), "--engine", "quick", *over])
    assert isinstance(done.exception, InvalidSetting)
    assert "is not one of auto, compiled, reference" in str(done.exception)


@needs
def test_a_plan_is_the_same_on_both() -> None:
    """Values, intervals, all of it."""
    document = {**DOCUMENT, "objectives": {"success_rate": 0.9}}
    over = parse_over("webservice.deploy.num_replicas=1..3")
    found = [
        json.dumps(plan(document, Path("scenario.yaml"), over, jobs=1, engine=engine), sort_keys=True)
        for engine in ("reference", "compiled")
    ]
    assert found[0] == found[1]
