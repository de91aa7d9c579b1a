"""The way in of a router with real replicas: paths, headers and credentials to the plane, its answers back (R1, R4, R14).

It is the `Router` that `asgi` and `fast_path` hand requests to.
"""

import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final
from uuid import UUID, uuid5

from akstwin.backend import ScoreRequest, ScoreResponse
from akstwin.clock import SECOND, Micros
from akstwin.cores.router_http import (
    AUTHORIZATION,
    CONTENT_LENGTH,
    NOT_A_ROUTE,
    VERSION_HEADER,
    HeaderReader,
    is_passed_on,
    passed_headers,
    payload_size,
    read_credential,
    refusal_text,
    router_response,
)
from akstwin.cores.routing import Answer
from akstwin.domain.credentials import TokenCredential
from akstwin.domain.reasons import Reason
from akstwin.domain.service import Split
from akstwin.router.plane import TransportPlane
from akstwin.router.replica_connection import Reply
from akstwin.router.wall_clock import WallClock

_HEADERS: Final = HeaderReader((AUTHORIZATION, VERSION_HEADER, CONTENT_LENGTH))
_COUNTED: Final = -12
"""The last digits of a request id count."""

Listener = Callable[[str, ScoreRequest, ScoreResponse], None]
"""Hears of each answer: the service's name, the request, the answer."""


def draw_version() -> int:
    """A draw for the traffic split."""
    return secrets.randbelow(Split.WHOLE)


class GatewayTicket:
    """A request on its way.

    Args:
        plane: that has it; None: it was answered before any plane.
    """

    __slots__ = ("_plane", "number")

    def __init__(self, plane: TransportPlane | None) -> None:
        self._plane = plane
        self.number: int | None = None

    def abort(self) -> None:
        """Its client went away."""
        if self._plane is not None and self.number is not None:
            self._plane.abort(self.number)


class Gateway:
    """Takes requests in for the services that there are.

    Args:
        planes: the routers of the services, by name; it may change.
        clock: tells the time.
        read_token: what a token is worth to a service.
        max_payload: bytes; longer ones are refused (R2).
        seed: of request ids, another one at each start.
        draw: for the traffic split.

    Attributes:
        listeners: hear of each answer.
    """

    def __init__(
        self,
        planes: Mapping[str, TransportPlane],
        clock: WallClock,
        read_token: Callable[[str, str], TokenCredential],
        max_payload: int,
        seed: int,
        draw: Callable[[], int] = draw_version,
    ) -> None:
        self._planes = planes
        self._clock = clock
        self._read_token = read_token
        self.max_payload = max_payload
        self._draw = draw
        self._names = str(uuid5(UUID(int=0), f"akstwin/router/{seed}"))[:_COUNTED]
        self._count = 0
        self.listeners: list[Listener] = []

    @property
    def waiting(self) -> int:
        """Requests that have no answer yet."""
        return sum(plane.waiting for plane in self._planes.values())

    def submit(self, service: str, request: ScoreRequest, done: Callable[[ScoreResponse], None]) -> GatewayTicket:
        """Let a request come in now; `done` is called with its answer, at once or later."""
        arrived = self._clock.now()
        plane = self._planes.get(service)
        ticket = GatewayTicket(plane)

        def answer(response: ScoreResponse) -> None:
            for hear in self.listeners:
                hear(service, request, response)
            done(response)

        if plane is None:
            text = refusal_text(Reason.NOT_FOUND, service)
            answer(self._refusal(arrived, 404, Reason.NOT_FOUND, text))
            return ticket

        def answered(decided: Answer, reply: Reply | None) -> None:
            answer(self._response(service, arrived, decided, reply))

        headers = _HEADERS.read(request.headers)
        ticket.number = plane.arrive(
            request,
            self._draw(),
            answered,
            wanted=headers.get(VERSION_HEADER),
            credential=read_credential(service, headers.get(AUTHORIZATION), plane.auth, self._read_token),
            size=payload_size(len(request.body), headers.get(CONTENT_LENGTH)),
        )
        return ticket

    def misdirected(self, path: str) -> ScoreResponse:  # noqa: ARG002 - the port's
        """The answer to a request for a path that is no route (R1)."""
        return self._refusal(self._clock.now(), 404, None, NOT_A_ROUTE)

    def _response(self, service: str, arrived: Micros, decided: Answer, reply: Reply | None) -> ScoreResponse:
        _, version, status, reason, _ = decided
        if reply is not None and is_passed_on(reason):
            headers = passed_headers(reply.headers, self._id)
            latency = Micros(self._clock.now() - arrived)
            return ScoreResponse(status, headers, reply.body, latency, version, reason)
        assert reason is not None  # noqa: S101 - only a reply has none
        return self._refusal(arrived, status, reason, refusal_text(reason, service), version)

    def _refusal(
        self, arrived: Micros, status: int, reason: Reason | None, text: str, version: str | None = None
    ) -> ScoreResponse:
        """An answer that the router makes itself (R14)."""
        now = self._clock.now()
        moment = datetime.fromtimestamp(self._clock.epoch + now / SECOND, UTC)
        headers, body = router_response(text, format_datetime(moment, usegmt=True), self._id())
        return ScoreResponse(status, headers, body, Micros(now - arrived), version, reason)

    def _id(self) -> str:
        """A GUID: the router's beginning, and a number."""
        self._count += 1
        return f"{self._names}{self._count:012x}"
