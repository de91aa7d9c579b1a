"""The faults of a workspace that were made over the wire: added, listed with how often each struck, ended."""

from collections.abc import Mapping
from typing import Any, Final

from akstwin.domain.faults import Fault
from akstwin.domain.mistakes import read
from akstwin.domain.words import nearest
from akstwin.errors import Conflict, InvalidSetting, NotFound
from akstwin.fake_api.control.causes import Cause
from akstwin.fake_api.control.forms import WIRE_KINDS, ByWire, WireForm
from akstwin.fake_api.control.interference import Armed, Interference
from akstwin.fake_api.workspace import ServedWorkspace

CAUSES: Final = (
    "node_loss", "replica_kill", "replica_hang", "slow_replica", "init_failure", "image_pull_slow", "crash_on_request",
)  # fmt: skip
_KEPT: Final = 1000
"""Faults that are listed; more must be ended first."""

Json = dict[str, Any]


class Faults:
    """Faults by their cause, which the simulation makes, and faults of connections, which the server makes.

    Args:
        workspace: what is broken.
        interference: breaks connections.
    """

    def __init__(self, workspace: ServedWorkspace, interference: Interference) -> None:
        self._workspace = workspace
        self._interference = interference
        self._all: dict[str, Cause | Armed] = {}
        self._latest = 0

    def add(self, given: Any) -> Json:
        """Break something.

        Raises:
            NotFound: no such service or cluster.
            Conflict: there are too many.
            AksError: a setting that is refused, with its name.
        """
        if not isinstance(given, Mapping):
            raise InvalidSetting("fault", given, "a mapping of settings, `kind` among them")
        kind = given.get("kind")
        if kind not in (*CAUSES, *WIRE_KINDS):
            known = (*CAUSES, *WIRE_KINDS)
            raise InvalidSetting("fault.kind", kind, f"one of {', '.join(known)}{nearest(str(kind), known)}")
        if len(self._all) >= _KEPT:
            raise Conflict(f"there are {_KEPT} faults: end some first")
        identity = f"f{self._latest + 1}"
        clock, backend = self._workspace.clock, self._workspace.backend
        with clock.acting() as now:
            fault: Cause | Armed
            if kind in WIRE_KINDS:
                wire = read(WireForm, {"fault": dict(given)}).fault
                fault = Armed(identity, wire, now + wire.at, backend.seed)
                self._interference.arm(fault)
            else:
                fault = Cause(identity, backend, dict(given))
        clock.settle()  # what begins now has begun
        self._latest += 1
        self._all[identity] = fault
        return self._shown(fault)

    def listing(self) -> list[Json]:
        """All of them, with how often each struck."""
        return [self._shown(fault) for fault in self._all.values()]

    def end(self, identity: str) -> Json:
        """End one; it is listed no more.

        Raises:
            NotFound: there is none of that name.
            Conflict: it cannot be taken back.
        """
        fault = self._all.get(identity)
        if fault is None:
            raise NotFound(f"fault {identity} is not there{nearest(identity, self._all)}")
        with self._workspace.clock.acting():
            if isinstance(fault, Armed):
                self._interference.disarm(fault)
            else:
                fault.end()
        del self._all[identity]
        return {**self._shown(fault), "state": "ended"}

    def end_all(self) -> list[Json]:
        """End all that can be ended. What has struck for good stays in the list until its end, and nothing more."""
        ended = []
        for identity in list(self._all):
            try:
                ended.append(self.end(identity))
            except Conflict:
                continue
        return ended

    def forget(self) -> None:
        """The world that they were in is gone."""
        for fault in self._all.values():
            if isinstance(fault, Armed):
                self._interference.disarm(fault)
        self._all.clear()
        self._latest = 0

    def _shown(self, fault: Cause | Armed) -> Json:
        settings = fault.given if isinstance(fault, Cause) else _settings(fault.fault)
        shown: Json = {
            "id": fault.id,
            **settings,
            "state": self._state(fault),
            "begins": fault.begins,
            "ends": fault.ends,
            "struck": fault.struck,
        }
        if isinstance(fault, Armed):
            shown["met"] = fault.met
        elif fault.refused is not None:
            shown["refused"] = fault.refused
        return shown

    def _state(self, fault: Cause | Armed) -> str:
        now = self._workspace.clock.now()
        if now < fault.begins:
            return "planned"
        over = (
            fault.over(now)
            if isinstance(fault, Armed)
            else fault.over or (fault.ends is not None and now >= fault.ends)
        )
        return "over" if over else "active"


def _settings(fault: ByWire | Fault) -> Json:
    return fault.model_dump(mode="json", exclude_unset=True)
