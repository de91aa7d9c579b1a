"""Faults by their cause, planned on the calendar."""

from collections.abc import Callable, Sequence
from functools import partial

from akstwin.domain.faults import (
    CrashOnRequest,
    Fault,
    ImagePullSlow,
    InitFailure,
    NodeLoss,
    ReplicaHang,
    ReplicaKill,
    SlowReplica,
)
from akstwin.domain.words import nearest
from akstwin.engine.requests import Recorders
from akstwin.errors import InvalidSetting
from akstwin.sim.calendar import Calendar, Order
from akstwin.sim.controller import ServiceController
from akstwin.sim.pods import Pod, Pods


def check_faults(faults: Sequence[Fault], versions: Sequence[str], nodes: int) -> None:
    """Refuse faults on what is not there.

    Raises:
        InvalidSetting: a node or a version that does not exist.
    """
    for at, fault in enumerate(faults):
        check_fault(f"faults[{at}]", fault, versions, nodes)


def check_fault(where: str, fault: Fault, versions: Sequence[str], nodes: int) -> None:
    """Refuse a fault on what is not there.

    Raises:
        InvalidSetting: a node or a version that does not exist; `where` goes before its name.
    """
    if isinstance(fault, NodeLoss) and fault.node > nodes:
        raise InvalidSetting(f"{where}.node", fault.node, f"a node of the cluster: they are 1 to {nodes}")
    version = getattr(fault, "version", None)
    if version is not None and version not in versions:
        raise InvalidSetting(f"{where}.version", version, a_version(versions, version))


def a_version(known: Sequence[str], given: str) -> str:
    """What a version's name should have been."""
    there = f"there {'is' if len(known) == 1 else 'are'} {', '.join(known)}"
    return f"a version: {there}{nearest(given, known)}"


class Faults:
    """Plans faults and their ends.

    Args:
        calendar: tells the time.
        pods: what breaks.
        recorders: hear of it.
    """

    def __init__(self, calendar: Calendar, pods: Pods, recorders: Recorders) -> None:
        self._calendar = calendar
        self._pods = pods
        self._recorders = recorders

    def plan(self, fault: Fault, service: ServiceController) -> None:
        """Put the fault on the calendar."""
        self._calendar.at(fault.at, Order.FAULT, lambda: self._strike(fault, service))

    def _strike(self, fault: Fault, service: ServiceController) -> None:  # noqa: C901 - one case a kind
        version = getattr(fault, "version", None) or service.default
        lasts = getattr(fault, "lasts", None)
        match fault:
            case NodeLoss(node=node):
                self._note(fault.kind, f"node {node}")
                self._pods.lose_node(node)
                self._ends(lasts, lambda: self._pods.restore_node(node))
            case ReplicaKill():
                for pod in self._victims(fault, service, version):
                    service.plane.kill_container(pod.number)
            case ReplicaHang():
                for pod in self._victims(fault, service, version):
                    service.plane.hang(pod.number)
                    self._ends(lasts, partial(service.plane.resume, pod.number))
            case SlowReplica(factor=factor):
                for pod in self._victims(fault, service, version):
                    service.plane.slow_down(pod.number, factor)
                    self._ends(lasts, partial(service.plane.slow_down, pod.number, 1.0))
            case InitFailure():
                self._note(fault.kind, version)
                self._pods.fail_init(service, version, failing=True)
                self._ends(lasts, lambda: self._pods.fail_init(service, version, failing=False))
            case ImagePullSlow(factor=factor):
                self._note(fault.kind, f"times {factor:g}")
                self._pods.slow_pulls(factor)
                self._ends(lasts, lambda: self._pods.normal_pulls(factor))
            case CrashOnRequest():
                self._note(fault.kind, version)
                service.plane.crash_on_request(version, fault.request, every=fault.every, times=fault.times)

    def _victims(
        self, fault: ReplicaKill | ReplicaHang | SlowReplica, service: ServiceController, version: str
    ) -> list[Pod]:
        """The oldest ready replicas."""
        victims = [pod for pod in service.pods_of(version) if pod.ready][: fault.count]
        names = ", ".join(pod.name for pod in victims)
        self._note(fault.kind, version, names or "no ready replica: nothing to break")
        return victims

    def _ends(self, lasts: int | None, action: Callable[[], None]) -> None:
        if lasts is not None:
            self._calendar.after(lasts, Order.FAULT, action)

    def _note(self, kind: str, subject: str, detail: str = "") -> None:
        self._recorders.happened(self._calendar.now, f"fault_{kind}", subject, detail)
