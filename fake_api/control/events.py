"""What happens, as server-sent events: states, operations, pods and scaling one by one, answers sampled, services at a glance."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from akstwin.clock import SECOND, Micros
from akstwin.fake_api.control.metrics import observations

if TYPE_CHECKING:
    from akstwin.fake_api.control.center import Control

TICK_SECONDS: Final = 0.25
"""Real time between two looks."""
_BACKLOG: Final = 200
"""So many of the latest happenings are told to one who comes later."""
_SAMPLE: Final = 20
"""So many of the latest answers are told at each look."""
_WINDOW: Final = Micros(5 * SECOND)
_PIECES: Final = 120
"""So many pieces has the course that one who comes later is told."""
_JUMP: Final = 10 * SECOND
"""A clock that has gone so far since the last look has passed over what looks show: the course between is told."""


class Feed:
    """What one listener is told. It keeps its place in the records; nothing is kept for it.

    Args:
        control: the workspace's control side.
        after: number of the last happening that it knows; None: it knows nothing.
    """

    def __init__(self, control: "Control", after: int | None = None) -> None:
        self._control = control
        self._world = control.started
        self._row = control.journal.total
        happened = control.workspace.backend.driver.events.total
        self._next = max(0, happened - _BACKLOG) if after is None else min(after + 1, happened)
        self._seen_to: Micros | None = None if after is None else control.workspace.backend.driver.calendar.now

    async def follow(self, *, endless: bool) -> AsyncIterator[str]:
        """Events in their format: all that there is now, and with `endless` all that comes."""
        yield "retry: 1000\n\n"
        while True:
            for each in self._look():
                yield each
            if not endless:
                return
            await asyncio.sleep(TICK_SECONDS)

    def _look(self) -> list[str]:
        control = self._control
        told = []
        with control.workspace.clock.acting():
            if self._world != control.started:
                self._world, self._row, self._next, self._seen_to = control.started, 0, 0, None
                told.append(_event("reset", {}))
            happened, redacted = control.workspace.backend.driver.events, control.journal.redaction.text
            for at, (instant, kind, subject, detail) in happened.since(self._next):
                shown = {"at": instant, "kind": kind, "subject": subject, "detail": redacted(detail)}
                told.append(_event("happened", shown, at))
            self._next = happened.total
            total = control.journal.total
            if total > self._row:
                first = max(self._row, total - _SAMPLE)
                told.extend(_event("answer", {**row, "of": total - self._row}) for row in control.journal.after(first))
                self._row = total
            told.extend(self._course())
            told.append(_event("services", glance(control)))
        return told

    def _course(self) -> list[str]:
        """What curves need that begin before the listener came, or jump as the clock does."""
        driver = self._control.workspace.backend.driver
        now, since = driver.calendar.now, self._seen_to or Micros(0)
        known, self._seen_to = self._seen_to is not None, now
        if known and now - since < _JUMP:
            return []
        pieces = max(1, min(_PIECES, (now - since) // _WINDOW))
        courses = {name: watch.course(since, pieces) for name, watch in driver.watches.items()}
        return [_event("course", {"services": {name: each for name, each in courses.items() if each}})]


def glance(control: "Control") -> dict[str, Any]:
    """All services as they are now; to be asked while the clock is held."""
    driver = control.workspace.backend.driver
    services = {}
    for name, seen in observations(control, _WINDOW).items():
        controller = driver.services[name].controller
        versions = {version: asdict(observed) for version, observed in seen.versions.items()}
        for version, shown in versions.items():
            del shown["window"], shown["total"]  # latency buckets: for policies, not for a page
            usage = controller.usage(version)
            shown["busy"], shown["seen_ready"] = usage.busy, usage.ready
        services[name] = {
            "state": controller.life.state.value,
            "versions": versions,
            "refused": dict(seen.refused),
            "window": seen.window,
        }
    clock = control.workspace.clock
    return {
        "now": driver.calendar.now,
        "date": control.workspace.backend.epoch + driver.calendar.now / SECOND,
        "mode": clock.mode,
        "rate": clock.rate,
        "services": services,
        "requests": control.journal.total,
        "faults": [
            {key: fault.get(key) for key in ("id", "kind", "service", "version", "state", "struck")}
            for fault in control.faults.listing()
        ],
    }


def _event(kind: str, data: dict[str, Any], number: int | None = None) -> str:
    head = "" if number is None else f"id: {number}\n"
    return f"{head}event: {kind}\ndata: {json.dumps(data, separators=(',', ':'))}\n\n"
