"""Bounds have room for a world in real time, where calls take a while and answers arrive unevenly."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from akstwin.backend import Backend
from akstwin.clock import MILLISECOND, Micros
from akstwin.sim.backend import SimulatedBackend
from akstwin.testing import check_backend, promises

CALL = Micros(30 * MILLISECOND)
UNEVEN = tuple(Micros(late * MILLISECOND) for late in (3, 14, 1, 9, 6, 12, 2))
QUICK = {
    "image_build": "2s", "image_pull": "1s", "unschedulable_after": "15s", "deployment_timeout": "200s",
    "autoscale_down_window": "12s", "unhealthy_after": "5s", "restart_backoff": "3s", "termination_grace": "5s",
    "crash_time_failed": "100s", "cluster_create": "2s", "router_lag": "300ms", "key_propagation": "1s",
    "token_lifetime": "30s", "token_refresh": "20s", "readiness": "probe", "readiness_period": "1s",
    "max_payload": "100kB", "router_overhead": "10ms",
}  # fmt: skip
"""What a cluster that is checked in reasonable time would assume."""


class _Sluggish(SimulatedBackend):
    """Every call takes 30 ms, and every answer up to 14 ms more than it should."""

    def score(self, name: str, request: Any) -> Any:
        return self.score_all(name, [(Micros(0), request)])[0]

    def score_all(self, name: str, requests: Any) -> Any:
        answers = super().score_all(name, requests)
        late = (UNEVEN[number % len(UNEVEN)] for number in range(len(answers)))
        return [
            replace(answer, latency=Micros(answer.latency + more)) for answer, more in zip(answers, late, strict=True)
        ]


def _slowly(verb: str) -> Callable[..., Any]:
    def call(self: _Sluggish, *args: Any, **given: Any) -> Any:
        self.clock.sleep_until(Micros(self.clock.now() + CALL))
        return getattr(super(_Sluggish, self), verb)(*args, **given)

    return call


for _verb, _member in vars(Backend).items():
    # (Assets are read by the world itself, while it goes on.)
    if callable(_member) and not _verb.startswith("_") and not _verb.startswith("score") and _verb != "get_asset":
        setattr(_Sluggish, _verb, _slowly(_verb))


def test_calls_take_time_there() -> None:
    """The world below is what it says."""
    world = _Sluggish(seed=11)
    world.list_computes()
    assert world.clock.now() == CALL
    world.close()


@pytest.mark.slow
@pytest.mark.parametrize("family", dict.fromkeys(each.family for each in promises()))
def test_a_sluggish_world_keeps_its_promises(family: str) -> None:
    """None of them is a matter of milliseconds."""
    report = check_backend(lambda: _Sluggish(seed=11, script_seconds=1.0, assumptions=QUICK), only=[family])
    report.raise_if_broken()
