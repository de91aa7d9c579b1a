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
from akstwin.errors import InvalidSetting
from akstwin.sim.calendar import Calendar, Order, Timer, key
from akstwin.sim.controller import ServiceController
from akstwin.sim.pods import Pod, Pods
from akstwin.sim.recording import Recorders, ServiceRecorders


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


class InjectedFault:
    """One fault: planned, then active, then over. Faults of one kind on one victim add up.

    Args:
        number: 1, 2, … in the order in which faults were given; orders those of one instant.
        fault: what it is.
        service: whose replicas, or on whose cluster.

    Attributes:
        struck: whether it has begun.
        over: whether it has ended, by itself or by `end`; a fault that only strikes is over at once.
    """

    def __init__(self, number: int, fault: Fault, service: ServiceController) -> None:
        self.number = number
        self.fault = fault
        self.service = service
        self.struck = False
        self.over = False
        self._undo: list[Callable[[], None]] = []
        self._timers: list[Timer] = []

    def wake(self, timer: Timer) -> None:
        """Keep what will begin or end it, to cancel it with the fault."""
        self._timers.append(timer)

    def begin(self, undo: list[Callable[[], None]]) -> None:
        """It strikes now.

        Args:
            undo: what its end does; nothing: what it did lasts.
        """
        self.struck = True
        self._undo = undo
        self.over = isinstance(self.fault, ReplicaKill)

    def end(self) -> None:
        """What it does is undone; before its time it never strikes. A second time is no mistake."""
        if self.over:
            return
        self.over = True
        for timer in self._timers:
            timer.cancel()
        for undo in self._undo:
            undo()


class Faults:
    """Plans faults and their ends.

    Args:
        calendar: tells the time.
        pods: what breaks.
        recorders: hear of what hits the cluster.
    """

    def __init__(self, calendar: Calendar, pods: Pods, recorders: Recorders) -> None:
        self._calendar = calendar
        self._pods = pods
        self._recorders = recorders
        self._latest = 0

    def plan(self, fault: Fault, service: ServiceController) -> InjectedFault:
        """Put the fault on the calendar; its end follows `lasts` after it has struck.

        Returns:
            The fault, to see whether it has struck and to end it before.
        """
        self._latest += 1
        injected = InjectedFault(self._latest, fault, service)
        injected.wake(self._calendar.at(fault.at, Order.FAULT, lambda: self._strike(injected), key(injected.number)))
        return injected

    def _strike(self, injected: InjectedFault) -> None:
        undo = self._break(injected.number, injected.fault, injected.service)
        if undo and not isinstance(injected.fault, NodeLoss):  # of a node that comes back there is an event anyway
            undo.append(partial(self._ended, injected))
        injected.begin(undo)
        lasts = getattr(injected.fault, "lasts", None)
        if lasts is not None:
            injected.wake(self._calendar.after(lasts, Order.FAULT, injected.end, key(injected.number)))

    def _ended(self, injected: InjectedFault) -> None:
        whole = isinstance(injected.fault, ImagePullSlow)
        recorders = self._recorders if whole else injected.service.recorders
        version = getattr(injected.fault, "version", None) or injected.service.default
        self._note(recorders, "ended", injected.fault.kind, "" if whole else version)

    def _break(  # noqa: C901 - one case a kind
        self, number: int, fault: Fault, service: ServiceController
    ) -> list[Callable[[], None]]:
        """Break what the fault breaks; returns what mends it again."""
        version = getattr(fault, "version", None) or service.default
        plane, pods = service.plane, self._pods
        match fault:
            case NodeLoss(node=node):
                self._note(self._recorders, fault.kind, f"node {node}")
                pods.lose_node(node)
                return [partial(pods.restore_node, node)]
            case ReplicaKill():
                for pod in self._victims(fault, service, version):
                    plane.kill_container(pod.number)
                return []
            case ReplicaHang():
                hung = self._victims(fault, service, version)
                for pod in hung:
                    plane.hang(pod.number, number)
                return [partial(plane.resume, pod.number, number) for pod in hung]
            case SlowReplica(factor=factor):
                slowed = self._victims(fault, service, version)
                for pod in slowed:
                    plane.slow_down(pod.number, number, factor)
                return [partial(plane.speed_up, pod.number, number) for pod in slowed]
            case InitFailure():
                self._note(service.recorders, fault.kind, version)
                pods.fail_init(service, version, failing=True)
                return [partial(pods.fail_init, service, version, failing=False)]
            case ImagePullSlow(factor=factor):
                self._note(self._recorders, fault.kind, f"times {factor:g}")
                pods.slow_pulls(factor)
                return [partial(pods.normal_pulls, factor)]
            case CrashOnRequest():
                self._note(service.recorders, fault.kind, version)
                plane.crash_on_request(version, fault.request, every=fault.every, times=fault.times)
                return []

    def _victims(
        self, fault: ReplicaKill | ReplicaHang | SlowReplica, service: ServiceController, version: str
    ) -> list[Pod]:
        """The oldest ready replicas."""
        victims = [pod for pod in service.pods_of(version) if pod.ready][: fault.count]
        names = ", ".join(pod.name for pod in victims)
        self._note(service.recorders, fault.kind, version, names or "no ready replica: nothing to break")
        return victims

    def _note(self, recorders: Recorders | ServiceRecorders, kind: str, subject: str, detail: str = "") -> None:
        recorders.happened(self._calendar.now, f"fault_{kind}", subject, detail)
