"""What the strategies make is taken, or refused, as they say."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from akstwin import AksEndpoint, AksWebservice, WebserviceException
from akstwin.clock import SECOND
from akstwin.domain.deployment import DeployArguments, check_name
from akstwin.domain.service import split_of
from akstwin.domain.workload import ClosedLoopUsers
from akstwin.errors import InvalidSetting
from akstwin.scenarios.load import prepare
from akstwin.testing import strategies
from akstwin.testing.trial import Trial

LIVED = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
VERSIONS = ("blue", "green", "red")


@given(strategies.names())
def test_names_are_names(name: str) -> None:
    """By the service's own rule."""
    check_name("name", name)


@given(strategies.bad_names())
def test_bad_names_are_none(name: str) -> None:
    """By the service's own rule."""
    with pytest.raises(InvalidSetting):
        check_name("name", name)


@given(strategies.service_settings())
def test_service_settings_are_taken(given_: dict[str, Any]) -> None:
    """By the SDK, and by the service."""
    AksWebservice.deploy_configuration(**given_)
    DeployArguments(**given_).settings()


@given(strategies.endpoint_settings())
def test_endpoint_settings_are_taken(given_: dict[str, Any]) -> None:
    """By the SDK."""
    assert AksEndpoint.deploy_configuration(**given_).version_name == given_["version_name"]


@given(strategies.bad_service_settings())
def test_bad_service_settings_are_refused(bad: tuple[dict[str, Any], str]) -> None:
    """With the name of the parameter."""
    given_, name = bad
    with pytest.raises(WebserviceException, match=name):
        AksWebservice.deploy_configuration(**given_)


@given(strategies.bad_endpoint_settings())
def test_bad_endpoint_settings_are_refused(bad: tuple[dict[str, Any], str]) -> None:
    """With the name of the parameter."""
    given_, name = bad
    with pytest.raises(WebserviceException, match=name):
        AksEndpoint.deploy_configuration(**given_)


@given(strategies.shares(VERSIONS, "green"))
def test_shares_can_be_given_together(shares: dict[str, float]) -> None:
    """The default gets what is left, and never less than nothing."""
    assert list(shares) == list(VERSIONS)
    left = split_of(dict(shares), "green").shares()
    assert min(left.values()) >= 0
    assert sum(left.values()) == pytest.approx(100)


@given(strategies.instants(span=SECOND, most=5))
def test_instants_never_go_back(instants: list[int]) -> None:
    """As `score_all` wants them."""
    assert instants == sorted(instants)
    assert 1 <= len(instants) <= 5
    assert 0 <= instants[0] <= instants[-1] <= SECOND


@given(strategies.memory(), strategies.users(most=7))
def test_memory_and_users_are_taken_by_a_scenario(memory: Any, users: dict[str, Any]) -> None:
    """As they stand."""
    written = {
        "duration": "1m",
        "webservice": {"name": "fraud", "deploy": {"num_replicas": 1}, "model": {"memory": memory}},
        "traffic": [users],
    }
    scenario = prepare(written, Path("drawn.yaml")).scenario
    assert scenario.webservice is not None
    assert scenario.webservice.model.memory is not None
    (entry,) = scenario.traffic
    assert isinstance(entry, ClosedLoopUsers)
    assert 1 <= entry.users <= 7


@LIVED
@given(strategies.memory(), strategies.users())
def test_a_simulated_workspace_takes_them(
    make: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory, memory: Any, users: dict[str, Any]
) -> None:
    """What is told of a running service, and who calls it from then on."""
    backend = make()
    trial = Trial(backend, tmp_path_factory.mktemp("trial"))
    service = trial.deploy()
    backend.simulation.profile(service.name, memory=memory)
    called = backend.simulation.traffic(service.name, **users)
    backend.simulation.advance("2s")
    assert (called.users, called.running) == (users["users"], True)


@LIVED
@given(strategies.service_settings(), strategies.service_updates(), strategies.bad_service_updates())
def test_services_live_with_them(
    make: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory, first: Any, then: Any, bad: Any
) -> None:
    """A service comes up with such settings, takes such an update, and refuses a bad one."""
    backend = make()
    trial = Trial(backend, tmp_path_factory.mktemp("trial"))
    service = trial.begin(**first) if "num_replicas" in first else trial.begin(num_replicas=None, **first)
    trial.wait(service)
    assert service.state == "Healthy"
    service.update(**then)
    trial.wait(service)
    assert service.state == "Healthy"
    given_, name = bad
    with pytest.raises(WebserviceException, match=name):
        service.update(**given_)
    backend.close()


@LIVED
@given(strategies.endpoint_settings(), strategies.version_settings(), strategies.version_updates())
def test_endpoints_live_with_them(
    make: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory, first: Any, second: Any, then: Any
) -> None:
    """An endpoint takes such a version beside its first one, and such an update of it."""
    backend = make()
    trial = Trial(backend, tmp_path_factory.mktemp("trial"))
    settings_ = {name: value for name, value in first.items() if name != "version_name"}
    endpoint = trial.deploy_endpoint(first["version_name"], **settings_)
    added = f"{first['version_name'][:30]}2"
    trial.add_version(endpoint, added, **second)
    endpoint.update_version(added, **then)
    trial.wait(endpoint)
    assert endpoint.state == "Healthy"
    backend.close()


def test_only_the_strategies_need_hypothesis(tmp_path: Path) -> None:
    """The rest of `akstwin.testing` works where it is not installed, and `akstwin` imports none of it."""
    program = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "import akstwin; akstwin.Workspace\n"
        "assert 'akstwin.testing' not in sys.modules\n"
        "import akstwin.testing; akstwin.testing.promises()\n"
        "assert not [name for name in sys.modules if name.startswith(('akstwin.sim', 'akstwin.scenarios'))]\n"
        "try:\n    import akstwin.testing.strategies\nexcept ModuleNotFoundError as error:\n    print(error.name)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "hypothesis"
