"""What `--state` refuses, in one line, with the file untouched; and what happens when the file cannot be written."""

import asyncio
import shutil
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from akstwin.backend import WorkspaceIdentity
from akstwin.errors import AksError, InvalidSetting
from akstwin.fake_api.server import FakeServer, Settings
from akstwin.store.state import APPLICATION, StateFile

WS = WorkspaceIdentity().resource_id


def serve(scene: Callable[[FakeServer], Any], **given: Any) -> Any:
    """Play a scene on a server, and end it in order."""

    async def whole() -> Any:
        server = FakeServer(Settings(port=0, tls_port=0, **{"clock": "manual", **given}))
        await server.start()
        await server.ready()
        try:
            return await scene(server)
        finally:
            await server.close()

    return asyncio.run(whole())


async def nothing(server: FakeServer) -> None:
    """It is there, that is all."""


def database(path: Path, *statements: str) -> None:
    """A database of somebody's."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def dump(path: Path) -> list[str]:
    """All that is in a database."""
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (lambda path: path.write_text("notes to myself, and more of them than a header is long\n" * 9), "a state file"),
        (
            lambda path: database(path, "CREATE TABLE mine (x)", "PRAGMA journal_mode = WAL"),
            "another program's database",
        ),
        (
            lambda path: database(path, f"PRAGMA application_id = {APPLICATION}", "PRAGMA user_version = 4"),
            "its tables have version 4, and 3 is known here",
        ),
        (lambda path: path.mkdir(), "a file, or the name of one to come"),
    ],
)
def test_a_file_that_is_not_ours_is_left_alone(made: Callable[[Path], Any], expected: str, tmp_path: Path) -> None:
    """Named, with what was expected."""
    path = tmp_path / "state.db"
    made(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(InvalidSetting, match=expected) as refused:
        serve(nothing, state=path)
    assert str(refused.value).startswith(f"--state: '{path}' is not ")
    assert (path.read_bytes() if path.is_file() else None) == before
    assert [each.name for each in tmp_path.iterdir()] == ["state.db"]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("DROP TABLE record", "a state file that is whole: no such table: record"),
        ("UPDATE record SET value = '{not' WHERE kind = 'server'", "record server only of the server is not as it was"),
        (
            "UPDATE record SET value = '{}' WHERE kind = 'workspace'",
            "record workspace only of /subscriptions.* as it was",
        ),
        (
            "UPDATE record SET digest = zeroblob(32) WHERE kind = 'clock'",
            "record clock only of .* is not as it was written",
        ),
        ("DELETE FROM record WHERE kind = 'clock'", "records are missing, or are older than the last transaction"),
        ("UPDATE whole SET number = number + 1", "the row that stands for the whole is not as it was written"),
        ("DELETE FROM whole", "the row that stands for the whole is not as it was written"),
        ("CREATE TABLE more (x)", "its tables are not those of version 3"),
        ("PRAGMA user_version = 2", "its tables are not those of version 2"),
    ],
)
def test_a_file_that_is_damaged_is_named_and_left_alone(statement: str, expected: str, tmp_path: Path) -> None:
    """Its records may be mended by hand, or come back from a copy."""
    path = tmp_path / "state.db"
    serve(nothing, state=path)
    database(path, statement, "PRAGMA journal_mode = DELETE")
    before = dump(path)
    with pytest.raises(InvalidSetting, match=expected) as refused:
        serve(nothing, state=path)
    assert str(refused.value).startswith(f"--state: '{path}' is not ")
    assert dump(path) == before
    with pytest.raises(InvalidSetting, match=expected):  # not that it is locked: the first one has let it go
        serve(nothing, state=path)


def test_pages_that_are_damaged_are_found(tmp_path: Path) -> None:
    """The header alone does not make a state file."""
    path = tmp_path / "state.db"
    serve(nothing, state=path)
    database(path, "PRAGMA journal_mode = DELETE")
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xa5" * (len(whole) - 4096))
    with pytest.raises(InvalidSetting, match="a state file that is whole"):
        serve(nothing, state=path)


@pytest.mark.parametrize(
    ("workspace", "kind", "text", "expected"),
    [
        ("", "server", "{not", "Expecting property name"),
        ("", "server", "{}", ".* ServerRecord"),
        (WS.lower(), "workspace", "{}", ".* WorkspaceRecord"),
    ],
)
def test_records_that_mean_nothing_are_named(
    workspace: str, kind: str, text: str, expected: str, tmp_path: Path
) -> None:
    """The file is whole: an akstwin has written them that knew something else."""
    path = tmp_path / "state.db"
    serve(nothing, state=path)
    with closing(StateFile(path)) as file:
        file.put((workspace, kind, "only"), text)
        file.commit()
    before = dump(path)
    with pytest.raises(InvalidSetting, match=f"records mean something: {expected}"):
        serve(nothing, state=path)
    assert dump(path) == before


def test_a_file_without_its_folder_is_refused(tmp_path: Path) -> None:
    """It has been copied alone: what was uploaded would be missing without a word."""
    path = tmp_path / "state.db"
    serve(nothing, state=path)
    shutil.rmtree(tmp_path / "state.db.files")
    with pytest.raises(InvalidSetting, match=r"a file with its folder state\.db\.files beside it"):
        serve(nothing, state=path)
    assert not (tmp_path / "state.db.files").exists()


def trusted(path: Path, **given: Any) -> tuple[str, str]:
    """The authority's certificate and the server's, of a server that has ended."""
    serve(nothing, state=path, **given)
    folder = path.with_name(f"{path.name}.files") / "tls"
    return (folder / "ca.pem").read_text(), (folder / "server.pem").read_text()


def test_another_name_does_not_change_who_is_trusted(tmp_path: Path) -> None:
    """The same authority signs for the new name, and its key is nobody else's to read."""
    path = tmp_path / "state.db"
    authority, certificate = trusted(path)
    assert trusted(path) == (authority, certificate)
    assert trusted(path, names=("twin.example",))[0] == authority
    assert trusted(path, names=("twin.example",))[1] != certificate
    folder = tmp_path / "state.db.files" / "tls"
    assert {each.name: each.stat().st_mode & 0o077 for each in folder.glob("*.key")} == {"ca.key": 0, "server.key": 0}

    async def called(server: FakeServer) -> int:
        context = ssl.create_default_context(cafile=str(server.authority))
        async with httpx.AsyncClient(verify=context) as client:
            url = server.first.https.replace("127.0.0.1", "localhost")
            return (await client.get(url)).status_code

    assert serve(called, state=path, names=("twin.example",)) == 200


@pytest.mark.parametrize("lost", ["ca.pem", "server.pem", "server.key", "names.txt"])
def test_a_server_that_was_killed_while_it_made_them_makes_them_again(lost: str, tmp_path: Path) -> None:
    """Any of its certificates may be missing then."""
    path = tmp_path / "state.db"
    authority, _ = trusted(path)
    (tmp_path / "state.db.files" / "tls" / lost).unlink()
    assert (trusted(path)[0] == authority) is (lost != "ca.pem")


@pytest.mark.parametrize("name", ["ca.pem", "server.pem", "server.key"])
def test_certificates_that_are_damaged_are_named(name: str, tmp_path: Path) -> None:
    """They are not replaced unasked: clients trust them."""
    path = tmp_path / "state.db"
    trusted(path)
    broken = tmp_path / "state.db.files" / "tls" / name
    broken.write_text("")
    with pytest.raises(AksError, match=r"tls: what is kept there for https is damaged .* it is made anew"):
        serve(nothing, state=path)
    assert broken.read_text() == ""
    shutil.rmtree(broken.parent)
    serve(nothing, state=path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """Named too."""
    with pytest.raises(InvalidSetting, match="a file that can be made: No such file or directory"):
        serve(nothing, state=tmp_path / "nowhere" / "state.db")


def test_a_folder_that_cannot_be_made_beside_it(tmp_path: Path) -> None:
    """A file is in its place."""
    (tmp_path / "state.db.files").write_text("mine")
    with pytest.raises(InvalidSetting, match=r"with a folder state\.db\.files beside it"):
        serve(nothing, state=tmp_path / "state.db")
    assert (tmp_path / "state.db.files").read_text() == "mine"


def test_an_empty_file_is_a_new_one(tmp_path: Path) -> None:
    """As `mktemp` makes it."""
    (tmp_path / "state.db").touch()
    serve(nothing, state=tmp_path / "state.db")
    StateFile(tmp_path / "state.db").close()


def test_the_command_says_who_has_it(tmp_path: Path) -> None:
    """One line, exit status 2; whoever has it goes on."""

    async def scene(server: FakeServer) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "akstwin", "serve", "--port", "0", "--tls-port", "0", "--state", "state.db"]
        return await asyncio.to_thread(
            subprocess.run, command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )

    ended = serve(scene, state=tmp_path / "state.db")
    line = f"akstwin: --state: '{tmp_path.resolve() / 'state.db'}' is not free: a running server has it\n"
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", line)
    serve(nothing, state=tmp_path / "state.db")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"seed": 8}, "--seed: 8 is not 7, with which "),
        ({"assumptions": {"image_pull": "6s"}}, "--assume image_pull: '6s' is not '5s', with which "),
        ({"assumptions": {"router_lag": "9s"}}, "--assume router_lag: '9s' is not the default, with which "),
        ({"scenario": "s.yaml"}, "--scenario: 's.yaml' is not possible beside --state"),
    ],
)
def test_what_contradicts_the_file_is_refused(given: dict[str, Any], expected: str, tmp_path: Path) -> None:
    """By the option's name; nothing is changed, the file is free again."""
    path = tmp_path / "state.db"
    made: dict[str, Any] = {"seed": 7, "assumptions": {"image_pull": "5s"}}
    serve(nothing, state=path, **made)
    before = path.read_bytes()
    with pytest.raises(InvalidSetting) as refused:
        serve(nothing, state=path, **given)
    assert str(refused.value).startswith(expected)
    assert path.read_bytes() == before
    serve(nothing, state=path, **made)


def test_the_command_takes_assumptions_of_each_type(tmp_path: Path) -> None:
    """Written as in a scenario; what was given the first time need not be given again."""
    path = tmp_path / "state.db"
    given = {"max_queue_length": 2, "sidecar_cpu": 0.3, "autoscale_counts_queue": False, "router_lag": "2s"}
    written = ("max_queue_length=2", "sidecar_cpu=0.3", "autoscale_counts_queue=false", "router_lag=2s")
    command = [sys.executable, "-m", "akstwin", "serve", "--port", "0", "--tls-port", "0", "--state", str(path)]
    for words in ([word for each in written for word in ("--assume", each)], []):
        with subprocess.Popen([*command, *words], stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            assert server.stdout.readline().startswith("listening")
            server.terminate()
    made = StateFile(path)
    assert made.store("").load("server", "only")["assumptions"] == given
    made.close()
    for wrong, expected in (
        ("max_queue_length=two", "is not a whole number"),
        ("router_lag={", "--assume router_lag: "),
    ):
        done = subprocess.run([*command, "--assume", wrong], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert expected in done.stderr


def test_what_is_not_asked_for_is_the_files(tmp_path: Path) -> None:
    """Seed, assumptions and workspace, also for a workspace that is opened later."""
    path, mine = tmp_path / "state.db", WorkspaceIdentity("mine")

    async def scene(server: FakeServer) -> list[Any]:
        places = (server.first, server.open(WorkspaceIdentity("later")))
        backends = [place.workspace.backend for place in places]
        return [(each.identity.name, each.seed, each.assumptions.image_pull) for each in backends]

    serve(nothing, state=path, seed=7, assumptions={"image_pull": "5s"}, identity=mine)
    assert serve(scene, state=path) == [("mine", 7, 5_000_000), ("later", 7, 5_000_000)]


def test_without_it_nothing_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Serving is as it was: in memory."""
    monkeypatch.chdir(tmp_path)
    serve(nothing)
    assert list(tmp_path.iterdir()) == []
