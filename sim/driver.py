"""The runtime of a simulated workspace: clusters, pods, and what containers answer with."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from akstwin.backend import Json, WorkspaceIdentity
from akstwin.clock import SECOND, Micros
from akstwin.control_plane import Auth, Content
from akstwin.cores.management import DeploymentStatus, Lifecycle, VersionStatus
from akstwin.dataplane import ContainerSpec
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.changes import Effect
from akstwin.domain.cluster import ClusterSpec
from akstwin.domain.deployment import VersionSettings
from akstwin.domain.history import KEPT_HAPPENINGS, History
from akstwin.domain.lifecycles import ServiceState
from akstwin.domain.profile import ModelProfile
from akstwin.domain.replying import Rules, Simple, Value
from akstwin.domain.service import ServiceSpec, VersionSpec
from akstwin.domain.vm_sizes import name_of
from akstwin.errors import AksError, NotFound
from akstwin.files import FileStore
from akstwin.sim.calendar import Calendar, Order
from akstwin.sim.controller import CapacityObserver
from akstwin.sim.engine.choice import EngineName
from akstwin.sim.recording import Recorder
from akstwin.sim.watch import Watch
from akstwin.sim.world import SimulatedService, World
from akstwin.uploads import Tally
from akstwin.worker import DataCollection, InitFailed, Limits, Ran, ReplicaLost, Request, Started, WorkerSpec
from akstwin.worker.content import ScriptContent
from akstwin.worker.replies import AsyncReplies, CallableReply, FixedReply, NoReply, Replies
from akstwin.worker.rules import RuleReply
from akstwin.worker.unpack import has_script, model_files, unpack

APP_ROOT: Final = "/var/azureml-app"
"""Where a container has its files (semantics §3); logs show them there, wherever they lie here."""
UNSET: Final = object()
"""No reply was given: the entry script answers."""
ScriptsOf = Callable[[ScriptContent, Callable[[], bool]], Replies | AsyncReplies]
"""Makes containers of what runs a script; the second tells whether nobody has told the version's times."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What is told of a version, or of all versions of a service.

    Attributes:
        model: its times, as far as they are told, by the names of `ModelProfile`.
        reply: what it answers with instead of its script.
        number: grows with every reply that is told: the same object may have another content.
    """

    model: Mapping[str, Any] = field(default_factory=dict)
    reply: Any = UNSET
    number: int = 0

    def over(self, other: "Profile") -> "Profile":
        """This, and what the other tells where this tells nothing."""
        mine = self.reply is not UNSET
        return Profile(
            {**other.model, **self.model},
            self.reply if mine else other.reply,
            self.number if mine else other.number,
        )


class BrokenContent:
    """A container whose content cannot be laid out: it never starts."""

    def __init__(self, error: AksError) -> None:
        self._error = error

    @property
    def problem(self) -> str:
        """The reason."""
        return str(self._error)

    def init(self, container: int, at: datetime) -> Started:  # noqa: ARG002 - see `Replies`
        """Fails, with the reason."""
        return InitFailed(str(self._error), f"{self._error}\n")

    def run(self, container: int, request: Request) -> Ran:  # noqa: ARG002 - see `Replies`
        """Nothing runs."""
        return ReplicaLost(str(self._error), "")

    def stop(self, container: int) -> None:
        """Nothing to end."""

    def note(self, container: int, what: str) -> None:
        """It never runs: nothing becomes of it."""

    def logs(self, lines: int | None = None) -> str:
        """The reason."""
        return "" if lines == 0 else f"{self._error}\n"

    def close(self) -> None:
        """Nothing to end."""


class Driver:
    """Runs what the management service of a simulated workspace decides.

    Args:
        identity: the workspace.
        assumptions: what is assumed.
        seed: of all chance.
        calendar: tells the time.
        epoch: the Unix time of its start, s.
        files: what was uploaded.
        asset: reads an asset's document.
        folder: for what containers hold, and for collected data.
        script_seconds: real seconds after which a script counts as hung.
        scripts: makes containers of what runs a script; told whether nobody has told the version's times.
        watched: whether answers and usage are kept, so that services can be observed.
        kept_happenings: so many of the latest happenings are kept.
        engine: what carries requests.
    """

    def __init__(
        self,
        identity: WorkspaceIdentity,
        assumptions: Assumptions,
        seed: int,
        calendar: Calendar,
        epoch: float,
        files: FileStore,
        asset: Callable[[str], Json],
        folder: Path,
        script_seconds: float,
        scripts: ScriptsOf,
        *,
        watched: bool = True,
        kept_happenings: int = KEPT_HAPPENINGS,
        engine: EngineName = "reference",
    ) -> None:
        self._engine = engine
        self._scripts = scripts
        self._watched = watched
        self._limits = Limits(init_seconds=script_seconds, run_seconds=script_seconds)
        self.calendar = calendar
        self.worlds: dict[str, World] = {}
        self.services: dict[str, SimulatedService] = {}
        self.watches: dict[str, Watch] = {}
        self.events = History(kept_happenings)
        self.described: dict[str, ClusterSpec] = {}
        self.collected = folder / "data"
        self.identity = identity
        self._assumptions = assumptions
        self._seed = seed
        self.recorders: list[Recorder] = []
        """Hear what happens in worlds that come."""
        self.observers: list[CapacityObserver] = []
        """Hear how many replicas services that come have."""
        self.service_recorders: dict[str, list[Recorder]] = {}
        """Hear what happens to services that come, by name."""
        self.service_observers: dict[str, list[CapacityObserver]] = {}
        """Hear how many replicas services that come have, by name."""
        self._images: dict[tuple[str, str, str], ModelProfile] = {}
        self._began = datetime.fromtimestamp(epoch, UTC)
        self._files = files
        self._asset = asset
        self.containers = folder / "containers"
        """What containers have on disk, a folder for each content."""
        self._profiles: dict[tuple[str, str | None], Profile] = {}
        self._chances: dict[str, tuple[int, int]] = {}
        self.stand_ins: dict[tuple[str, str], Simple | Rules] = {}
        """What answers where a version brings no entry script, by service and version."""
        self._contents: dict[str, dict[str, Content]] = {}
        self._replies: dict[str, dict[tuple[str, object], Replies | AsyncReplies]] = {}
        self._laid_out = 0
        self._looks = False
        """Whether unused contents are looked for at the end of this instant."""
        self._placed = re.compile(re.escape(str(self.containers)) + r"/\d+")

    @property
    def namespace(self) -> str:
        """Where pods live whose service has no namespace of its own."""
        return self.identity.namespace

    # -- what the management service decides

    def try_cluster(self, name: str, cluster: ClusterSpec) -> None:
        """Refuse a cluster that cannot be, before anything begins.

        Raises:
            InvalidSetting: too small for its purpose, or for its routers.
        """
        World(self._described(name, cluster), self._assumptions, self._seed)

    def create_cluster(self, name: str, cluster: ClusterSpec) -> None:
        """The cluster's nodes are there: those that were described, else those that were asked for."""
        world = World(
            self._described(name, cluster), self._assumptions, self._seed, calendar=self.calendar, engine=self._engine
        )
        world.record(self)
        for recorder in self.recorders:
            world.record(recorder)
        self.worlds[name] = world

    def known_nodes(self, name: str, asked: object) -> Json:
        """The nodes that were described of a cluster that is to come; a size of several names has the one that is asked for."""
        described = self.described.get(name)
        if described is None:
            return {}
        size = name_of(described.vm_size, asked) or described.vm_size.model_dump(mode="json")
        return {"agentCount": described.nodes, "agentVmSize": size}

    def _described(self, name: str, cluster: ClusterSpec) -> ClusterSpec:
        described = self.described.get(name)
        return cluster if described is None else described.model_copy(update={"purpose": cluster.purpose})

    def end_cluster(self, name: str) -> None:
        """The cluster is gone."""
        del self.worlds[name]

    def create(
        self, spec: ServiceSpec, cluster: str, contents: Mapping[str, Content], auth: Auth, lifecycle: Lifecycle
    ) -> None:
        """Bring a service up."""
        self._add(spec, cluster, contents, auth, lifecycle).controller.start_cold()

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
        self._add(spec, cluster, contents, auth, lifecycle).controller.adopt(ready=ready, generation=generation)

    def _add(
        self, spec: ServiceSpec, cluster: str, contents: Mapping[str, Content], auth: Auth, lifecycle: Lifecycle
    ) -> SimulatedService:
        self.forget(spec.name)
        self._contents[spec.name] = dict(contents)
        watch = self.watches[spec.name] = Watch(self.calendar)
        service = self.worlds[cluster].add(
            spec,
            lifecycle,
            [watch, *self.observers, *self.service_observers.get(spec.name, ())],
            partial(self._model_of_version, spec.name),
            _Contents(self, spec.name),
            f"{spec.name}/",
            self.service_recorders.get(spec.name, ()),
        )
        self.services[spec.name] = service
        if self._watched:
            service.on_outcomes.append(watch.answered)
        service.plane.set_auth(auth)
        if spec.name in self._chances:
            service.take_chance(*self._chances[spec.name])
        if self._watched:
            watch.attach(service.controller)
        return service

    def change(
        self, spec: ServiceSpec, effects: tuple[Effect, ...], contents: Mapping[str, Content], generation: int
    ) -> None:
        """Get a service from what it is to `spec`."""
        self._contents[spec.name] = dict(contents)
        self.services[spec.name].controller.perform(spec, effects, generation)

    def authorise(self, name: str, auth: Auth, generation: int) -> None:
        """Requests need something else, in effect after `key_propagation`."""
        known = partial(self.services[name].controller.authorise, auth, generation)
        self.calendar.after(self._assumptions.key_propagation, Order.OPERATION, known)

    def clamped(self, name: str, version: str, how: str) -> None:
        """A version's setting acts otherwise than it was given."""
        self.happened(self.calendar.now, "setting_clamped", f"{name}/{version}", how)

    def end(self, name: str) -> None:
        """Take a service down."""
        service = self.services[name]
        for source in service.sources:
            source.stop()
        service.controller.end()

    def status(self, name: str) -> DeploymentStatus:
        """How many replicas each version has."""
        controller = self.services[name].controller
        versions = {}
        for version, deployment in controller.deployments.items():
            updated, ready = controller.counts_of(version, deployment.revision)
            versions[version] = VersionStatus(deployment.replicas, updated, ready)
        return DeploymentStatus(versions)

    def at(self, instant: Micros, action: Callable[[], None]) -> None:
        """Call `action` at `instant`, as an operation."""
        self.calendar.at(instant, Order.OPERATION, action)

    # -- what worlds tell

    def answered(self, outcomes: object) -> None:
        """Each service has its own watch."""

    def happened(self, at: int, kind: str, subject: str, detail: str = "") -> None:
        """Keep the event; containers that have ended may leave something behind."""
        self.events.append((Micros(at), kind, subject, detail))
        if kind == "pod_gone":
            self._look_for_unused()
        elif kind == "service_state" and detail == ServiceState.GONE.value and subject in self.services:
            self._retire(self._replies.pop(subject, {}).values())
            self._forget_later(subject, self.services[subject])

    def note(self, service: str, kind: str, subject: str, detail: str = "") -> None:
        """Something happened to a service now that no world tells: tell those who hear of it."""
        self.services[service].recorders.happened(self.calendar.now, kind, subject, detail)

    # -- profiles

    def told(self, service: str, version: str | None) -> Profile:
        """What was told of exactly this version, or of exactly the service."""
        return self._profiles.get((service, version), Profile())

    def profile_of(self, service: str, version: str) -> Profile:
        """What holds for a version: what is told of it, over what is told of its service."""
        return self.told(service, version).over(self.told(service, None))

    def model_of(self, service: str, version: str) -> ModelProfile:
        """The version's times."""
        return ModelProfile(**self.profile_of(service, version).model)

    def _model_of_version(self, service: str, version: VersionSpec) -> ModelProfile:
        """What containers of a version cost: what was told of their image, else of the version."""
        of_image = self._images.get((service, version.name, version.code.image))
        return self.model_of(service, version.name) if of_image is None else of_image

    def set_image_model(self, service: str, version: str, image: str, model: ModelProfile) -> None:
        """Tell what containers of an image to come will cost; `set_profile` of the version holds over it."""
        self._images[service, version, image] = model

    def set_profile(self, service: str, version: str | None, profile: Profile) -> None:
        """Set what holds for a version; or for a service: each version that has nothing of its own."""
        self._profiles[service, version] = profile
        for place in [place for place in self._images if place[0] == service and version in (None, place[1])]:
            del self._images[place]
        running = self.services.get(service)
        if running is None:
            return
        for name in running.controller.deployments:
            if version is None or name == version:
                running.controller.reprofile(name)
        self._look_for_unused()

    def drop_profiles(self, service: str, names: Iterable[str], reply: bool) -> None:
        """Versions give up values of their own, so that the service's hold for them.

        Args:
            service: its name.
            names: of the model's values.
            reply: whether their replies go, too.
        """
        gone = set(names)
        for (of, version), own in list(self._profiles.items()):
            if of == service and version is not None:
                kept = {name: value for name, value in own.model.items() if name not in gone}
                self._profiles[of, version] = Profile(kept) if reply else replace(own, model=kept)

    def set_chance(self, service: str, seed: int, replication: int) -> None:
        """A service, there or to come, takes the chance of a scenario's run."""
        self._chances[service] = (seed, replication)
        if service in self.services and not self.services[service].controller.ended:
            self.services[service].take_chance(seed, replication)

    # -- what containers answer with

    def wall(self, now: Micros) -> datetime:
        """The date and time of an instant, UTC."""
        return self._began + timedelta(microseconds=now)

    def replies(self, service: str, spec: ContainerSpec) -> Replies | AsyncReplies:
        """What a container answers with: made at the first that asks."""
        profile = self.profile_of(service, spec.version)
        reply = profile.reply
        known = self._replies.setdefault(service, {})
        collects = self._settings(service, spec.version).collects_data
        key = (spec.version, (spec.code.content, collects) if reply is UNSET else profile.number)
        if key not in known:
            known[key] = self._make(service, spec) if reply is UNSET else self.make_reply(service, reply, spec.version)
            self._look_for_unused()
        return known[key]

    def problem(self, service: str) -> str:
        """Why the files of one of the service's containers cannot be laid out; empty where they can."""
        known = self._replies.get(service, {}).values()
        problems = [each.problem for each in known if isinstance(each, BrokenContent | AsyncReplies)]
        return next((problem for problem in reversed(problems) if problem), "")

    def logs(self, service: str) -> dict[str, str]:
        """What the containers of each version have written."""
        found: dict[str, str] = {}
        for (version, _), replies in self._replies.get(service, {}).items():
            found[version] = found.get(version, "") + self._placed.sub(APP_ROOT, replies.logs())
        return found

    def forget(self, service: str) -> None:
        """End what is left of a service of that name."""
        gone = self.services.pop(service, None)
        if gone is not None:
            gone.world.forget(gone)
        self.watches.pop(service, None)
        self._contents.pop(service, None)
        self._end_replies(service)

    def _forget_later(self, name: str, gone: SimulatedService) -> None:
        """The service is gone: forget it when the router has learned that, too, and has answered all that it held."""

        def look() -> None:
            if self.services.get(name) is gone:
                if gone.plane.population:
                    self._forget_later(name, gone)
                else:
                    self.forget(name)

        self.calendar.after(max(self._assumptions.router_lag, SECOND), Order.POLICY, look)

    def _look_for_unused(self) -> None:
        """Once an instant, however many pods end at it."""
        if not self._looks and any(self._has_more(service) for service in self._replies):
            self._looks = True
            self.calendar.at(self.calendar.now, Order.POLICY, self._release_unused)

    def _has_more(self, service: str) -> bool:
        running = self.services.get(service)
        return running is not None and len(self._replies[service]) > len(running.controller.spec.versions)

    def _release_unused(self) -> None:
        """Close what no container has, and none will: its version was changed or removed, and its last pod is gone."""
        self._looks = False
        for service, known in self._replies.items():
            if not self._has_more(service):
                continue
            running = self.services[service]
            contents = {(version.name, version.code.content) for version in running.controller.templates()}
            unused = []
            for key in known:
                version, content = key
                number = self.profile_of(service, version).number
                if content != number and not (isinstance(content, tuple) and (version, content[0]) in contents):
                    unused.append(key)
            self._retire([known.pop(key) for key in unused])

    def _retire(self, unused: Iterable[Replies | AsyncReplies]) -> None:
        """No container has them, and none will; a request may still wait to hear that it was lost."""
        for replies in unused:
            if isinstance(replies, AsyncReplies):
                replies.retire()
            else:
                replies.close()

    def close(self) -> None:
        """End all processes."""
        for service in list(self._replies):
            self._end_replies(service)

    def _end_replies(self, service: str) -> None:
        for replies in self._replies.pop(service, {}).values():
            replies.close()

    def make_reply(self, service: str, reply: Simple | Rules, version: str = "") -> Replies:
        """What answers instead of a script.

        Raises:
            InvalidSetting: it is neither a function nor anything that can be sent.
        """
        if not isinstance(reply, Value):
            return RuleReply(reply, seed=self._seed, place=f"{service}\0{version}", service_name=service)
        if callable(reply.value):
            return CallableReply(reply.value, service_name=service)
        return FixedReply(reply.value, service_name=service)

    def _make(self, service: str, spec: ContainerSpec) -> Replies | AsyncReplies:
        content = self._contents[service].get(spec.version)
        request = None if content is None else content.request
        if (request is None or not request.get("driverProgram")) and (service, spec.version) in self.stand_ins:
            return self.make_reply(service, self.stand_ins[service, spec.version], spec.version)
        if content is None or request is None:
            return NoReply("It was deployed without one.", service_name=service)
        try:
            if not has_script(request):
                kinds = ", ".join(str(document.get("framework")) for document in content.models)
                return NoReply(f"The service brings one for {kinds} models; this twin does not.", service_name=service)
            laid_out = self._content_of(service, spec, request, content.models)
            return self._scripts(laid_out, lambda: not self.profile_of(service, spec.version).model)
        except AksError as error:
            return BrokenContent(error)

    def _content_of(self, service: str, spec: ContainerSpec, request: Json, documents: Sequence[Json]) -> ScriptContent:
        """What a deployment's containers have on disk, laid out when they start."""
        self._laid_out += 1
        folder = self.containers / str(self._laid_out)
        models = [model_files(document, self._asset) for document in documents]
        collection = self._collection(service, spec)

        def lay_out(tally: Tally) -> WorkerSpec:
            runs = unpack(
                request,
                fetch=self._files.download,
                models=models,
                folder=folder,
                service_name=service,
                service_version=spec.code.content[:12],
                workspace_name=self.identity.name,
                collection=collection,
                limits=self._limits,
                tally=tally,
            )
            assert runs is not None  # noqa: S101 - it has a script
            return runs

        return ScriptContent(folder, lay_out, self._files.limits, self._limits)

    def _collection(self, service: str, spec: ContainerSpec) -> DataCollection | None:
        if not self._settings(service, spec.version).collects_data:
            return None
        return DataCollection(self.collected, self.identity.subscription_id, self.identity.resource_group)

    def _settings(self, service: str, version: str) -> VersionSettings:
        return self.services[service].controller.spec.version(version).settings

    def service(self, name: str) -> SimulatedService:
        """The service of that name.

        Raises:
            NotFound: it was never brought up, or is gone.
        """
        if name not in self.services or self.services[name].controller.ended:
            raise NotFound(f"service {name} is not there")
        return self.services[name]


class _Contents:
    """What the containers of one service answer with."""

    def __init__(self, driver: Driver, service: str) -> None:
        self._driver = driver
        self._service = service

    def wall(self, now: Micros) -> datetime:
        return self._driver.wall(now)

    def replies(self, spec: ContainerSpec) -> Replies | AsyncReplies:
        return self._driver.replies(self._service, spec)

    def problem(self) -> str:
        return self._driver.problem(self._service)
