"""What AKS keeps for itself (source K6), and what a cluster may be."""

import pytest
from pydantic import ValidationError

from akstwin.domain.cluster import DEFAULT_VM_SIZE, VM_SIZES, ClusterSpec, VmSize, capacity, reserved
from akstwin.domain.resources import Resources


@pytest.mark.parametrize(
    ("cores", "kept"), [(1, 60), (2, 100), (4, 140), (8, 180), (16, 260), (32, 420), (64, 740)]
)  # fmt: skip
def test_reserved_cpu_is_k6s_table(cores: float, kept: int) -> None:
    """AKS keeps these thousandths of a core at these sizes."""
    assert reserved(VmSize(cpu_cores=cores, memory_gb=1024), 110).cpu == kept


@pytest.mark.parametrize(("cores", "kept"), [(0.5, 30), (3, 120), (6, 160), (12, 220), (48, 580), (96, 740)])
def test_between_two_sizes_cpu_is_in_proportion(cores: float, kept: int) -> None:
    """The table has no row for six cores; beyond its last row it stays."""
    assert reserved(VmSize(cpu_cores=cores, memory_gb=1024), 110).cpu == kept


@pytest.mark.parametrize(
    ("memory_gb", "max_pods", "kept"),
    [
        (64, 110, 20 * 110 + 50 + 100),
        (64, 30, 20 * 30 + 50 + 100),
        (8, 110, 2000 + 100),
        (4, 110, 1000 + 100),
        (9, 110, 2250 + 100),
        (9.1, 110, 2250 + 100),
    ],
)
def test_reserved_memory_grows_with_pods_up_to_a_quarter(memory_gb: float, max_pods: int, kept: int) -> None:
    """20 MB a pod and 50 MB, at most 25 %, and 100 MB for eviction on top (AKS 1.29 and later)."""
    assert reserved(VmSize(cpu_cores=4, memory_gb=memory_gb), max_pods).memory == kept


def test_capacity_is_all_a_node_has() -> None:
    """In whole thousandths of a core, megabytes and GPUs."""
    assert capacity(VmSize(cpu_cores=6, memory_gb=56, gpu_cores=1)) == Resources(6000, 56_000, 1)


def test_the_default_cluster_is_the_sdks() -> None:
    """Three nodes of Standard_D3_v2 (4 cores, 14 GB), FastProd, no cluster autoscaler."""
    spec = ClusterSpec()

    assert (spec.purpose, spec.nodes, spec.max_nodes) == ("FastProd", 3, None)
    assert spec.vm_size == VM_SIZES[DEFAULT_VM_SIZE] == VmSize(cpu_cores=4, memory_gb=14)


def test_a_size_that_is_not_known_is_refused_with_the_nearest() -> None:
    """A typing slip is answered by what was meant."""
    with pytest.raises(ValidationError, match="did you mean Standard_D4s_v5"):
        ClusterSpec.model_validate({"vm_size": "Standard_D4s_v55"})


@pytest.mark.parametrize("wrong", [{"nodes": 0}, {"nodes": 5001}, {"purpose": "DenseProd"}])
def test_what_is_no_cluster_is_refused(wrong: dict[str, object]) -> None:
    """No nodes, more than AKS takes, a purpose that the SDK does not have."""
    with pytest.raises(ValidationError):
        ClusterSpec.model_validate(wrong)


def test_resources_fit_only_if_every_sum_does() -> None:
    """One missing GPU is enough to be refused; an exact fit is a fit."""
    room = Resources(1000, 2000, 1)

    assert Resources(1000, 2000, 1).fits_in(room)
    assert not Resources(1001, 0, 0).fits_in(room)
    assert not Resources(0, 2001, 0).fits_in(room)
    assert not Resources(0, 0, 2).fits_in(room)
    assert room - Resources(1, 2, 1) + Resources(1, 2, 1) == room
