"""The control side of one workspace: what hears of its requests, and the way in under `/_akstwin/`."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib import metadata
from typing import Any, Final

from akstwin.backend import ScoreResponse
from akstwin.clock import SECOND
from akstwin.domain.reasons import Reason
from akstwin.domain.words import nearest
from akstwin.errors import Conflict
from akstwin.fake_api.control.counting import Metrics
from akstwin.fake_api.control.faults import Faults
from akstwin.fake_api.control.gate import App, Gate
from akstwin.fake_api.control.interference import Interference
from akstwin.fake_api.control.journal import KEPT, Journal
from akstwin.fake_api.control.operations import nearest_route
from akstwin.fake_api.workspace import ServedWorkspace
from akstwin.router.asgi import Message, Receive, Scope, Send, respond
from akstwin.sim.gateway import InteractiveRequest
from akstwin.sim.world import SimulatedService

_HEALTH: Final = "/_akstwin/health"
_LONGEST_REQUEST: Final = 3600 * SECOND
"""No request is under way for so long, virtual µs."""
LONGEST_BODY: Final = 256_000_000
"""A call's body is read so far, bytes: requests to score come in here as text."""
_EXPLAINED: Final = frozenset({401, 404})


class Control:
    """The control side of a workspace.

    Args:
        workspace: which.
        kept: how many rows the journal keeps.

    Attributes:
        workspace: which.
        journal: what came of its requests.
        metrics: how many of each there were.
        interference: breaks connections.
        faults: all that was broken over the wire.
    """

    def __init__(self, workspace: ServedWorkspace, kept: int | None = None) -> None:
        self.workspace = workspace
        self.journal = Journal(KEPT if kept is None else kept, workspace.backend.management.redaction)
        self.metrics = Metrics()
        self.interference = Interference(workspace, self.journal.lost, self.sleep_until)
        self.faults = Faults(workspace, self.interference)
        self.ways: Callable[[], dict[str, Any]] = dict
        """Tells in which ways the workspace can be reached; the server knows."""
        self.started = 0
        """How often the world began: one more at each reset."""
        self._gate = Gate(workspace, self.interference, self.journal)
        self._counted: dict[str, SimulatedService] = {}
        self._app: App | None = None
        self._renewed = asyncio.Event()
        workspace.listeners.append(self.heard)
        self._count_planned()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request for a path under `/_akstwin`. Health needs nothing that has to be imported first."""
        if scope["path"] == _HEALTH and scope["method"] in ("GET", "HEAD"):
            await respond(send, 200, json.dumps(self.health()), "application/json")
            return
        if self._app is None:
            from akstwin.fake_api.control.app import make_control  # noqa: PLC0415 - FastAPI takes a quarter of a second

            self._app = make_control(self)
        await self._app(scope, _bounded(receive), send)

    def health(self) -> dict[str, str]:
        """That it runs, and what it is."""
        return {
            "status": "ok",
            "version": metadata.version("akstwin"),
            "workspace": self.workspace.backend.identity.name,
            "subscription_id": self.workspace.backend.identity.subscription_id,
            "resource_group": self.workspace.backend.identity.resource_group,
            "location": self.workspace.backend.identity.location,
            "workspace_id": self.workspace.backend.identity.workspace_id,
            "clock": self.workspace.clock.mode,
        }

    # -- what it hears

    def heard(self, asked: InteractiveRequest, response: ScoreResponse) -> None:
        """A client has its answer, or will when the faults that it meets let it through."""
        struck: tuple[str, ...] = ()
        lost = False
        if self.interference.active:
            struck, lost = self.interference.answered(asked.request, response)
        note = self._note(asked, response) if response.status in _EXPLAINED else None
        name = asked.name if response.reason is not Reason.NOT_FOUND else ""  # there is no end of wrong names
        self.metrics.count(name, response.version, response.status, response.reason, response.latency)
        if lost:
            note = f"the answer with {response.status} did not reach the client"
            response = replace(response, status=0)
        self.journal.answered(asked, response, struck, note)

    def missed(self, scope: Scope) -> None:
        """A request on the scoring port that is neither for `score` nor for `swagger.json`."""
        note = nearest_route(scope["method"], scope["path"], self.workspace.backend.driver.services)
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        self.journal.missed(self.workspace.clock.now(), scope["method"], scope["path"], 404, note, headers)

    def _note(self, asked: InteractiveRequest, response: ScoreResponse) -> str | None:
        """Why a request was for nobody, or from nobody that is known. What it carried is not told."""
        if response.reason is Reason.NOT_FOUND:
            services = self.workspace.backend.driver.services
            if asked.name not in services:
                self.journal.redaction.presented(asked.request.headers)
                shown = self.journal.redaction.text(asked.name, 64)
                return f"there is no service {shown}{nearest(asked.name, services)}"
            versions = list(services[asked.name].controller.deployments)
            return f"{asked.name} has no such version; it has {', '.join(versions)}"
        if response.reason is Reason.UNAUTHORIZED:
            given = asked.header("authorization")
            if given is None:
                return "no Authorization header"
            return "the credential is not valid" if given[:7].lower() == "bearer " else "Authorization is not Bearer …"
        return None

    async def managed(self, rest: App, scope: Scope, receive: Receive, send: Send) -> None:
        """A management call, on its way to the application that answers it."""
        await self._gate.pass_on(rest, scope, receive, send)

    # -- time

    async def sleep_until(self, deadline: int) -> None:
        """Wait as a caller does.

        Raises:
            Conflict: the workspace was reset meanwhile.
        """
        sleeping = asyncio.ensure_future(self.workspace.clock.sleep_until(deadline))
        renewed = asyncio.ensure_future(self._renewed.wait())
        try:
            await asyncio.wait((sleeping, renewed), return_when=asyncio.FIRST_COMPLETED)
            if not sleeping.done():
                raise Conflict("the workspace was reset: its clock began anew")
            sleeping.result()
        finally:
            sleeping.cancel()
            renewed.cancel()

    def reset(self) -> None:
        """The workspace as new, of the same seed. What is under way is answered by the old world first, at once."""
        workspace = self.workspace
        workspace.forget()
        old, clock = workspace.backend, workspace.clock
        services = old.driver.services.values()
        for service in services:
            for source in service.sources:
                source.stop()
        clock.sync()
        end = old.calendar.now + _LONGEST_REQUEST
        while any(service.plane.population for service in services) and old.calendar.peek() <= end:
            old.calendar.step()
        old.calendar.run_until(old.calendar.now + old.assumptions.router_overhead)
        workspace.renew()
        known, self.journal.redaction = self.journal.redaction, workspace.backend.management.redaction
        self.journal.redaction.absorb(known)  # clients may go on with what they have
        self.faults.forget()
        self.journal.clear()
        self.metrics.clear()
        self._counted.clear()
        self._count_planned()
        self.started += 1
        self._renewed.set()
        self._renewed = asyncio.Event()

    # -- simulated traffic

    def _count_planned(self) -> None:
        """A scenario's clients call from the start."""
        for name, service in self.workspace.backend.driver.services.items():
            if service.sources:
                self.count_traffic(name)

    def count_traffic(self, service: str) -> None:
        """Simulated clients call a service: their answers are counted too."""
        running = self.workspace.backend.driver.services[service]
        if self._counted.get(service) is not running:
            for name in [name for name in self._counted if name not in self.workspace.backend.driver.services]:
                del self._counted[name]
            self._counted[service] = running
            running.on_outcomes.append(partial(self.metrics.attempts, service))


def _bounded(receive: Receive) -> Receive:
    """A body that is longer than any that is taken is read no further."""
    size = 0

    async def bounded() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > LONGEST_BODY:
            from starlette.exceptions import HTTPException  # noqa: PLC0415 - known by now

            raise HTTPException(413, f"the body is longer than {LONGEST_BODY} bytes")
        return message

    return bounded
