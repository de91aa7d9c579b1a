"""Which node a pod goes to, and when nodes come and go (semantics §6.7)."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akstwin.clock import SECOND, Micros
from akstwin.domain.resources import Resources
from akstwin.kubernetes_model.scheduling import (
    LeastAllocated,
    NodeAutoscaler,
    NodeScaling,
    NodeView,
    place,
    place_routers,
    pods_that_fit,
    shortage_message,
    unschedulable_message,
)

ROOM = Resources(3000, 10_000, 0)
POD = Resources(1000, 2000, 0)


def node(
    number: int, taken: Resources | None = None, *, room: Resources = ROOM, pods: int = 0, ready: bool = True
) -> NodeView:
    """A node of 3 cores and 10 GB, empty unless said otherwise."""
    return NodeView(number, room, taken or Resources(), pods, ready)


amounts = st.builds(Resources, st.integers(0, 4000), st.integers(0, 9000), st.integers(0, 2))
clusters = st.lists(
    st.builds(
        NodeView,
        st.just(0),
        st.builds(Resources, st.integers(0, 8000), st.integers(0, 20_000), st.integers(0, 2)),
        st.just(Resources()),
        st.just(0),
        st.booleans(),
    ),
    max_size=5,
).map(lambda nodes: [replace(each, number=at) for at, each in enumerate(nodes, 1)])


@given(nodes=clusters, requests=st.lists(amounts, max_size=20), max_pods=st.integers(1, 5))
def test_no_node_is_ever_given_more_than_it_has(
    nodes: list[NodeView], requests: list[Resources], max_pods: int
) -> None:
    """Every resource and the number of pods stay within the node, and a pod waits only if it fits nowhere."""
    for request in requests:
        number = place(request, nodes, max_pods)
        candidates = [
            each for each in nodes if each.ready and each.pods < max_pods and request.fits_in(each.room - each.taken)
        ]
        if number is None:
            assert candidates == []
            continue
        assert number in [each.number for each in candidates]
        nodes[number - 1] = replace(
            nodes[number - 1], taken=nodes[number - 1].taken + request, pods=nodes[number - 1].pods + 1
        )
    for each in nodes:
        assert each.taken.fits_in(each.room)
        assert each.pods <= max_pods


@given(nodes=clusters, request=amounts)
def test_the_least_allocated_takes_it_and_ties_go_to_the_lowest_number(
    nodes: list[NodeView], request: Resources
) -> None:
    """Mean of the shares of CPU and memory, in exact fractions."""

    def share(each: NodeView) -> tuple[Fraction, int]:
        after = each.taken + request
        return (
            Fraction(after.cpu, max(1, each.room.cpu)) + Fraction(after.memory, max(1, each.room.memory)),
            each.number,
        )

    roomy = [each for each in nodes if each.ready and request.fits_in(each.room)]

    assert place(request, nodes, 110) == (min(roomy, key=share).number if roomy else None)


def test_equal_nodes_are_filled_in_turn() -> None:
    """1, 2, 3, then 1 again."""
    nodes = [node(1), node(2), node(3)]
    order = []
    for _ in range(6):
        number = place(POD, nodes, 110)
        assert number is not None
        order.append(number)
        nodes[number - 1] = replace(nodes[number - 1], taken=nodes[number - 1].taken + POD)

    assert order == [1, 2, 3, 1, 2, 3]


def test_an_exact_fit_is_a_fit() -> None:
    """To the last thousandth and megabyte."""
    assert place(ROOM, [node(1)], 110) == 1
    assert place(ROOM + Resources(cpu=1), [node(1)], 110) is None
    assert place(ROOM + Resources(memory=1), [node(1)], 110) is None


def test_gpus_max_pods_and_readiness_exclude_a_node() -> None:
    """Room in CPU and memory is not enough."""
    gpu = Resources(100, 100, 1)
    with_gpu = node(2, room=Resources(3000, 10_000, 1))

    assert place(gpu, [node(1), with_gpu], 110) == 2
    assert place(gpu, [node(1), replace(with_gpu, taken=Resources(gpu=1))], 110) is None
    assert place(POD, [node(1, pods=30), node(2, POD, pods=29)], 30) == 2
    assert place(POD, [node(1, ready=False), node(2, POD)], 110) == 2


@given(nodes=clusters, request=amounts, max_pods=st.integers(1, 5))
def test_pods_that_fit_is_what_placing_one_after_the_other_comes_to(
    nodes: list[NodeView], request: Resources, max_pods: int
) -> None:
    """The count a user plans with is the one the scheduler reaches."""
    promised = pods_that_fit(request, nodes, max_pods)
    placed = 0
    while (number := place(request, nodes, max_pods)) is not None:
        placed += 1
        nodes[number - 1] = replace(
            nodes[number - 1], taken=nodes[number - 1].taken + request, pods=nodes[number - 1].pods + 1
        )

    assert promised == placed


# -- router pods


def test_router_pods_stand_on_distinct_nodes_as_far_as_there_are_nodes() -> None:
    """Three on three; on two nodes the third shares."""
    request = Resources(500, 500)

    assert place_routers(3, request, [node(1), node(2), node(3), node(4)]) == [1, 2, 3]
    assert place_routers(3, request, [node(1), node(2)]) == [1, 2, 1]
    assert place_routers(0, request, [node(1)]) == []


@given(count=st.integers(0, 12), request=amounts, nodes=clusters)
def test_router_pods_never_overfill_a_node(count: int, request: Resources, nodes: list[NodeView]) -> None:
    """Those that fit nowhere are not placed."""
    placed = place_routers(count, request, nodes)
    for each in nodes:
        here = placed.count(each.number)
        assert Resources(here * request.cpu, here * request.memory, here * request.gpu).fits_in(each.room)
    assert len(placed) <= count


# -- what is said


def test_the_schedulers_sentence_counts_nodes_by_reason() -> None:
    """Kubernetes' own wording (MLN#487), each node under every reason it has."""
    nodes = [node(number, Resources(2500, 9000)) for number in (1, 2)]

    assert unschedulable_message(Resources(1100, 600), nodes, 110) == "0/2 nodes are available: 2 Insufficient cpu."
    assert unschedulable_message(Resources(1100, 2600), [*nodes, node(3, pods=30, ready=False)], 30) == (
        "0/3 nodes are available: 1 node(s) were not ready, 2 Insufficient cpu, 2 Insufficient memory."
    )
    assert unschedulable_message(Resources(0, 0, 1), [node(number) for number in (1, 2, 3)], 110) == (
        "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
    )
    assert unschedulable_message(Resources(1, 1), [node(1, pods=30)], 30) == (
        "0/1 nodes are available: 1 Too many pods."
    )


def test_the_services_sentence_adds_the_side_car() -> None:
    """SDK#14168: a service of 1 CPU and 2 GB asks for 1.1 and 2.6."""
    assert shortage_message(Resources(1100, 2600), 1) == (
        "Unschedulable: CPU/Memory resource insufficient, 1 replicas unschedulable. Please add more node(s) with SKU "
        "more than 1.1 CPU Cores and 2.6GB Memory to host your replicas OR reduce your replica count and service "
        "resource requirements."
    )


# -- the cluster autoscaler (K5)

UNNEEDED = Micros(600 * SECOND)


class Fleet:
    """A cluster autoscaler with its clock; nodes and pending pods are the test's."""

    def __init__(self, minimum: int = 1, maximum: int = 6) -> None:
        self.scaler = NodeAutoscaler(minimum, maximum, UNNEEDED, UNNEEDED)
        self.now = 0

    def look(self, nodes: list[NodeView], pending: int = 0, coming: int = 0, **more: Resources) -> NodeScaling:
        """What it decides now; ten seconds pass."""
        fixed = {int(name[1:]): amount for name, amount in more.items()}
        decision = self.scaler.look([POD] * pending, nodes, fixed, coming, ROOM, 110, Micros(self.now))
        self.now += 10 * SECOND
        return decision

    def looks(self, nodes: list[NodeView], seconds: int) -> list[NodeScaling]:
        """All decisions of that time."""
        return [self.look(nodes) for _ in range(seconds // 10)]


def test_nodes_are_asked_for_as_many_as_the_pending_pods_need() -> None:
    """Three pods a node: seven pending pods are three nodes, less those that are coming."""
    fleet = Fleet()
    full = [node(1, ROOM, pods=3)]

    assert fleet.look(full, pending=7) == NodeScaling(add=3)
    assert fleet.look(full, pending=7, coming=2) == NodeScaling(add=1)
    assert fleet.look(full, pending=7, coming=3) == NodeScaling()


def test_never_more_nodes_than_the_maximum() -> None:
    """Those that are coming count."""
    fleet = Fleet(maximum=3)
    full = [node(1, ROOM, pods=3), node(2, ROOM, pods=3)]

    assert fleet.look(full, pending=70) == NodeScaling(add=1)
    assert fleet.look(full, pending=70, coming=1) == NodeScaling()


def test_a_pod_that_fits_no_empty_node_asks_for_none() -> None:
    """More nodes of the same kind would not help."""
    fleet = Fleet()

    assert fleet.scaler.look([ROOM + POD], [node(1)], {}, 0, ROOM, 110, Micros(0)) == NodeScaling()


def test_a_node_under_half_used_for_ten_minutes_is_removed_if_its_pods_fit_elsewhere() -> None:
    """The highest number first, one at a time, never under the minimum."""
    fleet = Fleet(minimum=2)
    nodes = [node(1, POD, pods=1), node(2, POD, pods=1), node(3, POD, pods=1)]
    before, now = fleet.looks(nodes, 600), fleet.look(nodes)

    assert set(before) == {NodeScaling()}
    assert now == NodeScaling(remove=(3,))
    assert fleet.look(nodes[:2]) == NodeScaling()


def test_half_used_is_needed() -> None:
    """The busier of CPU and memory decides: 50 per cent of either keeps the node."""
    fleet = Fleet()
    nodes = [node(1), node(2, Resources(1500, 0), pods=1), node(3, Resources(0, 5000), pods=1)]
    decisions = fleet.looks(nodes, 1200)

    assert {number for decision in decisions for number in decision.remove} == {1}


def test_a_node_whose_pods_fit_nowhere_else_stays() -> None:
    """It is under half used, but the others are full."""
    fleet = Fleet()

    assert set(fleet.looks([node(1, ROOM, pods=3), node(2, POD, pods=1)], 1200)) == {NodeScaling()}


def test_a_node_with_a_router_stays() -> None:
    """Router pods are not moved."""
    fleet = Fleet()
    decisions = [fleet.look([node(1), node(2)], n1=POD, n2=POD) for _ in range(120)]

    assert set(decisions) == {NodeScaling()}


def test_after_a_node_has_come_none_goes_for_ten_minutes() -> None:
    """However long another has been idle."""
    fleet = Fleet()
    nodes = [node(1), node(2)]
    fleet.looks(nodes, 500)
    fleet.scaler.added(Micros(500 * SECOND))

    decisions = fleet.looks(nodes, 700)

    assert set(decisions[:60]) == {NodeScaling()}
    assert decisions[60] == NodeScaling(remove=(2,))


def test_a_load_between_two_looks_begins_the_ten_minutes_anew() -> None:
    """It must have been unneeded throughout; a pending pod makes every node needed."""
    fleet = Fleet()
    nodes = [node(1), node(2)]
    fleet.looks(nodes, 500)
    fleet.look([node(1), node(2, Resources(2000, 0), pods=2)])
    fleet.look(nodes, pending=1, coming=1)

    assert set(fleet.looks(nodes, 600)) == {NodeScaling()}
    assert fleet.look(nodes).remove


def test_a_removed_node_is_forgotten_although_it_drained_for_a_while() -> None:
    """While its pods ended it was still listed; long after it has gone, nobody looks for it."""
    fleet = Fleet()
    three = [node(1), node(2), node(3)]
    fleet.looks(three, 600)
    assert fleet.look(three) == NodeScaling(remove=(3,))
    fleet.look([node(1, ROOM), node(2, ROOM), node(3, ready=False)])  # draining
    later = fleet.looks([node(1, ROOM), node(2, ROOM)], 700)

    assert set(later) == {NodeScaling()}


@pytest.mark.parametrize("pods", [0, 1])
def test_a_draining_node_is_not_removed_again(pods: int) -> None:
    """It is on its way; the next in line waits for its own turn."""
    fleet = Fleet()
    fleet.looks([node(1, ROOM), node(2)], 600)
    assert fleet.look([node(1, ROOM), node(2)]) == NodeScaling(remove=(2,))

    assert set(fleet.looks([node(1, ROOM), node(2, pods=pods, ready=False)], 1200)) == {NodeScaling()}


@given(
    takes=st.lists(
        st.tuples(st.integers(1, 6), st.builds(Resources, st.integers(0, 900), st.integers(0, 3000))), max_size=25
    ),
    gone=st.sets(st.integers(1, 6), max_size=2),
    request=st.builds(Resources, st.integers(0, 1500), st.integers(0, 5000)),
    max_pods=st.integers(1, 6),
)
def test_the_order_of_preference_is_that_of_placing(
    takes: list[tuple[int, Resources]], gone: set[int], request: Resources, max_pods: int
) -> None:
    """Of nodes with the same room the first one that takes the pod is the one that `place` chooses among all."""
    nodes = {number: node(number) for number in range(1, 7)}
    order = LeastAllocated(ROOM)
    for number in nodes:
        order.put(number, Resources())
    for number, taken in takes:
        before = nodes[number]
        nodes[number] = replace(before, taken=before.taken + taken, pods=before.pods + 1)
        order.put(number, nodes[number].taken)
    for number in gone:
        del nodes[number]
        order.drop(number)
        order.drop(number)
    fits = (
        number
        for number in order
        if nodes[number].pods < max_pods and (nodes[number].taken + request).fits_in(nodes[number].room)
    )
    assert next(fits, None) == place(request, nodes.values(), max_pods)
