"""Users who wait for their answers: how many are there, how many of them wait, and what they ask for meanwhile."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from akstwin.clock import SECOND
from akstwin.domain.workload import ClosedLoopUsers, mean_of
from akstwin.scenarios.load import Prepared
from akstwin.scenarios.measure import Measurement, UserFigures
from akstwin.scenarios.model import Scenario
from akstwin.scenarios.services import placed
from akstwin.scenarios.wording import count, one_line
from akstwin.sim.engine.outcomes import Outcomes
from akstwin.sim.load.request_index import RequestIdentity
from akstwin.sim.load.users import WaitingUsers

_Instants = npt.NDArray[np.int64]


class UserWatch:
    """Hears the answers of the users of a scenario's service in one replication.

    Args:
        prepared: the scenario of one service.
        replication: 1, 2, …
        measurement: what its figures are kept in.
    """

    def __init__(self, prepared: Prepared, replication: int, measurement: Measurement) -> None:
        scenario, service = prepared.scenario, f"{prepared.service.name}/"
        warm_up, duration = measurement.window
        edges = sorted({*range(0, duration, measurement.step), warm_up, duration})
        self._edges = np.array(edges, np.int64)
        self._users: dict[int, WaitingUsers] = {}
        self._figures = measurement.users
        for entry, each in enumerate(scenario.traffic):
            if isinstance(each, ClosedLoopUsers):
                self._users[entry] = WaitingUsers(each, scenario.clients, scenario.seed, replication, entry, service)
                self._figures[entry] = UserFigures(edges, [0] * (len(edges) - 1))

    def answered(self, outcomes: Outcomes) -> None:
        """Add up how long users waited."""
        entries, numbers = np.asarray(outcomes.entry), np.asarray(outcomes.number)
        came, left = np.asarray(outcomes.arrived, np.int64), np.array(outcomes.answered, np.int64)
        status, attempt = np.asarray(outcomes.status), np.asarray(outcomes.attempt)
        counted = np.asarray(outcomes.counted) == 1
        for entry, users in self._users.items():
            mine, figures = entries == entry, self._figures[entry]
            inside = mine & counted
            figures.requests += int(inside.sum())
            figures.answered += int((inside & (status == 200)).sum())
            figures.retries += int((inside & (attempt > 0)).sum())
            for row in np.flatnonzero(mine & (status != 200)).tolist():
                identity = RequestIdentity(entry, int(numbers[row]), int(attempt[row]))
                left[row] += users.wait_before_retry(identity, int(status[row])) or 0
            self._add(came[mine], left[mine], figures)

    def _add(self, came: _Instants, left: _Instants, figures: UserFigures) -> None:
        if not len(came):
            return
        first = max(0, int(np.searchsorted(self._edges, came.min(), "right")) - 1)
        last = int(np.searchsorted(self._edges, left.max(), "left"))
        edges = self._edges[first : last + 1]
        waited = (np.minimum.outer(edges, left) - np.minimum.outer(edges, came)).sum(axis=1)
        for place, area in enumerate(np.diff(waited).tolist(), start=first):
            figures.waiting[place] += area

    def happened(self, at: int, kind: str, subject: str, detail: str = "") -> None:
        """Only answers are looked at."""


def users_of(scenario: Scenario) -> dict[int, ClosedLoopUsers]:
    """The traffic entries whose users wait, by their number."""
    return {entry: each for entry, each in enumerate(scenario.traffic) if isinstance(each, ClosedLoopUsers)}


def waiting_entries(prepared: Prepared) -> list[tuple[str, int]]:
    """The traffic entries whose users wait, by service and number."""
    return [(part.service.name, entry) for part in prepared.parts for entry in users_of(part.scenario)]


def _active_area(users: ClosedLoopUsers, start: int, end: int) -> int:
    """User-microseconds between two instants, of users who have begun."""
    if users.spawn_rate is None:
        return users.users * (end - start)
    begun = np.array([users.begins(user) for user in range(users.users)], np.int64)
    return int(np.maximum(0, end - np.maximum(start, begun)).sum())


def users_result(scenario: Scenario, measurements: Sequence[Measurement]) -> list[dict[str, Any]]:
    """What the result says of each entry with users who wait: means over the window and the replications."""
    start, end = scenario.warm_up, scenario.duration
    seconds = (end - start) / SECOND
    found = []
    for entry, users in users_of(scenario).items():
        each = [measurement.users[entry] for measurement in measurements]
        active = _active_area(users, start, end) / (end - start)
        found.append(
            {
                "entry": entry,
                "users": users.users,
                "active": round(active, 6),
                "waiting": round(_mean([one.waiting_between(start, end) / (end - start) for one in each]), 6),
                "rate": round(_mean([one.requests / seconds for one in each]), 6),
                "rate_answered": round(_mean([one.answered / seconds for one in each]), 6),
                "rate_without_waiting": round(active * SECOND / mean_of(users.think_time), 6),
                "retries": round(_mean([one.retries for one in each]), 6),
            }
        )
    return found


def user_figures(scenario: Scenario, measurement: Measurement) -> dict[str, float]:
    """Figures of one replication that have intervals, by their place in the result."""
    return {
        f"users.{each['entry']}.{name}": each[name]
        for each in users_result(scenario, [measurement])
        for name in ("rate", "rate_answered", "waiting")
    }


def users_of_point(scenario: Scenario, measurements: Sequence[Measurement], start: int, end: int) -> dict[str, float]:
    """Users who have begun and users who wait, on average over a stretch of the timeline; nothing without users who wait."""
    entries = users_of(scenario)
    if not entries:
        return {}
    active = sum(_active_area(each, start, end) for each in entries.values())
    waiting = [sum(one.users[entry].waiting_between(start, end) for entry in entries) for one in measurements]
    return {
        "active_users": round(active / (end - start), 4),
        "waiting_users": round(_mean(waiting) / (end - start), 4),
    }


def users_notes(prepared: Prepared, measurements: Sequence[Measurement]) -> list[str]:
    """What a reader must know of figures that users make who wait; of the scenario of one service."""
    scenario, notes = prepared.scenario, []
    for each in users_result(scenario, measurements):
        place = placed(prepared.where, f"traffic[{each['entry']}]")
        users = users_of(scenario)[each["entry"]]
        if users.begins(users.users - 1) >= scenario.duration:
            late = sum(users.begins(user) >= scenario.duration for user in range(users.users))
            notes.append(f"{place}: {count(late)} of {count(users.users)} users begin after the end of the duration.")
        if each["active"]:
            notes.append(
                f"{place}: {count(each['active'])} users who wait for their answers sent "
                f"{_rate(each['rate'])} requests a second; answered at once, they would send "
                f"{_rate(each['rate_without_waiting'])}. Callers who do not wait (shape: poisson) find longer queues."
            )
    return [one_line(note) for note in notes]


def _rate(value: float) -> str:
    return f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
