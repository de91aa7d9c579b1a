"""Each method of a service and of an endpoint does what the coverage table says."""

import json
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from akstwin import AksEndpoint, AksWebservice, InferenceConfig, Model, Webservice, WebserviceException
from akstwin.sdk.coverage import METHODS, SERVICES, Row, Status

Show = Callable[[Any], None]
SHOWN: dict[str, Show] = {}
"""What shows a method to act, by its name."""
WITH_PARAMETERS = {"deploy_configuration", "create_version", "update_version"}
"""Shown by their parameters."""
SCRIPT = "score.py"


def shows(show: Show) -> Show:
    """Keep what shows the method of this name."""
    SHOWN[show.__name__.strip("_")] = show
    return show


def change(trial: Any, **given: Any) -> None:
    """An update of the service, or of the endpoint's version."""
    if trial.service.compute_type == "AKS":
        trial.service.update(**given)
    else:
        trial.service.update_version("fraud", **given)


@shows
def _constructor(trial: Any) -> None:
    """Finds the service, of the class that it is of."""
    assert type(Webservice(trial.ws, "fraud")) is type(trial.service)
    with pytest.raises(WebserviceException, match="WebserviceNotFound"):
        Webservice(trial.ws, "absent")


@shows
def _update(trial: Any) -> None:
    trial.service.update(description="another")
    assert Webservice(trial.ws, "fraud").description == "another"


@shows
def _delete(trial: Any) -> None:
    trial.service.delete()
    assert trial.events("pod_gone")
    assert trial.statuses(key="any") == [404]
    Webservice.check_for_existing_webservice(trial.ws, "fraud")


@shows
def _delete_version(trial: Any) -> None:
    """The pods are gone, and requests that were drawn for it go to the default."""
    endpoint = trial.service
    script = InferenceConfig(SCRIPT)
    endpoint.create_version("other", models=[], inference_config=script, traffic_percentile=50, num_replicas=1)
    endpoint.wait_for_deployment()
    trial.ws.simulation.advance("3s")
    assert {response.version for response in trial.ask(20)} == {"fraud", "other"}

    endpoint.delete_version("other")
    trial.ws.simulation.advance("40s")

    assert list(endpoint.versions) == ["fraud"]
    assert trial.events("pod_gone")
    assert {response.version for response in trial.ask(20)} == {"fraud"}


@shows
def _run(trial: Any) -> None:
    """Takes the run time, 50 ms, and the router's 3 ms."""
    before = trial.ws.clock.now()
    assert trial.service.run("[]") == 1
    assert trial.ws.clock.now() - before == 53_000


@shows
def _wait_for_deployment(trial: Any) -> None:
    """As long as it takes, or as it may take."""
    trial.ws.simulation.profile("fraud", init_time="30s")
    before = trial.ws.simulation.now
    change(trial, cpu_cores=0.2)
    with pytest.raises(WebserviceException, match="exceeded timeout"):
        trial.service.wait_for_deployment(timeout_sec=10)
    assert 10 <= trial.ws.simulation.now - before < 20
    trial.service.wait_for_deployment(show_output=True)
    assert trial.ws.simulation.now - before > 30
    assert trial.service.state == "Healthy"


@shows
def _update_deployment_state(trial: Any) -> None:
    trial.ws.simulation.profile("fraud", init_time="1h")
    trial.ws.simulation.fault("replica_kill")
    trial.ws.simulation.advance("2m")
    assert trial.service.state == "Healthy"
    trial.service.update_deployment_state()
    assert trial.service.state == "Unhealthy"


@shows
def _get_logs(trial: Any) -> None:
    assert "POST /score 200" not in trial.service.get_logs()
    trial.ask()
    assert "POST /score 200" in trial.service.get_logs()
    assert len(trial.service.get_logs(num_lines=2).splitlines()) == 2
    assert "pod_scheduled" in trial.service.get_logs(init=True)


@shows
def _get_keys(trial: Any) -> None:
    primary, secondary = trial.service.get_keys()
    assert primary != secondary
    assert [trial.statuses(key=key) for key in (primary, secondary, "other")] == [[200], [200], [401]]


@shows
def _regen_key(trial: Any) -> None:
    """One of them; of one's own, if one likes."""
    primary, secondary = trial.service.get_keys()
    trial.service.regen_key("Primary")
    trial.service.regen_key("Secondary", set_key="mine")
    keys = (primary, secondary, trial.service.get_keys()[0], "mine")
    assert [trial.statuses(key=key) for key in keys] == [[401], [401], [200], [200]]


@shows
def _get_access_token(trial: Any) -> None:
    """Good for 12 hours, not longer."""
    with pytest.raises(WebserviceException, match="token"):
        trial.service.get_access_token()
    trial.service.update(auth_enabled=False, token_auth_enabled=True)
    token = trial.service.get_access_token().access_token
    trial.ws.simulation.advance("11h")
    assert trial.statuses(key=token) == [200]
    trial.ws.simulation.advance("1h")
    assert trial.statuses(key=token) == [401]


@shows
def _get_token(trial: Any) -> None:
    trial.service.update(auth_enabled=False, token_auth_enabled=True)
    trial.ws.simulation.advance("3s")
    with warnings.catch_warnings(action="ignore"):
        token, refresh_after = trial.service.get_token()
    assert refresh_after == trial.service.get_access_token().refresh_after
    assert trial.statuses(key=token) == [200]


@shows
def _add_tags(trial: Any) -> None:
    trial.service.add_tags({"team": "risk"})
    trial.service.add_tags({"stage": "test"})
    assert trial.service.tags == {"team": "risk", "stage": "test"}
    assert [service.name for service in Webservice.list(trial.ws, tags=["team", "stage"])] == ["fraud"]


@shows
def _remove_tags(trial: Any) -> None:
    trial.service.add_tags({"team": "risk", "stage": "test"})
    trial.service.remove_tags(["team"])
    assert trial.service.tags == {"stage": "test"}
    assert Webservice.list(trial.ws, tags=["team"]) == []


@shows
def _add_properties(trial: Any) -> None:
    """They stay as they are."""
    trial.service.add_properties({"team": "risk"})
    assert [service.name for service in Webservice.list(trial.ws, properties=[["team", "risk"]])] == ["fraud"]
    with pytest.raises(WebserviceException, match="team"):
        trial.service.add_properties({"team": "another"})


@shows
def _serialize(trial: Any) -> None:
    told = json.loads(json.dumps(trial.service.serialize()))
    assert (told["name"], told["state"], told["computeName"]) == ("fraud", "Healthy", "aks")


@shows
def _deserialize(trial: Any) -> None:
    made = type(trial.service).deserialize(trial.ws, trial.ws.backend.get_service("fraud"))
    assert made.serialize() == trial.service.serialize()


@shows
def _list(trial: Any) -> None:
    """All that is given has to hold."""
    change(trial, models=[Model.register(trial.ws, "one.txt", "model")], inference_config=InferenceConfig(SCRIPT))
    trial.service.wait_for_deployment()
    trial.service.update(tags={"team": "risk"}, properties={"cost": "7"})
    fits: dict[str, Any] = {
        "compute_type": trial.service.compute_type, "model_name": "model", "model_id": "model:1", "tags": ["team"],
        "properties": ["cost"],
    }  # fmt: skip
    wrong = {
        "compute_type": "ACI", "model_name": "another", "model_id": "model:2", "tags": ["cost"], "properties": ["team"],
    }  # fmt: skip
    assert [service.name for service in Webservice.list(trial.ws, **fits)] == ["fraud"]
    for name, value in wrong.items():
        assert Webservice.list(trial.ws, **{**fits, name: value}) == []


@shows
def _check_for_existing_webservice(trial: Any) -> None:
    with pytest.raises(WebserviceException, match="fraud"):
        Webservice.check_for_existing_webservice(trial.ws, "fraud")
    Webservice.check_for_existing_webservice(trial.ws, "fraud", overwrite=True)
    Webservice.check_for_existing_webservice(trial.ws, "free")


def of_services(status: Status) -> list[Any]:
    """Methods of that status and the services that have them."""
    return [
        pytest.param(row, of, id=f"{of.__name__}.{row.name}")
        for row in METHODS
        for of in (AksWebservice, AksEndpoint)
        if row.status is status and of.__name__ in row.of and row.name not in WITH_PARAMETERS
    ]


@pytest.mark.parametrize(("row", "of"), of_services(Status.ACTS))
def test_methods_act(deployed: Callable[..., Any], row: Row, of: type) -> None:
    """Each as it is shown above, on a healthy service of one replica."""
    SHOWN[row.name](deployed(of.__name__, num_replicas=1))


def test_everything_that_acts_is_shown() -> None:
    """And nothing else is."""
    acting = {row.name for row in METHODS if row.status is Status.ACTS and set(row.of) <= set(SERVICES)}

    assert SHOWN.keys() == acting - WITH_PARAMETERS


@pytest.mark.parametrize(("row", "of"), of_services(Status.MISSING))
def test_what_is_missing_is_refused(deployed: Callable[..., Any], row: Row, of: type) -> None:
    """With what to do instead, where there is something."""
    ws = deployed(of.__name__, num_replicas=1).ws
    enough = {"list": (ws,), "check_for_existing_webservice": (ws, "free")}.get(row.name, (ws, "free", [], object()))
    for given in [{parameter: "any"} for parameter in row.takes] or [{}]:
        with pytest.raises(WebserviceException, match="not offered"):
            getattr(of, row.name)(*enough, **given)


# -- configurations


@pytest.mark.parametrize("of", [AksWebservice, AksEndpoint])
def test_configurations_are_checked_again(of: Any) -> None:
    """After a change, and when they are deployed."""
    configuration = of.deploy_configuration(num_replicas=2)
    configuration.num_replicas = -1
    with pytest.raises(WebserviceException, match="num_replicas: -1"):
        configuration.validate_configuration()


def test_what_an_endpoint_has_beyond_a_service_is_checked_again() -> None:
    """That alone."""
    configuration = AksEndpoint.deploy_configuration(version_name="blue")
    configuration.num_replicas = -1
    configuration.validate_endpoint_configuration()
    configuration.traffic_percentile = 101
    with pytest.raises(WebserviceException, match="traffic_percentile: 101"):
        configuration.validate_endpoint_configuration()


@pytest.mark.parametrize("of", [AksWebservice, AksEndpoint])
def test_configurations_print_what_containers_ask_for(of: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """And their number."""
    of.deploy_configuration(num_replicas=2, cpu_cores=0.5).print_deploy_configuration()

    assert capsys.readouterr().out == "cpu_cores=0.5, num_replicas=2\n"


@pytest.mark.parametrize("of", [AksWebservice, AksEndpoint])
def test_configurations_take_no_image(of: Any) -> None:
    """Whatever it is."""
    with pytest.raises(WebserviceException, match="image"):
        of.deploy_configuration().validate_image(object())
