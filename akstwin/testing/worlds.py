"""Strategies for scenarios of a rollout: traffic, deployments, faults, what is wrong with the version, quiet windows, restarts.

Features are switched on and off as in swarm testing (Groce and others, ISSTA 2012): each scenario has some of them only, so that
one does not hide what another would have shown.
"""

from collections.abc import Collection
from typing import Any, Final

from hypothesis import strategies as st

Document = dict[str, Any]
MINUTES: Final = 40
_FEATURES: Final = ("faults", "scaling", "shared", "missing", "restart", "change", "retries")


def traffic(least: int = 2, most: int = 12) -> st.SearchStrategy[list[Document]]:
    """A scenario's `traffic:`: even, by chance, or in steps.

    Args:
        least: requests per second, at least.
        most: requests per second, at most.
    """
    rates = st.integers(least, most)
    even = st.builds(
        lambda shape, rate: {"shape": shape, "rate": rate}, st.sampled_from(["poisson", "constant"]), rates
    )
    steps = st.builds(
        lambda low, high, begin, length: {
            "shape": "steps",
            "rate": [low, high, low],
            "at": ["0s", f"{begin}m", f"{begin + length}m"],
        },
        rates, rates, st.integers(2, 15), st.integers(2, 10),
    )  # fmt: skip
    return st.one_of(even, steps).map(lambda entry: [entry])


def configurations() -> st.SearchStrategy[Document]:
    """How a version is deployed: a fixed number of replicas, or an autoscaler."""
    fixed = st.integers(2, 3).map(lambda replicas: {"num_replicas": replicas})
    bounds = st.integers(2, 4).map(lambda most: {"autoscale_min_replicas": 2, "autoscale_max_replicas": most})
    return st.one_of(fixed, bounds)


def faults(version: str) -> st.SearchStrategy[list[Document]]:
    """A scenario's `faults:`: up to two, of the kinds that hit one version or a node."""
    at = st.integers(1, 25).map(lambda minute: f"{minute}m")
    lasts = st.integers(1, 5).map(lambda minutes: f"{minutes}m")
    kinds = st.one_of(
        st.builds(lambda at, version: {"kind": "replica_kill", "at": at, "version": version}, at, st.just(version)),
        st.builds(
            lambda at, lasts, factor: {
                "kind": "slow_replica", "at": at, "lasts": lasts, "factor": factor, "version": version,
            },
            at, lasts, st.integers(2, 5),
        ),
        st.builds(lambda at, lasts: {"kind": "node_loss", "at": at, "lasts": lasts, "node": 1}, at, lasts),
    )  # fmt: skip
    return st.lists(kinds, min_size=1, max_size=2)


def model_changes() -> st.SearchStrategy[Document]:
    """What is different about the version's model: nothing, failures, longer times, a slow start."""
    return st.one_of(
        st.just({}),
        st.sampled_from([0.005, 0.02, 0.05, 0.2, 0.5]).map(lambda rate: {"failure_rate": rate}),
        st.sampled_from(["60ms", "100ms", "200ms"]).map(lambda time: {"service_time": time}),
        st.sampled_from(["20s", "90s"]).map(lambda time: {"init_time": time}),
    )


@st.composite
def rollouts(
    draw: st.DrawFn, version: str = "green", control: str = "blue", *, always: Collection[str] = ()
) -> Document:
    """Scenarios of a rollout that is to come: `version` has no traffic yet, `control` is the default.

    Beside a scenario's own settings there may be `x-missing`, when the policy's figures are missing, and `x-restart`, looks
    before which its process ends (`akstwin.testing.properties.run_scenario`).

    Args:
        draw: hypothesis's.
        version: whom the rollout moves.
        control: the default version.
        always: features that every scenario has; each of the others is in half of them: `faults`, `scaling`, `shared` (failures
            of both versions), `missing` (figures), `restart`, `change` (of the version's model), `retries`.
    """
    on = {feature for feature in _FEATURES if feature in always or draw(st.booleans(), label=feature)}
    model = {"service_time": "50ms"}
    shared = {"failure_rate": draw(st.sampled_from([0.01, 0.1]))} if "shared" in on else {}
    change = draw(model_changes()) if "change" in on else {}
    # Failures of the version come on top of those that both have.
    failing = shared.get("failure_rate", 0.0) + change.get("failure_rate", 0.0)
    mine = {**model, **change, **({"failure_rate": failing} if failing else {})}
    fixed = st.just({"num_replicas": 3})
    deploy = configurations() if "scaling" in on else fixed
    document: Document = {
        "seed": draw(st.integers(0, 1000)),
        "duration": f"{MINUTES}m",
        "cluster": {"nodes": 4},
        "endpoint": {
            "name": "svc",
            "versions": [
                {"name": control, "deploy": {"is_default": True, **draw(deploy)}, "model": {**model, **shared}},
                {"name": version, "deploy": draw(deploy), "model": mine},
            ],
        },
        "traffic": draw(traffic()),
    }
    if "faults" in on:
        document["faults"] = draw(faults(version))
    if "retries" in on:
        document["clients"] = {"retry": {"statuses": [502, 503], "attempts": 3, "backoff": "1s"}}
    if "missing" in on:
        begin = draw(st.integers(1, 20))
        document["x-missing"] = [[f"{begin}m", f"{begin + draw(st.integers(1, 6))}m"]]
    if "restart" in on:
        document["x-restart"] = sorted(draw(st.sets(st.integers(1, 15), min_size=1, max_size=2)))
    return document
