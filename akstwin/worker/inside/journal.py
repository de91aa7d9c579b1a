"""The container's log as users know it, and the time it carries.

Lines look like the inference server's: `2026-07-01 09:00:00,000 I [1] azmlinfsrv - POST /score 200 0.151ms 14`, and what the
script prints becomes such a line, because the server replaces `print`. Two things differ on purpose, so that one scenario
always gives one log: the time is the caller's (virtual in the simulated world), and the process is always number 1.
"""

import builtins
import contextlib
import datetime as dt
import functools
import logging
import os
import sys
import traceback
from pathlib import Path
from typing import Any, Final

HERE: Final = str(Path(__file__).parent)


class Moment:
    """The time as the caller last told it."""

    def __init__(self) -> None:
        self.at = dt.datetime.fromtimestamp(0, dt.UTC)

    def stamp(self) -> str:
        """As it stands in the log."""
        return f"{self.at:%Y-%m-%d %H:%M:%S},{self.at.microsecond // 1000:03d}"


moment = Moment()


class Formatter(logging.Formatter):
    """A line of the server's.

    Args:
        dated: the time that it carries.
    """

    def __init__(self, dated: Moment = moment) -> None:
        super().__init__("%(asctime)s %(levelname).1s [1] %(name)s - %(message)s")
        self._moment = dated

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
        """The caller's time, whatever the record says."""
        return self._moment.stamp()


class _Handler(logging.Handler):
    """Writes to a descriptor of its own: scripts close `sys.stdout`, and no line of ours may fail for that."""

    def __init__(self) -> None:
        super().__init__()
        self._out = os.dup(1)

    def emit(self, record: logging.LogRecord) -> None:
        line = memoryview((self.format(record) + "\n").encode(errors="backslashreplace"))
        with contextlib.suppress(Exception):
            sys.stdout.flush()  # first what was written before
        with contextlib.suppress(OSError):
            while line:
                line = line[os.write(self._out, line) :]


def open_journal() -> None:
    """Give the server's loggers their handler, and make `print` write to the log."""
    handler = _Handler()
    handler.setFormatter(Formatter())
    for name in ("azmlinfsrv", "gunicorn.error"):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
    builtins.print = _printing(builtins.print)


def _printing(plain: Any) -> Any:
    log = logging.getLogger("azmlinfsrv.print")

    @functools.wraps(plain)
    def to_log(
        *objects: Any, sep: str | None = " ", end: str | None = "\n", file: Any = None, flush: bool = False
    ) -> None:
        if file is None or file is sys.stdout:
            log.info("%s", (" " if sep is None else sep).join(map(str, objects)))
        else:
            plain(*objects, sep=sep, end=end, file=file, flush=flush)

    return to_log


def told(error: BaseException) -> str:
    """The traceback from the script's own frames on."""
    described = traceback.TracebackException.from_exception(error)
    link: traceback.TracebackException | None = described
    while link is not None:
        kept = [frame for frame in link.stack if not frame.filename.startswith((HERE, "<frozen importlib"))]
        link.stack = traceback.StackSummary.from_list(kept)
        link = link.__cause__ or link.__context__
    return "".join(described.format()).rstrip()
