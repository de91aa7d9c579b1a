"""Nothing of a cluster is left on the machine: after it is down, after it is killed, and beside another one."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cluster.harness import Cluster, leftovers
from cluster.harness.inventory import inventory

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

TESTS = Path(__file__).parents[1]
MINE: set[str] = set()
"""Clusters of these tests; others that run meanwhile are somebody else's."""


def say(line: str) -> None:
    """For the test's captured output."""
    print(line)  # noqa: T201


def everything() -> dict[str, frozenset[str]]:
    """What is on the machine now."""
    return inventory(frozenset(each.id for each in Cluster.running()) - MINE)


def up() -> Cluster:
    """One of these tests' clusters."""
    cluster = Cluster.up(say)
    MINE.add(cluster.id)
    return cluster


def left(before: dict[str, frozenset[str]]) -> dict[str, list[str]]:
    """What is there now and was not before, or the other way, as soon as processes have ended."""
    end = time.monotonic() + 60
    while True:
        now = everything()
        found = {kind: sorted(now[kind] ^ before[kind]) for kind in before if now[kind] != before[kind]}
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.5)


def a_pod_on_each_node(cluster: Cluster) -> None:
    """With a volume, so that there are mounts, and addresses, and cgroups."""
    volumes = [{"name": "room", "emptyDir": {"medium": "Memory"}}]
    for node in cluster.nodes:
        container = {
            "name": "it",
            "image": cluster.images["base"],
            "command": ["sleep", "infinity"],
            "ports": [{"containerPort": 80, "hostPort": 8080}],
            "volumeMounts": [{"name": "room", "mountPath": "/room"}],
        }
        spec = {"nodeName": node, "containers": [container], "volumes": volumes}
        cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"on-{node}"}, "spec": spec})
    cluster.kubectl("wait", "--for=condition=Ready", "pods", "--all", "--timeout=300s")


def test_down_leaves_nothing() -> None:
    """Not a mount, namespace, link, route, firewall rule, cgroup, process, file or kernel setting."""
    before = everything()
    cluster = up()
    a_pod_on_each_node(cluster)
    during = everything()
    assert during["cgroups"] > before["cgroups"]
    assert during["network namespaces"] > before["network namespaces"]
    assert len(during["processes"]) > len(before["processes"]) + 10
    cluster.down()
    assert left(before) == {}


@pytest.mark.parametrize("victim", ["the supervisor", "the owner"])
def test_a_killed_one_leaves_nothing(victim: str) -> None:
    """Its processes end with it; what else it leaves is removed by the next that comes."""
    before = everything()
    program = (
        "import os, time\nfrom cluster.harness import Cluster\n"
        "print(Cluster.up(lambda line: None, owner=os.getpid()).id, flush=True)\ntime.sleep(3600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], env=os.environ | {"PYTHONPATH": str(TESTS)}, stdout=subprocess.PIPE, text=True
    ) as owner:
        try:
            assert owner.stdout is not None
            cluster = Cluster.of(owner.stdout.readline().strip())
            MINE.add(cluster.id)
            a_pod_on_each_node(cluster)
            os.kill(cluster.pid if victim == "the supervisor" else owner.pid, signal.SIGKILL)
        finally:
            owner.kill()
    remains = cluster.run.folder
    with leftovers.lock_of(cluster.run, wait=True):
        assert remains.exists()
    leftovers.sweep(say)
    assert left(before) == {}


def test_two_clusters_side_by_side() -> None:
    """Neither is in the other's way; one goes, the other stays."""
    before = everything()
    first = up()
    try:
        second = up()
        try:
            a_pod_on_each_node(first)
            a_pod_on_each_node(second)
        finally:
            first.down()
        assert len(second.get("pods")["items"]) == 2
        assert second.unexpected_ends() == []
    finally:
        second.down()
    assert left(before) == {}


def test_what_is_missing_is_named_at_once(tmp_path: Path) -> None:
    """Without Go, root's rights and packages: one message with all of it, and nothing is made."""
    python = tmp_path / "python"
    python.symlink_to(sys.executable)
    nobody = shutil.which("setpriv")
    assert nobody is not None
    done = subprocess.run(
        [nobody, "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=+dac_read_search",
         "--ambient-caps=+dac_read_search", sys.executable, "-m", "cluster.harness", "up"],
        env={"PATH": "/nowhere", "PYTHONPATH": str(TESTS), "XDG_CACHE_HOME": "/run/cache"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    for missing in ("root", "Go 1.24", "etcd-server", "buildah", "set XDG_CACHE_HOME"):
        assert missing in done.stderr
