"""The clock of a router that serves real pods: it shows the time of day, and never goes back."""

import time
from collections.abc import Callable
from typing import Final

from akstwin.clock import SECOND, Micros


def _monotonic() -> float:
    return time.monotonic()  # noqa: TID251 - this world's own clock


class WallClock:
    """Real time, in µs from an epoch on.

    The wall is read once, at the start. From then on the monotonic clock counts: time that is set back or forward on the machine
    must not make waits negative, nor end them.

    Args:
        epoch: the Unix time of the instant 0, s; a clock that is made anew with the same epoch goes on.
        wall: the Unix time at the start, s; None: now.
        monotonic: a clock that never goes back, s.
    """

    def __init__(self, epoch: float, wall: float | None = None, monotonic: Callable[[], float] = _monotonic) -> None:
        self.epoch: Final = epoch
        self._monotonic = monotonic
        started = time.time() if wall is None else wall  # noqa: TID251 - this world's own clock
        self._offset = started - epoch - monotonic()
        self._latest = Micros(0)

    def now(self) -> Micros:
        """The present instant, not before 0 and not before any that was returned."""
        self._latest = Micros(max(self._latest, int((self._monotonic() + self._offset) * SECOND)))
        return self._latest

    def seconds_until(self, instant: int) -> float:
        """How long it is to an instant, s; 0: it has passed."""
        return max(0.0, (instant - self.now()) / SECOND)

    def sleep_until(self, deadline: Micros) -> None:
        """Return at `deadline`, or at once if it has passed; it blocks its thread."""
        while (left := self.seconds_until(deadline)) > 0:
            time.sleep(left)  # noqa: TID251 - this world's own clock
