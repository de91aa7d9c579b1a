"""Old import path of `akstwin.kubernetes_model.container`."""

from akstwin.kubernetes_model.container import (
    Container,
    Effect,
    Exited,
    Reached,
    Refused,
    Start,
)

__all__ = [
    "Container",
    "Effect",
    "Exited",
    "Reached",
    "Refused",
    "Start",
]
