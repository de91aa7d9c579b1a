"""What a server of this project can do beside the management service: time, limits, observation, load (`/_akstwin`)."""

import base64
import binascii
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final, NoReturn, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from akstwin.backend import Json, ScoreRequest, ScoreResponse
from akstwin.clock import Micros
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.observation import Observation
from akstwin.errors import AksError, InvalidSetting, NotFound
from akstwin.remote.caller import Caller, segment
from akstwin.remote.finding import CONTROL as _BELOW
from akstwin.remote.refusals import ServerError, shown

Form = TypeVar("Form")


class _Time(BaseModel):
    now: int
    epoch: float
    mode: str


class _Answer(BaseModel):
    status: int
    headers: list[tuple[str, str]]
    body_base64: str
    latency: int
    version: str | None = None
    reason: str | None = None


class Entry(BaseModel):
    """What came of a request, by a server's journal.

    Attributes:
        client_request_id: what its client called it.
        arrived: when it came, by the server's clock.
        answered: when its client had the answer.
        status: of the answer.
        version: the version that it was meant for.
        reason: why the answer was not the model's own.
    """

    client_request_id: str | None = None
    arrived: int
    answered: int
    status: int
    version: str | None = None
    reason: str | None = None


class _Journal(BaseModel):
    entries: list[Entry]


class TrafficRow(BaseModel):
    """Simulated clients, as a server tells of them.

    Attributes:
        id: unlike any other's of the workspace.
        service: that they call.
        shape: of the arrivals.
        rate: requests per second, as it was given.
        users: how many there are who wait for their answers.
        sent: requests so far.
        retries: how many of those were sent again.
        running: whether there is more to come.
    """

    id: str
    service: str
    shape: str
    rate: Any = None
    users: int | None = None
    sent: int
    retries: int
    running: bool


class Happening(BaseModel):
    """Something that has happened to a cluster or a service.

    Attributes:
        at: when, by the server's clock, µs.
        kind: what.
        subject: to which node, pod, service, …
        detail: more of it.
    """

    at: int
    kind: str
    subject: str
    detail: str


class _Insights(BaseModel):
    rows: list[Json]


class _History(BaseModel):
    events: list[Happening]
    dropped: int = 0


_TIME: Final = TypeAdapter(_Time)
_ASSUMPTIONS: Final = TypeAdapter(Assumptions)
_OBSERVATION: Final = TypeAdapter(Observation)
_ANSWERS: Final = TypeAdapter(list[_Answer])
_JOURNAL: Final = TypeAdapter(_Journal)
_TRAFFIC_ROW: Final = TypeAdapter(TrafficRow)
_TRAFFIC: Final = TypeAdapter(list[TrafficRow])
_HISTORY: Final = TypeAdapter(_History)
_ROWS: Final = TypeAdapter(list[dict[str, Any]])
_INSIGHTS: Final = TypeAdapter(_Insights)


class Control:
    """The control routes of a server.

    Args:
        caller: reaches the server.
        base: the address of the routes; None: the server has none, and everything is refused by name.
    """

    def __init__(self, caller: Caller, base: str | None) -> None:
        self._caller = caller
        self._base = base

    @property
    def there(self) -> bool:
        """Whether the server has such routes."""
        return self._base is not None

    def call(self, what: str, method: str, path: str, body: Any = None, **given: Any) -> Any:
        """The answer of a route.

        Args:
            what: who asks, for the refusal of a server without the route.
            method: the HTTP verb.
            path: below `/_akstwin`.
            body: JSON; None: nothing.
            **given: see `Caller.call`.

        Raises:
            AksError: the server refuses, or has no such routes.
        """
        if self._base is None:
            refuse(what, self._caller.url)
        return self._caller.json(method, f"{self._base}/{path}", body, **given)

    def offered(self, what: str, method: str, path: str, body: Any = None) -> Any:
        """The answer of a route that not every server has.

        Raises:
            AksError: the server refuses; or has no such route, which is said by name.
        """
        try:
            return self.call(what, method, path, body)
        except (NotFound, ServerError) as error:
            lacking = error.status_hint in (404, 405) and f"{method} {_BELOW}/{path}" in str(error)
            if not lacking:
                raise
        raise AksError(
            f"{what}: the server at {shown(self._caller.url)} does not offer it: no {method} {_BELOW}/{path}"
        )

    # -- time

    @property
    def epoch(self) -> float:
        """The Unix time of the clock's instant 0, s."""
        return self._read("epoch", _TIME, "clock").epoch

    @cached_property
    def mode(self) -> str:
        """How time passes: `live`, `paced`, `jump` or `manual`."""
        return self._read("clock", _TIME, "clock").mode

    def now(self) -> Micros:
        """The present instant."""
        return Micros(self._read("clock", _TIME, "clock").now)

    def move(self, what: str, order: Json) -> None:
        """Let time pass as the order says; returns when it has."""
        self.call(what, "POST", "clock", order, waits=True)

    # -- limits and observation

    @cached_property
    def assumptions(self) -> Assumptions:
        """The limits that the server's promises go by."""
        return self._read("assumptions", _ASSUMPTIONS, "assumptions")

    def observe(self, name: str, window: int) -> Observation:
        """What was seen of a service in the last `window`, µs (NotFound, InvalidSetting)."""
        if window <= 0:
            raise InvalidSetting("window", window, "longer than 0")
        path = f"observe/{segment('service', name)}"
        return self._read("observe", _OBSERVATION, path, params={"window": f"{window}us"})

    def note_policy(self, service: str, kind: str, policy: str, words: str) -> None:
        """Keep among what happens that a policy has looked at a service, or has acted on it (NotFound)."""
        told = {"kind": kind, "policy": policy, "words": words}
        self.offered("run_policy", "POST", f"policies/{segment('service', service)}", told)

    def history(self, **wanted: Any) -> list[Happening]:
        """What has happened on the server.

        Args:
            **wanted: `kind`, `subject`, `since`, `limit`: what the route takes.
        """
        return self._read("simulation.history", _HISTORY, "history", params=wanted).events

    def insights(self, table: str, service: str | None) -> list[Json]:
        """Rows that services on the server have reported to Application Insights."""
        wanted = {"table": table} if service is None else {"table": table, "service": service}
        return self._read("simulation.insights", _INSIGHTS, "insights", params=wanted).rows

    def nodes(self, cluster: str | None) -> list[Json]:
        """The nodes of the server's clusters, or of one (NotFound)."""
        wanted = {} if cluster is None else {"cluster": cluster}
        return self._read("simulation.nodes", _ROWS, "nodes", params=wanted)

    def pods(self, service: str | None, namespace: str | None, cluster: str | None) -> list[Json]:
        """The pods of the server's services, all or some (NotFound)."""
        wanted = {"service": service, "namespace": namespace, "cluster": cluster}
        told = {name: value for name, value in wanted.items() if value is not None}
        return self._read("simulation.pods", _ROWS, "pods", params=told)

    def events_dropped(self) -> int:
        """How many of the first happenings are kept no more."""
        return self._read("simulation.history", _HISTORY, "history", params={"limit": 1}).dropped

    # -- load

    def begin_traffic(self, service: str, told: Json) -> TrafficRow:
        """Let simulated clients call a service, which is a segment of a path already (NotFound, AksError)."""
        path = f"traffic/{service}"
        return self._validated(_TRAFFIC_ROW, path, self.offered("simulation.traffic", "POST", path, told))

    def traffic(self) -> list[TrafficRow]:
        """All simulated clients."""
        return self._read("simulation.traffic", _TRAFFIC, "traffic")

    def score(self, name: str, requests: Sequence[tuple[Micros, ScoreRequest]]) -> list[ScoreResponse]:
        """Let the server send requests at their times by its own clock."""
        path = f"score/{segment('service', name)}"
        sent = [
            {
                "at": at,
                "method": request.method,
                "path": request.path,
                "query": request.query,
                "headers": [list(header) for header in request.headers],
                "body_base64": base64.b64encode(request.body).decode(),
            }
            for at, request in requests
        ]
        told = self._validated(_ANSWERS, path, self.call("score_all", "POST", path, sent, waits=True))
        return [self._response(each, path) for each in told]

    def journal(self, **wanted: Any) -> list["Entry"]:
        """What came of requests, in the order of their answers.

        Args:
            **wanted: `service`, `limit`, …: what the route takes.
        """
        return self._read("journal", _JOURNAL, "journal", params=wanted).entries

    # -- answers

    def _read(self, what: str, form: TypeAdapter[Form], path: str, **given: Any) -> Form:
        return self._validated(form, path, self.call(what, "GET", path, **given))

    def _validated(self, form: TypeAdapter[Form], path: str, told: Any) -> Form:
        try:
            return form.validate_python(told)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise AksError(f"{self._base}/{path}: the answer is not as expected: {place}: {first['msg']}") from None

    def _response(self, answer: _Answer, path: str) -> ScoreResponse:
        try:
            body = base64.b64decode(answer.body_base64, validate=True)
        except binascii.Error:
            raise AksError(f"{self._base}/{path}: a body is not in base64") from None
        headers = tuple(answer.headers)
        return ScoreResponse(answer.status, headers, body, Micros(answer.latency), answer.version, answer.reason)


class RemoteClock:
    """A server's clock, asked each time."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def now(self) -> Micros:
        """The present instant."""
        return self._control.now()

    def sleep_until(self, deadline: Micros) -> None:
        """Return when the server's clock has come to `deadline`."""
        self._control.move("clock", {"sleep_until": max(0, deadline)})


def refuse(what: str, url: str) -> NoReturn:
    """Say that a server cannot do something.

    Raises:
        AksError: always.
    """
    raise AksError(f"{what}: the server at {shown(url)} has no /_akstwin: only a server of akstwin can do that")
