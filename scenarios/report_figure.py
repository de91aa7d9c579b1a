"""The report's timeline as a Plotly figure in plain data: what came in, what met it, and what came out.

A plain mapping, because it is all that Plotly's JavaScript needs: building it imports nothing heavy.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from akstwin.scenarios.answer import Result
from akstwin.scenarios.report_events import event_panel
from akstwin.scenarios.report_panels import ACCENT, ALARM, GREY, PALE, SHADE, Panel, Shape, TimeAxis, Trace, arrange

STATUS_COLOURS: Final = {"200": "#2a78c2", "500": "#8c2323", "502": "#c23b3b", "503": "#e0932f", "504": "#dd7f7f"}
"""As on a server's page: answered blue, refused orange, broken red (there one red, here one of three)."""
_OTHER_STATUS: Final = "#98a4b0"
_Curve = Callable[..., Trace]


def timeline_figure(result: Result) -> dict[str, Any]:
    """The figure: traces and layout.

    Args:
        result: as design §7.4 has it; it has a timeline.
    """
    time = TimeAxis(result["duration_seconds"])
    figure = arrange([*event_panel(result, time), *_curves(result, time)], time)
    figure["layout"]["shapes"] += _warm_up(result["warm_up_seconds"], time)
    return figure


def _curves(result: Result, time: TimeAxis) -> Iterator[Panel]:
    # Steps are drawn up to the next point, so the last stretch needs one more.
    points = [*result["timeline"], {**result["timeline"][-1], "at": result["duration_seconds"]}]
    at = [time(point["at"]) for point in points]

    def curve(name: str, values: list[float | None], unit: str, *, line: dict[str, Any], **looks: Any) -> Trace:
        return {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": at,
            "y": values,
            "line": {"shape": "hv", "width": 1.6, **line},
            "hovertemplate": f"%{{y:,.4~g}} {unit}".rstrip(),
            "showlegend": False,
            **looks,
        }

    def column(key: str) -> list[float | None]:
        return [point.get(key) for point in points]

    plain = {"color": ACCENT}
    dotted = {"color": GREY, "dash": "dot"}
    yield Panel("Arrivals, requests a second", [curve("arrivals", column("rate"), "a second", line=plain)])
    if result.get("users"):
        yield Panel(
            "Users who wait for their answers",
            [
                curve("active", column("active_users"), "", line=dotted, showlegend=True),
                curve("waiting", column("waiting_users"), "", line=plain, showlegend=True),
            ],
        )
    yield Panel(
        "Replicas",
        [
            curve("asked for", column("desired"), "", line=dotted, showlegend=True),
            curve("ready", column("replicas"), "", line=plain, showlegend=True),
        ],
    )
    yield Panel(
        "Requests waiting in the router's queue",
        [curve("waiting", column("queued"), "", line=plain, fill="tozeroy", fillcolor=PALE)],
    )
    yield _answers([point["status"] for point in points], curve)
    yield _p99(column("p99"), _target(result), curve)


def _answers(counts: list[dict[str, float]], curve: _Curve) -> Panel:
    """Shares of the answers, failures at the bottom: where they are few, the axis shows that part only."""
    totals = [sum(each.values()) for each in counts]
    shares = [
        {status: round(100 * number / total, 4) for status, number in each.items() if number}
        for each, total in zip(counts, totals, strict=True)
    ]
    statuses = sorted({status for each in shares for status in each}, key=lambda status: (status == "200", status))
    failed = max((100 - each.get("200", 0) for each in shares if each), default=0)
    top = min(100.0, 1.3 * failed) if 0 < failed < 60 else 100.0
    traces = [
        curve(
            status,
            [each.get(status, 0) for each in shares],
            "%",
            line={"width": 0, "color": STATUS_COLOURS.get(status, _OTHER_STATUS)},
            fillcolor=STATUS_COLOURS.get(status, _OTHER_STATUS),
            stackgroup="answers",
            showlegend=True,
        )
        for status in statuses
    ]
    return Panel(f"Answers by status, %{'' if top == 100 else ' (axis cut)'}", traces, axis={"range": [0, top]})


def _target(result: Result) -> float | None:
    return next((entry["target"] for entry in result["objectives"] if entry["name"] == "p99"), None)


def _p99(values: list[float | None], target: float | None, curve: _Curve) -> Panel:
    known = [value for value in values if value]
    ratio = max(known) / min(known) if known else 1
    axis = {"type": "log", "dtick": "D2" if ratio < 1000 else 1, "tickformat": ","} if ratio > 20 else {}
    traces = [curve("p99", values, "ms", line={"color": ACCENT})]
    if target is not None:
        # A trace, not a shape: the axis then reaches up to the objective, and the legend says what the line is.
        dashed = {"color": ALARM, "dash": "dash"}
        traces.append(curve("objective", [target] * len(values), "ms", line=dashed, showlegend=True))
    return Panel("p99 latency, ms", traces, axis=axis)


def _warm_up(seconds: float, time: TimeAxis) -> list[Shape]:
    """The stretch that is not counted, shaded."""
    if not seconds:
        return []
    looks = {"type": "rect", "xref": "x", "yref": "paper", "y0": 0, "y1": 1, "fillcolor": SHADE, "line": {"width": 0}}
    label = {"text": "warm-up", "textposition": "bottom left", "font": {"size": 11}}
    return [{**looks, "x0": 0, "x1": time(seconds), "layer": "below", "label": label}]
