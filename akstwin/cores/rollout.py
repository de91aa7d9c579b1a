"""Old import path of `akstwin.kubernetes_model.rollout`."""

from akstwin.kubernetes_model.rollout import (
    Available,
    Counts,
    PodView,
    Steps,
    count,
    plan,
    victims,
)

__all__ = [
    "Available",
    "Counts",
    "PodView",
    "Steps",
    "count",
    "plan",
    "victims",
]
