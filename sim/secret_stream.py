"""Keys and what signs tokens: random letters and digits by number, from a stream of the workspace."""

from typing import Final

from numpy.random import Generator

from akstwin.sim.streams import generator


class SecretStream:
    """The secrets of a workspace by number: each has 32 letters and digits, as keys have.

    Args:
        seed: of all chance.
        whose: the workspace: those of one seed stand beside each other on a server, and a key of one must not open another.
    """

    _LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

    def __init__(self, seed: int, whose: str) -> None:
        self._seed = seed
        self._whose = whose
        self._draws, self._drawn = self._begin(), 0

    def _begin(self) -> Generator:
        return generator(self._seed, 1, "secrets", self._whose)

    def number(self, number: int) -> str:
        """The secret of that number, from 1 on: always the same."""
        if number <= self._drawn:
            self._draws, self._drawn = self._begin(), 0
        while self._drawn < number:
            drawn = self._draws.integers(0, len(self._LETTERS), 32)
            self._drawn += 1
        return "".join(self._LETTERS[at] for at in drawn)
