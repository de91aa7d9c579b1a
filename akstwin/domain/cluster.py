"""The cluster: virtual machine sizes, what AKS keeps for itself, what a purpose demands."""

from bisect import bisect_left
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
)

from akstwin.domain.assumptions import Assumptions
from akstwin.domain.resources import Resources
from akstwin.domain.spec import Spec
from akstwin.domain.units import megabytes, millicores
from akstwin.domain.words import nearest
from akstwin.errors import InvalidSetting


class VmSize(Spec):
    """What one node is.

    Attributes:
        cpu_cores: virtual CPUs.
        memory_gb: memory, GB.
        gpu_cores: GPUs.
        hourly_price: price of an hour in any currency; None: unknown, and so is the cost.
    """

    cpu_cores: PositiveFloat
    memory_gb: PositiveFloat
    gpu_cores: NonNegativeInt = 0
    hourly_price: NonNegativeFloat | None = None


# Cores and memory as Azure's size pages give them. Prices are assumed: a rounded pay-as-you-go list price in US dollars
# for the Dsv5 family in West Europe. A price of one's own goes into the mapping form of `vm_size`.
VM_SIZES: Final[dict[str, VmSize]] = {
    name: VmSize(cpu_cores=cores, memory_gb=memory, gpu_cores=gpus, hourly_price=price)
    for name, cores, memory, gpus, price in (
        ("Standard_D2_v2", 2, 7, 0, None),
        ("Standard_D3_v2", 4, 14, 0, None),
        ("Standard_D4_v2", 8, 28, 0, None),
        ("Standard_D5_v2", 16, 56, 0, None),
        ("Standard_D2s_v3", 2, 8, 0, None),
        ("Standard_D4s_v3", 4, 16, 0, None),
        ("Standard_D8s_v3", 8, 32, 0, None),
        ("Standard_D16s_v3", 16, 64, 0, None),
        ("Standard_D2s_v5", 2, 8, 0, 0.115),
        ("Standard_D4s_v5", 4, 16, 0, 0.23),
        ("Standard_D8s_v5", 8, 32, 0, 0.46),
        ("Standard_D16s_v5", 16, 64, 0, 0.92),
        ("Standard_E4s_v5", 4, 32, 0, None),
        ("Standard_E8s_v5", 8, 64, 0, None),
        ("Standard_F4s_v2", 4, 8, 0, None),
        ("Standard_F8s_v2", 8, 16, 0, None),
        ("Standard_F16s_v2", 16, 32, 0, None),
        ("Standard_NC6", 6, 56, 1, None),
        ("Standard_NC6s_v3", 6, 112, 1, None),
        ("Standard_NC12s_v3", 12, 224, 2, None),
    )
}
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


def _known_size(value: Any) -> Any:
    if isinstance(value, str):
        if value not in VM_SIZES:
            raise ValueError(
                "a known virtual machine size, or {cpu_cores, memory_gb, gpu_cores, hourly_price}"
                + nearest(value, VM_SIZES)
            )
        return VM_SIZES[value]
    return value


class ClusterSpec(Spec):
    """The AKS cluster that services are deployed to.

    Attributes:
        purpose: FastProd (production: three nodes, twelve cores, three routers) or DevTest.
        nodes: how many nodes it has.
        vm_size: what a node is: a known name, or a mapping.
        max_nodes: with it the cluster autoscaler is on and may go from `nodes` up to this (clusters made by the SDK have none).
    """

    purpose: Literal["FastProd", "DevTest"] = "FastProd"
    nodes: Annotated[int, Field(ge=1, le=MOST_NODES)] = 3
    vm_size: Annotated[
        VmSize, BeforeValidator(_known_size, json_schema_input_type=str | VmSize), Field(validate_default=True)
    ] = DEFAULT_VM_SIZE  # type: ignore[assignment]
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
