"""The smallest value of a setting that meets all objectives: bisection under common random numbers."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from akstwin.errors import InvalidSetting
from akstwin.scenarios.load import Prepared, prepare, set_value
from akstwin.scenarios.measure import Measurement
from akstwin.scenarios.run import run
from akstwin.scenarios.simulate import build

TAKES_IT = (
    "Only these values were tried. The search takes it that more is better: where it is not (patience, a target), another "
    "value may do, so try it with run --set."
)
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

    The search takes it that more is better, up to what the cluster has room for: it first finds the largest value that
    can start at all, tries both ends, then halves. Every value meets the same traffic and the same service draws.

    Args:
        document: the scenario as plain data.
        path: its file.
        over: what to vary.
        progress: hears of each value that was tried.

    Returns:
        `{"scenario", "over", "low", "high", "value", "tried": [...], "notes": [...]}`; `value` is None if none meets them.

    Raises:
        BadScenario: the scenario is wrong whatever the value.
        InvalidSetting: there is nothing to meet.
    """
    search = _Search(document, path, over, progress)
    found = search.smallest()
    ordered = [search.tried[value] for value in sorted(search.tried)]
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


class _Search:
    """One search: what was tried, and how to try more."""

    def __init__(self, document: dict[str, Any], path: Path, over: Over, progress: Callable[[Tried], None]) -> None:
        self._document = document
        self._path = path
        self._over = over
        self._progress = progress
        self.tried: dict[int, Tried] = {}

    def smallest(self) -> int | None:
        """Between the two ends, by halves."""
        over = self._over
        if self._meets(over.low):
            return over.low
        most = self._most_that_start()
        if most is None or most == over.low or not self._meets(most):
            return None
        return _first(over.low, most, self._meets)

    def _most_that_start(self) -> int | None:
        """The largest value whose replicas fit on the cluster; None: not even the smallest."""
        over = self._over
        refusal = self._refusal(over.high)
        if refusal is None:
            return over.high
        self._note(Tried(over.high, [], refusal))
        if self.tried[over.low].refused is not None:
            return None
        return _first(over.low, over.high, lambda value: self._refusal(value) is not None) - 1

    def _refusal(self, value: int) -> str | None:
        """Why a value cannot start; None: it can."""
        prepared = self._prepared(value)
        versions = [version.name for version in prepared.service.versions]
        try:
            build(prepared, 1, Measurement(prepared.scenario.warm_up, prepared.scenario.duration, versions)).close()
        except InvalidSetting as error:
            return str(error)
        return None

    def _meets(self, value: int) -> bool:
        if value not in self.tried:
            prepared = self._prepared(value)
            if not prepared.scenario.objectives.any_given:
                raise InvalidSetting("objectives", None, "at least one: a plan needs something to meet")
            try:
                self._note(Tried(value, run(prepared)["objectives"]))
            except InvalidSetting as error:
                self._note(Tried(value, [], str(error)))
        return self.tried[value].meets

    def _prepared(self, value: int) -> Prepared:
        changed = deepcopy(self._document)
        set_value(changed, self._over.place, value)
        return prepare(changed, self._path)

    def _note(self, tried: Tried) -> None:
        self.tried[tried.value] = tried
        self._progress(tried)


def _first(fails: int, holds: int, test: Callable[[int], bool]) -> int:
    """The smallest value that holds, between one that fails and one that holds."""
    while holds - fails > 1:
        middle = (fails + holds) // 2
        if test(middle):
            holds = middle
        else:
            fails = middle
    return holds


def _notes(ordered: list[Tried], found: int | None) -> list[str]:
    notes = [f"{each.value} cannot start: {each.refused}" for each in ordered if each.refused][:1]
    if found is not None:
        return [*notes, TAKES_IT]
    notes.append(TAKES_IT)
    if any(each["met"] == "unproven" for tried in ordered for each in tried.objectives):
        notes.append("An objective that is met while nodes are short of CPU is unproven, and does not count as met.")
    return notes
