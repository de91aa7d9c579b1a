"""A real cluster for the tests of this folder, brought up by the first that asks and taken down when the last has ended."""

import fcntl
import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cluster.harness import Cluster

NAMED = "AKSTWIN_CLUSTER"
"""The environment variable that names a running cluster to be used instead of a new one."""


@contextmanager
def _alone(folder: Path) -> Iterator[Path]:
    """Held by one of the processes that run tests at a time; yields the file in which they keep what they share."""
    with (folder / "cluster.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder / "cluster.json"


@pytest.fixture(scope="session")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str, capsys_off: Callable[[str], None]
) -> Iterator[Cluster]:
    """The cluster, whose network this process' main thread enters.

    All workers of pytest-xdist share one. It ends with the last of them, and also if pytest is killed. A test that hurts
    it (kills a program, loses a node) is marked `faults`: it runs while no other test does, and leaves it sound.
    """
    named = os.environ.get(NAMED)
    if named is not None:
        found = Cluster.of(named)
        with _inside(found):
            yield found
        return
    alone = worker_id == "master"
    folder = tmp_path_factory.mktemp("cluster") if alone else tmp_path_factory.getbasetemp().parent
    with _alone(folder) as file:
        kept = json.loads(file.read_text()) if file.exists() else {"id": "", "users": 0}
        if not kept["id"]:
            kept["id"] = Cluster.up(capsys_off, owner=os.getpid() if alone else os.getppid()).id
        kept["users"] += 1
        file.write_text(json.dumps(kept))
    found = Cluster.of(kept["id"])
    with _inside(found):
        yield found
    with _alone(folder) as file:
        kept = json.loads(file.read_text())
        kept["users"] -= 1
        if kept["users"] == 0:
            kept["id"] = ""
        file.write_text(json.dumps(kept))
        if not kept["id"]:
            ends = found.unexpected_ends()
            found.down()
            assert not ends, ends


@pytest.fixture(autouse=True)
def _one_fault_at_a_time(request: pytest.FixtureRequest) -> Iterator[None]:
    """Tests that hurt the cluster have it for themselves; all others share it."""
    if "cluster" not in request.fixturenames:
        yield
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    with (cluster.run.folder / "tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH if request.node.get_closest_marker("faults") is None else fcntl.LOCK_EX)
        yield


@contextmanager
def _inside(cluster: Cluster) -> Iterator[None]:
    """This thread in the cluster's network; afterwards back where it was."""
    with Path("/proc/thread-self/ns/net").open("rb") as before:
        cluster.enter()
        yield
        Cluster.enter_namespace(before.fileno())


@pytest.fixture(scope="session")
def capsys_off(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Say something while pytest captures what tests print: building takes minutes."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def say(line: str) -> None:
        with capture.global_and_fixture_disabled():
            print(line, flush=True)  # noqa: T201

    return say


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace of the test's own, named after it; deleted afterwards, without waiting for that."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:50].strip("-")
    name = f"{words}-{os.urandom(3).hex()}"
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("wait", "--for=create", "serviceaccount/default", f"--namespace={name}", "--timeout=60s")
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")
