"""What can come of starting a worker and of asking it: values, so that whoever drives one has to look at every case."""

from dataclasses import dataclass
from typing import Final, NamedTuple

BOOT_FAILURE: Final = 3
"""The exit code of a container whose `init()` fails (semantics §3)."""


@dataclass(frozen=True, slots=True)
class Ready:
    """`init()` has returned."""

    logs: str


@dataclass(frozen=True, slots=True)
class InitFailed:
    """The container exits and will be restarted: no script, no `init` or `run`, or they failed while starting.

    Attributes:
        reason: one line; the traceback stands in the logs.
        hung: `init()` was still going at the real-time limit.
        logs: what was written meanwhile.
        exit_code: as the real server's.
    """

    reason: str
    logs: str
    hung: bool = False
    exit_code: int = BOOT_FAILURE


class Reply(NamedTuple):
    """The container answers.

    Attributes:
        status: the HTTP status.
        headers: as the inference server sends them.
        body: the bytes.
        run_failed: `x-ms-run-function-failed: True`; with a status of 500 and more the router makes 502 of it (R12).
        logs: what was written meanwhile.
        seconds: the real time that `run()` took; 0 if it wasn't called.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    run_failed: bool
    logs: str
    seconds: float

    def header(self, name: str) -> str | None:
        """A header's value, without regard to the name's case."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass(frozen=True, slots=True)
class ReplicaLost:
    """No reply: the worker is dead, and whoever waited gets R13.

    Attributes:
        reason: how it ended, in words ("exited with code 7", "killed by SIGSEGV", "wrote junk …").
        logs: what was written meanwhile.
    """

    reason: str
    logs: str


@dataclass(frozen=True, slots=True)
class Hung:
    """No reply: `run()` was still going at the real-time limit, and the worker was killed.

    Attributes:
        after_seconds: the limit.
        logs: what was written meanwhile.
    """

    after_seconds: float
    logs: str


Started = Ready | InitFailed
Ran = Reply | ReplicaLost | Hung
