"""Entry scripts on an event loop: each container a process of its own, and the loop waits for none of them."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Final, TypeVar

from akstwin.errors import AksError, UnreadableFile
from akstwin.worker.client import Worker
from akstwin.worker.content import ScriptContent
from akstwin.worker.log import SharedLog
from akstwin.worker.outcomes import InitFailed, Ran, Ready, ReplicaLost, Started
from akstwin.worker.pool import PoolRules, lost_at_start
from akstwin.worker.replies import AsyncReplies
from akstwin.worker.spec import Request, WorkerSpec

ALIVE: Final = 16
"""Processes that one deployed content may have at once; the least recently used one at rest makes room for another."""

_T = TypeVar("_T")
Around = Callable[[], AbstractContextManager[object]]


class _Process:
    """A container's process, and what a thread does with it.

    Attributes:
        worker: the process.
        busy: whether somebody waits for a call to it, or has just got its outcome: it must not make room for others.
        work: the last call, which a thread may still have under way.
    """

    __slots__ = ("busy", "work", "worker")

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.busy = False
        self.work: Future[Any] | None = None

    @property
    def at_work(self) -> bool:
        """Whether a thread has a call under way: no other may touch the worker."""
        return self.work is not None and not self.work.done()

    def end_after_work(self) -> "Future[None]":
        """Cut the call that a thread has under way short; the thread then closes the process. Done when it has."""
        assert self.work is not None  # noqa: S101
        ended: Future[None] = Future()

        def close(_: object) -> None:
            try:
                self.worker.close()
            finally:
                ended.set_result(None)

        self.worker.interrupt()
        self.work.add_done_callback(close)
        return ended


class AsyncScriptReplies(AsyncReplies):
    """The containers of one content, on an event loop, by the rules of `akstwin.worker.pool`.

    All methods are called on the loop; scripts are waited for in threads, one each.

    The content is laid out in a thread before the first container starts; until then nothing of it is on disk.

    Args:
        content: what a container runs. Its limits hold for each process; the log's for all of them together.
        threads: wait for scripts.
        files: lays contents out.
        acting: around every `done`: the world is brought up to the present before, and goes on after.
        real_work: around all that takes real time.
        real_time: tells whether a script's own time counts.
        alive: processes at once, at most, where one at rest can make room.
    """

    def __init__(
        self,
        content: ScriptContent,
        threads: ThreadPoolExecutor,
        files: ThreadPoolExecutor,
        acting: Around,
        real_work: Around,
        *,
        real_time: Callable[[], bool],
        alive: int = ALIVE,
    ) -> None:
        self._content = content
        self._alive = alive
        self._rules: PoolRules | None = None
        self._problem = ""
        self._laying: asyncio.Future[WorkerSpec] | None = None
        self._real_time = real_time
        self._threads = threads
        self._files = files
        self._acting = acting
        self._real_work = real_work
        self._log = SharedLog(content.limits.log_bytes)
        self._processes: dict[int, _Process] = {}
        self._queues: dict[int, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ends: set[Future[None]] = set()
        """Processes that are on their way out."""
        self._retired = self._closed = False

    @property
    def real_time(self) -> bool:
        """See `AsyncReplies`."""
        return self._real_time()

    @property
    def problem(self) -> str:
        """See `AsyncReplies`."""
        return self._problem

    def begin_init(self, container: int, at: datetime, done: Callable[[Started], None]) -> None:
        """Start the container's process, unless another one's start has shown that it would succeed."""
        self._begin(self._init(container, at), done)

    def begin_run(self, container: int, request: Request, done: Callable[[Ran], None]) -> None:
        """Ask the container, one request after the other."""
        self._begin(self._run(container, request), done)

    def stop(self, container: int) -> None:
        """End the container's process, also in the middle of a request."""
        if self._rules is not None:
            self._rules.stopped(container)
        self._queues.pop(container, None)
        self._end(container)

    def note(self, container: int, what: str) -> None:
        """See `AsyncReplies`."""
        self._log.note(container, what)

    def logs(self, lines: int | None = None) -> str:
        """What all its containers have written, bounded; or the last lines of it."""
        for process in self._processes.values():
            if not process.at_work:
                process.worker.catch_up()
        return self._log.text(lines)

    def retire(self) -> None:
        """See `AsyncReplies`."""
        self._retired = True
        self._content.stop()
        if not self._tasks:
            self.close()

    def close(self) -> None:
        """End all containers, and remove what they had on disk when they have ended: threads see to that."""
        if self._closed:
            return
        self._closed = True
        self._content.stop()
        for task in self._tasks:
            task.cancel()
        self._queues.clear()
        for container, process in list(self._processes.items()):
            if process.work is not None:
                process.work.cancel()
            self._end(container)
        self._files.submit(self._finish, tuple(self._ends))

    def _finish(self, ends: "tuple[Future[None], ...]") -> None:
        wait(ends)
        self._content.remove()

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
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if self._retired and not self._tasks:
            self.close()

    async def _init(self, container: int, at: datetime) -> Started:
        queue = self._queue(container)
        async with queue:
            try:
                rules = await self._laid_out()
            except AksError as error:
                return self._broken(container, error)
            if self._queues.get(container) is not queue:
                return InitFailed(_stopped(container), "")
            if rules.proven or rules.has_process(container):
                return Ready("")
            return await self._start(rules, container, at)

    async def _run(self, container: int, request: Request) -> Ran:
        queue = self._queue(container)
        async with queue:
            try:
                rules = await self._laid_out()
            except AksError as error:
                return lost_at_start(self._broken(container, error))
            if self._queues.get(container) is not queue:
                return ReplicaLost(_stopped(container), "")
            if not rules.has_process(container):
                started = await self._start(rules, container, request.at)
                if isinstance(started, InitFailed):
                    return lost_at_start(started)
            return await self._ask(rules, container, request)

    async def _laid_out(self) -> PoolRules:
        """The rules, once the content is on disk (AksError: it cannot be; a disk that was full is tried again)."""
        if self._rules is None:
            if self._laying is None:
                self._laying = asyncio.wrap_future(self._files.submit(self._content.lay_out))
                self._laying.add_done_callback(_take_error)
            laying = self._laying
            try:
                spec = await asyncio.shield(laying)
            except UnreadableFile:
                if self._laying is laying:
                    self._laying = None
                raise
            self._problem = ""
            if self._rules is None:
                self._rules = PoolRules(spec, self._alive)
        return self._rules

    def _broken(self, container: int, error: AksError) -> InitFailed:
        """The content cannot be laid out; the log says so once, and not at each start."""
        if str(error) != self._problem:
            self._problem = str(error)
            self._log.write(container, f"{error}\n".encode())
        return InitFailed(str(error), f"{error}\n")

    def _queue(self, container: int) -> asyncio.Lock:
        """Lets one call at a time to a container. A container that is stopped gives it up: who waits for it finds that."""
        return self._queues.setdefault(container, asyncio.Lock())

    async def _ask(self, rules: PoolRules, container: int, request: Request) -> Ran:
        process = self._processes.get(container)
        if process is None:  # it was stopped while it started
            return ReplicaLost(_stopped(container), "")
        rules.use(container)
        ran: Ran
        try:
            ran = await self._wait(process, lambda: process.worker.run(request))
        except AksError as error:
            ran = ReplicaLost(str(error), "")
            if process.worker.running:  # the caller's mistake, such as a body that is too long: it goes on
                return ran
        if self._processes.get(container) is process:  # else it was stopped meanwhile
            self._settle(container, rules.ran(container, ran))
        return ran

    async def _start(self, rules: PoolRules, container: int, at: datetime) -> Started:
        start = rules.start(container, lambda other: self._processes[other].busy)
        for other in start.closed:
            self._end(other)
        self._log.note(container, start.note)
        process = self._processes[container] = _Process(Worker(start.spec, log=self._log.of(container)))
        started: Started
        try:
            started = await self._wait(process, lambda: process.worker.start(at))
        except AksError as error:  # its folder or its interpreter is not there
            started = InitFailed(str(error), "")
        if self._processes.get(container) is process:  # else it was stopped meanwhile
            self._settle(container, rules.started(container, started))
        return started

    def _settle(self, container: int, note: str | None) -> None:
        """Forget a process that has ended by itself; the note says how."""
        if note is not None:
            del self._processes[container]
            self._log.note(container, note)

    async def _wait(self, process: _Process, work: Callable[[], _T]) -> _T:
        process.busy = True
        try:
            future = process.work = self._threads.submit(work)
            return await asyncio.wrap_future(future)
        finally:
            process.busy = False

    def _end(self, container: int) -> None:
        process = self._processes.pop(container, None)
        if process is None:
            return
        end = process.end_after_work() if process.at_work else self._threads.submit(process.worker.close)
        self._ends.add(end)
        end.add_done_callback(self._ends.discard)


def _take_error(laying: "asyncio.Future[WorkerSpec]") -> None:
    """Nobody may be left to wait for it: then nobody needs to know."""
    if not laying.cancelled():
        laying.exception()


def _stopped(container: int) -> str:
    return f"container {container} is not running"
