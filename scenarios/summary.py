"""The answer's figures as small tables of text, for whoever shows them: the terminal and the report."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from akstwin.scenarios.answer import Result, Verdict, objectives, services_of
from akstwin.scenarios.wording import (
    MEANINGS,
    NOTHING,
    STATUS_OF,
    between,
    count,
    milliseconds,
    money,
    one_line,
    share,
    span,
)

Cells = tuple[str, ...]

_QUANTILES = {"mean": "mean", "p50": "p50", "p90": "p90", "p95": "p95", "p99": "p99", "p999": "p99.9", "max": "longest"}
_STATUSES = {
    "200": "answered by the model",
    "401": "refused",
    "404": "refused",
    "413": "refused",
    "499": "not answered",
    "500": "the model server failed",
    "502": "model or replica failed",
    "503": "refused for lack of room",
    "504": "timed out",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading, and whether it holds figures."""

    title: str
    number: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """Text in rows and columns.

    Attributes:
        title: what it is about.
        columns: the first names the rows.
        rows: as many cells as columns; a first cell that begins with blanks is a part of the row above.
        remark: what has to be known with it; may be nothing.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Cells, ...]
    remark: str = ""


def _table(title: str, columns: Sequence[Column], rows: Iterable[Cells], remark: str = "") -> Table:
    """A table without the columns that nobody filled, such as intervals of a single replication."""
    kept = list(rows)
    filled = [at for at in range(len(columns)) if any(row[at] for row in kept)]
    return Table(
        title, tuple(columns[at] for at in filled), tuple(tuple(row[at] for at in filled) for row in kept), remark
    )


def objectives_table(result: Result) -> Table | None:
    """What was asked for, and what came out; None without objectives."""
    found = objectives(result)
    if not found:
        return None
    remarks = []
    if any(each.verdict is Verdict.UNPROVEN for each in found):
        remarks.append("Unproven: met, but on some nodes busy containers want more CPU than there is.")
    close = [each.name for each in found if each.close]
    if close:
        remarks.append(f"The interval of {' and '.join(close)} reaches past the target: more replications would tell.")
    columns = [Column("objective", number=False), Column("verdict", number=False), Column("value")]
    return _table(
        "Objectives",
        [*columns, Column("target"), Column("95 % interval")],
        [(each.name, each.verdict.value, each.value, each.target, each.interval) for each in found],
        " ".join(remarks),
    )


def services_table(result: Result) -> Table | None:
    """Several services side by side, and the total; None of one."""
    services = services_of(result)
    if not services:
        return None
    titles = ("requests", "200", "503", "p50, ms", "p99, ms", "queue p99", "replicas", "cost")
    return _table(
        "Services",
        [Column("service", number=False), *map(Column, titles)],
        [*(_service_row(one_line(name), each) for name, each in services.items()), _service_row("total", result)],
        "Cost: the cluster's, shared out by the cores that each service's pods have reserved.",
    )


def _service_row(name: str, result: Result) -> Cells:
    latency, status, requests = result["latency_ms"], result["status"], result["requests"]
    return (
        name,
        count(requests),
        _part(status.get("200", 0), requests),
        _part(status.get("503", 0), requests),
        milliseconds(latency.get("p50")),
        milliseconds(latency.get("p99")),
        milliseconds(result["queue_wait_ms"].get("p99")),
        f"{result['replicas']['mean']:,.1f}",
        money(result["cost"]["total"]),
    )


def of_each_service(result: Result) -> Iterator[Table]:
    """The tables of one service for each of several, named by it."""
    for name, each in services_of(result).items():
        for table in (latency_table(each), status_table(each), *version_tables(each), operations_table(each)):
            if table is not None:
                yield replace(table, title=f"{one_line(name)}: {table.title}")


def latency_table(result: Result) -> Table:
    """Latency and wait in the queue, side by side."""
    latency, wait, intervals = result["latency_ms"], result["queue_wait_ms"], result["intervals"]
    rows = [
        (
            title,
            milliseconds(latency.get(name)),
            between(intervals.get(f"latency_ms.{name}"), milliseconds),
            milliseconds(wait.get(name)),
            between(intervals.get(f"queue_wait_ms.{name}"), milliseconds),
        )
        for name, title in _QUANTILES.items()
    ]
    return _table(
        "Latency of answers with 200, and wait in the router's queue",
        [
            Column("ms", number=False),
            Column("latency"),
            Column("95 % interval"),
            Column("queue wait"),
            Column("95 % interval"),
        ],
        rows,
        "" if latency.get("mean") is not None else "No request was answered with 200: there is no latency.",
    )


def status_table(result: Result) -> Table:
    """Answers by status, and under each the reasons."""
    requests = result["requests"]
    reasons = _reasons_by_status(result)
    rows: list[Cells] = []
    for status in sorted({*result["status"], *reasons}, key=lambda code: (not code.isdigit(), code)):
        number = result["status"].get(status, 0)
        ends = between(result["intervals"].get(f"status.{status}"), share)
        rows.append((status, _part(number, requests), ends, count(number), _STATUSES.get(status, "")))
        for reason, times in reasons.get(status, []):
            words = MEANINGS.get(reason, "")
            rows.append((f"  {one_line(reason)}", _part(times, requests), "", count(times), words))
    return _table(
        "Answers",
        [
            Column("status, reason", number=False),
            Column("share"),
            Column("95 % interval"),
            Column("answers"),
            Column("meaning", number=False),
        ],
        rows,
    )


def _part(number: float, whole: float) -> str:
    return share(number / whole if whole else None)


def _reasons_by_status(result: Result) -> dict[str, list[tuple[str, float]]]:
    """Reasons, the most frequent first, under the status that each is answered with."""
    moved = {"run_failed": str(result["assumptions"].get("run_failure_status", STATUS_OF["run_failed"]))}
    found: dict[str, list[tuple[str, float]]] = {}
    for reason, times in sorted(result["reasons"].items(), key=lambda item: (-item[1], item[0])):
        found.setdefault({**STATUS_OF, **moved}.get(reason, "other"), []).append((reason, times))
    return found


def users_table(result: Result) -> Table | None:
    """Users who wait for their answers; None without any."""
    rows = [
        (
            f"traffic[{each['entry']}]",
            count(each["active"]),
            f"{each['waiting']:,.1f}",
            f"{each['rate']:,.1f}",
            between(result["intervals"].get(f"users.{each['entry']}.rate"), lambda value: f"{value:,.1f}"),
            f"{each['rate_answered']:,.1f}",
            f"{each['rate_without_waiting']:,.1f}",
        )
        for each in result.get("users", [])
    ]
    if not rows:
        return None
    return _table(
        "Users who wait for their answers",
        [
            Column("entry", number=False),
            Column("active"),
            Column("waiting"),
            Column("requests/s"),
            Column("95 % interval"),
            Column("200/s"),
            Column("at most/s"),
        ],
        rows,
        "On average over the window. Active users have begun, waiting ones have no answer yet. At most: what they would send if "
        "every answer came at once.",
    )


def capacity_table(result: Result) -> Table:
    """Replicas and nodes."""
    replicas, nodes, intervals = result["replicas"], result["nodes"], result["intervals"]
    rows = [
        (
            "ready replicas",
            f"{replicas['mean']:,.1f}",
            between(intervals.get("replicas.mean"), lambda value: f"{value:,.1f}"),
            count(replicas["min"]),
            count(replicas["max"]),
            count(replicas.get("desired_max")),
        ),
        ("nodes", f"{nodes['mean']:,.1f}", "", "", count(nodes["max"]), ""),
    ]
    over = nodes["oversubscribed"]
    columns = [Column("", number=False), Column("mean"), Column("95 % interval"), Column("fewest"), Column("most")]
    return _table(
        "Capacity",
        [*columns, Column("most asked for")],
        rows,
        f"Oversubscribed nodes: {count(over) if nodes.get('checked', True) else 'not checked, as model.cpu is not given'}"
        + (", whose containers, all busy, want more CPU than the node has." if over else "."),
    )


def cost_table(result: Result) -> Table:
    """What the nodes cost."""
    cost, intervals = result["cost"], result["intervals"]
    hours = result["nodes"]["node_hours"]
    return _table(
        "Cost",
        [Column("", number=False), Column("amount"), Column("95 % interval")],
        [
            ("node-hours", f"{hours:,.2f}", between(intervals.get("nodes.node_hours"), lambda value: f"{value:,.2f}")),
            ("cost", money(cost["total"]), between(intervals.get("cost.total"), money)),
            ("cost of 1,000 requests", money(cost["per_1000_requests"]), ""),
        ],
        "In the currency of hourly_price." if cost["total"] is not None else "The price of these nodes is not known.",
    )


def version_tables(result: Result) -> Iterator[Table]:
    """Versions side by side, then why each refused; nothing of a single version."""
    versions = result["versions"]
    if len(versions) < 2 or services_of(result):  # each of several services has its own
        return
    titles = ("traffic", "requests", "200", "p99, ms", "queue p99", "replicas", "busy")
    yield _table(
        "Versions",
        [Column("version", number=False), *map(Column, titles)],
        [_version_row(result, name, each) for name, each in versions.items()],
        "Traffic: the share in the end. Busy: the part of the ready replicas' slots in use, on average.",
    )
    rows = [
        (one_line(name), one_line(reason), _part(times, each["requests"]), count(times), MEANINGS.get(reason, ""))
        for name, each in versions.items()
        for reason, times in each.get("reasons", {}).items()
    ]
    if rows:
        words = [Column("version", number=False), Column("reason", number=False)]
        yield _table(
            "What versions refused or lost",
            [*words, Column("share"), Column("answers"), Column("meaning", number=False)],
            rows,
            "Shares are of the version's own requests.",
        )


def _version_row(result: Result, name: str, version: dict[str, Any]) -> Cells:
    percent = result["service"]["shares"].get(name)
    replicas = version.get("replicas", {}).get("mean")
    busy = version.get("utilisation")
    return (
        one_line(name),
        "" if percent is None else f"{percent:.4g} %",
        count(version["requests"]),
        _part(version.get("status", {}).get("200", 0), version["requests"]),
        milliseconds(version.get("latency_ms", {}).get("p99")),
        milliseconds(version.get("queue_wait_ms", {}).get("p99")),
        "" if replicas is None else f"{replicas:,.1f}",
        NOTHING if busy is None else f"{100 * busy:.{0 if busy >= 0.1 else 1}f} %",
    )


def operations_table(result: Result) -> Table | None:
    """What the management plane did; None if it did nothing."""
    if not result["operations"] or services_of(result):  # each of several services has its own
        return None
    rows = [
        (
            one_line(each["kind"]),
            one_line(each["state"]),
            span(each["started"]),
            "running" if each["ended"] is None else span(each["ended"]),
            one_line(each["error"] or ""),
        )
        for each in result["operations"]
    ]
    words = [Column("operation", number=False), Column("state", number=False)]
    return _table("Operations", [*words, Column("started"), Column("ended"), Column("error", number=False)], rows)


def events_table(result: Result) -> Table | None:
    """What happened in the first replication, but for routine; None if nothing did."""
    if not result["events"]:
        return None
    rows = [
        (
            span(each["at"]),
            one_line(each.get("service") or ""),  # nothing, and so no column, where there is one service
            one_line(each["kind"]).replace("_", " "),
            one_line(each["subject"]),
            one_line(each["detail"]),
        )
        for each in result["events"]
    ]
    words = [Column(title, number=False) for title in ("service", "event", "subject", "detail")]
    return _table("Events of the first replication", [Column("at"), *words], rows)
