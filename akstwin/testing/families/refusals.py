"""What is refused, by which status, and that nothing has changed then."""

from typing import Any

from akstwin import AksEndpoint, AksWebservice, ComputeTarget, Model, Webservice
from akstwin.backend import JsonPatch
from akstwin.testing.answers import body, shown
from akstwin.testing.promise import equal, holds, promise
from akstwin.testing.trial import NAME, Trial


@promise("semantics §6.1, R3; wire §7, 5")
def unknown_service_is_not_found(trial: Trial) -> None:
    """A service that is not there is 404, for the SDK and for a client, who is told its name."""
    with trial.refused("Webservice(workspace, 'nobody')", 404):
        trial.found("nobody")
    for call in ("get_keys", "get_logs", "delete_service", "issue_token"):
        with trial.refused(f"{call}('nobody')", 404):
            getattr(trial.backend, call)("nobody")
    service = trial.begin()
    answer = trial.backend.score("nobody", trial.request(service))
    good = answer.status == 404 and body(answer) == "Service nobody not found" and answer.reason == "not_found"
    holds(good, "score('nobody', …)", f"{shown(answer)}, reason {answer.reason}", "404, Service nobody not found")


@promise("semantics §6.1, R1; wire §7")
def other_paths_are_not_found(trial: Trial) -> None:
    """A service has two paths, /score and /swagger.json; another one is 404."""
    service = trial.deploy()
    request = trial.request(service)
    headers = request.headers
    described = trial.backend.score(NAME, type(request)(headers=headers, method="GET", path="/swagger.json"))
    seen = body(described)
    good = described.status == 200 and isinstance(seen, dict) and "swagger" in seen
    holds(good, "GET /swagger.json", shown(described), "200, a description of the API")
    other = trial.backend.score(NAME, type(request)(request.body, headers, path="/elsewhere"))
    equal("POST /elsewhere: status", other.status, 404)


@promise("semantics §1.3, §2.1; wire §7.5")
def bad_values_are_refused(trial: Trial) -> None:
    """An update to a value that the service does not take is 400, and changes nothing."""
    service = trial.deploy(autoscale_enabled=True, autoscale_max_replicas=4, properties={"origin": "check"})
    updates: tuple[dict[str, Any], ...] = (
        {"scoring_timeout_ms": 300_001},
        {"autoscale_enabled": True, "autoscale_min_replicas": 5},
        {"autoscale_enabled": True, "autoscale_target_utilization": 101},
        {"properties": {"origin": "elsewhere"}, "description": "changed"},
    )
    for given in updates:
        call = f"update(**{given})"
        with trial.unchanged(call), trial.refused(call, 400):
            service.update(**given)
    patches = ("/numReplicas", "many"), ("/noSuchSetting", 1), ("/computeName", "other"), ("/maxQueueWaitMs", -1)
    for path, value in patches:
        patch: JsonPatch = [
            {"op": "replace", "path": "/description", "value": "changed"},
            {"op": "replace", "path": path, "value": value},
        ]
        call = f"patch_service({NAME!r}, {patch})"
        with trial.unchanged(call), trial.refused(call, 400):
            trial.backend.patch_service(NAME, patch)


@promise("semantics §2.4, 8; §6.6")
def busy_service_is_a_conflict(trial: Trial) -> None:
    """While an operation runs another one, or a delete, is 409 and changes nothing; what needs no lock is taken."""
    service = trial.begin()
    for given in ({"memory_gb": 0.7}, {"inference_config": trial.script("second")}):
        call = f"update({', '.join(given)}=…), while an operation runs"
        with trial.unchanged(call), trial.refused(call, 409):
            service.update(**given)
    with trial.unchanged("delete(), while an operation runs"), trial.refused("delete(), while an operation runs", 409):
        service.delete()
    service.update(tags={"team": "risk"})
    equal("tags, after update(tags=…) while an operation runs", service.tags, {"team": "risk"})
    service.update(max_request_wait_time=900)
    call = "update(max_request_wait_time=900), while an operation runs"
    equal(
        f"{call}: max_request_wait_time, state", (service.max_request_wait_time, service.state), (900, "Transitioning")
    )
    trial.wait(service)
    equal("state, when the operation has ended", service.state, "Healthy")


@promise("semantics §2.5; wire §7.3")
def taken_name_is_a_conflict(trial: Trial) -> None:
    """Deploying under a name that is taken is 409 and changes nothing, for a service and for an endpoint."""
    trial.deploy(trial.script("first"))
    call = f"Model.deploy(…, {NAME!r}, …), again"
    for configuration in (
        AksWebservice.deploy_configuration(num_replicas=2),
        AksEndpoint.deploy_configuration(num_replicas=2, version_name="blue"),
    ):
        with trial.unchanged(call), trial.refused(call, 409):
            Model.deploy(trial.workspace, NAME, [], trial.script("second"), configuration, trial.target)


@promise("semantics §2.2; wire §7.3")
def unknown_parts_are_not_found(trial: Trial) -> None:
    """Deploying on a cluster, or with a model, that is not there is 404, and there is no service then."""
    with trial.refused("ComputeTarget(workspace, 'nowhere')", 404):
        ComputeTarget(trial.workspace, "nowhere")
    lost = trial.model()
    lost.delete()
    with trial.refused("Model.deploy(…), with a deleted model", 404):
        trial.begin(models=[lost])
    configuration = AksWebservice.deploy_configuration(num_replicas=1, compute_target_name="nowhere")
    with trial.refused("Model.deploy(…), compute_target_name='nowhere'", 404):
        Model.deploy(trial.workspace, NAME, [], trial.script(), configuration)
    equal("Webservice.list(…)", [each.name for each in Webservice.list(trial.workspace)], [])


@promise("semantics §1.5; wire §7.6")
def default_version_stays(trial: Trial) -> None:
    """Neither the default version nor the last one can be deleted: 400, and nothing changed."""
    endpoint = trial.deploy_endpoint("blue")
    call = "delete_version('blue')"
    with trial.unchanged(f"{call}, the last one"), trial.refused(f"{call}, the last one", 400):
        endpoint.delete_version("blue")
    trial.add_version(endpoint, "green", traffic_percentile=20)
    with trial.unchanged(f"{call}, the default one"), trial.refused(f"{call}, the default one", 400):
        endpoint.delete_version("blue")


@promise("semantics §1.5, §6.9")
def versions_are_limited(trial: Trial) -> None:
    """An endpoint has up to `versions_per_endpoint` versions; one more is 400, and changes nothing."""
    most = trial.limit("versions_per_endpoint")
    endpoint = trial.deploy_endpoint("version-1")
    for number in range(2, most + 1):
        endpoint.create_version(f"version-{number}", inference_config=trial.script("other"), num_replicas=1)
        trial.wait(endpoint)
    equal("len(versions)", len(endpoint.versions), most)
    call = f"create_version(…), the {most + 1}th"
    with trial.unchanged(call), trial.refused(call, 400):
        endpoint.create_version("one-too-many", inference_config=trial.script("other"), num_replicas=1)


@promise("semantics §1.5; wire §7.6")
def versions_have_names(trial: Trial) -> None:
    """Adding a version that there is, is 409; changing or removing one that there is not, 404; nothing changed."""
    endpoint = trial.deploy_endpoint("blue")
    call = "create_version('blue', …), again"
    with trial.unchanged(call), trial.refused(call, 409):
        endpoint.create_version("blue", inference_config=trial.script("other"), num_replicas=1)
    for patch in (
        {"op": "replace", "path": "/versions/nobody/numReplicas", "value": 2},
        {"op": "remove", "path": "/versions/nobody"},
    ):
        call = f"patch_service({NAME!r}, [{patch}])"
        with trial.unchanged(call), trial.refused(call, 404):
            trial.backend.patch_service(NAME, [patch])


@promise("semantics §1.3; wire §7, 10")
def key_types_are_two(trial: Trial) -> None:
    """A key that is neither the primary nor the secondary one cannot be regenerated: 400, and both stay."""
    service = trial.begin()
    before = service.get_keys()
    for key_type in ("Tertiary", "", "primary key"):
        with trial.refused(f"regenerate_key({NAME!r}, {key_type!r})", 400):
            trial.backend.regenerate_key(NAME, key_type)
    equal("get_keys() unchanged", service.get_keys() == before, True)
