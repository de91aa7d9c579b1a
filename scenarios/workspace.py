"""A scenario as a simulated workspace: its cluster, its service, its traffic and faults, under the SDK's classes."""

from collections.abc import Mapping
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Final

from akstwin.backend import Backend, Json
from akstwin.clock import NEVER, Micros
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.deployment import DeployArguments
from akstwin.domain.lifecycles import OperationState
from akstwin.domain.operations import PlannedOperation
from akstwin.domain.profile import ModelProfile
from akstwin.domain.replying import Value
from akstwin.domain.service import VersionSpec
from akstwin.domain.vm_sizes import VmSize, name_of
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
    traffic: bool = True,
    **given: Any,
) -> SimulatedBackend:
    """The workspace of a scenario.

    Cluster and service are made as a user would make them, which takes virtual time; with `start: healthy` the service is
    Healthy when this returns. What the scenario says of traffic, faults, operations and policies counts from that moment.
    Its objectives, duration and replications belong to `akstwin run` and play no part.

    Args:
        scenario: a file, or its content.
        seed: instead of the scenario's.
        assumptions: over the scenario's own.
        traffic: whether its clients call.
        **given: what else `SimulatedBackend` takes.

    Raises:
        BadScenario: anything in it is wrong.
        AksError: its deployment fails.
    """
    prepared = _prepared(scenario, seed, assumptions)
    told = prepared.scenario
    backend = SimulatedBackend(seed=told.seed, assumptions=told.assumptions, **given)
    _make_cluster(backend, prepared)
    for version in prepared.service.versions:
        backend.driver.set_profile(prepared.service.name, version.name, _profile(version.model))
        backend.driver.stand_ins[prepared.service.name, version.name] = Value({"version": version.name}, "reply")
    deploy(backend, prepared, CLUSTER)
    if told.start == "healthy":  # the router has seen the replicas
        backend.clock.sleep_until(Micros(backend.clock.now() + told.assumptions.router_lag))
    _plan(backend, prepared, traffic=traffic)
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
    group = f"/subscriptions/{backend.identity.subscription_id}/resourcegroups/{backend.identity.resource_group}"
    attach: Json = {
        "computeType": "AKS",
        "resourceId": f"{group}/providers/Microsoft.ContainerService/managedClusters/{CLUSTER}",
        "properties": {"clusterPurpose": cluster.purpose},
    }
    payload = {"location": backend.identity.location, "properties": attach}
    wait_for(backend, backend.put_compute(CLUSTER, payload))


def _profile(model: ModelProfile) -> Profile:
    return Profile({name: getattr(model, name) for name in model.model_fields_set})


def known_size(size: VmSize) -> str | None:
    """The name of a VM size, if it has one."""
    return name_of(size)


def deploy(backend: Backend, prepared: Prepared, cluster: str) -> None:
    """Bring the scenario's service up, version by version, as a user would.

    Args:
        backend: where.
        prepared: the scenario.
        cluster: the name of the compute target.

    Raises:
        AksError: it is refused, or fails.
    """
    service = prepared.service
    first, *more = service.versions
    arguments = _arguments(first)
    if prepared.scenario.endpoint is None:
        payload = wire.service_payload(
            arguments, name=service.name, compute_name=cluster, environment_image_request=None
        )
    else:
        payload = wire.endpoint_payload(
            {**arguments, "version_name": first.name},
            name=service.name,
            compute_name=cluster,
            environment_image_request=None,
        )
    operation: str | None = backend.create_service(payload)
    if prepared.scenario.start == "cold" and not more:
        return
    wait_for(backend, operation)
    names = [first.name]
    for version in more:
        patch = wire.version_added_patch(
            version.name, names, _arguments(version), compute_name=cluster, environment_image_request=None
        )
        names.append(version.name)
        wait_for(backend, backend.patch_service(service.name, patch))


def _arguments(version: VersionSpec) -> dict[str, Any]:
    """The SDK's arguments; autoscaler settings stand on the wire only beside `autoscale_enabled`."""
    given = version.arguments.model_dump(exclude_none=True)
    if any(name.startswith("autoscale_") for name in given):
        given.setdefault("autoscale_enabled", True)
    return given


def wait_for(backend: Backend, operation_id: str | None) -> None:
    """Wait for the end of an operation; None: there is none.

    Raises:
        AksError: it has not succeeded.
    """
    if operation_id is None:
        return
    operation = wait(backend, operation_id, show=False)
    if operation.state is not OperationState.SUCCEEDED:
        raise AksError(f"the scenario's deployment ended {operation.state}: {operation.error}")


def document_in_virtual_time(prepared: Prepared) -> Json:
    """What a workspace says of the scenario's service once it is up."""
    backend = SimulatedBackend(seed=prepared.scenario.seed, assumptions=prepared.scenario.assumptions)
    try:
        _make_cluster(backend, prepared)
        deploy(backend, prepared, CLUSTER)
        return backend.get_service(prepared.service.name)
    finally:
        backend.close()


def _plan(backend: SimulatedBackend, prepared: Prepared, *, traffic: bool) -> None:
    told, name = prepared.scenario, prepared.service.name
    start = backend.clock.now()
    running = backend.driver.service(name)
    for fault in told.faults:
        running.world.plan_fault(fault.model_copy(update={"at": start + fault.at}), running)
    for operation in told.operations:
        backend.driver.at(Micros(start + operation.at), partial(_operate, backend, name, operation))
    for spec in told.policies:
        _PolicyRun(backend, name, Canary(spec)).look()
    if traffic and told.traffic:
        running.send(told.traffic, told.clients, (0, NEVER), backend.simulation.new_entries(len(told.traffic)))


def _operate(backend: SimulatedBackend, name: str, operation: PlannedOperation) -> None:
    """A refusal is kept as an event, as the caller would have met it."""
    version = operation.version or backend.driver.service(name).controller.default
    if operation.model is not None:
        backend.driver.set_profile(name, version, _profile(operation.model))
    try:
        update(backend, name, version, operation.deploy, new_model=operation.model is not None)
    except AksError as refusal:
        backend.driver.happened(backend.clock.now(), "operation_refused", version, f"{refusal.status_hint}: {refusal}")


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
        update(self._backend, self._name, version_name, DeployArguments(traffic_percentile=traffic_percentile))

    def look(self) -> None:
        """Call the policy, and again after its interval."""
        driver = self._backend.driver
        observed = driver.watches[self._name].observe(Micros(self._policy.interval))
        done = self._policy.step(self, observed)
        if done is not None:
            driver.happened(self._backend.clock.now(), "policy", type(self._policy).__name__, done)
        driver.calendar.after(self._policy.interval, Order.POLICY, self.look)
