"""Which pods to create and which to end (semantics §6.3, §6.5)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akstwin.kubernetes_model.rollout import PodView, Steps, plan

OLD, NEW = 1, 2


def pod(number: int, revision: int = OLD, *, available: bool = True, in_flight: int = 0) -> PodView:
    """A pod that serves, unless said otherwise."""
    return PodView(number, revision, available, in_flight)


class Deployment:
    """A model of the cluster around the plan: pods are created, ended, turn ready and unready."""

    def __init__(self, wanted: int, surge: int, unavailable: int) -> None:
        self.wanted, self.surge, self.unavailable = wanted, surge, unavailable
        self.pods = [pod(number) for number in range(1, wanted + 1)]
        self.latest = wanted

    @property
    def available(self) -> int:
        """Pods that serve."""
        return sum(each.available for each in self.pods)

    @property
    def may_miss(self) -> int:
        """With neither surge nor unavailability Kubernetes lets one be missing."""
        return self.unavailable or (1 if self.surge == 0 else 0)

    def sync(self) -> Steps:
        """One pass of the controller."""
        before = self.available
        steps = plan(self.pods, self.wanted, NEW, self.surge, self.unavailable)
        ended = [each for each in self.pods if each.number in steps.delete]
        self.pods = [each for each in self.pods if each.number not in steps.delete]
        for _ in range(steps.create):
            self.latest += 1
            self.pods.append(pod(self.latest, NEW, available=False))

        assert len(ended) == len(steps.delete), "only pods that are there can be ended"
        assert len(self.pods) <= self.wanted + self.surge
        taken = before - self.available
        assert taken == 0 or self.available >= self.wanted - self.may_miss
        return steps

    def settle(self) -> None:
        """Passes until nothing more can be done now."""
        while self.sync() != Steps():
            pass

    def flip(self, choice: int) -> None:
        """One pod turns ready or unready."""
        at = choice % len(self.pods)
        each = self.pods[at]
        self.pods[at] = pod(each.number, each.revision, available=not each.available, in_flight=choice % 3)


sizes = st.tuples(st.integers(1, 6), st.integers(0, 3), st.integers(0, 3))


@given(sizes, st.lists(st.integers(0, 1000), max_size=40))
def test_never_too_many_and_never_too_few_because_of_us(size: tuple[int, int, int], flips: list[int]) -> None:
    """At most N + surge pods; our own deletions never take the available under N - unavailable, whatever pods do."""
    deployment = Deployment(*size)
    deployment.settle()
    for choice in flips:
        if deployment.pods:
            deployment.flip(choice)
        deployment.settle()


@given(sizes, st.lists(st.integers(0, 1000), max_size=20))
def test_it_ends_with_n_new_pods_once_pods_become_ready(size: tuple[int, int, int], flips: list[int]) -> None:
    """However pods behaved before: when all that start turn ready, the rollout is over in a bounded number of steps."""
    deployment = Deployment(*size)
    for choice in flips:
        deployment.settle()
        if deployment.pods:
            deployment.flip(choice)
    for _ in range(4 * size[0] + 8):
        deployment.settle()
        deployment.pods = [pod(each.number, each.revision) for each in deployment.pods]

    assert [each.revision for each in deployment.pods] == [NEW] * deployment.wanted
    assert plan(deployment.pods, deployment.wanted, NEW, deployment.surge, deployment.unavailable) == Steps()


def test_one_replica_has_a_gap() -> None:
    """One of one may be missing: the old pod goes before the new one is ready."""
    deployment = Deployment(1, 1, 1)
    deployment.sync()

    assert deployment.available == 0


def test_one_replica_has_no_gap_without_unavailability() -> None:
    """`max_unavailable: 0`: the old pod stays until the new one serves."""
    deployment = Deployment(1, 1, 0)
    deployment.settle()
    assert (deployment.available, len(deployment.pods)) == (1, 2)

    deployment.pods = [pod(each.number, each.revision) for each in deployment.pods]

    assert deployment.sync() == Steps(delete=(1,))
    assert deployment.available == 1


def test_three_replicas_keep_two_serving_throughout() -> None:
    """Constant load under two replicas' capacity sees nothing of the update."""
    deployment = Deployment(3, 1, 1)
    fewest = 3
    for _ in range(10):
        deployment.settle()
        fewest = min(fewest, deployment.available)
        starting = next((at for at, each in enumerate(deployment.pods) if not each.available), None)
        if starting is not None:
            each = deployment.pods[starting]
            deployment.pods[starting] = pod(each.number, each.revision)

    assert fewest == 2
    assert {each.revision for each in deployment.pods} == {NEW}


def test_the_first_steps_of_an_update_of_three() -> None:
    """Surge one, end one at once, and then as many new as there is room for."""
    assert plan([pod(1), pod(2), pod(3)], 3, NEW, 1, 1) == Steps(create=1, delete=(3,))
    assert plan([pod(1), pod(2), pod(4, NEW, available=False)], 3, NEW, 1, 1) == Steps(create=1)


@pytest.mark.parametrize(
    ("pods", "delete"),
    [
        ([pod(1), pod(2, available=False), pod(3)], (2,)),
        ([pod(1, in_flight=0), pod(2, in_flight=2), pod(3, in_flight=1)], (1,)),
        ([pod(1), pod(2), pod(3)], (3,)),
        ([pod(1, available=False), pod(2, available=False, in_flight=1), pod(3)], (1,)),
        ([pod(1, available=False), pod(2, available=False), pod(3)], (2,)),
        ([pod(1, available=False, in_flight=9), pod(2), pod(3)], (1,)),
    ],
    ids=["not ready", "fewest in flight", "youngest", "not ready, fewest", "not ready, youngest", "not ready first"],
)
def test_victims_are_the_not_ready_then_the_least_busy_then_the_youngest(
    pods: list[PodView], delete: tuple[int, ...]
) -> None:
    """A scale-down by one picks exactly this one."""
    assert plan(pods, 2, OLD, 1, 1) == Steps(delete=delete)


def test_victims_come_in_the_order_of_their_rank() -> None:
    """A scale-down by several takes the first of the same ranking."""
    pods = [pod(1), pod(2, in_flight=1), pod(3), pod(4, available=False), pod(5)]

    assert plan(pods, 1, OLD, 1, 1) == Steps(delete=(4, 5, 3, 1))


def test_scaling_up_is_not_held_to_the_surge() -> None:
    """Without an update all missing pods come at once."""
    assert plan([pod(1)], 10, OLD, 1, 1) == Steps(create=9)
    assert plan([], 0, OLD, 1, 1) == Steps()


def test_old_pods_that_do_not_serve_go_first() -> None:
    """A crash-looping old template is replaced although nothing may be missing."""
    pods = [pod(1), pod(2, available=False), pod(3)]

    assert plan(pods, 3, NEW, 1, 1) == Steps(create=1, delete=(2,))
    assert plan(pods, 3, NEW, 1, 0) == Steps(create=1)
