"""What management calls pass on their way in: faults that are meant for them, and a look at what nobody serves."""

import json
from collections.abc import Awaitable, Callable
from typing import Final

from akstwin.errors import AksError
from akstwin.fake_api.control.connection import break_off
from akstwin.fake_api.control.forms import DropConnection, RefuseManagement, ResetConnection
from akstwin.fake_api.control.interference import Interference, before
from akstwin.fake_api.control.journal import Journal
from akstwin.fake_api.control.operations import nearest_route, operation_of
from akstwin.fake_api.workspace import ServedWorkspace
from akstwin.router.asgi import Message, Receive, Scope, Send

App = Callable[[Scope, Receive, Send], Awaitable[None]]
_NOT_SERVED: Final = frozenset({400, 405})
_CODES: Final = {
    409: "Conflict",
    429: "TooManyRequests",
    500: "InternalServerError",
    502: "BadGateway",
    503: "ServiceUnavailable",
}


class Gate:
    """Passes management calls on, unless a fault ends them.

    Args:
        workspace: that they are for.
        interference: has the faults.
        journal: hears of calls that met a fault, or that nobody serves.
    """

    def __init__(self, workspace: ServedWorkspace, interference: Interference, journal: Journal) -> None:
        self._workspace = workspace
        self._interference = interference
        self._journal = journal

    async def pass_on(self, rest: App, scope: Scope, receive: Receive, send: Send) -> None:
        """One call.

        Args:
            rest: answers it.
            scope: as the server made it; likewise below.
            receive: gives its body.
            send: takes its answer.
        """
        operation, service = operation_of(scope["method"], scope["path"])
        if operation is None:
            rest = self._watched(rest)
        if not self._interference.active:
            await rest(scope, receive, send)
            return
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        striking = self._interference.meets(service, operation, headers)
        if not striking:
            await rest(scope, receive, send)
            return
        refusal = next((each.fault for each in striking if isinstance(each.fault, RefuseManagement)), None)
        if refusal is not None:
            rest = _refused(refusal, operation)
        ids, arrived = tuple(each.id for each in striking), self._workspace.clock.now()

        def note(status: int) -> None:
            now = self._workspace.clock.now()
            self._journal.broken(arrived, service, headers, scope["method"], scope["path"], ids, status, now)

        cut = next((each.fault for each in striking if before(each.fault)), None)
        if cut is not None:
            note(0)
            await break_off(receive, send, reset=isinstance(cut, ResetConnection))
            return
        lost = any(isinstance(each.fault, DropConnection | ResetConnection) for each in striking)
        broken = self._interference.broken_send(striking, receive, send)
        await _told(rest, scope, receive, broken, note, lost=lost)

    def _watched(self, rest: App) -> App:
        """Nothing of that name is known here: if it is refused, it is told what is like it."""

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            async def watch(message: Message) -> None:
                if message["type"] == "http.response.start" and message["status"] in _NOT_SERVED:
                    method, path = scope["method"], scope["path"]
                    note = nearest_route(method, path, self._workspace.backend.driver.services)
                    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
                    self._journal.missed(self._workspace.clock.now(), method, path, message["status"], note, headers)
                await send(message)

            await rest(scope, receive, watch)

        return watched


async def _told(
    rest: App, scope: Scope, receive: Receive, send: Send, note: Callable[[int], None], *, lost: bool
) -> None:
    """Pass a call on whose answer meets faults; its status is noted once, 0 if the answer gets lost.

    It is noted when the answer goes, and before its client has the whole of it.
    """
    noted = False

    def once(status: int) -> None:
        nonlocal noted
        if not noted:
            noted = True
            note(status)

    async def tell(message: Message) -> None:
        if lost:
            once(0)
        await send(message)
        if message["type"] == "http.response.start":
            once(message["status"])

    try:
        await rest(scope, receive, tell)
    finally:
        once(0)  # its client went away, or it failed inside


def _refused(fault: RefuseManagement, operation: str | None) -> App:
    """Answers in the place of whoever would have."""

    async def refuse(_scope: Scope, _receive: Receive, send: Send) -> None:
        text = f"{operation or 'the call'} is refused on purpose"
        body = json.dumps({**AksError(text).body(), "code": _CODES[fault.status], "statusCode": fault.status}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        if fault.retry_after is not None:
            headers.append((b"retry-after", str(fault.retry_after).encode()))
        await send({"type": "http.response.start", "status": fault.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return refuse
