"""Faults by their cause, over the wire: planned here, struck by the simulation, ended here or by themselves."""

from typing import Any, Final

from akstwin.domain.faults import Fault
from akstwin.domain.mistakes import read
from akstwin.errors import AksError, Conflict, InvalidSetting
from akstwin.fake_api.control.forms import CauseForm
from akstwin.sim.backend import SimulatedBackend
from akstwin.sim.calendar import Order, Timer
from akstwin.sim.faults import InjectedFault

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
        self.refused: str | None = None
        self._backend = backend
        self._injected: InjectedFault | None = None
        self._planned: Timer | None = None
        settings = {key: value for key, value in given.items() if key not in _PLACES}
        for place in _PLACES:
            if not isinstance(given.get(place), str | None):
                raise InvalidSetting(place, given[place], "a name")
        self.fault: Fault = read(CauseForm, {"fault": {"at": 0, **settings}}).fault
        self.begins = backend.calendar.now + self.fault.at
        lasts = getattr(self.fault, "lasts", None)
        self.ends: int | None = None if lasts is None else self.begins + lasts
        if self.fault.at:  # what it is meant for is looked for then
            self._planned = backend.calendar.at(self.begins, Order.FAULT, self._strike_later)
        else:
            self._strike()

    @property
    def struck(self) -> int:
        """How often it has struck: once, or not yet."""
        return int(self._injected is not None and self._injected.struck)

    @property
    def over(self) -> bool:
        """Whether it strikes no more and nothing of it lasts."""
        return self.refused is not None or (self._injected is not None and self._injected.over)

    def _strike_later(self) -> None:
        try:
            self._strike()
        except AksError as refusal:  # what it was meant for is there no more
            self.refused = str(refusal)

    def _strike(self) -> None:
        settings = {key: value for key, value in self.given.items() if key not in ("at", *_PLACES)}
        self._injected = self._backend.simulation.inject(
            {**settings, "at": 0}, self.given.get("service"), self.given.get("cluster")
        )

    def end(self) -> None:
        """It strikes no more, and what it has done is undone.

        Raises:
            Conflict: it cannot be undone.
        """
        if self.struck and self.fault.kind == _ENDLESS and not self.over:
            raise Conflict(
                f"fault {self.id} cannot be taken back: {_ENDLESS} ends when it has struck, or after `times`"
            )
        if self._planned is not None:
            self._planned.cancel()
        if self._injected is not None:
            self._injected.end()
