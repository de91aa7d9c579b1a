"""Which containers have a process: the rules alone, without any process."""

from pathlib import Path

import pytest

from akstwin.errors import InvalidSetting
from akstwin.worker import Hung, InitFailed, Ready, ReplicaLost, Reply, WorkerSpec
from akstwin.worker.pool import PoolRules, lost_at_start

SPEC = WorkerSpec(Path("app"), "score.py")


def rules(alive: int = 2, *started: int) -> PoolRules:
    """Rules for so many processes, after the start of some containers."""
    made = PoolRules(SPEC, alive)
    for container in started:
        made.start(container)
        assert made.started(container, Ready("")) is None
    return made


def test_each_process_has_its_containers_number() -> None:
    """Request ids are made from it: no two containers have the same."""
    made = rules(3)
    assert [made.start(container).spec.container for container in (0, 1, 7)] == [0, 1, 7]


def test_an_init_is_proven_by_a_start_and_unproven_by_a_failure() -> None:
    """Of any container: what one cannot do, the next one has to show."""
    made = rules()
    assert not made.proven
    made.start(0)
    assert not made.proven
    made.started(0, Ready(""))
    assert made.proven
    made.start(1)
    assert made.started(1, InitFailed("no weights", "", hung=False)) == "init() failed: no weights"
    assert (made.proven, made.has_process(0), made.has_process(1)) == (False, True, False)


@pytest.mark.parametrize(
    ("ran", "note"),
    [
        (ReplicaLost("killed by SIGKILL", ""), "killed by SIGKILL"),
        (Hung(2.5, ""), "killed: run() was still going after 2.5 s"),
    ],
)
def test_what_is_no_reply_has_ended_the_process(ran: ReplicaLost | Hung, note: str) -> None:
    """The log says how, and the next init is a real one."""
    made = rules(2, 0, 1)
    assert made.ran(0, Reply(200, (), b"", False, "", 0.0)) is None
    assert (made.proven, made.has_process(0)) == (True, True)
    assert made.ran(0, ran) == note
    assert (made.proven, made.has_process(0), made.has_process(1)) == (False, False, True)


def test_the_least_recently_used_at_rest_makes_room() -> None:
    """One that is at work does not; where all are, there are more processes than allowed for a while."""
    made = rules(2, 0, 1)
    made.use(0)
    assert made.start(2).closed == (1,)
    assert made.start(3, lambda other: other == 0).closed == (2,)
    assert made.start(4, lambda _: True).closed == ()
    assert [container for container in range(5) if made.has_process(container)] == [0, 3, 4]
    assert made.start(5).closed == (0, 3)


def test_the_log_says_which_start_is_one_more() -> None:
    """Because its process was given to others; not because the container was stopped or lost."""
    made = rules(1, 0, 1)
    assert made.start(0).note == "starts again, after its process was given to others"
    assert made.start(1).note == "starts again, after its process was given to others"
    made.stopped(0)
    assert made.start(0).note == "starts"
    made.failed(0)
    assert made.start(0).note == "starts"


def test_a_late_start_that_fails_is_a_lost_replica() -> None:
    """The request gets the reason, and what was written meanwhile."""
    assert lost_at_start(InitFailed("no weights", "Traceback", hung=False)) == ReplicaLost(
        "init() failed: no weights", "Traceback"
    )


@pytest.mark.parametrize("alive", [0, -1])
def test_nothing_works_in_no_process(alive: int) -> None:
    """One is the least."""
    with pytest.raises(InvalidSetting, match="alive"):
        PoolRules(SPEC, alive)
