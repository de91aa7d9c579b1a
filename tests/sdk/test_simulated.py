"""Whole scripts on the simulated world, as a user would write them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from akstwin import (
    AksCompute,
    AksEndpoint,
    AksWebservice,
    ComputeTarget,
    ComputeTargetException,
    Environment,
    InferenceConfig,
    Model,
    Webservice,
    WebserviceException,
    Workspace,
)
from akstwin.clock import SECOND, Micros
from akstwin.errors import InvalidSetting

SCRIPT = """
import json, os

def init():
    global factor
    folder = os.environ["AZUREML_MODEL_DIR"]
    factor = int(open(os.path.join(folder, "model.txt")).read())

def run(data):
    return {"sum": factor * sum(json.loads(data)["data"])}
"""
DATA = json.dumps({"data": [1, 2]})


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    """A simulated workspace with a cluster; the current directory has a script and a model."""
    monkeypatch.chdir(tmp_path)
    Path("score.py").write_text(SCRIPT)
    Path("model.txt").write_text("10")
    workspace = Workspace.simulated(seed=7, assumptions={"image_build": "20s"})
    ComputeTarget.create(workspace, "aks", AksCompute.provisioning_configuration()).wait_for_completion()
    yield workspace
    workspace.backend.close()  # type: ignore[attr-defined]


def refused(function: Any, *given: Any, **arguments: Any) -> Any:
    """The status that a call is refused with."""
    with pytest.raises(WebserviceException) as caught:
        function(*given, **arguments)
    return caught.value.status_code


def test_a_service_lives(world: Workspace) -> None:
    """Deployed, scored, scaled, changed, deleted."""
    registered = Model.register(world, "model.txt", "factor", tags={"team": "a"})
    script = InferenceConfig("score.py", environment=Environment("env"))
    config = AksWebservice.deploy_configuration(num_replicas=2, primary_key="first", tags={"stage": "test"})
    target = ComputeTarget(world, "aks")

    service = Model.deploy(world, "fraud", [registered], script, config, target)
    assert service.state == "Transitioning"
    assert refused(service.update, cpu_cores=0.5) == 409
    service.wait_for_deployment(show_output=True)
    assert service.state == "Healthy"
    assert service.run(DATA) == {"sum": 30}
    assert service.get_keys()[0] == "first"
    service.regen_key("Primary", "other")
    assert service.run(DATA) == {"sum": 30}

    service.update(num_replicas=3, description="new")
    service.wait_for_deployment()
    service.update(cpu_cores=0.2, memory_gb=1)
    service.wait_for_deployment()
    assert (service.num_replicas, service.container_resource_requirements.cpu) == (3, 0.2)
    service.add_tags({"stage": "prod"})
    service.add_properties({"p": "1"})
    assert refused(service.add_properties, {"p": "2"}) == 400
    assert [found.tags for found in Webservice.list(world, tags=[["stage", "prod"]], model_id="factor:1")] == [
        {"stage": "prod"}
    ]
    assert Webservice.list(world, compute_type="AKSENDPOINT") == []
    assert refused(registered.delete) == 412
    assert refused(Model.deploy, world, "fraud", [registered], script, config, target) == 409
    Path("model.txt").write_text("100")
    newer = Model.register(world, "model.txt", "factor")
    service.update(models=[newer], inference_config=script)
    service.wait_for_deployment()
    assert service.run(DATA) == {"sum": 300}
    assert service.models[0].version == 2

    service.delete()
    assert world.webservices == {}
    registered.delete()


def test_requests_that_fail(world: Workspace) -> None:
    """A script that raises, a wrong key's place taken by a token, and logs that tell."""
    registered = Model.register(world, "model.txt", "factor")
    config = AksWebservice.deploy_configuration(num_replicas=1, compute_target_name="aks")
    service = Model.deploy(world, "fraud", [registered], InferenceConfig("score.py"), config)
    service.wait_for_deployment()

    assert refused(service.run, "no json") == 502
    assert "JSONDecodeError" in service.get_logs()
    service.update(auth_enabled=False, token_auth_enabled=True)
    world.clock.sleep_until(Micros(world.clock.now() + 5 * SECOND))
    assert service.run(DATA) == {"sum": 30}
    assert service.get_access_token().token_type == "Bearer"  # noqa: S105 - a word
    assert refused(service.get_keys) == 400


def test_a_deployment_that_fails(world: Workspace) -> None:
    """`init()` raises; the message and the logs say so."""
    Path("score.py").write_text("def init():\n    raise ValueError('no weights')\ndef run(data): ...\n")
    config = AksWebservice.deploy_configuration(num_replicas=1, compute_target_name="aks")
    service = Model.deploy(world, "fraud", [], InferenceConfig("score.py"), config)

    with pytest.raises(WebserviceException, match="current service state: Failed"):
        service.wait_for_deployment()

    assert service.state == "Failed"
    assert "no weights" in service.get_logs()
    service.delete()


def test_an_endpoint_lives(world: Workspace) -> None:
    """Two versions, a split, a change of the default, and one version less."""
    registered = Model.register(world, "model.txt", "factor")
    Path("source").mkdir()
    Path("source/score.py").write_text(SCRIPT.replace('"sum"', '"green"'))
    config = AksEndpoint.deploy_configuration(version_name="blue", traffic_percentile=100, compute_target_name="aks")
    endpoint = Model.deploy(world, "fraud", [registered], InferenceConfig("score.py"), config)
    assert isinstance(endpoint, AksEndpoint)
    endpoint.wait_for_deployment()

    endpoint.create_version(
        "green", models=[registered], inference_config=InferenceConfig("score.py", source_directory="source"),
        cpu_cores=0.2, num_replicas=1, traffic_percentile=40,
    )  # fmt: skip
    endpoint.wait_for_deployment()
    assert {name: version.is_default for name, version in endpoint.versions.items()} == {"blue": True, "green": False}
    answers = [next(iter(endpoint.run(DATA))) for _ in range(50)]
    assert 10 <= answers.count("green") <= 30
    assert endpoint.versions["green"].run(DATA) == {"green": 30}
    assert refused(endpoint.delete_version, "blue") == 400

    endpoint.update_version("blue", traffic_percentile=0)
    endpoint.update_version("green", is_default=True, is_control_version_type=True)
    endpoint.wait_for_deployment()
    assert endpoint.versions["green"].version_type == "Control"
    assert endpoint.versions["blue"].version_type == "Treatment"
    world.clock.sleep_until(Micros(world.clock.now() + 5 * SECOND))
    assert {next(iter(endpoint.run(DATA))) for _ in range(20)} == {"green"}
    endpoint.delete_version("blue")
    endpoint.update(tags={"a": "b"}, description="d")
    assert list(Webservice(world, "fraud").serialize()["versions"]) == ["green"]
    endpoint.delete()


def test_clusters_and_environments(world: Workspace) -> None:
    """Found, or made; registered; gone."""
    with pytest.raises(ComputeTargetException, match="ComputeTargetNotFound"):
        ComputeTarget(world, "dev")
    attached = AksCompute.attach_configuration(resource_group="g", cluster_name="c", cluster_purpose="DevTest")
    target = ComputeTarget.attach(world, "dev", attached)
    target.wait_for_completion()
    assert (target.is_attached, target.cluster_purpose) == (True, "DevTest")
    assert world.compute_targets.keys() == {"aks", "dev"}
    with pytest.raises(ComputeTargetException, match="Response Code: 400"):
        ComputeTarget.create(world, "x", AksCompute.provisioning_configuration(agent_count=1))
    target.detach()
    target.wait_for_completion(is_delete_operation=True)
    assert world.compute_targets.keys() == {"aks"}

    environment = Environment("env")
    assert environment.register(world).version == environment.register(world).version == "1"
    environment.environment_variables["A"] = "1"
    assert environment.register(world).version == "2"
    assert Environment.get(world, "env", version="1").environment_variables == {}
    assert world.environments["env"].version == "2"


def test_models_are_kept(world: Workspace, tmp_path: Path) -> None:
    """Versions, tags, files."""
    Path("m/sub").mkdir(parents=True)
    Path("m/sub/a").write_text("a")
    Path("m/b").write_text("b")
    Model.register(world, "m", "folder", tags={"team": "a"})
    second = Model.register(world, "m", "folder", properties={"p": "1"})

    assert Model(world, "folder").version == 2
    assert Model(world, "folder", tags=["team"]).version == 1
    assert [model.id for model in Model.list(world, latest=True)] == ["folder:2"]
    second.add_tags({"team": "b"})
    assert Model(world, id="folder:2").tags == {"team": "b"}
    assert Path(second.download(str(tmp_path / "out")), "sub", "a").read_text() == "a"
    second.delete()
    assert refused(Model, world, "folder", version=2) == 404


def test_equal_seeds_are_equal_worlds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys, times and answers."""
    monkeypatch.chdir(tmp_path)
    Path("score.py").write_text("def init(): ...\ndef run(data): return data\n")
    seen = []
    for seed in (7, 7, 8):
        ws = Workspace.simulated(seed=seed)
        ComputeTarget.create(ws, "aks", AksCompute.provisioning_configuration()).wait_for_completion()
        config = AksWebservice.deploy_configuration(compute_target_name="aks")
        service = Model.deploy(ws, "fraud", [], InferenceConfig("score.py"), config)
        service.wait_for_deployment()
        service.run("1")
        seen.append((service.get_keys(), ws.clock.now(), service.serialize()))
        ws.backend.close()  # type: ignore[attr-defined]
    assert seen[0] == seen[1]
    assert seen[0] != seen[2]


def test_replicas_that_no_cluster_could_hold(world: Workspace) -> None:
    """The SDK raises what the service refuses, with the limit; what merely does not fit ends Unschedulable."""
    target = ComputeTarget(world, "aks")
    Path("plain.py").write_text("def init(): ...\ndef run(data): return data\n")
    config = InferenceConfig("plain.py", environment=Environment("env"))

    def deploy(name: str, **given: Any) -> AksWebservice:
        return Model.deploy(world, name, [], config, AksWebservice.deploy_configuration(**given), target)

    with pytest.raises(WebserviceException, match="num_replicas: 1000000000 is not at most 550000"):
        deploy("huge", num_replicas=10**9)
    with pytest.raises(WebserviceException, match="autoscale_min_replicas: 1000000000 is not at most 550000"):
        deploy("huge", autoscale_enabled=True, autoscale_min_replicas=10**9, autoscale_max_replicas=10**9)
    service = deploy("fits", num_replicas=1)
    service.wait_for_deployment()
    with pytest.raises(WebserviceException, match="num_replicas: 550001 is not at most 550000"):
        service.update(num_replicas=550_001)
    pending = deploy("pending", num_replicas=500, cpu_cores=100)
    with pytest.raises(WebserviceException, match="500 replicas unschedulable"):
        pending.wait_for_deployment()


def test_uploads_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model over a limit is refused, and so is a service whose models are, together."""
    monkeypatch.chdir(tmp_path)
    Path("score.py").write_text(SCRIPT)
    Path("big").mkdir()
    Path("big/model.txt").write_bytes(b"1" * 700)
    workspace = Workspace.simulated(seed=7, max_upload_files=5, max_upload_bytes="1kB")
    ComputeTarget.create(workspace, "aks", AksCompute.provisioning_configuration()).wait_for_completion()
    models = [Model.register(workspace, "big", name) for name in ("a", "b")]
    Path("big/more.txt").write_bytes(b"1" * 700)
    with pytest.raises(WebserviceException, match=r"'1400 bytes' is not a size within max_upload_bytes, which is 1kB"):
        Model.register(workspace, "big", "c")
    for index in range(6):
        Path(f"big/{index}").write_bytes(b"")
    with pytest.raises(WebserviceException, match="6 is not a number of files and folders within max_upload_files"):
        Model.register(workspace, "big", "c")
    inference = InferenceConfig("score.py", environment=Environment("e"))
    configuration = AksWebservice.deploy_configuration(num_replicas=1)
    service = Model.deploy(workspace, "fraud", models, inference, configuration, ComputeTarget(workspace, "aks"))
    with pytest.raises(WebserviceException, match=r"model b:1: '1400 bytes' is not a size within max_upload_bytes"):
        service.wait_for_deployment()
    containers = workspace.backend.driver.containers  # type: ignore[attr-defined]
    assert [path for path in containers.rglob("*") if path.is_file()] == []
    workspace.backend.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "value"), [("max_upload_files", 0), ("max_upload_bytes", "much"), ("max_upload_bytes", 0)]
)
def test_a_limit_that_is_none_is_refused(name: str, value: Any) -> None:
    """By its name and value."""
    with pytest.raises(InvalidSetting, match=f"{name}: {value!r} is not"):
        Workspace.simulated(**{name: value})
