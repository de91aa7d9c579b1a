"""The clusters of a workspace as an operator sees them: nodes and pods, as rows of plain values."""

from collections.abc import Mapping
from typing import Any

from akstwin.clock import SECOND
from akstwin.domain.vm_sizes import name_of
from akstwin.sim.nodes import Node
from akstwin.sim.pods import Pod
from akstwin.sim.world import World

Row = dict[str, Any]


def node_rows(worlds: Mapping[str, World]) -> list[Row]:
    """The nodes of clusters, by cluster and number."""
    return [_node(name, world, node) for name, world in worlds.items() for node in world.nodes.all]


def pod_rows(
    worlds: Mapping[str, World], default_namespace: str, *, service: str | None = None, namespace: str | None = None
) -> list[Row]:
    """The pods that are not gone, the oldest of each cluster first.

    Args:
        worlds: the clusters by name.
        default_namespace: where pods without a namespace of their own live: the workspace's.
        service: only those of this service.
        namespace: only those that live there.
    """
    rows = [_pod(name, default_namespace, pod) for name, world in worlds.items() for pod in world.pods.all]
    return [row for row in rows if service in (None, row["service"]) and namespace in (None, row["namespace"])]


def _node(cluster: str, world: World, node: Node) -> Row:
    return {
        "cluster": cluster,
        "node": node.number,
        "vm_size": name_of(world.nodes.size),
        "state": "NotReady" if node.noticed else "Draining" if node.draining else "Ready",
        "pods": len(node.pods),
        "router_pods": node.routers,
        "cpu": node.room.cpu / 1000,
        "cpu_requested": node.taken.cpu / 1000,
        "memory_gb": node.room.memory / 1000,
        "memory_gb_requested": node.taken.memory / 1000,
        "gpus": node.room.gpu,
        "gpus_requested": node.taken.gpu,
    }


def _pod(cluster: str, default_namespace: str, pod: Pod) -> Row:
    return {
        "cluster": cluster,
        "namespace": pod.namespace or default_namespace,
        "service": pod.owner.name,
        "version": pod.version,
        "pod": pod.name,
        "node": None if pod.node is None else pod.node.number,
        "state": pod.state.value,
        "routed": pod.seen,
        "restarts": pod.restarts,
        "container_since": None if pod.container_since is None else pod.container_since / SECOND,
    }
