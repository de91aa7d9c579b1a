"""Several requests of one caller, each at its own virtual time: `Backend.score_all` for who is not in this process."""

import asyncio
from functools import partial
from itertools import pairwise

from akstwin.backend import ScoreRequest, ScoreResponse
from akstwin.errors import InvalidSetting
from akstwin.fake_api.workspace import ServedWorkspace
from akstwin.sim.calendar import Order
from akstwin.sim.gateway import InteractiveRequest


async def score_all(
    workspace: ServedWorkspace, name: str, requests: list[tuple[int, ScoreRequest]]
) -> list[ScoreResponse]:
    """The answers to requests that come in at instants from now, through the same front as all others.

    Time passes as for any client that waits: a jumping clock jumps, a manual one wants to be advanced.

    Args:
        workspace: has the service.
        name: of the service.
        requests: from when on, µs from now and never going back, and what.

    Raises:
        InvalidSetting: instants that go back.
    """
    offsets = [offset for offset, _ in requests]
    if any(after < before for before, after in pairwise(offsets)):
        raise InvalidSetting("requests", offsets[:100], "instants from 0 on that never go back")
    if not requests:
        return []
    async with workspace.clock.commanding() as start:
        batch = _Batch(workspace, name, len(requests))
        for at, (offset, request) in enumerate(requests):
            if offset:
                batch.calendar.at(start + offset, Order.ARRIVAL, partial(batch.send, at, request))
            else:
                batch.send(at, request)
    with workspace.clock.waiting():
        await batch.complete.wait()
    return [batch.answers[at] for at in range(len(requests))]


class _Batch:
    def __init__(self, workspace: ServedWorkspace, name: str, size: int) -> None:
        self._gateway = workspace.backend.gateway
        self.calendar = workspace.backend.calendar
        self._listeners = workspace.listeners
        self._release = workspace.clock.release
        self._name = name
        self._size = size
        self.answers: dict[int, ScoreResponse] = {}
        self.complete = asyncio.Event()

    def send(self, at: int, request: ScoreRequest) -> None:
        self._gateway.submit(self._name, request, partial(self._answered, at))

    def _answered(self, at: int, asked: InteractiveRequest, response: ScoreResponse) -> None:
        self.answers[at] = response
        for hear in self._listeners:
            hear(asked, response)
        if len(self.answers) == self._size:
            self._release()
            self.complete.set()
