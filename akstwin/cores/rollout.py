"""Which pods to create and which to end (semantics §6.3, §6.5): a model of Kubernetes' Deployment.

RollingUpdate with absolute surge and unavailability; the victims of a scale-down are the not ready, then those with the
fewest requests in flight, then the youngest. On a real cluster Kubernetes decides, led by `pod-deletion-cost`.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PodView:
    """One pod that is not on its way out.

    Attributes:
        number: grows with age: the youngest has the highest.
        revision: of the template that it was made from.
        available: whether it is ready.
        in_flight: requests that it holds.
    """

    number: int
    revision: int
    available: bool
    in_flight: int = 0


@dataclass(frozen=True, slots=True)
class Steps:
    """What to do now: so many new pods of the present revision, and an end to these."""

    create: int = 0
    delete: tuple[int, ...] = ()


def plan(pods: Sequence[PodView], wanted: int, revision: int, max_surge: int, max_unavailable: int) -> Steps:
    """The steps that are possible now; called again at every change of a pod.

    Args:
        pods: all pods that are not on their way out.
        wanted: replicas that the Deployment asks for.
        revision: of the present template.
        max_surge: pods above `wanted` while old ones remain.
        max_unavailable: pods below `wanted` that may be missing meanwhile.
    """
    new = [pod for pod in pods if pod.revision == revision]
    old = [pod for pod in pods if pod.revision != revision]
    if len(new) > wanted:
        return Steps(delete=_victims(new, len(new) - wanted))
    if not old:
        return Steps(create=wanted - len(new))
    # With neither surge nor unavailability nothing could ever move; Kubernetes then allows one to be missing.
    may_miss = max(max_unavailable, 1) if max_surge == 0 else max_unavailable
    create = max(0, min(wanted - len(new), wanted + max_surge - len(pods)))
    fewest = wanted - may_miss
    unready_new = sum(not pod.available for pod in new) + create
    removable = min(len(old), len(pods) + create - fewest - unready_new)
    unready_old = [pod for pod in old if not pod.available]
    spare = sum(pod.available for pod in pods) - fewest
    unready = min(len(unready_old), max(0, removable))
    delete = unready + max(0, min(removable - unready, spare))
    return Steps(create=create, delete=_victims(old, delete))


def _victims(pods: Sequence[PodView], count: int) -> tuple[int, ...]:
    ranked = sorted(pods, key=lambda pod: (pod.available, pod.in_flight, -pod.number))
    return tuple(pod.number for pod in ranked[: max(0, count)])
