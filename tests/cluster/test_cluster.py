"""The cluster is a real Kubernetes: pods run, reach each other and answer, and it survives what it shall be hurt with."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from cluster.harness import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

PORT = 8000
ECHO = f"""
import http.server, os, socketserver
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        text = os.environ["HOSTNAME"].encode()
        self.send_response(200); self.send_header("Content-Length", str(len(text))); self.end_headers(); self.wfile.write(text)
    def log_message(self, *words): print("asked for", self.path, flush=True)
class Server(http.server.ThreadingHTTPServer): request_queue_size = 128
Server(("", {PORT}), Answer).serve_forever()
"""


def within(seconds: float, holds: Callable[[], Any], what: str) -> Any:
    """The first value that is true; fails if there is none for that long."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.2)
    return found


def deployment(image: str, replicas: int, command: list[str], **container: Any) -> dict[str, Any]:
    """A deployment named echo, spread over the nodes; its pods leave a lost node after 5 s."""
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {"app": "echo"}},
    }
    leaving = [
        {"key": f"node.kubernetes.io/{trouble}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}
        for trouble in ("not-ready", "unreachable")
    ]
    pod = {
        "terminationGracePeriodSeconds": 1,
        "topologySpreadConstraints": [spread],
        "tolerations": leaving,
        "containers": [
            {
                "name": "echo",
                "image": image,
                "command": command,
                "readinessProbe": {"httpGet": {"path": "/ready", "port": PORT}, "periodSeconds": 1},
            }
            | container
        ],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "echo"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "echo"}},
            "template": {"metadata": {"labels": {"app": "echo"}}, "spec": pod},
        },
    }


LOCALHOST = [{"name": "Host", "value": "localhost"}]
"""The server answers to names that it was given; its pod's address is none of them."""

SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "echo"},
    "spec": {"selector": {"app": "echo"}, "ports": [{"port": 80, "targetPort": PORT}]},
}


def ask(address: str, port: int = PORT) -> str:
    """What answers there, from this process, which is inside the cluster's network."""
    with urllib.request.urlopen(f"http://{address}:{port}/", timeout=30) as answer:
        text: str = answer.read().decode()
        return text


def pods(cluster: Cluster, namespace: str) -> list[dict[str, Any]]:
    """The pods that nobody is ending."""
    listed: list[dict[str, Any]] = cluster.get("pods", f"--namespace={namespace}")["items"]
    return [pod for pod in listed if "deletionTimestamp" not in pod["metadata"]]


def ready(pod: dict[str, Any]) -> bool:
    """Whether Kubernetes calls it Ready."""
    conditions = pod["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


@pytest.fixture
def echo(cluster: Cluster, namespace: str) -> list[dict[str, Any]]:
    """Four pods that answer with their names, two on each node, and a service before them."""
    server = deployment(cluster.images["base"], 4, ["python", "-c", ECHO])
    cluster.apply(server, SERVICE, namespace=namespace)
    cluster.kubectl("rollout", "status", "deployment/echo", f"--namespace={namespace}", "--timeout=120s")
    found = pods(cluster, namespace)
    assert len(found) == 4
    assert all(ready(pod) for pod in found)
    return found


def test_nodes_are_ready(cluster: Cluster) -> None:
    """Two nodes of the version that is asked for, with containerd below."""
    nodes = cluster.get("nodes")["items"]
    assert [node["metadata"]["name"] for node in nodes] == list(cluster.nodes)
    for node in nodes:
        info = node["status"]["nodeInfo"]
        assert info["kubeletVersion"] == "v1.34.4"
        assert info["containerRuntimeVersion"].startswith("containerd://")
        assert any(each["type"] == "Ready" and each["status"] == "True" for each in node["status"]["conditions"])


def test_a_deployment_answers_by_pod_and_by_service(
    cluster: Cluster, namespace: str, echo: list[dict[str, Any]]
) -> None:
    """Each pod at its address with its own name; the service's address with each of them in turn."""
    names = {pod["metadata"]["name"] for pod in echo}
    assert {ask(pod["status"]["podIP"]) for pod in echo} == names
    assert {pod["spec"]["nodeName"] for pod in echo} == set(cluster.nodes)
    service = cluster.get("service/echo", f"--namespace={namespace}")["spec"]["clusterIP"]
    answered: set[str] = set()
    within(60, lambda: answered.add(ask(service, 80)) or answered == names, "the service reaches all pods")


def test_pods_reach_pods_of_both_nodes_and_the_service(
    cluster: Cluster, namespace: str, echo: list[dict[str, Any]]
) -> None:
    """From inside a pod: its own node's pods, the other node's, and the service, itself behind it included."""
    asker, *others = echo
    service = cluster.get("service/echo", f"--namespace={namespace}")["spec"]["clusterIP"]
    targets = [f"{pod['status']['podIP']}:{PORT}" for pod in others] + [f"{service}:80"] * 12
    program = (
        "import sys, urllib.request\n"
        "for target in sys.argv[1:]: print(urllib.request.urlopen(f'http://{target}/', timeout=30).read().decode())"
    )
    executed = cluster.kubectl(
        "exec", f"--namespace={namespace}", asker["metadata"]["name"], "--", "python", "-c", program, *targets
    )
    answers = executed.split()
    assert answers[:3] == [pod["metadata"]["name"] for pod in others]
    assert set(answers[3:]) <= {pod["metadata"]["name"] for pod in echo}
    assert len(answers) == 15


def test_a_pod_calls_the_api_with_its_service_account(
    cluster: Cluster, namespace: str, echo: list[dict[str, Any]]
) -> None:
    """It is known as its account, and refused what that may not do: the rights are checked."""
    program = """
import os, ssl, urllib.error, urllib.request
where = "/var/run/secrets/kubernetes.io/serviceaccount/"
token = open(where + "token").read()
url = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}/api/v1/nodes"
request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
try: urllib.request.urlopen(request, context=ssl.create_default_context(cafile=where + "ca.crt"), timeout=30)
except urllib.error.HTTPError as refused: print(refused.code, refused.read().decode())
"""
    name = echo[0]["metadata"]["name"]
    said = cluster.kubectl("exec", f"--namespace={namespace}", name, "--", "python", "-c", program)
    assert said.startswith("403 ")
    assert f'User \\"system:serviceaccount:{namespace}:default\\" cannot list resource \\"nodes\\"' in said


def test_exec_and_logs(cluster: Cluster, namespace: str, echo: list[dict[str, Any]]) -> None:
    """Commands run in a pod with their exit code; what it prints is its log."""
    name = echo[0]["metadata"]["name"]
    where = f"--namespace={namespace}"
    assert cluster.kubectl("exec", where, name, "--", "hostname").strip() == name
    failed = cluster.run_inside(["kubectl", "exec", where, name, "--", "sh", "-c", "exit 7"], check=False)
    assert failed.returncode == 7
    ask(echo[0]["status"]["podIP"])
    assert "asked for /" in cluster.kubectl("logs", where, name).splitlines()


def test_a_memory_limit_is_kept(cluster: Cluster, namespace: str) -> None:
    """A container that takes more than it may is killed, and Kubernetes says why."""
    greedy = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "greedy"},
        "spec": {
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": "greedy",
                    "image": cluster.images["base"],
                    "command": ["python", "-c", "x = bytearray(300_000_000); print(len(x))"],
                    "resources": {"limits": {"memory": "64Mi"}},
                }
            ],
        },
    }
    cluster.apply(greedy, namespace=namespace)

    def ended() -> dict[str, Any] | None:
        (status,) = cluster.get("pod/greedy", f"--namespace={namespace}")["status"].get("containerStatuses", [{}])
        found: dict[str, Any] | None = status.get("state", {}).get("terminated")
        return found

    state = within(300, ended, "the container ends")
    assert (state["reason"], state["exitCode"]) == ("OOMKilled", 137)


def test_the_product_s_image_serves(cluster: Cluster, namespace: str) -> None:
    """The image of the product's Containerfile starts as its own user, and its health is good."""
    server = deployment(
        cluster.images["product"],
        1,
        ["akstwin", "serve", "--host", "0.0.0.0", "--allow-remote", "--port", str(PORT), "--state", "/data/akstwin.db"],  # noqa: S104
        readinessProbe={
            "httpGet": {"path": "/_akstwin/health", "port": PORT, "httpHeaders": LOCALHOST},
            "periodSeconds": 1,
        },
        securityContext={"runAsNonRoot": True, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        volumeMounts=[{"name": "data", "mountPath": "/data"}],
    )
    pod_spec = server["spec"]["template"]["spec"]
    pod_spec["volumes"] = [{"name": "data", "emptyDir": {}}]
    pod_spec["securityContext"] = {"fsGroup": 10001}
    cluster.apply(server, namespace=namespace)
    cluster.kubectl("rollout", "status", "deployment/echo", f"--namespace={namespace}", "--timeout=120s")
    (pod,) = pods(cluster, namespace)
    program = "import os; print(os.getuid())"
    said = cluster.kubectl("exec", f"--namespace={namespace}", pod["metadata"]["name"], "--", "python", "-c", program)
    assert said.strip() == "10001"


def test_the_real_inference_server_scores(cluster: Cluster, namespace: str) -> None:
    """azureml-inference-server-http runs an entry script, and answers with what it returns."""
    script = "import json\ndef init(): pass\ndef run(data): return {'doubled': 2 * json.loads(data)['data']}\n"
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "script"}, "data": {"score.py": script}}
    server = deployment(
        cluster.images["scoring"],
        1,
        ["azmlinfsrv", "--entry_script", "/script/score.py", "--port", str(PORT)],
        volumeMounts=[{"name": "script", "mountPath": "/script"}],
        readinessProbe={"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 1},
    )
    server["spec"]["template"]["spec"]["volumes"] = [{"name": "script", "configMap": {"name": "script"}}]
    cluster.apply(settings, server, namespace=namespace)
    cluster.kubectl("rollout", "status", "deployment/echo", f"--namespace={namespace}", "--timeout=120s")
    (pod,) = pods(cluster, namespace)
    request = urllib.request.Request(
        f"http://{pod['status']['podIP']}:{PORT}/score",
        data=b'{"data": 21}',
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        assert json.loads(answer.read()) == {"doubled": 42}


@pytest.mark.faults
def test_pods_serve_on_while_the_api_server_is_away(
    cluster: Cluster, namespace: str, echo: list[dict[str, Any]]
) -> None:
    """It is killed and refuses connections; pods and service answer all the same; it comes back and knows everything."""
    names = {pod["metadata"]["name"] for pod in echo}
    service = cluster.get("service/echo", f"--namespace={namespace}")["spec"]["clusterIP"]
    with cluster.api_server_away():
        refused = cluster.run_inside(["kubectl", "get", "nodes", "--request-timeout=5s"], check=False)
        assert refused.returncode != 0
        assert "refused" in refused.stderr
        assert {ask(pod["status"]["podIP"]) for pod in echo} == names
        assert {ask(service, 80) for _ in range(20)} <= names
    assert {pod["metadata"]["name"] for pod in pods(cluster, namespace)} == names
    cluster.kubectl("scale", "deployment/echo", "--replicas=5", f"--namespace={namespace}")
    cluster.kubectl("rollout", "status", "deployment/echo", f"--namespace={namespace}", "--timeout=120s")


@pytest.mark.faults
def test_etcd_restarts(cluster: Cluster, namespace: str, echo: list[dict[str, Any]]) -> None:
    """What was written before is there after."""
    cluster.restart_etcd()
    names = {pod["metadata"]["name"] for pod in echo}
    assert {pod["metadata"]["name"] for pod in pods(cluster, namespace)} == names


@pytest.mark.faults
@pytest.mark.parametrize("power", [False, True], ids=["cut off", "switched off"])
def test_a_node_is_lost_and_comes_back(
    cluster: Cluster, namespace: str, echo: list[dict[str, Any]], power: bool
) -> None:
    """Its pods can't be reached and are replaced on the other node; back again, it is Ready, and the old ones are gone."""
    lost, kept = cluster.nodes
    gone = [pod for pod in echo if pod["spec"]["nodeName"] == lost]
    stay = [pod for pod in echo if pod["spec"]["nodeName"] == kept]
    assert gone
    assert stay
    cluster.lose_node(lost, power=power)
    try:
        for pod in stay:
            ask(pod["status"]["podIP"])
        with pytest.raises(OSError, match=r"timed out|No route|unreachable|refused"):
            urllib.request.urlopen(f"http://{gone[0]['status']['podIP']}:{PORT}/", timeout=3)

        def replaced() -> bool:
            found = pods(cluster, namespace)
            return len(found) == 4 and all(ready(pod) and pod["spec"]["nodeName"] == kept for pod in found)

        within(600, replaced, "four pods are ready on the other node")
    finally:
        cluster.restore_node(lost)
    left = {pod["metadata"]["name"] for pod in gone}

    def all_gone() -> bool:
        listed = cluster.get("pods", f"--namespace={namespace}")["items"]
        return not left & {pod["metadata"]["name"] for pod in listed}

    within(300, all_gone, "the lost pods are gone")
    server = deployment(cluster.images["base"], 1, ["python", "-c", ECHO])
    server["metadata"]["name"] = "after"
    server["spec"]["template"]["spec"]["nodeName"] = lost
    server["spec"]["selector"]["matchLabels"] = server["spec"]["template"]["metadata"]["labels"] = {"app": "after"}
    cluster.apply(server, namespace=namespace)
    cluster.kubectl("rollout", "status", "deployment/after", f"--namespace={namespace}", "--timeout=300s")


def test_two_tests_have_two_namespaces(cluster: Cluster, namespace: str) -> None:
    """A test's namespace is named after it."""
    assert namespace.startswith("test-two-tests-have-two-namespaces-")
    assert cluster.get(f"namespace/{namespace}")["status"]["phase"] == "Active"
