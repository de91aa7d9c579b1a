"""The router's side of HTTP: paths (R1), the headers it reads, credentials (R4), its own texts, response headers (R14).

Values in, values out. Every router uses it: the simulated one, the served one and one in a cluster.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal

from akstwin.domain.credentials import Auth, Credential, KeyCredential, TokenAuth, TokenCredential
from akstwin.domain.reasons import Reason
from akstwin.domain.service_urls import SERVICE_PREFIX, VERSION_HEADER

__all__ = [
    "AUTHORIZATION",
    "CONTENT_LENGTH",
    "NOT_A_ROUTE",
    "REPLICA_PATHS",
    "SERVICE_PREFIX",
    "SHORT_LENGTH",
    "VERSION_HEADER",
    "HeaderReader",
    "Headers",
    "Wanted",
    "bearer_secret",
    "declared_length",
    "end_to_end_headers",
    "is_passed_on",
    "is_replica_path",
    "match_path",
    "passed_headers",
    "payload_size",
    "read_credential",
    "refusal_text",
    "router_headers",
    "router_response",
    "says_run_failed",
]

Headers = tuple[tuple[str, str], ...]
"""Names and values, in their order."""
Wanted = Literal["score", "swagger"]
"""What a request wants of a service: an answer of its model, or its API description."""

AUTHORIZATION: Final = "authorization"
CONTENT_LENGTH: Final = "content-length"
REPLICA_PATHS: Final[Mapping[Wanted, str]] = {"score": "/score", "swagger": "/swagger.json"}
"""The path at a replica, by what is wanted."""
NOT_A_ROUTE: Final = "Not Found"
"""The text of the 404 for a path that no service has (R1)."""
SHORT_LENGTH: Final = 6
"""A body whose declared length has at most so many digits is read in any case, up to the limit: what was read counts."""

RUN_FAILED_HEADER: Final = "x-ms-run-function-failed"
"""Of a replica's reply: whether its `run()` raised."""

_HOP_BY_HOP: Final = frozenset(
    {
        "connection", "content-length", "expect", "http2-settings", "keep-alive", "proxy-authenticate",
        "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
    }
)  # fmt: skip
"""Headers that hold for one connection alone (RFC 9110, 7.6.1), and the length."""
_LONGEST_LENGTH: Final = 18
"""Digits of a declared length that are worth reading; a longer one is longer than any payload."""
_REQUEST_ID: Final = "x-ms-request-id"
_PATHS: Final = frozenset(REPLICA_PATHS.values())
_TEXTS: Final[dict[Reason, str]] = {
    Reason.QUEUE_DEADLINE: "Too many requests for service {service} (overloaded)",
    Reason.QUEUE_FULL: "Too many requests for service {service} (overloaded)",
    Reason.NO_READY_REPLICA: "No ready replicas for service {service}.",
    Reason.SCORING_TIMEOUT: "Request timed out",
    Reason.REPLICA_LOST: "Replica closed connection before replying",
    Reason.UNAUTHORIZED: "Unauthorized",
    Reason.NOT_FOUND: "Service {service} not found",
    Reason.PAYLOAD_TOO_LARGE: "Payload too large",
    Reason.CLIENT_ABORTED: "",
}


def match_path(path: str) -> tuple[str, Wanted] | None:
    """The service and what is wanted of it (R1); None: answer 404 `Not Found`."""
    if not path.startswith(SERVICE_PREFIX):
        return None
    name, _, what = path[len(SERVICE_PREFIX) :].partition("/")
    if name and what == "score":
        return name, "score"
    if name and what == "swagger.json":
        return name, "swagger"
    return None


def is_replica_path(path: str) -> bool:
    """Whether replicas answer at this path, the part of the URL behind the service's name (R1)."""
    return path in _PATHS


class HeaderReader:
    """Picks the headers that matter out of a request's.

    Args:
        names: of those headers, in lower case.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._lengths = frozenset(map(len, self._names))

    def read(self, headers: Headers) -> dict[str, str]:
        """Their values by their names in lower case; of several headers of one name, the first counts."""
        found: dict[str, str] = {}
        for name, value in headers:
            if len(name) in self._lengths and (lowered := name.lower()) in self._names:
                found.setdefault(lowered, value)
        return found


def bearer_secret(authorization: str | None) -> str | None:
    """The key or token of an Authorization header; None: there is no such header, or it holds no bearer secret."""
    if authorization is None:
        return None
    scheme, _, secret = authorization.partition(" ")
    return secret if secret and scheme.lower() == "bearer" else None


def read_credential(
    service: str, authorization: str | None, auth: Auth | None, read_token: Callable[[str, str], TokenCredential]
) -> Credential | None:
    """What an Authorization header is worth to a service (R4).

    Args:
        service: its name.
        authorization: the header's value; None: the request has none.
        auth: what the service demands; None: nothing.
        read_token: checks a token of a service, both given; called only where the service takes tokens.
    """
    secret = bearer_secret(authorization)
    if secret is None:
        return None
    return read_token(service, secret) if isinstance(auth, TokenAuth) else KeyCredential(secret)


def declared_length(value: str) -> int | None:
    """The number of bytes that a Content-Length header declares; None: it is no number."""
    if not value.isdecimal():
        return None
    return int(value) if len(value) <= _LONGEST_LENGTH else 10**_LONGEST_LENGTH


def payload_size(received: int, declared: str | None) -> int:
    """The size by which a payload is judged, bytes (R2): of a body that is too long, no more is read than has to be.

    Args:
        received: bytes that were read.
        declared: the value of Content-Length; None: the request has none.
    """
    if declared is None or len(declared) <= SHORT_LENGTH:
        return received
    return max(received, declared_length(declared) or 0)


def is_passed_on(reason: Reason | None) -> bool:
    """Whether the client gets the replica's own reply, and not a text of the router (R12)."""
    return reason is None or reason is Reason.RUN_FAILED


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


def router_response(text: str, date: str, request_id: str) -> tuple[Headers, bytes]:
    """Headers and body of an answer that the router makes itself (R14).

    Args:
        text: what it says.
        date: an HTTP date.
        request_id: a GUID.
    """
    body = text.encode()
    return router_headers(date, len(body), request_id), body


def end_to_end_headers(headers: Headers) -> Headers:
    """The headers that are passed on over a hop, in their order: a request's to a replica, or a reply's to a client.

    The credential goes on as well; what holds for one connection does not, nor does the length, which is written anew.
    """
    named = {
        option.strip().lower() for name, value in headers if name.lower() == "connection" for option in value.split(",")
    }
    return tuple(
        (name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP and name.lower() not in named
    )


def says_run_failed(headers: Headers) -> bool:
    """Whether a replica's reply says that its `run()` raised (R12)."""
    return any(name.lower() == RUN_FAILED_HEADER and value.strip().lower() == "true" for name, value in headers)


def request_id_of(headers: Headers) -> str:
    """The id of a request that its answer carries; empty: none."""
    for name, value in headers:
        if len(name) == len(_REQUEST_ID) and name.lower() == _REQUEST_ID:
            return value
    return ""


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
