"""Payloads and patches as wire §7.3-§7.6 write them, word for word. `tests/azureml` compares thousands with the real ones."""

from typing import Any

import pytest

from akstwin.domain.settings import KINDS, SETTINGS, Kind, Patch
from akstwin.sdk import wire
from akstwin.sdk.configuration import deploy_endpoint_configuration, deploy_service_configuration
from akstwin.sdk.exceptions import WebserviceException

REQUEST = {"modelIds": ["fraud:1"]}
NOTHING: dict[str, Any] = {
    "numReplicas": None, "maxConcurrentRequestsPerContainer": None, "maxQueueWaitMs": None, "namespace": None,
    "scoringTimeoutMs": None, "description": None, "kvTags": None, "properties": {}, "location": None,
    "keys": {"primaryKey": None, "secondaryKey": None},
    "containerResourceRequirements": dict.fromkeys(["cpu", "cpuLimit", "memoryInGB", "memoryInGBLimit", "gpu"]),
    "livenessProbeRequirements": dict.fromkeys(
        ["periodSeconds", "initialDelaySeconds", "timeoutSeconds", "successThreshold", "failureThreshold"]
    ),
}  # fmt: skip


def test_a_service_without_settings() -> None:
    """Nulls where the service has a default; flags, autoscaler and data collection are missing."""
    payload = deploy_service_configuration().create_payload("fraud", REQUEST, compute_name="aks")

    assert payload == {
        **NOTHING, "name": "fraud", "computeType": "AKS", "computeName": "aks", "environmentImageRequest": REQUEST,
    }  # fmt: skip


def test_a_service_with_settings() -> None:
    """Each at its place; blobfuse is the negation of what it is called on the wire."""
    payload = deploy_service_configuration(
        autoscale_enabled=True, autoscale_max_replicas=7, collect_model_data=True, auth_enabled=False,
        token_auth_enabled=True, enable_app_insights=False, primary_key="a", secondary_key="b", tags={"team": "a"},
        properties={"b": "c"}, compute_target_name="mine", cpu_cores=0.5, cpu_cores_limit=1, blobfuse_enabled=True,
        period_seconds=5, max_request_wait_time=1000,
    ).create_payload("fraud", None, compute_name="aks", overwrite=True)  # fmt: skip

    assert payload == {
        **NOTHING,
        "name": "fraud", "computeType": "AKS", "computeName": "mine", "environmentImageRequest": None, "overwrite": True,
        "autoScaler": {
            "autoscaleEnabled": True, "minReplicas": None, "maxReplicas": 7, "targetUtilization": None,
            "refreshPeriodInSeconds": None,
        },
        "dataCollection": {"storageEnabled": True, "eventHubEnabled": False},
        "authEnabled": False, "aadAuthEnabled": True, "appInsightsEnabled": False, "storageInitEnabled": False,
        "keys": {"primaryKey": "a", "secondaryKey": "b"}, "kvTags": {"team": "a"}, "properties": {"b": "c"},
        "containerResourceRequirements": {**NOTHING["containerResourceRequirements"], "cpu": 0.5, "cpuLimit": 1},
        "livenessProbeRequirements": {**NOTHING["livenessProbeRequirements"], "periodSeconds": 5},
        "maxQueueWaitMs": 1000,
    }  # fmt: skip


def test_an_endpoint_holds_its_first_version() -> None:
    """The version repeats what is the endpoint's, has no compute target, and shows its traffic."""
    payload = deploy_endpoint_configuration(
        version_name="blue", traffic_percentile=0, auth_enabled=True, description="d", num_replicas=2, namespace="team"
    ).create_payload("fraud", REQUEST, compute_name="aks")

    assert payload == {
        "name": "fraud", "description": "d", "kvTags": None, "tags": None, "properties": {}, "namespace": "team",
        "computeType": "AKSENDPOINT", "computeName": "aks", "authEnabled": True,
        "keys": {"primaryKey": None, "secondaryKey": None},
        "versions": {
            "blue": {
                **NOTHING, "name": "blue", "computeType": "AKSENDPOINT", "computeName": None, "description": "d",
                "environmentImageRequest": REQUEST, "numReplicas": 2, "namespace": "team", "authEnabled": True,
                "trafficPercentile": 0,
            }
        },
    }  # fmt: skip


def test_a_payload_is_checked_again() -> None:
    """Configurations can be changed after they were made."""
    configuration = deploy_service_configuration(num_replicas=2)
    configuration.num_replicas = 0

    with pytest.raises(WebserviceException, match="num_replicas: 0 is not greater than 0"):
        configuration.create_payload("fraud", REQUEST)


def test_an_update_sends_what_is_given() -> None:
    """All that is not None as it is, False, 0 and empty ones too; a property each."""
    patch = wire.update_patch({
        "auth_enabled": False, "tags": {}, "num_replicas": 0, "cpu_cores": 0.5, "namespace": "", "gpu_cores": 0,
        "properties": {"a.b": "c", "d/e": "f"}, "description": "", "models": [object()], "scoring_timeout_ms": None,
        "environment_image_request": REQUEST,
    })  # fmt: skip

    assert patch == [
        {"op": "replace", "path": "/environmentImageRequest", "value": REQUEST},
        {"op": "replace", "path": "/authEnabled", "value": False},
        {"op": "replace", "path": "/containerResourceRequirements/cpu", "value": 0.5},
        {"op": "replace", "path": "/containerResourceRequirements/gpu", "value": 0},
        {"op": "replace", "path": "/numReplicas", "value": 0},
        {"op": "replace", "path": "/namespace", "value": ""},
        {"op": "replace", "path": "/kvTags", "value": {}},
        {"op": "add", "path": "/properties/a.b", "value": "c"},
        {"op": "add", "path": "/properties/d~1e", "value": "f"},
        {"op": "replace", "path": "/description", "value": ""},
    ]


def test_what_cannot_be_patched_is_a_mistake_of_ours() -> None:
    """A parameter that a call does not have is not dropped in silence."""
    with pytest.raises(KeyError, match="traffic_percentile"):
        wire.update_patch({"traffic_percentile": 1})
    with pytest.raises(KeyError, match="cpu_cores"):
        wire.update_patch({"cpu_cores": 1}, Patch.ENDPOINT)
    with pytest.raises(KeyError, match="auth_enabled"):
        wire.version_patch("blue", [], {"auth_enabled": True})


def test_a_version_is_changed_below_its_path() -> None:
    """A version's tags have another name in a patch than in a payload."""
    patch = wire.version_patch("blue", ["blue"], {"traffic_percentile": 0, "tags": {"a": "b"}, "is_default": False})

    assert patch == [
        {"op": "replace", "path": "/versions/blue/isDefault", "value": False},
        {"op": "replace", "path": "/versions/blue/trafficPercentile", "value": 0},
        {"op": "replace", "path": "/versions/blue/tags", "value": {"a": "b"}},
    ]


def test_there_is_one_default_and_one_control() -> None:
    """The others step back in the same patch."""
    patch = wire.version_patch("green", ["blue", "green"], {"is_default": True, "is_control_version_type": True})

    assert patch == [
        {"op": "replace", "path": "/versions/blue/isDefault", "value": False},
        {"op": "replace", "path": "/versions/blue/type", "value": "Treatment"},
        {"op": "replace", "path": "/versions/green/isDefault", "value": True},
        {"op": "replace", "path": "/versions/green/type", "value": "Control"},
    ]


def test_a_new_version_is_added_whole() -> None:
    """With its roles, which the others give up first; a version that is replaced gives nothing up."""
    arguments = {"num_replicas": 1, "traffic_percentile": 10, "is_default": True, "is_control_version_type": True}
    *roles, added = wire.version_added_patch(
        "green", ["blue", "green"], arguments, compute_name="aks", environment_image_request=REQUEST
    )

    assert [role["path"] for role in roles] == ["/versions/blue/isDefault", "/versions/blue/type"]
    assert added == {
        "op": "add",
        "path": "/versions/green",
        "value": {
            **NOTHING, "name": "green", "computeType": "AKS", "computeName": "aks", "environmentImageRequest": REQUEST,
            "numReplicas": 1, "trafficPercentile": 10, "isDefault": True, "type": "Control",
        },
    }  # fmt: skip


def test_a_version_is_removed_by_name() -> None:
    """One operation."""
    assert wire.version_removed_patch("blue") == [{"op": "remove", "path": "/versions/blue"}]


def test_the_table_is_sound() -> None:
    """Each name and each path once; no path is inside another."""
    paths = [setting.path for setting in SETTINGS]

    assert len({setting.name for setting in SETTINGS}) == len(set(paths)) == len(SETTINGS)
    assert not [(one, other) for one in paths for other in paths if other.startswith(one + "/")]
    assert {kind for kind in Kind if kind not in KINDS.values()} == set()
