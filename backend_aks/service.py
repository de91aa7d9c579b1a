"""One service on the cluster: looks at pods, router and operation, steps `cores.serving`, and makes the cluster what it wants.

Level-triggered: whatever was missed, done half or done by others, the next look compares what is wanted with what is there.
Nothing acts on a decision that the cluster does not keep yet.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from akstwin.backend_aks import manifests, pods
from akstwin.backend_aks.api import ApiRefused, Unreachable
from akstwin.backend_aks.deployments import Deployments
from akstwin.backend_aks.pods import PodSeen
from akstwin.backend_aks.replicas import Replicas
from akstwin.backend_aks.surroundings import Surroundings
from akstwin.clock import SECOND, Micros
from akstwin.control_plane import Auth, Content
from akstwin.control_plane.scalers import Scalers
from akstwin.cores import management, serving
from akstwin.cores.management import (
    Blocked,
    DeploymentStatus,
    Facts,
    Lifecycle,
    ServiceLife,
    VersionFacts,
    VersionStatus,
)
from akstwin.cores.management.facts import BlockedBy
from akstwin.cores.serving import PodFacts, ServiceFacts, ServingState, VersionState
from akstwin.domain.changes import Effect
from akstwin.domain.lifecycles import ServiceState
from akstwin.domain.service import ServiceSpec
from akstwin.errors import Conflict, NotFound, Unwritable
from akstwin.router.plane import TransportPlane

SHORTEST_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 10.0
"""Seconds before what the cluster did not take is tried again; doubled from the shortest."""
LAST_LINES: Final = 20
"""Lines of a crashed container that an error shows."""
_NO_LOG: Final = "unable to retrieve container logs"
"""What the kubelet answers in place of a log that is gone."""
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StoredService:
    """What is kept of a service beside its record and its life, so that a manager made anew goes on.

    Attributes:
        life: its number among the services that have had its name, to tell their pods apart.
        state: what was decided for it.
    """

    life: int
    state: ServingState


class RunningService:
    """One service.

    Args:
        stored: what was decided for it so far.
        contents: what each version runs.
        lifecycle: holds its states and operations.
        plane: its router.
        around: the cluster, the clock and the rest that services share.
        save: keeps what is decided, None: nothing more is to be kept.
        gone: called when nothing of it is left.
    """

    def __init__(
        self,
        stored: StoredService,
        contents: Mapping[str, Content],
        auth: Auth,
        lifecycle: Lifecycle,
        plane: TransportPlane,
        around: Surroundings,
        save: Callable[[StoredService | None], None],
        gone: Callable[[], None],
    ) -> None:
        self.name = stored.state.spec.name
        self.plane = plane
        self.lifecycle = lifecycle
        self._life = stored.life
        self._state = stored.state
        self._around = around
        self._loop = asyncio.get_running_loop()
        self._save = save
        self._gone = gone
        self._access_generation = lifecycle.life.generation
        self._replicas = Replicas(plane, around.next_replica)
        self._deployments = Deployments(self.name, stored.life, around, self._in_flight)
        self._deployments.contents = dict(contents)
        self._blocked_since: dict[tuple[str, BlockedBy], Micros] = {}
        self._last_lines: dict[str, tuple[str, int, str]] = {}
        self._abandoned: set[str] = set()
        self._wake = asyncio.Event()
        self._alarm: asyncio.TimerHandle | None = None
        self._scalers = Scalers(
            around.assumptions, around.clock.now, lambda: self._state, plane.usage, self._plan_look, self._scale
        )
        plane.set_auth(auth)
        self.task = self._loop.create_task(self._work(), name=f"service {self.name}")

    # -- reading

    @property
    def life(self) -> ServiceLife:
        """What the management service says of it."""
        return self.lifecycle.life

    @property
    def state(self) -> ServingState:
        """What was decided for it so far."""
        return self._state

    def status(self) -> DeploymentStatus:
        """How many replicas each version has."""
        facts = self._facts().pods
        return DeploymentStatus(
            {
                version.name: VersionStatus(
                    version.replicas,
                    facts[version.name].staying - facts[version.name].older,
                    facts[version.name].ready,
                )
                for version in self._state.versions
            }
        )

    def pods(self) -> list[PodSeen]:
        """Its pods, and not those of an earlier service of its name."""
        return [pod for pod in self._around.pods_of(self.name) if pod.life == self._life]

    # -- commands

    def change(
        self, spec: ServiceSpec, effects: tuple[Effect, ...], contents: Mapping[str, Content], generation: int
    ) -> None:
        """Get it from what it is to `spec`."""
        self._deployments.contents = dict(contents)
        running = self.life.running
        self._set(
            serving.changed(
                self._state,
                spec,
                effects,
                operation=None if running is None else running.number,
                image_at=self._image_at() if management.takes_operation(effects) else None,
                generation=generation,
            )[0]
        )

    def authorise(self, auth: Auth, generation: int) -> None:
        """The router asks for other keys or tokens from now on."""
        self.plane.set_auth(auth)
        self._access_generation = max(self._access_generation, generation)
        self.look()

    def end(self) -> None:
        """Its deletion has begun."""
        self._set(serving.ended(self._state))

    def look(self) -> None:
        """Something of it has changed."""
        self._wake.set()

    async def stop(self) -> None:
        """Decide and do nothing more; pods and router go on as they are."""
        self._scalers.stop()
        if self._alarm is not None:
            self._alarm.cancel()
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task

    def _image_at(self) -> Micros | None:
        running = self.life.running
        if running is None or running.stage != "BuildImage":
            return None
        return Micros(self._around.clock.now() + self._around.assumptions.image_build)

    def _set(self, state: ServingState) -> None:
        if state != self._state:
            self._state = state
            self._save(StoredService(self._life, state))
        self.look()

    # -- looking

    async def _work(self) -> None:
        pause = SHORTEST_PAUSE
        await self._around.synced()
        self._deliver(self._state.view)  # a router made anew knows nothing
        while True:
            self._wake.clear()
            try:
                self.reconcile()
                if self.life.state is ServiceState.GONE:
                    self._save(None)
                    self._gone()
                    return
                await self._around.settled()
                await self._act()
                pause = SHORTEST_PAUSE
            except (Unreachable, Unwritable, Conflict) as error:
                _log.info("%s: %s; again in %.1f s", self.name, error, pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            await self._wake.wait()

    def reconcile(self) -> None:
        """Look at what the service is like now, and decide what follows; what the cluster has to do for it is `_act`'s."""
        now = self._around.clock.now()
        self._route()
        wake, relieved = self._decide(now)
        self._scalers.drive()
        facts = self._management_facts()
        if relieved:
            self.lifecycle.relieve(facts, now)
        before = self.life
        alarm = self.lifecycle.observe(facts, now)
        if self.life != before:
            self.look()
        self._set_alarm(min((each for each in (wake, alarm) if each is not None), default=None))

    def _decide(self, now: Micros) -> tuple[Micros | None, bool]:
        """Step until nothing changes any more; returns when to look again, and whether what had failed was taken away."""
        relieved = False
        while True:
            before = self._state
            step = serving.step(before, self._facts(), now)
            if step.state != before:
                self._state = step.state
                self._save(StoredService(self._life, step.state))
            for action in step.actions:
                match action:
                    case serving.SendView(view):
                        self._deliver(view)
                    case serving.UseImage():
                        self.lifecycle.deploying(now)
                    case serving.AbandonPods(version):
                        self._abandoned.add(version)
                    case serving.Relieve():
                        relieved = True
                    case _:  # what Deployments are to be, `_act` compares with what they are
                        pass
            if step.state == before:  # what pods are to do is asked for again until they have done it
                return step.wake, relieved

    def _deliver(self, view: serving.RouterView) -> None:
        if view.number:
            self._replicas.deliver(view)
            self._route()

    def _route(self) -> None:
        numbers = {version.name: version.number for version in self._state.versions}
        ending = self._state.ending
        self._replicas.tell(self.pods(), lambda pod: not ending and pod.number == numbers.get(pod.version, pod.number))

    def _set_alarm(self, at: Micros | None) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if at is not None:
            left = self._around.clock.seconds_until(at)
            self._alarm = self._loop.call_later(left, self.look)

    def _facts(self) -> ServiceFacts:
        by_version: dict[str, list[PodSeen]] = {}
        for pod in self.pods():
            by_version.setdefault(pod.version, []).append(pod)
        silent = self._around.silent_nodes()
        versions = {version.name: version for version in self._state.versions}
        facts: dict[str, PodFacts] = {}
        for name in {*by_version, *versions}:
            version = versions.get(name)
            number, revision = (version.number, version.revision) if version is not None else (0, 0)
            facts[name] = pods.facts_of(by_version.get(name, ()), self._life, number, revision, silent)
        running = self.life.running
        return ServiceFacts(
            facts,
            None if running is None else running.number,
            self.life.state is ServiceState.HEALTHY,
            self._replicas.view,
        )

    def _management_facts(self) -> Facts:
        facts = self._facts()
        progress = serving.progress(self._state, facts)
        seen = self.pods()
        versions = {
            version.name: self._version_facts(version, facts.pods[version.name], seen)
            for version in self._state.versions
        }
        waits = [each.waiting for each in versions.values() if each.waiting is not None]
        return Facts(
            progress.wanted,
            progress.available,
            progress.rolled,
            progress.routed,
            min(waits, key=lambda each: each.since, default=None),
            progress.crashing_since,
            progress.restarts,
            self._state.ending and not any(not pod.over for pod in seen) and not self._deployments.seen(),
            "",
            self._state.generation,
            self._replicas.generation,
            self._access_generation,
            versions,
        )

    def _version_facts(self, version: VersionState, facts: PodFacts, seen: list[PodSeen]) -> VersionFacts:
        own = [pod for pod in seen if pod.version == version.name and pod.staying]
        return VersionFacts(
            version.spec.settings.initial_replicas,
            facts.serving,
            pods.waiting_of(own),
            version.crashing_since,
            next((pod.killed_for for pod in own if pod.killed_for), ""),
            self._blocked(version, own),
            self._last_lines.get(version.name, ("", 0, ""))[2] if any(pod.crashed for pod in own) else "",
        )

    def _blocked(self, version: VersionState, own: list[PodSeen]) -> Blocked | None:
        """What keeps pods from coming up. The API does not say since when an image cannot be pulled: since it was first seen."""
        found: dict[BlockedBy, str] = {pod.blocked[0]: pod.blocked[1] for pod in own if pod.blocked is not None}
        now = self._around.clock.now()
        for key in [key for key in self._blocked_since if key[0] == version.name and key[1] not in found]:
            del self._blocked_since[key]
        blocked = [
            Blocked(self._blocked_since.setdefault((version.name, by), now), by, text) for by, text in found.items()
        ]
        name = self._deployments.name_of(version)
        if name in self._deployments.refusals:
            blocked.append(self._deployments.refusals[name])
        deployment = self._around.deployments().get(name)
        refused = None if deployment is None else pods.refusal_of(deployment, self._around.epoch)
        if refused is not None:
            blocked.append(refused)
        return min(blocked, key=lambda each: each.since, default=None)

    # -- acting

    async def _act(self) -> None:
        """Make the cluster what is wanted."""
        pods_now = self.pods()
        if await self._deployments.make(self._state, pods_now):
            self.look()
        if self._deployments.refusals:
            self._loop.call_later(LONGEST_PAUSE, self.look)
        silent, abandoned = self._around.silent_nodes(), self._abandoned
        self._abandoned = set()
        await self._deployments.abandon(
            [pod for pod in pods_now if pod.version in abandoned and pod.leaving and pod.node in silent]
        )
        await self._read_last_lines()

    async def _read_last_lines(self) -> None:
        """What containers that have crashed wrote last; once for each crash."""
        for pod in self.pods():
            known = self._last_lines.get(pod.version, ("", 0, ""))
            if not pod.crashed or (pod.uid, pod.exits) == known[:2]:
                continue
            text = await self._end_of_log(pod)
            self._last_lines[pod.version] = (pod.uid, pod.exits, text)
            if text:
                self.look()

    async def _end_of_log(self, pod: PodSeen) -> str:
        """What a container of a pod wrote before its end.

        The one before the present is asked for first: it has ended in any case, while the present one may have begun again.
        """
        for previous in ("true", "false"):
            query = {"container": manifests.CONTAINER, "tailLines": str(LAST_LINES), "previous": previous}
            with contextlib.suppress(NotFound, ApiRefused):
                text = await self._around.api.text(f"{self._around.pods_path}/{pod.name}/log", **query)
                lines = [line for line in text.splitlines() if line.strip() and not line.startswith(_NO_LOG)]
                if lines:
                    return " | ".join(lines)
        return ""

    def _in_flight(self, pod: PodSeen) -> int:
        return self.plane.in_flight(pod.version, self._replicas.number(pod))

    # -- autoscalers

    def _plan_look(self, version: VersionState, refresh: Micros, look: Callable[[], None]) -> asyncio.TimerHandle:  # noqa: ARG002
        return self._loop.call_later(refresh / SECOND, look)

    def _scale(self, name: str, before: int, after: int) -> None:
        _log.info("%s: version %s is scaled from %d to %d", self.name, name, before, after)
        self._set(serving.scaled(self._state, name, after))
