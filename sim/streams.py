"""Chance, by name: every cause and entity has a stream of its own (design §3).

A stream is a Philox generator keyed by (seed, replication, cause, entity) and read in blocks of 1024 numbers that can be
reached in any order: the number at an index depends on nothing but the key and the index.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final, Generic, TypeVar

import numpy as np
import numpy.typing as npt

BLOCK: Final = 1024
_KEPT: Final = 8
_MOST_KEPT: Final = 1 << 14

KEPT_STREAMS: Final = 512
"""So many streams of one kind are kept ready, the latest to be made: a client names entry and attempt of its requests as it
likes. One that is asked for again is made again, and gives the same numbers."""

Generator = np.random.Generator
Sampler = Callable[[Generator, int], npt.NDArray[np.int64]]
_Number = TypeVar("_Number", np.int64, np.float64)


def generator(seed: int, replication: int, cause: str, entity: str = "", block: int = 0) -> Generator:
    """The stream's generator at the start of a block."""
    name = "\x1f".join((str(seed), str(replication), cause, entity))
    key = int.from_bytes(blake2b(name.encode(), digest_size=16).digest(), "little")
    return np.random.Generator(np.random.Philox(key=key, counter=block << 128))


class Blocks(Generic[_Number]):
    """A stream's numbers, a block of 1024 at a time, in any order; every engine reads chance from here.

    Args:
        seed: of the run.
        replication: 1, 2, …
        cause: what the numbers decide.
        entity: whose they are.
        sampler: makes a block of them.
    """

    def __init__(
        self,
        seed: int,
        replication: int,
        cause: str,
        entity: str,
        sampler: Callable[[Generator, int], npt.NDArray[_Number]],
    ) -> None:
        self._name = (seed, replication, cause, entity)
        self._sampler: Callable[[Generator, int], npt.NDArray[_Number]] = sampler
        self._generator: Generator | None = None
        self._state: dict[str, Any] = {}

    def block(self, number: int) -> npt.NDArray[_Number]:
        """The numbers from 1024 * `number` on.

        The generator is moved there: to make one takes nine times as long.
        """
        if self._generator is None:
            self._generator = generator(*self._name, block=number)
            return self._sampler(self._generator, BLOCK)
        if not self._state:
            self._state = dict(generator(*self._name).bit_generator.state)
        self._state["state"]["counter"][2] = number
        self._generator.bit_generator.state = self._state
        return self._sampler(self._generator, BLOCK)


class Draws:
    """Whole numbers by index from one stream.

    Args:
        seed: of the run.
        replication: 1, 2, …
        cause: what the numbers decide.
        entity: whose they are.
        sampler: makes a block of them.
    """

    def __init__(self, seed: int, replication: int, cause: str, entity: str, sampler: Sampler) -> None:
        self._source = Blocks(seed, replication, cause, entity, sampler)
        self._kept = _KEPT
        self._blocks: dict[int, list[int]] = {}
        self._dropped: dict[int, None] = {}
        self._number = -1
        self._block: list[int] = []

    def at(self, index: int) -> int:
        """The number at an index of 0 or more."""
        number = index >> 10
        if number != self._number:
            self._block = self._load(number)
            self._number = number
        return self._block[index & 1023]

    def _load(self, number: int) -> list[int]:
        block = self._blocks.get(number)
        if block is None:
            if number in self._dropped:  # many blocks are read in turn, as those of many users are: keep more of them
                self._kept = min(2 * self._kept, _MOST_KEPT)
                del self._dropped[number]
            if len(self._blocks) >= self._kept:
                oldest = next(iter(self._blocks))
                del self._blocks[oldest]
                if len(self._dropped) == _MOST_KEPT:
                    del self._dropped[next(iter(self._dropped))]
                self._dropped[oldest] = None
            block = self._blocks[number] = self._source.block(number).tolist()
        return block


def make_room(streams: "dict[tuple[int, int], Draws]") -> None:
    """Let the stream go that was made first, if there are as many as are kept."""
    if len(streams) >= KEPT_STREAMS:
        del streams[next(iter(streams))]


def whole_below(bound: int) -> Sampler:
    """Every whole number from 0 up to `bound` alike."""
    return lambda rng, count: np.floor(rng.random(count) * bound).astype(np.int64)
