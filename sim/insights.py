"""What the services of a workspace report to Application Insights: the latest rows, and whoever else wants them."""

from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

from akstwin.backend import ScoreResponse
from akstwin.clock import MILLISECOND, Micros
from akstwin.cores.router_http import request_id_of
from akstwin.cores.telemetry import Answered, Row, rows_of
from akstwin.domain.identity import client_id

if TYPE_CHECKING:
    from akstwin.sim.gateway import InteractiveRequest

Table = Literal["requests", "traces", "exceptions"]
TABLES: Final[dict[str, str]] = {"requests": "request", "traces": "trace", "exceptions": "exception"}
"""The `itemType` of the rows of each table."""
KEPT: Final = 10_000
"""So many of the latest rows are kept."""
_RUN_TIME: Final = "x-ms-run-fn-exec-ms"


class Insights:
    """The rows of a workspace's services.

    Args:
        workspace: gives the workspace's name.
        reports: whether a service has `enable_app_insights`.
        wall: date and time of an instant.

    Attributes:
        rows: the latest, in the order in which containers have answered.
        total: how many there have been.
        sinks: called with each row.
    """

    def __init__(
        self, workspace: Callable[[], str], reports: Callable[[str], bool], wall: Callable[[Micros], datetime]
    ) -> None:
        self._workspace = workspace
        self._reports = reports
        self._wall = wall
        self.rows: deque[Row] = deque(maxlen=KEPT)
        self.total = 0
        self.sinks: list[Callable[[Row], None]] = []

    @property
    def dropped(self) -> int:
        """How many of the first rows are kept no more."""
        return self.total - len(self.rows)

    def heard(self, asked: "InteractiveRequest", response: ScoreResponse) -> None:
        """A request has its answer: if a container has made it, the container reports it."""
        live = asked.live
        if live is None or live.started is None or live.exchange is None or live.exchange.reply is None:
            return
        if not self._reports(asked.name):
            return
        reply, request = live.exchange.reply, asked.request
        run_time = reply.header(_RUN_TIME)
        ended = live.answered if live.answered is not None else live.started
        answered = Answered(
            number=asked.number,
            request_id=request_id_of(response.headers),
            client_request_id=client_id(request.headers) or "",
            workspace=self._workspace(),
            service=asked.name,
            pod=f"{live.version}-{live.replica}",
            method=request.method,
            path=request.path,
            host=asked.header("host") or asked.name,
            started=self._wall(Micros(live.started)),
            milliseconds=(ended - live.started) / MILLISECOND if run_time is None else float(run_time),
            status=reply.status,
            body=reply.body,
            logs=reply.logs,
        )
        for row in rows_of(answered):
            self.total += 1
            self.rows.append(row)
            for sink in self.sinks:
                sink(row)

    def choose(self, table: str | None = None, service: str | None = None) -> Iterator[Row]:
        """Rows of one table (`requests`, `traces`, `exceptions`), of one service; None: of all."""
        kind = None if table is None else TABLES[table]
        for row in self.rows:
            if kind in (None, row["itemType"]) and service in (None, row["cloud_RoleName"]):
                yield row
