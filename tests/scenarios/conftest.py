"""A result as a run of a rush hour gives it: two versions, a lost node, five replications."""

import math
from typing import Any

import pytest

MINUTES = 70
POINTS = 200


def _point(number: int) -> dict[str, Any]:
    """One stretch of the timeline: ten times the traffic from minute 20 to 50, a node lost at 30."""
    at = number * MINUTES * 60 / POINTS
    minute = at / 60
    rush = 20 <= minute < 50
    ripple = math.sin(number * 1.7)
    rate = (400 if rush else 40) + ripple * (9 if rush else 3)
    short = (20 <= minute < 22) or (30 <= minute < 36)
    wanted = 33 if rush else 5
    ready = wanted if not short else 22 + (number % 9)
    answers = round(rate * 21)
    refused = round(answers * 0.03 * (1 + abs(ripple))) if short else 0
    lost = 2 if 30 <= minute < 30.5 else 0
    return {
        "at": at,
        "rate": round(rate, 3),
        "replicas": ready,
        "desired": wanted,
        "queued": round(35 + 20 * abs(ripple), 1) if short else round(abs(ripple), 2),
        "status": {"200": answers - refused - lost, "502": lost, "503": refused},
        "p99": (640.0 if short else 205.0 if rush else 120.0) + 14 * ripple,
    }


def _latency(scale: float) -> dict[str, float]:
    return {
        "mean": 81.2 * scale,
        "p50": 70.1 * scale,
        "p90": 130.0 * scale,
        "p95": 160.0 * scale,
        "p99": 296.0 * scale,
        "p999": 610.0 * scale,
        "max": 1900.0 * scale,
    }


def _version(requests: float, scale: float, replicas: float) -> dict[str, Any]:
    return {
        "requests": requests,
        "retries": 0,
        "status": {"200": requests - 3, "503": 3},
        "reasons": {"queue_deadline": 3},
        "latency_ms": _latency(scale),
        "queue_wait_ms": _latency(scale / 5),
        "replicas": {"mean": replicas, "min": 1, "max": 30, "replica_seconds": replicas * 3600},
        "utilisation": 0.6631,
    }


@pytest.fixture
def sample_result() -> dict[str, Any]:
    """A result with everything in it; tests change what they are about."""
    return {
        "scenario": "rush_hour",
        "question": "How many replicas keep p99 under 300 ms when traffic is ten times normal for half an hour?",
        "seed": 7,
        "replications": 5,
        "engine": "reference",
        "replay": "akstwin run rush_hour.yaml --seed 7 --replications 5",
        "version": "0.1.0",
        "duration_seconds": 4200.0,
        "warm_up_seconds": 600.0,
        "simulated_seconds": 21000.0,
        "wall_seconds": 4.321,
        "requests": 792_112.4,
        "retries": 0,
        "status": {"200": 788_706.8, "502": 41.2, "503": 3364.4, "504": 0},
        "reasons": {"no_ready_replica": 8.4, "queue_deadline": 3356, "replica_lost": 41.2},
        "latency_ms": _latency(1),
        "queue_wait_ms": {"mean": 1.2, "p50": 0.0, "p90": 0.0, "p95": 4.0, "p99": 60.0, "p999": 400.0, "max": 499.9},
        "replicas": {"mean": 17.1, "min": 4, "max": 33, "replica_seconds": 61_560.0, "desired_max": 33},
        "nodes": {"mean": 16.97, "max": 17, "node_hours": 16.967, "oversubscribed": 0},
        "cost": {"total": 3.9024, "per_1000_requests": 0.004927},
        "versions": {"blue": _version(712_901, 1.0, 14.4), "green": _version(79_211, 1.1, 2.7)},
        "service": {"name": "fraud", "state": "Healthy", "shares": {"blue": 90.0, "green": 10.0}},
        "operations": [
            {"kind": "Update", "started": 3300.0, "ended": 3412.5, "state": "Succeeded", "error": None},
            {"kind": "Update", "started": 4100.0, "ended": None, "state": "Running", "error": None},
        ],
        "objectives": [
            {"name": "p99", "target": 300.0, "value": 296.0, "met": True},
            {"name": "success_rate", "target": 0.999, "value": 0.9957, "met": False},
        ],
        "intervals": {
            **{f"latency_ms.{name}": [value * 0.97, value * 1.03] for name, value in _latency(1).items()},
            "queue_wait_ms.mean": [1.1, 1.3],
            "queue_wait_ms.p99": [51.0, 69.0],
            "status.200": [0.9951, 0.9963],
            "status.502": [0.00004, 0.00006],
            "status.503": [0.0037, 0.0048],
            "replicas.mean": [16.9, 17.3],
            "nodes.node_hours": [16.96, 16.97],
            "cost.total": [3.9011, 3.9037],
            "objectives.success_rate": [0.9951, 0.9963],
        },
        "notes": ["model.cpu is not given for green: service times count as measured under the limits in force."],
        "assumptions": {"router_lag": "2s"},
        "events": [
            {"at": 1800.0, "kind": "fault_node_loss", "subject": "node 1", "detail": ""},
            {"at": 1800.0, "kind": "node_lost", "subject": "node 1", "detail": ""},
            {"at": 1840.0, "kind": "node_not_ready", "subject": "node 1", "detail": ""},
            {"at": 2400.0, "kind": "node_back", "subject": "node 1", "detail": ""},
            {"at": 3300.0, "kind": "operation_started", "subject": "fraud", "detail": "Update"},
            {"at": 3300.0, "kind": "version_updated", "subject": "green", "detail": "rolls"},
            {"at": 3300.0, "kind": "service_state", "subject": "fraud", "detail": "Transitioning"},
            {"at": 3412.5, "kind": "service_state", "subject": "fraud", "detail": "Healthy"},
        ],
        "event_counts": {"fault_node_loss": 1, "node_lost": 1, "scaled": 132},
        "timeline": [_point(number) for number in range(POINTS)],
    }
