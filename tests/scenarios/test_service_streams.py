"""Every stream of chance of a scenario's service is named after the service, so that services disturb each other in nothing."""

from pathlib import Path

from akstwin.domain.workload import Clients, PoissonArrivals
from akstwin.scenarios.load import prepare
from akstwin.scenarios.run import run
from akstwin.sim.load.arrivals import merged
from akstwin.sim.load.request_index import RequestIdentity, split_draws
from akstwin.sim.load.retries import Retries


def test_arrivals_differ_by_service() -> None:
    """Two services of one rate do not get their requests at the same instants."""
    poisson = PoissonArrivals(shape="poisson", rate=10)
    one, two = (merged([poisson], 1, 1, service=service) for service in ("a/", "b/"))
    assert not {next(one)[0] for _ in range(500)} & {next(two)[0] for _ in range(500)}


def test_the_split_differs_by_service() -> None:
    """Nor do their requests go to the same versions by number."""
    one, two = (split_draws(1, 1, 0, 0, service) for service in ("a/", "b/"))
    assert sum(one.at(number) == two.at(number) for number in range(1000)) < 5


def test_clients_of_azureml_core_differ_by_service() -> None:
    """Nor do their clients wait for the same spans."""
    clients = Clients.model_validate({"retry": "azureml-core"})
    one, two = (Retries(clients, 1, 1, service) for service in ("a/", "b/"))
    waits = [[each.wait(RequestIdentity(0, number), 503) for number in range(200)] for each in (one, two)]
    assert waits[0] != waits[1]


def test_a_run_s_arrivals_are_those_of_its_service_s_name() -> None:
    """Renamed, a service meets other chance; of the same name, the same."""
    document = {"duration": "60s", "traffic": {"shape": "poisson", "rate": 5}}

    def requests(name: str) -> list[float]:
        result = run(prepare({**document, "webservice": {"name": name}}, Path("named.yaml")))
        return [point["rate"] for point in result["timeline"]]

    assert requests("fraud") == requests("fraud") != requests("rates")
