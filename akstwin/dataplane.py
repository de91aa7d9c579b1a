"""Both ports of a simulated data plane under one name: `RoutingPlane` and `ContainerRuntime`, with what belongs to them."""

from typing import Protocol

from akstwin.ports.container_runtime import ContainerRuntime, ContainerSpec, ExitCause, InitOutcome, PlaneListener
from akstwin.ports.routing_plane import RoutingPlane

__all__ = [
    "ContainerRuntime",
    "ContainerSpec",
    "DataPlane",
    "ExitCause",
    "InitOutcome",
    "PlaneListener",
    "RoutingPlane",
]


class DataPlane(RoutingPlane, ContainerRuntime, Protocol):
    """Router and containers of one service, as the simulated control plane has them."""
