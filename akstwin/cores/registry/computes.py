"""Compute targets: AKS clusters, created or attached (wire §6, semantics §2.2)."""

import re
from collections.abc import Mapping
from typing import Any, Final, Literal, get_args

from pydantic import ValidationError

from akstwin.clock import Micros
from akstwin.cores.registry.reading import Kept, read_object, read_text
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.cluster import DEFAULT_VM_SIZE, MOST_NODES, ClusterSpec, check_cluster
from akstwin.domain.documents import Json, check_keys, iso_time
from akstwin.domain.vm_sizes import VM_SIZES, VmSize, name_of, nearest_size, spelling
from akstwin.errors import InvalidSetting

Purpose = Literal["FastProd", "DevTest"]
State = Literal["Creating", "Succeeded"]
LoadBalancer = Literal["PublicIp", "InternalLoadBalancer"]

NAME_FORM: Final = "3 to 24 letters, digits and dashes, first a letter, last a letter or digit"
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]\Z")
_DEFAULT_NODES: Final[dict[Purpose, int]] = {"FastProd": 3, "DevTest": 1}
_ATTACHED_NODES: Final = 3
"""Of a cluster that nobody described (semantics §6.6)."""
_CHANGEABLE: Final = ("sslConfiguration", "loadBalancerType", "loadBalancerSubnet")
_SETTINGS: Final = ("agentCount", "agentVmSize", "clusterPurpose", "aksNetworkingConfiguration", *_CHANGEABLE)
_TLS: Final = ("Enabled", "Auto")
_DESCRIBED: Final = "{cpu_cores, memory_gb, gpu_cores, hourly_price}"
_SHOWN: Final = ("clusterFqdn", "systemServices")
"""Settings of a document that come back in an update and say nothing."""


class ComputeRecord(Kept):
    """A compute target.

    Attributes:
        name: in the workspace.
        location: of the workspace.
        attached: whether the cluster was there before.
        resource_id: of the cluster.
        purpose: FastProd or DevTest.
        nodes: how many it has.
        vm_size: what they are: a known name, or what a described size has.
        node: a size that was described by hand; None: that of the name.
        compute_location: region of the cluster.
        network: `aksNetworkingConfiguration`, kept as it is.
        ssl: `sslConfiguration`, kept as it is.
        load_balancer: `PublicIp` or `InternalLoadBalancer`.
        subnet: of the load balancer.
        state: whether it can be used yet.
        created: when.
        updated: when last; None: never.
    """

    name: str
    location: str
    attached: bool
    resource_id: str
    purpose: Purpose
    nodes: int
    vm_size: str
    node: VmSize | None = None
    compute_location: str | None = None
    network: Json | None = None
    ssl: Json | None = None
    load_balancer: LoadBalancer = "PublicIp"
    subnet: str | None = None
    state: State = "Creating"
    created: Micros
    updated: Micros | None = None


def cluster_of(record: ComputeRecord) -> ClusterSpec:
    """The cluster that a compute target stands for."""
    node = VM_SIZES[record.vm_size] if record.node is None else record.node
    return ClusterSpec(purpose=record.purpose, nodes=record.nodes, vm_size=node)


def has_tls(record: ComputeRecord) -> bool:
    """Whether services on the cluster are asked over TLS: with a certificate of one's own, or one that Azure makes."""
    return record.ssl is not None and record.ssl.get("status") in _TLS


def same_cluster(one: ComputeRecord, other: ComputeRecord) -> bool:
    """Whether two compute targets are the same cluster: it can be attached once (semantics §2.2)."""
    return one.resource_id.lower() == other.resource_id.lower()


def create_compute(
    name: str, payload: Json, *, location: str, resource_group_id: str, assumptions: Assumptions, now: Micros
) -> ComputeRecord:
    """The record of a cluster that is created, or attached if its `resourceId` is given.

    Args:
        name: of the compute target.
        payload: as the SDK sends it.
        location: of the workspace.
        resource_group_id: ARM id of the group that a new cluster lies in.
        assumptions: what a cluster must have.
        now: the present.

    Raises:
        InvalidSetting: a value, or the cluster they come to, is refused.
    """
    if not isinstance(name, str) or not _NAME.match(name):
        raise InvalidSetting("name", name, NAME_FORM)
    outer, settings = _read(payload)
    resource_id = read_text("resourceId", outer.get("resourceId"))
    purpose: Purpose = _one_of(settings, "clusterPurpose", Purpose) or "FastProd"
    nodes = settings.get("agentCount")
    if nodes is None:
        nodes = _ATTACHED_NODES if resource_id else _DEFAULT_NODES[purpose]
    if isinstance(nodes, bool) or not isinstance(nodes, int) or not 1 <= nodes <= MOST_NODES:
        raise InvalidSetting("agentCount", nodes, f"a whole number from 1 to {MOST_NODES}")
    own_id = f"{resource_group_id}/providers/Microsoft.ContainerService/managedClusters/{name}"
    network = settings.get("aksNetworkingConfiguration")
    vm_size, node = _vm_size(settings.get("agentVmSize"))
    record = ComputeRecord(
        name=name,
        location=location,
        attached=resource_id is not None,
        resource_id=own_id if resource_id is None else _resource_id(resource_id),
        purpose=purpose,
        nodes=nodes,
        vm_size=vm_size,
        node=node,
        compute_location=read_text("computeLocation", outer.get("computeLocation")),
        network=None if network is None else read_object("aksNetworkingConfiguration", network),
        created=now,
        **_changeable(settings, {}),
    )
    check_cluster(cluster_of(record), assumptions, nodes="agentCount")
    return record


def update_compute(record: ComputeRecord, payload: Json, now: Micros) -> ComputeRecord:
    """A compute target after an update: encryption and load balancer can change, nodes cannot (semantics §2.2).

    Raises:
        InvalidSetting: something else is to be another one.
    """
    outer, settings = _read(payload, _SHOWN)
    fixed = {
        "resourceId": (outer.get("resourceId"), record.resource_id),
        "computeLocation": (outer.get("computeLocation"), record.compute_location or record.location),
        "agentCount": (settings.get("agentCount"), record.nodes),
        "agentVmSize": (_same_size(settings.get("agentVmSize"), record), record.vm_size),
        "clusterPurpose": (settings.get("clusterPurpose"), record.purpose),
        "aksNetworkingConfiguration": (settings.get("aksNetworkingConfiguration"), record.network),
    }
    for key, (given, present) in fixed.items():
        if given is not None and given != present:
            raise InvalidSetting(key, given, f"{present!r}: an update changes {', '.join(_CHANGEABLE)} only")
    before = {"ssl": record.ssl, "load_balancer": record.load_balancer, "subnet": record.subnet}
    return record.model_copy(update={**_changeable(settings, before), "updated": now})


def compute_document(record: ComputeRecord, workspace_id: str, epoch: float) -> Json:
    """The document of a compute target (wire §6).

    Args:
        record: the compute target.
        workspace_id: ARM id of the workspace.
        epoch: Unix time of instant 0, s.
    """
    settings: Json = {
        "agentVmSize": record.vm_size,
        "agentCount": record.nodes,
        "clusterPurpose": record.purpose,
        "clusterFqdn": None,
        "systemServices": None,
        "loadBalancerType": record.load_balancer,
        "loadBalancerSubnet": record.subnet,
        "sslConfiguration": None if record.ssl is None else dict(record.ssl),
    }
    if record.network is not None:
        settings["aksNetworkingConfiguration"] = dict(record.network)
    return {
        "id": f"{workspace_id}/computes/{record.name}",
        "name": record.name,
        "location": record.location,
        "type": "Microsoft.MachineLearningServices/workspaces/computes",
        "tags": None,
        "properties": {
            "computeType": "AKS",
            "computeLocation": record.compute_location or record.location,
            "isAttachedCompute": record.attached,
            "resourceId": record.resource_id,
            "description": None,
            "provisioningState": record.state,
            "provisioningErrors": None,
            "createdOn": iso_time(epoch, record.created),
            "modifiedOn": iso_time(epoch, record.created if record.updated is None else record.updated),
            "properties": settings,
        },
    }


def _read(payload: Json, shown: tuple[str, ...] = ()) -> tuple[Json, Json]:
    """The outer and the inner properties of a payload."""
    given = read_object("compute", payload)
    outer = read_object("properties", given.get("properties"))
    if outer.get("computeType") != "AKS":
        raise InvalidSetting("computeType", outer.get("computeType"), "AKS, the one kind of compute target here")
    known = ("computeType", "resourceId", "computeLocation", "properties", "description")
    check_keys("properties", outer, known if not shown else (*known, *_OF_A_DOCUMENT))
    settings = read_object("properties.properties", outer.get("properties"))
    check_keys("", settings, (*_SETTINGS, *shown))
    return outer, settings


_OF_A_DOCUMENT: Final = ("isAttachedCompute", "provisioningState", "provisioningErrors", "createdOn", "modifiedOn")


def _changeable(settings: Json, before: Mapping[str, Any]) -> dict[str, Any]:
    ssl = settings.get("sslConfiguration")
    balancer = _one_of(settings, "loadBalancerType", LoadBalancer)
    subnet = read_text("loadBalancerSubnet", settings.get("loadBalancerSubnet"))
    fields = {
        "ssl": before.get("ssl") if ssl is None else read_object("sslConfiguration", ssl),
        "load_balancer": balancer or before.get("load_balancer", "PublicIp"),
        "subnet": subnet or before.get("subnet"),
    }
    if fields["subnet"] and fields["load_balancer"] != "InternalLoadBalancer":
        raise InvalidSetting("loadBalancerSubnet", subnet, "possible without loadBalancerType InternalLoadBalancer")
    return fields


def _one_of(settings: Json, key: str, choices: Any) -> Any:
    value = settings.get(key)
    if value is not None and value not in get_args(choices):
        raise InvalidSetting(key, value, " or ".join(get_args(choices)))
    return value


def _vm_size(value: object) -> tuple[str, VmSize | None]:
    """What to call a size, and the size itself where it is described by hand."""
    if value is None:
        return DEFAULT_VM_SIZE, None
    if isinstance(value, dict):
        try:
            node = VmSize.model_validate(value)
        except ValidationError as error:
            raise InvalidSetting("agentVmSize", value, f"{_DESCRIBED}: {error.errors()[0]['msg']}") from error
        return name_of(node) or f"{node.cpu_cores:g} cores, {node.memory_gb:g} GB, {node.gpu_cores} GPUs", node
    known = spelling(value)
    if known is None:
        expected = f"a known virtual machine size, or {_DESCRIBED}{nearest_size(str(value))}"
        raise InvalidSetting("agentVmSize", value, expected)
    return known, None


def _same_size(value: object, record: ComputeRecord) -> object:
    """A size as the record calls it, if it is that of the record."""
    return record.vm_size if value == record.node or spelling(value) == record.vm_size else value


def _resource_id(value: str) -> str:
    """The ARM id of a managed cluster."""
    parts = value.split("/")
    if len(parts) != 9 or parts[6].lower() != "microsoft.containerservice" or parts[7].lower() != "managedclusters":
        expected = "/subscriptions/…/resourcegroups/…/providers/Microsoft.ContainerService/managedClusters/…"
        raise InvalidSetting("resourceId", value, expected)
    return value
