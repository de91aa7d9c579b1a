"""The services of one cluster, as the management service needs them (`ClusterRuntime`)."""

import asyncio
import logging
import time
from collections.abc import Mapping

from akstwin.backend import Json
from akstwin.backend_aks import manifests
from akstwin.backend_aks.service import RunningService, StoredService
from akstwin.backend_aks.surroundings import Surroundings
from akstwin.clock import Micros
from akstwin.control_plane import Auth, Content
from akstwin.control_plane.repositories import Repository
from akstwin.cores import serving
from akstwin.cores.management import DeploymentStatus, Lifecycle
from akstwin.cores.routing import RouterRules
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.changes import Effect
from akstwin.domain.cluster import ClusterSpec
from akstwin.domain.service import ServiceSpec
from akstwin.errors import AksError
from akstwin.router.plane import TransportPlane
from akstwin.router.replica_transport import TcpTransport

QUEUED_BYTES = 256 * 10**6
"""Of bodies that wait for a service's replicas: the router's memory is bounded."""
_log = logging.getLogger(__name__)


def router_rules(assumptions: Assumptions) -> RouterRules:
    """How a router on the cluster decides."""
    return RouterRules(
        max_queue_length=assumptions.max_queue_length,
        when_no_replica_ready=assumptions.when_no_replica_ready,
        slot_released_on_timeout=assumptions.slot_released_on_timeout,
        refused_connection=assumptions.refused_connection,
        run_failure_status=assumptions.run_failure_status,
        max_payload=assumptions.max_payload,
        max_queued_bytes=QUEUED_BYTES,
    )


class KubernetesRuntime:
    """Runs what the management service decides on a Kubernetes cluster.

    Args:
        around: the cluster, the clock and the rest that services share.

    Attributes:
        services: those that are there.
        planes: their routers, which outlive them until all their requests are answered.
    """

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._stored: Repository[StoredService] = Repository(around.store, "serving", StoredService)
        self.services: dict[str, RunningService] = {}
        self.planes: dict[str, TransportPlane] = {}
        self._notes: set[asyncio.Task[None]] = set()
        around.changed = self._changed

    def _changed(self, name: str) -> None:
        running = self.services.get(name)
        if running is not None:
            running.look()

    # -- ClusterRuntime

    def create(
        self,
        spec: ServiceSpec,
        cluster: str,  # noqa: ARG002 - there is one
        contents: Mapping[str, Content],
        auth: Auth,
        lifecycle: Lifecycle,
    ) -> None:
        """Bring a service up."""
        operation = lifecycle.life.running
        assert operation is not None  # noqa: S101
        image_at = None
        if operation.stage == "BuildImage":
            image_at = Micros(self._around.clock.now() + self._around.assumptions.image_build)
        state = serving.created(
            spec, operation=operation.number, image_at=image_at, generation=lifecycle.life.generation
        )
        stored = StoredService(self._next_life(), state)
        self._stored.put(spec.name, stored)
        self._run(stored, contents, auth, lifecycle)

    def restore(
        self,
        spec: ServiceSpec,
        cluster: str,  # noqa: ARG002 - there is one
        contents: Mapping[str, Content],
        auth: Auth,
        lifecycle: Lifecycle,
        *,
        ready: bool,  # noqa: ARG002 - the cluster says
        generation: int,
    ) -> None:
        """Go on with a service where the last manager was; the cluster has gone on meanwhile."""
        stored = self._stored.get(spec.name)
        if stored is None:
            state = serving.created(spec, operation=None, image_at=None, generation=generation)
            stored = StoredService(self._next_life(), state)
            self._stored.put(spec.name, stored)
        self._run(stored, contents, auth, lifecycle)

    def change(
        self, spec: ServiceSpec, effects: tuple[Effect, ...], contents: Mapping[str, Content], generation: int
    ) -> None:
        """Get a service from what it is to `spec`."""
        self.services[spec.name].change(spec, effects, contents, generation)

    def authorise(self, name: str, auth: Auth, generation: int) -> None:
        """Let requests of a service need something else from now on."""
        self.services[name].authorise(auth, generation)

    def clamped(self, name: str, version: str, how: str) -> None:
        """Make an event of a setting that acts otherwise than it was given."""
        namespace = self._around.namespace
        path, manifest = manifests.event(namespace, name, version, "SettingClamped", how, time.time_ns())

        async def note() -> None:
            try:
                await self._around.api.create(path, manifest)
            except AksError as error:
                _log.warning("%s: version %s: %s (no event: %s)", name, version, how, error)

        task = asyncio.get_running_loop().create_task(note())
        self._notes.add(task)
        task.add_done_callback(self._notes.discard)

    def end(self, name: str) -> None:
        """Take a service down."""
        self.services[name].end()

    def status(self, name: str) -> DeploymentStatus:
        """How many replicas each version has."""
        running = self.services.get(name)
        return DeploymentStatus() if running is None else running.status()

    def try_cluster(self, name: str, cluster: ClusterSpec) -> None:
        """Every compute target is this cluster, which is there."""

    def known_nodes(self, name: str, asked: object) -> Json:  # noqa: ARG002 - all are this cluster
        """The nodes of this cluster, as far as it may be asked."""
        return self._around.known_nodes()

    def create_cluster(self, name: str, cluster: ClusterSpec) -> None:
        """A compute target is a name for this cluster: nothing has to be made."""

    def end_cluster(self, name: str) -> None:
        """The cluster stays when a compute target goes."""

    # --

    def _next_life(self) -> int:
        store = self._around.store
        number = int(store.load("lives", "count") or 0) + 1
        store.save("lives", "count", number)
        return number

    def _run(self, stored: StoredService, contents: Mapping[str, Content], auth: Auth, lifecycle: Lifecycle) -> None:
        name, around = stored.state.spec.name, self._around
        transport = TcpTransport(around.assumptions.connect_timeout, around.assumptions.max_payload)
        plane = TransportPlane(name, router_rules(around.assumptions), around.clock.now, transport)
        self.planes[name] = plane

        def save(after: StoredService | None) -> None:
            if after is None:
                self._stored.delete(name)
            else:
                self._stored.put(name, after)

        def gone() -> None:
            del self.services[name]
            self._forget_plane(name, plane, transport)

        running = RunningService(stored, contents, auth, lifecycle, plane, around, save, gone)
        self.services[name] = running
        running.task.add_done_callback(lambda task: self._ended(name, task))

    def _ended(self, name: str, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and task.exception() is not None:
            _log.error("service %s: its work has failed", name, exc_info=task.exception())
            self._around.failed(task.exception())

    def _forget_plane(self, name: str, plane: TransportPlane, transport: TcpTransport) -> None:
        """When all that it held is answered."""
        if plane.waiting:
            asyncio.get_running_loop().call_later(1.0, self._forget_plane, name, plane, transport)
            return
        plane.close()
        transport.close()
        if self.planes.get(name) is plane:
            del self.planes[name]

    async def stop(self) -> None:
        """Decide and do nothing more; pods go on."""
        for running in list(self.services.values()):
            await running.stop()
