"""Hypothesis strategies for tests of what uses the SDK: deployments, updates, names, shares, load.

    from hypothesis import given
    from akstwin import AksWebservice
    from akstwin.testing import strategies

    @given(strategies.service_settings())
    def test_my_deployment(settings):
        configuration = AksWebservice.deploy_configuration(**settings)

Needs `hypothesis`, which is no dependency of akstwin: `pip install hypothesis`, or `akstwin[dev]`. Nothing else in
akstwin imports this module.
"""

from collections.abc import Sequence
from typing import Any, Final

from hypothesis import strategies as st

from akstwin.clock import MINUTE, Micros
from akstwin.testing.worlds import configurations, faults, model_changes, rollouts, traffic

__all__ = [
    "bad_endpoint_settings", "bad_names", "bad_service_settings", "bad_service_updates", "configurations", "endpoint_settings",
    "faults", "instants", "memory", "model_changes", "names", "rollouts", "service_settings", "service_updates", "shares",
    "traffic", "users", "version_settings", "version_updates",
]  # fmt: skip

Settings = dict[str, Any]
"""Arguments by the SDK's parameter names."""

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_INNER: Final = f"{_LETTERS}0123456789-"
_REPLICAS: Final = st.integers(1, 5)
_PAIRS: Final = st.dictionaries(st.text(_LETTERS, min_size=1, max_size=8), st.text(max_size=8), max_size=3)
_MAXIMA: Final = {
    "period_seconds": 60, "initial_delay_seconds": 600, "timeout_seconds": 30, "failure_threshold": 10,
    "scoring_timeout_ms": 300_000, "replica_max_concurrent_requests": 10, "max_request_wait_time": 60_000,
}  # fmt: skip
"""Whole numbers from 1 on."""
_COUNTS: Final = (*_MAXIMA, "success_threshold", "num_replicas")
_AUTOSCALER: Final = (
    "autoscale_min_replicas", "autoscale_max_replicas", "autoscale_refresh_seconds", "autoscale_target_utilization",
)  # fmt: skip


def names() -> st.SearchStrategy[str]:
    """Names that a service or a version may have."""
    return st.builds(
        lambda first, inner, last: first + inner + last,
        st.sampled_from(_LETTERS),
        st.text(_INNER, min_size=1, max_size=30),
        st.sampled_from(_INNER[:-1]),
    )


def bad_names() -> st.SearchStrategy[str]:
    """Names that no service and no version may have."""
    return st.one_of(
        st.text(_LETTERS, max_size=2),
        st.text(_LETTERS, min_size=33, max_size=40),
        names().map(lambda name: f"{name[:-1]}-"),
        names().map(lambda name: f"1{name[1:]}"),
        names().map(str.upper),
        names().map(lambda name: f"{name[0]}_{name[2:]}"),
        names().map(lambda name: f"{name}\n"),
    )


def service_settings() -> st.SearchStrategy[Settings]:
    """Arguments of `AksWebservice.deploy_configuration` that are taken.

    The replicas that two such services begin with fit on a cluster of three Standard_D3_v2, the SDK's default.
    """
    keys = st.fixed_dictionaries({}, optional={"primary_key": _texts(), "secondary_key": _texts()})
    return _merged(_scaling(), _resources(), _numbers(), _descriptions(), _authentication(), keys)


def endpoint_settings() -> st.SearchStrategy[Settings]:
    """Arguments of `AksEndpoint.deploy_configuration` that are taken; the replicas fit as those of services do."""
    own = st.fixed_dictionaries({"version_name": names()}, optional={"traffic_percentile": _percentages()})
    return _merged(service_settings(), own)


def version_settings() -> st.SearchStrategy[Settings]:
    """Arguments of `AksEndpoint.create_version` that are taken, but for the version's name, its script and its share."""
    return _merged(_scaling(), _resources(), _numbers(), _descriptions())


def bad_service_settings() -> st.SearchStrategy[tuple[Settings, str]]:
    """Arguments of `AksWebservice.deploy_configuration` that are refused, and a parameter that the refusal names."""
    wrong: list[st.SearchStrategy[tuple[Settings, str]]] = [_too_small(name) for name in _COUNTS]
    wrong += [_too_small(name) for name in ("cpu_cores", "memory_gb")]
    wrong += [
        st.just(({"gpu_cores": -1}, "gpu_cores")),
        st.just(({"cpu_cores": 1.0, "cpu_cores_limit": 0.5}, "cpu_cores_limit")),
        st.just(({"memory_gb": 1.0, "memory_gb_limit": 0.5}, "memory_gb_limit")),
        st.just(({"auth_enabled": True, "token_auth_enabled": True}, "token_auth_enabled")),
        st.just(({"autoscale_enabled": False}, "num_replicas")),
        _REPLICAS.map(lambda number: ({"autoscale_enabled": True, "num_replicas": number}, "num_replicas")),
        st.just(({"namespace": "Not_A_Namespace"}, "namespace")),
        *(_without_the_autoscaler(name) for name in _AUTOSCALER),
        st.just(
            (
                {"autoscale_enabled": True, "autoscale_min_replicas": 3, "autoscale_max_replicas": 2},
                "autoscale_min_replicas",
            )
        ),
    ]
    return st.builds(lambda bad, rest: ({**rest, **bad[0]}, bad[1]), st.one_of(wrong), _descriptions())


def bad_endpoint_settings() -> st.SearchStrategy[tuple[Settings, str]]:
    """Arguments of `AksEndpoint.deploy_configuration` that are refused, and a parameter that the refusal names."""
    shares = st.one_of(st.floats(max_value=-0.01, allow_nan=False), st.floats(min_value=100.01, allow_nan=False))
    return st.one_of(
        bad_service_settings(),
        shares.map(lambda share: ({"traffic_percentile": share}, "traffic_percentile")),
        bad_names().map(lambda name: ({"version_name": name}, "version_name")),
    )


def service_updates() -> st.SearchStrategy[Settings]:
    """Arguments of `AksWebservice.update` that any service takes that `service_settings` can make.

    At least one is given. Some replace pods, and are refused while an operation runs; others act at once. What containers
    ask for is not among them: whether it can be raised depends on the limits that the service has.
    """
    return _merged(_new_scaling(), _numbers(), _new_descriptions()).filter(bool)


def version_updates() -> st.SearchStrategy[Settings]:
    """Arguments of `AksEndpoint.update_version` that any version takes; shares are for `shares`."""
    return (
        service_updates().map(lambda given: {k: v for k, v in given.items() if k != "enable_app_insights"}).filter(bool)
    )


def bad_service_updates() -> st.SearchStrategy[tuple[Settings, str]]:
    """Arguments of `AksWebservice.update` that no service takes, and a parameter that the refusal names."""
    too_long = st.integers(300_001, 10**9)
    return st.one_of(
        *(_negative(name) for name in _COUNTS),
        too_long.map(lambda ms: ({"scoring_timeout_ms": ms}, "scoring_timeout_ms")),
        st.just(({"auth_enabled": True, "token_auth_enabled": True}, "token_auth_enabled")),
        _REPLICAS.map(lambda number: ({"autoscale_enabled": True, "num_replicas": number}, "num_replicas")),
        *(_without_the_autoscaler(name) for name in _AUTOSCALER),
    )


def shares(versions: Sequence[str], default: str) -> st.SearchStrategy[dict[str, float]]:
    """Percentages for an endpoint's versions, of which those beside the default add up to at most 100.

    Args:
        versions: their names.
        default: the default version's name; its own percentage may be anything.
    """
    others = [name for name in versions if name != default]

    def dealt(cuts: list[int], own: int) -> dict[str, float]:
        ends = sorted(cuts)
        parts = [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
        return {name: float(own) if name == default else float(parts.pop()) for name in versions}

    cuts = st.lists(st.integers(0, 100), min_size=len(others), max_size=len(others))
    return st.builds(dealt, cuts, st.integers(0, 100))


def instants(span: Micros = MINUTE, most: int = 20) -> st.SearchStrategy[list[Micros]]:
    """When requests are sent, from now, for `Backend.score_all`: in order, some at the same time.

    Args:
        span: the last possible one.
        most: how many there are at most.
    """
    return st.lists(st.integers(0, span).map(Micros), min_size=1, max_size=most).map(sorted)


def memory() -> st.SearchStrategy[Settings | str]:
    """What a model may be told to take in memory: `ws.simulation.profile(..., memory=…)` and `model.memory` of a scenario."""
    sizes = st.builds(
        lambda amount, unit: f"{amount}{unit}", st.integers(0, 4000), st.sampled_from(["MB", "MiB", "Mi"])
    )
    return st.one_of(sizes, st.fixed_dictionaries({"base": sizes}, optional={"per_request": sizes}))


def users(most: int = 20) -> st.SearchStrategy[Settings]:
    """Users who wait for their answers: `ws.simulation.traffic(name, **users)`, or an entry of a scenario's `traffic:`.

    Args:
        most: how many there are at most.
    """
    milliseconds = st.integers(1, 10_000).map(lambda count: f"{count}ms")
    think_times = st.one_of(
        milliseconds, st.fixed_dictionaries({"distribution": st.just("exponential"), "mean": milliseconds})
    )
    return st.fixed_dictionaries(
        {"shape": st.just("users"), "users": st.integers(1, most), "think_time": think_times},
        optional={"spawn_rate": st.floats(0.1, 1000)},
    )


# -- parts


def _merged(*parts: st.SearchStrategy[Settings]) -> st.SearchStrategy[Settings]:
    return st.tuples(*parts).map(lambda given: {name: value for part in given for name, value in part.items()})


def _texts() -> st.SearchStrategy[str]:
    return st.text(_INNER, min_size=1, max_size=32)


def _percentages() -> st.SearchStrategy[float]:
    return st.floats(0, 100, allow_nan=False)


def _scaling() -> st.SearchStrategy[Settings]:
    """An autoscaler, a fixed number of replicas, or neither: the autoscaler then, by default."""
    fixed = st.fixed_dictionaries({"num_replicas": _REPLICAS}, optional={"autoscale_enabled": st.just(False)})
    optional = {"autoscale_refresh_seconds": st.integers(1, 60), "autoscale_target_utilization": st.integers(1, 100)}
    least = st.fixed_dictionaries(
        {"autoscale_enabled": st.just(True)}, optional={"autoscale_min_replicas": _REPLICAS, **optional}
    )
    return st.one_of(st.just({}), fixed, least, _bounded(optional))


def _new_scaling() -> st.SearchStrategy[Settings]:
    """What holds whatever there was: both bounds, or a number and the autoscaler off."""
    optional = {"autoscale_refresh_seconds": st.integers(1, 60), "autoscale_target_utilization": st.integers(1, 100)}
    fixed = st.fixed_dictionaries({"autoscale_enabled": st.just(False), "num_replicas": _REPLICAS})
    return st.one_of(st.just({}), fixed, _bounded(optional))


def _bounded(optional: dict[str, st.SearchStrategy[int]]) -> st.SearchStrategy[Settings]:
    bounds = st.builds(
        lambda low, more: {
            "autoscale_enabled": True, "autoscale_min_replicas": low, "autoscale_max_replicas": low + more,
        },
        _REPLICAS, st.integers(0, 10),
    )  # fmt: skip
    return _merged(bounds, st.fixed_dictionaries({}, optional=optional))


def _resources() -> st.SearchStrategy[Settings]:
    """What a container asks for, and its limits."""

    def amounts(name: str, tenths: int) -> st.SearchStrategy[Settings]:
        asked = st.integers(1, tenths)
        limited = st.builds(
            lambda low, more: {name: low / 10, f"{name}_limit": (low + more) / 10}, asked, st.integers(0, tenths)
        )
        return st.one_of(st.just({}), asked.map(lambda low: {name: low / 10}), limited)

    return _merged(amounts("cpu_cores", 5), amounts("memory_gb", 10))


def _numbers() -> st.SearchStrategy[Settings]:
    return st.fixed_dictionaries(
        {}, optional={name: st.integers(1, highest) for name, highest in _MAXIMA.items()}
    )  # fmt: skip


def _descriptions() -> st.SearchStrategy[Settings]:
    return _merged(
        _new_descriptions(),
        st.fixed_dictionaries({}, optional={"properties": _PAIRS}),
    ).map(lambda given: {k: v for k, v in given.items() if k != "enable_app_insights"})


def _new_descriptions() -> st.SearchStrategy[Settings]:
    return st.fixed_dictionaries(
        {},
        optional={
            "tags": _PAIRS, "description": st.text(min_size=1, max_size=20), "collect_model_data": st.booleans(),
            "enable_app_insights": st.booleans(),
        },
    )  # fmt: skip


def _authentication() -> st.SearchStrategy[Settings]:
    return st.sampled_from(
        [{}, {"auth_enabled": True}, {"auth_enabled": False}, {"auth_enabled": False, "token_auth_enabled": True}]
    )


def _too_small(name: str) -> st.SearchStrategy[tuple[Settings, str]]:
    return st.integers(-100, 0).map(lambda value: ({name: value}, name))


def _negative(name: str) -> st.SearchStrategy[tuple[Settings, str]]:
    return st.integers(-100, -1).map(lambda value: ({name: value}, name))


def _without_the_autoscaler(name: str) -> st.SearchStrategy[tuple[Settings, str]]:
    return st.integers(1, 10).map(lambda value: ({name: value}, name))
