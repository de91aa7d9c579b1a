"""Scenario worlds, opened as `akstwin run` opens them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from akstwin.scenarios.load import prepare
from akstwin.scenarios.opening import Opened, open_world


def open_endpoint(
    versions: Sequence[dict[str, Any]],
    *,
    recorder: Any = None,
    seed: int = 3,
    start: str = "healthy",
    cluster: dict[str, Any] | None = None,
    assumptions: dict[str, Any] | None = None,
    watched: bool = False,
) -> Opened:
    """An endpoint `fraud` at t = 0, without traffic.

    Args:
        versions: as a scenario has them: `name`, `deploy`, `model`.
        recorder: hears everything, numbers of replicas too if it can.
        seed: of all chance.
        start: `healthy` or `cold`.
        cluster: what differs from the default.
        assumptions: likewise.
        watched: whether it can be observed.
    """
    document = {
        "seed": seed,
        "duration": "24h",
        "start": start,
        "cluster": cluster or {},
        "endpoint": {"name": "fraud", "versions": list(versions)},
        "assumptions": assumptions or {},
    }
    observers = [recorder] if hasattr(recorder, "replicas_changed") else []
    recorders = [] if recorder is None else [recorder]
    return open_world(
        prepare(document, Path("endpoint.yaml")), recorders=recorders, observers=observers, watched=watched
    )
