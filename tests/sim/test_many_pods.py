"""Many pods come and go in parts: no event takes long, and nothing else depends on how large the parts are."""

from typing import Any

import pytest
from support.calls import counted_calls
from support.worlds import open_endpoint

from akstwin.clock import SECOND, Micros
from akstwin.sim import deployments
from akstwin.sim.deployments import AT_ONCE

SMALL = {"cpu_cores": 0.1, "memory_gb": 0.1, "initial_delay_seconds": 10**8}


def opened(replicas: int, nodes: int = 4) -> Any:
    """A service of small pods whose creation begins, and another version beside it."""
    versions = [
        {"name": "blue", "deploy": {**SMALL, "num_replicas": replicas}},
        {"name": "green", "deploy": {**SMALL, "num_replicas": 3, "traffic_percentile": 10}},
    ]
    cluster = {"nodes": nodes, "vm_size": {"cpu_cores": 8, "memory_gb": 32}}
    return open_endpoint(versions, start="cold", cluster=cluster)


def test_no_event_creates_or_ends_more_than_a_part() -> None:
    """Whether they find a node or not; all of them come at one instant."""
    world = opened(5 * AT_ONCE)
    controller, calendar = world.service.controller, world.world.calendar
    created: dict[int, int] = {}
    before = 0
    while calendar.peek() <= 400 * SECOND:
        calendar.step()
        now = len(controller.pods_of("blue"))
        assert now - before <= AT_ONCE
        if now > before:
            created[int(calendar.now)] = created.get(int(calendar.now), 0) + now - before
        before = now
    assert list(created.values()) == [5 * AT_ONCE]
    waiting = world.world.pods.unschedulable(controller)[1]
    assert waiting > AT_ONCE

    world.backend.driver.end(world.service.controller.name)
    world.world.run_until(Micros(800 * SECOND))
    assert controller.ended
    world.close()


def history(at_once: int, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """All that happens to pods that do not all fit, while a node is lost and comes back, and at the end of the service."""
    monkeypatch.setattr(deployments, "AT_ONCE", at_once)
    world = opened(260)
    world.world.run_until(Micros(350 * SECOND))
    world.world.pods.lose_node(2)
    world.world.run_until(Micros(900 * SECOND))
    world.world.pods.restore_node(2)
    world.world.run_until(Micros(1000 * SECOND))
    world.backend.driver.end(world.service.controller.name)
    world.world.run_until(Micros(1200 * SECOND))
    events = list(world.backend.driver.events)
    world.close()
    return events


def test_the_parts_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same events at the same instants in the same order, pod by pod and node by node."""
    whole = history(10**9, monkeypatch)
    assert len(whole) > 1000
    assert history(7, monkeypatch) == whole
    assert history(1, monkeypatch) == whole


def calls_of_an_end(replicas: int) -> int:
    """Function calls from a service's deletion to its end, of which most pods have never found a node."""
    world = opened(replicas)
    world.world.run_until(Micros(400 * SECOND))
    with counted_calls() as calls:
        world.backend.driver.end(world.service.controller.name)
        world.world.run_until(Micros(600 * SECOND))
    assert world.service.controller.ended
    world.close()
    return calls.count


def test_four_times_as_many_waiting_pods_end_at_four_times_the_cost() -> None:
    """Room that comes free is not offered to each of them by itself."""
    few, many = calls_of_an_end(500), calls_of_an_end(2000)

    assert many <= 6 * few, f"{many / few:.2f} times"
