"""What `akstwin plan` says to a person."""

from typing import Any

from rich.console import Console
from rich.table import Table


def render_plan(found: dict[str, Any], console: Console) -> None:
    """The answer, then every value that was tried."""
    place, value = found["over"], found["value"]
    span = f"{found['low']} to {found['high']}"
    answer = f"{place} = {value}" if value is not None else f"none of {span} meets all objectives"
    console.print(f"Smallest value that meets all objectives: {answer}", highlight=False, markup=False)
    table = Table("value", box=None, pad_edge=False)
    names = next((list(map(_name, each["objectives"])) for each in found["tried"] if each["objectives"]), [])
    for name in names:
        table.add_column(name, justify="right")
    table.add_column("all met")
    for each in found["tried"]:
        figures = [_figure(objective) for objective in each["objectives"]] or [""] * len(names)
        table.add_row(str(each["value"]), *figures, "yes" if each["meets"] else each["refused"] or "no")
    console.print(table)
    for note in found["notes"]:
        console.print(note, highlight=False, markup=False)


def _name(objective: dict[str, Any]) -> str:
    if objective["name"] == "success_rate":
        return f"success rate (at least {objective['target']:g})"
    unit = "" if objective["name"] == "cost" else " ms"
    return f"{objective['name']} (at most {objective['target']:g}{unit})"


def _figure(objective: dict[str, Any]) -> str:
    value = objective["value"]
    mark = {True: "", False: " ✗", "unproven": " unproven"}[objective["met"]]
    return ("nothing answered" if value is None else f"{value:.6g}") + mark
