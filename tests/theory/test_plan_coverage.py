"""A plan's intervals hold the truth as often as they say, and it seldom chooses wrongly, under its own stopping rule.

Power, with 200 plans, that is 600 intervals of p95 and 200 of success_rate: where p95's interval holds the truth 86 % of the
time, this fails with 98 of 100 seeds, at 88 % with 75; where it never misses, always; where plans choose wrongly 15 % of the
time, with 98. Where all is as it should be it fails with fewer than one. `python benchmarks/plan_coverage.py 1000` measures more
closely, and with `--engine` on the simulator itself.
"""

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from scipy.stats import binom

pytestmark = pytest.mark.slow

SEEDS = 200
BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "plan_coverage.py"


@pytest.fixture(scope="module")
def coverage() -> Iterator[ModuleType]:
    """The measurement, as a module that processes of its own can import."""
    spec = importlib.util.spec_from_file_location("plan_coverage", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["plan_coverage"] = module
    sys.path.insert(0, str(BENCHMARK.parent))
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(BENCHMARK.parent))


def test_intervals_hold_the_truth_of_a_queue_with_patience(coverage: ModuleType) -> None:
    """M/M/c with patience, for which there is a formula: 92 to 98 per cent hold it, as far as so many seeds can tell.

    The share that was seen must not be out of reach for every share between 92 and 98 per cent; and no more plans than
    5 per cent allows choose wrongly.
    """
    found = coverage.measure(range(1, SEEDS + 1), os.cpu_count() or 1)
    for name, held in found.held.items():
        judged = found.judged[name]
        assert judged >= SEEDS
        assert binom.cdf(held, judged, 0.92) > 0.005, f"{name}: {held} of {judged} hold the truth"
        assert binom.sf(held - 1, judged, 0.98) > 0.005, f"{name}: {held} of {judged} hold the truth"
    assert binom.sf(found.wrong - 1, found.plans, 0.05) > 0.005, f"{found.wrong} of {found.plans} plans chose wrongly"
    assert found.told > found.plans / 2


@pytest.mark.parametrize("servers", [3, 4])
def test_its_replications_are_the_simulators_queue(
    coverage: ModuleType, simulate: Callable[..., Any], servers: int
) -> None:
    """The simulator's own arrivals and run times, put through the loop, give its very waits and refusals."""
    queue = simulate(
        replicas=servers, rate=coverage.RATE, service={"distribution": "exponential", "mean": f"{1000 * coverage.MEAN:g}ms"},
        patience_ms=round(1000 * coverage.PATIENT), seed=servers, requests=4_000, warm_up=0,
    )  # fmt: skip
    end = queue.result["duration_seconds"] * 1e6
    refused = 0
    for heard in queue.heard:
        spans = sorted(
            each for each in heard.spans if each[0] < end
        )  # of later ones not all are followed to their answers
        arrivals = [arrived for arrived, _, _ in spans]
        services = [answered - left for _, left, answered in spans]  # 0 of those that were refused
        found = coverage.waits_of(arrivals, services, servers, round(1e6 * coverage.PATIENT))
        waits = [left - arrived if answered > left else None for arrived, left, answered in spans]
        assert found == waits
        refused += waits.count(None)
    assert refused == queue.result["status"]["503"] * len(queue.heard) > 0


def test_the_formula_is_that_of_the_queue(coverage: ModuleType, queueing: ModuleType) -> None:
    """The share that leaves is the closed form's."""
    for servers in (3, 4, 5):
        left = queueing.patience(servers, coverage.RATE, coverage.MEAN, coverage.PATIENT).abandoned
        assert coverage.truth(servers)["success_rate"] == pytest.approx(1 - left, rel=1e-6)
