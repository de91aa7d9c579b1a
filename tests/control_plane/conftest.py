"""A runtime that writes down what it is told, a clock turned by hand, and a management service between them."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from akstwin.backend import Json, WorkspaceIdentity
from akstwin.clock import SECOND, Micros
from akstwin.control_plane import Auth, Content, Dependencies, ManagementService
from akstwin.cores.management import DeploymentStatus, Facts, Lifecycle, VersionStatus
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.changes import Effect
from akstwin.domain.cluster import ClusterSpec
from akstwin.domain.service import ServiceSpec
from akstwin.files import FileStore
from akstwin.sdk import wire
from akstwin.store import MemoryStore

EPOCH = 1_600_000_000.0


class HandClock:
    """Time, and what is planned for it."""

    def __init__(self) -> None:
        self.instant = Micros(0)
        self.plans: list[tuple[int, Callable[[], None]]] = []

    def now(self) -> Micros:
        """The present instant."""
        return self.instant

    def sleep_until(self, deadline: Micros) -> None:
        """The management service never waits."""
        raise AssertionError(deadline)

    def turn(self, seconds: float) -> None:
        """Let time pass, and what is planned happen."""
        until = self.instant + round(seconds * SECOND)
        while due := sorted((plan for plan in self.plans if plan[0] <= until), key=lambda plan: plan[0]):
            self.plans.remove(due[0])
            self.instant = Micros(due[0][0])
            due[0][1]()
        self.instant = Micros(until)


class RecordingRuntime:
    """Writes down what it is told; `settle` and `end` tell lives what becomes of pods."""

    def __init__(self, clock: HandClock) -> None:
        self.clock = clock
        self.told: list[tuple[Any, ...]] = []
        self.lives: dict[str, Lifecycle] = {}
        self.specs: dict[str, ServiceSpec] = {}
        self.contents: dict[str, dict[str, Content]] = {}
        self.auth: dict[str, Auth] = {}
        self.generations: dict[str, int] = {}

    def create(
        self, spec: ServiceSpec, cluster: str, contents: Mapping[str, Content], auth: Auth, lifecycle: Lifecycle
    ) -> None:
        """Bring a service up."""
        assert lifecycle.life.running is not None
        self.told.append(("create", spec.name, cluster, lifecycle.life.running.stage))
        self.lives[spec.name], self.specs[spec.name] = lifecycle, spec
        self.contents[spec.name], self.auth[spec.name] = dict(contents), auth

    def restore(
        self,
        spec: ServiceSpec,
        cluster: str,
        contents: Mapping[str, Content],
        auth: Auth,
        lifecycle: Lifecycle,
        *,
        ready: bool,
        generation: int,
    ) -> None:
        """Bring a service up again."""
        self.told.append(("restore", spec.name, cluster, "ready" if ready else "cold"))
        self.lives[spec.name], self.specs[spec.name] = lifecycle, spec
        self.contents[spec.name], self.auth[spec.name] = dict(contents), auth
        self.generations[spec.name] = generation

    def change(
        self, spec: ServiceSpec, effects: tuple[Effect, ...], contents: Mapping[str, Content], generation: int
    ) -> None:
        """Get a service to what it shall be."""
        assert effects
        self.generations[spec.name] = generation
        self.told.append(("change", spec.name, [type(effect).__name__ for effect in effects]))
        self.specs[spec.name], self.contents[spec.name] = spec, dict(contents)

    def authorise(self, name: str, auth: Auth, generation: int) -> None:
        """Requests need something else."""
        self.generations[name] = generation
        self.told.append(("authorise", name))
        self.auth[name] = auth

    def clamped(self, name: str, version: str, how: str) -> None:
        """A setting acts otherwise."""
        self.told.append(("clamped", name, version, how))

    def end(self, name: str) -> None:
        """Take a service down."""
        self.told.append(("end", name))

    def status(self, name: str) -> DeploymentStatus:
        """One replica of each version."""
        return DeploymentStatus({version.name: VersionStatus(1, 1, 1) for version in self.specs[name].versions})

    def try_cluster(self, name: str, cluster: ClusterSpec) -> None:
        """Every cluster can be."""

    def known_nodes(self, name: str, asked: object) -> Json:
        """Nothing beside what is asked for."""
        return {}

    def create_cluster(self, name: str, cluster: ClusterSpec) -> None:
        """Nodes are there."""
        self.told.append(("create_cluster", name, cluster.nodes))

    def end_cluster(self, name: str) -> None:
        """Nodes are gone."""
        self.told.append(("end_cluster", name))

    def settle(self, name: str = "fraud") -> None:
        """The image is there, and all pods are."""
        self.lives[name].deploying(self.clock.now())
        self.lives[name].observe(Facts(1, 1, rolled=True, routed=True), self.clock.now())

    def vanish(self, name: str = "fraud") -> None:
        """The last pod is gone."""
        self.lives[name].observe(Facts(0, 0, rolled=False, routed=False, gone=True), self.clock.now())


class Bench:
    """A management service with all that it works with, and short words for common calls."""

    def __init__(self, folder: Path) -> None:
        self.clock = HandClock()
        self.runtime = RecordingRuntime(self.clock)
        self.store = MemoryStore()
        self.files = FileStore(folder / "files")
        self.folder = folder
        self.secrets = 0
        self.management = self.another()

    def another(self) -> ManagementService:
        """A management service made anew on the same store."""
        needs = Dependencies(
            WorkspaceIdentity(), self.clock, EPOCH, Assumptions(), self.runtime, self.store, self.files, self.secret,
            "http://127.0.0.1:8899", self.wake,
        )  # fmt: skip
        made = ManagementService(needs)
        self._awake = made
        return made

    def wake(self, instant: Micros) -> None:
        """Plan to wake the management service that was made last."""
        assert instant >= self.clock.now()
        self.clock.plans.append((instant, lambda: self._awake.run_due(self.clock.now())))

    def secret(self, number: int) -> str:
        """Another one for each number."""
        self.secrets = max(number, self.secrets)
        return f"secret-{number}"

    def kept(self) -> dict[str, str]:
        """All that is stored."""
        return {f"{kind}/{key}": text for kind, texts in self.store._texts.items() for key, text in texts.items()}

    def upload(self, container: str = "c") -> str:
        """An uploaded file."""
        source = self.folder / "model.bin"
        source.write_bytes(b"1")
        return self.management.files.upload(container, {"model.bin": source})

    def model(self, name: str = "model", **more: Any) -> str:
        """A registered model's id."""
        asset = self.management.models.create_asset({"name": name, "artifacts": [{"prefix": self.upload()}]})
        document = self.management.models.register({"name": name, "url": f"aml://asset/{asset['id']}", **more})
        return str(document["id"])

    def cluster(self, name: str = "aks", **settings: Any) -> None:
        """A compute target that is ready."""
        self.management.computes.put(name, {"properties": {"computeType": "AKS", "properties": settings}})
        self.clock.turn(600)

    def payload(self, request: Json | None = None, **arguments: Any) -> Json:
        """A create payload of an AksWebservice."""
        return wire.service_payload(
            arguments, name="fraud", compute_name="aks", environment_image_request=request
        )  # fmt: skip

    def service(self, **arguments: Any) -> str:
        """A healthy AksWebservice on a cluster; its operation."""
        if not self.management.computes.all():
            self.cluster()
        operation = self.management.services.create(self.payload(**arguments))
        self.runtime.settle()
        self.runtime.told.clear()
        return operation

    def endpoint(self, **arguments: Any) -> str:
        """A healthy AksEndpoint with its version blue."""
        self.cluster()
        payload = wire.endpoint_payload(
            {"version_name": "blue", **arguments}, name="fraud", compute_name="aks", environment_image_request=None
        )
        operation = self.management.services.create(payload)
        self.runtime.settle()
        self.runtime.told.clear()
        return operation

    def update(self, **arguments: Any) -> str | None:
        """An update of the service."""
        return self.management.services.patch("fraud", wire.update_patch(arguments))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A management service with a recording runtime."""
    made = Bench(tmp_path)
    yield made
    made.files.close()
