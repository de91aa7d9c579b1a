"""Models, environments, assets and compute targets: payloads, patches, documents (wire §5, §6, §10)."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akstwin.clock import SECOND, Micros
from akstwin.cores.registry import (
    AssetRecord,
    ComputeRecord,
    EnvironmentRecord,
    ModelRecord,
    asset_document,
    change_model,
    cluster_of,
    compute_document,
    create_asset,
    create_compute,
    model_document,
    model_matches,
    register_environment,
    register_model,
    same_cluster,
    update_compute,
)
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.cluster import VM_SIZES, VmSize
from akstwin.errors import AksError, Conflict, InvalidSetting

THEN, NOW = Micros(5 * SECOND), Micros(9 * SECOND)
PAYLOAD = {"name": "fraud", "url": "aml://asset/1", "mimeType": "application/json", "unpack": False, "datasets": []}
GROUP = "/subscriptions/s/resourcegroups/g"
CLUSTER = f"{GROUP}/providers/Microsoft.ContainerService/managedClusters/mine"


def model(**changed: Any) -> ModelRecord:
    """A registered model."""
    return register_model({**PAYLOAD, **changed}, 1, THEN)


def compute(outer: dict[str, Any] | None = None, name: str = "aks", **settings: Any) -> ComputeRecord:
    """A compute target."""
    payload = {"location": "x", "properties": {"computeType": "AKS", "properties": settings, **(outer or {})}}
    return create_compute(
        name, payload, location="westeurope", resource_group_id=GROUP, assumptions=Assumptions(), now=THEN
    )


def replace(path: str, value: Any) -> dict[str, Any]:
    """One operation."""
    return {"op": "replace", "path": path, "value": value}


# -- models


def test_a_models_document_has_every_key() -> None:
    """Those that the SDK needs, and lists where it wants lists."""
    document = model_document(model(kvTags={"a": 1}, framework="Onnx", description="x"), 0)

    assert document == {
        "id": "fraud:1", "name": "fraud", "version": 1, "framework": "Onnx", "frameworkVersion": None,
        "url": "aml://asset/1", "mimeType": "application/json", "description": "x",
        "createdTime": "1970-01-01T00:00:05.000000+00:00", "modifiedTime": "1970-01-01T00:00:05.000000+00:00",
        "unpack": False, "parentModelId": None, "runId": None, "experimentName": None, "kvTags": {"a": "1"},
        "properties": {}, "derivedModelIds": [], "datasets": [], "sampleInputData": None, "sampleOutputData": None,
        "resourceRequirements": None, "createdBy": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"name": None}, "name: is missing"),
        ({"name": "a:b"}, "name: 'a:b' is not 1 to 255"),
        ({"url": "http://x"}, "url: 'http://x' is not an asset"),
        ({"url": "aml://asset/"}, "url: "),
        ({"framwork": "Onnx"}, "framwork: 'Onnx' is not known here; did you mean framework?"),
        ({"framework": 3}, "framework: 3 is not text"),
        ({"datasets": {}}, "datasets: {} is not a list of objects"),
        ({"unpack": 1}, "unpack: 1 is not true or false"),
        ({"kvTags": []}, "kvTags: [] is not a dictionary"),
    ],
)
def test_a_model_that_is_refused_is_told_why(changed: dict[str, Any], text: str) -> None:
    """Setting, value, expectation."""
    with pytest.raises(InvalidSetting) as error:
        model(**changed)
    assert text in str(error.value)


def test_a_models_patches() -> None:
    """Tags are replaced, properties added whole, texts replaced."""
    record = change_model(
        model(properties={"a": "1"}),
        [
            replace("/kvTags", {"t": True}),
            {"op": "add", "path": "/properties", "value": {"a": 1, "b": 2}},
            replace("/description", "new"),
            replace("/resourceRequirements", {"cpu": 1}),
            {"op": "add", "path": "/datasets", "value": [{"name": "d", "id": "1"}]},
        ],
        NOW,
    )

    assert (record.tags, record.properties, record.description) == ({"t": "true"}, {"a": "1", "b": "2"}, "new")
    assert (record.resources, record.datasets, record.updated) == ({"cpu": 1}, ({"name": "d", "id": "1"},), NOW)


@pytest.mark.parametrize(
    ("operation", "text"),
    [
        ({"op": "add", "path": "/properties", "value": {"a": "2"}}, "properties.a: '2' is not '1'"),
        ({"op": "add", "path": "/properties", "value": {}}, "properties.a: is missing"),
        (replace("/version", 3), "/version: 'replace' is not possible"),
        (replace("/descripton", "x"), "did you mean description?"),
        (replace("/kvTags", [1]), "kvTags: [1] is not a dictionary"),
    ],
)
def test_a_models_patch_that_is_refused_changes_nothing(operation: dict[str, Any], text: str) -> None:
    """Path, value, expectation."""
    record = model(properties={"a": "1"})
    before = record.model_dump_json()
    with pytest.raises(InvalidSetting) as error:
        change_model(record, [replace("/description", "new"), operation], NOW)
    assert text in str(error.value)
    assert record.model_dump_json() == before


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, True),
        ({"name": "fraud"}, True),
        ({"name": "frau"}, False),
        ({"framework": "Onnx"}, True),
        ({"framework": "onnx"}, False),
        ({"tags": [("a", None)], "properties": [("p", "1")]}, True),
        ({"tags": [("a", "2")]}, False),
        ({"run_id": "r"}, False),
    ],
)
def test_a_list_means_models_with_all_that_is_given(wanted: dict[str, Any], found: bool) -> None:
    """Name, framework, tags, properties, run."""
    assert model_matches(model(framework="Onnx", kvTags={"a": 1}, properties={"p": 1}), **wanted) == found


# -- assets


def test_an_asset_names_files() -> None:
    """By their prefixes."""
    record = create_asset({"name": "fraud", "artifacts": [{"prefix": "LocalUpload/c/f"}]}, "1", THEN)

    assert record.prefixes == ("LocalUpload/c/f",)
    assert asset_document(record, 0)["artifacts"] == [{"prefix": "LocalUpload/c/f"}]
    for wrong in ({"name": "fraud"}, {"name": "fraud", "artifacts": [{}]}, {"artifacts": [{"prefix": "x"}]}):
        with pytest.raises(InvalidSetting):
            create_asset(wrong, "1", THEN)


# -- environments


def test_an_equal_environment_is_not_registered_again() -> None:
    """Keys that begin with a capital letter are the same keys; a changed one is the next version."""
    first = register_environment("sk", None, {"Name": "sk", "Docker": {"baseImage": "a"}}, [], THEN)
    same = register_environment("sk", None, {"name": "sk", "docker": {"baseImage": "a"}, "version": "7"}, [first], NOW)
    second = register_environment("sk", None, {"docker": {"baseImage": "b"}}, [first], NOW)

    assert same == first
    assert first.document == {"name": "sk", "version": "1", "docker": {"baseImage": "a"}}
    assert (second.version, second.number) == ("2", 2)
    third = register_environment("sk", None, {"docker": {"baseImage": "a"}}, [first, second], NOW)
    assert third.version == "3"


def test_a_version_of_an_environment_stays_what_it_is() -> None:
    """The same again is taken, another content is not."""
    first = register_environment("sk", "v1", {"docker": {}}, [], THEN)

    assert register_environment("sk", "v1", {"docker": {}}, [first], NOW) == first
    assert register_environment("sk", None, {"docker": {"a": 1}}, [first], NOW).version == "1"
    with pytest.raises(Conflict, match="environment sk has a version v1 already"):
        register_environment("sk", "v1", {"docker": {"a": 1}}, [first], NOW)
    with pytest.raises(InvalidSetting, match="name"):
        register_environment("a/b", None, {}, [], NOW)
    with pytest.raises(InvalidSetting, match=r"environment.docker: 2 is not there once"):
        register_environment("sk", None, {"Docker": 1, "docker": 2}, [], NOW)


# -- compute targets


@pytest.mark.parametrize(
    ("record", "nodes", "attached"),
    [
        (compute(), 3, False),
        (compute(clusterPurpose="DevTest"), 1, False),
        (compute({"resourceId": CLUSTER}), 3, True),
        (compute({"resourceId": CLUSTER}, clusterPurpose="DevTest"), 3, True),
        (compute(agentCount=5, agentVmSize="standard_d2s_v5", clusterPurpose="DevTest"), 5, False),
    ],
)
def test_a_cluster_has_the_nodes_that_its_purpose_brings(record: ComputeRecord, nodes: int, attached: bool) -> None:
    """Three or one; an attached one that nobody described has three (semantics §2.2, §6.6)."""
    assert (record.nodes, record.attached) == (nodes, attached)
    assert cluster_of(record).vm_size == VM_SIZES[record.vm_size]


def test_a_computes_document() -> None:
    """With every key that the SDK needs (wire §6)."""
    document = compute_document(compute(), "/ws", 0)

    assert document["id"] == "/ws/computes/aks"
    assert document["properties"]["provisioningState"] == "Creating"
    assert document["properties"]["isAttachedCompute"] is False
    assert document["properties"]["properties"] == {
        "agentVmSize": "Standard_D3_v2", "agentCount": 3, "clusterPurpose": "FastProd", "clusterFqdn": None,
        "systemServices": None, "loadBalancerType": "PublicIp", "loadBalancerSubnet": None, "sslConfiguration": None,
    }  # fmt: skip


def test_a_cluster_may_be_made_of_nodes_described_by_hand() -> None:
    """Wherever a name is taken; the document says what they have, or the name of a size that has the same."""
    own, named = ({"cpu_cores": cores, "memory_gb": 14} for cores in (5, 4))

    record = compute(agentVmSize=own)
    assert cluster_of(record).vm_size == VmSize(cpu_cores=5, memory_gb=14)
    assert compute_document(record, "/ws", 0)["properties"]["properties"]["agentVmSize"] == "5 cores, 14 GB, 0 GPUs"
    assert ComputeRecord.model_validate_json(record.model_dump_json()) == record
    assert VM_SIZES[compute(agentVmSize=named).vm_size] == VmSize(cpu_cores=4, memory_gb=14)


@pytest.mark.parametrize(
    ("name", "outer", "settings", "text"),
    [
        ("a", {}, {}, "name: 'a' is not 3 to 24"),
        ("aks", {"computeType": "AmlCompute"}, {}, "computeType: 'AmlCompute' is not AKS"),
        ("aks", {"resourceId": "mine"}, {}, "resourceId: 'mine' is not /subscriptions/"),
        ("aks", {}, {"agentCount": 2}, "agentCount: 2 is not at least 3 for a FastProd cluster"),
        ("aks", {}, {"agentVmSize": "Standard_D2_v2"}, "nodes times cores is 6, a FastProd cluster needs 12"),
        ("aks", {}, {"agentCount": True}, "agentCount: true is not a whole number"),
        ("aks", {}, {"agentVmSize": "Standard_D3v2"}, "is not a known virtual machine size, or {cpu_cores"),
        ("aks", {}, {"agentVmSize": "Standard_D3v2"}, "did you mean Standard_D3_v2?"),
        ("aks", {}, {"agentVmSize": {"cpu_cores": 0, "memory_gb": 1}}, "greater than 0"),
        (
            "aks",
            {},
            {"agentVmSize": {"cpu_cores": 2, "memory_gb": 8}},
            "nodes times cores is 6, a FastProd cluster needs 12",
        ),
        ("aks", {}, {"clusterPurpose": "DenseProd"}, "clusterPurpose: 'DenseProd' is not FastProd or DevTest"),
        ("aks", {}, {"agentsCount": 3}, "agentsCount: 3 is not known here; did you mean agentCount?"),
        ("aks", {}, {"loadBalancerSubnet": "s"}, "loadBalancerSubnet: 's' is not possible without"),
        ("aks", {}, {"loadBalancerType": "None"}, "loadBalancerType: 'None' is not PublicIp or"),
    ],
)
def test_a_cluster_that_is_refused_is_told_why(
    name: str, outer: dict[str, Any], settings: dict[str, Any], text: str
) -> None:
    """Setting, value, expectation."""
    with pytest.raises(InvalidSetting) as error:
        compute(outer, name, **settings)
    assert text in str(error.value)


def test_an_update_changes_encryption_and_load_balancer_only() -> None:
    """Nodes stay what they are (semantics §2.2); a document sent back changes nothing."""
    record = compute()
    body = {"properties": {"computeType": "AKS", "properties": {"sslConfiguration": {"status": "Auto"}}}}
    updated = update_compute(record, body, NOW)
    again = update_compute(updated, compute_document(updated, "/ws", 0), NOW)

    assert (updated.ssl, updated.load_balancer, updated.updated) == ({"status": "Auto"}, "PublicIp", NOW)
    assert again == updated
    body["properties"]["properties"] = {"agentCount": 4}  # type: ignore[index]
    with pytest.raises(InvalidSetting, match="agentCount: 4 is not 3: an update changes sslConfiguration"):
        update_compute(record, body, NOW)


def test_a_cluster_is_the_same_whatever_the_case_of_its_id() -> None:
    """It can be attached once."""
    assert same_cluster(compute({"resourceId": CLUSTER}), compute({"resourceId": CLUSTER.upper()}, "other"))
    assert not same_cluster(compute(), compute(name="other"))


# -- JSON

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
OBJECT = st.dictionaries(st.text(), JSON, max_size=3)
PAIRS = st.dictionaries(st.text(), st.text() | st.integers(), max_size=3)


@given(PAIRS, OBJECT, st.none() | st.text(), st.integers(0, 2**50))
def test_every_record_survives_json(pairs: dict[str, Any], value: dict[str, Any], text: str | None, now: int) -> None:
    """To text and back is the same record, exactly."""
    at = Micros(now)
    records = [
        register_model({**PAYLOAD, "kvTags": pairs, "description": text, "resourceRequirements": value}, 3, at),
        create_asset({"name": "a", "artifacts": [{"prefix": "p", **value}], "meta": value}, "1", at)
        if "prefix" not in value
        else None,
        EnvironmentRecord(name="a", version="1", number=1, document=value, created=at),
        compute(sslConfiguration=value).model_copy(update={"created": at}),
    ]
    for record in records:
        if record is not None:
            again = type(record).model_validate(json.loads(json.dumps(record.model_dump(mode="json"))))
            assert again == record
            assert repr(again) == repr(record)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([*PAYLOAD, "kvTags", "properties", "bogus"]), JSON))
def test_any_model_payload_is_taken_or_refused_by_name(changed: dict[str, Any]) -> None:
    """Nothing else happens."""
    with suppress(AksError):
        assert isinstance(model(**changed), ModelRecord)


def test_asset_records_are_values() -> None:
    """Equal ones are equal."""
    one, other = (create_asset({"name": "a", "artifacts": [{"prefix": "p"}]}, "1", THEN) for _ in range(2))
    assert isinstance(one, AssetRecord)
    assert one == other
