"""`ws.simulation` of a served workspace: what a simulated one can do, as far as the server offers it."""

import base64
from collections.abc import Callable
from os import PathLike
from typing import Any, Final
from urllib.parse import quote

from akstwin.backend import Json
from akstwin.clock import SECOND, Micros
from akstwin.domain.history import Wanted
from akstwin.domain.observation import Observation
from akstwin.domain.units import read_duration
from akstwin.errors import InvalidSetting, NotFound
from akstwin.policies.journal import Journal
from akstwin.policies.policy import Policy, StepPolicy
from akstwin.policies.runner import Look, PolicyRunner
from akstwin.policies.running import WaitingScript, run_policy
from akstwin.remote.caller import segment
from akstwin.remote.control import Control, TrafficRow

Span = str | float
"""A duration: `"250ms"`, `"10s"`, `"5m"`, `"24h"`, or a number of seconds."""
_UNTOLD: Final = object()


class _ServerClock:
    """The server's clock; waiting on it moves it forward."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def now(self) -> int:
        """The present instant, µs."""
        return self._control.now()

    def sleep_until(self, deadline: Micros) -> None:
        """Let the server's time go on to `deadline`."""
        span = deadline - self._control.now()
        if span > 0:
            self._control.move("simulation.run_policy", {"advance": f"{span}us"})


class RemoteTraffic:
    """Simulated clients on the server that call a service; they have its key or its token.

    Attributes:
        id: unlike any other's of the workspace.
        service: that they call.
        shape: `constant`, `poisson`, `steps`, `trace` or `users`.
        rate: requests per second; a list of them for `steps`; None for `trace` and `users`.
        users: how many there are; None: the shape is another one.
    """

    def __init__(self, control: Control, told: TrafficRow) -> None:
        self._control = control
        self.id = told.id
        self.service = told.service
        self.shape = told.shape
        self.rate = told.rate
        self.users = told.users

    @property
    def sent(self) -> int:
        """Requests so far, retries among them."""
        return self._now().sent

    @property
    def retries(self) -> int:
        """How many of those were sent again, after a refusal."""
        return self._now().retries

    @property
    def running(self) -> bool:
        """Whether there is more to come."""
        return self._now().running

    def stop(self) -> None:
        """They call no more. A second time is no mistake.

        Raises:
            NotFound: the server has forgotten them.
        """
        self._control.call("simulation.traffic(…).stop", "DELETE", f"traffic/{quote(self.service)}/{quote(self.id)}")

    def _now(self) -> TrafficRow:
        for each in self._control.traffic():
            if each.id == self.id and each.service == self.service:
                return each
        raise NotFound(f"traffic {self.id} on {self.service} is not there")

    def __repr__(self) -> str:
        return f"<Traffic {self.id} on {self.service}>"


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

    @property
    def events(self) -> list[tuple[float, str, str, str]]:
        """What has happened to clusters and services: seconds, kind, subject, detail.

        The latest 50,000 are kept, 10,000 on a server; `events_dropped` says how many had to go for them.
        """
        return self.history()

    @property
    def events_dropped(self) -> int:
        """How many of the first `events` are kept no more."""
        return self._control.events_dropped()

    def history(
        self, *, kind: str | None = None, subject: str | None = None, since: Span = 0, limit: int | None = None
    ) -> list[tuple[float, str, str, str]]:
        """What has happened to clusters and services: seconds, kind, subject, detail.

        Args:
            kind: only happenings of this kind.
            subject: only those of this node, pod, service, …
            since: only from then on, counted from the clock's start.
            limit: at most so many, the latest.

        Raises:
            InvalidSetting: an instant or a limit that cannot be.
        """
        wanted = Wanted.read(kind, subject, since, limit)
        told = self._control.history(kind=kind, subject=subject, since=f"{wanted.since}us", limit=limit)
        return [(each.at / SECOND, each.kind, each.subject, each.detail) for each in told]

    def nodes(self, cluster: str | None = None) -> list[dict[str, Any]]:
        """The nodes of the server's clusters as they are now, by cluster and number.

        Args:
            cluster: only those of this compute target.

        Returns:
            Rows as those of a simulated workspace.

        Raises:
            NotFound: no such compute target.
        """
        return self._control.nodes(cluster)

    def pods(
        self, service: str | None = None, *, namespace: str | None = None, cluster: str | None = None
    ) -> list[dict[str, Any]]:
        """The pods of the server's services as they are now, the oldest of each cluster first.

        Args:
            service: only those of this service.
            namespace: only those that live there.
            cluster: only those of this compute target.

        Returns:
            Rows as those of a simulated workspace.

        Raises:
            NotFound: no such compute target.
        """
        return self._control.pods(service, namespace, cluster)

    def insights(self, table: str = "requests", *, service: str | None = None) -> list[dict[str, Any]]:
        """What services with `enable_app_insights` have reported to Application Insights: the latest 10,000 rows of all tables.

        Args:
            table: `requests`, `traces` (what scripts print) or `exceptions` (of runs that failed).
            service: only this one's.

        Returns:
            Rows with the columns of an export.

        Raises:
            AksError: another table.
        """
        return self._control.insights(table, service)

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
        memory: Any = None,
    ) -> None:
        """Tell what a model costs. What is left out stays as it was told before.

        Args:
            service: the name of the service.
            version: of an endpoint; None: all versions, those too that have been given values of their own.
            service_time: run time of one request in a worker.
            init_time: from the container's start to the end of `init()`.
            workers: processes that score at once in one replica.
            cpu: cores that a busy worker wants.
            failure_rate: share of requests whose `run()` raises.
            reply: what answers instead of the entry script: bytes, or anything JSON can say; or a document
                (`akstwin.domain.replying`): `$echo`, `$fixed`, `$match`, `$script`. A function cannot be sent.
            memory: that a container takes: a mapping with `base` and `per_request`, or a size with its unit, which is the base.

        Raises:
            AksError: a value that is refused, with its name.
        """
        told = _given(
            version=version, service_time=service_time, init_time=init_time, workers=workers, cpu=cpu,
            failure_rate=failure_rate, memory=memory,
        )  # fmt: skip
        if isinstance(reply, bytes | bytearray):
            told["reply_base64"] = base64.b64encode(reply).decode()
        elif reply is not _UNTOLD:
            told["reply"] = _sendable(reply)
        self._post("profile", f"profile/{segment('service', service)}", told)

    def chance(self, service: str, *, seed: int, replication: int = 1) -> None:
        """Let a service take the chance of a scenario's run.

        Args:
            service: the name of the service.
            seed: of the scenario.
            replication: of the scenario, from 1.

        Raises:
            AksError: a value that is refused, with its name.
        """
        path = f"chance/{segment('service', service)}"
        self._post("chance", path, {"seed": seed, "replication": replication})

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
        users: int | None = None,
        think_time: Any = None,
        spawn_rate: float | None = None,
    ) -> RemoteTraffic:
        """Let simulated clients on the server call a service from now on, beside those that already do.

        Args:
            service: the name of the service.
            shape: `constant`, `poisson`, `steps`, `trace` or `users`.
            rate: requests per second; a list of them for `steps`.
            at: for `steps`: from when on each rate holds, counted from now.
            instants: for `trace`: when each request comes, s from now, never going back.
            retry: what clients do with a refusal.
            lasts: for how long; None: without end.
            users: for `users`: how many there are.
            think_time: for `users`: from an answer to the user's next request.
            spawn_rate: for `users`: how many begin per second; None: all are there from now on.

        Returns:
            A handle to follow it and to stop it.

        Raises:
            NotFound: no such service.
            AksError: a value that is refused, with its name.
        """
        ends = None if lasts is None else f"{read_duration('lasts', lasts)}us"
        told = _given(
            shape=shape, rate=rate, at=at, instants=instants, retry=retry, lasts=ends, users=users, think_time=think_time,
            spawn_rate=spawn_rate,
        )  # fmt: skip
        name = segment("service", service)
        return RemoteTraffic(self._control, self._control.begin_traffic(name, told))

    @property
    def traffic_entries(self) -> list[RemoteTraffic]:
        """All traffic that was begun on the server; what ended long ago may be missing."""
        return [RemoteTraffic(self._control, each) for each in self._control.traffic()]

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

    def run_policy(
        self,
        policy: Policy | StepPolicy | WaitingScript,
        endpoint: Any,
        until: Span | None = None,
        *,
        journal: str | PathLike[str] | Journal | None = None,
        seen: Callable[[Look], None] = lambda _: None,
    ) -> PolicyRunner | None:
        """Drive a service by a policy: `akstwin.policies.run_policy`, which lets the server's time go on.

        Args:
            policy: decides; or, in the older form, acts itself; or is a script that waits.
            endpoint: an `AksEndpoint`, or an `AksWebservice`, of this workspace.
            until: for how long from now, at most.
            journal: a file that each decision is kept in, and from which a run goes on.
            seen: hears each look.

        Returns:
            The runner: its `verdict`, and whether it has `ended`; None of a script.

        Raises:
            NotFound: no such service here.
            AksError: what is no policy, or the service refuses an action.
        """
        return run_policy(policy, endpoint, until, journal=journal, clock=_ServerClock(self._control), seen=seen)

    def _post(self, method: str, path: str, body: Json) -> Any:
        return self._control.offered(f"simulation.{method}", "POST", path, body)


def _sendable(reply: Any, place: str = "reply") -> Any:
    """A reply as JSON has it.

    Raises:
        InvalidSetting: a function, by its place.
    """
    match reply:
        case bytes() | bytearray():
            return {"$fixed": {"body_base64": base64.b64encode(reply).decode()}}
        case {"$match": [*rules]}:
            sent = {**reply, "$match": [_rule(rule, f"{place}.$match[{at}].reply") for at, rule in enumerate(rules)]}
            if "$otherwise" in reply:
                sent["$otherwise"] = _sendable(reply["$otherwise"], f"{place}.$otherwise")
            return sent
        case _ if callable(reply):
            raise InvalidSetting(place, reply, "bytes or JSON: a function cannot be sent to a server")
        case _:
            return reply


def _rule(rule: Any, place: str) -> Any:
    if isinstance(rule, dict) and "reply" in rule:
        return {**rule, "reply": _sendable(rule["reply"], place)}
    return rule


def _given(**values: Any) -> Json:
    return {name: value for name, value in values.items() if value is not None}
