"""The operating characteristic as a page: how often each rule promotes a version, over how much worse it is."""

from html import escape
from pathlib import Path
from typing import Any, BinaryIO, Final

from akstwin.scenarios import report_html as html
from akstwin.scenarios.grade_worlds import OWN, REFERENCES
from akstwin.scenarios.outputs import write_whole
from akstwin.scenarios.wording import one_line

_COLOURS: Final = dict(zip((OWN, *REFERENCES), ("#2456a6", "#9a9a9a", "#c9a227", "#c0504d", "#7d5fa8"), strict=True))


def characteristic(found: dict[str, Any]) -> dict[str, Any]:
    """The figure, in plain data: a curve for each rule and rate of traffic, with its intervals."""
    traces = []
    curves: dict[tuple[str, float], list[dict[str, Any]]] = {}
    for row in found["cells"]:
        if row["kind"] in ("equal", "errors") and row["worlds"]:
            curves.setdefault((row["policy"], row["traffic"]), []).append(row)
    for (who, traffic), rows in curves.items():
        ordered = sorted(rows, key=lambda row: row["size"])
        shares = [row["promoted"]["share"] for row in ordered]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": f"{who}, {ordered[0]['rate']:g}/s",
                "x": [100 * row["size"] for row in ordered],
                "y": shares,
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": [
                        row["promoted"]["interval"][1] - share for row, share in zip(ordered, shares, strict=True)
                    ],
                    "arrayminus": [
                        share - row["promoted"]["interval"][0] for row, share in zip(ordered, shares, strict=True)
                    ],
                },
                "line": {"color": _COLOURS[who], "dash": "solid" if traffic == 1 else "dot"},
            }
        )
    layout = {
        "height": 460,
        "xaxis": {"title": {"text": "failed answers more than the control's, points"}},
        "yaxis": {"title": {"text": "share of worlds in which it is promoted"}, "range": [-0.03, 1.03]},
        "legend": {"orientation": "h", "y": -0.2},
    }
    return {"data": traces, "layout": layout}


def write_plot(found: dict[str, Any], path: Path) -> None:
    """Write the page, whole or not at all.

    Raises:
        AksError: it cannot be written.
    """
    from plotly.io import to_html  # noqa: PLC0415 - heavy, and most gradings write no page

    figure = to_html(
        characteristic(found),
        config={"displayModeBar": False, "responsive": True},
        include_plotlyjs=True,
        full_html=False,
        validate=False,
        div_id="characteristic",
    )
    title = f"How often {found['policy']} of {one_line(found['version'])} promotes what is worse"
    lines = "".join(f"<li>{escape(one_line(line))}</li>" for line in found["open"])
    body = "\n".join(
        [
            f"<header><h1>{escape(title)}</h1></header>",
            f'<figure><div class="plot">{figure}</div><figcaption>Bars are Wilson intervals at 95 %.</figcaption></figure>',
            html.section("Left open", f"<ul>{lines}</ul>") if lines else "",
        ]
    )

    def write(stream: BinaryIO) -> None:
        stream.write(html.page(title, body).encode())

    write_whole(path, write, "--report")
