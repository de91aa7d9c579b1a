"""What scripts do: register, create a cluster, deploy, wait, score; and what that sends."""

import tarfile
from pathlib import Path
from typing import Any

from akstwin import (
    AksCompute,
    AksEndpoint,
    AksWebservice,
    ComputeTarget,
    Environment,
    InferenceConfig,
    Model,
    Webservice,
    Workspace,
)


def test_a_service_from_nothing_to_an_answer(ws: Workspace, backend: Any) -> None:
    """The whole path of azureml-core's first example."""
    target = ComputeTarget.create(ws, "aks", AksCompute.provisioning_configuration(agent_count=3))
    target.wait_for_completion(show_output=True)
    registered = Model.register(ws, model_path="model.pkl", model_name="fraud-model")
    script = InferenceConfig(entry_script="score.py", environment=Environment("env"))

    service = Model.deploy(ws, "fraud", [registered], script, AksWebservice.deploy_configuration(), target)
    service.wait_for_deployment(show_output=True)

    assert isinstance(service, AksWebservice)
    assert service.state == "Healthy"
    assert service.run('{"data": []}') == [1]
    assert ws.webservices.keys() == {"fraud"}
    (payload,) = backend.said("create_service")
    assert payload["computeName"] == "aks"
    assert payload["environmentImageRequest"]["modelIds"] == ["fraud-model:1"]
    service.delete()
    assert ws.webservices == {}


def test_the_script_is_named_by_the_environment(ws: Workspace, model: Model, backend: Any) -> None:
    """Alone, it is uploaded as it is."""
    script = InferenceConfig("score.py", environment=Environment("env"))

    Model.deploy(ws, "fraud", [model], script, AksWebservice.deploy_configuration(), deployment_target=None)

    request = backend.said("create_service")[0]["environmentImageRequest"]
    container = request["assets"][0]["url"].split("/")[-2]
    assert request["assets"] == [
        {
            "id": "score.py",
            "url": f"aml://artifact/LocalUpload/{container}/score.py",
            "mimeType": "application/octet-stream",
        }
    ]
    assert request["environment"]["environmentVariables"] == {"AZUREML_ENTRY_SCRIPT": "score.py"}


def test_a_source_directory_is_packed(ws: Workspace, model: Model, backend: Any) -> None:
    """With its own name on top, and the same bytes each time."""
    source = Path("source")
    (source / "inner").mkdir(parents=True)
    (source / "inner" / "score.py").write_text("def init(): ...\ndef run(data): ...\n")
    (source / "__pycache__").mkdir()
    (source / "__pycache__" / "score.pyc").write_bytes(b"cache")
    script = InferenceConfig("inner/score.py", source_directory="source")

    first = script.environment_image_request(ws, "fraud", [model.id])
    second = script.environment_image_request(ws, "fraud", [model.id])

    assert first == second
    (asset,) = first["assets"]
    assert asset["unpack"]
    assert first["environment"]["name"] == "fraud-env"
    assert first["environment"]["environmentVariables"] == {
        "AZUREML_ENTRY_SCRIPT": "source/inner/score.py",
        "AZUREML_SOURCE_DIRECTORY": "source",
    }
    with tarfile.open(backend.folder / asset["url"].removeprefix("aml://artifact/")) as tar:
        assert tar.getnames() == ["source", "source/inner/score.py"]


def test_an_endpoint_and_its_versions(ws: Workspace, model: Model, backend: Any) -> None:
    """Split, default and control."""
    script = InferenceConfig("score.py")
    endpoint = Model.deploy(
        ws, "fraud", [model], script, AksEndpoint.deploy_configuration(version_name="blue", traffic_percentile=100)
    )
    assert isinstance(endpoint, AksEndpoint)

    endpoint.create_version("green", models=[model], inference_config=script, traffic_percentile=10, cpu_cores=1)
    endpoint.wait_for_deployment()
    endpoint.update_version("green", traffic_percentile=20, is_default=True)

    assert list(endpoint.versions) == ["blue", "green"]
    assert endpoint.versions["green"].traffic_percentile == 20
    assert backend.said("patch_service")[-1] == (
        "fraud",
        [
            {"op": "replace", "path": "/versions/blue/isDefault", "value": False},
            {"op": "replace", "path": "/versions/green/isDefault", "value": True},
            {"op": "replace", "path": "/versions/green/trafficPercentile", "value": 20},
        ],
    )
    endpoint.delete_version("blue")
    assert list(endpoint.versions) == ["green"]
    assert isinstance(Webservice(ws, "fraud"), AksEndpoint)
