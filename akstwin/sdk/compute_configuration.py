"""What a cluster is made, attached or changed with, and what of it comes back."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Self

from akstwin.sdk.exceptions import ComputeTargetException
from akstwin.sdk.given import check_text
from akstwin.sdk.wire import Json

PUBLIC: Final = "PublicIp"
INTERNAL: Final = "InternalLoadBalancer"
PURPOSES: Final = ("FastProd", "DevTest", "DenseProd")
_NETWORK: Final = (
    "vnet_resourcegroup_name",
    "vnet_name",
    "subnet_name",
    "service_cidr",
    "dns_service_ip",
    "docker_bridge_cidr",
)
_SSL: Final = ("ssl_cname", "ssl_cert_pem_file", "ssl_key_pem_file")


class _WithSsl:
    """What can have TLS."""

    ssl_cname: str | None
    ssl_cert_pem_file: str | None
    ssl_key_pem_file: str | None
    leaf_domain_label: str | None
    overwrite_existing_domain: bool

    def enable_ssl(
        self,
        ssl_cname: str | None = None,
        ssl_cert_pem_file: str | None = None,
        ssl_key_pem_file: str | None = None,
        leaf_domain_label: str | None = None,
        overwrite_existing_domain: bool = False,
    ) -> Self:
        """Serve over TLS: with a certificate of one's own, or one that Azure makes.

        Scoring URIs then begin with `https://`. They lead to the server that plays Azure, by its own name and certificate.

        Args:
            ssl_cname: the host name of the certificate.
            ssl_cert_pem_file: the certificate's file.
            ssl_key_pem_file: the key's file.
            leaf_domain_label: begins the host name of a certificate that Azure makes.
            overwrite_existing_domain: whether a name that is in use may be taken.

        Returns:
            The configuration itself.

        Raises:
            ComputeTargetException: naming what is missing, or does not go together.
        """
        check_text(
            ComputeTargetException,
            ssl_cname=ssl_cname,
            ssl_cert_pem_file=ssl_cert_pem_file,
            ssl_key_pem_file=ssl_key_pem_file,
            leaf_domain_label=leaf_domain_label,
        )
        self.ssl_cname = ssl_cname or self.ssl_cname
        self.ssl_cert_pem_file = ssl_cert_pem_file or self.ssl_cert_pem_file
        self.ssl_key_pem_file = ssl_key_pem_file or self.ssl_key_pem_file
        self.leaf_domain_label = leaf_domain_label or self.leaf_domain_label
        self.overwrite_existing_domain = overwrite_existing_domain or self.overwrite_existing_domain
        self.validate_configuration()
        return self

    def validate_configuration(self) -> None:
        """Check all values again, after some were changed.

        Raises:
            ComputeTargetException: naming what is missing, or does not go together.
        """
        check_text(ComputeTargetException, **_texts(self))
        _together(self, _SSL)
        if self.ssl_cname and (self.leaf_domain_label or self.overwrite_existing_domain):
            raise ComputeTargetException(
                "leaf_domain_label, overwrite_existing_domain: are not allowed with a certificate of one's own"
            )

    def _ssl(self) -> Json | None:
        """The wire's `sslConfiguration`."""
        if self.ssl_cname:
            cert = _file("ssl_cert_pem_file", self.ssl_cert_pem_file)
            key = _file("ssl_key_pem_file", self.ssl_key_pem_file)
            return {"status": "Enabled", "cname": self.ssl_cname, "cert": cert, "key": key}
        if self.leaf_domain_label:
            return {
                "status": "Auto",
                "leafDomainLabel": self.leaf_domain_label,
                "overwriteExistingDomain": self.overwrite_existing_domain,
            }
        return None


@dataclass
class AksProvisioningConfiguration(_WithSsl):
    """A cluster that is to be made. `AksCompute.provisioning_configuration` makes one.

    Attributes:
        agent_count: how many nodes; 3, or 1 for `DevTest`.
        vm_size: of the nodes; Standard_D3_v2. `akstwin sizes` lists those that are known, in any case of letters; also a mapping
            with cpu_cores, memory_gb, gpu_cores and hourly_price, which azureml-core does not take.
        location: an Azure region; the workspace's.
        vnet_resourcegroup_name: with the next five: a network of one's own.
        vnet_name: see there.
        subnet_name: see there.
        service_cidr: see there.
        dns_service_ip: see there.
        docker_bridge_cidr: see there.
        cluster_purpose: `FastProd` or `DevTest`; `FastProd`.
        load_balancer_type: `PublicIp` or `InternalLoadBalancer`; `PublicIp`.
        load_balancer_subnet: of an internal one.

    Raises:
        ComputeTargetException: naming the parameter that is refused, its value and what was expected.
    """

    agent_count: int | None
    vm_size: str | Mapping[str, float] | None
    ssl_cname: str | None = None
    ssl_cert_pem_file: str | None = None
    ssl_key_pem_file: str | None = None
    location: str | None = None
    vnet_resourcegroup_name: str | None = None
    vnet_name: str | None = None
    subnet_name: str | None = None
    service_cidr: str | None = None
    dns_service_ip: str | None = None
    docker_bridge_cidr: str | None = None
    cluster_purpose: str | None = None
    load_balancer_type: str | None = None
    load_balancer_subnet: str | None = None
    leaf_domain_label: str | None = field(default=None, init=False)
    overwrite_existing_domain: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.validate_configuration()

    def validate_configuration(self) -> None:
        """Check all values again, after some were changed.

        Raises:
            ComputeTargetException: naming the parameter that is refused, its value and what was expected.
        """
        if self.agent_count is not None and (
            not isinstance(self.agent_count, int) or isinstance(self.agent_count, bool) or self.agent_count <= 0
        ):
            raise ComputeTargetException(f"agent_count: {self.agent_count!r} is not a whole number greater than 0")
        if self.vm_size is not None and not (isinstance(self.vm_size, str | Mapping) and self.vm_size):
            raise ComputeTargetException(f"vm_size: {self.vm_size!r} is not the name of a VM size, or a mapping")
        super().validate_configuration()
        _together(self, _NETWORK)
        _check_purpose(self.cluster_purpose)
        _check_load_balancer(self.load_balancer_type, self.load_balancer_subnet)

    def payload(self, location: str, subscription_id: str) -> Json:
        """The body that makes the cluster (wire §6).

        Raises:
            ComputeTargetException: values were changed since and are refused, or a file cannot be read.
        """
        self.validate_configuration()
        network = self.vnet_name and {
            "subnetId": f"/subscriptions/{subscription_id}/resourceGroups/{self.vnet_resourcegroup_name}"
            f"/providers/Microsoft.Network/virtualNetworks/{self.vnet_name}/subnets/{self.subnet_name}",
            "serviceCidr": self.service_cidr,
            "dnsServiceIP": self.dns_service_ip,
            "dockerBridgeCidr": self.docker_bridge_cidr,
        }
        cluster = _given(
            agentCount=self.agent_count,
            agentVmSize=dict(self.vm_size) if isinstance(self.vm_size, Mapping) else self.vm_size,
            clusterPurpose=self.cluster_purpose,
            sslConfiguration=self._ssl(),
            aksNetworkingConfiguration=network,
            loadBalancerType=self.load_balancer_type,
            loadBalancerSubnet=self.load_balancer_subnet,
        )
        properties = _given(computeLocation=self.location, properties=cluster)
        return {"location": location, "properties": {"computeType": "AKS", **properties}}


@dataclass
class AksAttachConfiguration(_WithSsl):
    """A cluster that there is. `AksCompute.attach_configuration` makes one.

    Attributes:
        resource_group: of the cluster.
        cluster_name: of the cluster.
        resource_id: in place of the two: the cluster's path in Azure Resource Manager.
        cluster_purpose: `FastProd` or `DevTest`; `FastProd`.
        load_balancer_type: `PublicIp` or `InternalLoadBalancer`; `PublicIp`.
        load_balancer_subnet: of an internal one.

    Raises:
        ComputeTargetException: naming the parameter that is refused, its value and what was expected.
    """

    resource_group: str | None = None
    cluster_name: str | None = None
    resource_id: str | None = None
    cluster_purpose: str | None = None
    load_balancer_type: str | None = None
    load_balancer_subnet: str | None = None
    ssl_cname: str | None = field(default=None, init=False)
    ssl_cert_pem_file: str | None = field(default=None, init=False)
    ssl_key_pem_file: str | None = field(default=None, init=False)
    leaf_domain_label: str | None = field(default=None, init=False)
    overwrite_existing_domain: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.validate_configuration()

    def validate_configuration(self) -> None:
        """Check all values again, after some were changed.

        Raises:
            ComputeTargetException: naming the parameter that is refused, its value and what was expected.
        """
        check_text(ComputeTargetException, **_texts(self))
        if self.resource_id is not None:
            parts = self.resource_id.split("/")
            if len(parts) != 9 or parts[6] != "Microsoft.ContainerService":
                raise ComputeTargetException(f"resource_id: {self.resource_id!r} is not {_RESOURCE_ID}")
            for name in ("resource_group", "cluster_name"):
                if getattr(self, name):
                    raise ComputeTargetException(
                        f"{name}: {getattr(self, name)!r} is not allowed together with resource_id"
                    )
        else:
            for name in ("resource_group", "cluster_name"):
                if not getattr(self, name):
                    raise ComputeTargetException(
                        f"{name}: {getattr(self, name)!r} is not enough: resource_group and cluster_name are needed, "
                        "or resource_id"
                    )
        super().validate_configuration()
        _check_purpose(self.cluster_purpose)
        _check_load_balancer(self.load_balancer_type, self.load_balancer_subnet)

    def payload(self, location: str, subscription_id: str) -> Json:
        """The body that attaches the cluster (wire §6).

        Raises:
            ComputeTargetException: values were changed since and are refused, or a file cannot be read.
        """
        self.validate_configuration()
        resource_id = self.resource_id or (
            f"/subscriptions/{subscription_id}/resourcegroups/{self.resource_group}"
            f"/providers/Microsoft.ContainerService/managedClusters/{self.cluster_name}"
        )
        cluster = {
            **_given(clusterPurpose=self.cluster_purpose, sslConfiguration=self._ssl()),
            "loadBalancerType": self.load_balancer_type or PUBLIC,
            "loadBalancerSubnet": self.load_balancer_subnet or None,
        }
        return {
            "location": location,
            "properties": {"computeType": "AKS", "resourceId": resource_id, "properties": cluster},
        }


@dataclass
class SslConfiguration:
    """TLS of a cluster.

    Attributes:
        status: `Enabled`, `Auto` or `Disabled`.
        cert: the certificate.
        key: its key.
        cname: its host name.
        leaf_domain_label: begins the host name of a certificate that Azure makes.
        overwrite_existing_domain: whether a name that is in use may be taken.
        renew: whether Azure makes a new certificate.
    """

    status: str | None = None
    cert: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)
    cname: str | None = None
    leaf_domain_label: str | None = None
    overwrite_existing_domain: bool = False
    renew: bool = False

    def serialize(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "status": self.status,
            "cert": self.cert,
            "key": self.key,
            "cname": self.cname,
            "leafDomainLabel": self.leaf_domain_label,
            "overwriteExistingDomain": self.overwrite_existing_domain,
            "renew": self.renew,
        }

    @staticmethod
    def deserialize(object_dict: Json) -> "SslConfiguration":
        """The value of a JSON form."""
        return SslConfiguration(
            object_dict.get("status"),
            object_dict.get("cert"),
            object_dict.get("key"),
            object_dict.get("cname"),
            object_dict.get("leafDomainLabel"),
            bool(object_dict.get("overwriteExistingDomain")),
            bool(object_dict.get("renew")),
        )


@dataclass
class AksUpdateConfiguration:
    """What of a cluster is changed.

    Attributes:
        ssl_configuration: TLS.
        load_balancer_type: `PublicIp` or `InternalLoadBalancer`.
        load_balancer_subnet: of an internal one.

    Raises:
        ComputeTargetException: naming what is missing, or does not go together.
    """

    ssl_configuration: SslConfiguration | None = None
    load_balancer_type: str | None = None
    load_balancer_subnet: str | None = None

    def __post_init__(self) -> None:
        self.validate_configuration()

    def validate_configuration(self) -> None:
        """Check all values again, after some were changed.

        Raises:
            ComputeTargetException: naming what is missing, or does not go together.
        """
        check_text(ComputeTargetException, **_texts(self))
        if self.ssl_configuration is not None:
            ssl = self.ssl_configuration
            if not isinstance(ssl, SslConfiguration):
                raise ComputeTargetException(f"ssl_configuration: {ssl!r} is not an SslConfiguration")
            check_text(ComputeTargetException, **_texts(ssl))
            _together(ssl, ("cname", "cert", "key"))
            if ssl.cname and (ssl.leaf_domain_label or ssl.overwrite_existing_domain):
                raise ComputeTargetException(
                    "leaf_domain_label, overwrite_existing_domain: are not allowed with a certificate of one's own"
                )
        if self.load_balancer_type == PUBLIC and self.load_balancer_subnet:
            _check_load_balancer(self.load_balancer_type, self.load_balancer_subnet)

    def applied(self, document: Json) -> Json:
        """A cluster's document with the changes.

        Raises:
            ComputeTargetException: a certificate is to be renewed that Azure has not made.
        """
        self.validate_configuration()
        cluster = dict(document["properties"].get("properties") or {})
        present = cluster.pop("sslConfiguration", None)
        ssl = self.ssl_configuration
        if ssl and ssl.status == "Disabled":
            cluster["sslConfiguration"] = {"status": "Disabled"}
        elif ssl and ssl.renew:
            if not (present or {}).get("leafDomainLabel"):
                raise ComputeTargetException("renew: True is not allowed: the cluster has no certificate of Azure's")
            cluster["sslConfiguration"] = {**(present or {}), "renew": True}
        elif ssl and ssl.cname:
            cluster["sslConfiguration"] = {
                "status": "Enabled", "cname": ssl.cname, "cert": ssl.cert, "key": ssl.key,
            }  # fmt: skip
        elif ssl and ssl.leaf_domain_label:
            cluster["sslConfiguration"] = {
                "status": "Auto",
                "leafDomainLabel": ssl.leaf_domain_label,
                "overwriteExistingDomain": ssl.overwrite_existing_domain,
            }
        for key, value in (
            ("loadBalancerType", self.load_balancer_type),
            ("loadBalancerSubnet", self.load_balancer_subnet),
        ):
            if value:
                cluster[key] = value
            else:
                cluster.pop(key, None)
        return {**document, "properties": {**document["properties"], "properties": cluster}}


@dataclass(frozen=True)
class SystemService:
    """Something that runs on the cluster for the service itself.

    Attributes:
        service_type: what it is.
        version: of it.
        public_ip_address: where it is reached.
    """

    service_type: str | None
    version: str | None
    public_ip_address: str | None

    def serialize(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "serviceType": self.service_type,
            "version": self.version,
            "publicIpAddress": self.public_ip_address,
        }

    @staticmethod
    def deserialize(object_dict: Json) -> "SystemService":
        """The value of a JSON form.

        Raises:
            ComputeTargetException: a key is missing, named.
        """
        keys = ("systemServiceType", "version", "publicIpAddress")
        if missing := [key for key in keys if key not in object_dict]:
            raise ComputeTargetException(
                f"SystemService: {object_dict!r} is not complete: it lacks {', '.join(missing)}"
            )
        return SystemService(*(object_dict[key] for key in keys))


_RESOURCE_ID: Final = (
    "/subscriptions/…/resourcegroups/…/providers/Microsoft.ContainerService/managedClusters/… (9 parts between slashes)"
)


def _texts(owner: Any) -> dict[str, Any]:
    """The fields of a configuration that are text."""
    return {each.name: getattr(owner, each.name) for each in fields(owner) if each.type == str | None}


def _together(owner: object, names: tuple[str, ...]) -> None:
    """All of them, or none."""
    missing = [name for name in names if not getattr(owner, name)]
    if missing and len(missing) < len(names):
        raise ComputeTargetException(f"{', '.join(missing)}: are missing; {', '.join(names)} go together")


def _check_purpose(purpose: str | None) -> None:
    if purpose is not None and purpose not in PURPOSES:
        raise ComputeTargetException(f"cluster_purpose: {purpose!r} is not one of {', '.join(PURPOSES)}")


def _check_load_balancer(kind: str | None, subnet: str | None) -> None:
    if kind and kind not in (PUBLIC, INTERNAL):
        raise ComputeTargetException(f"load_balancer_type: {kind!r} is not {PUBLIC} or {INTERNAL}")
    if subnet and kind != INTERNAL:
        raise ComputeTargetException(
            f"load_balancer_subnet: {subnet!r} is not allowed without load_balancer_type={INTERNAL}"
        )


def _file(parameter: str, path: str | None) -> str:
    try:
        return Path(path or "").read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise ComputeTargetException(f"{parameter}: {path!r} is not a file that can be read: {error}") from error


def _given(**values: Any) -> Json:
    return {name: value for name, value in values.items() if value}
