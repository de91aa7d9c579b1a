"""What has happened to clusters and services, and which of it somebody wants to see."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Self

from akstwin.clock import Micros
from akstwin.domain.units import read_duration
from akstwin.errors import InvalidSetting

Happening = tuple[Micros, str, str, str]
"""Instant, kind, subject, detail."""


KEPT_HAPPENINGS: Final = 50_000
"""So many of the latest are kept, some 10 MB: virtual time may go on for ever."""


class History:
    """What has happened, in its order: so many of the latest.

    Args:
        kept: how many.

    Attributes:
        total: how many there have been.
    """

    def __init__(self, kept: int = KEPT_HAPPENINGS) -> None:
        self._kept: deque[Happening] = deque(maxlen=kept)
        self.total = 0

    @property
    def dropped(self) -> int:
        """How many had to go for later ones."""
        return self.total - len(self._kept)

    def append(self, happening: Happening) -> None:
        """One more."""
        self.total += 1
        self._kept.append(happening)

    def __iter__(self) -> Iterator[Happening]:
        return iter(self._kept)

    def since(self, number: int) -> Iterator[tuple[int, Happening]]:
        """Those that are kept from that number on (0: the first that there has been), with their numbers."""
        first = max(number, self.dropped)
        return enumerate(islice(self._kept, first - self.dropped, None), first)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which happenings; all that is given must hold.

    Attributes:
        kind: such as `pod_ready`; None: all.
        subject: a node, a pod, a service, …; None: all.
        since: then or later.
        limit: at most so many, the latest; None: all.
    """

    kind: str | None
    subject: str | None
    since: Micros
    limit: int | None

    @classmethod
    def read(cls, kind: str | None, subject: str | None, since: Any, limit: Any) -> Self:
        """What is wanted, as somebody asked for it.

        Raises:
            InvalidSetting: an instant that is no duration since the clock's start, or a limit that is no number from 1 on.
        """
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
            raise InvalidSetting("limit", limit, "a whole number, 1 or more")
        return cls(kind, subject, read_duration("since", since), limit)

    def choose(self, happenings: Iterable[Happening]) -> list[Happening]:
        """Those that are wanted, in their order."""
        chosen = [
            each
            for each in happenings
            if (self.kind is None or each[1] == self.kind)
            and (self.subject is None or each[2] == self.subject)
            and each[0] >= self.since
        ]
        return chosen if self.limit is None else chosen[-self.limit :]
