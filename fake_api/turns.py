"""Who may act on a world whose time passes in slices: one at a time, in the order in which they came."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final

SLICE_SECONDS: Final = 0.01
"""Real time that a world may take before the event loop has its turn: calls that only look are answered then."""
_ROUNDS: Final = 12
"""Rounds of the event loop between two slices: a call that only looks is read, answered and written within so many."""


async def others_turn() -> None:
    """Let calls that came meanwhile be answered."""
    for _ in range(_ROUNDS):
        await asyncio.sleep(0)


class Turns:
    """A lock for one event loop, whose waiting line takes functions as well as coroutines.

    Whoever lets time pass holds it from slice to slice, and whoever changes something while it does so. To look needs no turn.
    """

    def __init__(self) -> None:
        self._holds = 0
        self._line: deque[Callable[[], None]] = deque()

    @property
    def held(self) -> bool:
        """Whether somebody acts."""
        return self._holds > 0

    @property
    def taken(self) -> bool:
        """Whether somebody acts, or waits for that."""
        return self._holds > 0 or len(self._line) > 0

    def hold(self) -> None:
        """Act from now on; nobody must act already."""
        self._holds += 1

    def let_go(self) -> None:
        """Act no more: the next ones in the line have their turn."""
        self._holds -= 1
        self._serve()

    def line_up(self, call: Callable[[], None]) -> None:
        """Have a function called when its turn comes: it acts while it runs, and may hold on."""
        self._line.append(call)

    async def turn(self) -> None:
        """Line up, and hold when this returns."""
        loop = asyncio.get_running_loop()
        mine: asyncio.Future[None] = loop.create_future()

        def begin() -> None:
            if not mine.cancelled():
                self._holds += 1
                mine.set_result(None)

        self._line.append(begin)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():  # its turn had come
                self.let_go()
            raise

    def _serve(self) -> None:
        until = time.monotonic() + SLICE_SECONDS  # noqa: TID251 - real time, for the event loop's sake
        while self._line and not self._holds:
            call = self._line.popleft()
            try:
                call()
            except Exception as error:  # noqa: BLE001 - whoever is next must not wait for ever
                context = {"message": "a call that had waited for its turn failed", "exception": error}
                asyncio.get_running_loop().call_exception_handler(context)
            if self._line and time.monotonic() > until:  # noqa: TID251 - see above
                asyncio.get_running_loop().call_soon(self._serve)
                return
