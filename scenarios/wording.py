"""How figures and names are put into words, the same in the terminal and in the report."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from akstwin.domain.reasons import Reason

NOTHING: Final = "-"
"""Stands where a figure does not exist: no latency without an answer."""
UNKNOWN: Final = "unknown"
"""Stands where a figure exists but cannot be told: no cost without a price."""

MEANINGS: Final[Mapping[str, str]] = {
    Reason.QUEUE_DEADLINE: "waited longer than max_request_wait_time",
    Reason.QUEUE_FULL: "max_queue_length requests were waiting already",
    Reason.NO_READY_REPLICA: "the router saw no ready replica",
    Reason.SCORING_TIMEOUT: "ran longer than scoring_timeout_ms",
    Reason.REPLICA_LOST: "its replica died before it replied",
    Reason.RUN_FAILED: "the model's run() raised",
    Reason.UNAUTHORIZED: "wrong key or token, or none",
    Reason.NOT_FOUND: "no such service or version",
    Reason.PAYLOAD_TOO_LARGE: "its body was larger than max_payload",
    Reason.CLIENT_ABORTED: "the client gave up waiting",
}
"""What each reason means, in a few plain words."""

STATUS_OF: Final[Mapping[str, str]] = {
    Reason.QUEUE_DEADLINE: "503",
    Reason.QUEUE_FULL: "503",
    Reason.NO_READY_REPLICA: "503",
    Reason.SCORING_TIMEOUT: "504",
    Reason.REPLICA_LOST: "502",
    Reason.RUN_FAILED: "502",
    Reason.UNAUTHORIZED: "401",
    Reason.NOT_FOUND: "404",
    Reason.PAYLOAD_TOO_LARGE: "413",
    Reason.CLIENT_ABORTED: "499",
}
"""The status that each reason is answered with; `run_failure_status` can move one of them."""

_LATENCIES: Final = frozenset({"mean", "p50", "p90", "p95", "p99", "p999", "max"})
_SHARES: Final = frozenset({"success_rate", "refused", "failed"})


def one_line(text: object) -> str:
    """`text` on one line and without control characters: a scenario's words must not steer a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())


def milliseconds(value: float | None) -> str:
    """A latency without its unit, which stands in the heading."""
    return NOTHING if value is None else f"{value:,.1f}"


def share(value: float | None) -> str:
    """A share as a percentage, with as many digits as tell it from 0 and from 100."""
    if value is None:
        return NOTHING
    percentage = round(100 * value, 9)
    edge = abs(round(min(percentage, 100 - percentage), 9))
    decimals = 1 if edge >= 1 else 0 if edge == 0 else 1 - math.floor(math.log10(edge))
    return f"{percentage:.{decimals}f} %"


def count(value: float | None) -> str:
    """How many; a mean of several replications may be broken."""
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if value == int(value) or value >= 1000 else f"{value:,.1f}"


def money(value: float | None) -> str:
    """An amount, in whatever currency `hourly_price` is; small ones keep three digits."""
    if value is None:
        return UNKNOWN
    if value == 0 or abs(value) >= 1:
        return f"{value:,.2f}"
    return f"{value:.{2 - math.floor(math.log10(abs(value)))}f}"


def span(seconds: float) -> str:
    """A duration or an instant, as in "1h 10m"."""
    whole = round(seconds)
    if seconds < 60:
        return f"{seconds:.4g}s"
    parts = ((whole // 3600, "h"), (whole // 60 % 60, "m"), (whole % 60, "s"))
    return " ".join(f"{number}{unit}" for number, unit in parts if number)


def between(interval: Sequence[float | None] | None, say: Callable[[float], str]) -> str:
    """An interval, its unit once at the end; nothing where there is none.

    Args:
        interval: its two ends.
        say: how one figure is put.
    """
    ends = [say(end) for end in interval or () if end is not None]
    return f"{ends[0].split(' ')[0]} to {ends[1]}" if len(ends) == 2 else ""


def sayer(objective: str) -> Callable[[float | None], str]:
    """How figures of an objective are put, units included.

    Args:
        objective: its name: a latency, a rate or a cost.
    """
    if objective in _LATENCIES:
        return lambda value: NOTHING if value is None else f"{milliseconds(value)} ms"
    return share if objective in _SHARES else money


def is_floor(objective: str) -> bool:
    """Whether the objective is a least value; the others are upper limits."""
    return objective == "success_rate"
