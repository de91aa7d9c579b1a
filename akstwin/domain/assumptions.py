"""Everything the twin assumes about the retired service, in one table.

Each field of `Assumptions` is one row of the fidelity page: its default, one of four words for the evidence behind it,
where that evidence stands, and in which worlds the setting acts. Sources are named in `docs/explanation/fidelity.md`.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, NonNegativeInt, PositiveInt, model_validator

from akstwin.clock import HOUR, MILLISECOND, SECOND, Micros
from akstwin.domain.spec import Spec
from akstwin.domain.units import Duration, Size

Evidence = Literal["recorded", "documented", "measured", "assumed"]
Acts = Literal["decided", "simulated", "later"]
"""`simulated`: a scenario shows it. `decided`: a core decides by it, no scenario calls on it (a simulated client has the
right key and a small body). `later`: read and checked, used only by worlds that are still to come."""


def _row(default: Any, evidence: Evidence, source: str, meaning: str, acts: Acts = "simulated") -> Any:
    return Field(
        default=default, description=meaning, json_schema_extra={"evidence": evidence, "source": source, "acts": acts}
    )


class RouterPods(Spec):
    """How many router pods a cluster of each purpose runs."""

    FastProd: NonNegativeInt = 3
    DevTest: NonNegativeInt = 1


def _same_for_both(value: object) -> object:
    return {"FastProd": value, "DevTest": value} if isinstance(value, int) and not isinstance(value, bool) else value


class Assumptions(Spec):
    """One flat namespace, the same in a scenario file, in `akstwin serve` and in `Workspace.simulated`."""

    # Routing (semantics §6.1)
    max_queue_length: PositiveInt | None = _row(
        None, "assumed", "no public statement", "Requests that may wait per version; more are refused. None: no bound."
    )
    when_no_replica_ready: Literal["refuse", "queue"] = _row(
        "refuse", "assumed", "inferred from MLN#1004", "What meets a request while the router sees no ready replica."
    )
    slot_released_on_timeout: Literal["at_once", "when_done"] = _row(
        "at_once", "assumed", "no public statement", "When a replica's slot is free again after a scoring timeout."
    )
    refused_connection: Literal[502, "next_replica"] = _row(
        502,
        "assumed",
        "no public statement",
        "What meets a request whose replica refuses the connection, before a byte of it has left the router: 502; or another "
        "ready replica, once, while the first one gets none for 1 s, doubled with each refusal in a row up to 30 s.",
    )
    connect_timeout: Duration = _row(
        Micros(2 * SECOND),
        "assumed",
        "no public statement",
        "How long the router of a real cluster tries to connect to a replica; one that does not take the connection by then "
        "counts as having refused it (`refused_connection`).",
        "later",
    )
    run_failure_status: Literal[502, 500] = _row(502, "documented", "S4", "What the client sees when run() raises.")
    router_overhead: Duration = _row(
        Micros(3 * MILLISECOND),
        "documented",
        "S3: 3 ms mean, 15 ms p99 (the twin adds the mean to every forwarded request)",
        "Time that the router adds to the latency of a forwarded request, all of it after the reply; it occupies no slot.",
    )
    router_lag: Duration = _row(
        SECOND,
        "assumed",
        "no public statement",
        "How late the router learns of pods that join, turn ready or unready or die, and of changed settings.",
    )
    key_propagation: Duration = _row(
        Micros(2 * SECOND), "assumed", "no public statement", "How late the router learns of a new key.", "decided"
    )
    max_payload: Size = _row(
        100 * 10**6, "documented", "S1", "The largest body a request may have; larger ones are answered 413.", "decided"
    )
    idle_connection_limit: Duration = _row(
        Micros(240 * SECOND), "documented", "K7", "How long the load balancer keeps a silent connection.", "later"
    )
    # Autoscaler (semantics §6.2)
    autoscale_counts_queue: bool = _row(
        True, "documented", "S3 (the v1 text omits the queue)", "Whether waiting requests count as utilisation."
    )
    autoscale_down_window: Duration = _row(
        Micros(60 * SECOND),
        "documented",
        "S1, S3, S4: about one minute",
        "How long the need must have stayed lower before replicas are removed.",
    )
    # Readiness, containers, restarts (semantics §6.3)
    readiness: Literal["immediate", "probe"] = _row(
        "immediate", "assumed", "no public statement", "Ready when init() returns, or at the next readiness probe."
    )
    readiness_period: Duration = _row(
        Micros(10 * SECOND), "assumed", "no public statement", "Between readiness probes."
    )
    readiness_timeout: Duration = _row(
        Micros(2 * SECOND), "assumed", "no public statement", "How long a readiness probe waits for its answer."
    )
    readiness_failures: PositiveInt = _row(
        3, "assumed", "no public statement", "Readiness probes that must fail in a row to make a pod unready."
    )
    worker_timeout: Duration = _row(
        Micros(300 * SECOND),
        "measured",
        "S16 (azureml-inference-server-http 1.5.1)",
        "Run time after which the server aborts the worker: the request is answered 500 and the worker runs init() again.",
    )
    termination_grace: Duration = _row(
        Micros(30 * SECOND), "documented", "K1", "What a stopping container has to finish the work it holds."
    )
    restart_backoff: Duration = _row(
        Micros(10 * SECOND),
        "documented",
        "K1",
        "Wait before the second restart; the first is at once, later ones double.",
    )
    restart_backoff_cap: Duration = _row(Micros(300 * SECOND), "documented", "K1", "The longest wait before a restart.")
    restart_backoff_reset: Duration = _row(
        Micros(600 * SECOND), "documented", "K1", "Running time after which restarts count from nothing again."
    )
    # Rollout and operations (semantics §6.5, §6.6)
    max_surge: NonNegativeInt = _row(1, "documented", "CLI#18272", "Pods above the wanted number during an update.")
    max_unavailable: NonNegativeInt = _row(
        1, "documented", "CLI#18272", "Pods below the wanted number that may be missing during an update."
    )
    unschedulable_after: Duration = _row(
        Micros(300 * SECOND), "documented", "S4", "How long a pod may fit nowhere before the operation fails."
    )
    deployment_timeout: Duration = _row(
        Micros(1200 * SECOND), "documented", "MLN#1190", "After this an operation ends as TimedOut."
    )
    crash_restarts_failed: PositiveInt = _row(
        5, "assumed", "no public statement", "Restarts of one container that make an operation fail."
    )
    crash_time_failed: Duration = _row(
        Micros(600 * SECOND),
        "assumed",
        "no public statement",
        "Crash-looping time with no replica available that makes an operation fail.",
    )
    unhealthy_after: Duration = _row(
        Micros(30 * SECOND), "assumed", "no public statement", "Time without an available replica before Unhealthy."
    )
    # Images (semantics §2.4)
    image_build: Duration = _row(
        Micros(300 * SECOND), "assumed", "no public statement", "Building an image that is not in the registry yet."
    )
    image_pull: Duration = _row(
        Micros(60 * SECOND), "assumed", "no public statement", "Pulling an image to a node that does not have it."
    )
    image_pull_cached: Duration = _row(
        SECOND, "assumed", "no public statement", "Starting from an image that the node has."
    )
    # Cluster (semantics §6.7)
    sidecar_cpu: Annotated[float, Field(ge=0)] = _row(
        0.1, "assumed", "inferred from SDK#14168", "CPU cores added to every pod's request."
    )
    sidecar_memory_gb: Annotated[float, Field(ge=0)] = _row(
        0.6, "assumed", "inferred from SDK#14168", "Memory added to every pod's request, GB."
    )
    node_daemons_cpu: Annotated[float, Field(ge=0)] = _row(
        0.7,
        "assumed",
        "S13: a third party's measurement of 2017",
        "CPU cores per node taken by logging and system pods.",
    )
    node_daemons_memory_gb: Annotated[float, Field(ge=0)] = _row(
        1.0, "assumed", "no public statement", "Memory per node taken by logging and system pods, GB."
    )
    router_pods: Annotated[RouterPods, BeforeValidator(_same_for_both)] = _row(
        RouterPods(),
        "documented",
        "S3, S14 (v2); one pod for DevTest is assumed",
        "Router pods of the cluster, on nodes of their own as far as there are nodes; one number, or one per purpose.",
    )
    router_cpu: Annotated[float, Field(ge=0)] = _row(
        0.5, "documented", "S14 (v2); 1.3 measured by a third party in 2017 (S13)", "CPU cores a router pod requests."
    )
    router_memory_gb: Annotated[float, Field(ge=0)] = _row(
        0.5, "documented", "S14 (v2)", "Memory a router pod requests, GB."
    )
    max_pods_per_node: PositiveInt = _row(
        110, "assumed", "kubenet's default; 30 with Azure CNI", "Pods that one node takes."
    )
    node_failure_detected: Duration = _row(
        Micros(40 * SECOND),
        "documented",
        "Kubernetes' default (about 50 s measured on 1.34)",
        "How long a silent node still counts as well.",
    )
    node_eviction: Duration = _row(
        Micros(300 * SECOND),
        "documented",
        "Kubernetes' default toleration",
        "How long after that its pods are replaced elsewhere.",
    )
    # Management (semantics §1.3, §1.5, §2.2)
    versions_per_endpoint: PositiveInt = _row(6, "documented", "S2", "Versions that one AksEndpoint may have.")
    token_lifetime: Duration = _row(
        Micros(12 * HOUR), "assumed", "no public statement", "Life of an access token.", "decided"
    )
    token_refresh: Duration = _row(
        Micros(10 * HOUR),
        "assumed",
        "no public statement",
        "Age at which an access token should be fetched anew.",
        "decided",
    )
    cluster_minimum_nodes: PositiveInt = _row(3, "documented", "S8, S27", "Nodes that a FastProd cluster must have.")
    cluster_minimum_cores: PositiveInt = _row(
        12, "documented", "S8, S27", "CPU cores that a FastProd cluster must have."
    )
    cluster_create: Duration = _row(
        Micros(600 * SECOND), "documented", "S8: about 10 minutes", "Creating a cluster as a compute target.", "decided"
    )
    cluster_attach: Duration = _row(
        Micros(300 * SECOND), "documented", "S8: about 5 minutes", "Attaching a cluster as a compute target.", "decided"
    )
    # Cluster autoscaler (semantics §6.7): acts where `cluster.max_nodes` is given
    node_autoscaler_scan: Duration = _row(
        Micros(10 * SECOND), "documented", "K5", "How often the cluster autoscaler looks."
    )
    node_autoscaler_unneeded: Duration = _row(
        Micros(600 * SECOND), "documented", "K5", "How long a node must have been unneeded before it is removed."
    )
    node_autoscaler_after_add: Duration = _row(
        Micros(600 * SECOND), "documented", "K5", "How long after the last added node none is removed."
    )
    node_autoscaler_provision_cap: Duration = _row(
        Micros(900 * SECOND),
        "documented",
        "K5",
        "After this a node that did not come is given up, and asked for again later.",
    )
    node_provision: Duration = _row(
        Micros(180 * SECOND), "assumed", "no public statement", "From asking for a node to its being ready."
    )

    @model_validator(mode="after")
    def _rollout_can_move(self) -> Self:
        if self.max_surge == 0 and self.max_unavailable == 0:
            raise ValueError("max_surge or max_unavailable over 0: with neither no update could ever begin")
        return self


class AssumptionRow(Spec):
    """One row of the table, for pages and reports."""

    key: str
    default: str
    evidence: Evidence
    source: str
    meaning: str
    acts: Acts


def assumption_rows() -> list[AssumptionRow]:
    """The table, in the order of the code."""
    defaults = Assumptions().model_dump(mode="json")
    rows = []
    for key, field in Assumptions.model_fields.items():
        extra = field.json_schema_extra
        assert isinstance(extra, dict)  # noqa: S101 - every field is made by _row
        default = defaults[key]
        text = ", ".join(f"{k} {v}" for k, v in default.items()) if isinstance(default, dict) else str(default)
        rows.append(
            AssumptionRow.model_validate(
                {"key": key, "default": text, "meaning": field.description, **extra}, strict=False
            )
        )
    return rows
