"""The probe of one container (semantics §6.4, K2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akstwin.clock import SECOND, Micros
from akstwin.domain.deployment import DeployArguments, ProbeSettings
from akstwin.kubernetes_model.liveness import Probe

STARTED = Micros(7 * SECOND)


def probe(
    delay: int = 310, period: int = 10, timeout: int = 2, successes: int = 1, failures: int = 3
) -> Probe:  # fmt: skip
    """A probe of a container that started at 7 s; settings in seconds, defaults Azure's."""
    settings = ProbeSettings(
        Micros(delay * SECOND), Micros(period * SECOND), Micros(timeout * SECOND), successes, failures
    )  # fmt: skip
    return Probe(settings, STARTED)


def due(machine: Probe) -> float | None:
    """Seconds from the container's start to the next probe."""
    return None if machine.next_at is None else (machine.next_at - STARTED) / SECOND


def test_the_first_probe_comes_after_the_delay() -> None:
    """310 s by default, counted from the start of the container."""
    machine = Probe(DeployArguments().settings().liveness, STARTED)

    assert due(machine) == 310


@pytest.mark.parametrize(("delay", "period", "first"), [(5, 10, 0), (10, 10, 10), (11, 10, 11), (0, 10, 0)])
def test_a_period_longer_than_the_delay_makes_it_ignored(delay: int, period: int, first: int) -> None:
    """K2; an equal one does not."""
    assert due(probe(delay=delay, period=period)) == first


def test_a_probe_that_is_out_has_a_deadline_and_no_successor() -> None:
    """One at a time."""
    machine = probe(delay=10)
    deadline = machine.send(Micros(STARTED + 10 * SECOND))

    assert deadline == machine.deadline == STARTED + 12 * SECOND
    assert machine.next_at is None
    with pytest.raises(AssertionError, match="one probe at a time"):
        machine.send(deadline)


def test_a_probe_is_never_sent_early() -> None:
    """A driver that does has a bug."""
    with pytest.raises(AssertionError, match="before it was due"):
        probe(delay=10).send(Micros(STARTED + 10 * SECOND - 1))


def test_an_answer_at_the_deadline_is_in_time() -> None:
    """Inclusive: told of the answer at that instant, the machine counts no failure."""
    machine = probe(delay=10, failures=1)
    deadline = machine.send(Micros(STARTED + 10 * SECOND))

    assert machine.answered(deadline) == "healthy"
    assert machine.failures == 0
    assert due(machine) == 20


def test_it_fails_after_as_many_misses_in_a_row_as_are_allowed() -> None:
    """Every period one more, three by default."""
    machine = probe(delay=10)
    verdicts = [machine.missed(machine.send(machine.next_at or STARTED)) for _ in range(4)]

    assert verdicts == [None, None, "failed", "failed"]
    assert machine.sent == 4
    assert due(machine) == 50


def test_a_success_resets_the_count() -> None:
    """Two misses, an answer, two misses: still alive."""
    machine = probe(delay=10)
    seen = []
    for answers in (False, False, True, False, False):
        deadline = machine.send(machine.next_at or STARTED)
        seen.append(machine.answered(deadline) if answers else machine.missed(deadline))

    assert seen == [None, None, "healthy", None, None]


def test_successes_must_be_in_a_row_too() -> None:
    """A miss between them begins the count again (readiness may ask for more than one)."""
    machine = probe(delay=10, successes=2)
    seen = []
    for answers in (True, False, True, True):
        deadline = machine.send(machine.next_at or STARTED)
        seen.append(machine.answered(deadline) if answers else machine.missed(deadline))

    assert seen == [None, None, None, "healthy"]


def test_a_timeout_longer_than_the_period_skips_the_ticks_it_covered() -> None:
    """Probes keep to their ticks and never overlap."""
    machine = probe(delay=10, timeout=25)
    machine.missed(machine.send(Micros(STARTED + 10 * SECOND)))  # missed at 35 s

    assert due(machine) == 40


def test_after_a_silence_it_goes_on_at_the_next_tick_with_a_clean_sheet() -> None:
    """Its node was lost: what could not be asked is no failure."""
    machine = probe(delay=10)
    machine.missed(machine.send(Micros(STARTED + 10 * SECOND)))
    machine.skip_to(Micros(STARTED + 95 * SECOND))

    assert (due(machine), machine.failures, machine.deadline) == (100, 0, None)
    machine.skip_to(Micros(STARTED + 100 * SECOND))
    assert due(machine) == 100


def test_skipping_within_the_delay_changes_nothing() -> None:
    """The first probe still comes when it comes."""
    machine = probe(delay=310)
    machine.skip_to(Micros(STARTED + 100 * SECOND))

    assert due(machine) == 310


@given(
    delay=st.integers(0, 40),
    period=st.integers(1, 20),
    timeout=st.integers(1, 50),
    took=st.lists(st.tuples(st.booleans(), st.integers(0, 49)), max_size=20),
)
def test_probes_keep_to_their_ticks_and_time_goes_on(
    delay: int, period: int, timeout: int, took: list[tuple[bool, int]]
) -> None:
    """Each next probe lies on a tick, not before the answer to the last, and later than the last was sent."""
    machine = probe(delay=delay, period=period, timeout=timeout)
    origin = 0 if period > delay else delay
    for answers, span in took:
        sent_at = machine.next_at
        assert sent_at is not None
        deadline = machine.send(sent_at)
        if answers:
            now = Micros(min(sent_at + span * SECOND, deadline))
            machine.answered(now)
        else:
            now = deadline
            machine.missed(now)
        assert machine.next_at is not None
        assert (machine.next_at - STARTED - origin * SECOND) % (period * SECOND) == 0
        assert machine.next_at >= now
        assert machine.next_at > sent_at
