"""The report shows what was asked."""

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from akstwin.scenarios.asked import asked_of
from akstwin.scenarios.commands import run as command
from akstwin.scenarios.load import prepare

FRAUD: dict[str, Any] = {
    "name": "fraud",
    "deploy": {"num_replicas": 2, "cpu_cores": 0.5, "auth_enabled": True},
    "model": {"service_time": {"distribution": "lognormal", "mean": "80ms", "cv": 0.6}},
}
RATES: dict[str, Any] = {
    "name": "rates",
    "versions": [
        {"name": "blue", "deploy": {"num_replicas": 1}},
        {"name": "green", "deploy": {"num_replicas": 1, "traffic_percentile": 10}},
    ],
}
CLUSTER = {"nodes": 4, "vm_size": "Standard_D4s_v5"}


def asked(**document: Any) -> dict[str, str]:
    """What the report says of a scenario."""
    whole = {"duration": "1m", **document}
    return dict(asked_of(prepare(whole, Path("s.yaml")), whole))


def test_one_service_with_all_that_is_asked_of_it() -> None:
    """Cluster, version, traffic, clients, objectives and faults, in the file's own words."""
    found = asked(
        cluster={**CLUSTER, "max_nodes": 6}, webservice=FRAUD, clients={"retry": "azureml-core"},
        traffic=[{"shape": "poisson", "rate": 5}, {"shape": "steps", "rate": [1, 2], "at": ["0s", "30s"]}],
        objectives={"p99": "300ms", "survives": "any_node"}, faults=[{"kind": "node_loss", "node": 1, "at": "20s"}],
    )  # fmt: skip
    assert found == {
        "cluster": "4 to 6 nodes of Standard_D4s_v5 (4 cores and 16 GB), FastProd",
        "start": "healthy",
        "fraud": "deploy: {num_replicas: 2, cpu_cores: 0.5, auth_enabled: true}, "
        "model: {service_time: {distribution: lognormal, mean: 80ms, cv: 0.6}}",
        "traffic": "shape: poisson, rate: 5; shape: steps, rate: [1, 2], at: [0s, 30s]",
        "clients": "retry: azureml-core",
        "objectives": "p99: 300ms, survives: any_node",
        "faults": "kind: node_loss, node: 1, at: 20s",
    }


def test_several_services_each_with_its_own() -> None:
    """And the total's objectives; an endpoint's versions each."""
    found = asked(
        cluster=CLUSTER, objectives={"failed": 0.01},
        services=[{**FRAUD, "traffic": {"shape": "poisson", "rate": 5}, "objectives": {"p99": "1s"}}, RATES],
    )  # fmt: skip
    assert list(found) == [
        "cluster", "start", "fraud", "fraud: traffic", "fraud: objectives", "rates/blue", "rates/green", "total: objectives",
    ]  # fmt: skip
    assert found["rates/blue"] == "deploy: {num_replicas: 1}"
    assert found["rates/green"] == "deploy: {num_replicas: 1, traffic_percentile: 10}"
    assert found["total: objectives"] == "failed: 0.01"


def test_what_is_not_given_is_the_default() -> None:
    """A cluster is there even where the file is silent; a node may be described by what it has."""
    assert asked(webservice={"name": "fraud"})["cluster"].startswith("3 nodes of ")
    size = {"cpu_cores": 6, "memory_gb": 20}
    assert asked(cluster={"vm_size": size}, webservice=FRAUD)["cluster"] == "3 nodes of 6 cores and 20 GB, FastProd"


def test_a_long_list_is_told_by_its_beginning() -> None:
    """A week of rates would fill the page."""
    steps = {"shape": "steps", "rate": [1.5] * 500, "at": [f"{at / 10:g}s" for at in range(500)]}
    assert len(asked(webservice=FRAUD, traffic=steps)["traffic"]) < 410


@pytest.mark.parametrize("change", ["webservice.deploy.num_replicas=3"])
def test_the_command_shows_what_was_changed(tmp_path: Path, change: str) -> None:
    """The report is about the run, not about the file."""
    file = tmp_path / "s.yaml"
    file.write_text("duration: 10s\nquestion: <b>?\nwebservice: {name: fraud, deploy: {num_replicas: 1}}\n")
    report = tmp_path / "r.html"
    done = CliRunner().invoke(command, [str(file), "--set", change, "--report", str(report)])
    assert done.exit_code == 0, done.output
    page = report.read_text(encoding="utf-8")
    assert "<h2>What was asked</h2>" in page
    assert "<dt>fraud</dt><dd>deploy: {num_replicas: 3}</dd>" in page
