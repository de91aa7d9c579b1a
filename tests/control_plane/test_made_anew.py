"""Everything that is known lies in the store: a management service thrown away at any moment is missed by nobody."""

from typing import Any

from akstwin.clock import SECOND, Micros
from akstwin.control_plane import ManagementService
from akstwin.cores.management import Facts
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.lifecycles import OperationState
from akstwin.sim.backend import SimulatedBackend

ASSUMED = Assumptions()
CLUSTER = {"properties": {"computeType": "AKS"}}


def throw_away(bench: Any) -> ManagementService:
    """A new management service on the same store, and nobody who would wake the old one."""
    bench.clock.plans.clear()
    bench.management = made = bench.another()
    made.resume()
    return made


def story(bench: Any, *, broken_off: bool) -> list[Any]:
    """Timed operations: their ids, and the instants at which each was seen to be over."""
    bench.service()
    begun = bench.clock.now()
    operations = [bench.management.keys.regenerate("fraud", "Primary")]
    bench.clock.turn(0.5)
    operations.append(bench.management.computes.put("other", CLUSTER))
    bench.clock.turn(0.5)
    operations.append(bench.management.keys.regenerate("fraud", "Secondary"))
    if broken_off:
        throw_away(bench)
    ended: dict[str, Micros] = {}
    due = [bench.management.due()]
    for _ in range(4 * 700):  # a cluster takes 600 s
        bench.clock.turn(0.25)
        if broken_off:
            throw_away(bench)
        due.append(bench.management.due())
        for operation in operations:
            if bench.management.operations.get(operation).state is OperationState.SUCCEEDED:
                ended.setdefault(operation, Micros(bench.clock.now() - begun))
    assert set(ended) == set(operations)
    operations.append(bench.management.computes.put("third", CLUSTER))
    keys = bench.management.keys.get("fraud")
    records = [bench.management.repositories.operations.get(each) for each in operations]
    return [operations, ended, due, keys, records, bench.kept()]


def test_timed_operations_end_at_the_same_instants_with_the_same_ids(bench: Any, tmp_path: Any) -> None:
    """As if it had never been thrown away; numbers and secrets go on too."""
    whole = story(bench, broken_off=False)
    other = type(bench)(tmp_path / "other")
    assert story(other, broken_off=True) == whole
    other.files.close()
    ended = list(whole[1].values())
    assert ended == [2 * SECOND, 3 * SECOND, ASSUMED.cluster_create + SECOND // 2]


def test_what_is_due_is_done_from_the_records_alone(bench: Any) -> None:
    """By whichever service is woken, at whatever instant; too early, nothing is; and nothing twice."""
    bench.service()
    now = bench.clock.now()
    operation = bench.management.keys.regenerate("fraud", "Primary")
    cluster = bench.management.computes.put("other", CLUSTER)
    made = bench.another()
    assert made.due() == now + ASSUMED.key_propagation
    made.run_due(Micros(made.due() - 1))
    assert made.operations.get(operation).state is OperationState.RUNNING
    bench.runtime.told.clear()
    made.run_due(Micros(now + ASSUMED.cluster_create))
    assert [made.operations.get(each).state for each in (operation, cluster)] == [OperationState.SUCCEEDED] * 2
    assert [told[:2] for told in bench.runtime.told] == [("create_cluster", "other")]
    assert made.due() is None
    bench.clock.turn(3600)  # the first one is woken as it had asked
    assert [told[:2] for told in bench.runtime.told] == [("create_cluster", "other")]


def test_a_service_has_one_life_whoever_reads_it(bench: Any) -> None:
    """What one object writes the others see at once: the runtime's, this management service's and another one's."""
    bench.cluster()
    bench.management.services.create(bench.payload())
    other = bench.another()
    bench.runtime.settle()
    assert other.services.get("fraud")["state"] == bench.management.services.get("fraud")["state"] == "Healthy"
    operation = other.services.patch(
        "fraud", [{"op": "replace", "path": "/containerResourceRequirements/cpu", "value": 2}]
    )
    assert bench.runtime.lives["fraud"].life.running is not None
    bench.runtime.settle()
    assert bench.management.operations.get(operation).state is OperationState.SUCCEEDED


def test_a_life_that_has_ended_is_not_its_successors(bench: Any) -> None:
    """What still looks at a service that is gone sees it gone, though another one has its name."""
    bench.service()
    before = bench.runtime.lives["fraud"]
    bench.management.services.delete("fraud")
    bench.runtime.vanish()
    bench.service()
    assert before.life.state == "Gone"
    before.observe(Facts(0, 0, rolled=False, routed=False), Micros(bench.clock.now() + 3600 * SECOND))
    assert bench.management.services.get("fraud")["state"] == "Healthy"


def test_an_operation_keeps_its_start_though_its_time_counts_anew(bench: Any) -> None:
    """A restart gives it all its time again, and does not say that it has just begun."""
    bench.cluster()
    bench.clock.turn(7)
    operation = bench.management.services.create(bench.payload())
    begun = bench.clock.now()
    bench.clock.turn(1100)
    made = bench.another()
    made.restore()
    bench.clock.turn(1100)
    bench.runtime.lives["fraud"].observe(Facts(1, 0, rolled=False, routed=False), bench.clock.now())
    running = made.services.life("fraud").running
    assert running is not None
    assert (running.started, running.resumed) == (begun, begun + 1100 * SECOND)
    record = made.repositories.operations.get(operation)
    assert record is not None
    assert record.started == begun
    bench.clock.turn(101)
    bench.runtime.lives["fraud"].observe(Facts(1, 0, rolled=False, routed=False), bench.clock.now())
    assert made.operations.get(operation).state is OperationState.TIMED_OUT


def test_reading_a_life_that_has_not_changed_validates_nothing(bench: Any, monkeypatch: Any) -> None:
    """Each pod event reads it; the store has the same value, so it is the same object."""
    bench.service()
    lifecycle = bench.runtime.lives["fraud"]
    first = lifecycle.life
    monkeypatch.setattr(bench.store, "load", lambda *_: (_ for _ in ()).throw(AssertionError("loaded")))
    for _ in range(3):
        lifecycle.observe(Facts(1, 1, rolled=True, routed=True), bench.clock.now())
        assert lifecycle.life is first
    monkeypatch.undo()
    bench.update(cpu_cores=2)
    assert lifecycle.life is not first


def test_a_world_has_a_management_service_and_is_none() -> None:
    """By composition."""
    backend = SimulatedBackend(seed=1)
    assert not isinstance(backend, ManagementService)
    assert isinstance(backend.management, ManagementService)
    assert ManagementService.__mro__ == (ManagementService, object)
    backend.close()


def test_secrets_go_on_where_a_refused_call_had_begun() -> None:
    """Each number has one secret; asking again, or for an earlier one, gives the same."""
    backend = SimulatedBackend(seed=1)
    secret = backend.management.dependencies.secret
    drawn = [secret(number) for number in (1, 2, 3, 2, 3, 4, 1)]
    backend.close()
    assert drawn[1:3] == drawn[3:5]
    assert drawn[0] == drawn[6]
    assert len(set(drawn)) == 4
