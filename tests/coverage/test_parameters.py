"""Each parameter does what the coverage table says, by whichever call it is given.

An experiment gives a call some arguments, and then one more; what it looks at is told for both.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from akstwin import InferenceConfig, Webservice, WebserviceException
from akstwin.domain.settings import SETTINGS
from akstwin.sdk.coverage import CALLS, PARAMETERS, Row, Status

SURFACE: dict[str, Any] = json.loads((Path(__file__).parents[1] / "azureml" / "surface.json").read_text())


def taken_by(call: str) -> set[str]:
    """The parameters that azureml-core's call takes."""
    class_name, _, method = call.partition(".")
    of = SURFACE[class_name]
    signature: str = of["methods"][method] if method else of["constructor"]
    return {parameter.partition("=")[0] for parameter in signature.split(", ")}


def calls_of(row: Row) -> list[str]:
    """The calls that a row is about."""
    others = {call for other in PARAMETERS if other.name == row.name and other is not row for call in other.of}
    return [call for call in row.of or CALLS if row.name in taken_by(call) and call not in others]


def cases(status: Status) -> list[Any]:
    """Each parameter of that status with each call that takes it."""
    return [
        pytest.param(row.name, call, id=f"{row.name}-{call}")
        for row in PARAMETERS
        if row.status is status
        for call in calls_of(row)
    ]


# -- what acts


@dataclass(frozen=True)
class Experiment:
    """How the effect of one parameter is seen.

    Attributes:
        look: stirs a trial and says what is seen.
        tried: what makes the difference; None takes an argument of `base` away.
        without: what is seen without it.
        seen: what is seen with it.
        base: what is deployed in any case.
        given: what the call is given in any case.
        more: how the trial is made.
    """

    look: Callable[[Any], Any]
    tried: dict[str, Any]
    without: Any
    seen: Any
    base: dict[str, Any]
    given: dict[str, Any]
    more: dict[str, Any]


EXPERIMENTS: dict[tuple[str, str], Experiment] = {}
"""By parameter and call; the call is empty for all that take the parameter and have no experiment of their own."""


def shows(
    parameter: str,
    value: Any,
    *,
    without: Any,
    seen: Any,
    of: tuple[str, ...] = ("",),
    base: dict[str, Any] | None = None,
    given: dict[str, Any] | None = None,
    less: tuple[str, ...] = (),
    **more: Any,
) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Keep an experiment."""

    def keep(look: Callable[[Any], Any]) -> Callable[[Any], Any]:
        tried = {parameter: value, **dict.fromkeys(less)}
        for call in of:
            assert (parameter, call) not in EXPERIMENTS
            EXPERIMENTS[parameter, call] = Experiment(look, tried, without, seen, base or ONE, given or {}, more)
        return look

    return keep


ONE = {"num_replicas": 1}
SCALED = {"autoscale_enabled": True}
PROBED = {"num_replicas": 1, "initial_delay_seconds": 10}
TENTH = {"service_time": "100ms"}
SECOND = {"service_time": "1s"}
ENDPOINTS = ("AksEndpoint.deploy_configuration", "AksEndpointDeploymentConfiguration")
VERSIONS = ("AksEndpoint.create_version", "AksEndpoint.update_version")


def replicas_under(trial: Any, rate: float, span: str) -> int:
    """How many are asked for after a while of so many requests a second."""
    trial.ws.simulation.traffic("fraud", shape="constant", rate=rate)
    trial.ws.simulation.advance(span)
    wanted: int = trial.seen.desired
    return wanted


@shows(
    "autoscale_enabled", True, less=("num_replicas",), base={"autoscale_enabled": False, "num_replicas": 1},
    profile=TENTH, without=1, seen=3,
)  # fmt: skip
def _follows_the_load(trial: Any) -> Any:
    """Two busy replicas at 70 %."""
    return replicas_under(trial, 20, "3m")


@shows("autoscale_min_replicas", 3, base=SCALED, given=SCALED, without=1, seen=3)
def _stays_without_load(trial: Any) -> Any:
    return trial.seen.desired


@shows(
    "autoscale_max_replicas", 2, base=SCALED, given=SCALED, profile=TENTH,
    without=(6, False), seen=(2, True),
)  # fmt: skip
def _comes_at_most(trial: Any) -> Any:
    """Four busy replicas at 70 %; two of them can do no more than half of it."""
    return replicas_under(trial, 40, "3m"), 503 in trial.seen.answers


@shows("autoscale_refresh_seconds", 60, base=SCALED, given=SCALED, profile=TENTH, without=True, seen=False)
def _notices_soon(trial: Any) -> Any:
    return replicas_under(trial, 20, "5s") > 1


@shows("autoscale_target_utilization", 25, base=SCALED, given=SCALED, profile=TENTH, without=3, seen=8)
def _keeps_more(trial: Any) -> Any:
    return replicas_under(trial, 20, "3m")


@shows("collect_model_data", True, scripted=True, without=0, seen=1)
def _writes_files(trial: Any) -> Any:
    assert trial.statuses() == [200]
    return len(list(trial.ws.backend.collected.rglob("data.csv")))


@shows("enable_app_insights", True, scripted=True, without=[], seen=["200"])
def _reports_its_requests(trial: Any) -> Any:
    assert trial.statuses() == [200]
    return [row["resultCode"] for row in trial.ws.simulation.insights()]


@shows("auth_enabled", False, without=[401], seen=[200])
def _needs_no_key(trial: Any) -> Any:
    return trial.statuses(key="")


@shows("token_auth_enabled", True, base={**ONE, "auth_enabled": False}, without=([200], [200]), seen=([401], [200]))
def _needs_a_token(trial: Any) -> Any:
    return trial.statuses(key=""), trial.statuses()


@shows("cpu_cores", 5, without=("Healthy", []), seen=("Unschedulable", ["3 Insufficient cpu"]))
@shows("memory_gb", 20, without=("Healthy", []), seen=("Unschedulable", ["3 Insufficient memory"]))
@shows("gpu_cores", 1, without=("Healthy", []), seen=("Unschedulable", ["3 Insufficient nvidia.com/gpu"]))
def _finds_no_room(trial: Any) -> Any:
    """What the three nodes lack; a pod waits for it."""
    assert trial.seen.replicas.get("Pending", 0) == (trial.service.state == "Unschedulable")
    return trial.service.state, re.findall(r"\d Insufficient [a-z./]+[a-z]", str(trial.service.error))


@shows("cpu_cores_limit", 0.5, profile={"service_time": "100ms", "cpu": 1}, without=103_000, seen=203_000)
def _takes_longer(trial: Any) -> Any:
    """A worker wants twice of what it may have."""
    return trial.ask()[0].latency


@shows("scoring_timeout_ms", 500, profile=SECOND, without=[200], seen=[504])
def _takes_too_long(trial: Any) -> Any:
    return trial.statuses()


@shows(
    "replica_max_concurrent_requests", 2, profile={"service_time": "1s", "workers": 2},
    without=[200, 503], seen=[200, 200],
)  # fmt: skip
@shows("max_request_wait_time", 2000, profile=SECOND, without=[200, 503], seen=[200, 200])
@shows("num_replicas", 2, profile=SECOND, without=[200, 503], seen=[200, 200])
def _two_at_once(trial: Any) -> Any:
    return trial.statuses(2)


@shows("primary_key", "mine", without=[401], seen=[200])
@shows("secondary_key", "mine", without=[401], seen=[200])
def _lets_in(trial: Any) -> Any:
    return trial.statuses(key="mine")


@shows("tags", {"team": "risk"}, without=[], seen=["fraud"])
def _found_by_tag(trial: Any) -> Any:
    return [service.name for service in Webservice.list(trial.ws, tags=[["team", "risk"]])]


@shows("properties", {"team": "risk"}, without=[], seen=["fraud"])
def _found_by_property(trial: Any) -> Any:
    return [service.name for service in Webservice.list(trial.ws, properties=["team"])]


@shows("period_seconds", 100, base=PROBED, without=1, seen=0)
@shows("initial_delay_seconds", 310, base=PROBED, without=1, seen=0)
def _hangs(trial: Any) -> Any:
    """For the 42 s that three probes take at most."""
    trial.ws.simulation.fault("replica_hang", version=trial.version)
    trial.ws.simulation.advance("42s")
    return len(trial.events("liveness_failed"))


@shows("timeout_seconds", 8, base={**PROBED, "failure_threshold": 1}, profile={"service_time": "6s"}, without=1, seen=0)
def _is_busy(trial: Any) -> Any:
    """For five seconds from a probe on."""
    running = trial.ws.simulation.now - trial.events("container_started")[-1]
    trial.ws.simulation.advance(19 - running % 10)
    assert trial.statuses() == [200]
    return len(trial.events("liveness_failed"))


@shows(
    "memory_gb_limit", 2, profile={"memory": {"base": "100MB", "per_request": "600MB"}},
    without=[502], seen=[200],
)  # fmt: skip
def _holds_a_request(trial: Any) -> Any:
    return trial.statuses()


@shows("failure_threshold", 1, base=PROBED, without=0, seen=1)
def _hangs_for_one_probe(trial: Any) -> Any:
    trial.ws.simulation.fault("replica_hang", version=trial.version, lasts="12s")
    trial.ws.simulation.advance("15s")
    return len(trial.events("liveness_failed"))


@shows("models", ["two.txt"], base={**ONE, "models": ["one.txt"]}, scripted=True, without=["one.txt"], seen=["two.txt"])
def _finds_files(trial: Any) -> Any:
    return json.loads(trial.ask()[0].body)


@shows("inference_config", "other.py", scripted=True, without=[], seen="other")
def _answers(trial: Any) -> Any:
    return json.loads(trial.ask()[0].body)


@shows("compute_target_name", "gpus", base={**ONE, "compute_target_name": "aks", "gpu_cores": 1}, without=1, seen=0)
def _waits_for_room(trial: Any) -> Any:
    return trial.seen.replicas.get("Pending", 0)


@shows("version_name", "blue", of=ENDPOINTS, without="fraud", seen="blue")
@shows("version_name", "blue", of=VERSIONS[:1], without="second", seen="blue")
def _goes_by(trial: Any) -> Any:
    return trial.ask()[0].version


@shows("version_name", "first", of=VERSIONS[1:], given={"num_replicas": 3}, without=(1, 3), seen=(3, 1))
def _is_changed(trial: Any) -> Any:
    return tuple(trial.ws.simulation.observe("fraud", "1m").versions[name].desired for name in ("first", "second"))


@shows("is_default", True, alone=False, without={"first"}, seen={"second"})
def _gets_what_is_left(trial: Any) -> Any:
    return {response.version for response in trial.ask(10)}


@shows("traffic_percentile", 30, of=VERSIONS, alone=False, without=0.0, seen=0.3)
def _gets_a_share(trial: Any) -> Any:
    """Of 1,000; three standard deviations are 0.043."""
    return round([response.version for response in trial.ask(1000)].count(trial.version) / 1000, 1)


@shows("traffic_percentile", 30, of=ENDPOINTS, without=0.0, seen=0.3)
def _gets_a_share_when_it_is_no_longer_the_default(trial: Any) -> Any:
    trial.service.create_version("later", is_default=True, models=[], inference_config=InferenceConfig("score.py"))
    trial.service.wait_for_deployment()
    trial.ws.simulation.advance("3s")
    return _gets_a_share(trial)


@pytest.mark.parametrize(("parameter", "call"), cases(Status.ACTS))
def test_what_acts_makes_a_difference(rig: Any, parameter: str, call: str) -> None:
    """One thing is seen with the parameter, another one without it and all else the same."""
    experiment = EXPERIMENTS.get((parameter, call)) or EXPERIMENTS[parameter, ""]

    without = experiment.look(rig.trial(call, experiment.base, experiment.given, **experiment.more))
    seen = experiment.look(
        rig.trial(call, experiment.base, {**experiment.given, **experiment.tried}, **experiment.more)
    )

    assert (without, seen) == (experiment.without, experiment.seen)
    assert without != seen


def test_every_experiment_is_for_something_that_acts() -> None:
    """None is left over when a row changes, and none stands for a call that does not take the parameter."""
    acting = {(row.name, call) for row in PARAMETERS if row.status is Status.ACTS for call in calls_of(row)}

    assert {name for name, _ in EXPERIMENTS} == {name for name, _ in acting}
    assert {key for key in EXPERIMENTS if key[1]} <= acting


@shows("namespace", "team", without={"azureml-akstwin"}, seen={"team"})
def _lives_in_its_namespace(trial: Any) -> Any:
    """In the view of the cluster and in the pods' log."""
    pods = {pod["namespace"] for pod in trial.ws.simulation.pods("fraud")}
    last = trial.service.get_logs(init=True).splitlines()[-1].split()[1]
    assert last.partition("/")[0] in pods
    return pods


@shows(
    "success_threshold",
    2,
    without=set(),
    seen={"success_threshold: 2 is applied as 1, as Kubernetes insists for liveness"},
)
def _is_clamped_with_an_event(trial: Any) -> Any:
    return {detail for _, _, _, detail in trial.ws.simulation.history(kind="setting_clamped")}


@shows("blobfuse_enabled", False, without=set(), seen={"models_copied by the init container"})
def _is_named_in_the_log(trial: Any) -> Any:
    lines = trial.service.get_logs(init=True).splitlines()
    return {line.split(maxsplit=2)[2] for line in lines if " models_" in line}


# -- what is stored only

STORED: dict[str, tuple[Any, Any, Any]] = {
    "description": ("for people", None, "for people"),
    "is_control_version_type": (True, "Treatment", "Control"),
    "properties": ({"team": "risk"}, {}, {"team": "risk"}),
    "tags": ({"team": "risk"}, {}, {"team": "risk"}),
}
"""A value, what the document says without it, and what it says with it."""
PATHS = {setting.name: setting.path for setting in SETTINGS} | {"is_control_version_type": "type"}


def stored(trial: Any, parameter: str, call: str) -> Any:
    """What a document says of a parameter; None: nothing."""
    document = trial.ws.backend.get_service("fraud") if call == "AksEndpoint.update" else trial.document
    for key in PATHS[parameter].split("/"):
        document = document.get(key)
    return document


@pytest.mark.parametrize(("parameter", "call"), cases(Status.STORED))
def test_what_is_stored_comes_back(rig: Any, parameter: str, call: str) -> None:
    """In the document of the service, or of the version."""
    value, without, told = STORED[parameter]

    assert stored(rig.trial(call, ONE), parameter, call) == without
    assert stored(rig.trial(call, ONE, {parameter: value}), parameter, call) == told


# -- what replaces pods


@pytest.mark.parametrize(
    ("row", "call"),
    [
        pytest.param(row, call, id=f"{row.name}-{call}")
        for row in PARAMETERS
        for call in calls_of(row)
        if call.partition(".")[2] in ("update", "update_version") and row.status is not Status.MISSING
    ],
)
def test_some_changes_replace_pods(rig: Any, row: Row, call: str) -> None:
    """They take an operation; the others take none."""
    if row.status is Status.STORED:
        base, given, tried = ONE, {}, {row.name: STORED[row.name][0]}
    else:
        experiment = EXPERIMENTS.get((row.name, call)) or EXPERIMENTS[row.name, ""]
        base, given, tried = experiment.base, experiment.given, experiment.tried
    without, changed = (rig.trial(call, base, arguments) for arguments in (given, {**given, **tried}))

    operations = len(changed.events("operation_started")) - len(without.events("operation_started"))

    assert operations == (1 if row.rolls else 0)


# -- what is missing


@pytest.mark.parametrize(("parameter", "call"), cases(Status.MISSING))
def test_what_is_missing_is_refused(rig: Any, parameter: str, call: str) -> None:
    """By its name."""
    with pytest.raises(WebserviceException, match=parameter):
        rig.trial(call, ONE, {parameter: object()})
