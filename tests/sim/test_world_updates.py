"""Updates of a running service in a simulated world (semantics §6.5, §6.6)."""

from pathlib import Path
from typing import Any

import pytest

from akstwin.clock import SECOND, Micros
from akstwin.cores.management import ServiceLife
from akstwin.domain.faults import Fault, InitFailure
from akstwin.domain.workload import Clients, ConstantArrivals
from akstwin.scenarios.load import prepare
from akstwin.scenarios.opening import open_world, plan
from akstwin.sim.engine.outcomes import Outcome, Outcomes
from akstwin.sim.world import SimulatedService

BLUE = "blue"


class Story:
    """A world with one version, everything that happened in it, and the most and fewest pods it had."""

    def __init__(
        self,
        deploy: dict[str, Any],
        *operations: dict[str, Any],
        rate: float = 0,
        start: str = "healthy",
        faults: tuple[Fault, ...] = (),
        **assumed: Any,
    ) -> None:
        self.answers: list[Outcome] = []
        self.events: list[tuple[float, str, str, str]] = []
        self.pods: list[int] = []
        self.ready: list[tuple[float, int]] = []
        self.service: SimulatedService | None = None
        model = {"service_time": "50ms", "init_time": "5s", "workers": 4}
        document = {
            "seed": 3,
            "duration": "24h",
            "start": start,
            "endpoint": {"name": "fraud", "versions": [{"name": BLUE, "deploy": deploy, "model": model}]},
            "operations": [{"kind": "update", **operation} for operation in operations],
            "assumptions": assumed,
        }
        prepared = prepare(document, Path("story.yaml"))
        self.opened = open_world(prepared, recorders=[self], observers=[self], watched=False)
        self.world, self.service = self.opened.world, self.opened.service
        for fault in faults:
            self.world.plan_fault(fault, self.service)
        plan(self.opened, prepared)
        if rate:
            self.service.send([ConstantArrivals(shape="constant", rate=rate)], Clients(), (0, 1 << 60))

    def answered(self, outcomes: Outcomes) -> None:
        """Keep the answers."""
        self.answers.extend(outcomes.rows())

    def happened(self, at: int, kind: str, subject: str, detail: str = "") -> None:
        """Keep the event, and count the pods."""
        self.events.append((at / SECOND, kind, subject, detail))
        if self.service is not None:
            self.pods.append(sum(pod.staying for pod in self.service.controller.pods_of(BLUE)))

    def replicas_changed(self, version: str, ready: int, desired: int, at: int) -> None:
        """Keep how many are ready."""
        self.ready.append((at / SECOND, ready))

    def until(self, seconds: float) -> "Story":
        """Let time pass."""
        self.world.run_until(Micros(round(seconds * SECOND)))
        return self

    def all(self, kind: str) -> list[tuple[float, str]]:
        """When events of a kind happened, and their details."""
        return [(at, detail) for at, each, _, detail in self.events if each == kind]

    @property
    def record(self) -> ServiceLife:
        """What the management service says."""
        assert self.service is not None
        return self.service.controller.life

    @property
    def statuses(self) -> dict[int, int]:
        """Answers by status."""
        counts: dict[int, int] = {}
        for request in self.answers:
            counts[request.status] = counts.get(request.status, 0) + 1
        return counts


ROLL = {"at": "10s", "deploy": {"cpu_cores": 0.2}}
NEW_MODEL = {"at": "10s", "model": {"service_time": "20ms"}}


def test_an_update_of_the_template_ends_when_the_new_pods_serve() -> None:
    """Not at the instant it begins, when all old pods are still ready."""
    story = Story({"num_replicas": 3}, ROLL).until(11)
    assert (story.record.state, len(story.all("operation_ended"))) == ("Transitioning", 0)

    story.until(200)

    (ended, how), (replaced, _) = story.all("operation_ended")[0], story.all("pod_ready")[-1]
    assert how == "Succeeded"
    assert ended >= replaced > 10
    assert len(story.all("pod_ready")) == 3
    assert story.record.state == "Healthy"


def test_a_new_model_rolls_after_its_image_is_built() -> None:
    """300 s of building, with the old pods serving; then every pod runs the new one."""
    story = Story({"num_replicas": 2}, NEW_MODEL).until(309)
    assert story.all("pod_created") == []
    story.until(600)

    assert story.service is not None
    pods = story.service.controller.pods_of(BLUE)
    assert {pod.template.model.service_time.mean for pod in pods} == {20_000}  # type: ignore[union-attr]
    assert [detail for _, detail in story.all("operation_ended")] == ["Succeeded"]


def test_a_pod_created_while_the_image_is_built_runs_the_old_model() -> None:
    """The Deployment's template changes when the image is there, not before."""
    story = Story({"num_replicas": 1}, NEW_MODEL, {"at": "20s", "deploy": {"num_replicas": 2}}).until(200)

    assert story.service is not None
    pods = story.service.controller.pods_of(BLUE)
    assert [pod.template.model.service_time.mean for pod in pods] == [50_000] * 2  # type: ignore[union-attr]


def test_one_replica_has_a_gap_and_max_unavailable_0_avoids_it() -> None:
    """Semantics §6.5 and §6.10: with one replica the update answers 503 for a while."""
    gap = Story({"num_replicas": 1}, ROLL, rate=5).until(200)
    none = Story({"num_replicas": 1}, ROLL, rate=5, max_unavailable=0).until(200)

    assert gap.statuses[503] > 5
    assert set(none.statuses) == {200}


def test_three_replicas_have_no_gap() -> None:
    """Constant load under two replicas' capacity sees nothing of the update."""
    story = Story({"num_replicas": 3}, ROLL, rate=20).until(200)

    assert set(story.statuses) == {200}
    assert min(ready for _, ready in story.ready) >= 2


@pytest.mark.parametrize("replicas", [1, 2, 3, 5])
def test_an_update_creates_as_many_pods_as_there_are_replicas(replicas: int) -> None:
    """None too many, and never more than N + 1 at once."""
    story = Story({"num_replicas": replicas}, ROLL).until(400)

    assert len(story.all("pod_created")) == replicas
    assert max(story.pods) <= replicas + 1


def test_replacing_a_pod_that_never_started_creates_one_pod() -> None:
    """Its end, which is immediate, and the new pod are one step: no second pod is created and ended again."""
    story = Story(
        {"num_replicas": 1, "cpu_cores": 100.0}, {"at": "700s", "deploy": {"cpu_cores": 0.2}}, start="cold"
    ).until(900)  # fmt: skip

    assert [detail for _, detail in story.all("operation_ended")] == ["Failed", "Succeeded"]
    assert [at for at, _ in story.all("pod_created")] == [300, 700]
    assert story.record.state == "Healthy"


def test_a_thousand_pods_that_never_started_are_replaced() -> None:
    """Each is gone at once, and what is to be done is looked at anew: one after the other, however many there are."""
    story = Story(
        {"num_replicas": 1000}, {"at": "700s", "deploy": {"cpu_cores": 0.2, "num_replicas": 2}}, start="cold"
    ).until(1000)  # fmt: skip

    assert [detail for _, detail in story.all("operation_ended")] == ["Failed", "Succeeded"]
    assert len(story.all("pod_created")) == 1000 + 2
    assert (story.pods[-1], story.ready[-1][1]) == (2, 2)
    assert story.record.state == "Healthy"


def test_mending_a_crash_looping_service_is_not_failed_by_the_old_pods() -> None:
    """The restarts of the template that is being replaced do not count against the update."""
    failure = InitFailure.model_validate({"kind": "init_failure", "lasts": "900s"})
    story = Story({"num_replicas": 2}, {"at": "950s", "deploy": {"cpu_cores": 0.2}}, start="cold", faults=(failure,))
    story.until(900)
    assert (story.record.state, story.record.error and story.record.error.code) == ("Failed", "CrashLoopBackOff")

    story.until(1200)

    assert [detail for _, detail in story.all("operation_ended")] == ["Failed", "Succeeded"]
    assert story.record.state == "Healthy"


def test_a_second_rolling_update_is_refused_while_one_runs() -> None:
    """409, and the first one goes on; what needs no new pods is taken."""
    story = Story(
        {"num_replicas": 2}, NEW_MODEL, {"at": "20s", "deploy": {"cpu_cores": 1.0}},
        {"at": "30s", "deploy": {"num_replicas": 4}},
    ).until(600)  # fmt: skip

    assert [(at, detail[:4]) for at, detail in story.all("operation_refused")] == [(20, "409:")]
    assert story.all("scaled") == [(31, "2 to 4")]
    assert [detail for _, detail in story.all("operation_ended")] == ["Succeeded"]


def test_an_update_without_new_pods_acts_after_the_routers_lag() -> None:
    """200, no operation: replicas, queue, time-outs, slots."""
    story = Story({"num_replicas": 1}, {"at": "10s", "deploy": {"max_request_wait_time": 100}}, router_lag="3s")
    assert story.service is not None
    version = story.service.plane.router._versions[BLUE]
    story.until(12.9)
    assert version.settings.max_wait == 500_000
    story.until(13)

    assert version.settings.max_wait == 100_000
    assert story.record.operations == ()


def test_the_autoscaler_of_a_rolling_version_pauses_and_goes_on_afterwards() -> None:
    """No step during the operation, a new window after it."""
    story = Story(
        {"autoscale_enabled": True, "autoscale_min_replicas": 2, "autoscale_max_replicas": 20}, ROLL,
        {"at": "11s", "deploy": {"autoscale_enabled": True, "autoscale_min_replicas": 1}}, rate=3,
    ).until(300)  # fmt: skip

    (ended, _), *_ = story.all("operation_ended")
    scaled = story.all("scaled")
    assert [at for at, _ in scaled] == [ended + 60]
    assert scaled[0][1] == "2 to 1"


def test_more_slots_halve_what_the_autoscaler_needs() -> None:
    """A change of c reaches the autoscaler as it reaches the router."""
    story = Story(
        {"autoscale_enabled": True, "autoscale_max_replicas": 20, "replica_max_concurrent_requests": 1},
        {"at": "60s", "deploy": {"replica_max_concurrent_requests": 4}}, rate=100,
    )  # fmt: skip
    story.until(59)
    assert story.service is not None
    assert story.service.controller.deployments[BLUE].replicas >= 8  # five slots busy at 70 per cent

    story.until(300)

    assert story.service.controller.deployments[BLUE].replicas == 2


def test_an_image_that_takes_too_long_to_build_times_the_update_out_and_changes_no_pod() -> None:
    """TimedOut and Unhealthy; when the build is over at last nobody waits for it any more."""
    story = Story({"num_replicas": 1}, NEW_MODEL, image_build="30m").until(3600)

    assert story.all("operation_ended") == [(1210, "TimedOut")]
    assert story.all("pod_created") == []
    assert story.record.state == "Unhealthy"


def test_a_cold_start_is_healthy_when_the_router_has_all_its_replicas() -> None:
    """Build, pull, start; the router answers 404 before it knows the service, 503 before a replica is ready."""
    story = Story({"num_replicas": 2}, start="cold", rate=1).until(400)

    assert story.all("operation_ended") == [(366, "Succeeded")]
    assert story.all("service_state")[-1] == (366, "Healthy")
    assert [request.status for request in story.answers if request.arrived < 300 * SECOND] == [404] * 299
    assert {request.status for request in story.answers if 301 * SECOND <= request.arrived < 366 * SECOND} == {503}
    assert {request.status for request in story.answers if request.arrived > 366 * SECOND} == {200}
