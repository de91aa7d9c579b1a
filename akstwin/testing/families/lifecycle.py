"""A service comes, changes and goes."""

from functools import partial
from operator import eq
from typing import Any

from akstwin import AksEndpoint, AksWebservice, Model, Webservice
from akstwin.testing.answers import says, shown
from akstwin.testing.promise import equal, holds, promise
from akstwin.testing.trial import LATE, NAME, Trial
from akstwin.testing.watched import longest_operation


@promise("semantics §2.3, §6.6; wire §7.2")
def service_comes_up(trial: Trial) -> None:
    """A new service is Transitioning until its operation ends and Healthy then; the first request after that is answered."""
    service = trial.begin()
    equal("Model.deploy(…).state", service.state, "Transitioning")
    trial.wait(service)
    equal("state, after wait_for_deployment()", service.state, "Healthy")
    uri = service.scoring_uri or ""
    good = uri.startswith(("http://", "https://")) and uri.endswith(f"/api/v1/service/{NAME}/score")
    holds(good, "scoring_uri", uri, f"http…/api/v1/service/{NAME}/score")
    equal("run('{\"number\": 7}')", service.run('{"number": 7}'), {"word": "first", "number": 7})


@promise("semantics §1.5, §6.6; wire §7.2b, §7.4")
def endpoint_comes_up(trial: Trial) -> None:
    """A new endpoint is Healthy with one version, which is the default one and the control, and answers."""
    endpoint = trial.deploy_endpoint("blue", traffic_percentile=30)
    equal("state", endpoint.state, "Healthy")
    equal("versions", list(endpoint.versions), ["blue"])
    version = endpoint.versions["blue"]
    roles = (version.is_default, version.version_type, version.traffic_percentile)
    equal("is_default, version_type, traffic_percentile", roles, (True, "Control", 30))
    says("score(…)", trial.ask(endpoint), "blue")


@promise("wire §7.2, §7.3")
def settings_are_shown(trial: Trial) -> None:
    """What a service is deployed with is what its attributes show."""
    given: dict[str, Any] = {
        "cpu_cores": 0.2, "memory_gb": 0.75, "scoring_timeout_ms": 30_000, "replica_max_concurrent_requests": 2,
        "max_request_wait_time": 750, "num_replicas": 2, "tags": {"team": "risk"}, "properties": {"origin": "check"},
        "description": "checked", "period_seconds": 20, "initial_delay_seconds": 400, "timeout_seconds": 3,
        "failure_threshold": 4,
    }  # fmt: skip
    service = trial.begin(**given)
    asked, probe = service.container_resource_requirements, service.liveness_probe_requirements
    seen = {
        "cpu_cores": asked.cpu, "memory_gb": asked.memory_in_gb, "scoring_timeout_ms": service.scoring_timeout_ms,
        "replica_max_concurrent_requests": service.max_concurrent_requests_per_container,
        "max_request_wait_time": service.max_request_wait_time, "num_replicas": service.num_replicas,
        "tags": service.tags, "properties": service.properties, "description": service.description,
        "period_seconds": probe.period_seconds, "initial_delay_seconds": probe.initial_delay_seconds,
        "timeout_seconds": probe.timeout_seconds, "failure_threshold": probe.failure_threshold,
    }  # fmt: skip
    equal(f"deploy_configuration(**{given})", seen, given)
    scaled = trial.begin(name="scaled", autoscale_enabled=True, autoscale_min_replicas=2, autoscale_max_replicas=5,
                         autoscale_refresh_seconds=3, autoscale_target_utilization=60).autoscaler  # fmt: skip
    limits = (scaled.autoscale_enabled, scaled.min_replicas, scaled.max_replicas)
    equal("autoscaler", (*limits, scaled.refresh_period_seconds, scaled.target_utilization), (True, 2, 5, 3, 60))


@promise("semantics §6.9; wire §12")
def defaults_are_azures(trial: Trial) -> None:
    """What a service is not deployed with has the documented default."""
    service = trial.begin(num_replicas=None)
    scaler, asked, probe = (
        service.autoscaler,
        service.container_resource_requirements,
        service.liveness_probe_requirements,
    )
    seen = {
        "autoscaler": (scaler.autoscale_enabled, scaler.min_replicas, scaler.max_replicas,
                       scaler.refresh_period_seconds, scaler.target_utilization),
        "resources": (asked.cpu, asked.memory_in_gb, asked.gpu),
        "probe": (probe.initial_delay_seconds, probe.period_seconds, probe.timeout_seconds, probe.success_threshold,
                  probe.failure_threshold),
        "request": (service.max_concurrent_requests_per_container, service.max_request_wait_time,
                    service.scoring_timeout_ms),
        "auth": (service.auth_enabled, service.token_auth_enabled),
    }  # fmt: skip
    documented = {
        "autoscaler": (True, 1, 10, 1, 70),
        "resources": (0.1, 0.5, 0),
        "probe": (310, 10, 2, 1, 3),
        "request": (1, 500, 60_000),
        "auth": (True, False),
    }
    equal("Model.deploy(…), nothing given", seen, documented)


@promise("semantics §2.5, §6.5, §6.6")
def update_of_the_script_rolls(trial: Trial) -> None:
    """Another script takes an operation; two replicas answer all the time, and by the new script when it has ended."""
    service = trial.deploy(trial.script("first"), num_replicas=2)
    service.update(inference_config=trial.script("second"))
    equal("state, after update(inference_config=…)", service.state, "Transitioning")
    answers = []
    trial.while_busy(service, lambda: answers.append(trial.ask(service)))
    trial.wait(service)
    equal("state, after wait_for_deployment()", service.state, "Healthy")
    bad = [shown(answer) for answer in answers if answer.status != 200]
    holds(not bad, "score(…) while the replicas are replaced", bad[:3], "200, from one script or the other")
    for _ in range(4):
        says("score(…), after the update", trial.ask(service), "second")


@promise("semantics §6.6; wire §7.5")
def other_updates_act_at_once(trial: Trial) -> None:
    """Queue, time-outs, tags and the number of replicas change without a lock; the wait ends when that is in effect."""
    service = trial.deploy()
    service.update(max_request_wait_time=900, scoring_timeout_ms=50_000, tags={"team": "risk"}, num_replicas=2)
    call = "update(max_request_wait_time=900, scoring_timeout_ms=50000, tags=…, num_replicas=2)"
    equal(f"state, after {call}", service.state, "Healthy")
    seen = (service.max_request_wait_time, service.scoring_timeout_ms, service.tags, service.num_replicas)
    equal(call, seen, (900, 50_000, {"team": "risk"}, 2))
    trial.wait(service)
    equal("state, after wait_for_deployment()", service.state, "Healthy")
    equal(f"{call}, wait_for_deployment(), replicas", trial.version().replicas.get("Ready"), 2)


@promise("semantics §6.6; wire §8")
def a_looked_up_service_is_waited_for(trial: Trial) -> None:
    """What is asked for a second time has an operation as well: update(num_replicas=…) of a service that was just found."""
    trial.deploy(num_replicas=1)
    for wanted in (2, 2):
        service = trial.found()
        service.update(num_replicas=wanted)
        trial.wait(service)
        call = f"Webservice(workspace, {NAME!r}).update(num_replicas={wanted}), wait_for_deployment()"
        equal(f"{call}, state", service.state, "Healthy")
        equal(f"{call}, replicas", trial.version().replicas.get("Ready"), wanted)


@promise("semantics §6.6")
def number_of_replicas_follows(trial: Trial) -> None:
    """A service has as many ready replicas as it was last asked for, more or fewer."""
    service = trial.deploy(num_replicas=1)
    for wanted in (3, 2):
        service.update(num_replicas=wanted)
        trial.until(
            f"update(num_replicas={wanted}), observe(…).versions[…].replicas",
            lambda: dict(trial.version().replicas),
            f"{{'Ready': {wanted}}}",
            partial(eq, {"Ready": wanted}),
            trial.span("deployment_timeout"),
        )


@promise("semantics §6.6; wire §7, 8")
def deleted_service_is_gone(trial: Trial) -> None:
    """A deleted service is not found, not listed and not routed to any more, and its name is free."""
    service = trial.deploy(trial.script("first"))
    service.delete()
    with trial.refused(f"Webservice(workspace, {NAME!r}), after delete()", 404):
        trial.found()
    equal("Webservice.list(…), after delete()", [each.name for each in Webservice.list(trial.workspace)], [])
    trial.settle()
    answer = trial.backend.score(NAME, trial.request(service, {"Authorization": "Bearer none"}))
    equal("score(…).status, after delete()", answer.status, 404)
    says("score(…), after another Model.deploy(…)", trial.ask(trial.deploy(trial.script("second"))), "second")


@promise("semantics §2.5; wire §7.3")
def overwrite_replaces(trial: Trial) -> None:
    """Model.deploy(overwrite=True) replaces script and settings of a service; its keys stay."""
    service = trial.deploy(trial.script("first"), max_request_wait_time=900)
    keys = service.get_keys()
    replaced = trial.deploy(trial.script("second"), overwrite=True)
    equal("get_keys(), after overwrite", replaced.get_keys() == keys, True)
    equal("max_request_wait_time, not given in overwrite", replaced.max_request_wait_time, 500)
    says("score(…), after overwrite", trial.ask(replaced), "second")


@promise("wire §7, 5 and 6")
def lookup_finds(trial: Trial) -> None:
    """A service is found by its name, in its own class, and listed by type, tags, properties and model."""
    model = trial.model()
    trial.begin(name="plain", models=[model], tags={"team": "risk"}, properties={"origin": "check"})
    configuration = AksEndpoint.deploy_configuration(num_replicas=1, version_name="blue", tags={"team": "sales"})
    Model.deploy(trial.workspace, "split", [], trial.script("blue"), configuration, trial.target)
    for name, kind in (("plain", AksWebservice), ("split", AksEndpoint)):
        equal(f"type(Webservice(workspace, {name!r}))", type(trial.found(name)).__name__, kind.__name__)
    filters: tuple[tuple[dict[str, Any], list[str]], ...] = (
        ({}, ["plain", "split"]),
        ({"compute_type": "aks"}, ["plain"]),
        ({"compute_type": "AKSENDPOINT"}, ["split"]),
        ({"tags": ["team"]}, ["plain", "split"]),
        ({"tags": [["team", "sales"]]}, ["split"]),
        ({"tags": [["team", "sales"]], "compute_type": "AKS"}, []),
        ({"properties": [["origin", "check"]]}, ["plain"]),
        ({"model_name": model.name}, ["plain"]),
        ({"model_id": model.id}, ["plain"]),
        ({"model_id": f"{model.name}:99"}, []),
    )
    for given, names in filters:
        seen = [service.name for service in Webservice.list(trial.workspace, **given)]
        equal(f"Webservice.list(workspace, **{given})", seen, names)


@promise("semantics §1.5; wire §7.6")
def version_comes_and_goes(trial: Trial) -> None:
    """A version is added by an operation and answers; one without a share gets nothing; a removed one is gone."""
    endpoint = trial.deploy_endpoint("blue")
    endpoint.create_version("green", inference_config=trial.script("green"), num_replicas=1)
    equal("state, after create_version(…)", endpoint.state, "Transitioning")
    trial.wait(endpoint)
    equal("versions", list(endpoint.versions), ["blue", "green"])
    for _ in range(10):
        says("score(…), with a second version without a share", trial.ask(endpoint), "blue")
    says("score(…), green by the header", trial.ask(endpoint, {"azureml-model-deployment": "green"}), "green")
    endpoint.delete_version("green")
    equal("versions, after delete_version('green')", list(endpoint.versions), ["blue"])
    trial.wait(endpoint)
    trial.until(
        "score(…), green by the header, after delete_version('green')",
        lambda: trial.ask(endpoint, {"azureml-model-deployment": "green"}).status,
        "404",
        lambda status: status == 404,
        10 * LATE,
    )


@promise("wire §8")
def operations_are_final(trial: Trial) -> None:
    """An operation that has ended stays as it ended, and a wait that is too short for it says so."""
    service = trial.begin()
    try:
        service.wait_for_deployment(timeout_sec=0.001)
    except Exception as error:  # noqa: BLE001 - what it says is looked at
        holds("timeout" in str(error), "wait_for_deployment(timeout_sec=0.001)", error, "that the time is up")
    else:
        equal("wait_for_deployment(timeout_sec=0.001)", "success", "a WebserviceException: the time is up")
    for _ in range(2):
        trial.wait(service)
        equal("state", service.state, "Healthy")
    trial.sleep(longest_operation(trial.backend))
    trial.wait(service)
    equal("state, much later", service.state, "Healthy")
