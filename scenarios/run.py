"""A scenario's replications, one after the other or side by side, and their result."""

import os
from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

from akstwin.scenarios.engines import choose
from akstwin.scenarios.load import Prepared
from akstwin.scenarios.measure import Measurement
from akstwin.scenarios.objectives import variants_of
from akstwin.scenarios.result import result_of
from akstwin.scenarios.simulate import replicate
from akstwin.sim.engine.choice import EngineName
from akstwin.sim.recording import Recorder

Task = tuple[int | None, int]
"""The node that is lost, if any, and the replication."""
_WORTH_PROCESSES = 2.0
"""Seconds that the first replication must have taken before the others get processes of their own."""


def run(
    prepared: Prepared,
    *,
    jobs: int | None = None,
    recorder: Callable[[int], Recorder] | None = None,
    progress: Callable[[float], None] = lambda _: None,
    engine: str = "auto",
) -> dict[str, Any]:
    """Run a scenario.

    Args:
        prepared: the scenario.
        jobs: processes at most; None: as many as there are processors. The result does not depend on it.
        recorder: gives a recorder to each replication; then all run in this process, in order.
        progress: told the share that is done.
        engine: auto, compiled or reference (`scenarios.engines`); the result does not depend on it.

    Returns:
        The result (design §7.4).

    Raises:
        InvalidSetting: the scenario cannot begin: its replicas do not fit on its cluster; or an engine that cannot run it.
    """
    began = perf_counter()
    chosen = choose(prepared, engine).name
    count = prepared.scenario.replications
    variants = variants_of(prepared)
    tasks = [(node, replication) for node in variants for replication in range(1, count + 1)]
    measurements: dict[Task, Measurement] = {}

    def here(task: Task) -> None:
        node, replication = task
        heard = recorder(replication) if recorder is not None and node is None else None
        done = len(measurements)
        measurements[task] = replicate(
            variants[node], replication, heard, lambda share: progress((done + share) / len(tasks)), chosen
        )

    here(tasks[0])
    slow = perf_counter() - began > _WORTH_PROCESSES
    workers = min(jobs or os.cpu_count() or 1, len(tasks) - 1)
    if recorder is None and slow and workers > 1:
        _side_by_side(variants, tasks, workers, measurements, progress, chosen)
    for task in tasks:
        if task not in measurements:
            here(task)
    ordered = {node: [measurements[node, replication] for replication in range(1, count + 1)] for node in variants}
    lost = {node: each for node, each in ordered.items() if node is not None}
    return result_of(prepared, ordered[None], chosen, perf_counter() - began, lost)


def _side_by_side(
    variants: Mapping[int | None, Prepared],
    tasks: Sequence[Task],
    workers: int,
    measurements: dict[Task, Measurement],
    progress: Callable[[float], None],
    engine: EngineName,
) -> None:
    """Measure what has not been measured, in processes of their own."""
    from concurrent.futures import ProcessPoolExecutor, as_completed  # noqa: PLC0415 - a short run does without
    from multiprocessing import get_context  # noqa: PLC0415 - a short run does without

    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = {
            pool.submit(replicate, variants[node], replication, engine=engine): (node, replication)
            for node, replication in tasks
            if (node, replication) not in measurements
        }
        for future in as_completed(futures):
            measurements[futures[future]] = future.result()
            progress(len(measurements) / len(tasks))
