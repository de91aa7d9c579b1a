"""The way in for requests that somebody waits for: from what a client sends to what it gets."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from email.utils import format_datetime
from functools import partial
from itertools import pairwise
from typing import Any, Final
from uuid import UUID, uuid5

from akstwin.backend import ScoreRequest, ScoreResponse
from akstwin.clock import Micros
from akstwin.cores.replies import VERSION_HEADER, Headers, passed_headers, refusal_text, router_headers
from akstwin.cores.routing import Credential, KeyAuth, KeyCredential, TokenAuth, TokenCredential
from akstwin.domain.reasons import Reason
from akstwin.domain.service import Split
from akstwin.errors import InvalidSetting
from akstwin.sim.calendar import Calendar, Order
from akstwin.sim.driver import Driver
from akstwin.sim.load.request_index import HEADER as IDENTITY_HEADER
from akstwin.sim.load.request_index import read_identity
from akstwin.sim.requests import Exchange, Request
from akstwin.sim.streams import Draws, whole_below

LIVE: Final = -1
"""The traffic entry of requests that somebody waits for."""
PATHS: Final = ("/score", "/swagger.json")
_COUNTED: Final = -12
"""The last digits of a request id count."""
_ABORTED: Final = b"<h1>Internal Server Error</h1>"

_AUTHORIZATION: Final = "authorization"
_LENGTH: Final = "content-length"
_READ: Final = frozenset({_AUTHORIZATION, VERSION_HEADER, IDENTITY_HEADER, _LENGTH})
_LENGTHS: Final = frozenset(map(len, _READ))
_SMALL: Final = 6
"""Digits of a length that has been read in any case."""

Done = Callable[["Asked", ScoreResponse], None]


class Asked(Exchange):
    """A request on its way.

    Attributes:
        front: where it came in.
        number: unlike any other's of the workspace.
        name: the service that it is for.
        sent: when.
        response: what came of it; None: nothing yet.
        done: hears of it.
        live: the request as the router and the containers know it; None: it never came so far, or all have heard of its end.
    """

    __slots__ = ("done", "front", "live", "name", "number", "response", "sent")

    def __init__(self, front: "Front", number: int, name: str, request: ScoreRequest, done: Done | None) -> None:
        super().__init__(request)
        self.front = front
        self.number = number
        self.name = name
        self.sent = Micros(-1)
        self.response: ScoreResponse | None = None
        self.done = done
        self.live: Request | None = None

    def settle(self, live: Request) -> None:
        """The router has answered."""
        self.front.settle(self, live)

    def header(self, name: str) -> str | None:
        """A header's value, without regard to the name's case."""
        length = len(name)
        for key, value in self.request.headers:
            if len(key) == length and key.lower() == name:
                return value
        return None


class Front:
    """Takes requests in and gives answers out.

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
        given: Any = request
        body = given.body  # whatever a caller put there
        if not isinstance(body, bytes | bytearray | memoryview):
            raise InvalidSetting("request.body", body, "bytes")
        if not isinstance(body, bytes):
            request = replace(request, body=bytes(body))
        self._count += 1
        return Asked(self, self._count - 1, name, request, done)

    def _arrive(self, asked: Asked) -> None:
        now = asked.sent = self._calendar.now
        service = self._driver.services.get(asked.name)
        if asked.request.path not in PATHS:
            self._answer(asked, self._made(asked, 404, None, "Not Found"))
            return
        if service is None:
            self._answer(asked, self._made(asked, 404, Reason.NOT_FOUND, refusal_text(Reason.NOT_FOUND, asked.name)))
            return
        told = _told(asked.request.headers)
        if IDENTITY_HEADER not in told:
            live = Request(asked.number, LIVE, 0, now, self._draws.at(asked.number), counted=False)
        else:  # it is a scenario's request, and meets that one's chance
            try:
                identity = read_identity(told[IDENTITY_HEADER])
            except InvalidSetting as error:
                self._answer(asked, self._made(asked, error.status_hint, None, str(error)))
                return
            entry, number, attempt = identity
            live = Request(number, entry, attempt, now, service.split_draw(identity), counted=False)
        asked.live = live
        live.exchange = asked
        length = told.get(_LENGTH, "")
        if len(length) > _SMALL and length.isdecimal():  # of what is too long, a server reads no more than it has to
            asked.size = max(asked.size, int(length))
        credential = self._credential(asked.name, told.get(_AUTHORIZATION), service.plane.auth)
        service.plane.ask(live, credential, told.get(VERSION_HEADER))

    def _credential(self, name: str, told: str | None, auth: KeyAuth | TokenAuth | None) -> Credential | None:
        """What an Authorization header is worth."""
        if told is None:
            return None
        scheme, _, secret = told.partition(" ")
        if not secret or scheme.lower() != "bearer":
            return None
        return self._read_token(name, secret) if isinstance(auth, TokenAuth) else KeyCredential(secret)

    def settle(self, asked: Asked, live: Request) -> None:
        """The router has answered; the client has it when it has come through."""
        assert live.answered is not None  # noqa: S101
        if live.answered > self._calendar.now:
            self._calendar.at(live.answered, Order.COMPLETION, lambda: self._answer(asked, self._response(asked, live)))
        else:
            self._answer(asked, self._response(asked, live))

    def _answer(self, asked: Asked, response: ScoreResponse) -> None:
        asked.response = response
        done, asked.done = asked.done, None
        if done is not None:
            done(asked, response)
        asked.live = None  # it knows this one: a circle would have to be looked for by the collector

    def _response(self, asked: Asked, live: Request) -> ScoreResponse:
        assert live.exchange is not None  # noqa: S101
        reply = live.exchange.reply
        if live.reason is Reason.CLIENT_ABORTED:  # nobody reads it
            return self._made(asked, live.status, live.reason, "", live.version)
        if live.reason not in (None, Reason.RUN_FAILED):
            text = refusal_text(live.reason, asked.name)
            return self._made(asked, live.status, live.reason, text, live.version)
        if reply is None:  # the server has ended its worker
            own: Headers = (("content-type", "text/html"),)
            body = _ABORTED
        else:
            own, body = reply.headers, reply.body
        headers = passed_headers(own, lambda: self._id(asked))
        return ScoreResponse(
            live.status, headers, body, Micros(self._calendar.now - asked.sent), live.version, live.reason
        )

    def _made(
        self, asked: Asked, status: int, reason: Reason | None, text: str, version: str | None = None
    ) -> ScoreResponse:
        """An answer that the router makes itself."""
        now, body = self._calendar.now, text.encode()
        headers = router_headers(format_datetime(self._driver.wall(now), usegmt=True), len(body), self._id(asked))
        return ScoreResponse(status, headers, body, Micros(now - asked.sent), version, reason)

    def _id(self, asked: Asked) -> str:
        """A GUID: the workspace's beginning, and the request's number."""
        return f"{self._names}{asked.number:012x}"


def _told(headers: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """What the headers say that are read here, by their names in lower case; of two of a name, the first."""
    found: dict[str, str] = {}
    for name, value in headers:
        if len(name) in _LENGTHS and (lowered := name.lower()) in _READ:
            found.setdefault(lowered, value)
    return found
