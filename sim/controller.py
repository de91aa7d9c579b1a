"""One deployed service in the simulated control plane: Deployments, autoscalers, operations, changes.

It drives the cores (`rollout`, `autoscaling`, `management`) and performs what they decide.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from akstwin.clock import Micros
from akstwin.cores import management, rollout, scheduling
from akstwin.cores.autoscaling import Autoscaler
from akstwin.cores.management import Facts, ManagementRules, Operation, OperationKind, ServiceRecord
from akstwin.dataplane import DataPlane
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.deployment import Autoscaled, DeployArguments, Fixed
from akstwin.domain.lifecycles import PodState
from akstwin.domain.profile import ModelProfile
from akstwin.domain.service import ServiceSpec, Split, VersionSpec, split_of
from akstwin.domain.usage import Usage
from akstwin.errors import InvalidSetting
from akstwin.sim.calendar import Calendar, Order, Timer
from akstwin.sim.models import ModelDraws
from akstwin.sim.nodes import Nodes
from akstwin.sim.pods import Pod, Pods, PodTemplate
from akstwin.sim.requests import Recorders


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
        revision: of its pod template.
        image: what its pods run.
        replicas: what it asks for.
        rolling: whether an operation on it is under way; its autoscaler pauses.
        autoscaler: None: a fixed number of replicas.
        tick: the autoscaler's next look.
    """

    spec: VersionSpec
    made_from: VersionSpec
    revision: int
    image: str
    replicas: int
    rolling: bool = False
    autoscaler: Autoscaler | None = None
    tick: Timer | None = None

    @property
    def template(self) -> PodTemplate:
        """What its pods are made from now."""
        return PodTemplate(self.made_from, self.revision, self.image)


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
        self._pods = pods
        self._nodes = nodes
        self._assumptions = assumptions
        self._calendar = calendar
        self._recorders = recorders
        self._draws = draws
        self._observer = observer
        self._rules = ManagementRules(
            assumptions.unschedulable_after,
            assumptions.deployment_timeout,
            assumptions.crash_restarts_failed,
            assumptions.crash_time_failed,
            assumptions.unhealthy_after,
        )
        self._default = default_version(spec)
        self._deployments = {
            version.name: Deployment(
                version, version, 1, f"{spec.name}/{version.name}:1", version.settings.initial_replicas
            )
            for version in spec.versions
        }
        self._split = self._split_now()
        self._crashing_since: dict[str, Micros] = {}
        self._wake: Timer | None = None
        self._wake_instant: Micros | None = None
        self._deployed = False
        self.record: ServiceRecord = management.healthy(spec.name)

    # -- reading

    @property
    def deployments(self) -> Mapping[str, Deployment]:
        """The versions on the cluster, in the order of their creation."""
        return self._deployments

    @property
    def default(self) -> str:
        """The default version."""
        return self._default

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

    def start_cold(self) -> None:
        """Create the service now: build the image, schedule, pull, start."""
        self._begin(None, "create", builds=True)
        for deployment in self._deployments.values():
            deployment.rolling = True
            self._report(deployment)
        self._calendar.after(self._assumptions.image_build, Order.OPERATION, self._deploy)
        self._observe()

    def _deploy(self) -> None:
        """The image is there: the Deployments come to the cluster, and the router learns of the service."""
        if self.record.running is None:  # timed out while the image was built
            return
        self.record = management.deploying(self.record)
        self._deployed = True
        self._after_lag(self._tell_router)
        for deployment in self._deployments.values():
            self._reconcile(deployment)
        self._observe()

    def _tell_router(self) -> None:
        if not self._deployed:  # the router does not know of the service yet
            return
        for deployment in self._deployments.values():
            self.plane.configure(deployment.spec.name, deployment.spec.settings.route)
        self.plane.set_split(self._split)

    # -- changing

    def update(self, change: Change) -> None:
        """Change a version as the service would (semantics §6.6): its template rolls its pods, the rest acts at once.

        Raises:
            Conflict: the template is to change and another operation is running; nothing has changed.
            InvalidSetting: the change, or what it leads to, is refused; nothing has changed.
            KeyError: no such version.
        """
        deployment = self._deployments[change.version]
        before = deployment.spec
        after = VersionSpec(before.name, before.arguments.updated(change.deploy), change.model or before.model)
        default = self._default
        if change.deploy.is_default:
            default = change.version
        split = self._checked_split({change.version: after}, default)
        new_image = change.model is not None
        rolls = new_image or after.settings.template != before.settings.template
        if rolls:
            self._begin(self.record, "update", builds=new_image)
        self._recorders.happened(self._calendar.now, "version_updated", change.version, "rolls" if rolls else "at once")
        self._default, self._split = default, split
        deployment.spec = after
        if rolls:
            deployment.rolling = True
            if new_image:
                operation = self.record.running
                self._calendar.after(
                    self._assumptions.image_build, Order.OPERATION, lambda: self._built(deployment, operation)
                )
                self._observe()
            else:
                self._roll(deployment)
        self._after_lag(lambda: self._apply(deployment))

    def set_traffic(self, percentages: Mapping[str, float]) -> None:
        """Change the shares of several versions at once; in effect after the router's lag.

        Raises:
            InvalidSetting: more than 100 per cent beside the default; nothing has changed.
        """
        changed = {
            name: VersionSpec(
                name, spec.arguments.updated(DeployArguments(traffic_percentile=percentages[name])), spec.model
            )
            for name, spec in ((name, self._deployments[name].spec) for name in percentages)
        }
        split = self._checked_split(changed, self._default)
        for name, spec in changed.items():
            self._deployments[name].spec = spec
        self._split = split
        self._recorders.happened(
            self._calendar.now, "traffic_changed", self.name,
            ", ".join(f"{name} {share:g}" for name, share in split.shares().items()),
        )  # fmt: skip
        self._after_lag(self._tell_router)

    def _apply(self, deployment: Deployment) -> None:
        """What acts without new pods: routing, split, number of replicas, autoscaler."""
        settings = deployment.spec.settings
        self._tell_router()
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

    def _built(self, deployment: Deployment, operation: Operation | None) -> None:
        """The new image is there; if its operation timed out meanwhile, nothing comes of it."""
        if self.record.running != operation:
            deployment.spec = replace(deployment.spec, model=deployment.made_from.model)
            return
        self.record = management.deploying(self.record)
        deployment.image = f"{self.name}/{deployment.spec.name}:{deployment.revision + 1}"
        self._roll(deployment)

    def _roll(self, deployment: Deployment) -> None:
        deployment.revision += 1
        deployment.made_from = deployment.spec
        if not self._deployed:  # the creation timed out before there was an image; this operation makes good for it
            self._deployed = True
            self._after_lag(self._tell_router)
            for other in self._deployments.values():
                self._reconcile(other)
        self._reconcile(deployment)
        self._observe()

    def _begin(self, record: ServiceRecord | None, kind: OperationKind, *, builds: bool) -> None:
        self.record = management.begin(record, self.name, kind, self._calendar.now, builds=builds)
        self._recorders.happened(self._calendar.now, "operation_started", self.name, kind)
        self._recorders.happened(self._calendar.now, "service_state", self.name, self.record.state.value)

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
        """Create and end pods as far as the rollout allows it now."""
        if not self._deployed:
            return
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
        # New ones first: a pod that is gone at once has this called again, and would be replaced twice.
        for _ in range(steps.create):
            self._pods.create(deployment.template, self, self._draws(deployment.made_from))
        for number in steps.delete:
            pod = self._pods.get(number)
            if pod is not None and pod.staying:
                self._pods.delete(pod)
        if steps.create or steps.delete:
            self._report(deployment)

    def pod_changed(self, pod: Pod) -> None:
        """A pod is in another state: go on with what depends on it."""
        deployment = self._deployments[pod.version]
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

    def _observe(self) -> None:
        """Tell the management core what the pods are like, and note what it makes of it."""
        now = self._calendar.now
        facts = self._facts()
        before = self.record
        self.record = after = management.observe(before, facts, self._rules, now)
        if after.state is not before.state:
            self._recorders.happened(now, "service_state", self.name, after.state.value)
        if before.running is not None and after.running is None:
            ended = after.operations[-1]
            self._recorders.happened(now, "operation_ended", self.name, ended.state.value)
            for deployment in self._deployments.values():
                if deployment.rolling:
                    deployment.rolling = False
                    if deployment.autoscaler is None:
                        self._start_autoscaler(deployment)
                    else:
                        self._restart_window(deployment)
        wake = management.wake_at(self.record, facts, self._rules, now)
        if wake != self._wake_instant:
            if self._wake is not None:
                self._wake.cancel()
            self._wake_instant = wake
            self._wake = None if wake is None else self._calendar.at(wake, Order.OPERATION, self._woken)

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
        return Facts(wanted, available, rolled, since, message, shortage, crashing, restarts)

    # -- the split

    def _split_now(self) -> Split:
        return self._checked_split({}, self._default)

    def _checked_split(self, changed: Mapping[str, VersionSpec], default: str) -> Split:
        percentages = {
            name: changed.get(name, deployment.spec).arguments.traffic_percentile
            for name, deployment in self._deployments.items()
        }
        try:
            return split_of(percentages, default)
        except ValueError as error:
            raise InvalidSetting("traffic_percentile", percentages, str(error)) from None

    def _after_lag(self, action: Callable[[], None]) -> None:
        self._calendar.after(self._assumptions.router_lag, Order.CLUSTER, action)


def default_version(spec: ServiceSpec) -> str:
    """The version that says it is the default, else the first (semantics §1.5).

    Raises:
        InvalidSetting: two say so.
    """
    claims = [version.name for version in spec.versions if version.arguments.is_default]
    if len(claims) > 1:
        raise InvalidSetting("is_default", " and ".join(claims), "true for one version only")
    return claims[0] if claims else spec.versions[0].name
