"""What is asked of a cluster, as data."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from akstwin.backend_aks import manifests
from akstwin.backend_aks.manifests import Running
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.deployment import DeployArguments
from akstwin.domain.service import VersionSpec

RUNNING = Running(
    "registry.example/scoring:1", "0" * 64, "http://manager/bundles/0", (("AZUREML_ENTRY_SCRIPT", "score.py"),)
)


def made(revision: int = 3, **deploy: Any) -> dict[str, Any]:
    """The Deployment of the version blue of fraud."""
    template = VersionSpec("blue", DeployArguments(**{"num_replicas": 2, **deploy}))
    return manifests.deployment("scoring", "fraud", 2, 7, template, revision, RUNNING, Assumptions())


def pod(**deploy: Any) -> dict[str, Any]:
    """Its pods."""
    spec: dict[str, Any] = made(**deploy)["spec"]["template"]["spec"]
    return spec


def test_replicas_are_not_the_manifests_business() -> None:
    """They belong to the autoscaler: applying a manifest again must not change them."""
    assert "replicas" not in made()["spec"]


def test_pods_say_what_they_were_made_from() -> None:
    """The revision is in the template, so that another one rolls them, and not in the selector, which cannot change."""
    spec = made()["spec"]
    own = spec["template"]["metadata"]["labels"]
    assert {key: own[f"akstwin.io/{key}"] for key in ("service", "version", "number", "life", "revision")} == {
        "service": "fraud", "version": "blue", "number": "2", "life": "7", "revision": "3",
    }  # fmt: skip
    assert spec["selector"]["matchLabels"] == {key: own[key] for key in own if key != manifests.REVISION}


def test_names_tell_services_versions_and_lives_apart() -> None:
    """No dash in a service's name can make two of them equal."""
    names = {
        manifests.deployment_name(service, version, number, life)
        for service, version in (("a-b", "c"), ("a", "b-c"), ("a", "b"))
        for number in (1, 11)
        for life in (1, 11)
    }
    assert len(names) == 12


def test_a_rollout_has_the_services_bounds() -> None:
    """MaxSurge and maxUnavailable as absolute numbers; Kubernetes' own deadline comes after every one of ours."""
    spec = made()["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}
    assert spec["progressDeadlineSeconds"] > 1200


def test_resources_are_the_arguments() -> None:
    """Requests always, limits where they are given; a GPU is a limit."""
    container = pod(cpu_cores=0.5, memory_gb=1.5, cpu_cores_limit=2, memory_gb_limit=3, gpu_cores=1)["containers"][0]
    assert container["resources"] == {
        "requests": {"cpu": "500m", "memory": "1500M"},
        "limits": {"cpu": "2000m", "memory": "3000M", "nvidia.com/gpu": "1"},
    }
    assert pod()["containers"][0]["resources"] == {"requests": {"cpu": "100m", "memory": "500M"}}


def test_the_liveness_probe_is_the_arguments() -> None:
    """But for the success threshold: Kubernetes takes only 1."""
    probe = pod(
        initial_delay_seconds=11, period_seconds=12, timeout_seconds=13, failure_threshold=4, success_threshold=5
    )["containers"][0]["livenessProbe"]
    assert probe == {
        "httpGet": {"path": "/", "port": "http"}, "initialDelaySeconds": 11, "periodSeconds": 12, "timeoutSeconds": 13,
        "successThreshold": 1, "failureThreshold": 4,
    }  # fmt: skip


def test_a_busy_worker_stays_ready() -> None:
    """A single worker cannot answer a readiness probe while it scores: one startup probe says that `init()` has returned."""
    container = pod()["containers"][0]
    assert "readinessProbe" not in container
    assert container["startupProbe"]["periodSeconds"] == 1


def test_pods_are_confined() -> None:
    """What Pod Security's level `restricted` demands, of every container; and no way to the API."""
    spec = pod()
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in (*spec["initContainers"], *spec["containers"]):
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert {next(iter(set(volume) - {"name"})) for volume in spec["volumes"]} == {"emptyDir"}


def test_pods_leave_a_lost_node_when_the_assumptions_say() -> None:
    """Kubernetes' own toleration is 300 s."""
    template = VersionSpec("blue", DeployArguments())
    spec = manifests.pod(template, RUNNING, Assumptions.model_validate({"node_eviction": "5s"}), {})
    assert {each["tolerationSeconds"] for each in spec["tolerations"]} == {5}


# -- the program of the init container


@pytest.fixture
def archive(tmp_path: Path) -> tuple[Path, str]:
    """A bundle as the manager packs it, and its digest."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as packed:
        member = tarfile.TarInfo("source/score.py")
        member.size = 3
        packed.addfile(member, io.BytesIO(b"1+1"))
    path = tmp_path / "bundle.tar.gz"
    path.write_bytes(raw.getvalue())
    return path, hashlib.sha256(raw.getvalue()).hexdigest()


def fetch(path: Path, digest: str, target: Path) -> "subprocess.CompletedProcess[str]":
    """Run the init container's program."""
    program = pod()["initContainers"][0]["command"]
    assert program[:2] == ["python3", "-c"]
    environment = {
        "BUNDLE_URL": path.as_uri(),
        "BUNDLE_DIGEST": digest,
        "AML_APP_ROOT": str(target),
        "PATH": os.environ["PATH"],
    }
    return subprocess.run(
        [sys.executable, "-c", program[2]], env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def test_the_init_container_lays_a_bundle_out(archive: tuple[Path, str], tmp_path: Path) -> None:
    """Where the container expects it."""
    done = fetch(*archive, tmp_path / "app")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "app" / "source" / "score.py").read_text() == "1+1"


def test_the_init_container_takes_no_other_bytes(archive: tuple[Path, str], tmp_path: Path) -> None:
    """Another digest than the one that was asked for ends it, and nothing is laid out."""
    done = fetch(archive[0], "0" * 64, tmp_path / "app")
    assert done.returncode == 1
    assert f"has the digest {archive[1]}, not {'0' * 64}" in done.stderr
    assert not (tmp_path / "app").exists()


def test_a_crash_has_its_words_last() -> None:
    """A server whose output is buffered writes its banner at its end, after the reason for it."""
    assert {"name": "PYTHONUNBUFFERED", "value": "1"} in pod()["containers"][0]["env"]
