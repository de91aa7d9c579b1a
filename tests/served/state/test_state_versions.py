"""State files of earlier versions, as those left them: `data/make.py` says how they were made."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from akstwin.backend import WorkspaceIdentity
from akstwin.clock import Micros
from akstwin.errors import InvalidSetting
from akstwin.fake_api.persistence import StatePersistence
from akstwin.store.state import SCHEMA

DATA = Path(__file__).parent / "data"
CREATED, ROLLING = "8e64f381-bd01-5159-a7e5-485039ff9a5d", "dee5ca2d-34b4-5c6b-8273-c6f940d8cb86"
ROTATING, COMING = "c0dde5b9-d675-50bf-9d67-02bd610dd0df", "b9580c06-c7b0-5018-b28b-63b1dca02f35"


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A copy of what version 0.1.0 left: the file, and the folder beside it."""
    copied = tmp_path / "state.db"
    shutil.copy(DATA / "version-0.1.0.state", copied)
    shutil.copytree(DATA / "version-0.1.0.state.files", tmp_path / "state.db.files")
    return copied


def schema(path: Path) -> int:
    """The version of its tables."""
    with closing(sqlite3.connect(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def test_a_file_of_0_1_0_opens(served: Any, path: Path) -> None:
    """Services, keys, models with their files, and operations are there; what was under way ends when it was to."""
    served.path = path
    client = served.start(clock="manual")

    def state(operation: str) -> str:
        return str(client.json(f"/operations/{operation}")["state"])

    services = {service["name"]: service for service in client.json("/services")["value"]}
    assert {name: service["state"] for name, service in services.items()} == {
        "keyed": "Transitioning",
        "split": "Healthy",
        "tokens": "Healthy",
    }
    assert services["keyed"]["containerResourceRequirements"]["cpu"] == 0.2
    assert services["keyed"]["kvTags"] == {"team": "a"}
    assert {name: each["trafficPercentile"] for name, each in services["split"]["versions"].items()}["green"] == 10
    keys = client.mm("POST", "/services/keyed/listkeys").json()
    assert (keys["primaryKey"], keys["secondaryKey"]) == ("first", "rotated")
    assert [model["id"] for model in client.json("/models")["value"]] == ["fraud:2", "fraud:1"]
    asset = client.json(f"/assets/{client.json('/models/fraud:2')['url'].removeprefix('aml://asset/')}")
    container = asset["artifacts"][0]["prefix"].split("/")[1]
    assert client.download(container, "weights") == b"22"
    assert client.control("GET", "clock")["now"] == 1_105_000_000
    assert state(CREATED) == "Succeeded"
    assert [state(each) for each in (ROLLING, ROTATING, COMING)] == ["Running"] * 3

    client.control("POST", "clock", json={"advance": "1999ms"})
    assert state(ROTATING) == "Running"
    client.control("POST", "clock", json={"advance": "1ms"})
    assert state(ROTATING) == "Succeeded"
    client.control("POST", "clock", json={"advance": "597999ms"})
    assert (state(ROLLING), state(COMING)) == ("Succeeded", "Running")
    client.control("POST", "clock", json={"advance": "1ms"})
    assert state(COMING) == "Succeeded"
    assert client.model("fraud", b"333") == "fraud:3"
    client.upload("script", "score.py", b"def init():\n    pass\n\ndef run(text):\n    return text\n")
    assert client.create("new").rpartition("/")[2] not in (CREATED, ROLLING, ROTATING, COMING)
    fresh = client.mm("POST", "/services/new/listkeys").json()
    assert not {*fresh.values()} & {*keys.values(), *client.mm("POST", "/services/split/listkeys").json().values()}
    client = served.restart()
    assert len(client.json("/services")["value"]) == 4
    assert client.score("keyed", "first").status_code == 200


def test_a_file_of_0_1_0_gets_the_present_version_when_it_is_written_to(path: Path) -> None:
    """From then on an older akstwin, which would not know all its records, refuses it by name."""
    assert schema(path) == 1
    persistence = StatePersistence(path, None, {}, None)
    persistence.abandon()
    assert schema(path) == 1
    persistence = StatePersistence(path, None, {}, None)
    persistence.workspace(WorkspaceIdentity(), None, None, 0.0).note(Micros(1))
    persistence.file.commit()
    persistence.abandon()
    assert schema(path) == SCHEMA


def test_a_file_of_0_1_0_that_is_refused_is_left_unchanged(path: Path) -> None:
    """To the byte."""
    before = path.read_bytes()
    with pytest.raises(InvalidSetting, match="--seed: 3 is not 0"):
        StatePersistence(path, 3, {}, None)
    assert path.read_bytes() == before
    assert sorted(each.name for each in path.parent.iterdir()) == ["state.db", "state.db.files"]
