"""The control plane's work queue: services whose facts may have changed, each looked at once however often it was added.

Changes of pods only add their service here. The queue runs at the same instant, after the events of pods and of the router's
view, so no decision is made in the middle of another one.
"""

from typing import Protocol

from akstwin.sim.calendar import Calendar, Order, Timer


class Reconciled(Protocol):
    """Something that looks at its facts and acts on them."""

    ordinal: int
    """Orders what is due at one instant."""

    def reconcile(self) -> bool:
        """Look, and act; may add itself or others to the queue again.

        Returns:
            Whether it has to go on before anything else happens: what takes long is done in parts.
        """
        ...


class WorkQueue:
    """Reconciles what was added, in the order of ordinals.

    What is added meanwhile has its turn at the same instant too, after the events of pods that have been caused by then. Who
    has to go on does so first, as the very next event: between two parts nothing else happens in the world.

    Args:
        calendar: tells the time.
    """

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._waiting: dict[int, Reconciled] = {}
        self._timer: Timer | None = None
        self._turn: list[Reconciled] = []
        """Who has still to be reconciled, in this order; not empty: the first has to go on."""

    def add(self, item: Reconciled) -> None:
        """Have it reconciled at this instant."""
        self._waiting[item.ordinal] = item
        if self._timer is None:
            self._timer = self._calendar.after(0, Order.OPERATION, self.run)

    def run(self) -> None:
        """Reconcile everything that was added, now: for the calendar, and for a command that has just changed something."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._turn += [self._waiting[ordinal] for ordinal in sorted(self._waiting)]
        self._waiting = {}
        self._proceed()

    def finish(self) -> None:
        """Do all parts now of what has to go on: for a command whose caller looks at once."""
        while self._turn:
            self._proceed()

    def _proceed(self) -> None:
        while self._turn:
            first = self._turn.pop(0)
            if first.reconcile():
                self._turn.insert(0, first)
                self._calendar.after(0, Order.SAMPLE, self._go_on)
                return

    def _go_on(self) -> None:
        """The next part, and what comes after it."""
        if self._turn:  # else a command has finished it
            self._proceed()
