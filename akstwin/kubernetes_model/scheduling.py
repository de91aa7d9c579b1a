"""Which node a pod goes to (semantics §6.7): a model of Kubernetes' scheduler, and of the cluster autoscaler.

A pod's request is the service's own plus the side-car's; a node's room is what it has, less what AKS keeps, less the
daemons of every node. It decides in the simulated control plane only; on a real cluster Kubernetes does.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from akstwin.clock import Micros
from akstwin.domain.resources import Resources


@dataclass(frozen=True, slots=True)
class NodeView:
    """One node as the scheduler sees it.

    Attributes:
        number: 1, 2, …
        room: what pods may request on it, all taken together.
        taken: what they have requested.
        pods: how many there are.
        ready: whether it takes new ones.
    """

    number: int
    room: Resources
    taken: Resources
    pods: int
    ready: bool = True


def place(request: Resources, nodes: Iterable[NodeView], max_pods: int) -> int | None:
    """The node with the smallest share requested after placing; ties go to the lowest number; None: none has room.

    Kubernetes' LeastAllocated scores the mean free share of CPU and memory; so does this, in whole numbers.
    """
    best: tuple[int, int, int] | None = None  # taken share as a fraction, node
    for node in nodes:
        after = node.taken + request
        if not node.ready or node.pods >= max_pods or not after.fits_in(node.room):
            continue
        # mean taken share = (cpu/room.cpu + memory/room.memory) / 2, over a common denominator
        cpu, memory = max(1, node.room.cpu), max(1, node.room.memory)
        share, whole = after.cpu * memory + after.memory * cpu, cpu * memory
        if best is None or share * best[1] < best[0] * whole:
            best = (share, whole, node.number)
    return None if best is None else best[2]


class LeastAllocated:
    """The nodes of a cluster in the order in which `place` prefers them, for as long as all have the same room.

    To add a request to each of them leaves their order as it is, so the first one in it that has room is the one that `place`
    would choose: it need not look at all of them for every pod.

    Args:
        room: what pods may request on each node.
    """

    def __init__(self, room: Resources) -> None:
        self._cpu, self._memory = max(1, room.cpu), max(1, room.memory)
        self._order: list[tuple[int, int]] = []
        self._shares: dict[int, int] = {}

    def put(self, number: int, taken: Resources) -> None:
        """A node has come, or what is requested on it has changed."""
        self.drop(number)
        share = self._shares[number] = taken.cpu * self._memory + taken.memory * self._cpu
        insort(self._order, (share, number))

    def drop(self, number: int) -> None:
        """The node is gone, if it was there."""
        share = self._shares.pop(number, None)
        if share is not None:
            del self._order[bisect_left(self._order, (share, number))]

    def __iter__(self) -> Iterator[int]:
        """Their numbers, the preferred one first; nothing may be put or dropped meanwhile."""
        return (number for _, number in self._order)


def place_routers(count: int, request: Resources, nodes: Sequence[NodeView]) -> list[int]:
    """Nodes of the router pods, placed before anything else: on distinct nodes as far as there are nodes.

    Fewer than `count` if there is no room for more.
    """
    free = {node.number: node.room - node.taken for node in nodes}
    placed: list[int] = []
    for _ in range(count):
        roomy = [number for number, room in free.items() if request.fits_in(room)]
        if not roomy:
            break
        chosen = min(roomy, key=lambda number: (placed.count(number), number))
        placed.append(chosen)
        free[chosen] -= request
    return placed


def pods_that_fit(request: Resources, nodes: Iterable[NodeView], max_pods: int) -> int:
    """How many more pods of this request there is room for."""
    total = 0
    for node in nodes:
        free = node.room - node.taken
        limits = [max_pods - node.pods]
        limits += [
            have // want
            for have, want in ((free.cpu, request.cpu), (free.memory, request.memory), (free.gpu, request.gpu))
            if want
        ]
        total += max(0, min(limits)) if node.ready else 0
    return total


def unschedulable_message(request: Resources, nodes: Sequence[NodeView], max_pods: int) -> str:
    """Kubernetes' own sentence for a pod that fits nowhere: each node counts under every reason it has."""
    counts: dict[str, int] = {}
    for node in nodes:
        free = node.room - node.taken
        reasons = {
            "Insufficient cpu": request.cpu > free.cpu,
            "Insufficient memory": request.memory > free.memory,
            "Insufficient nvidia.com/gpu": request.gpu > free.gpu,
            "Too many pods": node.pods >= max_pods,
        }
        hits = [name for name, hit in reasons.items() if hit]
        for reason in ["node(s) were not ready"] if not node.ready else hits:
            counts[reason] = counts.get(reason, 0) + 1
    causes = ", ".join(sorted(f"{count} {reason}" for reason, count in counts.items()))  # Kubernetes sorts so too
    return f"0/{len(nodes)} nodes are available: {causes}."


def shortage_message(request: Resources, replicas: int) -> str:
    """The service's sentence for replicas that fit nowhere (SDK#14168); `request` includes the side-car."""
    return (
        f"Unschedulable: CPU/Memory resource insufficient, {replicas} replicas unschedulable. Please add more node(s) "
        f"with SKU more than {request.cpu / 1000:g} CPU Cores and {request.memory / 1000:g}GB Memory to host your "
        "replicas OR reduce your replica count and service resource requirements."
    )


@dataclass(frozen=True, slots=True)
class NodeScaling:
    """The cluster autoscaler's decision: how many nodes to ask for, and which to drain."""

    add: int = 0
    remove: tuple[int, ...] = ()


class NodeAutoscaler:
    """Adds nodes for pods that fit nowhere, removes nodes that stay under half used (source K5).

    Args:
        minimum: nodes that stay.
        maximum: nodes that there may be.
        unneeded: how long a node must have been under half used.
        after_add: how long after the last added node none is removed.
    """

    def __init__(self, minimum: int, maximum: int, unneeded: Micros, after_add: Micros) -> None:
        self._minimum = minimum
        self._maximum = maximum
        self._unneeded = unneeded
        self._after_add = after_add
        self._added_at: Micros | None = None
        self._idle_since: dict[int, Micros] = {}

    def added(self, now: Micros) -> None:
        """A node has come."""
        self._added_at = now

    def look(
        self,
        pending: Sequence[Resources],
        nodes: Sequence[NodeView],
        fixed: Mapping[int, Resources],
        coming: int,
        empty: Resources,
        max_pods: int,
        now: Micros,
    ) -> NodeScaling:
        """What to do now.

        Args:
            pending: requests of the pods that fit nowhere.
            nodes: all nodes.
            fixed: what on a node cannot be moved (router pods), by node.
            coming: nodes asked for and not here yet.
            empty: room of a node without pods.
            max_pods: pods that one node takes.
            now: the present.
        """
        add = self._nodes_for(pending, empty, max_pods) - coming
        add = min(add, self._maximum - len(nodes) - coming)
        there = {node.number for node in nodes if node.ready}  # not those that have gone, drain or are lost
        self._idle_since = {number: since for number, since in self._idle_since.items() if number in there}
        for node in nodes:
            busiest = max(
                (taken * 1000 // room for taken, room in
                 ((node.taken.cpu, node.room.cpu), (node.taken.memory, node.room.memory)) if room),
                default=0,
            )  # fmt: skip
            if node.ready and busiest < 500 and node.number not in fixed and not pending:
                self._idle_since.setdefault(node.number, now)
            else:
                self._idle_since.pop(node.number, None)
        if add > 0:
            return NodeScaling(add=add)
        return NodeScaling(remove=self._removable(nodes, now))

    def _nodes_for(self, pending: Sequence[Resources], empty: Resources, max_pods: int) -> int:
        """First fit of the pending pods into empty nodes; pods that no empty node takes ask for nothing."""
        bins: list[tuple[Resources, int]] = []
        firsts: dict[
            Resources, int
        ] = {}  # by request, the first bin that may have room: those before never have it again
        for request in pending:
            if not request.fits_in(empty):
                continue
            at = firsts.get(request, 0)
            while at < len(bins) and not (bins[at][1] < max_pods and request.fits_in(bins[at][0])):
                at += 1
            firsts[request] = at
            if at == len(bins):
                bins.append((empty, 0))
            free, pods = bins[at]
            bins[at] = (free - request, pods + 1)
        return len(bins)

    def _removable(self, nodes: Sequence[NodeView], now: Micros) -> tuple[int, ...]:
        """At most one at a time, the highest number first, and only what fits elsewhere."""
        if len(nodes) <= self._minimum or (self._added_at is not None and now - self._added_at < self._after_add):
            return ()
        for number in sorted(self._idle_since, reverse=True):
            if now - self._idle_since[number] < self._unneeded:
                continue
            leaving = next(node for node in nodes if node.number == number)
            free = [node.room - node.taken for node in nodes if node.number != number and node.ready]
            if not leaving.pods or any(leaving.taken.fits_in(room) for room in free):
                del self._idle_since[number]
                return (number,)
        return ()
