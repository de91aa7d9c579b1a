"""Parts of a service, tokens, configurations and the exception, as values."""

import copy
import json
import logging
import pickle
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akstwin.sdk.configuration import (
    AksServiceDeploymentConfiguration,
    deploy_endpoint_configuration,
    deploy_service_configuration,
)
from akstwin.sdk.exceptions import WebserviceException
from akstwin.sdk.requirements import (
    AutoScaler,
    ContainerResourceRequirements,
    DataCollection,
    LivenessProbeRequirements,
)
from akstwin.sdk.token import AksServiceAccessToken

ANY = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
PARTS = (
    st.builds(AutoScaler, ANY, ANY, ANY, ANY, ANY)
    | st.builds(ContainerResourceRequirements, ANY, ANY, ANY, ANY, ANY)
    | st.builds(DataCollection, ANY, ANY)
    | st.builds(LivenessProbeRequirements, ANY, ANY, ANY, ANY, ANY)
)


@given(PARTS)
def test_parts_go_to_json_and_back(part: Any) -> None:
    """Whatever they hold."""
    assert type(part).deserialize(json.loads(json.dumps(part.serialize()))) == part


def test_positions_are_azureml_cores() -> None:
    """Scripts give these by position."""
    assert AutoScaler(True, 5, 2, 3, 70).serialize() == {
        "autoscaleEnabled": True, "maxReplicas": 5, "minReplicas": 2, "refreshPeriodInSeconds": 3, "targetUtilization": 70,
    }  # fmt: skip
    assert ContainerResourceRequirements(1, 2, 3, 4, 5).serialize() == {
        "cpu": 1, "memoryInGB": 2, "gpu": 3, "cpuLimit": 4, "memoryInGBLimit": 5,
    }  # fmt: skip
    assert LivenessProbeRequirements(1, 2, 3, 4, 5).serialize() == {
        "periodSeconds": 1, "initialDelaySeconds": 2, "timeoutSeconds": 3, "successThreshold": 4, "failureThreshold": 5,
    }  # fmt: skip


@pytest.mark.parametrize("payload", [None, [], "text", {}, {"cpu": 1}])
def test_what_is_no_part_is_refused(payload: Any) -> None:
    """Never a TypeError."""
    with pytest.raises(WebserviceException, match="ContainerResourceRequirements"):
        ContainerResourceRequirements.deserialize(payload)


def test_parts_show_and_do_not_change() -> None:
    """Setting an attribute would have no effect on the service."""
    part = DataCollection(event_hub_enabled=False, storage_enabled=True)
    with pytest.raises(FrozenInstanceError):
        part.storage_enabled = False  # type: ignore[misc]


@given(st.integers(0, 4_000_000_000), st.integers(0, 4_000_000_000) | st.floats(0, 4e9))
def test_tokens_go_to_json_and_back(refresh: int, expiry: float) -> None:
    """In whatever zone this runs; to the microsecond."""
    token = AksServiceAccessToken("t", "Bearer", refresh, expiry)
    again = AksServiceAccessToken.deserialize(json.loads(json.dumps(token.serialize())))

    assert json.dumps(token.serialize()["refreshAfter"]) == str(refresh)
    assert token.serialize()["expiryOn"] == pytest.approx(expiry, abs=1e-6)
    assert again == token
    assert hash(again) == hash(token)


@pytest.mark.parametrize("when", [None, "soon", True, float("nan"), float("inf"), 1e30])
def test_a_tokens_times_are_checked(when: Any) -> None:
    """The parameter is named."""
    with pytest.raises(WebserviceException, match=r"^WebserviceException:\n\tMessage: expiry_on: "):
        AksServiceAccessToken("t", "Bearer", 0, when)


def test_a_token_does_not_show_itself() -> None:
    """Neither when printed nor when its payload is not complete."""
    assert "hidden" not in repr(AksServiceAccessToken("hidden", "Bearer", 0, 0))
    with pytest.raises(WebserviceException) as caught:
        AksServiceAccessToken.deserialize({"accessToken": "hidden"})
    assert "hidden" not in str(caught.value)
    with pytest.raises(WebserviceException, match="a str is not a JSON object"):
        AksServiceAccessToken.deserialize("hidden")


def test_an_endpoints_configuration_is_a_services_too() -> None:
    """Scripts ask with isinstance; equality looks at all values."""
    one, other = deploy_endpoint_configuration(version_name="blue"), deploy_endpoint_configuration(version_name="green")
    assert isinstance(one, AksServiceDeploymentConfiguration)
    assert one != other
    assert (one.version_name, one.blobfuse_enabled, one.location) == ("blue", None, None)


def test_configurations_can_be_checked_again() -> None:
    """After values were changed; the endpoint's own alone, too."""
    configuration = deploy_endpoint_configuration()
    configuration.traffic_percentile = 101
    configuration.cpu_cores = -1
    with pytest.raises(WebserviceException, match="cpu_cores"):
        configuration.validate_configuration()
    with pytest.raises(WebserviceException) as caught:
        configuration.validate_endpoint_configuration()
    assert caught.value.message == "traffic_percentile: 101 is not from 0 to 100"


def test_a_configuration_prints_what_it_asks_for(capsys: pytest.CaptureFixture[str]) -> None:
    """And nothing where nothing is given."""
    deploy_service_configuration(
        cpu_cores=0.5, memory_gb=1, num_replicas=3, tags={"a": "b"}
    ).print_deploy_configuration()
    deploy_service_configuration().print_deploy_configuration()
    assert capsys.readouterr().out == "cpu_cores=0.5, memory_gb=1, num_replicas=3\n"


def test_images_are_not_deployed() -> None:
    """The method is there; what it checks is not."""
    with pytest.raises(WebserviceException, match="inference_config"):
        AksServiceDeploymentConfiguration.validate_image("old")


def test_the_exception_can_be_made_again_from_its_args() -> None:
    """SimPy and pickle do."""
    error = WebserviceException("no", 409, problems=("reason",), inner_exception="before")
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), type(error)(*error.args)):  # noqa: S301
        assert (again.message, again.status_code, again.problems) == ("no", 409, ("reason",))
    error.message = "changed"
    assert "Message: changed" in str(error)


def test_the_exception_may_be_logged(caplog: pytest.LogCaptureFixture) -> None:
    """As in azureml-core, by whoever gives a logger."""
    WebserviceException("refused", logger=logging.getLogger("script"))
    assert [(record.levelname, record.message) for record in caplog.records] == [("ERROR", "refused")]
