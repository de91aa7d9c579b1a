"""What runs inside one replica (R10, semantics §6.4): workers, backlog, probes, the end."""

from akstwin.kubernetes_model.container import Container, Exited, Reached, Refused, Start


def running(workers: int = 1, *requests: int) -> Container:
    """A container whose `init()` is over and that was given these requests."""
    container = Container(workers)
    container.initialise()
    for request in requests:
        container.accept(request)
    return container


def test_r10_a_request_starts_when_a_worker_is_free() -> None:
    """Two slots and one worker: the second request runs after the first."""
    container = running()

    assert container.accept(1) == [Start(1)]
    assert container.accept(2) == []
    assert container.finish(1) == [Start(2)]
    assert repr(container) == "<Container 1 of 1 busy, 0 in the backlog>"


def test_r10_workers_take_the_backlog_first_in_first_out() -> None:
    """Whoever came first, whichever worker is free."""
    container = running(2, 1, 2, 3, 4)

    assert container.holds == [1, 2, 3, 4]
    assert container.finish(2) == [Start(3)]
    assert container.finish(1) == [Start(4)]
    assert container.busy == 2


def test_connections_are_taken_before_init_ends_and_answered_after_it() -> None:
    """The listener opens first (semantics §3): requests and probes hang, then all go on in their order."""
    container = Container(2)

    assert [container.accept(1), container.probe(7), container.accept(2), container.accept(3)] == [[], [], [], []]
    assert container.initialise() == [Start(1), Reached(7), Start(2)]
    assert container.holds == [1, 2, 3]


def test_an_idle_worker_answers_a_probe_at_once() -> None:
    """It takes no worker time."""
    container = running()

    assert container.probe(7) == [Reached(7)]
    assert container.busy == 0


def test_a_probe_waits_in_the_same_backlog() -> None:
    """Behind the requests before it, before those after it: a busy worker fails a liveness probe."""
    container = running(1, 1, 2)

    assert container.probe(7) == []
    container.accept(3)
    assert container.finish(1) == [Start(2)]
    assert container.finish(2) == [Reached(7), Start(3)]


def test_a_second_worker_keeps_the_probe_alive() -> None:
    """Two workers and one request at a time: none is ever missed (semantics §6.4)."""
    assert running(2, 1).probe(7) == [Reached(7)]


def test_a_probe_that_gave_up_is_never_reached() -> None:
    """And dropping it twice, or after its answer, is nothing."""
    container = running(1, 1)
    container.probe(7)
    container.drop_probe(7)
    container.drop_probe(7)

    assert container.finish(1) == []


def test_a_dropped_probe_is_not_taken_for_a_request_of_the_same_number() -> None:
    """Numbers of requests and of probes are counted apart."""
    container = running(1, 1, 7)
    container.drop_probe(7)

    assert container.finish(1) == [Start(7)]


def test_stopping_finishes_what_is_held_and_takes_nothing_new() -> None:
    """SIGTERM (semantics §3): the backlog is worked off, then it exits; whoever comes now is refused (R13)."""
    container = running(1, 1, 2)

    assert container.stop() == []
    assert container.accept(3) == [Refused(3)]
    assert container.probe(7) == []
    assert container.finish(1) == [Start(2)]
    assert container.finish(2) == [Exited()]


def test_stopping_with_nothing_to_do_exits_at_once() -> None:
    """Idle, or still in `init()` with nobody waiting; a probe alone holds nobody back."""
    still_starting = Container(1)
    still_starting.probe(7)

    assert running().stop() == [Exited()]
    assert still_starting.stop() == [Exited()]


def test_killed_it_loses_what_it_holds_and_refuses_the_rest() -> None:
    """Running and waiting requests alike; probes are nobody's loss."""
    container = running(1, 1, 2)
    container.probe(7)

    assert container.kill() == [1, 2]
    assert (container.holds, container.alive) == ([], False)
    assert container.accept(3) == [Refused(3)]
    assert container.probe(8) == []
    assert container.initialise() == []


def test_hung_it_takes_everything_and_answers_nothing() -> None:
    """Probes included; afterwards it goes on with what has gathered, in its order."""
    container = running()
    container.hang()

    assert [container.accept(1), container.probe(7), container.accept(2)] == [[], [], []]
    assert container.resume() == [Start(1)]
    assert container.finish(1) == [Reached(7), Start(2)]


def test_hung_it_does_not_exit_when_stopped() -> None:
    """Only the end of the grace ends it, or its coming back to life."""
    container = running()
    container.hang()

    assert container.stop() == []
    assert container.resume() == [Exited()]


def test_a_worker_that_the_server_ends_is_away_until_init_is_over() -> None:
    """The others go on; with a single worker, requests wait."""
    container = running(1, 1, 2)

    assert container.lose_worker(1) == []
    assert container.accept(3) == []
    assert container.regain_worker() == [Start(2)]
    assert container.holds == [2, 3]


def test_what_was_in_a_silent_container_is_lost_and_its_workers_are_free() -> None:
    """Its node fell silent: nobody is told; back again, it works."""
    container = running(1, 1, 2)
    container.drop_all()

    assert container.holds == []
    assert container.accept(3) == [Start(3)]
