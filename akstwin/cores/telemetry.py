"""Rows of Application Insights that a container of a service with `enable_app_insights` writes.

The tables and fields are those that azureml-inference-server-http 1.x fills: a row of `requests` for each request that the
container has answered, a row of `traces` for each line that the script has printed, a row of `exceptions` for a run that failed.
The router writes none: a request that it refuses itself is in none of the tables (semantics §1.2).
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

Row = dict[str, Any]

LONGEST_VALUE: Final = 8192
"""Characters of a value of `customDimensions` (limits of Application Insights)."""
LONGEST_MESSAGE: Final = 32_768
"""Characters of a message."""
_SUCCESSFUL_BELOW: Final = 400
_ENTRY: Final = re.compile(
    r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ([A-Z]) \[[^\]]*\] (azmlinfsrv(?:\.\w+)?) - ", re.MULTILINE
)
_PRINTED: Final = "azmlinfsrv.print"
_EXCEPTION: Final = "Encountered Exception: "
_WARNINGS: Final = {"D": 0, "I": 1, "W": 2, "E": 3, "C": 4}
"""Severity levels by the letters of the log."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A request that a container has answered.

    Attributes:
        number: its number in the workspace.
        request_id: `x-ms-request-id`, the same as in the journal.
        client_request_id: what the client calls it; empty: nothing.
        workspace: the workspace's name.
        service: the service's name.
        pod: the pod's name.
        method: the HTTP verb.
        path: as the container has it: `/score`.
        host: that the client has called.
        started: when a worker began with it, date and time.
        milliseconds: how long `run()` took.
        status: of the container's answer.
        body: the container's answer.
        logs: what was written to the container's log meanwhile.
    """

    number: int
    request_id: str
    client_request_id: str
    workspace: str
    service: str
    pod: str
    method: str
    path: str
    host: str
    started: datetime
    milliseconds: float
    status: int
    body: bytes
    logs: str


def rows_of(answered: Answered) -> list[Row]:
    """What the container writes about a request: traces and exceptions of its run, and the request itself, which is the last."""
    rows = []
    entries = list(_ENTRY.finditer(answered.logs))
    for entry, following in zip(entries, [*entries[1:], None], strict=True):
        text = answered.logs[entry.end() : None if following is None else following.start()].rstrip("\n")
        if entry[2] == _PRINTED:
            rows.append(
                _row(answered, "trace", message=text[:LONGEST_MESSAGE], severityLevel=_WARNINGS.get(entry[1], 1))
            )
        elif text.startswith(_EXCEPTION):
            rows.append(_exception(answered, text.removeprefix(_EXCEPTION)))
    dimensions = {
        "Response Value": answered.body.decode("utf-8", "replace")[:LONGEST_VALUE],
        "http_method": answered.method,
    }
    rows.append(
        _row(
            answered,
            "request",
            dimensions,
            id=f"{answered.number:016x}",
            name=answered.path,
            url=f"http://{answered.host}{answered.path}",
            success=answered.status < _SUCCESSFUL_BELOW,
            resultCode=str(answered.status),
            duration=answered.milliseconds,
        )
    )
    return rows


def _exception(answered: Answered, text: str) -> Row:
    kind, _, message = text.rstrip().rpartition("\n")[2].partition(": ")
    return _row(
        answered,
        "exception",
        type=kind,
        outerMessage=message[:LONGEST_MESSAGE],
        details=text[:LONGEST_MESSAGE],
        severityLevel=3,
    )


def _row(answered: Answered, kind: str, dimensions: dict[str, str] | None = None, **fields: Any) -> Row:
    return {
        "timestamp": answered.started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "itemType": kind,
        **fields,
        "operation_Id": answered.request_id.replace("-", ""),
        "cloud_RoleName": answered.service,
        "cloud_RoleInstance": answered.pod,
        "customDimensions": {
            "Container Id": answered.pod,
            "Request Id": answered.request_id,
            "Client Request Id": answered.client_request_id,
            "Workspace Name": answered.workspace,
            "Service Name": answered.service,
            **(dimensions or {}),
        },
    }
