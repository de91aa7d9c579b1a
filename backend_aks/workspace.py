"""A workspace on a Kubernetes cluster: management, services, router and records in one process, which may end at any time."""

import asyncio
import hmac
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, Self

from akstwin.backend import Operation, WorkspaceIdentity
from akstwin.backend_aks import manifests
from akstwin.backend_aks.api import ApiRefused, KubernetesApi
from akstwin.backend_aks.bundles import Bundles
from akstwin.backend_aks.runtime import KubernetesRuntime
from akstwin.backend_aks.store import KubernetesStore
from akstwin.backend_aks.surroundings import ClusterSettings, Surroundings
from akstwin.clock import Micros
from akstwin.control_plane import Dependencies, ManagementService
from akstwin.control_plane.services import auth_of
from akstwin.control_plane.verbs import ManagementVerbs
from akstwin.cores.management import spec_of
from akstwin.domain.assumed import read_assumptions
from akstwin.errors import NotFound
from akstwin.files import FileStore
from akstwin.router.gateway import Gateway
from akstwin.router.wall_clock import WallClock

ASSUMED: Final[Mapping[str, Any]] = {
    "refused_connection": "next_replica",
    "image_build": "0s",
    "cluster_create": "1s",
    "cluster_attach": "1s",
}
"""What differs on a real cluster: it is there already, images are built elsewhere, and a pod that refuses may be ending."""
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


class ClusterWorkspace:
    """What the management routes and the router's server are given. All its methods are called on one event loop.

    Made by `open`.

    Attributes:
        backend: the verbs.
        gateway: the way in of scoring requests.
    """

    def __init__(
        self,
        around: Surroundings,
        runtime: KubernetesRuntime,
        management: ManagementService,
        gateway: Gateway,
        seed: bytes,
    ) -> None:
        self._around = around
        self._runtime = runtime
        self.management = management
        self.backend = ManagementVerbs(management)
        self.gateway = gateway
        self.signing_secret: Final = hmac.new(seed, b"urls", sha256).digest()
        """Signs URLs; it outlasts the process."""
        self._turn = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        around.failed = self._fail

    @classmethod
    async def open(
        cls,
        api: KubernetesApi,
        settings: ClusterSettings,
        folder: Path,
        scoring_base: str,
        *,
        assumptions: Mapping[str, Any] | None = None,
        identity: WorkspaceIdentity | None = None,
    ) -> Self:
        """Go on with what the cluster keeps of a workspace, or begin one.

        Args:
            api: of the cluster.
            settings: how it is used.
            folder: for uploaded files and bundles; it has to outlast this process.
            scoring_base: URL that scoring URIs begin with.
            assumptions: keys that shall differ from `ASSUMED` and from the defaults.
            identity: who the workspace is, where it begins.

        Raises:
            AksError: the cluster refuses, or does not answer.
        """
        store = KubernetesStore(api, settings.namespace)
        await store.load_all()
        kept = store.load("workspace", "this")
        if kept is None:
            clock = WallClock(0.0)
            kept = {"epoch": clock.now() // 1_000_000, "seed": secrets.token_hex(32)}
            store.save("workspace", "this", kept)
        clock = WallClock(float(kept["epoch"]))
        seed = bytes.fromhex(kept["seed"])
        assumed = read_assumptions({**ASSUMED, **(assumptions or {})})
        files = FileStore(folder / "files")
        named = identity or WorkspaceIdentity()
        bundles = Bundles(folder / "bundles", files, lambda asset: management.models.get_asset(asset), named)  # noqa: PLW0108 - it comes later
        around = Surroundings(api, settings, assumed, clock, store, bundles)
        runtime = KubernetesRuntime(around)
        loop = asyncio.get_running_loop()

        def wake(at: Micros) -> None:
            loop.call_later(clock.seconds_until(at), lambda: management.run_due(clock.now()))

        management = ManagementService(
            Dependencies(
                identity=named,
                clock=clock,
                epoch=clock.epoch,
                assumptions=assumed,
                runtime=runtime,
                store=store,
                files=files,
                secret=lambda number: _secret(seed, number),
                scoring_base=scoring_base,
                wake=wake,
            )
        )
        gateway = Gateway(runtime.planes, clock, management.keys.read_token, assumed.max_payload, secrets.randbits(64))
        made = cls(around, runtime, management, gateway, seed)
        made._begin(store)
        return made

    def _begin(self, store: KubernetesStore) -> None:
        loop = asyncio.get_running_loop()
        for work in (store.run(), *(watch.run() for watch in self._around.watches)):
            task = loop.create_task(work)
            task.add_done_callback(self._done)
            self._tasks.append(task)
        for record in self.management.repositories.services.all():
            name = record.name
            lifecycle = self.management.services.lifecycle(name)
            self._runtime.restore(
                spec_of(record),
                record.compute_name,
                self.management.services.contents(name),
                auth_of(record),
                lifecycle,
                ready=True,
                generation=lifecycle.life.generation,
            )
        self.management.resume()

    def _done(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and task.exception() is not None:
            self._fail(task.exception())

    def _fail(self, error: BaseException | None) -> None:
        if not self._failed.done():
            self._failed.set_exception(error or RuntimeError("a part of the manager has ended"))

    async def synced(self) -> None:
        """Return when the cluster is known.

        Raises:
            AksError: the cluster refuses to say.
        """
        synced = asyncio.ensure_future(self._around.synced())
        await asyncio.wait({synced, self._failed}, return_when=asyncio.FIRST_COMPLETED)
        if self._failed.done():
            synced.cancel()
            await self._failed

    async def until_failed(self) -> None:
        """Wait until it cannot go on.

        Raises:
            AksError: why: another manager writes the records, or a right is missing.
        """
        await asyncio.shield(self._failed)

    async def close(self) -> None:
        """Keep what is decided, and end; pods go on."""
        await self._runtime.stop()
        if not self._failed.done():
            await self._around.settled()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._failed.done():
            self._failed.exception()

    @property
    def longest_request(self) -> Micros:
        """The largest scoring time-out and waiting time that any version has: until then requests may have no answer."""
        routes = [route for plane in self._runtime.planes.values() for route in plane.settings.values()]
        return Micros(max((route.scoring_timeout + route.max_wait for route in routes), default=0))

    # -- ManagedWorkspace

    @property
    def files(self) -> FileStore:
        """Where uploads are put."""
        return self.management.files

    @property
    def bundles(self) -> Bundles:
        """What containers run."""
        return self._around.bundles

    def acting(self) -> AbstractContextManager[Micros]:
        """For a look at the workspace."""
        return nullcontext(self._around.clock.now())

    @asynccontextmanager
    async def commanding(self) -> AsyncIterator[Micros]:
        """For a change of the workspace; it is kept by the cluster before anybody is answered.

        Raises:
            Unwritable: the cluster has not taken it in time.
        """
        async with self._turn:
            yield self._around.clock.now()
        await self._around.settled()

    async def operation(self, operation_id: str, *, skip: bool = True) -> Operation:  # noqa: ARG002 - real time cannot be skipped
        """An operation as a poll shows it (NotFound)."""
        return self.backend.get_operation(operation_id)

    async def logs(self, name: str, lines: int, *, init: bool) -> str:
        """The last lines of what a service's containers have written, by pod where there are several (NotFound)."""
        self.backend.get_service(name)
        found: dict[str, str] = {}
        container = manifests.INIT_CONTAINER if init else manifests.CONTAINER
        running = self._runtime.services.get(name)
        for pod in sorted(running.pods() if running is not None else (), key=lambda pod: pod.name):
            for previous in ("true", "false") if pod.restarts and not init else ("false",):
                path = f"{self._around.pods_path}/{pod.name}/log"
                try:
                    text = await self._around.api.text(
                        path, container=container, previous=previous, tailLines=str(lines)
                    )
                except (NotFound, ApiRefused):  # it has not begun, or is gone
                    continue
                found[pod.name] = found.get(pod.name, "") + text
        shown = found.values() if len(found) == 1 else (f"--- {pod} ---\n{text}" for pod, text in found.items())
        return "".join("".join(shown).splitlines(keepends=True)[-lines:])


def _secret(seed: bytes, number: int) -> str:
    """32 letters and digits, as keys have."""
    drawn = b"".join(hmac.new(seed, f"{number}/{part}".encode(), sha256).digest() for part in range(4))
    usable = [byte for byte in drawn if byte < 4 * len(_LETTERS)]  # all letters are as likely
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in usable[:32])
