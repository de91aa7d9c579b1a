"""Create payloads to records, records through JSON, and what a service comes to (wire §7.3, §7.4)."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from akstwin.clock import SECOND, Micros
from akstwin.cores.management import (
    ServiceLife,
    ServiceLimits,
    ServiceRecord,
    begin,
    builds,
    create,
    healthy,
    overwrite,
    spec_of,
)
from akstwin.cores.management.settings import blank_settings, code_of, image_of
from akstwin.domain.deployment import Autoscaled, Fixed
from akstwin.errors import AksError, Conflict, InvalidSetting
from akstwin.sdk import wire

NOW = Micros(5 * SECOND)
LIMITS = ServiceLimits(versions=6, replicas=550_000)
ENVIRONMENT = {
    "name": "scoring", "version": "3", "environmentVariables": {"AZUREML_ENTRY_SCRIPT": "score.py"},
    "python": {"condaDependencies": {"dependencies": ["python=3.8"]}},
    "docker": {"baseImage": "base:1", "enabled": True, "shmSize": None},
}  # fmt: skip
REQUEST = {"modelIds": ["fraud:1"], "assets": [], "environment": ENVIRONMENT}


def service(before: ServiceRecord | None = None, request: Any = REQUEST, **arguments: Any) -> ServiceRecord:
    """What an AksWebservice's payload comes to."""
    payload = wire.service_payload(
        arguments, name="fraud", compute_name="aks", environment_image_request=request, overwrite=before is not None
    )
    return create(payload, before, NOW, LIMITS)


def endpoint(**arguments: Any) -> ServiceRecord:
    """What an AksEndpoint's payload comes to; its version is blue."""
    payload = wire.endpoint_payload(
        {"version_name": "blue", **arguments}, name="fraud", compute_name="aks", environment_image_request=REQUEST
    )
    return create(payload, None, NOW, LIMITS)


def refused(payload: dict[str, Any]) -> str:
    """The text with which a payload is refused."""
    with pytest.raises(InvalidSetting) as error:
        create(payload, None, NOW, LIMITS)
    return str(error.value)


def payload(**changed: Any) -> dict[str, Any]:
    """A service's payload with other keys."""
    return {
        **wire.service_payload({}, name="fraud", compute_name="aks", environment_image_request=None),
        **changed,
    }


def test_a_service_without_settings_has_one_version_of_its_name() -> None:
    """Nulls stay nulls; key auth is on, and keys are still to be made."""
    record = service()

    assert (record.compute_type, record.compute_name, record.auth, record.primary) == ("AKS", "aks", "key", None)
    assert [version.name for version in record.versions] == ["fraud"]
    assert record.versions[0].settings == blank_settings()
    assert record.versions[0].request == REQUEST
    assert (record.created, record.updated, record.incarnation) == (NOW, None, 1)
    assert isinstance(spec_of(record).versions[0].settings.scaling, Autoscaled)


def test_what_the_sdk_sends_arrives_under_the_same_names() -> None:
    """Every setting of a version comes back as the argument it was."""
    given = {
        "cpu_cores": 0.5, "cpu_cores_limit": 1, "memory_gb": 2, "gpu_cores": 1, "num_replicas": 3,
        "scoring_timeout_ms": 1000, "replica_max_concurrent_requests": 2, "max_request_wait_time": 700,
        "period_seconds": 5, "failure_threshold": 4, "collect_model_data": True, "namespace": "scoring",
    }  # fmt: skip
    arguments = spec_of(service(**given)).versions[0].arguments.model_dump(exclude_none=True)

    assert {name: arguments[name] for name in given} == given
    assert spec_of(service(num_replicas=3)).versions[0].settings.scaling == Fixed(3)


@pytest.mark.parametrize(
    ("given", "auth"),
    [
        ({}, "key"),
        ({"auth_enabled": True}, "key"),
        ({"auth_enabled": False}, "none"),
        ({"token_auth_enabled": True}, "token"),
        ({"auth_enabled": False, "token_auth_enabled": True}, "token"),
    ],
)
def test_token_auth_takes_the_place_of_keys(given: dict[str, bool], auth: str) -> None:
    """With tokens on and nothing said of keys, keys are off (wire §12)."""
    assert service(**given).auth == auth


def test_tags_that_are_numbers_or_booleans_become_text() -> None:
    """As JSON writes them."""
    record = service(tags={"a": 1, "b": True, "c": "x", "d": 1.5}, properties={"p": 2})

    assert record.tags == {"a": "1", "b": "true", "c": "x", "d": "1.5"}
    assert record.properties == {"p": "2"}


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"computeType": "ACI"}, "computeType: 'ACI' is not AKS or AKSENDPOINT"),
        ({"name": "Fraud"}, "name: 'Fraud' is not 3 to 32"),
        ({"computeName": None}, "computeName: is missing; expected the name of a compute target"),
        ({"imageId": "fraud:1"}, "imageId: 'fraud:1' is not offered"),
        ({"numReplica": 3}, "numReplica: 3 is not known here; did you mean numReplicas?"),
        ({"numReplicas": "3"}, "num_replicas: '3' is not a whole number"),
        ({"numReplicas": True}, "num_replicas: true is not a whole number"),
        ({"autoScaler": {"least": 1}}, "autoScaler.least: 1 is not known here"),
        ({"autoScaler": 3}, "autoScaler: 3 is not an object"),
        ({"authEnabled": True, "aadAuthEnabled": True}, "token_auth_enabled: true is not possible together"),
        ({"kvTags": {"a": None}}, "tags.a: is missing; expected text, a number or a boolean"),
        ({"keys": {"primary": "x"}}, "keys.primary: 'x' is not known here; did you mean primaryKey?"),
        ({"environmentImageRequest": {"modelIds": "fraud:1"}}, "environmentImageRequest.modelIds: 'fraud:1'"),
        (
            {"environmentImageRequest": {"modelIds": [f"m{number}:1" for number in range(1001)]}},
            "environmentImageRequest.modelIds: '1001 models' is not at most 1000",
        ),
        ({"environmentImageRequest": {"assets": [{}]}}, "environmentImageRequest.assets:"),
        ({"scoringTimeoutMs": 400_000}, "scoring_timeout_ms: 400000 is not at most 300000"),
        ({"containerResourceRequirements": {"cpu": 2, "cpuLimit": 1}}, "cpu_cores_limit: 1"),
        ({"containerResourceRequirements": {"cpu": 10**400}}, "is not a finite number"),
        ({"numReplicas": 2, "autoScaler": {"autoscaleEnabled": True}}, "num_replicas: 2 is not possible with"),
        ({"environmentImageRequest": {"x": float("nan")}}, "environmentImageRequest: 'dict' is not JSON"),
        ({"overwrite": "yes"}, "overwrite: 'yes' is not true or false"),
        ({"versions": {}}, "versions: {} is not known here"),
    ],
)
def test_what_is_refused_is_named(changed: dict[str, Any], text: str) -> None:
    """Setting, value, expectation."""
    assert text in refused(payload(**changed))


def test_a_taken_name_is_a_conflict_unless_overwritten() -> None:
    """The payload says which."""
    with pytest.raises(Conflict, match="service fraud exists"):
        create(payload(), service(), NOW, LIMITS)


def test_an_overwrite_keeps_the_keys_that_it_does_not_give() -> None:
    """And the time of creation; all its pods are new, even with the same content."""
    before = service(primary_key="a").model_copy(update={"secondary": "b", "token_secret": "c"})
    after = service(before, secondary_key="new")
    change = overwrite(before, after, {code_of(before.versions[0], before).image})

    assert (after.primary, after.secondary, after.token_secret) == ("a", "new", "c")
    assert (after.created, after.updated, after.incarnation) == (before.created, NOW, 2)
    assert [type(effect).__name__ for effect in change.effects] == ["PodsReplaced"]
    assert not builds(change.effects)
    assert change.authorises


def test_an_overwrite_stays_what_and_where_it_is() -> None:
    """Another type or another compute target is refused."""
    other = wire.service_payload({}, name="fraud", compute_name="other", environment_image_request=None, overwrite=True)
    with pytest.raises(InvalidSetting, match="computeName: 'other' is not aks"):
        create(other, service(), NOW, LIMITS)
    with pytest.raises(InvalidSetting, match="computeType: 'AKS' is not AKSENDPOINT"):
        create(payload(overwrite=True), endpoint(), NOW, LIMITS)


def test_an_endpoints_first_version_is_default_and_control() -> None:
    """Unless its payload says otherwise; copies of the endpoint's own settings are taken."""
    record = endpoint(auth_enabled=False, namespace="scoring", primary_key="a", traffic_percentile=20, tags={"t": "v"})

    assert (record.default, record.control, record.auth, record.namespace) == ("blue", "blue", "none", "scoring")
    assert record.versions[0].traffic == 20
    assert (record.tags, record.versions[0].tags) == ({"t": "v"}, {"t": "v"})
    assert spec_of(record).split.shares() == {"blue": 100}


def test_a_version_cannot_differ_from_its_endpoint_where_all_share() -> None:
    """It would not act."""
    body = wire.endpoint_payload(
        {"version_name": "blue"}, name="fraud", compute_name="aks", environment_image_request=None
    )
    body["versions"]["blue"]["authEnabled"] = False

    assert "versions.blue.authEnabled: false is not what the endpoint has" in refused(body)


@pytest.mark.parametrize(
    ("versions", "text"),
    [
        (None, "versions: is missing"),
        ({}, "versions: {} is not an object with"),
        ({f"ver-{n}": {} for n in range(7)}, "versions: 7 is not at most 6 versions"),
        ({"v2": {}}, "versions.v2: 'v2' is not 3 to 32"),
        ({"blue": {"isDefault": True}, "green": {"isDefault": True}}, "versions.*.isDefault: 'blue and green'"),
        ({"blue": {"type": "Best"}}, "versions.blue.type: 'Best' is not Control or Treatment"),
        ({"blue": {"numReplicas": 0}}, "versions.blue.num_replicas: 0 is not greater than 0"),
        ({"blue": {}, "green": {"trafficPercentile": 120}}, "versions.green.traffic_percentile: 120"),
        (
            {"blue": {}, "green": {"trafficPercentile": 60}, "red": {"trafficPercentile": 50}, "more": {"cpu": 1}},
            "versions.more.cpu: 1 is not known here",
        ),
        (
            {"blue": {}, "green": {"trafficPercentile": 60}, "red": {"trafficPercentile": 50}},
            "is not at most 100 per cent for the versions beside the default, not 110",
        ),
    ],
)
def test_versions_that_are_refused_are_named(versions: Any, text: str) -> None:
    """Setting, value, expectation."""
    body = {"name": "fraud", "computeType": "AKSENDPOINT", "computeName": "aks", "versions": versions}

    assert text in refused(body)


def test_versions_with_one_environment_share_an_image() -> None:
    """Names, variables and run options make no other image; packages and the base image do."""
    other = {**ENVIRONMENT, "name": "mine", "environmentVariables": {}, "docker": {"baseImage": "base:1"}}

    assert image_of(other) == image_of(ENVIRONMENT)
    assert image_of({**other, "docker": {"baseImage": "base:2"}}) != image_of(ENVIRONMENT)
    assert image_of({**other, "python": {}}) != image_of(ENVIRONMENT)
    assert image_of({"name": "a", "version": "1"}) != image_of({"name": "a", "version": "2"})
    assert image_of(None) == image_of(None) != image_of({"name": "a", "version": "1"})


def test_content_is_another_with_any_part_of_the_request() -> None:
    """Another script, another model, another variable."""
    record = service()
    other = service(request={**REQUEST, "modelIds": ["fraud:2"]})

    assert spec_of(record).versions[0].code.image == spec_of(other).versions[0].code.image
    assert spec_of(record).versions[0].code.content != spec_of(other).versions[0].code.content


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip
PAIRS = st.dictionaries(st.text(), st.text() | st.integers() | st.booleans(), max_size=3)
ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "cpu_cores": st.floats(0.1, 8) | st.integers(1, 8),
        "num_replicas": st.integers(1, 50),
        "scoring_timeout_ms": st.integers(1, 300_000),
        "collect_model_data": st.booleans(),
        "enable_app_insights": st.booleans(),
        "auth_enabled": st.booleans(),
        "tags": PAIRS,
        "properties": PAIRS,
        "description": st.text(),
        "primary_key": st.text(),
        "traffic_percentile": st.integers(0, 100) | st.floats(0, 100),
        "blobfuse_enabled": st.booleans(),
    },
)


@given(ARGUMENTS, st.booleans(), st.dictionaries(st.text(), JSON, max_size=3))
def test_every_record_survives_json(arguments: dict[str, Any], several: bool, environment: dict[str, Any]) -> None:
    """To text and back is the same record, exactly."""
    request = {"modelIds": [], "environment": environment}
    build = wire.endpoint_payload if several else wire.service_payload
    traffic = arguments if several else {key: arguments[key] for key in arguments if key != "traffic_percentile"}
    body = build(traffic, name="fraud", compute_name="aks", environment_image_request=request)
    record = create(json.loads(json.dumps(body)), None, NOW, LIMITS)
    again = ServiceRecord.model_validate(json.loads(json.dumps(record.model_dump(mode="json"))))

    assert again == record
    assert repr(again) == repr(record)
    assert spec_of(again) == spec_of(record)


@given(st.sampled_from(["create", "update", "delete"]), st.integers(0, 2**50), st.booleans())
def test_every_life_survives_json(kind: Any, now: int, building: bool) -> None:
    """States, operations and times."""
    before = None if kind == "create" else healthy("fraud")
    life = begin(before, "fraud", kind, Micros(now), builds=building)
    adapter = TypeAdapter(ServiceLife)

    assert adapter.validate_python(json.loads(json.dumps(adapter.dump_python(life, mode="json")))) == life


@given(st.dictionaries(st.sampled_from([*payload(), "versions", "bogus"]), JSON, max_size=4), st.booleans())
def test_any_payload_is_taken_or_refused_by_name(changed: dict[str, Any], several: bool) -> None:
    """Nothing else happens, whatever stands in it."""
    body = payload(**changed)
    if several:
        body = {"name": "fraud", "computeType": "AKSENDPOINT", "computeName": "aks", "versions": {"blue": changed}}
    with suppress(AksError):
        record = create(body, None, NOW, LIMITS)
        assert spec_of(record).name == record.name


def test_an_environment_that_could_not_be_answered_is_refused() -> None:
    """What the SDK hands over in one process has the same limit as what comes over HTTP."""
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = {"a": deep}
    with pytest.raises(InvalidSetting, match=r"^environmentImageRequest: .* is not nested at most 100 levels deep$"):
        service(request={**REQUEST, "environment": {"name": "a", "docker": deep}})
