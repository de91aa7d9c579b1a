"""Old import path of `akstwin.kubernetes_model.scheduling`."""

from akstwin.kubernetes_model.scheduling import (
    NodeAutoscaler,
    NodeScaling,
    NodeView,
    place,
    place_routers,
    pods_that_fit,
    shortage_message,
    unschedulable_message,
)

__all__ = [
    "NodeAutoscaler",
    "NodeScaling",
    "NodeView",
    "place",
    "place_routers",
    "pods_that_fit",
    "shortage_message",
    "unschedulable_message",
]
