"""Which containers of one content have a process: the rules of all pools, synchronous or not. No I/O.

A process is started for the first container, and for the next one after any failure. Once `init()` has succeeded, it is taken
to succeed for later containers too: they start at their first request. Of those that have started, the `alive` ones used last
keep their process; what reaches another one starts it anew, `init()` included, and what its script had kept in memory is gone.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from akstwin.errors import InvalidSetting
from akstwin.worker.outcomes import Hung, InitFailed, Ran, ReplicaLost, Reply, Started
from akstwin.worker.spec import WorkerSpec


class Start(NamedTuple):
    """A process is to be started.

    Attributes:
        spec: what it runs.
        closed: containers whose processes end first, to make room.
        note: a line for the log.
    """

    spec: WorkerSpec
    closed: tuple[int, ...]
    note: str


class PoolRules:
    """Decides which containers have a process. A pool tells it what happened, and does what it answers.

    Args:
        spec: what each container runs, but for the container's number.
        alive: how many processes there are at most.

    Raises:
        InvalidSetting: `alive` is less than 1.
    """

    def __init__(self, spec: WorkerSpec, alive: int) -> None:
        if alive < 1:
            raise InvalidSetting("alive", alive, "1 or more")
        self._spec = spec
        self._alive = alive
        self._processes: OrderedDict[int, None] = OrderedDict()
        """Containers with a process, the least recently used first."""
        self._put_away: set[int] = set()
        self._proven = False

    @property
    def proven(self) -> bool:
        """Whether `init()` is taken to succeed: a container's init then needs no process."""
        return self._proven

    def has_process(self, container: int) -> bool:
        """Whether the container has a process, or one is being started for it."""
        return container in self._processes

    def start(self, container: int, at_work: Callable[[int], bool] = lambda _: False) -> Start:
        """A process is about to be started for a container that has none. `started` or `failed` follows.

        Args:
            container: which.
            at_work: whether another container's process must not be ended now.
        """
        closed = []
        for other in list(self._processes):
            if len(self._processes) < self._alive:
                break
            if not at_work(other):
                del self._processes[other]
                self._put_away.add(other)
                closed.append(other)
        again = container in self._put_away
        self._put_away.discard(container)
        self._processes[container] = None
        note = "starts again, after its process was given to others" if again else "starts"
        return Start(replace(self._spec, container=container), tuple(closed), note)

    def started(self, container: int, started: Started) -> str | None:
        """What came of a start. Returns a line for the log, if there is anything to say."""
        if isinstance(started, InitFailed):
            self.failed(container)
            return f"init() failed: {started.reason}"
        self._proven = True
        return None

    def use(self, container: int) -> None:
        """A request goes to the container's process."""
        self._processes.move_to_end(container)

    def ran(self, container: int, ran: Ran) -> str | None:
        """What came of a request: anything but a reply has ended the process. Returns a line for the log, if there is one."""
        if isinstance(ran, Reply):
            return None
        self.failed(container)
        return ran.reason if isinstance(ran, ReplicaLost) else _too_long(ran)

    def failed(self, container: int) -> None:
        """The container's process has ended by itself, or could not be started: the next init is a real one."""
        self._processes.pop(container, None)
        self._proven = False

    def stopped(self, container: int) -> None:
        """The container is gone; so it may have been before."""
        self._processes.pop(container, None)
        self._put_away.discard(container)


def lost_at_start(failed: InitFailed) -> ReplicaLost:
    """What a request gets whose container was to start at it, and could not: its init was taken to succeed, and did not."""
    return ReplicaLost(f"init() failed: {failed.reason}", failed.logs)


def _too_long(ran: Hung) -> str:
    return f"killed: run() was still going after {ran.after_seconds:g} s"
