"""The command lines and settings of each program of the cluster."""

import json
from pathlib import Path

from .layout import API_ADDRESS, API_PORT, POD_RANGE, SERVICE_RANGE, Node, Run

# What the kubelet sets for the whole machine. In a node these files are ones of its own, so that the machine's stay.
KERNEL_SETTINGS = {
    "vm/overcommit_memory": "1",
    "vm/panic_on_oom": "0",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}

PAUSE_IMAGE = "localhost/akstwin/pause:1"


def control_plane(run: Run, programs: Path) -> dict[str, list[str]]:
    """The programs of the control plane, in the order in which they start; their settings are written first."""
    pki = run.pki
    (run.folder / "kube-proxy.json").write_text(_proxy(run, run.nodes[0]), encoding="utf-8")
    etcd = "http://127.0.0.1:2379"
    return {
        "etcd": [
            "etcd",
            f"--data-dir={run.folder / 'etcd'}",
            f"--listen-client-urls={etcd}",
            f"--advertise-client-urls={etcd}",
            "--listen-peer-urls=http://127.0.0.1:2380",
            "--unsafe-no-fsync",  # a cluster for tests outlives no crash of the machine
            "--logger=zap",
        ],
        "kube-apiserver": [
            f"{programs}/kube-apiserver",
            f"--etcd-servers={etcd}",
            f"--advertise-address={API_ADDRESS}",
            f"--secure-port={API_PORT}",
            "--endpoint-reconciler-type=lease",
            "--allow-privileged",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            "--anonymous-auth=false",
            f"--service-cluster-ip-range={SERVICE_RANGE}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={pki}/service-accounts.pem",
            f"--service-account-signing-key-file={pki}/service-accounts.key",
            f"--client-ca-file={pki}/ca.pem",
            f"--tls-cert-file={pki}/apiserver.pem",
            f"--tls-private-key-file={pki}/apiserver.key",
            f"--kubelet-client-certificate={pki}/apiserver-client.pem",
            f"--kubelet-client-key={pki}/apiserver-client.key",
            "--kubelet-preferred-address-types=InternalIP",  # else exec and logs look nodes' names up in DNS
            f"--cert-dir={run.folder / 'apiserver'}",
        ],
        "kube-controller-manager": [
            f"{programs}/kube-controller-manager",
            f"--kubeconfig={pki}/kube-controller-manager.kubeconfig",
            "--use-service-account-credentials",
            f"--service-account-private-key-file={pki}/service-accounts.key",
            f"--root-ca-file={pki}/ca.pem",
            f"--cluster-signing-cert-file={pki}/ca.pem",
            f"--cluster-signing-key-file={pki}/ca.key",
            f"--cluster-cidr={POD_RANGE}",
            "--allocate-node-cidrs=false",  # each node's addresses are in its CNI settings
            "--leader-elect=false",
            f"--cert-dir={run.folder / 'controller-manager'}",
        ],
        "kube-scheduler": [
            f"{programs}/kube-scheduler",
            f"--kubeconfig={pki}/kube-scheduler.kubeconfig",
            "--leader-elect=false",
            f"--cert-dir={run.folder / 'scheduler'}",
        ],
        # So that tests reach services by their addresses. It takes itself for the first node's: it wants to be one's.
        "kube-proxy": [f"{programs}/kube-proxy", f"--config={run.folder / 'kube-proxy.json'}"],
    }


def of_node(run: Run, node: Node, programs: Path) -> dict[str, list[str]]:
    """The programs of a node, in the order in which they start; their settings are written first."""
    disk = run.of(node)
    for name, text in _settings(run, node).items():
        (disk / name).parent.mkdir(parents=True, exist_ok=True)
        (disk / name).write_text(text, encoding="utf-8")
    return {
        "containerd": ["containerd", f"--config={disk}/containerd.toml"],
        "kubelet": [
            f"{programs}/kubelet",
            f"--config={disk}/kubelet.json",
            f"--kubeconfig={run.pki}/{node.name}.kubeconfig",
            f"--hostname-override={node.name}",
            f"--node-ip={node.address}",
        ],
        "kube-proxy": [
            f"{programs}/kube-proxy",
            f"--config={disk}/kube-proxy.json",
        ],
    }


def _settings(run: Run, node: Node) -> dict[str, str]:
    kubelet = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": f"{run.pki}/ca.pem"}},
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": run.cgroup(node),
        "failCgroupV1": False,
        "failSwapOn": False,
        "localStorageCapacityIsolation": False,
        "oomScoreAdj": 0,  # to lower it needs CAP_SYS_RESOURCE, which a container of CI lacks
        "resolvConf": "",
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "maxPods": 200,
        "registerNode": True,
    }
    cni = {
        "cniVersion": "0.4.0",
        "name": "akstwin",
        "plugins": [
            {
                # A pod is one end of a cable, not of a bridge: whatever it sends passes the node's address translation.
                "type": "ptp",
                "ipMasq": False,
                "ipam": {
                    "type": "host-local",
                    "ranges": [[{"subnet": node.pods}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                    "dataDir": f"{run.of(node)}/cni-addresses",
                },
            },
            {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True},
        ],
    }
    return {
        "kubelet.json": json.dumps(kubelet, indent=1),
        "kube-proxy.json": _proxy(run, node),
        "cni/10-akstwin.conflist": json.dumps(cni, indent=1),
        "containerd.toml": containerd_settings(run.of(node) / "containerd", run.of(node) / "cni"),
    }


def _proxy(run: Run, node: Node) -> str:
    settings = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": f"{run.pki}/kube-proxy.kubeconfig"},
        "hostnameOverride": node.name,
        "clusterCIDR": POD_RANGE,
        "detectLocalMode": "ClusterCIDR",
        # Nought: leave the machine's settings.
        "conntrack": {"maxPerCore": 0, "min": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s"},
    }
    return json.dumps(settings, indent=1)


def containerd_settings(root: Path, cni: Path) -> str:
    """Of a containerd that keeps everything below `root`; its socket is where it always is."""
    return f"""version = 2
root = "{root}"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs", "io.containerd.internal.v1.opt"]
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{cni}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
"""
