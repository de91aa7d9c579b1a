"""What can be seen: observations, logs, the clock."""

from akstwin.clock import MILLISECOND, SECOND, Micros
from akstwin.testing.promise import equal, holds, promise
from akstwin.testing.trial import EARLY, LATE, NAP, Trial
from akstwin.testing.words import seconds

_APART = 100 * MILLISECOND


@promise("design §6; semantics §6.1")
def counts_are_what_was_sent(trial: Trial) -> None:
    """An observation counts each answer once: by status and reason, and what reached no version apart."""
    service = trial.deploy(trial.script(nap=NAP))
    started = trial.now
    trial.load(service, [number * _APART for number in range(12)])
    trial.load(service, [number * _APART for number in range(3)], do="raise")
    for _ in range(2):
        trial.ask(service, {"Authorization": "Bearer wrong"})
    trial.sleep(LATE)
    window = trial.now - started
    observed = trial.observe(window)
    (version,) = observed.versions.values()
    call = "observe(…), after 12 requests, 3 that raise, 2 with a wrong key"
    failed = trial.limit("run_failure_status")
    equal(f"{call}: answers", dict(version.answers), {200: 12, failed: 3})
    equal(f"{call}: reasons", dict(version.reasons), {"run_failed": 3})
    equal(f"{call}: refused", dict(observed.refused), {"unauthorized": 2})
    rate = 15 * SECOND / window
    holds(abs(version.rate - rate) <= 0.1 * rate, f"{call}: rate", version.rate, f"{rate:.3g} a second")
    equal(f"{call}: window", abs(observed.window - window) <= LATE, True)


@promise("design §6")
def latencies_are_what_was_felt(trial: Trial) -> None:
    """Latencies in an observation are those of the answers 200: a script's 50 ms, and what waiting adds."""
    service = trial.deploy(trial.script(nap=NAP), max_request_wait_time=5000)
    started = trial.now
    answers = trial.load(service, [0] * 4)
    trial.sleep(EARLY)
    (version,) = trial.observe(trial.now - started).versions.values()
    felt = sorted(answer.latency / MILLISECOND for answer in answers)
    call = "observe(…).versions[…].latency_ms, after 4 requests of 50 ms at once"
    seen = version.latency_ms
    holds({"mean", "p50", "p90", "p95", "p99", "max"} <= set(seen), call, dict(seen), "mean, p50, p90, p95, p99, max")
    holds(felt[0] >= (NAP - EARLY) / MILLISECOND, "score_all(…): shortest latency, ms", felt[0], "50")
    for name, promised in (("max", felt[-1]), ("mean", sum(felt) / 4)):
        holds(abs(seen[name] - promised) <= 0.25 * promised, f"{call}: {name}", seen[name], f"{promised:.6g}, as felt")
    ordered = seen["p50"] <= seen["p90"] <= seen["p95"] <= seen["p99"] <= seen["max"]
    holds(ordered, call, dict(seen), "quantiles that do not fall")


@promise("design §6")
def window_ends_the_count(trial: Trial) -> None:
    """An observation's window holds what was answered within it, and nothing from before."""
    service = trial.deploy()
    trial.load(service, [number * _APART for number in range(5)])
    trial.sleep(10 * SECOND)
    trial.load(service, [number * _APART for number in range(3)])
    trial.sleep(SECOND)
    for window, promised in ((8 * SECOND, 3), (60 * SECOND, 8)):
        seen = trial.version(window).requests
        equal(f"observe(…, {seconds(Micros(window))}): requests of 3 just now and 5 before", seen, promised)
    trial.sleep(10 * SECOND)
    equal("observe(…, 5 s), nothing sent: requests", trial.version(5 * SECOND).requests, 0)


@promise("design §6; semantics §6.3")
def replicas_are_counted(trial: Trial) -> None:
    """An observation has the pods by state, how many are asked for, an empty queue and a utilisation between 0 and 1."""
    service = trial.deploy(trial.script(nap=NAP), num_replicas=2)
    trial.load(service, [number * _APART for number in range(10)])
    version = trial.version(SECOND)
    equal("observe(…): replicas, desired", (dict(version.replicas), version.desired), ({"Ready": 2}, 2))
    equal("observe(…): queue_length, traffic_share", (version.queue_length, version.traffic_share), (0, 100.0))
    status = trial.found().deployment_status or {}
    seen = tuple(status.get(key) for key in ("desiredReplicas", "updatedReplicas", "availableReplicas"))
    equal("deployment_status", seen, (2, 2, 2))
    used = version.utilisation
    call = "observe(…): utilisation, 10 requests of 50 ms in a second, 2 replicas"
    holds(used is None or 0.1 <= used <= 0.6, call, used, "about 0.25")


@promise("semantics §2.4, 6; wire §7, 12")
def logs_show_what_is_printed(trial: Trial) -> None:
    """What init() and run() print stands in the logs, in that order; fewer lines are the last ones."""
    service = trial.deploy()
    for word in ("one", "two"):
        trial.ask(service, say=word)
    logs = service.get_logs()
    lines = ["init of first", "run says one", "run says two"]
    places = [logs.find(line) for line in lines]
    holds(-1 not in places and places == sorted(places), "get_logs()", logs[-400:], f"{lines}, in this order")
    tail = service.get_logs(num_lines=2)
    good = len(tail.splitlines()) == 2 and logs.rstrip().endswith(tail.rstrip())
    holds(good, "get_logs(num_lines=2)", tail, "the last two lines")


@promise("design §3, §6")
def clock_goes_on(trial: Trial) -> None:
    """The clock reaches what is waited for, never goes back, and gives services their times."""
    clock = trial.backend.clock
    before = clock.now()
    clock.sleep_until(Micros(before - SECOND))
    past = Micros(clock.now() - before)
    holds(past < SECOND, "clock.sleep_until(…), an instant that has passed", seconds(past), "at once")
    clock.sleep_until(Micros(before + 3 * SECOND))
    later = Micros(clock.now() - before)
    good = 3 * SECOND <= later <= 3 * SECOND + LATE
    holds(good, "clock.sleep_until(…), 3 s ahead", seconds(later), "3 s")
    service = trial.begin()
    unix = trial.backend.epoch + trial.now / SECOND
    created = service.created_time.timestamp() if service.created_time else 0.0
    holds(abs(created - unix) <= 5, "created_time, behind the clock", f"{unix - created:.3f} s", "0")


@promise("design §6")
def requests_keep_their_times(trial: Trial) -> None:
    """Requests that are sent together are sent at their times and answered in their order; the clock has gone on then."""
    service = trial.deploy(trial.script(nap=NAP))
    started = trial.now
    offsets = [0, 1 * SECOND, 2 * SECOND]
    requests = [(Micros(at), trial.request(service, number=number)) for number, at in enumerate(offsets)]
    answers = trial.backend.score_all(service.name, requests)
    numbers = [_number(answer.body) for answer in answers]
    equal("score_all(…), three requests: whose answers", numbers, [0, 1, 2])
    took = Micros(trial.now - started)
    good = 2 * SECOND + NAP - EARLY <= took <= 2 * SECOND + NAP + LATE
    holds(good, "score_all(…), the last request 2 s after now: took", seconds(took), "2.05 s")
    one = trial.ask(service)
    holds(NAP - EARLY <= one.latency <= NAP + LATE, "score(…), of 50 ms: latency", seconds(one.latency), "0.05 s")


def _number(body: bytes) -> int:
    return int(body.partition(b'"number": ')[2].partition(b"}")[0] or -1)
