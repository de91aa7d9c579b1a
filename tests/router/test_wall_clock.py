"""The clock of a real router: the time of day, and never back."""

from akstwin.clock import SECOND
from akstwin.router.wall_clock import WallClock


def test_it_counts_from_its_epoch_by_the_monotonic_clock() -> None:
    """What the machine's wall says later counts for nothing."""
    ticks = [100.0]
    clock = WallClock(1_000.0, wall=1_060.0, monotonic=lambda: ticks[0])
    assert clock.now() == 60 * SECOND
    ticks[0] += 2.5
    assert clock.now() == 62.5 * SECOND
    assert clock.seconds_until(70 * SECOND) == 7.5
    assert clock.seconds_until(1) == 0


def test_one_that_is_made_anew_goes_on() -> None:
    """A process that starts again on the same epoch has the same instants, whatever its monotonic clock says."""
    assert WallClock(1_000.0, wall=1_070.0, monotonic=lambda: 3.0).now() == 70 * SECOND


def test_it_never_goes_back() -> None:
    """Neither before its epoch nor before what it has said, though a clock below it should."""
    ticks = [50.0]
    clock = WallClock(1_000.0, wall=900.0, monotonic=lambda: ticks[0])
    assert clock.now() == 0
    ticks[0] = 250.0
    assert clock.now() == 100 * SECOND
    ticks[0] = 200.0
    assert clock.now() == 100 * SECOND


def test_to_sleep_is_to_be_there_afterwards() -> None:
    """And an instant that has passed takes no sleep."""
    clock = WallClock(0.0)
    start = clock.now()
    clock.sleep_until(start)
    deadline = start + 20_000
    clock.sleep_until(deadline)  # type: ignore[arg-type]
    assert clock.now() >= deadline
