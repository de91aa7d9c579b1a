"""A worker for callers that wait: each call returns within its limit, whatever the script does."""

import contextlib
import errno
import os
import select
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final, Self

from akstwin.errors import Conflict
from akstwin.worker.log import BoundedLog, Log
from akstwin.worker.outcomes import Ran, Started
from akstwin.worker.process import Process
from akstwin.worker.spec import Request, WorkerSpec
from akstwin.worker.talk import Talk

_CHUNK: Final = 1 << 18
_PIPE: Final = 1 << 16
"""What a pipe holds: no more can have been written before a reply and still be unread."""


class Worker:
    """Runs one container's entry script, one request at a time. For one thread at a time.

    `start`, then `run` as often as wanted; after anything but a `Reply` the process is gone, and `start` makes a new one that
    goes on in the same log. As a context manager it ends the process; so does the end of the caller's process.

    Args:
        spec: what to run.
        monotonic: real seconds. Not a clock of any world: it guards the caller against the script.
        log: where its output goes; None: to a log of its own.
    """

    def __init__(
        self,
        spec: WorkerSpec,
        monotonic: Callable[[], float] = time.monotonic,  # noqa: TID251 - see above
        log: Log | None = None,
    ) -> None:
        self.spec = spec
        self._monotonic = monotonic
        self._log: Log = BoundedLog(spec.limits.log_bytes) if log is None else log
        self._process: Process | None = None
        self._talk = Talk(spec, self._log)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Worker {self.spec.entry_script} {'running' if self.running else 'not running'}>"

    @property
    def running(self) -> bool:
        """Whether `run` can be called."""
        return self._process is not None

    def start(self, at: datetime) -> Started:
        """Start a process, import the script and call `init()`.

        Args:
            at: when, by the caller's clock.

        Raises:
            Conflict: it runs already.
            UnreadableFile: there is no such folder, or no such interpreter.
        """
        if self._process is not None:
            raise Conflict("the worker is running")
        self._process = Process(self.spec)
        self._talk = Talk(self.spec, self._log)
        self._exchange(self._process, self._talk.start(at))
        return self._talk.started()

    def run(self, request: Request) -> Ran:
        """Send a request and wait for what comes of it.

        Raises:
            Conflict: no process is running.
            InvalidSetting: the body is longer than the limit.
        """
        if self._process is None:
            raise Conflict("the worker is not running")
        message = self._talk.ask(request)
        self._exchange(self._process, message)
        return self._talk.ran()

    def logs(self) -> str:
        """What the container has written so far, bounded."""
        self.catch_up()
        return self._log.text()

    def catch_up(self) -> None:
        """Bring what was written since the last reply into the log."""
        if self._process is not None:
            self._drain(self._process)

    def close(self) -> None:
        """End the process and all that came of it. The log stays."""
        if self._process is not None:
            self._bury(self._process)

    def interrupt(self) -> None:
        """End the process from another thread than the one that waits in `start` or `run`: that call ends with it.

        Does not wait; `close` must follow, in the thread that waited.
        """
        process = self._process
        if process is not None:
            process.order_end()

    def _exchange(self, process: Process, message: bytes) -> None:
        """Send `message`; return when the talk is settled, or when its time is over."""
        talk = self._talk
        deadline = self._monotonic() + talk.limit
        unsent = memoryview(message)
        poll = select.poll()
        poll.register(process.channel, select.POLLIN | select.POLLOUT)
        poll.register(process.output, select.POLLIN)
        poll.register(process.link, select.POLLIN)
        try:
            while not talk.settled:
                left = deadline - self._monotonic()
                if left <= 0:
                    talk.overdue()
                    break
                ready = dict(poll.poll(left * 1000))
                if process.output.fileno() in ready and not self._read_output(process, _CHUNK):
                    poll.unregister(process.output)  # the script closed it
                if process.channel.fileno() in ready:
                    unsent = self._converse(process, unsent)
                    if not unsent:
                        poll.modify(process.channel, select.POLLIN)
                elif process.link.fileno() in ready:
                    talk.ended()  # not before the channel is read: the last reply may be in it
        finally:
            if talk.over or not talk.settled:
                self._bury(process)
            else:
                self._drain(process)

    def _converse(self, process: Process, unsent: memoryview) -> memoryview:
        try:
            data = process.channel.recv(_CHUNK)
        except BlockingIOError:
            data = None
        except OSError:
            data = b""
        if data:
            self._talk.received(data)
        elif data is not None:
            self._talk.ended()
        if not unsent or self._talk.over:
            return unsent
        try:
            return unsent[process.channel.send(unsent[:_CHUNK]) :]
        except OSError as error:
            if error.errno not in {errno.EAGAIN, errno.EPIPE, errno.ECONNRESET}:
                raise
            return unsent  # a broken channel ends when it is read

    def _drain(self, process: Process) -> None:
        """What was written before this moment. A thread of the script may write for ever."""
        left = _PIPE
        while left > 0 and (taken := self._read_output(process, left)):
            left -= taken

    def _read_output(self, process: Process, size: int) -> int:
        try:
            data = os.read(process.output.fileno(), size)
        except BlockingIOError:
            return 0
        self._talk.written(data)
        return len(data)

    def _bury(self, process: Process) -> None:
        self._process = None
        with contextlib.closing(process):
            self._talk.report(process.end(self.spec.limits.end_seconds, self._talk.grace))
            self._talk.ended()
            self._drain(process)
