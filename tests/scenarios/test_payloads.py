"""What an update of a scenario's service comes to: by the patch that a user's update would be."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from akstwin.clock import Micros
from akstwin.cores import management
from akstwin.domain.deployment import Autoscaled, DeployArguments, Fixed, VersionSettings
from akstwin.domain.service import ServiceSpec, VersionSpec
from akstwin.errors import InvalidSetting
from akstwin.scenarios.payloads import patch_of, payload_of

LIMITS = management.ServiceLimits(versions=6, replicas=550_000)
VERSIONS = ("blue", "green")


def updated(before: DeployArguments, change: DeployArguments, *, endpoint: bool = True) -> VersionSpec:
    """Green after an update, beside a version that nobody touches."""
    names = VERSIONS if endpoint else ("green",)
    service = ServiceSpec(
        "fraud", tuple(VersionSpec(name, before if name == "green" else DeployArguments()) for name in names)
    )
    record = management.create(payload_of(service, "aks", endpoint=endpoint), None, Micros(0), LIMITS)
    patch = patch_of("green", change, names if endpoint else None)
    after = management.change(record, patch, Micros(1), limits=LIMITS).record
    return management.spec_of(after).version("green" if endpoint else "fraud")


def settings_after(before: dict[str, Any], change: dict[str, Any], *, endpoint: bool = True) -> VersionSettings:
    """Likewise, what it is deployed with."""
    return updated(DeployArguments(**before), DeployArguments(**change), endpoint=endpoint).settings


@pytest.mark.parametrize("endpoint", [True, False])
def test_an_update_keeps_what_it_leaves_out(endpoint: bool) -> None:
    """Only what is given is another."""
    after = settings_after({"num_replicas": 3, "cpu_cores": 1.0}, {"cpu_cores": 2.0}, endpoint=endpoint)

    assert after == DeployArguments(num_replicas=3, cpu_cores=2.0).settings()


def test_an_update_can_set_to_nought() -> None:
    """0 is a value, None is not."""
    after = updated(DeployArguments(traffic_percentile=20.0), DeployArguments(traffic_percentile=0.0))

    assert after.arguments.traffic_percentile == 0.0


@pytest.mark.parametrize("endpoint", [True, False])
def test_switching_the_autoscaler_on_drops_the_number(endpoint: bool) -> None:
    """One call is enough, and the result is right in itself."""
    change = {"autoscale_enabled": True, "autoscale_max_replicas": 5}

    assert settings_after({"num_replicas": 3}, change, endpoint=endpoint).scaling == Autoscaled(maximum=5)


@pytest.mark.parametrize("endpoint", [True, False])
def test_switching_the_autoscaler_off_drops_its_settings(endpoint: bool) -> None:
    """Its bounds do not come back to contradict the number."""
    before = {"autoscale_enabled": True, "autoscale_min_replicas": 2, "autoscale_max_replicas": 9}
    change = {"autoscale_enabled": False, "num_replicas": 4}

    assert settings_after(before, change, endpoint=endpoint).scaling == Fixed(4)


@given(st.builds(DeployArguments, cpu_cores=st.none() | st.floats(0.1, 8), num_replicas=st.none() | st.integers(1, 9)))
def test_an_update_with_nothing_or_with_itself_changes_nothing(arguments: DeployArguments) -> None:
    """Neither settings nor code."""
    same = updated(arguments, DeployArguments())

    assert same.settings == arguments.settings()
    assert updated(arguments, arguments).settings == arguments.settings()


def test_what_no_update_of_a_webservice_takes_is_refused_by_name() -> None:
    """A share of the traffic is a version's."""
    with pytest.raises(InvalidSetting, match="traffic_percentile"):
        patch_of("fraud", DeployArguments(traffic_percentile=5.0), None)
