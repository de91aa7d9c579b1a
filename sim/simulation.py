"""`ws.simulation`, what only a simulated workspace can do: profiles, traffic, faults, letting time pass, looking."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from os import PathLike
from typing import Any, Final, Literal

from pydantic import BaseModel

from akstwin.clock import NEVER, SECOND, Micros
from akstwin.domain.cluster import ClusterSpec
from akstwin.domain.faults import Fault
from akstwin.domain.history import Wanted
from akstwin.domain.mistakes import read
from akstwin.domain.observation import Observation
from akstwin.domain.profile import ModelProfile
from akstwin.domain.replying import Script, read_reply
from akstwin.domain.units import read_duration
from akstwin.domain.words import nearest
from akstwin.domain.workload import Clients
from akstwin.domain.workload import Traffic as TrafficEntry
from akstwin.errors import InvalidSetting, NotFound
from akstwin.policies.journal import Journal
from akstwin.policies.policy import Policy, StepPolicy
from akstwin.policies.runner import Look, PolicyRunner
from akstwin.policies.running import WaitingScript, run_policy
from akstwin.sim.calendar import Order
from akstwin.sim.cluster_view import node_rows, pod_rows
from akstwin.sim.driver import UNSET, Driver, Profile
from akstwin.sim.faults import InjectedFault, check_fault
from akstwin.sim.insights import TABLES, Insights
from akstwin.sim.traffic import Traffic, TrafficEntries
from akstwin.sim.world import SimulatedService, World

Span = str | float
"""A duration: `"250ms"`, `"10s"`, `"5m"`, `"24h"`, or a number of seconds."""


Verb = Literal["profile", "chance", "cluster"]
"""What is told of a service, or of a cluster, and holds from then on."""


class Simulation:
    """The handle on a simulated workspace's world. All chance in it comes from the workspace's seed."""

    def __init__(self, driver: Driver, insights: Insights) -> None:
        self._driver = driver
        self._insights = insights
        self.on_told: list[Callable[[Verb, str, str | None, Mapping[str, Any]], None]] = []
        """Hear what is told of services, as it was given: the verb, the service, the version, the rest."""
        self._traffic = TrafficEntries()
        self._entries = 0
        self._replies = 0
        self._looked_from = Micros(0)

    @property
    def now(self) -> float:
        """Seconds since the clock's start."""
        return self._driver.calendar.now / SECOND

    @property
    def events(self) -> list[tuple[float, str, str, str]]:
        """What has happened to clusters and services: seconds, kind, subject, detail.

        The latest 50,000 are kept, 10,000 on a server; `events_dropped` says how many had to go for them.
        """
        return self.history()

    @property
    def events_dropped(self) -> int:
        """How many of the first `events` are kept no more."""
        return self._driver.events.dropped

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
        chosen = Wanted.read(kind, subject, since, limit).choose(self._driver.events)
        return [(at / SECOND, happened, of, detail) for at, happened, of, detail in chosen]

    def nodes(self, cluster: str | None = None) -> list[dict[str, Any]]:
        """The nodes of the workspace's clusters as they are now.

        Args:
            cluster: only those of this compute target.

        Returns:
            By cluster and number: `cluster`, `node`, `vm_size` (None: described by hand), `state` (Ready, NotReady or Draining),
            `pods`, `router_pods`, and `cpu`, `memory_gb`, `gpus` with what pods have requested of each (`cpu_requested`, …).

        Raises:
            NotFound: no such compute target.
        """
        return node_rows(self._clusters(cluster))

    def pods(
        self, service: str | None = None, *, namespace: str | None = None, cluster: str | None = None
    ) -> list[dict[str, Any]]:
        """The pods of the workspace's services as they are now, the oldest of each cluster first.

        Args:
            service: only those of this service.
            namespace: only those that live there.
            cluster: only those of this compute target.

        Returns:
            For each pod: `cluster`, `namespace`, `service`, `version`, `pod`, `node` (None: it has none yet), `state`,
            `routed` (whether the router sends it requests), `restarts`, `container_since` (seconds since the clock's start).

        Raises:
            NotFound: no such compute target.
        """
        return pod_rows(self._clusters(cluster), self._driver.namespace, service=service, namespace=namespace)

    def _clusters(self, cluster: str | None) -> dict[str, World]:
        worlds = self._driver.worlds
        if cluster is None:
            return worlds
        if cluster not in worlds:
            raise NotFound(f"compute target {cluster} is not there")
        return {cluster: worlds[cluster]}

    def insights(self, table: str = "requests", *, service: str | None = None) -> list[dict[str, Any]]:
        """What services with `enable_app_insights` have reported to Application Insights: the latest 10,000 rows of all tables.

        Containers report, not the router: a request that the router refused itself is in none of the tables.

        Args:
            table: `requests`, `traces` (what scripts print) or `exceptions` (of runs that failed).
            service: only this one's.

        Returns:
            Rows with the columns of an export: `timestamp`, `name`, `resultCode`, `duration` (ms), `operation_Id`,
            `cloud_RoleName` (the service), `cloud_RoleInstance` (the pod), `customDimensions`, …

        Raises:
            InvalidSetting: another table.
        """
        if table not in TABLES:
            raise InvalidSetting("table", table, f"one of {', '.join(TABLES)}")
        return list(self._insights.choose(table, service))

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
        reply: Any = UNSET,
        memory: Any = None,
    ) -> None:
        """Tell what a model costs. What is left out stays as it was told before.

        It may be told before the service is deployed. On running replicas the times hold for what starts from now on, and
        `workers` for containers that start from now on.

        Args:
            service: the name of the service.
            version: of an endpoint; None: all versions, those too that have been given values of their own.
            service_time: run time of one request in a worker: a duration, or a mapping with `distribution`, `mean`, `cv`;
                50 ms.
            init_time: from the container's start to the end of `init()`, likewise; 5 s.
            workers: processes that score at once in one replica; 1.
            cpu: cores that a busy worker wants; not told: `service_time` was measured under the limits in force.
            failure_rate: share of requests whose `run()` raises; 0.
            reply: what answers instead of the entry script: a function of the body, bytes, or anything JSON can say; or a
                document: `{"$echo": True}`, `{"$fixed": {...}}`, rules by what is asked `{"$match": [...], "$otherwise": ...}`
                (`akstwin.domain.replying`), or `{"$script": True}`, the entry script again.
                The script's own run time never moves virtual time, with or without this.
            memory: that a container takes, with its unit: a mapping with `base` (once `init()` has returned) and `per_request`
                (for each request in it, running or in its backlog), or a size, which is the base. A container that takes more
                than `memory_gb_limit` is killed. On running replicas it holds from the next request on.

        Raises:
            AksError: a value that is refused, with its name.
        """
        told = self._driver.told(service, version)
        given = {
            name: value
            for name, value in {
                "service_time": service_time,
                "init_time": init_time,
                "workers": workers,
                "cpu": cpu,
                "failure_rate": failure_rate,
                "memory": memory,
            }.items()
            if value is not None
        }
        told_now = read(_Told, {"profile": given}).profile
        model = {**told.model, **{name: getattr(told_now, name) for name in given}}
        if reply is UNSET:
            profile = Profile(model, told.reply, told.number)
        else:
            read_now = read_reply(reply)
            self._replies += 1
            if isinstance(read_now, Script):
                profile = Profile(model, UNSET, self._replies)
            else:
                self._driver.make_reply(service, read_now).close()  # refuses what cannot be sent
                profile = Profile(model, read_now, self._replies)
        for hear in self.on_told:  # before it is done: whoever cannot keep it refuses it
            hear("profile", service, version, given if reply is UNSET else {**given, "reply": reply})
        if version is None:
            self._driver.drop_profiles(service, given, reply=reply is not UNSET)
        self._driver.set_profile(service, version, profile)

    def chance(self, service: str, *, seed: int, replication: int = 1) -> None:
        """Let a service take the chance of a scenario's run.

        From now on its pods start, and its versions answer, as those of the scenario's service do in `akstwin run` with that
        seed: a request that says which of the scenario's it is (header `x-akstwin-request: ENTRY/NUMBER/ATTEMPT`) goes to the
        same version, takes as long and fails alike. It may be told before the service is deployed.

        Args:
            service: the name of the service.
            seed: of the scenario.
            replication: of the scenario, from 1.

        Raises:
            InvalidSetting: a seed or replication that no run has.
        """
        for name, value, least in (("seed", seed, 0), ("replication", replication, 1)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InvalidSetting(f"chance.{name}", value, f"a whole number from {least} on")
        for hear in self.on_told:
            hear("chance", service, None, {"seed": seed, "replication": replication})
        self._driver.set_chance(service, seed, replication)

    def cluster(self, name: str, *, nodes: int = 3, vm_size: Any = None, max_nodes: int | None = None) -> None:
        """Describe a cluster that will be attached under this name. One that nobody described has three Standard_D3_v2.

        Args:
            name: of the compute target to come.
            nodes: how many it has.
            vm_size: what they are: a known name, or a mapping with cpu_cores, memory_gb, gpu_cores.
            max_nodes: with it the cluster autoscaler is on and may go up to so many.

        Raises:
            InvalidSetting: the compute target is there already.
            AksError: a value that is refused, with its name.
        """
        if name in self._driver.worlds:
            raise InvalidSetting("cluster.name", name, "the name of a compute target to come: it is there already")
        given = {"purpose": "DevTest", "nodes": nodes, "vm_size": vm_size, "max_nodes": max_nodes}
        spec = read(_Described, {"cluster": {key: value for key, value in given.items() if value is not None}}).cluster
        self._driver.try_cluster(name, spec)
        for hear in self.on_told:
            hear("cluster", name, None, {key: value for key, value in given.items() if key != "purpose"})
        self._driver.described[name] = spec

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
    ) -> Traffic:
        """Let simulated clients call a service from now on, beside those that already do.

        Args:
            service: the name of the service.
            shape: `constant`, `poisson`, `steps`, `trace`, or `users`: each waits for its answer and thinks before it asks again.
            rate: requests per second; a list of them for `steps`.
            at: for `steps`: from when on each rate holds, counted from now.
            instants: for `trace`: when each request comes, s from now, never going back.
            retry: what clients do with a refusal: `none`, `azureml-core`, `urllib3`, or a mapping with statuses, attempts,
                backoff, factor.
            lasts: for how long; None: without end.
            users: for `users`: how many there are.
            think_time: for `users`: from an answer to the user's next request: a duration, or a mapping with `distribution`,
                `mean`, `cv`.
            spawn_rate: for `users`: how many begin per second, each with a request at once; None: all are there, and each
                begins with a part of its first think time.

        Returns:
            A handle to follow it and to stop it.

        Raises:
            NotFound: no such service.
            AksError: a value that is refused, with its name.
        """
        running = self._driver.service(service)
        span = None if lasts is None else read_duration("lasts", lasts)
        sent = read(
            _Sent,
            {
                "traffic": _entry(
                    instants, shape=shape, rate=rate, at=at, users=users, think_time=think_time, spawn_rate=spawn_rate
                ),
                "clients": {"retry": retry},
            },
        )
        source = running.send([sent.traffic], sent.clients, (0, NEVER), self.new_entries(1))
        if span is not None:
            self._driver.calendar.after(span, Order.FAULT, source.stop)
        return self._traffic.add(service, sent.traffic, source)

    @property
    def traffic_entries(self) -> list[Traffic]:
        """All traffic that this has begun; what ended long ago may be missing."""
        return list(self._traffic)

    def traffic_entry(self, service: str, identity: str) -> Traffic:
        """One of them.

        Raises:
            NotFound: the service has none of that name.
        """
        return self._traffic.find(service, identity)

    def new_entries(self, count: int) -> int:
        """The first of `count` numbers for traffic entries that no other has."""
        first = self._entries
        self._entries += count
        return first

    def fault(
        self, kind: str, *, at: Span = 0, service: str | None = None, cluster: str | None = None, **settings: Any
    ) -> None:
        """Break something. Faults of one kind on one replica or node add up.

        Args:
            kind: `node_loss`, `replica_kill`, `replica_hang`, `slow_replica`, `init_failure`, `image_pull_slow` or
                `crash_on_request`.
            at: when, counted from now.
            service: whose replicas; may be left out where there is one service.
            cluster: whose nodes; may be left out where there is one cluster.
            settings: the rest of what a fault of that kind has (`node`, `version`, `count`, `factor`, `lasts`, …).

        Raises:
            NotFound: no such service or cluster.
            AksError: a setting that is refused, with its name.
        """
        self.inject({"kind": kind, "at": at, **settings}, service, cluster)

    def inject(self, given: Mapping[str, Any], service: str | None, cluster: str | None) -> InjectedFault:
        """`fault`, for callers that end it themselves.

        Args:
            given: `kind`, `at` and what else a fault of that kind has.
            service: whose replicas; may be left out where there is one service.
            cluster: whose nodes; may be left out where there is one cluster.
        """
        read_now = read(_Broken, {"fault": dict(given)}).fault
        fault = read_now.model_copy(update={"at": self._driver.calendar.now + read_now.at})
        target = self.target(service, cluster, fault.kind)
        check_fault("fault", fault, list(target.controller.deployments), len(target.world.nodes.all))
        return target.world.plan_fault(fault, target)

    def advance(self, span: Span) -> None:
        """Let time pass: everything that falls into it happens.

        Args:
            span: how long.
        """
        calendar = self._driver.calendar
        self._looked_from = calendar.now
        calendar.run_until(calendar.now + read_duration("span", span))

    def observe(self, service: str, window: Span | None = None) -> Observation:
        """What users and operators saw of a service.

        Args:
            service: its name.
            window: how far back from now; None: to where the last `advance` began.

        Raises:
            NotFound: no such service.
            InvalidSetting: a window that is not longer than 0, or reaches back beyond what is kept.
        """
        self._driver.service(service)
        now = self._driver.calendar.now
        back = Micros(now - self._looked_from) if window is None else read_duration("window", window)
        return self._driver.watches[service].observe(back)

    def run_policy(
        self,
        policy: Policy | StepPolicy | WaitingScript,
        endpoint: Any,
        until: Span | None = None,
        *,
        journal: str | PathLike[str] | Journal | None = None,
        seen: Callable[[Look], None] = lambda _: None,
    ) -> PolicyRunner | None:
        """Drive a service by a policy: `akstwin.policies.run_policy`, in virtual time.

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
        self._driver.service(endpoint.name)
        return run_policy(policy, endpoint, until, journal=journal, seen=seen)

    def note_policy(self, service: str, kind: str, policy: str, words: str) -> None:
        """Keep among the events that a policy has looked at a service, or has acted on it.

        Raises:
            NotFound: no such service.
        """
        self._driver.service(service)
        self._driver.note(service, kind, policy, words)

    def target(self, service: str | None, cluster: str | None, kind: str) -> SimulatedService:
        """Whose replicas or nodes a fault of that kind means.

        Raises:
            NotFound: no such service.
            InvalidSetting: no such cluster, none at all, or several.
        """
        if service is not None:
            return self._driver.service(service)
        candidates = [
            each
            for each in self._driver.services.values()
            if not each.controller.ended and (cluster is None or self._driver.worlds.get(cluster) is each.world)
        ]
        if cluster is not None and cluster not in self._driver.worlds:
            known = sorted(self._driver.worlds)
            raise InvalidSetting(
                "fault.cluster", cluster, f"a cluster: {', '.join(known) or 'there is none'}{nearest(cluster, known)}"
            )
        worlds = {id(each.world) for each in candidates}
        if not candidates:
            raise InvalidSetting("fault.service", None, "a deployed service: there is none")
        if len(candidates) > 1 and (kind not in _OF_CLUSTERS or len(worlds) > 1):
            names = ", ".join(each.controller.name for each in candidates)
            raise InvalidSetting("fault.service", None, f"one of {names}")
        return candidates[0]


class _Told(BaseModel):
    profile: ModelProfile


class _Described(BaseModel):
    cluster: ClusterSpec


class _Sent(BaseModel):
    traffic: TrafficEntry
    clients: Clients


class _Broken(BaseModel):
    fault: Fault


_OF_CLUSTERS: Final = ("node_loss", "image_pull_slow")


def _entry(instants: list[float] | None, **given: Any) -> dict[str, Any]:
    """The traffic entry as a scenario would have it; a trace's instants stand in for its file."""
    if instants is not None and given["shape"] != "trace":
        raise InvalidSetting("traffic.instants", instants, "possible but for the shape trace")
    if given["shape"] == "trace":
        given |= {"file": "instants", "instants": _instants(instants)}
    return {name: value for name, value in given.items() if value is not None}


def _instants(instants: list[float] | None) -> tuple[Micros, ...]:
    if not isinstance(instants, list | tuple):
        raise InvalidSetting("traffic.instants", instants, "a list of seconds, as the shape is trace")
    found = tuple(read_duration("traffic.instants", instant) for instant in instants)
    if any(later < earlier for earlier, later in pairwise(found)):
        raise InvalidSetting("traffic.instants", instants, "a list of seconds that never goes back")
    return found
