"""The way in for requests that somebody waits for: from what a client sends to what it gets."""

from collections.abc import Callable, Sequence
from email.utils import format_datetime
from functools import partial
from itertools import pairwise
from typing import Final
from uuid import UUID, uuid5

from akstwin.backend import ScoreRequest, ScoreResponse
from akstwin.clock import Micros
from akstwin.cores.replies import VERSION_HEADER, passed_headers, refusal_text, router_headers
from akstwin.cores.routing import Credential, KeyCredential, TokenAuth, TokenCredential
from akstwin.domain.reasons import Reason
from akstwin.domain.service import Split
from akstwin.engine.requests import Exchange, Request
from akstwin.errors import InvalidSetting
from akstwin.sim.calendar import Calendar, Order
from akstwin.sim.driver import Driver
from akstwin.sim.streams import Draws, whole_below

LIVE: Final = -1
"""The traffic entry of requests that somebody waits for."""
PATHS: Final = ("/score", "/swagger.json")
_ABORTED: Final = b"<h1>Internal Server Error</h1>"

Done = Callable[["Asked", ScoreResponse], None]


class Asked:
    """A request on its way.

    Attributes:
        number: unlike any other's of the workspace.
        name: the service that it is for.
        request: what was sent.
        sent: when.
        response: what came of it; None: nothing yet.
        done: hears of it.
        live: the request as the router and the containers know it; None: it never came so far.
    """

    __slots__ = ("done", "live", "name", "number", "request", "response", "sent")

    def __init__(self, number: int, name: str, request: ScoreRequest, done: Done | None) -> None:
        self.number = number
        self.name = name
        self.request = request
        self.sent = Micros(-1)
        self.response: ScoreResponse | None = None
        self.done = done
        self.live: Request | None = None

    def header(self, name: str) -> str | None:
        """A header's value, without regard to the name's case."""
        return next((value for key, value in self.request.headers if key.lower() == name), None)


class Front:
    """Takes requests in and gives answers out.

    Args:
        driver: has the services.
        calendar: tells the time.
        seed: of the split's draws and of request ids.
        read_token: what a token is worth to a service.
    """

    def __init__(
        self, driver: Driver, calendar: Calendar, seed: int, read_token: Callable[[str, str], TokenCredential]
    ) -> None:
        self._driver = driver
        self._calendar = calendar
        self._read_token = read_token
        self._names = uuid5(UUID(int=0), f"akstwin/{seed}")
        self._draws = Draws(seed, 1, "split", "live", whole_below(Split.WHOLE))
        self._count = 0

    def submit(self, name: str, request: ScoreRequest, done: Done | None = None) -> Asked:
        """Let a request come in now.

        Args:
            name: of the service.
            request: what the client sends.
            done: called with the answer at the instant at which the client has it, at once if that is now.
        """
        asked = self._number(name, request, done)
        self._arrive(asked)
        return asked

    def abort(self, asked: Asked) -> None:
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

    def _number(self, name: str, request: ScoreRequest, done: Done | None) -> Asked:
        if not isinstance(request.body, bytes | bytearray | memoryview):
            raise InvalidSetting("request.body", request.body, "bytes")
        self._count += 1
        return Asked(self._count - 1, name, request, done)

    def _arrive(self, asked: Asked) -> None:
        now = asked.sent = self._calendar.now
        service = self._driver.services.get(asked.name)
        if asked.request.path not in PATHS:
            self._answer(asked, self._made(asked, 404, None, "Not Found"))
            return
        if service is None:
            self._answer(asked, self._made(asked, 404, Reason.NOT_FOUND, refusal_text(Reason.NOT_FOUND, asked.name)))
            return
        live = asked.live = Request(asked.number, LIVE, 0, now, self._draws.at(asked.number), counted=False)
        live.exchange = Exchange(asked.request, partial(self._answered, asked))
        credential = self._credential(asked, by_token=isinstance(service.plane.auth, TokenAuth))
        service.plane.ask(live, credential, asked.header(VERSION_HEADER))

    def _credential(self, asked: Asked, *, by_token: bool) -> Credential | None:
        """What its Authorization header is worth."""
        scheme, _, secret = (asked.header("authorization") or "").partition(" ")
        if scheme.lower() != "bearer" or not secret:
            return None
        return self._read_token(asked.name, secret) if by_token else KeyCredential(secret)

    def _answered(self, asked: Asked, live: Request) -> None:
        """The router has answered; the client has it when it has come through."""
        assert live.answered is not None  # noqa: S101
        if live.answered > self._calendar.now:
            self._calendar.at(live.answered, Order.COMPLETION, lambda: self._answer(asked, self._response(asked, live)))
        else:
            self._answer(asked, self._response(asked, live))

    def _answer(self, asked: Asked, response: ScoreResponse) -> None:
        asked.response = response
        if asked.done is not None:
            asked.done(asked, response)

    def _response(self, asked: Asked, live: Request) -> ScoreResponse:
        assert live.exchange is not None  # noqa: S101
        reply = live.exchange.reply
        if live.reason is Reason.CLIENT_ABORTED:  # nobody reads it
            return self._made(asked, live.status, live.reason, "", live.version)
        if live.reason not in (None, Reason.RUN_FAILED):
            text = refusal_text(live.reason, asked.name)
            return self._made(asked, live.status, live.reason, text, live.version)
        if reply is None:  # the server has ended its worker
            headers, body = {"content-type": "text/html", "x-ms-request-id": self._id(asked)}, _ABORTED
        else:
            headers, body = passed_headers(dict(reply.headers), self._id(asked)), reply.body
        latency = Micros(self._calendar.now - asked.sent)
        return ScoreResponse(live.status, tuple(headers.items()), body, latency, live.version, live.reason)

    def _made(
        self, asked: Asked, status: int, reason: Reason | None, text: str, version: str | None = None
    ) -> ScoreResponse:
        """An answer that the router makes itself."""
        now, body = self._calendar.now, text.encode()
        headers = router_headers(format_datetime(self._driver.wall(now), usegmt=True), len(body), self._id(asked))
        return ScoreResponse(status, tuple(headers.items()), body, Micros(now - asked.sent), version, reason)

    def _id(self, asked: Asked) -> str:
        return str(uuid5(self._names, str(asked.number)))
