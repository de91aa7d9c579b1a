"""How time passes on a server: live, paced, jumping, or only when told (design §7.2)."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, Literal, Protocol, get_args

from akstwin.clock import SECOND, Micros
from akstwin.errors import InvalidSetting
from akstwin.fake_api.alarm import Alarm, make_alarm
from akstwin.fake_api.turns import SLICE_SECONDS, Turns, others_turn
from akstwin.sim.calendar import Calendar, Order

Mode = Literal["live", "paced", "jump", "manual"]
SETTLE_SECONDS: Final = 0.002
"""Real time for callers that come together, before a jump."""
GRAIN: Final = 100
"""What is due within so many microseconds is done at once: a timer of the operating system would come later than that."""
_NEVER: Final = float("inf")
_ROUNDS: Final = 25
"""Rounds of the event loop within which a call that is being answered does something."""


class Expected(Protocol):
    """A wait of a client in this process that ends at an instant of the clock."""

    deadline: int
    live: bool

    def holds(self) -> bool:
        """Whether time has to stand still until the client has acted."""
        ...

    def ring(self) -> None:
        """The instant has come."""
        ...


def _never_done() -> bool:
    return False


class Commanding:
    """A turn of something that changes a clock's world: see `ServerClock.commanding`.

    Args:
        clock: whose.
    """

    def __init__(self, clock: "ServerClock") -> None:
        self._clock = clock

    async def __aenter__(self) -> Micros:
        """Its turn has come; returns the present."""
        await self._clock.take_turn()
        return self._clock.reached

    async def __aexit__(self, *_: object) -> None:
        """Its turn is over."""
        self._clock.end_turn()


class ServerClock:
    """Lets a calendar's time pass. For one event loop, on which all is called.

    What takes long happens in slices, between which the loop answers other calls. `acting` looks at the instant that has been
    reached by then, and never waits. What changes something waits for its turn, so that it does not depend on where a slice
    ended: by `commanding`, or by `ready` and `line_up` where no coroutine is at hand.

    - live: real pace; `skip` takes whoever waits for an operation straight to its end.
    - paced: `rate` virtual seconds a second; nothing is skipped.
    - jump: stands still unless somebody waits; then it moves from event to event.
    - manual: stands still but for `advance`.

    Args:
        calendar: whose time it is.
        mode: how it passes.
        rate: virtual seconds a real second, for `paced`.
        monotonic: real seconds. Not the event loop's own clock by default: uvloop's is only good to a millisecond.

    Attributes:
        wakes: how often the alarm has gone off for what was due.
        holders: say whether clients in this process are at work, so that a jumping clock stands still; called on its thread.

    Raises:
        InvalidSetting: another mode, or a rate that is not greater than 0.
    """

    def __init__(
        self,
        calendar: Calendar,
        mode: Mode = "live",
        rate: float = 1.0,
        monotonic: Callable[[], float] = time.monotonic,  # noqa: TID251 - this world's own clock
    ) -> None:
        if mode not in get_args(Mode):
            raise InvalidSetting("clock", mode, f"one of {', '.join(get_args(Mode))}")
        self.mode: Mode = mode
        self._calendar = calendar
        calendar.in_parts = True
        self.runs: Final = mode in ("live", "paced")
        """Whether time passes by itself."""
        self._monotonic = monotonic
        self._rate = 1.0
        self._origin: tuple[int, float] | None = None
        self._alarm: Alarm | None = None
        self._due = _NEVER
        """What the alarm is set to, virtual µs."""
        self.wakes = 0
        self._waiting = 0
        self._released = 0
        self._busy = 0
        self._expected: list[Expected] = []
        self.holders: list[Callable[[], bool]] = []
        self._jumping: asyncio.Task[None] | None = None
        self._ended: asyncio.Future[None] | None = None
        self._turns: Final = Turns()
        self._advancing = False
        self._catching: asyncio.Task[None] | None = None
        self._closed = False
        self.set_rate(rate)

    @property
    def rate(self) -> float:
        """Virtual seconds a real second, where time passes by itself."""
        return self._rate

    @property
    def reached(self) -> Micros:
        """The instant up to which everything has happened."""
        return self._calendar.now

    def set_rate(self, rate: float) -> None:
        """Let time pass faster or slower from now on.

        Raises:
            InvalidSetting: not greater than 0; or another than 1 on a clock that is not paced.
        """
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= 1e6:
            raise InvalidSetting("rate", rate, "greater than 0, at most a million")
        if self.mode != "paced" and rate != 1:
            raise InvalidSetting("rate", rate, "taken by a paced clock only")
        if self._origin is None:
            self._rate = float(rate)
            return
        self._origin = (self.now(), self._monotonic())
        self._rate = float(rate)
        self._disarm()
        self.arm()

    def now(self) -> Micros:
        """The present: where time passes by itself, as of this very moment."""
        return Micros(max(self._passed(), self._calendar.now)) if self.runs else self._calendar.now

    def _passed(self) -> int:
        """What the real clock says; the calendar may be a grain ahead."""
        if self._origin is None:
            self._origin = (self._calendar.now, self._monotonic())
        since, started = self._origin
        return since + int((self._monotonic() - started) * self._rate * SECOND)

    def sync(self) -> Micros:
        """Let everything happen that is due, unless somebody lets time pass; returns the present."""
        if self.runs and not self._turns.held:
            self._calendar.run_until(self.now())
        return self._calendar.now

    def arm(self) -> None:
        """What comes next will be done at its time. To be called after anything that may have planned something."""
        if self._turns.held or self._closed:
            return
        if not self.runs:
            if self._calendar.goes_on:
                self._catch_up()
            return
        ahead = self._passed() + GRAIN
        if self._calendar.peek() <= ahead and self._slice(ahead):
            self._catch_up()
            return
        following = self._calendar.peek()
        if following == _NEVER:
            return
        if self._due <= following:
            return
        if self._alarm is None:
            self._alarm = make_alarm(self._ring)
        self._due = float(following)
        self._alarm.set((following - self._passed()) / self._rate / SECOND)

    def _slice(self, until: int) -> bool:
        """Let events up to an instant happen, for one slice of real time; whether there are more.

        Where time stands still, only what has begun goes on.
        """
        step = self._calendar.step
        end = self._monotonic() + SLICE_SECONDS
        while self._overdue(until):
            step()
            if self._monotonic() >= end:
                return self._overdue(until)
        return False

    def _overdue(self, until: int) -> bool:
        return self._calendar.peek() <= until if self.runs else self._calendar.goes_on

    def _is_up_to_date(self) -> bool:
        """Whether all that is due has happened; what takes longer than a slice goes on in the next ones."""
        present = self.now()
        if self._overdue(present) and self._slice(present):
            self._catch_up()
            return False
        if self.runs:
            self._calendar.run_until(present)
        return True

    def _catch_up(self) -> None:
        """Let what is due happen slice by slice; whoever changes something waits for its end."""
        self._turns.hold()
        self._catching = asyncio.ensure_future(self._catching_up())

    async def _catching_up(self) -> None:
        try:
            present = self.now()
            await others_turn()
            while self._slice(present):
                await others_turn()
            if self.runs:
                self._calendar.run_until(present)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        self._turns.let_go()
        self.arm()

    def _disarm(self) -> None:
        if self._due != _NEVER and self._alarm is not None:
            self._alarm.cancel()
        self._due = _NEVER

    def _ring(self) -> None:
        self._due = _NEVER
        self.wakes += 1
        if not self._turns.held and self._is_up_to_date():
            self.arm()

    @contextmanager
    def acting(self) -> Iterator[Micros]:
        """For whatever looks at the world: it does so at the present, or at the instant that has been reached.

        For whatever changes it, too, where that has its turn (`commanding`) or cannot wait for one: what follows is planned.
        """
        if not self._turns.held:
            self._is_up_to_date()
        try:
            yield self._calendar.now
        finally:
            self.arm()

    def commanding(self) -> "Commanding":
        """For whatever changes the world: `async with`, in which nothing is awaited.

        It begins at its turn: when no `advance` and no `skip` lets time pass, and all that is due has happened.
        """
        return Commanding(self)

    def ready(self) -> bool:
        """Whether what changes the world may do so now, without waiting for its turn. If not: `line_up`."""
        return not self._turns.taken and self._is_up_to_date()

    def line_up(self, call: Callable[[], None]) -> None:
        """Have a function called when its turn to change the world comes."""
        self._turns.line_up(call)

    async def take_turn(self) -> None:
        """Wait for a turn and keep it; to be ended by `end_turn`."""
        if self.ready():
            self._turns.hold()
        else:
            await self._turns.turn()

    def end_turn(self) -> None:
        """End a turn: what follows is planned, and whoever is next begins."""
        self._let_go()

    def settle(self) -> None:
        """What is due at this very instant has happened when this returns."""
        self._calendar.run_until(self.sync())
        self.arm()

    async def advance(self, span: int) -> Micros:
        """Let `span` pass at once, in any mode; what takes real time is waited for. Returns the present.

        Other calls that let time pass, or change something, wait for its end.
        """
        await self.take_turn()
        self._advancing = True
        try:
            end = self._calendar.now + span
            while self._busy or self._calendar.peek() <= end:
                if self._busy:
                    await self._idle()
                elif self._going_on(end, _never_done):
                    await others_turn()
            self._move_to(max(end, self._calendar.now))
            return self._calendar.now
        finally:
            self._advancing = False
            self._move_to(self._calendar.now)
            self._let_go()

    async def skip(self, done: Callable[[], bool], limit: int) -> None:
        """Live and jumping clocks: go straight to where `done()` holds, at most `limit` µs ahead; others: nothing.

        What takes real time is waited for; meanwhile others may change something. While an `advance` is under way, time
        passes by that, and this returns at once.
        """
        if self.mode not in ("live", "jump") or self._advancing:
            return
        await self.take_turn()
        holding = True
        try:
            end = self._calendar.now + limit
            while not done():
                if self._busy:
                    holding = False
                    self._let_go()
                    await self._idle()
                    await self.take_turn()
                    holding = True
                elif self._calendar.peek() > end:
                    break
                elif self._going_on(end, done):
                    await others_turn()
        finally:
            if holding:
                self._move_to(self._calendar.now)
                self._let_go()

    def _going_on(self, end: int, done: Callable[[], bool]) -> bool:
        """Events up to `end`, for one slice, until `done()` or something takes real time; whether the slice was used up."""
        peek, step = self._calendar.peek, self._calendar.step
        over = self._monotonic() + SLICE_SECONDS
        while peek() <= end and not self._busy and not done():
            step()
            if self._monotonic() >= over:
                return True
        return False

    async def _idle(self) -> None:
        """Return when nothing takes real time any more, or something has just ended."""
        if self._ended is None:
            self._ended = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._ended)

    def _move_to(self, instant: int) -> None:
        self._calendar.run_until(instant)
        if self._origin is not None:
            self._origin = (self._calendar.now, self._monotonic())
        self._disarm()
        self.arm()

    async def sleep_until(self, deadline: int) -> None:
        """Return at `deadline`; a jumping clock takes that for a reason to jump."""
        woken = asyncio.Event()

        def wake() -> None:
            self.release()
            woken.set()

        async with self.commanding():
            if self._calendar.now >= deadline:
                return
            self._calendar.at(deadline, Order.POLICY, wake)
        with self.waiting():
            await woken.wait()
        if not self.runs:
            async with self.commanding():
                self.settle()  # as in virtual time: who wakes finds all done that was due at that instant

    # -- jumping

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Somebody waits meanwhile: see `wait`."""
        self.wait()
        try:
            yield
        finally:
            self.waited()

    def wait(self) -> None:
        """Somebody begins to wait for something that time will bring: a jumping clock moves, until `waited` is called."""
        self._waiting += 1
        self._released += 1
        self._begin_jumping()

    def _begin_jumping(self) -> None:
        if self._jumping is None and self.mode == "jump":
            self._jumping = asyncio.ensure_future(self._jump())

    def waited(self) -> None:
        """Who began to wait waits no more."""
        self._waiting -= 1
        self._released += 1

    def release(self) -> None:
        """Somebody who waited has been served: a jumping clock stops to let that be known."""
        self._released += 1

    def expect(self, client: Expected) -> None:
        """A client in this process waits for `client.deadline`, or for bytes; a jumping clock moves, but not past either."""
        with self.acting() as now:
            self._calendar.at(max(now, client.deadline), Order.POLICY, client.ring)
        self._expected.append(client)
        self._begin_jumping()

    def _awaited(self) -> bool:
        """Whether anybody waits for time to pass."""
        if self._expected:
            self._expected = [client for client in self._expected if client.live]
        return self._waiting > 0 or bool(self._expected)

    async def _quiet(self) -> bool:
        """Whether clients in this process have nothing to do, and no call of theirs is being answered, until time passes."""
        seen = self._released
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)
        held = any(holds() for holds in self.holders) or any(client.holds() for client in self._expected)
        return seen == self._released and not self._busy and not held

    @contextmanager
    def real_work(self) -> Iterator[None]:
        """Something takes real time: a jumping clock waits for it."""
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1
            self._released += 1
            if self._ended is not None:
                ended, self._ended = self._ended, None
                ended.set_result(None)

    async def _jump(self) -> None:
        try:
            while self._awaited():
                seen = self._released
                await asyncio.sleep(SETTLE_SECONDS)
                if self._busy:
                    await self._idle()
                    continue
                if seen != self._released or self._turns.taken:
                    continue  # somebody came or went: let them settle
                if (self._expected or self.holders) and not await self._quiet():
                    continue
                self._jump_on(seen)
        finally:
            self._jumping = None
            if self._awaited():
                self._begin_jumping()

    def _jump_on(self, seen: int) -> None:
        """Events, until somebody has been served, or an instant that a client in this process waits for has come."""
        # A deadline that passed before the server heard of it is due now.
        stop = max(self._calendar.now, min((client.deadline for client in self._expected), default=_NEVER))
        over = self._monotonic() + SLICE_SECONDS
        while self._monotonic() < over:
            following = self._calendar.peek()
            if self._released != seen or self._busy or not self._awaited() or following == _NEVER:
                return
            if following > stop:
                return
            self._calendar.step()

    def close(self) -> None:
        """Time stands still for good."""
        self._closed = True
        self._due = _NEVER
        if self._catching is not None:
            self._catching.cancel()
        if self._alarm is not None:
            self._alarm.close()
            self._alarm = None
        if self._jumping is not None:
            self._jumping.cancel()
