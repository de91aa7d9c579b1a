"""One deployed service in the simulated control plane: Deployments, autoscalers, operations, changes.

It drives the cores (`rollout`, `autoscaling`, `management`) and performs what they decide.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol

from akstwin.clock import Micros
from akstwin.cores import management, rollout, scheduling
from akstwin.cores.autoscaling import Autoscaler
from akstwin.cores.management import (
    Added,
    Effect,
    Facts,
    Lifecycle,
    Operation,
    Removed,
    Reshared,
    Retuned,
    Rolled,
    ServiceLife,
)
from akstwin.dataplane import DataPlane
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.deployment import Autoscaled, DeployArguments, Fixed
from akstwin.domain.lifecycles import PodState, ServiceState
from akstwin.domain.profile import ModelProfile
from akstwin.domain.service import ServiceSpec, Split, VersionSpec
from akstwin.domain.usage import Usage
from akstwin.errors import InvalidSetting
from akstwin.sim.calendar import Calendar, Order, Timer, key
from akstwin.sim.models import ModelDraws
from akstwin.sim.nodes import Nodes
from akstwin.sim.pods import Pod, Pods, PodTemplate, stretch
from akstwin.sim.recording import Recorders

_POD_LOG: Final = 10_000
"""Lines that are kept of what happened to a service's pods."""


class CapacityObserver(Protocol):
    """Who wants to know how many replicas there are."""

    def replicas_changed(self, version: str, ready: int, desired: int, at: Micros) -> None:
        """Called at every change."""
        ...


@dataclass(slots=True)
class Deployment:
    """One version on the cluster.

    Attributes:
        spec: what it is deployed with now.
        made_from: what its pods are made from: `spec`, but for a change whose image is still being built.
        revision: of its pod template; 0: its first image is still being built.
        service: whose it is.
        replicas: what it asks for.
        rolling: whether an operation on it is under way; its autoscaler pauses.
        shares: whether it gets traffic: a version that is added later does once its operation has succeeded.
        autoscaler: None: a fixed number of replicas.
        tick: the autoscaler's next look.
        reconciling: whether its pods are being created and ended just now.
        moved: whether one of them has changed meanwhile.
    """

    spec: VersionSpec
    made_from: VersionSpec
    revision: int
    service: str
    replicas: int
    rolling: bool = False
    shares: bool = True
    autoscaler: Autoscaler | None = None
    tick: Timer | None = None
    reconciling: bool = False
    moved: bool = False

    @property
    def template(self) -> PodTemplate:
        """What its pods are made from now."""
        code = self.made_from.code
        return PodTemplate(
            self.made_from, self.revision, code.image or f"{self.service}/{self.spec.name}:{code.content}"
        )


@dataclass(frozen=True, slots=True)
class Change:
    """An update of one version.

    Attributes:
        version: which.
        deploy: the arguments given; what is None stays.
        model: a new model, and with it a new image; None: the same as before.
    """

    version: str
    deploy: DeployArguments
    model: ModelProfile | None = None


class ServiceController:
    """One service.

    Args:
        spec: what it is.
        lifecycle: holds its states and operations.
        plane: carries its requests.
        pods: the cluster's pods.
        nodes: the cluster's nodes.
        assumptions: what is assumed.
        calendar: tells the time.
        recorders: hear what happens.
        draws: gives run times to a version.
        observer: hears how many replicas there are.
    """

    def __init__(
        self,
        spec: ServiceSpec,
        lifecycle: Lifecycle,
        plane: DataPlane,
        pods: Pods,
        nodes: Nodes,
        assumptions: Assumptions,
        calendar: Calendar,
        recorders: Recorders,
        draws: Callable[[VersionSpec], ModelDraws],
        observer: CapacityObserver,
    ) -> None:
        self.name = spec.name
        self.plane = plane
        self.lifecycle = lifecycle
        self._pods = pods
        self._nodes = nodes
        self._assumptions = assumptions
        self._calendar = calendar
        self._recorders = recorders
        self._draws = draws
        self._observer = observer
        self._spec = spec
        self._split = spec.split
        self._stand_in = spec.default
        self._deployments = {version.name: self._new(version, revision=1) for version in spec.versions}
        self._crashing_since: dict[str, Micros] = {}
        self.pod_log: deque[tuple[Micros, str, str, str]] = deque(maxlen=_POD_LOG)
        self._leaving: dict[str, list[Pod]] = {}
        self._replaced: list[str] = []
        self._wake: Timer | None = None
        self._wake_instant: Micros | None = None
        self._deployed = False
        self._ending = False
        self._lagged = 0  # changes sent to the router so far: they arrive in their order

    def _new(self, version: VersionSpec, *, revision: int) -> Deployment:
        return Deployment(version, version, revision, self.name, version.settings.initial_replicas)

    # -- reading

    @property
    def life(self) -> ServiceLife:
        """What the management service says of it."""
        return self.lifecycle.life

    @property
    def spec(self) -> ServiceSpec:
        """What was last asked for."""
        return self._spec

    @property
    def deployments(self) -> Mapping[str, Deployment]:
        """The versions on the cluster, in the order of their creation."""
        return self._deployments

    @property
    def default(self) -> str:
        """The default version."""
        return self._split.default

    @property
    def ended(self) -> bool:
        """Whether it is gone for good."""
        return self._ending and not self._all_pods()

    @property
    def split(self) -> Split:
        """The split last asked for; the router may not have seen it yet."""
        return self._split

    def pods_of(self, version: str) -> list[Pod]:
        """The version's pods, the oldest first."""
        return [pod for pod in self._pods.all if pod.owner is self and pod.version == version]

    def usage(self, version: str) -> Usage:
        """How busy the version has been, and is."""
        return self.plane.usage(version)

    def _all_pods(self) -> list[Pod]:
        return [pod for pod in self._pods.all if pod.owner is self]

    # -- deploying

    def start_healthy(self) -> None:
        """The deployment lies in the past: replicas are ready, seen, and count from now.

        Raises:
            InvalidSetting: the replicas do not fit on the cluster.
        """
        self._deployed = True
        self._tell_router()
        for deployment in self._deployments.values():
            for placed in range(deployment.replicas):
                pod = self._pods.create_ready(deployment.template, self, self._draws(deployment.made_from))
                if pod is None:
                    raise InvalidSetting(
                        "cluster.nodes", len(self._nodes.all),
                        f"enough for the {deployment.replicas} replicas that {deployment.spec.name} starts with: "
                        f"{placed} fit (start: cold shows how such a deployment ends)",
                    )  # fmt: skip
            self._start_autoscaler(deployment)
            self._report(deployment)

    def restore(self, *, ready: bool) -> None:
        """It was deployed before the world stood still, and no operation begins.

        Args:
            ready: whether replicas are there, as far as they fit; those that do not, or none of them, start now.
        """
        self._deployed = True
        self._tell_router()
        for deployment in self._deployments.values():
            if ready:
                self._restore_pods(deployment)
            self._start_autoscaler(deployment)
            self._report(deployment)
            self._reconcile(deployment)
        # A change may follow at once: an operation that is under way must not be taken for done before.
        self._calendar.after(0, Order.OPERATION, self._observe)

    def _restore_pods(self, deployment: Deployment) -> None:
        for _ in range(deployment.replicas):
            if self._pods.create_ready(deployment.template, self, self._draws(deployment.made_from)) is None:
                return

    def start_cold(self) -> None:
        """Its creation has begun: build the image, schedule, pull, start."""
        self._note_begun()
        for deployment in self._deployments.values():
            deployment.rolling = True
            self._report(deployment)
        operation = self.life.running
        assert operation is not None  # noqa: S101
        if operation.stage == "BuildImage":
            self._calendar.after(self._assumptions.image_build, Order.OPERATION, lambda: self._deploy(operation))
            self._observe()
        else:
            self._deploy(operation)

    def _deploy(self, operation: Operation) -> None:
        """The image is there: the Deployments come to the cluster, and the router learns of the service."""
        if self.life.running != operation:  # timed out while the image was built
            return
        self.lifecycle.deploying(self._calendar.now)
        self._come_to_the_cluster()
        self._observe()

    def _come_to_the_cluster(self) -> None:
        if self._deployed:
            return
        self._deployed = True
        self._after_lag(self._tell_router)
        for deployment in self._deployments.values():
            self._reconcile(deployment)

    def _tell_router(self) -> None:
        if not self._deployed or self._ending:  # the router does not know of the service yet, or no more
            return
        for deployment in self._deployments.values():
            self.plane.configure(deployment.spec.name, deployment.spec.settings.route)
        self.plane.set_split(self.split_in_force())

    def split_in_force(self) -> Split:
        """The split among the versions that get traffic; while the default does not, the one before it stands in."""
        sharing = {name for name, deployment in self._deployments.items() if deployment.shares}
        split = self._split
        if split.default in sharing:
            self._stand_in = split.default
        default = split.default if split.default in sharing else self._stand_in
        return Split(default, tuple((name, share) for name, share in split.others if name in sharing - {default}))

    def end(self) -> None:
        """Its deletion has begun: pods end within their grace, the router forgets the service."""
        self._note_begun()
        self._ending = True
        for deployment in self._deployments.values():
            self._stop_autoscaler(deployment)
            deployment.replicas = 0
            self._report(deployment)
        self._after_lag(lambda: self.plane.set_split(None))
        for pod in self._all_pods():
            if pod.staying:
                self._pods.delete(pod)
        self._observe()

    # -- changing

    def update(self, change: Change) -> None:
        """Change a version as the service would (semantics §6.6): its template rolls its pods, the rest acts at once.

        Raises:
            Conflict: the template is to change and another operation is running; nothing has changed.
            InvalidSetting: the change, or what it leads to, is refused; nothing has changed.
            KeyError: no such version.
        """
        after = self._spec.changed(change.version, change.deploy, change.model)
        effects = management.effects_of(self._spec, after)
        rolls = management.takes_operation(effects)
        if rolls:
            self.lifecycle.begin("update", self._calendar.now, builds=management.builds(effects))
        self._recorders.happened(self._calendar.now, "version_updated", change.version, "rolls" if rolls else "at once")
        self.perform(after, effects)

    def reprofile(self, version: str, model: ModelProfile) -> None:
        """The version's model has other times: for what starts in its containers from now on, and for containers to come."""
        self._spec = ServiceSpec(
            self.name,
            tuple(replace(each, model=model) if each.name == version else each for each in self._spec.versions),
        )
        deployment = self._deployments[version]
        deployment.spec = replace(deployment.spec, model=model)
        deployment.made_from = made_from = replace(deployment.made_from, model=model)
        for pod in self.pods_of(version):
            pod.template = replace(pod.template, version=replace(pod.template.version, model=model))
            pod.draws = self._draws(made_from)
        self.plane.set_model(version, model, stretch(made_from))

    def set_traffic(self, percentages: Mapping[str, float]) -> None:
        """Change the shares of several versions at once; in effect after the router's lag.

        Raises:
            InvalidSetting: more than 100 per cent beside the default; nothing has changed.
        """
        after = self._spec
        for name, percentage in percentages.items():
            after = after.changed(name, DeployArguments(traffic_percentile=percentage))
        effects = management.effects_of(self._spec, after)
        self._recorders.happened(
            self._calendar.now, "traffic_changed", self.name,
            ", ".join(f"{name} {share:g}" for name, share in after.split.shares().items()),
        )  # fmt: skip
        self.perform(after, effects)

    def perform(self, after: ServiceSpec, effects: tuple[Effect, ...]) -> None:
        """Do what the management core decided; an operation has begun if they take one.

        Args:
            after: the service as it shall be.
            effects: what has to be done for it.
        """
        operation = self.life.running
        if operation is not None and management.takes_operation(effects):  # else what is left of one that has failed
            self._note_begun()
        self._spec = after
        for version in after.versions:
            if version.name in self._deployments:
                self._deployments[version.name].spec = version
        rolls = [effect.version.name for effect in effects if isinstance(effect, Added | Rolled)]
        retuned = [effect.version.name for effect in effects if isinstance(effect, Retuned)]
        self._come_and_go(effects)
        touched = [self._deployments[name] for name in (*rolls, *retuned)]
        if rolls:
            self._build([self._deployments[name] for name in rolls], operation)
        elif operation is None and any(isinstance(effect, Removed) for effect in effects):
            self._observe(relieved=True)
        self._after_lag(lambda: self._apply(touched))

    def _come_and_go(self, effects: tuple[Effect, ...]) -> None:
        replaced = any(isinstance(effect, Added) for effect in effects)
        for effect in effects:
            match effect:
                case Added(version):
                    self._let_go(version.name)  # of an earlier version of that name
                    added = self._deployments[version.name] = self._new(version, revision=0)
                    added.shares = False
                    self._report(added)
                case Removed(name):
                    self._remove(self._deployments.pop(name), replaced=replaced)
                case Reshared(split):
                    self._split = split
                case _:
                    pass

    def _build(self, deployments: list[Deployment], operation: Operation | None) -> None:
        """One operation, one build: what needs none waits for what does."""
        for deployment in deployments:
            deployment.rolling = True
        if operation is not None and operation.stage == "BuildImage":
            self._calendar.after(
                self._assumptions.image_build, Order.OPERATION, lambda: self._built(deployments, operation)
            )
            self._observe()
        else:
            for deployment in deployments:
                self._roll(deployment)

    def _built(self, deployments: list[Deployment], operation: Operation) -> None:
        """The new image is there; if its operation timed out meanwhile, nothing comes of it."""
        if self.life.running != operation:
            for deployment in deployments:
                code, model = deployment.made_from.code, deployment.made_from.model
                deployment.spec = replace(deployment.spec, code=code, model=model)
            versions = tuple(self._deployments[version.name].spec for version in self._spec.versions)
            self._spec = ServiceSpec(self.name, versions)
            return
        self.lifecycle.deploying(self._calendar.now)
        for deployment in deployments:
            self._roll(deployment)

    def _roll(self, deployment: Deployment) -> None:
        deployment.revision += 1
        deployment.made_from = deployment.spec
        self._come_to_the_cluster()  # if the creation timed out before there was an image, this makes good for it
        self._reconcile(deployment)
        self._observe()

    def _remove(self, deployment: Deployment, *, replaced: bool) -> None:
        """The version's share goes to the others; once the router has learned that, its pods end.

        One that others replace serves until they have come: an update that fails leaves it serving.
        """
        version = deployment.spec.name
        self._stop_autoscaler(deployment)
        self._crashing_since.pop(version, None)
        deployment.replicas = 0
        self._report(deployment)
        self._leaving[version] = self.pods_of(version)
        if replaced:
            self._replaced.append(version)
        else:
            self._after_lag(lambda: self._forget(version))

    def _forget(self, version: str) -> None:
        if version not in self._deployments:  # else it has been added again meanwhile
            self.plane.set_split(self.split_in_force())
            self.plane.remove(version)
        self._let_go(version)

    def _let_go(self, version: str) -> None:
        for pod in self._leaving.pop(version, ()):
            if pod.staying:
                self._pods.delete(pod)

    def _apply(self, touched: list[Deployment]) -> None:
        """What acts without new pods: routing, split, number of replicas, autoscaler."""
        self._tell_router()
        for deployment in touched:
            if self._deployments.get(deployment.spec.name) is deployment and not self._ending:
                self._apply_scaling(deployment)

    def _apply_scaling(self, deployment: Deployment) -> None:
        settings = deployment.spec.settings
        match settings.scaling:
            case Fixed(replicas):
                self._stop_autoscaler(deployment)
                self._scale(deployment, replicas)
            case Autoscaled() as scaling:
                if deployment.autoscaler is None:
                    self._start_autoscaler(deployment)
                elif deployment.autoscaler.settings != scaling:
                    self._stop_autoscaler(deployment)
                    self._start_autoscaler(deployment)
                elif deployment.autoscaler.slots != settings.route.slots:
                    self._restart_window(deployment)
                self._scale(deployment, min(max(deployment.replicas, scaling.minimum), scaling.maximum))

    def _note_begun(self) -> None:
        operation = self.life.operations[-1]
        self._recorders.happened(self._calendar.now, "operation_started", self.name, operation.kind)
        self._recorders.happened(self._calendar.now, "service_state", self.name, self.life.state.value)

    # -- the autoscaler

    def _start_autoscaler(self, deployment: Deployment) -> None:
        settings = deployment.spec.settings
        if not isinstance(settings.scaling, Autoscaled):
            return
        now = self._calendar.now
        deployment.autoscaler = Autoscaler(
            settings.scaling, settings.route.slots, self._assumptions.autoscale_down_window, now
        )
        self._restart_window(deployment)
        deployment.tick = self._calendar.after(
            settings.scaling.refresh, Order.AUTOSCALER, lambda: self._look(deployment)
        )

    def _stop_autoscaler(self, deployment: Deployment) -> None:
        if deployment.tick is not None:
            deployment.tick.cancel()
        deployment.autoscaler = deployment.tick = None

    def _restart_window(self, deployment: Deployment) -> None:
        scaling = deployment.spec.settings.scaling
        if deployment.autoscaler is not None and isinstance(scaling, Autoscaled):
            slots = deployment.spec.settings.route.slots
            deployment.autoscaler.restart(scaling, slots, self._calendar.now, self._demand(deployment))

    def _demand(self, deployment: Deployment) -> int:
        usage = self.plane.usage(deployment.spec.name)
        return usage.busy_area + (usage.queued_area if self._assumptions.autoscale_counts_queue else 0)

    def _look(self, deployment: Deployment) -> None:
        autoscaler = deployment.autoscaler
        assert autoscaler is not None  # noqa: S101
        if deployment.rolling:
            self._restart_window(deployment)
        else:
            wanted = autoscaler.look(deployment.replicas, self._demand(deployment), self._calendar.now)
            self._scale(deployment, wanted)
        deployment.tick = self._calendar.after(
            autoscaler.settings.refresh, Order.AUTOSCALER, lambda: self._look(deployment)
        )

    def _scale(self, deployment: Deployment, replicas: int) -> None:
        if replicas != deployment.replicas:
            self._recorders.happened(
                self._calendar.now, "scaled", deployment.spec.name, f"{deployment.replicas} to {replicas}"
            )
            deployment.replicas = replicas
            self._report(deployment)
            self._reconcile(deployment)

    # -- pods

    def _reconcile(self, deployment: Deployment) -> None:
        """Create and end pods as far as the rollout allows it now.

        A pod that is gone at once calls this again: what comes of it is planned anew here, not one call within another.
        """
        if not self._deployed or not deployment.revision:
            return
        deployment.moved = True
        if deployment.reconciling:
            return
        deployment.reconciling = True
        try:
            while deployment.moved:
                deployment.moved = False
                self._take_steps(deployment)
        finally:
            deployment.reconciling = False

    def _take_steps(self, deployment: Deployment) -> None:
        """Create and end pods until one of them is gone at once."""
        version = deployment.spec.name
        # A pod counts once the router has seen it: an old one that went before would leave a gap of the router's lag.
        views = [
            rollout.PodView(
                pod.number, pod.template.revision, pod.in_service, self.plane.in_flight(version, pod.number)
            )
            for pod in self.pods_of(version)
            if pod.staying
        ]
        steps = rollout.plan(
            views, deployment.replicas, deployment.revision,
            self._assumptions.max_surge, self._assumptions.max_unavailable,
        )  # fmt: skip
        for _ in range(steps.create):
            self._pods.create(deployment.template, self, self._draws(deployment.made_from))
        for number in steps.delete:
            pod = self._pods.get(number)
            if pod is not None and pod.staying:
                self._pods.delete(pod)
            if deployment.moved:
                break  # the view that the rest was planned from is old
        if steps.create or steps.delete:
            self._report(deployment)

    def pod_noted(self, at: Micros, kind: str, pod: Pod, detail: str) -> None:
        """Keep a line, of so many."""
        self.pod_log.append((at, kind, pod.name, detail))

    def pod_changed(self, pod: Pod) -> None:
        """A pod is in another state: go on with what depends on it."""
        deployment = self._deployments.get(pod.version)
        if deployment is None or self._ending:  # its version, or the service, is on its way out
            self._observe()
            return
        now = self._calendar.now
        if any(each.ready for each in self.pods_of(pod.version)):
            self._crashing_since.pop(pod.version, None)
        elif pod.state is PodState.BACKING_OFF:
            self._crashing_since.setdefault(pod.version, now)
        self._report(deployment)
        self._reconcile(deployment)
        self._observe()

    def _report(self, deployment: Deployment) -> None:
        version = deployment.spec.name
        ready = sum(pod.ready for pod in self.pods_of(version))
        self._observer.replicas_changed(version, ready, deployment.replicas, self._calendar.now)

    # -- management

    def _observe(self, *, relieved: bool = False) -> None:
        """Tell the management core what the pods are like, and whether a version has gone; note what it makes of it."""
        now = self._calendar.now
        before, facts = self.life, self._facts()
        if relieved:
            self.lifecycle.relieve(facts, now)
        wake = self.lifecycle.observe(facts, now)
        after = self.life
        if after.state is not before.state:
            self._recorders.happened(now, "service_state", self.name, after.state.value)
        if after.state is ServiceState.HEALTHY:
            self._all_in_place()
        if before.running is not None and after.running is None:
            ended = after.operations[-1]
            self._recorders.happened(now, "operation_ended", self.name, ended.state.value)
            for deployment in self._deployments.values():
                if deployment.rolling and not self._ending:
                    deployment.rolling = False
                    if deployment.autoscaler is None:
                        self._start_autoscaler(deployment)
                    else:
                        self._restart_window(deployment)
        if wake != self._wake_instant:
            if self._wake is not None:
                self._wake.cancel()
            self._wake_instant = wake
            self._wake = None if wake is None else self._calendar.at(wake, Order.OPERATION, self._woken)

    def _all_in_place(self) -> None:
        """It is Healthy, which it is only with all versions there: they get their shares, and what they replace ends."""
        if not all(each.shares for each in self._deployments.values()):
            for deployment in self._deployments.values():
                deployment.shares = True
            self._after_lag(self._tell_router)
        for name in self._replaced:
            self._after_lag(partial(self._forget, name))
        self._replaced.clear()

    def _woken(self) -> None:
        self._wake = self._wake_instant = None
        self._observe()

    def _facts(self) -> Facts:
        wanted = available = restarts = 0
        rolled = True
        waiting: list[Pod] = []
        for name, deployment in self._deployments.items():
            pods = self.pods_of(name)
            current = [pod for pod in pods if pod.template.revision == deployment.revision and pod.staying]
            ready = sum(pod.ready for pod in current)
            wanted += deployment.replicas
            available += sum(pod.ready for pod in pods)
            older = any(pod.staying and pod.template.revision != deployment.revision for pod in pods)
            rolled = rolled and ready >= deployment.replicas and not older
            restarts = max([restarts, *(pod.restarts_in_row for pod in current)])
            waiting += [pod for pod in pods if pod.unschedulable_since is not None]
        since = min((pod.unschedulable_since for pod in waiting if pod.unschedulable_since is not None), default=None)
        message = shortage = ""
        if waiting:
            request = self._pods.request_of(waiting[0].template.version)
            message = scheduling.unschedulable_message(
                request, self._nodes.views(), self._assumptions.max_pods_per_node
            )
            shortage = scheduling.shortage_message(request, len(waiting))
        crashing = min(self._crashing_since.values(), default=None)
        return Facts(wanted, available, rolled, since, message, shortage, crashing, restarts, self.ended)

    def _after_lag(self, action: Callable[[], None]) -> None:
        self._lagged += 1
        self._calendar.after(self._assumptions.router_lag, Order.ROUTER_VIEW, action, key(0, self._lagged))
