"""Registered models."""

from pathlib import Path
from typing import Any

import pytest

from akstwin import Model, ResourceConfiguration, WebserviceException, Workspace
from akstwin.backend import ModelQuery
from akstwin.errors import InUse


def message(function: Any, *given: Any, **arguments: Any) -> str:
    """What a call says when it refuses."""
    with pytest.raises(WebserviceException) as caught:
        function(*given, **arguments)
    return caught.value.message


def test_registering_sends_what_is_given(ws: Workspace, backend: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A file under its own name; what is not given is not sent; the container is named after time and content."""
    made = Model.register(
        ws, "model.pkl", "fraud-model", tags={"team": "a"}, properties={"p": "1"}, description="d",
        model_framework=Model.Framework.ONNX, model_framework_version="1.2",
        resource_configuration=ResourceConfiguration(cpu=1, memory_in_gb=0.5),
    )  # fmt: skip

    ((container, files),) = backend.said("upload")
    assert container.startswith("260101T000000-")
    assert files == ["model.pkl"]
    assert backend.said("create_asset") == [
        {"name": "fraud-model", "artifacts": [{"prefix": f"LocalUpload/{container}/model.pkl"}]}
    ]
    assert backend.said("register_model") == [
        {
            "name": "fraud-model", "mimeType": "application/json", "unpack": False, "datasets": [],
            "kvTags": {"team": "a"}, "properties": {"p": "1"}, "description": "d", "framework": "Onnx",
            "frameworkVersion": "1.2", "resourceRequirements": {"cpu": 1, "memoryInGB": 0.5, "gpu": None},
            "url": "aml://asset/asset-1",
        }
    ]  # fmt: skip
    assert (made.id, made.version, made.tags, made.model_framework) == ("fraud-model:1", 1, {"team": "a"}, "Onnx")
    assert made.resource_configuration == ResourceConfiguration(cpu=1, memory_in_gb=0.5)
    assert capsys.readouterr().out == "Registering model fraud-model\n"
    Model.register(ws, "model.pkl", "plain")
    assert backend.said("register_model")[-1].keys() == {"name", "mimeType", "unpack", "datasets", "url"}


def test_a_folder_is_registered_as_a_whole_or_in_part(ws: Workspace, backend: Any) -> None:
    """With its own name on top; Python's caches stay at home."""
    for name in ("m/a.txt", "m/sub/b.txt", "m/sub/c.txt", "m/__pycache__/x.pyc"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name)

    Model.register(ws, "m", "whole")
    Model.register(ws, "./m/", "part", child_paths=["sub", "sub/b.txt"])

    assert [files for _, files in backend.said("upload")] == [
        ["m/a.txt", "m/sub/b.txt", "m/sub/c.txt"],
        ["m/sub/b.txt", "m/sub/c.txt"],
    ]


@pytest.mark.parametrize(
    ("arguments", "begins"),
    [
        ({"model_name": "-x"}, "model_name: '-x' is not 1 to 255 letters"),
        ({"model_name": 3}, "model_name: 3 is not"),
        ({"model_path": "nowhere"}, "model_path: 'nowhere' is not a file or a folder"),
        ({"model_path": "/"}, "model_path: '/' is not below the current directory"),
        ({"model_path": "../project2"}, "model_path: '../project2' is not below the current directory"),
        ({"model_path": "empty"}, "model_path: 'empty' is not a folder with files"),
        ({"model_path": "linked"}, "model_path: "),
        ({"model_path": "empty", "child_paths": ["no"]}, "child_paths: 'no' is not a file or a folder in"),
        ({"model_path": "empty", "child_paths": ["../model.pkl"]}, "child_paths: '../model.pkl' is not"),
        ({"model_framework_version": "1"}, "model_framework_version: '1' is not allowed without model_framework"),
        ({"tags": ["a"]}, "tags: ['a'] is not a dictionary"),
        ({"datasets": [("train", 1)]}, "datasets is not offered here: there are no datasets"),
        ({"sample_input_dataset": 1}, "sample_input_dataset is not offered here"),
        ({"sample_output_dataset": 1}, "sample_output_dataset is not offered here"),
        ({"resource_configuration": ResourceConfiguration(cpu=-1, gpu=1.5)},  # type: ignore[arg-type]
         "cpu: -1 is not a number greater than 0\ngpu: 1.5 is not a whole number greater than 0"),
    ],
)  # fmt: skip
def test_what_is_not_registered(ws: Workspace, arguments: dict[str, Any], begins: str) -> None:
    """Each is refused by name and value, and nothing is sent."""
    Path("empty").mkdir()
    Path("linked").mkdir()
    Path("linked/loop").symlink_to("..")
    Path("../project2").mkdir()

    assert message(Model.register, ws, **{"model_path": "model.pkl", "model_name": "m", **arguments}).startswith(begins)
    assert ws.backend.calls == []  # type: ignore[attr-defined]


def test_finding_one(ws: Workspace, backend: Any, model: Model) -> None:
    """By id, by version, or the newest that fits."""
    Model.register(ws, "model.pkl", "fraud-model")

    assert Model(ws, id="fraud-model:1").version == 1
    assert Model(ws, "fraud-model", version=1).version == 1
    assert Model(ws, "fraud-model", tags=["team", ["stage", "test"]], run_id="r", model_framework="Onnx").version == 2
    assert backend.said("list_models") == [
        ModelQuery("fraud-model", "Onnx", (("team", None), ("stage", "test")), run_id="r")
    ]
    assert Model(None).id == ""
    assert "fraud-model:1" in repr(model)


def test_finding_none(ws: Workspace, backend: Any) -> None:
    """Scripts look for `ModelNotFound` in the message, or for the status."""
    assert message(Model, ws, "none", version=3).startswith("ModelNotFound: Model with name none, version 3 not found")
    assert message(Model, ws, id="none:3").startswith("ModelNotFound: Model with id none:3")
    assert message(Model, ws, "none").startswith("ModelNotFound: Model with name none")
    assert message(Model, ws).startswith("name: None is not enough")
    with pytest.raises(WebserviceException) as caught:
        Model(ws, "none")
    assert caught.value.status_code == 404


def test_listing(ws: Workspace, backend: Any, model: Model) -> None:
    """With filters as azureml-core takes them; tuples do as well."""
    assert [found.id for found in Model.list(ws, "fraud-model", latest=True, properties=[("a", "b")])] == [
        "fraud-model:1"
    ]
    assert backend.said("list_models") == [ModelQuery("fraud-model", properties=(("a", "b"),), latest=True)]
    assert message(Model.list, ws, page_count=19) == "page_count: 19 is not from 20 to 255"
    assert message(Model.list, ws, tags={"a": "b"}).startswith("tags: {'a': 'b'} is not a list of keys")
    assert (
        message(Model.list, ws, properties=[["a"]]) == "properties: ['a'] is not a key, or a list of a key and a value"
    )
    assert message(Model.list, ws, dataset_id="d").startswith("dataset_id is not offered here")


def test_changing(ws: Workspace, backend: Any, model: Model, capsys: pytest.CaptureFixture[str]) -> None:
    """Each change is sent, and the object shows what the service says."""
    model.add_tags({"team": "b", "new": "c"})
    model.remove_tags(["new", "none"])
    model.add_properties({"p": "1"})
    model.update(tags={"z": "1"}, description="d", resource_configuration=ResourceConfiguration(gpu=1))
    model.update()

    assert backend.said("patch_model") == [
        [{"op": "replace", "path": "/kvTags", "value": {"team": "b", "new": "c"}}],
        [{"op": "replace", "path": "/kvTags", "value": {"team": "b"}}],
        [{"op": "add", "path": "/properties", "value": {"p": "1"}}],
        [
            {"op": "replace", "path": "/kvTags", "value": {"z": "1"}},
            {"op": "replace", "path": "/description", "value": "d"},
            {"op": "replace", "path": "/resourceRequirements", "value": {"cpu": None, "memoryInGB": None, "gpu": 1}},
        ],
    ]
    assert (model.tags, model.properties, model.description) == ({"z": "1"}, {"p": "1"}, "d")
    assert capsys.readouterr().out.splitlines() == [
        "Replacing tag team -> a with team -> b", "Model tag add operation complete.",
        "Tag with key none not found.", "Model tag remove operation complete.",
        "Model properties add operation complete.",
    ]  # fmt: skip
    assert message(model.add_properties, {"p": "2"}) == "add_properties: 'p' is not a new property: it is '1'"
    assert message(Model(None).add_tags, {}).startswith("workspace: None is not a workspace")


def test_what_is_refused_changes_no_object(ws: Workspace, backend: Any, model: Model) -> None:
    """Its attributes stay."""
    backend.refusals["patch_model"] = InUse("no")

    assert message(model.add_tags, {"team": "b"}).startswith("Received bad response from Model Management Service:")
    assert model.tags == {"team": "a"}


def test_deleting(ws: Workspace, backend: Any, model: Model) -> None:
    """A model that is deployed stays: 412, as azureml-core's scripts expect."""
    backend.refusals["delete_model"] = InUse("fraud uses it")
    with pytest.raises(WebserviceException) as caught:
        model.delete()
    assert caught.value.status_code == 412
    assert "fraud uses it" in caught.value.message
    assert isinstance(caught.value.__cause__, InUse)
    backend.refusals.clear()
    model.delete()
    assert backend.models == {}


def test_downloading(ws: Workspace, model: Model, tmp_path: Path) -> None:
    """A file, a folder, and not over what is there."""
    assert Path(model.download("elsewhere")).read_bytes() == b"weights"
    Path("m/sub").mkdir(parents=True)
    Path("m/sub/a").write_text("a")
    Path("m/b").write_text("b")
    folder = Model.register(ws, "m", "folder").download(str(tmp_path / "out"))

    assert folder == str(tmp_path / "out" / "m")
    assert (tmp_path / "out" / "m" / "sub" / "a").read_text() == "a"
    assert message(model.download) == "exist_ok: False is not allowed here: model.pkl is there already"
    Path("model.pkl").write_bytes(b"other")
    model.download(exist_ok=True)
    assert Path("model.pkl").read_bytes() == b"weights"
    model.download(exists_ok=True)
    model.url = "elsewhere"
    assert message(model.download).startswith("url: 'elsewhere' is not aml://asset/")


def test_where_a_model_is(ws: Workspace, model: Model) -> None:
    """In a container's folder, from a workspace, or in the current directory."""
    assert Model.get_model_path("model.pkl") == "model.pkl"
    assert Model.get_model_path("fraud-model", _workspace=ws) == "azureml-models/fraud-model/1/model.pkl"
    Path("azureml-models/fraud-model/10").mkdir()
    Path("azureml-models/fraud-model/10/new.pkl").touch()
    assert Model.get_model_path("fraud-model") == "azureml-models/fraud-model/10/new.pkl"
    assert Model.get_model_path("fraud-model", 1) == "azureml-models/fraud-model/1/model.pkl"
    assert message(Model.get_model_path, "none").startswith("ModelNotFound: model_name: 'none'")
    assert message(Model.get_model_path, "fraud-model", "1") == "version: '1' is not a whole number"
    Path("azureml-models/fraud-model/10/old.pkl").touch()
    assert "holds 2 files" in message(Model.get_model_path, "fraud-model")


def test_there_and_back(ws: Workspace, model: Model) -> None:
    """The JSON form has azureml-core's keys; tags come back from it as from inside a service."""
    form = model.serialize()

    again = Model.deserialize(ws, form)

    assert (again.id, again.tags, again.created_time) == (model.id, model.tags, model.created_time)
    assert message(Model.deserialize, ws, {"id": "m:1", "name": "m"}).endswith("it lacks version, createdTime")
    assert message(Model.deserialize, ws, None) == "Model: None is not a JSON object"


def test_what_is_not_offered(ws: Workspace, model: Model) -> None:
    """Each says so."""
    assert message(Model.package, ws, [model]) == "Model.package is not offered here: use Model.deploy"
    assert message(Model.profile, ws, "p", [model], None, None).startswith("Model.profile is not offered here")
    assert message(model.get_sas_urls).startswith("Model.get_sas_urls is not offered here")
    assert message(model.add_dataset_references, []).startswith("Model.add_dataset_references is not offered here")


@pytest.mark.parametrize("values", [(None, None, None), (0.5, 1, 2)])
def test_resources_there_and_back(values: Any) -> None:
    """By azureml-core's keys."""
    made = ResourceConfiguration(*values)
    made.validate()
    assert ResourceConfiguration.deserialize(made.serialize()) == made
    assert ResourceConfiguration.deserialize(None) is None
    assert message(ResourceConfiguration.deserialize, {"cpu": 1}).endswith("it lacks memoryInGB, gpu")
