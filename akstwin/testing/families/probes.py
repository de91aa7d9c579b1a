"""Liveness probes."""

from akstwin.clock import MINUTE, SECOND
from akstwin.testing.answers import says, shown
from akstwin.testing.promise import equal, holds, promise
from akstwin.testing.trial import Trial
from akstwin.testing.words import seconds

_DELAY = 30
"""Seconds before the first probe: by then every script has started."""
_HANGS = 6


@promise("semantics §6.4; §6.1, R13")
def hung_script_is_restarted(trial: Trial) -> None:
    """A container that answers no probe is killed: its request ends in 502 or 504, and the service answers again."""
    service = trial.deploy(
        initial_delay_seconds=_DELAY, period_seconds=2, timeout_seconds=1, failure_threshold=2, num_replicas=1
    )
    trial.sleep(_DELAY * SECOND)
    patience = 5 * SECOND + 2 * trial.span("termination_grace") + trial.span("router_lag") + 30 * SECOND
    hang, after = trial.request(service, do="hang"), trial.request(service)
    answers = trial.backend.score_all(service.name, [(SECOND, hang), (type(SECOND)(patience), after)])
    says("score(…), after a request that hangs, with probes every 2 s", answers[1], "first")
    holds(answers[0].status in (502, 504), "score(…), of a request that hangs", shown(answers[0]), "502 or 504")
    starts = service.get_logs().count("init of first")
    holds(starts >= 2, "get_logs(): how often init() ran", starts, "again after the container was killed")


@promise("semantics §6.4")
def live_script_is_spared(trial: Trial) -> None:
    """A container that answers its probes is left alone: init() runs once, and all requests are answered."""
    service = trial.deploy(
        initial_delay_seconds=_DELAY, period_seconds=2, timeout_seconds=1, failure_threshold=2, num_replicas=1
    )
    trial.sleep(_DELAY * SECOND)
    for answer in trial.load(service, [number * SECOND for number in range(20)]):
        says("score(…), with probes every 2 s", answer, "first")
    equal("get_logs(): how often init() ran", service.get_logs().count("init of first"), 1)


@promise("semantics §2.3; §6.3, §6.6")
def unavailable_is_unhealthy(trial: Trial) -> None:
    """A service without a ready replica for `unhealthy_after` is Unhealthy, and Healthy again when there is one."""
    service = trial.deploy(
        initial_delay_seconds=_DELAY, period_seconds=1, timeout_seconds=1, failure_threshold=1, num_replicas=1
    )
    least, seen = trial.span("unhealthy_after"), [service.state]
    patience = trial.span("restart_backoff_cap") + 2 * trial.span("termination_grace") + MINUTE

    def state() -> str | None:
        seen.append(trial.found().state)
        return seen[-1] if trial.ask(service).status == 200 else "no answer"

    for _ in range(_HANGS):  # a container that is killed again is started again later and later
        if "Unhealthy" in seen:
            break
        trial.sleep(_DELAY * SECOND)
        trial.ask(service, do="hang")
        trial.until("state, after a request that hangs", state, "Healthy, and an answer", _is_healthy, patience)
    call = (
        f"state, while a container that hangs is restarted up to {_HANGS} times, and away for {seconds(least)} at last"
    )
    equal(call, set(seen), {"Healthy", "Unhealthy"})


def _is_healthy(state: str | None) -> bool:
    return state == "Healthy"
