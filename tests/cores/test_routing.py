"""The router's judgement, rule by rule (R1 to R14 of semantics §6.1)."""

from typing import Any, Literal

import pytest

from akstwin.clock import NEVER, SECOND, Micros
from akstwin.cores.router_http import match_path, passed_headers, refusal_text, router_headers
from akstwin.cores.routing import (
    KEPT_FORGOTTEN,
    Answer,
    Dispatch,
    KeyAuth,
    KeyCredential,
    Requeue,
    Router,
    RouterRules,
    TokenAuth,
    TokenCredential,
)
from akstwin.domain.deployment import RouteSettings
from akstwin.domain.reasons import Reason
from akstwin.domain.service import Split, split_of
from akstwin.domain.usage import Usage

V = "blue"
MAX_WAIT = 500_000
TIMEOUT = 60_000_000


def settings(slots: int = 1, max_wait: int = MAX_WAIT, timeout: int = TIMEOUT) -> RouteSettings:
    """What the router knows of a version."""
    return RouteSettings(slots, Micros(max_wait), Micros(timeout))


def router(slots: int = 1, ready: int = 1, **rules: Any) -> Router:
    """A router of one version whose replicas 1, 2, … have been ready since 0."""
    made = Router("fraud", RouterRules(**rules))
    made.configure(V, settings(slots), 0)
    made.set_split(Split(V))
    for replica in range(1, ready + 1):
        made.seen_ready(V, replica, 0)
    return made


def sent(request: int, replica: int) -> Dispatch:
    """A dispatch to a replica of the version."""
    return Dispatch(request, V, replica)


def refused(request: int, status: int, reason: Reason, version: str | None = V) -> Answer:
    """An answer that the router makes itself."""
    return Answer(request, version, status, reason, forwarded=False)


def passed(request: int, status: int = 200, reason: Reason | None = None) -> Answer:
    """An answer that comes from a replica."""
    return Answer(request, V, status, reason, forwarded=True)


class TestRefusedConnections:
    """R13: a replica that refuses the connection has seen nothing of the request."""

    def test_by_default_it_is_a_502(self) -> None:
        """As for a connection that breaks later."""
        made = router(ready=2)
        made.arrive(1, 10)

        assert made.refused(1, 11) == [passed(1, 502, Reason.REPLICA_LOST)]

    def test_another_replica_gets_it_once(self) -> None:
        """Its scoring time-out counts from the second dispatch; the second refusal is the answer."""
        made = router(ready=2, refused_connection="next_replica")

        assert made.arrive(1, 10) == [sent(1, 1)]
        assert made.refused(1, 20) == [sent(1, 2)]
        assert made.expire_timeouts(10 + TIMEOUT) == []
        assert made.expire_timeouts(20 + TIMEOUT) == [refused(1, 504, Reason.SCORING_TIMEOUT)]

        assert made.arrive(2, 30 + TIMEOUT) == [sent(2, 1)]
        assert made.refused(2, 31 + TIMEOUT) == [sent(2, 2)]
        assert made.refused(2, 32 + TIMEOUT) == [passed(2, 502, Reason.REPLICA_LOST)]

    def test_without_another_ready_replica_it_is_a_502(self) -> None:
        """There is nothing to wait for."""
        made = router(ready=1, refused_connection="next_replica")
        made.arrive(1, 10)

        assert made.refused(1, 11) == [passed(1, 502, Reason.REPLICA_LOST)]

    def test_it_waits_at_the_head_of_the_queue_while_the_others_are_busy(self) -> None:
        """It came before those who wait; its wait begins anew."""
        made = router(ready=2, refused_connection="next_replica")
        assert [made.arrive(number, 10) for number in (1, 2, 3)] == [[sent(1, 1)], [sent(2, 2)], []]

        assert made.refused(1, 20) == [Requeue(1)]
        assert made.complete(2, 30) == [passed(2), sent(1, 2)]
        assert made.expire_queue(10 + MAX_WAIT) == [refused(3, 503, Reason.QUEUE_DEADLINE)]

        assert made.arrive(4, 11 + MAX_WAIT) == []
        assert made.refused(1, 12 + MAX_WAIT) == [passed(1, 502, Reason.REPLICA_LOST)]

    def test_its_second_wait_has_a_deadline(self) -> None:
        """As any other in the queue."""
        made = router(ready=2, refused_connection="next_replica")
        made.arrive(1, 10)
        made.arrive(2, 10)
        made.refused(1, 20)

        assert made.next_deadline == 20 + MAX_WAIT
        assert made.expire_queue(20 + MAX_WAIT) == [refused(1, 503, Reason.QUEUE_DEADLINE)]

    def test_the_deadline_of_its_first_wait_is_over(self) -> None:
        """It waited, was sent, was refused and waits again: its second wait is as long as the first could have been."""
        made = router(ready=2, refused_connection="next_replica")
        for number in (1, 2, 3):
            made.arrive(number, 10)
        assert made.complete(1, 20) == [passed(1), sent(3, 1)]

        assert made.refused(3, 30) == [Requeue(3)]
        assert made.expire_queue(10 + MAX_WAIT) == []
        assert made.next_deadline == 30 + MAX_WAIT
        assert made.expire_queue(30 + MAX_WAIT) == [refused(3, 503, Reason.QUEUE_DEADLINE)]

    def test_the_replica_rests_longer_with_each_refusal_in_a_row(self) -> None:
        """1 s, 2 s, 4 s, … up to 30 s; when its rest is over it takes who waits."""
        made = router(ready=2, refused_connection="next_replica")
        made.configure(V, settings(timeout=10**12), 0)
        made.arrive(100, 0)  # replica 1 is busy, so the other one is asked
        now = 0
        for rest in (1, 2, 4, 8, 16, 30, 30):
            now += 1
            assert made.arrive(now, now) == [sent(now, 2)]
            assert made.refused(now, now) == [Requeue(now)]
            assert made.expire_queue(now + MAX_WAIT) == [refused(now, 503, Reason.QUEUE_DEADLINE)]
            over = now + rest * SECOND
            assert made.next_timeout == over
            made.arrive(over - 1, over - 1)
            assert made.expire_timeouts(over) == [sent(over - 1, 2)]
            made.abort(over - 1, over)
            now = over

    def test_news_of_it_ends_its_rest(self) -> None:
        """Seen unready and ready again, it is as new."""
        made = router(ready=2, refused_connection="next_replica")
        made.arrive(100, 0)
        made.arrive(1, 1)
        made.refused(1, 2)
        made.seen_unready(V, 2, 3)

        assert made.seen_ready(V, 2, 4) == [sent(1, 2)]
        assert made.expire_timeouts(2 + SECOND) == []

    def test_an_answer_ends_the_row(self) -> None:
        """The next refusal rests it for a second again."""
        made = router(ready=2, refused_connection="next_replica")
        made.arrive(100, 0)
        made.arrive(1, 1)
        made.refused(1, 2)
        made.expire_timeouts(2 + SECOND)
        made.complete(1, 3 + SECOND)
        made.arrive(2, 4 + SECOND)
        made.refused(2, 5 + SECOND)

        assert made.next_timeout == 5 + 2 * SECOND

    def test_who_has_gone_gets_no_other_replica(self) -> None:
        """A request whose client left, or that timed out, gives back its slot and nothing more."""
        made = router(ready=2, refused_connection="next_replica", slot_released_on_timeout="when_done")
        made.arrive(1, 10)
        made.abort(1, 11)

        assert made.refused(1, 12) == []
        assert made.usage(V, 12).busy == 0

    def test_of_a_removed_version_it_is_a_502(self) -> None:
        """Its other replicas are on their way out."""
        made = router(ready=2, refused_connection="next_replica")
        made.arrive(1, 10)
        made.remove_version(V, 11)

        assert made.refused(1, 12) == [passed(1, 502, Reason.REPLICA_LOST)]


class TestReceiving:
    """R1 to R5: before a version is known."""

    @pytest.mark.parametrize(
        ("path", "found"),
        [
            ("/api/v1/service/fraud/score", ("fraud", "score")),
            ("/api/v1/service/fraud/swagger.json", ("fraud", "swagger")),
            ("/api/v1/service/fraud", None),
            ("/api/v1/service/fraud/", None),
            ("/api/v1/service//score", None),
            ("/api/v1/service/fraud/score/", None),
            ("/api/v1/service/fraud/health", None),
            ("/api/v2/service/fraud/score", None),
            ("/score", None),
            ("/", None),
        ],
    )
    def test_r1_only_two_paths_of_a_service_are_known(self, path: str, found: tuple[str, str] | None) -> None:
        """Everything else is answered 404 by whoever asked."""
        assert match_path(path) == found

    def test_r2_a_body_over_the_limit_is_413(self) -> None:
        """100 MB are taken, one byte more is not; it is refused before anything else is looked at."""
        made = router()

        assert made.arrive(1, 0, size=100 * 10**6) == [sent(1, 1)]
        made.set_split(None)
        assert made.arrive(2, 0, size=100 * 10**6 + 1) == [refused(2, 413, Reason.PAYLOAD_TOO_LARGE, None)]

    def test_r3_a_service_that_the_router_has_not_seen_is_404(self) -> None:
        """Before it is deployed, and after it is gone; whatever key is shown."""
        made = router()
        made.set_auth(KeyAuth("one", "two"))
        made.set_split(None)

        assert made.arrive(1, 0) == [refused(1, 404, Reason.NOT_FOUND, None)]

    @pytest.mark.parametrize("key", ["one", "two"])
    def test_r4_either_key_opens(self, key: str) -> None:
        """Primary and secondary are alike."""
        made = router()
        made.set_auth(KeyAuth("one", "two"))

        assert made.arrive(1, 0, credential=KeyCredential(key)) == [sent(1, 1)]

    @pytest.mark.parametrize(
        "credential",
        [None, KeyCredential(""), KeyCredential("onE"), KeyCredential("schlüssel"), TokenCredential(True, NEVER)],
    )
    def test_r4_no_key_a_wrong_key_or_a_token_is_401(self, credential: KeyCredential | TokenCredential | None) -> None:
        """A service with keys takes nothing else, and other alphabets do not break it."""
        made = router()
        made.set_auth(KeyAuth("one", "two"))

        assert made.arrive(1, 0, credential=credential) == [refused(1, 401, Reason.UNAUTHORIZED, None)]

    @pytest.mark.parametrize(
        ("credential", "status"),
        [
            (TokenCredential(True, Micros(1_001)), 200),
            (TokenCredential(True, Micros(1_000)), 401),
            (TokenCredential(True, Micros(999)), 401),
            (TokenCredential(False, NEVER), 401),
            (KeyCredential("one"), 401),
            (None, 401),
        ],
        ids=["good", "expires now", "expired", "forged", "a key", "none"],
    )
    def test_r4_a_token_must_be_genuine_and_not_expired(
        self, credential: KeyCredential | TokenCredential | None, status: int
    ) -> None:
        """At the very instant of its `expiryOn` it is over."""
        made = router()
        made.set_auth(TokenAuth())
        actions = made.arrive(1, 1_000, credential=credential)

        assert actions == ([sent(1, 1)] if status == 200 else [refused(1, 401, Reason.UNAUTHORIZED, None)])

    def test_r4_without_auth_nothing_is_asked(self) -> None:
        """A key that was required before is required no more."""
        made = router()
        made.set_auth(KeyAuth("one", "two"))
        made.set_auth(None)

        assert made.arrive(1, 0) == [sent(1, 1)]

    def test_r5_the_draw_chooses_the_version(self) -> None:
        """The others by their shares, the rest is the default's."""
        made = router()
        made.configure("green", settings(), 0)
        made.seen_ready("green", 7, 0)
        made.set_split(split_of({"blue": 20, "green": 10}, "blue"))

        assert made.arrive(1, 0, draw=9_999_999) == [Dispatch(1, "green", 7)]
        assert made.arrive(2, 0, draw=10_000_000) == [Dispatch(2, "blue", 1)]

    def test_r5_a_header_names_the_version(self) -> None:
        """Whatever the split says: even a version without traffic; an unknown one is 404."""
        made = router()
        made.configure("green", settings(), 0)
        made.seen_ready("green", 7, 0)

        assert made.arrive(1, 0, wanted="green") == [Dispatch(1, "green", 7)]
        assert made.arrive(2, 0, wanted="pink") == [refused(2, 404, Reason.NOT_FOUND, None)]

    def test_r5_a_version_in_the_split_that_is_not_there_is_404(self) -> None:
        """The split may run ahead of the versions for a moment."""
        made = router()
        made.set_split(Split("green"))

        assert made.arrive(1, 0) == [refused(1, 404, Reason.NOT_FOUND, None)]


class TestAdmission:
    """R6 and R7: refuse, dispatch or queue."""

    def test_r6_without_a_ready_replica_a_request_is_refused_at_once(self) -> None:
        """503 with a reason of its own, not after half a second in the queue."""
        made = router(ready=0)

        assert made.arrive(1, 0) == [refused(1, 503, Reason.NO_READY_REPLICA)]
        assert made.next_deadline == NEVER

    def test_r6_or_waits_if_so_assumed(self) -> None:
        """`when_no_replica_ready: queue`: the first replica that turns ready takes it."""
        made = router(ready=0, when_no_replica_ready="queue")

        assert made.arrive(1, 0) == []
        assert made.next_deadline == MAX_WAIT
        assert made.seen_ready(V, 1, 10) == [sent(1, 1)]

    def test_r6_who_waits_goes_on_waiting_when_the_last_replica_turns_unready(self) -> None:
        """Only arrivals are refused for want of a ready replica."""
        made = router()
        made.arrive(1, 0)
        made.arrive(2, 0)
        made.seen_unready(V, 1, 5)

        assert made.arrive(3, 5) == [refused(3, 503, Reason.NO_READY_REPLICA)]
        assert made.complete(1, 10) == [passed(1)]
        assert made.seen_ready(V, 1, 20) == [sent(2, 1)]

    def test_r7_goes_to_the_least_busy(self) -> None:
        """Slots taken count, whatever the order of ids."""
        made = router(slots=2, ready=3)
        first = [made.arrive(request, request)[0] for request in range(1, 7)]

        assert [action.replica for action in first if isinstance(action, Dispatch)] == [1, 2, 3, 1, 2, 3]

    def test_r7_among_equals_to_the_one_whose_last_release_is_longest_ago(self) -> None:
        """Not the lowest id: replica 2 was free first."""
        made = router(ready=3)
        for request in (1, 2, 3):
            made.arrive(request, request)
        made.complete(2, 10)
        made.complete(3, 20)
        made.complete(1, 30)

        assert [made.arrive(request, 40)[0] for request in (4, 5, 6)] == [sent(4, 2), sent(5, 3), sent(6, 1)]

    def test_r7_a_replica_that_never_served_counts_from_when_it_turned_ready(self) -> None:
        """Ready at 15 stands between releases at 10 and 20."""
        made = router(ready=2)
        made.arrive(1, 0)
        made.arrive(2, 0)
        made.complete(1, 10)
        made.seen_ready(V, 3, 15)
        made.complete(2, 20)

        assert [made.arrive(request, 30)[0] for request in (3, 4, 5)] == [sent(3, 1), sent(4, 3), sent(5, 2)]

    def test_r7_then_to_the_lowest_id(self) -> None:
        """Ready at the same instant, in whatever order that was heard."""
        made = router(ready=0)
        for replica in (3, 1, 2):
            made.seen_ready(V, replica, 5)

        assert [made.arrive(request, 9)[0] for request in (1, 2, 3)] == [sent(1, 1), sent(2, 2), sent(3, 3)]

    def test_r7_the_tie_break_by_release_holds_at_any_load(self) -> None:
        """With two slots each, among replicas that have one taken, the earlier release goes first."""
        made = router(slots=2, ready=2)
        for request in (1, 2, 3, 4):
            made.arrive(request, 0)  # 1 and 3 on replica 1, 2 and 4 on replica 2
        made.complete(2, 10)
        made.complete(1, 20)

        assert made.arrive(5, 30) == [sent(5, 2)]
        assert made.arrive(6, 30) == [sent(6, 1)]

    def test_r7_queues_when_no_slot_is_free(self) -> None:
        """Until now plus `max_request_wait_time`."""
        made = router()
        made.arrive(1, 0)

        assert made.arrive(2, 7) == []
        assert made.next_deadline == 7 + MAX_WAIT
        assert made.usage(V, 7) == Usage(busy_area=7, queued_area=0, busy=1, queued=1, ready=1)

    def test_r7_a_full_queue_is_503_at_once(self) -> None:
        """`max_queue_length` counts those that wait now, per version."""
        made = router(max_queue_length=2)
        for request in (1, 2, 3):
            made.arrive(request, 0)

        assert made.arrive(4, 0) == [refused(4, 503, Reason.QUEUE_FULL)]
        made.complete(1, 1)
        assert made.arrive(5, 1) == []
        assert made.arrive(6, 1) == [refused(6, 503, Reason.QUEUE_FULL)]

    def test_r7_each_version_has_a_queue_of_its_own(self) -> None:
        """A version that is full holds nobody else up."""
        made = router()
        made.configure("green", settings(), 0)
        made.seen_ready("green", 7, 0)
        made.arrive(1, 0)
        made.arrive(2, 0)

        assert made.arrive(3, 0, wanted="green") == [Dispatch(3, "green", 7)]


class TestQueue:
    """R8: first in, first out, until the deadline."""

    def test_r8_a_free_slot_takes_who_has_waited_longest(self) -> None:
        """And the slot is taken in the same step as it is given back."""
        made = router()
        for request in (1, 2, 3):
            made.arrive(request, request)

        assert made.complete(1, 10) == [passed(1), sent(2, 1)]
        assert made.complete(2, 20) == [passed(2), sent(3, 1)]

    def test_r8_a_replica_that_turns_ready_takes_as_many_as_it_has_slots(self) -> None:
        """In their order."""
        made = router(slots=2)
        for request in range(1, 6):
            made.arrive(request, 0)

        assert made.seen_ready(V, 2, 10) == [sent(3, 2), sent(4, 2)]

    def test_r8_more_slots_take_who_waits(self) -> None:
        """A changed setting acts on the queue at once."""
        made = router()
        for request in (1, 2, 3):
            made.arrive(request, 0)

        assert made.configure(V, settings(slots=3), 10) == [sent(2, 1), sent(3, 1)]

    def test_r8_fewer_slots_let_what_runs_end(self) -> None:
        """Nothing is sent to the replica until it is under the new limit."""
        made = router(slots=3)
        for request in (1, 2, 3, 4):
            made.arrive(request, 0)
        made.configure(V, settings(slots=1), 1)

        assert made.complete(1, 2) == [passed(1)]
        assert made.complete(2, 3) == [passed(2)]
        assert made.complete(3, 4) == [passed(3), sent(4, 1)]

    def test_r8_at_its_deadline_a_waiting_request_is_503(self) -> None:
        """Not a microsecond before; the instant itself counts."""
        made = router()
        made.arrive(1, 0)
        made.arrive(2, 100)

        assert made.expire_queue(100 + MAX_WAIT - 1) == []
        assert made.expire_queue(made.next_deadline) == [refused(2, 503, Reason.QUEUE_DEADLINE)]
        assert made.next_deadline == NEVER

    def test_r8_a_slot_free_at_the_deadline_still_wins(self) -> None:
        """Dispatch wins: told of the completion first, the router has nobody left to refuse."""
        made = router()
        made.arrive(1, 0)
        made.arrive(2, 0)

        assert made.complete(1, MAX_WAIT) == [passed(1), sent(2, 1)]
        assert made.expire_queue(MAX_WAIT) == []

    def test_r8_a_lowered_waiting_time_acts_on_arrivals_only(self) -> None:
        """Who waits keeps its own limit, so a later arrival may be refused before it."""
        made = router()
        made.arrive(1, 0)
        made.arrive(2, 0)
        made.configure(V, settings(max_wait=1_000), 10)
        made.arrive(3, 10)

        assert made.next_deadline == 1_010
        assert made.expire_queue(1_010) == [refused(3, 503, Reason.QUEUE_DEADLINE)]
        assert made.next_deadline == MAX_WAIT
        assert made.complete(1, 2_000) == [passed(1), sent(2, 1)]

    def test_r8_a_client_that_leaves_the_queue_is_dropped(self) -> None:
        """499, in metrics only; whoever stands behind it moves up, and its deadline rings for nobody."""
        made = router()
        for request in (1, 2, 3):
            made.arrive(request, 0)

        assert made.abort(2, 5) == [refused(2, 499, Reason.CLIENT_ABORTED)]
        assert made.complete(1, 10) == [passed(1), sent(3, 1)]
        assert made.expire_queue(MAX_WAIT) == []

    def test_r8_a_dispatched_request_has_no_deadline_any_more(self) -> None:
        """A wake-up that was meant for it finds nothing to do."""
        made = router()
        made.arrive(1, 0)
        made.arrive(2, 0)
        made.complete(1, 5)

        assert made.expire_queue(MAX_WAIT) == []
        assert made.complete(2, MAX_WAIT + 1) == [passed(2)]


class TestForwarding:
    """R9 to R11: slots and the scoring time-out."""

    def test_r9_a_slot_is_held_until_the_reply_is_complete(self) -> None:
        """Deciding is reserving: it is taken in the call that dispatches."""
        made = router()
        made.arrive(1, 0)

        assert made.in_flight(V, 1) == 1
        assert made.requests_on(1) == [1]
        made.complete(1, 5)
        assert made.in_flight(V, 1) == 0
        assert made.usage(V, 9) == Usage(busy_area=5, queued_area=0, busy=0, queued=0, ready=1)

    def test_r10_the_router_fills_slots_and_leaves_workers_to_the_replica(self) -> None:
        """With two slots two requests are sent, however many workers there are."""
        made = router(slots=2)

        assert [made.arrive(1, 0), made.arrive(2, 0), made.arrive(3, 0)] == [[sent(1, 1)], [sent(2, 1)], []]

    def test_r11_the_scoring_timeout_counts_from_the_dispatch(self) -> None:
        """Not from the arrival; at the instant itself the client has its 504."""
        made = router()
        made.arrive(1, 0)
        made.arrive(2, 0)
        made.complete(1, 400_000)

        assert made.expire_timeouts(400_000 + TIMEOUT - 1) == []
        assert made.next_timeout == 400_000 + TIMEOUT
        assert made.expire_timeouts(400_000 + TIMEOUT) == [refused(2, 504, Reason.SCORING_TIMEOUT)]
        assert made.next_timeout == NEVER

    def test_r11_at_once_frees_the_slot_with_the_504(self) -> None:
        """Whoever waits is dispatched on top of the worker's unfinished work, whose end changes nothing."""
        made = router(slot_released_on_timeout="at_once")
        made.arrive(1, 0)
        made.arrive(2, TIMEOUT - 5)

        assert made.expire_timeouts(TIMEOUT) == [refused(1, 504, Reason.SCORING_TIMEOUT), sent(2, 1)]
        assert made.complete(1, TIMEOUT + 1) == []
        assert made.in_flight(V, 1) == 1

    def test_r11_when_done_keeps_the_slot_until_the_worker_ends(self) -> None:
        """The client has its 504 at the same instant; the next request has to wait."""
        made = router(slot_released_on_timeout="when_done")
        made.arrive(1, 0)
        made.arrive(2, TIMEOUT - 5)

        assert made.expire_timeouts(TIMEOUT) == [refused(1, 504, Reason.SCORING_TIMEOUT)]
        assert made.in_flight(V, 1) == 1
        assert made.requests_on(1) == [1]
        assert made.complete(1, TIMEOUT + 100) == [sent(2, 1)]

    @pytest.mark.parametrize("released", ["at_once", "when_done"])
    def test_r11_who_was_answered_504_gets_no_second_answer(self, released: Literal["at_once", "when_done"]) -> None:
        """Neither a late reply, nor a broken connection, nor the client's own end."""
        for late in ("complete", "broken", "abort"):
            made = router(slot_released_on_timeout=released)
            made.arrive(1, 0)
            made.expire_timeouts(TIMEOUT)

            assert getattr(made, late)(1, TIMEOUT + 1) == []
            assert made.expire_timeouts(3 * TIMEOUT) == []

    def test_r11_a_client_that_leaves_a_running_request_is_like_a_timeout(self) -> None:
        """499; the worker goes on and the slot follows the same rule."""
        for released, freed in (("at_once", [sent(2, 1)]), ("when_done", [])):
            made = router(slot_released_on_timeout=released)
            made.arrive(1, 0)
            made.arrive(2, 0)

            assert made.abort(1, 5) == [refused(1, 499, Reason.CLIENT_ABORTED), *freed]

    def test_r11_a_lowered_timeout_acts_on_later_dispatches_only(self) -> None:
        """What runs keeps its own limit; alarms still ring in the order of time."""
        made = router(ready=2)
        made.arrive(1, 0)
        made.configure(V, settings(timeout=1_000), 10)
        made.arrive(2, 10)

        assert made.next_timeout == 1_010
        assert made.expire_timeouts(1_010) == [refused(2, 504, Reason.SCORING_TIMEOUT)]
        assert made.next_timeout == TIMEOUT


class TestResults:
    """R12 to R14: what the client gets."""

    @pytest.mark.parametrize("status", [200, 201, 302, 400, 404, 415])
    def test_r12_what_the_container_says_below_500_is_passed_on(self, status: int) -> None:
        """With its own status and no reason of ours."""
        made = router()
        made.arrive(1, 0)

        assert made.complete(1, 5, status) == [passed(1, status)]

    @pytest.mark.parametrize("seen", [502, 500])
    def test_r12_a_failed_run_is_what_the_assumption_says(self, seen: int) -> None:
        """`run_failure_status`: 502 as documented, or 500 as the current server answers."""
        made = router(run_failure_status=seen)
        made.arrive(1, 0)

        assert made.complete(1, 5, 500, run_failed=True) == [passed(1, seen, Reason.RUN_FAILED)]

    def test_r12_another_5xx_is_passed_on(self) -> None:
        """Without `x-ms-run-function-failed: True` the container's own status stands."""
        made = router()
        made.arrive(1, 0)

        assert made.complete(1, 5, 503) == [passed(1, 503, Reason.RUN_FAILED)]

    def test_r13_a_broken_connection_is_502_and_never_tried_again(self) -> None:
        """Although another replica is idle; the slot goes to the next request."""
        made = router(ready=2)
        made.arrive(1, 0)

        assert made.broken(1, 5) == [passed(1, 502, Reason.REPLICA_LOST)]
        assert made.in_flight(V, 1) == 0

    @pytest.mark.parametrize(
        ("reason", "text"),
        [
            (Reason.QUEUE_DEADLINE, "Too many requests for service fraud (overloaded)"),
            (Reason.QUEUE_FULL, "Too many requests for service fraud (overloaded)"),
            (Reason.NO_READY_REPLICA, "No ready replicas for service fraud."),
            (Reason.NOT_FOUND, "Service fraud not found"),
            (Reason.SCORING_TIMEOUT, "Request timed out"),
            (Reason.REPLICA_LOST, "Replica closed connection before replying"),
        ],
    )
    def test_r14_texts_are_those_that_were_recorded(self, reason: Reason, text: str) -> None:
        """As users have reported them."""
        assert refusal_text(reason, "fraud") == text

    def test_r14_headers_of_our_own_answers(self) -> None:
        """MLN#450: these five in this order, content-length 41 for a lost replica, no content type."""
        length = len(refusal_text(Reason.REPLICA_LOST, "fraud"))

        assert list(router_headers("Thu, 01 Jan 2026 00:00:00 GMT", length, "guid")) == [
            ("server", "Cowboy"),
            ("date", "Thu, 01 Jan 2026 00:00:00 GMT"),
            ("content-length", "41"),
            ("cache-control", "max-age=0, private, must-revalidate"),
            ("x-ms-request-id", "guid"),
        ]

    def test_r14_a_reply_keeps_its_headers_and_gets_an_id_if_it_has_none(self) -> None:
        """Whatever the case of its letters."""
        own = (
            ("Content-Type", "application/json"),
            ("X-Ms-Request-Id", "theirs"),
            ("Set-Cookie", "a"),
            ("Set-Cookie", "b"),
        )

        assert passed_headers(own, lambda: "ours") == own
        assert passed_headers((("a", "b"),), lambda: "ours") == (("a", "b"), ("x-ms-request-id", "ours"))


class TestReplicas:
    """What the router learns of replicas, early, late and out of order."""

    def test_a_withdrawn_replica_gets_nothing_new_and_finishes_what_it_has(self) -> None:
        """Seen at once, unlike all other news (R6)."""
        made = router()
        made.arrive(1, 0)
        made.withdraw(V, 1, 5)

        assert made.arrive(2, 5) == [refused(2, 503, Reason.NO_READY_REPLICA)]
        assert made.complete(1, 10) == [passed(1)]
        assert repr(made) == "<Router fraud [blue: 0 waiting, 0 running, 0 ready]>"

    def test_late_news_of_a_withdrawn_replica_changes_nothing(self) -> None:
        """It was on its way when we decided; `ready` does not bring the replica back."""
        made = router(ready=2)
        made.withdraw(V, 1, 5)

        assert made.seen_ready(V, 1, 6) == []
        assert made.seen_unready(V, 1, 7) == []
        assert made.arrive(1, 8) == [sent(1, 2)]
        assert made.usage(V, 8).ready == 1

    def test_a_replica_withdrawn_before_it_was_ever_seen_stays_unseen(self) -> None:
        """Its late `ready` finds it withdrawn."""
        made = router(ready=0, when_no_replica_ready="queue")
        made.arrive(1, 0)
        made.withdraw(V, 9, 1)

        assert made.seen_ready(V, 9, 2) == []

    def test_the_same_news_twice_counts_once(self) -> None:
        """A replica that is ready twice is one replica with its slots once."""
        made = router()
        made.seen_ready(V, 1, 5)

        assert made.usage(V, 5).ready == 1
        assert [made.arrive(1, 5), made.arrive(2, 5)] == [[sent(1, 1)], []]

    def test_unready_is_not_the_end(self) -> None:
        """What it runs may finish; ready again, it takes requests again, its slots counted on."""
        made = router(slots=2)
        made.arrive(1, 0)
        made.seen_unready(V, 1, 1)
        made.seen_ready(V, 1, 2)

        assert [made.arrive(2, 3), made.arrive(3, 3)] == [[sent(2, 1)], []]

    def test_forgetting_gives_back_the_slots_of_what_was_answered_before(self) -> None:
        """`when_done`, and nobody is left to say so: usage goes back to nothing."""
        made = router(slot_released_on_timeout="when_done")
        made.arrive(1, 0)
        made.expire_timeouts(TIMEOUT)
        assert made.usage(V, TIMEOUT).busy == 1

        assert made.forget(V, 1, TIMEOUT + 5) == []
        assert made.usage(V, TIMEOUT + 5) == Usage(TIMEOUT + 5, 0, busy=0, queued=0, ready=0)

    @pytest.mark.parametrize("released", ["at_once", "when_done"])
    def test_what_hangs_on_a_forgotten_replica_ends_at_its_timeout(
        self, released: Literal["at_once", "when_done"]
    ) -> None:
        """A lost node never reports back: the client has its 504 and the slot is counted no more."""
        made = router(slot_released_on_timeout=released)
        made.arrive(1, 0)
        made.forget(V, 1, 5)

        assert made.expire_timeouts(TIMEOUT) == [refused(1, 504, Reason.SCORING_TIMEOUT)]
        assert made.usage(V, TIMEOUT).busy == 0

    def test_work_lost_with_a_node_that_came_back_frees_its_slot_at_the_timeout(self) -> None:
        """`when_done`: no worker is left to be done, so the time-out is the end of it, before or after the return."""
        made = router(slots=2, slot_released_on_timeout="when_done")
        made.arrive(1, 0)
        made.arrive(2, 10)
        made.expire_timeouts(TIMEOUT)
        made.work_lost(V, 1, TIMEOUT + 5)
        assert made.in_flight(V, 1) == 1

        assert made.expire_timeouts(TIMEOUT + 10) == [refused(2, 504, Reason.SCORING_TIMEOUT)]
        assert made.in_flight(V, 1) == 0

    def test_what_takes_a_slot_freed_by_lost_work_is_not_lost_itself(self) -> None:
        """`when_done`: the request that was waiting is worked on, so its slot is held past its own time-out."""
        made = router(slot_released_on_timeout="when_done")
        made.arrive(1, 0)
        made.expire_timeouts(TIMEOUT)
        made.arrive(2, TIMEOUT)

        assert made.work_lost(V, 1, TIMEOUT + 5) == [sent(2, 1)]
        made.expire_timeouts(2 * TIMEOUT + 5)
        assert made.in_flight(V, 1) == 1

    def test_late_news_of_a_forgotten_replica_changes_nothing(self) -> None:
        """Its number never comes back, whatever was still on its way."""
        made = router()
        made.forget(V, 1, 5)

        assert made.seen_ready(V, 1, 6) == []
        assert made.arrive(1, 7) == [refused(1, 503, Reason.NO_READY_REPLICA)]

    def test_forgetting_what_is_not_known_is_nothing(self) -> None:
        """Twice, or never seen, or of a version that is gone."""
        made = router()
        made.forget(V, 1, 1)

        assert made.forget(V, 1, 2) == []
        assert made.forget(V, 77, 2) == []
        assert made.forget("pink", 1, 2) == []
        assert made.seen_ready("pink", 1, 2) == []


class TestVersions:
    """Versions that go, and reading."""

    def test_who_waits_for_a_version_that_goes_is_refused(self) -> None:
        """What runs may end, its client gets the reply."""
        made = router()
        for request in (1, 2, 3):
            made.arrive(request, 0)

        assert made.remove_version(V, 5) == [
            refused(2, 503, Reason.NO_READY_REPLICA),
            refused(3, 503, Reason.NO_READY_REPLICA),
        ]
        assert made.complete(1, 10) == [passed(1)]
        assert made.arrive(4, 10) == [refused(4, 404, Reason.NOT_FOUND, None)]
        assert made.expire_queue(MAX_WAIT) == []

    def test_what_runs_for_a_version_that_went_keeps_its_timeout(self) -> None:
        """R11 holds for every dispatched request: nobody hangs for ever."""
        made = router()
        made.arrive(1, 0)
        made.remove_version(V, 5)

        assert made.next_timeout == TIMEOUT
        assert made.expire_timeouts(TIMEOUT) == [refused(1, 504, Reason.SCORING_TIMEOUT)]
        assert made.next_timeout == NEVER

    def test_reading_changes_nothing(self) -> None:
        """Usage of a later instant, read twice, is the same, and what happened before it still counts right."""
        made = router()
        made.arrive(1, 0)
        made.arrive(2, 100)
        first = made.usage(V, 1_000)

        assert made.usage(V, 1_000) == first == Usage(1_000, 900, busy=1, queued=1, ready=1)
        made.complete(1, 400)
        assert made.usage(V, 1_000) == Usage(1_000, 300, busy=1, queued=0, ready=1)
        assert made.usage("pink", 1_000) == Usage(0, 0, 0, 0, 0)

    def test_time_never_goes_back(self) -> None:
        """A driver that says so has a bug, and hears of it."""
        made = router()
        made.arrive(1, 10)

        with pytest.raises(AssertionError, match="time went back by 1 µs"):
            made.complete(1, 9)


class TestUnorderedNews:
    """On a cluster news of versions and of pods comes by separate ways, in any order."""

    def test_a_replica_that_was_ready_before_its_version_gets_requests_when_the_version_is_there(self) -> None:
        """Nobody says it a second time."""
        made = Router("fraud", RouterRules())
        made.set_split(Split(V))
        assert made.seen_ready(V, 7, 0) == []

        made.configure(V, settings(), 10)

        assert made.arrive(0, 20) == [sent(0, 7)]

    @pytest.mark.parametrize("leave", ["seen_unready", "withdraw", "forget"])
    def test_a_replica_that_left_before_its_version_was_there_gets_none(self, leave: str) -> None:
        """The latest news counts."""
        made = Router("fraud", RouterRules())
        made.set_split(Split(V))
        made.seen_ready(V, 7, 0)
        getattr(made, leave)(V, 7, 5)

        made.configure(V, settings(), 10)

        assert made.arrive(0, 20) == [refused(0, 503, Reason.NO_READY_REPLICA)]

    def test_late_news_of_a_replica_that_is_gone_brings_it_back_nowhere(self) -> None:
        """Not even when its version has been removed, and another one has its name."""
        made = router(ready=1)
        made.remove_version(V, 5)
        made.forget(V, 1, 6)
        made.seen_ready(V, 1, 7)

        made.configure(V, settings(), 8)

        assert made.arrive(0, 9) == [refused(0, 503, Reason.NO_READY_REPLICA)]

    def test_what_is_remembered_of_replicas_that_are_gone_is_bounded(self) -> None:
        """A service may live for years, and its pods come and go."""
        made = router(ready=0)
        for replica in range(KEPT_FORGOTTEN * 3):
            made.seen_ready(V, replica, replica)
            made.forget(V, replica, replica)

        values = (getattr(made, name) for name in dir(made))  # compiled, it has no __dict__
        held = [value for value in values if isinstance(value, dict | set | list)]
        assert max(map(len, held)) == KEPT_FORGOTTEN
        made.seen_ready(V, KEPT_FORGOTTEN * 3 - 1, KEPT_FORGOTTEN * 3)
        assert made.usage(V, KEPT_FORGOTTEN * 3).ready == 0
