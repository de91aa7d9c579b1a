"""What has happened to clusters and services, and which of it somebody wants to see."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from akstwin.clock import Micros
from akstwin.domain.units import read_duration
from akstwin.errors import InvalidSetting

Happening = tuple[Micros, str, str, str]
"""Instant, kind, subject, detail."""


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
