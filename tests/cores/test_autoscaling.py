"""How many replicas a version should have (semantics §6.2)."""

from hypothesis import given
from hypothesis import strategies as st

from akstwin.clock import SECOND, Micros
from akstwin.cores.autoscaling import Autoscaler
from akstwin.domain.deployment import Autoscaled

WINDOW = Micros(60 * SECOND)


class Service:
    """A version whose demand the test sets, looked at every refresh period."""

    def __init__(self, scaling: Autoscaled | None = None, slots: int = 1, replicas: int = 1) -> None:
        self.scaling = scaling or Autoscaled(minimum=1, maximum=1000)
        self.scaler = Autoscaler(self.scaling, slots, WINDOW, Micros(0))
        self.replicas = replicas
        self.area = 0
        self.now = 0

    def look(self, demand_in_slots: int) -> int:
        """One refresh period with this many slots busy or requests waiting throughout."""
        self.now += self.scaling.refresh
        self.area += demand_in_slots * self.scaling.refresh
        self.replicas = self.scaler.look(self.replicas, self.area, Micros(self.now))
        return self.replicas

    def looks(self, demand_in_slots: int, seconds: int) -> list[int]:
        """Replicas after each of as many periods."""
        return [self.look(demand_in_slots) for _ in range(seconds)]


def test_every_exact_demand_needs_exactly_its_replicas() -> None:
    """Demand of n replicas at their target, to the slot-microsecond, needs n: floats get 396 of 999 wrong."""
    wrong = []
    for target in (1, 7, 33, 50, 70, 90, 99, 100):
        for replicas in range(1, 1000):
            scaler = Autoscaler(Autoscaled(1, 2000, Micros(100), target), 1, WINDOW, Micros(0))
            if scaler.look(0, replicas * target, Micros(100)) != replicas:
                wrong.append((target, replicas))

    assert wrong == []


def test_one_slot_microsecond_more_needs_one_replica_more() -> None:
    """The need is rounded up from the exact fraction."""
    for replicas in range(1, 1000):
        scaler = Autoscaler(Autoscaled(1, 2000, Micros(1000), 70), 1, WINDOW, Micros(0))

        assert scaler.look(replicas, replicas * 700 + 1, Micros(1000)) == replicas + 1


@given(slots=st.integers(1, 20), target=st.integers(1, 100), demand=st.integers(0, 10**9), span=st.integers(1, 10**7))
def test_the_need_is_the_formula_of_the_page(slots: int, target: int, demand: int, span: int) -> None:
    """It is ceil(100·area / (c·target·window)), from nought replicas up, within the bounds."""
    scaler = Autoscaler(Autoscaled(1, 10**12, Micros(span), target), slots, WINDOW, Micros(0))
    need = -(-100 * demand // (slots * target * span))

    assert scaler.look(0, demand, Micros(span)) == max(1, need)


def test_exactly_at_the_target_nothing_is_added() -> None:
    """Utilisation must be over the target, not at it."""
    service = Service(Autoscaled(1, 100, SECOND, 70), replicas=10)

    assert service.looks(7, 5) == [10] * 5
    assert service.look(8) == 12


def test_adding_is_eager() -> None:
    """A step of load raises the replicas within two refresh periods, whenever in a period it comes."""
    for refresh in (1, 5):
        service = Service(Autoscaled(1, 1000, Micros(refresh * SECOND), 70))
        service.looks(0, 3)
        service.area += 3 * SECOND // 2 * refresh  # three slots busy for the second half of a period

        assert max(service.look(0), service.look(3)) >= 3
        assert service.look(3) == 5


def test_removing_waits_for_a_minute_and_is_one_step() -> None:
    """After the load has dropped nothing changes for 60 s; then the replicas go to the recent need at once."""
    service = Service(Autoscaled(1, 1000, SECOND, 70), replicas=1)
    service.looks(70, 10)
    assert service.replicas == 100

    after = service.looks(7, 90)

    assert after[:60] == [100] * 60
    assert after[60:] == [10] * 30


def test_a_new_service_keeps_its_replicas_for_a_full_window() -> None:
    """Right after its creation a minute without need has not passed yet."""
    service = Service(replicas=5)

    assert service.looks(0, 61) == [5] * 59 + [1] * 2


def test_the_step_down_goes_to_the_highest_need_of_the_last_minute() -> None:
    """Not to the latest: a short lull does not cost what the minute needed."""
    service = Service(Autoscaled(1, 1000, SECOND, 70), replicas=100)
    service.looks(7, 30)
    service.looks(14, 1)
    service.looks(1, 60)

    assert service.replicas == 20
    assert service.look(1) == 2


def test_one_look_over_the_target_keeps_everything_for_another_minute() -> None:
    """All of the window must lie under the target."""
    service = Service(Autoscaled(1, 20, SECOND, 70), replicas=20)
    service.looks(0, 40)
    service.look(50)  # above the target; the maximum is reached already

    assert service.looks(0, 60) == [20] * 60
    assert service.look(0) == 1


def test_waiting_requests_count_where_the_caller_counts_them() -> None:
    """The scaler sees one area: with the queue in it, growth is not held to 1/0.7 a step."""
    busy_only, with_queue = Service(replicas=10), Service(replicas=10)

    assert busy_only.look(10) == 15
    assert with_queue.look(10 + 90) == 143


def test_slots_share_the_load() -> None:
    """With c = 4, 28 slots at 70 per cent are 10 replicas."""
    assert Service(slots=4).look(28) == 10


@given(
    bounds=st.tuples(st.integers(1, 12), st.integers(1, 12)).map(sorted),
    slots=st.integers(1, 3),
    target=st.integers(1, 100),
    start=st.integers(1, 20),
    demands=st.lists(st.integers(0, 60), max_size=150),
)
def test_never_outside_the_bounds(bounds: list[int], slots: int, target: int, start: int, demands: list[int]) -> None:
    """After the first look, whatever the load and wherever it began."""
    service = Service(Autoscaled(bounds[0], bounds[1], SECOND, target), slots, start)
    for demand in demands:
        assert bounds[0] <= service.look(demand) <= bounds[1]


@given(demands=st.lists(st.integers(0, 30), min_size=1, max_size=300))
def test_replicas_go_down_only_to_what_every_look_of_the_minute_could_live_with(demands: list[int]) -> None:
    """The independent model: up to the need when over target, else down to the window's highest need, else the same."""
    service = Service(Autoscaled(1, 40, SECOND, 70))
    history: list[tuple[int, bool]] = []
    expected = 1
    for at, demand in enumerate(demands, 1):
        need = min(max(-(-100 * demand // 70), 1), 40)
        history.append((need, 100 * demand < 70 * expected))
        recent = history[-61:]  # looks at most 60 s old
        if 100 * demand > 70 * expected and need > expected:
            expected = need
        elif at >= 60 and all(below for _, below in recent):
            expected = min(expected, max(need for need, _ in recent))
        assert service.look(demand) == expected


def test_a_restart_begins_a_new_window() -> None:
    """After an update the minute counts anew, and what was demanded before it is not demand."""
    service = Service(replicas=10)
    service.looks(0, 59)
    service.area += 10**12
    service.scaler.restart(service.scaling, 1, Micros(service.now), service.area)

    assert service.looks(0, 60) == [10] * 59 + [1]


def test_a_restart_takes_new_settings_and_slots() -> None:
    """From the next look on."""
    service = Service(replicas=10)
    service.scaler.restart(Autoscaled(3, 6, SECOND, 50), 2, Micros(0), 0)

    assert service.scaler.settings == Autoscaled(3, 6, SECOND, 50)
    assert service.look(5) == 6
    assert Service(Autoscaled(1, 100, SECOND, 50), slots=2).look(5) == 5


def test_a_second_look_at_the_same_instant_decides_nothing() -> None:
    """A window of no length has no demand to divide."""
    service = Service(replicas=4)
    service.look(2)

    assert service.scaler.look(4, service.area + 100, Micros(service.now)) == 4
