"""One workspace on a server: the simulated backend, its clock, and who listens to its requests."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from akstwin.backend import Operation, ScoreRequest, ScoreResponse, WorkspaceIdentity
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.lifecycles import OperationState
from akstwin.fake_api.clock import Mode, ServerClock
from akstwin.router.scripts import ServedScripts
from akstwin.sim.backend import SimulatedBackend
from akstwin.sim.front import Asked
from akstwin.worker import WorkerSpec

_LONGEST_OPERATION: Final = 10**13
"""No operation takes so long, µs; a stop for a search that would never end."""

MOST_AT_ONCE: Final = 32
"""Scripts that a workspace waits for at once; further ones wait for a thread."""

Listener = Callable[[Asked, ScoreResponse], None]
"""Hears of each answer at the instant at which the client has it."""


class ServedWorkspace:
    """A workspace that a server answers for. All its methods are called on the server's event loop.

    Args:
        identity: who it is in Azure's terms.
        seed: of all chance.
        assumptions: keys of the assumptions that shall differ from their defaults.
        clock: how its time passes.
        rate: for a paced clock.
        epoch: the Unix time at which its time begins, s.
        scoring_base: URL that scoring URIs begin with.
        script_seconds: after which a script counts as hung.
    """

    def __init__(
        self,
        identity: WorkspaceIdentity,
        seed: int = 0,
        assumptions: Mapping[str, Any] | Assumptions | None = None,
        clock: Mode = "live",
        rate: float = 1.0,
        epoch: float | None = None,
        scoring_base: str = "",
        script_seconds: float = 60.0,
    ) -> None:
        self._settings = (identity, seed, assumptions, clock, rate, epoch, scoring_base, script_seconds)
        given = {} if epoch is None else {"epoch": epoch}
        self._threads = ThreadPoolExecutor(MOST_AT_ONCE, "akstwin-scripts")
        self.backend = SimulatedBackend(
            seed=seed,
            assumptions=assumptions,
            identity=identity,
            scoring_base=scoring_base,
            scripts=self._scripts,
            script_seconds=script_seconds,
            **given,
        )
        self.clock = ServerClock(self.backend.calendar, clock, rate)
        self.listeners: list[Listener] = []

    @property
    def max_payload(self) -> int:
        """The longest body that is read, bytes."""
        return self.backend.assumptions.max_payload

    def submit(self, service: str, request: ScoreRequest, done: Callable[[ScoreResponse], None]) -> "Pending":
        """Let a request come in now; `done` is called with its answer."""
        return Pending(self, service, request, done)

    async def operation(self, operation_id: str, *, skip: bool = True) -> Operation:
        """An operation as a poll shows it; live and jumping clocks take who polls a running one straight to its end.

        Args:
            operation_id: which.
            skip: false shows what there is: who polls so sleeps by this clock.

        Raises:
            NotFound: there is none of that id.
        """
        with self.clock.acting():
            found = self.backend.get_operation(operation_id)
        if skip and found.state is OperationState.RUNNING:
            await self.clock.skip(self._ended(operation_id), _LONGEST_OPERATION)
            found = self.backend.get_operation(operation_id)
        return found

    def _ended(self, operation_id: str) -> Callable[[], bool]:
        return lambda: self.backend.get_operation(operation_id).state is not OperationState.RUNNING

    def _scripts(self, spec: WorkerSpec, untold: bool) -> ServedScripts:
        # Where time does not pass by itself, a script's own time cannot count: the default profile's does.
        real_time = untold and self.clock.runs
        return ServedScripts(spec, self._threads, self.clock.acting, self.clock.real_work, real_time=real_time)

    def renew(self) -> None:
        """Begin anew, as it was made, at the rate that time passes now; who listens goes on listening."""
        made = ServedWorkspace(*self._settings)
        if self.clock.rate != made.clock.rate:
            made.clock.set_rate(self.clock.rate)
        self.close()
        vars(self).update(vars(made), listeners=self.listeners)  # whoever holds this one holds the new world

    def close(self) -> None:
        """End it, and the processes of its scripts."""
        self.clock.close()
        self.backend.close()
        self._threads.shutdown(wait=False, cancel_futures=True)


class Pending:
    """A request on its way through a served workspace."""

    __slots__ = ("_asked", "_done", "_waiting", "_workspace")

    def __init__(
        self, workspace: ServedWorkspace, service: str, request: ScoreRequest, done: Callable[[ScoreResponse], None]
    ) -> None:
        self._workspace = workspace
        self._done = done
        self._waiting = workspace.clock.waiting()
        self._waiting.__enter__()
        with workspace.clock.acting():
            self._asked = workspace.backend.front.submit(service, request, self._answered)

    def _answered(self, asked: Asked, response: ScoreResponse) -> None:
        self._waiting.__exit__(None, None, None)
        for hear in self._workspace.listeners:
            hear(asked, response)
        self._done(response)

    def abort(self) -> None:
        """Its client went away."""
        with self._workspace.clock.acting():
            self._workspace.backend.front.abort(self._asked)
