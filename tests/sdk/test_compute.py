"""Clusters."""

from pathlib import Path
from typing import Any

import pytest

from akstwin import AksCompute, ComputeTarget, ComputeTargetException, WebserviceException, Workspace
from akstwin.backend import Operation
from akstwin.domain.lifecycles import OperationState
from akstwin.errors import Conflict, InvalidSetting
from akstwin.sdk.compute_configuration import AksUpdateConfiguration, SslConfiguration

RESOURCE_ID = "/subscriptions/s/resourcegroups/g/providers/Microsoft.ContainerService/managedClusters/c"


def message(function: Any, *given: Any, **arguments: Any) -> str:
    """What a call says when it refuses."""
    with pytest.raises(ComputeTargetException) as caught:
        function(*given, **arguments)
    return caught.value.message


def test_find_it_or_make_it(ws: Workspace, backend: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """The idiom of every example."""
    backend.polls = [Operation("op", OperationState.RUNNING)] * 2 + [Operation("op", OperationState.SUCCEEDED)]
    try:
        target = ComputeTarget(ws, "aks")
    except ComputeTargetException:
        target = ComputeTarget.create(ws, "aks", AksCompute.provisioning_configuration(agent_count=3))
        target.wait_for_completion(show_output=True)

    assert isinstance(target, AksCompute)
    assert isinstance(ComputeTarget(ws, "aks"), AksCompute)
    assert (target.agent_count, target.get_status()) == (3, "Succeeded")
    assert backend.clock.slept == [5_000_000, 5_000_000]
    assert capsys.readouterr().out == 'Running..\nSucceeded\nProvisioning operation finished, operation "Succeeded"\n'
    assert ComputeTarget.list(ws)[0].name == "aks"
    assert "Succeeded" in repr(target)
    assert target.get_credentials() == {"userKubeConfig": "aks"}
    with pytest.raises(ComputeTargetException) as caught:
        AksCompute(ws, "none")
    assert caught.value.message.startswith("ComputeTargetNotFound: Compute Target with name none not found")
    assert caught.value.status_code == 404
    assert not isinstance(caught.value, WebserviceException)
    assert message(ComputeTarget, ws, "") == "name: '' is not the name of a compute target"


def test_attaching(ws: Workspace, backend: Any) -> None:
    """By group and name, or by the whole path."""
    by_name = AksCompute.attach_configuration(resource_group="g", cluster_name="c", cluster_purpose="DevTest")
    by_id = AksCompute.attach_configuration(
        resource_id=RESOURCE_ID, load_balancer_type="InternalLoadBalancer", load_balancer_subnet="s"
    )

    ComputeTarget.attach(ws, "one", by_name)
    ComputeTarget.attach(ws, "two", by_id.enable_ssl(leaf_domain_label="fraud"))

    assert backend.said("put_compute") == [
        ("one", {
            "location": "westeurope",
            "properties": {
                "computeType": "AKS",
                "resourceId": f"/subscriptions/{ws.subscription_id}/resourcegroups/g"
                "/providers/Microsoft.ContainerService/managedClusters/c",
                "properties": {"clusterPurpose": "DevTest", "loadBalancerType": "PublicIp", "loadBalancerSubnet": None},
            },
        }),
        ("two", {
            "location": "westeurope",
            "properties": {
                "computeType": "AKS",
                "resourceId": RESOURCE_ID,
                "properties": {
                    "sslConfiguration": {"status": "Auto", "leafDomainLabel": "fraud", "overwriteExistingDomain": False},
                    "loadBalancerType": "InternalLoadBalancer",
                    "loadBalancerSubnet": "s",
                },
            },
        }),
    ]  # fmt: skip
    assert ComputeTarget(ws, "one").is_attached


def test_creating(ws: Workspace, backend: Any, caplog: pytest.LogCaptureFixture) -> None:
    """With a network and a certificate; what is not given is not sent."""
    Path("cert.pem").write_text("CERT")
    Path("key.pem").write_text("KEY")
    AksCompute.provisioning_configuration()
    config = AksCompute.provisioning_configuration(
        3, "Standard_D3_v2", "fraud.example", "cert.pem", "key.pem", "northeurope", "g", "v", "n", "10.0.0.0/16",
        "10.0.0.10", "172.17.0.1/16", AksCompute.ClusterPurpose.FAST_PROD, "InternalLoadBalancer", "s",
    )  # fmt: skip

    ComputeTarget.create(ws, "aks", config)
    ComputeTarget.create(ws, "plain", AksCompute.provisioning_configuration())

    assert backend.said("put_compute") == [
        ("aks", {
            "location": "westeurope",
            "properties": {
                "computeType": "AKS",
                "computeLocation": "northeurope",
                "properties": {
                    "agentCount": 3,
                    "agentVmSize": "Standard_D3_v2",
                    "clusterPurpose": "FastProd",
                    "sslConfiguration": {"status": "Enabled", "cname": "fraud.example", "cert": "CERT", "key": "KEY"},
                    "aksNetworkingConfiguration": {
                        "subnetId": f"/subscriptions/{ws.subscription_id}/resourceGroups/g"
                        "/providers/Microsoft.Network/virtualNetworks/v/subnets/n",
                        "serviceCidr": "10.0.0.0/16",
                        "dnsServiceIP": "10.0.0.10",
                        "dockerBridgeCidr": "172.17.0.1/16",
                    },
                    "loadBalancerType": "InternalLoadBalancer",
                    "loadBalancerSubnet": "s",
                },
            },
        }),
        ("plain", {"location": "westeurope", "properties": {"computeType": "AKS"}}),
    ]  # fmt: skip
    assert "northeurope is far from the workspace" in caplog.text
    assert ComputeTarget(ws, "aks").ssl_configuration.cert == "CERT"  # type: ignore[attr-defined]
    assert "CERT" not in repr(ComputeTarget(ws, "aks").ssl_configuration)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "resource_group: None is not enough"),
        ({"resource_group": "g"}, "cluster_name: None is not enough"),
        ({"resource_id": "x"}, "resource_id: 'x' is not /subscriptions/"),
        ({"resource_id": RESOURCE_ID.replace("Container", "Other")}, "resource_id: "),
        ({"resource_id": RESOURCE_ID, "resource_group": "g"}, "resource_group: 'g' is not allowed together"),
        ({"resource_id": RESOURCE_ID, "cluster_name": "c"}, "cluster_name: 'c' is not allowed together"),
        ({"resource_id": RESOURCE_ID, "load_balancer_type": "x"}, "load_balancer_type: 'x' is not PublicIp or"),
        ({"resource_id": RESOURCE_ID, "load_balancer_subnet": "s"}, "load_balancer_subnet: 's' is not allowed without"),
        ({"resource_id": RESOURCE_ID, "load_balancer_type": "PublicIp", "load_balancer_subnet": "s"}, "load_balancer_subnet"),
        ({"resource_id": RESOURCE_ID, "cluster_purpose": "Prod"}, "cluster_purpose: 'Prod' is not one of FastProd, DevTest"),
    ],
)  # fmt: skip
def test_what_is_not_attached(arguments: dict[str, Any], expected: str) -> None:
    """By name and value."""
    assert message(AksCompute.attach_configuration, **arguments).startswith(expected)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"agent_count": 0}, "agent_count: 0 is not a whole number greater than 0"),
        ({"agent_count": True}, "agent_count: True is not"),
        ({"agent_count": "3"}, "agent_count: '3' is not"),
        ({"ssl_cname": "c"}, "ssl_cert_pem_file, ssl_key_pem_file: are missing; ssl_cname, "),
        ({"vnet_name": "v", "subnet_name": "s"}, "vnet_resourcegroup_name, service_cidr, dns_service_ip, docker_br"),
        ({"load_balancer_type": "x"}, "load_balancer_type: 'x' is not"),
    ],
)
def test_what_is_not_created(arguments: dict[str, Any], expected: str) -> None:
    """By name and value."""
    assert message(AksCompute.provisioning_configuration, **arguments).startswith(expected)


def test_tls_is_of_one_kind(ws: Workspace) -> None:
    """A certificate of one's own, or Azure's; its files must be there."""
    config = AksCompute.provisioning_configuration()
    own = {"ssl_cname": "c", "ssl_cert_pem_file": "no.pem", "ssl_key_pem_file": "no.pem"}
    assert message(config.enable_ssl, **own, leaf_domain_label="x").startswith("leaf_domain_label")
    config = AksCompute.provisioning_configuration(**own)
    assert message(ComputeTarget.create, ws, "aks", config).startswith("ssl_cert_pem_file: 'no.pem' is not a file")


def test_wrong_calls(ws: Workspace, backend: Any) -> None:
    """Refused by name."""
    config = AksCompute.attach_configuration(resource_group="g", cluster_name="c")
    assert message(ComputeTarget.create, ws, "local", AksCompute.provisioning_configuration()).startswith(
        "name: 'local'"
    )
    assert message(ComputeTarget.create, ws, "aks", config).startswith("provisioning_configuration: ")
    assert message(ComputeTarget.attach, ws, "aks", None).startswith("attach_configuration: None is not what")
    assert "ComputeTarget.attach(workspace" in message(AksCompute.attach, ws, "aks", RESOURCE_ID)
    assert backend.calls == []
    backend.refusals["put_compute"] = InvalidSetting("agentCount", 1, "3 or more")
    refused = message(ComputeTarget.attach, ws, "aks", config)
    assert refused.startswith("Received bad response from Resource Provider:\nResponse Code: 400\n")
    assert "agentCount: 1 is not 3 or more" in refused


def test_an_operation_that_fails(ws: Workspace, backend: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Says why."""
    target = ComputeTarget.create(ws, "aks", AksCompute.provisioning_configuration())
    error = {"code": "BadRequest", "statusCode": 400, "message": "too small"}
    backend.polls = [Operation("op", OperationState.FAILED, error=error)]

    told = message(target.wait_for_completion)

    assert told.endswith("Provisioning operation error:\nStatusCode: 400\nMessage: too small")
    assert capsys.readouterr().out == 'Provisioning operation finished, operation "Failed"\n'
    backend.polls = [Operation("op", OperationState.CANCELLED)]
    assert message(target.wait_for_completion).endswith("error:\nNone")
    found = ComputeTarget(ws, "aks")
    assert "unable to poll. Current state is Succeeded" in message(found.wait_for_completion)


def test_leaving(ws: Workspace, backend: Any) -> None:
    """Deleted or detached; then it is gone."""
    for action in ("delete", "detach"):
        target = ComputeTarget.create(ws, "aks", AksCompute.provisioning_configuration())
        getattr(target, action)()
        assert target.provisioning_state == "Deleting"
        target.wait_for_completion(is_delete_operation=True)
        assert ws.compute_targets == {}
    assert [action for _, action in backend.said("delete_compute")] == ["delete", "detach"]
    backend.put_compute("aks", {"location": "w", "properties": {"computeType": "AKS"}})
    backend.refusals["delete_compute"] = Conflict("busy")
    assert "Response Code: 409" in message(ComputeTarget(ws, "aks").delete)


@pytest.mark.parametrize(
    ("ssl", "sent"),
    [
        (None, None),
        (SslConfiguration(status="Disabled"), {"status": "Disabled"}),
        (SslConfiguration(renew=True), {"status": "Auto", "leafDomainLabel": "old", "renew": True}),
        (
            SslConfiguration(cname="c", cert="CERT", key="KEY"),
            {"status": "Enabled", "cname": "c", "cert": "CERT", "key": "KEY"},
        ),
        (
            SslConfiguration(leaf_domain_label="new", overwrite_existing_domain=True),
            {"status": "Auto", "leafDomainLabel": "new", "overwriteExistingDomain": True},
        ),
    ],
)
def test_changing_tls(ws: Workspace, backend: Any, ssl: Any, sent: Any) -> None:
    """The whole document is sent with what changes."""
    target = ComputeTarget.create(ws, "aks", AksCompute.provisioning_configuration())
    cluster = backend.computes["aks"]["properties"]["properties"]
    cluster["sslConfiguration"] = {"status": "Auto", "leafDomainLabel": "old"}

    target.update(AksUpdateConfiguration(ssl, load_balancer_type="PublicIp"))
    target.wait_for_completion()

    changed = backend.said("put_compute")[-1][1]["properties"]["properties"]
    assert changed.get("sslConfiguration") == sent
    assert changed["loadBalancerType"] == "PublicIp"


def test_wrong_changes(ws: Workspace) -> None:
    """Refused by name."""
    target = ComputeTarget.create(ws, "aks", AksCompute.provisioning_configuration())
    assert message(target.update, AksUpdateConfiguration(SslConfiguration(renew=True))).startswith("renew: True is not")
    assert message(target.update, None).startswith("update_configuration: None is not")
    assert message(AksUpdateConfiguration, SslConfiguration(cname="c")).startswith("cert, key: are missing")
    own = SslConfiguration(cname="c", cert="a", key="b", leaf_domain_label="d")
    assert message(AksUpdateConfiguration, own).startswith("leaf_domain_label")
    assert message(AksUpdateConfiguration, None, "PublicIp", "s").startswith("load_balancer_subnet: 's' is not allowed")


def test_there_and_back(ws: Workspace, backend: Any) -> None:
    """The JSON form is the document's; what is missing in one is named."""
    backend.put_compute("aks", {"location": "w", "properties": {"computeType": "AKS", "resourceId": RESOURCE_ID}})
    document = backend.computes["aks"]
    document["properties"]["createdOn"] = "2026-01-01T00:00:00Z"
    document["properties"]["properties"]["systemServices"] = [
        {"systemServiceType": "ScoringFrontEnd", "version": "1", "publicIpAddress": "1.2.3.4"}
    ]
    document["properties"]["properties"]["sslConfiguration"] = {"status": "Disabled"}
    form = AksCompute.deserialize(ws, document).serialize()

    assert form["properties"]["createdOn"] == "2026-01-01T00:00:00+00:00"
    assert form["properties"]["properties"]["systemServices"][0]["publicIpAddress"] == "1.2.3.4"
    assert form["properties"]["properties"]["sslConfiguration"]["status"] == "Disabled"
    assert message(AksCompute.deserialize, ws, None).startswith("AksCompute: None is not the document")
    short = {"name": "aks", "properties": {"computeType": "AKS"}}
    assert message(AksCompute.deserialize, ws, short).startswith(
        "AksCompute: the document is not complete: it lacks loc"
    )
    other = {**document, "properties": {**document["properties"], "computeType": "AmlCompute"}}
    assert message(AksCompute.deserialize, ws, other) == "AksCompute: computeType: 'AmlCompute' is not 'AKS'"
    document["properties"]["properties"]["systemServices"] = [{}]
    assert "lacks systemServiceType, version, publicIpAddress" in message(AksCompute.deserialize, ws, document)
