"""What all services of a manager share: the cluster as it was last seen, the clock, the bundles."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from akstwin.backend_aks import manifests, pods
from akstwin.backend_aks.api import Json, KubernetesApi
from akstwin.backend_aks.bundles import PREFIX, Bundles
from akstwin.backend_aks.pods import PodSeen
from akstwin.backend_aks.store import KubernetesStore
from akstwin.backend_aks.watching import WatchedList
from akstwin.control_plane import Content
from akstwin.domain.assumptions import Assumptions
from akstwin.router.wall_clock import WallClock

AZURES_OWN: Final = "mcr.microsoft.com/azureml/"
"""Base images that Azure built upon: none holds an inference server, so the default image stands for what was built."""


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """How a manager uses its cluster.

    Attributes:
        namespace: where services live, and what is kept of them.
        image: of the scoring containers whose service names none.
        bundle_base: URL of the manager as pods reach it.
        nodes: whether nodes may be read: without, pods on lost nodes are waited for.
    """

    namespace: str
    image: str
    bundle_base: str
    nodes: bool = True


@dataclass
class Surroundings:
    """What services share.

    Attributes:
        api: of the cluster.
        settings: how it is used.
        assumptions: limits and times.
        clock: tells the time.
        store: keeps records.
        bundles: packs contents.
        changed: called with the name of a service of which something has changed.
        failed: called with what a part of the manager cannot go on after.
    """

    api: KubernetesApi
    settings: ClusterSettings
    assumptions: Assumptions
    clock: WallClock
    store: KubernetesStore
    bundles: Bundles
    changed: Callable[[str], None] = lambda _: None
    failed: Callable[[BaseException | None], None] = lambda _: None
    _pods: dict[str, dict[str, PodSeen]] = field(default_factory=dict)
    _replicas: "count[int]" = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self._generations: dict[str, int] = {}
        self._watched_deployments = WatchedList(
            self.api, self.deployments_path, manifests.SELECTOR, self._deployment_changed
        )
        self._watched_pods = WatchedList(self.api, self.pods_path, manifests.SELECTOR, self._pod_changed)
        self._watched_nodes = WatchedList(self.api, "/api/v1/nodes", "", self._node_changed)

    # -- names

    @property
    def namespace(self) -> str:
        """Where services live."""
        return self.settings.namespace

    @property
    def epoch(self) -> float:
        """The Unix time of the clock's instant 0, s."""
        return self.clock.epoch

    @property
    def deployments_path(self) -> str:
        """The list of Deployments."""
        return f"/apis/apps/v1/namespaces/{self.namespace}/deployments"

    @property
    def pods_path(self) -> str:
        """The list of pods."""
        return f"/api/v1/namespaces/{self.namespace}/pods"

    def bundle_url(self, digest: str) -> str:
        """Where pods fetch a bundle."""
        return f"{self.settings.bundle_base}{PREFIX}{digest}"

    def image_of(self, content: Content) -> str:
        """The image of a version's containers: that of its environment, or the default."""
        request = content.request or {}
        docker = (request.get("environment") or {}).get("docker") or {}
        named = str(docker.get("baseImage") or "")
        return self.settings.image if not named or named.startswith(AZURES_OWN) else named

    def next_replica(self) -> int:
        """A number that no other replica has."""
        return next(self._replicas)

    # -- the cluster as it was last seen

    @property
    def watches(self) -> list[WatchedList]:
        """To be run."""
        return [self._watched_deployments, self._watched_pods, *([self._watched_nodes] if self.settings.nodes else [])]

    async def synced(self) -> None:
        """Return when all first lists are in: before, what is not there cannot be told from what is not yet known."""
        await asyncio.gather(*(watch.synced.wait() for watch in self.watches))

    async def settled(self) -> None:
        """Return when all that was decided is kept."""
        await self.store.settle()

    def pods_of(self, service: str) -> list[PodSeen]:
        """A service's pods, by name."""
        return list(self._pods.get(service, {}).values())

    def deployments(self) -> Mapping[str, Json]:
        """All Deployments of services, by name."""
        return {thing["metadata"]["name"]: thing for thing in self._watched_deployments.items.values()}

    def has_seen(self, name: str, generation: int) -> bool:
        """Whether a Deployment has been seen with that generation, or a later one."""
        return self._generations.get(name, 0) >= generation

    def known_nodes(self) -> Json:
        """How many nodes there are, and of which size where they have one; nothing: they may not be read."""
        nodes = list(self._watched_nodes.items.values())
        if not nodes:
            return {}
        sizes = {(node["metadata"].get("labels") or {}).get("node.kubernetes.io/instance-type") for node in nodes}
        size = sizes.pop() if len(sizes) == 1 else None
        return {"agentCount": len(nodes), **({"agentVmSize": size} if size else {})}

    def silent_nodes(self) -> frozenset[str]:
        """Nodes that the cluster has not heard of for too long."""
        return pods.silent_nodes(self._watched_nodes.items.values())

    def _deployment_changed(self, before: Json | None, after: Json | None) -> None:
        thing = after or before
        assert thing is not None  # noqa: S101
        metadata = thing["metadata"]
        self._generations[metadata["name"]] = metadata["generation"]
        service = (metadata.get("labels") or {}).get(manifests.SERVICE)
        if service:
            self.changed(service)

    def _pod_changed(self, before: Json | None, after: Json | None) -> None:
        if before is not None:
            was = pods.read_pod(before, self.epoch)
            if was is not None:
                self._pods.get(was.service, {}).pop(was.name, None)
                if after is None:
                    self.changed(was.service)
        if after is not None:
            pod = pods.read_pod(after, self.epoch)
            if pod is not None:
                self._pods.setdefault(pod.service, {})[pod.name] = pod
                self.changed(pod.service)

    def _node_changed(self, before: Json | None, after: Json | None) -> None:
        silent = pods.silent_nodes([before] if before else []) != pods.silent_nodes([after] if after else [])
        if silent:
            for service in self._pods:
                self.changed(service)
