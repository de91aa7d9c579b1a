"""The caller's half of the conversation, without any I/O: bytes in, bytes out, outcomes.

A driver (the synchronous `client`, or a router's event loop) moves bytes and watches the clock; what they mean is decided here.
"""

import signal
from datetime import datetime
from typing import Any, Final

from akstwin.errors import Conflict, InvalidSetting
from akstwin.worker.inside.framing import Decoder, Message, ProtocolError, encode
from akstwin.worker.log import BoundedLog, Log
from akstwin.worker.outcomes import Hung, InitFailed, Ran, Ready, ReplicaLost, Reply, Started
from akstwin.worker.spec import Request, WorkerSpec

_GRACE_SECONDS: Final = 0.5
"""Longer than a loaded machine needs to reap a process."""


class Talk:
    """One worker process from its start to its end.

    A driver calls `start` or `ask`, sends what it gets, feeds `received`, `written` and `ended` until one of them (or its own
    clock: `overdue`) settles the matter, and then takes the outcome: `started()` or `ran()`.

    Args:
        spec: what it runs.
        log: where its output is kept; the next process of the same container goes on in it.
    """

    def __init__(self, spec: WorkerSpec, log: Log) -> None:
        self._spec = spec
        self._log = log
        self._part = BoundedLog(spec.limits.log_bytes)
        self._decoder = Decoder(spec.limits.body_bytes)
        self._number = 0
        self._waiting = self._starting = False
        self._reply: Message | None = None
        self._word = ""
        self._last_words = ""
        self._hung = False
        self.over = False
        """Nothing more will come; the process is to be ended."""
        self._vanished = False

    @property
    def settled(self) -> bool:
        """Whether there is nothing to wait for."""
        return not self._waiting

    @property
    def limit(self) -> float:
        """Real seconds that the present call may take."""
        return self._spec.limits.init_seconds if self._starting else self._spec.limits.run_seconds

    @property
    def grace(self) -> float:
        """Real seconds to wait, when it is over, for the link's end before ordering it.

        A dying worker's channel closes a little before its parent can know how it died; an order in between would hide that.
        """
        return _GRACE_SECONDS if self._vanished else 0.0

    def start(self, at: datetime) -> bytes:
        """The first message: what to run."""
        spec, collection = self._spec, self._spec.collection
        workspace = "default/default/default"
        if collection is not None:
            workspace = f"{collection.subscription}/{collection.resource_group}/{spec.workspace_name}"
        self._waiting = self._starting = True
        return encode(
            {
                "kind": "start",
                "at": at.isoformat(),
                "folder": str(spec.folder.absolute()),
                "entry_script": spec.entry_script,
                "source_directory": spec.source_directory,
                "body_bytes": spec.limits.body_bytes,
                "memory_bytes": spec.limits.memory_bytes,
                "collect_to": None if collection is None else str(collection.folder.absolute()),
                "workspace": workspace,
                "service": spec.service_name,
                "container": spec.container,
                "models": {}
                if collection is None
                else {name: str(number) for name, number in collection.models.items()},
            }
        )

    def ask(self, request: Request) -> bytes:
        """The message for one request.

        Raises:
            Conflict: the worker is not idle.
            InvalidSetting: the body is longer than the limit.
        """
        if self.over or self._waiting:
            raise Conflict("the worker is not running" if self.over else "the worker is at work")
        if len(request.body) > self._spec.limits.body_bytes:
            raise InvalidSetting("body", f"{len(request.body)} bytes", f"at most {self._spec.limits.body_bytes} bytes")
        self._number += 1
        head = {
            "kind": "request",
            "number": self._number,
            "at": request.at.isoformat(),
            "method": request.method,
            "path": request.path,
            "query": request.query,
            "headers": request.headers,
            "exec_ms": None if request.takes is None else request.takes / 1000,
        }
        message = encode(head, request.body)
        self._part = BoundedLog(self._spec.limits.log_bytes)
        self._waiting, self._reply = True, None
        return message

    def written(self, data: bytes) -> None:
        """The container wrote to stdout or stderr."""
        self._log.write(data)
        self._part.write(data)

    def received(self, data: bytes) -> None:
        """Bytes came over the channel."""
        try:
            for message in self._decoder.feed(data):
                self._take(message)
        except ProtocolError as error:
            self._reply = None  # with junk behind it, it is lost with its worker
            self._lose(f"wrote junk to its server's channel: {error}")

    def report(self, word: bytes) -> None:
        """The keeper's word on how the process ended; `ended` follows."""
        self._word += word.decode(errors="replace")

    def ended(self) -> None:
        """The process is gone, or its channel is closed."""
        self._vanished = self._vanished or not self.over
        self._lose("")

    def overdue(self) -> None:
        """The real-time limit is over."""
        self._hung = True
        self._lose(f"still going after {self.limit:g} s of real time")

    def started(self) -> Started:
        """What came of `start`."""
        logs = self._part.text()
        self._starting = False
        if not self.over:
            return Ready(logs)
        return InitFailed(self.reason, logs, hung=self._hung)

    def ran(self) -> Ran:
        """What came of `ask`."""
        logs = self._part.text()
        if self._reply is not None:
            head, body = self._reply
            headers = tuple((name, value) for name, value in head["headers"])
            return Reply(head["status"], headers, body, head["failed"], logs, head["seconds"])
        if self._hung:
            return Hung(self.limit, logs)
        return ReplicaLost(self.reason, logs)

    @property
    def reason(self) -> str:
        """How it ended, in words."""
        return self._last_words or _in_words(self._word)

    def _take(self, message: Message) -> None:
        kind = message.head.get("kind")
        if not self._waiting:
            raise ProtocolError(f"{kind!r}, and nobody asked")
        if self._starting and kind == "ready":
            self._waiting = False
        elif self._starting and kind == "failed" and isinstance(message.head.get("why"), str):
            self._lose(message.head["why"])
        elif not self._starting and kind == "reply" and _is_reply(message.head, self._number):
            self._waiting, self._reply = False, message
        else:
            raise ProtocolError(f"{kind!r} is not the answer")

    def _lose(self, why: str) -> None:
        if self.over:
            return
        self.over, self._waiting, self._last_words = True, False, why


def _is_reply(head: dict[str, Any], number: int) -> bool:
    """Whether a script may have made it up; a well-made forgery is a reply like any other."""
    headers, status, seconds = head.get("headers"), head.get("status"), head.get("seconds")
    return (
        head.get("number") == number
        and isinstance(status, int)
        and 200 <= status < 600
        and isinstance(head.get("failed"), bool)
        and isinstance(seconds, float | int)
        and isinstance(headers, list)
        and all(
            isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) and isinstance(pair[1], str)
            for pair in headers
        )
    )


def _in_words(word: str) -> str:
    what, _, number = word.partition("\n")[0].partition(" ")
    if what == "exit":
        return f"exited with code {number}"
    if what == "signal":
        try:
            return f"killed by {signal.Signals(int(number)).name}"
        except ValueError:
            return f"killed by signal {number}"
    return "closed its server's channel"
