"""What `akstwin plan` says to a person."""

from typing import Any, Final

from rich.console import Console
from rich.table import Table

from akstwin.scenarios.answer import objectives
from akstwin.scenarios.wording import between, money, one_line, sayer

_SOUGHT: Final = {"low": "Smallest value", "high": "Largest value", "cheapest": "Cheapest value"}


def render_plan(found: dict[str, Any], console: Console) -> None:
    """The answer, then every value that was tried."""
    console.print(
        f"{_SOUGHT[found['prefer']]} that meets all objectives: {_answer(found)}",
        highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip
    console.print(_table(found))
    for note in found["notes"]:
        console.print(f"- {one_line(note)}", highlight=False, markup=False, soft_wrap=True)


def _answer(found: dict[str, Any]) -> str:
    places = found["over"] if isinstance(found["over"], list) else [found["over"]]
    if found["answer"] == "found":
        return _setting(places, found["value"])
    if found["answer"] == "none":
        return f"none found {_span(found)} for {', '.join(map(one_line, places))}"
    if found["enough"] is None:
        return f"cannot tell {_span(found)} for {', '.join(map(one_line, places))}"
    unclear = [each["value"] for each in found["tried"] if each["verdict"] == "cannot tell"]
    shown = ", ".join(" with ".join(map(str, value)) if isinstance(value, list) else str(value) for value in unclear)
    return f"cannot tell. {_setting(places, found['enough'])} meets them; {shown} may or may not"


def _setting(places: list[str], value: Any) -> str:
    values = value if isinstance(value, list) else [value]
    return ", ".join(f"{one_line(place)} = {one_line(each)}" for place, each in zip(places, values, strict=True))


def _span(found: dict[str, Any]) -> str:
    low, high = found["low"], found["high"]
    if isinstance(low, list):
        return "in the grid"
    return f"from {one_line(low)} to {one_line(high)}"


def _table(found: dict[str, Any]) -> Table:
    told = [objectives({"objectives": each["objectives"], "intervals": {}}) for each in found["tried"]]
    headings = next((each for each in told if each), [])
    table = Table(box=None, pad_edge=False)
    places = found["over"] if isinstance(found["over"], list) else ["value"]
    for place in places:
        table.add_column(one_line(place).rpartition(".")[2], overflow="fold")
    for objective in headings:
        apart = "" if objective.name.endswith("survives") else f", {objective.target}"
        table.add_column(f"{objective.name}{apart}", justify="right", overflow="fold")
    table.add_column("cost", justify="right")
    table.add_column("runs", justify="right")
    table.add_column("all met", no_wrap=True)
    for each, figures in zip(found["tried"], told, strict=True):
        values = each["value"] if isinstance(found["over"], list) else [each["value"]]
        cells = [
            _figure(entry, objective.value) if entry["name"] != "survives" else f"{objective.value} {objective.target}"
            for entry, objective in zip(each["objectives"], figures, strict=True)
        ] or [""] * len(headings)
        table.add_row(
            *(one_line(value) for value in values), *cells,
            money(each["cost"]["total"]) if each["cost"]["total"] is not None else "",
            str(each["replications"] or ""), each["verdict"],
        )  # fmt: skip
    return table


def _figure(entry: dict[str, Any], value: str) -> str:
    """A value with its interval."""
    say = sayer(entry["name"])
    ends = entry["interval"]
    if ends is None:
        return value + (" (unproven)" if entry["met"] == "unproven" else "")
    span = (
        f"{say(ends[0]).split(' ')[0]} or more"
        if ends[1] is None
        else between(ends, lambda end: say(end).split(" ")[0])
    )
    return f"{value} ({span})" + (" (unproven)" if entry["met"] == "unproven" else "")
