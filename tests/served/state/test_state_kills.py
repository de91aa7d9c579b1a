"""Killed at any moment while it writes, two hundred times: what was acknowledged is there, and nothing is half done."""

import copy
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from akstwin.clock import Micros
from akstwin.sim.backend import EPOCH, Kept, SimulatedBackend
from akstwin.sim.streams import generator
from akstwin.store import MemoryStore
from akstwin.store.state import StateFile

CHAINS = 18
KILLS = 10


class Twin:
    """The same workspace in memory: what the file must hold after any number of commands."""

    def __init__(self, story: Any, path: Path, folder: Path) -> None:
        self._story = story
        file = StateFile(path)
        key = story.IDENTITY.resource_id.lower()
        texts = copy.deepcopy(file._texts.get(key, {}))
        kept_files = next(file.folder.glob("kept-*/*/files"), None)
        file.close()
        self.found = story.records(texts)
        self.files = {} if kept_files is None else story.tree(kept_files)
        if kept_files is not None:
            shutil.copytree(kept_files, folder / "files")
        self._store = MemoryStore()
        self._store._texts = texts
        start = self._store.load("clock", "only") or 0
        kept = Kept(self._store, folder, Micros(start), 0)
        self._backend = SimulatedBackend(seed=0, identity=story.IDENTITY, epoch=EPOCH, kept=kept)
        self._backend.restore()
        self._note()

    def play(self, seed: int, index: int) -> None:
        """Give the command of that index."""
        self._story.perform(self._backend, *self._story.drawn(seed, index))
        self._note()

    def _note(self) -> None:
        self._store.save("clock", "only", self._backend.clock.now())

    def kept(self) -> tuple[dict[str, Any], dict[str, str]]:
        """Its records and its files."""
        return self._story.records(self._store._texts), self._story.tree(self._backend.files.folder)

    def close(self) -> None:
        """End it."""
        self._backend.close()


@pytest.mark.parametrize("seed", range(CHAINS))
def test_a_writer_is_killed(seed: int, zygote: Any, story: Any, tmp_path: Path) -> None:
    """Ten times, each time the next one goes on with the file."""
    path = tmp_path / "state.db"
    chance = generator(seed, 1, "kills")
    first = 0
    for kill in range(KILLS):
        twin = Twin(story, path, tmp_path / f"twin-{kill}")
        zygote.start("write", str(path), seed, first, 500)
        assert zygote.line() == "begun"
        heard = first - 1
        for _ in range(int(chance.integers(0, 12))):
            heard = int(zygote.line().removeprefix("done "))
        threading.Event().wait(chance.random() * 0.004)
        zygote.kill()
        said, status = zygote.rest()
        assert status == -9
        heard = int(said[-1].removeprefix("done ")) if said else heard
        for index in range(first, heard + 1):
            twin.play(seed, index)
        acknowledged, files = twin.kept()
        twin.play(seed, heard + 1)
        in_doubt, more_files = twin.kept()
        twin.close()

        after = Twin(story, path, tmp_path / f"after-{kill}")
        replay = f"seed {seed}, killed after command {heard}, {story.drawn(seed, heard + 1)} under way"
        acknowledged.setdefault("workspace/only", after.found["workspace/only"])
        in_doubt.setdefault("workspace/only", after.found["workspace/only"])
        assert after.found in (acknowledged, in_doubt), replay
        must = files if after.found == acknowledged else {**files, **more_files}
        assert must.items() <= after.files.items(), replay
        assert after.files.items() <= {**files, **more_files}.items(), replay
        after.close()
        first = heard + 2  # whether it was done or not
