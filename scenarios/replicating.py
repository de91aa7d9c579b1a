"""Replications measured one after the other or side by side, as many as are asked for and when they are asked for."""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from time import perf_counter
from types import TracebackType
from typing import Self

from akstwin.scenarios.engines import choose
from akstwin.scenarios.load import Prepared
from akstwin.scenarios.measure import Measurement
from akstwin.scenarios.simulate import replicate

Task = tuple[int | None, int]
"""The node that is lost, if any, and the replication."""
_WORTH_PROCESSES = 2.0
"""Seconds that the rest must be expected to take before it gets processes of its own."""
_LOOK = 1.0
"""Seconds between two looks at processes that run."""


class Replicator:
    """Measures replications; processes start when there is enough for them to do, and stay.

    Args:
        jobs: processes at most; None: as many as there are processors. What is measured does not depend on it.
        engine: auto, compiled or reference (`scenarios.engines`); nor on that.
    """

    def __init__(self, jobs: int | None, engine: str = "auto") -> None:
        self._engine = engine
        self._jobs = jobs or os.cpu_count() or 1
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def measure(
        self, variants: Mapping[int | None, Prepared], numbers: Sequence[int], tick: Callable[[float], None]
    ) -> dict[Task, Measurement]:
        """Replications of each variant by their numbers.

        Args:
            variants: the scenario, and with each node lost.
            numbers: which replications.
            tick: called often, with how many runs are done.

        Raises:
            InvalidSetting: the scenario cannot begin: its replicas do not fit on its cluster.
        """
        tasks = [(node, number) for number in numbers for node in variants]
        measured: dict[Task, Measurement] = {}
        while self._pool is None and len(measured) < len(tasks):
            began = perf_counter()
            task = tasks[len(measured)]
            measured[task] = replicate(
                variants[task[0]],
                task[1],
                progress=_after(len(measured), tick),
                engine=choose(variants[task[0]], self._engine).name,
            )
            left = (perf_counter() - began) * (len(tasks) - len(measured))
            if self._jobs > 1 and left > _WORTH_PROCESSES:
                self._pool = ProcessPoolExecutor(self._jobs, mp_context=get_context("spawn"))
        if self._pool is not None:
            _side_by_side(self._pool, variants, tasks, measured, tick, self._engine)
        return measured


def _after(done: int, tick: Callable[[float], None]) -> Callable[[float], None]:
    return lambda share: tick(done + share)


def _side_by_side(
    pool: ProcessPoolExecutor,
    variants: Mapping[int | None, Prepared],
    tasks: Sequence[Task],
    measured: dict[Task, Measurement],
    tick: Callable[[float], None],
    engine: str,
) -> None:
    running: dict[Future[Measurement], Task] = {
        pool.submit(replicate, variants[task[0]], task[1], engine=choose(variants[task[0]], engine).name): task
        for task in tasks
        if task not in measured
    }
    while running:
        done, _ = wait(running, timeout=_LOOK, return_when="FIRST_COMPLETED")
        for future in done:
            measured[running.pop(future)] = future.result()
        tick(len(measured))
