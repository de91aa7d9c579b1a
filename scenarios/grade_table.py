"""What `akstwin grade` says to a person."""

from typing import Any

from rich.console import Console
from rich.table import Table

from akstwin.scenarios.wording import one_line, span


def render_grading(found: dict[str, Any], console: Console) -> None:
    """The policy's own rows, its references, which regressions it sees, and what is left open."""
    first = (
        f"{found['policy']} of {one_line(found['version'])}, {found['worlds']} worlds in {span(found['wall_seconds'])}"
    )
    console.print(f"{first}; intervals hold at 95 %", highlight=False, markup=False, soft_wrap=True)
    for title, own in (("The policy", True), ("References, at the scenario's traffic", False)):
        console.print(f"\n{title}", highlight=False, markup=False)
        console.print(_table([row for row in found["cells"] if (row["policy"] == "policy") == own], own=own))
    console.print(
        "\nTraffic that it needs to take a regression back in nine worlds of ten", highlight=False, markup=False
    )
    for each in found["sees"]:
        rate = each["least_rate"]
        needs = f"more than {each['most_tried']:g}/s" if rate is None else f"{rate:g}/s, or less"
        console.print(f"- {each['regression']}: {needs}", highlight=False, markup=False, soft_wrap=True)
    if found["open"]:
        console.print("\nLeft open", highlight=False, markup=False)
        for line in found["open"]:
            console.print(f"- {one_line(line)}", highlight=False, markup=False, soft_wrap=True)


def _table(rows: list[dict[str, Any]], *, own: bool) -> Table:
    table = Table(box=None, pad_edge=False)
    if not own:
        table.add_column("rule")
    for heading in (
        "world",
        "rate",
        "promoted",
        "rolled back",
        "decides in",
        "failed requests caused",
        "replica-h",
        "worlds",
    ):
        table.add_column(heading, justify="left" if heading == "world" else "right")
    for row in sorted(rows, key=lambda row: (-row["traffic"], row["policy"])):
        times = row["seconds_to_decide"]
        cells = [
            row["regression"],
            f"{row['rate']:g}/s",
            _share(row["promoted"]),
            _share(row["rolled_back"]),
            "–" if times is None else span(times["median"]),
            _mean(row["failed_requests_caused"], 0),
            _mean(row["replica_hours"], 2),
            str(row["worlds"]),
        ]
        table.add_row(*([] if own else [row["policy"]]), *cells)
    return table


def _share(found: dict[str, Any]) -> str:
    if found["share"] is None:
        return "–"
    low, high = found["interval"]
    return f"{found['share']:.0%} ({low:.0%}–{high:.0%})"


def _mean(found: dict[str, Any], digits: int) -> str:
    if found["mean"] is None:
        return "–"
    shown = f"{found['mean']:.{digits}f}"
    if found["interval"] is None:
        return shown
    low, high = found["interval"]
    return f"{shown} ({low:.{digits}f}–{high:.{digits}f})"
