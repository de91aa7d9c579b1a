"""The command `faults`: adding, listing, ending, on a server that runs."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from akstwin import cli
from akstwin.fake_api.control.faults import CAUSES
from akstwin.fake_api.control.forms import WIRE_KINDS
from akstwin.fake_api.faults_command import HELP, _kinds

Town = Any
Serve = Callable[..., None]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `akstwin faults …`: the exit status, standard output, standard error."""

    def ran(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["akstwin", "faults", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, told.out, told.err

    return ran


def test_a_life(serve: Serve, run: Run, tmp_path: Path) -> None:
    """Added, seen to strike, listed, ended; also as JSON, to a file or to standard output."""

    async def scene(town: Town) -> None:
        town.deploy()

        async def faults(*words: str) -> tuple[int, str, str]:
            return await asyncio.to_thread(run, *words, "--server", town.server.first.http)

        assert await faults("list") == (0, "no faults\n", "")
        code, told, said = await faults("add", "drop_connection", "--service", "svc", "--count", "1", "--before")
        assert (code, said) == (0, "")
        assert told == "f1   drop_connection    active   struck 0 of 0  service=svc  count=1  before=True\n"
        with pytest.raises(httpx.RemoteProtocolError):
            await town.score()
        assert (await town.score()).status_code == 200
        code, told, _ = await faults("list", "--json", "-")
        (fault,) = json.loads(told)
        assert (code, fault["id"], fault["state"], fault["struck"], fault["count"]) == (0, "f1", "over", 1, 1)
        code, told, _ = await faults("add", "replica_kill", "--at", "30s", "--json", str(tmp_path / "made.json"))
        assert (code, told.split()[:3]) == (0, ["f2", "replica_kill", "planned"])
        assert json.loads((tmp_path / "made.json").read_text())["at"] == "30s"
        code, told, _ = await faults("remove", "f2")
        assert (code, told.split()[:3]) == (0, ["f2", "replica_kill", "ended"])
        await faults("add", "slow_replica", "--factor", "2.5", "--lasts", "90")
        await faults("add", "crash_on_request", "--request", "1")
        assert (await town.score()).status_code == 502
        code, told, said = await faults("remove", "--all")
        assert (code, [line.split()[0] for line in told.splitlines()]) == (0, ["f1", "f3"])
        assert said == "akstwin: cannot be ended: f4 crash_on_request\n"

    serve(scene, clock="jump")


WRONG = [
    (
        ("add", "replica_kil", "--service", "svc"),
        "fault.kind: 'replica_kil' is not one of",
        "did you mean replica_kill?",
    ),
    (("add", "drop_connection", "--share", "2"), "fault.share: 2 is not at most 1", ""),
    (("add", "drop_connection", "--count", "few"), "fault.count: 'few' is not a whole number", ""),
    (("add", "drop_connection", "--node", "1"), "fault.node: no such setting", ""),
    (("add", "node_loss"), "fault.node: is missing", ""),
    (("add", "replica_kill", "--service", "none"), "service none is not there", ""),
    (("add", "delay_answer", "--by", "later"), "fault.by: 'later' is not a duration", ""),
    (("add", "refuse_management", "--status", "404"), "fault.status: 404 is not 409", ""),
    (("add", "drop_connection", "--shrae", "1"), "No such option", "--share"),
    (("add",), "Missing argument 'KIND'", ""),
    (("remove", "f9"), "fault f9 is not there", ""),
    (("remove",), "ID: is missing; expected the name of a fault", "--all"),
    (("remove", "f1", "--all"), "ID: 'f1' is not the name of a fault", "--all"),
    (("list", "--json", "/nowhere/at/all"), "--json: '/nowhere/at/all' is not a file in a folder that exists", ""),
]


def test_mistakes(serve: Serve, run: Run) -> None:
    """Exit status 2 and one line: the setting, the value, what was expected; nothing is broken."""

    async def scene(town: Town) -> None:
        town.deploy()
        for words, begins, has in WRONG:
            code, told, said = await asyncio.to_thread(run, *words, "--server", town.server.first.http)
            assert (code, told) == (2, ""), words
            assert said.startswith(f"akstwin: {begins}"), said
            assert said.count("\n") == 1
            assert has in said
        assert await town.call("GET", "faults") == []

    serve(scene)


@pytest.mark.parametrize(
    ("server", "told"),
    [
        ("nowhere", "--server: 'nowhere' is not an address such as http://127.0.0.1:8899"),
        ("http://127.0.0.1:9", "GET http://127.0.0.1:9/_akstwin/faults: "),
    ],
)
def test_servers_that_are_not_there(run: Run, server: str, told: str) -> None:
    """Named, with exit status 2."""
    code, _, said = run("list", "--server", server)
    assert (code, said.startswith(f"akstwin: {told}"), said.count("\n")) == (2, True, 1)
    assert server == "nowhere" or said.endswith("; start a server there: akstwin serve --port 9\n")


def test_every_setting_of_every_kind_is_an_option(run: Run) -> None:
    """With a word of help; the forms are those of the server."""
    kinds = _kinds()
    assert set(kinds) == {*CAUSES, *WIRE_KINDS}
    assert set(HELP) == {name for settings in kinds.values() for name in settings}
    code, told, _ = run("add", "--help")
    assert code == 0
    assert all(f"--{name.replace('_', '-')}" in told for name in HELP)
    assert all(kind in told for kind in kinds)


def test_as_a_program() -> None:
    """Its help starts neither server nor simulator."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "akstwin", "faults", "--help"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert "remove" in done.stdout
    assert not [name for name in ("simpy", "fastapi", "numpy", "httpx") if f" {name}\n" in done.stderr]
