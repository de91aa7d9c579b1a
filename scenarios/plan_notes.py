"""What a reader of a plan must know: what was taken for granted, and what would help where it cannot be told."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

from akstwin.scenarios.answer import label_of
from akstwin.scenarios.over import Over
from akstwin.scenarios.tried import Direction, Found, Stopping, Telling, Tried
from akstwin.scenarios.wording import between, sayer

TAKES_IT: Final = (
    "Only these values were tried. The search takes it that {better} is better: where it is not (patience, a target), another "
    "value may do, so try it with run --set."
)
INTERVALS: Final = (
    "Intervals are of 95 % after the first look, of 98 % after later ones, from what replications differ by: quantiles by "
    "inverting the test of the share beyond them, shares by Korn and Graubard, means and costs by Student's t. An event that "
    "no replication saw is in none of them."
)
_NEAR: Final = 100
"""Beyond so many times the replications, more of them are no remedy."""


def notes_on(
    overs: Sequence[Over], direction: Direction, stopping: Stopping, tried: Sequence[Tried], found: Found
) -> list[str]:
    """The notes, the most important first."""
    notes = [help_with(each, stopping) for each in found.open[:2]]
    notes += [f"{_shown(each)} cannot start: {each.refused}" for each in tried if each.refused][:1]
    halves = len(overs) == 1 and overs[0].numeric and direction != "cheapest"
    if found.best is not None and found.before is None:
        edge = "first" if not halves else "lowest" if direction == "low" else "highest"
        notes.append(f"{_shown(found.best)} is the {edge} value that was asked for: what lies before it was not tried.")
    if halves:
        notes.append(TAKES_IT.format(better="more" if direction == "low" else "less"))
    if any(each["met"] == "unproven" for one in tried for each in one.objectives):
        notes.append("An objective that is met while nodes are short of CPU is unproven, and does not count as met.")
    if any(each["name"] == "max" for one in tried for each in one.objectives):
        notes.append(
            "max is the largest latency that was seen; it has no interval, and further replications may exceed it."
        )
    if any(one.replications > 1 for one in tried):
        notes.append(INTERVALS)
    return notes


def _shown(tried: Tried) -> str:
    return " with ".join(map(str, tried.values))


def help_with(tried: Tried, stopping: Stopping) -> str:
    """Why a value cannot be told, and what would help."""
    shown = _shown(tried)
    if tried.replications < 2:
        return f"{shown} cannot be told: one replication has no interval. --replications 10 gives one."
    undecided = [each for each in _each(tried.objectives) if each["verdict"] is Telling.CANNOT_TELL]
    unproven = [label_of(each) for each in undecided if each["met"] == "unproven"]
    if len(unproven) == len(undecided):
        return (
            f"{shown} cannot be told: nodes are short of CPU, so {', '.join(unproven)} is unproven. Add nodes or cores."
        )
    worst = max((each for each in undecided if each["met"] != "unproven"), key=_more)
    say = sayer(worst["name"])
    interval, target = worst["interval"], worst["target"]
    if interval is None:
        return (
            f"{shown} cannot be told: the price of its nodes is not known. Give vm_size as a mapping with hourly_price."
        )
    span = between(interval, say) if interval[1] is not None else f"{say(interval[0])} or more"
    said = (
        f"{shown} cannot be told after {tried.replications} replications: {label_of(worst)} is {span}, "
        f"the target {say(target)}."
    )
    more = _more(worst)
    if more > _NEAR:
        return f"{said} That is too near for more replications to help: set the target apart from it, or take the next value."
    needed = math.ceil(tried.replications * max(2.0, more) / 10) * 10
    return (
        f"{said} About {needed} would tell (--max-replications {max(needed, 2 * stopping.most)}), or a longer duration."
    )


def _each(objectives: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for each in objectives:
        if each["name"] == "survives":
            of = {"service": each["service"]} if "service" in each else {}
            for node in each["nodes"]:
                yield from ({**of, **objective} for objective in node["objectives"])
        else:
            yield each


def _more(judged: dict[str, Any]) -> float:
    """How many times the replications would make the interval end before the target."""
    interval, value, target = judged["interval"], judged["value"], judged["target"]
    if interval is None:
        return math.inf
    low, high = interval
    far = abs(target - value)
    end = high if target > value else low
    if end is None:
        return 4.0
    return math.inf if far == 0 else max(1.0, ((end - value) / far) ** 2)
