"""What grows with time or with what is done is bounded; who asks for more than is kept is told so."""

import gc
from array import array
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from akstwin import AksCompute, AksWebservice, ComputeTarget, Environment, InferenceConfig, Model, Workspace
from akstwin.backend import ScoreRequest
from akstwin.clock import HOUR, SECOND, Micros
from akstwin.control_plane.operations import KEPT_OPERATIONS
from akstwin.control_plane.repositories import Reporting
from akstwin.cores.management import life as lives
from akstwin.domain.lifecycles import OperationState
from akstwin.domain.profile import ModelProfile
from akstwin.errors import NotFound
from akstwin.fake_api.control.counting import KEPT_ROWS, Metrics
from akstwin.sim import watch
from akstwin.sim.load.request_index import RequestIdentity
from akstwin.sim.models import ModelDraws
from akstwin.sim.requests import Request
from akstwin.sim.streams import KEPT_STREAMS


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A simulated workspace with a service `svc`."""
    monkeypatch.chdir(tmp_path)
    Path("score.py").write_text("def init(): pass\ndef run(data): return data\n")
    workspace = Workspace.simulated(seed=7)
    target = ComputeTarget.create(workspace, "aks", AksCompute.provisioning_configuration())
    target.wait_for_completion()
    configuration = AksWebservice.deploy_configuration(num_replicas=1)
    inference = InferenceConfig("score.py", environment=Environment("e"))
    Model.deploy(workspace, "svc", [], inference, configuration, target).wait_for_deployment()
    yield workspace
    workspace.backend.close()  # type: ignore[attr-defined]


def samples(world: Any) -> int:
    """How many instants of the service's demand are kept."""
    return len(world.backend.driver.watches["svc"]._demand["svc"][0])


def test_time_without_requests_costs_no_memory(world: Any) -> None:
    """Demand that grows evenly, or not at all, is two instants, and windows are as exact."""
    world.simulation.advance("1h")
    before = samples(world)
    world.simulation.advance("5h")
    assert samples(world) == before <= 3
    world.simulation.traffic("svc", rate=5)
    world.simulation.advance("60s")
    seen = world.backend.observe("svc", Micros(60 * SECOND)).versions["svc"]
    assert seen.utilisation == pytest.approx(0.25, abs=0.15)  # 5 a second, 50 ms each
    assert world.backend.observe("svc", Micros(6 * HOUR)).versions["svc"].utilisation == pytest.approx(
        seen.utilisation / 360, rel=0.05
    )


def _reporting() -> int:
    """How many records of that kind there are in this process."""
    gc.collect()
    return sum(type(each) is Reporting for each in gc.get_objects())


def test_what_requests_have_read_of_a_service_goes_with_it(world: Any) -> None:
    """A service that was asked, and deleted, leaves nothing of its record."""
    inference = InferenceConfig("score.py", environment=Environment("e"))
    configuration = AksWebservice.deploy_configuration(num_replicas=1, auth_enabled=False)
    before = _reporting()
    for number in range(3):
        name = f"gone-{number}"
        service = Model.deploy(world, name, [], inference, configuration, ComputeTarget(world, "aks"))
        service.wait_for_deployment()
        assert world.backend.score(name, ScoreRequest(b"1")).status == 200
        service.delete()
        world.simulation.advance("1m")
    assert _reporting() <= before


def test_many_samples_are_thinned_from_the_oldest_on() -> None:
    """The latest are all there; between older ones lies a line."""
    at, values = array("q"), array("q")
    total = 2 * watch.KEPT_SAMPLES
    for second in range(total):
        watch._note(at, values, second * SECOND, second * second)  # never on a line
    assert len(at) <= watch.KEPT_SAMPLES
    assert (at[0], at[-1]) == (0, (total - 1) * SECOND)
    assert all(later > earlier for earlier, later in pairwise(at))
    assert list(at[-1000:]) == [second * SECOND for second in range(total - 1000, total)]
    middle = total // 3
    assert watch._interpolated(at, values, middle * SECOND) == pytest.approx(middle**2, rel=1e-3)


def test_changes_of_replicas_are_bounded() -> None:
    """A window that reaches further back than they do is refused."""
    steps = watch._Steps()
    forgotten = 0
    for number in range(2 * watch.KEPT_STEPS):
        forgotten = max(forgotten, steps.set(number % 2 + 1, number * SECOND))
    assert len(steps._at) <= watch.KEPT_STEPS * 1.25
    assert forgotten == steps._at[0] > 0
    now = 2 * watch.KEPT_STEPS * SECOND
    assert steps.area(now) - steps.area(now - 10 * SECOND) == 15 * SECOND


def test_the_oldest_operations_are_forgotten(world: Any) -> None:
    """Who asks for one is told how many are kept; what a service's last operation was stays known."""
    management = world.backend.management
    last = world.backend.get_service("svc")["operationId"]
    first = ""
    for _ in range(KEPT_OPERATIONS + 250):
        opened = management.operations.open("update", "other", models=())
        management.operations.note(opened.id, at=world.clock.now(), state=OperationState.SUCCEEDED)
        if not first:
            first = opened.id
            world.simulation.advance("1s")
    assert len(management.operations._records.operations.keys()) <= KEPT_OPERATIONS + 102
    with pytest.raises(NotFound, match=f"no operation {first}: of those that have ended, the latest 1000 are kept"):
        world.backend.get_operation(first)
    assert world.backend.get_operation(last).state.value == "Succeeded"
    assert world.backend.get_operation(opened.id).id == opened.id


def test_a_service_keeps_its_latest_operations() -> None:
    """Their numbers go on; that it has once been up is not forgotten."""
    life = None
    for number in range(40):
        life = lives.begin(life, "svc", "update", Micros(number), builds=False)
        assert life.operations[-1].number == number + 1
        event = lives.OperationEvent.COMPLETED if number == 0 else lives.OperationEvent.FAILED
        outcome = lives.ServiceEvent.SUCCEEDED if number == 0 else lives.ServiceEvent.CRASHED
        life = lives._ended(life, event, outcome, None, Micros(number))
    assert life is not None
    assert len(life.operations) == lives.KEPT_OPERATIONS + 1
    assert life.operations[0].number == 1
    assert lives.served(life.operations[0])


def test_answers_are_counted_under_so_many_names() -> None:
    """Services come and go under ever new names."""
    metrics = Metrics()
    for number in range(KEPT_ROWS + 10):
        metrics.count(f"svc-{number}", None, 200, None, 1000)
    assert len(metrics.answers) == KEPT_ROWS
    assert ("svc-9", None, 200, None) not in metrics.answers
    assert (f"svc-{KEPT_ROWS + 9}", None, 200, None) in metrics.answers


def test_the_log_of_pods_says_that_it_is_cut(world: Any) -> None:
    """In its first line."""
    controller = world.backend.driver.services["svc"].controller
    pod = controller.pods_of("svc")[0]
    assert "only the latest" not in world.backend.get_logs("svc", 20_000, init=True)
    for _ in range(controller.pod_log.maxlen):
        controller.pod_noted(world.clock.now(), "pod_ready", pod, "")
    log = world.backend.get_logs("svc", 20_000, init=True)
    assert log.startswith("[... only the latest 10000 lines are kept ...]\n")
    assert len(log.splitlines()) == 10_001


def test_requests_that_name_ever_new_entries_keep_no_memory(world: Any) -> None:
    """Each has its own numbers, the same whenever it comes again."""
    service = world.backend.driver.services["svc"]
    first = [service.split_draw(RequestIdentity(entry, 3, 0)) for entry in range(2 * KEPT_STREAMS)]
    assert len(service._split) == KEPT_STREAMS
    assert [service.split_draw(RequestIdentity(entry, 3, 0)) for entry in range(2 * KEPT_STREAMS)] == first
    model = ModelDraws(7, 1, "svc", ModelProfile(failure_rate=0.5))
    asked = [Request(3, entry, 0, Micros(0), 0, counted=False) for entry in range(KEPT_STREAMS + 5)]
    drawn = [(model.service_time(each), model.fails(each)) for each in asked]
    assert len(model._service) == len(model._failures) == KEPT_STREAMS
    assert [(model.service_time(each), model.fails(each)) for each in asked] == drawn
