"""What `akstwin compare` says to a person."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from akstwin.scenarios.wording import NOTHING, one_line

Figures = dict[str, Any]

_LATENCY_TARGET: Final = 0.10
"""By so much p50 and p95 may be off for the line that says whether they agree."""
_WIDEST: Final = 1000
"""More than any table is wide."""
_GATES: Final[Mapping[str, tuple[str, Callable[[float], str], str]]] = {
    "same_status": ("same status", lambda value: f"{value:.2%}", "at least"),
    "refused_within": ("shares of 503 apart", lambda value: f"{value:.2f} points", "at most"),
    "latency_within": ("p50 and p95 off", lambda value: f"{value:.1%}", "at most"),
}


def render_comparison(found: Figures, console: Console) -> None:
    """Every run, then the medians and the gates.

    Args:
        found: as `akstwin.scenarios.compare.compare` returns it.
        console: where to.
    """
    _say(console, one_line(found["question"]) or found["scenario"], style="bold")
    service = found["service"]
    _say(
        console,
        f"{found['scenario']} against {found['against']}, seed {found['seed']}; service {service['name']} was "
        f"{'there' if service['taken'] else 'deployed and deleted'}.",
        style="dim",
    )
    for run in found["runs"]:
        _run(run, console)
    _medians(found, console)
    for note in found["notes"]:
        _say(console, f"- {one_line(note)}")


def _run(run: Figures, console: Console) -> None:
    late, requests = run["lateness"], run["requests"]
    console.print()
    _say(
        console, f"Run {run['replication']}: {requests['measured']} requests, {requests['paired']} paired", style="bold"
    )
    if run["meaningless"] is not None:
        _say(console, f"This run tells nothing: {run['meaningless']}.", style="bold red")
    for refusal in run["operations_refused"]:
        _say(console, f"Refused: {one_line(refusal)}")
    if run["without_connection"]:
        _say(console, f"{run['without_connection']} requests had to wait for a connection to be opened.")
    _compared("", run, console)
    for version, figures in run["versions"].items():
        _compared(one_line(version), figures, console)
    overhead = run["overhead"]
    _say(
        console,
        f"Overhead of {overhead['requests']} requests alone, ms: p50 {_ms(overhead['p50'])}, p95 {_ms(overhead['p95'])}; "
        f"the client sent "
        f"{_ms(late['p50'])} ms late at p50, {_ms(late['p99'])} at p99, {_ms(late['max'])} at most.",
    )


def _compared(title: str, figures: Figures, console: Console) -> None:
    grid = _grid(f"{title}, %" if title else "% of all", "predicted", "95 % interval", "measured", "95 % interval")
    for status, told in figures["statuses"].items():
        before, after = told["predicted"], told["measured"]
        name = "no answer" if status == "none" else status
        grid.add_row(
            name, _percent(before["value"]), _both(before["interval"], _percent), _percent(after["value"]),
            _both(after["interval"], _percent),
        )  # fmt: skip
    _show(grid, console)
    times = _grid("time, ms", "predicted", "95 % interval", "+overhead", "measured", "95 % interval", "off")
    for name, told in figures["latency"].items():
        times.add_row(
            name, _ms(told["predicted"]), _both(told["predicted_interval"], _ms), _ms(told["with_overhead"]),
            _ms(told["measured"]), _both(told["measured_interval"], _ms), _signed(told["off"]),
        )  # fmt: skip
    _show(times, console)
    sending = ", ".join(f"{name} {_ms(told['measured_from_sending'])}" for name, told in figures["latency"].items())
    _say(console, f"Measured from the actual sending, ms: {sending}.")
    same, apart = figures["same_status"], figures["difference"]
    points = figures["refused"]["difference_points"]
    _say(
        console,
        f"Same status: {_percent(same['value'])} % of pairs [{_both(same['interval'], _percent)}]; 503: "
        f"{NOTHING if points is None else f'{points:+.2f}'} points.",
    )
    _say(
        console,
        f"Measured less predicted, the same request, ms: median {_ms(apart['median'])}, p5 {_ms(apart['p5'])}, p95 "
        f"{_ms(apart['p95'])}, mean {_ms(apart['mean'])} [{_both(apart['mean_interval'], _ms)}].",
    )


def _medians(found: Figures, console: Console) -> None:
    middle, runs = found["medians"], len(found["runs"])
    console.print()
    _say(console, f"Medians of {middle['runs']} of {runs} run{'' if runs == 1 else 's'}", style="bold")
    off = middle["latency_off"]
    known = [abs(off[name]) for name in ("p50", "p95") if off[name] is not None]
    agrees = "not known" if len(known) < 2 else "met" if max(known) <= _LATENCY_TARGET else "not met"
    _say(
        console,
        f"Same status {_percent(middle['same_status'])} %; p50 {_signed(off['p50'])}, p95 {_signed(off['p95'])}, p99 "
        f"{_signed(off['p99'])} off the prediction with overhead (p50 and p95 within {_LATENCY_TARGET:.0%}: {agrees}).",
    )
    for gate in found["gates"]:
        name, shown, bound = _GATES[gate["name"]]
        value = NOTHING if gate["value"] is None else shown(gate["value"])
        style = "green" if gate["met"] else "bold red"
        _say(
            console,
            f"{'met' if gate['met'] else 'not met'}: {name}, {bound} {shown(gate['target'])}: {value}",
            style=style,
        )


def _grid(first: str, *others: str) -> Table:
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    grid.add_column(Text(first), no_wrap=True)
    for title in others:
        grid.add_column(Text(title), justify="right", no_wrap=True)
    return grid


def _show(grid: Table, console: Console) -> None:
    """No figure is cut: on a terminal too narrow for them lines are wrapped."""
    grid.width = console.measure(grid, options=console.options.update(max_width=_WIDEST)).maximum
    console.print(grid, crop=False, soft_wrap=True)


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style=style), soft_wrap=True)


def _ms(seconds: float | None) -> str:
    return NOTHING if seconds is None else f"{seconds * 1e3:.1f}"


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{100 * share:.2f}"


def _signed(share: float | None) -> str:
    return NOTHING if share is None else f"{share:+.1%}"


def _both(interval: Sequence[float] | None, shown: Any) -> str:
    return NOTHING if interval is None else f"{shown(interval[0])}–{shown(interval[1])}"
