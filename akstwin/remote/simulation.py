"""`ws.simulation` of a served workspace: what a simulated one can do, as far as the server offers it."""

import base64
from typing import Any, Final, Protocol

from akstwin.backend import Json
from akstwin.clock import SECOND, Micros
from akstwin.domain.observation import Observation
from akstwin.domain.units import read_duration
from akstwin.errors import AksError, InvalidSetting
from akstwin.remote.caller import segment
from akstwin.remote.control import Control

Span = str | float
"""A duration: `"250ms"`, `"10s"`, `"5m"`, `"24h"`, or a number of seconds."""
_UNTOLD: Final = object()


class Policy(Protocol):
    """What `run_policy` drives, as in `akstwin.policies`."""

    @property
    def interval(self) -> int:
        """Between two looks, µs."""
        ...

    def step(self, endpoint: Any, observation: Observation) -> str | None:
        """Look, and act."""
        ...


class RemoteTraffic:
    """Simulated clients on the server that call a service."""

    def __init__(self, control: Control, service: str, number: object) -> None:
        self._control = control
        self._service = service
        self._number = number

    def stop(self) -> None:
        """They call no more."""
        if self._number is None:
            raise AksError("simulation.traffic(…).stop: the server has not told the number of its traffic")
        self._control.call("simulation.traffic(…).stop", "DELETE", f"traffic/{self._service}/{self._number}")

    def __repr__(self) -> str:
        return f"<Traffic on {self._service}>"


class RemoteSimulation:
    """The handle on a served workspace's world, with the methods of a simulated workspace's (`akstwin.sim.simulation`).

    What the server's routes lack is refused by name.

    Args:
        control: the routes.
    """

    def __init__(self, control: Control) -> None:
        self._control = control
        self._looked_from = Micros(0)

    @property
    def now(self) -> float:
        """Seconds since the clock's start."""
        return self._control.now() / SECOND

    def profile(
        self,
        service: str,
        *,
        version: str | None = None,
        service_time: Any = None,
        init_time: Any = None,
        workers: int | None = None,
        cpu: float | None = None,
        failure_rate: float | None = None,
        reply: Any = _UNTOLD,
    ) -> None:
        """Tell what a model costs. What is left out stays as it was told before.

        Args:
            service: the name of the service.
            version: of an endpoint; None: every version of which nothing of its own is told.
            service_time: run time of one request in a worker.
            init_time: from the container's start to the end of `init()`.
            workers: processes that score at once in one replica.
            cpu: cores that a busy worker wants.
            failure_rate: share of requests whose `run()` raises.
            reply: what answers instead of the entry script: bytes, or anything JSON can say. A function cannot be sent.

        Raises:
            AksError: a value that is refused, with its name.
        """
        if callable(reply):
            raise InvalidSetting("reply", reply, "bytes or JSON: a function cannot be sent to a server")
        told = _given(
            version=version, service_time=service_time, init_time=init_time, workers=workers, cpu=cpu,
            failure_rate=failure_rate,
        )  # fmt: skip
        if isinstance(reply, bytes | bytearray):
            told["reply_base64"] = base64.b64encode(reply).decode()
        elif reply is not _UNTOLD:
            told["reply"] = reply
        self._post("profile", f"profile/{segment('service', service)}", told)

    def cluster(self, name: str, *, nodes: int = 3, vm_size: Any = None, max_nodes: int | None = None) -> None:
        """Describe a cluster that will be attached under this name.

        Args:
            name: of the compute target to come.
            nodes: how many it has.
            vm_size: what they are.
            max_nodes: with it the cluster autoscaler is on and may go up to so many.

        Raises:
            AksError: a value that is refused, with its name.
        """
        told = _given(nodes=nodes, vm_size=vm_size, max_nodes=max_nodes)
        self._post("cluster", f"cluster/{segment('cluster', name)}", told)

    def traffic(
        self,
        service: str,
        *,
        shape: str = "poisson",
        rate: Any = None,
        at: Any = None,
        instants: list[float] | None = None,
        retry: Any = "none",
        lasts: Span | None = None,
    ) -> RemoteTraffic:
        """Let simulated clients on the server call a service from now on, beside those that already do.

        Args:
            service: the name of the service.
            shape: `constant`, `poisson`, `steps` or `trace`.
            rate: requests per second; a list of them for `steps`.
            at: for `steps`: from when on each rate holds, counted from now.
            instants: for `trace`: when each request comes, s from now, never going back.
            retry: what clients do with a refusal.
            lasts: for how long; None: without end.

        Returns:
            A handle to stop it.

        Raises:
            NotFound: no such service.
            AksError: a value that is refused, with its name.
        """
        ends = None if lasts is None else f"{read_duration('lasts', lasts)}us"
        told = _given(shape=shape, rate=rate, at=at, instants=instants, retry=retry, lasts=ends)
        name = segment("service", service)
        answer = self._post("traffic", f"traffic/{name}", told)
        return RemoteTraffic(self._control, name, answer.get("id") if isinstance(answer, dict) else None)

    def fault(
        self, kind: str, *, at: Span = 0, service: str | None = None, cluster: str | None = None, **settings: Any
    ) -> None:
        """Break something.

        Args:
            kind: such as `node_loss` or `replica_kill`.
            at: when, counted from now.
            service: whose replicas; may be left out where there is one service.
            cluster: whose nodes; may be left out where there is one cluster.
            settings: the rest of what a fault of that kind has.

        Raises:
            AksError: a setting that is refused, with its name.
        """
        self._post("fault", "faults", {"kind": kind, "at": at, **_given(service=service, cluster=cluster), **settings})

    def advance(self, span: Span) -> None:
        """Let time pass: everything that falls into it happens.

        Args:
            span: how long.
        """
        passes = read_duration("span", span)
        began = self._control.now()
        self._control.move("simulation.advance", {"advance": f"{passes}us"})
        self._looked_from = began

    def observe(self, service: str, window: Span | None = None) -> Observation:
        """What users and operators saw of a service.

        Args:
            service: its name.
            window: how far back from now; None: to where the last `advance` of this workspace object began.

        Raises:
            NotFound: no such service.
            InvalidSetting: a window that is not longer than 0, or reaches back beyond what is kept.
        """
        back = self._control.now() - self._looked_from if window is None else read_duration("window", window)
        return self._control.observe(service, back)

    def run_policy(self, policy: Policy, endpoint: Any, until: Span) -> None:
        """Drive an endpoint by a policy: look, act, wait for its interval, again.

        Args:
            policy: has an `interval` (µs) and `step(endpoint, observation)`.
            endpoint: an `AksEndpoint` of this workspace.
            until: for how long from now.

        Raises:
            NotFound: no such endpoint here.
        """
        end = self._control.now() + read_duration("until", until)
        while True:
            policy.step(endpoint, self._control.observe(endpoint.name, policy.interval))
            following = self._control.now() + policy.interval
            if following > end:
                break
            self._go_to(following)
        self._go_to(end)

    def _go_to(self, instant: int) -> None:
        span = instant - self._control.now()
        if span > 0:
            self._control.move("simulation.run_policy", {"advance": f"{span}us"})

    def _post(self, method: str, path: str, body: Json) -> Any:
        return self._control.offered(f"simulation.{method}", "POST", path, body)


def _given(**values: Any) -> Json:
    return {name: value for name, value in values.items() if value is not None}
