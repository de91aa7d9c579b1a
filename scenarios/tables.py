"""The answer in the terminal, or in a pipe: plain words first, then tables that fit 80 columns."""

from typing import Any

from rich import box
from rich.console import Console, JustifyMethod
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from akstwin.scenarios import answer, summary
from akstwin.scenarios.answer import Verdict
from akstwin.scenarios.summary import Table
from akstwin.scenarios.wording import one_line

_STYLES = {Verdict.MET: "green", Verdict.NOT_MET: "bold red", Verdict.UNPROVEN: "yellow"}

_LONGEST_WORD = len("max_request_wait_time")
"""Our own words are not cut; a user's may be."""
_LEAST = 7
"""What words get in any case, though lines become too long for a narrow terminal."""
_GAP = 2
"""Between columns."""


def render(result: dict[str, Any], console: Console) -> None:
    """Print the answer: the question, whether its objectives hold, and the figures.

    Args:
        result: as design §7.4 has it.
        console: where to; without colours it says the same.
    """
    _opening(result, console)
    for table in _tables(result):
        _print_table(table, console)
    _closing(result, console)


def _opening(result: dict[str, Any], console: Console) -> None:
    verdict, sentence = answer.headline(result)
    console.print(Text(one_line(result["question"]) or "(no question was asked)", style="bold"))
    console.print(Text(answer.made_of(result), style="dim"))
    console.print()
    console.print(Text(sentence, style=_STYLES[verdict] if verdict else ""))
    console.print(Text(f"{answer.requests_line(result)} {answer.service_line(result)}"))
    if result["replications"] == 1:
        console.print(Text("1 replication: no intervals; --replications 5 gives them."))


def _tables(result: dict[str, Any]) -> list[Table]:
    found = [
        summary.objectives_table(result),
        summary.services_table(result),
        summary.latency_table(result),
        summary.status_table(result),
        summary.users_table(result),
        summary.capacity_table(result),
        summary.cost_table(result),
        *summary.version_tables(result),
        summary.operations_table(result),
        *summary.of_each_service(result),
    ]
    return [table for table in found if table is not None]


def _print_table(table: Table, console: Console) -> None:
    widths = _widths(table, console.width)
    # Text throughout, never str: rich would read [brackets] in a user's words as its own markup.
    grid = Grid(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        show_edge=False,
        width=sum(widths) + _GAP * (len(widths) - 1),
    )
    for column, width in zip(table.columns, widths, strict=True):
        side: JustifyMethod = "right" if column.number else "left"
        grid.add_column(Text(column.title), justify=side, overflow="fold", width=width)
    for row in table.rows:
        grid.add_row(*(_cell(cell) for cell in row))
    console.print()
    console.print(Text(table.title, style="bold"))
    console.print(grid, crop=False)  # a terminal too narrow for the figures may wrap them, but shows them
    if table.remark:
        console.print(Text(table.remark, style="dim"))


def _widths(table: Table, width: int) -> list[int]:
    """Room for figures in full, then for uncut words, then for as much on one line as there is room, left to right."""
    cells = [[column.title, *(row[at] for row in table.rows)] for at, column in enumerate(table.columns)]
    whole = [max(map(len, each)) for each in cells]
    wanted = [min(_longest_word(each), _LONGEST_WORD) for each in cells]
    widths = [
        full if column.number else min(word, _LEAST)
        for column, full, word in zip(table.columns, whole, wanted, strict=True)
    ]
    for wish in (wanted, whole):
        for at, column in enumerate(table.columns):
            if not column.number:
                room = width - sum(widths) - _GAP * (len(widths) - 1)
                widths[at] += max(0, min(wish[at] - widths[at], room))
    return widths


def _longest_word(cells: list[str]) -> int:
    """Its length, with the blanks before it that mark a part of the row above."""
    return max(len(cell) - len(cell.lstrip()) + max(map(len, cell.split()), default=0) for cell in cells)


def _cell(text: str) -> Text:
    return Text(text, style=_STYLES[Verdict(text)] if text in _STYLES else "")


def _closing(result: dict[str, Any], console: Console) -> None:
    changed = answer.changed_assumptions(result)
    if changed:
        console.print()
        console.print(Text("Changed assumptions", style="bold"))
        _list([f"{key} = {value}" for key, value in changed], console)
    if result["notes"]:
        console.print()
        console.print(Text("Notes", style="bold"))
        _list([one_line(note) for note in result["notes"]], console)


def _list(lines: list[str], console: Console) -> None:
    for line in lines:
        item = Grid.grid(padding=(0, 1))
        item.add_row(Text("-"), Text(line, overflow="fold"))
        console.print(Padding(item, 0, expand=False))
