"""The traffic of an endpoint's versions."""

from math import sqrt

from akstwin import AksEndpoint
from akstwin.clock import MILLISECOND
from akstwin.testing.answers import body, says, shown
from akstwin.testing.promise import equal, holds, promise
from akstwin.testing.trial import Trial

_REQUESTS = 300
_APART = 60 * MILLISECOND
"""Longer than an answer takes: nobody waits, whichever way they go."""
_SIGMAS = 4


@promise("semantics §1.5, the three worked examples")
def worked_examples_hold(trial: Trial) -> None:
    """20 % alone is 100; 20 (default) and 10 are 90 and 10; when the second becomes default at 40, they are 20 and 80."""
    endpoint = trial.deploy_endpoint("blue", traffic_percentile=20)
    _shares(trial, "blue 20, the default", {"blue": 100.0})
    trial.add_version(endpoint, "green", traffic_percentile=10)
    _shares(trial, "blue 20, the default, green 10", {"blue": 90.0, "green": 10.0})
    endpoint.update_version("green", traffic_percentile=40, is_default=True)
    trial.wait(endpoint)
    _shares(trial, "blue 20, green 40, the default", {"blue": 20.0, "green": 80.0})
    given = {name: version.traffic_percentile for name, version in endpoint.versions.items()}
    equal("traffic_percentile of the versions", given, {"blue": 20, "green": 40})


@promise("semantics §1.5, R5")
def requests_follow_the_shares(trial: Trial) -> None:
    """Of a few hundred requests each version gets its effective share, within four standard deviations."""
    endpoint = trial.deploy_endpoint("blue", traffic_percentile=5)
    trial.add_version(endpoint, "green", traffic_percentile=30)
    answers = trial.load(endpoint, [number * _APART for number in range(_REQUESTS)])
    for answer in answers:
        says("score_all(…)", answer, answer.version or "")
    green = sum(answer.version == "green" for answer in answers)
    spread = _SIGMAS * sqrt(_REQUESTS * 0.3 * 0.7)
    call = f"score_all(…), {_REQUESTS} requests, blue (default) and green 30"
    holds(abs(green - 0.3 * _REQUESTS) <= spread, call, f"{green} to green", f"90, give or take {spread:.0f}")


@promise("semantics §1.5, R5; §6.6")
def shares_change_at_once(trial: Trial) -> None:
    """Another share needs no lock, and holds for requests when wait_for_deployment() returns."""
    endpoint = trial.deploy_endpoint("blue")
    trial.add_version(endpoint, "green")
    for share, word in ((100, "green"), (0, "blue")):
        endpoint.update_version("green", traffic_percentile=share)
        equal(f"state, after update_version('green', traffic_percentile={share})", endpoint.state, "Healthy")
        trial.wait(endpoint)
        for answer in trial.load(endpoint, [number * _APART for number in range(20)]):
            says(f"score_all(…), green {share}", answer, word)


@promise("semantics §1.5; wire §7.6")
def roles_are_unique(trial: Trial) -> None:
    """One version is the default and one is the control: whichever takes the role, the other loses it."""
    endpoint = trial.deploy_endpoint("blue")
    trial.add_version(endpoint, "green", traffic_percentile=10)
    equal("roles", _roles(endpoint), {"blue": (True, "Control"), "green": (False, "Treatment")})
    endpoint.update_version("green", is_default=True)
    equal("roles, green is_default", _roles(endpoint), {"blue": (False, "Control"), "green": (True, "Treatment")})
    endpoint.update_version("green", is_control_version_type=True)
    equal("roles, green control too", _roles(endpoint), {"blue": (False, "Treatment"), "green": (True, "Control")})


@promise("semantics §1.5, R5: an extension")
def header_picks_the_version(trial: Trial) -> None:
    """The header azureml-model-deployment picks a version, whatever its share; one that there is not is 404."""
    endpoint = trial.deploy_endpoint("blue")
    trial.add_version(endpoint, "green", traffic_percentile=0)
    for name in ("green", "blue", "green"):
        answer = trial.ask(endpoint, {"azureml-model-deployment": name})
        says(f"score(…), azureml-model-deployment: {name}", answer, name)
        equal("score(…).version", answer.version, name)
    answer = trial.ask(endpoint, {"azureml-model-deployment": "nobody"})
    holds(answer.status == 404, "score(…), azureml-model-deployment: nobody", shown(answer), "404")


@promise("semantics §1.5")
def shares_are_at_most_all(trial: Trial) -> None:
    """The versions beside the default ask for up to 100 per cent together; more is 400 and changes nothing."""
    endpoint = trial.deploy_endpoint("blue")
    trial.add_version(endpoint, "green", traffic_percentile=60)
    trial.add_version(endpoint, "red", traffic_percentile=40)
    call = "update_version('red', traffic_percentile=41), beside green 60"
    with trial.unchanged(call), trial.refused(call, 400):
        endpoint.update_version("red", traffic_percentile=41)
    words = {body(answer)["word"] for answer in trial.load(endpoint, [number * _APART for number in range(20)])}
    holds("blue" not in words, "score_all(…), green 60 and red 40", sorted(words), "none to the default")


def _shares(trial: Trial, call: str, promised: dict[str, float]) -> None:
    seen = {name: version.traffic_share for name, version in trial.observe(1).versions.items()}
    equal(f"observe(…).versions[…].traffic_share, {call}", seen, promised)


def _roles(endpoint: AksEndpoint) -> dict[str, tuple[bool | None, str | None]]:
    return {name: (version.is_default, version.version_type) for name, version in endpoint.versions.items()}
