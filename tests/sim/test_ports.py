"""The two ports of a simulated data plane: apart, each complete, and both implemented by the reference engine."""

import inspect
from typing import Any

import pytest

from akstwin import dataplane, speedups
from akstwin.ports import container_runtime, routing_plane
from akstwin.sim.engine.compiled import CompiledEngine
from akstwin.sim.engine.containers import Containers
from akstwin.sim.engine.reference import ReferenceEngine


def verbs(port: type) -> dict[str, inspect.Signature]:
    """The methods of a port with their parameters."""
    return {
        name: inspect.signature(method)
        for name, method in vars(port).items()
        if inspect.isfunction(method) and name[0] != "_"
    }


def untyped(signature: inspect.Signature) -> list[tuple[str, Any]]:
    """Names and defaults of the parameters."""
    return [(name, parameter.default) for name, parameter in signature.parameters.items()]


ROUTING = verbs(routing_plane.RoutingPlane)
RUNTIME = verbs(container_runtime.ContainerRuntime)


def test_a_router_has_nothing_to_do_with_containers() -> None:
    """No verb is in both ports; what a fault breaks, and what a model costs, is no router's business."""
    assert not ROUTING.keys() & RUNTIME.keys()
    assert {
        "configure",
        "remove",
        "set_split",
        "set_auth",
        "admit",
        "suspend",
        "withdraw",
        "forget",
        "usage",
        "in_flight",
    } == (ROUTING.keys())


@pytest.mark.parametrize(
    ("implementation", "port"),
    [
        (ReferenceEngine, ROUTING),
        (ReferenceEngine, RUNTIME),
        (Containers, RUNTIME),
        (CompiledEngine, ROUTING),
        (CompiledEngine, RUNTIME),
    ],
)
def test_every_verb_is_implemented_as_the_port_has_it(implementation: Any, port: dict[str, inspect.Signature]) -> None:
    """The same parameters of the same types, with the same defaults; compiled methods carry no types."""
    found = {name: inspect.signature(getattr(implementation, name)) for name in port}
    if speedups.is_active():
        assert {name: untyped(signature) for name, signature in found.items()} == {
            name: untyped(signature) for name, signature in port.items()
        }
    else:
        assert found == port


def test_the_former_path_has_the_same_objects() -> None:
    """`akstwin.dataplane` is named in the reference."""
    assert dataplane.RoutingPlane is routing_plane.RoutingPlane
    for name in ("ContainerRuntime", "ContainerSpec", "InitOutcome", "PlaneListener"):
        assert getattr(dataplane, name) is getattr(container_runtime, name)
    assert dataplane.DataPlane.__mro__[1:3] == (routing_plane.RoutingPlane, container_runtime.ContainerRuntime)
