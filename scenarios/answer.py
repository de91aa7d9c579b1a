"""The answer in sentences, for whoever shows it: whether the objectives hold, and what was run."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from akstwin.scenarios.wording import between, count, is_floor, one_line, sayer, span

Result = dict[str, Any]


TOTAL: Final = "total"
"""Stands for all services together where a service's name could stand."""


class Verdict(StrEnum):
    """Whether an objective holds."""

    MET = "met"
    NOT_MET = "not met"
    UNPROVEN = "unproven"


@dataclass(frozen=True, slots=True)
class Objective:
    """One objective, in words.

    Attributes:
        name: as the scenario names it.
        value: what came out.
        target: "at most" or "at least" so much.
        interval: 95 per cent of the value; nothing with one replication.
        verdict: whether it holds.
        close: the interval holds values on both sides of the target.
    """

    name: str
    value: str
    target: str
    interval: str
    verdict: Verdict
    close: bool


def services_of(result: Result) -> dict[str, Result]:
    """The results of several services by their names; nothing where there is one."""
    found: dict[str, Result] = result.get("services", {})
    return found


def objectives(result: Result) -> list[Objective]:
    """The objectives in the scenario's order; of several services, those of the total, then each service's, named by it."""
    services = services_of(result)
    found = [_objective(entry, result["intervals"]) for entry in result["objectives"]]
    if not services:
        return found
    named = [replace(each, name=f"{TOTAL}: {each.name}") for each in found]
    for name, each in services.items():
        named += [replace(objective, name=f"{one_line(name)}: {objective.name}") for objective in objectives(each)]
    return named


def all_met(result: Result) -> bool:
    """Whether every objective is met, those of each service and of the total."""
    return all(each["met"] is True for one in (result, *services_of(result).values()) for each in one["objectives"])


def _objective(entry: dict[str, Any], intervals: dict[str, list[float]]) -> Objective:
    if entry["name"] == "survives":
        return _survival(entry)
    name, target = entry["name"], float(entry["target"])
    say = sayer(name)
    places = (f"objectives.{name}", f"latency_ms.{name}", f"{name}.total")
    ends = next((intervals[place] for place in places if place in intervals), [])
    value, goal = _told_apart(entry["value"], target, say)
    return Objective(
        name=label_of(entry),
        value=value,
        target=f"at {'least' if is_floor(name) else 'most'} {goal}",
        interval=between(ends, say),
        verdict=_verdict(entry),
        close=len(ends) == 2 and ends[0] < target < ends[1],
    )


def label_of(entry: dict[str, Any]) -> str:
    """An objective's name; in a plan for several services, after that of its service."""
    name = one_line(entry["name"])
    return f"{one_line(entry['service'] or TOTAL)}: {name}" if "service" in entry else name


def _survival(entry: dict[str, Any]) -> Objective:
    worst = entry["worst"]
    value, _ = _told_apart(worst["value"], float(worst["target"]), sayer(worst["name"]))
    return Objective(
        name=label_of(entry),
        value=f"{one_line(worst['name'])} {value}",
        target=f"without node {worst['node']}",
        interval="",
        verdict=_verdict(entry),
        close=False,
    )


def _verdict(entry: dict[str, Any]) -> Verdict:
    if entry["met"] == "unproven":
        return Verdict.UNPROVEN
    return Verdict.MET if entry["met"] else Verdict.NOT_MET


def _told_apart(value: float | None, target: float, say: Callable[[float | None], str]) -> tuple[str, str]:
    """Both in words; in full where rounding would hide that they differ, as if 300.04 ms were 300.0 ms."""
    if value is None or value == target or say(value) != say(target):
        return say(value), say(target)
    unit = " ms" if say(value).endswith(" ms") else ""
    return f"{value:.9g}{unit}", f"{target:.9g}{unit}"


def headline(result: Result) -> tuple[Verdict | None, str]:
    """The answer in one sentence, and its verdict; None without objectives."""
    found = objectives(result)
    missed = [each.name for each in found if each.verdict is Verdict.NOT_MET]
    if not found:
        return None, "No objectives were set, so nothing is judged."
    if missed:
        text = f"{len(missed)} of {len(found)} objectives" if len(found) > 1 else "The objective"
        return Verdict.NOT_MET, f"{text} {'are' if len(missed) > 1 else 'is'} not met: {', '.join(missed)}."
    subject = "All objectives are" if len(found) > 1 else "The objective is"
    if any(each.verdict is Verdict.UNPROVEN for each in found):
        return Verdict.UNPROVEN, f"{subject} met in the simulation, but that is unproven: CPU is oversubscribed."
    return Verdict.MET, f"{subject} met."


def made_of(result: Result) -> str:
    """What was run, in one line."""
    runs = result["replications"]
    warm_up = f" ({span(result['warm_up_seconds'])} of warm-up not counted)" if result["warm_up_seconds"] else ""
    return (
        f"{one_line(result['scenario'])}: {span(result['duration_seconds'])}{warm_up}, "
        f"{runs} replication{'' if runs == 1 else 's'}, seed {result['seed']}."
    )


def service_line(result: Result) -> str:
    """What the service is like in the end, or each of several."""
    services = services_of(result)
    if services:
        return " ".join(service_line(each) for each in services.values())
    service = result["service"]
    shares = ", ".join(f"{one_line(name)} {percent:g} %" for name, percent in service["shares"].items())
    split = f"; traffic: {shares}" if len(service["shares"]) > 1 else ""
    return f"Service {one_line(service['name'])} is {one_line(service['state'])} in the end{split}."


def requests_line(result: Result) -> str:
    """How many requests the figures are about."""
    retries = f", of which {count(result['retries'])} were retries" if result["retries"] else ""
    a_run = " a replication, on average" if result["replications"] > 1 else ""
    return f"{count(result['requests'])} requests{retries}{a_run}."


def changed_assumptions(result: Result) -> list[tuple[str, str]]:
    """What is assumed differently, by key."""
    return [(one_line(key), one_line(value)) for key, value in result["assumptions"].items()]
