"""Faults by their cause, over the wire: planned here, struck by the simulation, ended here or by themselves."""

from functools import partial
from typing import Any, Final

from akstwin.domain.faults import Fault, ImagePullSlow, InitFailure, NodeLoss, ReplicaHang, ReplicaKill, SlowReplica
from akstwin.domain.mistakes import read
from akstwin.errors import AksError, Conflict, InvalidSetting
from akstwin.fake_api.control.forms import CauseForm
from akstwin.sim.backend import SimulatedBackend
from akstwin.sim.calendar import Order, Timer
from akstwin.sim.world import SimulatedService

_ENDLESS: Final = "crash_on_request"
_PLACES: Final = ("service", "cluster")
"""Where it strikes."""


class Cause:
    """One fault by its cause. To be used while the clock is held.

    Args:
        identity: its name in lists.
        backend: whose world it breaks.
        given: as `ws.simulation.fault` takes it.

    Raises:
        NotFound: no such service or cluster.
        AksError: a setting that is refused, with its name.
    """

    def __init__(self, identity: str, backend: SimulatedBackend, given: dict[str, Any]) -> None:
        self.id = identity
        self.given = given
        self.struck = 0
        self.refused: str | None = None
        self.over = False
        self._backend = backend
        self._timers: list[Timer] = []
        self._target: SimulatedService | None = None
        self._subject = ""
        self._victims: set[str] = set()
        settings = {key: value for key, value in given.items() if key not in _PLACES}
        for place in _PLACES:
            if not isinstance(given.get(place), str | None):
                raise InvalidSetting(place, given[place], "a name")
        self.fault: Fault = read(CauseForm, {"fault": {"at": 0, **settings}}).fault
        now = backend.calendar.now
        self.begins = now + self.fault.at
        lasts = getattr(self.fault, "lasts", None)
        self.ends: int | None = None if lasts is None else self.begins + lasts
        if self.fault.at:
            self._plan(self.begins, self._strike_later)
        else:
            self._strike()

    def _plan(self, instant: int, action: Any) -> None:
        self._timers.append(self._backend.calendar.at(instant, Order.FAULT, action))

    def _strike_later(self) -> None:
        try:
            self._strike()
        except AksError as refusal:  # what it was meant for is there no more
            self.refused, self.over = str(refusal), True

    def _strike(self) -> None:
        told = {key: value for key, value in self.given.items() if key not in ("at", "lasts", "kind")}
        seen = len(self._backend.driver.events)
        self._backend.simulation.fault(self.fault.kind, at=0, **told)
        self._target = self._backend.simulation.target(told.get("service"), told.get("cluster"), self.fault.kind)
        self._plan(self._backend.calendar.now, partial(self._has_struck, seen))
        if self.ends is not None:
            self._plan(self.ends, self.end)

    def _has_struck(self, seen: int) -> None:
        """What it hit stands in the record of events; so it can be undone."""
        self.struck += 1
        kind = f"fault_{self.fault.kind}"
        subject, detail = next(
            ((subject, detail) for _, what, subject, detail in self._backend.driver.events[seen:] if what == kind),
            ("", ""),
        )
        self._subject, self._victims = subject, set(detail.split(", "))
        self.over = isinstance(self.fault, ReplicaKill)  # nothing of it lasts

    def end(self) -> None:
        """It strikes no more, and what it has done is undone.

        Raises:
            Conflict: it cannot be undone.
        """
        if self.over:
            return
        if self.struck and self.fault.kind == _ENDLESS:
            raise Conflict(
                f"fault {self.id} cannot be taken back: {_ENDLESS} ends when it has struck, or after `times`"
            )
        for timer in self._timers:
            timer.cancel()
        self.over = True
        if self.struck and self._target is not None:
            self._undo_in(self._target)

    def _undo_in(self, service: SimulatedService) -> None:
        pods, plane = service.world.pods, service.plane
        match self.fault:
            case NodeLoss(node=node):
                pods.restore_node(node)
            case InitFailure():
                pods.fail_init(service.controller, self._subject, failing=False)
            case ImagePullSlow(factor=factor):
                pods.normal_pulls(factor)
            case ReplicaHang() | SlowReplica():
                for pod in service.controller.pods_of(self._subject):
                    if pod.name in self._victims and isinstance(self.fault, ReplicaHang):
                        plane.resume(pod.number)
                    elif pod.name in self._victims:
                        plane.slow_down(pod.number, 1.0)
            case _:
                pass
