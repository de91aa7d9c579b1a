"""The simulated cluster's nodes: room, images, loss and return, and the cluster autoscaler's driver."""

from collections.abc import Callable
from dataclasses import dataclass, field

from akstwin.clock import SECOND, Micros
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.cluster import ClusterSpec, VmSize, capacity, check_cluster, reserved
from akstwin.domain.resources import Resources
from akstwin.domain.units import megabytes, millicores
from akstwin.errors import InvalidSetting
from akstwin.kubernetes_model.scheduling import LeastAllocated, NodeAutoscaler, NodeView, place_routers
from akstwin.sim.calendar import Calendar, Order, key
from akstwin.sim.recording import Recorders

_AFTER_NODES = (1 << 48) - 1
"""Of what happens at one instant, nodes come and are noticed first, then the autoscaler looks, then pods have their turn."""
_PROVISION_RETRY = Micros(180 * SECOND)
"""How long the cluster autoscaler waits after a node that did not come (source K5)."""


@dataclass(slots=True)
class Node:
    """One node.

    Attributes:
        number: 1, 2, …
        room: what pods may request on it.
        routers: router pods on it.
        taken: requested by all pods on it, router pods included.
        pods: what each other pod on it requests, by pod number.
        images: image to the instant at which it is there.
        wants: CPU that each pod's containers want at full load, by pod number, thousandths of a core.
        losses: reasons for which it is silent now.
        lost_at: since when, the last time.
        noticed: Kubernetes knows that it is.
        draining: the cluster autoscaler is removing it.
        wanted: CPU that all its containers want at full load.
    """

    number: int
    room: Resources
    routers: int = 0
    taken: Resources = field(default_factory=Resources)
    pods: dict[int, Resources] = field(default_factory=dict)
    images: dict[str, int] = field(default_factory=dict)
    wants: dict[int, int] = field(default_factory=dict)
    losses: int = 0
    lost_at: int = -1
    noticed: bool = False
    draining: bool = False
    wanted: int = 0
    requested_cpu: int = 0
    """By all pods but router pods."""

    def enter(self, pod: int, request: Resources, full_load: int | None) -> None:
        """A pod has been given to the node; `full_load` is the CPU that its containers want, None: not told."""
        self.pods[pod] = request
        self.taken += request
        self.requested_cpu += request.cpu
        if full_load is not None:
            self.wants[pod] = full_load
            self.wanted += full_load

    def leave(self, pod: int) -> bool:
        """The pod has left it; whether what it wants was told."""
        request = self.pods.pop(pod)
        self.taken -= request
        self.requested_cpu -= request.cpu
        full_load = self.wants.pop(pod, None)
        self.wanted -= full_load or 0
        return full_load is not None

    @property
    def lost(self) -> bool:
        """Whether it is silent."""
        return self.losses > 0

    @property
    def oversubscribed(self) -> bool:
        """Whether its containers, all busy, want more CPU than it has beside AKS, the daemons and the routers."""
        routers = self.taken.cpu - self.requested_cpu
        return self.wanted > self.room.cpu - routers

    def takes_pods(self, most: int) -> bool:
        """Whether it takes pods, and has fewer than the most."""
        return len(self.pods) + self.routers < most and not (self.noticed or self.draining)

    def view(self) -> NodeView:
        """The node as the scheduler sees it."""
        return NodeView(
            self.number, self.room, self.taken, len(self.pods) + self.routers, not (self.noticed or self.draining)
        )


class Nodes:
    """All nodes of the cluster.

    Args:
        spec: what the cluster is.
        assumptions: what is assumed of it.
        calendar: tells the time.
        recorders: hear what happens.
    """

    def __init__(self, spec: ClusterSpec, assumptions: Assumptions, calendar: Calendar, recorders: Recorders) -> None:
        check_cluster(spec, assumptions)
        self._spec = spec
        self._assumptions = assumptions
        self._calendar = calendar
        self._recorders = recorders
        self._all: dict[int, Node] = {}
        self._preferred = LeastAllocated(self.empty_room())
        self._fit_nowhere: set[Resources] = set()
        """Requests that no node has had room for since some last came free."""
        self._oversubscribed: set[int] = set()
        self._latest = 0
        self._coming = 0
        self._retry_at = 0
        self._autoscaler: NodeAutoscaler | None = None
        self.on_count: Callable[[int], None] = lambda _: None
        """Called with the number of nodes whenever it changes."""
        self.on_oversubscribed: Callable[[int], None] = lambda _: None
        """Called with the number of nodes whose containers want more CPU than there is, whenever one comes or goes."""
        for _ in range(spec.nodes):
            self._add()
        self._place_routers()

    @property
    def size(self) -> VmSize:
        """What each node is."""
        return self._spec.vm_size

    @property
    def all(self) -> list[Node]:
        """The nodes there are, by number."""
        return list(self._all.values())

    def get(self, number: int) -> Node | None:
        """The node of that number."""
        return self._all.get(number)

    def views(self) -> list[NodeView]:
        """The nodes as the scheduler sees them."""
        return [node.view() for node in self._all.values()]

    def place(self, pod: int, request: Resources, full_load: int | None) -> Node | None:
        """Find a node for the pod and take the room; None: there is none.

        Args:
            pod: its number.
            request: what the scheduler counts.
            full_load: CPU that its containers want with all workers busy, thousandths of a core; None: not told.
        """
        node = self._with_room(request)
        if node is None:
            self._fit_nowhere.add(request)
            return None
        node.enter(pod, request, full_load)
        self._preferred.put(node.number, node.taken)
        if full_load is not None:
            self._count_oversubscribed(node)
        return node

    def _with_room(self, request: Resources) -> Node | None:
        """The node that `kubernetes_model.scheduling.place` chooses."""
        if request in self._fit_nowhere:
            return None
        most = self._assumptions.max_pods_per_node
        for number in self._preferred:
            node = self._all[number]
            if node.takes_pods(most) and (node.taken + request).fits_in(node.room):
                return node
        return None

    def may_fit(self, request: Resources) -> bool:
        """Whether room may have come free for the request since it last fitted nowhere."""
        return request not in self._fit_nowhere

    def came_free(self) -> None:
        """Some node has more room than before, or takes pods again."""
        self._fit_nowhere.clear()

    def leave(self, pod: int, node: Node) -> None:
        """The pod has left the node."""
        told = node.leave(pod)
        self._preferred.put(node.number, node.taken)
        self.came_free()
        if told:
            self._count_oversubscribed(node)
        if node.draining and not node.pods:
            self._remove(node)

    def _count_oversubscribed(self, node: Node) -> None:
        if node.oversubscribed:
            self._oversubscribed.add(node.number)
        else:
            self._oversubscribed.discard(node.number)
        self.on_oversubscribed(len(self._oversubscribed))

    def empty_room(self) -> Resources:
        """Room of a node without pods."""
        size, kept = self._spec.vm_size, self._assumptions
        daemons = Resources(millicores(kept.node_daemons_cpu), megabytes(kept.node_daemons_memory_gb))
        return capacity(size) - reserved(size, kept.max_pods_per_node) - daemons

    # -- the cluster autoscaler

    def autoscale(
        self, pending: Callable[[], list[Resources]], drain: Callable[[Node], None], joined: Callable[[], None]
    ) -> None:
        """Switch the cluster autoscaler on, if the cluster has one.

        Args:
            pending: requests of the pods that fit nowhere.
            drain: ends the pods of a node.
            joined: called when a node has come.
        """
        if self._spec.max_nodes is None:
            return
        self._autoscaler = NodeAutoscaler(
            self._spec.nodes, self._spec.max_nodes,
            self._assumptions.node_autoscaler_unneeded, self._assumptions.node_autoscaler_after_add,
        )  # fmt: skip
        self._scan(pending, drain, joined)

    def _scan(
        self, pending: Callable[[], list[Resources]], drain: Callable[[Node], None], joined: Callable[[], None]
    ) -> None:
        assert self._autoscaler is not None  # noqa: S101
        now = self._calendar.now
        if now >= self._retry_at:
            fixed = {node.number: node.taken for node in self.all if node.routers}
            decision = self._autoscaler.look(
                pending(), self.views(), fixed, self._coming, self.empty_room(),
                self._assumptions.max_pods_per_node, now,
            )  # fmt: skip
            for _ in range(decision.add):
                self._ask(joined)
            for number in decision.remove:
                node = self._all[number]
                node.draining = True
                self._recorders.happened(now, "node_draining", f"node {number}")
                if node.pods:
                    drain(node)  # the last pod to leave takes the node with it, at once if none of them runs
                else:
                    self._remove(node)
        self._calendar.after(
            self._assumptions.node_autoscaler_scan,
            Order.POD,
            lambda: self._scan(pending, drain, joined),
            key(0, _AFTER_NODES),
        )

    def _ask(self, joined: Callable[[], None]) -> None:
        self._coming += 1
        self._recorders.happened(self._calendar.now, "node_requested", "cluster")
        cap = self._assumptions.node_autoscaler_provision_cap
        if self._assumptions.node_provision <= cap:
            self._calendar.after(self._assumptions.node_provision, Order.POD, lambda: self._joins(joined))
        else:
            self._calendar.after(cap, Order.POD, self._given_up)

    def _joins(self, joined: Callable[[], None]) -> None:
        self._coming -= 1
        node = self._add()
        if self._autoscaler is not None:
            self._autoscaler.added(self._calendar.now)
        self._recorders.happened(self._calendar.now, "node_joined", f"node {node.number}")
        joined()

    def _given_up(self) -> None:
        self._coming -= 1
        self._retry_at = self._calendar.now + _PROVISION_RETRY
        self._recorders.happened(self._calendar.now, "node_given_up", "cluster")

    # -- coming and going

    def _add(self) -> Node:
        self._latest += 1
        node = self._all[self._latest] = Node(self._latest, self.empty_room())
        self._preferred.put(node.number, node.taken)
        self.came_free()
        self.on_count(len(self._all))
        return node

    def _remove(self, node: Node) -> None:
        del self._all[node.number]
        self._preferred.drop(node.number)
        self._oversubscribed.discard(node.number)
        self._recorders.happened(self._calendar.now, "node_removed", f"node {node.number}")
        self.on_count(len(self._all))

    def _place_routers(self) -> None:
        kept = self._assumptions
        request = Resources(millicores(kept.router_cpu), megabytes(kept.router_memory_gb))
        count: int = getattr(kept.router_pods, self._spec.purpose)
        placed = place_routers(count, request, self.views())
        if len(placed) < count:
            raise InvalidSetting(
                "cluster.vm_size", self.size.cpu_cores,
                f"large enough for the {count} router pods beside the daemons: {len(placed)} fit",
            )  # fmt: skip
        for number in placed:
            node = self._all[number]
            node.routers += 1
            node.taken += request
            self._preferred.put(node.number, node.taken)
