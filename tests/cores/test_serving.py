"""What a running service wants: decided from state and facts, told again it decides nothing more."""

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from akstwin.clock import SECOND, Micros
from akstwin.cores import serving
from akstwin.cores.serving import (
    AbandonPods,
    ApplyDeployment,
    EndPods,
    PodFacts,
    Relieve,
    Scaled,
    SendView,
    ServiceFacts,
    ServingState,
    UseImage,
)
from akstwin.domain.changes import PodsReplaced, SettingsChanged, SplitChanged, VersionAdded, VersionRemoved
from akstwin.domain.deployment import Autoscaled, DeployArguments
from akstwin.domain.service import Code, ServiceSpec, VersionSpec, split_of

NOW = Micros(10 * SECOND)
READY = PodFacts(2, 2, 2, in_service=2, serving=2)
SERVED = ServiceFacts({"blue": READY}, None, healthy=True, router_view=1)


def version(name: str = "blue", content: str = "1", **deploy: Any) -> VersionSpec:
    """A version with two replicas."""
    return VersionSpec(name, DeployArguments(**{"num_replicas": 2, **deploy}), Code("", content))


def service(*versions: VersionSpec) -> ServiceSpec:
    """The service of these versions."""
    return ServiceSpec("fraud", versions or (version(),))


def served(*versions: VersionSpec) -> ServingState:
    """A service whose deployment lies in the past, after its first step."""
    state = serving.created(service(*versions), operation=None, image_at=None)
    return serving.step(state, replace(SERVED, router_view=0), NOW).state


def facts(operation: int | None = None, *, healthy: bool = True, view: int = 1, **pods: PodFacts) -> ServiceFacts:
    """What a service is like; without a word of pods, two of blue are ready."""
    return ServiceFacts(pods or {"blue": READY}, operation, healthy, view)


def test_a_service_that_was_there_tells_router_and_deployments_once() -> None:
    """With its settings and its split; the same facts again bring nothing."""
    state = serving.created(service(), operation=None, image_at=None)
    first = serving.step(state, facts(view=0), NOW)

    view, deployment = first.actions
    assert isinstance(view, SendView)
    assert (view.view.number, [name for name, _ in view.view.settings]) == (1, ["blue"])
    assert deployment == ApplyDeployment("blue", version(), 1, 2)
    assert serving.step(first.state, facts(view=0), NOW) == serving.Step(first.state, (), None)


def test_a_creation_waits_for_its_image() -> None:
    """Nothing comes to the cluster before; then pods and router view at once."""
    state = serving.created(service(), operation=1, image_at=Micros(NOW + 300 * SECOND))
    waiting = serving.step(state, facts(1, healthy=False, view=0, blue=PodFacts()), NOW)
    assert (waiting.actions, waiting.wake) == ((), NOW + 300 * SECOND)

    built = serving.step(waiting.state, facts(1, healthy=False, view=0, blue=PodFacts()), Micros(NOW + 300 * SECOND))
    assert [type(action) for action in built.actions] == [UseImage, SendView, ApplyDeployment]
    assert built.wake is None


def test_an_image_whose_operation_has_ended_is_not_used() -> None:
    """The version goes on with the code that its pods have; its other settings stay as they were changed."""
    after = service(version(content="2", max_request_wait_time=900))
    state, _ = serving.changed(
        served(), after, (PodsReplaced(after.versions[0], True),), operation=1, image_at=Micros(NOW + SECOND)
    )
    state = serving.step(state, facts(1, healthy=False), NOW).state
    late = serving.step(state, facts(None, healthy=False, view=2), Micros(NOW + SECOND))

    assert not any(isinstance(action, UseImage | ApplyDeployment) for action in late.actions)
    assert late.state.spec.versions[0].code == Code("", "1")
    assert late.state.spec.versions[0].settings.route.max_wait == 900_000


def test_settings_for_scaling_act_when_the_router_has_been_told() -> None:
    """Not before; then the Deployment asks for the other number."""
    after = service(version(num_replicas=5))
    state, _ = serving.changed(served(), after, (SettingsChanged(after.versions[0]),), operation=None, image_at=None)
    told = serving.step(state, facts(), NOW)
    assert [type(action) for action in told.actions] == [SendView]

    known = serving.step(told.state, facts(view=2), NOW)
    assert known.actions == (Scaled("blue", 2, 5), ApplyDeployment("blue", version(), 1, 5))


def test_an_autoscaler_pauses_while_its_version_rolls_and_begins_anew_afterwards() -> None:
    """`rolling` pauses it; the end of the operation gives it another window."""
    spec = service(version(num_replicas=None, autoscale_enabled=True))
    state = served(*spec.versions)
    scaler, window = state.versions[0].scaler, state.versions[0].window
    assert isinstance(scaler, Autoscaled)
    after = service(version(content="2", num_replicas=None, autoscale_enabled=True))
    state, _ = serving.changed(state, after, (PodsReplaced(after.versions[0], False),), operation=1, image_at=None)
    running = serving.step(state, facts(1, healthy=False), NOW).state
    assert (running.versions[0].rolling, running.versions[0].window) == (True, window)

    done = serving.step(running, facts(None, view=2), NOW).state
    assert (done.versions[0].rolling, done.versions[0].window) == (False, window + 1)
    assert done.versions[0].scaler == scaler


def test_a_new_version_gets_its_share_when_the_service_is_healthy_with_it() -> None:
    """Until then a default without pods is stood in for by the one before it."""
    blue = version(is_default=False)
    after = service(blue, version("green", is_default=True))
    effects = (VersionAdded(after.versions[1], False), SplitChanged(after.split))
    state, _ = serving.changed(served(version(is_default=True)), after, effects, operation=1, image_at=None)
    coming = serving.step(state, facts(1, healthy=False), NOW)
    assert serving.split_in_force(coming.state).shares() == {"blue": 100.0}

    pods = {"blue": READY, "green": READY}
    there = serving.step(coming.state, facts(None, view=2, **pods), NOW)
    assert serving.split_in_force(there.state).shares() == {"green": 100.0, "blue": 0.0}
    assert [type(action) for action in there.actions] == [SendView]


def test_reading_the_split_changes_nothing() -> None:
    """However often, and whatever has been asked for."""
    state = served()
    assert [serving.split_in_force(state) for _ in range(3)] == [serving.split_in_force(served())] * 3
    assert state == served()


def test_the_pods_of_a_removed_version_end_when_the_router_has_forgotten_it() -> None:
    """Not while it may still send there."""
    both = served(version(), version("green", traffic_percentile=40))
    state, _ = serving.changed(both, service(), (VersionRemoved("green"),), operation=None, image_at=None)
    pods = {"blue": READY, "green": READY}
    told = serving.step(state, facts(view=1, **pods), NOW)
    sent = next(action.view for action in told.actions if isinstance(action, SendView))
    assert [name for name, _ in sent.settings] == ["blue"]
    assert Relieve() in told.actions

    known = serving.step(told.state, facts(view=sent.number, **pods), NOW)
    assert known.actions == (EndPods("green"),)
    assert serving.step(known.state, facts(view=sent.number, **pods), NOW).actions == ()


def test_what_replaces_a_version_must_be_there_before_it_ends() -> None:
    """An overwrite by versions of other names leaves the old ones serving until the service is Healthy."""
    effects = (VersionAdded(version("green"), False), VersionRemoved("blue"))
    state, _ = serving.changed(served(), service(version("green")), effects, operation=1, image_at=None)
    coming = serving.step(state, facts(1, healthy=False), NOW)
    sent = next(action.view for action in coming.actions if isinstance(action, SendView))
    assert sent.kept == ("blue",)
    assert sent.split is not None
    assert sent.split.default == "blue"

    pods = {"blue": READY, "green": READY}
    there = serving.step(coming.state, facts(None, view=sent.number, **pods), NOW)
    last = next(action.view for action in there.actions if isinstance(action, SendView))
    assert last.kept == ()
    assert serving.step(there.state, facts(view=last.number, **pods), NOW).actions == (EndPods("blue"),)


def test_a_name_that_is_used_again_ends_the_old_pods_at_once() -> None:
    """The new version's pods are others."""
    both = served(version(), version("green"))
    gone, _ = serving.changed(both, service(), (VersionRemoved("green"),), operation=None, image_at=None)
    again = service(version(), version("green", content="2"))
    _, ends = serving.changed(gone, again, (VersionAdded(again.versions[1], True),), operation=1, image_at=None)

    assert ends == (EndPods("green"),)


def test_a_crash_counts_from_the_first_end_without_a_ready_pod() -> None:
    """A replica that is ready ends it; one that serves meanwhile keeps it from beginning."""
    state = served()

    def after(state: ServingState, at: int, pods: PodFacts) -> ServingState:
        return serving.step(state, facts(blue=pods), Micros(at)).state

    one_left = after(state, 20, PodFacts(2, 1, 1, exits=1))
    assert one_left.versions[0].crashing_since is None
    none_left = after(one_left, 30, PodFacts(2, 0, 0, exits=2))
    assert none_left.versions[0].crashing_since == 30
    assert after(none_left, 40, PodFacts(2, 0, 0, exits=3)).versions[0].crashing_since == 30
    assert after(none_left, 50, PodFacts(2, 1, 1, exits=3)).versions[0].crashing_since is None


def test_rolled_out_means_all_replicas_ready_and_none_of_an_older_template() -> None:
    """Of every version."""
    state = served()
    for pods, rolled in (
        (READY, True),
        (PodFacts(2, 2, 1, older=1), False),
        (PodFacts(3, 3, 2, older=1), False),
        (PodFacts(2, 1, 1), False),
    ):
        assert serving.progress(state, facts(blue=pods)).rolled is rolled


def test_an_end_takes_everything_down() -> None:
    """The router is told, and pods end for as long as there are any."""
    state = serving.ended(served(version(num_replicas=None)))
    first = serving.step(state, facts(7, healthy=False), NOW)
    view = next(action.view for action in first.actions if isinstance(action, SendView))
    assert view.split is None
    assert EndPods("blue") in first.actions
    assert all(each.scaler is None and each.replicas == 0 for each in first.state.versions)
    assert serving.step(first.state, facts(7, healthy=False, view=2, blue=PodFacts()), NOW).actions == ()


pods = st.builds(
    PodFacts, staying=st.integers(0, 4), ready=st.integers(0, 4), current_ready=st.integers(0, 4), older=st.integers(0, 2),
    restarts=st.integers(0, 6), exits=st.integers(0, 6),
)  # fmt: skip
any_facts = st.builds(
    ServiceFacts,
    pods=st.dictionaries(st.sampled_from(["blue", "green", "red"]), pods),
    operation=st.sampled_from([None, 1, 2]),
    healthy=st.booleans(),
    router_view=st.integers(0, 6),
)
MOVES: list[Any] = [
    (service(version(num_replicas=4)), lambda spec: (SettingsChanged(spec.versions[0]),)),
    (service(version(content="2")), lambda spec: (PodsReplaced(spec.versions[0], True),)),
    (
        service(version(), version("green", traffic_percentile=30)),
        lambda spec: (VersionAdded(spec.versions[1], False), SplitChanged(spec.split)),
    ),
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(MOVES), st.lists(any_facts, min_size=1, max_size=6))
def test_told_the_same_facts_again_it_decides_nothing_more(move: Any, history: list[ServiceFacts]) -> None:
    """After at most two more steps with unchanged facts: none brings an action, and the state stays."""
    spec, effects = move
    state, _ = serving.changed(served(), spec, effects(spec), operation=1, image_at=Micros(NOW + SECOND))
    for at, seen in enumerate(history):
        now = Micros(NOW + at * SECOND)
        for _ in range(2):
            state = serving.step(state, seen, now).state
        again = serving.step(state, seen, now)
        assert (again.state, again.actions) == (state, ())


def test_restarts_count_for_the_operation_that_brought_the_pods() -> None:
    """Those of a version that nothing is done to may be years old: they fail no operation."""
    state, _ = serving.changed(
        served(version(), version("green")), service(version(), version("green", "2")),
        (PodsReplaced(version("green", "2"), builds=False),), operation=7, image_at=None,
    )  # fmt: skip
    old, new = replace(READY, restarts=9), PodFacts(2, 0, 0, restarts=2)

    assert serving.progress(state, facts(7, blue=old, green=new)).restarts == 2
    assert serving.progress(state, facts(7, blue=old, green=replace(new, restarts=0))).restarts == 0


def test_a_deletion_abandons_pods_on_lost_nodes() -> None:
    """Nothing will ever say that they have ended; others have their grace."""
    state = serving.ended(served())
    leaving = PodFacts(staying=0, lost=0)

    assert serving.step(state, facts(3, healthy=False, blue=replace(leaving, lost=0)), NOW).actions[0] != (
        AbandonPods("blue")
    )
    assert (
        AbandonPods("blue") in serving.step(state, facts(3, healthy=False, blue=replace(leaving, lost=1)), NOW).actions
    )


def test_a_state_survives_json() -> None:
    """A controller that is killed goes on from what it has written."""
    known: TypeAdapter[ServingState] = TypeAdapter(ServingState)
    added = version("green", autoscale_enabled=True, num_replicas=None)
    split = SplitChanged(split_of({"blue": None, "green": 10}, "blue"))
    state, _ = serving.changed(
        served(), service(version(), added), (VersionAdded(added, builds=False), split),
        operation=4, image_at=Micros(NOW + SECOND), generation=3,
    )  # fmt: skip
    for before in (served(), state, serving.step(state, facts(4), NOW).state):
        after = known.validate_json(known.dump_json(before))
        assert after == before
        later = Micros(NOW + 2 * SECOND)
        assert serving.step(after, facts(4), later) == serving.step(before, facts(4), later)
