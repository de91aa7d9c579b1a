"""What a kubelet and the node controller do: restarts, readiness, image pulls, nodes that fall silent (semantics §6.3, §6.7)."""

from collections.abc import Iterable
from dataclasses import dataclass

from akstwin.clock import Micros
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.deployment import ProbeSettings


@dataclass(frozen=True, slots=True)
class Restart:
    """How a container that has ended is started again.

    Attributes:
        after: how long it waits, µs.
        in_row: restarts in a row before this one.
    """

    after: int
    in_row: int


def restart(in_row: int, ran: int, assumptions: Assumptions) -> Restart:
    """The next restart of a container: the first at once, then later and later, up to a cap (source K1).

    Args:
        in_row: restarts in a row so far.
        ran: how long the container has run, µs; one that ran long enough counts as new.
        assumptions: wait, cap and what is long enough.
    """
    if ran >= assumptions.restart_backoff_reset:
        in_row = 0
    if not in_row:
        return Restart(0, 0)
    doubled = assumptions.restart_backoff * 2 ** min(in_row - 1, 40)
    return Restart(min(doubled, assumptions.restart_backoff_cap), in_row)


def readiness_probe(assumptions: Assumptions) -> ProbeSettings | None:
    """The probe that makes a pod ready; None: it is ready as soon as `init()` has returned."""
    if assumptions.readiness == "immediate":
        return None
    return ProbeSettings(
        Micros(0), assumptions.readiness_period, assumptions.readiness_timeout, 1, assumptions.readiness_failures
    )


@dataclass(frozen=True, slots=True)
class Pull:
    """An image's way to a node.

    Attributes:
        lasts: until the pod has it, µs.
        there_at: when the node has it.
    """

    lasts: int
    there_at: int


def pull(there_at: int | None, now: int, factors: Iterable[float], assumptions: Assumptions) -> Pull:
    """How long a pod waits for its image.

    Args:
        there_at: when the node has the image; None: nobody has asked for it yet.
        now: the present.
        factors: by which faults slow pulls down, the smallest first.
        assumptions: how long a pull takes, from the registry and from the node.
    """
    if there_at is None:
        span: int = assumptions.image_pull
        for factor in factors:
            span = round(span * factor)
        return Pull(span, now + span)
    if there_at > now:  # another pod's pull of the same image is under way
        return Pull(there_at - now, there_at)
    return Pull(assumptions.image_pull_cached, there_at)


@dataclass(frozen=True, slots=True)
class NodeSilence:
    """What follows when a node falls silent and stays so.

    Attributes:
        noticed_at: when it counts as not ready, and its pods with it.
        evicted_at: when its pods are given up, to be replaced elsewhere.
    """

    noticed_at: Micros
    evicted_at: Micros


def node_silence(since: int, assumptions: Assumptions) -> NodeSilence:
    """When Kubernetes notices a silent node, and when it evicts its pods (defaults: 40 s, then a toleration of 300 s)."""
    noticed = since + assumptions.node_failure_detected
    return NodeSilence(Micros(noticed), Micros(noticed + assumptions.node_eviction))
