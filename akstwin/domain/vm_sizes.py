"""Virtual machine sizes: cores, memory and GPUs of the families that AKS nodes are made of.

Source: the size pages of the Azure documentation ("Sizes for virtual machines in Azure"), as of January 2025. Retired sizes are
there as well: scripts of their time name them. Sizes whose figures are in doubt are left out; any size can be described by
hand: `{cpu_cores, memory_gb, gpu_cores, hourly_price}`.

Memory is what the pages call GiB; `memory_gb` of nodes and of containers count the same way. A part of a GPU counts as one GPU:
a node shows it to Kubernetes as one device. Prices are assumed: a rounded pay-as-you-go list price in US dollars for Dsv5 in
West Europe; other sizes have none.
"""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat

from akstwin.domain.spec import Spec

SOURCE: Final = "Azure documentation, sizes for virtual machines"
AS_OF: Final = "2025-01"
PRICE_SOURCE: Final = "assumed: rounded pay-as-you-go list price, US dollars, West Europe"


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


_TO_64: Final = (2, 4, 8, 16, 32, 48, 64)
_TO_96: Final = (*_TO_64, 96)
_TO_128: Final = (*_TO_96, 128)
_TO_64_WITH_20: Final = (2, 4, 8, 16, 20, 32, 48, 64)

_IN_PROPORTION: Final[tuple[tuple[str, tuple[int, ...], float], ...]] = (
    ("B{}ls_v2 B{}als_v2 B{}pls_v2", (2, 4, 8, 16), 2),
    ("B{}s_v2 B{}as_v2 B{}ps_v2", (2, 4, 8, 16), 4),
    ("B{}ls_v2 B{}als_v2", (32,), 2),
    ("B{}s_v2 B{}as_v2", (32,), 4),
    ("B{}ms", (2, 4, 8, 12, 16, 20), 4),
    ("D{}_v3 D{}s_v3 D{}_v4 D{}s_v4 D{}d_v4 D{}ds_v4", _TO_64, 4),
    ("D{}a_v4 D{}as_v4", _TO_96, 4),
    ("D{}_v5 D{}s_v5 D{}d_v5 D{}ds_v5 D{}as_v5 D{}ads_v5", _TO_96, 4),
    ("D{}ls_v5 D{}lds_v5", _TO_96, 2),
    ("D{}ps_v5 D{}pds_v5", (2, 4, 8, 16, 32, 48), 4),
    ("D{}pls_v5 D{}plds_v5", _TO_64, 2),
    ("D{}s_v6 D{}ds_v6", _TO_128, 4),
    ("D{}ls_v6 D{}lds_v6", _TO_128, 2),
    ("D{}as_v6 D{}ads_v6 D{}ps_v6 D{}pds_v6", _TO_96, 4),
    ("D{}als_v6 D{}alds_v6 D{}pls_v6 D{}plds_v6", _TO_96, 2),
    ("E{}_v3 E{}s_v3 E{}_v4 E{}s_v4 E{}d_v4 E{}ds_v4", (2, 4, 8, 16, 20, 32, 48), 8),
    ("E{}a_v4 E{}as_v4", _TO_64_WITH_20, 8),
    ("E{}_v5 E{}s_v5 E{}d_v5 E{}ds_v5 E{}as_v5 E{}ads_v5", _TO_64_WITH_20, 8),
    ("E{}bs_v5 E{}bds_v5", _TO_64, 8),
    ("E{}ps_v5 E{}pds_v5", (2, 4, 8, 16, 20), 8),
    ("E{}s_v6 E{}ds_v6", (*_TO_64_WITH_20, 96, 128), 8),
    ("E{}as_v6 E{}ads_v6", _TO_64_WITH_20, 8),
    ("E{}ps_v6 E{}pds_v6", _TO_64, 8),
    ("F{} F{}s", (1, 2, 4, 8, 16), 2),
    ("F{}s_v2", (2, 4, 8, 16, 32, 48, 64, 72), 2),
    ("F{}als_v6", _TO_64, 2),
    ("F{}as_v6", _TO_64, 4),
    ("F{}ams_v6", _TO_64, 8),
)
"""Names with their cores in them, and the memory of a core."""

_EACH: Final = """
A0 1 0.75, A1 1 1.75, A2 2 3.5, A3 4 7, A4 8 14, A5 2 14, A6 4 28, A7 8 56, A8 8 56, A9 16 112, A10 8 56, A11 16 112
A1_v2 1 2, A2_v2 2 4, A4_v2 4 8, A8_v2 8 16, A2m_v2 2 16, A4m_v2 4 32, A8m_v2 8 64
B1ls 1 0.5, B1s 1 1, B1ms 1 2, B2s 2 4, B2ts_v2 2 1, B2ats_v2 2 1, B2pts_v2 2 1
D1 1 3.5, D2 2 7, D3 4 14, D4 8 28, D11 2 14, D12 4 28, D13 8 56, D14 16 112
DS1 1 3.5, DS2 2 7, DS3 4 14, DS4 8 28, DS11 2 14, DS12 4 28, DS13 8 56, DS14 16 112
D1_v2 1 3.5, D2_v2 2 7, D3_v2 4 14, D4_v2 8 28, D5_v2 16 56
D11_v2 2 14, D12_v2 4 28, D13_v2 8 56, D14_v2 16 112, D15_v2 20 140
DS1_v2 1 3.5, DS2_v2 2 7, DS3_v2 4 14, DS4_v2 8 28, DS5_v2 16 56
DS11_v2 2 14, DS12_v2 4 28, DS13_v2 8 56, DS14_v2 16 112, DS15_v2 20 140
DS11-1_v2 1 14, DS12-1_v2 1 28, DS12-2_v2 2 28, DS13-2_v2 2 56, DS13-4_v2 4 56, DS14-4_v2 4 112, DS14-8_v2 8 112
D64ps_v5 64 208, D64pds_v5 64 208
E64_v3 64 432, E64s_v3 64 432, E64i_v3 64 432, E64is_v3 64 432
E64_v4 64 504, E64s_v4 64 504, E64d_v4 64 504, E64ds_v4 64 504, E80is_v4 80 504, E80ids_v4 80 504
E96a_v4 96 672, E96as_v4 96 672
E96_v5 96 672, E96s_v5 96 672, E96d_v5 96 672, E96ds_v5 96 672, E96as_v5 96 672, E96ads_v5 96 672
E104i_v5 104 672, E104is_v5 104 672, E104id_v5 104 672, E104ids_v5 104 672, E32ps_v5 32 208, E32pds_v5 32 208
E96as_v6 96 672, E96ads_v6 96 672
NC6 6 56 1, NC12 12 112 2, NC24 24 224 4, NC24r 24 224 4
NC6s_v2 6 112 1, NC12s_v2 12 224 2, NC24s_v2 24 448 4, NC24rs_v2 24 448 4
NC6s_v3 6 112 1, NC12s_v3 12 224 2, NC24s_v3 24 448 4, NC24rs_v3 24 448 4
NC4as_T4_v3 4 28 1, NC8as_T4_v3 8 56 1, NC16as_T4_v3 16 110 1, NC64as_T4_v3 64 440 4
NC24ads_A100_v4 24 220 1, NC48ads_A100_v4 48 440 2, NC96ads_A100_v4 96 880 4
NC40ads_H100_v5 40 320 1, NC80adis_H100_v5 80 640 2
ND6s 6 112 1, ND12s 12 224 2, ND24s 24 448 4, ND24rs 24 448 4, ND40rs_v2 40 672 8
ND96asr_v4 96 900 8, ND96amsr_A100_v4 96 1900 8, ND96isr_H100_v5 96 1900 8
NV6 6 56 1, NV12 12 112 2, NV24 24 224 4, NV6s_v2 6 112 1, NV12s_v2 12 224 2, NV24s_v2 24 448 4
NV12s_v3 12 112 1, NV24s_v3 24 224 2, NV48s_v3 48 448 4
NV4as_v4 4 14 1, NV8as_v4 8 28 1, NV16as_v4 16 56 1, NV32as_v4 32 112 1
NV6ads_A10_v5 6 55 1, NV12ads_A10_v5 12 110 1, NV18ads_A10_v5 18 220 1
NV36ads_A10_v5 36 440 1, NV36adms_A10_v5 36 880 1, NV72ads_A10_v5 72 880 2
"""
"""Name, cores, memory and GPUs."""

_PRICES: Final = {"D2s_v5": 0.115, "D4s_v5": 0.23, "D8s_v5": 0.46, "D16s_v5": 0.92}
_PREFIX: Final = "Standard_"


def _sizes() -> Iterator[tuple[str, float, float, int]]:
    for names, sizes, memory in _IN_PROPORTION:
        for form in names.split():
            yield from ((form.format(cores), cores, cores * memory, 0) for cores in sizes)
    for row in _EACH.replace("\n", ",").split(","):
        if row.strip():
            name, own_cores, own_memory, *gpus = row.split()
            yield name, float(own_cores), float(own_memory), int(gpus[0]) if gpus else 0


def _order(size: tuple[str, float, float, int]) -> tuple[str, str, float, str]:
    """By family, version and cores."""
    name, cores, _, _ = size
    family = "".join(sign for sign in name[:2] if sign.isalpha() and sign.isupper())
    version = name.rpartition("_v")[2] if "_v" in name else "1"
    return family, version, cores, name


VM_SIZES: Final[dict[str, VmSize]] = {
    _PREFIX + name: VmSize(cpu_cores=cores, memory_gb=memory, gpu_cores=gpus, hourly_price=_PRICES.get(name))
    for name, cores, memory, gpus in sorted(_sizes(), key=_order)
}
"""Known sizes by their names, in Azure's spelling."""

_SPELLINGS: Final = {name.lower(): name for name in VM_SIZES}


def spelling(name: object) -> str | None:
    """A known size in Azure's spelling; as in Azure, the case of its letters does not matter. None: it is not known."""
    return _SPELLINGS.get(name.lower()) if isinstance(name, str) else None


def name_of(size: VmSize, preferred: object = None) -> str | None:
    """The name of a size; None: no known size has these figures.

    Args:
        size: one of the known sizes, or one that was described by hand.
        preferred: of several names for the figures of a described size, this one, in any case of letters.
    """
    for name, known in VM_SIZES.items():
        if known is size:
            return name
    names = [name for name, known in VM_SIZES.items() if known == size]
    wanted = spelling(preferred)
    return wanted if wanted in names else next(iter(names), None)


def nearest_size(word: str) -> str:
    """`; did you mean X?` with the known size whose name is nearest to `word`; nothing if none is near."""

    def plain(name: str) -> str:
        return name.lower().removeprefix("standard").replace("_", "").replace("-", "").replace(" ", "")

    names = {plain(name): name for name in VM_SIZES}
    close = get_close_matches(plain(word), list(names), n=1, cutoff=0.6)
    return f"; did you mean {names[close[0]]}?" if close else ""
