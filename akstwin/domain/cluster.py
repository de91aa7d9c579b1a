"""The cluster: virtual machine sizes, what AKS keeps for itself, what a purpose demands."""

from bisect import bisect_left
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from akstwin.domain.assumptions import Assumptions
from akstwin.domain.resources import Resources
from akstwin.domain.spec import Spec
from akstwin.domain.units import megabytes, millicores
from akstwin.domain.vm_sizes import VM_SIZES, VmSize, nearest_size, spelling
from akstwin.errors import InvalidSetting

__all__ = [
    "DEFAULT_VM_SIZE",
    "MOST_NODES",
    "VM_SIZES",
    "ClusterSpec",
    "VmSize",
    "capacity",
    "check_cluster",
    "most_pods",
    "reserved",
]


MOST_NODES: Final = 5000
"""AKS takes no more in one cluster."""
DEFAULT_VM_SIZE: Final = "Standard_D3_v2"
"""What the SDK creates clusters from (semantics §2.2)."""

# CPU that AKS keeps for itself by node size, in thousandths of a core; between two sizes in proportion (source K6).
_CPU_RESERVED: Final = ((1, 60), (2, 100), (4, 140), (8, 180), (16, 260), (32, 420), (64, 740))
_EVICTION_MEMORY: Final = 100


def reserved(size: VmSize, max_pods: int) -> Resources:
    """What AKS (1.29 and later) keeps for itself on a node of this size (source K6)."""
    memory = megabytes(size.memory_gb)
    return Resources(_cpu_reserved(millicores(size.cpu_cores)), min(20 * max_pods + 50, memory // 4) + _EVICTION_MEMORY)


def _cpu_reserved(cpu: int) -> int:
    sizes = [cores * 1000 for cores, _ in _CPU_RESERVED]
    at = bisect_left(sizes, cpu)
    if at == 0:
        return _CPU_RESERVED[0][1] * cpu // sizes[0]
    if at == len(sizes):
        return _CPU_RESERVED[-1][1]
    (low, low_kept), (high, high_kept) = _CPU_RESERVED[at - 1], _CPU_RESERVED[at]
    return low_kept + (high_kept - low_kept) * (cpu - low * 1000) // ((high - low) * 1000)


def capacity(size: VmSize) -> Resources:
    """All that a node of this size has."""
    return Resources(millicores(size.cpu_cores), megabytes(size.memory_gb), size.gpu_cores)


def most_pods(assumptions: Assumptions) -> int:
    """How many pods the largest cluster holds: `MOST_NODES` nodes with `max_pods_per_node` pods each."""
    return MOST_NODES * assumptions.max_pods_per_node


def _known_size(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    name = spelling(value)
    if name is None:
        described = "{cpu_cores, memory_gb, gpu_cores, hourly_price}"
        raise ValueError(f"a known virtual machine size, or {described}{nearest_size(value)}")
    return VM_SIZES[name]


class ClusterSpec(Spec):
    """The AKS cluster that services are deployed to.

    Attributes:
        purpose: FastProd (production: three nodes, twelve cores, three routers) or DevTest.
        nodes: how many nodes it has.
        vm_size: what a node is: a known name (`akstwin sizes` lists them; the case of letters does not matter), or a mapping.
        max_nodes: with it the cluster autoscaler is on and may go from `nodes` up to this (clusters made by the SDK have none).
    """

    purpose: Literal["FastProd", "DevTest"] = "FastProd"
    nodes: Annotated[int, Field(ge=1, le=MOST_NODES)] = 3
    vm_size: Annotated[
        VmSize, BeforeValidator(_known_size, json_schema_input_type=str | VmSize), Field(validate_default=True)
    ] = DEFAULT_VM_SIZE  # type: ignore[assignment]  # its name, which is read as any other
    max_nodes: Annotated[int, Field(ge=1, le=MOST_NODES)] | None = None


def check_cluster(
    spec: ClusterSpec, assumptions: Assumptions, nodes: str = "cluster.nodes", most: str = "cluster.max_nodes"
) -> None:
    """Refuse a cluster that the service does not attach (semantics §2.2).

    Args:
        spec: what the cluster is.
        assumptions: what a FastProd cluster must have.
        nodes: what its number of nodes is called in errors.
        most: what its largest number of nodes is called.

    Raises:
        InvalidSetting: a FastProd cluster with too few nodes or cores, or a most that is under the number of nodes.
    """
    if spec.max_nodes is not None and spec.max_nodes < spec.nodes:
        raise InvalidSetting(most, spec.max_nodes, f"at least {nodes}, {spec.nodes}")
    if spec.purpose != "FastProd":
        return
    if spec.nodes < assumptions.cluster_minimum_nodes:
        raise InvalidSetting(
            nodes, spec.nodes,
            f"at least {assumptions.cluster_minimum_nodes} for a FastProd cluster (purpose: DevTest takes one)",
        )  # fmt: skip
    cores = spec.nodes * spec.vm_size.cpu_cores
    if cores < assumptions.cluster_minimum_cores:
        raise InvalidSetting(
            nodes, spec.nodes,
            f"enough: nodes times cores is {cores:g}, a FastProd cluster needs {assumptions.cluster_minimum_cores}",
        )  # fmt: skip
