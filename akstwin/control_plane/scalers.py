"""The autoscalers of one service at work: started, paused, restarted and stopped as `cores.serving` wants them.

The same on every world: it is given the time, timers and usage.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from akstwin.clock import Micros
from akstwin.cores.autoscaling import Autoscaler
from akstwin.cores.serving import ServingState, VersionState
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.deployment import Autoscaled
from akstwin.domain.usage import Usage


class CancellableTimer(Protocol):
    """Something that is going to happen."""

    def cancel(self) -> object:
        """It does not happen."""
        ...


@dataclass(slots=True)
class _Scaler:
    """The autoscaler of one version at work.

    Attributes:
        core: decides.
        window: the number of its window, as `VersionState.window`.
        timer: its next look.
    """

    core: Autoscaler
    window: int
    timer: CancellableTimer | None = None


class Scalers:
    """The autoscalers of one service.

    Args:
        assumptions: how they count.
        now: tells the time.
        state: what was decided for the service so far.
        usage: how busy a version has been.
        plan: calls a function after a time, for a version.
        wants: called with a version, what it has and what it is to have.
    """

    def __init__(
        self,
        assumptions: Assumptions,
        now: Callable[[], Micros],
        state: Callable[[], ServingState],
        usage: Callable[[str], Usage],
        plan: Callable[[VersionState, Micros, Callable[[], None]], CancellableTimer],
        wants: Callable[[str, int, int], None],
    ) -> None:
        self._assumptions = assumptions
        self._now = now
        self._state = state
        self._usage = usage
        self._plan = plan
        self._wants = wants
        self._scalers: dict[str, _Scaler] = {}

    def drive(self) -> None:
        """Start, restart and stop them as the core wants them now."""
        wanted = {version.name: version for version in self._state().versions if version.scaler is not None}
        for name in [name for name in self._scalers if name not in wanted]:
            self._stop(name)
        for name, version in wanted.items():
            assert version.scaler is not None  # noqa: S101
            running = self._scalers.get(name)
            if running is not None and running.core.settings != version.scaler:
                self._stop(name)
                running = None
            if running is None:
                self._start(version, version.scaler)
            elif running.window != version.window:
                running.window = version.window
                self._restart_window(running, version)

    def stop(self) -> None:
        """None runs any more."""
        for name in list(self._scalers):
            self._stop(name)

    def _start(self, version: VersionState, settings: Autoscaled) -> None:
        core = Autoscaler(settings, version.slots, self._assumptions.autoscale_down_window, self._now())
        scaler = self._scalers[version.name] = _Scaler(core, version.window)
        self._restart_window(scaler, version)
        self._plan_look(version, scaler)

    def _stop(self, name: str) -> None:
        scaler = self._scalers.pop(name)
        if scaler.timer is not None:
            scaler.timer.cancel()

    def _restart_window(self, scaler: _Scaler, version: VersionState) -> None:
        scaler.core.restart(scaler.core.settings, version.slots, self._now(), self._demand(version.name))

    def _plan_look(self, version: VersionState, scaler: _Scaler) -> None:
        name = version.name
        scaler.timer = self._plan(version, scaler.core.settings.refresh, lambda: self._look(name))

    def _demand(self, name: str) -> int:
        usage = self._usage(name)
        return usage.busy_area + (usage.queued_area if self._assumptions.autoscale_counts_queue else 0)

    def _look(self, name: str) -> None:
        scaler, version = self._scalers[name], self._state().version(name)
        assert version is not None  # noqa: S101
        if version.rolling:  # it pauses
            self._restart_window(scaler, version)
        else:
            wanted = scaler.core.look(version.replicas, self._demand(name), self._now())
            if wanted != version.replicas:
                self._wants(name, version.replicas, wanted)
        self._plan_look(version, scaler)
