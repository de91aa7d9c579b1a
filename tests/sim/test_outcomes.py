"""Outcomes come in batches: nothing is lost, doubled or out of order, however large a batch may be."""

import pickle
from pathlib import Path
from typing import Any

import pytest
from support.worlds import open_endpoint

from akstwin import speedups
from akstwin.domain.workload import Clients, ConstantArrivals, PoissonArrivals
from akstwin.scenarios.load import prepare
from akstwin.scenarios.run import run
from akstwin.sim.engine import reference
from akstwin.sim.engine.outcomes import Outcome, Outcomes
from akstwin.sim.load.plan import LoadPlan
from akstwin.sim.world import SimulatedService, World

SCENARIO: dict[str, Any] = {
    "duration": 90,
    "replications": 1,
    "warm_up": 10,
    "cluster": {"purpose": "DevTest", "nodes": 3},
    "endpoint": {
        "name": "fraud",
        "versions": [
            {
                "name": "blue",
                "deploy": {"autoscale_enabled": True, "autoscale_max_replicas": 4},
                "model": {"service_time": {"distribution": "exponential", "mean": "90ms"}, "failure_rate": 0.05},
            },
            {
                "name": "green",
                "deploy": {"num_replicas": 1, "traffic_percentile": 20},
                "model": {"service_time": "60ms"},
            },
        ],
    },
    "traffic": {"shape": "poisson", "rate": 25},
    "clients": {"retry": {"statuses": [502, 503, 504], "attempts": 3, "backoff": "1s"}},
    "faults": [{"kind": "replica_kill", "at": "30s", "version": "blue"}],
    "policies": [{"kind": "canary", "version": "green", "steps": [20, 50], "hold": "20s", "max_error_rate": 0.3}],
}


as_sources = pytest.mark.skipif(speedups.is_active(), reason="in compiled code the size of a batch is fixed")


class Log:
    """Keeps batches' sizes, and answers and events in the order in which they came."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.log: list[Any] = []

    def answered(self, outcomes: Outcomes) -> None:
        """Keep the answers."""
        self.sizes.append(len(outcomes))
        self.log.extend(outcomes.rows())

    def happened(self, at: int, kind: str, subject: str, detail: str = "") -> None:
        """Keep the event."""
        self.log.append((at, kind, subject, detail))

    @property
    def answers(self) -> list[Outcome]:
        """Only those."""
        return [each for each in self.log if isinstance(each, Outcome)]


def played(monkeypatch: pytest.MonkeyPatch, batch: int) -> tuple[Log, dict[str, Any]]:
    """What a recorder heard with batches of at most that size, and the result."""
    monkeypatch.setattr(reference, "BATCH", batch)
    heard = Log()
    result = run(prepare(SCENARIO, Path("batches.yaml")), recorder=lambda _: heard, engine="reference")
    result.pop("wall_seconds")
    return heard, result


@as_sources
def test_the_size_of_a_batch_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """One by one, by sevens or as many as there are: the same result, and answers and events in the same order."""
    single, by_itself = played(monkeypatch, 1)
    assert set(single.sizes) == {1}
    assert {each.attempt for each in single.answers} >= {0, 1}  # retries among them
    for batch in (7, 4096):
        heard, result = played(monkeypatch, batch)
        assert 1 < max(heard.sizes) <= batch
        assert heard.log == single.log
        assert result == by_itself


def test_answers_come_in_the_order_in_which_the_router_had_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """None twice; the client has a forwarded one later by the router's overhead, a refusal at once."""
    heard, _ = played(monkeypatch, 4096)
    settled = [each.settled for each in heard.answers]
    assert settled == sorted(settled)
    assert len({(each.entry, each.number, each.attempt) for each in heard.answers}) == len(heard.answers)
    assert {each.answered - each.settled for each in heard.answers if each.status == 200} == {3000}
    assert {each.answered - each.settled for each in heard.answers if each.dispatched is None} <= {0}
    assert not any(each.live for each in heard.answers)


def service() -> tuple[World, SimulatedService, Log]:
    """One replica of 50 ms, healthy."""
    heard = Log()
    version = {
        "name": "blue",
        "deploy": {"num_replicas": 1, "initial_delay_seconds": 10**8},
        "model": {"service_time": "50ms"},
    }
    opened = open_endpoint([version], recorder=heard)
    return opened.world, opened.service, heard


@as_sources
def test_a_full_batch_is_handed_over_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory does not grow while nobody looks and the control plane rests."""
    monkeypatch.setattr(reference, "BATCH", 5)
    world, running, heard = service()
    running.send([ConstantArrivals(shape="constant", rate=10)], Clients(), (0, 1 << 60))
    while len(heard.answers) < 5:
        assert world.calendar.now < 10**6
        world.calendar.step()
    assert heard.sizes == [5]


def test_a_plan_is_a_value_from_which_an_engine_makes_everything() -> None:
    """A copy of it that went through a file gives the same requests at the same instants with the same answers."""
    clients = Clients.model_validate({"retry": {"statuses": [503], "attempts": 2, "backoff": "1s"}})
    traffic = (PoissonArrivals(shape="poisson", rate=30), ConstantArrivals(shape="constant", rate=5))
    plan = LoadPlan(traffic, clients, seed=8, replication=2, window=(0, 20 * 10**6), first=4, start=0)  # type: ignore[arg-type]
    copy: LoadPlan = pickle.loads(pickle.dumps(plan))  # noqa: S301 - made here
    assert copy == plan
    logs = []
    for each in (plan, copy):
        world, running, heard = service()
        load = running.plane.generate(each)
        world.run_until(20 * 10**6 - 1)  # type: ignore[arg-type]
        load.stop()
        world.run_to_the_last_answer()
        assert {answer.entry for answer in heard.answers} == {4, 5}
        assert load.sent == len(heard.answers) == sum(each.counted for each in heard.answers)
        assert load.retries == sum(each.attempt > 0 for each in heard.answers) > 0
        logs.append(heard.log)
    assert logs[0] == logs[1]
