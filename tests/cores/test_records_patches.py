"""What JSON patches make of a service (wire §7.5, §7.6): the SDK's own, and any other."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akstwin.clock import SECOND, Micros
from akstwin.cores.management import Change, ServiceLimits, ServiceRecord, change, create, spec_of, takes_operation
from akstwin.domain.deployment import Autoscaled, Fixed
from akstwin.domain.settings import Patch
from akstwin.errors import AksError, Conflict, InvalidSetting, NotFound
from akstwin.sdk import wire

THEN, NOW = Micros(5 * SECOND), Micros(9 * SECOND)
LIMITS = ServiceLimits(versions=6, replicas=550_000)
REQUEST = {"modelIds": ["fraud:1"], "environment": {"name": "a", "version": "1"}}
OTHER = {"modelIds": ["fraud:2"], "environment": {"name": "a", "version": "1"}}


def service(**arguments: Any) -> ServiceRecord:
    """An AksWebservice."""
    payload = wire.service_payload(arguments, name="fraud", compute_name="aks", environment_image_request=REQUEST)
    return create(payload, None, THEN, LIMITS)


def endpoint(*more: str, **arguments: Any) -> ServiceRecord:
    """An AksEndpoint with its version blue, and others without traffic."""
    payload = wire.endpoint_payload(
        {"version_name": "blue", **arguments}, name="fraud", compute_name="aks", environment_image_request=REQUEST
    )
    record = create(payload, None, THEN, LIMITS)
    for name in more:
        record = added(record, name).record
    return record


def patch(record: ServiceRecord, *operations: dict[str, Any], **more: Any) -> Change:
    """The record patched."""
    return change(record, list(operations), NOW, limits=LIMITS, **more)


def updated(record: ServiceRecord, **arguments: Any) -> Change:
    """An update as the SDK sends it."""
    which = Patch.ENDPOINT if record.endpoint else Patch.SERVICE
    return patch(record, *wire.update_patch(arguments, which))


def version_updated(record: ServiceRecord, name: str, **arguments: Any) -> Change:
    """An `update_version` as the SDK sends it."""
    names = [version.name for version in record.versions]
    return patch(record, *wire.version_patch(name, names, arguments))


def added(record: ServiceRecord, name: str, **arguments: Any) -> Change:
    """A `create_version` as the SDK sends it."""
    names = [version.name for version in record.versions]
    return patch(
        record,
        *wire.version_added_patch(
            name, names, arguments, compute_name="aks", environment_image_request=REQUEST
        ),
    )  # fmt: skip


def kinds(done: Change) -> list[str]:
    """Names of the effects."""
    return [type(effect).__name__ for effect in done.effects]


def replace(path: str, value: Any) -> dict[str, Any]:
    """One operation."""
    return {"op": "replace", "path": path, "value": value}


@pytest.mark.parametrize(
    ("arguments", "effects"),
    [
        ({"tags": {"a": 1}}, []),
        ({"description": "new"}, []),
        ({"enable_app_insights": True}, []),
        ({"num_replicas": 3}, ["SettingsChanged"]),
        ({"scoring_timeout_ms": 500}, ["SettingsChanged"]),
        ({"replica_max_concurrent_requests": 2, "max_request_wait_time": 900}, ["SettingsChanged"]),
        ({"cpu_cores": 2}, ["PodsReplaced"]),
        ({"period_seconds": 3}, ["PodsReplaced"]),
        ({"collect_model_data": True}, ["PodsReplaced"]),
        ({"namespace": "other"}, ["PodsReplaced"]),
        ({"environment_image_request": OTHER}, ["PodsReplaced"]),
    ],
)
def test_what_stands_in_the_pod_template_takes_an_operation(arguments: dict[str, Any], effects: list[str]) -> None:
    """All else acts at once (semantics §6.6)."""
    done = updated(service(), **arguments)

    assert kinds(done) == effects
    assert takes_operation(done.effects) == (effects == ["PodsReplaced"])
    assert done.record.updated == NOW
    assert updated(done.record, **arguments).effects == ()


def test_an_operation_is_needed_only_for_the_version_that_rolls() -> None:
    """The others stay as they are."""
    done = version_updated(endpoint("green"), "green", cpu_cores=2, tags={"a": True}, description="hot")
    blue, green = done.record.versions

    assert kinds(done) == ["PodsReplaced"]
    assert (blue.updated, green.updated) == (None, NOW)
    assert (green.tags, green.description) == ({"a": "true"}, "hot")


def test_switching_the_autoscaler_drops_what_only_the_other_way_has() -> None:
    """A fixed number goes when the autoscaler comes, and its settings go when it does."""
    fixed = service(num_replicas=3)
    scaled = updated(fixed, autoscale_enabled=True, autoscale_min_replicas=2).record
    again = updated(scaled, autoscale_enabled=False, num_replicas=4).record

    assert spec_of(scaled).versions[0].settings.scaling == Autoscaled(minimum=2)
    assert spec_of(again).versions[0].settings.scaling == Fixed(4)
    with pytest.raises(InvalidSetting, match="num_replicas: 5 is not possible with autoscale_enabled"):
        updated(fixed, autoscale_enabled=True, num_replicas=5)
    with pytest.raises(InvalidSetting, match="num_replicas: is missing"):
        updated(scaled, autoscale_enabled=False)


def test_a_given_minimum_is_checked_against_the_present_maximum() -> None:
    """The result counts, not the patch."""
    record = service(autoscale_enabled=True, autoscale_max_replicas=3)

    with pytest.raises(InvalidSetting, match="autoscale_min_replicas: 4 is not possible: the minimum 4"):
        updated(record, autoscale_enabled=True, autoscale_min_replicas=4)
    with pytest.raises(InvalidSetting, match=r"cpu_cores_limit: 1\.0 is not at least cpu_cores, 2\.0"):
        updated(updated(record, cpu_cores=2).record, cpu_cores_limit=1)


def test_properties_can_only_be_added() -> None:
    """An equal value is taken, a changed one refused; names with dots and slashes are names."""
    record = updated(service(properties={"a": "1"}), properties={"azureml.git/b": 2, "a": 1}).record

    assert record.properties == {"a": "1", "azureml.git/b": "2"}
    unescaped = patch(record, {"op": "add", "path": "/properties/x/y", "value": "z"}).record
    assert unescaped.properties["x/y"] == "z"
    with pytest.raises(InvalidSetting, match=r"properties.a: '2' is not '1': a property cannot be changed"):
        updated(record, properties={"a": "2"})
    with pytest.raises(InvalidSetting, match="a property cannot be removed"):
        patch(record, {"op": "remove", "path": "/properties/a"})


def test_facts_of_git_take_their_new_values() -> None:
    """azureml-core adds them to every update; an update may come from another commit."""
    commit, branch = "azureml.git.commit", "mlflow.source.git.branch"
    record = updated(service(properties={commit: "1", branch: "main"}), properties={commit: "2", branch: "new"}).record
    assert record.properties == {commit: "2", branch: "new"}
    with pytest.raises(InvalidSetting, match="a property cannot be removed"):
        patch(record, {"op": "remove", "path": f"/properties/{commit}"})


def test_a_place_below_null_is_made() -> None:
    """As the SDK replaces single settings of objects that were never given (wire §7.5)."""
    record = create(
        {"name": "fraud", "computeType": "AKS", "computeName": "aks", "autoScaler": None}, None, THEN, LIMITS
    )  # fmt: skip
    after = patch(record, replace("/environmentImageRequest/environment", {"name": "a"})).record

    assert after.versions[0].request == {"environment": {"name": "a"}}
    with pytest.raises(InvalidSetting, match="nothing can lie below"):
        patch(after, replace("/environmentImageRequest/environment/name/x", 1))


def test_auth_is_switched_in_one_patch() -> None:
    """Both ways in at once are refused."""
    done = updated(service(), auth_enabled=False, token_auth_enabled=True)

    assert (done.record.auth, done.authorises, done.effects) == ("token", True, ())
    with pytest.raises(InvalidSetting, match="token_auth_enabled"):
        updated(service(), token_auth_enabled=True)


@pytest.mark.parametrize(
    ("operation", "text"),
    [
        (replace("/name", "x"), "/name: 'replace' is not possible: it cannot be changed"),
        (replace("/computeName", "x"), "/computeName: 'replace' is not possible: it cannot be changed"),
        (replace("/keys/primaryKey", "x"), "/keys/primaryKey"),
        (replace("/imageId", "x"), "/imageId"),
        (replace("/storageInitEnabled", True), "/storageInitEnabled: 'replace' is not possible: it cannot be changed"),
        (replace("/numReplica", 1), "there is no such setting; did you mean numReplicas?"),
        (replace("/autoScaler/least", 1), "/autoScaler/least"),
        (replace("/autoScaler", {"least": 1}), "autoScaler.least: 1 is not known here"),
        (replace("/versions/blue/numReplicas", 1), "/versions/blue/numReplicas"),
        (replace("/trafficPercentile", 1), "no such setting"),
        (replace("/kvTags/a", 1), "/kvTags/a: 'replace' is not possible"),
        (replace("/kvTags", 3), "tags: 3 is not a dictionary"),
        (replace("", {}), "patch[0].path: '' is not a path that begins with /"),
        (replace("/", 1), "/: 'replace' is not possible"),
        ({"op": "set", "path": "/numReplicas"}, "patch[0].op: 'set' is not one of add, remove"),
        ({"op": "add", "path": "/numReplicas"}, "patch[0].value: is missing"),
        ({"op": "copy", "path": "/numReplicas"}, "patch[0].from: is missing"),
        ({"op": "move", "path": "/numReplicas", "from": "/name"}, "/name: 'remove' is not possible"),
        ({"op": "test", "path": "/numReplicas", "value": 4}, "/numReplicas: 'test' is not possible"),
        ("x", "patch[0]: 'x' is not a JSON patch operation"),
        (replace("/numReplicas", 2.5), "num_replicas: 2.5 is not a whole number"),
    ],
)
def test_a_path_that_cannot_be_patched_is_named(operation: Any, text: str) -> None:
    """Path, operation or value, expectation."""
    with pytest.raises(InvalidSetting) as error:
        patch(service(), operation)
    assert text in str(error.value)


def test_a_patch_acts_wholly_or_not_at_all() -> None:
    """One that is refused at its end has not begun."""
    record = service()
    before = record.model_dump_json()
    with pytest.raises(InvalidSetting):
        patch(record, replace("/description", "new"), replace("/kvTags", {"a": "b"}), replace("/numReplicas", 0))

    assert record.model_dump_json() == before


def test_a_refused_patch_leaves_no_room_that_it_made() -> None:
    """Objects made above a place are made in a copy."""
    payload = {
        "name": "fraud",
        "computeType": "AKS",
        "computeName": "aks",
        "environmentImageRequest": {"environment": None},
    }
    record = create(payload, None, THEN, LIMITS)
    with pytest.raises(InvalidSetting):
        patch(record, replace("/environmentImageRequest/environment/name", "x"), replace("/numReplicas", 0))

    assert record.versions[0].request == {"environment": None}


def test_a_patch_that_is_no_list_is_refused() -> None:
    """An object, text."""
    for wrong in ({}, "replace"):
        with pytest.raises(InvalidSetting, match=r"patch: .* is not a list"):
            change(service(), wrong, NOW, limits=LIMITS)  # type: ignore[arg-type]


# -- versions


def test_a_version_is_added_with_its_share() -> None:
    """It brings pods, and the split changes."""
    done = added(endpoint(), "green", traffic_percentile=10, num_replicas=2)

    assert kinds(done) == ["VersionAdded", "SplitChanged"]
    assert spec_of(done.record).split.shares() == {"blue": 90, "green": 10}
    assert (done.record.default, done.record.control) == ("blue", "blue")
    assert done.record.versions[1].created == NOW


def test_default_and_control_are_one_version_each() -> None:
    """The version that says so takes it from the one that had it, with or without the SDK's steps back."""
    done = added(endpoint(), "green", is_default=True, is_control_version_type=True)
    assert (done.record.default, done.record.control) == ("green", "green")
    record = endpoint("green", "red")
    alone = patch(record, replace("/versions/red/isDefault", True), replace("/versions/red/type", "Control")).record
    assert (alone.default, alone.control) == ("red", "red")
    back = version_updated(alone, "blue", is_default=True).record
    assert (back.default, back.control) == ("blue", "red")


@pytest.mark.parametrize(
    ("operations", "text"),
    [
        (
            [replace("/versions/blue/isDefault", False)],
            "versions.blue.isDefault: false is not possible: another version",
        ),
        ([replace("/versions/blue/type", "Treatment")], "versions.blue.type: 'Treatment' is not possible"),
        (
            [replace("/versions/green/isDefault", True), replace("/versions/red/isDefault", True)],
            "versions.*.isDefault: 'green and red' is not so for one version only",
        ),
        ([{"op": "remove", "path": "/versions/blue"}], "versions.blue.isDefault: 'removed' is not possible"),
        ([replace("/versions/green/trafficPercentile", 150)], "versions.green.traffic_percentile: 150"),
        (
            [replace("/versions/green/trafficPercentile", 60), replace("/versions/red/trafficPercentile", 60)],
            "at most 100 per cent",
        ),
        ([replace("/versions/green", {})], "/versions/green: 'replace' is not possible"),
        ([replace("/versions", {})], "/versions: 'replace' is not possible"),
        ([replace("/versions/green/computeName", "x")], "/versions/green/computeName"),
        ([{"op": "add", "path": "/versions/more", "value": {"cpus": 1}}], "versions.more.cpus: 1 is not known"),
        ([{"op": "add", "path": "/versions/more", "value": None}], "versions.more: is missing; expected an object"),
        ([{"op": "add", "path": "/versions/Bad", "value": {}}], "versions.Bad: 'Bad' is not 3 to 32"),
        ([replace("/namespace", "other")], "/namespace: 'replace' is not possible: it cannot be changed"),
        ([replace("/numReplicas", 3)], "/numReplicas"),
    ],
)
def test_versions_that_cannot_be_so_are_refused(operations: list[dict[str, Any]], text: str) -> None:
    """Setting, value, expectation."""
    with pytest.raises(InvalidSetting) as error:
        patch(endpoint("green", "red"), *operations)
    assert text in str(error.value)


def test_a_version_that_is_not_there_is_not_found() -> None:
    """To change it or to remove it."""
    with pytest.raises(NotFound, match="service fraud has no version green"):
        patch(endpoint(), replace("/versions/green/numReplicas", 3))
    with pytest.raises(NotFound, match="no version green"):
        patch(endpoint(), *wire.version_removed_patch("green"))


def test_a_version_that_is_there_is_not_added_again() -> None:
    """It would be another one; but within a patch it can make room first."""
    record = endpoint("green")
    with pytest.raises(Conflict, match="has a version green already"):
        added(record, "green")
    again = patch(
        record,
        *wire.version_removed_patch("green"),
        {"op": "add", "path": "/versions/green", "value": {"numReplicas": 9}},
    )
    assert kinds(again) == ["PodsReplaced"]


def test_six_versions_are_enough() -> None:
    """The seventh is refused."""
    record = endpoint("ver-2", "ver-3", "ver-4", "ver-5", "ver-6")
    with pytest.raises(InvalidSetting, match="versions: 7 is not at most 6 versions"):
        added(record, "ver-7")


def test_a_version_is_removed() -> None:
    """Not the default, not the last; when the control goes, the default is it."""
    record = version_updated(endpoint("green"), "green", is_control_version_type=True).record
    done = patch(record, *wire.version_removed_patch("green"))

    assert kinds(done) == ["VersionRemoved", "SplitChanged"]
    assert (done.record.default, done.record.control) == ("blue", "blue")
    with pytest.raises(InvalidSetting, match="the last version of an endpoint cannot be removed"):
        patch(done.record, *wire.version_removed_patch("blue"))
    stepped = patch(
        record, replace("/versions/green/isDefault", True), *wire.version_removed_patch("blue")
    ).record  # fmt: skip
    assert (stepped.default, [version.name for version in stepped.versions]) == ("green", ["green"])


def test_while_an_operation_runs_only_what_acts_at_once_is_taken() -> None:
    """Shares may change, versions may not go."""
    record = endpoint("green")

    assert kinds(patch(record, replace("/versions/green/trafficPercentile", 5), busy=True)) == ["SplitChanged"]
    with pytest.raises(Conflict, match="is busy: no version can be removed"):
        patch(record, *wire.version_removed_patch("green"), busy=True)


# -- any patch

PATHS = [
    "/description", "/kvTags", "/kvTags/a", "/properties/p", "/properties/a", "/numReplicas", "/autoScaler/autoscaleEnabled",
    "/autoScaler/minReplicas", "/containerResourceRequirements/cpu", "/authEnabled", "/aadAuthEnabled", "/name", "/nope",
    "/environmentImageRequest", "/environmentImageRequest/modelIds/0", "/environmentImageRequest/modelIds/0/x", "/versions",
    "/versions/blue", "/versions/green", "/versions/green/isDefault", "/versions/green/type", "/versions/blue/numReplicas",
    "/versions/green/trafficPercentile", "/versions/blue/tags", "/versions/red", "/versions/green/autoScaler/maxReplicas",
]  # fmt: skip
VALUES = st.sampled_from(
    [
        None,
        True,
        False,
        0,
        1,
        3,
        70,
        101,
        2.5,
        "x",
        "Control",
        "Treatment",
        {},
        {"a": "b"},
        {"a": 1},
        [],
        {"numReplicas": 2},
    ]
)
OPERATIONS = st.lists(
    st.fixed_dictionaries(
        {"op": st.sampled_from(["add", "replace", "remove", "move", "copy", "test"]), "path": st.sampled_from(PATHS)},
        optional={"value": VALUES, "from": st.sampled_from(PATHS)},
    ),
    max_size=4,
)


@given(OPERATIONS, st.booleans(), st.booleans())
def test_any_patch_is_taken_or_refused_and_the_record_stays_as_it_was(
    operations: list[dict[str, Any]], several: bool, busy: bool
) -> None:
    """A refused patch changes nothing, a taken one leads to a service with one default and a split."""
    record = endpoint("green", tags={"a": "1"}) if several else service(tags={"a": "1"}, properties={"p": "1"})
    before = record.model_dump_json()
    with suppress(AksError):
        done = change(record, operations, NOW, limits=LIMITS, busy=busy)
        names = [version.name for version in done.record.versions]
        assert ServiceRecord.model_validate_json(done.record.model_dump_json()) == done.record
        assert {done.record.default, done.record.control} <= set(names)
        assert sum(spec_of(done.record).split.shares().values()) == pytest.approx(100)
        assert record.properties.items() <= done.record.properties.items()
    assert record.model_dump_json() == before
