"""Gateway for interactive requests: a caller waits for the real body, unlike generated traffic, which is only counted."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from email.utils import format_datetime
from functools import partial
from itertools import pairwise
from typing import Any, Final
from uuid import UUID, uuid5

from akstwin.backend import ScoreRequest, ScoreResponse
from akstwin.clock import Micros
from akstwin.cores.router_http import (
    AUTHORIZATION,
    CONTENT_LENGTH,
    NOT_A_ROUTE,
    VERSION_HEADER,
    HeaderReader,
    Headers,
    is_passed_on,
    is_replica_path,
    passed_headers,
    payload_size,
    read_credential,
    refusal_text,
    router_response,
)
from akstwin.domain.credentials import TokenCredential
from akstwin.domain.reasons import Reason
from akstwin.domain.service import Split
from akstwin.errors import InvalidSetting
from akstwin.sim.calendar import Calendar, Order
from akstwin.sim.driver import Driver
from akstwin.sim.insights import Insights
from akstwin.sim.load.request_index import HEADER as IDENTITY_HEADER
from akstwin.sim.load.request_index import read_identity
from akstwin.sim.requests import Exchange, Request
from akstwin.sim.streams import Draws, whole_below

LIVE: Final = -1
"""The traffic entry of interactive requests."""
_COUNTED: Final = -12
"""The last digits of a request id count."""
_ABORTED: Final[tuple[Headers, bytes]] = ((("content-type", "text/html"),), b"<h1>Internal Server Error</h1>")
"""What the inference server answers when it has ended its worker."""
_HEADERS: Final = HeaderReader((AUTHORIZATION, VERSION_HEADER, CONTENT_LENGTH, IDENTITY_HEADER))

Done = Callable[["InteractiveRequest", ScoreResponse], None]


class InteractiveRequest(Exchange):
    """A request whose caller waits for the answer.

    Attributes:
        gateway: where it came in.
        number: its number in the workspace, never used twice.
        name: the service that it is for.
        sent: when it came in, µs; negative before.
        response: the answer; None while there is none.
        done: called with the answer, once.
        live: the request as the router and the containers know it; None before it reaches the router and after its answer.
    """

    __slots__ = ("done", "gateway", "live", "name", "number", "response", "sent")

    def __init__(self, gateway: "Gateway", number: int, name: str, request: ScoreRequest, done: Done | None) -> None:
        super().__init__(request)
        self.gateway = gateway
        self.number = number
        self.name = name
        self.sent = Micros(-1)
        self.response: ScoreResponse | None = None
        self.done = done
        self.live: Request | None = None

    def settle(self, live: Request) -> None:
        """The router has answered."""
        self.gateway.settle(self, live)

    def header(self, name: str) -> str | None:
        """A header's value, without regard to the name's case."""
        length = len(name)
        for key, value in self.request.headers:
            if len(key) == length and key.lower() == name:
                return value
        return None


class Gateway:
    """Takes interactive requests in and gives their answers out.

    Args:
        driver: has the services.
        calendar: tells the time.
        seed: of the split's draws and of request ids.
        read_token: what a token is worth to a service.
        first: the number of the first request: no two of a workspace have the same.
    """

    def __init__(
        self,
        driver: Driver,
        calendar: Calendar,
        seed: int,
        read_token: Callable[[str, str], TokenCredential],
        first: int = 0,
    ) -> None:
        self._driver = driver
        self._calendar = calendar
        self._read_token = read_token
        self._names = str(uuid5(UUID(int=0), f"akstwin/{seed}"))[:_COUNTED]
        self._draws = Draws(seed, 1, "split", "live", whole_below(Split.WHOLE))
        self._count = first
        self.insights: Insights | None = None

    def submit(self, name: str, request: ScoreRequest, done: Done | None = None) -> InteractiveRequest:
        """Let a request come in now.

        Args:
            name: of the service.
            request: what the client sends.
            done: called with the answer at the instant at which the client has it, at once if that is now.
        """
        asked = self._number(name, request, done)
        self._arrive(asked)
        return asked

    def abort(self, asked: InteractiveRequest) -> None:
        """Its client went away: waiting, it is dropped; running, the worker goes on."""
        service = self._driver.services.get(asked.name)
        if asked.response is None and asked.live is not None and service is not None:
            service.plane.abort(asked.live)

    def all(self, name: str, requests: Sequence[tuple[Micros, ScoreRequest]]) -> list[ScoreResponse]:
        """Send requests, each at its time from now, and let time pass to the last answer.

        Raises:
            InvalidSetting: times before now, or that go back.
        """
        offsets = [offset for offset, _ in requests]
        if any(offset < 0 for offset in offsets) or any(after < before for before, after in pairwise(offsets)):
            raise InvalidSetting("requests", offsets, "instants from 0 on that never go back")
        start = self._calendar.now
        asked = [self._number(name, request, None) for _, request in requests]
        for offset, each in zip(offsets, asked, strict=True):
            if offset:
                self._calendar.at(start + offset, Order.ARRIVAL, partial(self._arrive, each))
            else:
                self._arrive(each)
        responses: list[ScoreResponse] = []
        for each in asked:
            while each.response is None:
                self._calendar.step()
            responses.append(each.response)
        self._calendar.run_until(self._calendar.now)
        return responses

    def _number(self, name: str, request: ScoreRequest, done: Done | None) -> InteractiveRequest:
        given: Any = request
        body = given.body  # whatever a caller put there
        if not isinstance(body, bytes | bytearray | memoryview):
            raise InvalidSetting("request.body", body, "bytes")
        if not isinstance(body, bytes):
            request = replace(request, body=bytes(body))
        self._count += 1
        return InteractiveRequest(self, self._count - 1, name, request, done)

    def _arrive(self, asked: InteractiveRequest) -> None:
        now = asked.sent = self._calendar.now
        service = self._driver.services.get(asked.name)
        if not is_replica_path(asked.request.path):
            self._answer(asked, self._refused(asked, 404, None, NOT_A_ROUTE))
            return
        if service is None:
            text = refusal_text(Reason.NOT_FOUND, asked.name)
            self._answer(asked, self._refused(asked, 404, Reason.NOT_FOUND, text))
            return
        headers = _HEADERS.read(asked.request.headers)
        if IDENTITY_HEADER not in headers:
            live = Request(asked.number, LIVE, 0, now, self._draws.at(asked.number), counted=False)
        else:  # it is a scenario's request, and meets that one's chance
            try:
                identity = read_identity(headers[IDENTITY_HEADER])
            except InvalidSetting as error:
                self._answer(asked, self._refused(asked, error.status_hint, None, str(error)))
                return
            entry, number, attempt = identity
            live = Request(number, entry, attempt, now, service.split_draw(identity), counted=False)
        asked.live = live
        live.exchange = asked
        asked.size = payload_size(asked.size, headers.get(CONTENT_LENGTH))
        credential = read_credential(asked.name, headers.get(AUTHORIZATION), service.plane.auth, self._read_token)
        service.plane.ask(live, credential, headers.get(VERSION_HEADER))

    def settle(self, asked: InteractiveRequest, live: Request) -> None:
        """The router has answered; the client has it when it has come through."""
        assert live.answered is not None  # noqa: S101
        if live.answered > self._calendar.now:
            self._calendar.at(live.answered, Order.COMPLETION, lambda: self._answer(asked, self._response(asked, live)))
        else:
            self._answer(asked, self._response(asked, live))

    def _answer(self, asked: InteractiveRequest, response: ScoreResponse) -> None:
        asked.response = response
        if self.insights is not None:
            self.insights.heard(asked, response)
        done, asked.done = asked.done, None
        if done is not None:
            done(asked, response)
        asked.live = None  # it knows this one: a circle would have to be looked for by the collector

    def _response(self, asked: InteractiveRequest, live: Request) -> ScoreResponse:
        assert live.exchange is not None  # noqa: S101
        reason, version = live.reason, live.version
        if not is_passed_on(reason):
            assert reason is not None  # noqa: S101
            return self._refused(asked, live.status, reason, refusal_text(reason, asked.name), version)
        reply = live.exchange.reply
        own, body = _ABORTED if reply is None else (reply.headers, reply.body)
        headers = passed_headers(own, lambda: self._id(asked))
        return ScoreResponse(live.status, headers, body, Micros(self._calendar.now - asked.sent), version, reason)

    def _refused(
        self, asked: InteractiveRequest, status: int, reason: Reason | None, text: str, version: str | None = None
    ) -> ScoreResponse:
        """An answer that the router makes itself."""
        now = self._calendar.now
        date = format_datetime(self._driver.wall(now), usegmt=True)
        headers, body = router_response(text, date, self._id(asked))
        return ScoreResponse(status, headers, body, Micros(now - asked.sent), version, reason)

    def _id(self, asked: InteractiveRequest) -> str:
        """A GUID: the workspace's beginning, and the request's number."""
        return f"{self._names}{asked.number:012x}"
