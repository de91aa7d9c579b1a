"""The probe of one container (semantics §6.4, source K2): when to ask, and what the answers come to."""

from typing import Literal

from akstwin.clock import Micros
from akstwin.domain.deployment import ProbeSettings

Verdict = Literal["healthy", "failed"]


class Probe:
    """One probe of one container, liveness or readiness.

    The driver sends a probe at `next_at`, and reports the answer, or at `deadline` that there was none.

    Args:
        settings: delay, period, timeout, thresholds.
        started: when the container started.

    Attributes:
        next_at: when the next probe is due; while one is out it is None.
        deadline: when the probe that is out has failed; None while none is out.
    """

    __slots__ = ("_origin", "_settings", "_successes", "_tick", "deadline", "failures", "next_at", "sent")

    def __init__(self, settings: ProbeSettings, started: Micros) -> None:
        self._settings = settings
        # A period longer than the delay makes Kubernetes ignore the delay (K2).
        delay = 0 if settings.period > settings.initial_delay else settings.initial_delay
        self._origin = started + delay
        self.next_at: Micros | None = Micros(self._origin)
        self.deadline: Micros | None = None
        self.failures = 0
        self._successes = 0
        self._tick = -1
        self.sent = 0

    def send(self, now: Micros) -> Micros:
        """The probe that was due is sent; returns its deadline, which still counts as in time."""
        assert self.next_at is not None, "one probe at a time"  # noqa: S101
        assert now >= self.next_at, "a probe was sent before it was due"  # noqa: S101
        self._tick = (now - self._origin) // self._settings.period
        self.next_at = None
        self.deadline = Micros(now + self._settings.timeout)
        self.sent += 1
        return self.deadline

    def answered(self, now: Micros) -> Verdict | None:
        """A worker reached the probe. "healthy" once enough have in a row."""
        self._rearm(now)
        self.failures = 0
        self._successes += 1
        return "healthy" if self._successes >= self._settings.success_threshold else None

    def missed(self, now: Micros) -> Verdict | None:
        """Nobody answered in time. "failed" once that has happened `failure_threshold` times in a row."""
        self._rearm(now)
        self._successes = 0
        self.failures += 1
        return "failed" if self.failures >= self._settings.failure_threshold else None

    def skip_to(self, now: Micros) -> None:
        """Nobody could ask until now: go on with the first tick that is not past, as if all before had been well."""
        if now > self._origin:
            self.next_at = Micros(
                self._origin - (-(now - self._origin) // self._settings.period) * self._settings.period
            )
            self.deadline = None
            self.failures = 0

    def _rearm(self, now: Micros) -> None:
        """The next tick after the one that was sent; ticks that passed meanwhile are skipped."""
        self.deadline = None
        period = self._settings.period
        ticks = max(self._tick + 1, -(-(now - self._origin) // period))
        self.next_at = Micros(self._origin + ticks * period)
