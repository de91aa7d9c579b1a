"""Registered models, and deploying them: `Model`."""

import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from akstwin import scratch
from akstwin.backend import Json, JsonPatch, ModelQuery
from akstwin.errors import NotFound
from akstwin.sdk.answers import Filters, filters, from_the_service, instant, iso, not_offered, require
from akstwin.sdk.conda_dependencies import Folder
from akstwin.sdk.configuration import AksServiceDeploymentConfiguration, Pairs
from akstwin.sdk.exceptions import WebserviceException
from akstwin.sdk.given import check_kind, check_text
from akstwin.sdk.inference import InferenceConfig
from akstwin.sdk.model_files import ASSET, MODELS, fetched, local, uploaded
from akstwin.sdk.resource_configuration import ResourceConfiguration

if TYPE_CHECKING:
    from akstwin.sdk.compute import ComputeTarget
    from akstwin.sdk.webservice import Webservice
    from akstwin.sdk.workspace import Workspace

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-._]{0,254}")
_NAME_FORM: Final = "1 to 255 letters, digits, dashes, dots and underscores, first a letter or digit"
_KEYS: Final = ("id", "name", "version", "createdTime")


class Model:
    """A version of a registered model.

    The constructor finds one; `register` makes one.

    Args:
        workspace: where it is registered; None: an empty object.
        name: of the model; its newest version that fits the rest.
        id: `name:version`.
        tags: keys that it must have, or lists of a key and a value.
        properties: likewise.
        version: of the model.
        run_id: the run that made it.
        model_framework: its framework.
        expand: whether datasets are looked up; there are none here.

    Attributes:
        workspace: as given.
        id: `name:version`.
        name: of the model.
        version: 1, 2, …
        description: for people.
        tags: pairs that can be changed.
        properties: pairs that can only be added to.
        model_framework: a constant of `Model.Framework`.
        model_framework_version: its version.
        created_by: who registered it.
        created_time: when.
        url: where its files are.
        mime_type: of its files.
        unpack: whether its files are packed.
        experiment_name: what made it.
        run_id: likewise.
        run: None; there are no runs here.
        parent_id: the model that it was made from.
        derived_model_ids: the models that were made from it.
        resource_configuration: what it asks for.
        datasets: empty; there are none here.
        sample_input_dataset: None; likewise.
        sample_output_dataset: None; likewise.

    Raises:
        WebserviceException: there is none, or neither a name nor an id is given.
    """

    class Framework:
        """Frameworks by name."""

        CUSTOM = "Custom"
        TENSORFLOW = "TensorFlow"
        SCIKITLEARN = "ScikitLearn"
        ONNX = "Onnx"
        TFKERAS = "TfKeras"
        PYTORCH = "PyTorch"
        MULTI = "Multi"

    def __init__(
        self,
        workspace: "Workspace | None",
        name: str | None = None,
        id: str | None = None,  # noqa: A002 - azureml-core's
        tags: Filters | None = None,
        properties: Filters | None = None,
        version: str | int | None = None,
        run_id: str | None = None,
        model_framework: str | None = None,
        expand: bool = True,  # noqa: ARG002 - azureml-core's; there are no datasets here
    ) -> None:
        self._read(workspace, {})
        if workspace is not None:
            asked = {
                "name": name, "id": id, "tags": tags, "properties": properties, "version": version, "run_id": run_id,
                "model_framework": model_framework,
            }  # fmt: skip
            self._read(workspace, _found(workspace, asked))

    @staticmethod
    def register(
        workspace: "Workspace",
        model_path: Folder,
        model_name: str,
        tags: Pairs | None = None,
        properties: Pairs | None = None,
        description: str | None = None,
        datasets: Sequence[Any] | None = None,
        model_framework: str | None = None,
        model_framework_version: str | None = None,
        child_paths: Sequence[str] | None = None,
        sample_input_dataset: object = None,
        sample_output_dataset: object = None,
        resource_configuration: ResourceConfiguration | None = None,
    ) -> "Model":
        """Upload a file or a folder and make it the next version of a model.

        Args:
            workspace: where to.
            model_path: the file or the folder; below the current directory.
            model_name: of the model.
            tags: pairs that can be changed later.
            properties: pairs that can only be added to later.
            description: for people.
            datasets: not offered.
            model_framework: a constant of `Model.Framework`.
            model_framework_version: its version.
            child_paths: what of the folder is uploaded; all.
            sample_input_dataset: not offered.
            sample_output_dataset: not offered.
            resource_configuration: what the model asks for.

        Raises:
            WebserviceException: naming the parameter that is refused, its value and what was expected.
        """
        if not isinstance(model_name, str) or not _NAME.fullmatch(model_name):
            raise WebserviceException(f"model_name: {model_name!r} is not {_NAME_FORM}")
        check_text(model_framework=model_framework, model_framework_version=model_framework_version)
        if description is not None and not isinstance(description, str):
            raise WebserviceException(f"description: {description!r} is not text")
        if model_framework_version is not None and model_framework is None:
            raise WebserviceException(
                f"model_framework_version: {model_framework_version!r} is not allowed without model_framework"
            )
        _no_datasets(
            datasets=datasets, sample_input_dataset=sample_input_dataset, sample_output_dataset=sample_output_dataset
        )
        check_kind(ResourceConfiguration, resource_configuration=resource_configuration)
        if resource_configuration is not None:
            resource_configuration.validate()
        payload = {
            "name": model_name,
            "mimeType": "application/json",
            "unpack": False,
            "datasets": [],
            "kvTags": _pairs("tags", tags),
            "properties": _pairs("properties", properties),
            "description": description,
            "framework": model_framework,
            "frameworkVersion": model_framework_version,
            "resourceRequirements": resource_configuration and resource_configuration.serialize(),
        }
        prefix = uploaded(workspace, model_path, child_paths)
        print(f"Registering model {model_name}")  # noqa: T201 - a call of the SDK's that prints
        with from_the_service():
            asset = workspace.backend.create_asset({"name": model_name, "artifacts": [{"prefix": prefix}]})
            payload["url"] = ASSET + asset["id"]
            document = workspace.backend.register_model({k: v for k, v in payload.items() if v is not None})
        return Model._of(workspace, document)

    @staticmethod
    def list(
        workspace: "Workspace",
        name: str | None = None,
        tags: Filters | None = None,
        properties: Filters | None = None,
        run_id: str | None = None,
        latest: bool = False,
        dataset_id: str | None = None,
        expand: bool = True,  # noqa: ARG004 - azureml-core's; there are no datasets here
        page_count: int = 255,
        model_framework: str | None = None,
    ) -> "list[Model]":
        """The models that all that is given holds of, the newest first.

        Args:
            workspace: where they are registered.
            name: of the model.
            tags: keys that it must have, or lists of a key and a value.
            properties: likewise.
            run_id: the run that made it.
            latest: only the newest version of each name.
            dataset_id: not offered.
            expand: whether datasets are looked up; there are none here.
            page_count: from 20 to 255; all are listed in any case.
            model_framework: its framework.

        Raises:
            WebserviceException: naming the parameter that is refused, its value and what was expected.
        """
        if page_count is not None and (isinstance(page_count, bool) or not 20 <= page_count <= 255):
            raise WebserviceException(f"page_count: {page_count!r} is not from 20 to 255")
        _no_datasets(dataset_id=dataset_id)
        check_text(name=name, run_id=run_id, model_framework=model_framework)
        query = ModelQuery(
            name=name,
            framework=model_framework,
            tags=filters("tags", tags),
            properties=filters("properties", properties),
            run_id=run_id,
            latest=latest,
        )
        with from_the_service():
            documents = workspace.backend.list_models(query)
        return [Model._of(workspace, document) for document in documents]

    @staticmethod
    def get_model_path(model_name: str, version: int | None = None, _workspace: "Workspace | None" = None) -> str:
        """Where a model's file or folder is: in a container, as in an entry script, or downloaded from a workspace.

        Args:
            model_name: of the model.
            version: of the model; the newest.
            _workspace: where it is registered; without it, only this machine is looked at.

        Raises:
            WebserviceException: there is none.
        """
        if version is not None and (not isinstance(version, int) or isinstance(version, bool)):
            raise WebserviceException(f"version: {version!r} is not a whole number")
        found = local(model_name, version)
        if found is None and _workspace is not None:
            model = Model(_workspace, name=model_name, version=version)
            return model.download(str(MODELS / model_name / str(model.version)), exist_ok=True)
        if found is None:
            raise WebserviceException(
                f"ModelNotFound: model_name: {model_name!r} is not a model in {MODELS} or a file in {Path.cwd()}"
            )
        return str(found)

    @staticmethod
    def deploy(
        workspace: "Workspace",
        name: str,
        models: "Sequence[Model]",
        inference_config: InferenceConfig | None = None,
        deployment_config: AksServiceDeploymentConfiguration | None = None,
        deployment_target: "ComputeTarget | None" = None,
        overwrite: bool = False,
        show_output: bool = False,
    ) -> "Webservice":
        """Deploy models as a service, or as an endpoint with its first version.

        Args:
            workspace: where to.
            name: of the service.
            models: registered ones.
            inference_config: the script that scores; not needed for one model of a framework that brings one.
            deployment_config: what `deploy_configuration` of `AksWebservice` or `AksEndpoint` has made; the service's
                defaults.
            deployment_target: the cluster, where the configuration does not say.
            overwrite: whether a service of that name is replaced.
            show_output: whether to print what is deployed.

        Returns:
            The service; its deployment has begun.

        Raises:
            WebserviceException: naming the parameter that is refused, its value and what was expected.
        """
        from akstwin.sdk.deploying import deployed  # noqa: PLC0415 - it deploys models

        return deployed(
            workspace,
            name,
            models,
            inference_config,
            deployment_config,
            deployment_target,
            overwrite=overwrite,
            show=show_output,
        )

    @staticmethod
    def print_configuration(
        models: "Sequence[Model]",
        inference_config: InferenceConfig | None,
        deployment_config: AksServiceDeploymentConfiguration | None,
        deployment_target: "ComputeTarget | None",
    ) -> None:
        """Print what a deployment is made of."""
        from akstwin.sdk.deploying import shown  # noqa: PLC0415 - it shows models

        for line in shown(models, inference_config, deployment_target):
            print(line)  # noqa: T201 - a call of the SDK's that prints
        if deployment_config:
            deployment_config.print_deploy_configuration()

    @staticmethod
    def package(
        workspace: "Workspace",  # noqa: ARG004 - azureml-core's
        models: "Sequence[Model]",  # noqa: ARG004
        inference_config: InferenceConfig | None = None,  # noqa: ARG004
        generate_dockerfile: bool = False,  # noqa: ARG004
        image_name: str | None = None,  # noqa: ARG004
        image_label: str | None = None,  # noqa: ARG004
    ) -> NoReturn:
        """Refuse: no images are built here.

        Raises:
            WebserviceException: always.
        """
        not_offered("Model.package", "use Model.deploy")

    @staticmethod
    def profile(
        workspace: "Workspace",  # noqa: ARG004 - azureml-core's
        profile_name: str,  # noqa: ARG004
        models: "Sequence[Model]",  # noqa: ARG004
        inference_config: InferenceConfig,  # noqa: ARG004
        input_dataset: object,  # noqa: ARG004
        cpu: float | None = None,  # noqa: ARG004
        memory_in_gb: float | None = None,  # noqa: ARG004
        description: str | None = None,  # noqa: ARG004
    ) -> NoReturn:
        """Refuse: there is no profiling service here.

        Raises:
            WebserviceException: always.
        """
        not_offered("Model.profile", "`akstwin plan` answers what a model needs")

    @staticmethod
    def deserialize(workspace: "Workspace", model_payload: Any) -> "Model":
        """The model of a document.

        Raises:
            WebserviceException: it is none of a model.
        """
        require(model_payload, _KEYS, "Model")
        return Model._of(workspace, model_payload)

    def serialize(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "createdTime": iso(self.created_time),
            "createdBy": self.created_by,
            "description": self.description,
            "id": self.id,
            "mimeType": self.mime_type,
            "name": self.name,
            "framework": self.model_framework,
            "frameworkVersion": self.model_framework_version,
            "tags": self.tags,
            "properties": self.properties,
            "unpack": self.unpack,
            "url": self.url,
            "version": self.version,
            "experimentName": self.experiment_name,
            "runId": self.run_id,
            "runDetails": None,
            "datasets": [],
            "resourceConfiguration": self.resource_configuration and self.resource_configuration.serialize(),
            "sampleInputDatasetId": None,
            "sampleOutputDatasetId": None,
        }

    def download(self, target_dir: Folder = ".", exist_ok: bool = False, exists_ok: bool | None = None) -> str:
        """Write the model's files into a folder.

        Args:
            target_dir: the folder, which is made.
            exist_ok: whether files that are there are overwritten.
            exists_ok: its former name.

        Returns:
            The path of the file, or what the paths of the files have in common.

        Raises:
            WebserviceException: there are no files, or some are there already.
        """
        overwrite = exist_ok if exists_ok is None else exists_ok
        target = Path(target_dir)
        with scratch.temporary() as temporary:
            files = fetched(self._of_a_workspace(), self.url, temporary)
            if not overwrite:
                there = [str(target / name) for name in files if (target / name).exists()]
                if there:
                    raise WebserviceException(f"exist_ok: False is not allowed here: {there[0]} is there already")
            for name, path in files.items():
                place = target / name
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(path, place)
        return os.path.commonpath([target / name for name in files])

    def update(
        self,
        tags: Pairs | None = None,
        description: str | None = None,
        sample_input_dataset: object = None,
        sample_output_dataset: object = None,
        resource_configuration: ResourceConfiguration | None = None,
    ) -> None:
        """Replace all tags, the description, or what the model asks for.

        Raises:
            WebserviceException: the world refuses, or something that is not offered is given.
        """
        _no_datasets(sample_input_dataset=sample_input_dataset, sample_output_dataset=sample_output_dataset)
        patch: JsonPatch = []
        check_kind(ResourceConfiguration, resource_configuration=resource_configuration)
        if tags is not None:
            patch.append({"op": "replace", "path": "/kvTags", "value": _pairs("tags", tags)})
        if description is not None:
            if not isinstance(description, str):
                raise WebserviceException(f"description: {description!r} is not text")
            patch.append({"op": "replace", "path": "/description", "value": description})
        if resource_configuration is not None:
            resource_configuration.validate()
            patch.append(
                {"op": "replace", "path": "/resourceRequirements", "value": resource_configuration.serialize()}
            )
        self._patched(patch)

    def update_tags_properties(
        self,
        add_tags: Pairs | None = None,
        remove_tags: str | Sequence[str] | None = None,
        add_properties: Pairs | None = None,
    ) -> None:
        """Add and remove tags, and add properties.

        Raises:
            WebserviceException: a property is there already, or the world refuses.
        """
        patch: JsonPatch = []
        if add_tags is not None or remove_tags is not None:
            if not isinstance(remove_tags, str | list | tuple | set | frozenset | None):
                raise WebserviceException(f"remove_tags: {remove_tags!r} is not a key, or a list of keys")
            removed = () if remove_tags is None else remove_tags
            tags = with_tags(self.tags, _pairs("add_tags", add_tags) or {}, removed)
            patch.append({"op": "replace", "path": "/kvTags", "value": tags})
        if add_properties is not None:
            added = _pairs("add_properties", add_properties) or {}
            present = self.properties or {}
            for key in added:
                if key in present:
                    raise WebserviceException(f"add_properties: {key!r} is not a new property: it is {present[key]!r}")
            patch.append({"op": "add", "path": "/properties", "value": {**present, **added}})
        self._patched(patch)

    def add_tags(self, tags: Pairs) -> None:
        """Add tags; those of the same keys are replaced.

        Raises:
            WebserviceException: the world refuses.
        """
        self.update_tags_properties(add_tags=tags)
        print("Model tag add operation complete.")  # noqa: T201 - a call of the SDK's that prints

    def remove_tags(self, tags: str | Sequence[str]) -> None:
        """Remove the tags of these keys.

        Raises:
            WebserviceException: the world refuses.
        """
        self.update_tags_properties(remove_tags=tags)
        print("Model tag remove operation complete.")  # noqa: T201 - a call of the SDK's that prints

    def add_properties(self, properties: Pairs) -> None:
        """Add properties.

        Raises:
            WebserviceException: one is there already, or the world refuses.
        """
        self.update_tags_properties(add_properties=properties)
        print("Model properties add operation complete.")  # noqa: T201 - a call of the SDK's that prints

    def add_dataset_references(self, datasets: Sequence[Any]) -> NoReturn:  # noqa: ARG002 - azureml-core's
        """Refuse: there are no datasets here.

        Raises:
            WebserviceException: always.
        """
        not_offered("Model.add_dataset_references", "there are no datasets")

    def get_sas_urls(self) -> NoReturn:
        """Refuse: files are in no storage account.

        Raises:
            WebserviceException: always.
        """
        not_offered("Model.get_sas_urls", "use download")

    def delete(self) -> None:
        """Forget this version.

        Raises:
            WebserviceException: it is deployed (412), or is not there any more.
        """
        with from_the_service():
            self._of_a_workspace().backend.delete_model(self.id)

    def __repr__(self) -> str:
        workspace = self.workspace and self.workspace.name
        return (
            f"Model(workspace={workspace!r}, name={self.name!r}, id={self.id!r}, version={self.version!r}, "
            f"tags={self.tags!r}, properties={self.properties!r})"
        )

    @classmethod
    def _of(cls, workspace: "Workspace", document: Json) -> "Model":
        model = cls(None)
        model._read(workspace, document)
        return model

    def _read(self, workspace: "Workspace | None", document: Json) -> None:
        self.workspace = workspace
        self.id: str = document.get("id", "")
        self.name: str = document.get("name", "")
        self.version: int = document.get("version", 0)
        self.description: str | None = document.get("description")
        # Models of their own have kvTags, those inside a service tags (wire §7.2).
        self.tags: dict[str, str] | None = document["kvTags"] if "kvTags" in document else document.get("tags")
        self.properties: dict[str, str] | None = document.get("properties")
        self.model_framework: str | None = document.get("framework")
        self.model_framework_version: str | None = document.get("frameworkVersion")
        self.created_by: Any = document.get("createdBy")
        self.created_time = instant(document.get("createdTime"))
        self.url: str = document.get("url", "")
        self.mime_type: str | None = document.get("mimeType")
        self.unpack: bool | None = document.get("unpack")
        self.experiment_name: str | None = document.get("experimentName")
        self.run_id: str | None = document.get("runId")
        self.run = None
        self.parent_id: str | None = document.get("parentModelId")
        self.derived_model_ids: Any = document.get("derivedModelIds")
        self.resource_configuration = ResourceConfiguration.deserialize(document.get("resourceRequirements"))
        self.datasets: dict[str, Any] = {}
        self.sample_input_dataset = None
        self.sample_output_dataset = None

    def _of_a_workspace(self) -> "Workspace":
        if self.workspace is None:
            raise WebserviceException("workspace: None is not a workspace: the model is an empty object")
        return self.workspace

    def _patched(self, patch: JsonPatch) -> None:
        workspace = self._of_a_workspace()
        if patch:
            with from_the_service():
                self._read(workspace, workspace.backend.patch_model(self.id, patch))


def with_tags(present: Mapping[str, str] | None, added: Mapping[str, Any], removed: str | Iterable[str]) -> Json:
    """Tags once some are added and others removed; what is replaced, or is not there, is printed."""
    tags: Json = dict(present or {})
    for key, value in added.items():
        if key in tags:
            print(f"Replacing tag {key} -> {tags[key]} with {key} -> {value}")  # noqa: T201 - the SDK prints it
        tags[key] = value
    for key in [removed] if isinstance(removed, str) else removed:
        if tags.pop(key, None) is None:
            print(f"Tag with key {key} not found.")  # noqa: T201 - the SDK prints it
    return tags


def _found(workspace: "Workspace", asked: Mapping[str, Any]) -> Json:
    name, model_id, version = asked["name"], asked["id"], asked["version"]
    check_text(name=name, id=model_id, run_id=asked["run_id"], model_framework=asked["model_framework"])
    if version is not None and (isinstance(version, bool) or not isinstance(version, int | str) or version == ""):
        raise WebserviceException(f"version: {version!r} is not a whole number")
    if name is None and model_id is None:
        raise WebserviceException("name: None is not enough: the name or the id of a model is needed")
    described = ", ".join(f"{key} {value}" for key, value in asked.items() if value is not None)
    with from_the_service():
        try:
            if model_id is not None or version is not None:
                return workspace.backend.get_model(f"{name}:{version}" if model_id is None else model_id)
        except NotFound as error:
            raise _no_model(described) from error
        query = ModelQuery(
            name=name,
            framework=asked["model_framework"],
            tags=filters("tags", asked["tags"]),
            properties=filters("properties", asked["properties"]),
            run_id=asked["run_id"],
        )
        found = workspace.backend.list_models(query)
    if not found:
        raise _no_model(described)
    return found[0]


def _no_model(described: str) -> WebserviceException:
    return WebserviceException(
        f"ModelNotFound: Model with {described} not found in provided workspace", status_code=404
    )


def _pairs(name: str, given: Any) -> dict[str, Any] | None:
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise WebserviceException(f"{name}: {given!r} is not a dictionary")
    return dict(given)


def _no_datasets(**given: object) -> None:
    for name, value in given.items():
        if value is not None and (name != "datasets" or value != []):
            not_offered(name, "there are no datasets")
