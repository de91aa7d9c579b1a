"""Outcomes as the kernel leaves them: rows of whole numbers, and columns only for whoever asks for them."""

from collections.abc import Sequence
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from akstwin.sim.engine.outcomes import Outcomes

WIDTH: Final = 13
"""Numbers of a row: the columns of `Outcomes` in their order, `live` left out."""


class RecordedOutcomes(Outcomes):
    """A batch of outcomes of generated load.

    Attributes:
        table: one row an outcome, `WIDTH` numbers each.
    """

    table: npt.NDArray[np.int64]

    @classmethod
    def of(cls, versions: Sequence[str | None], rows: bytes) -> Self:
        """The outcomes of these rows.

        Args:
            versions: names; the column `version` holds places in it.
            rows: as the kernel gives them.
        """
        made = cls.__new__(cls)
        object.__setattr__(made, "versions", versions)
        object.__setattr__(made, "table", np.frombuffer(rows, np.int64).reshape(-1, WIDTH))
        return made

    def __len__(self) -> int:
        return len(self.table)

    def __getattr__(self, name: str) -> list[int]:
        """A column, made when it is asked for the first time."""
        if name == "live":
            column = [0] * len(self.table)
        elif name in _PLACES:
            column = self.table[:, _PLACES[name]].tolist()
        else:
            raise AttributeError(name)
        object.__setattr__(self, name, column)
        return column


_PLACES: Final = {
    name: place
    for place, name in enumerate(
        ("entry", "number", "attempt", "version", "replica", "arrived", "dispatched", "started", "settled", "answered",
         "status", "reason", "counted")
    )
}  # fmt: skip
