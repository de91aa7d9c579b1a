"""The answer that never changes but for its date, its ids and the run time it tells: made once by the server's own code."""

from datetime import UTC, datetime, timedelta
from typing import Final

from akstwin.worker.inside.handling import ID_HEADERS, RUN_TIME_HEADER, Server, http_date
from akstwin.worker.inside.http import AMLRequest
from akstwin.worker.outcomes import Reply
from akstwin.worker.spec import Request

_LENGTHS: Final = frozenset(map(len, ID_HEADERS))
_SECOND: Final = timedelta(seconds=1)
_MILLISECONDS: Final = tuple(f",{number:03d}" for number in range(1000))
_COUNTED: Final = -12
"""The last digits of an id count; those before are new every second."""


class Template:
    """Answers plain scoring requests as the server would, without going its whole way.

    Plain is a POST of `/score` without a query, whose headers name no ids.

    Args:
        server: gives the first answer, and all ids.
    """

    def __init__(self, server: Server) -> None:
        answer = server.handle(AMLRequest("POST", "/score"), 0.0)
        self._new_id = server.new_id
        self._status, self._body, self._failed = answer.status, answer.body, answer.failed
        self._headers = list(answer.headers)
        names = [name for name, _ in self._headers]
        self._date, self._took = names.index("Date"), names.index(RUN_TIME_HEADER)
        self._ids = [(at, name) for at, name in enumerate(names) if name in ID_HEADERS]
        self._from = self._until = datetime.min.replace(tzinfo=UTC)
        self._stamp = ""
        self._names = ""
        self._count = 0
        self._takes = -1
        self._line = ""

    def fits(self, request: Request) -> bool:
        """Whether it is the answer to that request."""
        if request.takes is None or request.method != "POST" or request.path != "/score" or request.query:
            return False
        return not any(len(name) in _LENGTHS and name.lower() in ID_HEADERS for name, _ in request.headers)

    def fill(self, request: Request) -> Reply:
        """The answer to a request that it fits, with the server's line in the log."""
        at, takes = request.at, request.takes or 0
        if not self._from <= at < self._until:
            self._in_second_of(at)
        if takes != self._takes:
            self._taking(takes)
        self._count += 1
        made = f"{self._names}{self._count:012x}"
        headers = self._headers.copy()
        for place, name in self._ids:
            headers[place] = (name, made)
        line = self._stamp + _MILLISECONDS[at.microsecond // 1000] + self._line
        return Reply(self._status, tuple(headers), self._body, self._failed, line, 0.0)

    def _in_second_of(self, at: datetime) -> None:
        """What says the second."""
        self._from = at.replace(microsecond=0)
        self._until = self._from + _SECOND
        self._headers[self._date] = ("Date", http_date(at.astimezone(UTC)))
        self._stamp = f"{at:%Y-%m-%d %H:%M:%S}"
        self._names = self._new_id()[:_COUNTED]

    def _taking(self, takes: int) -> None:
        """What says the run time."""
        self._takes = takes
        took = f"{takes / 1000:.3f}"
        self._headers[self._took] = (RUN_TIME_HEADER, took)
        self._line = f" I [1] azmlinfsrv - POST /score {self._status} {took}ms {len(self._body)}\n"
