"""The simulated workspace as a `Backend`: the manager over simulated clusters, in virtual time.

Nothing here waits: to sleep is to let the calendar run, and a request is answered when virtual time has come to its answer.
"""

import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid5

from pydantic import BaseModel, ValidationError

from akstwin.backend import Json, ScoreRequest, ScoreResponse, WorkspaceIdentity
from akstwin.clock import Micros
from akstwin.cores.replies import VERSION_HEADER, passed_headers, refusal_text, router_headers
from akstwin.cores.routing import Credential, KeyCredential, TokenAuth
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.mistakes import first_mistake
from akstwin.domain.observation import Observation
from akstwin.domain.reasons import Reason
from akstwin.domain.service import Split
from akstwin.engine.requests import Exchange, Request
from akstwin.errors import AksError, InvalidSetting, NotFound
from akstwin.files import FileStore
from akstwin.manager import Manager
from akstwin.sim.calendar import Calendar, Order
from akstwin.sim.driver import Driver
from akstwin.sim.simulation import Simulation
from akstwin.sim.streams import Draws, generator, whole_below
from akstwin.store import MemoryStore

EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
"""When simulated time begins, unless told otherwise: the same in every run."""
SCORING_BASE: Final = "http://simulated.invalid:80"
"""No server answers there, here or anywhere (RFC 2606): requests go through `run` or `Backend.score`."""
LIVE: Final = -1
"""The traffic entry of requests that somebody waits for."""
_PATHS: Final = ("/score", "/swagger.json")
_ABORTED: Final = b"<h1>Internal Server Error</h1>"


class VirtualClock:
    """Time that passes only while somebody waits."""

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar

    def now(self) -> Micros:
        """The present instant."""
        return self._calendar.now

    def sleep_until(self, deadline: Micros) -> None:
        """Everything up to `deadline` happens, at once."""
        self._calendar.run_until(deadline)


class SimulatedBackend(Manager):
    """A workspace in virtual time.

    Args:
        seed: of all chance: keys, traffic, run times.
        assumptions: keys of the assumptions that shall differ from their defaults.
        identity: the workspace.
        epoch: the Unix time of its start, s; 2026-01-01T00:00:00Z.
        script_seconds: real seconds after which an entry script counts as hung, in `init()` or in one `run()`.

    Raises:
        AksError: no such assumption, or a value that is refused.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        assumptions: Mapping[str, Any] | Assumptions | None = None,
        identity: WorkspaceIdentity | None = None,
        epoch: float = EPOCH,
        script_seconds: float = 60.0,
    ) -> None:
        self.seed = seed
        self._calendar = Calendar()
        folder = Path(tempfile.mkdtemp(prefix="akstwin-"))
        files = FileStore(folder / "files")
        assumed = assumptions if isinstance(assumptions, Assumptions) else read_assumptions(assumptions or {})
        named = identity or WorkspaceIdentity()
        self.driver = Driver(named, assumed, seed, self._calendar, epoch, files, self.get_asset, folder, script_seconds)
        self._secrets = generator(seed, 1, "secrets")
        self._names = uuid5(UUID(int=0), f"akstwin/{seed}")
        self._split_draws = Draws(seed, 1, "split", "live", whole_below(Split.WHOLE))
        self._asked = 0
        super().__init__(
            identity=named,
            clock=VirtualClock(self._calendar),
            epoch=epoch,
            assumptions=assumed,
            driver=self.driver,
            store=MemoryStore(),
            files=files,
            new_secret=self._new_secret,
            scoring_base=SCORING_BASE,
        )
        self.simulation = Simulation(self.driver)
        self._finalizer = weakref.finalize(self, _end, self.driver, folder)

    def close(self) -> None:
        """End scripts' processes and remove files. The workspace cannot be used afterwards."""
        self._finalizer()

    @property
    def collected(self) -> Path:
        """The folder that collected model data goes to, as `modeldata/…`."""
        return self.driver.collected

    def _new_secret(self) -> str:
        """32 letters and digits, as keys have."""
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        return "".join(letters[at] for at in self._secrets.integers(0, len(letters), 32))

    def put_compute(self, name: str, payload: Json) -> str:
        """Attach, create or update a cluster; one that was described has the nodes that were described."""
        outer = payload.get("properties")
        described = self.driver.described.get(name)
        if described is not None and isinstance(outer, dict) and name not in self.driver.worlds:
            nodes = {"agentCount": described.nodes, "agentVmSize": self.driver.sizes[name]}
            told = {key: value for key, value in nodes.items() if value is not None}
            payload = {**payload, "properties": {**outer, "properties": {**(outer.get("properties") or {}), **told}}}
        return super().put_compute(name, payload)

    # -- requests

    def score(self, name: str, request: ScoreRequest) -> ScoreResponse:
        """Send a request as a client would; virtual time goes on to its answer."""
        return self.score_all(name, [(Micros(0), request)])[0]

    def score_all(self, name: str, requests: Sequence[tuple[Micros, ScoreRequest]]) -> list[ScoreResponse]:
        """Send several requests, each at its own time; virtual time goes on to the last answer."""
        start = self._calendar.now
        if any(offset < 0 for offset, _ in requests) or any(b[0] < a[0] for a, b in pairwise(requests)):
            raise InvalidSetting(
                "requests", [offset for offset, _ in requests], "instants from 0 on that never go back"
            )
        asked = [_Asked(self._asked + at, request) for at, (_, request) in enumerate(requests)]
        self._asked += len(asked)
        for each, (offset, _) in zip(asked, requests, strict=True):
            if offset:
                self._calendar.at(start + offset, Order.ARRIVAL, partial(self._ask, name, each))
            else:
                self._ask(name, each)
        while any(each.answered_at is None for each in asked):
            self._calendar.step()
        self._calendar.run_until(max([start, *(each.answered_at or 0 for each in asked)]))
        return [self._response(name, each) for each in asked]

    def _ask(self, name: str, asked: "_Asked") -> None:
        """The request comes in now."""
        asked.sent = self._calendar.now
        service = self.driver.services.get(name)
        if asked.request.path not in _PATHS or service is None:
            return
        live = asked.live = Request(
            asked.number, LIVE, 0, asked.sent, self._split_draws.at(asked.number), counted=False
        )
        live.exchange = Exchange(asked.request)
        credential = self._credential(name, asked.header("authorization"))
        service.plane.ask(live, credential, asked.header(VERSION_HEADER))

    def _credential(self, name: str, header: str | None) -> Credential | None:
        """What an Authorization header is worth to the service."""
        scheme, _, secret = (header or "").partition(" ")
        if scheme.lower() != "bearer" or not secret:
            return None
        try:
            auth = self.auth(name)
        except NotFound:  # it has just gone; the router says so
            return None
        return self.read_token(name, secret) if isinstance(auth, TokenAuth) else KeyCredential(secret)

    def _response(self, name: str, asked: "_Asked") -> ScoreResponse:
        request_id = str(uuid5(self._names, str(asked.number)))
        live = asked.live
        if live is None:
            known = asked.request.path in _PATHS
            reason = Reason.NOT_FOUND if known else None
            text = refusal_text(Reason.NOT_FOUND, name) if known else "Not Found"
            return self._refused(404, reason, text, request_id, asked)
        assert live.exchange is not None  # noqa: S101
        reply = live.exchange.reply
        if live.reason not in (None, Reason.RUN_FAILED):
            return self._refused(live.status, live.reason, refusal_text(live.reason, name), request_id, asked)
        if reply is None:  # the server has ended its worker
            headers, body = {"content-type": "text/html", "x-ms-request-id": request_id}, _ABORTED
        else:
            headers, body = passed_headers(dict(reply.headers), request_id), reply.body
        latency = Micros((live.answered or 0) - asked.sent)
        return ScoreResponse(live.status, tuple(headers.items()), body, latency, live.version, live.reason)

    def _refused(
        self, status: int, reason: Reason | None, text: str, request_id: str, asked: "_Asked"
    ) -> ScoreResponse:
        at = asked.answered_at or asked.sent
        body = text.encode()
        headers = router_headers(format_datetime(self.driver.wall(Micros(at)), usegmt=True), len(body), request_id)
        version = None if asked.live is None else asked.live.version
        return ScoreResponse(status, tuple(headers.items()), body, Micros(at - asked.sent), version, reason)

    def observe(self, name: str, window: Micros) -> Observation:
        """What was seen of the service in the last `window`, µs (NotFound; InvalidSetting)."""
        self.get_service(name)
        return self.driver.watches[name].observe(window)

    def get_logs(self, name: str, lines: int = 5000, *, init: bool = False) -> str:
        """The last lines of what the containers have written, by version where there are several.

        With `init`: how its pods came up.
        """
        self.get_service(name)
        if lines < 1:
            raise InvalidSetting("num_lines", lines, "1 or more")
        text = self._pods_log(name) if init else self._containers_log(name)
        return "".join(text.splitlines(keepends=True)[-lines:])

    def _containers_log(self, name: str) -> str:
        logs = self.driver.logs(name)
        if len(logs) == 1:
            return next(iter(logs.values()))
        return "".join(f"--- {version} ---\n{text}" for version, text in logs.items())

    def _pods_log(self, name: str) -> str:
        versions = tuple(f"{version}-" for version in self.driver.services[name].controller.deployments)
        return "".join(
            f"{self.driver.wall(at):%Y-%m-%dT%H:%M:%SZ} {subject} {kind} {detail}".rstrip() + "\n"
            for at, kind, subject, detail in self.driver.events
            if subject.startswith(versions) and subject.rpartition("-")[2].isdigit()
        )


class _Assumed(BaseModel):
    assumptions: Assumptions


def read_assumptions(given: Mapping[str, Any]) -> Assumptions:
    """The assumptions with some of them changed.

    Raises:
        AksError: no such key, or a value that is refused, with its name.
    """
    try:
        return _Assumed.model_validate({"assumptions": dict(given)}).assumptions
    except ValidationError as error:
        raise AksError(first_mistake(error, _Assumed)) from None


class _Asked:
    """A request that somebody waits for."""

    def __init__(self, number: int, request: ScoreRequest) -> None:
        self.number = number
        self.request = request
        self.sent = -1
        self.live: Request | None = None

    @property
    def answered_at(self) -> int | None:
        """When its answer came; None: not yet."""
        if self.sent < 0:
            return None
        return self.sent if self.live is None else self.live.answered

    def header(self, name: str) -> str | None:
        """A header's value, without regard to the name's case."""
        return next((value for key, value in self.request.headers if key.lower() == name), None)


def _end(driver: Driver, folder: Path) -> None:
    driver.close()
    shutil.rmtree(folder, ignore_errors=True)
