"""Time: whole microseconds inside, and a clock that is handed in."""

from typing import Final, NewType, Protocol

Micros = NewType("Micros", int)
"""An instant or a span, in whole microseconds; an instant counts from the start of its clock."""

MILLISECOND: Final = Micros(1_000)
SECOND: Final = Micros(1_000_000)
MINUTE: Final = Micros(60 * SECOND)
HOUR: Final = Micros(60 * MINUTE)

NEVER: Final = Micros(1 << 62)
"""Later than any instant that is reached."""


class Clock(Protocol):
    """What tells the time to code outside the cores. In a simulated world waiting is free."""

    def now(self) -> Micros:
        """The present instant."""
        ...

    def sleep_until(self, deadline: Micros) -> None:
        """Return at `deadline`, or at once if it has passed."""
        ...
