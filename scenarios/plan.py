"""The smallest value of a setting that meets all objectives: bisection under common random numbers."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from akstwin.errors import InvalidSetting
from akstwin.scenarios.load import prepare, set_value
from akstwin.scenarios.run import run

OVER_FORM = "PATH=LOW..HIGH with whole numbers, such as webservice.deploy.num_replicas=1..50"


@dataclass(frozen=True, slots=True)
class Over:
    """The setting that is looked for, and where."""

    place: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Tried:
    """One value with what came of it.

    Attributes:
        value: of the setting.
        objectives: as in a result.
        refused: why the value could not be run at all.
    """

    value: int
    objectives: list[dict[str, Any]]
    refused: str | None = None

    @property
    def meets(self) -> bool:
        """Whether all objectives are met; an unproven one is not."""
        return self.refused is None and all(each["met"] is True for each in self.objectives)


def parse_over(text: str) -> Over:
    """`PATH=LOW..HIGH`.

    Raises:
        InvalidSetting: it is something else.
    """
    place, equals, span = text.partition("=")
    low, dots, high = span.partition("..")
    try:
        over = Over(place.strip(), int(low), int(high))
    except ValueError:
        raise InvalidSetting("--over", text, OVER_FORM) from None
    if not (equals and dots and over.place) or over.low > over.high:
        raise InvalidSetting("--over", text, OVER_FORM)
    return over


def plan(
    document: dict[str, Any], path: Path, over: Over, *, progress: Callable[[Tried], None] = lambda _: None
) -> dict[str, Any]:
    """Look for the smallest value that meets all objectives.

    The search takes it that more is better: it tries both ends, then halves. Every value meets the same traffic and the
    same service draws. A value that cannot start (its replicas do not fit) does not meet them.

    Args:
        document: the scenario as plain data.
        path: its file.
        over: what to vary.
        progress: hears of each value that was tried.

    Returns:
        `{"scenario", "over", "low", "high", "value", "tried": [...]}`; `value` is None if none meets them.

    Raises:
        BadScenario: the scenario is wrong whatever the value.
        InvalidSetting: there is nothing to meet.
    """
    tried: dict[int, Tried] = {}

    def attempt(value: int) -> Tried:
        if value not in tried:
            changed = deepcopy(document)
            set_value(changed, over.place, value)
            prepared = prepare(changed, path)
            if not any(True for _ in prepared.scenario.objectives.given()):
                raise InvalidSetting("objectives", None, "given: a plan needs something to meet")
            try:
                tried[value] = Tried(value, run(prepared)["objectives"])
            except InvalidSetting as error:
                tried[value] = Tried(value, [], str(error))
            progress(tried[value])
        return tried[value]

    found = _smallest(over, attempt)
    ordered = [tried[value] for value in sorted(tried)]
    return {
        "scenario": path.stem,
        "over": over.place,
        "low": over.low,
        "high": over.high,
        "value": found,
        "tried": [
            {"value": each.value, "meets": each.meets, "objectives": each.objectives, "refused": each.refused}
            for each in ordered
        ],
        "notes": _notes(ordered, found),
    }


def _smallest(over: Over, attempt: Callable[[int], Tried]) -> int | None:
    if attempt(over.low).meets:
        return over.low
    if over.low == over.high or not attempt(over.high).meets:
        return None
    fails, meets = over.low, over.high
    while meets - fails > 1:
        middle = (fails + meets) // 2
        if attempt(middle).meets:
            meets = middle
        else:
            fails = middle
    return meets


def _notes(ordered: list[Tried], found: int | None) -> list[str]:
    if found is not None:
        return []
    notes = ["No value was found: the largest does not meet all objectives."]
    if any(each["met"] == "unproven" for tried in ordered for each in tried.objectives):
        notes.append("An objective that is met while nodes are short of CPU is unproven, and does not count as met.")
    return notes
