"""Time-outs, sleeps and back-off of clients in this process, by the clock of the server that they call.

On a jumping clock an answer that takes 20 s of the world's time comes within milliseconds: a client's own read time-out of 5 s
would never strike, and `asyncio.sleep(5)` would take real seconds. `ClientTime` makes both go by the world's clock, with the
client's own exceptions:

- a blocking socket's time-out (`socket.settimeout`, and so requests, urllib3, http.client and httpx) counts the world's time
  while an answer to a scoring request is waited for; other calls, which may take days of the world's time, keep real ones;
- event loops of asyncio have the world's time as `loop.time()`: `asyncio.sleep`, `asyncio.wait_for`, and with them httpx,
  aiohttp, anyio and tenacity.

What waits in native code for itself (uvloop, pycurl, grpc) keeps real time; so do `threading.Event.wait` and `queue.get`.
"""

import asyncio
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil
from os import close, pipe, write
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

from akstwin.domain.service_urls import SERVICE_PREFIX
from akstwin.errors import AksError
from akstwin.testing.calls import OURS

_PREFIX: Final = SERVICE_PREFIX.encode()
_LINE: Final = 4096
_LONGEST_WORK_SECONDS: Final = 1.0
"""Real seconds for which time stands still while a client computes; what takes longer may itself wait for a timer."""
_MICROS: Final = 1_000_000

_real_monotonic: Final = time.monotonic  # noqa: TID251 - event loops in real time, and the bound above


class Timer(Protocol):
    """A wait with an end, on the server."""

    @property
    def rung(self) -> bool:
        """Whether the end has come."""
        ...

    def end(self) -> None:
        """Wait no more."""
        ...


class Timers(Protocol):
    """Begins waits by the clock of a workspace."""

    def now(self) -> int:
        """The present, µs."""
        ...

    def hold(self, at_work: Callable[[], bool]) -> None:
        """Let time stand still while `at_work` says so."""
        ...

    def release(self, at_work: Callable[[], bool]) -> None:
        """Ask it no more."""
        ...

    def begin(self, seconds: float, ready: Callable[[], bool], wake: Callable[[], None]) -> Timer:
        """Wait at most so long; `ready` says from any thread whether there is something to do, `wake` is called at the end."""
        ...


class _Work:
    """Something that runs in one thread: a loop's round, or a call that a loop has given to a thread of its own.

    Attributes:
        since: when it began, real seconds.
        waits: whether it waits for the world, and computes nothing.
    """

    __slots__ = ("since", "waits")

    def __init__(self) -> None:
        self.since = _real_monotonic()
        self.waits = False


class ClientTime:
    """The time of clients in this process, from `begin` to `end`.

    Args:
        timers: by the clock of the workspace that they call.
        ports: the workspace's.
        server: the server's thread (`threading.get_ident`), whose own time stays real.
    """

    def __init__(self, timers: Timers, ports: frozenset[int], server: int) -> None:
        self._timers = timers
        self._ports = ports
        self._server = server
        self._scoring: WeakKeyDictionary[socket.socket, bool] = WeakKeyDictionary()
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Work] = WeakKeyDictionary()
        self._calls: set[_Work] = set()
        """Calls in threads of event loops."""
        self._here = threading.local()
        """`work`: the thread's."""
        self._start = 0
        """Of the world's time on the clock of event loops, whole seconds: aiohttp rounds deadlines to whole ones."""

    def begin(self) -> None:
        """From now on clients go by the world's clock.

        Raises:
            AksError: they already go by another one's.
        """
        global _active  # noqa: PLW0603 - there is one module of sockets, and one of event loops
        if _active is not None:
            raise AksError("only one server's clock can be the time of a process's clients")
        self._start = ceil(_real_monotonic() - self._timers.now() / _MICROS)
        _active = self
        for owner, name, replacement in _REPLACEMENTS:
            setattr(owner, name, replacement)
        self._timers.hold(self._at_work)

    def end(self) -> None:
        """Real time again."""
        global _active  # noqa: PLW0603 - see above
        self._timers.release(self._at_work)
        _active = None
        for owner, name, original in _ORIGINALS:
            if original is None:
                delattr(owner, name)
            else:
                setattr(owner, name, original)
        for loop in list(self._loops):
            selector = getattr(loop, "_selector", None)
            if isinstance(selector, _Selector):
                setattr(loop, "_selector", selector.real)  # noqa: B010 - asyncio has no other place for it

    def _at_work(self) -> bool:
        """Whether a loop, or a call in one of its threads, computes: its time is not the world's."""
        now = _real_monotonic()
        works = [work for loop, work in list(self._loops.items()) if loop.is_running()]
        return any(
            not work.waits and now - work.since < _LONGEST_WORK_SECONDS for work in (*works, *self._calls.copy())
        )

    @contextmanager
    def _waiting(self, work: _Work | None) -> Iterator[None]:
        """The work computes nothing meanwhile."""
        if work is None or work.waits:
            yield
            return
        work.waits = True
        try:
            yield
        finally:
            work.since = _real_monotonic()
            work.waits = False

    # -- event loops

    def loop_time(self, loop: Any) -> float | None:
        """The world's time on an event loop; None: it keeps real time."""
        if threading.get_ident() == self._server:
            return None
        if loop not in self._loops:
            selector = getattr(loop, "_selector", None)
            if selector is None:
                return None  # no loop that waits in a selector
            setattr(loop, "_selector", _Selector(self, loop, selector))  # noqa: B010 - see above
            self._loops[loop] = _Work()
        return self._start + self._timers.now() / _MICROS

    def select(self, loop: Any, real: Any, seconds: float | None) -> Any:
        """What has come on a loop's sockets; nothing: its next timer is due by the world's clock."""
        work = self._here.work = self._loops[loop]
        found = real.select(0)
        if found or (seconds is not None and seconds <= 0):
            work.since = _real_monotonic()
            return found
        if seconds is None:
            with self._waiting(work):
                return real.select(None)
        timer = self._timers.begin(seconds, lambda: bool(select.select([real], [], [], 0)[0]), lambda: _wake(loop))
        try:
            with self._waiting(work):  # it ends before the timer: time is held all the while
                while not found and not timer.rung:
                    found = real.select(None)
                return found
        finally:
            timer.end()

    def call(self, func: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """What a call in a thread of an event loop returns."""
        work = self._here.work = _Work()
        self._calls.add(work)
        try:
            return func(*args)
        finally:
            self._here.work = None
            self._calls.discard(work)

    # -- blocking sockets

    def sent(self, connection: socket.socket, data: Any) -> None:
        """Bytes go out: of the head of a request it is seen whether it is for a service."""
        line, mark, _ = bytes(memoryview(data)[:_LINE]).partition(b"\r\n")
        if mark and line.endswith((b" HTTP/1.1", b" HTTP/1.0")):
            self._scoring[connection] = _PREFIX in line and self._to_us(connection)

    def _to_us(self, connection: socket.socket) -> bool:
        try:
            return connection.getpeername()[1] in self._ports
        except (OSError, IndexError, TypeError):
            return False

    def receive(self, connection: socket.socket, read: Callable[[], Any]) -> Any:
        """What `read` gives, as soon as there is something to read.

        Raises:
            TimeoutError: the socket's own time-out has passed by the world's clock; as it would raise it.
        """
        seconds = connection.gettimeout()
        if seconds == 0 or threading.get_ident() == self._server:
            return read()
        ours = getattr(OURS, "calling", False)  # a sleep by the world's clock, for one
        if not ours and not self._scoring.get(connection, False):
            return read()
        with self._waiting(getattr(self._here, "work", None)):
            if ours or seconds is None:
                return read()
            if isinstance(connection, ssl.SSLSocket):
                return self._receive_secure(connection, seconds, read)
            if not _readable(connection):
                self._wait_by_the_clock(connection, seconds)
            return read()

    def _receive_secure(self, connection: ssl.SSLSocket, seconds: float, read: Callable[[], Any]) -> Any:
        """Bytes on the socket need not be the answer's: the protocol has records of its own."""
        deadline = self._timers.now() + seconds * _MICROS
        while True:
            connection.settimeout(0)
            try:
                return read()
            except ssl.SSLWantReadError:
                pass
            finally:
                connection.settimeout(seconds)
            self._wait_by_the_clock(connection, max(0, deadline - self._timers.now()) / _MICROS)

    def _wait_by_the_clock(self, connection: socket.socket, seconds: float) -> None:
        rung, ring = pipe()
        lock = threading.Lock()

        def wake() -> None:
            with lock:
                if ring_open:
                    write(ring, b"!")

        ring_open = True
        timer = self._timers.begin(seconds, lambda: _readable(connection), wake)
        try:
            waiting = select.poll()
            waiting.register(connection, select.POLLIN)
            waiting.register(rung, select.POLLIN)
            waiting.poll()
            if not _readable(connection):
                secure = isinstance(connection, ssl.SSLSocket)
                raise TimeoutError("The read operation timed out" if secure else "timed out")
        finally:
            timer.end()
            with lock:
                ring_open = False
                close(ring)
            close(rung)


class _Selector:
    """A loop's selector that waits for timers by the world's clock.

    Attributes:
        real: the loop's own.
    """

    def __init__(self, owner: ClientTime, loop: Any, real: Any) -> None:
        self._owner = owner
        self._loop = loop
        self.real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def select(self, timeout: float | None = None) -> Any:
        """As `selectors.BaseSelector.select`."""
        if _active is not self._owner:
            return self.real.select(timeout)
        return self._owner.select(self._loop, self.real, timeout)


def _wake(loop: asyncio.AbstractEventLoop) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(lambda: None)


def _readable(connection: socket.socket) -> bool:
    descriptor = connection.fileno()
    if descriptor < 0:
        return True  # closed by another thread: reading says so
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(0))


_active: ClientTime | None = None


def _received(original: Any) -> Any:
    def receive(self: socket.socket, *args: Any, **given: Any) -> Any:
        if _active is None:
            return original(self, *args, **given)
        return _active.receive(self, lambda: original(self, *args, **given))

    return receive


def _sent(original: Any) -> Any:
    def send(self: socket.socket, data: Any, *args: Any, **given: Any) -> Any:
        if _active is not None and self.gettimeout() != 0:
            _active.sent(self, data)
        return original(self, data, *args, **given)

    return send


def _loop_time(original: Any) -> Any:
    def passed(self: Any) -> float:
        virtual = None if _active is None else _active.loop_time(self)
        return float(original(self)) if virtual is None else virtual

    return passed


def _in_thread(original: Any) -> Any:
    def run_in_executor(self: Any, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        active = _active
        if active is None:
            return original(self, executor, func, *args)

        return original(self, executor, active.call, func, args)

    return run_in_executor


_REPLACED: Final[list[tuple[Any, str, Callable[[Any], Any]]]] = [
    (socket.socket, "recv", _received),
    (socket.socket, "recv_into", _received),
    (socket.socket, "send", _sent),
    (socket.socket, "sendall", _sent),
    (ssl.SSLSocket, "read", _received),
    (ssl.SSLSocket, "send", _sent),
    (asyncio.BaseEventLoop, "time", _loop_time),
    (asyncio.BaseEventLoop, "run_in_executor", _in_thread),
]
_ORIGINALS: Final = [(owner, name, vars(owner).get(name)) for owner, name, _ in _REPLACED]
_REPLACEMENTS: Final = [(owner, name, make(getattr(owner, name))) for owner, name, make in _REPLACED]
