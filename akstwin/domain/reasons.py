"""Why a request was not answered by the model: machine-readable, the same in all worlds."""

from enum import StrEnum
from typing import Final


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


NOT_THE_MODELS: Final = frozenset(
    {
        Reason.QUEUE_DEADLINE,
        Reason.QUEUE_FULL,
        Reason.NO_READY_REPLICA,
        Reason.UNAUTHORIZED,
        Reason.NOT_FOUND,
        Reason.PAYLOAD_TOO_LARGE,
        Reason.CLIENT_ABORTED,
    }
)
"""Reasons of answers that say nothing of the model: the router refused the request, or its client went away."""
