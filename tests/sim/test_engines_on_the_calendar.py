"""Engines beside the calendar: how far they may run, where they stop, and when they hand over outcomes."""

from collections.abc import Callable

import pytest

from akstwin.sim.calendar import Calendar, Order
from akstwin.sim.event_order import CONTROL, END_OF_INSTANT

DATA_PLANE = sorted(set(Order) - CONTROL)


class Runner:
    """An engine with work of its own: reports at given instants stop it, as a container's end would.

    Attributes:
        log: everything that happened, the control plane's events among them.
    """

    def __init__(self, calendar: Calendar, reports: list[int]) -> None:
        self._calendar = calendar
        self._reports = reports
        self.reached = 0
        self.log: list[object] = []
        calendar.register(self)

    def advance(self, until: int, before: int) -> int:
        """Go as far, or to the next report."""
        if self._reports and self._reports[0] < until:
            at = self.reached = self._reports.pop(0)
            self._calendar.at(at, Order.POD, lambda: self.log.append((at, "report")))
            self.log.append(("stopped at", at))
            return at
        self.reached = until
        self.log.append(("advanced to", until, before))
        return until

    def hand_over(self) -> None:
        """Nothing to hand over; that it was asked counts."""
        self.log.append("handed over")

    def event(self, name: str) -> Callable[[], None]:
        """An event that leaves its name and instant, and how far the engine had come."""
        return lambda: self.log.append((int(self._calendar.now), name, self.reached))


def test_an_engine_comes_as_far_as_the_next_event_of_the_control_plane() -> None:
    """That instant and class, with its outcomes handed over; at the end of a run, to the end of the instant."""
    calendar = Calendar()
    engine = Runner(calendar, [])
    calendar.at(10, Order.AUTOSCALER, engine.event("autoscaler"))
    calendar.run_until(25)

    assert engine.log == [
        ("advanced to", 10, Order.AUTOSCALER), "handed over", (10, "autoscaler", 10), ("advanced to", 25, END_OF_INSTANT),
    ]  # fmt: skip


@pytest.mark.parametrize("order", DATA_PLANE)
def test_no_event_of_a_data_plane_moves_engines(order: Order) -> None:
    """It belongs to one engine or one request, which sees to that itself."""
    calendar = Calendar()
    engine = Runner(calendar, [])
    calendar.at(10, order, engine.event("own"))
    calendar.step()

    assert engine.log == [(10, "own", 0)]


@pytest.mark.parametrize("order", sorted(CONTROL))
def test_every_class_of_the_control_plane_finds_engines_at_its_instant(order: Order) -> None:
    """None looks at an engine that is behind."""
    calendar = Calendar()
    engine = Runner(calendar, [])
    calendar.at(10, order, engine.event("control"))
    calendar.step()

    assert engine.log[-1] == (10, "control", 10)


def test_an_engine_that_stops_early_is_heard_before_the_event_it_was_to_reach() -> None:
    """Each report at its own instant, in order; then the engine goes on, and the event takes place."""
    calendar = Calendar()
    engine = Runner(calendar, [3, 7, 18])
    calendar.at(10, Order.POLICY, engine.event("policy"))
    calendar.run_until(20)

    assert [entry for entry in engine.log if entry != "handed over"] == [
        ("stopped at", 3), ("advanced to", 3, Order.POD), (3, "report"),
        ("stopped at", 7), ("advanced to", 7, Order.POD), (7, "report"),
        ("advanced to", 10, Order.POLICY), (10, "policy", 10),
        ("stopped at", 18), ("advanced to", 18, Order.POD), (18, "report"),
        ("advanced to", 20, END_OF_INSTANT),
    ]  # fmt: skip
    assert calendar.now == 20


def test_an_engine_that_stops_for_nothing_is_a_bug() -> None:
    """Else the calendar would wait for it for ever."""

    class Idle(Runner):
        def advance(self, until: int, before: int) -> int:
            return until - 1

    calendar = Calendar()
    engine = Idle(calendar, [])
    calendar.at(10, Order.POD, engine.event("pod"))
    with pytest.raises(AssertionError, match="put nothing on the calendar"):
        calendar.step()

    calendar = Calendar()
    Idle(calendar, [])
    with pytest.raises(AssertionError, match="put nothing on the calendar"):
        calendar.run_until(10)


def test_an_engine_that_is_dropped_is_left_alone() -> None:
    """Until it registers again; who looks lets those that are registered hand over."""
    calendar = Calendar()
    engine = Runner(calendar, [])
    calendar.drop(engine)
    calendar.drop(engine)
    calendar.at(10, Order.POD, engine.event("pod"))
    calendar.run_until(10)
    calendar.collect()
    assert engine.log == [(10, "pod", 0)]

    calendar.register(engine)
    calendar.register(engine)
    calendar.collect()
    assert engine.log[1:] == ["handed over"]
