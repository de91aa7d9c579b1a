"""Who is who in the cluster: certificates of one authority, and kubeconfigs that carry them."""

import base64
import json
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .layout import API_ADDRESS, API_PORT, SERVICE_ADDRESS


def write(folder: Path, nodes: tuple[str, ...]) -> None:
    """All files that the parts of the cluster know each other by, into the folder.

    `admin.kubeconfig` may do everything; each part and each node has one that may do what Kubernetes lets it.
    """
    folder.mkdir(parents=True)
    authority = trustme.CA(organization_name="akstwin", organization_unit_name="cluster of the tests")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.private_key_pem.write_to_path(folder / "ca.key")
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost"]
    server = authority.issue_cert(*names, "127.0.0.1", API_ADDRESS, SERVICE_ADDRESS, common_name="kube-apiserver")
    _pair(folder, "apiserver", server)
    _pair(folder, "apiserver-client", _client(authority, "kube-apiserver", "system:masters"))
    key = ec.generate_private_key(ec.SECP256R1())
    (folder / "service-accounts.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    (folder / "service-accounts.pem").write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    who = {
        "admin": ("admin", "system:masters"),
        "kube-controller-manager": ("system:kube-controller-manager", "akstwin"),
        "kube-scheduler": ("system:kube-scheduler", "akstwin"),
        "kube-proxy": ("system:kube-proxy", "akstwin"),
        **{node: (f"system:node:{node}", "system:nodes") for node in nodes},
    }
    for name, (user, group) in who.items():
        text = _kubeconfig(authority, _client(authority, user, group), name)
        (folder / f"{name}.kubeconfig").write_text(text, encoding="utf-8")
    for each in folder.iterdir():
        each.chmod(0o600)


def _client(authority: trustme.CA, user: str, group: str) -> trustme.LeafCert:
    # A name of a host, too: an empty list of names would be a critical extension that Go refuses.
    return authority.issue_cert("client.invalid", common_name=user, organization_name=group)


def _pair(folder: Path, name: str, issued: trustme.LeafCert) -> None:
    issued.private_key_pem.write_to_path(folder / f"{name}.key")
    issued.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")


def _kubeconfig(authority: trustme.CA, issued: trustme.LeafCert, user: str) -> str:
    """JSON, which is YAML."""

    def data(pem: trustme.Blob) -> str:
        return base64.b64encode(pem.bytes()).decode()

    cluster = {"server": f"https://{API_ADDRESS}:{API_PORT}", "certificate-authority-data": data(authority.cert_pem)}
    owner = {
        "client-certificate-data": data(issued.cert_chain_pems[0]),
        "client-key-data": data(issued.private_key_pem),
    }
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "akstwin", "cluster": cluster}],
            "users": [{"name": user, "user": owner}],
            "contexts": [{"name": "akstwin", "context": {"cluster": "akstwin", "user": user}}],
            "current-context": "akstwin",
        },
        indent=1,
    )
