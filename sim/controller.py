"""One deployed service in the simulated control plane: performs what `cores.serving` decides.

It looks at pods, router and operation whenever the work queue says so, steps the core, and carries out its actions on the
simulated Deployments, the data plane and the autoscalers.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from akstwin.clock import Micros
from akstwin.control_plane.scalers import Scalers
from akstwin.cores import management, serving
from akstwin.cores.management import Facts, Lifecycle, ServiceLife, VersionFacts, Waiting
from akstwin.cores.routing import KeyAuth, TokenAuth
from akstwin.cores.serving import ServiceFacts, ServingState, VersionState
from akstwin.dataplane import DataPlane
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.changes import Effect, PodsReplaced, SettingsChanged, SplitChanged
from akstwin.domain.deployment import RouteSettings
from akstwin.domain.lifecycles import ServiceState
from akstwin.domain.profile import ModelProfile
from akstwin.domain.service import ServiceSpec, Split, VersionSpec
from akstwin.domain.usage import Usage
from akstwin.kubernetes_model import memory, scheduling
from akstwin.sim.calendar import Calendar, Order, Timer, key
from akstwin.sim.deployments import Deployments
from akstwin.sim.models import ModelDraws
from akstwin.sim.nodes import Nodes
from akstwin.sim.pods import Pod, Pods, stretch
from akstwin.sim.recording import ServiceRecorders
from akstwin.sim.workqueue import WorkQueue

_POD_LOG: Final = 10_000
"""Lines that are kept of what happened to a service's pods."""


class CapacityObserver(Protocol):
    """Hears how many replicas there are."""

    def replicas_changed(self, version: str, ready: int, desired: int, at: Micros) -> None:
        """Called when one of the numbers has changed."""
        ...


class ServiceController:
    """One service.

    Args:
        spec: what it is.
        lifecycle: holds its states and operations.
        plane: carries its requests.
        pods: the cluster's pods.
        nodes: the cluster's nodes.
        queue: calls `reconcile`.
        assumptions: what is assumed.
        calendar: tells the time.
        recorders: hear what happens to it.
        model: what the containers of a version cost.
        draws: gives run times to a version under a model.
        observers: hear how many replicas there are.
        ordinal: its number on the cluster; orders services at one instant.
        content_problem: why the files of its containers cannot be laid out; empty where they can.
    """

    def __init__(
        self,
        spec: ServiceSpec,
        lifecycle: Lifecycle,
        plane: DataPlane,
        pods: Pods,
        nodes: Nodes,
        queue: WorkQueue,
        assumptions: Assumptions,
        calendar: Calendar,
        recorders: ServiceRecorders,
        model: Callable[[VersionSpec], ModelProfile],
        draws: Callable[[str, ModelProfile], ModelDraws],
        observers: Sequence[CapacityObserver],
        ordinal: int,
        content_problem: Callable[[], str],
    ) -> None:
        self.name = spec.name
        self.plane = plane
        self.lifecycle = lifecycle
        self.ordinal = ordinal
        self._pods = pods
        self._nodes = nodes
        self._queue = queue
        self._assumptions = assumptions
        self._calendar = calendar
        self.recorders = recorders
        self._model = model
        self._draws = draws
        self._observers = observers
        self._content_problem = content_problem
        self._deployments = Deployments(self, pods, assumptions, model, draws)
        self._state = serving.created(spec, operation=None, image_at=None)
        self._reported: dict[str, tuple[int, int]] = {}
        self._scalers = Scalers(
            assumptions,
            lambda: calendar.now,
            lambda: self._state,
            self.usage,
            self._plan_look,
            self._scale,
        )
        self._routed: dict[str, RouteSettings] = {}  # what the router knows
        self._router_view = 0
        self._router_generation = 0
        self._access_generation = 0
        self._sent = 0  # messages to the router so far: they arrive in their order
        self._step: serving.Step | None = None
        """What is being done, while that takes more than one turn of the work queue."""
        self._wake: Timer | None = None
        self._wake_instant: Micros | None = None
        self.pod_log: deque[tuple[Micros, str, str | None, str, str]] = deque(maxlen=_POD_LOG)
        """Instant, kind, namespace (None: the workspace's), pod, detail."""

    # -- reading

    @property
    def life(self) -> ServiceLife:
        """What the management service says of it."""
        return self.lifecycle.life

    @property
    def state(self) -> ServingState:
        """What was decided for it so far."""
        return self._state

    @property
    def spec(self) -> ServiceSpec:
        """What was last asked for."""
        return self._state.spec

    @property
    def deployments(self) -> Mapping[str, VersionState]:
        """The versions on the cluster, in the order of their creation."""
        return {version.name: version for version in self._state.versions}

    @property
    def default(self) -> str:
        """The default version."""
        return self._state.split.default

    @property
    def ended(self) -> bool:
        """Whether it was deleted and has no pod left."""
        return self._state.ending and not any(group.pods for group in self._pods.groups(self).values())

    @property
    def split(self) -> Split:
        """The split last asked for; the router may not have seen it yet."""
        return self._state.split

    def split_in_force(self) -> Split:
        """The split among the versions that get traffic; the router may not have seen it yet."""
        return serving.split_in_force(self._state)

    def pods_of(self, version: str) -> list[Pod]:
        """The version's pods, the oldest first."""
        group = self._pods.groups(self).get(version)
        return [] if group is None else list(group.pods.values())

    def counts_of(self, version: str, revision: int) -> tuple[int, int]:
        """How many of the version's pods are of a revision and not on their way out, and how many of all are ready."""
        group = self._pods.groups(self).get(version)
        if group is None:
            return 0, 0
        of = group.revisions.get(revision)
        return 0 if of is None else of.staying, group.ready

    def templates(self) -> list[VersionSpec]:
        """What its containers are made of: those that there are, and those that are to come."""
        groups = self._pods.groups(self).values()
        running = [pod.template.version for group in groups for pod in group.pods.values()]
        return [*self.spec.versions, *(version.template for version in self._state.versions), *running]

    def usage(self, version: str) -> Usage:
        """How busy the version has been, and is."""
        return self.plane.usage(version)

    # -- commands

    def adopt(self, *, ready: bool, generation: int) -> None:
        """It was deployed before: no operation begins, and the router knows of it.

        A change may follow at once: an operation that is under way must not be taken for done before, so what follows from its
        pods is left to the work queue.

        Args:
            ready: whether replicas are there, as far as they fit; those that do not, or none of them, start now.
            generation: of the service that the router knows.
        """
        self._access_generation = self.life.generation
        self._state = replace(self._state, generation=generation)
        step = serving.step(self._state, self._facts(), self._calendar.now)
        self._state = step.state
        for action in step.actions:
            if isinstance(action, serving.SendView):
                self._deliver(action.view)
            elif isinstance(action, serving.ApplyDeployment):
                self._deployments.apply(action.version, action.template, action.revision, action.replicas)
        if ready:
            self._deployments.place_ready()
        self._scalers.drive()
        self._report()
        self._queue.add(self)

    def start_cold(self) -> None:
        """Its creation has begun: build the image, schedule, pull, start."""
        self._note_begun()
        self._access_generation = self.life.generation
        operation = self.life.running
        assert operation is not None  # noqa: S101
        image_at = None
        if operation.stage == "BuildImage":
            image_at = Micros(self._calendar.now + self._assumptions.image_build)
        self._state = serving.created(
            self._state.spec, operation=operation.number, image_at=image_at, generation=self.life.generation
        )
        self._reconcile_now()

    def perform(self, after: ServiceSpec, effects: tuple[Effect, ...], generation: int) -> None:
        """Do what the management core decided; an operation has begun if the effects take one.

        Args:
            after: the service as it shall be.
            effects: what has to be done for it.
            generation: of the service that this is.
        """
        self._note_changes(after, effects)
        operation = self.life.running if management.takes_operation(effects) else None
        if operation is not None:  # else what is left of one that has failed
            self._note_begun()
        image_at = None
        if operation is not None and operation.stage == "BuildImage":
            image_at = Micros(self._calendar.now + self._assumptions.image_build)
        self._state, ends = serving.changed(
            self._state,
            after,
            effects,
            operation=None if self.life.running is None else self.life.running.number,
            image_at=image_at,
            generation=generation,
        )
        for end in ends:
            self._deployments.end(end.version)
        self._reconcile_now()

    def authorise(self, auth: KeyAuth | TokenAuth | None, generation: int) -> None:
        """The router asks for other keys or tokens from now on: those of that generation of the service."""
        self.plane.set_auth(auth)
        self._access_generation = max(self._access_generation, generation)
        self._queue.add(self)

    def end(self) -> None:
        """Its deletion has begun: pods end within their grace, the router forgets the service."""
        self._note_begun()
        self._state = serving.ended(self._state)
        self._reconcile_now()

    def reprofile(self, version: str) -> None:
        """The version's model costs something else: for what starts in its containers from now on, and for containers to come."""
        models: dict[str, ModelProfile] = {}
        for pod in self.pods_of(version):
            model = models[pod.template.image] = self._model(pod.template.version)
            pod.template = replace(pod.template, model=model)
            pod.draws = self._draws(version, model)
        state = self._state.version(version)
        if state is not None:
            model, template = self._model(state.template), state.template
            self.plane.set_model(version, model, stretch(template, model), memory.limit(template.settings))

    def _reconcile_now(self) -> None:
        """A command has changed what is wanted: act on it before the command returns."""
        self._queue.add(self)
        self._queue.run()
        if not self._calendar.in_parts:
            self._queue.finish()

    # -- what pods tell

    def pods_changed(self, version: str) -> None:  # noqa: ARG002 - the port's
        """A pod is in another state: look at all of it before this instant is over."""
        self._queue.add(self)

    def pod_noted(self, at: Micros, kind: str, pod: Pod, detail: str) -> None:
        """Keep a line, of so many."""
        self.pod_log.append((at, kind, pod.namespace, pod.name, detail))

    # -- reconciling

    def reconcile(self) -> bool:
        """Look at what the service is like now, and do what follows from it; whether it has to go on with that."""
        if self._step is None:  # else many pods come or go, and it goes on with them
            now = self._calendar.now
            step = self._step = serving.step(self._state, self._facts(), now)
            self._state = step.state
            for action in step.actions:
                self._act(action, now)
            self._report()  # what is wanted, before pods are created for it
        advanced = self._deployments.reconcile()
        if self._deployments.unfinished:
            return True
        step, self._step = self._step, None
        if advanced:
            self._queue.add(self)
        self._scalers.drive()
        self._report()
        self._observe(step.wake, relieved=any(isinstance(action, serving.Relieve) for action in step.actions))
        return False

    def _act(self, action: serving.Action, now: Micros) -> None:
        match action:
            case serving.ApplyDeployment(version, template, revision, replicas):
                self._deployments.apply(version, template, revision, replicas)
            case serving.EndPods(version):
                self._deployments.end(version)
            case serving.SendView(view):
                self._send(view)
            case serving.UseImage():
                self.lifecycle.deploying(now)
            case serving.Scaled(version, before, after):
                self.recorders.happened(now, "scaled", version, f"{before} to {after}")
            case serving.Relieve():
                pass

    def _facts(self) -> ServiceFacts:
        groups = self._pods.groups(self)
        revisions = {version.name: version.revision for version in self._state.versions}
        life = self.lifecycle.life
        return ServiceFacts(
            {name: group.facts(revisions.get(name, 0)) for name, group in groups.items()},
            None if life.running is None else life.running.number,
            life.state is ServiceState.HEALTHY,
            self._router_view,
        )

    def _send(self, view: serving.RouterView) -> None:
        """The router learns of it late."""
        self._sent += 1
        self._calendar.after(
            self._assumptions.router_lag, Order.ROUTER_VIEW, lambda: self._deliver(view), key(0, self._sent)
        )

    def _deliver(self, view: serving.RouterView) -> None:
        if view.split is not None:
            for version, settings in view.settings:
                if self._routed.get(version) != settings:
                    self._routed[version] = settings
                    self.plane.configure(version, settings)
        self.plane.set_split(view.split)
        if view.split is not None:
            stays = {version for version, _ in view.settings} | set(view.kept)
            for version in [name for name in self._routed if name not in stays]:
                del self._routed[version]
                self.plane.remove(version)
        self._router_view = view.number
        self._router_generation = view.generation
        self._queue.add(self)

    def _observe(self, image_at: Micros | None, *, relieved: bool) -> None:
        """Tell the management core how far the service is; note what it makes of it."""
        now = self._calendar.now
        before, facts = self.life, self._management_facts()
        if relieved:
            self.lifecycle.relieve(facts, now)
        wake = self.lifecycle.observe(facts, now)
        after = self.life
        if after.state is not before.state:
            self.recorders.happened(now, "service_state", self.name, after.state.value)
        if before.running is not None and after.running is None:
            self.recorders.happened(now, "operation_ended", self.name, after.operations[-1].state.value)
        if after != before:
            self._queue.add(self)
        self._wake_at(min((each for each in (wake, image_at) if each is not None), default=None))

    def _wake_at(self, instant: Micros | None) -> None:
        if instant == self._wake_instant:
            return
        if self._wake is not None:
            self._wake.cancel()
        self._wake_instant = instant
        self._wake = None
        if instant is not None:
            self._wake = self._calendar.at(instant, Order.OPERATION, self._woken, key(self.ordinal))

    def _woken(self) -> None:
        self._wake = self._wake_instant = None
        self._queue.add(self)

    def _management_facts(self) -> Facts:
        facts = self._facts()
        progress = serving.progress(self._state, facts)
        groups = self._pods.groups(self)
        versions = {}
        for version in self._state.versions:
            versions[version.name] = VersionFacts(
                version.spec.settings.initial_replicas,
                facts.pods[version.name].serving if version.name in facts.pods else 0,
                self._waiting(version.name),
                version.crashing_since,
                groups[version.name].killed_for if version.name in groups else "",
            )
        return Facts(
            progress.wanted,
            progress.available,
            progress.rolled,
            progress.routed,
            self._waiting(),
            progress.crashing_since,
            progress.restarts,
            self.ended,
            self._content_problem() if progress.restarts else "",
            self._state.generation,
            self._router_generation,
            self._access_generation,
            versions,
        )

    def _waiting(self, version: str | None = None) -> Waiting | None:
        """What is to be said of pods that fit nowhere: a version's, or all."""
        longest, count = self._pods.unschedulable(self, version)
        if longest is None or longest.unschedulable_since is None:
            return None
        request = self._pods.request_of(longest.template.version)
        return Waiting(
            longest.unschedulable_since,
            scheduling.unschedulable_message(request, self._nodes.views(), self._assumptions.max_pods_per_node),
            scheduling.shortage_message(request, count),
        )

    def _report(self) -> None:
        """Tell the observers of numbers that have changed."""
        groups = self._pods.groups(self)
        numbers = {version.name: version.replicas for version in self._state.versions}
        for version in (*numbers, *(name for name in self._reported if name not in numbers)):
            ready = groups[version].ready if version in groups else 0
            now = (ready, numbers.get(version, 0))
            if self._reported.get(version) != now:
                self._reported[version] = now
                for observer in self._observers:
                    observer.replicas_changed(version, *now, self._calendar.now)

    def _note_begun(self) -> None:
        operation = self.life.operations[-1]
        self.recorders.happened(self._calendar.now, "operation_started", self.name, operation.kind)
        self.recorders.happened(self._calendar.now, "service_state", self.name, self.life.state.value)

    def _note_changes(self, after: ServiceSpec, effects: tuple[Effect, ...]) -> None:
        for effect in effects:
            match effect:
                case PodsReplaced(version):
                    self.recorders.happened(self._calendar.now, "version_updated", version.name, "rolls")
                case SettingsChanged(version):
                    self.recorders.happened(self._calendar.now, "version_updated", version.name, "at once")
                case SplitChanged():
                    shares = ", ".join(f"{name} {share:g}" for name, share in after.split.shares().items())
                    self.recorders.happened(self._calendar.now, "traffic_changed", self.name, shares)
                case _:
                    pass

    def _plan_look(self, version: VersionState, refresh: Micros, look: Callable[[], None]) -> Timer:
        return self._calendar.after(refresh, Order.AUTOSCALER, look, key(self.ordinal, version.number))

    def _scale(self, name: str, before: int, after: int) -> None:
        self.recorders.happened(self._calendar.now, "scaled", name, f"{before} to {after}")
        self._state = serving.scaled(self._state, name, after)
        self._queue.add(self)
