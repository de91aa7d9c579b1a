"""How time passes on a server, by a real clock that the test moves."""

import asyncio
import sys
from collections.abc import Callable

import pytest
import uvloop

from akstwin.clock import SECOND, Micros
from akstwin.errors import InvalidSetting
from akstwin.fake_api.client_timers import ClientTimer
from akstwin.fake_api.clock import GRAIN, Mode, ServerClock
from akstwin.fake_api.turns import SLICE_SECONDS
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


def test_a_clients_deadline_that_passed_before_the_server_heard_of_it_is_due_now() -> None:
    """An advance by another thread may come between; the jump that follows must not look for an instant in the past."""

    async def story() -> None:
        clock, calendar, _, _ = made("jump")
        woken = asyncio.Event()
        timer = ClientTimer(15 * SECOND, lambda: False, woken.set)
        await clock.advance(Micros(60 * SECOND))
        clock.expect(timer)
        await asyncio.wait_for(woken.wait(), 60)
        assert timer.rung
        assert calendar.now == 60 * SECOND
        timer.end()
        clock.close()
        await asyncio.sleep(0)  # for the jump to end

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


def laborious(mode: Mode, events: int = 100) -> tuple[ServerClock, Calendar, Real, list[int]]:
    """A clock with an event each second that takes a slice of real time, and when they took place."""
    calendar, real, reached = Calendar(), Real(), []

    def happen() -> None:
        reached.append(int(calendar.now))
        real.seconds += SLICE_SECONDS

    for second in range(1, events + 1):
        calendar.at(second * SECOND, Order.POD, happen)
    return ServerClock(calendar, mode, 1.0, real), calendar, real, reached


@pytest.mark.parametrize("mode", ["live", "jump", "manual"])
def test_who_looks_during_an_advance_sees_the_instant_reached(mode: Mode) -> None:
    """Whoever changes something waits for its end, in the order of coming, functions and coroutines alike."""

    async def story() -> None:
        clock, calendar, _, reached = laborious(mode)
        advancing = asyncio.ensure_future(clock.advance(100 * SECOND))
        await asyncio.sleep(0)
        seen: list[tuple[str, int]] = []

        async def command(name: str) -> None:
            async with clock.commanding() as now:
                seen.append((name, now))

        commands = [asyncio.ensure_future(command("first"))]
        await asyncio.sleep(0)
        assert not clock.ready()
        clock.line_up(lambda: seen.append(("second", int(calendar.now))))
        commands.append(asyncio.ensure_future(command("third")))
        looks = []
        while not advancing.done():
            with clock.acting() as now:
                looks.append(now)
                assert len(reached) == now // SECOND
            await asyncio.sleep(0)
        assert len(set(looks)) > 50
        assert not seen
        await asyncio.gather(*commands)
        assert seen == [("first", 100 * SECOND), ("second", 100 * SECOND), ("third", 100 * SECOND)]
        assert clock.ready()
        clock.close()

    on_a_loop(story)


def test_advances_that_come_together_follow_each_other() -> None:
    """Each passes its own span, from where the one before ended."""

    async def story() -> None:
        clock, _, _, reached = laborious("manual")
        ends = await asyncio.gather(*(clock.advance(10 * SECOND) for _ in range(3)))
        assert ends == [10 * SECOND, 20 * SECOND, 30 * SECOND]
        assert len(reached) == 30

    on_a_loop(story)


def test_a_poll_during_an_advance_is_answered_from_the_instant_reached() -> None:
    """It takes nobody anywhere; the advance does that."""

    async def story() -> None:
        clock, calendar, _, _ = laborious("jump")
        advancing = asyncio.ensure_future(clock.advance(100 * SECOND))
        await asyncio.sleep(0)
        await clock.skip(lambda: False, 1000 * SECOND)
        assert calendar.now < 100 * SECOND
        assert await advancing == 100 * SECOND

    on_a_loop(story)


def test_commands_wait_for_a_skip_but_not_for_what_takes_real_time() -> None:
    """While a script starts, others may go on."""

    async def story() -> None:
        clock, calendar, _, reached = laborious("jump", 10)
        works = []

        def begin() -> None:
            works.append(clock.real_work())
            works[0].__enter__()

        calendar.at(5 * SECOND, Order.POLICY, begin)
        skipping = asyncio.ensure_future(clock.skip(lambda: len(reached) == 10, 100 * SECOND))
        await asyncio.sleep(0)
        async with clock.commanding() as now:
            assert now == 5 * SECOND
        works[0].__exit__(None, None, None)
        await skipping
        assert calendar.now == 10 * SECOND

    on_a_loop(story)


@pytest.mark.parametrize("mode", ["live", "manual"])
def test_an_advance_that_is_cut_short_leaves_time_where_it_is(mode: Mode) -> None:
    """It goes on from there, and whoever waited has a turn."""

    async def story() -> None:
        clock, calendar, real, _ = laborious(mode)
        advancing = asyncio.ensure_future(clock.advance(100 * SECOND))
        await asyncio.sleep(0)
        given_up = asyncio.ensure_future(clock.take_turn())
        command = asyncio.ensure_future(clock.take_turn())
        await asyncio.sleep(0)
        given_up.cancel()
        advancing.cancel()
        await command
        clock.end_turn()
        stopped = int(calendar.now)
        assert 0 < stopped < 100 * SECOND
        real.seconds += 0.5
        assert clock.now() == stopped + (SECOND // 2 if mode == "live" else 0)
        clock.close()

    on_a_loop(story)


def test_what_is_overdue_happens_in_slices() -> None:
    """On a clock that passes by itself: who looks is not held up, who changes something finds all done."""

    async def story() -> None:
        clock, _, real, reached = laborious("live", 50)
        clock.sync()
        real.seconds += 1000
        with clock.acting():
            assert len(reached) == 1
        with clock.acting():
            assert len(reached) < 50
        async with clock.commanding():
            assert len(reached) == 50
        clock.close()

    on_a_loop(story)


@pytest.mark.parametrize("mode", ["live", "jump", "manual"])
def test_what_a_command_has_begun_goes_on_before_the_next_one(mode: Mode) -> None:
    """Its further parts take place though time stands still, and nothing else of that instant with them."""

    async def story() -> None:
        clock, calendar, _, _ = made(mode)
        parts: list[int] = []
        others: list[int] = []

        def part() -> None:
            parts.append(len(parts))
            if len(parts) < 1000:
                calendar.after(0, Order.SAMPLE, part)

        async with clock.commanding():
            calendar.after(0, Order.POD, lambda: others.append(1))
            part()
        async with clock.commanding():
            assert len(parts) == 1000
            assert bool(others) == (mode == "live")
        clock.close()

    on_a_loop(story)
