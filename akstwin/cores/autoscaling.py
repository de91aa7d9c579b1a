"""How many replicas a version should have (semantics §6.2): eager up, conservative down, whole numbers throughout."""

from collections import deque
from dataclasses import dataclass

from akstwin.clock import Micros
from akstwin.domain.deployment import Autoscaled


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What one look came to.

    Attributes:
        at: when.
        replicas: what the demand of the last refresh period needed, within the bounds.
        below_target: whether utilisation was under the target.
    """

    at: Micros
    replicas: int
    below_target: bool


class Autoscaler:
    """The autoscaler of one version. Call `look` every `settings.refresh`.

    Args:
        settings: bounds, period and target.
        slots: requests that one replica takes at once.
        down_window: how long the need must have stayed lower before replicas go.
        now: the window starts here.
    """

    def __init__(self, settings: Autoscaled, slots: int, down_window: Micros, now: Micros) -> None:
        self._settings = settings
        self._slots = slots
        self._down_window = down_window
        self._started = now
        self._area = 0
        self._last = now
        self._recommendations: deque[Recommendation] = deque()
        self._not_below = 0  # of the recommendations
        self._highest: deque[Recommendation] = deque()  # those that no later one reaches, falling

    @property
    def settings(self) -> Autoscaled:
        """Bounds, period and target in force."""
        return self._settings

    @property
    def slots(self) -> int:
        """Requests that one replica takes at once, as counted now."""
        return self._slots

    def restart(self, settings: Autoscaled, slots: int, now: Micros, area: int) -> None:
        """Begin a new window: an update has completed, or a setting changed.

        Args:
            settings: in force from now on.
            slots: likewise.
            now: the present.
            area: what `look` would be told now.
        """
        self._settings, self._slots = settings, slots
        self._started = self._last = now
        self._area = area
        self._recommendations.clear()
        self._highest.clear()
        self._not_below = 0

    def look(self, replicas: int, area: int, now: Micros) -> int:
        """The number of replicas to have from now on.

        Args:
            replicas: what the Deployment asks for now.
            area: demand summed over time since the beginning, in slot-microseconds: busy slots, and waiting requests
                where they count.
            now: the present.
        """
        window = now - self._last
        demand, self._area, self._last = area - self._area, area, now
        settings = self._settings
        if window <= 0:
            return replicas
        full = self._slots * settings.target_percent * window  # 100 × the demand that one replica should carry
        need = -(-100 * demand // full)
        wanted = min(max(need, settings.minimum), settings.maximum)
        below = 100 * demand < full * max(1, replicas)
        above = 100 * demand > full * max(1, replicas)
        self._remember(Recommendation(now, wanted, below))
        if above and wanted > replicas:
            return wanted
        if now - self._started >= self._down_window and not self._not_below:
            highest = self._highest[0].replicas
            if highest < replicas:
                return highest
        return min(max(replicas, settings.minimum), settings.maximum)

    def _remember(self, latest: Recommendation) -> None:
        """Keep the recommendations of the window, how many of them were not below the target, and which was highest."""
        recent, highest, since = self._recommendations, self._highest, latest.at - self._down_window
        recent.append(latest)
        self._not_below += not latest.below_target
        while highest and highest[-1].replicas <= latest.replicas:
            highest.pop()
        highest.append(latest)
        while recent[0].at < since:
            self._not_below -= not recent.popleft().below_target
        while highest[0].at < since:
            highest.popleft()
