"""A service gains and loses versions, and ends: who gets the traffic meanwhile, and what is left."""

from dataclasses import replace

import pytest
from support.worlds import open_endpoint

from akstwin.clock import SECOND, Micros
from akstwin.cores import management
from akstwin.domain.deployment import DeployArguments
from akstwin.domain.service import Code, ServiceSpec, VersionSpec
from akstwin.domain.workload import Clients, ConstantArrivals
from akstwin.errors import Conflict
from akstwin.sim.engine.outcomes import Outcome, Outcomes

MODEL = {"service_time": "20ms", "init_time": "5s"}


def version(name: str, **deploy: object) -> VersionSpec:
    """One version with two replicas."""
    return VersionSpec(name, DeployArguments.model_validate({"num_replicas": 2, **deploy}))


class Endpoint:
    """An endpoint `fraud` with a healthy version `blue`, called 50 times a second."""

    def __init__(self, *more: VersionSpec, assumptions: dict[str, str] | None = None) -> None:
        versions = [
            {"name": each.name, "deploy": each.arguments.model_dump(exclude_none=True), "model": MODEL}
            for each in (version("blue"), *more)
        ]
        self.opened = open_endpoint(versions, seed=1, assumptions=assumptions)
        self.world, self.service = self.opened.world, self.opened.service
        self.opened.backend.simulation.profile("fraud", **MODEL)  # of versions to come too
        self.controller = self.service.controller
        self.spec = self.controller.spec
        self.changes = 0
        self.answers: list[Outcome] = []
        self.service.on_outcomes.append(self.take)
        self.service.send([ConstantArrivals(shape="constant", rate=50)], Clients(), (0, 1 << 60))

    def take(self, outcomes: Outcomes) -> None:
        """Keep the answers."""
        self.answers.extend(outcomes.rows())

    def change(self, *versions: VersionSpec) -> None:
        """What the management service does with a patch: a version that is not there yet has code of its own."""
        self.changes += 1
        codes = {each.name: each.code for each in self.spec.versions}
        new = Code("", f"change {self.changes}")
        after = ServiceSpec("fraud", tuple(replace(each, code=codes.get(each.name, new)) for each in versions))
        effects = management.effects_of(self.spec, after)
        if management.takes_operation(effects):
            self.controller.lifecycle.begin("update", self.world.calendar.now, builds=management.builds(effects))
        self.spec = after
        self.controller.perform(after, effects, 0)

    def until(self, seconds: float) -> dict[tuple[str | None, int], int]:
        """Let time pass; answers since the last time, by version and status."""
        self.answers.clear()
        self.world.run_until(Micros(round(seconds * SECOND)))
        counts: dict[tuple[str | None, int], int] = {}
        for each in self.answers:
            counts[each.version, each.status] = counts.get((each.version, each.status), 0) + 1
        return counts


def test_a_new_version_gets_its_share_when_it_has_come() -> None:
    """While its image is built and its pods start, the default answers everything: nobody sees a refusal."""
    endpoint = Endpoint()
    endpoint.until(10)
    endpoint.change(version("blue"), version("green", traffic_percentile=40))

    meanwhile = endpoint.until(350)  # 300 s of building, 60 s of pulling
    endpoint.until(400)
    afterwards = endpoint.until(500)

    assert set(meanwhile) == {("blue", 200)}
    assert endpoint.controller.life.state == "Healthy"
    assert {name for name, status in afterwards if status == 200} == {"blue", "green"}
    share = afterwards["green", 200] / sum(afterwards.values())
    assert abs(share - 0.4) < 4 * (0.4 * 0.6 / 5000) ** 0.5


def test_a_version_that_never_comes_never_gets_traffic() -> None:
    """Twenty cores fit on no node: the operation fails, and the default goes on."""
    endpoint = Endpoint()
    endpoint.change(version("blue"), version("green", traffic_percentile=40, cpu_cores=20.0))

    answers = endpoint.until(900)

    assert endpoint.controller.life.state == "Unschedulable"
    assert set(answers) == {("blue", 200)}


def test_a_service_is_well_again_without_the_version_that_failed() -> None:
    """The others were healthy all the time."""
    endpoint = Endpoint()
    endpoint.change(version("blue"), version("green", traffic_percentile=40, cpu_cores=20.0))
    endpoint.until(900)

    endpoint.change(version("blue"))

    assert (endpoint.controller.life.state, endpoint.controller.life.error) == ("Healthy", None)
    assert set(endpoint.until(950)) == {("blue", 200)}


def test_a_version_that_comes_after_its_time_out_gets_its_share_then() -> None:
    """Its image takes 19 of the operation's 20 minutes, its pods the rest and more."""
    endpoint = Endpoint(assumptions={"image_build": "1195s"})
    endpoint.change(version("blue"), version("green", traffic_percentile=40))

    meanwhile = endpoint.until(1240)
    assert (endpoint.controller.life.operations[-1].state, set(meanwhile)) == ("TimedOut", {("blue", 200)})
    endpoint.until(1300)

    assert endpoint.controller.life.state == "Healthy"
    assert {name for name, status in endpoint.until(1400) if status == 200} == {"blue", "green"}


def test_a_new_default_takes_over_when_it_has_come() -> None:
    """Until then the old default stands in for it."""
    endpoint = Endpoint()
    endpoint.change(version("blue", traffic_percentile=0, is_default=False), version("green", is_default=True))

    meanwhile = endpoint.until(350)
    endpoint.until(400)
    afterwards = endpoint.until(500)

    assert set(meanwhile) == {("blue", 200)}
    assert set(afterwards) == {("green", 200)}


def test_a_removed_version_ends_without_a_refusal() -> None:
    """Its share goes to the others first; what it runs may finish; no pod of it stays."""
    endpoint = Endpoint(version("green", traffic_percentile=40))
    endpoint.until(10)

    endpoint.change(version("blue"))
    answers = endpoint.until(60)

    assert {status for _, status in answers} == {200}
    assert endpoint.controller.pods_of("green") == []
    assert endpoint.until(70) == {("blue", 200): 500}


def test_a_name_can_be_used_again() -> None:
    """A version of a removed one's name is a new one, even while the old one's pods are ending."""
    endpoint = Endpoint(version("green", traffic_percentile=40))
    endpoint.until(10)
    endpoint.change(version("blue"))
    endpoint.until(10.2)
    endpoint.change(version("blue"), version("green", traffic_percentile=20))

    endpoint.until(500)

    assert endpoint.controller.life.state == "Healthy"
    assert endpoint.controller.split.shares() == {"blue": 80, "green": 20}
    assert sum(pod.ready for pod in endpoint.controller.pods_of("green")) == 2
    assert ("green", 200) in endpoint.until(520)


def test_an_image_that_is_there_is_not_built_again() -> None:
    """The operation begins with the pods: 60 s of pulling instead of 360 s."""
    endpoint = Endpoint()
    shared = replace(version("blue"), code=Code("env:1", "1"))
    after = ServiceSpec("fraud", (endpoint.spec.versions[0], replace(shared, name="green")))
    effects = management.effects_of(endpoint.spec, after, built={"env:1"})
    endpoint.controller.lifecycle.begin("update", endpoint.world.calendar.now, builds=management.builds(effects))
    endpoint.controller.perform(after, effects, 0)

    endpoint.until(70)

    assert endpoint.controller.life.state == "Healthy"
    assert endpoint.controller.life.operations[-1].state == "Succeeded"


def test_the_end_of_a_service() -> None:
    """Its pods end, its operation succeeds, requests meet 404, and its room on the nodes is free."""
    endpoint = Endpoint(version("green", traffic_percentile=40))
    endpoint.until(10)
    taken = sum(node.taken.cpu for node in endpoint.world.nodes.all)

    endpoint.controller.lifecycle.begin("delete", endpoint.world.calendar.now, builds=False)
    endpoint.controller.end()
    endpoint.until(60)

    assert (endpoint.controller.life.state, endpoint.controller.life.operations[-1].state) == ("Gone", "Succeeded")
    assert endpoint.controller.ended
    assert set(endpoint.until(70)) == {(None, 404)}
    assert sum(node.taken.cpu for node in endpoint.world.nodes.all) < taken


def test_nothing_begins_while_a_service_ends() -> None:
    """A second operation is refused, as always."""
    endpoint = Endpoint()
    endpoint.controller.lifecycle.begin("delete", endpoint.world.calendar.now, builds=False)

    with pytest.raises(Conflict, match="busy"):
        endpoint.controller.lifecycle.begin("update", endpoint.world.calendar.now, builds=False)
