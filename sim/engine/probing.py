"""The probes of simulated containers: when each is sent, and which verdicts the control plane hears."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from akstwin.clock import Micros
from akstwin.domain.deployment import ProbeSettings
from akstwin.kubernetes_model.liveness import Probe, Verdict
from akstwin.ports.container_runtime import ContainerSpec, PlaneListener
from akstwin.sim.calendar import Order, Timer, key


class Probed(Protocol):
    """A container, as far as its probes go."""

    def drop_probe(self, number: int) -> None:
        """The probe has given up waiting."""
        ...


class Timers(Protocol):
    """A calendar, as far as probes need it."""

    @property
    def now(self) -> Micros:
        """The present."""
        ...

    def at(self, instant: int, order: Order, action: Callable[[], None], key: int = 0) -> Timer:
        """Do `action` at `instant`."""
        ...


@dataclass(slots=True)
class Probing:
    """One probe of one container, with what is under way.

    Attributes:
        replica: whose container.
        container: it.
        machine: when to probe, and what the answers come to.
        changed: takes a new verdict.
        well: the last verdict that the control plane knows; None: it has to be reported in any case.
        key: of its events: the replica, then which probe.
        number: of the probe that is out.
        timer: of the next probe, or of the deadline of the one that is out.
    """

    replica: int
    container: Probed
    machine: Probe
    changed: Callable[[bool], None]
    well: bool | None
    key: int
    number: int = -1
    timer: Timer | None = None


class Prober:
    """Sends the probes of one service's containers, and reports their verdicts.

    Args:
        calendar: tells the time.
        listener: the control plane.
        ask: carries a probe to its container: the replica, and the probe's number, which comes back to `reached`.
    """

    def __init__(self, calendar: Timers, listener: PlaneListener, ask: Callable[[int, int], None]) -> None:
        self._calendar = calendar
        self._listener = listener
        self._ask = ask
        self._sent = 0
        self._out: dict[int, Probing] = {}

    def add(
        self, replica: int, container: Probed, spec: ContainerSpec, started: Micros, *, ready: bool | None
    ) -> list[Probing]:
        """Probe a container from now on.

        Args:
            replica: its number.
            container: it.
            spec: has the settings of its probes.
            started: when it started.
            ready: what the control plane takes it for; None: after a silence, it must hear the verdict in any case.

        Returns:
            Its probes, to stop them.
        """
        probes: list[Probing] = []

        def add(settings: ProbeSettings, well: bool | None, changed: Callable[[bool], None]) -> None:
            machine = Probe(settings, started)
            machine.skip_to(self._calendar.now)
            probing = Probing(replica, container, machine, changed, well, key(replica, len(probes)))
            probes.append(probing)
            self._arm(probing)

        # A container is alive until it has failed the probe; then it ends, and the probe with it.
        add(spec.liveness, True, lambda _: self._listener.liveness_failed(replica))
        if spec.readiness is not None:
            add(spec.readiness, ready, lambda well: self._listener.readiness_changed(replica, well))
        return probes

    def stop(self, probes: list[Probing]) -> None:
        """Send these no more; one that is out gets no verdict."""
        for probing in probes:
            if probing.timer is not None:
                probing.timer.cancel()
            self._out.pop(probing.number, None)
        probes.clear()

    def reached(self, number: int) -> None:
        """A worker has answered the probe of that number."""
        probing = self._out.pop(number, None)
        if probing is None:
            return
        if probing.timer is not None:
            probing.timer.cancel()
        verdict = probing.machine.answered(self._calendar.now)
        self._arm(probing)
        _judge(probing, verdict)

    def _arm(self, probing: Probing) -> None:
        assert probing.machine.next_at is not None  # noqa: S101
        probing.timer = self._calendar.at(
            probing.machine.next_at, Order.PROBE, lambda: self._send(probing), probing.key
        )

    def _send(self, probing: Probing) -> None:
        probing.number = self._sent
        self._sent += 1
        deadline = probing.machine.send(self._calendar.now)
        self._out[probing.number] = probing
        probing.timer = self._calendar.at(deadline, Order.PROBE_DEADLINE, lambda: self._missed(probing), probing.key)
        self._ask(probing.replica, probing.number)

    def _missed(self, probing: Probing) -> None:
        del self._out[probing.number]
        probing.container.drop_probe(probing.number)
        verdict = probing.machine.missed(self._calendar.now)
        self._arm(probing)
        _judge(probing, verdict)


def _judge(probing: Probing, verdict: Verdict | None) -> None:
    """Report a verdict if it is another one than the control plane knows."""
    if verdict is None:
        return
    well = verdict == "healthy"
    if probing.well is not well:
        probing.well = well
        probing.changed(well)
