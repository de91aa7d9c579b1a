"""The values of a plan that were tried, what was found of each, and when it is enough."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Literal

Direction = Literal["low", "high", "cheapest"]
Values = tuple[Any, ...]
"""One of each setting that is varied."""

FLOOR: Final = 10
"""Replications that a value is looked at first."""
ROUNDS: Final = 2
"""How often they are doubled, unless a cap is given."""
FIRST_LEVEL: Final = 0.95
LATER_LEVEL: Final = 0.98


class Telling(StrEnum):
    """What replications tell of an objective, or of all."""

    MET = "met"
    NOT_MET = "not met"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class Stopping:
    """When a value has been looked at enough.

    Attributes:
        first: replications of the first look.
        most: replications at most.
    """

    first: int = FLOOR
    most: int = FLOOR << ROUNDS

    def looks(self) -> Iterator[tuple[int, float]]:
        """How many replications there are at each look, and the level of its intervals."""
        count, level = self.first, FIRST_LEVEL
        while True:
            yield count, level
            if count >= self.most:
                return
            count, level = min(2 * count, self.most), LATER_LEVEL


@dataclass(slots=True)
class Tried:
    """One value, or one of each setting, with what was found.

    Attributes:
        values: of each setting.
        verdict: met, not met or cannot tell.
        objectives: as in a result, with `interval` and `verdict`.
        replications: how many were looked at.
        level: of the intervals.
        cost: `total` and `interval`.
        refused: why it cannot start at all.
    """

    values: Values
    verdict: Telling = Telling.NOT_MET
    objectives: list[dict[str, Any]] = field(default_factory=list)
    replications: int = 0
    level: float = FIRST_LEVEL
    cost: dict[str, Any] = field(default_factory=lambda: {"total": None, "interval": None})
    refused: str | None = None

    @property
    def value(self) -> Any:
        """The value; of two settings, both."""
        return self.values[0] if len(self.values) == 1 else list(self.values)

    @property
    def meets(self) -> bool:
        """Whether all objectives are met."""
        return self.refused is None and self.verdict is Telling.MET

    @property
    def is_open(self) -> bool:
        """Whether it could start, and cannot be told."""
        return self.refused is None and self.verdict is Telling.CANNOT_TELL


@dataclass(frozen=True, slots=True)
class Found:
    """What a search comes to.

    Attributes:
        best: the first in order of preference that is met, if any.
        before: its neighbour that would be preferred; None: there is none, or it was not asked for.
        open: those preferred to it that cannot be told.
    """

    best: Tried | None
    before: Tried | None
    open: tuple[Tried, ...]


class Watcher:
    """Hears how a plan gets on; this one keeps it to itself."""

    def working(self, values: Values, done: float, asked: int) -> None:
        """So many of the replications asked for are done."""

    def tried(self, tried: Tried) -> None:
        """A value has been looked at enough."""
