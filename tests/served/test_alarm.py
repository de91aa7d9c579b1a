"""The timer of a live clock, by itself."""

import asyncio
import os
import selectors
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvloop

from akstwin.fake_api.alarm import Alarm, KernelAlarm, LoopAlarm, make_alarm

linux = pytest.mark.skipif(sys.platform != "linux", reason="timerfd is Linux's")
ALARMS = [pytest.param(KernelAlarm, marks=linux), LoopAlarm]
_now = time.monotonic  # noqa: TID251 - the clock that the kernel's alarm goes by
Story = Callable[[Alarm, "asyncio.Queue[float]"], Awaitable[None]]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def play(request: Any) -> Callable[..., None]:
    """Play a story with an alarm, and the instants at which it went off."""

    def played(kind: Any, story: Story) -> None:
        async def main() -> None:
            rung: asyncio.Queue[float] = asyncio.Queue()
            alarm = kind(asyncio.get_running_loop(), lambda: rung.put_nowait(_now()))
            try:
                await story(alarm, rung)
            finally:
                alarm.close()

        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(main())

    return played


@pytest.mark.parametrize("kind", ALARMS)
def test_it_goes_off_once_for_what_it_was_last_set_to(play: Any, kind: Any) -> None:
    """Sooner or later than before; and again only when it is set again."""

    async def story(alarm: Alarm, rung: "asyncio.Queue[float]") -> None:
        for before in (60.0, 0.001):
            alarm.set(before)
            alarm.set(0.002)
            await rung.get()
            await asyncio.sleep(0.02)
            assert rung.empty()

    play(kind, story)


@pytest.mark.parametrize("kind", ALARMS)
def test_one_that_is_cancelled_does_not_go_off(play: Any, kind: Any) -> None:
    """Until it is set again."""

    async def story(alarm: Alarm, rung: "asyncio.Queue[float]") -> None:
        alarm.set(0.001)
        alarm.cancel()
        await asyncio.sleep(0.02)
        assert rung.empty()
        alarm.set(0.001)
        await rung.get()

    play(kind, story)


@linux
@pytest.mark.parametrize("seconds", [0.0, 1e-9, 0.0004, 0.0013, 0.0049])
def test_the_kernels_is_never_early(play: Any, seconds: float) -> None:
    """Not by a fraction of a millisecond, whatever the loop's own clock says."""

    async def story(alarm: Alarm, rung: "asyncio.Queue[float]") -> None:
        for _ in range(20):
            due = _now() + seconds
            alarm.set(seconds)
            assert await rung.get() >= due

    play(KernelAlarm, story)


@linux
def test_one_that_was_set_anew_in_the_same_round_does_not_go_off_for_what_was(play: Any) -> None:
    """The loop knows that it was due; the alarm knows that it is not any more."""

    async def story(alarm: Alarm, rung: "asyncio.Queue[float]") -> None:
        alarm.set(1e-9)
        with selectors.DefaultSelector() as due:
            due.register(alarm._file, selectors.EVENT_READ)  # type: ignore[attr-defined]
            assert due.select(10)
        alarm.set(60.0)
        alarm._readable()  # type: ignore[attr-defined]  # as the loop does that has seen it be due
        assert rung.empty()

    play(KernelAlarm, story)


@linux
def test_one_that_is_closed_holds_no_descriptor() -> None:
    """On its loop, after its loop, and where nobody closes it."""
    files: list[int] = []

    async def story() -> KernelAlarm:
        alarm, other, third = (make_alarm(lambda: None) for _ in range(3))
        assert isinstance(alarm, KernelAlarm)
        assert isinstance(other, KernelAlarm)
        assert isinstance(third, KernelAlarm)
        files.extend(each._file for each in (alarm, other, third))
        alarm.close()
        alarm.close()
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(files[0])
        return other

    left = asyncio.run(story())
    left.close()
    for file in files[1:]:
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(file)
