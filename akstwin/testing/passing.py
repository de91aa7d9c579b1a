"""A served workspace's clock, for whoever waits by it from outside."""

from threading import Lock
from typing import Final

from akstwin.clock import SECOND, Micros
from akstwin.testing.calls import Calls

_AT_ONCE: Final = frozenset({"live", "manual"})
"""On these a sleep lets the time pass itself: on a live clock nobody wants to wait, a manual one nobody else would move."""


class AksClock:
    """The clock of a workspace on a server; one that fits `akstwin.clock.Clock`.

    Args:
        calls: reach the workspace's control side.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._moving = Lock()
        self._mode = ""

    @property
    def mode(self) -> str:
        """How time passes: `live`, `paced`, `jump` or `manual`."""
        if not self._mode:
            self._mode = str(self._calls.get("clock")["mode"])
        return self._mode

    def now(self) -> Micros:
        """The present, whole microseconds since the clock's start."""
        return Micros(int(self._calls.get("clock")["now"]))

    def advance(self, span: str | float) -> Micros:
        """Let time pass at once, whatever the clock; returns the present.

        Args:
            span: a duration: `"250ms"`, `"5m"`, or a number of seconds.

        Raises:
            AksError: no duration, or the server is gone.
        """
        return Micros(int(self._calls.post("clock", {"advance": span}, None)["now"]))

    def sleep(self, span: str | float) -> None:
        """Return when so much time has passed by this clock. It fits where `time.sleep` is expected.

        On a live or a manual clock the time passes at once; threads that sleep side by side do so together. A jumping clock
        goes there from event to event, for all who wait. On a paced clock it takes the real time that its rate gives.

        Args:
            span: a duration: `"250ms"`, `"5m"`, or a number of seconds.

        Raises:
            AksError: no duration, the workspace was reset meanwhile, or the server is gone.
            ValueError: a number of seconds below 0.
        """
        deadline = self.now() + _micros(span)
        if self.mode not in _AT_ONCE:
            self.sleep_until(Micros(deadline))
            return
        with self._moving:
            left = deadline - self.now()
            if left > 0:
                self.advance(f"{left}us")

    def sleep_until(self, deadline: Micros) -> None:
        """Return when the clock has come to `deadline`, µs: on a manual clock, when somebody has moved it there."""
        self._calls.post("clock", {"sleep_until": max(0, deadline)}, None)


def _micros(span: str | float) -> int:
    if isinstance(span, str):
        from akstwin.domain.units import parse_duration  # noqa: PLC0415 - needs what azureml-core's environment lacks

        return parse_duration(span)
    if span < 0:
        raise ValueError("sleep length must be non-negative")  # as time.sleep words it
    return round(span * SECOND)
