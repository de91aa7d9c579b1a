"""The table of what is assumed, against semantics §6.9 written out by hand."""

import pytest
from pydantic import ValidationError

from akstwin.domain.assumptions import Assumptions, RouterPods, assumption_rows
from akstwin.domain.units import parse_duration

# Copied by hand from semantics.md §6.9, not from the code: key, default as the page writes it.
TABLE: dict[str, object] = {
    "max_queue_length": None,
    "when_no_replica_ready": "refuse",
    "slot_released_on_timeout": "at_once",
    "run_failure_status": 502,
    "refused_connection": 502,
    "connect_timeout": "2s",  # of a router in front of real pods
    "router_overhead": "3ms",
    "router_lag": "1s",
    "key_propagation": "2s",
    "max_payload": "100MB",
    "idle_connection_limit": "240s",
    "autoscale_counts_queue": True,
    "autoscale_down_window": "60s",
    "readiness": "immediate",
    "readiness_period": "10s",
    "readiness_timeout": "2s",
    "readiness_failures": 3,
    "worker_timeout": "300s",
    "termination_grace": "30s",
    "restart_backoff": "10s",
    "restart_backoff_cap": "300s",
    "restart_backoff_reset": "600s",
    "max_surge": 1,
    "max_unavailable": 1,
    "unschedulable_after": "300s",
    "deployment_timeout": "1200s",
    "crash_restarts_failed": 5,
    "crash_time_failed": "600s",
    "unhealthy_after": "30s",
    "image_build": "300s",
    "image_pull": "60s",
    "image_pull_cached": "1s",
    "sidecar_cpu": 0.1,
    "sidecar_memory_gb": 0.6,
    "node_daemons_cpu": 0.7,
    "node_daemons_memory_gb": 1.0,
    "router_pods": {"FastProd": 3, "DevTest": 1},
    "router_cpu": 0.5,
    "router_memory_gb": 0.5,
    "max_pods_per_node": 110,
    "node_failure_detected": "40s",
    "node_eviction": "300s",
    "versions_per_endpoint": 6,
    "token_lifetime": "12h",
    "token_refresh": "10h",
    "cluster_minimum_nodes": 3,
    "cluster_minimum_cores": 12,
    "cluster_create": "10m",  # beyond the page's rows: S8 says about 10 minutes, and about 5
    "cluster_attach": "5m",
    "node_autoscaler_scan": "10s",
    "node_autoscaler_unneeded": "600s",
    "node_autoscaler_after_add": "600s",
    "node_autoscaler_provision_cap": "900s",
    "node_provision": "180s",
}
# Rows whose basis in semantics §6.9 is a page of Azure's or Kubernetes' own ("documented"), by hand as well.
DOCUMENTED = {
    "run_failure_status", "router_overhead", "max_payload", "idle_connection_limit", "autoscale_counts_queue",
    "autoscale_down_window", "termination_grace", "restart_backoff", "restart_backoff_cap", "restart_backoff_reset",
    "max_surge", "max_unavailable", "unschedulable_after", "deployment_timeout", "router_pods", "router_cpu",
    "router_memory_gb", "node_failure_detected", "node_eviction", "versions_per_endpoint", "cluster_minimum_nodes",
    "cluster_minimum_cores", "cluster_create", "cluster_attach",
    "node_autoscaler_scan", "node_autoscaler_unneeded", "node_autoscaler_after_add",
    "node_autoscaler_provision_cap",
}  # fmt: skip


def test_the_keys_are_those_of_the_page() -> None:
    """None is missing, none is extra."""
    assert set(Assumptions.model_fields) == set(TABLE)


@pytest.mark.parametrize("key", TABLE)
def test_a_default_is_that_of_the_page(key: str) -> None:
    """Writing the page's default out changes nothing."""
    assert Assumptions.model_validate({key: TABLE[key]}) == Assumptions()


def test_defaults_that_are_spans_are_whole_microseconds() -> None:
    """The page's `3ms` is 3000 inside."""
    assert Assumptions().router_overhead == parse_duration("3ms") == 3000
    assert Assumptions().max_payload == 100_000_000


def test_every_row_says_how_it_is_known_and_from_where() -> None:
    """Evidence is one of four words; a source and a meaning are sentences, not blanks."""
    rows = assumption_rows()

    assert [row.key for row in rows] == list(Assumptions.model_fields)
    for row in rows:
        assert row.evidence in {"recorded", "documented", "measured", "assumed"}, row
        assert row.source.strip(), row
        assert row.meaning.endswith("."), row
        assert row.acts in {"decided", "simulated", "later"}, row


def test_evidence_is_that_of_the_page() -> None:
    """No choice of ours is sold as documented, and what is documented says so; the one measurement is S16's."""
    by_evidence: dict[str, set[str]] = {}
    for row in assumption_rows():
        by_evidence.setdefault(row.evidence, set()).add(row.key)

    assert by_evidence == {
        "documented": DOCUMENTED,
        "measured": {"worker_timeout"},
        "assumed": set(TABLE) - DOCUMENTED - {"worker_timeout"},
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"router_lagg": "1s"},
        {"max_queue_length": 0},
        {"when_no_replica_ready": "wait"},
        {"slot_released_on_timeout": "never"},
        {"run_failure_status": 503},
        {"refused_connection": 503},
        {"router_lag": "-1s"},
        {"readiness": "probes"},
        {"max_surge": -1},
        {"sidecar_cpu": -0.1},
        {"autoscale_counts_queue": "yes"},
        {"router_pods": {"Dense": 3}},
        {"crash_restarts_failed": 0},
    ],
)
def test_what_cannot_be_assumed_is_refused(wrong: dict[str, object]) -> None:
    """Unknown keys and values outside what a row means."""
    with pytest.raises(ValidationError):
        Assumptions.model_validate(wrong)


def test_router_pods_take_one_number_or_one_per_purpose() -> None:
    """One number stands for both."""
    assert Assumptions.model_validate({"router_pods": 2}).router_pods == RouterPods(FastProd=2, DevTest=2)
    assert Assumptions.model_validate({"router_pods": {"DevTest": 2}}).router_pods == RouterPods(FastProd=3, DevTest=2)
