"""A scenario's world at t = 0, made by the management service like every other one: its cluster, its service, what is planned.

`akstwin run`, `Workspace.simulated(scenario=…)` and `akstwin serve --scenario` all begin here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, Final

from akstwin.backend import Backend, Json
from akstwin.cores import management
from akstwin.domain.deployment import DeployArguments
from akstwin.domain.operations import PlannedOperation
from akstwin.domain.profile import ModelProfile
from akstwin.domain.vm_sizes import VmSize, name_of
from akstwin.errors import AksError, InvalidSetting
from akstwin.policies import Policy, policy_of
from akstwin.policies.runner import Look, PolicyRunner
from akstwin.scenarios.load import Prepared
from akstwin.scenarios.measure import label_of
from akstwin.scenarios.payloads import image_request, patch_of, payload_of
from akstwin.sdk import wire
from akstwin.sim.backend import SimulatedBackend
from akstwin.sim.calendar import Order, key
from akstwin.sim.controller import CapacityObserver
from akstwin.sim.driver import Profile
from akstwin.sim.recording import Recorder
from akstwin.sim.world import SimulatedService, World

CLUSTER: Final = "scenario"
"""The name of the compute target that the scenario's cluster becomes."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A scenario's world.

    Attributes:
        backend: the workspace.
        world: the cluster.
        services: what runs on it, by name, in the scenario's order.
    """

    backend: SimulatedBackend
    world: World
    services: Mapping[str, SimulatedService]

    @property
    def service(self) -> SimulatedService:
        """The service of a scenario that has one."""
        (only,) = self.services.values()
        return only

    def close(self) -> None:
        """End its processes and remove its files."""
        self.backend.close()


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who hears of one service.

    Attributes:
        recorders: hear what happens to it.
        observers: hear how many replicas it has.
    """

    recorders: Sequence[Recorder] = ()
    observers: Sequence[CapacityObserver] = ()


def open_world(
    prepared: Prepared,
    *,
    replication: int = 1,
    recorders: Sequence[Recorder] = (),
    observers: Sequence[CapacityObserver] = (),
    listeners: Mapping[str, Listeners] | None = None,
    cluster_made: Callable[[World], None] = lambda _: None,
    **given: Any,
) -> Opened:
    """The scenario's cluster and services, at t = 0; nothing is planned yet.

    With `start: healthy` the services' deployment lies in the past and no time passes; with `cold` their creation begins.
    Services come in the scenario's order, so the first ones find room first.

    Args:
        prepared: the scenario.
        replication: 1, 2, …: the same world with other chance.
        recorders: hear what happens, to whichever service.
        observers: hear how many replicas there are, of whichever service.
        listeners: hear of one service only, by its name.
        cluster_made: called with the cluster before a service is on it.
        **given: what else `SimulatedBackend` takes.

    Raises:
        InvalidSetting: a service cannot begin so: its replicas do not fit.
        AksError: a value is refused.
    """
    scenario = prepared.scenario
    backend = SimulatedBackend(seed=scenario.seed, assumptions=scenario.assumptions, **given)
    try:
        backend.driver.recorders += recorders
        backend.driver.observers += observers
        for name, hearing in (listeners or {}).items():
            backend.driver.service_recorders[name] = list(hearing.recorders)
            backend.driver.service_observers[name] = list(hearing.observers)
        _adopt_cluster(backend, prepared)
        world = backend.driver.worlds[CLUSTER]
        cluster_made(world)
        services = {part.service.name: _open_service(backend, part, replication) for part in prepared.parts}
        return Opened(backend, world, services)
    except BaseException:
        backend.close()
        raise


def _open_service(backend: SimulatedBackend, part: Prepared, replication: int) -> SimulatedService:
    """Bring one service onto the cluster."""
    scenario, name = part.scenario, part.service.name
    for version in part.service.versions:
        backend.driver.set_profile(name, version.name, profile_of(part.models[version.name]))
        backend.driver.stand_ins[name, version.name] = part.replies[version.name]
    backend.driver.set_chance(name, scenario.seed, replication)
    payload = payload_of(part.service, CLUSTER, endpoint=scenario.endpoint is not None)
    if scenario.start == "cold":
        backend.create_service(payload)
    else:
        backend.management.services.adopt(payload)
        _check_room(part, backend.driver.service(name))
    return backend.driver.service(name)


def plan(
    opened: Opened,
    prepared: Prepared,
    *,
    policy: Policy | None = None,
    seen: Callable[[Look], None] = lambda _: None,
) -> None:
    """Plan the scenario's faults, operations and policies, from now on; those of one instant go by the order of the services.

    Args:
        opened: the world.
        prepared: the scenario.
        policy: decides instead of the scenario's own.
        seen: hears each look of a policy.
    """
    backend, start = opened.backend, opened.backend.calendar.now
    services = list(opened.services.values())
    for fault in prepared.scenario.faults:
        name = getattr(fault, "service", None)
        hit = (
            services[0] if name is None else opened.services[name]
        )  # a node's loss hits every service, whichever is named
        opened.world.plan_fault(fault.model_copy(update={"at": start + fault.at}), hit)
    numbers = count()
    for part in prepared.parts:
        for operation in part.scenario.operations:
            backend.calendar.at(
                start + operation.at,
                Order.OPERATION,
                partial(_operate, backend, part.service.name, operation),
                key(_PLANNED, next(numbers)),
            )
    planned = [
        (part.service.name, policy_of(spec) if policy is None else policy)
        for part in prepared.parts
        for spec in part.scenario.policies
    ]
    looks = [
        _Looks(backend, name, _runner(backend, name, each, seen), number) for number, (name, each) in enumerate(planned)
    ]
    for each in looks:
        each.look()


def _runner(backend: SimulatedBackend, name: str, policy: Policy, seen: Callable[[Look], None]) -> PolicyRunner:
    """Drives the service's rollout."""
    return PolicyRunner(
        policy,
        ScenarioEndpoint(backend, name),
        backend.driver.watches[name].observe,
        partial(_note, backend, name, type(policy).__name__),
        document=partial(backend.get_service, name),
        seen=seen,
    )


def _note(backend: SimulatedBackend, service: str, policy: str, kind: str, words: str) -> None:
    backend.note_policy(service, kind, policy, words)


_PLANNED: Final = 1 << 40
"""Planned operations come after all else of their class at one instant."""


class _Looks:
    """Lets a policy look at its interval, until it has done its work."""

    def __init__(self, backend: SimulatedBackend, name: str, runner: PolicyRunner, number: int) -> None:
        self._backend = backend
        self._name = name
        self._runner = runner
        self._number = number

    def look(self) -> None:
        """A refusal is kept as an event, as the caller would have met it, and ends the policy."""
        try:
            self._runner.look(self._backend.calendar.now)
        except AksError as refusal:
            self._backend.driver.note(
                self._name, "policy_refused", type(self._runner.policy).__name__, f"{refusal.status_hint}: {refusal}"
            )
            return
        if not self._runner.ended:
            self._backend.calendar.after(self._runner.interval, Order.POLICY, self.look, key(self._number))


class ScenarioEndpoint:
    """The scenario's service, as a policy acts on it: with the verbs of the SDK's classes.

    Args:
        backend: where it is.
        name: of the service.
    """

    def __init__(self, backend: Backend, name: str) -> None:
        self._backend = backend
        self._name = name

    def update_version(self, version_name: str, **settings: Any) -> None:
        """Change a version: its share, its replicas, what else `AksEndpoint.update_version` takes."""
        update(self._backend, self._name, version_name, DeployArguments(**settings))

    def delete_version(self, version_name: str) -> None:
        """Delete a version."""
        self._backend.patch_service(self._name, wire.version_removed_patch(version_name))

    def update(self, **settings: Any) -> None:
        """Change a web service."""
        update(self._backend, self._name, self._name, DeployArguments(**settings))


def _adopt_cluster(backend: SimulatedBackend, prepared: Prepared) -> None:
    cluster = prepared.scenario.cluster
    backend.driver.described[CLUSTER] = cluster
    group = f"/subscriptions/{backend.identity.subscription_id}/resourcegroups/{backend.identity.resource_group}"
    attach: Json = {
        "computeType": "AKS",
        "resourceId": f"{group}/providers/Microsoft.ContainerService/managedClusters/{CLUSTER}",
        "properties": {"clusterPurpose": cluster.purpose},
    }
    backend.management.computes.adopt(CLUSTER, {"location": backend.identity.location, "properties": attach})


def _check_room(prepared: Prepared, service: SimulatedService) -> None:
    """Refuse a healthy start without room for its replicas."""
    for name, deployment in service.controller.deployments.items():
        placed = sum(pod.ready for pod in service.controller.pods_of(name))
        if placed < deployment.replicas:
            label = label_of(prepared.service.name, name) if prepared.where else name
            beside = " beside the other services' " if prepared.where else " "
            fit = f"{placed} fit{beside}"
            if not placed:
                asked = service.world.pods.request_of(deployment.spec)
                fit = (
                    f"none fits{beside.rstrip()}: with its side-car each asks for {asked.cpu / 1000:g} cores and "
                    f"{asked.memory / 1000:g} GB; lower cpu_cores or memory_gb, or take a larger cluster.vm_size "
                )
            raise InvalidSetting(
                "cluster.nodes", prepared.scenario.cluster.nodes,
                f"enough for the {deployment.replicas} replicas that {label} starts with: "
                f"{fit}(start: cold shows how such a deployment ends)",
            )  # fmt: skip


def profile_of(model: ModelProfile) -> Profile:
    """What a scenario tells of a model, as a workspace keeps it."""
    return Profile({name: getattr(model, name) for name in model.model_fields_set})


def known_size(size: VmSize) -> str | None:
    """The name of a VM size, if it has one."""
    return name_of(size)


def _operate(backend: SimulatedBackend, name: str, operation: PlannedOperation) -> None:
    """A refusal is kept as an event, as the caller would have met it."""
    version = operation.version or backend.driver.service(name).controller.default
    try:
        if operation.model is not None:
            image = management.image_of(image_request(name, version, backend.clock.now())["environment"])
            backend.driver.set_image_model(name, version, image, operation.model)
        update(backend, name, version, operation.deploy, new_model=operation.model is not None)
    except AksError as refusal:
        backend.driver.note(name, "operation_refused", version, f"{refusal.status_hint}: {refusal}")


def update(backend: Backend, name: str, version: str, arguments: DeployArguments, *, new_model: bool = False) -> None:
    """Change a version of a service, as a user would.

    Args:
        backend: where.
        name: of the service.
        version: of it.
        arguments: what shall be different.
        new_model: whether its image is built anew.

    Raises:
        AksError: it is refused.
    """
    document = backend.get_service(name)
    versions = None if document["computeType"] == wire.SERVICE_TYPE else list(document["versions"])
    image = image_request(name, version, backend.clock.now()) if new_model else None
    backend.patch_service(name, patch_of(version, arguments, versions, image))
