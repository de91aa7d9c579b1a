"""Breaks connections and refuses management calls, where a fault says so. Costs one look where none does.

Whether a fault strikes request k depends on the workspace's seed, the fault's kind and seed, and on the request's identity:
its service and its number among those that the fault was meant for, or, where the client names its requests, that name
and the attempt. Threads and their timing have no part in it.
"""

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Final

from akstwin.backend import ScoreRequest, ScoreResponse
from akstwin.cores.router_http import REPLICA_PATHS
from akstwin.domain.identity import Identities, client_id, drawn
from akstwin.domain.reasons import Reason
from akstwin.errors import Conflict
from akstwin.fake_api.control.connection import BrokenSend, break_off
from akstwin.fake_api.control.forms import (
    ByWire,
    DelayAnswer,
    DropConnection,
    RefuseManagement,
    ResetConnection,
    TruncateBody,
)
from akstwin.fake_api.control.operations import MANAGEMENT, SCORING
from akstwin.fake_api.workspace import ServedWorkspace
from akstwin.router.asgi import Receive, Send

_WANTED: Final = {path: wanted for wanted, path in REPLICA_PATHS.items()}


class Armed:
    """A fault that may strike.

    Args:
        identity: its name in lists.
        fault: which.
        begins: when, virtual µs.
        seed: the workspace's.
    """

    def __init__(self, identity: str, fault: ByWire, begins: int, seed: int) -> None:
        self.id = identity
        self.fault = fault
        self.begins = begins
        self.ends = None if fault.lasts is None else begins + fault.lasts
        self.struck = 0
        self.met = 0
        self._seed = seed
        self._identities = Identities()

    def draws(self, service: str | None, operation: str | None, called: str | None, now: int) -> bool:
        """Whether it is meant for a request that comes now, and is to strike it.

        Args:
            service: that it is for.
            operation: that it asks for.
            called: the client's name of the request.
            now: the present.
        """
        fault = self.fault
        if now < self.begins or (self.ends is not None and now >= self.ends) or not self._meant(service, operation):
            return False
        self.met += 1
        place = service or ""
        identity = self._identities.next(place, called)
        return drawn(fault.share, self._seed, fault.seed, fault.kind, place, identity)

    def strikes(self) -> bool:
        """Once more, unless it has struck as often as it may."""
        if self.fault.count is not None and self.struck >= self.fault.count:
            return False
        self.struck += 1
        return True

    def over(self, now: int) -> bool:
        """Whether it can strike no more."""
        return (self.ends is not None and now >= self.ends) or (
            self.fault.count is not None and self.struck >= self.fault.count
        )

    def _meant(self, service: str | None, operation: str | None) -> bool:
        fault = self.fault
        scoring = operation in SCORING
        wanted = fault.operation
        if wanted is None:
            fits = scoring != isinstance(fault, RefuseManagement)
        else:
            fits = wanted == operation or (wanted == MANAGEMENT and not scoring)
        return fits and (fault.service is None or fault.service == service)


class Interference:
    """All faults that may strike a workspace's requests.

    Args:
        workspace: which.
        lost: hears of a request that nobody saw: instant, service, request, faults.
        sleep_until: waits for an instant as a caller does.
    """

    def __init__(
        self,
        workspace: ServedWorkspace,
        lost: Callable[[int, str, ScoreRequest, tuple[str, ...]], None],
        sleep_until: Callable[[int], Awaitable[None]],
    ) -> None:
        self._workspace = workspace
        self._lost = lost
        self._sleep_until = sleep_until
        self._armed: list[Armed] = []
        self._due: dict[int, list[Armed]] = {}
        self._striking: dict[int, list[Armed]] = {}
        self.active = False

    def arm(self, armed: Armed) -> None:
        """A fault may strike from now on."""
        self._armed.append(armed)
        self.active = True

    def disarm(self, armed: Armed) -> None:
        """It strikes no more, not even what has come in."""
        self._armed = [each for each in self._armed if each is not armed]
        self.active = bool(self._armed)
        for due in self._due.values():
            if armed in due:
                due.remove(armed)

    def _look(self) -> int:
        """The present; what can strike no more is looked at no more."""
        now = self._workspace.clock.now()
        if any(each.over(now) for each in self._armed):
            self._armed = [each for each in self._armed if not each.over(now)]
            self.active = bool(self._armed)
        return now

    # -- scoring

    async def arrived(self, service: str, request: ScoreRequest, receive: Receive, send: Send) -> bool:
        """A request comes in; False: it has ended here."""
        now = self._look()
        called = client_id(request.headers)
        due = [each for each in self._armed if each.draws(service, _WANTED[request.path], called, now)]
        for each in due:
            if before(each.fault) and each.strikes():
                self._lost(now, service, request, (each.id,))
                await break_off(receive, send, reset=isinstance(each.fault, ResetConnection))
                return False
        due = [each for each in due if not before(each.fault)]
        if due:
            self._due[id(request)] = due
        return True

    def answered(self, request: ScoreRequest, response: ScoreResponse) -> tuple[tuple[str, ...], bool]:
        """A request has its answer: which faults it meets on its way back, and whether it is lost to one of them."""
        due = self._due.pop(id(request), None)
        if due is None or response.reason is Reason.CLIENT_ABORTED:
            return (), False
        striking = [each for each in due if _fits(each.fault, response) and each.strikes()]
        if striking:
            self._striking[id(request)] = striking
        lost = any(isinstance(each.fault, DropConnection | ResetConnection) for each in striking)
        return tuple(each.id for each in striking), lost

    def answering(self, request: ScoreRequest, receive: Receive, send: Send) -> Send:
        """How the answer goes back."""
        striking = self._striking.pop(id(request), None)
        return send if striking is None else self.broken_send(striking, receive, send)

    # -- management

    def meets(self, service: str | None, operation: str | None, headers: Iterable[tuple[str, str]]) -> list[Armed]:
        """The faults that strike a management call that comes now."""
        now = self._look()
        called = client_id(headers)
        return [each for each in self._armed if each.draws(service, operation, called, now) and each.strikes()]

    def broken_send(self, striking: list[Armed], receive: Receive, send: Send) -> Send:
        """A way to answer with these faults in it."""
        clock = self._workspace.clock
        delay = sum(each.fault.by for each in striking if isinstance(each.fault, DelayAnswer))
        keep = min((each.fault.keep for each in striking if isinstance(each.fault, TruncateBody)), default=None)
        cut = None
        if any(isinstance(each.fault, DropConnection) for each in striking):
            cut = "drop"
        if any(isinstance(each.fault, ResetConnection) for each in striking):
            cut = "reset"

        async def wait() -> None:
            with suppress(Conflict):  # its world has ended: it need not wait for it
                await self._sleep_until(clock.now() + delay)

        return BrokenSend(receive, send, wait if delay else None, keep, cut)


def before(fault: ByWire) -> bool:
    """Whether it strikes before anybody sees the request."""
    return isinstance(fault, DropConnection | ResetConnection) and fault.before


def _fits(fault: ByWire, response: ScoreResponse) -> bool:
    """Whether an answer is one that the fault is meant for."""
    if isinstance(fault, RefuseManagement):
        return False
    return (fault.version is None or fault.version == response.version) and (
        fault.slower_than is None or response.latency > fault.slower_than
    )
