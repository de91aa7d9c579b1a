"""Entry scripts on a server: each container a process of its own, and nobody on the event loop waits for it."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Final, TypeVar

from akstwin.errors import AksError
from akstwin.sim.engine.contents import Later
from akstwin.worker import Hung, InitFailed, Ran, Ready, ReplicaLost, Reply, Request, Started, Worker, WorkerSpec
from akstwin.worker.log import SharedLog

ALIVE: Final = 16
"""Processes that one deployed content may have at once; the least recently used one at rest makes room for another."""

_T = TypeVar("_T")
Around = Callable[[], AbstractContextManager[object]]


class ServedScripts(Later):
    """The containers of one content, on an event loop.

    A container's process starts with its first `init()`; once one has succeeded, later containers start theirs at their first
    request. Of processes at rest, at most `alive` are kept. All methods are called on the loop; scripts are waited for in
    threads, one each.

    Args:
        spec: what a container runs.
        threads: wait for scripts.
        acting: around every `done`: the world is brought up to the present before, and goes on after.
        real_work: around all that takes real time.
        real_time: tells whether a script's own time counts.
        alive: processes at once.
    """

    def __init__(
        self,
        spec: WorkerSpec,
        threads: ThreadPoolExecutor,
        acting: Around,
        real_work: Around,
        *,
        real_time: Callable[[], bool],
        alive: int = ALIVE,
    ) -> None:
        self._real_time = real_time
        self._spec = spec
        self._threads = threads
        self._acting = acting
        self._real_work = real_work
        self._alive = alive
        self._log = SharedLog(spec.limits.log_bytes)
        self._workers: OrderedDict[int, Worker] = OrderedDict()
        self._at_work: dict[int, int] = {}
        self._queues: dict[int, asyncio.Lock] = {}
        self._proven = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def real_time(self) -> bool:
        """See `Later`."""
        return self._real_time()

    def begin_init(self, container: int, at: datetime, done: Callable[[Started], None]) -> None:
        """Start the container's process, unless another one's start has shown that it would succeed."""
        self._begin(self._init(container, at), done)

    def begin_run(self, container: int, request: Request, done: Callable[[Ran], None]) -> None:
        """Ask the container, one request after the other."""
        self._begin(self._run(container, request), done)

    def stop(self, container: int) -> None:
        """End the container's process, also in the middle of a request."""
        worker = self._workers.pop(container, None)
        self._queues.pop(container, None)
        if worker is not None:
            self._threads.submit(worker.close)

    def logs(self, lines: int | None = None) -> str:
        """What all its containers have written, bounded; or the last lines of it."""
        for container, worker in self._workers.items():
            if not self._at_work.get(container):
                worker.catch_up()
        return self._log.text(lines)

    def close(self) -> None:
        """End all containers."""
        for task in self._tasks:
            task.cancel()
        for worker in self._workers.values():
            with contextlib.suppress(OSError, ValueError):  # a thread is at it, or has just ended it
                worker.close()
        self._workers.clear()

    def _begin(self, work: Coroutine[None, None, _T], done: Callable[[_T], None]) -> None:
        """From this moment on it takes real time, and not from when the loop comes to it."""
        real = self._real_work()
        real.__enter__()

        async def whole() -> None:
            try:
                came = await work
            finally:
                real.__exit__(None, None, None)
            with self._acting():
                done(came)

        task = asyncio.get_running_loop().create_task(whole())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _init(self, container: int, at: datetime) -> Started:
        return Ready("") if self._proven else await self._start(container, at)

    async def _run(self, container: int, request: Request) -> Ran:
        async with self._queues.setdefault(container, asyncio.Lock()):
            return await self._ask(container, request)

    async def _ask(self, container: int, request: Request) -> Ran:
        if container not in self._workers:
            started = await self._start(container, request.at)
            if isinstance(started, InitFailed):
                return ReplicaLost(f"init() failed: {started.reason}", started.logs)
        worker = self._workers[container]
        self._workers.move_to_end(container)
        try:
            ran = await self._wait(container, lambda: worker.run(request))
        except AksError as error:  # its process was ended under it
            return ReplicaLost(str(error), "")
        if not isinstance(ran, Reply):
            self._proven = False
            self._workers.pop(container, None)
            self._log.note(container, ran.reason if isinstance(ran, ReplicaLost) else _too_long(ran))
        return ran

    async def _start(self, container: int, at: datetime) -> Started:
        self._make_room()
        self._log.note(container, "starts")
        worker = Worker(self._spec, log=self._log.of(container))
        started = await self._wait(container, lambda: worker.start(at))
        if isinstance(started, InitFailed):
            self._proven = False
            self._log.note(container, f"init() failed: {started.reason}")
        else:
            self._workers[container] = worker
            self._proven = True
        return started

    def _make_room(self) -> None:
        for container in [each for each in self._workers if not self._at_work.get(each)]:
            if len(self._workers) < self._alive:
                break
            self._threads.submit(self._workers.pop(container).close)

    async def _wait(self, container: int, work: Callable[[], _T]) -> _T:
        self._at_work[container] = self._at_work.get(container, 0) + 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._at_work[container] -= 1


def _too_long(ran: Hung) -> str:
    return f"killed: run() was still going after {ran.after_seconds:g} s"
