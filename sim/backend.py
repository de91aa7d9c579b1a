"""The simulated workspace as a `Backend`: the manager over simulated clusters, in virtual time.

Nothing here waits: to sleep is to let the calendar run, and a request is answered when virtual time has come to its answer.
"""

import json
import shutil
import tempfile
import weakref
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from akstwin.backend import Json, ScoreRequest, ScoreResponse, WorkspaceIdentity
from akstwin.clock import Micros
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.mistakes import read
from akstwin.domain.observation import Observation
from akstwin.domain.vm_sizes import name_of
from akstwin.errors import InvalidSetting
from akstwin.files import FileStore
from akstwin.manager import Manager
from akstwin.manager.shelves import Shelf
from akstwin.sim.calendar import Calendar
from akstwin.sim.driver import Driver, ScriptsOf
from akstwin.sim.front import Front
from akstwin.sim.simulation import Simulation, Verb
from akstwin.sim.streams import generator
from akstwin.store import MemoryStore, Store
from akstwin.worker import WorkerSpec
from akstwin.worker.replies import Replies, ScriptReplies

EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
"""When simulated time begins, unless told otherwise: the same in every run."""
SCORING_BASE: Final = "http://simulated.invalid:80"
"""No server answers there, here or anywhere (RFC 2606): requests go through `run` or `Backend.score`."""


_SECRETS: Final = "secrets"
"""What has been drawn is counted under this name."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a workspace begins with.

    Attributes:
        store: its records.
        folder: for its files.
        start: the instant at which its time goes on.
        first_request: the number of the next request.
    """

    store: Store
    folder: Path
    start: Micros
    first_request: int


class Told(BaseModel):
    """What a caller has told of a service or a cluster, as it was given.

    Attributes:
        verb: of `ws.simulation`.
        service: its name; a cluster's, too.
        version: of it; None: all.
        given: the rest; what was told last holds.
        reply_base64: a reply in bytes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    verb: Verb
    service: str
    version: str | None
    given: dict[str, Any]
    reply_base64: str | None = None


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
        tls_base: the same for services on clusters with TLS; nothing: that URL, by https.
        scripts: makes containers of what runs a script; None: the script's own time never counts.
        kept: where records and files are, and from when on time goes on; None: in memory, from the beginning. What is kept
            becomes the world by `restore`.

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
        tls_base: str = "",
        scripts: ScriptsOf | None = None,
        kept: Kept | None = None,
    ) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise InvalidSetting("seed", seed, "a whole number from 0 on")
        self.seed = seed
        self.calendar = Calendar()
        folder = Path(tempfile.mkdtemp(prefix="akstwin-"))
        if kept is None:
            kept = Kept(MemoryStore(), folder, Micros(0), 0)
        self.calendar.run_until(kept.start)
        files = FileStore(kept.folder / "files")
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
        self.driver.collected = kept.folder / "data"
        # Workspaces of one seed stand beside each other on a server: what opens one must not open another.
        whose = "" if named == WorkspaceIdentity() else named.resource_id.lower()
        self._secrets = generator(seed, 1, "secrets", whose)
        self._told: Shelf[Told] = Shelf(kept.store, "told", Told)
        super().__init__(
            identity=named,
            clock=VirtualClock(self.calendar),
            epoch=epoch,
            assumptions=assumed,
            driver=self.driver,
            store=kept.store,
            files=files,
            new_secret=self._new_secret,
            scoring_base=scoring_base,
            tls_base=tls_base,
        )
        for _ in range(self._shelves.counts.get(_SECRETS) or 0):  # the next one shall be another one
            self._draw_secret()
        self.front = Front(self.driver, self.calendar, seed, self.read_token, kept.first_request)
        self.simulation = Simulation(self.driver)
        self.simulation.on_told.append(self._keep_told)
        self._finalizer = weakref.finalize(self, _end, self.driver, folder)

    def close(self) -> None:
        """End scripts' processes and remove files. The workspace cannot be used afterwards."""
        self._finalizer()

    @property
    def collected(self) -> Path:
        """The folder that collected model data goes to, as `modeldata/…`."""
        return self.driver.collected

    def restore(self) -> None:
        """Make the world what is kept of it: what was told of services, then clusters and services."""
        for told in self._told.all():
            given = dict(told.given)
            if told.reply_base64 is not None:
                given["reply"] = b64decode(told.reply_base64)
            match told.verb:
                case "chance":
                    self.simulation.chance(told.service, **given)
                case "cluster":
                    self.simulation.cluster(told.service, **given)
                case "profile":
                    self.simulation.profile(told.service, version=told.version, **given)
        super().restore()

    def _keep_told(self, verb: Verb, service: str, version: str | None, given: Mapping[str, Any]) -> None:
        """Keep what was told, over what was told before."""
        key = json.dumps([verb, service, version])
        known = self._told.get(key)
        told = {**({} if known is None else known.given), **given}
        reply_base64 = None if known is None else known.reply_base64
        if "reply" in given:
            reply_base64 = None
            if isinstance(given["reply"], bytes | bytearray):
                reply_base64 = b64encode(told.pop("reply")).decode()
            elif not _is_json(given["reply"]):  # a function stays in this process
                del told["reply"]
        self._told.put(key, Told(verb=verb, service=service, version=version, given=told, reply_base64=reply_base64))

    def _new_secret(self) -> str:
        """A key, or what tokens are signed with; what was given once is not given again, also after a restart."""
        self._next(_SECRETS)
        return self._draw_secret()

    def _draw_secret(self) -> str:
        """32 letters and digits, as keys have."""
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        return "".join(letters[at] for at in self._secrets.integers(0, len(letters), 32))

    def put_compute(self, name: str, payload: Json) -> str:
        """Attach, create or update a cluster; one that was described has the nodes that were described."""
        outer = payload.get("properties") if isinstance(payload, dict) else None
        described = self.driver.described.get(name) if isinstance(name, str) else None
        if described is not None and isinstance(outer, dict) and name not in self.driver.worlds:
            asked = (outer.get("properties") or {}).get("agentVmSize")
            size = name_of(described.vm_size, asked) or described.vm_size.model_dump(mode="json")
            nodes = {"agentCount": described.nodes, "agentVmSize": size}
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


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _in_virtual_time(spec: WorkerSpec, untold: Callable[[], bool]) -> Replies:  # noqa: ARG001 - the port's
    return ScriptReplies(spec)


def _end(driver: Driver, folder: Path) -> None:
    driver.close()
    shutil.rmtree(folder, ignore_errors=True)
