"""A scenario as a simulated workspace: its cluster, its service, its traffic and faults, under the SDK's classes."""

from collections.abc import Mapping
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Final

from akstwin.backend import Json
from akstwin.clock import NEVER, Micros
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.cluster import VM_SIZES, VmSize
from akstwin.domain.deployment import DeployArguments
from akstwin.domain.lifecycles import OperationState
from akstwin.domain.operations import PlannedOperation
from akstwin.domain.profile import ModelProfile
from akstwin.domain.service import VersionSpec
from akstwin.errors import AksError
from akstwin.policies.canary import Canary
from akstwin.policies.policy import Policy
from akstwin.scenarios.load import Prepared, document_of, prepare
from akstwin.sdk import wire
from akstwin.sdk.waiting import wait
from akstwin.sim.backend import SimulatedBackend
from akstwin.sim.calendar import Order
from akstwin.sim.driver import Profile

CLUSTER: Final = "scenario"
"""The name of the compute target that the scenario's cluster becomes."""


def open_scenario(
    *,
    scenario: str | PathLike[str] | Mapping[str, Any],
    seed: int | None = None,
    assumptions: Mapping[str, Any] | Assumptions | None = None,
    script_seconds: float = 60.0,
) -> SimulatedBackend:
    """The workspace of a scenario.

    Cluster and service are made as a user would make them, which takes virtual time; with `start: healthy` the service is
    Healthy when this returns. What the scenario says of traffic, faults, operations and policies counts from that moment.
    Its objectives, duration and replications belong to `akstwin run` and play no part.

    Args:
        scenario: a file, or its content.
        seed: instead of the scenario's.
        assumptions: over the scenario's own.
        script_seconds: real seconds after which an entry script counts as hung.

    Raises:
        BadScenario: anything in it is wrong.
        AksError: its deployment fails.
    """
    prepared = _prepared(scenario, seed, assumptions)
    told = prepared.scenario
    backend = SimulatedBackend(seed=told.seed, assumptions=told.assumptions, script_seconds=script_seconds)
    _make_cluster(backend, prepared)
    for version in prepared.service.versions:
        backend.driver.set_profile(prepared.service.name, version.name, _profile(version.model))
    _deploy(backend, prepared)
    if told.start == "healthy":  # the router has seen the replicas
        backend.clock.sleep_until(Micros(backend.clock.now() + told.assumptions.router_lag))
    _plan(backend, prepared)
    return backend


def _prepared(
    scenario: str | PathLike[str] | Mapping[str, Any],
    seed: int | None,
    assumptions: Mapping[str, Any] | Assumptions | None,
) -> Prepared:
    if isinstance(scenario, Mapping):
        path, document = Path("scenario"), dict(scenario)
        if seed is not None:
            document["seed"] = seed
    else:
        path = Path(scenario)
        document = document_of(path, seed=seed)
    if isinstance(assumptions, Assumptions):
        document["assumptions"] = assumptions
    elif assumptions:
        document["assumptions"] = {**document.get("assumptions", {}), **assumptions}
    return prepare(document, path)


def _make_cluster(backend: SimulatedBackend, prepared: Prepared) -> None:
    cluster = prepared.scenario.cluster
    backend.driver.described[CLUSTER] = cluster
    backend.driver.sizes[CLUSTER] = _known(cluster.vm_size)
    group = f"/subscriptions/{backend.identity.subscription_id}/resourcegroups/{backend.identity.resource_group}"
    attach: Json = {
        "computeType": "AKS",
        "resourceId": f"{group}/providers/Microsoft.ContainerService/managedClusters/{CLUSTER}",
        "properties": {"clusterPurpose": cluster.purpose},
    }
    payload = {"location": backend.identity.location, "properties": attach}
    _wait(backend, backend.put_compute(CLUSTER, payload))


def _profile(model: ModelProfile) -> Profile:
    return Profile({name: getattr(model, name) for name in model.model_fields_set})


def _known(size: VmSize) -> str | None:
    return next((name for name, known in VM_SIZES.items() if known == size), None)


def _deploy(backend: SimulatedBackend, prepared: Prepared) -> None:
    service = prepared.service
    first, *more = service.versions
    arguments = _arguments(first)
    if prepared.scenario.endpoint is None:
        payload = wire.service_payload(
            arguments, name=service.name, compute_name=CLUSTER, environment_image_request=None
        )
    else:
        payload = wire.endpoint_payload(
            {**arguments, "version_name": first.name},
            name=service.name,
            compute_name=CLUSTER,
            environment_image_request=None,
        )
    operation: str | None = backend.create_service(payload)
    if prepared.scenario.start == "cold" and not more:
        return
    _wait(backend, operation)
    names = [first.name]
    for version in more:
        patch = wire.version_added_patch(
            version.name, names, _arguments(version), compute_name=CLUSTER, environment_image_request=None
        )
        names.append(version.name)
        _wait(backend, backend.patch_service(service.name, patch))


def _arguments(version: VersionSpec) -> dict[str, Any]:
    """The SDK's arguments; autoscaler settings stand on the wire only beside `autoscale_enabled`."""
    given = version.arguments.model_dump(exclude_none=True)
    if any(name.startswith("autoscale_") for name in given):
        given.setdefault("autoscale_enabled", True)
    return given


def _wait(backend: SimulatedBackend, operation_id: str | None) -> None:
    if operation_id is None:
        return
    operation = wait(backend, operation_id, show=False)
    if operation.state is not OperationState.SUCCEEDED:
        raise AksError(f"the scenario's deployment ended {operation.state}: {operation.error}")


def _plan(backend: SimulatedBackend, prepared: Prepared) -> None:
    told, name = prepared.scenario, prepared.service.name
    start = backend.clock.now()
    running = backend.driver.service(name)
    for fault in told.faults:
        running.world.plan_fault(fault.model_copy(update={"at": start + fault.at}), running)
    for operation in told.operations:
        backend.driver.at(Micros(start + operation.at), partial(_operate, backend, name, operation))
    for spec in told.policies:
        _PolicyRun(backend, name, Canary(spec)).look()
    if told.traffic:
        running.send(told.traffic, told.clients, (0, NEVER), backend.simulation.new_entries(len(told.traffic)))


def _operate(backend: SimulatedBackend, name: str, operation: PlannedOperation) -> None:
    """A refusal is kept as an event, as the caller would have met it."""
    version = operation.version or backend.driver.service(name).controller.default
    if operation.model is not None:
        backend.driver.set_profile(name, version, _profile(operation.model))
    try:
        _update(backend, name, version, operation.deploy, new_model=operation.model is not None)
    except AksError as refusal:
        backend.driver.happened(backend.clock.now(), "operation_refused", version, f"{refusal.status_hint}: {refusal}")


def _update(
    backend: SimulatedBackend, name: str, version: str, arguments: DeployArguments, *, new_model: bool = False
) -> None:
    given = arguments.model_dump(exclude_none=True)
    if new_model:  # a new model has a new image, which is built and rolled out
        build = {"name": "scenario", "version": f"{version}-{backend.clock.now()}"}
        given["environment_image_request"] = {"modelIds": [], "environment": build}
    if backend.get_service(name)["computeType"] == wire.SERVICE_TYPE:
        patch = wire.update_patch(given)
    else:
        patch = wire.version_patch(version, list(backend.get_service(name)["versions"]), given)
    backend.patch_service(name, patch)


class _PolicyRun:
    """Calls one policy at its interval, with what users saw meanwhile."""

    def __init__(self, backend: SimulatedBackend, name: str, policy: Policy) -> None:
        self._backend = backend
        self._name = name
        self._policy = policy

    def update_version(self, version_name: str, *, traffic_percentile: float) -> None:
        """Change the version's share of the traffic."""
        _update(self._backend, self._name, version_name, DeployArguments(traffic_percentile=traffic_percentile))

    def look(self) -> None:
        """Call the policy, and again after its interval."""
        driver = self._backend.driver
        observed = driver.watches[self._name].observe(Micros(self._policy.interval))
        done = self._policy.step(self, observed)
        if done is not None:
            driver.happened(self._backend.clock.now(), "policy", type(self._policy).__name__, done)
        driver.calendar.after(self._policy.interval, Order.POLICY, self.look)
