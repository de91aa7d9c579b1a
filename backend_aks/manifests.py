"""What is asked of the cluster for a service, as data: Deployments whose pods pass Pod Security's `restricted` level.

A pod fetches what it runs in an init container, over HTTP from the manager, and checks its digest. Its own container is the
inference server of the image. No manifest holds a key, a token or `spec.replicas`: replicas belong to the autoscaler.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from akstwin.clock import SECOND
from akstwin.domain.assumptions import Assumptions
from akstwin.domain.deployment import ProbeSettings
from akstwin.domain.resources import Resources
from akstwin.domain.service import VersionSpec

Json = dict[str, Any]

LABELS: Final = "akstwin.io"
MANAGED: Final = {"app.kubernetes.io/managed-by": "akstwin", "app.kubernetes.io/component": "replica"}
SELECTOR: Final = ",".join(f"{name}={value}" for name, value in MANAGED.items())
"""Label selector of everything that services are made of."""
SERVICE, VERSION, NUMBER, REVISION, LIFE = (
    f"{LABELS}/{each}" for each in ("service", "version", "number", "revision", "life")
)
PORT: Final = 5001
"""At which the inference server listens."""
APP_ROOT: Final = "/var/azureml-app"
"""Where a container has its files (semantics §3)."""
CONTAINER: Final = "scoring"
INIT_CONTAINER: Final = "fetch"
_START_SECONDS: Final = 3600
"""For `init()`: whether it takes too long, the service's own limits decide."""
_PROGRESS_SECONDS: Final = 86_400
"""Kubernetes' own deadline of a rollout, which decides nothing here."""
_COMMAND: Final = (
    'exec azmlinfsrv --entry_script "$AZUREML_ENTRY_SCRIPT" --model_dir "$AZUREML_MODEL_DIR" '
    f'--port {PORT} --worker_count "${{WORKER_COUNT:-1}}"'
)

# Runs in the user's image, whatever Python that has; the archive is ours, and its digest is checked before it is opened.
_FETCH: Final = """\
import hashlib, io, os, sys, tarfile, time, urllib.request
url, digest, folder = os.environ["BUNDLE_URL"], os.environ["BUNDLE_DIGEST"], os.environ["AML_APP_ROOT"]
for left in range(59, -1, -1):
    try:
        data = urllib.request.urlopen(url, timeout=30).read()
        break
    except Exception as error:
        print("cannot fetch", url, "yet:", error, flush=True)
        if not left:
            sys.exit(1)
        time.sleep(1)
found = hashlib.sha256(data).hexdigest()
if found != digest:
    sys.exit("what %s holds has the digest %s, not %s" % (url, found, digest))
with tarfile.open(fileobj=io.BytesIO(data)) as archive:
    archive.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
print("fetched", len(data), "bytes", flush=True)
"""


@dataclass(frozen=True, slots=True)
class Running:
    """What the containers of a version run.

    Attributes:
        image: of the inference server, with the user's packages.
        digest: SHA-256 of the bundle, in hexadecimal digits.
        url: of the bundle, as pods reach it.
        environment: variables of the container.
    """

    image: str
    digest: str
    url: str
    environment: tuple[tuple[str, str], ...] = ()


def deployment_name(service: str, version: str, number: int, life: int) -> str:
    """The name of a version's Deployment: no other version has it, nor an earlier service of the same name."""
    return f"{service}.{version}.{life}-{number}"


def labels_of(service: str, version: str, number: int, life: int) -> dict[str, str]:
    """Labels of a version's pods, whatever their revision."""
    return {**MANAGED, SERVICE: service, VERSION: version, NUMBER: str(number), LIFE: str(life)}


def deployment(
    namespace: str,
    service: str,
    number: int,
    life: int,
    template: VersionSpec,
    revision: int,
    running: Running,
    assumptions: Assumptions,
) -> Json:
    """The Deployment of one version.

    Args:
        namespace: where its pods live.
        service: its name.
        number: of the version in its service.
        life: of the service among those that have had its name.
        template: what its pods are made from.
        revision: of that template; pods carry it as a label.
        running: what its containers run.
        assumptions: how pods are replaced and ended.
    """
    labels = labels_of(service, template.name, number, life)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": deployment_name(service, template.name, number, life),
            "namespace": namespace,
            "labels": labels,
            "annotations": {REVISION: str(revision)},
        },
        "spec": {
            "selector": {"matchLabels": labels},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": assumptions.max_surge, "maxUnavailable": assumptions.max_unavailable},
            },
            "revisionHistoryLimit": 1,
            "progressDeadlineSeconds": _PROGRESS_SECONDS,
            "template": {
                "metadata": {"labels": {**labels, REVISION: str(revision)}},
                "spec": pod(template, running, assumptions, labels),
            },
        },
    }


def event(namespace: str, service: str, version: str, reason: str, message: str, instant: int) -> tuple[str, Json]:
    """An event of a version, and the list that it belongs to; `kubectl get events` shows it.

    Args:
        namespace: of the service.
        service: its name.
        version: of the service.
        reason: one word.
        message: what has happened.
        instant: Unix time, ns.
    """
    at = datetime.fromtimestamp(instant / 1e9, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return f"/api/v1/namespaces/{namespace}/events", {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{service}.{version}.{instant:x}", "namespace": namespace, "labels": {SERVICE: service}},
        "involvedObject": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "name": f"{service}.{version}",
            "namespace": namespace,
        },
        "type": "Warning",
        "reason": reason,
        "message": message,
        "source": {"component": "akstwin"},
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
    }


def pod(template: VersionSpec, running: Running, assumptions: Assumptions, labels: dict[str, str]) -> Json:
    """The pods of a version."""
    settings = template.settings
    variables = [{"name": name, "value": value} for name, value in running.environment]
    fetch = [{"name": "BUNDLE_URL", "value": running.url}, {"name": "BUNDLE_DIGEST", "value": running.digest}]
    files = [{"name": "app", "mountPath": APP_ROOT}]
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": _seconds(assumptions.termination_grace),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "tolerations": [
            {
                "key": f"node.kubernetes.io/{trouble}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": _seconds(assumptions.node_eviction),
            }
            for trouble in ("not-ready", "unreachable")
        ],
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": labels},
            }
        ],
        "volumes": [{"name": "app", "emptyDir": {}}],
        "initContainers": [
            {
                "name": INIT_CONTAINER,
                "image": running.image,
                "command": ["python3", "-c", _FETCH],
                "env": [{"name": "AML_APP_ROOT", "value": APP_ROOT}, *fetch],
                "volumeMounts": files,
                "securityContext": _confined(),
            }
        ],
        "containers": [
            {
                "name": CONTAINER,
                "image": running.image,
                "command": ["sh", "-c", _COMMAND],
                "workingDir": APP_ROOT,
                # Unbuffered: else what a server prints first comes last in the log of one that has crashed.
                "env": [
                    {"name": "PYTHONUNBUFFERED", "value": "1"},
                    {"name": "AML_APP_ROOT", "value": APP_ROOT},
                    *variables,
                ],
                "ports": [{"name": "http", "containerPort": PORT}],
                "resources": resources(settings.request, settings.cpu_limit, settings.memory_limit),
                # No readiness probe: a single worker that is busy would turn its pod unready (one startup probe is enough).
                "startupProbe": {
                    "httpGet": {"path": "/", "port": "http"},
                    "periodSeconds": 1,
                    "timeoutSeconds": 2,
                    "failureThreshold": _START_SECONDS,
                },
                "livenessProbe": liveness(settings.liveness),
                "volumeMounts": files,
                "securityContext": _confined(),
            }
        ],
    }


def resources(request: Resources, cpu_limit: int | None, memory_limit: int | None) -> Json:
    """Requests and limits of a container."""
    requests: Json = {"cpu": f"{request.cpu}m", "memory": f"{request.memory}M"}
    limits: Json = {}
    if cpu_limit is not None:
        limits["cpu"] = f"{cpu_limit}m"
    if memory_limit is not None:
        limits["memory"] = f"{memory_limit}M"
    if request.gpu:
        limits["nvidia.com/gpu"] = str(request.gpu)
    return {"requests": requests, "limits": limits} if limits else {"requests": requests}


def liveness(settings: ProbeSettings) -> Json:
    """The probe that can kill a container. Kubernetes takes no success threshold but 1 here, and whole seconds."""
    return {
        "httpGet": {"path": "/", "port": "http"},
        "initialDelaySeconds": _seconds(settings.initial_delay),
        "periodSeconds": max(1, _seconds(settings.period)),
        "timeoutSeconds": max(1, _seconds(settings.timeout)),
        "successThreshold": 1,
        "failureThreshold": max(1, settings.failure_threshold),
    }


def _confined() -> Json:
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def _seconds(span: int) -> int:
    """Whole seconds, rounded up: a limit of Kubernetes' own must not come before ours."""
    return -(-span // SECOND)
