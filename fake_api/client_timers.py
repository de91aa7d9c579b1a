"""Time-outs and sleeps of clients that run in the server's own process, by the clock of a workspace.

A client that waits in a `select` has no event on the world's calendar: a jumping clock would stand still for it, or pass it by.
Here it has one, and the clock does not come to it while something that the client would rather have is under way.
"""

import asyncio
from collections.abc import Callable
from math import ceil
from typing import Final

from akstwin.clock import SECOND
from akstwin.fake_api.clock import SETTLE_SECONDS, ServerClock

_NOISE: Final = 0.01
"""Of a µs: what the arithmetic of event loops adds to a span, in floating point."""


class ClientTimer:
    """A client's wait with an end.

    Args:
        ready: whether the client has something to do before the end: bytes that have come, work in a thread.
        wake: called on the server's thread when the end has come.

    Attributes:
        live: whether the client still waits; it may be read and changed by any thread.
        rung: whether the end has come.
    """

    __slots__ = ("_ready", "_wake", "deadline", "live", "rung")

    def __init__(self, deadline: int, ready: Callable[[], bool], wake: Callable[[], None]) -> None:
        self.deadline = deadline
        self._ready = ready
        self._wake = wake
        self.live = True
        self.rung = False

    def holds(self) -> bool:
        """Whether time has to stand still until the client has acted."""
        return self.live and (self.rung or self._ready())

    def ring(self) -> None:
        """The end has come."""
        if self.live and not self.rung:
            self.rung = True
            # Answers of this instant are written first: the client prefers them to its time-out.
            asyncio.get_running_loop().call_later(SETTLE_SECONDS, self._wake)

    def end(self) -> None:
        """The client waits no more."""
        self.live = False


class ClientTimers:
    """Begins timers by one workspace's clock. Its methods may be called from any thread.

    Args:
        loop: the server's.
        clock: the workspace's; a reset brings another one.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Callable[[], ServerClock]) -> None:
        self._loop: Final = loop
        self._clock = clock

    @property
    def strikes(self) -> bool:
        """Whether clients' time-outs go by this clock: not on a live one, which is as fast as theirs, nor on a manual one.

        On a manual clock nobody but the test would end the wait, and the test may be what waits.
        """
        return self._clock().mode in ("jump", "paced")

    def now(self) -> int:
        """The present, µs."""
        return self._clock().now()

    def hold(self, at_work: Callable[[], bool]) -> None:
        """From now on a jumping clock stands still while `at_work` says so, which is called on the server's thread."""
        self._clock().holders.append(at_work)

    def release(self, at_work: Callable[[], bool]) -> None:
        """Ask it no more."""
        self._clock().holders.remove(at_work)

    def begin(self, seconds: float, ready: Callable[[], bool], wake: Callable[[], None]) -> ClientTimer:
        """A client begins to wait, for at most so many seconds; see `ClientTimer`."""
        span = max(1, ceil(seconds * SECOND - _NOISE))
        timer = ClientTimer(self.now() + span, ready, wake)
        self._loop.call_soon_threadsafe(self._expect, timer)
        return timer

    def _expect(self, timer: ClientTimer) -> None:
        if timer.live:
            self._clock().expect(timer)
