"""What the scenario does to its service while requests come in: operations and policies, at the server's time."""

import threading
from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from itertools import count
from time import perf_counter
from typing import TYPE_CHECKING

from akstwin.clock import SECOND
from akstwin.domain.operations import PlannedOperation
from akstwin.errors import AksError
from akstwin.policies import policy_of
from akstwin.policies.runner import PolicyRunner
from akstwin.scenarios.load import Prepared
from akstwin.scenarios.opening import ScenarioEndpoint, update

if TYPE_CHECKING:
    from akstwin.scenarios.compare_server import ClockReading, Server


class Script:
    """Runs in a thread of its own: management calls take their time.

    Args:
        prepared: the scenario.
        server: where its service is.
        start: of the traffic.

    Attributes:
        refused: operations that the server refused, as it said.
    """

    def __init__(self, prepared: Prepared, server: "Server", start: "ClockReading") -> None:
        self._prepared = prepared
        self._server = server
        self._start = start
        self._stopped = threading.Event()
        self._numbers = count()
        self._plan: list[tuple[int, int, Callable[[], None]]] = []
        self.refused: list[str] = []
        for operation in prepared.scenario.operations:
            self._at(operation.at, partial(self._operate, operation))
        for spec in prepared.scenario.policies:
            runner = PolicyRunner(
                policy_of(spec),
                ScenarioEndpoint(self._server.backend, prepared.service.name),
                partial(self._server.backend.observe, prepared.service.name),
                document=partial(self._server.backend.get_service, prepared.service.name),
            )
            self._at(0, partial(self._look, runner, 0))

    def run(self) -> None:
        """Do everything at its time, until there is nothing left or `stop` is called."""
        while self._plan:
            instant, _, action = heappop(self._plan)
            pause = self._start.here + instant / self._server.rate / SECOND - perf_counter()
            if self._stopped.wait(max(0.0, pause)):
                return
            action()

    def stop(self) -> None:
        """Do nothing more."""
        self._stopped.set()

    def _at(self, instant: int, action: Callable[[], None]) -> None:
        heappush(self._plan, (instant, next(self._numbers), action))

    def _operate(self, operation: PlannedOperation) -> None:
        """A refusal is kept: the simulator meets it too."""
        name = self._prepared.service.name
        version = operation.version or self._prepared.service.default
        try:
            if operation.model is not None:
                told = {key: getattr(operation.model, key) for key in operation.model.model_fields_set}
                self._server.profile(version, told)
            update(self._server.backend, name, version, operation.deploy, new_model=operation.model is not None)
        except AksError as refusal:
            self.refused.append(f"operation at {operation.at / SECOND:g} s: {refusal.status_hint}: {refusal}")

    def _look(self, runner: PolicyRunner, at: int) -> None:
        if runner.ended:
            return
        runner.look(at)
        self._at(at + runner.interval, partial(self._look, runner, at + runner.interval))
