"""The answer in the terminal, or in a pipe: plain words first, then tables that fit 80 columns."""

from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as Grid
from rich.text import Text

from akstwin.scenarios import summary
from akstwin.scenarios.summary import Table, Verdict
from akstwin.scenarios.wording import one_line

_STYLES = {Verdict.MET: "green", Verdict.NOT_MET: "bold red", Verdict.UNPROVEN: "yellow"}

_LONGEST_WORD = len("max_request_wait_time")


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
    verdict, sentence = summary.headline(result)
    console.print(Text(one_line(result["question"]) or "(no question was asked)", style="bold"))
    console.print(Text(summary.made_of(result), style="dim"))
    console.print()
    console.print(Text(sentence, style=_STYLES[verdict] if verdict else ""))
    console.print(Text(f"{summary.requests_line(result)} {summary.service_line(result)}"))
    if result["replications"] == 1:
        console.print(Text("1 replication: no intervals; --replications 5 gives them."))


def _tables(result: dict[str, Any]) -> list[Table]:
    found = [
        summary.objectives_table(result),
        summary.latency_table(result),
        summary.status_table(result),
        summary.capacity_table(result),
        summary.cost_table(result),
        *summary.version_tables(result),
        summary.operations_table(result),
    ]
    return [table for table in found if table is not None]


def _print_table(table: Table, console: Console) -> None:
    # Text throughout, never str: rich would read [brackets] in a user's words as its own markup.
    grid = Grid(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for at, column in enumerate(table.columns):
        grid.add_column(
            Text(column.title),
            justify="right" if column.number else "left",
            no_wrap=column.number,
            overflow="fold",
            min_width=None if column.number else _kept_whole(table, at),
        )
    for row in table.rows:
        grid.add_row(*(_cell(cell) for cell in row))
    console.print()
    console.print(Text(table.title, style="bold"))
    console.print(grid)
    if table.remark:
        console.print(Text(table.remark, style="dim"))


def _kept_whole(table: Table, at: int) -> int:
    """Width in which a column's words are not cut; longer ones than any name of ours have to be."""
    words = [word for row in table.rows for word in row[at].split()]
    indent = max((len(row[at]) - len(row[at].lstrip()) for row in table.rows), default=0)
    return min(max(map(len, words), default=0) + indent, _LONGEST_WORD)


def _cell(text: str) -> Text:
    return Text(text, style=_STYLES[Verdict(text)] if text in _STYLES else "")


def _closing(result: dict[str, Any], console: Console) -> None:
    changed = summary.changed_assumptions(result)
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
