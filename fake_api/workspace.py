"""One workspace on a server: the simulated backend, its clock, and who listens to its requests."""

from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from importlib.metadata import entry_points
from pathlib import Path
from threading import Thread
from typing import Any, Final

from akstwin.backend import Operation, ScoreRequest, ScoreResponse, WorkspaceIdentity
from akstwin.clock import Micros
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.lifecycles import OperationState
from akstwin.errors import AksError
from akstwin.fake_api.clock import Mode, ServerClock
from akstwin.fake_api.pending import Pending
from akstwin.fake_api.persistence import PersistedWorkspace
from akstwin.files import FileStore
from akstwin.sim.backend import SimulatedBackend
from akstwin.sim.gateway import InteractiveRequest
from akstwin.uploads import UploadLimits
from akstwin.worker.async_pool import AsyncScriptReplies
from akstwin.worker.content import ScriptContent

_LONGEST_OPERATION: Final = 10**13
"""No operation takes so long, µs; a stop for a search that would never end."""

MOST_AT_ONCE: Final = 32
"""Scripts that a workspace waits for at once; further ones wait for a thread."""

KEPT_HAPPENINGS: Final = 10_000
"""So many of the latest happenings does a server keep, as many as its journal keeps requests: it may run for ever."""

MOST_LAID_OUT: Final = 2
"""Deployments whose files are laid out at once: each takes a processor from the requests that are answered meanwhile."""

Scenario = str | Path | Mapping[str, Any]
"""A scenario file, or its content."""

Listener = Callable[[InteractiveRequest, ScoreResponse], None]
"""Hears of each answer at the instant at which the client has it."""


class ServedWorkspace:
    """A workspace that a server answers for. All its methods are called on the server's event loop.

    Args:
        identity: who it is in Azure's terms.
        seed: of all chance; None: the scenario's, else 0.
        assumptions: keys of the assumptions that shall differ from their defaults, or from the scenario's.
        clock: how its time passes.
        rate: for a paced clock.
        epoch: the Unix time at which its time begins, s.
        scoring_base: URL that scoring URIs begin with.
        tls_base: the same for services on clusters with TLS; nothing: that URL, by https.
        script_seconds: after which a script counts as hung.
        scenario: what the workspace begins with; None: it is empty.
        traffic: whether the scenario's clients call.
        kept: where its records and files are kept, and what it goes on from; None: in memory.
        uploads: how many files and bytes one upload, and one container, may hold; None: the defaults.

    Raises:
        AksError: the scenario cannot be read, or its deployment fails.
    """

    def __init__(
        self,
        identity: WorkspaceIdentity,
        seed: int | None = None,
        assumptions: Mapping[str, Any] | Assumptions | None = None,
        clock: Mode = "live",
        rate: float = 1.0,
        epoch: float | None = None,
        scoring_base: str = "",
        tls_base: str = "",
        script_seconds: float = 60.0,
        scenario: Scenario | None = None,
        traffic: bool = True,
        kept: PersistedWorkspace | None = None,
        uploads: UploadLimits | None = None,
    ) -> None:
        self._settings = (
            identity, seed, assumptions, clock, rate, epoch, scoring_base, tls_base, script_seconds, scenario, traffic, kept,
            uploads,
        )  # fmt: skip
        self._kept = kept
        self._endings: list[Thread] = []
        given: dict[str, Any] = {} if epoch is None else {"epoch": epoch}
        self._threads = ThreadPoolExecutor(MOST_AT_ONCE, "akstwin-scripts")
        self._file_threads = ThreadPoolExecutor(MOST_LAID_OUT, "akstwin-files")
        given |= {
            "assumptions": assumptions,
            "identity": identity,
            "scoring_base": scoring_base,
            "tls_base": tls_base,
            "scripts": self._scripts,
            "script_seconds": script_seconds,
            "uploads": uploads,
            "kept_happenings": KEPT_HAPPENINGS,
            "kept": None if kept is None else kept.begin(clock),
        }
        self.backend = (
            SimulatedBackend(seed=0 if seed is None else seed, **given)
            if scenario is None
            else _open_scenario(scenario=scenario, seed=seed, traffic=traffic, **given)
        )
        self._renamed: WorkspaceIdentity | None = None
        if kept is not None and kept.shown != identity:
            self._renamed = kept.shown
            self.backend.rename(kept.shown)
        self.clock = ServerClock(self.backend.calendar, clock, rate)
        self.listeners: list[Listener] = []
        if kept is not None:
            self.backend.files.watch()
            kept.follow(self.clock.now, self.backend.files.unforced, self.backend.files)
            self.backend.restore()

    @property
    def files(self) -> FileStore:
        """Where uploads are put."""
        return self.backend.files

    def acting(self) -> AbstractContextManager[Micros]:
        """For a look at the workspace: at the present of its clock, or at the instant that it has reached."""
        return self.clock.acting()

    @asynccontextmanager
    async def commanding(self) -> AsyncIterator[Micros]:
        """For a change of the workspace, at its turn; nothing is awaited inside.

        Where the workspace is kept in a file, what a command decides is there before it is performed.

        Raises:
            Unwritable: it cannot be written, and has changed nothing.
        """
        async with self.clock.commanding() as now:
            with nullcontext() if self._kept is None else self._kept.acting():
                yield now

    @property
    def max_payload(self) -> int:
        """The longest body that is read, bytes."""
        return self.backend.assumptions.max_payload

    def submit(self, service: str, request: ScoreRequest, done: Callable[[ScoreResponse], None]) -> Pending:
        """Let a request come in now; `done` is called with its answer."""
        return Pending(self, service, request, done)

    def misdirected(self, path: str) -> ScoreResponse:
        """The answer to a request for a path that is no route: the router makes it at once (R1, R14)."""
        with self.clock.acting():
            response = self.backend.gateway.submit("", ScoreRequest(path=path)).response
        assert response is not None  # noqa: S101
        return response

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

    async def logs(self, name: str, lines: int, *, init: bool) -> str:
        """The last lines of what a service's containers have written (NotFound)."""
        with self.clock.acting():
            return self.backend.get_logs(name, lines, init=init)

    def _ended(self, operation_id: str) -> Callable[[], bool]:
        return lambda: self.backend.get_operation(operation_id).state is not OperationState.RUNNING

    def _scripts(self, content: ScriptContent, untold: Callable[[], bool]) -> AsyncScriptReplies:
        # Where time does not pass by itself, a script's own time cannot count: the default profile's does.
        return AsyncScriptReplies(
            content,
            self._threads,
            self._file_threads,
            self.clock.acting,
            self.clock.real_work,
            real_time=lambda: self.clock.runs and untold(),
        )

    def forget(self) -> None:
        """Begin a reset: nothing is kept of this world any more, and what still happens in it is not kept either.

        Raises:
            Unwritable: that cannot be written, and nothing is forgotten.
        """
        if self._kept is not None:
            self._kept.renew()

    @property
    def named(self) -> WorkspaceIdentity | None:
        """The name that it was first asked for by, and has since; None: its own."""
        return self._renamed

    def rename(self, identity: WorkspaceIdentity) -> None:
        """Take the name by which it is asked for, on disk too, also after a reset and a restart."""
        self._renamed = identity
        if self._kept is not None:
            self._kept.rename(identity)
        self.backend.rename(identity)

    def renew(self) -> None:
        """Begin anew, as it was made, at the rate that time passes now; who listens goes on listening."""
        made = ServedWorkspace(*self._settings)
        if self.clock.rate != made.clock.rate:
            made.clock.set_rate(self.clock.rate)
        made.clock.holders = self.clock.holders
        made.backend.insights.sinks = self.backend.insights.sinks
        if self._renamed is not None:
            made.backend.rename(self._renamed)
            made._renamed = self._renamed
        self.close()
        vars(self).update(
            vars(made), listeners=self.listeners, _endings=self._endings
        )  # whoever holds this one holds the new world

    def close(self) -> None:
        """End it, and the processes of its scripts. Threads see to their ends, and then to the files: `wait_ended`."""
        self.clock.close()
        self.backend.stop()
        ending = Thread(target=_end, args=(self.backend, self._threads, self._file_threads), name="akstwin-end")
        ending.start()
        self._endings = [*(each for each in self._endings if each.is_alive()), ending]

    def wait_ended(self) -> None:
        """Wait until nothing is left of the worlds that were closed: not on the event loop."""
        while self._endings:
            self._endings.pop().join()


def _end(backend: SimulatedBackend, *pools: ThreadPoolExecutor) -> None:
    for pool in pools:
        pool.shutdown()
    backend.close()


def _open_scenario(**given: Any) -> SimulatedBackend:
    """The world of a scenario, found by name: scenarios stand above all worlds."""
    for point in entry_points(group="akstwin.backends", name="scenario"):
        opened: SimulatedBackend = point.load()(**given)
        return opened
    raise AksError("scenario: this version of akstwin has no world called 'scenario'")
