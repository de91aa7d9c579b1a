"""An operation ends when what was asked for is in effect: the first request after the wait meets it (semantics §6.6)."""

from collections.abc import Callable
from typing import Any

import pytest

from akstwin import AksWebservice, Webservice, WebserviceException
from akstwin.backend import ScoreRequest
from akstwin.domain.lifecycles import OperationState
from akstwin.sdk import wire

RUNNING, SUCCEEDED = OperationState.RUNNING, OperationState.SUCCEEDED
ECHO = """
import json


def init():
    pass


def run(raw):
    return json.loads(raw)
"""


def answers(lab: Any, name: str = "svc", count: int = 5, **asked: Any) -> set[int]:
    """Statuses of requests at once, each by a client that does nothing but send."""
    request = lab.request(name, **asked)
    return {answer.status for answer in lab.ws.backend.score_all(name, [(0, request)] * count)}


def patch(lab: Any, **arguments: Any) -> str:
    """The operation of an update of the service."""
    operation = lab.ws.backend.patch_service("svc", wire.update_patch(arguments))
    assert isinstance(operation, str)
    return operation


def state(lab: Any, operation: str) -> OperationState:
    """How far an operation is."""
    found: OperationState = lab.ws.backend.get_operation(operation).state
    return found


def ends_after(lab: Any, operation: str, milliseconds: int) -> None:
    """The operation runs until then, and has succeeded then."""
    lab.ws.simulation.advance(f"{milliseconds - 1}ms")
    assert state(lab, operation) is RUNNING
    lab.ws.simulation.advance("1ms")
    assert state(lab, operation) is SUCCEEDED


def test_the_first_request_after_a_deployment_is_answered(make_lab: Callable[..., Any]) -> None:
    """Also where the router learns late; and not one of five is refused."""
    lab = make_lab(router_lag="30s")
    service = lab.deploy(script=ECHO, num_replicas=2, max_request_wait_time=5000, wait=False)
    service.wait_for_deployment()
    assert (service.state, answers(lab)) == ("Healthy", {200})


def test_it_ends_as_soon_as_the_router_has_the_replicas(make_lab: Callable[..., Any]) -> None:
    """10 s of building, 5 s of pulling, 5 s of starting, and the router's 3 s."""
    lab = make_lab(router_lag="3s")
    lab.deploy(script=ECHO, wait=False)
    operation = lab.ws.backend.management.repositories.lifecycles.get("svc").operation
    ends_after(lab, operation, 23_000)
    assert lab.ws.backend.get_service("svc")["state"] == "Healthy"


@pytest.mark.parametrize(
    ("arguments", "milliseconds"),
    [
        ({"scoring_timeout_ms": 5000}, 1000),
        ({"max_request_wait_time": 900}, 1000),
        ({"replica_max_concurrent_requests": 3}, 1000),
        ({"num_replicas": 1}, 1000),  # a replica less
        ({"num_replicas": 3}, 12_000),  # 1 s to the settings' effect, 5 s of pulling, 5 s of starting, 1 s to the router
        ({"autoscale_enabled": True, "autoscale_min_replicas": 1, "autoscale_max_replicas": 4}, 1000),
        ({"autoscale_enabled": True, "autoscale_min_replicas": 3, "autoscale_max_replicas": 4}, 12_000),
        ({"auth_enabled": False}, 2000),
        ({"auth_enabled": False, "scoring_timeout_ms": 5000, "description": "d"}, 2000),
        ({"auth_enabled": False, "num_replicas": 3}, 12_000),
    ],
)  # fmt: skip
def test_an_update_ends_when_it_is_in_effect(lab: Any, arguments: dict[str, Any], milliseconds: int) -> None:
    """Neither before nor later; the service is Healthy all the time."""
    lab.deploy(script=ECHO, num_replicas=2)
    ends_after(lab, patch(lab, **arguments), milliseconds)
    assert lab.ws.backend.get_service("svc")["state"] == "Healthy"


def test_a_service_that_was_just_looked_up_can_be_waited_for(lab: Any) -> None:
    """Whether or not it changes anything."""
    lab.deploy(script=ECHO)
    for wanted in (2, 2):
        service = AksWebservice(lab.ws, "svc")
        service.update(num_replicas=wanted)
        service.wait_for_deployment()
        assert service.state == "Healthy"
        assert lab.ws.backend.observe("svc", 1_000_000).versions["svc"].replicas == {"Ready": wanted}


def test_the_first_request_after_a_change_of_the_way_in_meets_it(make_lab: Callable[..., Any]) -> None:
    """Tokens in place of keys: a token is taken, nothing is not, however slowly keys spread."""
    lab = make_lab(key_propagation="20s")
    service = lab.deploy(script=ECHO)
    service.update(auth_enabled=False, token_auth_enabled=True)
    service.wait_for_deployment()
    assert service.run('{"number": 1}') == {"number": 1}
    assert lab.score(key=None).status == 401


def test_several_updates_side_by_side(lab: Any) -> None:
    """Each ends at its own time, none waits for another, and none is refused."""
    lab.deploy(script=ECHO)
    replicas = patch(lab, num_replicas=2)
    lab.ws.simulation.advance("500ms")
    timeout = patch(lab, scoring_timeout_ms=5000)
    ends_after(lab, timeout, 1000)
    assert state(lab, replicas) is RUNNING
    ends_after(lab, replicas, 10_500)


def test_updates_again_and_again_delay_no_operation(make_lab: Callable[..., Any]) -> None:
    """The router always has another view under way; the first ones, and a roll-out, end nevertheless."""
    lab = make_lab(router_lag="2s")
    lab.deploy(script=ECHO, num_replicas=2)
    rolls = patch(lab, cpu_cores=0.3)
    each = []
    for number in range(60):
        each.append(patch(lab, scoring_timeout_ms=5000 + number))
        lab.ws.simulation.advance("500ms")
    assert state(lab, rolls) is SUCCEEDED
    assert [state(lab, operation) for operation in each[:-4]] == [SUCCEEDED] * 56


def test_an_update_during_a_roll_out(lab: Any) -> None:
    """It is taken, ends by itself, and the roll-out goes on to its own end."""
    lab.deploy(script=ECHO, num_replicas=2)
    rolls = patch(lab, cpu_cores=0.3)
    ends_after(lab, patch(lab, max_request_wait_time=900), 1000)
    document = lab.ws.backend.get_service("svc")
    assert (document["state"], state(lab, rolls)) == ("Transitioning", RUNNING)
    replicas = patch(lab, num_replicas=3)
    lab.ws.simulation.advance("30s")
    assert [state(lab, operation) for operation in (rolls, replicas)] == [SUCCEEDED, SUCCEEDED]


def test_an_update_of_a_service_that_is_being_created_ends_with_it(lab: Any) -> None:
    """The first request after the wait is answered then too."""
    service = lab.deploy(script=ECHO, wait=False)
    service.update(scoring_timeout_ms=5000)
    assert service.state == "Transitioning"
    service.wait_for_deployment()
    assert (service.state, lab.score().status) == ("Healthy", 200)


def test_a_later_number_of_replicas_takes_the_place_of_an_earlier_one(lab: Any) -> None:
    """The earlier operation is cancelled and names the later number; the later one succeeds."""
    lab.deploy(script=ECHO)
    first, second = patch(lab, num_replicas=4), patch(lab, num_replicas=2)
    cancelled = lab.ws.backend.get_operation(first)
    assert (cancelled.state, cancelled.error["code"]) == (OperationState.CANCELLED, "Superseded")
    assert "asks for 2 replicas" in cancelled.error["message"]
    ends_after(lab, second, 12_000)


def test_replicas_that_fit_nowhere(lab: Any) -> None:
    """The operation fails after 300 s and says what the nodes lack; the service stays Healthy and answers."""
    service = lab.deploy(script=ECHO, cpu_cores=2.0)
    service.update(num_replicas=9)
    with pytest.raises(WebserviceException, match="Insufficient cpu"):
        service.wait_for_deployment()
    service.update_deployment_state()
    assert (service.state, service.error, lab.score().status) == ("Healthy", None, 200)


def test_replicas_that_never_start(lab: Any) -> None:
    """The operation runs out of time and says how many there are; the service stays as it is."""
    service = lab.deploy(script=ECHO)
    lab.ws.simulation.fault("init_failure", lasts="2h")
    service.update(num_replicas=2)
    with pytest.raises(WebserviceException, match="svc has 1 of 2 replicas"):
        service.wait_for_deployment()
    service.update_deployment_state()
    assert (service.state, service.error) == ("Healthy", None)


def test_a_service_that_is_deleted_meanwhile(lab: Any) -> None:
    """The operation is cancelled, and can still be asked for."""
    lab.deploy(script=ECHO)
    operation = patch(lab, num_replicas=3)
    Webservice(lab.ws, "svc").delete()
    assert state(lab, operation) is OperationState.CANCELLED


def test_versions_that_come_and_go(lab: Any) -> None:
    """Coming ends when the router has replicas and split; another share, and going, when it has the split."""
    endpoint = lab.deploy(script=ECHO, version_name="blue")
    endpoint.create_version("green", inference_config=lab.script(ECHO), num_replicas=1, traffic_percentile=100)
    operation = endpoint._operation
    ends_after(lab, operation, 11_000)  # pulling 5 s, starting 5 s, the router 1 s
    assert {answer.version for answer in lab.score_at(0, 1, 2)} == {"green"}
    endpoint.update_version("green", traffic_percentile=0)
    ends_after(lab, endpoint._operation, 1000)
    assert {answer.version for answer in lab.score_at(0, 1, 2)} == {"blue"}
    endpoint.delete_version("green")
    ends_after(lab, endpoint._operation, 1000)
    assert lab.score(headers={"azureml-model-deployment": "green"}).status == 404
    assert endpoint.state == "Healthy"


def test_a_version_without_a_share_ends_as_well(lab: Any) -> None:
    """The router's split stays the same: nothing has to be sent for it."""
    endpoint = lab.deploy(script=ECHO, version_name="blue")
    endpoint.create_version("green", inference_config=lab.script(ECHO), num_replicas=1)
    ends_after(lab, endpoint._operation, 11_000)
    assert lab.score(headers={"azureml-model-deployment": "green"}).status == 200


def test_an_autoscaler_that_is_busy_delays_no_operation(lab: Any) -> None:
    """What the operation waits for is the smallest number, not the one that the load asks for."""
    lab.deploy(script=ECHO, num_replicas=2)
    lab.ws.simulation.profile("svc", service_time="2s")
    lab.ws.simulation.traffic("svc", rate=20, lasts="60s")
    operation = patch(lab, autoscale_enabled=True, autoscale_min_replicas=2, autoscale_max_replicas=10)
    ends_after(lab, operation, 1000)
    assert isinstance(lab.request(), ScoreRequest)
