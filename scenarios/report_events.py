"""What happened, as the report's uppermost panel: a row of marks for each kind, and lines down through the curves."""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from akstwin.scenarios.answer import Result
from akstwin.scenarios.report_panels import ACCENT, ALARM, GREY, Panel, Shape, TimeAxis, Trace
from akstwin.scenarios.wording import one_line, span

_OPERATIONS: Final = "operations"
_LANES: Final = {
    "fault": "faults",
    "node": "nodes",
    "service": "service",
    "policy": "changes",
    "traffic": "changes",
    "version": "changes",
}
"""The row of an event, by the first word of its kind."""
_ORDER: Final = (*dict.fromkeys(_LANES.values()), _OPERATIONS)
_MOST_LINES: Final = 40
"""Lines at most: faults and nodes come first, a long rollout must not hide the curves."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """Something that happened, in its row."""

    lane: str
    at: float
    text: str


def event_panel(result: Result, time: TimeAxis) -> list[Panel]:
    """The panel, or none where nothing happened."""
    marks = [*_from_events(result), *_from_operations(result)]
    lanes = [lane for lane in _ORDER if any(mark.lane == lane for mark in marks)]
    if not lanes:
        return []
    rows = {"type": "category", "categoryarray": lanes[::-1], "range": [-0.6, len(lanes) - 0.4], "dtick": 1}
    return [
        Panel(
            "Events",
            [_lane(lane, [mark for mark in marks if mark.lane == lane], time) for lane in lanes],
            axis=rows,
            shapes=[_bar(each, time) for each in result["operations"]],
            upright=_lines(marks, time),
            height=16 + 20 * len(lanes),
        )
    ]


def _from_events(result: Result) -> Iterator[_Mark]:
    """Operations have a list of their own, which lacks only those that were refused."""
    for event in result["events"]:
        kind = str(event["kind"])
        lane = _OPERATIONS if kind == "operation_refused" else _LANES.get(kind.partition("_")[0])
        if lane is not None:
            words = (kind.removeprefix("fault_").replace("_", " "), event["subject"], event["detail"])
            yield _Mark(lane, event["at"], ", ".join(one_line(word) for word in words if word))


def _from_operations(result: Result) -> Iterator[_Mark]:
    for each in result["operations"]:
        yield _Mark(_OPERATIONS, each["started"], f"{one_line(each['kind'])} started")
        if each["ended"] is not None:
            yield _Mark(_OPERATIONS, each["ended"], f"{one_line(each['kind'])} {one_line(each['state'])}")


def _lane(lane: str, marks: list[_Mark], time: TimeAxis) -> Trace:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": lane,
        "x": [time(mark.at) for mark in marks],
        "y": [lane] * len(marks),
        # Plotly reads its texts as HTML, quotation marks aside.
        "text": [escape(f"{span(mark.at)}: {mark.text}", quote=False) for mark in marks],
        "hovertemplate": "%{text}<extra></extra>",
        "cliponaxis": False,
        "marker": {"size": 9, "symbol": "diamond", "color": _colour(lane)},
        "showlegend": False,
    }


def _bar(operation: dict[str, Any], time: TimeAxis) -> Shape:
    """From an operation's beginning to its end."""
    ended = operation["ended"]
    return {
        "type": "line",
        "xref": "x",
        "x0": time(operation["started"]),
        "x1": time(time.end if ended is None else min(ended, time.end)),
        "y0": _OPERATIONS,
        "y1": _OPERATIONS,
        "line": {"color": GREY, "width": 4},
        "layer": "below",
    }


def _lines(marks: list[_Mark], time: TimeAxis) -> list[Shape]:
    """One for each instant, as the most serious thing that happened then."""
    chosen: dict[float, str] = {}
    for mark in sorted(marks, key=lambda mark: (_ORDER.index(mark.lane), mark.at)):
        if len(chosen) < _MOST_LINES:
            chosen.setdefault(time(mark.at), mark.lane)
    looks = {"type": "line", "xref": "x", "y0": 0, "y1": 1, "opacity": 0.7, "layer": "below"}
    return [
        {**looks, "x0": at, "x1": at, "line": {"color": _colour(lane, GREY), "width": 1, "dash": "dot"}}
        for at, lane in sorted(chosen.items())
    ]


def _colour(lane: str, otherwise: str = ACCENT) -> str:
    return ALARM if lane == "faults" else otherwise
