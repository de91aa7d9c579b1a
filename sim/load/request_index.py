"""Which request of a scenario a live one is: it then meets the same chance as that one does in the simulation."""

import re
from typing import Final, NamedTuple

import numpy as np

from akstwin.domain.service import Split
from akstwin.errors import InvalidSetting
from akstwin.sim.streams import Blocks, Draws, whole_below

HEADER: Final = "x-akstwin-request"
"""The header that tells it, as `ENTRY/NUMBER` or `ENTRY/NUMBER/ATTEMPT`."""
_FORM: Final = re.compile(r"([0-9]{1,4})/([0-9]{1,12})(?:/([0-9]{1,3}))?")


class RequestIdentity(NamedTuple):
    """A request's index (design §3).

    Attributes:
        entry: of the traffic, from 0.
        number: within the entry, from 0.
        attempt: 0 for the first.
    """

    entry: int
    number: int
    attempt: int = 0

    def __str__(self) -> str:
        return "/".join(map(str, self))


def read_identity(text: str) -> RequestIdentity:
    """The identity that a header tells.

    Raises:
        InvalidSetting: it tells none.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise InvalidSetting(HEADER, text[:80], "ENTRY/NUMBER or ENTRY/NUMBER/ATTEMPT, whole numbers from 0 on")
    return RequestIdentity(*(int(part or 0) for part in found.groups()))


def split_draws(seed: int, replication: int, entry: int, attempt: int, service: str = "") -> Draws:
    """What decides the traffic split, by the request's number; `service` goes before the entry in the stream's name."""
    return Draws(seed, replication, "split", f"{service}{entry}/{attempt}", whole_below(Split.WHOLE))


def split_blocks(seed: int, replication: int, entry: int, attempt: int, service: str = "") -> Blocks[np.int64]:
    """The same, a block at a time."""
    return Blocks(seed, replication, "split", f"{service}{entry}/{attempt}", whole_below(Split.WHOLE))
