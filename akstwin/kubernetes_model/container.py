"""What runs inside one replica: workers, a first-in-first-out backlog, and probes that wait in it.

R10 and semantics §6.4: a probe joins the backlog like a request, takes no worker time, and is answered when a worker
reaches it. A driver gives run times to what `Start` names and tells when they are over.
"""

from collections import deque
from typing import NamedTuple


class Start(NamedTuple):
    """A worker begins with the request."""

    request: int


class Reached(NamedTuple):
    """A worker has answered the probe."""

    probe: int


class Refused(NamedTuple):
    """The container takes nothing any more: connection refused (R13)."""

    request: int


class OutOfMemory(NamedTuple):
    """The container takes more memory than its limit: it is to be killed at once, with all that it holds."""


class Exited(NamedTuple):
    """A stopping container has finished what it held."""


Effect = Start | Reached | Refused | OutOfMemory | Exited


class Container:
    """One container from its start to its end.

    It takes connections from the start, works on them once `init()` is over, and after `stop` only finishes what it holds.

    Args:
        workers: processes that score at once.
        room: how many requests it holds at once without taking more memory than its limit, from the end of `init()` on; None: any
            number; -1: without any request it takes too much.
    """

    __slots__ = ("_backlog", "_running", "_workers", "alive", "hung", "initialised", "room", "stopping")

    def __init__(self, workers: int, room: int | None = None) -> None:
        self._workers = workers  # free or busy, not counting those that run init() again
        self._running: set[int] = set()
        self._backlog: deque[tuple[bool, int]] = deque()  # (is a probe, number)
        self.room = room
        self.alive = True
        self.initialised = False
        self.hung = False
        self.stopping = False

    def __repr__(self) -> str:
        return f"<Container {len(self._running)} of {self._workers} busy, {len(self._backlog)} in the backlog>"

    @property
    def holds(self) -> list[int]:
        """Requests that it has taken and not finished."""
        return [*sorted(self._running), *(number for is_probe, number in self._backlog if not is_probe)]

    @property
    def busy(self) -> int:
        """Workers at work."""
        return len(self._running)

    def accept(self, request: int) -> list[Effect]:
        """A request comes in."""
        if not self.alive or self.stopping:
            return [Refused(request)]
        if self.room is not None and self._is_full(self.room):
            self._backlog.append((False, request))
            return [OutOfMemory()]
        if not self._backlog and self.initialised and not self.hung and len(self._running) < self._workers:
            self._running.add(request)
            return [Start(request)]
        self._backlog.append((False, request))
        return self._advance()

    def probe(self, number: int) -> list[Effect]:
        """A probe comes in; it is answered by `Reached`, or never."""
        if not self.alive or self.stopping:
            return []
        self._backlog.append((True, number))
        return self._advance()

    def drop_probe(self, number: int) -> None:
        """The probe has given up waiting."""
        if (True, number) in self._backlog:
            self._backlog.remove((True, number))

    def initialise(self) -> list[Effect]:
        """`init()` has returned."""
        self.initialised = True
        if self.room is not None and len(self.holds) > self.room:
            return [OutOfMemory()]
        return self._advance()

    def finish(self, request: int) -> list[Effect]:
        """A worker is done with the request."""
        self._running.remove(request)
        if not self._backlog and not self.stopping:
            return []
        return self._advance()

    def lose_worker(self, request: int) -> list[Effect]:
        """The worker that ran the request was ended by the server; it is away until `regain_worker`."""
        self._workers -= 1
        return self.finish(request)

    def regain_worker(self) -> list[Effect]:
        """A worker is back."""
        self._workers += 1
        return self._advance()

    def hang(self) -> None:
        """Nothing moves any more."""
        self.hung = True

    def resume(self) -> list[Effect]:
        """It moves again."""
        self.hung = False
        return self._advance()

    def stop(self) -> list[Effect]:
        """SIGTERM: finish what is held, take nothing new."""
        self.stopping = True
        return self._advance()

    def kill(self) -> list[int]:
        """It is dead at once; returns the requests that die with it."""
        lost = self.holds
        self.alive = False
        self._running.clear()
        self._backlog.clear()
        return lost

    def drop_all(self) -> None:
        """Its node fell silent: everything in it is lost, and nothing is reported."""
        self._running.clear()
        self._backlog.clear()

    def _is_full(self, room: int) -> bool:
        """Whether one more request would take more memory than the limit."""
        return self.initialised and len(self.holds) >= room

    def _advance(self) -> list[Effect]:
        effects: list[Effect] = []
        if self.hung or not self.alive:
            return effects
        backlog = self._backlog
        while backlog and self.initialised and len(self._running) < self._workers:
            is_probe, number = backlog.popleft()
            if is_probe:
                effects.append(Reached(number))
            else:
                self._running.add(number)
                effects.append(Start(number))
        if self.stopping and not self._running and not any(not is_probe for is_probe, _ in backlog):
            effects.append(Exited())
        return effects
