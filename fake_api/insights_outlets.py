"""Where a server's Application Insights rows go beside memory: a file of JSON lines, and an OpenTelemetry collector.

A collector gets a span for each row of `requests`, with the rows of `traces` and `exceptions` of the same request as its
events: Application Insights itself reads spans so (https://learn.microsoft.com/azure/azure-monitor/app/opentelemetry-overview).
A span's trace id is the row's `operation_Id`, which is the journal's `request_id` without dashes; its span id is the row's `id`.
"""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from akstwin.errors import AksError, InvalidSetting

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

Row = dict[str, Any]
_SPANS_PATH: Final = "/v1/traces"
_NANOSECONDS: Final = 1_000_000_000


class Outlet(Protocol):
    """Takes rows, in the order in which containers have answered."""

    def take(self, row: Row) -> None:
        """One row, without credentials."""
        ...

    def close(self) -> None:
        """No more come; what was taken is written."""
        ...


class RowFile:
    """Appends rows to a file, a line of JSON each.

    Args:
        path: of the file; what is there stays.

    Raises:
        InvalidSetting: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise InvalidSetting("--insights", str(path), f"a file that can be written ({error.strerror})") from None
        self._path = path
        self.problem: str | None = None
        """Why nothing more is written; None: all is well."""

    def take(self, row: Row) -> None:
        """Write the row; after a failure no more are written, and `close` says why."""
        if self.problem is not None:
            return
        try:
            self._file.write(json.dumps(row, ensure_ascii=False) + "\n")
            self._file.flush()
        except OSError as error:
            self.problem = f"--insights {self._path}: {error.strerror}; it ends with the rows written before"

    def close(self) -> None:
        """Close the file.

        Raises:
            AksError: some rows could not be written.
        """
        try:
            self._file.close()
        except OSError as error:
            self.problem = self.problem or f"--insights {self._path}: {error.strerror}"
        if self.problem is not None:
            raise AksError(self.problem)


class Collector:
    """Sends spans to an OpenTelemetry collector by OTLP over HTTP, in a thread of its own, in batches.

    Args:
        endpoint: the collector's address, such as `http://localhost:4318`; spans go to `/v1/traces` below it.

    Raises:
        AksError: OpenTelemetry is not installed.
    """

    def __init__(self, endpoint: str) -> None:
        if not endpoint.startswith(("http://", "https://")):
            raise InvalidSetting("--otlp", endpoint, "the URL of a collector, such as http://localhost:4318")
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
            from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - an extra
        except ImportError:
            raise AksError(f"--otlp {endpoint}: OpenTelemetry is not installed: pip install 'akstwin[otlp]'") from None
        address = endpoint.rstrip("/")
        exporter = OTLPSpanExporter(address if address.endswith(_SPANS_PATH) else address + _SPANS_PATH)
        self._spans: SpanProcessor = BatchSpanProcessor(exporter)
        self._pending: dict[str, list[Row]] = {}

    def take(self, row: Row) -> None:
        """Keep rows of a request until its own, which is the last; then its span is complete."""
        operation = row["operation_Id"]
        if row["itemType"] == "request":
            self._spans.on_end(_span(row, self._pending.pop(operation, [])))
        else:
            self._pending.setdefault(operation, []).append(row)

    def close(self) -> None:
        """Send what is left."""
        self._spans.shutdown()


def redacting(outlet: Outlet, redaction: Callable[[], Callable[[str], str]]) -> Callable[[Row], None]:
    """A sink that gives an outlet rows without credentials.

    Args:
        outlet: takes them.
        redaction: what takes credentials out of a text, at present: a reset of the workspace makes another.
    """
    return lambda row: outlet.take(redacted(row, redaction()))


def redacted(row: Row, text: Callable[[str], str]) -> Row:
    """A row without credentials: scripts may print what they are sent.

    Args:
        row: any.
        text: a text without its credentials.
    """
    return {
        name: text(value) if isinstance(value, str) else redacted(value, text) if isinstance(value, dict) else value
        for name, value in row.items()
    }


def _span(request: Row, others: list[Row]) -> Any:
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - see `Collector`
    from opentelemetry.sdk.trace import Event, ReadableSpan  # noqa: PLC0415
    from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags  # noqa: PLC0415

    start = _nanoseconds(request["timestamp"])
    context = SpanContext(
        int(request["operation_Id"], 16), int(request["id"], 16), is_remote=False, trace_flags=TraceFlags(1)
    )
    events = [
        Event(
            name, {key: value for key, value in attributes.items() if value is not None}, _nanoseconds(row["timestamp"])
        )
        for row in others
        for name, attributes in [_event(row)]
    ]
    return ReadableSpan(
        name=f"{request['customDimensions']['http_method']} {request['name']}",
        context=context,
        resource=Resource(
            {"service.name": request["cloud_RoleName"], "service.instance.id": request["cloud_RoleInstance"]}
        ),
        attributes={
            "url.full": request["url"],
            "http.request.method": request["customDimensions"]["http_method"],
            "http.response.status_code": int(request["resultCode"]),
            **{f"customDimensions.{key}": value for key, value in request["customDimensions"].items()},
        },
        events=events,
        kind=SpanKind.SERVER,
        status=Status(StatusCode.UNSET if request["success"] else StatusCode.ERROR),
        start_time=start,
        end_time=start + round(request["duration"] * 1_000_000),
    )


def _event(row: Row) -> tuple[str, dict[str, Any]]:
    if row["itemType"] == "exception":
        return "exception", {
            "exception.type": row["type"],
            "exception.message": row["outerMessage"],
            "exception.stacktrace": row["details"],
        }
    return row["message"], {"severityLevel": row["severityLevel"]}


def _nanoseconds(timestamp: str) -> int:
    return round(datetime.fromisoformat(timestamp).timestamp() * _NANOSECONDS)
