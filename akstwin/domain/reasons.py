"""Why a request was not answered by the model: machine-readable, the same in all worlds."""

from enum import StrEnum


class Reason(StrEnum):
    """The reason that goes with every refusal (design §4)."""

    QUEUE_DEADLINE = "queue_deadline"
    QUEUE_FULL = "queue_full"
    NO_READY_REPLICA = "no_ready_replica"
    SCORING_TIMEOUT = "scoring_timeout"
    REPLICA_LOST = "replica_lost"
    RUN_FAILED = "run_failed"
    UNAUTHORIZED = "unauthorized"
    NOT_FOUND = "not_found"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    CLIENT_ABORTED = "client_aborted"
