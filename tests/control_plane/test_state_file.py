"""The state file by itself: what is written is there, what is not is not, wholly."""

from contextlib import closing
from pathlib import Path

import pytest

from akstwin.errors import AksError, InvalidSetting
from akstwin.files import FileStore
from akstwin.store.state import Batch, StateFile


def test_what_was_committed_is_there_again(tmp_path: Path) -> None:
    """By workspace, kind and key; what was deleted is gone."""
    with_file = StateFile(tmp_path / "s")
    one, two = with_file.store("one"), with_file.store("two")
    one.save("kind", "a", {"x": [1]})
    one.save("kind", "b", 2)
    two.save("kind", "a", 3)
    with_file.commit()
    one.delete("kind", "b")
    with_file.commit()
    one.save("kind", "a", "never written")
    with_file.close()

    again = StateFile(tmp_path / "s")
    assert again.workspaces() == ["one", "two"]
    assert again.store("one").load("kind", "a") == {"x": [1]}
    assert again.store("one").keys("kind") == ["a"]
    assert again.store("two").load("kind", "a") == 3
    again.close()


def test_what_is_the_same_is_no_change(tmp_path: Path) -> None:
    """Nothing has to be written for it."""
    file = StateFile(tmp_path / "s")
    store = file.store("one")
    store.save("kind", "a", 1)
    file.commit()
    store.save("kind", "a", 1)
    store.delete("kind", "b")
    assert not file.changed
    file.close()


def test_a_batch_that_cannot_be_written_is_not_lost(tmp_path: Path) -> None:
    """Nor half written; what came later wins when it is."""
    file = StateFile(tmp_path / "s")
    store = file.store("one")
    broken = Batch({("one", "kind", "a"): "1", ("one", "kind", "b"): {}})  # type: ignore[dict-item]  # no text
    with pytest.raises(AksError, match="cannot be written"):
        file.write(broken)
    store.save("kind", "a", 2)
    file.put_back(Batch({("one", "kind", "a"): "1", ("one", "kind", "c"): "3"}))
    file.commit()
    file.close()
    with closing(StateFile(tmp_path / "s")) as opened:
        again = opened.store("one")
    assert [again.load("kind", key) for key in "abc"] == [2, None, 3]


def test_a_store_that_was_renewed_harms_nothing(tmp_path: Path) -> None:
    """Whoever still has it writes to memory."""
    file = StateFile(tmp_path / "s")
    old = file.store("one")
    old.save("kind", "a", 1)
    file.commit()
    new = old.renewed()
    old.save("kind", "b", 2)
    old.delete("kind", "a")
    new.save("kind", "c", 3)
    file.commit()
    file.close()
    with closing(StateFile(tmp_path / "s")) as opened:
        again = opened.store("one")
    assert again.keys("kind") == ["c"]


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    """Keys are in it."""
    StateFile(tmp_path / "s").close()
    assert (tmp_path / "s").stat().st_mode & 0o077 == 0


def test_what_a_power_cut_could_take_is_told_once(tmp_path: Path) -> None:
    """Files, and the folders that name them."""
    files = FileStore(tmp_path / "files")
    files.watch()
    written = files.partial()
    files.keep("LocalUpload/c/deep/a", written)
    told = [path.relative_to(files.folder).as_posix() for path in files.unforced()]
    assert told == ["c/deep/a", "c/deep", "c", "."]
    assert files.unforced() == []


def test_blocks_outlast_the_process(tmp_path: Path) -> None:
    """By file and id, until they are dropped; they are no files of a container."""
    files = FileStore(tmp_path / "files")
    for text in ("old", "new"):
        written = files.partial()
        written.write_text(text)
        files.keep_block("LocalUpload/c/a", "YQ==", written)
    again = FileStore(tmp_path / "files")
    found = again.block("LocalUpload/c/a", "YQ==")
    assert found is not None
    assert found.read_text() == "new"
    assert again.count_blocks("LocalUpload/c/a") == 1
    assert again.block("LocalUpload/c/b", "YQ==") is None
    assert not again.has("LocalUpload/c")
    again.drop_blocks("LocalUpload/c/a")
    assert again.block("LocalUpload/c/a", "YQ==") is None


@pytest.mark.parametrize("levels", [200, 5000])
def test_a_record_that_could_not_be_answered(tmp_path: Path, levels: int) -> None:
    """It is found when the file is opened, and named."""
    file = StateFile(tmp_path / "s")
    file.write(Batch({("one", "service", "fraud"): "[" * levels + "]" * levels}))
    file.close()
    with pytest.raises(InvalidSetting, match="service fraud is nested more than 100 levels deep"):
        StateFile(tmp_path / "s")
