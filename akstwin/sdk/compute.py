"""Clusters that services are deployed to: `ComputeTarget`, `AksCompute`."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, NoReturn, Self, cast

from akstwin.backend import Json
from akstwin.domain.lifecycles import OperationState
from akstwin.errors import NotFound
from akstwin.sdk.answers import from_the_provider, instant, iso
from akstwin.sdk.compute_configuration import (
    AksAttachConfiguration,
    AksProvisioningConfiguration,
    AksUpdateConfiguration,
    SslConfiguration,
    SystemService,
)
from akstwin.sdk.exceptions import ComputeTargetException
from akstwin.sdk.waiting import wait

if TYPE_CHECKING:
    from akstwin.sdk.workspace import Workspace

_log: Final = logging.getLogger(__name__)
_RESERVED: Final = ("amlcompute", "local", "containerinstance")


class ComputeTarget:
    """A cluster.

    The constructor finds one, as an `AksCompute`; `create` and `attach` make one.

    Args:
        workspace: where it is known.
        name: of the compute target.

    Attributes:
        workspace: as given.
        name: as given.
        id: its path in Azure Resource Manager.
        location: an Azure region.
        type: `AKS`.
        tags: pairs.
        description: for people.
        created_on: when it was made known.
        modified_on: when it was changed.
        provisioning_state: Creating, Updating, Deleting, Succeeded, Failed or Canceled.
        provisioning_errors: why it failed.
        cluster_resource_id: the path of the cluster itself.
        cluster_location: where the cluster itself is.
        is_attached: whether it was there before.

    Raises:
        ComputeTargetException: there is none of that name.
    """

    workspace: "Workspace"
    name: str
    provisioning_state: str | None
    _operation: str | None

    def __new__(cls, workspace: "Workspace", name: str) -> Self:
        """Find a compute target; it is of the class that the target is of."""
        if not isinstance(name, str) or not name:
            raise ComputeTargetException(f"name: {name!r} is not the name of a compute target")
        with from_the_provider():
            try:
                document = workspace.backend.get_compute(name)
            except NotFound as error:
                raise ComputeTargetException(
                    f"ComputeTargetNotFound: Compute Target with name {name} not found in provided workspace",
                    status_code=404,
                ) from error
        return cast("Self", AksCompute.deserialize(workspace, document))

    @staticmethod
    def create(
        workspace: "Workspace", name: str, provisioning_configuration: AksProvisioningConfiguration
    ) -> "AksCompute":
        """Make a cluster.

        Args:
            workspace: where it shall be known.
            name: of the compute target.
            provisioning_configuration: of `AksCompute.provisioning_configuration`.

        Returns:
            The target; making the cluster has begun.

        Raises:
            ComputeTargetException: naming the parameter that is refused, its value and what was expected.
        """
        if name in _RESERVED:
            raise ComputeTargetException(f"name: {name!r} is not free: it is reserved, as are {', '.join(_RESERVED)}")
        if not isinstance(provisioning_configuration, AksProvisioningConfiguration):
            raise ComputeTargetException(
                f"provisioning_configuration: {provisioning_configuration!r} is not what "
                "AksCompute.provisioning_configuration makes"
            )
        location = provisioning_configuration.location
        if location and location != workspace.location:
            _log.warning("location: %s is far from the workspace, which is in %s", location, workspace.location)
        return _put(workspace, name, provisioning_configuration.payload(workspace.location, workspace.subscription_id))

    @staticmethod
    def attach(workspace: "Workspace", name: str, attach_configuration: AksAttachConfiguration) -> "AksCompute":
        """Make a cluster known that there is.

        Args:
            workspace: where it shall be known.
            name: of the compute target.
            attach_configuration: of `AksCompute.attach_configuration`.

        Returns:
            The target; attaching has begun.

        Raises:
            ComputeTargetException: naming the parameter that is refused, its value and what was expected.
        """
        if not isinstance(attach_configuration, AksAttachConfiguration):
            raise ComputeTargetException(
                f"attach_configuration: {attach_configuration!r} is not what AksCompute.attach_configuration makes"
            )
        return _put(workspace, name, attach_configuration.payload(workspace.location, workspace.subscription_id))

    @staticmethod
    def list(workspace: "Workspace") -> "list[ComputeTarget]":
        """All compute targets.

        Raises:
            ComputeTargetException: the world refuses.
        """
        with from_the_provider():
            documents = workspace.backend.list_computes()
        return [AksCompute.deserialize(workspace, document) for document in documents]

    @staticmethod
    def deserialize(workspace: "Workspace", object_dict: Any) -> "AksCompute":
        """The target of a document.

        Raises:
            ComputeTargetException: it is none of such a target; what is missing is named.
        """
        _check(object_dict)
        target = object.__new__(AksCompute)
        target.workspace = workspace
        target._operation = None
        target._read(object_dict)
        return target

    def serialize(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "id": self.id,
            "name": self.name,
            "tags": self.tags,
            "location": self.location,
            "properties": {
                "computeType": self.type,
                "computeLocation": self.cluster_location,
                "description": self.description,
                "resourceId": self.cluster_resource_id,
                "isAttachedCompute": self.is_attached,
                "provisioningState": self.provisioning_state,
                "provisioningErrors": self.provisioning_errors,
                "createdOn": iso(self.created_on),
                "modifiedOn": iso(self.modified_on),
            },
        }

    def wait_for_completion(self, show_output: bool = False, is_delete_operation: bool = False) -> None:
        """Wait for the operation that making, changing or deleting the target began.

        Args:
            show_output: whether to print its progress.
            is_delete_operation: whether the target is gone then.

        Raises:
            ComputeTargetException: it did not succeed, or no operation is known.
        """
        if self._operation is None:
            self.refresh_state()
            raise ComputeTargetException(
                "Long running operation information not known, unable to poll. "
                f"Current state is {self.provisioning_state}"
            )
        with from_the_provider():
            operation = wait(self.workspace.backend, self._operation, show=show_output, log=False)
        print(f'Provisioning operation finished, operation "{operation.state}"')  # noqa: T201 - the SDK prints it
        if not is_delete_operation:
            self.refresh_state()
        if operation.state != OperationState.SUCCEEDED:
            raise ComputeTargetException(
                "Compute object provisioning polling reached non-successful terminal state, "
                f"current provisioning state: {self.provisioning_state}\n"
                f"Provisioning operation error:\n{_told(operation.error)}"
            )

    def refresh_state(self) -> None:
        """Look at the target again.

        Raises:
            ComputeTargetException: it is not there any more.
        """
        with from_the_provider():
            self._read(self.workspace.backend.get_compute(self.name))

    def get_status(self) -> str | None:
        """The target's provisioning state, looked at again.

        Raises:
            ComputeTargetException: it is not there any more.
        """
        self.refresh_state()
        return self.provisioning_state

    def delete(self) -> None:
        """Delete the cluster; `wait_for_completion(is_delete_operation=True)` waits for that.

        Raises:
            ComputeTargetException: the world refuses.
        """
        self._leave("delete")

    def detach(self) -> None:
        """Forget the cluster and leave it as it is; `wait_for_completion(is_delete_operation=True)` waits for that.

        Raises:
            ComputeTargetException: the world refuses.
        """
        self._leave("detach")

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(workspace={self.workspace.name!r}, name={self.name!r}, id={self.id!r}, "
            f"type={self.type!r}, provisioning_state={self.provisioning_state!r}, location={self.location!r}, "
            f"tags={self.tags!r})"
        )

    def _leave(self, action: Literal["delete", "detach"]) -> None:
        with from_the_provider():
            self._operation = self.workspace.backend.delete_compute(self.name, action)
        self.provisioning_state = "Deleting"

    def _read(self, document: Json) -> None:
        """Take over what a document says."""
        properties = document["properties"]
        self.name = document["name"]
        self.id: str = document["id"]
        self.location: str | None = document["location"]
        self.type: str = properties["computeType"]
        self.tags: dict[str, str] | None = document["tags"]
        self.description: str | None = properties["description"]
        self.created_on = instant(properties.get("createdOn"))
        self.modified_on = instant(properties.get("modifiedOn"))
        self.provisioning_state = properties["provisioningState"]
        self.provisioning_errors: Any = properties["provisioningErrors"]
        self.cluster_resource_id: str | None = properties["resourceId"]
        self.cluster_location: str | None = properties.get("computeLocation")
        self.is_attached: bool = properties["isAttachedCompute"]


class AksCompute(ComputeTarget):
    """A cluster of Azure Kubernetes Service.

    Attributes:
        agent_count: how many nodes.
        agent_vm_size: of the nodes.
        cluster_purpose: `FastProd` or `DevTest`.
        cluster_fqdn: its host name.
        system_services: what runs on it for the service itself.
        ssl_configuration: TLS; None: none.
        load_balancer_type: `PublicIp` or `InternalLoadBalancer`.
        load_balancer_subnet: of an internal one.
    """

    class ClusterPurpose:
        """What a cluster is for."""

        FAST_PROD = "FastProd"
        DEV_TEST = "DevTest"

    _type: ClassVar[str] = "AKS"

    @staticmethod
    def attach(workspace: "Workspace", name: str, resource_id: str) -> NoReturn:  # type: ignore[override]  # noqa: ARG004
        """Refuse, as azureml-core does: use `ComputeTarget.attach`.

        Raises:
            ComputeTargetException: always.
        """
        raise ComputeTargetException(
            "AksCompute.attach is not offered: use "
            "ComputeTarget.attach(workspace, name, AksCompute.attach_configuration(resource_id=…))"
        )

    @staticmethod
    def provisioning_configuration(
        agent_count: int | None = None,
        vm_size: str | Mapping[str, float] | None = None,
        ssl_cname: str | None = None,
        ssl_cert_pem_file: str | None = None,
        ssl_key_pem_file: str | None = None,
        location: str | None = None,
        vnet_resourcegroup_name: str | None = None,
        vnet_name: str | None = None,
        subnet_name: str | None = None,
        service_cidr: str | None = None,
        dns_service_ip: str | None = None,
        docker_bridge_cidr: str | None = None,
        cluster_purpose: str | None = None,
        load_balancer_type: str | None = None,
        load_balancer_subnet: str | None = None,
    ) -> AksProvisioningConfiguration:
        """A cluster that is to be made; `AksProvisioningConfiguration` says what each parameter means.

        Raises:
            ComputeTargetException: naming the parameter that is refused, its value and what was expected.
        """
        return AksProvisioningConfiguration(**locals())

    @staticmethod
    def attach_configuration(
        resource_group: str | None = None,
        cluster_name: str | None = None,
        resource_id: str | None = None,
        cluster_purpose: str | None = None,
        load_balancer_type: str | None = None,
        load_balancer_subnet: str | None = None,
    ) -> AksAttachConfiguration:
        """A cluster that there is; `AksAttachConfiguration` says what each parameter means.

        Raises:
            ComputeTargetException: naming the parameter that is refused, its value and what was expected.
        """
        return AksAttachConfiguration(**locals())

    def update(self, update_configuration: AksUpdateConfiguration) -> None:
        """Change TLS or the load balancer; `wait_for_completion` waits for that.

        Raises:
            ComputeTargetException: naming what is refused.
        """
        if not isinstance(update_configuration, AksUpdateConfiguration):
            raise ComputeTargetException(
                f"update_configuration: {update_configuration!r} is not an AksUpdateConfiguration"
            )
        with from_the_provider():
            document = self.workspace.backend.get_compute(self.name)
            operation = self.workspace.backend.put_compute(self.name, update_configuration.applied(document))
        self.refresh_state()
        self._operation = operation

    def get_credentials(self) -> dict[str, Any]:
        """How to reach the cluster.

        Raises:
            ComputeTargetException: the world refuses.
        """
        with from_the_provider():
            return self.workspace.backend.compute_credentials(self.name)

    def serialize(self) -> dict[str, Any]:
        """The JSON form."""
        services = self.system_services
        document = super().serialize()
        document["properties"]["properties"] = {
            "agentVmSize": self.agent_vm_size,
            "agentCount": self.agent_count,
            "clusterPurpose": self.cluster_purpose,
            "clusterFqdn": self.cluster_fqdn,
            "systemServices": services and [service.serialize() for service in services],
            "sslConfiguration": self.ssl_configuration and self.ssl_configuration.serialize(),
            "loadBalancerType": self.load_balancer_type,
            "loadBalancerSubnet": self.load_balancer_subnet,
        }
        return document

    def _read(self, document: Json) -> None:
        super()._read(document)
        cluster = document["properties"]["properties"] or {}
        services, ssl = cluster.get("systemServices"), cluster.get("sslConfiguration")
        self.agent_vm_size: str | None = cluster.get("agentVmSize")
        self.agent_count: int | None = cluster.get("agentCount")
        self.cluster_purpose: str | None = cluster.get("clusterPurpose")
        self.cluster_fqdn: str | None = cluster.get("clusterFqdn")
        self.system_services = services and [SystemService.deserialize(service) for service in services]
        self.ssl_configuration = SslConfiguration.deserialize(ssl) if ssl else None
        self.load_balancer_type: str | None = cluster.get("loadBalancerType")
        self.load_balancer_subnet: str | None = cluster.get("loadBalancerSubnet")


_KEYS: Final = ("name", "location", "id", "tags", "properties")
_PROPERTIES: Final = (
    *("computeType", "properties", "provisioningErrors", "description", "provisioningState", "resourceId"),
    "isAttachedCompute",
)


def _check(document: Any) -> None:
    if not isinstance(document, dict) or not isinstance(document.get("properties"), dict):
        raise ComputeTargetException(f"AksCompute: {document!r} is not the document of a compute target")
    missing = [key for key in _KEYS if key not in document]
    missing += [f"properties.{key}" for key in _PROPERTIES if key not in document["properties"]]
    if missing:
        raise ComputeTargetException(f"AksCompute: the document is not complete: it lacks {', '.join(missing)}")
    kind = document["properties"]["computeType"]
    if kind != AksCompute._type:  # noqa: SLF001 - of our own class
        raise ComputeTargetException(f"AksCompute: computeType: {kind!r} is not {AksCompute._type!r}")  # noqa: SLF001


def _put(workspace: "Workspace", name: str, payload: Json) -> AksCompute:
    with from_the_provider():
        operation = workspace.backend.put_compute(name, payload)
        document = workspace.backend.get_compute(name)
    target = AksCompute.deserialize(workspace, document)
    target._operation = operation  # noqa: SLF001 - of our own class
    return target


def _told(error: Json | None) -> str:
    """An error, as a poll of a compute target shows it."""
    if error and "statusCode" in error and "message" in error:
        return f"StatusCode: {error['statusCode']}\nMessage: {error['message']}"
    return str(error)
