"""The simulated workspace as a `Backend`: the manager over simulated clusters, in virtual time.

Nothing here waits: to sleep is to let the calendar run, and a request is answered when virtual time has come to its answer.
"""

import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from akstwin.backend import Json, ScoreRequest, ScoreResponse, WorkspaceIdentity
from akstwin.clock import Micros
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.mistakes import read
from akstwin.domain.observation import Observation
from akstwin.errors import InvalidSetting
from akstwin.files import FileStore
from akstwin.manager import Manager
from akstwin.sim.calendar import Calendar
from akstwin.sim.driver import Driver, ScriptsOf
from akstwin.sim.front import Front
from akstwin.sim.simulation import Simulation
from akstwin.sim.streams import generator
from akstwin.store import MemoryStore
from akstwin.worker import WorkerSpec
from akstwin.worker.replies import Replies, ScriptReplies

EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
"""When simulated time begins, unless told otherwise: the same in every run."""
SCORING_BASE: Final = "http://simulated.invalid:80"
"""No server answers there, here or anywhere (RFC 2606): requests go through `run` or `Backend.score`."""


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
        scoring_base: URL that scoring URIs begin with.
        scripts: makes containers of what runs a script; None: the script's own time never counts.

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
        scoring_base: str = SCORING_BASE,
        scripts: ScriptsOf | None = None,
    ) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise InvalidSetting("seed", seed, "a whole number from 0 on")
        self.seed = seed
        self.calendar = Calendar()
        folder = Path(tempfile.mkdtemp(prefix="akstwin-"))
        files = FileStore(folder / "files")
        assumed = assumptions if isinstance(assumptions, Assumptions) else read_assumptions(assumptions or {})
        named = identity or WorkspaceIdentity()
        self.driver = Driver(
            named,
            assumed,
            seed,
            self.calendar,
            epoch,
            files,
            self.get_asset,
            folder,
            script_seconds,
            scripts or _in_virtual_time,
        )
        self._secrets = generator(seed, 1, "secrets")
        super().__init__(
            identity=named,
            clock=VirtualClock(self.calendar),
            epoch=epoch,
            assumptions=assumed,
            driver=self.driver,
            store=MemoryStore(),
            files=files,
            new_secret=self._new_secret,
            scoring_base=scoring_base,
        )
        self.front = Front(self.driver, self.calendar, seed, self.read_token)
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
        outer = payload.get("properties") if isinstance(payload, dict) else None
        described = self.driver.described.get(name) if isinstance(name, str) else None
        if described is not None and isinstance(outer, dict) and name not in self.driver.worlds:
            nodes = {"agentCount": described.nodes, "agentVmSize": self.driver.sizes[name]}
            told = {key: value for key, value in nodes.items() if value is not None}
            payload = {**payload, "properties": {**outer, "properties": {**(outer.get("properties") or {}), **told}}}
        return super().put_compute(name, payload)

    # -- requests

    def score(self, name: str, request: ScoreRequest) -> ScoreResponse:
        """Send a request as a client would; virtual time goes on to its answer."""
        return self.front.all(name, [(Micros(0), request)])[0]

    def score_all(self, name: str, requests: Sequence[tuple[Micros, ScoreRequest]]) -> list[ScoreResponse]:
        """Send several requests, each at its own time; virtual time goes on to the last answer."""
        return self.front.all(name, requests)

    def observe(self, name: str, window: Micros) -> Observation:
        """What was seen of the service in the last `window`, µs (NotFound; InvalidSetting)."""
        self.get_service(name)
        return self.driver.watches[name].observe(window)

    def get_logs(self, name: str, lines: int = 5000, *, init: bool = False) -> str:
        """The last lines of what the containers have written, by version where there are several.

        With `init`: how its pods came up.
        """
        self.get_service(name)
        if isinstance(lines, bool) or not isinstance(lines, int) or lines < 1:
            raise InvalidSetting("num_lines", lines, "a whole number, 1 or more")
        text = self._pods_log(name) if init else self._containers_log(name)
        return "".join(text.splitlines(keepends=True)[-lines:])

    def _containers_log(self, name: str) -> str:
        logs = self.driver.logs(name)
        if len(logs) == 1:
            return next(iter(logs.values()))
        return "".join(f"--- {version} ---\n{text}" for version, text in logs.items())

    def _pods_log(self, name: str) -> str:
        return "".join(
            f"{self.driver.wall(at):%Y-%m-%dT%H:%M:%SZ} {pod} {kind} {detail}".rstrip() + "\n"
            for at, kind, pod, detail in self.driver.services[name].controller.pod_log
        )


class _Assumed(BaseModel):
    assumptions: Assumptions


def read_assumptions(given: Mapping[str, Any]) -> Assumptions:
    """The assumptions with some of them changed.

    Raises:
        AksError: no such key, or a value that is refused, with its name.
    """
    return read(_Assumed, {"assumptions": given}).assumptions


def _in_virtual_time(spec: WorkerSpec, untold: bool) -> Replies:  # noqa: ARG001 - the port's
    return ScriptReplies(spec)


def _end(driver: Driver, folder: Path) -> None:
    driver.close()
    shutil.rmtree(folder, ignore_errors=True)
