"""The error rates of a rollout: how often it promotes what is worse, and rolls back what is as good, beside four references.

Worlds of one replication are paired: the same requests, the same chance, one thing different. A budget of time bounds how many
replications there are; the answer says what that leaves open.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from math import sqrt
from multiprocessing import get_context
from statistics import median
from time import perf_counter
from typing import Any, Final

from akstwin.domain.profile import Empirical
from akstwin.scenarios.grade_worlds import (
    EQUAL,
    OWN,
    REFERENCES,
    SCALED,
    Played,
    Regression,
    World,
    hours,
    play,
    rollout_of,
)
from akstwin.scenarios.load import Prepared

ERRORS: Final = (0.005, 0.02, 0.05)
"""Points of the share of failed answers."""
LATENCIES: Final = (1.5, 3.0)
SLOW_START: Final = 120.0
KILLS: Final = 500.0
TRAFFIC: Final = (1.0, 0.25)
"""Times the scenario's."""
Z: Final = 1.959963984540054
"""Of a two-sided interval at 95 %."""
ENOUGH: Final = 0.9
"""A regression is seen by a policy that takes it back in so many of the worlds."""
WIDE: Final = 0.2
"""An interval that is wider leaves the question open."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One question: who, with which regression, at which traffic."""

    who: str
    regression: Regression
    traffic: float


def cells_of(prepared: Prepared) -> tuple[list[Cell], list[str]]:
    """All cells, the most telling first; and what was left out, with the reason."""
    left_out: list[str] = []
    regressions = [EQUAL, *(Regression("errors", size) for size in ERRORS)]
    control = prepared.models[prepared.service.default]
    if isinstance(control.service_time, Empirical):
        left_out.append("latency: service_time is empirical, and has no mean to multiply")
    else:
        regressions += [Regression("latency", size) for size in LATENCIES]
    regressions += [Regression("slow start", SLOW_START), Regression("memory", KILLS)]
    factors = list(TRAFFIC)
    if not all(isinstance(entry, SCALED) for entry in prepared.scenario.traffic):
        factors = [1.0]
        left_out.append("other traffic: only constant, poisson and steps can be scaled")
    own = [Cell(OWN, regression, factor) for factor in factors for regression in regressions]
    references = [Cell(who, regression, 1.0) for regression in regressions[: 1 + len(ERRORS)] for who in REFERENCES]
    # Each cell is compared with the same world in which the version gets nothing and is as good.
    bases = [Cell("never", EQUAL, factor) for factor in factors]
    return list(dict.fromkeys([*bases, *own, *references])), left_out


def grade(
    prepared: Prepared,
    *,
    budget: float | None = 120.0,
    replications: int | None = None,
    jobs: int | None = None,
    progress: Callable[[float], None] = lambda _: None,
) -> dict[str, Any]:
    """Grade the scenario's rollout.

    Args:
        prepared: the scenario; its one policy is graded.
        budget: seconds that it may take, at least one replication aside; None: no bound.
        replications: of each cell at most; None: as many as the budget allows.
        jobs: processes at most; the figures of a replication do not depend on it.
        progress: told the share that is done.

    Returns:
        The grading, as docs/reference/grade.md has it.

    Raises:
        InvalidSetting: there is not one rollout to grade, or the scenario cannot begin.
    """
    began = perf_counter()
    spec = rollout_of(prepared)
    cells, left_out = cells_of(prepared)
    played: dict[Cell, dict[int, Played]] = {cell: {} for cell in cells}
    most = replications or (1 << 30 if budget is not None else prepared.scenario.replications)

    def spent() -> float:
        used = perf_counter() - began
        return used / budget if budget is not None else 0.0

    tasks = ((cell, number) for number in range(1, most + 1) for cell in cells)
    for cell, number, result in _worked(prepared, tasks, jobs, lambda number: number > 1 and spent() >= 1):
        played[cell][number] = result
        progress(min(1.0, max(spent(), number / most)))
    rows = [_row(cell, played, prepared) for cell in cells]
    return {
        "scenario": prepared.name,
        "policy": spec.kind,
        "version": spec.version,
        "seed": prepared.scenario.seed,
        "rate": _rate(prepared),
        "cells": rows,
        "sees": _sees(rows, _rate(prepared)),
        "open": [*left_out, *_open(rows)],
        "worlds": sum(map(len, played.values())),
        "wall_seconds": perf_counter() - began,
    }


def _worked(prepared: Prepared, tasks: Any, jobs: int | None, stop: Callable[[int], bool]) -> Any:
    """Results as they come, until it is to stop."""
    workers = jobs or os.cpu_count() or 1
    if workers == 1:
        for cell, number in tasks:
            if stop(number):
                return
            yield cell, number, play(prepared, World(cell.who, cell.regression, cell.traffic, number))
        return
    running: dict[Future[Played], tuple[Cell, int]] = {}
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for cell, number in tasks:
            if stop(number):
                break
            world = World(cell.who, cell.regression, cell.traffic, number)
            running[pool.submit(play, prepared, world)] = (cell, number)
            while len(running) > workers:
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield (*running.pop(future), future.result())
        for future, key in running.items():
            yield (*key, future.result())


def wilson(hits: int, count: int) -> tuple[float, float]:
    """Wilson's interval of a share at 95 %."""
    if not count:
        return 0.0, 1.0
    share = hits / count
    middle = share + Z * Z / (2 * count)
    spread = Z * sqrt(share * (1 - share) / count + Z * Z / (4 * count * count))
    scale = 1 + Z * Z / count
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def mean_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Student's interval of a mean at 95 %; None of fewer than two values."""
    if len(values) < 2:
        return None
    from scipy.special import stdtrit  # noqa: PLC0415 - slow to import

    mean = sum(values) / len(values)
    spread = sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values))
    reach = float(stdtrit(len(values) - 1, 0.975)) * spread
    return mean - reach, mean + reach


def _row(cell: Cell, played: dict[Cell, dict[int, Played]], prepared: Prepared) -> dict[str, Any]:
    runs = played[cell]
    base = played[Cell("never", EQUAL, cell.traffic)]
    count = len(runs)
    row: dict[str, Any] = {
        "policy": cell.who, "regression": str(cell.regression), "kind": cell.regression.kind, "size": cell.regression.size,
        "traffic": cell.traffic, "rate": _rate(prepared) * cell.traffic, "worlds": count,
    }  # fmt: skip
    for name, outcome in (("promoted", "promoted"), ("rolled_back", "rolled back"), ("undecided", "undecided")):
        hits = sum(run.outcome == outcome for run in runs.values())
        row[name] = {"share": hits / count if count else None, "interval": wilson(hits, count)}
    times = sorted(run.seconds for run in runs.values() if run.outcome != "undecided")
    row["seconds_to_decide"] = {"median": median(times), "least": times[0], "most": times[-1]} if times else None
    harms = [_harm(run, base[number]) for number, run in runs.items() if number in base]
    row["failed_requests_caused"] = _mean(harms)
    row["replica_hours"] = _mean([hours(run.replica_seconds) for run in runs.values()])
    row["by_a_limit"] = sum(run.broken for run in runs.values())
    return row


def _harm(run: Played, base: Played) -> float:
    """Failures beyond those of the same world without the version, over the same minutes."""
    return sum(run.failed) - sum(base.failed[: len(run.failed)])


def _mean(values: Sequence[float]) -> dict[str, Any]:
    return {"mean": sum(values) / len(values) if values else None, "interval": mean_interval(values)}


def _rate(prepared: Prepared) -> float:
    """Requests per second of the scenario, of all traffic that has a rate, on average over its duration."""
    found = 0.0
    duration = prepared.scenario.duration
    for entry in prepared.scenario.traffic:
        if not isinstance(entry, SCALED):
            continue
        rates = entry.rate
        if isinstance(rates, list):
            starts = [*entry.at, duration]  # type: ignore[union-attr]  # only steps have lists
            found += sum(
                rate * (max(0, min(duration, end) - start)) / duration
                for rate, start, end in zip(rates, starts, starts[1:], strict=False)
            )
        else:
            found += rates
    return found


def _sees(rows: Sequence[dict[str, Any]], rate: float) -> list[dict[str, Any]]:
    """Of each regression, the least traffic of those tried at which the policy takes it back."""
    found = []
    for regression in dict.fromkeys(
        row["regression"] for row in rows if row["kind"] in ("errors", "latency", "memory")
    ):
        tried = [row for row in rows if row["policy"] == OWN and row["regression"] == regression and row["worlds"]]
        enough = [row["rate"] for row in tried if row["rolled_back"]["share"] >= ENOUGH]
        found.append(
            {
                "regression": regression,
                "least_rate": min(enough) if enough else None,
                "most_tried": max((row["rate"] for row in tried), default=rate),
            }
        )
    return found


def _open(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What the budget left open."""
    found = []
    for row in rows:
        if row["policy"] != OWN:
            continue
        asked = "rolled_back" if row["kind"] == "equal" else "promoted"
        low, high = row[asked]["interval"]
        if high - low > WIDE:
            at = f"{row['regression']} at {row['rate']:g}/s"
            found.append(
                f"{at}: {asked.replace('_', ' ')} between {low:.0%} and {high:.0%} after {row['worlds']} worlds"
            )
    return found
