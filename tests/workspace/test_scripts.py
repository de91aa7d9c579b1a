"""Scripts as users of azureml-core wrote them: only the imports and the `Workspace` line are other ones.

Names, calls and their order are those of public notebooks; after each step stands what a reader would expect to see.
"""
# ruff: noqa: T201, PLR0915, PT012  (scripts print, are long, and have several lines under a try)

import json
import pickle
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
    CondaDependencies,
    Environment,
    InferenceConfig,
    Model,
    ResourceConfiguration,
    Webservice,
    WebserviceException,
    Workspace,
)
from akstwin.backend import ScoreRequest

SCORE = """\
import json
import os
import pickle

import numpy as np


def init():
    global model
    # AZUREML_MODEL_DIR is an environment variable created during deployment.
    model_path = os.path.join(os.getenv("AZUREML_MODEL_DIR"), "sklearn_regression_model.pkl")
    with open(model_path, "rb") as f:
        model = pickle.load(f)


def run(raw_data):
    data = np.array(json.loads(raw_data)["data"])
    result = data @ np.array(model["coef"]) + model["intercept"]
    return result.tolist()
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The notebook's folder, with a trained model."""
    monkeypatch.chdir(tmp_path)
    Path("sklearn_regression_model.pkl").write_bytes(pickle.dumps({"coef": [1.0, 2.0], "intercept": 0.5}))


@pytest.fixture
def worlds() -> Iterator[list[Workspace]]:
    """Workspaces to close."""
    opened: list[Workspace] = []
    yield opened
    for ws in opened:
        backend: Any = ws.backend
        backend.close()


def open_workspace(worlds: list[Workspace], **assumptions: Any) -> Workspace:
    """The one line that is another one."""
    ws = Workspace.simulated(seed=7, assumptions=assumptions)
    worlds.append(ws)
    return ws


def cluster_of(ws: Workspace, aks_name: str = "my-aks") -> ComputeTarget:
    """The cell that every notebook has."""
    try:
        aks_target = ComputeTarget(workspace=ws, name=aks_name)
        print("Found existing cluster, use it.")
    except ComputeTargetException:
        # Use the default configuration (can also provide parameters to customize)
        prov_config = AksCompute.provisioning_configuration()
        aks_target = ComputeTarget.create(workspace=ws, name=aks_name, provisioning_configuration=prov_config)

    if aks_target.get_status() != "Succeeded":
        aks_target.wait_for_completion(show_output=True)
    return aks_target


def test_production_deploy_to_aks(worlds: list[Workspace], capsys: pytest.CaptureFixture[str]) -> None:
    """Register, provision, deploy, score, update, delete."""
    ws = open_workspace(worlds)
    print(ws.name, ws.resource_group, ws.location, ws.subscription_id, sep="\n")

    model = Model.register(
        model_path="sklearn_regression_model.pkl",  # this points to a local file
        model_name="sklearn_regression_model.pkl",  # this is the name the model is registered as
        tags={"area": "diabetes", "type": "regression"},
        description="Ridge regression model to predict diabetes",
        workspace=ws,
    )
    print(model.name, model.id, model.version, sep="\t")
    assert (model.name, model.version, model.id) == (
        "sklearn_regression_model.pkl", 1, "sklearn_regression_model.pkl:1",
    )  # fmt: skip
    assert model.tags == {"area": "diabetes", "type": "regression"}

    conda_deps = CondaDependencies.create(
        conda_packages=["numpy", "scikit-learn==0.19.1", "scipy"], pip_packages=["azureml-defaults", "inference-schema"]
    )
    myenv = Environment(name="myenv")
    myenv.python.conda_dependencies = conda_deps
    Path("score.py").write_text(SCORE, "utf-8")
    inf_config = InferenceConfig(entry_script="score.py", environment=myenv)

    # Choose a name for your AKS cluster
    aks_name = "my-aks-9"
    started = ws.clock.now()
    aks_target = cluster_of(ws, aks_name)
    assert ws.clock.now() - started == 600_000_000  # ten minutes, for nothing
    assert aks_target.provisioning_state == "Succeeded"
    assert cluster_of(ws, aks_name).id == aks_target.id
    assert capsys.readouterr().out.count("Found existing cluster, use it.") == 1

    # Set the web service configuration (using default here)
    aks_config = AksWebservice.deploy_configuration()
    aks_service_name = "aks-service-1"
    aks_service = Model.deploy(
        workspace=ws,
        name=aks_service_name,
        models=[model],
        inference_config=inf_config,
        deployment_config=aks_config,
        deployment_target=aks_target,
    )
    assert aks_service.state == "Transitioning"
    aks_service.wait_for_deployment(show_output=True)
    print(aks_service.state)

    printed = capsys.readouterr().out
    assert printed.splitlines()[-1] == "Healthy"
    assert "Building image.." in printed
    assert 'AKS service creation operation finished, operation "Succeeded"' in printed
    assert aks_service.scoring_uri is not None
    assert aks_service.scoring_uri.endswith("/api/v1/service/aks-service-1/score")
    assert aks_service.swagger_uri == aks_service.scoring_uri.replace("score", "swagger.json")

    test_sample = json.dumps({"data": [[1, 2], [10, 9]]})
    prediction = aks_service.run(input_data=bytes(test_sample, encoding="utf8"))  # type: ignore[call-arg]  # azureml-core's name
    assert prediction == [5.5, 28.5]

    aks_service.update(
        autoscale_enabled=True, autoscale_min_replicas=2, autoscale_max_replicas=4, autoscale_target_utilization=50
    )
    aks_service.wait_for_deployment(show_output=True)
    autoscaler = aks_service.autoscaler  # type: ignore[attr-defined]  # of AksWebservice
    assert (autoscaler.min_replicas, autoscaler.max_replicas, autoscaler.target_utilization) == (2, 4, 50)
    aks_service.update(num_replicas=3, autoscale_enabled=False)
    aks_service.wait_for_deployment(show_output=True)
    assert aks_service.num_replicas == 3  # type: ignore[attr-defined]
    assert not aks_service.autoscaler.autoscale_enabled  # type: ignore[attr-defined]

    model_v2 = Model.register(
        workspace=ws, model_path="sklearn_regression_model.pkl", model_name="sklearn_regression_model.pkl"
    )
    aks_service.update(models=[model_v2], inference_config=inf_config, description="second")
    aks_service.wait_for_deployment(show_output=True)
    assert [each.version for each in aks_service.models] == [2]  # type: ignore[attr-defined]
    assert aks_service.run(test_sample) == [5.5, 28.5]
    with pytest.raises(WebserviceException, match="deployed"):
        model_v2.delete()

    aks_service.delete()
    model.delete()
    model_v2.delete()
    assert (ws.webservices, ws.models) == ({}, {})
    aks_target.delete()
    aks_target.wait_for_completion(show_output=True, is_delete_operation=True)
    assert ws.compute_targets == {}


def test_controlled_rollout(worlds: list[Workspace]) -> None:
    """The tutorial of AksEndpoint: three examples of shares, then the old version goes."""
    ws = open_workspace(worlds, image_build="30s", cluster_attach="10s")
    # deploying the model and create a new endpoint
    attach_config = AksCompute.attach_configuration(resource_group="myrg", cluster_name="mycluster")
    compute = ComputeTarget.attach(ws, "myaks", attach_config)
    compute.wait_for_completion(show_output=True)
    assert compute.is_attached

    model = Model.register(ws, "sklearn_regression_model.pkl", "sklearn_regression_model.pkl")
    Path("score.py").write_text(SCORE, "utf-8")
    inference_config = InferenceConfig(entry_script="score.py", environment=Environment("env"))
    endpoint_deployment_config = AksEndpoint.deploy_configuration(
        cpu_cores=0.1, memory_gb=0.2, enable_app_insights=True,
        tags={"sampleTag": "1"}, description="This is a sample endpoint",
        version_name="versiona", traffic_percentile=20,
    )  # fmt: skip
    endpoint_name = "mysampleendpoint"
    endpoint: Any = Model.deploy(ws, endpoint_name, [model], inference_config, endpoint_deployment_config, compute)
    endpoint.wait_for_deployment(show_output=True)
    assert (type(endpoint), endpoint.state, endpoint.description) == (
        AksEndpoint,
        "Healthy",
        "This is a sample endpoint",
    )
    assert endpoint.enable_app_insights
    first = endpoint.versions["versiona"]
    assert (first.is_default, first.version_type, first.traffic_percentile) == (True, "Control", 20)
    assert shares(ws, endpoint_name) == {"versiona": 100}

    # add another model deployment to the same endpoint as above
    version_name_add = "versionb"
    endpoint.create_version(
        version_name=version_name_add, inference_config=inference_config, models=[model],
        tags={"modelVersion": "b"}, description="my second version", traffic_percentile=10,
    )  # fmt: skip
    endpoint.wait_for_deployment(show_output=True)
    assert list(endpoint.versions) == ["versiona", "versionb"]
    second = endpoint.versions["versionb"]
    assert (second.is_default, second.version_type, second.traffic_percentile) == (False, "Treatment", 10)
    assert (second.tags, second.description) == ({"modelVersion": "b"}, "my second version")
    assert shares(ws, endpoint_name) == {"versiona": 90, "versionb": 10}

    # update the version's scoring traffic percentage and if it is a default or control type
    endpoint.update_version(
        version_name=endpoint.versions["versionb"].name, description="my second version update",
        traffic_percentile=40, is_default=True, is_control_version_type=True,
    )  # fmt: skip
    # Wait for the process to complete before deleting
    endpoint.wait_for_deployment(show_output=True)
    first, second = endpoint.versions["versiona"], endpoint.versions["versionb"]
    assert (first.is_default, first.version_type) == (False, "Treatment")
    assert (second.is_default, second.version_type, second.description) == (True, "Control", "my second version update")
    assert shares(ws, endpoint_name) == {"versiona": 20, "versionb": 80}
    assert endpoint.run(json.dumps({"data": [[1, 2]]})) == [5.5]

    with pytest.raises(WebserviceException, match="default"):
        endpoint.delete_version(version_name="versionb")
    # delete a version in an endpoint
    endpoint.delete_version(version_name="versiona")
    endpoint.wait_for_deployment(show_output=True)
    assert shares(ws, endpoint_name) == {"versionb": 100}
    with pytest.raises(WebserviceException, match="last version"):
        endpoint.delete_version(version_name="versionb")

    endpoint.delete()
    assert Webservice.list(ws) == []


def shares(ws: Workspace, name: str) -> dict[str, float]:
    """The effective shares of the traffic."""
    return {version: seen.traffic_share for version, seen in ws.simulation.observe(name, 1).versions.items()}


def test_keys_and_tokens(worlds: list[Workspace]) -> None:
    """Rotate keys one after the other, then go over to tokens and back."""
    ws = open_workspace(worlds, token_lifetime="12h", token_refresh="10h")  # noqa: S106 - a time
    compute_target = cluster_of(ws)
    Path("echo.py").write_text("def init():\n    pass\n\ndef run(data):\n    return data\n", "utf-8")
    inference_config = InferenceConfig(entry_script="echo.py", environment=Environment("env"))
    deployment_config = AksWebservice.deploy_configuration(
        cpu_cores=1, memory_gb=1, auth_enabled=True, primary_key="first-primary"
    )
    service: Any = Model.deploy(ws, "myservice", [], inference_config, deployment_config, compute_target)
    service.wait_for_deployment(show_output=True)

    primary, secondary = service.get_keys()
    assert primary == "first-primary"
    assert len(secondary) == 32

    def call(key: str) -> int:
        headers = (("Content-Type", "application/json"), ("Authorization", "Bearer " + key))
        return ws.backend.score("myservice", ScoreRequest(b'"hi"', headers)).status

    ws.simulation.advance("1m")
    assert [call(primary), call(secondary)] == [200, 200]

    # clients have gone over to the secondary key: change the primary, then the other way round
    service.regen_key("Primary")
    new_primary, same = service.get_keys()
    assert same == secondary
    assert new_primary != primary
    assert [call(primary), call(secondary), call(new_primary)] == [401, 200, 200]
    service.regen_key("Secondary", set_key="my-own-secondary")
    assert service.get_keys() == (new_primary, "my-own-secondary")
    assert [call(secondary), call("my-own-secondary"), call(new_primary)] == [401, 200, 200]
    with pytest.raises(WebserviceException, match="Primary or Secondary"):
        service.regen_key("Tertiary")
    assert service.run("hi") == "hi"

    with pytest.raises(WebserviceException):
        service.get_access_token()
    service.update(token_auth_enabled=True, auth_enabled=False)
    service.wait_for_deployment(show_output=True)
    ws.simulation.advance("1m")
    with pytest.raises(WebserviceException):
        service.get_keys()
    with pytest.warns(DeprecationWarning, match="get_access_token"):
        token, refresh_by = service.get_token()
    access_token = service.get_access_token()
    assert access_token.expiry_on > access_token.refresh_after == refresh_by
    assert [call(token), call(access_token.access_token), call(new_primary)] == [200, 200, 401]
    assert service.run("hi") == "hi"

    ws.simulation.advance("12h")
    assert call(token) == 401
    assert call(service.get_access_token().access_token) == 200
    service.update(token_auth_enabled=False, auth_enabled=True)
    ws.simulation.advance("1m")
    assert service.get_keys() == (new_primary, "my-own-secondary")
    assert call(new_primary) == 200


def test_a_cluster_that_is_too_small(worlds: list[Workspace]) -> None:
    """What the provisioning cell meets when the sizes are wrong, and what a deployment meets that does not fit."""
    ws = open_workspace(worlds)
    aks_name = "aks-cluster"
    with pytest.raises(ComputeTargetException, match="agentCount"):
        prov_config = AksCompute.provisioning_configuration(vm_size="Standard_D3_v2", agent_count=2)
        ComputeTarget.create(workspace=ws, name=aks_name, provisioning_configuration=prov_config)
    with pytest.raises(ComputeTargetException, match="agentVmSize"):
        prov_config = AksCompute.provisioning_configuration(vm_size="Standard_Huge")
        ComputeTarget.create(workspace=ws, name=aks_name, provisioning_configuration=prov_config)
    assert ws.compute_targets == {}
    with pytest.raises(ComputeTargetException) as e:
        ComputeTarget(workspace=ws, name=aks_name)
    assert "ComputeTargetNotFound" in e.value.message

    prov_config = AksCompute.provisioning_configuration(
        agent_count=1, vm_size="Standard_D3_v2", cluster_purpose=AksCompute.ClusterPurpose.DEV_TEST
    )
    aks_target = ComputeTarget.create(workspace=ws, name=aks_name, provisioning_configuration=prov_config)
    model = Model.register(ws, "sklearn_regression_model.pkl", "model", model_framework=Model.Framework.SCIKITLEARN)
    with pytest.raises(WebserviceException, match="Creating"):
        Model.deploy(
            ws,
            "too-early",
            [model],
            deployment_config=AksWebservice.deploy_configuration(),
            deployment_target=aks_target,
        )
    aks_target.wait_for_completion(show_output=True)
    assert aks_target.agent_count == 1
    assert aks_target.cluster_purpose == "DevTest"

    aks_config = AksWebservice.deploy_configuration(cpu_cores=4, memory_gb=4)
    service: Any = Model.deploy(ws, "does-not-fit", [model], None, aks_config, aks_target)
    with pytest.raises(WebserviceException) as failed:
        service.wait_for_deployment(show_output=True)
    assert "Unschedulable" in failed.value.message
    assert "0/1 nodes are available: 1 Insufficient cpu." in failed.value.message
    assert service.state == "Unschedulable"
    assert "pod_unschedulable" in service.get_logs(init=True)
    with pytest.raises(WebserviceException, match="not an address"):
        service.run("{}")

    service.update(cpu_cores=0.5, memory_gb=1)
    service.wait_for_deployment(show_output=True)
    assert (service.state, service.error) == ("Healthy", None)
    assert service.deployment_status["availableReplicas"] == 1


def test_finding_and_deleting_everything(worlds: list[Workspace]) -> None:
    """List with filters, look up, tag, and the cleaning cell at the end."""
    ws = open_workspace(worlds, image_build="10s")
    target = cluster_of(ws)
    models = [
        Model.register(ws, "sklearn_regression_model.pkl", name, tags={"area": area}, model_framework="ScikitLearn")
        for name, area in (("fraud", "money"), ("churn", "people"), ("fraud", "money"))
    ]
    assert [each.id for each in models] == ["fraud:1", "churn:1", "fraud:2"]
    assert {each.id for each in Model.list(ws)} == {"fraud:1", "churn:1", "fraud:2"}
    assert {each.id for each in Model.list(ws, latest=True)} == {"churn:1", "fraud:2"}
    assert [each.id for each in Model.list(ws, tags=[["area", "people"]])] == ["churn:1"]
    assert Model(ws, name="fraud").version == 2
    assert Model(ws, name="fraud", version=1).id == Model(ws, id="fraud:1").id
    with pytest.raises(WebserviceException, match="ModelNotFound"):
        Model(ws, name="fraud", version=3)
    assert ws.models["fraud"].version == 2

    for name, model, tags in (
        ("fraud-a", models[0], {"team": "red"}),
        ("fraud-b", models[2], {"team": "blue"}),
        ("churn", models[1], {"team": "red"}),
    ):
        config = AksWebservice.deploy_configuration(
            cpu_cores=0.1, memory_gb=0.5, num_replicas=1, tags=tags, properties={"owner": name}
        )
        Model.deploy(ws, name, [model], None, config, target).wait_for_deployment()

    def names(**filters: Any) -> list[str]:
        return [each.name for each in Webservice.list(ws, **filters)]

    assert names() == ["churn", "fraud-a", "fraud-b"]
    assert names(compute_type="AKS") == names(compute_type="aks") == names()
    assert names(compute_type="ACI") == names(compute_type="AKSENDPOINT") == []
    assert names(model_name="fraud") == ["fraud-a", "fraud-b"]
    assert names(model_id="fraud:2") == ["fraud-b"]
    assert names(tags=["team"]) == names()
    assert names(tags=[["team", "red"]]) == ["churn", "fraud-a"]
    assert names(tags=[["team", "red"]], model_name="fraud") == ["fraud-a"]
    assert names(properties=[["owner", "churn"]]) == ["churn"]
    with pytest.raises(WebserviceException, match="compute_type"):
        Webservice.list(ws, compute_type="LOCAL")

    service: Any = Webservice(workspace=ws, name="fraud-a")
    same = AksWebservice(ws, "fraud-a")
    assert type(service) is type(same) is AksWebservice
    service.add_tags({"stage": "test"})
    service.remove_tags(["team"])
    service.add_properties({"run": "17"})
    assert (service.tags, service.properties) == ({"stage": "test"}, {"owner": "fraud-a", "run": "17"})
    assert same.tags == {"team": "red"}
    same.update_deployment_state()
    assert same.tags == {"stage": "test"}
    with pytest.raises(WebserviceException, match="run"):
        service.add_properties({"run": "18"})
    with pytest.raises(WebserviceException, match="WebserviceNotFound"):
        Webservice(ws, name="fraud-c")
    with pytest.raises(WebserviceException, match=r"unable to poll\. Current state is Healthy"):
        Webservice(ws, name="churn").wait_for_deployment(show_output=True)
    document = service.serialize()
    assert json.loads(json.dumps(document)) == document
    assert "fraud-a" in repr(service)

    with pytest.raises(ComputeTargetException, match="has services"):
        target.delete()
    for webservice in Webservice.list(ws):
        print("Deleting", webservice.name)
        webservice.delete()
    for registered in Model.list(ws):
        registered.delete()
    assert (Webservice.list(ws), Model.list(ws)) == ([], [])


def test_environments(worlds: list[Workspace]) -> None:
    """From a conda file, from a pip file, registered, found again, cloned and deployed."""
    ws = open_workspace(worlds)
    myenv = CondaDependencies()
    myenv.add_conda_package("scikit-learn==0.20.3")
    myenv.add_pip_package("azureml-defaults>=1.0.45")
    Path("myenv.yml").write_text(myenv.serialize_to_string(), "utf-8")
    Path("requirements.txt").write_text("azureml-defaults\nnumpy\n", "utf-8")

    env = Environment.from_conda_specification(name="sklearn-env", file_path="myenv.yml")
    assert env.python.conda_dependencies is not None
    assert "scikit-learn==0.20.3" in list(env.python.conda_dependencies.conda_packages)
    env.environment_variables = {"MESSAGE": "from the environment"}
    registered = env.register(workspace=ws)
    assert (registered.name, registered.version) == ("sklearn-env", "1")
    assert env.register(workspace=ws).version == "1"  # nothing has changed
    env.environment_variables["MESSAGE"] = "changed"
    assert env.register(workspace=ws).version == "2"
    restored = Environment.get(workspace=ws, name="sklearn-env", version="1")
    assert restored.environment_variables == {"MESSAGE": "from the environment"}
    assert Environment.get(ws, "sklearn-env").version == "2"

    pip_env = Environment.from_pip_requirements(name="pip-env", file_path="requirements.txt")
    pip_env.register(ws)
    copy = restored.clone("my-own")
    copy.register(ws)
    own = {name for name in Environment.list(ws) if not name.startswith("AzureML-")}
    assert own == {"my-own", "pip-env", "sklearn-env"} < set(ws.environments) == set(Environment.list(ws))
    with pytest.raises(WebserviceException):
        Environment.get(ws, "sklearn-env", version="3")
    with pytest.raises(WebserviceException):
        Environment.get(ws, "nobody")

    Path("score.py").write_text(
        "import os\ndef init():\n    pass\ndef run(data):\n    return os.environ['MESSAGE']\n", "utf-8"
    )
    inference_config = InferenceConfig(entry_script="score.py", environment=restored)
    target = cluster_of(ws)
    service: Any = Model.deploy(
        ws, "with-env", [], inference_config, AksWebservice.deploy_configuration(num_replicas=1), target
    )
    service.wait_for_deployment(True)
    assert service.run("") == "from the environment"
    assert service.environment.name == "sklearn-env"
    assert service.environment.version == "1"
    service.update(
        inference_config=InferenceConfig(entry_script="score.py", environment=Environment.get(ws, "sklearn-env"))
    )
    service.wait_for_deployment(True)
    assert service.run("") == "changed"


def test_a_service_has_a_thousand_models_at_most(worlds: list[Workspace]) -> None:
    """As many as a container can hold (semantics §2.1); the refusal says how many there are."""
    ws = open_workspace(worlds)
    target = cluster_of(ws)
    Path("model.txt").write_text("1")
    models = [Model.register(ws, model_path="model.txt", model_name=f"m{number}") for number in range(1001)]
    Path("score.py").write_text("def init(): pass\ndef run(data): return 1\n")
    config = InferenceConfig("score.py", environment=Environment("e"))
    configuration = AksWebservice.deploy_configuration(num_replicas=1)
    with pytest.raises(WebserviceException, match="models: 1001 models are more than the 1000"):
        Model.deploy(ws, "many", models, config, configuration, target)
    service = Model.deploy(ws, "many", models[1:], config, configuration, target)
    service.wait_for_deployment()
    assert (service.state, len(service.models)) == ("Healthy", 1000)


def test_a_model_of_a_known_framework_without_a_script(worlds: list[Workspace]) -> None:
    """No-code deployment: the framework brings the container, which the twin has not; its answers are told."""
    ws = open_workspace(worlds)
    model = Model.register(
        workspace=ws,
        model_name="my-sklearn-model",
        model_path="./sklearn_regression_model.pkl",
        model_framework=Model.Framework.SCIKITLEARN,
        model_framework_version="0.19.1",
        resource_configuration=ResourceConfiguration(cpu=1, memory_in_gb=0.5),
        description="Ridge regression model to predict diabetes progression.",
        tags={"area": "diabetes", "type": "regression"},
    )
    assert (model.model_framework, model.model_framework_version) == ("ScikitLearn", "0.19.1")
    assert model.resource_configuration is not None
    assert (model.resource_configuration.cpu, model.resource_configuration.memory_in_gb) == (1, 0.5)

    aks_target = cluster_of(ws)
    service_name = "my-sklearn-service"
    ws.simulation.profile(
        service_name, service_time="20ms", reply=lambda body: {"result": [sum(row) for row in json.loads(body)["data"]]}
    )
    service: Any = Model.deploy(ws, service_name, [model], deployment_target=aks_target)
    service.wait_for_deployment(show_output=True)
    input_payload = json.dumps({"data": [[1, 2], [3, 4]], "method": "predict"})
    output = service.run(input_payload)
    assert output == {"result": [3, 7]}
    assert service.environment is None
    assert [each.id for each in service.models] == ["my-sklearn-model:1"]

    unknown = Model.register(ws, "sklearn_regression_model.pkl", "no-framework")
    for models in ([unknown], [model, model], []):
        with pytest.raises(WebserviceException, match="inference_config"):
            Model.deploy(ws, "no-code", models, deployment_target=aks_target)
    service.delete()


def test_a_source_directory(worlds: list[Workspace]) -> None:
    """Helper modules in a folder; with an environment, and in the old way without one."""
    ws = open_workspace(worlds, image_build="10s")
    source_directory = "source_directory"
    for name, text in {
        "x/y/score.py": "import helloworld\nfrom extra import add\n\ndef init():\n    global greeting\n"
        "    greeting = helloworld.helloworld()\n\n"
        "def run(raw_data):\n    return [greeting, add(1, 2)]\n",
        "helloworld.py": "def helloworld():\n    return 'Hello, world'\n",
        "extra.py": "def add(a, b):\n    return a + b\n",
        "env/myenv.yml": "name: project_environment\ndependencies:\n  - python=3.8\n  - pip:\n    - azureml-defaults\n",
    }.items():
        path = Path(source_directory, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    aks_target = cluster_of(ws)
    aks_config = AksWebservice.deploy_configuration(num_replicas=1)

    inference_config = InferenceConfig(
        entry_script="x/y/score.py", source_directory=source_directory,
        environment=Environment.from_conda_specification("myenv", f"{source_directory}/env/myenv.yml"),
    )  # fmt: skip
    service: Any = Model.deploy(ws, "with-env", [], inference_config, aks_config, aks_target)
    service.wait_for_deployment(True)
    assert service.run("{}") == ["Hello, world", 3]

    with pytest.warns(DeprecationWarning, match="runtime, conda_file"):
        old_config = InferenceConfig(
            source_directory=source_directory, runtime="python", entry_script="x/y/score.py", conda_file="env/myenv.yml"
        )
    old: Any = Model.deploy(ws, "old-way", [], old_config, aks_config, aks_target)
    old.wait_for_deployment(True)
    assert old.run("{}") == ["Hello, world", 3]

    bare = InferenceConfig(entry_script="x/y/score.py", source_directory=source_directory)
    plain: Any = Model.deploy(ws, "no-env", [], bare, aks_config, aks_target)
    plain.wait_for_deployment(True)
    assert plain.run("{}") == ["Hello, world", 3]

    Path(source_directory, "helloworld.py").write_text("def helloworld():\n    return 'Bonjour'\n", "utf-8")
    service.update(inference_config=inference_config)
    service.wait_for_deployment(True)
    assert service.run("{}") == ["Bonjour", 3]
    assert plain.run("{}") == ["Hello, world", 3]


def test_files_of_models_come_back(worlds: list[Workspace]) -> None:
    """Register a folder, download it, find its path, change its tags."""
    ws = open_workspace(worlds)
    Path("outputs", "model").mkdir(parents=True)
    Path("outputs", "model", "weights.bin").write_bytes(bytes(range(256)))
    Path("outputs", "model", "vocab.txt").write_text("a b c", "utf-8")
    registered = Model.register(
        workspace=ws, model_path="outputs/model", model_name="folder-model", properties={"accuracy": "0.91"}
    )

    model = Model(ws, "folder-model")
    path = model.download(target_dir="downloaded", exist_ok=False)
    assert Path(path, "weights.bin").read_bytes() == bytes(range(256))
    assert Path(path, "vocab.txt").read_text("utf-8") == "a b c"
    with pytest.raises(WebserviceException, match="exist_ok"):
        model.download(target_dir="downloaded")
    assert Path(Model.get_model_path("folder-model", _workspace=ws), "vocab.txt").is_file()

    model.add_tags({"quality": "good"})
    model.add_tags({"quality": "better", "stage": "prod"})
    model.remove_tags("stage")
    model.add_properties({"loss": "0.2"})
    model.update(description="a folder")
    again = Model(ws, id=registered.id)
    assert (again.tags, again.properties, again.description) == (
        {"quality": "better"}, {"accuracy": "0.91", "loss": "0.2"}, "a folder",
    )  # fmt: skip
    with pytest.raises(WebserviceException, match="accuracy"):
        model.add_properties({"accuracy": "1.0"})
    for wrong in ("../outside.txt", "nowhere.txt"):
        with pytest.raises(WebserviceException, match="model_path"):
            Model.register(ws, wrong, "wrong")
    document = again.serialize()
    assert json.loads(json.dumps(document)) == document


def test_deploying_again_under_the_same_name(worlds: list[Workspace]) -> None:
    """Refused without `overwrite`; with it, everything is new but the keys."""
    ws = open_workspace(worlds, image_build="10s")
    target = cluster_of(ws)
    for name, answer in (("one.py", 1), ("two.py", 2)):
        Path(name).write_text(f"def init():\n    pass\ndef run(data):\n    return {answer}\n", "utf-8")
    env = Environment("env")
    config = AksWebservice.deploy_configuration(num_replicas=1, tags={"round": "1"}, collect_model_data=True)
    service: Any = Model.deploy(ws, "again", [], InferenceConfig("one.py", environment=env), config, target)
    with pytest.raises(WebserviceException, match="409"):
        Model.deploy(ws, "again", [], InferenceConfig("two.py", environment=env), config, target, overwrite=True)
    service.wait_for_deployment(show_output=True)
    assert service.run("") == 1
    keys = service.get_keys()

    with pytest.raises(WebserviceException, match="409"):
        Model.deploy(ws, "again", [], InferenceConfig("two.py", environment=env), config, target)
    assert service.run("") == 1
    config = AksWebservice.deploy_configuration(num_replicas=2, tags={"round": "2"})
    service = Model.deploy(ws, "again", [], InferenceConfig("two.py", environment=env), config, target, overwrite=True)
    service.wait_for_deployment(show_output=True)

    assert service.run("") == 2
    assert (service.num_replicas, service.tags, service.data_collection.storage_enabled) == (2, {"round": "2"}, False)
    assert service.get_keys() == keys
    service.delete()
    service = Model.deploy(ws, "again", [], InferenceConfig("one.py", environment=env), config, target)
    service.wait_for_deployment(show_output=True)
    assert service.run("") == 1
    assert service.get_keys() != keys
