"""How the number of replicas follows the load."""

from akstwin import AksWebservice
from akstwin.clock import MINUTE, SECOND, Micros
from akstwin.testing.promise import equal, holds, promise
from akstwin.testing.trial import LATE, NAP, Trial
from akstwin.testing.words import seconds

_BURST = 30
"""Requests of 50 ms at once: more than a second's work for one replica."""


@promise("semantics §1.4, §6.2")
def load_adds_replicas(trial: Trial) -> None:
    """Load above the target raises the number of replicas within seconds, to the maximum if it is high, never over it."""
    service = _scaled(trial, 1, 3)
    equal("desired, without load", trial.version().desired, 1)
    _burst(trial, service)
    seen = _watch(trial, 5 * SECOND)
    call = f"score_all(…), {_BURST} requests of 50 ms at once, autoscale_max_replicas=3: desired"
    equal(call, max(seen), 3)


@promise("semantics §1.4, §6.2")
def idle_replicas_go_late(trial: Trial) -> None:
    """Replicas that are not needed any more stay for `autoscale_down_window`, and go then, down to the minimum."""
    service = _scaled(trial, 1, 3)
    _burst(trial, service)
    trial.until("desired, after load", lambda: trial.version().desired, "3", lambda seen: seen == 3, 5 * SECOND)
    ended = trial.now
    window = trial.span("autoscale_down_window")
    early = _watch(trial, window // 2)
    equal("desired, for half of autoscale_down_window after the load", min(early), 3)
    trial.until("desired, after load", lambda: trial.version().desired, "1", lambda seen: seen == 1, window + MINUTE)
    took = Micros(trial.now - ended)
    least = window - 5 * SECOND
    holds(took >= least, "desired is back at 1", f"after {seconds(took)}", f"after about {seconds(window)}")


@promise("semantics §1.4, §6.2")
def minimum_is_kept(trial: Trial) -> None:
    """Without load the number of replicas stays at the minimum."""
    _scaled(trial, 2, 3)
    seen = _watch(trial, trial.span("autoscale_down_window") + 10 * SECOND)
    equal("desired, without load, autoscale_min_replicas=2", (min(seen), max(seen)), (2, 2))


@promise("semantics §1.4, §6.2")
def fixed_replicas_stay(trial: Trial) -> None:
    """A number of replicas that is given stays, whatever the load."""
    service = trial.deploy(trial.script(nap=NAP), num_replicas=2, max_request_wait_time=10_000)
    _burst(trial, service)
    seen = _watch(trial, trial.span("autoscale_down_window") + 10 * SECOND)
    equal("desired, after load, num_replicas=2", (min(seen), max(seen)), (2, 2))


@promise("semantics §6.2, §6.6; wire §7.5")
def autoscaler_can_be_switched(trial: Trial) -> None:
    """A fixed number in place of the autoscaler, or new limits for it, hold without a lock."""
    service = _scaled(trial, 1, 3)
    service.update(autoscale_enabled=False, num_replicas=2)
    _becomes(trial, "update(autoscale_enabled=False, num_replicas=2)", 2)
    equal("autoscaler.autoscale_enabled", service.autoscaler.autoscale_enabled, False)
    service.update(autoscale_enabled=True, autoscale_min_replicas=3, autoscale_max_replicas=4)
    _becomes(trial, "update(autoscale_enabled=True, autoscale_min_replicas=3, autoscale_max_replicas=4)", 3)
    equal("state", service.state, "Healthy")


def _scaled(trial: Trial, least: int, most: int) -> AksWebservice:
    return trial.deploy(
        trial.script(nap=NAP), autoscale_enabled=True, autoscale_min_replicas=least, autoscale_max_replicas=most,
        autoscale_refresh_seconds=1, max_request_wait_time=10_000,
    )  # fmt: skip


def _burst(trial: Trial, service: AksWebservice) -> None:
    answers = trial.load(service, [0] * _BURST)
    statuses = {answer.status for answer in answers}
    equal("score_all(…), statuses with max_request_wait_time=10000", statuses, {200})


def _watch(trial: Trial, span: int) -> list[int]:
    """How many replicas are asked for, every second; never more running than the most that were."""
    seen, end = [], trial.now + span
    while True:
        version = trial.version()
        seen.append(version.desired)
        there = sum(count for state, count in version.replicas.items() if state != "Terminating")
        holds(there <= max(seen), "observe(…).versions[…].replicas", dict(version.replicas), f"at most {max(seen)}")
        if trial.now >= end:
            return seen
        trial.sleep(SECOND)


def _becomes(trial: Trial, call: str, wanted: int) -> None:
    within = trial.span("router_lag") + 5 * LATE
    trial.until(
        f"{call}: desired", lambda: trial.version().desired, str(wanted), lambda seen: seen == wanted, within
    )  # fmt: skip
