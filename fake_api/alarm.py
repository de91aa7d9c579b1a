"""A timer on an event loop that goes off once for what it was set to: never early, and less than a millisecond late when idle.

A loop's own timers are not that fine: uvloop's count whole milliseconds from when its round began, and go off up to one early.
"""

import asyncio
import ctypes
import os
import sys
import weakref
from collections.abc import Callable
from math import ceil
from typing import Final, Protocol

_CLOCK_MONOTONIC: Final = 1
_NANOSECONDS: Final = 10**9
_MILLISECONDS: Final = 1000


class Alarm(Protocol):
    """Calls one function at the instant that it was last set to."""

    def set(self, seconds: float) -> None:
        """Go off in so many seconds from now, and at no instant that it was set to before."""
        ...

    def cancel(self) -> None:
        """Do not go off until it is set again."""
        ...

    def close(self) -> None:
        """Give back what it holds. It cannot be set any more."""
        ...


class LoopAlarm:
    """An alarm of the loop's own timers, in whole milliseconds, rounded up. With uvloop it may still go off early.

    Args:
        loop: on which `ring` is called.
        ring: called when the alarm goes off.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        self._timer: asyncio.TimerHandle | None = None

    def set(self, seconds: float) -> None:
        """See `Alarm`."""
        self.cancel()
        self._timer = self._loop.call_later(ceil(seconds * _MILLISECONDS) / _MILLISECONDS, self._ring)

    def cancel(self) -> None:
        """See `Alarm`."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        """See `Alarm`."""
        self.cancel()


class _Setting(ctypes.Structure):
    """The system's `struct itimerspec`: an interval, which is not used, and the time to the first expiry; zero disarms."""

    _fields_ = [(name, ctypes.c_long) for name in ("every_s", "every_ns", "first_s", "first_ns")]


class KernelAlarm:
    """An alarm of the Linux kernel (timerfd_create(2)), in nanoseconds: a descriptor that the loop reads.

    Args:
        loop: on which `ring` is called.
        ring: called when the alarm goes off.

    Raises:
        OSError: the system has no descriptor left.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, ring: Callable[[], None]) -> None:
        self._loop = loop
        self._ring = ring
        libc = ctypes.CDLL(None, use_errno=True)
        self._settime = libc.timerfd_settime
        self._setting = _Setting()
        self._reference = ctypes.byref(self._setting)
        self._file = libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._file < 0:
            raise _error()
        self._close = weakref.finalize(self, os.close, self._file)
        loop.add_reader(self._file, self._readable)

    def set(self, seconds: float) -> None:
        """See `Alarm`."""
        nanoseconds = max(1, ceil(seconds * _NANOSECONDS))
        self._setting.first_s, self._setting.first_ns = divmod(nanoseconds, _NANOSECONDS)
        self._apply()

    def cancel(self) -> None:
        """See `Alarm`."""
        self._setting.first_s = self._setting.first_ns = 0
        self._apply()

    def close(self) -> None:
        """See `Alarm`."""
        if self._close.alive:
            if not self._loop.is_closed():
                self._loop.remove_reader(self._file)
            self._close()

    def _apply(self) -> None:
        if self._settime(self._file, 0, self._reference, None):
            raise _error()

    def _readable(self) -> None:
        try:
            os.read(self._file, 8)
        except BlockingIOError:
            return  # it was set anew in the same round of the loop
        self._ring()


def make_alarm(ring: Callable[[], None]) -> Alarm:
    """The finest alarm that there is, on the running loop."""
    loop = asyncio.get_running_loop()
    return KernelAlarm(loop, ring) if sys.platform == "linux" else LoopAlarm(loop, ring)


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
