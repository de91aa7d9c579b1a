"""The simulated workspace as a `Backend`: the management service over simulated clusters, in virtual time.

Nothing here waits: to sleep is to let the calendar run, and a request is answered when virtual time has come to its answer.
"""

import json
import weakref
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from akstwin import scratch
from akstwin.backend import (
    ScoreRequest,
    ScoreResponse,
    WorkspaceIdentity,
)
from akstwin.clock import Micros
from akstwin.control_plane import Dependencies, ManagementService
from akstwin.control_plane.repositories import Repository
from akstwin.control_plane.verbs import ManagementVerbs
from akstwin.domain.assumed import read_assumptions
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.history import KEPT_HAPPENINGS
from akstwin.domain.observation import Observation
from akstwin.errors import InvalidSetting
from akstwin.files import FileStore
from akstwin.sim.calendar import Calendar, CalendarClock, Order
from akstwin.sim.driver import Driver, ScriptsOf
from akstwin.sim.engine.choice import EngineName
from akstwin.sim.gateway import Gateway
from akstwin.sim.insights import Insights
from akstwin.sim.secret_stream import SecretStream
from akstwin.sim.simulation import Simulation, Verb
from akstwin.store import MemoryStore, Store
from akstwin.uploads import UploadLimits
from akstwin.worker.content import ScriptContent
from akstwin.worker.replies import Replies, ScriptReplies

EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
"""When simulated time begins, unless told otherwise: the same in every run."""
SCORING_BASE: Final = "http://simulated.invalid:80"
"""No server answers there, here or anywhere (RFC 2606): requests go through `run` or `Backend.score`."""


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


class SimulatedBackend(ManagementVerbs):
    """A workspace in virtual time: a `Backend` and a `ValidatingBackend`.

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
        watched: whether answers and usage are kept, so that `observe` can be asked; it costs time and memory.
        uploads: how many files and bytes one upload, and one container, may hold; None: the defaults.
        kept_happenings: so many of the latest happenings are kept.
        engine: what carries requests; the compiled engine takes generated load alone.

    Attributes:
        management: what keeps and decides all but requests, logs and observation.
        simulation: what only a simulated world can do.

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
        watched: bool = True,
        uploads: UploadLimits | None = None,
        kept_happenings: int = KEPT_HAPPENINGS,
        engine: EngineName = "reference",
    ) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise InvalidSetting("seed", seed, "a whole number from 0 on")
        self.seed = seed
        self.calendar = Calendar()
        own = scratch.Folder()
        folder = own.path
        if kept is None:
            kept = Kept(MemoryStore(), folder, Micros(0), 0)
        self.calendar.run_until(kept.start)
        files = FileStore(kept.folder / "files", uploads)
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
            watched=watched,
            kept_happenings=kept_happenings,
            engine=engine,
        )
        self.driver.collected = kept.folder / "data"
        secrets = SecretStream(seed, "" if named == WorkspaceIdentity() else named.resource_id.lower())
        self._told: Repository[Told] = Repository(kept.store, "told", Told)
        management = ManagementService(
            Dependencies(
                identity=named,
                clock=CalendarClock(self.calendar),
                epoch=epoch,
                assumptions=assumed,
                runtime=self.driver,
                store=kept.store,
                files=files,
                secret=secrets.number,
                scoring_base=scoring_base,
                tls_base=tls_base,
                wake=self._wake,
            )
        )
        super().__init__(management)
        self.gateway = Gateway(self.driver, self.calendar, seed, self.management.keys.read_token, kept.first_request)
        self.insights = Insights(lambda: self.identity.name, self.management.services.reports, self.driver.wall)
        self.gateway.insights = self.insights
        self.simulation = Simulation(self.driver, self.insights)
        self.simulation.on_told.append(self._keep_told)
        self._finalizer = weakref.finalize(self, _end, self.driver, own)

    def _wake(self, instant: Micros) -> None:
        self.calendar.at(instant, Order.OPERATION, lambda: self.management.run_due(self.calendar.now))

    def close(self) -> None:
        """End scripts' processes and remove files. The workspace cannot be used afterwards."""
        self._finalizer()

    def stop(self) -> None:
        """Begin to end scripts' processes; `close` is to follow when they have ended, also in another thread."""
        self.driver.close()

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
        self.management.restore()

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

    def rename(self, identity: WorkspaceIdentity) -> None:
        """Take another name; secrets and numbers go on as they were."""
        super().rename(identity)
        self.driver.identity = identity

    # -- requests

    def score(self, name: str, request: ScoreRequest) -> ScoreResponse:
        """Send a request as a client would; virtual time goes on to its answer."""
        return self.gateway.all(name, [(Micros(0), request)])[0]

    def score_all(self, name: str, requests: Sequence[tuple[Micros, ScoreRequest]]) -> list[ScoreResponse]:
        """Send several requests, each at its own time; virtual time goes on to the last answer."""
        return self.gateway.all(name, requests)

    def observe(self, name: str, window: Micros) -> Observation:
        """What was seen of the service in the last `window`, µs (NotFound; InvalidSetting)."""
        self.get_service(name)
        return self.driver.watches[name].observe(window)

    def note_policy(self, service: str, kind: str, policy: str, words: str) -> None:
        """Keep among what happens that a policy has looked at a service, or has acted on it (NotFound)."""
        self.simulation.note_policy(service, kind, policy, words)

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
        lines, home = self.driver.services[name].controller.pod_log, self.identity.namespace
        head = f"[... only the latest {lines.maxlen} lines are kept ...]\n" if len(lines) == lines.maxlen else ""
        return head + "".join(
            f"{self.driver.wall(at):%Y-%m-%dT%H:%M:%SZ} {namespace or home}/{pod} {kind} {detail}".rstrip() + "\n"
            for at, kind, namespace, pod, detail in lines
        )


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _in_virtual_time(content: ScriptContent, untold: Callable[[], bool]) -> Replies:  # noqa: ARG001 - the port's
    return ScriptReplies(content.lay_out(), closed=content.remove)


def _end(driver: Driver, own: scratch.Folder) -> None:
    driver.close()
    own.remove()
