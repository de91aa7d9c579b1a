"""The port between a simulated control plane and simulated containers: what a kubelet does to them, and what is broken.

On a real cluster Kubernetes runs the containers, and nobody implements this port. A runtime may be behind the clock: whenever it
is called, it must look as if it had advanced to the present.
"""

from dataclasses import dataclass, field
from typing import Literal, Protocol

from akstwin.clock import Micros
from akstwin.domain.deployment import ProbeSettings
from akstwin.domain.profile import ModelProfile
from akstwin.domain.service import Code


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """What one container is like.

    Attributes:
        version: whose it is.
        model: run times, workers.
        stretch: run times are multiplied by numerator / denominator: less CPU than the workers want.
        liveness: the probe that can kill it.
        readiness: the probe that makes it ready; None: ready as soon as `init()` has returned.
        code: what it runs.
        memory_limit: the memory it may take, bytes; None: any amount.
    """

    version: str
    model: ModelProfile
    stretch: tuple[int, int]
    liveness: ProbeSettings
    readiness: ProbeSettings | None
    code: Code = field(default_factory=Code)
    memory_limit: int | None = None


InitOutcome = Literal["ready", "failed", "hung", "pending", "killed"]
"""How `init()` ended; pending: it takes real time, and `PlaneListener.init_ended` follows; killed: the container took more memory
than its limit, and `PlaneListener.container_exited` follows."""

ExitCause = Literal["OOMKilled", "other"]
"""Why a container has ended, as far as the control plane wants to know; OOMKilled: it took more memory than its limit."""


class PlaneListener(Protocol):
    """What the runtime reports to the control plane."""

    def container_exited(self, replica: int, cause: ExitCause = "other") -> None:
        """The container has ended: it finished what it held, ran out of grace, crashed, or took too much memory."""
        ...

    def init_ended(self, replica: int, outcome: InitOutcome) -> None:
        """An `init()` that was pending has ended; ready: the container works."""
        ...

    def liveness_failed(self, replica: int) -> None:
        """The liveness probe has failed as often as it may."""
        ...

    def readiness_changed(self, replica: int, ready: bool) -> None:
        """The readiness probe has come to another verdict than the one reported last; after `restore`, to any."""
        ...


class ContainerRuntime(Protocol):
    """The simulated containers of one service."""

    # What a kubelet does.
    def start_container(self, replica: int, spec: ContainerSpec, *, ready: bool = False) -> None:
        """It starts: connections are taken, `init()` runs.

        Args:
            replica: its number.
            spec: what it is like.
            ready: whether its readiness probe counts as passed: its start lies in the past.
        """
        ...

    def initialise_container(self, replica: int) -> InitOutcome:
        """The time that `init()` takes is over; returns how it ended. Ready: the container works from now on."""
        ...

    def stop_container(self, replica: int, grace: Micros) -> None:
        """SIGTERM, and SIGKILL after the grace; `container_exited` follows."""
        ...

    def kill_container(self, replica: int) -> None:
        """It is dead at once; `container_exited` follows."""
        ...

    def set_model(
        self, version: str, model: ModelProfile, stretch: tuple[int, int], memory_limit: int | None = None
    ) -> None:
        """The version's containers have another model from now on: what starts in them takes its times.

        Args:
            version: whose containers; those that start later bring theirs in their `ContainerSpec`.
            model: run times; its workers hold for containers that start from now on, its memory from the next request on.
            stretch: as in `ContainerSpec`.
            memory_limit: as in `ContainerSpec`.
        """
        ...

    # What is broken on purpose.
    def silence(self, replica: int) -> None:
        """Its node is lost: nothing comes back from it, what it did is lost."""
        ...

    def restore(self, replica: int) -> None:
        """Its node is back."""
        ...

    def hang(self, replica: int, fault: int) -> None:
        """Its container stops answering, until every fault that holds it is over or the container has ended.

        Args:
            replica: whose container.
            fault: a number that names the fault.
        """
        ...

    def resume(self, replica: int, fault: int) -> None:
        """The fault is over; a container that no other one holds goes on where it stopped."""
        ...

    def slow_down(self, replica: int, fault: int, factor: float) -> None:
        """Requests that start in its container take this many times as long, until the fault is over or the container has ended.

        The factors of several faults are multiplied, the smallest first.
        """
        ...

    def speed_up(self, replica: int, fault: int) -> None:
        """The fault is over."""
        ...

    def crash_on_request(self, version: str, request: int, *, every: bool, times: int) -> None:
        """A container dies as it starts the version's `request`-th request from now."""
        ...
