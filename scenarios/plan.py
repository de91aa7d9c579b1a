"""The smallest, largest or cheapest values of one or two settings that meet all objectives, as far as chance lets it be told.

Every value meets the same traffic and the same service draws (common random numbers). Ten replications of a value are looked
at first, then twice as many, and so on, until the intervals say of it "met" or "not met", or a cap is reached: then it cannot
be told. The first look is at 95 per cent, later ones are at 98: who looks more often is fooled more often. A value is
the answer only if it is met and its neighbour is not met.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from itertools import product
from pathlib import Path
from typing import Any, Final

from akstwin.domain.cluster import ClusterSpec
from akstwin.errors import InvalidSetting
from akstwin.scenarios.evidence import assess, cost_with_interval, together
from akstwin.scenarios.load import BadScenario, Prepared, prepare, set_value
from akstwin.scenarios.measure import Measurement
from akstwin.scenarios.objectives import variants_of
from akstwin.scenarios.over import OVER_FORM, Over, parse_over
from akstwin.scenarios.plan_notes import notes_on
from akstwin.scenarios.replicating import Replicator, Task
from akstwin.scenarios.simulate import build, measurement_of
from akstwin.scenarios.tried import FLOOR, ROUNDS, Direction, Found, Stopping, Telling, Tried, Values, Watcher

__all__ = [
    "FLOOR",
    "OVER_FORM",
    "Direction",
    "Over",
    "Stopping",
    "Tried",
    "Watcher",
    "parse_over",
    "plan",
    "stopping_of",
]

MOST_CELLS: Final = 200


def plan(
    document: dict[str, Any],
    path: Path,
    over: Over | Sequence[Over],
    *,
    prefer: Direction | None = None,
    stopping: Stopping | None = None,
    jobs: int | None = None,
    watcher: Watcher | None = None,
    engine: str = "auto",
) -> dict[str, Any]:
    """Look for the values that meet all objectives.

    Args:
        document: the scenario as plain data.
        path: its file.
        over: what to vary: one setting, or two as a grid.
        prefer: the smallest, the largest or the cheapest; None: the smallest of numbers, the cheapest of words or a grid. Of
            numbers, low takes it that more is better, and high that less is.
        stopping: how many replications; None: ten or the scenario's, whichever is more, up to four times that.
        jobs: processes at most; None: as many as there are processors. The answer does not depend on it.
        watcher: hears how it gets on.
        engine: auto, compiled or reference (`scenarios.engines`); the answer does not depend on it.

    Returns:
        The answer and all that was tried, as docs/reference/plan.md has it.

    Raises:
        BadScenario: the scenario is wrong whatever the value.
        InvalidSetting: there is nothing to meet, or what is asked cannot be compared.
    """
    overs = (over,) if isinstance(over, Over) else tuple(over)
    _check_overs(overs)
    direction: Direction = prefer or ("low" if len(overs) == 1 and overs[0].numeric else "cheapest")
    heard = watcher or Watcher()
    stop = stopping or stopping_of(document)
    with Replicator(jobs, engine) as replicator:
        search = _Search(document, path, overs, stop, replicator, heard)
        found = _by_halves(search, direction) if _has_halves(overs, direction) else _in_turn(search, direction)
    return _answer(search, direction, found)


def stopping_of(document: Mapping[str, Any]) -> Stopping:
    """The scenario's replications, but ten at least, and up to four times that."""
    given = document.get("replications")
    first = max(FLOOR, given) if isinstance(given, int) else FLOOR
    return Stopping(first, first << ROUNDS)


def _check_overs(overs: Sequence[Over]) -> None:
    if not overs or len(overs) > 2:
        raise InvalidSetting("--over", len(overs), "one setting, or two as a grid")
    if len({each.place for each in overs}) < len(overs):
        raise InvalidSetting("--over", overs[0].place, "two different settings")
    cells = 1
    for each in overs:
        cells *= len(each.values)
    if (len(overs) > 1 or not overs[0].numeric) and cells > MOST_CELLS:
        raise InvalidSetting(
            "--over", f"{cells} cells", f"at most {MOST_CELLS} cells of a grid: narrow a span or list fewer"
        )


class _Search:
    """What was tried, and how to try more."""

    def __init__(
        self,
        document: dict[str, Any],
        path: Path,
        overs: Sequence[Over],
        stopping: Stopping,
        replicator: Replicator,
        watcher: Watcher,
    ) -> None:
        self.name = path.stem
        self._document = document
        self._path = path
        self.overs = overs
        self.stopping = stopping
        self._replicator = replicator
        self._watcher = watcher
        self._measured: dict[Values, dict[Task, Measurement]] = {}
        self._prepared: dict[Values, Prepared] = {}
        self._now: tuple[Values, int, int] = ((), 0, 0)
        self.tried: dict[Values, Tried] = {}
        self.wrong: BadScenario | None = None

    def cells(self) -> list[Values]:
        """All values, or all pairs of them."""
        return list(product(*(each.values for each in self.overs)))

    def _working(self, done: float) -> None:
        """Pass on how the replications get on."""
        values, before, asked = self._now
        self._watcher.working(values, before + done, asked)

    def refusal(self, values: Values) -> str | None:
        """Why these values cannot start; None: they can."""
        if values in self.tried:
            return self.tried[values].refused
        try:
            prepared = self._prepare(values)
        except BadScenario as error:
            self.wrong = self.wrong or error
            return str(error.args[1])
        try:
            build(prepared, 1, measurement_of(prepared)).close()
        except InvalidSetting as error:
            return str(error)
        return None

    def refuse(self, values: Values, refusal: str) -> Tried:
        """Note values that cannot start."""
        self.tried[values] = Tried(values, refused=refusal)
        self._watcher.tried(self.tried[values])
        return self.tried[values]

    def tell(self, values: Values, looks: int | None = None) -> Tried:
        """Look at these values until they can be told, or so often."""
        known = self.tried.get(values)
        if known is not None and (
            known.refused
            or known.verdict is not Telling.CANNOT_TELL
            or looks == 1
            or known.replications == self.stopping.most
        ):
            return known
        refusal = self.refusal(values)
        if refusal is not None:
            return self.refuse(values, refusal)
        prepared = self._prepare(values)
        variants = variants_of(prepared)
        measured = self._measured.setdefault(values, {})
        for number, (count, level) in enumerate(self.stopping.looks(), start=1):
            if known is not None and count <= known.replications:
                continue
            have = len(measured) // len(variants)
            self._now = (values, have * len(variants), count * len(variants))
            try:
                measured |= self._replicator.measure(variants, range(have + 1, count + 1), self._working)
            except InvalidSetting as error:
                return self.refuse(values, str(error))
            tried = self._look(values, prepared, count, level)
            if tried.verdict is not Telling.CANNOT_TELL or number == looks:
                break
        if self.tried[values].verdict is not Telling.CANNOT_TELL or count == self.stopping.most:
            del self._measured[values]  # enough is known, and measurements are large
        self._watcher.tried(self.tried[values])
        return self.tried[values]

    def _look(self, values: Values, prepared: Prepared, count: int, level: float) -> Tried:
        measured = self._measured[values]
        by_node = {node: [measured[node, number] for number in range(1, count + 1)] for node in variants_of(prepared)}
        objectives = assess(prepared, by_node, level)
        cost = cost_with_interval(prepared, by_node[None], level)
        tried = Tried(values, together(objectives), objectives, count, level, cost)
        self.tried[values] = tried
        return tried

    def _prepare(self, values: Values) -> Prepared:
        if values not in self._prepared:
            changed = deepcopy(self._document)
            for each, value in zip(self.overs, values, strict=True):
                set_value(changed, each.place, value)
            prepared = prepare(changed, self._path)
            if not prepared.any_objective:
                raise InvalidSetting("objectives", None, "at least one: a plan needs something to meet")
            self._prepared = {values: prepared}  # files it names may be large: only the last is kept
        return self._prepared[values]

    def cluster(self, values: Values) -> ClusterSpec:
        """What these values run on."""
        return self._prepare(values).scenario.cluster


# -- numbers: by halves


def _has_halves(overs: Sequence[Over], direction: Direction) -> bool:
    return len(overs) == 1 and overs[0].numeric and direction != "cheapest"


def _by_halves(search: _Search, direction: Direction) -> Found:
    """Values get better along the order of preference, up to what can start: both ends, then the middle of what is left."""
    values = search.overs[0].values
    order = values if direction == "low" else values[::-1]
    first, last = _that_start(search, order)
    if first is None or last is None:
        if search.wrong is not None:
            raise search.wrong
        return Found(None, None, ())

    def at(place: int) -> Tried:
        return search.tell((order[place],))

    if at(first).meets:
        return Found(at(first), search.tried.get((order[first - 1],)) if first else None, ())
    if last == first or not at(last).meets:
        return Found(None, None, _untold(search))
    best = _first(first, last, lambda place: at(place).meets)
    before = at(best - 1)
    return Found(at(best), before, (before,) if before.verdict is Telling.CANNOT_TELL else ())


def _untold(search: _Search) -> tuple[Tried, ...]:
    return tuple(each for each in search.tried.values() if each.is_open)


def _that_start(search: _Search, order: Sequence[Any]) -> tuple[int | None, int | None]:
    """The first and the last place that can start: those between them can, too."""

    def starts(place: int) -> bool:
        return search.refusal((order[place],)) is None

    def note(place: int) -> None:
        refusal = search.refusal((order[place],))
        if refusal is not None:
            search.refuse((order[place],), refusal)

    end = len(order) - 1
    some = next((place for place in _spread(end) if starts(place)), None)
    if some is None:
        note(0)
        note(end)
        return None, None
    first = 0 if starts(0) else _first(0, some, starts)
    last = end if starts(end) else _first(some, end, lambda place: not starts(place)) - 1
    for place in {0, first - 1} if first else ():
        note(place)
    if last < end:
        note(end)
    return first, last


def _spread(end: int) -> Iterator[int]:
    """Both ends, then places between them, ever closer."""
    seen = set()
    for parts in (1, 2, 4, 8, 16, 32, 64):
        for part in range(parts + 1):
            place = end * part // parts
            if place not in seen:
                seen.add(place)
                yield place


def _first(fails: int, holds: int, test: Callable[[int], bool]) -> int:
    """The smallest place that holds, between one that fails and one that holds."""
    while holds - fails > 1:
        middle = (fails + holds) // 2
        if test(middle):
            holds = middle
        else:
            fails = middle
    return holds


# -- words and grids: in turn


def _in_turn(search: _Search, direction: Direction) -> Found:
    """In the order of preference, until one is met: all before it must be not met."""
    cells = search.cells()
    if all(search.refusal(values) is not None for values in cells):
        if search.wrong is not None:
            raise search.wrong
        for values in cells:
            search.tell(values)
        return Found(None, None, ())
    order = _by_cost(search, cells) if direction == "cheapest" else cells if direction == "low" else cells[::-1]
    passed: list[Tried] = []
    for values in order:
        tried = search.tell(values)
        if tried.meets:
            return Found(tried, passed[-1] if passed else None, tuple(each for each in passed if each.is_open))
        passed.append(tried)
    return Found(None, None, tuple(each for each in passed if each.is_open))


def _by_cost(search: _Search, cells: Sequence[Values]) -> list[Values]:
    """From the cheapest on; of equal cost, in the order given. What cannot start comes first, as it costs no run."""
    clusters = {values: search.cluster(values) for values in cells if search.refusal(values) is None}
    sizes = [cluster.vm_size for cluster in clusters.values()]
    unknown = next((values for values, each in clusters.items() if each.vm_size.hourly_price is None), None)
    if unknown is not None and any(size != sizes[0] for size in sizes):
        raise InvalidSetting(
            "--prefer", "cheapest",
            f"possible: the price of an hour is not known for {', '.join(map(str, unknown))}; give vm_size as a mapping with "
            "hourly_price, or say --prefer low or high, which takes the order of the list",
        )  # fmt: skip
    grows = any(cluster.max_nodes is not None for cluster in clusters.values())
    costs: dict[Values, float] = {}
    for values, cluster in clusters.items():
        price = 1.0 if cluster.vm_size.hourly_price is None else cluster.vm_size.hourly_price
        costs[values] = (search.tell(values, looks=1).cost["total"] or 0.0) if grows else price * cluster.nodes
    return [values for values in cells if values not in costs] + sorted(costs, key=lambda values: costs[values])


# -- the answer


def _answer(search: _Search, direction: Direction, found: Found) -> dict[str, Any]:
    overs = search.overs
    places = (
        {values: at for at, values in enumerate(search.cells())} if len(overs) > 1 or not overs[0].numeric else None
    )
    tried = sorted(search.tried.values(), key=lambda each: places[each.values] if places else each.values[0])
    answered = found.best is not None and not found.open
    single = len(overs) == 1
    return {
        "scenario": search.name,
        "over": overs[0].place if single else [each.place for each in overs],
        "low": overs[0].low if single else [each.low for each in overs],
        "high": overs[0].high if single else [each.high for each in overs],
        "prefer": direction,
        "answer": "found" if answered else "cannot tell" if found.open else "none",
        "value": found.best.value if answered and found.best is not None else None,
        "enough": found.best.value if found.best is not None else None,
        "neighbour": found.before.value if found.before is not None else None,
        "replications": {"first": search.stopping.first, "most": search.stopping.most},
        "tried": [
            {
                "value": each.value,
                "meets": each.meets,
                "verdict": "cannot start" if each.refused else each.verdict.value,
                "replications": each.replications,
                "level": each.level,
                "objectives": each.objectives,
                "cost": each.cost,
                "refused": each.refused,
            }
            for each in tried
        ],
        "notes": notes_on(overs, direction, search.stopping, tried, found),
    }
