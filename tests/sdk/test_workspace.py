"""The line of a script that names a world."""

from types import SimpleNamespace
from typing import Any

import pytest

from akstwin import Workspace
from akstwin.backend import WorkspaceIdentity
from akstwin.errors import AksError, InvalidSetting
from akstwin.sdk import workspace as module


class Installed:
    """Entry points as they might be installed."""

    def __init__(self, factories: dict[str, Any]) -> None:
        self.factories = factories

    def __call__(self, group: str, name: str | None = None) -> list[Any]:
        """Those of a name, or all."""
        assert group == "akstwin.backends"
        return [
            SimpleNamespace(name=known, load=lambda factory=factory: factory)
            for known, factory in self.factories.items()
            if name in (None, known)
        ]


@pytest.fixture
def worlds(monkeypatch: pytest.MonkeyPatch, backend: Any) -> list[dict[str, Any]]:
    """What worlds of all kinds are asked for."""
    asked: list[dict[str, Any]] = []

    def factory(**given: Any) -> Any:
        asked.append(given)
        return backend

    names = ("simulated", "scenario", "remote", "kubernetes")
    monkeypatch.setattr(module, "entry_points", Installed(dict.fromkeys(names, factory)))
    return asked


def test_who_it_is(ws: Workspace, backend: Any) -> None:
    """In Azure's terms."""
    assert (ws.name, ws.location, ws.backend, ws.clock) == ("ws", "westeurope", backend, backend.clock)
    assert ws.get_details()["id"].endswith(f"/resourceGroups/{ws.resource_group}/providers/"
                                           "Microsoft.MachineLearningServices/workspaces/ws")  # fmt: skip
    assert ws.subscription_id in repr(ws)


def test_a_backend_has_all_methods() -> None:
    """What is missing is named at once, and not when it is used."""
    with pytest.raises(InvalidSetting, match=r"^backend: .* is not a Backend: it lacks identity, clock, epoch"):
        Workspace(backend=object())  # type: ignore[arg-type]


def test_azures_own_workspaces_are_not_found() -> None:
    """The line that names the workspace is the one that users change."""
    assert not hasattr(Workspace, "get")
    assert not hasattr(Workspace, "from_config")


def test_a_simulated_world(worlds: list[dict[str, Any]]) -> None:
    """By its entry point, with keywords."""
    assumed = {"image_pull": "5s"}
    Workspace.simulated(seed=7, assumptions=assumed, script_seconds=1.0, name="mine", location="northeurope")
    Workspace.simulated()

    mine = WorkspaceIdentity("mine", location="northeurope")
    assert worlds == [
        {"seed": 7, "assumptions": assumed, "identity": mine, "script_seconds": 1.0},
        {"seed": 0, "assumptions": None, "identity": WorkspaceIdentity(), "script_seconds": 60.0},
    ]


def test_a_scenarios_world(worlds: list[dict[str, Any]]) -> None:
    """Its seed holds unless another is given; who it is cannot be said."""
    Workspace.simulated(scenario="rush.yaml")
    Workspace.simulated(seed=7, scenario={"seed": 1})

    assert worlds == [
        {"scenario": "rush.yaml", "seed": None, "assumptions": None, "script_seconds": 60.0},
        {"scenario": {"seed": 1}, "seed": 7, "assumptions": None, "script_seconds": 60.0},
    ]
    with pytest.raises(InvalidSetting, match="name: 'mine' is not taken together with scenario"):
        Workspace.simulated(scenario="rush.yaml", name="mine")


@pytest.mark.parametrize(("name", "value"), [("nme", "mine"), ("name", ""), ("name", 1)])
def test_a_wrong_identity(worlds: list[dict[str, Any]], name: str, value: Any) -> None:
    """Is refused by name and value."""
    with pytest.raises(InvalidSetting, match=f"^{name}: {value!r} is not "):
        Workspace.simulated(**{name: value})


def test_other_worlds(worlds: list[dict[str, Any]]) -> None:
    """By their entry points."""
    Workspace.connect("http://127.0.0.1:8899")
    Workspace.on_kubernetes(context="my-aks", namespace="scoring")

    assert worlds == [{"url": "http://127.0.0.1:8899"}, {"context": "my-aks", "namespace": "scoring"}]


def test_a_world_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is said to be missing, beside those that are there."""
    monkeypatch.setattr(module, "entry_points", Installed({"simulated": None}))

    with pytest.raises(AksError, match=r"Workspace.connect: .* no world called 'remote'; it has these: simulated"):
        Workspace.connect("http://127.0.0.1:8899")
    with pytest.raises(AksError, match="'kubernetes'"):
        Workspace.on_kubernetes()
    monkeypatch.setattr(module, "entry_points", Installed({}))
    with pytest.raises(AksError, match="it has these: none"):
        Workspace.simulated(scenario="rush.yaml")


def test_only_a_simulated_world_can_be_steered(ws: Workspace, backend: Any) -> None:
    """Others say so."""
    with pytest.raises(AksError, match="simulation: a Recorder is not a simulated world"):
        _ = ws.simulation
    backend.simulation = "steering"
    assert ws.simulation == "steering"


def test_what_there_is_by_name(ws: Workspace, backend: Any, model: Any) -> None:
    """Models, environments, compute targets, services."""
    backend.put_environment("env", None, {"name": "env"})
    backend.put_compute("aks", {"location": "w", "properties": {"computeType": "AKS"}})

    assert ws.models["fraud-model"].version == 1
    assert backend.said("list_models")[-1].latest
    assert ws.environments["env"].version == "1"
    assert ws.compute_targets["aks"].type == "AKS"
    assert ws.webservices == {}
