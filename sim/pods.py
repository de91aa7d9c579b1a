"""Pods of the simulated cluster: from wanted to gone, along `domain.lifecycles.POD` (semantics §6.3).

A pod's number is its replica's number in the data plane. What a pod tells the router arrives `router_lag` late; our own
decision to end it is known at once.
"""

from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from operator import attrgetter, itemgetter
from typing import Final, Protocol

from akstwin.clock import Micros
from akstwin.cores.serving import PodFacts
from akstwin.dataplane import ContainerSpec, DataPlane, ExitCause, InitOutcome
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.lifecycles import POD, PodEvent, PodState
from akstwin.domain.profile import ModelProfile
from akstwin.domain.resources import Resources
from akstwin.domain.service import VersionSpec
from akstwin.domain.units import megabytes, millicores
from akstwin.kubernetes_model import kubelet, memory
from akstwin.sim.calendar import Calendar, Order, Timer, key
from akstwin.sim.models import ModelDraws
from akstwin.sim.nodes import Node, Nodes
from akstwin.sim.recording import Recorders, ServiceRecorders


class PodOwner(Protocol):
    """The service that a pod belongs to."""

    name: str
    plane: DataPlane
    recorders: ServiceRecorders

    def pods_changed(self, version: str) -> None:
        """A pod of the version is in another state; nothing may be done to pods before this call has returned."""
        ...

    def pod_noted(self, at: Micros, kind: str, pod: "Pod", detail: str) -> None:
        """Something worth a line happened to the pod."""
        ...


@dataclass(frozen=True, slots=True)
class PodTemplate:
    """What pods are made from.

    Attributes:
        version: whose they are, with its settings.
        revision: grows with every change of the template.
        image: what is pulled.
        model: what their containers cost.
    """

    version: VersionSpec
    revision: int
    image: str
    model: ModelProfile


class Pod:
    """One pod."""

    __slots__ = (
        "container_since",
        "draws",
        "eviction",
        "group",
        "name",
        "node",
        "number",
        "ordinal",
        "owner",
        "restarts",
        "restarts_in_row",
        "seen",
        "state",
        "template",
        "timer",
        "told",
        "unschedulable_since",
    )  # fmt: skip

    def __init__(
        self,
        number: int,
        ordinal: int,
        template: PodTemplate,
        owner: PodOwner,
        draws: ModelDraws,
        group: "PodGroup",
    ) -> None:
        self.number = number
        self.group = group
        self.ordinal = ordinal  # among its version's pods: chance goes by it, so that other versions disturb none
        self.template = template
        self.name = f"{template.version.name}-{number}"  # once: all events of the pod share it
        self.owner = owner
        self.draws = draws
        self.state = POD.initial
        self.node: Node | None = None
        self.unschedulable_since: Micros | None = None
        self.container_since: Micros | None = None
        self.restarts = 0
        self.restarts_in_row = 0
        self.seen = False
        self.told = 0  # messages to the router so far: they arrive in their order
        self.timer: Timer | None = None
        self.eviction: Timer | None = None

    def __repr__(self) -> str:
        return f"<Pod {self.name} {self.state}>"

    @property
    def version(self) -> str:
        """The version it serves."""
        return self.template.version.name

    @property
    def namespace(self) -> str | None:
        """Where it lives; None: in the workspace's own namespace."""
        return self.template.version.settings.namespace

    @property
    def ready(self) -> bool:
        """Whether it is available."""
        return self.state is PodState.READY

    @property
    def in_service(self) -> bool:
        """Whether it is available and the router has seen that: from then on it can stand in for another."""
        return self.ready and self.seen

    @property
    def staying(self) -> bool:
        """Whether it is not on its way out."""
        return self.state not in (PodState.TERMINATING, PodState.GONE)


class RevisionCounts:
    """Pods of one revision that are not on their way out.

    Attributes:
        staying: all of them.
        ready: those that are ready.
        in_service: those that the router has seen ready.
        restarts: how many have been restarted so often in a row; pods that never were are not counted.
    """

    __slots__ = ("in_service", "ready", "restarts", "staying")

    def __init__(self) -> None:
        self.staying = 0
        self.ready = 0
        self.in_service = 0
        self.restarts: dict[int, int] = {}


class PodGroup:
    """The pods of one version of one service, counted as they change.

    Attributes:
        pods: by number, the oldest first.
        waiting: those that fit nowhere, the longest waiting first.
        ready: ready pods, those on their way out among them.
        staying: pods that are not on their way out.
        exits: how often a container has ended.
        killed_for: why the container that ended last was killed; empty: it ended otherwise.
        revisions: pods that are not on their way out, by the revision of their template.
    """

    __slots__ = ("exits", "killed_for", "pods", "ready", "revisions", "staying", "waiting")

    def __init__(self) -> None:
        self.pods: dict[int, Pod] = {}
        self.waiting: dict[int, Pod] = {}
        self.ready = 0
        self.staying = 0
        self.exits = 0
        self.killed_for = ""
        self.revisions: dict[int, RevisionCounts] = {}

    def count(self, pod: Pod, change: int) -> None:
        """Count the pod as it is now: -1 before it changes, 1 after."""
        ready = change * pod.ready
        self.ready += ready
        if not pod.staying:
            return
        self.staying += change
        of = self.revisions.get(pod.template.revision)
        if of is None:
            of = self.revisions[pod.template.revision] = RevisionCounts()
        of.staying += change
        of.ready += ready
        of.in_service += change * pod.in_service
        row = pod.restarts_in_row
        if row:
            of.restarts[row] = of.restarts.get(row, 0) + change
            if not of.restarts[row]:
                del of.restarts[row]
        if not of.staying:
            del self.revisions[pod.template.revision]

    def facts(self, revision: int) -> PodFacts:
        """What a service has to know of them.

        Args:
            revision: the present one.
        """
        present = self.revisions.get(revision, _NO_PODS)
        return PodFacts(
            self.staying,
            self.ready,
            present.ready,
            self.staying - present.staying,
            max(present.restarts, default=0),
            self.exits,
            present.in_service,
            sum(of.in_service for of in self.revisions.values()),
        )


_NO_PODS: Final = RevisionCounts()


class Pods:
    """All pods of the cluster.

    Args:
        nodes: where they run.
        assumptions: what is assumed of them.
        calendar: tells the time.
        recorders: hear what happens.
    """

    def __init__(self, nodes: Nodes, assumptions: Assumptions, calendar: Calendar, recorders: Recorders) -> None:
        self._nodes = nodes
        self._assumptions = assumptions
        self._calendar = calendar
        self._recorders = recorders
        self._pods: dict[int, Pod] = {}
        self._groups: dict[PodOwner, dict[str, PodGroup]] = {}
        self._pending: dict[Resources, dict[int, Pod]] = {}
        """Pods that fit nowhere, by what they request: what one of them has no room for, none of them has."""
        self._latest = 0
        self._ordinals: dict[tuple[PodOwner, str], int] = {}
        self._pull_factors: list[float] = []
        self._failing_init: dict[tuple[PodOwner, str], int] = {}
        self._reserved: dict[PodOwner, int] = {}
        self.on_reserved: Callable[[str, int], None] = lambda _service, _cpu: None
        """Called with a service and the CPU that its pods have reserved on nodes, thousandths of a core, when that changes."""
        self.extra = Resources(millicores(assumptions.sidecar_cpu), megabytes(assumptions.sidecar_memory_gb))
        """What the side-car adds to every pod's request."""
        self.watchers: list[Callable[[Pod], None]] = []
        """Called with a pod whose state, or the router's view of it, has changed."""
        nodes.autoscale(self._unplaced, self._drain, self._place_pending)

    def get(self, number: int) -> Pod | None:
        """The pod of that number, if it is not gone."""
        return self._pods.get(number)

    @property
    def all(self) -> list[Pod]:
        """The pods that are not gone, the oldest first."""
        return list(self._pods.values())

    def groups(self, owner: PodOwner) -> dict[str, PodGroup]:
        """The owner's pods by version; a version that has had none is missing."""
        return self._groups.setdefault(owner, {})

    def forget(self, owner: PodOwner) -> None:
        """The owner and all its pods are gone."""
        self._groups.pop(owner, None)
        for numbers in (self._ordinals, self._failing_init):
            for known in [known for known in numbers if known[0] is owner]:
                del numbers[known]
        self._reserved.pop(owner, None)

    def unschedulable(self, owner: PodOwner, version: str | None = None) -> tuple[Pod | None, int]:
        """Of the owner's pods that fit nowhere, of one version or all, the longest waiting one, and how many there are."""
        groups = self.groups(owner)
        chosen = list(groups.values()) if version is None else [groups[version]] if version in groups else []
        heads = [next(iter(group.waiting.values())) for group in chosen if group.waiting]
        return min(heads, key=attrgetter("number"), default=None), sum(len(group.waiting) for group in chosen)

    def request_of(self, version: VersionSpec) -> Resources:
        """What a pod of the version requests, side-car included."""
        return version.settings.request + self.extra

    def create(self, template: PodTemplate, owner: PodOwner, draws: ModelDraws) -> Pod:
        """A new pod; it looks for a node at once."""
        pod = self._new(template, owner, draws)
        self._note(pod, "pod_created")
        if not self._place(pod):
            pod.unschedulable_since = self._calendar.now
            self._pending.setdefault(self.request_of(template.version), {})[pod.number] = pod
            pod.group.waiting[pod.number] = pod
            self._note(pod, "pod_unschedulable")
        return pod

    def create_ready(self, template: PodTemplate, owner: PodOwner, draws: ModelDraws) -> Pod | None:
        """A pod whose start lies in the past: its container counts from now. None: it fits nowhere."""
        pod = self._new(template, owner, draws)
        pod.node = self._find_node(pod)
        if pod.node is None:
            pod.group.count(pod, -1)
            del self._pods[pod.number], pod.group.pods[pod.number]
            return None
        pod.node.images[template.image] = self._calendar.now
        pod.container_since = self._calendar.now
        for event in (PodEvent.SCHEDULED, PodEvent.PULLED, PodEvent.PASSED):
            self._step(pod, event)
        owner.plane.start_container(pod.number, self._container(pod), ready=True)
        outcome = owner.plane.initialise_container(pod.number)
        owner.plane.admit(pod.version, pod.number)
        self._see(pod, ready=True)
        if outcome != "pending":
            self._started(pod, outcome)
        return pod

    def delete(self, pod: Pod) -> None:
        """End the pod: no requests from now on, what it holds may finish within the grace."""
        pod.owner.plane.withdraw(pod.version, pod.number)
        runs = POD.step(pod.state, PodEvent.DELETED) is PodState.TERMINATING
        self._step(pod, PodEvent.DELETED)
        self._cancel(pod)
        if not runs:
            self._gone(pod)
        elif pod.node is not None and not pod.node.lost:
            pod.owner.plane.stop_container(pod.number, self._assumptions.termination_grace)

    # -- what the data plane reports

    def container_exited(self, number: int, cause: ExitCause = "other") -> None:
        """The pod's container has ended."""
        pod = self._pods.get(number)
        if pod is None:
            return
        if pod.state is PodState.TERMINATING:
            self._step(pod, PodEvent.STOPPED)
            self._gone(pod)
        else:
            pod.group.killed_for = ""
            if cause == "OOMKilled":
                template = pod.template
                pod.group.killed_for = memory.explanation(
                    template.model.memory, memory.limit(template.version.settings)
                )
                self._note(pod, "oom_killed", pod.group.killed_for)
            self._exited(pod)

    def liveness_failed(self, number: int) -> None:
        """The container is stopped; the pod counts as ready until it has exited, as in Kubernetes."""
        pod = self._pods.get(number)
        if pod is not None:
            self._note(pod, "liveness_failed")
            pod.owner.plane.stop_container(number, self._assumptions.termination_grace)

    def readiness_changed(self, number: int, ready: bool) -> None:
        """The readiness probe has come to another verdict."""
        pod = self._pods.get(number)
        if pod is None:
            return
        event = PodEvent.PASSED if ready else PodEvent.LAPSED
        if POD.allows(pod.state, event):
            self._step(pod, event)
            self._note(pod, "pod_ready" if ready else "pod_not_ready")
            self._tell_router(pod)

    # -- faults

    def lose_node(self, number: int) -> None:
        """The node falls silent."""
        node = self._nodes.get(number)
        if node is None:
            return
        node.losses += 1
        if node.losses > 1:  # silent already, for another reason
            return
        node.lost_at = since = self._calendar.now
        self._recorders.happened(self._calendar.now, "node_lost", f"node {number}")
        node.images = {image: at for image, at in node.images.items() if at <= self._calendar.now}
        for pod in self._on(node):
            self._cancel(pod)
            if pod.state in _WITH_CONTAINER:
                pod.owner.plane.silence(pod.number)
        self._calendar.at(
            kubelet.node_silence(since, self._assumptions).noticed_at,
            Order.POD,
            lambda: self._node_noticed(node, since),
            key(0, node.number),
        )

    def restore_node(self, number: int) -> None:
        """The node is back, with the pods that have not been replaced."""
        node = self._nodes.get(number)
        if node is None or not node.lost:
            return
        node.losses -= 1
        if node.lost:  # another reason goes on
            return
        node.noticed = False
        self._nodes.came_free()
        self._recorders.happened(self._calendar.now, "node_back", f"node {number}")
        for pod in self._on(node):
            if pod.eviction is not None:
                pod.eviction.cancel()
                pod.eviction = None
            if pod.state in _WITH_CONTAINER:
                pod.owner.plane.restore(pod.number)
            self._go_on(pod, node)
        self._place_pending()

    def _go_on(self, pod: Pod, node: Node) -> None:
        """Its node is back: what was interrupted begins anew."""
        match pod.state:
            case PodState.NOT_READY if self._assumptions.readiness == "immediate":
                self._step(pod, PodEvent.PASSED)
                self._tell_router(pod)
            case PodState.PULLING:
                self._pull(pod, node)
            case PodState.STARTING:
                self._init(pod)
            case PodState.BACKING_OFF:
                self._restart(pod)
            case PodState.TERMINATING:
                pod.owner.plane.stop_container(pod.number, self._assumptions.termination_grace)
            case _:
                pass

    def slow_pulls(self, factor: float) -> None:
        """Pulls that begin from now on take this many times as long."""
        insort(self._pull_factors, factor)  # multiplied in this order, whichever fault came first

    def normal_pulls(self, factor: float) -> None:
        """The end of `slow_pulls` with that factor."""
        self._pull_factors.remove(factor)

    def fail_init(self, owner: PodOwner, version: str, *, failing: bool) -> None:
        """`init()` of the version's containers raises, or does so no more."""
        of = (owner, version)
        self._failing_init[of] = self._failing_init.get(of, 0) + (1 if failing else -1)

    # -- a pod's way

    def _new(self, template: PodTemplate, owner: PodOwner, draws: ModelDraws) -> Pod:
        self._latest += 1
        of = (owner, template.version.name)
        ordinal = self._ordinals[of] = self._ordinals.get(of, 0) + 1
        group = self.groups(owner).setdefault(template.version.name, PodGroup())
        pod = Pod(self._latest, ordinal, template, owner, draws, group)
        self._pods[pod.number] = group.pods[pod.number] = pod
        group.count(pod, 1)
        return pod

    def _note(self, pod: Pod, kind: str, detail: str = "") -> None:
        now = self._calendar.now
        pod.owner.recorders.happened(now, kind, pod.name, detail)
        pod.owner.pod_noted(now, kind, pod, detail)

    def _step(self, pod: Pod, event: PodEvent) -> None:
        pod.group.count(pod, -1)
        pod.state = POD.step(pod.state, event)
        pod.group.count(pod, 1)
        for watcher in self.watchers:
            watcher(pod)

    def _see(self, pod: Pod, *, ready: bool) -> None:
        """The router has learned whether it is ready."""
        pod.group.count(pod, -1)
        pod.seen = ready
        pod.group.count(pod, 1)
        for watcher in self.watchers:
            watcher(pod)

    def _count_restarts(self, pod: Pod, in_row: int) -> None:
        pod.group.count(pod, -1)
        pod.restarts_in_row = in_row
        pod.group.count(pod, 1)

    def _changed(self, pod: Pod) -> None:
        pod.owner.pods_changed(pod.version)

    def _cancel(self, pod: Pod) -> None:
        if pod.timer is not None:
            pod.timer.cancel()
            pod.timer = None

    def _after(self, pod: Pod, span: int, action: Callable[[], None]) -> None:
        pod.timer = self._calendar.after(span, Order.POD, action, key(pod.number))

    def _find_node(self, pod: Pod) -> Node | None:
        template, request = pod.template, self.request_of(pod.template.version)
        node = self._nodes.place(pod.number, request, self._full_load(template))
        if node is not None:
            self._reserve(pod.owner, request.cpu)
        return node

    def _reserve(self, owner: PodOwner, change: int) -> None:
        reserved = self._reserved[owner] = self._reserved.get(owner, 0) + change
        self.on_reserved(owner.name, reserved)

    def _full_load(self, template: PodTemplate) -> int | None:
        """CPU that such a pod wants with all workers busy: never more than its limit, and the side-car."""
        wanted, limit = full_load(template.model), template.version.settings.cpu_limit
        if wanted is None:
            return None
        return (wanted if limit is None else min(wanted, limit)) + self.extra.cpu

    def _place(self, pod: Pod) -> bool:
        node = self._find_node(pod)
        if node is None:
            return False
        pod.node = node
        self._end_waiting(pod)
        self._step(pod, PodEvent.SCHEDULED)
        self._note(pod, "pod_scheduled", f"node {node.number}")
        if not node.lost:  # nobody has noticed yet: the pod waits for the node, or to be replaced
            self._pull(pod, node)
        return True

    def _place_pending(self) -> None:
        """Room has come free: those that wait longest first."""
        heads = [(next(iter(pods)), request) for request, pods in self._pending.items() if self._nodes.may_fit(request)]
        heads.sort(key=itemgetter(0))
        while heads:
            number, request = heads.pop(0)
            pod = self._pending[request][number]
            if self._place(pod):
                self._changed(pod)
                if request in self._pending:
                    insort(heads, (next(iter(self._pending[request])), request), key=itemgetter(0))

    def _end_waiting(self, pod: Pod) -> None:
        """It has been given a node, or is gone."""
        if pod.unschedulable_since is None:
            return
        pod.unschedulable_since = None
        request = self.request_of(pod.template.version)
        del self._pending[request][pod.number], pod.group.waiting[pod.number]
        if not self._pending[request]:
            del self._pending[request]

    def _pull(self, pod: Pod, node: Node) -> None:
        now = self._calendar.now
        image = pod.template.image
        pull = kubelet.pull(node.images.get(image), now, self._pull_factors, self._assumptions)
        node.images[image] = pull.there_at
        self._after(pod, pull.lasts, lambda: self._pulled(pod))

    def _pulled(self, pod: Pod) -> None:
        self._step(pod, PodEvent.PULLED)
        self._start(pod)

    def _start(self, pod: Pod) -> None:
        pod.container_since = self._calendar.now
        mounts = pod.template.version.arguments.blobfuse_enabled
        if mounts is not None and not pod.restarts:  # the way is named where it was chosen
            detail = "by blobfuse" if mounts else "by the init container"
            pod.owner.pod_noted(self._calendar.now, "models_mounted" if mounts else "models_copied", pod, detail)
        pod.owner.plane.start_container(pod.number, self._container(pod))
        self._note(pod, "container_started")
        self._init(pod)
        self._changed(pod)

    def _init(self, pod: Pod) -> None:
        self._after(pod, pod.draws.init_time(pod.ordinal, pod.restarts), lambda: self._initialised(pod))

    def _initialised(self, pod: Pod) -> None:
        pod.timer = None
        broken = self._failing_init.get((pod.owner, pod.version), 0) > 0
        outcome = "failed" if broken else pod.owner.plane.initialise_container(pod.number)
        if outcome != "pending":
            self._started(pod, outcome)

    def init_ended(self, number: int, outcome: InitOutcome) -> None:
        """An `init()` that took real time has ended."""
        pod = self._pods.get(number)
        if pod is not None:
            self._started(pod, outcome)

    def _started(self, pod: Pod, outcome: InitOutcome) -> None:
        if outcome == "failed":
            self._note(pod, "init_failed")
            pod.owner.plane.kill_container(pod.number)
            return
        if outcome == "killed":  # `container_exited` follows
            return
        if outcome == "hung":  # until the liveness probe ends it
            self._note(pod, "init_hung")
            return
        if self._assumptions.readiness == "immediate" and pod.state is PodState.STARTING:
            self._step(pod, PodEvent.PASSED)
            self._note(pod, "pod_ready")
            self._tell_router(pod)

    def _exited(self, pod: Pod) -> None:
        """The container is gone: it is started again, the first time at once, then later and later."""
        now = self._calendar.now
        was_ready = pod.ready
        self._cancel(pod)
        self._step(pod, PodEvent.EXITED)
        ran = 0 if pod.container_since is None else now - pod.container_since
        restart = kubelet.restart(pod.restarts_in_row, ran, self._assumptions)
        self._count_restarts(pod, restart.in_row)
        pod.group.exits += 1
        self._note(pod, "container_exited")
        if was_ready:
            self._tell_router(pod)
        if pod.node is not None and not pod.node.lost:
            self._after(pod, restart.after, lambda: self._restart(pod))
        self._changed(pod)

    def _restart(self, pod: Pod) -> None:
        pod.restarts += 1
        self._count_restarts(pod, pod.restarts_in_row + 1)
        self._step(pod, PodEvent.RESTARTED)
        self._start(pod)

    def _gone(self, pod: Pod) -> None:
        pod.owner.plane.forget(pod.version, pod.number)
        if pod.eviction is not None:
            pod.eviction.cancel()
        del self._pods[pod.number], pod.group.pods[pod.number]
        self._end_waiting(pod)
        if pod.node is not None:
            self._reserve(pod.owner, -pod.node.pods[pod.number].cpu)
            self._nodes.leave(pod.number, pod.node)
        self._note(pod, "pod_gone")
        self._place_pending()  # those that have waited go before a replacement
        self._changed(pod)

    def _tell_router(self, pod: Pod) -> None:
        """News of a change reaches the router late, in the order in which it happened."""
        ready = pod.ready

        def tell() -> None:
            if pod.state is PodState.GONE:
                return
            self._see(pod, ready=ready)
            if ready:
                pod.owner.plane.admit(pod.version, pod.number)
                self._changed(pod)
            else:
                pod.owner.plane.suspend(pod.version, pod.number)

        pod.told += 1
        self._calendar.after(self._assumptions.router_lag, Order.ROUTER_VIEW, tell, key(pod.number, pod.told))
        self._changed(pod)

    # -- nodes

    def _on(self, node: Node) -> list[Pod]:
        return [self._pods[number] for number in node.pods]

    def _node_noticed(self, node: Node, since: int) -> None:
        if not node.lost or node.lost_at != since or node.noticed:  # it was back meanwhile, perhaps for no time at all
            return
        node.noticed = True
        self._recorders.happened(self._calendar.now, "node_not_ready", f"node {node.number}")
        for pod in self._on(node):
            if pod.ready:
                self._step(pod, PodEvent.LAPSED)
                self._tell_router(pod)
            pod.eviction = self._calendar.at(
                kubelet.node_silence(since, self._assumptions).evicted_at,
                Order.POD,
                partial(self._evict, pod),
                key(pod.number, 1),
            )

    def _evict(self, pod: Pod) -> None:
        self._note(pod, "pod_evicted")
        pod.owner.plane.withdraw(pod.version, pod.number)
        self._step(pod, PodEvent.EVICTED)
        self._gone(pod)

    def _unplaced(self) -> list[Resources]:
        waiting = sorted(
            ((number, request) for request, pods in self._pending.items() for number in pods), key=itemgetter(0)
        )
        return [request for _, request in waiting]

    def _drain(self, node: Node) -> None:
        for pod in self._on(node):
            if pod.staying:
                self.delete(pod)
                self._changed(pod)  # another takes its place now, not when this one has finished its work

    def _container(self, pod: Pod) -> ContainerSpec:
        version = pod.template.version
        return ContainerSpec(
            version.name,
            pod.template.model,
            stretch(version, pod.template.model),
            version.settings.liveness,
            kubelet.readiness_probe(self._assumptions),
            version.code,
            memory.limit(version.settings),
        )


_WITH_CONTAINER = (PodState.STARTING, PodState.READY, PodState.NOT_READY, PodState.TERMINATING)


def full_load(model: ModelProfile) -> int | None:
    """Thousandths of a core that a container wants with all workers busy; None: not told."""
    return None if model.cpu is None else millicores(model.cpu) * model.workers


def stretch(version: VersionSpec, model: ModelProfile) -> tuple[int, int]:
    """How much longer requests take under the container's CPU limit, taken at full load (semantics §6.7)."""
    wanted, limit = full_load(model), version.settings.cpu_limit
    if wanted is None or limit is None or limit >= wanted:
        return (1, 1)
    return (wanted, limit)
