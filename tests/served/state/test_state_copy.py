"""A copy of a state, made by the commands that the how-to prints, while the server is called all the time."""

import os
import re
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any, Self

import httpx
import pytest

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "serve-a-workspace.md"
COPIES = 4


def commands() -> str:
    """As they are printed."""
    section = PAGE.read_text("utf-8").partition("and how to copy it\n")[2]
    found = re.search(r"```console\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1]


class Load:
    """Clients that call all the time.

    Attributes:
        acknowledged: the environments and files that they were told of.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._stopped = threading.Event()
        self.acknowledged: list[str] = []
        self._threads = [threading.Thread(target=self._call, args=(number,)) for number in range(3)]

    def _call(self, number: int) -> None:
        made = 0
        while not self._stopped.is_set():
            made += 1
            name = f"e-{number}-{made}"
            try:
                if number:
                    put(self._client, name)
                else:
                    self._client.upload(name, "weights.bin", name.encode() * 500)
            except httpx.TransportError:
                return
            self.acknowledged.append(name)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()


def put(client: Any, name: str) -> None:
    """Make an environment."""
    path = f"/environment/v1.0{client.workspace}/environments/{name}"
    client.http.put(path, json={"name": name, "docker": {"baseImage": name}}).raise_for_status()


def check(client: Any, acknowledged: list[str]) -> None:
    """All of it is there."""
    for name in acknowledged:
        if name.startswith("e-0-"):
            assert client.download(name, "weights.bin") == name.encode() * 500
        else:
            path = f"/environment/v1.0{client.workspace}/environments/{name}"
            assert client.http.get(path).raise_for_status().json()["docker"]["baseImage"] == name


def test_copies_are_whole(served: Any, tmp_path: Path) -> None:
    """All that was acknowledged before is in each of them, and the server goes on."""
    client = served.start()
    copies: list[tuple[Path, list[str]]] = []
    with Load(client) as load:
        for number in range(COPIES):
            while len(load.acknowledged) < 8 * (number + 1):
                threading.Event().wait(0.01)
            before = list(load.acknowledged)
            given = {**os.environ, "SERVER": str(served.zygote.pid)}
            subprocess.run(["bash", "-euc", commands()], cwd=tmp_path, env=given, check=True, timeout=60)
            copies.append(((tmp_path / "backup").rename(tmp_path / f"backup-{number}"), before))
        put(client, "after")
    for folder, before in copies:
        served.kill()
        served.path = folder / "state.db"
        check(served.start(), before)


@pytest.mark.parametrize("kept", ["state.db*", "state.db state.db.files"])
def test_a_copy_after_a_kill(kept: str, served: Any, tmp_path: Path) -> None:
    """With the journal it is always whole; without it it is whole, or named."""
    client = served.start()
    with Load(client) as load:
        while len(load.acknowledged) < 10:
            threading.Event().wait(0.01)
        served.kill()
    subprocess.run(["bash", "-euc", f"mkdir backup; cp -a {kept} backup/"], cwd=tmp_path, check=True, timeout=60)
    hot = any((tmp_path / "state.db-journal").read_bytes()[:28])
    served.path = tmp_path / "backup" / "state.db"
    if hot and kept != "state.db*":
        shutil.copy(tmp_path / "state.db-journal", served.path.with_name("state.db-journal"))
    check(served.start(), load.acknowledged)
