"""State files that somebody or something has damaged: each is named at start, or all that was acknowledged is there."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from akstwin.errors import AksError, InvalidSetting
from akstwin.fake_api.persistence import StatePersistence
from akstwin.sim.streams import generator
from akstwin.store.state import StateFile

RECORDS = 40


def filled(path: Path, records: int = RECORDS, rounds: int = 3) -> dict[str, str]:
    """A file with records, written in several transactions; returns them."""
    with closing(StateFile(path)) as file:
        store = file.store("mine")
        for number in range(records * rounds):
            store.save("thing", str(number % records), f"{number}" * 40)
            if number % 7 == 0:
                file.commit()
        store.delete("thing", "0")
        file.commit()
        return found(file)


def found(file: StateFile) -> dict[str, str]:
    """All records of a file."""
    store = file.store("mine")
    return {key: store.load("thing", key) for key in store.keys("thing")}


def outcome(path: Path) -> dict[str, str] | str:
    """What is in a file that can be opened and written to; else the refusal."""
    try:
        opened = StateFile(path)
    except InvalidSetting as error:
        told = str(error)
    else:
        with closing(opened) as file:
            file.store("mine").save("more", "x", 1)
            file.commit()
        with closing(StateFile(path)) as file:
            assert file.store("mine").load("more", "x") == 1
            return found(file)
    assert str(path) in told
    assert "\n" not in told
    return told


def copied(path: Path, target: Path) -> Path:
    """A copy of a state, of all that belongs to it."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    for each in path.parent.glob(f"{path.name}*"):
        (shutil.copytree if each.is_dir() else shutil.copy)(each, target / each.name)
    return target / path.name


def check(path: Path, whole: dict[str, str], damage: str) -> bool:
    """Whether damage was found; if it was not, it has harmed nothing."""
    told = outcome(path)
    if isinstance(told, str):
        return True
    assert told == whole, damage
    return False


def flipped(content: bytes, at: int, bit: int) -> bytes:
    """One bit is another one."""
    return content[:at] + bytes([content[at] ^ (1 << bit)]) + content[at + 1 :]


def small(path: Path) -> tuple[dict[str, str], bytes]:
    """A file of few pages, and what is in it."""
    whole = filled(path, 12, 2)
    return whole, path.read_bytes()


@pytest.mark.parametrize("part", range(4))
def test_a_bit_that_is_another_one(part: int, tmp_path: Path) -> None:
    """Anywhere in the file, the header and its pages alike."""
    path = tmp_path / "state.db"
    whole, content = small(path)
    chance = generator(part, 1, "flips")
    places = [*range(part, 110, 4), *sorted(chance.choice(len(content), 80, replace=False).tolist())]
    refused = 0
    for at in places:
        bit = int(chance.integers(0, 8))
        work = copied(path, tmp_path / "work")
        work.write_bytes(flipped(content, at, bit))
        refused += check(work, whole, f"bit {bit} of byte {at}")
    assert refused > 20


@pytest.mark.slow
@pytest.mark.parametrize("bit", [0, 7])
def test_any_bit_that_is_another_one(bit: int, tmp_path: Path) -> None:
    """All over the file."""
    path = tmp_path / "state.db"
    whole, content = small(path)
    work = copied(path, tmp_path / "work")
    sequence = (tmp_path / "state.db.files" / "sequence").read_bytes()
    for at in range(bit, len(content), 24):
        work.write_bytes(flipped(content, at, bit))
        (work.parent / "state.db.files" / "sequence").write_bytes(sequence)
        check(work, whole, f"bit {bit} of byte {at}")


def test_a_file_that_ends_too_early(tmp_path: Path) -> None:
    """At any length."""
    path = tmp_path / "state.db"
    whole, content = small(path)
    for length in sorted({*range(0, len(content), 509), 0, 1, 99, 100, 4095, 4096, 4097, len(content) - 1}):
        work = copied(path, tmp_path / "work")
        work.write_bytes(content[:length])
        assert check(work, whole, f"{length} bytes"), length
    work = copied(path, tmp_path / "work")
    work.write_bytes(content + b"\0" * 4096)
    check(work, whole, "more bytes")


def test_pages_that_have_changed_places(tmp_path: Path) -> None:
    """Or are those of an earlier time."""
    path = tmp_path / "state.db"
    filled(path, 60, 1)
    earlier = path.read_bytes()
    with closing(StateFile(path)) as file:
        for number in range(60):
            file.store("mine").save("thing", str(number), f"later {number}")
            file.commit()
        whole = found(file)
    content = path.read_bytes()
    pages = [content[at : at + 4096] for at in range(0, len(content), 4096)]
    assert len(pages) > 3
    for one in range(len(pages)):
        for other in range(one):
            swapped = list(pages)
            swapped[one], swapped[other] = swapped[other], swapped[one]
            work = copied(path, tmp_path / "work")
            work.write_bytes(b"".join(swapped))
            assert check(work, whole, f"pages {one} and {other}") or pages[one] == pages[other]
        old = list(pages)
        old[one] = earlier[one * 4096 : (one + 1) * 4096] or old[one]
        work = copied(path, tmp_path / "work")
        work.write_bytes(b"".join(old))
        check(work, whole, f"page {one} of an earlier time")


def test_an_older_copy_of_one_of_two(tmp_path: Path) -> None:
    """The file, or what is beside it: neither goes with the other."""
    path = tmp_path / "state.db"
    filled(path)
    older = copied(path, tmp_path / "older")
    with closing(StateFile(path)) as file:
        file.store("mine").save("thing", "1", "acknowledged")
        file.commit()
    work = copied(path, tmp_path / "work")
    shutil.copy(older, work)
    told = outcome(work)
    assert isinstance(told, str)
    assert "it is an older copy: state.db.files knows of" in told
    fresh = tmp_path / "fresh" / "state.db"
    fresh.parent.mkdir()
    filled(fresh)
    work = copied(path, tmp_path / "work")
    shutil.copy(fresh, work)
    told = outcome(work)
    assert isinstance(told, str)
    assert "belongs to another state" in told


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda path: path.unlink(), "state.db.files/sequence is missing"),
        (lambda path: path.write_bytes(b""), "state.db.files/sequence cannot be read: damaged"),
        (lambda path: path.write_bytes(path.read_bytes().replace(b"0", b"1", 1)), "cannot be read: damaged"),
        (lambda path: (path.unlink(), path.mkdir()), "cannot be read: Is a directory"),
    ],
)
def test_the_number_of_the_last_transaction_is_damaged(
    change: Callable[[Path], Any], expected: str, tmp_path: Path
) -> None:
    """Then nothing tells an older copy of the file any more."""
    path = tmp_path / "state.db"
    filled(path)
    change(tmp_path / "state.db.files" / "sequence")
    told = outcome(path)
    assert isinstance(told, str)
    assert expected in told


@pytest.mark.parametrize("empty", [False, True])
def test_a_file_that_is_gone_is_not_a_new_one(empty: bool, tmp_path: Path) -> None:
    """As long as something beside it belongs to it."""
    path = tmp_path / "state.db"
    filled(path)
    path.unlink()
    if empty:
        path.touch()
    told = outcome(path)
    assert isinstance(told, str)
    assert "state.db.files beside it belong to it: put the file back, or remove them, too, to begin anew" in told
    assert path.exists() is empty
    shutil.rmtree(tmp_path / "state.db.files")
    assert outcome(path) == {}


CRASH = """
import os, sqlite3, sys
from pathlib import Path
from akstwin.store.state import StateFile
file = StateFile(Path(sys.argv[1]))
store = file.store("mine")
for number in range(1, 40):
    store.save("thing", str(number), "never acknowledged" * 90)
records = file.take().records
connection = file._connection
connection.execute("PRAGMA cache_size = 2")
connection.execute("PRAGMA cache_spill = 2")
connection.execute("BEGIN IMMEDIATE")
for name, text in records.items():
    connection.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?)", (*name, text, b"x"))
os.kill(os.getpid(), 9)
"""
"""Is killed in a transaction that has been written to the file in part: its journal undoes it."""


@pytest.fixture
def crashed(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A state whose owner was killed in the middle of a transaction."""
    path = tmp_path / "state.db"
    whole = filled(path)
    before = path.read_bytes()
    ended = subprocess.run([sys.executable, "-c", CRASH, str(path)], check=False, timeout=120)
    assert ended.returncode == -signal.SIGKILL
    assert path.read_bytes() != before
    assert any((tmp_path / "state.db-journal").read_bytes()[:28])
    return path, whole


def test_a_transaction_that_was_under_way_is_undone(crashed: Any) -> None:
    """All that was acknowledged is there, and nothing else."""
    path, whole = crashed
    assert outcome(path) == whole


def test_a_journal_that_is_missing_or_damaged(crashed: Any, tmp_path: Path) -> None:
    """What it would have undone is found in the file, and neither of them is changed by looking."""
    path, whole = crashed
    journal = path.with_name("state.db-journal").read_bytes()
    chance = generator(1, 1, "journal")
    damages: list[bytes | None] = [None, b"", journal[:600], journal[: len(journal) // 2]]
    damages += [flipped(journal, int(chance.integers(0, len(journal))), 3) for _ in range(40)]
    damages += [flipped(journal, at, 0) for at in range(28)]
    refused = 0
    for number, damage in enumerate(damages):
        work = copied(path, tmp_path / "work")
        beside = work.with_name("state.db-journal")
        if damage is None:
            beside.unlink()
        else:
            beside.write_bytes(damage)
        before = (work.read_bytes(), damage)
        if check(work, whole, f"journal, damage {number}"):
            refused += 1
            assert (work.read_bytes(), beside.read_bytes() if beside.exists() else None) == before
    assert refused >= 4


def test_a_journal_of_an_earlier_time(crashed: Any, tmp_path: Path) -> None:
    """It would put back old pages: the file stays as it is, for whoever takes the journal away."""
    path, _ = crashed
    old = path.with_name("state.db-journal").read_bytes()
    with closing(StateFile(path)) as file:
        for number in range(1, 30):
            file.store("mine").save("thing", str(number), f"acknowledged {number}")
        file.commit()
        whole = found(file)
    before = path.read_bytes()
    path.with_name("state.db-journal").write_bytes(old)
    told = outcome(path)
    assert isinstance(told, str)
    assert path.read_bytes() == before
    path.with_name("state.db-journal").unlink()
    assert outcome(path) == whole


def test_files_that_are_no_state_files(tmp_path: Path) -> None:
    """Folders, devices, pipes, loops of links, another program's: none of them is waited for."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "text").write_text("x" * 5000)
    with closing(sqlite3.connect(tmp_path / "other")) as other:
        other.execute("CREATE TABLE mine (x)")
    for path in (
        tmp_path, tmp_path / "pipe", tmp_path / "loop", tmp_path / "text", tmp_path / "other", tmp_path / "text" / "below",
        Path("/dev/null"), Path("/dev/full"), tmp_path / ("n" * 300), tmp_path / "no" / "folder",
    ):  # fmt: skip
        before = sorted(each.name for each in tmp_path.iterdir())
        with pytest.raises(InvalidSetting, match=r"^--state: '"):
            StateFile(path)
        assert sorted(each.name for each in tmp_path.iterdir()) == before


def kept(path: Path) -> tuple[StatePersistence, Any]:
    """A state with uploads, and the store of its files."""
    from akstwin.backend import WorkspaceIdentity  # noqa: PLC0415
    from akstwin.files import FileStore  # noqa: PLC0415

    persistence = StatePersistence(path, None, {}, None)
    workspace = persistence.workspace(WorkspaceIdentity(), None, None, 0.0)
    files = FileStore(workspace.begin("manual").folder / "files")
    files.watch()
    workspace.follow(lambda: 0, files.unforced, files)  # type: ignore[arg-type, return-value]
    return persistence, files


def upload(files: Any, name: str, content: bytes) -> Path:
    """Keep a file."""
    written = files.partial()
    written.write_bytes(content)
    files.keep(f"LocalUpload/c/{name}", written)
    return Path(files.locate(f"LocalUpload/c/{name}"))


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda path: path.unlink(), "files/c/one is missing"),
        (lambda path: path.write_bytes(b""), "files/c/one is not as it was uploaded"),
        (lambda path: path.write_bytes(b"firsT"), "files/c/one is not as it was uploaded"),
        (lambda path: (path.unlink(), path.mkdir()), "files/c/one is missing"),
        (lambda path: shutil.rmtree(path.parent), r"files/c/one is missing \(and 1 more\)"),
    ],
)
def test_an_upload_that_is_missing_or_changed_is_named(
    damage: Callable[[Path], Any], expected: str, tmp_path: Path
) -> None:
    """At start, not when somebody deploys it."""
    import asyncio  # noqa: PLC0415

    path = tmp_path / "state.db"
    persistence, files = kept(path)
    one = upload(files, "one", b"first")
    upload(files, "two", b"second")
    asyncio.run(persistence.close())
    persistence, _ = kept(path)
    persistence.abandon()
    damage(one)
    with pytest.raises(InvalidSetting, match=expected):
        StatePersistence(path, None, {}, None)


def test_an_upload_in_place_of_another_one(tmp_path: Path) -> None:
    """Killed before it is recorded: the old one is there; afterwards: the new one. It cannot be recorded: the old one."""
    import asyncio  # noqa: PLC0415

    path = tmp_path / "state.db"
    persistence, files = kept(path)
    one = upload(files, "one", b"first")
    asyncio.run(persistence.settle(noted=True))
    upload(files, "one", b"second")
    assert one.read_bytes() == b"second"
    persistence.abandon()

    persistence, files = kept(path)
    assert one.read_bytes() == b"first"
    upload(files, "one", b"third")
    upload(files, "one", b"fourth")
    upload(files, "deep/er", b"new")
    write = persistence.file.write
    persistence.file.write = lambda batch: (_ for _ in ()).throw(AksError("full"))  # type: ignore[method-assign]
    with pytest.raises(AksError, match="full"):
        asyncio.run(persistence.settle(noted=True))
    assert one.read_bytes() == b"first"
    assert not (one.parent / "deep").exists()
    persistence.file.write = write  # type: ignore[method-assign]
    upload(files, "one", b"fifth")
    asyncio.run(persistence.settle(noted=True))
    persistence.abandon()
    persistence, _ = kept(path)
    assert one.read_bytes() == b"fifth"
    persistence.abandon()
