"""What `akstwin compare` says to a person of a service outside."""

from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from akstwin.scenarios.outside import evidence_rows
from akstwin.scenarios.wording import one_line

_TEXT: Final = 100


def render_outside(found: dict[str, Any], console: Console) -> None:
    """Shares, quantiles, then texts and headers, predicted beside measured.

    Args:
        found: by `compare_outside`.
        console: where to.
    """
    _say(console, one_line(found["question"]) or found["scenario"], "bold")
    requests = found["requests"]
    _say(
        console,
        f"{found['scenario']} against {found['against']}, seed {found['seed']}: {requests['measured']} requests.",
        "dim",
    )
    if found["meaningless"] is not None:
        _say(console, f"This tells nothing: {found['meaningless']}.", "bold red")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("", "predicted", "measured"):
        table.add_column(name, justify="left" if not name else "right")
    for row in evidence_rows(found):
        table.add_row(*row)
    console.print(table)
    if found["overhead"] is not None:
        _say(
            console,
            f"A request alone takes {1000 * found['overhead']:.1f} ms more than predicted; quantiles have that added.",
        )
    late = found["lateness"]
    _say(console, f"The client sent {1000 * late['p50']:.2f} ms late at p50, {1000 * late['max']:.1f} ms at most.")
    for each in found["answers"]:
        _answer(each, console)
    for gate in found["gates"]:
        _say(console, f"{gate['name']} at most {gate['target']:g}: {'met' if gate['met'] else 'not met'}")
    for note in found["notes"]:
        _say(console, f"- {one_line(note)}")


def _answer(each: dict[str, Any], console: Console) -> None:
    _say(console, f"Answers {each['status']}", "bold")
    for name in ("predicted", "measured"):
        told = each[name]
        if told is None:
            _say(console, f"  {name}: none")
            continue
        texts = "; ".join(repr(one_line(text["text"])[:_TEXT]) for text in told["texts"]) or "the model's own"
        headers = (
            ", ".join(f"{header}: {one_line(value)}" for header, value in told["headers"].items()) or "the model's own"
        )
        _say(console, f"  {name}: {texts}; headers {headers}")


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style=style), soft_wrap=True)
