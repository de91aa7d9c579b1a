"""What a cluster says of pods, read as facts: objects as a Kubernetes 1.34 gave them, shortened."""

from typing import Any

import pytest

from akstwin.backend_aks.pods import PodSeen, facts_of, read_pod, refusal_of, silent_nodes, waiting_of
from akstwin.clock import SECOND
from akstwin.cores.management import Blocked, Waiting
from akstwin.cores.serving import PodFacts

EPOCH = 1_767_225_600.0  # 2026-01-01T00:00:00Z
RUNS = {"running": {"startedAt": "2026-01-01T00:00:10Z"}}
FETCHED = {"name": "fetch", "restartCount": 0, "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
ENDED = {"terminated": {"exitCode": 1, "reason": "Error"}}
BACK_OFF = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container"}}


def container(state: dict[str, Any] = RUNS, restarts: int = 0, last: dict[str, Any] | None = None, **more: Any) -> Any:
    """The status of the scoring container."""
    return {"name": "scoring", "restartCount": restarts, "state": state, "lastState": last or {}, **more}


def pod(*containers: Any, ready: bool = False, name: str = "p", **more: Any) -> PodSeen:
    """A pod of the version blue of fraud, of life 7, number 2 and revision 3 unless told otherwise."""
    numbers = {key: str(more.pop(key, value)) for key, value in (("number", 2), ("life", 7), ("revision", 3))}
    labels = {f"akstwin.io/{key}": value for key, value in {"service": "fraud", "version": "blue", **numbers}.items()}
    conditions = [{"type": "Ready", "status": str(ready)}, *more.pop("conditions", ())]
    metadata = {"name": name, "uid": f"uid-{name}", "labels": labels}
    if more.pop("leaving", False):
        metadata["deletionTimestamp"] = "2026-01-01T00:01:00Z"
    status = {"phase": "Running", "podIP": "10.244.0.9", "conditions": conditions, **more}
    status |= {"initContainerStatuses": [FETCHED], "containerStatuses": list(containers)}
    found = read_pod({"metadata": metadata, "spec": {"nodeName": "n"}, "status": status}, EPOCH)
    assert found is not None
    return found


def test_a_ready_pod_has_its_address() -> None:
    """Where it takes requests; an IPv6 address in brackets."""
    assert pod(container(ready=True), ready=True).address == "10.244.0.9:5001"
    assert pod(container(ready=True), ready=True, podIP="fd00::9").address == "[fd00::9]:5001"


def test_what_is_no_pod_of_a_service_is_none() -> None:
    """Whatever else carries our label."""
    assert read_pod({"metadata": {"name": "x", "uid": "u", "labels": {"akstwin.io/service": "fraud"}}}, EPOCH) is None


@pytest.mark.parametrize(
    ("state", "exits"),
    [
        (container(), 0),
        (container(ENDED), 1),
        (container(BACK_OFF, 0, ENDED), 1),
        (container(RUNS, 1, ENDED), 1),
        (container(ENDED, 1, ENDED), 2),
        (container(BACK_OFF, 1, ENDED), 2),
        (container({"waiting": {"reason": "ContainerCreating"}}), 0),
    ],
)
def test_ends_of_containers_are_counted_once(state: Any, exits: int) -> None:
    """Seen between an end and the restart that follows it, or after it; an init container that has done its work is none."""
    assert pod(state).exits == exits


def test_facts_count_by_what_pods_were_made_from() -> None:
    """News of an earlier revision, number or life is never taken for the present, however late it comes."""
    runs = container(ready=True)
    seen = [
        pod(runs, ready=True, name="present"),
        pod(container(), name="starting"),
        pod(runs, ready=True, name="older", revision=2),
        pod(runs, ready=True, name="replaced", number=1),
        pod(runs, ready=True, name="leaving", leaving=True),
        pod(container(ENDED), name="evicted", phase="Failed"),
    ]
    assert facts_of(seen, 7, 2, 3, frozenset()) == PodFacts(
        staying=4, ready=4, current_ready=1, older=2, restarts=0, exits=0, in_service=1, serving=3, lost=0
    )
    assert facts_of(seen, 7, 2, 4, frozenset()).current_ready == 0


def test_restarts_are_those_of_the_present_pods() -> None:
    """Old pods may have restarted for years."""
    seen = [pod(container(RUNS, 9, ENDED), name="old", revision=2), pod(container(BACK_OFF, 2, ENDED), name="new")]
    assert facts_of(seen, 7, 2, 3, frozenset()).restarts == 2


def test_pods_that_leave_a_silent_node_are_lost() -> None:
    """Those that stay there are Kubernetes' business."""
    seen = [pod(container(), name="a", leaving=True), pod(container(), name="b")]
    assert facts_of(seen, 7, 2, 3, frozenset({"n"})).lost == 1
    assert facts_of(seen, 7, 2, 3, frozenset({"m"})).lost == 0


def test_a_node_is_silent_when_the_cluster_says_unknown() -> None:
    """NotReady for another reason is no loss."""
    nodes = [
        {"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": status}]}}
        for name, status in (("a", "True"), ("b", "Unknown"), ("c", "False"))
    ]
    assert silent_nodes(nodes) == {"b"}


def test_the_schedulers_own_words_are_kept() -> None:
    """With the instant since when, on our clock."""
    message = "0/2 nodes are available: 2 Insufficient cpu."
    condition = {
        "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message,
        "lastTransitionTime": "2026-01-01T00:00:30Z",
    }  # fmt: skip
    seen = [pod(conditions=[condition]), pod(container(), name="placed")]
    assert waiting_of(seen) == Waiting(30 * SECOND, message, "1 of its pods fit on no node.")
    assert waiting_of(seen[1:]) is None


@pytest.mark.parametrize(
    ("reason", "by"),
    [
        ("ErrImagePull", "image_pull"),
        ("ImagePullBackOff", "image_pull"),
        ("InvalidImageName", "image_pull"),
        ("CreateContainerConfigError", "configuration"),
        ("CrashLoopBackOff", None),
        ("ContainerCreating", None),
    ],
)
def test_what_keeps_a_container_from_starting_has_a_name(reason: str, by: str | None) -> None:
    """And the cluster's words."""
    found = pod(container({"waiting": {"reason": reason, "message": "why"}})).blocked
    assert found == (None if by is None else (by, f"{reason}: why"))


@pytest.mark.parametrize(
    ("message", "by"),
    [
        ('pods "x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2', "quota"),
        ('admission webhook "policy.example" denied the request: no', "admission"),
    ],
)
def test_a_deployment_that_may_create_no_pods_says_why(message: str, by: Any) -> None:
    """By its own condition: no event has to be looked for."""
    condition = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    deployment = {"status": {"conditions": [{**condition, "lastTransitionTime": "2026-01-01T00:00:05Z"}]}}
    assert refusal_of(deployment, EPOCH) == Blocked(5 * SECOND, by, message)
    assert refusal_of({"status": {"conditions": [{**condition, "status": "False"}]}}, EPOCH) is None


def test_an_oom_kill_is_named_until_the_container_is_ready_again() -> None:
    """Exit code and reason are the kubelet's."""
    killed = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    assert pod(container(BACK_OFF, 1, killed)).killed_for == "OOMKilled, exit code 137"
    assert pod(container(RUNS, 1, killed, ready=True), ready=True).killed_for == ""
    assert pod(container(BACK_OFF, 1, ENDED)).killed_for == ""


def test_a_pod_has_crashed_until_it_is_ready_again() -> None:
    """Then its last lines are worth reading."""
    assert pod(container(BACK_OFF, 1, ENDED)).crashed
    assert not pod(container(RUNS, 1, ENDED, ready=True), ready=True).crashed
    assert not pod(container()).crashed
