"""Users who wait for their answers: who asks when, and what chance each turn meets."""

import itertools
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akstwin.domain.workload import Clients, ClosedLoopUsers
from akstwin.sim.engine.outcomes import Outcome
from akstwin.sim.load.users import WaitingUsers, number_of, turn_of, user_of
from akstwin.sim.streams import BLOCK, Draws

Play = Callable[..., Any]
EXPONENTIAL = {"distribution": "exponential", "mean": "800ms"}


def _users(count: int, think_time: Any = EXPONENTIAL, **more: Any) -> dict[str, Any]:
    return {"shape": "users", "users": count, "think_time": think_time, **more}


def _turns(played: Any) -> dict[int, list[list[Outcome]]]:
    """Attempts of each turn, by user and turn."""
    turns: dict[tuple[int, int], list[Outcome]] = defaultdict(list)
    for each in sorted(played.requests, key=lambda each: each.attempt):
        turns[user_of(each.number), turn_of(each.number)].append(each)
    found: dict[int, list[list[Outcome]]] = defaultdict(list)
    for (user, turn), attempts in sorted(turns.items()):
        assert turn == len(found[user])
        found[user].append(attempts)
    return found


def _thinks(played: Any) -> dict[int, list[int]]:
    """Of each user: from a turn's last answer to the next turn, µs."""
    return {
        user: [later[0].arrived - turn[-1].answered for turn, later in itertools.pairwise(turns)]
        for user, turns in _turns(played).items()
    }


@given(user=st.integers(0, (1 << 20) - 1), turn=st.integers(0, 1 << 36))
def test_a_number_is_a_user_and_a_turn(user: int, turn: int) -> None:
    """And nothing else: each pair has one number, whatever the others are."""
    number = number_of(user, turn)
    assert (user_of(number), turn_of(number)) == (user, turn)
    assert 0 <= number < 1 << 62


def test_neither_few_users_nor_few_turns_waste_draws() -> None:
    """Blocks of 1024 draws serve 32 users in 32 turns."""
    for users, turns in ((10, 320), (320, 10), (64, 64)):
        blocks = {number_of(user, turn) // BLOCK for user in range(users) for turn in range(turns)}
        assert len(blocks) == -(-users // 32) * -(-turns // 32)


def test_blocks_of_many_users_are_drawn_once() -> None:
    """However many users take turns, a stream soon keeps what they go on reading: one lap is drawn again, no more."""
    drawn = []

    def sample(_rng: Any, count: int) -> Any:
        import numpy as np  # noqa: PLC0415

        drawn.append(count)
        return np.arange(count)

    draws = Draws(1, 1, "think", "0", sample)
    for turn in range(64):
        for user in range(0, 4000, 8):
            draws.at(number_of(user, turn))
    assert len(drawn) <= (2 + 1) * 125 + 10


def test_a_user_asks_waits_thinks_and_asks_again(play: Play) -> None:
    """One user, one replica, all constant: a turn every 50 ms + 950 ms, the first within the first think time."""
    played = play(_users(1, "950ms"), duration=10)
    instants = [each.arrived for each in played.requests]
    assert 0 <= instants[0] < 950_000
    assert {later - sooner for sooner, later in itertools.pairwise(instants)} == {1_000_000}
    assert set(played.outcomes) == {(200, 50.0)}


def test_the_overhead_is_waited_for(play: Play) -> None:
    """A user thinks from when the client has the answer."""
    played = play(_users(3, "1s"), duration=20, assumptions={"router_overhead": "7ms"})
    assert {think for each in _thinks(played).values() for think in each} == {1_000_000}


def test_no_user_has_two_requests_under_way(play: Play) -> None:
    """Forty users on two replicas: at most forty requests are there at once, each user's own one after the other."""
    played = play(_users(40), deploy={"num_replicas": 2, "max_request_wait_time": 5000}, duration=30)
    for turns in _turns(played).values():
        for turn, later in itertools.pairwise(turns):
            assert later[0].arrived > turn[-1].answered
    assert len(_turns(played)) == 40
    assert len(played.requests) > 600


@pytest.mark.parametrize("change", ["replicas", "users", "model", "faults", "second entry", "retries"])
def test_no_configuration_changes_a_think_time(play: Play, change: str) -> None:
    """Each user's n-th think time, and the run time of its n-th request, are the same whatever the service does."""
    service_time = {"distribution": "exponential", "mean": "200ms"}
    given: dict[str, Any] = {"model": {"service_time": service_time}, "duration": 30, "deploy": {"num_replicas": 3}}
    before = play(_users(20), **given)
    traffic: Any = _users(20)
    match change:
        case "replicas":
            given["deploy"] = {"num_replicas": 20, "max_request_wait_time": 60_000}
        case "users":
            traffic = _users(40)
        case "model":
            given["model"] = {"service_time": service_time, "failure_rate": 0.3}
        case "faults":
            given["faults"] = [{"at": "5s", "kind": "replica_kill", "count": 1}]
        case "second entry":
            given["traffic"] = [traffic, {"shape": "poisson", "rate": 5}]
            traffic = ()
        case _:
            given["clients"] = {"retry": {"statuses": [503], "attempts": 3, "backoff": "100ms"}}
    after = play(traffic, **given)
    after.requests = [each for each in after.requests if each.entry == 0]
    old, new = _thinks(before), _thinks(after)
    compared = 0
    for user in range(20):
        both = list(zip(old[user], new[user], strict=False))
        assert all(one == other for one, other in both)
        compared += len(both)
        if change != "second entry":
            assert _turns(before)[user][0][0].arrived == _turns(after)[user][0][0].arrived
    assert compared > 100
    assert before.outcomes != after.outcomes
    runs = [
        {
            (each.number, each.attempt): each.answered - each.started
            for each in played.requests
            if each.status == 200 and each.started is not None
        }
        for played in (before, after)
    ]
    shared = runs[0].keys() & runs[1].keys()
    assert len(shared) > 25
    assert all(runs[0][of] == runs[1][of] for of in shared)


def test_users_start_spread_over_their_first_think_time(play: Play) -> None:
    """All parts of it alike, so that users with one constant think time do not ask in step."""
    played = play(_users(1000, "10s"), duration=10, deploy={"num_replicas": 50, "max_request_wait_time": 60_000})
    first = sorted(turns[0][0].arrived for turns in _turns(played).values())
    assert len(first) == 1000
    for place in range(1, 10):
        assert abs(first[place * 100] / 1e6 - place) < 0.6


def test_a_spawn_rate_lets_them_begin_one_after_another(play: Play) -> None:
    """User k comes at k / spawn_rate with a request at once."""
    played = play(_users(30, "5s", spawn_rate=4), duration=10)
    assert [turns[0][0].arrived for turns in _turns(played).values()] == [250_000 * user for user in range(30)]


def test_a_user_who_tries_again_thinks_after_the_last_answer(play: Play) -> None:
    """Attempts at one turn follow the policy; each has chance of its own, and no think time lies between them."""
    retry = {"statuses": [503], "attempts": 3, "backoff": "200ms", "factor": 2}
    played = play(_users(12, "300ms"), duration=20, deploy={"max_request_wait_time": 100}, clients={"retry": retry})
    attempts = [turn for turns in _turns(played).values() for turn in turns]
    tried_again = [turn for turn in attempts if len(turn) == 3]
    assert len(tried_again) > 20
    for turn in attempts:
        for number, (sooner, later) in enumerate(itertools.pairwise(turn)):
            assert (sooner.status, later.arrived - sooner.answered) == (503, 200_000 << number)
    assert {think for each in _thinks(played).values() for think in each} == {300_000}


def test_an_entry_has_its_own_clients(play: Play) -> None:
    """`clients:` of an entry holds for its users, the scenario's for all others."""
    again = {"retry": {"statuses": [503], "attempts": 2, "backoff": "1s"}}
    busy = {"max_request_wait_time": 10}
    one = play((), traffic=[_users(10, clients=again), {"shape": "poisson", "rate": 20}], deploy=busy)
    assert {each.entry for each in one.requests if each.attempt} == {0}
    other = play(
        (),
        traffic=[_users(10, clients={"retry": "none"}), {"shape": "poisson", "rate": 20}],
        deploy=busy,
        clients=again,
    )
    assert {each.entry for each in other.requests if each.attempt} == {1}


def test_a_user_is_one_client_process() -> None:
    """azureml-core's own wait before a repeat after 503 belongs to the user, not to the request."""
    spec = ClosedLoopUsers.model_validate({"shape": "users", "users": 50, "think_time": "1s"})
    users = WaitingUsers(spec, Clients(retry="azureml-core"), 1, 1, 0)

    def wait(user: int, turn: int) -> int | None:
        from akstwin.sim.load.request_index import RequestIdentity  # noqa: PLC0415

        return users.wait_before_retry(RequestIdentity(0, number_of(user, turn)), 503)

    waits = {user: {wait(user, turn) for turn in range(100)} for user in range(50)}
    assert all(len(each) == 1 for each in waits.values())
    assert len(set.union(*waits.values())) > 5


def test_replications_meet_other_users(play: Play) -> None:
    """Another seed: other think times."""
    one, other = play(_users(5), seed=1), play(_users(5), seed=2)
    assert _thinks(one) != _thinks(other)
    assert _thinks(one) == _thinks(play(_users(5), seed=1))


def test_users_at_one_instant_come_in_their_order(play: Play) -> None:
    """The one with the smaller number goes first, whoever was answered first."""
    played = play(_users(4, "1s", spawn_rate=1e6), duration=3, deploy={"max_request_wait_time": 10_000})
    second = sorted((turns[0][0].arrived, turns[0][0].dispatched, user) for user, turns in _turns(played).items())
    assert [user for *_, user in second] == [0, 1, 2, 3]
