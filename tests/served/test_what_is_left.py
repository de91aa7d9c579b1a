"""What containers held is given back with the last one that needs it: folders, processes, descriptors."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from akstwin import scratch

LIMIT = 60.0
"""Seconds for what takes a fraction of one."""


def until(holds: Callable[[], bool]) -> None:
    """Return when it does: threads end processes and remove files."""
    deadline = time.monotonic() + LIMIT  # noqa: TID251 - threads have no other clock
    while not holds():
        assert time.monotonic() < deadline, "not in time"  # noqa: TID251 - see above
        time.sleep(0.02)  # noqa: TID251 - see above


@pytest.fixture
def emptied(stocked: Any) -> Any:
    """The stocked workspace, when nothing is left in it of what other tests have deployed."""
    until(lambda: not folders(stocked))
    _others.clear()
    _others.update(_workers())
    return stocked


_others: set[int] = set()
"""Workers of workspaces that other tests of this process have left open."""


def folders(management: Any) -> list[str]:
    """Of the first workspace's containers."""
    place = management.server.first.workspace.backend.driver.containers
    return sorted(path.name for path in place.iterdir()) if place.is_dir() else []


def processes() -> list[int]:
    """Workers of this process that the test has begun, by their keepers."""
    return [each for each in _workers() if each not in _others]


def _workers() -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if int(status[1]) == os.getpid() and b"_akstwin_inside" in command:
                found.append(int(entry.name))
    return found


def ended(management: Any, answer: httpx.Response) -> str:
    """How an operation ended."""
    assert answer.status_code == 202, answer.text
    state: str = management.client.get(answer.headers["Operation-Location"]).json()["state"]
    return state


def test_a_deleted_service_leaves_nothing(emptied: Any) -> None:
    """However often."""
    for _ in range(2):
        emptied.deploy("gone", numReplicas=1)
        assert len(folders(emptied)) == 1
        assert processes()
        assert ended(emptied, emptied.mm("DELETE", "/services/gone")) == "Succeeded"
        until(lambda: not folders(emptied) and not processes())
    driver = emptied.server.first.workspace.backend.driver
    emptied.client.post("/_akstwin/clock", json={"advance": "5s"})
    assert "gone" not in driver.services
    assert "gone" not in driver.watches
    assert all("gone" not in world.services for world in driver.worlds.values())


def test_an_update_leaves_only_the_new_content(emptied: Any) -> None:
    """When the last old pod is gone; the service answers from what is new."""
    document = emptied.deploy("renewed", numReplicas=1)
    before = folders(emptied)
    for round_ in range(3):
        script = f"def init(): pass\ndef run(data): return {round_}\n"
        emptied.upload(f"script-{round_}", "score.py", script.encode())
        request = emptied.service("renewed")["environmentImageRequest"]
        request["assets"][0]["url"] = f"aml://artifact/LocalUpload/script-{round_}/score.py"
        patch = [{"op": "replace", "path": "/environmentImageRequest", "value": request}]
        assert ended(emptied, emptied.mm("PATCH", "/services/renewed", json=patch)) == "Succeeded"
        emptied.client.post("/_akstwin/clock", json={"advance": "60s"})
        until(lambda: len(folders(emptied)) == len(before))
        key = emptied.mm("POST", "/services/renewed/listkeys").json()["primaryKey"]
        answer = httpx.post(document["scoringUri"], json=1, headers={"Authorization": f"Bearer {key}"}, timeout=LIMIT)
        assert (answer.status_code, answer.text) == (200, str(round_))
    assert folders(emptied) != before
    assert ended(emptied, emptied.mm("DELETE", "/services/renewed")) == "Succeeded"


def test_a_version_that_is_removed_leaves_nothing(emptied: Any) -> None:
    """The other one stays."""
    payload = emptied.service("pair")
    first = {key: payload.pop(key) for key in ("environmentImageRequest",)}
    first |= {"name": "blue", "numReplicas": 1, "isDefault": True, "trafficPercentile": 100}
    made = emptied.mm("POST", "/services", json=payload | {"computeType": "AKSENDPOINT", "versions": {"blue": first}})
    assert ended(emptied, made) == "Succeeded"
    green = first | {"name": "green", "isDefault": False, "trafficPercentile": 0}
    green["environmentImageRequest"] = {**first["environmentImageRequest"], "modelIds": []}
    patch = [{"op": "add", "path": "/versions/green", "value": green}]
    answer = emptied.mm("PATCH", "/services/pair", json=patch)
    assert ended(emptied, answer) == "Succeeded"
    assert len(folders(emptied)) == 2
    emptied.mm("PATCH", "/services/pair", json=[{"op": "remove", "path": "/versions/green"}])
    emptied.client.post("/_akstwin/clock", json={"advance": "60s"})
    until(lambda: len(folders(emptied)) == 1)
    assert ended(emptied, emptied.mm("DELETE", "/services/pair")) == "Succeeded"


def test_what_a_killed_server_left_goes_with_the_next_start(tmp_path: Path) -> None:
    """And an orderly end leaves nothing."""
    command = [sys.executable, "-m", "akstwin", "serve", "--port", "0", "--tls-port", "0"]

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command, cwd=tmp_path, env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        assert process.stdout.readline().startswith("listening on")
        return process

    killed = start()
    (left,) = tmp_path.iterdir()
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=LIMIT)
    assert left.is_dir()
    following = start()
    assert not left.exists()
    following.terminate()
    following.communicate(timeout=LIMIT)
    assert following.returncode == 0
    assert list(tmp_path.iterdir()) == []
    assert scratch.sweep(tmp_path) == []
