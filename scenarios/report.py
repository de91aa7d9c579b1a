"""The answer as one HTML file that needs nothing else: no network, no folder beside it."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from akstwin.scenarios import answer, summary
from akstwin.scenarios import report_html as html
from akstwin.scenarios.outputs import text, write_whole
from akstwin.scenarios.report_figure import timeline_figure
from akstwin.scenarios.wording import one_line, span

_FIGURE_ID: Final = "timeline"
# Plotly measures the window, not the sheet: without this a wide screen's figure is cut off on paper.
# The size, in CSS pixels, fits upright A4 and Letter.
_ON_PAPER: Final = f"""
{{
const plot = document.getElementById('{_FIGURE_ID}');
const height = plot.layout.height;
addEventListener('beforeprint', () => Plotly.relayout(plot, {{width: 680, height: Math.min(height, 840)}}));
addEventListener('afterprint', () => Plotly.relayout(plot, {{width: null, height: height, autosize: true}}));
}}
"""


Facts = Sequence[tuple[str, str]]
"""Names and what they stand for."""


def write_report(result: dict[str, Any], path: Path, asked: Facts = ()) -> None:
    """Write the report; a reader sees the old file or the new one, never half of it.

    Args:
        result: as design §7.4 has it.
        path: the HTML file.
        asked: what the scenario asks (`asked_of`).

    Raises:
        OSError: the folder is not there or cannot be written to.
    """
    write_whole(path, text(html_report(result, asked)), "--report")


def html_report(result: dict[str, Any], asked: Facts = ()) -> str:
    """The page, the same for the same result.

    Args:
        result: as design §7.4 has it.
        asked: what the scenario asks.
    """
    title = one_line(result["question"]) or f"{one_line(result['scenario'])}: what came out"
    parts = [
        _opening(result, title),
        html.section("What was asked", html.facts(list(asked))),
        html.section("Services", html.table(summary.services_table(result))),
        html.section("Over time", _timeline(result)),
        html.section("In numbers", _figures(result)),
        *(part for name, each in answer.services_of(result).items() for part in _service(name, each)),
        html.section("By version", *map(html.table, summary.version_tables(result))),
        html.section("What happened", html.table(summary.operations_table(result)), _events(result)),
        html.section("Read with care", html.bullets([one_line(note) for note in result["notes"]])),
        html.section("Assumptions that were changed", html.facts(answer.changed_assumptions(result))),
        html.section("How it was made", _making(result)),
    ]
    return html.page(title, "\n".join(part for part in parts if part))


def _opening(result: dict[str, Any], title: str) -> str:
    verdict, sentence = answer.headline(result)
    judged = summary.objectives_table(result)
    about = f"{answer.made_of(result)} {answer.requests_line(result)} {answer.service_line(result)}"
    return "\n".join(
        [
            "<header>",
            '<div class="over">akstwin report</div>',
            f"<h1>{escape(title)}</h1>",
            f'<p class="soft">{escape(about)}</p>',
            html.banner(verdict, sentence, answer.objectives(result), judged.remark if judged else ""),
            "</header>",
        ]
    )


def _service(name: str, result: dict[str, Any]) -> list[str]:
    """One of several services: what the report of that service alone would show of it."""
    title = one_line(name)
    return [
        html.section(
            f"{title}: over time",
            f"<p>{escape(answer.service_line(result))}</p>",
            _timeline(result, f"{_FIGURE_ID}-{name}", with_code=False),
        ),
        html.section(
            f"{title}: in numbers",
            _figures(result),
            *map(html.table, summary.version_tables(result)),
            html.table(summary.operations_table(result)),
        ),
    ]


def _timeline(result: dict[str, Any], figure_id: str = _FIGURE_ID, *, with_code: bool = True) -> str:
    """A figure; the first one of a page has Plotly's own code in it."""
    if not result["timeline"]:
        return ""
    from plotly.io import to_html  # noqa: PLC0415 - heavy, and most runs write no report

    # Not validated: an older Plotly would refuse settings that its JavaScript only passes over. The tests validate.
    figure = to_html(
        timeline_figure(result),
        config={"displayModeBar": False, "responsive": True},
        include_plotlyjs=with_code,
        full_html=False,
        validate=False,
        div_id=figure_id,
        post_script=_ON_PAPER.replace(_FIGURE_ID, figure_id),
    )
    lines = " Upright lines are events." if result["events"] or result["operations"] else ""
    averaged = " Curves are means of the replications; events are of the first." if result["replications"] > 1 else ""
    help_text = '<span class="screen">Drag sideways to look closer, double-click to see all again.</span>'
    caption = f"{help_text}{lines}{averaged}"
    return (
        '<figure>\n<div class="plot" role="img" aria-label="Arrivals, replicas, queue, answers and p99 latency over '
        f'time">{figure}</div>\n<figcaption>{caption}</figcaption>\n</figure>'
    )


def _figures(result: dict[str, Any]) -> str:
    beside = html.table(summary.capacity_table(result)) + html.table(summary.cost_table(result))
    return "\n".join(
        [
            html.table(summary.status_table(result)),
            html.table(summary.users_table(result)),
            '<div class="tables">',
            html.table(summary.latency_table(result)),
            f"<div>{beside}</div>",
            "</div>",
        ]
    )


def _events(result: dict[str, Any]) -> str:
    counts = ", ".join(
        f"{one_line(kind).replace('_', ' ')} {number:,}" for kind, number in result.get("event_counts", {}).items()
    )
    counted = f'<p class="remark">Counted in all: {escape(counts)}.</p>' if counts else ""
    return html.folded(
        "All events", html.table(summary.events_table(result)) + counted if result["events"] else counted
    )


def _making(result: dict[str, Any]) -> str:
    single = "one: no intervals; --replications 5 gives them"
    pairs = [
        ("scenario", one_line(result["scenario"])),
        ("seed", str(result["seed"])),
        ("replications", single if result["replications"] == 1 else str(result["replications"])),
        ("engine", one_line(result["engine"])),
        ("akstwin", one_line(result["version"])),
        ("simulated", span(result["simulated_seconds"])),
        ("computed in", span(result["wall_seconds"])),
    ]
    again = "<p>The same scenario, seed and version give the same result; from the scenario's folder:</p>"
    return f"{html.facts(pairs)}{again}\n<pre><code>{escape(one_line(result['replay']))}</code></pre>"
