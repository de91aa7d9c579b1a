"""The router's queue, and the 503 that comes of it."""

from itertools import pairwise
from statistics import median

from akstwin.backend import ScoreResponse
from akstwin.clock import MILLISECOND, Micros
from akstwin.testing.answers import outcome, shown
from akstwin.testing.promise import equal, holds, promise
from akstwin.testing.trial import EARLY, LATE, NAME, NAP, Trial
from akstwin.testing.words import seconds

_APART = 2 * MILLISECOND
"""Between requests that come as good as together; their order is known."""
_OVERLOADED = f"Too many requests for service {NAME} (overloaded)"


@promise("semantics §1.3; §6.1, R7 and R8")
def queue_waits_then_503(trial: Trial) -> None:
    """A request that finds all replicas busy waits up to `max_request_wait_time`, and gets 503 then: no sooner, not late."""
    service = trial.deploy(trial.script(nap=NAP), max_request_wait_time=500)
    answers = trial.load(service, [number * _APART for number in range(24)])
    call = "score_all(…), 24 requests of 50 ms at once, one replica, max_request_wait_time=500"
    good = [answer for answer in answers if answer.status == 200]
    holds(5 <= len(good) <= 11, call, f"{len(good)} answers 200", "5 to 11: as many as begin within the wait")
    for answer in answers:
        if answer.status == 200:
            _within(call, answer, NAP, 500 * MILLISECOND + NAP)
            continue
        equal(call, outcome(answer), (503, _OVERLOADED, "queue_deadline"))
        _within(call, answer, 500 * MILLISECOND, 500 * MILLISECOND)


@promise("semantics §6.1, R8")
def queue_is_in_order(trial: Trial) -> None:
    """Who came first is answered first, one after the other where there is one replica."""
    service = trial.deploy(trial.script(nap=NAP), max_request_wait_time=5000)
    offsets = [number * _APART for number in range(10)]
    answers = trial.load(service, offsets)
    call = "score_all(…), 10 requests of 50 ms at once, one replica"
    holds(all(answer.status == 200 for answer in answers), call, [shown(answer) for answer in answers[:3]], "200")
    ended = [offset + answer.latency for offset, answer in zip(offsets, answers, strict=True)]
    gaps = [later - earlier for earlier, later in pairwise(ended)]
    told = [seconds(Micros(gap)) for gap in gaps]
    holds(min(gaps) >= NAP // 2, f"{call}: spans between the answers", told, "about 50 ms each, none the other way")


@promise("semantics §1.3; §6.1, R7 and R9")
def replicas_share_the_work(trial: Trial) -> None:
    """Two replicas answer two requests side by side; one replica, one after the other."""
    service = trial.deploy(trial.script(nap=NAP), num_replicas=1, max_request_wait_time=5000)
    call = "score_all(…), 2 requests of 50 ms at once"
    last = max(answer.latency for answer in trial.load(service, [0, 0]))
    holds(last >= 2 * NAP - EARLY, f"{call}, one replica: the later answer", seconds(last), "after 0.1 s or more")
    service.update(num_replicas=2)
    trial.wait(service)
    lasts = [max(answer.latency for answer in trial.load(service, [0, 0])) for _ in range(5)]
    quickest = min(lasts)
    holds(quickest < 2 * NAP, f"{call}, two replicas: the later answer", seconds(quickest), "before 0.1 s")


@promise("semantics §6.1, R8; §6.6")
def queue_follows_its_setting(trial: Trial) -> None:
    """A shorter wait holds for requests when wait_for_deployment() returns."""
    service = trial.deploy(trial.script(nap=NAP), max_request_wait_time=5000)
    service.update(max_request_wait_time=100)
    trial.wait(service)
    answers = trial.load(service, [number * _APART for number in range(10)])
    waits = [answer.latency for answer in answers if answer.status == 503]
    call = "update(max_request_wait_time=100), score_all(…), 10 requests of 50 ms at once, one replica"
    holds(len(waits) >= 3, call, [answer.status for answer in answers], "503 for most")
    typical = Micros(round(median(waits)))
    good = 100 * MILLISECOND - EARLY <= typical <= 400 * MILLISECOND
    holds(good, f"{call}: 503 after", seconds(typical), "about 0.1 s")


@promise("semantics §1.3; §6.1, R6")
def no_ready_replica_is_503(trial: Trial) -> None:
    """Where no replica is ready the answer is 503, and says so; or comes after the wait, if `when_no_replica_ready` is queue."""
    service = trial.begin(trial.failing_script(), max_request_wait_time=500)
    trial.fails(service)
    answer = trial.ask(service)
    call = "score(…), after a deployment whose init() raises"
    if trial.limit("when_no_replica_ready") == "queue":
        equal(call, outcome(answer), (503, _OVERLOADED, "queue_deadline"))
        _within(call, answer, 500 * MILLISECOND, 500 * MILLISECOND)
        return
    promised = (503, f"No ready replicas for service {NAME}.", "no_ready_replica")
    equal(call, outcome(answer), promised)
    _within(call, answer, 0, 0)


@promise("semantics §1.3; §6.1, R11")
def scoring_timeout_is_504(trial: Trial) -> None:
    """An answer that takes longer than `scoring_timeout_ms` is 504 at that time."""
    service = trial.deploy(trial.script(nap=NAP), scoring_timeout_ms=20)
    answer = trial.ask(service)
    call = "score(…), a request of 50 ms, scoring_timeout_ms=20"
    equal(call, outcome(answer), (504, "Request timed out", "scoring_timeout"))
    _within(call, answer, 20 * MILLISECOND, 20 * MILLISECOND)
    service.update(scoring_timeout_ms=60_000)
    trial.wait(service)
    equal("score(…), after update(scoring_timeout_ms=60000)", trial.ask(service).status, 200)


@promise("semantics §6.1, R2, R6 and R14")
def refusals_have_the_routers_headers(trial: Trial) -> None:
    """What the router answers itself has its five headers, the length of the body and an id of its own."""
    service = trial.deploy()
    refused = [trial.ask(service, {"Authorization": "Bearer wrong"}) for _ in range(2)]
    for answer in refused:
        names = {name.lower() for name, _ in answer.headers}
        promised = {"server", "date", "content-length", "cache-control", "x-ms-request-id"}
        holds(promised <= names, "score(…), wrong key: headers", sorted(names), sorted(promised))
        equal("content-length", answer.header("content-length"), str(len(answer.body)))
    ids = {answer.header("x-ms-request-id") for answer in refused}
    equal("different x-ms-request-id of 2 answers", len(ids), 2)
    good = trial.ask(service)
    holds(bool(good.header("x-ms-request-id")), "score(…): x-ms-request-id", good.headers, "an id")


def _within(call: str, answer: ScoreResponse, least: int, most: int) -> None:
    good = least - EARLY <= answer.latency <= most + LATE
    span = seconds(Micros(least)) if least == most else f"{seconds(Micros(least))} to {seconds(Micros(most))}"
    holds(
        good,
        f"{call}: latency of an answer {answer.status}",
        seconds(answer.latency),
        f"{span}, and at most {seconds(LATE)} later",
    )
