"""What a running service wants: pods of which template, which router configuration, which autoscalers.

`(state, facts, now) → (state, actions, wake)`, the same on a simulated and on a real cluster. The state holds what was decided
so far; the facts say what pods, router and operation are like. It is level-triggered: a driver calls `step` whenever a fact
may have changed, and with the same facts it decides nothing more.

Commands change the state: `created`, `changed`, `scaled`, `ended`. A driver performs the actions, and starts, pauses and stops
the autoscalers as `VersionState.scaler`, `rolling` and `window` say.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from akstwin.clock import Micros
from akstwin.domain.changes import (
    Effect,
    PodsReplaced,
    SplitChanged,
    VersionAdded,
    VersionRemoved,
)
from akstwin.domain.deployment import Autoscaled, Fixed, RouteSettings
from akstwin.domain.service import ServiceSpec, Split, VersionSpec

_NEXT: Final = -1
"""Stands for the number of the router view that is sent next."""


# -- facts


@dataclass(frozen=True, slots=True)
class PodFacts:
    """The pods of one version.

    Attributes:
        staying: pods that are not on their way out.
        ready: ready pods, whatever they were made from.
        current_ready: ready pods of the present revision that are not on their way out.
        older: pods of an earlier revision that are not on their way out.
        restarts: the most restarts in a row of one pod of the present revision.
        exits: how often a container of the version has ended so far.
        in_service: pods of `current_ready` that the router has seen ready.
        serving: the same, whatever they were made from.
        lost: pods on their way out whose node has been silent for too long: nothing there will ever say that they have ended.
    """

    staying: int = 0
    ready: int = 0
    current_ready: int = 0
    older: int = 0
    restarts: int = 0
    exits: int = 0
    in_service: int = 0
    serving: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """What a service is like now.

    Attributes:
        pods: by version; a version without an entry has none.
        operation: the number of the operation that runs; None: none does.
        healthy: whether the management service calls the service Healthy.
        router_view: the number of the latest view that the router acts by; 0: none yet.
    """

    pods: Mapping[str, PodFacts]
    operation: int | None
    healthy: bool
    router_view: int


# -- state


@dataclass(frozen=True, slots=True)
class VersionState:
    """One version on the cluster.

    Attributes:
        number: 1, 2, … in the order in which the service's versions were added.
        spec: what it is deployed with.
        template: what its pods are made from: `spec`, but for a change whose image is still being built.
        revision: of its pod template; 0: its first image is still being built.
        replicas: pods that it asks for.
        rolling: whether an operation on it is under way; its autoscaler pauses.
        shares: whether it gets traffic: a version that is added later does once all its replicas are ready.
        scaler: what its autoscaler goes by; None: it has none, or not yet.
        slots: requests that one replica takes at once, as the autoscaler counts.
        window: another number is another window of the autoscaler: it forgets what it saw.
        tuned_by: the router view after which its settings for scaling act; None: they do.
        exits: container ends that were seen; -1: none was looked for yet.
        crashing_since: since when its containers have been ending with none of its pods ready.
    """

    number: int
    spec: VersionSpec
    template: VersionSpec
    revision: int
    replicas: int
    rolling: bool = False
    shares: bool = True
    scaler: Autoscaled | None = None
    slots: int = 0
    window: int = 0
    tuned_by: int | None = None
    exits: int = 0
    crashing_since: Micros | None = None

    @property
    def name(self) -> str:
        """The version's name."""
        return self.spec.name

    @property
    def wanted(self) -> tuple[VersionSpec, int, int]:
        """What its Deployment asks for: template, revision, replicas."""
        return self.template, self.revision, self.replicas


@dataclass(frozen=True, slots=True)
class Departure:
    """A version that was taken away and still has pods.

    Attributes:
        version: its name.
        view: the router view without it, after which its pods end; None: it serves until those that replace it are there.
    """

    version: str
    view: int | None


@dataclass(frozen=True, slots=True)
class ImageBuild:
    """An image that is being built.

    Attributes:
        due: when it is there.
        operation: the operation that waits for it; when that one has ended, the image is not used.
        versions: whose pods are made from it.
        first: whether it is the build of the service's creation.
    """

    due: Micros
    operation: int
    versions: tuple[str, ...]
    first: bool


@dataclass(frozen=True, slots=True)
class RouterView:
    """What the router is to know of a service.

    Attributes:
        number: 1, 2, …; the router acts by the view with the highest number that has reached it.
        settings: of each version.
        kept: versions that were taken away and serve until those that replace them are there; their settings stay.
        split: the traffic split; None: the service is gone.
        generation: of the service that this is a view of.
    """

    number: int
    settings: tuple[tuple[str, RouteSettings], ...]
    kept: tuple[str, ...]
    split: Split | None
    generation: int = 0


@dataclass(frozen=True, slots=True)
class ServingState:
    """What was decided for one service so far.

    Attributes:
        spec: what was last asked for.
        split: the traffic split that was last asked for.
        stand_in: the version that gets the default's traffic while the default gets none itself.
        versions: in the order in which they were added.
        departures: versions that were taken away and still have pods.
        builds: images that are being built.
        deployed: whether the cluster and the router know of the service.
        ending: whether it is being deleted.
        relieved: a version was taken away without the lock: the service may be well again.
        view: the latest router view.
        announces: whether another view is due, even if it says the same: settings act when the router has it.
        applied: by version, what its Deployment was last told.
        added: how many versions it has had.
        generation: of the service that was last asked for.
        operation_view: the router view that the latest operation ends with: the first one with its settings and with
            traffic for its versions; 0: none has begun.
    """

    spec: ServiceSpec
    split: Split
    stand_in: str
    versions: tuple[VersionState, ...]
    departures: tuple[Departure, ...] = ()
    builds: tuple[ImageBuild, ...] = ()
    deployed: bool = False
    ending: bool = False
    relieved: bool = False
    view: RouterView = RouterView(0, (), (), None)
    announces: bool = False
    applied: Mapping[str, tuple[VersionSpec, int, int]] = field(default_factory=dict)
    added: int = 0
    generation: int = 0
    operation_view: int = 0

    def version(self, name: str) -> VersionState | None:
        """The version of that name; None: there is none."""
        return next((version for version in self.versions if version.name == name), None)


# -- actions


@dataclass(frozen=True, slots=True)
class ApplyDeployment:
    """The version's Deployment asks for so many pods of this template."""

    version: str
    template: VersionSpec
    revision: int
    replicas: int


@dataclass(frozen=True, slots=True)
class EndPods:
    """All pods that the version has now end."""

    version: str


@dataclass(frozen=True, slots=True)
class AbandonPods:
    """The version's pods that are on their way out on lost nodes count as gone: nobody waits for word from there."""

    version: str


@dataclass(frozen=True, slots=True)
class SendView:
    """The new view goes to the router; `ServiceFacts.router_view` says when it knows."""

    view: RouterView


@dataclass(frozen=True, slots=True)
class UseImage:
    """The image is there: the operation goes on to its pods."""


@dataclass(frozen=True, slots=True)
class Relieve:
    """What had failed may have been taken away: if all other pods are there, the service is Healthy."""


@dataclass(frozen=True, slots=True)
class Scaled:
    """A version asks for another number of replicas."""

    version: str
    before: int
    after: int


Action = ApplyDeployment | EndPods | AbandonPods | SendView | UseImage | Relieve | Scaled


@dataclass(frozen=True, slots=True)
class Step:
    """What a step came to.

    Attributes:
        state: from now on.
        actions: what is to be done, in this order.
        wake: when to step again although no fact has changed; None: never.
    """

    state: ServingState
    actions: tuple[Action, ...]
    wake: Micros | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the service is, for the management service.

    Attributes:
        wanted: replicas that all versions ask for.
        available: ready pods.
        rolled: whether every version has all its replicas ready and no pod of an earlier revision left.
        routed: whether the router has the replicas and the split that the latest operation brings.
        crashing_since: since when a version's containers have been ending with none of its pods ready.
        restarts: the most restarts in a row of one pod that the latest operation has brought: pods that were there before
            may have restarted for other reasons.
    """

    wanted: int
    available: int
    rolled: bool
    routed: bool
    crashing_since: Micros | None
    restarts: int


# -- commands


def created(spec: ServiceSpec, *, operation: int | None, image_at: Micros | None, generation: int = 0) -> ServingState:
    """A service that comes to the cluster.

    Args:
        spec: the service.
        operation: its creation's; None: its deployment lies in the past.
        image_at: when its image is there; None: it is there.
        generation: of the service that `spec` is.
    """
    under_way = operation is not None
    versions = tuple(
        VersionState(number, version, version, 1, version.settings.initial_replicas, rolling=under_way)
        for number, version in enumerate(spec.versions, 1)
    )
    state = ServingState(
        spec, spec.split, spec.default, versions,
        added=len(versions), generation=generation, operation_view=_NEXT if under_way else 0,
    )  # fmt: skip
    if operation is not None and image_at is not None:
        names = tuple(version.name for version in versions)
        return replace(state, builds=(ImageBuild(image_at, operation, names, first=True),))
    if not under_way:
        state = replace(state, versions=tuple(_with_scaler(version) for version in versions))
    return replace(state, deployed=True)


def changed(
    state: ServingState,
    spec: ServiceSpec,
    effects: tuple[Effect, ...],
    *,
    operation: int | None,
    image_at: Micros | None,
    generation: int = 0,
) -> tuple[ServingState, tuple[EndPods, ...]]:
    """The service is to become another one.

    Args:
        state: so far.
        spec: the service as it shall be.
        effects: what that takes.
        operation: the one that has begun for it; None: it takes none.
        image_at: when the image that it needs is there; None: none is built.
        generation: of the service that `spec` is.

    Returns:
        The state from now on, and pods that end at once: those of an earlier version whose name is used again.
    """
    replaces = any(isinstance(effect, VersionAdded) for effect in effects)
    versions = {version.name: version for version in state.versions}
    for version in spec.versions:
        if version.name in versions:
            was = versions[version.name]
            # Settings that scaling does not go by must not put off an earlier change of those that it does.
            tuned_by = was.tuned_by if _scaling(was.spec) == _scaling(version) else _NEXT
            versions[version.name] = replace(was, spec=version, tuned_by=tuned_by)
    departures, added = list(state.departures), state.added
    ends: list[EndPods] = []
    split = state.split
    for effect in effects:
        match effect:
            case VersionAdded(version):
                if any(each.version == version.name for each in departures):
                    departures = [each for each in departures if each.version != version.name]
                    ends.append(EndPods(version.name))
                added += 1
                versions[version.name] = VersionState(
                    added, version, version, 0, version.settings.initial_replicas,
                    shares=False, tuned_by=_NEXT, exits=-1,
                )  # fmt: skip
            case VersionRemoved(name):
                del versions[name]
                departures.append(Departure(name, None if replaces else _NEXT))
            case SplitChanged(wanted):
                split = wanted
            case _:
                pass
    rolls = tuple(each.version.name for each in effects if isinstance(each, VersionAdded | PodsReplaced))
    for name in rolls:
        versions[name] = replace(versions[name], rolling=True)
    removes = any(isinstance(effect, VersionRemoved) for effect in effects)
    state = replace(
        state,
        spec=spec,
        split=split,
        versions=tuple(versions.values()),
        departures=tuple(departures),
        added=added,
        announces=True,
        generation=generation,
        operation_view=_NEXT if rolls else state.operation_view,
        relieved=state.relieved or (removes and not rolls and operation is None),
    )
    if rolls and operation is not None and image_at is not None:
        build = ImageBuild(image_at, operation, rolls, first=False)
        return replace(state, builds=(*state.builds, build)), tuple(ends)
    return _rolled_out(state, rolls), tuple(ends)


def scaled(state: ServingState, name: str, replicas: int) -> ServingState:
    """The version's autoscaler wants so many replicas."""
    return _with(state, name, replicas=replicas)


def ended(state: ServingState) -> ServingState:
    """Its deletion has begun: no autoscaler runs, all pods end, the router forgets the service."""
    versions = tuple(replace(version, replicas=0, scaler=None) for version in state.versions)
    return replace(state, versions=versions, ending=True, builds=(), announces=True)


# -- deciding


def step(state: ServingState, facts: ServiceFacts, now: Micros) -> Step:
    """What follows from what the service is like now."""
    actions: list[Action] = []
    if state.relieved:
        state = replace(state, relieved=False)
        actions.append(Relieve())
    state = _see_crashes(state, facts, now)
    if state.ending:
        names = [*(version.name for version in state.versions), *(each.version for each in state.departures)]
        actions += [EndPods(name) for name in names if name in facts.pods and facts.pods[name].staying]
        actions += [AbandonPods(name) for name, pods in facts.pods.items() if pods.lost]
        state = replace(state, departures=())
    else:
        built = _finish_builds(state, facts, now, actions)
        state = _settle(built, facts, rolled=built is state and progress(state, facts).rolled)
    state = _announce(state, actions)
    if not state.ending:
        state = _depart(_tune(state, facts, actions), facts, actions)
        state = _apply(state, actions)
    return Step(state, tuple(actions), min((build.due for build in state.builds), default=None))


def progress(state: ServingState, facts: ServiceFacts) -> Progress:
    """How far the service is."""
    pods = {version.name: facts.pods.get(version.name, PodFacts()) for version in state.versions}
    return Progress(
        sum(version.replicas for version in state.versions),
        sum(each.ready for each in pods.values()),
        all(
            pods[version.name].current_ready >= version.replicas and not pods[version.name].older
            for version in state.versions
        ),
        _routed(state, facts, pods),
        min((each.crashing_since for each in state.versions if each.crashing_since is not None), default=None),
        max((pods[each.name].restarts for each in state.versions if each.rolling), default=0),
    )


def _routed(state: ServingState, facts: ServiceFacts, pods: Mapping[str, PodFacts]) -> bool:
    return (
        0 <= state.operation_view <= facts.router_view
        and all(version.shares for version in state.versions)
        and all(each.view is not None for each in state.departures)
        and all(pods[each.name].in_service >= each.replicas for each in state.versions if each.rolling)
    )


def split_in_force(state: ServingState) -> Split:
    """The split among the versions that get traffic; while the default does not, `stand_in` gets its share."""
    sharing = {version.name for version in state.versions if version.shares}
    default = state.split.default if state.split.default in sharing else state.stand_in
    return Split(default, tuple((name, share) for name, share in state.split.others if name in sharing - {default}))


def _finish_builds(state: ServingState, facts: ServiceFacts, now: Micros, actions: list[Action]) -> ServingState:
    """Images that are there; of one whose operation has ended meanwhile, nothing is used."""
    for build in state.builds:
        if build.due > now:
            continue
        state = replace(state, builds=tuple(each for each in state.builds if each is not build))
        if facts.operation != build.operation:
            state = _as_built(state, build.versions)
            continue
        actions.append(UseImage())
        state = replace(state, deployed=True) if build.first else _rolled_out(state, build.versions)
    return state


def _as_built(state: ServingState, names: tuple[str, ...]) -> ServingState:
    """These versions go on with the code that their pods have; their other settings stay as they were changed."""
    versions = tuple(
        replace(version, spec=replace(version.spec, code=version.template.code)) if version.name in names else version
        for version in state.versions
    )
    specs = {version.name: version.spec for version in versions}
    spec = ServiceSpec(state.spec.name, tuple(specs.get(version.name, version) for version in state.spec.versions))
    return replace(state, versions=versions, spec=spec)


def _rolled_out(state: ServingState, names: tuple[str, ...]) -> ServingState:
    """The template of these versions is what they are deployed with; if a creation timed out before, this makes good for it."""
    if not names:
        return state
    versions = tuple(
        replace(version, template=version.spec, revision=version.revision + 1) if version.name in names else version
        for version in state.versions
    )
    return replace(state, versions=versions, deployed=True)


def _settle(state: ServingState, facts: ServiceFacts, *, rolled: bool) -> ServingState:
    """What the end of an operation, a Healthy service and an operation whose pods are all there let happen."""
    if facts.operation is None and any(version.rolling for version in state.versions):
        versions = tuple(
            (_with_new_window if version.scaler is not None else _with_scaler)(replace(version, rolling=False))
            if version.rolling
            else version
            for version in state.versions
        )
        state = replace(state, versions=versions)
    if not facts.healthy and not (rolled and facts.operation is not None and not state.builds):
        return state
    if not all(version.shares for version in state.versions):
        versions = tuple(replace(version, shares=True) for version in state.versions)
        state = replace(state, versions=versions, operation_view=_NEXT)
    if any(each.view is None for each in state.departures):  # what replaces them is there
        departures = tuple(replace(each, view=_NEXT) if each.view is None else each for each in state.departures)
        state = replace(state, departures=departures, operation_view=_NEXT)
    return state


def _see_crashes(state: ServingState, facts: ServiceFacts, now: Micros) -> ServingState:
    versions = []
    for version in state.versions:
        pods = facts.pods.get(version.name, PodFacts())
        since = version.crashing_since
        if pods.ready:
            since = None
        elif since is None and 0 <= version.exits < pods.exits:
            since = now
        if (since, pods.exits) != (version.crashing_since, version.exits):
            versions.append(replace(version, crashing_since=since, exits=pods.exits))
        else:
            versions.append(version)
    if all(after is before for after, before in zip(versions, state.versions, strict=True)):
        return state
    return replace(state, versions=tuple(versions))


def _announce(state: ServingState, actions: list[Action]) -> ServingState:
    """Send the router another view, if it is to know something else or a change waits for it."""
    if not state.deployed:
        tuned = tuple(
            replace(version, tuned_by=0) if version.tuned_by == _NEXT else version for version in state.versions
        )
        gone = tuple(each for each in state.departures if each.view is None)
        return replace(state, versions=tuned, departures=gone, announces=False)
    if any(version.shares and version.name == state.split.default for version in state.versions):
        state = replace(state, stand_in=state.split.default)
    if state.ending:
        settings: tuple[tuple[str, RouteSettings], ...] = state.view.settings
        kept, split = state.view.kept, None
    else:
        settings = tuple((version.name, version.spec.settings.route) for version in state.versions)
        kept = tuple(each.version for each in state.departures if each.view is None)
        split = split_in_force(state)
    latest = state.view
    if not state.announces and (latest.settings, latest.kept, latest.split) == (settings, kept, split):
        return replace(state, operation_view=latest.number) if state.operation_view == _NEXT else state
    view = RouterView(latest.number + 1, settings, kept, split, state.generation)
    actions.append(SendView(view))
    return replace(
        state,
        view=view,
        announces=False,
        operation_view=view.number if state.operation_view == _NEXT else state.operation_view,
        versions=tuple(
            replace(version, tuned_by=view.number) if version.tuned_by == _NEXT else version
            for version in state.versions
        ),
        departures=tuple(replace(each, view=view.number) if each.view == _NEXT else each for each in state.departures),
    )


def _tune(state: ServingState, facts: ServiceFacts, actions: list[Action]) -> ServingState:
    """Let settings for scaling act that the router has been told."""
    for version in state.versions:
        if version.tuned_by is None or version.tuned_by > facts.router_view:
            continue
        after = _with_settings(replace(version, tuned_by=None))
        if after.replicas != version.replicas:
            actions.append(Scaled(version.name, version.replicas, after.replicas))
        state = _put(state, after)
    return state


def _scaling(version: VersionSpec) -> tuple[Fixed | Autoscaled, int]:
    """The settings that scaling goes by."""
    return version.settings.scaling, version.settings.route.slots


def _with_settings(version: VersionState) -> VersionState:
    settings = version.spec.settings
    match settings.scaling:
        case Fixed(replicas):
            return replace(version, scaler=None, replicas=replicas)
        case Autoscaled() as scaling:
            if version.scaler != scaling:
                version = _with_scaler(version)
            elif version.slots != settings.route.slots:
                version = _with_new_window(version)
            return replace(version, replicas=min(max(version.replicas, scaling.minimum), scaling.maximum))


def _with_scaler(version: VersionState) -> VersionState:
    """Its autoscaler starts, if its settings want one."""
    scaling = version.spec.settings.scaling
    if not isinstance(scaling, Autoscaled):
        return version
    return _with_new_window(replace(version, scaler=scaling))


def _with_new_window(version: VersionState) -> VersionState:
    return replace(version, window=version.window + 1, slots=version.spec.settings.route.slots)


def _depart(state: ServingState, facts: ServiceFacts, actions: list[Action]) -> ServingState:
    """End the pods of versions that the router has forgotten."""
    over = [each for each in state.departures if each.view is not None and each.view <= facts.router_view]
    if not over:
        return state
    actions += [EndPods(each.version) for each in over]
    return replace(state, departures=tuple(each for each in state.departures if each not in over))


def _apply(state: ServingState, actions: list[Action]) -> ServingState:
    """Tell the Deployments what has changed for them."""
    if not state.deployed:
        return state
    wanted = {version.name: version.wanted for version in state.versions if version.revision}
    if wanted == state.applied:
        return state
    actions += [ApplyDeployment(name, *asked) for name, asked in wanted.items() if state.applied.get(name) != asked]
    return replace(state, applied=wanted)


def _put(state: ServingState, after: VersionState) -> ServingState:
    return replace(
        state, versions=tuple(after if version.name == after.name else version for version in state.versions)
    )


def _with(state: ServingState, name: str, *, replicas: int) -> ServingState:
    version = state.version(name)
    return state if version is None else _put(state, replace(version, replicas=replicas))
