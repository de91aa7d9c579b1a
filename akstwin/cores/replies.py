"""What reaches the router and leaves it, on the wire: paths (R1), its own texts, headers (R14). Pure text in, text out."""

from collections.abc import Callable
from typing import Final, Literal

from akstwin.domain.reasons import Reason

VERSION_HEADER: Final = "azureml-model-deployment"
"""Names the version that a request wants: an extension, as in SDK v2 (semantics §1.5)."""

Headers = tuple[tuple[str, str], ...]
"""Names and values, in their order."""
_REQUEST_ID: Final = "x-ms-request-id"
_PREFIX: Final = "/api/v1/service/"
_TEXTS: Final[dict[Reason, str]] = {
    Reason.QUEUE_DEADLINE: "Too many requests for service {service} (overloaded)",
    Reason.QUEUE_FULL: "Too many requests for service {service} (overloaded)",
    Reason.NO_READY_REPLICA: "No ready replicas for service {service}.",
    Reason.SCORING_TIMEOUT: "Request timed out",
    Reason.REPLICA_LOST: "Replica closed connection before replying",
    Reason.UNAUTHORIZED: "Unauthorized",
    Reason.NOT_FOUND: "Service {service} not found",
    Reason.PAYLOAD_TOO_LARGE: "Payload too large",
}


def match_path(path: str) -> tuple[str, Literal["score", "swagger"]] | None:
    """The service and what is wanted of it (R1); None: answer 404 `Not Found`."""
    if not path.startswith(_PREFIX):
        return None
    name, _, what = path[len(_PREFIX) :].partition("/")
    if name and what == "score":
        return name, "score"
    if name and what == "swagger.json":
        return name, "swagger"
    return None


def refusal_text(reason: Reason, service: str) -> str:
    """The plain text of an answer that the router makes itself."""
    return _TEXTS[reason].format(service=service)


def router_headers(date: str, length: int, request_id: str) -> Headers:
    """Headers of an answer that the router makes itself, in the recorded order (R14; MLN#450: no content type).

    Args:
        date: an HTTP date.
        length: of the body, bytes.
        request_id: a GUID.
    """
    return (
        ("server", "Cowboy"),
        ("date", date),
        ("content-length", str(length)),
        ("cache-control", "max-age=0, private, must-revalidate"),
        (_REQUEST_ID, request_id),
    )


def passed_headers(headers: Headers, request_id: Callable[[], str]) -> Headers:
    """Headers of a replica's reply as the client gets them: its own, with a request id if it gave none (R14).

    Args:
        headers: the replica's, in their order.
        request_id: makes a GUID; asked only where one is missing.
    """
    for name, _ in headers:
        if len(name) == len(_REQUEST_ID) and name.lower() == _REQUEST_ID:
            return headers
    return (*headers, (_REQUEST_ID, request_id()))
