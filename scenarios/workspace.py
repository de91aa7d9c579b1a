"""A scenario as a simulated workspace, under the SDK's classes; and its service, deployed as a user would."""

from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from akstwin.backend import Backend, Json
from akstwin.clock import NEVER
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.lifecycles import OperationState
from akstwin.errors import AksError
from akstwin.scenarios.load import Prepared, document_of, prepare
from akstwin.scenarios.opening import open_world, plan
from akstwin.scenarios.payloads import arguments_of, image_request
from akstwin.sdk import wire
from akstwin.sdk.waiting import wait
from akstwin.sim.backend import SimulatedBackend


def open_scenario(
    *,
    scenario: str | PathLike[str] | Mapping[str, Any],
    seed: int | None = None,
    assumptions: Mapping[str, Any] | Assumptions | None = None,
    traffic: bool = True,
    **given: Any,
) -> SimulatedBackend:
    """The workspace of a scenario, at t = 0.

    Its world is the one that `akstwin run` simulates, with every service of the scenario: with `start: healthy` they are Healthy
    and no time has passed; with `cold` their creation has begun. Traffic, faults, operations and policies count from now.
    Objectives, duration and replications belong to `akstwin run` and play no part.

    Args:
        scenario: a file, or its content.
        seed: instead of the scenario's.
        assumptions: over the scenario's own.
        traffic: whether its clients call.
        **given: what else `SimulatedBackend` takes.

    Raises:
        BadScenario: anything in it is wrong.
        AksError: it cannot begin so.
    """
    prepared = _prepared(scenario, seed, assumptions)
    opened = open_world(prepared, **given)
    backend = opened.backend
    plan(opened, prepared)
    if traffic:
        # Each service's entries are numbered from 0, as in a run, whose chance goes by these numbers; later ones have others.
        first = backend.simulation.new_entries(max(len(part.scenario.traffic) for part in prepared.parts))
        for part in prepared.parts:
            told = part.scenario
            if told.traffic:
                opened.services[part.service.name].send(told.traffic, told.clients, (0, NEVER), first)
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
    arguments = arguments_of(first)
    if prepared.scenario.endpoint is None:
        payload = wire.service_payload(
            arguments,
            name=service.name,
            compute_name=cluster,
            environment_image_request=image_request(service.name, first.name),
        )
    else:
        payload = wire.endpoint_payload(
            {**arguments, "version_name": first.name},
            name=service.name,
            compute_name=cluster,
            environment_image_request=image_request(service.name, first.name),
        )
    operation: str | None = backend.create_service(payload)
    if prepared.scenario.start == "cold" and not more:
        return
    wait_for(backend, operation)
    names = [first.name]
    for version in more:
        patch = wire.version_added_patch(
            version.name,
            names,
            arguments_of(version),
            compute_name=cluster,
            environment_image_request=image_request(service.name, version.name),
        )
        names.append(version.name)
        wait_for(backend, backend.patch_service(service.name, patch))


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
    opened = open_world(prepared)
    try:
        return opened.backend.get_service(prepared.service.name)
    finally:
        opened.close()
