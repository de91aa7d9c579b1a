"""What `akstwin plan` says to a person."""

from typing import Any

from rich.console import Console
from rich.table import Table

from akstwin.scenarios.answer import Objective, Verdict, objectives
from akstwin.scenarios.wording import one_line


def render_plan(found: dict[str, Any], console: Console) -> None:
    """The answer, then every value that was tried."""
    place, value = one_line(found["over"]), found["value"]
    span = f"{found['low']} to {found['high']}"
    answer = f"{place} = {value}" if value is not None else f"none found from {span} for {place}"
    console.print(f"Smallest value that meets all objectives: {answer}", highlight=False, markup=False, soft_wrap=True)
    told = [objectives({"objectives": each["objectives"], "intervals": {}}) for each in found["tried"]]
    headings = next((each for each in told if each), [])
    table = Table("value", box=None, pad_edge=False)
    for objective in headings:
        table.add_column(f"{objective.name}, {objective.target}", justify="right")
    table.add_column("all met")
    for each, figures in zip(found["tried"], told, strict=True):
        cells = [_figure(objective) for objective in figures] or [""] * len(headings)
        table.add_row(
            str(each["value"]), *cells, "yes" if each["meets"] else "cannot start" if each["refused"] else "no"
        )
    console.print(table)
    for note in found["notes"]:
        console.print(f"- {one_line(note)}", highlight=False, markup=False, soft_wrap=True)


def _figure(objective: Objective) -> str:
    return objective.value + (" (unproven)" if objective.verdict is Verdict.UNPROVEN else "")
