"""How time passes on a server, by a real clock that the test moves."""

import asyncio
import sys
from collections.abc import Callable

import pytest
import uvloop

from akstwin.clock import SECOND
from akstwin.errors import InvalidSetting
from akstwin.fake_api.clock import GRAIN, Mode, ServerClock
from akstwin.sim.calendar import Calendar, Order


class Real:
    """Real seconds, moved by hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        """Now."""
        return self.seconds


def on_a_loop(story: Callable[[], object]) -> None:
    """Run a coroutine function."""
    asyncio.run(story())  # type: ignore[arg-type]


def made(mode: Mode, rate: float = 1.0) -> tuple[ServerClock, Calendar, Real, list[int]]:
    """A clock, its calendar, the real time, and when marks at 1, 2 and 3 s were reached."""
    calendar, real, reached = Calendar(), Real(), []
    for second in (1, 2, 3):
        calendar.at(second * SECOND, Order.POD, lambda: reached.append(int(calendar.now)))
    return ServerClock(calendar, mode, rate, real), calendar, real, reached


@pytest.mark.parametrize(("mode", "rate", "passes"), [("live", 1, 1), ("paced", 60, 60)])
def test_time_passes_by_itself(mode: Mode, rate: float, passes: int) -> None:
    """At the real pace, or at so many seconds a second."""

    async def story() -> None:
        clock, calendar, real, reached = made(mode, rate)
        clock.sync()
        real.seconds += 2.5 / passes
        clock.sync()
        assert (calendar.now, reached) == (2_500_000, [1_000_000, 2_000_000])

    on_a_loop(story)


@pytest.mark.parametrize("mode", ["jump", "manual"])
def test_time_stands_still(mode: Mode) -> None:
    """Whatever the real clock says."""

    async def story() -> None:
        clock, calendar, real, reached = made(mode)
        clock.sync()
        real.seconds += 1000
        with clock.acting() as now:
            assert now == 0
        assert (calendar.now, reached) == (0, [])

    on_a_loop(story)


@pytest.mark.parametrize("mode", ["live", "paced", "jump", "manual"])
def test_time_can_be_advanced_in_every_mode(mode: Mode) -> None:
    """And goes on from there."""

    async def story() -> None:
        clock, calendar, real, reached = made(mode)
        clock.sync()
        assert await clock.advance(2 * SECOND) == 2 * SECOND
        assert reached == [1 * SECOND, 2 * SECOND]
        real.seconds += 1
        clock.sync()
        assert calendar.now == (3 if mode in ("live", "paced") else 2) * SECOND
        clock.close()

    on_a_loop(story)


def test_time_never_goes_back() -> None:
    """Another rate holds from now on."""

    async def story() -> None:
        clock, calendar, real, _ = made("paced", 10)
        clock.sync()
        real.seconds += 0.125
        clock.set_rate(1)
        real.seconds += 0.75
        assert clock.sync() == 2 * SECOND
        assert calendar.now == 2 * SECOND

    on_a_loop(story)


@pytest.mark.parametrize("mode", ["live", "jump"])
def test_who_polls_is_taken_to_the_end(mode: Mode) -> None:
    """No further than needed."""

    async def story() -> None:
        clock, calendar, _, reached = made(mode)
        await clock.skip(lambda: len(reached) == 2, 10 * SECOND)
        assert (calendar.now, reached) == (2 * SECOND, [1 * SECOND, 2 * SECOND])
        await clock.skip(lambda: False, 10 * SECOND)
        assert len(reached) == 3
        clock.close()

    on_a_loop(story)


@pytest.mark.parametrize("mode", ["paced", "manual"])
def test_other_clocks_take_nobody_anywhere(mode: Mode) -> None:
    """They pass as they pass."""

    async def story() -> None:
        clock, calendar, _, reached = made(mode)
        await clock.skip(lambda: bool(reached), 10 * SECOND)
        assert (calendar.now, reached) == (0, [])

    on_a_loop(story)


def test_a_skip_waits_for_what_takes_real_time() -> None:
    """A script that is starting is not overtaken."""

    async def story() -> None:
        clock, calendar, _, reached = made("jump")
        work = clock.real_work()
        work.__enter__()

        async def ends() -> None:
            await asyncio.sleep(0)
            assert calendar.now == 0
            work.__exit__(None, None, None)

        ending = asyncio.ensure_future(ends())
        await clock.skip(lambda: bool(reached), 10 * SECOND)
        await ending
        assert reached == [1 * SECOND]

    on_a_loop(story)


def test_a_jumping_clock_moves_for_sleepers() -> None:
    """From event to event, and stops when nobody waits."""

    async def story() -> None:
        clock, calendar, _, reached = made("jump")
        await asyncio.gather(clock.sleep_until(1_500_000), clock.sleep_until(2_500_000))
        assert (calendar.now, reached) == (2_500_000, [1_000_000, 2_000_000])
        await clock.sleep_until(1)
        assert calendar.now == 2_500_000
        clock.close()

    on_a_loop(story)


def test_what_is_due_within_a_grain_is_done_at_once() -> None:
    """No timer is finer; what comes later waits for its time."""

    async def story() -> None:
        clock, calendar, _, reached = made("live")
        with clock.acting():
            calendar.at(GRAIN // 2, Order.POD, lambda: reached.append(-1))
            calendar.at(GRAIN * 3, Order.POD, lambda: reached.append(-3))
        assert reached == [-1]
        clock.close()

    on_a_loop(story)


@pytest.mark.parametrize(
    ("mode", "rate", "setting"),
    [("slow", 1, "clock"), ("paced", 0, "rate"), ("paced", -1, "rate"), ("live", 2, "rate")],
)
def test_what_is_no_clock_is_refused(mode: Mode, rate: float, setting: str) -> None:
    """By its name."""
    with pytest.raises(InvalidSetting, match=f"^{setting}: "):
        ServerClock(Calendar(), mode, rate)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the loop's own timers are all there is")
@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_live_clock_wakes_once_for_each_instant_at_most(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Never in vain: not before what it was set to, and not for what was done meanwhile."""
    count, apart = 40, 1_370

    async def story() -> None:
        calendar = Calendar()
        clock = ServerClock(calendar, "live")
        done: list[int] = []
        ended = asyncio.Event()
        for number in range(1, count + 1):
            calendar.at(number * apart, Order.POLICY, lambda: done.append(int(calendar.now)))
        calendar.at(count * apart, Order.ARRIVAL, ended.set)
        clock.arm()
        await ended.wait()
        assert done == [number * apart for number in range(1, count + 1)]
        assert 1 <= clock.wakes <= count
        clock.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(story())
