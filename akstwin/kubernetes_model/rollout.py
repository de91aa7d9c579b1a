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
class Available:
    """How many pods of a kind there are that are not on their way out, and how many of them are available."""

    pods: int
    available: int


@dataclass(frozen=True, slots=True)
class Counts:
    """What to do now: create so many pods of the present revision, end so many of it, or of those before."""

    create: int = 0
    delete_new: int = 0
    delete_old: int = 0


@dataclass(frozen=True, slots=True)
class Steps:
    """What to do now: so many new pods of the present revision, and an end to these."""

    create: int = 0
    delete: tuple[int, ...] = ()


def count(new: Available, old: Available, wanted: int, max_surge: int, max_unavailable: int) -> Counts:
    """The steps that are possible now, by number; asked again at every change of a pod.

    Args:
        new: pods of the present template.
        old: pods of earlier templates.
        wanted: replicas that the Deployment asks for.
        max_surge: pods above `wanted` while old ones remain.
        max_unavailable: pods below `wanted` that may be missing meanwhile.
    """
    if new.pods > wanted:
        return Counts(delete_new=new.pods - wanted)
    if not old.pods:
        return Counts(create=wanted - new.pods)
    # With neither surge nor unavailability nothing could ever move; Kubernetes then allows one to be missing.
    may_miss = max(max_unavailable, 1) if max_surge == 0 else max_unavailable
    pods = new.pods + old.pods
    create = max(0, min(wanted - new.pods, wanted + max_surge - pods))
    fewest = wanted - may_miss
    unready_new = new.pods - new.available + create
    removable = min(old.pods, pods + create - fewest - unready_new)
    spare = new.available + old.available - fewest
    unready = min(old.pods - old.available, max(0, removable))
    delete = unready + max(0, min(removable - unready, spare))
    return Counts(create=create, delete_old=max(0, delete))


def victims(pods: Sequence[PodView], number: int) -> tuple[int, ...]:
    """The pods that end first: not available ones, then those with the fewest requests in flight, then the youngest."""
    ranked = sorted(pods, key=lambda pod: (pod.available, pod.in_flight, -pod.number))
    return tuple(pod.number for pod in ranked[: max(0, number)])


def plan(pods: Sequence[PodView], wanted: int, revision: int, max_surge: int, max_unavailable: int) -> Steps:
    """The steps that are possible now, with the pods that end.

    Args:
        pods: all pods that are not on their way out.
        wanted: replicas that the Deployment asks for.
        revision: of the present template.
        max_surge: pods above `wanted` while old ones remain.
        max_unavailable: pods below `wanted` that may be missing meanwhile.
    """
    new = [pod for pod in pods if pod.revision == revision]
    old = [pod for pod in pods if pod.revision != revision]
    steps = count(_available(new), _available(old), wanted, max_surge, max_unavailable)
    return Steps(steps.create, (*victims(new, steps.delete_new), *victims(old, steps.delete_old)))


def _available(pods: Sequence[PodView]) -> Available:
    return Available(len(pods), sum(pod.available for pod in pods))
