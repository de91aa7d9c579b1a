"""What a simulated container answers with, behind one protocol: a script, a fixed value, a function, or the news of its lack.

A container is a number that its caller chose. It goes through `init`, any number of `run`, and `stop`; after anything but a
`Reply` it has ended by itself, and comes back by `init` alone. All that answer send the inference server's headers, bodies
and status codes (semantics §3), by the same code.
"""

import inspect
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, Protocol, Self

from akstwin.domain.service_urls import service_path
from akstwin.errors import Conflict, InvalidSetting
from akstwin.worker.client import Worker
from akstwin.worker.inside.handling import Place, Server
from akstwin.worker.inside.http import AMLRequest, AMLResponse
from akstwin.worker.inside.journal import Formatter, Moment
from akstwin.worker.inside.script import Function
from akstwin.worker.inside.swagger import Swagger
from akstwin.worker.log import SharedLog
from akstwin.worker.outcomes import InitFailed, Ran, Ready, Reply, Started
from akstwin.worker.pool import PoolRules, lost_at_start
from akstwin.worker.spec import MEGABYTE, Request, WorkerSpec
from akstwin.worker.template import Template

ALIVE: Final = 4
"""How many processes a script may have at once, unless told otherwise."""


class Replies(Protocol):
    """The containers of one content. For one thread at a time."""

    def init(self, container: int, at: datetime) -> Started:
        """`init()` of a new container, or of one that has ended.

        Args:
            container: which.
            at: when, by the caller's clock.

        Raises:
            Conflict: it is there.
        """
        ...

    def run(self, container: int, request: Request) -> Ran:
        """One request to a container.

        Raises:
            Conflict: it is not there.
        """
        ...

    def stop(self, container: int) -> None:
        """The container is gone; so it may have been before."""
        ...

    def note(self, container: int, what: str) -> None:
        """A line in the logs: what became of a container."""
        ...

    def logs(self, lines: int | None = None) -> str:
        """What all its containers have written, bounded; or the last lines of it."""
        ...

    def close(self) -> None:
        """End all containers. The logs stay."""
        ...


class AsyncReplies(ABC):
    """The containers of one content whose scripts take real time: outcomes come later, on the caller's event loop."""

    @property
    @abstractmethod
    def real_time(self) -> bool:
        """Whether that time counts, now; else an answer waits for the time that the profile gives."""

    @property
    def problem(self) -> str:
        """Why its files cannot be laid out; empty where they can."""
        return ""

    @abstractmethod
    def begin_init(self, container: int, at: datetime, done: Callable[[Started], None]) -> None:
        """Start a container; `done` is called once, later."""

    @abstractmethod
    def begin_run(self, container: int, request: Request, done: Callable[[Ran], None]) -> None:
        """Send a request to a container; `done` is called once, later, also for a container that has been stopped."""

    @abstractmethod
    def stop(self, container: int) -> None:
        """The container is gone; so it may have been before."""

    @abstractmethod
    def note(self, container: int, what: str) -> None:
        """A line in the logs: what became of a container."""

    @abstractmethod
    def logs(self, lines: int | None = None) -> str:
        """What all its containers have written, bounded; or the last lines of it."""

    def retire(self) -> None:
        """No container is left, and none will come: `close` as soon as all outcomes are known."""
        self.close()

    @abstractmethod
    def close(self) -> None:
        """End all containers; outcomes that have not come stay unknown. Does not wait for their end. The logs stay."""


class _Containers:
    """Which containers there are, and their log."""

    def __init__(self, log_bytes: int) -> None:
        self._log = SharedLog(log_bytes)
        self._there: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def stop(self, container: int) -> None:
        """The container is gone; so it may have been before."""
        self._there.discard(container)

    def note(self, container: int, what: str) -> None:
        """A line in the logs: what became of a container."""
        self._log.note(container, what)

    def logs(self, lines: int | None = None) -> str:
        """What all containers have written, bounded; or the last lines of it.

        Raises:
            InvalidSetting: a negative number of lines.
        """
        if lines is not None and lines < 0:
            raise InvalidSetting("lines", lines, "0 or more")
        return self._log.text(lines)

    def close(self) -> None:
        """End all containers. The logs stay."""
        for container in sorted(self._there):
            self.stop(container)

    def _absent(self, container: int) -> None:
        if container in self._there:
            raise Conflict(f"container {container} is running")

    def _present(self, container: int) -> None:
        if container not in self._there:
            raise Conflict(f"container {container} is not running")


class ScriptReplies(_Containers):
    """A real entry script, in fewer processes than there are containers, by the rules of `akstwin.worker.pool`.

    Args:
        spec: what a container runs. Its limits hold for each process; the log's for all of them together.
        alive: how many processes there are at most.
        closed: called by `close` after the last process has ended.
    """

    def __init__(self, spec: WorkerSpec, alive: int = ALIVE, closed: Callable[[], None] | None = None) -> None:
        self._rules = PoolRules(spec, alive)
        self._closed = closed
        super().__init__(spec.limits.log_bytes)
        self._workers: dict[int, Worker] = {}
        """Those with a process."""

    def init(self, container: int, at: datetime) -> Started:
        """See `Replies`. `logs` of what comes is empty if no process was started for it.

        Raises:
            Conflict: the container is running.
            UnreadableFile: the script's folder or the interpreter is not there.
        """
        self._absent(container)
        started: Started = Ready("") if self._rules.proven else self._start(container, at)
        if isinstance(started, Ready):
            self._there.add(container)
        return started

    def run(self, container: int, request: Request) -> Ran:
        """See `Replies`. A container whose late start fails is lost.

        Raises:
            Conflict: the container is not running.
            InvalidSetting: the body is longer than the limit.
            UnreadableFile: as for `init`.
        """
        self._present(container)
        if not self._rules.has_process(container):
            started = self._start(container, request.at)
            if isinstance(started, InitFailed):
                self.stop(container)
                return lost_at_start(started)
        self._rules.use(container)
        worker = self._workers[container]
        try:
            ran = worker.run(request)
        finally:
            if not worker.running:
                self._rules.failed(container)
                self.stop(container)
        note = self._rules.ran(container, ran)
        if note is not None:
            self._log.note(container, note)
        return ran

    def stop(self, container: int) -> None:
        """See `Replies`."""
        super().stop(container)
        self._rules.stopped(container)
        if container in self._workers:
            self._workers.pop(container).close()

    def logs(self, lines: int | None = None) -> str:
        """See `Replies`."""
        for worker in self._workers.values():
            worker.catch_up()
        return super().logs(lines)

    def close(self) -> None:
        """See `Replies`."""
        super().close()
        closed, self._closed = self._closed, None
        if closed is not None:
            closed()

    def _start(self, container: int, at: datetime) -> Started:
        start = self._rules.start(container)
        for other in start.closed:
            self._workers.pop(other).close()
        self._log.note(container, start.note)
        worker = Worker(start.spec, log=self._log.of(container))
        try:
            started = worker.start(at)
        except BaseException:
            self._rules.failed(container)
            raise
        note = self._rules.started(container, started)
        if note is None:
            self._workers[container] = worker
        else:
            self._log.note(container, note)
        return started


class Constant(Function):
    """A function whose answer is always the same, whatever is asked."""

    def __init__(self, function: Callable[[str], AMLResponse]) -> None:
        super().__init__(function, reads=False)


class LocalReplies(_Containers):
    """Containers that answer from this process, by the server's own code."""

    def __init__(self, function: Function, service_name: str, log_bytes: int) -> None:
        super().__init__(log_bytes)
        self._moment = Moment()
        self._sink = _Sink(self._moment)
        environ = {"SERVICE_NAME": service_name, "SERVICE_PATH_PREFIX": service_path(service_name)}
        place = Place(
            service_name,
            environ,
            self._moment,
            self._sink.logger("azmlinfsrv"),
            self._sink.logger("gunicorn.error"),
            survives=(Exception, SystemExit),  # a keyboard interrupt is for us
        )
        self._server = Server(function, Swagger(None, None, environ), place)
        self._template = Template(self._server) if isinstance(function, Constant) else None
        self._sink.taken()

    def init(self, container: int, at: datetime) -> Started:  # noqa: ARG002 - see `Replies`
        """See `Replies`."""
        self._absent(container)
        self._there.add(container)
        return Ready("")

    def run(self, container: int, request: Request) -> Ran:
        """See `Replies`."""
        self._present(container)
        self._moment.at = request.at
        if self._template is not None and self._template.fits(request):
            reply = self._template.fill(request)
            self._log.write(container, reply.logs.encode())
            return reply
        asked = AMLRequest(request.method, request.path, request.query, request.headers, request.body)
        try:
            answer = self._server.handle(asked, None if request.takes is None else request.takes / 1000)
        finally:
            logs = self._sink.taken()
            self._log.write(container, logs.encode())
        return Reply(answer.status, tuple(answer.headers), answer.body, answer.failed, logs, answer.seconds)


class _Sink(logging.Handler):
    """Takes the lines of one request. Its loggers are nobody else's: no other handler gets their lines."""

    def __init__(self, moment: Moment) -> None:
        super().__init__()
        self.setFormatter(Formatter(moment))
        self._lines: list[str] = []

    def logger(self, name: str) -> logging.Logger:
        """One that writes here."""
        made = logging.Logger(name)  # noqa: LOG001 - not the process's logger of that name
        made.addHandler(self)
        return made

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self._lines.append(self.format(record) + "\n")

    def taken(self) -> str:
        """The lines since the last time."""
        text = "".join(self._lines).encode(errors="backslashreplace").decode()
        self._lines.clear()
        return text


def constant(value: Any, setting: str = "reply") -> Constant:
    """Always the same answer, as if `run()` had returned the value; bytes are sent as they are.

    Args:
        value: which; it is taken as it is now.
        setting: where it stands, for errors.

    Raises:
        InvalidSetting: JSON can't say it.
    """
    try:
        body = value if isinstance(value, bytes) else json.dumps({} if value is None else value).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidSetting(setting, value, f"JSON, bytes or None: {error}") from error

    def answer(_: str) -> AMLResponse:
        response = AMLResponse(value if isinstance(value, bytes) else None, 200)
        response.set_data(body)
        return response

    return Constant(answer)


def of_callable(function: Callable[[str], Any], setting: str = "reply") -> Function:
    """What a function of the body returns.

    Args:
        function: which.
        setting: where it stands, for errors.

    Raises:
        InvalidSetting: it is not a plain function.
    """
    if not callable(function) or inspect.iscoroutinefunction(function):
        raise InvalidSetting(setting, function, "a function that takes the request's body and returns the reply")
    return Function(function)


class FixedReply(LocalReplies):
    """Always the same answer, whatever is asked.

    Args:
        value: anything JSON can say, answered as if `run()` had returned it (None is `{}`, text is a JSON string); or bytes,
            which are sent as they are.
        service_name: of the service; stands in its API description.
        log_bytes: how much of the log is kept.

    Raises:
        InvalidSetting: JSON can't say it.
    """

    def __init__(self, value: Any, *, service_name: str = "ML service", log_bytes: int = MEGABYTE) -> None:
        super().__init__(constant(value), service_name, log_bytes)


class CallableReply(LocalReplies):
    """A function of the caller's, in this process: it can do anything to it, and holds it up for as long as it likes.

    Args:
        function: gets the request's body as text, and returns what `run()` may: what JSON can say, or an `AMLResponse`. What
            it raises is a 500 for the client, as the script's errors are, and its traceback stands in the logs.
        service_name: of the service; stands in its API description.
        log_bytes: how much of the log is kept.

    Raises:
        InvalidSetting: it is not a plain function.
    """

    def __init__(
        self, function: Callable[[str], Any], *, service_name: str = "ML service", log_bytes: int = MEGABYTE
    ) -> None:
        super().__init__(of_callable(function), service_name, log_bytes)


class NoReply(LocalReplies):
    """A deployment without an entry script: nothing is wrong with it, but nothing here can score.

    Args:
        why: the reason, as a sentence.
        service_name: of the service.
        log_bytes: how much of the log is kept.
    """

    def __init__(self, why: str, *, service_name: str = "ML service", log_bytes: int = MEGABYTE) -> None:
        remedy = f"ws.simulation.profile({service_name!r}, reply=...) gives the service a reply."
        message = {"message": f"There is no entry script to run here. {why} {remedy}"}

        def answer(_: str) -> AMLResponse:
            return AMLResponse(message, 500, json_str=True)

        super().__init__(Function(answer, reads=False), service_name, log_bytes)
