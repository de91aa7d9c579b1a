"""What the cluster says of a service's pods, read as facts for the cores. Pure: objects of the API in, values out.

Each pod says of itself what it was made from, by its labels. So facts cannot be older than what was asked for: a pod of an
earlier revision, of an earlier version of that name or of an earlier service never counts as a present one, however late its
news is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from akstwin.backend_aks import manifests
from akstwin.clock import SECOND, Micros
from akstwin.cores.management import Blocked, Waiting
from akstwin.cores.management.facts import BlockedBy
from akstwin.cores.serving import PodFacts

Json = dict[str, Any]

_BLOCKED: Final[Mapping[str, BlockedBy]] = {
    "ErrImagePull": "image_pull",
    "ImagePullBackOff": "image_pull",
    "InvalidImageName": "image_pull",
    "ErrImageNeverPull": "image_pull",
    "ImageInspectError": "image_pull",
    "RegistryUnavailable": "image_pull",
    "CreateContainerConfigError": "configuration",
    "CreateContainerError": "configuration",
}
"""What a waiting container's reason means."""
_QUOTA: Final = "exceeded quota"
_OVER: Final = ("Succeeded", "Failed")
"""Phases of pods that will never run again."""


@dataclass(frozen=True, slots=True)
class PodSeen:
    """One pod.

    Attributes:
        name: its name.
        uid: no other pod ever has it.
        service: whose it is.
        version: of the service.
        number: of the version in its service.
        life: of the service among those that have had its name.
        revision: of the template that it was made from.
        address: where it takes requests, `host:port`; None: it has none yet.
        ready: whether it takes requests.
        leaving: whether it is on its way out.
        over: whether none of its containers will ever run again.
        node: its node; empty: none yet.
        restarts: of its container that was restarted most.
        exits: how often a container of it has ended.
        unplaced: since when, and why, it fits on no node; None: it has one.
        blocked: why a container of it cannot start, and the cluster's words; None: nothing keeps it.
        killed_for: why its container that ended last was killed; empty: it ended otherwise, or runs.
        crashed: whether a container of it has ended and is not ready again.
    """

    name: str
    uid: str
    service: str
    version: str
    number: int
    life: int
    revision: int
    address: str | None
    ready: bool
    leaving: bool
    over: bool
    node: str
    restarts: int
    exits: int
    unplaced: tuple[Micros, str] | None
    blocked: tuple[BlockedBy, str] | None
    killed_for: str
    crashed: bool

    @property
    def staying(self) -> bool:
        """Whether it counts as one of those that were asked for."""
        return not self.leaving and not self.over


def read_pod(thing: Json, epoch: float) -> PodSeen | None:
    """A pod as the API shows it; None: it is none of a service.

    Args:
        thing: the object.
        epoch: the Unix time of the instant 0, s.
    """
    metadata, spec, status = thing["metadata"], thing.get("spec") or {}, thing.get("status") or {}
    labels = metadata.get("labels") or {}
    try:
        numbers = [int(labels[name]) for name in (manifests.NUMBER, manifests.LIFE, manifests.REVISION)]
        service, version = labels[manifests.SERVICE], labels[manifests.VERSION]
    except (KeyError, ValueError):
        return None
    number, life, revision = numbers
    containers = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    conditions = {each["type"]: each for each in status.get("conditions") or ()}
    leaving = metadata.get("deletionTimestamp") is not None
    over = status.get("phase") in _OVER
    ready = conditions.get("Ready", {}).get("status") == "True" and not over
    address = status.get("podIP")
    host = f"[{address}]" if address and ":" in address else address
    return PodSeen(
        name=metadata["name"],
        uid=metadata["uid"],
        service=service,
        version=version,
        number=number,
        life=life,
        revision=revision,
        address=f"{host}:{manifests.PORT}" if host else None,
        ready=ready,
        leaving=leaving,
        over=over,
        node=spec.get("nodeName") or "",
        restarts=max((each.get("restartCount", 0) for each in containers), default=0),
        exits=sum(_exits(each) for each in containers),
        unplaced=_unplaced(conditions.get("PodScheduled"), epoch),
        blocked=next((found for each in containers if (found := _blocked(each)) is not None), None),
        killed_for=next((text for each in containers if (text := _killed_for(each))), ""),
        crashed=not ready and any(_exits(each) for each in containers if not _finished_well(each)),
    )


def _exits(container: Json) -> int:
    """Ends of a container so far: each restart was after one, and one that is over now has no restart yet."""
    count: int = container.get("restartCount", 0)
    state = container.get("state") or {}
    ended = "terminated" in state and not _finished_well(container)
    return count + (ended or ("waiting" in state and "terminated" in (container.get("lastState") or {})))


def _finished_well(container: Json) -> bool:
    """An init container that has done its work."""
    return ((container.get("state") or {}).get("terminated") or {}).get("exitCode") == 0


def _blocked(container: Json) -> tuple[BlockedBy, str] | None:
    waiting = (container.get("state") or {}).get("waiting") or {}
    by = _BLOCKED.get(waiting.get("reason") or "")
    if by is None:
        return None
    return by, f"{waiting['reason']}: {waiting.get('message') or container.get('image') or ''}"


def _killed_for(container: Json) -> str:
    """Why a container was killed that has not become ready again since."""
    if container.get("ready"):
        return ""
    ended = (
        (container.get("state") or {}).get("terminated") or (container.get("lastState") or {}).get("terminated") or {}
    )
    if ended.get("reason") != "OOMKilled":
        return ""
    return f"OOMKilled, exit code {ended.get('exitCode', 137)}"


def _unplaced(condition: Json | None, epoch: float) -> tuple[Micros, str] | None:
    if condition is None or condition.get("status") != "False" or condition.get("reason") != "Unschedulable":
        return None
    return instant(condition.get("lastTransitionTime"), epoch), str(condition.get("message") or "")


def instant(text: str | None, epoch: float) -> Micros:
    """A time of the API, which has whole seconds, on our clock; 0 where there is none."""
    if not text:
        return Micros(0)
    return Micros(max(0, round((datetime.fromisoformat(text).timestamp() - epoch) * SECOND)))


def facts_of(pods: Iterable[PodSeen], life: int, number: int, revision: int, silent: frozenset[str]) -> PodFacts:
    """The facts of one version.

    Args:
        pods: of that version's name, whatever they were made from.
        life: of the present service.
        number: of the present version.
        revision: of its present template.
        silent: nodes that have not been heard of for too long.
    """
    seen = [pod for pod in pods if not pod.over]
    staying = [pod for pod in seen if pod.staying]
    present = [pod for pod in staying if (pod.life, pod.number, pod.revision) == (life, number, revision)]
    ready = [pod for pod in seen if pod.ready]
    current_ready = sum(pod.ready for pod in present)
    return PodFacts(
        staying=len(staying),
        ready=len(ready),
        current_ready=current_ready,
        older=len(staying) - len(present),
        restarts=max((pod.restarts for pod in present), default=0),
        exits=sum(pod.exits for pod in seen),
        in_service=current_ready,
        serving=sum(pod.ready for pod in staying),
        lost=sum(pod.leaving and pod.node in silent for pod in seen),
    )


def waiting_of(pods: Iterable[PodSeen]) -> Waiting | None:
    """What is to be said of pods that fit on no node; None: all that there are have one."""
    unplaced = [pod.unplaced for pod in pods if pod.staying and pod.unplaced is not None]
    if not unplaced:
        return None
    since, message = min(unplaced)
    return Waiting(since, message, f"{len(unplaced)} of its pods fit on no node.")


def refusal_of(deployment: Json, epoch: float) -> Blocked | None:
    """Why the cluster lets a Deployment create no pods; None: it does."""
    for condition in (deployment.get("status") or {}).get("conditions") or ():
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            message = str(condition.get("message") or condition.get("reason") or "")
            by: BlockedBy = "quota" if _QUOTA in message else "admission"
            return Blocked(instant(condition.get("lastTransitionTime"), epoch), by, message)
    return None


def silent_nodes(nodes: Iterable[Json]) -> frozenset[str]:
    """The names of nodes that the cluster has heard nothing of for so long that it calls them lost."""
    return frozenset(
        node["metadata"]["name"]
        for node in nodes
        for condition in (node.get("status") or {}).get("conditions") or ()
        if condition["type"] == "Ready" and condition["status"] == "Unknown"
    )
