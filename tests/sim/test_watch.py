"""What is kept of answers: compact, exact however long they took, and of so many only."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from akstwin import speedups
from akstwin.clock import SECOND, Micros
from akstwin.domain.reasons import Reason
from akstwin.sim import watch as watching
from akstwin.sim.calendar import Calendar
from akstwin.sim.engine.outcomes import REASONS, Outcomes
from akstwin.sim.watch import Watch

DAY = 86_400 * SECOND


def batch(*rows: tuple[int, int, int, Reason | None]) -> Outcomes:
    """First attempts of version `v`: arrived, answered, status, reason."""
    arrived, answered, status, reasons = zip(*rows, strict=True)
    none = [0] * len(rows)
    return Outcomes(
        versions=["v"], entry=none, number=list(range(len(rows))), attempt=none, version=none, replica=none, arrived=arrived,
        dispatched=arrived, started=arrived, settled=answered, answered=answered, status=status,
        reason=[REASONS.index(each) for each in reasons], counted=none, live=none,
    )  # fmt: skip


def watch(now: int) -> Watch:
    """One of a service with one version, without pods."""
    calendar = Calendar()
    calendar.run_until(Micros(now))
    made = Watch(calendar)
    usage = SimpleNamespace(busy_area=0, queued_area=0, queued=0)
    controller = SimpleNamespace(
        deployments={"v": None}, usage=lambda _: usage, pods_of=lambda _: [], ended=True,
        split_in_force=lambda: SimpleNamespace(shares=dict, default="v"),
    )  # fmt: skip
    made.attach(cast("Any", controller))
    return made


def test_answers_that_took_longer_than_an_hour_are_exact() -> None:
    """They do not fit into the short form; what was kept before them stays as it was."""
    seen = watch(DAY)
    seen.answered(batch((0, 80_000, 200, None), (0, 90_000, 503, Reason.QUEUE_DEADLINE)))
    seen.answered(batch((0, 5 * 3600 * SECOND, 200, None)))
    seen.answered(batch((5, 40_005, 200, None)))
    found = seen.observe(Micros(DAY)).versions["v"]
    assert found.answers == {200: 3, 503: 1}
    assert found.reasons == {"queue_deadline": 1}
    assert found.latency_ms["max"] == 5 * 3600 * 1000
    assert found.latency_ms["mean"] == pytest.approx((80 + 5 * 3600 * 1000 + 40) / 3)


@pytest.mark.skipif(speedups.is_active(), reason="in compiled code the number that is kept is fixed")
def test_the_first_of_too_many_are_forgotten_in_windows_and_stay_in_totals(monkeypatch: pytest.MonkeyPatch) -> None:
    """A window that reaches back to them is refused with the longest that is not."""
    monkeypatch.setattr(watching, "KEPT_ANSWERS", 100)
    seen = watch(1000 * SECOND)
    for number in range(200):
        at = (number + 1) * SECOND
        seen.answered(batch((at - 50_000, at, 200, None)))
    found = seen.observe(Micros(850 * SECOND)).versions["v"]
    assert found.answers == {200: 50}
    assert found.total.first.answers == {200: 200}
    with pytest.raises(Exception, match=r"window: 1000.0 is not at most \d+ s: only the latest 100 answers"):
        seen.observe(Micros(1000 * SECOND))
