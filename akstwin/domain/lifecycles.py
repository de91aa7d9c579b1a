"""The four life cycles: service, operation, pod, and the router's view of a replica.

Names of service and operation states are Azure's own (semantics §2.3, §2.4); pod states follow semantics §6.3.
"""

from enum import StrEnum
from typing import Final

from akstwin.domain.tables import TransitionTable


class ServiceState(StrEnum):
    """What the SDK prints as `service.state`."""

    TRANSITIONING = "Transitioning"
    HEALTHY = "Healthy"
    UNHEALTHY = "Unhealthy"
    UNSCHEDULABLE = "Unschedulable"
    FAILED = "Failed"
    DELETING = "Deleting"
    GONE = "Gone"


class ServiceEvent(StrEnum):
    """What can happen to a service."""

    OPERATION_STARTED = "operation started"
    SUCCEEDED = "operation succeeded"
    UNSCHEDULABLE = "operation failed for lack of room"
    CRASHED = "operation failed in a crash loop"
    BLOCKED = "operation failed for pods that cannot come up"
    TIMED_OUT = "operation timed out"
    UNAVAILABLE = "no replica available for too long"
    AVAILABLE = "a replica is available again"
    RELIEVED = "what had failed was removed"
    DELETE_STARTED = "delete started"
    DELETED = "deleted"


_S, _SE = ServiceState, ServiceEvent
_settled = {_SE.OPERATION_STARTED: _S.TRANSITIONING, _SE.DELETE_STARTED: _S.DELETING}
SERVICE: Final = TransitionTable(
    "service",
    _S.TRANSITIONING,
    {
        _S.TRANSITIONING: {
            _SE.SUCCEEDED: _S.HEALTHY,
            _SE.UNSCHEDULABLE: _S.UNSCHEDULABLE,
            _SE.CRASHED: _S.FAILED,
            _SE.BLOCKED: _S.FAILED,
            _SE.TIMED_OUT: _S.UNHEALTHY,
        },
        _S.HEALTHY: {_SE.UNAVAILABLE: _S.UNHEALTHY, **_settled},
        _S.UNHEALTHY: {_SE.AVAILABLE: _S.HEALTHY, **_settled},
        _S.UNSCHEDULABLE: {_SE.RELIEVED: _S.HEALTHY, **_settled},
        _S.FAILED: {_SE.RELIEVED: _S.HEALTHY, **_settled},
        _S.DELETING: {_SE.DELETED: _S.GONE},
        _S.GONE: {},
    },
)


class OperationState(StrEnum):
    """What a poll of an operation shows. All but the first are final."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"
    TIMED_OUT = "TimedOut"


class OperationEvent(StrEnum):
    """What can happen to an operation."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed out"


_O, _OE = OperationState, OperationEvent
OPERATION: Final = TransitionTable(
    "operation",
    _O.RUNNING,
    {
        _O.RUNNING: {
            _OE.COMPLETED: _O.SUCCEEDED,
            _OE.FAILED: _O.FAILED,
            _OE.CANCELLED: _O.CANCELLED,
            _OE.TIMED_OUT: _O.TIMED_OUT,
        },
        _O.SUCCEEDED: {},
        _O.FAILED: {},
        _O.CANCELLED: {},
        _O.TIMED_OUT: {},
    },
)


class PodState(StrEnum):
    """Where a pod stands on its way from wanted to gone."""

    PENDING = "Pending"
    PULLING = "Pulling"
    STARTING = "Starting"
    READY = "Ready"
    NOT_READY = "NotReady"
    BACKING_OFF = "BackingOff"
    TERMINATING = "Terminating"
    GONE = "Gone"


class PodEvent(StrEnum):
    """What can happen to a pod."""

    SCHEDULED = "scheduled"
    PULLED = "image pulled"
    PASSED = "ready"
    LAPSED = "not ready"
    EXITED = "container exited"
    RESTARTED = "container restarted"
    DELETED = "deleted"
    STOPPED = "container stopped"
    EVICTED = "evicted"


_P, _PE = PodState, PodEvent
_running = {_PE.EXITED: _P.BACKING_OFF, _PE.DELETED: _P.TERMINATING, _PE.EVICTED: _P.GONE}
_idle = {_PE.DELETED: _P.GONE, _PE.EVICTED: _P.GONE}
POD: Final = TransitionTable(
    "pod",
    _P.PENDING,
    {
        _P.PENDING: {_PE.SCHEDULED: _P.PULLING, _PE.DELETED: _P.GONE},
        _P.PULLING: {_PE.PULLED: _P.STARTING, **_idle},
        _P.STARTING: {_PE.PASSED: _P.READY, **_running},
        _P.READY: {_PE.LAPSED: _P.NOT_READY, **_running},
        _P.NOT_READY: {_PE.PASSED: _P.READY, **_running},
        _P.BACKING_OFF: {_PE.RESTARTED: _P.STARTING, **_idle},
        _P.TERMINATING: {_PE.STOPPED: _P.GONE, _PE.EVICTED: _P.GONE},
        _P.GONE: {},
    },
)


class ReplicaState(StrEnum):
    """A replica as the router sees it."""

    UNSEEN = "Unseen"
    READY = "Ready"
    UNREADY = "Unready"
    WITHDRAWN = "Withdrawn"


class ReplicaEvent(StrEnum):
    """What the router can learn of a replica."""

    SEEN_READY = "seen ready"
    SEEN_UNREADY = "seen unready"
    WITHDRAWN = "withdrawn"


_R, _RE = ReplicaState, ReplicaEvent
REPLICA: Final = TransitionTable(
    "replica",
    _R.UNSEEN,
    {
        _R.UNSEEN: {_RE.SEEN_READY: _R.READY, _RE.SEEN_UNREADY: _R.UNSEEN, _RE.WITHDRAWN: _R.WITHDRAWN},
        _R.READY: {_RE.SEEN_READY: _R.READY, _RE.SEEN_UNREADY: _R.UNREADY, _RE.WITHDRAWN: _R.WITHDRAWN},
        _R.UNREADY: {_RE.SEEN_READY: _R.READY, _RE.SEEN_UNREADY: _R.UNREADY, _RE.WITHDRAWN: _R.WITHDRAWN},
        # News that was under way when the replica was withdrawn changes nothing any more.
        _R.WITHDRAWN: {
            _RE.SEEN_READY: _R.WITHDRAWN,
            _RE.SEEN_UNREADY: _R.WITHDRAWN,
            _RE.WITHDRAWN: _R.WITHDRAWN,
        },
    },
)
