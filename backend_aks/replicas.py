"""What the router of a service knows: views of `cores.serving`, and the pods as replicas."""

from collections.abc import Callable, Iterable

from akstwin.backend_aks.pods import PodSeen
from akstwin.cores.serving import RouterView
from akstwin.router.plane import TransportPlane

_WITHDRAWN, _UNREADY = "withdrawn", "unready"


class Replicas:
    """Keeps a router up to date.

    Args:
        plane: the router.
        next_number: a number that no other replica has.

    Attributes:
        view: the number of the view that the router acts by; 0: none yet.
        generation: of the service that this is a view of.
    """

    def __init__(self, plane: TransportPlane, next_number: Callable[[], int]) -> None:
        self._plane = plane
        self._next_number = next_number
        self._numbers: dict[str, int] = {}
        self._told: dict[int, tuple[str, str]] = {}  # replicas that the router knows: their version, what it was told
        self.view = 0
        self.generation = 0

    def number(self, pod: PodSeen) -> int:
        """The router's number of a pod."""
        if pod.uid not in self._numbers:
            self._numbers[pod.uid] = self._next_number()
        return self._numbers[pod.uid]

    def deliver(self, view: RouterView) -> None:
        """The router acts by this view from now on."""
        known = self._plane.settings
        if view.split is not None:
            for version, settings in view.settings:
                if known.get(version) != settings:
                    self._plane.configure(version, settings)
            stays = {version for version, _ in view.settings} | set(view.kept)
            for version in [name for name in known if name not in stays]:
                self._plane.remove(version)
        self._plane.set_split(view.split)
        self.view, self.generation = view.number, view.generation

    def tell(self, pods: Iterable[PodSeen], serves: Callable[[PodSeen], bool]) -> None:
        """Let the router know what has become of pods.

        Args:
            pods: those that there are.
            serves: whether a pod is of something that is to serve.
        """
        seen = {pod.uid: pod for pod in pods}
        for uid in [uid for uid in self._numbers if uid not in seen]:
            replica = self._numbers.pop(uid)
            if replica in self._told:
                version, _ = self._told.pop(replica)
                self._plane.forget(version, replica)
        for pod in seen.values():
            self._tell(pod, serves=serves(pod))

    def _tell(self, pod: PodSeen, *, serves: bool) -> None:
        if not pod.staying or not serves:
            news = _WITHDRAWN
        elif pod.ready and pod.address is not None:
            news = pod.address
        else:
            news = _UNREADY
        replica = self.number(pod)
        if self._told.get(replica) == (pod.version, news):
            return
        if replica not in self._told and news in (_WITHDRAWN, _UNREADY):
            return  # it has never been ready: there is nothing to take back
        self._told[replica] = (pod.version, news)
        match news:
            case "withdrawn":
                self._plane.withdraw(pod.version, replica)
            case "unready":
                self._plane.suspend(pod.version, replica)
            case address:
                self._plane.admit(pod.version, replica, address)
