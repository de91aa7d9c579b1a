"""The Deployments of one service: made what `cores.serving` wants, whatever they are now."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from akstwin.backend_aks import manifests
from akstwin.backend_aks.api import ApiRefused, Json, Unreachable
from akstwin.backend_aks.bundles import Bundle
from akstwin.backend_aks.pods import PodSeen
from akstwin.backend_aks.surroundings import Surroundings
from akstwin.control_plane import Content
from akstwin.cores.management import Blocked
from akstwin.cores.management.facts import BlockedBy
from akstwin.cores.serving import ServingState, VersionState
from akstwin.errors import AksError, Conflict, NotFound

_COST: Final = "controller.kubernetes.io/pod-deletion-cost"
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Made:
    """What a Deployment asks for.

    Attributes:
        revision: of its template.
        replicas: as many.
        generation: what the cluster calls it; news of an earlier one is old.
    """

    revision: int
    replicas: int
    generation: int


class Deployments:
    """The Deployments of one service.

    Args:
        service: its name.
        life: its number among the services that have had its name.
        around: the cluster.
        in_flight: requests that a pod works on.

    Attributes:
        contents: what each version runs.
        refusals: why the cluster does not take a Deployment, by its name.
    """

    def __init__(self, service: str, life: int, around: Surroundings, in_flight: Callable[[PodSeen], int]) -> None:
        self._service = service
        self._life = life
        self._around = around
        self._in_flight = in_flight
        self._made: dict[str, _Made] = {}
        self._bundles: dict[tuple[str, str], Bundle] = {}
        self.contents: Mapping[str, Content] = {}
        self.refusals: dict[str, Blocked] = {}

    def name_of(self, version: VersionState) -> str:
        """The name of a version's Deployment."""
        return manifests.deployment_name(self._service, version.name, version.number, self._life)

    def seen(self) -> dict[str, Json]:
        """All that there are of services of this name, as the cluster has told."""
        return {
            name: thing
            for name, thing in self._around.deployments().items()
            if (thing["metadata"].get("labels") or {}).get(manifests.SERVICE) == self._service
        }

    async def make(self, state: ServingState, pods: Sequence[PodSeen]) -> bool:
        """Make them what is wanted; returns whether there is news of refusals.

        Raises:
            Unreachable, Conflict: the cluster does not take it now.
        """
        runs = state.deployed and not state.ending
        wanted = {self.name_of(version): version for version in state.versions if version.revision} if runs else {}
        leaving = set() if state.ending else {each.version for each in state.departures}
        seen, before = self.seen(), dict(self.refusals)
        for name in [name for name in self.refusals if name not in wanted]:
            del self.refusals[name]
        for name, version in wanted.items():
            await self._make_one(name, version, seen.get(name), pods)
        for name, thing in seen.items():
            labels = thing["metadata"]["labels"]
            serves = labels.get(manifests.VERSION) in leaving and labels.get(manifests.LIFE) == str(self._life)
            if name not in wanted and not serves and not thing["metadata"].get("deletionTimestamp"):
                await self._around.api.delete(f"{self._around.deployments_path}/{name}")
                self._made.pop(name, None)
        return self.refusals != before

    async def abandon(self, pods: Sequence[PodSeen]) -> None:
        """Take pods out of the cluster's books whose nodes will not say that they have ended."""
        for pod in pods:
            await self._around.api.delete(f"{self._around.pods_path}/{pod.name}", gracePeriodSeconds=0)

    async def _make_one(self, name: str, version: VersionState, seen: Json | None, pods: Sequence[PodSeen]) -> None:
        try:
            made = self._present(name, seen)
            if made is None or made.revision != version.revision:
                made = await self._apply(name, version)
            if made.replicas != version.replicas:
                await self._scale(name, version, made, pods)
        except (Unreachable, Conflict):
            raise
        except AksError as error:
            by: BlockedBy = "admission" if isinstance(error, ApiRefused | NotFound) else "configuration"
            known = self.refusals.get(name)
            since = known.since if known is not None else self._around.clock.now()
            self.refusals[name] = Blocked(since, by, getattr(error, "message", str(error)))
            _log.warning("%s: %s", self._service, error)
        else:
            self.refusals.pop(name, None)

    def _present(self, name: str, seen: Json | None) -> _Made | None:
        """The Deployment as it stands; None: it does not exist. Our own writes count until the watch has shown them."""
        made = self._made.get(name)
        if seen is not None and (made is None or seen["metadata"]["generation"] >= made.generation):
            written = (seen["metadata"].get("annotations") or {}).get(manifests.REVISION)
            return _Made(int(written or 0), seen["spec"].get("replicas", 1), seen["metadata"]["generation"])
        if seen is None and made is not None and self._around.has_seen(name, made.generation):
            return None  # somebody has deleted it
        return made

    async def _apply(self, name: str, version: VersionState) -> _Made:
        template, revision, _ = version.wanted
        around, content = self._around, self.contents[version.name]
        bundle = await self._bundle(version, content)
        running = manifests.Running(
            around.image_of(content), bundle.digest, around.bundle_url(bundle.digest), bundle.environment
        )
        manifest = manifests.deployment(
            around.namespace, self._service, version.number, self._life, template, revision, running, around.assumptions
        )
        answer = await around.api.apply(f"{around.deployments_path}/{name}", manifest)
        made = _Made(revision, answer["spec"].get("replicas", 1), answer["metadata"]["generation"])
        self._made[name] = made
        return made

    async def _scale(self, name: str, version: VersionState, made: _Made, pods: Sequence[PodSeen]) -> None:
        path = f"{self._around.deployments_path}/{name}"
        if version.replicas < made.replicas:
            await self._price([pod for pod in pods if pod.version == version.name and pod.staying])
        await self._around.api.merge(f"{path}/scale", {"spec": {"replicas": version.replicas}})
        answer = await self._around.api.get(path)
        generation = answer["metadata"]["generation"]
        self._made[name] = replace(made, replicas=version.replicas, generation=generation)

    async def _price(self, pods: Sequence[PodSeen]) -> None:
        """Tell the ReplicaSet which pods to end first: those with the fewest requests in flight."""
        for pod in pods:
            patch = {"metadata": {"annotations": {_COST: str(self._in_flight(pod))}}}
            with contextlib.suppress(NotFound):
                await self._around.api.merge(f"{self._around.pods_path}/{pod.name}", patch)

    async def _bundle(self, version: VersionState, content: Content) -> Bundle:
        key = (version.name, version.template.code.content)
        if key not in self._bundles:
            pack = self._around.bundles.pack
            self._bundles[key] = await asyncio.to_thread(pack, self._service, version.template, content)
        return self._bundles[key]
