"""Panels under each other on one axis of time: their looks, and where they stand in a Plotly layout."""

import math
from dataclasses import dataclass, field
from typing import Any, Final

Trace = dict[str, Any]
Shape = dict[str, Any]

# Colours that can be read on white and on black.
ACCENT: Final = "#2f7fb8"
PALE: Final = "rgba(47,127,184,0.18)"
ALARM: Final = "#d1495b"
GREY: Final = "#8a94a0"
SHADE: Final = "rgba(128,140,152,0.16)"
_FAINT: Final = "rgba(128,140,152,0.22)"
_CLEAR: Final = "rgba(0,0,0,0)"
_FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif"

_GAP = 38
"""Above each panel, for its title, in pixels."""
_LEGEND = 20
"""And for its legend."""
_FOOT = 44
"""Below the last one, for the axis of time."""


@dataclass(slots=True)
class Panel:
    """A part of the figure with a value axis of its own.

    Attributes:
        title: what is shown, and its unit.
        traces: the curves.
        axis: what is special about its value axis.
        shapes: drawn on its value axis.
        upright: drawn through all panels.
        height: in pixels.
    """

    title: str
    traces: list[Trace]
    axis: dict[str, Any] = field(default_factory=dict)
    shapes: list[Shape] = field(default_factory=list)
    upright: list[Shape] = field(default_factory=list)
    height: int = 150

    @property
    def gap(self) -> int:
        """Above it, for its title and, on a line of its own, its legend."""
        return _GAP + _LEGEND * any(trace["showlegend"] for trace in self.traces)


class TimeAxis:
    """Seconds in the unit that fits the run.

    Args:
        end: its length, in seconds.
    """

    def __init__(self, end: float) -> None:
        self.end = end
        units = ((300, 1, "seconds"), (4 * 3600, 60, "minutes"), (math.inf, 3600, "hours"))
        self._unit, self.name = next((unit, name) for most, unit, name in units if end <= most)

    def __call__(self, seconds: float) -> float:
        """An instant of the run, in the unit."""
        return round(seconds / self._unit, 6)

    def axis(self, panels: int) -> dict[str, Any]:
        """The axis of time, under the last panel."""
        return {
            "anchor": _nth("y", panels),
            "range": [0, self(self.end)],
            "title": {"text": f"{self.name} since the start"},
            "gridcolor": _FAINT,
            "zeroline": False,
            "showspikes": True,
            "spikemode": "across",
            "spikethickness": 1,
            "spikedash": "solid",
            "spikecolor": GREY,
            "hoverformat": ".4~g",
            "unifiedhovertitle": {"text": f"%{{x}} {self.name}"},
        }


def arrange(panels: list[Panel], time: TimeAxis) -> dict[str, Any]:
    """A figure of all panels, the first on top."""
    height = sum(panel.height + panel.gap for panel in panels)
    layout = _frame(height + _FOOT)
    layout["xaxis"] = time.axis(len(panels))
    traces: list[Trace] = []
    top = 0
    for number, panel in enumerate(panels, start=1):
        top += panel.gap
        _place(panel, number, (1 - (top + panel.height) / height, 1 - top / height), layout)
        on = {"xaxis": "x", "yaxis": _nth("y", number), "legend": _nth("legend", number)}
        traces += [{**trace, **on} for trace in panel.traces]
        top += panel.height
    return {"data": traces, "layout": layout}


def _frame(height: int) -> dict[str, Any]:
    return {
        "height": height,
        "margin": {"l": 76, "r": 14, "t": 0, "b": _FOOT},
        "paper_bgcolor": _CLEAR,
        "plot_bgcolor": _CLEAR,
        "font": {"family": _FONT, "size": 12, "color": GREY},
        "hovermode": "x unified",
        "hoversubplots": "axis",
        "hoverlabel": {"bgcolor": "#ffffff", "bordercolor": GREY, "font": {"color": "#1d2733", "size": 12}},
        "showlegend": True,
        "shapes": [],
        "annotations": [],
    }


def _nth(name: str, number: int) -> str:
    return name if number == 1 else f"{name}{number}"


def _place(panel: Panel, number: int, domain: tuple[float, float], layout: dict[str, Any]) -> None:
    """Give a panel its axis, title and legend between two heights, as parts of the whole."""
    bottom, top = domain
    layout[_nth("yaxis", number)] = {
        "domain": [round(max(bottom, 0.0), 6), round(top, 6)],
        "anchor": "x",
        "gridcolor": _FAINT,
        "zeroline": False,
        "rangemode": "tozero",
        "fixedrange": True,
        "nticks": 5,
        "ticks": "outside",
        "ticklen": 5,
        "tickcolor": _CLEAR,
        **panel.axis,
    }
    layout[_nth("legend", number)] = {
        "orientation": "h",
        "traceorder": "normal",
        "x": 0,
        "xanchor": "left",
        "y": round(top, 6),
        "yanchor": "bottom",
        "bgcolor": _CLEAR,
        "font": {"size": 11},
    }
    layout["annotations"].append(
        {
            "text": f"<b>{panel.title}</b>",
            "xref": "paper",
            "yref": "paper",
            "x": 0,
            "xanchor": "left",
            "y": round(top, 6),
            "yanchor": "bottom",
            "yshift": 3 + panel.gap - _GAP,
            "showarrow": False,
            "font": {"size": 13},
        }
    )
    layout["shapes"] += [{**shape, "yref": _nth("y", number)} for shape in panel.shapes]
    layout["shapes"] += [{**shape, "yref": "paper"} for shape in panel.upright]
