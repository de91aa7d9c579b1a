"""A scenario's replications, one after the other or side by side, and their result."""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from time import perf_counter
from typing import Any

from akstwin.scenarios.load import Prepared
from akstwin.scenarios.measure import Measurement
from akstwin.scenarios.result import result_of
from akstwin.scenarios.simulate import replicate
from akstwin.sim.recording import Recorder

ENGINE = "reference"
_WORTH_PROCESSES = 2.0
"""Seconds that the first replication must have taken before the others get processes of their own."""


def run(
    prepared: Prepared,
    *,
    jobs: int | None = None,
    recorder: Callable[[int], Recorder] | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> dict[str, Any]:
    """Run a scenario.

    Args:
        prepared: the scenario.
        jobs: processes at most; None: as many as there are processors. The result does not depend on it.
        recorder: gives a recorder to each replication; then all run in this process, in order.
        progress: told the share that is done.

    Returns:
        The result (design §7.4).

    Raises:
        InvalidSetting: the scenario cannot begin: its replicas do not fit on its cluster.
    """
    began = perf_counter()
    count = prepared.scenario.replications
    measurements: dict[int, Measurement] = {}

    def here(replication: int) -> None:
        heard = recorder(replication) if recorder is not None else None
        done = replication - 1
        measurements[replication] = replicate(
            prepared, replication, heard, lambda share: progress((done + share) / count)
        )

    here(1)
    slow = perf_counter() - began > _WORTH_PROCESSES
    workers = min(jobs or os.cpu_count() or 1, count - 1)
    if recorder is None and slow and workers > 1:
        _side_by_side(prepared, workers, measurements, progress)
    for replication in range(1, count + 1):
        if replication not in measurements:
            here(replication)
    ordered = [measurements[replication] for replication in range(1, count + 1)]
    return result_of(prepared, ordered, ENGINE, perf_counter() - began)


def _side_by_side(
    prepared: Prepared, workers: int, measurements: dict[int, Measurement], progress: Callable[[float], None]
) -> None:
    count = prepared.scenario.replications
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(replicate, prepared, number): number for number in range(2, count + 1)}
        for future in as_completed(futures):
            measurements[futures[future]] = future.result()
            progress(len(measurements) / count)
