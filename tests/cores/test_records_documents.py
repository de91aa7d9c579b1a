"""What callers see of a service, which services a list means, and tokens (wire §7.2, §12)."""

from dataclasses import replace
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from akstwin.clock import HOUR, SECOND, Micros
from akstwin.cores.management import (
    DeploymentStatus,
    OperationError,
    ServiceLife,
    ServiceLimits,
    ServiceRecord,
    Surroundings,
    VersionStatus,
    begin,
    change,
    create,
    error_document,
    healthy,
    matches,
    service_document,
)
from akstwin.cores.management.tokens import NOT_OURS, Reading, issue, read
from akstwin.domain.lifecycles import OperationState, ServiceState
from akstwin.sdk import wire

EPOCH = 1_600_000_000.0
LIMITS = ServiceLimits(versions=6, replicas=550_000)
MODEL = {"id": "fraud:1", "name": "fraud", "version": 1, "kvTags": {"a": "b"}}
AROUND = Surroundings(EPOCH, "http://127.0.0.1:8899/", {"fraud:1": MODEL})
STATUS = DeploymentStatus(
    {"fraud": VersionStatus(3, 2, 1), "blue": VersionStatus(2, 2, 2), "green": VersionStatus(1, 1, 0)}
)
REQUEST = {"modelIds": ["fraud:1"], "environment": {"name": "a", "version": "1"}}


def service(**arguments: Any) -> ServiceRecord:
    """An AksWebservice."""
    payload = wire.service_payload(arguments, name="fraud", compute_name="aks", environment_image_request=REQUEST)
    return create(payload, None, Micros(SECOND), LIMITS)


def endpoint() -> ServiceRecord:
    """An AksEndpoint with blue and green."""
    payload = wire.endpoint_payload(
        {"version_name": "blue"}, name="fraud", compute_name="aks", environment_image_request=REQUEST
    )
    green = wire.version_added_patch(
        "green", ["blue"], {"traffic_percentile": 10}, compute_name="aks", environment_image_request=None
    )
    return change(create(payload, None, Micros(SECOND), LIMITS), green, Micros(2 * SECOND), limits=LIMITS).record


def shown(record: ServiceRecord, life: ServiceLife | None = None) -> dict[str, Any]:
    """The document of a healthy service, or of one with another life."""
    return service_document(record, life or healthy("fraud"), STATUS, AROUND)


def test_a_service_without_settings_shows_the_services_defaults() -> None:
    """All of wire §12; what is not known yet is null or missing as wire §7.2 wants it."""
    assert shown(service()) == {
        "id": "fraud", "name": "fraud", "description": None, "kvTags": {}, "properties": {}, "computeType": "AKS",
        "computeName": "aks", "deploymentType": "HttpRealtimeEndpoint", "operationId": None,
        "appInsightsEnabled": False, "authEnabled": True, "aadAuthEnabled": False, "namespace": None,
        "state": "Healthy", "error": None, "scoringUri": "http://127.0.0.1:8899/api/v1/service/fraud/score",
        "createdTime": "2020-09-13T12:26:41.000000+00:00", "updatedTime": "2020-09-13T12:26:41.000000+00:00",
        "deploymentStatus": {"desiredReplicas": 6, "updatedReplicas": 5, "availableReplicas": 3, "error": None},
        "environmentImageRequest": REQUEST, "models": [{**MODEL, "tags": {"a": "b"}}],
        "numReplicas": None, "maxConcurrentRequestsPerContainer": 1, "maxQueueWaitMs": 500, "scoringTimeoutMs": 60_000,
        "autoScaler": {
            "autoscaleEnabled": True, "minReplicas": 1, "maxReplicas": 10, "refreshPeriodInSeconds": 1,
            "targetUtilization": 70,
        },
        "containerResourceRequirements": {
            "cpu": 0.1, "cpuLimit": None, "memoryInGB": 0.5, "memoryInGBLimit": None, "gpu": 0,
        },
        "dataCollection": {"storageEnabled": False, "eventHubEnabled": False},
        "livenessProbeRequirements": {
            "periodSeconds": 10, "initialDelaySeconds": 310, "timeoutSeconds": 2, "successThreshold": 1,
            "failureThreshold": 3,
        },
    }  # fmt: skip


def test_a_service_with_settings_shows_them_as_given() -> None:
    """A success threshold that is applied as 1 too; a fixed number has no autoscaler settings."""
    document = shown(
        service(num_replicas=3, cpu_cores=2, cpu_cores_limit=3, success_threshold=2, token_auth_enabled=True,
                collect_model_data=True, namespace="mine", blobfuse_enabled=False)
    )  # fmt: skip

    assert document["numReplicas"] == 3
    assert document["autoScaler"] == {
        "autoscaleEnabled": False, "minReplicas": None, "maxReplicas": None, "refreshPeriodInSeconds": None,
        "targetUtilization": None,
    }  # fmt: skip
    assert document["containerResourceRequirements"]["cpuLimit"] == 3
    assert document["livenessProbeRequirements"]["successThreshold"] == 2
    assert (document["authEnabled"], document["aadAuthEnabled"], document["namespace"]) == (False, True, "mine")
    assert (document["dataCollection"]["storageEnabled"], document["storageInitEnabled"]) == (True, True)


def test_updated_time_is_always_there() -> None:
    """That of the creation until something is changed."""
    record = service()
    changed = change(
        record, [{"op": "replace", "path": "/description", "value": "x"}], Micros(3_500_000), limits=LIMITS
    )

    assert shown(record)["updatedTime"] == shown(record)["createdTime"]
    assert shown(changed.record)["updatedTime"] == "2020-09-13T12:26:43.500000+00:00"


def test_an_endpoint_shows_its_versions() -> None:
    """Each as a service of its own, with its share and its replicas; the shares as given."""
    document = shown(endpoint())
    blue, green = document["versions"].values()

    assert document["computeType"] == "AKSENDPOINT"
    assert "numReplicas" not in document
    assert (blue["computeType"], blue["computeName"], blue["name"]) == ("AKS", "aks", "blue")
    assert (blue["isDefault"], blue["type"], blue["trafficPercentile"]) == (True, "Control", None)
    assert (green["isDefault"], green["type"], green["trafficPercentile"]) == (False, "Treatment", 10)
    assert (blue["deploymentStatus"]["availableReplicas"], green["deploymentStatus"]["availableReplicas"]) == (2, 0)
    assert blue["scoringUri"] == document["scoringUri"]
    assert (len(blue["models"]), green["models"]) == (1, [])
    assert {"createdTime", "autoScaler", "state", "environmentImageRequest"} <= green.keys()


def test_the_document_does_not_change_the_record() -> None:
    """What a caller does to tags is not kept."""
    record = service(tags={"a": "b"})
    shown(record)["kvTags"]["c"] = "d"

    assert record.tags == {"a": "b"}


@pytest.mark.parametrize(
    ("state", "stage", "there"),
    [
        (OperationState.RUNNING, "DeployService", False),
        (OperationState.FAILED, "DeployService", False),
        (OperationState.TIMED_OUT, "BuildImage", False),
        (OperationState.TIMED_OUT, "DeployService", True),
        (OperationState.SUCCEEDED, "DeployService", True),
    ],
)
def test_the_scoring_uri_comes_with_the_first_pods_that_may_answer(state: Any, stage: Any, there: bool) -> None:
    """And stays through later operations."""
    life = begin(None, "fraud", "create", Micros(0), builds=False)
    ended = replace(life, operations=(replace(life.operations[0], state=state, stage=stage),))
    updating = replace(ended, operations=(*ended.operations, replace(life.operations[0], number=2)))

    assert (shown(service(), ended)["scoringUri"] is not None) == there
    assert (shown(service(), updating)["scoringUri"] is not None) == there


def test_errors_are_worded_as_the_service_words_them() -> None:
    """With details (semantics §2.4)."""
    failed = OperationError("KubernetesError", 400, "0/3 nodes are available.")
    life = ServiceLife("fraud", ServiceState.UNSCHEDULABLE, error=failed)
    document = {
        "code": "KubernetesError", "statusCode": 400, "message": "Kubernetes Deployment Error",
        "details": [{"code": "Unschedulable", "message": "0/3 nodes are available."}],
    }  # fmt: skip

    assert error_document(None) is None
    assert shown(service(), life)["error"] == shown(service(), life)["deploymentStatus"]["error"] == document
    timed_out = error_document(OperationError("DeploymentTimedOut", 504, "Timed out."))
    assert timed_out is not None
    assert timed_out["message"] == "Timed out."


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, True),
        ({"compute_type": "aks"}, True),
        ({"compute_type": "AKSENDPOINT"}, False),
        ({"tags": [("a", None)]}, True),
        ({"tags": [("a", "1")]}, True),
        ({"tags": [("a", "2")]}, False),
        ({"tags": [("a", None), ("b", None)]}, False),
        ({"properties": [("p", "true")]}, True),
        ({"properties": [("a", None)]}, False),
        ({"model_name": "fraud"}, True),
        ({"model_name": "frau"}, False),
        ({"model_id": "fraud:1"}, True),
        ({"model_id": "fraud:2"}, False),
        ({"compute_type": "AKS", "model_id": "fraud:1", "tags": [("c", None)]}, False),
    ],
)
def test_a_list_means_what_has_all_that_is_given(wanted: dict[str, Any], found: bool) -> None:
    """Type, tags, properties, models."""
    assert matches(service(tags={"a": 1}, properties={"p": True}), **wanted) == found


# -- tokens


def test_a_token_is_read_by_the_service_it_is_for() -> None:
    """Its times are the clock's."""
    issued = issue("secret", "fraud", Micros(10 * SECOND), HOUR, Micros(60 * SECOND), EPOCH)

    assert (issued.refresh_after, issued.expiry_on) == (1_600_000_070, 1_600_003_610)
    assert read("secret", "fraud", issued.token, EPOCH) == Reading(genuine=True, expires=Micros(3610 * SECOND))
    assert read("secret", "other", issued.token, EPOCH) == NOT_OURS
    assert read("another", "fraud", issued.token, EPOCH) == NOT_OURS


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "e30.e30.", "ü.ü.ü"])
def test_what_is_no_token_is_not_ours(token: str) -> None:
    """Whatever stands behind `Bearer`."""
    assert read("secret", "fraud", token, EPOCH) == NOT_OURS


def test_a_forged_token_is_not_ours() -> None:
    """Other claims under the old signature, no signature, or no end."""
    issued = issue("secret", "fraud", Micros(0), HOUR, HOUR, EPOCH)
    head, claims, signature = issued.token.split(".")
    later = issue("secret", "fraud", Micros(HOUR), HOUR, HOUR, EPOCH).token.split(".")[1]
    endless = jwt.encode({"alg": "HS256"}, {"aud": "fraud"}, OctKey.import_key(b"x" * 32))

    assert claims != later
    assert read("secret", "fraud", f"{head}.{later}.{signature}", EPOCH) == NOT_OURS
    assert read("secret", "fraud", f"eyJhbGciOiJub25lIn0.{claims}.", EPOCH) == NOT_OURS
    assert read("secret", "fraud", endless, EPOCH) == NOT_OURS
