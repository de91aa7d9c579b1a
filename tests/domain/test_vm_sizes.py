"""The table of virtual machine sizes, and how names of sizes are read."""

import re

import pytest
from pydantic import ValidationError

from akstwin.domain.cluster import ClusterSpec
from akstwin.domain.vm_sizes import VM_SIZES, VmSize, name_of, nearest_size, spelling


@pytest.mark.parametrize(
    ("name", "cores", "memory", "gpus"),
    [
        ("A2_v2", 2, 4, 0), ("A8m_v2", 8, 64, 0), ("A4", 8, 14, 0), ("B1s", 1, 1, 0), ("B4ms", 4, 16, 0), ("B2as_v2", 2, 8, 0),
        ("D2", 2, 7, 0), ("D3_v2", 4, 14, 0), ("D12_v2", 4, 28, 0), ("D4s_v3", 4, 16, 0), ("D64_v4", 64, 256, 0),
        ("D96ads_v5", 96, 384, 0), ("D8ls_v5", 8, 16, 0), ("D4s_v6", 4, 16, 0), ("DS2_v2", 2, 7, 0), ("DS13-4_v2", 4, 56, 0),
        ("DS14", 16, 112, 0), ("E4s_v5", 4, 32, 0), ("E20_v3", 20, 160, 0), ("E64s_v3", 64, 432, 0), ("E64s_v4", 64, 504, 0),
        ("E96s_v5", 96, 672, 0), ("E8as_v6", 8, 64, 0), ("F8", 8, 16, 0), ("F72s_v2", 72, 144, 0), ("F4ams_v6", 4, 32, 0),
        ("NC6", 6, 56, 1), ("NC24rs_v3", 24, 448, 4), ("NC64as_T4_v3", 64, 440, 4), ("NC24ads_A100_v4", 24, 220, 1),
        ("ND40rs_v2", 40, 672, 8), ("ND96isr_H100_v5", 96, 1900, 8), ("NV6", 6, 56, 1), ("NV48s_v3", 48, 448, 4),
        ("NV36ads_A10_v5", 36, 440, 1),
    ],
)  # fmt: skip
def test_sizes_have_the_figures_of_azures_pages(name: str, cores: float, memory: float, gpus: int) -> None:
    """One or more of every family and version."""
    size = VM_SIZES[f"Standard_{name}"]
    assert (size.cpu_cores, size.memory_gb, size.gpu_cores) == (cores, memory, gpus)


def test_every_size_is_plausible() -> None:
    """Names of one form; only N sizes have GPUs, and all of those; half a GB to 64 GB a core."""
    for name, size in VM_SIZES.items():
        assert re.fullmatch(r"Standard_(A|B|D|DS|E|F|NC|ND|NV)\d+(-\d+)?[a-z]*(_[A-Z]+\d+)?(_v[2-6])?", name), name
        assert bool(size.gpu_cores) is name.startswith("Standard_N"), name
        assert 0.5 <= size.memory_gb / size.cpu_cores <= 64, name
    assert len({name.lower() for name in VM_SIZES}) == len(VM_SIZES) > 500


@pytest.mark.parametrize("given", ["Standard_D3_v2", "STANDARD_D3_V2", "standard_d3_v2"])
def test_the_case_of_a_names_letters_does_not_matter(given: str) -> None:
    """As in Azure; the spelling that is shown is Azure's."""
    assert spelling(given) == "Standard_D3_v2"
    assert ClusterSpec.model_validate({"vm_size": given}).vm_size is VM_SIZES["Standard_D3_v2"]


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("DS3_v2", "Standard_DS3_v2"),
        ("standard_ds3v2", "Standard_DS3_v2"),
        ("Standard D3 v2", "Standard_D3_v2"),
        ("Standard_D4s_v55", "Standard_D4s_v5"),
        ("Standard_NC6_v3", "Standard_NC6s_v3"),
        ("STANDARD_E4S_V55", "Standard_E4s_v5"),
    ],
)
def test_a_wrong_name_is_answered_by_the_nearest_real_one(wrong: str, meant: str) -> None:
    """Without regard to case, underscores and the prefix, which are what people get wrong."""
    with pytest.raises(ValidationError, match=f"did you mean {meant}\\?"):
        ClusterSpec.model_validate({"vm_size": wrong})


def test_nothing_near_is_no_hint() -> None:
    """A wrong hint is worse than none."""
    assert nearest_size("zzz") == ""


def test_a_described_size_has_a_name_if_its_figures_do() -> None:
    """The one that was asked for, if it has them; a size of the table has its own."""
    assert name_of(VM_SIZES["Standard_DS3_v2"]) == "Standard_DS3_v2"
    described = VmSize(cpu_cores=4, memory_gb=14)
    assert name_of(described, "STANDARD_DS3_V2") == "Standard_DS3_v2"
    assert VM_SIZES[name_of(described, "Standard_NC6") or ""] == described
    assert name_of(VmSize(cpu_cores=5, memory_gb=14)) is None
