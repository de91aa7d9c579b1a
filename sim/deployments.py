"""Deployments of one service: Kubernetes' own controller, which creates and ends pods until they are as asked for."""

from collections import deque
from collections.abc import Callable
from typing import Final

from akstwin.domain.assumptions import Assumptions
from akstwin.domain.lifecycles import PodState
from akstwin.domain.profile import ModelProfile
from akstwin.domain.service import VersionSpec
from akstwin.kubernetes_model import rollout
from akstwin.sim.models import ModelDraws
from akstwin.sim.pods import Pod, PodGroup, PodOwner, Pods, PodTemplate, RevisionCounts

_NONE = RevisionCounts()
AT_ONCE: Final = 50
"""Pods that one event creates or ends: more of them take several, so that no event takes long."""


class Deployments:
    """The Deployments of one service, one a version.

    Args:
        owner: the service.
        pods: the cluster's pods.
        assumptions: how pods are replaced.
        model: what the containers of a version cost.
        draws: gives run times to a version under a model.
    """

    def __init__(
        self,
        owner: PodOwner,
        pods: Pods,
        assumptions: Assumptions,
        model: Callable[[VersionSpec], ModelProfile],
        draws: Callable[[str, ModelProfile], ModelDraws],
    ) -> None:
        self._owner = owner
        self._pods = pods
        self._assumptions = assumptions
        self._model = model
        self._draws = draws
        self._wanted: dict[str, tuple[VersionSpec, int, int]] = {}
        self._ending: deque[Pod] = deque()
        self._round: list[str] | None = None
        self._advanced = False

    def apply(self, version: str, template: VersionSpec, revision: int, replicas: int) -> None:
        """Ask for so many pods of a template; `reconcile` acts on it."""
        self._wanted[version] = (template, revision, replicas)

    def end(self, version: str) -> None:
        """End all pods that the version has now; none is created any more. Of many, `reconcile` ends the rest."""
        self._wanted.pop(version, None)
        group = self._pods.groups(self._owner).get(version)
        self._ending.extend([] if group is None else [pod for pod in group.pods.values() if pod.staying])
        self._end_some()

    def _end_some(self) -> None:
        for _ in range(AT_ONCE):
            if not self._ending:
                return
            pod = self._ending.popleft()
            if pod.staying:
                self._pods.delete(pod)

    def place_ready(self) -> None:
        """The pods lie in the past: they are ready, as far as they fit."""
        for template, revision, replicas in self._wanted.values():
            made = self.template(template, revision)
            for _ in range(replicas):
                if self._pods.create_ready(made, self._owner, self._draws(template.name, made.model)) is None:
                    break

    def reconcile(self) -> bool:
        """Create and end pods as far as the rollout allows it now; returns whether that may allow more.

        Many pods come and go in parts: while `unfinished`, it is to be called again before anything else happens.
        """
        if self._ending:
            self._end_some()
            if self._ending:
                return False
        if self._round is None:
            self._round, self._advanced = list(self._wanted), False
        groups = self._pods.groups(self._owner)
        while self._round:
            advanced, done = self._advance(self._round[0], groups.get(self._round[0]))
            self._advanced = self._advanced or advanced
            if not done:
                return False
            del self._round[0]
        self._round = None
        return self._advanced

    @property
    def unfinished(self) -> bool:
        """Whether `reconcile` has to be called again for what it has begun."""
        return bool(self._ending) or self._round is not None

    def template(self, version: VersionSpec, revision: int) -> PodTemplate:
        """What pods of a version are made from."""
        image = version.code.image or f"{self._owner.name}/{version.name}:{version.code.content}"
        return PodTemplate(version, revision, image, self._model(version))

    def _advance(self, version: str, group: PodGroup | None) -> tuple[bool, bool]:
        """Do what is possible now; returns whether that was anything, and whether it was all."""
        template, revision, replicas = self._wanted[version]
        present = _NONE if group is None else group.revisions.get(revision, _NONE)
        old = 0 if group is None else group.staying - present.staying
        old_available = 0
        if old and group is not None:
            old_available = sum(of.in_service for number, of in group.revisions.items() if number != revision)
        # A pod counts once the router has seen it: an old one that went before would leave a gap of the router's lag.
        steps = rollout.count(
            rollout.Available(present.staying, present.in_service),
            rollout.Available(old, old_available),
            replicas,
            self._assumptions.max_surge,
            self._assumptions.max_unavailable,
        )
        if steps.create:
            made = self.template(template, revision)
            for _ in range(min(steps.create, AT_ONCE)):
                self._pods.create(made, self._owner, self._draws(version, made.model))
            if steps.create > AT_ONCE:
                return True, False
        number = steps.delete_new or steps.delete_old
        if group is None or not number:
            return steps.create > 0, True
        views = [
            rollout.PodView(
                pod.number, pod.template.revision, pod.in_service, self._owner.plane.in_flight(version, pod.number)
            )
            for pod in group.pods.values()
            if pod.staying and (pod.template.revision == revision) == bool(steps.delete_new)
        ]
        for victim in rollout.victims(views, number):
            pod = group.pods[victim]
            self._pods.delete(pod)
            if pod.state is PodState.GONE:  # others may have taken its room: what the rest was planned from is old
                break
        return True, True
