"""What one version may be deployed with: every bound of semantics §2.1 and wire.md §11, and the defaults of §6.9."""

from typing import Any

import pytest
from pydantic import ValidationError

from akstwin.domain.deployment import (
    Autoscaled,
    DeployArguments,
    Fixed,
    ProbeSettings,
    RouteSettings,
    check_name,
)
from akstwin.domain.resources import Resources
from akstwin.errors import InvalidSetting

GREATER_THAN_0 = [
    "cpu_cores", "memory_gb", "period_seconds", "initial_delay_seconds", "timeout_seconds", "success_threshold",
    "failure_threshold", "scoring_timeout_ms", "replica_max_concurrent_requests", "max_request_wait_time",
    "num_replicas",
]  # fmt: skip
OF_THE_AUTOSCALER = [
    "autoscale_min_replicas", "autoscale_max_replicas", "autoscale_refresh_seconds", "autoscale_target_utilization",
]  # fmt: skip


def refusal(**arguments: Any) -> str:
    """The setting that is named when these arguments are refused; "" if they are taken."""
    try:
        DeployArguments(**arguments).settings()
    except InvalidSetting as error:
        return error.setting
    return ""


def test_nothing_given_means_the_services_defaults() -> None:
    """Semantics §6.9, first table, word for word."""
    settings = DeployArguments().settings()

    assert settings.scaling == Autoscaled(minimum=1, maximum=10, refresh=1_000_000, target_percent=70)
    assert settings.route == RouteSettings(slots=1, max_wait=500_000, scoring_timeout=60_000_000)
    assert settings.request == Resources(cpu=100, memory=500, gpu=0)
    assert (settings.cpu_limit, settings.memory_limit) == (None, None)
    assert settings.liveness == ProbeSettings(310_000_000, 10_000_000, 2_000_000, 1, 3)
    assert settings.initial_replicas == 1


def test_azures_units_become_whole_microseconds_and_thousandths() -> None:
    """Milliseconds, seconds, cores and GB are converted once, at the rim."""
    settings = DeployArguments(
        num_replicas=3, replica_max_concurrent_requests=2, max_request_wait_time=1, scoring_timeout_ms=300_000,
        cpu_cores=0.7, memory_gb=1.25, gpu_cores=1, cpu_cores_limit=0.7, memory_gb_limit=2, period_seconds=1,
        initial_delay_seconds=2, timeout_seconds=3, failure_threshold=5,
    ).settings()  # fmt: skip

    assert settings.scaling == Fixed(3)
    assert settings.initial_replicas == 3
    assert settings.route == RouteSettings(2, 1_000, 300_000_000)
    assert settings.request == Resources(700, 1250, 1)
    assert (settings.cpu_limit, settings.memory_limit) == (700, 2000)
    assert settings.liveness == ProbeSettings(2_000_000, 1_000_000, 3_000_000, 1, 5)


@pytest.mark.parametrize("setting", [*GREATER_THAN_0, *OF_THE_AUTOSCALER])
@pytest.mark.parametrize("value", [0, -1])
def test_what_must_be_positive_is_refused_at_nought(setting: str, value: int) -> None:
    """Each one is named."""
    assert refusal(**{setting: value}) == setting


@pytest.mark.parametrize("setting", [*GREATER_THAN_0, *OF_THE_AUTOSCALER])
def test_what_must_be_positive_is_taken_at_one(setting: str) -> None:
    """The smallest whole value is a value."""
    assert refusal(**{setting: 1}) == ""


@pytest.mark.parametrize(
    ("setting", "largest"),
    [("scoring_timeout_ms", 300_000), ("traffic_percentile", 100), ("autoscale_target_utilization", 100)],
)
def test_an_upper_bound_is_inclusive(setting: str, largest: int) -> None:
    """300 s of scoring, 100 per cent of traffic or of utilisation; one more is refused."""
    assert refusal(**{setting: largest}) == ""
    assert refusal(**{setting: largest + 1}) == setting


@pytest.mark.parametrize(("setting", "smallest"), [("gpu_cores", 0), ("traffic_percentile", 0)])
def test_nought_is_a_value_where_it_means_none(setting: str, smallest: int) -> None:
    """No GPU, no traffic; less is refused."""
    assert refusal(**{setting: smallest}) == ""
    assert refusal(**{setting: -1}) == setting


@pytest.mark.parametrize(
    ("limit", "request_name"), [("cpu_cores_limit", "cpu_cores"), ("memory_gb_limit", "memory_gb")]
)
def test_a_limit_is_at_least_its_request(limit: str, request_name: str) -> None:
    """Equal is allowed; it is checked only where both are given (even under the default request); never 0."""
    assert refusal(**{limit: 1.5, request_name: 1.5}) == ""
    assert refusal(**{limit: 1.4, request_name: 1.5}) == limit
    assert refusal(**{limit: 0.01}) == ""
    assert refusal(**{limit: 0}) == limit


@pytest.mark.parametrize(
    ("right", "wrong"), [("a", ""), ("a-b", "-a"), ("0a", "a-"), ("a" * 63, "a" * 64), ("x9", "A")]
)
def test_a_namespace_is_a_dns_label(right: str, wrong: str) -> None:
    """1 to 63 lower-case letters, digits and inner dashes."""
    assert refusal(namespace=right) == ""
    assert refusal(namespace=wrong) == "namespace"


def test_key_and_token_exclude_each_other() -> None:
    """Either, or neither; both are refused."""
    assert refusal(auth_enabled=True, token_auth_enabled=False) == ""
    assert refusal(auth_enabled=False, token_auth_enabled=True) == ""
    assert refusal(auth_enabled=True, token_auth_enabled=True) == "token_auth_enabled"


def test_a_fixed_number_and_the_autoscaler_exclude_each_other() -> None:
    """On: no number. Off: a number is needed."""
    assert refusal(autoscale_enabled=True) == ""
    assert refusal(autoscale_enabled=True, num_replicas=3) == "num_replicas"
    assert refusal(autoscale_enabled=False) == "num_replicas"
    assert refusal(autoscale_enabled=False, num_replicas=3) == ""


@pytest.mark.parametrize("setting", OF_THE_AUTOSCALER)
def test_autoscaler_settings_that_would_be_ignored_are_refused(setting: str) -> None:
    """With it off, or beside a number; design §7.3's own example sets a maximum without `autoscale_enabled`."""
    assert refusal(**{setting: 5, "autoscale_enabled": False, "num_replicas": 3}) == setting
    assert refusal(**{setting: 5, "num_replicas": 3}) == setting
    assert refusal(**{setting: 5, "autoscale_enabled": True}) == ""
    assert refusal(**{setting: 5}) == ""


def test_the_minimum_is_at_most_the_maximum_defaults_included() -> None:
    """An omitted bound counts with its default: a minimum of 11 is over the default maximum."""
    assert refusal(autoscale_min_replicas=4, autoscale_max_replicas=4) == ""
    assert refusal(autoscale_min_replicas=5, autoscale_max_replicas=4) == "autoscale_min_replicas"
    assert refusal(autoscale_min_replicas=11) == "autoscale_min_replicas"


def test_unknown_and_wrongly_typed_arguments_are_refused() -> None:
    """A typing slip is never taken for a default."""
    for wrong in ({"replicas": 3}, {"num_replicas": "3"}, {"num_replicas": 2.5}, {"autoscale_enabled": 1}):
        with pytest.raises(ValidationError):
            DeployArguments.model_validate(wrong)


def test_a_success_threshold_over_one_is_stored_applied_as_one_and_said() -> None:
    """Kubernetes insists on 1 for liveness (semantics §6.6)."""
    arguments = DeployArguments(success_threshold=4)

    assert arguments.success_threshold == 4
    assert arguments.settings().liveness.success_threshold == 1
    assert "success_threshold: 4 is applied as 1" in arguments.warnings()[0]
    assert DeployArguments(success_threshold=1).warnings() == []


def test_a_refusal_says_setting_value_and_what_was_expected() -> None:
    """One line that can be printed as it is."""
    with pytest.raises(InvalidSetting) as refused:
        DeployArguments(scoring_timeout_ms=300_001).settings()

    assert str(refused.value) == "scoring_timeout_ms: 300001 is not at most 300000"
    assert str(refused.value.under("webservice.deploy")).startswith("webservice.deploy.scoring_timeout_ms: ")


# -- names


@pytest.mark.parametrize("name", ["abc", "fraud-v2", "a1b", "a" * 32, "a--b"])
def test_names_that_the_service_takes(name: str) -> None:
    """3 to 32 lower-case letters, digits and dashes."""
    check_name("endpoint.name", name)


@pytest.mark.parametrize("name", ["", "v2", "1ab", "-ab", "abc-", "Abc", "a_b", "a" * 33, "abc\n", "äbc"])
def test_names_that_the_service_refuses(name: str) -> None:
    """Too short or long, another first or last letter, other signs; the setting is named."""
    with pytest.raises(InvalidSetting) as refused:
        check_name("endpoint.name", name)

    assert refused.value.setting == "endpoint.name"


@pytest.mark.parametrize(
    ("change", "rolls"),
    [
        ({"cpu_cores": 2.0}, True),
        ({"memory_gb": 2.0}, True),
        ({"gpu_cores": 1}, True),
        ({"cpu_cores_limit": 2.0}, True),
        ({"memory_gb_limit": 2.0}, True),
        ({"initial_delay_seconds": 5}, True),
        ({"period_seconds": 5}, True),
        ({"timeout_seconds": 5}, True),
        ({"failure_threshold": 5}, True),
        ({"num_replicas": 5}, False),
        ({"replica_max_concurrent_requests": 5}, False),
        ({"max_request_wait_time": 5}, False),
        ({"scoring_timeout_ms": 5}, False),
        ({"traffic_percentile": 5.0}, False),
        ({"tags": {"a": "b"}}, False),
        ({"autoscale_max_replicas": 5}, False),
    ],
)
def test_resources_and_probe_stand_in_the_pod_template(change: dict[str, Any], rolls: bool) -> None:
    """Only what stands there rolls the pods (semantics §6.6)."""
    before = DeployArguments()
    after = DeployArguments(**change)

    assert (after.settings().template != before.settings().template) is rolls
